use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use cbor::Writer;
use cose::Sign1Builder;
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};

use crate::{Envelope, Error, Severable, digest::encode_digest, envelope::encode_envelope};

/// Puts an envelope around a manifest and has it signed (MAN, sections 8.2 and 8.3).
#[derive(Clone, Debug)]
pub struct EnvelopeBuilder {
    manifest: Vec<u8>,
    digest: Digest,
    digest_bytes: Vec<u8>,
    severed: Vec<(Severable, Vec<u8>)>,
    payloads: Vec<(String, Vec<u8>)>,
    blocks: Vec<Vec<u8>>,
}

impl EnvelopeBuilder {
    pub(super) fn new(
        manifest: Vec<u8>,
        algorithm: HashAlgorithm,
        severed: Vec<(Severable, Vec<u8>)>,
    ) -> Result<Self, BuildError> {
        let item = Writer::encode(|w| {
            w.bytes(&manifest);
        });
        let digest = Digest::of(algorithm, &item);
        let digest_bytes = Writer::encode(|w| encode_digest(&digest, w));
        let builder =
            Self { manifest, digest, digest_bytes, severed, payloads: Vec::new(), blocks: Vec::new() };
        Envelope::decode(&builder.to_bytes())?.manifest_unverified()?;
        Ok(builder)
    }

    /// Digest of the manifest: the name of the release.
    pub fn manifest_digest(&self) -> Digest {
        self.digest
    }

    /// Adds an integrated payload; a manifest refers to it by this text, which usually begins with `#`.
    pub fn payload(&mut self, uri: &str, payload: &[u8]) -> &mut Self {
        self.payloads.retain(|(other, _)| other != uri);
        self.payloads.push((uri.to_string(), payload.to_vec()));
        self
    }

    /// Adds a signature by this key.
    pub fn sign(&mut self, key: &SigningKey, kid: Option<&[u8]>) -> &mut Self {
        self.blocks.push(sign_detached(key, kid, &self.digest_bytes));
        self
    }

    /// The bytes that a key elsewhere must sign; then call [`EnvelopeBuilder::assemble`].
    pub fn to_be_signed(&self, algorithm: SignatureAlgorithm, kid: Option<&[u8]>) -> Vec<u8> {
        message(kid).to_be_signed(algorithm, &self.digest_bytes)
    }

    /// Adds a signature made elsewhere over [`EnvelopeBuilder::to_be_signed`].
    pub fn assemble(
        &mut self,
        algorithm: SignatureAlgorithm,
        kid: Option<&[u8]>,
        signature: &[u8],
    ) -> &mut Self {
        self.blocks.push(message(kid).assemble(algorithm, None, signature));
        self
    }

    /// The encoded envelope, tagged.
    pub fn to_bytes(&self) -> Vec<u8> {
        let blocks: Vec<&[u8]> = self.blocks.iter().map(Vec::as_slice).collect();
        encode_envelope(
            &self.digest_bytes,
            &blocks,
            &self.manifest,
            self.severed.iter().map(|(member, content)| (*member, content.as_slice())),
            self.payloads.iter().map(|(uri, payload)| (uri.as_str(), payload.as_slice())),
        )
    }
}

/// A detached COSE_Sign1 over the encoded digest (MAN, section 8.3).
pub(crate) fn sign_detached(key: &SigningKey, kid: Option<&[u8]>, digest_bytes: &[u8]) -> Vec<u8> {
    message(kid).sign_detached(key, digest_bytes)
}

fn message(kid: Option<&[u8]>) -> Sign1Builder {
    SignatureHeaders { kid, fully_specified: false }.builder()
}

/// What a signature says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignatureHeaders<'k> {
    /// Identifier of the key.
    pub kid: Option<&'k [u8]>,
    /// Whether the algorithm is named by its fully specified number (RFC 9864), which older recipients do not know.
    pub fully_specified: bool,
}

impl SignatureHeaders<'_> {
    pub(crate) fn builder(&self) -> Sign1Builder {
        let builder = Sign1Builder::new();
        let builder = if self.fully_specified { builder.fully_specified() } else { builder };
        match self.kid {
            Some(kid) => builder.kid(kid),
            None => builder,
        }
    }
}

/// Why nothing was built.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// What was asked for is no manifest; offsets count in what would have been written.
    Rule(Error),
    /// A member should be severed that the manifest does not have.
    NothingToSever(Severable),
    /// A recipe has no image, or an image without a variant.
    NoImage,
    /// A recipe has an image with several variants of which one names no slot.
    NoSlot,
}

impl From<Error> for BuildError {
    fn from(error: Error) -> Self {
        Self::Rule(error)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(error) => write!(f, "the manifest would break a rule: {error}"),
            Self::NothingToSever(member) => write!(f, "there is no {member} to sever"),
            Self::NoImage => f.write_str("the recipe has no image"),
            Self::NoSlot => f.write_str("each variant of an image needs its slot"),
        }
    }
}

impl core::error::Error for BuildError {}
