//! RSAES-OAEP with RustCrypto, for both back ends: it takes the caller's randomness.

use alloc::vec::Vec;
use core::fmt;

use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{BoxedUint, PublicKey, sha2};

use crate::{Error, HashAlgorithm};

/// Encrypts a plaintext that fits, with a seed as long as a digest and an empty label (RFC 8017, section 7.1.1).
pub(crate) fn encrypt_oaep(
    (modulus, exponent): (&[u8], &[u8]),
    hash: HashAlgorithm,
    plaintext: &[u8],
    seed: &[u8],
) -> Result<Vec<u8>, Error> {
    let integer = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
    let key = PublicKey::new(integer(modulus), integer(exponent)).map_err(|_| Error::MalformedKey)?;
    let mut seed = Seed(seed);
    let encrypted = match hash {
        HashAlgorithm::Sha256 => key.oaep_encrypt_with_rng::<sha2::Sha256, _>(&mut seed, plaintext),
        HashAlgorithm::Sha384 => key.oaep_encrypt_with_rng::<sha2::Sha384, _>(&mut seed, plaintext),
        HashAlgorithm::Sha512 => key.oaep_encrypt_with_rng::<sha2::Sha512, _>(&mut seed, plaintext),
    };
    encrypted.map_err(|_| Error::MalformedKey)
}

/// The random seed of one encryption, for an implementation that wants a generator.
struct Seed<'s>(&'s [u8]);

/// More was asked for than the one seed.
#[derive(Debug)]
struct NoMore;

impl fmt::Display for NoMore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no more randomness than one seed")
    }
}

impl core::error::Error for NoMore {}

impl TryRng for Seed<'_> {
    type Error = NoMore;

    fn try_next_u32(&mut self) -> Result<u32, NoMore> {
        Err(NoMore)
    }

    fn try_next_u64(&mut self) -> Result<u64, NoMore> {
        Err(NoMore)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), NoMore> {
        let (now, later) = self.0.split_at_checked(out.len()).ok_or(NoMore)?;
        out.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

impl TryCryptoRng for Seed<'_> {}
