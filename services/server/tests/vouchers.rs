//! Ownership vouchers: what is taken, and whose evidence is believed by them.

mod common;

use api::Session;
use common::{
    Maker, NOW, Site, edit,
    foreign::{attest_eat_as, instance_manifest, judged},
    hex, key,
};
use crypto::{Digest, HashAlgorithm, SigningKey};
use eat::{ClaimKey, SignedResult, Tier};
use fdo::{Directive, Guid, Header, Hmac, Instruction, KeyEncoding, PublicKey, RendezvousInfo, Voucher};
use serde_json::{Value, json};
use x509::{CertificateBuilder, Validity};

const VOUCHERS: &str = "/api/v1/vouchers";
const RESULTS: &str = "/api/v1/results/foreign";
const GUID: Guid = Guid([0x44; 16]);

/// A device by a manufacturer, sold to these in turn.
fn voucher(guid: Guid, manufacturer: &SigningKey, device: &SigningKey, buyers: &[&SigningKey]) -> Vec<u8> {
    let validity = Validity { not_before: NOW - 1, not_after: NOW + 1 };
    let certificate =
        CertificateBuilder::new("CN=camera".parse().unwrap(), device.public_key(), &[1], validity);
    let certificate = certificate.self_signed(device).unwrap();
    let instructions = vec![Instruction::Dns("rv.example".into()), Instruction::DevicePort(443)];
    let header = Header {
        guid,
        rendezvous: RendezvousInfo { directives: vec![Directive { instructions }] },
        device_info: "welcome-cam".into(),
        manufacturer: PublicKey::new(manufacturer.public_key(), KeyEncoding::X509).unwrap(),
        certificates: Digest::of(HashAlgorithm::Sha256, certificate.as_der()),
    };
    let header = header.encode();
    let hmac = Hmac::of(HashAlgorithm::Sha256, b"secret", &header);
    let made = Voucher::assemble(&header, &hmac, &[certificate.as_der()]).unwrap();
    let (mut voucher, mut owner) = (made, manufacturer);
    for buyer in buyers {
        voucher = Voucher::decode(&voucher).unwrap().extend(buyer.public_key()).unwrap().sign(owner).unwrap();
        owner = buyer;
    }
    voucher
}

/// A site that trusts a manufacturer, and owns what is sold to its key.
fn site(manufacturer: &SigningKey, owner: &SigningKey) -> Site {
    let key = |key: &SigningKey| fdo::Key::from(key.public_key().clone());
    let (manufacturer, owner) = (key(manufacturer), key(owner));
    Site::with(|config| {
        config.vouchers = trust::VoucherAnchors { manufacturers: vec![manufacturer], owners: vec![owner] };
    })
}

fn import(site: &Site, voucher: &[u8]) -> common::Reply {
    site.call("POST", VOUCHERS, Some(&site.admin), api::VOUCHER, Some(voucher))
}

fn delete(site: &Site, guid: Guid) -> common::Reply {
    site.call("DELETE", &format!("{VOUCHERS}/{guid}"), Some(&site.admin), "", None)
}

fn listed(site: &Site) -> Vec<Value> {
    site.get(RESULTS).expect(200).json()["items"].as_array().unwrap().clone()
}

fn codes(of: &Value) -> Vec<&str> {
    of["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

/// How a result says that the key was bound, in diagnostic notation.
fn binding(session: &Session) -> Option<String> {
    let cwt = session.sextant_result.clone().unwrap().0;
    let result = SignedResult::decode_cwt(&cwt).unwrap();
    let named = ClaimKey::Text("sextant_key_binding".into());
    let part = result.unverified().submods.values().next().unwrap();
    let claim = part.verifier_claims.iter().find(|(name, _)| *name == named);
    claim.map(|(_, value)| cbor::diagnostic(value).unwrap())
}

#[test]
fn device_attests_with_the_key_of_its_voucher_for_as_long_as_that_is_there() {
    let (manufacturer, shop, us, device) = (key(81), key(82), key(83), key(84));
    let (mut site, maker) = (site(&manufacturer, &us), Maker::new());
    site.put_authorities(&maker);
    site.publish(&maker.release("1.0.0", 1, b"app 1")).expect(201);
    let attest = |site: &Site, signer: &SigningKey| attest_eat_as(site, signer, &GUID.ueid(), b"app 1");
    let refused = |session: &Session, site: &Site, code: &str| {
        let expected = (Tier::Contraindicated, vec![code.to_owned()]);
        assert_eq!(judged(site, session, "device"), expected);
        assert_eq!(binding(session), None);
    };
    let before = attest(&site, &device);
    refused(&before, &site, "unknown-device");

    let bytes = voucher(GUID, &manufacturer, &device, &[&shop, &us]);
    let shown = import(&site, &bytes).expect(201).json();
    assert_eq!(
        (&shown["guid"], &shown["ueid"], &shown["device"], &shown["entries"], &shown["holds"]),
        (&json!(GUID.to_string()), &json!(hex(&GUID.ueid())), &json!("welcome-cam"), &json!(2), &json!(true))
    );
    // What was refused is judged again, and what comes now is affirmed.
    site.until("the earlier evidence is affirmed", || listed(&site)[0]["tier"] == "affirming");
    let affirmed = (Tier::Affirming, vec![]);
    let by_voucher = format!(r#"{{"by": "voucher", "guid": "{GUID}"}}"#);
    let session = attest(&site, &device);
    assert_eq!(judged(&site, &session, "EAT"), affirmed);
    assert_eq!(binding(&session).as_deref(), Some(by_voucher.as_str()));
    refused(&attest(&site, &key(85)), &site, "bad-evidence-signature");
    refused(&attest(&site, &us), &site, "bad-evidence-signature");

    // It survives the server.
    site.stop();
    site.start();
    assert_eq!(judged(&site, &attest(&site, &device), "EAT"), affirmed);
    assert_eq!(site.get(&format!("{VOUCHERS}/{GUID}/object")).expect(200).body, bytes);

    // With the voucher goes the key, of results that were given as well.
    site.clock.advance_seconds(5);
    delete(&site, GUID).expect(204);
    delete(&site, GUID).expect(404);
    site.get(&format!("{VOUCHERS}/{GUID}")).expect(404);
    assert_eq!(site.get(VOUCHERS).expect(200).json(), json!([]));
    site.until("nobody is believed any more", || {
        listed(&site).iter().all(|result| codes(result) == ["unknown-device"])
    });
    refused(&attest(&site, &device), &site, "unknown-device");
    // By a manifest instead, which the result tells apart; and the voucher may come again.
    let manifest = instance_manifest(&device, vec![]);
    assert_eq!(site.get("/api/v1/audit").expect(200).text().matches("voucher.remove").count(), 1);
    site.call("POST", "/api/v1/endorsements", Some(&site.admin), common::foreign::RIM, Some(&manifest))
        .expect(201);
    let by_manifest = binding(&common::foreign::attest_eat(&site, &device, b"app 1")).unwrap();
    assert!(by_manifest.starts_with(r#"{"by": "manifest", "manifest": "sha256:"#), "{by_manifest}");
    import(&site, &bytes).expect(201);
    assert_eq!(judged(&site, &attest(&site, &device), "EAT"), affirmed);
}

#[test]
fn voucher_is_taken_from_a_trusted_manufacturer_to_the_owner_alone() {
    let (manufacturer, shop, us, device) = (key(81), key(82), key(83), key(84));
    let site = site(&manufacturer, &us);
    let ours = voucher(GUID, &manufacturer, &device, &[&us]);
    let altered = {
        let mut altered = ours.clone();
        let last = altered.len() - 1;
        altered[last] ^= 1;
        altered
    };
    let version_10 = [&[0x84], &ours[3..]].concat();
    let rows = [
        ("somebody else's", voucher(GUID, &manufacturer, &device, &[&us, &shop]), "voucher-not-ours"),
        ("by a stranger", voucher(GUID, &shop, &device, &[&us]), "voucher-unknown-manufacturer"),
        ("by the owner to itself", voucher(GUID, &us, &device, &[&us]), "voucher-unknown-manufacturer"),
        ("not sold", voucher(GUID, &manufacturer, &device, &[]), "voucher-unsigned"),
        ("altered", altered, "voucher-signature"),
        ("of version 1.0", version_10, "unsupported-voucher"),
        ("no voucher", b"no voucher".to_vec(), "malformed-voucher"),
    ];
    for (what, bytes, code) in &rows {
        let reply = import(&site, bytes).expect(422).json();
        assert_eq!((&reply["code"], &reply["reason"]["code"]), (&json!(code), &json!(code)), "{what}");
    }
    assert_eq!(site.get("/api/v1/audit").expect(200).text().matches("voucher.refuse").count(), rows.len());
    let reader = site.token("read", "reader");
    site.call("POST", VOUCHERS, None, api::VOUCHER, Some(&ours)).expect(401);
    site.call("POST", VOUCHERS, Some(&reader), api::VOUCHER, Some(&ours)).expect(403);
    site.call("POST", VOUCHERS, Some(&site.admin), "application/json", Some(&ours)).expect(415);
    let long = vec![0; fdo::MAX_VOUCHER_LEN + 1];
    import(&site, &long).expect(413);
    assert_eq!(site.get(VOUCHERS).expect(200).json(), json!([]));

    import(&site, &ours).expect(201);
    import(&site, &ours).expect(409);
    // Nor does another voucher of the same device take its place by itself.
    import(&site, &voucher(GUID, &manufacturer, &key(86), &[&shop, &us])).expect(409);
    site.call("GET", VOUCHERS, None, "", None).expect(401);
    site.call("DELETE", &format!("{VOUCHERS}/{GUID}"), Some(&reader), "", None).expect(403);
    site.call("GET", &format!("{VOUCHERS}/{GUID}"), Some(&reader), "", None).expect(200);
    site.get(&format!("{VOUCHERS}/nonsense")).expect(404);
}

#[test]
fn without_owners_no_voucher_is_ours() {
    let (manufacturer, us, device) = (key(81), key(83), key(84));
    let site = Site::new();
    let reply = import(&site, &voucher(GUID, &manufacturer, &device, &[&us])).expect(422).json();
    assert_eq!(reply["code"], "voucher-not-ours");
}

#[test]
fn stored_voucher_that_was_edited_binds_nothing() {
    let (manufacturer, us, device) = (key(81), key(83), key(84));
    let mut site = site(&manufacturer, &us);
    let other = Guid([0x45; 16]);
    import(&site, &voucher(GUID, &manufacturer, &device, &[&us])).expect(201);
    import(&site, &voucher(other, &manufacturer, &key(85), &[&us])).expect(201);
    // The database alone gives nobody's key to a device.
    site.stop();
    edit(
        &site,
        "UPDATE vouchers SET bytes = (SELECT bytes FROM vouchers ORDER BY rowid DESC LIMIT 1) WHERE rowid = 1",
    );
    site.start();
    let shown = site.get(VOUCHERS).expect(200).json();
    assert_eq!((shown.as_array().unwrap().len(), &shown[0]["guid"]), (1, &json!(other.to_string())));
    let reasons = |guid: Guid, signer: &SigningKey| {
        let session = attest_eat_as(&site, signer, &guid.ueid(), b"app 1");
        let cwt = session.sextant_result.clone().unwrap().0;
        let result = SignedResult::decode_cwt(&cwt).unwrap();
        let part = result.unverified().submods.values().next().unwrap().clone();
        part.reasons.iter().map(|reason| reason.code.clone()).collect::<Vec<_>>()
    };
    assert_eq!(reasons(GUID, &device), ["unknown-device"]);
    assert_eq!(reasons(GUID, &key(85)), ["unknown-device"]);
    assert_eq!(reasons(other, &key(85)), ["no-reference"]);
    // Nor does one that is not what it was when it came.
    site.stop();
    edit(&site, "UPDATE vouchers SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'00' AS BLOB)");
    site.start();
    assert_eq!(site.get(VOUCHERS).expect(200).json(), json!([]));
    let session = attest_eat_as(&site, &key(85), &other.ueid(), b"app 1");
    assert_eq!(judged(&site, &session, "device").1, ["unknown-device"]);
}

#[test]
fn voucher_of_a_manufacturer_that_is_trusted_no_more_binds_nothing() {
    let (manufacturer, us, device) = (key(81), key(83), key(84));
    let mut site = site(&manufacturer, &us);
    import(&site, &voucher(GUID, &manufacturer, &device, &[&us])).expect(201);
    site.stop();
    site.configure(|config| config.vouchers.manufacturers.clear());
    site.start();
    let shown = site.get(&format!("{VOUCHERS}/{GUID}")).expect(200).json();
    assert_eq!((&shown["holds"], shown.get("device_key")), (&json!(false), None));
    let session = attest_eat_as(&site, &device, &GUID.ueid(), b"app 1");
    assert_eq!(judged(&site, &session, "device").1, ["unknown-device"]);
    delete(&site, GUID).expect(204);
}
