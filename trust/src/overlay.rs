use alloc::{borrow::ToOwned, collections::BTreeMap, format, string::String, vec, vec::Vec};

use cbor::{Error as CborError, MapBuilder, Reader, Reason as Malformed};
use cose::{ContentType, Purpose, Sign1, Sign1Builder, TrustAnchors};
use crypto::{Digest, HashAlgorithm, SigningKey};
use mud::{Entry, IpPrefix, Policy, Remote, Verdict};

use crate::{
    Code, Flow, OverlayInForce, Reason,
    digest::{digest, encode_digest},
};

/// Content type of the payload of a signed override.
const CONTENT_TYPE: &str = "application/vnd.sextant.override+cbor";
/// The longest time an override may last, in seconds: a year.
pub const MAX_OVERRIDE_TIME: i64 = 366 * 24 * 3600;
/// The longest time for which devices may only be observed, in seconds: 31 days.
pub const MAX_OBSERVE_TIME: i64 = 31 * 24 * 3600;
/// Prefixes that an override may give a class.
pub const MAX_CLASS_MEMBERS: usize = 64;
/// The longest text in an override, in bytes.
pub const MAX_OVERRIDE_TEXT: usize = 512;

mod labels {
    pub(super) const ID: i64 = 1;
    pub(super) const SCOPE: i64 = 2;
    pub(super) const EFFECT: i64 = 3;
    pub(super) const AUTHOR: i64 = 4;
    pub(super) const REASON: i64 = 5;
    pub(super) const NOT_BEFORE: i64 = 6;
    pub(super) const EXPIRES: i64 = 7;

    pub(super) const SCOPE_SITE: u64 = 0;
    pub(super) const SCOPE_DEVICE: u64 = 1;
    pub(super) const SCOPE_MODEL: u64 = 2;

    pub(super) const EFFECT_DENY: u64 = 0;
    pub(super) const EFFECT_ALLOW: u64 = 1;
    pub(super) const EFFECT_IGNORE: u64 = 2;
    pub(super) const EFFECT_APPROVE: u64 = 3;
    pub(super) const EFFECT_CLASS: u64 = 4;
    pub(super) const EFFECT_OBSERVE: u64 = 5;
    pub(super) const EFFECT_APPROVE_FILE: u64 = 6;
}

/// Which devices an override touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of the site.
    Site,
    /// The one with this UEID.
    Device(Vec<u8>),
    /// Those whose release binds this MUD URL.
    Model(String),
}

/// What an override does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The flow is not open, whatever the release declares.
    Deny(Flow),
    /// The flow is open although the release does not declare it. Never in quarantine.
    Allow(Flow),
    /// One rule of the MUD file is left out.
    Ignore {
        /// Name of its access list.
        acl: String,
        /// Name of its entry.
        ace: String,
    },
    /// Where the MUD file names a class of controllers, these are its members: whatever else the site has in it does not count
    /// for the devices touched. Without members, entries about the class permit nothing.
    Class {
        /// The class, by its URI; `None` is `my-controller` (RFC 8520, sections 4.6 and 4.7).
        class: Option<String>,
        /// Who is in it.
        members: Vec<IpPrefix>,
    },
    /// What a trusted device starts although its release does not declare it passes and is told. What the operator denies stays
    /// denied, and so is what others start toward it. For 31 days at most.
    Observe,
    /// The network policy of one release may be applied although it asks for much (threat N4). Only for the whole site.
    Approve(Approval),
    /// A MUD file for devices without attestation may be applied although it waits for a person (RFC 8520, sections 13.2
    /// and 16). For the whole site it lets the file stand for its URL; for a device, or the devices of another URL, it lets
    /// them go over to this URL.
    ApproveFile {
        /// The MUD URL that devices have.
        url: String,
        /// SHA-256 of the file that was read.
        file: Digest,
    },
}

impl Effect {
    /// Whether it changes no flow by itself, and only lets something be applied.
    pub fn is_approval(&self) -> bool {
        matches!(self, Self::Approve(_) | Self::ApproveFile { .. })
    }
}

/// What the network operator approves: a release, and what of its network needs was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Manifest digest of the release.
    pub release: Digest,
    /// SHA-256 of the MUD file that was read: the manifest pins the signer of the file and not the file. Without it
    /// every file by that signer is approved.
    pub file: Option<Digest>,
}

impl Approval {
    /// Whether it is about this file of this release.
    pub fn covers(&self, release: &Digest, file: &Digest) -> bool {
        self.release == *release && self.file.is_none_or(|read| read == *file)
    }
}

/// The network operator's last word on what some devices may do, with a reason and an end (RFC 8520, section 1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Random id; a later override with the same id replaces the earlier one.
    pub id: [u8; 16],
    /// Which devices it touches.
    pub scope: Scope,
    /// What it does.
    pub effect: Effect,
    /// Who wants it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// From when, in seconds since 1970.
    pub not_before: i64,
    /// Until when.
    pub expires: i64,
}

/// An override whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedOverride {
    content: Override,
    object: Digest,
}

impl SignedOverride {
    /// Verifies a signed override (COSE_Sign1) with the network operator's keys.
    pub fn verify(bytes: &[u8], anchors: &TrustAnchors) -> Result<Self, Reason> {
        let refused =
            |error: &dyn core::fmt::Display| Reason::new(Code::OverrideRefused).with("error", error);
        let message = Sign1::decode(bytes).map_err(|error| refused(&error))?;
        if !matches!(message.content_type(), Some(ContentType::MediaType(CONTENT_TYPE))) {
            return Err(refused(&"content type is not that of an override"));
        }
        message.verify_with(anchors, Purpose::Override, None, &[]).map_err(|error| refused(&error))?;
        let content =
            Override::decode(message.payload().unwrap_or_default()).map_err(|error| refused(&error))?;
        Ok(Self { content, object: Digest::of(HashAlgorithm::Sha256, bytes) })
    }

    /// What the operator said.
    pub fn content(&self) -> &Override {
        &self.content
    }

    /// Digest of the signed object as received.
    pub fn object(&self) -> Digest {
        self.object
    }

    /// The override as decisions take it.
    pub fn overlay(&self) -> OverlayInForce {
        let Override { not_before, expires, effect, .. } = &self.content;
        let approves = match effect {
            Effect::Approve(approval) => Some(*approval),
            _ => None,
        };
        let observes = matches!(effect, Effect::Observe);
        OverlayInForce { object: self.object, not_before: *not_before, expires: *expires, approves, observes }
    }
}

impl Override {
    /// Signs the override for gateways.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        Sign1Builder::new().content_type(CONTENT_TYPE).sign(key, &self.encode())
    }

    /// Whether it touches a device, and its time is now.
    pub fn applies(&self, ueid: &[u8], mud_url: Option<&str>, now: i64) -> bool {
        let touches = match &self.scope {
            Scope::Site => true,
            Scope::Device(device) => device == ueid,
            Scope::Model(url) => mud_url == Some(url),
        };
        touches && self.not_before <= now && now < self.expires
    }

    /// The payload in its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        use labels::*;
        let mut map = MapBuilder::new();
        map.int(ID, |w| {
            w.bytes(&self.id);
        });
        map.int(SCOPE, |w| match &self.scope {
            Scope::Site => {
                w.array(1).uint(SCOPE_SITE);
            }
            Scope::Device(ueid) => {
                w.array(2).uint(SCOPE_DEVICE).bytes(ueid);
            }
            Scope::Model(url) => {
                w.array(2).uint(SCOPE_MODEL).text(url);
            }
        });
        map.int(EFFECT, |w| match &self.effect {
            Effect::Deny(flow) => {
                w.array(2).uint(EFFECT_DENY);
                flow.encode(w);
            }
            Effect::Allow(flow) => {
                w.array(2).uint(EFFECT_ALLOW);
                flow.encode(w);
            }
            Effect::Ignore { acl, ace } => {
                w.array(3).uint(EFFECT_IGNORE).text(acl).text(ace);
            }
            Effect::Class { class, members } => {
                w.array(3).uint(EFFECT_CLASS);
                match class {
                    Some(class) => w.text(class),
                    None => w.null(),
                };
                w.array(members.len());
                members.iter().for_each(|member| _ = w.text(&format!("{member}")));
            }
            Effect::Observe => {
                w.array(1).uint(EFFECT_OBSERVE);
            }
            Effect::ApproveFile { url, file } => {
                encode_digest(w.array(3).uint(EFFECT_APPROVE_FILE).text(url), file);
            }
            Effect::Approve(Approval { release, file }) => {
                encode_digest(w.array(3).uint(EFFECT_APPROVE), release);
                match file {
                    Some(file) => encode_digest(w, file),
                    None => {
                        w.null();
                    }
                }
            }
        });
        map.int(AUTHOR, |w| {
            w.text(&self.author);
        });
        map.int(REASON, |w| {
            w.text(&self.reason);
        });
        map.int(NOT_BEFORE, |w| {
            w.int(self.not_before);
        });
        map.int(EXPIRES, |w| {
            w.int(self.expires);
        });
        map.into_bytes()
    }

    /// Reads a payload: every entry is needed, the reason is not empty, and the time is bounded.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        use labels::*;
        let mut reader = Reader::new(bytes);
        let (mut id, mut scope, mut effect, mut author, mut reason) = (None, None, None, None, None);
        let (mut not_before, mut expires) = (None, None);
        let mut map = reader.map()?;
        while let Some(label) = map.next_int(&mut reader)? {
            let at = reader.position();
            match label {
                ID => id = Some(*reader.byte_array()?),
                SCOPE => scope = Some(Scope::decode(&mut reader)?),
                EFFECT => effect = Some(Effect::decode(&mut reader)?),
                AUTHOR => author = Some(text(&mut reader)?),
                REASON => reason = Some(text(&mut reader)?),
                NOT_BEFORE => not_before = Some(reader.int()?),
                EXPIRES => expires = Some(reader.int()?),
                unknown => return Err(CborError::new(at, Malformed::Unknown(unknown))),
            }
        }
        reader.end()?;
        let missing = |label| CborError::new(0, Malformed::MissingKey(label));
        let value = Self {
            id: id.ok_or(missing(ID))?,
            scope: scope.ok_or(missing(SCOPE))?,
            effect: effect.ok_or(missing(EFFECT))?,
            author: author.ok_or(missing(AUTHOR))?,
            reason: reason.ok_or(missing(REASON))?,
            not_before: not_before.ok_or(missing(NOT_BEFORE))?,
            expires: expires.ok_or(missing(EXPIRES))?,
        };
        if value.reason.trim().is_empty() {
            return Err(CborError::rule(0, "an override needs a reason"));
        }
        if matches!(value.effect, Effect::Approve(_)) && value.scope != Scope::Site {
            return Err(CborError::rule(0, "an approval is for the whole site"));
        }
        if value.expires <= value.not_before
            || value.expires.saturating_sub(value.not_before) > MAX_OVERRIDE_TIME
        {
            return Err(CborError::rule(0, "an override ends after it begins, and within a year"));
        }
        if value.effect == Effect::Observe
            && value.expires.saturating_sub(value.not_before) > MAX_OBSERVE_TIME
        {
            return Err(CborError::rule(0, "devices are only observed for 31 days at most"));
        }
        Ok(value)
    }
}

impl Scope {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CborError> {
        use labels::*;
        let at = reader.position();
        let count = reader.array()?;
        match (reader.uint()?, count) {
            (SCOPE_SITE, 1) => Ok(Self::Site),
            (SCOPE_DEVICE, 2) => Ok(Self::Device(reader.bytes()?.to_vec())),
            (SCOPE_MODEL, 2) => Ok(Self::Model(text(reader)?)),
            _ => Err(CborError::rule(at, "scope is not known")),
        }
    }
}

impl Effect {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CborError> {
        use labels::*;
        let at = reader.position();
        let count = reader.array()?;
        match (reader.uint()?, count) {
            (EFFECT_DENY, 2) => Ok(Self::Deny(Flow::decode(reader)?)),
            (EFFECT_ALLOW, 2) => Ok(Self::Allow(Flow::decode(reader)?)),
            (EFFECT_IGNORE, 3) => Ok(Self::Ignore { acl: text(reader)?, ace: text(reader)? }),
            (EFFECT_CLASS, 3) => {
                let class = if reader.is_null()? { None } else { Some(text(reader)?) };
                let at = reader.position();
                let count = reader.array()?;
                if count > MAX_CLASS_MEMBERS {
                    return Err(CborError::new(at, Malformed::TooLong { limit: MAX_CLASS_MEMBERS }));
                }
                let member = |reader: &mut Reader<'_>| {
                    let at = reader.position();
                    IpPrefix::parse(&text(reader)?).ok_or(CborError::rule(at, "not an address prefix"))
                };
                let members = (0..count).map(|_| member(reader)).collect::<Result<_, _>>()?;
                Ok(Self::Class { class, members })
            }
            (EFFECT_OBSERVE, 1) => Ok(Self::Observe),
            (EFFECT_APPROVE_FILE, 3) => Ok(Self::ApproveFile { url: text(reader)?, file: digest(reader)? }),
            (EFFECT_APPROVE, 3) => {
                let release = digest(reader)?;
                let file = if reader.is_null()? { None } else { Some(digest(reader)?) };
                Ok(Self::Approve(Approval { release, file }))
            }
            _ => Err(CborError::rule(at, "effect is not known")),
        }
    }
}

/// The operator's last word under each id: of several overrides the one that begins last, and of those the first.
pub fn last_words(overrides: impl IntoIterator<Item = SignedOverride>) -> Vec<SignedOverride> {
    let mut last: BTreeMap<[u8; 16], SignedOverride> = BTreeMap::new();
    for item in overrides {
        let newer = |known: &SignedOverride| item.content.not_before > known.content.not_before;
        if last.get(&item.content.id).is_none_or(newer) {
            last.insert(item.content.id, item);
        }
    }
    last.into_values().collect()
}

/// The policy of a release under the overrides that apply: denials first, then allowances, then what the file says.
pub fn overlay<'a>(policy: &Policy, overrides: impl IntoIterator<Item = &'a Override>) -> Policy {
    let (mut denied, mut allowed) = (Vec::new(), Vec::new());
    let mut kept = policy.entries.clone();
    for item in overrides {
        let id: String = item.id.iter().map(|byte| format!("{byte:02x}")).collect();
        match &item.effect {
            Effect::Deny(flow) => denied.push(flow.entry(Verdict::Drop, id)),
            Effect::Allow(flow) => allowed.push(flow.entry(Verdict::Accept, id)),
            Effect::Ignore { acl, ace } => {
                kept.retain(|entry| entry.ace.acl != *acl || entry.ace.ace != *ace)
            }
            Effect::Class { class, members } => {
                kept = kept
                    .into_iter()
                    .flat_map(|entry| with_members(entry, class.as_deref(), members))
                    .collect();
            }
            // They change no flow: some let the policy of a release or a file be applied, one chooses what becomes of the rest.
            Effect::Approve(_) | Effect::ApproveFile { .. } | Effect::Observe => {}
        }
    }
    denied.append(&mut allowed);
    denied.append(&mut kept);
    Policy { entries: denied }
}

/// An entry as it is, or where it is about the class, one for each member of its family.
fn with_members(entry: Entry, class: Option<&str>, members: &[IpPrefix]) -> Vec<Entry> {
    let is_of_class = match (&entry.remote, class) {
        (Remote::Controller(uri), Some(class)) => uri == class,
        (Remote::MyController, None) => true,
        _ => false,
    };
    if !is_of_class {
        return vec![entry];
    }
    let of_family = members.iter().filter(|member| member.family() == entry.family);
    of_family.map(|member| Entry { remote: Remote::Prefix(*member), ..entry.clone() }).collect()
}

/// A text of bounded length.
pub(crate) fn text(reader: &mut Reader<'_>) -> Result<String, CborError> {
    let at = reader.position();
    let text = reader.text()?;
    if text.len() > MAX_OVERRIDE_TEXT {
        return Err(CborError::new(at, Malformed::TooLong { limit: MAX_OVERRIDE_TEXT }));
    }
    Ok(text.to_owned())
}
