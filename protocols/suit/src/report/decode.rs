use alloc::string::ToString;
use alloc::vec::Vec;

use cbor::{Error as CborError, MapCursor, Order, Reader, Reason as CborReason, Type};

use super::{Entry, Outcome, Property, Reason, Record, Report, SystemPropertyClaims};
use crate::{
    Capabilities, ComponentId, Error, Feature, Section,
    digest::decode_digest,
    labels::{manifest, report},
    limits::{MAX_MANIFESTS, MAX_REPORT_LEN},
    parameter::decode_uri,
};

impl Report {
    /// Reads a report map. Nobody vouches for it; [`super::SignedReport`] is the way to one that somebody does.
    ///
    /// Reports are logs of constrained devices, so keys of maps may come in any order. No key may come twice.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let start = reader.position();
        if bytes.len() > MAX_REPORT_LEN {
            return Err(CborError::new(start, CborReason::TooLong { limit: MAX_REPORT_LEN }).into());
        }
        let (mut reference, mut nonce, mut entries) = (None, None, None);
        let (mut outcome, mut capabilities) = (None, None);
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(&mut reader)? else { break };
            match label {
                report::REFERENCE => {
                    reader.array_of(2)?;
                    reference = Some((decode_uri(reader.lean())?.to_string(), decode_digest(reader.lean())?));
                }
                report::NONCE => nonce = Some(reader.bytes()?.to_vec()),
                report::RECORDS => {
                    // Every entry takes a byte at least, so the length of the report bounds their number.
                    let list = (0..reader.array()?).map(|_| Entry::decode(&mut reader));
                    entries = Some(list.collect::<Result<Vec<_>, _>>()?);
                }
                report::RESULT => outcome = Some(Outcome::decode(&mut reader)?),
                report::CAPABILITIES => capabilities = Some(Capabilities::decode(&mut reader)?),
                other => return Err(Error::Unsupported { at, feature: Feature::ReportMember(other) }),
            }
        }
        reader.end()?;
        let missing = |label| CborError::new(start, CborReason::MissingKey(label));
        let (reference_uri, manifest_digest) = reference.ok_or(missing(report::REFERENCE))?;
        let entries = entries.ok_or(missing(report::RECORDS))?;
        let outcome = outcome.ok_or(missing(report::RESULT))?;
        Ok(Self { reference_uri, manifest_digest, nonce, entries, outcome, capabilities })
    }
}

impl Outcome {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        if reader.peek()? == Type::Bool {
            return match reader.bool()? {
                true => Ok(Self::Success),
                false => Err(CborError::rule(start, "result is false and does not say why").into()),
            };
        }
        let (mut code, mut reason, mut record) = (None, None, None);
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(reader)? else { break };
            match label {
                report::RESULT_CODE => code = Some(reader.int()?),
                report::RESULT_RECORD => record = Some(Record::decode(reader)?),
                report::RESULT_REASON => {
                    let at = reader.position();
                    let known = Reason::from_code(reader.int()?);
                    reason = Some(known.ok_or(CborError::rule(at, "reason is not 0 to 12"))?);
                }
                other => return Err(Error::Unsupported { at, feature: Feature::ReportMember(other) }),
            }
        }
        let missing = |label| CborError::new(start, CborReason::MissingKey(label));
        Ok(Self::Failure {
            code: code.ok_or(missing(report::RESULT_CODE))?,
            reason: reason.ok_or(missing(report::RESULT_REASON))?,
            record: record.ok_or(missing(report::RESULT_RECORD))?,
        })
    }
}

impl Entry {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        if reader.peek()? == Type::Array {
            return Record::decode(reader).map(Self::Record);
        }
        let start = reader.position();
        let (mut component, mut properties) = (None, Vec::new());
        let mut map = reader.map()?;
        while let Some(label) = map.next_int(reader)? {
            if label == report::CLAIM_COMPONENT_ID {
                component = Some(ComponentId::decode(reader.lean())?);
            } else {
                properties.push(Property::decode(label, reader)?);
            }
        }
        let missing = CborError::new(start, CborReason::MissingKey(report::CLAIM_COMPONENT_ID));
        if properties.is_empty() {
            return Err(CborError::rule(start, "claims about a component are none").into());
        }
        Ok(Self::Claims(SystemPropertyClaims {
            component: component.ok_or(missing)?,
            properties: properties.into(),
        }))
    }
}

impl Record {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.array_of(5)?;
        let at = reader.position();
        let count = reader.array()?;
        if count > MAX_MANIFESTS {
            return Err(CborError::new(at, CborReason::TooLong { limit: MAX_MANIFESTS }).into());
        }
        let manifest_id = (0..count).map(|_| reader.uint_as()).collect::<Result<_, _>>()?;
        let at = reader.position();
        let section = match reader.int()? {
            manifest::COMMON => None,
            label => {
                let unknown = Error::Unsupported { at, feature: Feature::ManifestMember(label) };
                Some(Section::from_label(label).ok_or(unknown)?)
            }
        };
        let (offset, component) = (reader.uint_as()?, reader.uint_as()?);
        let mut map: MapCursor<'_> = reader.map()?;
        let mut properties = Vec::new();
        while let Some(label) = map.next_int(reader)? {
            properties.push(Property::decode(label, reader)?);
        }
        Ok(Self { manifest_id, section, offset, component, properties: properties.into() })
    }
}
