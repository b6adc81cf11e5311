//! Tags from and to SPDX, CycloneDX and SWID XML: vectors, our own tables, refusals with their places, and round trips.

use coswid::{
    Entity, File, Hash, Link, Rel, Role, Tag, TagBuilder, TagId, TagKind, Uri, VersionScheme,
    interchange::{self, Format, ImportOptions, InterchangeError, MAX_DOCUMENT_DEPTH},
};
use proptest::prelude::*;
use sextant_coswid as coswid;

const NOW: i64 = 1_795_939_200;

fn import(text: &str) -> Result<interchange::Imported, InterchangeError> {
    interchange::import(text.as_bytes(), &ImportOptions::default())
}

fn whats(losses: &[interchange::Loss]) -> Vec<&str> {
    losses.iter().map(|loss| loss.what.as_str()).collect()
}

#[test]
fn reads_swid_xml_of_others() {
    let Some(folder) = testkit::vectors("coswid") else { return };
    let bytes = std::fs::read(folder.join("swid-xml-nist/authoritative.swidtag")).unwrap();
    let imported = interchange::import(&bytes, &ImportOptions::default()).unwrap();
    let tag = &imported.tag;
    assert_eq!(imported.format, Format::SwidXml);
    assert_eq!(tag.tag_id(), &TagId::Text("gov.nist.decima-swidval-0.5.0.1".into()));
    assert_eq!((tag.tag_version(), tag.software_name()), (1, "swidval"));
    assert_eq!(tag.version().unwrap().scheme, Some(&VersionScheme::MultipartNumeric));
    assert_eq!(tag.entities()[0].roles, [Role::TagCreator, Role::SoftwareCreator]);
    let files = tag.measured_files();
    assert_eq!((files.len(), files[0].path().as_str(), files[0].size), (1, "../NOTICE.txt", Some(9842)));
    assert_eq!(files[0].file.hash.as_ref().unwrap().algorithm(), 1);
    // The second hash has no place, so the tag links to the document.
    assert_eq!(whats(&imported.dropped), ["/SoftwareIdentity/*/Payload/*/File@hash"]);
    assert_eq!(tag.links()[0].rel, Rel::SeeAlso);
    assert_eq!(tag.links()[0].media_type.as_deref(), Some("application/swid+xml"));

    let (mut read, mut refused) = (0, Vec::new());
    for folder in [folder.join("swid-xml-nist"), folder.join("hirs")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".swidtag") && !name.ends_with(".xml") {
                continue;
            }
            match interchange::import(&std::fs::read(&path).unwrap(), &ImportOptions::default()) {
                Ok(imported) => {
                    read += 1;
                    assert!(!imported.tag.measured_files().is_empty(), "{name}");
                }
                Err(error) => refused.push((name, error.to_string())),
            }
        }
    }
    refused.sort();
    let names: Vec<&str> = refused.iter().map(|(name, _)| name.as_str()).collect();
    // Templates of a test suite and a placeholder of a few words.
    assert_eq!(
        names,
        ["Mfg.Model.1.swidtag", "primary-auth-swid.xml", "primary-non-auth-swid.xml"],
        "{refused:?}"
    );
    assert_eq!(read, 11);
}

const CYCLONEDX: &str = r##"{
  "bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
  "version": 1,
  "metadata": {
    "timestamp": "2026-01-01T00:00:00Z",
    "authors": [{ "name": "Ada", "email": "ada@example.com" }],
    "component": { "type": "firmware", "bom-ref": "fw", "name": "camera", "version": "1.4.0",
      "supplier": { "name": "Northlight", "url": ["https://northlight.example"] },
      "licenses": [{ "license": { "id": "MIT" } }] }
  },
  "components": [
    { "type": "library", "bom-ref": "ssl", "name": "openssl", "version": "3.0.1", "purl": "pkg:generic/openssl@3.0.1",
      "licenses": [], "components": [{ "type": "library", "name": "providers", "bom-ref": "prov" }] },
    { "type": "library", "bom-ref": "z", "name": "zlib", "version": "1.3",
      "swid": { "tagId": "zlib-1.3", "name": "zlib" } },
    { "type": "file", "name": "boot/loader.bin", "version": "7",
      "hashes": [{ "alg": "MD5", "content": "00" },
        { "alg": "SHA-512", "content": "5787658e68139e4c0b46033930362a14fea58c5bcd3063440d49e9a268f5741a6cacafd3d0512228bb081394afb14a5c1e4dcce6ac0db50189a9160d737fe862" },
        { "alg": "SHA-256", "content": "abab9565a2593aa037b0054d0a84dbf4d23795840f1321e9476fa7b8eb5d432b" }] }
  ],
  "dependencies": [{ "ref": "fw", "dependsOn": ["ssl"] }, { "ref": "ssl", "dependsOn": ["z"] }],
  "vulnerabilities": [{}]
}"##;

#[test]
fn reads_cyclonedx_and_says_what_a_tag_has_no_room_for() {
    let imported = import(CYCLONEDX).unwrap();
    let tag = &imported.tag;
    assert_eq!(tag.tag_id().to_string(), "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79");
    assert_eq!((tag.software_name(), tag.version().unwrap().text), ("camera", "1.4.0"));
    assert_eq!(tag.version().unwrap().scheme, None, "the format does not say it");
    let entities: Vec<_> = tag.entities().iter().map(|one| (one.name.as_str(), one.roles.clone())).collect();
    let expected = [("Northlight", vec![Role::SoftwareCreator]), ("Ada", vec![Role::TagCreator])];
    assert_eq!(entities, expected);
    let linked: Vec<_> = tag
        .linked_components()
        .map(|one| (one.link.rel.clone(), one.link.href.as_str(), one.name, one.version, one.purl))
        .collect();
    let purl = "pkg:generic/openssl@3.0.1";
    assert_eq!(
        linked,
        [
            (Rel::Component, purl, Some("openssl"), Some("3.0.1"), Some(purl)),
            (Rel::Component, "#prov", Some("providers"), None, None),
            (Rel::Component, "swid:zlib-1.3", Some("zlib"), Some("1.3"), None),
            (Rel::Requires, purl, Some("openssl"), Some("3.0.1"), Some(purl)),
        ]
    );
    let files = tag.measured_files();
    assert_eq!((files[0].path().as_str(), files[0].name), ("boot/loader.bin", "loader.bin"));
    assert_eq!(files[0].file.hash.as_ref().unwrap().algorithm(), 1);
    assert_eq!(
        whats(&imported.dropped),
        [
            "/components/*/components",
            "/components/*/hashes/*",
            "/components/*/hashes/*/MD5",
            "/components/*/licenses",
            "/dependencies/*/dependsOn/*",
            "/metadata/authors/*/email",
            "/metadata/component/licenses",
            "/vulnerabilities",
        ]
    );
    let original = tag.links().iter().find(|link| link.rel == Rel::SeeAlso).unwrap();
    assert!(original.href.as_str().starts_with("ni:///sha-256;"));
    assert_eq!(original.media_type.as_deref(), Some("application/vnd.cyclonedx+json"));
}

const SPDX: &str = r#"{
  "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "camera-sbom",
  "documentNamespace": "https://northlight.example/sbom/1",
  "creationInfo": { "created": "2026-01-01T00:00:00Z", "creators": ["Tool: x", "Organization: Northlight (a@b.example)"] },
  "packages": [
    { "SPDXID": "SPDXRef-fw", "name": "camera", "versionInfo": "1.4.0", "supplier": "Organization: Northlight",
      "downloadLocation": "NOASSERTION", "licenseConcluded": "MIT" },
    { "SPDXID": "SPDXRef-ssl", "name": "openssl", "versionInfo": "3.0.1", "downloadLocation": "https://x.example/",
      "externalRefs": [
        { "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:generic/openssl@3.0.1" },
        { "referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:o:o:3:*:*:*:*:*:*:*" }] }
  ],
  "files": [
    { "SPDXID": "SPDXRef-f", "fileName": "./app.bin", "checksums": [
      { "algorithm": "SHA1", "checksumValue": "00" },
      { "algorithm": "SHA256", "checksumValue": "abab9565a2593aa037b0054d0a84dbf4d23795840f1321e9476fa7b8eb5d432b" }] },
    { "SPDXID": "SPDXRef-g", "fileName": "ssl.c", "checksums": [] }
  ],
  "relationships": [
    { "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-fw" },
    { "spdxElementId": "SPDXRef-fw", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "SPDXRef-ssl" },
    { "spdxElementId": "SPDXRef-ssl", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-g" },
    { "spdxElementId": "SPDXRef-ssl", "relationshipType": "GENERATED_FROM", "relatedSpdxElement": "SPDXRef-g" }
  ]
}"#;

#[test]
fn reads_spdx_and_says_what_a_tag_has_no_room_for() {
    let imported = import(SPDX).unwrap();
    let tag = &imported.tag;
    assert_eq!(tag.tag_id().to_string(), "https://northlight.example/sbom/1#SPDXRef-fw");
    assert_eq!(tag.entities().len(), 2);
    assert!(
        tag.entities()[1].has_role(&Role::TagCreator),
        "without the address: {:?}",
        tag.entities()[1].name
    );
    assert_eq!(tag.entities()[1].name, "Northlight");
    let rels: Vec<_> = tag.linked_components().map(|one| (one.link.rel.clone(), one.name)).collect();
    assert_eq!(rels, [(Rel::Requires, Some("openssl")), (Rel::Component, Some("openssl"))]);
    let files: Vec<String> = tag.measured_files().iter().map(|file| file.path()).collect();
    assert_eq!(files, ["./app.bin"]);
    assert_eq!(
        whats(&imported.dropped),
        [
            "/files/*",
            "/files/*/checksums/*/SHA1",
            "/packages/*/downloadLocation",
            "/packages/*/externalRefs/*/cpe23Type",
            "/packages/*/licenseConcluded",
            "/relationships/*",
        ]
    );
}

#[test]
fn refuses_with_the_place() {
    let deep = format!("{}{}", "[".repeat(MAX_DOCUMENT_DEPTH + 1), "]".repeat(MAX_DOCUMENT_DEPTH + 1));
    let rows = [
        ("{}", "expected SPDX 2.2 or 2.3 in JSON"),
        (
            "{\"bomFormat\":\"CycloneDX\",\n\"bomFormat\":1}",
            "line 2, column 11: name \"bomFormat\" stands twice",
        ),
        ("{\"bomFormat\":", "line 1, column 13: EOF"),
        (&deep, "values nest deeper than 48"),
        (&CYCLONEDX.replace("1.5", "1.3"), "/: expected specVersion 1.4, 1.5 or 1.6"),
        (&CYCLONEDX.replace("\"openssl\"", "7"), "/components/0/name: expected a text"),
        (&CYCLONEDX.replace("abab9565", "zz"), "/components/2/hashes/2: expected as many hexadecimal digits"),
        (&CYCLONEDX.replace("\"Ada\"", "null"), "/metadata/authors/0/name: expected a text"),
        (&CYCLONEDX.replace("\"authors\"", "\"writers\""), "/: expected somebody who made the document"),
        (&SPDX.replace("DESCRIBES", "AMENDS"), "/: expected a document that describes exactly one package"),
        (&SPDX.replace("SPDX-2.3", "SPDX-3.0"), "/: expected spdxVersion SPDX-2.2 or SPDX-2.3"),
        ("<a", "line 1, column"),
        ("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>", "DTD"),
        ("<SoftwareIdentity name='a' tagId='b'/>", "expected SPDX"),
        (
            "<SoftwareIdentity xmlns='http://standards.iso.org/iso/19770/-2/2015/schema.xsd' name='a'/>",
            "line 1, /SoftwareIdentity: expected a tagId",
        ),
    ];
    for (text, expected) in rows {
        let error = import(text).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error} is not {expected}");
    }
    let at_limit = format!("{}{}", "[".repeat(MAX_DOCUMENT_DEPTH), "]".repeat(MAX_DOCUMENT_DEPTH));
    assert_eq!(import(&at_limit), Err(InterchangeError::UnknownFormat));
}

#[test]
fn takes_from_the_caller_what_the_document_leaves_open() {
    let options = ImportOptions {
        tag_id: Some(TagId::Text("mine".into())),
        version_scheme: Some(VersionScheme::Semver),
        tag_creator: Some("Operator"),
        location: Some("https://operator.example/bom.json"),
    };
    let text = CYCLONEDX.replace("\"authors\"", "\"writers\"");
    let tag = interchange::import(text.as_bytes(), &options).unwrap().tag;
    assert_eq!(tag.tag_id().to_string(), "mine");
    assert_eq!(tag.version().unwrap().scheme, Some(&VersionScheme::Semver));
    assert!(tag.entities().iter().any(|one| one.name == "Operator" && one.has_role(&Role::TagCreator)));
    assert!(tag.links().iter().any(|link| link.href.as_str() == "https://operator.example/bom.json"));
}

#[test]
fn what_an_exported_document_shows_counts_before_its_notes() {
    let tag = TagBuilder::payload(TagId::Text("t".into()), "camera")
        .version("1.0.0", VersionScheme::Semver)
        .entity(Entity::new("Northlight", [Role::TagCreator]))
        .file(File { size: Some(5), key: Some(true), ..File::new("app") })
        .build()
        .unwrap();
    let document = String::from_utf8(interchange::export_cyclonedx(&tag, NOW).document).unwrap();
    let edited =
        document.replace("\"1.0.0\"", "\"2.0.0\"").replace("\"name\": \"app\"", "\"name\": \"bin/app2\"");
    let imported = import(&edited).unwrap();
    assert_eq!(imported.tag.version().unwrap().text, "2.0.0");
    assert_eq!(imported.tag.version().unwrap().scheme, Some(&VersionScheme::Semver));
    let files = imported.tag.measured_files();
    assert_eq!((files[0].path().as_str(), files[0].size, files[0].key), ("bin/app2", Some(5), true));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z0-9 ./:<&\"'-]{1,12}", 1 => "\\PC{1,6}"]
}

fn file() -> impl Strategy<Value = File> {
    let hash = prop_oneof![
        Just((1, 32)),
        Just((2, 16)),
        Just((7, 48)),
        Just((8, 64)),
        Just((9, 28)),
        Just((10, 32)),
        Just((12, 64))
    ];
    let hash =
        (hash, any::<u8>()).prop_map(|((number, len), byte)| Hash::new(number, &vec![byte; len]).unwrap());
    (
        text(),
        proptest::option::of(text()),
        proptest::option::of(text()),
        proptest::option::of(hash),
        proptest::option::of(any::<u32>()),
        proptest::option::of(any::<bool>()),
    )
        .prop_map(|(name, location, version, hash, size, key)| File {
            hash,
            size: size.map(u64::from),
            file_version: version,
            key,
            location,
            ..File::new(name)
        })
}

fn link() -> impl Strategy<Value = Link> {
    (0i64..=12, text(), proptest::option::of(text()), any::<bool>()).prop_map(
        |(rel, href, media_type, purl)| {
            let href = if purl { format!("pkg:generic/{href}") } else { href };
            Link { media_type, ..Link::new(Rel::from_int(rel), href) }
        },
    )
}

fn tag() -> impl Strategy<Value = Tag> {
    let id = prop_oneof![text().prop_map(TagId::Text), any::<[u8; 16]>().prop_map(TagId::Uuid)];
    let lists = (proptest::collection::vec(file(), 0..6), proptest::collection::vec(link(), 0..6));
    (id, text(), text(), 0i64..9, any::<bool>(), lists, text()).prop_map(
        |(id, name, version, tag_version, evidence, (files, links), entity)| {
            let mut builder = match evidence {
                true => TagBuilder::evidence(id, name).measured_on(Some(NOW), Some("device".into())),
                false => TagBuilder::payload(id, name),
            };
            let mut entity = Entity::new(entity, [Role::TagCreator, Role::Licensor]);
            entity.reg_id = Some(Uri::new("https://northlight.example"));
            builder = builder.version(version, VersionScheme::Semver).tag_version(tag_version).entity(entity);
            builder = files.into_iter().fold(builder, TagBuilder::file);
            links.into_iter().fold(builder, TagBuilder::link).build().unwrap()
        },
    )
}

/// Files and links without order, and everything else as it is.
fn content(tag: &Tag) -> (Vec<String>, Vec<String>, String) {
    let mut files: Vec<String> = tag.measured_files().iter().map(|one| format!("{:?}", one.file)).collect();
    files.sort();
    let mut links: Vec<String> = tag
        .links()
        .iter()
        .map(|link| format!("{:?} {} {:?}", link.rel, link.href.as_str(), link.media_type))
        .collect();
    links.sort();
    let rest = format!(
        "{:?} {} {} {:?} {:?} {:?} {:?}",
        tag.tag_id(),
        tag.tag_version(),
        tag.software_name(),
        tag.version(),
        tag.entities(),
        tag.evidence().map(|one| (one.date, one.device_id.clone())),
        tag.kind() == TagKind::Primary,
    );
    (files, links, rest)
}

proptest! {
    #[test]
    fn comes_back_from_spdx_and_cyclonedx_as_it_was(tag in tag()) {
        for export in [interchange::export_spdx, interchange::export_cyclonedx] {
            let exported = export(&tag, NOW);
            prop_assert_eq!(&exported.dropped, &[]);
            prop_assert_eq!(&exported, &export(&tag, NOW));
            let imported = interchange::import(&exported.document, &ImportOptions::default()).unwrap();
            prop_assert_eq!(&imported.dropped, &[]);
            prop_assert_eq!(content(&imported.tag), content(&tag));
        }
    }

    #[test]
    fn comes_back_from_swid_xml_but_for_what_is_told(tag in tag()) {
        let exported = interchange::export_swid_xml(&tag);
        let imported = interchange::import(&exported.document, &ImportOptions::default()).unwrap();
        prop_assert_eq!(&imported.dropped, &[]);
        if exported.dropped.is_empty() {
            prop_assert_eq!(content(&imported.tag), content(&tag));
        }
        prop_assert_eq!(imported.tag.measured_files().len(), tag.measured_files().len());
        prop_assert_eq!(imported.tag.links().len(), tag.links().len());
    }

    #[test]
    fn reads_any_bytes_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = interchange::import(&bytes, &ImportOptions::default());
    }
}
