//! What is tolerated and said: one row per rule of the linter.

use alloc::format;
use alloc::string::ToString;

use super::{ACE, GOOD, changed, findings};
use crate::decode::{Addresses, Context, parse};
use crate::error::Error;
use crate::finding::Severity;

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
