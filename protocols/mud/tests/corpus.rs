//! Files from the field, and broken ones, read from the shared test vectors.

mod common;

use std::collections::BTreeMap;

use common::{PERMISSIVE, findings, json_files, parse_and_compile, read};
use mud::{Context, Error, SchemaFault, Severity, compile, parse, worst};
use sextant_mud as mud;

/// Runs one file through everything and names the result in the words of the manifest.
fn outcome(bytes: &[u8]) -> String {
    let context = Context { fetched_url: Some("https://maker.example/sensor/v2.json"), ..PERMISSIVE };
    let parsed = match parse(bytes, &context) {
        Ok(parsed) => parsed,
        Err(Error::Moved { .. }) => {
            let authorised = Context { move_authorised: true, ..context };
            assert!(parse(bytes, &authorised).is_ok(), "an authorised move is accepted");
            return "reject-unless-authorised".to_owned();
        }
        Err(_) => return "reject-file".to_owned(),
    };
    let compiled = compile(&parsed.file);
    match worst(findings(&parsed, &compiled)) {
        None | Some(Severity::Note) => "accept",
        Some(Severity::Warning) => "accept-with-warning",
        Some(Severity::AceRefused) => "reject-ace",
        Some(Severity::NeedsApproval) => "accept-only-by-operator",
    }
    .to_owned()
}

/// `"file"` and `"expect"` of each case in the manifest.
fn cases(manifest: &str) -> Vec<(String, String)> {
    let field = |case: &str, name: &str| {
        let rest = case.split_once(&format!("\"{name}\":"))?.1;
        Some(rest.split('"').nth(1)?.to_owned())
    };
    let cases = manifest.split_once("\"cases\"").expect("a list of cases").1;
    cases.split('{').filter_map(|case| Some((field(case, "file")?, field(case, "expect")?))).collect()
}

#[test]
fn broken_files_meet_the_fate_the_manifest_gives_them() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let folder = vectors.join("negative");
    let manifest = String::from_utf8(read(&folder.join("MANIFEST.json"))).expect("text");
    let cases = cases(&manifest);
    assert_eq!(cases.len() + 1, json_files(&folder).len(), "each file has a case");
    let wrong: Vec<_> = cases
        .iter()
        .map(|(file, expected)| (file, expected, outcome(&read(&folder.join(file)))))
        .filter(|(_, expected, found)| *expected != found)
        .collect();
    assert!(wrong.is_empty(), "file, expected, found: {wrong:#?}");
}

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

/// Every other MUD file of the corpus parses, except those named here with the reason.
#[test]
fn files_of_other_projects_parse() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let mut refused = BTreeMap::new();
    let mut parsed = 0;
    for folder in ["cisco", "daq", "mudmaker", "namib", "nist", "osmud", "other", "visualizer", "signed"] {
        for path in json_files(&vectors.join(folder)) {
            let bytes = read(&path);
            if !String::from_utf8_lossy(&bytes).contains("\"ietf-mud:mud\"") {
                continue;
            }
            match parse(&bytes, &Context::default()) {
                Ok(file) => {
                    compile(&file.file);
                    parsed += 1;
                }
                Err(Error::Schema { fault, .. }) => {
                    refused.insert(format!("{folder}/{}", path.file_name().expect("name").display()), fault);
                }
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }
    let expected = [
        ("daq/default.json".to_owned(), SchemaFault::Missing("mud-url")),
        ("namib/MUD-Profile-example.json".to_owned(), SchemaFault::DuplicateKey("myman1-todev".into())),
        (
            "visualizer/tester_local_network3_udp.json".to_owned(),
            SchemaFault::DuplicateKey("mud-35723-v4fr".into()),
        ),
    ];
    assert_eq!(refused, BTreeMap::from(expected));
    assert_eq!(parsed, 35);
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
