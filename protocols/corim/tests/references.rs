//! Evidence is covered by one release, or there is a reason why not; and how many releases there are does not matter.

#![allow(clippy::print_stderr, reason = "what was counted is said")]

mod common;

use common::{CLASS, Component, class, comid, device, evidence, release, signed, triple, uploaded};
use corim::{
    Ect, MeasurementValues, Outcome, References, ReleaseId, ReleaseUnit, Subject, Svn, Tag, Triples,
};
use sextant_corim as corim;

const BOOT: Component = Component("BL", 1, 7);
const APP: Component = Component("ARoT", 2, 7);
const NEWER_APP: Component = Component("ARoT", 3, 7);

fn judge(references: &References, evidence: &[Ect]) -> Outcome {
    references.appraise(evidence, |_| true).outcome
}

fn two_releases() -> (References, ReleaseId, ReleaseId) {
    let mut references = References::new();
    let first = references.add(&uploaded(&release("first", &[BOOT, APP])), ReleaseUnit::Comid);
    let newer_boot = Component("BL", 4, 7);
    let second = references.add(&uploaded(&release("second", &[newer_boot, NEWER_APP])), ReleaseUnit::Comid);
    (references, first[0].clone(), second[0].clone())
}

#[test]
fn each_way_not_to_match_has_its_own_outcome() {
    let (references, first, second) = two_releases();
    let subject = |element| Subject { ect: 0, element };
    let extra = Component("TS", 9, 7);
    let other_signer = Component("ARoT", 2, 8);
    let unknown = Component("ARoT", 99, 7);
    let newer_boot = Component("BL", 4, 7);
    let rows: [(&str, Vec<Component>, Outcome); 9] = [
        ("first", vec![BOOT, APP], Outcome::Match(first.clone())),
        ("second, in another order", vec![NEWER_APP, newer_boot], Outcome::Match(second)),
        ("mix", vec![BOOT, NEWER_APP], Outcome::MixedReleases),
        ("subset of a release", vec![BOOT], Outcome::ComponentMissing(first)),
        ("superset", vec![BOOT, APP, extra], Outcome::ComponentUnknown(subject(2))),
        ("another signer", vec![BOOT, other_signer], Outcome::WrongSigner(subject(1))),
        ("another digest", vec![BOOT, unknown], Outcome::Mismatch(subject(1))),
        ("a component more, known from another release", vec![BOOT, APP, newer_boot], Outcome::MixedReleases),
        ("nothing", vec![], Outcome::NothingMeasured),
    ];
    for (row, components, outcome) in rows {
        assert_eq!(judge(&references, &[evidence(device(CLASS), &components)]), outcome, "{row}");
    }
    let elsewhere = evidence(device(CLASS + 1), &[BOOT, APP]);
    assert_eq!(judge(&references, &[elsewhere]), Outcome::NoReference);
    assert_eq!(judge(&References::new(), &[evidence(device(CLASS), &[BOOT])]), Outcome::NoReference);
}

#[test]
fn only_those_who_may_speak_about_a_device_are_heard() {
    let mut references = References::new();
    let ids = references.add(&signed(&release("first", &[BOOT, APP]), 3), ReleaseUnit::Comid);
    let evidence = [evidence(device(CLASS), &[BOOT, APP])];
    let appraisal = references.appraise(&evidence, |_| false);
    assert_eq!(appraisal.outcome, Outcome::WrongAuthority(ids[0].clone()));
    // The same manifest of another signer is another release, and the one that is heard counts.
    let others = references.add(&signed(&release("first", &[BOOT, APP]), 4), ReleaseUnit::Comid);
    assert_ne!(ids, others);
    let appraisal = references.appraise(&evidence, |release| release.id == ids[0]);
    assert_eq!(appraisal.outcome, Outcome::Match(ids[0].clone()));
}

#[test]
fn what_was_removed_is_no_longer_expected() {
    let (mut references, first, second) = two_releases();
    let all = [evidence(device(CLASS), &[BOOT, APP])];
    assert!(references.remove(&first) && !references.remove(&first));
    assert_eq!(references.get(&first), None);
    assert!(matches!(judge(&references, &all), Outcome::Mismatch(_)));
    assert!(references.remove(&second) && references.is_empty());
    assert_eq!(judge(&references, &all), Outcome::NoReference);
    // A manifest under the same name and signer replaces what it said before.
    let (mut references, ..) = two_releases();
    references.add(&uploaded(&release("first", &[BOOT, NEWER_APP])), ReleaseUnit::Comid);
    assert_eq!(references.len(), 2);
    assert!(matches!(judge(&references, &all), Outcome::Mismatch(_)));
}

#[test]
fn releases_about_an_environment_are_found_the_last_first_and_no_more_than_are_looked_at() {
    let (mut references, first, second) = two_releases();
    let about = |references: &References, class| {
        let (releases, all) = references.about(&device(class));
        (releases.into_iter().map(|release| release.id.clone()).collect::<Vec<_>>(), all)
    };
    assert_eq!(about(&references, CLASS), (vec![second.clone(), first.clone()], true));
    assert_eq!(about(&references, CLASS + 1), (vec![], true));
    references.remove(&second);
    assert_eq!(about(&references, CLASS), (vec![first], true));
    for number in 1..=corim::MAX_CANDIDATES {
        assert!(about(&references, CLASS).1, "{number}");
        references.add(&uploaded(&release(&format!("{number}"), &[BOOT])), ReleaseUnit::Comid);
    }
    let (releases, all) = about(&references, CLASS);
    assert_eq!((releases.len(), all), (corim::MAX_CANDIDATES, false));
}

#[test]
fn triples_of_the_same_elements_are_other_states_and_of_others_are_missing() {
    // Two triples of one release: two states of the application.
    let mut corim = release("states", &[BOOT, APP]);
    let Tag::Comid(comid) = &mut corim.tags[0] else { panic!("a CoMID") };
    comid.triples.reference.push(triple(class(CLASS), &[BOOT, NEWER_APP]));
    let mut references = References::new();
    let ids = references.add(&uploaded(&corim), ReleaseUnit::Comid);
    for app in [APP, NEWER_APP] {
        let outcome = judge(&references, &[evidence(device(CLASS), &[BOOT, app])]);
        assert_eq!(outcome, Outcome::Match(ids[0].clone()));
    }
    // A triple for each component: all of them must be there.
    let mut corim = release("apart", &[Component("BL", 11, 7)]);
    let Tag::Comid(comid) = &mut corim.tags[0] else { panic!("a CoMID") };
    comid.triples.reference.push(triple(class(CLASS), &[Component("ARoT", 12, 7)]));
    let ids = references.add(&uploaded(&corim), ReleaseUnit::Comid);
    let whole = [Component("BL", 11, 7), Component("ARoT", 12, 7)];
    assert_eq!(judge(&references, &[evidence(device(CLASS), &whole)]), Outcome::Match(ids[0].clone()));
    let part = evidence(device(CLASS), &whole[..1]);
    assert_eq!(judge(&references, &[part]), Outcome::ComponentMissing(ids[0].clone()));
}

#[test]
fn all_environments_of_a_release_must_be_there_and_be_of_one() {
    let (one, two) = (class(CLASS), class(CLASS + 1));
    let mut corim = release("composite", &[BOOT]);
    let Tag::Comid(first) = &mut corim.tags[0] else { panic!("a CoMID") };
    first.triples.reference.push(triple(two.clone(), &[APP]));
    let both = [evidence(one.clone(), &[BOOT]), evidence(two.clone(), &[APP])];
    let mut references = References::new();
    let ids = references.add(&uploaded(&corim), ReleaseUnit::Comid);
    assert_eq!(judge(&references, &both), Outcome::Match(ids[0].clone()));
    assert_eq!(judge(&references, &both[..1]), Outcome::ComponentMissing(ids[0].clone()));
    // Where a CoMID describes several products, each environment is a release of its own.
    let mut references = References::new();
    let ids = references.add(&uploaded(&corim), ReleaseUnit::Environment);
    assert_eq!(ids.len(), 2);
    assert!(matches!(judge(&references, &both[..1]), Outcome::Match(_)));
    assert_eq!(judge(&references, &both), Outcome::MixedReleases);
    // And CoMIDs of one manifest are one release when the caller says so.
    let second = comid("b", Triples { reference: vec![triple(two, &[APP])], ..Triples::default() });
    let mut corim = release("parts", &[BOOT]);
    corim.tags.push(Tag::Comid(second));
    for (unit, matches) in [(ReleaseUnit::Corim, true), (ReleaseUnit::Comid, false)] {
        let mut references = References::new();
        references.add(&uploaded(&corim), unit);
        assert_eq!(matches!(judge(&references, &both), Outcome::Match(_)), matches, "{unit:?}");
    }
}

#[test]
fn a_comid_that_another_replaces_is_passed_over() {
    let mut corim = release("fixed", &[BOOT]);
    let fixed = Triples { reference: vec![triple(class(CLASS), &[APP])], ..Triples::default() };
    let mut correction = comid("correction", fixed);
    correction.linked_tags.push(corim::LinkedTag {
        id: corim::TagId::Text("fixed/comid".into()),
        relation: corim::LinkedTag::REPLACES,
    });
    corim.tags.push(Tag::Comid(correction));
    let mut references = References::new();
    assert_eq!(references.add(&uploaded(&corim), ReleaseUnit::Comid).len(), 1);
    let of_replaced = judge(&references, &[evidence(class(CLASS), &[BOOT])]);
    assert_eq!(of_replaced, Outcome::ComponentUnknown(Subject { ect: 0, element: 0 }));
    assert!(matches!(judge(&references, &[evidence(class(CLASS), &[APP])]), Outcome::Match(_)));
}

/// What cannot be looked up by value is found by its element, and the number of candidates has a bound.
#[test]
fn minimal_versions_match_and_too_many_of_them_are_not_looked_at() {
    let minimum = |id: &str, min| {
        let mut corim = release(id, &[BOOT]);
        corim.profile = None;
        let Tag::Comid(comid) = &mut corim.tags[0] else { panic!("a CoMID") };
        let values = MeasurementValues { svn: Some(Svn::Min(min)), ..MeasurementValues::default() };
        comid.triples.reference[0].measurements = vec![corim::Measurement::new(values)];
        corim
    };
    let found = |svn| {
        let values = MeasurementValues { svn: Some(Svn::Bare(svn)), ..MeasurementValues::default() };
        let element = corim::Element { key: None, values };
        [Ect::evidence(class(CLASS), vec![element], Vec::new())]
    };
    let mut references = References::new();
    let ids = references.add(&uploaded(&minimum("one", 5)), ReleaseUnit::Comid);
    assert_eq!(judge(&references, &found(6)), Outcome::Match(ids[0].clone()));
    assert!(matches!(judge(&references, &found(4)), Outcome::Mismatch(_)));
    for number in 1..corim::MAX_CANDIDATES {
        references.add(&uploaded(&minimum(&format!("more-{number}"), 7)), ReleaseUnit::Comid);
    }
    assert_eq!(judge(&references, &found(6)), Outcome::Match(ids[0].clone()), "at the limit");
    references.add(&uploaded(&minimum("one too many", 7)), ReleaseUnit::Comid);
    assert_eq!(judge(&references, &found(6)), Outcome::TooManyCandidates);
    assert!(matches!(judge(&references, &found(7)), Outcome::Match(_)));
}

/// Ten thousand releases that share their boot loader. What is counted is every entry and measurement looked at.
#[test]
fn ten_thousand_releases_take_no_more_looks_than_ten() {
    let app = |number: u32| Component("ARoT", 1000 + number, 7);
    let looks = |count: u32| {
        let mut references = References::new();
        for number in 0..count {
            references
                .add(&uploaded(&release(&format!("r{number}"), &[BOOT, app(number)])), ReleaseUnit::Comid);
        }
        assert_eq!(references.len(), count as usize);
        let rows: [&[Component]; 6] = [
            &[BOOT, app(0)],
            &[BOOT, app(count - 1)],
            &[BOOT, Component("ARoT", 5, 7)],
            &[Component("BL", 5, 7), app(3)],
            &[app(2), app(3)],
            &[BOOT],
        ];
        rows.map(|components| {
            let appraisal = references.appraise(&[evidence(device(CLASS), components)], |_| true);
            (std::mem::discriminant(&appraisal.outcome), appraisal.comparisons)
        })
    };
    let (few, many) = (looks(10), looks(10_000));
    eprintln!("looks for each row: {:?}", many.each_ref().map(|(_, looks)| looks));
    for (row, (few, many)) in few.iter().zip(&many).enumerate() {
        assert_eq!(few.0, many.0, "row {row}");
        assert!(many.1 <= few.1, "row {row}: {} looks among ten, {} among ten thousand", few.1, many.1);
    }
}

/// The same where one CoMID lists every state a device may be in.
#[test]
fn thousands_of_states_of_one_release_are_not_gone_through() {
    let app = |number: u32| Component("ARoT", 1000 + number, 7);
    let looks = |count: u32| {
        let mut corim = release("states", &[BOOT, app(0)]);
        let Tag::Comid(comid) = &mut corim.tags[0] else { panic!("a CoMID") };
        comid.triples.reference.extend((1..count).map(|number| triple(class(CLASS), &[BOOT, app(number)])));
        let mut references = References::new();
        let ids = references.add(&uploaded(&corim), ReleaseUnit::Comid);
        let judge =
            |components: &[Component]| references.appraise(&[evidence(device(CLASS), components)], |_| true);
        let whole = judge(&[BOOT, app(count / 2)]);
        assert_eq!(whole.outcome, Outcome::Match(ids[0].clone()));
        let part = judge(&[BOOT]);
        assert_eq!(part.outcome, Outcome::ComponentMissing(ids[0].clone()));
        (whole.comparisons, part.comparisons)
    };
    let ((whole, _), (whole_of_many, part_of_many)) = (looks(10), looks(2000));
    // What fewest states share is looked for first; how many share the rest is counted up to a limit.
    assert!(whole_of_many <= whole + corim::MAX_CANDIDATES, "{whole_of_many} looks");
    assert!(part_of_many <= 4 * corim::MAX_CANDIDATES, "{part_of_many} looks");
}

/// One release of so many elements that holding them against so many measured is more than one device is worth.
#[test]
fn comparisons_have_a_bound() {
    let judge_many = |count: u64| {
        let element = |number| {
            let values = MeasurementValues { svn: Some(Svn::Bare(number)), ..MeasurementValues::default() };
            let key = Some(corim::MeasuredElement::Number(number));
            corim::Measurement { key, ..corim::Measurement::new(values) }
        };
        let measurements: Vec<_> = (0..count).map(element).collect();
        let elements = measurements.iter().map(corim::Element::from).collect();
        let reference = vec![corim::ValuesTriple { environment: class(CLASS), measurements }];
        let mut references = References::new();
        let manifest = common::manifest("many", Triples { reference, ..Triples::default() });
        references.add(&uploaded(&manifest), ReleaseUnit::Comid);
        references.appraise(&[Ect::evidence(class(CLASS), elements, Vec::new())], |_| true)
    };
    let fits = judge_many(999);
    assert!(matches!(fits.outcome, Outcome::Match(_)) && fits.comparisons <= corim::MAX_COMPARISONS);
    assert_eq!(judge_many(1001).outcome, Outcome::TooManyCandidates);
}
