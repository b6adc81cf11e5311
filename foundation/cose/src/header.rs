use alloc::vec::Vec;

use cbor::{Order, Type, Writer, lean::Reader};

use crate::error::Fault;
use crate::{Distrust, Feature, labels};

/// How many header parameters one bucket may hold.
pub const MAX_HEADERS: usize = 16;

/// How many certificates an `x5chain` may hold.
pub const MAX_CERTIFICATES: usize = 8;

/// Parameters every recipient processes, so that a sender may call them critical.
const UNDERSTOOD: [i64; 3] = [labels::ALG, labels::CONTENT_TYPE, labels::KID];

/// Label of a header parameter (RFC 9052, section 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label<'b> {
    /// A number, registered or private.
    Int(i64),
    /// A name.
    Text(&'b str),
}

impl Label<'_> {
    pub(crate) fn encode(self) -> Vec<u8> {
        Writer::encode(|w| {
            match self {
                Self::Int(label) => w.int(label),
                Self::Text(label) => w.text(label),
            };
        })
    }
}

impl From<i64> for Label<'_> {
    fn from(label: i64) -> Self {
        Self::Int(label)
    }
}

impl<'b> From<&'b str> for Label<'b> {
    fn from(label: &'b str) -> Self {
        Self::Text(label)
    }
}

/// Content type of a payload (RFC 9052, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType<'b> {
    /// A CoAP Content-Format number.
    Format(u64),
    /// A media type.
    MediaType(&'b str),
}

impl From<u64> for ContentType<'_> {
    fn from(format: u64) -> Self {
        Self::Format(format)
    }
}

impl<'b> From<&'b str> for ContentType<'b> {
    fn from(media_type: &'b str) -> Self {
        Self::MediaType(media_type)
    }
}

/// One bucket of header parameters: an encoded map, whose labels are numbers or texts and none of them twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket<'b> {
    /// The map; nothing where even that is left out.
    map: &'b [u8],
    /// Offset of the map in the message.
    at: usize,
}

/// A parameter of a bucket.
#[derive(Clone, Copy)]
struct Entry<'b> {
    label: Label<'b>,
    value: &'b [u8],
    /// Offset of the value in the message.
    at: usize,
}

impl<'b> Bucket<'b> {
    /// The encoded value of a parameter.
    pub fn get<'l>(&self, label: impl Into<Label<'l>>) -> Option<&'b [u8]> {
        self.find(label.into()).map(|entry| entry.value)
    }

    /// Every label with its encoded value, in received order.
    pub fn iter(&self) -> impl Iterator<Item = (Label<'b>, &'b [u8])> + use<'b> {
        self.entries().map(|entry| (entry.label, entry.value))
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.entries().left == 0
    }

    fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        let (before, at) = (reader.rest(), reader.position());
        let mut map = reader.map()?;
        if map.remaining() > MAX_HEADERS {
            return Err(Fault::too_long(at, MAX_HEADERS));
        }
        loop {
            let key_at = reader.position();
            match map.next(reader)? {
                None => break,
                Some(cbor::Key::Other(_)) => {
                    return Err(Fault::rule(key_at, "header label is neither a number nor a text"));
                }
                Some(_) => reader.skip()?,
            }
        }
        let len = before.len() - reader.rest().len();
        Ok(Self { map: before.get(..len).unwrap_or_default(), at })
    }

    fn entries(&self) -> Entries<'b> {
        let mut reader = Reader::with_order(self.map, Order::Unique).at_offset(self.at);
        let left = reader.map().map_or(0, |map| map.remaining());
        Entries { reader, left }
    }

    fn find(&self, label: Label<'_>) -> Option<Entry<'b>> {
        self.entries().find(|entry| entry.label == label)
    }
}

impl<'b> Entry<'b> {
    fn reader(&self) -> Reader<'b> {
        Reader::with_order(self.value, Order::Unique).at_offset(self.at)
    }
}

/// The parameters of a bucket that was read before, so that all of them are there.
struct Entries<'b> {
    reader: Reader<'b>,
    left: usize,
}

impl<'b> Iterator for Entries<'b> {
    type Item = Entry<'b>;

    fn next(&mut self) -> Option<Entry<'b>> {
        self.left = self.left.checked_sub(1)?;
        let label = read_label(&mut self.reader).ok()?;
        let at = self.reader.position();
        Some(Entry { label, value: self.reader.raw().ok()?, at })
    }
}

/// A label, which is a number or a text.
fn read_label<'b>(reader: &mut Reader<'b>) -> Result<Label<'b>, Fault> {
    Ok(match reader.peek()? {
        Type::Text => Label::Text(reader.text()?),
        _ => Label::Int(reader.int()?),
    })
}

/// The header parameters of a message or of one signer (RFC 9052, section 3).
///
/// Unknown parameters are kept and ignored, unless listed as critical. No label occurs twice, in one bucket or in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers<'b> {
    protected_raw: &'b [u8],
    protected: Bucket<'b>,
    unprotected: Bucket<'b>,
    algorithm: Option<Algorithm>,
    content_type: Option<ContentType<'b>>,
    kid: Option<&'b [u8]>,
    /// The encoded value of `x5chain`, which was checked; nothing when absent.
    x5chain: &'b [u8],
    x5t: Option<(i64, &'b [u8])>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Algorithm {
    id: i64,
    protected: bool,
}

impl<'b> Headers<'b> {
    /// The received bytes of the protected bucket: an encoded map, or nothing.
    pub fn protected_raw(&self) -> &'b [u8] {
        self.protected_raw
    }

    /// The parameters a signature or tag covers.
    pub fn protected(&self) -> &Bucket<'b> {
        &self.protected
    }

    /// The parameters anyone on the way may have changed.
    pub fn unprotected(&self) -> &Bucket<'b> {
        &self.unprotected
    }

    /// The encoded value of a parameter in either bucket.
    pub fn get<'l>(&self, label: impl Into<Label<'l>>) -> Option<&'b [u8]> {
        let label = label.into();
        self.protected.get(label).or_else(|| self.unprotected.get(label))
    }

    /// Content type of the payload, from either bucket.
    pub fn content_type(&self) -> Option<ContentType<'b>> {
        self.content_type
    }

    /// Key identifier, from either bucket. A hint: it is not unique, and proves nothing.
    pub fn kid(&self) -> Option<&'b [u8]> {
        self.kid
    }

    /// Certificates in DER, end entity first (RFC 9360, section 2), from either bucket; none when absent.
    pub fn x5chain(&self) -> Vec<&'b [u8]> {
        let mut chain = Vec::new();
        // What was checked is read without fault; an absent chain is the fault that makes an empty list.
        _ = each_certificate(Reader::new(self.x5chain), &mut |certificate| chain.push(certificate));
        chain
    }

    /// Hash algorithm (COSE number) and hash of the end-entity certificate (RFC 9360, section 2).
    pub fn x5t(&self) -> Option<(i64, &'b [u8])> {
        self.x5t
    }

    /// Reads both buckets; `understood` are the labels the caller processes beyond those of this crate.
    pub(crate) fn read(reader: &mut Reader<'b>, understood: &[i64]) -> Result<Self, Fault> {
        let mut wrapped = reader.wrapped()?;
        let protected_raw = wrapped.rest();
        let protected =
            if protected_raw.is_empty() { Bucket::default() } else { Bucket::read(&mut wrapped)? };
        wrapped.end()?;
        let unprotected = Bucket::read(reader)?;

        let mut this = Self { protected_raw, protected, unprotected, ..Self::default() };
        if let Some(twice) = unprotected.entries().find(|entry| protected.find(entry.label).is_some()) {
            return Err(Fault::rule(twice.at, "header parameter is in both buckets"));
        }
        for entry in protected.entries() {
            if entry.label == Label::Int(labels::CRIT) {
                check_critical(&entry, &protected, understood)?;
            }
            this.read_known(&entry, true)?;
        }
        for entry in unprotected.entries() {
            if entry.label == Label::Int(labels::CRIT) {
                return Err(Fault::rule(entry.at, "list of critical header parameters is not protected"));
            }
            this.read_known(&entry, false)?;
        }
        Ok(this)
    }

    /// Reads a parameter if this crate knows it.
    fn read_known(&mut self, entry: &Entry<'b>, protected: bool) -> Result<(), Fault> {
        let Label::Int(label) = entry.label else { return Ok(()) };
        let mut reader = entry.reader();
        match label {
            labels::ALG => {
                if reader.peek()? == Type::Text {
                    return Err(Feature::NamedAlgorithm.into());
                }
                self.algorithm = Some(Algorithm { id: reader.int()?, protected });
            }
            labels::CONTENT_TYPE => {
                self.content_type = Some(match reader.peek()? {
                    Type::Text => ContentType::MediaType(reader.text()?),
                    _ => ContentType::Format(reader.uint()?),
                });
            }
            labels::KID => self.kid = Some(reader.bytes()?),
            labels::X5CHAIN => {
                each_certificate(reader, &mut |_| {})?;
                self.x5chain = entry.value;
            }
            labels::X5T => self.x5t = Some(read_x5t(reader)?),
            _ => {}
        }
        Ok(())
    }

    /// The value of a parameter in either bucket.
    fn value(&self, label: i64) -> Option<Reader<'b>> {
        let label = Label::Int(label);
        let entry = self.protected.find(label).or_else(|| self.unprotected.find(label))?;
        Some(entry.reader())
    }

    /// The algorithm from either bucket, and whether it is protected.
    pub(crate) fn algorithm(&self) -> Option<(i64, bool)> {
        self.algorithm.map(|algorithm| (algorithm.id, algorithm.protected))
    }

    /// A byte string in either bucket, and its offset.
    pub(crate) fn bytes(&self, label: i64) -> Result<Option<(&'b [u8], usize)>, Fault> {
        let Some(mut reader) = self.value(label) else { return Ok(None) };
        let at = reader.position();
        Ok(Some((reader.bytes()?, at)))
    }

    /// The algorithm, which must be in the protected bucket.
    pub(crate) fn protected_algorithm(&self) -> Result<i64, Fault> {
        match self.algorithm {
            Some(Algorithm { id, protected: true }) => Ok(id),
            _ => Err(Distrust::AlgorithmNotProtected.into()),
        }
    }
}

/// Every label listed as critical is present in the protected bucket and understood (RFC 9052, section 3.1).
fn check_critical(crit: &Entry<'_>, protected: &Bucket<'_>, understood: &[i64]) -> Result<(), Fault> {
    let mut reader = crit.reader();
    let count = reader.array()?;
    if count == 0 {
        return Err(Fault::rule(crit.at, "list of critical header parameters is empty"));
    }
    for _ in 0..count {
        let at = reader.position();
        let label = read_label(&mut reader)?;
        if protected.find(label).is_none() {
            return Err(Fault::rule(at, "critical header parameter is not in the protected bucket"));
        }
        match label {
            Label::Int(label) if UNDERSTOOD.contains(&label) || understood.contains(&label) => {}
            Label::Int(label) => return Err(Feature::CriticalHeader(label).into()),
            Label::Text(_) => return Err(Feature::NamedCriticalHeader.into()),
        }
    }
    Ok(())
}

/// Calls a function with one certificate that is a byte string, or with each of an array of them.
fn each_certificate<'b>(mut reader: Reader<'b>, see: &mut dyn FnMut(&'b [u8])) -> Result<(), Fault> {
    let at = reader.position();
    let count = match reader.peek()? {
        Type::Bytes => 1,
        _ => match reader.array()? {
            0 => return Err(Fault::rule(at, "certificate chain is empty")),
            count if count > MAX_CERTIFICATES => return Err(Fault::too_long(at, MAX_CERTIFICATES)),
            count => count,
        },
    };
    for _ in 0..count {
        see(reader.bytes()?);
    }
    Ok(())
}

fn read_x5t(mut reader: Reader<'_>) -> Result<(i64, &[u8]), Fault> {
    reader.array_of(2)?;
    Ok((reader.int()?, reader.bytes()?))
}
