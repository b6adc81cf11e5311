//! The shapes of writers whose files nobody published with their keys.

use sextant_suit::legacy::{LegacyEnvelope, LegacyKey, LegacyKeys, LegacyOperation, Numbering, PayloadCheck};
use sextant_suit::{Condition, Held, Refusal, Section, Severable};

use crate::writer::{
    IMAGE, Manifest, OLD_SHA256, SHA256, Seal, Shape, check, common, compatibility, fetch, keys, plain,
    sequence, set, start, try_each, wrapped,
};

/// What RIOT's tool writes for one slot: its offset is checked before its image is fetched.
fn riot_manifest() -> Vec<u8> {
    let mut shared = compatibility(OLD_SHA256);
    shared.extend([
        set(20, 5, |w| {
            w.uint(4096);
        }),
        plain(5, 5),
    ]);
    Manifest::new(sequence(&shared))
        .wrap(9, &fetch("coap://[2001:db8::1]/fw/lamp/app.slot0.bin"))
        .wrap(10, &check())
        .build()
}

#[test]
fn reads_and_verifies_what_riot_writes() {
    for seal in [Seal::Attached, Seal::AttachedSign] {
        for digest_first in [false, true] {
            for tag in [None, Some(48)] {
                let shape = Shape { seal, digest_first, tag, ..Shape::riot() };
                let bytes = shape.envelope(&riot_manifest());
                let envelope = LegacyEnvelope::decode(&bytes, None).expect("an envelope");
                assert_eq!(envelope.numbering(), Numbering::Draft09);
                let verified = envelope.verify(&keys(&[shape.key().public_key()])).expect("signed");
                let manifest = verified.manifest();
                assert_eq!(manifest.components()[0].to_string(), "fw");
                let sections: Vec<Section> = manifest.sections().map(|(section, _)| section).collect();
                assert_eq!(sections, [Section::Install, Section::Validate]);
                let shared = manifest.shared().expect("a common sequence");
                let last = shared.commands().last().expect("five commands");
                assert!(matches!(last.operation, LegacyOperation::ComponentOffset(_)));
            }
        }
    }
}

#[test]
fn reads_lists_of_components_that_are_wrapped_as_until_draft_08() {
    let plain_common = common(&[b"fw"], &sequence(&compatibility(OLD_SHA256)));
    let mut map = cbor::MapBuilder::new();
    map.int(2, |w| {
        w.wrap(|w| {
            w.array(1).array(1).bytes(b"fw");
        });
    });
    map.int(4, |w| {
        w.bytes(&sequence(&compatibility(OLD_SHA256)));
    });
    let read = |common: &[u8]| {
        let bytes = Shape::riot().envelope(&Manifest::with_common(common).wrap(10, &check()).build());
        let envelope = LegacyEnvelope::decode(&bytes, None).expect("an envelope");
        envelope.manifest_unverified().expect("a manifest").components().to_vec()
    };
    assert_eq!(read(&map.into_bytes()), read(&plain_common));
}

#[test]
fn reads_and_verifies_what_nordic_writes_with_install_at_either_place() {
    for (install, numbering) in [(17, Numbering::Draft19), (20, Numbering::Current)] {
        let shape = Shape { named_payloads: vec![("#app", IMAGE.to_vec())], ..Shape::nordic() };
        let component_id = cbor::Writer::encode(|w| {
            w.array(2).bytes(b"I").bytes(&[8; 16]);
        });
        let manifest = Manifest::new(sequence(&compatibility(SHA256)))
            .raw(5, component_id)
            .wrap(7, &check())
            .wrap(9, &start())
            .wrap(15, &fetch("#dependency"))
            .wrap(18, &check())
            .wrap(install, &fetch("#app"));
        let bytes = shape.envelope(&manifest.build());
        let envelope = LegacyEnvelope::decode(&bytes, None).expect("an envelope");
        assert_eq!(envelope.numbering(), numbering);
        let verified = envelope.verify(&keys(&[shape.key().public_key()])).expect("signed");
        assert_eq!(
            verified.manifest().component_id().map(ToString::to_string),
            Some("I/0x08080808080808080808080808080808".into())
        );
        let install = verified.manifest().section(Section::Install).and_then(Held::value).expect("install");
        assert!(matches!(
            install.commands()[2].operation,
            LegacyOperation::Condition(Condition::ImageMatch, _)
        ));
        let checks: Vec<_> = verified.payloads().map(|(_, check)| check).collect();
        assert_eq!(checks, [PayloadCheck::Named]);
    }
}

#[test]
fn a_key_identifier_chooses_the_key_whatever_form_it_has() {
    let shape = Shape::nordic();
    let bytes =
        shape.envelope(&Manifest::new(sequence(&compatibility(SHA256))).wrap(20, &fetch("#app")).build());
    let envelope = LegacyEnvelope::decode(&bytes, None).expect("an envelope");
    let kid = shape.protected_kid.clone().expect("one");
    let named = |kid: &[u8], key: crypto::PublicKey| {
        LegacyKeys::new(vec![LegacyKey { key, kid: kid.to_vec(), name: "Nordic".into() }]).expect("one key")
    };
    let own = shape.key().public_key().clone();
    let other = crate::writer::key(shape.algorithm, 2).public_key().clone();
    assert!(envelope.verify(&named(&kid, own.clone())).is_ok());
    assert_eq!(
        envelope.verify(&named(&kid, other)).expect_err("another key"),
        Refusal::BadSignature { kid: kid.clone() }.into()
    );
    assert_eq!(
        envelope.verify(&named(b"somebody", own)).expect_err("another name"),
        Refusal::UnknownSigner { kid: Some(kid) }.into()
    );
}

#[test]
fn payloads_with_integer_keys_are_checked_by_digest() {
    let manifest =
        Manifest::new(sequence(&compatibility(OLD_SHA256))).wrap(9, &fetch("#42")).wrap(10, &check());
    let found = |payload: &[u8]| {
        let shape = Shape { payloads: vec![(42, payload.to_vec()), (-73, IMAGE.to_vec())], ..Shape::riot() };
        let bytes = shape.envelope(&manifest.build());
        let envelope = LegacyEnvelope::decode(&bytes, None).expect("an envelope");
        let verified = envelope.verify(&keys(&[shape.key().public_key()])).expect("signed");
        verified.payloads().map(|(payload, check)| (payload.uri.clone(), check)).collect::<Vec<_>>()
    };
    let named = |uri: &str| (uri.to_owned(), PayloadCheck::Named);
    assert_eq!(found(IMAGE), [named("#42"), named("#-73")]);
    assert_eq!(found(b"another image"), [("#42".to_owned(), PayloadCheck::Unnamed), named("#-73")]);
}

#[test]
fn severed_members_of_every_numbering_are_checked_by_digest() {
    let rows = [
        (Shape::riot(), 9, 10),
        (Shape::tagged(107), 9, 10),
        (Shape::tagged(107), 17, 7),
        (Shape::nordic(), 20, 7),
    ];
    for (shape, install, validate) in rows {
        let content = fetch("http://example.com/file.bin");
        let manifest = Manifest::new(sequence(&compatibility(shape.hash)))
            .sever(install, shape.hash, &content)
            .wrap(validate, &check())
            .build();
        let public = shape.key().public_key().clone();
        let whole = Shape { severed: vec![(install, content.clone())], ..shape.clone() }.envelope(&manifest);
        let envelope = LegacyEnvelope::decode(&whole, None).expect("an envelope");
        assert_eq!(envelope.severed_members().collect::<Vec<_>>(), [Severable::Install]);
        let verified = envelope.verify(&keys(&[&public])).expect("signed");
        let held = verified.manifest().section(Section::Install).expect("install");
        assert!(matches!(held, Held::Restored(..)), "{install}");

        let without = shape.envelope(&manifest);
        let verified = LegacyEnvelope::decode(&without, None)
            .expect("an envelope")
            .verify(&keys(&[&public]))
            .expect("signed");
        assert!(matches!(verified.manifest().section(Section::Install), Some(Held::Severed(_))), "{install}");

        let mut other = content;
        *other.last_mut().expect("not empty") ^= 1;
        let altered = Shape { severed: vec![(install, other)], ..shape }.envelope(&manifest);
        let refusal = LegacyEnvelope::decode(&altered, None).expect("an envelope").verify(&keys(&[&public]));
        assert_eq!(refusal.expect_err("altered").code(), "digest-mismatch", "{install}");
    }
}

#[test]
fn alternatives_of_slots_are_read_in_every_numbering() {
    let slot = |slot: u64| {
        sequence(&[
            set(20, 5, |w| {
                w.uint(slot);
            }),
            plain(5, 5),
        ])
    };
    let shared = sequence(&[try_each(&[slot(0), slot(1)])]);
    for (shape, validate) in [(Shape::riot(), 10), (Shape::tagged(107), 10), (Shape::tagged(107), 7)] {
        let manifest = Manifest::with_common(&common(&[b"fw"], &shared)).wrap(validate, &check()).build();
        let bytes = shape.envelope(&manifest);
        let envelope = LegacyEnvelope::decode(&bytes, None).expect("an envelope");
        let manifest = envelope.manifest_unverified().expect("a manifest");
        let shared = manifest.shared().expect("a sequence");
        let LegacyOperation::TryEach { alternatives, or_nothing: false } = &shared.commands()[0].operation
        else {
            panic!("{shared:?}");
        };
        assert_eq!(alternatives.len(), 2);
        // Up to draft 12 the number was a place in memory, since 13 it is one of a slot.
        let offset = matches!(alternatives[1].commands()[1].operation, LegacyOperation::ComponentOffset(_));
        assert_eq!(offset, envelope.numbering() == Numbering::Draft09);
    }
}

#[test]
fn a_manifest_may_keep_its_tag_inside_the_envelope() {
    let manifest = Manifest::new(sequence(&compatibility(OLD_SHA256))).wrap(10, &check()).build();
    let tagged = [&[0xd9, 0x01, 0xe0][..], &manifest].concat();
    let bytes = Shape::riot().envelope(&tagged);
    let envelope = LegacyEnvelope::decode(&bytes, None).expect("an envelope");
    assert_eq!(envelope.manifest_unverified().expect("a manifest").sequence_number(), 7);
    assert_ne!(wrapped(&tagged), wrapped(&manifest));
}
