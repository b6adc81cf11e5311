//! The one encoding of a list. Format and labels are ours.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use cbor::{Error as CborError, MapBuilder, Reader, Reason, Writer};
use crypto::HashAlgorithm;

use super::{
    Authority, AuthorityError, AuthorityKey, AuthorityList, AuthorityPolicy, Party, Role, Rule, SharedKeyName,
};
use crate::{
    ComponentId, Uuid,
    limits::{MAX_AUTHORITIES, MAX_AUTHORITY_LIST_LEN, MAX_AUTHORITY_PREFIXES, MAX_AUTHORITY_RULES},
};

/// The format written and read. Format 1 had neither root members, rules nor versions.
const FORMAT: u64 = 2;

mod label {
    pub(super) const FORMAT: i64 = 1;
    pub(super) const VERSION: i64 = 2;
    pub(super) const POLICY: i64 = 3;
    pub(super) const RULES: i64 = 4;
    pub(super) const ENTRIES: i64 = 5;

    pub(super) const AUTHORS: i64 = 1;
    pub(super) const OPERATORS: i64 = 2;
    pub(super) const MAX_SEQUENCE_JUMP: i64 = 3;
    pub(super) const ROOTS: i64 = 4;
    pub(super) const SHARED_KEYS: i64 = 5;

    pub(super) const RULE_ROLE: i64 = 1;
    pub(super) const RULE_SIGNATURES: i64 = 2;
    pub(super) const RULE_COMPONENTS: i64 = 3;

    pub(super) const KEY: i64 = 1;
    pub(super) const KID: i64 = 2;
    pub(super) const NAME: i64 = 3;
    pub(super) const ROLE: i64 = 4;
    pub(super) const VENDOR: i64 = 5;
    pub(super) const CLASS: i64 = 6;
    pub(super) const COMPONENTS: i64 = 7;
    pub(super) const SHARED_KEY: i64 = 8;

    pub(super) const ROLE_AUTHOR: u64 = 1;
    pub(super) const ROLE_OPERATOR: u64 = 2;
    pub(super) const ROLE_ROOT: u64 = 3;
    pub(super) const ROLE_DISTRIBUTOR: u64 = 4;
}

pub(super) fn decode_list(bytes: &[u8]) -> Result<AuthorityList, AuthorityError> {
    if bytes.len() > MAX_AUTHORITY_LIST_LEN {
        return Err(CborError::new(0, Reason::TooLong { limit: MAX_AUTHORITY_LIST_LEN }).into());
    }
    let mut reader = Reader::new(bytes);
    let start = reader.position();
    let (mut format, mut version, mut policy) = (None, None, None);
    let (mut rules, mut entries) = (Vec::new(), None);
    let mut map = reader.map()?;
    loop {
        let at = reader.position();
        match map.next_int(&mut reader)? {
            None => break,
            Some(label::FORMAT) => {
                // The policy stood here in format 1.
                if reader.peek()? == cbor::Type::Map {
                    return Err(AuthorityError::UnsupportedFormat(1));
                }
                match reader.uint()? {
                    FORMAT => format = Some(()),
                    other => return Err(AuthorityError::UnsupportedFormat(other)),
                }
            }
            Some(label::VERSION) => version = Some(reader.uint()?),
            Some(label::POLICY) => policy = Some(decode_policy(&mut reader)?),
            Some(label::RULES) => rules = decode_all(&mut reader, MAX_AUTHORITY_RULES, decode_rule)?,
            Some(label::ENTRIES) => {
                entries = Some(decode_all(&mut reader, MAX_AUTHORITIES, decode_authority)?);
            }
            Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
        }
    }
    reader.end()?;
    let missing = |label| CborError::new(start, Reason::MissingKey(label));
    format.ok_or(missing(label::FORMAT))?;
    let list = AuthorityList::build(
        version.ok_or(missing(label::VERSION))?,
        policy.ok_or(missing(label::POLICY))?,
        rules,
        entries.ok_or(missing(label::ENTRIES))?,
    )?;
    // One list, one digest: no other order of entries, and nothing said that need not be said.
    if encode_list(&list) == bytes { Ok(list) } else { Err(AuthorityError::NotCanonical) }
}

pub(super) fn encode_list(list: &AuthorityList) -> Vec<u8> {
    let mut map = MapBuilder::new();
    map.int(label::FORMAT, |w| {
        w.uint(FORMAT);
    });
    map.int(label::VERSION, |w| {
        w.uint(list.version());
    });
    map.int(label::POLICY, |w| encode_policy(list.policy(), w));
    if !list.rules().is_empty() {
        map.int(label::RULES, |w| {
            w.array(list.rules().len());
            list.rules().iter().for_each(|rule| encode_rule(rule, w));
        });
    }
    map.int(label::ENTRIES, |w| {
        w.array(list.entries().len());
        list.entries().iter().for_each(|entry| encode_authority(entry, w));
    });
    map.into_bytes()
}

fn decode_all<T>(
    reader: &mut Reader<'_>,
    limit: usize,
    mut decode: impl FnMut(&mut Reader<'_>) -> Result<T, AuthorityError>,
) -> Result<Vec<T>, AuthorityError> {
    let at = reader.position();
    let count = reader.array()?;
    if count > limit {
        return Err(CborError::new(at, Reason::TooLong { limit }).into());
    }
    (0..count).map(|_| decode(reader)).collect()
}

/// A recipient that knows no MAC knows no list that speaks of shared keys.
const KNOWS_MACS: bool = cfg!(feature = "mac");

fn decode_policy(reader: &mut Reader<'_>) -> Result<AuthorityPolicy, AuthorityError> {
    let start = reader.position();
    let (mut authors, mut operators, mut max_sequence_jump, mut roots) = (None, None, None, None);
    let mut shared_keys = false;
    let mut map = reader.map()?;
    loop {
        let at = reader.position();
        match map.next_int(reader)? {
            None => break,
            Some(label::AUTHORS) => authors = Some(reader.uint_as()?),
            Some(label::OPERATORS) => operators = Some(reader.uint_as()?),
            Some(label::MAX_SEQUENCE_JUMP) => max_sequence_jump = Some(reader.uint()?),
            Some(label::ROOTS) => roots = Some(reader.uint_as()?),
            Some(label::SHARED_KEYS) if KNOWS_MACS => shared_keys = reader.bool()?,
            Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
        }
    }
    let missing = |label| CborError::new(start, Reason::MissingKey(label));
    Ok(AuthorityPolicy {
        authors: authors.ok_or(missing(label::AUTHORS))?,
        operators: operators.ok_or(missing(label::OPERATORS))?,
        max_sequence_jump,
        roots: roots.ok_or(missing(label::ROOTS))?,
        shared_keys,
    })
}

fn encode_policy(policy: &AuthorityPolicy, writer: &mut Writer) {
    let mut map = MapBuilder::new();
    for (label, count) in
        [(label::AUTHORS, policy.authors), (label::OPERATORS, policy.operators), (label::ROOTS, policy.roots)]
    {
        map.int(label, |w| {
            w.uint(u64::from(count));
        });
    }
    map.int_if(label::MAX_SEQUENCE_JUMP, policy.max_sequence_jump, |w, jump| {
        w.uint(jump);
    });
    map.int_if(label::SHARED_KEYS, Some(true).filter(|_| policy.shared_keys), |w, allowed| {
        w.bool(allowed);
    });
    map.write(writer);
}

fn decode_rule(reader: &mut Reader<'_>) -> Result<Rule, AuthorityError> {
    let start = reader.position();
    let (mut role, mut signatures, mut components) = (None, None, None);
    let mut map = reader.map()?;
    loop {
        let at = reader.position();
        match map.next_int(reader)? {
            None => break,
            Some(label::RULE_ROLE) => role = Some(decode_role(reader)?),
            Some(label::RULE_SIGNATURES) => signatures = Some(reader.uint_as()?),
            Some(label::RULE_COMPONENTS) => components = Some(decode_component(reader)?),
            Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
        }
    }
    let missing = |label| CborError::new(start, Reason::MissingKey(label));
    Ok(Rule {
        role: role.ok_or(missing(label::RULE_ROLE))?,
        signatures: signatures.ok_or(missing(label::RULE_SIGNATURES))?,
        components,
    })
}

fn encode_rule(rule: &Rule, writer: &mut Writer) {
    let mut map = MapBuilder::new();
    map.int(label::RULE_ROLE, |w| encode_role(rule.role, w));
    map.int(label::RULE_SIGNATURES, |w| {
        w.uint(u64::from(rule.signatures));
    });
    map.int_if(label::RULE_COMPONENTS, rule.components.as_ref(), |w, prefix| prefix.encode(w));
    map.write(writer);
}

fn decode_role(reader: &mut Reader<'_>) -> Result<Role, AuthorityError> {
    let at = reader.position();
    if reader.peek()? == cbor::Type::Text {
        let party = Party::new(reader.text()?);
        return party.map(Role::Party).ok_or(CborError::rule(at, "not the name of a party").into());
    }
    match reader.uint()? {
        label::ROLE_AUTHOR => Ok(Role::Author),
        label::ROLE_OPERATOR => Ok(Role::Operator),
        label::ROLE_ROOT => Ok(Role::Root),
        label::ROLE_DISTRIBUTOR => Ok(Role::Distributor),
        _ => Err(CborError::new(at, Reason::OutOfRange).into()),
    }
}

fn encode_role(role: Role, writer: &mut Writer) {
    match role {
        Role::Author => writer.uint(label::ROLE_AUTHOR),
        Role::Operator => writer.uint(label::ROLE_OPERATOR),
        Role::Root => writer.uint(label::ROLE_ROOT),
        Role::Distributor => writer.uint(label::ROLE_DISTRIBUTOR),
        Role::Party(party) => writer.text(party.as_str()),
    };
}

fn decode_component(reader: &mut Reader<'_>) -> Result<ComponentId, AuthorityError> {
    ComponentId::decode(reader.lean()).map_err(|fault| AuthorityError::Component(fault.into()))
}

fn decode_authority(reader: &mut Reader<'_>) -> Result<Authority, AuthorityError> {
    let start = reader.position();
    let (mut key, mut kid, mut name, mut role) = (None, Vec::new(), None::<String>, None);
    let (mut vendor, mut class, mut components) = (None, None, Vec::new());
    let mut shared = None;
    let mut map = reader.map()?;
    loop {
        let at = reader.position();
        match map.next_int(reader)? {
            None => break,
            Some(label::KEY) => {
                let decoded = cose::Key::decode(reader.raw()?).map_err(AuthorityError::Key)?;
                key = Some(AuthorityKey::Public(decoded.public().clone()));
            }
            Some(label::SHARED_KEY) if KNOWS_MACS => {
                let at = reader.position();
                let algorithm = HashAlgorithm::from_hmac_cose_id(reader.int()?);
                shared = Some(algorithm.ok_or(CborError::rule(at, "not the algorithm of a shared key"))?);
            }
            Some(label::KID) => kid = reader.bytes()?.to_vec(),
            Some(label::NAME) => name = Some(reader.text()?.to_string()),
            Some(label::ROLE) => role = Some(decode_role(reader)?),
            Some(label::VENDOR) => vendor = Some(Uuid::from(*reader.byte_array()?)),
            Some(label::CLASS) => class = Some(Uuid::from(*reader.byte_array()?)),
            Some(label::COMPONENTS) => {
                components = decode_all(reader, MAX_AUTHORITY_PREFIXES, decode_component)?;
            }
            Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
        }
    }
    let missing = |label| CborError::new(start, Reason::MissingKey(label));
    let key = match (key, shared) {
        (None, Some(algorithm)) => SharedKeyName::new(algorithm, kid.clone()).map(AuthorityKey::Shared),
        (Some(_), Some(_)) => return Err(CborError::rule(start, "an entry has two keys").into()),
        (key, None) => key,
    };
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

pub(super) fn encode_authority_to_bytes(entry: &Authority) -> Vec<u8> {
    Writer::encode(|w| encode_authority(entry, w))
}

fn encode_authority(entry: &Authority, writer: &mut Writer) {
    let mut map = MapBuilder::new();
    match &entry.key {
        AuthorityKey::Public(key) => map.int(label::KEY, |w| {
            w.raw(&cose::Key::from_public(key).encode());
        }),
        AuthorityKey::Shared(name) => map.int(label::SHARED_KEY, |w| {
            w.int(name.algorithm.hmac_cose_id());
        }),
    };
    map.int(label::KID, |w| {
        w.bytes(&entry.kid);
    });
    map.int(label::NAME, |w| {
        w.text(&entry.name);
    });
    map.int(label::ROLE, |w| encode_role(entry.role, w));
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
