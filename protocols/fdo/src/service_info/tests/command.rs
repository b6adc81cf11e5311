//! Programs that run and files that a device fetches by itself.

use cbor::Writer;

use super::pair::*;
use crate::service_info::{labels, modules::*, *};

/// A program that writes what it was given, after some time.
#[derive(Default)]
struct Shell {
    started: Vec<Order>,
    signals: Vec<i64>,
    states: Vec<(RunState, Vec<u8>)>,
    cannot_start: bool,
    /// It runs until it is told to end.
    is_endless: bool,
}

impl Runner for &mut Shell {
    fn start(&mut self, order: &Order) -> Result<(), RunFault> {
        self.started.push(order.clone());
        if self.cannot_start { Err(RunFault) } else { Ok(()) }
    }

    fn poll(&mut self, buffer: &mut [u8]) -> RunState {
        if self.is_endless && self.signals.is_empty() {
            return RunState::Running;
        }
        if self.states.is_empty() {
            return RunState::Exited(0);
        }
        let (state, mut bytes) = self.states.remove(0);
        if let RunState::Wrote(stream, _) = state {
            let len = bytes.len().min(buffer.len());
            buffer[..len].copy_from_slice(&bytes[..len]);
            let rest = bytes.split_off(len);
            if !rest.is_empty() {
                self.states.insert(0, (state, rest));
            }
            return RunState::Wrote(stream, len);
        }
        state
    }

    fn signal(&mut self, signal: i64) {
        self.signals.push(signal);
    }
}

const PATH: &str = "/usr/bin/setup";

fn allowed() -> Vec<String> {
    vec!["/bin/true".into(), PATH.into()]
}

fn order(arguments: &[&str]) -> Order {
    Order {
        program: PATH.into(),
        arguments: arguments.iter().map(|argument| argument.to_string()).collect(),
        wants_stdout: true,
        ..Order::default()
    }
}

fn command(order: Order) -> Action {
    let stderr = order.wants_stderr.then_some(ObjectId(2));
    let stdout = order.wants_stdout.then_some(ObjectId(1));
    Action::Command { order, stdout, stderr, max_output: 10_000 }
}

fn wrote(stream: Stream, len: usize, byte: u8) -> (RunState, Vec<u8>) {
    (RunState::Wrote(stream, 0), vec![byte; len])
}

#[test]
fn program_runs_and_its_output_arrives() {
    for budget in BUDGETS {
        // Arguments longer than a list are cut.
        let order = Order { wants_stderr: true, ..order(&["--name", &"x".repeat(3000)]) };
        let waits = (RunState::Running, Vec::new());
        let mut shell = Shell {
            states: vec![
                waits.clone(),
                wrote(Stream::Output, 3000, b'o'),
                wrote(Stream::Error, 10, b'e'),
                waits,
                wrote(Stream::Output, 1, b'p'),
            ],
            ..Shell::default()
        };
        let module = Command::new(&mut shell, allowed());
        let program = program(vec![required(command(order.clone()))]);
        let ran =
            run(&program, vec![Box::new(module)], World::default(), (budget, budget)).expect("succeeds");
        assert_eq!(ran.outcomes, [Outcome::Done(0)]);
        assert_eq!(ran.sink.files[&1], [vec![b'o'; 3000], vec![b'p']].concat());
        assert_eq!(ran.sink.files[&2], [b'e'; 10]);
        assert_eq!(shell.started, [order]);
        assert_eq!(ran.more > 0, budget < 3500, "arguments that are cut are not interrupted");
        assert!(ran.largest_state < 4000, "{}", ran.largest_state);
    }
}

#[test]
fn output_that_nobody_wants_stays() {
    let mut shell = Shell { states: vec![wrote(Stream::Error, 10, b'e')], ..Shell::default() };
    let module = Command::new(&mut shell, allowed());
    let program = program(vec![required(command(order(&[])))]);
    let ran = run(&program, vec![Box::new(module)], World::default(), (300, 300)).expect("succeeds");
    assert!(ran.sink.files.is_empty());
}

#[test]
fn failure_ends_the_protocol_unless_it_may_be() {
    let failing = || Shell { states: vec![(RunState::Exited(3), Vec::new())], ..Shell::default() };
    let may_fail = Order { may_fail: true, ..order(&[]) };
    for (order, shell, expected) in [
        (may_fail.clone(), failing(), Ok(vec![Outcome::Done(3)])),
        (order(&[]), failing(), Err((Side::Owner, ServiceFault::StepFailed))),
        (may_fail, Shell { cannot_start: true, ..Shell::default() }, Ok(vec![Outcome::Done(-1)])),
    ] {
        let mut shell = shell;
        let program = program(vec![required(command(order))]);
        let module = Command::new(&mut shell, allowed());
        let ran = run(&program, vec![Box::new(module)], World::default(), (300, 300));
        assert_eq!(ran.map(|ran| ran.outcomes), expected);
    }
    // An owner that does not care is told the code, and then that it ends.
    let mut shell = failing();
    let program = program(vec![optional(command(order(&[])))]);
    let module = Command::new(&mut shell, allowed());
    let ended = run(&program, vec![Box::new(module)], World::default(), (300, 300)).expect_err("ends");
    assert_eq!(ended, (Side::Device, ModuleFault::Failed.into()));
}

#[test]
fn program_that_does_not_end_can_be_signalled() {
    let mut shell = Shell { is_endless: true, ..Shell::default() };
    let program = program(vec![required(command(order(&[])))]);
    let mut owner = OwnerEngine::new(&program);
    let modules: Vec<Box<dyn DeviceModule + '_>> = vec![Box::new(Command::new(&mut shell, allowed()))];
    let mut device = DeviceEngine::new(&this_device(), modules).expect("sound");
    let (mut contents, mut issuer, mut steps) = (Absent, Absent, Absent);
    for round in 0..10 {
        let (is_more, list) = device.next(1300).expect("due");
        let mut backend =
            Backend { contents: &Absent, sink: &mut contents, issuer: &mut issuer, steps: &mut steps };
        assert!(!device.is_finished());
        if round == 7 {
            assert!(device.is_busy());
            assert_eq!(owner.signal(15), Ok(true));
        }
        let answer = owner.receive(is_more, &list, 1300, &mut backend).expect("due");
        device.receive(answer.is_more, answer.is_done, &answer.list).expect("allowed");
        if answer.is_done {
            break;
        }
    }
    assert!(device.is_finished() && !device.is_busy());
    assert_eq!(owner.outcomes(), [Outcome::Done(0)]);
    assert_eq!(owner.signal(15), Ok(false));
    drop(device);
    assert_eq!(shell.signals, [15]);
}

#[test]
fn too_much_output_ends_the_protocol() {
    for (len, expected) in [(10_000, Ok(vec![Outcome::Done(0)])), (10_001, Err(ModuleFault::TooLarge.into()))]
    {
        let mut shell = Shell { states: vec![wrote(Stream::Output, len, 1)], ..Shell::default() };
        let program = program(vec![required(command(order(&[])))]);
        let module = Command::new(&mut shell, allowed());
        let ran = run(&program, vec![Box::new(module)], World::default(), (300, 4000));
        assert_eq!(ran.map(|ran| ran.outcomes), expected.map_err(|fault: ServiceFault| (Side::Owner, fault)));
    }
}

/// Messages for a module that may run one program.
fn told(allowed: Vec<String>, messages: &[(&str, Vec<u8>)]) -> Result<Vec<Order>, &'static str> {
    let mut shell = Shell { is_endless: true, ..Shell::default() };
    let mut module = Command::new(&mut shell, allowed);
    let mut out = Outgoing::new();
    let given = messages.iter().try_for_each(|(message, value)| module.receive(message, value, &mut out));
    given.map(|()| shell.started).map_err(|fault| fault.code())
}

fn text(text: &str) -> Vec<u8> {
    Writer::encode(|w| _ = w.text(text))
}

fn texts(texts: &[&str]) -> Vec<u8> {
    Writer::encode(|w| {
        w.array(texts.len());
        texts.iter().for_each(|text| _ = w.text(text));
    })
}

#[test]
fn arguments_are_read_bare_and_in_a_string() {
    let bare = texts(&["a", "b"]);
    let wrapped = Writer::encode(|w| _ = w.bytes(&bare));
    let lenient = testkit::hex("46 9f 6161 6162 ff");
    for arguments in [bare, wrapped, lenient] {
        let messages = [("command", text(PATH)), ("args", arguments), ("execute", vec![0xf6])];
        let started = told(allowed(), &messages).expect("allowed");
        assert_eq!(started, [Order { wants_stdout: false, ..order(&["a", "b"]) }]);
    }
}

#[test]
fn no_arguments_are_written_in_four_ways() {
    for hex in ["80", "f6", "41 80", "41 f6"] {
        let messages = [("command", text(PATH)), ("args", testkit::hex(hex)), ("execute", vec![0xf6])];
        assert_eq!(
            told(allowed(), &messages),
            Ok(vec![Order { wants_stdout: false, ..order(&[]) }]),
            "{hex}"
        );
    }
}

#[test]
fn programs_that_are_not_listed_are_refused() {
    let command = || ("command", text(PATH));
    let execute = || ("execute", vec![0xf6]);
    for path in ["/usr/bin/setup ", "/usr/bin/setu", "setup", "/usr/bin/../bin/setup", ""] {
        assert_eq!(told(allowed(), &[("command", text(path)), execute()]), Err("module-refused"), "{path}");
    }
    assert_eq!(told(vec![], &[command(), execute()]), Err("module-refused"));
    assert_eq!(told(allowed(), &[execute()]), Err("module-out-of-order"));
    for message in [command(), execute(), ("args", texts(&[])), ("may_fail", vec![0xf5])] {
        assert_eq!(told(allowed(), &[command(), execute(), message]), Err("module-out-of-order"));
    }
    assert_eq!(told(allowed(), &[("shell", vec![0xf6])]), Err("module-message-unknown"));
    for key in ["may_fail", "return_stdout", "return_stderr", "command", "sig"] {
        assert_eq!(told(allowed(), &[(key, vec![0xf6])]), Err("module-value-malformed"), "{key}");
    }
}

#[test]
fn limits_of_arguments_hold_at_the_limit_and_past_it() {
    let given = |arguments: &[&str]| told(allowed(), &[("args", texts(arguments))]).map(|_| ());
    let longest = "x".repeat(MAX_ARGUMENTS_LEN);
    assert_eq!(given(&[&longest]), Ok(()));
    assert_eq!(given(&[&longest, "y"]), Err("module-too-large"));
    assert_eq!(given(&[""; MAX_ARGUMENTS]), Ok(()));
    assert_eq!(given(&[""; MAX_ARGUMENTS + 1]), Err("module-too-large"));
    assert_eq!(given(&["a\0b"]), Err("module-refused"));
    for hex in ["81 01", "41 81", "42 80 00", "01", "f6 00"] {
        let told = told(allowed(), &[("args", testkit::hex(hex))]);
        assert_eq!(told, Err("module-value-malformed"), "{hex}");
    }
}

/// Fetches at the third time that it is asked.
struct Web {
    fetched: Vec<Fetch>,
    asked: u32,
    ends: FetchState,
}

impl Fetcher for &mut Web {
    fn start(&mut self, fetch: Fetch) {
        self.fetched.push(fetch);
    }

    fn poll(&mut self) -> FetchState {
        self.asked += 1;
        if self.asked < 3 { FetchState::Running } else { self.ends }
    }
}

#[test]
fn device_fetches_by_itself_and_tells_what_came_of_it() {
    let fetch = Fetch {
        url: "https://files.example/image".into(),
        name: Some("image".into()),
        sha384: Some([7; 48]),
    };
    let long: &'static str = "€".repeat(100).leak();
    for (ends, expected) in [
        (FetchState::Done(4096), Outcome::Done(4096)),
        (FetchState::Failed("no route"), Outcome::Failed(-1)),
        (FetchState::Failed(long), Outcome::Failed(-1)),
    ] {
        let mut web = Web { fetched: Vec::new(), asked: 0, ends };
        let module = Wget::new(&mut web, |fetch: &Fetch| fetch.url.starts_with("https://files.example/"));
        let program = program(vec![optional(Action::Wget(fetch.clone()))]);
        let ran = run(&program, vec![Box::new(module)], World::default(), (256, 256)).expect("goes on");
        assert_eq!(ran.outcomes, [expected]);
        assert_eq!(web.fetched, std::slice::from_ref(&fetch));
    }
    let mut web = Web { fetched: Vec::new(), asked: 0, ends: FetchState::Running };
    let program = program(vec![required(Action::Wget(fetch))]);
    let module = Wget::new(&mut web, |_: &Fetch| false);
    let ended = run(&program, vec![Box::new(module)], World::default(), (256, 256)).expect_err("ends");
    assert_eq!(ended, (Side::Device, ModuleFault::Refused.into()));
    assert!(web.fetched.is_empty());
}

#[test]
fn addresses_are_held_to_their_length_and_one_is_fetched_at_a_time() {
    let mut web = Web { fetched: Vec::new(), asked: 0, ends: FetchState::Running };
    let mut module = Wget::new(&mut web, |_: &Fetch| true);
    let mut tell = |message: &str, value: Vec<u8>| module.receive(message, &value, &mut Outgoing::new());
    assert_eq!(tell("url", text(&"u".repeat(MAX_URL_LEN + 1))), Err(ModuleFault::TooLarge));
    assert_eq!(tell("url", text("u\n")), Err(ModuleFault::Refused));
    assert_eq!(tell("sha-384", vec![0x40]), Err(ModuleFault::Malformed));
    assert_eq!(tell("length", vec![0]), Err(ModuleFault::MessageUnknown));
    assert_eq!(tell("url", text(&"u".repeat(MAX_URL_LEN))), Ok(()));
    assert_eq!(tell("url", text("u")), Err(ModuleFault::OutOfOrder));
    assert_eq!(module.name(), labels::WGET);
}
