//! A site with real keys: a maker, a verifier, a network operator and devices.

use std::collections::BTreeMap;

use api::{Base64Url, GatewayDevice, GatewayRelease, GatewayState};
use cbor::MapBuilder;
use cose::{Purpose, Sign1Builder, TrustAnchor, TrustAnchors};
use coswid::VersionScheme;
use crypto::{Digest, SignatureAlgorithm, SigningKey};
use eat::{Appraisal, AttestationResult, Category, TrustVector, Ueid, VerifierId};
use gateway::DeviceId;
use gateway::control::{ADMISSION_CONTEXT, Anchors, Assessment, PolicyKey, PolicySource, State, Target};
use gateway::manager::Sources;
use suit::{Authority, AuthorityList, ComponentId, Role};
use trust::{
    Access, Code, DraftImage, DraftMud, Effect, Override, Policy, Release, ReleaseAnchors, ReleaseDraft,
    Scope,
};
use x509::{Certificate, CertificateBuilder, Name, Validity, cms};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const LIFETIME: i64 = 300;

pub(crate) const AUTHOR: u8 = 1;
pub(crate) const MUD_SIGNER: u8 = 3;
pub(crate) const VERIFIER: u8 = 5;
pub(crate) const OPERATOR: u8 = 6;
pub(crate) const STRANGER: u8 = 9;
const DEVICES: u8 = 20;

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).unwrap()
}

pub(crate) fn ueid(index: u8) -> Vec<u8> {
    [&[1], [index; 16].as_slice()].concat()
}

pub(crate) fn id(index: u8) -> DeviceId {
    DeviceId::new(&ueid(index)).unwrap()
}

/// Seed of a device's key.
pub(crate) fn of_device(index: u8) -> u8 {
    DEVICES + index
}

pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn anchors() -> Anchors {
    let author = Authority::new(key(AUTHOR).public_key().clone(), b"author", "maker", Role::Author);
    let anchor = |seed, purpose: Purpose| TrustAnchor {
        kid: Vec::new(),
        ..TrustAnchor::new(key(seed).public_key().clone(), purpose, purpose.name())
    };
    Anchors {
        releases: ReleaseAnchors {
            authorities: AuthorityList::with_default_policy(vec![author]).unwrap(),
            mud_issuers: vec![],
        },
        keys: TrustAnchors::new(vec![anchor(VERIFIER, Purpose::Result), anchor(OPERATOR, Purpose::Override)]),
        broad_mud_approved: true,
        policy: Policy { result_lifetime: 24 * 3600, ..Policy::default() },
        sources: Sources::default(),
        settle: 0,
    }
}

pub(crate) fn certificate(seed: u8, now: i64) -> Certificate {
    let validity = Validity { not_before: now - 1000, not_after: now + 1000 };
    let name: Name = "CN=Maker MUD".parse().unwrap();
    CertificateBuilder::new(name, key(seed).public_key(), &[seed], validity).self_signed(&key(seed)).unwrap()
}

/// URL of the MUD file of a version.
pub(crate) fn url(version: &str) -> String {
    format!("https://mud.maker.example/cam-{version}.json")
}

/// A MUD file that permits TCP from the device to one address and port.
pub(crate) fn mud_file(version: &str, address: &str, port: u16) -> String {
    let url = url(version);
    format!(
        r#"{{"ietf-mud:mud":{{"mud-version":1,"mud-url":"{url}","last-update":"2026-05-04T09:30:00+02:00",
        "mud-signature":"v.p7s","cache-validity":72,"is-supported":true,"systeminfo":"cam",
        "from-device-policy":{{"access-lists":{{"access-list":[{{"name":"fr"}}]}}}}}},
        "ietf-access-control-list:acls":{{"acl":[{{"name":"fr","type":"ipv4-acl-type","aces":{{"ace":[{{"name":"api",
        "matches":{{"ipv4":{{"protocol":6,"destination-ipv4-network":"{address}/32"}},
        "tcp":{{"destination-port":{{"operator":"eq","port":{port}}},"ietf-mud:direction-initiated":"from-device"}}}},
        "actions":{{"forwarding":"accept"}}}}]}}}}]}}}}"#
    )
}

/// What a release is made of, so that tests can spoil one part.
pub(crate) struct Parts {
    pub(crate) version: &'static str,
    pub(crate) sequence: u64,
    pub(crate) author: u8,
    /// The file in the envelope, and the one that was signed.
    pub(crate) file: String,
    pub(crate) signed_file: String,
    pub(crate) mud_signer: u8,
    pub(crate) with_mud: bool,
    pub(crate) now: i64,
}

impl Parts {
    pub(crate) fn of(version: &'static str, sequence: u64) -> Self {
        let file = mud_file(version, "203.0.113.10", 443);
        Self {
            version,
            sequence,
            author: AUTHOR,
            signed_file: file.clone(),
            file,
            mud_signer: MUD_SIGNER,
            with_mud: true,
            now: NOW,
        }
    }

    pub(crate) fn reaching(self, address: &str, port: u16) -> Self {
        let file = mud_file(self.version, address, port);
        Self { signed_file: file.clone(), file, ..self }
    }

    pub(crate) fn made(&self) -> Made {
        let certificate = certificate(self.mud_signer, self.now);
        let signed = self.signed_file.as_bytes();
        let signature =
            cms::sign_detached(signed, &key(self.mud_signer), &certificate, &[], self.now).unwrap();
        let draft = ReleaseDraft {
            vendor_domain: "maker.example".into(),
            class_name: "cam".into(),
            name: "Cam".into(),
            version: self.version.into(),
            version_scheme: VersionScheme::Semver,
            sequence_number: self.sequence,
            tag_id: None,
            supersedes: None,
            links: Vec::new(),
            images: vec![DraftImage {
                component: ComponentId::new(&["app"]).unwrap(),
                content: self.version.as_bytes().to_vec(),
                version: None,
                uri: None,
                invoke: true,
            }],
            mud: self.with_mud.then(|| DraftMud {
                url: url(self.version),
                file: self.file.clone().into_bytes(),
                signature,
                signer: key(MUD_SIGNER).public_key().clone(),
            }),
        };
        let mut envelope = draft.build().unwrap();
        envelope.sign(&key(self.author), Some(b"author"));
        let envelope = envelope.to_bytes();
        let verified = suit::Envelope::decode(&envelope).unwrap();
        Made { digest: verified.manifest_digest_claimed(), envelope }
    }
}

/// A release as a server stores it.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) digest: Digest,
    pub(crate) envelope: Vec<u8>,
}

impl Made {
    pub(crate) fn of(version: &'static str, sequence: u64) -> Self {
        let made = Parts::of(version, sequence).made();
        Release::accept(&made.envelope, &anchors().releases, NOW).unwrap();
        made
    }

    pub(crate) fn offered(&self) -> GatewayRelease {
        GatewayRelease {
            manifest_digest: text(self.digest.as_bytes()),
            envelope: Base64Url(self.envelope.clone()),
        }
    }

    pub(crate) fn key(&self) -> PolicyKey {
        PolicyKey {
            source: PolicySource::Release(self.digest),
            overrides: [].into(),
            access: Access::Release,
        }
    }
}

/// What a verifier found, so that tests can spoil one part.
#[derive(Clone)]
pub(crate) struct Finding {
    pub(crate) device: u8,
    pub(crate) key: Option<u8>,
    pub(crate) release: Option<Digest>,
    pub(crate) executables: i8,
    pub(crate) reason: Option<Code>,
    pub(crate) issued: i64,
    pub(crate) expires: i64,
    pub(crate) verifier: u8,
}

impl Finding {
    pub(crate) fn good(device: u8, release: &Made) -> Self {
        Self {
            device,
            key: Some(of_device(device)),
            release: Some(release.digest),
            executables: 2,
            reason: None,
            issued: NOW,
            expires: NOW + LIFETIME,
            verifier: VERIFIER,
        }
    }

    pub(crate) fn bad(device: u8) -> Self {
        Self {
            device,
            key: Some(of_device(device)),
            release: None,
            executables: 96,
            reason: Some(Code::DigestMismatch),
            issued: NOW,
            expires: NOW + LIFETIME,
            verifier: VERIFIER,
        }
    }

    pub(crate) fn at(self, issued: i64) -> Self {
        Self { issued, expires: issued + LIFETIME, ..self }
    }

    pub(crate) fn signed(&self) -> Vec<u8> {
        let id = VerifierId { developer: "test".into(), build: "1".into() };
        let mut result = AttestationResult::new(id, self.issued, self.expires);
        result.ueid = Ueid::new(&ueid(self.device));
        result.confirmation = self.key.map(|seed| key(seed).public_key().clone());
        let vector = TrustVector::new()
            .with(Category::InstanceIdentity, 2)
            .with(Category::Executables, self.executables);
        let mut appraisal = Appraisal::new(vector);
        appraisal.release = self.release.map(|digest| digest.as_bytes().to_vec());
        appraisal.reasons = self.reason.map(|code| eat::Reason::new(code.as_str())).into_iter().collect();
        result.submods = BTreeMap::from([(trust::SUBMOD.to_owned(), appraisal)]);
        result.sign_cwt(&key(self.verifier), b"verifier").unwrap()
    }
}

pub(crate) fn listed(index: u8, result: Option<&[u8]>) -> GatewayDevice {
    GatewayDevice {
        ueid: text(&ueid(index)),
        name: format!("cam {index}"),
        model: "cam".into(),
        mud_url: None,
        result: result.map(|bytes| Base64Url(bytes.to_vec())),
        held: None,
        offered: None,
    }
}

pub(crate) fn answer(releases: &[&Made], devices: Vec<GatewayDevice>) -> GatewayState {
    GatewayState {
        revision: 1,
        releases: releases.iter().map(|made| made.offered()).collect(),
        devices,
        overrides: vec![],
        revoked: vec![],
        checks: vec![],
    }
}

/// An override over the whole site.
pub(crate) fn order(number: u8, effect: Effect) -> Override {
    Override {
        id: [number; 16],
        scope: Scope::Site,
        effect,
        author: "Nadia".into(),
        reason: "the recorder moved".into(),
        not_before: NOW,
        expires: NOW + 3600,
    }
}

/// The message with which a device answers a nonce.
pub(crate) fn admission(signer: u8, nonce: &[u8], ueid: &[u8], result: &[u8]) -> Vec<u8> {
    let mut payload = MapBuilder::new();
    for (label, value) in [(1, nonce), (2, ueid), (3, result)] {
        payload.int(label, |writer| {
            writer.bytes(value);
        });
    }
    Sign1Builder::new().external_aad(ADMISSION_CONTEXT).sign(&key(signer), &payload.into_bytes())
}

/// Admits a device by a good result from an address of its own.
pub(crate) fn admit(state: &mut State, index: u8, release: &Made, now: i64) {
    let result = Finding::good(index, release).at(now).signed();
    let shown = gateway::control::attested(&result, &state.anchors().keys, now).unwrap();
    state.admit(shown, mac(index), address(index), now).unwrap();
}

pub(crate) fn mac(index: u8) -> gateway::Mac {
    gateway::Mac([2, 0, 0, 0, 0, index])
}

pub(crate) fn address(index: u8) -> std::net::IpAddr {
    [10, 77, 0, index].into()
}

pub(crate) fn codes(made: &Assessment) -> Vec<Code> {
    made.reasons.iter().map(|reason| reason.code).collect()
}

pub(crate) fn is_wide(made: &Assessment) -> bool {
    matches!(made.target, Target::Release(_))
}
