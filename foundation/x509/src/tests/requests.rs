//! Certification requests: ours and those of `openssl` 3.0 verify, and whatever breaks a rule does not.

use crypto::SignatureAlgorithm;
use der::Tag;

use super::pki::{VALID, ed, key, name, root};
use crate::*;

const OTHER: SignatureAlgorithm = SignatureAlgorithm::HssLms;

fn fixture(file: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    std::fs::read(path).expect("a fixture")
}

fn text() -> String {
    String::from_utf8(fixture("request-attributes.pem")).expect("text")
}

fn request(n: u8) -> CertificationRequestBuilder {
    CertificationRequestBuilder::new(name("O=Maker, CN=Device"), ed(n).public_key())
}

fn verify(der: &[u8]) -> Result<VerifiedRequest, Error> {
    CertificationRequest::decode(der)?.verify()
}

/// The parts of a request by Ed25519, to be put together wrongly.
struct Parts {
    version: Vec<u8>,
    subject: Vec<u8>,
    key: Vec<u8>,
    attributes: Vec<u8>,
    more: Vec<u8>,
}

impl Parts {
    fn right() -> Self {
        Self {
            version: writer::value(&0u8),
            subject: name("CN=Device").as_der().to_vec(),
            key: ed(5).public_key().to_spki_der(),
            attributes: writer::element(reader::constructed(0), &[]),
            more: Vec::new(),
        }
    }

    fn signed(&self) -> Vec<u8> {
        let info = writer::sequence([&self.version, &self.subject, &self.key, &self.attributes, &self.more]);
        writer::sequence([
            &info,
            &writer::signature_algorithm(SignatureAlgorithm::Ed25519).expect("known"),
            &writer::bit_string(&ed(5).sign(&info)),
        ])
    }

    fn with_attributes(attributes: &[Vec<u8>]) -> Vec<u8> {
        let attributes = writer::element(reader::constructed(0), &attributes.concat());
        Self { attributes, ..Self::right() }.signed()
    }
}

/// challengePassword (RFC 2985, section 5.4.1).
fn attribute(values: &[u8]) -> Vec<u8> {
    let id = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
    writer::sequence([&writer::oid(id), &writer::element(Tag::Set, values)])
}

#[test]
fn requests_of_another_implementation_verify() {
    let rows = [
        ("request-p256.der", SignatureAlgorithm::Es256, "O=Maker, CN=Device, serialNumber=1"),
        ("request-p384.der", SignatureAlgorithm::Es384, "O=Maker, CN=Device"),
        ("request-ed25519.der", SignatureAlgorithm::Ed25519, "O=Maker, CN=Device"),
    ];
    for (file, algorithm, subject) in rows {
        let der = fixture(file);
        let request = CertificationRequest::decode(&der).expect(file);
        assert_eq!((request.as_der(), request.subject()), (&der[..], &name(subject)));
        let verified = request.verify().expect(file);
        assert_eq!((verified.subject(), verified.public_key().algorithm()), (&name(subject), algorithm));
        assert_eq!(CertificationRequest::from_pem(&request.to_pem()), Ok(request));
    }
    let verified = verify(&fixture("request-p256.der")).expect("verifies");
    let (x, _) = verified.public_key().ec2_coordinates().expect("a point");
    assert_eq!(x, testkit::hex("ccbc0c7ffffc000d05e8f737959a509fdc74cb05beaeec68c287bbf362b3f1e0"));
}

#[test]
fn attributes_and_extensions_asked_for_are_read_over() {
    let request = CertificationRequest::from_pem(&text()).expect("one request, with commentary");
    let verified = request.verify().expect("verifies");
    let issued = CertificateBuilder::new(verified.subject().clone(), verified.public_key(), &[1], VALID);
    let (authority_key, authority) = root();
    let issued = issued.issued_by(&authority, &authority_key).expect("a certificate");
    assert_eq!((issued.public_key(), issued.subject()), (Ok(verified.public_key()), &name("CN=Device")));
    assert!(!issued.basic_constraints().ca, "the request asks to be an authority");
    assert!(issued.alt_names().is_empty());
}

#[test]
fn our_requests_verify_wherever_the_key_is() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let key = key(algorithm, 5);
        let builder = CertificationRequestBuilder::new(name("CN=Device"), key.public_key());
        let to_be_signed = builder.to_be_signed();
        let made = [
            builder.sign(&key),
            builder.assemble(&key.sign(&to_be_signed)),
            builder.assemble(&key.sign_der(&to_be_signed)),
        ];
        for request in made {
            let verified = request.expect("a request").verify().expect("verifies");
            assert_eq!((verified.subject(), verified.public_key()), (&name("CN=Device"), key.public_key()));
        }
        let other = self::key(algorithm, 6);
        let wrong = Err(Error::Misuse(Misuse::WrongKey));
        assert_eq!(builder.sign(&other), wrong);
        assert_eq!(builder.assemble(&key.sign(b"something else")), wrong);
        assert_eq!(builder.assemble(&[]), wrong);
    }
    let nobody = CertificationRequestBuilder::new(Name::new(&[]).expect("empty"), ed(5).public_key());
    assert!(nobody.sign(&ed(5)).expect("a request").verify().expect("verifies").subject().is_empty());
}

#[test]
fn an_authority_issues_with_a_key_that_is_elsewhere() {
    for algorithm in SignatureAlgorithm::STATELESS {
        let (authority_key, device) = (key(algorithm, 1), request(5).sign(&ed(5)).expect("a request"));
        let device = device.verify().expect("verifies");
        let authority = super::pki::subject("Authority", &authority_key, 1).authority(Some(0));
        let authority = authority.self_signed(&authority_key).expect("an authority");
        let builder = CertificateBuilder::new(device.subject().clone(), device.public_key(), &[2], VALID);
        let to_be_signed = builder.to_be_signed(&authority).expect("to be signed");
        for signature in [authority_key.sign(&to_be_signed), authority_key.sign_der(&to_be_signed)] {
            let issued = builder.assemble(&authority, &signature).expect("a certificate");
            assert_eq!(issued.public_key(), Ok(device.public_key()));
            let anchors = [authority.clone()];
            assert!(verify_chain(&issued, &[], &anchors, super::pki::NOW).is_ok());
        }
        let stranger = key(algorithm, 2).sign(&to_be_signed);
        assert_eq!(builder.assemble(&authority, &stranger), Err(Error::Misuse(Misuse::WrongKey)));
    }
}

#[test]
fn every_changed_byte_is_refused() {
    for file in ["request-p256.der", "request-p384.der", "request-ed25519.der"] {
        let der = fixture(file);
        for at in 0..der.len() {
            for change in [1, 0x20, 0x80, 0xff] {
                let mut changed = der.clone();
                changed[at] ^= change;
                assert!(verify(&changed).is_err(), "{file}: byte {at}");
            }
            assert_eq!(verify(&der[..at]), Err(Error::der(0)), "{file}: cut at {at}");
        }
    }
}

#[test]
fn refuses_requests_without_the_private_key() {
    let proof = Err(Error::Untrusted(Distrust::ProofOfPossession));
    let (ours, theirs) = (request(5), request(6));
    let (ours, theirs) = (ours.sign(&ed(5)).expect("ours"), theirs.sign(&ed(6)).expect("theirs"));
    // The signature of another key, behind the same request.
    let swapped =
        [&ours.as_der()[..ours.as_der().len() - 64], &theirs.as_der()[theirs.as_der().len() - 64..]];
    assert_eq!(verify(&swapped.concat()), proof);
    let renamed = super::pki::patched(ours.as_der(), "446576696365", "446576696366", 1);
    assert_eq!(verify(&renamed), proof);
}

#[test]
fn says_what_it_does_not_support() {
    let rsa = CertificationRequest::decode(&fixture("request-rsa.der")).expect("well-formed");
    assert_eq!(rsa.subject(), &name("CN=Device"));
    assert_eq!(rsa.verify(), Err(Error::Unsupported(Feature::KeyAlgorithm)));
    let sha384 = verify(&fixture("request-p256-sha384.der"));
    assert_eq!(sha384, Err(Error::Unsupported(Feature::SignatureAlgorithm)));
    let version = Parts { version: writer::value(&1u8), ..Parts::right() }.signed();
    assert_eq!(verify(&version), Err(Error::Unsupported(Feature::RequestVersion)));
    assert_eq!(writer::signature_algorithm(OTHER), Err(Error::Unsupported(Feature::SignatureAlgorithm)));
}

#[test]
fn refuses_requests_that_break_a_rule() {
    assert!(verify(&Parts::right().signed()).is_ok());
    let refused = |parts: Parts, refusal: &str| {
        let error = verify(&parts.signed()).expect_err(refusal).to_string();
        assert!(error.starts_with(refusal), "{error}");
    };
    let der = "not the DER of the expected element";
    refused(Parts { version: writer::value(&true), ..Parts::right() }, der);
    refused(Parts { subject: writer::element(Tag::Set, &[]), ..Parts::right() }, der);
    refused(Parts { key: writer::octet_string(&[]), ..Parts::right() }, der);
    refused(Parts { attributes: Vec::new(), ..Parts::right() }, der);
    refused(Parts { attributes: writer::element(Tag::Set, &[]), ..Parts::right() }, der);
    refused(Parts { more: writer::value(&0u8), ..Parts::right() }, "bytes follow the last element");
    let mut off_curve = key(SignatureAlgorithm::Es256, 5).public_key().to_spki_der();
    *off_curve.last_mut().expect("a key") ^= 1;
    refused(Parts { key: off_curve, ..Parts::right() }, "public key is not a key of its algorithm");

    let attributes: [(&[u8], &str); 3] = [
        (&attribute(&[]), "attribute has no value"),
        (&writer::sequence([&writer::oid(oids::KEY_USAGE)]), der),
        (&writer::sequence([&writer::value(&1u8), &writer::element(Tag::Set, &[5, 0])]), der),
    ];
    for (attribute, refusal) in attributes {
        let error = verify(&Parts::with_attributes(&[attribute.to_vec()])).expect_err(refusal).to_string();
        assert!(error.starts_with(refusal), "{error}");
    }
    let cut = attribute(&[0x0c, 9, b'a']);
    assert!(matches!(verify(&Parts::with_attributes(&[cut])), Err(Error::Malformed { .. })));
    let longer = [&Parts::right().signed()[..], &[0]].concat();
    let trailing = Err(Error::Malformed { at: longer.len() - 1, reason: Malformed::TrailingBytes });
    assert_eq!(verify(&longer), trailing);
}

#[test]
fn limits_of_requests_hold_at_the_limit_and_one_past_it() {
    let so_many = |count| verify(&Parts::with_attributes(&vec![attribute(&[5, 0]); count]));
    assert!(so_many(MAX_REQUEST_ATTRIBUTES).is_ok());
    let error = so_many(MAX_REQUEST_ATTRIBUTES + 1).expect_err("one too many");
    let limit = MAX_REQUEST_ATTRIBUTES;
    assert!(
        matches!(error, Error::Malformed { reason: Malformed::TooLong { limit: found }, .. } if found == limit)
    );

    // What everything but the value of one attribute takes.
    let sized = |len: usize| Parts::with_attributes(&[attribute(&writer::octet_string(&vec![1; len]))]);
    let around = sized(MAX_REQUEST_LEN - 300).len() - (MAX_REQUEST_LEN - 300);
    let (at_limit, beyond) = (sized(MAX_REQUEST_LEN - around), sized(MAX_REQUEST_LEN - around + 1));
    assert_eq!((at_limit.len(), beyond.len()), (MAX_REQUEST_LEN, MAX_REQUEST_LEN + 1));
    assert!(verify(&at_limit).is_ok());
    assert_eq!(verify(&beyond), Err(Error::too_long(0, MAX_REQUEST_LEN)));

    let text = text();
    let padded =
        |len: usize| CertificationRequest::from_pem(&(" ".repeat(len - text.len() - 1) + "\n" + &text));
    assert!(padded(MAX_REQUEST_PEM_LEN).is_ok());
    assert_eq!(padded(MAX_REQUEST_PEM_LEN + 1), Err(Error::too_long(0, MAX_REQUEST_PEM_LEN)));
}

#[test]
fn reads_exactly_one_request_of_a_text() {
    let text = text();
    let older = text.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert_eq!(CertificationRequest::from_pem(&older), CertificationRequest::from_pem(&text));
    let with_key = pem::encode("PUBLIC KEY", &ed(5).public_key().to_spki_der()) + &text;
    assert!(CertificationRequest::from_pem(&with_key).is_ok());
    let one = Err(Error::rule(0, "text does not hold exactly one certification request"));
    assert_eq!(CertificationRequest::from_pem(&text.repeat(2)), one);
    assert_eq!(CertificationRequest::from_pem(""), one);
    assert_eq!(CertificationRequest::from_pem(&text.replace("CERTIFICATE REQUEST", "CERTIFICATE")), one);
    let broken = Err(Error::Malformed { at: 0, reason: Malformed::Pem });
    assert_eq!(CertificationRequest::from_pem(&text.replace("-----END", "-----HALT")), broken);
    assert_eq!(CertificationRequest::from_pem(&text.replace("MII", "M!I")), broken);
}
