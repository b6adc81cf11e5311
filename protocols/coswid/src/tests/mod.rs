mod refusals;
mod signatures;
mod vectors;
mod versions;

use cbor::{MapBuilder, Writer};
use crypto::{Digest, HashAlgorithm};

use crate::*;

/// The entries of a small valid payload tag, to be broken one at a time.
pub(super) fn entries() -> MapBuilder {
    let mut map = MapBuilder::new();
    map.int(labels::TAG_ID, |w| {
        w.bytes(&[1; 16]);
    });
    map.int(labels::TAG_VERSION, |w| {
        w.int(0);
    });
    map.int(labels::SOFTWARE_NAME, |w| {
        w.text("fw");
    });
    map.int(labels::SOFTWARE_VERSION, |w| {
        w.text("1.2.3");
    });
    map.int(labels::ENTITY, |w| {
        w.map(2).int(labels::ENTITY_NAME).text("Acme").int(labels::ROLE).int(1);
    });
    map
}

/// The same with a payload of one file-entry.
pub(super) fn with_file(file: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut map = entries();
    map.int(labels::PAYLOAD, |w| {
        w.map(1).int(labels::FILE);
        file(w);
    });
    map.into_bytes()
}

pub(super) fn acme() -> Entity {
    Entity { reg_id: Some(Uri::new("https://acme.example")), ..Entity::new("Acme Ltd", [Role::TagCreator]) }
}

pub(super) fn release() -> Tag {
    let file = |name: &str, image: &[u8]| File {
        hash: Some(Digest::of(HashAlgorithm::Sha256, image).into()),
        size: Some(image.len() as u64),
        key: Some(true),
        file_version: Some("1.2.3".into()),
        ..File::new(name)
    };
    TagBuilder::payload(TagId::Uuid([7; 16]), "acme-fw")
        .version("1.2.3", VersionScheme::Semver)
        .entity(acme())
        .link(Link::new(Rel::Supersedes, "swid:06060606-0606-0606-0606-060606060606"))
        .meta(SoftwareMeta { persistent_id: Some("acme-fw".into()), ..SoftwareMeta::default() })
        .file(file("boot", b"boot image"))
        .file(file("app", b"app image"))
        .build()
        .unwrap()
}

#[test]
fn a_built_tag_decodes_to_itself() {
    let tag = release();
    assert_eq!(Tag::decode(tag.as_bytes()).unwrap(), tag);
    assert_eq!(tag.kind(), TagKind::Primary);
    assert_eq!(tag.supersedes().collect::<Vec<_>>(), ["swid:06060606-0606-0606-0606-060606060606"]);
    let names: Vec<_> = tag.measured_files().iter().map(|file| (file.path(), file.key)).collect();
    assert_eq!(names, [("boot".to_string(), true), ("app".to_string(), true)]);
    assert_eq!(tag.measured_files()[1].digest, Some(Digest::of(HashAlgorithm::Sha256, b"app image")));
}

#[test]
fn an_evidence_tag_matches_its_release_file_by_file() {
    let release = release();
    let mut builder = TagBuilder::evidence(TagId::Uuid([8; 16]), "acme-fw")
        .version("1.2.3", VersionScheme::Semver)
        .entity(acme())
        .measured_on(Some(1_800_000_000), Some("device-1".into()));
    for file in release.measured_files() {
        builder =
            builder.file(File { size: file.size, hash: file.file.hash.clone(), ..File::new(file.name) });
    }
    let evidence = Tag::decode(builder.build().unwrap().as_bytes()).unwrap();
    assert_eq!(evidence.evidence().unwrap().date, Some(1_800_000_000));
    assert_eq!(evidence.evidence().unwrap().device_id.as_deref(), Some("device-1"));
    assert!(evidence.payload().is_none());
    for (found, expected) in evidence.measured_files().iter().zip(release.measured_files()) {
        assert_eq!(
            (found.path(), found.digest, found.size),
            (expected.path(), expected.digest, expected.size)
        );
    }
}

#[test]
fn every_entry_survives_a_round_trip() {
    let file = File {
        hash: Hash::new(6, &[1, 2, 3, 4]),
        size: Some(5),
        file_version: Some("v".into()),
        key: Some(false),
        location: Some("etc".into()),
        fs_name: "f".into(),
        root: Some("C:".into()),
        global: GlobalAttributes {
            lang: Some("de".into()),
            attributes: vec![
                Attribute { key: AttributeKey::Int(-70), value: vec![0x01] },
                Attribute { key: AttributeKey::Text("x".into()), value: vec![0x61, 0x79] },
            ],
        },
    };
    let directory = Directory {
        key: Some(true),
        location: Some("/opt".into()),
        fs_name: "acme".into(),
        path_elements: ResourceCollection { files: vec![file.clone(), file.clone()], ..Default::default() },
        ..Directory::default()
    };
    let resources = ResourceCollection {
        directories: vec![directory],
        files: vec![file],
        processes: vec![Process { name: "p".into(), pid: Some(7), global: GlobalAttributes::default() }],
        resources: vec![Resource { kind: "fuse".into(), global: GlobalAttributes::default() }],
    };
    let evidence = Evidence {
        resources,
        date: Some(-1),
        device_id: Some("d".into()),
        location: Some("/tag".into()),
        global: GlobalAttributes::default(),
    };
    let link = Link {
        artifact: Some("a".into()),
        media: Some("m".into()),
        ownership: Some(Ownership::Shared),
        media_type: Some("application/mud+json".into()),
        usage: Some(Use::Other(-5)),
        ..Link::new(Rel::Named("describedby".into()), "https://acme.example/mud")
    };
    let entity = Entity { thumbprint: Hash::new(1, &[9; 32]), ..acme() };
    let tag = TagBuilder::evidence(TagId::Text("t".into()), "n")
        .tag_version(3)
        .version("1", VersionScheme::Other(5))
        .entity(entity)
        .link(link)
        .meta(SoftwareMeta { generator: Some(Generator::Uuid([2; 16])), ..SoftwareMeta::default() })
        .collection(Collection::Evidence(evidence))
        .build()
        .unwrap();
    assert_eq!(Tag::decode(tag.as_bytes()).unwrap(), tag);
    assert_eq!(tag.encode(), tag.as_bytes());
}

#[test]
fn tags_that_differ_in_the_order_of_a_map_are_equal() {
    let tag = |unknown: [i64; 3]| {
        Writer::encode(|w| {
            w.map(8).int(0).text("t").int(12).int(0).int(1).text("n").int(13).text("1");
            w.int(2).map(2).int(31).text("acme").int(33).int(1);
            unknown.iter().for_each(|label| {
                w.int(*label).text("x");
            });
        })
    };
    let first = Tag::decode(&tag([-14, 100, 3612])).unwrap();
    for order in [[100, -14, 3612], [3612, 100, -14], [-14, 3612, 100]] {
        let other = Tag::decode(&tag(order)).unwrap();
        assert_eq!(other.global(), first.global());
        assert_eq!(other.encode(), first.encode());
    }
}

#[test]
fn paths_follow_directories_roots_and_absolute_locations() {
    let file = |root: Option<&str>, location: Option<&str>| File {
        root: root.map(Into::into),
        location: location.map(Into::into),
        ..File::new("f")
    };
    let rows = [
        (None, None, "/opt/acme/f"),
        (None, Some("bin"), "/opt/acme/bin/f"),
        (None, Some("/etc"), "/etc/f"),
        (Some("C:"), Some("/windows"), "C:/windows/f"),
        (Some("C:"), None, "C:/f"),
    ];
    for (root, location, path) in rows {
        let directory = Directory {
            location: Some("/opt/".into()),
            fs_name: "acme".into(),
            path_elements: ResourceCollection { files: vec![file(root, location)], ..Default::default() },
            ..Directory::default()
        };
        let resources = ResourceCollection { directories: vec![directory], ..Default::default() };
        let payload = Payload { resources, ..Payload::default() };
        let tag = TagBuilder::payload(TagId::Text("t".into()), "n")
            .version("1", VersionScheme::Decimal)
            .entity(acme())
            .collection(Collection::Payload(payload))
            .build()
            .unwrap();
        assert_eq!(tag.measured_files()[0].path(), path);
    }
}

#[test]
fn truncated_and_unknown_hashes_never_become_digests() {
    for (algorithm, len, is_digest) in [
        (0, 32, false),
        (1, 32, true),
        (2, 16, false),
        (6, 4, false),
        (7, 48, true),
        (8, 64, true),
        (-1, 32, false),
    ] {
        let hash = Hash::new(algorithm, &vec![1; len]).unwrap();
        assert_eq!(hash.digest().is_some(), is_digest, "algorithm {algorithm}");
    }
}

#[test]
fn a_uuid_in_text_and_in_bytes_are_different_ids() {
    let uuid = TagId::Uuid([0x2d; 16]);
    let text = TagId::Text("2d2d2d2d-2d2d-2d2d-2d2d-2d2d2d2d2d2d".into());
    assert_eq!(uuid.to_string(), text.to_string());
    assert_ne!(uuid, text);
}

#[test]
fn builder_refuses_what_the_decoder_refuses() {
    let base = || TagBuilder::payload(TagId::Text("t".into()), "n");
    let rows = [
        (base().entity(acme()), "primary or corpus tag has no software version"),
        (base().version("1", VersionScheme::Decimal), "no entity is the tag creator"),
        (base().patch().entity(acme()), "patch tag has no link to what it patches"),
        (base().patch().supplemental().entity(acme()), "a tag is both patch and supplemental"),
        (base().supplemental().entity(Entity::new("x", [])), "entity has no role"),
    ];
    for (builder, rule) in rows {
        assert_eq!(builder.build(), Err(Error::Incomplete(rule)));
    }
}
