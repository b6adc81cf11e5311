//! Detached signatures: what is signed here is verified here, and one row for each rule that refuses.

use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use der::Tag;
use der::asn1::{ObjectIdentifier, UintRef};

use super::*;
use crate::reader::{constructed, primitive};
use crate::tests::pki::{NOW, VALID, ed, key, name, root, subject};
use crate::{Certificate, CertificateBuilder, Distrust, Error, Feature, KeyUsage, Malformed, Misuse, Name};
use crate::{Validity, oids, writer};

const CONTENT: &[u8] = b"{\"ietf-mud:mud\": {}}\r\n";

type Change<'r> = &'r dyn Fn(&mut Draft);

/// A message with everything that a rule could be about, to be changed before it is encoded.
struct Draft {
    info_type: ObjectIdentifier,
    version: u8,
    content_type: ObjectIdentifier,
    embedded: Option<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
    signers: Vec<DraftSigner>,
}

struct DraftSigner {
    version: u8,
    id: Vec<u8>,
    digest_algorithm: Vec<u8>,
    attributes: Option<Vec<Vec<u8>>>,
    signature_algorithm: Vec<u8>,
    key: SigningKey,
    /// What is signed when there are no attributes.
    content: Vec<u8>,
}

/// Attribute with these values.
fn attribute(id: ObjectIdentifier, values: &[Vec<u8>]) -> Vec<u8> {
    writer::sequence([&writer::oid(id), &writer::element(Tag::Set, &values.concat())])
}

fn digest_attribute(content: &[u8]) -> Vec<u8> {
    let digest = Digest::of(HashAlgorithm::Sha512, content);
    attribute(oids::MESSAGE_DIGEST, &[writer::octet_string(digest.as_bytes())])
}

fn by_serial(certificate: &Certificate) -> Vec<u8> {
    let serial = UintRef::new(certificate.serial()).expect("short");
    writer::sequence([certificate.issuer().as_der(), &writer::value(&serial)])
}

fn sha(oid: ObjectIdentifier) -> Vec<u8> {
    writer::sequence([&writer::oid(oid)])
}

impl Draft {
    fn new() -> Self {
        let (key, certificate) = signer();
        let signer = DraftSigner::new(key, &certificate);
        Self {
            info_type: oids::SIGNED_DATA,
            version: 1,
            content_type: oids::DATA,
            embedded: None,
            certificates: vec![certificate.as_der().to_vec()],
            signers: vec![signer],
        }
    }

    fn encode(&self) -> Vec<u8> {
        let embedded = self
            .embedded
            .as_ref()
            .map(|content| writer::element(constructed(0), &writer::octet_string(content)))
            .unwrap_or_default();
        let signers: Vec<u8> = self.signers.iter().flat_map(DraftSigner::encode).collect();
        let signed_data = writer::sequence([
            &writer::value(&self.version),
            &writer::element(Tag::Set, &sha(oids::SHA512)),
            &writer::sequence([&writer::oid(self.content_type), &embedded]),
            &writer::element(constructed(0), &self.certificates.concat()),
            &writer::element(Tag::Set, &signers),
        ]);
        writer::sequence([&writer::oid(self.info_type), &writer::element(constructed(0), &signed_data)])
    }

    fn signer(&mut self) -> &mut DraftSigner {
        &mut self.signers[0]
    }

    fn attributes(&mut self) -> &mut Vec<Vec<u8>> {
        self.signer().attributes.as_mut().expect("present")
    }
}

impl DraftSigner {
    fn new(key: SigningKey, certificate: &Certificate) -> Self {
        let content_type = attribute(oids::CONTENT_TYPE, &[writer::oid(oids::DATA)]);
        Self {
            version: 1,
            id: by_serial(certificate),
            digest_algorithm: sha(oids::SHA512),
            attributes: Some(vec![content_type, digest_attribute(CONTENT)]),
            signature_algorithm: sha(oids::ED25519),
            key,
            content: CONTENT.to_vec(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (attributes, covered) = match &self.attributes {
            Some(list) => {
                let attributes = writer::element(constructed(0), &list.concat());
                (attributes, writer::element(Tag::Set, &list.concat()))
            }
            None => (Vec::new(), self.content.clone()),
        };
        writer::sequence([
            &writer::value(&self.version),
            &self.id,
            &self.digest_algorithm,
            &attributes,
            &self.signature_algorithm,
            &writer::octet_string(&self.key.sign_der(&covered)),
        ])
    }
}

fn signer() -> (SigningKey, Certificate) {
    issued(|builder| builder)
}

/// A signer's certificate with a change, by the root of the tests.
fn issued(change: impl FnOnce(CertificateBuilder) -> CertificateBuilder) -> (SigningKey, Certificate) {
    let (root_key, root) = root();
    let key = ed(4);
    let certificate = change(subject("MUD signer", &key, 4)).issued_by(&root, &root_key).expect("a signer");
    (key, certificate)
}

fn policy(anchors: &[Certificate]) -> SignerPolicy<'_> {
    SignerPolicy { anchors, extra: &[], subject: None, now: NOW }
}

fn verify(p7s: &[u8], content: &[u8]) -> Result<VerifiedSigner, Error> {
    Detached::decode(p7s)?.verify(content, &policy(&[root().1]))
}

fn refusal(result: Result<VerifiedSigner, Error>) -> Error {
    result.map(|verified| verified.subject().to_string()).expect_err("must be refused")
}

#[test]
fn what_is_signed_is_verified_for_every_algorithm() {
    let (root_key, root) = root();
    for algorithm in SignatureAlgorithm::STATELESS {
        let key = key(algorithm, 4);
        let signer = subject("MUD signer", &key, 4).issued_by(&root, &root_key).expect("a signer");
        let p7s = sign_detached(CONTENT, &key, &signer, &[root.clone(), signer.clone()], NOW - 1);
        let message = Detached::decode(&p7s.expect("a signature")).expect("our own");
        assert_eq!(message.content_type(), ContentType::Data);
        assert_eq!((message.certificates().len(), message.signers().len()), (2, 1));
        let anchors = [root.clone()];
        let verified = message.verify(CONTENT, &policy(&anchors)).expect("a valid signature");
        assert_eq!(verified.public_key(), key.public_key());
        assert_eq!(verified.subject(), &name("O=Maker, CN=MUD signer"));
        assert_eq!(verified.chain(), [signer, root.clone()]);
        assert_eq!((verified.issuer(), verified.anchor()), (&root, &root));
        assert_eq!(verified.signing_time(), Some(NOW - 1));
        assert!(verified.others().is_empty());
        let other = message.verify(b"{}", &policy(&anchors));
        assert_eq!(refusal(other), Error::Untrusted(Distrust::ContentDigest));
    }
}

#[test]
fn a_signature_made_elsewhere_is_put_in() {
    let (key, certificate) = signer();
    let to_be_signed = ToBeSigned::new(CONTENT, &certificate, NOW).expect("a signer");
    let signature = key.sign_der(to_be_signed.as_bytes());
    let p7s = to_be_signed.assemble(&signature, &[]).expect("a message");
    assert_eq!(sign_detached(CONTENT, &key, &certificate, &[], NOW), Ok(p7s.clone()));
    assert!(verify(&p7s, CONTENT).is_ok());
    assert_eq!(to_be_signed.assemble(&signature[1..], &[]), Err(Error::Misuse(Misuse::WrongKey)));
    let extra: Vec<_> = (10..10 + MAX_CERTIFICATES as u8)
        .map(|n| subject("Other", &ed(n), n).self_signed(&ed(n)).expect("a certificate"))
        .collect();
    assert!(to_be_signed.assemble(&signature, &extra[1..]).is_ok());
    assert_eq!(to_be_signed.assemble(&signature, &extra), Err(Error::Misuse(Misuse::TooManyCertificates)));
}

#[test]
fn signing_refuses_what_verifiers_would() {
    let (key, certificate) = signer();
    let sign = |key: &SigningKey, certificate: &Certificate, time| {
        sign_detached(CONTENT, key, certificate, &[], time).map(|_| ())
    };
    assert_eq!(sign(&ed(5), &certificate, NOW), Err(Error::Misuse(Misuse::WrongKey)));
    assert_eq!(sign(&key, &certificate, -1), Err(Error::Misuse(Misuse::Time)));
    let (_, silent) = issued(|builder| builder.key_usage(None));
    assert_eq!(sign(&key, &silent, NOW), Err(Error::Untrusted(Distrust::NoDigitalSignature)));
}

#[test]
fn forms_that_the_profile_allows_are_accepted() {
    let (key, certificate) = signer();
    let by_key_id = writer::element(primitive(0), certificate.subject_key_id().expect("built with one"));
    let rows: [(&str, Change<'_>); 6] = [
        ("as it is", &|_| {}),
        ("by key identifier", &|draft| {
            draft.version = 3;
            draft.signer().version = 3;
            draft.signer().id.clone_from(&by_key_id);
        }),
        ("plain data without attributes", &|draft| draft.signer().attributes = None),
        ("content type of MUD", &|draft| {
            draft.content_type = oids::CT_MUDTYPE;
            draft.attributes()[0] = attribute(oids::CONTENT_TYPE, &[writer::oid(oids::CT_MUDTYPE)]);
        }),
        ("null parameters of the hash function", &|draft| {
            draft.signer().digest_algorithm = writer::sequence([&writer::oid(oids::SHA512), &[5, 0]]);
        }),
        ("an attribute certificate beside", &|draft| {
            draft.certificates.push(writer::element(constructed(1), &[]));
        }),
    ];
    for (what, change) in rows {
        let mut draft = Draft::new();
        change(&mut draft);
        let verified = verify(&draft.encode(), CONTENT).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(verified.public_key(), key.public_key(), "{what}");
    }
}

/// A change, the broken rule, and the tag at the offset that the refusal names.
type Row<'r> = (&'r str, Change<'r>, u8);

#[test]
fn rejects_messages_that_break_a_rule() {
    let time = || attribute(oids::SIGNING_TIME, &[writer::time(NOW).expect("a time")]);
    let rows: [Row<'_>; 15] = [
        ("unknown version of signed data", &|draft| draft.version = 2, 0x02),
        ("version of the signer does not go with its identifier", &|draft| draft.signer().version = 3, 0x30),
        (
            "signed attributes are missing",
            &|draft| {
                draft.content_type = oids::CT_MUDTYPE;
                draft.signer().attributes = None;
            },
            0x30,
        ),
        ("signed attribute content-type is missing", &|draft| drop(draft.attributes().remove(0)), 0xa0),
        ("signed attribute message-digest is missing", &|draft| drop(draft.attributes().remove(1)), 0xa0),
        ("signed attribute content-type is missing", &|draft| draft.attributes().clear(), 0xa0),
        ("content type differs from the signed one", &|draft| draft.content_type = oids::CT_MUDTYPE, 0x30),
        (
            "signed attribute occurs twice",
            &|draft| {
                let digest = digest_attribute(b"another");
                draft.attributes().push(digest);
                draft.attributes().sort();
            },
            0x30,
        ),
        (
            "signed attribute occurs twice",
            &|draft| {
                draft.attributes().extend([time(), time()]);
                draft.attributes().sort();
            },
            0x30,
        ),
        (
            "signed attribute does not have one value",
            &|draft| {
                let digest = Digest::of(HashAlgorithm::Sha512, CONTENT);
                let digest = writer::octet_string(digest.as_bytes());
                draft.attributes()[1] = attribute(oids::MESSAGE_DIGEST, &[digest.clone(), digest]);
            },
            0x04,
        ),
        (
            "signed attribute does not have one value",
            &|draft| draft.attributes()[0] = attribute(oids::CONTENT_TYPE, &[]),
            0x30,
        ),
        ("signed attributes are not in the order of der", &|draft| draft.attributes().reverse(), 0x30),
        ("not the DER of the expected element", &|draft| draft.signer().id = vec![0x31, 0], 0x31),
        ("not the DER of the expected element", &|draft| draft.certificates.push(vec![0x31, 0]), 0x31),
        (
            "not the DER of the expected element",
            // An octet string in pieces, as BER has it.
            &|draft| {
                draft.attributes()[1] = attribute(oids::MESSAGE_DIGEST, &[vec![0x24, 0]]);
                draft.attributes().sort();
            },
            0x24,
        ),
    ];
    for (rule, change, tag) in rows {
        let mut draft = Draft::new();
        change(&mut draft);
        let p7s = draft.encode();
        let error = Detached::decode(&p7s).expect_err(rule);
        let Error::Malformed { at, reason } = error else { panic!("{rule}: {error}") };
        assert_eq!((reason.to_string().as_str(), p7s.get(at)), (rule, Some(&tag)), "{error}");
    }
}

#[test]
fn rejects_forms_outside_of_the_profile() {
    let rows: [(Feature, Change<'_>); 3] = [
        (Feature::EmbeddedContent, &|draft| draft.embedded = Some(CONTENT.to_vec())),
        (Feature::ContentType, &|draft| draft.content_type = oids::SIGNED_DATA),
        (Feature::ContentType, &|draft| draft.info_type = oids::DATA),
    ];
    for (feature, change) in rows {
        let mut draft = Draft::new();
        change(&mut draft);
        let error = Detached::decode(&draft.encode()).expect_err("outside of the profile");
        assert_eq!(error, Error::Unsupported(feature));
    }
}

#[test]
fn rejects_encodings_that_are_not_distinguished() {
    let p7s = Draft::new().encode();
    let decode = |der: &[u8]| Detached::decode(der).map(|_| ());
    assert_eq!(
        decode(&[&p7s[..], &[0]].concat()),
        Err(Error::Malformed { at: p7s.len(), reason: Malformed::TrailingBytes })
    );
    // The same message in BER: indefinite length, and the end marked by two zeros.
    assert_eq!(p7s[..2], [0x30, 0x82]);
    assert_eq!(decode(&[&[0x30, 0x80], &p7s[4..], &[0, 0]].concat()), Err(Error::der(0)));
    assert_eq!(decode(b"-----BEGIN CMS-----"), Err(Error::der(0)));
    assert_eq!(decode(b""), Err(Error::der(0)));
}

#[test]
fn limits_hold_at_the_limit_and_one_past_it() {
    let too_long = |draft: &Draft, limit: usize| match Detached::decode(&draft.encode()) {
        Ok(_) => false,
        Err(Error::Malformed { reason: Malformed::TooLong { limit: found }, .. }) => found == limit,
        Err(error) => panic!("{error}"),
    };
    let mut draft = Draft::new();
    let certificate = draft.certificates[0].clone();
    draft.certificates = vec![certificate.clone(); MAX_CERTIFICATES];
    assert!(!too_long(&draft, MAX_CERTIFICATES));
    draft.certificates.push(certificate);
    assert!(too_long(&draft, MAX_CERTIFICATES));

    let mut draft = Draft::new();
    let (_, certificate) = signer();
    draft.signers = (0..MAX_SIGNERS).map(|_| DraftSigner::new(ed(4), &certificate)).collect();
    assert!(!too_long(&draft, MAX_SIGNERS));
    draft.signers.push(DraftSigner::new(ed(4), &certificate));
    assert!(too_long(&draft, MAX_SIGNERS));

    let mut draft = Draft::new();
    let custom = |n: usize| {
        let id = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999").push_arc(n as u32).expect("an arc");
        attribute(id, &[])
    };
    draft.attributes().extend((0..MAX_ATTRIBUTES - 2).map(custom));
    draft.attributes().sort();
    assert!(!too_long(&draft, MAX_ATTRIBUTES));
    draft.attributes().push(custom(MAX_ATTRIBUTES));
    draft.attributes().sort();
    assert!(too_long(&draft, MAX_ATTRIBUTES));

    let at_limit = writer::octet_string(&vec![0; MAX_SIGNED_DATA_LEN - 5]);
    assert_eq!(Detached::decode(&at_limit).map(|_| ()), Err(Error::der(0)), "refused for what it is");
    let beyond = writer::octet_string(&vec![0; MAX_SIGNED_DATA_LEN - 4]);
    assert_eq!(Detached::decode(&beyond).map(|_| ()), Err(Error::too_long(0, MAX_SIGNED_DATA_LEN)));
}

#[test]
fn rejects_signers_that_are_not_to_be_believed() {
    let other_root = subject("Other root", &ed(70), 1).authority(None).self_signed(&ed(70)).expect("a root");
    let of_other_root = subject("MUD signer", &ed(4), 4).issued_by(&other_root, &ed(70)).expect("a signer");
    let replace = |draft: &mut Draft, certificate: &Certificate| {
        draft.certificates = vec![certificate.as_der().to_vec()];
        draft.signer().id = by_serial(certificate);
    };
    let with = |draft: &mut Draft, change: fn(CertificateBuilder) -> CertificateBuilder| {
        replace(draft, &issued(change).1);
    };
    let not_after = NOW - 1;
    let rows: [(Error, Change<'_>); 16] = [
        (Error::Untrusted(Distrust::Unsigned), &|draft| draft.signers.clear()),
        (Error::Untrusted(Distrust::SignerNotFound), &|draft| draft.certificates.clear()),
        (Error::Untrusted(Distrust::SignerNotFound), &|draft| draft.signer().id = by_serial(&other_root)),
        (Error::Untrusted(Distrust::ContentDigest), &|draft| draft.attributes()[1] = digest_attribute(b"")),
        (Error::Untrusted(Distrust::ContentDigest), &|draft| {
            draft.attributes()[1] = attribute(oids::MESSAGE_DIGEST, &[writer::octet_string(&[])]);
            draft.attributes().sort();
        }),
        (Error::Untrusted(Distrust::Signature), &|draft| draft.signer().key = ed(5)),
        (Error::Untrusted(Distrust::Signature), &|draft| {
            draft.signer().attributes = None;
            draft.signer().content = b"{}".to_vec();
        }),
        (Error::Untrusted(Distrust::NoDigitalSignature), &|draft| with(draft, |b| b.key_usage(None))),
        (Error::Untrusted(Distrust::NoDigitalSignature), &|draft| {
            with(draft, |builder| builder.key_usage(Some(KeyUsage::NON_REPUDIATION)));
        }),
        (Error::Untrusted(Distrust::ExtendedKeyUsage), &|draft| {
            // id-kp-serverAuth: a web server of the same authority.
            with(draft, |b| b.extended_key_usage(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1")));
        }),
        (Error::Untrusted(Distrust::Expired { not_after }), &|draft| {
            with(draft, |builder| builder.validity(Validity { not_before: NOW - 2, not_after: NOW - 1 }));
        }),
        (Error::Untrusted(Distrust::UnknownIssuer), &|draft| replace(draft, &of_other_root)),
        (Error::Unsupported(Feature::DigestAlgorithm), &|draft| {
            draft.signer().digest_algorithm = sha(ObjectIdentifier::new_unwrap("1.3.14.3.2.26")); // SHA-1
        }),
        // RFC 8419, section 3.1: Ed25519 goes with SHA-512.
        (Error::Unsupported(Feature::DigestAlgorithm), &|draft| {
            draft.signer().digest_algorithm = sha(oids::SHA256);
        }),
        (Error::Unsupported(Feature::SignatureAlgorithm), &|draft| {
            draft.signer().signature_algorithm = sha(ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"));
        }),
        (Error::Unsupported(Feature::SignatureAlgorithm), &|draft| {
            draft.signer().digest_algorithm = sha(oids::SHA256);
            draft.signer().signature_algorithm = sha(oids::ECDSA_WITH_SHA256);
            let digest = Digest::of(HashAlgorithm::Sha256, CONTENT);
            draft.attributes()[1] =
                attribute(oids::MESSAGE_DIGEST, &[writer::octet_string(digest.as_bytes())]);
        }),
    ];
    for (i, (expected, change)) in rows.into_iter().enumerate() {
        let mut draft = Draft::new();
        change(&mut draft);
        assert_eq!(refusal(verify(&draft.encode(), CONTENT)), expected, "row {i}");
    }
}

#[test]
fn extended_key_usages_of_documents_are_accepted() {
    for purpose in [
        oids::ANY_EXTENDED_KEY_USAGE,
        oids::KP_EMAIL_PROTECTION,
        oids::KP_CODE_SIGNING,
        oids::KP_DOCUMENT_SIGNING,
    ] {
        let (key, certificate) = issued(|builder| builder.extended_key_usage(purpose));
        let p7s = sign_detached(CONTENT, &key, &certificate, &[], NOW).expect("a signature");
        assert!(verify(&p7s, CONTENT).is_ok(), "{purpose}");
    }
}

#[test]
fn rejects_signed_attributes_replayed_as_content() {
    let (_, certificate) = signer();
    let original = Draft::new();
    let attributes = original.signers[0].attributes.as_ref().expect("present").concat();
    let replayed = writer::element(Tag::Set, &attributes);
    let mut draft = Draft::new();
    draft.signers = vec![DraftSigner {
        attributes: None,
        content: replayed.clone(),
        ..DraftSigner::new(ed(4), &certificate)
    }];
    let error = refusal(verify(&draft.encode(), &replayed));
    assert_eq!(error, Error::Untrusted(Distrust::AmbiguousContent));
}

#[test]
fn subject_must_be_the_expected_one() {
    let anchors = [root().1];
    let message = Detached::decode(&Draft::new().encode()).expect("well-formed");
    let with = |subject: &Name| {
        message.verify(CONTENT, &SignerPolicy { subject: Some(subject), ..policy(&anchors) })
    };
    assert!(with(&name("o=MAKER, cn=mud  signer")).is_ok());
    for other in ["O=Maker, CN=Toaster signer", "CN=MUD signer, O=Maker", "CN=MUD signer"] {
        assert_eq!(refusal(with(&name(other))), Error::Untrusted(Distrust::SignerSubject), "{other}");
    }
}

#[test]
fn certificates_may_come_from_elsewhere_but_not_trust() {
    let (key, certificate) = signer();
    let anchors = [root().1];
    let mut draft = Draft::new();
    draft.certificates.clear();
    let message = Detached::decode(&draft.encode()).expect("well-formed");
    let extra = [certificate.clone()];
    let verified = message.verify(CONTENT, &SignerPolicy { extra: &extra, ..policy(&anchors) });
    assert_eq!(verified.expect("the signer is at hand").public_key(), key.public_key());
    let verified = message.verify(CONTENT, &SignerPolicy { extra: &extra, ..policy(&[]) });
    assert_eq!(refusal(verified), Error::Untrusted(Distrust::UnknownIssuer));
    // A signer whose very certificate is the anchor.
    let verified = message.verify(CONTENT, &policy(&extra)).expect("pinned");
    assert_eq!(
        (verified.issuer(), verified.anchor(), verified.chain().len()),
        (&certificate, &certificate, 1)
    );
}

#[test]
fn one_believed_signer_suffices_and_the_others_are_listed() {
    let (_, certificate) = signer();
    let stranger_root = subject("Stranger", &ed(70), 1).authority(None).self_signed(&ed(70)).expect("a root");
    let stranger = subject("Stranger", &ed(71), 2).issued_by(&stranger_root, &ed(70)).expect("a signer");
    let mut draft = Draft::new();
    draft.certificates.push(stranger.as_der().to_vec());
    draft.signers.insert(0, DraftSigner::new(ed(71), &stranger));
    draft.signers.push(DraftSigner::new(ed(4), &certificate));
    let verified = verify(&draft.encode(), CONTENT).expect("the second is believed");
    assert_eq!(verified.certificate(), &certificate);
    let outcomes: Vec<_> = verified.others().iter().map(|other| other.outcome.clone()).collect();
    assert_eq!(outcomes, [Err(Error::Untrusted(Distrust::UnknownIssuer)), Ok(certificate)]);
    assert!(verified.others()[0].id.matches(&stranger));
    assert_eq!(verified.others()[0].id.to_string(), "O=Maker, CN=Stranger; serial 02");

    draft.signers.truncate(1);
    assert_eq!(refusal(verify(&draft.encode(), CONTENT)), Error::Untrusted(Distrust::UnknownIssuer));
}

#[test]
fn a_decoy_with_the_same_identifier_does_not_hide_the_signer() {
    let (_, certificate) = signer();
    let decoy = CertificateBuilder::new(certificate.subject().clone(), ed(90).public_key(), &[4], VALID)
        .issued_by(
            &subject("Root", &ed(91), 1).authority(None).self_signed(&ed(91)).expect("a root"),
            &ed(91),
        )
        .expect("a decoy");
    let mut draft = Draft::new();
    draft.certificates.insert(0, decoy.as_der().to_vec());
    let verified = verify(&draft.encode(), CONTENT).expect("the real one is there too");
    assert_eq!(verified.certificate(), &certificate);
}

#[test]
fn intermediates_travel_in_any_order() {
    let (root_key, root_certificate) = root();
    let authority_key = ed(2);
    let authority = subject("Authority", &authority_key, 2).authority(Some(0));
    let authority = authority.issued_by(&root_certificate, &root_key).expect("an authority");
    let key = ed(4);
    let signer = subject("MUD signer", &key, 4).issued_by(&authority, &authority_key).expect("a signer");
    let mut draft = Draft::new();
    draft.signers = vec![DraftSigner::new(key, &signer)];
    for certificates in [[&signer, &authority], [&authority, &signer]] {
        draft.certificates = certificates.map(|certificate| certificate.as_der().to_vec()).to_vec();
        let verified = verify(&draft.encode(), CONTENT).expect("a chain");
        assert_eq!((verified.issuer(), verified.anchor()), (&authority, &root_certificate));
    }
}
