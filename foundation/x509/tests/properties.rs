//! Whatever comes in, nothing panics; whatever is made here reads back.

use crypto::{SignatureAlgorithm, SigningKey};
use proptest::prelude::*;
use sextant_x509 as x509;
use x509::cms::{Detached, SignerPolicy, sign_detached};
use x509::{AttributeType, Certificate, CertificateBuilder, CertificationRequest, Name, Validity};

const VALID: Validity = Validity { not_before: 0, not_after: 4_000_000_000 };

fn key() -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Ed25519, &[7; 32]).expect("a key")
}

fn anchor() -> Certificate {
    let name = "CN=Signer".parse().expect("a name");
    CertificateBuilder::new(name, key().public_key(), &[1], VALID).self_signed(&key()).expect("a certificate")
}

proptest! {
    #[test]
    fn decoders_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = Certificate::decode(&bytes);
        let _ = Detached::decode(&bytes);
        let _ = CertificationRequest::decode(&bytes);
        let _ = Name::decode(&bytes);
    }

    #[test]
    fn changed_messages_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let anchors = [anchor()];
        let mut p7s = sign_detached(b"content", &key(), &anchors[0], &[], 1).expect("a signature");
        for (at, byte) in changes {
            let at = at.index(p7s.len());
            p7s[at] = byte;
        }
        if let Ok(message) = Detached::decode(&p7s) {
            let policy = SignerPolicy { anchors: &anchors, extra: &[], subject: None, now: 1 };
            let _ = message.verify(b"content", &policy);
        }
    }

    #[test]
    fn a_signature_is_of_its_content_only(
        content in proptest::collection::vec(any::<u8>(), 0..512),
        other in proptest::collection::vec(any::<u8>(), 0..512),
    ) {
        let anchors = [anchor()];
        let p7s = sign_detached(&content, &key(), &anchors[0], &[], 1).expect("a signature");
        let message = Detached::decode(&p7s).expect("our own");
        let policy = SignerPolicy { anchors: &anchors, extra: &[], subject: None, now: 1 };
        prop_assert!(message.verify(&content, &policy).is_ok());
        prop_assert_eq!(message.verify(&other, &policy).is_ok(), content == other);
    }

    #[test]
    fn names_read_back(organization in "\\PC{1,64}", common_name in "\\PC{1,64}") {
        let attributes =
            [(AttributeType::Organization, &*organization), (AttributeType::CommonName, &*common_name)];
        let name = Name::new(&attributes).expect("characters that can be shown");
        prop_assert_eq!(&Name::decode(name.as_der()).expect("our own"), &name);
        let text = name.to_string();
        let again: Name = text.parse().expect("our own");
        prop_assert_eq!(again.as_der(), name.as_der());
    }
}
