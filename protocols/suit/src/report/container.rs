use alloc::vec::Vec;
use core::fmt;

use cose::{Mac0, Mac0Builder, MacKey, Sign1, Sign1Builder};
use crypto::{PublicKey, SigningKey, constant_time_eq};

use super::Report;
use crate::Error;

impl Report {
    /// The report in a COSE_Sign1 with its payload (REP, section 7).
    pub fn sign(&self, key: &SigningKey, kid: Option<&[u8]>) -> Vec<u8> {
        let builder = kid.map_or_else(Sign1Builder::new, |kid| Sign1Builder::new().kid(kid));
        builder.sign(key, &self.to_bytes())
    }

    /// The report in a COSE_Mac0 with its payload (REP, section 7): for one reader, who could have made it as well.
    pub fn authenticate(&self, key: &MacKey, kid: Option<&[u8]>) -> Vec<u8> {
        let builder = kid.map_or_else(Mac0Builder::new, |kid| Mac0Builder::new().kid(kid));
        builder.authenticate(key, &self.to_bytes())
    }
}

/// A report in its container (REP, section 7): well-formed, and vouched for by nobody until it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReport<'b> {
    container: Container<'b>,
    report: Report,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Container<'b> {
    Sign1(Sign1<'b>),
    Mac0(Mac0<'b>),
}

/// A report that a known key vouches for. Only [`SignedReport`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReport {
    report: Report,
}

impl VerifiedReport {
    /// What it says.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl<'b> SignedReport<'b> {
    /// Reads a tagged COSE_Sign1 or COSE_Mac0 and the report in it.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, ReportError> {
        let container = match cbor::Reader::new(bytes).tag().ok() {
            Some(cose::labels::TAG_SIGN1) => Container::Sign1(Sign1::decode(bytes)?),
            Some(cose::labels::TAG_MAC0) => Container::Mac0(Mac0::decode(bytes)?),
            _ => return Err(ReportError::UnsupportedContainer),
        };
        let payload = match &container {
            Container::Sign1(message) => message.payload(),
            Container::Mac0(message) => message.payload(),
        };
        let report = Report::decode(payload.ok_or(ReportError::UnsupportedContainer)?)?;
        Ok(Self { container, report })
    }

    /// Identifier of the key, to look it up with.
    pub fn kid(&self) -> Option<&'b [u8]> {
        match &self.container {
            Container::Sign1(message) => message.kid(),
            Container::Mac0(message) => message.kid(),
        }
    }

    /// What it says, for looking at.
    pub fn unverified(&self) -> &Report {
        &self.report
    }

    /// Believes a report that this key signed. With a nonce it must be the answer to whoever gave that.
    pub fn verify(self, key: &PublicKey, nonce: Option<&[u8]>) -> Result<VerifiedReport, ReportError> {
        match &self.container {
            Container::Sign1(message) => message.verify(key, None, &[])?,
            Container::Mac0(_) => return Err(ReportError::UnsupportedContainer),
        }
        self.fresh(nonce)
    }

    /// Believes a report that was authenticated with this key, which must not be shared beyond the device.
    pub fn verify_mac(self, key: &MacKey, nonce: Option<&[u8]>) -> Result<VerifiedReport, ReportError> {
        match &self.container {
            Container::Mac0(message) => message.verify(key, None, &[])?,
            Container::Sign1(_) => return Err(ReportError::UnsupportedContainer),
        }
        self.fresh(nonce)
    }

    fn fresh(self, nonce: Option<&[u8]>) -> Result<VerifiedReport, ReportError> {
        let answers = match (nonce, &self.report.nonce) {
            (None, _) => true,
            (Some(asked), Some(given)) => constant_time_eq(asked, given),
            (Some(_), None) => false,
        };
        if answers { Ok(VerifiedReport { report: self.report }) } else { Err(ReportError::WrongNonce) }
    }
}

/// Why a report is not believed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportError {
    /// It is no tagged COSE_Sign1 or COSE_Mac0 with a payload, or the other one of the two.
    UnsupportedContainer,
    /// The container is malformed, or the key did not make it.
    Container(cose::Error),
    /// The report in it is malformed.
    Report(Error),
    /// It does not answer to the nonce.
    WrongNonce,
}

impl ReportError {
    /// Stable word for audit records, the API and pages.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedContainer => "unsupported-report-container",
            Self::Container(_) => "bad-report-signature",
            Self::Report(_) => "malformed-report",
            Self::WrongNonce => "stale-report",
        }
    }
}

impl From<cose::Error> for ReportError {
    fn from(error: cose::Error) -> Self {
        Self::Container(error)
    }
}

impl From<Error> for ReportError {
    fn from(error: Error) -> Self {
        Self::Report(error)
    }
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedContainer => {
                f.write_str("the report is not in a container of the expected kind")
            }
            Self::Container(error) => error.fmt(f),
            Self::Report(error) => error.fmt(f),
            Self::WrongNonce => f.write_str("the report does not answer to the nonce"),
        }
    }
}

impl core::error::Error for ReportError {}
