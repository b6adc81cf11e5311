//! A server that is killed, again and again, while it makes and onboards a device: whatever was answered holds, and whatever was
//! not comes again.

mod common;

use std::{io::Read as _, time::Duration};

use common::{Desk, fixed_key, up::Up};
use crypto::Zeroizing;
use fdo::{
    DeviceInfo, Failure, KeyEncoding, KeyType, Message, MessageType, SoftSecrets, Step,
    device::{Di, Outcome, To2, To2Options},
    service_info::{DeviceEngine, modules::Devmod},
};
use serde_json::Value;
use ureq::tls::TlsConfig;

/// What devices are told of the server stays the same on whichever port it comes back.
const OPTIONS: &str = "--role manufacturer --role rendezvous --role owner --role manage \
                       --public-url https://sextant.example --rendezvous https://rv.example";

/// A server that is killed before each message, and again after it has answered it, whose answer is lost.
struct Killed<'d> {
    desk: &'d Desk,
    server: Option<Up<'d>>,
    kills: usize,
}

impl<'d> Killed<'d> {
    fn new(desk: &'d Desk) -> Self {
        Self { desk, server: Some(Up::start(desk, OPTIONS)), kills: 0 }
    }

    fn server(&self) -> &Up<'d> {
        self.server.as_ref().expect("it runs")
    }

    /// Dropping it kills it.
    fn kill(&mut self) {
        self.server = None;
        self.kills += 1;
        self.server = Some(Up::start(self.desk, OPTIONS));
    }

    /// A message and what came back: its number, its body and the token.
    fn send(&self, message: &Message, token: Option<&str>) -> (MessageType, Vec<u8>, Option<String>) {
        let url = format!("{}/fdo/101/msg/{}", self.server().url, message.message_type.number());
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .tls_config(
                TlsConfig::builder()
                    .disable_verification(true)
                    .unversioned_rustls_crypto_provider(std::sync::Arc::new(
                        rustls::crypto::aws_lc_rs::default_provider(),
                    ))
                    .build(),
            )
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let mut request = agent.post(&url).header("content-type", "application/cbor");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(&message.body).expect("an answer");
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let number = header("message-type").expect("a type").parse().expect("a number");
        let token = header("authorization").and_then(|value| Some(value.strip_prefix("Bearer ")?.to_owned()));
        let mut body = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut body).expect("a body");
        (MessageType::from_number(number).expect("a type"), body, token)
    }

    /// Carries a protocol to its end.
    fn carry<T>(
        &mut self,
        first: Message,
        mut receive: impl FnMut(MessageType, &[u8]) -> Result<Step<T>, Failure>,
    ) -> T {
        let (mut message, mut token) = (first, None::<String>);
        loop {
            self.kill();
            let lost = self.send(&message, token.as_deref());
            assert_ne!(lost.0, MessageType::Error, "{}", message.message_type);
            self.kill();
            let (found, body, next) = self.send(&message, token.as_deref());
            token = next;
            match receive(found, &body).unwrap_or_else(|error| panic!("{}: {error}", message.message_type)) {
                Step::Send(next) => message = next,
                Step::Done(done) => return done,
            }
        }
    }
}

#[test]
fn a_server_that_is_killed_around_every_message_loses_nothing_it_answered() {
    let desk = Desk::new();
    let mut server = Killed::new(&desk);
    let key = fixed_key(5);
    let request = x509::CertificationRequestBuilder::new("CN=1".parse().expect("a name"), key.public_key());
    let info = DeviceInfo {
        key_type: KeyType::Secp256r1,
        encoding: KeyEncoding::X509,
        serial: "NL-1".into(),
        info: "camera".into(),
        request: request.sign(&key).expect("a request").as_der().to_vec(),
    };
    let secrets = SoftSecrets { key, hmac_secret: Zeroizing::new(vec![7; 32]) };
    let (mut di, first) = Di::begin(info);
    let credential = server.carry(first, |found, body| di.receive(found, body, &secrets));
    let guid = credential.guid.to_string();

    let made = server.server().json("fdo made");
    assert_eq!(made.as_array().map(Vec::len), Some(1), "{made}");
    desk.write("owner.pem", server.server().json("fdo keys")["owner"][0].as_str().expect("a key"));
    server.server().done(&format!("fdo sell {guid} --made --to owner.pem -o voucher"));
    server.server().done("fdo import voucher");
    desk.write("template", r#"{ "require": "nothing" }"#);
    server.server().done("fdo template set default template");

    let options = To2Options::for_credential(&credential).expect("suites");
    let devmod = Devmod { os: "linux".into(), ..Devmod::default() };
    let mut engine = DeviceEngine::new(&devmod, Vec::new()).expect("an engine");
    let mut fill = |bytes: &mut [u8]| getrandom::fill(bytes).expect("random bytes");
    let (mut to2, first) = To2::begin(&credential, None, options, &secrets, &mut fill);
    let outcome =
        server.carry(first, |found, body| to2.receive(found, body, &secrets, &mut engine, &mut fill));
    let Outcome::Replaced(next) = outcome else { panic!("{outcome:?}") };

    // It is one device, called what it was told, whichever answers were lost.
    let devices: Value = server.server().json("device ls");
    assert_eq!(devices["items"].as_array().or(devices.as_array()).map(Vec::len), Some(1), "{devices}");
    let shown = server.server().json(&format!("fdo status {guid}"));
    assert_eq!((&shown["state"], &shown["followed_by"]), (&"replaced".into(), &next.guid.to_string().into()));
    server.server().done("audit export -o audit.json");
    desk.done("audit verify audit.json");
    // Two messages of DI and at least six of TO2.
    assert!(server.kills >= 16, "{} kills", server.kills);
}
