use alloc::vec::Vec;

use cose::{Sign1, Sign1Builder};
use crypto::{HashAlgorithm, RsaPadding, RsaSigningKey, SignatureAlgorithm, SigningKey, Zeroizing};

use crate::{Failure, Fault, Hmac, Key};

/// A private key of an owner or a device, wherever it is.
pub trait Signer {
    /// The public key.
    fn key(&self) -> Key;

    /// Signs: ECDSA as two numbers of full width; RSA by PKCS #1 v1.5, with SHA-256 where the key has 2048 bits and SHA-384
    /// where it has more.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault>;
}

/// The private key of an owner.
pub trait OwnerKey: Signer {
    /// Opens what was encrypted to it by RSA-OAEP with SHA-256, for the key exchanges that need it. Whatever is wrong with a
    /// ciphertext is one fault, [`Fault::Key`]; a key that decrypts nothing is [`Fault::Unsupported`].
    fn decrypt(&self, _ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        Err(Fault::Unsupported)
    }
}

/// The secrets of a device, which never leave it.
pub trait DeviceSecrets: Signer {
    /// HMAC of the header of a voucher by the device's secret.
    fn hmac(&self, algorithm: HashAlgorithm, header: &[u8]) -> Result<Hmac, Fault>;

    /// Whether the HMAC of a header is by the device's secret; takes constant time.
    fn verify_hmac(&self, hmac: &Hmac, header: &[u8]) -> Result<bool, Fault>;
}

impl Signer for SigningKey {
    fn key(&self) -> Key {
        Key::Ec(self.public_key().clone())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.sign(message))
    }
}

impl OwnerKey for SigningKey {}

impl Signer for RsaSigningKey {
    fn key(&self) -> Key {
        Key::Rsa(self.public_key().clone())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let hash = rsa_hash(self.public_key());
        self.sign(RsaPadding::Pkcs1v15, hash, message).map_err(|_| Fault::Key)
    }
}

impl OwnerKey for RsaSigningKey {
    fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.decrypt_oaep(HashAlgorithm::Sha256, ciphertext).map_err(|_| Fault::Key)
    }
}

/// The secrets of a device that keeps them itself, which are not shown.
pub struct SoftSecrets {
    /// Signs.
    pub key: SigningKey,
    /// The secret of its HMACs.
    pub hmac_secret: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for SoftSecrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SoftSecrets(…)")
    }
}

impl Signer for SoftSecrets {
    fn key(&self) -> Key {
        Signer::key(&self.key)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.key.sign(message))
    }
}

impl DeviceSecrets for SoftSecrets {
    fn hmac(&self, algorithm: HashAlgorithm, header: &[u8]) -> Result<Hmac, Fault> {
        Ok(Hmac::of(algorithm, &self.hmac_secret, header))
    }

    fn verify_hmac(&self, hmac: &Hmac, header: &[u8]) -> Result<bool, Fault> {
        Ok(hmac.is_of(&self.hmac_secret, header))
    }
}

/// A signed message with its unprotected header parameters, each an encoded item.
pub(crate) fn sign1(
    signer: &dyn Signer,
    unprotected: &[(i64, Vec<u8>)],
    payload: &[u8],
) -> Result<Vec<u8>, Failure> {
    let builder = Sign1Builder::new();
    let builder =
        unprotected.iter().fold(builder, |builder, (label, value)| builder.unprotected(*label, value));
    let key = signer.key();
    let signature = signer.sign(&to_be_signed(&builder, &key, payload))?;
    Ok(assemble(&builder, &key, payload, &signature))
}

/// Why the two functions below cannot fail.
const NUMBERED: &str = "RSA with SHA-256 and SHA-384 has numbers";

/// The bytes of a message that a key of any type is to sign.
pub(crate) fn to_be_signed(builder: &Sign1Builder, key: &Key, payload: &[u8]) -> Vec<u8> {
    match key {
        Key::Ec(key) => builder.to_be_signed(key.algorithm(), payload),
        Key::Rsa(key) => builder.to_be_signed_rsa(rsa_hash(key), payload).expect(NUMBERED),
    }
}

/// The message with the signature by that key.
pub(crate) fn assemble(builder: &Sign1Builder, key: &Key, payload: &[u8], signature: &[u8]) -> Vec<u8> {
    match key {
        Key::Ec(key) => builder.assemble(key.algorithm(), Some(payload), signature),
        Key::Rsa(key) => builder.assemble_rsa(rsa_hash(key), Some(payload), signature).expect(NUMBERED),
    }
}

/// Verifies the signature of a message with a key of any type.
pub(crate) fn verify(message: &Sign1<'_>, key: &Key) -> Result<(), cose::Error> {
    match key {
        Key::Ec(key) => message.verify(key, None, &[]),
        Key::Rsa(key) => message.verify_rsa(key, None, &[]),
    }
}

/// COSE number of the algorithm that a key signs by.
pub(crate) fn algorithm(key: &Key) -> i64 {
    match key {
        Key::Ec(key) => key.algorithm().cose_id(),
        Key::Rsa(key) => match rsa_hash(key) {
            HashAlgorithm::Sha256 => cose::labels::RS256,
            _ => cose::labels::RS384,
        },
    }
}

fn rsa_hash(key: &crypto::RsaPublicKey) -> HashAlgorithm {
    if 8 * key.modulus().len() <= crypto::RsaPublicKey::MIN_BITS {
        HashAlgorithm::Sha256
    } else {
        HashAlgorithm::Sha384
    }
}

/// The hash function that is as strong as the weaker of two keys (section 3.3.2): SHA-384 only where both are on P-384 or have
/// 3072 bits.
pub(crate) fn strength(one: &Key, other: &Key) -> HashAlgorithm {
    let of = |key: &Key| match key {
        Key::Ec(key) if key.algorithm() == SignatureAlgorithm::Es384 => HashAlgorithm::Sha384,
        Key::Ec(_) => HashAlgorithm::Sha256,
        Key::Rsa(key) => rsa_hash(key),
    };
    match (of(one), of(other)) {
        (HashAlgorithm::Sha384, HashAlgorithm::Sha384) => HashAlgorithm::Sha384,
        _ => HashAlgorithm::Sha256,
    }
}
