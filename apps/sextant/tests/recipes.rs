//! What recipes can say, and that devices do it.

mod common;

use common::{Desk, author_desk};

/// A recipe of one component with more members in it, and tables behind it.
fn recipe(release: &str, component: &str, tables: &str) -> String {
    format!(
        "[release]\nvendor = \"northlight.example\"\nclass = \"welcome-cam\"\nversion = \"1.4.0\"\nsequence = 7\n{release}\n\
         [[component]]\nid = \"app\"\n{component}\n{tables}"
    )
}

const IMAGE: &str = "image = \"app.bin\"\ninvoke = true";

fn build(desk: &Desk, text: &str) {
    desk.write("x.toml", text);
    desk.done("suit build x.toml --key author.key -o r.suit");
}

fn simulate(options: &str) -> String {
    format!("suit simulate r.suit --key author.key.pub {options}")
}

#[test]
fn waits_and_asks_before_anything_is_fetched() {
    let desk = author_desk();
    let conditions = "[conditions]\nuse-before = \"2030-01-01T00:00:00Z\"\nbattery = 500\npriority = -1\ninstalled = [\">=1.0\", \"<2.0\"]\n\
                      [wait]\nutc-time-of-day = 7200\n";
    build(&desk, &recipe("set-version = \"1.4.0\"", IMAGE, conditions));
    let able = "--battery 500 --authorize 0 --version 1.3 --at 2026-11-29T01:30:00Z";
    let told = desk.done(&simulate(able));
    assert!(told.contains("waited for") && told.contains("started app"), "{told}");
    for (options, code) in [
        (able.replace("--battery 500", "--battery 499"), "battery-too-low"),
        (able.replace("--authorize 0", "--authorize -2"), "update-not-authorised"),
        (able.replace("1.3", "0.9"), "wrong-version"),
        (able.replace("1.3", "2.0"), "wrong-version"),
        (able.replace("2026-11-29", "2031-11-29"), "manifest-expired"),
    ] {
        let run = desk.run(&simulate(&options));
        assert!(run.status == 1 && run.stdout.contains(code), "{options}: expected {code}\n{}", run.stdout);
        assert!(!run.stdout.contains("wrote"), "{options}: nothing was written\n{}", run.stdout);
    }
    // What is installed is started whatever the battery holds.
    desk.done(&simulate("--content app=app.bin --procedure invocation"));
}

#[test]
fn the_device_chooses_among_variants() {
    let desk = author_desk();
    desk.write("a.bin", b"image for slot 0").write("b.bin", b"an image for slot 1");
    let variants = "invoke = true\n[[component.variant]]\nimage = \"a.bin\"\nslot = 0\n\
                    [[component.variant]]\nimage = \"b.bin\"\nslot = 1\n";
    build(&desk, &recipe("", variants, ""));
    for (slot, size) in [(0, 16), (1, 19)] {
        let told = desk.done(&simulate(&format!("--slot {slot}")));
        assert!(told.contains(&format!("wrote {size} bytes to app")), "{told}");
    }
    assert_eq!(desk.run(&simulate("--slot 2")).status, 1);

    let variants = "[[component.variant]]\nimage = \"a.bin\"\ndevice = \"14920000-2569-5e48-bf42-9b2d51f2ab45\"\n\
                    [[component.variant]]\nimage = \"b.bin\"\ninstalled = \">=1.0\"\n";
    build(&desk, &recipe("", variants, ""));
    let told = desk.done(&simulate("--device 14920000-2569-5e48-bf42-9b2d51f2ab45 --version 0.1"));
    assert!(told.contains("wrote 16 bytes"), "{told}");
    let told = desk.done(&simulate("--version 1.0"));
    assert!(told.contains("wrote 19 bytes"), "{told}");
}

#[test]
fn stages_and_checks_before_it_installs() {
    let desk = author_desk();
    let staged = format!("{IMAGE}\nstage = \"download\"");
    build(&desk, &recipe("candidate-verification = true", &staged, ""));
    let told = desk.done(&simulate("--procedure staging --procedure installation --procedure invocation"));
    assert!(told.contains("wrote 27 bytes to download") && told.contains("wrote 27 bytes to app"), "{told}");
    // What was staged by somebody else is not installed.
    desk.write("other.bin", b"another image, just as long");
    let run = desk.run(&simulate("--content download=other.bin --procedure installation"));
    assert!(run.status == 1 && !run.stdout.contains("to app"), "{}", run.stdout);
}

#[test]
fn writes_what_the_manifest_carries_with_owner_and_kind() {
    let desk = author_desk();
    let metadata = "image = \"app.bin\"\nwrite = true\ninvoke = true\ninvoke-arguments = \"--fast\"\n\
                    [component.metadata]\npermissions = 5\nusers = { root = 7 }\nmodified = 1700000000\n";
    build(&desk, &recipe("", metadata, ""));
    let told = desk.done(&simulate(""));
    assert!(told.contains("described app") && told.contains("wrote 27 bytes"), "{told}");
    let bytes = desk.read("r.suit");
    assert!(suit::Envelope::decode(&bytes).expect("an envelope").payloads().is_empty());
    desk.write("x.toml", recipe("", &metadata.replace("permissions = 5", "permissions = 65535"), ""));
    desk.failed("suit build x.toml -o r.suit", "no meaning");
}

#[test]
fn dependencies_come_first_and_go_last() {
    let desk = author_desk();
    desk.write("radio.bin", b"firmware of the radio");
    let radio = recipe("uninstall = true", "image = \"radio.bin\"\ninvoke = true", "")
        .replace("\"app\"", "\"firmware\"");
    desk.write("radio.toml", radio);
    desk.done("suit build radio.toml --key operator.key -o radio.suit");
    for (uri, prefix, serve) in [
        ("", "", ""),
        ("", "prefix = \"radio\"\n", ""),
        (
            "uri = \"https://northlight.example/radio\"\n",
            "",
            "--serve https://northlight.example/radio=radio.suit",
        ),
    ] {
        let tables =
            format!("[[dependency]]\nid = \"manifests/radio\"\nenvelope = \"radio.suit\"\n{uri}{prefix}");
        build(&desk, &recipe("uninstall = true\nmanifest-component = \"manifests/root\"", IMAGE, &tables));
        let place = if prefix.is_empty() { "firmware" } else { "radio/firmware" };
        let keys = format!("suit simulate r.suit --key author.key.pub --component {place} {serve}");
        // The root is signed by one, its dependency by another: both must be believed.
        desk.refused(&keys, "unknown-signer");
        desk.done("authority new -o list");
        desk.done("authority add list --key author.key.pub --role author --name Northlight");
        desk.done("authority add list --key operator.key.pub --role author --name Radio");
        let command = keys.replace("--key author.key.pub", "--authorities list");
        let told = desk.done(&command);
        let at = |words: &str| told.find(words).unwrap_or_else(|| panic!("no `{words}` in\n{told}"));
        assert!(at(&format!("wrote 21 bytes to {place}")) < at("wrote 27 bytes to app"), "{told}");
        assert!(at(&format!("started {place}")) < at("started app"), "{told}");
        let told = desk.done(&format!("{command} --procedure update --procedure uninstallation"));
        assert!(
            told.contains("gave up app; 0 manifests") && told.contains("gave up manifests/radio; 0"),
            "{told}"
        );
    }
    // Another manifest under the name of the dependency is not what was asked for.
    desk.write("other.toml", recipe("", "image = \"radio.bin\"", "").replace("\"app\"", "\"firmware\""));
    desk.done("suit build other.toml --key operator.key -o other.suit");
    let serve = "--serve https://northlight.example/radio=other.suit";
    desk.refused(
        &format!("suit simulate r.suit --authorities list --component firmware {serve}"),
        "digest-mismatch",
    );
}

#[test]
fn says_what_to_report() {
    let desk = author_desk();
    build(&desk, &recipe("", IMAGE, "[reporting]\nconditions = []\ndirectives = [\"record-success\"]\n"));
    let told = desk.done(&simulate("--report report.cbor --report-key other.key"));
    assert!(!told.contains("image-digest") && told.contains("section: install"), "{told}");
    let bytes = desk.read("report.cbor");
    let report = suit::SignedReport::decode(&bytes).expect("a signed report");
    assert!(report.verify(common::fixed_key(5).public_key(), None).is_ok());
    desk.write("x.toml", recipe("", IMAGE, "[reporting]\nconditions = [\"everything\"]\n"));
    desk.failed("suit build x.toml -o r.suit", "nothing to report");
}

#[test]
fn refuses_recipes_that_contradict_themselves() {
    let desk = author_desk();
    let variants =
        "[[component.variant]]\nimage = \"app.bin\"\n[[component.variant]]\nimage = \"app.bin\"\nslot = 1\n";
    for (release, component, tables, words) in [
        ("", "", "", "has no image"),
        ("", variants, "", "says when it is the one"),
        ("", "image = \"app.bin\"\nstage = \"app\"", "", "its own stage"),
        ("", "image = \"app.bin\"\nstage = \"s\"\nwrite = true", "", "not staged"),
        ("encrypt-later = true", "image = \"app.bin\"", "", "out of a `stage`"),
        ("encrypt-later = true", "image = \"app.bin\"\nwrite = true", "", "cannot encrypt"),
        ("set-version = \"one\"", IMAGE, "", "no version"),
        ("", IMAGE, "[conditions]\ninstalled = [\"1.0\"]\n", "compares nothing"),
        ("", IMAGE, "[encryption]\nrecipients = []\n", "nobody could decrypt"),
        ("", IMAGE, "[[dependency]]\nid = \"d\"\nenvelope = \"app.bin\"\n", "not a SUIT envelope"),
    ] {
        desk.write("x.toml", recipe(release, component, tables));
        desk.failed("suit build x.toml -o x.suit", words);
        assert!(!desk.path("x.suit").exists(), "{words}");
    }
}

#[test]
fn the_examples_of_the_documentation_are_built_and_run() {
    let desk = author_desk();
    let page = include_str!("../../../docs/recipes.md");
    let examples: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [_, whole, encrypted] = examples.as_slice() else { panic!("{} examples", examples.len()) };
    for name in ["cam-slot-a.bin", "cam-slot-b.bin", "faces.tflite", "motd.txt", "cam.bin", "radio.bin"] {
        desk.write(name, format!("the content of {name}"));
    }
    desk.write("radio.toml", recipe("", "image = \"radio.bin\"", ""));
    desk.done("suit build radio.toml --key author.key -o radio.suit");
    desk.write("whole.toml", whole);
    desk.done("suit build whole.toml --key author.key -o r.suit");
    let device = "--slot 1 --battery 500 --authorize 0 --version 1.3 --at 2026-11-29T01:30:00Z --component radio/app \
                  --serve https://dl.northlight.example/faces=faces.tflite";
    let told = desk.done(&simulate(device));
    for words in
        ["to radio/app", "to download", "to model", "to motd", "wrote 29 bytes to app", "started app"]
    {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }
    desk.done("key new --alg ECDH-ES+A128KW -o device.key --public device.pub");
    desk.done("key new --alg A128KW -o group.key");
    desk.write("encrypted.toml", encrypted);
    desk.done("suit build encrypted.toml --key author.key -o r.suit");
    let serve = "--serve https://dl.northlight.example/cam.enc=cam.enc";
    desk.done(&simulate(&format!("--decrypt-key device.key {serve}")));
}

#[test]
fn lists_the_components_of_an_sbom_in_that_of_the_release() {
    let desk = author_desk();
    let document = r#"{ "bomFormat": "CycloneDX", "specVersion": "1.5",
        "metadata": { "component": { "type": "firmware", "name": "another name", "version": "9" } },
        "components": [{ "type": "library", "name": "openssl", "version": "3.0.9", "purl": "pkg:generic/openssl@3.0.9" },
            { "type": "file", "name": "left-out.bin", "hashes": [] }] }"#;
    desk.write("bom.json", document);
    build(&desk, &recipe("sbom = \"bom.json\"", IMAGE, ""));
    let told = desk.done("inspect r.suit --json");
    assert!(told.contains("pkg:generic/openssl@3.0.9"), "{told}");
    assert!(!told.contains("left-out") && !told.contains("another name"), "{told}");
    // A tag does as well, with the same outcome.
    let release = desk.read("r.suit");
    desk.done("coswid import bom.json --tag-id x --entity Northlight -o bom.coswid");
    build(&desk, &recipe("sbom = \"bom.coswid\"", IMAGE, ""));
    assert_eq!(desk.done("inspect r.suit --json").matches("openssl@3.0.9").count(), 1);
    assert_eq!(desk.read("r.suit").len(), release.len());
    desk.write("bad.json", "{}").write("x.toml", recipe("sbom = \"bad.json\"", IMAGE, ""));
    desk.failed("suit build x.toml --key author.key -o r.suit", "this is no SBOM");
}
