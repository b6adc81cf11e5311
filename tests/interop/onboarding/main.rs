//! Onboarding with peers: vouchers of each read by the other, their devices at our servers and ours at theirs, and the peer's own
//! roles against each other, which proves the driver.
//!
//! The first peer is the library go-fdo (<https://github.com/fido-device-onboard/go-fdo>) in every role. The driver is `go-fdo/`, our
//! program over the published modules, built with `go build` into the target folder. Where there is no Go, or the modules cannot
//! be had, everything with it is skipped aloud. `go-fdo-peer SUBCOMMAND --help` lists its flags; with `--debug` it shows every
//! message, decrypted. The second is a device over the library astarte-device-fdo (`astarte.rs`).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "each row of a matrix is said aloud")]

mod astarte;
mod device;
mod matrix;
mod ours;
mod peer;
mod peers_device;
mod relay;
mod resale;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::PathBuf,
};

use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use fdo::{DeviceChain, Key, KeyEncoding, KeyType, PEM_LABEL, Voucher, vouchers_of_file};
use peer::{Peer, path, text};
use serde_json::json;
use tempfile::TempDir;
use x509::pem;

/// A key of an owner, with its files.
struct Owner {
    key: SigningKey,
    private: PathBuf,
    public: PathBuf,
}

impl Owner {
    fn new(folder: &TempDir, name: &str, seed: u8) -> Self {
        let key = SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).expect("a key");
        let private = folder.path().join(format!("{name}.pem"));
        let public = folder.path().join(format!("{name}.pub.pem"));
        fs::write(&private, pem::encode("PRIVATE KEY", &key.to_pkcs8_der())).expect("a file is written");
        fs::write(&public, pem::encode("PUBLIC KEY", &key.public_key().to_spki_der()))
            .expect("a file is written");
        Self { key, private, public }
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Bytes of a length in which no two parts are alike.
fn bytes(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(len).collect()
}

fn sha384(content: &[u8]) -> String {
    Digest::of(HashAlgorithm::Sha384, content).to_string().trim_start_matches("sha384:").to_owned()
}

/// A web server that answers once. Gives the URL of its file.
fn serve_once(content: &'static [u8], name: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/{name}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        let mut request = BufReader::new(stream.try_clone()?).lines();
        // Up to the empty line, so that nothing unread resets the connection.
        while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len())?;
        stream.write_all(content)
    });
    url
}

#[test]
fn a_device_that_bypasses_rendezvous_is_onboarded_with_files_both_ways() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let (config, log) = (files.path().join("config.bin"), files.path().join("log.bin"));
    let (sent, asked) = (bytes(5000), bytes(3001));
    fs::write(&config, &sent).expect("a file is written");
    fs::write(&log, &asked).expect("a file is written");
    let manual = serve_once(b"turn it on", "manual.txt");
    let mut server = peer.server(
        &files.path().join("server"),
        &[
            "--rv-bypass",
            "--download",
            path(&config),
            "--upload",
            "log.bin",
            "--command",
            "echo done",
            "--wget",
            &manual,
        ],
    );
    let credential = files.path().join("credential");
    let mut device = peer.device(&server, &credential, &["--info", "lamp", "--serial", "17"]);
    let first = device.guid.clone();
    let made = server.event("device");
    assert_eq!((text(&made, "guid"), text(&made, "serial")), (first.as_str(), "17"));

    // Of modules that it has not it is asked nothing.
    let offer = format!("log.bin={}", path(&log));
    let result = device
        .onboard(&["--upload", &offer, "--allow-command", "--mud-url", "https://lamp.example/mud"])
        .expect("onboarded");
    assert_eq!(result["modules"], json!(["fdo.upload", "fdo.command"]));
    assert_eq!((&result["reused"], text(&result, "guid")), (&json!(false), first.as_str()));
    assert_ne!(device.guid, first);
    assert_eq!(text(&server.event("unsupported"), "module"), "fdo.download");
    let upload = server.event("upload");
    assert_eq!((&upload["size"], text(&upload, "sha384")), (&json!(asked.len()), sha384(&asked).as_str()));
    assert_eq!(fs::read(text(&upload, "path")).expect("the server kept it"), asked);
    let ran = server.event("command");
    assert_eq!((&ran["exit_code"], text(&ran, "stdout").trim()), (&json!(0), "done"));
    let done = server.event("to2");
    assert_eq!((text(&done, "guid"), text(&done, "new_guid")), (first.as_str(), device.guid.as_str()));
    assert_eq!(text(&done["devmod"], "device"), "lamp");
    assert_eq!(text(&done["devmod"], "mudurl"), "https://lamp.example/mud");

    // Its voucher was replaced by one that nobody signed, with which this owner onboards nothing.
    let why = device.onboard(&[]).expect_err("sold to nobody");
    assert!(why.contains("code=6,prevMsgType=60"), "{why}");
    let refused = server.event("error");
    assert_eq!(
        (&refused["message_type"], &refused["code"], text(&refused, "from")),
        (&json!(60), &json!(6), "here")
    );

    // Another one has the modules that the first one had not, and those only.
    let received = files.path().join("received");
    let mut other = peer.device(&server, &files.path().join("other"), &[]);
    let result = other.onboard(&["--download-dir", path(&received)]).expect("onboarded");
    assert_eq!(result["modules"], json!(["fdo.download", "fdo.wget"]));
    assert_eq!(text(&server.event("download"), "name"), "config.bin");
    assert_eq!(text(&server.event("wget"), "url"), manual);
    assert_eq!(fs::read(received.join("config.bin")).expect("it was received"), sent);
    assert_eq!(fs::read(received.join("manual.txt")).expect("it was fetched"), b"turn it on");
}

#[test]
fn a_device_finds_its_owner_by_rendezvous_once_the_owner_is_registered() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let (owner, stranger) = (Owner::new(&files, "owner", 51), Owner::new(&files, "stranger", 52));
    let config = files.path().join("config.bin");
    fs::write(&config, bytes(700)).expect("a file is written");
    let mut rendezvous = peer.server(&files.path().join("rendezvous"), &["--roles", "rv", "--wait", "600"]);
    let mut manufacturer = peer.server(
        &files.path().join("manufacturer"),
        &["--roles", "di", "--rv-url", &rendezvous.url, "--next-owner", path(&owner.public)],
    );
    let mut device = peer.device(&manufacturer, &files.path().join("credential"), &[]);
    let first = device.guid.clone();
    let voucher = manufacturer.voucher();

    let why = device.onboard(&[]).expect_err("nobody registered");
    assert!(why.contains("code=6,prevMsgType=30"), "{why}");
    assert_eq!(rendezvous.event("error")["code"], 6);

    // Nobody else is its owner.
    let import = ["--roles", "owner", "--import", path(&voucher), "--owner-key"];
    let nowhere = files.path().join("nowhere");
    let stolen = [&["server", "--data", path(&nowhere)], &import[..], &[path(&stranger.private)]].concat();
    let why = peer.run(&stolen).expect_err("another's voucher");
    assert!(why.contains("another owner's"), "{why}");

    let mut server = peer.server(
        &files.path().join("owner"),
        &[&import[..], &[path(&owner.private), "--download", path(&config)]].concat(),
    );
    assert_eq!(text(&server.event("imported"), "guid"), first);
    let wait = peer.register(&rendezvous.url, &voucher, &owner.private, &server.url).expect("registered");
    assert_eq!(wait, 600);
    assert_eq!(rendezvous.event("to0")["wait_seconds"], 600);
    let received = files.path().join("received");
    let result = device.onboard(&["--download-dir", path(&received)]).expect("onboarded");
    assert_eq!(text(&rendezvous.event("to1"), "guid"), first);
    assert_eq!(text(&server.event("to2"), "new_guid"), device.guid);
    let file = &result["files"][0];
    assert_eq!((text(file, "name"), text(file, "sha384")), ("config.bin", sha384(&bytes(700)).as_str()));

    // Neither server answers what belongs to another role.
    let why = peer.register(&server.url, &voucher, &owner.private, &server.url).expect_err("no rendezvous");
    assert!(why.contains("another role"), "{why}");
}

#[test]
fn a_device_that_its_owner_sold_is_onboarded_by_the_next_one() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let buyer = Owner::new(&files, "buyer", 53);
    let mut seller = peer.server(&files.path().join("seller"), &["--resell-to", path(&buyer.public)]);
    let mut device = peer.device(&seller, &files.path().join("credential"), &[]);
    let bought = seller.voucher();
    peer.register(&seller.url, &bought, &seller.file("owner-ec256.pem"), &seller.url).expect("registered");
    device.onboard(&[]).expect("onboarded by the seller");
    let second = device.guid.clone();
    let sold = seller.event("voucher");
    assert_eq!((text(&sold, "guid"), &sold["entries"]), (second.as_str(), &json!(1)));
    let sold = PathBuf::from(text(&sold, "path"));

    let mut next = peer.server(
        &files.path().join("next"),
        &[
            "--roles",
            "owner",
            "--import",
            path(&sold),
            "--owner-key",
            path(&buyer.private),
            "--rv-url",
            &seller.url,
        ],
    );
    peer.register(&seller.url, &sold, &buyer.private, &next.url).expect("registered");
    device.onboard(&[]).expect("onboarded by the buyer");
    assert_ne!(device.guid, second);
    assert_eq!(text(&next.event("to2"), "guid"), second);
}

#[test]
fn credentials_are_reused_only_by_devices_that_allow_it() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let mut server = peer.server(&files.path().join("server"), &["--rv-bypass", "--reuse-credential"]);
    let mut device = peer.device(&server, &files.path().join("credential"), &[]);
    let first = device.guid.clone();
    let why = device.onboard(&[]).expect_err("it does not allow that");
    assert!(why.contains("credential reuse is not enabled"), "{why}");
    for _ in 0..2 {
        assert_eq!(device.onboard(&["--allow-reuse"]).expect("onboarded")["reused"], true);
        assert_eq!(device.guid, first);
        assert_eq!(server.event("to2")["reused"], true);
    }

    // What a device says of its own failures is told as well. This one's library says nothing.
    let complaint = cbor::Writer::encode(|w| _ = w.array(5).uint(102).uint(65).text("no").uint(0).null());
    let url = format!("{}/fdo/101/msg/255", server.url);
    let answer =
        ureq::post(&url).header("Content-Type", "application/cbor").send(&complaint).expect("an answer");
    assert_eq!(answer.status(), 200);
    let told = server.event("error");
    assert_eq!(
        (text(&told, "from"), &told["code"], &told["message_type"]),
        ("peer", &json!(102), &json!(65))
    );
}

#[test]
fn servers_over_tls_are_believed_by_their_certificates_only() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let mut server = peer.server(&files.path().join("server"), &["--rv-bypass", "--tls"]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let certificate = server.file("tls.pem");
    let mut device = peer.device(&server, &files.path().join("credential"), &["--ca", path(&certificate)]);
    let why = device.onboard(&[]).expect_err("nobody vouches for the server");
    assert!(why.contains("certificate"), "{why}");
    device.onboard(&["--ca", path(&certificate)]).expect("onboarded");
    server.event("to2");
    let mut careless = peer.device(&server, &files.path().join("careless"), &["--insecure"]);
    careless.onboard(&["--insecure"]).expect("onboarded");
}

/// Keys of devices, which are those of their owners here, how they are written, and what is agreed on with them.
const SUITES: [(&str, &str, &str, &str); 10] = [
    ("ec256", "x509", "ECDH256", "A128GCM"),
    ("ec256", "x5chain", "ECDH256", "A256GCM"),
    ("ec256", "cose", "ECDH256", "A192GCM"),
    ("ec384", "x509", "ECDH384", "A256GCM"),
    ("ec384", "cose", "ECDH384", "A128GCM"),
    ("ec256", "x509", "ECDH256", "COSEAES128CTR"),
    ("ec384", "x5chain", "ECDH384", "COSEAES256CBC"),
    ("rsa2048", "x509", "DHKEXid14", "A128GCM"),
    ("rsa2048", "x5chain", "ASYMKEX2048", "COSEAES256CTR"),
    ("rsa3072", "x509", "DHKEXid15", "COSEAES128CBC"),
];

#[test]
fn every_kind_of_key_and_suite_onboards() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let mut server = peer.server(&files.path().join("server"), &["--rv-bypass"]);
    let credential = files.path().join("credential");
    for row @ (key, encoding, exchange, cipher) in SUITES {
        let mut device = peer.device(&server, &credential, &["--key-type", key, "--key-encoding", encoding]);
        device
            .onboard(&["--kex", exchange, "--cipher", cipher])
            .unwrap_or_else(|why| panic!("{row:?}: {why}"));
        assert_eq!(text(&server.event("to2"), "new_guid"), device.guid, "{row:?}");
    }
    // A suite that is none of the library's, and one that is not for this key.
    let mut device = peer.device(&server, &credential, &[]);
    for (exchange, cipher) in [("ECDH256", "AES-CCM-64-128-128"), ("ECDH384", "A128GCM")] {
        device.onboard(&["--kex", exchange, "--cipher", cipher]).expect_err("refused");
        assert_eq!(server.event("error")["message_type"], 60);
    }
}

#[test]
fn vouchers_made_there_are_read_here() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let mut server = peer.server(&files.path().join("server"), &["--rv-bypass"]);
    for row @ (device_key, key, encoding, key_type, written) in [
        ("ec256", "ec256", "x509", KeyType::Secp256r1, KeyEncoding::X509),
        ("ec256", "ec256", "x5chain", KeyType::Secp256r1, KeyEncoding::X5Chain),
        ("ec256", "ec256", "cose", KeyType::Secp256r1, KeyEncoding::CoseKey),
        ("ec256", "ec384", "x509", KeyType::Secp384r1, KeyEncoding::X509),
        ("ec384", "ec384", "cose", KeyType::Secp384r1, KeyEncoding::CoseKey),
        ("ec256", "rsa2048", "x509", KeyType::Rsa2048Restr, KeyEncoding::X509),
        ("ec384", "rsa3072", "x5chain", KeyType::RsaPkcs, KeyEncoding::X5Chain),
        ("rsa2048", "rsa2048", "x509", KeyType::Rsa2048Restr, KeyEncoding::X509),
    ] {
        let device = peer.device(
            &server,
            &files.path().join("credential"),
            &["--key-type", device_key, "--manufacturer-key-type", key, "--key-encoding", encoding],
        );
        let file = fs::read(server.voucher()).expect("a voucher");
        let vouchers = vouchers_of_file(&file).expect("a file of vouchers");
        assert_eq!(vouchers.len(), 1, "{row:?}");
        let voucher = Voucher::decode(&vouchers[0]).unwrap_or_else(|why| panic!("{row:?}: {why:?}"));
        let verified = voucher.verify(DeviceChain::OfManufacturer);
        if device_key == "rsa2048" {
            // Keys of owners may be of RSA here, and none of devices.
            let unsupported = x509::Error::Unsupported(x509::Feature::KeyAlgorithm);
            assert_eq!(verified.err(), Some(fdo::Error::Certificate(unsupported)));
            continue;
        }
        let verified = verified.unwrap_or_else(|why| panic!("{row:?}: {why:?}"));
        let manufacturer = &verified.header().manufacturer;
        assert_eq!((manufacturer.key_type(), manufacturer.encoding()), (key_type, written), "{row:?}");
        assert_eq!((verified.entries(), verified.header().guid.to_string()), (1, device.guid), "{row:?}");
    }
}

#[test]
fn a_voucher_that_was_sold_here_onboards_the_device_there() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let (shop, home) = (Owner::new(&files, "shop", 54), Owner::new(&files, "home", 55));
    for encoding in ["x509", "x5chain", "cose"] {
        let place = |name: &str| files.path().join(format!("{encoding}-{name}"));
        let mut rendezvous = peer.server(&place("rendezvous"), &["--roles", "rv"]);
        let mut manufacturer = peer.server(
            &place("manufacturer"),
            &[
                "--roles",
                "di",
                "--key-type",
                "ec256",
                "--key-encoding",
                encoding,
                "--rv-url",
                &rendezvous.url,
                "--next-owner",
                path(&shop.public),
            ],
        );
        let mut device = peer.device(&manufacturer, &place("credential"), &[]);
        let file = fs::read(manufacturer.voucher()).expect("a voucher");
        let vouchers = vouchers_of_file(&file).expect("a file of vouchers");
        let bought = Voucher::decode(&vouchers[0]).expect("well-formed");
        assert_eq!(bought.owner().key(), &Key::Ec(shop.key.public_key().clone()), "{encoding}");
        let extension = bought.extend(home.key.public_key()).expect("a sale");
        let sold = extension.sign(&shop.key).expect("signed by its owner");

        let sold_file = place("sold.pem");
        fs::write(&sold_file, pem::encode(PEM_LABEL, &sold)).expect("a file is written");
        let authority = manufacturer.file("device-ca.crt.pem");
        let verified = peer
            .run(&["voucher", "verify", "--device-ca", path(&authority), path(&sold_file)])
            .unwrap_or_else(|why| panic!("{encoding}: {why}"));
        assert_eq!((&verified[0]["entries"], text(&verified[0], "guid")), (&json!(2), device.guid.as_str()));

        let mut owner = peer.server(
            &place("owner"),
            &["--roles", "owner", "--import", path(&sold_file), "--owner-key", path(&home.private)],
        );
        peer.register(&rendezvous.url, &sold_file, &home.private, &owner.url).expect("registered");
        rendezvous.event("to0");
        device.onboard(&[]).unwrap_or_else(|why| panic!("{encoding}: {why}"));
        assert_eq!(text(&owner.event("to2"), "new_guid"), device.guid, "{encoding}");

        // One bit of a signature away it is nobody's.
        let mut forged = sold;
        let last = forged.len() - 1;
        forged[last] ^= 1;
        let forged_file = place("forged.cbor");
        fs::write(&forged_file, forged).expect("a file is written");
        let why = peer.run(&["voucher", "verify", path(&forged_file)]).expect_err("forged");
        assert!(why.contains("did not match previous owner key"), "{encoding}: {why}");
    }
}

#[test]
fn a_flag_with_an_empty_value_holds_here_and_not_there() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let mut manufacturer = peer.server(&files.path().join("manufacturer"), &["--roles", "di", "--rv-bypass"]);
    peer.device(&manufacturer, &files.path().join("credential"), &[]);
    let file = fs::read(manufacturer.voucher()).expect("a voucher");
    let key = fs::read_to_string(manufacturer.file("manufacturer-ec256.pem")).expect("a key");
    let key = pem::decode(&key).expect("PEM").remove(0);
    let key = SigningKey::from_pkcs8_der(&key.der).expect("a key");
    let shop = Owner::new(&files, "shop", 56);
    let vouchers = vouchers_of_file(&file).expect("a file of vouchers");
    let unsold = Voucher::decode(&vouchers[0]).expect("well-formed");
    // Instruction 14, bypass, as go-fdo writes it.
    const FLAG: [u8; 2] = [0x81, 0x0e];
    let header = unsold.header_bytes();
    let at = header.windows(FLAG.len()).position(|part| part == FLAG).expect("a flag");
    for (flag, believed) in [
        (&FLAG[..], true),
        (&[0x82, 0x0e, 0x41, 0xf6], true),
        (&[0x82, 0x0e, 0x41, 0xf5], true),
        (&[0x82, 0x0e, 0x40], false),
    ] {
        let header = [&header[..at], flag, &header[at + FLAG.len()..]].concat();
        let unsold = Voucher::assemble(&header, unsold.hmac(), unsold.certificates()).expect("a voucher");
        let unsold = Voucher::decode(&unsold).expect("well-formed");
        let sold = unsold.extend(shop.key.public_key()).expect("a sale").sign(&key).expect("signed");
        let voucher = Voucher::decode(&sold).expect("well-formed");
        assert!(voucher.verify(DeviceChain::OfManufacturer).is_ok(), "{flag:02x?}");
        let written = files.path().join("sold.cbor");
        fs::write(&written, &sold).expect("a file is written");
        assert_eq!(peer.run(&["voucher", "verify", path(&written)]).is_ok(), believed, "{flag:02x?}");
    }
}
