use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
    vec::Vec,
};

use cbor::{Reader, Writer};

use super::{
    KeyValue, ServiceFault,
    list::{Form, form, join_key, split_key},
};

/// Length in bytes of the longest value, in one piece or several.
pub const MAX_VALUE_LEN: usize = 65_535;

/// Puts values together that were cut.
///
/// A value that is a whole item is handed on at once. One that is the beginning of an item waits for the next
/// key/values, which must have the same key, until it is whole. No item is the beginning of another, so there is no doubt
/// which is which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    limit: usize,
    waiting: Option<Waiting>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiting {
    key: String,
    value: Vec<u8>,
}

impl Incoming {
    /// Takes values of up to `limit` bytes, and of [`MAX_VALUE_LEN`] at most.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.min(MAX_VALUE_LEN), waiting: None }
    }

    /// Whether a value was begun and is not whole.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Takes the next key/value; gives its value in deterministic encoding if it is whole now.
    ///
    /// # Errors
    /// What is neither a whole item nor the beginning of one, what does not go on, and what is too long.
    pub fn receive<'b>(&mut self, entry: &KeyValue<'b>) -> Result<Option<Cow<'b, [u8]>>, ServiceFault> {
        let begun = self.waiting.as_ref().map_or(0, |waiting| waiting.value.len());
        if begun.saturating_add(entry.value.len()) > self.limit {
            return Err(ServiceFault::TooLarge { limit: self.limit });
        }
        let key = join_key(entry.module, entry.message);
        let Some(mut waiting) = self.waiting.take() else {
            return Ok(match form(entry.value)? {
                Form::Complete => Some(Cow::Borrowed(entry.value)),
                Form::Lenient(item) => Some(Cow::Owned(item)),
                Form::Truncated => {
                    self.waiting = Some(Waiting { key, value: entry.value.to_owned() });
                    None
                }
            });
        };
        if waiting.key != key || entry.value.is_empty() {
            return Err(ServiceFault::Interrupted);
        }
        waiting.value.extend_from_slice(entry.value);
        Ok(match form(&waiting.value)? {
            Form::Complete => Some(Cow::Owned(waiting.value)),
            Form::Lenient(item) => Some(Cow::Owned(item)),
            Form::Truncated => {
                self.waiting = Some(waiting);
                None
            }
        })
    }

    /// Its state as bytes, for whoever does not live until the next message. The limit is not in it.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }

    /// The state of which these are the bytes.
    pub fn from_bytes(bytes: &[u8], limit: usize) -> Result<Self, ServiceFault> {
        let mut reader = Reader::new(bytes);
        let incoming = Self::read(&mut reader, limit)?;
        reader.end().map_err(|_| ServiceFault::State)?;
        Ok(incoming)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match &self.waiting {
            None => _ = w.array(0),
            Some(waiting) => _ = w.array(2).text(&waiting.key).bytes(&waiting.value),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, limit: usize) -> Result<Self, ServiceFault> {
        let mut incoming = Self::new(limit);
        let mut waiting = || -> Result<Option<Waiting>, cbor::Error> {
            Ok(match reader.array()? {
                0 => None,
                2 => Some(Waiting { key: reader.text()?.to_owned(), value: reader.bytes()?.to_owned() }),
                _ => return Err(reader.fail(cbor::Reason::OutOfRange)),
            })
        };
        incoming.waiting = waiting().map_err(|_| ServiceFault::State)?;
        if let Some(waiting) = &incoming.waiting {
            let is_begun = matches!(form(&waiting.value), Ok(Form::Truncated));
            if !is_begun || waiting.value.len() > incoming.limit || split_key(&waiting.key).is_err() {
                return Err(ServiceFault::State);
            }
        }
        Ok(incoming)
    }
}
