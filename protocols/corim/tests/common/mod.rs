//! Manifests and evidence of a PSA device, and who signs them.

#![allow(dead_code, reason = "every test binary uses a part")]

use corim::{
    Anchors, Class, ClassId, Comid, Corim, CryptoKey, Digest, Ect, Element, Environment, Instance,
    MeasuredElement, Measurement, MeasurementValues, PSA_SOFTWARE_COMPONENT, Profile, Received, SignerMeta,
    Tag, TagId, TagIdentity, Triples, ValuesTriple, VerifiedCorim,
};
use cose::{Purpose, TrustAnchor, TrustAnchors};
use crypto::{HashAlgorithm, SignatureAlgorithm, SigningKey};
use sextant_corim as corim;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const CLASS: u8 = 1;

/// A component as PSA measures it: its type and what it is, one byte for each.
#[derive(Clone, Copy)]
pub(crate) struct Component(pub(crate) &'static str, pub(crate) u32, pub(crate) u8);

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).expect("a scalar below the order")
}

pub(crate) fn anchors(seeds: &[u8]) -> TrustAnchors {
    let anchor =
        |seed: &u8| TrustAnchor::new(key(*seed).public_key().clone(), Purpose::Corim, format!("{seed}"));
    seeds.iter().map(anchor).collect()
}

pub(crate) fn class(byte: u8) -> Environment {
    let class = Class { id: Some(ClassId::Bytes(vec![byte; 32])), ..Class::default() };
    Environment { class: Some(class), ..Environment::default() }
}

pub(crate) fn device(byte: u8) -> Environment {
    let mut ueid = vec![1];
    ueid.extend([9; 32]);
    Environment { instance: Some(Instance::Ueid(ueid)), ..class(byte) }
}

pub(crate) fn sha256(content: u32) -> Digest {
    crypto::Digest::of(HashAlgorithm::Sha256, &content.to_be_bytes()).into()
}

pub(crate) fn values(component: Component) -> MeasurementValues {
    MeasurementValues {
        digests: vec![sha256(component.1)],
        name: Some(component.0.into()),
        cryptokeys: vec![CryptoKey::Bytes(vec![component.2; 32])],
        ..MeasurementValues::default()
    }
}

pub(crate) fn measurement(component: Component) -> Measurement {
    let key = Some(MeasuredElement::Name(PSA_SOFTWARE_COMPONENT.into()));
    Measurement { key, ..Measurement::new(values(component)) }
}

pub(crate) fn triple(environment: Environment, components: &[Component]) -> ValuesTriple {
    ValuesTriple { environment, measurements: components.iter().map(|c| measurement(*c)).collect() }
}

pub(crate) fn evidence(environment: Environment, components: &[Component]) -> Ect {
    let elements = components.iter().map(|component| Element::from(&measurement(*component))).collect();
    Ect::evidence(environment, elements, vec![CryptoKey::Bytes(b"attester".to_vec())])
}

pub(crate) fn comid(id: &str, triples: Triples) -> Comid {
    Comid::new(TagIdentity { id: TagId::Text(id.into()), version: 0 }, triples)
}

pub(crate) fn manifest(id: &str, triples: Triples) -> Corim {
    Corim::new(TagId::Text(id.into()), vec![Tag::Comid(comid(&format!("{id}/comid"), triples))])
}

/// A PSA release of these components.
pub(crate) fn release(id: &str, components: &[Component]) -> Corim {
    let reference = vec![triple(class(CLASS), components)];
    let profile = Some(Profile::Uri("tag:arm.com,2025:psa#1.0.0".into()));
    Corim { profile, ..manifest(id, Triples { reference, ..Triples::default() }) }
}

/// What an operator's upload makes of a manifest.
pub(crate) fn uploaded(corim: &Corim) -> VerifiedCorim {
    let bytes = corim.build().expect("a decoder would take it");
    let Received::Unsigned(unsigned) = Received::decode(&bytes).expect("our own") else {
        panic!("not signed")
    };
    unsigned.trusted_by_operator("operator", Vec::new(), NOW).expect("within its profile")
}

/// What a signature makes of a manifest.
pub(crate) fn signed(corim: &Corim, seed: u8) -> VerifiedCorim {
    let bytes = corim.sign(&SignerMeta::new("maker"), &key(seed), b"").expect("a manifest");
    verify(&bytes, &[seed]).expect("our own")
}

pub(crate) fn verify(bytes: &[u8], seeds: &[u8]) -> Result<VerifiedCorim, corim::Error> {
    // Messages of these tests name no key.
    let keys =
        anchors(seeds).iter().map(|anchor| TrustAnchor { kid: Vec::new(), ..anchor.clone() }).collect();
    match Received::decode(bytes)? {
        Received::Signed(signed) => signed.verify(Anchors { keys: &keys, issuers: &[] }, NOW),
        Received::Unsigned(_) => panic!("not signed"),
    }
}
