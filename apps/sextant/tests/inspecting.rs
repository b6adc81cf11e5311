//! What releases look like from outside: byte by byte, with what they carry, and from one to the next.

mod common;

use common::author_desk;

#[test]
fn every_byte_of_a_release_has_its_place_and_name() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    let told = desk.done("suit inspect r.suit --bytes");
    let bytes = desk.read("r.suit");
    for words in [
        "authentication wrapper (2)",
        "manifest (3)",
        "shared sequence (4)",
        "override-parameters (20)",
        "image digest (3)",
        "condition",
        "install (20): 3 commands",
        "payload #app",
    ] {
        let found = told.contains(words) || words == "condition" && told.contains("vendor-identifier (1)");
        assert!(found, "no `{words}` in\n{told}");
    }
    // Offsets never go back, and what is shown at one is what is there.
    let mut last = 0;
    for line in told.lines() {
        let mut words = line.split_whitespace();
        let at: usize = words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        let shown = words.next().expect("bytes").trim_end_matches("..");
        assert!(at >= last && at < bytes.len(), "{line}");
        let expected: String =
            bytes[at..at + shown.len() / 2].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(shown, expected, "{line}");
        last = at;
    }
    desk.write("cut.suit", &bytes[..bytes.len() - 1]);
    desk.failed("suit inspect cut.suit --bytes", "not a SUIT envelope");
}

#[test]
fn dependencies_and_recipients_are_shown() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o radio.suit");
    desk.done("key new --alg ECDH-ES+A128KW --kid one -o one.key --public one.pub");
    let text = common::RECIPE.replace("invoke = true", "stage = \"download\"");
    let tables = "[[dependency]]\nid = \"d\"\nenvelope = \"radio.suit\"\nprefix = \"radio\"\n[encryption]\nrecipients = [\"one.pub\"]\n";
    desk.write("x.toml", format!("{text}{tables}"));
    desk.done("suit build x.toml --key author.key -o r.suit");
    let told = desk.done("suit inspect r.suit");
    for words in [
        "prefix: radio",
        "component: d",
        "dependency:",
        "algorithm: A128GCM",
        "algorithm: ECDH-ES+A128KW",
        "kid: 6f6e65",
    ] {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }
    assert_eq!(told.matches("manifest digest:").count(), 2, "{told}");
    let told = desk.done("suit inspect r.suit --bytes");
    assert!(
        told.contains("encryption info (19)")
            && told.matches("authentication wrapper (2): array").count() == 2,
        "{told}"
    );
}

#[test]
fn what_changes_is_told_by_image_command_and_authority() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o old.suit");
    desk.write("app.bin", b"another image");
    let text = common::RECIPE
        .replace("sequence = 7", "sequence = 8")
        .replace("invoke = true", "stage = \"download\"");
    let tables = "[conditions]\nbattery = 500\n[[dependency]]\nid = \"d\"\nenvelope = \"old.suit\"\n";
    desk.write("x.toml", format!("{text}{tables}"));
    desk.done("suit build x.toml --key author.key --key operator.key -o new.suit");
    let told = desk.done("suit diff old.suit new.suit");
    for words in [
        "sequence number: 7 → 8",
        "app: sha256:",
        "13 bytes",
        "download: new",
        "d: new",
        "+ condition minimum-battery",
        "+ directive copy",
        "- directive invoke",
    ] {
        assert!(told.contains(words), "no `{words}` in\n{told}");
    }
    let signers = told.split("signers:").nth(1).expect("the signers");
    assert!(signers.contains("new:") && !signers.contains("gone:"), "{told}");
    // Releases without SBOM can be compared as well, and a comparison with itself finds nothing but the number.
    let told = desk.refused("suit diff new.suit new.suit", "sequence-too-low");
    assert!(!told.contains("commands:") && !told.contains("images:") && !told.contains("signers:"), "{told}");
    desk.done("suit sever old.suit --member coswid -o bare.suit");
    let told = desk.done("suit diff bare.suit new.suit");
    assert!(told.contains("without an SBOM"), "{told}");
}
