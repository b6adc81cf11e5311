//! States of owners: of which program, in which form, and what changed ones can do.

use proptest::prelude::*;

use super::pair::*;
use crate::service_info::{modules::*, *};

fn all_actions() -> Vec<Action> {
    let order = Order { program: "/p".into(), wants_stdout: true, ..Order::default() };
    vec![
        Action::Download { content: ObjectId(1), name: "a".into() },
        Action::Upload { name: "log".into(), into: ObjectId(1), needs_hash: true, max_len: 5000 },
        Action::Command { order, stdout: Some(ObjectId(2)), stderr: None, max_output: 3 },
        Action::Wget(Fetch { url: "u".into(), name: None, sha384: None }),
        Action::Csr,
    ]
}

/// An owner that has begun its first step, for a device with every module.
fn begun(program: &Program) -> OwnerEngine<'_> {
    let mut out = Outgoing::new();
    let modules: Vec<_> = all_actions().iter().map(|action| action.module().to_string()).collect();
    let modules: Vec<_> = modules.iter().map(String::as_str).collect();
    this_device().send(&modules, &mut out).expect("short");
    let mut owner = OwnerEngine::new(program);
    let files = contents(&[(1, &[0; 5000])]).contents;
    let mut backend =
        Backend { contents: &files, sink: &mut Absent, issuer: &mut Absent, steps: &mut Absent };
    owner.receive(false, &out.take(), DEFAULT_BUDGET, &mut backend).expect("due");
    owner
}

/// Its state, where it may be with a value of the device that is not whole.
fn in_the_middle(program: &Program) -> Vec<u8> {
    let mut owner = begun(program);
    let action = &program.steps()[0].action;
    if !matches!(action, Action::Download { .. }) {
        let entry = KeyValue { module: action.module(), message: "data", value: &[0x44, 1, 2] };
        let mut backend =
            Backend { contents: &Absent, sink: &mut Absent, issuer: &mut Absent, steps: &mut Absent };
        owner.receive(true, &encode_list(&[entry]), DEFAULT_BUDGET, &mut backend).expect("due");
    }
    owner.to_bytes()
}

#[test]
fn states_are_of_one_program_and_one_form() {
    for action in all_actions() {
        let own = program(vec![required(action.clone())]);
        let state = in_the_middle(&own);
        let owner = OwnerEngine::from_bytes(&own, &state).expect("its own");
        assert_eq!(owner.to_bytes(), state);
        let other = Program::new(ProgramId([8; 16]), vec![required(action)]).expect("sound");
        assert_eq!(OwnerEngine::from_bytes(&other, &state).err(), Some(ServiceFault::State));
        for end in 0..state.len() {
            assert_eq!(OwnerEngine::from_bytes(&own, &state[..end]).err(), Some(ServiceFault::State));
        }
        let longer = [&state[..], &[0]].concat();
        assert_eq!(OwnerEngine::from_bytes(&own, &longer).err(), Some(ServiceFault::State));
        let mut newer = state;
        assert_eq!(newer[1], 1, "the version");
        newer[1] = 2;
        assert_eq!(OwnerEngine::from_bytes(&own, &newer).err(), Some(ServiceFault::State));
    }
}

#[test]
fn rounds_of_an_owner_end() {
    let program = program(vec![]);
    let state = OwnerEngine::new(&program).to_bytes();
    // Array, version, a string of 16 bytes; then the rounds.
    let (before, after) = (&state[..19], &state[20..]);
    assert_eq!(state[19], 0);
    let with = |rounds: u32| [before, &[0x1a], &rounds.to_be_bytes(), after].concat();
    let receive = |rounds| {
        let mut owner = OwnerEngine::from_bytes(&program, &with(rounds))?;
        let mut backend =
            Backend { contents: &Absent, sink: &mut Absent, issuer: &mut Absent, steps: &mut Absent };
        owner.receive(true, &[0x80], DEFAULT_BUDGET, &mut backend).map(|answer| answer.list)
    };
    assert_eq!(receive(MAX_ROUNDS - 1), Ok(vec![0x80]));
    assert_eq!(receive(MAX_ROUNDS), Err(ServiceFault::TooManyRounds));
    assert_eq!(receive(MAX_ROUNDS + 1), Err(ServiceFault::State));
}

#[test]
fn what_is_left_to_be_sent_is_bounded() {
    /// Sends one value of this length.
    struct Large(usize);
    impl CustomSteps for Large {
        fn advance(
            &mut self,
            _: ObjectId,
            state: &mut Vec<u8>,
            out: &mut Outgoing,
        ) -> Result<Advance, ServiceFault> {
            if state.is_empty() {
                state.push(1);
                out.send("m", "large", |w| _ = w.bytes(&vec![0; self.0]))?;
            }
            Ok(Advance::Wait)
        }
        fn receive(
            &mut self,
            _: ObjectId,
            _: &mut Vec<u8>,
            _: (&str, &[u8]),
            _: &mut Outgoing,
        ) -> Result<(), ServiceFault> {
            Ok(())
        }
    }
    let program = program(vec![required(Action::Custom { module: "m".into(), id: ObjectId(0) })]);
    let mut out = Outgoing::new();
    this_device().send(&["m"], &mut out).expect("short");
    let devmod = out.take();
    for (len, is_taken) in [(30_000, true), (40_000, false)] {
        let mut owner = OwnerEngine::new(&program);
        let mut steps = Large(len);
        let mut backend =
            Backend { contents: &Absent, sink: &mut Absent, issuer: &mut Absent, steps: &mut steps };
        let answer = owner.receive(false, &devmod, MIN_BUDGET, &mut backend);
        assert_eq!(answer.is_ok(), is_taken, "{len}");
        if is_taken {
            let state = owner.to_bytes();
            assert!(state.len() > len - MIN_BUDGET && OwnerEngine::from_bytes(&program, &state).is_ok());
        }
    }
}

#[test]
fn answers_that_wait_while_the_device_has_more_are_bounded() {
    struct Large;
    impl Issuer for Large {
        fn authorities(&mut self, _: CertificateFormat) -> Result<Vec<u8>, CsrError> {
            Ok(vec![0; 12_000])
        }
        fn issue(&mut self, _: &[u8]) -> Result<Vec<u8>, CsrError> {
            Err(CsrError::NotSupported)
        }
    }
    let program = program(vec![required(Action::Csr)]);
    let asked = KeyValue { module: "fdo.csr", message: "cacerts-req", value: &[0x19, 0x01, 0x19] };
    for (count, is_taken) in [(2, true), (3, false)] {
        let mut owner = begun(&program);
        let mut backend =
            Backend { contents: &Absent, sink: &mut Absent, issuer: &mut Large, steps: &mut Absent };
        let answer = owner.receive(true, &encode_list(&vec![asked; count]), MIN_BUDGET, &mut backend);
        assert_eq!(answer.is_ok(), is_taken, "{count}");
        let left = owner.to_bytes();
        assert!(!is_taken || left.len() < MAX_STATE_LEN && OwnerEngine::from_bytes(&program, &left).is_ok());
    }
}

proptest! {
    #[test]
    fn changed_states_never_panic(
        which in 0..5usize,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        list in prop_oneof![Just(vec![0x80]), proptest::collection::vec(any::<u8>(), 0..60)],
        is_more in any::<bool>(),
    ) {
        let program = program(vec![required(all_actions().remove(which)), optional(Action::Csr)]);
        let mut state = in_the_middle(&program);
        for (at, byte) in changes {
            let at = at.index(state.len());
            state[at] = byte;
        }
        let Ok(mut owner) = OwnerEngine::from_bytes(&program, &state) else { return Ok(()) };
        let files = contents(&[(1, &[0; 5000])]).contents;
        let mut backend = Backend {
            contents: &files,
            sink: &mut Devoid,
            issuer: &mut Absent,
            steps: &mut Absent,
        };
        if let Ok(answer) = owner.receive(is_more, &list, MIN_BUDGET, &mut backend) {
            prop_assert!(answer.list.len() <= MIN_BUDGET);
            prop_assert!(OwnerEngine::from_bytes(&program, &owner.to_bytes()).is_ok());
        }
    }
}

/// Takes everything and keeps nothing: changed states name offsets beyond any memory.
struct Devoid;

impl Sink for Devoid {
    fn write_at(&mut self, _: ObjectId, _: u64, _: &[u8]) -> Result<(), BackendFault> {
        Ok(())
    }

    fn sha384(&mut self, _: ObjectId, _: u64) -> Result<[u8; 48], BackendFault> {
        Err(BackendFault)
    }

    fn finish(&mut self, _: ObjectId, _: u64) -> Result<(), BackendFault> {
        Ok(())
    }
}
