//! The peer's device with our manufacturer, our rendezvous server and our owner.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::{
    bytes, folder,
    ours::{Ours, as_it_is, key_of},
    path,
    peer::{Device, Peer, text},
    sha384,
};

/// A factory and an operator of ours, which trust each other.
pub(crate) struct Site {
    pub(crate) factory: Ours,
    pub(crate) operator: Ours,
    pub(crate) folder: TempDir,
}

impl Site {
    fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut server::OnboardingConfig)) -> Self {
        // The rendezvous server is one of its own, since neither of the two can start after the other.
        let rendezvous = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = rendezvous.local_addr().expect("bound").port();
        drop(rendezvous);
        let factory = Ours::factory(&format!("https://127.0.0.1:{port}"));
        let manufacturers = factory.keys("manufacturer").iter().map(|key| key_of(key)).collect();
        let operator = Ours::operator_at(port, manufacturers, change);
        operator.set_template("default", &as_it_is());
        Self { factory, operator, folder: folder() }
    }

    /// A device of the peer's, made here, sold to the operator and waited for.
    fn device<'p>(&self, peer: &'p Peer, name: &str, arguments: &[&str]) -> Device<'p> {
        let credential = self.folder.path().join(name);
        let all = [["--insecure"].as_slice(), arguments].concat();
        let device = peer.device_at(&self.factory.url, &credential, &all);
        let voucher = self.factory.sell(&device.guid, &self.operator.keys("owner"));
        self.operator.expect(&voucher, &device.guid);
        device
    }
}

/// Types of the device's key, types of the manufacturer's and owner's, encodings, and the key exchanges for them.
const KEYS: [(&str, &str, &str, &[&str]); 9] = [
    ("ec256", "ec256", "x509", &["ECDH256"]),
    ("ec256", "ec256", "x5chain", &["ECDH256"]),
    ("ec256", "ec256", "cose", &["ECDH256"]),
    ("ec384", "ec384", "x509", &["ECDH384"]),
    ("ec384", "ec384", "cose", &["ECDH384"]),
    ("ec256", "ec384", "x509", &["ECDH384"]),
    ("ec384", "ec256", "x509", &["ECDH256"]),
    ("ec256", "rsa2048", "x509", &["DHKEXid14", "ASYMKEX2048"]),
    ("ec384", "rsa3072", "x509", &["DHKEXid15", "ASYMKEX3072"]),
];

const CIPHERS: [&str; 7] =
    ["A128GCM", "A192GCM", "A256GCM", "COSEAES128CTR", "COSEAES256CTR", "COSEAES128CBC", "COSEAES256CBC"];

#[test]
fn the_peers_device_is_made_found_and_onboarded_in_every_suite_that_both_have() {
    let Some(peer) = Peer::built() else { return };
    let site = Site::with(|config| config.all_ciphers = true);
    let mut rows = 0;
    for (of_device, of_owners, encoding, exchanges) in KEYS {
        for exchange in exchanges {
            // Every cipher with one key exchange, and one cipher with the others.
            let ciphers = if of_owners == "ec256" && encoding == "x509" && of_device == "ec256" {
                CIPHERS.as_slice()
            } else {
                &CIPHERS[..1]
            };
            for cipher in ciphers {
                let name = format!("{of_device}-{of_owners}-{encoding}-{exchange}-{cipher}");
                let made = [
                    "--key-type",
                    of_device,
                    "--manufacturer-key-type",
                    of_owners,
                    "--key-encoding",
                    encoding,
                ];
                let mut device = site.device(peer, &name, &made);
                let before = device.guid.clone();
                let onboarded = device.onboard(&["--insecure", "--kex", exchange, "--cipher", cipher]);
                let onboarded = onboarded.unwrap_or_else(|why| panic!("{name}: {why}"));
                assert_eq!(onboarded["reused"], false, "{name}: {onboarded}");
                let former = site.operator.device(&before);
                assert_eq!(
                    (&former["state"], text(&former, "followed_by")),
                    (&json!("replaced"), device.guid.as_str()),
                    "{name}"
                );
                println!("{name}: onboarded");
                rows += 1;
            }
        }
    }
    assert_eq!(rows, 17);
}

#[test]
fn the_peers_device_gets_files_runs_programs_and_sends_files() {
    let Some(peer) = Peer::built() else { return };
    let site = Site::new();
    let (sent, asked) = (bytes(5000), bytes(3001));
    let log = site.folder.path().join("log.bin");
    fs::write(&log, &asked).expect("a file is written");
    let template = json!({
        "require": "nothing",
        "downloads": [{ "name": "config.bin", "content": api::Base64Url::encode(&sent), "required": true }],
        "commands": [{ "program": "/bin/echo", "arguments": ["hello"] }],
        "uploads": [{ "name": "log.bin", "max_bytes": 4096, "required": true }],
    });
    site.operator.set_template("default", &template);
    let mut device = site.device(peer, "device", &[]);
    let before = device.guid.clone();
    let downloads = site.folder.path().join("downloads");
    fs::create_dir(&downloads).expect("a folder");
    let upload = format!("log.bin={}", path(&log));
    let arguments =
        ["--insecure", "--download-dir", path(&downloads), "--upload", &upload, "--allow-command"];
    let onboarded = device.onboard(&arguments).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(fs::read(downloads.join("config.bin")).expect("it arrived"), sent);
    assert!(onboarded.to_string().contains(&sha384(&sent)), "{onboarded}");
    let ueid = format!("01{before}");
    let arrived = site.operator.uploads(&ueid);
    assert_eq!(fs::read(arrived.join("log.bin")).expect("it arrived"), asked);
    let said = fs::read_to_string(arrived.join("command-0.stdout")).expect("it was heard");
    assert_eq!(said.trim_end(), "hello");
}

#[test]
fn the_peers_device_keeps_its_credential_where_both_want_that() {
    let Some(peer) = Peer::built() else { return };
    let site = Site::new();
    site.operator.set_template("default", &json!({ "require": "nothing", "keep_credential": true }));
    let mut device = site.device(peer, "device", &[]);
    let before = device.guid.clone();
    // It gives up by itself, and tells nobody.
    assert!(device.onboard(&["--insecure"]).is_err());
    for _ in 0..2 {
        let onboarded =
            device.onboard(&["--insecure", "--allow-reuse"]).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((&onboarded["reused"], &device.guid), (&json!(true), &before));
    }
    assert_eq!(site.operator.device(&before)["state"], "onboarded");
}

#[test]
fn the_peers_device_gets_nothing_where_it_must_attest() {
    let Some(peer) = Peer::built() else { return };
    let site = Site::new();
    site.operator.set_template("default", &json!({}));
    let mut device = site.device(peer, "device", &[]);
    assert!(device.onboard(&["--insecure"]).is_err());
    assert_eq!(site.operator.device(&device.guid)["failure"]["code"], "module-missing");
}

#[test]
fn the_peers_device_is_resold_from_our_owner_to_another_of_ours() {
    let Some(peer) = Peer::built() else { return };
    let site = Site::new();
    let mut device = site.device(peer, "device", &[]);
    device.onboard(&["--insecure"]).unwrap_or_else(|why| panic!("{why}"));
    // What it was set up with names our rendezvous server, where its next owner may register.
    let buyer = Ours::operator(vec![key_of(&site.operator.keys("owner")[0])], |_| {});
    buyer.set_template("default", &as_it_is());
    let path = format!("/api/v1/onboarding/devices/{}/sell", device.guid);
    let key = buyer.keys("owner").remove(0);
    let sold = site.operator.call("POST", &path, "application/x-pem-file", key.as_bytes(), 200);
    let report = buyer.call("POST", "/api/v1/onboarding/vouchers", api::VOUCHER, &sold, 200);
    assert!(String::from_utf8_lossy(&report).contains("added"), "{report:?}");
    // The rendezvous server is the seller's, which does not know the buyer: it is told to, by whose devices they are.
    let refused =
        device.onboard(&["--insecure"]).expect_err("nobody is registered, and the former owner sold it");
    assert!(!refused.is_empty());
}
