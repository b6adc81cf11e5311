use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::compile;
use crate::decode::{Context, parse};
use crate::finding::Severity;

/// A file of two lists, from and to the device, out of their entries.
fn file(acl_type: &str, from: &[&str], to: &[&str]) -> String {
    let list = |name: &str, aces: &[&str]| {
        let aces: Vec<_> = aces
            .iter()
            .enumerate()
            .map(|(i, ace)| {
                let (matches, verdict) = ace.rsplit_once(" => ").expect("matches => verdict");
                format!("{{\"name\":\"{i}\",\"matches\":{{{matches}}},\"actions\":{{\"forwarding\":\"{verdict}\"}}}}")
            })
            .collect();
        format!("{{\"name\":\"{name}\",\"type\":\"{acl_type}\",\"aces\":{{\"ace\":[{}]}}}}", aces.join(","))
    };
    format!(
        r#"{{"ietf-mud:mud":{{"mud-version":1,"mud-url":"https://maker.example/cam.json",
        "last-update":"2026-03-01T10:00:00Z","is-supported":true,
        "from-device-policy":{{"access-lists":{{"access-list":[{{"name":"fr"}}]}}}},
        "to-device-policy":{{"access-lists":{{"access-list":[{{"name":"to"}}]}}}}}},
        "ietf-access-control-list:acls":{{"acl":[{},{}]}}}}"#,
        list("fr", from),
        list("to", to)
    )
}

/// The lines of the policy without defaults, and the codes of the compiler's findings.
fn compiled(acl_type: &str, from: &[&str], to: &[&str]) -> (Vec<String>, Vec<&'static str>) {
    let json = file(acl_type, from, to);
    let parsed = parse(json.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{e}\n{json}"));
    let compiled = compile(&parsed.file);
    let lines = compiled.policy.entries.iter().filter(|e| !e.default).map(|e| e.to_string()).collect();
    (lines, compiled.findings.iter().map(|f| f.code).collect())
}

const TCP_TO: &str =
    r#""ipv4":{"protocol":6,"ietf-acldns:dst-dnsname":"x.example"},"tcp":{"destination-port":{"port":443}"#;
const TCP_FROM: &str =
    r#""ipv4":{"protocol":6,"ietf-acldns:src-dnsname":"x.example"},"tcp":{"source-port":{"port":443}"#;

fn with_direction(matches: &str, initiator: Option<&str>) -> String {
    match initiator {
        Some(i) => format!("{matches},\"ietf-mud:direction-initiated\":\"{i}\"}} => accept"),
        None => format!("{matches}}} => accept"),
    }
}

#[test]
fn direction_initiated_decides_who_starts() {
    let out = "from-device ipv4 tcp to name x.example port 443: accept";
    let inbound = "to-device ipv4 tcp from name x.example port 443: accept";
    for (initiator, expected) in
        [(Some("from-device"), vec![out]), (Some("to-device"), vec![inbound]), (None, vec![out])]
    {
        let (lines, _) = compiled(
            "ipv4-acl-type",
            &[&with_direction(TCP_TO, initiator)],
            &[&with_direction(TCP_FROM, initiator)],
        );
        assert_eq!(lines, expected, "{initiator:?}");
    }
}

#[test]
fn an_answer_rule_opens_nothing_when_the_question_is_there() {
    let question =
        r#""ietf-mud:mud":{"controller":"urn:x"},"udp":{"destination-port":{"port":123}} => accept"#;
    let answer = r#""ietf-mud:mud":{"controller":"urn:x"},"udp":{"source-port":{"port":123}} => accept"#;
    let service = r#""ietf-mud:mud":{"controller":"urn:x"},"udp":{"source-port":{"port":123},"destination-port":{"port":123}} => accept"#;
    let ask = "from-device ipv4 udp to controller urn:x port 123: accept";
    let open = "to-device ipv4 udp from controller urn:x port 123: accept";
    let served = "to-device ipv4 udp from controller urn:x port 123, device port 123: accept";
    for (from, to, lines, findings) in [
        (vec![question], vec![answer], vec![ask], vec![]),
        (vec![], vec![answer], vec![open], vec!["answer-without-question"]),
        (vec![question], vec![service], vec![ask, served], vec![]),
        // A question to other ports is none.
        (
            vec![&*question.replace("123", "124")],
            vec![answer],
            vec![&*ask.replace("123", "124"), open],
            vec!["answer-without-question"],
        ),
        // A question that is dropped is none.
        (
            vec![&*question.replace("accept", "drop")],
            vec![answer],
            vec![&*ask.replace("accept", "drop"), open],
            vec!["answer-without-question"],
        ),
    ] {
        assert_eq!(
            compiled("ipv4-acl-type", &from, &to),
            (lines.iter().map(|l| l.to_string()).collect(), findings)
        );
    }
}

#[test]
fn every_abstraction_becomes_its_remote() {
    for (leaf, remote) in [
        (r#""manufacturer":"Maker.Example""#, "manufacturer maker.example"),
        (r#""same-manufacturer":[null]"#, "same-manufacturer"),
        (r#""model":"https://maker.example/lamp.json""#, "model https://maker.example/lamp.json"),
        (r#""local-networks":[null]"#, "local-networks"),
        (r#""controller":"https://c.example/class""#, "controller https://c.example/class"),
        (r#""my-controller":[null]"#, "my-controller"),
    ] {
        let ace =
            format!(r#""ietf-mud:mud":{{{leaf}}},"tcp":{{"destination-port":{{"port":80}}}} => accept"#);
        let (lines, findings) = compiled("ipv6-acl-type", &[&ace], &[]);
        assert_eq!(lines, [format!("from-device ipv6 tcp to {remote} port 80: accept")]);
        assert!(findings.is_empty());
    }
}

#[test]
fn leaves_out_what_it_cannot_mean() {
    for (ace, code) in [
        (r#""ipv4":{"ietf-acldns:src-dnsname":"x.example"} => accept"#, "device-side-name"),
        (r#""ipv4":{"source-ipv4-network":"192.0.2.0/24"} => accept"#, "device-side-prefix"),
        (
            r#""ipv4":{"ietf-acldns:dst-dnsname":"x.example","destination-ipv4-network":"192.0.2.0/24"} => accept"#,
            "two-remotes",
        ),
        (
            r#""ipv4":{"ietf-acldns:dst-dnsname":"x.example"},"ietf-mud:mud":{"manufacturer":"m.example"} => accept"#,
            "two-remotes",
        ),
        (r#""ietf-mud:mud":{"local-networks":[null],"controller":"urn:x"} => accept"#, "two-remotes"),
        (
            r#""ipv4":{"destination-ipv4-network":"192.0.2.0/24"},"ietf-mud:mud":{"local-networks":[null]} => accept"#,
            "two-remotes",
        ),
        (r#""ipv4":{"ietf-acldns:dst-dnsname":"2001:db8::1"} => accept"#, "other-family"),
        (
            r#""ipv4":{"ietf-acldns:src-dnsname":"x.example"},"tcp":{"ietf-mud:direction-initiated":"to-device"} => accept"#,
            "device-side-name",
        ),
        (r#""ipv4":{"ihl":5} => accept"#, "not-enforceable"),
        (r#""ipv4":{"flags":"more"} => accept"#, "not-enforceable"),
        (r#""ipv4":{"offset":20} => accept"#, "not-enforceable"),
        (r#""ipv4":{"identification":1} => accept"#, "not-enforceable"),
        (r#""tcp":{"sequence-number":1} => accept"#, "not-enforceable"),
        (r#""tcp":{"acknowledgement-number":1} => accept"#, "not-enforceable"),
        (r#""tcp":{"data-offset":5} => accept"#, "not-enforceable"),
        (r#""tcp":{"reserved":0} => accept"#, "not-enforceable"),
        (r#""tcp":{"urgent-pointer":1} => accept"#, "not-enforceable"),
        (r#""tcp":{"options":"AQ=="} => accept"#, "not-enforceable"),
        (r#""tcp":{"window-size":1} => accept"#, "not-enforceable"),
        (r#""udp":{"length":1} => accept"#, "not-enforceable"),
        (r#""icmp":{"rest-of-header":"AAAA"} => accept"#, "not-enforceable"),
        (r#""ipv4":{},"eth":{"source-mac-address":"00:00:5e:00:53:01"} => accept"#, "not-enforceable"),
        (
            r#""ipv4":{},"eth":{"destination-mac-address-mask":"ff:00:00:00:00:00"} => accept"#,
            "not-enforceable",
        ),
    ] {
        let json = file("ipv4-acl-type", &[ace], &[]);
        let parsed = parse(json.as_bytes(), &Context::default()).unwrap_or_else(|e| panic!("{ace}: {e}"));
        let compiled = compile(&parsed.file);
        let found: Vec<_> = compiled.findings.iter().map(|f| (f.code, f.severity, f.path.as_str())).collect();
        let path = "/ietf-access-control-list:acls/acl/0/aces/ace/0";
        assert_eq!(found, [(code, Severity::AceRefused, path)], "{ace}");
        assert!(compiled.policy.entries.iter().all(|e| e.default), "{ace}");
    }
}

/// Leaving out a drop would let through what it stopped, so what stands behind it goes as well.
#[test]
fn a_drop_that_is_left_out_takes_what_follows_with_it() {
    let accept = r#""ietf-mud:mud":{"my-controller":[null]} => accept"#;
    let kept = "from-device ipv4 any to my-controller: accept".to_string();
    for bad in [r#""ipv4":{"ihl":5} => drop"#, r#""example:x":1 => drop"#, r#""ipv4":{"ihl":5} => reject"#] {
        let json = file("ipv4-acl-type", &[accept, bad, accept], &[accept]);
        let parsed = parse(json.as_bytes(), &Context::default()).expect("file");
        let compiled = compile(&parsed.file);
        let lines: Vec<_> = compiled.policy.entries.iter().map(|e| e.to_string()).collect();
        assert_eq!(
            lines,
            [kept.clone(), kept.replace("from-device", "to-device").replace(" to my", " from my")]
        );
        assert!(compiled.findings.iter().any(|f| f.code == "behind-refused-drop"), "{bad}");
    }
    // Leaving out an accept lets nothing through.
    let (lines, _) = compiled("ipv4-acl-type", &[r#""ipv4":{"ihl":5} => accept"#, accept], &[]);
    assert_eq!(lines, [kept]);
}

#[test]
fn defaults_follow_the_file_and_yield_to_its_drops() {
    let defaults = |from: &[&str]| {
        let json = file("ipv4-acl-type", from, &[]);
        let compiled = compile(&parse(json.as_bytes(), &Context::default()).expect("file").file);
        let first_default = compiled.policy.entries.iter().position(|e| e.default).unwrap_or(usize::MAX);
        assert!(compiled.policy.entries.iter().skip(first_default).all(|e| e.default), "defaults come last");
        compiled.policy.entries.iter().filter(|e| e.default).map(|e| e.to_string()).collect::<Vec<_>>()
    };
    let (dns, ntp) = ("urn:ietf:params:mud:dns", "urn:ietf:params:mud:ntp");
    let line = |family: &str, class: &str, port: u16| {
        format!("from-device {family} udp to controller {class} port {port}: accept")
    };
    let all = [line("ipv4", dns, 53), line("ipv6", dns, 53), line("ipv4", ntp, 123), line("ipv6", ntp, 123)];
    assert_eq!(defaults(&[]), all);
    let drop = |matches: &str| format!("{matches} => drop");
    let dns_drop = drop(&format!(
        r#""ietf-mud:mud":{{"controller":"{dns}"}},"udp":{{"destination-port":{{"port":53}}}}"#
    ));
    assert_eq!(defaults(&[&dns_drop]), all[1..]);
    assert_eq!(defaults(&[&drop(r#""ipv4":{"protocol":17}"#)]), [all[1].clone(), all[3].clone()]);
    // A drop under a condition, or of other ports, switches nothing off.
    assert_eq!(defaults(&[&drop(r#""ipv4":{"protocol":17,"dscp":1}"#)]), all);
    assert_eq!(defaults(&[&drop(r#""udp":{"destination-port":{"port":5353}}"#)]), all);
}

#[test]
fn link_layer_entries_leave_no_trace_in_the_policy() {
    let eapol = r#""eth":{"ethertype":"0x888e"} => accept"#;
    assert_eq!(compiled("eth-acl-type", &[eapol], &[]), (vec![], vec!["link-layer-only"]));
    // A drop of frames without IP hides no packet from what follows.
    let drop = r#""eth":{"ethertype":"0x0806"} => drop"#;
    let local = r#""eth":{"ethertype":"0x86dd"},"ietf-mud:mud":{"local-networks":[null]} => accept"#;
    let expected = "from-device ipv6 any to local-networks: accept".to_string();
    assert_eq!(compiled("eth-acl-type", &[drop, local], &[]), (vec![expected], vec!["link-layer-only"]));
}

#[test]
fn families_come_from_the_container_or_the_type() {
    let class = r#""ietf-mud:mud":{"my-controller":[null]} => accept"#;
    let line = |family: &str| format!("from-device {family} any to my-controller: accept");
    for (acl_type, expected) in [
        ("ipv4-acl-type", vec![line("ipv4")]),
        ("ipv6-acl-type", vec![line("ipv6")]),
        ("mixed-eth-ipv4-acl-type", vec![line("ipv4")]),
        ("mixed-eth-ipv6-acl-type", vec![line("ipv6")]),
        ("mixed-eth-ipv4-ipv6-acl-type", vec![line("ipv4"), line("ipv6")]),
    ] {
        assert_eq!(compiled(acl_type, &[class], &[]).0, expected, "{acl_type}");
    }
    assert_eq!(compiled("eth-acl-type", &[class], &[]), (vec![], vec!["no-family"]));
    // Frames of the other family are let through by no list that is about one, and stopped by any.
    let frames = r#""eth":{},"ietf-mud:mud":{"my-controller":[null]} => accept"#;
    let no_frames = frames.replace("accept", "drop");
    let dropped = |family: &str| line(family).replace("accept", "drop");
    for (acl_type, expected) in [
        ("eth-acl-type", vec![line("ipv4"), line("ipv6")]),
        ("mixed-eth-ipv4-acl-type", vec![line("ipv4")]),
        ("mixed-eth-ipv6-acl-type", vec![line("ipv6")]),
    ] {
        assert_eq!(compiled(acl_type, &[frames], &[]).0, expected, "{acl_type}");
        let both = [dropped("ipv4"), dropped("ipv6")];
        assert_eq!(compiled(acl_type, &[&no_frames], &[]).0, both, "{acl_type}");
    }
    // An echo request has another number in each version, so its entry has to say which one it means.
    let echo = r#""ietf-mud:mud":{"my-controller":[null]},"icmp":{"type":8} => accept"#;
    assert_eq!(compiled("mixed-eth-ipv4-ipv6-acl-type", &[echo], &[]), (vec![], vec!["no-family"]));
    assert_eq!(compiled("mixed-eth-ipv4-acl-type", &[echo], &[]).0.len(), 1);
    let v6_only = r#""ipv6":{},"ietf-mud:mud":{"my-controller":[null]} => accept"#;
    assert_eq!(compiled("mixed-eth-ipv4-ipv6-acl-type", &[v6_only], &[]).0, [line("ipv6")]);
}

/// One list for both directions is compiled once for each.
#[test]
fn a_list_may_serve_both_directions() {
    let ace = r#""ietf-mud:mud":{"my-controller":[null]},"tcp":{"destination-port":{"port":80}} => accept"#;
    let json = file("ipv4-acl-type", &[ace], &[]).replace(r#"[{"name":"to"}]"#, r#"[{"name":"fr"}]"#);
    let parsed = parse(json.as_bytes(), &Context::default()).expect("file");
    let compiled = compile(&parsed.file);
    let lines: Vec<_> =
        compiled.policy.entries.iter().filter(|e| !e.default).map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "from-device ipv4 tcp to my-controller port 80: accept",
            "to-device ipv4 tcp from my-controller, device port 80: accept"
        ]
    );
}

#[test]
fn a_group_address_implies_its_mac_address() {
    let ace = |network: &str, mac: &str| {
        format!(
            r#""ietf-mud:mud":{{"local-networks":[null]}},"ipv4":{{"destination-ipv4-network":"{network}"}},"eth":{{"destination-mac-address":"{mac}"}} => accept"#
        )
    };
    for (network, mac, conditions) in [
        ("255.255.255.255/32", "ff:ff:ff:ff:ff:ff", ""),
        ("224.0.0.251/32", "01:00:5e:00:00:fb", ""),
        ("239.255.255.250/32", "01:00:5e:7f:ff:fa", ""),
        ("224.0.0.251/32", "01:00:5e:00:00:fc", ", conditions"),
        ("224.0.0.0/24", "01:00:5e:00:00:00", ", conditions"),
    ] {
        let expected = format!("from-device ipv4 any to {network}{conditions}: accept");
        assert_eq!(compiled("ipv4-acl-type", &[&ace(network, mac)], &[]).0, [expected]);
    }
}

#[test]
fn an_open_remote_needs_approval() {
    for (ace, needs) in [
        ("\"ipv4\":{} => accept", true),
        (" => accept", true),
        (r#""ipv4":{"destination-ipv4-network":"0.0.0.0/0"} => accept"#, true),
        ("\"ipv4\":{} => drop", false),
    ] {
        let findings = compiled("ipv4-acl-type", &[ace], &[]).1;
        assert_eq!(findings.contains(&"any-remote"), needs, "{ace}");
    }
}

#[test]
fn rare_matches_become_conditions() {
    let extra = |acl_type: &str, ace: &str| {
        let json = file(acl_type, &[ace], &[]);
        compile(&parse(json.as_bytes(), &Context::default()).expect("file").file).policy.entries[0].extra
    };
    let found = extra("ipv4-acl-type", r#""ipv4":{"dscp":46,"ecn":1,"ttl":255,"length":60} => accept"#);
    let found = found.expect("conditions");
    assert_eq!((found.dscp, found.ecn, found.ttl, found.length), (Some(46), Some(1), Some(255), Some(60)));
    let found = extra("ipv6-acl-type", r#""ipv6":{"flow-label":7} => accept"#).expect("conditions");
    assert_eq!((found.flow_label, found.dscp), (Some(7), None));
    let found = extra("ipv4-acl-type", r#""tcp":{"flags":"syn ece cwr"} => accept"#).expect("conditions");
    assert_eq!(found.tcp_flags, Some(0xc2));
}

/// Nothing but a SYN starts a connection, so asking for one asks for nothing; what asks for more than that starts nothing.
#[test]
fn tcp_flags_say_whether_an_entry_starts_anything() {
    let ace = |flags: &str, verdict: &str| format!(r#""tcp":{{"flags":"{flags}"}} => {verdict}"#);
    let line =
        |conditions: &str, verdict: &str| vec![format!("from-device ipv4 tcp to any{conditions}: {verdict}")];
    for (flags, verdict, expected) in [
        ("syn", "accept", line("", "accept")),
        ("ack", "accept", vec![]),
        ("syn ack", "accept", vec![]),
        ("rst", "accept", vec![]),
        ("fin psh", "accept", vec![]),
        ("psh", "accept", line(", conditions", "accept")),
        // What should be dropped stays in the way.
        ("ack", "drop", line(", conditions", "drop")),
        ("syn", "drop", line("", "drop")),
    ] {
        assert_eq!(compiled("ipv4-acl-type", &[&ace(flags, verdict)], &[]).0, expected, "{flags} {verdict}");
    }
}
