use crate::{
    Error, Key, MapCursor, Reason, Type,
    head::{Head, INDEFINITE},
};

/// Which orders of map keys a reader accepts. Duplicates are refused in either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Bytewise ascending (RFC 8949, section 4.2.1).
    #[default]
    Deterministic,
    /// Any order: for formats that do not demand determinism of their senders.
    Unique,
}

/// Reads one item after another from borrowed bytes.
///
/// Every method leaves the position where it was when it fails, and names the offset of what it did not understand.
#[derive(Clone, Debug)]
pub struct Reader<'b> {
    input: &'b [u8],
    at: usize,
    /// Offset of `input` in the outermost input, so that errors inside wrapped byte strings point into the whole.
    base: usize,
    order: Order,
}

impl<'b> Reader<'b> {
    /// A reader that demands deterministic encoding.
    pub fn new(input: &'b [u8]) -> Self {
        Self { input, at: 0, base: 0, order: Order::Deterministic }
    }

    /// A reader that accepts map keys in any order, but none twice.
    pub fn with_order(input: &'b [u8], order: Order) -> Self {
        Self { order, ..Self::new(input) }
    }

    /// The same reader with its input placed at `base` of a larger one.
    pub fn at_offset(self, base: usize) -> Self {
        Self { base, ..self }
    }

    /// Offset of the next item from the start of the outermost input.
    pub fn position(&self) -> usize {
        self.base + self.at
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.at >= self.input.len()
    }

    /// Which orders of map keys are accepted.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Bytes not yet read.
    pub fn rest(&self) -> &'b [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Refuses bytes after the last item.
    pub fn end(&self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(self.fail(Reason::TrailingBytes)) }
    }

    /// An error at the current position.
    pub fn fail(&self, reason: Reason) -> Error {
        Error::new(self.position(), reason)
    }

    /// The kind of the next item.
    pub fn peek(&self) -> Result<Type, Error> {
        Ok(Head::read(self.input, self.at, self.base)?.kind())
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> Result<u64, Error> {
        Ok(self.take(Type::Unsigned)?.argument)
    }

    /// An unsigned integer that fits a narrower type.
    pub fn uint_as<T: TryFrom<u64>>(&mut self) -> Result<T, Error> {
        let at = self.position();
        let value = self.clone().uint()?;
        let value = T::try_from(value).map_err(|_| Error::new(at, Reason::OutOfRange))?;
        self.uint()?;
        Ok(value)
    }

    /// An integer of either sign.
    pub fn int(&mut self) -> Result<i64, Error> {
        let head = self.head()?;
        let out_of_range = self.fail(Reason::OutOfRange);
        let value = match head.kind() {
            Type::Unsigned => i64::try_from(head.argument).map_err(|_| out_of_range)?,
            Type::Negative => -1 - i64::try_from(head.argument).map_err(|_| out_of_range)?,
            found => return Err(self.fail(Reason::WrongType { expected: Type::Integer, found })),
        };
        self.at += head.len;
        Ok(value)
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'b [u8], Error> {
        self.string(Type::Bytes)
    }

    /// The head alone of a byte string whose content is not in this input: its length.
    pub fn bytes_head(&mut self) -> Result<u64, Error> {
        Ok(self.take(Type::Bytes)?.argument)
    }

    /// The head alone of a map whose entries are not in this input: how many there are.
    pub fn map_head(&mut self) -> Result<u64, Error> {
        Ok(self.take(Type::Map)?.argument)
    }

    /// A byte string of exactly `N` bytes.
    pub fn byte_array<const N: usize>(&mut self) -> Result<&'b [u8; N], Error> {
        let at = self.position();
        let mut ahead = self.clone();
        let bytes = ahead
            .bytes()?
            .try_into()
            .map_err(|_| Error::rule(at, "byte string has another length than the format fixes"))?;
        *self = ahead;
        Ok(bytes)
    }

    /// A reader over the content of a byte string that wraps encoded items.
    pub fn wrapped(&mut self) -> Result<Reader<'b>, Error> {
        let bytes = self.bytes()?;
        Ok(Reader { input: bytes, at: 0, base: self.position() - bytes.len(), order: self.order })
    }

    /// A text string.
    pub fn text(&mut self) -> Result<&'b str, Error> {
        let at = self.position();
        let mut ahead = self.clone();
        let bytes = ahead.string(Type::Text)?;
        let text = core::str::from_utf8(bytes).map_err(|_| Error::new(at, Reason::NotUtf8))?;
        *self = ahead;
        Ok(text)
    }

    /// `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, Error> {
        Ok(self.take(Type::Bool)?.info == 21)
    }

    /// `null`.
    pub fn null(&mut self) -> Result<(), Error> {
        self.take(Type::Null).map(|_| ())
    }

    /// Reads `null` if it stands next, and says whether it did.
    pub fn is_null(&mut self) -> Result<bool, Error> {
        let is_null = self.peek()? == Type::Null;
        if is_null {
            self.null()?;
        }
        Ok(is_null)
    }

    /// A floating-point number of any width, in the shortest form that keeps its value.
    pub fn float(&mut self) -> Result<f64, Error> {
        let head = self.take(Type::Float)?;
        Ok(head.float().unwrap_or_default())
    }

    /// A tag number; the tagged item comes next.
    pub fn tag(&mut self) -> Result<u64, Error> {
        Ok(self.take(Type::Tag)?.argument)
    }

    /// Reads `tag` if it stands next, and says whether it did.
    pub fn is_tag(&mut self, tag: u64) -> Result<bool, Error> {
        let mut ahead = self.clone();
        let found = ahead.peek()? == Type::Tag && ahead.tag()? == tag;
        if found {
            *self = ahead;
        }
        Ok(found)
    }

    /// The head of an array: how many items follow.
    pub fn array(&mut self) -> Result<usize, Error> {
        let head = self.peek_take(Type::Array)?;
        let count = self.count(head, 1)?;
        self.at += head.len;
        Ok(count)
    }

    /// The head of an array of exactly `count` items.
    pub fn array_of(&mut self, count: usize) -> Result<(), Error> {
        let at = self.position();
        let mut ahead = self.clone();
        if ahead.array()? != count {
            return Err(Error::rule(at, "array has another number of items than the format fixes"));
        }
        *self = ahead;
        Ok(())
    }

    /// The head of a map; step through its entries with [`MapCursor::next`].
    pub fn map(&mut self) -> Result<MapCursor<'b>, Error> {
        let head = self.peek_take(Type::Map)?;
        let count = self.count(head, 2)?;
        self.at += head.len;
        Ok(MapCursor::new(count, self.order))
    }

    /// The bytes of the next item, checked for well-formedness to its end.
    pub fn raw(&mut self) -> Result<&'b [u8], Error> {
        let start = self.at;
        self.skip()?;
        Ok(self.input.get(start..self.at).unwrap_or_default())
    }

    /// Passes over the next item, checked as by [`Reader::raw`].
    pub fn skip(&mut self) -> Result<(), Error> {
        let end = crate::skip::item_end(self.input, self.at, self.base, self.order)?;
        self.at = end;
        Ok(())
    }

    /// A map key, and the bytes that encode it.
    pub(crate) fn key(&mut self) -> Result<(Key<'b>, &'b [u8]), Error> {
        let raw = self.clone().raw()?;
        let key = match self.peek()? {
            Type::Unsigned | Type::Negative => match self.clone().int() {
                Ok(value) => Key::Int(value),
                Err(_) => Key::Other(raw),
            },
            Type::Text => Key::Text(self.clone().text()?),
            _ => Key::Other(raw),
        };
        self.at += raw.len();
        Ok((key, raw))
    }

    fn head(&self) -> Result<Head, Error> {
        let head = Head::read(self.input, self.at, self.base)?;
        if !head.is_shortest() {
            return Err(self.fail(Reason::NotShortest));
        }
        Ok(head)
    }

    fn peek_take(&self, expected: Type) -> Result<Head, Error> {
        let head = self.head()?;
        if head.kind() != expected {
            return Err(self.fail(Reason::WrongType { expected, found: head.kind() }));
        }
        if head.info == INDEFINITE {
            return Err(self.fail(Reason::IndefiniteLength));
        }
        Ok(head)
    }

    fn take(&mut self, expected: Type) -> Result<Head, Error> {
        let head = self.peek_take(expected)?;
        self.at += head.len;
        Ok(head)
    }

    fn string(&mut self, expected: Type) -> Result<&'b [u8], Error> {
        let head = self.peek_take(expected)?;
        let truncated = self.fail(Reason::Truncated);
        let start = self.at + head.len;
        let len = usize::try_from(head.argument).map_err(|_| truncated)?;
        let end = start.checked_add(len).ok_or(truncated)?;
        let bytes = self.input.get(start..end).ok_or(truncated)?;
        self.at = end;
        Ok(bytes)
    }

    /// A declared count is believed only if the input could hold it: each entry takes at least `least` bytes.
    fn count(&self, head: Head, least: usize) -> Result<usize, Error> {
        let left = self.input.len() - self.at - head.len;
        usize::try_from(head.argument)
            .ok()
            .filter(|count| count.checked_mul(least).is_some_and(|needed| needed <= left))
            .ok_or(self.fail(Reason::Truncated))
    }
}
