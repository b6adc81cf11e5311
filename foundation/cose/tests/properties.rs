//! No input makes a decoder panic, and no changed message verifies.

use cose::{ContentType, Key, Mac0, MacKey, Sign, Sign1, Sign1Builder, SignBuilder, Signer};
use crypto::{HashAlgorithm, SignatureAlgorithm, SigningKey};
use proptest::prelude::*;
use sextant_cose as cose;

fn key() -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Ed25519, &[7; 32]).expect("any 32 bytes are a seed")
}

fn decode_everything(bytes: &[u8]) {
    let _ = (Sign1::decode(bytes).is_ok(), Sign1::decode_untagged(bytes).is_ok());
    let _ = (Sign::decode(bytes).is_ok(), Sign::decode_untagged(bytes).is_ok());
    let _ = (Mac0::decode(bytes).is_ok(), Mac0::decode_untagged(bytes).is_ok());
    let _ = (Key::decode(bytes).is_ok(), MacKey::decode(bytes).is_ok());
}

proptest! {
    #[test]
    fn random_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        decode_everything(&bytes);
    }

    #[test]
    fn messages_lead_back_to_what_was_signed(
        payload in proptest::collection::vec(any::<u8>(), 0..300),
        kid in proptest::collection::vec(any::<u8>(), 0..40),
        media_type in "[a-z]{1,10}/[a-z+]{1,20}",
        aad in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let key = key();
        let builder = Sign1Builder::new().kid(&kid).content_type(media_type.as_str()).external_aad(&aad);
        let message = builder.sign(&key, &payload);
        let sign1 = Sign1::decode(&message).expect("well-formed");
        prop_assert_eq!(sign1.payload(), Some(payload.as_slice()));
        prop_assert_eq!(sign1.kid(), Some(kid.as_slice()));
        prop_assert_eq!(sign1.content_type(), Some(ContentType::MediaType(&media_type)));
        prop_assert_eq!(sign1.verify(key.public_key(), None, &aad), Ok(()));
    }

    #[test]
    fn a_changed_message_does_not_panic_and_verifies_only_what_was_signed(
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        several in any::<bool>(),
    ) {
        let key = key();
        let payload = b"payload";
        let mut message = if several {
            SignBuilder::new().sign(&[Signer { key: &key, kid: Some(b"kid") }], payload)
        } else {
            Sign1Builder::new().kid(b"kid").sign(&key, payload)
        };
        let at = at.index(message.len());
        message[at] = byte;
        decode_everything(&message);
        // Only the unprotected bucket may have changed without notice.
        if let Ok(sign1) = Sign1::decode(&message) && sign1.verify(key.public_key(), None, &[]).is_ok() {
            prop_assert_eq!(sign1.payload(), Some(&payload[..]));
        }
        if let Ok(sign) = Sign::decode(&message) && sign.verify(key.public_key(), None, &[]).is_ok() {
            prop_assert_eq!(sign.payload(), Some(&payload[..]));
        }
    }

    #[test]
    fn a_changed_key_does_not_panic(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = Key::from_secret(key()).with_kid(b"kid").encode_secret().expect("private").to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(key) = Key::decode(&bytes) {
            let _ = key.thumbprint(HashAlgorithm::Sha256);
            prop_assert!(Key::decode(&key.encode()).is_ok());
        }
    }
}
