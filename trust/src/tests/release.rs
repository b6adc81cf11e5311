use alloc::{string::String, vec, vec::Vec};

use crypto::{Digest, HashAlgorithm};
use suit::{ComponentId, Envelope, MudBinding, Severable};
use x509::cms;

use super::fixture::{CAM, Maker, NOW, image, key};
use crate::{
    Approval, Code, Effect, Expected, Explained, MUD_FILE, MUD_SIGNATURE, Override, Release, ReleaseAnchors,
    ReleaseDraft, ReleaseStanding, Scope, SignedOverride, Standing,
};

fn refused(envelope: &[u8], anchors: &ReleaseAnchors) -> Code {
    Release::accept(envelope, anchors, NOW).map(|_| ()).unwrap_err().code
}

#[test]
fn a_release_says_what_to_expect_and_what_it_needs() {
    let maker = Maker::new();
    let release = maker.release("1.0.0", 1, b"app one");
    let component = |name: &str, content: &[u8]| Expected {
        name: name.into(),
        digest: Digest::of(HashAlgorithm::Sha256, content),
        size: Some(content.len() as u64),
        required: true,
        version: None,
    };
    let mut expected = vec![component("app", b"app one"), component("boot", b"loader")];
    expected.sort();
    assert_eq!(release.expected(), expected);
    assert_eq!((release.name(), release.version(), release.sequence_number()), ("Welcome Cam", "1.0.0", 1));
    assert_eq!(release.signers().len(), 2);
    let needs = release.network_needs().unwrap();
    assert_eq!(needs.file, CAM);
    assert_eq!(needs.signer, "CN=Maker MUD");
    assert!(!needs.policy.entries.is_empty());
    let vendor = suit::Uuid::vendor("northlight.example");
    assert!(release.is_for(vendor.as_bytes(), suit::Uuid::class(&vendor, b"welcome-cam").as_bytes()));
    assert!(!release.is_for(vendor.as_bytes(), suit::Uuid::class(&vendor, b"smart-plug").as_bytes()));
}

#[test]
fn the_copy_without_images_is_the_same_release() {
    let maker = Maker::new();
    let release = maker.release("1.0.0", 1, &[7; 5000]);
    let copy = release.without_images();
    assert!(copy.len() + 4000 < release.envelope().len());
    let again = Release::accept(&copy, &maker.anchors(), NOW).unwrap();
    assert_eq!(again.manifest_digest(), release.manifest_digest());
    assert_eq!(again.network_needs().unwrap().policy, release.network_needs().unwrap().policy);
}

#[test]
fn refuses_manifests_that_are_not_signed_by_all_who_must() {
    let maker = Maker::new();
    let draft = maker.draft("1.0.0", 1, b"app");
    let signed = |keys: &[(u8, &[u8])]| {
        let mut envelope = draft.build().unwrap();
        for (seed, kid) in keys {
            envelope.sign(&key(*seed), Some(kid));
        }
        envelope.to_bytes()
    };
    let rows: [(Vec<u8>, Code); 6] = [
        (signed(&[]), Code::UnsignedManifest),
        (signed(&[(1, b"author")]), Code::OperatorSignatureMissing),
        (signed(&[(2, b"operator")]), Code::AuthorSignatureMissing),
        (signed(&[(6, b"stranger")]), Code::UnknownSigner),
        (signed(&[(6, b"author")]), Code::BadManifestSignature),
        (vec![0xff], Code::MalformedManifest),
    ];
    for (envelope, code) in rows {
        assert_eq!(refused(&envelope, &maker.anchors()), code);
    }
}

#[test]
fn refuses_an_author_outside_its_class() {
    let maker = Maker::new();
    let mut anchors = maker.anchors();
    let mut entries = anchors.authorities.entries().to_vec();
    let vendor = suit::Uuid::vendor("northlight.example");
    entries[0].vendor = Some(vendor);
    entries[0].class = Some(suit::Uuid::class(&vendor, b"smart-plug"));
    anchors.authorities = suit::AuthorityList::new(*anchors.authorities.policy(), entries.clone()).unwrap();
    assert_eq!(refused(&maker.sign(&maker.draft("1.0.0", 1, b"app")), &anchors), Code::AuthorOutOfScope);
    entries[0].class = None;
    entries[0].components = vec![ComponentId::new(&["app"]).unwrap()];
    anchors.authorities = suit::AuthorityList::new(*anchors.authorities.policy(), entries).unwrap();
    assert_eq!(refused(&maker.sign(&maker.draft("1.0.0", 1, b"app")), &anchors), Code::AuthorNotAuthorised);
}

#[test]
fn refuses_a_release_without_its_sbom() {
    let maker = Maker::new();
    let mut manifest = draft_manifest(&maker.draft("1.0.0", 1, b"app"));
    manifest.sever(Severable::Coswid);
    let signed = sign(&maker, &manifest);
    let severed = Envelope::decode(&signed).unwrap().sever(&[Severable::Coswid]);
    assert_eq!(refused(&severed, &maker.anchors()), Code::ProvenanceMissing);
}

#[test]
fn refuses_an_sbom_that_contradicts_the_manifest() {
    let maker = Maker::new();
    let other = maker.draft("1.0.0", 1, b"other app");
    let tag_of_other = {
        let bytes = maker.sign(&other);
        let anchors = maker.anchors();
        let envelope = Envelope::decode(&bytes).unwrap();
        let verified = envelope.verify(&anchors.authorities).unwrap();
        verified.coswid().unwrap().to_vec()
    };
    let mut manifest = draft_manifest(&maker.draft("1.0.0", 1, b"app"));
    manifest.coswid(&tag_of_other);
    assert_eq!(refused(&sign(&maker, &manifest), &maker.anchors()), Code::ReferenceConflict);

    let mut more = maker.draft("1.0.0", 1, b"app");
    more.images.push(image("radio", b"baseband"));
    let mut manifest = draft_manifest(&more);
    manifest.coswid(&tag_of_other);
    assert_eq!(refused(&sign(&maker, &manifest), &maker.anchors()), Code::ReferenceConflict);
}

#[test]
fn refuses_a_mud_file_that_the_manifest_does_not_pin() {
    let maker = Maker::new();
    let draft = maker.draft("1.0.0", 1, b"app");
    let good = maker.sign(&draft);
    let swapped = |uri: &str, payload: &[u8]| Envelope::decode(&good).unwrap().with_payload(uri, payload);
    let other_file = String::from_utf8(CAM.to_vec()).unwrap().replace("443", "444").into_bytes();

    // Another file, its own signature by another key, a signature cut off, a file left out.
    let rogue = Maker { mud_signer: key(7), ..Maker::new() };
    let stranger = x509::CertificateBuilder::new(
        "CN=Maker MUD".parse().unwrap(),
        rogue.mud_signer.public_key(),
        &[9],
        maker.certificate.validity(),
    )
    .self_signed(&rogue.mud_signer)
    .unwrap();
    let rogue_signature = cms::sign_detached(&other_file, &rogue.mud_signer, &stranger, &[], NOW).unwrap();
    let both = {
        let bytes = swapped(MUD_FILE, &other_file);
        Envelope::decode(&bytes).unwrap().with_payload(MUD_SIGNATURE, &rogue_signature)
    };
    let rows = [
        (swapped(MUD_FILE, &other_file), Code::MudSignerMismatch),
        (swapped(MUD_SIGNATURE, &rogue_signature), Code::MudSignerMismatch),
        (swapped(MUD_SIGNATURE, b""), Code::MudSignerMismatch),
        (both, Code::MudSignerMismatch),
        (Envelope::decode(&good).unwrap().strip_payloads(), Code::MudMissing),
    ];
    for (index, (envelope, code)) in rows.iter().enumerate() {
        assert_eq!(refused(envelope, &maker.anchors()), *code, "row {index}");
    }
}

#[test]
fn with_issuers_of_its_own_the_site_wants_the_mud_signer_from_one_of_them() {
    let maker = Maker::new();
    let envelope = maker.sign(&maker.draft("1.0.0", 1, b"app"));
    let with = |issuer| ReleaseAnchors { mud_issuers: vec![issuer], ..maker.anchors() };
    assert!(Release::accept(&envelope, &with(maker.issuer.clone()), NOW).is_ok());
    let other = Maker::new();
    let foreign = x509::CertificateBuilder::new(
        "CN=Maker CA".parse().unwrap(),
        key(11).public_key(),
        &[1],
        other.issuer.validity(),
    )
    .authority(Some(0))
    .self_signed(&key(11))
    .unwrap();
    assert_eq!(refused(&envelope, &with(foreign)), Code::MudSignerMismatch);
    // The pin holds beside the chain: expired certificates are refused too.
    let late = Release::accept(&envelope, &with(maker.issuer.clone()), NOW + 5000).map(|_| ()).unwrap_err();
    assert_eq!(late.code, Code::MudSignerMismatch);
}

#[test]
fn a_broad_file_waits_for_the_operators_approval() {
    let maker = Maker::new();
    let draft = maker.broad_draft("1.0.0", 1, b"app");
    let release = Release::accept(&maker.sign(&draft), &maker.anchors(), NOW).unwrap();
    let (digest, file) = (release.manifest_digest(), release.network_needs().unwrap().digest);
    let other = Digest::of(HashAlgorithm::Sha256, b"other");
    let approve = |release, file, from: i64| {
        let item = Override {
            id: [7; 16],
            scope: Scope::Site,
            effect: Effect::Approve(Approval { release, file }),
            author: "Nadia".into(),
            reason: "read it".into(),
            not_before: NOW + from,
            expires: NOW + from + 10,
        };
        let keys = crate::key_anchors(&[], &[cose::Key::from_public(key(5).public_key())]);
        SignedOverride::verify(&item.sign(&key(5)), &keys).unwrap()
    };
    assert_eq!(release.approved(&[], NOW).unwrap_err().code, Code::MudNeedsApproval);
    for good in [approve(digest, None, 0), approve(digest, Some(file), -9)] {
        assert_eq!(release.approved([&good], NOW), Ok(()));
    }
    for bad in [
        approve(other, None, 0),
        approve(digest, Some(other), 0),
        approve(digest, None, 1),
        approve(digest, None, -10),
    ] {
        assert_eq!(release.approved([&bad], NOW).unwrap_err().code, Code::MudNeedsApproval);
    }
    assert_eq!(maker.release("1.0.0", 1, b"app").approved(&[], NOW), Ok(()), "which asks for little");
    let standing = |all| ReleaseStanding::of(&release, Standing::Current, all).broad.map(|broad| broad.file);
    assert_eq!((standing(false), standing(true)), (Some(file), None));
}

/// The manifest of a draft, to be changed before it is signed.
fn draft_manifest(draft: &ReleaseDraft) -> suit::ManifestBuilder {
    draft.manifest().unwrap()
}

fn sign(maker: &Maker, manifest: &suit::ManifestBuilder) -> Vec<u8> {
    let mut envelope = manifest.build(HashAlgorithm::Sha256).unwrap();
    envelope.sign(&maker.author, Some(b"author")).sign(&maker.operator, Some(b"operator"));
    envelope.to_bytes()
}

#[test]
fn a_binding_without_a_file_is_no_network_need() {
    let maker = Maker::new();
    let mut draft = maker.draft("1.0.0", 1, b"app");
    let mud = draft.mud.take().unwrap();
    let release = Release::accept(&maker.sign(&draft), &maker.anchors(), NOW).unwrap();
    assert!(release.network_needs().is_none());
    let mut manifest = draft.manifest().unwrap();
    let signer = cose::thumbprint(&mud.signer, HashAlgorithm::Sha256);
    manifest.mud(&MudBinding { url: &mud.url, signer });
    assert_eq!(refused(&sign(&maker, &manifest), &maker.anchors()), Code::MudMissing);
}

#[test]
fn a_file_says_why_a_flow_may_or_may_not_start() {
    let maker = Maker::new();
    let release = maker.release("1.0.0", 1, b"app");
    let needs = release.network_needs().unwrap();
    let packet = |direction, remote: &str, remote_port, device_port| mud::Packet {
        direction,
        remote: remote.parse().unwrap(),
        protocol: 6,
        remote_port,
        device_port,
        icmp: None,
        tcp_flags: None,
        fields: mud::PacketFields::default(),
    };
    let (from, to) = (mud::Direction::FromDevice, mud::Direction::ToDevice);
    let api = packet(from, "203.0.113.10", 443, 50_000);
    let by = Some("API.northlight.example.");
    let ace = |explained: &Explained<'_>| match explained {
        Explained::Entry(entry) | Explained::OtherEndStarts(entry) => Some(entry.ace.ace.clone()),
        Explained::NoEntry(closest) => closest.as_ref().map(|(entry, _)| entry.ace.ace.clone()),
    };
    let declared = needs.explain(&api, by);
    assert!(matches!(declared, Explained::Entry(_)) && ace(&declared).as_deref() == Some("api-fr"));
    assert!(needs.declare(&api, by) && !needs.declare(&api, None));
    // The same place by no name, another port, and the other end.
    let unnamed = needs.explain(&api, None);
    assert!(
        matches!(&unnamed, Explained::NoEntry(Some((_, differs))) if *differs == [mud::Difference::Remote])
    );
    let port = needs.explain(&packet(from, "203.0.113.10", 444, 50_000), by);
    assert!(
        matches!(&port, Explained::NoEntry(Some((_, differs))) if *differs == [mud::Difference::RemotePort])
    );
    assert_eq!(ace(&port).as_deref(), Some("api-fr"));
    let other_end = needs.explain(&packet(to, "203.0.113.10", 443, 50_000), by);
    assert!(matches!(other_end, Explained::OtherEndStarts(_)), "{other_end:?}");
    let gre = mud::Packet { protocol: 47, ..packet(to, "2001:db8::1", 0, 0) };
    assert!(matches!(needs.explain(&gre, None), Explained::NoEntry(_)));
}
