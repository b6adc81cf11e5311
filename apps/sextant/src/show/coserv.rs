//! Queries for endorsements and reference values, and their answers.

use corim::{
    ArtifactType, ConditionalTriple, Coserv, CoservQuery, CoservResults, Environment, EnvironmentSelector,
    Measurement, Quad, ResultType, RimSelector,
};

use super::corim as shown;
use crate::{
    clock,
    detect::Parts,
    node::{Map, Node},
};

/// A query, or a query with its answer.
pub(crate) fn tree(coserv: &Coserv, parts: Parts) -> Map {
    let kind = if coserv.results.is_some() { "CoSERV answer" } else { "CoSERV query" };
    Map::new()
        .with("kind", kind)
        .with("profile", shown::profile(&coserv.profile))
        .with("query", query(&coserv.query))
        .maybe("results", coserv.results.as_ref().map(|results| self::results(results, parts)))
}

fn query(query: &CoservQuery) -> Map {
    match query {
        CoservQuery::Environments { artifacts, selector, form } => Map::new()
            .with("artifacts", artifact_type(*artifacts))
            .with("environments", environments(selector))
            .with("form", result_type(*form)),
        CoservQuery::Rims(rims) => {
            let rim = |rim: &RimSelector| match rim {
                RimSelector::Comid(id) => format!("CoMID {id}"),
                RimSelector::Coswid(id) => format!("CoSWID {id}"),
                RimSelector::Corim(id) => format!("CoRIM {id}"),
            };
            Map::new().with("manifests", Node::list(rims.iter().map(rim)))
        }
    }
}

fn artifact_type(artifacts: ArtifactType) -> &'static str {
    match artifacts {
        ArtifactType::EndorsedValues => "endorsed values",
        ArtifactType::TrustAnchors => "trust anchors",
        ArtifactType::ReferenceValues => "reference values",
    }
}

fn result_type(form: ResultType) -> &'static str {
    match form {
        ResultType::Collected => "collected",
        ResultType::Source => "source",
        ResultType::Both => "collected and source",
    }
}

fn environments(selector: &EnvironmentSelector) -> Vec<Map> {
    let one = |(environment, state): (Environment, &[Measurement])| {
        let state: Vec<Map> = state.iter().map(shown::measurement).collect();
        shown::environment(&environment).unless_empty("measurements", state)
    };
    selector.environments().into_iter().map(one).collect()
}

fn results(results: &CoservResults, parts: Parts) -> Map {
    fn quads<T>(quads: Option<&Vec<Quad<T>>>, show: impl Fn(&T) -> Map) -> Option<Vec<Map>> {
        let one = |quad: &Quad<T>| {
            let authorities: Vec<Node> = quad.authorities.iter().map(shown::key).collect();
            Map::new().with("authorities", authorities).then(show(&quad.triple))
        };
        quads.map(|quads| quads.iter().map(one).collect())
    }
    let conditional = |triple: &ConditionalTriple| {
        let values = |all: &[corim::ValuesTriple]| all.iter().map(shown::values_triple).collect::<Vec<_>>();
        Map::new()
            .with("conditions", values(&triple.conditions))
            .with("endorsements", values(&triple.endorsements))
    };
    let opened = |items: &[Vec<u8>]| items.iter().map(|item| parts.open(item)).collect::<Vec<_>>();
    Map::new()
        .with("expiry", clock::date(results.expiry))
        .maybe("reference_values", quads(results.reference.as_ref(), shown::values_triple))
        .maybe("endorsed_values", quads(results.endorsed.as_ref(), shown::values_triple))
        .maybe("conditional_endorsements", quads(results.conditional.as_ref(), conditional))
        .maybe("attest_keys", quads(results.attest_key.as_ref(), shown::key_triple))
        .maybe("trust_anchor_stores", results.anchors.as_deref().map(opened))
        .maybe("manifests", results.rims.as_ref().map(|item| parts.open(item)))
        .unless_empty("sources", opened(&results.sources))
}
