//! A maker with real keys, and devices that tell what they are told to.

use alloc::{string::String, vec, vec::Vec};

use coswid::{Entity, File, Hash, Role, TagBuilder, TagId, VersionScheme};
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use eat::{
    DebugStatus, DeviceStatus, Evidence, EvidenceClaims, ManifestReference, Nonce, Ueid, VerifiedEvidence,
};
use suit::{Authority, AuthorityList, AuthorityPolicy, ComponentId, Role as SuitRole};
use x509::{Certificate, CertificateBuilder, Name, Validity, cms};

use crate::{DraftImage, DraftMud, Release, ReleaseAnchors, ReleaseDraft};

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const CAM: &[u8] = include_bytes!("../../../protocols/mud/tests/data/welcome-cam.json");

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).unwrap()
}

/// Keys of an author, an operator, a MUD signer and an issuer of MUD signers.
pub(super) struct Maker {
    pub(super) author: SigningKey,
    pub(super) operator: SigningKey,
    pub(super) mud_signer: SigningKey,
    pub(super) certificate: Certificate,
    pub(super) issuer: Certificate,
}

impl Maker {
    pub(super) fn new() -> Self {
        let (issuer_key, mud_signer) = (key(4), key(3));
        let validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };
        let name = |text: &str| text.parse::<Name>().unwrap();
        let issuer = CertificateBuilder::new(name("CN=Maker CA"), issuer_key.public_key(), &[1], validity)
            .authority(Some(0))
            .self_signed(&issuer_key)
            .unwrap();
        let certificate =
            CertificateBuilder::new(name("CN=Maker MUD"), mud_signer.public_key(), &[2], validity)
                .issued_by(&issuer, &issuer_key)
                .unwrap();
        Self { author: key(1), operator: key(2), mud_signer, certificate, issuer }
    }

    pub(super) fn anchors(&self) -> ReleaseAnchors {
        let entry =
            |key: &SigningKey, kid: &[u8], role| Authority::new(key.public_key().clone(), kid, "maker", role);
        let entries = vec![
            entry(&self.author, b"author", SuitRole::Author),
            entry(&self.operator, b"operator", SuitRole::Operator),
        ];
        let policy = AuthorityPolicy { operators: 1, ..AuthorityPolicy::default() };
        ReleaseAnchors { authorities: AuthorityList::new(policy, entries).unwrap(), mud_issuers: vec![] }
    }

    pub(super) fn draft(&self, version: &str, sequence_number: u64, app: &[u8]) -> ReleaseDraft {
        let signature = cms::sign_detached(CAM, &self.mud_signer, &self.certificate, &[], NOW).unwrap();
        ReleaseDraft {
            vendor_domain: "northlight.example".into(),
            class_name: "welcome-cam".into(),
            name: "Welcome Cam".into(),
            version: version.into(),
            version_scheme: VersionScheme::Semver,
            sequence_number,
            tag_id: None,
            supersedes: None,
            links: Vec::new(),
            images: vec![image("boot", b"loader"), image("app", app)],
            mud: Some(DraftMud {
                url: mud_url(),
                file: CAM.to_vec(),
                signature,
                signer: self.mud_signer.public_key().clone(),
            }),
        }
    }

    /// A draft whose MUD file lets the camera reach the whole Internet.
    pub(super) fn broad_draft(&self, version: &str, sequence_number: u64, app: &[u8]) -> ReleaseDraft {
        let text = core::str::from_utf8(CAM).unwrap();
        let name = text.split("\"ietf-acldns:dst-dnsname\"").nth(1).unwrap().split('"').nth(1).unwrap();
        let narrow = alloc::format!("\"ietf-acldns:dst-dnsname\": \"{name}\"");
        let file = text.replace(&narrow, "\"destination-ipv4-network\": \"0.0.0.0/0\"").into_bytes();
        assert_ne!(file, CAM);
        let signature = cms::sign_detached(&file, &self.mud_signer, &self.certificate, &[], NOW).unwrap();
        let draft = self.draft(version, sequence_number, app);
        ReleaseDraft { mud: draft.mud.map(|mud| DraftMud { file, signature, ..mud }), ..draft }
    }

    pub(super) fn sign(&self, draft: &ReleaseDraft) -> Vec<u8> {
        let mut envelope = draft.build().unwrap();
        envelope.sign(&self.author, Some(b"author")).sign(&self.operator, Some(b"operator"));
        envelope.to_bytes()
    }

    pub(super) fn release(&self, version: &str, sequence_number: u64, app: &[u8]) -> Release {
        Release::accept(&self.sign(&self.draft(version, sequence_number, app)), &self.anchors(), NOW).unwrap()
    }
}

pub(super) fn mud_url() -> String {
    let parsed = mud::parse(CAM, &mud::Context::default()).unwrap();
    parsed.file.mud_url.as_str().into()
}

pub(super) fn image(component: &str, content: &[u8]) -> DraftImage {
    DraftImage {
        component: ComponentId::new(&[component]).unwrap(),
        content: content.to_vec(),
        version: None,
        uri: None,
        invoke: component == "app",
    }
}

/// Evidence of a device of the maker's class that measured these components.
pub(super) struct Device {
    pub(super) components: Vec<(&'static str, Vec<u8>)>,
    pub(super) names: Option<Digest>,
    pub(super) debug: DebugStatus,
    pub(super) class: &'static str,
    /// Digest of the authority list it obeys, where it says so.
    pub(super) authorities: Option<Digest>,
}

impl Device {
    pub(super) fn running(app: &[u8]) -> Self {
        let components = vec![("boot", b"loader".to_vec()), ("app", app.to_vec())];
        Self {
            components,
            names: None,
            debug: DebugStatus::Disabled,
            class: "welcome-cam",
            authorities: None,
        }
    }

    pub(super) fn attest<T>(&self, judge: impl FnOnce(&VerifiedEvidence<'_>) -> T) -> T {
        let vendor = suit::Uuid::vendor("northlight.example");
        let mut tag = TagBuilder::evidence(TagId::Text("measurement".into()), "device")
            .version("0", VersionScheme::Semver)
            .entity(Entity::new("device", [Role::TagCreator]));
        for (name, content) in &self.components {
            tag = tag.file(File {
                size: Some(content.len() as u64),
                hash: Some(Hash::from(Digest::of(HashAlgorithm::Sha256, content))),
                ..File::new(*name)
            });
        }
        let nonce = Nonce::new(&[9; 16]).unwrap();
        let claims = EvidenceClaims {
            nonce: nonce.clone(),
            ueid: Ueid::new(&[1; 17]).unwrap(),
            vendor: *vendor.as_bytes(),
            class: *suit::Uuid::class(&vendor, self.class.as_bytes()).as_bytes(),
            bootcount: 1,
            bootseed: vec![5; 16],
            dbgstat: self.debug,
            measurement: tag.build().unwrap().as_bytes().to_vec(),
            manifest: self.names.map(|digest| ManifestReference { digest, sequence_number: 1 }),
            dependencies: Vec::new(),
            status: self.authorities.map(|digest| DeviceStatus {
                active_slot: 0,
                trial: false,
                authorities: Some(digest),
                authorities_version: Some(2),
                last_refusal: None,
            }),
        };
        let key = key(8);
        let bytes = claims.sign(&key, b"device").unwrap();
        let evidence = Evidence::decode(&bytes).unwrap().verify(key.public_key(), &nonce).unwrap();
        judge(&evidence)
    }
}
