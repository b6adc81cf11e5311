//! Devices without attestation and their files survive the process, and are verified again.

use std::path::Path;

use gateway::Mac;
use gateway::control::{Anchors, Journal, Saved, State, Target};
use gateway::manager::{Sources, Unattested};
use trust::Scope;

use crate::maker::{URL, announces, approval, authority, bring, came, digest, file, signed, sources, uses};
use crate::site::{Made, NOW, OPERATOR, address, admit, anchors, answer, key, listed, mac};

const PLUG: u8 = 100;

fn at(sources: Sources) -> Anchors {
    Anchors { sources, ..anchors() }
}

/// Writes what changed, as the controller does.
fn write(state: &mut State, directory: &Path) {
    let (journal, _before) = Journal::open(directory).unwrap();
    let changed = state.take_changed();
    for url in &changed.unattested.models {
        journal.put_model(&state.saved_model(url).unwrap()).unwrap();
    }
    for mac in &changed.unattested.devices {
        match state.saved_resident(*mac) {
            Some(resident) => journal.put_resident(&resident).unwrap(),
            None => journal.remove_resident(&mac.to_string()).unwrap(),
        }
    }
    journal.put_site(&state.saved_site()).unwrap();
}

fn read(directory: &Path) -> Saved {
    Journal::open(directory).unwrap().1
}

fn is_wide(state: &State, mac: Mac, now: i64) -> bool {
    matches!(state.assess(&Unattested::id(mac).unwrap(), now).target, Target::Release(_))
}

#[test]
fn a_restart_knows_devices_files_pins_and_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let (first, wider) = (
        file(URL, "2026-03-01T10:00:00Z", &[("203.0.113.10", 443)]),
        file(URL, "2026-04-01T10:00:00Z", &[("203.0.113.11", 443)]),
    );
    let mut state = State::new(at(sources()));
    state.heard(&announces(mac(PLUG), URL), NOW);
    state.heard(&uses(mac(PLUG), address(PLUG), NOW + 3600), NOW);
    bring(&mut state, URL, came(&first, Some(signed(&first))), NOW);
    bring(&mut state, URL, came(&wider, Some(signed(&wider))), NOW);
    let order = approval(1, Scope::Site, URL, &wider);
    let mut said = answer(&[], vec![]);
    said.overrides = vec![api::Base64Url(order.sign(&key(OPERATOR)))];
    for approved in [false, true] {
        if approved {
            state.take_in(&said, NOW);
            state.advance(NOW);
        }
        let before = state.assess(&Unattested::id(mac(PLUG)).unwrap(), NOW);
        write(&mut state, directory.path());
        let saved = read(directory.path());
        let mut again = State::restore(at(sources()), &saved, NOW + 1);
        again.advance(NOW + 1);
        let id = Unattested::id(mac(PLUG)).unwrap();
        assert_eq!(again.assess(&id, NOW), before);
        assert_eq!(again.place(&id), Some((mac(PLUG), vec![address(PLUG)])));
        let told = |state: &State| state.told_models(NOW);
        assert_eq!(told(&again), told(&state));
        let expected = if approved { &wider } else { &first };
        let in_force = again.told_models(NOW)[0].in_force.clone().unwrap().digest;
        assert_eq!(in_force, crate::site::text(digest(expected).as_bytes()));
        // Its signer's certificate ends, and the file stays; its lease does not.
        let late = State::restore(at(sources()), &saved, NOW + 3599);
        assert!(is_wide(&late, mac(PLUG), NOW + 3599));
        let later = State::restore(at(sources()), &saved, NOW + 3600);
        assert_eq!(later.place(&id), None);
        assert_eq!(told(&later)[0].url, URL);
        // Held against the same pin as before.
        let mut stranger = State::restore(at(sources()), &saved, NOW + 1);
        let narrow = file(URL, "2026-05-01T10:00:00Z", &[]);
        let signature = crate::maker::signed_by(&narrow, crate::maker::MAKER_CA, "CN=Somebody", NOW);
        bring(&mut stranger, URL, came(&narrow, Some(signature)), NOW + 1);
        assert_eq!(stranger.assess(&id, NOW + 1).target, before.target);
    }
}

#[test]
fn files_of_an_anchor_that_was_removed_are_believed_no_longer() {
    let directory = tempfile::tempdir().unwrap();
    let first = file(URL, "2026-03-01T10:00:00Z", &[("203.0.113.10", 443)]);
    let mut state = State::new(at(sources()));
    state.heard(&announces(mac(PLUG), URL), NOW);
    state.heard(&uses(mac(PLUG), address(PLUG), NOW + 3600), NOW);
    bring(&mut state, URL, came(&first, Some(signed(&first))), NOW);
    assert!(is_wide(&state, mac(PLUG), NOW));
    write(&mut state, directory.path());
    let saved = read(directory.path());
    let mut others = sources();
    others.announced.anchors = vec![authority(crate::maker::OTHER_CA, NOW)];
    let after = State::restore(at(others), &saved, NOW + 1);
    assert!(!is_wide(&after, mac(PLUG), NOW + 1));
    // Nor one that was written otherwise meanwhile.
    let mut edited = saved;
    let base = edited.models[0].base.as_mut().unwrap();
    base.file.0 =
        String::from_utf8(base.file.0.clone()).unwrap().replace("203.0.113.10", "203.0.113.66").into();
    let after = State::restore(at(sources()), &edited, NOW + 1);
    assert!(!is_wide(&after, mac(PLUG), NOW + 1));
}

#[test]
fn a_mac_address_that_attested_once_stays_so() {
    let directory = tempfile::tempdir().unwrap();
    let release = Made::of("1.0.0", 1);
    let mut state = State::new(at(sources()));
    state.take_in(&answer(&[&release], vec![listed(1, None)]), NOW);
    admit(&mut state, 1, &release, NOW);
    write(&mut state, directory.path());
    let mut saved = read(directory.path());
    // Even where the device itself is lost.
    saved.devices.clear();
    let mut after = State::restore(at(sources()), &saved, NOW + 1);
    after.heard(&announces(mac(1), URL), NOW + 1);
    after.heard(&uses(mac(1), address(1), NOW + 3600), NOW + 1);
    assert_eq!(after.place(&Unattested::id(mac(1)).unwrap()), None);
    assert_eq!(after.order(NOW + 1), None);
}
