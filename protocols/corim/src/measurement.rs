use alloc::{string::String, vec::Vec};

use cbor::{Error, Key, MapBuilder, Reader, Type, Writer};

use crate::{
    CryptoKey, MeasurementValues,
    key::{decode_keys, encode_keys},
    labels::{measurement as labels, tag},
    wire,
};

/// measurement-map: an element of an environment, and what is measured of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The element; none where the measurement is anonymous.
    pub key: Option<MeasuredElement>,
    /// What is measured.
    pub values: MeasurementValues,
    /// Who must have made the claim; none where it is not said.
    pub authorized_by: Vec<CryptoKey>,
}

/// $measured-element-type-choice, and what profiles had in its place before 2025.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeasuredElement {
    /// The BER encoding of an object identifier.
    Oid(Vec<u8>),
    /// A UUID.
    Uuid([u8; 16]),
    /// A number.
    Number(u64),
    /// A name.
    Name(String),
    /// psa.refval-id, which names a component by what it is.
    OlderPsaRefvalId {
        /// Measurement type.
        label: Option<String>,
        /// Version of the component.
        version: Option<String>,
        /// Hash of the key that signed the component.
        signer: Vec<u8>,
    },
    /// cca.platform-config-id.
    OlderCcaConfigId(String),
}

impl Measurement {
    /// An anonymous measurement that anybody may make.
    pub fn new(values: MeasurementValues) -> Self {
        Self { key: None, values, authorized_by: Vec::new() }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut key, mut values, mut authorized_by) = (None, None, Vec::new());
        let mut at = reader.position();
        while let Some(label) = map.next(reader)? {
            match label {
                Key::Int(labels::MKEY) => key = Some(MeasuredElement::decode(reader)?),
                Key::Int(labels::MVAL) => values = Some(MeasurementValues::decode(reader)?),
                Key::Int(labels::AUTHORIZED_BY) => authorized_by = decode_keys(reader)?,
                label => return wire::closed(label, at),
            }
            at = reader.position();
        }
        Ok(Self { key, values: wire::required(values, start, labels::MVAL)?, authorized_by })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        map.int_if(labels::MKEY, self.key.as_ref(), |w, key| key.encode(w));
        map.int(labels::MVAL, |w| self.values.encode(w));
        if !self.authorized_by.is_empty() {
            map.int(labels::AUTHORIZED_BY, |w| encode_keys(w, &self.authorized_by));
        }
        map.write(writer);
    }
}

impl MeasuredElement {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        match reader.peek()? {
            Type::Text => return wire::text(reader).map(Self::Name),
            Type::Tag => {}
            _ => return reader.uint().map(Self::Number),
        }
        Ok(match reader.tag()? {
            tag::OID => Self::Oid(reader.bytes()?.into()),
            tag::UUID => Self::Uuid(wire::uuid(reader)?),
            tag::OLDER_PSA_REFVAL_ID => Self::decode_refval_id(reader)?,
            tag::OLDER_CCA_CONFIG_ID => Self::OlderCcaConfigId(wire::text(reader)?),
            _ => return Err(Error::rule(at, "tag is none of a measured element")),
        })
    }

    fn decode_refval_id(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut label, mut version, mut signer) = (None, None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::REFVAL_LABEL) => label = Some(wire::text(reader)?),
                Key::Int(labels::REFVAL_VERSION) => version = Some(wire::text(reader)?),
                Key::Int(labels::REFVAL_SIGNER) => signer = Some(reader.bytes()?.to_vec()),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        let signer = wire::required(signer, start, labels::REFVAL_SIGNER)?;
        Ok(Self::OlderPsaRefvalId { label, version, signer })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Oid(oid) => {
                writer.tag(tag::OID).bytes(oid);
            }
            Self::Uuid(uuid) => {
                writer.tag(tag::UUID).bytes(uuid);
            }
            Self::Number(number) => {
                writer.uint(*number);
            }
            Self::Name(name) => {
                writer.text(name);
            }
            Self::OlderPsaRefvalId { label, version, signer } => {
                let mut map = MapBuilder::new();
                let text = |w: &mut Writer, text: &String| {
                    w.text(text);
                };
                map.int_if(labels::REFVAL_LABEL, label.as_ref(), text);
                map.int_if(labels::REFVAL_VERSION, version.as_ref(), text);
                map.int(labels::REFVAL_SIGNER, |w| {
                    w.bytes(signer);
                });
                map.write(writer.tag(tag::OLDER_PSA_REFVAL_ID));
            }
            Self::OlderCcaConfigId(id) => {
                writer.tag(tag::OLDER_CCA_CONFIG_ID).text(id);
            }
        }
    }
}

/// `[+ measurement-map]`.
pub(crate) fn decode_measurements(reader: &mut Reader<'_>) -> Result<Vec<Measurement>, Error> {
    wire::some(reader, Measurement::decode)
}

pub(crate) fn encode_measurements(writer: &mut Writer, measurements: &[Measurement]) {
    wire::write_all(writer, measurements, |w, measurement| measurement.encode(w));
}
