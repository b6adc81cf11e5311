use super::*;
use crate::pages::view::Piece;

/// 2026-11-23T14:12:36Z
const NOW: Micros = 1_795_443_156 * 1_000_000;
const SECOND: Micros = 1_000_000;
const DIGEST: &str = "sha256:9f2c578c40236bcb65db8002c2bf98439a752de90a6b674c17b9231104ce41d7";
const EXPECTED: &str = "sha256:3a91c7f05e9db622dc67153781093c74c03decba0f8639991e201e95f852c04e";

fn say(code: &str, detail: &[(&str, &str)]) -> String {
    reason(NOW, code, detail.iter().copied()).to_string()
}

/// A code, its details, its sentence.
type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// The table of the design: a code, its details, its sentence.
#[test]
fn says_the_sentence_of_the_design_for_each_reason() {
    let rows: &[Row] = &[
        (
            "digest-mismatch",
            &[("component", "app"), ("measured", DIGEST), ("expected", EXPECTED)],
            "app runs software that no release contains. Measured 9f2c57…41d7, expected 3a91c7…c04e.",
        ),
        (
            "no-reference",
            &[("device", "sleep-sensor-38")],
            "sleep-sensor-38 runs a release nobody vouched for: there are no signed expected values.",
        ),
        (
            "superseded",
            &[("version", "1.0.3"), ("new", "1.1.0"), ("days", "12")],
            "1.0.3 is outdated: 1.1.0 has been out for 12 d.",
        ),
        (
            "known-flaw",
            &[("version", "1.0.3"), ("cve", "CVE-2026-99031"), ("new", "1.1.0")],
            "1.0.3 has CVE-2026-99031, fixed in 1.1.0.",
        ),
        (
            "evidence-overdue",
            &[("age", "2820"), ("limit", "300")],
            "No evidence for 47 min; a result is good for 5 min.",
        ),
        ("debug-open", &[], "Its debug port is open."),
        ("bad-evidence-signature", &[], "The evidence was not signed by this device's key."),
        ("replayed-nonce", &[], "The evidence answers an older question."),
        ("component-missing", &[("component", "secure-fw")], "secure-fw was not measured."),
        ("same-key-twice", &[("a", "cam-1"), ("b", "cam-2")], "Two devices use this key: cam-1 and cam-2."),
        (
            "unknown-signer",
            &[("kid", "nl-7"), ("model", "Welcome Cam")],
            "Signed by nl-7, who may not sign for Welcome Cam.",
        ),
        (
            "sequence-too-low",
            &[("n", "13"), ("m", "14")],
            "Sequence 13 is not above 14, which the device has.",
        ),
        (
            "trial-timeout",
            &[("version", "1.1.0"), ("s", "60"), ("old", "1.0.3")],
            "It did not attest 1.1.0 within 60 s and went back to 1.0.3.",
        ),
        (
            "policy-not-staged",
            &[("gateways", "gw-harbour"), ("version", "1.1.0")],
            "Waits until gw-harbour have the policy of 1.1.0.",
        ),
        (
            "forbidden-flow",
            &[("target", "203.0.113.9 tcp 23"), ("count", "1")],
            "It contacted 203.0.113.9 tcp 23, which no release asks for: 1 try.",
        ),
        ("not-in-policy", &[("version", "1.1.0")], "Release 1.1.0 does not ask for this."),
        ("not-in-policy", &[], "No release asks for this."),
        (
            "operator-block",
            &[("person", "Nadia Okafor"), ("reason", "port scan"), ("until", "1796000000")],
            "Nadia Okafor blocked it: “port scan”, until 30 Nov, 00:53.",
        ),
        (
            "operator-quarantine",
            &[("person", "Nadia Okafor"), ("reason", "port scan")],
            "Nadia Okafor put it into quarantine: “port scan”.",
        ),
    ];
    for (code, detail, sentence) in rows {
        assert_eq!(say(code, detail), *sentence, "{code}");
    }
}

#[test]
fn says_a_whole_sentence_for_every_code_without_details() {
    for (code, sentences) in REASONS {
        let said = say(code, &[]);
        assert!(said.ends_with('.') && !said.contains(['{', '}']), "{code}: {said}");
        assert_eq!(sentences.last().map(|last| last.contains('{')), Some(false), "{code}");
        assert_eq!(REASONS.iter().filter(|(other, _)| other == code).count(), 1, "{code}");
    }
}

#[test]
fn has_a_sentence_for_every_code_there_is() {
    // Of what gateways say of other devices too, and no code has two tables.
    for (code, sentences) in super::NETWORK {
        assert!(trust::Code::from_text(code).is_none(), "{code}");
        assert!(sentences.last().is_some_and(|last| !last.contains('{')), "{code}");
    }
    for code in trust::Code::ALL {
        assert!(REASONS.iter().any(|(known, _)| *known == code.as_str()), "{code}");
    }
    assert_eq!(REASONS.len(), trust::Code::ALL.len(), "no sentence is of a code that is gone");
}

#[test]
fn colours_a_measured_digest_only_beside_the_expected_one() {
    let classes = |detail: &[(&str, &str)]| -> Vec<_> {
        let sentence = reason(NOW, "digest-mismatch", detail.iter().copied());
        let digests = sentence.pieces().iter().filter_map(|piece| match piece {
            Piece::Digest(digest) => Some(digest.class()),
            _ => None,
        });
        digests.collect()
    };
    assert_eq!(classes(&[("component", "app"), ("measured", DIGEST)]), ["dg"]);
    assert_eq!(
        classes(&[("component", "app"), ("measured", DIGEST), ("expected", EXPECTED)]),
        ["dg bad", "dg good"]
    );
}

#[test]
fn shows_the_code_and_its_details_when_nobody_wrote_a_sentence() {
    assert_eq!(
        say("moon-phase", &[("phase", "full"), ("tide", "high")]),
        "moon-phase: phase full, tide high"
    );
    assert_eq!(reason(NOW, "moon-phase", []).pieces(), [Piece::Code("moon-phase".into())]);
}

#[test]
fn shows_a_detail_of_the_wrong_kind_as_it_came() {
    assert_eq!(say("evidence-overdue", &[("age", "long")]), "No evidence for long.");
    assert_eq!(
        say("digest-denied", &[("component", "app"), ("measured", "nothing")]),
        "app runs software that is on the deny list. Measured nothing."
    );
}

#[test]
fn writes_counts_exactly_to_9999_and_short_above() {
    let rows = [
        (0, "0", None),
        (1_042, "1,042", None),
        (9_999, "9,999", None),
        (10_000, "10.0 k", Some("10,000")),
        (12_449, "12.4 k", Some("12,449")),
        (999_949, "999.9 k", Some("999,949")),
        (999_950, "1.0 M", Some("999,950")),
        (u64::MAX, "18446744073.7 G", Some("18,446,744,073,709,551,615")),
    ];
    for (n, shown, exact) in rows {
        let figure = count(n);
        assert_eq!((figure.shown.as_str(), figure.exact.as_deref()), (shown, exact));
    }
    assert_eq!(ratio(7, 20), "7 of 20");
}

#[test]
fn writes_sizes_in_decimal_units() {
    let rows = [
        (0, "0 bytes"),
        (1, "1 byte"),
        (412, "412 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (84_000, "84 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_100_000, "3.1 MB"),
        (2_000_000_000, "2.0 GB"),
    ];
    for (n, text) in rows {
        assert_eq!(bytes(n), text);
    }
}

#[test]
fn writes_durations_with_the_two_units_that_matter() {
    let rows = [
        (-1, "0.00 s"),
        (410_000, "0.41 s"),
        (1_400_000, "1.4 s"),
        (5 * SECOND, "5 s"),
        (89 * SECOND, "89 s"),
        (134 * SECOND, "2 min 14 s"),
        (300 * SECOND, "5 min"),
        (13_620 * SECOND, "3 h 47 min"),
        (27 * 86_400 * SECOND, "27 d"),
    ];
    for (duration, text) in rows {
        assert_eq!(span(duration), text);
    }
}

#[test]
fn counts_ages_in_the_unit_of_their_size() {
    let rows = [
        (-5, "0 s ago"),
        (48, "48 s ago"),
        (89, "89 s ago"),
        (90, "2 min ago"),
        (5_399, "90 min ago"),
        (5_400, "2 h ago"),
        (129_599, "36 h ago"),
        (129_600, "2 d ago"),
    ];
    for (seconds, text) in rows {
        assert_eq!(age(NOW, NOW - seconds * SECOND).shown, text, "{seconds}");
    }
    assert_eq!(age(NOW, NOW).exact, "2026-11-23T14:12:36Z");
}

#[test]
fn writes_as_much_of_a_date_as_differs_from_now() {
    let day = 86_400 * SECOND;
    assert_eq!(date(NOW, NOW - 5 * SECOND).shown, "14:12:31");
    assert_eq!(date(NOW, NOW - day).shown, "22 Nov, 14:12");
    assert_eq!(date(NOW, NOW - 400 * day).shown, "19 Oct 2025");
    assert_eq!(clock(NOW).shown, "14:12:36");
    assert_eq!(clock_fine(NOW + 319_999).shown, "14:12:36.31");
    assert_eq!(clock_fine(NOW + 319_999).exact, "2026-11-23T14:12:36.319Z");
}

#[test]
fn knows_leap_years_and_the_time_before_1970() {
    let rows = [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
    ];
    for (seconds, text) in rows {
        assert_eq!(clock(seconds * SECOND).exact, text);
    }
}
