use crypto::HashAlgorithm;
use suit::{Authority, AuthorityKey, AuthorityList, Rule, SharedKeyName};

use crate::{
    commands::key,
    node::{Map, Node},
};

/// A list of authorities and how many of them must sign.
pub(crate) fn tree(list: &AuthorityList) -> Map {
    let policy = list.policy();
    Map::new()
        .with("kind", "authority list")
        .with("digest", Node::shown(list.digest(HashAlgorithm::Sha256)))
        .with("version", list.version())
        .with("author_signatures", policy.authors)
        .with("operator_signatures", policy.operators)
        .with("root_signatures", policy.roots)
        .maybe("max_sequence_jump", policy.max_sequence_jump)
        .maybe("shared_keys", policy.shared_keys.then_some("allowed: whoever has one can author"))
        .unless_empty("rules", Node::list(list.rules().iter().map(rule)))
        .with("authorities", list.entries().iter().map(entry).collect::<Vec<_>>())
}

fn entry(authority: &Authority) -> Map {
    Map::new()
        .with("name", authority.name.as_str())
        .with("role", Node::shown(authority.role))
        .then(match &authority.key {
            AuthorityKey::Public(public) => key::summary(public),
            AuthorityKey::Shared(name) => Map::new().with("algorithm", shared_algorithm(name)),
        })
        .with("kid", Node::hex(&authority.kid))
        .with("scope", scope(authority))
}

/// The algorithm of a shared key, of which a list says nothing else.
pub(crate) fn shared_algorithm(name: &SharedKeyName) -> String {
    format!("shared HMAC {}", name.algorithm)
}

/// What a rule asks for, in words.
pub(crate) fn rule(rule: &Rule) -> String {
    let Rule { role, signatures, components } = rule;
    match components {
        Some(prefix) => format!("{signatures} {role} for component {prefix}"),
        None => format!("{signatures} {role}"),
    }
}

/// What a key may sign for, in words.
pub(crate) fn scope(authority: &Authority) -> String {
    let mut parts = Vec::new();
    parts.extend(authority.vendor.map(|vendor| format!("vendor {vendor}")));
    parts.extend(authority.class.map(|class| format!("class {class}")));
    parts.extend(authority.components.iter().map(|component| format!("component {component}")));
    if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
}
