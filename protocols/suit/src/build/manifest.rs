use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use cbor::{MapBuilder, Writer};
use crypto::{Digest, HashAlgorithm};

use super::{BuildError, EnvelopeBuilder, SequenceBuilder};
use crate::{
    ComponentId, Held, Manifest, MudBinding, Section, Sequence, Severable, Text, Version,
    digest::encode_digest,
    labels::{self, common, manifest},
};

/// Puts a manifest together (MAN, section 8.4).
#[derive(Clone, Debug, Default)]
pub struct ManifestBuilder {
    sequence_number: u64,
    components: Vec<ComponentId>,
    dependencies: BTreeMap<u32, Option<ComponentId>>,
    shared: SequenceBuilder,
    sections: BTreeMap<Section, SequenceBuilder>,
    reference_uri: Option<String>,
    component_id: Option<ComponentId>,
    set_version: Option<Version>,
    coswid: Option<Vec<u8>>,
    text: Option<Vec<u8>>,
    /// The encoded container.
    mud: Option<Vec<u8>>,
    severed: BTreeSet<Severable>,
}

impl ManifestBuilder {
    /// A manifest with this sequence number.
    pub fn new(sequence_number: u64) -> Self {
        Self { sequence_number, ..Self::default() }
    }

    /// Adds a component. Its index is the number of components before it.
    pub fn component(&mut self, component: ComponentId) -> &mut Self {
        self.components.push(component);
        self
    }

    /// Declares the component with an index a dependency (TD).
    pub fn dependency(&mut self, index: u32, prefix: Option<ComponentId>) -> &mut Self {
        self.dependencies.insert(index, prefix);
        self
    }

    /// The sequence that runs before every section.
    pub fn shared(&mut self, sequence: SequenceBuilder) -> &mut Self {
        self.shared = sequence;
        self
    }

    /// A section.
    pub fn section(&mut self, section: Section, sequence: SequenceBuilder) -> &mut Self {
        self.sections.insert(section, sequence);
        self
    }

    /// Where the full manifest lives.
    pub fn reference_uri(&mut self, uri: &str) -> &mut Self {
        self.reference_uri = Some(uri.to_string());
        self
    }

    /// Where the manifest is stored, as a root manifest (TD).
    pub fn component_id(&mut self, component: ComponentId) -> &mut Self {
        self.component_id = Some(component);
        self
    }

    /// Version the device has after the update (UM).
    pub fn set_version(&mut self, version: Version) -> &mut Self {
        self.set_version = Some(version);
        self
    }

    /// The CoSWID, encoded.
    pub fn coswid(&mut self, coswid: &[u8]) -> &mut Self {
        self.coswid = Some(coswid.to_vec());
        self
    }

    /// The text.
    pub fn text(&mut self, text: &Text<'_>) -> &mut Self {
        self.text = Some(text.to_bytes());
        self
    }

    /// The text, encoded before.
    pub fn encoded_text(&mut self, text: &[u8]) -> &mut Self {
        self.text = Some(text.to_vec());
        self
    }

    /// Which MUD file belongs to the software, and who signs it.
    pub fn mud(&mut self, mud: &MudBinding<'_>) -> &mut Self {
        self.mud = Some(Writer::encode(|w| mud.encode(w)));
        self
    }

    /// Moves a member out of the manifest into the envelope, where it can be dropped without hurting signatures.
    pub fn sever(&mut self, member: Severable) -> &mut Self {
        self.severed.insert(member);
        self
    }

    /// Builds the manifest and an envelope around it, with digests of one kind.
    ///
    /// What was built is decoded, so what leaves here is what a recipient accepts.
    pub fn build(&self, algorithm: HashAlgorithm) -> Result<EnvelopeBuilder, BuildError> {
        let mut map = MapBuilder::new();
        map.int(manifest::VERSION, |w| {
            w.uint(labels::MANIFEST_VERSION);
        });
        map.int(manifest::SEQUENCE_NUMBER, |w| {
            w.uint(self.sequence_number);
        });
        map.int(manifest::COMMON, |w| {
            w.wrap(|w| self.encode_common(w));
        });
        map.int_if(manifest::REFERENCE_URI, self.reference_uri.as_deref(), |w, uri| {
            w.text(uri);
        });
        map.int_if(manifest::COMPONENT_ID, self.component_id.as_ref(), |w, id| id.encode(w));
        map.int_if(manifest::SET_VERSION, self.set_version.as_ref(), |w, version| {
            w.wrap(|w| version.encode(w));
        });
        map.int_if(manifest::MUD, self.mud.as_deref(), |w, mud| {
            w.bytes(mud);
        });
        let mut severed = Vec::new();
        for (label, content) in self.members() {
            match Severable::from_label(label).filter(|member| self.severed.contains(member)) {
                Some(member) => {
                    let item = Writer::encode(|w| {
                        w.bytes(&content);
                    });
                    map.int(label, |w| encode_digest(&Digest::of(algorithm, &item), w));
                    severed.push((member, content));
                }
                None => {
                    map.int(label, |w| {
                        w.bytes(&content);
                    });
                }
            }
        }
        if let Some(member) =
            self.severed.iter().find(|member| !severed.iter().any(|(other, _)| other == *member))
        {
            return Err(BuildError::NothingToSever(*member));
        }
        EnvelopeBuilder::new(map.into_bytes(), algorithm, severed)
    }

    /// The members that are byte strings around a sequence, text or tag.
    fn members(&self) -> Vec<(i64, Vec<u8>)> {
        let sections = self.sections.iter().map(|(section, sequence)| (section.label(), sequence.to_bytes()));
        let coswid = self.coswid.iter().map(|coswid| (manifest::COSWID, coswid.clone()));
        let text = self.text.iter().map(|text| (manifest::TEXT, text.clone()));
        sections.chain(coswid).chain(text).collect()
    }

    fn encode_common(&self, writer: &mut Writer) {
        let mut map = MapBuilder::new();
        if !self.dependencies.is_empty() {
            map.int(common::DEPENDENCIES, |w| {
                let mut map = MapBuilder::new();
                for (index, prefix) in &self.dependencies {
                    map.int(i64::from(*index), |w| {
                        let mut metadata = MapBuilder::new();
                        metadata.int_if(common::DEPENDENCY_PREFIX, prefix.as_ref(), |w, id| id.encode(w));
                        metadata.write(w);
                    });
                }
                map.write(w);
            });
        }
        if !self.components.is_empty() {
            map.int(common::COMPONENTS, |w| {
                w.array(self.components.len());
                self.components.iter().for_each(|component| component.encode(w));
            });
        }
        if !self.shared.is_empty() {
            map.int(common::SHARED_SEQUENCE, |w| {
                w.bytes(&self.shared.to_bytes());
            });
        }
        map.write(writer);
    }
}

impl From<&Manifest<'_>> for ManifestBuilder {
    /// The same manifest again, for a change of it. Members of which only the digest is here are left out.
    fn from(manifest: &Manifest<'_>) -> Self {
        let common = manifest.common();
        let mut builder = Self::new(manifest.sequence_number());
        builder.components = common.components().to_vec();
        let dependencies = common.dependencies().iter();
        builder.dependencies = dependencies.map(|one| (one.index, one.prefix.clone())).collect();
        builder.shared = common.shared().map(SequenceBuilder::from).unwrap_or_default();
        builder.reference_uri = manifest.reference_uri().map(str::to_string);
        builder.component_id = manifest.component_id().cloned();
        builder.set_version = manifest.set_version().cloned();
        builder.mud = manifest.mud().map(|mud| Writer::encode(|w| mud.encode(w)));
        builder.coswid = manifest.coswid().and_then(|held| held.value().map(|coswid| coswid.to_vec()));
        builder.text = manifest.text().and_then(|held| held.value().map(|text| text.to_vec()));
        let restored = |held: &Held<Sequence<'_>>| matches!(held, Held::Restored(..));
        for (section, held) in manifest.sections() {
            if let Some(sequence) = held.value() {
                builder.section(section, sequence.into());
            }
            builder.severed.extend(section.severable().filter(|_| restored(held)));
        }
        if matches!(manifest.coswid(), Some(Held::Restored(..))) {
            builder.sever(Severable::Coswid);
        }
        if matches!(manifest.text(), Some(Held::Restored(..))) {
            builder.sever(Severable::Text);
        }
        builder
    }
}
