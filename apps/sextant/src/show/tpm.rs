//! Structures of a TPM 2.0, and what carries them.

use eat::{
    Attested, EnactTrustToken, ParsecAttestation, PcrSelection, TpmAttest, TpmCollection, TpmKey, TpmPublic,
};

use crate::{
    commands::key,
    node::{Map, Node},
};

/// TPMS_ATTEST: what a TPM signs.
pub(crate) fn attest(attest: &TpmAttest) -> Map {
    let attested = match &attest.attested {
        Attested::Quote { selection, digest } => Map::new()
            .with("quote", selection.iter().map(pcrs).collect::<Vec<_>>())
            .with("pcr_digest", Node::hex(digest)),
        Attested::Certify { name, qualified_name } => Map::new()
            .with("certified_name", Node::hex(name))
            .with("certified_qualified_name", Node::hex(qualified_name)),
        Attested::Other(kind) => Map::new().with("attested_type", format!("0x{kind:04x}")),
    };
    Map::new()
        .with("qualified_signer", Node::hex(&attest.qualified_signer))
        .with("nonce", Node::hex(&attest.extra_data))
        .with("powered_for_ms", attest.clock.clock)
        .with("resets", attest.clock.reset_count)
        .with("restarts", attest.clock.restart_count)
        .with("clock_is_safe", attest.clock.safe)
        .with("firmware_version", format!("0x{:016x}", attest.firmware_version))
        .then(attested)
}

/// A token of EnactTrust.
pub(crate) fn enact_trust(token: &EnactTrustToken) -> Map {
    Map::new()
        .with("kind", "TPM quote (EnactTrust)")
        .with("node", Node::shown(suit::Uuid::from(token.node)))
        .then(attest(token.quote.unverified()))
}

/// Key attestation of Parsec.
pub(crate) fn parsec(attestation: &ParsecAttestation) -> Map {
    Map::new()
        .with("kind", "TPM key attestation (Parsec)")
        .with("kid", Node::hex(attestation.kid()))
        .with("platform", attest(attestation.unverified_quote().unverified()))
}

/// A quote in a collection.
pub(crate) fn collection(collection: &TpmCollection) -> Map {
    let values = collection.values.as_ref().map(|values| {
        let selection = match &collection.quote.unverified().attested {
            Attested::Quote { selection, .. } => selection.as_slice(),
            _ => &[],
        };
        let quoted = selection.iter().flat_map(|one| one.pcrs.iter().map(|pcr| (one.bank, *pcr)));
        quoted.fold(Map::new(), |map, (bank, pcr)| {
            map.maybe(&pcr.to_string(), values.get(bank, pcr).map(Node::shown))
        })
    });
    Map::new()
        .with("kind", "TPM quote (collection)")
        .then(attest(collection.quote.unverified()))
        .maybe("pcrs", values)
        .maybe("key", collection.key.as_ref().map(public))
        .maybe("event_log_bytes", collection.log.as_ref().map(Vec::len))
}

/// The public area of a key.
pub(crate) fn public(public: &TpmPublic) -> Map {
    let key = match public.key() {
        TpmKey::Ec(key) => key::summary(key),
        TpmKey::Rsa(_) => Map::new().with("algorithm", "RSA"),
    };
    Map::new().with("name", Node::hex(&public.name())).then(key)
}

fn pcrs(selection: &PcrSelection) -> Node {
    let numbers: Vec<String> = selection.pcrs.iter().map(u8::to_string).collect();
    Node::Text(format!("{}: {}", selection.bank, numbers.join(", ")))
}
