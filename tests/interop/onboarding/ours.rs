//! Our servers, in this process, as the peer's devices and owners meet them.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use server::{Config, OnboardingConfig, Role, Server};
use tempfile::TempDir;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use x509::pem;

/// A server on loopback.
pub(crate) struct Ours {
    server: Option<Server>,
    runtime: tokio::runtime::Runtime,
    folder: TempDir,
    admin: String,
    agent: ureq::Agent,
    certificate: PathBuf,
    pub(crate) url: String,
}

impl Ours {
    fn start(change: impl FnOnce(&mut Config)) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::new(folder.path().join("data"));
        config.listen = ([127, 0, 0, 1], 0).into();
        config.period = Duration::from_millis(50);
        config.onboarding.rsa_keys = true;
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads");
        let server = runtime.block_on(Server::start(config)).expect("a server starts");
        let admin = std::fs::read_to_string(server.admin_token()).expect("a token");
        let certificate = server.certificate().to_owned();
        let pem = std::fs::read(&certificate).expect("a certificate");
        let roots = RootCerts::Specific(Arc::new(vec![Certificate::from_pem(&pem).expect("PEM")]));
        let agent = ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .build()
            .into();
        let url = format!("https://127.0.0.1:{}", server.local_addr().port());
        Self { server: Some(server), runtime, folder, admin, agent, certificate, url }
    }

    /// Makes devices whose rendezvous server is at a URL.
    pub(crate) fn factory(rendezvous: &str) -> Self {
        Self::start(|config| {
            config.roles = vec![Role::Manufacturer, Role::Manage];
            config.onboarding.rendezvous_urls = vec![rendezvous.to_owned()];
        })
    }

    /// Owns devices of some manufacturers, and is their rendezvous server.
    pub(crate) fn operator(manufacturers: Vec<fdo::Key>, change: impl FnOnce(&mut OnboardingConfig)) -> Self {
        Self::operator_at(0, manufacturers, change)
    }

    /// The same on a port.
    pub(crate) fn operator_at(
        port: u16,
        manufacturers: Vec<fdo::Key>,
        change: impl FnOnce(&mut OnboardingConfig),
    ) -> Self {
        Self::start(|config| {
            config.listen = ([127, 0, 0, 1], port).into();
            config.vouchers.manufacturers = manufacturers;
            change(&mut config.onboarding);
        })
    }

    /// An answer of the API, whose status must be this.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, path: &str, media: &str, body: &[u8], status: u16) -> Vec<u8> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.admin))
            .header("content-type", media);
        let sent = match method {
            "GET" => self.agent.run(request.body(()).expect("a request")),
            _ => self.agent.run(request.body(body).expect("a request")),
        };
        let mut response = sent.expect("an answer");
        let mut answer = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut answer).expect("a body");
        assert_eq!(response.status(), status, "{method} {path}: {}", String::from_utf8_lossy(&answer));
        answer
    }

    /// What speaks HTTP with this server, whose certificate it believes.
    pub(crate) fn agent(&self) -> ureq::Agent {
        self.agent.clone()
    }

    /// The file of its certificate.
    pub(crate) fn certificate(&self) -> &Path {
        &self.certificate
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        serde_json::from_slice(&self.call("GET", path, "", &[], 200)).expect("JSON")
    }

    pub(crate) fn set_template(&self, name: &str, template: &Value) {
        let path = format!("/api/v1/onboarding/templates/{name}");
        self.call("PUT", &path, "application/json", template.to_string().as_bytes(), 204);
    }

    /// Public keys of the role, in PEM.
    pub(crate) fn keys(&self, role: &str) -> Vec<String> {
        let keys = self.get("/api/v1/onboarding/keys");
        let keys = keys[role].as_array().expect("keys").iter();
        keys.map(|key| key.as_str().expect("PEM").to_owned()).collect()
    }

    /// Sells a device that was made here to whichever of these keys is of its type.
    pub(crate) fn sell(&self, guid: &str, buyers: &[String]) -> Vec<u8> {
        let path = format!("/api/v1/onboarding/made/{guid}/sell");
        for buyer in buyers {
            let request = ureq::http::Request::post(format!("{}{path}", self.url))
                .header("authorization", format!("Bearer {}", self.admin))
                .header("content-type", "application/x-pem-file");
            let mut response =
                self.agent.run(request.body(buyer.as_bytes()).expect("a request")).expect("an answer");
            let mut voucher = Vec::new();
            response.body_mut().as_reader().read_to_end(&mut voucher).expect("a body");
            if response.status() == 200 {
                return voucher;
            }
        }
        panic!("nobody has a key of the type that {guid} wants");
    }

    /// Takes a voucher, and waits until its device is registered with the rendezvous server.
    pub(crate) fn expect(&self, voucher: &[u8], guid: &str) {
        let report = self.call("POST", "/api/v1/onboarding/vouchers", api::VOUCHER, voucher, 200);
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        assert_eq!(report[0]["outcome"], "added", "{report}");
        self.until("the device is registered", || self.device(guid)["registration"]["until"].is_string());
    }

    pub(crate) fn device(&self, guid: &str) -> Value {
        self.get(&format!("/api/v1/onboarding/devices/{guid}"))
    }

    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..600 {
            if holds() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never came true: {what}: {}", self.get("/api/v1/onboarding/devices"));
    }

    /// Files that a device sent.
    pub(crate) fn uploads(&self, ueid: &str) -> PathBuf {
        self.folder.path().join("data/uploads").join(ueid)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.shutdown());
        }
    }
}

/// A public key in PEM.
pub(crate) fn key_of(text: &str) -> fdo::Key {
    let der = &pem::decode(text).expect("PEM")[0].der;
    match crypto::RsaPublicKey::from_spki_der(der) {
        Ok(key) => key.into(),
        Err(_) => crypto::PublicKey::from_spki_der(der).expect("a key").into(),
    }
}

/// Nothing is asked of a device, which the peer's could not answer.
pub(crate) fn as_it_is() -> Value {
    json!({ "require": "nothing" })
}
