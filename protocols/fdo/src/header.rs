use alloc::string::{String, ToString};
use alloc::vec::Vec;

use cbor::{Reader, Reason, Writer};
use crypto::Digest;

use crate::{
    Error, Feature, Guid, PublicKey, RendezvousInfo,
    hash::{read_hash, write_hash},
    labels,
};

/// Length in bytes of the longest text on what a device is.
pub const MAX_DEVICE_INFO_LEN: usize = 1024;

/// The header of a voucher (OVHeader, section 3.4.2): what the manufacturer says of the device.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// Which device.
    pub guid: Guid,
    /// Where it looks for its owner.
    pub rendezvous: RendezvousInfo,
    /// What it is, for people; never empty.
    pub device_info: String,
    /// The manufacturer's key, which signs the first entry.
    pub manufacturer: PublicKey,
    /// Hash of the device's certificates one after another, its own first.
    pub certificates: Digest,
}

impl Header {
    /// Reads what a byte string wraps, to its end.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(6)?;
        read_version(reader)?;
        let guid = Guid(*reader.byte_array()?);
        let rendezvous = RendezvousInfo::read(reader)?;
        let at = reader.position();
        let device_info = reader.text()?.to_string();
        if device_info.is_empty() {
            return Err(cbor::Error::rule(at, "device has no description").into());
        }
        if device_info.len() > MAX_DEVICE_INFO_LEN {
            return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_DEVICE_INFO_LEN }).into());
        }
        let manufacturer = PublicKey::read(reader)?;
        if reader.is_null()? {
            return Err(Feature::NoCertificates.into());
        }
        let certificates = read_hash(reader)?;
        reader.end()?;
        Ok(Self { guid, rendezvous, device_info, manufacturer, certificates })
    }

    /// The header as it is hashed and wrapped.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(6).uint(labels::PROTOCOL_VERSION).bytes(&self.guid.0);
            self.rendezvous.write(w);
            w.text(&self.device_info).raw(self.manufacturer.as_bytes());
            write_hash(w, &self.certificates);
        })
    }
}

/// The version of the protocol, which is ours.
pub(crate) fn read_version(reader: &mut Reader<'_>) -> Result<(), Error> {
    match reader.uint()? {
        labels::PROTOCOL_VERSION => Ok(()),
        other => Err(Feature::ProtocolVersion(other).into()),
    }
}
