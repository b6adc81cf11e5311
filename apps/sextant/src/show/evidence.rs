//! Evidence of every form.

use trust::ForeignEvidence;

use crate::{detect::Parts, node::Map};

/// Evidence, which nobody vouches for.
pub(crate) fn tree(evidence: &ForeignEvidence<'_>, parts: Parts) -> Map {
    match evidence {
        ForeignEvidence::Psa(token) => super::arm::psa(token),
        ForeignEvidence::Cca(token) => super::arm::cca(token),
        ForeignEvidence::Token(token) => super::eat::token(token, parts),
        ForeignEvidence::Bundle(bundle) => super::eat::bundle(bundle, parts),
        ForeignEvidence::Carried(wrapper) => super::cmw::signed(wrapper, parts),
        ForeignEvidence::EnactTrust(token) => super::tpm::enact_trust(token),
        ForeignEvidence::Parsec(attestation) => super::tpm::parsec(attestation),
        ForeignEvidence::Quote(collection) => super::tpm::collection(collection),
    }
}
