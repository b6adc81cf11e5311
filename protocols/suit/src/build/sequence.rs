use alloc::vec::Vec;

use cbor::{MapBuilder, Writer};

use crate::{
    ComponentIndex, Condition, Directive, Operation, Parameter, ReportingPolicy, Sequence, labels::command,
    parameter::encode_parameters,
};

/// Writes a command sequence (MAN, section 8.4.6).
///
/// It is not held to the rules here: [`super::ManifestBuilder::build`] decodes what it wrote.
#[derive(Clone, Debug, Default)]
pub struct SequenceBuilder {
    commands: Writer,
    count: usize,
}

impl SequenceBuilder {
    /// A sequence without commands.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is no command yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a condition.
    #[must_use]
    pub fn condition(self, condition: Condition, policy: ReportingPolicy) -> Self {
        self.command(condition.code(), |w| {
            w.uint(policy.0);
        })
    }

    /// Adds a directive.
    #[must_use]
    pub fn directive(self, directive: Directive, policy: ReportingPolicy) -> Self {
        self.command(directive.code(), |w| {
            w.uint(policy.0);
        })
    }

    /// Selects one component.
    #[must_use]
    pub fn component(self, index: u32) -> Self {
        self.set_component_index(&ComponentIndex::One(index))
    }

    /// Selects components.
    #[must_use]
    pub fn set_component_index(self, index: &ComponentIndex) -> Self {
        self.command(command::SET_COMPONENT_INDEX, |w| match index {
            ComponentIndex::One(index) => {
                w.uint(u64::from(*index));
            }
            ComponentIndex::All => {
                w.bool(true);
            }
            ComponentIndex::List(list) => {
                w.array(list.len());
                for index in list {
                    w.uint(u64::from(*index));
                }
            }
        })
    }

    /// Sets parameters.
    #[must_use]
    pub fn override_parameters(self, parameters: &[Parameter<'_>]) -> Self {
        self.command(command::OVERRIDE_PARAMETERS, |w| encode_parameters(parameters, w))
    }

    /// Sets parameters that are not set yet.
    #[must_use]
    pub fn set_parameters(self, parameters: &[Parameter<'_>]) -> Self {
        self.command(command::SET_PARAMETERS, |w| encode_parameters(parameters, w))
    }

    /// Selects components one after another and sets parameters of each.
    #[must_use]
    pub fn override_multiple(self, entries: &[(u32, &[Parameter<'_>])]) -> Self {
        self.command(command::OVERRIDE_MULTIPLE, |w| {
            let mut map = MapBuilder::new();
            for (index, parameters) in entries {
                map.int(i64::from(*index), |w| encode_parameters(parameters, w));
            }
            map.write(w);
        })
    }

    /// Copies parameters from other components.
    #[must_use]
    pub fn copy_parameters(self, entries: &[(u32, &[i64])]) -> Self {
        self.command(command::COPY_PARAMS, |w| {
            let mut map = MapBuilder::new();
            for (index, labels) in entries {
                map.int(i64::from(*index), |w| {
                    w.array(labels.len());
                    for label in *labels {
                        w.int(*label);
                    }
                });
            }
            map.write(w);
        })
    }

    /// Tries alternatives; with `or_nothing` it is no failure when none succeeds.
    #[must_use]
    pub fn try_each(self, alternatives: &[Self], or_nothing: bool) -> Self {
        self.command(command::TRY_EACH, |w| {
            w.array(alternatives.len() + usize::from(or_nothing));
            for alternative in alternatives {
                w.bytes(&alternative.to_bytes());
            }
            if or_nothing {
                w.null();
            }
        })
    }

    /// Runs a nested sequence.
    #[must_use]
    pub fn run_sequence(self, sequence: &Self) -> Self {
        self.command(command::RUN_SEQUENCE, |w| {
            w.bytes(&sequence.to_bytes());
        })
    }

    /// Adds the commands of another sequence.
    #[must_use]
    pub fn then(mut self, other: &Self) -> Self {
        self.commands.raw(other.commands.as_bytes());
        self.count += other.count;
        self
    }

    /// The encoded sequence.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(2 * self.count).raw(self.commands.as_bytes());
        })
    }

    fn command(mut self, code: i64, argument: impl FnOnce(&mut Writer)) -> Self {
        self.commands.int(code);
        argument(&mut self.commands);
        self.count += 1;
        self
    }

    fn operation(self, operation: &Operation<'_>) -> Self {
        match operation {
            Operation::Condition(condition, policy) => self.condition(*condition, *policy),
            Operation::Directive(directive, policy) => self.directive(*directive, *policy),
            Operation::SetComponentIndex(index) => self.set_component_index(index),
            Operation::TryEach { alternatives, or_nothing } => {
                let alternatives: Vec<Self> = alternatives.iter().map(Self::from).collect();
                self.try_each(&alternatives, *or_nothing)
            }
            Operation::RunSequence(sequence) => self.run_sequence(&sequence.into()),
            Operation::SetParameters(parameters) => self.set_parameters(parameters),
            Operation::OverrideParameters(parameters) => self.override_parameters(parameters),
            Operation::OverrideMultiple(entries) => {
                let entries: Vec<_> = entries.iter().map(|(index, list)| (*index, list.as_slice())).collect();
                self.override_multiple(&entries)
            }
            Operation::CopyParameters(entries) => {
                let entries: Vec<_> = entries.iter().map(|(index, list)| (*index, list.as_slice())).collect();
                self.copy_parameters(&entries)
            }
        }
    }
}

impl From<&Sequence<'_>> for SequenceBuilder {
    /// The same commands again. Nesting is bounded by the decoder, and so is this recursion.
    fn from(sequence: &Sequence<'_>) -> Self {
        sequence.commands().iter().fold(Self::new(), |builder, command| builder.operation(&command.operation))
    }
}
