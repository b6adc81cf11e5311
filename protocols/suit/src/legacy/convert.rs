//! The meaning of an old manifest in the terms of today, for tools that lint, compare and try releases.

use alloc::vec::Vec;
use core::fmt;

use super::{
    LegacyCommand, LegacyEnvelope, LegacyManifest, LegacyOperation, LegacyParameter, LegacySequence, labels,
};
use crate::{
    BuildError, ComponentIndex, Condition, Directive, Envelope, Held, Image, ManifestBuilder, Parameter,
    SequenceBuilder, Severable, evaluate,
};

/// A manifest of an old draft as it would be written today, and what of it cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    envelope: Option<Vec<u8>>,
    without_equivalent: Vec<NoEquivalent>,
}

/// Something in an old manifest that has no equivalent today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEquivalent {
    /// Byte offset from the start of the old envelope, where there is one place.
    pub at: Option<usize>,
    /// What it is.
    pub what: Inexpressible,
}

/// What cannot be said today.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inexpressible {
    /// A place of a component in memory, tested or set. A slot is something else.
    ComponentOffset,
    /// Several URIs to choose from.
    UriList,
    /// Compression info.
    Compression,
    /// Unpack info.
    Unpacking,
    /// Encryption info that is no COSE_Encrypt, as it must be today.
    EncryptionInfo,
    /// A command of somebody's own.
    CustomCommand(i64),
    /// A parameter of somebody's own.
    CustomParameter(i64),
    /// A severed member that is not here. What is left is converted.
    Absent(Severable),
    /// Text that is not understood. What is left is converted.
    Text,
    /// Something that a rule of today forbids; its offset counts in what would have been written.
    Rule(BuildError),
}

impl Inexpressible {
    /// Whether the rest would do something else without it.
    fn changes_behaviour(self) -> bool {
        !matches!(self, Self::Absent(_) | Self::Text)
    }
}

impl Conversion {
    /// The envelope as it would be written today, signed by nobody: its digest is another one, so no signature of the
    /// old envelope is over it. Nothing when what cannot be said would change what the manifest does.
    pub fn envelope(&self) -> Option<&[u8]> {
        self.envelope.as_deref()
    }

    /// What has no equivalent, in the order of the old manifest.
    pub fn without_equivalent(&self) -> &[NoEquivalent] {
        &self.without_equivalent
    }

    /// The images a device may end up with, as far as the manifest tells without a device; none without an envelope.
    pub fn images(&self) -> Vec<Image<'_>> {
        let envelope = self.envelope().and_then(|bytes| Envelope::decode(bytes).ok());
        let manifest = envelope.and_then(|envelope| envelope.manifest_unverified().ok());
        manifest.map(|manifest| evaluate::images(&manifest)).unwrap_or_default()
    }

    pub(super) fn of(manifest: &LegacyManifest<'_>, envelope: &LegacyEnvelope<'_>) -> Self {
        let mut translator = Translator {
            components: u32::try_from(manifest.components().len()).unwrap_or(u32::MAX),
            dependencies: match manifest.numbering().is_before_17() {
                true => u32::try_from(manifest.dependencies().len()).unwrap_or(u32::MAX),
                false => 0,
            },
            lost: Vec::new(),
        };
        let builder = translator.manifest(manifest);
        let mut lost = translator.lost;
        let expressible = !lost.iter().any(|one| one.what.changes_behaviour());
        let algorithm = envelope.manifest_digest_claimed().algorithm();
        let built = expressible.then(|| builder.build(algorithm));
        let envelope = match built {
            Some(Ok(mut builder)) => {
                for payload in envelope.payloads() {
                    builder.payload(&payload.uri, payload.content);
                }
                Some(builder.to_bytes())
            }
            Some(Err(error)) => {
                lost.push(NoEquivalent { at: None, what: Inexpressible::Rule(error) });
                None
            }
            None => None,
        };
        Self { envelope, without_equivalent: lost }
    }
}

struct Translator {
    /// How many components there are. Dependencies of drafts up to 16 get the indices behind them.
    components: u32,
    /// How many dependencies have an index of their own.
    dependencies: u32,
    lost: Vec<NoEquivalent>,
}

impl Translator {
    fn manifest(&mut self, manifest: &LegacyManifest<'_>) -> ManifestBuilder {
        let mut builder = ManifestBuilder::new(manifest.sequence_number());
        for component in manifest.components() {
            builder.component(component.clone());
        }
        let mut shared = SequenceBuilder::new();
        for dependency in manifest.dependencies() {
            let index = if self.dependencies > 0 {
                self.components.saturating_add(dependency.index)
            } else {
                dependency.index
            };
            builder.dependency(index, dependency.prefix.clone());
            // Its digest stood beside it, and is a parameter today.
            if let Some(digest) = dependency.digest {
                shared = shared.component(index).override_parameters(&[Parameter::ImageDigest(digest)]);
            }
        }
        if let Some(sequence) = manifest.shared() {
            shared = self.sequence(shared, sequence);
        }
        builder.shared(shared);
        if let Some(uri) = manifest.reference_uri() {
            builder.reference_uri(uri);
        }
        if let Some(component) = manifest.component_id() {
            builder.component_id(component.clone());
        }
        if let Some(version) = manifest.set_version() {
            builder.set_version(version.clone());
        }
        if let Some(mud) = manifest.mud() {
            builder.mud(mud);
        }
        for (section, held) in manifest.sections() {
            if let Some(sequence) = self.member(&mut builder, section.severable(), held) {
                let sequence = self.sequence(SequenceBuilder::new(), sequence);
                builder.section(section, sequence);
            }
        }
        if let Some(held) = manifest.coswid()
            && let Some(coswid) = self.member(&mut builder, Some(Severable::Coswid), &held)
        {
            builder.coswid(coswid);
        }
        match (manifest.text(), manifest.text_decoded()) {
            (_, Err(_)) => self.lose(None, Inexpressible::Text),
            (None, Ok(_)) => {}
            (Some(held), Ok(text)) => {
                if let (Some(_), Some(text)) = (self.member(&mut builder, Some(Severable::Text), &held), text)
                {
                    builder.text(&text);
                }
            }
        }
        builder
    }

    /// A member that is here, or the loss of it. What was severed is severed again.
    fn member<'h, T>(
        &mut self,
        builder: &mut ManifestBuilder,
        member: Option<Severable>,
        held: &'h Held<T>,
    ) -> Option<&'h T> {
        match (held, member) {
            (Held::Restored(..), Some(member)) => {
                builder.sever(member);
            }
            (Held::Severed(_), Some(member)) => self.lose(None, Inexpressible::Absent(member)),
            _ => {}
        }
        held.value()
    }

    fn lose(&mut self, at: Option<usize>, what: Inexpressible) {
        self.lost.push(NoEquivalent { at, what });
    }

    /// Adds the commands of a sequence. Nesting is bounded by the decoder, and so is this recursion.
    fn sequence(&mut self, builder: SequenceBuilder, sequence: &LegacySequence<'_>) -> SequenceBuilder {
        sequence.commands().iter().fold(builder, |builder, command| self.command(builder, command))
    }

    fn command(&mut self, builder: SequenceBuilder, command: &LegacyCommand<'_>) -> SequenceBuilder {
        let at = Some(command.at);
        match &command.operation {
            LegacyOperation::Condition(condition, policy) => builder.condition(*condition, *policy),
            // Today a dependency must have been checked before; until draft 16 processing it did that.
            LegacyOperation::Directive(Directive::ProcessDependency, policy) if self.dependencies > 0 => {
                builder
                    .condition(Condition::DependencyIntegrity, *policy)
                    .directive(Directive::ProcessDependency, *policy)
            }
            LegacyOperation::Directive(directive, policy) => builder.directive(*directive, *policy),
            LegacyOperation::SetComponentIndex(index) => builder.set_component_index(&self.components(index)),
            LegacyOperation::SetDependencyIndex(index) => {
                builder.set_component_index(&self.dependencies(index))
            }
            LegacyOperation::TryEach { alternatives, or_nothing } => {
                let alternatives: Vec<_> =
                    alternatives.iter().map(|one| self.sequence(SequenceBuilder::new(), one)).collect();
                builder.try_each(&alternatives, *or_nothing)
            }
            LegacyOperation::RunSequence(inner) => {
                let inner = self.sequence(SequenceBuilder::new(), inner);
                builder.run_sequence(&inner)
            }
            LegacyOperation::SetParameters(list) => builder.set_parameters(&self.parameters(at, list)),
            LegacyOperation::OverrideParameters(list) => {
                builder.override_parameters(&self.parameters(at, list))
            }
            LegacyOperation::OverrideMultiple(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(index, list)| (*index, self.parameters(at, list))).collect();
                let entries: Vec<_> = entries.iter().map(|(index, list)| (*index, list.as_slice())).collect();
                builder.override_multiple(&entries)
            }
            LegacyOperation::CopyParameters(entries) => {
                let entries: Vec<_> = entries.iter().map(|(index, list)| (*index, list.as_slice())).collect();
                builder.copy_parameters(&entries)
            }
            LegacyOperation::ComponentOffset(_) => {
                self.lose(at, Inexpressible::ComponentOffset);
                builder
            }
            LegacyOperation::FetchUriList(_) => {
                self.lose(at, Inexpressible::UriList);
                builder
            }
            LegacyOperation::Custom { code, .. } => {
                self.lose(at, Inexpressible::CustomCommand(*code));
                builder
            }
        }
    }

    /// All components are those before the dependencies that were appended.
    fn components(&self, index: &ComponentIndex) -> ComponentIndex {
        match index {
            ComponentIndex::All if self.dependencies > 0 => {
                ComponentIndex::List((0..self.components).collect())
            }
            index => index.clone(),
        }
    }

    fn dependencies(&self, index: &ComponentIndex) -> ComponentIndex {
        let behind = |index: u32| self.components.saturating_add(index);
        match index {
            ComponentIndex::One(index) => ComponentIndex::One(behind(*index)),
            ComponentIndex::All => ComponentIndex::List((0..self.dependencies).map(behind).collect()),
            ComponentIndex::List(list) => ComponentIndex::List(list.iter().copied().map(behind).collect()),
        }
    }

    fn parameters<'b>(&mut self, at: Option<usize>, list: &[LegacyParameter<'b>]) -> Vec<Parameter<'b>> {
        list.iter().filter_map(|parameter| self.parameter(at, parameter)).collect()
    }

    fn parameter<'b>(&mut self, at: Option<usize>, parameter: &LegacyParameter<'b>) -> Option<Parameter<'b>> {
        let lost = match parameter {
            LegacyParameter::Current(Parameter::EncryptionInfo(info)) if !is_cose_encrypt(info) => {
                Inexpressible::EncryptionInfo
            }
            LegacyParameter::Current(parameter) => return Some(parameter.clone()),
            LegacyParameter::ComponentOffset(_) => Inexpressible::ComponentOffset,
            LegacyParameter::CompressionInfo(_) => Inexpressible::Compression,
            LegacyParameter::UnpackInfo(_) => Inexpressible::Unpacking,
            LegacyParameter::UriList(_) => Inexpressible::UriList,
            LegacyParameter::Custom { label, .. } => Inexpressible::CustomParameter(*label),
        };
        self.lose(at, lost);
        None
    }
}

fn is_cose_encrypt(info: &[u8]) -> bool {
    cbor::Reader::new(info).tag() == Ok(labels::TAG_ENCRYPT)
}

impl fmt::Display for NoEquivalent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)?;
        self.at.map_or(Ok(()), |at| write!(f, ", at byte {at}"))
    }
}

impl fmt::Display for Inexpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ComponentOffset => f.write_str("component offset"),
            Self::UriList => f.write_str("list of URIs"),
            Self::Compression => f.write_str("compression info"),
            Self::Unpacking => f.write_str("unpack info"),
            Self::EncryptionInfo => f.write_str("encryption info that is no COSE_Encrypt"),
            Self::CustomCommand(code) => write!(f, "custom command {code}"),
            Self::CustomParameter(label) => write!(f, "custom parameter {label}"),
            Self::Absent(member) => write!(f, "severed {member} that is not in the envelope"),
            Self::Text => f.write_str("text that is not understood"),
            Self::Rule(error) => error.fmt(f),
        }
    }
}
