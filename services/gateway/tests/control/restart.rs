//! What survives the process.

use std::fs;

use api::Base64Url;
use gateway::control::{Anchors, Journal, Saved, SavedName, SavedPolicy, StartError, State, Target};
use suit::AuthorityList;
use trust::Effect;

use crate::site::{
    Finding, Made, NOW, OPERATOR, STRANGER, address, admit, anchors, answer, certificate, codes, id, is_wide,
    key, listed, mac, order, text,
};

/// A site with two devices, an override and a revoked release, and what the journal makes of it.
fn saved(release: &Made, revoked: &Made) -> (State, Saved) {
    let mut state = State::new(anchors());
    admit(&mut state, 1, release, NOW);
    admit(&mut state, 2, release, NOW);
    let mut said =
        answer(&[release], vec![listed(1, None), listed(2, Some(&Finding::bad(2).at(NOW + 1).signed()))]);
    said.revoked = vec![text(revoked.digest.as_bytes())];
    let ignore = Effect::Ignore { acl: "fr".into(), ace: "none".into() };
    said.overrides = vec![Base64Url(order(1, ignore).sign(&key(OPERATOR)))];
    state.take_in(&said, NOW + 1);

    let directory = tempfile::tempdir().unwrap();
    let (journal, empty) = Journal::open(directory.path()).unwrap();
    assert_eq!(empty, Saved::default());
    let changed = state.take_changed();
    for release in &changed.releases {
        journal.put_release(&text(release.as_bytes()), &state.saved_release(release).unwrap()).unwrap();
    }
    for device in &changed.devices {
        journal.put_device(&state.saved_device(device).unwrap()).unwrap();
    }
    assert!(changed.site);
    journal.put_site(&state.saved_site()).unwrap();
    drop(journal);
    let (_journal, saved) = Journal::open(directory.path()).unwrap();
    (state, saved)
}

#[test]
fn a_restart_decides_as_before() {
    let (release, revoked) = (Made::of("1.0.0", 1), Made::of("0.9.0", 9));
    let (before, saved) = saved(&release, &revoked);
    let after = State::restore(anchors(), &saved, NOW + 2);
    for now in [NOW + 2, NOW + 299, NOW + 300, NOW + 4000] {
        for device in [1, 2] {
            assert_eq!(
                after.assess(&id(device), now),
                before.assess(&id(device), now),
                "device {device} at {now}"
            );
        }
        assert_eq!(after.baselines(now), before.baselines(now));
    }
    assert!(is_wide(&after.assess(&id(1), NOW + 2)) && !is_wide(&after.assess(&id(2), NOW + 2)));
    assert_eq!(after.place(&id(1)).unwrap(), (mac(1), vec![address(1)]));
    assert_eq!(after.holder(address(2)), Some(&id(2)));

    // The key stays pinned, and what was revoked stays revoked.
    let mut after = after;
    let cloned = Finding { key: Some(STRANGER), ..Finding::good(1, &release) }.at(NOW + 3).signed();
    let shown = gateway::control::attested(&cloned, &after.anchors().keys, NOW + 3).unwrap();
    assert!(after.admit(shown, mac(3), address(3), NOW + 3).is_err());
    after.take_in(&answer(&[&revoked], vec![]), NOW + 3);
    assert!(after.baselines(NOW + 3).iter().all(|key| key.release() != Some(&revoked.digest)));
}

#[test]
fn an_anchor_that_was_removed_is_believed_no_longer() {
    let (release, revoked) = (Made::of("1.0.0", 1), Made::of("0.9.0", 9));
    let (_state, saved) = saved(&release, &revoked);
    let no_author = || {
        let mut anchors = anchors();
        anchors.releases.authorities = AuthorityList::with_default_policy(vec![suit::Authority::new(
            key(STRANGER).public_key().clone(),
            b"author",
            "another",
            suit::Role::Author,
        )])
        .unwrap();
        anchors
    };
    let other_issuer = || {
        let mut anchors = anchors();
        anchors.releases.mud_issuers = vec![certificate(STRANGER, NOW)];
        anchors
    };
    let no_verifier = || Anchors { keys: cose::TrustAnchors::default(), ..anchors() };
    for (name, anchors) in
        [("author", no_author()), ("MUD issuer", other_issuer()), ("verifier", no_verifier())]
    {
        let state = State::restore(anchors, &saved, NOW + 2);
        assert_eq!(
            state.assess(&id(1), NOW + 2).target,
            Target::UpdateOnly,
            "{name}: {:?}",
            codes(&state.assess(&id(1), NOW + 2))
        );
    }
}

#[test]
fn an_accepted_file_outlives_the_certificate_of_its_signer() {
    let (release, revoked) = (Made::of("1.0.0", 1), Made::of("0.9.0", 9));
    let (_state, saved) = saved(&release, &revoked);
    let much_later = NOW + 100_000;
    let mut state = State::restore(anchors(), &saved, much_later);
    let result = Finding::good(1, &release).at(much_later).signed();
    state.take_in(&answer(&[&release], vec![listed(1, Some(&result))]), much_later);
    assert!(is_wide(&state.assess(&id(1), much_later)));
}

#[test]
fn what_was_being_written_when_the_process_ended_does_not_count() {
    let (release, revoked) = (Made::of("1.0.0", 1), Made::of("0.9.0", 9));
    let (_state, whole) = saved(&release, &revoked);
    let directory = tempfile::tempdir().unwrap();
    let (journal, _empty) = Journal::open(directory.path()).unwrap();
    let mut site = whole.site.clone();
    site.policies = vec![SavedPolicy {
        number: 16,
        release: text(release.digest.as_bytes()),
        file: None,
        overrides: vec![],
        access: None,
    }];
    journal.put_site(&site).unwrap();
    for device in &whole.devices {
        journal.put_device(device).unwrap();
    }
    let name = SavedName { name: "api.maker.example".into(), address: address(9), until: NOW };
    journal.put_names(std::slice::from_ref(&name)).unwrap();
    journal.put_release("00", &whole.releases[0]).unwrap();
    journal.remove_release("00").unwrap();
    journal.remove_release("00").unwrap();

    // Cut at every byte of the next version of a file, which lies beside it.
    let text = serde_json::to_vec(&whole.devices[0]).unwrap();
    let beside = directory.path().join(format!("devices/{}.new", whole.devices[0].ueid));
    for length in [0, 1, text.len() / 2, text.len()] {
        fs::write(&beside, &text[..length]).unwrap();
        fs::write(directory.path().join("site.new"), b"{").unwrap();
        let (_journal, found) = Journal::open(directory.path()).unwrap();
        assert_eq!((&found.devices, &found.site), (&whole.devices, &site));
        assert_eq!((found.releases, found.names), (vec![], vec![name.clone()]));
    }
}

#[test]
fn a_damaged_device_is_left_out_and_damaged_revocations_stop_the_start() {
    let (release, revoked) = (Made::of("1.0.0", 1), Made::of("0.9.0", 9));
    let (_state, whole) = saved(&release, &revoked);
    let directory = tempfile::tempdir().unwrap();
    let (journal, _empty) = Journal::open(directory.path()).unwrap();
    whole.devices.iter().for_each(|device| journal.put_device(device).unwrap());
    fs::write(directory.path().join(format!("devices/{}.json", whole.devices[0].ueid)), b"{").unwrap();
    let (_journal, found) = Journal::open(directory.path()).unwrap();
    assert_eq!(found.devices, whole.devices[1..]);

    fs::write(directory.path().join("site.json"), b"{").unwrap();
    assert!(
        matches!(Journal::open(directory.path()), Err(StartError::Journal { file, .. }) if file == "site.json")
    );
}

#[test]
fn anchors_are_files_of_the_site() {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
    let refused = |name: &str| {
        let error = Anchors::load(directory.path()).unwrap_err();
        assert!(matches!(&error, StartError::Anchor { file, .. } if file == name), "{error}");
    };
    let public = |seed: u8| cose::Key::from_public(key(seed).public_key()).encode();
    refused("authorities.cbor");
    put("authorities.cbor", &anchors().releases.authorities.to_bytes());
    refused("verifier.key");
    put("verifier.key", &cose::Key::from_secret(key(5)).encode_secret().unwrap());
    refused("verifier.key");
    put("verifier.key", &public(5));
    let loaded = Anchors::load(directory.path()).unwrap();
    assert_eq!(loaded.keys.iter().count(), 1);
    assert!(!loaded.broad_mud_approved && loaded.releases.mud_issuers.is_empty());

    put("override.key", b"not a key");
    refused("override.key");
    put("override.key", &public(6));
    put("mud-ca.der", certificate(4, NOW).as_der());
    put("policy.cbor", &anchors().policy.encode());
    put("broad-approved", b"");
    let loaded = Anchors::load(directory.path()).unwrap();
    assert_eq!((loaded.keys.iter().count(), loaded.releases.mud_issuers.len()), (2, 1));
    assert!(loaded.broad_mud_approved);
    assert_eq!(loaded.policy, anchors().policy);
}
