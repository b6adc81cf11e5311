//! A hundred gateways at one server over TLS, each with its own connection, anchors and state: what happens to those that are
//! cut off from it, and when they come back. Without a kernel, which the other tests have.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use api::{GatewayReport, Staged};
use cose::TrustAnchors;
use gateway::control::{Anchors, Client, Config as GatewayConfig, State};
use server::{Config, ManualClock, Server};
use store::Timestamp;
use ureq::http::Method;

use crate::fixture::{APPLICATION, Cast, NOW};

const GATEWAYS: usize = 100;
/// Those that lose their server.
const CUT_OFF: std::ops::Range<usize> = 0..30;
/// Far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What each gateway says stands ready, and whether it has a line to the server.
#[derive(Default)]
struct Fleet {
    ready: Mutex<BTreeMap<usize, Vec<String>>>,
    cut: AtomicBool,
    stop: AtomicBool,
    asked: AtomicU64,
}

impl Fleet {
    fn ready(&self, gateway: usize) -> Vec<String> {
        self.ready.lock().unwrap().get(&gateway).cloned().unwrap_or_default()
    }

    /// One gateway: asks for news, verifies, decides, tells; again and again.
    fn follow(&self, number: usize, client: &Client) {
        let anchors = Anchors {
            releases: Cast::new().anchors(),
            keys: TrustAnchors::default(),
            broad_mud_approved: true,
            policy: trust::Policy::default(),
            sources: gateway::manager::Sources::default(),
            settle: 0,
        };
        let mut state = State::new(anchors);
        let mut revision = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if CUT_OFF.contains(&number) && self.cut.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            // A short wait, so that a gateway that is cut off is so soon.
            let Ok(answer) = client.state(revision, Duration::from_secs(1)) else { continue };
            self.asked.fetch_add(1, Ordering::Relaxed);
            revision = answer.revision;
            state.take_in(&answer, NOW);
            let ready: Vec<String> = state
                .baselines(NOW)
                .iter()
                .map(|key| hex(key.release().expect("a release").as_bytes()))
                .collect();
            let news = self.ready.lock().unwrap().insert(number, ready.clone()).as_ref() != Some(&ready);
            if news {
                let staged =
                    ready.into_iter().map(|manifest_digest| Staged { manifest_digest, mud_digest: None });
                let report = GatewayReport {
                    gateway: format!("gw-{number}"),
                    staged: staged.collect(),
                    ..GatewayReport::default()
                };
                client.report(&report).expect("the server takes what a gateway reports");
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waiting until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    began.elapsed()
}

/// The operator's way to the server.
struct Admin {
    agent: ureq::Agent,
    server: String,
    token: String,
}

impl Admin {
    fn call(&self, method: Method, path: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", media_type)
            .body(body)
            .unwrap();
        let mut answer = self.agent.run(request).unwrap();
        let text = answer.body_mut().read_to_vec().unwrap();
        assert!(
            answer.status().is_success(),
            "{path}: {} {}",
            answer.status(),
            String::from_utf8_lossy(&text)
        );
        text
    }

    fn publish(&self, sequence: u64) -> String {
        let cast = Cast::new();
        self.call(
            Method::POST,
            "/api/v1/releases",
            api::SUIT_ENVELOPE,
            &cast.envelope(sequence, APPLICATION),
        );
        hex(cast.release(sequence, APPLICATION).manifest_digest().as_bytes())
    }

    fn staged_on(&self, release: &str) -> usize {
        let answer = self.call(Method::GET, &format!("/api/v1/releases/{release}"), "", b"");
        serde_json::from_slice::<api::Release>(&answer).unwrap().staged_on.len()
    }
}

#[test]
fn gateways_that_lose_their_server_stay_as_they_are_and_catch_up_when_they_are_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path().join("data"));
    config.listen = ([127, 0, 0, 1], 0).into();
    config.clock = Arc::new(ManualClock::new(Timestamp::from_seconds(NOW)));
    config.mud_issuers = vec![Cast::new().issuer.clone()];
    config.broad_mud_approved = true;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(config)).unwrap();
    let url = format!("https://{}", server.local_addr());

    let settings = |token: &str| {
        let token_file = folder.path().join(format!("{token}.token"));
        fs::write(&token_file, token).unwrap();
        GatewayConfig {
            name: String::new(),
            server: url.clone(),
            ca: server.certificate().to_owned(),
            token_file,
            anchors: folder.path().to_owned(),
            mud_sources: None,
            data: folder.path().to_owned(),
            lan: String::new(),
            wan: String::new(),
            lan_addresses: vec![],
            dns_upstream: vec![],
            dns_redirect: false,
            block_doh: None,
            follow_addresses: false,
            settle: 0,
            private_domains: vec![],
            management: vec![],
            onboarding: vec![],
            ntp: vec![],
            local_networks: vec![],
            admission_port: GatewayConfig::ADMISSION_PORT,
            tls_profiles: gateway::TlsMode::Off,
            edge: Default::default(),
        }
    };
    let admin = Admin {
        agent: agent(&fs::read(server.certificate()).unwrap()),
        server: url.clone(),
        token: fs::read_to_string(server.admin_token()).unwrap().trim().to_owned(),
    };
    admin.call(Method::PUT, "/api/v1/authorities", "application/cbor", &Cast::new().authorities().to_bytes());
    let clients: Vec<Client> = (0..GATEWAYS)
        .map(|number| {
            let asked = serde_json::json!({ "scope": "gateway", "label": format!("gw-{number}") });
            let answer =
                admin.call(Method::POST, "/api/v1/tokens", "application/json", asked.to_string().as_bytes());
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            Client::new(&settings(answer["token"].as_str().unwrap())).unwrap()
        })
        .collect();

    let fleet = Fleet::default();
    std::thread::scope(|scope| {
        for (number, client) in clients.iter().enumerate() {
            let fleet = &fleet;
            scope.spawn(move || fleet.follow(number, client));
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rehearse(&admin, &fleet)));
        fleet.stop.store(true, Ordering::Relaxed);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    runtime.block_on(server.shutdown());
}

fn rehearse(admin: &Admin, fleet: &Fleet) {
    let all = |holds: &dyn Fn(&[String]) -> bool, of: std::ops::Range<usize>| {
        of.into_iter().all(|gateway| holds(&fleet.ready(gateway)))
    };
    let first = admin.publish(1);
    let staged =
        until("every gateway acknowledged the first release", || admin.staged_on(&first) == GATEWAYS);

    // Thirty lose the server. The first release is withdrawn and a second one comes: an emergency for seventy.
    fleet.cut.store(true, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(1500));
    let withdraw = format!("/api/v1/releases/{first}/revoke");
    admin.call(Method::POST, &withdraw, "application/json", b"{\"reason\":\"it calls a stranger\"}");
    let narrowed = until("all others permit the first release no more", || {
        all(&|ready| !ready.contains(&first), CUT_OFF.end..GATEWAYS)
    });
    let second = admin.publish(2);
    until("all others acknowledged the second one", || admin.staged_on(&second) == GATEWAYS - CUT_OFF.len());
    let as_before = [first.clone()];
    assert!(all(&|ready| ready == as_before, CUT_OFF), "who hears nothing stays as it was");
    assert_eq!(admin.staged_on(&second), GATEWAYS - CUT_OFF.len(), "and nobody speaks for it");

    // They are back: what was withdrawn goes, what is new is there, and the server knows.
    fleet.cut.store(false, Ordering::Relaxed);
    let rejoined =
        until("every gateway acknowledged the second release", || admin.staged_on(&second) == GATEWAYS);
    let only_second = [second.clone()];
    until("nobody permits the first one", || all(&|ready| ready == only_second, 0..GATEWAYS));
    eprintln!(
        "{GATEWAYS} gateways: staged in {staged:?}, narrowed in {narrowed:?}, back in {rejoined:?}, {} answers",
        fleet.asked.load(Ordering::Relaxed)
    );
}

fn agent(certificate: &[u8]) -> ureq::Agent {
    use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
    let root = Certificate::from_pem(certificate).unwrap();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&[root]))
        .build();
    let config = ureq::Agent::config_builder().tls_config(tls).http_status_as_error(false).proxy(None);
    config.build().new_agent()
}
