//! The profiles of suit-mti: which algorithms go together, so that authors and devices agree by one name.

use cose::RecipientAlgorithm;
use crypto::{ContentAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm};

/// A profile of draft-ietf-suit-mti. Digests are SHA-256 in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    /// What signs; HMAC-256 with a shared key without one.
    pub(crate) signature: Option<SignatureAlgorithm>,
    pub(crate) recipient: RecipientAlgorithm,
    pub(crate) content: ContentAlgorithm,
}

const ECDH: RecipientAlgorithm = RecipientAlgorithm::Agreement(KeyWrapAlgorithm::A128Kw);

/// Every profile.
pub(crate) const ALL: [Profile; 6] = [
    Profile {
        name: "suit-sha256-hmac-a128kw-a128ctr",
        signature: None,
        recipient: RecipientAlgorithm::KeyWrap(KeyWrapAlgorithm::A128Kw),
        content: ContentAlgorithm::A128Ctr,
    },
    Profile {
        name: "suit-sha256-esp256-ecdh-a128ctr",
        signature: Some(SignatureAlgorithm::Es256),
        recipient: ECDH,
        content: ContentAlgorithm::A128Ctr,
    },
    Profile {
        name: "suit-sha256-ed25519-ecdh-a128ctr",
        signature: Some(SignatureAlgorithm::Ed25519),
        recipient: ECDH,
        content: ContentAlgorithm::A128Ctr,
    },
    Profile {
        name: "suit-sha256-esp256-ecdh-a128gcm",
        signature: Some(SignatureAlgorithm::Es256),
        recipient: ECDH,
        content: ContentAlgorithm::A128Gcm,
    },
    Profile {
        name: "suit-sha256-ed25519-ecdh-chacha-poly",
        signature: Some(SignatureAlgorithm::Ed25519),
        recipient: ECDH,
        content: ContentAlgorithm::ChaCha20Poly1305,
    },
    Profile {
        name: "suit-sha256-hsslms-a256kw-a256ctr",
        signature: Some(SignatureAlgorithm::HssLms),
        recipient: RecipientAlgorithm::KeyWrap(KeyWrapAlgorithm::A256Kw),
        content: ContentAlgorithm::A256Ctr,
    },
];

/// Reads the name of a profile.
pub(crate) fn read(text: &str) -> Result<Profile, String> {
    ALL.into_iter().find(|profile| profile.name == text).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|profile| profile.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}
