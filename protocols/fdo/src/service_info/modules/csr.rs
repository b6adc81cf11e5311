use alloc::vec::Vec;

use cbor::Reader;

use super::{
    one,
    text::{from_text, to_text},
};
use crate::service_info::{
    Activity, DeviceModule, ModuleFault, Outgoing,
    labels::{self, csr as keys},
};

/// Characters of the longest object of `fdo.csr`, as base64.
pub const MAX_CSR_LEN: usize = 16_384;

/// In which form certificates of authorities are wanted (RFC 9148, section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFormat {
    /// CMS SignedData with certificates only. Every owner has it.
    Pkcs7,
    /// One certificate.
    Pkix,
}

/// Why an owner does not answer (errors of `fdo.csr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrError {
    /// The request is not understood.
    BadRequest,
    /// Not for this device.
    Unauthorized,
    /// Not offered here.
    NotSupported,
    /// Too often.
    RateExceeded,
    /// Not in this format.
    UnsupportedFormat,
    /// A number that is not known.
    Other(u64),
}

/// What a device asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrRequest {
    /// Certificates of authorities.
    Authorities,
    /// A certificate.
    Enrolment,
}

/// What a device asks for with `fdo.csr`, and where the answers go.
pub trait Enrolment {
    /// In which form certificates of authorities are wanted, if they are.
    fn authorities_format(&self) -> Option<CertificateFormat>;
    /// The request for a certificate, PKCS #10 in DER, if one is wanted.
    fn request(&mut self) -> Option<Vec<u8>>;
    /// Takes certificates of authorities in DER, in the form that was wanted. Nobody verified them.
    fn authorities(&mut self, format: CertificateFormat, der: &[u8]) -> Result<(), ModuleFault>;
    /// Takes the certificate in DER. Nobody verified it.
    fn certificate(&mut self, der: &[u8]) -> Result<(), ModuleFault>;
    /// The owner does not give it. An error ends the protocol, otherwise the device goes on.
    fn refused(&mut self, request: CsrRequest, error: CsrError) -> Result<(), ModuleFault>;
}

/// `fdo.csr` of a device: asks for certificates of authorities, then for a certificate of its own.
pub struct Csr<E> {
    enrolment: E,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    AskAuthorities,
    AwaitAuthorities(CertificateFormat),
    AskCertificate,
    AwaitCertificate,
    Over,
}

impl<E: Enrolment> Csr<E> {
    /// A module that asks what `enrolment` wants.
    pub fn new(enrolment: E) -> Self {
        Self { enrolment, stage: Stage::AskAuthorities }
    }
}

impl<E: Enrolment> DeviceModule for Csr<E> {
    fn name(&self) -> &str {
        labels::CSR
    }

    fn receive(&mut self, message: &str, value: &[u8], _: &mut Outgoing) -> Result<(), ModuleFault> {
        let der = |value| from_text(one(value, Reader::text)?, MAX_CSR_LEN);
        match (message, self.stage) {
            (keys::CA_CERTIFICATES_RESPONSE, Stage::AwaitAuthorities(format)) => {
                self.stage = Stage::AskCertificate;
                self.enrolment.authorities(format, &der(value)?)
            }
            (keys::ENROL_RESPONSE, Stage::AwaitCertificate) => {
                self.stage = Stage::Over;
                self.enrolment.certificate(&der(value)?)
            }
            (labels::ERROR, stage) => {
                let error = CsrError::from_number(one(value, Reader::uint)?);
                let (request, next) = match stage {
                    Stage::AwaitAuthorities(_) => (CsrRequest::Authorities, Stage::AskCertificate),
                    Stage::AwaitCertificate => (CsrRequest::Enrolment, Stage::Over),
                    _ => return Err(ModuleFault::OutOfOrder),
                };
                self.stage = next;
                self.enrolment.refused(request, error)
            }
            (keys::CA_CERTIFICATES_RESPONSE | keys::ENROL_RESPONSE, _) => Err(ModuleFault::OutOfOrder),
            _ => Err(ModuleFault::MessageUnknown),
        }
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        if self.stage == Stage::AskAuthorities {
            self.stage = match self.enrolment.authorities_format() {
                Some(format) => {
                    out.send(labels::CSR, keys::CA_CERTIFICATES_REQUEST, |w| _ = w.uint(format.number()))?;
                    Stage::AwaitAuthorities(format)
                }
                None => Stage::AskCertificate,
            };
        }
        if self.stage == Stage::AskCertificate {
            self.stage = match self.enrolment.request() {
                Some(request) => {
                    let text = to_text(&request);
                    if text.len() > MAX_CSR_LEN {
                        return Err(ModuleFault::TooLarge);
                    }
                    out.send(labels::CSR, keys::ENROL_REQUEST, |w| _ = w.text(&text))?;
                    Stage::AwaitCertificate
                }
                None => Stage::Over,
            };
        }
        Ok(Activity::Idle)
    }
}

impl CertificateFormat {
    /// Its number among the CoAP Content-Formats.
    pub const fn number(self) -> u64 {
        match self {
            Self::Pkcs7 => keys::PKCS7_CERTIFICATES,
            Self::Pkix => keys::PKIX_CERTIFICATE,
        }
    }

    fn from_number(number: u64) -> Option<Self> {
        [Self::Pkcs7, Self::Pkix].into_iter().find(|format| format.number() == number)
    }
}

impl CsrError {
    /// Its number.
    pub const fn number(self) -> u64 {
        match self {
            Self::BadRequest => 1,
            Self::Unauthorized => 2,
            Self::NotSupported => 3,
            Self::RateExceeded => 4,
            Self::UnsupportedFormat => 5,
            Self::Other(number) => number,
        }
    }

    fn from_number(number: u64) -> Self {
        let known = [
            Self::BadRequest,
            Self::Unauthorized,
            Self::NotSupported,
            Self::RateExceeded,
            Self::UnsupportedFormat,
        ];
        known.into_iter().find(|error| error.number() == number).unwrap_or(Self::Other(number))
    }
}

/// Gives certificates to devices. The same request must get the same answer, or one that is as good: a message may come again.
pub trait Issuer {
    /// Certificates of authorities in this form, in DER.
    fn authorities(&mut self, format: CertificateFormat) -> Result<Vec<u8>, CsrError>;
    /// A certificate in DER for a request, PKCS #10 in DER, of which nothing was verified.
    fn issue(&mut self, request: &[u8]) -> Result<Vec<u8>, CsrError>;
}

/// The owner's half.
pub(crate) mod owner {
    use alloc::vec::Vec;

    use super::{
        CertificateFormat, CsrError, MAX_CSR_LEN, Outgoing, Reader, from_text, keys, labels, one, to_text,
    };
    use crate::service_info::{Advance, Backend, ModuleFault, Outcome, ServiceFault, state::Progress};

    /// Waits for the device to ask.
    pub(crate) fn advance(progress: &mut Progress) -> Advance {
        if *progress == Progress::Start {
            *progress = Progress::Waiting;
        }
        Advance::Wait
    }

    /// Answers. The step ends with the certificate, or without it.
    pub(crate) fn receive(
        progress: &mut Progress,
        (message, value): (&str, &[u8]),
        backend: &mut Backend<'_>,
        out: &mut Outgoing,
    ) -> Result<(), ServiceFault> {
        if *progress != Progress::Waiting {
            return Err(ModuleFault::OutOfOrder.into());
        }
        match message {
            keys::CA_CERTIFICATES_REQUEST => {
                let format = CertificateFormat::from_number(one(value, Reader::uint)?);
                let answer = format.ok_or(CsrError::UnsupportedFormat);
                let answer = answer.and_then(|format| backend.issuer.authorities(format));
                respond(keys::CA_CERTIFICATES_RESPONSE, answer, out)?;
            }
            keys::ENROL_REQUEST => {
                let answer = match from_text(one(value, Reader::text)?, MAX_CSR_LEN) {
                    Ok(request) => backend.issuer.issue(&request),
                    Err(_) => Err(CsrError::BadRequest),
                };
                let outcome = match &answer {
                    Ok(_) => Outcome::Done(0),
                    Err(error) => Outcome::Failed(i64::try_from(error.number()).unwrap_or(i64::MAX)),
                };
                respond(keys::ENROL_RESPONSE, answer, out)?;
                *progress = Progress::Ended(outcome);
            }
            keys::REENROL_REQUEST | keys::SERVER_KEY_REQUEST | keys::ATTRIBUTES_REQUEST => {
                respond(labels::ERROR, Err(CsrError::NotSupported), out)?;
            }
            _ => return Err(ModuleFault::MessageUnknown.into()),
        }
        Ok(())
    }

    fn respond(key: &str, answer: Result<Vec<u8>, CsrError>, out: &mut Outgoing) -> Result<(), ModuleFault> {
        match answer {
            Ok(der) => {
                let text = to_text(&der);
                if text.len() > MAX_CSR_LEN {
                    return Err(ModuleFault::TooLarge);
                }
                out.send(labels::CSR, key, |w| _ = w.text(&text))
            }
            Err(error) => out.send(labels::CSR, labels::ERROR, |w| _ = w.uint(error.number())),
        }
    }
}
