//! Onboarding on the command line, against a real server that plays every role.

mod common;

use std::os::unix::fs::PermissionsExt as _;

use common::{Desk, fixed_key, up::Up};
use crypto::{HashAlgorithm, SignatureAlgorithm, Zeroizing};
use fdo::{Credential, SoftSecrets};
use fdo_http::{Client, Finding, find_owner};
use serde_json::Value;

const ROLES: &str =
    "--role manufacturer --role rendezvous --role owner --role manage --rendezvous-owner home.key.pub";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.key("home.key", 3).key("shop.key", 4);
    desk
}

/// Makes a device and gives its GUID.
fn make(desk: &Desk, server: &Up<'_>, name: &str, options: &str) -> String {
    let line =
        format!("fdo di --server {} --serial NL-1 --info camera -o {name} --json {options}", server.url);
    let made: Value = serde_json::from_str(&desk.done(&line)).expect("JSON");
    made["guid"].as_str().expect("a GUID").to_owned()
}

/// The device that the files of `fdo di` are.
fn device(desk: &Desk, name: &str) -> (Credential, SoftSecrets) {
    let credential = Credential::decode(&desk.read(name)).expect("a credential");
    let bytes = desk.read(&format!("{name}.secrets"));
    let mut reader = cbor::Reader::new(&bytes);
    reader.array_of(2).expect("two keys");
    let key = cose::Key::decode(reader.raw().expect("an item")).expect("a key");
    // {1: 4, -1: 32 bytes}
    let hmac_secret =
        reader.rest().strip_prefix(&[0xa2, 0x01, 0x04, 0x20, 0x58, 0x20]).expect("a symmetric key");
    assert_eq!(hmac_secret.len(), 32);
    let hmac_secret = Zeroizing::new(hmac_secret.to_vec());
    (credential, SoftSecrets { key: key.into_secret().expect("a private key"), hmac_secret })
}

/// Where its rendezvous server sends a device, and what it is told, in a file.
fn found(desk: &Desk, name: &str) -> String {
    let (credential, secrets) = device(desk, name);
    match find_owner(&Client::default(), &credential, &secrets).next() {
        Some(Finding::Candidate(candidate)) => {
            desk.write("redirect", candidate.redirect.expect("rendezvous"));
            candidate.target.to_string()
        }
        Some(Finding::Failed(error)) => error.code().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_is_made_sold_expected_registered_watched_and_sold_on() {
    let desk = desk();
    let server = Up::start(&desk, ROLES);
    let keys = server.json("fdo keys");
    desk.write("owner.pem", keys["owner"][0].as_str().expect("a key"));
    let told = server.done("fdo keys");
    for words in
        ["owner:\n-----BEGIN PUBLIC KEY", "manufacturer:\n", "authority of devices:\n-----BEGIN CERT"]
    {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }

    let guid = make(&desk, &server, "camera", "--ca data/tls/cert.pem");
    for name in ["camera", "camera.secrets"] {
        let mode = std::fs::metadata(desk.path(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(device(&desk, "camera").0.guid.to_string(), guid);
    let told = desk.done("inspect camera");
    for words in ["kind: device credential (FDO)", &format!("guid: {guid}"), "device: camera", "SECP256R1"] {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }
    let again = format!("fdo di --server {} --serial NL-1 --info camera -o camera", server.url);
    desk.failed(&again, "is there already");
    assert_eq!(found(&desk, "camera"), "peer-gave-up", "nobody registered it");

    // The factory's stock.
    let made = server.json("fdo made");
    assert_eq!((made[0]["guid"].as_str(), made[0]["entries"].as_u64()), (Some(guid.as_str()), Some(0)));
    assert_eq!(server.json(&format!("fdo made {guid}"))["serial"], "NL-1");
    server.done(&format!("fdo made {guid} -o unsold.pem"));
    desk.refused("voucher verify unsold.pem", "voucher-unsigned");
    let sell = format!("fdo sell {guid} --made --to owner.pem -o sold.pem");
    server.done(&sell);
    desk.done("voucher verify sold.pem --owner owner.pem");
    server.refused(&sell, "conflict");
    assert_eq!(server.run("fdo made 00 -o x").status, 2);

    // The owner expects it; each voucher of a file is answered for itself.
    let file = [desk.read("unsold.pem"), desk.read("sold.pem"), desk.read("sold.pem")].concat();
    desk.write("all.pem", file);
    let run = server.run("fdo import all.pem --group yard --json");
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let outcomes: Vec<_> = report
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["outcome"].as_str().unwrap_or_default())
        .collect();
    assert_eq!((run.status, outcomes), (1, vec!["refused", "added", "known"]));
    server.refused("fdo import unsold.pem", "voucher-unsigned");
    server.done("fdo import sold.pem");

    let status = format!("fdo status {guid}");
    server.until("the registration", || server.json(&status)["registration"]["until"].is_string());
    let waiting = server.done("fdo status --state waiting");
    assert!(waiting.contains(&guid) && waiting.contains("yard"), "{waiting}");
    assert_eq!(server.json("fdo status --state sold"), serde_json::json!([]));
    assert_eq!(server.json(&status)["timeline"][0]["event"], "registered");
    assert_eq!(server.run("fdo status --state nowhere").status, 2);
    assert_eq!(server.run("fdo status 00").status, 2);
    assert!(server.done("fdo redirects").contains(&guid));
    assert_eq!(found(&desk, "camera"), server.url, "the two files are the device");
    let told = desk.done("inspect redirect");
    assert!(told.starts_with("kind: redirection to an owner (FDO)") && told.contains(&server.url), "{told}");

    // What it will be and be given.
    desk.write(
        "yard.json",
        r#"{ "require": "nothing", "networks": [{ "ssid": "yard", "password": "hunter2" }] }"#,
    );
    desk.write("wrong.json", r#"{ "requires": "nothing" }"#);
    server.done("fdo template set yard-cams yard.json");
    let wrong = server.run("fdo template set yard-cams wrong.json");
    assert!(wrong.status == 2 && wrong.stderr.contains("requires"), "{}", wrong.stderr);
    let shown = server.done("fdo template show yard-cams");
    assert!(shown.contains("ssid: yard") && !shown.contains("hunter2"), "{shown}");
    let planned = server.json(&format!("fdo plan {guid} --name porch-cam --template yard-cams"));
    assert_eq!((&planned["name"], &planned["group"]), (&"porch-cam".into(), &"yard".into()));
    server.refused(&format!("fdo plan {guid} --template none"), "there is no template");
    assert_eq!(server.run(&format!("fdo plan {guid}")).status, 2);
    assert!(server.done("fdo template ls").contains("yard-cams"));
    server.done("fdo template rm yard-cams");
    assert_eq!(server.run("fdo template show yard-cams").status, 2);
    server.done(&format!("fdo retry {guid}"));
    assert!(server.json(&status)["timeline"].to_string().contains("retry"));

    // Its owner sells it on, and the next one registers without a server.
    server.done(&format!("fdo sell {guid} --to home.key.pub -o home.pem"));
    assert_eq!(server.json(&status)["state"], "sold");
    let to0 = "fdo to0 --voucher home.pem --owner-url https://home.example:8443 --wait 1h";
    let told = desk.done(&format!("{to0} --key home.key"));
    assert!(told.contains("remembers seconds: 3600"), "{told}");
    assert_eq!(found(&desk, "camera"), "https://home.example:8443");
    let thumbprint = cose::thumbprint(fixed_key(3).public_key(), HashAlgorithm::Sha256);
    let owner = server.json("fdo redirects")[0]["owner"].as_str().expect("an owner").to_owned();
    assert!(thumbprint.to_string().ends_with(&owner), "{owner}");
    desk.refused(&format!("{to0} --key shop.key"), "voucher-owner");
    desk.done("voucher extend home.pem --to shop.key.pub --key home.key -o shop.pem");
    let to0 = "fdo to0 --voucher shop.pem --key shop.key --owner-url https://shop.example";
    desk.refused(to0, "peer-gave-up");
    desk.refused(&format!("{to0} --rendezvous {}", server.url), "peer-gave-up");
    let gone = desk.run(&format!("{to0} --rendezvous http://127.0.0.1:1"));
    assert!(gone.status == 2 && gone.stderr.contains("server-unreachable"), "{}", gone.stderr);
}

#[test]
fn a_manufacturer_sells_what_it_makes_and_makes_devices_on_p384() {
    let desk = desk();
    let server = Up::start(
        &desk,
        "--role manufacturer --role manage --sell-to home.key.pub --rendezvous http://[::1]:9",
    );
    let sold = make(&desk, &server, "small", "");
    let large = make(&desk, &server, "large", "--key-type es384");
    let (credential, secrets) = device(&desk, "large");
    assert_eq!(secrets.key.algorithm(), SignatureAlgorithm::Es384);
    // Where it looks for its owner is what the server was told to tell.
    assert_eq!(found(&desk, "large"), "server-unreachable");
    assert_eq!(credential.guid.to_string(), large);
    server.done(&format!("fdo made {sold} -o small.cbor"));
    desk.done("voucher verify small.cbor --owner home.key.pub");
    // A key of another type buys nothing.
    assert_eq!(server.json(&format!("fdo made {large}"))["entries"], 0);
    desk.done("key new --alg ES384 -o buyer.key");
    server.done(&format!("fdo sell {large} --made --to buyer.key -o large.pem"));
    desk.done("key new --alg ES384 -o next.key");
    desk.done("voucher extend large.pem --to next.key --key buyer.key -o next.pem");
    desk.done("voucher verify next.pem --owner next.key");
    // It has no devices to onboard, and rendezvous is not its part.
    assert_eq!(server.json("fdo status"), serde_json::json!([]));
    let to0 = "fdo to0 --voucher small.cbor --key home.key --owner-url https://home.example --rendezvous";
    desk.refused(&format!("{to0} {}", server.url), "peer-gave-up");
}

#[test]
fn what_cannot_be_asked_is_misuse() {
    let desk = desk();
    for line in [
        "up --role factory",
        "up --public-url ftp://x",
        "up --rendezvous https://x/path",
        "up --longest-wait 0s",
        "up --sell-to nowhere.pub",
        "fdo di --server x --serial 1 --info i -o d",
        "fdo di --server https://localhost:1 --serial 1 --info i -o -",
        "fdo di --server https://localhost:1 --serial 1 --info i --key-type rsa -o d",
        "fdo to0 --voucher v --key k --owner-url https://x/path",
        "fdo to0 --voucher v --key k --owner-url https://x --wait 0s",
        "fdo status 00 --state waiting",
        "fdo made -o x",
        "fdo keys",
    ] {
        let run = desk.run(line);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "`{line}`");
    }
    assert!(!desk.path("d").exists() && !desk.path("data").exists());
    let help = desk.done("up --help");
    assert!(help.contains("networks of factories"), "{help}");
}
