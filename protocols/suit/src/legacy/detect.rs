//! Which numbering an envelope has: one for the whole of it, from what only some drafts write.

use alloc::vec::Vec;

use cbor::{Order, Reader, Type};

use super::{Evidence, LegacyError, Numbering, labels as old};
use crate::labels::{self, manifest};

/// What tells, with its byte offset. Only heads are looked at: nothing is believed and nothing is decoded yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Signs {
    /// Tag of the envelope.
    pub(super) tag: Option<u64>,
    /// Tag of the manifest inside its byte string.
    pub(super) manifest_tag: Option<(u64, usize)>,
    /// Number of the hash function of the manifest's digest.
    pub(super) hash: Option<(i64, usize)>,
    /// The first signature with its payload attached.
    pub(super) attached: Option<usize>,
    /// Members of the manifest, and whether each is a digest in place of itself.
    pub(super) members: Vec<(i64, bool, usize)>,
    /// Severed members of the envelope.
    pub(super) severed: Vec<(i64, usize)>,
}

impl Signs {
    /// The one numbering that fits, or the one the caller names. Either way nothing may speak against it.
    pub(super) fn numbering(&self, named: Option<Numbering>) -> Result<Numbering, LegacyError> {
        let numbering = named.unwrap_or_else(|| self.shown());
        match self.contradiction(numbering) {
            None => Ok(numbering),
            Some((evidence, at)) => Err(LegacyError::Mixed { at, numbering, evidence }),
        }
    }

    fn shown(&self) -> Numbering {
        let member = |label| self.members.iter().any(|(other, _, _)| *other == label);
        let severed = |label| self.severed.iter().any(|(other, _)| *other == label);
        let old_hash = self.hash.is_some_and(|(id, _)| is_old_hash(id));
        let old_manifest_tag = self.manifest_tag.is_some_and(|(tag, _)| tag == old::TAG_OLD_MANIFEST);
        if self.tag == Some(old::TAG_OLD_ENVELOPE) || old_manifest_tag || old_hash || self.attached.is_some()
        {
            return Numbering::Draft09;
        }
        // What had these labels until draft 16 could be severed, what has them since could not.
        let moved = old::manifest::DEPENDENCY_RESOLUTION..=old::manifest::INSTALL;
        let severed_there = self.members.iter().any(|(label, digest, _)| *digest && moved.contains(label))
            || self.severed.iter().any(|(label, _)| moved.contains(label));
        let gone = old::manifest::VALIDATE..=old::manifest::TEXT;
        if severed_there || gone.clone().any(member) || gone.into_iter().any(severed) {
            return Numbering::Draft14;
        }
        let (at_17, at_20) = (old::manifest::INSTALL_17, manifest::INSTALL);
        if (member(at_17) || severed(at_17)) && !member(at_20) && !severed(at_20) {
            return Numbering::Draft19;
        }
        Numbering::Current
    }

    /// The first thing that no draft of the numbering writes.
    fn contradiction(&self, numbering: Numbering) -> Option<(Evidence, usize)> {
        let is_09 = numbering == Numbering::Draft09;
        if let Some(tag) = self.tag
            && (tag == old::TAG_OLD_ENVELOPE) != is_09
        {
            return Some((Evidence::Tag(tag), 0));
        }
        if let Some((id, at)) = self.hash.filter(|(id, _)| is_old_hash(*id))
            && !is_09
        {
            return Some((Evidence::HashAlgorithm(id), at));
        }
        if let Some(at) = self.attached
            && !is_09
        {
            return Some((Evidence::AttachedPayload, at));
        }
        if let Some((tag, at)) = self.manifest_tag
            && (tag == old::TAG_OLD_MANIFEST) != is_09
        {
            return Some((Evidence::Tag(tag), at));
        }
        // A label that no numbering has is another error: it belongs nowhere.
        let elsewhere = |label: i64| {
            numbering.manifest_member(label).is_none()
                && Numbering::ALL.into_iter().any(|other| other.manifest_member(label).is_some())
        };
        if let Some((label, _, at)) = self.members.iter().find(|(label, _, _)| elsewhere(*label)) {
            return Some((Evidence::ManifestMember(*label), *at));
        }
        let stray = |label: i64| {
            numbering.severable(label).is_none()
                && Numbering::ALL.into_iter().any(|other| other.severable(label).is_some())
        };
        let (label, at) = self.severed.iter().find(|(label, _)| stray(*label))?;
        Some((Evidence::EnvelopeMember(*label), *at))
    }

    /// Looks at the labels of a manifest.
    pub(super) fn look_at_manifest(&mut self, mut reader: Reader<'_>) -> Result<(), LegacyError> {
        self.manifest_tag = manifest_tag(&mut reader)?;
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(&mut reader)? else { break };
            self.members.push((label, reader.peek()? == Type::Array, at));
            reader.skip()?;
        }
        Ok(reader.end()?)
    }
}

/// Reads the tag of a bare manifest, which some writers leave on it inside the envelope.
pub(super) fn manifest_tag(reader: &mut Reader<'_>) -> Result<Option<(u64, usize)>, LegacyError> {
    let at = reader.position();
    for tag in [old::TAG_OLD_MANIFEST, labels::TAG_MANIFEST] {
        if reader.is_tag(tag)? {
            return Ok(Some((tag, at)));
        }
    }
    Ok(None)
}

/// Whether the number is one of the table that drafts up to 13 had for hash functions.
pub(super) fn is_old_hash(id: i64) -> bool {
    (1..=old::hash::LAST).contains(&id)
}

/// The attached payload of a COSE_Sign or COSE_Sign1 with its offset in the message; nothing when it is detached or no
/// such message.
pub(super) fn attached_payload(block: &[u8]) -> Option<(&[u8], usize)> {
    let mut reader = Reader::with_order(block, Order::Unique);
    reader.tag().ok()?;
    reader.array().ok()?;
    reader.bytes().ok()?;
    reader.skip().ok()?;
    let payload = reader.bytes().ok()?;
    Some((payload, reader.position() - payload.len()))
}
