//! The text of one kernel transaction, made of nothing that came from outside.
//!
//! Names, URLs and other people's strings cannot get in: the builder takes literals of this program, numbers,
//! addresses, and names that it made itself or whose alphabet was checked.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::{AddressRange, Interface, Mac, PolicyId};

/// Commands that the kernel applies all together or not at all.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    text: String,
}

impl Transaction {
    /// Nothing to do, so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The commands, one a line.
    pub fn as_text(&self) -> &str {
        &self.text
    }

    /// Adds the commands of another transaction.
    pub fn append(&mut self, other: &Transaction) {
        self.text.push_str(&other.text);
    }

    /// Ends a command. Parts are written with [`Part::put`], most readably through `nft!`.
    pub fn end(&mut self) {
        while self.text.ends_with(' ') {
            self.text.pop();
        }
        self.text.push('\n');
    }

    /// Writes `@<name>`.
    pub(crate) fn reference(&mut self, set: &Name) {
        self.word(format_args!("@{set}"));
    }

    /// Writes `<seconds>s`.
    pub(crate) fn seconds(&mut self, seconds: u64) {
        self.word(format_args!("{seconds}s"));
    }

    fn word(&mut self, word: impl fmt::Display) {
        // Writing to a string does not fail.
        let _written = write!(self.text, "{word} ");
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What may stand in a transaction.
pub trait Part {
    /// Writes the part and a space.
    fn put(&self, out: &mut Transaction);
}

/// A literal of this program.
impl Part for &'static str {
    fn put(&self, out: &mut Transaction) {
        out.word(self);
    }
}

macro_rules! parts_by_display {
    ($($kind:ty),+) => {
        $(impl Part for $kind {
            fn put(&self, out: &mut Transaction) {
                out.word(self);
            }
        })+
    };
}
parts_by_display!(u8, u16, u32, u64, usize, IpAddr, Mac, Name, PolicyId);

impl Part for Interface {
    fn put(&self, out: &mut Transaction) {
        out.word(format_args!("\"{}\"", self.as_str()));
    }
}

impl Part for AddressRange {
    fn put(&self, out: &mut Transaction) {
        match self.single() {
            Some(address) => out.word(address),
            None => out.word(format_args!("{}-{}", self.first(), self.last())),
        }
    }
}

impl Part for RangeInclusive<u16> {
    fn put(&self, out: &mut Transaction) {
        if self.start() == self.end() {
            out.word(self.start());
        } else {
            out.word(format_args!("{}-{}", self.start(), self.end()));
        }
    }
}

/// Several parts with commas between them.
impl<P: Part> Part for [P] {
    fn put(&self, out: &mut Transaction) {
        for (index, part) in self.iter().enumerate() {
            if index > 0 {
                out.word(',');
            }
            part.put(out);
        }
    }
}

/// Several parts with commas between them.
impl<P: Part> Part for Vec<P> {
    fn put(&self, out: &mut Transaction) {
        self.as_slice().put(out);
    }
}

/// One part after the other.
impl<A: Part, B: Part> Part for (A, B) {
    fn put(&self, out: &mut Transaction) {
        self.0.put(out);
        self.1.put(out);
    }
}

/// Either parts or nothing.
impl<P: Part> Part for Option<P> {
    fn put(&self, out: &mut Transaction) {
        if let Some(part) = self {
            part.put(out);
        }
    }
}

/// The name of a chain or set: letters of ours and hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// `<prefix><digest>`, of a thing that is known by the digest of its content.
    pub(crate) fn of_content(prefix: &'static str, content: &[u8]) -> Self {
        let digest = crypto::Digest::of(crypto::HashAlgorithm::Sha256, content);
        let mut name = String::from(prefix);
        for byte in digest.as_bytes().iter().take(CONTENT_BYTES) {
            let _written = write!(name, "{byte:02x}");
        }
        Self(name)
    }

    /// `<name><suffix>`.
    pub(crate) fn with(&self, suffix: &'static str) -> Self {
        Self(format!("{}{suffix}", self.0))
    }

    /// `<name><suffix><number>`.
    pub(crate) fn numbered(&self, suffix: &'static str, number: usize) -> Self {
        Self(format!("{}{suffix}{number}", self.0))
    }

    /// Takes a name read from the kernel, if it is one that we could have given.
    pub(crate) fn from_kernel(text: &str) -> Option<Self> {
        let ours =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        (ours && (1..=64).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes of digest in a name. 128 bits: a file's author must not be able to make two classes share a set.
const CONTENT_BYTES: usize = 16;

/// Adds one command made of parts: `nft!(tx, "add element inet sextant lan {", interface, "}")`.
macro_rules! nft {
    ($transaction:expr, $($part:expr),+ $(,)?) => {{
        $($crate::nft::Part::put(&$part, &mut $transaction);)+
        $transaction.end();
    }};
}
pub(crate) use nft;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_every_kind_of_part() {
        let mut tx = Transaction::new();
        nft!(tx, "a", 1u8, 2u16, 3u32, PolicyId::BLOCKED, Mac([2, 0, 0, 0, 0, 255]));
        nft!(tx, Interface::new("lan0").unwrap(), IpAddr::from([10, 0, 0, 1]), 80..=80u16, 1000..=2000u16);
        nft!(
            tx,
            "{",
            vec![
                AddressRange::of_prefix([10, 0, 0, 0].into(), 8),
                AddressRange::of_prefix([1, 1, 1, 1].into(), 32)
            ],
            "}",
            None::<u8>
        );
        assert_eq!(
            tx.as_text(),
            "a 1 2 3 2 02:00:00:00:00:ff\n\"lan0\" 10.0.0.1 80 1000-2000\n{ 10.0.0.0-10.255.255.255 , 1.1.1.1 }\n"
        );
    }

    #[test]
    fn hostile_strings_become_names_without_syntax() {
        for hostile in ["\"; rm -rf /", "../../", "<script>", "\n} ; flush ruleset", "a\0b"] {
            let name = Name::of_content("c_", hostile.as_bytes());
            assert_eq!(name.as_str().len(), 34, "{hostile:?}");
            assert_eq!(Name::from_kernel(name.as_str()), Some(name));
            assert_eq!(Name::from_kernel(hostile), None);
        }
    }
}
