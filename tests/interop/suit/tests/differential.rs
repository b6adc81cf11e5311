//! This product and its peers over the same rows: they disagree where that is written down, and nowhere else.

#![allow(clippy::print_stderr, reason = "tables are said aloud")]

mod disagreements;

use std::collections::BTreeSet;
use std::path::Path;

use disagreements::{DRESS_UP, List, Right, SUIT_VALIDATOR};
use sextant_suit_conformance::{Adapter, Standing, Tally, own_cases, run, to_table, vector_cases};

#[test]
fn suit_validator_differs_where_it_is_known_to() {
    hold(env!("CARGO_BIN_EXE_suit-adapter-suit-validator"), SUIT_VALIDATOR);
}

#[test]
fn dress_up_differs_where_it_is_known_to() {
    hold(env!("CARGO_BIN_EXE_suit-adapter-dress-up"), DRESS_UP);
}

/// Holds a peer to its list: our own rows to all of it, and those of vectors to what it says of them. Vectors come from
/// outside and may be more tomorrow; what they break has rows of our own, so new ones are said aloud and fail nothing.
fn hold(program: &str, list: List) {
    let adapter = Adapter::new(Path::new(program));
    let features = adapter.features().expect("the adapter says what its implementation has");
    let mut cases = own_cases();
    if let Some(folder) = testkit::vectors("suit") {
        cases.extend(vector_cases(&folder).unwrap_or_else(|faults| panic!("{}", faults.join("\n"))));
    }
    let rows = run(&adapter, &features, &cases).expect("room for files");
    let differ: BTreeSet<&str> = rows
        .iter()
        .filter(|row| matches!(row.standing, Standing::Differs(_)))
        .map(|row| row.name.as_str())
        .collect();
    let here: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let listed: BTreeSet<&str> = list.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed.len(), list.len(), "a row is listed twice");
    let (new, known): (Vec<&str>, Vec<&str>) =
        differ.difference(&listed).copied().partition(|name| !name.starts_with("own/"));
    let healed: Vec<_> = listed.intersection(&here).copied().filter(|name| !differ.contains(*name)).collect();
    let table = to_table(&features, &rows);
    assert!(
        known.is_empty() && healed.is_empty(),
        "not listed: {known:?}, no longer so: {healed:?}\n{table}"
    );
    let count = |is: fn(&Right) -> bool| {
        list.iter().filter(|(name, right)| differ.contains(name) && is(right)).count()
    };
    eprintln!(
        "{} {}: {:?}; of the {} that differ the draft decides {}, lets both in {} and leaves open {}; new: {new:?}",
        features.implementation,
        features.version,
        Tally::of(&rows),
        differ.len(),
        count(|it| matches!(it, Right::Draft(section) if !section.is_empty())),
        count(|it| matches!(it, Right::Stricter(why) if !why.is_empty())),
        count(|it| matches!(it, Right::Open(why) if !why.is_empty())),
    );
    // A peer that agrees in nothing would be a broken adapter.
    assert!(Tally::of(&rows).agree > 40, "{table}");
}
