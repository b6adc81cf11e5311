//! Sequences within sequences, and how parameters live (draft-ietf-suit-manifest-37, sections 6.4, 6.5, 8.4.8, 8.4.10).

use super::{
    ABORT, After, Book, FETCH, IMAGE, IMAGE_MATCH, INSTALL, OTHER, RUN_SEQUENCE, SET, Stop, TRY_EACH, URI,
    WRITE, author, device, image, manifest, manifest_of, run, select, set,
};
use crate::author::{Item, map, sequence};

pub(super) fn write(book: &mut Book) {
    alternatives(book);
    runs(book);
    parameters(book);
}

/// Writes this content.
fn put(content: &[u8]) -> [(i64, Item); 2] {
    [set([(18, content.into())]), run(WRITE)]
}

fn soft() -> (i64, Item) {
    set([(13, Item::Bool(true))])
}

fn install(commands: impl IntoIterator<Item = (i64, Item)>) -> Vec<u8> {
    manifest().section(INSTALL, commands).sign(&author())
}

fn try_each(alternatives: impl IntoIterator<Item = Item>) -> (i64, Item) {
    (TRY_EACH, Item::Array(alternatives.into_iter().collect()))
}

fn fw() -> crate::Device {
    device(&["fw"])
}

fn alternatives(book: &mut Book) {
    let (first, second) = (sequence(put(IMAGE)), sequence(put(OTHER)));
    let failing = || sequence([run(ABORT)]);
    let after = |content: &[u8]| After::default().holding("fw", content);
    let none = || After::default().empty("fw");
    book.done(
        "try-each-first",
        "8.4.10.2: the first that succeeds",
        install([try_each([first.clone(), second.clone()])]),
        fw(),
        after(IMAGE),
    );
    book.done(
        "try-each-second",
        "8.4.10.2: the next one where a condition fails",
        install([try_each([failing(), second.clone()])]),
        fw(),
        after(OTHER),
    );
    book.stop(
        "try-each-none",
        "8.4.10.2: it fails where all fail",
        install([try_each([failing(), failing()])]),
        fw(),
        Stop::default().after(none()),
    );
    book.done(
        "try-each-nil",
        "8.4.10.2: it succeeds where all fail and nil follows",
        install([try_each([failing(), failing(), Item::Null])]),
        fw(),
        none(),
    );
    let broken = sequence([set([(21, "https://nowhere.example/".into())]), run(FETCH)]);
    book.stop(
        "try-each-directive-fails",
        "8.4.10.2: a failed directive is no failed condition",
        install([try_each([broken, second.clone()])]),
        fw(),
        Stop::default().after(none()),
    );
    let hard = sequence([set([(13, Item::Bool(false))]), run(ABORT)]);
    book.stop(
        "try-each-hard",
        "8.4.8.15: soft failure turned off inside",
        install([try_each([hard, second.clone()])]),
        fw(),
        Stop::condition(ABORT).after(none()),
    );
    let inner = sequence([try_each([failing(), failing()])]);
    book.done(
        "try-each-nested",
        "8.4.10.2: one inside that fails is a failed alternative",
        install([try_each([inner, second])]),
        fw(),
        after(OTHER),
    );
    let mismatch = sequence([image(IMAGE), run(IMAGE_MATCH)]);
    let envelope = install([try_each([mismatch, sequence(put(IMAGE))])]);
    book.done(
        "try-each-if-not-there",
        "8.4.10.2: install unless it is there",
        envelope,
        fw().holding("fw", OTHER),
        after(IMAGE),
    );
    let after_abort = install([run(ABORT), set([(18, IMAGE.into())]), run(WRITE)]);
    book.stop("abort", "8.4.9.5: nothing follows", after_abort, fw(), Stop::condition(ABORT).after(none()));

    // Alternatives see one component at a time.
    let has = |index: i64| sequence([select(index), set([(18, IMAGE.into())]), run(WRITE)]);
    let each = manifest_of(&["a", "b"])
        .section(INSTALL, [(12, Item::Bool(true)), try_each([failing(), sequence(put(IMAGE))])]);
    let both = After::default().holding("a", IMAGE).holding("b", IMAGE);
    book.done(
        "try-each-for-all",
        "6.5: it is run for each selected component",
        each.sign(&author()),
        device(&["a", "b"]),
        both,
    );
    let back = manifest_of(&["a", "b"]).section(INSTALL, [select(0), (RUN_SEQUENCE, has(1))]);
    book.done(
        "run-sequence-selects",
        "6.5: a sequence may select another component",
        back.sign(&author()),
        device(&["a", "b"]),
        After::default().empty("a").holding("b", IMAGE),
    );
}

fn runs(book: &mut Book) {
    let after = |content: &[u8]| After::default().holding("fw", content);
    let none = || After::default().empty("fw");
    book.done(
        "run-sequence",
        "8.4.10.8: as if it stood there",
        install([(RUN_SEQUENCE, sequence(put(IMAGE)))]),
        fw(),
        after(IMAGE),
    );
    let failing = sequence([run(ABORT)]);
    let then = |inner: Item| install([(RUN_SEQUENCE, inner)].into_iter().chain(put(IMAGE)));
    book.stop(
        "run-sequence-fails",
        "8.4.10.8: a failed condition inside is one outside",
        then(failing),
        fw(),
        Stop::condition(ABORT).after(none()),
    );
    let quiet = sequence([soft(), run(ABORT), set([(18, OTHER.into())]), run(WRITE)]);
    book.done(
        "run-sequence-soft",
        "8.4.8.15: with soft failure it ends quietly",
        then(quiet),
        fw(),
        after(IMAGE),
    );
    let nested =
        sequence([soft(), (RUN_SEQUENCE, sequence([run(ABORT)])), set([(18, OTHER.into())]), run(WRITE)]);
    book.add(
        "soft-failure-not-inherited",
        "8.4.8.15: a sequence inside starts without it",
        then(nested),
        super::Expect::Stop {
            device: fw(),
            reasons: super::Reasons::new(),
            condition: Some(ABORT),
            after: none(),
        },
    );
    let ended = [(RUN_SEQUENCE, sequence([soft(), set([(18, OTHER.into())]), run(WRITE)])), run(ABORT)];
    book.stop(
        "soft-failure-ends",
        "8.4.8.15: it ends with its sequence",
        install(ended),
        fw(),
        Stop::condition(ABORT).after(after(OTHER)),
    );
}

fn parameters(book: &mut Book) {
    let after = |content: &[u8]| After::default().holding("fw", content);
    let set_once = |content: &[u8]| (SET, map([(18, content.into())]));
    let twice = install([set([(18, OTHER.into())]), set([(18, IMAGE.into())]), run(WRITE)]);
    book.done("override-replaces", "8.4.10.3: the last one counts", twice, fw(), after(IMAGE));
    let kept = install([set([(18, IMAGE.into())]), set_once(OTHER), run(WRITE)]);
    book.done("set-keeps", "trust-domains, 5.6.1: what is set is not set again", kept, fw(), after(IMAGE));
    let first = install([set_once(IMAGE), run(WRITE)]);
    book.done("set-sets", "trust-domains, 5.6.1: what is not set is set", first, fw(), after(IMAGE));
    let shared = manifest().shared(super::fits().into_iter().chain([set([(18, IMAGE.into())])]));
    book.done(
        "shared-sets",
        "8.4.5: the shared sequence sets parameters",
        shared.section(INSTALL, [run(WRITE)]).sign(&author()),
        fw(),
        after(IMAGE),
    );
    let inside = install([(RUN_SEQUENCE, sequence([set([(18, IMAGE.into())])])), run(WRITE)]);
    book.done(
        "parameters-outlive-sequences",
        "6.4: they belong to the component",
        inside,
        fw(),
        after(IMAGE),
    );
    let order = install([set([(12, Item::Bool(true))])].into_iter().chain(put(IMAGE)));
    book.done("strict-order", "8.4.8.14: in order is always right", order, fw(), after(IMAGE));
    let any = install(
        [set([(12, Item::Bool(false))])].into_iter().chain([set([(12, Item::Bool(true))])]).chain(put(IMAGE)),
    );
    book.done("strict-order-off", "8.4.8.14: in order is right then too", any, fw(), after(IMAGE));
    let fetched = install([set([(21, "https://old.example/".into())]), set([(21, URI.into())]), run(FETCH)]);
    let served = fw().serving(URI, IMAGE).serving("https://old.example/", OTHER);
    book.done(
        "override-uri",
        "8.4.10.3: fetched from the last one",
        fetched,
        served,
        after(IMAGE).fetched(&[URI]),
    );
}
