//! Files both ways: whole runs, and each rule of the device's modules.

use cbor::Writer;
use crypto::{Digest, HashAlgorithm};

use super::pair::*;
use crate::service_info::{labels, modules::*, *};

const LENGTHS: [usize; 7] = [0, 1, 230, 1013, 1015, 5000, 70_000];

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 7 % 251) as u8).collect()
}

fn download(name: &str) -> Action {
    Action::Download { content: ObjectId(1), name: name.into() }
}

fn upload(needs_hash: bool, max_len: u64) -> Action {
    Action::Upload { name: "log".into(), into: ObjectId(5), needs_hash, max_len }
}

#[test]
fn files_of_any_length_arrive_in_lists_of_any_length() {
    for len in LENGTHS {
        for budget in BUDGETS {
            let folder = Folder::default();
            let module = Download::new(folder.clone(), |name: &str| name == "image", 1 << 20);
            let program = program(vec![required(download("image"))]);
            let world = contents(&[(1, &bytes(len))]);
            let ran = run(&program, vec![Box::new(module)], world, (budget, MIN_BUDGET)).expect("succeeds");
            assert_eq!(ran.outcomes, [Outcome::Done(len as i64)]);
            assert_eq!(folder.file("image"), Some(bytes(len)), "{len} in {budget}");
            assert_eq!((folder.0.borrow().hashed, folder.0.borrow().aborted), (1, 0));
            assert_eq!(ran.more, 0, "the device has its turn in between");
            assert!(ran.largest_state < 400, "{}", ran.largest_state);
        }
    }
}

#[test]
fn pieces_are_whole_strings_of_limited_length() {
    let folder = Folder::default();
    let mut module = Download::new(folder, |_: &str| true, 1 << 20);
    let mut seen = Vec::new();
    let mut watch = Watch { module: &mut module, seen: &mut seen };
    let program = program(vec![required(download("image"))]);
    run(&program, vec![Box::new(&mut watch)], contents(&[(1, &bytes(5000))]), (64_000, 300))
        .expect("succeeds");
    let lens: Vec<_> =
        seen.iter().filter(|(message, _)| message == "data").map(|(_, value)| value.len()).collect();
    assert_eq!(lens.iter().max(), Some(&(MAX_DATA_LEN + 3)));
    assert_eq!(lens.len(), 5);
    let order: Vec<_> = seen.iter().map(|(message, _)| message.as_str()).take(3).collect();
    assert_eq!(order, ["name", "length", "sha-384"]);
}

/// Sees what a module sees.
struct Watch<'a> {
    module: &'a mut dyn DeviceModule,
    seen: &'a mut Vec<(String, Vec<u8>)>,
}

impl DeviceModule for Watch<'_> {
    fn name(&self) -> &str {
        self.module.name()
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        self.seen.push((message.into(), value.to_vec()));
        self.module.receive(message, value, out)
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        self.module.poll(out)
    }
}

#[test]
fn files_of_the_device_arrive_with_their_hash_or_without() {
    for len in LENGTHS {
        for budget in BUDGETS {
            for needs_hash in [false, true] {
                let folder = Folder::with(&[("log", &bytes(len))]);
                let module = Upload::new(folder, |name: &str| name == "log", 70_000);
                let program = program(vec![required(upload(needs_hash, 70_000))]);
                let ran =
                    run(&program, vec![Box::new(module)], World::default(), (300, budget)).expect("succeeds");
                assert_eq!(ran.outcomes, [Outcome::Done(len as i64)]);
                assert_eq!(ran.sink.finished.get(&5), Some(&(len as u64)));
                assert_eq!(
                    ran.sink.files.get(&5).cloned().unwrap_or_default(),
                    bytes(len),
                    "{len} in {budget}"
                );
                assert!(ran.largest_state < 500, "{}", ran.largest_state);
            }
        }
    }
}

#[test]
fn names_outside_of_a_folder_are_none() {
    let longest = "n".repeat(MAX_FILE_NAME_LEN);
    for name in ["a", "a.b", "..a", "a b", "ä", longest.as_str()] {
        assert!(is_file_name(name), "{name}");
    }
    let past = "n".repeat(MAX_FILE_NAME_LEN + 1);
    let bad = ["", ".", "..", "/etc/shadow", "../a", "a/b", "a\\b", "C:a", "a\0b", "a\nb", past.as_str()];
    for name in bad {
        assert!(!is_file_name(name), "{name}");
        let mut download = Download::new(Folder::default(), |_: &str| true, 100);
        let value = Writer::encode(|w| _ = w.text(name));
        let mut out = Outgoing::new();
        assert_eq!(download.receive("name", &value, &mut out), Err(ModuleFault::Refused), "{name}");
        let mut upload = Upload::new(Folder::with(&[(name, b"x")]), |_: &str| true, 100);
        assert_eq!(upload.receive("name", &value, &mut out), Err(ModuleFault::Refused), "{name}");
        let mut wget = Wget::new(NoFetcher, |_: &Fetch| true);
        assert_eq!(wget.receive("name", &value, &mut out), Err(ModuleFault::Refused), "{name}");
    }
}

struct NoFetcher;

impl Fetcher for NoFetcher {
    fn start(&mut self, _: Fetch) {
        panic!("nothing was to be fetched");
    }

    fn poll(&mut self) -> FetchState {
        FetchState::Running
    }
}

/// Messages for a download module, and what they lead to: the code or what it sent, as a list.
fn told(room: Option<usize>, messages: &[(&str, &str)]) -> (Folder, Result<Vec<u8>, &'static str>) {
    let folder = Folder::default();
    folder.0.borrow_mut().room = room;
    let mut module = Download::new(folder.clone(), |name: &str| name != "forbidden", 8);
    let mut out = Outgoing::new();
    for (message, hex) in messages {
        if let Err(fault) = module.receive(message, &testkit::hex(hex), &mut out) {
            return (folder, Err(fault.code()));
        }
    }
    (folder, Ok(out.take()))
}

fn done(written: &[i64]) -> Vec<u8> {
    let values: Vec<_> = written.iter().map(|written| Writer::encode(|w| _ = w.int(*written))).collect();
    let entries = values.iter().map(|value| KeyValue { module: labels::DOWNLOAD, message: "done", value });
    encode_list(&entries.collect::<Vec<_>>())
}

const NAME: (&str, &str) = ("name", "61 66");

/// What it is about, messages, every `done`, and the file.
type Told<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [i64], Option<&'a [u8]>);

#[test]
fn downloads_end_as_they_should() {
    let hash = |bytes: &[u8]| {
        let hex: String =
            Digest::of(HashAlgorithm::Sha384, bytes).as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        format!("5830{hex}")
    };
    let (right, wrong) = (hash(&[1, 2, 3]), hash(&[1, 2]));
    let data = ("data", "43 010203");
    let rows: [Told<'_>; 11] = [
        ("by length", &[NAME, ("length", "03"), data], &[3], Some(&[1, 2, 3])),
        (
            "by length, then ended once more",
            &[NAME, ("length", "03"), data, ("data", "40")],
            &[3],
            Some(&[1, 2, 3]),
        ),
        ("in two pieces", &[NAME, ("length", "06"), data, data], &[6], Some(&[1, 2, 3, 1, 2, 3])),
        ("by empty data", &[NAME, data, ("data", "40")], &[3], Some(&[1, 2, 3])),
        ("nothing", &[NAME, ("length", "00"), ("data", "40")], &[0], Some(&[])),
        ("nothing, no length", &[NAME, ("data", "40")], &[0], Some(&[])),
        ("with its hash", &[NAME, ("length", "03"), ("sha-384", &right), data], &[3], Some(&[1, 2, 3])),
        ("with another hash", &[NAME, ("length", "03"), ("sha-384", &wrong), data, data], &[-1], None),
        ("too much", &[NAME, ("length", "02"), data, data], &[-1], None),
        ("too little", &[NAME, ("length", "08"), data, ("data", "40"), data], &[-1], None),
        (
            "again after failure",
            &[NAME, ("length", "02"), data, NAME, ("length", "03"), data],
            &[-1, 3],
            Some(&[1, 2, 3]),
        ),
    ];
    for (what, messages, expected, file) in rows {
        let (folder, list) = told(None, messages);
        assert_eq!(list, Ok(done(expected)), "{what}");
        assert_eq!(folder.file("f").as_deref(), file, "{what}");
        assert!(folder.0.borrow().open.is_none(), "{what}");
    }
    // No room for it, known before and found out later.
    assert_eq!(told(Some(2), &[NAME, ("length", "03"), data]).1, Ok(done(&[-1])));
    assert_eq!(told(Some(2), &[NAME, data, data]).1, Ok(done(&[-1])));
}

#[test]
fn downloads_refuse_what_is_not_allowed() {
    let rows: [(&[(&str, &str)], &str); 13] = [
        (&[("name", "69 666f7262696464656e")], "module-refused"),
        (&[("name", "01")], "module-value-malformed"),
        (&[("name", "61 66 00")], "module-value-malformed"),
        (&[NAME, ("length", "09")], "module-too-large"),
        (&[NAME, ("length", "20")], "module-value-malformed"),
        (&[NAME, ("data", "49 000000000000000000")], "module-too-large"),
        (&[NAME, ("data", "48 0000000000000000"), ("data", "41 00")], "module-too-large"),
        (&[NAME, ("sha-384", "43 000000")], "module-value-malformed"),
        (&[("length", "01")], "module-out-of-order"),
        (&[("sha-384", OF_ZEROS)], "module-out-of-order"),
        (&[("data", "41 00")], "module-out-of-order"),
        (&[NAME, ("data", "41 00"), NAME], "module-out-of-order"),
        (&[("execute", "f6")], "module-message-unknown"),
    ];
    for (messages, code) in rows {
        let (folder, result) = told(None, messages);
        assert_eq!(result, Err(code), "{messages:?}");
        assert!(folder.0.borrow().files.is_empty());
    }
    assert_eq!(told(None, &[NAME, ("length", "08")]).1, Ok(vec![0x80]));
}

const OF_ZEROS: &str = "5830 000000000000000000000000000000000000000000000000
    000000000000000000000000000000000000000000000000";

#[test]
fn uploads_refuse_what_is_not_allowed() {
    let rows = [
        ("name", "61 66", "module-failed"),
        ("name", "63 6c6f67", "module-too-large"),
        ("name", "63 6b6579", "module-refused"),
        ("name", "00", "module-value-malformed"),
        ("need-sha", "00", "module-value-malformed"),
        ("length", "00", "module-message-unknown"),
    ];
    for (message, hex, code) in rows {
        let folder = Folder::with(&[("log", &[0; 9]), ("key", b"secret")]);
        let mut module = Upload::new(folder, |name: &str| name != "key", 8);
        let fault = module.receive(message, &testkit::hex(hex), &mut Outgoing::new()).expect_err(code);
        assert_eq!(fault.code(), code, "{hex}");
    }
    let mut module = Upload::new(Folder::with(&[("log", &[0; 8])]), |_: &str| true, 8);
    let name = testkit::hex("63 6c6f67");
    assert_eq!(module.receive("name", &name, &mut Outgoing::new()), Ok(()));
    assert_eq!(module.receive("name", &name, &mut Outgoing::new()), Err(ModuleFault::OutOfOrder));
}

#[test]
fn file_that_the_device_cannot_take_is_not_sent_to_its_end() {
    let one = program(vec![optional(download("a"))]);
    let folder = Folder::default();
    folder.0.borrow_mut().room = Some(1000);
    // Without a length the device finds out late.
    let module = NoLength(Download::new(folder, |_: &str| true, 1 << 20));
    let ran = run(&one, vec![Box::new(module)], contents(&[(1, &bytes(9000))]), (300, 300)).expect("goes on");
    assert_eq!(ran.outcomes, [Outcome::Failed(-1)]);
    assert!(ran.rounds < 10, "{}", ran.rounds);
}

/// Does not hear how long files are.
struct NoLength<M>(M);

impl<M: DeviceModule> DeviceModule for NoLength<M> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        if message == "length" { Ok(()) } else { self.0.receive(message, value, out) }
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        self.0.poll(out)
    }
}

#[test]
fn owner_goes_on_without_a_file_that_is_not_required_and_ends_without_one_that_is() {
    let full = || {
        let folder = Folder::default();
        folder.0.borrow_mut().room = Some(10);
        Download::new(folder, |_: &str| true, 1 << 20)
    };
    let world = || contents(&[(1, &bytes(3000))]);
    let both = program(vec![optional(download("a")), optional(download("b"))]);
    let ran = run(&both, vec![Box::new(full())], world(), (300, 300)).expect("goes on");
    assert_eq!(ran.outcomes, [Outcome::Failed(-1); 2]);
    let one = program(vec![required(download("a"))]);
    let ended = run(&one, vec![Box::new(full())], world(), (300, 300)).expect_err("ends");
    assert_eq!(ended, (Side::Owner, ServiceFault::StepFailed));
    // Contents that are not there are the owner's own trouble.
    let ended = run(&one, vec![Box::new(full())], World::default(), (300, 300)).expect_err("ends");
    assert_eq!(ended, (Side::Owner, ServiceFault::Backend));
}
