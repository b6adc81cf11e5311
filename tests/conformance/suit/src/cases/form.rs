//! What is no envelope or manifest (draft-ietf-suit-manifest-37, sections 6.1, 8; RFC 8949, section 4.2).

use super::{
    Book, COPY, FETCH, IMAGE, IMAGE_MATCH, INSTALL, OVERRIDE, RUN_SEQUENCE, SELECT, TRY_EACH, URI, VALIDATE,
    WRITE, author, fits, image, manifest, manifest_of, run, set, update,
};
use crate::author::{Item, envelope, flat, map, sequence};

const PARSE: &[&str] = &["cbor-parse"];

pub(super) fn write(book: &mut Book) {
    bytes(book);
    envelopes(book);
    manifests(book);
    sequences(book);
    unknown(book);
}

/// Writes something that whoever does not refuse leaves behind.
fn put() -> [(i64, Item); 2] {
    [set([(18, IMAGE.into())]), run(WRITE)]
}

/// A good manifest, spoilt and then signed.
fn spoilt(spoil: impl FnOnce(&mut Vec<(Item, Item)>)) -> Vec<u8> {
    let mut pairs = update().pairs();
    spoil(&mut pairs);
    envelope(&Item::Map(pairs), &author(), []).to_bytes()
}

fn bytes(book: &mut Book) {
    let good = update().sign(&author());
    for (name, length) in [
        ("empty", 0),
        ("truncated-head", 1),
        ("truncated", good.len() / 2),
        ("last-byte-missing", good.len() - 1),
    ] {
        book.refuse(name, "the envelope ends inside an item", good[..length].to_vec(), PARSE);
    }
    let trailing = [&good[..], &[0xf6]].concat();
    book.refuse("trailing", "one more item after the envelope", trailing, PARSE);
    book.refuse("text", "no CBOR at all", b"SUIT!".to_vec(), PARSE);
    let endless = [&[0xd8, 107, 0xa2, 2, 0x5b][..], &[0xff; 8], &[3, 0x41, 0xa0]].concat();
    book.refuse("length-endless", "a byte string of 2^64-1 bytes", endless, PARSE);
    let many = [&[0xd8, 107, 0xbb][..], &[0x7f; 8]].concat();
    book.refuse("count-endless", "a map of 2^62 entries and more", many, PARSE);
    let deep = [&[0xd8, 107, 0xa2, 2][..], &[0x81; 100_000], &[0xf6]].concat();
    book.refuse("nested-deeply", "100000 arrays within one another in place of the wrapper", deep, PARSE);
}

fn envelopes(book: &mut Book) {
    let good = update();
    let parts = |members: Vec<(Item, Item)>| good.envelope(&author(), members).to_bytes();
    let mut evil = update();
    evil.sequence_number = 99;
    book.refuse(
        "second-manifest",
        "a second, unsigned member 3 beside the signed one",
        parts(vec![(Item::Int(3), evil.item().wrap())]),
        PARSE,
    );
    let Item::Tag(tag, inner) = good.envelope(&author(), []) else { unreachable!("a tag") };
    let Item::Map(mut pairs) = *inner else { unreachable!("a map") };
    let without = |label: i64| {
        let pairs =
            pairs.iter().filter(|(key, _)| !matches!(key, Item::Int(is) if *is == label)).cloned().collect();
        Item::Tag(tag, Box::new(Item::Map(pairs))).to_bytes()
    };
    book.refuse("without-manifest", "8.2: member 3 is required", without(3), PARSE);
    book.refuse(
        "without-authentication",
        "8.2: member 2 is required",
        without(2),
        &["cbor-parse", "unauthorised"],
    );
    let other = Item::Tag(108, Box::new(Item::Map(pairs.clone()))).to_bytes();
    book.refuse("another-tag", "tag 108", other, PARSE);
    pairs.reverse();
    let reversed = Item::Tag(tag, Box::new(Item::Map(pairs))).to_bytes();
    book.refuse("manifest-first", "8.3: the authentication stands before the manifest", reversed, PARSE);
    let twice = vec![(Item::from("#fw"), IMAGE.into()), (Item::from("#fw"), IMAGE.into())];
    book.refuse("payload-twice", "two payloads of one name", parts(twice), PARSE);
}

fn manifests(book: &mut Book) {
    let without =
        |label: i64| spoilt(|pairs| pairs.retain(|(key, _)| !matches!(key, Item::Int(is) if *is == label)));
    book.refuse("without-version", "8.4: member 1 is required", without(1), PARSE);
    book.refuse("without-sequence-number", "8.4: member 2 is required", without(2), PARSE);
    book.refuse("without-common", "8.4: member 3 is required", without(3), PARSE);
    book.refuse("version-2", "8.4.1: there is version 1", spoilt(|it| it[0].1 = Item::Int(2)), &[]);
    book.refuse("version-0", "8.4.1: there is version 1", spoilt(|it| it[0].1 = Item::Int(0)), &[]);
    book.refuse("version-text", "a version of the wrong type", spoilt(|it| it[0].1 = "1".into()), PARSE);
    book.refuse(
        "sequence-number-negative",
        "8.4.2: it is unsigned",
        spoilt(|it| it[1].1 = Item::Int(-1)),
        PARSE,
    );
    book.refuse("duplicate-member", "member 20 twice", spoilt(|it| it.push(it[3].clone())), PARSE);
    book.refuse(
        "members-out-of-order",
        "8.1; RFC 8949, section 4.2.1: keys ascend",
        spoilt(|it| it.swap(0, 1)),
        PARSE,
    );
    let long = spoilt(|it| it[1].1 = Item::Raw(vec![0x19, 0, 7]));
    book.refuse("number-not-shortest", "RFC 8949, section 4.2.1: 7 in three bytes", long, PARSE);
    let body = update().item().to_bytes();
    let indefinite = [&[0xbf][..], &body[1..], &[0xff]].concat();
    let indefinite = envelope(&Item::Raw(indefinite), &author(), []).to_bytes();
    book.refuse("map-indefinite", "RFC 8949, section 4.2.1: lengths are definite", indefinite, PARSE);
    let trailing = [&body[..], &[0xf6]].concat();
    book.refuse(
        "trailing-in-manifest",
        "one more item inside the signed byte string",
        envelope(&Item::Raw(trailing), &author(), []).to_bytes(),
        PARSE,
    );
    let common = |common: Item| spoilt(|it| it[2].1 = common.wrap());
    book.refuse("components-missing", "8.4.5: common names components", common(map([])), PARSE);
    book.refuse("components-none", "8.4.5: one at least", common(map([(2, Item::Array(Vec::new()))])), PARSE);
    book.refuse(
        "components-not-lists",
        "a component identifier is a list of byte strings",
        common(map([(2, Item::Array(vec!["fw".into()]))])),
        PARSE,
    );
}

fn sequences(book: &mut Book) {
    let mut refuse = |name: &str, why: &str, manifest: crate::author::Manifest, reasons: &[&'static str]| {
        book.refuse(name, why, manifest.sign(&author()), reasons);
    };
    let Item::Array(mut odd) = flat(put()) else { unreachable!("a list") };
    odd.push(Item::Int(WRITE));
    let odd = Item::Array(odd).wrap();
    refuse(
        "sequence-odd",
        "8.4.6: commands and arguments come in pairs",
        manifest().member(INSTALL, odd),
        PARSE,
    );
    refuse(
        "sequence-not-wrapped",
        "8.4.6: a section is a byte string",
        manifest().member(INSTALL, flat(put())),
        &[],
    );
    let twice = Item::Map(vec![(Item::Int(21), URI.into()), (Item::Int(21), "https://evil.example/".into())]);
    refuse(
        "duplicate-parameter",
        "one parameter twice in one map",
        manifest().section(INSTALL, [(OVERRIDE, twice), run(FETCH)]),
        PARSE,
    );
    let one = Item::Array(vec![sequence(put())]);
    refuse(
        "try-each-one",
        "8.4.10.2: two alternatives at least",
        manifest().section(INSTALL, [(TRY_EACH, one)]),
        &[],
    );
    for (name, command) in [("fetch", FETCH), ("copy", COPY), ("write", WRITE), ("invoke", super::INVOKE)] {
        let shared = fits().into_iter().chain([
            image(IMAGE),
            set([(18, IMAGE.into()), (21, URI.into()), (22, Item::Int(0))]),
            run(command),
        ]);
        let manifest = manifest().shared(shared).section(VALIDATE, [run(IMAGE_MATCH)]);
        refuse(&format!("{name}-in-shared"), "8.4.5: the shared sequence has no effects", manifest, &[]);
    }
    let hidden = Item::Array(vec![sequence([set([(21, URI.into())]), run(FETCH)]), Item::Null]);
    let shared = fits().into_iter().chain([(TRY_EACH, hidden)]);
    refuse(
        "fetch-in-nested-shared",
        "8.4.5: nor do sequences inside it",
        manifest().shared(shared).section(INSTALL, put()),
        &[],
    );
    let soft = set([(13, Item::Bool(true))]);
    refuse(
        "soft-failure-outside",
        "8.4.8.15: only inside try-each and run-sequence",
        manifest().section(INSTALL, [soft].into_iter().chain(put())),
        &[],
    );
    let unselected = manifest_of(&["fw", "data"]).section(INSTALL, put());
    refuse("component-not-selected", "6.2: with two components a section selects one first", unselected, &[]);
    let beyond = manifest().section(INSTALL, [(SELECT, Item::Int(4))].into_iter().chain(put()));
    refuse("component-beyond", "8.4.10.1: component 4 of 1", beyond, &[]);
    let mut nested = sequence(put());
    for _ in 0..500 {
        nested = sequence([(RUN_SEQUENCE, nested)]);
    }
    refuse(
        "sequences-nested-deeply",
        "500 sequences within one another",
        manifest().section(INSTALL, [(RUN_SEQUENCE, nested)]),
        &[],
    );
}

fn unknown(book: &mut Book) {
    let mut refuse = |name: &str, why: &str, manifest: crate::author::Manifest, reasons: &[&'static str]| {
        book.refuse(name, why, manifest.sign(&author()), reasons);
    };
    refuse(
        "command-unknown",
        "6.1: unassigned command 40",
        manifest().section(INSTALL, [run(40)].into_iter().chain(put())),
        &["command-unsupported"],
    );
    let unreached = Item::Array(vec![sequence(put()), sequence([run(40)])]);
    let unreached = manifest().section(INSTALL, [(TRY_EACH, unreached)]);
    refuse("command-unknown-nested", "6.1: the same where it may not be reached", unreached, &[]);
    let custom = manifest().section(INSTALL, [(-300, Item::Int(1))].into_iter().chain(put()));
    refuse("command-private", "6.1: private command -300", custom, &["command-unsupported"]);
    let shared = manifest().shared(fits().into_iter().chain([(-300, Item::Int(1))]));
    refuse(
        "command-private-in-shared",
        "6.2: none in the shared sequence",
        shared.section(INSTALL, put()),
        &[],
    );
    let parameter = manifest().section(INSTALL, [set([(99, Item::Int(1))])].into_iter().chain(put()));
    refuse("parameter-unknown", "6.1: unassigned parameter 99", parameter, &["parameter-unsupported"]);
    refuse(
        "member-unknown",
        "unassigned manifest member 99, by which the manifest asks for something",
        update().member(99, Item::Int(1)),
        &[],
    );
    refuse(
        "member-zero",
        "8.1: 0 is never valid",
        {
            let mut manifest = update();
            manifest.members.insert(0, (0, Item::Int(1)));
            manifest
        },
        &[],
    );
}
