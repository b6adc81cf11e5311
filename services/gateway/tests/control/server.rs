//! A server that says what a test tells it to, over HTTPS, in a namespace.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use api::{GatewayReport, GatewayState};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sim::netns::Namespace;

pub(crate) const TOKEN: &str = "the-token";

/// The server. It ends when dropped.
pub(crate) struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    space: Namespace,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    bell: Condvar,
    stop: AtomicBool,
}

#[derive(Default)]
struct Inner {
    state: Option<GatewayState>,
    reports: Vec<GatewayReport>,
}

/// What a server needs to be believed, made once: its certificate is the issuer that the gateway pins.
pub(crate) struct Identity {
    config: Arc<ServerConfig>,
}

impl Identity {
    pub(crate) fn new(address: &str, ca: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![address.to_owned()]).unwrap();
        std::fs::write(ca, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config =
            config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        Self { config: Arc::new(config) }
    }
}

impl Server {
    pub(crate) fn start(space: &Namespace, address: SocketAddr, identity: &Identity) -> Self {
        let listener = space.enter(|| TcpListener::bind(address)).unwrap();
        let shared = Arc::new(Shared::default());
        let (state, config) = (Arc::clone(&shared), Arc::clone(&identity.config));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if state.stop.load(Ordering::Relaxed) {
                    return;
                }
                let (state, config) = (Arc::clone(&state), Arc::clone(&config));
                std::thread::spawn(move || {
                    // A gateway that went away is a test's own doing.
                    let _ended = serve(stream, config, &state);
                });
            }
        });
        Self { shared, address, space: space.clone() }
    }

    /// Changes what the server says.
    pub(crate) fn say(&self, mut state: GatewayState) {
        let mut inner = self.shared.inner.lock().unwrap();
        state.revision = inner.state.as_ref().map_or(0, |state| state.revision) + 1;
        inner.state = Some(state);
        self.shared.bell.notify_all();
    }

    /// Waits for a report that has what it takes.
    pub(crate) fn hears<T>(&self, what: &str, pick: impl Fn(&GatewayReport) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(30);
        let mut inner = self.shared.inner.lock().unwrap();
        let mut looked_at = 0;
        loop {
            if let Some(found) = inner.reports.iter().skip(looked_at).find_map(&pick) {
                inner.reports.clear();
                return found;
            }
            looked_at = inner.reports.len();
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never heard of {what}: {:#?}", inner.reports);
            inner = self.shared.bell.wait_timeout(inner, left).unwrap().0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.bell.notify_all();
        // Wakes the listener, so that the port is free afterwards.
        self.space.tcp(self.address, Duration::from_secs(1));
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split(' ');
        let (method, path) =
            (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let (mut length, mut authorized) = (0, false);
        loop {
            let mut header = String::new();
            stream.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "authorization" => authorized = value.trim() == format!("Bearer {TOKEN}"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        assert!(authorized, "{method} {path} without credentials");
        let answer = match (method.as_str(), path.split_once("since=")) {
            ("GET", Some((_, rest))) => {
                let since: u64 = rest.split('&').next().unwrap().parse().unwrap();
                wait_for_news(shared, since)
            }
            ("POST", None) if path == "/api/v1/gateway/report" => {
                shared.inner.lock().unwrap().reports.push(serde_json::from_slice(&body).unwrap());
                shared.bell.notify_all();
                Vec::new()
            }
            _ => panic!("{method} {path}"),
        };
        if shared.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        stream.get_mut().write_all(&[head.as_bytes(), &answer].concat())?;
        stream.get_mut().flush()?;
    }
}

fn wait_for_news(shared: &Shared, since: u64) -> Vec<u8> {
    let inner = shared.inner.lock().unwrap();
    let old = |inner: &mut Inner| {
        !shared.stop.load(Ordering::Relaxed)
            && inner.state.as_ref().is_none_or(|state| state.revision <= since)
    };
    let (inner, _timeout) = shared.bell.wait_timeout_while(inner, Duration::from_secs(20), old).unwrap();
    inner.state.as_ref().map(|state| serde_json::to_vec(state).unwrap()).unwrap_or_default()
}
