//! What single commands do to a device (draft-ietf-suit-manifest-37, sections 6, 8.4, 8.6).

use super::{
    After, Book, CHECK_CONTENT, COPY, DEVICE_IDENTIFIER, Expect, FETCH, IMAGE, IMAGE_MATCH, INSTALL,
    INVOCATION, INVOKE, LOAD, OTHER, SELECT, SLOT, SWAP, Stop, TRY_EACH, URI, VALIDATE, WRITE, author,
    device, image, manifest, manifest_of, online, run, select, set, update,
};
use crate::author::{Item, digest_of, sequence};

pub(super) fn write(book: &mut Book) {
    fetching(book);
    identifiers(book);
    contents(book);
    moving(book);
    invoking(book);
    rollback(book);
    severing(book);
}

fn fetching(book: &mut Book) {
    let good = update().sign(&author());
    let nothing = || After::default().fetched(&[URI]);
    book.done("fetch", "fetched and checked", good.clone(), online(), nothing().holding("fw", IMAGE));
    book.stop(
        "fetch-another-image",
        "8.4.9.2: the digest is not that of the image",
        good.clone(),
        device(&["fw"]).serving(URI, OTHER),
        Stop::condition(IMAGE_MATCH),
    );
    let longer = [IMAGE, b"!"].concat();
    let reasons = ["operation-failed", "condition-failed"];
    book.stop(
        "fetch-too-much",
        "one byte more than the image size",
        good.clone(),
        device(&["fw"]).serving(URI, &longer),
        Stop::reasons(&reasons),
    );
    let shorter = &IMAGE[..IMAGE.len() - 1];
    book.stop(
        "fetch-too-little",
        "one byte less than the image size",
        good.clone(),
        device(&["fw"]).serving(URI, shorter),
        Stop::reasons(&reasons),
    );
    book.stop(
        "fetch-nothing",
        "nothing is there",
        good,
        device(&["fw"]),
        Stop::reasons(&["operation-failed"]),
    );
    let integrated =
        manifest().section(INSTALL, [image(IMAGE), set([(21, "#fw".into())]), run(FETCH), run(IMAGE_MATCH)]);
    let envelope =
        |payload: &[u8]| integrated.envelope(&author(), [(Item::from("#fw"), payload.into())]).to_bytes();
    let taken = After::default().fetched(&[]).holding("fw", IMAGE);
    book.done("fetch-integrated", "5.5: a payload of the envelope", envelope(IMAGE), device(&["fw"]), taken);
    book.stop(
        "fetch-integrated-exchanged",
        "a payload that somebody exchanged",
        envelope(OTHER),
        device(&["fw"]),
        Stop::condition(IMAGE_MATCH),
    );
    let absent = integrated.sign(&author());
    book.stop(
        "fetch-integrated-missing",
        "a payload that somebody took out",
        absent,
        device(&["fw"]),
        Stop::reasons(&["operation-failed"]),
    );
    let unset = manifest().section(INSTALL, [run(FETCH)]);
    book.stop(
        "fetch-without-uri",
        "6.1: a command whose parameter is not set",
        unset.sign(&author()),
        device(&["fw"]),
        Stop::default(),
    );
    let unset = manifest().section(VALIDATE, [run(IMAGE_MATCH)]);
    let holding = device(&["fw"]).holding("fw", IMAGE);
    book.stop(
        "match-without-digest",
        "8.4.9: a condition whose parameter is not set",
        unset.sign(&author()),
        holding,
        Stop::default(),
    );
    for (name, algorithm) in
        [("sha384", crypto::HashAlgorithm::Sha384), ("sha512", crypto::HashAlgorithm::Sha512)]
    {
        let digest = set([(3, digest_of(algorithm, IMAGE).wrap())]);
        let manifest = manifest().section(VALIDATE, [digest, run(IMAGE_MATCH)]);
        let holding = |content| device(&["fw"]).holding("fw", content);
        book.done(
            &format!("match-{name}"),
            "8.4.9.2: by another digest",
            manifest.sign(&author()),
            holding(IMAGE),
            After::default(),
        );
        book.stop(
            &format!("match-{name}-not"),
            "8.4.9.2: by another digest",
            manifest.sign(&author()),
            holding(OTHER),
            Stop::condition(IMAGE_MATCH),
        );
    }
}

fn identifiers(book: &mut Book) {
    let good = update().sign(&author());
    let untouched = || After::default().fetched(&[]).empty("fw");
    let stranger = Some("00".repeat(16));
    let vendor = crate::Device { vendor: stranger.clone(), ..online() };
    book.stop(
        "wrong-vendor",
        "8.4.9.1: nothing happens before",
        good.clone(),
        vendor,
        Stop::condition(1).after(untouched()),
    );
    let class = crate::Device { class: stranger, ..online() };
    book.stop(
        "wrong-class",
        "8.4.9.1: nothing happens before",
        good.clone(),
        class,
        Stop::condition(2).after(untouched()),
    );
    let elsewhere = device(&["other"]).serving(URI, IMAGE);
    book.add(
        "component-unknown",
        "6.1: a component that the device does not have",
        good,
        Expect::refuse_late(elsewhere, &["component-unsupported"]),
    );
    let for_one = manifest().section(
        INSTALL,
        [set([(18, IMAGE.into()), (24, [5_u8; 16][..].into())]), run(DEVICE_IDENTIFIER), run(WRITE)],
    );
    let own = |byte: &str| crate::Device { device: Some(byte.repeat(16)), ..device(&["fw"]) };
    book.done(
        "right-device",
        "8.4.9.1: for one device",
        for_one.sign(&author()),
        own("05"),
        After::default().holding("fw", IMAGE),
    );
    book.stop(
        "wrong-device",
        "8.4.9.1: for another device",
        for_one.sign(&author()),
        own("06"),
        Stop::condition(DEVICE_IDENTIFIER).after(After::default().empty("fw")),
    );
}

fn contents(book: &mut Book) {
    let written = manifest().section(INSTALL, [set([(18, IMAGE.into())]), run(WRITE), run(CHECK_CONTENT)]);
    book.done(
        "write-and-check",
        "8.4.10.6, 8.4.9.3",
        written.sign(&author()),
        device(&["fw"]),
        After::default().holding("fw", IMAGE),
    );
    let checked = manifest().section(VALIDATE, [set([(18, IMAGE.into())]), run(CHECK_CONTENT)]);
    for (name, content) in
        [("another", OTHER), ("longer", b"an image of a release!"), ("shorter", b"an image"), ("empty", b"")]
    {
        let holding = device(&["fw"]).holding("fw", content);
        book.stop(
            &format!("check-content-{name}"),
            "8.4.9.3: the content differs",
            checked.sign(&author()),
            holding,
            Stop::condition(CHECK_CONTENT),
        );
    }
    let unset = manifest().section(INSTALL, [run(WRITE)]);
    book.stop(
        "write-without-content",
        "6.1: a command whose parameter is not set",
        unset.sign(&author()),
        device(&["fw"]),
        Stop::default().after(After::default().empty("fw")),
    );
}

fn moving(book: &mut Book) {
    let two = || device(&["fw", "data"]).holding("data", IMAGE).holding("fw", OTHER);
    let moved = |command| {
        manifest_of(&["fw", "data"])
            .section(INSTALL, [select(0), set([(22, Item::Int(1))]), run(command)])
            .sign(&author())
    };
    let both = |fw: &[u8], data: &[u8]| After::default().holding("fw", fw).holding("data", data);
    book.done("copy", "8.4.10.5: from another component", moved(COPY), two(), both(IMAGE, IMAGE));
    book.done("swap", "8.4.10.9: two components change places", moved(SWAP), two(), both(IMAGE, OTHER));
    let beyond =
        manifest_of(&["fw", "data"]).section(INSTALL, [select(0), set([(22, Item::Int(9))]), run(COPY)]);
    book.stop(
        "copy-from-beyond",
        "component 9 of 2",
        beyond.sign(&author()),
        two(),
        Stop::default().after(both(OTHER, IMAGE)),
    );
    let checked = manifest_of(&["fw", "data"])
        .section(INSTALL, [select(0), image(IMAGE), set([(22, Item::Int(1))]), run(COPY), run(IMAGE_MATCH)]);
    let wrong = device(&["fw", "data"]).holding("data", OTHER);
    book.stop(
        "copy-of-another-image",
        "8.4.9.2: what was copied is not the image",
        checked.sign(&author()),
        wrong,
        Stop::condition(IMAGE_MATCH),
    );

    let write = |index: Item| {
        manifest_of(&["a", "b", "c"])
            .section(INSTALL, [(SELECT, index), set([(18, IMAGE.into())]), run(WRITE)])
            .sign(&author())
    };
    let three = || device(&["a", "b", "c"]);
    book.done(
        "select-all",
        "6.5: true is every component",
        write(Item::Bool(true)),
        three(),
        After::default().holding("a", IMAGE).holding("b", IMAGE).holding("c", IMAGE),
    );
    let some = Item::Array(vec![Item::Int(2), Item::Int(0)]);
    book.done(
        "select-some",
        "6.5: a list is those components",
        write(some),
        three(),
        After::default().holding("a", IMAGE).empty("b").holding("c", IMAGE),
    );
    book.done(
        "select-one",
        "6.5: a number is that component",
        write(Item::Int(1)),
        three(),
        After::default().empty("a").holding("b", IMAGE).empty("c"),
    );
    let of_another = manifest_of(&["fw", "data"])
        .section(INSTALL, [select(0), set([(18, IMAGE.into())]), select(1), run(WRITE)]);
    book.stop(
        "parameter-of-another",
        "6.5: parameters belong to their component",
        of_another.sign(&author()),
        device(&["fw", "data"]),
        Stop::default().after(After::default().empty("data")),
    );

    let variant =
        |slot: i64, uri: &str| sequence([set([(5, Item::Int(slot))]), run(SLOT), set([(21, uri.into())])]);
    let slots = Item::Array(vec![variant(0, "https://fw.example/a"), variant(1, "https://fw.example/b")]);
    let slots = manifest().section(INSTALL, [(TRY_EACH, slots), run(FETCH)]).sign(&author());
    let in_slot = |slot: u64| {
        let mut device =
            device(&["fw"]).serving("https://fw.example/a", IMAGE).serving("https://fw.example/b", OTHER);
        device.component("fw").slot = Some(slot);
        device
    };
    book.done(
        "slot-a",
        "8.4.9.4: the first of two slots",
        slots.clone(),
        in_slot(0),
        After::default().holding("fw", IMAGE).fetched(&["https://fw.example/a"]),
    );
    book.done(
        "slot-b",
        "8.4.9.4: the second of two slots",
        slots.clone(),
        in_slot(1),
        After::default().holding("fw", OTHER).fetched(&["https://fw.example/b"]),
    );
    book.stop(
        "slot-neither",
        "8.4.9.4: neither",
        slots,
        in_slot(2),
        Stop::default().after(After::default().empty("fw").fetched(&[])),
    );
}

fn invoking(book: &mut Book) {
    let boot = manifest().shared(super::fits().into_iter().chain([image(IMAGE)]));
    let boot = boot.section(VALIDATE, [run(IMAGE_MATCH)]).section(INVOCATION, [run(INVOKE)]).sign(&author());
    let ready = |content: &[u8]| device(&["fw"]).holding("fw", content).running(&["invocation"]);
    book.done(
        "invoke",
        "5.3.3: validated, then invoked",
        boot.clone(),
        ready(IMAGE),
        After::default().invoked("fw"),
    );
    book.stop(
        "invoke-exchanged",
        "an image that somebody exchanged is not invoked",
        boot.clone(),
        ready(OTHER),
        Stop::condition(IMAGE_MATCH),
    );
    let longer = [IMAGE, b"!"].concat();
    book.stop(
        "invoke-longer",
        "nor is one that somebody appended to",
        boot.clone(),
        ready(&longer),
        Stop::reasons(&["condition-failed", "operation-failed"]),
    );
    let elsewhere = crate::Device { class: Some("00".repeat(16)), ..ready(IMAGE) };
    book.stop(
        "invoke-wrong-class",
        "8.4.5: the shared sequence comes before every section",
        boot,
        elsewhere,
        Stop::condition(2),
    );
    let loaded = manifest_of(&["ram", "flash"])
        .section(LOAD, [select(0), image(IMAGE), set([(22, Item::Int(1))]), run(COPY), run(IMAGE_MATCH)])
        .section(INVOCATION, [select(0), run(INVOKE)])
        .sign(&author());
    let flash = |content: &[u8]| device(&["ram", "flash"]).holding("flash", content).running(&["invocation"]);
    book.done(
        "load-and-invoke",
        "5.3.3: loaded, then invoked",
        loaded.clone(),
        flash(IMAGE),
        After::default().holding("ram", IMAGE).invoked("ram"),
    );
    book.stop(
        "load-exchanged",
        "what was loaded is not the image",
        loaded,
        flash(OTHER),
        Stop::condition(IMAGE_MATCH),
    );
}

fn rollback(book: &mut Book) {
    let good = update().sign(&author());
    let installed = |number: u64| crate::Device { installed: Some(number), ..online() };
    book.done("newer", "8.4.2: 7 after 6", good.clone(), installed(6), After::default().holding("fw", IMAGE));
    let refused = |number| Expect::refuse_late(installed(number), &["unauthorised"]);
    book.add("older", "8.4.2: 7 after 8", good.clone(), refused(8));
    book.add("much-older", "8.4.2: 7 after 2^63", good, refused(1 << 63));
}

fn severing(book: &mut Book) {
    let install = sequence([image(IMAGE), set([(21, URI.into())]), run(FETCH), run(IMAGE_MATCH)]);
    let digest = digest_of(crypto::HashAlgorithm::Sha256, &install.to_bytes());
    let severed = manifest().section(VALIDATE, [image(IMAGE), run(IMAGE_MATCH)]).member(INSTALL, digest);
    let with = |member: Option<Item>| {
        severed.envelope(&author(), member.map(|it| (Item::Int(INSTALL), it))).to_bytes()
    };
    book.done(
        "severed",
        "8.6: a member that was severed and is here",
        with(Some(install)),
        online(),
        After::default().holding("fw", IMAGE),
    );
    let evil = sequence([set([(21, URI.into())]), run(FETCH)]);
    book.add(
        "severed-exchanged",
        "8.6: it has not the digest in the manifest",
        with(Some(evil)),
        Expect::refuse(online(), &["unauthorised"]),
    );
    let untouched = After::default().empty("fw").fetched(&[]);
    book.stop(
        "severed-missing",
        "8.6: it is needed and not here",
        with(None),
        online(),
        Stop::default().after(untouched),
    );
    let validated = device(&["fw"]).holding("fw", IMAGE).running(&["invocation"]);
    book.done(
        "severed-missing-unneeded",
        "8.6: it is not needed for this",
        with(None),
        validated,
        After::default(),
    );
    let stray = update().envelope(&author(), [(Item::Int(16), sequence([run(FETCH)]))]).to_bytes();
    book.add(
        "severed-unknown",
        "8.6: a member of which the manifest has no digest",
        stray,
        Expect::refuse(online(), &[]),
    );
}
