//! A maker, a device and a verifier with keys of their own, and one of every object they sign.

use std::sync::OnceLock;

use coswid::{Entity, File, Hash, Role, TagBuilder, TagId, VersionScheme};
use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use eat::{DebugStatus, Evidence, EvidenceClaims, Nonce, Ueid, VerifierId};
use suit::{Authority, AuthorityList, AuthorityPolicy, ComponentId, Uuid};
use trust::{
    DraftImage, DraftMud, Policy, References, Release, ReleaseAnchors, ReleaseDraft, Subject, appraise,
    attestation_result,
};
use x509::{Certificate, CertificateBuilder, Name, Validity, cms};

/// The time at which everything here is made and valid.
pub(crate) const NOW: i64 = 1_800_000_000;

/// The MUD file of the maker's camera.
pub(crate) const MUD_FILE: &[u8] = include_bytes!("../../protocols/mud/tests/data/welcome-cam.json");

/// What the camera runs when it is well.
pub(crate) const APPLICATION: &[u8] = b"the application, release one";

/// The maker's camera.
pub(crate) const VENDOR: &str = "northlight.example";
pub(crate) const CLASS: &str = "welcome-cam";
const UEID: [u8; 17] = [1; 17];
const NONCE: [u8; 16] = [9; 16];

/// All keys and certificates of the story.
pub(crate) struct Cast {
    /// Signs manifests.
    pub(crate) author: SigningKey,
    /// Attests.
    pub(crate) device: SigningKey,
    /// Signs results.
    pub(crate) verifier: SigningKey,
    /// Signs the MUD file.
    pub(crate) mud_signer: SigningKey,
    /// Issued the certificate below.
    pub(crate) issuer: Certificate,
    /// Of the MUD signer.
    pub(crate) certificate: Certificate,
}

impl Cast {
    /// The same every time, and made once: the inputs of a fuzzer come by the thousand.
    pub(crate) fn new() -> &'static Self {
        static CAST: OnceLock<Cast> = OnceLock::new();
        CAST.get_or_init(Self::make)
    }

    fn make() -> Self {
        let (issuer_key, mud_signer) = (key(4), key(3));
        let validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };
        let name = |text: &str| text.parse::<Name>().expect("a name");
        let issuer = CertificateBuilder::new(name("CN=Maker CA"), issuer_key.public_key(), &[1], validity)
            .authority(Some(0))
            .self_signed(&issuer_key)
            .expect("a certificate");
        let certificate =
            CertificateBuilder::new(name("CN=Maker MUD"), mud_signer.public_key(), &[2], validity)
                .issued_by(&issuer, &issuer_key)
                .expect("a certificate");
        Self { author: key(1), device: key(8), verifier: key(20), mud_signer, issuer, certificate }
    }

    /// Whom the operator lets sign manifests.
    pub(crate) fn authorities(&self) -> AuthorityList {
        let author = Authority::new(self.author.public_key().clone(), b"author", "maker", suit::Role::Author);
        let root = Authority::new(key(50).public_key().clone(), b"root", "root", suit::Role::Root);
        AuthorityList::new(AuthorityPolicy::default(), vec![author, root]).expect("a list")
    }

    /// What the operator believes about releases.
    pub(crate) fn anchors(&self) -> ReleaseAnchors {
        ReleaseAnchors { authorities: self.authorities(), mud_issuers: vec![self.issuer.clone()] }
    }

    /// The detached signature of the MUD file.
    pub(crate) fn mud_signature(&self) -> Vec<u8> {
        cms::sign_detached(MUD_FILE, &self.mud_signer, &self.certificate, &[], NOW).expect("a signature")
    }

    /// A signed envelope with everything the loop needs in it.
    pub(crate) fn envelope(&self, sequence_number: u64, application: &[u8]) -> Vec<u8> {
        let parsed = mud::parse(MUD_FILE, &mud::Context::default()).expect("a MUD file");
        let draft = ReleaseDraft {
            vendor_domain: VENDOR.into(),
            class_name: CLASS.into(),
            name: "Welcome Cam".into(),
            version: format!("1.{sequence_number}.0"),
            version_scheme: VersionScheme::Semver,
            sequence_number,
            tag_id: None,
            supersedes: None,
            links: Vec::new(),
            images: vec![image("boot", b"the loader"), image("app", application)],
            mud: Some(DraftMud {
                url: parsed.file.mud_url.as_str().into(),
                file: MUD_FILE.to_vec(),
                signature: self.mud_signature(),
                signer: self.mud_signer.public_key().clone(),
            }),
        };
        let mut envelope = draft.build().expect("a release");
        envelope.sign(&self.author, Some(b"author"));
        envelope.to_bytes()
    }

    /// The same, accepted.
    pub(crate) fn release(&self, sequence_number: u64, application: &[u8]) -> Release {
        Release::accept(&self.envelope(sequence_number, application), &self.anchors(), NOW)
            .expect("a release")
    }

    /// What the device measures when it runs this application, as an evidence tag.
    pub(crate) fn measurement(&self, application: &[u8]) -> Vec<u8> {
        let mut tag = TagBuilder::evidence(TagId::Text("measurement".into()), "device")
            .version("0", VersionScheme::Semver)
            .entity(Entity::new("device", [Role::TagCreator]));
        for (name, content) in [("boot", b"the loader".as_slice()), ("app", application)] {
            tag = tag.file(File {
                size: Some(content.len() as u64),
                hash: Some(Hash::from(Digest::of(HashAlgorithm::Sha256, content))),
                ..File::new(name)
            });
        }
        tag.build().expect("a tag").as_bytes().to_vec()
    }

    /// The challenge that evidence answers.
    pub(crate) fn nonce(&self) -> Nonce {
        Nonce::new(&NONCE).expect("a nonce")
    }

    /// Signed evidence of a device that runs this application.
    pub(crate) fn evidence(&self, application: &[u8]) -> Vec<u8> {
        let vendor = Uuid::vendor(VENDOR);
        let claims = EvidenceClaims {
            nonce: self.nonce(),
            ueid: Ueid::new(&UEID).expect("a UEID"),
            vendor: *vendor.as_bytes(),
            class: *Uuid::class(&vendor, CLASS.as_bytes()).as_bytes(),
            bootcount: 1,
            bootseed: vec![5; 16],
            dbgstat: DebugStatus::Disabled,
            measurement: self.measurement(application),
            manifest: None,
            dependencies: Vec::new(),
            status: None,
        };
        claims.sign(&self.device, b"device").expect("evidence")
    }

    /// Verifies evidence, appraises it and signs the result: what a verifier does for one device.
    pub(crate) fn attest(&self, evidence: &[u8], references: &References<'_>, policy: &Policy) -> Vec<u8> {
        let evidence = Evidence::decode(evidence).expect("evidence");
        let evidence = evidence.verify(self.device.public_key(), &self.nonce()).expect("the device's own");
        let appraised = appraise(&evidence, references, policy);
        let claims = evidence.claims();
        let subject = Subject {
            ueid: claims.ueid.clone(),
            key: Some(self.device.public_key().clone()),
            nonce: Some(claims.nonce.clone()),
        };
        let id = VerifierId { developer: "sextant".into(), build: "fixture".into() };
        let result = attestation_result(&appraised, &subject, policy, id, NOW);
        let kid = cose::thumbprint(self.verifier.public_key(), HashAlgorithm::Sha256);
        result.sign_cwt(&self.verifier, kid.as_bytes()).expect("a result")
    }
}

/// A key made from one byte.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).expect("a scalar below the order")
}

fn image(component: &str, content: &[u8]) -> DraftImage {
    DraftImage {
        component: ComponentId::new(&[component]).expect("a component"),
        content: content.to_vec(),
        version: None,
        uri: None,
        invoke: component == "app",
    }
}
