//! Tokens of Arm's platforms: PSA and CCA.

use eat::{
    CcaPlatformClaims, CcaRealmClaims, CcaToken, Lifecycle, PsaClaims, PsaToken, SoftwareComponent, TokenForm,
};

use crate::{
    commands::key,
    node::{Map, Node},
};

/// A PSA token (RFC 9783) of any of its profiles.
pub(crate) fn psa(token: &PsaToken) -> Map {
    let kind = match token.form() {
        TokenForm::Mac0 => "PSA attestation token (with a MAC)",
        _ => "PSA attestation token",
    };
    Map::new()
        .with("kind", kind)
        .maybe("kid", token.kid().map(Node::hex))
        .unless_empty("certificates", super::certificate::chain(&token.certificates()))
        .then(psa_claims(token.unverified()))
}

/// The claims of a PSA token.
pub(crate) fn psa_claims(claims: &PsaClaims) -> Map {
    Map::new()
        .with("profile", claims.profile.name())
        .with("nonce", Node::hex(claims.nonce.as_bytes()))
        .with("instance_id", Node::shown(&claims.instance_id))
        .with("implementation_id", Node::hex(&claims.implementation_id))
        .maybe("boot_seed", claims.boot_seed.as_deref().map(Node::hex))
        .with("client_id", i64::from(claims.client_id))
        .with("lifecycle", lifecycle(claims.lifecycle))
        .maybe("certification_reference", claims.certification_reference.as_deref())
        .with("components", claims.components.iter().map(component).collect::<Vec<_>>())
        .maybe("verification_service", claims.verification_service.as_deref())
}

/// A CCA token: its platform and its realm.
pub(crate) fn cca(token: &CcaToken) -> Map {
    Map::new()
        .with("kind", "CCA attestation token")
        .unless_empty("certificates", super::certificate::chain(&token.certificates()))
        .with("platform", platform(token.unverified_platform()))
        .with("realm", realm(token.unverified_realm()))
}

/// The claims of a CCA platform.
pub(crate) fn platform(claims: &CcaPlatformClaims) -> Map {
    Map::new()
        .with("profile", claims.profile.name())
        .with("challenge", Node::hex(claims.challenge.as_bytes()))
        .with("instance_id", Node::shown(&claims.instance_id))
        .with("implementation_id", Node::hex(&claims.implementation_id))
        .with("config", Node::hex(&claims.config))
        .with("lifecycle", lifecycle(claims.lifecycle))
        .with("hash_algorithm", Node::shown(claims.hash_algorithm))
        .with("components", claims.components.iter().map(component).collect::<Vec<_>>())
        .maybe("verification_service", claims.verification_service.as_deref())
}

/// The claims of a CCA realm.
pub(crate) fn realm(claims: &CcaRealmClaims) -> Map {
    let extensible = claims.extensible_measurements.iter().map(|value| Node::hex(value));
    Map::new()
        .with("challenge", Node::hex(claims.challenge.as_bytes()))
        .with("personalisation", Node::hex(&claims.personalisation))
        .with("hash_algorithm", Node::shown(claims.hash_algorithm))
        .with("initial_measurement", Node::hex(&claims.initial_measurement))
        .with("extensible_measurements", Node::List(extensible.collect()))
        .with("key", key::summary(&claims.public_key))
        .with("key_hash_algorithm", Node::shown(claims.public_key_hash_algorithm))
}

fn lifecycle(lifecycle: Lifecycle) -> String {
    format!("{} (0x{:04x})", lifecycle.state(), lifecycle.value())
}

fn component(component: &SoftwareComponent) -> Map {
    Map::new()
        .maybe("type", component.measurement_type.as_deref())
        .maybe("version", component.version.as_deref())
        .with("measurement", Node::hex(&component.measurement))
        .maybe("algorithm", component.description.as_deref())
        .with("signer_id", Node::hex(&component.signer_id))
}
