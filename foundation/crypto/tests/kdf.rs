//! The derivation of FDO 1.1 over the whole file of vectors.

#![cfg(feature = "sha512")]

use sextant_crypto::{HashAlgorithm, kdf_counter};
use testkit::hex;

#[test]
fn every_row_of_the_vectors_is_derived() {
    let Some(folder) = testkit::vectors("fdo") else { return };
    let text = std::fs::read(folder.join("crypto/kdf.json")).expect("the rows");
    let rows: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let rows = rows.as_array().expect("rows");
    assert!(rows.len() >= 5, "{} rows", rows.len());
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("{name} of {row}"));
        let algorithm = match text("prf") {
            "HMAC-SHA256" => HashAlgorithm::Sha256,
            "HMAC-SHA384" => HashAlgorithm::Sha384,
            other => panic!("{other} is no function of FDO"),
        };
        let context = [b"AutomaticOnboardTunnel".as_slice(), &hex(text("contextRand"))].concat();
        let bits = row["L_bits"].as_u64().expect("a length");
        let mut out = vec![0; usize::try_from(bits / 8).expect("short")];
        kdf_counter(algorithm, &hex(text("shSe")), b"FIDO-KDF", &context, &mut out).expect("short");
        assert_eq!(out, hex(text("out")), "{row}");
    }
}
