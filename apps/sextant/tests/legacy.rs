//! Envelopes of older drafts: refused with a word of advice, and read where somebody asks for it.

mod common;

use common::Desk;

/// A desk with the published examples and the key that signed them; nothing without the vectors.
fn desk() -> Option<Desk> {
    let folder = testkit::vectors("suit")?;
    let desk = Desk::new();
    let files = [
        ("09.hex", "legacy/draft-09/example5.signed.hex"),
        ("09-0.hex", "legacy/draft-09/example0.signed.hex"),
        ("09-offset.hex", "legacy/draft-09/example3.signed.hex"),
        ("14.hex", "legacy/draft-14/example2.signed-with-severed.hex"),
        ("19.hex", "legacy/draft-19/example4.signed.hex"),
        ("25.hex", "legacy/draft-25/example1.signed.hex"),
    ];
    for (name, file) in files {
        let bytes = testkit::read_hex(&folder.join(file));
        desk.write(&name.replace(".hex", ".suit"), &bytes);
        desk.write(name, std::fs::read(folder.join(file)).expect(file));
    }
    let key = testkit::read_hex(&folder.join("keys/trust_anchor_esp256_cose_key_public.cosekey.hex"));
    desk.write("anchor.pub", key);
    desk.write("libcsuit.suit", std::fs::read(folder.join("libcsuit/exp2B.suit")).expect("libcsuit"));
    desk.key("author.key", 1);
    Some(desk)
}

#[test]
fn says_of_an_old_file_which_draft_it_looks_like_and_what_reads_it() {
    let Some(desk) = desk() else { return };
    for (name, drafts) in [("09", "up to 13"), ("14", "14 to 16"), ("19", "17 to 26"), ("25", "17 to 26")] {
        for line in [
            format!("inspect {name}.suit"),
            format!("inspect {name}.hex"),
            format!("suit inspect {name}.suit"),
            format!("suit verify {name}.suit --key anchor.pub"),
            format!("suit lint {name}.suit"),
            format!("suit diff {name}.suit {name}.suit"),
            format!("suit simulate {name}.suit --key anchor.pub"),
            format!("suit sign {name}.suit --key author.key"),
        ] {
            let run = desk.run(&line);
            assert_eq!(run.status, 2, "{line}\n{}", run.stdout);
            let told = run.stderr.contains(&format!("drafts {drafts} [legacy-draft]"))
                && run.stderr.contains("`--legacy` reads it");
            assert!(told, "{line}\n{}", run.stderr);
        }
    }
}

#[test]
fn shows_an_old_file_in_the_words_of_today() {
    let Some(desk) = desk() else { return };
    for verb in ["inspect", "suit inspect"] {
        let told = desk.done(&format!("{verb} --legacy 14.suit"));
        for words in
            ["drafts 14 to 16", "digest matches: yes", "install", "uri: http://example.com/very/long"]
        {
            assert!(told.contains(words), "{words}\n{told}");
        }
        assert_eq!(desk.done(&format!("{verb} --legacy 14.hex")), told);
        assert_eq!(desk.done(&format!("{verb} --legacy=14 14.suit")), told);
    }
    let told = desk.done("inspect --legacy 09-offset.suit");
    assert!(
        told.contains("component-offset: 541696") && told.contains("condition component-offset"),
        "{told}"
    );
    desk.failed("inspect --legacy=19 14.suit", "mixed-numbering");
    desk.failed("inspect --legacy=15 14.suit", "expected one of 09, 14, 19, current");
}

#[test]
fn believes_an_old_file_only_with_keys_named_for_it() {
    let Some(desk) = desk() else { return };
    for name in ["09", "14", "19", "25", "libcsuit"] {
        let told = desk.done(&format!("suit verify --legacy {name}.suit --legacy-key anchor.pub"));
        assert!(told.contains("signed and whole"), "{told}");
        desk.refused(
            &format!("suit verify --legacy {name}.suit --legacy-key author.key.pub"),
            "unknown-signer",
        );
        let both =
            format!("suit verify --legacy {name}.suit --legacy-key anchor.pub --legacy-key author.key.pub");
        desk.refused(&both, "author-signature-missing");
        desk.failed(
            &format!("suit verify --legacy {name}.suit --key anchor.pub"),
            "no key is named for older drafts",
        );
    }
    for line in [
        "suit verify 09.suit --legacy-key anchor.pub",
        "suit verify --legacy 09.suit",
        "suit verify --legacy 09.suit --legacy-key anchor.pub --key anchor.pub",
    ] {
        assert_eq!(desk.run(line).status, 2, "`{line}`");
    }
    let mut bytes = desk.read("25.suit");
    let at = bytes.windows(4).position(|window| window == b"file").expect("a URI");
    bytes[at] ^= 1;
    desk.write("altered.suit", bytes);
    desk.refused("suit verify --legacy altered.suit --legacy-key anchor.pub", "digest-mismatch");
}

#[test]
fn lints_and_compares_old_files_in_the_terms_of_today() {
    let Some(desk) = desk() else { return };
    let run = desk.run("suit lint --legacy 25.suit");
    assert_eq!(run.status, 1, "{}", run.stderr);
    for code in ["legacy-draft", "no-sbom", "no-mud"] {
        assert!(run.stdout.contains(code), "{}", run.stdout);
    }
    assert!(
        !run.stdout.contains("unsigned-manifest") && !run.stdout.contains("no-vendor-check"),
        "{}",
        run.stdout
    );
    let run = desk.run("suit lint --legacy 09-offset.suit");
    assert!(run.status == 1 && run.stdout.contains("no-equivalent"), "{}", run.stdout);

    let told = desk.done("suit diff --legacy 09-0.suit 25.suit");
    assert!(told.contains("0 → 1"), "{told}");
    let told = desk.done("suit diff --legacy 25.suit 09.suit");
    assert!(told.contains("0x01") && told.contains("new, "), "{told}");
    desk.failed("suit diff --legacy 25.suit 09-offset.suit", "component offset, at byte");
}

#[test]
fn simulates_an_old_file_in_the_terms_of_today() {
    let Some(desk) = desk() else { return };
    // The images of the examples were never published: a device comes as far as asking for them.
    for (name, uri) in [("09", "file1.bin"), ("19", "file.bin"), ("25", "file.bin")] {
        let run = desk.run(&format!("suit simulate --legacy {name}.suit --legacy-key anchor.pub"));
        let told = run.stdout.contains("[not-found]")
            && run.stdout.contains(&format!("fetched http://example.com/{uri}"));
        assert!(run.status == 1 && told, "{name}: {}{}", run.stdout, run.stderr);
        desk.refused(
            &format!("suit simulate --legacy {name}.suit --legacy-key author.key.pub"),
            "unknown-signer",
        );
    }
    desk.write("file.bin", b"other bytes than the manifest names");
    let served = "--serve http://example.com/file.bin=file.bin";
    desk.refused(&format!("suit simulate --legacy 25.suit --legacy-key anchor.pub {served}"), "payload-size");
    desk.failed(
        "suit simulate --legacy 09-offset.suit --legacy-key anchor.pub",
        "cannot be put into the terms of today: component offset",
    );
    for line in ["suit simulate 25.suit --legacy-key anchor.pub", "suit simulate --legacy 25.suit"] {
        assert_eq!(desk.run(line).status, 2, "`{line}`");
    }
    desk.failed("suit simulate --legacy 25.suit --key anchor.pub", "no key is named for older drafts");
}
