use cbor::{MapBuilder, Reader, Reason, Writer};
use cose::{Distrust as CoseDistrust, Sign1Builder};
use crypto::{Digest, HashAlgorithm};

use super::{distrust, key, nonce};
use crate::{Error, *};

fn claims() -> EvidenceClaims {
    EvidenceClaims {
        nonce: nonce(9),
        ueid: Ueid::new(&[1; 17]).unwrap(),
        vendor: [2; 16],
        class: [3; 16],
        bootcount: 7,
        bootseed: vec![4; 16],
        dbgstat: DebugStatus::DisabledSinceBoot,
        measurement: vec![0xa0],
        manifest: Some(ManifestReference {
            digest: Digest::of(HashAlgorithm::Sha256, b"manifest"),
            sequence_number: 42,
        }),
        dependencies: Vec::new(),
        status: Some(DeviceStatus {
            active_slot: 1,
            trial: false,
            authorities: Some(Digest::of(HashAlgorithm::Sha256, b"authorities")),
            authorities_version: Some(3),
            last_refusal: Some(Refusal { manifest: vec![5; 32], code: "sequence-number-lower".into() }),
        }),
    }
}

/// The claims-set with one claim changed or, without a value, left out; signed as evidence.
fn changed(label: i64, value: Option<&dyn Fn(&mut Writer)>) -> Vec<u8> {
    let payload = claims().payload().unwrap();
    let mut reader = Reader::new(&payload);
    let mut map = reader.map().unwrap();
    let mut out = MapBuilder::new();
    while let Some(key) = map.next_int(&mut reader).unwrap() {
        let raw = reader.raw().unwrap();
        if key != label {
            out.int(key, |w| _ = w.raw(raw));
        }
    }
    if let Some(value) = value {
        out.int(label, value);
    }
    EvidenceClaims::finish(&Sign1Builder::new().sign(&key(1), &out.into_bytes()))
}

fn reason(bytes: &[u8]) -> Reason {
    match Evidence::decode(bytes) {
        Err(Error::Malformed(error)) => error.reason,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn evidence_goes_from_device_to_verifier() {
    let bytes = claims().sign(&key(1), b"kid").unwrap();
    let evidence = Evidence::decode(&bytes).unwrap();
    assert_eq!(
        (evidence.ueid(), evidence.kid(), evidence.nonce()),
        (&claims().ueid, Some(b"kid".as_slice()), &nonce(9))
    );
    let verified = evidence.verify(key(1).public_key(), &nonce(9)).unwrap();
    assert_eq!((verified.claims(), verified.as_bytes()), (&claims(), bytes.as_slice()));
}

#[test]
fn evidence_without_manifest_and_status_goes_both_ways() {
    let least = EvidenceClaims { manifest: None, status: None, ..claims() };
    let bytes = least.sign(&key(1), b"kid").unwrap();
    let verified = Evidence::decode(&bytes).unwrap().verify(key(1).public_key(), &nonce(9)).unwrap();
    assert_eq!(verified.into_claims(), least);
}

#[test]
fn manifests_that_the_installed_one_depends_on_are_named_behind_it_up_to_a_limit() {
    let reference = |number: u8| ManifestReference {
        digest: Digest::of(HashAlgorithm::Sha256, &[number]),
        sequence_number: number.into(),
    };
    let with = |count: u8| EvidenceClaims { dependencies: (0..count).map(reference).collect(), ..claims() };
    let most = u8::try_from(crate::MAX_DEPENDENCIES).unwrap();
    for count in [1, most] {
        let bytes = with(count).sign(&key(1), b"kid").unwrap();
        let verified = Evidence::decode(&bytes).unwrap().verify(key(1).public_key(), &nonce(9)).unwrap();
        assert_eq!(verified.into_claims(), with(count));
    }
    let one_more = with(most + 1);
    assert_eq!(
        one_more.sign(&key(1), b"kid"),
        Err(Error::Unsignable("more manifests than may be installed"))
    );
    let bytes = changed(
        labels::MANIFESTS,
        Some(&|w| {
            w.array(2 + crate::MAX_DEPENDENCIES);
            for _ in 0..2 + crate::MAX_DEPENDENCIES {
                w.array(2).int(65001).wrap(|w| _ = w.array(2).array(2).int(-16).bytes(&[1; 32]).int(1));
            }
        }),
    );
    assert_eq!(reason(&bytes), Reason::Rule("more manifests than may be installed"));
}

#[test]
fn a_key_held_elsewhere_signs_the_same_evidence() {
    let (key, payload) = (key(1), claims().payload().unwrap());
    let envelope = EvidenceClaims::envelope(b"kid");
    let signature = key.sign(&envelope.to_be_signed(key.algorithm(), &payload));
    let bytes = EvidenceClaims::finish(&envelope.assemble(key.algorithm(), Some(&payload), &signature));
    assert!(Evidence::decode(&bytes).unwrap().verify(key.public_key(), &nonce(9)).is_ok());
}

#[test]
fn refuses_another_key_another_nonce_and_altered_bytes() {
    let bytes = claims().sign(&key(1), b"kid").unwrap();
    let verify = |bytes: &[u8], seed, expected| {
        Evidence::decode(bytes)?.verify(key(seed).public_key(), &nonce(expected)).map(|_| ())
    };
    assert_eq!(verify(&bytes, 2, 9), Err(distrust(CoseDistrust::BadSignature)));
    assert_eq!(verify(&bytes, 1, 8), Err(Distrust::Nonce.into()));
    // Every byte of the signed part and the signature counts.
    let accepted = (0..bytes.len()).filter(|at| {
        let mut altered = bytes.clone();
        altered[*at] ^= 1;
        verify(&altered, 1, 9).is_ok()
    });
    let kid = bytes.windows(3).position(|window| window == b"kid").unwrap();
    // Only the unprotected key identifier and its label, which prove nothing, may change.
    assert!(accepted.into_iter().all(|at| (kid - 2..kid + 3).contains(&at)));
}

#[test]
fn refuses_evidence_that_breaks_one_rule_of_the_profile() {
    type Value<'a> = Option<&'a dyn Fn(&mut Writer)>;
    let rows: [(i64, Value<'_>, Reason); 19] = [
        (labels::NONCE, None, Reason::Rule("evidence has not one nonce")),
        (
            labels::NONCE,
            Some(&|w| _ = w.array(2).bytes(&[1; 8]).bytes(&[2; 8])),
            Reason::Rule("evidence has not one nonce"),
        ),
        (labels::UEID, None, Reason::MissingKey(labels::UEID)),
        (labels::OEMID, Some(&|w| _ = w.uint(64242)), Reason::Rule("oemid is not the UUID of a vendor")),
        (labels::HWMODEL, None, Reason::Rule("hwmodel is not the UUID of a class")),
        (
            labels::HWMODEL,
            Some(&|w| _ = w.bytes(&[1; 15])),
            Reason::Rule("hwmodel is not the UUID of a class"),
        ),
        (labels::BOOTCOUNT, None, Reason::MissingKey(labels::BOOTCOUNT)),
        (labels::BOOTSEED, None, Reason::MissingKey(labels::BOOTSEED)),
        (labels::BOOTSEED, Some(&|w| _ = w.bytes(&[1; 7])), Reason::Rule("bootseed is not of 8 to 32 bytes")),
        (
            labels::BOOTSEED,
            Some(&|w| _ = w.bytes(&[1; 33])),
            Reason::Rule("bootseed is not of 8 to 32 bytes"),
        ),
        (labels::DBGSTAT, None, Reason::MissingKey(labels::DBGSTAT)),
        (labels::MEASUREMENTS, None, Reason::Rule("measurements are not one evidence CoSWID")),
        (
            labels::MEASUREMENTS,
            Some(&|w| _ = w.array(1).array(2).int(259).bytes(&[])),
            Reason::Rule("measurements are not one evidence CoSWID"),
        ),
        (
            labels::MEASUREMENTS,
            Some(&|w| _ = w.array(2).array(2).int(258).bytes(&[]).array(2).int(258).bytes(&[])),
            Reason::Rule("measurements are not one evidence CoSWID"),
        ),
        (
            labels::MANIFESTS,
            Some(&|w| _ = w.array(1).array(2).int(258).bytes(&[])),
            Reason::Rule("manifests are not references to installed manifests"),
        ),
        (
            labels::MANIFESTS,
            Some(&|w| {
                _ = w
                    .array(1)
                    .array(2)
                    .int(65001)
                    .wrap(|w| _ = w.array(2).array(2).int(-16).bytes(&[1; 31]).int(1))
            }),
            Reason::Rule("digest has another length than its algorithm"),
        ),
        (
            labels::MANIFESTS,
            Some(&|w| {
                _ = w
                    .array(1)
                    .array(2)
                    .int(65001)
                    .wrap(|w| _ = w.array(2).array(2).int(1).bytes(&[1; 32]).int(1))
            }),
            Reason::Rule("hash algorithm is not supported"),
        ),
        (labels::DEVICE_STATUS, Some(&|w| _ = w.map(1).int(1).int(0)), Reason::MissingKey(2)),
        (labels::SUBMODS, Some(&|w| _ = w.map(1).text("s").map(0)), Reason::Rule("evidence has submodules")),
    ];
    for (row, (label, value, refusal)) in rows.into_iter().enumerate() {
        assert_eq!(reason(&changed(label, value)), refusal, "row {row}");
    }
    for value in
        [None, Some((&|w: &mut Writer| _ = w.text("urn:sextant:evidence:2")) as &dyn Fn(&mut Writer))]
    {
        assert_eq!(Evidence::decode(&changed(labels::PROFILE, value)), Err(Distrust::Profile.into()));
    }
    // Claims beyond the profile are ignored.
    assert!(Evidence::decode(&changed(-70000, Some(&|w| _ = w.int(1)))).is_ok());
}

#[test]
fn refuses_other_wrappings_encodings_and_sizes() {
    let bytes = claims().sign(&key(1), b"kid").unwrap();
    assert_eq!(reason(&bytes[2..]), Reason::Rule("evidence is not tagged as CWT"));
    let mut trailing = bytes.clone();
    trailing.push(0);
    assert!(matches!(
        Evidence::decode(&trailing),
        Err(Error::Signature(cose::Error::Malformed(cbor::Error { reason: Reason::TrailingBytes, .. })))
    ));
    // Two claims in the wrong order.
    let payload = [0xa2, 0x06, 0x01, 0x05, 0x01];
    let disorder = EvidenceClaims::finish(&Sign1Builder::new().sign(&key(1), &payload));
    assert_eq!(reason(&disorder), Reason::KeyOrder);

    let sized = |len: usize| {
        let fill = |body: usize| {
            EvidenceClaims { measurement: vec![0; body], ..claims() }.sign(&key(1), b"kid").unwrap()
        };
        let overhead = fill(MAX_EVIDENCE_LEN / 2).len() - MAX_EVIDENCE_LEN / 2;
        let bytes = fill(len - overhead);
        assert_eq!(bytes.len(), len);
        bytes
    };
    assert!(Evidence::decode(&sized(MAX_EVIDENCE_LEN)).is_ok());
    assert_eq!(reason(&sized(MAX_EVIDENCE_LEN + 1)), Reason::TooLong { limit: MAX_EVIDENCE_LEN });
    let unsignable = EvidenceClaims { bootseed: vec![0; 7], ..claims() };
    assert_eq!(unsignable.sign(&key(1), b"kid"), Err(Error::Unsignable("bootseed is not of 8 to 32 bytes")));
}

#[test]
fn seal_stands_for_the_signature_of_this_evidence_in_this_context_only() {
    let bytes = claims().sign(&key(1), b"kid").unwrap();
    let read = |bytes| Evidence::decode(bytes).unwrap();
    let verified = read(&bytes).verify(key(1).public_key(), &nonce(9)).unwrap();
    let (secret, context): (&[u8], [&[u8]; 2]) = (b"secret", [b"key", b"result"]);
    let seal = verified.seal(secret, &context);
    let reopen = |bytes, seal: &[u8], secret: &[u8], context: &[&[u8]], number| {
        Evidence::decode(bytes).unwrap().reopen(seal, secret, context, &nonce(number))
    };
    assert_eq!(reopen(&bytes, seal.as_bytes(), secret, &context, 9), Ok(verified));
    let other = EvidenceClaims { bootcount: 8, ..claims() }.sign(&key(1), b"kid").unwrap();
    let refused = [
        reopen(&other, seal.as_bytes(), secret, &context, 9),
        reopen(&bytes, &seal.as_bytes()[..16], secret, &context, 9),
        reopen(&bytes, &[], secret, &context, 9),
        reopen(&bytes, seal.as_bytes(), b"another", &context, 9),
        reopen(&bytes, seal.as_bytes(), secret, &[b"key"], 9),
        // Parts keep their bounds.
        reopen(&bytes, seal.as_bytes(), secret, &[b"keyr", b"esult"], 9),
        reopen(&bytes, seal.as_bytes(), secret, &context, 8),
    ];
    assert!(refused.iter().all(Result::is_err));
}
