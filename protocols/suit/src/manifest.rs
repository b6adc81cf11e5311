use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use cbor::{Type, lean::Reader};
use crypto::Digest;

use crate::{
    Common, ComponentId, Feature, Image, MudBinding, Sequence, Version,
    digest::decode_digest,
    error::Fault,
    evaluate,
    labels::{self, manifest},
    parameter::decode_uri,
    sequence::{Place, decode_section},
};

/// SUIT_Manifest (MAN, section 8.4), with every sequence decoded.
///
/// Having one says nothing about who made it: the processor takes only what [`crate::Envelope::verify`] makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest<'b>(Box<Members<'b>>);

/// In a box, because a manifest is handed on more often than it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Members<'b> {
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
        self.0.sequence_number
    }

    /// Components and shared sequence.
    pub fn common(&self) -> &Common<'b> {
        &self.0.common
    }

    /// Where the full manifest lives.
    pub fn reference_uri(&self) -> Option<&'b str> {
        self.0.reference_uri
    }

    /// Where this manifest is stored, when it is a root manifest (TD).
    pub fn component_id(&self) -> Option<&ComponentId> {
        self.0.component_id.as_ref()
    }

    /// Version the device has after the update (UM).
    pub fn set_version(&self) -> Option<&Version> {
        self.0.set_version.as_ref()
    }

    /// The sections the manifest has, ascending by label.
    pub fn sections(&self) -> impl Iterator<Item = (Section, &Held<Sequence<'b>>)> {
        self.0.sections.iter().map(|(section, held)| (*section, held))
    }

    /// A section, if the manifest has it.
    pub fn section(&self, section: Section) -> Option<&Held<Sequence<'b>>> {
        self.0.sections.iter().find(|(other, _)| *other == section).map(|(_, held)| held)
    }

    /// The concise software identity tag as bytes; what is in it is not this crate's business.
    pub fn coswid(&self) -> Option<Held<&'b [u8]>> {
        self.0.coswid.as_ref().map(without_offset)
    }

    /// The encoded text map.
    pub fn text(&self) -> Option<Held<&'b [u8]>> {
        self.0.text.as_ref().map(without_offset)
    }

    pub(crate) fn text_with_offset(&self) -> Option<(&'b [u8], usize)> {
        self.0.text.as_ref()?.value().copied()
    }

    /// Which MUD file belongs to the software, and who signs it.
    pub fn mud(&self) -> Option<&MudBinding<'b>> {
        self.0.mud.as_ref()
    }

    /// The images a device may end up with, as far as the manifest tells without a device.
    pub fn images(&self) -> Vec<Image<'b>> {
        evaluate::images(self)
    }

    /// Whether the manifest names this member, present or severed.
    pub fn has(&self, member: Severable) -> bool {
        match member {
            Severable::Coswid => self.0.coswid.is_some(),
            Severable::Text => self.0.text.is_some(),
            _ => self.0.sections.iter().any(|(section, _)| section.severable() == Some(member)),
        }
    }

    /// Labels of the members the manifest has.
    pub(crate) fn member_labels(&self) -> impl Iterator<Item = i64> {
        let always = [manifest::VERSION, manifest::SEQUENCE_NUMBER, manifest::COMMON];
        let others = [
            (manifest::REFERENCE_URI, self.0.reference_uri.is_some()),
            (manifest::COMPONENT_ID, self.0.component_id.is_some()),
            (manifest::SET_VERSION, self.0.set_version.is_some()),
            (manifest::COSWID, self.0.coswid.is_some()),
            (manifest::TEXT, self.0.text.is_some()),
            (manifest::MUD, self.0.mud.is_some()),
        ];
        let others = others.into_iter().filter_map(|(label, has)| has.then_some(label));
        always.into_iter().chain(others).chain(self.0.sections.iter().map(|(section, _)| section.label()))
    }

    /// The digest that stands in the place of a member.
    pub(crate) fn severed_digest(&self, member: Severable) -> Option<Digest> {
        let digest = match member {
            Severable::Coswid => self.0.coswid.as_ref()?.digest(),
            Severable::Text => self.0.text.as_ref()?.digest(),
            _ => self.0.sections.iter().find(|(section, _)| section.severable() == Some(member))?.1.digest(),
        };
        digest.copied()
    }

    /// Puts a severed member back whose digest was checked.
    pub(crate) fn restore(&mut self, member: Severable, content: &'b [u8], at: usize) -> Result<(), Fault> {
        let indices = self.0.common.indices();
        match member {
            Severable::Coswid => restore(&mut self.0.coswid, (content, at)),
            Severable::Text => restore(&mut self.0.text, (content, at)),
            _ => {
                let is_member = |(section, _): &&mut (Section, _)| section.severable() == Some(member);
                if let Some((_, held)) = self.0.sections.iter_mut().find(is_member)
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
        let mut members = Box::<Members<'b>>::default();
        members.sections =
            Vec::with_capacity(map.remaining().saturating_sub(REQUIRED.len()).min(Section::ALL.len()));
        let mut missing = REQUIRED;
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(&mut reader)? else { break };
            members.read(label, at, &mut reader)?;
            // Labels ascend, so what is required comes in the order of the list.
            if missing.first() == Some(&label) {
                missing = missing.get(1..).unwrap_or_default();
            }
        }
        reader.end()?;
        match missing.first() {
            Some(label) => Err(Fault::missing(at, *label)),
            None => Ok(Self(members)),
        }
    }
}

/// Members that no manifest lacks.
const REQUIRED: &[i64] = &[manifest::VERSION, manifest::SEQUENCE_NUMBER, manifest::COMMON];

impl<'b> Members<'b> {
    /// Reads the member with a label that stands at `at`.
    fn read(&mut self, label: i64, at: usize, reader: &mut Reader<'b>) -> Result<(), Fault> {
        match label {
            manifest::VERSION => {
                let at = reader.position();
                let version = reader.uint()?;
                if version != labels::MANIFEST_VERSION {
                    return Err(Fault::unsupported(at, Feature::ManifestVersion(version)));
                }
            }
            manifest::SEQUENCE_NUMBER => self.sequence_number = reader.uint()?,
            manifest::REFERENCE_URI => self.reference_uri = Some(decode_uri(reader)?),
            manifest::COMPONENT_ID => self.component_id = Some(ComponentId::decode(reader)?),
            manifest::COMMON | manifest::SET_VERSION | manifest::MUD => {
                let mut inner = reader.wrapped()?;
                match label {
                    manifest::COMMON => self.common.read(&mut inner)?,
                    manifest::SET_VERSION => self.set_version = Some(Version::decode(&mut inner)?),
                    _ => self.mud = Some(MudBinding::decode(&mut inner)?),
                }
                inner.end()?;
            }
            _ => self.read_severable(label, at, reader)?,
        }
        Ok(())
    }

    /// Reads a section or a member that can be severed: then an array, its digest, stands in place of a byte string.
    fn read_severable(&mut self, label: i64, at: usize, reader: &mut Reader<'b>) -> Result<(), Fault> {
        let (section, severable) = (Section::from_label(label), Severable::from_label(label));
        if section.is_none() && severable.is_none() {
            let is_legacy = manifest::LEGACY.contains(&label);
            let feature = if is_legacy { Feature::LegacyDraft } else { Feature::ManifestMember(label) };
            return Err(Fault::unsupported(at, feature));
        }
        let indices = self.common.indices();
        // Labels ascend, so common stands before every section or is missing.
        if section.is_some() && indices.count() == 0 {
            return Err(Fault::missing(at, manifest::COMMON));
        }
        let mut digest = None;
        if reader.peek()? == Type::Array {
            // Only before draft 17 could the other sections be severed, and their labels were those of others.
            if severable.is_none() {
                return Err(Fault::unsupported(at, Feature::LegacyDraft));
            }
            digest = Some(decode_digest(reader)?);
        }
        if let Some(section) = section {
            let held = match digest {
                Some(digest) => Held::Severed(digest),
                None => Held::Inline(decode_section(reader.wrapped()?, Place::Section, indices)?),
            };
            self.sections.push((section, held));
            return Ok(());
        }
        let held = match digest {
            Some(digest) => Held::Severed(digest),
            None => {
                let bytes = reader.bytes()?;
                Held::Inline((bytes, reader.position() - bytes.len()))
            }
        };
        match severable {
            Some(Severable::Coswid) => self.coswid = Some(held),
            _ => self.text = Some(held),
        }
        Ok(())
    }
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
