//! The face of the command line: exit statuses, streams, and failures that say what to do.

mod common;

use common::{Desk, author_desk};

#[test]
fn tells_misuse_from_refusal() {
    let desk = author_desk();
    for line in [
        "",
        "frobnicate",
        "suit",
        "suit verify",
        "key new",
        "suit verify x --key a --authorities b",
        "device ls --q",
    ] {
        assert_eq!(desk.run(line).status, 2, "`{line}`");
    }
    for line in ["--help", "--version", "suit --help", "suit build --help"] {
        assert_eq!(desk.run(line).status, 0, "`{line}`");
    }
    desk.failed("inspect missing", "cannot read missing");
    desk.failed("inspect recipe.toml", "text of no supported kind");
    assert_eq!(desk.run_with_input("inspect -", b"").status, 2);
    desk.failed("device ls", "no server is named");
    desk.failed("device ls --server http://localhost", "not an https URL");
    desk.failed("device ls --server https://localhost", "no certificate of the server");
}

#[test]
fn takes_every_object_from_standard_input() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    let envelope = desk.read("r.suit");
    for line in ["inspect -", "suit inspect -", "suit lint -", "suit verify - --key author.key.pub"] {
        let run = desk.run_with_input(line, &envelope);
        assert_eq!(run.status, 0, "{line}\n{}", run.stderr);
    }
    let hexadecimal: String = envelope.iter().map(|byte| format!("{byte:02X}")).collect();
    let run = desk.run_with_input("inspect -", format!("# an envelope\n{hexadecimal}\n").as_bytes());
    assert!(run.stdout.starts_with("kind: SUIT envelope"), "{}", run.stderr);
    let to_stdout =
        desk.command(["suit", "sever", "r.suit", "--member", "text", "-o", "-"]).output().expect("a run");
    assert!(suit::Envelope::decode(&to_stdout.stdout).is_ok());
}

#[test]
fn points_at_the_byte_that_is_wrong() {
    let desk = author_desk();
    desk.done("suit build plain.toml -o r.suit");
    let mut bytes = desk.read("r.suit");
    // The label of the manifest stands before the head of its byte string.
    let at = bytes.windows(2).position(|pair| pair == [0x03, 0x58]).expect("the label of the manifest");
    bytes[at] = 0x0d;
    desk.write("bad.suit", &bytes);
    desk.golden("bad-envelope.txt", &desk.failed("inspect bad.suit", "legacy-draft"));
    desk.write("cut.suit", &bytes[..40]);
    desk.failed("inspect cut.suit", "input ends inside an item");
    desk.done("inspect --diagnostic r.suit");
    desk.failed("inspect --diagnostic cut.suit", "not CBOR");
}

#[test]
fn detects_what_an_object_is() {
    let desk = author_desk();
    desk.done("mud sign welcome-cam.json --key mud.key --cert mud.pem -o s.p7s");
    desk.done("authority new -o list");
    desk.done("key show author.key --form jwk -o k.jwk");
    desk.done("key show author.key --form pem -o k.pem");
    desk.done("cert new-ca --key ca.key --subject CN=CA -o ca.der");
    desk.done("policy new -o policy.cbor");
    desk.write("l.json", "[1]")
        .write("b", trust::Bundle { device: vec![1], ..trust::Bundle::default() }.encode());
    desk.write("j.json", r#"{"a": [1, null]}"#).write("c.cbor", [0x83, 1, 0x20, 0x61, 0x78]);
    for (file, kind) in [
        ("welcome-cam.json", "MUD file"),
        ("s.p7s", "CMS detached signature"),
        ("list", "authority list"),
        ("k.jwk", "public key"),
        ("k.pem", "public key"),
        ("author.key", "private key"),
        ("ca.pem", "certificate"),
        ("ca.der", "certificate"),
        ("j.json", "JSON"),
        ("l.json", "JSON"),
        ("policy.cbor", "appraisal and posture policy"),
        ("b", "decision bundle"),
        ("c.cbor", "CBOR"),
    ] {
        let told = desk.done(&format!("inspect {file}"));
        assert!(told.starts_with(&format!("kind: {kind}\n")), "{file}: {told}");
        let json = desk.done(&format!("inspect {file} --json"));
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["kind"], kind, "{file}");
    }
    assert_eq!(desk.done("inspect c.cbor"), "kind: CBOR\ndiagnostic: [1, -1, \"x\"]\n");
}

#[test]
fn keeps_data_apart_from_notes_and_color_out_of_pipes() {
    let desk = author_desk();
    let run = desk.run("suit build plain.toml --key author.key -o r.suit");
    assert!(run.stdout.is_empty() && run.stderr.contains("release 1.4.0"), "{}", run.stderr);
    let quiet = desk.run("--quiet suit build recipe.toml --key author.key -o r.suit");
    assert!(!quiet.stderr.contains("release 1.4.0"), "{}", quiet.stderr);
    for run in [run, desk.run("suit verify r.suit --key author.key.pub"), desk.run("inspect nothing")] {
        assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'));
    }
}

#[test]
fn cannot_be_made_to_move_the_cursor() {
    let desk = author_desk();
    desk.write("evil.toml", common::RECIPE.replace("Northlight\"", "North\\u001b[2Jlight\\u202e\""));
    desk.done("suit build evil.toml --key author.key -o r.suit");
    for line in ["inspect r.suit", "suit verify r.suit --key author.key.pub"] {
        let told = desk.done(line);
        assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'), "{told}");
    }
}

#[test]
fn finds_the_place_where_an_audit_chain_breaks() {
    let desk = Desk::new();
    let records = ["{\"seq\":1}", "{\"seq\":2}", "{\"seq\":3}"];
    let mut last = vec![0; 32];
    let mut lines = Vec::new();
    for (sequence, record) in (1..).zip(records) {
        let mut hasher = crypto::Hasher::new(crypto::HashAlgorithm::Sha256);
        hasher.update(&last);
        hasher.update(record.as_bytes());
        last = hasher.finish().as_bytes().to_vec();
        let hash: String = last.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(
            serde_json::to_string(&api::AuditLine { sequence, record: record.into(), hash }).expect("JSON"),
        );
    }
    let head: String = last.iter().map(|byte| format!("{byte:02x}")).collect();
    desk.write("chain", lines.join("\n"));
    desk.done(&format!("audit verify chain --head {head}"));
    desk.write("altered", lines.join("\n").replace("\\\"seq\\\":2", "\\\"seq\\\":4"));
    desk.refused("audit verify altered", "audit-broken");
    desk.write("gap", [&*lines[0], &*lines[2]].join("\n"));
    desk.refused("audit verify gap", "audit-broken");
    desk.write("short", lines[..2].join("\n"));
    desk.done("audit verify short");
    desk.refused(&format!("audit verify short --head {head}"), "audit-head");
    desk.write("rubbish", "rubbish");
    desk.failed("audit verify rubbish", "line 1 is no record");
}

#[test]
fn makes_a_decision_again_without_a_server() {
    use trust::{Bundle, Inputs, Policy, Violation, decide};
    let desk = author_desk();
    desk.done("authority new -o list");
    let policy = Policy::default();
    let now = 1_795_449_600;
    let decision = decide(&Inputs {
        device: &[1; 17],
        outcome: None,
        releases: &[],
        overlays: &[],
        violations: &[],
        hold: None,
        spared: false,
        policy: &policy,
        now,
    });
    let bundle = Bundle {
        device: vec![1; 17],
        decision: decision.encode(),
        policy: policy.encode(),
        now,
        ..Bundle::default()
    };
    let verify = |file: &str| format!("decision verify {file} --authorities list --verifier other.key.pub");
    desk.write("bundle", bundle.encode());
    let answer = serde_json::json!({ "decision": 7, "bundle": api::Base64Url::encode(&bundle.encode()) });
    desk.write("answer.json", answer.to_string());
    for file in ["bundle", "answer.json"] {
        let told = desk.done(&verify(file));
        assert!(told.contains("posture: unknown") && told.contains("never-attested"), "{told}");
    }
    let violations = vec![Violation { at: now, count: 1, target: "203.0.113.9".into() }];
    desk.write("forged", Bundle { violations, ..bundle }.encode());
    desk.refused(&verify("forged"), "decision-unproven");
    desk.write("none.json", "{}");
    desk.failed(&verify("none.json"), "holds no bundle");
}
