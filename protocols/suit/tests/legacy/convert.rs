//! What old manifests mean today, and what is named because it means nothing today.

use cbor::{MapBuilder, Writer};
use sextant_suit::legacy::{Conversion, Inexpressible, LegacyEnvelope, Numbering};
use sextant_suit::{
    Authority, AuthorityList, Condition, Directive, Envelope, Operation, Parameter, Role, Section, Severable,
    VerifiedManifest,
};

use crate::writer::{
    IMAGE, Manifest, OLD_SHA256, SHA256, Shape, check, common, compatibility, digest, fetch, key, plain,
    sequence, set, start, try_each, wrapped,
};

fn convert(bytes: &[u8]) -> Conversion {
    LegacyEnvelope::decode(bytes, None).expect("an envelope").convert_unverified().expect("a manifest")
}

fn lost(conversion: &Conversion) -> Vec<Inexpressible> {
    conversion.without_equivalent().iter().map(|one| one.what).collect()
}

/// Signs what was converted and has today's recipient read it.
fn believed(conversion: &Conversion) -> VerifiedManifest {
    let author = key(crypto::SignatureAlgorithm::Es256, 3);
    let list = AuthorityList::with_default_policy(vec![Authority::new(
        author.public_key().clone(),
        b"author",
        "author",
        Role::Author,
    )]);
    let envelope = conversion.envelope().expect("nothing was lost that matters");
    let signed = Envelope::decode(envelope).expect("today's envelope").sign(&author, Some(b"author"));
    VerifiedManifest::verify(signed.expect("whole"), &list.expect("a list")).expect("signed")
}

#[test]
fn the_same_release_means_the_same_in_every_numbering() {
    let shapes = [
        (Shape::riot(), 9, 10, 12),
        (Shape::tagged(107), 9, 10, 12),
        (Shape::tagged(107), 17, 7, 9),
        (Shape::nordic(), 20, 7, 9),
    ];
    let mut all = Vec::new();
    for (shape, install, validate, invoke) in shapes {
        let payload = IMAGE.to_vec();
        let shape = match shape.tag {
            None => Shape { payloads: vec![(42, payload)], ..shape },
            Some(_) => Shape { named_payloads: vec![("#42", payload)], ..shape },
        };
        let manifest = Manifest::new(sequence(&compatibility(shape.hash)))
            .wrap(install, &fetch("#42"))
            .wrap(validate, &check())
            .wrap(invoke, &start());
        let conversion = convert(&shape.envelope(&manifest.build()));
        assert_eq!(conversion.without_equivalent(), []);
        let kept = believed(&conversion);
        let verified = kept.open();
        let images = verified.images();
        assert_eq!(images.len(), 1);
        assert!(images[0].digest.matches(verified.envelope().integrated("#42").expect("the payload")));
        assert!(verified.targets().vendor_checked && verified.missing_payloads().is_empty());
        all.push(conversion.envelope().expect("converted").to_vec());
    }
    // One meaning, one encoding.
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn dependencies_get_component_indices_and_an_integrity_check() {
    let shared = sequence(&[plain(12, 0), compatibility(OLD_SHA256)[0].clone()]);
    let mut map = MapBuilder::new();
    map.int(1, |w| {
        w.array(1).map(1).int(1);
        digest(w, OLD_SHA256, b"a manifest");
    });
    map.int(2, |w| {
        w.array(2).array(1).bytes(b"a").array(1).bytes(b"b");
    });
    map.int(4, |w| {
        w.bytes(&shared);
    });
    let all = (
        12,
        Writer::encode(|w| {
            w.bool(true);
        }),
    );
    let manifest = Manifest::with_common(&map.into_bytes())
        .wrap(
            7,
            &sequence(&[
                plain(13, 0),
                set(19, 21, |w| {
                    w.text("http://d.example");
                }),
                plain(21, 2),
                plain(3, 15),
            ]),
        )
        .wrap(9, &sequence(&[plain(13, 0), plain(18, 0), all, plain(3, 15)]))
        .build();
    let conversion = convert(&Shape::riot().envelope(&manifest));
    assert_eq!(conversion.without_equivalent(), []);
    let envelope = Envelope::decode(conversion.envelope().expect("converted")).expect("today's envelope");
    let manifest = envelope.manifest_unverified().expect("today's manifest");
    assert_eq!(manifest.common().dependencies().iter().map(|one| one.index).collect::<Vec<_>>(), [2]);
    let operations = |section| {
        let held = manifest.section(section).and_then(|held| held.value()).expect("a section");
        held.commands().iter().map(|command| command.operation.clone()).collect::<Vec<_>>()
    };
    let shared = manifest.common().shared().expect("shared").commands();
    let [Parameter::ImageDigest(found)] = parameters(&shared[1].operation) else { panic!("{shared:?}") };
    assert!(found.matches(b"a manifest"));
    let one = |index| Operation::SetComponentIndex(sextant_suit::ComponentIndex::One(index));
    let install = operations(Section::Install);
    assert_eq!(install[0], one(2));
    assert!(matches!(install[1], Operation::Condition(Condition::DependencyIntegrity, _)));
    assert!(matches!(install[2], Operation::Directive(Directive::ProcessDependency, _)));
    assert_eq!(install[3], Operation::SetComponentIndex(sextant_suit::ComponentIndex::List(vec![0, 1])));
    assert_eq!(operations(Section::DependencyResolution)[0], one(2));
}

fn parameters<'o, 'b>(operation: &'o Operation<'b>) -> &'o [Parameter<'b>] {
    match operation {
        Operation::OverrideParameters(list) => list,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_has_no_equivalent_is_named_with_its_place_and_nothing_is_guessed() {
    let info = |label, content: &'static [u8]| {
        set(20, label, move |w| {
            w.bytes(content);
        })
    };
    let uris = Writer::encode(|w| {
        w.array(2).text("coap://a.example").text("coap://b.example");
    });
    let rows = [
        (
            vec![set(20, 5, |w| {
                w.uint(4096);
            })],
            Inexpressible::ComponentOffset,
        ),
        (vec![plain(5, 5)], Inexpressible::ComponentOffset),
        (
            vec![set(20, 30, |w| {
                w.bytes(&uris);
            })],
            Inexpressible::UriList,
        ),
        (vec![plain(30, 2)], Inexpressible::UriList),
        (vec![info(19, &[0xa1, 1, 1])], Inexpressible::Compression),
        (vec![info(20, &[0xa1, 1, 1])], Inexpressible::Unpacking),
        (vec![info(18, &[0xd0, 0x80])], Inexpressible::EncryptionInfo),
        (vec![(-300, vec![0xf6])], Inexpressible::CustomCommand(-300)),
        (
            vec![set(20, -1, |w| {
                w.uint(1);
            })],
            Inexpressible::CustomParameter(-1),
        ),
    ];
    for (commands, what) in rows {
        let manifest =
            Manifest::new(sequence(&compatibility(OLD_SHA256))).wrap(9, &sequence(&commands)).build();
        let bytes = Shape::riot().envelope(&manifest);
        let conversion = convert(&bytes);
        assert_eq!(conversion.envelope(), None, "{what}");
        assert_eq!(lost(&conversion), [what]);
        let at = conversion.without_equivalent()[0].at.expect("a place");
        let code = cbor::Reader::new(&bytes[at..]).int();
        assert_eq!(code, Ok(commands[0].0), "{what}");
    }
}

#[test]
fn an_alternative_is_never_taken_for_unconditional_because_its_offset_cannot_be_said() {
    let slot = |offset: u64| {
        sequence(&[
            set(20, 5, |w| {
                w.uint(offset);
            }),
            plain(5, 5),
        ])
    };
    let shared = sequence(&[try_each(&[slot(4096), slot(8192)])]);
    let manifest = Manifest::with_common(&common(&[b"fw"], &shared)).wrap(10, &check()).build();
    let conversion = convert(&Shape::riot().envelope(&manifest));
    assert_eq!((conversion.envelope(), conversion.without_equivalent().len()), (None, 4));
}

#[test]
fn rules_of_today_are_kept_and_told() {
    // A fetch in the common sequence was never allowed, and one alternative alone is not any more.
    let one = sequence(&[try_each(&[check()])]);
    for shared in [fetch("#42"), one] {
        let manifest = Manifest::with_common(&common(&[b"fw"], &shared)).wrap(10, &check()).build();
        let conversion = convert(&Shape::riot().envelope(&manifest));
        assert_eq!(conversion.envelope(), None);
        assert!(matches!(lost(&conversion)[..], [Inexpressible::Rule(_)]), "{conversion:?}");
    }
}

#[test]
fn encryption_info_gets_its_number_of_today() {
    let info: &[u8] = &[0xd8, 0x60, 0x84, 0x40, 0xa0, 0xf6, 0x80];
    let install = sequence(&[
        set(20, 18, |w| {
            w.bytes(info);
        }),
        plain(22, 2),
    ]);
    let manifest = Manifest::new(sequence(&compatibility(OLD_SHA256))).wrap(9, &install).build();
    let conversion = convert(&Shape::riot().envelope(&manifest));
    let envelope = Envelope::decode(conversion.envelope().expect("converted")).expect("today's envelope");
    let manifest = envelope.manifest_unverified().expect("today's manifest");
    let install = manifest.section(Section::Install).and_then(|held| held.value()).expect("install");
    assert_eq!(parameters(&install.commands()[0].operation), [Parameter::EncryptionInfo(info)]);
}

#[test]
fn a_version_parameter_is_wrapped_as_it_is_today() {
    let version = |w: &mut Writer| {
        w.array(2).int(2).array(2).int(1).int(4);
    };
    let install = sequence(&[set(20, 28, version), plain(28, 15)]);
    let manifest = Manifest::new(sequence(&compatibility(OLD_SHA256))).wrap(9, &install).build();
    let conversion = convert(&Shape::riot().envelope(&manifest));
    let envelope = Envelope::decode(conversion.envelope().expect("converted")).expect("today's envelope");
    let manifest = envelope.manifest_unverified().expect("today's manifest");
    let install = manifest.section(Section::Install).and_then(|held| held.value()).expect("install");
    let [Parameter::VersionMatch(wanted)] = parameters(&install.commands()[0].operation) else { panic!() };
    assert_eq!(wanted.version.parts(), [1, 4]);
}

#[test]
fn severed_members_are_severed_again_and_absent_ones_named() {
    let content = fetch("http://example.com/file.bin");
    let text = Writer::encode(|w| {
        w.map(1).int(1).text("an update");
    });
    let manifest = Manifest::new(sequence(&compatibility(SHA256)))
        .sever(9, SHA256, &content)
        .wrap(10, &check())
        .sever(13, SHA256, &text)
        .build();
    let shape = Shape { severed: vec![(9, content), (13, text)], ..Shape::tagged(107) };
    let whole = convert(&shape.envelope(&manifest));
    assert_eq!(whole.without_equivalent(), []);
    let envelope = Envelope::decode(whole.envelope().expect("converted")).expect("today's envelope");
    assert_eq!(envelope.severed_members().collect::<Vec<_>>(), [Severable::Install, Severable::Text]);
    let kept = believed(&whole);
    let verified = kept.open();
    let text = verified.text().expect("readable").expect("there");
    assert_eq!(text.languages()[0].element(1), Some("an update"));
    assert_eq!(text.languages()[0].language(), "und");

    let without = convert(&Shape::tagged(107).envelope(&manifest));
    assert!(without.envelope().is_some());
    assert_eq!(
        lost(&without),
        [Inexpressible::Absent(Severable::Install), Inexpressible::Absent(Severable::Text)]
    );
}

#[test]
fn a_severed_member_with_another_digest_is_not_put_back() {
    let manifest =
        Manifest::new(sequence(&compatibility(SHA256))).sever(9, SHA256, &fetch("a")).wrap(10, &check());
    let shape = Shape { severed: vec![(9, fetch("b"))], ..Shape::tagged(107) };
    assert_eq!(
        lost(&convert(&shape.envelope(&manifest.build()))),
        [Inexpressible::Absent(Severable::Install)]
    );
}

#[test]
fn todays_manifests_convert_to_themselves() {
    let manifest =
        Manifest::new(sequence(&compatibility(SHA256))).wrap(7, &check()).wrap(20, &fetch("#42")).build();
    let bytes = Shape::nordic().envelope(&manifest);
    let envelope = LegacyEnvelope::decode(&bytes, Some(Numbering::Current)).expect("an envelope");
    let conversion = envelope.convert_unverified().expect("a manifest");
    let converted = Envelope::decode(conversion.envelope().expect("converted")).expect("today's envelope");
    assert_eq!(converted.manifest_digest_claimed(), envelope.manifest_digest_claimed());
    assert!(converted.signatures().is_empty());
    assert!(!wrapped(&manifest).is_empty());
}
