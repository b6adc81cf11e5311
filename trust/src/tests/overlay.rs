use alloc::{format, string::ToString, vec};

use cose::{Purpose, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use mud::{AceId, Direction, Entry, Family, IpPrefix, Policy, Ports, Protocol, Remote, Verdict};

use crate::{
    Approval, Code, Effect, Flow, MAX_CLASS_MEMBERS, Override, Scope, SignedOverride, last_words, overlay,
};

const NOW: i64 = 1_800_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).unwrap()
}

fn anchors(seed: u8, purpose: Purpose) -> TrustAnchors {
    TrustAnchors::new(vec![TrustAnchor::new(key(seed).public_key().clone(), purpose, "site")])
}

fn flow(remote: Remote) -> Flow {
    Flow {
        direction: Direction::FromDevice,
        family: Family::V4,
        protocol: Protocol::Tcp,
        remote,
        ports: Some((443, 443)),
    }
}

fn sample(effect: Effect) -> Override {
    Override {
        id: [7; 16],
        scope: Scope::Model("https://maker.example/cam.json".into()),
        effect,
        author: "Nadia".into(),
        reason: "the camera needs the new recorder".into(),
        not_before: NOW,
        expires: NOW + 3600,
    }
}

#[test]
fn a_signed_override_is_believed_from_the_network_operator_only() {
    let prefix = IpPrefix::parse("192.0.2.0/24").unwrap();
    for effect in [
        Effect::Deny(flow(Remote::Any)),
        Effect::Deny(flow(Remote::LocalNetworks)),
        Effect::Allow(flow(Remote::Prefix(prefix))),
        Effect::Allow(flow(Remote::Name("recorder.site.example".into()))),
        Effect::Ignore { acl: "from".into(), ace: "a1".into() },
        Effect::Class { class: Some("urn:ietf:params:mud:ntp".into()), members: vec![prefix] },
        Effect::Class { class: None, members: vec![] },
        Effect::Observe,
        approve(None),
        approve(Some(digest("file"))),
        Effect::ApproveFile { url: "https://maker.example/plug.json".into(), file: digest("file") },
    ] {
        for scope in
            [Scope::Site, Scope::Device(vec![1; 17]), Scope::Model("https://maker.example/cam.json".into())]
        {
            if matches!(effect, Effect::Approve(_)) && scope != Scope::Site {
                continue;
            }
            let item = Override { scope, ..sample(effect.clone()) };
            let bytes = item.sign(&key(1));
            let verified = SignedOverride::verify(&bytes, &anchors(1, Purpose::Override)).unwrap();
            assert_eq!(verified.content(), &item);
        }
    }
    for effect in [Effect::Deny(flow(Remote::Any)), approve(Some(digest("file")))] {
        only_the_operators(Override { scope: Scope::Site, ..sample(effect) }.sign(&key(1)));
    }
}

fn approve(file: Option<Digest>) -> Effect {
    Effect::Approve(Approval { release: digest("release"), file })
}

fn digest(text: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, text.as_bytes())
}

/// Refused by another key, by a key for another purpose, cut off, and with any byte changed.
fn only_the_operators(bytes: alloc::vec::Vec<u8>) {
    for refused in [
        SignedOverride::verify(&bytes, &anchors(2, Purpose::Override)),
        SignedOverride::verify(&bytes, &anchors(1, Purpose::Author)),
        SignedOverride::verify(&bytes[..bytes.len() - 1], &anchors(1, Purpose::Override)),
    ] {
        assert_eq!(refused.unwrap_err().code, Code::OverrideRefused);
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(SignedOverride::verify(&changed, &anchors(1, Purpose::Override)).is_err(), "byte {at}");
    }
}

#[test]
fn refuses_overrides_without_reason_or_end() {
    let good = sample(Effect::Deny(flow(Remote::Any)));
    let rows = [
        (Override { reason: " ".into(), ..good.clone() }, "an override needs a reason at byte 0"),
        (
            Override { expires: NOW, ..good.clone() },
            "an override ends after it begins, and within a year at byte 0",
        ),
        (
            Override { expires: NOW + crate::MAX_OVERRIDE_TIME + 1, ..good.clone() },
            "an override ends after it begins, and within a year at byte 0",
        ),
    ];
    for (item, error) in rows {
        assert_eq!(Override::decode(&item.encode()).unwrap_err().to_string(), error);
    }
    let longest = Override { expires: NOW + crate::MAX_OVERRIDE_TIME, ..good };
    assert_eq!(Override::decode(&longest.encode()), Ok(longest));
}

#[test]
fn an_approval_is_for_the_whole_site_and_names_whole_digests() {
    for scope in [Scope::Device(vec![1; 17]), Scope::Model("https://maker.example/cam.json".into())] {
        let item = Override { scope, ..sample(approve(None)) };
        assert_eq!(
            Override::decode(&item.encode()).unwrap_err().to_string(),
            "an approval is for the whole site at byte 0"
        );
    }
    let whole = Override { scope: Scope::Site, ..sample(approve(None)) }.encode();
    let at = whole.windows(32).position(|bytes| bytes == digest("release").as_bytes()).unwrap();
    let mut short = whole.clone();
    short.remove(at);
    short[at - 1] -= 1;
    assert!(Override::decode(&short).unwrap_err().to_string().starts_with("not a digest at byte"));
}

#[test]
fn the_last_word_under_an_id_is_the_one_that_begins_last() {
    let signed = |id: u8, not_before| {
        let item = Override { id: [id; 16], not_before, ..sample(Effect::Deny(flow(Remote::Any))) };
        SignedOverride::verify(&item.sign(&key(1)), &anchors(1, Purpose::Override)).unwrap()
    };
    let (first, other, last) = (signed(1, NOW), signed(2, NOW), signed(1, NOW + 1));
    for order in [[&first, &other, &last], [&last, &first, &other]] {
        let kept = last_words(order.into_iter().cloned());
        assert_eq!(kept, [last.clone(), other.clone()]);
    }
}

#[test]
fn an_override_applies_in_its_scope_and_its_time() {
    let model = sample(Effect::Deny(flow(Remote::Any)));
    let url = Some("https://maker.example/cam.json");
    assert!(model.applies(&[1], url, NOW));
    assert!(!model.applies(&[1], url, NOW - 1));
    assert!(!model.applies(&[1], url, NOW + 3600));
    assert!(!model.applies(&[1], Some("https://maker.example/plug.json"), NOW));
    assert!(!model.applies(&[1], None, NOW));
    let device = Override { scope: Scope::Device(vec![1; 17]), ..model };
    assert!(device.applies(&[1; 17], None, NOW) && !device.applies(&[2; 17], url, NOW));
}

#[test]
fn denials_come_first_then_allowances_then_the_file() {
    let file = Policy { entries: vec![entry("a1"), entry("a2")] };
    let items = [
        sample(Effect::Allow(flow(Remote::Any))),
        sample(Effect::Deny(flow(Remote::LocalNetworks))),
        sample(Effect::Ignore { acl: "from".into(), ace: "a1".into() }),
    ];
    let policy = overlay(&file, &items);
    let seen: alloc::vec::Vec<_> = policy
        .entries
        .iter()
        .map(|entry| (entry.verdict, format!("{}/{}", entry.ace.acl, entry.ace.ace)))
        .collect();
    let id = "override/07070707070707070707070707070707".to_string();
    assert_eq!(
        seen,
        [(Verdict::Drop, id.clone()), (Verdict::Accept, id), (Verdict::Accept, "from/a2".to_string())]
    );
    assert_eq!(overlay(&file, []), file);
}

#[test]
fn a_class_has_the_members_that_the_operator_says_for_the_devices_touched() {
    let about = |remote: Remote, family, ace: &str| Entry { remote, family, ..entry(ace) };
    let ntp = Remote::Controller("urn:ietf:params:mud:ntp".into());
    let file = Policy {
        entries: vec![
            about(ntp.clone(), Family::V4, "ntp4"),
            about(ntp, Family::V6, "ntp6"),
            about(Remote::MyController, Family::V4, "mine"),
            entry("any"),
        ],
    };
    let members = |texts: &[&str]| texts.iter().map(|text| IpPrefix::parse(text).unwrap()).collect();
    let class =
        |class: Option<&str>, members| sample(Effect::Class { class: class.map(Into::into), members });
    let shown = |items: &[Override]| -> alloc::vec::Vec<_> {
        let policy = overlay(&file, items);
        policy.entries.iter().map(|entry| format!("{} {}", entry.ace.ace, entry.remote)).collect()
    };
    let urn = Some("urn:ietf:params:mud:ntp");
    let clocks = class(urn, members(&["192.0.2.1", "192.0.2.64/26"]));
    // No member is of IPv6, so that the entry for it is closed.
    assert_eq!(
        shown(&[clocks]),
        ["ntp4 192.0.2.1/32", "ntp4 192.0.2.64/26", "mine my-controller", "any any"]
    );
    let mine = class(None, members(&["2001:db8::1"]));
    assert_eq!(
        shown(&[mine]),
        ["ntp4 controller urn:ietf:params:mud:ntp", "ntp6 controller urn:ietf:params:mud:ntp", "any any"]
    );
    assert_eq!(shown(&[class(urn, vec![])]), ["mine my-controller", "any any"]);
    let other = class(Some("urn:ietf:params:mud:dns"), members(&["192.0.2.1"]));
    assert_eq!(shown(&[other]).len(), 4);
}

#[test]
fn a_class_has_so_many_members_and_no_more() {
    let members = |count: usize| vec![IpPrefix::parse("192.0.2.0/24").unwrap(); count];
    let read =
        |count| Override::decode(&sample(Effect::Class { class: None, members: members(count) }).encode());
    assert!(read(MAX_CLASS_MEMBERS).is_ok() && read(MAX_CLASS_MEMBERS + 1).is_err());
}

fn entry(ace: &str) -> Entry {
    Entry {
        direction: Direction::FromDevice,
        family: Family::V4,
        remote: Remote::Any,
        protocol: Protocol::Udp,
        remote_ports: Ports::one(53),
        device_ports: Ports::ANY,
        extra: None,
        tls: vec![],
        verdict: Verdict::Accept,
        ace: AceId { acl: "from".into(), ace: ace.into() },
        default: false,
    }
}
