//! RSA public keys as COSE_Key (RFC 8230, section 4): of TPMs, and of those who make and own devices.

use alloc::vec::Vec;

use cbor::Writer;
use crypto::{Digest, HashAlgorithm, RsaPublicKey};

use crate::{Distrust, Error, Feature, key::Members, labels};

/// Decodes the public part of an RSA key. One that names an algorithm is refused, since it is one of COSE, which TPMs do not
/// sign by.
pub fn decode_rsa_key(bytes: &[u8]) -> Result<RsaPublicKey, Error> {
    let members = Members::decode(bytes)?;
    if members.kty != labels::KTY_RSA {
        return Err(Feature::KeyType(members.kty).into());
    }
    if let Some(alg) = members.alg {
        return Err(Feature::Algorithm(alg).into());
    }
    members.check_operations(&[labels::OP_VERIFY])?;
    let (modulus, exponent) = members.rsa()?;
    RsaPublicKey::from_components(modulus, exponent).map_err(|_| Distrust::BadKey.into())
}

/// An RSA public key in deterministic encoding, with its required members alone.
pub fn encode_rsa_key(key: &RsaPublicKey) -> Vec<u8> {
    Writer::encode(|w| {
        w.map(3).int(labels::KEY_KTY).int(labels::KTY_RSA);
        w.int(labels::KEY_RSA_N).bytes(key.modulus());
        w.int(labels::KEY_RSA_E).bytes(key.exponent());
    })
}

/// Thumbprint of an RSA key (RFC 9679, section 4.3).
pub fn rsa_thumbprint(key: &RsaPublicKey, algorithm: HashAlgorithm) -> Digest {
    Digest::of(algorithm, &encode_rsa_key(key))
}
