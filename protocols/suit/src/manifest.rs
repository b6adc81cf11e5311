use alloc::vec::Vec;
use core::fmt;

use cbor::{Type, lean::Reader};
use crypto::Digest;

use crate::{
    Common, ComponentId, Feature, Image, MudBinding, Sequence, Version,
    common::{Indices, decode_common},
    digest::decode_digest,
    error::Fault,
    evaluate,
    labels::{self, manifest},
    parameter::{decode_uri, wrapped},
    sequence::{Place, decode_section},
};

/// SUIT_Manifest (MAN, section 8.4), with every sequence decoded.
///
/// Having one says nothing about who made it: the processor takes only what [`crate::Envelope::verify`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest<'b> {
    sequence_number: u64,
    common: Common<'b>,
    reference_uri: Option<&'b str>,
    component_id: Option<ComponentId>,
    set_version: Option<Version>,
    sections: Vec<(Section, Held<Sequence<'b>>)>,
    /// Content and its offset.
    coswid: Option<Held<(&'b [u8], usize)>>,
    text: Option<Held<(&'b [u8], usize)>>,
    mud: Option<MudBinding<'b>>,
}

/// A severable member of a manifest: present, or replaced by its digest (MAN, section 5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held<T> {
    /// It stands in the manifest.
    Inline(T),
    /// Its digest stands in the manifest, and the envelope carries it.
    Restored(Digest, T),
    /// Only its digest is here.
    Severed(Digest),
}

impl<T> Held<T> {
    /// The member, unless only its digest is here.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Inline(value) | Self::Restored(_, value) => Some(value),
            Self::Severed(_) => None,
        }
    }

    /// The digest that stands in the manifest in place of the member.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Inline(_) => None,
            Self::Restored(digest, _) | Self::Severed(digest) => Some(digest),
        }
    }
}

/// A section of a manifest: one sequence with its own moment to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Checks that the device is fit to run the images.
    Validate,
    /// Prepares images for running.
    Load,
    /// Starts them.
    Invoke,
    /// Obtains dependencies (TD).
    DependencyResolution,
    /// Obtains payloads.
    PayloadFetch,
    /// Checks what was obtained (TD).
    CandidateVerification,
    /// Puts payloads into place.
    Install,
    /// Removes what was installed (TD).
    Uninstall,
}

impl Section {
    /// Every section.
    pub const ALL: [Self; 8] = [
        Self::Validate,
        Self::Load,
        Self::Invoke,
        Self::DependencyResolution,
        Self::PayloadFetch,
        Self::CandidateVerification,
        Self::Install,
        Self::Uninstall,
    ];

    /// Label in the manifest.
    pub fn label(self) -> i64 {
        match self {
            Self::Validate => manifest::VALIDATE,
            Self::Load => manifest::LOAD,
            Self::Invoke => manifest::INVOKE,
            Self::DependencyResolution => manifest::DEPENDENCY_RESOLUTION,
            Self::PayloadFetch => manifest::PAYLOAD_FETCH,
            Self::CandidateVerification => manifest::CANDIDATE_VERIFICATION,
            Self::Install => manifest::INSTALL,
            Self::Uninstall => manifest::UNINSTALL,
        }
    }

    pub(crate) fn from_label(label: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.label() == label)
    }

    /// The severable member it is, if it is one.
    pub fn severable(self) -> Option<Severable> {
        Severable::from_label(self.label())
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validate => "validate",
            Self::Load => "load",
            Self::Invoke => "invoke",
            Self::DependencyResolution => "dependency-resolution",
            Self::PayloadFetch => "payload-fetch",
            Self::CandidateVerification => "candidate-verification",
            Self::Install => "install",
            Self::Uninstall => "uninstall",
        })
    }
}

/// A member that may be severed from its manifest (MAN, section 8.4.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severable {
    /// The CoSWID (UM).
    Coswid,
    /// The dependency-resolution sequence (TD).
    DependencyResolution,
    /// The payload-fetch sequence.
    PayloadFetch,
    /// The candidate-verification sequence (TD).
    CandidateVerification,
    /// The install sequence.
    Install,
    /// The text.
    Text,
}

impl Severable {
    /// Every severable member.
    pub const ALL: [Self; 6] = [
        Self::Coswid,
        Self::DependencyResolution,
        Self::PayloadFetch,
        Self::CandidateVerification,
        Self::Install,
        Self::Text,
    ];

    /// Label in manifest and envelope.
    pub fn label(self) -> i64 {
        match self {
            Self::Coswid => manifest::COSWID,
            Self::DependencyResolution => manifest::DEPENDENCY_RESOLUTION,
            Self::PayloadFetch => manifest::PAYLOAD_FETCH,
            Self::CandidateVerification => manifest::CANDIDATE_VERIFICATION,
            Self::Install => manifest::INSTALL,
            Self::Text => manifest::TEXT,
        }
    }

    pub(crate) fn from_label(label: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.label() == label)
    }
}

impl fmt::Display for Severable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coswid => "coswid",
            Self::DependencyResolution => "dependency-resolution",
            Self::PayloadFetch => "payload-fetch",
            Self::CandidateVerification => "candidate-verification",
            Self::Install => "install",
            Self::Text => "text",
        })
    }
}

impl<'b> Manifest<'b> {
    /// The sequence number.
    pub fn sequence_number(&self) -> u64 {
        self.sequence_number
    }

    /// Components and shared sequence.
    pub fn common(&self) -> &Common<'b> {
        &self.common
    }

    /// Where the full manifest lives.
    pub fn reference_uri(&self) -> Option<&'b str> {
        self.reference_uri
    }

    /// Where this manifest is stored, when it is a root manifest (TD).
    pub fn component_id(&self) -> Option<&ComponentId> {
        self.component_id.as_ref()
    }

    /// Version the device has after the update (UM).
    pub fn set_version(&self) -> Option<&Version> {
        self.set_version.as_ref()
    }

    /// The sections the manifest has, ascending by label.
    pub fn sections(&self) -> impl Iterator<Item = (Section, &Held<Sequence<'b>>)> {
        self.sections.iter().map(|(section, held)| (*section, held))
    }

    /// A section, if the manifest has it.
    pub fn section(&self, section: Section) -> Option<&Held<Sequence<'b>>> {
        self.sections.iter().find(|(other, _)| *other == section).map(|(_, held)| held)
    }

    /// The concise software identity tag as bytes; what is in it is not this crate's business.
    pub fn coswid(&self) -> Option<Held<&'b [u8]>> {
        self.coswid.as_ref().map(without_offset)
    }

    /// The encoded text map.
    pub fn text(&self) -> Option<Held<&'b [u8]>> {
        self.text.as_ref().map(without_offset)
    }

    pub(crate) fn text_with_offset(&self) -> Option<(&'b [u8], usize)> {
        self.text.as_ref()?.value().copied()
    }

    /// Which MUD file belongs to the software, and who signs it.
    pub fn mud(&self) -> Option<&MudBinding<'b>> {
        self.mud.as_ref()
    }

    /// The images a device may end up with, as far as the manifest tells without a device.
    pub fn images(&self) -> Vec<Image<'b>> {
        evaluate::images(self)
    }

    /// Whether the manifest names this member, present or severed.
    pub fn has(&self, member: Severable) -> bool {
        match member {
            Severable::Coswid => self.coswid.is_some(),
            Severable::Text => self.text.is_some(),
            _ => self.sections.iter().any(|(section, _)| section.severable() == Some(member)),
        }
    }

    /// Labels of the members the manifest has.
    pub(crate) fn member_labels(&self) -> impl Iterator<Item = i64> {
        let always = [manifest::VERSION, manifest::SEQUENCE_NUMBER, manifest::COMMON];
        let others = [
            (manifest::REFERENCE_URI, self.reference_uri.is_some()),
            (manifest::COMPONENT_ID, self.component_id.is_some()),
            (manifest::SET_VERSION, self.set_version.is_some()),
            (manifest::COSWID, self.coswid.is_some()),
            (manifest::TEXT, self.text.is_some()),
            (manifest::MUD, self.mud.is_some()),
        ];
        let others = others.into_iter().filter_map(|(label, has)| has.then_some(label));
        always.into_iter().chain(others).chain(self.sections.iter().map(|(section, _)| section.label()))
    }

    /// The digest that stands in the place of a member.
    pub(crate) fn severed_digest(&self, member: Severable) -> Option<Digest> {
        let digest = match member {
            Severable::Coswid => self.coswid.as_ref()?.digest(),
            Severable::Text => self.text.as_ref()?.digest(),
            _ => self.sections.iter().find(|(section, _)| section.severable() == Some(member))?.1.digest(),
        };
        digest.copied()
    }

    /// Puts a severed member back whose digest was checked.
    pub(crate) fn restore(&mut self, member: Severable, content: &'b [u8], at: usize) -> Result<(), Fault> {
        let indices = self.common.indices();
        match member {
            Severable::Coswid => restore(&mut self.coswid, (content, at)),
            Severable::Text => restore(&mut self.text, (content, at)),
            _ => {
                let is_member = |(section, _): &&mut (Section, _)| section.severable() == Some(member);
                if let Some((_, held)) = self.sections.iter_mut().find(is_member)
                    && let Held::Severed(digest) = *held
                {
                    let reader = Reader::new(content).at_offset(at);
                    *held = Held::Restored(digest, decode_section(reader, Place::Section, indices)?);
                }
            }
        }
        Ok(())
    }

    /// Reads a manifest from the content of its byte string, which begins at `at` of the envelope.
    pub(crate) fn decode(content: &'b [u8], at: usize) -> Result<Self, Fault> {
        let mut reader = Reader::new(content).at_offset(at);
        let mut map = reader.map()?;
        let mut draft = Draft::default();
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(&mut reader)? else { break };
            draft.member(label, at, &mut reader)?;
        }
        reader.end()?;
        draft.finish(at)
    }
}

/// A manifest while it is read.
#[derive(Default)]
struct Draft<'b> {
    version: bool,
    sequence_number: Option<u64>,
    common: Option<Common<'b>>,
    reference_uri: Option<&'b str>,
    component_id: Option<ComponentId>,
    set_version: Option<Version>,
    sections: Vec<(Section, Held<Sequence<'b>>)>,
    coswid: Option<Held<(&'b [u8], usize)>>,
    text: Option<Held<(&'b [u8], usize)>>,
    mud: Option<MudBinding<'b>>,
}

impl<'b> Draft<'b> {
    fn member(&mut self, label: i64, at: usize, reader: &mut Reader<'b>) -> Result<(), Fault> {
        match label {
            manifest::VERSION => {
                let at = reader.position();
                let version = reader.uint()?;
                if version != labels::MANIFEST_VERSION {
                    return Err(Fault::unsupported(at, Feature::ManifestVersion(version)));
                }
                self.version = true;
            }
            manifest::SEQUENCE_NUMBER => self.sequence_number = Some(reader.uint()?),
            manifest::COMMON => self.common = Some(decode_common(reader)?),
            manifest::REFERENCE_URI => self.reference_uri = Some(decode_uri(reader)?),
            manifest::COMPONENT_ID => self.component_id = Some(ComponentId::decode(reader)?),
            manifest::SET_VERSION => self.set_version = Some(wrapped(reader, Version::decode)?),
            manifest::COSWID => self.coswid = Some(held(reader, content)?),
            manifest::TEXT => self.text = Some(held(reader, content)?),
            manifest::MUD => self.mud = Some(wrapped(reader, MudBinding::decode)?),
            _ => match Section::from_label(label) {
                Some(section) => {
                    let sequence = self.section(section, at, reader)?;
                    self.sections.push((section, sequence));
                }
                None if manifest::LEGACY.contains(&label) => {
                    return Err(Fault::unsupported(at, Feature::LegacyDraft));
                }
                None => return Err(Fault::unsupported(at, Feature::ManifestMember(label))),
            },
        }
        Ok(())
    }

    fn section(
        &self,
        section: Section,
        at: usize,
        reader: &mut Reader<'b>,
    ) -> Result<Held<Sequence<'b>>, Fault> {
        // Labels ascend, so common (3) stands before every section or is missing.
        let indices = self.indices(at)?;
        let decode = |reader: &mut Reader<'b>| decode_section(reader.wrapped()?, Place::Section, indices);
        match section.severable() {
            Some(_) => held(reader, decode),
            // Only before draft 17 could the members with these labels be severed, and they were others.
            None if reader.peek()? == Type::Array => Err(Fault::unsupported(at, Feature::LegacyDraft)),
            None => decode(reader).map(Held::Inline),
        }
    }

    fn indices(&self, at: usize) -> Result<Indices, Fault> {
        let common = self.common.as_ref().ok_or_else(|| Fault::missing(at, manifest::COMMON))?;
        Ok(common.indices())
    }

    fn finish(self, at: usize) -> Result<Manifest<'b>, Fault> {
        let missing = |label| Fault::missing(at, label);
        if !self.version {
            return Err(missing(manifest::VERSION));
        }
        Ok(Manifest {
            sequence_number: self.sequence_number.ok_or_else(|| missing(manifest::SEQUENCE_NUMBER))?,
            common: self.common.ok_or_else(|| missing(manifest::COMMON))?,
            reference_uri: self.reference_uri,
            component_id: self.component_id,
            set_version: self.set_version,
            sections: self.sections,
            coswid: self.coswid,
            text: self.text,
            mud: self.mud,
        })
    }
}

/// Reads a severable member: an array is its digest, a byte string the member.
fn held<'b, T>(
    reader: &mut Reader<'b>,
    decode: impl FnOnce(&mut Reader<'b>) -> Result<T, Fault>,
) -> Result<Held<T>, Fault> {
    if reader.peek()? == Type::Array {
        decode_digest(reader).map(Held::Severed)
    } else {
        decode(reader).map(Held::Inline)
    }
}

fn content<'b>(reader: &mut Reader<'b>) -> Result<(&'b [u8], usize), Fault> {
    let bytes = reader.bytes()?;
    Ok((bytes, reader.position() - bytes.len()))
}

pub(crate) fn without_offset<'b>(held: &Held<(&'b [u8], usize)>) -> Held<&'b [u8]> {
    match held {
        Held::Inline((bytes, _)) => Held::Inline(*bytes),
        Held::Restored(digest, (bytes, _)) => Held::Restored(*digest, *bytes),
        Held::Severed(digest) => Held::Severed(*digest),
    }
}

pub(crate) fn restore<T>(held: &mut Option<Held<T>>, value: T) {
    if let Some(Held::Severed(digest)) = *held {
        *held = Some(Held::Restored(digest, value));
    }
}
