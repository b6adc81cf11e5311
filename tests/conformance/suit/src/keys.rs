//! The keys of the kit's own cases. They are made from one byte each and published here: never use them for anything.

use crypto::{SignatureAlgorithm, SigningKey};

/// The author whom every case believes.
pub(crate) fn author() -> SigningKey {
    key(SignatureAlgorithm::Es256, 1)
}

/// The same author's Ed25519 key.
pub(crate) fn author_ed25519() -> SigningKey {
    key(SignatureAlgorithm::Ed25519, 2)
}

/// Somebody whom nobody believes.
pub(crate) fn stranger() -> SigningKey {
    key(SignatureAlgorithm::Es256, 9)
}

/// COSE_Keys of those whom every case believes.
pub(crate) fn believed() -> Vec<Vec<u8>> {
    [author(), author_ed25519()].iter().map(|key| cose::Key::from_public(key.public_key()).encode()).collect()
}

fn key(algorithm: SignatureAlgorithm, seed: u8) -> SigningKey {
    SigningKey::from_bytes(algorithm, &[seed; 32]).expect("a scalar below the order")
}
