//! Names, certificates, requests and chains: what is made here is read here, and one row for each rule that refuses.

mod certificates;
mod chains;
mod names;
mod requests;

/// Keys, names and times of the tests: the same in every run.
pub(crate) mod pki {
    use crypto::{SignatureAlgorithm, SigningKey};

    use crate::{AttributeType, Certificate, CertificateBuilder, Name, Validity};

    pub(crate) const NOW: i64 = 1_800_000_000;
    pub(crate) const VALID: Validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };

    pub(crate) fn key(algorithm: SignatureAlgorithm, n: u8) -> SigningKey {
        SigningKey::from_bytes(algorithm, &vec![n; algorithm.secret_len()]).expect("a small scalar is a key")
    }

    /// Ed25519, whose signatures have one length: offsets in refusals do not move.
    pub(crate) fn ed(n: u8) -> SigningKey {
        key(SignatureAlgorithm::Ed25519, n)
    }

    pub(crate) fn name(text: &str) -> Name {
        text.parse().expect("names of the tests are names")
    }

    pub(crate) fn subject(common_name: &str, key: &SigningKey, serial: u8) -> CertificateBuilder {
        let name =
            Name::new(&[(AttributeType::Organization, "Maker"), (AttributeType::CommonName, common_name)]);
        CertificateBuilder::new(name.expect("a name"), key.public_key(), &[serial], VALID)
    }

    pub(crate) fn root() -> (SigningKey, Certificate) {
        let key = ed(1);
        let certificate = subject("Root", &key, 1).authority(None).self_signed(&key).expect("a root");
        (key, certificate)
    }

    /// Replaces bytes of the same number, of which there must be exactly `times`.
    pub(crate) fn patched(der: &[u8], from: &str, to: &str, times: usize) -> Vec<u8> {
        let (from, to) = (testkit::hex(from), testkit::hex(to));
        let mut out = der.to_vec();
        let mut found = 0;
        for at in 0..=der.len() - from.len() {
            if der[at..].starts_with(&from) {
                out[at..at + to.len()].copy_from_slice(&to);
                found += 1;
            }
        }
        assert_eq!(found, times, "the bytes to patch");
        out
    }
}
