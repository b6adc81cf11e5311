//! What one manifest says and another does not.

mod common;

use common::{CLASS, Component, class, comid, device, key, manifest, measurement, release, sha256, triple};
use corim::{
    Change, ConditionalTriple, Corim, CoswidTriple, Cotl, CryptoKey, Difference, Digest, DigestAlgorithm,
    DomainTriple, Entity, KeyTriple, Locator, MeasuredElement, Measurement, MeasurementValues, Profile,
    RawValue, SeriesItem, SeriesTriple, Statement, StatementChange, StatementKind, Svn, Tag, TagId,
    TagIdentity, Triples, Validity, ValuesTriple,
};
use sextant_corim as corim;

const BL: Component = Component("BL", 1, 1);
const BL_NEW: Component = Component("BL", 2, 1);
const APP: Component = Component("APP", 3, 1);
const NET: Component = Component("NET", 4, 1);

fn text(id: &str) -> TagId {
    TagId::Text(id.into())
}

fn only_comid(triples: Triples) -> Corim {
    manifest("m", triples)
}

fn reference(triples: Vec<ValuesTriple>) -> Corim {
    only_comid(Triples { reference: triples, ..Triples::default() })
}

/// The only difference is one between statements.
fn one_statement(old: &Corim, new: &Corim) -> StatementChange {
    let mut difference = Difference::between(old, new);
    let change = difference.statements.pop().expect("one statement differs");
    assert!(difference.is_empty(), "something else differs: {difference:?}");
    change
}

fn said(component: Component) -> Statement {
    Statement::Measurement(measurement(component))
}

#[test]
fn a_manifest_says_what_itself_says() {
    let same = release("r", &[BL, APP]);
    assert!(Difference::between(&same, &same).is_empty());
    let decoded = Corim::decode(&same.encode()).expect("a manifest");
    assert!(Difference::between(&same, &decoded).is_empty());
}

#[test]
fn values_are_gained_lost_and_changed_by_element() {
    let difference = Difference::between(&release("r", &[BL, APP]), &release("r", &[BL_NEW, NET]));
    let element = Some(MeasuredElement::Name(corim::PSA_SOFTWARE_COMPONENT.into()));
    let change = |change| StatementChange {
        kind: StatementKind::Reference,
        environment: class(CLASS),
        element: element.clone(),
        change,
    };
    assert_eq!(
        difference.statements,
        [
            change(Change::Lost(said(APP))),
            change(Change::Changed { old: said(BL), new: said(BL_NEW) }),
            change(Change::Gained(said(NET))),
        ]
    );
    assert!(Difference { statements: Vec::new(), ..difference }.is_empty());
}

#[test]
fn alternatives_that_both_have_stay_and_the_others_are_paired_in_order() {
    let alternatives = |contents: &[u32]| {
        let triples = contents.iter().map(|content| triple(class(1), &[Component("BL", *content, 1)]));
        reference(triples.collect())
    };
    let pairs =
        |old: &[u32], new: &[u32]| Difference::between(&alternatives(old), &alternatives(new)).statements;
    let told = |content| said(Component("BL", content, 1));
    let changes: Vec<_> = pairs(&[1, 2, 3, 3], &[3, 4, 1]).into_iter().map(|one| one.change).collect();
    assert_eq!(changes, [Change::Changed { old: told(2), new: told(4) }, Change::Lost(told(3))]);
    assert_eq!(pairs(&[1, 2], &[2, 1]), []);
}

#[test]
fn order_and_forms_make_no_difference() {
    let named = |name: &str| DigestAlgorithm::Name(name.into());
    let sha = sha256(7);
    let other = Digest::new(DigestAlgorithm::Id(7), &[5; 48]).expect("the length fits");
    let digest = |algorithm, of: &Digest| Digest::new(algorithm, of.value()).expect("the length fits");
    let with = |values: MeasurementValues| {
        let measurements = vec![Measurement::new(values)];
        reference(vec![ValuesTriple { environment: class(1), measurements }])
    };
    let masked = |value: RawValue, svn, digests| {
        with(MeasurementValues {
            svn: Some(svn),
            digests,
            raw_value: Some(value),
            ..MeasurementValues::default()
        })
    };
    let (value, mask) = (vec![1, 2], vec![3, 4]);
    let one = masked(
        RawValue::Masked { value: value.clone(), mask: mask.clone() },
        Svn::Bare(5),
        vec![sha.clone(), other.clone()],
    );
    let two = masked(
        RawValue::OlderMasked { value, mask },
        Svn::Exact(5),
        vec![digest(named("sha-384"), &other), digest(named("sha-256"), &sha)],
    );
    assert_ne!(one, two);
    assert!(Difference::between(&one, &two).is_empty());

    // At least five is not five.
    let exactly = with(MeasurementValues { svn: Some(Svn::Exact(5)), ..MeasurementValues::default() });
    let at_least = with(MeasurementValues { svn: Some(Svn::Min(5)), ..MeasurementValues::default() });
    assert!(matches!(one_statement(&exactly, &at_least).change, Change::Changed { .. }));
}

#[test]
fn who_must_have_said_so_is_part_of_what_is_said() {
    let by = |names: &[u8]| {
        let authorized_by = names.iter().map(|name| CryptoKey::Bytes(vec![*name])).collect();
        let measurements = vec![Measurement { authorized_by, ..measurement(BL) }];
        reference(vec![ValuesTriple { environment: class(1), measurements }])
    };
    assert!(Difference::between(&by(&[1, 2]), &by(&[2, 1])).is_empty());
    assert!(matches!(one_statement(&by(&[1, 2]), &by(&[1])).change, Change::Changed { .. }));
}

#[test]
fn groups_that_change_alone_are_told_as_such() {
    let together = reference(vec![triple(class(1), &[BL, APP])]);
    let apart = reference(vec![triple(class(1), &[APP]), triple(class(1), &[BL])]);
    let difference = Difference::between(&together, &apart);
    assert!(difference.regrouped && difference.statements.is_empty() && !difference.is_empty());

    // The same in one CoMID and in two, whose identifiers are new.
    let half = |id: &str, component| {
        let reference = vec![triple(class(1), &[component])];
        Tag::Comid(comid(id, Triples { reference, ..Triples::default() }))
    };
    let two = Corim::new(text("m"), vec![half("a", BL), half("b", APP)]);
    let difference = Difference::between(&apart, &two);
    assert!(difference.regrouped && difference.statements.is_empty());
    assert_eq!(difference.tags.len(), 3);
    let turned = Corim::new(text("m"), vec![half("b", APP), half("a", BL)]);
    assert!(Difference::between(&two, &turned).is_empty());
}

#[test]
fn every_kind_of_triple_is_compared() {
    let pem = |seed: u8| CryptoKey::of_public_key(key(seed).public_key()).remove(0);
    let keys = |seed: u8| KeyTriple {
        environment: device(1),
        keys: vec![pem(1), pem(seed)],
        element: None,
        authorized_by: Vec::new(),
    };
    let values = |component| vec![triple(class(1), &[component])];
    let series = |component| SeriesTriple {
        environment: class(1),
        measurements: Vec::new(),
        authorized_by: Vec::new(),
        series: vec![SeriesItem { condition: vec![measurement(BL)], addition: vec![measurement(component)] }],
    };
    let conditional =
        |component| ConditionalTriple { conditions: values(BL), endorsements: values(component) };
    let domain = |byte| DomainTriple { domain: class(1), others: vec![class(7), class(byte)] };
    let coswid = |tag: &str| CoswidTriple { environment: class(1), tags: vec![text("kept"), text(tag)] };
    let base = Triples::default;
    let rows: Vec<(StatementKind, Triples, Triples)> = vec![
        (
            StatementKind::Endorsed,
            Triples { endorsed: values(BL), ..base() },
            Triples { endorsed: values(BL_NEW), ..base() },
        ),
        (
            StatementKind::Conditional,
            Triples { conditional: vec![conditional(APP)], ..base() },
            Triples { conditional: vec![conditional(NET)], ..base() },
        ),
        (
            StatementKind::ConditionalSeries,
            Triples { conditional_series: vec![series(APP)], ..base() },
            Triples { conditional_series: vec![series(NET)], ..base() },
        ),
        (
            StatementKind::AttestKey,
            Triples { attest_key: vec![keys(2)], ..base() },
            Triples { attest_key: vec![keys(3)], ..base() },
        ),
        (
            StatementKind::Identity,
            Triples { identity: vec![keys(2)], ..base() },
            Triples { identity: vec![keys(3)], ..base() },
        ),
        (
            StatementKind::Coswid,
            Triples { coswid: vec![coswid("old")], ..base() },
            Triples { coswid: vec![coswid("new")], ..base() },
        ),
        (
            StatementKind::Dependency,
            Triples { dependency: vec![domain(2)], ..base() },
            Triples { dependency: vec![domain(3)], ..base() },
        ),
        (
            StatementKind::Membership,
            Triples { membership: vec![domain(2)], ..base() },
            Triples { membership: vec![domain(3)], ..base() },
        ),
    ];
    for (kind, old, new) in rows {
        let (old, new) = (only_comid(old), only_comid(new));
        let change = one_statement(&old, &new);
        assert_eq!(change.kind, kind);
        let Change::Changed { old: before, new: after } = change.change else {
            panic!("{kind:?}: {:?}", change.change)
        };
        // The other way round the sides are exchanged.
        let back = one_statement(&new, &old);
        assert_eq!(back.change, Change::Changed { old: after, new: before }, "{kind:?}");
    }
}

#[test]
fn what_stands_around_the_tags_is_compared() {
    let old = release("r", &[BL]);
    let entity = |roles: &[i64]| Entity::new("Northlight", roles);
    let locator = |href: &str, digests| Locator { hrefs: vec![href.into()], thumbprints: digests };
    let mut old = Corim { entities: vec![entity(&[1])], ..old };
    old.dependent_rims =
        vec![locator("https://a.example", Vec::new()), locator("https://b.example", Vec::new())];
    let mut new = Corim { id: text("s"), ..old.clone() };
    new.validity = Some(Validity { not_before: None, not_after: 5 });
    new.profile = None;
    new.entities = vec![entity(&[1, 2]), Entity::new("Southlight", [1])];
    new.dependent_rims = vec![locator("https://b.example", vec![sha256(1)])];
    new.extensions.insert(-7, &[0x01]).expect("an item");
    let difference = Difference::between(&old, &new);
    assert_eq!(difference.id, Some(Change::Changed { old: text("r"), new: text("s") }));
    assert_eq!(difference.validity, new.validity.map(Change::Gained));
    assert_eq!(difference.profile, old.profile.clone().map(Change::Lost));
    assert_eq!(
        difference.entities,
        [
            Change::Changed { old: entity(&[1]), new: entity(&[1, 2]) },
            Change::Gained(Entity::new("Southlight", [1]))
        ]
    );
    assert_eq!(
        difference.dependent_rims,
        [
            Change::Lost(locator("https://a.example", Vec::new())),
            Change::Changed {
                old: locator("https://b.example", Vec::new()),
                new: locator("https://b.example", vec![sha256(1)])
            },
        ]
    );
    assert_eq!(difference.extensions, [Change::Gained((vec![0x26], vec![0x01]))]);
    assert!(difference.tags.is_empty() && difference.statements.is_empty());
}

#[test]
fn tags_are_paired_by_their_identifiers_and_others_by_their_bytes() {
    let triples = Triples { reference: vec![triple(class(1), &[BL])], ..Triples::default() };
    let list = |tags: &[&str]| {
        let identity = |id: &&str| TagIdentity { id: text(id), version: 0 };
        Tag::Cotl(Cotl {
            identity: identity(&"list"),
            tags: tags.iter().map(identity).collect(),
            validity: Validity { not_before: None, not_after: 9 },
        })
    };
    let mut corrected = comid("c", triples.clone());
    corrected.identity.version = 1;
    let old = Corim::new(
        text("m"),
        vec![
            Tag::Comid(comid("c", triples)),
            list(&["c", "d"]),
            Tag::Coswid(vec![0xa0]),
            Tag::Other(507, vec![1]),
        ],
    );
    let new = Corim::new(
        text("m"),
        vec![
            Tag::Comid(corrected),
            list(&["d", "c"]),
            Tag::Coswid(vec![0xa1, 0, 0]),
            Tag::Other(507, vec![1]),
        ],
    );
    let difference = Difference::between(&old, &new);
    assert!(difference.statements.is_empty());
    let version = |tag: &Tag| match tag {
        Tag::Comid(comid) => comid.identity.version,
        tag => panic!("not a CoMID: {tag:?}"),
    };
    match difference.tags.as_slice() {
        [Change::Changed { old, new }, Change::Lost(before), Change::Gained(after)] => {
            assert_eq!((version(old), version(new)), (0, 1));
            assert_eq!(*before, Tag::Coswid(vec![0xa0]));
            assert_eq!(*after, Tag::Coswid(vec![0xa1, 0, 0]));
        }
        tags => panic!("{tags:?}"),
    }
    let longer = Corim::new(text("m"), vec![list(&["c", "d", "e"])]);
    let shorter = Corim::new(text("m"), vec![list(&["c", "d"])]);
    assert!(matches!(Difference::between(&longer, &shorter).tags.as_slice(), [Change::Changed { .. }]));
}

#[test]
fn what_profiles_wrote_before_2025_says_what_they_write_today() {
    let today = release("r", &[BL]);
    let older =
        MeasuredElement::OlderPsaRefvalId { label: Some("BL".into()), version: None, signer: vec![1; 32] };
    let values = MeasurementValues { digests: vec![sha256(1)], ..MeasurementValues::default() };
    let measurements = vec![Measurement { key: Some(older), ..Measurement::new(values) }];
    let reference = vec![ValuesTriple { environment: class(CLASS), measurements }];
    let before = Corim {
        profile: Some(Profile::Uri("http://arm.com/psa/iot/1".into())),
        ..manifest("r", Triples { reference, ..Triples::default() })
    };
    let difference = Difference::between(&before, &today);
    assert!(matches!(difference.profile, Some(Change::Changed { .. })));
    assert!(Difference { profile: None, ..difference }.is_empty());

    // A profile that nobody knows is compared as it is written.
    let unknown = Corim { profile: Some(Profile::Uri("tag:example.com,2026:x".into())), ..before };
    assert_eq!(Difference::between(&unknown, &today).statements.len(), 2);
}
