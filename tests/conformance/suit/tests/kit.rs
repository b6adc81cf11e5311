//! The kit over real processes: our own adapter passes every row, and adapters that do wrong are found out.

#![allow(clippy::print_stderr, reason = "how many rows were run is said aloud")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sextant_suit_conformance::{
    Adapter, Case, Expect, Features, Row, Standing, Tally, own_cases, run, to_table, vector_cases,
};

const OURS: &str = env!("CARGO_BIN_EXE_suit-adapter-sextant");

fn ours() -> (Adapter, Features) {
    let adapter = Adapter::new(Path::new(OURS));
    let features = adapter.features().expect("our adapter says what it has");
    (adapter, features)
}

#[test]
fn our_implementation_passes_every_row() {
    let (adapter, features) = ours();
    let mut cases = own_cases();
    let own = cases.len();
    if let Some(folder) = testkit::vectors("suit") {
        cases.extend(vector_cases(&folder).unwrap_or_else(|faults| panic!("{}", faults.join("\n"))));
    }
    let rows = run(&adapter, &features, &cases).expect("room for files");
    let tally = Tally::of(&rows);
    eprintln!("suit conformance: {own} rows of our own and {} of vectors: {tally:?}", cases.len() - own);
    let all = Tally { agree: cases.len(), ..Tally::default() };
    assert_eq!(tally, all, "{}", to_table(&features, &rows));
    assert!(own >= 180, "{own} rows of our own");
}

#[test]
fn names_are_unique_and_every_kind_of_row_is_there() {
    let cases = own_cases();
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len());
    let count = |is: fn(&Expect) -> bool| cases.iter().filter(|case| is(&case.expect)).count();
    assert!(count(|it| matches!(it, Expect::Believe(_))) > 0);
    assert!(count(|it| matches!(it, Expect::Refuse { .. })) > 50);
    assert!(count(|it| matches!(it, Expect::Done { .. })) > 30);
    assert!(count(|it| matches!(it, Expect::Stop { .. })) > 30);
}

/// A program in place of an adapter: what ours says it has, and then this.
struct Impostor {
    _folder: tempfile::TempDir,
    program: PathBuf,
}

impl Impostor {
    fn new(script: &str) -> Self {
        Self::bare(&format!("if [ \"$1\" = features ]; then exec {OURS} features; fi\n{script}"))
    }

    /// Written by a process of its own: another test may start one of these between our opening and closing the file, and
    /// then it would be busy.
    fn bare(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("adapter");
        let wrote = Command::new("sh")
            .args(["-c", r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 755 "$2""#, "sh", script])
            .arg(&program)
            .status();
        assert!(wrote.expect("a shell").success());
        Self { _folder: folder, program }
    }

    fn rows(&self, cases: &[Case]) -> Vec<Row> {
        self.rows_within(cases, Duration::from_secs(30))
    }

    fn rows_within(&self, cases: &[Case], patience: Duration) -> Vec<Row> {
        let features = Adapter::new(&self.program).features().expect("what ours has");
        let adapter = Adapter::new(&self.program).with_patience(patience);
        run(&adapter, &features, cases).expect("room for files")
    }
}

/// A few cases of each kind.
fn some(kind: fn(&Expect) -> bool) -> Vec<Case> {
    own_cases().into_iter().filter(|case| kind(&case.expect)).take(5).collect()
}

fn all_differ(rows: &[Row], how: &str) {
    assert!(!rows.is_empty());
    for row in rows {
        let Standing::Differs(found) = &row.standing else { panic!("{}: {:?}", row.name, row.standing) };
        assert!(found.contains(how), "{}: {found}", row.name);
    }
}

#[test]
fn who_accepts_everything_is_found_out() {
    let agreeing = Impostor::new(r#"[ "$1" = process ] && echo '{"outcome":"done"}'; exit 0"#);
    let refusals = some(|it| matches!(it, Expect::Refuse { .. }));
    all_differ(&agreeing.rows(&refusals), "taken to the end");
    let stops = some(|it| matches!(it, Expect::Stop { .. }));
    all_differ(&agreeing.rows(&stops), "taken to the end");
    // Saying so is not doing it.
    let done = some(|it| matches!(it, Expect::Done { after, .. } if !after.contents.is_empty()));
    all_differ(&agreeing.rows(&done), "");
}

#[test]
fn who_refuses_everything_is_found_out() {
    let stubborn =
        Impostor::new(r#"echo '{"outcome":"stopped","reason":"invoke-pending","code":"no"}'; exit 1"#);
    all_differ(&stubborn.rows(&some(|it| matches!(it, Expect::Believe(_)))), "refused");
    all_differ(&stubborn.rows(&some(|it| matches!(it, Expect::Done { .. }))), "not taken to the end");
    // And so is who refuses for the wrong reason.
    let named = some(|it| matches!(it, Expect::Refuse { reasons, .. } if !reasons.is_empty()));
    all_differ(&stubborn.rows(&named), "and not for");
}

#[test]
fn crashes_hangs_and_babble_are_no_answers() {
    let cases = &some(|it| matches!(it, Expect::Refuse { .. }))[..1];
    all_differ(&Impostor::new("kill -SEGV $$").rows(cases), "crashed");
    all_differ(&Impostor::new("exit 101").rows(cases), "crashed");
    let hanging = Impostor::new("exec sleep 600");
    all_differ(&hanging.rows_within(cases, Duration::from_millis(200)), "did not end");
    // A child that holds on to the pipes is no reason to wait.
    let leaving = Impostor::new("sleep 5 & exit 1");
    all_differ(&leaving.rows_within(cases, Duration::from_millis(200)), "did not end");
    all_differ(&Impostor::new("echo no; exit 1").rows(cases), "not an answer as agreed");
}

#[test]
fn what_is_not_supported_never_passes() {
    let silent = Impostor::bare("exit 2");
    let adapter = Adapter::new(&silent.program);
    let (_, mut features) = ours();
    let cases = own_cases();
    let tally = Tally::of(&run(&adapter, &features, &cases).expect("room for files"));
    assert_eq!(tally, Tally { unsupported: cases.len(), ..Tally::default() });
    // Nor does what the implementation says it lacks, whatever its adapter answers.
    let (adapter, _) = ours();
    features.commands.remove(&21);
    let rows = run(&adapter, &features, &cases).expect("room for files");
    let fetch = rows.iter().find(|row| row.name == "own/fetch").expect("the row");
    assert_eq!(fetch.standing, Standing::Unsupported("command 21".into()));
}

#[test]
fn program_says_by_its_status_whether_a_row_differs() {
    let kit = |adapter: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_suit-conformance"))
            .args(["--only", "own/unsigned", "--json", "--adapter"])
            .arg(adapter)
            .output()
            .expect("the kit runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let (status, text) = kit(Path::new(OURS));
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(status, Some(0));
    assert_eq!(report["rows"][0]["name"], "own/unsigned");
    assert_eq!(report["rows"][0]["standing"], "agrees");
    let agreeing = Impostor::new(r#"[ "$1" = process ] && echo '{"outcome":"done"}'; exit 0"#);
    let (status, text) = kit(&agreeing.program);
    assert_eq!(status, Some(1));
    assert!(text.contains("\"how\": \"taken to the end\""), "{text}");
    assert_eq!(kit(Path::new("/nonexistent")).0, Some(2));
}
