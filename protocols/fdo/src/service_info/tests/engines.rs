//! Turns, activation, and programs of several steps.

use cbor::{Reader, Writer};
use proptest::prelude::*;

use super::pair::*;
use crate::service_info::{labels, modules::*, *};

/// A module that sends each number up to one that it is told, and an owner that adds them up.
struct Counter {
    next: u64,
    until: u64,
}

const COUNTER: &str = "example.counter";

impl DeviceModule for Counter {
    fn name(&self) -> &str {
        COUNTER
    }

    fn receive(&mut self, message: &str, value: &[u8], _: &mut Outgoing) -> Result<(), ModuleFault> {
        match message {
            "until" => self.until = Reader::new(value).uint()?,
            _ => return Err(ModuleFault::MessageUnknown),
        }
        Ok(())
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        while self.next < self.until && out.space(COUNTER, "number") > 20 {
            self.next += 1;
            let next = self.next;
            out.send(COUNTER, "number", |w| _ = w.uint(next))?;
        }
        Ok(if self.next < self.until { Activity::Busy } else { Activity::Idle })
    }
}

struct Sum {
    until: u64,
    /// Makes the state this much longer.
    ballast: usize,
}

impl CustomSteps for Sum {
    fn advance(
        &mut self,
        id: ObjectId,
        state: &mut Vec<u8>,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault> {
        assert_eq!(id, ObjectId(9));
        if state.is_empty() {
            let until = self.until;
            out.send(COUNTER, "until", |w| _ = w.uint(until))?;
            *state = vec![0; 16 + self.ballast];
        }
        let (seen, sum) = Self::read(state);
        let is_over = seen == self.until;
        Ok(if is_over { Advance::Done(Outcome::Done(sum as i64)) } else { Advance::Wait })
    }

    fn receive(
        &mut self,
        _: ObjectId,
        state: &mut Vec<u8>,
        (message, value): (&str, &[u8]),
        _: &mut Outgoing,
    ) -> Result<(), ServiceFault> {
        assert_eq!(message, "number");
        let (seen, sum) = Self::read(state);
        let number = Reader::new(value).uint()?;
        state[..8].copy_from_slice(&(seen + 1).to_be_bytes());
        state[8..16].copy_from_slice(&(sum + number).to_be_bytes());
        Ok(())
    }
}

impl Sum {
    fn read(state: &[u8]) -> (u64, u64) {
        let number = |at: usize| u64::from_be_bytes(state[at..at + 8].try_into().unwrap());
        (number(0), number(8))
    }
}

fn custom() -> Action {
    Action::Custom { module: COUNTER.into(), id: ObjectId(9) }
}

fn download(content: u64, name: &str) -> Action {
    Action::Download { content: ObjectId(content), name: name.into() }
}

#[test]
fn steps_of_the_caller_run_like_others() {
    for budget in BUDGETS {
        let world = World { steps: Some(Box::new(Sum { until: 1000, ballast: 0 })), ..World::default() };
        let module = Box::new(Counter { next: 0, until: 0 });
        let program = program(vec![required(custom())]);
        let ran = run(&program, vec![module], world, (256, budget)).expect("succeeds");
        assert_eq!(ran.outcomes, [Outcome::Done(500_500)]);
    }
}

#[test]
fn state_of_a_step_of_the_caller_is_bounded() {
    for (ballast, is_taken) in [(MAX_CUSTOM_STATE_LEN - 16, true), (MAX_CUSTOM_STATE_LEN - 15, false)] {
        let world = World { steps: Some(Box::new(Sum { until: 3, ballast })), ..World::default() };
        let module = Box::new(Counter { next: 0, until: 0 });
        let program = program(vec![required(custom())]);
        let ran = run(&program, vec![module], world, (256, 256)).map(|_| ());
        let refused = (Side::Owner, ServiceFault::TooLarge { limit: MAX_CUSTOM_STATE_LEN });
        assert_eq!(ran, if is_taken { Ok(()) } else { Err(refused) });
    }
}

#[test]
fn owner_without_steps_learns_what_the_device_is_and_is_done() {
    let counter = || -> Vec<Box<dyn DeviceModule>> { vec![Box::new(Counter { next: 0, until: 0 })] };
    for (budget, rounds) in [(MIN_BUDGET, 2), (DEFAULT_BUDGET, 1)] {
        let ran = run(&program(vec![]), counter(), World::default(), (256, budget)).expect("succeeds");
        assert_eq!(ran.devmod, Devmod { modules: vec![COUNTER.into()], ..this_device() });
        assert_eq!(ran.rounds, rounds, "{budget}");
    }
}

#[test]
fn what_a_device_lacks_is_skipped_or_ends_the_protocol() {
    let steps = |required| {
        let lacks = Step { action: Action::Csr, required };
        program(vec![lacks, self::required(download(1, "a"))])
    };
    let folder = Folder::default();
    let module = || Box::new(Download::new(folder.clone(), |_: &str| true, 10));
    let ran = run(&steps(false), vec![module()], contents(&[(1, b"abc")]), (256, 256)).expect("goes on");
    assert_eq!(ran.outcomes, [Outcome::Skipped, Outcome::Done(3)]);
    let ended = run(&steps(true), vec![module()], contents(&[(1, b"abc")]), (256, 256)).expect_err("ends");
    assert_eq!(ended, (Side::Owner, ServiceFault::ModuleMissing));
}

/// A device at its first turn after it said what it is, with these modules.
fn ready<'m>(modules: Vec<Box<dyn DeviceModule + 'm>>) -> DeviceEngine<'m> {
    let mut device = DeviceEngine::new(&this_device(), modules).expect("sound");
    let (is_more, _) = device.next(DEFAULT_BUDGET).expect("its turn");
    assert!(!is_more);
    device
}

fn list(entries: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> =
        entries.iter().map(|(module, message, value)| KeyValue { module, message, value }).collect();
    encode_list(&entries)
}

const TRUE: &[u8] = &[0xf5];
const FALSE: &[u8] = &[0xf4];

#[test]
fn device_says_whether_it_has_a_module_even_when_the_owner_is_done() {
    let mut device = ready(vec![Box::new(Counter { next: 0, until: 0 })]);
    let asked = [("fdo.sys", "active", TRUE), (COUNTER, "active", TRUE), (COUNTER, "active", FALSE)];
    device.receive(false, true, &list(&asked)).expect("allowed");
    assert!(!device.is_finished(), "it has something to tell");
    let (is_more, told) = device.next(DEFAULT_BUDGET).expect("its turn");
    let expected = [("fdo.sys", "active", FALSE), (COUNTER, "active", TRUE), (COUNTER, "active", FALSE)];
    assert_eq!((is_more, told), (false, list(&expected)));
    assert!(!device.is_finished(), "it awaits the answer");
    device.receive(false, true, &[0x80]).expect("allowed");
    assert!(device.is_finished());
    assert_eq!(device.next(DEFAULT_BUDGET), Err(ServiceFault::OutOfTurn));
}

#[test]
fn module_that_does_not_answer_to_being_used_ends_its_step() {
    // A device that lists a module and then says that it is not there.
    let program = program(vec![optional(download(1, "a"))]);
    let mut owner = OwnerEngine::new(&program);
    let files = contents(&[(1, b"abc")]).contents;
    let mut receive = |list: &[u8]| {
        let mut backend =
            Backend { contents: &files, sink: &mut Absent, issuer: &mut Absent, steps: &mut Absent };
        owner.receive(false, list, DEFAULT_BUDGET, &mut backend)
    };
    let mut out = Outgoing::new();
    this_device().send(&[labels::DOWNLOAD], &mut out).unwrap();
    let first = receive(&out.take()).expect("due");
    assert!(!first.is_done);
    let answer = receive(&list(&[(labels::DOWNLOAD, "active", FALSE)])).expect("due");
    assert!(answer.is_done && answer.list == [0x80]);
    // What comes late is passed over, and the owner stays done.
    let answer = receive(&list(&[(labels::DOWNLOAD, "done", &[3])])).expect("due");
    assert!(answer.is_done);
    assert_eq!(owner.outcomes(), [Outcome::Skipped]);
}

#[test]
fn while_the_owner_has_more_the_device_sends_nothing() {
    let mut device = ready(vec![Box::new(Counter { next: 0, until: 5 })]);
    device.receive(true, false, &list(&[(COUNTER, "active", TRUE)])).expect("allowed");
    assert_eq!(device.next(DEFAULT_BUDGET), Ok((false, vec![0x80])));
    device.receive(true, false, &[0x80]).expect("allowed");
    assert_eq!(device.next(DEFAULT_BUDGET), Ok((false, vec![0x80])));
    device.receive(false, false, &[0x80]).expect("allowed");
    let (_, told) = device.next(DEFAULT_BUDGET).expect("its turn");
    assert_eq!(decode_list(&told).map(|entries| entries.len()), Ok(6));
}

#[test]
fn value_of_the_owner_may_go_on_in_the_next_message() {
    let mut device = ready(vec![Box::new(Counter { next: 0, until: 0 })]);
    let begun = list(&[(COUNTER, "active", TRUE), (COUNTER, "until", &[0x19])]);
    device.receive(true, false, &begun).expect("allowed");
    assert_eq!(device.next(DEFAULT_BUDGET), Ok((false, vec![0x80])));
    device.receive(false, false, &list(&[(COUNTER, "until", &[0, 3])])).expect("allowed");
    let (_, told) = device.next(DEFAULT_BUDGET).expect("its turn");
    assert_eq!(decode_list(&told).map(|entries| entries.len()), Ok(4));
}

#[test]
fn rounds_end() {
    let mut device = DeviceEngine::new(&this_device(), vec![]).expect("sound");
    for _ in 0..MAX_ROUNDS {
        device.next(DEFAULT_BUDGET).expect("its turn");
        device.receive(false, false, &[0x80]).expect("allowed");
    }
    assert_eq!(device.next(DEFAULT_BUDGET), Err(ServiceFault::TooManyRounds));
}

#[test]
fn sets_of_modules_are_held_to_their_names() {
    struct Named(String);
    impl DeviceModule for Named {
        fn name(&self) -> &str {
            &self.0
        }
        fn receive(&mut self, _: &str, _: &[u8], _: &mut Outgoing) -> Result<(), ModuleFault> {
            Ok(())
        }
        fn poll(&mut self, _: &mut Outgoing) -> Result<Activity, ModuleFault> {
            Ok(Activity::Idle)
        }
    }
    let made = |names: &[&str]| {
        let modules = names.iter().map(|name| Box::new(Named(name.to_string())) as Box<dyn DeviceModule>);
        DeviceEngine::new(&this_device(), modules.collect()).err().map(|fault| fault.code())
    };
    let longest = "n".repeat(MAX_NAME_LEN);
    assert_eq!(made(&["a", "b", &longest]), None);
    for names in [&["a", "b", "a"][..], &["devmod"], &[""], &["a:b"], &[&"n".repeat(MAX_NAME_LEN + 1)]] {
        assert_eq!(made(names), Some("service-info-misuse"), "{names:?}");
    }
    let many: Vec<_> = (0..=MAX_MODULES).map(|index| format!("{index:064}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(made(&many[..MAX_MODULES]), None);
    assert_eq!(made(&many), Some("service-info-misuse"));
    // All of them reach the owner, in lists of the shortest kind.
    let modules =
        many[..MAX_MODULES].iter().map(|name| Box::new(Named(name.to_string())) as Box<dyn DeviceModule>);
    let ran = run(&program(vec![]), modules.collect(), World::default(), (256, 256)).expect("succeeds");
    assert_eq!(ran.devmod.modules, many[..MAX_MODULES]);
}

#[test]
fn programs_beyond_what_devices_take_are_the_callers_mistake() {
    let made =
        |action: Action| Program::new(ProgramId([0; 16]), vec![required(action)]).err().map(|f| f.code());
    let order = |program: &str, arguments: usize, wants_stdout| Order {
        program: program.into(),
        arguments: vec![String::new(); arguments],
        wants_stdout,
        ..Order::default()
    };
    let command = |order: Order, stdout| Action::Command { order, stdout, stderr: None, max_output: 0 };
    let wget = |url: usize| Action::Wget(Fetch { url: "u".repeat(url), name: None, sha384: None });
    let other = |module: &str| Action::Custom { module: module.into(), id: ObjectId(0) };
    for action in [
        download(1, "a"),
        command(order("/p", MAX_ARGUMENTS, false), None),
        command(order("/p", 0, true), Some(ObjectId(1))),
        wget(MAX_URL_LEN),
        other("example.m"),
        Action::Csr,
    ] {
        assert_eq!(made(action.clone()), None, "{action:?}");
    }
    for action in [
        download(1, "../a"),
        command(order("", 0, false), None),
        command(order("/p", MAX_ARGUMENTS + 1, false), None),
        command(order("/p", 0, true), None),
        wget(MAX_URL_LEN + 1),
        other("devmod"),
        other("a:b"),
    ] {
        assert_eq!(made(action.clone()), Some("service-info-misuse"), "{action:?}");
    }
    let steps = |count| Program::new(ProgramId([0; 16]), vec![required(Action::Csr); count]).is_ok();
    assert!(steps(MAX_STEPS) && !steps(MAX_STEPS + 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn programs_of_many_steps_end_the_same_in_lists_of_any_length(
        files in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 1..5),
        log in proptest::collection::vec(any::<u8>(), 0..3000),
        budgets in (MIN_BUDGET..4000, MIN_BUDGET..4000),
        lacks_upload in any::<bool>(),
    ) {
        let mut steps: Vec<_> =
            (0..files.len()).map(|index| required(download(index as u64, &index.to_string()))).collect();
        let upload = Action::Upload { name: "log".into(), into: ObjectId(5), needs_hash: true, max_len: 3000 };
        steps.insert(1, optional(upload));
        steps.push(required(custom()));
        let folder = Folder::default();
        let mut modules: Vec<Box<dyn DeviceModule>> = vec![
            Box::new(Download::new(folder.clone(), |_: &str| true, 3000)),
            Box::new(Counter { next: 0, until: 0 }),
        ];
        if !lacks_upload {
            modules.push(Box::new(Upload::new(Folder::with(&[("log", &log)]), |_: &str| true, 3000)));
        }
        let named: Vec<_> = files.iter().enumerate().map(|(id, bytes)| (id as u64, &bytes[..])).collect();
        let world = World { steps: Some(Box::new(Sum { until: 40, ballast: 0 })), ..contents(&named) };
        let ran = run(&program(steps), modules, world, budgets).expect("succeeds");
        for (index, file) in files.iter().enumerate() {
            prop_assert_eq!(&folder.file(&index.to_string()), &Some(file.clone()));
        }
        prop_assert_eq!(ran.outcomes.len(), files.len() + 2);
        prop_assert_eq!(ran.outcomes[1] == Outcome::Skipped, lacks_upload);
        if !lacks_upload {
            prop_assert_eq!(ran.sink.files.get(&5).cloned().unwrap_or_default(), log);
        }
    }
}

#[test]
fn value_is_one_item() {
    let mut device = ready(vec![Box::new(Counter { next: 0, until: 0 })]);
    let number = Writer::encode(|w| _ = w.uint(1));
    let fault = device.receive(false, false, &list(&[(COUNTER, "active", &number)])).expect_err("no flag");
    assert_eq!(fault.code(), "module-value-malformed");
}
