//! Conceptual message wrappers, with what is in them.

use eat::{Cmw, CmwIndicator, CmwKey, CmwRecord, CmwType, SignedCmw, TpmCollection};

use crate::{
    detect::Parts,
    node::{Map, Node},
};

const USES: [(CmwIndicator, &str); 5] = [
    (CmwIndicator::REFERENCE_VALUES, "reference values"),
    (CmwIndicator::ENDORSEMENTS, "endorsements"),
    (CmwIndicator::EVIDENCE, "evidence"),
    (CmwIndicator::ATTESTATION_RESULTS, "attestation results"),
    (CmwIndicator::APPRAISAL_POLICY, "appraisal policy"),
];

/// A wrapper of one message or a collection.
pub(crate) fn tree(wrapper: &Cmw, parts: Parts) -> Map {
    if TpmCollection::is_one(wrapper)
        && let Ok(collection) = TpmCollection::read(wrapper)
    {
        return super::tpm::collection(&collection);
    }
    let kind = match wrapper {
        Cmw::Record(_) => "conceptual message",
        Cmw::Collection(_) => "collection of conceptual messages",
    };
    Map::new().with("kind", kind).then(content(wrapper, parts))
}

/// A signed wrapper.
pub(crate) fn signed(wrapper: &SignedCmw<'_>, parts: Parts) -> Map {
    Map::new()
        .with("kind", "signed conceptual message")
        .maybe("kid", wrapper.kid().map(Node::hex))
        .with("message", content(wrapper.unverified(), parts))
}

/// Collections nest no deeper than the decoder allows.
fn content(wrapper: &Cmw, parts: Parts) -> Map {
    match wrapper {
        Cmw::Record(record) => self::record(record, parts),
        Cmw::Collection(collection) => {
            let entries = collection.entries.iter().fold(Map::new(), |map, (key, entry)| {
                let name = match key {
                    CmwKey::Int(number) => number.to_string(),
                    CmwKey::Text(name) => name.clone(),
                };
                map.with(&name, content(entry, parts))
            });
            Map::new().maybe("collection_type", collection.kind.as_deref()).with("entries", entries)
        }
    }
}

/// One message, decoded as what it turns out to be.
pub(crate) fn record(record: &CmwRecord, parts: Parts) -> Map {
    let kind = match (&record.kind, record.kind.media_type()) {
        (CmwType::ContentFormat(format), Some(media_type)) => format!("{media_type} ({format})"),
        (CmwType::ContentFormat(format), None) => format!("content format {format}"),
        (CmwType::MediaType(_, text), _) => text.clone(),
    };
    let uses = record.indicator.map(|indicator| {
        let named = USES.iter().filter(|(bit, _)| indicator.contains(*bit));
        Node::list(named.map(|(_, name)| name))
    });
    Map::new().with("type", kind).maybe("used_as", uses).with("content", parts.open(&record.value))
}
