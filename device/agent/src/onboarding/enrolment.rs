use std::{cell::RefCell, fs, io, path::Path};

use crypto::SigningKey;
use fdo::service_info::{
    ModuleFault,
    modules::{CertificateFormat, CsrError, CsrRequest, Enrolment},
};
use x509::{AttributeType, Certificate};
use zeroize::Zeroizing;

use super::{make::certification_request, stored::Operational};
use crate::{
    Error,
    place::{file, write_private},
};

/// Asks the owner for a certificate of a key that is made here (`fdo.csr`).
pub(super) struct OperationalEnrolment<'s> {
    /// Until there is a certificate of it.
    key: Option<SigningKey>,
    request: Vec<u8>,
    staged: &'s RefCell<Option<Operational>>,
}

impl<'s> OperationalEnrolment<'s> {
    /// For the device with this identifier.
    pub(super) fn new(
        key: SigningKey,
        ueid: &str,
        staged: &'s RefCell<Option<Operational>>,
    ) -> Result<Self, Error> {
        let request = certification_request(AttributeType::CommonName, ueid, key.public_key(), &key)?;
        Ok(Self { key: Some(key), request, staged })
    }
}

impl Enrolment for OperationalEnrolment<'_> {
    /// What the device's server must descend from comes with its address.
    fn authorities_format(&self) -> Option<CertificateFormat> {
        None
    }

    fn request(&mut self) -> Option<Vec<u8>> {
        Some(self.request.clone())
    }

    fn authorities(&mut self, _: CertificateFormat, _: &[u8]) -> Result<(), ModuleFault> {
        Err(ModuleFault::OutOfOrder)
    }

    fn certificate(&mut self, der: &[u8]) -> Result<(), ModuleFault> {
        let certificate = Certificate::decode(der).map_err(|_| ModuleFault::Malformed)?;
        let key = self.key.take_if(|key| certificate.public_key() == Ok(key.public_key()));
        let key = key.ok_or(ModuleFault::Refused)?;
        self.staged.replace(Some(Operational { key, certificate: der.to_vec() }));
        Ok(())
    }

    fn refused(&mut self, _: CsrRequest, error: CsrError) -> Result<(), ModuleFault> {
        tracing::warn!(?error, "the owner gives no certificate");
        Ok(())
    }
}

impl Operational {
    /// Writes key and certificate where programs of the device find them. What is in force is not read from there.
    pub(super) fn write_out(&self, folder: &Path) -> Result<(), Error> {
        let [key_path, certificate_path] = WRITTEN_OUT.map(|name| folder.join(name));
        let key = Zeroizing::new(x509::pem::encode("PRIVATE KEY", &self.key.to_pkcs8_der()));
        write_private(&key_path, key.as_bytes())?;
        let certificate = x509::pem::encode("CERTIFICATE", &self.certificate);
        write_private(&certificate_path, certificate.as_bytes())
    }

    /// Takes away what an owner before this one gave.
    pub(super) fn take_away(folder: &Path) -> Result<(), Error> {
        WRITTEN_OUT.map(|name| folder.join(name)).iter().try_for_each(|path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file(path)(error)),
            _ => Ok(()),
        })
    }
}

/// Files of the key and of its certificate.
const WRITTEN_OUT: [&str; 2] = ["operational.key", "operational.pem"];
