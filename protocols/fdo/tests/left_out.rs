//! What a small device leaves out is refused by name: run with `--no-default-features`.

#![cfg(not(any(feature = "rsa-owners", feature = "all-ciphers")))]

use std::path::Path;

use crypto::{Digest, HashAlgorithm};
use sextant_fdo::{
    CipherSuite, Credential, DeviceChain, Error, ExchangeSuite, Guid, KeyType, RendezvousInfo, Voucher,
    device::To2Options, owner::OwnerOptions,
};

#[test]
fn owners_with_rsa_keys_are_not_believed_and_nothing_is_agreed_with_them() {
    assert_eq!(ExchangeSuite::ALL.map(ExchangeSuite::name), ["ECDH256", "ECDH384"]);
    for name in ["DHKEXid14", "DHKEXid15", "ASYMKEX2048", "ASYMKEX3072"] {
        assert_eq!(ExchangeSuite::from_name(name), None, "{name}");
    }
    for owner_key_type in [KeyType::Rsa2048Restr, KeyType::RsaPkcs, KeyType::Secp256r1] {
        let credential = Credential {
            guid: Guid([1; 16]),
            device_info: "camera".into(),
            rendezvous: RendezvousInfo { directives: Vec::new() },
            owner: Digest::of(HashAlgorithm::Sha256, b"a key"),
            owner_key_type,
        };
        let options = To2Options::for_credential(&credential);
        assert_eq!(options.is_some(), owner_key_type == KeyType::Secp256r1);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rsa2048restr-2entries.hex");
    let bytes = testkit::read_hex(&file);
    let refused = Voucher::decode(&bytes).expect("well-formed").verify(DeviceChain::OfManufacturer);
    let refused = refused.expect_err("signed with RSA");
    assert!(matches!(refused, Error::Entry { entry: 0, error: cose::Error::Unsupported(_) }), "{refused:?}");
    assert_eq!(refused.code(), "unsupported-voucher");
}

#[test]
fn there_is_aes_gcm_alone() {
    assert_eq!(CipherSuite::ALL.map(CipherSuite::number), [1, 2, 3]);
    for number in [30, 31, 32, 33, -17760703, -17760704, -17760705, -17760706] {
        assert_eq!(CipherSuite::from_number(number), None, "{number}");
    }
    assert_eq!(OwnerOptions::default().ciphers, CipherSuite::ALL);
}
