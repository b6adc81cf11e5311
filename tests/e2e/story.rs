//! The story of the system over real binaries, namespaces and packet filter: told once by `sextant demo`, asserted step by
//! step. Needs root, and the binaries of the workspace beside this test.

use std::{
    env,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use sim::story::Step;

/// The binaries were built into the folder above that of the tests.
fn sextant() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("tests are in target/<profile>/deps");
    for name in ["sextant", "sextant-agent", "sextant-sim-app"] {
        let path = folder.join(name);
        assert!(path.exists(), "{} is not there: run `cargo build --workspace` first", path.display());
    }
    folder.join("sextant")
}

/// Every step as `sextant demo` told it, or nothing where it cannot be told.
fn story() -> Option<&'static [Step]> {
    static STORY: OnceLock<Option<Vec<Step>>> = OnceLock::new();
    let told = STORY.get_or_init(|| {
        // Without root it is skipped; with root a machine that lacks something is a failure and no skip.
        if std::fs::metadata("/proc/self").expect("a process has its entry").uid() != 0 {
            return None;
        }
        assert!(sim::netns::is_possible(), "the story needs ip, nft and bridges: run `make setup` first");
        let output = Command::new(sextant())
            .args(["demo", "--exit", "--json"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("the demonstration starts");
        let steps: Vec<Step> =
            serde_json::from_slice(&output.stdout).expect("the demonstration prints its steps as JSON");
        let held = steps.iter().all(|step| step.held);
        assert_eq!(output.status.code(), Some(i32::from(!held)), "the status says whether every step held");
        Some(steps)
    });
    told.as_deref()
}

/// Asserts that a step held, and that it made as many checks as it should: a step that checks nothing proves nothing.
fn assert_step(number: u8, checks: usize) {
    let Some(steps) = story() else {
        testkit::skipped(format_args!("step {number} of the story needs root"));
        return;
    };
    let step = steps.iter().find(|step| step.step == number).expect("the step was told");
    let broken: Vec<String> = step
        .checks
        .iter()
        .filter(|check| !check.held)
        .map(|check| format!("{}: {}", check.claim, check.observed))
        .collect();
    assert!(broken.is_empty() && step.held, "step {number}, {}:\n{}", step.title, broken.join("\n"));
    assert_eq!(step.checks.len(), checks, "step {number}, {}: checks made", step.title);
}

#[test]
fn step_1_a_factory_makes_devices_and_sells_them_by_vouchers() {
    assert_step(1, 6);
}

#[test]
fn step_2_devices_join_and_reach_onboarding_attestation_and_update_only() {
    assert_step(2, 6);
}

#[test]
fn step_3_they_are_taken_over_attest_and_exactly_their_releases_flows_open() {
    assert_step(3, 8);
}

#[test]
fn step_4_new_needs_are_staged_then_tried_by_a_canary_then_open_after_attestation() {
    assert_step(4, 9);
}

#[test]
fn step_5_a_changed_byte_cuts_the_device_off_within_a_second_of_its_evidence() {
    assert_step(5, 4);
}

#[test]
fn step_6_the_update_mends_it_without_a_person() {
    assert_step(6, 6);
}

#[test]
fn step_7_a_revoked_release_makes_its_device_outdated() {
    assert_step(7, 6);
}

#[test]
fn step_8_an_override_survives_an_update_and_ends_by_itself() {
    assert_step(8, 6);
}

#[test]
fn step_9_a_program_that_goes_astray_is_dropped_and_reported() {
    assert_step(9, 6);
}

#[test]
fn step_10_attacks_are_refused_with_their_reasons() {
    assert_step(10, 17);
}
