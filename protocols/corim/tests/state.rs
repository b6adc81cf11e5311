//! What reference values and endorsements add to an attester's state.

mod common;

use common::{
    CLASS, Component, class, comid, device, evidence, manifest, measurement, release, signed, triple,
    uploaded,
};
use corim::{
    ClaimKind, ConditionalTriple, CryptoKey, DomainTriple, Ect, Environment, Exhausted, KeyTriple,
    MAX_COMPARISONS, MAX_STATE, Measurement, MeasurementValues, SeriesItem, SeriesTriple, StateSet, Svn, Tag,
    Triples, ValuesTriple, VerifiedCorim, is_acyclic,
};
use sextant_corim as corim;

const BOOT: Component = Component("BL", 1, 7);
const APP: Component = Component("ARoT", 2, 7);

fn named(name: &str) -> Measurement {
    Measurement::new(MeasurementValues { name: Some(name.into()), ..MeasurementValues::default() })
}

fn svn(svn: u64) -> Measurement {
    Measurement::new(MeasurementValues { svn: Some(Svn::Bare(svn)), ..MeasurementValues::default() })
}

fn values(environment: Environment, measurements: &[Measurement]) -> ValuesTriple {
    ValuesTriple { environment, measurements: measurements.to_vec() }
}

/// "If that holds, this is true."
fn rule(condition: ValuesTriple, then: ValuesTriple) -> ConditionalTriple {
    ConditionalTriple { conditions: vec![condition], endorsements: vec![then] }
}

fn augmented(evidence: &[Ect], manifests: &[&VerifiedCorim]) -> StateSet {
    let mut state = StateSet::new(evidence.to_vec());
    state.augment(manifests).expect("little work");
    state
}

/// The names that endorsements gave.
fn endorsed(state: &StateSet) -> Vec<&str> {
    let ects = state.ects().iter().filter(|ect| ect.kind == ClaimKind::Endorsements);
    ects.flat_map(|ect| &ect.elements).filter_map(|element| element.values.name.as_deref()).collect()
}

/// The appraisal of the draft's example: evidence, a reference value for it, a certificate for what it is.
#[test]
fn reference_values_corroborate_and_endorsements_follow() {
    let references = signed(&release("references", &[BOOT]), 3);
    let condition = triple(class(CLASS), &[BOOT]);
    let mut certificate = MeasurementValues::default();
    certificate.extensions.insert(100, b"\x751234567890123 - 12345").expect("a text");
    let certified = values(class(CLASS), &[Measurement::new(certificate)]);
    let rules = Triples { conditional: vec![rule(condition, certified)], ..Triples::default() };
    let endorser = signed(&manifest("certificate", rules), 4);
    let found = evidence(device(CLASS), &[BOOT, APP]);
    let state = augmented(std::slice::from_ref(&found), &[&endorser, &references]);
    let [first, corroborated, endorsement] = state.ects() else { panic!("three claims: {:?}", state.ects()) };
    assert_eq!(first, &found);
    assert_eq!((corroborated.kind, &corroborated.environment), (ClaimKind::ReferenceValues, &class(CLASS)));
    assert_eq!(corroborated.elements, found.elements[..1], "no more than the reference value describes");
    assert_eq!(corroborated.authority, CryptoKey::of_public_key(common::key(3).public_key()));
    assert_eq!((endorsement.kind, endorsement.elements.len()), (ClaimKind::Endorsements, 1));
    assert_eq!(endorsement.authority, CryptoKey::of_public_key(common::key(4).public_key()));
    assert!(state.satisfies(&class(CLASS), &measurement(BOOT), ClaimKind::ReferenceValues));
    assert!(!state.satisfies(&class(CLASS), &measurement(APP), ClaimKind::ReferenceValues));
    // What was corroborated is not evidence of its own, and nothing comes twice.
    let mut again = state.clone();
    again.augment(&[&references, &endorser]).expect("little work");
    assert_eq!(again.ects(), state.ects());
}

#[test]
fn nothing_follows_from_what_does_not_hold() {
    let other = Component("BL", 9, 7);
    let references = uploaded(&release("references", &[other]));
    let rules = Triples {
        conditional: vec![rule(triple(class(CLASS), &[other]), values(class(CLASS), &[named("no")]))],
        endorsed: vec![values(class(CLASS + 1), &[named("elsewhere")])],
        ..Triples::default()
    };
    let endorser = uploaded(&manifest("rules", rules));
    let found = [evidence(device(CLASS), &[BOOT])];
    assert_eq!(augmented(&found, &[&references, &endorser]).ects(), found);
    // Two conditions hold together or not at all.
    let both = ConditionalTriple {
        conditions: vec![triple(class(CLASS), &[BOOT]), triple(class(CLASS), &[other])],
        endorsements: vec![values(class(CLASS), &[named("both")])],
    };
    let endorser = uploaded(&manifest("rules", Triples { conditional: vec![both], ..Triples::default() }));
    assert_eq!(augmented(&found, &[&endorser]).ects(), found);
}

/// A chain of conditions, given in the order in which none holds before the next is read.
#[test]
fn conditions_see_what_others_add_in_any_order() {
    let steps = 40;
    let mut chain: Vec<ConditionalTriple> = (1..=steps)
        .map(|step| rule(values(class(CLASS), &[svn(step - 1)]), values(class(CLASS), &[svn(step)])))
        .collect();
    chain.reverse();
    let endorsed = vec![values(class(CLASS), &[svn(0)])];
    let chain = uploaded(&manifest("chain", Triples { conditional: chain, endorsed, ..Triples::default() }));
    let state = augmented(&[evidence(device(CLASS), &[BOOT])], &[&chain]);
    assert_eq!(state.ects().len(), 1 + 1 + steps as usize);
    assert!(state.satisfies(&class(CLASS), &svn(steps), ClaimKind::Endorsements));
}

#[test]
fn of_a_series_the_first_that_holds_counts() {
    let item = |condition: u64, name: &str| SeriesItem {
        condition: vec![svn(condition)],
        addition: vec![named(name)],
    };
    let series = |environment, authorized_by: Vec<CryptoKey>| SeriesTriple {
        environment,
        measurements: vec![],
        authorized_by,
        series: vec![item(3, "three"), item(2, "two"), item(2, "two again"), item(1, "one")],
    };
    let found = |svn_found: u64| {
        let element = corim::Element::from(&svn(svn_found));
        [Ect::evidence(device(CLASS), vec![element], vec![CryptoKey::Bytes(b"attester".to_vec())])]
    };
    let by_anyone = Triples { conditional_series: vec![series(class(CLASS), vec![])], ..Triples::default() };
    let by_anyone = uploaded(&manifest("series", by_anyone));
    for (svn, name) in [(3, vec!["three"]), (2, vec!["two"]), (1, vec!["one"]), (4, vec![])] {
        assert_eq!(endorsed(&augmented(&found(svn), &[&by_anyone])), name, "{svn}");
    }
    for (authority, names) in [(b"attester".as_slice(), vec!["two"]), (b"stranger", vec![])] {
        let authority = vec![CryptoKey::Bytes(authority.to_vec())];
        let series = vec![series(class(CLASS), authority)];
        let manifest =
            uploaded(&manifest("series", Triples { conditional_series: series, ..Triples::default() }));
        assert_eq!(endorsed(&augmented(&found(2), &[&manifest])), names);
    }
}

#[test]
fn authorities_named_in_a_condition_must_have_spoken() {
    let mut condition = triple(class(CLASS), &[BOOT]);
    let speaks = CryptoKey::of_public_key(common::key(3).public_key());
    condition.measurements[0].authorized_by = speaks[..1].to_vec();
    let rules = Triples {
        conditional: vec![rule(condition, values(class(CLASS), &[named("vouched for")]))],
        ..Triples::default()
    };
    let rules = uploaded(&manifest("rules", rules));
    let found = [evidence(device(CLASS), &[BOOT])];
    let (maker, stranger) = (signed(&release("r", &[BOOT]), 3), signed(&release("r", &[BOOT]), 4));
    assert_eq!(endorsed(&augmented(&found, &[&rules, &maker])), ["vouched for"]);
    assert!(endorsed(&augmented(&found, &[&rules, &stranger])).is_empty());
}

#[test]
fn too_much_work_leaves_the_state_as_it_was() {
    let count = 1100;
    let mut chain: Vec<ConditionalTriple> = (1..=count)
        .map(|step| rule(values(class(CLASS), &[svn(step - 1)]), values(class(CLASS), &[svn(step)])))
        .collect();
    chain.reverse();
    let endorsed = vec![values(class(CLASS), &[svn(0)])];
    let chain = uploaded(&manifest("chain", Triples { conditional: chain, endorsed, ..Triples::default() }));
    let found = [evidence(device(CLASS), &[BOOT])];
    let mut state = StateSet::new(found.to_vec());
    assert_eq!(state.augment(&[&chain]), Err(Exhausted));
    assert_eq!((state.ects(), state.comparisons()), (found.as_slice(), 0));
    assert!(augmented(&found, &[]).comparisons() <= MAX_COMPARISONS);
}

#[test]
fn domains_hold_where_all_members_are_there_and_nothing_contains_itself() {
    let (part, other, whole, system) = (class(1), class(2), class(3), class(4));
    let domain = |domain: &Environment, others: &[&Environment]| DomainTriple {
        domain: domain.clone(),
        others: others.iter().map(|other| (*other).clone()).collect(),
    };
    let membership = vec![domain(&system, &[&whole]), domain(&whole, &[&part, &other])];
    let dependency = vec![domain(&whole, &[&part]), domain(&system, &[&part])];
    assert!(is_acyclic(&membership) && is_acyclic(&dependency));
    let manifest_of = |membership: &[DomainTriple]| {
        let triples =
            Triples { membership: membership.to_vec(), dependency: dependency.clone(), ..Triples::default() };
        uploaded(&manifest("domains", triples))
    };
    let all = [evidence(device(1), &[BOOT]), evidence(device(2), &[BOOT])];
    let state = augmented(&all, &[&manifest_of(&membership)]);
    assert_eq!(state.memberships().len(), 2);
    assert_eq!(state.dependencies(), &dependency[..1], "a part is no member of the system itself");
    assert!(augmented(&all[..1], &[&manifest_of(&membership)]).memberships().is_empty());
    let cycle = [membership, vec![domain(&part, &[&system])]].concat();
    assert!(!is_acyclic(&cycle) && !is_acyclic(&[domain(&part, &[&part])]));
    let state = augmented(&all, &[&manifest_of(&cycle)]);
    assert!(state.memberships().is_empty() && state.dependencies().is_empty());
}

#[test]
fn keys_are_those_of_the_environment_and_of_who_said_so() {
    let key = |authorized_by: Vec<CryptoKey>| KeyTriple {
        environment: device(CLASS),
        keys: vec![CryptoKey::PkixKey("key".into())],
        element: None,
        authorized_by,
    };
    let attest_key = vec![key(vec![]), key(vec![CryptoKey::Bytes(b"maker".to_vec())])];
    let keys = uploaded(&manifest("keys", Triples { attest_key, ..Triples::default() }));
    let maker = [CryptoKey::Bytes(b"maker".to_vec())];
    assert_eq!(keys.attest_keys(&device(CLASS), &[]).count(), 1);
    assert_eq!(keys.attest_keys(&device(CLASS), &maker).count(), 2);
    assert_eq!(keys.attest_keys(&class(CLASS), &maker).count(), 0, "a class is not the device");
    assert_eq!(keys.identity_keys(&device(CLASS), &maker).count(), 0);
}

#[test]
fn a_manifest_of_many_tags_says_all_of_it() {
    let endorse =
        |name: &str| Triples { endorsed: vec![values(class(CLASS), &[named(name)])], ..Triples::default() };
    let mut corim = manifest("many", endorse("one"));
    corim.tags.push(Tag::Comid(comid("second", endorse("two"))));
    let many = uploaded(&corim);
    assert_eq!(endorsed(&augmented(&[evidence(device(CLASS), &[BOOT])], &[&many])), ["one", "two"]);
}

#[test]
fn a_state_holds_so_many_claims_and_no_more() {
    let endorse = Triples { endorsed: vec![values(class(CLASS), &[named("one")])], ..Triples::default() };
    let endorse = uploaded(&manifest("one", endorse));
    let found = |count: usize| vec![evidence(device(CLASS), &[BOOT]); count];
    let mut state = StateSet::new(found(MAX_STATE - 1));
    assert_eq!((state.augment(&[&endorse]), state.ects().len()), (Ok(()), MAX_STATE));
    let mut state = StateSet::new(found(MAX_STATE));
    assert_eq!((state.augment(&[&endorse]), state.ects().len()), (Err(Exhausted), MAX_STATE));
}

/// A tower of domains, each a member of the next, given from the top.
#[test]
fn domains_may_be_many_and_take_no_more_than_their_share() {
    let layer = |layer: u64| {
        let class = corim::Class { layer: Some(layer), ..corim::Class::default() };
        Environment { class: Some(class), ..Environment::default() }
    };
    let tower = |height: u64| {
        let step = |number| DomainTriple { domain: layer(number), others: vec![layer(number - 1)] };
        let membership = (1..=height).rev().map(step).collect();
        uploaded(&manifest("tower", Triples { membership, ..Triples::default() }))
    };
    let found = [evidence(layer(0), &[BOOT])];
    assert_eq!(augmented(&found, &[&tower(1000)]).memberships().len(), 1000);
    assert_eq!(StateSet::new(found.to_vec()).augment(&[&tower(2000)]), Err(Exhausted));
}

/// A condition about two claims holds where one authority makes both, and where they are not of different states.
#[test]
fn claims_of_one_authority_are_one_state_unless_they_contradict() {
    let said = |measurement: Measurement| Triples {
        endorsed: vec![values(class(CLASS), &[measurement])],
        ..Triples::default()
    };
    let both = rule(values(class(CLASS), &[svn(1), named("a")]), values(class(CLASS + 1), &[named("both")]));
    let both = uploaded(&manifest("both", Triples { conditional: vec![both], ..Triples::default() }));
    let found = [evidence(device(CLASS), &[BOOT])];
    let state = |one: &VerifiedCorim, other: &VerifiedCorim| augmented(&found, &[&both, one, other]);
    let (one, other) = (manifest("one", said(svn(1))), manifest("other", said(named("a"))));
    let together = state(&signed(&one, 3), &signed(&other, 3));
    assert_eq!((together.ects().len(), endorsed(&together)), (3, vec!["a", "both"]));
    let apart = state(&signed(&one, 3), &signed(&other, 4));
    assert_eq!((apart.ects().len(), endorsed(&apart)), (3, vec!["a"]));
    let contradiction = manifest("contradiction", said(svn(2)));
    let states = state(&signed(&one, 3), &signed(&contradiction, 3));
    assert_eq!(states.ects().len(), 3, "two states of one element");
}

#[test]
fn what_a_replaced_tag_says_is_disregarded() {
    let said =
        |name: &str| Triples { endorsed: vec![values(class(CLASS), &[named(name)])], ..Triples::default() };
    let mut corim = manifest("fixed", said("wrong"));
    let mut correction = comid("correction", said("right"));
    let id = corim::TagId::Text("fixed/comid".into());
    correction.linked_tags.push(corim::LinkedTag { id, relation: corim::LinkedTag::REPLACES });
    corim.tags.push(Tag::Comid(correction));
    let fixed = uploaded(&corim);
    assert_eq!(endorsed(&augmented(&[evidence(device(CLASS), &[BOOT])], &[&fixed])), ["right"]);
}
