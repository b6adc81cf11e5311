use super::{Fault, MapCursor};
use crate::{
    Key, Order, Reason, Type,
    head::{Head, INDEFINITE},
};

/// Whether short heads have a way of their own. Where nothing stands between the program and the board, room is scarcer than
/// time.
const QUICK: bool = cfg!(not(target_os = "none"));

/// Reads one item after another from borrowed bytes, as [`crate::Reader`] does. After a fault its position is open.
#[derive(Clone, Debug)]
pub struct Reader<'b> {
    /// What is left to read.
    rest: &'b [u8],
    /// Where it stands in the outermost input, so that errors inside wrapped byte strings point into the whole.
    at: usize,
    order: Order,
}

impl<'b> Reader<'b> {
    /// A reader that demands deterministic encoding.
    pub fn new(input: &'b [u8]) -> Self {
        Self { rest: input, at: 0, order: Order::Deterministic }
    }

    /// A reader that accepts map keys in any order, but none twice.
    pub fn with_order(input: &'b [u8], order: Order) -> Self {
        Self { order, ..Self::new(input) }
    }

    /// The same reader with its input, of which nothing was read, placed at `base` of a larger one.
    pub fn at_offset(self, base: usize) -> Self {
        Self { at: base, ..self }
    }

    /// Offset of the next item from the start of the outermost input.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Which orders of map keys are accepted.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Bytes not yet read.
    pub fn rest(&self) -> &'b [u8] {
        self.rest
    }

    /// Refuses bytes after the last item.
    pub fn end(&self) -> Result<(), Fault> {
        if self.is_empty() { Ok(()) } else { Err(self.fail(Reason::TrailingBytes)) }
    }

    /// A fault at the current position.
    pub fn fail(&self, reason: Reason) -> Fault {
        Fault::new(self.position(), reason)
    }

    /// The kind of the next item.
    pub fn peek(&self) -> Result<Type, Fault> {
        let head = match self.rest.first() {
            Some(first) if QUICK && first & 0x1f < 24 => Head::short(*first),
            _ => Head::read(self.rest, self.at)?,
        };
        Ok(head.kind())
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> Result<u64, Fault> {
        self.take(Type::Unsigned)
    }

    /// An unsigned integer that fits a narrower type.
    pub fn uint_as<T: TryFrom<u64>>(&mut self) -> Result<T, Fault> {
        let at = self.position();
        T::try_from(self.uint()?).map_err(|_| Fault::new(at, Reason::OutOfRange))
    }

    /// An integer of either sign.
    pub fn int(&mut self) -> Result<i64, Fault> {
        let head = self.head()?;
        let kind = head.kind();
        if !matches!(kind, Type::Unsigned | Type::Negative) {
            return Err(self.fail(Reason::WrongType { expected: Type::Integer, found: kind }));
        }
        let value = head.argument as i64;
        if value < 0 {
            return Err(self.fail(Reason::OutOfRange));
        }
        self.advance(head.len);
        Ok(if kind == Type::Negative { -1 - value } else { value })
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'b [u8], Fault> {
        self.string(Type::Bytes)
    }

    /// A byte string of exactly `N` bytes.
    pub fn byte_array<const N: usize>(&mut self) -> Result<&'b [u8; N], Fault> {
        let at = self.position();
        let wrong = |_| Fault::rule(at, "byte string has another length than the format fixes");
        self.bytes()?.try_into().map_err(wrong)
    }

    /// A reader over the content of a byte string that wraps encoded items.
    pub fn wrapped(&mut self) -> Result<Self, Fault> {
        let bytes = self.bytes()?;
        Ok(Self { rest: bytes, at: self.at - bytes.len(), order: self.order })
    }

    /// A text string.
    pub fn text(&mut self) -> Result<&'b str, Fault> {
        let at = self.position();
        let bytes = self.string(Type::Text)?;
        core::str::from_utf8(bytes).map_err(|_| Fault::new(at, Reason::NotUtf8))
    }

    /// `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, Fault> {
        // A simple value is its own argument (RFC 8949, section 3.3).
        Ok(self.take(Type::Bool)? == 21)
    }

    /// `null`.
    pub fn null(&mut self) -> Result<(), Fault> {
        self.take(Type::Null).map(|_| ())
    }

    /// Reads `null` if it stands next, and says whether it did.
    pub fn is_null(&mut self) -> Result<bool, Fault> {
        let is_null = self.peek()? == Type::Null;
        if is_null {
            self.null()?;
        }
        Ok(is_null)
    }

    /// A floating-point number of any width, in the shortest form that keeps its value.
    pub fn float(&mut self) -> Result<f64, Fault> {
        let head = self.peek_take(Type::Float)?;
        self.advance(head.len);
        Ok(head.float().unwrap_or_default())
    }

    /// A tag number; the tagged item comes next.
    pub fn tag(&mut self) -> Result<u64, Fault> {
        self.take(Type::Tag)
    }

    /// Reads `tag` if it stands next, and says whether it did.
    pub fn is_tag(&mut self, tag: u64) -> Result<bool, Fault> {
        if self.peek()? != Type::Tag {
            return Ok(false);
        }
        let head = self.head()?;
        let found = head.argument == tag;
        if found {
            self.advance(head.len);
        }
        Ok(found)
    }

    /// The head of an array: how many items follow.
    pub fn array(&mut self) -> Result<usize, Fault> {
        self.container(Type::Array, 1)
    }

    /// The head of an array of exactly `count` items.
    pub fn array_of(&mut self, count: usize) -> Result<(), Fault> {
        let at = self.position();
        if self.array()? != count {
            return Err(Fault::rule(at, "array has another number of items than the format fixes"));
        }
        Ok(())
    }

    /// The head of a map; step through its entries with [`MapCursor::next`].
    pub fn map(&mut self) -> Result<MapCursor<'b>, Fault> {
        Ok(MapCursor::new(self.container(Type::Map, 2)?, self.order))
    }

    /// The bytes of the next item, checked for well-formedness to its end.
    pub fn raw(&mut self) -> Result<&'b [u8], Fault> {
        let before = self.rest;
        self.skip()?;
        Ok(self.since(before))
    }

    /// A map key of a map whose keys were held to order and uniqueness before.
    pub fn key(&mut self) -> Result<Key<'b>, Fault> {
        let head = self.head()?;
        let value = head.argument as i64;
        Ok(match head.kind() {
            kind @ (Type::Unsigned | Type::Negative) if value >= 0 => {
                self.advance(head.len);
                Key::Int(if kind == Type::Negative { -1 - value } else { value })
            }
            Type::Text => Key::Text(self.text()?),
            _ => Key::Other(self.raw()?),
        })
    }

    /// Takes an item of a kind whose content, if it has one, is not in this input: its argument.
    pub(crate) fn take(&mut self, expected: Type) -> Result<u64, Fault> {
        let head = self.peek_take(expected)?;
        self.advance(head.len);
        Ok(head.argument)
    }

    #[inline]
    pub(super) fn head(&self) -> Result<Head, Fault> {
        match *self.rest {
            // Most heads are one byte or two.
            [first, ..] if QUICK && first & 0x1f < 24 => Ok(Head::short(first)),
            [first, argument @ 24..=u8::MAX, ..] if QUICK && first & 0x1f == 24 && first < 0xe0 => {
                Ok(Head { major: first >> 5, info: 24, argument: argument.into(), len: 2 })
            }
            _ => self.any_head(),
        }
    }

    #[inline(never)]
    fn any_head(&self) -> Result<Head, Fault> {
        let head = Head::read(self.rest, self.at)?;
        if !head.is_shortest() {
            return Err(self.fail(Reason::NotShortest));
        }
        Ok(head)
    }

    #[inline]
    fn peek_take(&self, expected: Type) -> Result<Head, Fault> {
        let head = self.head()?;
        if head.kind() != expected || head.info == INDEFINITE {
            return Err(self.unexpected(&head, expected));
        }
        Ok(head)
    }

    #[cold]
    #[inline(never)]
    fn unexpected(&self, head: &Head, expected: Type) -> Fault {
        let found = head.kind();
        self.fail(match found == expected {
            true => Reason::IndefiniteLength,
            false => Reason::WrongType { expected, found },
        })
    }

    #[inline(never)]
    fn string(&mut self, expected: Type) -> Result<&'b [u8], Fault> {
        let head = self.peek_take(expected)?;
        let len = self.count(head.argument, 1, self.rest.len() - head.len)?;
        self.advance(head.len);
        Ok(self.advance(len))
    }

    #[inline(never)]
    fn container(&mut self, expected: Type, least: usize) -> Result<usize, Fault> {
        let head = self.peek_take(expected)?;
        let count = self.count(head.argument, least, self.rest.len() - head.len)?;
        self.advance(head.len);
        Ok(count)
    }

    /// A declared count is believed only if the bytes that are left could hold it: each entry takes at least `least`.
    pub(super) fn count(&self, declared: u64, least: usize, left: usize) -> Result<usize, Fault> {
        match usize::try_from(declared) {
            Ok(count) if count.saturating_mul(least) <= left => Ok(count),
            _ => Err(self.fail(Reason::Truncated)),
        }
    }

    /// Passes over bytes, which are there.
    pub(super) fn advance(&mut self, len: usize) -> &'b [u8] {
        let (passed, rest) = self.rest.split_at_checked(len).unwrap_or_default();
        self.rest = rest;
        self.at += passed.len();
        passed
    }

    /// What was read since there was this much left.
    pub(super) fn since(&self, before: &'b [u8]) -> &'b [u8] {
        before.get(..before.len() - self.rest.len()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every head of one byte and of two, and those cut short.
    #[test]
    fn short_heads_are_read_as_all_others() {
        let said = |head: Result<Head, Fault>| {
            let head = head.map(|head| (head.major, head.info, head.argument, head.len));
            head.map_err(crate::Error::from)
        };
        for bytes in (0..=u16::MAX).map(u16::to_be_bytes) {
            for input in [&bytes[..], &bytes[..1], &[]] {
                let reader = Reader::new(input);
                assert_eq!(said(reader.head()), said(reader.any_head()), "{input:02x?}");
                let kind = Head::read(input, 0).map(|head| head.kind());
                assert_eq!(reader.peek().map_err(crate::Error::from), kind.map_err(crate::Error::from));
            }
        }
    }
}
