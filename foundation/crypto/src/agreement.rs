use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::mac::hkdf;
use crate::signing::random_secret;
use crate::{Error, HashAlgorithm, PublicKey, SignatureAlgorithm, backend};

/// Width of the widest coordinate.
const MAX_WIDTH: usize = if cfg!(feature = "es384") { 48 } else { 32 };

/// Length of the longest uncompressed point.
const MAX_POINT_LEN: usize = 1 + 2 * MAX_WIDTH;

/// A curve that two keys agree on. One that is left out of the build has no name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgreementCurve {
    /// NIST P-256, secp256r1.
    P256,
    /// NIST P-384, secp384r1.
    #[cfg(feature = "es384")]
    P384,
}

impl AgreementCurve {
    /// Every curve this crate agrees on.
    #[cfg(feature = "es384")]
    pub const ALL: [Self; 2] = [Self::P256, Self::P384];

    /// Every curve this crate agrees on.
    #[cfg(not(feature = "es384"))]
    pub const ALL: [Self; 1] = [Self::P256];

    /// Width of a coordinate, of a scalar and of the secret that two keys share, in bytes.
    pub const fn width(self) -> usize {
        match self {
            Self::P256 => 32,
            #[cfg(feature = "es384")]
            Self::P384 => 48,
        }
    }

    /// Name of the curve: `P-256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            #[cfg(feature = "es384")]
            Self::P384 => "P-384",
        }
    }

    /// The signature algorithm on this curve, whose code reads its scalars and points.
    const fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::P256 => SignatureAlgorithm::Es256,
            #[cfg(feature = "es384")]
            Self::P384 => SignatureAlgorithm::Es384,
        }
    }
}

impl fmt::Display for AgreementCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A public key for ECDH (NIST SP 800-56A), checked to be a point of its curve and not the one at infinity.
///
/// It is another type than a key that verifies signatures: neither can do the other's work.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AgreementPublicKey {
    curve: AgreementCurve,
    /// An uncompressed point, and zeros behind it on the narrower curve.
    point: [u8; MAX_POINT_LEN],
}

impl AgreementPublicKey {
    /// A key from its coordinates in full width, leading zeros kept.
    pub fn from_ec2(curve: AgreementCurve, x: &[u8], y: &[u8]) -> Result<Self, Error> {
        Self::from_checked(curve, &PublicKey::from_ec2(curve.signature_algorithm(), x, y)?)
    }

    /// The curve of this key; it agrees with keys of no other.
    pub fn curve(&self) -> AgreementCurve {
        self.curve
    }

    /// The coordinates in full width.
    pub fn coordinates(&self) -> (&[u8], &[u8]) {
        self.as_bytes()[1..].split_at(self.curve.width())
    }

    /// The uncompressed point (SEC 1, section 2.3.3).
    pub fn as_bytes(&self) -> &[u8] {
        &self.point[..1 + 2 * self.curve.width()]
    }

    fn from_checked(curve: AgreementCurve, key: &PublicKey) -> Result<Self, Error> {
        let key = key.as_bytes();
        let mut point = [0; MAX_POINT_LEN];
        point.get_mut(..key.len()).ok_or(Error::MalformedKey)?.copy_from_slice(key);
        Ok(Self { curve, point })
    }
}

impl fmt::Debug for AgreementPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreementPublicKey({} ", self.curve)?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A private key for ECDH, static or ephemeral. It cannot be cloned or shown, and is erased when dropped.
pub struct AgreementKey {
    secret: Zeroizing<Vec<u8>>,
    public: AgreementPublicKey,
}

impl AgreementKey {
    /// Makes a key from random bytes of the caller's; `fill` overwrites the whole slice.
    pub fn generate(curve: AgreementCurve, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Error> {
        let mut secret = Zeroizing::new(vec![0; curve.width()]);
        random_secret(&mut secret, fill, |secret| Self::from_bytes(curve, secret).ok())
    }

    /// From a scalar of full width.
    pub fn from_bytes(curve: AgreementCurve, secret: &[u8]) -> Result<Self, Error> {
        if secret.len() != curve.width() {
            return Err(Error::MalformedKey);
        }
        let algorithm = curve.signature_algorithm();
        let point = backend::Signer::new(algorithm, secret)?.public_key();
        let public = AgreementPublicKey::from_checked(curve, &PublicKey::from_bytes(algorithm, &point)?)?;
        Ok(Self { secret: Zeroizing::new(secret.to_vec()), public })
    }

    /// The scalar in full width.
    pub fn secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.secret.clone()
    }

    /// The curve of this key.
    pub fn curve(&self) -> AgreementCurve {
        self.public.curve()
    }

    /// The public key that others agree with.
    pub fn public_key(&self) -> &AgreementPublicKey {
        &self.public
    }

    /// The secret shared with the owner of the other key, which is on the same curve.
    pub fn agree(&self, peer: &AgreementPublicKey) -> Result<SharedSecret, Error> {
        let curve = self.curve();
        if peer.curve() != curve {
            return Err(Error::WrongKeyType);
        }
        let mut shared = SharedSecret { bytes: Zeroizing::new([0; MAX_WIDTH]), len: curve.width() };
        backend::agree(curve, &self.secret, peer.as_bytes(), &mut shared.bytes[..curve.width()])?;
        Ok(shared)
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(ECDH {})", self.curve())
    }
}

/// What two keys share: the x-coordinate in full width. It is no key; keys are derived from it.
pub struct SharedSecret {
    bytes: Zeroizing<[u8; MAX_WIDTH]>,
    len: usize,
}

impl SharedSecret {
    /// A secret that a security module computed, in the full width of the curve.
    pub fn from_bytes(curve: AgreementCurve, secret: &[u8]) -> Result<Self, Error> {
        if secret.len() != curve.width() {
            return Err(Error::MalformedKey);
        }
        let mut shared = Self { bytes: Zeroizing::new([0; MAX_WIDTH]), len: secret.len() };
        shared.bytes[..secret.len()].copy_from_slice(secret);
        Ok(shared)
    }

    /// The x-coordinate in full width, leading zeros kept: for protocols with a derivation of their own.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Derives key material of any length up to 8160 bytes with HKDF-SHA-256 (RFC 5869). An empty salt is none.
    pub fn derive(&self, salt: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), Error> {
        hkdf(HashAlgorithm::Sha256, self.as_bytes(), salt, info, out)
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(shared secret)")
    }
}
