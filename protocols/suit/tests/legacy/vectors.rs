//! Every file of old drafts and of libcsuit in the index of the vectors, held to what an independent check found.

use std::path::Path;

use crypto::PublicKey;
use sextant_suit::legacy::{Inexpressible, LegacyEnvelope, Numbering};
use sextant_suit::{Envelope, Held, Refusal, Section, Severable};
use testkit::{Authentication, Facts, SuitVector, read_vector};

use crate::writer::{key, keys};

/// The numbering that the facts about a file show: members whose labels moved, and how draft 09 signed and hashed. A
/// file without any such member says the same in all of them, and is read as of today.
fn expected_numbering(facts: &Facts) -> Numbering {
    let has = |labels: &[i64]| facts.members.iter().any(|label| labels.contains(label));
    match () {
        () if facts.attached || facts.digest_algorithm == Some(2) => Numbering::Draft09,
        () if has(&[10, 11, 12, 13]) => Numbering::Draft14,
        () if has(&[17]) => Numbering::Draft19,
        () => Numbering::Current,
    }
}

#[test]
fn every_old_file_is_read_and_verified_as_the_index_says() {
    let Some(folder) = testkit::vectors("suit") else { return };
    let anchor = trust_anchor(&folder);
    let (mut signed, mut unsigned) = (0, 0);
    for vector in testkit::suit_vectors(&folder).0 {
        if !vector.name.starts_with("legacy/") && !vector.name.starts_with("libcsuit/") {
            continue;
        }
        if check(&vector, &anchor) { signed += 1 } else { unsigned += 1 }
    }
    eprintln!("old drafts and libcsuit: {signed} signed envelopes verified, {unsigned} unsigned read");
    assert!(signed > 0 && unsigned > 0, "{signed} signed, {unsigned} unsigned");
}

/// Holds one envelope to the facts of the index, and says whether it is signed.
fn check(SuitVector { name: file, bytes, facts, .. }: &SuitVector, anchor: &PublicKey) -> bool {
    let envelope = LegacyEnvelope::decode(bytes, None).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(envelope.numbering(), expected_numbering(facts), "{file}");
    assert!(envelope.is_whole(), "{file}");
    let manifest = envelope.manifest_unverified().unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(facts.sequence_number, Some(manifest.sequence_number()), "{file}");
    let optional = usize::from(manifest.reference_uri().is_some())
        + usize::from(manifest.component_id().is_some())
        + usize::from(manifest.set_version().is_some())
        + usize::from(manifest.coswid().is_some())
        + usize::from(manifest.text().is_some());
    let members = 3 + optional + manifest.sections().count();
    assert_eq!(members, facts.members.len(), "{file}: a member was passed over");
    for (label, here) in &facts.severed {
        let found = match label {
            9 | 17 | 20 => manifest.section(Section::Install).map(Held::value).map(|it| it.is_some()),
            13 | 23 => manifest.text().map(|held| held.value().is_some()),
            14 => manifest.coswid().map(|held| held.value().is_some()),
            other => panic!("{file}: severed {other}"),
        };
        assert_eq!(found, Some(*here), "{file}: severed {label}");
    }
    text_is_read(file, &envelope);
    means_something_today(file, &envelope);
    refuses_what_is_not_today(file, bytes, envelope.numbering());
    let stranger = key(crypto::SignatureAlgorithm::Es256, 9);
    if facts.authentication != Authentication::Signed {
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
        // Slots as places in memory.
        let offsets = lost.iter().all(|what| *what == Inexpressible::ComponentOffset);
        return assert!(offsets && !lost.is_empty(), "{file}: {lost:?}");
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
    let bytes = read_vector(&folder.join("keys/trust_anchor_esp256_cose_key_public.cosekey.hex"));
    cose::Key::decode(&bytes).expect("the anchor").public().clone()
}
