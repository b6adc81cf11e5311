use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use cbor::{Error as CborError, Key, Order, Reader, Reason, Type};
use crypto::{Digest, HashAlgorithm};

use super::{
    Conversion, Evidence, LegacyError, LegacyManifest, Numbering,
    detect::{Signs, attached_payload, is_old_hash},
    labels as old,
};
use crate::{
    Error, Feature, Member, Refusal, Severable,
    digest::decode_digest as decode_digest_of_today,
    envelope::{Wrapped, wrapped_string},
    labels::{TAG_ENVELOPE, envelope},
    limits::{MAX_ENVELOPE_LEN, MAX_PAYLOADS, MAX_SIGNATURES, MAX_URI_LEN},
};

/// An envelope of any draft: well-formed, and believed by nobody until [`LegacyEnvelope::verify`].
///
/// It borrows the received bytes. Whatever is hashed or signed is kept as it came, with the heads of byte strings,
/// because in every draft the digests are over those too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyEnvelope<'b> {
    numbering: Numbering,
    /// The encoded SUIT_Digest: what signatures are over.
    pub(super) digest_bytes: &'b [u8],
    digest: Digest,
    pub(super) blocks: Vec<&'b [u8]>,
    manifest: Wrapped<'b>,
    severed: Vec<(Severable, Wrapped<'b>)>,
    payloads: Vec<LegacyPayload<'b>>,
    delegated: bool,
}

/// An integrated payload, or an integrated dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyPayload<'b> {
    /// What manifests fetch it by: the text it is keyed with, or `#` and the integer of drafts up to 13.
    pub uri: String,
    /// Its bytes.
    pub content: &'b [u8],
}

impl<'b> LegacyEnvelope<'b> {
    /// Reads an envelope in the numbering that its bytes show, or in the one that is named.
    ///
    /// A numbering that is named must not be contradicted either. A manifest of drafts 14 to 16 whose only sections are
    /// some of 7, 8 and 9 shows nothing that later drafts could not have written: it is read as
    /// [`Numbering::Current`] unless it is named.
    pub fn decode(bytes: &'b [u8], named: Option<Numbering>) -> Result<Self, LegacyError> {
        let mut parts = Parts::read(bytes)?;
        let wrapper = Wrapper::read(parts.wrapper, &mut parts.signs)?;
        let manifest = parts.manifest;
        parts.signs.look_at_manifest(unique(manifest))?;
        let numbering = parts.signs.numbering(named)?;
        let digest = {
            let mut reader =
                Reader::with_order(wrapper.digest_bytes, Order::Unique).at_offset(wrapper.digest_at);
            let digest = decode_digest(numbering, &mut reader)?;
            reader.end()?;
            digest
        };
        let mut severed = Vec::new();
        for (label, at, wrapped) in parts.members {
            let unknown = Error::Unsupported { at, feature: Feature::EnvelopeMember(label) };
            severed.push((numbering.severable(label).ok_or(unknown)?, wrapped));
        }
        if let (Some(at), false) = (parts.integer_payload, numbering == Numbering::Draft09) {
            return Err(
                CborError::rule(at, "payload is keyed by an integer, as in drafts up to 13 alone").into()
            );
        }
        Ok(Self {
            numbering,
            digest_bytes: wrapper.digest_bytes,
            digest,
            blocks: wrapper.blocks,
            manifest,
            severed,
            payloads: parts.payloads,
            delegated: parts.delegated,
        })
    }

    /// The one table of labels it is read with.
    pub fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// Digest of the manifest, as the envelope claims.
    pub fn manifest_digest_claimed(&self) -> Digest {
        self.digest
    }

    /// The authentication blocks as they came.
    pub fn signatures(&self) -> &[&'b [u8]] {
        &self.blocks
    }

    /// All integrated payloads.
    pub fn payloads(&self) -> &[LegacyPayload<'b>] {
        &self.payloads
    }

    /// The severed members that the envelope carries.
    pub fn severed_members(&self) -> impl Iterator<Item = Severable> + '_ {
        self.severed.iter().map(|(member, _)| *member)
    }

    /// Whether it carries delegation chains, which the drafts dropped. They are never followed.
    pub fn has_delegation(&self) -> bool {
        self.delegated
    }

    /// Whether the manifest has the digest that stands beside it, whoever says so.
    pub fn is_whole(&self) -> bool {
        self.digest.matches(self.manifest.item)
    }

    /// The manifest, for looking at: nobody vouches for it. Severed members are put back whose digests are right.
    pub fn manifest_unverified(&self) -> Result<LegacyManifest<'b>, LegacyError> {
        let mut manifest = LegacyManifest::decode(unique(self.manifest), self.numbering)?;
        for (member, wrapped) in &self.severed {
            if manifest.severed_digest(*member).is_some_and(|digest| digest.matches(wrapped.item)) {
                manifest.restore(*member, *wrapped)?;
            }
        }
        Ok(manifest)
    }

    /// The unverified manifest in the terms of today, for tools that look at it.
    pub fn convert_unverified(&self) -> Result<Conversion, LegacyError> {
        Ok(Conversion::of(&self.manifest_unverified()?, self))
    }

    /// The manifest with its severed members, after both have the digests they should.
    pub(super) fn authentic_manifest(&self) -> Result<LegacyManifest<'b>, super::LegacyRefusal> {
        if !self.is_whole() {
            return Err(Refusal::DigestMismatch { member: Member::Manifest }.into());
        }
        let mut manifest = LegacyManifest::decode(unique(self.manifest), self.numbering)?;
        for (member, wrapped) in &self.severed {
            let mismatch = Refusal::DigestMismatch { member: Member::Severed(*member) };
            if !manifest.severed_digest(*member).is_some_and(|digest| digest.matches(wrapped.item)) {
                return Err(mismatch.into());
            }
            manifest.restore(*member, *wrapped)?;
        }
        Ok(manifest)
    }
}

/// An envelope's members before its numbering is known.
struct Parts<'b> {
    wrapper: Wrapped<'b>,
    manifest: Wrapped<'b>,
    /// Label, offset of the label, member.
    members: Vec<(i64, usize, Wrapped<'b>)>,
    payloads: Vec<LegacyPayload<'b>>,
    /// Offset of the first payload that is keyed by an integer.
    integer_payload: Option<usize>,
    delegated: bool,
    signs: Signs,
}

impl<'b> Parts<'b> {
    fn read(bytes: &'b [u8]) -> Result<Self, LegacyError> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let mut signs = Signs::default();
        for tag in [TAG_ENVELOPE, old::TAG_OLD_ENVELOPE] {
            if signs.tag.is_none() && reader.is_tag(tag)? {
                signs.tag = Some(tag);
            }
        }
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut wrapper, mut manifest, mut members, mut payloads) = (None, None, Vec::new(), Vec::new());
        let (mut integer_payload, mut delegated, mut payload_len) = (None, false, 0);
        loop {
            let at = reader.position();
            let Some(key) = map.next(&mut reader)? else { break };
            let uri = match key {
                Key::Int(old::DELEGATION) => {
                    reader.skip()?;
                    delegated = true;
                    continue;
                }
                Key::Int(envelope::AUTHENTICATION_WRAPPER) => {
                    wrapper = Some(wrapped_string(reader.lean())?);
                    continue;
                }
                Key::Int(envelope::MANIFEST) => {
                    if wrapper.is_none() {
                        return Err(CborError::rule(at, "manifest stands before its authentication").into());
                    }
                    manifest = Some(wrapped_string(reader.lean())?);
                    continue;
                }
                Key::Int(label @ 0..old::FIRST_PAYLOAD) => {
                    signs.severed.push((label, at));
                    members.push((label, at, wrapped_string(reader.lean())?));
                    continue;
                }
                Key::Int(label) => {
                    integer_payload = integer_payload.or(Some(at));
                    format!("#{label}")
                }
                Key::Text(uri) if uri.len() > MAX_URI_LEN => {
                    return Err(CborError::new(at, Reason::TooLong { limit: MAX_URI_LEN }).into());
                }
                Key::Text(uri) => uri.to_string(),
                Key::Other(_) => {
                    return Err(CborError::rule(at, "envelope key is neither integer nor text").into());
                }
            };
            if payloads.len() == MAX_PAYLOADS {
                return Err(CborError::new(at, Reason::TooLong { limit: MAX_PAYLOADS }).into());
            }
            let content = reader.bytes()?;
            payload_len += content.len();
            payloads.push(LegacyPayload { uri, content });
        }
        reader.end()?;
        if bytes.len() - payload_len > MAX_ENVELOPE_LEN {
            return Err(CborError::new(start, Reason::TooLong { limit: MAX_ENVELOPE_LEN }).into());
        }
        let missing = |label| CborError::new(start, Reason::MissingKey(label));
        Ok(Self {
            wrapper: wrapper.ok_or(missing(envelope::AUTHENTICATION_WRAPPER))?,
            manifest: manifest.ok_or(missing(envelope::MANIFEST))?,
            members,
            payloads,
            integer_payload,
            delegated,
            signs,
        })
    }
}

/// The authentication wrapper: a digest and signatures, or signatures alone that carry it, as RIOT writes them.
struct Wrapper<'b> {
    digest_bytes: &'b [u8],
    digest_at: usize,
    blocks: Vec<&'b [u8]>,
}

impl<'b> Wrapper<'b> {
    fn read(wrapped: Wrapped<'b>, signs: &mut Signs) -> Result<Self, LegacyError> {
        let mut reader = unique(wrapped);
        let at = reader.position();
        let count = reader.array()?;
        if count > MAX_SIGNATURES + 1 {
            return Err(CborError::new(at, Reason::TooLong { limit: MAX_SIGNATURES }).into());
        }
        let (mut digest, mut blocks) = (None, Vec::new());
        for index in 0..count {
            let content = reader.bytes()?;
            let content_at = reader.position() - content.len();
            if index == 0 && Reader::new(content).peek() == Ok(Type::Array) {
                digest = Some((content, content_at));
                continue;
            }
            if blocks.len() == MAX_SIGNATURES {
                return Err(CborError::new(at, Reason::TooLong { limit: MAX_SIGNATURES }).into());
            }
            if let Some((payload, payload_at)) = attached_payload(content) {
                signs.attached = signs.attached.or(Some(content_at));
                // Without a digest of its own the wrapper says what its signatures say; they must all say the same.
                digest = digest.or(Some((payload, content_at + payload_at)));
            }
            blocks.push(content);
        }
        reader.end()?;
        let missing = CborError::rule(at, "authentication wrapper has no digest");
        let (digest_bytes, digest_at) = digest.ok_or(missing)?;
        let mut inner = Reader::with_order(digest_bytes, Order::Unique).at_offset(digest_at);
        inner.array()?;
        signs.hash = Some((inner.int()?, digest_at));
        Ok(Self { digest_bytes, digest_at, blocks })
    }
}

/// SUIT_Digest as the numbering has it.
pub(super) fn decode_digest(numbering: Numbering, reader: &mut Reader<'_>) -> Result<Digest, LegacyError> {
    let mut ahead = reader.clone();
    let count = ahead.array()?;
    let at = ahead.position();
    let id = ahead.int()?;
    if !is_old_hash(id) {
        return Ok(decode_digest_of_today(reader.lean())?);
    }
    if numbering != Numbering::Draft09 {
        return Err(LegacyError::Mixed { at, numbering, evidence: Evidence::HashAlgorithm(id) });
    }
    let algorithm = match id {
        old::hash::SHA256 => HashAlgorithm::Sha256,
        old::hash::SHA384 => HashAlgorithm::Sha384,
        old::hash::SHA512 => HashAlgorithm::Sha512,
        _ => return Err(Error::Unsupported { at, feature: Feature::DigestAlgorithm(id) }.into()),
    };
    let bytes_at = ahead.position();
    let digest = Digest::new(algorithm, ahead.bytes()?)
        .ok_or(CborError::rule(bytes_at, "digest has another length than its algorithm makes"))?;
    if count != 2 {
        return Err(Error::Unsupported { at, feature: Feature::DigestExtension }.into());
    }
    *reader = ahead;
    Ok(digest)
}

/// A reader over the content of a byte string of the envelope. Writers of old drafts did not sort their keys.
pub(super) fn unique(wrapped: Wrapped<'_>) -> Reader<'_> {
    Reader::with_order(wrapped.content, Order::Unique).at_offset(wrapped.at)
}
