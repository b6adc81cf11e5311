//! Expected values: CoSWID and CoRIM.

use cose::TrustAnchors;

use super::stranger;
use crate::fixture::{APPLICATION, Cast, NOW};

pub(super) fn coswid_tag(bytes: &[u8]) -> bool {
    let Ok(tag) = coswid::Tag::decode(bytes) else { return false };
    let _files = tag.measured_files();
    let _about = (tag.version(), tag.supersedes().count());
    let again = coswid::Tag::decode(&tag.encode()).expect("was written by us");
    assert_eq!(again.measured_files(), tag.measured_files());
    true
}

pub(super) fn coswid_received(bytes: &[u8]) -> bool {
    let Ok(received) = coswid::Received::decode(bytes) else { return false };
    if let coswid::Received::Signed(tag) = received {
        assert!(tag.clone().verify_with_key(&stranger(), "stranger").is_err());
        assert!(tag.verify(&TrustAnchors::default()).is_err());
    }
    true
}

/// What was imported goes out in every format, and comes back from there.
pub(super) fn coswid_interchange(bytes: &[u8]) -> bool {
    use coswid::interchange::{self, ImportOptions};
    let options = ImportOptions { tag_creator: Some("somebody"), ..ImportOptions::default() };
    let Ok(imported) = interchange::import(bytes, &options) else { return false };
    let tag = &imported.tag;
    let documents = [
        interchange::export_spdx(tag, NOW),
        interchange::export_cyclonedx(tag, NOW),
        interchange::export_swid_xml(tag),
    ];
    for exported in documents {
        // A document with all its notes may be larger than what is read.
        let Ok(again) = interchange::import(&exported.document, &options) else { continue };
        assert_eq!(again.tag.measured_files().len(), tag.measured_files().len());
    }
    true
}

/// What an advisory says about a device's software, by itself and beside itself.
pub(super) fn coswid_advisory(bytes: &[u8]) -> bool {
    use coswid::advisory::{Advisory, Verdict, judge};
    let Ok(advisory) = Advisory::decode(bytes) else { return false };
    let cast = Cast::new();
    let tag = coswid::Tag::decode(&cast.measurement(APPLICATION)).expect("our own");
    let components = tag.components();
    let alone = judge(&[&advisory], &components);
    assert!(alone.iter().all(|finding| finding.verdict != Verdict::NotAffected));
    // The same said twice is no more than said once.
    let twice = judge(&[&advisory, &advisory], &components);
    assert_eq!(twice.len(), 2 * alone.len());
    true
}

/// A question, and the texts of which questions and advisories are made: package URLs, ranges, versions.
pub(super) fn coswid_query(bytes: &[u8]) -> bool {
    use coswid::advisory::{Purl, Query, Range, Scheme};
    let Ok(text) = core::str::from_utf8(bytes) else { return false };
    let _purl = Purl::read(text).map(|purl| purl.to_string());
    let (a, b) = text.split_once('|').unwrap_or((text, "1.0.0"));
    for scheme in [Scheme::Debian, Scheme::Semver, Scheme::Unstated, Scheme::MultipartNumericSuffix] {
        assert_eq!(scheme.compare(a, b), scheme.compare(b, a).map(core::cmp::Ordering::reverse));
    }
    let range = Range::read(text).is_ok_and(|versions| versions.contain(Some(b), None).is_ok());
    let cast = Cast::new();
    let tag = coswid::Tag::decode(&cast.measurement(APPLICATION)).expect("our own");
    let query = Query::read(text);
    if let Ok(query) = &query {
        tag.components().iter().for_each(|component| _ = query.ask(component));
    }
    range || query.is_ok()
}

pub(super) fn corim(bytes: &[u8]) -> bool {
    let Ok(received) = corim::Received::decode(bytes) else { return false };
    let manifest = match received {
        corim::Received::Unsigned(unsigned) => {
            let manifest = unsigned.unverified().clone();
            if let Ok(verified) = unsigned.trusted_by_operator("operator", Vec::new(), NOW) {
                appraise_with(&verified);
            }
            manifest
        }
        corim::Received::Signed(signed) => {
            let keys = TrustAnchors::default();
            let anchors = corim::Anchors { keys: &keys, issuers: std::slice::from_ref(&Cast::new().issuer) };
            assert!(signed.clone().verify(anchors, NOW).is_err(), "nobody trusted signed it");
            signed.unverified().clone()
        }
    };
    assert_eq!(corim::Corim::decode(&manifest.encode()).as_ref(), Ok(&manifest));
    assert!(corim::Difference::between(&manifest, &manifest).is_empty(), "what it says is what it says");
    let without = corim::Corim { tags: Vec::new(), ..manifest.clone() };
    assert!(!corim::Difference::between(&manifest, &without).is_empty(), "a manifest has tags");
    true
}

pub(super) fn comid(bytes: &[u8]) -> bool {
    let Ok(tag) = corim::Comid::decode(bytes) else { return false };
    assert_eq!(corim::Comid::decode(&tag.encode()).as_ref(), Ok(&tag));
    let id = corim::TagId::Text("manifest".into());
    let manifest = corim::Corim::new(id, vec![corim::Tag::Comid(tag)]).encode();
    let Ok(corim::Received::Unsigned(unsigned)) = corim::Received::decode(&manifest) else { return true };
    if let Ok(verified) = unsigned.trusted_by_operator("operator", Vec::new(), NOW) {
        appraise_with(&verified);
    }
    true
}

pub(super) fn coserv(bytes: &[u8]) -> bool {
    let Ok(message) = corim::Coserv::decode(bytes) else { return false };
    assert_eq!(corim::Coserv::decode(&message.encode()), Ok(message));
    true
}

/// Judges evidence that is just what each of the reference values says.
fn appraise_with(manifest: &corim::VerifiedCorim) {
    let mut references = corim::References::new();
    references.add(manifest, corim::ReleaseUnit::Corim);
    let triples = manifest.corim().comids().flat_map(|comid| &comid.triples.reference).take(8);
    let evidence: Vec<_> = triples
        .map(|triple| {
            let elements = triple.measurements.iter().map(corim::Element::from).collect();
            corim::Ect::evidence(triple.environment.clone(), elements, Vec::new())
        })
        .collect();
    let _outcome = references.appraise(&evidence, |_| true);
    let mut state = corim::StateSet::new(evidence);
    let before = state.clone();
    if state.augment(&[manifest]).is_err() {
        assert_eq!(state, before, "what was too much left nothing behind");
    }
}
