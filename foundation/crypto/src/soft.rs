//! The back end over RustCrypto: `no_std`, pure Rust, deterministic ECDSA (RFC 6979).

use alloc::vec::Vec;

use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer as _;
#[cfg(any(feature = "es384", feature = "ed25519"))]
use p256::ecdsa::signature::Verifier as _;
use sha2::{Digest as _, Sha256};
#[cfg(feature = "sha512")]
use sha2::{Sha384, Sha512};

use crate::es256::{Es256, p256_point};
use crate::{AgreementCurve, Error, HashAlgorithm, SignatureAlgorithm};

#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    #[cfg(feature = "sha512")]
    Sha384(Sha384),
    #[cfg(feature = "sha512")]
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn new(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
            #[cfg(feature = "sha512")]
            HashAlgorithm::Sha384 => Self::Sha384(Sha384::new()),
            #[cfg(feature = "sha512")]
            HashAlgorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(data),
            #[cfg(feature = "sha512")]
            Self::Sha384(state) => state.update(data),
            #[cfg(feature = "sha512")]
            Self::Sha512(state) => state.update(data),
        }
    }

    /// Writes the digest; `out` has its length.
    pub(crate) fn finish(self, out: &mut [u8]) {
        match self {
            Self::Sha256(state) => out.copy_from_slice(&state.finalize()),
            #[cfg(feature = "sha512")]
            Self::Sha384(state) => out.copy_from_slice(&state.finalize()),
            #[cfg(feature = "sha512")]
            Self::Sha512(state) => out.copy_from_slice(&state.finalize()),
        }
    }
}

/// Writes the tag; `out` has the length of the digest.
pub(crate) fn hmac(algorithm: HashAlgorithm, key: &[u8], message: &[u8], out: &mut [u8]) {
    match algorithm {
        HashAlgorithm::Sha256 => hmac_with::<Hmac<Sha256>>(key, message, out),
        #[cfg(feature = "sha512")]
        HashAlgorithm::Sha384 => hmac_with::<Hmac<Sha384>>(key, message, out),
        #[cfg(feature = "sha512")]
        HashAlgorithm::Sha512 => hmac_with::<Hmac<Sha512>>(key, message, out),
    }
}

fn hmac_with<M: Mac + KeyInit>(key: &[u8], message: &[u8], out: &mut [u8]) {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    out.copy_from_slice(&mac.finalize().into_bytes());
}

/// Writes the x-coordinate that a scalar and an uncompressed point share (ECDH); `out` has the width of the curve.
pub(crate) fn agree(curve: AgreementCurve, secret: &[u8], peer: &[u8], out: &mut [u8]) -> Result<(), Error> {
    match curve {
        AgreementCurve::P256 => {
            let secret = p256::SecretKey::from_slice(secret).map_err(|_| Error::MalformedKey)?;
            let peer = p256_point(peer).ok_or(Error::MalformedKey)?;
            let shared = p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), peer);
            out.copy_from_slice(shared.raw_secret_bytes());
        }
        #[cfg(feature = "es384")]
        AgreementCurve::P384 => {
            let secret = p384::SecretKey::from_slice(secret).map_err(|_| Error::MalformedKey)?;
            let peer = p384::PublicKey::from_sec1_bytes(peer).map_err(|_| Error::MalformedKey)?;
            let shared = p384::ecdh::diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine());
            out.copy_from_slice(shared.raw_secret_bytes());
        }
    }
    Ok(())
}

/// A parsed public key.
#[derive(Clone)]
pub(crate) enum Verifier {
    Es256(Es256),
    #[cfg(feature = "es384")]
    Es384(p384::ecdsa::VerifyingKey),
    #[cfg(feature = "ed25519")]
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl Verifier {
    /// Parses an uncompressed SEC 1 point, or the 32 bytes of an Ed25519 key.
    pub(crate) fn new(algorithm: SignatureAlgorithm, key: &[u8]) -> Result<Self, Error> {
        let verifier = match algorithm {
            SignatureAlgorithm::Es256 => Es256::new(key).map(Self::Es256),
            #[cfg(feature = "es384")]
            SignatureAlgorithm::Es384 => {
                p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok().map(Self::Es384)
            }
            #[cfg(feature = "ed25519")]
            SignatureAlgorithm::Ed25519 => key
                .try_into()
                .ok()
                .and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(key).ok())
                .map(Self::Ed25519),
            SignatureAlgorithm::HssLms => return Err(Error::WrongKeyType),
            #[allow(unreachable_patterns, reason = "what is left out of the build")]
            _ => return Err(Error::UnsupportedAlgorithm),
        };
        verifier.ok_or(Error::MalformedKey)
    }

    /// Verifies a signature of fixed width.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        match self {
            Self::Es256(key) => key.verify(message, signature),
            #[cfg(feature = "es384")]
            Self::Es384(key) => p384::ecdsa::Signature::from_slice(signature)
                .and_then(|signature| key.verify(message, &signature))
                .map_err(|_| Error::BadSignature),
            #[cfg(feature = "ed25519")]
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .and_then(|signature| key.verify(message, &signature))
                .map_err(|_| Error::BadSignature),
        }
    }
}

/// A parsed private key; each variant erases itself when dropped.
pub(crate) enum Signer {
    Es256(p256::ecdsa::SigningKey),
    #[cfg(feature = "es384")]
    Es384(p384::ecdsa::SigningKey),
    #[cfg(feature = "ed25519")]
    Ed25519(ed25519_dalek::SigningKey),
}

impl Signer {
    /// Parses a scalar of full width, or the seed of an Ed25519 key.
    pub(crate) fn new(algorithm: SignatureAlgorithm, secret: &[u8]) -> Result<Self, Error> {
        let signer = match algorithm {
            SignatureAlgorithm::Es256 => p256::ecdsa::SigningKey::from_slice(secret).ok().map(Self::Es256),
            #[cfg(feature = "es384")]
            SignatureAlgorithm::Es384 => p384::ecdsa::SigningKey::from_slice(secret).ok().map(Self::Es384),
            #[cfg(feature = "ed25519")]
            SignatureAlgorithm::Ed25519 => {
                secret.try_into().ok().map(|seed| Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
            }
            SignatureAlgorithm::HssLms => return Err(Error::WrongKeyType),
            #[allow(unreachable_patterns, reason = "what is left out of the build")]
            _ => return Err(Error::UnsupportedAlgorithm),
        };
        signer.ok_or(Error::MalformedKey)
    }

    /// The public key in the form `Verifier::new` takes.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::Es256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            #[cfg(feature = "es384")]
            Self::Es384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            #[cfg(feature = "ed25519")]
            Self::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
        }
    }

    /// A signature of fixed width.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            #[cfg(feature = "es384")]
            Self::Es384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            #[cfg(feature = "ed25519")]
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }
}

/// Verifies an RSA signature.
#[cfg(feature = "rsa")]
pub(crate) fn rsa_verify(
    (modulus, exponent): (&[u8], &[u8]),
    padding: crate::RsaPadding,
    hash: HashAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    use rsa::{BoxedUint, pkcs1v15, pss};
    fn with<S, V: p256::ecdsa::signature::Verifier<S>>(
        key: &V,
        message: &[u8],
        signature: S,
    ) -> Result<(), Error> {
        key.verify(message, &signature).map_err(|_| Error::BadSignature)
    }
    let integer = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
    let key = rsa::PublicKey::new(integer(modulus), integer(exponent)).map_err(|_| Error::MalformedKey)?;
    match padding {
        crate::RsaPadding::Pkcs1v15 => {
            let signature = pkcs1v15::Signature::try_from(signature).map_err(|_| Error::BadSignature)?;
            match hash {
                HashAlgorithm::Sha256 => {
                    with(&pkcs1v15::VerifyingKey::<Sha256>::new(key), message, signature)
                }
                HashAlgorithm::Sha384 => {
                    with(&pkcs1v15::VerifyingKey::<Sha384>::new(key), message, signature)
                }
                HashAlgorithm::Sha512 => {
                    with(&pkcs1v15::VerifyingKey::<Sha512>::new(key), message, signature)
                }
            }
        }
        crate::RsaPadding::Pss => {
            let signature = pss::Signature::try_from(signature).map_err(|_| Error::BadSignature)?;
            match hash {
                HashAlgorithm::Sha256 => with(&pss::VerifyingKey::<Sha256>::new(key), message, signature),
                HashAlgorithm::Sha384 => with(&pss::VerifyingKey::<Sha384>::new(key), message, signature),
                HashAlgorithm::Sha512 => with(&pss::VerifyingKey::<Sha512>::new(key), message, signature),
            }
        }
    }
}
