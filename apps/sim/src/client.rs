//! A way to talk to the server: as any program would, over HTTPS with its certificate pinned.

use std::{sync::Arc, time::Duration};

use api::Problem;
use rustls::crypto::aws_lc_rs;
use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Agent,
    http::{Request, Response},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::Error;

/// A client with one credential.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The largest answer.
const MAX_ANSWER: u64 = 64 << 20;

/// Where a server is, and whom its certificate must descend from.
#[derive(Clone, Debug)]
pub struct ServerPlace {
    url: String,
    roots: Arc<Vec<Certificate<'static>>>,
}

impl ServerPlace {
    /// A server at an https URL without a path, with certificates in PEM.
    pub fn new(url: &str, certificates: &[u8]) -> Result<Self, Error> {
        let url = url.trim_end_matches('/').to_owned();
        if !url.starts_with("https://") {
            return Err(Error::object("the server's URL")(format!("{url} is not an https URL")));
        }
        let failed = |what: &str| Error::object("the server's certificate")(what);
        let roots = parse_pem(certificates).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        match roots.collect::<Result<Vec<_>, _>>() {
            Ok(roots) if !roots.is_empty() => Ok(Self { url, roots: Arc::new(roots) }),
            Ok(_) => Err(failed("there is none in PEM")),
            Err(error) => Err(failed(&error.to_string())),
        }
    }

    /// The URL, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whom its certificate must descend from, in DER.
    pub(crate) fn roots(&self) -> Vec<Vec<u8>> {
        self.roots.iter().map(|certificate| certificate.der().to_vec()).collect()
    }

    /// TLS with this server and no other.
    pub(crate) fn tls(&self) -> TlsConfig {
        TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::clone(&self.roots)))
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .build()
    }
}

impl Client {
    /// A client of this server.
    pub(crate) fn new(place: &ServerPlace, token: Option<&str>) -> Self {
        let config = Agent::config_builder()
            .tls_config(place.tls())
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        Self { agent: config.into(), base: place.url.clone(), token: token.map(str::to_owned) }
    }

    /// The same without a credential.
    pub(crate) fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// Where the pages are.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.read(&format!("GET {path}"), self.send("GET", path, None))
    }

    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<T, Error> {
        self.read(&format!("POST {path}"), self.send("POST", path, Some((media_type, body))))
    }

    pub(crate) fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(Error::object("a request cannot be written"))?;
        self.post(path, JSON, &body)
    }

    /// Opens a session: where it is, and what it asks for.
    pub(crate) fn new_session(&self) -> Result<(String, api::Session), Error> {
        let path = "/challenge-response/v1/newSession";
        let request = format!("POST {path}");
        let answer = self.send("POST", path, Some((JSON, b""))).map_err(http(&request))?;
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let location = location.map(str::to_owned).unwrap_or_default();
        Ok((location, self.read(&request, Ok(answer))?))
    }

    /// Sends something whose answer does not matter beyond that it is good.
    pub(crate) fn send_bytes(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<(), Error> {
        let request = format!("{method} {path}");
        self.bytes(&request, self.send(method, path, Some((media_type, body)))).map(drop)
    }

    pub(crate) fn send_json(&self, method: &str, path: &str, body: &impl Serialize) -> Result<(), Error> {
        let body = serde_json::to_vec(body).map_err(Error::object("a request cannot be written"))?;
        self.send_bytes(method, path, JSON, &body)
    }

    /// The same, for what is answered.
    pub(crate) fn bytes_for(
        &self,
        method: &str,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let request = format!("{method} {path}");
        self.bytes(&request, self.send(method, path, Some((media_type, body))))
    }

    /// The bytes of an answer, whatever it says.
    pub(crate) fn raw(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.bytes(&format!("GET {path}"), self.send("GET", path, None))
    }

    /// The status of an answer, for those who want to be refused.
    pub(crate) fn status(&self, path: &str) -> Result<u16, Error> {
        let answer = self.send("GET", path, None);
        answer.map(|answer| answer.status().as_u16()).map_err(http(&format!("GET {path}")))
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<Response<ureq::Body>, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        match body {
            Some((media_type, body)) => {
                self.agent.run(request.header("content-type", media_type).body(body)?)
            }
            None => self.agent.run(request.body(())?),
        }
    }

    fn read<T: DeserializeOwned>(
        &self,
        request: &str,
        answer: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, Error> {
        let bytes = self.bytes(request, answer)?;
        serde_json::from_slice(&bytes)
            .map_err(|source| Error::Http { request: request.to_owned(), source: source.into() })
    }

    fn bytes(
        &self,
        request: &str,
        answer: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<Vec<u8>, Error> {
        let mut answer = answer.map_err(http(request))?;
        let status = answer.status().as_u16();
        let bytes = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec().map_err(http(request))?;
        if (200..300).contains(&status) {
            return Ok(bytes);
        }
        let problem = serde_json::from_slice(&bytes).unwrap_or_else(|_| Problem {
            kind: String::new(),
            title: String::new(),
            status,
            detail: String::from_utf8_lossy(&bytes).into_owned(),
            code: String::new(),
            reason: None,
            help: String::new(),
            instance: String::new(),
        });
        Err(Error::Refused { request: request.to_owned(), problem: Box::new(problem) })
    }
}

const JSON: &str = "application/json";

fn http(request: &str) -> impl FnOnce(ureq::Error) -> Error {
    let request = request.to_owned();
    move |source| Error::Http { request, source: source.into() }
}
