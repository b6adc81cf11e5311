//! One row for each rule of the decoders: the smallest input that breaks just that rule, the exact error, and where.

use cbor::{Reason, Type, Writer};
use corim::{
    Comid, Corim, Coserv, CoservQuery, Cotl, Error, MAX_CORIM_LEN, MAX_ENTRIES, MAX_EXTENSIONS, MAX_PEM_LEN,
    MAX_TEXT_LEN, RimSelector,
};
use sextant_corim as corim;

/// A CoMID with these triples, which begin at byte 7.
fn comid(triples: &str) -> Vec<u8> {
    testkit::hex(&format!("a2 01 a1 00 61 78 04 {triples}"))
}

/// A CoMID with one reference triple of these measurement values, which begin at byte 20.
fn measured(values: &str) -> Vec<u8> {
    comid(&format!("a1 00 81 82 a1 00 a1 01 61 76 81 a1 01 {values}"))
}

/// A CoMID with one reference triple about this environment, which begins at byte 11.
fn about(environment: &str) -> Vec<u8> {
    comid(&format!("a1 00 81 82 {environment} 81 a1 01 a1 0b 61 6e"))
}

/// A manifest of one CoSWID with these entries beside it, of which the first begins at byte 15.
fn manifest(count: u8, entries: &str) -> Vec<u8> {
    testkit::hex(&format!("d901f5 {:02x} 00 61 78 01 81 d901f9 41 a0 {entries}", 0xa2 + count))
}

fn rule(at: usize, rule: &'static str) -> Error {
    Error::Malformed(cbor::Error::rule(at, rule))
}

fn fails(at: usize, reason: Reason) -> Error {
    Error::Malformed(cbor::Error::new(at, reason))
}

const EMPTY: &str = "an array of one or more values is empty";
const ITEMS: &str = "array has another number of items than the format fixes";

#[test]
fn refuses_module_tags_that_break_a_rule() {
    let wrong = |expected, found| Reason::WrongType { expected, found };
    let rows: Vec<(&str, Vec<u8>, Error)> = vec![
        ("no identity", testkit::hex("a1 04 a0"), rule(2, "there are no triples")),
        ("identity missing", testkit::hex("a1 04 a1 18ff 00"), fails(0, Reason::MissingKey(1))),
        ("triples missing", testkit::hex("a1 01 a1 00 61 78"), fails(0, Reason::MissingKey(4))),
        (
            "identity without id",
            testkit::hex("a2 01 a1 01 00 04 a1 18ff 00"),
            fails(2, Reason::MissingKey(0)),
        ),
        ("unknown in identity", testkit::hex("a1 01 a1 05 00"), fails(3, Reason::Unknown(5))),
        ("text key in identity", testkit::hex("a1 01 a1 61 61 00"), rule(3, "map key is not an integer")),
        ("negative version", testkit::hex("a1 01 a1 01 20"), fails(4, wrong(Type::Unsigned, Type::Negative))),
        ("duplicate key", testkit::hex("a2 00 61 78 00"), fails(4, Reason::DuplicateKey)),
        ("no entities", testkit::hex("a1 02 80"), rule(2, EMPTY)),
        ("entity without name", testkit::hex("a1 02 81 a1 02 81 00"), fails(3, Reason::MissingKey(0))),
        ("entity without role", testkit::hex("a1 02 81 a1 00 61 78"), fails(3, Reason::MissingKey(2))),
        ("entity with no roles", testkit::hex("a1 02 81 a2 00 61 78 02 80"), rule(8, EMPTY)),
        ("link without id", testkit::hex("a1 03 81 a1 01 00"), fails(3, Reason::MissingKey(0))),
        ("link without relation", testkit::hex("a1 03 81 a1 00 61 78"), fails(3, Reason::MissingKey(1))),
        ("unknown in link", testkit::hex("a1 03 81 a1 05 00"), fails(4, Reason::Unknown(5))),
        ("no triples", comid("a0"), rule(7, "there are no triples")),
        ("no reference triples", comid("a1 00 80"), rule(9, EMPTY)),
        ("triple of three", comid("a1 00 81 83"), fails(10, Reason::Truncated)),
        ("triple of one", comid("a1 00 81 81 00"), rule(10, ITEMS)),
        ("no measurements", comid("a1 00 81 82 a1 00 a1 01 61 76 80"), rule(17, EMPTY)),
        ("empty environment", about("a0"), rule(11, "environment is empty")),
        ("empty class", about("a1 00 a0"), rule(13, "class is empty")),
        ("unknown in environment", about("a1 03 00"), fails(12, Reason::Unknown(3))),
        ("unknown in class", about("a1 00 a1 05 00"), fails(14, Reason::Unknown(5))),
        ("model without vendor", about("a1 00 a1 02 61 6d"), rule(13, "class has a model and no vendor")),
        (
            "class under another tag",
            about("a1 00 a1 00 d90226 47 01020304050607"),
            rule(15, "tag is none of a class identifier"),
        ),
        ("class without tag", about("a1 00 a1 00 41 00"), fails(15, wrong(Type::Tag, Type::Bytes))),
        (
            "short UUID",
            about("a1 00 a1 00 d825 41 00"),
            rule(17, "byte string has another length than the format fixes"),
        ),
        (
            "short UEID",
            about("a1 01 d90226 46 010203040506"),
            rule(16, "UEID has another length than 7 to 33 bytes"),
        ),
        (
            "instance that is a path",
            about("a1 01 d9022c 60"),
            rule(13, "a certification path is no instance"),
        ),
        ("instance under another tag", about("a1 01 d90228 00"), rule(13, "tag is none of a key")),
        (
            "group under another tag",
            about("a1 02 d90226 47 01020304050607"),
            rule(13, "tag is none of a group identifier"),
        ),
        (
            "measurement without values",
            comid("a1 00 81 82 a1 00 a1 01 61 76 81 a1 00 01"),
            fails(18, Reason::MissingKey(1)),
        ),
        (
            "unknown in measurement",
            comid("a1 00 81 82 a1 00 a1 01 61 76 81 a1 03 01"),
            fails(19, Reason::Unknown(3)),
        ),
        (
            "element under another tag",
            comid("a1 00 81 82 a1 00 a1 01 61 76 81 a1 00 d90230 40"),
            rule(20, "tag is none of a measured element"),
        ),
        (
            "older element without signer",
            comid("a1 00 81 82 a1 00 a1 01 61 76 81 a1 00 d90259 a1 01 60"),
            fails(23, Reason::MissingKey(5)),
        ),
        ("nobody may say so", comid("a1 00 81 82 a1 00 a1 01 61 76 81 a1 02 80"), rule(20, EMPTY)),
        ("empty values", measured("a0"), rule(20, "measurement is empty")),
        ("version without text", measured("a1 00 a1 01 01"), fails(22, Reason::MissingKey(0))),
        (
            "svn under another tag",
            measured("a1 01 d90227 01"),
            rule(22, "tag is none of a security version number"),
        ),
        ("negative svn", measured("a1 01 20"), fails(22, wrong(Type::Unsigned, Type::Negative))),
        ("no digests", measured("a1 02 80"), rule(22, EMPTY)),
        ("digest of three", measured("a1 02 81 83 01 40 00"), rule(23, ITEMS)),
        (
            "digest too short",
            measured("a1 02 81 82 01 41 00"),
            rule(25, "digest has another length than its algorithm"),
        ),
        (
            "named digest too short",
            measured("a1 02 81 82 67 7368612d323536 41 00"),
            rule(32, "digest has another length than its algorithm"),
        ),
        ("no flags", measured("a1 03 a0"), rule(22, "flags are empty")),
        ("flag that is a number", measured("a1 03 a1 00 01"), fails(24, wrong(Type::Bool, Type::Unsigned))),
        ("raw value without tag", measured("a1 04 40"), fails(22, wrong(Type::Tag, Type::Bytes))),
        ("raw value under another tag", measured("a1 04 d90231 40"), rule(22, "tag is none of a raw value")),
        ("mask alone", measured("a1 05 40"), rule(21, "mask stands without a plain raw value")),
        (
            "mask twice",
            measured("a2 04 d90233 82 40 40 05 40"),
            rule(28, "mask stands without a plain raw value"),
        ),
        (
            "short address",
            measured("a1 06 41 00"),
            rule(22, "address has another length than the format fixes"),
        ),
        (
            "long address",
            measured("a1 07 45 0000000000"),
            rule(22, "address has another length than the format fixes"),
        ),
        ("no keys", measured("a1 0d 80"), rule(22, EMPTY)),
        ("key without tag", measured("a1 0d 81 60"), fails(23, wrong(Type::Tag, Type::Text))),
        ("no registers", measured("a1 0e a0"), rule(22, "integrity registers are empty")),
        ("register without digests", measured("a1 0e a1 00 80"), rule(24, EMPTY)),
        (
            "negative register",
            measured("a1 0e a1 20 80"),
            rule(23, "integrity register is named by neither number nor text"),
        ),
        (
            "range under another tag",
            measured("a1 0f d90233 82 00 00"),
            rule(22, "tag is not that of a range"),
        ),
        ("range of one", measured("a1 0f d90234 81 00"), rule(25, ITEMS)),
        (
            "empty conditions",
            comid("a1 03 81 83 a1 00 a1 01 61 76 81 d90230 40 a0"),
            rule(22, "conditions are empty"),
        ),
        ("key triple of four", comid("a1 03 81 84 00 00 00 00"), rule(10, ITEMS)),
        ("key triple without keys", comid("a1 03 81 82 a1 00 a1 01 61 76 80"), rule(17, EMPTY)),
        ("domain without members", comid("a1 05 81 82 a1 00 a1 01 61 76 80"), rule(17, EMPTY)),
        ("no tags of an environment", comid("a1 06 81 82 a1 00 a1 01 61 76 80"), rule(17, EMPTY)),
        ("no series", comid("a1 08 81 82 82 a1 00 a1 01 61 76 80 80"), rule(19, EMPTY)),
        (
            "series without condition",
            comid("a1 08 81 82 82 a1 00 a1 01 61 76 80 81 82 80 80"),
            rule(21, EMPTY),
        ),
        ("no conditions", comid("a1 0a 81 82 80 80"), rule(11, EMPTY)),
        (
            "bytes after the end",
            [about("a1 00 a1 01 61 76"), vec![0]].concat(),
            fails(24, Reason::TrailingBytes),
        ),
        ("no UTF-8", testkit::hex("a1 00 61 ff"), fails(2, Reason::NotUtf8)),
    ];
    for (row, bytes, error) in rows {
        assert_eq!(Comid::decode(&bytes), Err(error), "{row}");
    }
    assert!(Comid::decode(&about("a1 00 a1 01 61 76")).is_ok(), "and with nothing wrong it is read");
    assert!(Comid::decode(&measured("a1 0b 61 6e")).is_ok());
}

#[test]
fn refuses_manifests_and_lists_that_break_a_rule() {
    let profile = "array has another number of items than the format fixes";
    let rows: Vec<(&str, Vec<u8>, Error)> = vec![
        ("no id", testkit::hex("d901f5 a1 01 81 d901f9 41 a0"), fails(3, Reason::MissingKey(0))),
        ("no tags", testkit::hex("d901f5 a1 00 61 78"), fails(3, Reason::MissingKey(1))),
        ("empty tags", testkit::hex("d901f5 a2 00 61 78 01 80"), rule(8, EMPTY)),
        (
            "bare tag",
            testkit::hex("d901f5 a2 00 61 78 01 81 a0"),
            fails(9, Reason::WrongType { expected: Type::Tag, found: Type::Map }),
        ),
        (
            "module tag that is none",
            testkit::hex("d901f5 a2 00 61 78 01 81 d901fa 41 a0"),
            fails(13, Reason::MissingKey(1)),
        ),
        (
            "bytes after a module tag",
            testkit::hex("d901f5 a2 00 61 78 01 81 d901fa 42 a0 00"),
            fails(13, Reason::MissingKey(1)),
        ),
        (
            "manifest in a manifest",
            testkit::hex("d901f5 a2 00 61 78 01 81 44 d901f5 a0"),
            rule(10, "manifest is in a manifest"),
        ),
        ("locator without place", manifest(1, "02 81 a0"), fails(16, Reason::MissingKey(0))),
        ("locator with no places", manifest(1, "02 81 a1 00 80"), rule(18, EMPTY)),
        ("two profiles", manifest(1, "03 82 61 61 61 62"), rule(15, profile)),
        ("validity without end", manifest(1, "04 a1 00 c1 00"), fails(15, Reason::MissingKey(1))),
        (
            "time without tag",
            manifest(1, "04 a1 01 00"),
            fails(17, Reason::WrongType { expected: Type::Tag, found: Type::Unsigned }),
        ),
        ("time under another tag", manifest(1, "04 a1 01 c2 40"), rule(17, "time is not under tag 1")),
        ("time that is no number", manifest(1, "04 a1 01 c1 f97e00"), fails(18, Reason::OutOfRange)),
        ("time without end", manifest(1, "04 a1 01 c1 f97c00"), fails(18, Reason::OutOfRange)),
        (
            "two signers",
            manifest(1, "05 82 a2 00 61 61 02 81 02 a2 00 61 62 02 81 02"),
            rule(15, "manifest names two signers"),
        ),
        (
            "another tag",
            testkit::hex("d901fb a0"),
            fails(0, Reason::WrongType { expected: Type::Map, found: Type::Tag }),
        ),
        ("nothing", vec![], fails(0, Reason::Truncated)),
    ];
    for (row, bytes, error) in rows {
        assert_eq!(Corim::decode(&bytes), Err(error), "{row}");
    }
    assert!(Corim::decode(&manifest(0, "")).is_ok(), "and with nothing wrong it is read");
    let rows: Vec<(&str, Vec<u8>, Error)> = vec![
        ("no identity", testkit::hex("a2 01 81 a1 00 61 78 02 a1 01 c1 00"), fails(0, Reason::MissingKey(0))),
        ("no tags", testkit::hex("a2 00 a1 00 61 78 02 a1 01 c1 00"), fails(0, Reason::MissingKey(1))),
        ("no validity", testkit::hex("a2 00 a1 00 61 78 01 81 a1 00 61 78"), fails(0, Reason::MissingKey(2))),
        ("empty tags", testkit::hex("a1 01 80"), rule(2, EMPTY)),
        ("unknown", testkit::hex("a1 03 00"), fails(1, Reason::Unknown(3))),
    ];
    for (row, bytes, error) in rows {
        assert_eq!(Cotl::decode(&bytes), Err(error), "{row}");
    }
}

/// Fractions of seconds never make a validity longer.
#[test]
fn validity_in_fractions_is_rounded_inwards() {
    let rows = [
        ("00 c1 f93e00 01 c1 f93e00", Some(2), 1),
        ("00 c1 f9be00 01 c1 f9be00", Some(-1), -2),
        ("00 c1 02 01 c1 03", Some(2), 3),
    ];
    for (times, not_before, not_after) in rows {
        let corim = Corim::decode(&manifest(1, &format!("04 a2 {times}"))).unwrap();
        assert_eq!(corim.validity, Some(corim::Validity { not_before, not_after }));
    }
}

/// What senders that are not deterministic write is read as if they were.
#[test]
fn longer_forms_and_indefinite_lengths_are_read() {
    let plain = Corim::decode(&manifest(0, "")).unwrap();
    for other in [
        "d901f5 a2 01 81 d901f9 41 a0 00 61 78",
        "d901f5 bf 00 7f 61 78 ff 01 9f d901f9 5f 41 a0 ff ff ff",
        "d901f5 a2 1800 61 78 01 81 d901f9 58 01 a0",
    ] {
        assert_eq!(Corim::decode(&testkit::hex(other)).unwrap(), plain);
    }
    let inner = "bf 01 a1 00 61 78 04 a1 00 81 82 a1 00 a1 01 61 76 81 a1 01 a1 0b 61 6e ff";
    let len = testkit::hex(inner).len();
    let outer = testkit::hex(&format!("d901f5 a2 00 61 78 01 81 d901fa 58 {len:02x} {inner}"));
    assert_eq!(Corim::decode(&outer).unwrap().comids().count(), 1);
}

#[test]
fn limits_hold_at_the_limit_and_not_beyond() {
    let text = |len: usize| {
        Writer::encode(|w| {
            w.map(2).int(0).text(&"x".repeat(len)).int(1).array(1).tag(505).bytes(&[0xa0]);
        })
    };
    assert!(Corim::decode(&text(MAX_TEXT_LEN)).is_ok());
    assert_eq!(
        Corim::decode(&text(MAX_TEXT_LEN + 1)),
        Err(fails(2, Reason::TooLong { limit: MAX_TEXT_LEN }))
    );

    let tags = |count: usize| {
        Writer::encode(|w| {
            w.map(2).int(0).text("x").int(1).array(count);
            (0..count).for_each(|_| _ = w.tag(505).bytes(&[0xa0]));
        })
    };
    assert_eq!(Corim::decode(&tags(MAX_ENTRIES)).unwrap().coswids().count(), MAX_ENTRIES);
    assert_eq!(Corim::decode(&tags(MAX_ENTRIES + 1)), Err(fails(5, Reason::TooLong { limit: MAX_ENTRIES })));

    let extensions = |count: usize| {
        Writer::encode(|w| {
            w.map(2 + count).int(0).text("x").int(1).array(1).tag(505).bytes(&[0xa0]);
            (0..count).for_each(|label| _ = w.int(1000 + label as i64).int(0));
        })
    };
    assert_eq!(Corim::decode(&extensions(MAX_EXTENSIONS)).unwrap().extensions.len(), MAX_EXTENSIONS);
    let refused = Corim::decode(&extensions(MAX_EXTENSIONS + 1)).unwrap_err();
    assert!(
        matches!(refused, Error::Malformed(error) if error.reason == Reason::TooLong { limit: MAX_EXTENSIONS })
    );

    let pem = |len: usize| {
        let key = Writer::encode(|w| {
            w.tag(554).text(&"x".repeat(len));
        });
        let mut bytes = comid("a1 03 81 82 a1 00 a1 01 61 76 81");
        bytes.extend(key);
        bytes
    };
    assert!(Comid::decode(&pem(MAX_PEM_LEN)).is_ok());
    assert_eq!(Comid::decode(&pem(MAX_PEM_LEN + 1)), Err(fails(21, Reason::TooLong { limit: MAX_PEM_LEN })));

    let registers = |count: usize| {
        let mut bytes = measured("");
        bytes.extend(Writer::encode(|w| {
            w.map(1).int(14).map(count);
            (0..count).for_each(|id| _ = w.int(id as i64).array(1).array(2).int(-1).bytes(&[]));
        }));
        bytes
    };
    assert!(Comid::decode(&registers(MAX_ENTRIES)).is_ok());
    assert_eq!(
        Comid::decode(&registers(MAX_ENTRIES + 1)),
        Err(fails(22, Reason::TooLong { limit: MAX_ENTRIES }))
    );

    let whole = |len: usize| {
        let mut bytes = manifest(0, "");
        bytes.truncate(bytes.len() - 2);
        let rest = len - bytes.len() - 5;
        bytes.extend(Writer::encode(|w| {
            w.bytes(&vec![0xa0; rest]);
        }));
        bytes
    };
    assert_eq!(whole(MAX_CORIM_LEN).len(), MAX_CORIM_LEN);
    assert!(Corim::decode(&whole(MAX_CORIM_LEN)).is_ok());
    let too_long = fails(0, Reason::TooLong { limit: MAX_CORIM_LEN });
    assert_eq!(Corim::decode(&whole(MAX_CORIM_LEN + 1)), Err(too_long));
    assert_eq!(Comid::decode(&vec![0; MAX_CORIM_LEN + 1]), Err(too_long));
    assert_eq!(Cotl::decode(&vec![0; MAX_CORIM_LEN + 1]), Err(too_long));
    assert!(Corim::decode_within(&whole(MAX_CORIM_LEN + 1), MAX_CORIM_LEN + 1).is_ok());
    assert!(Corim::decode_within(&manifest(0, ""), 3).is_err());

    // Nesting is that of `cbor`: an unknown value as deep as it goes, and one deeper.
    let deep = |levels: usize| manifest(1, &format!("1901f4 {} 00", "81 ".repeat(levels)));
    assert!(Corim::decode(&deep(cbor::MAX_DEPTH)).is_ok());
    let refused = Corim::decode(&deep(cbor::MAX_DEPTH + 1)).unwrap_err();
    assert!(matches!(refused, Error::Malformed(error) if error.reason == Reason::TooDeep));
}

#[test]
fn lists_activate_all_of_their_tags_or_none() {
    let bytes = testkit::hex("a3 00 a1 00 61 6c 01 82 a1 00 61 61 a2 00 61 62 01 02 02 a2 00 c1 05 01 c1 07");
    let list = Cotl::decode(&bytes).unwrap();
    assert_eq!(list.activates(6, |_| true).len(), 2);
    assert!(list.activates(6, |tag| tag.version == 2).is_empty(), "one is not at hand");
    assert!(list.activates(4, |_| true).is_empty() && list.activates(8, |_| true).is_empty());
    assert_eq!(list.encode(), bytes);
}

#[test]
fn refuses_queries_and_answers_that_break_a_rule() {
    const QUERY: &str = "a3 00 02 01 a1 01 81 81 d90230 41 01 02 00";
    let coserv = |query: &str, results: &str| {
        let count = if results.is_empty() { "a2" } else { "a3" };
        testkit::hex(&format!("{count} 00 61 70 01 {query} {results}"))
    };
    let rows: Vec<(&str, Vec<u8>, Error)> = vec![
        ("no profile", testkit::hex(&format!("a1 01 {QUERY}")), fails(0, Reason::MissingKey(0))),
        ("no query", testkit::hex("a1 00 61 70"), fails(0, Reason::MissingKey(1))),
        ("unknown", testkit::hex("a1 03 00"), fails(1, Reason::Unknown(3))),
        ("empty query", coserv("a0", ""), fails(5, Reason::MissingKey(0))),
        ("no selector", coserv("a2 00 02 02 00", ""), fails(5, Reason::MissingKey(1))),
        ("no form", coserv("a2 00 02 01 a1 01 81 81 d90230 40", ""), fails(5, Reason::MissingKey(2))),
        ("unknown artifacts", coserv("a1 00 03", ""), fails(7, Reason::Unknown(3))),
        ("unknown form", coserv("a1 02 03", ""), fails(7, Reason::Unknown(3))),
        ("unknown in query", coserv("a1 04 00", ""), fails(6, Reason::Unknown(4))),
        (
            "two queries",
            coserv("a2 00 02 03 81 82 00 61 78", ""),
            rule(5, "query is for environments and for manifests"),
        ),
        ("nothing selected", coserv("a1 01 a0", ""), rule(7, "query selects nothing")),
        ("unknown selected", coserv("a1 01 a1 03 00", ""), fails(8, Reason::Unknown(3))),
        (
            "two kinds",
            coserv("a1 01 a2 01 81 81 d90230 40 02 81 81 d90230 40", ""),
            rule(15, "query selects environments of two kinds"),
        ),
        ("no class", coserv("a1 01 a1 00 80", ""), rule(9, EMPTY)),
        ("environment of none", coserv("a1 01 a1 00 81 80", ""), rule(10, ITEMS)),
        ("no manifests", coserv("a1 03 80", ""), rule(7, EMPTY)),
        ("unknown manifest", coserv("a1 03 81 82 03 61 78", ""), fails(9, Reason::Unknown(3))),
        (
            "empty answer",
            coserv(QUERY, "02 a1 0a c0 74 313937302d30312d30315430303a30303a30305a"),
            rule(21, "answer holds nothing"),
        ),
        ("no expiry", coserv(QUERY, "02 a1 00 80"), fails(21, Reason::MissingKey(10))),
        ("expiry as a number", coserv(QUERY, "02 a1 0a c1 00"), rule(23, "date is not under tag 0")),
        ("expiry that is no date", coserv(QUERY, "02 a1 0a c0 60"), rule(24, "date is not one of RFC 3339")),
        ("unknown in answer", coserv(QUERY, "02 a1 0c 00"), fails(22, Reason::Unknown(12))),
        ("no authorities", coserv(QUERY, "02 a1 00 81 a1 01 80"), rule(26, EMPTY)),
        ("no triple", coserv(QUERY, "02 a1 00 81 a1 01 81 d90230 40"), fails(24, Reason::MissingKey(2))),
        (
            "nobody said it",
            coserv(QUERY, "02 a1 03 81 a1 02 82 a1 02 d90230 40 81 d90230 40"),
            fails(24, Reason::MissingKey(1)),
        ),
        ("unknown in a quad", coserv(QUERY, "02 a1 00 81 a1 03 00"), fails(25, Reason::Unknown(3))),
        ("no sources", coserv(QUERY, "02 a1 0b 80"), rule(23, EMPTY)),
        ("too long", vec![0; MAX_CORIM_LEN + 1], fails(0, Reason::TooLong { limit: MAX_CORIM_LEN })),
    ];
    for (row, bytes, error) in rows {
        assert_eq!(Coserv::decode(&bytes), Err(error), "{row}");
    }
    let query = Coserv::decode(&coserv(QUERY, "")).unwrap();
    assert_eq!(query.encode(), coserv(QUERY, ""));
    let rims = Coserv::decode(&coserv("a1 03 83 82 00 61 78 82 01 61 79 82 02 61 7a", "")).unwrap();
    let id = |text: &str| corim::TagId::Text(text.into());
    let wanted = [RimSelector::Comid(id("x")), RimSelector::Coswid(id("y")), RimSelector::Corim(id("z"))];
    assert_eq!(rims.query, CoservQuery::Rims(wanted.into()));
    let by_oid = testkit::hex(&format!("a2 00 41 2a 01 {QUERY}"));
    assert_eq!(Coserv::decode(&by_oid).unwrap().encode(), by_oid);
}
