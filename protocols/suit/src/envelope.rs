use alloc::vec::Vec;

use cbor::{Key, MapBuilder, Order, Writer, lean::Reader};
use cose::MacKey;
use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};

use crate::{
    Error, Feature, Manifest, Member, Refusal, Severable, SignatureHeaders,
    digest::decode_digest,
    error::Fault,
    labels::{self, envelope},
    limits::{MAX_ENVELOPE_LEN, MAX_PAYLOADS, MAX_SIGNATURES, MAX_URI_LEN},
};

/// SUIT_Envelope (MAN, section 8.2): well-formed, and believed by nobody until [`Envelope::verify`].
///
/// It borrows the received bytes. Whatever is hashed or signed is kept as it came, with the heads of byte strings,
/// because the digests are over those too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'b> {
    bytes: &'b [u8],
    /// The encoded SUIT_Digest: what signatures are over.
    digest_bytes: &'b [u8],
    digest: Digest,
    blocks: Blocks<'b>,
    manifest: Wrapped<'b>,
    entries: Entries<'b>,
}

/// Entries that every envelope has: authentication and manifest.
const OWN_ENTRIES: usize = 2;

/// The entries of an envelope that was read before, so that all of them are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entries<'b> {
    rest: &'b [u8],
    /// Offset of what is left in the envelope.
    at: usize,
    left: usize,
}

/// One entry of an envelope: everything in it is a byte string.
struct Entry<'b> {
    key: Key<'b>,
    value: Wrapped<'b>,
}

impl<'b> Iterator for Entries<'b> {
    type Item = Entry<'b>;

    fn next(&mut self) -> Option<Entry<'b>> {
        self.left = self.left.checked_sub(1)?;
        let mut reader = Reader::new(self.rest).at_offset(self.at);
        let key = reader.key().ok()?;
        let value = wrapped_string(&mut reader).ok()?;
        (self.rest, self.at) = (reader.rest(), reader.position());
        Some(Entry { key, value })
    }
}

impl<'b> Entry<'b> {
    fn severed(&self) -> Option<(Severable, Wrapped<'b>)> {
        match self.key {
            Key::Int(label) => Severable::from_label(label).map(|member| (member, self.value)),
            _ => None,
        }
    }

    fn payload(&self) -> Option<(&'b str, &'b [u8])> {
        match self.key {
            Key::Text(uri) => Some((uri, self.value.content)),
            _ => None,
        }
    }
}

/// A byte string of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrapped<'b> {
    /// With its head: what its digest is over.
    pub(crate) item: &'b [u8],
    pub(crate) content: &'b [u8],
    /// Offset of the content in the envelope.
    pub(crate) at: usize,
}

impl<'b> Envelope<'b> {
    /// Reads an envelope, with its tag 107 or without it as inside TEEP.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        Ok(Self::read(bytes)?)
    }

    fn read(bytes: &'b [u8]) -> Result<Self, Fault> {
        // The map itself is not signed and intermediaries add to it, so the order of its keys is not held against it.
        let mut reader = Reader::with_order(bytes, Order::Unique);
        if !reader.is_tag(labels::TAG_ENVELOPE)? && reader.is_tag(labels::TAG_LEGACY_ENVELOPE)? {
            return Err(Fault::unsupported(0, Feature::LegacyDraft));
        }
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut wrapper, mut manifest) = (None, None);
        let entries = Entries { rest: reader.rest(), at: reader.position(), left: map.remaining() };
        let (mut payload_len, mut payloads) = (0, 0);
        loop {
            let at = reader.position();
            let Some(key) = map.next(&mut reader)? else { break };
            match key {
                Key::Int(envelope::AUTHENTICATION_WRAPPER) => {
                    // The wrapper is signed or hashed as bytes, so inside it the strict rules hold again.
                    let content = wrapped_string(&mut reader)?;
                    wrapper = Some(Wrapper::decode(content)?);
                }
                Key::Int(envelope::MANIFEST) => {
                    if wrapper.is_none() {
                        return Err(Fault::rule(at, "manifest stands before its authentication"));
                    }
                    manifest = Some(wrapped_string(&mut reader)?);
                }
                Key::Int(label) => {
                    if Severable::from_label(label).is_none() {
                        return Err(Fault::unsupported(at, unknown_member(label)));
                    }
                    reader.bytes()?;
                }
                Key::Text(uri) => {
                    if uri.len() > MAX_URI_LEN {
                        return Err(Fault::too_long(at, MAX_URI_LEN));
                    }
                    if payloads == MAX_PAYLOADS {
                        return Err(Fault::too_long(at, MAX_PAYLOADS));
                    }
                    payloads += 1;
                    payload_len += reader.bytes()?.len();
                }
                Key::Other(_) => {
                    return Err(Fault::rule(at, "envelope key is neither integer nor text"));
                }
            }
        }
        reader.end()?;
        if bytes.len() - payload_len > MAX_ENVELOPE_LEN {
            return Err(Fault::too_long(start, MAX_ENVELOPE_LEN));
        }
        let missing = |label| Fault::missing(start, label);
        let wrapper: Wrapper<'b> = wrapper.ok_or_else(|| missing(envelope::AUTHENTICATION_WRAPPER))?;
        Ok(Self {
            bytes,
            digest_bytes: wrapper.digest_bytes,
            digest: wrapper.digest,
            blocks: wrapper.blocks,
            manifest: manifest.ok_or_else(|| missing(envelope::MANIFEST))?,
            entries,
        })
    }

    /// The received bytes.
    pub fn as_bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Digest of the manifest, as the envelope claims.
    pub fn manifest_digest_claimed(&self) -> Digest {
        self.digest
    }

    /// Digest of the manifest as it is here, in its byte string (TD, section 5.2).
    pub fn manifest_digest_computed(&self, algorithm: HashAlgorithm) -> Digest {
        Digest::of(algorithm, self.manifest.item)
    }

    /// The encoded SUIT_Digest: the detached payload of every signature (MAN, section 8.3).
    pub fn signed_bytes(&self) -> &'b [u8] {
        self.digest_bytes
    }

    /// The authentication blocks as they came.
    pub fn signatures(&self) -> Vec<&'b [u8]> {
        self.blocks().collect()
    }

    /// The same, one after another.
    pub(crate) fn blocks(&self) -> Blocks<'b> {
        self.blocks
    }

    /// An integrated payload by the text it is keyed with.
    pub fn integrated(&self, uri: &str) -> Option<&'b [u8]> {
        let mut payloads = self.entries().filter_map(|entry| entry.payload());
        payloads.find(|(key, _)| *key == uri).map(|(_, payload)| payload)
    }

    /// All integrated payloads.
    pub fn payloads(&self) -> Vec<(&'b str, &'b [u8])> {
        self.entries().filter_map(|entry| entry.payload()).collect()
    }

    /// The severed members that the envelope carries.
    pub fn severed_members(&self) -> impl Iterator<Item = Severable> + use<'b> {
        self.severed().map(|(member, _)| member)
    }

    fn entries(&self) -> Entries<'b> {
        self.entries
    }

    fn severed(&self) -> impl Iterator<Item = (Severable, Wrapped<'b>)> + use<'b> {
        // Most envelopes have nothing beside what all have, and are not looked through again.
        let none = Entries { left: 0, ..self.entries };
        let others = if self.entries.left > OWN_ENTRIES { self.entries } else { none };
        others.filter_map(|entry| entry.severed())
    }

    /// The manifest, for looking at: nobody vouches for it. Severed members are put back whose digests are right.
    pub fn manifest_unverified(&self) -> Result<Manifest<'b>, Error> {
        let mut manifest = Manifest::decode(self.manifest.content, self.manifest.at)?;
        for (member, wrapped) in self.severed() {
            if manifest.severed_digest(member).is_some_and(|digest| digest.matches(wrapped.item)) {
                manifest.restore(member, wrapped.content, wrapped.at)?;
            }
        }
        Ok(manifest)
    }

    /// The encoded manifest: the content of its byte string. Nobody vouches for it.
    pub fn manifest_bytes(&self) -> &'b [u8] {
        self.manifest.content
    }

    /// Whether the manifest has the digest.
    pub(crate) fn is_whole(&self) -> bool {
        self.digest.matches(self.manifest.item)
    }

    /// The manifest with its severed members, after both have the digests they should: what is signed anew.
    fn checked_manifest(&self) -> Result<Manifest<'b>, Refusal> {
        if !self.is_whole() {
            return Err(Refusal::DigestMismatch { member: Member::Manifest });
        }
        self.whole_manifest()
    }

    /// The manifest, whose digest was checked, with its severed members after they have the digests they should.
    pub(crate) fn whole_manifest(&self) -> Result<Manifest<'b>, Refusal> {
        let mut manifest = Manifest::decode(self.manifest.content, self.manifest.at)?;
        for (member, wrapped) in self.severed() {
            // A member that the manifest has no digest of is nobody's word, and refused like a wrong one.
            let mismatch = Refusal::DigestMismatch { member: Member::Severed(member) };
            let digest = manifest.severed_digest(member).ok_or(mismatch.clone())?;
            if !digest.matches(wrapped.item) {
                return Err(mismatch);
            }
            manifest.restore(member, wrapped.content, wrapped.at)?;
        }
        Ok(manifest)
    }

    /// The envelope without some severed members. Its signatures stay good.
    pub fn sever(&self, members: &[Severable]) -> Vec<u8> {
        self.rebuild(&self.signatures(), |member| !members.contains(&member), &self.payloads())
    }

    /// The envelope without its integrated payloads. Its signatures stay good.
    pub fn strip_payloads(&self) -> Vec<u8> {
        self.rebuild(&self.signatures(), |_| true, &[])
    }

    /// The envelope with another integrated payload, in place of one with the same key.
    pub fn with_payload(&self, uri: &str, payload: &[u8]) -> Vec<u8> {
        let mut payloads: Vec<(&str, &[u8])> = self.payloads();
        payloads.retain(|(key, _)| *key != uri);
        payloads.push((uri, payload));
        self.rebuild(&self.signatures(), |_| true, &payloads)
    }

    /// The envelope with another authentication block: a tagged COSE_Sign1 over [`Envelope::signed_bytes`].
    pub fn with_signature(&self, block: &[u8]) -> Vec<u8> {
        let mut blocks = self.signatures();
        blocks.push(block);
        self.rebuild(&blocks, |_| true, &self.payloads())
    }

    /// The envelope with a signature of this key beside those it has, as when an operator approves it.
    ///
    /// The digest is recomputed before (MAN, section 8.3): nobody's name goes under a digest of something else.
    pub fn sign(&self, key: &SigningKey, kid: Option<&[u8]>) -> Result<Vec<u8>, Refusal> {
        self.checked_manifest()?;
        Ok(self.with_signature(&crate::build::sign_detached(key, kid, self.digest_bytes)))
    }

    /// The bytes that a key elsewhere must sign; then call [`Envelope::attach`]. The digest is recomputed before, as for
    /// [`Envelope::sign`].
    pub fn to_be_signed(
        &self,
        algorithm: SignatureAlgorithm,
        headers: &SignatureHeaders<'_>,
    ) -> Result<Vec<u8>, Refusal> {
        self.checked_manifest()?;
        Ok(headers.builder().to_be_signed(algorithm, self.digest_bytes))
    }

    /// The envelope with a signature made elsewhere over [`Envelope::to_be_signed`], with the same headers. One that does
    /// not verify is refused: a token may have failed, or have been given something else to sign.
    pub fn attach(
        &self,
        key: &PublicKey,
        headers: &SignatureHeaders<'_>,
        signature: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let signed = self.to_be_signed(key.algorithm(), headers)?;
        if key.verify(&signed, signature).is_err() {
            return Err(Refusal::BadSignature { kid: headers.kid.unwrap_or_default().to_vec() });
        }
        Ok(self.with_signature(&headers.builder().assemble(key.algorithm(), None, signature)))
    }

    /// The envelope with a MAC beside the signatures it has: for recipients that share the key, all of which could have
    /// made it.
    pub fn with_mac(&self, key: &MacKey, kid: Option<&[u8]>) -> Result<Vec<u8>, Refusal> {
        self.checked_manifest()?;
        let builder = kid.map_or_else(cose::Mac0Builder::new, |kid| cose::Mac0Builder::new().kid(kid));
        Ok(self.with_signature(&builder.authenticate_detached(key, self.digest_bytes)))
    }

    fn rebuild(
        &self,
        blocks: &[&[u8]],
        keep: impl Fn(Severable) -> bool,
        payloads: &[(&str, &[u8])],
    ) -> Vec<u8> {
        let severed = self.severed().filter(|(member, _)| keep(*member));
        encode_envelope(
            self.digest_bytes,
            blocks,
            self.manifest.content,
            severed.map(|(member, wrapped)| (member, wrapped.content)),
            payloads.iter().copied(),
        )
    }
}

/// Writes a tagged envelope in deterministic order, which puts the wrapper before the manifest.
pub(crate) fn encode_envelope<'p>(
    digest_bytes: &[u8],
    blocks: &[&[u8]],
    manifest: &[u8],
    severed: impl Iterator<Item = (Severable, &'p [u8])>,
    payloads: impl Iterator<Item = (&'p str, &'p [u8])>,
) -> Vec<u8> {
    let mut map = MapBuilder::new();
    map.int(envelope::AUTHENTICATION_WRAPPER, |w| {
        w.wrap(|w| {
            w.array(1 + blocks.len()).bytes(digest_bytes);
            for block in blocks {
                w.bytes(block);
            }
        });
    });
    map.int(envelope::MANIFEST, |w| {
        w.bytes(manifest);
    });
    for (member, content) in severed {
        map.int(member.label(), |w| {
            w.bytes(content);
        });
    }
    for (uri, payload) in payloads {
        map.text(uri, |w| {
            w.bytes(payload);
        });
    }
    Writer::encode(|w| {
        w.tag(labels::TAG_ENVELOPE);
        map.write(w);
    })
}

/// The authentication wrapper (MAN, section 8.3).
struct Wrapper<'b> {
    digest_bytes: &'b [u8],
    digest: Digest,
    blocks: Blocks<'b>,
}

/// The authentication blocks of a wrapper that was read before, so that all of them are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks<'b> {
    rest: &'b [u8],
    count: usize,
}

impl<'b> Iterator for Blocks<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        self.count = self.count.checked_sub(1)?;
        let mut reader = Reader::new(self.rest);
        let block = reader.bytes().ok()?;
        self.rest = reader.rest();
        Some(block)
    }
}

impl<'b> Wrapper<'b> {
    fn decode(content: Wrapped<'b>) -> Result<Self, Fault> {
        let mut reader = Reader::new(content.content).at_offset(content.at);
        let at = reader.position();
        let count = reader.array()?;
        if count == 0 {
            return Err(Fault::rule(at, "authentication wrapper has no digest"));
        }
        if count - 1 > MAX_SIGNATURES {
            return Err(Fault::too_long(at, MAX_SIGNATURES));
        }
        let digest_bytes = reader.clone().bytes()?;
        let mut inner = reader.wrapped()?;
        let digest = decode_digest(&mut inner)?;
        inner.end()?;
        let blocks = Blocks { rest: reader.rest(), count: count - 1 };
        for _ in 1..count {
            reader.bytes()?;
        }
        reader.end()?;
        Ok(Self { digest_bytes, digest, blocks })
    }
}

pub(crate) fn wrapped_string<'b>(reader: &mut Reader<'b>) -> Result<Wrapped<'b>, Fault> {
    let before = reader.rest();
    let content = reader.bytes()?;
    let item = before.get(..before.len() - reader.rest().len()).unwrap_or_default();
    Ok(Wrapped { item, content, at: reader.position() - content.len() })
}

/// Severable members had other labels in drafts before 28, some of them those of members that are not severable now.
fn unknown_member(label: i64) -> Feature {
    match label {
        labels::manifest::VALIDATE..=labels::manifest::INVOKE => Feature::LegacyDraft,
        _ if labels::manifest::LEGACY.contains(&label) => Feature::LegacyDraft,
        _ => Feature::EnvelopeMember(label),
    }
}
