use alloc::{string::String, vec::Vec};

use super::{
    Outgoing, ServiceFault, labels,
    list::is_name,
    modules::{
        CertificateFormat, CsrError, Fetch, Issuer, MAX_ARGUMENTS, MAX_ARGUMENTS_LEN, MAX_URL_LEN, Order,
        is_file_name,
    },
};

/// How many steps a program may have.
pub const MAX_STEPS: usize = 64;

/// Names a program: the state of one is refused by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramId(pub [u8; 16]);

/// Names contents, a place for them, or a step: the caller's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u64);

/// What an owner does with a device, one step after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    id: ProgramId,
    steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// Whether the protocol ends where the device lacks the module or the step fails. Otherwise the next step follows.
    pub required: bool,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Gives the device a file (`fdo.download`).
    Download {
        /// What is in it.
        content: ObjectId,
        /// What it is called.
        name: String,
    },
    /// Takes a file of the device (`fdo.upload`).
    Upload {
        /// What it is called.
        name: String,
        /// Where it goes.
        into: ObjectId,
        /// Whether the device is to send a SHA-384 with it.
        needs_hash: bool,
        /// How many bytes it may have.
        max_len: u64,
    },
    /// Lets the device fetch a file by itself (`fdo.wget`).
    Wget(Fetch),
    /// Runs a program (`fdo.command`).
    Command {
        /// Which one.
        order: Order,
        /// Where standard output goes, if it is wanted.
        stdout: Option<ObjectId>,
        /// Where standard error goes, if it is wanted.
        stderr: Option<ObjectId>,
        /// How many bytes of each there may be.
        max_output: u64,
    },
    /// Gives the device a certificate for its own key (`fdo.csr`).
    Csr,
    /// Whatever [`CustomSteps`] does with another module.
    Custom {
        /// Name of the module.
        module: String,
        /// Which step it is to the caller.
        id: ObjectId,
    },
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device does not have the module.
    Skipped,
    /// It succeeded: bytes of the file, exit code of the program, or 0.
    Done(i64),
    /// It did not: exit code of the program, number of the error, or -1.
    Failed(i64),
}

/// How far a step has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// It goes on in the next message: it waits for the device, or the list is full.
    Wait,
    /// It is over.
    Done(Outcome),
}

/// What the owner has to work with could not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendFault;

/// Contents of files for devices. They must not change while a program runs.
pub trait Contents {
    /// Their length in bytes.
    fn len(&self, id: ObjectId) -> Result<u64, BackendFault>;
    /// Fills the buffer with what stands at an offset.
    fn read(&self, id: ObjectId, offset: u64, bytes: &mut [u8]) -> Result<(), BackendFault>;
    /// Their SHA-384.
    fn sha384(&self, id: ObjectId) -> Result<[u8; 48], BackendFault>;
}

/// Where files and output of devices go. Everything may come twice, with the same bytes: a message whose answer was lost
/// comes again.
pub trait Sink {
    /// Puts bytes at an offset.
    fn write_at(&mut self, id: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), BackendFault>;
    /// SHA-384 of the first `len` bytes.
    fn sha384(&mut self, id: ObjectId, len: u64) -> Result<[u8; 48], BackendFault>;
    /// The file is whole, with so many bytes.
    fn finish(&mut self, id: ObjectId, len: u64) -> Result<(), BackendFault>;
}

/// Steps of modules that are not here. A step has no state but the bytes that it is given, of up to
/// [`super::MAX_CUSTOM_STATE_LEN`], none at first; the engine has sent `active` by then.
pub trait CustomSteps {
    /// Adds what is to be sent, no more than [`Outgoing::space`] says.
    fn advance(
        &mut self,
        id: ObjectId,
        state: &mut Vec<u8>,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault>;
    /// Takes one message of the device, whose value is one item in deterministic encoding.
    fn receive(
        &mut self,
        id: ObjectId,
        state: &mut Vec<u8>,
        message: (&str, &[u8]),
        out: &mut Outgoing,
    ) -> Result<(), ServiceFault>;
}

/// What the owner has to work with.
pub struct Backend<'a> {
    /// Contents of files.
    pub contents: &'a dyn Contents,
    /// Where files and output go.
    pub sink: &'a mut dyn Sink,
    /// Who gives certificates.
    pub issuer: &'a mut dyn Issuer,
    /// Steps of other modules.
    pub steps: &'a mut dyn CustomSteps,
}

/// Stands for what an owner does not have.
#[derive(Clone, Copy, Debug)]
pub struct Absent;

impl Program {
    /// A program of these steps.
    ///
    /// # Errors
    /// [`ServiceFault::Misuse`] where a step is beyond what devices take.
    pub fn new(id: ProgramId, steps: Vec<Step>) -> Result<Self, ServiceFault> {
        if steps.len() > MAX_STEPS {
            return Err(ServiceFault::Misuse("program has too many steps"));
        }
        steps.iter().try_for_each(|step| step.action.check())?;
        Ok(Self { id, steps })
    }

    /// Its name.
    pub fn id(&self) -> ProgramId {
        self.id
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl Action {
    /// The module that it needs.
    pub fn module(&self) -> &str {
        match self {
            Self::Download { .. } => labels::DOWNLOAD,
            Self::Upload { .. } => labels::UPLOAD,
            Self::Wget(_) => labels::WGET,
            Self::Command { .. } => labels::COMMAND,
            Self::Csr => labels::CSR,
            Self::Custom { module, .. } => module,
        }
    }

    fn check(&self) -> Result<(), ServiceFault> {
        let (is_sound, otherwise) = match self {
            Self::Download { name, .. } | Self::Upload { name, .. } => {
                (is_file_name(name), "file of a step has no plain name")
            }
            Self::Wget(Fetch { url, name, .. }) => (
                url.len() <= MAX_URL_LEN && name.as_deref().is_none_or(is_file_name),
                "file to fetch has no plain name or too long an address",
            ),
            Self::Command { order, stdout, stderr, .. } => {
                let len: usize = order.arguments.iter().map(String::len).sum();
                let is_short = order.arguments.len() <= MAX_ARGUMENTS && len <= MAX_ARGUMENTS_LEN;
                let goes_somewhere =
                    order.wants_stdout == stdout.is_some() && order.wants_stderr == stderr.is_some();
                (
                    is_short && goes_somewhere && !order.program.is_empty(),
                    "program of a step has no path, too many arguments or output without a place",
                )
            }
            Self::Csr => (true, ""),
            Self::Custom { module, .. } => (
                is_name(module) && !module.contains(':') && module != labels::DEVMOD,
                "module of a step has no name",
            ),
        };
        if is_sound { Ok(()) } else { Err(ServiceFault::Misuse(otherwise)) }
    }
}

impl From<BackendFault> for ServiceFault {
    fn from(_: BackendFault) -> Self {
        Self::Backend
    }
}

impl Contents for Absent {
    fn len(&self, _: ObjectId) -> Result<u64, BackendFault> {
        Err(BackendFault)
    }

    fn read(&self, _: ObjectId, _: u64, _: &mut [u8]) -> Result<(), BackendFault> {
        Err(BackendFault)
    }

    fn sha384(&self, _: ObjectId) -> Result<[u8; 48], BackendFault> {
        Err(BackendFault)
    }
}

impl Sink for Absent {
    fn write_at(&mut self, _: ObjectId, _: u64, _: &[u8]) -> Result<(), BackendFault> {
        Err(BackendFault)
    }

    fn sha384(&mut self, _: ObjectId, _: u64) -> Result<[u8; 48], BackendFault> {
        Err(BackendFault)
    }

    fn finish(&mut self, _: ObjectId, _: u64) -> Result<(), BackendFault> {
        Err(BackendFault)
    }
}

impl Issuer for Absent {
    fn authorities(&mut self, _: CertificateFormat) -> Result<Vec<u8>, CsrError> {
        Err(CsrError::NotSupported)
    }

    fn issue(&mut self, _: &[u8]) -> Result<Vec<u8>, CsrError> {
        Err(CsrError::NotSupported)
    }
}

impl CustomSteps for Absent {
    fn advance(&mut self, _: ObjectId, _: &mut Vec<u8>, _: &mut Outgoing) -> Result<Advance, ServiceFault> {
        Err(BackendFault.into())
    }

    fn receive(
        &mut self,
        _: ObjectId,
        _: &mut Vec<u8>,
        _: (&str, &[u8]),
        _: &mut Outgoing,
    ) -> Result<(), ServiceFault> {
        Err(BackendFault.into())
    }
}
