//! The appraisal that the draft gives as its example: evidence of a PSA device, a reference value, a certificate.
//!
//! The draft writes it in an internal representation with names for keys. Its parts are the wire format's, so they are put
//! into manifests here, and what comes out is compared with what the draft says is then true.

mod common;

use std::path::Path;

use cbor::{Key, Order, Reader, Writer};
use common::NOW;
use corim::{
    ClaimKind, Comid, ConditionalTriple, Corim, CryptoKey, Ect, Element, Outcome, Profile, Received,
    References, ReleaseUnit, StateSet, Tag, TagId, TagIdentity, Triples, ValuesTriple, VerifiedCorim,
};
use sextant_corim as corim;

/// A tuple of the internal representation.
struct Tuple {
    triple: ValuesTriple,
    authority: Vec<CryptoKey>,
    kind: Option<ClaimKind>,
}

impl Tuple {
    fn ect(&self) -> Ect {
        Ect {
            environment: self.triple.environment.clone(),
            elements: self.triple.measurements.iter().map(Element::from).collect(),
            authority: self.authority.clone(),
            kind: self.kind.expect("a kind of message"),
        }
    }
}

#[test]
fn the_example_of_the_draft_comes_out_as_the_draft_says() {
    let Some(folder) = testkit::vectors("corim") else { return };
    let folder = folder.join("draft-intrep");
    let evidence = relation(&folder, "intrep-rel-ae-psa.cbor", "addition").remove(0).ect();
    let expected = relation(&folder, "intrep-rel-rv-psa-1.cbor", "condition").remove(0).triple;
    let provider = relation(&folder, "intrep-rel-rv-psa-1.cbor", "addition").remove(0).authority;
    let condition = relation(&folder, "intrep-rel-ev-psa.cbor", "condition").remove(0).triple;
    let endorsement = relation(&folder, "intrep-rel-ev-psa.cbor", "addition").remove(0);

    let reference = vec![expected];
    let references = manifest(Triples { reference, ..Triples::default() }, provider);
    let conditional =
        vec![ConditionalTriple { conditions: vec![condition], endorsements: vec![endorsement.triple] }];
    let certificate = manifest(Triples { conditional, ..Triples::default() }, endorsement.authority);

    let mut state = StateSet::new(vec![evidence.clone()]);
    state.augment(&[&references]).unwrap();
    assert_eq!(state.ects(), acs(&folder, "intrep-acs-psa-1.cbor"));
    state.augment(&[&certificate]).unwrap();
    assert_eq!(state.ects(), acs(&folder, "intrep-acs-psa-2.cbor"));

    let mut index = References::new();
    let ids = index.add(&references, ReleaseUnit::Comid);
    assert_eq!(index.appraise(&[evidence], |_| true).outcome, Outcome::Match(ids[0].clone()));
}

fn manifest(triples: Triples, authority: Vec<CryptoKey>) -> VerifiedCorim {
    let comid = Comid::new(TagIdentity { id: TagId::Text("tag".into()), version: 0 }, triples);
    let profile = Some(Profile::Uri("tag:arm.com,2025:psa#1.0.0".into()));
    let corim = Corim { profile, ..Corim::new(TagId::Text("manifest".into()), vec![Tag::Comid(comid)]) };
    let bytes = corim.build().unwrap();
    let Received::Unsigned(unsigned) = Received::decode(&bytes).unwrap() else { panic!("not signed") };
    unsigned.trusted_by_operator("draft", authority, NOW).unwrap()
}

/// The tuples of a state.
fn acs(folder: &Path, file: &str) -> Vec<Ect> {
    tuples(&std::fs::read(folder.join(file)).unwrap()).iter().map(Tuple::ect).collect()
}

/// The tuples of one side of a relation.
fn relation(folder: &Path, file: &str, side: &str) -> Vec<Tuple> {
    let bytes = std::fs::read(folder.join(file)).unwrap();
    tuples(member(&bytes, side).unwrap_or_else(|| panic!("{file} has no {side}")))
}

/// One tuple, or an array of them.
fn tuples(bytes: &[u8]) -> Vec<Tuple> {
    let mut reader = Reader::with_order(bytes, Order::Unique);
    if reader.peek().unwrap() == cbor::Type::Map {
        return vec![tuple(bytes)];
    }
    (0..reader.array().unwrap()).map(|_| tuple(reader.raw().unwrap())).collect()
}

/// Reads a tuple by making a CoMID of its parts, with the authority where a measurement has one.
fn tuple(bytes: &[u8]) -> Tuple {
    let environment = member(bytes, "environment").expect("an environment");
    // Where a relation adds what evidence says, it says nothing itself.
    let nothing = Writer::encode(|w| {
        w.array(1).map(1).text("element-claims").map(1).int(11).text("nothing");
    });
    let elements = member(bytes, "element-list").unwrap_or(&nothing);
    let authority = member(bytes, "authority");
    let mut elements = Reader::with_order(elements, Order::Unique);
    let count = elements.array().unwrap();
    let comid = Writer::encode(|w| {
        w.map(2).int(1).map(1).int(0).text("x");
        w.int(4).map(1).int(0).array(1).array(2).raw(environment).array(count);
        for _ in 0..count {
            let element = elements.raw().unwrap();
            let id = member(element, "element-id");
            w.map(1 + usize::from(id.is_some()) + usize::from(authority.is_some()));
            if let Some(id) = id {
                w.int(0).raw(id);
            }
            w.int(1).raw(member(element, "element-claims").expect("claims"));
            if let Some(authority) = authority {
                w.int(2).raw(authority);
            }
        }
    });
    let mut comid = Comid::decode(&comid).unwrap();
    let mut triple = comid.triples.reference.remove(0);
    let authority = triple.measurements[0].authorized_by.clone();
    triple.measurements.iter_mut().for_each(|measurement| measurement.authorized_by.clear());
    let kind = member(bytes, "cmtype").map(|kind| match Reader::new(kind).uint() {
        Ok(0) => ClaimKind::ReferenceValues,
        Ok(1) => ClaimKind::Endorsements,
        Ok(2) => ClaimKind::Evidence,
        other => panic!("{other:?} is no kind of message"),
    });
    Tuple { triple, authority, kind }
}

/// The encoded value of a name in a map.
fn member<'b>(bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
    let mut reader = Reader::with_order(bytes, Order::Unique);
    let mut map = reader.map().unwrap();
    while let Some(key) = map.next(&mut reader).unwrap() {
        let value = reader.raw().unwrap();
        if key == Key::Text(name) {
            return Some(value);
        }
    }
    None
}
