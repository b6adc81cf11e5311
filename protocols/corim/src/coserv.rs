//! Queries for reference values, endorsements and trust anchors, and their answers (draft-ietf-rats-coserv, June 2026).

use alloc::{string::String, vec::Vec};

use cbor::{Key, MapBuilder, Reader, Reason, Type, Writer};

use crate::{
    Class, ConditionalTriple, CryptoKey, Environment, Error, Group, Instance, KeyTriple, MAX_CORIM_LEN,
    Measurement, Profile, TagId, ValuesTriple,
    datetime::{format_datetime, parse_datetime},
    key::{decode_keys, encode_keys},
    labels::{coserv as labels, tag},
    measurement::{decode_measurements, encode_measurements},
    wire,
};

/// A query, or a query with its answer. Nobody vouches for an answer that came so: what a signature around it is worth is
/// for who verifies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coserv {
    /// The profile of what is asked for.
    pub profile: Profile,
    /// What is asked.
    pub query: CoservQuery,
    /// What is answered.
    pub results: Option<CoservResults>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoservQuery {
    /// Artifacts about environments.
    Environments {
        /// What kind.
        artifacts: ArtifactType,
        /// About which environments.
        selector: EnvironmentSelector,
        /// In which form.
        form: ResultType,
    },
    /// Whole manifests and tags by their identifiers, at least one.
    Rims(Vec<RimSelector>),
}

/// What kind of artifacts is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArtifactType {
    /// Endorsed values.
    EndorsedValues,
    /// Trust anchors.
    TrustAnchors,
    /// Reference values.
    ReferenceValues,
}

/// In which form artifacts are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultType {
    /// Triples, each with who said so.
    Collected,
    /// The signed objects they are from.
    Source,
    /// Both.
    Both,
}

/// Environments of one kind, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvironmentSelector {
    /// By class.
    Classes(Vec<Stateful<Class>>),
    /// By instance.
    Instances(Vec<Stateful<Instance>>),
    /// By group.
    Groups(Vec<Stateful<Group>>),
}

/// An environment, perhaps in some state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stateful<T> {
    /// The environment.
    pub environment: T,
    /// Its state; none where any is asked for.
    pub measurements: Vec<Measurement>,
}

/// A tag or manifest by its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RimSelector {
    /// A CoMID.
    Comid(TagId),
    /// A CoSWID.
    Coswid(TagId),
    /// A CoRIM.
    Corim(TagId),
}

/// What is answered, until when it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoservResults {
    /// Reference values.
    pub reference: Option<Vec<Quad<ValuesTriple>>>,
    /// Endorsed values.
    pub endorsed: Option<Vec<Quad<ValuesTriple>>>,
    /// Endorsed values under conditions.
    pub conditional: Option<Vec<Quad<ConditionalTriple>>>,
    /// Attestation keys.
    pub attest_key: Option<Vec<Quad<KeyTriple>>>,
    /// Trust anchor stores, each an encoded statement that nothing here reads.
    pub anchors: Option<Vec<Vec<u8>>>,
    /// Manifests by identifier: an encoded collection of conceptual messages.
    pub rims: Option<Vec<u8>>,
    /// Signed objects: encoded conceptual messages; none where they were not asked for.
    pub sources: Vec<Vec<u8>>,
    /// Until when the answer counts, in seconds since 1970.
    pub expiry: i64,
}

/// A triple, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quad<T> {
    /// Who said so, at least one.
    pub authorities: Vec<CryptoKey>,
    /// What was said.
    pub triple: T,
}

impl Coserv {
    /// Decodes a query or an answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_CORIM_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_CORIM_LEN }).into());
        }
        Ok(wire::whole(bytes, 0, Self::read)?)
    }

    /// The query or answer in deterministic encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        map.int(labels::PROFILE, |w| {
            match &self.profile {
                Profile::Uri(uri) => w.text(uri),
                Profile::Oid(oid) => w.bytes(oid),
            };
        });
        map.int(labels::QUERY, |w| self.query.encode(w));
        map.int_if(labels::RESULTS, self.results.as_ref(), |w, results| results.encode(w));
        map.into_bytes()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut profile, mut query, mut results) = (None, None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                // Without the tags that CoRIM has.
                Key::Int(labels::PROFILE) if reader.peek()? == Type::Bytes => {
                    profile = Some(Profile::Oid(reader.bytes()?.into()));
                }
                Key::Int(labels::PROFILE) => profile = Some(Profile::Uri(wire::text(reader)?)),
                Key::Int(labels::QUERY) => query = Some(CoservQuery::decode(reader)?),
                Key::Int(labels::RESULTS) => results = Some(CoservResults::decode(reader)?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        Ok(Self {
            profile: wire::required(profile, start, labels::PROFILE)?,
            query: wire::required(query, start, labels::QUERY)?,
            results,
        })
    }
}

impl CoservQuery {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut artifacts, mut selector, mut form, mut rims) = (None, None, None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::ARTIFACT_TYPE) => artifacts = Some(ArtifactType::decode(reader)?),
                Key::Int(labels::ENVIRONMENT_SELECTOR) => {
                    selector = Some(EnvironmentSelector::decode(reader)?)
                }
                Key::Int(labels::RESULT_TYPE) => form = Some(ResultType::decode(reader)?),
                Key::Int(labels::RIM_SELECTOR) => rims = Some(wire::some(reader, RimSelector::decode)?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        match (artifacts, selector, form, rims) {
            (None, None, None, Some(rims)) => Ok(Self::Rims(rims)),
            (_, _, _, Some(_)) => {
                Err(cbor::Error::rule(start, "query is for environments and for manifests"))
            }
            (artifacts, selector, form, None) => Ok(Self::Environments {
                artifacts: wire::required(artifacts, start, labels::ARTIFACT_TYPE)?,
                selector: wire::required(selector, start, labels::ENVIRONMENT_SELECTOR)?,
                form: wire::required(form, start, labels::RESULT_TYPE)?,
            }),
        }
    }

    fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        match self {
            Self::Environments { artifacts, selector, form } => {
                map.int(labels::ARTIFACT_TYPE, |w| {
                    w.uint(*artifacts as u64);
                });
                map.int(labels::ENVIRONMENT_SELECTOR, |w| selector.encode(w));
                map.int(labels::RESULT_TYPE, |w| {
                    w.uint(*form as u64);
                });
            }
            Self::Rims(rims) => {
                map.int(labels::RIM_SELECTOR, |w| wire::write_all(w, rims, |w, rim| rim.encode(w)));
            }
        }
        map.write(writer);
    }
}

impl ArtifactType {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let at = reader.position();
        match reader.int()? {
            0 => Ok(Self::EndorsedValues),
            1 => Ok(Self::TrustAnchors),
            2 => Ok(Self::ReferenceValues),
            other => Err(cbor::Error::new(at, Reason::Unknown(other))),
        }
    }
}

impl ResultType {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let at = reader.position();
        match reader.int()? {
            0 => Ok(Self::Collected),
            1 => Ok(Self::Source),
            2 => Ok(Self::Both),
            other => Err(cbor::Error::new(at, Reason::Unknown(other))),
        }
    }
}

impl EnvironmentSelector {
    /// Each environment, with its state.
    pub fn environments(&self) -> Vec<(Environment, &[Measurement])> {
        fn each<T: Clone>(
            all: &[Stateful<T>],
            of: impl Fn(T) -> Environment,
        ) -> Vec<(Environment, &[Measurement])> {
            all.iter().map(|one| (of(one.environment.clone()), one.measurements.as_slice())).collect()
        }
        let nowhere = Environment::default;
        match self {
            Self::Classes(all) => each(all, |class| Environment { class: Some(class), ..nowhere() }),
            Self::Instances(all) => {
                each(all, |instance| Environment { instance: Some(instance), ..nowhere() })
            }
            Self::Groups(all) => each(all, |group| Environment { group: Some(group), ..nowhere() }),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut selector = None;
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            if selector.is_some() {
                return Err(cbor::Error::rule(at, "query selects environments of two kinds"));
            }
            selector = Some(match key {
                Key::Int(labels::CLASS) => {
                    Self::Classes(wire::some(reader, |reader| Stateful::decode(reader, Class::decode))?)
                }
                Key::Int(labels::INSTANCE) => {
                    Self::Instances(wire::some(reader, |reader| Stateful::decode(reader, Instance::decode))?)
                }
                Key::Int(labels::GROUP) => {
                    Self::Groups(wire::some(reader, |reader| Stateful::decode(reader, Group::decode))?)
                }
                key => return wire::closed(key, at),
            });
            at = reader.position();
        }
        selector.ok_or(cbor::Error::rule(start, "query selects nothing"))
    }

    fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        match self {
            Self::Classes(all) => map.int(labels::CLASS, |w| {
                wire::write_all(w, all, |w, one| one.encode(w, |w, class| class.encode(w)));
            }),
            Self::Instances(all) => map.int(labels::INSTANCE, |w| {
                wire::write_all(w, all, |w, one| one.encode(w, |w, instance| instance.encode(w)));
            }),
            Self::Groups(all) => map.int(labels::GROUP, |w| {
                wire::write_all(w, all, |w, one| one.encode(w, |w, group| group.encode(w)));
            }),
        };
        map.write(writer);
    }
}

impl<T> Stateful<T> {
    fn decode<'b>(
        reader: &mut Reader<'b>,
        environment: impl FnOnce(&mut Reader<'b>) -> Result<T, cbor::Error>,
    ) -> Result<Self, cbor::Error> {
        let at = reader.position();
        let count = reader.array()?;
        if !matches!(count, 1 | 2) {
            return Err(cbor::Error::rule(at, "array has another number of items than the format fixes"));
        }
        let environment = environment(reader)?;
        let measurements = if count == 2 { decode_measurements(reader)? } else { Vec::new() };
        Ok(Self { environment, measurements })
    }

    fn encode(&self, writer: &mut Writer, environment: impl FnOnce(&mut Writer, &T)) {
        environment(writer.array(if self.measurements.is_empty() { 1 } else { 2 }), &self.environment);
        if !self.measurements.is_empty() {
            encode_measurements(writer, &self.measurements);
        }
    }
}

impl RimSelector {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        reader.array_of(2)?;
        let at = reader.position();
        let kind = match reader.int()? {
            labels::RIM_COMID => Self::Comid,
            labels::RIM_COSWID => Self::Coswid,
            labels::RIM_CORIM => Self::Corim,
            other => return Err(cbor::Error::new(at, Reason::Unknown(other))),
        };
        TagId::decode(reader).map(kind)
    }

    fn encode(&self, writer: &mut Writer) {
        let (kind, id) = match self {
            Self::Comid(id) => (labels::RIM_COMID, id),
            Self::Coswid(id) => (labels::RIM_COSWID, id),
            Self::Corim(id) => (labels::RIM_CORIM, id),
        };
        id.encode(writer.array(2).int(kind));
    }
}

impl CoservResults {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let mut results = Self::default();
        let mut expiry = None;
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::RVQ) => results.reference = Some(quads(reader, ValuesTriple::decode)?),
                Key::Int(labels::EVQ) => results.endorsed = Some(quads(reader, ValuesTriple::decode)?),
                Key::Int(labels::CEQ) => {
                    results.conditional = Some(quads(reader, ConditionalTriple::decode)?)
                }
                Key::Int(labels::AKQ) => results.attest_key = Some(quads(reader, KeyTriple::decode)?),
                Key::Int(labels::TAS) => results.anchors = Some(wire::any(reader, item)?),
                Key::Int(labels::RIMS) => results.rims = Some(item(reader)?),
                Key::Int(labels::SOURCE_ARTIFACTS) => results.sources = wire::some(reader, item)?,
                Key::Int(labels::EXPIRY) => expiry = Some(decode_datetime(reader)?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        results.expiry = wire::required(expiry, start, labels::EXPIRY)?;
        let is_empty = results == Self { expiry: results.expiry, ..Self::default() };
        if is_empty {
            return Err(cbor::Error::rule(start, "answer holds nothing"));
        }
        Ok(results)
    }

    fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        let raw = |w: &mut Writer, item: &Vec<u8>| {
            w.raw(item);
        };
        map.int_if(labels::RVQ, self.reference.as_deref(), |w, all| {
            write_quads(w, all, ValuesTriple::encode)
        });
        map.int_if(labels::EVQ, self.endorsed.as_deref(), |w, all| write_quads(w, all, ValuesTriple::encode));
        map.int_if(labels::CEQ, self.conditional.as_deref(), |w, all| {
            write_quads(w, all, ConditionalTriple::encode);
        });
        map.int_if(labels::AKQ, self.attest_key.as_deref(), |w, all| write_quads(w, all, KeyTriple::encode));
        map.int_if(labels::TAS, self.anchors.as_deref(), |w, all| wire::write_all(w, all, raw));
        map.int_if(labels::RIMS, self.rims.as_ref(), raw);
        if !self.sources.is_empty() {
            map.int(labels::SOURCE_ARTIFACTS, |w| wire::write_all(w, &self.sources, raw));
        }
        map.int(labels::EXPIRY, |w| {
            w.tag(tag::DATETIME).text(&format_datetime(self.expiry));
        });
        map.write(writer);
    }
}

fn quads<'b, T>(
    reader: &mut Reader<'b>,
    triple: impl Fn(&mut Reader<'b>) -> Result<T, cbor::Error>,
) -> Result<Vec<Quad<T>>, cbor::Error> {
    wire::any(reader, |reader| {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut authorities, mut said) = (None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::AUTHORITIES) => authorities = Some(decode_keys(reader)?),
                Key::Int(labels::TRIPLE) => said = Some(triple(reader)?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        Ok(Quad {
            authorities: wire::required(authorities, start, labels::AUTHORITIES)?,
            triple: wire::required(said, start, labels::TRIPLE)?,
        })
    })
}

fn write_quads<T>(writer: &mut Writer, all: &[Quad<T>], triple: impl Fn(&T, &mut Writer)) {
    wire::write_all(writer, all, |w, quad| {
        let mut map = MapBuilder::new();
        map.int(labels::AUTHORITIES, |w| encode_keys(w, &quad.authorities));
        map.int(labels::TRIPLE, |w| triple(&quad.triple, w));
        map.write(w);
    });
}

/// Any item, in deterministic encoding.
fn item(reader: &mut Reader<'_>) -> Result<Vec<u8>, cbor::Error> {
    let at = reader.position();
    let raw = reader.raw()?;
    cbor::normalize(raw, raw.len()).map_err(|error| cbor::Error::new(at + error.at, error.reason))
}

fn decode_datetime(reader: &mut Reader<'_>) -> Result<i64, cbor::Error> {
    let at = reader.position();
    if reader.tag()? != tag::DATETIME {
        return Err(cbor::Error::rule(at, "date is not under tag 0"));
    }
    let at = reader.position();
    let text: String = wire::text(reader)?;
    parse_datetime(&text).ok_or(cbor::Error::rule(at, "date is not one of RFC 3339"))
}
