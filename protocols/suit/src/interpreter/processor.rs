use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Failure, FailureKind, Platform, PlatformError, Procedure, table::ParameterTable};
use crate::{
    Command, ComponentId, ComponentIndex, Entry, Operation, Outcome, Parameter, Record, Refusal, Report,
    Section, Sequence, SystemPropertyClaims, Verified, interpreter::conditions::Measured,
    limits::MAX_REPORT_ENTRIES,
};

/// Runs procedures of one verified manifest on one platform (MAN, section 6).
///
/// Commands run in order and on an explicit stack of bounded height. Memory is bounded by the manifest: a table of
/// pointers to its parameters, the stack, a buffer of [`Platform::CHUNK`] bytes, and the report of at most
/// [`MAX_REPORT_ENTRIES`].
pub struct Processor<'m, 'b, P> {
    pub(super) verified: &'m Verified<'b>,
    pub(super) platform: &'m mut P,
    pub(super) table: ParameterTable<'m, 'b>,
    pub(super) buffer: Vec<u8>,
    pub(super) place: Place,
    stack: Vec<Frame<'m, 'b>>,
    entries: Vec<Entry>,
}

/// Where the processor is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) procedure: Procedure,
    pub(super) section: Section,
    /// Whether the shared sequence runs, before the section does.
    pub(super) shared: bool,
    pub(super) offset: u32,
    pub(super) index: u32,
}

/// One level of nesting.
enum Frame<'m, 'b> {
    Sequence(Running<'m, 'b>),
    TryEach {
        /// Alternatives not yet tried.
        left: &'m [Sequence<'b>],
        or_nothing: bool,
        index: u32,
    },
}

/// A sequence that runs.
struct Running<'m, 'b> {
    commands: &'m [Command<'b>],
    next: usize,
    selection: Selection<'m>,
    /// How many components of the selection the next command was run for.
    position: usize,
    soft_failure: bool,
}

/// What commands apply to.
#[derive(Clone, Copy)]
enum Selection<'m> {
    One(u32),
    All(u32),
    List(&'m [u32]),
}

impl Selection<'_> {
    fn get(self, position: usize) -> Option<u32> {
        match self {
            Self::One(index) => (position == 0).then_some(index),
            Self::All(count) => u32::try_from(position).ok().filter(|index| *index < count),
            Self::List(list) => list.get(position).copied(),
        }
    }
}

/// A procedure that cannot go on, and what was measured at the end.
pub(super) struct Stop {
    pub(super) kind: FailureKind,
    pub(super) measured: Measured,
}

impl From<FailureKind> for Stop {
    fn from(kind: FailureKind) -> Self {
        Self { kind, measured: None }
    }
}

impl From<PlatformError> for Stop {
    fn from(error: PlatformError) -> Self {
        FailureKind::from(error).into()
    }
}

impl<'m, 'b, P: Platform> Processor<'m, 'b, P> {
    /// A processor for a manifest that may follow the installed one and names no component the device lacks.
    pub fn new(verified: &'m Verified<'b>, platform: &'m mut P) -> Result<Self, Refusal> {
        let manifest = verified.manifest();
        verified.admit(platform.installed(manifest.component_id()).as_ref())?;
        let common = manifest.common();
        let unknown = |component: &&ComponentId| !platform.has_component(component);
        if let Some(component) = common.components().iter().find(unknown) {
            return Err(Refusal::UnknownComponent { component: component.clone() });
        }
        let place = Place {
            procedure: Procedure::Validation,
            section: Section::Validate,
            shared: true,
            offset: 0,
            index: 0,
        };
        Ok(Self {
            verified,
            platform,
            table: ParameterTable::new(common.indices().end() as usize),
            buffer: Vec::new(),
            place,
            stack: Vec::new(),
            entries: Vec::new(),
        })
    }

    /// Runs a procedure from its first section to its last. Parameters last for one procedure.
    ///
    /// After an update has succeeded, and not before, the caller stores its sequence number and manifest digest
    /// durably as what [`Platform::installed`] gives.
    pub fn run(&mut self, procedure: Procedure) -> Result<Report, Failure> {
        self.table.clear();
        self.entries.clear();
        self.place.procedure = procedure;
        let result = procedure.sections().iter().try_for_each(|section| self.run_section(*section));
        match result {
            Ok(()) => Ok(self.report(Outcome::Success)),
            Err(Stop { kind, measured }) => {
                let record = self.record(measured);
                let outcome = Outcome::Failure { reason: kind.reason(), record };
                Err(Failure { kind, report: Box::new(self.report(outcome)) })
            }
        }
    }

    fn run_section(&mut self, section: Section) -> Result<(), Stop> {
        let manifest = self.verified.manifest();
        let Some(held) = manifest.section(section) else { return Ok(()) };
        self.place = Place { section, shared: false, offset: 0, index: 0, ..self.place };
        let sequence = held.value().ok_or(FailureKind::Severed(section))?;
        if let Some(shared) = manifest.common().shared() {
            self.place.shared = true;
            self.run_sequence(shared)?;
        }
        self.place.shared = false;
        self.run_sequence(sequence)
    }

    fn run_sequence(&mut self, sequence: &'m Sequence<'b>) -> Result<(), Stop> {
        self.stack.clear();
        self.push(sequence, 0, false);
        loop {
            match self.stack.last_mut() {
                None => return Ok(()),
                Some(Frame::TryEach { .. }) => {
                    // Its alternative came to its end: that is success.
                    self.stack.pop();
                }
                Some(Frame::Sequence(running)) => {
                    let Some(command) = running.commands.get(running.next) else {
                        self.stack.pop();
                        continue;
                    };
                    if let Operation::SetComponentIndex(index) = &command.operation {
                        let count = self.verified.manifest().common().components().len();
                        running.select(match index {
                            ComponentIndex::One(index) => Selection::One(*index),
                            ComponentIndex::All => Selection::All(u32::try_from(count).unwrap_or(u32::MAX)),
                            ComponentIndex::List(list) => Selection::List(list),
                        });
                        continue;
                    }
                    match running.selection.get(running.position) {
                        Some(index) => {
                            running.position += 1;
                            self.place.offset = command.offset;
                            self.place.index = index;
                            self.step(&command.operation)?;
                        }
                        None => {
                            running.next += 1;
                            running.position = 0;
                        }
                    }
                }
            }
        }
    }

    /// Runs one command for one component.
    fn step(&mut self, operation: &'m Operation<'b>) -> Result<(), Stop> {
        let index = self.place.index;
        match operation {
            Operation::Condition(condition, policy) => {
                let (met, measured) = self.condition(*condition)?;
                if !met {
                    return self.unwind(Stop { kind: FailureKind::NotMet(*condition), measured });
                }
                self.log(*policy, measured);
            }
            Operation::Directive(directive, policy) => {
                self.directive(*directive)?;
                self.log(*policy, None);
            }
            // Done where the selection is at hand.
            Operation::SetComponentIndex(_) => {}
            Operation::TryEach { alternatives, or_nothing } => {
                if let Some((first, left)) = alternatives.split_first() {
                    self.stack.push(Frame::TryEach { left, or_nothing: *or_nothing, index });
                    self.push(first, index, true);
                }
            }
            Operation::RunSequence(sequence) => self.push(sequence, index, false),
            Operation::SetParameters(parameters) => {
                for parameter in parameters {
                    self.table.set(index, parameter, false);
                }
            }
            Operation::OverrideParameters(parameters) => self.override_parameters(index, parameters),
            Operation::OverrideMultiple(entries) => {
                for (index, parameters) in entries {
                    self.override_parameters(*index, parameters);
                }
                if let (Some((last, _)), Some(Frame::Sequence(running))) =
                    (entries.last(), self.stack.last_mut())
                {
                    running.select(Selection::One(*last));
                }
            }
            Operation::CopyParameters(entries) => {
                for (source, labels) in entries {
                    for label in labels {
                        let parameter =
                            self.table.find(*source, *label).ok_or(FailureKind::ParameterMissing(*label))?;
                        self.table.set(index, parameter, true);
                    }
                }
            }
        }
        Ok(())
    }

    /// Starts a sequence for one component.
    fn push(&mut self, sequence: &'m Sequence<'b>, index: u32, soft_failure: bool) {
        self.stack.push(Frame::Sequence(Running {
            commands: sequence.commands(),
            next: 0,
            selection: Selection::One(index),
            position: 0,
            soft_failure,
        }));
    }

    fn override_parameters(&mut self, index: u32, parameters: &'m [Parameter<'b>]) {
        for parameter in parameters {
            match (parameter, self.stack.last_mut()) {
                (Parameter::SoftFailure(soft), Some(Frame::Sequence(running))) => {
                    running.soft_failure = *soft
                }
                _ => self.table.set(index, parameter, true),
            }
        }
    }

    /// Ends the sequences that a failed condition ends (MAN, section 8.4.8.15): the innermost one, if it may fail
    /// softly. After the last alternative of a try-each the one around it fails in the same way.
    fn unwind(&mut self, stop: Stop) -> Result<(), Stop> {
        loop {
            match self.stack.pop() {
                Some(Frame::Sequence(running)) if running.soft_failure => {}
                _ => return Err(stop),
            }
            let Some(Frame::TryEach { left, or_nothing, index }) = self.stack.last_mut() else {
                // It was a run-sequence: what comes after it goes on.
                return Ok(());
            };
            let index = *index;
            if let Some((next, rest)) = left.split_first() {
                *left = rest;
                self.push(next, index, true);
                return Ok(());
            }
            let or_nothing = *or_nothing;
            self.stack.pop();
            if or_nothing {
                return Ok(());
            }
        }
    }

    /// The component that the command applies to.
    pub(super) fn component(&self, index: u32) -> Result<&'m ComponentId, Stop> {
        let common = self.verified.manifest().common();
        common.component(index).ok_or(FailureKind::NoComponent.into())
    }

    /// Keeps what the policy asks for about a command that succeeded.
    fn log(&mut self, policy: crate::ReportingPolicy, measured: Measured) {
        if policy.wants_record(true) && self.entries.len() < MAX_REPORT_ENTRIES {
            let record = self.record(measured.clone());
            self.entries.push(Entry::Record(record));
        }
        if let Some(property) = measured
            && policy.wants_claims(true)
            && self.entries.len() < MAX_REPORT_ENTRIES
            && let Ok(component) = self.component(self.place.index)
        {
            let (component, properties) = (component.clone(), alloc::vec![property]);
            self.entries.push(Entry::Claims(SystemPropertyClaims { component, properties }));
        }
    }

    fn record(&self, measured: Measured) -> Record {
        let Place { section, shared, offset, index, .. } = self.place;
        Record {
            manifest_id: Vec::new(),
            section: (!shared).then_some(section),
            offset,
            component: index,
            properties: measured.into_iter().collect(),
        }
    }

    fn report(&mut self, outcome: Outcome) -> Report {
        Report {
            reference_uri: self.verified.manifest().reference_uri().unwrap_or_default().to_string(),
            manifest_digest: self.verified.manifest_digest(),
            nonce: None,
            entries: core::mem::take(&mut self.entries),
            outcome,
        }
    }
}

impl<'m> Running<'m, '_> {
    /// Changes what the following commands apply to, and goes on to them.
    fn select(&mut self, selection: Selection<'m>) {
        self.selection = selection;
        self.next += 1;
        self.position = 0;
    }
}
