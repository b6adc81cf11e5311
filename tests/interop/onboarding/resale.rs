//! Our device and the peer's owners, one after another; and sales between owners with RSA keys, made here.

use std::{fs, path::PathBuf};

use crypto::{RsaSigningKey, SignatureAlgorithm};
use fdo::{
    CipherSuite, ExchangeSuite, KeyEncoding, KeyType, OwnerKey, PEM_LABEL, PublicKey, Voucher,
    vouchers_of_file,
};
use serde_json::json;
use tempfile::TempDir;
use x509::pem;

use crate::{
    Owner,
    device::OurDevice,
    folder,
    matrix::wanted,
    peer::{Peer, path, text},
};

/// An RSA key of an owner, with its files.
struct RsaOwner {
    key: RsaSigningKey,
    private: PathBuf,
    public: PathBuf,
}

impl RsaOwner {
    fn new(folder: &TempDir, name: &str, bits: usize) -> Self {
        let key = RsaSigningKey::generate(bits).expect("a key");
        let private = folder.path().join(format!("{name}.pem"));
        let public = folder.path().join(format!("{name}.pub.pem"));
        fs::write(&private, pem::encode("PRIVATE KEY", &key.to_pkcs8_der())).expect("a file is written");
        fs::write(&public, pem::encode("PUBLIC KEY", &key.public_key().to_spki_der()))
            .expect("a file is written");
        Self { key, private, public }
    }
}

#[test]
fn our_device_is_onboarded_by_whom_its_owner_sold_it_to() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let buyer = Owner::new(&files, "buyer", 63);
    let rsa = RsaOwner::new(&files, "rsa-buyer", 2048);
    for (name, key_type, public, private) in [
        ("ec256", KeyType::Secp256r1, &buyer.public, &buyer.private),
        ("rsa2048", KeyType::Rsa2048Restr, &rsa.public, &rsa.private),
    ] {
        let place = |role: &str| files.path().join(format!("{name}-{role}"));
        let mut seller = peer.server(&place("seller"), &["--resell-to", path(public)]);
        let mut device = OurDevice::made(&seller.url, SignatureAlgorithm::Es256, key_type, KeyEncoding::X509)
            .expect("made");
        let bought = seller.voucher();
        let key = seller.file(&format!("owner-{name}.pem"));
        peer.register(&seller.url, &bought, &key, &seller.url).expect("registered");
        let exchange = ExchangeSuite::for_key_type(key_type).expect("an exchange");
        let wanted = wanted(&device, key_type, exchange, CipherSuite::A256Gcm);
        assert_eq!(device.onboard(wanted).ok(), Some(false), "{name}");
        let second = device.credential.guid.to_string();
        let sold = seller.event("voucher");
        assert_eq!((text(&sold, "guid"), &sold["entries"]), (second.as_str(), &json!(1)), "{name}");
        let sold = PathBuf::from(text(&sold, "path"));

        let import = ["--roles", "owner", "--import", path(&sold), "--owner-key", path(private)];
        let mut next = peer.server(&place("next"), &[&import[..], &["--rv-url", &seller.url]].concat());
        peer.register(&seller.url, &sold, private, &next.url).expect("registered");
        assert_eq!(device.onboard(wanted).ok(), Some(false), "{name}");
        assert_ne!(device.credential.guid.to_string(), second, "{name}");
        assert_eq!(text(&next.event("to2"), "guid"), second, "{name}");
    }
}

/// The device is the peer's and then ours: the voucher it comes with was sold here, by an RSA key.
#[test]
fn a_voucher_sold_here_by_an_rsa_key_onboards_devices_of_both() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    for (bits, kind, key_type) in
        [(2048, "rsa2048", KeyType::Rsa2048Restr), (3072, "rsa3072", KeyType::RsaPkcs)]
    {
        let (shop, home) = (
            RsaOwner::new(&files, &format!("shop-{bits}"), bits),
            RsaOwner::new(&files, &format!("home-{bits}"), bits),
        );
        let place = |name: &str| files.path().join(format!("{bits}-{name}"));
        let mut rendezvous = peer.server(&place("rendezvous"), &["--roles", "rv"]);
        let mut manufacturer = peer.server(
            &place("manufacturer"),
            &[
                "--roles",
                "di",
                "--key-type",
                kind,
                "--rv-url",
                &rendezvous.url,
                "--next-owner",
                path(&shop.public),
            ],
        );
        // Its owner serves none but devices with keys like its own.
        let mut theirs = peer.device(&manufacturer, &place("credential"), &["--key-type", kind]);
        let of_theirs = sell(&fs::read(manufacturer.voucher()).expect("a voucher"), &shop.key, &home.key);
        let mut ours =
            OurDevice::made(&manufacturer.url, SignatureAlgorithm::Es384, key_type, KeyEncoding::X509)
                .expect("made");
        let of_ours = sell(&fs::read(manufacturer.voucher()).expect("a voucher"), &shop.key, &home.key);

        let files = [of_theirs, of_ours].map(|(sold, guid)| {
            let file = place(&guid);
            fs::write(&file, pem::encode(PEM_LABEL, &sold)).expect("a file is written");
            let verified =
                peer.run(&["voucher", "verify", path(&file)]).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!((&verified[0]["entries"], text(&verified[0], "guid")), (&json!(2), guid.as_str()));
            file
        });
        let [of_theirs, of_ours] = &files;
        let import = ["--import", path(of_theirs), "--import", path(of_ours)];
        let keys = ["--roles", "owner", "--owner-key", path(&home.private)];
        let mut owner = peer.server(&place("owner"), &[&keys[..], &import].concat());
        for file in &files {
            peer.register(&rendezvous.url, file, &home.private, &owner.url).expect("registered");
            rendezvous.event("to0");
        }
        let exchange = ExchangeSuite::for_key_type(key_type).expect("an exchange");
        theirs.onboard(&["--kex", exchange.name()]).unwrap_or_else(|why| panic!("{bits}: {why}"));
        assert_eq!(text(&owner.event("to2"), "new_guid"), theirs.guid, "{bits}");
        let wanted = wanted(&ours, key_type, exchange, CipherSuite::A256Gcm);
        assert_eq!(ours.onboard(wanted).ok(), Some(false), "{bits}");
        assert_eq!(text(&owner.event("to2"), "new_guid"), ours.credential.guid.to_string(), "{bits}");
    }
}

/// The one voucher of a file, sold on, and its device.
fn sell(file: &[u8], owner: &dyn OwnerKey, buyer: &dyn OwnerKey) -> (Vec<u8>, String) {
    let vouchers = vouchers_of_file(file).expect("a file of vouchers");
    let bought = Voucher::decode(&vouchers[0]).expect("well-formed");
    assert_eq!(bought.owner().key(), &owner.key());
    let sold = bought.extend(buyer.key()).expect("a sale").sign(owner).expect("signed by its owner");
    (sold, bought.header().guid.to_string())
}

/// A buyer's key with its certificates, which the peer reads as a chain.
#[test]
fn a_voucher_sold_here_to_a_buyer_with_certificates_is_verified_there() {
    let Some(peer) = Peer::built() else { return };
    let files = folder();
    let (shop, home) = (Owner::new(&files, "shop", 64), Owner::new(&files, "home", 65));
    let validity = x509::Validity { not_before: 1_700_000_000, not_after: 4_000_000_000 };
    let name = "CN=home".parse().expect("a name");
    let certificate = x509::CertificateBuilder::new(name, home.key.public_key(), &[7], validity);
    let certificate = certificate.self_signed(&home.key).expect("a certificate");
    let mut manufacturer = peer.server(
        &files.path().join("manufacturer"),
        &["--roles", "di", "--key-encoding", "x5chain", "--rv-bypass", "--next-owner", path(&shop.public)],
    );
    let device = peer.device(&manufacturer, &files.path().join("credential"), &[]);
    let file = fs::read(manufacturer.voucher()).expect("a voucher");
    let vouchers = vouchers_of_file(&file).expect("a file of vouchers");
    let bought = Voucher::decode(&vouchers[0]).expect("well-formed");
    let next = PublicKey::of_chain(&[certificate.as_der()]).expect("a key");
    let sold = bought.extend_to(next).expect("a sale").sign(&shop.key).expect("signed by its owner");
    let file = files.path().join("sold.cbor");
    fs::write(&file, sold).expect("a file is written");
    let verified = peer.run(&["voucher", "verify", path(&file)]).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((&verified[0]["entries"], text(&verified[0], "guid")), (&json!(2), device.guid.as_str()));
    let import = ["--roles", "owner", "--import", path(&file), "--owner-key", path(&home.private)];
    let mut owner = peer.server(&files.path().join("owner"), &import);
    assert_eq!(text(&owner.event("imported"), "guid"), device.guid);
}
