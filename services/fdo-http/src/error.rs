use std::{error::Error as StdError, io};

use fdo::{Failure, MessageType, SubProtocol, Target};

/// Why a protocol was not carried out: with whom, how far it came, and what was wrong.
#[derive(Debug, thiserror::Error)]
#[error("{} with {target} failed at {message}", .protocol.name())]
pub struct Error {
    /// The protocol.
    pub protocol: SubProtocol,
    /// The message that was sent, or would have been.
    pub message: MessageType,
    /// The server.
    pub target: Target,
    /// What was wrong.
    #[source]
    pub cause: Cause,
}

/// What was wrong.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The message did not get there, or no message came back.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// A message came back, and ended the protocol.
    #[error(transparent)]
    Protocol(#[from] Failure),
    /// The operating system gave no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Why HTTP brought no message.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum HttpFault {
    /// There is no connection to the server.
    #[error("the server cannot be reached")]
    Unreachable(#[source] ureq::Error),
    /// The connection ended before the answer did.
    #[error("the connection was lost")]
    Lost(#[source] ureq::Error),
    /// The server took longer than it may.
    #[error("the server took too long")]
    TimeLimit,
    /// The server's certificate, or what it says in TLS, is not accepted.
    #[error("TLS with the server failed")]
    Tls(#[source] rustls::Error),
    /// The server's certificate is not the one that the rendezvous information pins, nor of the authority.
    #[error("the server's certificate is not the one that is pinned")]
    Pin,
    /// Certificates are asked for, and the server is to be talked to without TLS.
    #[error("the server cannot prove who it is without TLS")]
    NoTls,
    /// The answer is longer than any message.
    #[error("the answer is too long")]
    TooLong,
    /// The answer has a status that is neither success nor an error of the protocol.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// The answer does not say which message it is.
    #[error("the answer does not say what it is")]
    NoMessageType,
    /// The answer is none that HTTP has.
    #[error("the answer is not HTTP")]
    Malformed(#[source] ureq::Error),
}

impl Error {
    /// Stable code of what was wrong.
    pub fn code(&self) -> &'static str {
        match &self.cause {
            Cause::Http(fault) => fault.code(),
            Cause::Protocol(failure) => failure.code(),
            Cause::Random(_) => "no-randomness",
        }
    }
}

impl HttpFault {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "server-unreachable",
            Self::Lost(_) => "connection-lost",
            Self::TimeLimit => "server-too-slow",
            Self::Tls(_) => "tls-failed",
            Self::Pin => "certificate-not-pinned",
            Self::NoTls => "tls-needed",
            Self::TooLong => "answer-too-long",
            Self::Status(_) => "http-status",
            Self::NoMessageType => "answer-without-type",
            Self::Malformed(_) => "answer-malformed",
        }
    }

    /// Whether something came that can be answered with an error.
    pub(crate) const fn is_answer(&self) -> bool {
        matches!(self, Self::TooLong | Self::NoMessageType)
    }
}

impl From<ureq::Error> for HttpFault {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::TimeLimit,
            ureq::Error::Rustls(error) => tls(error),
            ureq::Error::Io(ref io) if let Some(error) = rustls_error(io) => tls(error.clone()),
            ureq::Error::Io(ref io) if io.kind() == io::ErrorKind::TimedOut => Self::TimeLimit,
            ureq::Error::Io(ref io) if was_never_there(io.kind()) => Self::Unreachable(error),
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Self::Unreachable(error),
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => Self::TooLong,
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => Self::Malformed(error),
            error => Self::Lost(error),
        }
    }
}

fn tls(error: rustls::Error) -> HttpFault {
    match error {
        // Nobody but the check of pins says this.
        rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure) => {
            HttpFault::Pin
        }
        error => HttpFault::Tls(error),
    }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner: &(dyn StdError + 'static) = error.get_ref()?;
    inner.downcast_ref()
}

fn was_never_there(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, NotFound,
    };
    matches!(
        kind,
        AddrNotAvailable | ConnectionRefused | HostUnreachable | NetworkDown | NetworkUnreachable | NotFound
    )
}
