//! A release with a dependency over real binaries on loopback: two authors build it, the server publishes it, the device
//! installs, attests and reports it as one, never takes an older dependency, and removes it. Needs the binaries of the
//! workspace beside this test, and no root.

mod loopback;

use std::fs;

use loopback::{Bench, wait_until};
use serde_json::Value;

/// A release about `app` by its author, which brings the radio's manifest.
fn release(bench: &Bench, number: u64, radio: &str) -> String {
    fs::write(bench.path("app"), format!("#!/bin/sh\n# {number}\nexec sleep 600\n")).expect("an image");
    let recipe = format!(
        "[release]\nvendor = \"maker.example\"\nclass = \"camera\"\nversion = \"1.{number}.0\"\nsequence = {number}\n\
         uninstall = true\n\n[[component]]\nid = \"app\"\nimage = \"app\"\ninvoke = true\n\n\
         [[dependency]]\nid = \"radio/manifest\"\nenvelope = \"{radio}\"\n"
    );
    fs::write(bench.path("recipe.toml"), recipe).expect("a recipe");
    let file = format!("release-{number}.suit");
    bench.done(&format!("suit build recipe.toml --key app-author.key -o {file}"));
    file
}

/// The manifest about the radio's firmware, by its own author.
fn radio(bench: &Bench, number: u64) -> String {
    fs::write(bench.path("radio.bin"), format!("firmware {number} of the radio")).expect("an image");
    let recipe = format!(
        "[release]\nvendor = \"maker.example\"\nclass = \"camera\"\nversion = \"0.{number}.0\"\nsequence = {number}\n\
         manifest-component = \"radio/manifest\"\nuninstall = true\n\n\
         [[component]]\nid = \"radio\"\nimage = \"radio.bin\"\n"
    );
    fs::write(bench.path("radio.toml"), recipe).expect("a recipe");
    let file = format!("radio-{number}.suit");
    bench.done(&format!("suit build radio.toml --key radio-author.key -o {file}"));
    file
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_release_with_a_dependency_is_published_installed_attested_reported_and_removed() {
    let bench = Bench::start();
    for name in ["root", "app-author", "radio-author"] {
        bench.done(&format!("key new --alg ES256 -o {name}.key"));
    }
    bench.done("authority new -o list.cbor");
    for (key, role, components) in [
        ("root", "root", ""),
        ("app-author", "author", "--component app --component radio/manifest"),
        ("radio-author", "author", "--component radio"),
    ] {
        bench.done(&format!(
            "authority add list.cbor --key {key}.key --role {role} --name {key} {components}"
        ));
    }
    bench.done("authority publish list.cbor");
    bench.make_device("list.cbor", &["--component", "app", "--component", "radio"]);

    // Devices measure what the dependency installs, so the SBOM of the release lists it.
    let first = release(&bench, 1, &radio(&bench, 5));
    let agent = bench.run_agent();
    bench.roll_out(&first);
    wait_until("the release", || {
        let status = bench.status();
        status["running"]["sequence"] == 1 && status["running"]["trial"] == false
    });
    wait_until("an affirming result", || bench.status()["attestation"]["status"] == "affirming");
    let slot = bench.status()["running"]["slot"].as_str().expect("a slot").to_owned();
    let stored = |name: &str| fs::read(bench.path(&format!("device/slot-{slot}/{name}"))).expect("is stored");
    assert_eq!(stored("component-1"), b"firmware 5 of the radio");
    assert_eq!(stored("dependency-1.suit"), fs::read(bench.path("radio-5.suit")).expect("an envelope"));
    // The server's replay of the signed report takes both manifests.
    let holds = || {
        let facts = json(&bench.done("device show cam --json")).to_string();
        facts.contains("\"holds\"") && !facts.contains("\"contradicts\"") && !facts.contains("\"unchecked\"")
    };
    wait_until("a report that holds", holds);

    // A newer release cannot bring the radio back to an older manifest, however well it is signed.
    drop(agent);
    let back = release(&bench, 2, &radio(&bench, 4));
    let refused = bench.agent(&["install", &back]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("sequence-too-low"), "{told}");

    // One of another author than the radio's is refused by the device; the server does not know its images.
    fs::write(
        bench.path("x.toml"),
        fs::read_to_string(bench.path("radio.toml")).expect("a recipe").replace("= 4", "= 6"),
    )
    .expect("a recipe");
    bench.done("suit build x.toml --key app-author.key -o x.suit");
    let stranger = release(&bench, 3, "x.suit");
    let refused = bench.agent(&["install", &stranger]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("author-not-authorised"), "{told}");

    let manifest = json(&bench.done(&format!("suit inspect {first} --json")));
    let digest = manifest["manifest_digest"].as_str().expect("a digest").trim_start_matches("sha256:");
    let removed = bench.agent(&["uninstall", digest]);
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    for name in ["manifest.suit", "component-0", "component-1", "dependency-1.suit"] {
        assert!(stored(name).is_empty(), "{name} is left");
    }
}

#[test]
fn a_distributor_encrypts_for_a_device_and_can_do_nothing_else() {
    let bench = Bench::start();
    for name in ["root", "maker", "distributor"] {
        bench.done(&format!("key new --alg ES256 -o {name}.key"));
    }
    bench.done("authority new -o list.cbor");
    for (key, role, components) in
        [("root", "root", ""), ("maker", "author", ""), ("distributor", "distributor", "--component app")]
    {
        bench.done(&format!(
            "authority add list.cbor --key {key}.key --role {role} --name {key} {components}"
        ));
    }
    bench.make_device("list.cbor", &["--component", "app"]);
    let image = b"#!/bin/sh\n# in the clear\nexec sleep 600\n";
    fs::write(bench.path("app"), image).expect("an image");
    let recipe = "[release]\nvendor = \"maker.example\"\nclass = \"camera\"\nversion = \"1.0.0\"\nsequence = 1\n\
                  encrypt-later = true\nmanifest-component = \"app/manifest\"\n\n\
                  [[component]]\nid = \"app\"\nimage = \"app\"\nstage = \"app/staged\"\ninvoke = true\n";
    fs::write(bench.path("recipe.toml"), recipe).expect("a recipe");
    bench.done("suit build recipe.toml --key maker.key -o author.suit");
    let encrypt = "suit encrypt author.suit --recipient device/keys/device.cosekey";
    let refused = |file: &str, code: &str| {
        let refused = bench.agent(&["install", file]);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains(code), "{file}: {told}");
    };

    // Another image under the author's name decrypts, and is not the author's.
    fs::write(bench.path("evil"), b"#!/bin/sh\n# in the cleaR\nexec sleep 600\n").expect("an image");
    bench.done(&format!("{encrypt} --image app=evil --key distributor.key -o evil.suit"));
    refused("evil.suit", "digest-mismatch");
    // A release of its own making says what only authors say.
    bench.done("suit build recipe.toml --key distributor.key -o own.suit");
    refused("own.suit", "beyond-distribution");

    bench.done(&format!("{encrypt} --sequence 2 --key distributor.key -o encrypted.suit"));
    bench.done("suit verify encrypted.suit --authorities list.cbor --without-images");
    let sent = fs::read(bench.path("encrypted.suit")).expect("an envelope");
    assert!(!sent.windows(12).any(|part| part == b"in the clear"));
    let done = bench.agent(&["install", "encrypted.suit"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let slots = ["a", "b"].map(|slot| bench.path(&format!("device/slot-{slot}/component-0")));
    let stored = slots.iter().filter_map(|path| fs::read(path).ok()).find(|stored| !stored.is_empty());
    assert_eq!(stored.as_deref(), Some(&image[..]));
    let agent = bench.run_agent();
    wait_until("its program", || {
        bench.status()["running"]["sequence"] == 2 && bench.status()["payload"].is_u64()
    });
    drop(agent);
}
