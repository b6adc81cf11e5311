//! Comparison with the rules that another project expects for its own profiles (FAUCET rules of the DAQ project).
//!
//! Those rules filter packets without state, one rule per entry and direction. So the comparison has two parts: the
//! entries as read say the same as the rules, and the policy is exactly those rules that start a flow.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{parse_and_compile, read};
use mud::{
    AceBody, Acl, Context, Direction, Family, Host, IpMatch, MudFile, PortMatch, PortOperator, Protocol,
    Remote, TransportMatch,
};
use sextant_mud as mud;

/// One rule in the words of FAUCET: key and value as written, without quotes.
type Rule = BTreeMap<String, String>;

/// Reads the lists of a rule file by name; it knows just the part of YAML that the vectors are written in.
fn read_rules(yaml: &str) -> BTreeMap<String, Vec<Rule>> {
    let mut lists: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    let mut list = String::new();
    for line in yaml.lines() {
        let text = line.trim();
        // Names of lists stand right below the root.
        if line.starts_with("  ") && !line.starts_with("   ") && !text.starts_with('-') {
            list = text.trim_end_matches(" []").trim_end_matches(':').trim_matches('\'').to_owned();
            lists.entry(list.clone()).or_default();
            continue;
        }
        let Some((key, value)) = text.split_once(": ").or_else(|| text.split_once(':')) else { continue };
        let value = value.trim().trim_matches('"').to_owned();
        match key.trim_start_matches("- ") {
            "rule" => lists.get_mut(&list).expect("a list").push(Rule::new()),
            "acls" | "actions" | "allow" => {}
            key => {
                let rule = lists.get_mut(&list).and_then(|rules| rules.last_mut()).expect("a rule");
                rule.insert(key.to_owned(), value);
            }
        }
    }
    lists
}

fn rule_file(folder: &Path, name: &str) -> BTreeMap<String, Vec<Rule>> {
    read_rules(&String::from_utf8(read(&folder.join(name))).expect("text"))
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
        let mut lists = rule_file(&folder, &format!("{name}.expected-faucet-acl.yaml"));
        let mut list = |side: &str| lists.remove(&format!("@{side}:template_{name}_acl")).expect("a list");
        let expected =
            BTreeMap::from([(Direction::FromDevice, list("from")), (Direction::ToDevice, list("to"))]);
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

/// The rules of a whole switch: those of the profiles with the addresses of its devices, and those every device has.
#[test]
fn the_rules_of_a_switch_are_those_of_the_profiles_on_it() {
    let Some(vectors) = testkit::vectors("mud") else { return };
    let folder = vectors.join("daq");
    let devices: serde_json::Value =
        serde_json::from_slice(&read(&folder.join("devices.json"))).expect("JSON");
    let devices = devices["macAddrs"].as_object().expect("devices");
    let mac =
        |kind: &str| devices.iter().find(|(_, device)| device["type"] == kind).expect("a device").0.clone();
    let other = |kind: &str| {
        let other = devices.values().find(|device| device["type"] != kind && device["ipAddr"].is_string());
        other.expect("the controller").get("ipAddr").expect("address").as_str().expect("text").to_owned()
    };
    let baseline = rule_file(&folder, "template_baseline_acl.yaml").remove("@from:template_baseline_acl");
    let baseline = baseline.expect("a list");
    assert_eq!(
        rule_file(&folder, "template_raw_acl.yaml")["@from:template_raw_acl"],
        baseline[baseline.len() - 1..]
    );
    assert!(rule_file(&folder, "default.expected-faucet-acl.yaml").values().all(Vec::is_empty));

    let mut of_profiles = 0;
    for port in ["dp_sec_port_1_acl", "dp_sec_port_2_acl", "dp_sec_upstream"] {
        let rules = rule_file(&folder, &format!("{port}.yaml")).remove(port).expect("a list");
        let (profiles, common): (Vec<_>, Vec<_>) =
            rules.into_iter().partition(|rule| rule["description"].starts_with("type "));
        assert!(common == baseline || (common.is_empty() && port == "dp_sec_upstream"), "{port}");
        for rule in profiles {
            let kind = rule["description"].split(' ').nth(1).expect("a type").to_owned();
            let bytes = read(&folder.join(format!("{kind}.json")));
            let (parsed, _) = parse_and_compile(&bytes, &Context::default());
            let own = [Direction::FromDevice, Direction::ToDevice]
                .map(|direction| rules_of(&parsed.file, &kind, direction))
                .concat();
            // The same entry stands in both lists of a profile, once for each direction.
            let fits = |ours: &Rule| {
                ours.len() == rule.len()
                    && ours.iter().all(|(key, value)| match (value.split_once(':'), rule.get(key)) {
                        (_, None) => false,
                        (_, Some(theirs)) if theirs == value => true,
                        (Some(("@mac", of)), Some(theirs)) => *theirs == mac(of),
                        (Some(("@dns", _)), Some(theirs)) => theirs == "127.0.1.1",
                        (Some(("@ctrl", _)), Some(theirs)) => *theirs == other(&kind),
                        _ => false,
                    })
            };
            assert_eq!(own.iter().filter(|ours| fits(ours)).count(), 1, "{port}: {rule:?}");
            of_profiles += 1;
        }
    }
    assert_eq!(of_profiles, 8);
}
