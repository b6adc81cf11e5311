//! The commands' side of the server's HTTP face: small, blocking, and TLS with the operator's own anchor only.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustls::crypto::aws_lc_rs;
use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Agent,
    http::{Method, Request, header},
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::{
    failure::{Answer, Failure},
    keys,
    node::{Map, Node},
    printer::{Printer, Verdict},
};

/// The longest answer that is read.
const MAX_ANSWER: u64 = 256 << 20;
/// How long one exchange may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Environment variable with the credential itself.
const TOKEN_VARIABLE: &str = "SEXTANT_TOKEN";
const JSON: &str = "application/json";

/// Which server, and with what credential.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArgs {
    /// URL of the server
    #[arg(long, env = "SEXTANT_SERVER", value_name = "URL")]
    server: Option<String>,
    /// Certificate of the server or its authority
    #[arg(long, env = "SEXTANT_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// File that holds the credential; else it is taken from the environment variable SEXTANT_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A server to talk to.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
}

/// What came of a request that reached the server.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    /// It was done.
    Done(T),
    /// The server understood and refuses.
    Refused(Box<api::Problem>),
}

impl ServerArgs {
    /// Whether a server was named.
    pub(crate) fn is_given(&self) -> bool {
        self.server.is_some()
    }

    /// Connects nowhere yet: a client for this server.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let help = "give --server URL, or set SEXTANT_SERVER; `sextant up` starts one";
        let base = self.server.as_deref().ok_or_else(|| Failure::new("no server is named").help(help))?;
        if !base.starts_with("https://") {
            return Err(
                Failure::new(format!("{base} is not an https URL")).help("the server speaks TLS only")
            );
        }
        let ca = self.ca.as_ref().ok_or_else(|| {
            Failure::new("no certificate of the server is given")
                .help("give --ca FILE, or set SEXTANT_CA; the server keeps it at DATA/tls/cert.pem")
        })?;
        let roots: Vec<_> = keys::read_certificates(ca)
            .map(|certificates| certificates.iter().map(|one| one.as_der().to_vec()).collect::<Vec<_>>())?
            .iter()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIME_LIMIT))
            .build();
        Ok(Client { agent: config.into(), base: base.trim_end_matches('/').to_owned(), token: self.token()? })
    }

    fn token(&self) -> Result<Option<String>, Failure> {
        match &self.token_file {
            Some(path) => match fs::read_to_string(path) {
                Ok(text) => Ok(Some(text.trim().to_owned())),
                Err(error) => Err(Failure::new(format!("cannot read {}", path.display())).because(&error)),
            },
            None => Ok(std::env::var(TOKEN_VARIABLE).ok().map(|text| text.trim().to_owned())),
        }
    }
}

/// Any media type.
const ANY: &str = "*/*";

impl Client {
    /// Fetches JSON.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Reply<T>, Failure> {
        self.exchange(Method::GET, path, ANY, None)?.map(|bytes| self.parse(&bytes))
    }

    /// Fetches bytes.
    pub(crate) fn download(&self, path: &str) -> Result<Reply<Vec<u8>>, Failure> {
        self.exchange(Method::GET, path, ANY, None)
    }

    /// Fetches bytes of one media type.
    pub(crate) fn download_as(&self, path: &str, media_type: &str) -> Result<Reply<Vec<u8>>, Failure> {
        self.exchange(Method::GET, path, media_type, None)
    }

    /// Sends JSON.
    pub(crate) fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Reply<T>, Failure> {
        let body =
            serde_json::to_vec(body).map_err(|error| Failure::new("cannot write JSON").because(&error))?;
        self.upload(method, path, JSON, &body)
    }

    /// Sends an object as it is.
    pub(crate) fn upload<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Reply<T>, Failure> {
        self.exchange(method, path, ANY, Some((media_type, body)))?.map(|bytes| self.parse(&bytes))
    }

    /// Sends an object as it is, and gets another one.
    pub(crate) fn upload_for(
        &self,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Result<Reply<Vec<u8>>, Failure> {
        self.exchange(Method::POST, path, ANY, Some((media_type, body)))
    }

    fn exchange(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<Reply<Vec<u8>>, Failure> {
        let url = format!("{}{path}", self.base);
        let unreachable = |error: &dyn std::error::Error| {
            Failure::new(format!("cannot reach {url}"))
                .because(error)
                .help("is the server running, and is --ca its certificate?")
        };
        let mut request = Request::builder().method(method).uri(&url).header(header::ACCEPT, accept);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some((media_type, _)) = body {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = request
            .body(body)
            .map_err(|error| Failure::new(format!("{url} is not a URL")).because(&error))?;
        let mut response = self.agent.run(request).map_err(|error| unreachable(&error))?;
        let mut bytes = Vec::new();
        let reader = response.body_mut().as_reader();
        reader.take(MAX_ANSWER).read_to_end(&mut bytes).map_err(|error| unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Reply::Done(bytes));
        }
        let problem: Option<api::Problem> = serde_json::from_slice(&bytes).ok();
        match (status.as_u16(), problem) {
            (401, _) => Err(Failure::new("the server does not know this credential")
                .help("give --token-file FILE, or set SEXTANT_TOKEN; the server wrote the first one to DATA/admin.token")),
            (403, _) => Err(Failure::new("this credential does not allow that")),
            // Understood and refused: that is an answer.
            (409 | 422, Some(problem)) => Ok(Reply::Refused(Box::new(problem))),
            (404, _) => Err(Failure::new(format!("the server has no such thing: {path}"))),
            (status, Some(problem)) => {
                let what = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
                Err(Failure::new(format!("the server answers {status}: {what} [{}]", problem.code)))
            }
            (status, None) => Err(Failure::new(format!("the server answers {status}"))),
        }
    }

    /// Reads JSON; an answer without content is null.
    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Failure> {
        let bytes = if bytes.is_empty() { b"null" } else { bytes };
        serde_json::from_slice(bytes).map_err(|error| {
            Failure::new(format!("{} answers something else than expected", self.base))
                .because(&error)
                .help("are server and command line of the same version?")
        })
    }
}

impl<T> Reply<T> {
    fn map<U>(self, parse: impl FnOnce(T) -> Result<U, Failure>) -> Result<Reply<U>, Failure> {
        match self {
            Self::Done(value) => parse(value).map(Reply::Done),
            Self::Refused(problem) => Ok(Reply::Refused(problem)),
        }
    }

    /// Shows what was done, or prints why the server refuses.
    pub(crate) fn answer(
        self,
        printer: &Printer,
        show: impl FnOnce(T) -> Result<Answer, Failure>,
    ) -> Result<Answer, Failure> {
        match self {
            Self::Done(value) => show(value),
            Self::Refused(problem) => {
                let message = if problem.detail.is_empty() { problem.title } else { problem.detail };
                let detail = problem.reason.map(|reason| {
                    reason.detail.iter().fold(Map::new(), |map, (name, value)| map.with(name, value.as_str()))
                });
                let help = Some(problem.help).filter(|help| !help.is_empty());
                let facts = Map::new().maybe("detail", detail.map(Node::from)).maybe("help", help);
                Ok(printer.answer(Verdict::no(problem.code, message).with(facts)))
            }
        }
    }
}

/// A value of the server's as a tree.
pub(crate) fn tree(value: &impl Serialize) -> Node {
    serde_json::to_value(value).map_or(Node::Null, |value| Node::from(&value))
}

/// One segment of a path: whatever could end it is escaped.
pub(crate) fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_would_leave_the_segment() {
        assert_eq!(segment("cam 1/../x?"), "cam%201%2F..%2Fx%3F");
    }
}
