//! Lists of ServiceInfo, as a device with every module gets them and an owner at each kind of step, and states of owners.

use fdo::service_info::{
    Absent, Action, Activity, Backend, BackendFault, DEFAULT_BUDGET, DeviceEngine, DeviceModule, Incoming,
    KeyValue, MAX_BUDGET, MAX_VALUE_LEN, MIN_BUDGET, ModuleFault, ObjectId, Outgoing, OwnerEngine, Program,
    ProgramId, Sink, Step, decode_list, encode_list, labels, modules,
};

/// A list, or the state of an owner.
pub(super) fn service_info(bytes: &[u8]) -> bool {
    let is_state = programs().iter().any(|program| resumed(program, bytes));
    let Ok(entries) = decode_list(bytes) else { return is_state };
    assert_eq!(encode_list(&entries), bytes, "there is one encoding");
    for program in programs() {
        let mut owner = OwnerEngine::new(&program);
        tell(&mut owner, &what_the_device_is());
        tell(&mut owner, bytes);
        let state = owner.to_bytes();
        assert_eq!(OwnerEngine::from_bytes(&program, &state).map(|owner| owner.to_bytes()), Ok(state));
    }
    let mut device = device();
    let active: Vec<_> =
        NAMES.map(|module| KeyValue { module, message: labels::ACTIVE, value: &[0xf5] }).into();
    for list in [&encode_list(&active)[..], bytes] {
        let is_due = device.next(MIN_BUDGET).is_ok_and(|(is_more, _)| !is_more);
        if !is_due || device.receive(false, false, list).is_err() {
            break;
        }
    }
    whole(&entries)
}

/// Whether every value is well-formed, whole or in pieces. What is whole arrives again through the shortest lists.
fn whole(entries: &[KeyValue<'_>]) -> bool {
    let mut out = Outgoing::new();
    let mut values = Vec::new();
    let mut incoming = Incoming::new(MAX_VALUE_LEN);
    for entry in entries {
        let Ok(items) = incoming.receive(entry) else { return false };
        for item in items {
            // What was many short items takes more room as many messages.
            if out.push(entry.module, entry.message, item.to_vec()).is_ok() {
                values.push(item.into_owned());
            }
        }
    }
    let mut again = Incoming::new(MAX_VALUE_LEN);
    let mut values = values.into_iter();
    while !out.is_empty() {
        out.set_budget(MIN_BUDGET).expect("the shortest");
        let list = out.take();
        assert!(list.len() <= MIN_BUDGET);
        for entry in decode_list(&list).expect("our own") {
            for item in again.receive(&entry).expect("our own") {
                assert_eq!(Some(item.into_owned()), values.next());
            }
        }
    }
    values.next().is_none() && !incoming.is_waiting()
}

/// Whether it is a state of the program. If so, the owner goes on from it.
fn resumed(program: &Program, state: &[u8]) -> bool {
    let Ok(mut owner) = OwnerEngine::from_bytes(program, state) else { return false };
    assert_eq!(owner.to_bytes(), state, "there is one encoding");
    tell(&mut owner, &[0x80]);
    true
}

fn tell(owner: &mut OwnerEngine<'_>, list: &[u8]) {
    let (sink, issuer, steps) = (&mut Anything, &mut Absent, &mut Absent);
    let mut backend = Backend { contents: &Absent, sink, issuer, steps };
    if let Ok(answer) = owner.receive(false, list, DEFAULT_BUDGET, &mut backend) {
        assert!(answer.list.len() <= DEFAULT_BUDGET && !(answer.is_more && answer.is_done));
    }
}

/// Seeds: what either side says first, a list of every module, and a state at each step.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let first = what_the_device_is();
    let mut made = vec![first.clone(), a_list_of_each_module()];
    for program in programs() {
        let mut owner = OwnerEngine::new(&program);
        let mut backend =
            Backend { contents: &Absent, sink: &mut Anything, issuer: &mut Absent, steps: &mut Absent };
        let answer = owner.receive(false, &first, DEFAULT_BUDGET, &mut backend).expect("our own");
        made.extend([answer.list, owner.to_bytes()]);
    }
    made
}

fn a_list_of_each_module() -> Vec<u8> {
    let entry = |module, message, value| KeyValue { module, message, value };
    encode_list(&[
        entry(labels::UPLOAD, labels::LENGTH, &[2]),
        entry(labels::UPLOAD, labels::DATA, &[0x42, 1, 2]),
        // In two pieces, and with a map.
        entry(labels::DOWNLOAD, labels::NAME, &[0x64, b'n', b'a']),
        entry(labels::DOWNLOAD, labels::NAME, b"me"),
        entry("example.map", "map", &[0xa2, 1, 0xf5, 2, 0xf6]),
        entry(labels::COMMAND, labels::command::EXIT_CODE, &[0x20]),
    ])
}

const NAMES: [&str; 4] = [labels::DOWNLOAD, labels::UPLOAD, labels::WGET, labels::COMMAND];

fn what_the_device_is() -> Vec<u8> {
    let mut device = device();
    let (is_more, list) = device.next(MAX_BUDGET).expect("its turn");
    assert!(!is_more);
    list
}

fn device() -> DeviceEngine<'static> {
    let modules: Vec<Box<dyn DeviceModule>> = vec![
        Box::new(modules::Download::new(Anything, |_: &str| true, 100)),
        Box::new(modules::Upload::new(Anything, |_: &str| true, 100)),
        Box::new(modules::Wget::new(Anything, |_: &modules::Fetch| true)),
        Box::new(modules::Command::new(Anything, vec!["/p".into()])),
        Box::new(Silent),
    ];
    let devmod = modules::Devmod { os: "os".into(), device: "model".into(), ..modules::Devmod::default() };
    DeviceEngine::new(&devmod, modules).expect("sound")
}

fn programs() -> [Program; 4] {
    let order = modules::Order { program: "/p".into(), wants_stdout: true, ..modules::Order::default() };
    let fetch = modules::Fetch { url: "u".into(), name: None, sha384: None };
    let actions = [
        Action::Upload { name: "log".into(), into: ObjectId(1), needs_hash: false, max_len: 100 },
        Action::Command { order, stdout: Some(ObjectId(2)), stderr: None, max_output: 100 },
        Action::Wget(fetch),
        Action::Csr,
    ];
    actions.map(|action| {
        let steps = vec![Step { action, required: false }];
        Program::new(ProgramId([1; 16]), steps).expect("sound")
    })
}

/// A module that is there so that it is named.
struct Silent;

impl DeviceModule for Silent {
    fn name(&self) -> &str {
        labels::CSR
    }

    fn receive(&mut self, _: &str, _: &[u8], _: &mut Outgoing) -> Result<(), ModuleFault> {
        Err(ModuleFault::MessageUnknown)
    }

    fn poll(&mut self, _: &mut Outgoing) -> Result<Activity, ModuleFault> {
        Ok(Activity::Idle)
    }
}

/// Takes everything, and has files of seven bytes.
struct Anything;

impl modules::FileSink for Anything {
    fn begin(&mut self, name: &str, _: Option<u64>) -> Result<(), modules::FileFault> {
        assert!(modules::is_file_name(name));
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), modules::FileFault> {
        assert!(bytes.len() <= 100);
        Ok(())
    }

    fn finish(&mut self, _: bool) -> Result<(), modules::FileFault> {
        Ok(())
    }

    fn abort(&mut self) {}
}

impl modules::FileSource for Anything {
    fn len(&mut self, _: &str) -> Result<u64, modules::FileFault> {
        Ok(7)
    }

    fn read(&mut self, _: &str, offset: u64, bytes: &mut [u8]) -> Result<(), modules::FileFault> {
        assert!(offset + bytes.len() as u64 <= 7);
        Ok(())
    }
}

impl modules::Fetcher for Anything {
    fn start(&mut self, _: modules::Fetch) {}

    fn poll(&mut self) -> modules::FetchState {
        modules::FetchState::Done(7)
    }
}

impl modules::Runner for Anything {
    fn start(&mut self, order: &modules::Order) -> Result<(), modules::RunFault> {
        assert_eq!(order.program, "/p");
        Ok(())
    }

    fn poll(&mut self, _: &mut [u8]) -> modules::RunState {
        modules::RunState::Exited(0)
    }

    fn signal(&mut self, _: i64) {}
}

impl Sink for Anything {
    fn write_at(&mut self, _: ObjectId, offset: u64, bytes: &[u8]) -> Result<(), BackendFault> {
        assert!(!bytes.is_empty() && offset.checked_add(bytes.len() as u64).is_some());
        Ok(())
    }

    fn sha384(&mut self, _: ObjectId, _: u64) -> Result<[u8; 48], BackendFault> {
        Ok([0; 48])
    }

    fn finish(&mut self, _: ObjectId, _: u64) -> Result<(), BackendFault> {
        Ok(())
    }
}
