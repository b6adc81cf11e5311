use crate::{
    Error, MapCursor, Reason, Type,
    lean::{self, Fault},
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
pub struct Reader<'b>(lean::Reader<'b>);

impl<'b> Reader<'b> {
    /// A reader that demands deterministic encoding.
    pub fn new(input: &'b [u8]) -> Self {
        Self(lean::Reader::new(input))
    }

    /// A reader that accepts map keys in any order, but none twice.
    pub fn with_order(input: &'b [u8], order: Order) -> Self {
        Self(lean::Reader::with_order(input, order))
    }

    /// The same reader with its input placed at `base` of a larger one.
    pub fn at_offset(self, base: usize) -> Self {
        Self(self.0.at_offset(base))
    }

    /// The same reader for code that must be small. After one of its faults the position is open.
    pub fn lean(&mut self) -> &mut lean::Reader<'b> {
        &mut self.0
    }

    /// Offset of the next item from the start of the outermost input.
    pub fn position(&self) -> usize {
        self.0.position()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which orders of map keys are accepted.
    pub fn order(&self) -> Order {
        self.0.order()
    }

    /// Bytes not yet read.
    pub fn rest(&self) -> &'b [u8] {
        self.0.rest()
    }

    /// Refuses bytes after the last item.
    pub fn end(&self) -> Result<(), Error> {
        Ok(self.0.end()?)
    }

    /// An error at the current position.
    pub fn fail(&self, reason: Reason) -> Error {
        Error::new(self.position(), reason)
    }

    /// The kind of the next item.
    pub fn peek(&self) -> Result<Type, Error> {
        Ok(self.0.peek()?)
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> Result<u64, Error> {
        self.read(lean::Reader::uint)
    }

    /// An unsigned integer that fits a narrower type.
    pub fn uint_as<T: TryFrom<u64>>(&mut self) -> Result<T, Error> {
        self.read(lean::Reader::uint_as)
    }

    /// An integer of either sign.
    pub fn int(&mut self) -> Result<i64, Error> {
        self.read(lean::Reader::int)
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'b [u8], Error> {
        self.read(lean::Reader::bytes)
    }

    /// The head alone of a byte string whose content is not in this input: its length.
    pub fn bytes_head(&mut self) -> Result<u64, Error> {
        self.read(|reader| reader.take(Type::Bytes))
    }

    /// The head alone of a map whose entries are not in this input: how many there are.
    pub fn map_head(&mut self) -> Result<u64, Error> {
        self.read(|reader| reader.take(Type::Map))
    }

    /// A byte string of exactly `N` bytes.
    pub fn byte_array<const N: usize>(&mut self) -> Result<&'b [u8; N], Error> {
        self.read(lean::Reader::byte_array)
    }

    /// A reader over the content of a byte string that wraps encoded items.
    pub fn wrapped(&mut self) -> Result<Self, Error> {
        self.read(lean::Reader::wrapped).map(Self)
    }

    /// A text string.
    pub fn text(&mut self) -> Result<&'b str, Error> {
        self.read(lean::Reader::text)
    }

    /// `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, Error> {
        self.read(lean::Reader::bool)
    }

    /// `null`.
    pub fn null(&mut self) -> Result<(), Error> {
        self.read(lean::Reader::null)
    }

    /// Reads `null` if it stands next, and says whether it did.
    pub fn is_null(&mut self) -> Result<bool, Error> {
        self.read(lean::Reader::is_null)
    }

    /// A floating-point number of any width, in the shortest form that keeps its value.
    pub fn float(&mut self) -> Result<f64, Error> {
        self.read(lean::Reader::float)
    }

    /// A tag number; the tagged item comes next.
    pub fn tag(&mut self) -> Result<u64, Error> {
        self.read(lean::Reader::tag)
    }

    /// Reads `tag` if it stands next, and says whether it did.
    pub fn is_tag(&mut self, tag: u64) -> Result<bool, Error> {
        self.read(|reader| reader.is_tag(tag))
    }

    /// The head of an array: how many items follow.
    pub fn array(&mut self) -> Result<usize, Error> {
        self.read(lean::Reader::array)
    }

    /// The head of an array of exactly `count` items.
    pub fn array_of(&mut self, count: usize) -> Result<(), Error> {
        self.read(|reader| reader.array_of(count))
    }

    /// The head of a map; step through its entries with [`MapCursor::next`].
    pub fn map(&mut self) -> Result<MapCursor<'b>, Error> {
        self.read(lean::Reader::map).map(MapCursor)
    }

    /// The bytes of the next item, checked for well-formedness to its end.
    pub fn raw(&mut self) -> Result<&'b [u8], Error> {
        self.read(lean::Reader::raw)
    }

    /// Passes over the next item, checked as by [`Reader::raw`].
    pub fn skip(&mut self) -> Result<(), Error> {
        self.read(lean::Reader::skip)
    }

    /// Reads something, or nothing and stays.
    pub(crate) fn read<T>(
        &mut self,
        read: impl FnOnce(&mut lean::Reader<'b>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let before = self.0.clone();
        read(&mut self.0).map_err(|fault| {
            self.0 = before;
            fault.into()
        })
    }
}
