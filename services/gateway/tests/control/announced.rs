//! Devices without attestation: what their URLs give them, what never, and who has the last word.

use api::{Base64Url, GatewayState, ModelState, NetworkAccess, NetworkDevice, NetworkModel};
use gateway::control::{Anchors, Assessment, PolicySource, State, Target};
use gateway::manager::{FaultKind, KnownDevice, Model, OperatorFile, Source, Sources, Unattested};
use gateway::{Announced, Class, DeviceId, Heard, Mac, News, Strength};
use mud::SiteMode;
use trust::{Code, Effect, Scope};

use crate::maker::{
    MAKER_CA, OTHER_CA, URL, announces, approval, bring, came, digest, failed, file, signed, signed_by,
    sources, url, uses,
};
use crate::site::{
    Made, NOW, OPERATOR, STRANGER, address, admit, anchors, answer, codes, id, key, listed, mac, order,
};

const MARCH: &str = "2026-03-01T10:00:00Z";
const APRIL: &str = "2026-04-01T10:00:00Z";
const MAY: &str = "2026-05-01T10:00:00Z";
const A: (&str, u16) = ("203.0.113.10", 443);
const B: (&str, u16) = ("203.0.113.11", 443);
const PLUG: u8 = 100;

fn at(sources: Sources) -> State {
    State::new(Anchors { sources, ..anchors() })
}

fn name(index: u8) -> DeviceId {
    Unattested::id(mac(index)).unwrap()
}

/// A device that announced a URL and has an address.
fn here(state: &mut State, index: u8, at: &str) {
    state.heard(&announces(mac(index), at), NOW);
    state.heard(&uses(mac(index), address(index), NOW + 3600), NOW);
}

/// What a device has: the digest of its file, or nothing.
fn has(state: &mut State, index: u8, now: i64) -> Option<crypto::Digest> {
    state.advance(now);
    file_of(&state.assess(&name(index), now))
}

fn file_of(made: &Assessment) -> Option<crypto::Digest> {
    match &made.target {
        Target::Release(key) => match &key.source {
            PolicySource::File(file) => Some(file.digest),
            PolicySource::Release(_) => panic!("no release"),
        },
        Target::UpdateOnly => None,
        other => panic!("{other:?}"),
    }
}

fn model(state: &State, at: &str, now: i64) -> NetworkModel {
    let models = state.told_models(now);
    models.into_iter().find(|model| model.url == at).unwrap_or_else(|| panic!("{at}"))
}

fn device(state: &State, index: u8, now: i64) -> NetworkDevice {
    let told = state.told_unattested(|id| Some((state.assess(id, now), true)), now);
    told.into_iter().find(|device| device.mac == mac(index).to_string()).unwrap()
}

fn reasons(model: &NetworkModel) -> Vec<&str> {
    let offered = model.offered.iter().flat_map(|offered| &offered.reasons);
    offered.map(|reason| reason.code.as_str()).collect()
}

fn said(orders: &[trust::Override], seed: u8) -> GatewayState {
    let overrides = orders.iter().map(|order| Base64Url(order.sign(&key(seed)))).collect();
    GatewayState { overrides, ..answer(&[], vec![]) }
}

/// A state with one device, and the first file of its URL in force.
fn with_file(first: &str) -> State {
    let mut state = at(sources());
    here(&mut state, PLUG, URL);
    assert_eq!(has(&mut state, PLUG, NOW), None, "nothing before a file came");
    let order = state.order(NOW).expect("its file is asked for");
    assert_eq!((order.url.as_str(), state.order(NOW)), (URL, None), "once");
    bring(&mut state, URL, came(first, Some(signed(first))), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(first)));
    state
}

#[test]
fn the_first_signed_file_is_applied_and_asked_for_again_when_its_time_is_over() {
    let first = file(URL, MARCH, &[A]);
    let mut state = with_file(&first);
    let Target::Release(policy) = state.assess(&name(PLUG), NOW).target else { panic!("no file") };
    assert!(state.program(&policy).is_ok());
    assert_eq!(state.place(&name(PLUG)), Some((mac(PLUG), vec![address(PLUG)])));
    let told = model(&state, URL, NOW);
    assert_eq!((told.state, told.source.as_str(), told.devices), (ModelState::InForce, "announced", 1));
    let in_force = told.in_force.unwrap();
    assert_eq!(in_force.signer.as_deref(), Some("CN=Maker"));
    let pointers: Vec<(&str, &str)> =
        in_force.transparency.iter().map(|one| (one.what.as_str(), one.at.as_str())).collect();
    let expected =
        [("sbom", "https://things.example/sbom"), ("vulnerabilities", "https://things.example/vuln")];
    assert_eq!(pointers, expected);
    // cache-validity is 24 hours, and no refresh comes before.
    assert_eq!(state.order(NOW + 24 * 3600 - 1), None);
    state.heard(&uses(mac(PLUG), address(PLUG), NOW + 100 * 3600), NOW);
    assert_eq!(state.order(NOW + 24 * 3600).map(|order| order.url), Some(url(URL)));
}

#[test]
fn a_failure_to_fetch_changes_nothing_and_is_told_with_its_code() {
    let first = file(URL, MARCH, &[A]);
    let mut state = with_file(&first);
    state.heard(&uses(mac(PLUG), address(PLUG), NOW + 100 * 3600), NOW);
    let later = NOW + 24 * 3600;
    for failures in 0..4 {
        bring(&mut state, URL, failed(FaultKind::Connect), later);
        assert_eq!(has(&mut state, PLUG, later), Some(digest(&first)));
        assert_eq!(model(&state, URL, later).fault.unwrap().code, "mud-fetch-connect");
        let wait = Model::FIRST_RETRY << failures;
        assert_eq!(state.order(later + wait - 1), None);
    }
    assert!(state.order(later + (Model::FIRST_RETRY << 3)).is_some());
}

#[test]
fn a_narrower_file_follows_by_itself_and_a_wider_one_waits_for_the_operator() {
    let (first, wider, narrow) = (file(URL, MARCH, &[A]), file(URL, APRIL, &[A, B]), file(URL, MAY, &[B]));
    let mut state = with_file(&first);
    bring(&mut state, URL, came(&wider, Some(signed(&wider))), NOW + 1);
    assert_eq!(has(&mut state, PLUG, NOW + 1), Some(digest(&first)), "the old one stays");
    let told = model(&state, URL, NOW + 1);
    assert_eq!((told.state, reasons(&told)), (ModelState::Waiting, vec!["mud-wider"]));
    let offered = told.offered.unwrap();
    assert_eq!((offered.gained.len(), offered.lost.len()), (1, 0), "{offered:?}");
    assert!(offered.gained[0].contains("203.0.113.11"), "{offered:?}");

    // Whoever is not the operator, or approves something else, opens nothing.
    let good = approval(1, Scope::Site, URL, &wider);
    let other = approval(1, Scope::Site, URL, &first);
    let elsewhere = approval(1, Scope::Site, "https://things.example/plug/v2.json", &wider);
    let for_device = approval(1, Scope::Device(name(PLUG).as_bytes().to_vec()), URL, &wider);
    for (orders, seed) in
        [(&good, STRANGER), (&other, OPERATOR), (&elsewhere, OPERATOR), (&for_device, OPERATOR)]
    {
        let mut again = with_file(&first);
        bring(&mut again, URL, came(&wider, Some(signed(&wider))), NOW + 1);
        again.take_in(&said(std::slice::from_ref(orders), seed), NOW + 1);
        assert_eq!(has(&mut again, PLUG, NOW + 1), Some(digest(&first)));
    }
    state.take_in(&said(std::slice::from_ref(&good), OPERATOR), NOW + 2);
    assert_eq!(has(&mut state, PLUG, NOW + 2), Some(digest(&wider)));
    assert_eq!(model(&state, URL, NOW + 2).state, ModelState::InForce);

    // Narrower than what was approved: by itself, as long as the approval stands.
    bring(&mut state, URL, came(&narrow, Some(signed(&narrow))), NOW + 3);
    assert_eq!(has(&mut state, PLUG, NOW + 3), Some(digest(&narrow)));
    let end = good.expires;
    state.heard(&uses(mac(PLUG), address(PLUG), end + 100), NOW + 3);
    assert_eq!(has(&mut state, PLUG, end - 1), Some(digest(&narrow)));
    assert_eq!(has(&mut state, PLUG, end), Some(digest(&first)), "the one that stands by itself");
    assert_eq!(reasons(&model(&state, URL, end)), ["mud-approval-ended"]);
}

#[test]
fn a_replaced_approval_is_a_revoked_one() {
    let (first, wider) = (file(URL, MARCH, &[A]), file(URL, APRIL, &[A, B]));
    let mut state = with_file(&first);
    bring(&mut state, URL, came(&wider, Some(signed(&wider))), NOW);
    let good = approval(1, Scope::Site, URL, &wider);
    state.take_in(&said(&[good], OPERATOR), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&wider)));
    let mut instead = order(1, Effect::Ignore { acl: "x".into(), ace: "y".into() });
    instead.not_before = NOW + 1;
    state.take_in(&said(&[instead], OPERATOR), NOW + 1);
    assert_eq!(has(&mut state, PLUG, NOW + 1), Some(digest(&first)));
}

#[test]
fn a_file_by_another_signer_or_authority_waits_although_it_permits_less() {
    let (first, narrow) = (file(URL, MARCH, &[A, B]), file(URL, APRIL, &[A]));
    for (authority, subject) in [(OTHER_CA, "CN=Maker"), (MAKER_CA, "CN=Somebody")] {
        let mut believed = sources();
        believed.announced.anchors.push(crate::maker::authority(OTHER_CA, NOW));
        let mut state = at(believed);
        here(&mut state, PLUG, URL);
        bring(&mut state, URL, came(&first, Some(signed(&first))), NOW);
        let signature = signed_by(&narrow, authority, subject, NOW);
        bring(&mut state, URL, came(&narrow, Some(signature)), NOW);
        assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&first)));
        assert_eq!(reasons(&model(&state, URL, NOW)), ["mud-signer-changed"], "{subject}");
    }
}

#[test]
fn what_no_signature_vouches_for_is_not_read_before_somebody_approves() {
    let first = file(URL, MARCH, &[A]);
    let rogue = signed_by(&first, OTHER_CA, "CN=Maker", NOW);
    for (signature, code) in [(None, "mud-unsigned"), (Some(rogue), "mud-signature")] {
        let mut state = at(sources());
        here(&mut state, PLUG, URL);
        bring(&mut state, URL, came(&first, signature.clone()), NOW);
        assert_eq!(has(&mut state, PLUG, NOW), None);
        assert_eq!(codes(&state.assess(&name(PLUG), NOW)), [Code::MudNeedsApproval]);
        let told = model(&state, URL, NOW);
        assert_eq!((told.state, reasons(&told)), (ModelState::Waiting, vec![code]));
        assert_eq!(told.offered.unwrap().file, None, "nobody read it");
        state.take_in(&said(&[approval(1, Scope::Site, URL, &first)], OPERATOR), NOW);
        assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&first)));

        let mut strict = sources();
        strict.announced.mode = SiteMode::Refuse;
        let mut state = at(strict);
        here(&mut state, PLUG, URL);
        bring(&mut state, URL, came(&first, signature), NOW);
        assert_eq!(codes(&state.assess(&name(PLUG), NOW)), [Code::MudRefused]);
        state.take_in(&said(&[approval(1, Scope::Site, URL, &first)], OPERATOR), NOW);
        assert_eq!(has(&mut state, PLUG, NOW), None, "this site takes none");
    }
}

#[test]
fn a_laboratory_ends() {
    let mut lab = sources();
    let below = url("https://things.example/plug/");
    lab.announced.mode = SiteMode::Laboratory(mud::StandingApproval { below, expires: NOW + 10 });
    let mut state = at(lab);
    here(&mut state, PLUG, URL);
    let (first, next) = (file(URL, MARCH, &[A]), file(URL, APRIL, &[A]));
    bring(&mut state, URL, came(&first, None), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&first)));
    assert_eq!(state.assess(&name(PLUG), NOW).due, Some(NOW + 10));
    bring(&mut state, URL, came(&next, None), NOW + 1);
    assert_eq!(has(&mut state, PLUG, NOW + 1), Some(digest(&next)));
    assert_eq!(has(&mut state, PLUG, NOW + 10), None);
    let other = "https://other.example/plug/v1.json";
    here(&mut state, PLUG + 1, other);
    let outside = file(other, MARCH, &[A]);
    bring(&mut state, other, came(&outside, None), NOW + 1);
    assert_eq!(has(&mut state, PLUG + 1, NOW + 1), None);
}

#[test]
fn weak_devices_gain_nothing_by_their_file_unless_the_site_says_so() {
    let first = file(URL, MARCH, &[A]);
    let mut careful = sources();
    careful.announced.weak_access = mud::WeakAccess::NoMore;
    let known = KnownDevice { url: url(URL), signer: None, fixed: false };
    careful.devices.insert(mac(PLUG + 1), known);
    let mut state = at(careful);
    here(&mut state, PLUG, URL);
    state.heard(&uses(mac(PLUG + 1), address(PLUG + 1), NOW + 3600), NOW);
    bring(&mut state, URL, came(&first, Some(signed(&first))), NOW);
    state.advance(NOW);
    let starts = |state: &State, index| {
        let Target::Release(key) = state.assess(&name(index), NOW).target else { panic!("a file") };
        let entries = state.entries(&key);
        entries.iter().filter(|entry| !entry.acl.is_empty()).count()
    };
    assert_eq!((starts(&state, PLUG), starts(&state, PLUG + 1)), (0, 1));
    assert_eq!(device(&state, PLUG, NOW).access, NetworkAccess::Defaults);
    let strong = device(&state, PLUG + 1, NOW);
    assert_eq!((strong.access, strong.strength.as_str()), (NetworkAccess::File, "strong"));
    // They share no policy and no class (threat N16).
    let (weak, strong) = (state.assess(&name(PLUG), NOW), state.assess(&name(PLUG + 1), NOW));
    assert_ne!(weak.target, strong.target);
    assert_eq!(weak.classes, Some(vec![]));
    let expected = Class::Manufacturer("things.example".into(), Strength::Strong);
    assert!(strong.classes.unwrap().contains(&expected));
}

#[test]
fn a_known_device_that_names_another_house_keeps_what_it_has() {
    let first = file(URL, MARCH, &[A]);
    let other = "https://elsewhere.example/plug/v1.json";
    let wide = file(other, APRIL, &[A]);
    let mut state = with_file(&first);
    state.heard(&announces(mac(PLUG), other), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&first)));
    bring(&mut state, other, came(&wide, Some(signed(&wide))), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&first)));
    let told = device(&state, PLUG, NOW);
    assert_eq!((told.url.as_deref(), told.offered_url.as_deref()), (Some(URL), Some(other)));
    assert_eq!(told.reasons.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), ["mud-url-authority"]);

    // An approval of the file is not one of the move, and one of the move ends.
    state.take_in(&said(&[approval(1, Scope::Site, other, &wide)], OPERATOR), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&first)));
    let moves = approval(2, Scope::Device(name(PLUG).as_bytes().to_vec()), other, &wide);
    state.take_in(&said(std::slice::from_ref(&moves), OPERATOR), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&wide)));
    state.heard(&uses(mac(PLUG), address(PLUG), moves.expires + 10), NOW);
    assert_eq!(has(&mut state, PLUG, moves.expires), Some(digest(&first)));
}

#[test]
fn a_newer_file_of_the_same_place_is_followed_and_an_older_one_is_not() {
    let next = "https://things.example/plug/v2.json";
    let (first, second) = (file(URL, MARCH, &[A]), file(next, APRIL, &[A]));
    let mut state = with_file(&first);
    state.heard(&announces(mac(PLUG), next), NOW);
    bring(&mut state, next, came(&second, Some(signed(&second))), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&second)));
    assert_eq!(device(&state, PLUG, NOW).url.as_deref(), Some(next));
    state.heard(&announces(mac(PLUG), URL), NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&second)));
    let told = device(&state, PLUG, NOW);
    assert_eq!(told.reasons.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), ["mud-url-earlier"]);
}

#[test]
fn an_attested_device_is_never_weak_and_never_loses_its_address() {
    let release = Made::of("1.0.0", 1);
    let mut state = at(sources());
    state.take_in(&answer(&[&release], vec![listed(1, None)]), NOW);
    admit(&mut state, 1, &release, NOW);
    let before = state.assess(&id(1), NOW).target;
    // Another URL from its address raises an event and changes nothing (threat N1).
    state.take_changed();
    state.heard(&announces(mac(1), URL), NOW);
    assert!(state.has_news());
    assert_eq!(state.assess(&id(1), NOW).target, before);
    let event = &state.refused()[&format!("announcement:{}", mac(1))];
    assert_eq!(event.code, Code::MudUrlIgnored);
    assert_eq!(state.place(&Unattested::id(mac(1)).unwrap()), None);
    state.heard(&announces(mac(1), &crate::site::url("1.0.0")), NOW);
    assert!(state.refused().is_empty());
    // Somebody else's claim to its address.
    here(&mut state, PLUG, URL);
    state.heard(&uses(mac(PLUG), address(1), NOW + 3600), NOW);
    assert_eq!(state.place(&name(PLUG)).unwrap().1, [address(PLUG)]);
    assert!(device(&state, PLUG, NOW).reasons.iter().any(|reason| reason.code == "address-taken"));
    // Nor is an address of the gateway for anybody, or one that is nobody's.
    state.reserve([[10, 77, 0, 254].into()]);
    for nobodys in [[10, 77, 0, 254], [224, 0, 0, 1], [0, 0, 0, 0], [127, 0, 0, 1], [255, 255, 255, 255]] {
        state.heard(&uses(mac(PLUG), nobodys.into(), NOW + 3600), NOW);
    }
    assert_eq!(state.place(&name(PLUG)).unwrap().1, [address(PLUG)]);
    // One that proves itself takes its address back.
    admit_at(&mut state, 2, PLUG, &release);
    assert_eq!(state.place(&name(PLUG)), None);
    state.heard(&uses(mac(PLUG), address(PLUG), NOW + 7200), NOW);
    assert_eq!(state.place(&name(PLUG)), None, "whoever is behind that MAC address attests");
}

fn admit_at(state: &mut State, index: u8, place: u8, release: &Made) {
    let result = crate::site::Finding::good(index, release).signed();
    let shown = gateway::control::attested(&result, &state.anchors().keys, NOW).unwrap();
    state.admit(shown, mac(place), address(place), NOW).unwrap();
}

#[test]
fn rules_go_with_the_lease_and_the_pin_stays() {
    let first = file(URL, MARCH, &[A]);
    let mut state = with_file(&first);
    state.advance(NOW + 3600);
    assert_eq!(state.place(&name(PLUG)), None);
    assert_eq!(device(&state, PLUG, NOW + 3600).access, NetworkAccess::Absent);
    state.heard(&uses(mac(PLUG), address(PLUG), NOW + 9000), NOW + 4000);
    assert_eq!(has(&mut state, PLUG, NOW + 4000), Some(digest(&first)));
    state.heard(&Heard { mac: mac(PLUG), news: News::Releases(address(PLUG)) }, NOW + 4001);
    assert_eq!(state.place(&name(PLUG)), None);
    // A stranger with the same address and no URL gets no more than anybody.
    state.heard(&uses(mac(PLUG + 1), address(PLUG), NOW + 9000), NOW + 4002);
    assert_eq!(has(&mut state, PLUG + 1, NOW + 4002), None);
}

#[test]
fn only_what_the_site_listens_to_counts_and_contradictions_do_not() {
    let mut deaf = sources();
    deaf.announced.accept = [Announced::Lldp].into();
    let mut state = at(deaf);
    here(&mut state, PLUG, URL);
    assert_eq!((state.order(NOW), state.told_models(NOW)), (None, vec![]));
    let mut state = with_file(&file(URL, MARCH, &[A]));
    state.heard(&Heard { mac: mac(PLUG), news: News::Contradicts(Announced::Dhcpv4) }, NOW);
    let told = device(&state, PLUG, NOW);
    assert_eq!(told.reasons[0].code, "mud-url-contradiction");
    assert_eq!(told.access, NetworkAccess::File, "it keeps what it had");
}

#[test]
fn a_flood_of_strangers_opens_nothing_and_pushes_nobody_out() {
    let first = file(URL, MARCH, &[A]);
    let mut state = with_file(&first);
    for index in 0..u32::try_from(Unattested::MAX_DEVICES).unwrap() + 10 {
        let [_, a, b, c] = index.to_be_bytes();
        let mac = Mac([6, 0, 1, a, b, c]);
        state.heard(&announces(mac, &format!("https://flood.example/{index}.json")), NOW);
    }
    assert_eq!(state.told_models(NOW).len(), Unattested::MAX_MODELS);
    assert!(state.devices().count() <= Unattested::MAX_DEVICES);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&first)));
}

#[test]
fn the_operators_file_comes_before_what_others_publish() {
    let (theirs, own) = (file(URL, MAY, &[A, B]), file(URL, MARCH, &[B]));
    let mut given = sources();
    given.files.push(OperatorFile { url: url(URL), path: "plug.json".into(), signature: None });
    let mut state = at(given);
    here(&mut state, PLUG, URL);
    let order = state.order(NOW).unwrap();
    assert!(matches!(order.places.as_slice(), [gateway::manager::Place::Disk(_)]), "{order:?}");
    state.bring(&url(URL), &Source::Operator, came(&own, None), 0, NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&own)));
    assert_eq!(model(&state, URL, NOW).source, "operator");
    // It is looked at again and again, and nothing of it is news.
    state.take_changed();
    state.bring(&url(URL), &Source::Operator, came(&own, None), 0, NOW + 60);
    assert!(!state.has_news());
    assert_eq!(model(&state, URL, NOW).fault, None);
    assert_eq!(model(&state, URL, NOW + 24 * 3600).fault.unwrap().code, "mud-file-ends");
    // A newer one of his needs no approval.
    state.bring(&url(URL), &Source::Operator, came(&theirs, None), 0, NOW);
    assert_eq!(has(&mut state, PLUG, NOW), Some(digest(&theirs)));
}

#[test]
fn overrides_hold_for_devices_without_attestation_too() {
    let first = file(URL, MARCH, &[A]);
    let mut state = with_file(&first);
    let deny = trust::Override {
        scope: Scope::Model(URL.into()),
        ..order(3, Effect::Ignore { acl: "fr".into(), ace: "e0".into() })
    };
    state.take_in(&said(&[deny], OPERATOR), NOW);
    let Target::Release(key) = state.assess(&name(PLUG), NOW).target else { panic!("a file") };
    assert_eq!(key.overrides.len(), 1);
    assert!(state.entries(&key).iter().all(|entry| entry.acl.is_empty()));
}

#[test]
fn a_check_comes_sooner_and_not_again_and_again() {
    let mut state = with_file(&file(URL, MARCH, &[A]));
    let check = |at: i64| GatewayState {
        checks: vec![api::MudCheck { url: URL.into(), at_ms: at * 1000 }],
        ..answer(&[], vec![])
    };
    state.take_in(&check(NOW - 1), NOW + 1);
    assert_eq!(state.order(NOW + 100), None, "it was fetched since");
    state.take_in(&check(NOW + 1), NOW + 1);
    assert_eq!(state.order(NOW + Model::CHECK_PAUSE - 1), None);
    assert!(state.order(NOW + Model::CHECK_PAUSE).is_some());
}
