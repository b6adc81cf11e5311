//! Decoding of command sequences: every rule that can be checked before a command runs is checked here.

use alloc::vec::Vec;

use cbor::{
    Reason, Type,
    lean::{MapCursor, Reader},
};

use crate::{
    Command, ComponentIndex, Condition, Control, Directive, Feature, Operation, Parameter, ReportingPolicy,
    Sequence,
    common::Indices,
    error::Fault,
    labels::parameter,
    limits::{MAX_ALTERNATIVES, MAX_COMMANDS, MAX_COMPONENTS, MAX_DEPENDENCIES, MAX_NESTING},
    parameter::decode_parameters,
};

/// Where a sequence stands, which decides what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The shared sequence of common.
    Shared,
    /// Another section.
    Section,
}

/// Reads the sequence of a section from the content of its byte string.
pub(crate) fn decode_section<'b>(
    content: Reader<'b>,
    place: Place,
    indices: Indices,
) -> Result<Sequence<'b>, Fault> {
    let mut decoder = Decoder { start: content.position(), place, indices, left: MAX_COMMANDS };
    let at = content.position();
    let sequence = decoder.sequence(content, 0)?;
    // MAN, section 6.2: without an index it would be open which component the first command means.
    let selects = |operation: &Operation<'_>| {
        matches!(operation, Operation::SetComponentIndex(_) | Operation::OverrideMultiple(_))
    };
    if indices.count() > 1 && !sequence.commands.first().is_some_and(|first| selects(&first.operation)) {
        return Err(Fault::rule(at, "section does not begin with set-component-index"));
    }
    Ok(sequence)
}

struct Decoder {
    /// Where the sequence of the section begins; offsets of commands count from here.
    start: usize,
    place: Place,
    indices: Indices,
    /// Commands the section may still have.
    left: usize,
}

impl Decoder {
    /// Reads one sequence. The recursion ends at [`MAX_NESTING`].
    fn sequence<'b>(&mut self, mut reader: Reader<'b>, depth: usize) -> Result<Sequence<'b>, Fault> {
        let at = reader.position();
        if depth > MAX_NESTING {
            return Err(Fault::new(at, Reason::TooDeep));
        }
        let items = reader.array()?;
        if items == 0 || !items.is_multiple_of(2) {
            return Err(Fault::rule(at, "sequence is not one or more pairs of command and argument"));
        }
        let count = items / 2;
        self.left = self.left.checked_sub(count).ok_or_else(|| Fault::too_long(at, MAX_COMMANDS))?;
        let mut commands = Vec::with_capacity(count);
        for _ in 0..count {
            commands.push(self.command(&mut reader, depth)?);
        }
        reader.end()?;
        Ok(Sequence { commands })
    }

    fn command<'b>(&mut self, reader: &mut Reader<'b>, depth: usize) -> Result<Command<'b>, Fault> {
        let at = reader.position();
        let code = reader.int()?;
        // The offset fits: a section lies inside an envelope of bounded length.
        let offset = u32::try_from(at - self.start).unwrap_or(u32::MAX);
        let operation = self.operation(code, at, reader, depth)?;
        if self.place == Place::Shared && !allowed_in_shared(&operation) {
            return Err(Fault::rule(at, "command is not allowed in the shared sequence"));
        }
        Ok(Command { offset, operation })
    }

    fn operation<'b>(
        &mut self,
        code: i64,
        at: usize,
        reader: &mut Reader<'b>,
        depth: usize,
    ) -> Result<Operation<'b>, Fault> {
        if let Some(condition) = Condition::from_code(code) {
            return Ok(Operation::Condition(condition, ReportingPolicy(reader.uint()?)));
        }
        if let Some(directive) = Directive::from_code(code) {
            return Ok(Operation::Directive(directive, ReportingPolicy(reader.uint()?)));
        }
        let unknown = || Fault::unsupported(at, Feature::Command(code));
        match Control::from_code(code).ok_or_else(unknown)? {
            Control::SetComponentIndex => Ok(Operation::SetComponentIndex(self.component_index(reader)?)),
            Control::TryEach => self.try_each(reader, depth),
            Control::RunSequence => Ok(Operation::RunSequence(self.sequence(reader.wrapped()?, depth + 1)?)),
            Control::SetParameters => Ok(Operation::SetParameters(self.parameters(reader, depth)?)),
            Control::OverrideParameters => Ok(Operation::OverrideParameters(self.parameters(reader, depth)?)),
            Control::OverrideMultiple => {
                let (mut map, mut entries) = (per_component(reader)?, Vec::new());
                while let Some(index) = self.next_component(&mut map, reader)? {
                    entries.push((index, self.parameters(reader, depth)?));
                }
                Ok(Operation::OverrideMultiple(entries))
            }
            Control::CopyParameters => {
                let (mut map, mut entries) = (per_component(reader)?, Vec::new());
                while let Some(index) = self.next_component(&mut map, reader)? {
                    entries.push((index, copied_labels(reader)?));
                }
                Ok(Operation::CopyParameters(entries))
            }
        }
    }

    fn component_index(&self, reader: &mut Reader<'_>) -> Result<ComponentIndex, Fault> {
        let at = reader.position();
        match reader.peek()? {
            Type::Bool => {
                if !reader.bool()? {
                    return Err(Fault::rule(at, "component index is false"));
                }
                Ok(ComponentIndex::All)
            }
            Type::Array => {
                let count = reader.array()?;
                if count == 0 {
                    return Err(Fault::rule(at, "list of component indices is empty"));
                }
                if count > MAX_COMPONENTS + MAX_DEPENDENCIES {
                    let limit = MAX_COMPONENTS + MAX_DEPENDENCIES;
                    return Err(Fault::too_long(at, limit));
                }
                let mut list = Vec::with_capacity(count);
                for _ in 0..count {
                    list.push(self.index(reader)?);
                }
                Ok(ComponentIndex::List(list))
            }
            _ => Ok(ComponentIndex::One(self.index(reader)?)),
        }
    }

    /// Reads an index that the manifest declares.
    fn index(&self, reader: &mut Reader<'_>) -> Result<u32, Fault> {
        let at = reader.position();
        let index = reader.uint_as()?;
        self.declared(index, at)?;
        Ok(index)
    }

    fn declared(&self, index: u32, at: usize) -> Result<(), Fault> {
        if self.indices.contains(index) {
            Ok(())
        } else {
            Err(Fault::rule(at, "component index is not declared in common"))
        }
    }

    fn try_each<'b>(&mut self, reader: &mut Reader<'b>, depth: usize) -> Result<Operation<'b>, Fault> {
        let at = reader.position();
        let mut left = reader.array()?;
        let mut alternatives = Vec::new();
        let mut or_nothing = false;
        while left > 0 {
            left -= 1;
            if left == 0 && reader.is_null()? {
                or_nothing = true;
                continue;
            }
            if alternatives.len() == MAX_ALTERNATIVES {
                return Err(Fault::too_long(at, MAX_ALTERNATIVES));
            }
            alternatives.push(self.sequence(reader.wrapped()?, depth + 1)?);
        }
        if alternatives.len() < 2 {
            return Err(Fault::rule(at, "try-each has fewer than two alternatives"));
        }
        Ok(Operation::TryEach { alternatives, or_nothing })
    }

    fn parameters<'b>(&self, reader: &mut Reader<'b>, depth: usize) -> Result<Vec<Parameter<'b>>, Fault> {
        let at = reader.position();
        let parameters = decode_parameters(reader)?;
        for parameter in &parameters {
            match parameter {
                // MAN, section 8.4.8.15: there is no sequence around a section that could go on.
                Parameter::SoftFailure(_) if depth == 0 => {
                    let rule = "soft-failure is set outside try-each and run-sequence";
                    return Err(Fault::rule(at, rule));
                }
                Parameter::SourceComponent(index) => self.declared(*index, at)?,
                _ => {}
            }
        }
        Ok(parameters)
    }

    /// The next key of a map from component indices.
    fn next_component<'b>(
        &self,
        map: &mut MapCursor<'b>,
        reader: &mut Reader<'b>,
    ) -> Result<Option<u32>, Fault> {
        let at = reader.position();
        let Some(key) = map.next_int(reader)? else { return Ok(None) };
        let index = u32::try_from(key).map_err(|_| Fault::new(at, Reason::OutOfRange))?;
        self.declared(index, at)?;
        Ok(Some(index))
    }
}

/// The head of a map from component indices, one at least.
fn per_component<'b>(reader: &mut Reader<'b>) -> Result<MapCursor<'b>, Fault> {
    let at = reader.position();
    let map = reader.map()?;
    if map.remaining() == 0 {
        return Err(Fault::rule(at, "map of components is empty"));
    }
    Ok(map)
}

/// Reads the labels that copy-params copies. Strict-order and soft-failure belong to no component.
fn copied_labels(reader: &mut Reader<'_>) -> Result<Vec<i64>, Fault> {
    let at = reader.position();
    let count = reader.array()?;
    let mut labels = Vec::with_capacity(count);
    let mut fits = count > 0;
    for _ in 0..count {
        let label = reader.int()?;
        fits &= !matches!(label, parameter::STRICT_ORDER | parameter::SOFT_FAILURE);
        labels.push(label);
    }
    if !fits {
        return Err(Fault::rule(at, "copied parameters are none or belong to no component"));
    }
    Ok(labels)
}

/// MAN, section 8.4.5: the shared sequence has no side effects.
fn allowed_in_shared(operation: &Operation<'_>) -> bool {
    !matches!(operation, Operation::Directive(..))
}
