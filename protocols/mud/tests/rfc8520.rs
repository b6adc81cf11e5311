//! The duties of RFC 8520 that a file, or what a manager makes of it, can show: one test for each row of the checklist,
//! named after the row. Rows about servers of HTTP, DHCP and certificates are not for this crate.

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;

use common::parse_and_compile;
use mud::{
    Admission, AnnouncementFault, Announcer, CONTROLLER_DNS, CONTROLLER_NTP, Check, ConnState, Context,
    Direction, Doubt, Error, Finding, Freshness, IpPrefix, JsonFault, Lineage, Member, MudFile, MudUrl,
    Offer, Packet, PacketFields, Policy, PolicyDiff, Reason, Redirect, Remote, Reservation, Resolved,
    Retrieval, SchemaFault, Severity, Signature, Signer, SignerChange, Site, SiteMode, Strength, Succession,
    Verdict, WeakAccess, admit, announced_by_dhcp, announced_url, compile, oracle, parse, redirect,
};
use sextant_mud as mud;

const URL: &str = "https://maker.example/cam/v2.json";

/// A file without findings: one flow to a name, and its answers.
const GOOD: &str = r#"{"ietf-mud:mud":{"mud-version":1,"mud-url":"https://maker.example/cam/v2.json",
"last-update":"2026-03-01T10:00:00Z","mud-signature":"v2.p7s","cache-validity":48,"is-supported":true,
"systeminfo":"A camera","extensions":["transparency"],
"from-device-policy":{"access-lists":{"access-list":[{"name":"fr"}]}},
"to-device-policy":{"access-lists":{"access-list":[{"name":"to"}]}}},
"ietf-access-control-list:acls":{"acl":[{"name":"fr","type":"ipv4-acl-type","aces":{"ace":[{"name":"api",
"matches":{"ipv4":{"protocol":6,"ietf-acldns:dst-dnsname":"api.maker.example"},
"tcp":{"destination-port":{"port":443},"ietf-mud:direction-initiated":"from-device"}},
"actions":{"forwarding":"accept"}}]}},
{"name":"to","type":"ipv4-acl-type","aces":{"ace":[{"name":"answers",
"matches":{"ipv4":{"protocol":6,"ietf-acldns:src-dnsname":"api.maker.example"},
"tcp":{"source-port":{"port":443},"ietf-mud:direction-initiated":"from-device"}},
"actions":{"forwarding":"accept"}}]}}]}}"#;

/// `GOOD` with one text replaced at its first place.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

fn url(text: &str) -> MudUrl {
    MudUrl::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn found(json: &str, context: &Context<'_>) -> Vec<Finding> {
    let (parsed, compiled) = parse_and_compile(json.as_bytes(), context);
    parsed.findings.into_iter().chain(compiled.findings).collect()
}

fn says(json: &str, code: &str) -> bool {
    found(json, &Context::default()).iter().any(|finding| finding.code == code)
}

fn waits(json: &str) -> bool {
    found(json, &Context::default()).iter().any(|finding| finding.severity == Severity::NeedsApproval)
}

fn file(json: &str) -> MudFile {
    parse_and_compile(json.as_bytes(), &Context::default()).0.file
}

fn policy(json: &str) -> Policy {
    parse_and_compile(json.as_bytes(), &Context::default()).1.policy
}

fn fault(json: &str) -> Error {
    parse(json.as_bytes(), &Context::default()).map(|_| ()).expect_err(json)
}

fn lines(policy: &Policy) -> Vec<String> {
    policy.entries.iter().map(ToString::to_string).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tcp(direction: Direction, remote_port: u16, device_port: u16) -> Packet {
    Packet {
        direction,
        remote: address("203.0.113.5"),
        protocol: 6,
        remote_port,
        device_port,
        icmp: None,
        tcp_flags: None,
        fields: PacketFields::default(),
    }
}

fn api() -> Resolved {
    let mut resolved = Resolved::default();
    let name = Remote::Name("api.maker.example".into());
    resolved.insert(name, [IpPrefix::host(address("203.0.113.5"))]);
    resolved
}

#[test]
fn row_01_the_scheme_is_https() {
    assert_eq!(found(GOOD, &Context::default()), []);
    let fault = fault(&with("https://maker", "http://maker"));
    assert!(matches!(fault, Error::Schema { fault: SchemaFault::Expected("an absolute https URL"), .. }));
    assert_eq!(MudUrl::parse("coaps://maker.example/cam"), None);
    assert!(says(&with("v2.p7s", "http://maker.example/v2.p7s"), "signature-url"));
}

#[test]
fn row_05_redirections_are_followed() {
    let followed = redirect(&url(URL), 302, "/new.json", 0);
    assert_eq!(followed, Redirect::Follow(url("https://maker.example/new.json")));
}

#[test]
fn row_06_a_file_brought_by_hand_is_asked_for_before_it_ends() {
    let (file, retrieval) = (file(GOOD), Retrieval { at: 1_800_000_000, max_age: None });
    let ends = retrieval.at + 48 * 3600;
    assert_eq!(file.freshness(retrieval, ends - 3600), Freshness::EndsSoon { at: ends });
    assert_eq!(file.freshness(retrieval, retrieval.at + 3600), Freshness::Fresh);
}

#[test]
fn row_07_a_file_that_cannot_be_renewed_stays_in_force() {
    let (file, retrieval) = (file(GOOD), Retrieval { at: 1_800_000_000, max_age: None });
    let ends = retrieval.at + 48 * 3600;
    assert_eq!(file.freshness(retrieval, ends + 1), Freshness::Stale { since: ends });
    let stale = compile(&file).policy;
    assert_eq!(
        oracle(&stale, &api(), &tcp(Direction::FromDevice, 443, 50000), ConnState::New).verdict,
        Verdict::Accept
    );
}

/// A chain of files, and what the next one would be.
fn succession(next: &str, at: &str, signer: &str, diff: &PolicyDiff) -> Succession {
    let by = |subject: &str| Signer { subject: subject.to_owned(), authorities: vec![vec![1]] };
    let lineage = Lineage::begin(url(URL), &file(GOOD), Some(&by("CN=Maker")));
    let (file, at, signer) = (file(next), url(at), by(signer));
    lineage.judge(&Offer {
        url: &at,
        file: &file,
        signer: Some(&signer),
        same_bytes: next == GOOD,
        diff,
        needs_approval: false,
    })
}

#[test]
fn row_08_a_changed_file_takes_effect_when_it_is_not_wider() {
    let newer = with("2026-03-01", "2026-03-02");
    assert_eq!(succession(&newer, URL, "CN=Maker", &PolicyDiff::default()), Succession::Apply);
    let wider = mud::diff(&Policy::default(), &policy(GOOD));
    let expected = Succession::Hold(vec![Reservation::Wider]);
    assert_eq!(succession(&newer, URL, "CN=Maker", &wider), expected);
}

#[test]
fn row_09_and_10_addresses_instead_of_names_wait_for_a_person() {
    for literal in [
        r#""destination-ipv4-network":"203.0.113.0/24""#,
        r#""ietf-acldns:dst-dnsname":"203.0.113.5""#,
        r#""destination-ipv4-network":"10.0.0.0/8""#,
    ] {
        assert!(waits(&with(r#""ietf-acldns:dst-dnsname":"api.maker.example""#, literal)), "{literal}");
    }
    let group = with(
        r#""ietf-acldns:dst-dnsname":"api.maker.example""#,
        r#""destination-ipv4-network":"224.0.0.251/32""#,
    );
    assert!(!waits(&group), "groups mean the same everywhere");
}

#[test]
fn row_11_other_leaves_are_warned_of() {
    for leaf in ["dscp", "ecn", "length", "ttl", "identification"] {
        assert!(
            says(&with("\"protocol\":6", &format!("\"protocol\":6,\"{leaf}\":1")), "uncommon-match"),
            "{leaf}"
        );
    }
    for leaf in ["sequence-number", "window-size", "urgent-pointer"] {
        assert!(says(&with("\"tcp\":{", &format!("\"tcp\":{{\"{leaf}\":1,")), "uncommon-match"), "{leaf}");
    }
}

#[test]
fn row_12_reject_is_a_drop_and_other_actions_are_ignored() {
    let reject = with("\"accept\"", "\"reject\"");
    assert!(says(&reject, "reject-action"));
    let decision = oracle(&policy(&reject), &api(), &tcp(Direction::FromDevice, 443, 50000), ConnState::New);
    assert_eq!(decision.verdict, Verdict::Reject);
    let logging = with("\"accept\"", "\"accept\",\"logging\":\"ietf-access-control-list:log-syslog\"");
    assert!(says(&logging, "other-action"));
    assert_eq!(policy(&logging), policy(GOOD));
}

#[test]
fn row_13_no_other_nodes_stand_in_a_file() {
    assert!(says(&with("\"is-supported\"", "\"example:x\":1,\"is-supported\""), "unknown-node"));
    assert!(says(&with("{\"ietf-mud:mud\"", "{\"example:x\":1,\"ietf-mud:mud\""), "unknown-node"));
    // One that could change what the file means is not passed over.
    assert!(waits(&with("{\"name\":\"to\",\"type\"", "{\"name\":\"to\",\"x\":1,\"type\"")));
    let match_ = with("\"tcp\":{", "\"example:x\":1,\"tcp\":{");
    assert!(says(&match_, "unknown-match") && policy(&match_).entries.iter().all(|entry| entry.default));
}

#[test]
fn row_14_what_permits_everything_is_inspected_by_a_person() {
    let any = with(r#""protocol":6,"ietf-acldns:dst-dnsname":"api.maker.example""#, "");
    assert!(waits(&any) && policy(&any).breadth().needs_approval());
    assert!(!policy(GOOD).breadth().needs_approval());
}

#[test]
fn row_15_no_check_before_the_validity_is_over() {
    let (file, retrieval) = (file(GOOD), Retrieval { at: 1_800_000_000, max_age: Some(60) });
    let due = retrieval.at + 48 * 3600;
    assert_eq!(file.check(retrieval, due - 1), Check::NotBefore(due));
    assert_eq!(file.check(retrieval, due), Check::Due);
}

#[test]
fn row_16_cache_validity_is_a_day_to_a_week() {
    assert!(says(&with("\"cache-validity\":48", "\"cache-validity\":23"), "cache-validity-short"));
    for good in [24, 168] {
        assert_eq!(
            found(&with("\"cache-validity\":48", &format!("\"cache-validity\":{good}")), &Context::default()),
            []
        );
    }
    for bad in [0, 169] {
        let fault = fault(&with("\"cache-validity\":48", &format!("\"cache-validity\":{bad}")));
        assert!(matches!(fault, Error::Schema { fault: SchemaFault::OutOfRange { min: 1, max: 168 }, .. }));
    }
    // A longer caching period of the web server delays the next check.
    let (file, week) = (file(GOOD), Retrieval { at: 1_800_000_000, max_age: Some(100 * 3600) });
    assert_eq!(file.next_check(week), week.at + 100 * 3600);
}

#[test]
fn row_17_systeminfo_has_sixty_columns() {
    assert!(!says(&with("A camera", &"x".repeat(60)), "systeminfo-length"));
    assert!(says(&with("A camera", &"x".repeat(61)), "systeminfo-length"));
}

#[test]
fn row_18_no_revision_where_the_url_cannot_change() {
    let fixed = Context { url_is_fixed: true, ..Context::default() };
    for leaf in ["firmware-rev", "software-rev"] {
        let json = with("\"systeminfo\"", &format!("\"{leaf}\":\"1.2\",\"systeminfo\""));
        let codes: Vec<_> = found(&json, &fixed).iter().map(|f| (f.code, f.severity)).collect();
        assert_eq!(codes, [("revision-with-fixed-url", Severity::Warning)]);
        assert!(says(&json, "revision-in-file"));
    }
}

#[test]
fn row_19_extensions_are_declared_and_unknown_ones_ignored_aloud() {
    let used =
        with("\"is-supported\"", "\"mudtx:transparency\":{\"sbom-contact-uri\":\"tel:1\"},\"is-supported\"");
    assert!(!says(&used, "extension-undeclared"));
    assert!(says(&used.replace("[\"transparency\"]", "[]"), "extension-undeclared"));
    let unknown = with("[\"transparency\"]", "[\"open-sesame\"],\"open-sesame:everything\":true");
    assert!(says(&unknown, "extension-unknown") && says(&unknown, "unknown-node"));
    assert_eq!(policy(&unknown), policy(GOOD));
}

#[test]
fn row_20_names_of_extensions_have_forty_bytes_and_private_ones_are_told() {
    let name = |length: usize| with("\"transparency\"", &format!("\"{}\"", "x".repeat(length)));
    assert!(parse(name(40).as_bytes(), &Context::default()).is_ok());
    assert!(matches!(fault(&name(41)), Error::Schema { fault: SchemaFault::Length { min: 1, max: 40 }, .. }));
    let umlauts = with("\"transparency\"", &format!("\"{}\"", "\u{e4}".repeat(21)));
    assert!(matches!(fault(&umlauts), Error::Schema { fault: SchemaFault::Length { .. }, .. }), "42 bytes");
    let private = with(
        "[\"transparency\"]",
        "[\"nist-mud\"],\"nist-mud:quarantined-device-policy\":{\"enabled-ace-names\":[]}",
    );
    assert!(says(&private, "extension-private"));
    assert_eq!(policy(&private), policy(GOOD), "it says what quarantine keeps, and permits nothing");
}

#[test]
fn row_21_a_controller_url_is_a_name_and_never_fetched() {
    let class = with(
        r#""ipv4":{"protocol":6,"ietf-acldns:dst-dnsname":"api.maker.example"}"#,
        r#""ietf-mud:mud":{"controller":"https://hub.example/class"},"ipv4":{"protocol":6}"#,
    );
    assert!(says(&class, "controller-url"));
    let policy = policy(&class);
    assert_eq!(policy.names().count(), 0, "it is not resolved either");
    assert_eq!(policy.entries[0].remote, Remote::Controller("https://hub.example/class".into()));
    let decision =
        oracle(&policy, &Resolved::default(), &tcp(Direction::FromDevice, 443, 50000), ConnState::New);
    assert_eq!(decision.reason, Reason::NoMatch, "an empty class permits nothing");
}

#[test]
fn row_22_direction_initiated_is_for_tcp_and_decides_who_starts() {
    let udp = with("\"tcp\":{", "\"udp\":{").replacen("\"protocol\":6", "\"protocol\":17", 1);
    assert!(matches!(fault(&udp), Error::Schema { fault: SchemaFault::DirectionWithoutTcp, .. }));
    let decide = |packet: &Packet, state| oracle(&policy(GOOD), &api(), packet, state);
    let inward = tcp(Direction::ToDevice, 443, 50000);
    assert_eq!(decide(&tcp(Direction::FromDevice, 443, 50000), ConnState::New).verdict, Verdict::Accept);
    let decision = decide(&inward, ConnState::New);
    assert_eq!((decision.verdict, decision.reason), (Verdict::Drop, Reason::WrongInitiator));
    assert_eq!(decide(&inward, ConnState::Established).verdict, Verdict::Accept, "answers pass");
}

#[test]
fn row_23_what_is_not_permitted_is_denied_and_defaults_come_last() {
    let policy_of_good = policy(GOOD);
    let lines = lines(&policy_of_good);
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for (line, (class, port)) in lines[1..].chunks(2).zip([(CONTROLLER_DNS, 53), (CONTROLLER_NTP, 123)]) {
        let expected = ["ipv4", "ipv6"]
            .map(|family| format!("from-device {family} udp to controller {class} port {port}: accept"));
        assert_eq!(line, expected);
    }
    let denied = oracle(&policy_of_good, &api(), &tcp(Direction::FromDevice, 80, 50000), ConnState::New);
    assert_eq!((denied.verdict, denied.reason), (Verdict::Drop, Reason::NoMatch));
    // Only servers of the operator, and none where there are none.
    let dns = Packet { protocol: 17, remote_port: 53, ..tcp(Direction::FromDevice, 53, 50000) };
    assert_eq!(oracle(&policy_of_good, &api(), &dns, ConnState::New).verdict, Verdict::Drop);
    // A drop in the file switches one off.
    let off = r#"{"name":"no-dns","matches":{"ietf-mud:mud":{"controller":"urn:ietf:params:mud:dns"},
        "udp":{"destination-port":{"port":53}}},"actions":{"forwarding":"drop"}},{"name":"api""#;
    let without = policy(&with("{\"name\":\"api\"", off));
    assert!(!without.entries.iter().any(|e| e.default
        && e.remote == Remote::Controller(CONTROLLER_DNS.into())
        && e.family == mud::Family::V4));
    assert!(says(&with("{\"name\":\"api\"", off), "default-off"));
}

#[test]
fn row_24_no_name_on_the_side_of_the_device() {
    let source = with("ietf-acldns:dst-dnsname", "ietf-acldns:src-dnsname");
    assert!(says(&source, "device-side-name"));
    assert!(policy(&source).entries.iter().all(|entry| entry.default), "the entry is left out");
}

#[test]
fn row_25_the_reserved_part_of_an_announcement_is_ignored() {
    let text = format!("{URL} reserved words");
    let option = [&[161, text.len() as u8][..], text.as_bytes()].concat();
    assert_eq!(announced_url(Announcer::DhcpV4, &option), Ok(url(URL)));
}

#[test]
fn row_26_both_versions_of_dhcp_say_the_same_once() {
    let option = |head: &[u8], text: &str| [head, &[text.len() as u8], text.as_bytes()].concat();
    let (v4, v6) = (option(&[161], URL), option(&[0, 112, 0], URL));
    assert_eq!(announced_by_dhcp(&[&v4], &[&v6]), Ok(Some(url(URL))));
    let other = option(&[0, 112, 0], "https://other.example/");
    for (v4, v6) in [(vec![&*v4], vec![&*other]), (vec![&*v4, &*v4], vec![])] {
        assert_eq!(announced_by_dhcp(&v4, &v6), Err(AnnouncementFault::Contradiction));
    }
}

#[test]
fn row_29_a_url_is_a_uri_and_no_iri() {
    assert_eq!(MudUrl::parse("https://m\u{e4}ker.example/"), None);
    assert_eq!(url("https://xn--mker-loa.example/%C3%A4").authority().host, "xn--mker-loa.example");
}

#[test]
fn rows_33_and_34_the_place_of_the_signature_may_be_relative() {
    for (reference, expected) in [
        ("v2.p7s", Some("https://maker.example/cam/v2.p7s")),
        ("../sig/v2.p7s", Some("https://maker.example/sig/v2.p7s")),
        ("/v2.p7s", Some("https://maker.example/v2.p7s")),
        ("https://sig.example/v2.p7s", Some("https://sig.example/v2.p7s")),
        ("http://sig.example/v2.p7s", None),
    ] {
        let file = file(&with("\"v2.p7s\"", &format!("{reference:?}")));
        assert_eq!(file.signature_url().map(|url| url.to_string()).as_deref(), expected, "{reference}");
    }
    assert!(says(&with("\"mud-signature\":\"v2.p7s\",", ""), "no-signature"));
}

#[test]
fn rows_34_to_37_without_a_good_signature_processing_ceases() {
    let decide = |signature: &Signature<&str>, expected: Option<&str>| {
        admit(signature, expected.as_ref(), &SiteMode::Hold, &url(URL), 0)
    };
    let by = |subject| Signature::Verified(Signer { subject, authorities: vec![vec![1]] });
    assert_eq!(decide(&by("CN=Maker"), Some("CN=Maker")), Admission::Process);
    assert_eq!(decide(&by("CN=Other"), Some("CN=Maker")), Admission::Hold(Doubt::OtherSigner));
    assert_eq!(decide(&Signature::Refused, None), Admission::Hold(Doubt::NotVerified));
    assert_eq!(decide(&Signature::Missing, None), Admission::Hold(Doubt::Unsigned));
}

fn member(id: &str, strength: Strength, address: &str) -> Member {
    Member { id: id.into(), url: url(URL), strength, addresses: vec![self::address(address)] }
}

#[test]
fn rows_38_39_and_44_a_url_that_anybody_can_say_gains_nothing() {
    let policy = policy(GOOD);
    let mut site = Site::default();
    let weak = site.grant(&policy, &member("claimed", Strength::Weak, "192.168.7.2"));
    assert!(!weak.entries.is_empty() && weak.entries.iter().all(|entry| entry.default));
    assert_eq!(site.grant(&policy, &member("proven", Strength::Strong, "192.168.7.3")), policy);
    site.weak_access = WeakAccess::AsFile;
    assert_eq!(site.grant(&policy, &member("claimed", Strength::Weak, "192.168.7.2")), policy);
}

#[test]
fn rows_40_and_42_strong_and_weak_devices_share_no_class() {
    for class in [
        "\"same-manufacturer\":[null]",
        "\"manufacturer\":\"maker.example\"",
        "\"model\":\"https://maker.example/cam/v2.json\"",
    ] {
        let ace = format!("\"ietf-mud:mud\":{{{class}}},\"ipv4\":{{\"protocol\":6}}");
        let json = with(r#""ipv4":{"protocol":6,"ietf-acldns:dst-dnsname":"api.maker.example"}"#, &ace);
        let policy = policy(&json);
        let strong =
            [member("a", Strength::Strong, "192.168.7.1"), member("b", Strength::Strong, "192.168.7.2")];
        let weak = [member("c", Strength::Weak, "192.168.7.3"), member("d", Strength::Weak, "192.168.7.4")];
        let site = Site { members: [strong.clone(), weak.clone()].concat(), ..Site::default() };
        let remote = &policy.entries[0].remote;
        let members = |device: &Member| {
            let set = site.resolve(&policy, device).members(remote).to_vec();
            set.iter().map(|prefix| prefix.address().to_string()).collect::<BTreeSet<_>>()
        };
        assert_eq!(members(&strong[0]), BTreeSet::from(["192.168.7.2".to_owned()]), "{class}");
        assert_eq!(members(&weak[0]), BTreeSet::from(["192.168.7.4".to_owned()]), "{class}");
    }
}

#[test]
fn row_41_a_new_signer_waits_for_a_person() {
    let newer = with("2026-03-01", "2026-03-02");
    let expected = Succession::Hold(vec![Reservation::Signer(SignerChange::OtherSubject)]);
    assert_eq!(succession(&newer, URL, "CN=Rogue", &PolicyDiff::default()), expected);
}

#[test]
fn row_43_another_authority_waits_for_a_person() {
    let newer = with("2026-03-01", "2026-03-02");
    let other = "https://other.example/cam/v2.json";
    let expected = Succession::Hold(vec![Reservation::OtherAuthority]);
    assert_eq!(succession(&newer, other, "CN=Maker", &PolicyDiff::default()), expected);
    let sibling = "https://maker.example/cam/v3.json";
    assert_eq!(succession(&newer, sibling, "CN=Maker", &PolicyDiff::default()), Succession::Apply);
}

#[test]
fn row_46_files_are_utf_8() {
    let utf16: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut broken = GOOD.as_bytes().to_vec();
    broken[200] = 0xff;
    for bytes in [utf16, broken] {
        let fault = parse(&bytes, &Context::default()).map(|_| ()).expect_err("not UTF-8");
        assert!(
            matches!(fault, Error::Json { fault: JsonFault::NotUtf8 | JsonFault::Unexpected, .. }),
            "{fault}"
        );
    }
    let marked = [b"\xef\xbb\xbf", GOOD.as_bytes()].concat();
    assert!(parse(&marked, &Context::default()).is_ok(), "a byte order mark is tolerated");
}
