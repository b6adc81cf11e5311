//! Reports of devices on the command line: read, believed, and held against the release.

mod common;

use common::{Desk, author_desk, fixed_key};
use crypto::{Digest, HashAlgorithm};
use suit::{
    Abilities, Capabilities, ComponentCapability, ComponentId, Entry, Outcome, Property, Reason, Report,
};

/// A desk with a release, an authority list, and what a processor reports of installing the release.
fn reported() -> (Desk, Report) {
    let desk = author_desk();
    desk.key("device.key", 6);
    desk.done("suit build plain.toml --key author.key -o r.suit");
    desk.done("authority new -o list");
    desk.done("authority add list --key author.key.pub --role author --name Northlight");
    desk.done("suit simulate r.suit --authorities list --procedure update --report unsigned.cbor");
    let report = Report::decode(&desk.read("unsigned.cbor")).expect("a report");
    desk.write("report.cose", report.sign(&fixed_key(6), Some(b"device")));
    (desk, report)
}

const REPLAY: &str =
    "suit report replay report.cose --key device.key.pub --release r.suit --authorities list";

fn digest(of: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, of)
}

#[test]
fn report_is_detected_and_shown_with_what_the_device_can_process() {
    let (desk, report) = reported();
    let told = desk.done("inspect report.cose");
    assert!(told.starts_with("kind: SUIT report\nkid: "), "{told}");
    assert!(told.contains("outcome: success") && told.contains("section: install"), "{told}");
    assert!(desk.done("inspect unsigned.cbor").starts_with("kind: SUIT report, not signed\n"));
    let component =
        ComponentCapability { component: ComponentId::new(&["app"]).expect("an id"), any_below: true };
    let capabilities = Capabilities::of(&Abilities::default(), vec![component]);
    let able = Report { capabilities: Some(capabilities), nonce: Some(vec![1, 2]), ..report };
    desk.write("able.cose", able.sign(&fixed_key(6), None));
    let told = desk.done("suit report inspect able.cose");
    for words in ["nonce: 0102", "app and below", "image-match", "encryption-info"] {
        assert_eq!(told.contains(words), words != "encryption-info", "{words}: {told}");
    }
    let mac = cose::MacKey::new(HashAlgorithm::Sha256, &[9; 32]).expect("a key");
    desk.write("mac.cose", able.authenticate(&mac, None));
    assert!(desk.done("inspect mac.cose").starts_with("kind: SUIT report\n"));
    desk.failed("suit report inspect r.suit", "not a SUIT report");
}

#[test]
fn report_is_believed_only_with_the_key_and_the_nonce() {
    let (desk, report) = reported();
    let told = desk.done("suit report verify report.cose --key device.key.pub");
    assert!(told.starts_with("yes: ") && told.contains("outcome: success"), "{told}");
    desk.refused("suit report verify report.cose --key other.key.pub", "bad-report-signature");
    desk.refused("suit report verify report.cose --key device.key.pub --nonce 0102", "stale-report");
    desk.write("answer.cose", Report { nonce: Some(vec![1, 2]), ..report }.sign(&fixed_key(6), None));
    desk.done("suit report verify answer.cose --key device.key.pub --nonce 0102");
    desk.failed("suit report verify unsigned.cbor --key device.key.pub", "unsupported-report-container");
    desk.refused(&REPLAY.replace("device.key", "other.key"), "bad-report-signature");
}

#[test]
fn claims_are_held_against_the_release_one_by_one() {
    let (desk, report) = reported();
    let told = desk.done(REPLAY);
    for words in ["claim: reference", "claim: record 1", "command: image-match", "of: app", "claim: result"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains("holds: no"), "{told}");
    let json: serde_json::Value =
        serde_json::from_str(&desk.done(&format!("{REPLAY} --json"))).expect("JSON");
    assert_eq!(json["claims"].as_array().map(Vec::len), Some(report.entries.len() + 2));

    let rewritten = |change: fn(&mut Entry)| {
        let mut lie = report.clone();
        lie.entries.iter_mut().for_each(change);
        lie
    };
    let other_digest = rewritten(|entry| {
        if let Entry::Claims(claims) = entry {
            claims.properties = Some(Property::ImageDigest(digest(b"evil"))).into();
        }
    });
    let beside = rewritten(|entry| {
        if let Entry::Record(record) = entry {
            record.offset += 1;
        }
    });
    let failed = rewritten(|entry| {
        if let Entry::Record(record) = entry
            && matches!(record.properties.first(), Some(Property::ImageDigest(_)))
        {
            record.properties = Some(Property::ImageDigest(digest(b"evil"))).into();
        }
    });
    let elsewhere = Report { manifest_digest: digest(b"another"), ..report.clone() };
    for (lie, code) in [
        (other_digest, "wrong-value"),
        (beside, "no-such-command"),
        (failed, "went-on-regardless"),
        (elsewhere, "wrong-manifest"),
    ] {
        desk.write("report.cose", lie.sign(&fixed_key(6), None));
        let told = desk.refused(REPLAY, code);
        assert!(told.contains("holds: no") && told.contains(&format!("code: {code}")), "{told}");
    }
    // A failure that is told as it was holds, and is no success.
    let last = report.entries.iter().rev().find_map(|entry| match entry {
        Entry::Record(record) => Some(record.clone()),
        Entry::Claims(_) => None,
    });
    let record = suit::Record {
        properties: Some(Property::ImageDigest(digest(b"evil"))).into(),
        ..last.expect("a record of validate")
    };
    let outcome = Outcome::Failure { code: 10, reason: Reason::ConditionFailed, record };
    let honest = Report { entries: Vec::new(), outcome, ..report };
    desk.write("report.cose", honest.sign(&fixed_key(6), None));
    assert!(desk.done(REPLAY).contains("outcome: condition-failed"));
    // A release that nobody here vouches for proves nothing.
    desk.done("authority new -o nobody");
    desk.done("authority add nobody --key other.key.pub --role author --name Other");
    assert_eq!(desk.run(&REPLAY.replace("authorities list", "authorities nobody")).status, 1);
}
