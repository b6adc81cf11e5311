//! Campaigns: what is left of one, and from which state it moves.

use super::*;

#[tokio::test]
async fn whether_canaries_are_open_is_asked_of_canaries_alone() {
    let (_folder, store) = store().await;
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", crate::campaigns::CANARIES));
    let plan = sqlx::query(explain).bind(1).fetch_one(&store.readers).await.unwrap();
    let plan: String = sqlx::Row::get(&plan, "detail");
    assert!(plan.contains("campaign_devices_by_wave (campaign=? AND wave=?)"), "{plan}");
}

#[tokio::test]
async fn what_is_left_of_a_campaign_is_what_must_move_and_how_much_is_open() {
    let (_folder, store) = store().await;
    store.enrol((1..=4).map(device).collect(), "olga", NOW).await.unwrap();
    let ids: Vec<_> = (1..=4).map(|number| device(number).id).collect();
    let waves = [0, 0, 1, 1];
    let devices = ids.iter().cloned().zip(waves).collect();
    let new = NewCampaign { release: release_id(5), selector: "model:welcome-cam".into(), devices };
    let id = store.add_campaign(new, "olga", NOW).await.unwrap();
    let campaign = store.campaign(id).await.unwrap().unwrap();
    let left = async |now: Timestamp| {
        let left = store.remainder(&campaign, "trusted", now).await.unwrap();
        let devices =
            |parts: Vec<CampaignDevice>| parts.into_iter().map(|part| part.device).collect::<Vec<_>>();
        (left.open, devices(left.attested), devices(left.overdue), left.failed_canary.map(|part| part.device))
    };
    assert_eq!(left(NOW).await, (4, vec![], vec![], None));

    // The first runs the release and is trusted; the second runs it and is not.
    for (number, posture) in [(1, "trusted"), (2, "outdated")] {
        let device = device(number).id;
        let decision = decision(&device, posture, 0);
        store.record_result(result(number, &device), Some(decision)).await.unwrap();
    }
    // The third began, the fourth did not.
    let parts = store.campaign_devices(id).await.unwrap();
    let change = |part: &CampaignDevice, to: &str| DeviceChange {
        action: part.id,
        from: part.state.clone(),
        to: to.into(),
        reason: None,
    };
    assert_eq!(store.change_parts(vec![change(&parts[2], "proceeding")], "server", NOW).await.unwrap(), 1);
    assert_eq!(left(NOW.plus_seconds(-1)).await, (4, vec![ids[0].clone()], vec![], None));
    assert_eq!(left(NOW).await, (4, vec![ids[0].clone()], vec![ids[2].clone()], None));

    // One change that comes too late keeps no other from being made.
    let late = DeviceChange { from: "reported".into(), ..change(&parts[3], "attested") };
    let changes = vec![change(&parts[0], "attested"), late, change(&parts[1], "failed")];
    assert_eq!(store.change_parts(changes, "server", NOW).await.unwrap(), 2);
    assert_eq!(left(NOW).await, (2, vec![], vec![ids[2].clone()], Some(ids[1].clone())));
}

#[tokio::test]
async fn campaign_moves_only_from_the_state_it_is_in() {
    let (_folder, store) = store().await;
    let devices = vec![(device(1).id, 0), (device(2).id, 1)];
    let campaign = NewCampaign { release: release_id(5), selector: "model:welcome-cam".into(), devices };
    let id = store.add_campaign(campaign, "olga", NOW).await.unwrap();
    let start = CampaignChange { campaign: id, from: "draft".into(), to: "running".into(), reason: None };
    assert!(store.offers(&device(1).id).await.unwrap().is_empty());
    store.change_campaign(start.clone(), "olga", NOW).await.unwrap();
    assert!(matches!(store.change_campaign(start, "olga", NOW).await, Err(Error::Conflict(_))));
    let offers = store.offers(&device(1).id).await.unwrap();
    assert_eq!((offers.len(), offers[0].part.wave, offers[0].campaign.canaries), (1, 0, 1));
    assert!(!store.canaries_passed(id).await.unwrap());
    let action = offers[0].part.id;
    let attested = DeviceChange { action, from: "waiting".into(), to: "attested".into(), reason: None };
    store.change_part(attested, "server", NOW).await.unwrap();
    assert!(store.canaries_passed(id).await.unwrap());
    assert!(store.offers(&device(1).id).await.unwrap().is_empty());
    let states: Vec<_> =
        store.campaign_devices(id).await.unwrap().into_iter().map(|part| part.state).collect();
    assert_eq!(states, ["attested", "waiting"]);
}

#[tokio::test]
async fn canaries_that_cannot_process_the_release_prove_nothing() {
    let (_folder, store) = store().await;
    let devices = vec![(device(1).id, 0), (device(2).id, 0), (device(3).id, 1)];
    let campaign = NewCampaign { release: release_id(5), selector: "model:welcome-cam".into(), devices };
    let id = store.add_campaign(campaign, "olga", NOW).await.unwrap();
    let start = CampaignChange { campaign: id, from: "draft".into(), to: "running".into(), reason: None };
    store.change_campaign(start, "olga", NOW).await.unwrap();
    for (number, to, passed) in [(1, "unsupported", false), (2, "unsupported", false), (2, "attested", true)]
    {
        let part = store.parts_to_begin(&device(number).id).await.unwrap().remove(0).part;
        let change = DeviceChange { action: part.id, from: part.state, to: to.into(), reason: None };
        store.change_part(change, "server", NOW).await.unwrap();
        assert_eq!(store.canaries_passed(id).await.unwrap(), passed, "{number} {to}");
        let campaign = store.campaign(id).await.unwrap().unwrap();
        let left = store.remainder(&campaign, "trusted", NOW).await.unwrap();
        let lacking = left.unsupported_canary.map(|part| part.device);
        let none_can = number == 2 && to == "unsupported";
        assert_eq!(lacking, none_can.then(|| device(1).id), "{number} {to}");
        assert_eq!(left.open, if number == 1 { 2 } else { 1 }, "{number} {to}");
    }
    assert!(store.offers(&device(1).id).await.unwrap().is_empty());
    assert_eq!(store.parts_to_begin(&device(1).id).await.unwrap().len(), 1);
    assert!(store.parts_to_begin(&device(2).id).await.unwrap().is_empty());
    let devices = vec![(device(3).id, 1)];
    let without = NewCampaign { release: release_id(5), selector: "model:welcome-cam".into(), devices };
    let without = store.add_campaign(without, "olga", NOW).await.unwrap();
    assert!(store.canaries_passed(without).await.unwrap());
}
