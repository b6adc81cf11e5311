//! Everything that either engine refuses, by its code.

use super::pair::*;
use crate::service_info::{labels, modules::*, *};

const TRUE: &[u8] = &[0xf5];

type Entry<'a> = (&'a str, &'a str, &'a [u8]);

fn list(entries: &[Entry<'_>]) -> Vec<u8> {
    let entries: Vec<_> =
        entries.iter().map(|(module, message, value)| KeyValue { module, message, value }).collect();
    encode_list(&entries)
}

/// A device with one module that has said what it is.
fn device() -> DeviceEngine<'static> {
    let module = Download::new(Folder::default(), |_: &str| true, 100);
    let mut device = DeviceEngine::new(&this_device(), vec![Box::new(module)]).expect("sound");
    assert_eq!(device.next(DEFAULT_BUDGET).map(|(is_more, _)| is_more), Ok(false));
    device
}

#[test]
fn device_refuses_by_code() {
    let active: Entry<'_> = (labels::DOWNLOAD, "active", TRUE);
    let rows: [(&str, bool, bool, Vec<u8>, &str); 12] = [
        ("more and done", true, true, list(&[]), "service-info-out-of-turn"),
        ("no list", false, false, vec![0xf6], "service-info-malformed"),
        ("no key", false, false, testkit::hex("81 82 61 61 41 f5"), "service-info-key"),
        (
            "a module that is not there",
            false,
            false,
            list(&[("fdo.command", "command", &[0x61, 97])]),
            "module-unknown",
        ),
        (
            "a module that is not in use",
            false,
            false,
            list(&[(labels::DOWNLOAD, "name", &[0x61, 97])]),
            "module-not-active",
        ),
        (
            "a module that is in use no more",
            false,
            false,
            list(&[active, (labels::DOWNLOAD, "active", &[0xf4]), (labels::DOWNLOAD, "name", &[0x61, 97])]),
            "module-not-active",
        ),
        (
            "use that is no flag",
            false,
            false,
            list(&[(labels::DOWNLOAD, "active", &[1])]),
            "module-value-malformed",
        ),
        (
            "no item",
            false,
            false,
            list(&[active, (labels::DOWNLOAD, "name", &[0xff])]),
            "service-info-malformed",
        ),
        (
            "another key in between",
            false,
            false,
            list(&[(labels::DOWNLOAD, "name", &[0x62, 97]), active]),
            "service-info-interrupted",
        ),
        (
            "an item that never ends",
            false,
            true,
            list(&[(labels::DOWNLOAD, "name", &[0x62, 97])]),
            "service-info-interrupted",
        ),
        (
            "a message that is not known",
            false,
            false,
            list(&[active, (labels::DOWNLOAD, "x", &[0])]),
            "module-message-unknown",
        ),
        (
            "a path",
            false,
            false,
            list(&[active, (labels::DOWNLOAD, "name", b"\x6b/etc/shadow")]),
            "module-refused",
        ),
    ];
    for (what, is_more, is_done, list, code) in rows {
        let fault = device().receive(is_more, is_done, &list).expect_err(what);
        assert_eq!(fault.code(), code, "{what}");
    }
}

#[test]
fn device_takes_messages_in_turn_only() {
    let mut device = device();
    assert_eq!(device.next(DEFAULT_BUDGET), Err(ServiceFault::OutOfTurn));
    device.receive(false, false, &[0x80]).expect("due");
    assert_eq!(device.receive(false, false, &[0x80]), Err(ServiceFault::OutOfTurn));
    assert_eq!(device.next(MIN_BUDGET - 1), Err(ServiceFault::Budget));
    // While the device has more, the owner says nothing.
    for (is_more, list, is_due) in [
        (false, &[0x80][..], true),
        (true, &[0x80], false),
        (false, &list(&[("fdo.x", "active", TRUE)]), false),
    ] {
        let mut device = DeviceEngine::new(&this_device(), vec![]).expect("sound");
        assert_eq!(device.next(MIN_BUDGET).map(|(is_more, _)| is_more), Ok(true));
        assert_eq!(device.receive(is_more, false, list).is_ok(), is_due);
    }
}

#[test]
fn more_than_the_queue_holds_is_refused() {
    // Each of them is answered.
    let name = "m".repeat(64);
    let many: Vec<Entry<'_>> = vec![(&name, "active", TRUE); 800];
    let mut device = device();
    device.receive(true, false, &list(&many)).expect("due");
    assert_eq!(device.next(DEFAULT_BUDGET), Ok((false, vec![0x80])));
    let fault = device.receive(true, false, &list(&many)).and_then(|()| {
        device.next(DEFAULT_BUDGET)?;
        device.receive(true, false, &list(&many))
    });
    assert_eq!(fault, Err(ModuleFault::QueueFull.into()));
}

/// What the device says first.
fn devmod(modules: &[&str]) -> Vec<u8> {
    let mut out = Outgoing::new();
    this_device().send(modules, &mut out).expect("short");
    out.take()
}

/// An owner at work on one step, after the device said what it is.
fn owner(program: &Program) -> OwnerEngine<'_> {
    let mut owner = OwnerEngine::new(program);
    let first = devmod(&[labels::UPLOAD, labels::DOWNLOAD, labels::COMMAND, labels::CSR, labels::WGET]);
    tell(&mut owner, false, &first).expect("due");
    owner
}

fn tell(owner: &mut OwnerEngine<'_>, is_more: bool, list: &[u8]) -> Result<Answer, ServiceFault> {
    let files = contents(&[(1, b"abc")]).contents;
    let mut sink = Files::default();
    let mut backend = Backend { contents: &files, sink: &mut sink, issuer: &mut Absent, steps: &mut Absent };
    owner.receive(is_more, list, DEFAULT_BUDGET, &mut backend)
}

#[test]
fn owner_refuses_by_code() {
    let upload = Action::Upload { name: "log".into(), into: ObjectId(1), needs_hash: true, max_len: 5 };
    let order = Order { program: "/p".into(), ..Order::default() };
    let command = Action::Command { order, stdout: None, stderr: None, max_output: 3 };
    let download = Action::Download { content: ObjectId(1), name: "a".into() };
    let wget = Action::Wget(Fetch { url: "u".into(), name: None, sha384: None });
    let hash = [&[0x58, 48][..], &[0; 48]].concat();
    let (up, cmd, down) = (labels::UPLOAD, labels::COMMAND, labels::DOWNLOAD);
    let rows: [(&Action, Vec<Entry<'_>>, &str); 21] = [
        (&upload, vec![(up, "length", &[6])], "module-too-large"),
        (&upload, vec![(up, "data", &[0x46, 1, 2, 3, 4, 5, 6])], "module-too-large"),
        (&upload, vec![(up, "length", &[1]), (up, "data", &[0x42, 1, 2])], "module-too-large"),
        (&upload, vec![(up, "data", &[0x42, 1, 2]), (up, "length", &[1])], "module-too-large"),
        (&upload, vec![(up, "length", &[1]), (up, "length", &[1])], "module-out-of-order"),
        (&upload, vec![(up, "sha-384", &hash), (up, "sha-384", &hash)], "module-out-of-order"),
        (&upload, vec![(up, "sha-384", &[0x40])], "module-value-malformed"),
        (&upload, vec![(up, "name", &[0x60])], "module-message-unknown"),
        (
            &upload,
            vec![(up, "length", &[1]), (up, "data", &[0x41, 1]), (up, "sha-384", &hash)],
            "step-failed",
        ),
        (&upload, vec![(up, "active", &[0xf4])], "module-missing"),
        (&upload, vec![(up, "active", &[0])], "module-value-malformed"),
        (&upload, vec![(down, "done", &[0])], "module-not-active"),
        (&upload, vec![("devmod", "os", &[0x60])], "service-info-out-of-turn"),
        (&command, vec![(cmd, "stdout", &[0x44, 1, 2, 3, 4])], "module-too-large"),
        (&command, vec![(cmd, "exitcode", &[0xf6])], "module-value-malformed"),
        (&command, vec![(cmd, "exitcode", &[0]), (cmd, "exitcode", &[0])], "module-out-of-order"),
        (&command, vec![(cmd, "exitcode", &[1])], "step-failed"),
        (&download, vec![(down, "done", &[2])], "step-failed"),
        (&download, vec![(down, "data", &[0x40])], "module-message-unknown"),
        (&wget, vec![(labels::WGET, "error", &[0x61, 97])], "step-failed"),
        (&wget, vec![(labels::WGET, "done", &[0x60])], "module-value-malformed"),
    ];
    for (action, entries, code) in rows {
        let program = program(vec![required(action.clone())]);
        let fault = tell(&mut owner(&program), false, &list(&entries)).expect_err(code);
        assert_eq!(fault.code(), code, "{entries:?}");
    }
    let program = program(vec![required(Action::Csr)]);
    let rows: [(Entry<'_>, Result<bool, &str>); 4] = [
        ((labels::CSR, "serverkeygen-req", &[0x60]), Ok(false)),
        ((labels::CSR, "cacerts-req", &[0x18, 200]), Ok(false)),
        ((labels::CSR, "simpleenroll-req", &[0x60]), Err("step-failed")),
        ((labels::CSR, "error", &[1]), Err("module-message-unknown")),
    ];
    for (entry, expected) in rows {
        let answer = tell(&mut owner(&program), false, &list(&[entry]));
        assert_eq!(answer.map(|answer| answer.is_done).map_err(|fault| fault.code()), expected, "{entry:?}");
    }
}

#[test]
fn owner_hears_first_what_the_device_is() {
    let empty = program(vec![]);
    for (is_more, list) in [
        (false, list(&[])),
        (true, list(&[(labels::DOWNLOAD, "active", TRUE)])),
        (false, list(&[("devmod", "active", &[0xf4])])),
    ] {
        let fault = tell(&mut OwnerEngine::new(&empty), is_more, &list).expect_err("not first");
        assert_eq!(fault, ServiceFault::DevmodMissing);
    }
}

#[test]
fn while_the_owner_has_more_the_device_may_say_nothing() {
    let order = Order { program: "/p".into(), arguments: vec!["x".repeat(3000)], ..Order::default() };
    let action = Action::Command { order, stdout: None, stderr: None, max_output: 0 };
    let long = program(vec![required(action)]);
    let files = Absent;
    for (is_more, list, is_due) in
        [(false, list(&[]), true), (true, list(&[]), false), (false, list(&[("m", "active", TRUE)]), false)]
    {
        let mut owner = OwnerEngine::new(&long);
        let mut receive = |is_more, list: &[u8], budget| {
            let mut backend =
                Backend { contents: &files, sink: &mut Absent, issuer: &mut Absent, steps: &mut Absent };
            owner.receive(is_more, list, budget, &mut backend)
        };
        let answer = receive(false, &devmod(&[labels::COMMAND]), DEFAULT_BUDGET).expect("due");
        assert!(answer.is_more);
        let answer = receive(is_more, &list, DEFAULT_BUDGET);
        assert_eq!(
            answer.map(|answer| answer.is_more),
            if is_due { Ok(true) } else { Err(ServiceFault::OutOfTurn) }
        );
    }
    let mut owner = OwnerEngine::new(&long);
    let mut backend =
        Backend { contents: &files, sink: &mut Absent, issuer: &mut Absent, steps: &mut Absent };
    assert_eq!(owner.receive(false, &[0x80], MAX_BUDGET + 1, &mut backend), Err(ServiceFault::Budget));
}

#[test]
fn every_fault_has_a_code_of_its_own_and_words() {
    let modules = [
        ModuleFault::MessageUnknown,
        ModuleFault::Malformed,
        ModuleFault::OutOfOrder,
        ModuleFault::TooLarge,
        ModuleFault::Refused,
        ModuleFault::Failed,
        ModuleFault::QueueFull,
    ];
    let others = [
        ServiceFault::Malformed(cbor::Error::new(0, cbor::Reason::Truncated)),
        ServiceFault::TooLarge { limit: 1 },
        ServiceFault::Key,
        ServiceFault::Interrupted,
        ServiceFault::OutOfTurn,
        ServiceFault::TooManyRounds,
        ServiceFault::ModuleUnknown,
        ServiceFault::ModuleNotActive,
        ServiceFault::DevmodMissing,
        ServiceFault::ModuleMissing,
        ServiceFault::StepFailed,
        ServiceFault::Backend,
        ServiceFault::Budget,
        ServiceFault::State,
        ServiceFault::Misuse("of the caller"),
    ];
    let all: Vec<ServiceFault> = modules.into_iter().map(ServiceFault::Module).chain(others).collect();
    let codes: std::collections::BTreeSet<_> = all.iter().map(ServiceFault::code).collect();
    assert_eq!(codes.len(), all.len());
    assert!(codes.iter().all(|code| code.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
    assert!(all.iter().all(|fault| !fault.to_string().is_empty()));
}
