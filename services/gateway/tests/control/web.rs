//! A web server that has MUD files, over HTTPS, wherever a test puts it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a path answers: status, headers, body.
#[derive(Clone, Default)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Page {
    pub(crate) fn ok(body: &[u8]) -> Self {
        Self { status: 200, headers: vec![], body: body.to_vec() }
    }

    pub(crate) fn to(status: u16, location: &str) -> Self {
        Self { status, headers: vec![("Location".into(), location.into())], body: vec![] }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

type Pages = Arc<Mutex<BTreeMap<String, Page>>>;
type Requests = Arc<Mutex<Vec<String>>>;

/// The server. It answers until the test ends.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    pages: Pages,
    requests: Requests,
    dead: Arc<AtomicBool>,
}

impl Web {
    /// Serves at an address, with a certificate for these names that `ca` vouches for.
    pub(crate) fn start(listener: TcpListener, names: &[&str], ca: &Path) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(ca, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config =
            config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let address = listener.local_addr().unwrap();
        let (pages, requests) = (Pages::default(), Requests::default());
        let (has, heard) = (Arc::clone(&pages), Arc::clone(&requests));
        let (config, dead) = (Arc::new(config), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&dead);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    continue;
                }
                let (has, heard, config) = (Arc::clone(&has), Arc::clone(&heard), Arc::clone(&config));
                // Whoever breaks off has seen enough.
                std::thread::spawn(move || drop(serve(stream, config, &has, &heard)));
            }
        });
        Self { address, pages, requests, dead }
    }

    pub(crate) fn put(&self, path: &str, page: Page) {
        self.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    /// Serves a file and its signature.
    pub(crate) fn publish(&self, path: &str, file: &str, signature: &[u8]) {
        self.put(path, Page::ok(file.as_bytes()));
        self.put(&format!("{path}.p7s"), Page::ok(signature));
    }

    /// From now on nobody gets an answer.
    pub(crate) fn die(&self) {
        self.pages.lock().unwrap().clear();
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Head of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    pages: &Pages,
    requests: &Requests,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let known = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("if-none-match").then(|| value.to_owned())
        });
        requests.lock().unwrap().push(head);
        let page = pages.lock().unwrap().get(&path).cloned();
        let page = page.unwrap_or(Page { status: 404, ..Page::default() });
        let tag = page.headers.iter().find(|(name, _)| name == "ETag").map(|(_, tag)| tag.clone());
        let same = known.is_some() && known == tag;
        let (status, body) = if same { (304, &[][..]) } else { (page.status, page.body.as_slice()) };
        let mut answer = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in &page.headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        let out = stream.get_mut();
        out.write_all(answer.as_bytes())?;
        out.write_all(body)?;
        out.flush()?;
    }
}
