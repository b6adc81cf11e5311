//! Manifests that depend on others (draft-ietf-suit-trust-domains, section 5).

use super::{
    After, Book, FETCH, IMAGE, INSTALL, INTEGRITY, IS_DEPENDENCY, OTHER, PROCESS, RESOLUTION, SET, Stop,
    WRITE, author, device, fits, manifest, run, select, set,
};
use crate::author::{Item, Manifest, digest_of, id, map};
use crate::keys;

pub(super) fn write(book: &mut Book) {
    let inner = dependency();
    let two = || device(&["fw", "dep"]);
    let installed = || After::default().holding("fw", IMAGE);
    let none = || After::default().empty("fw");
    let whole = root(&inner, commands()).to_bytes();
    book.done("dependency", "5.4: fetched, checked and processed", whole, two(), installed());

    let of_another = {
        let mut other = dependency();
        other.sequence_number = 8;
        with_payload(root_manifest(&inner, commands()), &other.sign(&author()))
    };
    book.stop(
        "dependency-exchanged",
        "another manifest of the same author",
        of_another,
        two(),
        Stop::default().after(none()),
    );
    let forged = with_payload(root_manifest(&inner, commands()), &inner.sign(&keys::stranger()));
    book.stop(
        "dependency-forged",
        "signed by somebody whom nobody believes",
        forged,
        two(),
        Stop::default().after(none()),
    );
    let mut broken = inner.sign(&author());
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let broken = with_payload(root_manifest(&inner, commands()), &broken);
    book.stop("dependency-broken", "one bit of it flipped", broken, two(), Stop::default().after(none()));
    let absent = root_manifest(&inner, commands()).sign(&author());
    book.stop("dependency-missing", "it is not there", absent, two(), Stop::default().after(none()));

    let unchecked = commands().map(|(section, commands)| {
        (section, commands.into_iter().filter(|(code, _)| *code != INTEGRITY).collect::<Vec<_>>())
    });
    let unchecked = root(&inner, unchecked).to_bytes();
    book.stop(
        "dependency-unchecked",
        "5.6.2: processed without a check of its integrity",
        unchecked,
        two(),
        Stop::default().after(none()),
    );
    let unlisted = Manifest::new(&["fw"]).shared(fits()).section(RESOLUTION, [run(PROCESS)]);
    book.stop(
        "dependency-not-listed",
        "5.6.2: a component that is no dependency",
        unlisted.sign(&author()),
        two(),
        Stop::default().after(none()),
    );

    let is = manifest().section(INSTALL, [run(IS_DEPENDENCY), set([(18, IMAGE.into())]), run(WRITE)]);
    book.stop(
        "is-dependency-not",
        "5.6.3: a component is none",
        is.sign(&author()),
        device(&["fw"]),
        Stop::condition(IS_DEPENDENCY).after(none()),
    );
    let is = commands().map(|(section, mut commands)| {
        commands.insert(1, run(IS_DEPENDENCY));
        (section, commands)
    });
    book.done("is-dependency", "5.6.3: a dependency is one", root(&inner, is).to_bytes(), two(), installed());

    let defaulting = Manifest::new(&["fw"])
        .shared(fits())
        .section(INSTALL, [(SET, map([(21, "https://default.example/".into())])), run(FETCH)]);
    let served = two().serving("https://default.example/", OTHER);
    let default = root(&defaulting, commands()).to_bytes();
    book.done(
        "dependency-default",
        "5.6.1: a default counts where nobody chose before",
        default,
        served,
        After::default().holding("fw", OTHER),
    );
}

/// A manifest that others depend on: it writes its component.
fn dependency() -> Manifest {
    Manifest::new(&["fw"]).shared(fits()).section(INSTALL, [set([(18, IMAGE.into())]), run(WRITE)])
}

/// What a dependent does with its only component, which is the dependency.
fn commands() -> [(i64, Vec<(i64, Item)>); 2] {
    [
        (RESOLUTION, vec![select(0), set([(21, "#dep".into())]), run(FETCH), run(INTEGRITY), run(PROCESS)]),
        (INSTALL, vec![select(0), run(INTEGRITY), run(PROCESS)]),
    ]
}

fn root_manifest<const N: usize>(dependency: &Manifest, sections: [(i64, Vec<(i64, Item)>); N]) -> Manifest {
    let digest = digest_of(crypto::HashAlgorithm::Sha256, &dependency.item().wrap().to_bytes());
    let mut root = Manifest::new(&["dep"])
        .dependency(0)
        .shared([select(0), set([(3, digest.wrap())])])
        .member(5, id("root"));
    for (label, commands) in sections {
        root = root.section(label, commands);
    }
    root
}

fn with_payload(root: Manifest, payload: &[u8]) -> Vec<u8> {
    root.envelope(&author(), [(Item::from("#dep"), payload.into())]).to_bytes()
}

fn root<const N: usize>(dependency: &Manifest, sections: [(i64, Vec<(i64, Item)>); N]) -> Item {
    let payload = dependency.sign(&author());
    root_manifest(dependency, sections).envelope(&author(), [(Item::from("#dep"), Item::Bytes(payload))])
}
