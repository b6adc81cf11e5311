//! The agent's binary in a factory and with an owner, over HTTP on loopback.

#![allow(clippy::print_stdout, reason = "tests say how much they tried")]

mod common;
mod factory;
mod owner;
#[path = "../../../services/fdo-http/tests/common/mod.rs"]
mod party;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use common::{Bench, author, authorities, wait_until};
use cose::Key;
use crypto::SigningKey;
use factory::{Device, TARGET, evidence_of, provision, register, register_by, set_up_anew, text, waiting};
use fdo::{
    DeviceChain, Guid, RendezvousInfo, Signer as _, Voucher,
    provision::{ACCEPTED, Provision},
    service_info::{Action, ObjectId, modules::Order},
};
use owner::{CONTENTS, Owner};
use party::{Party, directive, http, http::Misbehaviour};
use suit::AuthorityList;
use x509::Certificate;

/// Everything below a folder, with its mode.
fn files(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::metadata(&path).unwrap().permissions().mode() & 0o777));
        }
    }
    found
}

#[test]
fn the_factory_makes_a_device_whose_secrets_are_its_own() {
    let (party, device) = (Party::start(), Device::new());
    let made = device.make(&party, &["--info", "camera 3000", "--serial", "S-17"]);
    assert_eq!(made.ueid, format!("01{}", made.guid));
    assert_eq!(made.serial, "S-17");
    let guid: Guid = made.guid.parse().unwrap();
    let voucher = party.voucher(&guid);
    let voucher = Voucher::decode(&voucher).unwrap();
    assert_eq!(voucher.header().device_info, "camera 3000");
    // The voucher is of the key that the device attests with.
    let owned = voucher.claim(&party::owner().key(), DeviceChain::OfManufacturer).unwrap();
    assert_eq!(Key::decode(&made.key.0).unwrap().public(), owned.device_key());

    let data = device.data();
    for name in ["device.key", "identity.json", "fdo/credential.cbor", "fdo/secret", "keys/device.cosekey"] {
        let mode = fs::metadata(data.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(fs::metadata(data.join("fdo")).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!data.join("authorities.cbor").exists());
    let secret = fs::read(data.join("fdo/secret")).unwrap();
    assert_eq!(secret.len(), 32);
    for (path, _) in files(&data).iter().filter(|(path, _)| !path.ends_with("secret")) {
        let content = fs::read(path).unwrap();
        assert!(!content.windows(secret.len()).any(|window| window == secret), "{}", path.display());
    }
    // It is made once.
    let url = party.target.to_string();
    let again = device.agent(&[&["make", "--di", &url], &TARGET[..]].concat());
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("there is a device already"));
    assert_eq!(party.state().vouchers.len(), 1, "nobody was asked");
}

#[test]
fn a_manufacturer_that_fails_makes_no_device_and_the_reason_is_told() {
    let party = Party::start();
    let url = party.target.to_string();
    let rows = [
        (Misbehaviour::Status(503), "http-status"),
        (Misbehaviour::WrongType, "message-out-of-order"),
        (Misbehaviour::Drop, "connection-lost"),
    ];
    for number in [10, 12] {
        for (wrong, code) in rows {
            let device = Device::new();
            party.state().wrong = Some((number, wrong, 1));
            let output = device.agent(&[&["make", "--di", &url], &TARGET[..]].concat());
            assert_eq!(output.status.code(), Some(2));
            assert!(text(&output.stderr).contains(code), "{}", text(&output.stderr));
            assert!(!device.data().join("device.key").exists() && !device.data().join("fdo").exists());
            device.make(&party, &[]);
        }
    }
    let device = Device::new();
    let output = device.agent(&[&["make", "--di", "ftp://maker.example"], &TARGET[..]].concat());
    assert!(text(&output.stderr).contains("--di is no URL of a server"));
}

#[test]
fn a_device_that_is_killed_while_it_is_made_is_made_or_is_not() {
    let party = Party::start();
    let url = party.target.to_string();
    let arguments = [&["make", "--di", &url], &TARGET[..]].concat();
    let before = Instant::now();
    Device::new().make(&party, &[]);
    let whole = before.elapsed();
    let (steps, mut made, mut blank) = (40, 0, 0);
    for step in 0..steps {
        let device = Device::new();
        device.killed_after(whole * step / (steps - 4), &arguments);
        let data = device.data();
        if data.join("device.key").exists() {
            made += 1;
            for name in ["identity.json", "fdo/credential.cbor", "fdo/secret", "keys/device.cosekey"] {
                assert!(data.join(name).exists(), "{name} at step {step}");
            }
            let identity: serde_json::Value =
                serde_json::from_slice(&fs::read(data.join("identity.json")).unwrap()).unwrap();
            let guid: Guid = identity["ueid"].as_str().unwrap()[2..].parse().unwrap();
            assert!(party.state().vouchers.contains_key(&guid));
        } else {
            blank += 1;
            device.make(&party, &[]);
        }
    }
    println!("killed {steps} times: {made} were made, {blank} were not and could be after");
    assert!(blank > 0, "no kill came in time");
}

#[test]
fn a_device_finds_its_owner_proves_itself_and_keeps_all_that_it_is_given() {
    let party = Party::start();
    let files = tempfile::tempdir().unwrap();
    let log = files.path().join("log.txt");
    fs::write(&log, b"what happened").unwrap();
    let downloads = files.path().join("downloads");
    let order = Order {
        program: "/bin/echo".into(),
        arguments: vec!["done".into()],
        wants_stdout: true,
        ..Order::default()
    };
    let owner = Owner::new(Some(provision(&party))).then([
        Action::Csr,
        Action::Download { content: CONTENTS, name: "config.toml".into() },
        Action::Upload { name: "log".into(), into: ObjectId(2), needs_hash: true, max_len: 1000 },
        Action::Command { order, stdout: Some(ObjectId(3)), stderr: None, max_output: 1000 },
    ]);
    let (device, made) = waiting(&party, &owner);
    let before = device.credential();
    let upload = format!("log={}", log.display());
    let options = ["--download-dir", downloads.to_str().unwrap(), "--allow-upload", &upload];
    let arguments =
        [&["onboard", "--once", "--allow-command", "/bin/echo"], &options[..], &TARGET[..]].concat();
    let output = device.command(&arguments).env("RUST_LOG", "trace").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["guid"], Guid([7; 16]).to_string());
    assert_eq!(answer["server"], "https://server.example:8443");
    assert_eq!(answer["certificate"], true);

    let seen = owner.seen();
    assert_eq!(seen.answer.as_deref(), Some(ACCEPTED));
    let claims = evidence_of(&made, &seen);
    assert_eq!(claims.ueid.to_string(), made.ueid);
    assert!(claims.manifest.is_none(), "nothing is installed yet");
    assert_eq!(fs::read(downloads.join("config.toml")).unwrap(), owner::contents());
    assert_eq!(seen.sink[&2], b"what happened");
    assert_eq!(seen.sink[&3], b"done\n");
    // The certificate is of a key that the device made, and both are there for its programs.
    let folder = device.data().join("fdo");
    let pem = fs::read_to_string(folder.join("operational.pem")).unwrap();
    let certificate = x509::pem::decode(&pem).unwrap().remove(0);
    let certificate = Certificate::decode(&certificate.der).unwrap();
    let key =
        x509::pem::decode(&fs::read_to_string(folder.join("operational.key")).unwrap()).unwrap().remove(0);
    let key = SigningKey::from_pkcs8_der(&key.der).unwrap();
    assert_eq!(certificate.public_key().unwrap(), key.public_key());
    assert_eq!(certificate.subject().common_name(), Some(made.ueid.as_str()));
    let status = device.status().onboarding.unwrap();
    assert_eq!((status.state.as_str(), status.failure, status.attempts), ("onboarded", None, 0));
    assert_eq!(status.guid, Guid([7; 16]).to_string());
    // What the owner gave is what counts from now on.
    assert_ne!(device.credential(), before);
    for (path, mode) in files_of(&folder) {
        assert_eq!(mode, 0o600, "{}", path.display());
    }

    // No secret is in the log, at whatever level.
    let logged = text(&output.stderr);
    assert!(logged.contains("the owner took this device over"));
    let secret = fs::read(folder.join("secret")).unwrap();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers = format!("{}, {}, {}, {}", secret[0], secret[1], secret[2], secret[3]);
    for word in ["hunter2", "token-", &hex, &numbers, "PRIVATE KEY"] {
        assert!(!logged.contains(word), "{word}");
    }

    // It is done once.
    let asked = party.state().received.len();
    let output = device.agent(&[&["onboard", "--once"], &TARGET[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(party.state().received.len(), asked);
}

fn files_of(folder: &Path) -> Vec<(PathBuf, u32)> {
    let found = files(folder);
    assert!(found.len() >= 4, "{found:?}");
    found
}

#[test]
fn a_device_that_is_killed_at_any_message_is_its_old_self_and_begins_again() {
    let party = Party::start();
    let arguments = [&["onboard", "--once"], &TARGET[..]].concat();
    let mut killed = 0;
    for number in [30, 32, 60, 62, 64, 66, 68, 70] {
        let owner = Owner::new(Some(provision(&party))).then([Action::Csr]);
        let (device, _) = waiting(&party, &owner);
        let before = device.credential();
        party.state().wrong = Some((number, Misbehaviour::Silent, 1));
        party.state().received.clear();
        let mut child = device.start(&arguments);
        wait_until("the message", || party.state().received.contains(&number));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(device.credential(), before, "{number}");
        assert!(!device.data().join("fdo/operational.key").exists());
        let output = device.agent(&arguments);
        assert!(output.status.success(), "after {number}: {}", text(&output.stderr));
        assert_ne!(device.credential(), before);
        killed += 1;
    }
    // The last answer gets lost: the owner thinks that it is done, and the device does not.
    let owner = Owner::new(Some(provision(&party)));
    let (device, _) = waiting(&party, &owner);
    let before = device.credential();
    party.state().wrong = Some((70, Misbehaviour::Drop, 1));
    let output = device.agent(&arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no owner took this device over: connection-lost"));
    assert_eq!((device.credential(), device.failure().as_deref()), (before, Some("connection-lost")));
    assert!(device.agent(&arguments).status.success());
    println!("killed at {killed} messages, each time taken over after that");
}

#[test]
fn a_device_that_is_killed_at_any_moment_is_taken_over_or_is_not() {
    let party = Party::start();
    let arguments = [&["onboard", "--once"], &TARGET[..]].concat();
    let owner = Owner::new(Some(provision(&party))).then([Action::Csr]);
    let (device, _) = waiting(&party, &owner);
    let before = Instant::now();
    assert!(device.agent(&arguments).status.success());
    let whole = before.elapsed();
    let (steps, mut done, mut waits) = (24, 0, 0);
    for step in 0..steps {
        let (device, made) = waiting(&party, &owner);
        let before = device.credential();
        device.killed_after(whole * step / (steps - 4), &arguments);
        if device.credential() == before {
            waits += 1;
            // The owner may think that it has the device, which comes again under the name it had.
            register(&party, &made);
        } else {
            done += 1;
        }
        let output = device.agent(&arguments);
        assert!(output.status.success(), "step {step}: {}", text(&output.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&answer["guid"], &answer["certificate"]),
            (&Guid([7; 16]).to_string().into(), &true.into())
        );
        assert!(device.data().join("fdo/operational.pem").exists());
    }
    println!("killed {steps} times: {done} were taken over, {waits} were not and could be after");
    assert!(waits > 0, "no kill came in time");
}

#[test]
fn what_is_refused_leaves_the_device_as_it_was_and_the_owner_is_told_why() {
    let party = Party::start();
    let arguments = [&["onboard", "--once"], &TARGET[..]].concat();
    let rootless = authorities(&author()).members(suit::Role::Author).cloned().collect();
    let rootless = AuthorityList::with_default_policy(rootless).unwrap().to_bytes();
    type Change = fn(&mut Provision, Vec<u8>);
    let rows: [(&str, Change); 4] = [
        ("provision-bad-server", |provision, _| provision.server = "http://server.example".into()),
        ("provision-without-anchors", |provision, _| provision.server_anchors.clear()),
        ("provision-lock-out", |provision, list| provision.authorities = Some(list)),
        ("provision-bad-key", |provision, _| provision.update_server_key = Some(vec![0xa0])),
    ];
    for (code, change) in rows {
        let mut given = provision(&party);
        change(&mut given, rootless.clone());
        let owner = Owner::new(Some(given));
        let (device, _) = waiting(&party, &owner);
        let before = device.credential();
        party.state().received.clear();
        let output = device.agent(&arguments);
        assert_eq!(output.status.code(), Some(2), "{code}");
        assert_eq!((device.failure().as_deref(), device.credential()), (Some(code), before));
        assert_eq!(owner.seen().answer.as_deref(), Some(code));
        assert!(!party.state().received.contains(&70), "the owner does not think that it has the device");
    }
}

#[test]
fn an_owner_does_what_it_was_let_to_and_nothing_else() {
    let party = Party::start();
    let folder = tempfile::tempdir().unwrap();
    let (downloads, log) = (folder.path().join("downloads"), folder.path().join("log"));
    fs::write(&log, b"log").unwrap();
    let upload = format!("log={}", log.display());
    let downloads_option = downloads.to_str().unwrap();
    let download = |name: &str| Action::Download { content: CONTENTS, name: name.into() };
    let take = |name: &str| Action::Upload {
        name: name.into(),
        into: ObjectId(2),
        needs_hash: false,
        max_len: 1 << 20,
    };
    let run = |program: &str| Action::Command {
        order: Order { program: program.into(), ..Order::default() },
        stdout: None,
        stderr: None,
        max_output: 0,
    };
    let mark = folder.path().join("mark");
    let touch = Action::Command {
        order: Order {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), format!("echo > {}", mark.display())],
            ..Order::default()
        },
        stdout: None,
        stderr: None,
        max_output: 0,
    };
    let rows: [(&[&str], Action, &str); 7] = [
        // What is off is not there: the owner gives up.
        (&[], download("config"), "peer-gave-up"),
        (&[], take("log"), "peer-gave-up"),
        (&[], run("/bin/true"), "peer-gave-up"),
        (&["--download-dir", downloads_option], download(".profile"), "module-refused"),
        (
            &["--download-dir", downloads_option, "--download-max", "10"],
            download("config"),
            "module-too-large",
        ),
        (&["--allow-upload", &upload], take("shadow"), "module-refused"),
        (&["--allow-command", "/bin/true"], touch, "module-refused"),
    ];
    for (options, action, code) in rows {
        let what = format!("{options:?} {action:?}");
        let owner = Owner::new(None).then([action]);
        let (device, _) = waiting(&party, &owner);
        let before = device.credential();
        let output = device.agent(&[&["onboard", "--once"], options, &TARGET[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{what}");
        assert_eq!((device.failure().as_deref(), device.credential()), (Some(code), before), "{what}");
    }
    assert!(!mark.exists());
    assert!(!downloads.exists() || fs::read_dir(&downloads).unwrap().count() == 0);
}

#[test]
fn a_device_that_was_sold_is_its_new_owners_and_no_more_the_old_ones() {
    let party = Party::start();
    let owner = Owner::new(Some(provision(&party))).then([Action::Csr]);
    let (device, made) = waiting(&party, &owner);
    let arguments = [&["onboard", "--once", "--again"], &TARGET[..]].concat();
    assert!(device.agent(&arguments).status.success());
    let onboarded = device.credential();
    // Who had it before still has the voucher that was good once, and registers it.
    register(&party, &made);
    assert_eq!(device.agent(&arguments).status.code(), Some(2));
    assert_eq!((device.failure().as_deref(), device.credential()), (Some("peer-gave-up"), onboarded.clone()));
    // Nor does it help to claim the name that the device has now: the voucher would have to be the device's.
    let guid = Guid([7; 16]);
    let old = party.voucher(&made.guid.parse().unwrap());
    let sold = party.state().finished.last().unwrap().clone().unwrap();
    let buyer = party::es256(4);
    let begun = Voucher::decode(&sold).unwrap();
    let sold = begun.extend(buyer.public_key()).unwrap().sign(&party::next_owner()).unwrap();
    party.state().vouchers.insert(guid, sold);
    register_by(&party, guid, &buyer);
    let proper = party.state().vouchers.insert(guid, old).unwrap();
    assert_eq!(device.agent(&arguments).status.code(), Some(2));
    assert_eq!(device.credential(), onboarded);
    // Whom it was sold to takes it over.
    party.state().vouchers.insert(guid, proper);
    party.state().owner = buyer;
    // It gives neither an authority list nor a certificate.
    let owner = Owner::new(Some(Provision { authorities: None, ..provision(&party) }));
    party.state().script = Box::new(owner.clone());
    assert!(device.data().join("fdo/operational.pem").exists());
    let next = RendezvousInfo { directives: vec![directive(&party.target, &[])] };
    party.state().becomes = Some((Guid([8; 16]), next));
    let output = device.agent(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(device.status().onboarding.unwrap().guid, Guid([8; 16]).to_string());
    assert!(
        !device.data().join("fdo/operational.pem").exists()
            && !device.data().join("fdo/operational.key").exists()
    );
    // Whom it obeys did not change hands with it, nor was it lost.
    let output = device.agent(&arguments);
    assert_eq!(device.failure().as_deref(), Some("peer-gave-up"), "{}", text(&output.stderr));
    let digest = authorities(&author()).digest(crypto::HashAlgorithm::Sha256);
    let digest: String = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(device.status().authorities, digest);
    // Evidence calls it what it was called in the factory.
    assert_eq!(evidence_of(&made, &owner.seen()).ueid.to_string(), made.ueid);
}

#[test]
fn an_owner_that_leaves_the_credential_as_it_is_is_refused() {
    let party = Party::start();
    let (device, _) = waiting(&party, &Owner::new(Some(provision(&party))));
    let before = device.credential();
    party.state().becomes = None;
    let output = device.agent(&[&["onboard", "--once"], &TARGET[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!((device.failure().as_deref(), device.credential()), (Some("credential-reuse"), before));
    assert_eq!(party.state().errors.last().unwrap().code, 102);
}

#[test]
fn run_finds_the_owner_first_and_lives_by_what_it_gave() {
    let (party, bench) = (Party::start(), Bench::new());
    let given = Provision {
        server: bench.server.url.clone(),
        server_anchors: vec![x509::pem::decode(&bench.server.certificate).unwrap().remove(0).der],
        update_server_key: None,
        ..provision(&party)
    };
    let owner = Owner::new(Some(given));
    // Nobody is at the first address, and the second does not know the owner yet.
    let nowhere = http::nowhere();
    let directives = vec![directive(&nowhere, &[]), directive(&party.target, &[])];
    party.state().rendezvous = RendezvousInfo { directives };
    let list = bench.folder.path().join("authorities");
    let device = Device::new();
    let made = device.make(&party, &["--authorities", list.to_str().unwrap()]);
    let release = bench.release(1, 1000);
    let envelope = device.folder.path().join("factory.suit");
    fs::write(&envelope, &release.envelope).unwrap();
    let output = device.agent(&["install", envelope.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    bench.server.enrol(&made.ueid, Key::decode(&made.key.0).unwrap().public().clone());
    bench.server.state().releases.push(release);

    let arguments = ["run", "--gateway", "none", "--attest-ms", "1000", "--poll-ms", "100"];
    let child = device.start(&arguments);
    let _agent = common::Agent::of(child);
    wait_until("some attempts", || device.status().onboarding.is_some_and(|status| status.attempts >= 4));
    let status = device.status().onboarding.unwrap();
    assert_eq!((status.state.as_str(), status.failure.is_some()), ("waiting", true));
    // What the factory installed runs meanwhile.
    wait_until("the program", || bench.program_ran(1));
    set_up_anew(&party);
    party.state().script = Box::new(owner.clone());
    register(&party, &made);
    wait_until("a good attestation", || {
        device.status().attestation.is_some_and(|attestation| attestation.status == "affirming")
    });
    let status = device.status();
    assert_eq!(status.onboarding.map(|onboarding| onboarding.state).as_deref(), Some("onboarded"));
    assert_eq!(status.running.map(|running| running.sequence), Some(1));
    let claims = evidence_of(&made, &owner.seen());
    assert_eq!(claims.manifest.map(|manifest| manifest.sequence_number), Some(1));
}

#[test]
fn a_device_without_a_list_obeys_whom_its_owner_says_and_the_list_of_the_factory_stays() {
    let party = Party::start();
    let owner = Owner::new(Some(provision(&party)));
    let (device, _) = waiting(&party, &owner);
    let arguments = [&["onboard", "--once"], &TARGET[..]].concat();
    assert!(device.agent(&arguments).status.success());
    // Installing shows whom it obeys.
    let bench = Bench::new();
    let envelope = device.folder.path().join("release.suit");
    fs::write(&envelope, bench.release(1, 100).envelope).unwrap();
    let output = device.agent(&["install", envelope.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));

    // One that has a list is given none, the same, or it does not become the owner's.
    let list = bench.folder.path().join("authorities");
    let same = authorities(&author()).to_bytes();
    let other = authorities(&party::es256(77)).to_bytes();
    for (given, expected) in
        [(None, None), (Some(same), None), (Some(other), Some("provision-other-authorities"))]
    {
        let owner = Owner::new(Some(Provision { authorities: given, ..provision(&party) }));
        let device = Device::new();
        let made = device.make(&party, &["--authorities", list.to_str().unwrap()]);
        register(&party, &made);
        party.state().script = Box::new(owner);
        let output = device.agent(&["onboard", "--once"]);
        assert_eq!(output.status.success(), expected.is_none(), "{}", text(&output.stderr));
        assert_eq!(device.failure().as_deref(), expected);
    }
}

#[test]
fn run_without_an_owner_and_without_a_server_says_what_is_missing() {
    let bench = Bench::new();
    let output = bench.agent(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--ca is missing"), "{}", text(&output.stderr));
    let output = bench.agent(&["onboard"]);
    assert!(text(&output.stderr).contains("no device that was made for onboarding"));
}
