use eat::{Appraisal, AttestationResult, ClaimKey, RawEvidence, Tier};

use crate::{
    clock,
    commands::key,
    detect::Parts,
    node::{Map, Node},
};

/// An attestation result.
pub(crate) fn tree(result: &AttestationResult, parts: Parts) -> Map {
    let submods = result.submods.iter().fold(Map::new(), |map, (name, one)| map.with(name, appraisal(one)));
    let topology = result.topology.iter().fold(Map::new(), |map, (name, of)| map.with(name, Node::list(of)));
    let raw_evidence = result.raw_evidence.as_ref().map(|evidence| match evidence {
        RawEvidence::Bytes(bytes) => parts.open(bytes),
        RawEvidence::Record(record) => super::cmw::record(record, parts).into(),
    });
    Map::new()
        .with("profile", result.profile.as_str())
        .with("status", tier(result.tier()))
        .with("issued_at", clock::date(result.issued_at))
        .maybe("expires_at", result.expires_at.map(clock::date))
        .with("verifier", format!("{} {}", result.verifier_id.developer, result.verifier_id.build))
        .maybe("nonce", result.nonce.as_ref().map(|nonce| Node::hex(nonce.as_bytes())))
        .maybe("ueid", result.ueid.as_ref().map(Node::shown))
        .maybe("confirmation", result.confirmation.as_ref().map(key::summary))
        .maybe("stated_status", result.status.map(tier))
        .maybe("raw_evidence", raw_evidence)
        .unless_empty("topology", topology)
        .with("submods", submods)
}

/// Claims of others by their labels, in diagnostic notation.
fn claims(claims: &[(ClaimKey, Vec<u8>)]) -> Map {
    claims.iter().fold(Map::new(), |map, (key, value)| {
        let name = match key {
            ClaimKey::Int(label) => label.to_string(),
            ClaimKey::Text(name) => name.clone(),
        };
        map.with(&name, Node::diagnostic(value))
    })
}

fn appraisal(appraisal: &Appraisal) -> Map {
    let vector = appraisal.vector.as_ref().map(|vector| {
        let told = vector.iter().filter(|(_, value)| *value != 0);
        told.fold(Map::new(), |map, (category, value)| {
            let words = match category.meaning(value) {
                Some(meaning) => format!("{value} ({meaning})"),
                None => value.to_string(),
            };
            map.with(category.name(), words)
        })
    });
    let reason = |reason: &eat::Reason| {
        let detail =
            reason.details.iter().fold(Map::new(), |map, (name, value)| map.with(name, value.as_str()));
        Map::new().with("code", reason.code.as_str()).unless_empty("detail", detail)
    };
    let extensions = appraisal
        .extensions
        .iter()
        .fold(Map::new(), |map, (extension, value)| map.with(extension.name(), Node::diagnostic(value)));
    Map::new()
        .with("status", tier(appraisal.status))
        .maybe("vector", vector)
        .maybe("release", appraisal.release.as_deref().map(Node::hex))
        .unless_empty("reasons", appraisal.reasons.iter().map(reason).collect::<Vec<_>>())
        .maybe("evidence_profile", appraisal.profile.as_deref())
        .maybe("evidence_nonce", appraisal.nonce.as_ref().map(|nonce| Node::hex(nonce.as_bytes())))
        .unless_empty("policies", Node::list(&appraisal.policy_ids))
        .unless_empty("attester_claims", claims(&appraisal.attester_claims))
        .unless_empty("verifier_claims", claims(&appraisal.verifier_claims))
        .then(extensions)
}

fn tier(tier: Tier) -> Node {
    Node::shown(tier)
}
