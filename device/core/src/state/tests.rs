use super::*;
use crate::simulator::{Loss, Simulator};

fn digest(text: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, text.as_bytes())
}

fn full_state() -> BootState {
    let mut state = BootState {
        generation: 7,
        boot_count: 3,
        active: Slot::B,
        slots: [
            None,
            Some(Installed {
                manifest: digest("1.0"),
                sequence: 4,
                refers: 0b101,
                dependencies: vec![
                    Dependency { component: 0, manifest: digest("radio"), sequence: 9, refers: 0b100 },
                    Dependency { component: 2, manifest: digest("boot"), sequence: u64::MAX, refers: 0 },
                ],
            }),
        ],
        trial: Some(Trial { slot: Slot::A, boots_left: 2 }),
        sequence: 4,
        committed: Some(digest("1.0")),
        floors: vec![Floor { component: 2, sequence: 3, manifest: digest("older boot") }],
        authorities: 2,
        journal: Some(Journal::Installing { slot: Slot::A, manifest: digest("1.1") }),
        refusals: Vec::new(),
    };
    state.refuse(digest("0.7"), "digest-mismatch", Bars::Nothing);
    state.refuse(digest("0.8"), "unknown-signer", Bars::Envelope(digest("bytes")));
    state.refuse(digest("0.9"), "trial-timeout", Bars::Release);
    state
}

#[test]
fn a_record_round_trips_and_any_flipped_bit_is_seen() {
    let record = full_state().encode();
    assert_eq!(BootState::decode(&record), Ok(full_state()));
    for at in 0..record.len() {
        let mut torn = record.clone();
        torn[at] ^= 1;
        assert!(BootState::decode(&torn).is_err(), "byte {at}");
        assert!(BootState::decode(&record[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn the_oldest_refusal_is_forgotten_and_a_full_record_fits() {
    let mut state = full_state();
    for n in 0..=MAX_REFUSALS {
        state.refuse(digest(&n.to_string()), &"x".repeat(MAX_CODE + 1), Bars::Envelope(digest("bytes")));
    }
    assert_eq!(state.refusals.len(), MAX_REFUSALS);
    assert_eq!(state.refusals[0].manifest, digest("1"));
    let long = Digest::of(HashAlgorithm::Sha512, b"as long as they get");
    let dependency =
        |component| Dependency { component, manifest: long, sequence: u64::MAX, refers: u8::MAX };
    let dependencies: Vec<_> = (0..8).map(dependency).collect();
    state.raise_floors(&dependencies);
    let installed = Installed { manifest: long, sequence: u64::MAX, refers: u8::MAX, dependencies };
    state.slots = [Some(installed.clone()), Some(installed)];
    for (number, refusal) in (0..).zip(&mut state.refusals) {
        refusal.manifest = Digest::of(HashAlgorithm::Sha512, &[number]);
    }
    (state.committed, state.sequence, state.generation) = (Some(long), u64::MAX, u64::MAX);
    state.journal = Some(Journal::Installing { slot: Slot::A, manifest: long });
    assert!(state.encode().len() <= MAX_RECORD);
    assert_eq!(BootState::decode(&state.encode()), Ok(state));
}

#[test]
fn only_the_last_refused_release_is_barred() {
    let mut state = full_state();
    let any = digest("any envelope");
    assert!(state.barred(&digest("0.9"), &any).is_some());
    state.refuse(digest("1.1"), "wrong-class", Bars::Release);
    assert!(state.barred(&digest("0.9"), &any).is_none());
    assert_eq!(state.barred(&digest("1.1"), &any).map(|r| r.code.as_str()), Some("wrong-class"));
}

#[test]
fn a_damaged_envelope_does_not_bar_a_good_one_and_damaged_storage_bars_nothing() {
    let mut state = full_state();
    let (damaged, good) = (digest("damaged"), digest("good"));
    state.refuse(digest("1.1"), "digest-mismatch", Bars::Envelope(damaged));
    assert!(state.barred(&digest("1.1"), &damaged).is_some());
    assert!(state.barred(&digest("1.1"), &good).is_none());
    state.refuse(digest("1.0"), "digest-mismatch", Bars::Nothing);
    assert!(state.barred(&digest("1.0"), &good).is_none());
    assert!(state.barred(&digest("1.1"), &damaged).is_some(), "the bar outlives it");
}

#[test]
fn the_sequence_number_cannot_be_lowered() {
    let mut storage = Simulator::new();
    let mut store = StateStore::load(&storage).unwrap();
    store.update(&mut storage, |state| state.sequence = 5).unwrap();
    assert_eq!(store.update(&mut storage, |state| state.sequence = 4), Err(StateError::SequenceFalls));
    assert_eq!(StateStore::load(&storage).unwrap().state().sequence, 5);
    let floor = |sequence| vec![Floor { component: 0, sequence, manifest: digest("radio") }];
    store.update(&mut storage, |state| state.floors = floor(7)).unwrap();
    for lower in [floor(6), Vec::new()] {
        assert_eq!(store.update(&mut storage, |state| state.floors = lower), Err(StateError::SequenceFalls));
    }
    store.update(&mut storage, |state| state.floors = floor(8)).unwrap();
}

#[test]
fn after_a_cut_at_any_write_the_state_is_the_old_or_the_new_one() {
    let mut cuts = 0;
    for loss in Loss::ALL {
        for cut in 0.. {
            let mut storage = Simulator::new().cut_after(cut, loss);
            let mut committed = 0;
            let outcome = (|| {
                let mut store = StateStore::load(&storage)?;
                for sequence in 1..=4 {
                    store.update(&mut storage, |state| state.sequence = sequence)?;
                    committed = sequence;
                }
                Ok::<_, StateError<_>>(())
            })();
            let survivor = storage.power_up();
            let sequence = StateStore::load(&survivor).unwrap().state().sequence;
            assert!(
                sequence == committed || sequence == committed + 1,
                "cut {cut}: {sequence} after {committed}"
            );
            if outcome.is_ok() {
                break;
            }
            cuts += 1;
        }
    }
    println!("{cuts} power cuts tried on the boot record");
    assert!(cuts >= 30);
}

#[test]
fn two_broken_copies_are_not_taken_for_a_fresh_device() {
    let mut storage = Simulator::new();
    for copy in [RecordCopy::First, RecordCopy::Second] {
        storage.append(Area::Record(copy), b"rubbish").unwrap();
    }
    assert_eq!(StateStore::load(&storage).map(|_| ()), Err(StateError::Lost));
}

#[test]
fn what_is_under_way_round_trips() {
    for journal in [
        Journal::Installing { slot: Slot::B, manifest: digest("1.1") },
        Journal::Swapping { step: u32::MAX },
        Journal::Uninstalling { slot: Slot::A },
    ] {
        let state = BootState { journal: Some(journal), ..full_state() };
        assert_eq!(BootState::decode(&state.encode()), Ok(state));
    }
}
