use std::{fs, path::Path};

use cbor::{Order, Reader, Reason, Writer};
use crypto::HashAlgorithm;

use crate::*;

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn tags_of_the_field_decode_and_encode_to_the_same_items() {
    let Some(dir) = testkit::vectors("coswid") else { return };
    let accepted = [
        ("cocli/cocli-coswid-1.cbor", TagKind::Primary, 1),
        ("cocli/cocli-testcases-test-coswid.cbor", TagKind::Primary, 1),
        ("eat-appendix/iot-sw.cbor", TagKind::Primary, 3),
        ("eat-appendix/tee-coswid.cbor", TagKind::Primary, 1),
        ("made/bad-hash-alg-unknown-0.cbor", TagKind::Primary, 1),
        ("made/evidence-mismatch.cbor", TagKind::Primary, 2),
        ("made/evidence.cbor", TagKind::Primary, 2),
        ("made/ok-patch.cbor", TagKind::Patch, 2),
        ("made/payload-plain.cbor", TagKind::Primary, 2),
        ("made/payload-tagged.cbor", TagKind::Primary, 2),
        ("veraison-swid/softwareidentity-TestTag_RoundtripPSABundle-2.cbor", TagKind::Primary, 0),
    ];
    for (name, kind, files) in accepted {
        let bytes = read(&dir.join(name));
        let tag = Tag::decode(&bytes).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_eq!((tag.kind(), tag.measured_files().len()), (kind, files), "{name}");
        assert_eq!(tag.as_bytes(), bytes, "{name}: the received bytes are kept");
        let mut canonical = cbor::normalize(&bytes, MAX_TAG_LEN).unwrap();
        if bytes.starts_with(&[0xda]) {
            canonical.drain(..5);
        }
        assert_eq!(cbor::diagnostic(&tag.encode()), cbor::diagnostic(&canonical), "{name}");
    }
}

#[test]
fn tags_that_break_a_rule_are_refused_for_it() {
    let Some(dir) = testkit::vectors("coswid") else { return };
    let refused = [
        ("eat-appendix/hlos.cbor", Reason::Rule("no entity is the tag creator")),
        // Real, and without the mandatory tag-version.
        ("hirs/LVFS_sbom.coswid", Reason::MissingKey(12)),
        ("made/bad-hash-len.cbor", Reason::Rule("hash value has another length than its algorithm")),
        ("made/bad-no-tagcreator.cbor", Reason::Rule("no entity is the tag creator")),
        ("made/bad-patch-no-link.cbor", Reason::Rule("patch tag has no link to what it patches")),
        ("made/bad-primary-no-version.cbor", Reason::Rule("primary or corpus tag has no software version")),
        // Concise evidence, which only carries a CoSWID.
        ("corim-coev/ce-coswid.cbor", Reason::Rule("expected the tag of a CoSWID")),
    ];
    for (name, reason) in refused {
        match Tag::decode(&read(&dir.join(name))) {
            Err(Error::Malformed(error)) => assert_eq!(error.reason, reason, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn evidence_of_the_field_matches_its_payload_and_an_altered_one_does_not() {
    let Some(dir) = testkit::vectors("coswid") else { return };
    let tag = |name| Tag::decode(&read(&dir.join(name))).unwrap();
    let (payload, good, bad) =
        (tag("made/payload-plain.cbor"), tag("made/evidence.cbor"), tag("made/evidence-mismatch.cbor"));
    let matches = |evidence: &Tag| -> Vec<bool> {
        let files = evidence.measured_files();
        payload
            .measured_files()
            .iter()
            .zip(files)
            .map(|(a, b)| a.name == b.name && a.digest == b.digest)
            .collect()
    };
    assert_eq!(matches(&good), [true, true]);
    assert_eq!(matches(&bad), [true, false]);
    assert!(payload.measured_files().iter().all(|f| f.digest.unwrap().algorithm() == HashAlgorithm::Sha256));
    assert_eq!(tag("made/bad-hash-alg-unknown-0.cbor").measured_files()[0].digest, None);
}

/// Decodes a fragment and encodes it again.
fn fragment<T>(
    bytes: &[u8],
    decode: impl Fn(&mut Reader<'_>) -> Result<T, cbor::Error>,
    encode: impl Fn(&T, &mut Writer),
) -> Result<Vec<u8>, Reason> {
    let mut reader = Reader::with_order(bytes, Order::Unique);
    let value = decode(&mut reader).and_then(|value| reader.end().map(|()| value)).map_err(|e| e.reason)?;
    Ok(Writer::encode(|w| encode(&value, w)))
}

#[test]
fn fragments_of_another_implementation_round_trip() {
    let Some(dir) = testkit::vectors("coswid") else { return };
    let dir = dir.join("veraison-swid");
    let wrong_len = Err(Reason::Rule("hash value has another length than its algorithm"));
    let id_len = Err(Reason::Rule("byte string has another length than the format fixes"));
    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 15);
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut bytes = read(&path);
        let result = match name.split('-').next().unwrap() {
            "directory" => fragment(&bytes, Directory::decode, Directory::encode),
            "entity" => fragment(&bytes, Entity::decode, Entity::encode),
            "file" => fragment(&bytes, File::decode, File::encode),
            "link" => fragment(&bytes, Link::decode, Link::encode),
            "softwaremeta" => fragment(&bytes, SoftwareMeta::decode, SoftwareMeta::encode),
            "files" => fragment(
                &bytes,
                |r| crate::wire::one_or_more(r, File::decode),
                |files, w| crate::wire::write_one_or_more(w, files, |w, file| file.encode(w)),
            ),
            "tagid" => {
                // These are the contents of the byte string, not an encoded item.
                bytes = Writer::encode(|w| {
                    w.bytes(&bytes);
                });
                fragment(&bytes, TagId::decode, |id, w| {
                    w.bytes(match id {
                        TagId::Uuid(uuid) => uuid,
                        TagId::Text(_) => &[],
                    });
                })
            }
            "softwareidentity" => continue,
            other => panic!("no decoder for the fragment {other}"),
        };
        let expected = match name.as_str() {
            // Two bytes where sha-256 has 32.
            "directory-TestDirectory_RoundtripFlat-1"
            | "file-TestFile_RoundtripFull-1"
            | "files-TestFiles_RoundtripEncodeMany-2" => wrong_len.clone(),
            "tagid-TestTagID_15Bytes-2" | "tagid-TestTagID_17Bytes-3" => id_len.clone(),
            _ => Ok(cbor::normalize(&bytes, bytes.len()).unwrap()),
        };
        assert_eq!(result, expected, "{name}");
    }
}
