//! TLS to servers whose certificates are pinned, anchored or any.
//!
//! The HTTP client's own TLS takes anchors and no other check, so that connections are made here, over an interface of it that
//! a new minor version may change.

use std::{fmt, io, sync::Arc};

use crypto::Digest;
use fdo::{Host, Pins, Target};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError,
    RootCertStore, SignatureScheme, StreamOwned,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, IpAddr, ServerName, UnixTime},
};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::HttpFault;

/// Which certificates servers may have, beside what rendezvous information pins.
#[derive(Clone, Debug, Default)]
pub enum TlsPolicy {
    /// Any: who the server is, is proven within the protocol or does not matter (a rendezvous server can mislead nobody, since
    /// the owner's signature is verified in TO2). Servers without TLS are talked to as well.
    #[default]
    AnyCertificate,
    /// Those for the server's name that descend from one of these, in DER. Servers without TLS are not talked to.
    Anchors(Vec<Vec<u8>>),
}

/// Makes connections to one server.
pub(crate) struct TlsConnector {
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl TlsConnector {
    pub(crate) fn new(policy: &TlsPolicy, target: &Target, pins: &Pins) -> Result<Self, HttpFault> {
        if !target.tls {
            // A pin that is not looked at would be worse than none.
            let unproven = matches!(policy, TlsPolicy::AnyCertificate) && pins.is_empty();
            return if unproven { Ok(Self { tls: None }) } else { Err(HttpFault::NoTls) };
        }
        let name = match &target.host {
            Host::Ip(address) => ServerName::IpAddress(IpAddr::from(*address)),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| HttpFault::Tls(CertificateError::NotValidForName.into()))?,
        };
        let verifier = Verifier::new(policy, pins).map_err(HttpFault::Tls)?;
        let config = ClientConfig::builder_with_provider(verifier.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(HttpFault::Tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self { tls: Some((Arc::new(config), name)) })
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else { return Ok(None) };
        let Some((config, name)) = &self.tls else { return Ok(Some(Either::A(transport))) };
        let mut connection = ClientConnection::new(config.clone(), name.clone())?;
        let mut socket = TransportAdapter::new(transport, details.current_time.clone());
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { buffers, stream: StreamOwned::new(connection, socket) })))
    }
}

/// A connection within TLS.
pub(crate) struct TlsTransport<In: Transport> {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter<In>>,
}

impl<In: Transport> Transport for TlsTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(io::Write::write_all(&mut self.stream, output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = io::Read::read(&mut self.stream, self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls.is_some() { "TlsConnector" } else { "TlsConnector(none)" })
    }
}

impl<In: Transport> fmt::Debug for TlsTransport<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

/// Looks at certificates of servers. Whatever it makes of them, the server must have the key in its own.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    anchored: Option<Arc<WebPkiServerVerifier>>,
    anchors: Vec<CertificateDer<'static>>,
    pins: Pins,
}

impl Verifier {
    fn new(policy: &TlsPolicy, pins: &Pins) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let anchors: Vec<_> = match policy {
            TlsPolicy::AnyCertificate => Vec::new(),
            TlsPolicy::Anchors(anchors) => anchors.iter().cloned().map(CertificateDer::from).collect(),
        };
        let anchored = match policy {
            TlsPolicy::AnyCertificate => None,
            TlsPolicy::Anchors(_) => Some(path_verifier(&anchors, &provider)?),
        };
        Ok(Self { provider, anchored, anchors, pins: pins.clone() })
    }

    /// The authority that is pinned, which the server sends along or the caller knows.
    fn pinned_authority(&self, pin: &Digest, sent: &[CertificateDer<'_>]) -> Option<CertificateDer<'static>> {
        let mut known = sent.iter().chain(&self.anchors);
        known.find(|certificate| pin.matches(certificate)).map(|found| found.clone().into_owned())
    }
}

fn path_verifier(
    anchors: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    anchors.iter().try_for_each(|anchor| roots.add(anchor.clone()))?;
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    builder.build().map_err(|error| TlsError::General(error.to_string()))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if let Some(anchored) = &self.anchored {
            anchored.verify_server_cert(leaf, sent, name, ocsp, now)?;
        }
        let not_pinned = || TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure);
        if self.pins.server.is_some_and(|pin| !pin.matches(leaf)) {
            return Err(not_pinned());
        }
        if let Some(pin) = &self.pins.authority {
            let authority = self.pinned_authority(pin, sent).ok_or_else(not_pinned)?;
            let below = path_verifier(&[authority], &self.provider)?;
            below.verify_server_cert(leaf, sent, name, ocsp, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
