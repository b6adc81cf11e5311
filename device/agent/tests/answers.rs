//! Answers of the update server: of now, whole, and its own.

mod common;

use common::{
    Bench, author, authorities, root,
    server::{FakeServer, Signing},
    update_server,
};
use suit::{UpdateProposal, UpdateScope};

#[test]
fn an_update_server_that_signs_its_answers_is_believed() {
    let bench = Bench::with_update_server_key(FakeServer::start());
    bench.server.state().signing = Signing::Good;
    bench.server.offer(&bench.release(1, 1000));
    let _agent = bench.run(&[]);
    let status = bench.wait_for_release(1);
    assert_eq!((status.answer_refusal, status.update_source_silent), (None, false));
}

#[test]
fn each_answer_that_is_not_the_servers_own_of_now_has_its_reason_and_moves_nothing() {
    for (signing, code) in [
        (Signing::None, "unsigned-update-answer"),
        (Signing::Forging, "bad-update-answer-signature"),
        (Signing::Misdirecting, "update-answer-for-another-device"),
        (Signing::Hiding, "update-answer-of-another-release"),
    ] {
        let bench = Bench::with_update_server_key(FakeServer::start());
        bench.server.state().signing = signing;
        bench.server.offer(&bench.release(1, 1000));
        let _agent = bench.run(&[]);
        let status = bench.wait_for("a refusal", |status| status.answer_refusal.is_some());
        assert_eq!(status.answer_refusal.as_deref(), Some(code), "{signing:?}");
        assert_eq!((status.installations, status.running), (0, None), "{signing:?}");
    }
}

#[test]
fn a_change_of_the_authorities_is_neither_kept_from_a_device_in_silence_nor_exchanged() {
    for signing in [Signing::Deaf, Signing::Stripping, Signing::Exchanging] {
        let bench = Bench::with_update_server_key(FakeServer::start());
        bench.server.state().signing = signing;
        let present = authorities(&author());
        let next = authorities(&update_server());
        let change = UpdateProposal::new(&present, next, UpdateScope::default()).unwrap();
        bench.server.state().authority_update = Some(("one".to_owned(), change.sign(&root(), b"root")));
        let _agent = bench.run(&[]);
        let status = bench.wait_for("a refusal", |status| status.answer_refusal.is_some());
        let code = Some("update-answer-of-other-authorities");
        assert_eq!(status.answer_refusal.as_deref(), code, "{signing:?}");
        assert_eq!((status.authorities_version, status.authority_refusal), (present.version(), None));
        bench.server.state().signing = Signing::Good;
        bench.wait_for("the change", |status| status.authorities_version == present.version() + 1);
    }
}

#[test]
fn yesterdays_answer_sent_again_is_told_and_so_is_the_silence_behind_it() {
    let bench = Bench::with_update_server_key(FakeServer::start());
    bench.server.state().signing = Signing::Good;
    bench.server.offer(&bench.release(1, 1000));
    let _agent = bench.run(&[]);
    bench.wait_for_release(1);
    // Somebody keeps the device at what was true when the release was the newest.
    bench.server.state().signing = Signing::Repeating;
    let status = bench.wait_for("an alarm", |status| status.update_source_silent);
    assert_eq!(status.answer_refusal.as_deref(), Some("stale-update-answer"));
    assert!(status.running.is_some_and(|running| running.sequence == 1), "what runs goes on");
    // The server itself is heard again.
    bench.server.state().signing = Signing::Good;
    bench.server.offer(&bench.release(2, 1000));
    bench.wait_for_release(2);
    bench.wait_for("the end of the alarm", |status| {
        !status.update_source_silent && status.answer_refusal.is_none()
    });
}

#[test]
fn a_silent_server_is_told_by_a_device_that_checks_no_signatures_as_well() {
    let bench = Bench::new();
    bench.server.offer(&bench.release(1, 1000));
    let _agent = bench.run(&[]);
    bench.wait_for_release(1);
    bench.server.state().silent = true;
    bench.wait_for("an alarm", |status| status.update_source_silent);
}
