//! Ownership vouchers on the command line.

mod common;

use common::{Desk, fixed_key};
use crypto::{Digest, HashAlgorithm, RsaSigningKey};
use fdo::{
    Directive, Guid, Header, Hmac, Instruction, KeyEncoding, PublicKey, RendezvousInfo, Voucher, WifiPassword,
};
use x509::{Certificate, CertificateBuilder, Validity, pem};

/// A desk of keys of everybody, and the voucher of a device that nobody bought yet, in both forms.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.key("maker.key", 1).key("shop.key", 2).key("home.key", 3);
    let chain = certificates(&desk);
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    desk.done("cert new-ca --key shop.key --subject 'O=Shop, CN=Other CA' -o other.pem");
    let instructions = vec![
        Instruction::Dns("rv.example".into()),
        Instruction::DevicePort(443),
        Instruction::WifiPassword(WifiPassword::new("hunter2")),
    ];
    let header = Header {
        guid: Guid([0x44; 16]),
        rendezvous: RendezvousInfo { directives: vec![Directive { instructions }] },
        device_info: "camera".into(),
        manufacturer: PublicKey::new(fixed_key(1).public_key(), KeyEncoding::X509).expect("of a type"),
        certificates: Digest::of(HashAlgorithm::Sha256, &chain.concat()),
    };
    let header = header.encode();
    let hmac = Hmac::of(HashAlgorithm::Sha256, b"secret", &header);
    let voucher = Voucher::assemble(&header, &hmac, &chain).expect("a voucher");
    desk.write("unsold.cbor", &voucher).write("unsold.pem", pem::encode(fdo::PEM_LABEL, &voucher));
    desk
}

/// The certificates of a device with the key `device.key`, below an authority with the key `ca.key` in `ca.pem`.
fn certificates(desk: &Desk) -> [Vec<u8>; 2] {
    desk.key("ca.key", 4).key("device.key", 5);
    desk.done("cert new-ca --key ca.key --subject 'O=Maker, CN=Device CA' -o ca.pem");
    let text = String::from_utf8(desk.read("ca.pem")).expect("text");
    let authority = Certificate::decode(&pem::decode(&text).expect("PEM")[0].der).expect("a certificate");
    let Validity { not_before, .. } = authority.validity();
    let validity = Validity { not_before, not_after: not_before + 1000 };
    let (device, authority_key) = (fixed_key(5), fixed_key(4));
    let name = "O=Maker, CN=camera 1".parse().expect("a name");
    let certificate = CertificateBuilder::new(name, device.public_key(), &[1], validity);
    let certificate = certificate.issued_by(&authority, &authority_key).expect("a certificate");
    [certificate.as_der().to_vec(), authority.as_der().to_vec()]
}

#[test]
fn inspect_shows_a_voucher_in_either_form_and_no_password() {
    let desk = desk();
    desk.done("voucher extend unsold.pem --to shop.key.pub --key maker.key -o sold.pem");
    let told = desk.done("voucher inspect unsold.cbor");
    assert_eq!(told, desk.done("voucher inspect unsold.pem"));
    assert_eq!(told, desk.done("inspect unsold.cbor"));
    assert_eq!(told, desk.done("inspect unsold.pem"));
    for words in [
        "kind: ownership voucher",
        "guid: 44444444444444444444444444444444",
        "ueid: 0144444444444444444444444444444444",
        "device: camera",
        "name rv.example",
        "device port 443",
        "SECP256R1",
        "CN=camera 1",
    ] {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }
    assert!(!told.contains("hunter2") && !told.contains("entries:"), "{told}");
    let json: serde_json::Value =
        serde_json::from_str(&desk.done("voucher inspect sold.pem --json")).expect("JSON");
    assert_eq!(json["entries"].as_array().map(Vec::len), Some(1));
    assert_ne!(json["owner"], json["manufacturer"]);
    // Several in one file.
    let both = [desk.read("unsold.pem"), desk.read("sold.pem")].concat();
    desk.write("both.pem", both);
    assert!(desk.done("voucher inspect both.pem").starts_with("kind: ownership vouchers"));
    desk.failed("voucher verify both.pem", "holds 2 vouchers");
    desk.write("old.cbor", [&[0x84], &desk.read("unsold.cbor")[3..]].concat());
    desk.failed("voucher inspect old.cbor", "FDO 1.0");
    desk.failed("voucher inspect ca.pem", "no PEM block is called OWNERSHIP VOUCHER");
}

#[test]
fn extend_sells_to_the_next_owner_and_verify_says_whose_it_is() {
    let desk = desk();
    desk.refused("voucher verify unsold.pem", "voucher-unsigned");
    desk.done("voucher extend unsold.pem --to shop.key.pub --key maker.key --out sold.pem");
    assert!(desk.read("sold.pem").starts_with(b"-----BEGIN OWNERSHIP VOUCHER-----"));
    desk.done("voucher extend sold.pem --to home.key.pub --key shop.key -o home.cbor");
    let told = desk.done("voucher verify home.cbor --owner home.key.pub --manufacturer maker.key.pub");
    assert!(told.contains("entries: 2"), "{told}");
    desk.done("voucher verify home.cbor");
    desk.refused("voucher verify home.cbor --owner shop.key.pub", "voucher-not-ours");
    desk.refused("voucher verify home.cbor --manufacturer shop.key.pub", "voucher-unknown-manufacturer");
    // Who sold it sells it no more, and nobody else does.
    desk.refused("voucher extend home.cbor --to shop.key.pub --key shop.key -o x", "voucher-not-extended");
    desk.failed("voucher extend home.cbor --to shop.key.pub --key home.key.pub -o x", "is a public key");
    assert!(!desk.path("x").exists());
    // Where anchors are given, the device's certificate must lead to one.
    desk.done("voucher verify home.cbor --anchor ca.pem");
    desk.refused("voucher verify home.cbor --anchor other.pem", "voucher-device-certificate");
    desk.refused(
        "voucher verify home.cbor --anchor ca.pem --at 2020-01-01T00:00:00Z",
        "voucher-device-certificate",
    );
    let mut altered = desk.read("home.cbor");
    let last = altered.len() - 1;
    altered[last] ^= 1;
    desk.write("altered.cbor", altered);
    desk.refused("voucher verify altered.cbor", "voucher-signature");
    desk.write("cut.cbor", &desk.read("home.cbor")[..100]);
    desk.failed("voucher verify cut.cbor", "malformed-voucher");
}

#[test]
fn owners_and_manufacturers_may_have_rsa_keys() {
    let desk = Desk::new();
    let file = "../../protocols/fdo/tests/data/rsa2048restr-2entries.hex";
    desk.write("rsa.hex", std::fs::read(file).expect("a fixture"));
    let bytes = testkit::read_hex(&desk.path("rsa.hex"));
    let voucher = Voucher::decode(&bytes).expect("well-formed");
    let spki = |key: &PublicKey| {
        let mut reader = cbor::Reader::new(key.as_bytes());
        reader
            .array_of(3)
            .and_then(|()| reader.uint())
            .and_then(|_| reader.uint())
            .expect("type and encoding");
        reader.bytes().expect("a key").to_vec()
    };
    let (maker, owner) = (spki(&voucher.header().manufacturer), spki(voucher.owner()));
    desk.write("maker.pem", pem::encode("PUBLIC KEY", &maker)).write("owner.der", owner);
    // A file of hexadecimal digits stands for the bytes.
    let told = desk.done("voucher verify rsa.hex --manufacturer maker.pem --owner owner.der");
    assert!(told.contains("RSA2048RESTR sha256:"), "{told}");
    desk.refused("voucher verify rsa.hex --owner maker.pem", "voucher-not-ours");
    desk.refused("voucher verify rsa.hex --manufacturer owner.der", "voucher-unknown-manufacturer");
    desk.key("ec.key", 1);
    desk.refused("voucher extend rsa.hex --to maker.pem --key ec.key -o x", "voucher-not-extended");
    desk.refused("voucher extend rsa.hex --to ec.key.pub --key ec.key -o x", "voucher-not-extended");
    desk.failed("voucher extend rsa.hex --to maker.pem --key maker.pem -o x", "not a key");
}

#[test]
fn owners_with_rsa_keys_sell_on() {
    let desk = Desk::new();
    desk.key("ec.key", 1);
    let chain = certificates(&desk);
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    for name in ["maker", "shop"] {
        let key = RsaSigningKey::generate(2048).expect("a key");
        desk.write(&format!("{name}.key"), pem::encode("PRIVATE KEY", &key.to_pkcs8_der()));
        desk.write(&format!("{name}.der"), key.to_pkcs8_der());
        desk.write(&format!("{name}.pub"), pem::encode("PUBLIC KEY", &key.public_key().to_spki_der()));
    }
    let maker = RsaSigningKey::from_pkcs8_der(&desk.read("maker.der")).expect("a key");
    let header = Header {
        guid: Guid([0x44; 16]),
        rendezvous: RendezvousInfo {
            directives: vec![Directive { instructions: vec![Instruction::Bypass] }],
        },
        device_info: "camera".into(),
        manufacturer: PublicKey::new(maker.public_key(), KeyEncoding::X509).expect("of a type"),
        certificates: Digest::of(HashAlgorithm::Sha256, &chain.concat()),
    };
    let header = header.encode();
    let hmac = Hmac::of(HashAlgorithm::Sha256, b"secret", &header);
    desk.write("unsold.cbor", Voucher::assemble(&header, &hmac, &chain).expect("a voucher"));
    desk.done("voucher extend unsold.cbor --to shop.pub --key maker.key -o shop.pem");
    desk.done("voucher verify shop.pem --manufacturer maker.pub --owner shop.pub");
    // A private key tells its public part, in DER as well.
    desk.done("voucher extend shop.pem --to maker.der --key shop.der -o back.cbor");
    desk.done("voucher verify back.cbor --owner maker.key");
    desk.refused("voucher extend back.cbor --to shop.pub --key shop.key -o x", "voucher-not-extended");
    desk.refused("voucher extend back.cbor --to ec.key.pub --key maker.key -o x", "voucher-not-extended");
}

#[test]
fn published_vouchers_are_shown_and_judged() {
    let Some(folder) = testkit::vectors("fdo/vouchers") else { return };
    let desk = Desk::new();
    for name in ["p256-1entry", "p256-1entry-BADCHAINHASH", "rsa2048restr-6entries", "v100-4element-REJECT"] {
        let file = format!("{name}.pem");
        desk.write(&file, std::fs::read(folder.join(&file)).expect("a vector"));
    }
    desk.done("voucher verify p256-1entry.pem");
    desk.done("voucher verify rsa2048restr-6entries.pem");
    desk.refused("voucher verify p256-1entry-BADCHAINHASH.pem", "voucher-certificate-hash");
    desk.failed("voucher verify v100-4element-REJECT.pem", "unsupported-voucher");
}
