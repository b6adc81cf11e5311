use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use cbor::{Order, Reader, Reason, Writer};

use super::read_body;
use crate::{Error, Header, Hmac, KeyEncoding, KeyType, header::MAX_DEVICE_INFO_LEN};

/// Length in bytes of the longest serial number of a device.
pub const MAX_SERIAL_LEN: usize = 256;

/// Length in bytes of the longest certification request of a device.
const MAX_REQUEST_LEN: usize = 8 * 1024;

/// The first message of DI (section 5.2.1): what the device tells its manufacturer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppStart {
    /// What implementations agree upon.
    Device(DeviceInfo),
    /// Anything else, as encoded, or nothing; nothing here can make a device of it.
    Other(Option<Vec<u8>>),
}

/// What devices tell their manufacturer (DeviceMfgInfo). The specification leaves it open; this is what is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Type that the keys of manufacturer and owners are to have.
    pub key_type: KeyType,
    /// How they are to be written.
    pub encoding: KeyEncoding,
    /// Serial number.
    pub serial: String,
    /// What the device is, for people.
    pub info: String,
    /// Certification request for the device's key (PKCS #10) in DER, not read.
    pub request: Vec<u8>,
}

impl AppStart {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        read_body(body, |reader| {
            reader.array_of(1)?;
            if reader.is_null()? {
                return Ok(Self::Other(None));
            }
            let wrapped = reader.wrapped()?;
            let bytes = wrapped.rest();
            let mut inner = Reader::with_order(bytes, Order::Unique).at_offset(wrapped.position());
            let item = inner.raw()?;
            inner.end()?;
            let mut fields = Reader::with_order(item, Order::Unique).at_offset(wrapped.position());
            match fields.peek()? {
                cbor::Type::Array if fields.clone().array()? >= FIELDS => {
                    DeviceInfo::read(&mut fields).map(Self::Device)
                }
                _ => Ok(Self::Other(Some(bytes.to_vec()))),
            }
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(1);
            match self {
                Self::Device(device) => _ = w.wrap(|w| device.write(w)),
                Self::Other(Some(bytes)) => _ = w.bytes(bytes),
                Self::Other(None) => _ = w.null(),
            }
        })
    }
}

/// Elements of what implementations agree upon; more may follow, which mean nothing here.
const FIELDS: usize = 5;

impl DeviceInfo {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = reader.array()?;
        let key_type = KeyType::from_number(reader.uint()?)?;
        let encoding = KeyEncoding::from_number(reader.uint()?)?;
        let serial = read_text(reader, MAX_SERIAL_LEN)?;
        let info = read_text(reader, MAX_DEVICE_INFO_LEN)?;
        let at = reader.position();
        let request = reader.bytes()?.to_vec();
        if request.len() > MAX_REQUEST_LEN {
            return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_REQUEST_LEN }).into());
        }
        for _ in FIELDS..count {
            reader.skip()?;
        }
        Ok(Self { key_type, encoding, serial, info, request })
    }

    fn write(&self, w: &mut Writer) {
        w.array(FIELDS).uint(self.key_type.number()).uint(self.encoding.number());
        w.text(&self.serial).text(&self.info).bytes(&self.request);
    }
}

fn read_text(reader: &mut Reader<'_>, limit: usize) -> Result<String, cbor::Error> {
    let at = reader.position();
    let text = reader.text()?;
    if text.len() > limit {
        return Err(cbor::Error::new(at, Reason::TooLong { limit }));
    }
    Ok(text.to_string())
}

/// The header of the voucher that a manufacturer begins (section 5.2.2).
#[derive(Debug, PartialEq, Eq)]
pub struct SetCredentials {
    /// The header as received: what the device makes its HMAC of.
    pub header_bytes: Vec<u8>,
    /// What it says.
    pub header: Header,
}

impl SetCredentials {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        read_body(body, |reader| {
            reader.array_of(1)?;
            let mut wrapped = reader.wrapped()?;
            let header_bytes = wrapped.rest().to_vec();
            let header = Header::read(&mut wrapped)?;
            Ok(Self { header_bytes, header })
        })
    }

    /// The message around an encoded header.
    pub fn encode(header: &[u8]) -> Vec<u8> {
        Writer::encode(|w| _ = w.array(1).bytes(header))
    }
}

/// The device's HMAC of that header (section 5.2.3).
#[derive(Debug, PartialEq, Eq)]
pub struct SetHmac(pub Hmac);

impl SetHmac {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        read_body(body, |reader| {
            reader.array_of(1)?;
            Hmac::read(reader).map(Self)
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(1);
            self.0.write(w);
        })
    }
}
