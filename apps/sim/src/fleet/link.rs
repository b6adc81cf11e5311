//! A device's exchanges with its server over HTTPS, measured. All devices share a few connections that are kept open.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    CHALLENGE_SESSION, DeploymentAction, EVIDENCE, Execution, Feedback, FeedbackResult, FeedbackStatus,
    Finished, Poll, Session,
};
use crypto::{Digest, HashAlgorithm};
use device_core::Offer;
use eat::Nonce;
use serde::de::DeserializeOwned;
use ureq::{
    Agent, Body,
    http::{HeaderMap, Method, Request, Response, StatusCode, header},
};

use super::metrics::{Exchange, Metrics};
use crate::ServerPlace;

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection is kept that nobody uses: shorter than servers wait for the next request.
const IDLE: Duration = Duration::from_secs(5);
/// Bytes of a connection's buffers, each way.
const BUFFER: usize = 16 << 10;
/// The longest answer that is no download.
const MAX_ANSWER: u64 = 1 << 20;
/// Bytes of an envelope asked for at once.
pub(crate) const PIECE: u64 = 1 << 20;
/// Bytes of a nonce, as asked for.
const NONCE_LEN: usize = 32;

const SESSIONS: &str = "/challenge-response/v1/";
const CONTROLLER: &str = "/default/controller/v1/";
const FILE: &str = "release.suit";
const JSON: &str = "application/json";
/// A manifest digest names no algorithm in a path; its length does.
const HASHES: [HashAlgorithm; 3] = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];

/// The way to the server.
#[derive(Debug)]
pub(crate) struct Link {
    agent: Agent,
    base: String,
    pub(crate) metrics: Arc<Metrics>,
}

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The credentials are not good any more.
    Unauthorized,
    /// What was asked for is not there, or not for this device.
    Absent,
    /// Everything else; it is tried again.
    Failed,
}

/// A session for one piece of evidence.
pub(crate) struct Challenge {
    path: String,
    pub(crate) nonce: Nonce,
}

/// What is offered, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) action: String,
    pub(crate) offer: Offer,
    path: String,
}

/// An answer to a poll.
pub(crate) struct Polled {
    pub(crate) deployment: Option<Deployment>,
    /// Milliseconds until the server wants to be asked again.
    pub(crate) sleep: Option<u64>,
}

/// A piece of an envelope.
pub(crate) enum Piece {
    /// What was asked for, from where it was asked for.
    Next(Vec<u8>),
    /// The server knows no ranges, and begins at the beginning.
    Whole(Vec<u8>),
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Link {
    /// A link over at most so many connections that are kept open.
    pub(crate) fn new(place: &ServerPlace, connections: usize, metrics: Arc<Metrics>) -> Self {
        let config = Agent::config_builder()
            .tls_config(place.tls())
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("sextant-sim/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(PATIENCE))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .max_idle_age(IDLE)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .build();
        Self { agent: config.into(), base: place.url().to_owned(), metrics }
    }

    /// Asks for a nonce.
    pub(crate) fn challenge(&self) -> Result<Challenge, Trouble> {
        let exchange = Exchange::Challenge;
        let path = format!("{SESSIONS}newSession?nonceSize={NONCE_LEN}");
        let request = self.request(Method::POST, &path).header(header::ACCEPT, CHALLENGE_SESSION);
        let answer = self.exchange(exchange, request, Some(&[]), MAX_ANSWER)?;
        let location = answer.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let path = location.and_then(|location| self.resolve(SESSIONS, location));
        let session: Session = self.read(exchange, &answer, StatusCode::CREATED)?;
        match (path, Nonce::new(&session.nonce.0)) {
            (Some(path), Some(nonce)) => Ok(Challenge { path, nonce }),
            _ => Err(self.malformed(exchange)),
        }
    }

    /// Hands in evidence, and gets what was made of it.
    pub(crate) fn attest(&self, challenge: &Challenge, evidence: &[u8]) -> Result<Session, Trouble> {
        let request = self.request(Method::POST, &challenge.path).header(header::CONTENT_TYPE, EVIDENCE);
        let request = request.header(header::ACCEPT, CHALLENGE_SESSION);
        let answer = self.exchange(Exchange::Attest, request, Some(evidence), MAX_ANSWER)?;
        self.read(Exchange::Attest, &answer, StatusCode::OK)
    }

    /// Asks whether there is anything to install.
    pub(crate) fn poll(&self, ueid: &str, token: &str) -> Result<Polled, Trouble> {
        let poll: Poll = self.get(Exchange::Poll, &format!("{CONTROLLER}{ueid}"), token)?;
        let sleep = milliseconds(&poll.config.polling.sleep);
        let Some(link) = poll.links.deployment_base else { return Ok(Polled { deployment: None, sleep }) };
        let malformed = || self.malformed(Exchange::Deployment);
        let path = self.resolve(CONTROLLER, &link.href).ok_or_else(malformed)?;
        let action: DeploymentAction = self.get(Exchange::Deployment, &path, token)?;
        let deployment = self.read_deployment(&action).ok_or_else(malformed)?;
        Ok(Polled { deployment: Some(deployment), sleep })
    }

    /// Fetches a piece of an envelope.
    pub(crate) fn fetch(
        &self,
        deployment: &Deployment,
        token: &str,
        from: u64,
        len: u64,
    ) -> Result<Piece, Trouble> {
        let last = from + len.max(1) - 1;
        let request = self.request(Method::GET, &deployment.path);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let request = request.header(header::RANGE, format!("bytes={from}-{last}"));
        let limit = deployment.offer.size.max(MAX_ANSWER);
        let answer = self.exchange(Exchange::Download, request, None, limit)?;
        match answer.status {
            StatusCode::PARTIAL_CONTENT if starts_at(&answer.headers) == Some(from) => {
                Ok(Piece::Next(answer.body))
            }
            StatusCode::OK => Ok(Piece::Whole(answer.body)),
            StatusCode::GONE | StatusCode::RANGE_NOT_SATISFIABLE => Err(Trouble::Absent),
            status => Err(self.refused(Exchange::Download, status)),
        }
    }

    /// Tells how an action ended.
    pub(crate) fn report(
        &self,
        ueid: &str,
        token: &str,
        action: &str,
        failure: Option<&str>,
    ) -> Result<(), Trouble> {
        let (execution, finished) = match failure {
            None => (Execution::Closed, Finished::Success),
            Some(_) => (Execution::Rejected, Finished::Failure),
        };
        let result = FeedbackResult { finished };
        let details = failure.into_iter().map(str::to_owned).collect();
        let feedback =
            Feedback { id: action.to_owned(), status: FeedbackStatus { execution, result, details } };
        let body = serde_json::to_vec(&feedback).map_err(|_| self.malformed(Exchange::Report))?;
        let path = format!("{CONTROLLER}{ueid}/deploymentBase/{action}/feedback");
        let request = self.request(Method::POST, &path).header(header::CONTENT_TYPE, JSON);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let answer = self.exchange(Exchange::Report, request, Some(&body), MAX_ANSWER)?;
        match answer.status {
            status if status.is_success() => Ok(()),
            status => Err(self.refused(Exchange::Report, status)),
        }
    }

    fn request(&self, method: Method, path: &str) -> ureq::http::request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.base))
    }

    fn get<T: DeserializeOwned>(&self, exchange: Exchange, path: &str, token: &str) -> Result<T, Trouble> {
        let request = self.request(Method::GET, path).header(header::ACCEPT, JSON);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let answer = self.exchange(exchange, request, None, MAX_ANSWER)?;
        self.read(exchange, &answer, StatusCode::OK)
    }

    /// One request and its whole answer, measured.
    fn exchange(
        &self,
        exchange: Exchange,
        request: ureq::http::request::Builder,
        body: Option<&[u8]>,
        limit: u64,
    ) -> Result<Answer, Trouble> {
        let started = Instant::now();
        let run = || -> Result<Answer, ureq::Error> {
            let response: Response<Body> = match body {
                Some(body) => self.agent.run(request.body(body)?)?,
                None => self.agent.run(request.body(())?)?,
            };
            let (parts, mut body) = response.into_parts();
            let body = body.with_config().limit(limit).read_to_vec()?;
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        };
        match run() {
            Ok(answer) => {
                let sent = body.map_or(0, <[u8]>::len);
                self.metrics.exchanged(exchange, started.elapsed(), sent, answer.body.len());
                Ok(answer)
            }
            Err(error) => {
                self.metrics.failed(exchange, &kind(&error));
                Err(Trouble::Failed)
            }
        }
    }

    /// The body of an answer with this status, in JSON.
    fn read<T: DeserializeOwned>(
        &self,
        exchange: Exchange,
        answer: &Answer,
        expected: StatusCode,
    ) -> Result<T, Trouble> {
        if answer.status != expected {
            return Err(self.refused(exchange, answer.status));
        }
        serde_json::from_slice(&answer.body).map_err(|_| self.malformed(exchange))
    }

    fn read_deployment(&self, action: &DeploymentAction) -> Option<Deployment> {
        let mut artifacts = action.deployment.chunks.iter().flat_map(|chunk| &chunk.artifacts);
        let artifact = artifacts.find(|artifact| artifact.filename == FILE)?;
        let path = self.resolve(CONTROLLER, &artifact.links.download.href)?;
        let envelope = Digest::new(HashAlgorithm::Sha256, &parse_hex(&artifact.hashes.sha256)?)?;
        let offer = Offer { manifest: manifest_of(&path)?, envelope, size: artifact.size };
        Some(Deployment { action: action.id.clone(), offer, path })
    }

    fn refused(&self, exchange: Exchange, status: StatusCode) -> Trouble {
        self.metrics.failed(exchange, &format!("status {}", status.as_u16()));
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Trouble::Unauthorized,
            StatusCode::NOT_FOUND => Trouble::Absent,
            _ => Trouble::Failed,
        }
    }

    fn malformed(&self, exchange: Exchange) -> Trouble {
        self.metrics.failed(exchange, "malformed answer");
        Trouble::Failed
    }

    /// The path of an address the server gave, if it is one of its own: credentials go nowhere else.
    fn resolve(&self, folder: &str, link: &str) -> Option<String> {
        let (own, absolute) = match link.strip_prefix(&self.base) {
            Some(rest) => (rest, true),
            None => (link, false),
        };
        if own.starts_with('/') && !own.starts_with("//") {
            return Some(own.to_owned());
        }
        (!absolute && !own.contains("//") && !own.contains(':')).then(|| format!("{folder}{own}"))
    }
}

/// A failure in a word or two, so that equal ones can be counted.
fn kind(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(what) => format!("no answer in time ({what})"),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => "no connection".to_owned(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "TLS".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "answer too long".to_owned(),
        _ => "not HTTP".to_owned(),
    }
}

/// Where the content of a partial answer begins.
fn starts_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// The release that a download is of: the digest in its path.
fn manifest_of(path: &str) -> Option<Digest> {
    let digits = path.split_once("/softwaremodules/")?.1.split('/').next()?;
    let digest = parse_hex(digits)?;
    HASHES.into_iter().find_map(|algorithm| Digest::new(algorithm, &digest))
}

/// Milliseconds of `HH:MM:SS`.
fn milliseconds(sleep: &str) -> Option<u64> {
    let mut parts = sleep.split(':').map(|part| part.parse::<u64>().ok().filter(|part| *part < 100));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(((hours * 60 + minutes) * 60 + seconds) * 1000)
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        let agent = Agent::config_builder().build().new_agent();
        Link { agent, base: "https://server:8443".into(), metrics: Arc::default() }
    }

    #[test]
    fn follows_the_servers_own_addresses_only() {
        let link = link();
        for (address, expected) in [
            ("/challenge-response/v1/session/7", Some("/challenge-response/v1/session/7")),
            ("session/7", Some("/challenge-response/v1/session/7")),
            ("https://server:8443/x", Some("/x")),
            ("https://server:8443.evil.example/x", None),
            ("https://server:8443//evil.example/x", None),
            ("https://other:8443/x", None),
            ("//other/x", None),
            ("file:x", None),
        ] {
            assert_eq!(link.resolve(SESSIONS, address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn reads_periods_and_the_release_of_a_download() {
        assert_eq!(milliseconds("01:02:03"), Some(3_723_000));
        for wrong in ["", "30", "00:30", "00:00:00:30", "aa:00:00", "100:00:00"] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
        let digest = Digest::of(HashAlgorithm::Sha256, b"manifest");
        let digits = trust::device_name(digest.as_bytes());
        let path = format!("/default/controller/v1/01/softwaremodules/{digits}/artifacts/release.suit");
        assert_eq!(manifest_of(&path), Some(digest));
        assert_eq!(manifest_of("/softwaremodules/12/artifacts/release.suit"), None);
    }
}
