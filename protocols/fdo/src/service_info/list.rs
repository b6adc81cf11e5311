use alloc::{borrow::Cow, vec::Vec};

use cbor::{Reader, Reason, Writer};

use super::ServiceFault;

/// How many key/values a list may have.
pub const MAX_ENTRIES: usize = 1024;

/// Length in bytes of the longest name of a module, and of a message.
pub const MAX_NAME_LEN: usize = 64;

/// Length in bytes of the longest list.
pub const MAX_LIST_LEN: usize = 65_535;

/// How many items the value of one key/value may have: some put several lines of output into one.
pub const MAX_ITEMS: usize = 256;

/// ServiceInfoKV (section 3.8): a message of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyValue<'b> {
    /// Name of the module.
    pub module: &'b str,
    /// Name of the message.
    pub message: &'b str,
    /// Encoded CBOR, or a piece of it.
    pub value: &'b [u8],
}

/// Reads a list of key/values. What their values hold is for [`super::Incoming`] to find out.
pub fn decode_list(bytes: &[u8]) -> Result<Vec<KeyValue<'_>>, ServiceFault> {
    if bytes.len() > MAX_LIST_LEN {
        return Err(ServiceFault::TooLarge { limit: MAX_LIST_LEN });
    }
    let mut reader = Reader::new(bytes);
    let count = reader.array()?;
    if count > MAX_ENTRIES {
        return Err(ServiceFault::TooLarge { limit: MAX_ENTRIES });
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        reader.array_of(2)?;
        let (module, message) = split_key(reader.text()?)?;
        entries.push(KeyValue { module, message, value: reader.bytes()? });
    }
    reader.end()?;
    Ok(entries)
}

/// Writes a list of key/values, which are not held to the limits of those that are read.
pub fn encode_list(entries: &[KeyValue<'_>]) -> Vec<u8> {
    Writer::encode(|w| {
        w.array(entries.len());
        for entry in entries {
            write_entry(w, &join_key(entry.module, entry.message), entry.value);
        }
    })
}

/// The two parts of a key.
pub(super) fn split_key(key: &str) -> Result<(&str, &str), ServiceFault> {
    let parts = key.split_once(':').ok_or(ServiceFault::Key)?;
    if is_name(parts.0) && is_name(parts.1) { Ok(parts) } else { Err(ServiceFault::Key) }
}

/// Whether it can be the name of a module, which has no colon, or of a message.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_LEN && !name.chars().any(char::is_control)
}

pub(super) fn join_key(module: &str, message: &str) -> alloc::string::String {
    [module, ":", message].concat()
}

pub(super) fn write_entry(writer: &mut Writer, key: &str, value: &[u8]) {
    writer.array(2).text(key).bytes(value);
}

/// How many bytes an entry takes in a list.
pub(super) const fn entry_len(key: usize, value: usize) -> usize {
    1 + head_len(key) + key + head_len(value) + value
}

/// How many bytes the head of a string or an array of this length takes.
pub(super) const fn head_len(len: usize) -> usize {
    match len {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    }
}

/// What stands in a value, which may have been cut.
pub(super) struct Items<'v> {
    /// Whole items, in deterministic encoding.
    pub(super) whole: Vec<Cow<'v, [u8]>>,
    /// The beginning of another one.
    pub(super) rest: &'v [u8],
}

/// Takes a value apart: one item, the beginning of one, or several. Of several, all but the last are read in deterministic
/// encoding only.
pub(super) fn items(value: &[u8]) -> Result<Items<'_>, ServiceFault> {
    let mut reader = Reader::new(value);
    let mut whole = Vec::new();
    loop {
        let (at, rest) = (reader.position(), reader.rest());
        if whole.len() == MAX_ITEMS && !rest.is_empty() {
            return Err(ServiceFault::TooLarge { limit: MAX_ITEMS });
        }
        match reader.raw() {
            Ok(item) => whole.push(Cow::Borrowed(item)),
            Err(error) if error.reason == Reason::Truncated => return Ok(Items { whole, rest }),
            Err(_) => match cbor::normalize(rest, MAX_LIST_LEN) {
                Ok(item) => {
                    whole.push(Cow::Owned(item));
                    return Ok(Items { whole, rest: &[] });
                }
                Err(error) if error.reason == Reason::Truncated => return Ok(Items { whole, rest }),
                Err(error) => return Err(cbor::Error::new(at + error.at, error.reason).into()),
            },
        }
    }
}
