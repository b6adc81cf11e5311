//! Exchanges with owners whose keys are of RSA: Diffie-Hellman modulo a prime (DHKEXid14, DHKEXid15), and randomness encrypted to
//! the owner's key (ASYMKEX2048, ASYMKEX3072).

use alloc::vec::Vec;

use crypto::{HashAlgorithm, ModpGroup, ModpKey, Zeroizing};

use super::Shared;
use crate::{Failure, Fault, Key, OwnerKey, Refusal};

/// Either side of Diffie-Hellman, before it has the other's part.
pub(crate) struct DhHalf(ModpKey);

impl DhHalf {
    pub(super) fn generate(group: ModpGroup, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Failure> {
        let key = ModpKey::generate(group, exponent_bits(group), fill).map_err(|_| Fault::Randomness)?;
        Ok(Self(key))
    }

    /// The public value in full width.
    pub(super) fn part(&self) -> Vec<u8> {
        self.0.public_value().to_vec()
    }

    /// The secret in full width, from a value of 2 to the prime less 2, which may lack zeros in front.
    pub(super) fn agree(&self, part: &[u8]) -> Result<Shared, Failure> {
        if part.len() > self.0.group().width() {
            return Err(Refusal::Exchange.into());
        }
        let secret = self.0.agree(part).map_err(|_| Refusal::Exchange)?;
        Ok(Shared { secret, context: Vec::new() })
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.secret_bytes()
    }

    pub(super) fn from_bytes(group: ModpGroup, bytes: &[u8]) -> Result<Self, Fault> {
        if 8 * bytes.len() != exponent_bits(group) {
            return Err(Fault::Session);
        }
        ModpKey::from_bytes(group, bytes).map(Self).map_err(|_| Fault::Session)
    }
}

/// Length of an exponent in bits.
const fn exponent_bits(group: ModpGroup) -> usize {
    match group {
        ModpGroup::Modp2048 => 256,
        ModpGroup::Modp3072 => 768,
    }
}

/// The owner's side where the device encrypts: randomness, which is sent in clear.
pub(crate) struct EncryptedHalf(Vec<u8>);

impl EncryptedHalf {
    pub(super) fn generate(len: usize, fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut random = alloc::vec![0; len];
        fill(&mut random);
        Self(random)
    }

    pub(super) fn part(&self) -> Vec<u8> {
        self.0.clone()
    }

    /// The secret is what the device encrypted. Whatever does not open, or to another length, is refused alike.
    pub(super) fn open(self, part: &[u8], owner: &dyn OwnerKey) -> Result<Shared, Failure> {
        let secret = owner.decrypt(part).map_err(|fault| match fault {
            Fault::Unsupported => Failure::from(fault),
            _ => Refusal::Exchange.into(),
        })?;
        if secret.len() != self.0.len() {
            return Err(Refusal::Exchange.into());
        }
        Ok(Shared { secret, context: self.0 })
    }

    pub(super) fn from_bytes(len: usize, bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() == len { Ok(Self(bytes.to_vec())) } else { Err(Fault::Session) }
    }
}

/// The device's side: randomness of the same length, encrypted by RSA-OAEP with SHA-256.
pub(super) fn encrypt(
    len: usize,
    part: &[u8],
    owner: &Key,
    fill: &mut dyn FnMut(&mut [u8]),
) -> Result<(Vec<u8>, Shared), Failure> {
    let Key::Rsa(owner) = owner else { return Err(Refusal::ExchangeSuite.into()) };
    if part.len() != len {
        return Err(Refusal::Exchange.into());
    }
    let mut secret = Zeroizing::new(alloc::vec![0; len]);
    fill(&mut secret);
    let encrypted = owner.encrypt_oaep(HashAlgorithm::Sha256, &secret, fill);
    let encrypted = encrypted.map_err(|error| match error {
        crypto::Error::BadEntropy => Fault::Randomness,
        _ => Fault::Key,
    })?;
    Ok((encrypted, Shared { secret, context: part.to_vec() }))
}
