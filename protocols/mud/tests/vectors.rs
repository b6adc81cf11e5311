//! Every file of the shared vectors is judged here as its manifest says, or named with the reason why it is passed over.
//! What becomes of the files that have no manifest is recorded in `tests/data/corpus.txt`.

#![allow(clippy::print_stderr, reason = "what is passed over is said aloud")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use common::{PERMISSIVE, findings, fixture, read};
use mud::{
    AceBody, Admission, Announcer, Context, Direction, Doubt, Error, Family, Host, IpPrefix, Matches,
    PortMatch, PortOperator, Severity, Signature, Signer, SignerChange, SignerPin, SiteMode, TransportMatch,
    admit, announced_url, compile, parse, worst,
};
use serde_json::Value;
use sextant_mud as mud;
use x509::{Certificate, Name, cms};

/// What a file is to these tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A MUD file that a manifest judges.
    Judged,
    /// A MUD file of somebody, whose fate is recorded.
    Recorded,
    /// A signature, certificate, or signed file of `signed`.
    Signed,
    /// A MUD file as another project reads it.
    Reading,
    /// Rules of the DAQ project, compared in `faucet.rs`.
    Faucet,
    /// A list of cases, or of what the others are.
    Index,
    /// Nothing to judge; why.
    PassedOver(&'static str),
}

fn kind(path: &str) -> Option<Kind> {
    let (folder, name) = path.split_once('/').unwrap_or(("", path));
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    Some(match (folder, name, extension) {
        (_, "SOURCE.md", _) => Kind::PassedOver("says where the others are from"),
        ("negative" | "signed", "MANIFEST.json", _) | ("signed", "emission.json", _) => Kind::Index,
        ("negative", _, "json") => Kind::Judged,
        ("signed", _, "p7s" | "der" | "json") => Kind::Signed,
        ("namib-expected", "August-Doorbell-Test.json", _) => Kind::Reading,
        ("namib-expected", "Ring-Doorbell-Test.json", _) => {
            Kind::PassedOver("the file that it is the reading of is not among the vectors")
        }
        ("daq", "cabling.json", _) => Kind::PassedOver("which device is plugged in where"),
        ("daq", "devices.json", _) | ("daq", _, "yaml") => Kind::Faucet,
        ("nist", name, _)
            if name.contains("__controllerclass-mapping") || name.contains("__device-association") =>
        {
            Kind::PassedOver("members of classes for another manager, without a verdict on anything")
        }
        (
            "cisco" | "daq" | "mudmaker" | "namib" | "nist" | "osmud" | "other" | "unsw" | "visualizer",
            _,
            "json",
        ) => Kind::Recorded,
        _ => return None,
    })
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] })
        .collect();
    files.sort();
    files
}

fn files_of(root: &Path, wanted: Kind) -> Vec<(String, PathBuf)> {
    let name = |path: &Path| path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
    let files = all_files(root).into_iter().map(|path| (name(&path), path));
    files.filter(|(name, _)| kind(name) == Some(wanted)).collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&read(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} of {value}"))
}

#[test]
fn every_file_is_judged_or_passed_over_with_a_reason() {
    let Some(root) = testkit::vectors("mud") else { return };
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut unknown = Vec::new();
    for path in all_files(&root) {
        let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
        match kind(&name) {
            Some(kind) => *counts.entry(kind).or_default() += 1,
            None => unknown.push(name),
        }
    }
    assert!(unknown.is_empty(), "nobody judges {unknown:#?}");
    eprintln!("{counts:#?}");
    let passed: usize = counts.iter().filter(|(k, _)| matches!(k, Kind::PassedOver(_))).map(|(_, n)| n).sum();
    let total: usize = counts.values().sum();
    assert!(passed * 5 < total, "{passed} of {total} are passed over");
    let rules = include_str!("faucet.rs");
    for (name, _) in files_of(&root, Kind::Faucet) {
        let stem = name.trim_start_matches("daq/").split('.').next().expect("a name");
        assert!(rules.contains(stem), "{name} is compared nowhere");
    }
}

/// Runs one file through everything and names the result in the words of the manifest.
fn outcome(bytes: &[u8], context: &Context<'_>) -> String {
    let parsed = match parse(bytes, context) {
        Ok(parsed) => parsed,
        Err(Error::Moved { .. }) => {
            let authorised = Context { move_authorised: true, ..*context };
            assert!(parse(bytes, &authorised).is_ok(), "an authorised move is accepted");
            return "reject-unless-authorised".to_owned();
        }
        Err(_) => return "reject-file".to_owned(),
    };
    let compiled = compile(&parsed.file);
    match worst(findings(&parsed, &compiled)) {
        None | Some(Severity::Note) => "accept",
        Some(Severity::Warning) => "accept-with-warning",
        Some(Severity::AceRefused) => "reject-ace",
        Some(Severity::NeedsApproval) => "accept-only-by-operator",
    }
    .to_owned()
}

#[test]
fn broken_files_meet_the_fate_the_manifest_gives_them() {
    let Some(root) = testkit::vectors("mud") else { return };
    let folder = root.join("negative");
    let manifest = json(&folder.join("MANIFEST.json"));
    let cases = manifest["cases"].as_array().expect("cases");
    let known: BTreeSet<&str> =
        manifest["results"].as_object().expect("results").keys().map(String::as_str).collect();
    let context = Context { fetched_url: Some("https://maker.example/sensor/v2.json"), ..PERMISSIVE };
    let mut wrong = Vec::new();
    let mut judged = BTreeSet::new();
    for case in cases {
        let (file, expected) = (text(case, "file"), text(case, "expect"));
        assert!(known.contains(expected), "{expected} is none of the results");
        let found = outcome(&read(&folder.join(file)), &context);
        if found != expected {
            wrong.push((file, expected, found));
        }
        judged.insert(format!("negative/{file}"));
    }
    assert!(wrong.is_empty(), "file, expected, found: {wrong:#?}");
    let files: BTreeSet<String> = files_of(&root, Kind::Judged).into_iter().map(|(name, _)| name).collect();
    assert_eq!(judged, files, "each file has a case");
}

/// A number for a text: policies of the corpus are recorded by it (FNV-1a).
fn mark(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |mark, byte| (mark ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// One line for each file: its fate, what it compiles to, and the rules it breaks.
#[test]
fn files_of_other_projects_meet_the_recorded_fate() {
    let Some(root) = testkit::vectors("mud") else { return };
    let mut lines = String::new();
    for (name, path) in files_of(&root, Kind::Recorded) {
        let bytes = read(&path);
        write!(lines, "{name}: {}", outcome(&bytes, &Context::default())).expect("text");
        match parse(&bytes, &Context::default()) {
            Ok(parsed) => {
                let compiled = compile(&parsed.file);
                let policy = &compiled.policy;
                let codes: BTreeSet<_> = findings(&parsed, &compiled).map(|finding| finding.code).collect();
                let (flows, breadth) = (policy.entries.len(), policy.breadth().score);
                let mark = mark(&policy.encode_json());
                writeln!(lines, ", {flows} flows, breadth {breadth}, policy {mark:016x}, {codes:?}")
                    .expect("text");
            }
            Err(error) => writeln!(lines, ", {error}").expect("text"),
        }
    }
    if std::env::var_os("SEXTANT_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus.txt");
        std::fs::write(path, &lines).expect("a file of the test");
    }
    assert_eq!(lines, String::from_utf8(fixture("corpus.txt")).expect("text"), "SEXTANT_BLESS=1 writes it");
}

/// The signatures of the manifest, from the message to the decision whether the file is processed.
#[test]
fn signatures_lead_to_the_decision_that_the_manifest_gives() {
    let Some(root) = testkit::vectors("mud") else { return };
    let folder = root.join("signed");
    let certificate = |name: &str| Certificate::decode(&read(&folder.join(name))).expect("a certificate");
    let manifest = json(&folder.join("MANIFEST.json"));
    let anchors = [certificate(text(&manifest, "trust-anchor"))];
    let (signer, device) = (certificate("signer.der"), certificate("device-cert.der"));
    let expected_signer = device.mud_signer().expect("id-pe-mudsigner");
    assert!(text(&manifest, "expected-signer-subject").starts_with(&expected_signer.to_string()));
    let now = signer.validity().not_before / 2 + signer.validity().not_after / 2;
    let verify = |signature: &str, content: &str, extra: &[Certificate]| -> Signature<Name> {
        let policy = cms::SignerPolicy { anchors: &anchors, extra, subject: None, now };
        let message = cms::Detached::decode(&read(&folder.join(signature)));
        match message.and_then(|message| message.verify(&read(&folder.join(content)), &policy)) {
            Err(_) => Signature::Refused,
            Ok(verified) => {
                let ids = verified.chain().iter().skip(1).filter_map(Certificate::subject_key_id);
                let authorities = ids.map(<[u8]>::to_vec).collect();
                Signature::Verified(Signer { subject: verified.subject().clone(), authorities })
            }
        }
    };
    let url = mud::MudUrl::parse(device.mud_url().expect("a URL")).expect("a URL");
    let decide = |signature: &Signature<Name>, subject: Option<&Name>| {
        admit(signature, subject, &SiteMode::Hold, &url, now)
    };
    let mut used = BTreeSet::from([
        "signed/ca.der".to_owned(),
        "signed/signer.der".into(),
        "signed/device-cert.der".into(),
    ]);
    for case in manifest["cases"].as_array().expect("cases") {
        let signature = text(case, "sig");
        let content = case.get("content").unwrap_or(&manifest["content"]).as_str().expect("a name");
        used.extend([signature, content].map(|name| format!("signed/{name}")));
        let plain = verify(signature, content, &[]);
        let pinned = decide(&plain, Some(expected_signer));
        match text(case, "expect") {
            "ok" => assert_eq!(pinned, Admission::Process, "{signature} over {content}"),
            "bad" => assert_eq!(pinned, Admission::Hold(Doubt::NotVerified), "{signature} over {content}"),
            "bad-when-subject-pinned" => {
                assert_eq!(pinned, Admission::Hold(Doubt::OtherSigner), "{signature}");
                assert_eq!(decide(&plain, None), Admission::Process, "{signature}");
                // A later file by it is not taken for one of the first signer.
                let (Signature::Verified(first), Signature::Verified(other)) =
                    (verify("good-id-data.p7s", "mud.json", &[]), plain)
                else {
                    panic!("both verify")
                };
                let pin = SignerPin::new(first).expect("an authority");
                assert_eq!(pin.compare(&other), SignerChange::OtherSubject);
            }
            "ok-if-signer-known" => {
                assert_eq!(pinned, Admission::Hold(Doubt::NotVerified), "{signature}");
                let known = [certificate(text(case, "extra-cert"))];
                let decision = decide(&verify(signature, content, &known), Some(expected_signer));
                assert_eq!(decision, Admission::Process, "{signature}");
            }
            other => panic!("{other} is no word of the manifest"),
        }
    }
    // Signed by an authority that nobody trusts.
    used.insert("signed/other-ca.der".into());
    let other = [certificate("other-ca.der")];
    let policy = cms::SignerPolicy { anchors: &other, extra: &[], subject: None, now };
    let message = cms::Detached::decode(&read(&folder.join("good-id-data.p7s"))).expect("a message");
    assert!(message.verify(&read(&folder.join("mud.json")), &policy).is_err());
    let files: BTreeSet<String> = files_of(&root, Kind::Signed).into_iter().map(|(name, _)| name).collect();
    assert_eq!(used, files, "each file is used");
    assert_eq!(outcome(&read(&folder.join("mud.json")), &Context::default()), "accept");
}

#[test]
fn announcements_give_the_url_that_the_list_says() {
    let Some(root) = testkit::vectors("mud") else { return };
    let folder = root.join("signed");
    let mut told = 0;
    for case in json(&folder.join("emission.json"))["cases"].as_array().expect("cases") {
        let expected = case["url"].as_str();
        let announcer = match text(case, "kind") {
            "dhcpv4-option" => Announcer::DhcpV4,
            "dhcpv6-option" => Announcer::DhcpV6,
            "lldp-tlv" => Announcer::Lldp,
            "certificate" => {
                let certificate =
                    Certificate::decode(&read(&folder.join(text(case, "file")))).expect("a certificate");
                assert_eq!(certificate.mud_url(), expected);
                let signer = certificate.mud_signer().expect("a signer").to_string();
                assert_eq!(signer, text(case, "signer-subject"));
                continue;
            }
            other => panic!("{other} is no way to announce a URL"),
        };
        let found = announced_url(announcer, &testkit::hex(text(case, "hex")));
        assert_eq!(found.as_ref().ok().map(mud::MudUrl::as_str), expected, "{case}: {found:?}");
        told += 1;
    }
    assert_eq!(told, 14);
}

/// What another project's reader makes of a file is what ours does, entry by entry.
#[test]
fn another_reader_reads_the_same() {
    let Some(root) = testkit::vectors("mud") else { return };
    let theirs = json(&root.join("namib-expected/August-Doorbell-Test.json"));
    let bytes = read(&root.join("unsw/augustdoorbellcamMud.json"));
    let ours = parse(&bytes, &Context::default()).expect("a file").file;
    assert_eq!(text(&theirs, "url"), ours.mud_url.as_str());
    let (mut compared, mut equal) = (0, 0);
    for list in theirs["acllist"].as_array().expect("lists") {
        let acl = ours.acls.iter().find(|acl| acl.name == text(list, "name")).expect("the list");
        let direction = match text(list, "packet_direction") {
            "FromDevice" => Direction::FromDevice,
            _ => Direction::ToDevice,
        };
        assert!(ours.policy(direction).any(|listed| listed.name == acl.name));
        let entries = list["ace"].as_array().expect("entries");
        assert_eq!(entries.len(), acl.aces.len(), "{}", acl.name);
        for (entry, ace) in entries.iter().zip(&acl.aces) {
            assert_eq!(text(entry, "name"), ace.name);
            match &ace.body {
                AceBody::Matches(matches) => {
                    let (ours, theirs) = (reading(matches, direction), &entry["matches"]);
                    let theirs = theirs.as_object().expect("matches");
                    // Prefixes, and what stands beside Ethernet headers, they pass over; nothing they read is otherwise.
                    for (member, value) in theirs.iter().filter(|(_, value)| !value.is_null()) {
                        assert_eq!(&ours[member], value, "{} {member}", ace.name);
                    }
                    equal += usize::from(ours.as_object() == Some(theirs));
                }
                // They take an address of the other family for one of this.
                AceBody::Refused { code, .. } => {
                    let address: IpAddr =
                        text(&entry["matches"], "address_mask").parse().expect("an address");
                    assert_eq!((*code, Family::of(address)), ("other-family", Family::V4));
                }
            }
            compared += 1;
        }
    }
    assert_eq!((compared, equal), (65, 51));
}

/// The matches of an entry in the words of the other project, which knows no Ethernet header.
fn reading(matches: &Matches, direction: Direction) -> Value {
    let from = direction == Direction::FromDevice;
    let host = |host: &Option<Host>| host.as_ref().map(Host::to_string);
    let ip = matches.ip.as_ref();
    let far_name = ip.and_then(|ip| host(if from { &ip.dst_dnsname } else { &ip.src_dnsname }));
    let far_net = ip.and_then(|ip| if from { ip.destination } else { ip.source });
    let port = |port: Option<PortMatch>| match port {
        None => Value::Null,
        Some(PortMatch::Operator(PortOperator::Eq, port)) => serde_json::json!({ "single": port }),
        Some(other) => panic!("unexpected {other:?}"),
    };
    let (mut source, mut destination, mut initiator) = (Value::Null, Value::Null, Value::Null);
    let (mut icmp_type, mut icmp_code) = (Value::Null, Value::Null);
    match &matches.transport {
        Some(TransportMatch::Tcp(tcp)) => {
            (source, destination) = (port(tcp.source_port), port(tcp.destination_port));
            initiator = match tcp.direction_initiated {
                None => Value::Null,
                Some(Direction::FromDevice) => "FromDevice".into(),
                Some(Direction::ToDevice) => "ToDevice".into(),
            };
        }
        Some(TransportMatch::Udp(udp)) => {
            (source, destination) = (port(udp.source_port), port(udp.destination_port));
        }
        Some(TransportMatch::Icmp(icmp)) => {
            (icmp_type, icmp_code) = (icmp.icmp_type.into(), icmp.code.into());
        }
        None => {}
    }
    let number = ip.and_then(|ip| ip.protocol);
    let abstractions = &matches.mud;
    let augmented = *abstractions != mud::MudMatch::default();
    serde_json::json!({
        "protocol": number.map(|number| serde_json::json!({ "name": "Protocol", "num": number })),
        "direction_initiated": initiator,
        "address_mask": far_net.map(|net: IpPrefix| net.address().to_string()),
        "dnsname": far_name,
        "source_port": source,
        "destination_port": destination,
        "icmp_code": icmp_code,
        "icmp_type": icmp_type,
        "matches_augmentation": augmented.then(|| serde_json::json!({
            "manufacturer": host(&abstractions.manufacturer),
            "same_manufacturer": abstractions.same_manufacturer,
            "controller": abstractions.controller,
            "my_controller": abstractions.my_controller,
            "model": abstractions.model.as_ref().map(mud::MudUrl::as_str),
            "local": abstractions.local_networks,
        })),
    })
}
