use alloc::vec::Vec;

use cbor::{Error as CborError, MapBuilder, Reader, Reason, Writer};
use crypto::{Digest, HashAlgorithm, SigningKey};

use super::{AuthorityError, AuthorityList, LockOut, UpdateRefusal};
use crate::{
    Uuid,
    limits::{MAX_AUTHORITY_UPDATE_LEN, MAX_UPDATE_DEVICE_LEN, MAX_UPDATE_DEVICES},
};

/// external_aad of the signatures on an update, so that they are good for nothing else.
pub const AUTHORITY_UPDATE_CONTEXT: &[u8] = b"sextant-authority-update";

/// Hash algorithm by which an update names the list it follows.
const FOLLOWS: HashAlgorithm = HashAlgorithm::Sha256;

/// The format written and read; it and its labels are ours.
const FORMAT: u64 = 1;

mod label {
    pub(super) const FORMAT: i64 = 1;
    pub(super) const FOLLOWS: i64 = 2;
    pub(super) const LIST: i64 = 3;
    pub(super) const VENDOR: i64 = 4;
    pub(super) const CLASS: i64 = 5;
    pub(super) const DEVICES: i64 = 6;
}

/// Which devices an update is for; all that have the list it follows, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateScope {
    /// The only vendor.
    pub vendor: Option<Uuid>,
    /// The only class.
    pub class: Option<Uuid>,
    /// UEIDs of the only devices.
    pub devices: Vec<Vec<u8>>,
}

/// A change of the list as its authors mean it: what is to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateProposal {
    follows: Digest,
    list: AuthorityList,
    scope: UpdateScope,
}

impl UpdateProposal {
    /// A change from the list in force to another, which becomes the version after it.
    pub fn new(present: &AuthorityList, next: AuthorityList, scope: UpdateScope) -> Result<Self, LockOut> {
        let version = present.version().checked_add(1).ok_or(LockOut::LastVersion)?;
        let list = next.with_version(version);
        match list.lock_out() {
            Some(lock_out) => Err(lock_out),
            None => Ok(Self { follows: present.digest(FOLLOWS), list, scope }),
        }
    }

    /// Digest of the list it follows.
    pub fn follows(&self) -> &Digest {
        &self.follows
    }

    /// The new list.
    pub fn list(&self) -> &AuthorityList {
        &self.list
    }

    /// Which devices it is for.
    pub fn scope(&self) -> &UpdateScope {
        &self.scope
    }

    /// Reads a proposal; one whose list would lock everybody out is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, UpdateRefusal> {
        let mut reader = Reader::new(bytes);
        let (mut format, mut follows, mut list) = (None, None, None);
        let mut scope = UpdateScope::default();
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            match map.next_int(&mut reader)? {
                None => break,
                Some(label::FORMAT) => match reader.uint()? {
                    FORMAT => format = Some(()),
                    other => return Err(AuthorityError::UnsupportedFormat(other).into()),
                },
                Some(label::FOLLOWS) => follows = Some(decode_follows(&mut reader)?),
                Some(label::LIST) => list = Some(AuthorityList::decode(reader.bytes()?)?),
                Some(label::VENDOR) => scope.vendor = Some(Uuid::from(*reader.byte_array()?)),
                Some(label::CLASS) => scope.class = Some(Uuid::from(*reader.byte_array()?)),
                Some(label::DEVICES) => scope.devices = decode_devices(&mut reader)?,
                Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
            }
        }
        reader.end()?;
        let missing = |label| CborError::new(0, Reason::MissingKey(label));
        format.ok_or(missing(label::FORMAT))?;
        let follows = follows.ok_or(missing(label::FOLLOWS))?;
        let list = list.ok_or(missing(label::LIST))?;
        match list.lock_out() {
            Some(lock_out) => Err(UpdateRefusal::LocksOut(lock_out)),
            None => Ok(Self { follows, list, scope }),
        }
    }

    /// The encoded proposal: the payload of the update.
    pub fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        map.int(label::FORMAT, |w| {
            w.uint(FORMAT);
        });
        map.int(label::FOLLOWS, |w| {
            w.array(2).int(self.follows.algorithm().cose_id()).bytes(self.follows.as_bytes());
        });
        map.int(label::LIST, |w| {
            w.bytes(&self.list.to_bytes());
        });
        map.int_if(label::VENDOR, self.scope.vendor, |w, vendor| {
            w.bytes(vendor.as_bytes());
        });
        map.int_if(label::CLASS, self.scope.class, |w, class| {
            w.bytes(class.as_bytes());
        });
        if !self.scope.devices.is_empty() {
            map.int(label::DEVICES, |w| {
                w.array(self.scope.devices.len());
                self.scope.devices.iter().for_each(|device| {
                    w.bytes(device);
                });
            });
        }
        map.into_bytes()
    }

    /// The update with its first signature.
    pub fn sign(&self, key: &SigningKey, kid: &[u8]) -> Vec<u8> {
        sign(&self.encode(), key, kid)
    }
}

/// A signed change of an authority list: a COSE_Sign over the new list and the digest of the one it follows.
/// Well-formed, and trusted by nobody; [`AuthorityUpdate::verify`] decides with the list in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityUpdate<'b> {
    bytes: &'b [u8],
    payload: &'b [u8],
    /// Each COSE_Signature as received.
    signatures: Vec<&'b [u8]>,
    proposal: UpdateProposal,
}

impl<'b> AuthorityUpdate<'b> {
    /// Reads an update.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, UpdateRefusal> {
        if bytes.len() > MAX_AUTHORITY_UPDATE_LEN {
            return Err(CborError::new(0, Reason::TooLong { limit: MAX_AUTHORITY_UPDATE_LEN }).into());
        }
        let message = cose::Sign::decode(bytes).map_err(AuthorityError::Key)?;
        let payload = message.payload().ok_or(CborError::rule(0, "an update carries its payload"))?;
        let signatures = split(bytes)?;
        // Whoever signs vouches for no header parameters of the whole, so there are none.
        if assemble(payload, &signatures) != bytes {
            return Err(AuthorityError::NotCanonical.into());
        }
        Ok(Self { bytes, payload, signatures, proposal: UpdateProposal::decode(payload)? })
    }

    /// The update as received.
    pub fn as_bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// What it changes. Nobody vouches for it before `verify` has.
    pub fn proposal(&self) -> &UpdateProposal {
        &self.proposal
    }

    /// How many signatures it has; at least one.
    pub fn signatures(&self) -> usize {
        self.signatures.len()
    }

    /// The update with one more signature.
    pub fn sign(&self, key: &SigningKey, kid: &[u8]) -> Result<Vec<u8>, AuthorityError> {
        let signed = sign(self.payload, key, kid);
        self.with(&split(&signed)?)
    }

    /// The update with the signatures of both. A signer whose signature is in both is there once.
    pub fn merge(&self, other: &AuthorityUpdate<'_>) -> Result<Vec<u8>, AuthorityError> {
        if self.payload != other.payload {
            return Err(AuthorityError::OtherUpdate);
        }
        self.with(&other.signatures)
    }

    fn with(&self, more: &[&[u8]]) -> Result<Vec<u8>, AuthorityError> {
        let mut signatures = self.signatures.clone();
        signatures.extend(more.iter().filter(|signature| !self.signatures.contains(signature)));
        if signatures.len() > cose::MAX_SIGNATURES {
            return Err(AuthorityError::TooManySignatures);
        }
        Ok(assemble(self.payload, &signatures))
    }

    /// The update as if each signature were its only one, so that each can be judged alone.
    pub(super) fn each_alone(&self) -> impl Iterator<Item = Vec<u8>> {
        self.signatures.iter().map(|signature| assemble(self.payload, &[signature]))
    }
}

fn sign(payload: &[u8], key: &SigningKey, kid: &[u8]) -> Vec<u8> {
    cose::SignBuilder::new()
        .external_aad(AUTHORITY_UPDATE_CONTEXT)
        .sign(&[cose::Signer { key, kid: Some(kid) }], payload)
}

/// Each COSE_Signature of a message, as received (RFC 9052, section 4.1).
fn split(message: &[u8]) -> Result<Vec<&[u8]>, AuthorityError> {
    let mut reader = Reader::new(message);
    reader.is_tag(cose::labels::TAG_SIGN)?;
    reader.array_of(4)?;
    reader.skip()?;
    reader.skip()?;
    reader.skip()?;
    let signatures = (0..reader.array()?).map(|_| reader.raw()).collect::<Result<_, _>>()?;
    Ok(signatures)
}

fn assemble(payload: &[u8], signatures: &[&[u8]]) -> Vec<u8> {
    Writer::encode(|w| {
        w.tag(cose::labels::TAG_SIGN).array(4).bytes(&[]).map(0).bytes(payload).array(signatures.len());
        signatures.iter().for_each(|signature| {
            w.raw(signature);
        });
    })
}

fn decode_follows(reader: &mut Reader<'_>) -> Result<Digest, CborError> {
    let at = reader.position();
    reader.array_of(2)?;
    let algorithm = HashAlgorithm::from_cose_id(reader.int()?);
    let bytes = reader.bytes()?;
    algorithm
        .filter(|algorithm| *algorithm == FOLLOWS)
        .and_then(|algorithm| Digest::new(algorithm, bytes))
        .ok_or(CborError::rule(at, "the list it follows is not named by its SHA-256"))
}

fn decode_devices(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, CborError> {
    let at = reader.position();
    let count = reader.array()?;
    if count == 0 {
        return Err(CborError::rule(at, "the update is for no device"));
    }
    if count > MAX_UPDATE_DEVICES {
        return Err(CborError::new(at, Reason::TooLong { limit: MAX_UPDATE_DEVICES }));
    }
    let device = |_| {
        let at = reader.position();
        let device = reader.bytes()?;
        if device.len() > MAX_UPDATE_DEVICE_LEN {
            return Err(CborError::new(at, Reason::TooLong { limit: MAX_UPDATE_DEVICE_LEN }));
        }
        Ok(device.to_vec())
    };
    (0..count).map(device).collect()
}
