//! What can be measured of an element: measurement-values-map and its members.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use cbor::{Error, Key, MapBuilder, Reader, Reason, Type, Writer};

use crate::{
    CryptoKey, Digest, Extensions,
    environment::ueid,
    key::{decode_keys, encode_keys},
    labels::{measurement as labels, tag},
    wire,
};

/// measurement-values-map. It has at least one member.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeasurementValues {
    /// Version of the element.
    pub version: Option<Version>,
    /// Security version number.
    pub svn: Option<Svn>,
    /// Digests of the same object by different algorithms; none where it is not said.
    pub digests: Vec<Digest>,
    /// Operational modes.
    pub flags: Option<Flags>,
    /// The value itself, not hashed.
    pub raw_value: Option<RawValue>,
    /// EUI-48 or EUI-64.
    pub mac_addr: Option<Vec<u8>>,
    /// An IPv4 or IPv6 address.
    pub ip_addr: Option<Vec<u8>>,
    /// Serial number of the product.
    pub serial_number: Option<String>,
    /// Universal entity id.
    pub ueid: Option<Vec<u8>>,
    /// UUID.
    pub uuid: Option<[u8; 16]>,
    /// Name.
    pub name: Option<String>,
    /// Keys that the environment protects; none where it is not said.
    pub cryptokeys: Vec<CryptoKey>,
    /// Named measurements, each with digests by different algorithms; none where it is not said.
    pub integrity_registers: BTreeMap<RegisterId, Vec<Digest>>,
    /// An integer, or a range of them.
    pub int_range: Option<IntRange>,
    /// Entries this crate does not know: a condition with one never matches.
    pub extensions: Extensions,
}

/// version-map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The version.
    pub version: String,
    /// How versions are formed (RFC 9393, section 4.1).
    pub scheme: Option<VersionScheme>,
}

/// $version-scheme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VersionScheme {
    /// By number.
    Id(i64),
    /// By name.
    Name(String),
}

/// svn-type-choice. A number bare and one under tag 552 say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Svn {
    /// Exactly this, bare.
    Bare(u64),
    /// Exactly this, under tag 552.
    Exact(u64),
    /// At least this.
    Min(u64),
}

/// flags-map: what is not said is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flags {
    /// Values by number: see [`Flags::IS_CONFIGURED`] and the others.
    pub known: BTreeMap<u8, bool>,
    /// Flags this crate does not know.
    pub extensions: Extensions,
}

/// $raw-value-type-choice, with the mask it had in older drafts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RawValue {
    /// All bits count.
    Plain(Vec<u8>),
    /// The bits that are set in the mask count.
    Masked {
        /// The value.
        value: Vec<u8>,
        /// As long as the value, or nothing matches.
        mask: Vec<u8>,
    },
    /// The same with the mask as an entry of its own, as older drafts have it.
    OlderMasked {
        /// The value.
        value: Vec<u8>,
        /// As long as the value, or nothing matches.
        mask: Vec<u8>,
    },
}

/// integrity-register-id-type-choice: the number 5 is not the text "5".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegisterId {
    /// By number.
    Number(u64),
    /// By name.
    Name(String),
}

/// int-range-type-choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntRange {
    /// Exactly this.
    Exact(i64),
    /// From and to, both included; none is without limit.
    Range(Option<i64>, Option<i64>),
}

impl Flags {
    /// Fully configured for normal operation.
    pub const IS_CONFIGURED: u8 = 0;
    /// Security settings fully enabled.
    pub const IS_SECURE: u8 = 1;
    /// In recovery mode.
    pub const IS_RECOVERY: u8 = 2;
    /// In a debug mode.
    pub const IS_DEBUG: u8 = 3;
    /// Protected from rollback.
    pub const IS_REPLAY_PROTECTED: u8 = 4;
    /// Protected from unauthorised update.
    pub const IS_INTEGRITY_PROTECTED: u8 = 5;
    /// Measured after being loaded into memory.
    pub const IS_RUNTIME_MEASURED: u8 = 6;
    /// Immutable.
    pub const IS_IMMUTABLE: u8 = 7;
    /// A trusted computing base.
    pub const IS_TCB: u8 = 8;
    /// Confidentiality protected.
    pub const IS_CONFIDENTIALITY_PROTECTED: u8 = 9;
    /// Updated without a restart.
    pub const IS_RUNTIME_UPDATABLE: u8 = 10;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut flags = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            let number = match key {
                Key::Int(label) => u8::try_from(label).ok().filter(|n| *n <= Self::IS_RUNTIME_UPDATABLE),
                _ => None,
            };
            match number {
                Some(number) => {
                    flags.known.insert(number, reader.bool()?);
                }
                None => flags.extensions.decode_entry(&key, at, reader)?,
            }
            at = reader.position();
        }
        if flags == Self::default() {
            return Err(Error::rule(start, "flags are empty"));
        }
        Ok(flags)
    }

    fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        for (number, set) in &self.known {
            map.int(i64::from(*number), |w| {
                w.bool(*set);
            });
        }
        self.extensions.encode(&mut map);
        map.write(writer);
    }
}

impl MeasurementValues {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut values = Self::default();
        let (mut raw, mut mask) = (None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::VERSION) => values.version = Some(Version::decode(reader)?),
                Key::Int(labels::SVN) => values.svn = Some(Svn::decode(reader)?),
                Key::Int(labels::DIGESTS) => values.digests = wire::some(reader, Digest::decode)?,
                Key::Int(labels::FLAGS) => values.flags = Some(Flags::decode(reader)?),
                Key::Int(labels::RAW_VALUE) => raw = Some(RawValue::decode(reader)?),
                Key::Int(labels::RAW_VALUE_MASK) => mask = Some((reader.bytes()?.to_vec(), at)),
                Key::Int(labels::MAC_ADDR) => values.mac_addr = Some(bytes_of(reader, &[6, 8])?),
                Key::Int(labels::IP_ADDR) => values.ip_addr = Some(bytes_of(reader, &[4, 16])?),
                Key::Int(labels::SERIAL_NUMBER) => values.serial_number = Some(wire::text(reader)?),
                Key::Int(labels::UEID) => values.ueid = Some(ueid(reader)?),
                Key::Int(labels::UUID) => values.uuid = Some(wire::uuid(reader)?),
                Key::Int(labels::NAME) => values.name = Some(wire::text(reader)?),
                Key::Int(labels::CRYPTOKEYS) => values.cryptokeys = decode_keys(reader)?,
                Key::Int(labels::INTEGRITY_REGISTERS) => {
                    values.integrity_registers = decode_registers(reader)?
                }
                Key::Int(labels::INT_RANGE) => values.int_range = Some(IntRange::decode(reader)?),
                key => values.extensions.decode_entry(&key, at, reader)?,
            }
            at = reader.position();
        }
        values.raw_value = match (raw, mask) {
            (Some(RawValue::Plain(value)), Some((mask, _))) => Some(RawValue::OlderMasked { value, mask }),
            (_, Some((_, at))) => return Err(Error::rule(at, "mask stands without a plain raw value")),
            (raw, None) => raw,
        };
        if values == Self::default() {
            return Err(Error::rule(start, "measurement is empty"));
        }
        Ok(values)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        let text = |w: &mut Writer, text: &String| {
            w.text(text);
        };
        let bytes = |w: &mut Writer, bytes: &Vec<u8>| {
            w.bytes(bytes);
        };
        map.int_if(labels::VERSION, self.version.as_ref(), |w, version| version.encode(w));
        map.int_if(labels::SVN, self.svn, |w, svn| svn.encode(w));
        if !self.digests.is_empty() {
            map.int(labels::DIGESTS, |w| encode_digests(w, &self.digests));
        }
        map.int_if(labels::FLAGS, self.flags.as_ref(), |w, flags| flags.encode(w));
        map.int_if(labels::RAW_VALUE, self.raw_value.as_ref(), |w, raw| raw.encode(w));
        if let Some(RawValue::OlderMasked { mask, .. }) = &self.raw_value {
            map.int(labels::RAW_VALUE_MASK, |w| bytes(w, mask));
        }
        map.int_if(labels::MAC_ADDR, self.mac_addr.as_ref(), bytes);
        map.int_if(labels::IP_ADDR, self.ip_addr.as_ref(), bytes);
        map.int_if(labels::SERIAL_NUMBER, self.serial_number.as_ref(), text);
        map.int_if(labels::UEID, self.ueid.as_ref(), bytes);
        map.int_if(labels::UUID, self.uuid, |w, uuid| {
            w.bytes(&uuid);
        });
        map.int_if(labels::NAME, self.name.as_ref(), text);
        if !self.cryptokeys.is_empty() {
            map.int(labels::CRYPTOKEYS, |w| encode_keys(w, &self.cryptokeys));
        }
        if !self.integrity_registers.is_empty() {
            map.int(labels::INTEGRITY_REGISTERS, |w| encode_registers(w, &self.integrity_registers));
        }
        map.int_if(labels::INT_RANGE, self.int_range, |w, range| range.encode(w));
        self.extensions.encode(&mut map);
        map.write(writer);
    }
}

impl Version {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut version, mut scheme) = (None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::VERSION_TEXT) => version = Some(wire::text(reader)?),
                Key::Int(labels::VERSION_SCHEME) if reader.peek()? == Type::Text => {
                    scheme = Some(VersionScheme::Name(wire::text(reader)?));
                }
                Key::Int(labels::VERSION_SCHEME) => scheme = Some(VersionScheme::Id(reader.int()?)),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        Ok(Self { version: wire::required(version, start, labels::VERSION_TEXT)?, scheme })
    }

    fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int(labels::VERSION_TEXT, |w| {
            w.text(&self.version);
        });
        map.int_if(labels::VERSION_SCHEME, self.scheme.as_ref(), |w, scheme| {
            match scheme {
                VersionScheme::Id(id) => w.int(*id),
                VersionScheme::Name(name) => w.text(name),
            };
        });
        map.write(writer);
    }
}

impl Svn {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        if reader.peek()? != Type::Tag {
            return reader.uint().map(Self::Bare);
        }
        match reader.tag()? {
            tag::SVN => reader.uint().map(Self::Exact),
            tag::MIN_SVN => reader.uint().map(Self::Min),
            _ => Err(Error::rule(at, "tag is none of a security version number")),
        }
    }

    fn encode(self, writer: &mut Writer) {
        match self {
            Self::Bare(svn) => writer.uint(svn),
            Self::Exact(svn) => writer.tag(tag::SVN).uint(svn),
            Self::Min(svn) => writer.tag(tag::MIN_SVN).uint(svn),
        };
    }
}

impl RawValue {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        match reader.tag()? {
            tag::BYTES => Ok(Self::Plain(reader.bytes()?.into())),
            tag::MASKED_RAW_VALUE => {
                reader.array_of(2)?;
                Ok(Self::Masked { value: reader.bytes()?.into(), mask: reader.bytes()?.into() })
            }
            _ => Err(Error::rule(at, "tag is none of a raw value")),
        }
    }

    /// Writes all but the mask that older drafts have beside the value.
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Plain(value) | Self::OlderMasked { value, .. } => writer.tag(tag::BYTES).bytes(value),
            Self::Masked { value, mask } => {
                writer.tag(tag::MASKED_RAW_VALUE).array(2).bytes(value).bytes(mask)
            }
        };
    }
}

impl IntRange {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        if reader.peek()? != Type::Tag {
            return reader.int().map(Self::Exact);
        }
        if reader.tag()? != tag::INT_RANGE {
            return Err(Error::rule(at, "tag is not that of a range"));
        }
        reader.array_of(2)?;
        let mut limit = || if reader.is_null()? { Ok(None) } else { reader.int().map(Some) };
        Ok(Self::Range(limit()?, limit()?))
    }

    fn encode(self, writer: &mut Writer) {
        match self {
            Self::Exact(value) => {
                writer.int(value);
            }
            Self::Range(min, max) => {
                writer.tag(tag::INT_RANGE).array(2);
                for limit in [min, max] {
                    match limit {
                        Some(limit) => writer.int(limit),
                        None => writer.null(),
                    };
                }
            }
        }
    }
}

fn bytes_of(reader: &mut Reader<'_>, lengths: &[usize]) -> Result<Vec<u8>, Error> {
    let at = reader.position();
    let bytes = reader.bytes()?;
    if !lengths.contains(&bytes.len()) {
        return Err(Error::new(at, Reason::Rule("address has another length than the format fixes")));
    }
    Ok(bytes.into())
}

fn encode_digests(writer: &mut Writer, digests: &[Digest]) {
    wire::write_all(writer, digests, |w, digest| digest.encode(w));
}

fn decode_registers(reader: &mut Reader<'_>) -> Result<BTreeMap<RegisterId, Vec<Digest>>, Error> {
    let start = reader.position();
    let mut map = reader.map()?;
    if map.remaining() > wire::MAX_ENTRIES {
        return Err(Error::new(start, Reason::TooLong { limit: wire::MAX_ENTRIES }));
    }
    let mut registers = BTreeMap::new();
    let mut at = reader.position();
    while let Some(key) = map.next(reader)? {
        let id = match key {
            Key::Int(number) => u64::try_from(number).ok().map(RegisterId::Number),
            Key::Text(name) if name.len() <= wire::MAX_TEXT_LEN => Some(RegisterId::Name(name.into())),
            _ => None,
        };
        let id = id.ok_or(Error::rule(at, "integrity register is named by neither number nor text"))?;
        registers.insert(id, wire::some(reader, Digest::decode)?);
        at = reader.position();
    }
    if registers.is_empty() {
        return Err(Error::rule(start, "integrity registers are empty"));
    }
    Ok(registers)
}

fn encode_registers(writer: &mut Writer, registers: &BTreeMap<RegisterId, Vec<Digest>>) {
    let mut map = MapBuilder::new();
    for (id, digests) in registers {
        let key = Writer::encode(|w| {
            match id {
                RegisterId::Number(number) => w.uint(*number),
                RegisterId::Name(name) => w.text(name),
            };
        });
        map.entry(key, |w| encode_digests(w, digests));
    }
    map.write(writer);
}
