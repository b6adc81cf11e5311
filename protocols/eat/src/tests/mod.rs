mod cca;
mod claims;
mod cmw;
mod components;
mod evidence;
mod parts;
mod psa;
mod results;
mod source;
mod tokens;
mod tpm;
mod vectors;

use cose::{Purpose, TrustAnchor, TrustAnchors};
use crypto::{SignatureAlgorithm, SigningKey};

use crate::Nonce;

pub(super) fn key(seed: u8) -> SigningKey {
    key_of(SignatureAlgorithm::Es256, seed)
}

pub(super) fn key_of(algorithm: SignatureAlgorithm, seed: u8) -> SigningKey {
    SigningKey::generate(algorithm, &mut |bytes: &mut [u8]| bytes.fill(seed)).unwrap()
}

pub(super) fn anchor(key: &SigningKey, purpose: Purpose) -> TrustAnchors {
    let anchor = TrustAnchor::new(key.public_key().clone(), purpose, "test");
    TrustAnchors::new(vec![TrustAnchor { kid: b"kid".to_vec(), ..anchor }])
}

pub(super) fn nonce(byte: u8) -> Nonce {
    Nonce::new(&[byte; 32]).unwrap()
}

pub(super) fn distrust(reason: cose::Distrust) -> crate::Error {
    crate::Error::Signature(reason.into())
}
