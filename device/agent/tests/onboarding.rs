//! The agent's binary in a factory and with an owner, over HTTP on loopback.

#![allow(clippy::print_stdout, reason = "tests say how much they tried")]

#[path = "../../../services/fdo-http/tests/common/mod.rs"]
mod party;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Instant,
};

use cose::Key;
use fdo::{DeviceChain, Guid, Signer as _, Voucher};
use party::{Party, http::Misbehaviour, owner};
use sextant_agent::MadeDevice;

const TARGET: [&str; 4] = ["--vendor-domain", "maker.example", "--class", "camera"];

/// A folder for a device.
struct Device {
    folder: tempfile::TempDir,
}

impl Device {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sextant-agent"));
        command.args(arguments).arg("--data").arg(self.data()).stdin(Stdio::null());
        command
    }

    fn agent(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn make(&self, party: &Party, more: &[&str]) -> MadeDevice {
        let url = party.target.to_string();
        let output = self.agent(&[&["make", "--di", &url], &TARGET[..], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

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
    let owned = voucher.claim(&owner().key(), DeviceChain::OfManufacturer).unwrap();
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
        let mut child =
            device.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(whole * step / (steps - 4));
        // It may have ended by itself.
        let _killed = child.kill();
        child.wait().unwrap();
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
