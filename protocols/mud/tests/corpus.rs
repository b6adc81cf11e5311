//! Files from the field: what has to hold for all of them. What becomes of each is held by `vectors.rs`.

mod common;

use common::{PERMISSIVE, findings, json_files, parse_and_compile, read};
use mud::{Context, Severity, compile, parse};
use sextant_mud as mud;

#[test]
fn every_profile_of_the_unsw_study_compiles() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let files = json_files(&vectors.join("unsw"));
    assert_eq!(files.len(), 17);
    let mut refused = Vec::new();
    for path in files {
        let (parsed, compiled) = parse_and_compile(&read(&path), &Context::default());
        let from_file = compiled.policy.entries.iter().filter(|entry| !entry.default).count();
        assert!(from_file > 0, "{}", path.display());
        refused.extend(
            findings(&parsed, &compiled)
                .filter(|finding| finding.severity == Severity::AceRefused)
                .map(|finding| (path.file_name().expect("name").to_owned(), finding.code)),
        );
    }
    // An IPv4 address in the place of an IPv6 prefix.
    assert_eq!(refused, [("augustdoorbellcamMud.json".into(), "other-family")]);
}

#[test]
fn every_file_of_the_corpus_survives_being_written_and_read_again() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let folders =
        ["unsw", "cisco", "daq", "mudmaker", "namib", "nist", "osmud", "other", "visualizer", "negative"];
    for path in folders.iter().flat_map(|folder| json_files(&vectors.join(folder))) {
        let Ok(first) = parse(&read(&path), &PERMISSIVE) else { continue };
        let written = first.file.encode();
        let second =
            parse(written.as_bytes(), &PERMISSIVE).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(second.file, first.file, "{}", path.display());
        assert_eq!(second.file.encode(), written, "{}", path.display());
        assert_eq!(compile(&second.file).policy, compile(&first.file).policy, "{}", path.display());
    }
}

#[test]
fn the_quarantine_list_of_nist_names_entries_that_start_flows() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let path = vectors.join("nist/mud-quarantine-test__mudfile-quarantine-test.json");
    let (parsed, compiled) = parse_and_compile(&read(&path), &PERMISSIVE);
    let names = parsed.file.quarantine.expect("a quarantine policy");
    assert_eq!(names, ["cl0-todev", "cl0-frdev"]);
    let kept = compiled.policy.only(&names);
    assert!(!kept.entries.is_empty() && kept.entries.len() < compiled.policy.entries.len());
}

#[test]
fn a_cut_or_changed_file_never_panics() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let whole = read(&vectors.join("unsw/NetatmoWeatherStationMud.json"));
    for end in 0..whole.len() {
        assert!(parse(&whole[..end], &Context::default()).is_err(), "cut at {end}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x11;
        if let Ok(parsed) = parse(&changed, &Context::default()) {
            compile(&parsed.file);
        }
    }
}
