use alloc::{collections::BTreeMap, vec::Vec};

use crate::head::shortest_float;

/// Writes items in their deterministic encoding.
///
/// Counts are the caller's duty: after `array(n)` exactly `n` items must follow. For maps use [`MapBuilder`], which
/// counts and sorts.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with memory for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// What was written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }

    /// Encodes with a function and returns the bytes.
    pub fn encode(write: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut writer = Self::new();
        write(&mut writer);
        writer.out
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(0, value)
    }

    /// An integer of either sign.
    pub fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, !value as u64),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(2, value.len() as u64);
        self.out.extend_from_slice(value);
        self
    }

    /// A byte string that wraps what a function encodes.
    pub fn wrap(&mut self, write: impl FnOnce(&mut Self)) -> &mut Self {
        let inner = Self::encode(write);
        self.bytes(&inner)
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.head(3, value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
        self
    }

    /// The head of an array; `count` items must follow.
    pub fn array(&mut self, count: usize) -> &mut Self {
        self.head(4, count as u64)
    }

    /// The head of a map; `count` keys and values in deterministic order must follow.
    pub fn map(&mut self, count: usize) -> &mut Self {
        self.head(5, count as u64)
    }

    /// A tag; the tagged item must follow.
    pub fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(6, tag)
    }

    /// `false` or `true`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.out.push(if value { 0xf5 } else { 0xf4 });
        self
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.out.push(0xf6);
        self
    }

    /// A floating-point number in the shortest form that keeps its value.
    pub fn float(&mut self, value: f64) -> &mut Self {
        let (info, argument) = shortest_float(value);
        self.out.push(7 << 5 | info);
        let width = 1usize << (info - 24);
        let bytes = argument.to_be_bytes();
        self.out.extend_from_slice(bytes.get(8 - width..).unwrap_or_default());
        self
    }

    /// An item that is encoded already.
    pub fn raw(&mut self, item: &[u8]) -> &mut Self {
        self.out.extend_from_slice(item);
        self
    }

    pub(crate) fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let bytes = argument.to_be_bytes();
        let (info, width) = match argument {
            0..=23 => (argument as u8, 0),
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        self.out.push(major << 5 | info);
        self.out.extend_from_slice(bytes.get(8 - width..).unwrap_or_default());
        self
    }
}

/// Collects the entries of a map and writes them sorted bytewise by encoded key (RFC 8949, section 4.2.1).
///
/// A key given twice replaces the value given before.
#[derive(Clone, Debug, Default)]
pub struct MapBuilder {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MapBuilder {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no entry was given.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// An entry with an integer key.
    pub fn int(&mut self, key: i64, value: impl FnOnce(&mut Writer)) -> &mut Self {
        let key = Writer::encode(|w| {
            w.int(key);
        });
        self.entry(key, value)
    }

    /// An entry with an integer key if there is a value for it.
    pub fn int_if<T>(&mut self, key: i64, value: Option<T>, write: impl FnOnce(&mut Writer, T)) -> &mut Self {
        match value {
            Some(value) => self.int(key, |w| write(w, value)),
            None => self,
        }
    }

    /// An entry with a text key.
    pub fn text(&mut self, key: &str, value: impl FnOnce(&mut Writer)) -> &mut Self {
        let key = Writer::encode(|w| {
            w.text(key);
        });
        self.entry(key, value)
    }

    /// An entry whose key is encoded already.
    pub fn entry(&mut self, key: Vec<u8>, value: impl FnOnce(&mut Writer)) -> &mut Self {
        let value = Writer::encode(value);
        self.entries.insert(key, value);
        self
    }

    /// Writes the map.
    pub fn write(&self, writer: &mut Writer) {
        writer.map(self.entries.len());
        for (key, value) in &self.entries {
            writer.raw(key).raw(value);
        }
    }

    /// The encoded map.
    pub fn into_bytes(self) -> Vec<u8> {
        Writer::encode(|w| self.write(w))
    }
}
