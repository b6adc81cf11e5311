//! Comparison with the rules that another project expects for its own profiles (FAUCET rules of the DAQ project).
//!
//! Those rules filter packets without state, one rule per entry and direction. So the comparison has two parts: the
//! entries as read say the same as the rules, and the policy is exactly those rules that start a flow.

mod common;

use std::collections::BTreeMap;

use common::{parse_and_compile, read};
use mud::{
    AceBody, Acl, Context, Direction, Family, Host, IpMatch, MudFile, PortMatch, PortOperator, Protocol,
    Remote, TransportMatch,
};
use sextant_mud as mud;

/// One rule in the words of FAUCET: key and value as written, without quotes.
type Rule = BTreeMap<String, String>;

/// Reads the lists of a rule file; it knows just the part of YAML that the vectors are written in.
fn read_rules(yaml: &str) -> BTreeMap<Direction, Vec<Rule>> {
    let mut lists: BTreeMap<Direction, Vec<Rule>> = BTreeMap::new();
    let mut direction = None;
    for line in yaml.lines() {
        let Some((key, value)) = line.trim().split_once(": ").or_else(|| line.trim().split_once(':')) else {
            continue;
        };
        let value = value.trim().trim_matches('"').to_owned();
        match key.trim_start_matches("- ") {
            key if key.starts_with("'@from") => direction = Some(Direction::FromDevice),
            key if key.starts_with("'@to") => direction = Some(Direction::ToDevice),
            "rule" => lists.entry(direction.expect("a list")).or_default().push(Rule::new()),
            "acls" | "actions" | "allow" => {}
            key => {
                let rules = lists.get_mut(&direction.expect("a list")).expect("a rule");
                rules.last_mut().expect("a rule").insert(key.to_owned(), value);
            }
        }
        if let Some(direction) = direction {
            lists.entry(direction).or_default();
        }
    }
    lists
}

/// The rules that the entries of a file stand for.
fn rules_of(file: &MudFile, name: &str, direction: Direction) -> Vec<Rule> {
    file.policy(direction).flat_map(|acl| rules_of_list(acl, name, direction)).collect()
}

fn rules_of_list(acl: &Acl, name: &str, direction: Direction) -> Vec<Rule> {
    let from = direction == Direction::FromDevice;
    let mut rules = Vec::new();
    for ace in &acl.aces {
        let AceBody::Matches(matches) = &ace.body else { panic!("{} is understood", ace.name) };
        let ip = matches.ip.as_ref().expect("ipv4");
        assert_eq!(ip.family, Family::V4);
        let mut rule = Rule::new();
        let mut put = |key: &str, value: String| rule.insert(key.to_owned(), value);
        put("description", format!("type {name} rule {}", ace.name));
        put("dl_type", "0x0800".to_owned());
        put(if from { "dl_src" } else { "dl_dst" }, format!("@mac:{name}"));
        put("nw_proto", ip.protocol.expect("a protocol").to_string());
        put(if from { "nw_dst" } else { "nw_src" }, remote(ip, matches.mud.controller.as_deref(), from));
        let (word, source, destination) = match &matches.transport {
            Some(TransportMatch::Tcp(tcp)) => ("tcp", tcp.source_port, tcp.destination_port),
            Some(TransportMatch::Udp(udp)) => ("udp", udp.source_port, udp.destination_port),
            other => panic!("unexpected {other:?}"),
        };
        for (end, port) in [("src", source), ("dst", destination)] {
            if let Some(PortMatch::Operator(PortOperator::Eq, port)) = port {
                put(&format!("{word}_{end}"), port.to_string());
            }
        }
        rules.push(rule);
    }
    rules
}

fn remote(ip: &IpMatch, controller: Option<&str>, from: bool) -> String {
    let name = if from { &ip.dst_dnsname } else { &ip.src_dnsname };
    match (name, controller) {
        (Some(Host::Name(name)), None) => format!("@dns:{name}"),
        (None, Some(class)) => format!("@ctrl:{class}"),
        other => panic!("unexpected {other:?}"),
    }
}

#[test]
fn entries_say_what_the_other_project_expects() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    for name in ["bacnet", "bacnet_frdev", "lightbulb", "telnet"] {
        let folder = vectors.join("daq");
        let yaml =
            String::from_utf8(read(&folder.join(format!("{name}.expected-faucet-acl.yaml")))).expect("text");
        let expected = read_rules(&yaml);
        let (parsed, compiled) =
            parse_and_compile(&read(&folder.join(format!("{name}.json"))), &Context::default());
        for direction in [Direction::FromDevice, Direction::ToDevice] {
            assert_eq!(rules_of(&parsed.file, name, direction), expected[&direction], "{name} {direction:?}");
        }

        // The policy: the rules that start a flow, in the same order.
        let starts: Vec<_> = expected
            .iter()
            .flat_map(|(direction, rules)| rules.iter().map(move |rule| (*direction, rule)))
            .filter(|(_, rule)| starts_a_flow(rule))
            .map(|(direction, rule)| expected_line(direction, rule))
            .collect();
        let entries: Vec<_> = compiled
            .policy
            .entries
            .iter()
            .filter(|entry| !entry.default)
            .map(|entry| {
                assert!(matches!(entry.remote, Remote::Name(_) | Remote::Controller(_)));
                assert!(matches!(entry.protocol, Protocol::Tcp | Protocol::Udp));
                entry.to_string()
            })
            .collect();
        assert_eq!(entries, starts, "{name}");
    }
}

/// In these profiles each TCP rule goes toward the service that is called: its destination port is the service's. All
/// UDP rules name both ports, so both ends may start.
fn starts_a_flow(rule: &Rule) -> bool {
    rule.contains_key("tcp_dst") || rule.contains_key("udp_dst")
}

fn expected_line(direction: Direction, rule: &Rule) -> String {
    let from = direction == Direction::FromDevice;
    let remote = if from { &rule["nw_dst"] } else { &rule["nw_src"] };
    let remote = remote.replace("@dns:", "name ").replace("@ctrl:", "controller ");
    let word = if rule["nw_proto"] == "6" { "tcp" } else { "udp" };
    let (near, far) = if from { ("src", "dst") } else { ("dst", "src") };
    let port = |end: &str| rule.get(&format!("{word}_{end}"));
    let far = port(far).map(|p| format!(" port {p}")).unwrap_or_default();
    let near = port(near).map(|p| format!(", device port {p}")).unwrap_or_default();
    let preposition = if from { "to" } else { "from" };
    format!("{} ipv4 {word} {preposition} {remote}{far}{near}: accept", direction.name())
}
