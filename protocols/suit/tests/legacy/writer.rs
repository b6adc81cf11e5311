//! Writes envelopes of older drafts. For tests alone: nobody should make more of them.

use cbor::{MapBuilder, Writer};
use cose::{Sign1Builder, SignBuilder, Signer};
use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};
use sextant_suit::legacy::{LegacyEnvelope, LegacyError, LegacyKey, LegacyKeys};
use sextant_suit::{Uuid, labels};

pub(crate) const IMAGE: &[u8] = b"an image of years ago";
/// COSE numbers of hash functions.
pub(crate) const SHA256: i64 = -16;
/// Number of SHA-256 in drafts up to 13.
pub(crate) const OLD_SHA256: i64 = 2;

/// How an envelope is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    Nobody,
    /// COSE_Sign1 over the digest that stands first.
    Detached,
    /// COSE_Sign1 with the digest attached.
    Attached,
    /// COSE_Sign with the digest attached.
    AttachedSign,
}

/// What an envelope looks like around its manifest.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) tag: Option<u64>,
    pub(crate) hash: i64,
    /// Whether the digest stands before the signatures.
    pub(crate) digest_first: bool,
    pub(crate) seal: Seal,
    pub(crate) algorithm: SignatureAlgorithm,
    /// A key identifier in the protected bucket.
    pub(crate) protected_kid: Option<Vec<u8>>,
    pub(crate) severed: Vec<(i64, Vec<u8>)>,
    pub(crate) payloads: Vec<(i64, Vec<u8>)>,
    pub(crate) named_payloads: Vec<(&'static str, Vec<u8>)>,
}

impl Shape {
    /// As RIOT has it: no tag, no digest before the signature, which carries it; Ed25519.
    pub(crate) fn riot() -> Self {
        Self {
            tag: None,
            hash: OLD_SHA256,
            digest_first: false,
            seal: Seal::Attached,
            algorithm: SignatureAlgorithm::Ed25519,
            ..Self::tagged(0)
        }
    }

    /// As nRF Connect SDK has it: a key identifier, which is an encoded number, under the signature.
    pub(crate) fn nordic() -> Self {
        let kid = Writer::encode(|w| {
            w.uint(0x4000_0001);
        });
        Self { protected_kid: Some(kid), ..Self::tagged(labels::TAG_ENVELOPE) }
    }

    /// As drafts since 14 have it.
    pub(crate) fn tagged(tag: u64) -> Self {
        Self {
            tag: Some(tag),
            hash: SHA256,
            digest_first: true,
            seal: Seal::Detached,
            algorithm: SignatureAlgorithm::Es256,
            protected_kid: None,
            severed: Vec::new(),
            payloads: Vec::new(),
            named_payloads: Vec::new(),
        }
    }

    pub(crate) fn key(&self) -> SigningKey {
        key(self.algorithm, 1)
    }

    /// Puts the envelope around a manifest.
    pub(crate) fn envelope(&self, manifest: &[u8]) -> Vec<u8> {
        let digest = Writer::encode(|w| digest(w, self.hash, &wrapped(manifest)));
        let block = self.block(&digest);
        let mut map = MapBuilder::new();
        map.int(2, |w| {
            w.wrap(|w| {
                w.array(usize::from(self.digest_first) + usize::from(block.is_some()));
                if self.digest_first {
                    w.bytes(&digest);
                }
                if let Some(block) = &block {
                    w.bytes(block);
                }
            });
        });
        map.int(3, |w| {
            w.bytes(manifest);
        });
        for (label, content) in self.severed.iter().chain(&self.payloads) {
            map.int(*label, |w| {
                w.bytes(content);
            });
        }
        for (uri, content) in &self.named_payloads {
            map.text(uri, |w| {
                w.bytes(content);
            });
        }
        Writer::encode(|w| {
            if let Some(tag) = self.tag {
                w.tag(tag);
            }
            map.write(w);
        })
    }

    fn block(&self, digest: &[u8]) -> Option<Vec<u8>> {
        let key = self.key();
        let kid = self.protected_kid.as_ref().map(|kid| {
            Writer::encode(|w| {
                w.bytes(kid);
            })
        });
        let sign1 = match &kid {
            Some(kid) => Sign1Builder::new().protected(cose::labels::KID, kid),
            None => Sign1Builder::new(),
        };
        match self.seal {
            Seal::Nobody => None,
            Seal::Detached => Some(sign1.sign_detached(&key, digest)),
            Seal::Attached => Some(sign1.sign(&key, digest)),
            Seal::AttachedSign => Some(SignBuilder::new().sign(&[Signer { key: &key, kid: None }], digest)),
        }
    }
}

/// A manifest member by member, each value encoded.
pub(crate) struct Manifest {
    members: Vec<(i64, Vec<u8>)>,
}

impl Manifest {
    /// Version 1, sequence number 7, one component with the shared sequence that is given.
    pub(crate) fn new(shared: Vec<u8>) -> Self {
        Self::with_common(&common(&[b"fw"], &shared))
    }

    pub(crate) fn with_common(common: &[u8]) -> Self {
        Self { members: Vec::new() }.number(1, 1).number(2, 7).wrap(3, common)
    }

    pub(crate) fn number(self, label: i64, value: u64) -> Self {
        self.raw(
            label,
            Writer::encode(|w| {
                w.uint(value);
            }),
        )
    }

    /// A member that is a byte string around this content.
    pub(crate) fn wrap(self, label: i64, content: &[u8]) -> Self {
        self.raw(label, wrapped(content))
    }

    /// A digest in place of a member.
    pub(crate) fn sever(self, label: i64, hash: i64, content: &[u8]) -> Self {
        self.raw(label, Writer::encode(|w| digest(w, hash, &wrapped(content))))
    }

    pub(crate) fn raw(mut self, label: i64, value: Vec<u8>) -> Self {
        self.members.push((label, value));
        self
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        for (label, value) in &self.members {
            map.int(*label, |w| {
                w.raw(value);
            });
        }
        map.into_bytes()
    }
}

/// Common with these components of one segment each.
pub(crate) fn common(components: &[&[u8]], shared: &[u8]) -> Vec<u8> {
    let mut map = MapBuilder::new();
    map.int(2, |w| {
        w.array(components.len());
        for component in components {
            w.array(1).bytes(component);
        }
    });
    map.int(4, |w| {
        w.bytes(shared);
    });
    map.into_bytes()
}

/// One command: its code and its argument, encoded.
pub(crate) type Command = (i64, Vec<u8>);

pub(crate) fn sequence(commands: &[Command]) -> Vec<u8> {
    Writer::encode(|w| {
        w.array(2 * commands.len());
        for (code, argument) in commands {
            w.int(*code).raw(argument);
        }
    })
}

/// A command whose argument is a number: a condition, an index, or a directive.
pub(crate) fn plain(code: i64, argument: u64) -> Command {
    (
        code,
        Writer::encode(|w| {
            w.uint(argument);
        }),
    )
}

/// A command that sets one parameter.
pub(crate) fn set(code: i64, label: i64, value: impl FnOnce(&mut Writer)) -> Command {
    let mut map = MapBuilder::new();
    map.int(label, value);
    (code, map.into_bytes())
}

pub(crate) fn try_each(alternatives: &[Vec<u8>]) -> Command {
    let argument = Writer::encode(|w| {
        w.array(alternatives.len());
        for alternative in alternatives {
            w.bytes(alternative);
        }
    });
    (15, argument)
}

/// Sets vendor, class, digest and size of [`IMAGE`], and checks the first two: the same in every draft but for the hash.
pub(crate) fn compatibility(hash: i64) -> Vec<Command> {
    let vendor = Uuid::vendor("maker.example");
    let mut map = MapBuilder::new();
    map.int(1, |w| {
        w.bytes(vendor.as_bytes());
    });
    map.int(2, |w| {
        w.bytes(Uuid::class(&vendor, b"lamp").as_bytes());
    });
    map.int(3, |w| {
        w.wrap(|w| digest(w, hash, IMAGE));
    });
    map.int(14, |w| {
        w.uint(IMAGE.len() as u64);
    });
    vec![(20, map.into_bytes()), plain(1, 15), plain(2, 15)]
}

/// Fetches from a URI and checks the image, the same in every draft.
pub(crate) fn fetch(uri: &str) -> Vec<u8> {
    sequence(&[
        set(19, 21, |w| {
            w.text(uri);
        }),
        plain(21, 2),
        plain(3, 15),
    ])
}

/// Checks the image.
pub(crate) fn check() -> Vec<u8> {
    sequence(&[plain(3, 15)])
}

/// Starts the image.
pub(crate) fn start() -> Vec<u8> {
    sequence(&[plain(23, 2)])
}

pub(crate) fn digest(w: &mut Writer, hash: i64, data: &[u8]) {
    w.array(2).int(hash).bytes(Digest::of(HashAlgorithm::Sha256, data).as_bytes());
}

pub(crate) fn wrapped(content: &[u8]) -> Vec<u8> {
    Writer::encode(|w| {
        w.bytes(content);
    })
}

pub(crate) fn key(algorithm: SignatureAlgorithm, seed: u8) -> SigningKey {
    SigningKey::from_bytes(algorithm, &[seed; 32]).expect("a secret in range")
}

pub(crate) fn keys(public: &[&PublicKey]) -> LegacyKeys {
    let named = |(index, key): (usize, &&PublicKey)| LegacyKey {
        key: (*key).clone(),
        kid: Vec::new(),
        name: format!("key {index}"),
    };
    LegacyKeys::new(public.iter().enumerate().map(named).collect()).expect("some keys, each once")
}

/// Reads an envelope and its manifest, whoever signed it.
pub(crate) fn read(bytes: &[u8]) -> Result<(), LegacyError> {
    LegacyEnvelope::decode(bytes, None)?.manifest_unverified().map(drop)
}
