//! A network operator's day: MUD files, their signatures, packets and overrides.

mod common;

use common::author_desk;

#[test]
fn shows_what_a_file_permits() {
    let desk = author_desk();
    desk.golden("mud-compile.txt", &desk.done("mud compile welcome-cam.json"));
    desk.golden("mud-lint.txt", &desk.done("mud lint welcome-cam.json"));
    let resolve = "--resolve name:api.northlight.example=203.0.113.5 --resolve local=192.168.7.0/24";
    let whole = desk.done(&format!("mud compile welcome-cam.json {resolve} --json"));
    desk.golden("mud-compile.json", &whole);
    let whole: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
    let digest = crypto::Digest::of(crypto::HashAlgorithm::Sha256, &desk.read("welcome-cam.json"));
    assert_eq!(whole["digest"], digest.to_string());
    assert_eq!((&whole["ordered"], &whole["left-out"]), (&false.into(), &serde_json::json!([])));
}

/// What extensions say is shown with the file.
#[test]
fn shows_what_extensions_say() {
    let desk = author_desk();
    let text = String::from_utf8(desk.read("welcome-cam.json")).expect("text");
    let nodes = r#""extensions": ["transparency", "ietf-mud-rats", "ol", "reporter", "nist-mud"],
        "ietf-mud-transparency:transparency": {"sboms": [{"version-info": "3.0", "sbom-url": "https://m.example/s"}],
            "sbom-archive-list": "https://m.example/all", "vuln-contact-uri": "mailto:psirt@m.example"},
        "ietf-mud-rats:ras": {"ras-uris": ["https://v.example/"]},
        "ol": {"owners": ["Northlight\u202e"], "spdx-tag": "0BSD"},
        "ietf-mud-reporter-extension:reporter": {"report-uri": "https://m.example/reports"},
        "nist-mud:quarantined-device-policy": {"enabled-ace-names": [{"ace-name": "api-fr"}]},
        "is-supported""#;
    desk.write("extended.json", text.replacen("\"is-supported\"", nodes, 1));
    let told = desk.done("inspect extended.json");
    for line in [
        "url: https://m.example/s",
        "sbom archive: https://m.example/all",
        "vulnerability contact: mailto:psirt@m.example",
        "- https://v.example/",
        "- Northlight",
        "licence: 0BSD",
        "reports to: https://m.example/reports",
        "- api-fr",
    ] {
        assert!(
            told.lines().any(|found| found.trim() == line || found.trim() == format!("- {line}")),
            "{line}\n{told}"
        );
    }
}

/// What a program needs to know about a file that is worth a second look: the answer is no, with breadth and findings.
#[test]
fn lint_says_no_to_what_waits_for_a_person() {
    let desk = author_desk();
    let clean: serde_json::Value =
        serde_json::from_str(&desk.done("mud lint welcome-cam.json --json")).expect("JSON");
    assert_eq!((&clean["ok"], &clean["breadth"]), (&true.into(), &30.into()));
    desk.done("mud lint welcome-cam.json --strict");
    let text = String::from_utf8(desk.read("welcome-cam.json")).expect("text");
    let broad = |file: &str, text: String, code: &str| {
        desk.write(file, text);
        let run = desk.run(&format!("mud lint {file} --json"));
        assert_eq!(run.status, 1, "{}", run.stderr);
        let whole: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert!(run.stdout.contains(code), "{code}\n{}", run.stdout);
        whole["breadth"].as_u64().expect("a number")
    };
    let name = "\"ietf-acldns:dst-dnsname\": \"api.northlight.example\"";
    assert!(text.contains(name));
    // An entry that is not understood is left out, which makes a file no broader.
    assert_eq!(broad("other.json", text.replacen(name, "\"x\": 1", 1), "unknown-match"), 30);
    let all = text.replacen(name, "\"destination-ipv4-network\": \"0.0.0.0/0\"", 1);
    assert!(broad("all.json", all, "any-remote") >= 60);
    // Every deviation is a warning at least: enough for --strict.
    desk.write("old.json", text.replace("\"is-supported\": true", "\"is-supported\": false"));
    desk.done("mud lint old.json");
    assert_eq!(desk.run("mud lint old.json --strict").status, 1);
}

#[test]
fn signs_files_and_believes_only_chains_to_its_anchors() {
    let desk = author_desk();
    desk.done("mud sign welcome-cam.json --key mud.key --cert mud.pem -o s.p7s");
    let verify = |options: &str| format!("mud verify welcome-cam.json --signature s.p7s {options}");
    desk.done(&verify("--anchor ca.pem"));
    desk.done(&verify("--anchor ca.pem --signer 'O=Northlight, CN=MUD signer'"));
    desk.refused(&verify("--anchor ca.pem --signer 'O=Evil, CN=MUD signer'"), "mud-signature");
    desk.refused(&verify("--anchor ca.pem --at 2020-01-01T00:00:00Z"), "mud-signature");
    desk.done("cert new-ca --key other.key --subject CN=Other -o other.pem");
    desk.refused(&verify("--anchor other.pem"), "mud-signature");
    let changed = String::from_utf8(desk.read("welcome-cam.json")).expect("text").replace("443", "444");
    desk.write("changed.json", changed);
    desk.refused("mud verify changed.json --signature s.p7s --anchor ca.pem", "mud-signature");
    desk.failed("mud sign welcome-cam.json --key author.key --cert mud.pem -o t.p7s", "cannot sign");
    desk.failed("mud sign welcome-cam.json --key ca.key --cert ca.pem -o t.p7s", "cannot sign");
}

#[test]
fn judges_packets() {
    let desk = author_desk();
    let compiled = desk.done("mud compile welcome-cam.json");
    let open = compiled
        .lines()
        .find_map(|line| line.strip_prefix("from-device ipv4 tcp to name ")?.strip_suffix(": accept"))
        .expect("the camera speaks TCP to a name");
    let (name, port) = open.split_once(" port ").expect("a port");
    let oracle = |packet: String| format!("mud oracle welcome-cam.json --packet '{packet}'");
    desk.done(&oracle(format!("from-device tcp {name}:{port}")));
    desk.refused(&oracle(format!("from-device tcp {name}:9")), "not-in-policy");
    desk.refused(&oracle("from-device tcp 198.51.100.9:443".into()), "not-in-policy");
    desk.done(&oracle("to-device tcp 198.51.100.9:443 established".into()));
    desk.done(&format!(
        "{} --resolve name:{name}=198.51.100.9",
        oracle(format!("from-device tcp 198.51.100.9:{port}"))
    ));
    desk.failed(&oracle("sideways tcp x".into()), "from-device|to-device");
}

/// The answer names the file and its entry: the one that decides, the one that lets only the other end start, or the one
/// that comes closest.
#[test]
fn says_which_entry_of_which_file_decides_about_a_packet() {
    let desk = author_desk();
    let oracle = |packet: &str| format!("mud oracle welcome-cam.json {packet}");
    let api = "--proto tcp --remote-name api.northlight.example";
    desk.golden("mud-oracle-passes.txt", &desk.done(&oracle(&format!("--from-device {api} --dport 443"))));
    let refused = desk.refused(&oracle(&format!("--from-device {api} --dport 80")), "not-in-policy");
    desk.golden("mud-oracle-nearest.txt", &refused);
    let wrong = desk.refused(&oracle(&format!("--to-device {api} --sport 443")), "wrong-initiator");
    desk.golden("mud-oracle-initiator.txt", &wrong);
    desk.done(&oracle(&format!("--from-device {api} --dport 443 --ipv6")));
    desk.done(&oracle(&format!("--to-device {api} --sport 443 --state established")));
    let local = "--to-device --proto tcp --remote 192.168.7.9 --dport 554";
    desk.refused(&oracle(local), "not-in-policy");
    desk.done(&oracle(&format!("{local} --resolve local=192.168.7.0/24")));
    let ping = "--to-device --proto icmp --remote 192.168.7.9 --icmp-type 8 --resolve local=192.168.7.0/24";
    desk.done(&oracle(ping));

    let run = desk.run(&oracle(&format!("--from-device {api} --dport 80 --json")));
    let whole: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((run.status, &whole["ok"], &whole["code"]), (1, &false.into(), &"not-in-policy".into()));
    assert_eq!(whole["differs"], serde_json::json!(["remote port"]));
    assert_eq!(whole["url"], "https://mud.northlight.example/welcome-cam/v3.json");

    desk.failed(&oracle("--from-device --proto tcp --dport 443"), "who the other end is");
    desk.failed(&oracle("--from-device --proto tcp --remote 192.0.2.1 --to-device"), "cannot be used with");
    desk.failed(&oracle("--proto tcp --remote 192.0.2.1"), "--from-device");
    desk.failed(&oracle("--from-device"), "--packet");
    desk.failed(
        &oracle("--from-device --proto tcp --remote 192.0.2.1 --packet 'from-device tcp x'"),
        "cannot be used with",
    );
    desk.failed(&oracle("--from-device --proto tcp --remote 192.0.2.1 --state asleep"), "established");
}

#[test]
fn says_when_a_new_file_permits_more() {
    let desk = author_desk();
    let old = String::from_utf8(desk.read("welcome-cam.json")).expect("text");
    desk.write("other.json", old.replace("443", "8443"));
    desk.done("mud diff welcome-cam.json welcome-cam.json");
    let told = desk.refused("mud diff welcome-cam.json other.json", "wider");
    assert!(told.contains("gained:") && told.contains("8443"), "{told}");

    let relay = "relay.northlight.example";
    desk.write("moved.json", old.replace(relay, "relay.elsewhere.example"));
    desk.golden("mud-diff.txt", &desk.refused("mud diff welcome-cam.json moved.json", "wider"));
    desk.write("closed.json", old.replace("\"accept\"", "\"drop\""));
    let change = |line: &str| {
        let whole: serde_json::Value = serde_json::from_str(&desk.run(line).stdout).expect("JSON");
        whole["change"].as_str().expect("a word").to_owned()
    };
    assert_eq!(change("mud diff welcome-cam.json welcome-cam.json --json"), "equal");
    assert_eq!(change("mud diff welcome-cam.json closed.json --json"), "narrower");
    assert_eq!(change("mud diff closed.json welcome-cam.json --json"), "wider");
    assert_eq!(change("mud diff welcome-cam.json moved.json --json"), "wider and narrower");
}

#[test]
fn points_into_a_file_that_gateways_would_refuse() {
    let desk = author_desk();
    let text = String::from_utf8(desk.read("welcome-cam.json")).expect("text");
    desk.write("version.json", text.replace("\"mud-version\": 1", "\"mud-version\": 2"));
    desk.golden("mud-version.txt", &desk.failed("mud lint version.json", "mud-version"));
    desk.write("cut.json", &text.as_bytes()[..200]);
    desk.failed("mud lint cut.json", "ends too early");
}

#[test]
fn signs_overrides_that_gateways_accept() {
    let desk = author_desk();
    let new = "policy override --key operator.key --author Nadia --reason 'Leaks' --for 2h";
    desk.done(&format!(
        "{new} --device 01020304050607 --deny 'from-device tcp 203.0.113.0/24:443' -o o.cose"
    ));
    let anchors = cose::TrustAnchors::new(vec![cose::TrustAnchor::new(
        common::fixed_key(2).public_key().clone(),
        cose::Purpose::Override,
        "operator",
    )]);
    let bytes = desk.read("o.cose");
    let signed = trust::SignedOverride::verify(&bytes, &anchors).expect("gateways accept it");
    assert_eq!(signed.content().author, "Nadia");
    assert_eq!(signed.content().expires - signed.content().not_before, 7200);
    let told = desk.done("inspect o.cose");
    assert!(told.contains("deny from-device ipv4 tcp 203.0.113.0/24 port 443"), "{told}");
    desk.done(&format!("{new} --site --allow 'from-device udp time.example:123 ipv6' -o p.cose"));
    desk.done(&format!("{new} --model https://m.example/a.json --ignore acl/ace -o q.cose"));
    desk.failed(&format!("{new} --site --ignore entry -o r.cose"), "names no entry");
    desk.failed(
        &new.replace("'Leaks'", "''").replace("2h", "2h --site --deny 'from-device any any' -o r.cose"),
        "refuse this override",
    );
    desk.failed(&format!("{new} --site --deny 'from-device any any'"), "no server is named");
    desk.failed(
        &format!("{new} --site --device 01020304050607 --deny 'from-device any any' -o r.cose"),
        "cannot be used with",
    );
}

#[test]
fn signs_approvals_of_the_release_and_the_file_that_were_read() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    let approve = |what: &str| {
        format!("policy approve {what} --key operator.key --author Nadia --reason 'Read it' --for 30d")
    };
    let anchors = cose::TrustAnchors::new(vec![cose::TrustAnchor::new(
        common::fixed_key(2).public_key().clone(),
        cose::Purpose::Override,
        "operator",
    )]);
    let effect = |file: &str| {
        let signed = trust::SignedOverride::verify(&desk.read(file), &anchors).expect("gateways accept it");
        assert_eq!(signed.content().expires - signed.content().not_before, 30 * 86_400);
        assert_eq!(signed.content().scope, trust::Scope::Site);
        signed.content().effect.clone()
    };
    let envelope = desk.read("r.suit");
    let envelope = suit::Envelope::decode(&envelope).expect("an envelope");
    let release = envelope.manifest_digest_claimed();

    let digits = release.to_string();
    let digits = digits.strip_prefix("sha256:").expect("SHA-256");
    desk.done(&format!("{} -o any.cose", approve(digits)));
    desk.done(&format!("{} -o same.cose", approve(&format!("sha256:{digits}"))));
    let any = trust::Effect::Approve(trust::Approval { release, file: None });
    assert_eq!((effect("any.cose"), effect("same.cose")), (any.clone(), any));
    let told = desk.done("inspect any.cose");
    assert!(told.contains(&format!("approve release sha256:{digits} with any MUD file")), "{told}");

    // With the envelope at hand the file that was read is approved, and no other.
    desk.done("suit build recipe.toml --key author.key -o m.suit");
    desk.done(&format!("{} -o one.cose", approve("m.suit")));
    let envelope = desk.read("m.suit");
    let release = suit::Envelope::decode(&envelope).expect("an envelope").manifest_digest_claimed();
    let file = crypto::Digest::of(crypto::HashAlgorithm::Sha256, &desk.read("welcome-cam.json"));
    let one = trust::Effect::Approve(trust::Approval { release, file: Some(file) });
    assert_eq!(effect("one.cose"), one);
    let told = desk.done("inspect one.cose");
    assert!(told.contains(&format!("with MUD file {file}")), "{told}");
    desk.failed(&format!("{} -o x.cose", approve("r.suit")), "carries no MUD file to approve");
    desk.failed(&format!("{} -o x.cose", approve("nothing-here")), "cannot read");
    desk.failed(&format!("{} -o x.cose", approve("author.key")), "not a SUIT envelope");
    desk.failed(&approve(digits), "no server is named");
    desk.failed(
        &approve(digits).replace("'Read it'", "''").replace("30d", "30d -o x.cose"),
        "refuse this override",
    );
}

#[test]
fn writes_policies_that_are_read_back() {
    let desk = author_desk();
    desk.done("policy new --result-lifetime 15m --outdated-access blocked --require-mud-anchor -o p.cbor");
    let told = desk.done("policy show p.cbor");
    for line in
        ["result lifetime: 900", "outdated access: blocked", "require mud anchor: yes", "allow debug: no"]
    {
        assert!(told.contains(&format!("{line}\n")), "{line}\n{told}");
    }
    assert_eq!(trust::Policy::decode(&desk.read("p.cbor")).map(|policy| policy.result_lifetime), Ok(900));
    desk.failed("policy new --result-lifetime 4000d -o q.cbor", "would be refused");
    desk.failed("policy show welcome-cam.json", "not a policy");
}

/// What a device did, and tried.
const SEEN: &str = r#"{"ueid":"02020000000001","flows":[
    {"ueid":"02020000000001","direction":"from-device","protocol":"tcp","remote":"203.0.113.5","name":"api.northlight.example",
     "port":443,"flows":12,"sent_packets":90,"sent_octets":9000,"received_packets":80,"received_octets":70000,
     "first_ms":1796050800000,"last_ms":1796054400000},
    {"ueid":"02020000000001","direction":"from-device","protocol":"udp","remote":"192.168.7.1","port":53,"flows":30,"sent_packets":30,
     "sent_octets":1800,"received_packets":30,"received_octets":3000,"first_ms":1796050800000,"last_ms":1796054400000},
    {"ueid":"02020000000001","direction":"to-device","protocol":"tcp","remote":"192.168.7.20","port":554,"flows":3,"sent_packets":900,
     "sent_octets":900000,"received_packets":400,"received_octets":20000,"first_ms":1796050900000,"last_ms":1796053400000},
    {"ueid":"02020000000001","direction":"from-device","protocol":"icmp","remote":"192.168.7.20","port":2048,"flows":1,"sent_packets":1,
     "sent_octets":84,"received_packets":1,"received_octets":84,"first_ms":1796050900000,"last_ms":1796050900000},
    {"ueid":"02020000000001","direction":"from-device","protocol":"tcp","remote":"203.0.113.99","port":8443,"flows":9,"sent_packets":90,
     "sent_octets":9000,"received_packets":80,"received_octets":7000,"first_ms":1796050800000,"last_ms":1796054400000}],
  "dropped":[{"gateway":"gw-1","ueid":"02020000000001","mac":"02:00:00:00:00:01","src":"192.168.7.9","dst":"203.0.113.77",
     "protocol":"udp","sport":4000,"dport":3478,"direction":"from-device","group":10,"count":1,"first_ms":1796050800000,
     "last_ms":1796050800000}]}"#;

#[test]
fn proposes_a_file_from_what_a_device_did() {
    let desk = author_desk();
    desk.write("seen.json", SEEN);
    let line = "mud learn --flows seen.json --url https://mud.northlight.example/learned.json --systeminfo 'A camera' \
                --local 192.168.7.0/24 --service 192.168.7.1 --leave-out 203.0.113.99 --at 2026-12-01T00:00:00Z -o learned.json";
    desk.golden("mud-learn.txt", &desk.done(line));
    desk.golden("mud-learn-lint.txt", &desk.done("mud lint learned.json"));
    let oracle = |packet: &str| format!("mud oracle learned.json {packet} --resolve local=192.168.7.0/24");
    desk.done(&oracle("--packet 'from-device tcp api.northlight.example:443'"));
    desk.done(&oracle("--packet 'to-device tcp 192.168.7.20:40000 device-port 554'"));
    desk.refused(&oracle("--packet 'from-device tcp 203.0.113.99:8443'"), "not-in-policy");
    desk.refused(&oracle("--packet 'from-device udp 203.0.113.77:3478'"), "not-in-policy");

    // With what it was kept from, for programs; the proposal is what can be signed.
    let told = desk.done(&format!("{line} --with-dropped --json"));
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let tried = told["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .find(|entry| entry["flow"].as_str().is_some_and(|flow| flow.contains("3478")));
    assert_eq!(tried.expect("what was dropped")["doubts"], serde_json::json!(["address", "seen-once"]));
    assert_eq!((&told["left_out"][0]["why"], &told["left_out_by_hand"]), (&"default".into(), &1.into()));
    desk.done(&oracle("--packet 'from-device udp 203.0.113.77:3478'"));

    desk.failed(&line.replace("https:", "http:"), "https");
    desk.write("seen.json", "{}");
    desk.failed(line, "no list of flows");
    desk.failed("mud learn --url https://a.example/m -o m.json", "required");
}
