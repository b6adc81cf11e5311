use alloc::vec::Vec;
use core::fmt;

use cose::Sign1Builder;
use crypto::{SignatureAlgorithm, SigningKey};

/// The key that a device attests with, wherever it is: at hand, or in hardware that may fail.
pub trait AttestationKey: fmt::Debug + Send + Sync {
    /// What it signs by.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// Signs; the signature has fixed width, as of [`SigningKey::sign`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned>;
}

/// A key did not sign: a fault of the device's, for this reason code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSigned {
    /// Stable code.
    pub code: &'static str,
}

impl AttestationKey for SigningKey {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        Ok(self.sign(message))
    }
}

/// A message that carries its payload, signed by the key.
pub(crate) fn sign1(
    key: &dyn AttestationKey,
    builder: &Sign1Builder,
    payload: &[u8],
) -> Result<Vec<u8>, NotSigned> {
    let signature = key.sign(&builder.to_be_signed(key.algorithm(), payload))?;
    Ok(builder.assemble(key.algorithm(), Some(payload), &signature))
}
