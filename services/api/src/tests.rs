use serde_json::{Value, from_value, json, to_value};

use super::*;

#[test]
fn session_uses_the_field_names_of_running_verifiers() {
    let session = Session {
        status: SessionStatus::Complete,
        nonce: Base64Url(vec![0xfb, 0xff]),
        expiry: "2026-01-01T00:00:00Z".into(),
        accept: vec![EVIDENCE.into()],
        evidence: None,
        result: Some("a.b.c".into()),
        sextant_result: Some(Base64Url(vec![1])),
        device_token: Some("t".into()),
        next_attestation: Some(60),
    };
    let json = json!({
        "status": "complete", "nonce": "-_8", "expiry": "2026-01-01T00:00:00Z", "accept": [EVIDENCE],
        "result": "a.b.c", "sextant.result": "AQ", "sextant.device-token": "t", "sextant.next-attestation": 60,
    });
    assert_eq!(to_value(&session).unwrap(), json);
    assert_eq!(from_value::<Session>(json).unwrap(), session);
}

#[test]
fn session_accepts_the_field_names_of_the_written_api() {
    let json = json!({ "state": "waiting", "nonce": "-_8=", "expiry": "x", "accept": [] });
    let session: Session = from_value(json).unwrap();
    assert_eq!((session.status, session.nonce), (SessionStatus::Waiting, Base64Url(vec![0xfb, 0xff])));
}

#[test]
fn refuses_what_is_no_base64url() {
    for text in ["+/8", "a", "AQ==x", "é"] {
        assert!(from_value::<Base64Url>(json!(text)).is_err(), "{text}");
    }
}

#[test]
fn words_of_states_are_those_on_the_wire() {
    for state in CampaignState::ALL {
        assert_eq!(to_value(state).unwrap(), state.as_str());
        assert_eq!(CampaignState::from_text(state.as_str()), Some(state));
    }
    for verdict in ReportVerdict::ALL {
        assert_eq!(to_value(verdict).unwrap(), verdict.as_str());
        assert_eq!(ReportVerdict::from_text(verdict.as_str()), Some(verdict));
    }
    for step in DeviceProgress::ALL {
        assert_eq!(to_value(step).unwrap(), step.as_str());
        assert_eq!(DeviceProgress::from_text(step.as_str()), Some(step));
    }
    for profile in [Profile::Release, Profile::UpdateOnly, Profile::Blocked] {
        assert_eq!(to_value(profile).unwrap(), profile.as_str());
    }
}

#[test]
fn poll_of_the_update_api_has_its_links() {
    let poll = Poll {
        config: PollConfig { polling: Polling { sleep: "00:00:30".into() } },
        links: PollLinks {
            deployment_base: Some(Href { href: "https://h/x".into() }),
            ..PollLinks::default()
        },
        update_answer: None,
    };
    let json = json!({
        "config": { "polling": { "sleep": "00:00:30" } }, "_links": { "deploymentBase": { "href": "https://h/x" } },
    });
    assert_eq!(to_value(&poll).unwrap(), json);
    let idle: Poll = from_value(json!({ "config": { "polling": { "sleep": "00:00:30" } } })).unwrap();
    assert_eq!((idle.links, idle.update_answer), (PollLinks::default(), None));
    let signed = Poll { update_answer: Some(Base64Url(vec![0xfb])), ..poll };
    assert_eq!(to_value(&signed).unwrap()["updateAnswer"], "-w");
}

#[test]
fn report_needs_only_the_gateway_name() {
    let report: GatewayReport = from_value(json!({ "gateway": "gw" })).unwrap();
    assert_eq!(report, GatewayReport { gateway: "gw".into(), ..GatewayReport::default() });
}

#[test]
fn a_restriction_that_is_not_known_closes_everything_and_must_be_mentioned() {
    let device =
        |held: Value| json!({ "ueid": "01", "name": "a", "model": "m", "result": null, "held": held });
    let rows = [
        (json!(null), None),
        (json!(false), None),
        (json!(true), Some(Restriction::Blocked)),
        (json!("blocked"), Some(Restriction::Blocked)),
        (json!("update-only"), Some(Restriction::UpdateOnly)),
        (json!("release"), Some(Restriction::Blocked)),
        (json!(""), Some(Restriction::Blocked)),
        (json!(["update-only"]), Some(Restriction::Blocked)),
    ];
    for (held, restriction) in rows {
        assert_eq!(from_value::<GatewayDevice>(device(held.clone())).unwrap().held, restriction, "{held}");
    }
    assert!(
        from_value::<GatewayDevice>(json!({ "ueid": "01", "name": "a", "model": "m", "result": null }))
            .is_err()
    );
    for restriction in [Restriction::Blocked, Restriction::UpdateOnly] {
        assert_eq!(to_value(restriction).unwrap(), restriction.as_str());
    }
}

#[test]
fn device_key_is_read_in_each_form() {
    let device = |key: Value| json!({ "name": "a", "model": "m", "ueid": "01", "key": key });
    let text: EnrolDevice = from_value(device(json!("AQ"))).unwrap();
    assert_eq!(text.key, EnrolKey::Text("AQ".into()));
    let jwk: EnrolDevice = from_value(device(json!({ "kty": "EC" }))).unwrap();
    assert_eq!(jwk.key, EnrolKey::Jwk(json!({ "kty": "EC" })));
}
