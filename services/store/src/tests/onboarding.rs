//! What is made, registered and onboarded.

use super::*;

fn guid(byte: u8) -> Guid {
    Guid([byte; 16])
}

fn redirect(byte: u8, owner: &str, session: i64) -> Redirect {
    Redirect {
        guid: guid(byte),
        bytes: vec![byte],
        device_key: vec![7],
        owner: owner.into(),
        session_at: NOW.plus_seconds(session),
        expires: NOW.plus_seconds(session + 100),
    }
}

const QUOTA: RedirectQuota = RedirectQuota { of_owner: 2, of_all: 3 };

#[tokio::test]
async fn a_redirection_is_taken_once_a_session_within_quotas_and_until_it_ends() {
    let (_folder, store) = store().await;
    let register = async |redirect| store.register(redirect, QUOTA, NOW).await.unwrap();
    assert_eq!(register(redirect(1, "a", 1)).await, Ok(()));
    assert_eq!(register(redirect(1, "a", 1)).await, Err(Unregistered::SessionUsed), "replayed");
    assert_eq!(register(redirect(1, "a", 0)).await, Err(Unregistered::SessionUsed), "older");
    assert_eq!(register(redirect(1, "b", 2)).await, Ok(()), "the owner it was sold to");
    assert_eq!(register(redirect(2, "a", 1)).await, Ok(()));
    assert_eq!(register(redirect(3, "a", 1)).await, Ok(()));
    assert_eq!(register(redirect(4, "a", 1)).await, Err(Unregistered::OwnerFull));
    assert_eq!(register(redirect(4, "c", 1)).await, Err(Unregistered::Full));
    assert_eq!(register(redirect(3, "a", 5)).await, Ok(()), "a renewal takes no more room");

    let good = async |byte, at: i64| store.redirect(&guid(byte), NOW.plus_seconds(at)).await.unwrap();
    assert_eq!(good(1, 101).await, Some(redirect(1, "b", 2)));
    assert_eq!(good(1, 102).await, None);
    assert_eq!(store.redirects(Some(&guid(1)), NOW, 10).await.unwrap().len(), 2);
    store.forget_redirects(NOW.plus_seconds(103)).await.unwrap();
    assert_eq!(store.redirects(None, NOW, 10).await.unwrap().len(), 1);
    store.remove_redirect(guid(3), "olga", NOW).await.unwrap();
    assert!(matches!(store.remove_redirect(guid(3), "olga", NOW).await, Err(Error::Absent(_))));
}

#[tokio::test]
async fn a_made_device_is_sold_from_the_voucher_that_it_has() {
    let (_folder, store) = store().await;
    let made = MadeDevice {
        guid: guid(1),
        serial: "s-1".into(),
        info: "camera".into(),
        voucher: vec![1],
        sold_to: None,
        made_at: NOW,
        changed_at: NOW,
    };
    store.add_made(made.clone(), "factory").await.unwrap();
    store.add_made(made.clone(), "factory").await.unwrap();
    let other = MadeDevice { voucher: vec![2], ..made.clone() };
    assert!(matches!(store.add_made(other, "factory").await, Err(Error::Conflict(_))));
    let sell = async |before: u8, after: u8| {
        store.sell(guid(1), vec![before], vec![after], "ab".into(), "olga", NOW.plus_seconds(1)).await
    };
    assert!(matches!(sell(9, 3).await, Err(Error::Conflict(_))));
    sell(1, 3).await.unwrap();
    let sold = store.made(&guid(1)).await.unwrap().unwrap();
    assert_eq!((sold.voucher, sold.sold_to.as_deref()), (vec![3], Some("ab")));
    assert_eq!(store.made_devices(None, 10).await.unwrap().len(), 1);
    assert_eq!(store.made_devices(Some(&guid(1)), 10).await.unwrap(), []);
    assert_eq!(store.audit_after(0, 10).await.unwrap().len(), 2);
}

fn expected(byte: u8) -> NewOnboarding {
    NewOnboarding {
        guid: guid(byte),
        info: "camera".into(),
        name: String::new(),
        group: "hall".into(),
        template: String::new(),
        register_at: Some(NOW),
    }
}

fn end(byte: u8, session: i64, becomes: Option<u8>) -> Onboarded {
    Onboarded {
        guid: guid(byte),
        session_at: NOW.plus_seconds(session),
        replacement: becomes.map(|byte| (guid(byte), vec![byte])),
        device: device(1),
        register_at: None,
        detail: json!({}),
        at: NOW.plus_seconds(session),
    }
}

#[tokio::test]
async fn a_device_is_set_up_again_until_it_was_seen_as_what_it_became() {
    let (_folder, store) = store().await;
    store.expect_devices(vec![expected(1)], NOW).await.unwrap();
    store.expect_devices(vec![expected(1)], NOW.plus_seconds(9)).await.unwrap();
    let state = async |byte| store.onboarding(&guid(byte)).await.unwrap().map(|found| found.state);
    assert_eq!(state(1).await, Some(OnboardingState::Waiting));

    store.onboarded(end(1, 10, Some(2))).await.unwrap();
    assert_eq!(
        (state(1).await, state(2).await),
        (Some(OnboardingState::Replaced), Some(OnboardingState::Onboarded))
    );
    // The answer was lost on its way; the same message comes again, and later the device itself.
    store.onboarded(end(1, 10, Some(2))).await.unwrap();
    assert!(matches!(store.onboarded(end(1, 9, Some(3))).await, Err(Error::Conflict(_))), "an older session");
    store.onboarded(end(1, 20, Some(3))).await.unwrap();
    assert_eq!((state(2).await, state(3).await), (None, Some(OnboardingState::Onboarded)));
    assert_eq!(store.onboarding(&guid(3)).await.unwrap().unwrap().follows, Some(guid(1)));
    assert_eq!(store.confirm_replacements(NOW).await.unwrap(), 0, "it did not attest yet");
    store.record_result(result(1, &device(1).id), None).await.unwrap();
    let confirmed = store.confirm_replacements(NOW.plus_seconds(30)).await.unwrap();
    // What the result says of the time decides: it came before the device was set up.
    assert_eq!(confirmed, 0);
    store
        .record_result(NewResult { received_at: NOW.plus_seconds(40), ..result(2, &device(1).id) }, None)
        .await
        .unwrap();
    assert_eq!(store.confirm_replacements(NOW.plus_seconds(41)).await.unwrap(), 1);
    assert_eq!(state(1).await, Some(OnboardingState::Retired));
    assert!(matches!(store.onboarded(end(1, 50, Some(4))).await, Err(Error::Conflict(_))));
    let words: Vec<_> =
        store.onboarding_events(&guid(1)).await.unwrap().into_iter().map(|event| event.event).collect();
    assert_eq!(words, ["confirmed", "replaced", "replaced", "expected"]);
}

#[tokio::test]
async fn a_device_with_another_key_is_not_enrolled_in_the_place_of_one_that_is() {
    let (_folder, store) = store().await;
    store.expect_devices(vec![expected(1)], NOW).await.unwrap();
    store.enrol(vec![device(1)], "olga", NOW).await.unwrap();
    let mut other = end(1, 10, None);
    other.device.thumbprint = vec![0xee; 32];
    assert!(matches!(store.onboarded(other).await, Err(Error::Conflict("the device's key"))));
    // The same key: it was retired, and comes back.
    store.retire(&device(1).id, "olga", NOW).await.unwrap();
    store.onboarded(end(1, 11, None)).await.unwrap();
    assert_eq!(store.device(&device(1).id).await.unwrap().unwrap().retired_at, None);
    assert!(matches!(store.onboarded(end(9, 11, None)).await, Err(Error::Absent(_))));
}

#[tokio::test]
async fn failures_are_counted_and_told_once_and_a_retry_forgets_them() {
    let (_folder, store) = store().await;
    store.expect_devices(vec![expected(1)], NOW).await.unwrap();
    for second in 1..=3 {
        store.onboarding_failed(guid(1), "wrong-nonce", NOW.plus_seconds(second)).await.unwrap();
    }
    let failure = store.onboarding(&guid(1)).await.unwrap().unwrap().failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.times, failure.at), ("wrong-nonce", 3, NOW.plus_seconds(3)));
    assert_eq!(store.onboarding_events(&guid(1)).await.unwrap().len(), 2);
    store.retry_onboarding(guid(1), true, "olga", NOW).await.unwrap();
    assert_eq!(store.onboarding(&guid(1)).await.unwrap().unwrap().failure, None);
    assert!(matches!(store.onboarding_failed(guid(9), "x", NOW).await, Err(Error::Absent(_))));
    // Events are bounded.
    for _ in 0..200 {
        store.onboarding_event(guid(1), "noted", json!({}), NOW).await.unwrap();
    }
    assert_eq!(store.onboarding_events(&guid(1)).await.unwrap().len(), 64);
}

#[tokio::test]
async fn lists_go_back_from_the_newest_change_page_by_page_and_are_counted() {
    let (_folder, store) = store().await;
    store.expect_devices((1..=5).map(expected).collect(), NOW).await.unwrap();
    store.expect_devices(vec![expected(6)], NOW.plus_seconds(1)).await.unwrap();
    store.onboarding_failed(guid(2), "wrong-nonce", NOW.plus_seconds(2)).await.unwrap();
    store.onboarded(end(3, 10, Some(7))).await.unwrap();
    let waiting = OnboardingFilter::State(OnboardingState::Waiting);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.recent_onboardings(waiting, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.changed_at, last.guid));
        seen.extend(page.iter().map(|device| device.guid));
    }
    // Of one moment, by name.
    assert_eq!(seen, [2, 6, 5, 4, 1].map(guid));
    let failed = store.recent_onboardings(OnboardingFilter::Failed, None, 10).await.unwrap();
    assert_eq!(failed.iter().map(|device| device.guid).collect::<Vec<_>>(), [guid(2)]);
    let mut counts = store.onboarding_counts().await.unwrap();
    counts.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    assert_eq!(counts[0], (waiting, 5));
    let one = |filter| counts.contains(&(filter, 1));
    assert!(one(OnboardingFilter::Failed) && one(OnboardingFilter::State(OnboardingState::Replaced)));
    assert_eq!(counts.len(), 4);
    let names: Vec<_> = store.onboardings_of(&end(3, 10, None).device.id).await.unwrap();
    let mut names: Vec<_> = names.into_iter().map(|found| found.guid).collect();
    names.sort();
    assert_eq!(names, [guid(3), guid(7)]);
}

#[tokio::test]
async fn registrations_are_due_noted_and_due_again() {
    let (_folder, store) = store().await;
    store.expect_devices(vec![expected(1), expected(2)], NOW).await.unwrap();
    let due = async |at: i64| store.registrations_due(NOW.plus_seconds(at), 10).await.unwrap().len();
    assert_eq!((due(-1).await, due(0).await), (0, 2));
    let until = NOW.plus_seconds(100);
    let list = vec![
        (guid(1), Registered::Until(until), Some(NOW.plus_seconds(66))),
        (guid(2), Registered::Failed("unreachable".into()), Some(NOW.plus_seconds(10))),
        (guid(9), Registered::Failed("gone".into()), None),
    ];
    store.note_registrations(list.clone(), NOW).await.unwrap();
    store.note_registrations(list, NOW).await.unwrap();
    assert_eq!((due(9).await, due(10).await, due(66).await), (0, 1, 2));
    let failed = store.onboarding(&guid(2)).await.unwrap().unwrap().registration;
    assert_eq!((failed.failure.as_deref(), failed.tries, failed.until), (Some("unreachable"), 2, None));
    assert_eq!(store.onboarding_events(&guid(2)).await.unwrap().len(), 2, "expected, not registered");

    store.onboarding_sold(guid(1), "ab".into(), "olga", NOW).await.unwrap();
    assert!(matches!(
        store.onboarding_sold(guid(1), "ab".into(), "olga", NOW).await,
        Err(Error::Conflict(_))
    ));
    assert_eq!(due(66).await, 1);
    assert!(matches!(store.onboarded(end(1, 10, None)).await, Err(Error::Conflict(_))));
    store.plan_onboarding(guid(2), [None, Some("yard".into()), None], "olga", NOW).await.unwrap();
    let planned = store.onboarding(&guid(2)).await.unwrap().unwrap();
    assert_eq!((planned.group.as_str(), planned.template.as_str()), ("yard", ""));
}

#[tokio::test]
async fn templates_are_kept_replaced_and_removed() {
    let (_folder, store) = store().await;
    let set = async |name: &str, document| {
        store.set_onboarding_template(name.into(), document, json!({}), "olga", NOW).await
    };
    set("cameras", Some(json!({ "group": "hall" }))).await.unwrap();
    set("cameras", Some(json!({ "group": "yard" }))).await.unwrap();
    let templates = store.onboarding_templates().await.unwrap();
    assert_eq!((templates.len(), &templates[0].document["group"]), (1, &json!("yard")));
    set("cameras", None).await.unwrap();
    assert!(matches!(set("cameras", None).await, Err(Error::Absent(_))));
}
