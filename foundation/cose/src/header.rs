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

/// One bucket of header parameters: labels and the encoded bytes of their values, in received order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket<'b> {
    entries: Vec<Entry<'b>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Every label with its encoded value.
    pub fn iter(&self) -> impl Iterator<Item = (Label<'b>, &'b [u8])> + '_ {
        self.entries.iter().map(|entry| (entry.label, entry.value))
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        let start = reader.position();
        let mut map = reader.map()?;
        if map.remaining() > MAX_HEADERS {
            return Err(Fault::too_long(start, MAX_HEADERS));
        }
        let mut entries = Vec::with_capacity(map.remaining());
        loop {
            let key_at = reader.position();
            let label = match map.next(reader)? {
                None => return Ok(Self { entries }),
                Some(cbor::Key::Int(label)) => Label::Int(label),
                Some(cbor::Key::Text(label)) => Label::Text(label),
                Some(cbor::Key::Other(_)) => {
                    return Err(Fault::rule(key_at, "header label is neither a number nor a text"));
                }
            };
            let at = reader.position();
            entries.push(Entry { label, value: reader.raw()?, at });
        }
    }

    fn find(&self, label: Label<'_>) -> Option<&Entry<'b>> {
        self.entries.iter().find(|entry| entry.label == label)
    }
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
    x5chain: Vec<&'b [u8]>,
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
    pub fn x5chain(&self) -> &[&'b [u8]] {
        &self.x5chain
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

        if let Some(twice) = unprotected.entries.iter().find(|entry| protected.find(entry.label).is_some()) {
            return Err(Fault::rule(twice.at, "header parameter is in both buckets"));
        }
        if let Some(crit) = unprotected.find(Label::Int(labels::CRIT)) {
            return Err(Fault::rule(crit.at, "list of critical header parameters is not protected"));
        }
        if let Some(crit) = protected.find(Label::Int(labels::CRIT)) {
            check_critical(crit, &protected, understood)?;
        }

        let mut this = Self { protected_raw, protected, unprotected, ..Self::default() };
        this.read_known()?;
        Ok(this)
    }

    /// Reads the parameters that this crate knows.
    fn read_known(&mut self) -> Result<(), Fault> {
        if let Some(mut reader) = self.value(labels::ALG) {
            if reader.peek()? == Type::Text {
                reader.text()?;
                return Err(Feature::NamedAlgorithm.into());
            }
            let protected = self.protected.get(labels::ALG).is_some();
            self.algorithm = Some(Algorithm { id: reader.int()?, protected });
        }
        if let Some(mut reader) = self.value(labels::CONTENT_TYPE) {
            self.content_type = Some(match reader.peek()? {
                Type::Text => ContentType::MediaType(reader.text()?),
                _ => ContentType::Format(reader.uint()?),
            });
        }
        if let Some(mut reader) = self.value(labels::KID) {
            self.kid = Some(reader.bytes()?);
        }
        if let Some(reader) = self.value(labels::X5CHAIN) {
            self.x5chain = read_x5chain(reader)?;
        }
        if let Some(reader) = self.value(labels::X5T) {
            self.x5t = Some(read_x5t(reader)?);
        }
        Ok(())
    }

    /// The value of a parameter in either bucket.
    fn value(&self, label: i64) -> Option<Reader<'b>> {
        let label = Label::Int(label);
        let entry = self.protected.find(label).or_else(|| self.unprotected.find(label))?;
        Some(Reader::with_order(entry.value, Order::Unique).at_offset(entry.at))
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
    let mut reader = Reader::with_order(crit.value, Order::Unique).at_offset(crit.at);
    let count = reader.array()?;
    if count == 0 {
        return Err(Fault::rule(crit.at, "list of critical header parameters is empty"));
    }
    for _ in 0..count {
        let at = reader.position();
        let label = match reader.peek()? {
            Type::Text => Label::Text(reader.text()?),
            _ => Label::Int(reader.int()?),
        };
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

/// One certificate as a byte string, or an array of them.
fn read_x5chain(mut reader: Reader<'_>) -> Result<Vec<&[u8]>, Fault> {
    if reader.peek()? == Type::Bytes {
        return Ok(Vec::from([reader.bytes()?]));
    }
    let at = reader.position();
    match reader.array()? {
        0 => Err(Fault::rule(at, "certificate chain is empty")),
        count if count > MAX_CERTIFICATES => Err(Fault::too_long(at, MAX_CERTIFICATES)),
        count => {
            let mut chain = Vec::with_capacity(count);
            for _ in 0..count {
                chain.push(reader.bytes()?);
            }
            Ok(chain)
        }
    }
}

fn read_x5t(mut reader: Reader<'_>) -> Result<(i64, &[u8]), Fault> {
    reader.array_of(2)?;
    Ok((reader.int()?, reader.bytes()?))
}
