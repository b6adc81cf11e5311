//! One row for each rule: the smallest envelope that breaks just that rule, with the exact error.

use cbor::{Reason, Writer};
use sextant_suit::legacy::{
    Evidence, LegacyEnvelope, LegacyError, LegacyKey, LegacyKeys, LegacyRefusal, Numbering,
};
use sextant_suit::limits::MAX_CANDIDATE_KEYS;
use sextant_suit::{Error, Feature, Refusal};

use crate::writer::{
    IMAGE, Manifest, OLD_SHA256, SHA256, Seal, Shape, check, compatibility, fetch, key, keys, plain, read,
    sequence, start,
};

fn riot() -> Manifest {
    Manifest::new(sequence(&compatibility(OLD_SHA256)))
}

fn later() -> Manifest {
    Manifest::new(sequence(&compatibility(SHA256)))
}

fn mixed(bytes: &[u8]) -> (Numbering, Evidence) {
    match read(bytes).expect_err("two numberings") {
        error @ LegacyError::Mixed { numbering, evidence, at } => {
            assert_eq!((error.code(), error.at()), ("mixed-numbering", at));
            (numbering, evidence)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn refuses_members_of_two_numberings_in_one_manifest() {
    let old_envelope = Shape { tag: Some(48), ..Shape::riot() };
    let rows = [
        // Validate of drafts up to 16 beside install of 17 and of 28.
        (Shape::tagged(107), later().wrap(10, &check()).wrap(17, &fetch("a")), Numbering::Draft14, 17),
        (Shape::tagged(107), later().wrap(10, &check()).wrap(20, &fetch("a")), Numbering::Draft14, 20),
        (Shape::tagged(107), later().wrap(12, &start()).wrap(16, &fetch("a")), Numbering::Draft14, 16),
        (Shape::tagged(107), later().wrap(13, &check()).wrap(23, &check()), Numbering::Draft14, 23),
        // Install at both places: which of them runs?
        (
            Shape::nordic(),
            later().wrap(7, &check()).wrap(17, &fetch("a")).wrap(20, &fetch("b")),
            Numbering::Current,
            17,
        ),
        // Tag 48, an old hash number or an attached payload with sections of later drafts.
        (old_envelope, riot().wrap(7, &check()).wrap(20, &fetch("a")), Numbering::Draft09, 20),
        (Shape::riot(), riot().wrap(17, &fetch("a")), Numbering::Draft09, 17),
        (
            Shape { seal: Seal::Nobody, digest_first: true, ..Shape::riot() },
            riot().wrap(16, &fetch("a")),
            Numbering::Draft09,
            16,
        ),
        // A digest in place of install as until draft 16, with validate of later ones.
        (Shape::tagged(107), later().sever(9, SHA256, b"x").wrap(24, &check()), Numbering::Draft14, 24),
    ];
    for (shape, manifest, numbering, label) in rows {
        let found = mixed(&shape.envelope(&manifest.build()));
        assert_eq!(found, (numbering, Evidence::ManifestMember(label)));
    }
}

#[test]
fn refuses_tags_and_signatures_of_other_drafts_than_the_rest() {
    let tagged_480 = |manifest: Manifest| [&[0xd9, 0x01, 0xe0][..], &manifest.build()].concat();
    let tagged_1070 = |manifest: Manifest| [&[0xd9, 0x04, 0x2e][..], &manifest.build()].concat();
    let rows = [
        (
            Shape { tag: Some(107), ..Shape::riot() }.envelope(&riot().wrap(10, &check()).build()),
            Evidence::Tag(107),
        ),
        (
            Shape { hash: OLD_SHA256, ..Shape::tagged(107) }.envelope(&later().wrap(7, &check()).build()),
            Evidence::Tag(107),
        ),
        (
            Shape { seal: Seal::Attached, ..Shape::tagged(107) }.envelope(&later().wrap(7, &check()).build()),
            Evidence::Tag(107),
        ),
        (Shape::tagged(107).envelope(&tagged_480(later().wrap(7, &check()))), Evidence::Tag(107)),
        (Shape::riot().envelope(&tagged_1070(riot().wrap(10, &check()))), Evidence::Tag(1070)),
    ];
    for (bytes, evidence) in rows {
        assert_eq!(mixed(&bytes), (Numbering::Draft09, evidence));
    }
}

#[test]
fn refuses_a_numbering_that_is_named_and_contradicted() {
    let old = Shape::riot().envelope(&riot().wrap(10, &check()).build());
    let new = Shape::nordic().envelope(&later().wrap(7, &check()).wrap(20, &fetch("a")).build());
    let rows = [
        (&old, Numbering::Draft14, Evidence::HashAlgorithm(2)),
        (&old, Numbering::Draft19, Evidence::HashAlgorithm(2)),
        (&old, Numbering::Current, Evidence::HashAlgorithm(2)),
        (&new, Numbering::Draft09, Evidence::Tag(107)),
        (&new, Numbering::Draft14, Evidence::ManifestMember(20)),
        (&new, Numbering::Draft19, Evidence::ManifestMember(20)),
    ];
    for (bytes, named, expected) in rows {
        let error = LegacyEnvelope::decode(bytes, Some(named)).expect_err("contradicted");
        assert!(
            matches!(error, LegacyError::Mixed { numbering, evidence, .. } if numbering == named && evidence == expected),
            "{error}"
        );
    }
    let attached = Shape { seal: Seal::Attached, tag: None, ..Shape::nordic() }
        .envelope(&later().wrap(7, &check()).build());
    let error = LegacyEnvelope::decode(&attached, Some(Numbering::Current)).expect_err("attached");
    assert!(matches!(error, LegacyError::Mixed { evidence: Evidence::AttachedPayload, .. }), "{error}");
}

#[test]
fn reads_sections_that_never_tell_as_today_unless_the_draft_is_named() {
    // Install until draft 16, invoke since 17: nothing else in the manifest tells.
    let bytes = Shape::tagged(107).envelope(&later().wrap(9, &start()).build());
    let section = |named| {
        let envelope = LegacyEnvelope::decode(&bytes, named).expect("an envelope");
        let manifest = envelope.manifest_unverified().expect("a manifest");
        manifest.sections().map(|(section, _)| section.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(section(None), ["invoke"]);
    assert_eq!(section(Some(Numbering::Draft14)), ["install"]);
}

#[test]
fn refuses_hash_numbers_of_two_tables() {
    // A digest of a severed member, or of an image, by another table than the manifest's own.
    let severed = Shape::tagged(107).envelope(&later().sever(9, OLD_SHA256, b"x").wrap(10, &check()).build());
    let image = Shape::tagged(107).envelope(&riot().wrap(10, &check()).build());
    for bytes in [severed, image] {
        assert_eq!(mixed(&bytes), (Numbering::Draft14, Evidence::HashAlgorithm(2)));
    }
}

#[test]
fn refuses_commands_and_parameters_that_the_numbering_lacks() {
    let rows = [
        (Shape::riot(), 9, plain(6, 15), Feature::Command(6)),
        (Shape::riot(), 9, plain(7, 15), Feature::Command(7)),
        (Shape::riot(), 9, plain(11, 2), Feature::Command(11)),
        (Shape::riot(), 9, plain(33, 2), Feature::Command(33)),
        (Shape::riot(), 9, plain(34, 2), Feature::Command(34)),
        (Shape::tagged(107), 9, plain(30, 2), Feature::Command(30)),
        (Shape::tagged(107), 17, plain(13, 0), Feature::Command(13)),
        (Shape::tagged(107), 17, plain(35, 0), Feature::Command(35)),
        (Shape::nordic(), 20, plain(13, 0), Feature::Command(13)),
        (Shape::nordic(), 20, plain(36, 0), Feature::Command(36)),
        (
            Shape::tagged(107),
            9,
            crate::writer::set(20, 18, |w| {
                w.bytes(b"x");
            }),
            Feature::Parameter(18),
        ),
        (
            Shape::tagged(107),
            17,
            crate::writer::set(20, 25, |w| {
                w.bytes(b"x");
            }),
            Feature::Parameter(25),
        ),
        (
            Shape::riot(),
            9,
            crate::writer::set(20, 25, |w| {
                w.bytes(b"x");
            }),
            Feature::Parameter(25),
        ),
        (
            Shape::nordic(),
            20,
            crate::writer::set(20, 20, |w| {
                w.bytes(b"x");
            }),
            Feature::Parameter(20),
        ),
    ];
    for (shape, install, command, feature) in rows {
        let validate = if install == 9 { 10 } else { 7 };
        let manifest = Manifest::new(sequence(&compatibility(shape.hash)))
            .wrap(install, &sequence(&[command]))
            .wrap(validate, &check());
        match read(&shape.envelope(&manifest.build())).expect_err("unknown") {
            LegacyError::Format(Error::Unsupported { feature: found, .. }) => assert_eq!(found, feature),
            other => panic!("{feature}: {other}"),
        }
    }
}

#[test]
fn refuses_malformed_envelopes_at_the_place() {
    let rule = |text| Reason::Rule(text);
    let good = Shape::nordic().envelope(&later().wrap(7, &check()).wrap(20, &fetch("a")).build());
    assert_eq!(read(&good), Ok(()));
    let integer_payload = Shape { payloads: vec![(42, IMAGE.to_vec())], ..Shape::nordic() };
    let empty = |shape: Shape, manifest: Manifest| shape.envelope(&manifest.build());
    let undeclared = sequence(&[plain(12, 1)]);
    let rows = [
        (good[..good.len() - 1].to_vec(), Reason::Truncated),
        ([&good[..], &[0]].concat(), Reason::TrailingBytes),
        (
            integer_payload.envelope(&later().wrap(7, &check()).build()),
            rule("payload is keyed by an integer, as in drafts up to 13 alone"),
        ),
        (
            empty(Shape { seal: Seal::Nobody, ..Shape::riot() }, riot()),
            rule("authentication wrapper has no digest"),
        ),
        (
            empty(Shape::nordic(), later().wrap(20, &sequence(&[]))),
            rule("sequence is not one or more pairs of command and argument"),
        ),
        (empty(Shape::nordic(), later().wrap(20, &undeclared)), rule("index is not declared in common")),
        (
            empty(Shape::nordic(), later().wrap(20, &sequence(&[(15, vec![0x81, 0xf6])]))),
            rule("try-each has no alternative"),
        ),
        (
            empty(Shape::riot(), riot().wrap(9, &sequence(&[(12, vec![0xf4])]))),
            rule("index is false, which selects nothing"),
        ),
        (
            empty(Shape::nordic(), later().wrap(20, &sequence(&[(20, vec![0xa0])]))),
            rule("map of parameters is empty"),
        ),
        (empty(Shape::nordic(), Manifest::new(check()).wrap(7, &[0x82, 0x03])), Reason::Truncated),
    ];
    for (bytes, reason) in rows {
        match read(&bytes).expect_err("malformed") {
            LegacyError::Format(Error::Malformed(error)) => assert_eq!(error.reason, reason),
            other => panic!("{reason}: {other}"),
        }
    }
}

#[test]
fn refuses_what_lacks_a_member_or_has_one_that_no_draft_has() {
    let bare = |members: &[i64]| {
        let mut map = cbor::MapBuilder::new();
        let common = crate::writer::common(&[b"fw"], &check());
        for label in members {
            map.int(*label, |w| match label {
                3 => {
                    w.bytes(&common);
                }
                _ => {
                    w.uint(1);
                }
            });
        }
        Shape::tagged(107).envelope(&map.into_bytes())
    };
    for (members, missing) in [(&[2, 3][..], 1), (&[1, 3], 2), (&[1, 2], 3)] {
        match read(&bare(members)).expect_err("missing") {
            LegacyError::Format(Error::Malformed(error)) => {
                assert_eq!(error.reason, Reason::MissingKey(missing))
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(read(&bare(&[1, 2, 3])), Ok(()));
    let unsupported = |bytes: &[u8]| match read(bytes).expect_err("unknown") {
        LegacyError::Format(Error::Unsupported { feature, .. }) => feature,
        other => panic!("{other}"),
    };
    assert_eq!(unsupported(&bare(&[1, 2, 3, 99])), Feature::ManifestMember(99));
    let stray = Shape { severed: vec![(22, check())], ..Shape::nordic() };
    assert_eq!(unsupported(&stray.envelope(&later().wrap(7, &check()).build())), Feature::EnvelopeMember(22));
    let version = Manifest::with_common(&crate::writer::common(&[b"fw"], &check())).build();
    let version: Vec<u8> = [&version[..2], &[2], &version[3..]].concat();
    assert_eq!(unsupported(&Shape::tagged(107).envelope(&version)), Feature::ManifestVersion(2));
}

#[test]
fn refuses_a_manifest_before_its_authentication() {
    let manifest = later().build();
    let bytes = Writer::encode(|w| {
        w.tag(107).map(2).int(3).bytes(&manifest).int(2).bytes(&[0x80]);
    });
    match read(&bytes).expect_err("out of order") {
        LegacyError::Format(Error::Malformed(error)) => {
            assert_eq!(error.reason, Reason::Rule("manifest stands before its authentication"));
        }
        other => panic!("{other}"),
    }
}

/// The position of a part in a whole.
fn position(whole: &[u8], part: &[u8]) -> usize {
    whole.windows(part.len()).position(|window| window == part).expect("it is in there")
}

#[test]
fn believes_only_what_every_named_key_signed() {
    let shape = Shape { digest_first: true, ..Shape::riot() };
    let manifest = riot().wrap(9, &fetch("#42")).wrap(10, &check()).build();
    let good = shape.envelope(&manifest);
    let own = shape.key().public_key().clone();
    let verify = |bytes: &[u8]| {
        let envelope = LegacyEnvelope::decode(bytes, None).expect("an envelope");
        envelope.verify(&keys(&[&own])).map(|verified| verified.signers().to_vec())
    };
    assert_eq!(verify(&good), Ok(vec!["key 0".to_owned()]));

    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    // The digest that stands first differs from the one that is signed, or the other way round.
    let digest = &crypto::Digest::of(crypto::HashAlgorithm::Sha256, &crate::writer::wrapped(&manifest));
    let first = position(&good, digest.as_bytes());
    let second = first + 1 + position(&good[first + 1..], digest.as_bytes());
    assert_eq!(verify(&flipped(first)), Err(LegacyRefusal::PayloadMismatch));
    assert_eq!(verify(&flipped(second)), Err(LegacyRefusal::PayloadMismatch));
    // The manifest differs.
    let uri = position(&good, b"#42");
    let refusal = verify(&flipped(uri)).expect_err("altered");
    assert_eq!(
        (refusal.code(), refusal.to_string().as_str()),
        ("digest-mismatch", "manifest does not have the signed digest")
    );
    // The signature differs.
    let signature = position(&good, &[0x58, 0x40]) + 2;
    assert_eq!(verify(&flipped(signature)), Err(Refusal::UnknownSigner { kid: None }.into()));
    // Without the digest that stands first, an altered one is the manifest's no more, and nobody signed it.
    let bare = Shape::riot().envelope(&manifest);
    let mut altered = bare.clone();
    altered[position(&bare, digest.as_bytes())] ^= 1;
    assert_eq!(verify(&altered), Err(Refusal::UnknownSigner { kid: None }.into()));

    let unsigned = Shape { seal: Seal::Nobody, ..shape.clone() }.envelope(&manifest);
    assert_eq!(verify(&unsigned), Err(Refusal::Unsigned.into()));
    let other = key(shape.algorithm, 2);
    let envelope = LegacyEnvelope::decode(&good, None).expect("an envelope");
    let both = envelope.verify(&keys(&[&own, other.public_key()]));
    assert_eq!(both, Err(Refusal::AuthorSignatureMissing { needed: 2, found: 1 }.into()));
}

#[test]
fn refuses_authentication_of_an_unknown_kind() {
    let shape = Shape::nordic();
    let good = shape.envelope(&later().wrap(7, &check()).wrap(20, &fetch("a")).build());
    let at = position(&good, &[0xd2, 0x84]);
    // COSE_Mac0 (17) in place of COSE_Sign1 (18).
    let mut bytes = good;
    bytes[at] = 0xd1;
    let envelope = LegacyEnvelope::decode(&bytes, None).expect("an envelope");
    let refusal = envelope.verify(&keys(&[shape.key().public_key()]));
    assert_eq!(refusal, Err(Refusal::UnsupportedAuthentication.into()));
}

#[test]
fn takes_some_keys_and_each_once() {
    let named = |seed: u8| LegacyKey {
        key: key(crypto::SignatureAlgorithm::Es256, seed).public_key().clone(),
        kid: Vec::new(),
        name: String::new(),
    };
    let many = |count: usize| (1..=count).map(|seed| named(seed as u8)).collect::<Vec<_>>();
    assert!(LegacyKeys::new(Vec::new()).is_none());
    assert!(LegacyKeys::new(vec![named(1), named(1)]).is_none());
    assert!(LegacyKeys::new(many(MAX_CANDIDATE_KEYS)).is_some());
    assert!(LegacyKeys::new(many(MAX_CANDIDATE_KEYS + 1)).is_none());
}
