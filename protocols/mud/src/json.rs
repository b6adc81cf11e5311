//! A JSON reader (RFC 8259) for one purpose: reading a file that a stranger wrote and an administrator will rely on.
//!
//! It keeps what such a reader must not lose: the byte offset of every value, numbers as the text that was sent, and the
//! order of members. It refuses what two readers could understand differently: a member name used twice (I-JSON,
//! RFC 7493, section 2.3), lone surrogates, bytes that are not UTF-8, anything after the value. Text without escapes is
//! borrowed from the input.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

mod writer;

pub(crate) use writer::JsonWriter;

/// Longest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// Deepest nesting of arrays and objects.
pub const MAX_NESTING: usize = 32;
/// Up to this many members, comparing each with each is cheaper than a set.
const FEW_MEMBERS: usize = 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is wrong with the bytes, before anything is known about their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// More than [`MAX_FILE_BYTES`].
    TooLong,
    /// Not UTF-8 (RFC 8520, section 17.5).
    NotUtf8,
    /// The input ends inside a value.
    Truncated,
    /// A byte that cannot stand here.
    Unexpected,
    /// More than [`MAX_NESTING`] levels.
    TooDeep,
    /// A member name occurs twice in one object.
    DuplicateMember,
    /// A number that RFC 8259 does not allow (leading zero, missing digits).
    BadNumber,
    /// An escape sequence that does not exist, or half a surrogate pair.
    BadEscape,
    /// A control character that is not escaped.
    ControlCharacter,
    /// Something follows the value.
    TrailingBytes,
}

/// A fault and the byte where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    pub(crate) at: usize,
    pub(crate) fault: JsonFault,
}

/// A value and the bytes it was read from.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) at: usize,
    pub(crate) end: usize,
    pub(crate) value: Value<'a>,
}

#[derive(Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// The number as written: MUD needs integers exactly, and floating point would lose them.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<Member<'a>>),
}

#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) node: Node<'a>,
}

/// A whole document: its text without a byte order mark, and its value.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// Offsets in nodes count from the start of the file; `text` starts at `base`.
    text: &'a str,
    base: usize,
    pub(crate) root: Node<'a>,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(JsonError { at: MAX_FILE_BYTES, fault: JsonFault::TooLong });
        }
        let (base, body) = match bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (BYTE_ORDER_MARK.len(), rest),
            None => (0, bytes),
        };
        let text = core::str::from_utf8(body)
            .map_err(|e| JsonError { at: base + e.valid_up_to(), fault: JsonFault::NotUtf8 })?;
        let mut reader = Reader { text, base, at: 0 };
        reader.skip_space();
        let root = reader.value(0)?;
        reader.skip_space();
        if reader.at < text.len() {
            return Err(reader.error(JsonFault::TrailingBytes));
        }
        Ok(Self { text, base, root })
    }

    /// The text a node was read from.
    pub(crate) fn raw(&self, node: &Node<'_>) -> &'a str {
        self.text.get(node.at - self.base..node.end - self.base).unwrap_or_default()
    }
}

struct Reader<'a> {
    text: &'a str,
    base: usize,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Node<'a>, JsonError> {
        let at = self.base + self.at;
        let value = match self.peek() {
            None => return Err(self.error(JsonFault::Truncated)),
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(_) => return Err(self.error(JsonFault::Unexpected)),
        };
        Ok(Node { at, end: self.base + self.at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        self.open(depth)?;
        let mut members: Vec<Member<'a>> = Vec::new();
        let mut names = BTreeSet::new();
        if self.close(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let name = self.string()?;
            let repeated = if members.len() < FEW_MEMBERS {
                members.iter().any(|m| m.name == name)
            } else {
                if names.is_empty() {
                    names.extend(members.iter().map(|m| m.name.clone()));
                }
                !names.insert(name.clone())
            };
            if repeated {
                return Err(JsonError { at: self.base + start, fault: JsonFault::DuplicateMember });
            }
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            let node = self.value(depth + 1)?;
            members.push(Member { name, node });
            if !self.more(b'}')? {
                return Ok(Value::Object(members));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, JsonError> {
        self.open(depth)?;
        let mut items = Vec::new();
        if self.close(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth + 1)?);
            if !self.more(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    /// Steps over the opening bracket, which stands at a level that is still allowed.
    fn open(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth >= MAX_NESTING {
            return Err(self.error(JsonFault::TooDeep));
        }
        self.at += 1;
        Ok(())
    }

    /// True when the array or object ends before its first item.
    fn close(&mut self, bracket: u8) -> bool {
        self.skip_space();
        let closed = self.peek() == Some(bracket);
        self.at += usize::from(closed);
        closed
    }

    /// True after a comma, false after the closing bracket.
    fn more(&mut self, bracket: u8) -> Result<bool, JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(found) if found == bracket => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, JsonError> {
        for expected in word.bytes() {
            self.expect(expected)?;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.error(JsonFault::BadNumber));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.slice(start))
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error(if self.peek().is_none() {
                JsonFault::Truncated
            } else {
                JsonFault::BadNumber
            }));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.at += 1;
        let mut start = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            match self.peek() {
                None => return Err(self.error(JsonFault::Truncated)),
                Some(b'"') => {
                    let tail = self.slice(start);
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(tail),
                        Some(mut text) => {
                            text.push_str(tail);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let head = self.slice(start);
                    let character = self.escape()?;
                    let text = unescaped.get_or_insert_default();
                    text.push_str(head);
                    text.push(character);
                    start = self.at;
                }
                Some(0..=0x1f) => return Err(self.error(JsonFault::ControlCharacter)),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        let bad = JsonError { at: self.base + start, fault: JsonFault::BadEscape };
        self.at += 1;
        let Some(letter) = self.peek() else { return Err(self.error(JsonFault::Truncated)) };
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.four_digits()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        if self.peek() != Some(b'\\') {
                            return Err(bad);
                        }
                        self.at += 1;
                        if self.peek() != Some(b'u') {
                            return Err(bad);
                        }
                        self.at += 1;
                        let second = self.four_digits()?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            return Err(bad);
                        }
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    code => code,
                };
                char::from_u32(code).ok_or(bad)?
            }
            _ => return Err(bad),
        })
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else { return Err(self.error(JsonFault::Truncated)) };
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(self.error(JsonFault::BadEscape));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// From `start` up to here. Both stand on ASCII characters, so the slice exists.
    fn slice(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn unexpected(&self) -> JsonError {
        self.error(if self.peek().is_none() { JsonFault::Truncated } else { JsonFault::Unexpected })
    }

    fn error(&self, fault: JsonFault) -> JsonError {
        JsonError { at: self.base + self.at, fault }
    }
}

#[cfg(test)]
mod tests;
