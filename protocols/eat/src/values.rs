//! Values of claims, well-formed by construction.

use alloc::{string::String, vec::Vec};
use core::fmt;

use cbor::{Error, Reader, Reason, Type, Writer};

/// How many bytes one text of a claim may have.
pub(crate) const MAX_TEXT_LEN: usize = 4096;

/// How many entries one array or map of a claim may have.
pub(crate) const MAX_ENTRIES: usize = 1024;

/// eat_nonce, one of them (RFC 9711, section 4.1): 8 to 64 bytes. Comparison takes constant time.
#[derive(Clone, Debug)]
pub struct Nonce(Vec<u8>);

/// ueid (RFC 9711, section 4.2.1): 7 to 33 bytes that name one device. The bytes are opaque.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ueid(Vec<u8>);

/// oemid (RFC 9711, section 4.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OemId {
    /// Private Enterprise Number.
    Pen(u64),
    /// IEEE MA-L or CID.
    Ieee([u8; 3]),
    /// A random number.
    Random([u8; 16]),
}

/// dbgstat (RFC 9711, section 4.2.9); each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DebugStatus {
    /// Debugging is possible.
    Enabled,
    /// Debugging is disabled.
    Disabled,
    /// Debugging has been disabled since boot.
    DisabledSinceBoot,
    /// Only the OEM can enable debugging.
    DisabledPermanently,
    /// Nobody can enable debugging.
    DisabledFullyAndPermanently,
}

/// eat_profile (RFC 9711, section 4.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A URI.
    Uri(String),
    /// The content of a BER object identifier.
    Oid(Vec<u8>),
}

/// hwversion and swversion (RFC 9711, sections 4.2.5 and 4.2.7): a version, and the scheme it is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionText {
    /// The version.
    pub text: String,
    /// The scheme, by the registry of RFC 9393, section 4.1.
    pub scheme: Option<VersionScheme>,
}

/// A version scheme: a number of the registry, or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionScheme {
    /// A number.
    Int(i64),
    /// A name.
    Text(String),
}

/// An entry of manifests or measurements (RFC 9711, sections 4.2.15 and 4.2.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// CoAP Content-Format of the body.
    pub format: u16,
    /// The body, not decoded.
    pub body: ContentBody,
}

/// The body of a manifest or measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentBody {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text, for formats in JSON.
    Text(String),
}

/// measres of one measurement system (RFC 9711, section 4.2.17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasurementResults {
    /// The measurement system.
    pub system: String,
    /// What it found.
    pub results: Vec<IndividualResult>,
}

/// One result of a measurement system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndividualResult {
    /// What was measured.
    pub id: ResultId,
    /// What came of it.
    pub result: MeasurementResult,
}

/// What was measured: a name or bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultId {
    /// A name.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// What came of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasurementResult {
    /// It was compared and matched.
    Success,
    /// It was compared and did not match.
    Fail,
    /// It was not compared.
    NotRun,
    /// There was nothing to measure.
    Absent,
}

/// One of dloas (RFC 9711, section 4.2.14): where a certification of the entity is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dloa {
    /// URI of the registrar.
    pub registrar: String,
    /// Label of the platform.
    pub platform: String,
    /// Label of the application.
    pub application: Option<String>,
}

impl Nonce {
    /// Length of the shortest nonce in bytes.
    pub const MIN_LEN: usize = 8;
    /// Length of the longest nonce in bytes.
    pub const MAX_LEN: usize = 64;

    /// A nonce, or `None` when its length is not allowed.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (Self::MIN_LEN..=Self::MAX_LEN).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        Self::new(reader.bytes()?).ok_or(Error::rule(at, "nonce is not of 8 to 64 bytes"))
    }
}

impl PartialEq for Nonce {
    fn eq(&self, other: &Self) -> bool {
        crypto::constant_time_eq(&self.0, &other.0)
    }
}

impl Eq for Nonce {}

impl Ueid {
    /// Length of the shortest UEID in bytes.
    pub const MIN_LEN: usize = 7;
    /// Length of the longest UEID in bytes.
    pub const MAX_LEN: usize = 33;

    /// A UEID, or `None` when its length is not allowed.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (Self::MIN_LEN..=Self::MAX_LEN).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        Self::new(reader.bytes()?).ok_or(Error::rule(at, "ueid is not of 7 to 33 bytes"))
    }
}

impl fmt::Display for Ueid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Ueid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ueid({self})")
    }
}

impl OemId {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if reader.peek()? != Type::Bytes {
            return Ok(Self::Pen(reader.uint()?));
        }
        let at = reader.position();
        let bytes = reader.bytes()?;
        let ieee = bytes.try_into().ok().map(Self::Ieee);
        ieee.or_else(|| bytes.try_into().ok().map(Self::Random))
            .ok_or(Error::rule(at, "oemid is not of 3 or 16 bytes"))
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Pen(pen) => writer.uint(*pen),
            Self::Ieee(bytes) => writer.bytes(bytes),
            Self::Random(bytes) => writer.bytes(bytes),
        };
    }
}

impl DebugStatus {
    /// Every status, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Enabled,
        Self::Disabled,
        Self::DisabledSinceBoot,
        Self::DisabledPermanently,
        Self::DisabledFullyAndPermanently,
    ];

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::DisabledSinceBoot => "disabled-since-boot",
            Self::DisabledPermanently => "disabled-permanently",
            Self::DisabledFullyAndPermanently => "disabled-fully-and-permanently",
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        let number: usize = reader.uint_as()?;
        Self::ALL.get(number).copied().ok_or(Error::new(at, Reason::OutOfRange))
    }
}

impl Profile {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(match reader.peek()? {
            Type::Bytes => Self::Oid(reader.bytes()?.into()),
            _ => Self::Uri(text(reader)?),
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Uri(uri) => writer.text(uri),
            Self::Oid(oid) => writer.bytes(oid),
        };
    }
}

impl VersionText {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        let count = reader.array()?;
        if !(1..=2).contains(&count) {
            return Err(Error::rule(at, "version is not an array of a text and a scheme"));
        }
        let version = text(reader)?;
        let scheme = match count {
            1 => None,
            _ if reader.peek()? == Type::Text => Some(VersionScheme::Text(text(reader)?)),
            _ => Some(VersionScheme::Int(reader.int()?)),
        };
        Ok(Self { text: version, scheme })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(1 + usize::from(self.scheme.is_some())).text(&self.text);
        match &self.scheme {
            Some(VersionScheme::Int(scheme)) => writer.int(*scheme),
            Some(VersionScheme::Text(scheme)) => writer.text(scheme),
            None => writer,
        };
    }
}

impl Content {
    /// A body of bytes.
    pub fn bytes(format: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { format, body: ContentBody::Bytes(body.into()) }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        let format = reader.uint_as()?;
        let body = match reader.peek()? {
            Type::Text => ContentBody::Text(reader.text()?.into()),
            _ => ContentBody::Bytes(reader.bytes()?.into()),
        };
        Ok(Self { format, body })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(2).uint(self.format.into());
        match &self.body {
            ContentBody::Bytes(bytes) => writer.bytes(bytes),
            ContentBody::Text(text) => writer.text(text),
        };
    }
}

impl Dloa {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        let count = reader.array()?;
        if !(2..=3).contains(&count) {
            return Err(Error::rule(at, "dloa is not an array of a registrar and labels"));
        }
        let (registrar, platform) = (text(reader)?, text(reader)?);
        Ok(Self { registrar, platform, application: (count == 3).then(|| text(reader)).transpose()? })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(2 + usize::from(self.application.is_some())).text(&self.registrar).text(&self.platform);
        if let Some(application) = &self.application {
            writer.text(application);
        }
    }
}

impl MeasurementResult {
    /// Every result, in the order of their numbers, which begin with one.
    pub(crate) const ALL: [Self; 4] = [Self::Success, Self::Fail, Self::NotRun, Self::Absent];

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Fail => "fail",
            Self::NotRun => "not-run",
            Self::Absent => "absent",
        }
    }
}

impl MeasurementResults {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        Ok(Self { system: text(reader)?, results: array(reader, IndividualResult::decode)? })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(2).text(&self.system);
        write_array(writer, &self.results, |w, result| result.encode(w));
    }
}

impl IndividualResult {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        let id = match reader.peek()? {
            Type::Bytes => ResultId::Bytes(reader.bytes()?.into()),
            _ => ResultId::Text(text(reader)?),
        };
        let at = reader.position();
        let number: Option<usize> = reader.uint_as::<usize>()?.checked_sub(1);
        let result = number.and_then(|number| MeasurementResult::ALL.get(number).copied());
        Ok(Self { id, result: result.ok_or(Error::new(at, Reason::OutOfRange))? })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.array(2);
        match &self.id {
            ResultId::Text(text) => writer.text(text),
            ResultId::Bytes(bytes) => writer.bytes(bytes),
        };
        writer.uint(self.result as u64 + 1);
    }
}

/// A text within [`MAX_TEXT_LEN`].
pub(crate) fn text(reader: &mut Reader<'_>) -> Result<String, Error> {
    let at = reader.position();
    let text = reader.text()?;
    if text.len() > MAX_TEXT_LEN {
        return Err(Error::new(at, Reason::TooLong { limit: MAX_TEXT_LEN }));
    }
    Ok(text.into())
}

/// An array of one or more items.
pub(crate) fn array<'b, T>(
    reader: &mut Reader<'b>,
    mut item: impl FnMut(&mut Reader<'b>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count == 0 {
        return Err(Error::rule(at, "array is empty"));
    }
    if count > MAX_ENTRIES {
        return Err(Error::new(at, Reason::TooLong { limit: MAX_ENTRIES }));
    }
    (0..count).map(|_| item(reader)).collect()
}

pub(crate) fn write_array<T>(writer: &mut Writer, items: &[T], mut write: impl FnMut(&mut Writer, &T)) {
    writer.array(items.len());
    for item in items {
        write(writer, item);
    }
}
