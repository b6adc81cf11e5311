use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Context, parse};
use crate::extensions::{SbomRetrieval, TlsVersion, VulnerabilityRetrieval};
use crate::finding::Severity;
use crate::model::{AceBody, AclType, Matches, TransportMatch};

mod advice;
mod extensions;
mod refusals;

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
