use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::mac::hkdf;
use crate::signing::random_secret;
use crate::{Error, HashAlgorithm, PublicKey, SignatureAlgorithm, backend};

/// Length of a coordinate and of a scalar of P-256, and of the secret two keys share.
const P256_LEN: usize = 32;

/// Length of an uncompressed point.
const POINT_LEN: usize = 1 + 2 * P256_LEN;

/// A public key for ECDH on P-256 (NIST SP 800-56A), checked to be a point of the curve.
///
/// It is another type than a key that verifies signatures: neither can do the other's work.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AgreementPublicKey([u8; POINT_LEN]);

impl AgreementPublicKey {
    /// A key from its coordinates in full width, leading zeros kept.
    pub fn from_ec2(x: &[u8], y: &[u8]) -> Result<Self, Error> {
        Self::from_checked(&PublicKey::from_ec2(SignatureAlgorithm::Es256, x, y)?)
    }

    /// The coordinates in full width.
    pub fn coordinates(&self) -> (&[u8], &[u8]) {
        self.0[1..].split_at(P256_LEN)
    }

    /// The uncompressed point (SEC 1, section 2.3.3).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_checked(key: &PublicKey) -> Result<Self, Error> {
        key.as_bytes().try_into().map(Self).map_err(|_| Error::MalformedKey)
    }
}

impl fmt::Debug for AgreementPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgreementPublicKey(")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A private key for ECDH on P-256, static or ephemeral. It cannot be cloned or shown, and is erased when dropped.
pub struct AgreementKey {
    secret: Zeroizing<Vec<u8>>,
    public: AgreementPublicKey,
}

impl AgreementKey {
    /// Makes a key from random bytes of the caller's; `fill` overwrites the whole slice.
    pub fn generate(fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Error> {
        let mut secret = Zeroizing::new(vec![0; P256_LEN]);
        random_secret(&mut secret, fill, |secret| Self::from_bytes(secret).ok())
    }

    /// From a scalar of full width.
    pub fn from_bytes(secret: &[u8]) -> Result<Self, Error> {
        if secret.len() != P256_LEN {
            return Err(Error::MalformedKey);
        }
        let point = backend::Signer::new(SignatureAlgorithm::Es256, secret)?.public_key();
        let public = PublicKey::from_bytes(SignatureAlgorithm::Es256, &point)?;
        let public = AgreementPublicKey::from_checked(&public)?;
        Ok(Self { secret: Zeroizing::new(secret.to_vec()), public })
    }

    /// The scalar in full width.
    pub fn secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.secret.clone()
    }

    /// The public key that others agree with.
    pub fn public_key(&self) -> &AgreementPublicKey {
        &self.public
    }

    /// The secret shared with the owner of the other key.
    pub fn agree(&self, peer: &AgreementPublicKey) -> Result<SharedSecret, Error> {
        let mut shared = SharedSecret(Zeroizing::new([0; P256_LEN]));
        backend::agree(&self.secret, peer.as_bytes(), &mut shared.0)?;
        Ok(shared)
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(ECDH P-256)")
    }
}

/// What two keys share: the x-coordinate in full width. It is no key; keys are derived from it.
pub struct SharedSecret(Zeroizing<[u8; P256_LEN]>);

impl SharedSecret {
    /// A secret that a security module computed.
    pub fn from_bytes(secret: [u8; P256_LEN]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// Derives key material of any length up to 8160 bytes with HKDF-SHA-256 (RFC 5869). An empty salt is none.
    pub fn derive(&self, salt: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Error> {
        hkdf(HashAlgorithm::Sha256, &*self.0, salt, info, out)
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(shared secret)")
    }
}
