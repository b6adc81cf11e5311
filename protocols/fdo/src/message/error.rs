use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use cbor::{Reader, Reason, Type, Writer};

use super::{MessageType, read_body};

/// Length in bytes of the longest text of an error.
pub const MAX_ERROR_TEXT_LEN: usize = 1024;

/// What a party tells the other when it gives up (section 5.1.3). Never encrypted, so that it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage {
    /// What is wrong.
    pub code: u16,
    /// Number of the message that was not taken.
    pub previous: u8,
    /// For people.
    pub text: String,
    /// When, in seconds since 1970, where it is told as a number. Written as zero where it is not told: go-fdo reads nothing else
    /// than a number, and understands no error without one.
    pub at: Option<u64>,
    /// Number by which the sender finds it again.
    pub correlation: Option<u64>,
}

/// Codes of errors (section 5.1.3, table).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum ErrorCode {
    /// The session token is bad or expired.
    InvalidToken = 1,
    /// The voucher is not valid.
    InvalidVoucher = 2,
    /// What the owner signed is not valid.
    InvalidOwnerSign = 3,
    /// An address is not valid.
    InvalidIpAddress = 4,
    /// A GUID is not valid.
    InvalidGuid = 5,
    /// Nothing is known of the device.
    NotFound = 6,
    /// The message cannot be read.
    MessageBody = 100,
    /// The message was read, and is not believed.
    InvalidMessage = 101,
    /// The device does not keep its credential.
    CredentialReuse = 102,
    /// The server did not do its part.
    InternalServer = 500,
}

impl ErrorCode {
    /// Its number.
    pub const fn number(self) -> u16 {
        self as u16
    }
}

impl ErrorMessage {
    /// Reads the message. What comes is tolerated in the forms that are deployed: times as numbers or text, tagged or not, and
    /// numbers of any length.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(5)?;
            let (code, previous) = (reader.uint_as()?, reader.uint_as()?);
            let at = reader.position();
            let text = reader.text()?;
            if text.len() > MAX_ERROR_TEXT_LEN {
                return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_ERROR_TEXT_LEN }));
            }
            let text = text.to_string();
            let at = read_number(reader)?.filter(|at| *at != 0);
            let correlation = read_number(reader)?;
            Ok(Self { code, previous, text, at, correlation })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(5).uint(self.code.into()).uint(self.previous.into()).text(&self.text);
            w.uint(self.at.unwrap_or_default());
            match self.correlation {
                Some(number) => _ = w.uint(number),
                None => _ = w.null(),
            }
        })
    }
}

/// A number, where it is one of up to 64 bits; anything else is passed over.
fn read_number(reader: &mut Reader<'_>) -> Result<Option<u64>, cbor::Error> {
    if reader.peek()? == Type::Tag {
        let mut tagged = reader.clone();
        tagged.tag()?;
        if tagged.peek()? == Type::Unsigned {
            *reader = tagged;
        }
    }
    match reader.peek()? {
        Type::Unsigned => reader.uint().map(Some),
        _ => reader.skip().map(|()| None),
    }
}

impl fmt::Display for ErrorMessage {
    /// The text is the other side's: it is shown with its control characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {} after message {}", self.code, self.previous)?;
        if let Some(previous) = MessageType::from_number(self.previous) {
            write!(f, " ({})", previous.name())?;
        }
        write!(f, ": {}", self.text.escape_debug())
    }
}
