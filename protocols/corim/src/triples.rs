use alloc::vec::Vec;

use cbor::{Error, Key, MapBuilder, Reader, Writer};

use crate::{
    CryptoKey, Environment, Extensions, MeasuredElement, Measurement, TagId,
    key::{decode_keys, encode_keys},
    labels::triples as labels,
    measurement::{decode_measurements, encode_measurements},
    wire,
};

/// triples-map: what a CoMID claims. It has at least one triple.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Triples {
    /// What an environment is expected to report.
    pub reference: Vec<ValuesTriple>,
    /// What is true of an environment.
    pub endorsed: Vec<ValuesTriple>,
    /// Keys that identify an environment.
    pub identity: Vec<KeyTriple>,
    /// Keys with which an environment attests.
    pub attest_key: Vec<KeyTriple>,
    /// Environments that must be trusted before another can be.
    pub dependency: Vec<DomainTriple>,
    /// Environments that make up another.
    pub membership: Vec<DomainTriple>,
    /// CoSWID tags with expected values of an environment.
    pub coswid: Vec<CoswidTriple>,
    /// Endorsements by the first of several conditions that holds.
    pub conditional_series: Vec<SeriesTriple>,
    /// Endorsements by conditions that all hold.
    pub conditional: Vec<ConditionalTriple>,
    /// Kinds of triples this crate does not know.
    pub extensions: Extensions,
}

/// reference-triple-record and endorsed-triple-record; also stateful-environment-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuesTriple {
    /// What the values are about.
    pub environment: Environment,
    /// The values, at least one.
    pub measurements: Vec<Measurement>,
}

/// identity-triple-record and attest-key-triple-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTriple {
    /// Whose the keys are.
    pub environment: Environment,
    /// The keys, at least one.
    pub keys: Vec<CryptoKey>,
    /// The element of the environment that holds them.
    pub element: Option<MeasuredElement>,
    /// Who must have said so; none where it is not said.
    pub authorized_by: Vec<CryptoKey>,
}

/// domain-membership-triple-record and trust-dependency-triple-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainTriple {
    /// The domain.
    pub domain: Environment,
    /// Its members or trustees, at least one.
    pub others: Vec<Environment>,
}

/// coswid-triple-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoswidTriple {
    /// What the tags are about.
    pub environment: Environment,
    /// Identifiers of CoSWID tags, at least one.
    pub tags: Vec<TagId>,
}

/// conditional-endorsement-series-triple-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesTriple {
    /// What all conditions and endorsements are about.
    pub environment: Environment,
    /// What must hold for any of the series.
    pub measurements: Vec<Measurement>,
    /// Who must have said so; none where it is not said.
    pub authorized_by: Vec<CryptoKey>,
    /// Conditions, of which the first that holds counts; at least one.
    pub series: Vec<SeriesItem>,
}

/// conditional-series-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesItem {
    /// What must hold, at least one.
    pub condition: Vec<Measurement>,
    /// What is then true, at least one.
    pub addition: Vec<Measurement>,
}

/// conditional-endorsement-triple-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionalTriple {
    /// What must hold, all of it; at least one.
    pub conditions: Vec<ValuesTriple>,
    /// What is then true, at least one.
    pub endorsements: Vec<ValuesTriple>,
}

impl Triples {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut triples = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::REFERENCE) => triples.reference = wire::some(reader, ValuesTriple::decode)?,
                Key::Int(labels::ENDORSED) => triples.endorsed = wire::some(reader, ValuesTriple::decode)?,
                Key::Int(labels::IDENTITY) => triples.identity = wire::some(reader, KeyTriple::decode)?,
                Key::Int(labels::ATTEST_KEY) => triples.attest_key = wire::some(reader, KeyTriple::decode)?,
                Key::Int(labels::DEPENDENCY) => {
                    triples.dependency = wire::some(reader, DomainTriple::decode)?
                }
                Key::Int(labels::MEMBERSHIP) => {
                    triples.membership = wire::some(reader, DomainTriple::decode)?
                }
                Key::Int(labels::COSWID) => triples.coswid = wire::some(reader, CoswidTriple::decode)?,
                Key::Int(labels::CONDITIONAL_SERIES) => {
                    triples.conditional_series = wire::some(reader, SeriesTriple::decode)?
                }
                Key::Int(labels::CONDITIONAL) => {
                    triples.conditional = wire::some(reader, ConditionalTriple::decode)?
                }
                key => triples.extensions.decode_entry(&key, at, reader)?,
            }
            at = reader.position();
        }
        if triples == Self::default() {
            return Err(Error::rule(start, "there are no triples"));
        }
        Ok(triples)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        entry(&mut map, labels::REFERENCE, &self.reference, |w, triple| triple.encode(w));
        entry(&mut map, labels::ENDORSED, &self.endorsed, |w, triple| triple.encode(w));
        entry(&mut map, labels::IDENTITY, &self.identity, |w, triple| triple.encode(w));
        entry(&mut map, labels::ATTEST_KEY, &self.attest_key, |w, triple| triple.encode(w));
        entry(&mut map, labels::DEPENDENCY, &self.dependency, |w, triple| triple.encode(w));
        entry(&mut map, labels::MEMBERSHIP, &self.membership, |w, triple| triple.encode(w));
        entry(&mut map, labels::COSWID, &self.coswid, |w, triple| triple.encode(w));
        entry(&mut map, labels::CONDITIONAL_SERIES, &self.conditional_series, |w, triple| triple.encode(w));
        entry(&mut map, labels::CONDITIONAL, &self.conditional, |w, triple| triple.encode(w));
        self.extensions.encode(&mut map);
        map.write(writer);
    }
}

/// An entry with an array, left out where the array is empty.
fn entry<T>(map: &mut MapBuilder, label: i64, triples: &[T], write: impl FnMut(&mut Writer, &T)) {
    if !triples.is_empty() {
        map.int(label, |w| wire::write_all(w, triples, write));
    }
}

impl ValuesTriple {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        Ok(Self { environment: Environment::decode(reader)?, measurements: decode_measurements(reader)? })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.environment.encode(writer.array(2));
        encode_measurements(writer, &self.measurements);
    }
}

impl KeyTriple {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let has_conditions = wire::two_or_three(reader)?;
        let environment = Environment::decode(reader)?;
        let keys = decode_keys(reader)?;
        let (mut element, mut authorized_by) = (None, Vec::new());
        if has_conditions {
            let start = reader.position();
            let mut map = reader.map()?;
            let mut at = reader.position();
            while let Some(key) = map.next(reader)? {
                match key {
                    Key::Int(labels::CONDITION_MKEY) => element = Some(MeasuredElement::decode(reader)?),
                    Key::Int(labels::CONDITION_AUTHORIZED_BY) => authorized_by = decode_keys(reader)?,
                    key => return wire::closed(key, at),
                }
                at = reader.position();
            }
            if element.is_none() && authorized_by.is_empty() {
                return Err(Error::rule(start, "conditions are empty"));
            }
        }
        Ok(Self { environment, keys, element, authorized_by })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut conditions = MapBuilder::new();
        conditions.int_if(labels::CONDITION_MKEY, self.element.as_ref(), |w, element| element.encode(w));
        if !self.authorized_by.is_empty() {
            conditions.int(labels::CONDITION_AUTHORIZED_BY, |w| encode_keys(w, &self.authorized_by));
        }
        self.environment.encode(writer.array(if conditions.is_empty() { 2 } else { 3 }));
        encode_keys(writer, &self.keys);
        if !conditions.is_empty() {
            conditions.write(writer);
        }
    }
}

impl DomainTriple {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        let domain = Environment::decode(reader)?;
        Ok(Self { domain, others: wire::some(reader, Environment::decode)? })
    }

    fn encode(&self, writer: &mut Writer) {
        self.domain.encode(writer.array(2));
        wire::write_all(writer, &self.others, |w, other| other.encode(w));
    }
}

impl CoswidTriple {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        let environment = Environment::decode(reader)?;
        Ok(Self { environment, tags: wire::some(reader, TagId::decode)? })
    }

    fn encode(&self, writer: &mut Writer) {
        self.environment.encode(writer.array(2));
        wire::write_all(writer, &self.tags, |w, tag| tag.encode(w));
    }
}

impl SeriesTriple {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        let has_authority = wire::two_or_three(reader)?;
        let environment = Environment::decode(reader)?;
        let measurements = wire::any(reader, Measurement::decode)?;
        let authorized_by = if has_authority { decode_keys(reader)? } else { Vec::new() };
        Ok(Self { environment, measurements, authorized_by, series: wire::some(reader, SeriesItem::decode)? })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.array(2).array(if self.authorized_by.is_empty() { 2 } else { 3 });
        self.environment.encode(writer);
        encode_measurements(writer, &self.measurements);
        if !self.authorized_by.is_empty() {
            encode_keys(writer, &self.authorized_by);
        }
        wire::write_all(writer, &self.series, |w, item| item.encode(w));
    }
}

impl SeriesItem {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        Ok(Self { condition: decode_measurements(reader)?, addition: decode_measurements(reader)? })
    }

    fn encode(&self, writer: &mut Writer) {
        encode_measurements(writer.array(2), &self.condition);
        encode_measurements(writer, &self.addition);
    }
}

impl ConditionalTriple {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(2)?;
        let conditions = wire::some(reader, ValuesTriple::decode)?;
        Ok(Self { conditions, endorsements: wire::some(reader, ValuesTriple::decode)? })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        wire::write_all(writer.array(2), &self.conditions, |w, condition| condition.encode(w));
        wire::write_all(writer, &self.endorsements, |w, endorsement| endorsement.encode(w));
    }
}
