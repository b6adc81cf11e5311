//! RSA public keys as COSE_Key (RFC 8230, section 4). No COSE message here is signed with one: they are keys of TPMs.

use alloc::vec::Vec;

use cbor::Writer;
use crypto::RsaPublicKey;

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
