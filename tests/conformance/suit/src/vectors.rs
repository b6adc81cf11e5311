//! Cases from published vectors and their index.

use std::path::Path;

use testkit::{Class, SuitVector, Verdict, read_vector};

use crate::Device;
use crate::case::{After, Case, Expect, Facts, Reasons};
use crate::survey::Survey;

/// Every envelope of a folder with an `index.json` as in docs/conformance.md.
///
/// # Errors
/// One line for each row whose expectation is not understood.
pub fn vector_cases(folder: &Path) -> Result<Vec<Case>, Vec<String>> {
    let keys = published_keys(folder);
    let (mut cases, mut faults) = (Vec::new(), Vec::new());
    for vector in testkit::suit_vectors(folder).0 {
        match vector.verdict() {
            Ok(verdict) => cases.extend(of_vector(&vector, verdict, &keys)),
            Err(fault) => faults.push(format!("{}: {fault}", vector.name)),
        }
    }
    if faults.is_empty() { Ok(cases) } else { Err(faults) }
}

fn of_vector(vector: &SuitVector, verdict: Verdict, keys: &[Vec<u8>]) -> Vec<Case> {
    let facts = Facts {
        sequence_number: vector.facts.sequence_number,
        members: vector.facts.members.iter().copied().collect(),
    };
    let why = vector.why.clone().unwrap_or_else(|| vector.features.join(", "));
    let case = |suffix: &str, expect| Case {
        name: format!("{}{suffix}", vector.name),
        why: why.clone(),
        envelope: vector.bytes.clone(),
        keys: keys.to_vec(),
        expect,
    };
    let device = Survey::of(&vector.bytes).device();
    let unauthorised = Reasons::from(["unauthorised"]);
    match verdict {
        Verdict::Accept | Verdict::Wait | Verdict::Believe => vec![case("", Expect::Believe(facts))],
        Verdict::AcceptUpTo(most) => {
            let newer = Device { installed: Some(most + 1), ..device };
            let refuse = guessed(newer, unauthorised, true);
            vec![case("", Expect::Believe(facts)), case(", newer installed", refuse)]
        }
        // What is found out while processing may have begun before.
        Verdict::Refuse(Class::Late) => vec![case(
            "",
            Expect::Stop { device, reasons: Reasons::new(), condition: None, after: After::default() },
        )],
        Verdict::Refuse(Class::Reason(reason)) => {
            vec![case("", guessed(device, Reasons::from([reason]), false))]
        }
        Verdict::Refuse(Class::Any | Class::ManifestVersion) => {
            vec![case("", guessed(device, Reasons::new(), false))]
        }
        Verdict::OlderDraft => {
            vec![case("", guessed(device, Reasons::new(), false))]
        }
        // Whoever reads it may; nobody has to.
        Verdict::Unsigned => vec![case("", Expect::Disbelieve(unauthorised))],
        Verdict::Mac => vec![case("", Expect::Read(facts))],
    }
}

/// Refused; what the images of a vector are is not known, so the device has none.
fn guessed(device: Device, reasons: Reasons, late: bool) -> Expect {
    Expect::Refuse { device, reasons, late, guess: true }
}

/// COSE_Keys that verify signatures: those published as COSE_Keys, and a bare Ed25519 key.
fn published_keys(folder: &Path) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> =
        testkit::suit_public_keys(folder).iter().map(|path| read_vector(path)).collect();
    keys.retain(|key| cose::Key::decode(key).is_ok());
    let ed25519 = folder.join("keys/ed25519_test_public.hex");
    if ed25519.is_file() {
        let key = crypto::PublicKey::from_ed25519(&read_vector(&ed25519)).expect("an Ed25519 key");
        keys.push(cose::Key::from_public(&key).encode());
    }
    keys
}
