//! A device whose key is in a TPM (`swtpm`): in the factory, with its owner, and attesting; and what it is without that TPM.

#![allow(clippy::print_stdout, reason = "tests say how much they tried")]

mod common;
mod factory;
mod owner;
#[path = "../../../services/fdo-http/tests/common/mod.rs"]
mod party;

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
    time::Instant,
};

use common::{Bench, gateway::FakeGateway, wait_until};
use cose::Key;
use factory::{Device, TARGET, evidence_of, provision, register_by, text, waiting_with};
use fdo::{
    DeviceChain, Guid, RendezvousInfo, Signer as _, Voucher,
    provision::{ACCEPTED, Provision},
    service_info::Action,
};
use owner::Owner;
use party::{Party, directive};
use sextant_agent::MadeDevice;
use testkit::Tpm;

/// A machine, in which there is one TPM or another, or none.
struct Machine {
    folder: tempfile::TempDir,
    tpm: Tpm,
}

impl Machine {
    /// Says aloud when there can be none.
    fn start() -> Option<Self> {
        let machine = Self { folder: tempfile::tempdir().unwrap(), tpm: Tpm::start()? };
        machine.put(Some(&machine.tpm));
        Some(machine)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tpm")
    }

    fn address(&self) -> String {
        format!("swtpm:path={}", self.socket().display())
    }

    /// Another TPM in the place of the one there is, or none.
    fn put(&self, tpm: Option<&Tpm>) {
        let _absent = fs::remove_file(self.socket());
        if let Some(tpm) = tpm {
            symlink(tpm.socket(), self.socket()).unwrap();
        }
    }
}

fn made_in(machine: &Machine, party: &Party, device: &Device, more: &[&str]) -> MadeDevice {
    device.make(party, &[&["--tpm", &machine.address()], more].concat())
}

#[test]
fn the_secrets_of_a_device_are_made_in_its_tpm_and_stay_there() {
    let Some(machine) = Machine::start() else { return };
    let (party, device) = (Party::start(), Device::new());
    let made = made_in(&machine, &party, &device, &[]);
    let voucher = party.voucher(&made.guid.parse().unwrap());
    let owned = Voucher::decode(&voucher).unwrap();
    let owned = owned.claim(&party::owner().key(), DeviceChain::OfManufacturer).unwrap();
    assert_eq!(Key::decode(&made.key.0).unwrap().public(), owned.device_key());

    let data = device.data();
    assert_eq!(fs::metadata(data.join("device.tpm")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!data.join("device.key").exists() && !data.join("fdo/secret").exists());
    // What is there instead is nothing that anybody could sign with.
    let kept = fs::read(data.join("device.tpm")).unwrap();
    assert!(kept.len() < 1024);
    assert!(Key::decode(&kept).is_err());
    // It is made once, in whatever way.
    let url = party.target.to_string();
    for more in [&[][..], &["--tpm", &machine.address()]] {
        let again = device.agent(&[&["make", "--di", &url], &TARGET[..], more].concat());
        assert_eq!(again.status.code(), Some(2));
        assert!(text(&again.stderr).contains("there is a device already"));
    }
    assert_eq!(party.state().vouchers.len(), 1, "nobody was asked");
}

#[test]
fn a_device_proves_itself_to_its_owner_and_attests_with_the_key_in_its_tpm() {
    let Some(machine) = Machine::start() else { return };
    let (party, bench) = (Party::start(), Bench::new());
    let given = Provision {
        server: bench.server.url.clone(),
        server_anchors: vec![x509::pem::decode(&bench.server.certificate).unwrap().remove(0).der],
        update_server_key: None,
        ..provision(&party)
    };
    let owner = Owner::new(Some(given)).then([Action::Csr]);
    let list = bench.folder.path().join("authorities");
    let address = machine.address();
    let more = ["--tpm", &address, "--authorities", list.to_str().unwrap()];
    let (device, made) = waiting_with(&party, &owner, &more);
    let release = bench.release(1, 1000);
    let envelope = device.folder.path().join("factory.suit");
    fs::write(&envelope, &release.envelope).unwrap();
    let output = device.agent(&["install", envelope.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    bench.server.enrol(&made.ueid, Key::decode(&made.key.0).unwrap().public().clone());
    bench.server.state().releases.push(release);

    // TO1, TO2 with evidence, then attestations and reports, all in one run.
    let key = Key::decode(&made.key.0).unwrap().public().clone();
    let gateway = FakeGateway::start(key);
    let arguments = ["run", "--gateway", &gateway.url, "--attest-ms", "300", "--poll-ms", "100"];
    let child = device.start(&arguments);
    let _agent = common::Agent::of(child);
    let is_good = || device.status().attestation.is_some_and(|attestation| attestation.status == "affirming");
    wait_until("a good attestation", is_good);
    wait_until("the program", || bench.program_ran(1));
    assert_eq!(owner.seen().answer.as_deref(), Some(ACCEPTED));
    let claims = evidence_of(&made, &owner.seen());
    assert_eq!(claims.manifest.map(|manifest| manifest.sequence_number), Some(1));
    wait_until("the gateway", || device.status().admitted && !gateway.state().taken.is_empty());
    assert!(party.state().received.contains(&32) && party.state().received.contains(&64));

    // Without its TPM the device runs on and proves nothing; with it, it does again.
    let other = Tpm::start().unwrap();
    for (tpm, code) in [(None, "tpm-unreachable"), (Some(&other), "tpm-key-foreign")] {
        machine.put(tpm);
        wait_until(code, || device.status().key_failure.as_deref() == Some(code));
        assert!(device.status().payload.is_some());
        machine.put(Some(&machine.tpm));
        wait_until("its own TPM again", || device.status().key_failure.is_none());
    }
}

#[test]
fn a_copy_of_a_device_elsewhere_is_none() {
    let Some(machine) = Machine::start() else { return };
    let Some(other) = Tpm::start() else { return };
    let party = Party::start();
    let owner = Owner::new(Some(provision(&party)));
    let (device, _) = waiting_with(&party, &owner, &["--tpm", &machine.address()]);
    let before = device.credential();
    let arguments = [&["onboard", "--once"], &TARGET[..]].concat();
    let refused = |code: &str| {
        party.state().received.clear();
        let output = device.agent(&arguments);
        assert_eq!(output.status.code(), Some(2));
        let told = text(&output.stderr);
        assert!(told.contains(&format!("no owner took this device over: {code}")), "{told}");
        assert!(told.contains("the device cannot prove itself"), "{told}");
        assert_eq!((device.failure().as_deref(), device.credential()), (Some(code), before.clone()));
        assert!(party.state().received.is_empty(), "nobody was asked");
    };
    machine.put(Some(&other));
    refused("tpm-key-foreign");
    machine.put(None);
    refused("tpm-unreachable");
    // A key that somebody else made elsewhere, with what the device keeps of its own.
    machine.put(Some(&machine.tpm));
    let kept = fs::read(device.data().join("device.tpm")).unwrap();
    for at in [kept.len() / 4, kept.len() / 3] {
        let mut altered = kept.clone();
        altered[at] ^= 1;
        fs::write(device.data().join("device.tpm"), altered).unwrap();
        let output = device.agent(&arguments);
        assert_eq!(output.status.code(), Some(2), "{at}: {}", text(&output.stderr));
    }
    fs::write(device.data().join("device.tpm"), &kept[..kept.len() - 1]).unwrap();
    assert!(text(&device.agent(&arguments).stderr).contains("device.tpm"));
    fs::write(device.data().join("device.tpm"), &kept).unwrap();
    // At home it is what it was.
    let output = device.agent(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_ne!(device.credential(), before);
    // Once the TPM was cleared there is no device any more.
    machine.tpm.run("tpm2_clear", "-c p");
    let output = device.agent(&[&["onboard", "--once", "--again"], &TARGET[..]].concat());
    assert!(text(&output.stderr).contains("tpm-key-foreign"));
}

#[test]
fn a_factory_without_a_tpm_makes_no_device() {
    let (party, device) = (Party::start(), Device::new());
    let url = party.target.to_string();
    let nowhere = format!("swtpm:path={}", device.folder.path().join("nothing").display());
    let output = device.agent(&[&["make", "--di", &url, "--tpm", &nowhere], &TARGET[..]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("tpm-unreachable"), "{}", text(&output.stderr));
    assert!(party.state().received.is_empty(), "nobody was asked");
    device.make(&party, &[]);
}

#[test]
fn a_device_that_is_killed_while_it_is_made_in_a_tpm_is_made_or_is_not() {
    let Some(machine) = Machine::start() else { return };
    let party = Party::start();
    let url = party.target.to_string();
    let address = machine.address();
    let arguments = [&["make", "--di", &url, "--tpm", &address], &TARGET[..]].concat();
    let before = Instant::now();
    made_in(&machine, &party, &Device::new(), &[]);
    let whole = before.elapsed();
    let (steps, mut made, mut blank) = (40, 0, 0);
    for step in 0..steps {
        let device = Device::new();
        device.killed_after(whole * step / (steps - 4), &arguments);
        let data = device.data();
        assert!(!data.join("device.key").exists());
        let identity = if data.join("device.tpm").exists() {
            made += 1;
            let identity = fs::read(data.join("identity.json")).unwrap();
            let identity: serde_json::Value = serde_json::from_slice(&identity).unwrap();
            identity["ueid"].as_str().unwrap().to_owned()
        } else {
            blank += 1;
            // What the killed one left in the TPM's memory is in nobody's way.
            made_in(&machine, &party, &device, &[]).ueid
        };
        let guid: Guid = identity[2..].parse().unwrap();
        assert!(party.state().vouchers.contains_key(&guid), "step {step}");
    }
    println!("killed {steps} times: {made} were made, {blank} were not and could be after");
    assert!(blank > 0, "no kill came in time");
}

#[test]
fn a_device_in_a_tpm_that_was_sold_proves_itself_to_the_next_owner() {
    let Some(machine) = Machine::start() else { return };
    let party = Party::start();
    let owner = Owner::new(Some(provision(&party)));
    let (device, made) = waiting_with(&party, &owner, &["--tpm", &machine.address()]);
    let output = device.agent(&[&["onboard", "--once"], &TARGET[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    // It was called so by the owner that sells it, over an HMAC of its TPM.
    let guid = Guid([7; 16]);
    let sold = party.state().finished.last().unwrap().clone().unwrap();
    let buyer = party::es256(4);
    let begun = Voucher::decode(&sold).unwrap();
    let sold = begun.extend(buyer.public_key()).unwrap();
    party.state().vouchers.insert(guid, sold.sign(&party::next_owner()).unwrap());
    register_by(&party, guid, &buyer);
    party.state().owner = buyer;
    let owner = Owner::new(Some(Provision { authorities: None, ..provision(&party) }));
    party.state().script = Box::new(owner.clone());
    let next = RendezvousInfo { directives: vec![directive(&party.target, &[])] };
    party.state().becomes = Some((Guid([8; 16]), next));
    let output = device.agent(&[&["onboard", "--once", "--again"], &TARGET[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(evidence_of(&made, &owner.seen()).ueid.to_string(), made.ueid);
}
