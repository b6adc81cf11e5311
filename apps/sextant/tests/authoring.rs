//! An author's day: keys, recipe, release, signatures, and what becomes of each when a byte changes.

mod common;

use common::{Desk, author_desk};

#[test]
fn makes_a_release_from_nothing_that_is_believed_and_installed() {
    let desk = author_desk();
    desk.done("key new --alg ES384 -o new.key --public new.pub");
    desk.done("suit build recipe.toml --key new.key -o r.suit");
    desk.done("suit sign r.suit --key operator.key");
    let told = desk.done("suit verify r.suit --key new.pub --key operator.key.pub --mud-ca ca.pem");
    assert!(told.contains("mud signed by: O=Northlight, CN=MUD signer"), "{told}");
    desk.done("suit simulate r.suit --key new.pub");
    desk.done("suit lint r.suit");
    desk.done("inspect r.suit");
    desk.refused("suit verify r.suit --key author.key.pub", "unknown-signer");
}

#[test]
fn builds_the_same_manifest_from_the_same_recipe() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    desk.golden("suit-inspect.txt", &desk.done("suit inspect r.suit"));
    desk.golden("suit-verify.json", &desk.done("suit verify r.suit --key author.key.pub --json"));
    desk.golden(
        "suit-simulate.txt",
        &desk.done("suit simulate r.suit --key author.key.pub --procedure update"),
    );
}

#[test]
fn believes_nothing_but_what_was_signed_whichever_byte_changes() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    desk.done("authority new -o list");
    desk.done("authority add list --key author.key.pub --role author --name Northlight");
    let good = desk.read("r.suit");
    let told = desk.done("suit verify r.suit --authorities list");
    let mut harmless = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x01;
        let run = desk.run_with_input("suit verify - --authorities list", &bad);
        // No signature covers the hints beside it, such as the name of the key. They may go, and nothing else changes.
        harmless += usize::from(run.status == 0);
        let same = run.status == 0 && run.stdout == told;
        assert!(same || matches!(run.status, 1 | 2), "byte {at} changes what is believed\n{}", run.stdout);
    }
    assert!(harmless <= 2, "{harmless} bytes do not matter");
}

#[test]
fn refuses_a_release_whose_needs_or_image_were_replaced() {
    let desk = author_desk();
    desk.done("suit build recipe.toml --key author.key -o r.suit");
    let bytes = desk.read("r.suit");
    let envelope = suit::Envelope::decode(&bytes).expect("an envelope");
    let wider = String::from_utf8_lossy(envelope.integrated("#mud.json").expect("the MUD file"))
        .replace("443", "444");
    desk.write("image.suit", envelope.with_payload("#app", b"another image"));
    desk.write("mud.suit", envelope.with_payload("#mud.json", wider.as_bytes()));
    desk.write("lost.suit", envelope.strip_payloads());
    desk.refused("suit verify image.suit --key author.key.pub", "digest-mismatch");
    desk.refused("suit verify mud.suit --key author.key.pub", "mud-signer-mismatch");
    desk.refused("suit verify lost.suit --key author.key.pub", "payload-missing");
    desk.done("suit verify lost.suit --key author.key.pub --without-images");
    desk.done("cert new-ca --key other.key --subject CN=Other -o other.pem");
    desk.refused("suit verify r.suit --key author.key.pub --mud-ca other.pem", "mud-signer-mismatch");
}

#[test]
fn severs_what_the_author_severed_and_nothing_else() {
    let desk = author_desk();
    desk.done("suit build recipe.toml --key author.key -o r.suit");
    desk.done("suit sever r.suit --member text --member coswid --payloads -o s.suit");
    let told = desk.done("suit verify s.suit --key author.key.pub --without-images");
    assert!(told.contains("mud signed by") && !told.contains("software:"), "{told}");
    desk.failed("suit sever r.suit --member install -o t.suit", "carries no severed install");
}

#[test]
fn asks_for_every_signature_and_scope_that_the_list_demands() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    desk.done("authority new --operators 1 -o list");
    desk.done("authority add list --key author.key.pub --role author --name Northlight --vendor northlight.example --class welcome-cam --component app");
    desk.done("authority add list --key operator.key.pub --role operator --name 'The owner'");
    desk.golden("authority-ls.txt", &desk.done("authority ls list"));
    desk.refused("suit verify r.suit --authorities list", "operator-signature-missing");
    desk.done("suit sign r.suit --key operator.key -o both.suit");
    desk.done("suit verify both.suit --authorities list");

    desk.done("authority new -o narrow");
    desk.done("authority add narrow --key author.key.pub --role author --name Northlight --vendor northlight.example --class toaster");
    desk.refused("suit verify r.suit --authorities narrow", "author-out-of-scope");
    desk.done("authority remove narrow --name Northlight");
    desk.done("authority add narrow --key author.key.pub --role author --name Northlight --component boot");
    desk.refused("suit verify r.suit --authorities narrow", "author-not-authorised");
    desk.failed(
        "authority add list --key author.key.pub --role operator --name Both",
        "listed under two roles",
    );
}

#[test]
fn simulates_what_a_device_would_refuse() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    let simulate = |options: &str| format!("suit simulate r.suit --key author.key.pub {options}");
    desk.refused(&simulate("--installed 8"), "sequence-too-low");
    desk.refused(&simulate("--installed 7"), "sequence-reused");
    desk.refused(&simulate("--vendor other.example"), "wrong-vendor");
    desk.refused(&simulate("--class toaster --vendor northlight.example"), "wrong-class");
    desk.refused(&simulate("--capacity 5"), "payload-too-large");
    desk.done(&simulate("--installed 6 --report report.cbor"));
    desk.done("inspect report.cbor");
}

#[test]
fn says_what_is_unwise_in_a_release() {
    let desk = author_desk();
    desk.done("suit build plain.toml -o unsigned.suit");
    let run = desk.run("suit lint unsigned.suit");
    assert_eq!(run.status, 1);
    desk.golden("suit-lint.txt", &run.stdout);

    // A release that checks neither vendor nor class, and has no digest and no SBOM.
    use suit::{
        ComponentId, Directive, ManifestBuilder, Parameter, ReportingPolicy, Section, SequenceBuilder,
    };
    let mut manifest = ManifestBuilder::new(0);
    manifest.component(ComponentId::new(&["app"]).expect("a component"));
    let fetch = SequenceBuilder::new()
        .override_parameters(&[Parameter::Uri("https://northlight.example/app")])
        .directive(Directive::Fetch, ReportingPolicy::ON_FAILURE);
    manifest.section(Section::Install, fetch);
    let mut envelope = manifest.build(crypto::HashAlgorithm::Sha256).expect("a manifest");
    envelope.sign(&common::fixed_key(1), None);
    desk.write("careless.suit", envelope.to_bytes());
    let run = desk.run("suit lint careless.suit --json");
    assert_eq!(run.status, 1);
    desk.golden("suit-lint-careless.json", &run.stdout);
}

#[test]
fn refuses_to_sign_a_digest_of_something_else() {
    let desk = author_desk();
    desk.done("suit build plain.toml -o r.suit");
    let mut bytes = desk.read("r.suit");
    // The last byte of the manifest digest: tag, map, key, wrapper head, array, digest head, then 37 bytes.
    let digest = suit::Envelope::decode(&bytes).expect("an envelope").manifest_digest_claimed();
    let at = bytes
        .windows(32)
        .position(|window| window == digest.as_bytes())
        .expect("the digest is in the envelope");
    bytes[at] ^= 1;
    desk.write("bad.suit", &bytes);
    desk.refused("suit sign bad.suit --key author.key", "digest-mismatch");
    assert_eq!(desk.read("bad.suit"), bytes, "nothing was written");
}

#[test]
fn points_into_a_recipe_that_it_does_not_understand() {
    let desk = author_desk();
    desk.write("typo.toml", common::RECIPE.replace("sequence", "sequenze"));
    desk.golden("recipe-typo.txt", &desk.failed("suit build typo.toml -o r.suit", "sequenze"));
    desk.write("lost.toml", common::RECIPE.replace("app.bin", "lost.bin"));
    desk.failed("suit build lost.toml -o r.suit", "cannot read");
    desk.write("unsigned.toml", format!("{}[mud]\nfile = \"welcome-cam.json\"\n", common::RECIPE));
    desk.failed("suit build unsigned.toml -o r.suit", "who signs the MUD file");
}

#[test]
fn keeps_keys_to_their_owner_and_never_overwrites_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    desk.done("key new -o k --public k.pub");
    let mode = |name: &str| std::fs::metadata(desk.path(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!(mode("k"), 0o600);
    let before = desk.read("k");
    desk.failed("key new -o k", "never overwritten");
    assert_eq!(desk.read("k"), before);
    desk.failed("suit sign x --key k.pub", "cannot read x");
    desk.write("e", "\u{a0}");
    desk.failed("key show e", "not a key");
}

#[test]
fn shows_a_key_in_every_form_as_the_same_key() {
    let desk = Desk::new();
    desk.key("k", 9);
    desk.golden("key-show.txt", &desk.done("key show k"));
    let thumbprint = desk.done("key thumbprint k");
    for form in ["cose", "pem", "der", "jwk"] {
        desk.done(&format!("key show k --form {form} -o k.{form}"));
        assert_eq!(desk.done(&format!("key thumbprint k.{form}")), thumbprint, "{form}");
        assert_eq!(
            desk.run_with_input("key thumbprint -", &desk.read(&format!("k.{form}"))).stdout,
            thumbprint
        );
    }
    assert!(!desk.done("inspect k").contains(&"09".repeat(32)), "the private key is shown");
}

/// What the example of the documentation is made of.
const SBOM: &[u8] = br#"{
    "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
    "metadata": { "component": { "type": "firmware", "name": "Welcome Cam firmware", "version": "1.4.0" } },
    "components": [{ "type": "library", "name": "openssl", "version": "3.0.14" }]
}"#;

#[test]
fn builds_the_example_of_the_documentation() {
    let desk = author_desk();
    let page = include_str!("../../../docs/recipes.md");
    let example =
        page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    desk.write("example.toml", example)
        .write("welcome-cam-1.4.0.bin", b"app")
        .write("faces.tflite", b"faces")
        .write("welcome-cam.cdx.json", SBOM);
    std::fs::copy(desk.path("ca.pem"), desk.path("northlight-ca.pem")).expect("a copy");
    desk.done("suit build example.toml --key author.key -o r.suit");
    let told = desk.done("suit verify r.suit --key author.key.pub");
    assert!(told.contains("software: Welcome Cam firmware 1.4.0"), "{told}");
    desk.write("faces", b"faces");
    let serve = "--serve https://dl.northlight.example/faces-12.tflite=faces";
    desk.done(&format!("suit simulate r.suit --key author.key.pub {serve}"));
    desk.refused("suit simulate r.suit --key author.key.pub", "not-found");
    desk.done("suit lint r.suit");
}

#[test]
fn says_what_changes_from_one_release_to_the_next() {
    let desk = author_desk();
    let recipe = |name: &str, sequence: &str, more: &str| {
        let text = common::RECIPE.replace("sequence = 7", &format!("sequence = {sequence}"));
        desk.write(name, format!("{text}{more}"));
        desk.done(&format!("suit build {name} --key author.key -o {name}.suit"));
    };
    recipe("old", "7", common::NEEDS);
    let needs = String::from_utf8(desk.read("welcome-cam.json")).expect("JSON is text");
    desk.write("app.bin", b"another image of the welcome cam");
    recipe("same-needs", "8", common::NEEDS);
    let told = desk.done("suit diff old.suit same-needs.suit");
    assert!(told.contains("sequence number: 7 → 8") && told.contains("app: sha256:"), "{told}");

    desk.write("welcome-cam.json", needs.replace("443", "8443"));
    recipe("wider", "8", common::NEEDS);
    let told = desk.refused("suit diff old.suit wider.suit", "wider");
    assert!(told.contains("8443"), "{told}");
    // A release without needs asks for nothing: less than before, and more the other way round.
    recipe("none", "9", "");
    desk.done("suit diff old.suit none.suit");
    desk.refused("suit diff old.suit old.suit", "sequence-too-low");
    desk.refused("suit diff none.suit old.suit", "sequence-too-low");
    desk.failed("suit diff old.suit app.bin", "not a SUIT envelope");
}

#[test]
fn roots_change_the_list_together_each_with_a_key_of_their_own() {
    let desk = author_desk();
    desk.key("alice.key", 50).key("bob.key", 51).key("carol.key", 52);
    desk.done("authority new --roots 2 -o first");
    for (key, role, name) in [
        ("alice", "root", "Alice"),
        ("bob", "root", "Bob"),
        ("author", "author", "Northlight"),
        ("operator", "safety", "Inspection"),
    ] {
        desk.done(&format!("authority add first --key {key}.key.pub --role {role} --name {name}"));
    }
    desk.failed("authority add first --key other.key.pub --role Safety --name X", "small letters");
    desk.done("authority rule first --role safety");
    desk.done("authority rule first --role author --signatures 2 --component boot");
    let told = desk.run("authority ls first");
    assert!(told.stderr.contains("and 1 safety") && told.stderr.contains("no device takes this list"));
    desk.failed("authority update new --from first --to first -o c", "2 author signatures are asked for");
    desk.done("authority rule first --role author --signatures 0 --component boot");

    // Carol comes for Bob, and another author for the first.
    desk.write("second", desk.read("first"));
    for name in ["Bob", "Northlight"] {
        desk.done(&format!("authority remove second --name {name}"));
    }
    desk.done("authority add second --key carol.key.pub --role root --name Carol");
    desk.done("authority add second --key other.key.pub --role author --name Brightwork");
    desk.done("authority update new --from first --to second -o change");
    assert!(desk.done("inspect change").starts_with("kind: change of an authority list\n"));
    for root in ["alice", "bob", "carol", "author"] {
        desk.done(&format!("authority update sign change --key {root}.key -o by-{root}"));
    }
    let verify = "authority update verify";
    let told =
        desk.refused(&format!("{verify} by-alice --authorities first"), "authority-root-signatures-missing");
    assert!(told.contains("Bob") && told.contains("Carol") && told.contains("1 of 2 needed"), "{told}");
    desk.done("authority update merge by-alice by-bob -o old-roots");
    let code = "authority-new-root-signatures-missing";
    desk.refused(&format!("{verify} old-roots --authorities first -o nothing"), code);
    assert!(!desk.path("nothing").exists());
    desk.done("authority update merge by-alice by-author -o delegate");
    desk.refused(&format!("{verify} delegate --authorities first"), "authority-not-root");
    desk.done("authority update sign old-roots --key carol.key -o all");
    desk.done("authority update merge by-carol by-bob by-alice -o merged");
    for file in ["all", "merged"] {
        desk.done(&format!("{verify} {file} --authorities first -o third"));
    }
    assert!(desk.done("inspect all").contains("signatures: 3"));
    assert!(desk.run("authority ls third").stderr.contains("version 2; "));
    desk.refused(&format!("{verify} all --authorities third"), "authority-update-replayed");
    desk.failed("authority update merge by-alice first -o x", "not a signed change");
    desk.done("authority update new --from third --to first -o back");
    desk.done("authority update sign back --key alice.key -o back-alice");
    desk.failed("authority update merge by-alice back-alice -o x", "not about the same change");
}

#[test]
fn a_policy_names_the_lists_that_trusted_devices_obey() {
    let desk = author_desk();
    desk.done("authority new -o list");
    let digest = |told: &str| told.split("digest: ").nth(1).map(|rest| rest[..70].to_owned());
    let list = digest(&desk.done("inspect list")).expect("a digest");
    desk.done("policy new --authorities list -o policy");
    let told = desk.done("policy show policy");
    let hex = list.split(':').next_back().unwrap_or(&list);
    assert!(told.contains(&hex[..40]), "{told} names {list}");
}
