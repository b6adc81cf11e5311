//! ES256 signatures verified with what can be computed once per key (RFC 9053, section 2.1; FIPS 186-5, section 6.4.2).
//!
//! The arithmetic is the curve crate's. Its own verification makes the table of multiples of the public key anew for each
//! signature; authorities sign more than once, so that a key keeps it.

use alloc::boxed::Box;

use p256::ecdsa::Signature;
use p256::elliptic_curve::ops::{Invert as _, Reduce};
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::{AffinePoint, FieldBytes, NonZeroScalar, ProjectivePoint, Scalar};
use sha2::{Digest as _, Sha256};
use wnaf::array::typenum::U5;
use wnaf::{WnafBase, WnafScalar};

use crate::Error;

/// Eight odd multiples of a point, as the curve crate itself takes them.
type Multiples = WnafBase<ProjectivePoint, U5>;

/// A public key, with its multiples.
#[derive(Clone)]
pub(crate) struct Es256(Box<Multiples>);

impl Es256 {
    /// Parses an uncompressed SEC 1 point.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        p256_point(key).map(|point| Self(Box::new(Multiples::new(&point.into()))))
    }

    /// Verifies r‖s over the SHA-256 of a message. Takes as long as it takes: all of it is public.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        // Neither r nor s is zero, or not below the order of the curve.
        let (r, s) = Signature::from_slice(signature).map_err(|_| Error::BadSignature)?.split_scalars();
        let inverse = *NonZeroScalar::invert_vartime(&s);
        let of_generator = WnafScalar::new(&(scalar(&Sha256::digest(message)) * inverse));
        let of_key = WnafScalar::new(&(*r * inverse));
        let generator = Multiples::new(&ProjectivePoint::GENERATOR);
        let sum = Multiples::multiscalar_mul([(&generator, &of_generator), (&*self.0, &of_key)].into_iter());
        // The point at infinity has an x of zero here, which is no r.
        if scalar(&sum.to_affine().x()) == *r { Ok(()) } else { Err(Error::BadSignature) }
    }
}

/// An integer modulo the order of the curve.
fn scalar(integer: &FieldBytes) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(integer)
}

/// Parses an uncompressed SEC 1 point on P-256. The library's own parser would bring the code for compressed ones.
pub(crate) fn p256_point(key: &[u8]) -> Option<AffinePoint> {
    let (&[tag], coordinates) = key.split_first_chunk()?;
    let (x, y) = coordinates.split_at_checked(32)?;
    let point = AffinePoint::from_coordinates(x.try_into().ok()?, y.try_into().ok()?);
    if tag == 0x04 { point.into_option() } else { None }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::{Signer as _, Verifier as _};
    use p256::ecdsa::{SigningKey, VerifyingKey};
    use p256::elliptic_curve::PrimeField as _;

    use super::*;

    /// What the curve crate's own verification says, held against ours.
    fn judge(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
        let ours = Es256::new(key.to_sec1_point(false).as_bytes()).expect("a key").verify(message, signature);
        let theirs = Signature::from_slice(signature).and_then(|signature| key.verify(message, &signature));
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{signature:02x?}");
        ours.is_ok()
    }

    fn secret(number: Scalar) -> SigningKey {
        SigningKey::from_slice(&number.to_repr()).expect("not zero")
    }

    fn joined(r: Scalar, s: Scalar) -> Vec<u8> {
        [r.to_repr(), s.to_repr()].concat()
    }

    #[test]
    fn judges_as_the_curve_crate_does() {
        // Keys of one, two, and minus one time the generator make sums meet the multiples of the other point.
        let first = (1..=24_u64).map(Scalar::from).chain((1..=8_u64).map(|number| -Scalar::from(number)));
        let spread = (1..=16_u8).map(|index| scalar(&Sha256::digest([index])));
        for number in first.chain(spread) {
            let key = secret(number);
            let message = number.to_repr();
            let signature: Signature = key.sign(&message);
            let (r, s) = (*signature.r(), *signature.s());
            assert!(judge(key.verifying_key(), &message, &signature.to_bytes()));
            assert!(judge(key.verifying_key(), &message, &joined(r, -s)), "s may be in either half");
            assert!(!judge(key.verifying_key(), b"another message", &signature.to_bytes()));
            for (r, s) in [(s, r), (r + Scalar::ONE, s), (r, s + Scalar::ONE), (-r, s)] {
                assert!(!judge(key.verifying_key(), &message, &joined(r, s)));
            }
        }
    }

    #[test]
    fn refuses_sums_at_infinity_and_integers_out_of_range() {
        let key = secret(Scalar::ONE);
        let message = b"a message";
        let hash = scalar(&Sha256::digest(message));
        // u1 G + u2 G with u1 = -u2.
        assert!(!judge(key.verifying_key(), message, &joined(-hash, Scalar::from(7_u64))));
        // Only u1, or only u2, is one: the other does not hide it.
        assert!(!judge(key.verifying_key(), message, &joined(Scalar::ONE, hash)));
        let one = Scalar::ONE.to_repr();
        for (r, s) in [(&[0; 32][..], &one[..]), (&one, &[0; 32]), (&[0xff; 32], &one), (&one, &[0xff; 32])] {
            assert!(!judge(key.verifying_key(), message, &[r, s].concat()));
        }
        let mut order = (-Scalar::ONE).to_repr();
        *order.last_mut().expect("32 bytes") += 1;
        assert!(!judge(key.verifying_key(), message, &[&order[..], &one].concat()));
        assert!(!judge(key.verifying_key(), message, &[&one, &order[..]].concat()));
    }
}
