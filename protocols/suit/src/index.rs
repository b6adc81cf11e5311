use alloc::{string::String, string::ToString as _, vec::Vec};

use cbor::{Error as CborError, Reader, Reason, Type, Writer};

use crate::{
    Error, Feature, labels,
    limits::{MAX_ENVELOPE_LEN, MAX_PAYLOADS, MAX_URI_LEN},
};

/// What is in an envelope that lies elsewhere: everything but the integrated payloads, and where those are.
///
/// Its head is an envelope of its own, to be decoded and verified as any other: signatures never cover payloads, only
/// the digests of them that the manifest holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeIndex {
    head: Vec<u8>,
    payloads: Vec<IndexedPayload>,
}

/// An integrated payload that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedPayload {
    /// The text it is keyed with.
    pub uri: String,
    /// Offset of its first byte in the envelope.
    pub offset: u64,
    /// How many bytes it has.
    pub len: u64,
}

impl EnvelopeIndex {
    /// Reads an envelope at hand in the way that one elsewhere is read.
    pub fn of(envelope: &[u8]) -> Result<Self, Error> {
        let mut reader = EnvelopeReader::new(envelope.len() as u64);
        reader.take(envelope)?;
        reader.finish()
    }

    /// The envelope without its payloads, its members as they came; at most [`MAX_ENVELOPE_LEN`] bytes and a few.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The payload keyed with a text.
    pub fn payload(&self, uri: &str) -> Option<&IndexedPayload> {
        self.payloads.iter().find(|payload| payload.uri == uri)
    }

    /// All payloads, in their order.
    pub fn payloads(&self) -> &[IndexedPayload] {
        &self.payloads
    }
}

/// Reads the head of an envelope that lies elsewhere, and the directory of its payloads.
///
/// Ask [`EnvelopeReader::wanted`] which bytes are needed next, and give them to [`EnvelopeReader::take`], until nothing
/// is wanted. Payloads are passed over. Memory is bounded by [`MAX_ENVELOPE_LEN`] for everything that is not a payload,
/// whatever the bytes say, and so is the number of questions.
///
/// It takes less than [`crate::Envelope::decode`]: every payload stands behind every other member, as deterministic
/// encoders write them anyway, so that nothing of a payload comes before the manifest is verified.
#[derive(Clone, Debug)]
pub struct EnvelopeReader {
    len: u64,
    /// Offset of the first byte of `window` in the envelope.
    base: u64,
    /// Bytes that came and are not understood yet.
    window: Vec<u8>,
    /// How many bytes `window` must have for the next step.
    need: usize,
    /// Entries that are left; nothing before the head of the map came.
    left: Option<u64>,
    tagged: bool,
    /// The members that are no payloads, as they came.
    members: Vec<u8>,
    labels: Vec<i64>,
    payloads: Vec<IndexedPayload>,
    /// Bytes of everything that is no payload.
    kept: usize,
}

/// What one step came to.
enum Step {
    /// The entry was read, up to this offset in the window.
    Entry(usize),
    /// The entry is a payload, passed over: its end in the envelope.
    Payload(u64),
    /// So many bytes must be in the window.
    Need(usize),
}

/// Bytes asked for at a time at least, where the envelope has them.
const WINDOW: usize = 4096;
/// Bytes of the longest head of an item.
const MAX_HEAD: usize = 9;

impl EnvelopeReader {
    /// A reader of an envelope of this many bytes.
    pub fn new(len: u64) -> Self {
        Self {
            len,
            base: 0,
            window: Vec::new(),
            need: 1,
            left: None,
            tagged: false,
            members: Vec::new(),
            labels: Vec::new(),
            payloads: Vec::new(),
            kept: 0,
        }
    }

    /// The bytes to give next: their offset in the envelope, and how many are of use; at least one. Nothing once the
    /// directory is complete.
    pub fn wanted(&self) -> Option<(u64, usize)> {
        if self.left == Some(0) {
            return None;
        }
        let offset = self.base.saturating_add(self.window.len() as u64);
        let missing = self.need.saturating_sub(self.window.len()).max(1);
        let rest = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        Some((offset, missing.max(WINDOW).min(rest).max(1)))
    }

    /// Takes bytes that begin at the offset last wanted: some of those wanted, or more.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some((first, _)) = self.wanted() else { return Ok(()) };
        self.advance()?;
        while let Some((offset, count)) = self.wanted() {
            let start = usize::try_from(offset.saturating_sub(first)).unwrap_or(usize::MAX);
            let left = bytes.get(start..).unwrap_or_default();
            let piece = left.get(..count.min(left.len())).unwrap_or_default();
            if piece.is_empty() {
                return Ok(());
            }
            self.window.extend_from_slice(piece);
            self.advance()?;
        }
        Ok(())
    }

    /// What was read, once nothing more is wanted.
    pub fn finish(self) -> Result<EnvelopeIndex, Error> {
        if self.left != Some(0) {
            return Err(self.malformed(0, Reason::Truncated));
        }
        let head = Writer::encode(|w| {
            if self.tagged {
                w.tag(labels::TAG_ENVELOPE);
            }
            w.map(self.labels.len());
        });
        Ok(EnvelopeIndex { head: [head, self.members].concat(), payloads: self.payloads })
    }

    /// Understands as much of the window as there is.
    fn advance(&mut self) -> Result<(), Error> {
        while self.left != Some(0) {
            if self.window.len() < self.need {
                // What is needed lies in the envelope, or it is cut short.
                let end = self.base.saturating_add(self.need as u64);
                return if end > self.len { Err(self.malformed(0, Reason::Truncated)) } else { Ok(()) };
            }
            match self.step()? {
                Step::Need(need) => self.need = need.max(self.window.len() + 1),
                Step::Entry(end) => {
                    self.window.drain(..end.min(self.window.len()));
                    self.base = self.base.saturating_add(end as u64);
                    self.need = 1;
                    self.count_down()?;
                }
                Step::Payload(end) => {
                    let passed = usize::try_from(end.saturating_sub(self.base)).unwrap_or(usize::MAX);
                    self.window.drain(..passed.min(self.window.len()));
                    self.base = end;
                    self.need = 1;
                    self.count_down()?;
                }
            }
        }
        Ok(())
    }

    /// Notes that an entry was read; the last one ends the envelope.
    fn count_down(&mut self) -> Result<(), Error> {
        let Some(left) = self.left.as_mut().filter(|left| **left > 0) else { return Ok(()) };
        *left -= 1;
        if *left == 0 && self.base != self.len {
            return Err(self.malformed(0, Reason::TrailingBytes));
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Step, Error> {
        let at = usize::try_from(self.base).unwrap_or(usize::MAX);
        let window = core::mem::take(&mut self.window);
        let mut reader = Reader::new(&window).at_offset(at);
        let step = match self.left {
            None => self.begin(&mut reader),
            Some(_) => self.entry(&mut reader),
        };
        let step = match step {
            // More may come of what ends too early, up to what the longest entry has.
            Err(Error::Malformed(CborError { reason: Reason::Truncated, .. }))
                if window.len() < MAX_KEY + MAX_HEAD =>
            {
                Ok(Step::Need(window.len() + 1))
            }
            step => step,
        };
        self.window = window;
        step
    }

    /// The tag and the head of the map.
    fn begin(&mut self, reader: &mut Reader<'_>) -> Result<Step, Error> {
        let start = reader.position();
        self.tagged = reader.is_tag(labels::TAG_ENVELOPE)?;
        if !self.tagged && reader.is_tag(labels::TAG_LEGACY_ENVELOPE)? {
            return Err(Error::Unsupported { at: start, feature: Feature::LegacyDraft });
        }
        let at = reader.position();
        let count = reader.map_head()?;
        let limit = MAX_PAYLOADS + MAX_MEMBERS;
        if count > limit as u64 {
            return Err(CborError::new(at, Reason::TooLong { limit }).into());
        }
        if count == 0 {
            return Err(CborError::rule(at, "envelope is empty").into());
        }
        // The head of the map is no entry; it is counted as one that this step ends.
        self.left = Some(count + 1);
        self.keep(at, reader.position() - start)?;
        Ok(Step::Entry(reader.position() - start))
    }

    /// A key, and what can be known of its value.
    fn entry(&mut self, reader: &mut Reader<'_>) -> Result<Step, Error> {
        let start = reader.position();
        let mut ahead = reader.clone();
        // A long key is refused before more of it is asked for.
        if ahead.peek()? == Type::Text {
            return self.payload(&mut ahead, start);
        }
        let label = ahead.int().map_err(|error| match error.reason {
            Reason::WrongType { .. } => CborError::rule(start, "envelope key is neither integer nor text"),
            _ => error,
        })?;
        if self.labels.contains(&label) {
            return Err(CborError::new(start, Reason::DuplicateKey).into());
        }
        if !self.payloads.is_empty() {
            return Err(CborError::rule(start, "a payload stands before a member of the envelope").into());
        }
        let len = ahead.bytes_head()?;
        let head = ahead.position() - start;
        let total = usize::try_from(len).ok().and_then(|len| len.checked_add(head));
        let total = total.filter(|total| *total <= MAX_ENVELOPE_LEN);
        let too_long = CborError::new(start, Reason::TooLong { limit: MAX_ENVELOPE_LEN });
        let total = total.ok_or(too_long)?;
        self.fits(start, total)?;
        let Some(entry) = reader.rest().get(..total) else { return Ok(Step::Need(total)) };
        self.keep(start, total)?;
        self.members.extend_from_slice(entry);
        self.labels.push(label);
        Ok(Step::Entry(total))
    }

    fn payload(&mut self, ahead: &mut Reader<'_>, start: usize) -> Result<Step, Error> {
        let key = match ahead.text() {
            Ok(key) => key,
            // A long key is refused before more of it is asked for.
            Err(CborError { reason: Reason::Truncated, .. }) if ahead.rest().len() > MAX_KEY => {
                return Err(CborError::new(start, Reason::TooLong { limit: MAX_URI_LEN }).into());
            }
            Err(error) => return Err(error.into()),
        };
        if key.len() > MAX_URI_LEN {
            return Err(CborError::new(start, Reason::TooLong { limit: MAX_URI_LEN }).into());
        }
        if self.payloads.iter().any(|payload| payload.uri == key) {
            return Err(CborError::new(start, Reason::DuplicateKey).into());
        }
        if self.payloads.len() == MAX_PAYLOADS {
            return Err(CborError::new(start, Reason::TooLong { limit: MAX_PAYLOADS }).into());
        }
        let uri = key.to_string();
        let len = ahead.bytes_head()?;
        let head = ahead.position() - start;
        let offset = self.base.saturating_add(head as u64);
        let end = offset.checked_add(len).filter(|end| *end <= self.len);
        // Not `Truncated`, of which more might come: there is no more.
        let end = end.ok_or(CborError::rule(start, "a payload ends behind the envelope"))?;
        self.keep(start, head)?;
        self.payloads.push(IndexedPayload { uri, offset, len });
        Ok(Step::Payload(end))
    }

    /// Counts bytes that are no payload.
    fn keep(&mut self, at: usize, count: usize) -> Result<(), Error> {
        self.fits(at, count)?;
        self.kept += count;
        Ok(())
    }

    fn fits(&self, at: usize, count: usize) -> Result<(), Error> {
        if self.kept + count > MAX_ENVELOPE_LEN {
            return Err(CborError::new(at, Reason::TooLong { limit: MAX_ENVELOPE_LEN }).into());
        }
        Ok(())
    }

    fn malformed(&self, at: usize, reason: Reason) -> Error {
        CborError::new(usize::try_from(self.base).unwrap_or(usize::MAX).saturating_add(at), reason).into()
    }
}

/// Bytes of the longest key of a payload.
const MAX_KEY: usize = MAX_HEAD + MAX_URI_LEN;
/// Entries of an envelope that are no payloads: its two members, and those that can be severed.
const MAX_MEMBERS: usize = 2 + crate::Severable::ALL.len();
