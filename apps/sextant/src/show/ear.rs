use eat::{Appraisal, AttestationResult, Tier};

use crate::{
    clock,
    commands::key,
    node::{Map, Node},
};

/// An attestation result.
pub(crate) fn tree(result: &AttestationResult) -> Map {
    let submods = result.submods.iter().fold(Map::new(), |map, (name, one)| map.with(name, appraisal(one)));
    Map::new()
        .with("profile", result.profile.as_str())
        .with("status", tier(result.tier()))
        .with("issued_at", clock::date(result.issued_at))
        .maybe("expires_at", result.expires_at.map(clock::date))
        .with("verifier", format!("{} {}", result.verifier_id.developer, result.verifier_id.build))
        .maybe("nonce", result.nonce.as_ref().map(|nonce| Node::hex(nonce.as_bytes())))
        .maybe("ueid", result.ueid.as_ref().map(Node::shown))
        .maybe("confirmation", result.confirmation.as_ref().map(key::summary))
        .with("submods", submods)
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
    Map::new()
        .with("status", tier(appraisal.status))
        .maybe("vector", vector)
        .maybe("release", appraisal.release.as_deref().map(Node::hex))
        .unless_empty("reasons", appraisal.reasons.iter().map(reason).collect::<Vec<_>>())
        .maybe("evidence_profile", appraisal.profile.as_deref())
        .maybe("evidence_nonce", appraisal.nonce.as_ref().map(|nonce| Node::hex(nonce.as_bytes())))
        .unless_empty("policies", Node::list(&appraisal.policy_ids))
}

fn tier(tier: Tier) -> Node {
    Node::shown(tier)
}
