//! The back end over aws-lc-rs: needs `std`; ECDSA signatures are randomised by its own generator.

#[cfg(feature = "rsa")]
use alloc::vec;
use alloc::vec::Vec;

#[cfg(feature = "rsa")]
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey,
};
use aws_lc_rs::{agreement, digest, hmac as aws_hmac, rand};
#[cfg(feature = "rsa")]
use aws_lc_rs::{rsa, signature};
#[cfg(feature = "rsa")]
use zeroize::Zeroizing;

use crate::{AgreementCurve, Error, HashAlgorithm, SignatureAlgorithm, der};

#[derive(Clone)]
pub(crate) struct Hasher(digest::Context);

impl Hasher {
    pub(crate) fn new(algorithm: HashAlgorithm) -> Self {
        Self(digest::Context::new(match algorithm {
            HashAlgorithm::Sha256 => &digest::SHA256,
            #[cfg(feature = "sha512")]
            HashAlgorithm::Sha384 => &digest::SHA384,
            #[cfg(feature = "sha512")]
            HashAlgorithm::Sha512 => &digest::SHA512,
        }))
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// Writes the digest; `out` has its length.
    pub(crate) fn finish(self, out: &mut [u8]) {
        out.copy_from_slice(self.0.finish().as_ref());
    }
}

/// Writes the tag; `out` has the length of the digest.
pub(crate) fn hmac(algorithm: HashAlgorithm, key: &[u8], message: &[u8], out: &mut [u8]) {
    let algorithm = match algorithm {
        HashAlgorithm::Sha256 => aws_hmac::HMAC_SHA256,
        #[cfg(feature = "sha512")]
        HashAlgorithm::Sha384 => aws_hmac::HMAC_SHA384,
        #[cfg(feature = "sha512")]
        HashAlgorithm::Sha512 => aws_hmac::HMAC_SHA512,
    };
    out.copy_from_slice(aws_hmac::sign(&aws_hmac::Key::new(algorithm, key), message).as_ref());
}

/// Writes the x-coordinate that a scalar and an uncompressed point share (ECDH); `out` has the width of the curve.
pub(crate) fn agree(curve: AgreementCurve, secret: &[u8], peer: &[u8], out: &mut [u8]) -> Result<(), Error> {
    let algorithm = match curve {
        AgreementCurve::P256 => &agreement::ECDH_P256,
        #[cfg(feature = "es384")]
        AgreementCurve::P384 => &agreement::ECDH_P384,
    };
    let secret =
        agreement::PrivateKey::from_private_key(algorithm, secret).map_err(|_| Error::MalformedKey)?;
    let peer = agreement::UnparsedPublicKey::new(algorithm, peer);
    agreement::agree(&secret, peer, Error::MalformedKey, |shared| {
        out.copy_from_slice(shared);
        Ok(())
    })
}

/// A parsed public key.
#[derive(Clone)]
pub(crate) struct Verifier(ParsedPublicKey);

impl Verifier {
    /// Parses an uncompressed SEC 1 point, or the 32 bytes of an Ed25519 key.
    pub(crate) fn new(algorithm: SignatureAlgorithm, key: &[u8]) -> Result<Self, Error> {
        let parsed = match algorithm {
            SignatureAlgorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key),
            SignatureAlgorithm::Es384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, key),
            SignatureAlgorithm::Ed25519 => ParsedPublicKey::new(&ED25519, key),
            SignatureAlgorithm::HssLms => return Err(Error::WrongKeyType),
        };
        parsed.map(Self).map_err(|_| Error::MalformedKey)
    }

    /// Verifies a signature of fixed width.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.0.verify_sig(message, signature).map_err(|_| Error::BadSignature)
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
    let parameters: &signature::RsaParameters = match (padding, hash) {
        (crate::RsaPadding::Pkcs1v15, HashAlgorithm::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (crate::RsaPadding::Pkcs1v15, HashAlgorithm::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (crate::RsaPadding::Pkcs1v15, HashAlgorithm::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (crate::RsaPadding::Pss, HashAlgorithm::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        (crate::RsaPadding::Pss, HashAlgorithm::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        (crate::RsaPadding::Pss, HashAlgorithm::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
    };
    let key = signature::RsaPublicKeyComponents { n: modulus, e: exponent };
    key.verify(parameters, message, signature).map_err(|_| Error::BadSignature)
}

/// A parsed private key; aws-lc erases its copy when it is freed.
pub(crate) enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// Parses a scalar of full width, or the seed of an Ed25519 key.
    pub(crate) fn new(algorithm: SignatureAlgorithm, secret: &[u8]) -> Result<Self, Error> {
        let signing = match algorithm {
            SignatureAlgorithm::Es256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            SignatureAlgorithm::Es384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            SignatureAlgorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_seed_unchecked(secret).map_err(|_| Error::MalformedKey)?;
                return Ok(Self::Ed25519(pair));
            }
            SignatureAlgorithm::HssLms => return Err(Error::WrongKeyType),
        };
        // Without a public key in it: aws-lc computes it from the scalar.
        let key = der::write_ec_private_key(algorithm, secret, None, true);
        let pair = EcdsaKeyPair::from_private_key_der(signing, &key).map_err(|_| Error::MalformedKey)?;
        Ok(Self::Ecdsa(pair))
    }

    /// The public key in the form `Verifier::new` takes.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// A signature of fixed width.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ecdsa(pair) => pair
                .sign(&rand::SystemRandom::new(), message)
                .expect("a parsed key signs: aws-lc ends the process when the system gives no randomness")
                .as_ref()
                .to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// An RSA private key; aws-lc erases it when it is freed.
#[cfg(feature = "rsa")]
pub(crate) struct RsaKey {
    pair: rsa::KeyPair,
    decryption: rsa::OaepPrivateDecryptingKey,
}

#[cfg(feature = "rsa")]
impl RsaKey {
    /// With the generator of aws-lc.
    pub(crate) fn generate(bits: usize) -> Result<Self, Error> {
        let size = match bits {
            2048 => rsa::KeySize::Rsa2048,
            3072 => rsa::KeySize::Rsa3072,
            _ => return Err(Error::UnsupportedAlgorithm),
        };
        let pair = rsa::KeyPair::generate(size).map_err(|_| Error::BadEntropy)?;
        Self::from_pkcs8(&pkcs8(&pair))
    }

    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, Error> {
        let pair = rsa::KeyPair::from_pkcs8(pkcs8).map_err(|_| Error::MalformedKey)?;
        let decryption = rsa::PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| Error::MalformedKey)?;
        let decryption = rsa::OaepPrivateDecryptingKey::new(decryption).map_err(|_| Error::MalformedKey)?;
        Ok(Self { pair, decryption })
    }

    pub(crate) fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        pkcs8(&self.pair)
    }

    pub(crate) fn to_spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().expect("a parsed key is written");
        der.as_ref().to_vec()
    }

    pub(crate) fn sign(
        &self,
        padding: crate::RsaPadding,
        hash: HashAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let encoding: &dyn signature::RsaEncoding = match (padding, hash) {
            (crate::RsaPadding::Pkcs1v15, HashAlgorithm::Sha256) => &signature::RSA_PKCS1_SHA256,
            (crate::RsaPadding::Pkcs1v15, HashAlgorithm::Sha384) => &signature::RSA_PKCS1_SHA384,
            (crate::RsaPadding::Pkcs1v15, HashAlgorithm::Sha512) => &signature::RSA_PKCS1_SHA512,
            (crate::RsaPadding::Pss, HashAlgorithm::Sha256) => &signature::RSA_PSS_SHA256,
            (crate::RsaPadding::Pss, HashAlgorithm::Sha384) => &signature::RSA_PSS_SHA384,
            (crate::RsaPadding::Pss, HashAlgorithm::Sha512) => &signature::RSA_PSS_SHA512,
        };
        let mut signed = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(encoding, &rand::SystemRandom::new(), message, &mut signed)
            .map_err(|_| Error::MalformedKey)?;
        Ok(signed)
    }

    pub(crate) fn decrypt_oaep(
        &self,
        hash: HashAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let algorithm = match hash {
            HashAlgorithm::Sha256 => &rsa::OAEP_SHA256_MGF1SHA256,
            HashAlgorithm::Sha384 => &rsa::OAEP_SHA384_MGF1SHA384,
            HashAlgorithm::Sha512 => &rsa::OAEP_SHA512_MGF1SHA512,
        };
        let mut plaintext = Zeroizing::new(vec![0; self.decryption.min_output_size()]);
        let decrypted = self.decryption.decrypt(algorithm, ciphertext, &mut plaintext, None);
        let len = decrypted.map_err(|_| Error::BadCiphertext)?.len();
        plaintext.truncate(len);
        Ok(plaintext)
    }
}

#[cfg(feature = "rsa")]
fn pkcs8(pair: &rsa::KeyPair) -> Zeroizing<Vec<u8>> {
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("a parsed key is written");
    Zeroizing::new(der.as_ref().to_vec())
}
