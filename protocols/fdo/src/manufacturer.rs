use alloc::vec::Vec;

use cbor::{Order, Reader, Writer};
use x509::Certificate;

use crate::{
    Failure, Fault, Guid, Header, Key, Message, MessageType, PublicKey, Refusal, RendezvousInfo,
    SetCredentials, SetHmac, Voucher, entry::hash_of, message::nothing, signer::strength,
};

/// DI on the manufacturer's side (section 5.2), between its two messages: a header that waits for the device's HMAC.
///
/// It holds no secret; whoever gives it away must still keep it from being changed.
#[derive(Debug, PartialEq, Eq)]
pub struct ManufacturerSession {
    header: Vec<u8>,
    certificates: Vec<Vec<u8>>,
}

/// What a manufacturer makes of a device.
pub struct NewDevice<'a> {
    /// How it is called: 16 random bytes.
    pub guid: Guid,
    /// What it is, for people.
    pub info: &'a str,
    /// Where it looks for its owner.
    pub rendezvous: &'a RendezvousInfo,
    /// The manufacturer's key, of the type and in the encoding that the device asked for.
    pub manufacturer: PublicKey,
    /// Certificates of the device's key in DER, its own first.
    pub certificates: &'a [Vec<u8>],
}

/// What the manufacturer has made.
#[derive(Debug)]
pub struct Made {
    /// The last message.
    pub message: Message,
    /// The voucher, which nobody owns yet but the manufacturer.
    pub voucher: Vec<u8>,
}

impl ManufacturerSession {
    /// Answers [`crate::AppStart`].
    pub fn begin(device: NewDevice<'_>) -> Result<(Self, Message), Failure> {
        let leaf = device.certificates.first().ok_or(Fault::Key)?;
        let leaf = Certificate::decode(leaf).map_err(|_| Fault::Key)?;
        let key = Key::Ec(leaf.public_key().map_err(|_| Fault::Key)?.clone());
        let chain: Vec<&[u8]> = device.certificates.iter().map(Vec::as_slice).collect();
        let algorithm = strength(&key, device.manufacturer.key());
        let header = Header {
            guid: device.guid,
            rendezvous: device.rendezvous.clone(),
            device_info: device.info.into(),
            manufacturer: device.manufacturer,
            certificates: hash_of(algorithm, &chain),
        };
        let header = header.encode();
        // What the device would not take is not sent.
        SetCredentials::decode(&SetCredentials::encode(&header)).map_err(|_| Refusal::DeviceInfo)?;
        let message = Message::new(MessageType::SetCredentials, SetCredentials::encode(&header));
        Ok((Self { header, certificates: device.certificates.to_vec() }, message))
    }

    /// Takes [`SetHmac`]: the voucher is made. It is for the caller to keep before it answers.
    pub fn finish(&self, body: &[u8]) -> Result<Made, Failure> {
        let SetHmac(hmac) = SetHmac::decode(body)?;
        let certificates: Vec<&[u8]> = self.certificates.iter().map(Vec::as_slice).collect();
        let voucher = Voucher::assemble(&self.header, &hmac, &certificates)?;
        Ok(Made { message: Message::new(MessageType::DiDone, nothing()), voucher })
    }

    /// Everything of the session.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(1 + self.certificates.len()).bytes(&self.header);
            self.certificates.iter().for_each(|der| _ = w.bytes(der));
        })
    }

    /// Reads what [`ManufacturerSession::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Failure> {
        let read = || -> Result<Self, cbor::Error> {
            let mut reader = Reader::with_order(bytes, Order::Unique);
            let count = reader.array()?;
            if count == 0 {
                return Err(cbor::Error::rule(0, "session has no header"));
            }
            let header = reader.bytes()?.to_vec();
            let certificates =
                (1..count).map(|_| reader.bytes().map(<[u8]>::to_vec)).collect::<Result<_, _>>()?;
            reader.end()?;
            Ok(Self { header, certificates })
        };
        read().map_err(|_| Fault::Session.into())
    }
}
