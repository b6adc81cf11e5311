//! The messages of DI, TO0, TO1 and TO2 (section 5), each one encoded item.

mod di;
mod error;
mod to0;
mod to1;
mod to2;

use alloc::vec::Vec;
use core::fmt;

use cbor::{Order, Reader, Reason, Writer};
use crypto::SignatureAlgorithm;

use crate::Nonce;

pub use di::{AppStart, DeviceInfo, MAX_SERIAL_LEN, SetCredentials, SetHmac};
pub use error::{ErrorCode, ErrorMessage, MAX_ERROR_TEXT_LEN};
pub use to0::{AcceptOwner, HelloAck, OwnerSign};
pub use to1::{HelloRv, HelloRvAck};
pub use to2::{
    DeviceServiceInfo, DeviceServiceInfoReady, Done, GetNextEntry, HelloDevice, NextEntry, OwnerServiceInfo,
    OwnerServiceInfoReady, ProveHeader, SetupDevice,
};
pub(crate) use to2::{ProveHeaderPayload, empty, nothing};

/// Length in bytes of the longest message.
pub const MAX_MESSAGE_LEN: usize = 64 * 1024 - 1;

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub message_type: MessageType,
    /// Its body: one encoded item.
    pub body: Vec<u8>,
}

impl Message {
    pub(crate) fn new(message_type: MessageType, body: Vec<u8>) -> Self {
        Self { message_type, body }
    }
}

/// One of the protocols, in each of which messages follow each other in one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubProtocol {
    /// Device Initialize: a manufacturer makes a device.
    Di,
    /// Transfer Ownership 0: an owner tells a rendezvous server where it is.
    To0,
    /// Transfer Ownership 1: a device asks a rendezvous server where its owner is.
    To1,
    /// Transfer Ownership 2: a device and its owner prove themselves to each other.
    To2,
}

/// What a message is: its number on the wire (section 3.1).
#[allow(
    missing_docs,
    reason = "these are the names of the specification, and where they stand says the rest"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageType {
    AppStart = 10,
    SetCredentials = 11,
    SetHmac = 12,
    DiDone = 13,
    Hello = 20,
    HelloAck = 21,
    OwnerSign = 22,
    AcceptOwner = 23,
    HelloRv = 30,
    HelloRvAck = 31,
    ProveToRv = 32,
    RvRedirect = 33,
    HelloDevice = 60,
    ProveOvHeader = 61,
    GetOvNextEntry = 62,
    OvNextEntry = 63,
    ProveDevice = 64,
    SetupDevice = 65,
    DeviceServiceInfoReady = 66,
    OwnerServiceInfoReady = 67,
    DeviceServiceInfo = 68,
    OwnerServiceInfo = 69,
    Done = 70,
    Done2 = 71,
    Error = 255,
}

impl MessageType {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::AppStart,
        Self::SetCredentials,
        Self::SetHmac,
        Self::DiDone,
        Self::Hello,
        Self::HelloAck,
        Self::OwnerSign,
        Self::AcceptOwner,
        Self::HelloRv,
        Self::HelloRvAck,
        Self::ProveToRv,
        Self::RvRedirect,
        Self::HelloDevice,
        Self::ProveOvHeader,
        Self::GetOvNextEntry,
        Self::OvNextEntry,
        Self::ProveDevice,
        Self::SetupDevice,
        Self::DeviceServiceInfoReady,
        Self::OwnerServiceInfoReady,
        Self::DeviceServiceInfo,
        Self::OwnerServiceInfo,
        Self::Done,
        Self::Done2,
        Self::Error,
    ];

    /// Its number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The type with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|message_type| message_type.number() == number)
    }

    /// The protocol that it belongs to; an error belongs to any.
    pub const fn protocol(self) -> Option<SubProtocol> {
        match self.number() {
            10..=13 => Some(SubProtocol::Di),
            20..=23 => Some(SubProtocol::To0),
            30..=33 => Some(SubProtocol::To1),
            60..=71 => Some(SubProtocol::To2),
            _ => None,
        }
    }

    /// Whether it is the first of its protocol.
    pub const fn begins(self) -> bool {
        matches!(self, Self::AppStart | Self::Hello | Self::HelloRv | Self::HelloDevice)
    }

    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppStart => "DI.AppStart",
            Self::SetCredentials => "DI.SetCredentials",
            Self::SetHmac => "DI.SetHMAC",
            Self::DiDone => "DI.Done",
            Self::Hello => "TO0.Hello",
            Self::HelloAck => "TO0.HelloAck",
            Self::OwnerSign => "TO0.OwnerSign",
            Self::AcceptOwner => "TO0.AcceptOwner",
            Self::HelloRv => "TO1.HelloRV",
            Self::HelloRvAck => "TO1.HelloRVAck",
            Self::ProveToRv => "TO1.ProveToRV",
            Self::RvRedirect => "TO1.RVRedirect",
            Self::HelloDevice => "TO2.HelloDevice",
            Self::ProveOvHeader => "TO2.ProveOVHdr",
            Self::GetOvNextEntry => "TO2.GetOVNextEntry",
            Self::OvNextEntry => "TO2.OVNextEntry",
            Self::ProveDevice => "TO2.ProveDevice",
            Self::SetupDevice => "TO2.SetupDevice",
            Self::DeviceServiceInfoReady => "TO2.DeviceServiceInfoReady",
            Self::OwnerServiceInfoReady => "TO2.OwnerServiceInfoReady",
            Self::DeviceServiceInfo => "TO2.DeviceServiceInfo",
            Self::OwnerServiceInfo => "TO2.OwnerServiceInfo",
            Self::Done => "TO2.Done",
            Self::Done2 => "TO2.Done2",
            Self::Error => "Error",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

impl SubProtocol {
    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Di => "DI",
            Self::To0 => "TO0",
            Self::To1 => "TO1",
            Self::To2 => "TO2",
        }
    }
}

/// Signature algorithm of a device (SigInfo, section 3.3.6): a COSE number. That of ECDSA and RSA tells nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigInfo(pub i64);

impl SigInfo {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        reader.array_of(2)?;
        let algorithm = reader.int()?;
        let at = reader.position();
        let info = reader.bytes()?;
        // What EPID tells there is of no use here; who sends it is refused by its number.
        if info.len() > MAX_SIG_INFO_LEN {
            return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_SIG_INFO_LEN }));
        }
        Ok(Self(algorithm))
    }

    /// Whether devices here may sign by it. Some announce another algorithm than that of their key: which one it is shows in
    /// what they sign.
    pub(crate) fn is_supported(self) -> bool {
        let ecdsa = [SignatureAlgorithm::Es256, SignatureAlgorithm::Es384];
        ecdsa.iter().any(|algorithm| algorithm.cose_id() == self.0)
    }

    pub(crate) fn write(self, writer: &mut Writer) {
        writer.array(2).int(self.0).bytes(&[]);
    }
}

/// Bytes that a SigInfo may tell beside the algorithm.
const MAX_SIG_INFO_LEN: usize = 1024;

/// Reads a message, which is one item to its end.
pub(crate) fn read_body<'b, T, E: From<cbor::Error>>(
    body: &'b [u8],
    read: impl FnOnce(&mut Reader<'b>) -> Result<T, E>,
) -> Result<T, E> {
    if body.len() > MAX_MESSAGE_LEN {
        return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_MESSAGE_LEN }).into());
    }
    let mut reader = Reader::with_order(body, Order::Unique);
    let message = read(&mut reader)?;
    reader.end()?;
    Ok(message)
}

/// Reads a message that is a nonce.
fn read_nonce(body: &[u8]) -> Result<Nonce, cbor::Error> {
    read_body(body, |reader| {
        reader.array_of(1)?;
        Nonce::read(reader)
    })
}

/// A message that is a nonce.
fn write_nonce(nonce: &Nonce) -> Vec<u8> {
    Writer::encode(|w| {
        w.array(1);
        nonce.write(w);
    })
}
