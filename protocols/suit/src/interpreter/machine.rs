use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::{
    DependencyFault, FailureKind, Platform, PlatformError, Procedure,
    context::Context,
    processor::Shelves,
    table::{ParameterTable, Slot, Value},
};
use crate::{
    Command, ComponentId, ComponentIndex, Entry, Operation, Outcome, Parameter, Record, Report,
    ReportingPolicy, Section, Sequence, SystemPropertyClaims, Verified, common::Indices,
    interpreter::conditions::Measured, limits::MAX_REPORT_ENTRIES,
};

/// One run of one procedure.
pub(super) struct Machine<'a, P> {
    pub(super) root: &'a Verified<'a>,
    pub(super) platform: &'a mut P,
    pub(super) buffer: &'a mut Vec<u8>,
    /// As long as the buffer, once something is decrypted.
    pub(super) plaintext: Vec<u8>,
    pub(super) shelves: Shelves<'a>,
    pub(super) table: ParameterTable<'a>,
    /// The manifests, the root first.
    pub(super) contexts: Vec<Context<'a>>,
    pub(super) place: Place,
    pub(super) stack: Vec<Frame<'a>>,
    pub(super) entries: Vec<Entry>,
}

/// Where the machine is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) procedure: Procedure,
    pub(super) section: Section,
    /// Number of the manifest.
    pub(super) context: usize,
    /// Whether the shared sequence runs, before the section does.
    pub(super) shared: bool,
    pub(super) offset: u32,
    pub(super) index: u32,
    /// Whether the command runs for every component because it does not name one.
    pub(super) all: bool,
}

/// One level of nesting.
pub(super) enum Frame<'a> {
    Sequence(Running<'a>),
    TryEach {
        /// Alternatives not yet tried.
        left: &'a [Sequence<'a>],
        or_nothing: bool,
        index: u32,
    },
    /// A section of a dependency, in the frames above.
    Dependency(Call),
}

/// Where to go on after a section of a dependency.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) caller: Place,
    pub(super) policy: ReportingPolicy,
    /// Whether the dependency is given up afterwards.
    pub(super) unlink: bool,
}

/// A sequence that runs.
pub(super) struct Running<'a> {
    commands: &'a [Command<'a>],
    next: usize,
    selection: Selection<'a>,
    /// How many components of the selection the next command was run for.
    position: usize,
    soft_failure: bool,
    /// Whether it is of the shared sequence.
    shared: bool,
}

/// What commands apply to.
#[derive(Clone, Copy)]
enum Selection<'a> {
    One(u32),
    All(Indices),
    List(&'a [u32]),
}

impl Selection<'_> {
    fn get(self, position: usize) -> Option<u32> {
        match self {
            Self::One(index) => (position == 0).then_some(index),
            Self::All(indices) => (0..indices.end()).filter(|index| indices.contains(*index)).nth(position),
            Self::List(list) => list.get(position).copied(),
        }
    }
}

/// A procedure that cannot go on. In a box, because every step has to hand it on: that costs code and stack.
pub(super) struct Stop(pub(super) Box<Cause>);

/// Why it cannot, and what was measured at the end.
pub(super) struct Cause {
    pub(super) kind: FailureKind,
    measured: Measured,
}

impl From<FailureKind> for Stop {
    #[cold]
    #[inline(never)]
    fn from(kind: FailureKind) -> Self {
        Self(Box::new(Cause { kind, measured: None }))
    }
}

impl From<PlatformError> for Stop {
    #[cold]
    #[inline(never)]
    fn from(error: PlatformError) -> Self {
        FailureKind::Platform(error).into()
    }
}

impl From<DependencyFault> for Stop {
    #[cold]
    #[inline(never)]
    fn from(fault: DependencyFault) -> Self {
        FailureKind::Dependency(fault).into()
    }
}

impl<'a, P: Platform> Machine<'a, P> {
    pub(super) fn new(
        root: &'a Verified<'a>,
        platform: &'a mut P,
        buffer: &'a mut Vec<u8>,
        shelves: Shelves<'a>,
        procedure: Procedure,
    ) -> Self {
        let mut table = ParameterTable::new(root.manifest().common().indices().end() as usize);
        // A single manifest is within the limits of the set.
        let context = Context::new(root, None, 0, None, &mut table, shelves.names);
        let place = Place {
            procedure,
            section: Section::Validate,
            context: 0,
            shared: false,
            offset: 0,
            index: 0,
            all: false,
        };
        let mut contexts = Vec::with_capacity(1);
        if let Ok(context) = context {
            contexts.push(context);
        }
        let (plaintext, stack, entries) = (Vec::new(), Vec::new(), Vec::new());
        Self { root, platform, buffer, plaintext, shelves, table, contexts, place, stack, entries }
    }

    /// Runs every section of the procedure, in lock-step over all manifests: a section of the root ends only after those
    /// of its dependencies did (TD, section 6).
    pub(super) fn run(&mut self, procedure: Procedure) -> Result<(), Stop> {
        for section in procedure.sections() {
            if *section == Section::Invoke {
                self.check_set()?;
            }
            if self.begin_section(0, *section)? {
                self.execute()?;
                self.end_section(0, *section)?;
            }
        }
        if procedure.needs_whole_set() {
            self.check_set()?;
        }
        if procedure.installs() && self.platform.abilities().references {
            self.link_set()?;
        }
        Ok(())
    }

    /// Puts the sequences of a section of a manifest onto the stack. False when it does not have it.
    pub(super) fn begin_section(&mut self, context: usize, section: Section) -> Result<bool, Stop> {
        let Some(now) = self.contexts.get(context) else { return Ok(false) };
        let manifest = now.manifest();
        let Some(held) = manifest.section(section) else { return Ok(false) };
        let index = now.first_index();
        self.place = Place { section, context, shared: false, offset: 0, index, all: false, ..self.place };
        let sequence = held.value().ok_or(FailureKind::Severed(section))?;
        self.push(sequence, index, false, false);
        if let Some(shared) = manifest.common().shared() {
            self.push(shared, index, false, true);
        }
        Ok(true)
    }

    /// Runs until the stack is empty.
    fn execute(&mut self) -> Result<(), Stop> {
        loop {
            match self.stack.last_mut() {
                None => return Ok(()),
                Some(Frame::TryEach { .. }) => {
                    // Its alternative came to its end: that is success.
                    self.stack.pop();
                }
                Some(Frame::Dependency(call)) => {
                    let call = *call;
                    self.stack.pop();
                    self.end_dependency(call)?;
                }
                Some(Frame::Sequence(running)) => {
                    let Some(command) = running.commands.get(running.next) else {
                        self.stack.pop();
                        continue;
                    };
                    if let Operation::SetComponentIndex(index) = &command.operation {
                        let selection = match index {
                            ComponentIndex::One(index) => Selection::One(*index),
                            ComponentIndex::All => {
                                let context = self.contexts.get(self.place.context);
                                let context = context.ok_or(FailureKind::NoComponent)?;
                                Selection::All(context.manifest().common().indices())
                            }
                            ComponentIndex::List(list) => Selection::List(list),
                        };
                        running.select(selection);
                        continue;
                    }
                    match running.selection.get(running.position) {
                        Some(index) => {
                            running.position += 1;
                            self.place.offset = command.offset;
                            self.place.index = index;
                            self.place.shared = running.shared;
                            self.place.all = matches!(running.selection, Selection::All(_));
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
    fn step(&mut self, operation: &'a Operation<'a>) -> Result<(), Stop> {
        let (index, shared) = (self.place.index, self.place.shared);
        match operation {
            Operation::Condition(condition, policy) => {
                let (met, measured) = self.condition(*condition)?;
                if met {
                    self.log_record(*policy, &measured, true);
                    self.log_claims(*policy, measured, true);
                    return Ok(());
                }
                let cause = Cause { kind: FailureKind::NotMet(*condition), measured: measured.clone() };
                let ended = self.unwind(Stop(Box::new(cause)));
                if ended.is_ok() {
                    self.log_record(*policy, &measured, false);
                }
                // The record of a hard end is that of the outcome.
                self.log_claims(*policy, measured, false);
                return ended;
            }
            Operation::Directive(directive, policy) => {
                if self.directive(*directive, *policy)? {
                    self.log_record(*policy, &None, true);
                }
            }
            // Done where the selection is at hand.
            Operation::SetComponentIndex(_) => {}
            Operation::TryEach { alternatives, or_nothing } => {
                if let Some((first, left)) = alternatives.split_first() {
                    self.stack.push(Frame::TryEach { left, or_nothing: *or_nothing, index });
                    self.push(first, index, true, shared);
                }
            }
            Operation::RunSequence(sequence) => self.push(sequence, index, false, shared),
            Operation::SetParameters(parameters) => self.set_parameters(index, parameters, false)?,
            Operation::OverrideParameters(parameters) => self.set_parameters(index, parameters, true)?,
            Operation::OverrideMultiple(entries) => {
                for (index, parameters) in entries {
                    self.set_parameters(*index, parameters, true)?;
                }
                if let (Some((last, _)), Some(Frame::Sequence(running))) =
                    (entries.last(), self.stack.last_mut())
                {
                    running.select(Selection::One(*last));
                }
            }
            Operation::CopyParameters(entries) => {
                let to = self.slot(index)?;
                for (source, labels) in entries {
                    let from = self.slot(*source)?;
                    for label in labels {
                        let value = self.table.value(from, *label);
                        self.table.set(to, value.ok_or(FailureKind::ParameterMissing(*label))?, true);
                    }
                }
            }
        }
        Ok(())
    }

    /// Starts a sequence for one component.
    fn push(&mut self, sequence: &'a Sequence<'a>, index: u32, soft_failure: bool, shared: bool) {
        self.stack.push(Frame::Sequence(Running {
            commands: sequence.commands(),
            next: 0,
            selection: Selection::One(index),
            position: 0,
            soft_failure,
            shared,
        }));
    }

    fn set_parameters(
        &mut self,
        index: u32,
        parameters: &'a [Parameter<'a>],
        replace: bool,
    ) -> Result<(), Stop> {
        let slot = self.slot(index)?;
        let origin = self.place.context;
        for parameter in parameters {
            match (parameter, self.stack.last_mut()) {
                // It belongs to the sequence, where it is always set.
                (Parameter::SoftFailure(soft), Some(Frame::Sequence(running))) => {
                    if replace {
                        running.soft_failure = *soft;
                    }
                }
                _ => self.table.set(slot, Value { parameter, origin }, replace),
            }
        }
        Ok(())
    }

    /// Ends the sequences that a failed condition ends (MAN, section 8.4.8.15): the innermost one, if it may fail
    /// softly. After the last alternative of a try-each the one around it fails in the same way. A section of a
    /// dependency never fails softly.
    fn unwind(&mut self, stop: Stop) -> Result<(), Stop> {
        loop {
            let shared = match self.stack.pop() {
                Some(Frame::Sequence(running)) if running.soft_failure => running.shared,
                _ => return Err(stop),
            };
            let Some(Frame::TryEach { left, or_nothing, index }) = self.stack.last_mut() else {
                // It was a run-sequence: what comes after it goes on.
                return Ok(());
            };
            let index = *index;
            if let Some((next, rest)) = left.split_first() {
                *left = rest;
                self.push(next, index, true, shared);
                return Ok(());
            }
            let or_nothing = *or_nothing;
            self.stack.pop();
            if or_nothing {
                return Ok(());
            }
        }
    }

    /// The row of the component with an index of the manifest that runs.
    pub(super) fn slot(&self, index: u32) -> Result<Slot, Stop> {
        self.slot_of(self.place.context, index)
    }

    /// The row of the component with an index of a manifest.
    pub(super) fn slot_of(&self, context: usize, index: u32) -> Result<Slot, Stop> {
        let slot = self.contexts.get(context).and_then(|context| context.slot(index));
        slot.ok_or_else(|| FailureKind::NoComponent.into())
    }

    /// The component of a row.
    pub(super) fn component(&self, slot: Slot) -> Result<&'a ComponentId, Stop> {
        self.table.component(slot).ok_or_else(|| FailureKind::NoComponent.into())
    }

    /// Keeps a record of a command that ended, if the policy asks for one.
    pub(super) fn log_record(&mut self, policy: ReportingPolicy, measured: &Measured, success: bool) {
        if policy.wants_record(success) && self.entries.len() < MAX_REPORT_ENTRIES {
            let record = self.record(measured.clone());
            self.keep(Entry::Record(record));
        }
    }

    /// Keeps what was measured of a component, if the policy asks for it.
    fn log_claims(&mut self, policy: ReportingPolicy, measured: Measured, success: bool) {
        if let Some(property) = measured
            && policy.wants_claims(success)
            && self.entries.len() < MAX_REPORT_ENTRIES
            && let Ok(component) = self.slot(self.place.index).and_then(|slot| self.component(slot))
        {
            let (component, properties) = (component.clone(), Some(property).into());
            self.keep(Entry::Claims(SystemPropertyClaims { component, properties }));
        }
    }

    fn keep(&mut self, entry: Entry) {
        if self.entries.is_empty() {
            self.entries.reserve_exact(FIRST_ENTRIES);
        }
        self.entries.push(entry);
    }

    pub(super) fn record(&self, measured: Measured) -> Record {
        let Place { section, shared, offset, index, context, .. } = self.place;
        Record {
            manifest_id: self.path(context),
            section: (!shared).then_some(section),
            offset,
            component: index,
            properties: measured.into(),
        }
    }

    /// The indices that lead from the root to a manifest.
    fn path(&self, context: usize) -> Vec<u32> {
        let mut path = Vec::new();
        let mut at = context;
        while let Some((parent, index)) = self.contexts.get(at).and_then(|context| context.parent) {
            path.push(index);
            at = parent;
        }
        path.reverse();
        path
    }

    pub(super) fn success(&mut self) -> Report {
        report(self.root, core::mem::take(&mut self.entries), Outcome::Success)
    }

    pub(super) fn failure(&mut self, stop: Stop) -> Report {
        let Cause { kind, measured } = *stop.0;
        let (reason, record) = (kind.reason(), self.record(measured));
        let outcome = Outcome::Failure { code: reason.code(), reason, record };
        report(self.root, core::mem::take(&mut self.entries), outcome)
    }

    /// Notes that a section of a manifest came to its end, where all its dependencies did. Whether a dependency is
    /// uninstalled is for the references to it to say.
    pub(super) fn end_section(&mut self, context: usize, section: Section) -> Result<(), Stop> {
        if section == Section::Uninstall {
            return Ok(());
        }
        let Some(now) = self.contexts.get(context) else { return Ok(()) };
        let behind = now.dependencies.iter().find(|dependency| {
            let manifest = dependency.checked.and_then(|number| self.contexts.get(number));
            manifest.is_some_and(|checked| checked.manifest().section(section).is_some())
                && !dependency.processed.contains(section)
        });
        if let Some(behind) = behind {
            self.place.index = behind.index;
            return Err(DependencyFault::NotProcessed(section).into());
        }
        if let Some(now) = self.contexts.get_mut(context) {
            now.passed.insert(section);
        }
        Ok(())
    }
}

/// Entries of a report that memory is taken for at once: what checking vendor, class and one image gives.
const FIRST_ENTRIES: usize = 6;

impl<'a> Running<'a> {
    /// Changes what the following commands apply to, and goes on to them.
    fn select(&mut self, selection: Selection<'a>) {
        self.selection = selection;
        self.next += 1;
        self.position = 0;
    }
}

/// A report about a root manifest.
pub(super) fn report(root: &Verified<'_>, entries: Vec<Entry>, outcome: Outcome) -> Report {
    Report {
        reference_uri: root.manifest().reference_uri().unwrap_or_default().to_string(),
        manifest_digest: root.manifest_digest(),
        nonce: None,
        entries,
        outcome,
        capabilities: None,
    }
}
