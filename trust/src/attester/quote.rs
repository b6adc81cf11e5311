//! Quotes of TPMs 2.0, in whatever they come.

use alloc::{borrow::ToOwned, vec::Vec};

use corim::{Environment, Instance};
use eat::{EnactTrustToken, Nonce, ParsecAttestation, SignedTpmQuote, TpmCollection, TpmKey};

use super::{Attester, keys};
use crate::{Beliefs, EndorsedKey, Reason, quoted::Quoted};

/// A node of EnactTrust is known by its UUID.
pub(super) fn enact_trust(
    token: &EnactTrustToken,
    beliefs: &Beliefs<'_>,
    nonce: &Nonce,
) -> Result<Vec<Attester>, Reason> {
    let environment = of(Instance::Uuid(token.node));
    let keys = keys::of(beliefs, &environment, &[])?;
    let (quote, by) =
        keys::first(&keys, EndorsedKey::for_quotes, |key| token.quote.clone().verify_signature(&key, nonce))?;
    Ok(Vec::from([attester("TPM_ENACTTRUST", environment, Quoted::new(quote, None), by)]))
}

/// A platform of Parsec is known by the identifier of its attestation key.
pub(super) fn parsec(
    attestation: &ParsecAttestation,
    beliefs: &Beliefs<'_>,
    nonce: &Nonce,
) -> Result<Vec<Attester>, Reason> {
    let environment = of(Instance::Bytes(attestation.kid().to_owned()));
    let keys = keys::of(beliefs, &environment, &[])?;
    let (verified, by) =
        keys::first(&keys, EndorsedKey::for_quotes, |key| attestation.clone().verify(&key, nonce))?;
    Ok(Vec::from([attester("PARSEC_TPM", environment, Quoted::new(verified.quote, None), by)]))
}

/// What is known of the TPM of a collection is the qualified name of its attestation key, which stands in the quote.
pub(super) fn collection(
    collection: &TpmCollection,
    beliefs: &Beliefs<'_>,
    nonce: &Nonce,
) -> Result<Vec<Attester>, Reason> {
    let environment = of(Instance::Bytes(collection.quote.unverified().qualified_signer.clone()));
    let keys = keys::of(beliefs, &environment, &[])?;
    let verify = |key: TpmKey| -> Result<SignedTpmQuote, eat::Error> {
        if let Some(carried) = &collection.key
            && carried.attestation_key()? != &key
        {
            return Err(cose::Error::from(cose::Distrust::BadSignature).into());
        }
        let quote = collection.quote.clone().verify_signature(&key, nonce)?;
        match &collection.values {
            Some(values) if !quote.has_values(values) => Err(eat::Distrust::PcrDigest.into()),
            _ => Ok(quote),
        }
    };
    let (quote, by) = keys::first(&keys, EndorsedKey::for_quotes, verify)?;
    let quoted = Quoted::new(quote, collection.values.clone());
    Ok(Vec::from([attester("TPM", environment, quoted, by)]))
}

fn of(instance: Instance) -> Environment {
    Environment { instance: Some(instance), ..Environment::default() }
}

fn attester(name: &str, environment: Environment, quoted: Quoted, by: &EndorsedKey) -> Attester {
    Attester { quoted: Some(quoted), ..Attester::new(name, environment, Vec::new(), by) }
}
