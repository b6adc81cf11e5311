//! Evidence of the forms in the field: shown, verified, and appraised without a server.

mod common;

use std::path::{Path, PathBuf};

use common::{Desk, fixed_key};
use corim::{Corim, SignerMeta};
use coswid::{Entity, File, Hash, Role, TagBuilder, TagId, VersionScheme};
use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{Claims, Content, ContentBody, NestedToken, Nonce, OemId, Submodule};

/// The nonce of the tokens that were made for these tests, and of those here.
const NONCE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
/// Content-Format of CoSWID.
const COSWID: u16 = 258;

/// A vector, where there are any.
fn vector(area: &str, name: &str) -> Option<PathBuf> {
    Some(testkit::vectors(area)?.canonicalize().expect("the folder exists").join(name))
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn shows_every_form_with_its_parts() {
    let Some(rats) = vector("rats", "") else { return };
    let desk = Desk::new();
    let rows: [(&str, &[&str]); 16] = [
        (
            "psa-rfc9783/psa-sign1.cbor",
            &["kind: PSA attestation token", "instance id:", "lifecycle: secured"],
        ),
        ("psa-rfc9783/psa-mac0.cbor", &["(with a MAC)", "implementation id:"]),
        ("psa-tfm/psa-iot-1_sign1.bin", &["kind: PSA attestation token", "profile: PSA_IOT_PROFILE_1"]),
        (
            "veraison-e2e/cca-evidence.cbor",
            &["kind: CCA attestation token", "platform:", "realm:", "config:"],
        ),
        ("cmw-made/tpm-collection.cbor", &["kind: TPM quote (collection)", "quote:", "pcr digest:"]),
        ("cmw-draft/collection-example-1.cbor", &["collection of conceptual messages", "entries:"]),
        ("cmw-draft/cmw-example-1.json", &["kind: conceptual message", "type: application/vnd.example"]),
        ("tpm-quote/quote-ecc-sha256-0-4-7-10.attest", &["kind: TPM attestation", "sha-256: 0, 4, 7, 10"]),
        ("tpm-quote/ak-ecc.tpmt", &["kind: TPM public key", "name:"]),
        ("veraison-scheme-tpm-enacttrust/basic.token", &["kind: TPM quote (EnactTrust)", "node:"]),
        ("veraison-scheme-parsec-tpm/evidence.cbor", &["kind: TPM key attestation (Parsec)", "platform:"]),
        (
            "veraison-scheme-parsec-cca/evidence.cbor",
            &["kind: key attestation (Parsec)", "CCA attestation token"],
        ),
        (
            "eat-made/ok-submod-nested.cbor",
            &["attestation token (CWT)", "nested token:\n", "kind: attestation token"],
        ),
        ("eat-made/ok-submod-detached.cbor", &["kind: detached bundle", "detached sets:"]),
        ("eat-rfc9711/valid_hw_block.cbor", &["kind: claims-set"]),
        ("ear-made/jwt-old-contraindicated.jwt", &["attestation result (JWT)", "status: contraindicated"]),
    ];
    for (name, words) in rows {
        let told = desk.done(&format!("inspect {}", path(&rats.join(name))));
        for word in words {
            assert!(told.contains(word), "{name}: no `{word}` in\n{told}");
        }
    }
    let corim = vector("corim", "").expect("vectors come together");
    for (name, words) in [
        ("coserv-draft/rv-class-simple.cbor", "kind: CoSERV query"),
        ("veraison-coserv/rv-results.cbor", "kind: CoSERV answer"),
        ("draft/cotl-1.cbor", "kind: CoTL"),
        ("cocli/data-cots-vendor.cbor", "kind: CoTS"),
        ("cocli/data-comid-comid-psa-iakpub.cbor", "kind: CoMID"),
    ] {
        let file = corim.join(name);
        if file.exists() {
            let told = desk.done(&format!("inspect {}", path(&file)));
            assert!(told.starts_with(words), "{name}: {told}");
        }
    }
}

#[test]
fn evidence_alone_is_inspected_as_evidence() {
    let Some(rats) = vector("rats", "") else { return };
    let desk = Desk::new();
    let inspect = |name: &str| format!("eat inspect {}", path(&rats.join(name)));
    assert!(desk.done(&inspect("veraison-e2e/cca-evidence.cbor")).contains("CCA attestation token"));
    desk.failed(&inspect("eat-made/bad-ueid-34.cbor"), "not evidence that is understood");
    desk.failed(&inspect("veraison-e2e/ec-p256.jwk"), "not an attestation token");
}

/// The public key of the vectors that were made, and of those in RFC 9783.
fn made_key(desk: &Desk, rats: &Path) {
    let der = testkit::read_hex(&rats.join("psa-rfc9783/tfm-es-iak.key.sec1.der.hex"));
    let key = SigningKey::from_sec1_der(&der).expect("a private key");
    desk.write("device.pub", cose::Key::from_secret(key).encode()).key("other", 9);
}

#[test]
fn verifies_every_form_by_key_and_nonce() {
    let Some(rats) = vector("rats", "") else { return };
    let desk = Desk::new();
    made_key(&desk, &rats);
    let verify = |name: &str, key: &str, more: &str| {
        format!("eat verify {} --key {key} {more}", path(&rats.join(name)))
    };
    let nonce = format!("--nonce {NONCE}");
    for good in ["ok-sign1.cbor", "ok-cwt61.cbor", "ok-submod-detached.cbor"] {
        desk.done(&verify(&format!("eat-made/{good}"), "device.pub", &nonce));
    }
    desk.done(&verify("psa-rfc9783/psa-sign1.cbor", "device.pub", ""));
    desk.done(&verify("veraison-e2e/psa-evidence.cbor", &path(&rats.join("veraison-e2e/ec-p256.jwk")), ""));
    desk.done(&verify(
        "veraison-e2e/cca-evidence.cbor",
        &path(&rats.join("veraison-integration-keys/ec.p256.jwk")),
        "",
    ));
    // A second key is tried where the first does not hold.
    desk.done(&verify("eat-made/ok-sign1.cbor", "other.pub --key device.pub", &nonce));
    for (name, key, more, code) in [
        ("eat-made/ok-sign1.cbor", "other.pub", nonce.as_str(), "bad-evidence-signature"),
        // The token within it does not answer the nonce itself: it may be one of better days.
        ("eat-made/ok-submod-nested.cbor", "device.pub", nonce.as_str(), "replayed-nonce"),
        ("eat-made/bad-sig-bitflip.cbor", "device.pub", nonce.as_str(), "bad-evidence-signature"),
        ("eat-made/bad-bundle-extra-set.cbor", "device.pub", nonce.as_str(), "detached-digest"),
        ("eat-made/ok-sign1.cbor", "device.pub", "--nonce 0000000000000000", "replayed-nonce"),
        ("psa-rfc9783/psa-sign1.cbor", "other.pub", "", "bad-evidence-signature"),
        ("psa-rfc9783/psa-sign1.cbor", "device.pub", nonce.as_str(), "replayed-nonce"),
    ] {
        desk.refused(&verify(name, key, more), code);
    }
    desk.failed(&verify("eat-made/bad-nonce-short7.cbor", "device.pub", ""), "not evidence");
}

#[test]
fn appraises_foreign_evidence_against_believed_manifests_alone() {
    let Some(rats) = vector("rats", "") else { return };
    let corim = vector("corim", "veraison-e2e/psa-endorsements.cbor").expect("vectors come together");
    let desk = Desk::new();
    desk.key("endorser", 5).key("verifier", 6).key("other", 9);
    let manifest = Corim::decode(&std::fs::read(&corim).expect("a vector")).expect("a manifest");
    let signed = manifest.sign(&SignerMeta::new("Endorser"), &fixed_key(5), b"endorser").expect("signed");
    desk.write("signed.corim", signed);
    let evidence = path(&rats.join("veraison-e2e/psa-evidence.cbor"));
    let appraise =
        |reference: &str, more: &str| format!("eat appraise {evidence} --reference {reference} {more}");
    let plain = path(&corim);
    for (form, verify) in
        [("", "ear verify good.ear --key verifier.pub"), ("--jwt", "ear verify good.ear --key verifier.pub")]
    {
        let more = format!("--trust-unsigned --ear-key verifier {form} -o good.ear");
        let told = desk.done(&appraise(&plain, &more));
        assert!(told.contains("executables: 3") && told.contains("component: PRoT"), "{told}");
        let told = desk.done(verify);
        assert!(told.contains("PSA IOT") && !told.contains("ueid"), "{told}");
    }
    desk.done(&appraise("signed.corim", "--endorser-key endorser.pub"));
    // Keys of manifests that are not believed are none, and neither are their values.
    desk.refused(&appraise(&plain, ""), "unknown-device");
    desk.refused(&appraise("signed.corim", "--endorser-key other.pub"), "unknown-device");
    let key = path(&rats.join("veraison-e2e/ec-p256.jwk"));
    desk.refused(&appraise(&plain, &format!("--key {key}")), "no-reference");
    desk.refused(&appraise(&plain, &format!("--trust-unsigned --nonce {NONCE}")), "replayed-nonce");
}

/// A token of a device of one model, with its files as CoSWID evidence, and a part with a key of its own.
fn token(image: &[u8], part: Option<Vec<u8>>) -> Vec<u8> {
    let digest = Digest::of(HashAlgorithm::Sha256, image);
    let tag = TagBuilder::evidence(TagId::Text("evidence".into()), "lamp")
        .version("2.0.0", VersionScheme::Semver)
        .entity(Entity::new("device", [Role::TagCreator]))
        .file(File { hash: Some(Hash::from(digest)), size: Some(image.len() as u64), ..File::new("app") })
        .build()
        .expect("an evidence tag");
    let mut claims = Claims {
        nonces: vec![Nonce::new(&testkit::hex(NONCE)).expect("a nonce")],
        oemid: Some(OemId::Pen(4242)),
        hwmodel: Some(b"lamp".to_vec()),
        measurements: vec![Content { format: COSWID, body: ContentBody::Bytes(tag.as_bytes().to_vec()) }],
        ..Claims::default()
    };
    if let Some(part) = part {
        claims.submods.insert("radio".into(), Submodule::Token(NestedToken::Cbor(part)));
    }
    claims.sign_cwt(&fixed_key(7), b"device").expect("a token")
}

fn lamp_desk() -> Desk {
    let desk = Desk::new();
    desk.key("device", 7).key("author", 3).key("other", 9);
    desk.write("app.bin", b"light")
        .write("good.cwt", token(b"light", None))
        .write("bad.cwt", token(b"dark", None));
    let build = "coswid build --name lamp --version 2.0.0 --entity lamps.example --file app=app.bin";
    desk.done(&format!("{build} -o plain.tag"));
    desk.done(&format!("{build} --key author -o signed.tag"));
    desk
}

#[test]
fn appraises_tokens_against_tags() {
    let desk = lamp_desk();
    let appraise =
        |token: &str, more: &str| format!("eat appraise {token} --key device.pub --nonce {NONCE} {more}");
    let told = desk.done(&appraise("good.cwt", "--reference signed.tag --endorser-key author.pub"));
    assert!(told.contains("status: affirming") && told.contains("component: app"), "{told}");
    desk.done(&appraise("good.cwt", "--reference plain.tag --trust-unsigned"));
    let told = desk
        .refused(&appraise("bad.cwt", "--reference signed.tag --endorser-key author.pub"), "digest-mismatch");
    let [light, dark] =
        [b"light".as_slice(), b"dark"].map(|image| Digest::of(HashAlgorithm::Sha256, image).to_string());
    assert!(told.contains(&format!("measured:\n        - {dark}")), "{told}");
    assert!(told.contains(&format!("- {light}")), "{told}");
    desk.refused(&appraise("good.cwt", "--reference plain.tag"), "no-reference");
    desk.refused(&appraise("good.cwt", "--reference signed.tag --endorser-key other.pub"), "no-reference");
    desk.failed(&appraise("good.cwt", "--reference app.bin"), "neither a release, nor a manifest, nor a tag");
    desk.failed(&appraise("good.cwt", "--reference plain.tag --media-type nonsense"), "");
}

#[test]
fn appraises_each_part_for_itself() {
    let desk = lamp_desk();
    let radio = Claims {
        nonces: vec![Nonce::new(&testkit::hex(NONCE)).expect("a nonce")],
        oemid: Some(OemId::Pen(4242)),
        hwmodel: Some(b"radio".to_vec()),
        ..Claims::default()
    };
    let part = radio.sign_cwt(&fixed_key(11), b"radio").expect("a token");
    desk.key("radio", 11).write("whole.cwt", token(b"light", Some(part)));
    let verify = format!("eat verify whole.cwt --nonce {NONCE} --key device.pub");
    desk.refused(&verify, "bad-evidence-signature");
    desk.done(&format!("{verify} --key radio.pub"));
    // The part measured nothing, and nobody says what it should have.
    let appraise = format!("eat appraise whole.cwt --nonce {NONCE} --key device.pub --key radio.pub");
    let told = desk.run(&format!("{appraise} --reference plain.tag --trust-unsigned"));
    assert_eq!(told.status, 1, "{}", told.stdout);
    assert!(told.stdout.contains("EAT/radio:"), "{}", told.stdout);
}

#[test]
fn rules_judge_besides_the_policy() {
    let desk = lamp_desk();
    let rules = |name: &str, text: &str| {
        desk.write(name, format!("package policy\nimport rego.v1\n{text}\n"));
    };
    rules("fine.rego", "hardware := 2");
    rules("old.rego", "hardware := 97");
    rules("raise.rego", "executables := 2");
    let appraise = |token: &str, more: &str| {
        format!(
            "eat appraise {token} --key device.pub --nonce {NONCE} --reference plain.tag --trust-unsigned {more}"
        )
    };
    let told = desk.done(&appraise("good.cwt", "--rules fine.rego"));
    assert!(told.contains("hardware: 2"), "{told}");
    desk.refused(&appraise("good.cwt", "--rules fine.rego --rules old.rego"), "policy-refused");
    // What evidence does not bear out no rule makes true.
    let told = desk.refused(&appraise("bad.cwt", "--rules raise.rego"), "digest-mismatch");
    assert!(told.contains("policy-failed"), "{told}");
    desk.write("broken.rego", "package policy\nexecutables := ");
    desk.failed(&appraise("good.cwt", "--rules broken.rego"), "broken.rego");
}
