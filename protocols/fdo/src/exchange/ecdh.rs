//! ECDH256 and ECDH384: a point and randomness from each side.

use alloc::vec::Vec;

use crypto::{AgreementCurve, AgreementKey, AgreementPublicKey, Zeroizing};

use super::Shared;
use crate::{Failure, Fault, Refusal, public_key::padded};

/// Bytes in front of each number in a part.
const LEN_PREFIX: usize = 2;

/// Either side, before it has the other's part.
pub(crate) struct EcdhHalf {
    curve: AgreementCurve,
    key: AgreementKey,
    random: Zeroizing<Vec<u8>>,
}

impl EcdhHalf {
    pub(super) fn generate(curve: AgreementCurve, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Failure> {
        let key = AgreementKey::generate(curve, fill).map_err(|_| Fault::Randomness)?;
        let mut random = Zeroizing::new(alloc::vec![0; random_len(curve)]);
        fill(&mut random);
        Ok(Self { curve, key, random })
    }

    /// Coordinates and randomness, each behind its length.
    pub(super) fn part(&self) -> Vec<u8> {
        let (x, y) = self.key.public_key().coordinates();
        let mut part = Vec::with_capacity(3 * LEN_PREFIX + x.len() + y.len() + self.random.len());
        for number in [x, y, &self.random] {
            // All of them are of 48 bytes at most.
            part.extend_from_slice(&(number.len() as u16).to_be_bytes());
            part.extend_from_slice(number);
        }
        part
    }

    pub(super) fn agree_as_owner(&self, part: &[u8]) -> Result<Shared, Failure> {
        let (peer, random) = read_part(self.curve, part)?;
        self.agree(&peer, &random, &self.random)
    }

    pub(super) fn agree_as_device(&self, part: &[u8]) -> Result<Shared, Failure> {
        let (peer, random) = read_part(self.curve, part)?;
        self.agree(&peer, &self.random, &random)
    }

    /// The secret is the x-coordinate in full width, the device's randomness and the owner's, whoever computes it.
    fn agree(&self, peer: &AgreementPublicKey, of_device: &[u8], of_owner: &[u8]) -> Result<Shared, Failure> {
        let point = self.key.agree(peer).map_err(|_| Refusal::Exchange)?;
        let secret = Zeroizing::new([point.as_bytes(), of_device, of_owner].concat());
        Ok(Shared { secret, context: Vec::new() })
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.key.secret_bytes().as_slice(), &self.random].concat())
    }

    pub(super) fn from_bytes(curve: AgreementCurve, bytes: &[u8]) -> Result<Self, Fault> {
        let (key, random) = bytes.split_at_checked(curve.width()).ok_or(Fault::Session)?;
        let key = AgreementKey::from_bytes(curve, key).map_err(|_| Fault::Session)?;
        if random.len() != random_len(curve) {
            return Err(Fault::Session);
        }
        Ok(Self { curve, key, random: Zeroizing::new(random.to_vec()) })
    }
}

/// Length in bytes of the randomness beside a point.
const fn random_len(curve: AgreementCurve) -> usize {
    match curve {
        AgreementCurve::P256 => 16,
        AgreementCurve::P384 => 48,
    }
}

/// Reads a part. Coordinates may lack zeros in front, which some leave out.
fn read_part(
    curve: AgreementCurve,
    part: &[u8],
) -> Result<(AgreementPublicKey, Zeroizing<Vec<u8>>), Failure> {
    let mut rest = part;
    let mut next = || {
        let (len, after) = rest.split_first_chunk::<LEN_PREFIX>()?;
        let (number, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
        rest = after;
        Some(number)
    };
    let numbers = (next(), next(), next());
    let (Some(x), Some(y), Some(random)) = numbers else { return Err(Refusal::Exchange.into()) };
    if !rest.is_empty() || random.len() != random_len(curve) {
        return Err(Refusal::Exchange.into());
    }
    let (x, y) = (padded(x, curve.width()), padded(y, curve.width()));
    let peer = AgreementPublicKey::from_ec2(curve, &x, &y).map_err(|_| Refusal::Exchange)?;
    Ok((peer, Zeroizing::new(random.to_vec())))
}
