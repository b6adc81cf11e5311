//! The server's own certificate: made on the first run, and pinned by whoever talks to it.

use std::{
    fs,
    io::ErrorKind,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{Config, Error, keys};

/// Certificate and key as files.
pub(crate) struct Files {
    /// The certificate in PEM.
    pub(crate) certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// The files in the data folder, made on the first run.
    pub(crate) fn load(config: &Config) -> Result<Self, Error> {
        let folder = config.data.join("tls");
        keys::private_folder(&folder)?;
        let files = Self { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        match fs::metadata(&files.certificate) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => files.make(config)?,
            Err(source) => return Err(Error::Folder { path: files.certificate, source }),
        }
        Ok(files)
    }

    /// TLS 1.2 and 1.3 without client certificates; devices and people prove themselves inside.
    pub(crate) fn server_config(&self) -> Result<Arc<ServerConfig>, Error> {
        let broken = |error: &dyn std::fmt::Display| Error::Certificate(error.to_string());
        let chain = CertificateDer::pem_slice_iter(&read(&self.certificate)?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| broken(&error))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| broken(&error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| broken(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The last certificate of the chain, in DER: what devices are told to find behind the server's.
    pub(crate) fn certificates(&self) -> Result<Vec<Vec<u8>>, Error> {
        let chain = CertificateDer::pem_slice_iter(&read(&self.certificate)?).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| Error::Certificate(error.to_string()))?;
        Ok(chain.last().map(|last| last.to_vec()).into_iter().collect())
    }

    fn make(&self, config: &Config) -> Result<(), Error> {
        let broken = |error: rcgen::Error| Error::Certificate(error.to_string());
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        let listen = config.listen.ip();
        if !listen.is_unspecified() {
            names.push(listen.to_string());
        }
        names.extend(config.names.iter().cloned());
        names.sort();
        names.dedup();
        let mut params = CertificateParams::new(names).map_err(broken)?;
        let common = config.names.iter().find(|name| name.parse::<IpAddr>().is_err());
        params.distinguished_name.push(DnType::CommonName, common.map_or("sextant", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(broken)?;
        let certificate = params.self_signed(&key).map_err(broken)?;
        keys::write_private(&self.key, key.serialize_pem().as_bytes())?;
        // Written last: where the certificate is, the key is.
        keys::write_private(&self.certificate, certificate.pem().as_bytes())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Folder { path: path.to_owned(), source })
}
