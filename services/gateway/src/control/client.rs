//! The way to the server: HTTPS with a pinned issuer and a bearer token, each call with its deadline.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use api::{GatewayReport, GatewayState};
use ureq::Agent;

use super::{Config, StartError};
use crate::tls;

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    server: String,
    token_file: PathBuf,
}

/// Why a call to the server came to nothing.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The token could not be read.
    #[error("the token file")]
    Token(#[source] io::Error),
    /// The server could not be reached, or did not answer as it should.
    #[error("the server did not answer")]
    Call(#[source] Box<ureq::Error>),
    /// The server refused.
    #[error("the server answered with status {0}")]
    Status(u16),
}

impl ClientError {
    /// Whether the same call would come to nothing again.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Status(400 | 413 | 415 | 422))
    }
}

impl Client {
    /// How long the server may wait for news.
    pub const WAIT: Duration = Duration::from_secs(25);

    /// A client that believes servers whose certificate chains to the configured issuers, and no others.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        if !config.server.starts_with("https://") {
            return Err(StartError::Setting(format!(
                "expected an https URL of the server, found {:?}",
                config.server
            )));
        }
        let agent = Agent::config_builder()
            .tls_config(tls::believing(&config.ca)?)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(CALL))
            .build()
            .new_agent();
        let server = config.server.trim_end_matches('/').to_owned();
        Ok(Self { agent, server, token_file: config.token_file.clone() })
    }

    /// What the server has: at once when it is newer than `since`, else as soon as it is, or after `wait`.
    pub fn state(&self, since: u64, wait: Duration) -> Result<GatewayState, ClientError> {
        let url = format!("{}/api/v1/gateway/state?since={since}&wait={}", self.server, wait.as_secs());
        let request = self.agent.get(url).header("authorization", self.authorization()?);
        let mut answer = request.call().map_err(call)?;
        if !answer.status().is_success() {
            return Err(ClientError::Status(answer.status().as_u16()));
        }
        let text = answer.body_mut().with_config().limit(MAX_STATE).read_to_vec().map_err(call)?;
        serde_json::from_slice(&text).map_err(|error| call(ureq::Error::Io(error.into())))
    }

    /// Tells the server what happened.
    pub fn report(&self, report: &GatewayReport) -> Result<(), ClientError> {
        let body = serde_json::to_vec(report).map_err(|error| call(ureq::Error::Io(error.into())))?;
        let url = format!("{}/api/v1/gateway/report", self.server);
        let request = self.agent.post(url).header("authorization", self.authorization()?);
        let answer = request.content_type("application/json").send(body.as_slice()).map_err(call)?;
        if answer.status().is_success() { Ok(()) } else { Err(ClientError::Status(answer.status().as_u16())) }
    }

    /// Read anew for each call, so that a token can be changed without a restart.
    fn authorization(&self) -> Result<String, ClientError> {
        let token = fs::read_to_string(&self.token_file).map_err(ClientError::Token)?;
        Ok(format!("Bearer {}", token.trim()))
    }
}

fn call(error: ureq::Error) -> ClientError {
    ClientError::Call(Box::new(error))
}

/// How long a whole call may take.
const CALL: Duration = Duration::from_secs(40);
/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);
/// Largest state that is read, in bytes.
const MAX_STATE: u64 = 256 << 20;
