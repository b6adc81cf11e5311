//! Each bound at the limit and one past it.

use cbor::{MapBuilder, Reason, Writer};
use sextant_suit::Error;
use sextant_suit::legacy::LegacyError;
use sextant_suit::limits::{
    MAX_ALTERNATIVES, MAX_COMMANDS, MAX_COMPONENTS, MAX_DEPENDENCIES, MAX_ENVELOPE_LEN, MAX_NESTING,
    MAX_PAYLOADS, MAX_SIGNATURES, MAX_URI_LEN,
};

use crate::writer::{
    Manifest, OLD_SHA256, SHA256, Shape, check, common, compatibility, digest, fetch, plain, read, sequence,
    set, try_each,
};

/// Reads at the limit and is refused one past it, with the limit.
fn bounded(limit: usize, make: impl Fn(usize) -> Vec<u8>) {
    refused_for(Reason::TooLong { limit }, limit, make);
}

fn refused_for(reason: Reason, limit: usize, make: impl Fn(usize) -> Vec<u8>) {
    assert_eq!(read(&make(limit)), Ok(()), "at {limit}");
    match read(&make(limit + 1)).expect_err("one past it") {
        LegacyError::Format(Error::Malformed(error)) => assert_eq!(error.reason, reason),
        other => panic!("{other}"),
    }
}

fn old(commands: &[crate::writer::Command]) -> Vec<u8> {
    let manifest = Manifest::new(sequence(&compatibility(OLD_SHA256))).wrap(9, &sequence(commands));
    Shape::riot().envelope(&manifest.build())
}

#[test]
fn bounds_commands_alternatives_and_nesting() {
    bounded(MAX_COMMANDS, |count| old(&vec![plain(3, 15); count]));
    bounded(MAX_ALTERNATIVES, |count| old(&[try_each(&vec![check(); count])]));
    refused_for(Reason::TooDeep, MAX_NESTING, |depth| {
        let inner = (0..depth).fold(check(), |inner, _| {
            sequence(&[(
                32,
                Writer::encode(|w| {
                    w.bytes(&inner);
                }),
            )])
        });
        let manifest = Manifest::new(sequence(&compatibility(OLD_SHA256))).wrap(9, &inner);
        Shape::riot().envelope(&manifest.build())
    });
}

#[test]
fn bounds_components_and_dependencies() {
    bounded(MAX_COMPONENTS, |count| {
        let names: Vec<[u8; 1]> = (0..count).map(|index| [index as u8]).collect();
        let names: Vec<&[u8]> = names.iter().map(<[u8; 1]>::as_slice).collect();
        Shape::riot().envelope(&Manifest::with_common(&common(&names, &check())).wrap(10, &check()).build())
    });
    bounded(MAX_DEPENDENCIES, |count| {
        let mut map = MapBuilder::new();
        map.int(1, |w| {
            w.array(count);
            for _ in 0..count {
                w.map(1).int(1);
                digest(w, OLD_SHA256, b"x");
            }
        });
        Shape::riot().envelope(&Manifest::with_common(&map.into_bytes()).wrap(10, &check()).build())
    });
}

#[test]
fn bounds_parameters_and_lists_of_uris() {
    bounded(MAX_COMMANDS, |count| {
        let mut map = MapBuilder::new();
        for index in 0..count {
            map.int(-1 - index as i64, |w| {
                w.null();
            });
        }
        old(&[(20, map.into_bytes())])
    });
    bounded(16, |count| {
        let list = Writer::encode(|w| {
            w.array(count);
            (0..count).for_each(|_| {
                w.text("coap://a.example");
            });
        });
        old(&[set(20, 30, |w| {
            w.bytes(&list);
        })])
    });
    bounded(MAX_URI_LEN, |len| {
        old(&[set(20, 21, |w| {
            w.text(&"a".repeat(len));
        })])
    });
}

#[test]
fn bounds_the_envelope_its_signatures_and_its_payloads() {
    let manifest = Manifest::new(sequence(&compatibility(OLD_SHA256))).wrap(9, &fetch("#42")).build();
    bounded(MAX_PAYLOADS, |count| {
        let payloads = (0..count).map(|index| (24 + index as i64, vec![1])).collect();
        Shape { payloads, ..Shape::riot() }.envelope(&manifest)
    });
    // Payloads do not count; everything else does.
    let text = |len: usize| {
        let content = vec![0x60; len];
        let manifest = Manifest::new(sequence(&compatibility(SHA256))).wrap(10, &check()).wrap(13, &content);
        let payload = vec![1; MAX_ENVELOPE_LEN];
        Shape { named_payloads: vec![("#a", payload)], ..Shape::tagged(107) }.envelope(&manifest.build())
    };
    let rest = text(MAX_ENVELOPE_LEN / 2).len() - MAX_ENVELOPE_LEN / 2 - MAX_ENVELOPE_LEN;
    bounded(MAX_ENVELOPE_LEN, |len| text(len - rest));
    for digest_first in [false, true] {
        bounded(MAX_SIGNATURES, |count| signed_often(&manifest, count, digest_first));
    }
}

/// The same signature several times over.
fn signed_often(manifest: &[u8], count: usize, digest_first: bool) -> Vec<u8> {
    let digest = Writer::encode(|w| digest(w, OLD_SHA256, &crate::writer::wrapped(manifest)));
    let block = cose::Sign1Builder::new().sign(&Shape::riot().key(), &digest);
    Writer::encode(|w| {
        w.map(2).int(2);
        w.wrap(|w| {
            w.array(count + usize::from(digest_first));
            if digest_first {
                w.bytes(&digest);
            }
            (0..count).for_each(|_| {
                w.bytes(&block);
            });
        });
        w.int(3).bytes(manifest);
    })
}
