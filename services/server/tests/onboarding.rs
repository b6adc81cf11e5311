//! Onboarding over HTTP: a factory makes devices, an operator takes them over, and both refuse what they must.

mod common;

use std::rc::Rc;

use common::{
    Maker, NOW, Reply, Site, key,
    onboarding::{Made, Manners, Told, client, target},
};
use crypto::{SigningKey, Zeroizing};
use fdo::{
    DeviceChain, KeyType, MessageType, Signer as _, SoftSecrets, SubProtocol, Voucher, device::Outcome,
};
use fdo_http::{Cause, Error};
use serde_json::{Value, json};
use sextant_server::{OnboardingConfig, Role};
use x509::Certificate;

const MANUFACTURER: u8 = 91;

/// A manufacturer with a known key, whose devices look for their owner at some server.
fn factory(rendezvous: &Site) -> Site {
    let url = rendezvous.url("");
    Site::with(|config| {
        let keys = config.data.join("keys");
        std::fs::create_dir_all(&keys).unwrap();
        let secret = cose::Key::from_secret(key(MANUFACTURER)).encode_secret().unwrap();
        std::fs::write(keys.join("manufacturer-es256.key"), secret.as_slice()).unwrap();
        config.roles = vec![Role::Manufacturer, Role::Manage];
        config.onboarding.rendezvous_urls = vec![url];
    })
}

/// An operator that trusts that manufacturer.
fn operator_with(change: impl FnOnce(&mut OnboardingConfig)) -> Site {
    Site::with(|config| {
        config.vouchers.manufacturers = vec![fdo::Key::from(key(MANUFACTURER).public_key().clone())];
        change(&mut config.onboarding);
    })
}

fn operator() -> Site {
    operator_with(|_| {})
}

/// The operator's key for devices, in PEM.
fn owner_key(site: &Site) -> String {
    site.get("/api/v1/onboarding/keys").expect(200).json()["owner"][0].as_str().unwrap().to_owned()
}

fn sell(site: &Site, path: &str, key: &str) -> Reply {
    let path = format!("{path}/sell");
    site.call("POST", &path, Some(&site.admin), "application/x-pem-file", Some(key.as_bytes()))
}

fn import(site: &Site, vouchers: &[u8]) -> Value {
    let path = "/api/v1/onboarding/vouchers?group=hall";
    site.call("POST", path, Some(&site.admin), api::VOUCHER, Some(vouchers)).expect(200).json()
}

fn onboarding(site: &Site, guid: &str) -> Value {
    site.get(&format!("/api/v1/onboarding/devices/{guid}")).expect(200).json()
}

/// A device that was made, sold to an operator and is waited for there, registered with its rendezvous server.
fn waiting(factory: &Site, operator: &Site, number: u8) -> Made {
    let made = Made::at(factory, number).unwrap();
    let voucher =
        sell(factory, &format!("/api/v1/onboarding/made/{}", made.guid()), &owner_key(operator)).expect(200);
    assert_eq!(import(operator, &voucher.body)[0]["outcome"], "added");
    operator.until("the device is registered", || {
        onboarding(operator, &made.guid())["registration"]["until"].is_string()
    });
    made
}

fn refused_with(error: &Error) -> u16 {
    match &error.cause {
        Cause::Protocol(fdo::Failure::Reported(told)) => told.code,
        other => panic!("{other:?}"),
    }
}

fn set_template(site: &Site, name: &str, template: Value) -> Reply {
    let path = format!("/api/v1/onboarding/templates/{name}");
    site.call("PUT", &path, Some(&site.admin), "application/json", Some(template.to_string().as_bytes()))
}

#[test]
fn a_device_goes_from_the_factory_to_trusted_without_anybody_at_its_site() {
    let (operator, maker) = (operator(), Maker::new());
    let factory = factory(&operator);
    operator.put_authorities(&maker);
    operator.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let file = json!({ "name": "motd", "content": "aGVsbG8", "required": true });
    let template = json!({
        "certificate_required": true,
        "networks": [{ "ssid": "plant", "password": "hunter2-hunter2" }],
        "downloads": [file],
    });
    set_template(&operator, "hall", template).expect(204);
    // A password is told to devices, and to nobody else again.
    let shown = operator.get("/api/v1/onboarding/templates").expect(200).text();
    assert!(shown.contains("plant") && !shown.contains("hunter2"), "{shown}");
    let audit = operator.get("/api/v1/audit").expect(200).text();
    assert!(audit.contains("onboarding.template.set") && !audit.contains("hunter2"), "{audit}");

    let mut device = waiting(&factory, &operator, 110);
    let before = device.guid();
    let candidate = device.candidate().unwrap();
    let told = Rc::new(Told::default());
    let outcome = device.onboard(&candidate, Manners::default(), &told).unwrap();
    let attester = device.attester();
    device.keep(outcome);

    // It was given what it needs, and its certificate is by the operator's authority and names it.
    let provision = told.provision.borrow().clone().expect("provisioned");
    assert_eq!(provision.server, format!("https://127.0.0.1:{}", operator.server().local_addr().port()));
    assert_eq!(provision.authorities.as_deref(), Some(maker.authorities().to_bytes().as_slice()));
    assert_eq!(provision.networks[0].ssid, "plant");
    assert_eq!(told.files.borrow().as_slice(), [("motd".to_owned(), b"hello".to_vec())]);
    let keys = operator.get("/api/v1/onboarding/keys").expect(200).json();
    let authority = keys["operational_authority"].as_str().unwrap();
    let authority = Certificate::decode(&x509::pem::decode(authority).unwrap()[0].der).unwrap();
    let certificate = Certificate::decode(told.certificate.borrow().as_ref().unwrap()).unwrap();
    x509::verify_chain(&certificate, &[], std::slice::from_ref(&authority), NOW).unwrap();
    assert_eq!(certificate.subject().to_string(), format!("CN={}", attester.ueid()));

    // It is enrolled, called otherwise, and its former name is good until it was seen.
    let enrolled = operator.get(&format!("/api/v1/devices/{}", attester.ueid())).expect(200).json();
    assert_eq!((&enrolled["model"], &enrolled["group"]), (&json!("welcome-cam"), &json!("hall")));
    assert_eq!(onboarding(&operator, &before)["state"], "replaced");
    assert_eq!(onboarding(&operator, &device.guid())["state"], "onboarded");
    operator.clock.advance_seconds(1);
    operator.attest(&attester, b"app 1", None);
    let posture = || operator.device(&attester)["posture"].clone();
    operator.until("the device is trusted", || posture() == "trusted");
    operator.until("its former name is nobody's", || onboarding(&operator, &before)["state"] == "retired");
    let words: Vec<_> = onboarding(&operator, &before)["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(words, ["confirmed", "replaced", "registered", "expected"]);

    // Whoever has its former voucher has nothing.
    let mut former = Made { credential: factory_credential(&device, &before), secrets: device.secrets };
    let refused = former.onboard(&Made::straight_to(&operator), Manners::default(), &told).unwrap_err();
    assert_eq!(refused_with(&refused), 6);
}

/// What the device was before it was set up.
fn factory_credential(device: &Made, guid: &str) -> fdo::Credential {
    fdo::Credential { guid: guid.parse().unwrap(), ..read_again(&device.credential) }
}

fn read_again(credential: &fdo::Credential) -> fdo::Credential {
    fdo::Credential::decode(&credential.encode()).unwrap()
}

#[test]
fn nothing_secret_goes_to_a_device_that_does_not_prove_what_it_runs() {
    let (operator, maker) = (operator(), Maker::new());
    let factory = factory(&operator);
    operator.put_authorities(&maker);
    operator.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let mut device = waiting(&factory, &operator, 111);
    let candidate = device.candidate().unwrap();
    let told = Rc::new(Told::default());
    let mut attempt = |manners: Manners<'_>, code: &str| {
        let refused = device.onboard(&candidate, manners, &told).unwrap_err();
        assert_eq!(refused_with(&refused), 101, "{code}");
        assert_eq!(*told.provision.borrow(), None, "{code}");
        assert_eq!(onboarding(&operator, &device.guid())["failure"]["code"], code);
    };
    attempt(Manners { app: b"tampered", ..Manners::default() }, "digest-mismatch");
    attempt(Manners { fresh: false, ..Manners::default() }, "replayed-nonce");
    attempt(Manners { attests: false, ..Manners::default() }, "module-missing");
    assert_eq!(*told.certificate.borrow(), None);
    let other = common::Device::new(9);
    let refused = device.onboard_as(&candidate, Manners::default(), &told, &other).unwrap_err();
    assert_eq!(refused_with(&refused), 101);
    let shown = onboarding(&operator, &device.guid());
    assert_eq!(shown["failure"]["code"], "bad-evidence-signature");
    assert_eq!(operator.get("/api/v1/devices").expect(200).json()["items"], json!([]));

    // The device itself does not take what it is given.
    let manners = Manners { answer: "authorities-lock-out", ..Manners::default() };
    let refused = device.onboard(&candidate, manners, &told).unwrap_err();
    assert_eq!(refused_with(&refused), 101);
    let shown = onboarding(&operator, &device.guid());
    assert_eq!(shown["failure"]["code"], "device-refused-authorities-lock-out");
    assert_eq!((&shown["state"], &shown["failure"]["times"]), (&json!("waiting"), &json!(5)));

    // A person lets it in as it is.
    set_template(&operator, "as-it-is", json!({ "require": "nothing" })).expect(204);
    let path = format!("/api/v1/onboarding/devices/{}", device.guid());
    let plan = json!({ "template": "as-it-is", "name": "door-cam", "group": "yard" });
    let planned = operator.call(
        "PUT",
        &path,
        Some(&operator.admin),
        "application/json",
        Some(plan.to_string().as_bytes()),
    );
    assert_eq!(planned.expect(200).json()["template"], "as-it-is");
    operator.act(&format!("{path}/retry")).expect(204);
    assert_eq!(onboarding(&operator, &device.guid())["failure"], Value::Null);
    let manners = Manners { attests: false, ..Manners::default() };
    device.onboard(&candidate, manners, &told).unwrap();
    assert_eq!(operator.device(&device.attester())["name"], "door-cam");
    assert_eq!(operator.device(&device.attester())["posture"], "unknown");
}

#[test]
fn a_lost_last_message_leaves_the_device_as_it_was_and_it_onboards_again() {
    let (operator, maker) = (operator(), Maker::new());
    let factory = factory(&operator);
    operator.put_authorities(&maker);
    operator.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let mut device = waiting(&factory, &operator, 112);
    let (attester, before) = (device.attester(), device.guid());
    let candidate = device.candidate().unwrap();
    let told = Rc::new(Told::default());
    let mut names = Vec::new();
    for _ in 0..3 {
        // The outcome is never kept: as if the power had failed before.
        let outcome = device.onboard(&candidate, Manners::default(), &told).unwrap();
        let Outcome::Replaced(credential) = outcome else { panic!("replaced") };
        names.push(credential.guid.to_string());
        assert_eq!(onboarding(&operator, &before)["followed_by"], credential.guid.to_string());
    }
    // Only what came last is waited for.
    for lost in &names[..2] {
        operator.get(&format!("/api/v1/onboarding/devices/{lost}")).expect(404);
    }
    let outcome = device.onboard(&candidate, Manners::default(), &told).unwrap();
    device.keep(outcome);
    operator.clock.advance_seconds(1);
    operator.attest(&attester, b"app 1", None);
    operator.until("its former name is nobody's", || onboarding(&operator, &before)["state"] == "retired");
    // What it became is good for another onboarding by the same owner, which needs no rendezvous.
    let outcome = device.onboard(&Made::straight_to(&operator), Manners::default(), &told);
    let refused = outcome.unwrap_err();
    // Its name in FDO is another one than the one it attests by.
    assert_eq!(refused_with(&refused), 101);
    let again = device.onboard_as(&Made::straight_to(&operator), Manners::default(), &told, &attester);
    assert!(matches!(again, Ok(Outcome::Replaced(_))), "{again:?}");
}

#[test]
fn a_device_is_resold_and_only_its_new_owner_onboards_it() {
    let (first, maker) = (operator(), Maker::new());
    // The one rendezvous server of all: the first operator's, which lets owners of this manufacturer's devices register.
    let factory = factory(&first);
    first.put_authorities(&maker);
    first.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let keep = json!({ "keep_credential": true });
    set_template(&first, "hall", keep).expect(204);
    let mut device = waiting(&factory, &first, 113);
    let told = Rc::new(Told::default());
    let candidate = device.candidate().unwrap();
    let outcome = device.onboard(&candidate, Manners::default(), &told).unwrap();
    assert_eq!(outcome, Outcome::Reused);
    assert_eq!(onboarding(&first, &device.guid())["state"], "onboarded");
    // The same voucher is good again.
    assert_eq!(device.onboard(&candidate, Manners::default(), &told).unwrap(), Outcome::Reused);

    let second = operator();
    second.put_authorities(&maker);
    second.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let path = format!("/api/v1/onboarding/devices/{}", device.guid());
    let sold = sell(&first, &path, &owner_key(&second)).expect(200).body;
    assert_eq!(Voucher::decode(&sold).unwrap().entries().len(), 2);
    sell(&first, &path, &owner_key(&second)).expect(409);
    let refused = device.onboard(&candidate, Manners::default(), &told).unwrap_err();
    assert_eq!(refused_with(&refused), 6, "it is sold");
    assert_eq!(import(&second, &sold)[0]["outcome"], "added");
    let outcome = device.onboard(&Made::straight_to(&second), Manners::default(), &told).unwrap();
    assert!(matches!(outcome, Outcome::Replaced(_)));
}

#[test]
fn vouchers_are_imported_one_by_one_with_a_report() {
    let operator = operator();
    let factory = factory(&operator);
    let devices: Vec<Made> = (114..117).map(|number| Made::at(&factory, number).unwrap()).collect();
    let voucher = |made: &Made| {
        let path = format!("/api/v1/onboarding/made/{}/voucher", made.guid());
        factory.get(&path).expect(200).body
    };
    let unsold = voucher(&devices[0]);
    for made in &devices[1..] {
        sell(&factory, &format!("/api/v1/onboarding/made/{}", made.guid()), &owner_key(&operator))
            .expect(200);
        sell(&factory, &format!("/api/v1/onboarding/made/{}", made.guid()), &owner_key(&operator))
            .expect(409);
    }
    let pem = |bytes: &[u8]| x509::pem::encode(fdo::PEM_LABEL, bytes);
    let (good, other) = (voucher(&devices[1]), voucher(&devices[2]));
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let file = [pem(&unsold), pem(&forged), pem(&good), pem(&good), pem(&other)].concat();
    let report = import(&operator, file.as_bytes());
    let outcomes: Vec<_> = report
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["outcome"].as_str().unwrap(), row["reason"]["code"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("refused", "voucher-unsigned"),
            ("refused", "voucher-signature"),
            ("added", ""),
            ("known", ""),
            ("added", "")
        ]
    );
    assert_eq!(
        operator.get("/api/v1/onboarding/devices?state=waiting").expect(200).json().as_array().unwrap().len(),
        2
    );
    operator.get("/api/v1/onboarding/devices?state=nowhere").expect(400);
    let path = "/api/v1/onboarding/vouchers";
    let none = operator.call("POST", path, Some(&operator.admin), api::VOUCHER, Some(b"no voucher"));
    assert_eq!(none.expect(200).json()[0]["reason"]["code"], "malformed-voucher");
}

#[test]
fn a_rendezvous_server_takes_only_owners_that_count_within_their_quota() {
    let rendezvous = operator_with(|config| config.registrations_of_owner = 1);
    let factory = factory(&rendezvous);
    let stranger = SigningKey::from_bytes(crypto::SignatureAlgorithm::Es256, &[77; 32]).unwrap();
    let made = Made::at(&factory, 118).unwrap();
    let path = format!("/api/v1/onboarding/made/{}", made.guid());
    let pem = x509::pem::encode("PUBLIC KEY", &stranger.public_key().to_spki_der());
    let sold = sell(&factory, &path, &pem).expect(200).body;
    let owned = Voucher::decode(&sold).unwrap().claim(&stranger.key(), DeviceChain::OfManufacturer).unwrap();
    let address = fdo::OwnerAddress {
        ip: Some([127, 0, 0, 1].into()),
        dns: None,
        port: 443,
        transport: fdo::Transport::Https,
    };
    let register = |site: &Site| {
        let pins = Default::default();
        fdo_http::register(
            &client(),
            &target(site),
            &pins,
            &owned,
            std::slice::from_ref(&address),
            60,
            &stranger,
        )
    };
    assert_eq!(refused_with(&register(&rendezvous).unwrap_err()), 3);
    assert_eq!(refused_with(&made.candidate().unwrap_err()), 6);
    // A server that counts the owner in, or who made the device, redirects to it.
    let open = operator_with(|config| config.rendezvous_owners = vec![stranger.key()]);
    assert_eq!(register(&open).unwrap(), 60);
    let of_maker = operator_with(|config| {
        config.rendezvous_manufacturers = vec![fdo::Key::from(key(MANUFACTURER).public_key().clone())];
    });
    assert_eq!(register(&of_maker).unwrap(), 60);
    let redirects = open.get("/api/v1/onboarding/redirects").expect(200).json();
    assert_eq!(redirects[0]["guid"], made.guid());
    open.call(
        "DELETE",
        &format!("/api/v1/onboarding/redirects/{}", made.guid()),
        Some(&open.admin),
        "",
        None,
    )
    .expect(204);
    // The quota of one owner: ours.
    let first = waiting(&factory, &rendezvous, 119);
    let second = Made::at(&factory, 120).unwrap();
    let voucher =
        sell(&factory, &format!("/api/v1/onboarding/made/{}", second.guid()), &owner_key(&rendezvous))
            .expect(200);
    import(&rendezvous, &voucher.body);
    rendezvous.until("the second is not registered", || {
        onboarding(&rendezvous, &second.guid())["registration"]["failure"].is_string()
    });
    assert!(first.candidate().is_ok());
    assert_eq!(refused_with(&second.candidate().unwrap_err()), 6);
    // What ended is not told any more.
    rendezvous.clock.advance_seconds(8 * 24 * 3600);
    assert_eq!(refused_with(&first.candidate().unwrap_err()), 6);
}

#[test]
fn roles_that_are_not_played_and_people_without_a_token_get_nothing() {
    let operator = operator();
    let factory = factory(&operator);
    // Nobody makes devices at an operator's unless it is told to.
    let refused = Made::at(&operator, 121).err().expect("refused");
    assert_eq!(refused_with(&refused), 6);
    let secrets = SoftSecrets { key: key(122), hmac_secret: Zeroizing::new(vec![1; 32]) };
    let made = Made::with(&factory, secrets, KeyType::Secp384r1).unwrap();
    assert_eq!(refused_with(&made.candidate().unwrap_err()), 6);
    for (site, method, path) in [
        (&operator, "GET", "/api/v1/onboarding/devices"),
        (&operator, "GET", "/api/v1/onboarding/keys"),
        (&operator, "GET", "/api/v1/onboarding/templates"),
        (&operator, "PUT", "/api/v1/onboarding/templates/default"),
        (&operator, "DELETE", "/api/v1/onboarding/templates/default"),
        (&operator, "POST", "/api/v1/onboarding/vouchers"),
        (&operator, "POST", "/api/v1/onboarding/devices/00/retry"),
        (&operator, "POST", "/api/v1/onboarding/devices/00/sell"),
        (&operator, "PUT", "/api/v1/onboarding/devices/00"),
        (&operator, "GET", "/api/v1/onboarding/redirects"),
        (&operator, "DELETE", "/api/v1/onboarding/redirects/00"),
        (&factory, "GET", "/api/v1/onboarding/made"),
        (&factory, "GET", "/api/v1/onboarding/made/00/voucher"),
        (&factory, "POST", "/api/v1/onboarding/made/00/sell"),
    ] {
        let reply = site.call(method, path, None, "application/json", Some(b"{}"));
        assert_eq!(reply.status, 401, "{method} {path}");
        let reader = site.token("read", "reader");
        let reply = site.call(method, path, Some(&reader), "application/json", Some(b"{}"));
        assert_eq!(reply.status == 403, method != "GET", "{method} {path}: {}", reply.status);
    }
}

/// One message, as any client may send it.
fn send(site: &Site, number: u8, token: Option<&str>, body: &[u8]) -> Reply {
    site.call("POST", &format!("/fdo/101/msg/{number}"), token, "application/cbor", Some(body))
}

#[test]
fn messages_that_are_none_come_too_early_or_twice_are_refused_with_the_code_of_the_protocol() {
    let operator = operator();
    let factory = factory(&operator);
    let device = waiting(&factory, &operator, 123);
    let code = |reply: Reply| {
        let reply = reply.expect(500);
        assert_eq!((reply.header("message-type"), reply.header("content-type")), ("255", "application/cbor"));
        fdo::ErrorMessage::decode(&reply.body).unwrap().code
    };
    // No session, a session of another protocol, and a token that is none.
    for message_type in MessageType::ALL {
        let (number, first) = (message_type.number(), message_type.begins());
        if message_type == MessageType::Error {
            continue;
        }
        let expected = match (message_type.protocol(), first) {
            (Some(SubProtocol::Di), _) => 6,
            (_, true) => 100,
            (_, false) => 1,
        };
        assert_eq!(code(send(&operator, number, None, b"garbage")), expected, "{message_type}");
        if !first {
            assert_eq!(code(send(&operator, number, Some("AAAA"), &[0x80])), expected, "{message_type}");
        }
    }
    assert_eq!(code(send(&operator, 99, None, &[0x80])), 6);
    operator.call("POST", "/fdo/101/msg/30", None, "text/plain", Some(b"x")).expect(415);
    operator.call("POST", "/fdo/200/msg/30", None, "application/cbor", Some(b"x")).expect(404);
    operator.call("GET", "/fdo/101/msg/30", None, "", None).expect(405);
    send(&operator, 30, None, &vec![0; 70_000]).expect(413);

    // A session of TO1 goes to none of the others, and a proof that is replayed proves nothing new.
    let hello = fdo::HelloRv { guid: device.credential.guid, sig_info: fdo::SigInfo(-7) };
    let begun = send(&operator, 30, None, &hello.encode()).expect(200);
    assert_eq!(begun.header("message-type"), "31");
    let token = begun.header("authorization").strip_prefix("Bearer ").unwrap().to_owned();
    for number in [12, 22, 62, 64, 66, 68, 70] {
        let expected = if number == 12 { 6 } else { 1 };
        assert_eq!(code(send(&operator, number, Some(&token), &[0x80])), expected, "{number}");
    }
    assert_eq!(code(send(&operator, 32, Some(&token), b"garbage")), 100);
    operator.clock.advance_seconds(601);
    assert_eq!(code(send(&operator, 32, Some(&token), b"garbage")), 1, "it ended");
    // Who gives up is answered, whatever it says.
    let error = fdo::ErrorMessage { code: 100, previous: 61, text: "no".into(), at: None, correlation: None };
    assert_eq!(send(&operator, 255, None, &error.encode()).expect(200).body, b"");
    send(&operator, 255, Some("AAAA"), &error.encode()).expect(200);
    send(&operator, 255, None, b"garbage").expect(400);
}

#[test]
fn sessions_survive_the_server() {
    let (mut operator, maker) = (operator(), Maker::new());
    let factory = factory(&operator);
    operator.put_authorities(&maker);
    let device = waiting(&factory, &operator, 124);
    let hello = fdo::HelloRv { guid: device.credential.guid, sig_info: fdo::SigInfo(-7) };
    let begun = send(&operator, 30, None, &hello.encode()).expect(200);
    let token = begun.header("authorization").strip_prefix("Bearer ").unwrap().to_owned();
    operator.stop();
    operator.start();
    // The session goes on at the server that comes after: what is wrong now is the message.
    let reply = send(&operator, 32, Some(&token), b"garbage").expect(500);
    assert_eq!(fdo::ErrorMessage::decode(&reply.body).unwrap().code, 100);
    assert_eq!(onboarding(&operator, &device.guid())["state"], "waiting");
}

#[test]
fn who_knows_a_guid_and_not_the_key_gets_nothing_and_is_noted() {
    let operator = operator();
    let factory = factory(&operator);
    let device = waiting(&factory, &operator, 125);
    // Everything of the device but its key.
    let secrets = SoftSecrets { key: key(126), hmac_secret: device.secrets.hmac_secret.clone() };
    let mut thief = Made { credential: read_again(&device.credential), secrets };
    assert_eq!(refused_with(&thief.candidate().unwrap_err()), 101);
    let told = Rc::new(Told::default());
    let refused = thief.onboard(&Made::straight_to(&operator), Manners::default(), &told).unwrap_err();
    assert_eq!(refused_with(&refused), 101);
    let shown = onboarding(&operator, &device.guid());
    assert_eq!(shown["failure"]["code"], "unauthentic-message");
    assert_eq!(shown["timeline"][0]["event"], "failed");
    assert!(device.candidate().is_ok());
}

/// Carries messages to two servers over the same data in turn: each answers what the other began.
#[test]
fn a_session_goes_on_at_another_server_at_every_message() {
    // Whichever port it gets: what devices are told stays the same.
    let named = operator_with(|config| config.public_url = Some("https://sextant.example".into()));
    let (mut operator, maker) = (named, Maker::new());
    let factory = factory(&operator);
    operator.put_authorities(&maker);
    operator.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let device = Made::at(&factory, 127).unwrap();
    let path = format!("/api/v1/onboarding/made/{}", device.guid());
    let voucher = sell(&factory, &path, &owner_key(&operator)).expect(200);
    import(&operator, &voucher.body);
    let ended = by_hand(&device, &mut operator, &mut |operator, _| {
        operator.stop();
        operator.start();
    });
    assert_eq!(ended, [60, 62, 64, 66, 68, 68, 68, 68, 68, 68, 70]);
    assert_eq!(onboarding(&operator, &device.guid())["state"], "replaced");
}

#[test]
fn a_message_that_comes_twice_changes_nothing() {
    let (mut operator, maker) = (operator(), Maker::new());
    let factory = factory(&operator);
    operator.put_authorities(&maker);
    operator.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let device = waiting(&factory, &operator, 128);
    by_hand(&device, &mut operator, &mut |operator, sent| {
        let (number, token, body) = sent;
        // The first answer was lost; the one that counts is the second.
        send(operator, number, token, body).expect(200);
    });
    assert_eq!(onboarding(&operator, &device.guid())["state"], "replaced");
    let devices = operator.get("/api/v1/devices").expect(200).json();
    assert_eq!(devices["items"].as_array().unwrap().len(), 1);
}

/// A message as it is sent: number, token and body.
type Sent<'s> = (u8, Option<&'s str>, &'s [u8]);

/// TO2, message by message; before each one something is done. Gives the numbers of the messages.
fn by_hand(device: &Made, operator: &mut Site, before: &mut dyn FnMut(&mut Site, Sent<'_>)) -> Vec<u8> {
    let told = Rc::new(Told::default());
    let attester = device.attester();
    let mut engine = common::onboarding::engine(&told, Manners::default(), &attester);
    let options = fdo::device::To2Options::for_credential(&device.credential).unwrap();
    let mut fill = |bytes: &mut [u8]| getrandom::fill(bytes).unwrap();
    let (mut to2, mut message) =
        fdo::device::To2::begin(&device.credential, None, options, &device.secrets, &mut fill);
    let (mut token, mut numbers): (Option<String>, Vec<u8>) = (None, Vec::new());
    loop {
        let number = message.message_type.number();
        numbers.push(number);
        before(operator, (number, token.as_deref(), &message.body));
        let reply = send(operator, number, token.as_deref(), &message.body).expect(200);
        let answer = MessageType::from_number(reply.header("message-type").parse().unwrap()).unwrap();
        let given = reply.header("authorization").strip_prefix("Bearer ").map(str::to_owned);
        let step = to2.receive(answer, &reply.body, &device.secrets, &mut engine, &mut fill).unwrap();
        told.bind(to2.binding());
        match step {
            fdo::Step::Send(next) => (message, token) = (next, given),
            fdo::Step::Done(_) => {
                assert_eq!(given, token, "the last answer repeats the token");
                return numbers;
            }
        }
    }
}
