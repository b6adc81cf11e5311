//! The agent's binary against a server on loopback.

#![allow(clippy::print_stdout, reason = "tests say how much they tried and measured")]

mod common;

use std::{fs, thread, time::Duration};

use common::{Bench, author, authorities, gateway::FakeGateway, is_alive, peak_memory, root, wait_until};
use crypto::{HashAlgorithm, SignatureAlgorithm, SigningKey};
use suit::{UpdateProposal, UpdateScope};

/// Bytes of an image that takes several pieces.
const LARGE: usize = 3 << 20;

#[test]
fn a_device_is_made_installed_updated_and_reports_it() {
    let bench = Bench::new();
    let first = bench.release(1, 1000);
    let output = bench.install(&first.envelope);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((answer["sequence"].as_u64(), answer["committed"].as_bool()), (Some(1), Some(true)));
    bench.server.state().releases.push(first);

    let agent = bench.run(&[]);
    let status = bench.wait_for("a good attestation", |status| {
        status.attestation.as_ref().is_some_and(|attestation| attestation.status == "affirming")
    });
    assert_eq!(status.running.map(|running| running.sequence), Some(1));
    wait_until("the first program", || bench.program_ran(1));

    let second = bench.release(2, LARGE);
    bench.server.offer(&second);
    let status = bench.wait_for_release(2);
    wait_until("the second program", || bench.program_ran(2));
    assert_eq!(status.installations, 1);
    wait_until("a report", || !bench.server.state().feedback.is_empty());
    assert_eq!(bench.server.state().feedback[0], ("success".to_owned(), Vec::new()));
    let sent = bench.server.state().sent;
    // The head is read in pieces that may reach into the payload.
    assert!(sent < (second.envelope.len() + 8192) as u64, "each byte came once, and {sent} bytes came");
    println!("{} KiB resident at most, with an envelope of {sent} bytes", peak_memory(agent.id()));
}

#[test]
fn a_device_proves_each_new_result_to_its_gateway_and_asks_again_when_refused() {
    let bench = Bench::new();
    let gateway = FakeGateway::start(bench.key());
    let _agent = bench.run(&["--gateway", &gateway.url]);
    bench.wait_for("admission", |status| status.admitted);
    wait_until("another admission", || gateway.state().taken.len() >= 2);
    let admissions = gateway.state();
    assert_eq!(admissions.refused, 1);
    for (ueid, result) in &admissions.taken {
        assert_eq!(ueid.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), bench.ueid);
        assert!(bench.server.state().results.contains(result));
    }
}

#[test]
fn a_device_obeys_a_new_author_once_its_root_says_so_and_a_forged_change_changes_nothing() {
    let bench = Bench::new();
    let new_author = SigningKey::from_bytes(SignatureAlgorithm::Es256, &[2; 32]).unwrap();
    let change = |present, next| UpdateProposal::new(present, next, UpdateScope::default()).unwrap();
    let first = authorities(&author());
    let proposal = change(&first, authorities(&new_author));
    // A server that was taken over puts its own author on the list, in the root's name and in the author's.
    let forged = [
        (proposal.sign(&new_author, b"root"), "authority-bad-signature"),
        (proposal.sign(&author(), b"author"), "authority-not-root"),
        (b"rubbish".to_vec(), "authority-update-malformed"),
    ];
    let _agent = bench.run(&[]);
    for (number, (update, code)) in forged.into_iter().enumerate() {
        let name = format!("forged-{number}");
        bench.server.state().authority_update = Some((name.clone(), update));
        bench.wait_for(code, |status| status.authority_refusal.as_deref() == Some(code));
        let polls = bench.server.state().polls;
        wait_until("three more polls", || bench.server.state().polls >= polls + 3);
        let fetched = bench.server.state().updates_fetched.iter().filter(|other| **other == name).count();
        assert_eq!((fetched, bench.status().authorities_version), (1, 1), "{name}");
    }
    bench.server.offer(&bench.release_by(&new_author, 1, 1000));
    bench.wait_for("a refusal", |status| {
        status.refusal.as_ref().is_some_and(|(_, code)| code == "bad-manifest-signature")
    });

    bench.server.state().authority_update = Some(("good".into(), proposal.sign(&root(), b"root")));
    let status = bench.wait_for("the new list", |status| status.authorities_version == 2);
    assert_eq!(status.authority_refusal, None);
    let digest = proposal.list().digest(HashAlgorithm::Sha256);
    let digest: String = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(status.authorities, digest);
    wait_until("the device to say so", || bench.server.state().obeyed.contains(&digest));
    // The release that was refused for its author is welcome now; one by the author before is not.
    bench.wait_for_release(1);
    bench.server.offer(&bench.release(2, 1000));
    bench.wait_for("a refusal", |status| {
        status.refusal.as_ref().is_some_and(|(_, code)| code == "bad-manifest-signature")
            && status.sequence == 1
            && status.installations > 2
    });
    assert_eq!(bench.status().running.map(|running| running.sequence), Some(1));
}

#[test]
fn a_device_is_not_made_with_a_list_that_nobody_could_change() {
    let bench = Bench::new();
    let with_root = authorities(&author());
    let rootless = with_root.members(suit::Role::Author).cloned().collect();
    let list = suit::AuthorityList::with_default_policy(rootless).unwrap();
    let (list_file, data) = (bench.folder.path().join("rootless"), bench.folder.path().join("other"));
    fs::write(&list_file, list.to_bytes()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sextant-agent"))
        .args(["init", "--vendor-domain", "maker.example", "--class", "camera", "--authorities"])
        .arg(&list_file)
        .arg("--data")
        .arg(&data)
        .output()
        .unwrap();
    assert!(!output.status.success() && !data.join("device.key").exists());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no root member"));
}

#[test]
fn a_device_takes_what_a_shared_key_authenticates_where_it_was_made_so() {
    let secret = cose::MacKey::new(HashAlgorithm::Sha256, &[0x5a; 32]).unwrap();
    let allowing = {
        let policy = suit::AuthorityPolicy { shared_keys: true, ..suit::AuthorityPolicy::default() };
        let fleet = suit::Authority::shared(HashAlgorithm::Sha256, b"fleet", "fleet");
        let root = suit::Authority::new(root().public_key().clone(), b"root", "root", suit::Role::Root);
        suit::AuthorityList::new(policy, vec![root, fleet]).unwrap()
    };
    let bench = Bench::new();
    let release = {
        let signed = bench.release(1, 1000);
        let whole = suit::Envelope::decode(&signed.envelope).unwrap();
        whole.with_mac(&secret, Some(b"fleet")).unwrap()
    };
    let at = |name: &str| bench.folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("allowing"), allowing.to_bytes()).unwrap();
    fs::write(at("fleet.key"), &*secret.encode_secret(b"fleet")).unwrap();
    fs::write(at("nameless.key"), &*secret.encode_secret(b"")).unwrap();
    fs::write(at("mac.suit"), &release).unwrap();
    let agent = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_sextant-agent")).args(arguments).output().unwrap()
    };
    let init = |data: &str, key: &[&str]| {
        let line = ["init", "--authorities", &at("allowing"), "--data", data];
        let target = ["--vendor-domain", "maker.example", "--class", "camera"];
        agent(&[&line[..], &target, key].concat())
    };
    let (with, without) = (at("with"), at("without"));
    assert!(init(&with, &["--shared-key", &at("fleet.key")]).status.success());
    assert!(init(&without, &[]).status.success());
    let refused = init(&at("nameless"), &["--shared-key", &at("nameless.key")]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no identifier"));
    let done = agent(&["install", "--data", &with, &at("mac.suit")]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let refused = agent(&["install", "--data", &without, &at("mac.suit")]);
    // The author of the signature beside the MAC is not on this list.
    assert!(String::from_utf8_lossy(&refused.stderr).contains("unknown-signer"));
    let key = std::path::Path::new(&with).join("keys/shared-0.mackey");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(key).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_device_without_a_release_recovers_by_the_one_it_is_offered() {
    let bench = Bench::new();
    bench.server.offer(&bench.release(5, 1000));
    let _agent = bench.run(&[]);
    bench.wait_for_release(5);
}

#[test]
fn a_download_that_is_cut_is_resumed_where_it_was() {
    let bench = Bench::new();
    let release = bench.release(1, LARGE);
    bench.server.state().cuts = vec![usize::MAX, 300_000, 5, 700_000];
    bench.server.offer(&release);
    let _agent = bench.run(&[]);
    bench.wait_for_release(1);
    let state = bench.server.state();
    // The first answer holds the head, the second is the beginning of the payload.
    let first = state.ranges[1];
    assert_eq!(state.ranges[..5], [0, first, first + 300_000, first + 300_005, first + 1_000_005]);
    assert!(state.sent < (release.envelope.len() + 8192) as u64, "each byte came once");
}

#[test]
fn a_release_that_is_withdrawn_while_it_is_downloaded_gives_way_to_the_next() {
    let bench = Bench::new();
    let first = bench.release(1, LARGE);
    bench.server.state().cuts = vec![4096; 2].into_iter().chain(vec![100_000; 100]).collect();
    bench.server.offer(&first);
    let _agent = bench.run(&[]);
    wait_until("a beginning", || bench.server.state().sent > 500_000);
    bench.server.state().cuts.clear();
    bench.server.offer(&bench.release(2, 1000));
    bench.wait_for_release(2);
}

#[test]
fn a_broken_release_is_installed_once_however_often_it_is_offered_and_does_not_bar_the_good_one() {
    let bench = Bench::new();
    let good = bench.release(1, 1000);
    let broken = good.damaged();
    assert_eq!(good.manifest, broken.manifest);
    bench.server.offer(&broken);
    let agent = bench.run(&[]);
    wait_until("a report", || !bench.server.state().feedback.is_empty());
    let polls = bench.server.state().polls;
    wait_until("five more offers", || bench.server.state().polls >= polls + 5);
    // Nor again after a restart.
    drop(agent);
    let _agent = bench.run(&[]);
    let polls = bench.server.state().polls;
    wait_until("five more offers", || bench.server.state().polls >= polls + 5);
    {
        let state = bench.server.state();
        assert!(state.sent < (broken.envelope.len() + 8192) as u64, "downloaded once");
        assert!(
            state.feedback.iter().all(|told| *told == ("failure".into(), vec!["digest-mismatch".into()]))
        );
    }
    let status = bench.status();
    assert_eq!((status.sequence, status.installations), (0, 0));
    assert_eq!(status.refusal.map(|(_, code)| code).as_deref(), Some("digest-mismatch"));

    bench.server.offer(&good);
    bench.wait_for_release(1);
}

#[test]
fn a_release_that_does_not_attest_is_left_and_not_tried_again() {
    let bench = Bench::new();
    let first = bench.release(1, 1000);
    assert!(bench.install(&first.envelope).status.success());
    let second = bench.release(2, 1000);
    {
        let mut state = bench.server.state();
        state.releases.push(first);
        // Offered, and unknown to the verifier.
        state.offered = Some(second);
    }
    let _agent = bench.run(&["--trial-ms", "1500"]);
    wait_until("the second program", || bench.program_ran(2));
    wait_until("a report", || !bench.server.state().feedback.is_empty());
    let status = bench.wait_for("the first release", |status| {
        status.running.as_ref().is_some_and(|running| running.sequence == 1)
    });
    assert_eq!(bench.server.state().feedback[0], ("failure".to_owned(), vec!["trial-timeout".to_owned()]));
    assert_eq!((status.sequence, status.installations), (1, 1));
    assert_eq!(status.refusal.map(|(_, code)| code).as_deref(), Some("trial-timeout"));
}

#[test]
fn a_tampered_image_is_attested_as_it_is_and_cured_by_the_same_release() {
    let bench = Bench::new();
    let release = bench.release(1, 1000);
    assert!(bench.install(&release.envelope).status.success());
    bench.server.state().releases.push(release.clone());
    let _agent = bench.run(&[]);
    let status = bench.wait_for("a good attestation", |status| {
        status.attestation.as_ref().is_some_and(|attestation| attestation.status == "affirming")
    });
    let slot = status.running.unwrap().slot;
    let image = bench.data().join(format!("slot-{slot}/component-0"));
    let mut bytes = fs::read(&image).unwrap();
    bytes[500] ^= 1;
    fs::remove_file(&image).unwrap();
    fs::write(&image, bytes).unwrap();
    bench.wait_for("a warning", |status| {
        status.attestation.as_ref().is_some_and(|attestation| {
            attestation.status == "contraindicated" || attestation.status == "warning"
        })
    });
    bench.server.offer(&release);
    bench.wait_for("the other slot, committed", |status| {
        status.running.as_ref().is_some_and(|running| running.slot != slot && !running.trial)
    });
    bench.wait_for("a good attestation", |status| {
        status.attestation.as_ref().is_some_and(|attestation| attestation.status == "affirming")
    });
}

#[test]
fn a_killed_agent_takes_its_program_along_and_comes_back_with_one() {
    let bench = Bench::new();
    let release = bench.release(1, 1000);
    assert!(bench.install(&release.envelope).status.success());
    bench.server.state().releases.push(release);
    let mut agents = vec![bench.run(&[])];
    for terminate in [false, true] {
        let status = bench.wait_for("a program", |status| {
            status.payload.is_some_and(is_alive) && status.attestation.is_some()
        });
        let program = status.payload.unwrap();
        let agent = agents.pop().unwrap();
        assert_ne!(agent.id(), program);
        if terminate {
            agent.terminate();
        } else {
            agent.kill();
        }
        wait_until("the end of the program", || !is_alive(program));
        agents.push(bench.run(&[]));
        bench.wait_for("another program", |status| {
            status.payload.is_some_and(|now| now != program && is_alive(now))
        });
    }
}

#[test]
fn a_program_that_dies_is_started_again() {
    let bench = Bench::new();
    let release = bench.release(1, 1000);
    assert!(bench.install(&release.envelope).status.success());
    let _agent = bench.run(&[]);
    let program = bench.wait_for("a program", |status| status.payload.is_some()).payload.unwrap();
    wait_until("its work", || bench.program_ran(1));
    let killed = std::process::Command::new("kill").args(["-9", &program.to_string()]).status().unwrap();
    assert!(killed.success());
    bench.wait_for("another program", |status| {
        status.payload.is_some_and(|now| now != program && is_alive(now))
    });
}

#[test]
fn an_agent_killed_at_any_moment_of_an_update_ends_with_the_release_it_was_offered() {
    let bench = Bench::new();
    let first = bench.release(1, LARGE);
    assert!(bench.install(&first.envelope).status.success());
    bench.server.state().releases.push(first);
    let mut kills = 0;
    // Any moments will do: nothing is asserted about them but that whatever they hit is survived.
    // They go from before the first byte to after the trial boot, in milliseconds after the offer.
    for (number, moments) in
        (2..).zip([[20, 40, 60, 80], [100, 130, 160, 190], [220, 260, 300, 340], [5, 150, 400, 90]])
    {
        bench.server.offer(&bench.release(number, LARGE));
        for moment in moments {
            let agent = bench.run(&[]);
            let polls = bench.server.state().polls;
            wait_until("an offer taken", || {
                bench.server.state().polls > polls || bench.status().sequence == number
            });
            thread::sleep(Duration::from_millis(moment));
            agent.kill();
            kills += 1;
        }
        let agent = bench.run(&[]);
        let status = bench.wait_for_release(number);
        assert!(status.payload.is_some_and(is_alive));
        drop(agent);
    }
    println!("{kills} kills during updates");
}

#[test]
fn a_token_that_is_no_longer_good_is_replaced_by_attesting() {
    let bench = Bench::new();
    bench.server.offer(&bench.release(1, 1000));
    bench.server.state().tokens_void = true;
    let _agent = bench.run(&["--attest-ms", "600000"]);
    bench.wait_for_release(1);
    let attestations = bench.server.state().attestations;
    bench.server.state().tokens_void = true;
    wait_until("another attestation", || bench.server.state().attestations > attestations);
    bench.server.offer(&bench.release(2, 1000));
    bench.wait_for_release(2);
}

#[test]
fn a_committed_release_stays_while_the_server_is_silent() {
    let bench = Bench::new();
    bench.server.offer(&bench.release(1, 1000));
    let agent = bench.run(&["--trial-ms", "500"]);
    bench.wait_for_release(1);
    bench.server.state().silent = true;
    drop(agent);
    let _agent = bench.run(&["--trial-ms", "500"]);
    let status = bench.wait_for("its program", |status| status.payload.is_some_and(is_alive));
    assert_eq!(status.running.map(|running| (running.sequence, running.trial)), Some((1, false)));
}

#[test]
fn two_agents_do_not_share_a_folder_and_a_device_is_made_once() {
    let bench = Bench::new();
    let _agent = bench.run(&[]);
    bench.wait_for("a boot", |status| status.boot_count > 0);
    let output = bench.install(&bench.release(1, 1000).envelope);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("in use"));
    let authorities = bench.folder.path().join("authorities");
    let output = bench.agent(&["init", "--authorities", authorities.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_factory_refuses_what_the_device_would_refuse() {
    let bench = Bench::new();
    let output = bench.install(&bench.release(1, 1000).damaged().envelope);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("digest-mismatch"));
}
