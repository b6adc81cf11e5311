use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use api::{
    Base64Url, CHALLENGE_SESSION, DeploymentAction, EVIDENCE, Execution, Feedback, FeedbackResult,
    FeedbackStatus, Finished, Poll, Session,
};
use crypto::{Digest, HashAlgorithm};
use device_core::Offer;
use eat::Nonce;
use serde::de::DeserializeOwned;
use suit::limits::MAX_AUTHORITY_UPDATE_LEN;
use ureq::{
    Agent, Body,
    http::{Response, StatusCode, header},
    tls::{Certificate, PemItem, RootCerts, TlsConfig},
};

use crate::{
    Error,
    download::Download,
    onboarding::Endpoints,
    setup::{hex, parse_hex},
};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come of an answer.
const STALL: Duration = Duration::from_secs(10);
/// Media type of a signed SUIT report.
const SUIT_REPORT: &str = "application/suit-report+cose";
/// How long an exchange may take, a piece of a download included.
const EXCHANGE: Duration = Duration::from_secs(30);
/// The same, as so many times what may pass without anything coming.
const EXCHANGE_STALLS: u32 = 3;
/// The longest answer that is no download.
const MAX_ANSWER: u64 = 1 << 20;
/// Bytes of a nonce, as asked for.
const NONCE_LEN: usize = 32;

const SESSIONS: &str = "/challenge-response/v1/";
const CONTROLLER: &str = "/default/controller/v1/";
const FILE: &str = "release.suit";

/// The server, over HTTPS with certificates that descend from the one given and no other.
#[derive(Debug)]
pub(crate) struct Server {
    agent: Agent,
    base: String,
    /// Other origins that payloads may come from.
    origins: Vec<String>,
}

/// Why an exchange failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The credentials are not good any more.
    Unauthorized,
    /// Everything else; it is tried again.
    Failed(String),
}

/// A session for one piece of evidence.
pub(crate) struct Challenge {
    url: String,
    pub(crate) nonce: Nonce,
}

/// What is offered, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) action: String,
    pub(crate) offer: Offer,
    url: String,
}

/// An answer to a poll.
pub(crate) struct Polled {
    pub(crate) deployment: Option<Deployment>,
    /// Where the change of the list of authorities is.
    pub(crate) authority_update: Option<String>,
    /// Milliseconds until the server wants to be asked again.
    pub(crate) sleep: Option<u64>,
    /// The same, signed.
    pub(crate) answer: Option<Vec<u8>>,
}

impl Server {
    pub(crate) fn new(endpoints: &Endpoints, origins: &[String], stall: Duration) -> Result<Self, Error> {
        let base = endpoints.server.trim_end_matches('/');
        if !base.starts_with("https://") {
            return Err(Error::Usage(format!("--server is not an https URL: {base}")));
        }
        if let Some(origin) = origins.iter().find(|origin| !origin.starts_with("https://")) {
            return Err(Error::Usage(format!("--payload-origin is not an https URL: {origin}")));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&endpoints.anchors))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = limited(Agent::config_builder()).https_only(true).tls_config(tls);
        let config = config.timeout_per_read(Some(stall)).timeout_global(Some(stall * EXCHANGE_STALLS));
        let agent = config.build().new_agent();
        Ok(Self { agent, base: base.to_owned(), origins: origins.to_vec() })
    }

    /// Asks for a nonce.
    pub(crate) fn challenge(&self) -> Result<Challenge, Failure> {
        let url = format!("{}{SESSIONS}newSession?nonceSize={NONCE_LEN}", self.base);
        let request = self.agent.post(&url).header(header::ACCEPT, CHALLENGE_SESSION);
        let response = request.send_empty()?;
        let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
        let url = self.resolve(SESSIONS, location.ok_or_else(|| failed("the session has no location"))?)?;
        let session: Session = answer(response, StatusCode::CREATED)?;
        let nonce = Nonce::new(&session.nonce.0).ok_or_else(|| failed("the nonce has a wrong length"))?;
        Ok(Challenge { url, nonce })
    }

    /// Hands in evidence, and gets what was made of it.
    pub(crate) fn attest(&self, challenge: &Challenge, evidence: &[u8]) -> Result<Session, Failure> {
        let request = self.agent.post(&challenge.url);
        let request =
            request.header(header::CONTENT_TYPE, EVIDENCE).header(header::ACCEPT, CHALLENGE_SESSION);
        answer(request.send(evidence)?, StatusCode::OK)
    }

    /// Asks whether there is anything to install, and whether the list of authorities with this digest has changed.
    pub(crate) fn poll(
        &self,
        ueid: &str,
        token: &str,
        authorities: &Digest,
        nonce: &[u8],
    ) -> Result<Polled, Failure> {
        let (authorities, nonce) = (hex(authorities.as_bytes()), Base64Url::encode(nonce));
        let url = format!("{}{CONTROLLER}{ueid}?authorities={authorities}&nonce={nonce}", self.base);
        let poll: Poll = self.get(&url, token)?;
        let sleep = milliseconds(&poll.config.polling.sleep);
        let answer = poll.update_answer.map(|answer| answer.0);
        let update = poll.links.authority_update;
        let authority_update = update.map(|link| self.resolve(CONTROLLER, &link.href)).transpose()?;
        let Some(link) = poll.links.deployment_base else {
            return Ok(Polled { deployment: None, authority_update, sleep, answer });
        };
        let action: DeploymentAction = self.get(&self.resolve(CONTROLLER, &link.href)?, token)?;
        let mut artifacts = action.deployment.chunks.iter().flat_map(|chunk| &chunk.artifacts);
        let artifact = artifacts.find(|artifact| artifact.filename == FILE);
        let artifact = artifact.ok_or_else(|| failed("the deployment has no release"))?;
        let url = self.resolve(CONTROLLER, &artifact.links.download.href)?;
        let envelope = parse_hex(&artifact.hashes.sha256);
        let envelope = envelope.and_then(|digest| Digest::new(HashAlgorithm::Sha256, &digest));
        let offer = Offer {
            manifest: manifest_of(&url).ok_or_else(|| failed("the download does not name a release"))?,
            envelope: envelope.ok_or_else(|| failed("the release has no SHA-256"))?,
            size: artifact.size,
        };
        let deployment = Some(Deployment { action: action.id, offer, url });
        Ok(Polled { deployment, authority_update, sleep, answer })
    }

    /// Fetches a change of the list of authorities.
    pub(crate) fn authority_update(&self, url: &str, token: &str) -> Result<Vec<u8>, Failure> {
        let request = self.agent.get(url).header(header::AUTHORIZATION, bearer(token));
        let mut response = request.call()?;
        check(response.status(), response.status() == StatusCode::OK)?;
        Ok(response.body_mut().with_config().limit(MAX_AUTHORITY_UPDATE_LEN as u64).read_to_vec()?)
    }

    /// The way to an envelope and its payloads. At `pause_at` something else is due.
    pub(crate) fn download<'s>(
        &'s self,
        deployment: &'s Deployment,
        token: &'s str,
        pause_at: Option<Instant>,
    ) -> Download<'s> {
        let place = (deployment.url.as_str(), deployment.offer.size);
        Download::new((&self.agent, &self.base), place, token, &self.origins, pause_at)
    }

    /// Delivers a signed SUIT report. True when the server took it; false when it never will.
    pub(crate) fn deliver(
        &self,
        ueid: &str,
        token: &str,
        report: &[u8],
        action: Option<&str>,
    ) -> Result<bool, Failure> {
        let mut request = self.agent.post(format!("{}{CONTROLLER}{ueid}/suitReport", self.base));
        if let Some(action) = action {
            request = request.query("action", action);
        }
        let request = request.header(header::AUTHORIZATION, bearer(token));
        let response = request.header(header::CONTENT_TYPE, SUIT_REPORT).send(report)?;
        let status = response.status();
        match status {
            StatusCode::UNAUTHORIZED => Err(Failure::Unauthorized),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                check(status, false).map(|()| false)
            }
            _ if status.is_client_error() => Ok(false),
            _ => check(status, status.is_success()).map(|()| true),
        }
    }

    /// Tells how an action ended.
    pub(crate) fn report(
        &self,
        ueid: &str,
        token: &str,
        action: &str,
        failure: Option<&str>,
    ) -> Result<(), Failure> {
        let (execution, finished) = match failure {
            None => (Execution::Closed, Finished::Success),
            Some(_) => (Execution::Rejected, Finished::Failure),
        };
        let status = FeedbackStatus {
            execution,
            result: FeedbackResult { finished },
            details: failure.into_iter().map(str::to_owned).collect(),
        };
        let feedback = Feedback { id: action.to_owned(), status };
        let body = serde_json::to_vec(&feedback).map_err(|error| failed(&error.to_string()))?;
        let url = format!("{}{CONTROLLER}{ueid}/deploymentBase/{action}/feedback", self.base);
        let request = self.agent.post(&url).header(header::AUTHORIZATION, bearer(token));
        let response = request.header(header::CONTENT_TYPE, "application/json").send(&body[..])?;
        check(response.status(), response.status().is_success())
    }

    fn get<T: DeserializeOwned>(&self, url: &str, token: &str) -> Result<T, Failure> {
        let request = self.agent.get(url).header(header::AUTHORIZATION, bearer(token));
        answer(request.header(header::ACCEPT, "application/json").call()?, StatusCode::OK)
    }

    /// An address the server gave, if it is one of its own: credentials go nowhere else.
    fn resolve(&self, folder: &str, link: &str) -> Result<String, Failure> {
        if link.starts_with('/') && !link.starts_with("//") {
            return Ok(format!("{}{link}", self.base));
        }
        if link.strip_prefix(&self.base).is_some_and(|rest| rest.starts_with('/')) {
            return Ok(link.to_owned());
        }
        if link.contains("//") || link.contains(':') {
            return Err(failed(&format!("the server points to another: {link}")));
        }
        Ok(format!("{}{folder}{link}", self.base))
    }
}

/// The certificates in a file in PEM, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let pem = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Error::Setup { path: path.to_owned(), what: "no certificate in it".into() });
    }
    Ok(certificates)
}

impl From<ureq::Error> for Failure {
    fn from(error: ureq::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The limits that every exchange has.
pub(crate) fn limited(
    config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>,
) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    config
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("sextant-agent/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(STALL))
        .timeout_per_write(Some(STALL))
        .timeout_global(Some(EXCHANGE))
}

/// The body of an answer with this status, in JSON.
pub(crate) fn answer<T: DeserializeOwned>(
    mut response: Response<Body>,
    expected: StatusCode,
) -> Result<T, Failure> {
    check(response.status(), response.status() == expected)?;
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec()?;
    serde_json::from_slice(&body).map_err(|error| failed(&error.to_string()))
}

pub(crate) fn failed(what: &str) -> Failure {
    Failure::Failed(what.to_owned())
}

fn check(status: StatusCode, good: bool) -> Result<(), Failure> {
    match status {
        _ if good => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::Unauthorized),
        status => Err(Failure::Failed(format!("the answer is {status}"))),
    }
}

/// The release that a download is of: the digest in its path.
fn manifest_of(url: &str) -> Option<Digest> {
    let digits = url.split_once("/softwaremodules/")?.1.split('/').next()?;
    let digest = parse_hex(digits)?;
    HASHES.into_iter().find_map(|algorithm| Digest::new(algorithm, &digest))
}

/// A manifest digest names no algorithm in a path; its length does.
const HASHES: [HashAlgorithm; 3] = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Milliseconds of `HH:MM:SS`.
fn milliseconds(sleep: &str) -> Option<u64> {
    let mut parts = sleep.split(':').map(|part| part.parse::<u64>().ok().filter(|part| *part < 100));
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(((hours * 60 + minutes) * 60 + seconds) * 1000)
}

/// The nonce of an admission as the gateway gives it.
#[derive(serde::Deserialize)]
pub(crate) struct AdmissionNonce {
    pub(crate) nonce: Base64Url,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        let agent = Agent::config_builder().build().new_agent();
        Server { agent, base: "https://server:8443".into(), origins: Vec::new() }
    }

    #[test]
    fn follows_its_own_addresses_only() {
        let server = server();
        for (link, expected) in [
            ("/challenge-response/v1/session/7", Some("https://server:8443/challenge-response/v1/session/7")),
            ("session/7", Some("https://server:8443/challenge-response/v1/session/7")),
            ("https://server:8443/x", Some("https://server:8443/x")),
            ("https://server:8443.evil.example/x", None),
            ("https://other:8443/x", None),
            ("http://server:8443/x", None),
            ("//other/x", None),
            ("file:x", None),
        ] {
            assert_eq!(server.resolve(SESSIONS, link).ok().as_deref(), expected, "{link}");
        }
    }

    #[test]
    fn reads_periods_and_the_release_of_a_download() {
        assert_eq!(milliseconds("00:00:30"), Some(30_000));
        assert_eq!(milliseconds("01:02:03"), Some(3_723_000));
        for wrong in ["", "30", "00:30", "00:00:00:30", "aa:00:00", "100:00:00"] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
        let digest = Digest::of(HashAlgorithm::Sha256, b"manifest");
        let digits = crate::setup::hex(digest.as_bytes());
        let url =
            format!("https://s/default/controller/v1/01/softwaremodules/{digits}/artifacts/release.suit");
        assert_eq!(manifest_of(&url), Some(digest));
        assert_eq!(manifest_of("https://s/softwaremodules/12/artifacts/release.suit"), None);
        assert_eq!(manifest_of("https://s/release.suit"), None);
    }
}
