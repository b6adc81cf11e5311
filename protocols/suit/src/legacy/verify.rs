use alloc::string::String;
use alloc::vec::Vec;

use crypto::{Digest, PublicKey};

use super::{Conversion, LegacyEnvelope, LegacyManifest, LegacyParameter, LegacyPayload, LegacyRefusal};
use crate::{Parameter, Refusal, limits::MAX_CANDIDATE_KEYS};

/// A public key that somebody named for envelopes of old drafts, and with it for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyKey {
    /// The key.
    pub key: PublicKey,
    /// Identifier that signatures must give if they give one; any when empty.
    pub kid: Vec<u8>,
    /// Its name for people.
    pub name: String,
}

/// Keys that must all have signed an envelope of an old draft.
///
/// An [`crate::AuthorityList`] is no such thing, and no list of them can be read from bytes: a key speaks for an old
/// draft only where somebody says so for this one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyKeys(Vec<LegacyKey>);

impl LegacyKeys {
    /// Takes one key at least and [`MAX_CANDIDATE_KEYS`] at most, each once.
    pub fn new(keys: Vec<LegacyKey>) -> Option<Self> {
        let twice =
            keys.iter().enumerate().any(|(at, one)| keys.iter().take(at).any(|other| other.key == one.key));
        (!twice && (1..=MAX_CANDIDATE_KEYS).contains(&keys.len())).then_some(Self(keys))
    }
}

impl<'b> LegacyEnvelope<'b> {
    /// Decides whether to believe the envelope.
    ///
    /// In this order: every key signed the digest, attached or not; the manifest has the digest; only then the manifest
    /// is decoded; severed members that are present have their digests.
    pub fn verify(&self, keys: &LegacyKeys) -> Result<LegacyVerified<'b>, LegacyRefusal> {
        let signers = self.signers(keys)?;
        let manifest = self.authentic_manifest()?;
        Ok(LegacyVerified { envelope: self.clone(), manifest, signers })
    }

    /// The names of the keys, once each of them has signed.
    fn signers(&self, keys: &LegacyKeys) -> Result<Vec<String>, LegacyRefusal> {
        if self.blocks.is_empty() {
            return Err(Refusal::Unsigned.into());
        }
        let mut signed = Vec::new();
        let mut doubt = None;
        for block in &self.blocks {
            match self.keys_of(block, keys) {
                Ok(found) => signed.extend(found),
                Err(refusal) => doubt = doubt.or(Some(refusal)),
            }
        }
        if let (true, Some(doubt)) = (signed.is_empty(), doubt) {
            return Err(doubt);
        }
        let names: Vec<String> = keys
            .0
            .iter()
            .filter(|key| signed.iter().any(|one| core::ptr::eq(*one, *key)))
            .map(|key| key.name.clone())
            .collect();
        if names.len() < keys.0.len() {
            let count = |count| u8::try_from(count).unwrap_or(u8::MAX);
            let (needed, found) = (count(keys.0.len()), count(names.len()));
            return Err(Refusal::AuthorSignatureMissing { needed, found }.into());
        }
        Ok(names)
    }

    /// The keys that made an authentication block.
    fn keys_of<'k>(&self, block: &[u8], keys: &'k LegacyKeys) -> Result<Vec<&'k LegacyKey>, LegacyRefusal> {
        let unsupported = |_| Refusal::UnsupportedAuthentication;
        match cbor::Reader::new(block).tag().ok() {
            Some(cose::labels::TAG_SIGN1) => {
                let message = cose::Sign1::decode(block).map_err(unsupported)?;
                let detached = self.detached(message.payload())?;
                let verify = |key: &PublicKey| message.verify(key, detached, &[]).is_ok();
                Ok(find(message.alg(), message.kid(), keys, verify).map(|key| Vec::from([key]))?)
            }
            Some(cose::labels::TAG_SIGN) => {
                let message = cose::Sign::decode(block).map_err(unsupported)?;
                let detached = self.detached(message.payload())?;
                let verify = |key: &PublicKey| message.verify(key, detached, &[]).is_ok();
                let (mut all, mut doubt) = (Vec::new(), None);
                for signature in message.signatures() {
                    match find(signature.alg(), signature.kid(), keys, verify) {
                        Ok(key) => all.push(key),
                        Err(refusal) => doubt = doubt.or(Some(refusal)),
                    }
                }
                match doubt {
                    Some(refusal) if all.is_empty() => Err(refusal.into()),
                    _ => Ok(all),
                }
            }
            _ => Err(Refusal::UnsupportedAuthentication.into()),
        }
    }

    /// What a message lacks to be verified. A payload of its own must be the digest of the wrapper, byte for byte.
    fn detached(&self, payload: Option<&[u8]>) -> Result<Option<&'b [u8]>, LegacyRefusal> {
        match payload {
            None => Ok(Some(self.digest_bytes)),
            Some(payload) if payload == self.digest_bytes => Ok(None),
            Some(_) => Err(LegacyRefusal::PayloadMismatch),
        }
    }
}

fn find<'k>(
    algorithm: i64,
    kid: Option<&[u8]>,
    keys: &'k LegacyKeys,
    verify: impl Fn(&PublicKey) -> bool,
) -> Result<&'k LegacyKey, Refusal> {
    let fits = |key: &&LegacyKey| {
        key.key.algorithm().matches_cose_id(algorithm)
            && kid.is_none_or(|kid| key.kid.is_empty() || key.kid == kid)
    };
    match (keys.0.iter().filter(fits).find(|key| verify(&key.key)), kid) {
        (Some(key), _) => Ok(key),
        // Unless a key has the identifier, nothing tells a wrong signature from one by somebody else.
        (None, Some(kid)) if keys.0.iter().any(|key| key.kid == kid) => {
            Err(Refusal::BadSignature { kid: kid.to_vec() })
        }
        (None, kid) => Err(Refusal::UnknownSigner { kid: kid.map(<[u8]>::to_vec) }),
    }
}

/// An envelope of an old draft that somebody believes. Only [`LegacyEnvelope::verify`] makes one, and no processor takes
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyVerified<'b> {
    envelope: LegacyEnvelope<'b>,
    manifest: LegacyManifest<'b>,
    signers: Vec<String>,
}

/// What a manifest says about an integrated payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadCheck {
    /// It has a digest that the manifest gives for an image or a dependency.
    Named,
    /// It has none of them, and the manifest has payloads decrypted, decompressed or unpacked: the digest may be of
    /// the result.
    Transformed,
    /// It has none of them.
    Unnamed,
}

impl<'b> LegacyVerified<'b> {
    /// The manifest.
    pub fn manifest(&self) -> &LegacyManifest<'b> {
        &self.manifest
    }

    /// The envelope it came in.
    pub fn envelope(&self) -> &LegacyEnvelope<'b> {
        &self.envelope
    }

    /// Names of the keys that signed.
    pub fn signers(&self) -> &[String] {
        &self.signers
    }

    /// Digest of the manifest.
    pub fn manifest_digest(&self) -> Digest {
        self.envelope.manifest_digest_claimed()
    }

    /// The manifest in the terms of today.
    pub fn conversion(&self) -> Conversion {
        Conversion::of(&self.manifest, &self.envelope)
    }

    /// Every integrated payload, and whether it is one that the signed manifest names.
    pub fn payloads(&self) -> impl Iterator<Item = (&LegacyPayload<'b>, PayloadCheck)> {
        let (mut digests, mut transforms) = (Vec::new(), false);
        let sequences = self.manifest.sections().filter_map(|(_, held)| held.value());
        for sequence in self.manifest.shared().into_iter().chain(sequences) {
            sequence.each_parameter(&mut |parameter| match parameter {
                LegacyParameter::Current(Parameter::ImageDigest(digest)) => digests.push(*digest),
                LegacyParameter::Current(Parameter::EncryptionInfo(_))
                | LegacyParameter::CompressionInfo(_)
                | LegacyParameter::UnpackInfo(_) => transforms = true,
                _ => {}
            });
        }
        digests.extend(self.manifest.dependencies().iter().filter_map(|dependency| dependency.digest));
        self.envelope.payloads().iter().map(move |payload| {
            let check = match is_named(payload.content, &digests) {
                true => PayloadCheck::Named,
                false if transforms => PayloadCheck::Transformed,
                false => PayloadCheck::Unnamed,
            };
            (payload, check)
        })
    }
}

/// Whether one of the digests is that of the bytes, or of the manifest of an envelope that they are.
fn is_named(content: &[u8], digests: &[Digest]) -> bool {
    let of_dependency = || {
        LegacyEnvelope::decode(content, None)
            .is_ok_and(|inner| inner.is_whole() && digests.contains(&inner.manifest_digest_claimed()))
    };
    digests.iter().any(|digest| digest.matches(content)) || of_dependency()
}
