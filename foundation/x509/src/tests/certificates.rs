//! Certificates: what is built is read, and what breaks a rule is not.

use crypto::SignatureAlgorithm;
use der::Tag;
use der::asn1::{Ia5StringRef, PrintableStringRef, UintRef, Utf8StringRef};

use super::pki::{self, VALID, ed, key, name, root, subject};
use crate::reader::Reader;
use crate::*;

const CUSTOM: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1");

fn self_signed(with: impl FnOnce(CertificateBuilder) -> CertificateBuilder) -> Result<Certificate, Error> {
    let key = ed(9);
    with(subject("Device", &key, 7)).self_signed(&key)
}

fn with_extension(id: ObjectIdentifier, value: &str) -> Result<Certificate, Error> {
    self_signed(|builder| {
        let value = testkit::hex(value);
        builder.key_usage(None).extension(Extension { id, critical: false, value })
    })
}

#[test]
fn what_is_built_is_read() {
    let (root_key, root) = root();
    for algorithm in SignatureAlgorithm::STATELESS {
        let device = key(algorithm, 5);
        let built = subject("Device", &device, 0x80)
            .mud_url("https://maker.example/v2.json")
            .mud_signer(name("O=Maker, CN=MUD"))
            .alt_name(AltName::Dns("device.example".into()))
            .alt_name(AltName::Uri("urn:dev:1".into()))
            .alt_name(AltName::Ip([192, 0, 2, 1].into()))
            .alt_name(AltName::Ip([1u8; 16].into()))
            .extended_key_usage(oids::KP_CODE_SIGNING)
            .extension(Extension { id: CUSTOM, critical: true, value: vec![5, 0] })
            .issued_by(&root, &root_key)
            .expect("a certificate");
        let read = Certificate::decode(built.as_der()).expect("our own");
        assert_eq!(read, built);
        assert_eq!(read.serial(), [0x80]);
        assert_eq!((read.issuer(), read.subject()), (root.subject(), &name("O=Maker, CN=Device")));
        assert_eq!((read.validity(), read.is_self_issued()), (VALID, false));
        assert_eq!(read.public_key(), Ok(device.public_key()));
        assert_eq!(read.public_key_der(), device.public_key().to_spki_der());
        assert_eq!(read.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
        assert_eq!(read.extended_key_usage(), Some(&[oids::KP_CODE_SIGNING][..]));
        assert_eq!(read.basic_constraints(), BasicConstraints { ca: false, path_len: None });
        assert_eq!(read.authority_key_id(), root.subject_key_id());
        assert_eq!(read.subject_key_id().map(<[u8]>::len), Some(20));
        assert_eq!(read.alt_names().len(), 4);
        assert_eq!(read.mud_url(), Some("https://maker.example/v2.json"));
        assert_eq!(read.mud_signer(), Some(&name("O=Maker, CN=MUD")));
        assert_eq!(read.extension(CUSTOM).map(|extension| extension.critical), Some(true));
        assert_eq!(read.extensions().len(), 9);
    }
    assert_eq!(root.key_usage(), Some(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN));
    assert_eq!(root.authority_key_id(), None);
    assert!(root.is_self_issued());
}

#[test]
fn times_switch_form_in_2050() {
    for not_after in [2_524_607_999, 2_524_608_000, 253_402_300_799] {
        let validity = Validity { not_before: 0, not_after };
        let key = ed(9);
        let built = CertificateBuilder::new(name("CN=a"), key.public_key(), &[1], validity);
        let built = built.self_signed(&key).expect("times within four digits");
        assert_eq!(built.validity(), validity);
    }
}

#[test]
fn mud_url_may_be_of_any_ascii_string_type() {
    let url = "https://maker.example/v2.json";
    let encodings = [
        writer::value(&Ia5StringRef::new(url).expect("ascii")),
        writer::value(&Utf8StringRef::new(url).expect("ascii")),
        writer::value(&PrintableStringRef::new(url).expect("ascii")),
    ];
    for value in encodings {
        let extension = Extension { id: oids::PE_MUD_URL, critical: false, value };
        let built = self_signed(|builder| builder.extension(extension)).expect("a certificate");
        assert_eq!(built.mud_url(), Some(url));
    }
}

#[test]
fn rejects_extensions_that_break_a_rule() {
    let rows = [
        (oids::KEY_USAGE, "0302 0700", "key usage is empty"),
        (oids::KEY_USAGE, "0304 05 000020", "key usage has unknown bits"),
        (oids::EXTENDED_KEY_USAGE, "3000", "list in an extension is empty"),
        (oids::SUBJECT_ALT_NAME, "3000", "list in an extension is empty"),
        (oids::SUBJECT_ALT_NAME, "3004 8202 6120", "alternative name is not of printable ascii characters"),
        (oids::SUBJECT_ALT_NAME, "3005 8703 010203", "address is not of 4 or 16 bytes"),
        (oids::PE_MUD_URL, "1600", "url is not of printable ascii characters"),
        (oids::PE_MUD_URL, "1602 6120", "url is not of printable ascii characters"),
        (oids::PE_MUD_URL, "0c02 c3a4", "url is not of printable ascii characters"),
        (oids::PE_MUD_URL, "0402 6161", "not the DER of the expected element"),
        (oids::PE_MUDSIGNER, "3100", "not the DER of the expected element"),
        (oids::PE_MUDSIGNER, "3000 00", "bytes follow the last element"),
    ];
    for (id, value, refusal) in rows {
        let error = with_extension(id, value).expect_err(refusal).to_string();
        assert!(error.starts_with(refusal), "{id} {value}: {error}");
    }
    let at = |text: &str| {
        let der = testkit::hex(text);
        BasicConstraints::decode(&Reader::new(&der).element().expect("one")).map(|_| ())
    };
    assert_eq!(at("0405 3003 020100"), Err(Error::rule(4, "path length without authority")));
    assert_eq!(at("0405 3003 0101ff"), Ok(()));
    assert_eq!(at("0405 3003 010100"), Ok(()), "an explicit default");
    assert_eq!(at("0405 3003 010101"), Err(Error::der(4)), "a boolean of BER");
}

#[test]
fn rejects_encodings_that_are_not_distinguished() {
    let (_, root) = root();
    let der = root.as_der();
    let mut longer = der.to_vec();
    longer.push(0);
    assert_eq!(
        Certificate::decode(&longer),
        Err(Error::Malformed { at: der.len(), reason: Malformed::TrailingBytes })
    );
    assert_eq!(Certificate::decode(&[]), Err(Error::der(0)));
    assert_eq!(Certificate::decode(&der[..der.len() - 1]), Err(Error::der(0)));
    assert_eq!(Certificate::decode(&[&[0x30, 0x80], &der[4..], &[0, 0]].concat()), Err(Error::der(0)));
    assert_eq!(Certificate::decode(&testkit::hex("30 81 01 00")), Err(Error::der(0)));
    let at_limit = writer::element(Tag::Sequence, &vec![0; MAX_CERTIFICATE_LEN - 4]);
    assert_eq!(at_limit.len(), MAX_CERTIFICATE_LEN);
    assert_eq!(Certificate::decode(&at_limit), Err(Error::der(4)), "refused for what it contains");
    let beyond = writer::element(Tag::Sequence, &vec![0; MAX_CERTIFICATE_LEN - 3]);
    assert_eq!(Certificate::decode(&beyond), Err(Error::too_long(0, MAX_CERTIFICATE_LEN)));
}

#[test]
fn rejects_certificates_that_break_a_rule() {
    let (_, root) = root();
    let v1 = pki::patched(root.as_der(), "a003020102", "a003020100", 1);
    assert_eq!(Certificate::decode(&v1), Err(Error::Unsupported(Feature::CertificateVersion)));

    let key = pki::key(SignatureAlgorithm::Es256, 3);
    let es = subject("Root", &key, 1).self_signed(&key).expect("a certificate");
    let inner =
        pki::patched(es.as_der(), "020101 300a06082a8648ce3d040302", "020101 300a06082a8648ce3d040303", 1);
    let error = Certificate::decode(&inner).expect_err("two algorithms").to_string();
    assert!(error.starts_with("certificate names two signature algorithms at byte "), "{error}");

    let other = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.2");
    let extension = |id| Extension { id, critical: false, value: vec![5, 0] };
    let twice = self_signed(|builder| builder.extension(extension(CUSTOM)).extension(extension(other)));
    let twice =
        pki::patched(twice.expect("two").as_der(), "06092b06010401868d1f02", "06092b06010401868d1f01", 1);
    let error = Certificate::decode(&twice).expect_err("twice").to_string();
    assert!(error.starts_with("extension occurs twice at byte "), "{error}");

    let off_curve = key.public_key().as_bytes().to_vec();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut moved = off_curve.clone();
    moved[64] ^= 1;
    let bad_key = pki::patched(es.as_der(), &hex(&off_curve), &hex(&moved), 1);
    let error = Certificate::decode(&bad_key).expect_err("no point").to_string();
    assert!(error.starts_with("public key is not a key of its algorithm at byte "), "{error}");

    let nobody = CertificateBuilder::new(Name::new(&[]).expect("empty"), ed(1).public_key(), &[1], VALID);
    let error = nobody.self_signed(&ed(1)).expect_err("no issuer").to_string();
    assert!(error.starts_with("issuer has no name at byte "), "{error}");
}

#[test]
fn limits_hold_at_the_limit_and_one_past_it() {
    let numbered = |count: usize| {
        self_signed(|builder| {
            (0..count).fold(builder, |builder, n| {
                let id = CUSTOM.push_arc(n as u32).expect("an arc");
                builder.extension(Extension { id, critical: false, value: vec![5, 0] })
            })
        })
    };
    // Basic constraints, key usage and key identifier are there already.
    assert_eq!(numbered(MAX_EXTENSIONS - 3).map(|built| built.extensions().len()), Ok(MAX_EXTENSIONS));
    let error = numbered(MAX_EXTENSIONS - 2).expect_err("one too many");
    assert!(matches!(error, Error::Malformed { reason: Malformed::TooLong { limit: MAX_EXTENSIONS }, .. }));

    let serial = |len| {
        let der = writer::value(&UintRef::new(&vec![1; len]).expect("a number"));
        certificate::decode_serial(&mut Reader::new(&der)).map(|serial| serial.len())
    };
    assert_eq!(serial(MAX_SERIAL_LEN), Ok(MAX_SERIAL_LEN));
    assert_eq!(serial(MAX_SERIAL_LEN + 1), Err(Error::too_long(0, MAX_SERIAL_LEN)));

    let names = |count| {
        self_signed(|builder| {
            (0..count).fold(builder, |builder, _| builder.alt_name(AltName::Dns("a".into())))
        })
    };
    assert!(names(extensions::MAX_LISTED).is_ok());
    assert!(names(extensions::MAX_LISTED + 1).is_err());
}

#[test]
fn builder_refuses_what_cannot_be_made() {
    let key = ed(9);
    let of = |serial: &[u8], validity| {
        CertificateBuilder::new(name("CN=a"), key.public_key(), serial, validity).self_signed(&key)
    };
    for serial in [&[][..], &[0], &[0, 0], &[1; 21], &[0x80; 20]] {
        assert_eq!(of(serial, VALID), Err(Error::Misuse(Misuse::SerialNumber)), "{serial:?}");
    }
    assert!(of(&[0x7f; 20], VALID).is_ok());
    for (not_before, not_after) in [(-1, 0), (0, 253_402_300_800), (1, 0)] {
        assert_eq!(of(&[1], Validity { not_before, not_after }), Err(Error::Misuse(Misuse::Time)));
    }
    let again = Extension { id: oids::KEY_USAGE, critical: true, value: testkit::hex("0302 0780") };
    let rows: [(Result<_, _>, _); 5] = [
        (self_signed(|builder| builder.extension(again)), Misuse::DuplicateExtension),
        (self_signed(|builder| builder.mud_url("https://a b")), Misuse::Url),
        (self_signed(|builder| builder.mud_url("https://ä")), Misuse::Url),
        (self_signed(|builder| builder.alt_name(AltName::Dns("".into()))), Misuse::NameValue),
        (subject("a", &key, 1).self_signed(&ed(8)), Misuse::WrongKey),
    ];
    for (result, misuse) in rows {
        assert_eq!(result, Err(Error::Misuse(misuse)));
    }
    let (_, root) = root();
    assert_eq!(subject("a", &key, 1).issued_by(&root, &key), Err(Error::Misuse(Misuse::WrongKey)));
}

#[test]
fn rsa_certificates_are_read_and_their_key_is_refused_by_name() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rsa-root.der");
    let rsa = Certificate::decode(&std::fs::read(path).expect("fixture")).expect("well-formed");
    assert_eq!(rsa.subject(), &name("CN=RSA root"));
    assert!(rsa.basic_constraints().ca);
    assert_eq!(rsa.public_key(), Err(Error::Unsupported(Feature::KeyAlgorithm)));
    let key = crypto::RsaPublicKey::from_spki_der(rsa.public_key_der()).expect("a key of RSA");
    assert_eq!(rsa.public_key_der(), key.to_spki_der());
    assert_eq!(Feature::KeyAlgorithm.to_string() + " not supported", "key algorithm is not supported");
}
