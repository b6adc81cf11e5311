//! Veraison's tools and libraries against the server: `cocli` makes, signs and submits manifests; a device over
//! `psatoken`, `go-cose` and `apiclient` attests; a relying party over `ear` verifies the result.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use x509::pem;

const PROFILE: &str = "http://arm.com/psa/iot/1";
const IMPLEMENTATION: &str = "YWNtZS1pbXBsZW1lbnRhdGlvbi1pZC0wMDAwMDAwMDE=";
const INSTANCE: &str = "Ac7rrnuJJ6MiflMDz14PH3s0u1Qq1yUKwD+83jbsLxUI";
const SIGNER: &str = "rLsRx+TaIXIFUjzkzhokWuGiOa48a/2eeHH35di66Gs=";
const BOOT: &str = "h0KPxSKAPTEGXnvOPPA/5HUJZjHl4Hu9eg/eYMTPJcc=";
const ROOT_OF_TRUST: &str = "AmOCmYm2/ZVPcrqvL8ZLwuLwHWktTecphuqAj26ZgT8=";
const OTHER: &str = "o6XnFfDMV0pzw/m+u2vCTzL/1bZ7OHJEwsnaAnebZHk=";

/// The programs of the peer, built once; nothing where they cannot be, which is said aloud.
fn peers() -> Option<&'static Path> {
    static PEERS: OnceLock<Option<tempfile::TempDir>> = OnceLock::new();
    let folder = PEERS.get_or_init(|| {
        if Command::new("go").arg("version").stdout(Stdio::null()).status().is_err() {
            testkit::skipped("there is no Go to build Veraison's tools with");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let go = |arguments: &[&str]| {
            let output = Command::new("go")
                .args(arguments)
                .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/veraison"))
                .output()
                .expect("go runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(()) } else { Err(said) }
        };
        // Modules that cannot be fetched are no fault of the program here; one that does not compile is.
        if let Err(why) = go(&["mod", "download"]) {
            testkit::skipped(format_args!("Veraison's tools cannot be had here: {why}"));
            return None;
        }
        for (name, package) in [("driver", "."), ("cocli", "github.com/veraison/corim/cocli")] {
            let program = folder.path().join(name);
            let program = program.to_str().expect("a path is text");
            go(&["build", "-mod=readonly", "-o", program, package]).unwrap_or_else(|why| panic!("{why}"));
        }
        Some(folder)
    });
    folder.as_ref().map(tempfile::TempDir::path)
}

/// A server of its own for one test, and files that go with it.
struct Site {
    server: Child,
    url: String,
    folder: tempfile::TempDir,
    peers: &'static Path,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _killed = self.server.kill();
        let _ended = self.server.wait();
    }
}

impl Site {
    fn start(peers: &'static Path, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let test = env::current_exe().expect("a test knows where it is");
        let sextant = test.parent().and_then(Path::parent).expect("tests are in target/<profile>/deps");
        let mut server = Command::new(sextant.join("sextant"))
            .args(["up", "--listen", "127.0.0.1:0", "--result-profile", "tag:github.com,2023:veraison/ear"])
            .args(arguments)
            .arg("--data")
            .arg(folder.path().join("data"))
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .expect("sextant is built: run `cargo build --workspace` first");
        let mut said = BufReader::new(server.stderr.take().expect("it is piped")).lines();
        let address = said
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("listening on ").map(|(_, address)| address.trim().to_owned()))
            .expect("the server says where it listens");
        // It must not block on a pipe that nobody reads.
        std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        let (_, port) = address.rsplit_once(':').expect("an address has a port");
        Self { server, url: format!("https://localhost:{port}"), folder, peers }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &Value) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content.to_string()).expect("a file is written");
        path
    }

    /// A program of the peer, which trusts the server's certificate.
    fn peer(&self, program: &str) -> Command {
        let mut command = Command::new(self.peers.join(program));
        command.env("SSL_CERT_FILE", self.path("data/tls/cert.pem")).current_dir(self.folder.path());
        command
    }

    fn cocli(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.peer("cocli").args(arguments).output().expect("cocli runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Makes a manifest with cocli: a key of the device, and what it is expected to measure.
    fn manifest(&self, public_key: &str) {
        let class = json!({ "id": { "type": "psa.impl-id", "value": IMPLEMENTATION }, "vendor": "ACME", "model": "RoadRunner" });
        let entities = json!([{ "name": "ACME", "regid": "https://acme.example", "roles": ["tagCreator"] }]);
        let measurement = |label: &str, version: &str, digest: &str| {
            json!({
                "key": { "type": "psa.refval-id", "value": { "label": label, "version": version, "signer-id": SIGNER } },
                "value": { "digests": [format!("sha-256:{digest}")] },
            })
        };
        self.write(
            "values.json",
            &json!({
                "tag-identity": { "id": "43BBE37F-2E61-4B33-AED3-53CFF1428B16", "version": 0 },
                "entities": entities,
                "triples": { "reference-values": [{
                    "environment": { "class": class },
                    "measurements": [measurement("BL", "2.1.0", BOOT), measurement("PRoT", "1.3.5", ROOT_OF_TRUST)],
                }] },
            }),
        );
        self.write(
            "key.json",
            &json!({
                "tag-identity": { "id": "366D0A0A-5988-45ED-8488-2F2A544F6242", "version": 0 },
                "entities": entities,
                "triples": { "attester-verification-keys": [{
                    "environment": { "class": class, "instance": { "type": "ueid", "value": INSTANCE } },
                    "verification-keys": [{ "type": "pkix-base64-key", "value": public_key }],
                }] },
            }),
        );
        self.write(
            "corim.json",
            &json!({ "corim-id": "5c57e8f4-46cd-421b-91c9-08cf93e13cfc", "profiles": [PROFILE] }),
        );
        for (arguments, what) in [
            (&["comid", "create", "-t", "values.json", "-t", "key.json", "-o", "."][..], "CoMIDs"),
            (
                &[
                    "corim",
                    "create",
                    "-t",
                    "corim.json",
                    "-m",
                    "values.cbor",
                    "-m",
                    "key.cbor",
                    "-o",
                    "corim.cbor",
                ],
                "a CoRIM",
            ),
        ] {
            let (made, said) = self.cocli(arguments);
            assert!(made, "cocli makes {what}: {said}");
        }
    }

    fn submit(&self, file: &str, media_type: &str, password: &str) -> (bool, String) {
        let server = format!("{}/endorsement-provisioning/v1/submit", self.url);
        self.cocli(&[
            "corim", "submit", "-f", file, "-s", &server, "-m", media_type, "--auth", "basic", "-U",
            "operator", "-P", password,
        ])
    }

    fn admin(&self) -> String {
        fs::read_to_string(self.path("data/admin.token")).expect("the server wrote it").trim().to_owned()
    }

    /// What the relying party reads of the device's result, or what stopped it.
    fn attest(
        &self,
        components: &[(&str, &str, &str)],
        media_type: &str,
        wrap: &str,
    ) -> Result<Value, String> {
        let component = |(kind, version, digest): &(&str, &str, &str)| json!({ "measurement-type": kind, "measurement-value": digest, "version": version, "signer-id": SIGNER });
        let claims = self.write(
            "claims.json",
            &json!({
                "eat-profile": "http://arm.com/psa/2.0.0",
                "psa-client-id": 1,
                "psa-security-lifecycle": 12288,
                "psa-implementation-id": IMPLEMENTATION,
                "psa-boot-seed": "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8=",
                "psa-software-components": components.iter().map(component).collect::<Vec<_>>(),
                "psa-instance-id": INSTANCE,
            }),
        );
        let output = self
            .peer("driver")
            .arg(self.path("device.pem"))
            .arg(claims)
            .args([self.url.as_str(), media_type, wrap])
            .output()
            .expect("the driver runs");
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout).expect("a result is JSON")),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// A key of the device; gives its public key in PEM.
    fn device(&self) -> String {
        let key =
            crypto::SigningKey::from_bytes(crypto::SignatureAlgorithm::Es256, &[41; 32]).expect("a key");
        let secret = key.to_pkcs8_der();
        fs::write(self.path("device.pem"), pem::encode("PRIVATE KEY", &secret)).expect("a file is written");
        pem::encode("PUBLIC KEY", &key.public_key().to_spki_der())
    }
}

const GOOD: [(&str, &str, &str); 2] = [("BL", "2.1.0", BOOT), ("PRoT", "1.3.5", ROOT_OF_TRUST)];
const PSA: &str = "application/psa-attestation-token";
const PSA_2: &str = "application/eat-cwt; profile=\"http://arm.com/psa/2.0.0\"";
const UNSIGNED: &str = "application/corim-unsigned+cbor; profile=\"http://arm.com/psa/iot/1\"";

#[test]
fn tools_of_veraison_provision_and_their_libraries_attest_and_verify() {
    let Some(peers) = peers() else { return };
    let site = Site::start(peers, &[]);
    let key = site.device();
    site.manifest(&key);

    // Nobody knows the device yet. The result says so, and the library reads it.
    let unknown = site.attest(&GOOD, PSA, "none").expect("a result");
    assert_eq!(unknown["submods"]["device"]["ear.status"], "contraindicated", "{unknown}");

    let (taken, said) = site.submit("corim.cbor", UNSIGNED, "no token");
    assert!(!taken && said.contains("401"), "{said}");
    let (taken, said) = site.submit("corim.cbor", UNSIGNED, &site.admin());
    assert!(taken, "{said}");

    for (media_type, wrap) in [(PSA, "none"), (PSA_2, "none"), (PSA, "cbor"), (PSA, "json")] {
        let result =
            site.attest(&GOOD, media_type, wrap).unwrap_or_else(|why| panic!("{media_type} {wrap}: {why}"));
        assert_eq!(result["eat_profile"], "tag:github.com,2023:veraison/ear");
        let part = &result["submods"]["PSA_IOT"];
        assert_eq!(part["ear.status"], "affirming", "{media_type} {wrap}: {result}");
        let vector = &part["ear.trustworthiness-vector"];
        assert_eq!((&vector["instance-identity"], &vector["hardware"]), (&json!(2), &json!(2)), "{result}");
    }
    for components in [&[("BL", "2.1.0", BOOT), ("PRoT", "1.3.5", OTHER)][..], &GOOD[..1]] {
        let result = site.attest(components, PSA, "none").expect("a result");
        assert_eq!(result["submods"]["PSA_IOT"]["ear.status"], "contraindicated", "{result}");
    }
}

#[test]
fn manifest_that_cocli_signed_counts_only_from_an_endorser() {
    let Some(peers) = peers() else { return };
    let keys = tempfile::tempdir().expect("a folder");
    let endorser =
        crypto::SigningKey::from_bytes(crypto::SignatureAlgorithm::Es256, &[42; 32]).expect("a key");
    let public = keys.path().join("endorser.pem");
    fs::write(&public, pem::encode("PUBLIC KEY", &endorser.public_key().to_spki_der()))
        .expect("a file is written");
    let site = Site::start(peers, &["--endorser-key", public.to_str().expect("a path is text")]);
    let key = site.device();
    site.manifest(&key);
    site.write("meta.json", &json!({ "signer": { "name": "ACME" } }));
    let sign = |seed: u8, output: &str| {
        let key =
            crypto::SigningKey::from_bytes(crypto::SignatureAlgorithm::Es256, &[seed; 32]).expect("a key");
        site.write("signer.jwk", &jwk(&key, &[seed; 32]));
        let (made, said) = site.cocli(&[
            "corim",
            "sign",
            "-f",
            "corim.cbor",
            "-m",
            "meta.json",
            "-k",
            "signer.jwk",
            "-o",
            output,
        ]);
        assert!(made, "{said}");
    };
    sign(43, "stranger.cose");
    let (taken, said) = site.submit("stranger.cose", "application/rim+cose", &site.admin());
    assert!(!taken && said.contains("unknown-signer"), "{said}");
    sign(42, "endorsed.cose");
    let (taken, said) = site.submit("endorsed.cose", "application/rim+cose", &site.admin());
    assert!(taken, "{said}");
    let result = site.attest(&GOOD, PSA, "none").expect("a result");
    assert_eq!(result["submods"]["PSA_IOT"]["ear.status"], "affirming", "{result}");
}

/// A P-256 key as JWK (RFC 7518, section 6.2).
fn jwk(key: &crypto::SigningKey, secret: &[u8]) -> Value {
    let spki = key.public_key().to_spki_der();
    // The point stands at the end, uncompressed.
    let (x, y) = spki[spki.len() - 64..].split_at(32);
    let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y), "d": text(secret) })
}
