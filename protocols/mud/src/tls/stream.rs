//! From the bytes of a TCP stream to its ClientHello (RFC 8446, section 5.1).

use alloc::vec::Vec;
use core::fmt;

use super::client_hello::{ClientHello, HelloFault, Transport};
use super::labels;

/// Longest ClientHello that is put together, in bytes. Those with keys for post-quantum exchange have some 2000.
pub const MAX_CLIENT_HELLO_BYTES: usize = 16 * 1024;
const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;

/// How far a flow has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "one value for each flow, taken apart at once")]
pub enum Progress<S> {
    /// More bytes are needed.
    More(S),
    /// The ClientHello is whole.
    Hello(ClientHello),
}

/// Why a flow does not start with a ClientHello.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowFault {
    /// It is not TLS, or not DTLS.
    NotTls,
    /// Another handshake message comes first.
    NotClientHello,
    /// The message is longer than [`MAX_CLIENT_HELLO_BYTES`].
    TooLong,
    /// Two fragments of a datagram flow disagree, so that two readers could put together different messages.
    Fragments,
    /// The message is none.
    Hello(HelloFault),
}

impl From<HelloFault> for FlowFault {
    fn from(fault: HelloFault) -> Self {
        Self::Hello(fault)
    }
}

/// The beginning of a TLS stream. The message may be split over records, and records over segments, anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsStart {
    /// Header of the record that is being read, as far as it has come.
    header: Vec<u8>,
    /// Bytes of that record that are still to come.
    remaining: usize,
    /// The handshake message, as far as it has come.
    message: Vec<u8>,
}

impl TlsStart {
    /// A stream of which nothing was seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream, from the client and in order.
    ///
    /// # Errors
    /// As soon as the stream cannot begin with a ClientHello any more.
    pub fn push(mut self, mut bytes: &[u8]) -> Result<Progress<Self>, FlowFault> {
        loop {
            if self.remaining == 0 {
                if !self.header(&mut bytes)? {
                    return Ok(Progress::More(self));
                }
                continue;
            }
            let (now, rest) = bytes.split_at(bytes.len().min(self.remaining));
            self.message.extend_from_slice(now);
            self.remaining -= now.len();
            bytes = rest;
            if let Some(hello) = self.message()? {
                return Ok(Progress::Hello(hello));
            }
            if bytes.is_empty() {
                return Ok(Progress::More(self));
            }
        }
    }

    /// Reads the header of the next record; false when it is not there yet.
    fn header(&mut self, bytes: &mut &[u8]) -> Result<bool, FlowFault> {
        let missing = RECORD_HEADER - self.header.len();
        let (now, rest) = bytes.split_at(bytes.len().min(missing));
        self.header.extend_from_slice(now);
        *bytes = rest;
        let starts = [labels::HANDSHAKE, labels::TLS_MAJOR];
        if !self.header.iter().zip(starts).all(|(found, expected)| *found == expected) {
            return Err(FlowFault::NotTls);
        }
        let [_, _, _, high, low] = *self.header else { return Ok(false) };
        self.header.clear();
        self.remaining = usize::from(u16::from_be_bytes([high, low]));
        // Records of the handshake are never empty (RFC 8446, section 5.1).
        if self.remaining == 0 || self.remaining > labels::MAX_RECORD {
            return Err(FlowFault::NotTls);
        }
        Ok(true)
    }

    fn message(&self) -> Result<Option<ClientHello>, FlowFault> {
        if self.message.first().is_some_and(|kind| *kind != labels::CLIENT_HELLO) {
            return Err(FlowFault::NotClientHello);
        }
        let Some(([_, length @ ..], body)) = self.message.split_first_chunk::<MESSAGE_HEADER>() else {
            return Ok(None);
        };
        let length = length.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        if length > MAX_CLIENT_HELLO_BYTES {
            return Err(FlowFault::TooLong);
        }
        match body.get(..length) {
            Some(body) => Ok(Some(ClientHello::decode(Transport::Tls, body)?)),
            None => Ok(None),
        }
    }
}

impl fmt::Display for FlowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTls => f.write_str("not a TLS handshake"),
            Self::NotClientHello => f.write_str("the handshake does not begin with a ClientHello"),
            Self::TooLong => f.write_str("the ClientHello is longer than 16384 bytes"),
            Self::Fragments => f.write_str("fragments of the ClientHello contradict each other"),
            Self::Hello(fault) => write!(f, "no ClientHello: {fault}"),
        }
    }
}

impl core::error::Error for FlowFault {}
