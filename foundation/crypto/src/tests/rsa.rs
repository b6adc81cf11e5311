//! Both back ends give the same answer; whatever is refused is in `tests/rsa.rs`.

use std::path::Path;

use crate::{Error, HashAlgorithm, RsaPadding, RsaPublicKey};

#[test]
fn back_ends_agree_on_rsa() {
    let data = |name: &str| {
        testkit::read_hex(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/rsa-{name}.hex")))
    };
    let key = RsaPublicKey::from_spki_der(&data("2048-spki")).unwrap();
    let key = (key.modulus(), key.exponent());
    let rows = [
        ("v15-256", RsaPadding::Pkcs1v15, HashAlgorithm::Sha256, Ok(())),
        ("v15-384", RsaPadding::Pkcs1v15, HashAlgorithm::Sha384, Ok(())),
        ("v15-512", RsaPadding::Pkcs1v15, HashAlgorithm::Sha512, Ok(())),
        ("pss-256", RsaPadding::Pss, HashAlgorithm::Sha256, Ok(())),
        ("pss-384", RsaPadding::Pss, HashAlgorithm::Sha384, Ok(())),
        ("pss-512", RsaPadding::Pss, HashAlgorithm::Sha512, Ok(())),
        ("pss-max", RsaPadding::Pss, HashAlgorithm::Sha256, Err(Error::BadSignature)),
        ("v15-sha1", RsaPadding::Pkcs1v15, HashAlgorithm::Sha256, Err(Error::BadSignature)),
    ];
    for (name, padding, hash, expected) in rows {
        let signature = data(name);
        #[cfg(feature = "soft")]
        assert_eq!(crate::soft::rsa_verify(key, padding, hash, b"message", &signature), expected, "{name}");
        #[cfg(feature = "fast")]
        assert_eq!(crate::fast::rsa_verify(key, padding, hash, b"message", &signature), expected, "{name}");
    }
}
