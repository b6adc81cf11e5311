//! What holds for every request: credentials, sizes, media types, time, and what the audit chain says of it.

mod common;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use common::{Device, Maker, Site};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::{Value, json};

/// Routes that answer without a credential, because what they give is public or proves itself.
const OPEN: [(&str, &str); 5] = [
    ("GET", "/healthz"),
    ("GET", "/.well-known/veraison/verification"),
    ("GET", "/welcome"),
    ("GET", "/login"),
    ("GET", "/assets/style.css"),
];

/// Every other route.
const CLOSED: [(&str, &str); 49] = [
    ("GET", "/"),
    ("GET", "/devices"),
    ("GET", "/devices/01"),
    ("GET", "/devices/01/hold"),
    ("POST", "/devices/01/hold"),
    ("GET", "/devices/01/quarantine"),
    ("POST", "/devices/01/quarantine"),
    ("GET", "/attestation"),
    ("GET", "/attestation/results/00"),
    ("GET", "/events?on=overview"),
    ("POST", "/logout"),
    ("GET", "/api/v1/devices"),
    ("POST", "/api/v1/devices"),
    ("GET", "/api/v1/devices/01"),
    ("DELETE", "/api/v1/devices/01"),
    ("POST", "/api/v1/devices/01/hold"),
    ("POST", "/api/v1/devices/01/release"),
    ("POST", "/api/v1/devices/01/quarantine"),
    ("DELETE", "/api/v1/devices/01/quarantine"),
    ("GET", "/api/v1/authorities"),
    ("PUT", "/api/v1/authorities"),
    ("POST", "/api/v1/authorities/updates"),
    ("GET", "/api/v1/releases"),
    ("POST", "/api/v1/releases"),
    ("GET", "/api/v1/releases/00/envelope"),
    ("GET", "/api/v1/releases/00/flows"),
    ("POST", "/api/v1/releases/00/revoke"),
    ("GET", "/api/v1/campaigns"),
    ("POST", "/api/v1/campaigns"),
    ("POST", "/api/v1/campaigns/1/start"),
    ("GET", "/api/v1/results/foreign"),
    ("GET", "/api/v1/results/foreign/00"),
    ("GET", "/api/v1/overrides"),
    ("POST", "/api/v1/overrides"),
    ("GET", "/api/v1/decisions/1"),
    ("GET", "/api/v1/audit"),
    ("GET", "/api/v1/audit/verify"),
    ("GET", "/api/v1/events"),
    ("POST", "/api/v1/tokens"),
    ("GET", "/api/v1/gateways"),
    ("GET", "/api/v1/alarms"),
    ("POST", "/api/v1/alarms/1/acknowledge"),
    ("GET", "/api/v1/gateway/state"),
    ("POST", "/api/v1/gateway/report"),
    ("GET", "/default/controller/v1/01"),
    ("GET", "/default/controller/v1/01/authorities/00/00"),
    ("GET", "/default/controller/v1/01/deploymentBase/1"),
    ("POST", "/default/controller/v1/01/deploymentBase/1/feedback"),
    ("GET", "/no/such/route"),
];

fn body(method: &str) -> Option<&'static [u8]> {
    matches!(method, "POST" | "PUT").then_some(b"")
}

#[test]
fn nothing_but_what_is_public_answers_without_a_credential() {
    let site = Site::new();
    for (method, path) in OPEN {
        let reply = site.call(method, path, None, "", body(method));
        assert_eq!(reply.status, 200, "{method} {path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    }
    for token in [None, Some("wrong"), Some("d.AAAA")] {
        for (method, path) in CLOSED {
            let reply = site.call(method, path, token, "", body(method));
            assert_eq!(reply.status, 401, "{method} {path} {token:?}");
        }
    }
}

#[test]
fn each_scope_reaches_its_own_routes_only() {
    let site = Site::new();
    let (read, gateway) = (site.token("read", "auditor"), site.token("gateway", "gw"));
    for (token, method, path, wanted) in [
        (&read, "GET", "/api/v1/devices", 200),
        (&read, "POST", "/api/v1/devices", 403),
        (&read, "POST", "/api/v1/tokens", 403),
        (&read, "GET", "/api/v1/gateway/state", 403),
        (&gateway, "GET", "/api/v1/gateway/state", 200),
        (&gateway, "GET", "/api/v1/devices", 403),
        (&gateway, "GET", "/default/controller/v1/01", 403),
        (&site.admin, "GET", "/default/controller/v1/01", 403),
        (&site.admin, "GET", "/no/such/route", 404),
    ] {
        let reply = site.call(method, path, Some(token), "", body(method));
        assert_eq!(reply.status, wanted, "{method} {path}: {}", reply.text());
    }
    let reply = site.post("/api/v1/tokens", json!({ "scope": "welcome" })).expect(400);
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.json()["code"], "malformed");
}

#[test]
fn token_ends_with_its_lifetime() {
    let site = Site::new();
    let reply = site.post("/api/v1/tokens", json!({ "scope": "read", "lifetime": 60 })).expect(201);
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    site.call("GET", "/api/v1/devices", Some(&token), "", None).expect(200);
    site.clock.advance_seconds(60);
    site.call("GET", "/api/v1/devices", Some(&token), "", None).expect(401);
}

#[test]
fn refuses_oversized_bodies_and_other_media_types() {
    let site = Site::new();
    let (location, _) = site.session();
    let big = vec![0; eat::MAX_EVIDENCE_LEN + 1];
    site.submit(&location, &big).expect(413);
    site.submit(&location, &big[1..]).expect(200);
    let reply = site.call("POST", &location, None, "application/json", Some(b"{}")).expect(415);
    assert!(reply.header("accept").starts_with(api::EVIDENCE), "{}", reply.header("accept"));
    let admin = Some(site.admin.as_str());
    site.call("POST", "/api/v1/releases", admin, "application/json", Some(b"{}")).expect(415);
    site.call("POST", "/api/v1/devices", admin, "text/plain", Some(b"")).expect(415);
    site.call("PUT", "/api/v1/authorities", admin, "application/cbor", Some(b"\xff")).expect(400);
    site.call("PATCH", "/api/v1/devices", admin, "", Some(b"")).expect(405);
    let accept = [("accept", "text/html")];
    site.call_with("POST", "/challenge-response/v1/newSession", None, "", Some(b""), &accept).expect(406);
}

#[test]
fn gives_up_on_clients_that_are_too_slow() {
    let site = Site::with(|config| {
        config.body_timeout = Duration::from_millis(100);
        config.head_timeout = Duration::from_millis(100);
    });
    let mut stream = tls(&site);
    let head = format!(
        "POST /api/v1/tokens HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 10\r\n\r\n{{",
        site.admin
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(&mut stream).read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 408 Request Timeout\r\n");

    // A head that never ends: the connection is closed without an answer from the application.
    let mut stream = tls(&site);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc").unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP/1.1 200"));

    // No TLS at all.
    let mut plain = TcpStream::connect(site.server().local_addr()).unwrap();
    assert_eq!(plain.read(&mut [0; 16]).unwrap_or(0), 0);
}

#[test]
fn list_with_one_bad_row_enrols_nobody() {
    let site = Site::new();
    let key = api::Base64Url::encode(&cose::Key::from_public(Device::new(1).key.public_key()).encode());
    let rows = |second: &str| {
        format!(
            "name,model,group,ueid,key\ncam-1,welcome-cam,lab,{},{key}\n{second}\n",
            Device::new(1).ueid()
        )
    };
    let post = |text: String| {
        site.call(
            "POST",
            "/api/v1/devices",
            Some(&site.admin),
            "text/csv; charset=utf-8",
            Some(text.as_bytes()),
        )
    };
    for (bad, code) in [
        (format!("cam-2,welcome-cam,lab,zz,{key}"), 400),
        (format!("cam-2,welcome-cam,lab,{},AAAA", Device::new(2).ueid()), 400),
        (format!("cam-1,welcome-cam,lab,{},{key}", Device::new(2).ueid()), 400),
        (format!(",welcome-cam,lab,{},{key}", Device::new(2).ueid()), 400),
        (format!("cam-2,welcome-cam,lab,{}", Device::new(2).ueid()), 400),
    ] {
        post(rows(&bad)).expect(code);
        assert_eq!(site.get("/api/v1/devices").json()["items"], json!([]), "{bad}");
    }
    post(rows("")).expect(201);
    post(rows("")).expect(409);
    assert_eq!(site.get("/api/v1/devices?q=cam").json()["items"][0]["name"], "cam-1");
    assert_eq!(site.get("/api/v1/devices?q=posture:trusted").json()["items"], json!([]));
    site.get("/api/v1/devices?q=colour:red").expect(400);
}

#[test]
fn audit_chain_is_unbroken_until_someone_edits_it() {
    let mut site = Site::new();
    site.put_authorities(&Maker::new());
    site.enrol(&[&Device::new(1)]).expect(201);
    let whole = site.get("/api/v1/audit/verify").json();
    assert_eq!(whole["unbroken"], true);
    let lines = site.get("/api/v1/audit").expect(200).text();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["sequence"], &last["hash"]), (&whole["sequence"], &whole["hash"]));

    site.stop();
    let text = std::fs::read(site.database()).unwrap();
    let at = find(&text, b"authorities.put");
    let mut edited = text.clone();
    edited[at..at + 4].copy_from_slice(b"AUTH");
    std::fs::write(site.database(), edited).unwrap();
    site.start();
    let broken = site.get("/api/v1/audit/verify").json();
    assert_eq!(broken["unbroken"], false, "{broken}");
}

#[test]
fn events_tell_of_changes() {
    let site = Site::new();
    let mut request = ureq::http::Request::builder().uri(site.url("/api/v1/events"));
    request = request.header("authorization", format!("Bearer {}", site.admin));
    let response = site.agent().run(request.body(()).unwrap()).unwrap();
    let mut lines = BufReader::new(response.into_body().into_reader()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "event: hello"));
    let device = Device::new(1);
    site.enrol(&[&device]).expect(201);
    assert!(lines.any(|line| line == "event: device"));
    assert_eq!(lines.next(), Some(format!("data: {{\"id\":\"{}\"}}", device.ueid())));
}

#[test]
fn keys_and_token_are_readable_by_their_owner_only_and_stay_the_same() {
    use std::os::unix::fs::PermissionsExt;
    let mut site = Site::new();
    assert!(site.server().admin_link().is_some());
    let data = site.database().parent().unwrap().to_owned();
    let files = ["admin.token", "keys/result.key", "keys/sealing.key", "tls/key.pem"];
    let before: Vec<_> = files.iter().map(|file| std::fs::read(data.join(file)).unwrap()).collect();
    for file in files {
        let mode = std::fs::metadata(data.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    site.stop();
    site.start();
    assert!(site.server().admin_link().is_none());
    let after: Vec<_> = files.iter().map(|file| std::fs::read(data.join(file)).unwrap()).collect();
    assert_eq!(before, after);
    site.get("/api/v1/devices").expect(200);
}

fn tls(site: &Site) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(site.server().certificate()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(connection, TcpStream::connect(site.server().local_addr()).unwrap())
}

fn find(text: &[u8], what: &[u8]) -> usize {
    text.windows(what.len()).position(|window| window == what).expect("it stands in the file")
}

#[test]
fn process_answers_for_its_roles_only() {
    let site = Site::with(|config| config.roles = vec![sextant_server::Role::Verifier]);
    site.session();
    for path in ["/api/v1/devices", "/api/v1/audit", "/login"] {
        site.get(path).expect(404);
    }
    let site = Site::with(|config| config.roles = vec![sextant_server::Role::Manage]);
    site.get("/api/v1/devices").expect(200);
    site.call("POST", "/challenge-response/v1/newSession", None, "", Some(b"")).expect(404);
}
