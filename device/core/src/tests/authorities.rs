//! Changes of the list of authorities: who can make them, what they change, and power cuts at every write and at every
//! pair of writes.

use suit::{SharedKeys, UpdateProposal, UpdateScope};

use super::*;
use crate::{
    AuthorityUpdateError, Boot, InstallError, RecordCopy, StateError,
    simulator::{Loss, PowerCut},
};

/// How many changes a life makes: each copy of the list is written, and written over.
const CHANGES: u64 = 3;

fn roots() -> [SigningKey; 2] {
    [key(50), key(51)]
}

/// The list of the factory: one author, two roots, one of which must sign.
fn factory() -> AuthorityList {
    list_of(vec![authority(&author(), "author", Role::Author)])
}

fn list_of(delegates: Vec<Authority>) -> AuthorityList {
    let roots = roots().map(|root| authority(&root, "root", Role::Root));
    AuthorityList::with_default_policy(delegates.into_iter().chain(roots).collect()).unwrap()
}

/// The lists of a life by version, from that of the factory: each has the author, and another operator.
fn lists() -> Vec<AuthorityList> {
    let list = |version: u64| {
        let operator = authority(&key(10 + version as u8), "operator", Role::Operator);
        list_of(vec![authority(&author(), "author", Role::Author), operator]).with_version(version)
    };
    [factory()].into_iter().chain((2..=1 + CHANGES).map(list)).collect()
}

fn update(present: &AuthorityList, next: AuthorityList) -> Vec<u8> {
    let proposal = UpdateProposal::new(present, next, UpdateScope::default()).unwrap();
    proposal.sign(&roots()[0], b"root")
}

/// The updates of a life, in their order.
fn updates() -> Vec<Vec<u8>> {
    lists().windows(2).map(|pair| update(&pair[0], pair[1].clone())).collect()
}

fn wake_with(storage: Simulator) -> Result<Device<Simulator>, StateError<PowerCut>> {
    let credentials = Credentials { identity: identity(), authorities: factory(), key: Box::new(key(9)) };
    Device::power_up(storage, credentials, &[5; 16])
}

fn refused(device: &mut Device<Simulator>, update: &[u8]) -> &'static str {
    match device.update_authorities(update) {
        Err(AuthorityUpdateError::Refused(refusal)) => refusal.code(),
        other => panic!("{other:?}"),
    }
}

fn install_code(device: &mut Device<Simulator>, release: &[u8]) -> &'static str {
    match device.install(release, None, None) {
        Ok(_) => "ok",
        Err(InstallError::Refused(fault)) => fault.code(),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_rotated_author_is_obeyed_and_the_revoked_one_is_refused_from_then_on() {
    let new_author = key(3);
    let by_new =
        |number| envelope(&recipe(number).manifest().unwrap(), number, &[(&new_author, "new author")]);
    let mut device = wake_with(Simulator::new()).unwrap();
    device.boot(None).unwrap();
    assert_eq!(install_code(&mut device, &by_new(1)), "unknown-signer");

    let next = list_of(vec![authority(&new_author, "new author", Role::Author)]);
    device.update_authorities(&update(&factory(), next)).unwrap();
    assert_eq!(device.authorities().version(), 2);
    assert_eq!(install_code(&mut device, &release(2)), "unknown-signer");
    // It was refused before under the old list, which bars it no more.
    assert_eq!(install_code(&mut device, &by_new(1)), "ok");

    // The same after a power cut, and in evidence.
    let mut device = wake_with(device.into_storage().power_up()).unwrap();
    let Ok(Boot::Release(running)) = device.boot(None) else { panic!("no boot") };
    assert_eq!(running.sequence, 1);
    device.commit().unwrap();
    assert_eq!(install_code(&mut device, &release(3)), "unknown-signer");
    let status = evidence_status(&device);
    assert_eq!(status.authorities, Some(device.authorities().digest(HashAlgorithm::Sha256)));
    assert_eq!(status.authorities_version, Some(2));
}

#[test]
fn a_release_of_a_revoked_author_runs_to_its_end_and_boots_no_more() {
    let mut device = wake_with(running_with_factory()).unwrap();
    assert!(matches!(device.boot(None), Ok(Boot::Release(_))));
    let next = list_of(vec![authority(&key(3), "new author", Role::Author)]);
    device.update_authorities(&update(&factory(), next)).unwrap();
    assert_eq!(device.running().map(|running| running.sequence), Some(1));
    assert_eq!(device.boot(None), Ok(Boot::Recovery));
    assert_eq!(device.state().refusals.last().map(|refusal| refusal.code.as_str()), Some("unknown-signer"));
    let good = envelope(&recipe(2).manifest().unwrap(), 2, &[(&key(3), "new author")]);
    assert_eq!(install_code(&mut device, &good), "ok");
}

#[test]
fn only_roots_change_the_list_and_a_refused_update_writes_nothing() {
    let lists = lists();
    let mut device = wake_with(Simulator::new()).unwrap();
    device.boot(None).unwrap();
    let proposal = |scope| UpdateProposal::new(&lists[0], lists[1].clone(), scope).unwrap();
    let everybody = proposal(UpdateScope::default());
    let others = proposal(UpdateScope { devices: vec![vec![2; 17]], ..UpdateScope::default() });
    for (what, update, code) in [
        ("the author", everybody.sign(&author(), b"author"), "authority-not-root"),
        ("a stranger in a root's name", everybody.sign(&key(77), b"root"), "authority-bad-signature"),
        ("for another device", others.sign(&roots()[0], b"root"), "authority-update-out-of-scope"),
        ("the update after the next", updates()[1].clone(), "authority-version-skipped"),
        ("no update", b"rubbish".to_vec(), "authority-update-malformed"),
    ] {
        let before = format!("{:?}", device.storage());
        assert_eq!(refused(&mut device, &update), code, "{what}");
        assert_eq!(device.authorities(), &lists[0], "{what}");
        assert_eq!(format!("{:?}", device.storage()), before, "{what}: something was written");
    }
    for (update, list) in updates().iter().zip(&lists[1..]) {
        device.update_authorities(update).unwrap();
        assert_eq!(device.authorities(), list);
        assert_eq!(refused(&mut device, update), "authority-update-replayed");
    }
    assert_eq!(refused(&mut device, &updates()[0]), "authority-version-too-low");
}

#[test]
fn a_list_older_than_the_one_that_was_in_force_is_not_obeyed() {
    let mut device = wake_with(Simulator::new()).unwrap();
    device.boot(None).unwrap();
    for update in updates().iter().take(2) {
        device.update_authorities(update).unwrap();
    }
    // The newer copy damaged, or both gone as after a restored backup.
    let mut damaged = device.into_storage();
    let mut emptied = damaged.clone();
    damage(&mut damaged, Area::Authorities(RecordCopy::Second));
    assert!(matches!(wake_with(damaged), Err(StateError::AuthoritiesLost)));
    for copy in [RecordCopy::First, RecordCopy::Second] {
        emptied.erase(Area::Authorities(copy)).unwrap();
    }
    assert!(matches!(wake_with(emptied), Err(StateError::AuthoritiesLost)));
}

fn evidence_status(device: &Device<Simulator>) -> eat::DeviceStatus {
    let nonce = eat::Nonce::new(&[7; 32]).unwrap();
    let evidence = device.evidence(&nonce).unwrap();
    let key = key(9);
    let verified = eat::Evidence::decode(&evidence).unwrap().verify(key.public_key(), &nonce).unwrap();
    verified.into_claims().status.unwrap()
}

/// Storage in which release 1 is committed under the list of the factory.
fn running_with_factory() -> Simulator {
    let mut device = wake_with(Simulator::new()).unwrap();
    device.boot(None).unwrap();
    device.install(&release(1), None, None).unwrap();
    device.boot(None).unwrap();
    device.commit().unwrap();
    device.into_storage().power_up()
}

/// Boots and makes every change that is still to be made, with a boot after each. Says how it ended, which version was
/// promised to be in force by then, and what is left of the storage.
fn live(
    storage: Simulator,
    updates: &[Vec<u8>],
) -> (Result<(), StateError<PowerCut>>, u64, Option<Simulator>) {
    let mut device = match wake_with(storage) {
        Ok(device) => device,
        Err(error) => return (Err(error), 0, None),
    };
    let mut promised = device.authorities().version();
    let ended = (|| {
        device.boot(None)?;
        for update in updates {
            match device.update_authorities(update) {
                Ok(()) => promised = device.authorities().version(),
                // Done before the power failed.
                Err(AuthorityUpdateError::Refused(refusal)) => assert!(
                    ["authority-update-replayed", "authority-version-too-low"].contains(&refusal.code()),
                    "{refusal}"
                ),
                Err(AuthorityUpdateError::Device(error)) => return Err(error),
            }
            device.boot(None)?;
        }
        Ok(())
    })();
    (ended, promised, Some(device.into_storage()))
}

/// What must hold whenever the power comes back.
fn check(survivor: &Simulator, promised: u64, lists: &[AuthorityList], boots: bool, when: &str) {
    let mut device = wake_with(survivor.clone()).unwrap_or_else(|error| panic!("{when}: {error:?}"));
    let version = device.authorities().version();
    assert!((promised..=promised + 1).contains(&version), "{when}: {version} after {promised}");
    assert!(device.state().authorities <= version, "{when}");
    assert_eq!(
        device.authorities(),
        &lists[version as usize - 1],
        "{when}: neither the old list nor the new"
    );
    let boot = device.boot(None).unwrap_or_else(|error| panic!("{when}: {error:?}"));
    assert_eq!(matches!(boot, Boot::Release(_)), boots, "{when}");
    assert_eq!(device.state().authorities, version, "{when}: a boot notes which list is in force");
}

#[test]
fn a_cut_at_any_write_leaves_the_old_list_or_the_new_one_and_the_release_boots() {
    let (updates, lists, start) = (updates(), lists(), running_with_factory());
    let mut cuts = 0;
    for loss in Loss::ALL {
        for cut in 0.. {
            let when = format!("write {cut}, loss {loss:?}");
            let (ended, promised, storage) = live(start.clone().cut_after(cut, loss), &updates);
            let survivor = storage.expect("reading is never cut alone").power_up();
            check(&survivor, promised, &lists, true, &when);
            if ended.is_ok() {
                break;
            }
            cuts += 1;
            // Whatever happened, the device comes to the newest list.
            if cut % 5 == 0 {
                let (ended, promised, _) = live(survivor, &updates);
                assert_eq!((ended, promised), (Ok(()), 1 + CHANGES), "{when}");
            }
        }
    }
    println!("{cuts} power cuts tried, one at every write of {CHANGES} changes of the list");
    assert!(cuts > 100, "{cuts}");
}

#[test]
fn cuts_at_any_pair_of_writes_leave_the_old_list_or_the_new_one() {
    let (updates, lists) = (updates(), lists());
    let (mut firsts, mut pairs) = (0, 0);
    for first_loss in Loss::ALL {
        for first in 0.. {
            let (ended, promised, storage) = live(Simulator::new().cut_after(first, first_loss), &updates);
            if ended.is_ok() {
                break;
            }
            firsts += 1;
            let survivor = storage.expect("reading is never cut alone").power_up();
            check(&survivor, promised, &lists, false, &format!("write {first}, loss {first_loss:?}"));
            let kept = promised;
            for second_loss in Loss::ALL {
                for second in 0.. {
                    let when =
                        format!("writes {first} and {second}, losses {first_loss:?} and {second_loss:?}");
                    let (ended, promised, storage) =
                        live(survivor.clone().cut_after(second, second_loss), &updates);
                    if ended.is_ok() {
                        break;
                    }
                    pairs += 1;
                    let survivor = storage.expect("reading is never cut alone").power_up();
                    check(&survivor, promised.max(kept), &lists, false, &when);
                }
            }
        }
    }
    println!("{firsts} power cuts tried on changes of the list, and {pairs} pairs of cuts");
    assert!(firsts > 100 && pairs > 5_000, "{firsts} and {pairs}");
}

#[test]
fn a_key_that_an_author_shares_lies_with_the_device_and_on_no_list() {
    let secret = [0xa7; 32];
    let mac = || cose::MacKey::new(HashAlgorithm::Sha256, &secret).unwrap();
    let held = || SharedKeys::new(vec![(b"fleet".to_vec(), mac())]).unwrap();
    let allowing = |version| {
        let policy = AuthorityPolicy { shared_keys: true, ..AuthorityPolicy::default() };
        let roots = roots().map(|root| authority(&root, "root", Role::Root));
        let fleet = Authority::shared(HashAlgorithm::Sha256, b"fleet", "fleet");
        let entries =
            roots.into_iter().chain([authority(&author(), "author", Role::Author), fleet]).collect();
        AuthorityList::new(policy, entries).unwrap().with_version(version)
    };
    let by_mac = |number| {
        let unsigned = envelope(&recipe(number).manifest().unwrap(), number, &[]);
        Envelope::decode(&unsigned).unwrap().with_mac(&mac(), Some(b"fleet")).unwrap()
    };
    // The list of the factory allows none, so that the secret counts for nothing.
    let mut device = wake_with(Simulator::new()).unwrap().with_shared_keys(held());
    device.boot(None).unwrap();
    assert_eq!(install_code(&mut device, &by_mac(1)), "unsupported-authentication");
    // Its roots may change that; the secret stays with the device.
    device.update_authorities(&update(&factory(), allowing(2))).unwrap();
    assert_eq!(install_code(&mut device, &by_mac(2)), "ok");
    let Ok(Boot::Release(running)) = device.boot(None) else { panic!("no boot") };
    assert_eq!(running.sequence, 2);
    device.commit().unwrap();
    assert_eq!(device.authorities_digest(), allowing(2).digest(HashAlgorithm::Sha256));
    for copy in [RecordCopy::First, RecordCopy::Second] {
        let stored = read_all(device.storage(), Area::Authorities(copy), usize::MAX).unwrap().unwrap();
        assert!(!stored.windows(16).any(|part| part == &secret[..16]));
    }
    // After a power cut the list comes from the storage, and the secret from where it is kept.
    let storage = device.into_storage().power_up();
    let mut without = wake_with(storage.clone()).unwrap();
    assert!(matches!(without.boot(None), Ok(Boot::Recovery)), "nothing runs that is not verified");
    let mut device = wake_with(storage).unwrap().with_shared_keys(held());
    assert!(matches!(device.boot(None), Ok(Boot::Release(running)) if running.sequence == 2));
    let damaged = {
        let mut bytes = by_mac(3);
        let at = bytes.windows(5).position(|five| five == b"fleet").unwrap() + 10;
        bytes[at] ^= 1;
        bytes
    };
    assert_eq!(install_code(&mut device, &damaged), "bad-manifest-signature");
}
