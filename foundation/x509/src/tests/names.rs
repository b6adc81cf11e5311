//! Names: equality, texts and limits.

use der::Tag;
use der::asn1::{PrintableStringRef, Utf8StringRef};

use super::pki::name;
use crate::{AttributeType, Error, Malformed, Misuse, Name, ObjectIdentifier, oids, writer};

fn of(values: &[(&str, Vec<u8>)]) -> Name {
    let rdns: Vec<u8> = values
        .iter()
        .flat_map(|(oid, value)| {
            let oid = writer::oid(ObjectIdentifier::new_unwrap(oid));
            writer::element(Tag::Set, &writer::sequence([&oid, value]))
        })
        .collect();
    Name::decode(&writer::element(Tag::Sequence, &rdns)).expect("a name")
}

fn utf8(text: &str) -> Vec<u8> {
    writer::value(&Utf8StringRef::new(text).expect("UTF-8"))
}

fn printable(text: &str) -> Vec<u8> {
    writer::value(&PrintableStringRef::new(text).expect("printable"))
}

#[test]
fn equality_ignores_string_type_case_and_insignificant_space() {
    let plain = of(&[("2.5.4.10", utf8("Maker")), ("2.5.4.3", utf8("MUD signer"))]);
    let rows = [
        [("2.5.4.10", printable("Maker")), ("2.5.4.3", printable("MUD signer"))],
        [("2.5.4.10", utf8("MAKER")), ("2.5.4.3", utf8("mud Signer"))],
        [("2.5.4.10", utf8("  Maker ")), ("2.5.4.3", utf8("MUD \t  signer"))],
    ];
    for row in rows {
        assert_eq!(of(&row), plain, "{row:?}");
    }
    assert_eq!(of(&[("2.5.4.3", utf8("ÄÖÜ"))]), of(&[("2.5.4.3", utf8("äöü"))]));
}

#[test]
fn equality_sees_order_type_and_every_character() {
    let plain = of(&[("2.5.4.10", utf8("Maker")), ("2.5.4.3", utf8("MUD signer"))]);
    let teletex = writer::element(Tag::TeletexString, b"MUD signer");
    let rows = [
        vec![("2.5.4.3", utf8("MUD signer")), ("2.5.4.10", utf8("Maker"))],
        vec![("2.5.4.10", utf8("Maker"))],
        vec![("2.5.4.10", utf8("Maker")), ("2.5.4.11", utf8("MUD signer"))],
        vec![("2.5.4.10", utf8("Maker")), ("2.5.4.3", utf8("MUDsigner"))],
        vec![("2.5.4.10", utf8("Maker")), ("2.5.4.3", utf8("MUD signer2"))],
        vec![("2.5.4.10", utf8("Maker")), ("2.5.4.3", teletex)],
        vec![],
    ];
    for row in rows {
        assert_ne!(of(&row), plain, "{row:?}");
    }
}

#[test]
fn attributes_of_one_rdn_are_a_set() {
    let pair = |oid, value: &[u8]| writer::sequence([&writer::oid(oid), value]);
    let (a, b) = (pair(oids::COMMON_NAME, &utf8("a")), pair(oids::SERIAL_NUMBER, &printable("b")));
    let of = |parts: &[&[u8]]| {
        let set = writer::element(Tag::Set, &parts.concat());
        Name::decode(&writer::element(Tag::Sequence, &set)).expect("a name")
    };
    assert_eq!(of(&[&a, &b]), of(&[&b, &a]));
    assert_eq!(of(&[&a, &b]).to_string(), "CN=a+serialNumber=b");
    assert_ne!(of(&[&a, &b]), of(&[&a]));
}

#[test]
fn text_reads_back() {
    for text in [
        "O=Maker, CN=Maker MUD signer",
        "C=DE, ST=Berlin, L=Berlin, OU=R\\, D, serialNumber=0001",
        "CN=\\#1 \\\"best\\\"\\\\\\+\\<\\>\\;",
        "CN=\\ space at both ends\\ ",
        "DC=example, emailAddress=someone@maker.example",
        "CN=\u{a0}other space is not cut\u{3000}",
    ] {
        assert_eq!(name(text).to_string(), text);
    }
    assert_eq!(name(" cn = a  ").to_string(), "CN=a");
    assert_eq!(name("CN=\\c3\\a4").common_name(), Some("ä"));
}

#[test]
fn display_shows_what_could_hide() {
    let hidden =
        of(&[("2.5.4.3", utf8("a\u{202e}b\nc")), ("1.2.3", utf8("x")), ("2.5.4.4", b"\x05\0".to_vec())]);
    assert_eq!(hidden.to_string(), "CN=a\\e2\\80\\aeb\\0ac, 1.2.3=x, 2.5.4.4=#0500");
}

#[test]
fn rejects_texts_that_are_no_names() {
    let rows = [
        ("", Misuse::NameSyntax),
        ("Maker", Misuse::NameSyntax),
        ("XY=Maker", Misuse::NameSyntax),
        ("CN=a, ", Misuse::NameSyntax),
        ("CN=a+OU=b", Misuse::NameSyntax),
        ("CN=a\\", Misuse::NameSyntax),
        ("CN=a\\a", Misuse::NameSyntax),
        ("CN=\\ff", Misuse::NameSyntax),
        ("CN=", Misuse::NameValue),
        ("C=DEU", Misuse::NameValue),
        ("CN=a\\0ab", Misuse::NameValue),
        ("DC=ä", Misuse::NameValue),
        ("serialNumber=a_b", Misuse::NameValue),
    ];
    for (text, misuse) in rows {
        assert_eq!(text.parse::<Name>().map(|_| ()), Err(Error::Misuse(misuse)), "{text}");
    }
    assert!(format!("CN={}", "a".repeat(64)).parse::<Name>().is_ok());
    assert_eq!(
        format!("CN={}", "a".repeat(65)).parse::<Name>().map(|_| ()),
        Err(Error::Misuse(Misuse::NameValue))
    );
}

#[test]
fn rejects_more_attributes_than_the_limit() {
    let attribute = (AttributeType::OrganizationalUnit, "unit");
    assert!(Name::new(&[attribute; 32]).is_ok());
    let error = Name::new(&[attribute; 33]).expect_err("one too many");
    assert!(matches!(error, Error::Malformed { reason: Malformed::TooLong { limit: 32 }, .. }), "{error}");
    assert_eq!(
        Name::decode(&testkit::hex("3002 3100")).map(|_| ()),
        Err(Error::rule(2, "relative distinguished name is empty"))
    );
}
