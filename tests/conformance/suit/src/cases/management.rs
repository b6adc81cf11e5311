//! Conditions on time, power and versions (draft-ietf-suit-update-management, section 5).

use super::{
    After, Book, IMAGE, INSTALL, OTHER, SELECT, Stop, WRITE, author, device, image, manifest, manifest_of,
    run, select, set,
};
use crate::author::{Item, map};

const USE_BEFORE: i64 = 4;
const IMAGE_NOT_MATCH: i64 = 25;
const BATTERY: i64 = 26;
const AUTHORIZED: i64 = 27;
const VERSION: i64 = 28;
const WAIT: i64 = 29;
const OVERRIDE_MULTIPLE: i64 = 34;
const COPY_PARAMETERS: i64 = 35;

pub(super) fn write(book: &mut Book) {
    let guarded = |condition: i64, parameter: (i64, Item)| {
        manifest()
            .section(INSTALL, [set([parameter]), run(condition), set([(18, IMAGE.into())]), run(WRITE)])
            .sign(&author())
    };
    let mut both = |name: &str,
                    why: &str,
                    condition: i64,
                    envelope: Vec<u8>,
                    met: crate::Device,
                    not: crate::Device| {
        let taken = After::default().holding("fw", IMAGE);
        book.done(name, why, envelope.clone(), met, taken);
        let untouched = not.components.iter().map(|it| (it.id.join("/"), it.content.clone())).collect();
        let untouched = After { contents: untouched, ..After::default() };
        book.stop(&format!("{name}-not"), why, envelope, not, Stop::condition(condition).after(untouched));
    };
    let fw = || device(&["fw"]);
    let at = |now: u64| crate::Device { now: Some(now), ..fw() };
    let expiring = guarded(USE_BEFORE, (4, Item::Int(1_800_000_000)));
    both(
        "use-before",
        "5.1: a second before, and at the time",
        USE_BEFORE,
        expiring,
        at(1_799_999_999),
        at(1_800_000_000),
    );
    let charged = |battery: u64| crate::Device { battery: Some(battery), ..fw() };
    both(
        "minimum-battery",
        "5.3: as much as asked for, and less",
        BATTERY,
        guarded(BATTERY, (26, Item::Int(500))),
        charged(500),
        charged(499),
    );
    let lets = |least: i64| crate::Device { authorized: Some(least), ..fw() };
    both(
        "update-authorized",
        "5.4: urgent enough, and not",
        AUTHORIZED,
        guarded(AUTHORIZED, (27, Item::Int(-2))),
        lets(-2),
        lets(-3),
    );
    let version = |parts: &[i64]| {
        let mut device = fw();
        device.component("fw").version = Some(parts.to_vec());
        device
    };
    let demand = |comparison: i64, parts: &[i64]| {
        let parts = Item::Array(parts.iter().map(|part| Item::Int(*part)).collect());
        guarded(VERSION, (28, Item::Array(vec![Item::Int(comparison), parts]).wrap()))
    };
    both(
        "version-least",
        "5.5: >= 1.2",
        VERSION,
        demand(2, &[1, 2]),
        version(&[1, 2, 0]),
        version(&[1, 1, 9]),
    );
    both(
        "version-equal",
        "5.5: = 1 is every 1.x",
        VERSION,
        demand(3, &[1]),
        version(&[1, 9]),
        version(&[2, 0]),
    );
    both("version-below", "5.5: < 1.10", VERSION, demand(5, &[1, 10]), version(&[1, 9]), version(&[1, 10]));
    both(
        "version-release-candidate",
        "5.5: >= 2.0, and 2.0-rc.1",
        VERSION,
        demand(2, &[2, 0, 0]),
        version(&[2, 0, 0]),
        version(&[2, 0, -1, 1]),
    );
    let other = manifest()
        .section(INSTALL, [image(IMAGE), run(IMAGE_NOT_MATCH), set([(18, IMAGE.into())]), run(WRITE)])
        .sign(&author());
    both(
        "image-not-match",
        "5.2: another image, and the same",
        IMAGE_NOT_MATCH,
        other,
        fw().holding("fw", OTHER),
        fw().holding("fw", IMAGE),
    );

    let waiting = manifest()
        .section(
            INSTALL,
            [
                set([(29, map([(5, Item::Int(1_800_000_000))]).wrap())]),
                run(WAIT),
                set([(18, IMAGE.into())]),
                run(WRITE),
            ],
        )
        .sign(&author());
    book.done(
        "wait",
        "5.6: what it waits for has come",
        waiting.clone(),
        at(1_800_000_000),
        After::default().holding("fw", IMAGE),
    );
    // A device that would wait longer than anybody looks says so too.
    let untouched = Stop::default().after(After::default().empty("fw"));
    book.stop("wait-longer", "5.6: nothing happens before", waiting, at(1_799_999_999), untouched);

    let entries = map([(0, map([(18, IMAGE.into())])), (1, map([(18, OTHER.into())]))]);
    let multiple = manifest_of(&["a", "b"])
        .section(INSTALL, [select(0), (OVERRIDE_MULTIPLE, entries), (SELECT, Item::Bool(true)), run(WRITE)])
        .sign(&author());
    book.done(
        "override-multiple",
        "5.7: parameters of several components",
        multiple,
        device(&["a", "b"]),
        After::default().holding("a", IMAGE).holding("b", OTHER),
    );
    let copied = manifest_of(&["a", "b"])
        .section(
            INSTALL,
            [
                select(0),
                set([(18, IMAGE.into())]),
                select(1),
                (COPY_PARAMETERS, map([(0, Item::Array(vec![Item::Int(18)]))])),
                run(WRITE),
            ],
        )
        .sign(&author());
    book.done(
        "copy-parameters",
        "5.8: parameters of another component",
        copied,
        device(&["a", "b"]),
        After::default().empty("a").holding("b", IMAGE),
    );
}
