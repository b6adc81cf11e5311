//! The door: a device that proves, from an address of the LAN, that it has the key of an attested device gets that
//! device's rules there. Plain HTTP, because everything that matters in it is signed.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api::{Base64Url, COSE};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use trust::{Code, Reason};

use super::controller::{now_ms, reason};
use super::{Anchors, Attested, Nonces, presented};
use crate::{Interface, Mac};

/// Largest request body, in bytes: a result is not longer.
pub const MAX_ADMISSION: usize = 64 << 10;

/// Who lets devices in.
pub trait Door: Send + Sync {
    /// Binds a device, whose message and nonce are verified, to where it is.
    fn admit(&self, shown: Attested, mac: Mac, address: IpAddr, now: i64) -> Result<(), Reason>;

    /// What the site believes.
    fn anchors(&self) -> Anchors;
}

/// The admission service.
pub struct Admission {
    door: Arc<dyn Door>,
    anchors: Anchors,
    nonces: Nonces,
    neighbour: Box<dyn Fn(IpAddr) -> Option<Mac> + Send + Sync>,
}

/// Answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A nonce to sign.
    Nonce([u8; Nonces::LENGTH]),
    /// The device has its rules.
    Admitted,
    /// It does not, and why.
    Refused(Reason),
}

impl Admission {
    /// A service with a secret for its nonces, that asks `neighbour` for the MAC address behind an address.
    pub fn new(
        door: Arc<dyn Door>,
        secret: [u8; 32],
        neighbour: impl Fn(IpAddr) -> Option<Mac> + Send + Sync + 'static,
    ) -> Self {
        let anchors = door.anchors();
        Self { door, anchors, nonces: Nonces::new(secret), neighbour: Box::new(neighbour) }
    }

    /// The admission service of the LAN interface.
    pub(super) fn on(door: Arc<dyn Door>, lan: Interface) -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self::new(door, secret, move |address| super::link::neighbour(&lan, address)))
    }

    /// A nonce for whoever asks.
    pub fn ask(&self, source: IpAddr, now: i64, random: [u8; 8]) -> Answer {
        Answer::Nonce(self.nonces.issue(source, now, random))
    }

    /// Looks at a message from an address, and admits its sender or says why not.
    pub fn present(&self, source: IpAddr, message: &[u8], now: i64) -> Answer {
        match self.judge(source, message, now) {
            Ok(()) => Answer::Admitted,
            Err(reason) => {
                tracing::info!(%source, %reason, "admission refused");
                Answer::Refused(reason)
            }
        }
    }

    fn judge(&self, source: IpAddr, message: &[u8], now: i64) -> Result<(), Reason> {
        let shown = presented(message, &self.anchors.keys, now)?;
        if !self.nonces.redeem(&shown.nonce, source, now) {
            return Err(Code::ReplayedNonce.into());
        }
        let mac = (self.neighbour)(source).ok_or_else(|| {
            Reason::new(Code::ResultBinding).with("error", "the address is not on the link")
        })?;
        self.door.admit(shown.attested, mac, source, now)
    }

    /// Serves connections for ever.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                // The peer went away before it was accepted, or there are no descriptors for a moment.
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let this = Arc::clone(&self);
            tokio::spawn(async move {
                let _place = place;
                let source = peer.ip().to_canonical();
                let service = service_fn(move |request| {
                    let this = Arc::clone(&this);
                    async move { Ok::<_, Infallible>(this.respond(source, request).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADERS)
                    .max_buf_size(MAX_HEADERS)
                    .serve_connection(TokioIo::new(stream), service);
                // One that stalls or breaks off is closed.
                let _ended = timeout(CONNECTION, connection).await;
            });
        }
    }

    async fn respond(self: Arc<Self>, source: IpAddr, request: Request<Incoming>) -> Response<String> {
        if request.uri().path() != PATH {
            return plain(StatusCode::NOT_FOUND);
        }
        let now = now_ms() / 1000;
        let answer = match *request.method() {
            Method::GET => {
                let mut random = [0; 8];
                if getrandom::fill(&mut random).is_err() {
                    return plain(StatusCode::SERVICE_UNAVAILABLE);
                }
                self.ask(source, now, random)
            }
            Method::POST => {
                let sort = request
                    .headers()
                    .get(CONTENT_TYPE)
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default();
                if sort.split(';').next().map(str::trim) != Some(COSE) {
                    return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE);
                }
                let body = match read(request.into_body()).await {
                    Ok(body) => body,
                    Err(status) => return plain(status),
                };
                // It waits for the kernel, so not on this thread.
                let task = tokio::task::spawn_blocking(move || self.present(source, &body, now));
                match task.await {
                    Ok(answer) => answer,
                    Err(_) => return plain(StatusCode::INTERNAL_SERVER_ERROR),
                }
            }
            _ => {
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
                response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, POST"));
                return response;
            }
        };
        match answer {
            Answer::Nonce(nonce) => {
                json(StatusCode::OK, &serde_json::json!({ "nonce": Base64Url::encode(&nonce) }))
            }
            Answer::Admitted => plain(StatusCode::NO_CONTENT),
            Answer::Refused(why) => json(StatusCode::UNPROCESSABLE_ENTITY, &serde_json::json!(reason(&why))),
        }
    }
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, StatusCode> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let data = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data().unwrap_or_default();
        if bytes.len() + data.len() > MAX_ADMISSION {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn plain(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<String> {
    let mut response = Response::new(value.to_string());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}

const PATH: &str = "/.well-known/sextant/admission";
/// Connections served at a time.
const CONNECTIONS: usize = 64;
/// How long a whole connection may take.
const CONNECTION: Duration = Duration::from_secs(10);
/// How long the head of a request may take.
const HEADERS: Duration = Duration::from_secs(5);
/// Largest head of a request, in bytes; the least that the HTTP library allows.
const MAX_HEADERS: usize = 8192;
/// Between attempts to accept when there are no descriptors.
const PAUSE: Duration = Duration::from_millis(50);
