//! A small server of the parts of the contract that a device uses, which can be told to misbehave.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use api::Base64Url;
use coswid::Tag;
use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};
use eat::{Appraisal, AttestationResult, Category, Evidence, Nonce, TrustVector, VerifierId};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use serde_json::json;

use super::{Release, digest, root, update_server};

pub(crate) struct FakeServer {
    pub(crate) url: String,
    pub(crate) certificate: String,
    state: Arc<Mutex<State>>,
}

/// What the server knows and does.
#[derive(Default)]
pub(crate) struct State {
    devices: BTreeMap<String, PublicKey>,
    nonces: Vec<Vec<u8>>,
    pub(crate) releases: Vec<Release>,
    /// The release it offers to everybody.
    pub(crate) offered: Option<Release>,
    /// Feedback as it came: result, then details.
    pub(crate) feedback: Vec<(String, Vec<String>)>,
    /// Where each download began.
    pub(crate) ranges: Vec<u64>,
    /// Bytes after which the next downloads are cut.
    pub(crate) cuts: Vec<usize>,
    /// Bytes of downloads sent.
    pub(crate) sent: u64,
    pub(crate) polls: u64,
    pub(crate) attestations: u64,
    /// Whether it answers attestations with what it thinks, or not at all.
    pub(crate) silent: bool,
    /// Whether tokens are refused from now on, until another attestation.
    pub(crate) tokens_void: bool,
    /// The change of the authorities it relays, and under which name.
    pub(crate) authority_update: Option<(String, Vec<u8>)>,
    /// Which lists devices said they obey, and which changes they fetched.
    pub(crate) obeyed: Vec<String>,
    pub(crate) updates_fetched: Vec<String>,
    /// The results it signed.
    pub(crate) results: Vec<Vec<u8>>,
    /// What it does wrong with downloads.
    pub(crate) bad: Option<Bad>,
    /// Files beside releases.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Whether a request for such a file came with a token.
    pub(crate) token_seen: bool,
    /// Everything it sent in answer to downloads.
    pub(crate) captured: Vec<u8>,
    /// SUIT reports as they came, with their action.
    pub(crate) reports: Vec<(Option<String>, Vec<u8>)>,
    /// The status with which it answers reports in place of taking them.
    pub(crate) reports_status: Option<&'static str>,
    /// How it signs what it answers to polls.
    pub(crate) signing: Signing,
    /// The first signed answer, for one that repeats it.
    first_answer: Option<serde_json::Value>,
    /// Counts, to give another tag each time.
    changes: u64,
}

/// How a server signs its answers to polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signing {
    /// Not at all.
    #[default]
    None,
    /// As it should.
    Good,
    /// Once, and the whole answer is sent again ever after.
    Repeating,
    /// With another key.
    Forging,
    /// For another device.
    Misdirecting,
    /// Naming nothing new, whatever it offers.
    Hiding,
    /// As it should, while somebody keeps from it which authorities a device obeys.
    Deaf,
    /// As it should, while somebody takes the change of the authorities out.
    Stripping,
    /// As it should, while somebody gives another change of the authorities in place of its own.
    Exchanging,
}

/// Bytes of hexadecimal digits.
fn bytes_of(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2).map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap()).collect()
}

/// What a server does wrong with downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It says that the whole is longer.
    Total,
    /// It says that the answer begins elsewhere.
    Start,
    /// It answers with more than was asked for, and says so.
    End,
    /// It says nothing of a range.
    NoRange,
    /// It sends everything.
    Whole,
    /// It announces another length of the body than of the range.
    Length,
    /// It stops in the middle.
    Truncated,
    /// It never stops.
    Endless,
    /// It sends a byte now and then.
    Trickle,
    /// Each answer is of another file.
    Changed,
    /// It fails.
    Failing,
    /// It flips a bit, whatever it said of the hash.
    Flipped,
}

/// How a body is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    #[default]
    Plain,
    Endless,
    Trickle,
}

pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

pub(super) struct Response {
    pub(super) status: &'static str,
    pub(super) headers: Vec<String>,
    pub(super) body: Vec<u8>,
    /// Sends only so much of the body, and hangs up.
    pub(super) cut: Option<usize>,
    pub(super) style: Style,
}

impl FakeServer {
    pub(crate) fn start() -> Self {
        Self::start_valid_from(None)
    }

    /// A server whose certificate is valid from a year on.
    pub(crate) fn start_valid_from(year: Option<i32>) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        if let Some(year) = year {
            params.not_before = rcgen::date_time_ymd(year, 1, 1);
        }
        let certificate = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let private = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth();
        let config =
            Arc::new(config.with_single_cert(vec![certificate.der().clone()], private.into()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, state) = (Arc::clone(&config), Arc::clone(&shared));
                thread::spawn(move || serve(stream, config, &state));
            }
        });
        Self { url, certificate: certificate.pem(), state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn enrol(&self, ueid: &str, key: PublicKey) {
        self.state().devices.insert(ueid.to_owned(), key);
    }

    /// Knows a release, and offers it.
    pub(crate) fn offer(&self, release: &Release) {
        let mut state = self.state();
        state.releases.push(release.clone());
        state.offered = Some(release.clone());
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, state: &Mutex<State>) {
    let connection = ServerConnection::new(config).unwrap();
    let stream = StreamOwned::new(connection, stream);
    converse(stream, |request| state.lock().unwrap().answer(request));
}

/// Answers requests of one connection until it ends, or one gets no answer.
pub(super) fn converse(stream: impl Read + Write, mut answer: impl FnMut(&Request) -> Option<Response>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream) {
        let Some(response) = answer(&request) else { return };
        let body = response.body.get(..response.cut.unwrap_or(usize::MAX)).unwrap_or(&response.body);
        let length = match response.style {
            Style::Endless => "transfer-encoding: chunked".to_owned(),
            _ => format!("content-length: {}", response.body.len()),
        };
        let mut head = format!("HTTP/1.1 {}\r\n{length}\r\n", response.status);
        for header in &response.headers {
            head += &format!("{header}\r\n");
        }
        let stream = stream.get_mut();
        if response.style != Style::Plain {
            misbehave(stream, &head, &response);
            return;
        }
        let sent = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(body));
        if sent.and_then(|()| stream.flush()).is_err() || response.cut.is_some() {
            return;
        }
    }
}

/// Sends a body in a way that no server should, until the other side has had enough.
fn misbehave(stream: &mut impl Write, head: &str, response: &Response) {
    let mut send = |bytes: &[u8]| stream.write_all(bytes).and_then(|()| stream.flush()).is_ok();
    if !send(format!("{head}\r\n").as_bytes()) {
        return;
    }
    match response.style {
        Style::Trickle => {
            for byte in &response.body {
                thread::sleep(std::time::Duration::from_millis(50));
                if !send(&[*byte]) {
                    return;
                }
            }
        }
        _ => {
            // A gigabyte is endless enough for a test that fails.
            let mut sent = send(format!("{:x}\r\n", response.body.len()).as_bytes())
                && send(&response.body)
                && send(b"\r\n");
            for _ in 0..1 << 14 {
                sent = sent && send(b"10000\r\n") && send(&[0; 0x10000]) && send(b"\r\n");
            }
        }
    }
}

fn read_request(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

pub(super) fn respond(status: &'static str, body: &serde_json::Value) -> Response {
    Response {
        status,
        headers: Vec::new(),
        body: serde_json::to_vec(body).unwrap(),
        cut: None,
        style: Style::Plain,
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Option<Response> {
        let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let response = match (request.method.as_str(), path.as_slice()) {
            _ if self.silent => return None,
            ("POST", ["challenge-response", "v1", session]) if session.starts_with("newSession") => {
                let nonce: Vec<u8> = (0..32).map(|n| n ^ self.nonces.len() as u8).collect();
                let body = json!({"status": "waiting", "nonce": Base64Url::encode(&nonce), "expiry": "", "accept": []});
                let location = format!("location: session/{}", self.nonces.len());
                self.nonces.push(nonce);
                Response { headers: vec![location], ..respond("201 Created", &body) }
            }
            ("POST", ["challenge-response", "v1", "session", number]) => {
                assert_eq!(request.headers["content-type"], api::EVIDENCE);
                self.attest(number.parse().unwrap(), &request.body)
            }
            ("GET" | "POST", ["default", "controller", "v1", ueid, rest @ ..]) => {
                let (ueid, query) = ueid.split_once('?').unwrap_or((*ueid, ""));
                let asked = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
                if let Some(obeyed) = asked("authorities=") {
                    self.obeyed.push(obeyed.to_owned());
                }
                let nonce = asked("nonce=").and_then(Base64Url::decode);
                let obeys = asked("authorities=");
                let obeys = obeys.map(|list| Digest::new(HashAlgorithm::Sha256, &bytes_of(list)).unwrap());
                if self.tokens_void || request.headers.get("authorization") != Some(&format!("Bearer {ueid}"))
                {
                    return Some(respond("401 Unauthorized", &json!({})));
                }
                let response = self.update(ueid, rest, request);
                match nonce {
                    Some(nonce) => self.signed(ueid, &nonce, obeys, response),
                    None => response,
                }
            }
            ("GET", ["files", name]) => match self.files.get(*name).cloned() {
                Some(file) => {
                    self.token_seen |= request.headers.contains_key("authorization");
                    self.download(&file, request)
                }
                None => respond("404 Not Found", &json!({})),
            },
            _ => respond("404 Not Found", &json!({})),
        };
        Some(response)
    }

    /// Judges evidence as a verifier does, without its depth.
    fn attest(&mut self, session: usize, evidence: &[u8]) -> Response {
        self.attestations += 1;
        self.tokens_void = false;
        let nonce = Nonce::new(&self.nonces[session]).unwrap();
        let decoded = Evidence::decode(evidence).unwrap();
        let ueid = decoded.ueid().clone();
        let key = self.devices[&ueid.to_string()].clone();
        let claims = decoded.verify(&key, &nonce).unwrap().into_claims();
        let tag = Tag::decode(&claims.measurement).unwrap();
        let found: BTreeMap<_, _> =
            tag.measured_files().iter().filter_map(|file| Some((file.path(), file.digest?))).collect();
        let manifest = claims.manifest.map(|manifest| manifest.digest);
        let matching = self
            .releases
            .iter()
            .find(|release| Some(release.manifest) == manifest && release.expected == found);
        // Affirming for the newest release, a warning for an older one, and one without a release for what is none.
        let newest = self.releases.last().map(|release| release.manifest);
        let value = match matching {
            Some(release) if Some(release.manifest) == newest => 2,
            Some(_) => 32,
            None => 33,
        };
        let mut appraisal = Appraisal::new(TrustVector::new().with(Category::Executables, value));
        appraisal.release = matching.map(|release| release.manifest.as_bytes().to_vec());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
        let verifier = VerifierId { developer: "test".into(), build: "1".into() };
        let mut result = AttestationResult::new(verifier, now, now + 60);
        result.ueid = Some(ueid.clone());
        result.confirmation = Some(key);
        result.submods.insert("device".into(), appraisal);
        let signer = SigningKey::from_bytes(SignatureAlgorithm::Es256, &[3; 32]).unwrap();
        let cwt = result.sign_cwt(&signer, b"verifier").unwrap();
        let body = json!({
            "status": "complete", "nonce": Base64Url::encode(nonce.as_bytes()), "expiry": "", "accept": [],
            "result": "", "sextant.result": Base64Url::encode(&cwt), "sextant.device-token": ueid.to_string(),
            "sextant.next-attestation": 600,
        });
        self.results.push(cwt);
        respond("200 OK", &body)
    }

    fn update(&mut self, ueid: &str, rest: &[&str], request: &Request) -> Response {
        if let [report] = rest
            && let Some(query) = report.strip_prefix("suitReport")
        {
            assert_eq!(request.headers["content-type"], "application/suit-report+cose");
            if let Some(status) = self.reports_status {
                return respond(status, &json!({}));
            }
            let action = query.strip_prefix("?action=").map(str::to_owned);
            // An agent that is killed before it notes that one was taken sends it again.
            if !self.reports.iter().any(|(_, known)| *known == request.body) {
                self.reports.push((action, request.body.clone()));
            }
            return Response { body: Vec::new(), ..respond("204 No Content", &json!({})) };
        }
        let base = format!("/default/controller/v1/{ueid}");
        if let ["authorities", name] = rest {
            self.updates_fetched.push((*name).to_owned());
            let (_, bytes) = self.authority_update.clone().expect("it was linked to");
            return Response { body: bytes, ..respond("200 OK", &json!({})) };
        }
        let mut links = json!({});
        if let Some((name, _)) = &self.authority_update {
            links["authorityUpdate"] = json!({ "href": format!("{base}/authorities/{name}") });
        }
        let Some(release) = self.offered.clone() else {
            self.polls += 1;
            let body = json!({"config": {"polling": {"sleep": "00:00:00"}}, "_links": links});
            return respond("200 OK", &body);
        };
        let digits: String = release.manifest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        match rest {
            [] => {
                self.polls += 1;
                let href = format!("{base}/deploymentBase/1");
                links["deploymentBase"] = json!({ "href": href });
                respond("200 OK", &json!({"config": {"polling": {"sleep": "00:00:00"}}, "_links": links}))
            }
            ["deploymentBase", "1"] => {
                let href = format!("{base}/softwaremodules/{digits}/artifacts/release.suit");
                let sha256: String =
                    digest(&release.envelope).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                let artifact = json!({
                    "filename": "release.suit", "hashes": {"sha256": sha256}, "size": release.envelope.len(),
                    "_links": {"download": {"href": href}},
                });
                let chunk = json!({"part": "bApp", "version": "1", "name": "cam", "artifacts": [artifact]});
                let deployment = json!({"download": "forced", "update": "forced", "chunks": [chunk]});
                respond("200 OK", &json!({"id": "1", "deployment": deployment}))
            }
            ["deploymentBase", "1", "feedback"] => {
                let feedback: api::Feedback = serde_json::from_slice(&request.body).unwrap();
                let finished = serde_json::to_value(feedback.status.result.finished).unwrap();
                self.feedback.push((finished.as_str().unwrap().to_owned(), feedback.status.details));
                respond("200 OK", &json!({}))
            }
            ["softwaremodules", module, "artifacts", "release.suit"] if *module == digits => {
                self.download(&release.envelope, request)
            }
            _ => respond("404 Not Found", &json!({})),
        }
    }

    /// An answer to a poll, signed over its nonce.
    fn signed(&mut self, ueid: &str, nonce: &[u8], obeys: Option<Digest>, response: Response) -> Response {
        let key = match self.signing {
            Signing::None => return response,
            Signing::Forging => root(),
            _ => update_server(),
        };
        let mut device = bytes_of(ueid);
        if self.signing == Signing::Misdirecting {
            device[1] ^= 1;
        }
        let offered = self.offered.as_ref().map(|release| release.manifest);
        let answer = suit::UpdateAnswer {
            device,
            nonce: nonce.try_into().unwrap(),
            issued_at: 1_800_000_000,
            offer: offered.filter(|_| self.signing != Signing::Hiding),
            obeys: obeys.filter(|_| self.signing != Signing::Deaf),
            authority_update: match self.signing {
                Signing::Deaf => None,
                Signing::Exchanging => Some(digest(b"another change")),
                _ => self.authority_update.as_ref().map(|(_, update)| digest(update)),
            },
        };
        let mut body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        if matches!(self.signing, Signing::Deaf | Signing::Stripping) {
            body["_links"].as_object_mut().unwrap().remove("authorityUpdate");
        }
        body["updateAnswer"] = Base64Url::encode(&answer.sign(&key, b"updates")).into();
        if self.signing == Signing::Repeating {
            body = self.first_answer.get_or_insert(body).clone();
        }
        respond("200 OK", &body)
    }

    fn download(&mut self, envelope: &[u8], request: &Request) -> Response {
        let (from, to) = request.headers["range"].strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        let to = to.min(envelope.len() - 1);
        self.ranges.push(from as u64);
        let mut body = envelope[from..=to].to_vec();
        let cut = (!self.cuts.is_empty()).then(|| self.cuts.remove(0)).filter(|cut| *cut < body.len());
        let total = envelope.len();
        let mut tag = digest(envelope).as_bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut range = Some((from, to, total));
        let (mut status, mut style, mut cut) = ("206 Partial Content", Style::Plain, cut);
        match self.bad {
            None => {}
            Some(Bad::Total) => range = Some((from, to, total + 1)),
            Some(Bad::Start) => range = Some((from + 1, to, total)),
            Some(Bad::End) => {
                range = Some((from, to + 1, total));
                body.push(0);
            }
            Some(Bad::NoRange) => range = None,
            Some(Bad::Whole) => (status, range, body) = ("200 OK", None, envelope.to_vec()),
            Some(Bad::Length) => {
                body.pop();
            }
            Some(Bad::Truncated) => cut = Some(body.len() / 2),
            Some(Bad::Endless) => style = Style::Endless,
            Some(Bad::Trickle) => style = Style::Trickle,
            Some(Bad::Changed) => {
                self.changes += 1;
                tag = format!("{tag}-{}", self.changes);
            }
            Some(Bad::Failing) => return respond("503 Service Unavailable", &json!({})),
            Some(Bad::Flipped) => {
                if let Some(last) = body.last_mut() {
                    *last ^= 1;
                }
            }
        }
        let etag = format!("\"{tag}\"");
        if request.headers.get("if-range").is_some_and(|wanted| *wanted != etag) {
            (status, range, body) = ("200 OK", None, envelope.to_vec());
        }
        let sent = &body[..body.len().min(cut.unwrap_or(usize::MAX))];
        self.sent += sent.len() as u64;
        self.captured.extend_from_slice(sent);
        let mut headers = vec![format!("etag: {etag}")];
        headers.extend(range.map(|(from, to, total)| format!("content-range: bytes {from}-{to}/{total}")));
        Response { status, headers, body, cut, style }
    }
}
