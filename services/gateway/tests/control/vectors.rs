//! The shared vectors of MUD files and signatures, by the way that files of devices without attestation take.

use std::path::Path;

use api::{Base64Url, GatewayState, ModelState, NetworkModel};
use gateway::control::{Anchors, State, Target};
use gateway::manager::{AnnouncedRules, Brought, Fetched, KnownDevice, Source, Sources, Unattested};
use gateway::{Announced, Mac};
use mud::SiteMode;
use serde_json::Value;
use trust::{Effect, Scope};
use x509::Certificate;

use crate::maker::{MAKER_CA, announces, authority, signed_bytes, url, uses};
use crate::site::{OPERATOR, address, anchors, answer, key, mac, order};

const PLUG: u8 = 100;

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&read(&folder.join("MANIFEST.json"))).unwrap()
}

fn rules(issuers: Vec<Certificate>, extra: Vec<Certificate>) -> AnnouncedRules {
    AnnouncedRules {
        mode: SiteMode::Hold,
        anchors: issuers,
        extra,
        accept: [Announced::Dhcpv4].into(),
        weak_access: mud::WeakAccess::AsFile,
        addresses: mud::Addresses::Allow,
        // What the vectors say is about findings; how broad a file is is another question.
        breadth: 101,
        ..AnnouncedRules::default()
    }
}

fn state(sources: Sources, at: &str, now: i64) -> State {
    let mut state = State::new(Anchors { sources, ..anchors() });
    state.heard(&announces(mac(PLUG), at), now);
    state.heard(&uses(mac(PLUG), address(PLUG), now + 3600), now);
    state
}

fn bring(state: &mut State, at: &str, file: &[u8], signature: Option<Vec<u8>>, now: i64) {
    let fetched = Fetched { file: file.to_vec(), signature, etag: None, max_age: None };
    state.bring(&url(at), &Source::Announced, Ok(Brought::File(fetched)), 0, now);
}

fn told(state: &State, at: &str, now: i64) -> NetworkModel {
    state.told_models(now).into_iter().find(|model| model.url == at).unwrap()
}

fn codes(model: &NetworkModel) -> Vec<String> {
    let offered = model.offered.iter().flat_map(|offered| &offered.reasons);
    offered.map(|reason| reason.code.clone()).collect()
}

fn is_wide(state: &State, mac: Mac, now: i64) -> bool {
    matches!(state.assess(&Unattested::id(mac).unwrap(), now).target, Target::Release(_))
}

#[test]
fn signatures_let_files_in_as_their_manifest_says() {
    let Some(root) = testkit::vectors("mud") else { return };
    let folder = root.join("signed");
    let certificate = |name: &str| Certificate::decode(&read(&folder.join(name))).unwrap();
    let manifest = manifest(&folder);
    let anchor = certificate(manifest["trust-anchor"].as_str().unwrap());
    let signer = certificate("signer.der");
    let now = signer.validity().not_before / 2 + signer.validity().not_after / 2;
    let device = certificate("device-cert.der");
    let at = url(device.mud_url().unwrap()).to_string();
    let mut judged = 0;
    for case in manifest["cases"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str();
        let signature = read(&folder.join(text("sig").unwrap()));
        let content = text("content").or(manifest["content"].as_str()).unwrap();
        let content = read(&folder.join(content));
        // What becomes of it: with the subject in the device's certificate, without, and with a certificate at hand.
        let run = |named: bool, extra: Vec<Certificate>| {
            let mut sources = Sources { announced: rules(vec![anchor.clone()], extra), ..Sources::default() };
            if named {
                sources.devices.insert(
                    mac(PLUG),
                    KnownDevice { url: url(&at), signer: device.mud_signer().cloned(), fixed: true },
                );
            }
            let mut state = state(sources, &at, now);
            bring(&mut state, &at, &content, Some(signature.clone()), now);
            let told = told(&state, &at, now);
            let open = is_wide(&state, mac(PLUG), now);
            assert_eq!(open, told.state == ModelState::InForce);
            (told.state, codes(&told))
        };
        let good = (ModelState::InForce, vec![]);
        let held = |code: &str| (ModelState::Waiting, vec![code.to_owned()]);
        let named = run(true, vec![]);
        match text("expect").unwrap() {
            "ok" => assert_eq!(named, good, "{case}"),
            "bad" => assert_eq!(named, held("mud-signature"), "{case}"),
            "bad-when-subject-pinned" => {
                assert_eq!(named, held("mud-signer-subject"), "{case}");
                assert_eq!(run(false, vec![]), good, "{case}");
            }
            "ok-if-signer-known" => {
                assert_eq!(named, held("mud-signature"), "{case}");
                assert_eq!(run(true, vec![certificate(text("extra-cert").unwrap())]), good, "{case}");
            }
            other => panic!("{other} is no word of the manifest"),
        }
        judged += 1;
    }
    assert_eq!(judged, 13);
}

#[test]
fn broken_files_are_kept_out_as_their_manifest_says() {
    let Some(root) = testkit::vectors("mud") else { return };
    let folder = root.join("negative");
    let at = "https://maker.example/sensor/v2.json";
    let now = crate::site::NOW;
    let mut wrong = Vec::new();
    let manifest = manifest(&folder);
    let cases = manifest["cases"].as_array().unwrap();
    for case in cases {
        let (name, expect) = (case["file"].as_str().unwrap(), case["expect"].as_str().unwrap());
        let content = read(&folder.join(name));
        let signature = signed_bytes(&content, MAKER_CA, "CN=Maker", now);
        let sources =
            Sources { announced: rules(vec![authority(MAKER_CA, now)], vec![]), ..Sources::default() };
        let mut state = state(sources, at, now);
        bring(&mut state, at, &content, Some(signature), now);
        let first = told(&state, at, now);
        let open = is_wide(&state, mac(PLUG), now);
        let found = match (first.state, open) {
            (ModelState::InForce, true) => "accept",
            (ModelState::Waiting, false) => "accept-only-by-operator",
            (ModelState::Refused, false) => "reject-file",
            other => panic!("{name}: {other:?}"),
        };
        let expected = match expect {
            // An entry that is left out, or a warning, is shown; the rest holds.
            "accept" | "accept-with-warning" | "reject-ace" => "accept",
            "accept-only-by-operator" | "reject-unless-authorised" => "accept-only-by-operator",
            "reject-file" => "reject-file",
            other => panic!("{other} is no word of the manifest"),
        };
        if found != expected {
            wrong.push((name, expect, found, codes(&first)));
            continue;
        }
        if matches!(expect, "accept-with-warning" | "reject-ace") {
            assert!(!first.in_force.unwrap().findings.is_empty(), "{name}");
        }
        // The operator may let in what waits, and nothing that is broken.
        let file = crypto::Digest::of(crypto::HashAlgorithm::Sha256, &content);
        let approval = order(1, Effect::ApproveFile { url: at.into(), file });
        assert_eq!(approval.scope, Scope::Site);
        let overrides = vec![Base64Url(approval.sign(&key(OPERATOR)))];
        state.take_in(&GatewayState { overrides, ..answer(&[], vec![]) }, now);
        state.advance(now);
        assert_eq!(is_wide(&state, mac(PLUG), now), expected != "reject-file", "{name}");
    }
    assert!(wrong.is_empty(), "file, expected, found: {wrong:#?}");
    assert!(cases.len() >= 44, "{}", cases.len());
}
