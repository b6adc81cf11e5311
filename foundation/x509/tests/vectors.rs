//! The signed MUD files of the shared vectors: every case must end as its manifest says.

use std::path::Path;

use sextant_x509 as x509;
use x509::cms::{Detached, SignerPolicy, VerifiedSigner};
use x509::{Certificate, Distrust, Error, Feature, Malformed, Name};

fn read(directory: &Path, file: &str) -> Vec<u8> {
    std::fs::read(directory.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn certificate(directory: &Path, file: &str) -> Certificate {
    Certificate::decode(&read(directory, file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

struct Vectors {
    directory: std::path::PathBuf,
    anchors: [Certificate; 1],
    signer: Certificate,
    device: Certificate,
}

impl Vectors {
    fn load() -> Option<Self> {
        let directory = testkit::vectors("mud")?.join("signed");
        Some(Self {
            anchors: [certificate(&directory, "ca.der")],
            signer: certificate(&directory, "signer.der"),
            device: certificate(&directory, "device-cert.der"),
            directory,
        })
    }

    /// In the middle of the signer's validity, whenever the vectors were made.
    fn now(&self) -> i64 {
        let validity = self.signer.validity();
        validity.not_before / 2 + validity.not_after / 2
    }

    fn verify(
        &self,
        signature: &str,
        content: &str,
        extra: &[Certificate],
        subject: Option<&Name>,
    ) -> Outcome {
        let policy = SignerPolicy { anchors: &self.anchors, extra, subject, now: self.now() };
        Detached::decode(&read(&self.directory, signature))?.verify(&read(&self.directory, content), &policy)
    }
}

type Outcome = Result<VerifiedSigner, Error>;

#[test]
fn good_signatures_are_believed() {
    let Some(vectors) = Vectors::load() else { return };
    let expected = vectors.device.mud_signer().expect("id-pe-mudsigner").clone();
    let extra = [vectors.signer.clone()];
    for (signature, content) in [
        ("good-id-data.p7s", "mud.json"),
        ("good-id-ct-mudtype.p7s", "mud.json"),
        ("good-keyid.p7s", "mud.json"),
        ("good-no-certs.p7s", "mud.json"),
        ("good-crlf.p7s", "crlf.json"),
    ] {
        let verified = vectors
            .verify(signature, content, &extra, Some(&expected))
            .unwrap_or_else(|error| panic!("{signature} over {content}: {error}"));
        assert_eq!(verified.certificate(), &vectors.signer, "{signature}");
        assert_eq!(verified.chain(), [vectors.signer.clone(), vectors.anchors[0].clone()], "{signature}");
    }
}

#[test]
fn bad_signatures_are_refused_for_their_reason() {
    let Some(vectors) = Vectors::load() else { return };
    let expected = vectors.device.mud_signer().expect("id-pe-mudsigner").clone();
    for (signature, content, distrust) in [
        ("good-no-certs.p7s", "mud.json", Distrust::SignerNotFound),
        ("good-crlf.p7s", "mud.json", Distrust::ContentDigest),
        ("good-id-data.p7s", "crlf.json", Distrust::ContentDigest),
        ("good-id-data.p7s", "tampered.json", Distrust::ContentDigest),
        ("bad-bitflip.p7s", "mud.json", Distrust::Signature),
        ("bad-wrong-ca.p7s", "mud.json", Distrust::UnknownIssuer),
        ("bad-other-subject.p7s", "mud.json", Distrust::SignerSubject),
        ("bad-no-digital-signature.p7s", "mud.json", Distrust::NoDigitalSignature),
    ] {
        let refusal = vectors.verify(signature, content, &[], Some(&expected)).map(|_| ());
        assert_eq!(refusal, Err(Error::Untrusted(distrust)), "{signature} over {content}");
    }
    let embedded = vectors.verify("bad-not-detached.p7s", "mud.json", &[], None).map(|_| ());
    assert_eq!(embedded, Err(Error::Unsupported(Feature::EmbeddedContent)));
    let expired = vectors.verify("bad-expired.p7s", "mud.json", &[], None).map(|_| ());
    assert!(matches!(expired, Err(Error::Untrusted(Distrust::Expired { .. }))), "{expired:?}");
    // Nobody was pinned: another signer of the same authority is believed.
    let other =
        vectors.verify("bad-other-subject.p7s", "mud.json", &[], None).expect("the authority vouches");
    assert_eq!(other.subject().to_string(), "O=Maker, CN=Maker toaster signer");
}

#[test]
fn every_case_of_the_manifest_is_in_these_tests() {
    let Some(vectors) = Vectors::load() else { return };
    let here = include_str!("vectors.rs");
    let manifest = String::from_utf8(read(&vectors.directory, "MANIFEST.json")).expect("text");
    let named: Vec<&str> = manifest.split('"').filter(|text| text.ends_with(".p7s")).collect();
    assert!(named.len() >= 13, "{named:?}");
    for file in named {
        assert!(here.contains(file), "{file} is not tested");
    }
}

#[test]
fn device_certificate_names_url_and_signer() {
    let Some(vectors) = Vectors::load() else { return };
    let device = &vectors.device;
    assert_eq!(device.mud_url(), Some("https://maker.example/sensor/v2.json"));
    assert_eq!(device.mud_signer().map(Name::to_string).as_deref(), Some("O=Maker, CN=Maker MUD signer"));
    assert_eq!(device.subject().to_string(), "O=Maker, CN=DS-2, serialNumber=0001");
    let chain = x509::verify_chain(device, &[], &vectors.anchors, vectors.now()).expect("the maker's device");
    assert_eq!(chain.anchor(), &vectors.anchors[0]);
}

#[test]
fn cut_and_changed_messages_are_refused_without_a_panic() {
    let Some(vectors) = Vectors::load() else { return };
    let p7s = read(&vectors.directory, "good-id-data.p7s");
    let content = read(&vectors.directory, "mud.json");
    for len in 0..p7s.len() {
        let error = Detached::decode(&p7s[..len]).expect_err("cut");
        assert_eq!(error, Error::Malformed { at: 0, reason: Malformed::Der });
    }
    let policy = SignerPolicy { anchors: &vectors.anchors, extra: &[], subject: None, now: vectors.now() };
    let survives = |at: &usize| {
        let mut changed = p7s.clone();
        changed[*at] ^= 0x01;
        Detached::decode(&changed).is_ok_and(|message| message.verify(&content, &policy).is_ok())
    };
    let survivors: Vec<usize> = (0..p7s.len()).filter(survives).collect();
    // The one identifier in digestAlgorithms: a hint for one-pass readers, which no signature covers.
    assert_eq!(survivors, (32..41).collect::<Vec<_>>());
}
