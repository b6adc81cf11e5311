//! The verbs that talk to a server, against one that writes down what it is asked and answers as told.

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use common::{Desk, Run, author_desk};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types::PrivateKeyDer};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
struct Asked {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Asked {
    fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|other| other.eq_ignore_ascii_case(header))
    }
}

/// Serves one connection after another on the loopback, each with the next answer; it ends with its answers.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers are a status and a body.
    fn start<B: AsRef<[u8]>>(desk: &Desk, answers: &[(u16, B)]) -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        desk.write("server.pem", cert.pem()).write("token", "secret\n");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a server");
        let config = Arc::new(config);
        let listener = TcpListener::bind("localhost:0").expect("a port");
        let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, log) =
            (answers.iter().map(|(s, b)| (*s, b.as_ref().to_vec())).collect::<Vec<_>>(), asked.clone());
        thread::spawn(move || {
            for (status, body) in answers {
                let (stream, _) = listener.accept().expect("a connection");
                let connection = ServerConnection::new(config.clone()).expect("a connection");
                let mut stream = BufReader::new(StreamOwned::new(connection, stream));
                // A client that does not believe the certificate leaves before it asks.
                let Some(request) = read(&mut stream) else { continue };
                log.lock().expect("nobody panicked").push(request);
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let out = stream.get_mut();
                out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body)).expect("an answer");
                out.conn.send_close_notify();
                let _ = out.flush();
            }
        });
        Self { url, asked }
    }

    fn run(&self, desk: &Desk, line: &str) -> Run {
        desk.run(&format!("{line} --server {} --ca server.pem --token-file token", self.url))
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panicked").clone()
    }
}

fn read(stream: &mut BufReader<StreamOwned<ServerConnection, std::net::TcpStream>>) -> Option<Asked> {
    let mut asked = Asked::default();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.parse().expect("a length");
        }
        if asked.line.is_empty() { asked.line = line } else { asked.headers.push(line) }
    }
    asked.body = vec![0; length];
    stream.read_exact(&mut asked.body).ok()?;
    Some(asked)
}

const PROBLEM: &str = r#"{"type":"about:blank","title":"Refused","status":422,"detail":"nobody knows the signer",
    "code":"unknown-signer","reason":{"code":"unknown-signer","detail":{"kid":"01"}}}"#;

#[test]
fn publishes_a_release_with_its_credential_and_media_type() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    let server = Server::start(&desk, &[(201, r#"{"manifest_digest":"00ff"}"#), (422, PROBLEM)]);
    let run = server.run(&desk, "release publish r.suit --json");
    assert_eq!((run.status, run.stdout.contains("00ff")), (0, true), "{}", run.stderr);
    let refused = server.run(&desk, "release publish r.suit");
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    assert_eq!(refused.stdout, "no: nobody knows the signer [unknown-signer]\ndetail:\n  kid: 01\n");
    let asked = server.asked();
    assert!(asked[0].line.starts_with("POST /api/v1/releases "), "{:?}", asked[0]);
    assert!(
        asked[0].has("authorization: Bearer secret")
            && asked[0].has("content-type: application/suit-envelope+cose")
    );
    assert_eq!(asked[0].body, desk.read("r.suit"));
}

#[test]
fn gives_lists_fetches_and_revokes_manifests() {
    let desk = author_desk();
    desk.write("corim.cbor", [0xa0]);
    let listed = r#"{"digest":"00ff","id":"maker","authority":"Silicon","received_at":"2026-11-29T08:00:00Z",
        "received_by":"olga","holds":true,"reference_values":2,"attestation_keys":1}"#;
    let all = format!("[{listed}]");
    let result = r#"{"items":[{"id":7,"session":"x","media_type":"application/eat+cwt","instance":"01aa","tier":"warning",
        "reasons":[{"code":"release-revoked","detail":{}}],"judged_at":"2026-11-29T08:00:00Z",
        "expires_at":"2026-11-29T08:05:00Z","again":true,"key":{"by":"manifest-authority","manifest":"sha256:00"},"result":"AA"}]}"#;
    let answers =
        [(201, listed), (422, PROBLEM), (200, all.as_str()), (200, "bytes"), (204, ""), (200, result)];
    let server = Server::start(&desk, &answers);
    let added = server.run(&desk, "endorsement add corim.cbor --json");
    assert_eq!((added.status, added.stdout.contains("Silicon")), (0, true), "{}", added.stderr);
    assert_eq!(server.run(&desk, "endorsement add corim.cbor").status, 1);
    let listed = server.run(&desk, "endorsement ls").stdout;
    assert!(listed.contains("maker") && listed.contains("accepted"), "{listed}");
    assert_eq!(server.run(&desk, "endorsement fetch sha256:00ff -o out.cbor").status, 0);
    assert_eq!(desk.read("out.cbor"), b"bytes");
    assert_eq!(server.run(&desk, "endorsement revoke 00ff").status, 0);
    let results = server.run(&desk, "endorsement results --limit 3 --after 9").stdout;
    for words in ["01aa", "warning", "manifest-authority", "release-revoked", "2026-11-29T08:00:00Z again"] {
        assert!(results.contains(words), "{results}");
    }
    let asked = server.asked();
    assert!(asked[0].line.starts_with("POST /api/v1/endorsements "), "{:?}", asked[0]);
    assert!(asked[0].has("content-type: application/rim+cbor"));
    assert_eq!(asked[0].body, [0xa0]);
    assert!(asked[3].line.starts_with("GET /api/v1/endorsements/00ff/object "), "{:?}", asked[3]);
    assert!(asked[4].line.starts_with("POST /api/v1/endorsements/00ff/revoke "), "{:?}", asked[4]);
    assert!(asked[5].line.starts_with("GET /api/v1/results/foreign?limit=3&after=9 "), "{:?}", asked[5]);
}

#[test]
fn imports_lists_fetches_and_deletes_vouchers() {
    let desk = Desk::new();
    let block = |bytes: &[u8]| x509::pem::encode("OWNERSHIP VOUCHER", bytes);
    desk.write("two.pem", format!("{}{}", block(b"one"), block(b"two")));
    let listed = r#"{"guid":"44","ueid":"0144","device":"camera","entries":2,"owner":"00ff","holds":true,"digest":"aa",
        "received_at":"2026-11-29T08:00:00Z","received_by":"olga"}"#;
    let gone = listed.replace("\"owner\":\"00ff\",\"holds\":true", "\"holds\":false");
    let all = format!("[{listed},{gone}]");
    let answers =
        [(422, PROBLEM), (201, listed), (200, all.as_str()), (200, listed), (200, "bytes"), (204, "")];
    let server = Server::start(&desk, &answers);
    // One that is refused keeps no other back, and is the answer.
    let run = server.run(&desk, "voucher import two.pem");
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(
        run.stdout.contains("[unknown-signer]") && run.stdout.contains("device: camera"),
        "{}",
        run.stdout
    );
    let table = server.run(&desk, "voucher list").stdout;
    assert!(table.contains("00ff") && table.contains("does not hold"), "{table}");
    assert!(server.run(&desk, "voucher show 44").stdout.contains("entries: 2"));
    assert_eq!(server.run(&desk, "voucher fetch 44 -o out.cbor").status, 0);
    assert_eq!(desk.read("out.cbor"), b"bytes");
    assert_eq!(server.run(&desk, "voucher delete 44").status, 0);
    let asked = server.asked();
    assert!(
        asked[0].line.starts_with("POST /api/v1/vouchers ") && asked[0].has("content-type: application/cbor")
    );
    assert_eq!((asked[0].body.as_slice(), asked[1].body.as_slice()), (&b"one"[..], &b"two"[..]));
    let lines: Vec<&str> = asked[2..].iter().map(|asked| asked.line.as_str()).collect();
    let wanted = [
        "GET /api/v1/vouchers HTTP/1.1",
        "GET /api/v1/vouchers/44 HTTP/1.1",
        "GET /api/v1/vouchers/44/object HTTP/1.1",
        "DELETE /api/v1/vouchers/44 HTTP/1.1",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn says_what_to_run_when_a_release_needs_approval_and_gives_the_approval() {
    let desk = author_desk();
    desk.done("suit build plain.toml --key author.key -o r.suit");
    let problem = r#"{"type":"about:blank","title":"x","status":422,"detail":"mud-needs-approval: breadth 80",
        "code":"mud-needs-approval","help":"run sextant policy approve 00ff"}"#;
    let listed = r#"[{"digest":"aa","object":"AQ","received_at":"2026-11-23T16:00:00Z","received_by":"olga",
        "not_before":"2026-11-23T16:00:00Z","expires":"2026-12-23T16:00:00Z","scope":"release:00ff","reason":"Read it"}]"#;
    let server = Server::start(&desk, &[(422, problem), (201, r#"{"digest":"aa"}"#), (200, listed)]);
    let refused = server.run(&desk, "release publish r.suit");
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    assert_eq!(
        refused.stdout,
        "no: breadth 80 [mud-needs-approval]\nhelp: run sextant policy approve 00ff\n"
    );
    let digest = "00".repeat(32);
    let approve =
        format!("policy approve {digest} --key operator.key --author Nadia --reason 'Read it' --for 30d");
    let done = server.run(&desk, &approve);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let listed = server.run(&desk, "policy overrides").stdout;
    assert!(listed.contains("release:00ff") && listed.contains("Read it"), "{listed}");
    let asked = server.asked();
    assert_eq!(asked[1].line, "POST /api/v1/overrides HTTP/1.1");
    assert!(asked[1].has("content-type: application/cose"));
    let message = cose::Sign1::decode(&asked[1].body).expect("a signature");
    let content = trust::Override::decode(message.payload().expect("a payload")).expect("an override");
    assert!(matches!(content.effect, trust::Effect::Approve(_)), "{content:?}");
}

#[test]
fn approves_a_file_that_no_release_binds() {
    let desk = author_desk();
    let url = "https://things.example/plug/v1.json";
    let digest = "ab".repeat(32);
    let common = "--key operator.key --author Nadia --reason 'Read it' --for 30d -o approval";
    for (more, scope) in [
        ("", trust::Scope::Site),
        ("--device 02020000000001", trust::Scope::Device(vec![2, 2, 0, 0, 0, 0, 1])),
        (
            "--model https://things.example/plug/v0.json",
            trust::Scope::Model("https://things.example/plug/v0.json".into()),
        ),
    ] {
        desk.done(&format!("policy approve --mud-url {url} --mud-digest {digest} {more} {common}"));
        let approval = desk.read("approval");
        let message = cose::Sign1::decode(&approval).expect("a signature");
        let content = trust::Override::decode(message.payload().expect("a payload")).expect("an override");
        let trust::Effect::ApproveFile { url: said, file } = &content.effect else { panic!("{content:?}") };
        assert_eq!((said.as_str(), file.as_bytes(), &content.scope), (url, [0xab; 32].as_slice(), &scope));
    }
    for wrong in [
        format!("policy approve --mud-url {url} {common}"),
        format!("policy approve --mud-url http://things.example/ --mud-digest {digest} {common}"),
        format!("policy approve --mud-url {url} --mud-digest abab {common}"),
        format!("policy approve 00 --mud-url {url} --mud-digest {digest} {common}"),
        format!("policy approve {common}"),
    ] {
        assert_eq!(desk.run(&wrong).status, 2, "{wrong}");
    }
}

#[test]
fn lists_what_waits_of_devices_without_attestation_and_has_it_checked() {
    let desk = Desk::new();
    let models = r#"[{"gateway":"gw-1","url":"https://things.example/plug/v1.json","source":"announced","state":"waiting",
        "offered":{"digest":"bb","reasons":[{"code":"mud-wider"}]},"next_check_ms":1800000000000,"devices":2}]"#;
    let devices = r#"[{"gateway":"gw-1","ueid":"02020000000001","mac":"02:00:00:00:00:01","addresses":["10.77.0.11"],
        "strength":"weak","access":"minimum","reasons":[{"code":"mud-missing"}]}]"#;
    let server = Server::start(&desk, &[(200, models), (200, devices), (200, models), (202, "")]);
    let shown = server.run(&desk, "network models").stdout;
    assert!(shown.contains("waiting") && shown.contains("mud-wider") && shown.contains("gw-1"), "{shown}");
    let shown = server.run(&desk, "network devices").stdout;
    assert!(shown.contains("minimum") && shown.contains("mud-missing"), "{shown}");
    let shown = server.run(&desk, "network approve-hint").stdout;
    assert!(
        shown.starts_with("sextant policy approve --mud-url 'https://things.example/plug/v1.json'"),
        "{shown}"
    );
    assert_eq!(server.run(&desk, "network check https://things.example/plug/v1.json").status, 0);
    let asked = server.asked();
    assert_eq!(asked[0].line, "GET /api/v1/network/models HTTP/1.1");
    assert_eq!(asked[3].line, "POST /api/v1/network/check HTTP/1.1");
    assert_eq!(asked[3].body, br#"{"url":"https://things.example/plug/v1.json"}"#);
}

#[test]
fn publishes_and_fetches_the_authorities() {
    let desk = author_desk();
    desk.done("authority new -o list");
    desk.done("authority add list --key author.key.pub --role author --name Northlight");
    let list = api::Base64Url::encode(&desk.read("list"));
    let version = format!(r#"{{"version":2,"list":"{list}","at":"2026-11-23T16:00:00Z","actor":"olga"}}"#);
    let server = Server::start(&desk, &[(204, ""), (200, &version)]);
    assert_eq!(server.run(&desk, "authority publish list").status, 0);
    assert_eq!(server.run(&desk, "authority fetch -o fetched").status, 0);
    assert_eq!(desk.read("fetched"), desk.read("list"));
    let asked = server.asked();
    assert_eq!(asked[0].line, "PUT /api/v1/authorities HTTP/1.1");
    assert!(asked[0].has("content-type: application/cbor") && asked[0].body == desk.read("list"));
    assert_eq!(desk.run("authority publish author.key").status, 2, "a key is no list");
}

#[test]
fn lists_devices_page_by_page() {
    let desk = Desk::new();
    let device = |name: &str| {
        format!(
            r#"{{"ueid":"01","name":"{name}","model":"cam","group":"","posture":"untrusted","access":"update-only",
            "violating":false,"reasons":[{{"code":"digest-mismatch"}}],"release":null,"version":"1.4.0",
            "attested_at":null,"enrolled_at":"2026-11-23T16:00:00Z","hold":null,"decision":null}}"#
        )
    };
    let first = format!(r#"{{"items":[{}],"next":"01"}}"#, device("one"));
    let second = format!(r#"{{"items":[{}]}}"#, device("two"));
    let server = Server::start(&desk, &[(200, &first), (200, &second)]);
    let run = server.run(&desk, "device ls posture:untrusted");
    assert_eq!(run.status, 0, "{}", run.stderr);
    desk.golden("device-ls.txt", &run.stdout);
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        [
            "GET /api/v1/devices?q=posture%3Auntrusted HTTP/1.1",
            "GET /api/v1/devices?q=posture%3Auntrusted&after=01 HTTP/1.1"
        ]
    );
}

#[test]
fn enrols_a_device_with_its_public_key_only() {
    let desk = author_desk();
    let server =
        Server::start(&desk, &[(201, r#"{"devices":["01020304050607"]}"#), (204, ""), (204, ""), (204, "")]);
    let run =
        server.run(&desk, "device enrol --ueid 01020304050607 --name porch --model cam --key author.key");
    assert_eq!((run.status, run.stdout.as_str()), (0, "01020304050607\n"), "{}", run.stderr);
    let list: Vec<api::EnrolDevice> = serde_json::from_slice(&server.asked()[0].body).expect("a list");
    let public = cose::Key::from_public(common::fixed_key(1).public_key()).encode();
    assert_eq!(list[0].key, api::EnrolKey::Text(api::Base64Url::encode(&public)));
    for line in [
        "device hold 'porch cam' --reason leaks --until 2027-01-01T00:00:00Z",
        "device release porch",
        "campaign start 3",
    ] {
        assert_eq!(server.run(&desk, line).status, 0, "{line}");
    }
    let asked = server.asked();
    assert_eq!(asked[1].line, "POST /api/v1/devices/porch%20cam/hold HTTP/1.1");
    assert_eq!(asked[1].body, br#"{"reason":"leaks","until":"2027-01-01T00:00:00Z"}"#);
    assert_eq!(asked[3].line, "POST /api/v1/campaigns/3/start HTTP/1.1");
}

#[test]
fn quarantines_devices_and_lists_them() {
    let desk = Desk::new();
    let conflict = r#"{"type":"about:blank","title":"x","status":409,"detail":"the device is blocked","code":"conflict"}"#;
    let device = r#"{"items":[{"ueid":"01","name":"porch cam","model":"cam","group":"","posture":"trusted",
        "access":"update-only","violating":false,"reasons":[{"code":"operator-quarantine"}],"release":null,
        "version":null,"attested_at":null,"enrolled_at":"2026-11-23T16:00:00Z","decision":7,
        "hold":{"restriction":"update-only","person":"Nadia","reason":"odd","at":"2026-11-23T16:00:00Z","until":null}}]}"#;
    let nobody = r#"{"items":[]}"#;
    let list = [(200, nobody), (200, nobody), (200, device), (200, nobody)];
    let said = [(204, ""), (204, ""), (409, conflict), (204, ""), (204, ""), (204, "")];
    let server = Server::start(&desk, &[&said[..], &list, &list].concat());
    let add = "quarantine add 'porch cam' --reason odd";
    assert_eq!(server.run(&desk, &format!("{add} --until 2027-01-01T00:00:00Z")).status, 0);
    assert_eq!(server.run(&desk, &format!("{add} --for 2h")).status, 0);
    let refused = server.run(&desk, add);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, "no: the device is blocked [conflict]\n"));
    assert_eq!(server.run(&desk, "quarantine release 'porch cam'").status, 0);
    assert_eq!(server.run(&desk, &format!("{add} --level eject")).status, 0);
    assert_eq!(server.run(&desk, "quarantine release 'porch cam' --level eject").status, 0);
    let table = server.run(&desk, "quarantine ls");
    desk.golden("quarantine-ls.txt", &table.stdout);
    let json: serde_json::Value =
        serde_json::from_str(&server.run(&desk, "quarantine ls --json").stdout).expect("JSON");
    assert_eq!(json[0]["hold"]["person"], "Nadia");
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /api/v1/devices/porch%20cam/quarantine HTTP/1.1");
    assert_eq!(asked[0].body, br#"{"reason":"odd","until":"2027-01-01T00:00:00Z"}"#);
    let span: api::HoldRequest = serde_json::from_slice(&asked[1].body).expect("a request");
    assert!(span.until.is_some());
    assert_eq!(asked[2].body, br#"{"reason":"odd","until":null}"#);
    assert_eq!(asked[3].line, "DELETE /api/v1/devices/porch%20cam/quarantine HTTP/1.1");
    assert_eq!(asked[4].body, br#"{"reason":"odd","until":null,"level":"ejected"}"#);
    assert_eq!(asked[5].line, "POST /api/v1/devices/porch%20cam/release HTTP/1.1");
    let words: Vec<&str> = asked[6..10].iter().map(|asked| asked.line.as_str()).collect();
    let asks = |word| format!("GET /api/v1/devices?q=held%3A{word} HTTP/1.1");
    assert_eq!(words, ["ejected", "blocked", "update-only", "restricted"].map(asks));
    desk.failed(&format!("{add} --for 2h --until 2027-01-01T00:00:00Z"), "cannot be used with");
}

#[test]
fn lists_what_a_device_reported() {
    let desk = Desk::new();
    let report = |id: u8, version: &str, rest: &str| {
        format!(
            r#"{{"id":{id},"ueid":"01","release":"2ebf833901f3aa","version":{version},"action":null,
            "received_at":"2026-11-23T16:00:00Z","last_at":"2026-11-23T16:00:00Z","times":1,"digest":"00","size":9,"authentic":true,{rest}}}"#
        )
    };
    let failed = r#""is_update":true,"succeeded":false,"reason":"condition-failed","failed_at":{"section":"install",
        "offset":9,"command":"image-match","component":"app"},"verdict":"holds","faults":[]"#;
    let lie = r#""is_update":true,"succeeded":true,"reason":null,"failed_at":null,"verdict":"contradicts",
        "faults":[{"claim":"record 1","code":"no-such-command","says":"no command stands at the offset"}]"#;
    let able = r#""is_update":false,"succeeded":true,"reason":null,"failed_at":null,"verdict":"unchecked","faults":[]"#;
    let rows = [report(3, r#""1.1.0""#, failed), report(2, r#""1.1.0""#, lie), report(1, "null", able)];
    let server = Server::start(&desk, &[(200, &format!("[{}]", rows.join(",")))]);
    let run = server.run(&desk, "device reports porch");
    assert_eq!(run.status, 0, "{}", run.stderr);
    let lines: Vec<String> =
        run.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "REPORT LAST CAME RELEASE SAYS MANIFEST",
            "3 2026-11-23T16:00:00Z 1.1.0 condition-failed at image-match in install holds",
            "2 2026-11-23T16:00:00Z 1.1.0 installed contradicts: no-such-command",
            "1 2026-11-23T16:00:00Z 2ebf833901f3 can process unchecked",
        ]
    );
    assert_eq!(server.asked()[0].line, "GET /api/v1/devices/porch/reports HTTP/1.1");
}

#[test]
fn says_what_to_do_when_the_server_cannot_be_asked() {
    let desk = Desk::new();
    let server = Server::start(&desk, &[(401, ""), (404, ""), (500, "oops"), (200, "{}")]);
    for (line, words) in [
        ("campaign ls", "does not know this credential"),
        ("release show 00", "no such thing"),
        ("release ls", "the server answers 500"),
        ("campaign show 1", "something else than expected"),
    ] {
        let run = server.run(&desk, line);
        assert_eq!(run.status, 2, "{line}");
        assert!(run.stderr.contains(words), "{line}: {}", run.stderr);
    }
    let gone = server.run(&desk, "release ls");
    assert!(gone.status == 2 && gone.stderr.contains("cannot reach"), "{}", gone.stderr);
}

#[test]
fn believes_no_server_but_the_one_of_the_certificate() {
    let desk = author_desk();
    let server = Server::start(&desk, &[(200, "[]")]);
    let line = format!("release ls --server {} --ca ca.pem --token-file token", server.url);
    desk.failed(&line, "cannot reach");
    assert!(server.asked().is_empty(), "the credential went to a stranger");
}

const MATCHES: &str = r#"{"query":"openssl < 3.0.14","without_sbom":1,
    "devices":[{"ueid":"01","name":"cam-1","posture":"outdated","release":"aa","version":"1.0.0","component":"openssl",
        "component_version":"3.0.9"}],
    "cannot_tell":[{"ueid":"02","name":"cam-2","posture":"trusted","release":"bb","version":"2.0.0","component":"openssl",
        "component_version":"2024-final","why":"no-order"}]}"#;

#[test]
fn asks_for_components_and_lists_what_is_certain_apart_from_what_is_not() {
    let desk = author_desk();
    let nothing = r#"{"query":"x","without_sbom":0,"devices":[],"cannot_tell":[]}"#;
    let server = Server::start(&desk, &[(200, MATCHES), (200, MATCHES), (200, nothing)]);
    let run = server.run(&desk, "sbom query 'openssl < 3.0.14'");
    assert_eq!(run.status, 0, "{}", run.stderr);
    let lines: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["cam-1", "outdated", "1.0.0", "openssl", "3.0.9", "yes"]);
    assert_eq!(
        lines[2],
        ["cam-2", "trusted", "2.0.0", "openssl", "2024-final", "cannot", "tell", "no-order"]
    );
    assert!(run.stderr.contains("1 devices attested no release"), "{}", run.stderr);
    let json = server.run(&desk, "sbom query 'openssl < 3.0.14' --json");
    assert!(json.stdout.contains("\"without_sbom\": 1"), "{}", json.stdout);
    assert_eq!(server.run(&desk, "sbom query x").status, 1);
    assert!(server.asked()[0].line.starts_with("GET /api/v1/components?query=openssl%20%3C%203.0.14 "));
    // What cannot be read is not sent.
    let unread = server.run(&desk, "sbom query 'openssl <'");
    assert_eq!(unread.status, 2);
    assert!(unread.stderr.contains("at byte 9: expected a version"), "{}", unread.stderr);
}

#[test]
fn gives_and_takes_back_an_advisory() {
    let desk = author_desk();
    let listed = r#"{"digest":"00ff","id":"CVE-2026-1","format":"osv","flaws":["CVE-2026-1"],"added_at":"t","added_by":"olga",
        "holds":true,"affected":[],"cannot_tell":[]}"#;
    desk.write("flaw.json", r#"{ "id": "CVE-2026-1", "modified": "x" }"#);
    desk.write("bad.json", r#"{ "id": 7, "modified": "x" }"#);
    let list = format!("[{listed}]");
    let server = Server::start(&desk, &[(201, listed), (200, &list), (200, listed), (204, ""), (200, "{}")]);
    assert_eq!(server.run(&desk, "advisory add flaw.json").status, 0);
    let rows = server.run(&desk, "advisory ls");
    assert!(rows.stdout.contains("in force") && rows.stdout.contains("CVE-2026-1"), "{}", rows.stdout);
    assert_eq!(server.run(&desk, "advisory show sha256:00ff").status, 0);
    assert_eq!(server.run(&desk, "advisory withdraw 00ff").status, 0);
    assert_eq!(server.run(&desk, "advisory fetch 00ff -o back.json").status, 0);
    assert_eq!(desk.read("back.json"), b"{}");
    let lines: Vec<String> = server.asked().into_iter().map(|asked| asked.line).collect();
    let wanted = [
        "POST /api/v1/advisories ",
        "GET /api/v1/advisories ",
        "GET /api/v1/advisories/00ff ",
        "POST /api/v1/advisories/00ff/withdraw ",
        "GET /api/v1/advisories/00ff/object ",
    ];
    for (line, wanted) in lines.iter().zip(wanted) {
        assert!(line.starts_with(wanted), "{line}");
    }
    let bad = server.run(&desk, "advisory add bad.json");
    assert_eq!(bad.status, 2);
    assert!(bad.stderr.contains("/id: expected a text"), "{}", bad.stderr);
}

#[test]
fn compares_two_manifests_that_the_server_has() {
    use corim::{Class, ClassId, Comid, Corim, CoswidTriple, Environment, Tag, TagId, TagIdentity, Triples};

    let manifest = |tag: &str| {
        let class = Class { id: Some(ClassId::Bytes(vec![0x11; 2])), ..Class::default() };
        let environment = Environment { class: Some(class), ..Environment::default() };
        let coswid = vec![CoswidTriple { environment, tags: vec![TagId::Text(tag.into())] }];
        let identity = TagIdentity { id: TagId::Text("comid".into()), version: 0 };
        let comid = Comid::new(identity, Triples { coswid, ..Triples::default() });
        Corim::new(TagId::Text("maker".into()), vec![Tag::Comid(comid)]).build().expect("a manifest")
    };
    let desk = Desk::new();
    let (old, new) = (manifest("camera-1"), manifest("camera-2"));
    let answers = [
        (200, old.clone()),
        (200, new),
        (200, old.clone()),
        (200, old),
        (200, vec![0xa0]),
        (200, vec![0xa0]),
    ];
    let server = Server::start(&desk, &answers);
    let differs = server.run(&desk, "endorsement diff sha256:00aa 00bb --json");
    assert_eq!(differs.status, 1, "{}", differs.stderr);
    let told: serde_json::Value = serde_json::from_str(&differs.stdout).expect("JSON");
    let tag = &told["coswid_triples"][0];
    assert_eq!((&tag["old"], &tag["new"]), (&"camera-1".into(), &"camera-2".into()));
    assert_eq!(server.run(&desk, "endorsement diff 00aa 00aa").status, 0);
    assert_eq!(server.run(&desk, "endorsement diff 00aa 00cc").status, 2);
    let asked = server.asked();
    assert!(asked[0].line.starts_with("GET /api/v1/endorsements/00aa/object "), "{:?}", asked[0]);
    assert!(asked[1].line.starts_with("GET /api/v1/endorsements/00bb/object "), "{:?}", asked[1]);
}

#[test]
fn asks_what_endorsers_say_and_believes_only_the_answer_to_its_question() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use corim::{
        ArtifactType, Class, ClassId, Coserv, CoservQuery, CoservResults, EnvironmentSelector, ResultType,
    };

    let desk = Desk::new();
    desk.key("distributor", 4).key("other", 9);
    let ask = "corim query --profile tag:arm.com,2025:psa#1.0.0 --class 1111 --key distributor.pub";
    let printed = desk.done(ask);
    let question = URL_SAFE_NO_PAD.decode(printed.trim()).expect("base64url");
    let asked = Coserv::decode(&question).expect("a query");
    let class = Class { id: Some(ClassId::Bytes(vec![0x11; 2])), ..Class::default() };
    assert!(matches!(&asked.query, CoservQuery::Environments {
        artifacts: ArtifactType::ReferenceValues,
        selector: EnvironmentSelector::Classes(all),
        form: ResultType::Collected,
    } if all.len() == 1 && all[0].environment == class));

    let signed = |asked: &Coserv, expiry: i64| {
        let results = CoservResults { reference: Some(Vec::new()), expiry, ..CoservResults::default() };
        let answer = Coserv { results: Some(results), ..asked.clone() };
        let key = common::fixed_key(4);
        cose::Sign1Builder::new().content_type("application/coserv+cbor").sign(&key, &answer.encode())
    };
    let never = 4_102_444_800;
    let mut elsewhere = asked.clone();
    elsewhere.profile = corim::Profile::Uri("tag:example.com,2026:other".into());
    let good = signed(&asked, never);
    let answers = [
        good.clone(),
        signed(&asked, 1_700_000_000),
        signed(&elsewhere, never),
        good.clone(),
        b"no".to_vec(),
    ];
    let server = Server::start(&desk, &answers.map(|answer| (200, answer)));
    let run = server.run(&desk, ask);
    assert!(run.status == 0 && run.stdout.starts_with("kind: CoSERV answer"), "{}", run.stderr);
    let first = &server.asked()[0];
    assert_eq!(first.line, format!("GET /coserv/v1/{} HTTP/1.1", printed.trim()));
    assert!(first.has("accept: application/coserv+cose") && first.has("authorization: Bearer secret"));
    for (line, code) in [
        (ask.to_owned(), "reference-expired"),
        (ask.to_owned(), "other-answer"),
        (ask.replace("distributor.pub", "other.pub"), "bad-answer-signature"),
        (ask.to_owned(), "bad-answer-signature"),
    ] {
        let run = server.run(&desk, &line);
        assert!(run.status == 1 && run.stdout.contains(&format!("[{code}]")), "{code}: {}", run.stdout);
    }
}
