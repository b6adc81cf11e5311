//! A device in a folder, made by a factory and waiting for its owner.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use cose::Key;
use crypto::SigningKey;
use eat::{Evidence, Nonce};
use fdo::{
    DeviceChain, Guid, RendezvousInfo, Signer as _, Voucher,
    provision::{Network, Provision},
};
use sextant_agent::{MadeDevice, Status};
use zeroize::Zeroizing;

use crate::{
    common::{author, authorities},
    owner::{Owner, Seen},
    party::{self, Party, directive},
};

pub(crate) const TARGET: [&str; 4] = ["--vendor-domain", "maker.example", "--class", "camera"];

/// A folder for a device.
pub(crate) struct Device {
    pub(crate) folder: tempfile::TempDir,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sextant-agent"));
        command.args(arguments).arg("--data").arg(self.data()).stdin(Stdio::null());
        command
    }

    pub(crate) fn agent(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The agent in the background, saying nothing.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The agent, killed after some time, unless it ended by itself.
    pub(crate) fn killed_after(&self, time: Duration, arguments: &[&str]) {
        let mut child = self.start(arguments);
        thread::sleep(time);
        // It may have ended by itself.
        let _killed = child.kill();
        child.wait().unwrap();
    }

    pub(crate) fn make(&self, party: &Party, more: &[&str]) -> MadeDevice {
        let url = party.target.to_string();
        let output = self.agent(&[&["make", "--di", &url], &TARGET[..], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Who a device is to become, found as it was before.
pub(crate) fn set_up_anew(party: &Party) {
    let next = RendezvousInfo { directives: vec![directive(&party.target, &[])] };
    party.state().becomes = Some((Guid([7; 16]), next));
}

/// The owner registers the device where the device looks.
pub(crate) fn register(party: &Party, made: &MadeDevice) {
    register_by(party, made.guid.parse().unwrap(), &party::owner());
}

pub(crate) fn register_by(party: &Party, guid: Guid, key: &SigningKey) {
    let voucher = party.voucher(&guid);
    let owned = Voucher::decode(&voucher).unwrap().claim(&key.key(), DeviceChain::OfManufacturer).unwrap();
    let (client, pins, addresses) = (fdo_http::Client::default(), fdo::Pins::default(), [party.address()]);
    fdo_http::register(&client, &party.target, &pins, &owned, &addresses, 600, key).unwrap();
}

/// Something that a server's certificate may descend from.
pub(crate) fn anchor(party: &Party) -> Vec<u8> {
    party.authority.clone()
}

pub(crate) fn provision(party: &Party) -> Provision {
    let network =
        Network { ssid: "plant".into(), password: Some(Zeroizing::new("hunter2-of-the-plant".into())) };
    Provision {
        server: "https://server.example:8443".into(),
        server_anchors: vec![anchor(party)],
        authorities: Some(authorities(&author()).to_bytes()),
        update_server_key: Some(Key::from_public(author().public_key()).encode()),
        result_key: None,
        gateway: Some("http://192.0.2.1:8480".into()),
        networks: vec![network],
    }
}

/// A device that waits for its owner, who will do this with it.
pub(crate) fn waiting(party: &Party, owner: &Owner) -> (Device, MadeDevice) {
    waiting_with(party, owner, &[])
}

/// The same, made with more options.
pub(crate) fn waiting_with(party: &Party, owner: &Owner, more: &[&str]) -> (Device, MadeDevice) {
    let device = Device::new();
    let made = device.make(party, more);
    register(party, &made);
    set_up_anew(party);
    party.state().script = Box::new(owner.clone());
    (device, made)
}

impl Device {
    pub(crate) fn status(&self) -> Status {
        serde_json::from_slice(&fs::read(self.data().join("status.json")).unwrap_or_default())
            .unwrap_or_default()
    }

    pub(crate) fn credential(&self) -> Vec<u8> {
        fs::read(self.data().join("fdo/credential.cbor")).unwrap()
    }

    /// Why the newest attempt failed.
    pub(crate) fn failure(&self) -> Option<String> {
        self.status().onboarding.and_then(|onboarding| onboarding.failure)
    }
}

pub(crate) fn evidence_of(made: &MadeDevice, seen: &Seen) -> eat::EvidenceClaims {
    let evidence = Evidence::decode(seen.evidence.as_ref().unwrap()).unwrap();
    let nonce = Nonce::new(&seen.binding.unwrap()).unwrap();
    let key = Key::decode(&made.key.0).unwrap().public().clone();
    evidence.verify(&key, &nonce).unwrap().into_claims()
}
