//! Encrypted releases: made here, and decrypted by a device in memory with the processor that devices have.

mod common;

use common::{Desk, author_desk};

const HEAD: &str = "[release]\nvendor = \"northlight.example\"\nclass = \"welcome-cam\"\nversion = \"1.4.0\"\nsequence = 7\n";
const IMAGE: &[u8] = b"an image of the welcome cam";

/// Keys of a device, of another one, and of two groups.
fn desk() -> Desk {
    let desk = author_desk();
    desk.done("key new --alg ECDH-ES+A128KW --kid one -o one.key --public one.pub");
    desk.done("key new --alg ECDH-ES+A128KW --kid two -o two.key --public two.pub");
    desk.done("key new --alg A128KW --kid fleet -o fleet.key");
    desk.done("key new --alg A256KW --kid vault -o vault.key");
    desk
}

fn recipe(component: &str, tables: &str) -> String {
    format!("{HEAD}[[component]]\nid = \"app\"\nimage = \"app.bin\"\ninvoke = true\n{component}\n{tables}")
}

fn encryption(algorithm: &str, recipients: &str) -> String {
    format!("[encryption]\nalgorithm = \"{algorithm}\"\nrecipients = [{recipients}]\n")
}

/// Whether the image stands anywhere in a file.
fn in_the_clear(bytes: &[u8]) -> bool {
    bytes.windows(IMAGE.len()).any(|window| window == IMAGE)
}

#[test]
fn every_recipient_decrypts_and_nobody_else() {
    let desk = desk();
    for algorithm in ["A128GCM", "ChaCha20/Poly1305", "A128CTR", "A256GCM"] {
        for place in ["stage = \"download\"", "write = true"] {
            let tables = encryption(algorithm, "\"one.pub\", \"fleet.key\"");
            desk.write("x.toml", recipe(place, &tables));
            let run = desk.run("suit build x.toml --key author.key -o r.suit");
            assert_eq!(run.status, 0, "{}", run.stderr);
            assert!(run.stderr.contains("fleet.key: every device"), "{}", run.stderr);
            assert!(!in_the_clear(&desk.read("r.suit")));
            for key in ["one.key", "fleet.key"] {
                let told =
                    desk.done(&format!("suit simulate r.suit --key author.key.pub --decrypt-key {key}"));
                assert!(told.contains("wrote 27 bytes to app"), "{told}");
            }
            let simulate = "suit simulate r.suit --key author.key.pub";
            desk.refused(&format!("{simulate} --decrypt-key two.key"), "decryption-failed");
            desk.refused(simulate, "unsupported-parameter");
        }
    }
}

#[test]
fn what_is_served_elsewhere_is_the_ciphertext() {
    let desk = desk();
    let place = "stage = \"download\"\nuri = \"https://dl.northlight.example/app.enc\"";
    desk.write("x.toml", recipe(place, &encryption("A128GCM", "\"one.pub\"")));
    desk.failed("suit build x.toml --key author.key -o r.suit", "goes nowhere");
    desk.write(
        "x.toml",
        recipe(&format!("{place}\nciphertext = \"app.enc\""), &encryption("A128GCM", "\"one.pub\"")),
    );
    desk.done("suit build x.toml --key author.key -o r.suit");
    assert!(!in_the_clear(&desk.read("r.suit")) && !in_the_clear(&desk.read("app.enc")));
    assert_eq!(desk.read("app.enc").len(), IMAGE.len() + 16);
    let simulate = "suit simulate r.suit --key author.key.pub --decrypt-key one.key --serve https://dl.northlight.example/app.enc=app.enc";
    desk.done(simulate);
    // A changed ciphertext is found before anything is decrypted.
    let mut bytes = desk.read("app.enc");
    bytes[3] ^= 1;
    desk.write("app.enc", bytes);
    let run = desk.run(simulate);
    assert!(run.status == 1 && !run.stdout.contains("to app:"), "{}", run.stdout);
    desk.failed("suit build plain.toml --key one.key -o x.suit", "not a key");
    desk.write("x.toml", recipe("stage = \"s\"", &encryption("ROT13", "\"one.pub\"")));
    desk.failed("suit build x.toml -o x.suit", "expected one of A128GCM");
    desk.write("x.toml", recipe("stage = \"s\"", &encryption("A128GCM", "\"author.key.pub\"")));
    desk.failed("suit build x.toml -o x.suit", "not a key to encrypt for");
}

#[test]
fn a_distributor_encrypts_and_changes_nothing_of_the_authors() {
    let desk = desk();
    let text =
        recipe("stage = \"download\"", "").replace("sequence = 7", "sequence = 7\nencrypt-later = true");
    desk.write("x.toml", &text);
    desk.done("suit build x.toml --key author.key -o author.suit");
    desk.done("authority new -o list");
    desk.done("authority add list --key author.key.pub --role author --name Northlight");
    desk.done("authority add list --key operator.key.pub --role distributor --name Distributor");
    let simulate = "suit simulate r.suit --authorities list";
    for (more, serve) in [
        ("", ""),
        ("--uri app=https://cdn.example/1 --ciphertext app=app.enc", "--serve https://cdn.example/1=app.enc"),
    ] {
        desk.done(&format!(
            "suit encrypt author.suit --recipient one.pub {more} --key operator.key -o r.suit"
        ));
        assert!(!in_the_clear(&desk.read("r.suit")));
        let told = desk.done(&format!("{simulate} --decrypt-key one.key {serve}"));
        assert!(told.contains("wrote 27 bytes to app") && told.contains("started app"), "{told}");
        desk.refused(&format!("{simulate} --decrypt-key two.key {serve}"), "decryption-failed");
        // The author's manifest is in it as it was.
        let (inner, outer) = (desk.read("author.suit"), desk.read("r.suit"));
        let inner = suit::Envelope::decode(&inner).expect("an envelope");
        let outer = suit::Envelope::decode(&outer).expect("an envelope");
        let carried =
            suit::Envelope::decode(outer.integrated("#author").expect("the author's")).expect("an envelope");
        assert_eq!(carried.manifest_digest_claimed(), inner.manifest_digest_claimed());
        assert_eq!(carried.signatures(), inner.signatures());
    }
    // Whoever has the right to distribute still cannot put another image under the author's name.
    desk.write("evil.bin", b"another image, just as long");
    desk.done(
        "suit encrypt author.suit --recipient one.pub --image app=evil.bin --key operator.key -o r.suit",
    );
    let run = desk.run(&format!("{simulate} --decrypt-key one.key"));
    assert!(run.status == 1 && !run.stdout.contains("started"), "{}", run.stdout);
    desk.done("suit build plain.toml --key author.key -o plain.suit");
    // Nor any other manifest under its own.
    desk.done("suit build plain.toml --key operator.key -o own.suit");
    desk.refused("suit verify own.suit --authorities list", "beyond-distribution");
    desk.failed("suit encrypt plain.suit --recipient one.pub -o r.suit", "no image that can be encrypted");
    desk.failed(
        "suit encrypt author.suit --recipient one.pub --uri app=https://x.example/ -o r.suit",
        "goes nowhere",
    );
}

#[test]
fn all_profiles_are_authored_and_installed() {
    let desk = desk();
    desk.done("key new --alg HSS-LMS --levels h5w8 -o hss.key --public hss.pub");
    desk.done("key new --alg Ed25519 -o ed.key --public ed.pub");
    desk.done("key new --alg HMAC-256 --kid fleet -o mac.key");
    let es = ("author.key", "author.key.pub");
    for (profile, (key, public), recipient, cipher, own) in [
        ("suit-sha256-hmac-a128kw-a128ctr", ("mac.key", "mac.key"), "fleet.key", "A128CTR", "fleet.key"),
        ("suit-sha256-esp256-ecdh-a128ctr", es, "one.pub", "A128CTR", "one.key"),
        ("suit-sha256-ed25519-ecdh-a128ctr", ("ed.key", "ed.pub"), "one.pub", "A128CTR", "one.key"),
        ("suit-sha256-esp256-ecdh-a128gcm", es, "one.pub", "A128GCM", "one.key"),
        (
            "suit-sha256-ed25519-ecdh-chacha-poly",
            ("ed.key", "ed.pub"),
            "one.pub",
            "ChaCha20/Poly1305",
            "one.key",
        ),
        ("suit-sha256-hsslms-a256kw-a256ctr", ("hss.key", "hss.pub"), "vault.key", "A256CTR", "vault.key"),
    ] {
        desk.write(
            "x.toml",
            recipe("stage = \"download\"", &encryption(cipher, &format!("\"{recipient}\""))),
        );
        desk.done(&format!("suit build x.toml --profile {profile} --key {key} -o r.suit"));
        desk.done(&format!("suit simulate r.suit --key {public} --decrypt-key {own}"));
        // Another key or cipher is not of the profile.
        desk.failed(
            &format!("suit build x.toml --profile {profile} --key other384.key -o x.suit"),
            "cannot read",
        );
        let wrong = if key == "ed.key" { "author.key" } else { "ed.key" };
        desk.failed(
            &format!("suit build x.toml --profile {profile} --key {wrong} -o x.suit"),
            "not of profile",
        );
        desk.write(
            "x.toml",
            recipe("stage = \"download\"", &encryption("A192GCM", &format!("\"{recipient}\""))),
        );
        desk.failed(
            &format!("suit build x.toml --profile {profile} --key {key} -o x.suit"),
            "not of profile",
        );
    }
    desk.failed("suit build plain.toml --profile suit-md5 -o x.suit", "expected one of suit-sha256");
}
