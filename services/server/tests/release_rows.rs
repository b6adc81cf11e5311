//! What is stored beside releases is held against their signed objects, of a few at a time: whatever was altered is found.

mod common;

use common::{Maker, Site, edit, hex, manifest_digest};
use serde_json::Value;

/// More than are looked at in one round.
const RELEASES: u64 = 300;

fn releases(site: &Site) -> Vec<Value> {
    site.get("/api/v1/releases").expect(200).json().as_array().unwrap().clone()
}

fn unusable(site: &Site) -> Vec<String> {
    let all = releases(site).into_iter().filter(|one| !one["unusable"].is_null());
    all.map(|one| {
        assert_eq!(one["unusable"]["code"], "reference-tampered");
        one["manifest_digest"].as_str().unwrap().to_owned()
    })
    .collect()
}

#[test]
fn every_altered_row_is_found_in_turn_and_restored_ones_are_as_well() {
    let (site, maker) = (Site::new(), Maker::new());
    site.put_authorities(&maker);
    let mut digests: Vec<String> = (1..=RELEASES)
        .map(|sequence| {
            let envelope = maker.release(&format!("1.0.{sequence}"), sequence, &sequence.to_be_bytes());
            site.publish(&envelope).expect(201);
            hex(manifest_digest(&envelope).as_bytes())
        })
        .collect();
    digests.sort();
    assert_eq!(unusable(&site), [] as [&str; 0]);
    let [first, .., last_but_one, last] = digests.as_slice() else { panic!("there are many") };

    // The first and the last that the rounds come to; nobody uses them.
    for digest in [first, last] {
        edit(&site, &format!("UPDATE expected_values SET size = size + 1 WHERE release = x'{digest}'"));
    }
    site.until("both are found", || unusable(&site).len() == 2);
    let mut found = unusable(&site);
    found.sort();
    assert_eq!(found, [first.clone(), last.clone()]);
    edit(&site, &format!("UPDATE expected_values SET size = size - 1 WHERE release = x'{last}'"));
    site.until("one holds again", || unusable(&site) == [first.clone()]);

    // A row that is gone, one too many, and a number of the release itself.
    edit(&site, &format!("DELETE FROM expected_values WHERE release = x'{last}'"));
    edit(&site, &format!("UPDATE releases SET sequence = sequence + 1 WHERE digest = x'{last_but_one}'"));
    edit(
        &site,
        &format!(
            "INSERT INTO expected_values SELECT x'{}', 'more', digest, size, version FROM expected_values
             WHERE release = x'{last_but_one}' LIMIT 1",
            digests[1]
        ),
    );
    site.until("all are found", || unusable(&site).len() == 4);

    // A release that is gone altogether.
    let gone = &digests[2];
    for (table, column) in [("expected_values", "release"), ("envelopes", "release"), ("releases", "digest")]
    {
        edit(&site, &format!("DELETE FROM {table} WHERE {column} = x'{gone}'"));
    }
    site.until("it is not listed", || releases(&site).len() as u64 == RELEASES - 1);
    let audit = site.get("/api/v1/audit?limit=1000").text();
    assert_eq!(audit.matches("release.distrust").count(), 5, "each is told once");
    assert_eq!(audit.matches("release.restore").count(), 1);
}
