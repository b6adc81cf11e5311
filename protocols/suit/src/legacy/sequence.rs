use alloc::boxed::Box;
use alloc::vec::Vec;

use cbor::{Error as CborError, Reader, Reason, Type, lean};

use super::{
    LegacyDependency, LegacyError, Numbering,
    envelope::decode_digest,
    numbering::{Setting, Verb},
};
use crate::{
    ComponentId, ComponentIndex, Condition, Directive, Error, Feature, Parameter, ReportingPolicy,
    VersionMatch,
    error::Fault,
    labels::parameter,
    limits::{MAX_ALTERNATIVES, MAX_COMMANDS, MAX_COMPONENTS, MAX_DEPENDENCIES, MAX_NESTING},
    parameter::{decode_uri, wrapped},
};

/// URIs of one list, in drafts up to 13.
pub(super) const MAX_URIS: usize = 16;

/// A command sequence of any draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacySequence<'b> {
    commands: Vec<LegacyCommand<'b>>,
}

/// A command and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyCommand<'b> {
    /// Byte offset from the start of the envelope.
    pub at: usize,
    /// Byte offset inside the sequence of the section, also for commands of nested sequences, as reports name it.
    pub offset: u32,
    /// What to do.
    pub operation: LegacyOperation<'b>,
}

/// What a command does, in the terms of today where there are such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyOperation<'b> {
    /// A test without side effects.
    Condition(Condition, ReportingPolicy),
    /// The component lies at the offset; there is no such test today.
    ComponentOffset(ReportingPolicy),
    /// An action that takes its input from parameters.
    Directive(Directive, ReportingPolicy),
    /// Fetches from the first of several URIs that answers; there is no such action today.
    FetchUriList(ReportingPolicy),
    /// Selects the components that the following commands apply to.
    SetComponentIndex(ComponentIndex),
    /// Selects the dependencies that the following commands apply to.
    SetDependencyIndex(ComponentIndex),
    /// Runs one alternative after another until one succeeds.
    TryEach {
        /// The alternatives in order.
        alternatives: Vec<LegacySequence<'b>>,
        /// Whether to succeed when none did.
        or_nothing: bool,
    },
    /// Runs a nested sequence.
    RunSequence(LegacySequence<'b>),
    /// Sets those parameters that are not set yet.
    SetParameters(Vec<LegacyParameter<'b>>),
    /// Sets parameters.
    OverrideParameters(Vec<LegacyParameter<'b>>),
    /// Selects components one after another and sets parameters of each.
    OverrideMultiple(Vec<(u32, Vec<LegacyParameter<'b>>)>),
    /// Copies the parameters with these labels from other components.
    CopyParameters(Vec<(u32, Vec<i64>)>),
    /// A command of somebody's own.
    Custom {
        /// Its negative code.
        code: i64,
        /// Its argument, encoded.
        argument: &'b [u8],
    },
}

/// A parameter, in the terms of today where there are such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegacyParameter<'b> {
    /// One that exists today.
    Current(Parameter<'b>),
    /// Offset of the component.
    ComponentOffset(u64),
    /// SUIT_Compression_Info, as it came.
    CompressionInfo(&'b [u8]),
    /// SUIT_Unpack_Info, as it came.
    UnpackInfo(&'b [u8]),
    /// URIs to choose from.
    UriList(Vec<&'b str>),
    /// A parameter of somebody's own.
    Custom {
        /// Its negative label.
        label: i64,
        /// Its value, encoded.
        value: &'b [u8],
    },
}

impl<'b> LegacySequence<'b> {
    /// The commands in order.
    pub fn commands(&self) -> &[LegacyCommand<'b>] {
        &self.commands
    }

    /// Calls a function with every parameter that any command sets. Nesting is bounded by the decoder, and so is this
    /// recursion.
    pub(super) fn each_parameter(&self, see: &mut impl FnMut(&LegacyParameter<'b>)) {
        for command in &self.commands {
            match &command.operation {
                LegacyOperation::SetParameters(list) | LegacyOperation::OverrideParameters(list) => {
                    list.iter().for_each(&mut *see);
                }
                LegacyOperation::OverrideMultiple(entries) => {
                    entries.iter().flat_map(|(_, list)| list).for_each(&mut *see);
                }
                LegacyOperation::TryEach { alternatives, .. } => {
                    alternatives.iter().for_each(|alternative| alternative.each_parameter(see));
                }
                LegacyOperation::RunSequence(inner) => inner.each_parameter(see),
                _ => {}
            }
        }
    }
}

/// Which indices commands may name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// Component indices, as a set of bits.
    components: u32,
    /// Entries of the list of dependencies, which has an index of its own up to draft 16.
    dependencies: u32,
}

// A set of bits must have room for every index.
const _: () = assert!(MAX_COMPONENTS + MAX_DEPENDENCIES <= u32::BITS as usize);

impl Counts {
    pub(super) fn of(
        numbering: Numbering,
        components: &[ComponentId],
        dependencies: &[LegacyDependency],
    ) -> Self {
        let bit = |index: u32| 1u32.checked_shl(index).unwrap_or(0);
        let mut bits = (0u32..).zip(components).fold(0, |bits, (index, _)| bits | bit(index));
        if !numbering.is_before_17() {
            bits = dependencies.iter().fold(bits, |bits, one| bits | bit(one.index));
        }
        let dependencies = if numbering.is_before_17() { dependencies.len() } else { 0 };
        Self { components: bits, dependencies: u32::try_from(dependencies).unwrap_or(u32::MAX) }
    }

    fn has_component(self, index: u32) -> bool {
        1u32.checked_shl(index).is_some_and(|bit| self.components & bit != 0)
    }

    fn has_dependency(self, index: u32) -> bool {
        index < self.dependencies
    }
}

/// Reads the sequence of a section from the content of its byte string.
pub(super) fn decode_sequence<'b>(
    content: Reader<'b>,
    numbering: Numbering,
    counts: Counts,
) -> Result<LegacySequence<'b>, LegacyError> {
    Decoder { numbering, counts, start: content.position(), left: MAX_COMMANDS }.sequence(content, 0)
}

struct Decoder {
    numbering: Numbering,
    counts: Counts,
    /// Where the sequence of the section begins; offsets of commands count from here.
    start: usize,
    /// Commands the section may still have.
    left: usize,
}

impl Decoder {
    /// Reads one sequence. The recursion ends at [`MAX_NESTING`].
    fn sequence<'b>(
        &mut self,
        mut reader: Reader<'b>,
        depth: usize,
    ) -> Result<LegacySequence<'b>, LegacyError> {
        let at = reader.position();
        if depth > MAX_NESTING {
            return Err(CborError::new(at, Reason::TooDeep).into());
        }
        let items = reader.array()?;
        if items == 0 || !items.is_multiple_of(2) {
            let rule = "sequence is not one or more pairs of command and argument";
            return Err(CborError::rule(at, rule).into());
        }
        let count = items / 2;
        self.left = self
            .left
            .checked_sub(count)
            .ok_or(CborError::new(at, Reason::TooLong { limit: MAX_COMMANDS }))?;
        let mut commands = Vec::with_capacity(count);
        for _ in 0..count {
            let at = reader.position();
            let code = reader.int()?;
            let unknown = Error::Unsupported { at, feature: Feature::Command(code) };
            let verb = self.numbering.verb(code).ok_or(unknown)?;
            let operation = self.operation(verb, code, &mut reader, depth)?;
            // The offset fits: a section lies inside an envelope of bounded length.
            let offset = u32::try_from(at - self.start).unwrap_or(u32::MAX);
            commands.push(LegacyCommand { at, offset, operation });
        }
        reader.end()?;
        Ok(LegacySequence { commands })
    }

    fn operation<'b>(
        &mut self,
        verb: Verb,
        code: i64,
        reader: &mut Reader<'b>,
        depth: usize,
    ) -> Result<LegacyOperation<'b>, LegacyError> {
        let counts = self.counts;
        Ok(match verb {
            Verb::Condition(condition) => LegacyOperation::Condition(condition, policy(reader)?),
            Verb::ComponentOffset => LegacyOperation::ComponentOffset(policy(reader)?),
            Verb::Directive(directive) => LegacyOperation::Directive(directive, policy(reader)?),
            Verb::FetchUriList => LegacyOperation::FetchUriList(policy(reader)?),
            Verb::SetComponentIndex => {
                LegacyOperation::SetComponentIndex(indices(reader, |index| counts.has_component(index))?)
            }
            Verb::SetDependencyIndex => {
                LegacyOperation::SetDependencyIndex(indices(reader, |index| counts.has_dependency(index))?)
            }
            Verb::TryEach => self.try_each(reader, depth)?,
            Verb::RunSequence => LegacyOperation::RunSequence(self.sequence(reader.wrapped()?, depth + 1)?),
            Verb::SetParameters => LegacyOperation::SetParameters(self.parameters(reader)?),
            Verb::OverrideParameters => LegacyOperation::OverrideParameters(self.parameters(reader)?),
            Verb::OverrideMultiple => LegacyOperation::OverrideMultiple(
                self.per_component(reader, |this, reader| this.parameters(reader))?,
            ),
            Verb::CopyParameters => {
                let labels = |_: &Self, reader: &mut Reader<'b>| {
                    let count = reader.array()?;
                    (0..count).map(|_| Ok(reader.int()?)).collect::<Result<Vec<i64>, LegacyError>>()
                };
                LegacyOperation::CopyParameters(self.per_component(reader, labels)?)
            }
            Verb::Custom => LegacyOperation::Custom { code, argument: reader.raw()? },
        })
    }

    fn try_each<'b>(
        &mut self,
        reader: &mut Reader<'b>,
        depth: usize,
    ) -> Result<LegacyOperation<'b>, LegacyError> {
        let at = reader.position();
        let mut left = reader.array()?;
        let (mut alternatives, mut or_nothing) = (Vec::new(), false);
        while left > 0 {
            left -= 1;
            if left == 0 && reader.is_null()? {
                or_nothing = true;
                continue;
            }
            if alternatives.len() == MAX_ALTERNATIVES {
                return Err(CborError::new(at, Reason::TooLong { limit: MAX_ALTERNATIVES }).into());
            }
            alternatives.push(self.sequence(reader.wrapped()?, depth + 1)?);
        }
        if alternatives.is_empty() {
            return Err(CborError::rule(at, "try-each has no alternative").into());
        }
        Ok(LegacyOperation::TryEach { alternatives, or_nothing })
    }

    fn parameters<'b>(&self, reader: &mut Reader<'b>) -> Result<Vec<LegacyParameter<'b>>, LegacyError> {
        let start = reader.position();
        let mut map = reader.map()?;
        if map.remaining() == 0 {
            return Err(CborError::rule(start, "map of parameters is empty").into());
        }
        // Custom parameters have no registry to bound their number.
        if map.remaining() > MAX_COMMANDS {
            return Err(CborError::new(start, Reason::TooLong { limit: MAX_COMMANDS }).into());
        }
        let mut parameters = Vec::new();
        loop {
            let at = reader.position();
            let Some(label) = map.next_int(reader)? else { return Ok(parameters) };
            parameters.push(self.parameter(label, at, reader)?);
        }
    }

    fn parameter<'b>(
        &self,
        label: i64,
        at: usize,
        reader: &mut Reader<'b>,
    ) -> Result<LegacyParameter<'b>, LegacyError> {
        let unknown = Error::Unsupported { at, feature: Feature::Parameter(label) };
        Ok(match self.numbering.setting(label).ok_or(unknown)? {
            Setting::Current(label) => LegacyParameter::Current(self.known_parameter(label, at, reader)?),
            Setting::ComponentOffset => LegacyParameter::ComponentOffset(reader.uint()?),
            Setting::CompressionInfo => LegacyParameter::CompressionInfo(reader.bytes()?),
            Setting::UnpackInfo => LegacyParameter::UnpackInfo(reader.bytes()?),
            Setting::UriList => LegacyParameter::UriList(wrapped(reader.lean(), uri_list)?),
            Setting::Custom => LegacyParameter::Custom { label, value: reader.raw()? },
        })
    }

    /// Reads a parameter that exists today. Two of them were written in another way.
    fn known_parameter<'b>(
        &self,
        label: i64,
        at: usize,
        reader: &mut Reader<'b>,
    ) -> Result<Parameter<'b>, LegacyError> {
        let parameter = match label {
            parameter::IMAGE_DIGEST => {
                let mut inner = reader.wrapped()?;
                let digest = decode_digest(self.numbering, &mut inner)?;
                inner.end()?;
                Parameter::ImageDigest(digest)
            }
            // Without the byte string that is around it today.
            parameter::VERSION_MATCH if self.numbering.is_before_17() && reader.peek()? == Type::Array => {
                Parameter::VersionMatch(Box::new(VersionMatch::decode(reader.lean())?))
            }
            _ => Parameter::decode(label, at, reader.lean())?,
        };
        match parameter {
            Parameter::SourceComponent(index) if !self.counts.has_component(index) => Err(undeclared(at)),
            parameter => Ok(parameter),
        }
    }

    /// Reads a map from component indices.
    fn per_component<'b, T>(
        &self,
        reader: &mut Reader<'b>,
        mut value: impl FnMut(&Self, &mut Reader<'b>) -> Result<T, LegacyError>,
    ) -> Result<Vec<(u32, T)>, LegacyError> {
        let mut map = reader.map()?;
        let mut entries = Vec::new();
        loop {
            let at = reader.position();
            let Some(key) = map.next_int(reader)? else { return Ok(entries) };
            let index = u32::try_from(key).map_err(|_| CborError::new(at, Reason::OutOfRange))?;
            if !self.counts.has_component(index) {
                return Err(undeclared(at));
            }
            entries.push((index, value(self, reader)?));
        }
    }
}

fn policy(reader: &mut Reader<'_>) -> Result<ReportingPolicy, LegacyError> {
    Ok(ReportingPolicy(reader.uint()?))
}

fn indices(reader: &mut Reader<'_>, declared: impl Fn(u32) -> bool) -> Result<ComponentIndex, LegacyError> {
    let at = reader.position();
    let one = |reader: &mut Reader<'_>| {
        let at = reader.position();
        let index: u32 = reader.uint_as()?;
        if declared(index) { Ok(index) } else { Err(undeclared(at)) }
    };
    match reader.peek()? {
        Type::Bool if reader.bool()? => Ok(ComponentIndex::All),
        Type::Bool => Err(CborError::rule(at, "index is false, which selects nothing").into()),
        Type::Array => {
            let count = reader.array()?;
            let limit = MAX_COMPONENTS + MAX_DEPENDENCIES;
            if count == 0 {
                return Err(CborError::rule(at, "list of indices is empty").into());
            }
            if count > limit {
                return Err(CborError::new(at, Reason::TooLong { limit }).into());
            }
            (0..count).map(|_| one(reader)).collect::<Result<_, _>>().map(ComponentIndex::List)
        }
        _ => one(reader).map(ComponentIndex::One),
    }
}

fn undeclared(at: usize) -> LegacyError {
    CborError::rule(at, "index is not declared in common").into()
}

fn uri_list<'b>(reader: &mut lean::Reader<'b>) -> Result<Vec<&'b str>, Fault> {
    let at = reader.position();
    let count = reader.array()?;
    if count > MAX_URIS {
        return Err(Fault::too_long(at, MAX_URIS));
    }
    (0..count).map(|_| decode_uri(reader)).collect()
}
