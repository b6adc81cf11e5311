use alloc::{string::String, vec::Vec};

use cbor::{Error, MapBuilder, Reader, Reason, Writer};
use crypto::{Digest, HashAlgorithm};

use super::ByteClaim;
use crate::{labels, submodule::hash_algorithm, values::text};

/// A measured software component of a PSA or CCA platform token (RFC 9783, section 4.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftwareComponent {
    /// What it is: `BL`, `PRoT`, `ARoT`, `App`, `TS`, or what its maker calls it.
    pub measurement_type: Option<String>,
    /// The measurement: 32, 48 or 64 bytes.
    pub measurement: Vec<u8>,
    /// Its version.
    pub version: Option<String>,
    /// Who signed it, as a hash of his key: 32, 48 or 64 bytes. To be compared, not only kept.
    pub signer_id: Vec<u8>,
    /// How it was measured: the name of a hash algorithm.
    pub description: Option<String>,
}

impl SoftwareComponent {
    /// The measurement as digest, by the algorithm that is named, `default` where none is, or else the one of its
    /// length. Nothing where the named algorithm has another length or is not known by its name.
    pub fn digest(&self, default: Option<HashAlgorithm>) -> Option<Digest> {
        let by_length = || HashAlgorithm::ALL.into_iter().find(|hash| hash.len() == self.measurement.len());
        let algorithm = match &self.description {
            Some(name) => hash_algorithm(name)?,
            None => default.or_else(by_length)?,
        };
        Digest::new(algorithm, &self.measurement)
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut measurement_type, mut measurement, mut version) = (None, None, None);
        let (mut signer_id, mut description) = (None, None);
        while let Some(label) = map.next_int(reader)? {
            match label {
                labels::COMPONENT_TYPE => measurement_type = Some(text(reader)?),
                labels::COMPONENT_VALUE => measurement = Some(ByteClaim::Hash.decode(reader)?),
                labels::COMPONENT_VERSION => version = Some(text(reader)?),
                labels::COMPONENT_SIGNER => signer_id = Some(ByteClaim::Hash.decode(reader)?),
                labels::COMPONENT_DESCRIPTION => description = Some(text(reader)?),
                _ => reader.skip()?,
            }
        }
        let missing = |label| Error::new(start, Reason::MissingKey(label));
        Ok(Self {
            measurement_type,
            measurement: measurement.ok_or(missing(labels::COMPONENT_VALUE))?,
            version,
            signer_id: signer_id.ok_or(missing(labels::COMPONENT_SIGNER))?,
            description,
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        let text = |w: &mut Writer, text: &String| _ = w.text(text);
        map.int_if(labels::COMPONENT_TYPE, self.measurement_type.as_ref(), text);
        map.int(labels::COMPONENT_VALUE, |w| _ = w.bytes(&self.measurement));
        map.int_if(labels::COMPONENT_VERSION, self.version.as_ref(), text);
        map.int(labels::COMPONENT_SIGNER, |w| _ = w.bytes(&self.signer_id));
        map.int_if(labels::COMPONENT_DESCRIPTION, self.description.as_ref(), text);
        map.write(writer);
    }
}
