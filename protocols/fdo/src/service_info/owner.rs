use alloc::vec::Vec;

use cbor::{Reader, Writer};

use super::{
    Action, Advance, Backend, Incoming, MAX_CUSTOM_STATE_LEN, MAX_ROUNDS, MAX_STATE_LEN, ModuleFault,
    Outcome, Outgoing, Program, ServiceFault, Step, decode_list, encode_list,
    labels::{self, command::SIGNAL},
    modules::{Devmod, Seen, command_owner, csr_owner, download_owner, one, upload_owner, wget_owner},
    state::Progress,
};

/// Length in bytes of the longest value that an owner takes, in one piece or several: a request of `fdo.csr`.
pub const MAX_OWNER_VALUE_LEN: usize = 17_408;

/// Bytes that may be left to be sent when a list is full: they are in the state.
const MAX_LEFT_LEN: usize = 32_768;

/// Version of the state's encoding.
const STATE_VERSION: u64 = 1;

/// The owner's side: takes messages 68 and makes messages 69 (sections 5.5.9 and 5.5.10).
///
/// It is made to live for one message, on any replica: [`to_bytes`](Self::to_bytes) after it,
/// [`from_bytes`](Self::from_bytes) before the next. Whoever takes a message again from the state before it gets the same
/// answer, as long as the [`Backend`] does. The state is for a sealed token: it holds what devices and programs say.
#[derive(Clone, Debug)]
pub struct OwnerEngine<'p> {
    program: &'p Program,
    rounds: u32,
    seen: Seen,
    /// Whether the device has had its first turn, with which it said what it is.
    has_begun: bool,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Whether the last message of the owner said that there is more.
    is_more: bool,
    outcomes: Vec<Outcome>,
    progress: Progress,
}

/// What stands in message 69.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// IsMoreServiceInfo.
    pub is_more: bool,
    /// IsDone.
    pub is_done: bool,
    /// The encoded list.
    pub list: Vec<u8>,
}

impl<'p> OwnerEngine<'p> {
    /// An owner at the beginning of a program.
    pub fn new(program: &'p Program) -> Self {
        Self {
            program,
            rounds: 0,
            seen: Seen::default(),
            has_begun: false,
            incoming: Incoming::new(MAX_OWNER_VALUE_LEN),
            outgoing: Outgoing::new(),
            is_more: false,
            outcomes: Vec::new(),
            progress: Progress::Start,
        }
    }

    /// Takes IsMoreServiceInfo and the encoded list of a message 68; gives message 69, whose list may have `budget` bytes.
    ///
    /// # Errors
    /// Whatever is malformed, not due, or not of a step of the program; steps that are required and fail: the protocol is to
    /// be ended with an error.
    pub fn receive(
        &mut self,
        is_more: bool,
        list: &[u8],
        budget: usize,
        backend: &mut Backend<'_>,
    ) -> Result<Answer, ServiceFault> {
        if self.rounds == MAX_ROUNDS {
            return Err(ServiceFault::TooManyRounds);
        }
        self.rounds += 1;
        let entries = decode_list(list)?;
        if self.is_more && (is_more || !entries.is_empty()) {
            return Err(ServiceFault::OutOfTurn);
        }
        self.is_more = false;
        self.outgoing.set_budget(budget)?;
        for entry in &entries {
            for value in self.incoming.receive(entry)? {
                self.deliver(entry.module, (entry.message, &value), backend)?;
            }
        }
        if is_more {
            self.check_left()?;
            return Ok(Answer { is_more: false, is_done: false, list: encode_list(&[]) });
        }
        if !self.seen.is_complete() {
            return Err(ServiceFault::DevmodMissing);
        }
        self.has_begun = true;
        if self.outgoing.fits() {
            self.run(backend)?;
        }
        let list = self.outgoing.take();
        self.check_left()?;
        // Contents go on without it: a device that cannot take more says so in its turn, and some keep all in memory until they
        // have theirs. A value that was cut must not be interrupted.
        self.is_more = !self.outgoing.is_empty();
        Ok(Answer { is_more: self.is_more, is_done: self.is_done(), list })
    }

    /// Whether all steps are over and nothing is left to be sent.
    pub fn is_done(&self) -> bool {
        self.step().is_none() && self.outgoing.is_empty()
    }

    /// What the device said of itself so far.
    pub fn devmod(&self) -> &Devmod {
        &self.seen.devmod
    }

    /// What came of the steps so far, in order.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Sends a signal, by its number, to the program that runs on the device, if one does: for callers with a clock.
    pub fn signal(&mut self, signal: i64) -> Result<bool, ServiceFault> {
        let is_running = matches!(self.progress, Progress::Running { .. });
        if is_running {
            self.outgoing.send(labels::COMMAND, SIGNAL, |w| _ = w.int(signal))?;
        }
        Ok(is_running)
    }

    /// Its state.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(10).uint(STATE_VERSION).bytes(&self.program.id().0).uint(u64::from(self.rounds));
            self.seen.write(w);
            w.bool(self.has_begun);
            self.incoming.write(w);
            self.outgoing.write(w);
            w.bool(self.is_more).array(self.outcomes.len());
            self.outcomes.iter().for_each(|outcome| outcome.write(w));
            self.progress.write(w);
        })
    }

    /// The owner of which this is the state.
    ///
    /// # Errors
    /// [`ServiceFault::State`] for what is none, and for that of another program.
    pub fn from_bytes(program: &'p Program, bytes: &[u8]) -> Result<Self, ServiceFault> {
        Self::read(program, bytes).map_err(|_| ServiceFault::State)
    }

    fn read(program: &'p Program, bytes: &[u8]) -> Result<Self, ServiceFault> {
        if bytes.len() > MAX_STATE_LEN {
            return Err(ServiceFault::State);
        }
        let mut reader = Reader::new(bytes);
        reader.array_of(10)?;
        if reader.uint()? != STATE_VERSION || *reader.byte_array()? != program.id().0 {
            return Err(ServiceFault::State);
        }
        let rounds = reader.uint_as()?;
        let seen = Seen::read(&mut reader)?;
        let has_begun = reader.bool()?;
        let incoming = Incoming::read(&mut reader, MAX_OWNER_VALUE_LEN)?;
        let outgoing = Outgoing::read(&mut reader)?;
        let is_more = reader.bool()?;
        let count = reader.array()?;
        if count > program.steps().len() || rounds > MAX_ROUNDS {
            return Err(ServiceFault::State);
        }
        let outcomes = (0..count).map(|_| Outcome::read(&mut reader)).collect::<Result<_, _>>()?;
        let progress = Progress::read(&mut reader)?;
        reader.end()?;
        Ok(Self { program, rounds, seen, has_begun, incoming, outgoing, is_more, outcomes, progress })
    }

    /// What is left to be sent goes into the state.
    fn check_left(&self) -> Result<(), ServiceFault> {
        if self.outgoing.queued() > MAX_LEFT_LEN {
            return Err(ModuleFault::QueueFull.into());
        }
        Ok(())
    }

    fn step(&self) -> Option<&'p Step> {
        self.program.steps().get(self.outcomes.len())
    }

    /// Takes one whole message of the device.
    fn deliver(
        &mut self,
        module: &str,
        (message, value): (&str, &[u8]),
        backend: &mut Backend<'_>,
    ) -> Result<(), ServiceFault> {
        if module == labels::DEVMOD {
            let is_due = !self.has_begun;
            return if is_due { self.seen.receive(message, value) } else { Err(ServiceFault::OutOfTurn) };
        }
        if !self.seen.is_complete() {
            return Err(ServiceFault::DevmodMissing);
        }
        let step = self.step().filter(|step| step.action.module() == module);
        let is_begun = self.progress != Progress::Start;
        let is_over = matches!(self.progress, Progress::Ended(_));
        if message == labels::ACTIVE {
            let is_there = one(value, Reader::bool)?;
            if step.is_some() && is_begun && !is_over && !is_there {
                self.progress = Progress::Ended(Outcome::Skipped);
            }
            return Ok(());
        }
        // Some end every file with empty data, also one that was whole by its length.
        let is_nothing = module == labels::UPLOAD && message == labels::DATA && value == EMPTY_BYTES;
        match step {
            Some(_) if is_over && is_nothing => Ok(()),
            Some(step) if is_begun => self.deliver_to(step, (message, value), backend),
            _ if is_nothing || self.is_done() => Ok(()),
            _ => Err(ServiceFault::ModuleNotActive),
        }
    }

    fn deliver_to(
        &mut self,
        step: &Step,
        message: (&str, &[u8]),
        backend: &mut Backend<'_>,
    ) -> Result<(), ServiceFault> {
        let (progress, out) = (&mut self.progress, &mut self.outgoing);
        match &step.action {
            Action::Download { content, .. } => download_owner::receive(*content, progress, message, backend),
            Action::Upload { name, into, needs_hash, max_len } => {
                let (into, needs_hash, max_len) = (*into, *needs_hash, *max_len);
                let wanted = upload_owner::Wanted { name, into, needs_hash, max_len };
                upload_owner::receive(wanted, progress, message, backend)
            }
            Action::Wget(_) => wget_owner::receive(progress, message),
            Action::Command { order, stdout, stderr, max_output } => {
                let output = command_owner::Output { stdout: *stdout, stderr: *stderr, max_len: *max_output };
                command_owner::receive((order, output), progress, message, backend)
            }
            Action::Csr => csr_owner::receive(progress, message, backend, out),
            Action::Custom { id, .. } => {
                let Progress::Custom(state) = progress else { return Err(ModuleFault::OutOfOrder.into()) };
                backend.steps.receive(*id, state, message, out)?;
                check_custom(state)
            }
        }
    }

    /// Goes through steps until one goes on in the next message.
    fn run(&mut self, backend: &mut Backend<'_>) -> Result<(), ServiceFault> {
        while let Some(step) = self.step() {
            match self.advance(step, backend)? {
                Advance::Wait => return Ok(()),
                Advance::Done(Outcome::Skipped) if step.required => return Err(ServiceFault::ModuleMissing),
                Advance::Done(Outcome::Failed(_)) if step.required => return Err(ServiceFault::StepFailed),
                Advance::Done(outcome) => {
                    self.outcomes.push(outcome);
                    self.progress = Progress::Start;
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self, step: &Step, backend: &mut Backend<'_>) -> Result<Advance, ServiceFault> {
        if let Progress::Ended(outcome) = self.progress {
            return Ok(Advance::Done(outcome));
        }
        let (progress, out) = (&mut self.progress, &mut self.outgoing);
        if *progress == Progress::Start {
            let module = step.action.module();
            if !self.seen.devmod.modules.iter().any(|known| known == module) {
                return Ok(Advance::Done(Outcome::Skipped));
            }
            out.send(module, labels::ACTIVE, |w| _ = w.bool(true))?;
        }
        match &step.action {
            Action::Download { content, name } => {
                download_owner::advance((*content, name), progress, backend, out)
            }
            Action::Upload { name, into, needs_hash, max_len } => {
                let (into, needs_hash, max_len) = (*into, *needs_hash, *max_len);
                upload_owner::advance(upload_owner::Wanted { name, into, needs_hash, max_len }, progress, out)
            }
            Action::Wget(fetch) => wget_owner::advance(fetch, progress, out),
            Action::Command { order, .. } => command_owner::advance(order, progress, out),
            Action::Csr => Ok(csr_owner::advance(progress)),
            Action::Custom { id, .. } => {
                if *progress == Progress::Start {
                    *progress = Progress::Custom(Vec::new());
                }
                let Progress::Custom(state) = progress else { return Err(ServiceFault::State) };
                let advance = backend.steps.advance(*id, state, out)?;
                check_custom(state)?;
                Ok(advance)
            }
        }
    }
}

/// An encoded byte string without bytes.
const EMPTY_BYTES: &[u8] = &[0x40];

fn check_custom(state: &[u8]) -> Result<(), ServiceFault> {
    match state.len() > MAX_CUSTOM_STATE_LEN {
        true => Err(ServiceFault::TooLarge { limit: MAX_CUSTOM_STATE_LEN }),
        false => Ok(()),
    }
}
