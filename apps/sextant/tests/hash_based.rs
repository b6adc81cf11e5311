//! Hash-based keys: a one-time key signs once, whatever becomes of the process that took it.

#![allow(clippy::print_stderr, reason = "skips and counts are said aloud")]
mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use common::{Desk, author_desk};

/// How many signers are killed.
const KILLS: usize = 60;

/// A desk with a hash-based key of two levels, which signs 1024 times, and an unsigned release.
fn desk() -> Desk {
    let desk = author_desk();
    desk.done("key new --alg HSS-LMS --levels h5w4,h5w4 -o hss.key --public hss.pub");
    desk.done("suit build plain.toml -o r.suit");
    desk
}

/// The numbers of the one-time keys that signed an envelope, from the signatures alone (RFC 8554, sections 5.4 and 6.2).
fn one_time_keys(path: &Path) -> Vec<u64> {
    let bytes = std::fs::read(path).expect("an envelope");
    let envelope = suit::Envelope::decode(&bytes).expect("an envelope, whole");
    let number = |block: &&[u8]| {
        let message = cose::Sign1::decode(block).expect("a signature");
        let signature = message.signature();
        let word =
            |at: usize| u64::from(u32::from_be_bytes(signature[at..at + 4].try_into().expect("4 bytes")));
        // Two levels: the signature of the lower tree by the upper one, its public key, the signature by the lower one.
        // Each signature is its leaf, the type and 1 + 67 hashes of the one-time key, the type and 5 hashes of the tree.
        let one = 4 + 4 + 32 * 68 + 4 + 32 * 5;
        assert_eq!((word(0), signature.len()), (1, 4 + one + 56 + one), "a signature of two levels");
        word(4) * 32 + word(4 + one + 56)
    };
    envelope.signatures().iter().map(number).collect()
}

#[test]
fn signs_verifies_and_counts() {
    let desk = desk();
    let told = desk.done("key show hss.key");
    assert!(told.contains("signatures left: 1024") && told.contains("levels: h5w4,h5w4"), "{told}");
    assert!(!told.contains("jwk"), "{told}");
    desk.failed("key show hss.key --form jwk", "no form as JWK");
    desk.done("suit sign r.suit --key hss.key --key author.key");
    desk.done("suit verify r.suit --key hss.pub --key author.key.pub");
    let told = desk.done("key show hss.key");
    assert!(told.contains("signatures made: 1\n") && told.contains("signatures left: 1023"), "{told}");
    // The public part is the same in every form there is.
    let thumbprint = desk.done("key thumbprint hss.key");
    for form in ["cose", "pem", "der"] {
        desk.done(&format!("key show hss.key --form {form} -o k.{form}"));
        assert_eq!(desk.done(&format!("key thumbprint k.{form}")), thumbprint, "{form}");
        desk.done(&format!("suit verify r.suit --key k.{form}"));
    }
    desk.done("suit build plain.toml --key hss.key -o s.suit");
    assert_eq!(one_time_keys(&desk.path("s.suit")), [1]);
    desk.failed("cert new-ca --key hss.key --subject CN=X -o x.pem", "sign releases alone");
    desk.failed("key new --alg HSS-LMS -o hss.key", "never overwritten");
    desk.failed("key new --alg HSS-LMS --levels h15w4 -o other", "expected levels");
    desk.failed("key new --alg HSS-LMS -o -", "cannot go to standard output");
}

#[test]
fn no_one_time_key_signs_twice_whenever_a_signer_is_killed() {
    let desk = desk();
    let begun = Instant::now();
    desk.done("suit sign r.suit --key hss.key -o whole.suit");
    let usual = begun.elapsed();
    let inode = || std::fs::metadata(desk.path("hss.key")).expect("the key").ino();
    let (mut outputs, mut killed) = (vec![desk.path("whole.suit")], 0);
    for round in 0..KILLS {
        let output = format!("{round}.suit");
        let before = inode();
        let words = ["suit", "sign", "r.suit", "--key", "hss.key", "-o", &output];
        let mut child = desk.command(words).stderr(Stdio::null()).spawn().expect("a signer");
        if round % 2 == 0 {
            // As soon as the new state stands: between the reservation and the signature.
            while inode() == before && child.try_wait().expect("its status").is_none() {
                std::thread::yield_now();
            }
        } else {
            // Anywhere between the start and the end.
            std::thread::sleep(usual * u32::try_from(round).expect("small") / KILLS as u32);
        }
        let _ = child.kill();
        killed += usize::from(child.wait().expect("it ends").code().is_none());
        outputs.push(desk.path(&output));
    }
    // Whoever comes after them signs as well, and with none of theirs.
    desk.done("suit sign r.suit --key hss.key -o last.suit");
    outputs.push(desk.path("last.suit"));
    let written: Vec<u64> =
        outputs.iter().filter(|path| path.exists()).flat_map(|path| one_time_keys(path)).collect();
    let different: BTreeSet<u64> = written.iter().copied().collect();
    assert_eq!(different.len(), written.len(), "a one-time key signed twice: {written:?}");
    let told = desk.done("key show hss.key --json");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let used = told["signatures_made"].as_u64().expect("a number");
    let lost = used - written.len() as u64;
    eprintln!("{killed} signers killed, {} signatures written, {lost} one-time keys lost", written.len());
    assert!(written.iter().all(|number| *number < used), "the file knows of every one: {used}, {written:?}");
    // Otherwise nothing would have been cut between the reservation and the output.
    assert!(killed > 0 && lost > 0, "{killed} killed, {lost} lost");
}

#[test]
fn signers_at_the_same_time_take_turns() {
    let desk = desk();
    let outputs: Vec<String> = (0..6).map(|number| format!("{number}.suit")).collect();
    let spawn = |output: &String| {
        desk.command(["suit", "sign", "r.suit", "--key", "hss.key", "-o", output]).spawn().expect("a signer")
    };
    let children: Vec<_> = outputs.iter().map(spawn).collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let numbers: BTreeSet<u64> =
        outputs.iter().flat_map(|output| one_time_keys(&desk.path(output))).collect();
    assert_eq!(numbers, (0..6).collect());
}

#[test]
fn an_older_copy_of_the_state_signs_nothing() {
    let desk = desk();
    let old = desk.read("hss.key");
    for _ in 0..2 {
        desk.done("suit sign r.suit --key hss.key -o s.suit");
    }
    let new = desk.read("hss.key");
    desk.write("hss.key", &old);
    let told = desk.failed("suit sign r.suit --key hss.key -o t.suit", "older copy");
    assert!(told.contains("key advance") && !desk.path("t.suit").exists(), "{told}");
    assert_eq!(desk.read("hss.key"), old, "and nothing was taken out of use");
    // Whoever advances it behind what was used may go on.
    desk.failed("key advance hss.key --to 1", "may have been used");
    desk.done("key advance hss.key --to 2");
    desk.done("suit sign r.suit --key hss.key -o t.suit");
    assert_eq!(one_time_keys(&desk.path("t.suit")), [2]);
    // Elsewhere there is no log that could tell.
    desk.write("copy.key", &new);
    desk.failed("suit sign r.suit --key copy.key -o u.suit", "cannot open");
    // A damaged state is none.
    let mut damaged = new;
    damaged[20] ^= 1;
    desk.write("hss.key", damaged);
    desk.failed("suit sign r.suit --key hss.key -o u.suit", "not a key to sign with");
}

#[test]
fn a_link_to_a_key_moves_the_key_on_and_not_the_link() {
    let desk = desk();
    std::fs::create_dir(desk.path("safe")).expect("a folder");
    for name in ["hss.key", "hss.key.log"] {
        std::fs::rename(desk.path(name), desk.path("safe").join(name)).expect("moves");
    }
    std::os::unix::fs::symlink("safe/hss.key", desk.path("link")).expect("a link");
    desk.done("suit sign r.suit --key link -o s.suit");
    desk.done("suit sign r.suit --key safe/hss.key -o t.suit");
    assert_eq!(
        (one_time_keys(&desk.path("s.suit")), one_time_keys(&desk.path("t.suit"))),
        (vec![0], vec![1])
    );
    assert!(std::fs::symlink_metadata(desk.path("link")).expect("the link").is_symlink());
}

#[test]
fn a_key_that_is_used_up_says_so() {
    let desk = desk();
    desk.done("key advance hss.key --to 1023");
    desk.done("suit sign r.suit --key hss.key -o s.suit");
    assert_eq!(one_time_keys(&desk.path("s.suit")), [1023]);
    desk.failed("suit sign r.suit --key hss.key -o t.suit", "every one-time key");
    desk.failed("key advance hss.key --to 1025", "every one-time key");
}
