//! SBOMs of others and reference integrity manifests on the command line.

mod common;

use common::{Desk, author_desk};

const SBOM: &str = r#"{ "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
  "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
  "metadata": { "component": { "type": "firmware", "name": "camera", "version": "1.4.0" } },
  "components": [{ "type": "library", "name": "zlib", "version": "1.3", "purl": "pkg:generic/zlib@1.3",
    "licenses": [{ "license": { "id": "Zlib" } }] }] }"#;

const RECIPE: &str = r#"
id = "northlight/camera/1.4.0"
profile = "tag:arm.com,2025:psa#1.0.0"
not-before = "2026-01-01T00:00:00Z"
not-after = "2036-01-01T00:00:00Z"
creator = "Northlight"
coswid = ["camera.coswid"]

[[comid]]
id = "northlight/camera/psa"
creator = "Northlight"

[[comid.reference]]
environment = { class-id = "0101010101010101010101010101010101010101010101010101010101010101" }
measurement = [{ element = "psa.software-component", name = "BL", version = "1.4.0", file = "app.bin", signer-id = "0202020202020202020202020202020202020202020202020202020202020202" }]

[[comid.attest-key]]
environment = { class-id = "0101010101010101010101010101010101010101010101010101010101010101", instance = "010303030303030303030303030303030303030303030303030303030303030303" }
key = "author.key.pub"
"#;

fn desk() -> Desk {
    let desk = author_desk();
    desk.write("bom.json", SBOM).write("recipe-corim.toml", RECIPE).write("app.bin", b"an image");
    desk.done("coswid build --name camera --version 1.4.0 --entity northlight.example --file app=app.bin -o camera.coswid");
    desk
}

#[test]
fn imports_an_sbom_and_says_what_it_leaves_out() {
    let desk = desk();
    let run = desk.run("coswid import bom.json -o bom.coswid");
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("expected somebody who made the document"), "{}", run.stderr);
    let run =
        desk.run("coswid import bom.json --entity Northlight --scheme semver --key author.key -o bom.coswid");
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    assert!(
        run.stderr.contains("no room for /components/*/licenses (1, first /components/0/licenses)"),
        "{}",
        run.stderr
    );
    desk.done("coswid verify bom.coswid --key author.key.pub");
    desk.refused("coswid verify bom.coswid --key other.key.pub", "bad-tag-signature");
    let told = desk.done("--json coswid inspect bom.coswid");
    assert!(told.contains("pkg:generic/zlib@1.3") && told.contains("ni:///sha-256;"), "{told}");
}

#[test]
fn exports_a_tag_that_comes_back_as_it_was() {
    let desk = desk();
    for format in ["spdx", "cyclonedx", "swid"] {
        let export = format!("coswid export camera.coswid --to {format} --at 2026-11-29T08:00:00Z");
        let document = desk.done(&export);
        assert_eq!(document, desk.done(&export), "the same tag and time give the same bytes");
        desk.write("document", &document);
        assert!(desk.done("inspect document").contains("northlight.example/camera/1.4.0"), "{format}");
        desk.done("coswid import document -o again.coswid");
        assert_eq!(desk.read("again.coswid"), desk.read("camera.coswid"), "{format}");
    }
}

#[test]
fn builds_shows_and_verifies_a_reference_integrity_manifest() {
    let desk = desk();
    desk.done("corim build recipe-corim.toml -o plain.corim");
    desk.done("corim build recipe-corim.toml --key author.key --signer Northlight -o signed.corim");
    for (file, kind) in [("plain.corim", "\"CoRIM\""), ("signed.corim", "\"signed CoRIM\"")] {
        for verb in ["inspect", "corim inspect"] {
            let told = desk.done(&format!("--json {verb} {file}"));
            assert!(told.contains(kind) && told.contains("psa.software-component"), "{told}");
            assert!(told.contains("northlight.example/camera/1.4.0") && told.contains("ueid 0103"), "{told}");
        }
    }
    let verify = "corim verify signed.corim --at 2027-01-01T00:00:00Z";
    assert!(desk.done(&format!("{verify} --key author.key.pub")).contains("signed by"));
    desk.refused(&format!("{verify} --key other.key.pub"), "unknown-signer");
    let late = "corim verify signed.corim --at 2037-01-01T00:00:00Z --key author.key.pub";
    desk.refused(late, "reference-expired");
    desk.refused("corim verify plain.corim --key author.key.pub", "unsigned-manifest");
    let mut bytes = desk.read("signed.corim");
    // The last bytes are the signature.
    *bytes.last_mut().expect("it is not empty") ^= 1;
    desk.write("changed.corim", bytes);
    let changed = "corim verify changed.corim --at 2027-01-01T00:00:00Z --key author.key.pub";
    // The keys on the command line have no identifiers to be named by.
    desk.refused(changed, "unknown-signer");
}

#[test]
fn says_what_changes_from_one_manifest_to_another() {
    let desk = desk();
    let newer = RECIPE
        .replace("1.4.0", "1.5.0")
        .replace("2036-01-01", "2037-01-01")
        .replace("app.bin", "new.bin")
        .replace("key = \"author.key.pub\"", "key = \"other.key.pub\"");
    desk.write("new.bin", b"another image").write("newer.toml", newer);
    desk.done("corim build recipe-corim.toml -o old.corim");
    desk.done("corim build recipe-corim.toml --key author.key --signer Northlight -o signed.corim");
    desk.done("coswid build --name camera --version 1.5.0 --tag-id northlight.example/camera/1.4.0 --entity northlight.example --file app=new.bin -o camera.coswid");
    desk.done("corim build newer.toml -o new.corim");

    // Who signed does not change what is said.
    let same = desk.done("corim diff old.corim signed.corim");
    assert!(same.contains("yes: both manifests say the same") && same.contains("new: Northlight"), "{same}");
    let run = desk.run("--json corim diff signed.corim new.corim");
    assert_eq!(run.status, 1, "{}", run.stderr);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(told["code"], "manifests-differ");
    assert_eq!(told["message"], "the manifests do not say the same: 0 statements gained, 0 lost, 2 changed");
    assert_eq!(told["id"]["new"], "northlight/camera/1.5.0");
    assert_eq!(told["validity"]["old"]["not_after"], "2036-01-01T00:00:00Z");
    assert_eq!(told["validity"]["new"]["not_after"], "2037-01-01T00:00:00Z");
    assert!(told.get("profile").is_none() && told.get("entities").is_none());
    let value = &told["reference_values"][0];
    assert_eq!((&value["change"], &value["element"]), (&"changed".into(), &"psa.software-component".into()));
    assert_eq!((&value["old"]["version"], &value["new"]["version"]), (&"1.4.0".into(), &"1.5.0".into()));
    assert_ne!(value["old"]["digests"], value["new"]["digests"]);
    assert!(value["environment"]["class_id"].is_string());
    let key = &told["attest_keys"][0];
    assert_eq!(key["change"], "changed");
    assert_ne!(key["old"]["key"], key["new"]["key"]);
    // The tag is the same, and what it expects is not.
    let tag = &told["tags"][0];
    assert_eq!((&tag["change"], &tag["new"]["kind"]), (&"changed".into(), &"CoSWID".into()));
    assert_eq!(tag["old"]["id"], tag["new"]["id"]);
    desk.refused("corim diff old.corim new.corim", "manifests-differ");
    assert_eq!(desk.run("corim diff old.corim app.bin").status, 2);
}

#[test]
fn a_recipe_may_name_the_rsa_key_of_a_tpm() {
    // A public key of 2048 bits, whose private key nobody kept.
    const AK: &str = include_str!("data/ak-rsa.pem");
    let desk = desk();
    let recipe = RECIPE.replace("author.key.pub", "ak.pem").replace("profile", "# profile");
    desk.write("ak.pem", AK).write("tpm.toml", recipe);
    desk.done("corim build tpm.toml -o tpm.corim");
    let told: serde_json::Value =
        serde_json::from_str(&desk.done("--json corim inspect tpm.corim")).expect("JSON");
    let keys = told["tags"][1]["attest_keys"].as_array().or(told["tags"][0]["attest_keys"].as_array());
    assert_eq!(keys.expect("a CoMID with keys")[0]["keys"][0], AK);
    desk.write("ak.pem", AK.replace("BEGIN PUBLIC KEY", "BEGIN SOMETHING"));
    assert_eq!(desk.run("corim build tpm.toml -o other.corim").status, 2);
}

#[test]
fn refuses_a_recipe_that_its_profile_would_refuse() {
    let desk = desk();
    let rows = [
        (RECIPE.replace("psa.software-component", "something"), "makes no manifest"),
        (RECIPE.replace("#1.0.0", "#9.9.9"), "makes no manifest"),
        (RECIPE.replace("signer-id", "signer"), "unknown field `signer`"),
        (RECIPE.replace("not-after", "not-before2"), "unknown field"),
        (RECIPE.replace("file = \"app.bin\"", "digests = [\"sha-256:00\"]"), "expected a digest"),
    ];
    for (recipe, expected) in rows {
        desk.write("bad.toml", recipe);
        let run = desk.run("corim build bad.toml -o bad.corim");
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
}
