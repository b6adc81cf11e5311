use alloc::vec::Vec;

use cbor::{Error as CborError, Reader, Reason, Type, lean};
use crypto::Digest;

use super::{
    LegacyError, LegacySequence, Numbering,
    detect::manifest_tag,
    envelope::{decode_digest, unique},
    labels::dependency,
    numbering::ManifestMember,
    sequence::{Counts, decode_sequence},
};
use crate::{
    ComponentId, Error, Feature, Held, LanguageText, MudBinding, Section, Severable, Text, Version,
    envelope::Wrapped,
    error::Fault,
    labels::{MANIFEST_VERSION, common, manifest},
    limits::{MAX_COMPONENTS, MAX_DEPENDENCIES},
    parameter::{decode_uri, wrapped},
};

/// A manifest of any draft, with every sequence decoded by one numbering.
///
/// Having one says nothing about who made it, and no processor takes it: it is for people and tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyManifest<'b> {
    numbering: Numbering,
    sequence_number: u64,
    components: Vec<ComponentId>,
    dependencies: Vec<LegacyDependency>,
    shared: Option<LegacySequence<'b>>,
    reference_uri: Option<&'b str>,
    component_id: Option<ComponentId>,
    set_version: Option<Version>,
    sections: Vec<(Section, Held<LegacySequence<'b>>)>,
    /// Content and its offset.
    coswid: Option<Held<(&'b [u8], usize)>>,
    text: Option<Held<(&'b [u8], usize)>>,
    mud: Option<MudBinding<'b>>,
}

/// A dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyDependency {
    /// Up to draft 16 its place in the list of dependencies, since then its component index.
    pub index: u32,
    /// Digest of its manifest, which since draft 17 is a parameter instead.
    pub digest: Option<Digest>,
    /// What to put before its component identifiers.
    pub prefix: Option<ComponentId>,
}

impl<'b> LegacyManifest<'b> {
    /// The table of labels it was read with.
    pub fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// The sequence number.
    pub fn sequence_number(&self) -> u64 {
        self.sequence_number
    }

    /// The components; a component index counts into them.
    pub fn components(&self) -> &[ComponentId] {
        &self.components
    }

    /// The dependencies.
    pub fn dependencies(&self) -> &[LegacyDependency] {
        &self.dependencies
    }

    /// The sequence that runs before every other; up to draft 18 it was called common.
    pub fn shared(&self) -> Option<&LegacySequence<'b>> {
        self.shared.as_ref()
    }

    /// Where the full manifest lives.
    pub fn reference_uri(&self) -> Option<&'b str> {
        self.reference_uri
    }

    /// Where this manifest is stored, when it is a root manifest.
    pub fn component_id(&self) -> Option<&ComponentId> {
        self.component_id.as_ref()
    }

    /// Version the device has after the update.
    pub fn set_version(&self) -> Option<&Version> {
        self.set_version.as_ref()
    }

    /// The sections the manifest has, as they came, under their names of today.
    pub fn sections(&self) -> impl Iterator<Item = (Section, &Held<LegacySequence<'b>>)> {
        self.sections.iter().map(|(section, held)| (*section, held))
    }

    /// A section, if the manifest has it.
    pub fn section(&self, section: Section) -> Option<&Held<LegacySequence<'b>>> {
        self.sections.iter().find(|(other, _)| *other == section).map(|(_, held)| held)
    }

    /// The concise software identity tag as bytes.
    pub fn coswid(&self) -> Option<Held<&'b [u8]>> {
        self.coswid.as_ref().map(crate::manifest::without_offset)
    }

    /// The encoded text map.
    pub fn text(&self) -> Option<Held<&'b [u8]>> {
        self.text.as_ref().map(crate::manifest::without_offset)
    }

    /// The text map, unless it is missing or severed and not here.
    ///
    /// Until draft 24 it had no level of languages; such text is in no language that anybody named: `und` (RFC 5646).
    pub fn text_decoded(&self) -> Result<Option<Text<'b>>, LegacyError> {
        let Some(&(content, at)) = self.text.as_ref().and_then(Held::value) else { return Ok(None) };
        let mut reader = unique(Wrapped { item: content, content, at });
        let mut first = reader.clone();
        let by_language = first.map()?.remaining() > 0 && first.peek()? == Type::Text;
        if by_language {
            return Ok(Some(Text::decode(content, at)?));
        }
        let text = LanguageText::decode("und", &mut reader)?;
        reader.end()?;
        Ok(Some(Text::new(Vec::from([text]))))
    }

    /// Which MUD file belongs to the software, and who signs it.
    pub fn mud(&self) -> Option<&MudBinding<'b>> {
        self.mud.as_ref()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts::of(self.numbering, &self.components, &self.dependencies)
    }

    /// The digest that stands in the place of a member.
    pub(super) fn severed_digest(&self, member: Severable) -> Option<Digest> {
        let digest = match member {
            Severable::Coswid => self.coswid.as_ref()?.digest(),
            Severable::Text => self.text.as_ref()?.digest(),
            _ => self.sections.iter().find(|(section, _)| section.severable() == Some(member))?.1.digest(),
        };
        digest.copied()
    }

    /// Puts a severed member back whose digest was checked.
    pub(super) fn restore(&mut self, member: Severable, wrapped: Wrapped<'b>) -> Result<(), LegacyError> {
        let counts = self.counts();
        match member {
            Severable::Coswid => crate::manifest::restore(&mut self.coswid, (wrapped.content, wrapped.at)),
            Severable::Text => crate::manifest::restore(&mut self.text, (wrapped.content, wrapped.at)),
            _ => {
                let is_member = |(section, _): &&mut (Section, _)| section.severable() == Some(member);
                if let Some((_, held)) = self.sections.iter_mut().find(is_member)
                    && let Held::Severed(digest) = *held
                {
                    *held = Held::Restored(digest, decode_sequence(unique(wrapped), self.numbering, counts)?);
                }
            }
        }
        Ok(())
    }

    /// Reads a manifest from the content of its byte string.
    pub(super) fn decode(mut reader: Reader<'b>, numbering: Numbering) -> Result<Self, LegacyError> {
        manifest_tag(&mut reader)?;
        let start = reader.position();
        let mut map = reader.map()?;
        // Keys come in any order, and sections need what common declares.
        let mut members = Vec::new();
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(&mut reader)? else { break };
            let unknown = Error::Unsupported { at, feature: Feature::ManifestMember(label) };
            members.push((numbering.manifest_member(label).ok_or(unknown)?, reader.clone()));
            reader.skip()?;
        }
        reader.end()?;
        let missing = |label| CborError::new(start, Reason::MissingKey(label));
        let find = |wanted: ManifestMember| {
            let found = members.iter().find(|(member, _)| *member == wanted);
            found.map(|(_, reader): &(_, Reader<'b>)| reader.clone())
        };
        check_version(&mut find(ManifestMember::Version).ok_or(missing(manifest::VERSION))?)?;
        let mut sequence_number =
            find(ManifestMember::SequenceNumber).ok_or(missing(manifest::SEQUENCE_NUMBER))?;
        let mut common = find(ManifestMember::Common).ok_or(missing(manifest::COMMON))?;
        let mut this = Self {
            numbering,
            sequence_number: sequence_number.uint()?,
            components: Vec::new(),
            dependencies: Vec::new(),
            shared: None,
            reference_uri: None,
            component_id: None,
            set_version: None,
            sections: Vec::new(),
            coswid: None,
            text: None,
            mud: None,
        };
        this.read_common(common.wrapped()?)?;
        for (member, mut reader) in members {
            this.read_member(member, &mut reader)?;
        }
        Ok(this)
    }

    fn read_member(&mut self, member: ManifestMember, reader: &mut Reader<'b>) -> Result<(), LegacyError> {
        let numbering = self.numbering;
        match member {
            // Read before the others.
            ManifestMember::Version | ManifestMember::SequenceNumber | ManifestMember::Common => {}
            ManifestMember::ReferenceUri => self.reference_uri = Some(decode_uri(reader.lean())?),
            ManifestMember::ComponentId => self.component_id = Some(ComponentId::decode(reader.lean())?),
            ManifestMember::SetVersion => self.set_version = Some(wrapped(reader.lean(), Version::decode)?),
            ManifestMember::Mud => self.mud = Some(wrapped(reader.lean(), MudBinding::decode)?),
            ManifestMember::Coswid => self.coswid = Some(held(numbering, reader, content)?),
            ManifestMember::Text => self.text = Some(held(numbering, reader, content)?),
            ManifestMember::Section(section) => {
                let counts = self.counts();
                let sequence =
                    |reader: &mut Reader<'b>| decode_sequence(reader.wrapped()?, numbering, counts);
                let held = match section.severable() {
                    Some(_) => held(numbering, reader, sequence)?,
                    None => Held::Inline(sequence(reader)?),
                };
                self.sections.push((section, held));
            }
        }
        Ok(())
    }

    fn read_common(&mut self, mut reader: Reader<'b>) -> Result<(), LegacyError> {
        let start = reader.position();
        let mut shared = None;
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(&mut reader)? else { break };
            match label {
                common::DEPENDENCIES => self.dependencies = self.read_dependencies(&mut reader)?,
                common::COMPONENTS => self.components = self.read_components(&mut reader)?,
                common::SHARED_SEQUENCE => shared = Some(reader.wrapped()?),
                other => return Err(Error::Unsupported { at, feature: Feature::CommonMember(other) }.into()),
            }
        }
        reader.end()?;
        if self.components.is_empty() && self.dependencies.is_empty() {
            return Err(CborError::new(start, Reason::MissingKey(common::COMPONENTS)).into());
        }
        if let Some(shared) = shared {
            self.shared = Some(decode_sequence(shared, self.numbering, self.counts())?);
        }
        Ok(())
    }

    fn read_components(&self, reader: &mut Reader<'b>) -> Result<Vec<ComponentId>, LegacyError> {
        // Until draft 08 the list was wrapped in a byte string.
        if self.numbering == Numbering::Draft09 && reader.peek()? == Type::Bytes {
            return Ok(wrapped(reader.lean(), list_of_components)?);
        }
        Ok(list_of_components(reader.lean())?)
    }

    fn read_dependencies(&self, reader: &mut Reader<'b>) -> Result<Vec<LegacyDependency>, LegacyError> {
        if self.numbering.is_before_17() {
            list_of_dependencies(self.numbering, reader)
        } else {
            map_of_dependencies(reader)
        }
    }
}

fn check_version(reader: &mut Reader<'_>) -> Result<(), LegacyError> {
    let at = reader.position();
    match reader.uint()? {
        MANIFEST_VERSION => Ok(()),
        version => Err(Error::Unsupported { at, feature: Feature::ManifestVersion(version) }.into()),
    }
}

/// Reads a severable member: an array is its digest, a byte string the member.
fn held<'b, T>(
    numbering: Numbering,
    reader: &mut Reader<'b>,
    decode: impl FnOnce(&mut Reader<'b>) -> Result<T, LegacyError>,
) -> Result<Held<T>, LegacyError> {
    if reader.peek()? == Type::Array {
        decode_digest(numbering, reader).map(Held::Severed)
    } else {
        decode(reader).map(Held::Inline)
    }
}

fn content<'b>(reader: &mut Reader<'b>) -> Result<(&'b [u8], usize), LegacyError> {
    let bytes = reader.bytes()?;
    Ok((bytes, reader.position() - bytes.len()))
}

fn list_of_components(reader: &mut lean::Reader<'_>) -> Result<Vec<ComponentId>, Fault> {
    let at = reader.position();
    let count = reader.array()?;
    if count > MAX_COMPONENTS {
        return Err(Fault::too_long(at, MAX_COMPONENTS));
    }
    (0..count).map(|_| ComponentId::decode(reader)).collect()
}

/// Dependencies of drafts up to 16: a list, each with its digest.
fn list_of_dependencies(
    numbering: Numbering,
    reader: &mut Reader<'_>,
) -> Result<Vec<LegacyDependency>, LegacyError> {
    let at = reader.position();
    let count = reader.array()?;
    if count > MAX_DEPENDENCIES {
        return Err(CborError::new(at, Reason::TooLong { limit: MAX_DEPENDENCIES }).into());
    }
    let mut dependencies = Vec::with_capacity(count);
    for index in (0u32..).take(count) {
        let start = reader.position();
        let (mut digest, mut prefix) = (None, None);
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            match map.next_int(reader)? {
                None => break,
                Some(dependency::DIGEST) => digest = Some(decode_digest(numbering, reader)?),
                Some(dependency::PREFIX) => prefix = Some(ComponentId::decode(reader.lean())?),
                Some(other) => {
                    return Err(Error::Unsupported { at, feature: Feature::CommonMember(other) }.into());
                }
            }
        }
        if digest.is_none() {
            return Err(CborError::new(start, Reason::MissingKey(dependency::DIGEST)).into());
        }
        dependencies.push(LegacyDependency { index, digest, prefix });
    }
    Ok(dependencies)
}

/// Dependencies since draft 17: component indices with metadata (TD, section 5.1).
fn map_of_dependencies(reader: &mut Reader<'_>) -> Result<Vec<LegacyDependency>, LegacyError> {
    let dependencies = crate::common::decode_dependencies(reader.lean())?;
    let plain = dependencies.into_iter().map(|one| LegacyDependency {
        index: one.index,
        digest: None,
        prefix: one.prefix,
    });
    Ok(plain.collect())
}
