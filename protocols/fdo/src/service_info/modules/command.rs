use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use cbor::{Reader, Type};

use super::one;
use crate::service_info::{
    Activity, DeviceModule, ModuleFault, Outgoing,
    labels::{self, command as keys},
};

/// How many arguments a program may get.
pub const MAX_ARGUMENTS: usize = 64;

/// Bytes of all arguments together.
pub const MAX_ARGUMENTS_LEN: usize = 8192;

/// A program to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Path of the program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Whether another exit code than 0 is no failure.
    pub may_fail: bool,
    /// Whether standard output is wanted.
    pub wants_stdout: bool,
    /// Whether standard error is wanted.
    pub wants_stderr: bool,
}

/// The program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunFault;

/// Where output stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// How a program that was started stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It runs and has written nothing new.
    Running,
    /// It wrote so many bytes, which are in the buffer.
    Wrote(Stream, usize),
    /// It is over, with this code, and all that it wrote was handed on.
    Exited(i64),
}

/// Runs programs, one at a time.
pub trait Runner {
    /// Starts a program that is allowed, without waiting.
    fn start(&mut self, order: &Order) -> Result<(), RunFault>;
    /// Asked again and again while it runs; output goes into the buffer.
    fn poll(&mut self, buffer: &mut [u8]) -> RunState;
    /// Sends a signal to it, by its number.
    fn signal(&mut self, signal: i64);
}

/// `fdo.command` of a device: runs programs whose exact paths the caller lists, and no others. With none listed it is off.
///
/// Output goes out as it comes, and the exit code after all of it. A failure that the owner did not allow for ends the
/// protocol once the owner was told the code.
pub struct Command<R> {
    runner: R,
    allowed: Vec<String>,
    order: Order,
    is_running: bool,
    /// Whether a program failed that may not.
    has_failed: bool,
}

impl<R: Runner> Command<R> {
    /// A module that lets `runner` run programs with these paths.
    pub fn new(runner: R, allowed: Vec<String>) -> Self {
        Self { runner, allowed, order: Order::default(), is_running: false, has_failed: false }
    }

    fn execute(&mut self, out: &mut Outgoing) -> Result<(), ModuleFault> {
        if self.order.program.is_empty() {
            return Err(ModuleFault::OutOfOrder);
        }
        self.is_running = true;
        match self.runner.start(&self.order) {
            Ok(()) => Ok(()),
            Err(RunFault) => self.end(NOT_STARTED, out),
        }
    }

    fn end(&mut self, code: i64, out: &mut Outgoing) -> Result<(), ModuleFault> {
        let order = core::mem::take(&mut self.order);
        self.is_running = false;
        self.has_failed = code != 0 && !order.may_fail;
        out.send(labels::COMMAND, keys::EXIT_CODE, |w| _ = w.int(code))
    }
}

/// Exit code of a program that could not be started.
const NOT_STARTED: i64 = -1;

impl<R: Runner> DeviceModule for Command<R> {
    fn name(&self) -> &str {
        labels::COMMAND
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        if message == keys::SIGNAL {
            let signal = one(value, Reader::int)?;
            if self.is_running {
                self.runner.signal(signal);
            }
            return Ok(());
        }
        if self.is_running || self.has_failed {
            return Err(ModuleFault::OutOfOrder);
        }
        match message {
            keys::COMMAND => {
                let program = one(value, Reader::text)?;
                if !self.allowed.iter().any(|allowed| allowed == program) {
                    return Err(ModuleFault::Refused);
                }
                self.order.program = program.to_owned();
            }
            keys::ARGUMENTS => self.order.arguments = arguments(value)?,
            keys::MAY_FAIL => self.order.may_fail = one(value, Reader::bool)?,
            keys::RETURN_STDOUT => self.order.wants_stdout = one(value, Reader::bool)?,
            keys::RETURN_STDERR => self.order.wants_stderr = one(value, Reader::bool)?,
            // Null by the specification; what else stands there says nothing.
            keys::EXECUTE => self.execute(out)?,
            _ => return Err(ModuleFault::MessageUnknown),
        }
        Ok(())
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        if self.has_failed && out.is_empty() {
            return Err(ModuleFault::Failed);
        }
        while self.is_running {
            let space = out.space(labels::COMMAND, keys::STDOUT);
            if space < super::MIN_DATA_LEN {
                break;
            }
            let mut buffer = vec![0; space];
            match self.runner.poll(&mut buffer) {
                RunState::Running => break,
                RunState::Exited(code) => self.end(code, out)?,
                RunState::Wrote(stream, len) => {
                    let data = buffer.get(..len).unwrap_or(&buffer);
                    let (key, is_wanted) = match stream {
                        Stream::Output => (keys::STDOUT, self.order.wants_stdout),
                        Stream::Error => (keys::STDERR, self.order.wants_stderr),
                    };
                    if is_wanted && !data.is_empty() {
                        out.send(labels::COMMAND, key, |w| _ = w.bytes(data))?;
                    } else if data.is_empty() {
                        break;
                    }
                }
            }
        }
        Ok(if self.is_running { Activity::Busy } else { Activity::Idle })
    }
}

/// Arguments: an array of texts or null for none, in a byte string as specified or bare as some write it.
fn arguments(value: &[u8]) -> Result<Vec<String>, ModuleFault> {
    let mut reader = Reader::new(value);
    if reader.peek()? == Type::Bytes {
        let mut inner = reader.wrapped()?;
        reader.end()?;
        let normal = cbor::normalize(inner.rest(), MAX_ARGUMENTS_LEN * 2)?;
        inner = Reader::new(&normal);
        return read_arguments(inner);
    }
    read_arguments(reader)
}

fn read_arguments(mut reader: Reader<'_>) -> Result<Vec<String>, ModuleFault> {
    let count = if reader.is_null()? { 0 } else { reader.array()? };
    if count > MAX_ARGUMENTS {
        return Err(ModuleFault::TooLarge);
    }
    let mut arguments = Vec::with_capacity(count);
    let mut len = 0;
    for _ in 0..count {
        let argument = reader.text()?;
        len += argument.len();
        if len > MAX_ARGUMENTS_LEN {
            return Err(ModuleFault::TooLarge);
        }
        // Programs take arguments that end at a zero byte.
        if argument.contains('\0') {
            return Err(ModuleFault::Refused);
        }
        arguments.push(argument.to_owned());
    }
    reader.end()?;
    Ok(arguments)
}

/// The owner's half.
pub(crate) mod owner {
    use super::{Order, Outgoing, Reader, keys, labels, one};
    use crate::service_info::{
        Advance, Backend, ModuleFault, ObjectId, Outcome, ServiceFault, state::Progress,
    };

    /// Where output goes, and how much of each at most.
    #[derive(Clone, Copy)]
    pub(crate) struct Output {
        pub(crate) stdout: Option<ObjectId>,
        pub(crate) stderr: Option<ObjectId>,
        pub(crate) max_len: u64,
    }

    /// Tells what to run.
    pub(crate) fn advance(
        order: &Order,
        progress: &mut Progress,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault> {
        if *progress == Progress::Start {
            let mut send =
                |key: &str, write: &dyn Fn(&mut cbor::Writer)| out.send(labels::COMMAND, key, write);
            send(keys::COMMAND, &|w| _ = w.text(&order.program))?;
            send(keys::ARGUMENTS, &|w| {
                w.wrap(|w| {
                    w.array(order.arguments.len());
                    order.arguments.iter().for_each(|argument| _ = w.text(argument));
                });
            })?;
            send(keys::MAY_FAIL, &|w| _ = w.bool(order.may_fail))?;
            send(keys::RETURN_STDOUT, &|w| _ = w.bool(order.wants_stdout))?;
            send(keys::RETURN_STDERR, &|w| _ = w.bool(order.wants_stderr))?;
            send(keys::EXECUTE, &|w| _ = w.null())?;
            *progress = Progress::Running { stdout: 0, stderr: 0 };
        }
        Ok(Advance::Wait)
    }

    /// Takes output and the exit code.
    pub(crate) fn receive(
        (order, output): (&Order, Output),
        progress: &mut Progress,
        (message, value): (&str, &[u8]),
        backend: &mut Backend<'_>,
    ) -> Result<(), ServiceFault> {
        let Progress::Running { stdout, stderr } = progress else {
            return Err(ModuleFault::OutOfOrder.into());
        };
        let (offset, into) = match message {
            keys::STDOUT => (stdout, output.stdout),
            keys::STDERR => (stderr, output.stderr),
            keys::EXIT_CODE => {
                let outcome = match one(value, Reader::int)? {
                    code if code == 0 || order.may_fail => Outcome::Done(code),
                    code => Outcome::Failed(code),
                };
                for (into, len) in [(output.stdout, *stdout), (output.stderr, *stderr)] {
                    if let Some(into) = into.filter(|_| len > 0) {
                        backend.sink.finish(into, len)?;
                    }
                }
                *progress = Progress::Ended(outcome);
                return Ok(());
            }
            _ => return Err(ModuleFault::MessageUnknown.into()),
        };
        let data = one(value, Reader::bytes)?;
        let after = offset.saturating_add(data.len() as u64);
        if after > output.max_len {
            return Err(ModuleFault::TooLarge.into());
        }
        // Some send what nobody asked for.
        if let Some(into) = into.filter(|_| !data.is_empty()) {
            backend.sink.write_at(into, *offset, data)?;
        }
        *offset = after;
        Ok(())
    }
}
