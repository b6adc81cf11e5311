//! Every file of old drafts and of libcsuit in the index of the vectors, held to what an independent check found.

use std::path::Path;

use crypto::PublicKey;
use serde_json::Value;
use sextant_suit::legacy::{Inexpressible, LegacyEnvelope, Numbering};
use sextant_suit::{Envelope, Held, Refusal, Section, Severable};

use crate::writer::{key, keys};

/// The numbering that the bytes of each file show. The two that say `Current` have no member that ever moved after
/// draft 16: their labels are the same in both numberings.
fn expected_numbering(file: &str) -> Numbering {
    match file {
        "legacy/draft-19/example0.signed.hex" | "legacy/draft-25/example0.signed.hex" => Numbering::Current,
        _ if file.starts_with("legacy/draft-09/") => Numbering::Draft09,
        _ if file.starts_with("legacy/draft-14/") => Numbering::Draft14,
        _ if file.starts_with("legacy/") => Numbering::Draft19,
        _ => Numbering::Current,
    }
}

#[test]
fn every_old_file_is_read_and_verified_as_the_index_says() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let index = std::fs::read_to_string(folder.join("index.json")).expect("index.json");
    let index: Value = serde_json::from_str(&index).expect("index.json is JSON");
    let anchor = trust_anchor(&folder);
    let (mut signed, mut unsigned) = (0, 0);
    for entry in index.as_array().expect("a list") {
        let file = entry["file"].as_str().expect("a file");
        let old = file.starts_with("legacy/") || file.starts_with("libcsuit/");
        if !old || entry["kind"] != "envelope" {
            continue;
        }
        let facts: Vec<&str> =
            entry["checked"].as_array().expect("facts").iter().filter_map(Value::as_str).collect();
        if check(file, &read(&folder.join(file)), &facts, &anchor) { signed += 1 } else { unsigned += 1 }
    }
    eprintln!("old drafts and libcsuit: {signed} signed envelopes verified, {unsigned} unsigned read");
    assert_eq!((signed, unsigned), (27, 9), "the index lists other envelopes than it did");
}

/// Holds one envelope to the facts of the index, and says whether it is signed.
fn check(file: &str, bytes: &[u8], facts: &[&str], anchor: &PublicKey) -> bool {
    let envelope = LegacyEnvelope::decode(bytes, None).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(envelope.numbering(), expected_numbering(file), "{file}");
    assert!(
        envelope.is_whole() && facts.iter().any(|fact| fact.ends_with("over-wrapped=True over-raw=False"))
    );
    let manifest = envelope.manifest_unverified().unwrap_or_else(|error| panic!("{file}: {error}"));
    let keys_fact = facts.iter().find(|fact| fact.starts_with("manifest keys")).expect("a fact about keys");
    assert!(keys_fact.ends_with(&format!("seq {}", manifest.sequence_number())), "{file}");
    let keys_listed = keys_fact.matches(',').count() + 1;
    let optional = usize::from(manifest.reference_uri().is_some())
        + usize::from(manifest.component_id().is_some())
        + usize::from(manifest.set_version().is_some())
        + usize::from(manifest.coswid().is_some())
        + usize::from(manifest.text().is_some());
    assert_eq!(3 + optional + manifest.sections().count(), keys_listed, "{file}: a member was passed over");
    for fact in facts.iter().filter(|fact| fact.starts_with("severed ")) {
        let (label, state) = fact["severed ".len()..].split_once(": ").expect("label and state");
        let here = match label {
            "9" | "17" | "20" => manifest.section(Section::Install).map(Held::value).map(|it| it.is_some()),
            "13" | "23" => manifest.text().map(|held| held.value().is_some()),
            "14" => manifest.coswid().map(|held| held.value().is_some()),
            other => panic!("{file}: severed {other}"),
        };
        assert_eq!(here, Some(state.contains("wrapped=True")), "{file}: {fact}");
    }
    text_is_read(file, &envelope);
    means_something_today(file, &envelope);
    refuses_what_is_not_today(file, bytes, envelope.numbering());
    let stranger = key(crypto::SignatureAlgorithm::Es256, 9);
    if !facts.iter().any(|fact| fact.contains("VERIFIED[trust_anchor_p256;payload=digest-content]")) {
        let refusal = envelope.verify(&keys(&[anchor])).expect_err(file);
        assert_eq!(refusal, Refusal::Unsigned.into(), "{file}");
        return false;
    }
    let verified = envelope.verify(&keys(&[anchor])).unwrap_or_else(|refusal| panic!("{file}: {refusal}"));
    assert_eq!(verified.signers(), ["key 0"], "{file}");
    assert_eq!(verified.manifest(), &manifest, "{file}");
    let refused = |list: &[&PublicKey]| envelope.verify(&keys(list)).expect_err(file).code();
    assert_eq!(refused(&[stranger.public_key()]), "unknown-signer", "{file}");
    assert_eq!(refused(&[anchor, stranger.public_key()]), "author-signature-missing", "{file}");
    every_signed_byte_counts(file, bytes, anchor);
    true
}

/// All published manifests can be said today, but for the one that tells slots apart by their place in memory.
fn means_something_today(file: &str, envelope: &LegacyEnvelope<'_>) {
    let conversion = envelope.convert_unverified().expect(file);
    let lost: Vec<Inexpressible> = conversion.without_equivalent().iter().map(|one| one.what).collect();
    let Some(converted) = conversion.envelope() else {
        assert!(file.starts_with("legacy/draft-09/example3."), "{file}: {lost:?}");
        return assert_eq!(lost, [Inexpressible::ComponentOffset; 8], "{file}");
    };
    assert!(lost.iter().all(|what| matches!(what, Inexpressible::Absent(_))), "{file}: {lost:?}");
    let today = Envelope::decode(converted).and_then(|envelope| envelope.manifest_unverified());
    let (today, old) = (today.expect(file), envelope.manifest_unverified().expect(file));
    assert_eq!(today.sequence_number(), old.sequence_number(), "{file}");
    assert_eq!(today.common().components(), old.components(), "{file}");
    let absent = lost.iter().filter(|what| **what == Inexpressible::Absent(Severable::Install)).count();
    assert_eq!(today.sections().count() + absent, old.sections().count(), "{file}");
}

fn text_is_read(file: &str, envelope: &LegacyEnvelope<'_>) {
    let manifest = envelope.manifest_unverified().expect(file);
    let text = manifest.text_decoded().unwrap_or_else(|error| panic!("{file}: {error}"));
    if envelope.severed_members().any(|member| member == Severable::Text) {
        let text = text.expect("the envelope carries it");
        let language = text.languages().first().expect("one language");
        let tag = if envelope.numbering() < Numbering::Draft19 { "und" } else { "en-US" };
        assert_eq!(language.language(), tag, "{file}");
        assert_eq!(language.component_element(&manifest.components()[0], 3), Some("arm.com"), "{file}");
    }
}

/// Today's reader takes nothing of another numbering: it says that the draft is old.
fn refuses_what_is_not_today(file: &str, bytes: &[u8], numbering: Numbering) {
    let today = Envelope::decode(bytes).and_then(|envelope| envelope.manifest_unverified());
    match numbering {
        Numbering::Current => assert!(today.is_ok(), "{file}"),
        _ => assert_eq!(today.expect_err(file).code(), "legacy-draft", "{file}"),
    }
}

/// Whichever byte changes, either the envelope is refused or nothing that is believed changed.
fn every_signed_byte_counts(file: &str, bytes: &[u8], anchor: &PublicKey) {
    let good = LegacyEnvelope::decode(bytes, None).expect(file).verify(&keys(&[anchor])).expect(file);
    let mut harmless = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let Ok(envelope) = LegacyEnvelope::decode(&changed, None) else { continue };
        if let Ok(verified) = envelope.verify(&keys(&[anchor])) {
            assert_eq!(verified.manifest(), good.manifest(), "{file}: byte {at}");
            harmless += 1;
        }
    }
    // Nothing that no signature covers is in these files, other than the tag that may be absent.
    assert_eq!(harmless, 0, "{file}");
}

fn trust_anchor(folder: &Path) -> PublicKey {
    let bytes = read(&folder.join("keys/trust_anchor_esp256_cose_key_public.cosekey.hex"));
    cose::Key::decode(&bytes).expect("the anchor").public().clone()
}

fn read(path: &Path) -> Vec<u8> {
    if path.extension().is_some_and(|extension| extension == "hex") {
        testkit::read_hex(path)
    } else {
        std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}
