//! What accepted manifests say, for those who ask by environment or identifier (draft-ietf-rats-coserv).

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::ToString,
    vec::Vec,
};

use corim::{
    ArtifactType, Coserv, CoservQuery, CoservResults, CryptoKey, Environment, EnvironmentSelector, Quad,
    ResultType, RimSelector, TagId, VerifiedCorim,
};
use crypto::Digest;
use eat::{Cmw, CmwCollection, CmwKey, CmwRecord};

use crate::{Code, Endorsements, Reason};

/// How many environments or identifiers one query may have.
pub const MAX_ASKED: usize = 64;

/// How many manifests may go with one answer.
pub const MAX_SOURCES: usize = eat::MAX_CMW_ENTRIES;

/// Media types of manifests, as they are given as sources.
const SIGNED: &str = "application/rim+cose";
const UNSIGNED: &str = "application/rim+cbor";

/// An answer, before the manifests that go with it are at hand.
#[derive(Clone, Debug)]
pub struct Answer {
    results: CoservResults,
    sources: BTreeSet<Digest>,
    /// Whether the sources are all that was asked for.
    whole: bool,
}

impl Endorsements {
    /// Answers a query. Whoever has the keys `own` answers for what came unsigned. The answer counts until `until`, or
    /// until the first of what it holds does not any more.
    ///
    /// # Errors
    /// Why there is no answer: the query asks for a state, for too much, or for what is not here.
    pub fn answer(&self, asked: &Coserv, own: &[CryptoKey], now: i64, until: i64) -> Result<Answer, Reason> {
        let valid = self.manifests().filter(|(_, manifest)| manifest.check_validity(now).is_ok());
        let mut results = CoservResults { expiry: until, ..CoservResults::default() };
        let mut sources = BTreeSet::new();
        let whole = match &asked.query {
            CoservQuery::Environments { artifacts, selector, form } => {
                let environments = environments(selector)?;
                let mut found = Found::new(*artifacts, &environments, own);
                for (digest, manifest) in valid {
                    if manifest.corim().profile.as_ref() == Some(&asked.profile) && found.add(manifest) {
                        sources.insert(*digest);
                        expire(&mut results, manifest);
                    }
                }
                if *form != ResultType::Source || sources.is_empty() {
                    found.collect(&mut results);
                }
                if *form == ResultType::Collected {
                    sources.clear();
                }
                false
            }
            CoservQuery::Rims(rims) if rims.len() > MAX_ASKED => return Err(too_much()),
            CoservQuery::Rims(rims) => {
                for (digest, manifest) in valid {
                    if rims.iter().any(|rim| holds(manifest, rim)) {
                        sources.insert(*digest);
                        expire(&mut results, manifest);
                    }
                }
                if sources.is_empty() {
                    return Err(Code::NoReference.into());
                }
                true
            }
        };
        if sources.len() > MAX_SOURCES {
            return Err(too_much());
        }
        Ok(Answer { results, sources, whole })
    }
}

impl Answer {
    /// The manifests that go with it, by their digests.
    pub fn sources(&self) -> impl Iterator<Item = &Digest> {
        self.sources.iter()
    }

    /// The answer with those manifests, as they were received.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn complete(self, manifests: &BTreeMap<Digest, Vec<u8>>) -> Result<CoservResults, Reason> {
        let Self { mut results, sources, whole } = self;
        let mut collection = CmwCollection::default();
        for digest in &sources {
            let record = record(digest, manifests)?;
            if whole {
                collection.entries.insert(CmwKey::Text(digest.to_string()), record.into());
            } else {
                results.sources.push(Cmw::Record(record).encode());
            }
        }
        if whole {
            results.rims = Some(Cmw::Collection(collection).encode());
        }
        Ok(results)
    }
}

/// What was found of one kind.
struct Found<'q> {
    artifacts: ArtifactType,
    environments: &'q [Environment],
    own: &'q [CryptoKey],
    results: CoservResults,
}

impl<'q> Found<'q> {
    fn new(artifacts: ArtifactType, environments: &'q [Environment], own: &'q [CryptoKey]) -> Self {
        Self { artifacts, environments, own, results: CoservResults::default() }
    }

    /// Takes what a manifest says of the environments; says whether it is anything.
    fn add(&mut self, manifest: &VerifiedCorim) -> bool {
        let keys = manifest.authority_keys();
        let authorities = if keys.is_empty() { self.own } else { keys }.to_vec();
        let asked = |environment: &Environment| {
            self.environments.iter().any(|asked| asked.is_satisfied_by(environment))
        };
        fn quads<T: Clone>(
            into: &mut Option<Vec<Quad<T>>>,
            all: &[T],
            asked: impl Fn(&T) -> bool,
            authorities: &[CryptoKey],
        ) -> bool {
            let found = all.iter().filter(|one| asked(one));
            let found =
                found.map(|triple| Quad { authorities: authorities.to_vec(), triple: triple.clone() });
            let into = into.get_or_insert_with(Vec::new);
            let before = into.len();
            into.extend(found);
            into.len() > before
        }
        let mut any = false;
        let results = &mut self.results;
        for triples in manifest.comids().map(|comid| &comid.triples) {
            any |= match self.artifacts {
                ArtifactType::ReferenceValues => quads(
                    &mut results.reference,
                    &triples.reference,
                    |one| asked(&one.environment),
                    &authorities,
                ),
                ArtifactType::TrustAnchors => quads(
                    &mut results.attest_key,
                    &triples.attest_key,
                    |one| asked(&one.environment),
                    &authorities,
                ),
                ArtifactType::EndorsedValues => {
                    let about = |one: &corim::ConditionalTriple| {
                        one.conditions.iter().chain(&one.endorsements).any(|one| asked(&one.environment))
                    };
                    let plain = quads(
                        &mut results.endorsed,
                        &triples.endorsed,
                        |one| asked(&one.environment),
                        &authorities,
                    );
                    plain | quads(&mut results.conditional, &triples.conditional, about, &authorities)
                }
            };
        }
        any
    }

    /// Puts what was found into an answer: an empty list where that is nothing.
    fn collect(self, into: &mut CoservResults) {
        match self.artifacts {
            ArtifactType::ReferenceValues => {
                into.reference = Some(self.results.reference.unwrap_or_default())
            }
            ArtifactType::TrustAnchors => into.attest_key = Some(self.results.attest_key.unwrap_or_default()),
            ArtifactType::EndorsedValues => {
                into.endorsed = Some(self.results.endorsed.unwrap_or_default());
                into.conditional = self.results.conditional.filter(|all| !all.is_empty());
            }
        }
    }
}

/// The environments that are asked for, in any state.
fn environments(selector: &EnvironmentSelector) -> Result<Vec<Environment>, Reason> {
    let all = selector.environments();
    if all.len() > MAX_ASKED {
        return Err(too_much());
    }
    if all.iter().any(|(_, state)| !state.is_empty()) {
        let error = "environments in a state are not selected";
        return Err(Reason::new(Code::MalformedObject).with("error", error));
    }
    Ok(all.into_iter().map(|(environment, _)| environment).collect())
}

fn holds(manifest: &VerifiedCorim, rim: &RimSelector) -> bool {
    match rim {
        RimSelector::Corim(id) => manifest.corim().id == *id,
        RimSelector::Comid(id) => manifest.comids().any(|comid| comid.identity.id == *id),
        RimSelector::Coswid(id) => manifest.corim().coswids().any(|bytes| {
            let tag = coswid::Tag::decode(bytes);
            match (tag.as_ref().map(coswid::Tag::tag_id), id) {
                (Ok(coswid::TagId::Text(found)), TagId::Text(id)) => found == id,
                (Ok(coswid::TagId::Uuid(found)), TagId::Uuid(id)) => found == id,
                _ => false,
            }
        }),
    }
}

/// A manifest as it was received.
fn record(digest: &Digest, manifests: &BTreeMap<Digest, Vec<u8>>) -> Result<CmwRecord, Reason> {
    let bytes = manifests.get(digest);
    let bytes = bytes.ok_or_else(|| Reason::new(Code::NoReference).with("manifest", digest))?;
    let kind = match corim::Received::decode(bytes) {
        Ok(corim::Received::Signed(_)) => SIGNED,
        _ => UNSIGNED,
    };
    CmwRecord::new(kind, bytes.as_slice())
        .map_err(|error| Reason::new(Code::MalformedObject).with("error", error))
}

fn expire(results: &mut CoservResults, manifest: &VerifiedCorim) {
    let ends = [
        manifest.corim().validity.map(|validity| validity.not_after),
        manifest.meta().and_then(|meta| meta.not_after),
    ];
    results.expiry = ends.into_iter().flatten().fold(results.expiry, i64::min);
}

fn too_much() -> Reason {
    Code::TooManyReferences.into()
}
