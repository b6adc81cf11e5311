//! What is refused: one row per rule, the smallest change that breaks it, and the exact error.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::{ACE, GOOD, changed};
use crate::decode::{Context, MAX_ACES, MAX_ACLS, MAX_ENTRIES, MAX_NAMES, parse};
use crate::error::{Error, Limit, SchemaFault};
use crate::finding::Severity;
use crate::model::AceBody;

#[test]
fn refuses_a_file_that_breaks_a_rule() {
    use SchemaFault::*;
    let mud = "/ietf-mud:mud";
    // What is replaced, by what, the pointer in the error, the text it points at, and the rule.
    let rows: &[(&str, &str, &str, &str, SchemaFault)] = &[
        ("\"ietf-mud:mud\":", "\"x\":", "", "{\"x\"", Missing("mud")),
        ("\"ietf-mud:mud\":", "\"ietf-mud:mud\":[],\"x\":", mud, "[]", Expected("an object")),
        ("\"mud-version\":1,", "", mud, "{\"mud-url", Missing("mud-version")),
        ("\"mud-version\":1", "\"mud-version\":2", "/ietf-mud:mud/mud-version", "2,", Version),
        (
            "\"mud-version\":1",
            "\"mud-version\":\"1\"",
            "/ietf-mud:mud/mud-version",
            "\"1\"",
            Expected("an integer"),
        ),
        (
            "\"mud-version\":1",
            "\"mud-version\":1.0",
            "/ietf-mud:mud/mud-version",
            "1.0",
            Expected("an integer"),
        ),
        ("\"mud-url\":\"https://maker.example/cam.json\",", "", mud, "{\"mud-v", Missing("mud-url")),
        (
            "https://maker.example/cam.json",
            "http://maker.example/",
            "/ietf-mud:mud/mud-url",
            "\"http://",
            Expected("an absolute https URL"),
        ),
        (
            "https://maker.example/cam.json",
            "https://m\u{e4}ker.example/",
            "/ietf-mud:mud/mud-url",
            "\"https://",
            Expected("an absolute https URL"),
        ),
        ("\"last-update\":\"2026-03-01T10:00:00Z\",", "", mud, "{\"mud-v", Missing("last-update")),
        (
            "2026-03-01T10:00:00Z",
            "yesterday",
            "/ietf-mud:mud/last-update",
            "\"yester",
            Expected("a date-and-time"),
        ),
        ("\"is-supported\":true,", "", mud, "{\"mud-v", Missing("is-supported")),
        (
            "\"is-supported\":true",
            "\"is-supported\":1",
            "/ietf-mud:mud/is-supported",
            "1,\n",
            Expected("a boolean"),
        ),
        (
            "\"cache-validity\":48",
            "\"cache-validity\":0",
            "/ietf-mud:mud/cache-validity",
            "0,\"is",
            OutOfRange { min: 1, max: 168 },
        ),
        (
            "\"cache-validity\":48",
            "\"cache-validity\":169",
            "/ietf-mud:mud/cache-validity",
            "169",
            OutOfRange { min: 1, max: 168 },
        ),
        (
            "\"cache-validity\":48",
            "\"cache-validity\":-1",
            "/ietf-mud:mud/cache-validity",
            "-1",
            OutOfRange { min: 1, max: 168 },
        ),
        ("\"cam.p7s\"", "\"cam p7s\"", "/ietf-mud:mud/mud-signature", "\"cam p7s", Expected("a URI")),
        ("\"A camera\"", "7", "/ietf-mud:mud/systeminfo", "7,\"mfg", Expected("a string")),
        (
            "[],\n",
            "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"],\n",
            "/ietf-mud:mud/extensions/0",
            "\"aaaa",
            Length { min: 1, max: 40 },
        ),
        (
            "[],\n",
            "[\"\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}a\"],\n",
            "/ietf-mud:mud/extensions/0",
            "\"\u{e4}",
            Length { min: 1, max: 40 },
        ),
        ("[],\n", "[\"\"],\n", "/ietf-mud:mud/extensions/0", "\"\"", Length { min: 1, max: 40 }),
        (
            "[{\"name\":\"fr\"}]",
            "[{}]",
            "/ietf-mud:mud/from-device-policy/access-lists/access-list/0",
            "{}",
            Missing("name"),
        ),
        (
            "[{\"name\":\"fr\"}]",
            "[{\"name\":\"fr\"},{\"name\":\"fr\"}]",
            "/ietf-mud:mud/from-device-policy/access-lists/access-list/1/name",
            "\"fr\"}]",
            DuplicateKey("fr".into()),
        ),
        ("[{\"name\":\"fr\"}]", "[{\"name\":\"fx\"}]", mud, "{\"mud-v", UnknownAcl("fx".into())),
        (
            "\"mfg-name\"",
            "\"ietf-mud:systeminfo\"",
            "/ietf-mud:mud/ietf-mud:systeminfo",
            "\"Maker\"",
            DuplicateMember("systeminfo"),
        ),
        ("\"name\":\"fr\",", "", "/ietf-access-control-list:acls/acl/0", "{\"type\"", Missing("name")),
        (
            "\"name\":\"fr\",",
            "\"name\":\"\",",
            "/ietf-access-control-list:acls/acl/0/name",
            "\"\",\"type",
            Length { min: 1, max: 64 },
        ),
        (
            "\"name\":\"fr\",\"type\":\"ipv4-acl-type\"",
            "\"name\":\"fr\",\"type\":\"ipx\"",
            "/ietf-access-control-list:acls/acl/0/type",
            "\"ipx\"",
            Expected("the type of an access control list"),
        ),
        (
            "{\"name\":\"to\",",
            "{\"name\":\"fr\"},{\"name\":\"to\",",
            "/ietf-access-control-list:acls/acl/1",
            "{\"name\":\"fr\"},",
            DuplicateKey("fr".into()),
        ),
        ("\"forwarding\":\"accept\"", "", &format!("{ACE}/actions"), "{}}]}}", Missing("forwarding")),
        (
            "\"accept\"",
            "\"allow\"",
            &format!("{ACE}/actions/forwarding"),
            "\"allow",
            Expected("accept, drop or reject"),
        ),
        (
            "\"ipv4\":{",
            "\"ipv6\":{},\"ipv4\":{",
            &format!("{ACE}/matches"),
            "{\"ipv6",
            TwoCases("ipv4 and ipv6"),
        ),
        (
            "\"tcp\":{",
            "\"icmp\":{},\"tcp\":{",
            &format!("{ACE}/matches"),
            "{\"ipv4",
            TwoCases("tcp, udp and icmp"),
        ),
        (
            "\"protocol\":6",
            "\"protocol\":256",
            &format!("{ACE}/matches/ipv4/protocol"),
            "256",
            OutOfRange { min: 0, max: 255 },
        ),
        (
            "\"protocol\":6",
            "\"dscp\":64",
            &format!("{ACE}/matches/ipv4/dscp"),
            "64,",
            OutOfRange { min: 0, max: 63 },
        ),
        (
            "api.maker.example",
            "*.maker.example",
            &format!("{ACE}/matches/ipv4/ietf-acldns:dst-dnsname"),
            "\"*.",
            Expected("a host"),
        ),
        (
            "\"port\":443",
            "\"port\":65536",
            &format!("{ACE}/matches/tcp/destination-port/port"),
            "65536",
            OutOfRange { min: 0, max: 65535 },
        ),
        (
            ",\"port\":443",
            "",
            &format!("{ACE}/matches/tcp/destination-port"),
            "{\"operator\":\"eq\"}",
            Missing("port"),
        ),
        (
            "\"eq\"",
            "\"lt\"",
            &format!("{ACE}/matches/tcp/destination-port/operator"),
            "\"lt\"",
            Expected("lte, gte, eq or neq"),
        ),
        (
            "\"operator\":\"eq\",\"port\":443",
            "\"lower-port\":2,\"upper-port\":1",
            &format!("{ACE}/matches/tcp/destination-port"),
            "{\"lower",
            InvertedRange,
        ),
        (
            "\"operator\":\"eq\"",
            "\"lower-port\":1,\"upper-port\":2",
            &format!("{ACE}/matches/tcp/destination-port"),
            "{\"lower",
            TwoCases("port and a port range"),
        ),
        (
            "\"from-device\"}",
            "\"device\"}",
            &format!("{ACE}/matches/tcp/ietf-mud:direction-initiated"),
            "\"device\"",
            Expected("from-device or to-device"),
        ),
        (
            "\"tcp\":{",
            "\"udp\":{",
            &format!("{ACE}/matches/udp/ietf-mud:direction-initiated"),
            "\"from-device\"}",
            DirectionWithoutTcp,
        ),
        (
            "\"tcp\":{",
            "\"tcp\":{\"flags\":\"syn sin\",",
            &format!("{ACE}/matches/tcp/flags"),
            "\"syn sin",
            Expected("names of flags"),
        ),
        (
            "\"tcp\":{",
            "\"tcp\":{\"options\":\"AAA\",",
            &format!("{ACE}/matches/tcp/options"),
            "\"AAA\"",
            Expected("base64"),
        ),
        (
            "\"tcp\":{",
            "\"tcp\":{\"options\":\"\",",
            &format!("{ACE}/matches/tcp/options"),
            "\"\",",
            Length { min: 1, max: 40 },
        ),
        (
            "\"ipv4\":{",
            "\"eth\":{\"ethertype\":\"0x88\"},\"ipv4\":{",
            &format!("{ACE}/matches/eth/ethertype"),
            "\"0x88",
            Expected("an ethertype"),
        ),
        (
            "\"ipv4\":{",
            "\"eth\":{\"source-mac-address\":\"0:1\"},\"ipv4\":{",
            &format!("{ACE}/matches/eth/source-mac-address"),
            "\"0:1",
            Expected("a MAC address"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-mud:mud\":{\"local-networks\":[1]},\"ipv4\":{",
            &format!("{ACE}/matches/ietf-mud:mud/local-networks"),
            "[1]",
            Expected("[null]"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-mud:mud\":{\"local-networks\":false},\"ipv4\":{",
            &format!("{ACE}/matches/ietf-mud:mud/local-networks"),
            "false",
            Expected("[null]"),
        ),
        (
            "\"protocol\":6",
            "\"destination-ipv4-network\":\"192.0.2.0/33\"",
            &format!("{ACE}/matches/ipv4/destination-ipv4-network"),
            "\"192",
            Expected("an IP prefix"),
        ),
    ];
    for (from, to, path, marker, fault) in rows {
        let json = changed(from, to);
        let at = json.find(marker).unwrap_or_else(|| panic!("{marker}"));
        let error = parse(json.as_bytes(), &Context::default()).map(|_| ()).expect_err(to);
        let expected = Error::Schema { path: (*path).to_string(), at, fault: fault.clone() };
        assert_eq!(error, expected, "{to}");
    }
}

#[test]
fn refuses_both_names_of_the_container_of_lists() {
    let json = changed(
        "\"ietf-access-control-list:acls\":",
        "\"ietf-access-control-list:access-lists\":{},\"ietf-access-control-list:acls\":",
    );
    let error = parse(json.as_bytes(), &Context::default()).expect_err("two containers");
    assert!(matches!(error, Error::Schema { fault: SchemaFault::DuplicateMember("acls"), .. }), "{error}");
}

#[test]
fn leaves_out_an_entry_that_is_not_understood() {
    let matches = format!("{ACE}/matches");
    for (from, to, code, path) in [
        ("\"ipv4\":{", "\"example:foo\":1,\"ipv4\":{", "unknown-match", format!("{matches}/example:foo")),
        ("\"protocol\":6", "\"protocol\":6,\"x\":{}", "unknown-match", format!("{matches}/ipv4/x")),
        (
            "\"operator\"",
            "\"x\":1,\"operator\"",
            "unknown-match",
            format!("{matches}/tcp/destination-port/x"),
        ),
        ("{\"name\":\"a\",", "{\"name\":\"a\",\"when\":\"dusk\",", "unknown-match", format!("{ACE}/when")),
        (
            "\"operator\":\"eq\",\"port\":443",
            "\"lower-port\":1",
            "half-port-range",
            format!("{matches}/tcp/destination-port"),
        ),
        (
            "\"ipv4\":{",
            "\"ingress-interface\":\"eth0\",\"ipv4\":{",
            "interface-match",
            format!("{matches}/ingress-interface"),
        ),
        ("\"protocol\":6", "\"protocol\":17", "protocol-mismatch", matches.clone()),
        (
            "\"fr\",\"type\":\"ipv4-acl-type\"",
            "\"fr\",\"type\":\"ipv6-acl-type\"",
            "other-family",
            format!("{matches}/ipv4"),
        ),
        (
            "\"fr\",\"type\":\"ipv4-acl-type\"",
            "\"fr\",\"type\":\"eth-acl-type\"",
            "other-family",
            format!("{matches}/ipv4"),
        ),
        (
            "\"protocol\":6",
            "\"destination-ipv4-network\":\"2001:db8::/32\"",
            "other-family",
            format!("{matches}/ipv4/destination-ipv4-network"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-mud:mud\":{\"model\":\"urn:x\"},\"ipv4\":{",
            "model-url",
            format!("{matches}/ietf-mud:mud/model"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-mud:mud\":{\"direction-initiated\":\"from-device\"},\"ipv4\":{",
            "unknown-match",
            format!("{matches}/ietf-mud:mud/direction-initiated"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-acl-tls:client-profiles\":{\"x\":1},\"ipv4\":{",
            "unknown-match",
            format!("{matches}/ietf-acl-tls:client-profiles/x"),
        ),
    ] {
        let json = changed(from, to);
        let parsed = parse(json.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{to}: {e}"));
        let found: Vec<_> = parsed.findings.iter().map(|f| (f.code, f.severity, f.path.clone())).collect();
        assert_eq!(found, [(code, Severity::AceRefused, path)], "{to}");
        let AceBody::Refused { code: kept, entry } = &parsed.file.acls[0].aces[0].body else {
            panic!("{to} is refused")
        };
        assert_eq!(*kept, code);
        assert!(entry.starts_with("{\"name\":\"a\"") && json.contains(entry.as_str()), "kept as received");
        let again = parse(parsed.file.encode().as_bytes(), &Context::default()).expect("what was written");
        assert_eq!(again.file, parsed.file, "{to}");
    }
}

#[test]
fn refuses_extensions_that_break_their_module() {
    for (node, fault) in [
        (
            r#""ietf-mud-transparency:transparency":{"sbom-local-well-known":"ftp"}"#,
            SchemaFault::Expected("http, https, coap or coaps"),
        ),
        (
            r#""ietf-mud-transparency:transparency":{"sbom-local-well-known":"coap","sbom-contact-uri":"tel:1"}"#,
            SchemaFault::TwoCases("the ways to retrieve an SBOM"),
        ),
        (
            r#""ietf-mud-transparency:transparency":{"sboms":[{"version-info":"1"},{"version-info":"1"}]}"#,
            SchemaFault::DuplicateKey("1".into()),
        ),
        (
            r#""ietf-mud-transparency:transparency":{"vuln-url":["javascript:1"]}"#,
            SchemaFault::Expected("a URI of an allowed scheme"),
        ),
        (
            r#""ietf-mud-transparency:transparency":{"vuln-url":[],"vuln-contact-uri":"tel:1"}"#,
            SchemaFault::TwoCases("vuln-url and vuln-contact-uri"),
        ),
        (r#""nist-mud:quarantined-device-policy":{}"#, SchemaFault::Missing("enabled-ace-names")),
        (
            r#""ietf-mud-reporter-extension:reporter":{"report-uri":"x"}"#,
            SchemaFault::Expected("a URI of an allowed scheme"),
        ),
        (r#""ietf-mud-tls:is-tls-dtls-profile-supported":"yes""#, SchemaFault::Expected("a boolean")),
    ] {
        let json = changed("[],\n", &format!("[],{node},\n"));
        let error = parse(json.as_bytes(), &Context::default()).expect_err(node);
        assert!(matches!(&error, Error::Schema { fault: found, .. } if *found == fault), "{node}: {error}");
    }
}

#[test]
fn limits_hold_at_the_limit_and_not_one_past_it() {
    let with = |acls: &str| {
        let head = GOOD.split_once("\"ietf-access-control-list:acls\"").expect("lists").0;
        let head = head.replace("[{\"name\":\"fr\"}]", "[]").replace("[{\"name\":\"to\"}]", "[]");
        let json = format!("{head}\"ietf-access-control-list:acls\":{{\"acl\":[{acls}]}}}}");
        match parse(json.as_bytes(), &Context::default()) {
            Ok(_) => None,
            Err(Error::TooLarge { limit, .. }) => Some(limit),
            Err(error) => panic!("{error}"),
        }
    };
    let acls =
        |count: usize| (0..count).map(|i| format!("{{\"name\":\"l{i}\"}}")).collect::<Vec<_>>().join(",");
    assert_eq!(with(&acls(MAX_ACLS)), None);
    assert_eq!(with(&acls(MAX_ACLS + 1)), Some(Limit::Acls));

    let ace = |i: usize, matches: &str| {
        format!("{{\"name\":\"e{i}\",\"matches\":{{{matches}}},\"actions\":{{\"forwarding\":\"accept\"}}}}")
    };
    let list = |name: &str, aces: &[String]| {
        format!("{{\"name\":\"{name}\",\"aces\":{{\"ace\":[{}]}}}}", aces.join(","))
    };
    let aces = |count: usize| (0..count).map(|i| ace(i, "")).collect::<Vec<_>>();
    assert_eq!(with(&list("l", &aces(MAX_ACES))), None);
    assert_eq!(with(&list("l", &aces(MAX_ACES + 1))), Some(Limit::Aces));
    let two = [list("l", &aces(MAX_ACES)), list("m", &aces(1))].join(",");
    assert_eq!(with(&two), Some(Limit::Aces), "counted over all lists");

    let names = |count: usize| {
        let name = |i| format!("\"ipv4\":{{\"ietf-acldns:dst-dnsname\":\"n{i}.example\"}}");
        (0..count).map(|i| ace(i, &name(i))).collect::<Vec<_>>()
    };
    assert_eq!(with(&list("l", &names(MAX_NAMES))), None);
    assert_eq!(with(&list("l", &names(MAX_NAMES + 1))), Some(Limit::Names));

    let extensions = |count: usize| vec!["\"transparency\""; count].join(",");
    let entries = |count| {
        let json = changed("[],\n", &format!("[{}],\n", extensions(count)));
        parse(json.as_bytes(), &Context::default()).is_ok()
    };
    assert!(entries(MAX_ENTRIES) && !entries(MAX_ENTRIES + 1));

    let text = |length: usize| {
        let json = changed("A camera", &"x".repeat(length));
        parse(json.as_bytes(), &Context::default()).is_ok()
    };
    assert!(text(4096) && !text(4097));

    let members = |count: usize| {
        let extra = (0..count).map(|i| format!("\"x{i}\":0,")).collect::<String>();
        parse(
            changed("{\"mud-version\"", &format!("{{{extra}\"mud-version\"")).as_bytes(),
            &Context::default(),
        )
        .is_ok()
    };
    let own = 11;
    assert!(members(64 - own) && !members(64 - own + 1));
}
