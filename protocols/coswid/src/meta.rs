use alloc::string::String;

use cbor::{Error, Key, MapBuilder, Reader, Type, Writer};

use crate::{GlobalAttributes, labels, wire};

/// software-meta-entry (RFC 9393, section 2.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftwareMeta {
    /// activation-status (43).
    pub activation_status: Option<String>,
    /// channel-type (44).
    pub channel_type: Option<String>,
    /// colloquial-version (45).
    pub colloquial_version: Option<String>,
    /// description (46).
    pub description: Option<String>,
    /// edition (47).
    pub edition: Option<String>,
    /// entitlement-data-required (48).
    pub entitlement_data_required: Option<bool>,
    /// entitlement-key (49).
    pub entitlement_key: Option<String>,
    /// generator (50).
    pub generator: Option<Generator>,
    /// persistent-id (51): shared by all releases of one product line.
    pub persistent_id: Option<String>,
    /// product (52).
    pub product: Option<String>,
    /// product-family (53).
    pub product_family: Option<String>,
    /// revision (54).
    pub revision: Option<String>,
    /// summary (55).
    pub summary: Option<String>,
    /// unspsc-code (56).
    pub unspsc_code: Option<String>,
    /// unspsc-version (57).
    pub unspsc_version: Option<String>,
    /// Other entries.
    pub global: GlobalAttributes,
}

/// The tool that made a tag (50): a name, or the 16 bytes of a UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generator {
    /// A name.
    Name(String),
    /// A UUID.
    Uuid([u8; 16]),
}

impl SoftwareMeta {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut map = reader.map()?;
        let mut meta = Self::default();
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::ENTITLEMENT_DATA_REQUIRED) => {
                    meta.entitlement_data_required = Some(reader.bool()?)
                }
                Key::Int(labels::GENERATOR) => {
                    meta.generator = Some(match reader.peek()? {
                        Type::Bytes => Generator::Uuid(*reader.byte_array()?),
                        _ => Generator::Name(wire::text(reader)?),
                    });
                }
                Key::Int(label) => match meta.text_mut(label) {
                    Some(place) => *place = Some(wire::text(reader)?),
                    None => meta.global.decode_entry(key, at, reader)?,
                },
                key => meta.global.decode_entry(key, at, reader)?,
            }
            at = reader.position();
        }
        Ok(meta)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        let mut copy = self.clone();
        for label in labels::ACTIVATION_STATUS..=labels::UNSPSC_VERSION {
            let text = copy.text_mut(label).and_then(Option::take);
            map.int_if(label, text, |w, text| {
                w.text(&text);
            });
        }
        map.int_if(labels::ENTITLEMENT_DATA_REQUIRED, self.entitlement_data_required, |w, required| {
            w.bool(required);
        });
        map.int_if(labels::GENERATOR, self.generator.as_ref(), |w, generator| {
            match generator {
                Generator::Name(name) => w.text(name),
                Generator::Uuid(uuid) => w.bytes(uuid),
            };
        });
        self.global.encode(&mut map);
        map.write(writer);
    }

    /// The entry with this label, for those whose value is a text.
    fn text_mut(&mut self, label: i64) -> Option<&mut Option<String>> {
        Some(match label {
            labels::ACTIVATION_STATUS => &mut self.activation_status,
            labels::CHANNEL_TYPE => &mut self.channel_type,
            labels::COLLOQUIAL_VERSION => &mut self.colloquial_version,
            labels::DESCRIPTION => &mut self.description,
            labels::EDITION => &mut self.edition,
            labels::ENTITLEMENT_KEY => &mut self.entitlement_key,
            labels::PERSISTENT_ID => &mut self.persistent_id,
            labels::PRODUCT => &mut self.product,
            labels::PRODUCT_FAMILY => &mut self.product_family,
            labels::REVISION => &mut self.revision,
            labels::SUMMARY => &mut self.summary,
            labels::UNSPSC_CODE => &mut self.unspsc_code,
            labels::UNSPSC_VERSION => &mut self.unspsc_version,
            _ => return None,
        })
    }
}
