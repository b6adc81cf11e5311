//! Quotes that a TPM in software signed with RSA, by keys that manifests name in every form.
//!
//! `data` has two attestation keys of `swtpm` (RSASSA and RSAPSS), the quote that each made of PCRs 0, 4 and 7 of SHA-256 in
//! answer to the nonce of these tests, and a certificate that `openssl` made of the first.

use alloc::{format, string::String, vec, vec::Vec};
use std::path::Path;

use corim::{
    Comid, Corim, CryptoKey, Environment, Instance, KeyTriple, MeasuredElement, Measurement,
    MeasurementValues, Tag, TagId, TagIdentity, Triples, ValuesTriple,
};
use crypto::{Digest, HashAlgorithm, RsaPublicKey};
use x509::pem;

use super::quote::{CMW, accept, collection, found};
use crate::{Code, Endorsements};

fn data(name: &str) -> Vec<u8> {
    testkit::read_hex(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/tests/data/{name}.hex")))
}

/// A quote by one of the keys, as it comes.
fn quote(scheme: &str) -> Vec<u8> {
    let (attest, signature) = (data(&format!("{scheme}-attest")), data(&format!("{scheme}-signature")));
    collection(&[("attest", &attest), ("sig", &signature), ("pcrs", &[0; 96])])
}

/// The device of a quote with this key, and the PCRs it is expected to have.
fn endorsements(scheme: &str, key: CryptoKey) -> Endorsements {
    let attest = eat::TpmAttest::decode(&data(&format!("{scheme}-attest"))).unwrap();
    let instance = Some(Instance::Bytes(attest.qualified_signer));
    let environment = Environment { instance, ..Environment::default() };
    let zeros = Digest::new(HashAlgorithm::Sha256, &[0; 32]).unwrap();
    let pcr = |pcr| Measurement {
        key: Some(MeasuredElement::Number(pcr)),
        ..Measurement::new(MeasurementValues { digests: vec![zeros.into()], ..MeasurementValues::default() })
    };
    let measurements = [0, 4, 7].map(pcr).into();
    let triples = Triples {
        reference: vec![ValuesTriple { environment: environment.clone(), measurements }],
        attest_key: vec![KeyTriple { environment, keys: vec![key], element: None, authorized_by: vec![] }],
        ..Triples::default()
    };
    let identity = TagIdentity { id: TagId::Text("tpm".into()), version: 0 };
    let corim = Corim::new(TagId::Text("maker".into()), vec![Tag::Comid(Comid::new(identity, triples))]);
    let mut endorsements = Endorsements::new();
    endorsements.add(accept(&corim.build().unwrap()));
    endorsements
}

fn pem_key(scheme: &str) -> CryptoKey {
    CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &data(&format!("{scheme}-spki"))))
}

#[test]
fn a_quote_by_a_named_rsa_key_is_affirmed() {
    for scheme in ["rsassa", "rsapss"] {
        let key = RsaPublicKey::from_spki_der(&data(&format!("{scheme}-spki"))).unwrap();
        let cose = CryptoKey::CoseKey(cose::encode_rsa_key(&key));
        for key in [pem_key(scheme), cose] {
            let endorsements = endorsements(scheme, key);
            assert_eq!(found(CMW, &quote(scheme), &endorsements), None, "{scheme}");
            let mut changed = quote(scheme);
            // The first byte of the signature itself, behind its algorithm, hash and length.
            let signature = data(&format!("{scheme}-signature"));
            let at = changed.windows(signature.len()).position(|part| part == signature).unwrap() + 6;
            changed[at] ^= 1;
            assert_eq!(found(CMW, &changed, &endorsements), Some(Code::BadEvidenceSignature));
        }
    }
}

#[test]
fn certificates_name_rsa_keys() {
    let (certificate, issuer) = (data("rsassa-certificate"), data("rsassa-issuer"));
    let text = |der: &[u8]| pem::encode("CERTIFICATE", der);
    let forms = [
        CryptoKey::PkixCertificate(text(&certificate)),
        CryptoKey::PkixPath(text(&certificate) + &text(&issuer)),
        CryptoKey::CertificateDer(certificate),
    ];
    for key in forms {
        assert_eq!(found(CMW, &quote("rsassa"), &endorsements("rsassa", key.clone())), None, "{key:?}");
    }
}

#[test]
fn another_key_and_one_that_is_only_named_are_refused() {
    let ec =
        CryptoKey::PkixKey(pem::encode("PUBLIC KEY", &super::fixture::key(5).public_key().to_spki_der()));
    let spki = Digest::of(HashAlgorithm::Sha256, &data("rsassa-spki"));
    let rows = [
        (pem_key("rsapss"), Code::BadEvidenceSignature),
        (ec, Code::BadEvidenceSignature),
        (CryptoKey::KeyThumbprint(spki.into()), Code::UnknownDevice),
        (CryptoKey::PkixKey(String::from("no key")), Code::UnknownDevice),
    ];
    for (key, expected) in rows {
        assert_eq!(found(CMW, &quote("rsassa"), &endorsements("rsassa", key)), Some(expected));
    }
}
