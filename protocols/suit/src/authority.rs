use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use cbor::{Error as CborError, MapBuilder, Reader, Reason};
use crypto::{Digest, HashAlgorithm, PublicKey};

use crate::{ComponentId, Uuid, limits::MAX_AUTHORITIES};

/// What the holder of a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Makes the software and says what it is.
    Author,
    /// Owns the device and says when it is installed.
    Operator,
}

impl Role {
    fn code(self) -> u64 {
        match self {
            Self::Author => 1,
            Self::Operator => 2,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Author => "author",
            Self::Operator => "operator",
        })
    }
}

/// A key and what it may sign for. A key with two scopes has two entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The key.
    pub key: PublicKey,
    /// Its identifier in signatures. A key without one (empty) is tried whatever identifier a signature gives.
    pub kid: Vec<u8>,
    /// Its name for people.
    pub name: String,
    /// What its holder does.
    pub role: Role,
    /// The only vendor whose manifests it may sign, or any.
    pub vendor: Option<Uuid>,
    /// The only class whose manifests it may sign, or any.
    pub class: Option<Uuid>,
    /// Prefixes of the components it may change; none means all.
    pub components: Vec<ComponentId>,
}

impl Authority {
    /// A key without limits of scope.
    pub fn new(key: PublicKey, kid: &[u8], name: &str, role: Role) -> Self {
        let (kid, name) = (kid.to_vec(), name.to_string());
        Self { key, kid, name, role, vendor: None, class: None, components: Vec::new() }
    }

    /// Whether the key may change the component.
    pub(crate) fn covers(&self, component: &ComponentId) -> bool {
        self.components.is_empty() || self.components.iter().any(|prefix| component.starts_with(prefix))
    }
}

/// How many signatures a manifest needs, and how far it may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityPolicy {
    /// Author keys that must sign; at least one always must.
    pub authors: u8,
    /// Operator keys that must sign.
    pub operators: u8,
    /// How far a sequence number may be ahead of the installed one, so that one bad manifest cannot use them up.
    pub max_sequence_jump: Option<u64>,
}

impl Default for AuthorityPolicy {
    /// One author, no operator.
    fn default() -> Self {
        Self { authors: 1, operators: 0, max_sequence_jump: None }
    }
}

/// Which keys may do what: the root of a recipient's trust in manifests.
///
/// It has one encoding, so that it can be attested and compared by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityList {
    policy: AuthorityPolicy,
    entries: Vec<Authority>,
}

/// Labels of the encoding, which is ours.
mod label {
    pub(super) const POLICY: i64 = 1;
    pub(super) const ENTRIES: i64 = 2;

    pub(super) const AUTHORS: i64 = 1;
    pub(super) const OPERATORS: i64 = 2;
    pub(super) const MAX_SEQUENCE_JUMP: i64 = 3;

    pub(super) const KEY: i64 = 1;
    pub(super) const KID: i64 = 2;
    pub(super) const NAME: i64 = 3;
    pub(super) const ROLE: i64 = 4;
    pub(super) const VENDOR: i64 = 5;
    pub(super) const CLASS: i64 = 6;
    pub(super) const COMPONENTS: i64 = 7;
}

impl AuthorityList {
    /// A list of these keys.
    pub fn new(policy: AuthorityPolicy, entries: Vec<Authority>) -> Result<Self, AuthorityError> {
        if policy.authors == 0 {
            return Err(AuthorityError::NoAuthorNeeded);
        }
        if entries.len() > MAX_AUTHORITIES {
            return Err(AuthorityError::TooMany);
        }
        let two_roles =
            |one: &Authority| entries.iter().any(|other| other.key == one.key && other.role != one.role);
        // Else one signature would count as the author's and as the operator's.
        if entries.iter().any(two_roles) {
            return Err(AuthorityError::KeyWithTwoRoles);
        }
        Ok(Self { policy, entries })
    }

    /// A list of these keys under the default policy.
    pub fn with_default_policy(entries: Vec<Authority>) -> Result<Self, AuthorityError> {
        Self::new(AuthorityPolicy::default(), entries)
    }

    /// How many signatures are needed.
    pub fn policy(&self) -> &AuthorityPolicy {
        &self.policy
    }

    /// The keys.
    pub fn entries(&self) -> &[Authority] {
        &self.entries
    }

    /// Digest of the encoded list.
    pub fn digest(&self, algorithm: HashAlgorithm) -> Digest {
        Digest::of(algorithm, &self.to_bytes())
    }

    /// Reads a list.
    pub fn decode(bytes: &[u8]) -> Result<Self, AuthorityError> {
        let mut reader = Reader::new(bytes);
        let start = reader.position();
        let (mut policy, mut entries) = (None, None);
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            match map.next_int(&mut reader)? {
                None => break,
                Some(label::POLICY) => policy = Some(decode_policy(&mut reader)?),
                Some(label::ENTRIES) => {
                    let at = reader.position();
                    let count = reader.array()?;
                    if count > MAX_AUTHORITIES {
                        return Err(CborError::new(at, Reason::TooLong { limit: MAX_AUTHORITIES }).into());
                    }
                    let list = (0..count).map(|_| decode_authority(&mut reader));
                    entries = Some(list.collect::<Result<Vec<_>, _>>()?);
                }
                Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
            }
        }
        reader.end()?;
        let missing = |label| CborError::new(start, Reason::MissingKey(label));
        Self::new(policy.ok_or(missing(label::POLICY))?, entries.ok_or(missing(label::ENTRIES))?)
    }

    /// The encoded list.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        map.int(label::POLICY, |w| {
            let mut policy = MapBuilder::new();
            policy.int(label::AUTHORS, |w| {
                w.uint(u64::from(self.policy.authors));
            });
            policy.int(label::OPERATORS, |w| {
                w.uint(u64::from(self.policy.operators));
            });
            policy.int_if(label::MAX_SEQUENCE_JUMP, self.policy.max_sequence_jump, |w, jump| {
                w.uint(jump);
            });
            policy.write(w);
        });
        map.int(label::ENTRIES, |w| {
            w.array(self.entries.len());
            for entry in &self.entries {
                encode_authority(entry, w);
            }
        });
        map.into_bytes()
    }
}

fn decode_policy(reader: &mut Reader<'_>) -> Result<AuthorityPolicy, AuthorityError> {
    let start = reader.position();
    let (mut authors, mut operators, mut max_sequence_jump) = (None, None, None);
    let mut map = reader.map()?;
    loop {
        let at = reader.position();
        match map.next_int(reader)? {
            None => break,
            Some(label::AUTHORS) => authors = Some(reader.uint_as()?),
            Some(label::OPERATORS) => operators = Some(reader.uint_as()?),
            Some(label::MAX_SEQUENCE_JUMP) => max_sequence_jump = Some(reader.uint()?),
            Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
        }
    }
    let missing = |label| CborError::new(start, Reason::MissingKey(label));
    Ok(AuthorityPolicy {
        authors: authors.ok_or(missing(label::AUTHORS))?,
        operators: operators.ok_or(missing(label::OPERATORS))?,
        max_sequence_jump,
    })
}

fn decode_authority(reader: &mut Reader<'_>) -> Result<Authority, AuthorityError> {
    let start = reader.position();
    let (mut key, mut kid, mut name, mut role) = (None, Vec::new(), None, None);
    let (mut vendor, mut class, mut components) = (None, None, Vec::new());
    let mut map = reader.map()?;
    loop {
        let at = reader.position();
        match map.next_int(reader)? {
            None => break,
            Some(label::KEY) => {
                let decoded = cose::Key::decode(reader.raw()?).map_err(AuthorityError::Key)?;
                key = Some(decoded.public().clone());
            }
            Some(label::KID) => kid = reader.bytes()?.to_vec(),
            Some(label::NAME) => name = Some(reader.text()?.to_string()),
            Some(label::ROLE) => {
                let at = reader.position();
                let code = reader.uint()?;
                let known = [Role::Author, Role::Operator].into_iter().find(|role| role.code() == code);
                role = Some(known.ok_or(CborError::new(at, Reason::OutOfRange))?);
            }
            Some(label::VENDOR) => vendor = Some(Uuid::from(*reader.byte_array()?)),
            Some(label::CLASS) => class = Some(Uuid::from(*reader.byte_array()?)),
            Some(label::COMPONENTS) => {
                let prefixes = (0..reader.array()?).map(|_| ComponentId::decode(reader));
                components = prefixes.collect::<Result<Vec<_>, _>>().map_err(AuthorityError::Component)?;
            }
            Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
        }
    }
    let missing = |label| CborError::new(start, Reason::MissingKey(label));
    Ok(Authority {
        key: key.ok_or(missing(label::KEY))?,
        kid,
        name: name.ok_or(missing(label::NAME))?,
        role: role.ok_or(missing(label::ROLE))?,
        vendor,
        class,
        components,
    })
}

fn encode_authority(entry: &Authority, writer: &mut cbor::Writer) {
    let mut map = MapBuilder::new();
    map.int(label::KEY, |w| {
        w.raw(&cose::Key::from_public(&entry.key).encode());
    });
    map.int(label::KID, |w| {
        w.bytes(&entry.kid);
    });
    map.int(label::NAME, |w| {
        w.text(&entry.name);
    });
    map.int(label::ROLE, |w| {
        w.uint(entry.role.code());
    });
    map.int_if(label::VENDOR, entry.vendor, |w, vendor| {
        w.bytes(vendor.as_bytes());
    });
    map.int_if(label::CLASS, entry.class, |w, class| {
        w.bytes(class.as_bytes());
    });
    if !entry.components.is_empty() {
        map.int(label::COMPONENTS, |w| {
            w.array(entry.components.len());
            entry.components.iter().for_each(|component| component.encode(w));
        });
    }
    map.write(writer);
}

/// Why something is no authority list.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityError {
    /// The bytes break a rule of the format.
    Malformed(cbor::Error),
    /// A component prefix breaks a rule of the format.
    Component(crate::Error),
    /// A key is not one.
    Key(cose::Error),
    /// The policy wants no author signature, so anybody could be one.
    NoAuthorNeeded,
    /// One key is author and operator.
    KeyWithTwoRoles,
    /// More than [`MAX_AUTHORITIES`] entries.
    TooMany,
}

impl From<CborError> for AuthorityError {
    fn from(error: CborError) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Component(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::NoAuthorNeeded => f.write_str("the policy wants no author signature"),
            Self::KeyWithTwoRoles => f.write_str("one key is listed as author and as operator"),
            Self::TooMany => write!(f, "more than {MAX_AUTHORITIES} keys are listed"),
        }
    }
}

impl core::error::Error for AuthorityError {}
