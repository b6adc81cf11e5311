//! Every vector behaves as its index says, or is listed here with the reason why not.

#![allow(clippy::print_stderr, reason = "what is passed over is said aloud")]

use std::collections::BTreeMap;
use std::path::Path;

use corim::{
    Anchors, CCA_SOFTWARE_COMPONENT, Comid, Corim, Coserv, Cotl, CryptoKey, Ect, Element, Error,
    KnownProfile, MeasuredElement, Outcome, PSA_SOFTWARE_COMPONENT, RawValue, Received, References,
    ReleaseUnit, SignedCorim, SignerMeta, VerifiedCorim,
};
use cose::{Purpose, TrustAnchor, TrustAnchors};
use crypto::{PublicKey, SignatureAlgorithm};
use sextant_corim as corim;

/// Within the validity of every vector that has one and is not about to fail.
const NOW: i64 = 1_700_000_000;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Corim,
    Comid,
    Cotl,
    Coserv,
    /// The protected header of a signed CoRIM.
    Header,
    /// Nothing that this crate reads; why.
    Foreign(&'static str),
}

/// What came of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Accepted,
    /// Well-formed, and refused for its profile, validity or signature.
    Refused,
    Malformed,
}

/// Well-formed, and refused whole for its profile, as the draft demands (section 4.1.4).
const FOREIGN_PROFILE: &str = "names the profile of an example, which nobody knows";

/// Digests whose length is not that of their algorithm are refused wherever they stand.
const SHORT_DIGEST: &str = "a SHA-256 of one byte";

/// Files that do not behave as their index says, and why.
const EXCEPTIONS: &[(&str, Fate, &str)] = &[
    ("hirs/corim_expected_without_comid.cbor", Fate::Malformed, "has no tags, and the draft demands one"),
    ("hirs/corim_expected_with_comid.cbor", Fate::Refused, FOREIGN_PROFILE),
    ("veraison-corim/corim-firmware-cd.cbor", Fate::Refused, FOREIGN_PROFILE),
    ("veraison-corim/signed-example-corim.cbor", Fate::Refused, FOREIGN_PROFILE),
    ("veraison-corim/unsigned-example-corim.cbor", Fate::Refused, FOREIGN_PROFILE),
    ("draft/corim-design-cd.cbor", Fate::Refused, FOREIGN_PROFILE),
    ("draft/corim-firmware-cd.cbor", Fate::Refused, FOREIGN_PROFILE),
    (
        "cocli/cmd-testcases-psa-refval.cbor",
        Fate::Malformed,
        "implementation id of 33 bytes, the last a line feed",
    ),
    ("cocli/cmd-testcases-signed-corim-valid.cbor", Fate::Malformed, "implementation id is text"),
    ("cocli/data-comid-1.cbor", Fate::Malformed, "implementation id under tag 551, and keys in maps"),
    ("cocli/data-corim-corim-full.cbor", Fate::Malformed, "class has a model and no vendor"),
    ("cocli/data-corim-unsigned-corim.cbor", Fate::Malformed, "class has a model and no vendor"),
    ("coserv-draft/rv-class-stateful.cbor", Fate::Malformed, SHORT_DIGEST),
    ("coserv-apiclient/example_result.cbor", Fate::Malformed, SHORT_DIGEST),
    ("veraison-coserv/rv-class-simple-results.cbor", Fate::Malformed, SHORT_DIGEST),
    ("veraison-coserv/rv-class-stateful.cbor", Fate::Malformed, SHORT_DIGEST),
];

/// Files that encode to other bytes of the same value: those whose sender did not sort the keys of maps, and those that use
/// a form of older drafts where today's is written.
const OTHER_BYTES: &[&str] = &[
    // Tags in byte strings, profiles that are plain text, or no tag around the manifest.
    "veraison-e2e/psa-endorsements.cbor",
    "veraison-e2e/cca-endorsements.cbor",
    "hirs/corim_expected_with_comid.cbor",
    "cocli/cmd-testcases-signed-corim-valid-with-cots.cbor",
    // Keys in another order.
    "veraison-corim/corim-roles.cbor",
    "veraison-corim/signed-example-corim.cbor",
    "veraison-corim/signed-good-corim.cbor",
    "veraison-corim/unsigned-example-corim.cbor",
    "veraison-corim/unsigned-good-corim.cbor",
    "veraison-profiles-cca/cca-platform-invalid-impl-id.cbor",
    "veraison-profiles-cca/cca-realm-invalid-missing-rim.cbor",
    "veraison-profiles-cca/cca-realm-invalid-rim-size.cbor",
    "veraison-profiles-cca/no-profile.cbor",
    "veraison-profiles-psa/no-profile.cbor",
    "veraison-profiles-psa/psa-invalid-attest-key.cbor",
    "veraison-profiles-psa/psa-valid.cbor",
    "veraison-profiles-tdx/comid_pce_refval.cbor",
    "veraison-profiles-tdx/comid_qe_refval.cbor",
];

/// Why each invalid file is refused: by the rule that it was made to break.
const REASONS: &[(&str, &str)] = &[
    (
        "veraison-integration-endorsements/corim-enacttrust-badta.cbor",
        "WrongType { expected: Tag, found: Map }",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-platform-bad-no-class.cbor",
        "class is not an implementation id of 32 bytes",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-platform-bad-refval-cryptokeys.cbor",
        "there is not exactly one signer id",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-platform-bad-refval-mkey-string.cbor",
        "measurement key is that of neither a software component nor the configuration",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-platform-bad-refval-mkey.cbor",
        "measurement key is that of neither a software component nor the configuration",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-platform-bad-refval-no-mkey.cbor",
        "measurement key is that of neither a software component nor the configuration",
    ),
    ("veraison-scheme-arm-cca/corim-cca-platform-bad-refval-no-raw-value.cbor", "there is no raw value"),
    (
        "veraison-scheme-arm-cca/corim-cca-platform-bad-ta-instance.cbor",
        "instance is not a UEID of type 1 with 33 bytes",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-platform-bad-ta-no-instance.cbor",
        "instance is not a UEID of type 1 with 33 bytes",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-realm-bad-instance.cbor",
        "class is not the initial measurement of a realm",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-realm-bad-no-instance.cbor",
        "class is not the initial measurement of a realm",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-realm-bad-no-raw-value.cbor",
        "there is no personalisation value of 64 bytes",
    ),
    (
        "veraison-scheme-arm-cca/corim-cca-realm-bad-no-rim.cbor",
        "initial measurement of the realm is missing",
    ),
    ("veraison-scheme-parsec-tpm/corim-parsec-tpm-bad-class-id.cbor", "class is not a UUID"),
    ("veraison-scheme-parsec-tpm/corim-parsec-tpm-bad-instance.cbor", "instance is not bytes"),
    ("veraison-scheme-parsec-tpm/corim-parsec-tpm-bad-no-class-id.cbor", "class is not a UUID"),
    ("veraison-scheme-parsec-tpm/corim-parsec-tpm-bad-no-class.cbor", "class is not a UUID"),
    ("veraison-scheme-parsec-tpm/corim-parsec-tpm-bad-no-instance.cbor", "instance is not bytes"),
    (
        "veraison-scheme-parsec-tpm/corim-parsec-tpm-bad-no-pcr.cbor",
        "measurement key is not the number of a register",
    ),
    ("veraison-scheme-psa-iot/corim-psa-bad-class.cbor", "class is not an implementation id of 32 bytes"),
    ("veraison-scheme-psa-iot/corim-psa-bad-instance.cbor", "instance is not a UEID of type 1 with 33 bytes"),
    (
        "veraison-scheme-psa-iot/corim-psa-bad-refval-mkey.cbor",
        "measurement key is not that of a software component",
    ),
    ("veraison-scheme-psa-iot/corim-psa-bad-refval-mval.cbor", "there are no digests"),
    (
        "veraison-scheme-psa-iot/corim-psa-bad-ta-no-instance.cbor",
        "instance is not a UEID of type 1 with 33 bytes",
    ),
    ("veraison-scheme-riot/corim-riot-bad-no-vendor.cbor", "class has a model and no vendor"),
    ("veraison-scheme-riot/corim-riot-bad-refvals.cbor", "there are reference values"),
    ("veraison-scheme-riot/corim-riot-bad-wrong-vendor.cbor", "class has another vendor or model"),
    ("veraison-scheme-sevsnp/corim-sevsnp-bad-refval-key.cbor", "measurement key is not a number"),
    ("veraison-scheme-sevsnp/corim-sevsnp-bad-refval-no-key.cbor", "measurement key is not a number"),
    ("veraison-scheme-sevsnp/corim-sevsnp-bad-ta-no-vendor.cbor", "class has a model and no vendor"),
    (
        "veraison-scheme-tpm-enacttrust/corim-enacttrust-bad-class.cbor",
        "environment is not the UUID of an instance alone",
    ),
    (
        "veraison-scheme-tpm-enacttrust/corim-enacttrust-bad-instance.cbor",
        "environment is not the UUID of an instance alone",
    ),
    (
        "veraison-scheme-tpm-enacttrust/corim-enacttrust-bad-multiple-keys.cbor",
        "there is not exactly one key",
    ),
    (
        "veraison-scheme-tpm-enacttrust/corim-enacttrust-bad-multiple-measurements.cbor",
        "there is not exactly one measurement",
    ),
    (
        "veraison-scheme-tpm-enacttrust/corim-enacttrust-bad-no-instance.cbor",
        "environment is not the UUID of an instance alone",
    ),
    (
        "veraison-profiles-cca/cca-platform-invalid-digests.cbor",
        "digest has another length than its algorithm",
    ),
    (
        "veraison-profiles-cca/cca-platform-invalid-impl-id.cbor",
        "class is not an implementation id of 32 bytes",
    ),
    (
        "veraison-profiles-cca/cca-realm-invalid-missing-rim.cbor",
        "initial measurement of the realm is missing",
    ),
    (
        "veraison-profiles-cca/cca-realm-invalid-rim-size.cbor",
        "class is not the initial measurement of a realm",
    ),
    ("veraison-profiles-psa/psa-invalid-attest-key.cbor", "there is not exactly one public key"),
    ("cocli/data-corim-signed-corim-bad-signature.cbor", "WrongType { expected: Map, found: Simple }"),
];

fn kind(group: &str, stem: &str, file: &str) -> Kind {
    let foreign = Kind::Foreign;
    if !file.ends_with(".cbor") {
        return foreign("no CBOR: an authoring form, a key, or the notation of a file beside it");
    }
    match group {
        _ if stem.starts_with("discovery") || stem.starts_with("problem") => {
            foreign("a document of the HTTP interface")
        }
        _ if group.starts_with("coserv") || group.starts_with("veraison-coserv") => Kind::Coserv,
        _ if group.starts_with("veraison-coev") => foreign("concise evidence of TCG"),
        "draft-intrep" => {
            foreign("internal representation, no wire format: draft.rs appraises what is in it of PSA")
        }
        _ if stem.contains("cots") && !stem.contains("corim") => foreign("a trust anchor store"),
        "veraison-comid" | "veraison-profiles-tdx" => Kind::Comid,
        "draft" if stem.starts_with("comid") => Kind::Comid,
        "draft" if stem.starts_with("cotl") => Kind::Cotl,
        "draft" if stem.starts_with("protected-header") => Kind::Header,
        "cocli" if stem.contains("psa-refval") || stem.starts_with("data-comid") => Kind::Comid,
        _ => Kind::Corim,
    }
}

#[test]
fn every_vector_behaves_as_its_index_says() {
    let Some((folder, index)) = testkit::index("corim") else { return };
    let anchors = anchors(&folder);
    let mut counts: BTreeMap<Fate, usize> = BTreeMap::new();
    let mut foreign: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut exceptions, mut refusals) = (0, 0);
    let (mut deterministic, mut other) = (0, Vec::new());
    let mut wrong = Vec::new();
    for testkit::IndexRow { group, stem, files, expect } in index {
        for file in files {
            let kind = kind(&group, &stem, &file);
            if let Kind::Foreign(reason) = kind {
                *foreign.entry(reason).or_default() += 1;
                continue;
            }
            let name = format!("{group}/{file}");
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            let (fate, detail) = judge(kind, &bytes, &anchors);
            let exception = EXCEPTIONS.iter().find(|(known, ..)| *known == name);
            let fits = match exception {
                Some((_, expected, _)) => fate == *expected,
                None if expect.starts_with("INVALID") => fate != Fate::Accepted,
                None => fate == Fate::Accepted,
            };
            if !fits {
                wrong.push(format!("{name}: {expect:?} but {fate:?} {detail}"));
            }
            if expect.starts_with("INVALID") {
                let reason = REASONS.iter().find(|(known, _)| *known == name).map(|(_, reason)| *reason);
                if !reason.is_some_and(|reason| detail.contains(reason)) {
                    wrong.push(format!("{name}: refused for {detail} and not for {reason:?}"));
                }
                refusals += 1;
            }
            if let Some((_, _, reason)) = exception {
                exceptions += 1;
                eprintln!("EXCEPTION: {name}: {reason}: {detail}");
            }
            *counts.entry(fate).or_default() += 1;
            if fate != Fate::Malformed {
                match round_trip(kind, &bytes) {
                    Some(true) => deterministic += 1,
                    Some(false) => other.push(name),
                    None => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    eprintln!("{counts:?}, {refusals} of them made to be refused, {exceptions} exceptions");
    eprintln!("{deterministic} encode as they came, {} to other bytes of the same value", other.len());
    other.sort();
    let mut known = OTHER_BYTES.to_vec();
    known.sort_unstable();
    assert_eq!(other, known);
    eprintln!("passed over: {foreign:?}");
    assert_eq!((exceptions, refusals), (EXCEPTIONS.len(), REASONS.len()));
}

fn judge(kind: Kind, bytes: &[u8], anchors: &TrustAnchors) -> (Fate, String) {
    let result = match kind {
        Kind::Corim => accept(bytes, anchors).map(|_| ()),
        Kind::Comid => Comid::decode(bytes).map(|_| ()),
        Kind::Cotl => Cotl::decode(bytes).map(|_| ()),
        Kind::Coserv => Coserv::decode(bytes).map(|_| ()),
        Kind::Header => header(bytes).map(|_| ()),
        Kind::Foreign(_) => unreachable!("not judged"),
    };
    match result {
        Ok(()) => (Fate::Accepted, String::new()),
        Err(error @ (Error::Malformed(_) | Error::Signature(cose::Error::Malformed(_)))) => {
            (Fate::Malformed, format!("{error:?}"))
        }
        Err(error) => (Fate::Refused, format!("{error:?}")),
    }
}

fn accept(bytes: &[u8], anchors: &TrustAnchors) -> Result<VerifiedCorim, Error> {
    match Received::decode(bytes)? {
        Received::Signed(signed) => signed.verify(Anchors { keys: anchors, issuers: &[] }, NOW),
        Received::Unsigned(unsigned) => unsigned.trusted_by_operator("operator", Vec::new(), NOW),
    }
}

/// Decodes a signed manifest made of a protected header and nothing that is signed.
fn header(protected: &[u8]) -> Result<SignerMeta, Error> {
    let content = Corim::new(corim::TagId::Text("x".into()), vec![corim::Tag::Coswid(vec![0xa0])]).encode();
    let is_envelope = protected.windows(3).any(|window| window == [0x19, 0x01, 0x02]);
    let message = cbor::Writer::encode(|w| {
        w.tag(18).array(4).bytes(protected).map(0);
        if is_envelope { w.bytes(&[0; 32]) } else { w.bytes(&content) }.bytes(&[0; 96]);
    });
    let signed = SignedCorim::decode(&message, is_envelope.then_some(content.as_slice()))?;
    assert_eq!(signed.location().is_some(), is_envelope);
    assert!(signed.meta().check(1_757_521_287).is_ok() && signed.meta().check(1_757_521_288).is_err());
    Ok(signed.meta().clone())
}

/// Whether the encoding is the input; that it decodes to the same is asserted. None for headers.
fn round_trip(kind: Kind, bytes: &[u8]) -> Option<bool> {
    let (input, encoded) = match kind {
        Kind::Comid => {
            let comid = Comid::decode(bytes).unwrap();
            assert_eq!(Comid::decode(&comid.encode()).unwrap(), comid);
            (bytes.to_vec(), comid.encode())
        }
        Kind::Cotl => {
            let cotl = Cotl::decode(bytes).unwrap();
            assert_eq!(Cotl::decode(&cotl.encode()).unwrap(), cotl);
            (bytes.to_vec(), cotl.encode())
        }
        Kind::Coserv => {
            let coserv = Coserv::decode(bytes).unwrap();
            assert_eq!(Coserv::decode(&coserv.encode()).unwrap(), coserv);
            (bytes.to_vec(), coserv.encode())
        }
        Kind::Corim => {
            let (input, corim) = match Received::decode(bytes).unwrap() {
                Received::Unsigned(unsigned) => (bytes.to_vec(), unsigned.unverified().clone()),
                Received::Signed(signed) => {
                    let message = cose::Sign1::decode(bytes).unwrap();
                    (message.payload().unwrap().to_vec(), signed.unverified().clone())
                }
            };
            assert_eq!(Corim::decode(&corim.encode()).unwrap(), corim);
            assert_eq!(corim.build().unwrap(), corim.encode());
            (input, corim.encode())
        }
        Kind::Header | Kind::Foreign(_) => return None,
    };
    Some(input == encoded)
}

/// The key with which the signed vectors are signed.
fn anchors(folder: &Path) -> TrustAnchors {
    let jwk = std::fs::read_to_string(folder.join("veraison-corim-keys/ec-p256.jwk")).unwrap();
    let member = |name: &str| {
        let rest = jwk.split(&format!("\"{name}\": \"")).nth(1).unwrap();
        base64url(rest.split('"').next().unwrap())
    };
    let key = PublicKey::from_ec2(SignatureAlgorithm::Es256, &member("x"), &member("y")).unwrap();
    // Messages name it by the `kid` of the JWK, or not at all.
    let anchor = TrustAnchor { kid: b"1".to_vec(), ..TrustAnchor::new(key, Purpose::Corim, "vectors") };
    TrustAnchors::new(vec![anchor])
}

fn base64url(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = |c: u8| digits.iter().position(|digit| *digit == c).unwrap() as u32;
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for c in text.bytes() {
        bits = bits << 6 | value(c);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

#[test]
fn signed_vectors_verify_with_their_key_and_no_other() {
    let Some(folder) = testkit::vectors("corim") else { return };
    let anchors = anchors(&folder);
    let bytes = std::fs::read(folder.join("veraison-corim/signed-good-corim.cbor")).unwrap();
    let verified = accept(&bytes, &anchors).unwrap();
    assert_eq!(verified.meta().unwrap().name, "ACME Ltd signing key");
    assert!(verified.authority_keys().iter().any(|key| matches!(key, CryptoKey::CoseKey(_))));
    let Received::Signed(signed) = Received::decode(&bytes).unwrap() else { panic!("signed") };
    let nobody = TrustAnchors::default();
    let refused = signed.clone().verify(Anchors { keys: &nobody, issuers: &[] }, NOW);
    assert_eq!(refused, Err(Error::Signature(cose::Distrust::NoKey.into())));
    let late = signed.verify(Anchors { keys: &anchors, issuers: &[] }, 1_800_000_000);
    assert_eq!(late, Err(Error::Untrusted(corim::Distrust::Expired)));
}

/// What profiles before 2025 wrote and what today's write match the same evidence.
#[test]
fn older_and_newer_endorsements_of_psa_and_cca_match_evidence_in_one_form() {
    let Some(folder) = testkit::vectors("corim") else { return };
    let rows = [
        ("veraison-e2e/psa-endorsements.cbor", KnownProfile::OlderPsa, PSA_SOFTWARE_COMPONENT, 3),
        ("veraison-scheme-psa-iot/corim-psa-valid.cbor", KnownProfile::Psa, PSA_SOFTWARE_COMPONENT, 3),
        ("veraison-profiles-psa/psa-valid.cbor", KnownProfile::Psa, PSA_SOFTWARE_COMPONENT, 1),
        ("veraison-e2e/cca-endorsements.cbor", KnownProfile::OlderCcaPlatform, CCA_SOFTWARE_COMPONENT, 4),
        (
            "veraison-scheme-parsec-cca/corim-parsec-cca-valid.cbor",
            KnownProfile::ParsecCca,
            CCA_SOFTWARE_COMPONENT,
            4,
        ),
    ];
    for (name, profile, component, components) in rows {
        let verified = accept(&std::fs::read(folder.join(name)).unwrap(), &TrustAnchors::default()).unwrap();
        assert_eq!(verified.profile(), Some(profile), "{name}");
        let key = verified.corim().comids().flat_map(|comid| &comid.triples.attest_key).next().unwrap();
        // As an adapter would fill it: every value of a component, under the device's own environment.
        let reference = verified.corim().comids().flat_map(|comid| &comid.triples.reference).next().unwrap();
        let software = MeasuredElement::Name(component.into());
        let named =
            reference.measurements.iter().filter(|measurement| measurement.key.as_ref() == Some(&software));
        assert_eq!(named.count(), components, "{name}");
        let found = |measurement: &corim::Measurement| {
            let mut element = Element::from(measurement);
            if let Some(RawValue::OlderMasked { value, .. }) = &element.values.raw_value {
                element.values.raw_value = Some(RawValue::Plain(value.clone()));
            }
            element
        };
        let class = key.environment.class.as_ref().and_then(|class| class.id.clone()).unwrap();
        let mut device = reference.environment.clone();
        assert_eq!(device.class.as_ref().and_then(|class| class.id.clone()), Some(class), "{name}");
        device.instance = key.environment.instance.clone();
        assert_eq!(verified.attest_keys(&device, &[]).count(), 1, "{name}");
        let elements: Vec<_> = reference.measurements.iter().map(found).collect();
        let mut references = References::new();
        let ids = references.add(&verified, ReleaseUnit::Comid);
        let appraise = |elements: &[Element]| {
            let evidence = Ect::evidence(device.clone(), elements.to_vec(), Vec::new());
            references.appraise(&[evidence], |_| true).outcome
        };
        assert_eq!(appraise(&elements), Outcome::Match(ids[0].clone()), "{name}");
        let mut altered = elements.clone();
        altered[0].values.cryptokeys = vec![CryptoKey::Bytes(vec![0; 32])];
        assert!(matches!(appraise(&altered), Outcome::WrongSigner(_)), "{name}");
        if elements.len() > 1 {
            assert!(matches!(appraise(&elements[1..]), Outcome::ComponentMissing(_)), "{name}");
        }
    }
}
