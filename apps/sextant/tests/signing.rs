//! Signatures that are made elsewhere: on a machine without a network, in a security module, with a shared key.

#![allow(clippy::print_stderr, reason = "skips and counts are said aloud")]
mod common;

use std::path::Path;
use std::process::Command;

use common::{Desk, author_desk};

/// Runs a program on a desk; nothing when it is not on this machine, which is said aloud.
fn program(desk: &Desk, name: &str, words: &[&str]) -> Option<()> {
    match Command::new(name).args(words).current_dir(desk.path(".")).output() {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{name} {words:?}\n{told}");
            Some(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: {name} is not on this machine");
            None
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn unsigned() -> Desk {
    let desk = author_desk();
    desk.done("suit build plain.toml -o r.suit");
    desk
}

#[test]
fn openssl_signs_on_a_machine_without_a_network() {
    let desk = unsigned();
    let curve = |name: &str| format!("ec_paramgen_curve:{name}");
    let (p256, p384) = (curve("P-256"), curve("P-384"));
    let rows: [(&str, Vec<&str>, Vec<&str>); 3] = [
        (
            "ES256",
            vec!["-algorithm", "EC", "-pkeyopt", &p256],
            vec!["dgst", "-sha256", "-sign", "k.pem", "-out", "s"],
        ),
        (
            "ES384",
            vec!["-algorithm", "EC", "-pkeyopt", &p384],
            vec!["dgst", "-sha384", "-sign", "k.pem", "-out", "s"],
        ),
        (
            "Ed25519",
            vec!["-algorithm", "ed25519"],
            vec!["pkeyutl", "-sign", "-rawin", "-inkey", "k.pem", "-out", "s", "-in"],
        ),
    ];
    for (algorithm, options, sign) in rows {
        let make = [&["genpkey", "-out", "k.pem"], options.as_slice()].concat();
        if program(&desk, "openssl", &make).is_none() {
            return;
        }
        program(&desk, "openssl", &["pkey", "-in", "k.pem", "-pubout", "-out", "pub.pem"]);
        for (export, told_of) in [
            (format!("suit sign r.suit --export-tbs t --alg {algorithm}"), "Signature1"),
            (
                "suit sign r.suit --export-tbs t --key pub.pem --fully-specified".to_owned(),
                "sequence number: 7",
            ),
        ] {
            let told = desk.done(&export);
            assert!(told.contains(told_of) && told.contains(algorithm), "{told}");
            program(&desk, "openssl", &[sign.as_slice(), &["t"]].concat());
            desk.done("suit sign r.suit --import-signature s --key pub.pem -o signed.suit");
            let told = desk.done("suit verify signed.suit --key pub.pem");
            assert!(told.contains("whole"), "{told}");
            // A signature of something else, by somebody else, or of none.
            let run = desk.run("suit sign r.suit --import-signature s --key author.key.pub -o x.suit");
            assert!(run.status == 1 || run.status == 2, "{}", run.stdout);
            let mut bytes = desk.read("s");
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            desk.write("bad", &bytes);
            desk.refused(
                "suit sign r.suit --import-signature bad --key pub.pem -o x.suit",
                "bad-manifest-signature",
            );
        }
        desk.write("bad", b"0");
        let run = desk.run("suit sign r.suit --import-signature bad --key pub.pem -o x.suit");
        assert!(run.status == 1 || run.status == 2, "{}", run.stdout);
        assert!(!desk.path("x.suit").exists(), "nothing was written");
    }
}

#[test]
fn says_what_is_to_be_signed_and_refuses_half_a_question() {
    let desk = unsigned();
    desk.golden("suit-export.txt", &desk.done("suit sign r.suit --export-tbs t --alg ES256"));
    let bytes = desk.read("r.suit");
    let envelope = suit::Envelope::decode(&bytes).expect("an envelope");
    let headers = suit::SignatureHeaders::default();
    let expected =
        envelope.to_be_signed(crypto::SignatureAlgorithm::Es256, &headers).expect("its digest is right");
    assert_eq!(desk.read("t"), expected);
    desk.failed("suit sign r.suit --export-tbs t", "who will sign");
    desk.failed("suit sign r.suit --export-tbs t --alg ES256 --key author.key.pub", "who will sign");
    desk.write("s", [0; 64]);
    desk.failed(
        "suit sign r.suit --import-signature s --key author.key.pub --key other.key.pub",
        "of one key",
    );
    // A digest of something else is shown to nobody.
    let digest = envelope.manifest_digest_claimed();
    let at = bytes.windows(32).position(|window| window == digest.as_bytes()).expect("the digest");
    let mut bad = bytes.clone();
    bad[at] ^= 1;
    desk.write("bad.suit", &bad);
    desk.refused("suit sign bad.suit --export-tbs u --alg ES256", "digest-mismatch");
    assert!(!desk.path("u").exists());
}

#[test]
fn several_keys_sign_in_one_go_or_not_at_all() {
    let desk = unsigned();
    let before = desk.read("r.suit");
    desk.failed("suit sign r.suit --key author.key --key missing.key", "cannot read");
    desk.failed("suit sign r.suit --key author.key --key operator.key.pub", "is a public key");
    assert_eq!(desk.read("r.suit"), before, "half of the signatures are none");
    desk.done("suit sign r.suit --key author.key --key operator.key --fully-specified");
    desk.done("suit verify r.suit --key author.key.pub --key operator.key.pub");
    let bytes = desk.read("r.suit");
    let envelope = suit::Envelope::decode(&bytes).expect("an envelope");
    let algorithms: Vec<i64> = envelope
        .signatures()
        .iter()
        .map(|block| cose::Sign1::decode(block).expect("a signature").alg())
        .collect();
    assert_eq!(algorithms, [-9, -9]);
}

#[test]
fn a_shared_key_authenticates_and_is_warned_of() {
    let desk = unsigned();
    desk.done("key new --alg HMAC-256 --kid fleet -o fleet.key");
    desk.failed("key new --alg HMAC-256 -o k --public p", "no public part");
    let run = desk.run("suit sign r.suit --key fleet.key -o m.suit");
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stderr.contains("for all others that have it"), "{}", run.stderr);
    let bytes = desk.read("m.suit");
    let envelope = suit::Envelope::decode(&bytes).expect("an envelope");
    let message = cose::Mac0::decode(envelope.signatures()[0]).expect("a MAC");
    let key = cose::MacKey::decode(&desk.read("fleet.key")).expect("the key");
    assert_eq!((message.alg(), message.kid()), (5, Some(&b"fleet"[..])));
    assert_eq!(message.verify(&key, Some(envelope.signed_bytes()), &[]), Ok(()));
    // It is no signature, and nobody takes it for one.
    desk.refused("suit verify m.suit --key author.key.pub", "unsupported-authentication");
    desk.done("suit verify m.suit --key fleet.key");
    desk.refused("suit verify m.suit --key fleet.key --key author.key.pub", "author-signature-missing");
    desk.done("suit sign m.suit --key author.key -o both.suit");
    desk.done("suit verify both.suit --key fleet.key --key author.key.pub");
    desk.done("key new --alg HMAC-256 --kid fleet -o forged.key");
    desk.refused("suit verify m.suit --key forged.key", "bad-manifest-signature");
}

#[test]
fn a_list_names_a_shared_key_where_it_allows_any_and_never_holds_it() {
    let desk = unsigned();
    desk.done("key new --alg HMAC-256 --kid fleet -o fleet.key");
    desk.done("suit sign r.suit --key fleet.key -o m.suit");
    let add = |list: &str, role: &str| {
        format!("authority add {list} --key fleet.key --role {role} --name Fleet --component app")
    };
    desk.done("authority new -o strict");
    desk.failed(&add("strict", "author"), "does not allow shared keys");
    desk.done("authority new --shared-keys -o list");
    desk.failed(&add("list", "operator"), "every holder could have used it");
    desk.done(&add("list", "author"));
    let told = desk.done("authority ls list");
    assert!(told.contains("shared HMAC sha"), "{told}");
    let secret = desk.read("fleet.key");
    let list = desk.read("list");
    assert!(!list.windows(16).any(|part| secret.windows(16).any(|other| other == part)), "the list holds it");
    desk.refused("suit verify m.suit --authorities list", "shared-key-missing");
    desk.done("suit verify m.suit --authorities list --shared-key fleet.key");
    desk.done("suit simulate m.suit --authorities list --shared-key fleet.key");
    desk.failed("suit verify m.suit --authorities list --shared-key author.key.pub", "not a shared HMAC key");
    desk.done("key new --alg HMAC-256 -o nameless.key");
    let add = "authority add list --key nameless.key --role author --name Nameless";
    desk.failed(add, "no identifier");
}

/// A token in a folder of its own, with a key on each of two curves; nothing where there is no SoftHSM.
fn token(desk: &Desk) -> Option<&'static str> {
    let modules = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"];
    let module = modules.into_iter().find(|module| Path::new(module).exists());
    let Some(module) = module else {
        eprintln!("SKIPPED: softhsm2 is not on this machine");
        return None;
    };
    std::fs::create_dir(desk.path("tokens")).expect("a folder");
    desk.write("softhsm2.conf", format!("directories.tokendir = {}\n", desk.path("tokens").display()));
    let util = |words: &[&str]| {
        let output = Command::new("softhsm2-util")
            .args(words)
            .env("SOFTHSM2_CONF", desk.path("softhsm2.conf"))
            .current_dir(desk.path("."))
            .output()
            .expect("softhsm2-util is beside its module");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    util(&["--init-token", "--free", "--label", "release", "--so-pin", "12345678", "--pin", "4321"]);
    for (name, id, algorithm) in [("author", "01", "ES256"), ("second", "02", "ES384")] {
        let key = crypto::SignatureAlgorithm::from_name(algorithm).expect("its name");
        let secret = crypto::SigningKey::from_bytes(key, &vec![7; key.secret_len()]).expect("a scalar");
        let pem = format!("{name}.p8");
        let text: String =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret.to_pkcs8_der());
        desk.write(&pem, format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"));
        util(&["--import", &pem, "--token", "release", "--label", name, "--id", id, "--pin", "4321"]);
        desk.done(&format!("key show {pem} --form cose -o {name}.pub"));
    }
    Some(module)
}

#[test]
fn a_token_signs_without_giving_its_key_away() {
    let desk = unsigned();
    let Some(module) = token(&desk) else { return };
    desk.write("pin", "4321\n");
    let run = |uri: &str, pin: Option<&str>| {
        let mut command =
            desk.command(["suit", "sign", "r.suit", "-o", "t.suit", "--key", &uri.replace("MODULE", module)]);
        command.env("SOFTHSM2_CONF", desk.path("softhsm2.conf")).env_remove("SEXTANT_PKCS11_PIN");
        if let Some(pin) = pin {
            command.env("SEXTANT_PKCS11_PIN", pin);
        }
        let output = command.output().expect("a run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let author = "pkcs11:token=release;object=author?module-path=MODULE";
    for (uri, pin, public) in [
        (author.to_owned(), Some("4321"), "author.pub"),
        (format!("{author}&pin-source=pin"), None, "author.pub"),
        (
            "pkcs11:token=release;id=%02;type=private?module-path=MODULE".to_owned(),
            Some("4321"),
            "second.pub",
        ),
    ] {
        assert_eq!(run(&uri, pin), (Some(0), String::new()), "{uri}");
        desk.done(&format!("suit verify t.suit --key {public}"));
        std::fs::remove_file(desk.path("t.suit")).expect("was written");
    }
    for (uri, pin, words) in [
        (author.to_owned(), Some("1111"), "module says"),
        (author.to_owned(), None, "no such private key"),
        (author.replace("author", "nobody"), Some("4321"), "no such private key"),
        (author.replace(";object=author", ""), Some("4321"), "more than one such key"),
        (author.replace("=release", "=other"), Some("4321"), "no initialised token"),
        (author.replace("MODULE", "/nowhere.so"), Some("4321"), "module says"),
        (format!("{author}&pin-value=4321"), None, "does not belong on the command line"),
    ] {
        let (status, told) = run(&uri, pin);
        assert!(status == Some(2) && told.contains(words), "{uri}: expected `{words}`\n{told}");
        assert!(!desk.path("t.suit").exists(), "{uri}");
    }
}

#[test]
fn states_what_a_scan_found_and_policies_ask_for_it() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    let sign = |findings: u8, output: &str| {
        desk.done(&format!(
            "scan sign r.suit --key other.key --tool clamscan --tool-version 1.4.1 --database 27500 --findings {findings} \
             --at 2026-11-29T08:00:00Z --for 30d -o {output}"
        ));
    };
    sign(0, "clean.scan");
    sign(2, "found.scan");
    let told = desk.done("scan verify clean.scan --key other.key.pub --at 2026-11-30T08:00:00Z --json");
    assert!(told.contains("clamscan") && told.contains("the scan found nothing"), "{told}");
    desk.refused("scan verify clean.scan --key other.key.pub --at 2027-11-30T08:00:00Z", "scan-missing");
    desk.refused("scan verify clean.scan --key other.key.pub --at 2026-11-28T08:00:00Z", "scan-missing");
    desk.refused("scan verify found.scan --key other.key.pub --at 2026-11-30T08:00:00Z", "scan-found");
    desk.refused("scan verify clean.scan --key author.key.pub --at 2026-11-30T08:00:00Z", "scan-refused");
    assert!(desk.done("inspect clean.scan").contains("kind: statement on a scan"));
    desk.failed(
        "scan sign r.suit --key other.key --tool x --tool-version 1 --database 1 --findings 0 --for 400d -o x",
        "servers would refuse this statement",
    );

    desk.done(
        "policy new --require-scan other.key.pub=clamscan --require-scan author.key.pub -o policy.cbor",
    );
    let told = desk.done("policy show policy.cbor");
    assert!(told.contains("nothing found by clamscan, signed by sha256:"), "{told}");
    assert!(told.contains("nothing found by any tool, signed by sha256:"), "{told}");
}
