//! A client that costs little: HTTP/1.1 over one kept TLS connection, without a framework whose own work would be measured.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};

/// Where a server is, and its certificate.
pub(crate) struct Pinned {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

/// One connection.
pub(crate) struct Client {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    token: Option<String>,
    location: Option<String>,
}

impl Pinned {
    pub(crate) fn new(address: SocketAddr, pem: &[u8]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.context("the server's certificate")?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { address, config: Arc::new(config) })
    }

    pub(crate) fn connect(&self, token: Option<&str>) -> Result<Client> {
        let tcp = TcpStream::connect(self.address).context("connecting")?;
        tcp.set_nodelay(true)?;
        let tls = ClientConnection::new(self.config.clone(), ServerName::try_from("localhost")?)?;
        let stream = BufReader::new(StreamOwned::new(tls, tcp));
        Ok(Client { stream, token: token.map(str::to_owned), location: None })
    }
}

impl Client {
    pub(crate) fn post_json(&mut self, path: &str, body: &str, status: u16) -> Result<Vec<u8>> {
        self.send("POST", path, "application/json", body.as_bytes(), status)
    }

    /// The place of what the last answer made.
    pub(crate) fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// Sends a request and reads the answer, which must have this status.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        media: &str,
        body: &[u8],
        status: u16,
    ) -> Result<Vec<u8>> {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
        if !media.is_empty() {
            request.push_str(&format!("content-type: {media}\r\n"));
        }
        if let Some(token) = &self.token {
            request.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        request.push_str("\r\n");
        let mut message = request.into_bytes();
        message.extend_from_slice(body);
        let stream = self.stream.get_mut();
        stream.write_all(&message)?;
        stream.flush()?;
        let (found, answer) = self.answer().with_context(|| format!("{method} {path}"))?;
        ensure!(found == status, "{method} {path}: {found}: {}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status line")?;
        let mut length = 0;
        self.location = None;
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the answer breaks off");
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().context("no length")?,
                "location" => self.location = Some(value.to_owned()),
                "transfer-encoding" => bail!("the answer comes in chunks"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}
