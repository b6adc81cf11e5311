use cbor::{Error as Cbor, MapBuilder, Reason, Type, Writer};

use super::{entries, with_file};
use crate::{Error, MAX_ATTRIBUTE_LEN, MAX_ATTRIBUTES, MAX_ENTRIES, MAX_TAG_LEN, MAX_TEXT_LEN, Tag, labels};

fn refusal(bytes: &[u8]) -> Reason {
    match Tag::decode(bytes) {
        Err(Error::Malformed(error)) => error.reason,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[test]
fn the_unbroken_tag_is_accepted() {
    assert!(Tag::decode(&entries().into_bytes()).is_ok());
    assert!(
        Tag::decode(&with_file(|w| {
            w.map(1).int(labels::FS_NAME).text("f");
        }))
        .is_ok()
    );
}

#[test]
fn refuses_tags_that_break_one_rule() {
    type Break = fn(&mut MapBuilder);
    let rows: [(Break, Reason); 15] = [
        (
            |m| {
                m.int(labels::CORPUS, |w| {
                    w.int(1);
                });
            },
            Reason::WrongType { expected: Type::Bool, found: Type::Unsigned },
        ),
        (
            |m| {
                m.int(labels::TAG_ID, |w| {
                    w.bytes(&[1; 15]);
                });
            },
            Reason::Rule("byte string has another length than the format fixes"),
        ),
        (
            |m| {
                m.int(labels::TAG_ID, |w| {
                    w.bytes(&[1; 17]);
                });
            },
            Reason::Rule("byte string has another length than the format fixes"),
        ),
        (
            |m| {
                m.int(labels::PATCH, |w| {
                    w.bool(true);
                })
                .int(labels::SUPPLEMENTAL, |w| {
                    w.bool(true);
                });
            },
            Reason::Rule("a tag is both patch and supplemental"),
        ),
        (
            |m| {
                m.int(labels::PATCH, |w| {
                    w.bool(true);
                });
            },
            Reason::Rule("patch tag has no link to what it patches"),
        ),
        (
            |m| {
                m.int(labels::EVIDENCE, |w| {
                    w.map(0);
                })
                .int(labels::PAYLOAD, |w| {
                    w.map(0);
                });
            },
            Reason::Rule("tag has both payload and evidence"),
        ),
        (
            |m| {
                m.int(labels::ENTITY, |w| {
                    w.array(0);
                });
            },
            Reason::Rule("an array of one or more values is empty"),
        ),
        (
            |m| {
                m.int(labels::ENTITY, |w| {
                    w.map(1).int(labels::ENTITY_NAME).text("x");
                });
            },
            Reason::MissingKey(labels::ROLE),
        ),
        (
            |m| {
                m.int(labels::ENTITY, |w| {
                    w.map(1).int(labels::ROLE).int(1);
                });
            },
            Reason::MissingKey(labels::ENTITY_NAME),
        ),
        (
            |m| {
                m.int(labels::ENTITY, |w| {
                    w.map(2).int(labels::ENTITY_NAME).text("x").int(labels::ROLE).int(2);
                });
            },
            Reason::Rule("no entity is the tag creator"),
        ),
        (
            |m| {
                m.int(labels::ENTITY, |w| {
                    w.map(2).int(labels::ENTITY_NAME).text("x").int(labels::ROLE).int(256);
                });
            },
            Reason::OutOfRange,
        ),
        (
            |m| {
                m.int(labels::LINK, |w| {
                    w.map(1).int(labels::REL).int(1);
                });
            },
            Reason::MissingKey(labels::HREF),
        ),
        (
            |m| {
                m.int(labels::LINK, |w| {
                    w.map(2).int(labels::HREF).text("x").int(labels::REL).int(65536);
                });
            },
            Reason::OutOfRange,
        ),
        (
            |m| {
                m.int(labels::EVIDENCE, |w| {
                    w.map(1).int(labels::DATE).int(5);
                });
            },
            Reason::Rule("date is not an epoch-based time"),
        ),
        (
            |m| {
                m.entry(vec![0xf4], |w| {
                    w.int(1);
                });
            },
            Reason::Rule("label is neither integer nor text"),
        ),
    ];
    for (row, (change, reason)) in rows.into_iter().enumerate() {
        let mut map = entries();
        change(&mut map);
        assert_eq!(refusal(&map.into_bytes()), reason, "row {row}");
    }
}

#[test]
fn refuses_tags_without_a_mandatory_entry() {
    for label in [labels::TAG_ID, labels::TAG_VERSION, labels::SOFTWARE_NAME, labels::ENTITY] {
        assert_eq!(refusal(&without(label)), Reason::MissingKey(label));
    }
    assert_eq!(
        refusal(&without(labels::SOFTWARE_VERSION)),
        Reason::Rule("primary or corpus tag has no software version")
    );
}

#[test]
fn a_supplemental_tag_needs_no_version() {
    let bytes = without(labels::SOFTWARE_VERSION);
    let mut supplemental = Writer::encode(|w| {
        w.map(5);
    });
    supplemental.extend_from_slice(&bytes[1..]);
    supplemental.extend_from_slice(&[labels::SUPPLEMENTAL as u8, 0xf5]);
    assert_eq!(Tag::decode(&supplemental).unwrap().kind(), crate::TagKind::Supplemental);
}

#[test]
fn refuses_files_that_break_one_rule() {
    type Write = fn(&mut Writer);
    let rows: [(Write, Reason); 6] = [
        (
            |w| {
                w.map(1).int(labels::SIZE).int(1);
            },
            Reason::MissingKey(labels::FS_NAME),
        ),
        (
            |w| {
                w.map(2).int(labels::SIZE).int(-1).int(labels::FS_NAME).text("f");
            },
            Reason::WrongType { expected: Type::Unsigned, found: Type::Negative },
        ),
        (
            |w| {
                w.map(2).int(labels::HASH).array(2).int(1).bytes(&[1; 31]).int(labels::FS_NAME).text("f");
            },
            Reason::Rule("hash value has another length than its algorithm"),
        ),
        (
            |w| {
                w.map(2).int(labels::HASH).array(2).int(7).bytes(&[1; 32]).int(labels::FS_NAME).text("f");
            },
            Reason::Rule("hash value has another length than its algorithm"),
        ),
        // A list of hashes: one file has one hash.
        (
            |w| {
                w.map(2)
                    .int(labels::HASH)
                    .array(1)
                    .array(2)
                    .int(1)
                    .bytes(&[1; 32])
                    .int(labels::FS_NAME)
                    .text("f");
            },
            Reason::Rule("array has another number of items than the format fixes"),
        ),
        (
            |w| {
                w.array(0);
            },
            Reason::Rule("an array of one or more values is empty"),
        ),
    ];
    for (row, (write, reason)) in rows.into_iter().enumerate() {
        assert_eq!(refusal(&with_file(write)), reason, "row {row}");
    }
}

#[test]
fn refuses_processes_inside_directories() {
    let mut map = entries();
    map.int(labels::PAYLOAD, |w| {
        w.map(1).int(labels::DIRECTORY).map(2).int(labels::FS_NAME).text("d").int(labels::PATH_ELEMENTS);
        w.map(1).int(labels::PROCESS).map(1).int(labels::PROCESS_NAME).text("p");
    });
    assert_eq!(refusal(&map.into_bytes()), Reason::Unknown(labels::PROCESS));
}

#[test]
fn refuses_duplicate_keys_trailing_bytes_and_foreign_tags() {
    let good = entries().into_bytes();
    let mut duplicate = good.clone();
    duplicate[0] += 1;
    duplicate.extend_from_slice(&[0x00, 0x61, 0x78]);
    assert_eq!(Tag::decode(&duplicate), Err(Cbor::new(good.len(), Reason::DuplicateKey).into()));

    let mut trailing = good.clone();
    trailing.push(0);
    assert_eq!(Tag::decode(&trailing), Err(Cbor::new(good.len(), Reason::TrailingBytes).into()));

    let foreign = Writer::encode(|w| {
        w.tag(1).raw(&good);
    });
    assert_eq!(refusal(&foreign), Reason::Rule("expected the tag of a CoSWID"));
    assert_eq!(Tag::decode(&[]), Err(Cbor::new(0, Reason::Truncated).into()));
}

#[test]
fn limits_hold_at_the_limit_and_one_past_it() {
    let named = |len: usize| {
        let mut map = entries();
        map.int(labels::SOFTWARE_NAME, |w| {
            w.text(&"x".repeat(len));
        });
        Tag::decode(&map.into_bytes())
    };
    assert!(named(MAX_TEXT_LEN).is_ok());
    assert!(matches!(
        named(MAX_TEXT_LEN + 1),
        Err(Error::Malformed(Cbor { reason: Reason::TooLong { limit: MAX_TEXT_LEN }, .. }))
    ));

    let files = |count: usize| {
        Tag::decode(&with_file(|w| {
            w.array(count);
            for _ in 0..count {
                w.map(1).int(labels::FS_NAME).text("f");
            }
        }))
    };
    assert_eq!(files(MAX_ENTRIES).unwrap().measured_files().len(), MAX_ENTRIES);
    assert!(matches!(
        files(MAX_ENTRIES + 1),
        Err(Error::Malformed(Cbor { reason: Reason::TooLong { limit: MAX_ENTRIES }, .. }))
    ));

    let attributes = |count: i64, len: usize| {
        let mut map = entries();
        for label in 1..=count {
            map.int(-label, |w| _ = w.bytes(&vec![0; len]));
        }
        Tag::decode(&map.into_bytes()).map(|tag| tag.global().attributes.len())
    };
    assert_eq!(attributes(MAX_ATTRIBUTES as i64, 0), Ok(MAX_ATTRIBUTES));
    assert!(matches!(
        attributes(MAX_ATTRIBUTES as i64 + 1, 0),
        Err(Error::Malformed(Cbor { reason: Reason::TooLong { limit: MAX_ATTRIBUTES }, .. }))
    ));
    assert_eq!(attributes(1, MAX_ATTRIBUTE_LEN - 3), Ok(1));
    assert!(matches!(
        attributes(1, MAX_ATTRIBUTE_LEN - 2),
        Err(Error::Malformed(Cbor { reason: Reason::TooLong { limit: MAX_ATTRIBUTE_LEN }, .. }))
    ));

    // Attributes of 15 KiB, and one that fills up the rest.
    let long = |len: usize| {
        let filled = |rest: usize| {
            let mut map = entries();
            for label in 1..=68 {
                map.int(-label, |w| _ = w.bytes(&[0; 15 << 10]));
            }
            map.int(-100, |w| _ = w.bytes(&vec![0; rest])).clone().into_bytes()
        };
        let bytes = filled(300 + len - filled(300).len());
        assert_eq!(bytes.len(), len);
        Tag::decode(&bytes)
    };
    assert!(long(MAX_TAG_LEN).is_ok());
    assert_eq!(long(MAX_TAG_LEN + 1), Err(Cbor::new(0, Reason::TooLong { limit: MAX_TAG_LEN }).into()));
}

#[test]
fn directories_nest_until_the_depth_limit_and_no_further() {
    let nested = |depth: usize| {
        let mut map = entries();
        map.int(labels::PAYLOAD, |w| {
            w.map(1);
            for _ in 0..depth {
                w.int(labels::DIRECTORY)
                    .map(2)
                    .int(labels::FS_NAME)
                    .text("d")
                    .int(labels::PATH_ELEMENTS)
                    .map(1);
            }
            w.int(labels::FILE).map(1).int(labels::FS_NAME).text("f");
        });
        Tag::decode(&map.into_bytes())
    };
    // The tag, its payload and the file take three levels, each directory two.
    assert_eq!(nested(6).unwrap().measured_files()[0].path(), "d/d/d/d/d/d/f");
    assert!(matches!(nested(7), Err(Error::Malformed(Cbor { reason: Reason::TooDeep, .. }))));
}

/// The small valid tag without one of its entries.
fn without(label: i64) -> Vec<u8> {
    let bytes = entries().into_bytes();
    let mut reader = cbor::Reader::new(&bytes);
    let mut map = reader.map().unwrap();
    let mut kept = MapBuilder::new();
    while let Some(key) = map.next_int(&mut reader).unwrap() {
        let value = reader.raw().unwrap();
        if key != label {
            kept.int(key, |w| {
                w.raw(value);
            });
        }
    }
    kept.into_bytes()
}
