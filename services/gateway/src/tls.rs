//! Whom the gateway believes over TLS, as a client of its server and of the web servers of makers.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::control::StartError;

/// Settings that believe what chains to the certificates of a PEM file, and nothing else.
///
/// # Errors
/// When there are none to believe.
pub(crate) fn believing(issuers: &Path) -> Result<TlsConfig, StartError> {
    let pem = fs::read(issuers)
        .map_err(StartError::io(format!("reading the issuers of servers in {}", issuers.display())))?;
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(StartError::Setting(format!("no certificate in {}", issuers.display())));
    }
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(RootCerts::new_with_certs(&certificates))
        .build())
}
