use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::error::Limit;
use crate::extensions::{SbomRetrieval, TlsVersion, VulnerabilityRetrieval};
use crate::model::{AceBody, AclType, Matches, TransportMatch};

/// A file without findings, on which each row below changes one thing.
const GOOD: &str = r#"{"ietf-mud:mud":{"mud-version":1,"mud-url":"https://maker.example/cam.json",
"last-update":"2026-03-01T10:00:00Z","mud-signature":"cam.p7s","cache-validity":48,"is-supported":true,
"systeminfo":"A camera","mfg-name":"Maker","extensions":[],
"from-device-policy":{"access-lists":{"access-list":[{"name":"fr"}]}},
"to-device-policy":{"access-lists":{"access-list":[{"name":"to"}]}}},
"ietf-access-control-list:acls":{"acl":[
{"name":"fr","type":"ipv4-acl-type","aces":{"ace":[
{"name":"a","matches":{"ipv4":{"protocol":6,"ietf-acldns:dst-dnsname":"api.maker.example"},
"tcp":{"destination-port":{"operator":"eq","port":443},"ietf-mud:direction-initiated":"from-device"}},
"actions":{"forwarding":"accept"}}]}},
{"name":"to","type":"ipv4-acl-type","aces":{"ace":[]}}]}}"#;

const ACE: &str = "/ietf-access-control-list:acls/acl/0/aces/ace/0";

/// `GOOD` with one text replaced by another.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from} occurs once");
    GOOD.replace(from, to)
}

fn findings(json: &str, context: &Context<'_>) -> Vec<(&'static str, Severity, String)> {
    let parsed = parse(json.as_bytes(), context).unwrap_or_else(|e| panic!("{e}\n{json}"));
    parsed.findings.into_iter().map(|f| (f.code, f.severity, f.path)).collect()
}

fn matches_of(json: &str) -> Matches {
    let parsed = parse(json.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{e}\n{json}"));
    match &parsed.file.acls[0].aces[0].body {
        AceBody::Matches(matches) => matches.clone(),
        AceBody::Refused { code, .. } => panic!("refused: {code}\n{json}"),
    }
}

#[test]
fn a_good_file_has_no_findings() {
    assert_eq!(findings(GOOD, &Context::default()), []);
}

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

/// The duties of an author in RFC 8520 that a file can show, and tolerated habits of tools.
#[test]
fn says_what_an_author_should_change() {
    use Severity::{NeedsApproval, Note, Warning};
    let m = |leaf: &str| {
        if leaf.is_empty() { "/ietf-mud:mud".to_string() } else { format!("/ietf-mud:mud/{leaf}") }
    };
    let a = |leaf: &str| format!("{ACE}/{leaf}");
    let wide = format!("\"{}\"", "x".repeat(61));
    let wide_script = format!("\"{}\"", "\u{5149}".repeat(31));
    for (from, to, code, severity, path) in [
        ("\"ietf-mud:mud\":", "\"mud\":", "bare-member-name", Warning, "/mud".to_string()),
        ("\"systeminfo\"", "\"ietf-mud:systeminfo\"", "member-name-prefix", Note, m("ietf-mud:systeminfo")),
        (
            "\"ietf-acldns:dst-dnsname\"",
            "\"dst-dnsname\"",
            "bare-member-name",
            Warning,
            a("matches/ipv4/dst-dnsname"),
        ),
        ("\"A camera\"", "null", "null-member", Warning, m("systeminfo")),
        ("\"mfg-name\"", "\"vendor\"", "unknown-node", Warning, m("vendor")),
        (
            "[{\"name\":\"fr\"}]",
            "[{\"name\":\"fr\",\"x\":1}]",
            "unknown-node",
            Warning,
            m("from-device-policy/access-lists/access-list/0/x"),
        ),
        (
            "{\"acl\":[",
            "{\"attachment-points\":{},\"acl\":[",
            "node-out-of-place",
            Warning,
            "/ietf-access-control-list:acls/attachment-points".into(),
        ),
        (
            "{\"name\":\"a\",",
            "{\"name\":\"a\",\"statistics\":{},",
            "node-out-of-place",
            Warning,
            a("statistics"),
        ),
        (
            "{\"name\":\"to\",",
            "{\"name\":\"to\",\"x\":1,",
            "unknown-node-in-acl",
            NeedsApproval,
            "/ietf-access-control-list:acls/acl/1/x".into(),
        ),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00", "last-update-zone", Warning, m("last-update")),
        ("\"is-supported\":true", "\"is-supported\":false", "not-supported", Warning, m("is-supported")),
        ("\"mud-signature\":\"cam.p7s\",", "", "no-signature", Warning, m("")),
        ("\"cam.p7s\"", "\"http://maker.example/cam.p7s\"", "signature-url", Warning, m("mud-signature")),
        (
            "\"cache-validity\":48",
            "\"cache-validity\":23",
            "cache-validity-short",
            Warning,
            m("cache-validity"),
        ),
        ("\"A camera\"", &wide, "systeminfo-length", Warning, m("systeminfo")),
        ("\"A camera\"", &wide_script, "systeminfo-length", Warning, m("systeminfo")),
        ("\"Maker\"", "\"Ma\\u202eker\"", "control-characters", Warning, m("mfg-name")),
        ("\"mfg-name\"", "\"firmware-rev\"", "revision-in-file", Note, m("firmware-rev")),
        ("[],\n", "[\"x\"],\n", "extension-unknown", Warning, m("extensions/0")),
        ("[],\n", "[\"ol\"],\n", "extension-private", Warning, m("extensions/0")),
        ("[],\n", "[\"transparency\"],\"masa-server\":\"x\",\n", "extension-ignored", Note, m("masa-server")),
        ("[],\n", "[],\"mudtx:transparency\":{},\n", "member-name-prefix", Note, m("mudtx:transparency")),
        (
            "\"to-device-policy\":",
            "\"to-device-policy\":null,\"ietf-mud:x\":",
            "null-member",
            Warning,
            m("to-device-policy"),
        ),
        ("[{\"name\":\"to\"}]", "[]", "unused-acl", Warning, "/ietf-access-control-list:acls/acl/1".into()),
        (
            "\"fr\",\"type\":\"ipv4-acl-type\"",
            "\"fr\",\"type\":\"ipv4\"",
            "acl-type-name",
            Warning,
            "/ietf-access-control-list:acls/acl/0/type".into(),
        ),
        (
            "\"fr\",\"type\":\"ipv4-acl-type\"",
            "\"fr\"",
            "acl-type-missing",
            Warning,
            "/ietf-access-control-list:acls/acl/0".into(),
        ),
        ("\"accept\"", "\"reject\"", "reject-action", Note, a("actions/forwarding")),
        (
            "\"accept\"",
            "\"accept\",\"logging\":\"log-syslog\"",
            "other-action",
            Warning,
            a("actions/logging"),
        ),
        ("\"accept\"", "\"accept\",\"x\":1", "other-action", Warning, a("actions/x")),
        (
            "\"operator\":\"eq\",\"port\":443",
            "\"operator\":\"range\",\"lower-port\":1,\"upper-port\":2",
            "operator-and-range",
            Warning,
            a("matches/tcp/destination-port/operator"),
        ),
        ("\"protocol\":6", "\"protocol\":6,\"dscp\":3", "uncommon-match", Warning, a("matches/ipv4/dscp")),
        (
            "api.maker.example",
            "192.0.2.80",
            "literal-address",
            NeedsApproval,
            a("matches/ipv4/ietf-acldns:dst-dnsname"),
        ),
        (
            "\"protocol\":6",
            "\"destination-ipv4-network\":\"192.0.2.0/24\"",
            "literal-address",
            NeedsApproval,
            a("matches/ipv4/destination-ipv4-network"),
        ),
        (
            "\"protocol\":6",
            "\"destination-ipv4-network\":\"224.0.0.251/32\"",
            "group-address",
            Note,
            a("matches/ipv4/destination-ipv4-network"),
        ),
        (
            "\"protocol\":6",
            "\"destination-ipv4-network\":\"192.0.2.7/24\"",
            "prefix-host-bits",
            Warning,
            a("matches/ipv4/destination-ipv4-network"),
        ),
        (
            "\"protocol\":6",
            "\"destination-ipv4-network\":\"192.0.2.7\"",
            "prefix-without-length",
            Warning,
            a("matches/ipv4/destination-ipv4-network"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-mud:mud\":{\"controller\":\"urn:x\"},\"ipv4\":{",
            "controller-class",
            Warning,
            a("matches/ietf-mud:mud/controller"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-mud:mud\":{\"controller\":\"https://c.example/\"},\"ipv4\":{",
            "controller-url",
            Note,
            a("matches/ietf-mud:mud/controller"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-mud:mud\":{\"my-controller\":[null]},\"ipv4\":{",
            "my-controller",
            Note,
            a("matches/ietf-mud:mud/my-controller"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-mud:mud\":{\"local-networks\":\"\"},\"ipv4\":{",
            "empty-leaf-form",
            Warning,
            a("matches/ietf-mud:mud/local-networks"),
        ),
        ("\"ipv4\":{", "\"eth\":{},\"ipv4\":{", "acl-type-mismatch", Warning, a("matches/eth")),
        (
            "\"ipv4\":{",
            "\"eth\":{},\"ipv4\":{",
            "ethernet-match",
            Warning,
            "/ietf-access-control-list:acls/acl/0".into(),
        ),
        (
            "[],\n",
            "[\"ietf-mud-tls\"],\"ietf-mud-tls:is-tls-dtls-profile-supported\":\"true\",\n",
            "text-boolean",
            Warning,
            m("ietf-mud-tls:is-tls-dtls-profile-supported"),
        ),
        (
            "[],\n",
            "[],\"ietf-mud-tls:is-tls-dtls-profile-supported\":true,\n",
            "extension-undeclared",
            Warning,
            m("ietf-mud-tls:is-tls-dtls-profile-supported"),
        ),
        (
            "\"ipv4\":{",
            "\"ietf-acl-tls:client-profiles\":{\"tls-dtls-profile\":[{\"name\":\"p\"}]},\"ipv4\":{",
            "extension-undeclared",
            Warning,
            m("extensions"),
        ),
        (
            "\"ietf-access-control-list:acls\"",
            "\"ietf-access-control-list:access-lists\"",
            "old-acl-container",
            Note,
            "/ietf-access-control-list:access-lists".into(),
        ),
        (
            "\"fr\",\"type\"",
            "\"f r\",\"type\"",
            "acl-name",
            Note,
            "/ietf-access-control-list:acls/acl/0".into(),
        ),
    ] {
        let mut json = changed(from, to);
        if to.starts_with("\"f r\"") {
            json = json.replace("[{\"name\":\"fr\"}]", "[{\"name\":\"f r\"}]");
        }
        let found = findings(&json, &Context::default());
        assert!(found.contains(&(code, severity, path)), "{to}: {found:#?}");
    }
}

#[test]
fn warns_when_the_order_of_lists_matters() {
    let json = changed("[{\"name\":\"fr\"}]", "[{\"name\":\"fr\"},{\"name\":\"to\"}]")
        .replace("\"accept\"", "\"drop\"");
    let found = findings(&json, &Context::default());
    assert_eq!(found, [("acl-order", Severity::Warning, "/ietf-mud:mud/from-device-policy".to_string())]);
}

#[test]
fn the_context_decides_about_addresses_urls_and_revisions() {
    let prefix = changed("\"protocol\":6", "\"destination-ipv4-network\":\"192.0.2.0/24\"");
    let allow = Context { addresses: Addresses::Allow, ..Context::default() };
    let severity = |json: &str, context: &Context<'_>| findings(json, context).first().map(|f| (f.0, f.1));
    assert_eq!(severity(&prefix, &Context::default()), Some(("literal-address", Severity::NeedsApproval)));
    assert_eq!(severity(&prefix, &allow), Some(("literal-address", Severity::Note)));

    let revision = changed("\"mfg-name\"", "\"software-rev\"");
    let fixed = Context { url_is_fixed: true, ..Context::default() };
    assert_eq!(severity(&revision, &fixed), Some(("revision-with-fixed-url", Severity::Warning)));

    let fetched = |url| Context { fetched_url: Some(url), ..Context::default() };
    assert_eq!(severity(GOOD, &fetched("HTTPS://Maker.Example:443/cam.json")), None);
    let neighbour = fetched("https://maker.example/cam-v1.json");
    assert_eq!(severity(GOOD, &neighbour), Some(("mud-url-file-name", Severity::Warning)));
    let other = fetched("https://other.example/cam.json");
    assert_eq!(
        parse(GOOD.as_bytes(), &other),
        Err(Error::Moved {
            fetched: "https://other.example/cam.json".into(),
            found: "https://maker.example/cam.json".into()
        })
    );
    let moved = Context { move_authorised: true, ..other };
    assert_eq!(severity(GOOD, &moved), Some(("mud-url-moved", Severity::Warning)));
    assert_eq!(parse(GOOD.as_bytes(), &fetched("http://x/")), Err(Error::BadContextUrl));
}

#[test]
fn reports_a_missing_policy() {
    for direction in ["from-device-policy", "to-device-policy"] {
        let json =
            changed(&format!("\"{direction}\":"), &format!("\"mfg-name\":\"x\",\"ignored-{direction}\":"));
        let json = json.replacen("\"mfg-name\":\"Maker\",", "", 1);
        let found = findings(&json, &Context::default());
        assert!(found.contains(&("no-policy", Severity::Warning, "/ietf-mud:mud".to_string())), "{found:?}");
    }
}

#[test]
fn reads_every_match() {
    let json = changed(
        "\"protocol\":6,",
        r#""protocol":6,"dscp":46,"ecn":1,"length":60,"ttl":255,"ihl":5,"flags":"fragment more","offset":20,
        "identification":7,"source-ipv4-network":"192.0.2.0/24","#,
    )
    .replace(
        "\"tcp\":{",
        r#""eth":{"destination-mac-address":"01:00:5E:00:00:fb","ethertype":"ipv4"},
        "tcp":{"sequence-number":4294967295,"acknowledgement-number":1,"data-offset":5,"reserved":0,"flags":"syn ack",
        "window-size":1,"urgent-pointer":2,"options":"AQ==","source-port":{"operator":"gte","port":1024},"#,
    );
    let matches = matches_of(&json);
    let ip = matches.ip.as_ref().expect("ipv4");
    assert_eq!(
        (ip.dscp, ip.ecn, ip.length, ip.ttl, ip.ihl),
        (Some(46), Some(1), Some(60), Some(255), Some(5))
    );
    assert_eq!((ip.flags, ip.offset, ip.identification), (Some(6), Some(20), Some(7)));
    let Some(TransportMatch::Tcp(tcp)) = &matches.transport else { panic!("tcp") };
    assert_eq!(
        (tcp.sequence_number, tcp.flags, tcp.options.as_deref()),
        (Some(u32::MAX), Some(0x12), Some("AQ=="))
    );
    let eth = matches.eth.expect("eth");
    assert_eq!(eth.destination.expect("address").to_string(), "01:00:5e:00:00:fb");
    assert_eq!(eth.ethertype, Some(0x0800));
    let written = parse(json.as_bytes(), &Context::default()).expect("file").file.encode();
    assert_eq!(matches_of(&written), matches, "{written}");
}

#[test]
fn reads_ipv6_and_icmp() {
    let json = changed("\"fr\",\"type\":\"ipv4-acl-type\"", "\"fr\",\"type\":\"ietf-access-control-list:ipv6-acl-type\"")
        .replace("\"ipv4\":{\"protocol\":6", "\"ipv6\":{\"protocol\":58,\"flow-label\":1048575")
        .replace(
            "\"tcp\":{\"destination-port\":{\"operator\":\"eq\",\"port\":443},\"ietf-mud:direction-initiated\":\"from-device\"}",
            "\"icmp\":{\"type\":128,\"code\":0,\"rest-of-header\":\"AAAAAQ==\"}",
        );
    let matches = matches_of(&json);
    let Some(TransportMatch::Icmp(icmp)) = &matches.transport else { panic!("icmp") };
    assert_eq!((icmp.icmp_type, icmp.code), (Some(128), Some(0)));
    assert_eq!(matches.ip.expect("ipv6").flow_label, Some(0xf_ffff));
    let parsed = parse(json.as_bytes(), &Context::default()).expect("file").file;
    assert_eq!(parsed.acls[0].acl_type, Some(AclType::Ipv6));
}

#[test]
fn reads_extensions() {
    let json = changed(
        "[],\n",
        r#"["transparency","ietf-mud-tls","ol","nist-mud","reporter"],
        "ietf-mud-tls:is-tls-dtls-profile-supported":true,
        "ietf-mud-transparency:transparency":{"sboms":[{"version-info":"1","sbom-url":"https://m.example/s"}],
          "sbom-archive-list":"https://m.example/all","vuln-url":["https://m.example/v"]},
        "ol:ol":{"owners":["Maker"],"spdx-tag":"CC0-1.0"},
        "nist-mud:quarantined-device-policy":{"enabled-ace-names":[{"ace-name":"a"}]},
        "ietf-mud-reporter-extension:reporter":{"report-uri":"https://m.example/r"},"#,
    )
    .replace(
        "\"tcp\":{",
        r#""ietf-acl-tls:client-profiles":{"tls-dtls-profile":[{"name":"p","supported-tls-version":["tls12","tls13"],
        "supported-dtls-version":["dtls13"],"cipher-suite":[4865],"psk-key-exchange-mode":[1],
        "application-protocol":["h2"],"accept-list-ta-cert":["AQID"],"certificate-authorities":["CN=x"]}]},"tcp":{"#,
    );
    let parsed = parse(json.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{e}"));
    let file = &parsed.file;
    let transparency = file.transparency.as_ref().expect("transparency");
    assert!(matches!(&transparency.sbom, Some(SbomRetrieval::Cloud(sboms)) if sboms.len() == 1));
    assert!(matches!(&transparency.vulnerabilities, Some(VulnerabilityRetrieval::Cloud(_))));
    assert_eq!(file.ownership.as_ref().expect("ol").owners, ["Maker"]);
    assert_eq!(file.quarantine.as_deref(), Some(&["a".to_string()][..]));
    assert_eq!(file.report_uri.as_deref(), Some("https://m.example/r"));
    let profile = &matches_of(&json).tls[0];
    assert_eq!(profile.tls_versions, [TlsVersion::V1_2, TlsVersion::V1_3]);
    assert_eq!((profile.cipher_suites.as_slice(), profile.dtls_versions.len()), (&[4865][..], 1));
    assert!(parsed.findings.iter().all(|f| f.code == "extension-private"), "{:?}", parsed.findings);
    let again = parse(file.encode().as_bytes(), &Context::default()).expect("what was written");
    assert_eq!(again.file, *file);
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

#[test]
fn pointers_are_escaped() {
    let json = changed("\"mfg-name\"", "\"a/b~c\"");
    assert_eq!(findings(&json, &Context::default())[0].2, "/ietf-mud:mud/a~1b~0c");
}

#[test]
fn shows_only_what_is_safe_to_show() {
    assert_eq!(crate::displayable("Lamp\u{202e}\u{7}\u{1b}[31m \u{e9}\u{feff}"), "Lamp[31m \u{e9}");
}

#[test]
fn errors_are_sentences_without_a_full_stop() {
    for error in [
        parse(b"{", &Context::default()).expect_err("cut"),
        parse(b"{}", &Context::default()).expect_err("empty"),
        parse(GOOD.as_bytes(), &Context { fetched_url: Some("x"), ..Context::default() })
            .expect_err("context"),
    ] {
        let text = error.to_string();
        assert!(!text.ends_with('.') && !text.is_empty(), "{text}");
    }
}
