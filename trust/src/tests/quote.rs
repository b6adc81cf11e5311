//! Quotes of TPMs against manifests that name PCRs: made here, and those of vectors.

use alloc::{collections::BTreeMap, string::String, vec, vec::Vec};

use corim::{
    Class, ClassId, Comid, Corim, CryptoKey, Environment, Instance, KeyTriple, MeasuredElement, Measurement,
    MeasurementValues, Received, RegisterId, Tag, TagId, TagIdentity, Triples, ValuesTriple,
};
use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{Cmw, CmwCollection, CmwKey, CmwRecord, MediaType, Nonce, Tier};
use x509::pem;

use super::{
    attester::beliefs,
    fixture::{NOW, key},
};
use crate::{
    Agreement, Appraised, Beliefs, Code, Endorsements, ForeignEvidence, compare_attester, corroborate,
    unwrap_evidence,
};

const NODE: [u8; 16] = [0x44; 16];
const QUALIFIED_NAME: [u8; 34] = [9; 34];
const ENACT_TRUST: &str = "application/vnd.enacttrust.tpm-evidence";
const PARSEC: &str = "application/vnd.parallaxsecond.key-attestation.tpm";
pub(super) const CMW: &str = "application/cmw+cbor";

fn nonce() -> Nonce {
    Nonce::new(&[7; 32]).unwrap()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// The value of a PCR of SHA-256 in these tests.
fn value(pcr: u8) -> Digest {
    Digest::of(HashAlgorithm::Sha256, &[pcr])
}

/// The values of PCRs one after the other, and their digest.
fn over(values: &[Digest]) -> (Vec<u8>, Digest) {
    let bytes = values.iter().flat_map(Digest::as_bytes).copied().collect::<Vec<u8>>();
    (bytes.clone(), Digest::of(HashAlgorithm::Sha256, &bytes))
}

/// TPMS_ATTEST of a quote in the bank of SHA-256, and its TPMT_SIGNATURE.
fn quote(key: &SigningKey, nonce: &[u8], pcrs: &[u8], digest: &Digest) -> (Vec<u8>, Vec<u8>) {
    let bitmap = pcrs.iter().fold(0u32, |bits, pcr| bits | 1 << pcr).to_le_bytes();
    let attest = [
        &[0xff, 0x54, 0x43, 0x47, 0x80, 0x18][..],
        &sized(&QUALIFIED_NAME),
        &sized(nonce),
        &[0; 16],
        &[1],
        &[0; 8],
        &[0, 0, 0, 1, 0x00, 0x0b, 3],
        &bitmap[..3],
        &sized(digest.as_bytes()),
    ]
    .concat();
    let signature = key.sign(&attest);
    let (r, s) = signature.split_at(32);
    let signature = [&[0x00, 0x18, 0x00, 0x0b][..], &sized(r), &sized(s)].concat();
    (attest, signature)
}

fn enact_trust(key: &SigningKey, nonce: &[u8], pcrs: &[u8], digest: &Digest) -> Vec<u8> {
    let (attest, signature) = quote(key, nonce, pcrs, digest);
    [&NODE[..], &sized(&attest), &signature].concat()
}

pub(super) fn collection(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let entry = |(name, value): &(&str, &[u8])| {
        let record = CmwRecord::new("application/vnd.example.tpm-part", *value).unwrap();
        (CmwKey::Text((*name).into()), Cmw::from(record))
    };
    Cmw::from(CmwCollection { kind: None, entries: parts.iter().map(entry).collect() }).encode()
}

/// A collection of a quote with the values of its PCRs.
fn whole(key: &SigningKey, pcrs: &[u8], values: &[Digest]) -> Vec<u8> {
    let (bytes, digest) = over(values);
    let (attest, signature) = quote(key, nonce().as_bytes(), pcrs, &digest);
    collection(&[("attest", &attest), ("sig", &signature), ("pcrs", &bytes), ("log", b"events")])
}

fn instance(instance: Instance) -> Environment {
    Environment { instance: Some(instance), ..Environment::default() }
}

fn class() -> Environment {
    let class = Class { id: Some(ClassId::Uuid([5; 16])), ..Class::default() };
    Environment { class: Some(class), ..Environment::default() }
}

pub(super) fn accept(bytes: &[u8]) -> corim::VerifiedCorim {
    match Received::decode(bytes).unwrap() {
        Received::Unsigned(manifest) => manifest.trusted_by_operator("operator", vec![], NOW).unwrap(),
        Received::Signed(_) => panic!("these are unsigned"),
    }
}

/// The key of an instance of the class, and releases of that environment.
fn endorsements(
    device: &SigningKey,
    by: Instance,
    about: &Environment,
    releases: &[Vec<Measurement>],
) -> Endorsements {
    let pem = pem::encode("PUBLIC KEY", &device.public_key().to_spki_der());
    let keys = KeyTriple {
        environment: Environment { instance: Some(by), ..class() },
        keys: vec![CryptoKey::PkixKey(pem)],
        element: None,
        authorized_by: vec![],
    };
    let tag = |name: String, triples| {
        Tag::Comid(Comid::new(TagIdentity { id: TagId::Text(name), version: 0 }, triples))
    };
    let mut tags = vec![tag("keys".into(), Triples { attest_key: vec![keys], ..Triples::default() })];
    tags.extend(releases.iter().enumerate().map(|(index, measurements)| {
        let reference = ValuesTriple { environment: about.clone(), measurements: measurements.clone() };
        let triples = Triples { reference: vec![reference], ..Triples::default() };
        tag(alloc::format!("release {index}"), triples)
    }));
    let mut endorsements = Endorsements::new();
    endorsements.add(accept(&Corim::new(TagId::Text("maker".into()), tags).build().unwrap()));
    endorsements
}

/// Each PCR as an element under its number.
fn elements(values: &[(u8, Digest)]) -> Vec<Measurement> {
    let element = |(pcr, value): &(u8, Digest)| Measurement {
        key: Some(MeasuredElement::Number((*pcr).into())),
        ..Measurement::new(MeasurementValues {
            digests: vec![(*value).into()],
            ..MeasurementValues::default()
        })
    };
    values.iter().map(element).collect()
}

/// The PCRs as registers of one element.
fn registers(values: &[(u8, Digest)]) -> Vec<Measurement> {
    let registers: BTreeMap<_, _> = values
        .iter()
        .map(|(pcr, value)| (RegisterId::Number((*pcr).into()), vec![(*value).into()]))
        .collect();
    let values = MeasurementValues { integrity_registers: registers, ..MeasurementValues::default() };
    vec![Measurement::new(values)]
}

/// One digest over PCRs, whose name may tell which they are.
fn one(digest: Digest, name: Option<&str>) -> Vec<Measurement> {
    vec![Measurement::new(MeasurementValues {
        digests: vec![digest.into()],
        name: name.map(Into::into),
        ..MeasurementValues::default()
    })]
}

fn judge(media_type: &str, bytes: &[u8], beliefs: &Beliefs<'_>, nonce: &Nonce) -> Result<Appraised, Code> {
    let media_type = MediaType::parse(media_type).unwrap();
    let (bytes, media_type) = unwrap_evidence(bytes, &media_type).map_err(|reason| reason.code)?;
    let evidence = ForeignEvidence::decode(&bytes, &media_type).map_err(|reason| reason.code)?;
    let attesters = evidence.verify(beliefs, nonce).map_err(|reason| reason.code)?;
    assert_eq!(attesters.len(), 1);
    Ok(corroborate(&attesters[0], beliefs).appraised)
}

/// The reason of the refusal; none where it is affirmed.
pub(super) fn found(media_type: &str, bytes: &[u8], endorsements: &Endorsements) -> Option<Code> {
    match judge(media_type, bytes, &beliefs(endorsements), &nonce()) {
        Err(code) => Some(code),
        Ok(appraised) => {
            let affirmed = appraised.vector.tier() == Tier::Affirming && appraised.release.is_some();
            assert_eq!(appraised.reasons.is_empty(), affirmed, "{appraised:?}");
            appraised.reasons.first().map(|reason| reason.code)
        }
    }
}

#[test]
fn a_quote_is_affirmed_by_a_release_that_names_just_its_pcrs() {
    let device = key(41);
    let named = [(0, value(0)), (4, value(4)), (7, value(7))];
    let good = whole(&device, &[0, 4, 7], &[value(0), value(4), value(7)]);
    for release in [elements(&named), registers(&named)] {
        let endorsements = endorsements(
            &device,
            Instance::Bytes(QUALIFIED_NAME.into()),
            &class(),
            std::slice::from_ref(&release),
        );
        let found = |bytes: &[u8]| found(CMW, bytes, &endorsements);
        assert_eq!(found(&good), None);
        let smaller = whole(&device, &[0, 4], &[value(0), value(4)]);
        assert_eq!(found(&smaller), Some(Code::PcrSelection));
        let larger = whole(&device, &[0, 4, 7, 8], &[value(0), value(4), value(7), value(8)]);
        assert_eq!(found(&larger), Some(Code::PcrSelection));
        let others = whole(&device, &[1, 4, 7], &[value(0), value(4), value(7)]);
        assert_eq!(found(&others), Some(Code::PcrSelection));
        let changed = whole(&device, &[0, 4, 7], &[value(0), value(4), value(9)]);
        assert_eq!(found(&changed), Some(Code::DigestMismatch));
        let forged = whole(&key(42), &[0, 4, 7], &[value(0), value(4), value(7)]);
        assert_eq!(found(&forged), Some(Code::BadEvidenceSignature));

        // Without values the release tells what they must be.
        let (bytes, digest) = over(&[value(0), value(4), value(7)]);
        let (attest, signature) = quote(&device, nonce().as_bytes(), &[0, 4, 7], &digest);
        assert_eq!(found(&collection(&[("attest", &attest), ("sig", &signature)])), None);
        let bad = [&bytes[..32], &[0; 64]].concat();
        let parts = [("attest", &attest[..]), ("sig", &signature), ("pcrs", &bad)];
        assert_eq!(found(&collection(&parts)), Some(Code::PcrDigest));
        let (_, digest) = over(&[value(0), value(4), value(9)]);
        let (attest, signature) = quote(&device, nonce().as_bytes(), &[0, 4, 7], &digest);
        let parts = [("attest", &attest[..]), ("sig", &signature)];
        assert_eq!(found(&collection(&parts)), Some(Code::DigestMismatch));
        let denied = [value(4)];
        let beliefs = Beliefs { denied: &denied, ..beliefs(&endorsements) };
        let appraised = judge(CMW, &good, &beliefs, &nonce()).unwrap();
        assert_eq!(appraised.reasons.first().map(|reason| reason.code), Some(Code::DigestDenied));
    }
}

#[test]
fn states_of_pcrs_are_of_one_release() {
    let device = key(41);
    let old = elements(&[(0, value(10)), (4, value(14))]);
    let new = elements(&[(0, value(20)), (4, value(24))]);
    let by = Instance::Bytes(QUALIFIED_NAME.into());
    let endorsements = endorsements(&device, by, &class(), &[old, new]);
    let rows = [
        ([value(10), value(14)], None, None),
        ([value(20), value(24)], None, None),
        ([value(10), value(24)], Some(Code::MixedReleases), Some(Code::DigestMismatch)),
    ];
    for (values, with_values, without) in rows {
        assert_eq!(found(CMW, &whole(&device, &[0, 4], &values), &endorsements), with_values);
        let (_, digest) = over(&values);
        let (attest, signature) = quote(&device, nonce().as_bytes(), &[0, 4], &digest);
        let parts = collection(&[("attest", &attest), ("sig", &signature)]);
        assert_eq!(found(CMW, &parts, &endorsements), without);
    }
    let nobody = crate::tests::attester::naming(&device, instance(Instance::Bytes(QUALIFIED_NAME.into())));
    let good = whole(&device, &[0, 4], &[value(10), value(14)]);
    assert_eq!(found(CMW, &good, &nobody), Some(Code::NoReference));
    assert_eq!(found(CMW, &good, &Endorsements::new()), Some(Code::UnknownDevice));
}

#[test]
fn one_digest_over_pcrs_counts_for_those_it_names_or_those_of_firmware() {
    let device = key(41);
    let good = [value(1), value(2)];
    let (_, digest) = over(&good);
    let node = || Instance::Uuid(NODE);
    let about = instance(node());
    let unnamed = endorsements(&device, node(), &about, &[one(digest, None)]);
    let named = endorsements(&device, node(), &about, &[one(digest, Some("sha256:8,9"))]);
    let quoted = |pcrs: &[u8]| enact_trust(&device, nonce().as_bytes(), pcrs, &digest);
    assert_eq!(found(ENACT_TRUST, &quoted(&[1, 2]), &unnamed), None);
    // Somebody may have measured into these what others should have.
    assert_eq!(found(ENACT_TRUST, &quoted(&[8, 9]), &unnamed), Some(Code::PcrSelection));
    assert_eq!(found(ENACT_TRUST, &quoted(&[16, 23]), &unnamed), Some(Code::PcrSelection));
    assert_eq!(found(ENACT_TRUST, &quoted(&[8, 9]), &named), None);
    assert_eq!(found(ENACT_TRUST, &quoted(&[1, 2]), &named), Some(Code::PcrSelection));
    assert_eq!(found(ENACT_TRUST, &quoted(&[]), &unnamed), Some(Code::PcrSelection));
    let (_, other) = over(&[value(1), value(3)]);
    let changed = enact_trust(&device, nonce().as_bytes(), &[1, 2], &other);
    assert_eq!(found(ENACT_TRUST, &changed, &unnamed), Some(Code::DigestMismatch));
    let stale = enact_trust(&device, &[8; 32], &[1, 2], &digest);
    assert_eq!(found(ENACT_TRUST, &stale, &unnamed), Some(Code::ReplayedNonce));
    let mut weak = quoted(&[1, 2]);
    let bank = weak.windows(7).position(|bytes| bytes == [0, 0, 0, 1, 0, 0x0b, 3]).unwrap() + 5;
    weak[bank] = 4;
    assert_eq!(found(ENACT_TRUST, &weak, &unnamed), Some(Code::WeakAlgorithm));
}

/// The quotes that Veraison's schemes and this product's tools made, as their index says.
#[test]
fn quotes_of_vectors_are_judged_as_their_index_says() {
    let (Some(rats), Some(corims)) = (testkit::vectors("rats"), testkit::vectors("corim")) else { return };
    let read = |path: &str| std::fs::read(rats.join(path)).unwrap();
    let accepted = |path: &str| {
        let mut endorsements = Endorsements::new();
        endorsements.add(accept(&std::fs::read(corims.join(path)).unwrap()));
        endorsements
    };
    // Parsec: valid, in answer to a nonce of eight bytes.
    let endorsements = accepted("veraison-scheme-parsec-tpm/corim-parsec-tpm-valid.cbor");
    let evidence = read("veraison-scheme-parsec-tpm/evidence.cbor");
    let sent = Nonce::new(&[0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef]).unwrap();
    let appraised = judge(PARSEC, &evidence, &beliefs(&endorsements), &sent).unwrap();
    assert_eq!((appraised.vector.tier(), appraised.reasons), (Tier::Affirming, vec![]));
    assert_eq!(found(PARSEC, &evidence, &endorsements), Some(Code::ReplayedNonce));

    // EnactTrust: its agents send no nonce, so that the signature holds and freshness does not.
    let endorsements = accepted("veraison-scheme-tpm-enacttrust/corim-enacttrust-valid.cbor");
    let evidence = read("veraison-scheme-tpm-enacttrust/basic.token");
    assert_eq!(found(ENACT_TRUST, &evidence, &endorsements), Some(Code::ReplayedNonce));
    let mut node = evidence.clone();
    node[0] ^= 1;
    assert_eq!(found(ENACT_TRUST, &node, &endorsements), Some(Code::UnknownDevice));

    // Ours: quotes of a TPM in software.
    let pem = std::str::from_utf8(&read("tpm-quote/ak-ecc.pem")).unwrap().to_owned();
    let block = pem::decode(&pem).unwrap().remove(0);
    let ak = crypto::PublicKey::from_spki_der(&block.der).unwrap();
    let sent = Nonce::new(&testkit::hex(&"00112233445566778899aabbccddeeff".repeat(2))).unwrap();
    let wrapped = |stem: &str, with_values: bool| {
        let (attest, signature) =
            (read(&alloc::format!("tpm-quote/{stem}.attest")), read(&alloc::format!("tpm-quote/{stem}.sig")));
        let pcrs = std::fs::read(rats.join(alloc::format!("tpm-quote/{stem}.pcrs"))).unwrap_or_default();
        let public = read("tpm-quote/ak-ecc.tpmt");
        let mut parts = vec![("attest", attest.as_slice()), ("sig", &signature), ("ak", &public)];
        if with_values {
            parts.push(("pcrs", &pcrs));
        }
        collection(&parts)
    };
    let signer = eat::TpmAttest::decode(&read("tpm-quote/quote-ecc-sha256-0.attest")).unwrap();
    let by = instance(Instance::Bytes(signer.qualified_signer));
    let values = read("tpm-quote/quote-ecc-sha256-0-4-7-10.pcrs");
    let values: Vec<_> = [0, 4, 7, 10]
        .into_iter()
        .zip(values.chunks(32))
        .map(|(pcr, value)| (pcr, Digest::new(HashAlgorithm::Sha256, value).unwrap()))
        .collect();
    let endorsements = crate::tests::attester::naming_public(
        &ak,
        by.clone(),
        &[ValuesTriple { environment: by, measurements: elements(&values) }],
    );
    let rows = [
        ("quote-ecc-sha256-0-4-7-10", None),
        ("quote-ecc-sha256-0", Some(Code::PcrSelection)),
        ("quote-ecc-sha384-0-7", Some(Code::PcrSelection)),
        ("quote-ecc-othernonce", Some(Code::ReplayedNonce)),
    ];
    for (stem, expected) in rows {
        for with_values in [true, false] {
            let bytes = wrapped(stem, with_values);
            let code = match judge(CMW, &bytes, &beliefs(&endorsements), &sent) {
                Err(code) => Some(code),
                Ok(appraised) => appraised.reasons.first().map(|reason| reason.code),
            };
            assert_eq!(code, expected, "{stem} {with_values}");
        }
    }
    let time = wrapped("gettime", false);
    assert_eq!(found(CMW, &time, &endorsements), Some(Code::MalformedEvidence));
    // A wrapper with the same parts, of a key that nobody endorsed.
    assert_eq!(
        found(CMW, &read("cmw-made/tpm-collection.cbor"), &Endorsements::new()),
        Some(Code::UnknownDevice)
    );
}

#[test]
fn quoted_pcrs_stand_beside_what_is_expected_each_for_itself() {
    let device = key(41);
    let named = [(0, value(0)), (4, value(4)), (7, value(7))];
    let rows = [
        (elements(&named), ["0", "4", "7"]),
        (registers(&named), ["register 0", "register 4", "register 7"]),
    ];
    for (release, names) in rows {
        let by = Instance::Bytes(QUALIFIED_NAME.into());
        let endorsements = endorsements(&device, by, &class(), std::slice::from_ref(&release));
        let beside = |values: &[Digest]| {
            let media_type = MediaType::parse(CMW).unwrap();
            let bytes = whole(&device, &[0, 4, 7], values);
            let evidence = ForeignEvidence::decode(&bytes, &media_type).unwrap();
            let beliefs = beliefs(&endorsements);
            let attesters = evidence.verify(&beliefs, &nonce()).unwrap();
            let found = corroborate(&attesters[0], &beliefs).appraised.release;
            let rows = compare_attester(&attesters[0], &beliefs, found.as_ref()).components;
            rows.into_iter().map(|row| (row.name, row.agreement)).collect::<Vec<_>>()
        };
        let expected = |last| {
            let agreements = [Agreement::Same, Agreement::Same, last];
            names.iter().map(|name| String::from(*name)).zip(agreements).collect::<Vec<_>>()
        };
        assert_eq!(beside(&[value(0), value(4), value(7)]), expected(Agreement::Same));
        assert_eq!(beside(&[value(0), value(4), value(9)]), expected(Agreement::Differs));
    }
}
