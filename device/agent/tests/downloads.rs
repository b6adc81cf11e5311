//! What servers do wrong with downloads, and what becomes of an installation then: a reason, and nothing lost.

#![allow(clippy::print_stdout, reason = "tests say how much they tried and measured")]

mod common;

use std::{fs, path::Path};

use common::{
    Bench, Release, author, is_alive, own_memory, peak_memory,
    server::{Bad, FakeServer},
    vendor, wait_until,
};
use cose::{EncryptBuilder, RecipientKey};
use crypto::{ContentAlgorithm, Digest, HashAlgorithm};
use suit::{
    ComponentId, Condition, Directive, ManifestBuilder, Parameter, ReportingPolicy, Section, SequenceBuilder,
    SignedReport, Uuid,
};

/// Bytes of an image that takes several pieces.
const LARGE: usize = 3 << 20;

/// A device that runs release 1, and its agent.
fn running() -> (Bench, common::Agent) {
    let bench = Bench::new();
    let first = bench.release(1, 1000);
    assert!(bench.install(&first.envelope).status.success());
    bench.server.state().releases.push(first);
    let agent = bench.run(&["--stall-ms", "400"]);
    bench.wait_for("its program", |status| status.payload.is_some_and(is_alive));
    (bench, agent)
}

#[test]
fn each_misbehaviour_has_its_reason_and_nothing_is_lost() {
    let (bench, _agent) = running();
    let rows = [
        (Bad::Total, "wrong-length"),
        (Bad::Start, "wrong-content-range"),
        (Bad::End, "wrong-content-range"),
        (Bad::NoRange, "wrong-content-range"),
        (Bad::Whole, "range-ignored"),
        (Bad::Length, "answer-truncated"),
        (Bad::Truncated, "answer-truncated"),
        (Bad::Endless, "answer-too-long"),
        (Bad::Trickle, "download-stalled"),
        (Bad::Changed, "file-changed"),
        (Bad::Failing, "server-error"),
    ];
    for (number, (bad, code)) in (2..).zip(rows) {
        // Smaller than is worth another try at once, so that a truncated answer is seen as what it is.
        let release = bench.release(number, 12_000);
        bench.server.state().bad = Some(bad);
        bench.server.offer(&release);
        let status = bench
            .wait_for(&format!("{bad:?} to be noticed"), |status| status.problem.as_deref() == Some(code));
        let running = status.running.expect("the old release runs");
        assert_eq!((running.sequence, running.trial), (number - 1, false), "{bad:?}");
        assert_eq!(status.sequence, number - 1);
        assert!(status.payload.is_some_and(is_alive), "{bad:?}");
        bench.server.state().bad = None;
        let status = bench.wait_for_release(number);
        assert_eq!(status.problem, None);
    }
    println!("{} misbehaviours", rows.len());
}

#[test]
fn a_wrong_payload_is_refused_once_it_came_and_only_that() {
    let (bench, _agent) = running();
    let release = bench.release(2, LARGE);
    bench.server.state().bad = Some(Bad::Flipped);
    // The head is not touched: it is read in one answer, whose last byte is of the payload.
    bench.server.offer(&release);
    wait_until("a report", || !bench.server.state().feedback.is_empty());
    assert_eq!(bench.server.state().feedback[0].1, ["digest-mismatch"]);
    assert_eq!(bench.status().running.map(|running| running.sequence), Some(1));
    bench.server.state().bad = None;
    bench.server.offer(&bench.release(3, 1000));
    bench.wait_for_release(3);
}

#[test]
fn an_agent_that_is_killed_goes_on_where_the_slot_ends() {
    let bench = Bench::new();
    let release = bench.release(1, LARGE);
    bench.server.offer(&release);
    // Every answer is slow in coming to an end: after 600,000 bytes the agent is killed.
    bench.server.state().cuts = vec![usize::MAX, 600_000, 0, 0, 0, 0, 0, 0, 0, 0];
    let agent = bench.run(&[]);
    wait_until("a beginning", || bench.server.state().ranges.len() >= 3);
    agent.kill();
    let kept = fs::metadata(bench.data().join("slot-b/component-0")).unwrap().len();
    assert_eq!(kept, 600_000);
    bench.server.state().cuts.clear();
    let _agent = bench.run(&[]);
    bench.wait_for_release(1);
    let state = bench.server.state();
    let (first, went_on) = (state.ranges[1], *state.ranges.iter().find(|from| **from > 600_000).unwrap());
    assert_eq!(went_on, first + 600_000);
    assert!(state.sent < (release.envelope.len() + 2 * 8192) as u64, "{} bytes came", state.sent);
}

#[test]
fn a_damaged_beginning_is_read_back_noticed_and_fetched_once_more() {
    let bench = Bench::new();
    let release = bench.release(1, LARGE);
    bench.server.offer(&release);
    bench.server.state().cuts = vec![usize::MAX, 600_000, 0, 0, 0, 0, 0, 0, 0, 0];
    let agent = bench.run(&[]);
    wait_until("a beginning", || bench.server.state().ranges.len() >= 3);
    agent.kill();
    let image = bench.data().join("slot-b/component-0");
    let mut bytes = fs::read(&image).unwrap();
    bytes[1000] ^= 1;
    fs::write(&image, bytes).unwrap();
    bench.server.state().cuts.clear();
    let _agent = bench.run(&[]);
    bench.wait_for_release(1);
    let state = bench.server.state();
    let begun = state.ranges.iter().filter(|from| **from == state.ranges[1]).count();
    assert_eq!(begun, 2, "from the beginning once more: {:?}", state.ranges);
}

#[test]
fn a_full_disk_is_told_and_does_not_end_what_runs() {
    let bench = Bench::new();
    let first = bench.release(1, 1000);
    assert!(bench.install(&first.envelope).status.success());
    bench.server.state().releases.push(first);
    let agent = bench.run_with_little_room(1024, &[]);
    bench.wait_for("its program", |status| status.payload.is_some_and(is_alive));
    bench.server.offer(&bench.release(2, LARGE));
    let status = bench.wait_for("the full disk", |status| status.problem.as_deref() == Some("no-room"));
    assert_eq!(status.running.map(|running| running.sequence), Some(1));
    assert!(status.payload.is_some_and(is_alive));
    wait_until("a report", || bench.server.state().reports.iter().any(|(_, report)| !is_success(report)));
    drop(agent);
    let _agent = bench.run(&[]);
    bench.wait_for_release(2);
}

#[test]
fn a_clock_before_its_time_keeps_the_server_away_and_the_release_running() {
    // The same as a clock that was moved back: no certificate is valid yet.
    let bench = Bench::with(&[], FakeServer::start_valid_from(Some(2090)));
    let first = bench.release(1, 1000);
    assert!(bench.install(&first.envelope).status.success());
    bench.server.offer(&bench.release(2, 1000));
    let _agent = bench.run(&["--trial-ms", "500"]);
    let status = bench.wait_for("its program", |status| status.payload.is_some_and(is_alive));
    assert_eq!(status.running.map(|running| (running.sequence, running.trial)), Some((1, false)));
    assert!(status.attestation.is_none() && bench.server.state().polls == 0);
}

#[test]
fn payloads_come_from_the_server_itself_and_from_origins_that_were_allowed_and_from_nowhere_else() {
    let bench = Bench::new();
    let mirror = FakeServer::start();
    let both = format!("{}\n{}", bench.server.certificate, mirror.certificate);
    fs::write(bench.folder.path().join("ca.pem"), both).unwrap();
    let own = format!("{}/files/1.bin", bench.server.url);
    bench.server.state().files.insert("1.bin".into(), bench.image(1, LARGE));
    let elsewhere = format!("{}/files/2.bin", mirror.url);
    mirror.state().files.insert("2.bin".into(), bench.image(2, LARGE));
    // A connection that breaks is gone on with there, too.
    mirror.state().cuts = vec![500_000];

    bench.server.offer(&bench.release_from(1, LARGE, &own));
    let agent = bench.run(&[]);
    bench.wait_for_release(1);
    assert!(bench.server.state().token_seen);

    bench.server.offer(&bench.release_from(2, LARGE, &elsewhere));
    wait_until("a report", || bench.server.state().feedback.len() >= 2);
    assert_eq!(bench.server.state().feedback[1].1, ["denied-by-device"]);
    assert!(mirror.state().ranges.is_empty(), "it was not even asked");
    drop(agent);

    // Another release, since the same one is not tried twice in a row.
    mirror.state().files.insert("3.bin".into(), bench.image(3, LARGE));
    let elsewhere = format!("{}/files/3.bin", mirror.url);
    bench.server.offer(&bench.release_from(3, LARGE, &elsewhere));
    let _agent = bench.run(&["--payload-origin", &mirror.url]);
    bench.wait_for_release(3);
    let state = mirror.state();
    assert!(!state.token_seen, "the token is for the update server alone");
    assert_eq!(state.ranges[..2], [0, 500_000]);
}

#[test]
fn a_device_that_swaps_runs_from_one_slot_and_goes_back_by_swapping() {
    let bench = Bench::with(&["--layout", "swap"], FakeServer::start());
    let first = bench.release(1, LARGE);
    assert!(bench.install(&first.envelope).status.success());
    bench.server.state().releases.push(first);
    let _agent = bench.run(&["--trial-ms", "1500"]);
    wait_until("the first program", || bench.program_ran(1));
    bench.server.offer(&bench.release(2, LARGE));
    let status = bench.wait_for_release(2);
    wait_until("the second program", || bench.program_ran(2));
    assert_eq!(status.running.map(|running| running.slot).as_deref(), Some("a"));
    // Offered, and unknown to the verifier.
    let third = bench.release(3, LARGE);
    bench.server.state().offered = Some(third);
    wait_until("the third program", || bench.program_ran(3));
    let status = bench.wait_for("the second release again", |status| {
        status.running.as_ref().is_some_and(|running| running.sequence == 2 && running.slot == "a")
            && status.refusal.is_some()
    });
    assert_eq!(status.refusal.map(|(_, code)| code).as_deref(), Some("trial-timeout"));
}

fn is_success(report: &[u8]) -> bool {
    SignedReport::decode(report).unwrap().unverified().is_success()
}

#[test]
fn every_attempt_is_reported_truthfully_and_capabilities_once() {
    let bench = Bench::new();
    let first = bench.release(1, 1000);
    assert!(bench.install(&first.envelope).status.success());
    bench.server.state().releases.push(first);
    // For a while nobody takes reports.
    bench.server.state().reports_status = Some("503 Service Unavailable");
    let agent = bench.run(&[]);
    bench.server.offer(&bench.release(2, 1000).damaged());
    wait_until("a refusal", || !bench.server.state().feedback.is_empty());
    drop(agent);
    bench.server.state().reports_status = None;
    let agent = bench.run(&[]);
    let good = bench.release(3, 1000);
    bench.server.offer(&good);
    bench.wait_for_release(3);
    wait_until("three reports", || bench.server.state().reports.len() >= 3);
    drop(agent);
    // What is known already is not told again.
    let _agent = bench.run(&[]);
    bench.wait_for("an attestation", |status| status.attestation.is_some());
    let reports = bench.server.state().reports.clone();
    assert_eq!(reports.len(), 3);
    let key = bench.key();
    let told: Vec<_> = reports
        .iter()
        .map(|(action, report)| {
            let report = SignedReport::decode(report).unwrap();
            assert_eq!(report.kid().unwrap().len(), bench.ueid.len() / 2);
            let report = report.verify(&key, None).unwrap();
            let report = report.report().clone();
            (action.clone(), report.is_success(), report.capabilities.is_some(), report.manifest_digest)
        })
        .collect();
    let action = || Some("1".to_owned());
    let manifests: Vec<Digest> =
        bench.server.state().releases.iter().map(|release| release.manifest).collect();
    assert_eq!(told[0], (None, true, true, manifests[0]));
    assert_eq!(told[1], (action(), false, false, manifests[1]));
    assert_eq!(told[2], (action(), true, false, manifests[2]));
}

#[test]
fn a_server_that_knows_no_reports_does_not_keep_a_device_from_anything() {
    let bench = Bench::new();
    bench.server.state().reports_status = Some("404 Not Found");
    bench.server.offer(&bench.release(1, 1000));
    let _agent = bench.run(&[]);
    bench.wait_for_release(1);
    let waiting = || fs::read_dir(bench.data().join("reports")).unwrap().count();
    wait_until("nothing to wait", || waiting() == 0);
}

/// A release whose image is encrypted to a device, and the image.
fn encrypted(bench: &Bench, number: u64, size: usize) -> (Release, Vec<u8>) {
    let image = bench.image(number, size);
    let recipient = RecipientKey::decode(bench.encryption_key.as_deref().unwrap()).unwrap();
    let builder = EncryptBuilder::new(ContentAlgorithm::A128Gcm).recipient(&recipient);
    let mut next = 0u64;
    let mut fill = |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(8) {
            next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(number | 1);
            chunk.copy_from_slice(&next.to_be_bytes()[..chunk.len()]);
        }
    };
    let (info, ciphertext) =
        builder.other(b"SUIT Payload Encryption").encrypt_detached(&image, &mut fill).unwrap();
    let id = |segments: &[&str]| ComponentId::new(segments).unwrap();
    let (vendor_id, always) = (vendor(), ReportingPolicy::ALWAYS);
    let class = Uuid::class(&vendor_id, b"camera");
    let sha256 = |bytes: &[u8]| Digest::of(HashAlgorithm::Sha256, bytes);
    let of = |bytes: &[u8]| [Parameter::ImageDigest(sha256(bytes)), Parameter::ImageSize(bytes.len() as u64)];
    let mut manifest = ManifestBuilder::new(number);
    manifest.component(id(&["app"])).component(id(&["app", "staged"]));
    manifest.shared(
        SequenceBuilder::new()
            .component(0)
            .override_parameters(&[
                Parameter::VendorId(suit::VendorId::Uuid(vendor_id)),
                Parameter::ClassId(class),
            ])
            .override_parameters(&of(&image))
            .condition(Condition::VendorIdentifier, always)
            .condition(Condition::ClassIdentifier, always)
            .component(1)
            .override_parameters(&of(&ciphertext)),
    );
    manifest.section(
        Section::Install,
        SequenceBuilder::new()
            .component(1)
            .override_parameters(&[Parameter::Uri("#app")])
            .directive(Directive::Fetch, always)
            .condition(Condition::ImageMatch, always)
            .component(0)
            .override_parameters(&[Parameter::SourceComponent(1), Parameter::EncryptionInfo(&info)])
            .directive(Directive::Copy, always)
            .condition(Condition::ImageMatch, always),
    );
    manifest.section(
        Section::Validate,
        SequenceBuilder::new().component(0).condition(Condition::ImageMatch, always),
    );
    manifest
        .section(Section::Invoke, SequenceBuilder::new().component(0).directive(Directive::Invoke, always));
    let mut envelope = manifest.build(HashAlgorithm::Sha256).unwrap();
    envelope.payload("#app", &ciphertext).sign(&author(), Some(b"author"));
    (Release::new(envelope.to_bytes(), &image), image)
}

/// Whether bytes hold any 32 bytes in a row of an image.
fn holds_a_run_of(bytes: &[u8], image: &[u8]) -> bool {
    let runs: std::collections::HashSet<&[u8]> = image.windows(32).collect();
    bytes.windows(32).any(|run| runs.contains(run))
}

fn every_file(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { every_file(&path, visit) } else { visit(&path) }
    }
}

#[test]
fn an_encrypted_image_is_installed_and_its_plaintext_is_in_the_slot_and_nowhere_else() {
    let bench = Bench::new();
    let keys = bench.data().join("keys");
    every_file(&keys, &mut |path| {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    });
    let (release, image) = encrypted(&bench, 1, 200_000);
    // A break in the middle changes nothing.
    bench.server.state().cuts = vec![usize::MAX, 50_000];
    bench.server.offer(&release);
    let _agent = bench.run(&[]);
    bench.wait_for_release(1);
    wait_until("its program", || bench.program_ran(1));
    let captured = bench.server.state().captured.clone();
    assert!(captured.len() > image.len() && !holds_a_run_of(&captured, &image));
    let mut with_plaintext = Vec::new();
    every_file(&bench.data(), &mut |path| {
        if holds_a_run_of(&fs::read(path).unwrap_or_default(), &image) {
            with_plaintext.push(path.strip_prefix(bench.data()).unwrap().display().to_string());
        }
    });
    assert_eq!(with_plaintext, ["slot-b/component-0"]);
    assert!(fs::read(bench.data().join("staged-0")).unwrap_or_default().is_empty());
}

#[test]
fn an_image_that_is_encrypted_to_another_device_is_refused() {
    let (bench, other) = (Bench::new(), Bench::new());
    let (release, _) = encrypted(&other, 1, 20_000);
    bench.server.offer(&release);
    let _agent = bench.run(&[]);
    wait_until("a report", || !bench.server.state().feedback.is_empty());
    assert_eq!(bench.server.state().feedback[0].1, ["decryption-failed"]);
    assert!(bench.status().running.is_none());
}

#[test]
fn a_payload_of_64_mib_is_installed_within_16_mib_of_memory() {
    let bench = Bench::with(&["--component", "app:100000000"], FakeServer::start());
    let release = bench.release(1, 64 << 20);
    bench.server.offer(&release);
    let agent = bench.run(&["--attest-ms", "600000"]);
    bench.wait_for_release(1);
    let (peak, own) = (peak_memory(agent.id()), own_memory(agent.id()));
    let size = release.envelope.len();
    println!(
        "{peak} KiB resident at most, its program included, and {own} KiB of its own at the end, with {size} bytes"
    );
    assert!(peak < 16 << 10, "{peak} KiB");
}

#[test]
fn a_release_is_removed_on_demand_and_the_one_before_it_runs() {
    let bench = Bench::new();
    let first = bench.release(1, 1000);
    assert!(bench.install(&first.envelope).status.success());
    bench.server.state().releases.push(first);
    let second = bench.release(2, 1000);
    bench.server.offer(&second);
    let agent = bench.run(&[]);
    bench.wait_for_release(2);
    bench.server.state().offered = None;
    drop(agent);
    let manifest: String = second.manifest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let output = bench.agent(&["uninstall", &manifest]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bench.agent(&["uninstall", &manifest]).status.code(), Some(1));
    let _agent = bench.run(&[]);
    let status = bench.wait_for("the first release", |status| {
        status.running.as_ref().is_some_and(|running| running.sequence == 1)
    });
    assert_eq!(status.sequence, 2, "no number falls");
}
