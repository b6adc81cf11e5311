use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
    vec::Vec,
};

use cbor::{Reader, Reason, Writer};

use super::{
    KeyValue, ServiceFault,
    list::{Items, items, join_key, split_key},
};

/// Length in bytes of the longest value, in one piece or several.
pub const MAX_VALUE_LEN: usize = 65_535;

/// Puts values together that were cut.
///
/// A value that is a whole item is handed on at once. One that is the beginning of an item waits for the next
/// key/values, which must have the same key, until it is whole. No item is the beginning of another, so there is no doubt
/// which is which. Several items in one value are several messages.
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

    /// Takes the next key/value; gives each item that is whole now, in deterministic encoding.
    ///
    /// # Errors
    /// What is neither a whole item nor the beginning of one, what does not go on, and what is too long.
    pub fn receive<'b>(&mut self, entry: &KeyValue<'b>) -> Result<Vec<Cow<'b, [u8]>>, ServiceFault> {
        let begun = self.waiting.as_ref().map_or(0, |waiting| waiting.value.len());
        if begun.saturating_add(entry.value.len()) > self.limit {
            return Err(ServiceFault::TooLarge { limit: self.limit });
        }
        let key = join_key(entry.module, entry.message);
        let Some(waiting) = self.waiting.take() else {
            if entry.value.is_empty() {
                return Err(cbor::Error::new(0, Reason::Truncated).into());
            }
            let Items { whole, rest } = items(entry.value)?;
            self.wait(key, rest);
            return Ok(whole);
        };
        if waiting.key != key || entry.value.is_empty() {
            return Err(ServiceFault::Interrupted);
        }
        let value = [&waiting.value, entry.value].concat();
        let Items { whole, rest } = items(&value)?;
        self.wait(key, rest);
        Ok(whole.into_iter().map(|item| Cow::Owned(item.into_owned())).collect())
    }

    fn wait(&mut self, key: String, rest: &[u8]) {
        self.waiting = (!rest.is_empty()).then(|| Waiting { key, value: rest.to_owned() });
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
                _ => return Err(reader.fail(Reason::OutOfRange)),
            })
        };
        incoming.waiting = waiting().map_err(|_| ServiceFault::State)?;
        if let Some(waiting) = &incoming.waiting {
            let is_begun =
                items(&waiting.value).is_ok_and(|items| items.whole.is_empty() && !items.rest.is_empty());
            if !is_begun || waiting.value.len() > incoming.limit || split_key(&waiting.key).is_err() {
                return Err(ServiceFault::State);
            }
        }
        Ok(incoming)
    }
}
