use alloc::boxed::Box;
use core::fmt;

use crate::{Error, ErrorCode, ErrorMessage, MessageType, SubProtocol, service_info::ServiceFault};

/// Why a protocol ended before its time, sorted by who is to blame.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A message cannot be read; the byte offset counts in its innermost byte string.
    Malformed(cbor::Error),
    /// A voucher, or a part of one, is refused.
    Voucher(Error),
    /// A message is not signed, encrypted or authenticated by whom it must be.
    Unauthentic(cose::Error),
    /// A message was read, and what it says is refused.
    Refused(Refusal),
    /// Another message was due.
    OutOfOrder {
        /// What came.
        found: MessageType,
    },
    /// Service information is refused.
    ServiceInfo(ServiceFault),
    /// The other side gave up.
    Reported(Box<ErrorMessage>),
    /// This side could not do its part.
    Fault(Fault),
}

/// What a message says, and why it is refused.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A nonce is not the one of this session.
    Nonce,
    /// The message is about another device.
    Guid,
    /// What the owner answers is not this device's first message.
    HelloHash,
    /// The device signs by an algorithm that is not supported, or the other side answers to another.
    SigInfo,
    /// The header is not the one that the device was made or set up with.
    HeaderHmac,
    /// The manufacturer's key is not the one that the device knows.
    Manufacturer,
    /// The owner's key is not the one that the voucher ends with.
    Owner,
    /// The voucher has fewer or more entries, or another one was asked for.
    EntryIndex,
    /// Who redirected the device here is not its owner.
    Redirect,
    /// What the rendezvous server was told is not what the owner signed.
    RedirectHash,
    /// The key exchange is unknown, or not one for the owner's key.
    ExchangeSuite,
    /// The cipher suite is unknown, or not permitted.
    CipherSuite,
    /// The other side's part of the key exchange is none.
    Exchange,
    /// The device shall keep its credential, and does not.
    CredentialReuse,
    /// The device answers to another set-up than it was given.
    ReplacementHmac,
    /// The device tells its manufacturer nothing that a voucher can be made of.
    DeviceInfo,
    /// The device does not prove that it has the key it asks a certificate for.
    CertificationRequest,
    /// The message is longer than the other side takes.
    TooLong,
    /// Nobody knows the owner whom the server is to remember, nor who made the device.
    UnknownOwner,
    /// The rendezvous server remembers for no time at all.
    NoWait,
}

/// Why this side could not do its part.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A key could not be used.
    Key,
    /// A key of this type is beyond what the build has.
    Unsupported,
    /// The randomness of the caller's makes no key.
    Randomness,
    /// What was kept of a session cannot be read.
    Session,
}

impl Failure {
    /// Stable code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed-message",
            Self::Voucher(error) => error.code(),
            Self::Unauthentic(cose::Error::Malformed(_)) => "malformed-message",
            Self::Unauthentic(cose::Error::Unsupported(_)) => "unsupported-message",
            Self::Unauthentic(_) => "unauthentic-message",
            Self::Refused(refusal) => refusal.code(),
            Self::OutOfOrder { .. } => "message-out-of-order",
            Self::ServiceInfo(fault) => fault.code(),
            Self::Reported(_) => "peer-gave-up",
            Self::Fault(fault) => fault.code(),
        }
    }

    /// What the other side is told when this message was not taken. It names the kind of failure and no detail, since it is not
    /// encrypted. Nothing, where the other side gave up itself.
    pub fn message(&self, previous: MessageType) -> Option<ErrorMessage> {
        let code = self.error_code(previous)?.number();
        let previous = previous.number();
        Some(ErrorMessage { code, previous, text: self.code().into(), at: None, correlation: None })
    }

    fn error_code(&self, previous: MessageType) -> Option<ErrorCode> {
        Some(match self {
            Self::Reported(_) => return None,
            Self::Malformed(_) | Self::Unauthentic(cose::Error::Malformed(_)) => ErrorCode::MessageBody,
            Self::Voucher(Error::Malformed(_)) if previous != MessageType::OwnerSign => {
                ErrorCode::MessageBody
            }
            Self::Voucher(_) if previous.protocol() == Some(SubProtocol::To0) => ErrorCode::InvalidVoucher,
            Self::Refused(_) | Self::Unauthentic(_) if previous == MessageType::OwnerSign => {
                ErrorCode::InvalidOwnerSign
            }
            Self::Refused(Refusal::CredentialReuse) => ErrorCode::CredentialReuse,
            Self::Fault(Fault::Session) => ErrorCode::InvalidToken,
            Self::Fault(_) => ErrorCode::InternalServer,
            _ => ErrorCode::InvalidMessage,
        })
    }
}

impl Refusal {
    /// Stable code of the refusal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nonce => "wrong-nonce",
            Self::Guid => "wrong-guid",
            Self::HelloHash => "wrong-hello-hash",
            Self::SigInfo => "wrong-sig-info",
            Self::HeaderHmac => "voucher-hmac",
            Self::Manufacturer => "voucher-manufacturer",
            Self::Owner => "voucher-owner",
            Self::EntryIndex => "voucher-entry-index",
            Self::Redirect => "redirect-not-by-owner",
            Self::RedirectHash => "redirect-hash",
            Self::ExchangeSuite => "key-exchange-suite",
            Self::CipherSuite => "cipher-suite",
            Self::Exchange => "key-exchange",
            Self::CredentialReuse => "credential-reuse",
            Self::ReplacementHmac => "replacement-hmac",
            Self::DeviceInfo => "device-info",
            Self::CertificationRequest => "certification-request",
            Self::TooLong => "message-too-long",
            Self::UnknownOwner => "owner-unknown",
            Self::NoWait => "rendezvous-refused",
        }
    }
}

impl Fault {
    /// Stable code of the fault.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Key => "key-unusable",
            Self::Unsupported => "key-unsupported",
            Self::Randomness => "randomness-unusable",
            Self::Session => "session-unknown",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(_) => f.write_str("the message cannot be read"),
            Self::Voucher(_) => f.write_str("the voucher is refused"),
            Self::Unauthentic(_) => f.write_str("the message is not by whom it must be"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::OutOfOrder { found } => write!(f, "{found} is not due"),
            Self::ServiceInfo(_) => f.write_str("service information is refused"),
            Self::Reported(error) => write!(f, "the other side gave up: {error}"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nonce => "the nonce is not that of this session",
            Self::Guid => "the message is about another device",
            Self::HelloHash => "the owner answers another message than was sent",
            Self::SigInfo => "the device's signature algorithm is not supported, or not the one it said",
            Self::HeaderHmac => "the header is not the one whose HMAC the device made",
            Self::Manufacturer => "the manufacturer's key is not the one that the device knows",
            Self::Owner => "the owner's key is not the one that the voucher ends with",
            Self::EntryIndex => "the voucher has no such entry, or another one was asked for",
            Self::Redirect => "who redirected the device is not its owner",
            Self::RedirectHash => "the redirection is not to this registration",
            Self::ExchangeSuite => "the key exchange is unknown, or not one for the owner's key",
            Self::CipherSuite => "the cipher suite is unknown, or not permitted",
            Self::Exchange => "the other side's part of the key exchange is none",
            Self::CredentialReuse => "the device does not keep its credential",
            Self::ReplacementHmac => "the device answers to another set-up than it was given",
            Self::DeviceInfo => "no voucher can be made of what the device tells",
            Self::CertificationRequest => "the device does not prove that it has its key",
            Self::TooLong => "the message is longer than the other side takes",
            Self::UnknownOwner => "neither the owner nor the manufacturer is known here",
            Self::NoWait => "the rendezvous server does not remember the owner",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "a key could not be used",
            Self::Unsupported => "a key of this type cannot be used here",
            Self::Randomness => "the randomness given makes no key",
            Self::Session => "what was kept of the session cannot be read",
        })
    }
}

impl core::error::Error for Failure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(source) => Some(source),
            Self::Voucher(source) => Some(source),
            Self::Unauthentic(source) => Some(source),
            Self::ServiceInfo(source) => Some(source),
            _ => None,
        }
    }
}

impl core::error::Error for Fault {}

impl From<cbor::Error> for Failure {
    fn from(error: cbor::Error) -> Self {
        Self::Malformed(error)
    }
}
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Malformed(error) => Self::Malformed(error),
            error => Self::Voucher(error),
        }
    }
}
impl From<cose::Error> for Failure {
    fn from(error: cose::Error) -> Self {
        Self::Unauthentic(error)
    }
}
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
impl From<ServiceFault> for Failure {
    fn from(fault: ServiceFault) -> Self {
        Self::ServiceInfo(fault)
    }
}
