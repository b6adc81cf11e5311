//! A server on loopback, its clients, a maker who signs releases and devices that attest.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses its part")]

pub mod fleet;
pub mod foreign;
pub mod onboarding;

use std::{io::Read, sync::Arc, time::Duration};

use api::{Base64Url, Session};
use cose::{EncryptBuilder, RecipientKey};
use coswid::{
    Entity, File, Hash, Role as SwidRole, TagBuilder, TagId, VersionScheme, interchange::ImportOptions,
};
use crypto::{
    ContentAlgorithm, Digest, HashAlgorithm, KeyWrapAlgorithm, KeyWrapKey, SignatureAlgorithm, SigningKey,
};
use eat::{DebugStatus, EvidenceClaims, ManifestReference, Nonce, Ueid};
use serde_json::{Value, json};
use sextant_server::{Config, ManualClock, Server};
use store::Timestamp;
use suit::{
    Authority, AuthorityList, ComponentId, Condition, Directive, EnvelopeBuilder, Parameter, ReportingPolicy,
    Role, Section, SequenceBuilder,
};
use tempfile::TempDir;
use trust::{DraftImage, DraftMud, ReleaseDraft};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use x509::{CertificateBuilder, Name, Validity, cms};

pub const NOW: i64 = 1_800_000_000;
const CAM: &[u8] = include_bytes!("../../../../protocols/mud/tests/data/welcome-cam.json");

/// A server and everything to talk to it.
pub struct Site {
    pub server: Option<Server>,
    pub clock: Arc<ManualClock>,
    pub folder: TempDir,
    pub admin: String,
    runtime: tokio::runtime::Runtime,
    config: Config,
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Site {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(NOW)));
        let mut config = Config::new(folder.path().join("data"));
        config.listen = ([127, 0, 0, 1], 0).into();
        config.clock = clock.clone();
        // Reconcilers run when they are nudged: tests wait for what they do, not for time to pass.
        config.period = Duration::from_millis(50);
        change(&mut config);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(Server::start(config.clone())).unwrap();
        let admin = std::fs::read_to_string(server.admin_token()).unwrap();
        Self { server: Some(server), clock, folder, admin, runtime, config }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub fn stop(&mut self) {
        let server = self.server.take().unwrap();
        self.runtime.block_on(server.shutdown());
    }

    /// Changes how it will run when it starts again.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
    }

    pub fn start(&mut self) {
        self.server = Some(self.runtime.block_on(Server::start(self.config.clone())).unwrap());
    }

    pub fn database(&self) -> std::path::PathBuf {
        self.config.data.join("sextant.sqlite")
    }

    /// Runs something on the server's runtime.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.server().local_addr().port())
    }

    pub fn agent(&self) -> ureq::Agent {
        let pem = std::fs::read(self.server().certificate()).unwrap();
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap()]);
        ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into()
    }

    pub fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        media: &str,
        body: Option<&[u8]>,
    ) -> Reply {
        self.call_with(method, path, token, media, body, &[])
    }

    pub fn call_with(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        media: &str,
        body: Option<&[u8]>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !media.is_empty() {
            request = request.header("content-type", media);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => self.agent().run(request.body(body).unwrap()),
            None => self.agent().run(request.body(()).unwrap()),
        }
        .unwrap();
        let mut body = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut body).unwrap();
        Reply { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Some(&self.admin), "", None)
    }

    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, Some(&self.admin), "application/json", Some(body.to_string().as_bytes()))
    }

    pub fn act(&self, path: &str) -> Reply {
        self.call("POST", path, Some(&self.admin), "", Some(b""))
    }

    pub fn token(&self, scope: &str, label: &str) -> String {
        let reply = self.post("/api/v1/tokens", json!({ "scope": scope, "label": label })).expect(201);
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    pub fn put_authorities(&self, maker: &Maker) {
        let list = maker.authorities().to_bytes();
        self.call("PUT", "/api/v1/authorities", Some(&self.admin), "application/cbor", Some(&list))
            .expect(204);
    }

    pub fn publish(&self, envelope: &[u8]) -> Reply {
        self.call("POST", "/api/v1/releases", Some(&self.admin), api::SUIT_ENVELOPE, Some(envelope))
    }

    pub fn enrol(&self, devices: &[&Device]) -> Reply {
        let list: Vec<Value> = devices
            .iter()
            .map(|device| {
                json!({ "name": device.name, "model": "welcome-cam", "group": "lab", "ueid": device.ueid(),
                    "key": Base64Url::encode(&cose::Key::from_public(device.key.public_key()).encode()) })
            })
            .collect();
        self.post("/api/v1/devices", Value::Array(list))
    }

    pub fn session(&self) -> (String, Session) {
        let reply = self
            .call("POST", "/challenge-response/v1/newSession?nonceSize=32", None, "", Some(b""))
            .expect(201);
        (reply.header("location").to_owned(), serde_json::from_slice(&reply.body).unwrap())
    }

    pub fn submit(&self, location: &str, evidence: &[u8]) -> Reply {
        self.call("POST", location, None, api::EVIDENCE, Some(evidence))
    }

    pub fn attest(&self, device: &Device, app: &[u8], manifest: Option<Digest>) -> Session {
        let (location, session) = self.session();
        let reply = self.submit(&location, &device.evidence(&session.nonce.0, app, manifest)).expect(200);
        serde_json::from_slice(&reply.body).unwrap()
    }

    pub fn device(&self, device: &Device) -> Value {
        self.get(&format!("/api/v1/devices/{}", device.ueid())).expect(200).json()
    }

    /// Waits until something holds; the server's own period is the only pace.
    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..400 {
            if holds() {
                return;
            }
            self.server().nudge();
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("never came true: {what}");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.stop();
        }
    }
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).unwrap()
}

/// Who makes and signs releases.
pub struct Maker {
    pub author: SigningKey,
    pub mud_signer: SigningKey,
    pub certificate: x509::Certificate,
}

impl Maker {
    pub fn new() -> Self {
        let mud_signer = key(3);
        let validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };
        let name = "CN=Maker MUD".parse::<Name>().unwrap();
        let certificate = CertificateBuilder::new(name, mud_signer.public_key(), &[2], validity)
            .self_signed(&mud_signer)
            .unwrap();
        Self { author: key(1), mud_signer, certificate }
    }

    pub fn authorities(&self) -> AuthorityList {
        let author = Authority::new(self.author.public_key().clone(), b"author", "Northlight", Role::Author);
        AuthorityList::with_default_policy(vec![author]).unwrap()
    }

    /// A release whose SBOM links to components, each a name, a version and a package URL.
    pub fn release_of(
        &self,
        version: &str,
        sequence_number: u64,
        app: &[u8],
        components: &[(&str, &str, &str)],
    ) -> Vec<u8> {
        let listed: Vec<Value> = components
            .iter()
            .map(|(name, version, purl)| {
                json!({ "type": "library", "name": name, "version": version, "purl": purl })
            })
            .collect();
        let document = json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "urn:x",
            "metadata": { "component": { "type": "firmware", "name": "x", "version": version } },
            "components": listed });
        let options = ImportOptions { tag_creator: Some("maker"), ..ImportOptions::default() };
        let sbom = coswid::interchange::import(document.to_string().as_bytes(), &options).unwrap().tag;
        let draft = self.draft(version, sequence_number, app, CAM);
        self.signed(&mut ReleaseDraft { links: sbom.links().to_vec(), ..draft }.build().unwrap())
    }

    /// A release of several components, of which `app` is one.
    pub fn release_with_components(
        &self,
        version: &str,
        sequence_number: u64,
        components: &[(&str, &[u8])],
    ) -> Vec<u8> {
        let image = |(name, content): &(&str, &[u8])| DraftImage {
            component: ComponentId::new(&[*name]).unwrap(),
            content: content.to_vec(),
            version: None,
            uri: None,
            invoke: *name == "app",
        };
        let draft = self.draft(version, sequence_number, &[], CAM);
        let draft = ReleaseDraft { images: components.iter().map(image).collect(), ..draft };
        self.signed(&mut draft.build().unwrap())
    }

    pub fn release(&self, version: &str, sequence_number: u64, app: &[u8]) -> Vec<u8> {
        self.release_with(version, sequence_number, app, CAM)
    }

    /// A release whose MUD file lets the camera reach the whole Internet.
    pub fn broad_release(&self, version: &str, sequence_number: u64, app: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(CAM).unwrap();
        let name = text.split("\"ietf-acldns:dst-dnsname\"").nth(1).unwrap().split('"').nth(1).unwrap();
        let narrow = format!("\"ietf-acldns:dst-dnsname\": \"{name}\"");
        let broad = text.replace(&narrow, "\"destination-ipv4-network\": \"0.0.0.0/0\"");
        assert_ne!(broad, text);
        self.release_with(version, sequence_number, app, broad.as_bytes())
    }

    /// A release whose MUD file names, of the version 3.0, a bill of materials, and a verifier.
    pub fn pointing_release(&self, version: &str, sequence_number: u64, app: &[u8]) -> Vec<u8> {
        let nodes = r#""extensions": ["transparency", "ietf-mud-rats"],
            "ietf-mud-transparency:transparency": {
                "sboms": [{"version-info": "3.0\u202e", "sbom-url": "https://m.example/sbom?a=1&b=2"}],
                "vuln-contact-uri": "mailto:psirt@m.example"},
            "ietf-mud-rats:ras": {"ras-uris": ["https://verifier.example/"]},
            "is-supported""#;
        let text = std::str::from_utf8(CAM).unwrap();
        let pointing = text.replacen("\"is-supported\"", nodes, 1);
        assert_ne!(pointing, text);
        self.release_with(version, sequence_number, app, pointing.as_bytes())
    }

    /// A release whose image is encrypted for a group of devices.
    pub fn encrypted_release(&self, version: &str, sequence_number: u64, app: &[u8]) -> Vec<u8> {
        let draft = self.draft(version, sequence_number, app, CAM);
        let group = KeyWrapKey::from_bytes(KeyWrapAlgorithm::A128Kw, &[7; 16]).unwrap();
        let recipient = RecipientKey::key_wrap(group, b"group");
        let builder = EncryptBuilder::new(ContentAlgorithm::A128Gcm).recipient(&recipient);
        let (info, ciphertext) = builder.encrypt_detached(app, &mut |bytes| bytes.fill(9)).unwrap();
        let mut manifest = draft.manifest().unwrap();
        let parameters = [Parameter::Uri("#app"), Parameter::EncryptionInfo(&info)];
        let install = SequenceBuilder::new()
            .override_parameters(&parameters)
            .directive(Directive::Fetch, ReportingPolicy::ON_FAILURE)
            .condition(Condition::ImageMatch, ReportingPolicy::ALWAYS);
        manifest.section(Section::Install, install);
        let mut envelope = manifest.build(HashAlgorithm::Sha256).unwrap();
        let mud = draft.mud.as_ref().unwrap();
        envelope.payload("#app", &ciphertext);
        envelope.payload(trust::MUD_FILE, &mud.file).payload(trust::MUD_SIGNATURE, &mud.signature);
        self.signed(&mut envelope)
    }

    fn release_with(&self, version: &str, sequence_number: u64, app: &[u8], file: &[u8]) -> Vec<u8> {
        self.signed(&mut self.draft(version, sequence_number, app, file).build().unwrap())
    }

    fn signed(&self, envelope: &mut EnvelopeBuilder) -> Vec<u8> {
        envelope.sign(&self.author, Some(b"author"));
        envelope.to_bytes()
    }

    fn draft(&self, version: &str, sequence_number: u64, app: &[u8], file: &[u8]) -> ReleaseDraft {
        let signature = cms::sign_detached(file, &self.mud_signer, &self.certificate, &[], NOW).unwrap();
        let parsed = mud::parse(CAM, &mud::Context::default()).unwrap();
        ReleaseDraft {
            vendor_domain: "northlight.example".into(),
            class_name: "welcome-cam".into(),
            name: "welcome-cam".into(),
            version: version.into(),
            version_scheme: VersionScheme::Semver,
            sequence_number,
            tag_id: None,
            supersedes: None,
            links: Vec::new(),
            images: vec![DraftImage {
                component: ComponentId::new(&["app"]).unwrap(),
                content: app.to_vec(),
                version: None,
                uri: None,
                invoke: true,
            }],
            mud: Some(DraftMud {
                url: parsed.file.mud_url.as_str().into(),
                file: file.to_vec(),
                signature,
                signer: self.mud_signer.public_key().clone(),
            }),
        }
    }
}

/// Changes what the server stored, while it runs.
pub fn edit(site: &Site, statement: &str) {
    use sqlx::Connection;
    site.run(async {
        let url = format!("sqlite://{}", site.database().display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// A device that tells what it is told to.
pub struct Device {
    pub name: String,
    pub id: [u8; 17],
    pub key: SigningKey,
}

impl Device {
    pub fn new(number: u8) -> Self {
        let mut id = [number; 17];
        id[0] = 1;
        Self { name: format!("cam-{number}"), id, key: key(100 + number) }
    }

    pub fn ueid(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn evidence(&self, nonce: &[u8], app: &[u8], manifest: Option<Digest>) -> Vec<u8> {
        self.evidence_of(nonce, &[("app", app)], manifest)
    }

    /// Evidence of several components.
    pub fn evidence_of(
        &self,
        nonce: &[u8],
        components: &[(&'static str, &[u8])],
        manifest: Option<Digest>,
    ) -> Vec<u8> {
        let vendor = suit::Uuid::vendor("northlight.example");
        let claims = EvidenceClaims {
            nonce: Nonce::new(nonce).unwrap(),
            ueid: Ueid::new(&self.id).unwrap(),
            vendor: *vendor.as_bytes(),
            class: *suit::Uuid::class(&vendor, b"welcome-cam").as_bytes(),
            bootcount: 1,
            bootseed: vec![5; 16],
            dbgstat: DebugStatus::Disabled,
            measurement: measured_all(components),
            manifest: manifest.map(|digest| ManifestReference { digest, sequence_number: 1 }),
            dependencies: Vec::new(),
            status: None,
        };
        claims.sign(&self.key, b"device").unwrap()
    }
}

/// An evidence tag of one measured file.
pub fn measured(app: &[u8]) -> Vec<u8> {
    measured_all(&[("app", app)])
}

fn measured_all(components: &[(&'static str, &[u8])]) -> Vec<u8> {
    let tag = TagBuilder::evidence(TagId::Text("measurement".into()), "device")
        .version("0", VersionScheme::Semver)
        .entity(Entity::new("device", [SwidRole::TagCreator]));
    let tag = components.iter().fold(tag, |tag, (name, content)| {
        tag.file(File {
            size: Some(content.len() as u64),
            hash: Some(Hash::from(Digest::of(HashAlgorithm::Sha256, content))),
            ..File::new(*name)
        })
    });
    tag.build().unwrap().as_bytes().to_vec()
}

/// The manifest digest of an envelope.
pub fn manifest_digest(envelope: &[u8]) -> Digest {
    suit::Envelope::decode(envelope).unwrap().manifest_digest_claimed()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
