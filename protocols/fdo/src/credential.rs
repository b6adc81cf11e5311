use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use cbor::{Order, Reader, Reason, Writer};
use crypto::Digest;

use crate::{
    Error, Guid, Header, KeyType, PublicKey, RendezvousInfo,
    hash::{read_hash, write_hash},
    header::{MAX_DEVICE_INFO_LEN, read_version},
    labels,
};

/// What a device knows about its owner (DeviceCredential, section 3.4.1), beside its secrets: nothing of it is secret, and all
/// of it must be kept from being changed by others.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    /// How it is called.
    pub guid: Guid,
    /// What it is, for people.
    pub device_info: String,
    /// Where it looks for its owner.
    pub rendezvous: RendezvousInfo,
    /// Hash of the encoded key that its voucher begins with: the manufacturer's, or that of the owner who set it up last.
    pub owner: Digest,
    /// The type of that key, which all owners' keys have.
    pub owner_key_type: KeyType,
}

/// Elements of an encoded credential.
const FIELDS: usize = 6;

impl Credential {
    /// What a device becomes by a header.
    pub(crate) fn of(header: Header, algorithm: crypto::HashAlgorithm) -> Self {
        let Header { guid, device_info, rendezvous, manufacturer, .. } = header;
        let (owner, owner_key_type) =
            (Digest::of(algorithm, manufacturer.as_bytes()), manufacturer.key_type());
        Self { guid, device_info, rendezvous, owner, owner_key_type }
    }

    /// Whether a voucher that begins with this key is the device's.
    pub(crate) fn is_of(&self, manufacturer: &PublicKey) -> bool {
        Digest::of(self.owner.algorithm(), manufacturer.as_bytes()) == self.owner
    }

    /// Reads what [`Credential::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        reader.array_of(FIELDS)?;
        read_version(&mut reader)?;
        let at = reader.position();
        let device_info = reader.text()?.to_string();
        if device_info.len() > MAX_DEVICE_INFO_LEN {
            return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_DEVICE_INFO_LEN }).into());
        }
        let guid = Guid(*reader.byte_array()?);
        let rendezvous = RendezvousInfo::read(&mut reader)?;
        let owner = read_hash(&mut reader)?;
        let owner_key_type = KeyType::from_number(reader.uint()?)?;
        reader.end()?;
        Ok(Self { guid, device_info, rendezvous, owner, owner_key_type })
    }

    /// The credential, to be kept: the order is that of the layout for TPMs, without what is in the TPM.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(FIELDS).uint(labels::PROTOCOL_VERSION).text(&self.device_info).bytes(&self.guid.0);
            self.rendezvous.write(w);
            write_hash(w, &self.owner);
            w.uint(self.owner_key_type.number());
        })
    }
}
