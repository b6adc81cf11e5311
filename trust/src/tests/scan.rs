use alloc::{string::String, string::ToString, vec, vec::Vec};

use cose::{Purpose, Sign1Builder, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};

use crate::{
    Code, MAX_POLICY_SCANS, MAX_SCAN_TEXT, MAX_SCAN_TIME, Policy, RequiredScan, Scan, SignedScan,
    VerifiedScan, check_scans,
};

const NOW: i64 = 1_800_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).unwrap()
}

fn anchors(seed: u8, purpose: Purpose) -> TrustAnchors {
    TrustAnchors::new(vec![TrustAnchor::new(key(seed).public_key().clone(), purpose, "lab")])
}

fn thumbprint(seed: u8) -> Digest {
    cose::thumbprint(key(seed).public_key(), HashAlgorithm::Sha256)
}

fn release(name: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, name.as_bytes())
}

fn sample() -> Scan {
    Scan {
        release: release("1.0.0"),
        tool: "scanner".into(),
        tool_version: "1.2.3".into(),
        database: "2026-01-01".into(),
        database_time: Some(NOW - 3600),
        scanned_at: NOW,
        findings: 0,
        expires: NOW + 1000,
    }
}

fn verified(scan: &Scan, seed: u8) -> VerifiedScan {
    let bytes = scan.sign(&key(seed));
    SignedScan::decode(&bytes).unwrap().verify(&anchors(seed, Purpose::Scan)).unwrap()
}

fn refusal(bytes: &[u8], anchors: &TrustAnchors) -> Code {
    SignedScan::decode(bytes).and_then(|scan| scan.verify(anchors)).unwrap_err().code
}

#[test]
fn a_statement_is_believed_from_keys_for_scans_only() {
    let scan = sample();
    let bytes = scan.sign(&key(1));
    assert_eq!(SignedScan::decode(&bytes).unwrap().unverified(), &scan);
    let found = SignedScan::decode(&bytes).unwrap().verify(&anchors(1, Purpose::Scan)).unwrap();
    assert_eq!((found.content(), found.signer(), found.signer_name()), (&scan, thumbprint(1), "lab"));
    assert_eq!(found.object(), Digest::of(HashAlgorithm::Sha256, &bytes));

    for purpose in Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Scan) {
        assert_eq!(refusal(&bytes, &anchors(1, purpose)), Code::ScanRefused, "{purpose}");
    }
    assert_eq!(refusal(&bytes, &anchors(2, Purpose::Scan)), Code::ScanRefused);
    assert_eq!(refusal(&bytes, &TrustAnchors::default()), Code::ScanRefused);
    // Another object of ours is no statement, whoever signed it.
    let other = Sign1Builder::new().content_type("application/cbor").sign(&key(1), &scan.encode());
    assert_eq!(refusal(&other, &anchors(1, Purpose::Scan)), Code::ScanRefused);
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert_eq!(refusal(&altered, &anchors(1, Purpose::Scan)), Code::ScanRefused, "byte {at}");
        assert!(SignedScan::decode(&bytes[..at]).is_err());
    }
}

#[test]
fn a_statement_keeps_its_rules() {
    let with = |change: fn(&mut Scan)| {
        let mut scan = sample();
        change(&mut scan);
        Scan::decode(&scan.encode()).map_err(|error| error.to_string())
    };
    assert_eq!(with(|_| {}), Ok(sample()));
    assert!(with(|scan| scan.database_time = None).is_ok());
    assert!(with(|scan| scan.findings = u64::MAX).is_ok());
    assert!(with(|scan| scan.expires = scan.scanned_at + MAX_SCAN_TIME).is_ok());
    assert!(with(|scan| scan.tool = "x".repeat(MAX_SCAN_TEXT)).is_ok());
    assert!(with(|scan| scan.database_time = Some(scan.scanned_at)).is_ok());
    let refused: [fn(&mut Scan); 7] = [
        |scan| scan.expires = scan.scanned_at,
        |scan| scan.expires = scan.scanned_at + MAX_SCAN_TIME + 1,
        |scan| scan.database_time = Some(scan.scanned_at + 1),
        |scan| scan.tool = "x".repeat(MAX_SCAN_TEXT + 1),
        |scan| scan.tool = " ".into(),
        |scan| scan.tool_version = String::new(),
        |scan| scan.database = String::new(),
    ];
    for change in refused {
        assert!(with(change).is_err());
    }
    // An entry that is not known might have taken something back.
    let mut more = sample().encode();
    more[0] += 1;
    more.extend([0x18, 0x63, 0x00]);
    assert!(Scan::decode(&more).is_err());
    assert!(Scan::decode(&[0xa0]).is_err());
}

#[test]
fn a_release_is_deployed_when_every_scan_that_is_asked_for_found_nothing() {
    let by = |seed, tool: Option<&str>| RequiredScan { key: thumbprint(seed), tool: tool.map(Into::into) };
    let change = |change: fn(&mut Scan)| {
        let mut scan = sample();
        change(&mut scan);
        verified(&scan, 1)
    };
    let clean = verified(&sample(), 1);
    type Row = (&'static str, Vec<RequiredScan>, Vec<VerifiedScan>, Option<Code>);
    let rows: Vec<Row> = vec![
        ("nothing is asked for", vec![], vec![], None),
        ("clean", vec![by(1, None)], vec![clean.clone()], None),
        ("clean, by name of the tool", vec![by(1, Some("scanner"))], vec![clean.clone()], None),
        ("none", vec![by(1, None)], vec![], Some(Code::ScanMissing)),
        ("another tool", vec![by(1, Some("other"))], vec![clean.clone()], Some(Code::ScanMissing)),
        ("another key", vec![by(2, None)], vec![clean.clone()], Some(Code::ScanMissing)),
        (
            "another release",
            vec![by(1, None)],
            vec![change(|scan| scan.release = release("2.0.0"))],
            Some(Code::ScanMissing),
        ),
        (
            "it ended",
            vec![by(1, None)],
            vec![change(|scan| (scan.scanned_at, scan.expires) = (NOW - 9, NOW))],
            Some(Code::ScanMissing),
        ),
        (
            "not made yet",
            vec![by(1, None)],
            vec![change(|scan| scan.scanned_at = NOW + 1)],
            Some(Code::ScanMissing),
        ),
        ("found", vec![by(1, None)], vec![change(|scan| scan.findings = 3)], Some(Code::ScanFound)),
        // The newest counts, in whatever order they came.
        (
            "clean, then found",
            vec![by(1, None)],
            vec![
                change(|scan| (scan.scanned_at, scan.findings) = (NOW - 9, 0)),
                change(|scan| scan.findings = 1),
            ],
            Some(Code::ScanFound),
        ),
        (
            "found, then clean",
            vec![by(1, None)],
            vec![clean.clone(), change(|scan| (scan.scanned_at, scan.findings) = (NOW - 9, 1))],
            None,
        ),
        (
            "both at once",
            vec![by(1, None)],
            vec![change(|scan| scan.findings = 1), clean.clone()],
            Some(Code::ScanFound),
        ),
        // What was found does not end.
        (
            "found, and that ended",
            vec![by(1, None)],
            vec![change(|scan| (scan.scanned_at, scan.expires, scan.findings) = (NOW - 9, NOW - 1, 1))],
            Some(Code::ScanFound),
        ),
        ("one of two", vec![by(1, None), by(2, None)], vec![clean.clone()], Some(Code::ScanMissing)),
        ("two of two", vec![by(1, None), by(2, None)], vec![clean, verified(&sample(), 2)], None),
    ];
    for (what, required, scans, expected) in rows {
        let checked = check_scans(&required, &release("1.0.0"), &scans, NOW);
        assert_eq!(checked.err().map(|reason| reason.code), expected, "{what}");
    }
}

#[test]
fn a_policy_that_asks_for_no_scan_has_the_encoding_of_before() {
    // The default as it was before scans could be asked for.
    let before = [
        0xa9, 0x01, 0x19, 0x01, 0x2c, 0x02, 0x1a, 0x00, 0x12, 0x75, 0x00, 0x03, 0xf4, 0x04, 0xf4, 0x05, 0xf4,
        0x06, 0x19, 0x02, 0x58, 0x07, 0x01, 0x08, 0xf4, 0x09, 0x01,
    ];
    assert_eq!(Policy::default().encode(), before);
    assert_eq!(Policy::decode(&before), Ok(Policy::default()));
    let scan = |tool: Option<&str>| RequiredScan { key: thumbprint(1), tool: tool.map(Into::into) };
    for (scans, good) in [
        (vec![scan(None), scan(Some("scanner"))], true),
        (vec![scan(None); MAX_POLICY_SCANS], true),
        (vec![scan(None); MAX_POLICY_SCANS + 1], false),
        (vec![scan(Some(""))], false),
    ] {
        let policy = Policy { scans, ..Policy::default() };
        let read = Policy::decode(&policy.encode());
        assert_eq!(read.is_ok(), good);
        assert!(!good || read == Ok(policy.clone()));
        assert_ne!(policy.digest(), Policy::default().digest());
    }
    assert!(Policy::decode(&[0xa1, 0x0d, 0x80]).is_err(), "a rule that asks for nothing");
}
