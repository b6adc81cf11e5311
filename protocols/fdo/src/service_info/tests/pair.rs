//! A device and an owner in memory. The owner lives for one message, and every message comes twice.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crypto::{Digest, HashAlgorithm};

use crate::service_info::{modules::*, *};

/// Whose fault ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Device,
    Owner,
}

/// Contents, and what came from the device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) files: BTreeMap<u64, Vec<u8>>,
    pub(super) finished: BTreeMap<u64, u64>,
}

/// Issues a certificate that tells what it was asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Authority {
    pub(super) refuses: Option<CsrError>,
}

/// What ran.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) rounds: u32,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) devmod: Devmod,
    pub(super) largest_state: usize,
    /// What came from the device.
    pub(super) sink: Files,
    /// Lists that the owner sent while it said that there is more.
    pub(super) more: u32,
}

/// What the owner works with.
#[derive(Default)]
pub(super) struct World {
    pub(super) contents: Files,
    pub(super) authority: Authority,
    pub(super) steps: Option<Box<dyn CustomSteps>>,
}

pub(super) const BUDGETS: [usize; 5] = [MIN_BUDGET, 300, DEFAULT_BUDGET, 4096, 64_000];

pub(super) fn program(steps: Vec<Step>) -> Program {
    Program::new(ProgramId([7; 16]), steps).expect("sound")
}

pub(super) fn required(action: Action) -> Step {
    Step { action, required: true }
}

pub(super) fn optional(action: Action) -> Step {
    Step { action, required: false }
}

pub(super) fn this_device() -> Devmod {
    Devmod {
        os: "Linux".into(),
        arch: "riscv64".into(),
        version: "6.12".into(),
        device: "NL-4".into(),
        separator: ";".into(),
        binaries: "riscv64".into(),
        serial: Some(Serial::Bytes(vec![1, 2, 3])),
        newline: Some("\n".into()),
        mud_url: Some("https://maker.example/nl4.json".into()),
        ..Devmod::default()
    }
}

/// One device against one program, with budgets of the owner's lists and of the device's.
pub(super) fn run(
    program: &Program,
    modules: Vec<Box<dyn DeviceModule + '_>>,
    world: World,
    budgets: (usize, usize),
) -> Result<Run, (Side, ServiceFault)> {
    let World { contents, authority: mut issuer, steps } = world;
    let mut steps = steps.unwrap_or(Box::new(Absent));
    let mut ran = Run::default();
    let mut device = DeviceEngine::new(&this_device(), modules).map_err(|fault| (Side::Device, fault))?;
    let mut state = OwnerEngine::new(program).to_bytes();
    while !device.is_finished() {
        ran.rounds += 1;
        assert!(ran.rounds < 20_000, "never ends");
        let (is_more, list) = device.next(budgets.1).map_err(|fault| (Side::Device, fault))?;
        assert!(list.len() <= budgets.1);
        let mut receive = || {
            let mut owner = OwnerEngine::from_bytes(program, &state).expect("its own state");
            let (sink, steps) = (&mut ran.sink, &mut *steps);
            let mut backend = Backend { contents: &contents, sink, issuer: &mut issuer, steps };
            let answer = owner.receive(is_more, &list, budgets.0, &mut backend);
            (answer, owner.to_bytes(), owner, ran.sink.clone())
        };
        let (answer, next, owner, sink) = receive();
        // The answer was lost: the same message again, from the state before it.
        let (again, next_again, _, sink_again) = receive();
        assert_eq!((&again, &next_again, &sink_again), (&answer, &next, &sink));
        let answer = answer.map_err(|fault| (Side::Owner, fault))?;
        assert!(answer.list.len() <= budgets.0);
        assert!(!(answer.is_more && answer.is_done));
        assert!(!is_more || answer.list == [0x80]);
        ran.more += u32::from(answer.is_more);
        ran.largest_state = ran.largest_state.max(next.len());
        ran.outcomes = owner.outcomes().to_vec();
        ran.devmod = owner.devmod().clone();
        state = next;
        let received = device.receive(answer.is_more, answer.is_done, &answer.list);
        received.map_err(|fault| (Side::Device, fault))?;
    }
    assert!(OwnerEngine::from_bytes(program, &state).expect("its own").is_done());
    Ok(ran)
}

pub(super) fn contents(files: &[(u64, &[u8])]) -> World {
    let files = files.iter().map(|(id, bytes)| (*id, bytes.to_vec())).collect();
    World { contents: Files { files, ..Files::default() }, ..World::default() }
}

fn sha384(bytes: &[u8]) -> [u8; 48] {
    Digest::of(HashAlgorithm::Sha384, bytes).as_bytes().try_into().expect("its length")
}

impl Contents for Files {
    fn len(&self, id: ObjectId) -> Result<u64, BackendFault> {
        self.files.get(&id.0).map(|bytes| bytes.len() as u64).ok_or(BackendFault)
    }

    fn read(&self, id: ObjectId, offset: u64, bytes: &mut [u8]) -> Result<(), BackendFault> {
        let all = self.files.get(&id.0).ok_or(BackendFault)?;
        bytes.copy_from_slice(&all[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn sha384(&self, id: ObjectId) -> Result<[u8; 48], BackendFault> {
        self.files.get(&id.0).map(|bytes| sha384(bytes)).ok_or(BackendFault)
    }
}

impl Sink for Files {
    fn write_at(&mut self, id: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), BackendFault> {
        let file = self.files.entry(id.0).or_default();
        let end = offset as usize + bytes.len();
        file.resize(file.len().max(end), 0);
        file[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sha384(&mut self, id: ObjectId, len: u64) -> Result<[u8; 48], BackendFault> {
        Ok(sha384(&self.files.entry(id.0).or_default()[..len as usize]))
    }

    fn finish(&mut self, id: ObjectId, len: u64) -> Result<(), BackendFault> {
        self.finished.insert(id.0, len);
        Ok(())
    }
}

impl Issuer for Authority {
    fn authorities(&mut self, format: CertificateFormat) -> Result<Vec<u8>, CsrError> {
        match format {
            CertificateFormat::Pkix => Ok(b"authority".to_vec()),
            CertificateFormat::Pkcs7 => Err(CsrError::UnsupportedFormat),
        }
    }

    fn issue(&mut self, request: &[u8]) -> Result<Vec<u8>, CsrError> {
        match self.refuses {
            Some(error) => Err(error),
            None => Ok([b"certificate for ", request].concat()),
        }
    }
}

/// Files on a device.
#[derive(Clone, Default)]
pub(super) struct Folder(pub(super) Rc<RefCell<FolderState>>);

#[derive(Default)]
pub(super) struct FolderState {
    pub(super) open: Option<(String, Vec<u8>)>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) hashed: u32,
    pub(super) aborted: u32,
    /// After so many bytes it is full.
    pub(super) room: Option<usize>,
}

impl Folder {
    pub(super) fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self::default();
        let files = files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
        folder.0.borrow_mut().files = files;
        folder
    }

    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        self.0.borrow().files.get(name).cloned()
    }
}

impl FileSink for Folder {
    fn begin(&mut self, name: &str, len: Option<u64>) -> Result<(), FileFault> {
        let mut state = self.0.borrow_mut();
        assert!(state.open.is_none(), "one at a time");
        let is_too_long = state.room.is_some_and(|room| len.is_some_and(|len| len > room as u64));
        if is_too_long {
            return Err(FileFault);
        }
        state.open = Some((name.into(), Vec::new()));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        let mut state = self.0.borrow_mut();
        let room = state.room.unwrap_or(usize::MAX);
        let (_, file) = state.open.as_mut().expect("begun");
        file.extend_from_slice(bytes);
        if file.len() > room { Err(FileFault) } else { Ok(()) }
    }

    fn finish(&mut self, is_hashed: bool) -> Result<(), FileFault> {
        let mut state = self.0.borrow_mut();
        state.hashed += u32::from(is_hashed);
        let (name, bytes) = state.open.take().expect("begun");
        state.files.insert(name, bytes);
        Ok(())
    }

    fn abort(&mut self) {
        let mut state = self.0.borrow_mut();
        state.open = None;
        state.aborted += 1;
    }
}

impl FileSource for Folder {
    fn len(&mut self, name: &str) -> Result<u64, FileFault> {
        self.file(name).map(|bytes| bytes.len() as u64).ok_or(FileFault)
    }

    fn read(&mut self, name: &str, offset: u64, bytes: &mut [u8]) -> Result<(), FileFault> {
        let file = self.file(name).ok_or(FileFault)?;
        bytes.copy_from_slice(&file[offset as usize..][..bytes.len()]);
        Ok(())
    }
}
