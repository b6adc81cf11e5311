//! CBOR, keys, COSE, certificates.

use cose::{DecryptionKey, MacKey, RecipientKey};
use crypto::{ContentAlgorithm, ContentKey, HashAlgorithm, HssSigningKey, PublicKey, SigningKey};
use x509::cms::{Detached, SignerPolicy};
use x509::{Certificate, CertificationRequest, Name};

use super::{HSS_MESSAGE, HSS_PUBLIC_LEN, LIMIT, STRANGERS, stranger};
use crate::fixture::NOW;

pub(super) fn cbor(bytes: &[u8]) -> bool {
    let mut reader = cbor::Reader::new(bytes);
    let strict = reader.skip().is_ok() && reader.is_empty();
    if strict {
        assert!(cbor::diagnostic(bytes).is_ok(), "whatever is well-formed can be shown");
        let normal = cbor::normalize(bytes, LIMIT).expect("whatever is deterministic is well-formed");
        assert_eq!(normal, bytes, "what is deterministic stays as it is");
    } else if let Ok(normal) = cbor::normalize(bytes, LIMIT) {
        cbor::Reader::new(&normal).skip().expect("what was made deterministic is");
    }
    let _any_order = cbor::Reader::with_order(bytes, cbor::Order::Unique).skip();
    strict
}

pub(super) fn crypto_keys(bytes: &[u8]) -> bool {
    let public = PublicKey::from_spki_der(bytes);
    let secret = SigningKey::from_pkcs8_der(bytes);
    let known = public.is_ok() || secret.is_ok() || SigningKey::from_sec1_der(bytes).is_ok();
    if let Ok(public) = public {
        let again = PublicKey::from_spki_der(&public.to_spki_der());
        assert_eq!(again.as_ref(), Ok(&public));
        assert!(public.verify(bytes, &[0; 64]).is_err());
        assert!(public.verify_der(bytes, bytes).is_err());
    }
    if let Ok(secret) = secret {
        let again = SigningKey::from_pkcs8_der(&secret.to_pkcs8_der()).expect("was written by us");
        assert_eq!(again.public_key(), secret.public_key());
    }
    assert!(stranger().verify_der(b"message", bytes).is_err(), "nobody signed it");
    known
}

pub(super) fn cose_sign1(bytes: &[u8]) -> bool {
    let forms = [cose::Sign1::decode(bytes), cose::Sign1::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        let _hints = (message.kid(), message.content_type());
        assert!(message.verify(&stranger(), None, &[]).is_err());
        assert!(message.verify(&stranger(), Some(b"apart"), &[]).is_err());
    }
    known
}

pub(super) fn cose_sign(bytes: &[u8]) -> bool {
    let forms = [cose::Sign::decode(bytes), cose::Sign::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        assert!(message.verify(&stranger(), None, &[]).is_err());
        assert!(message.verify(&stranger(), Some(b"apart"), &[]).is_err());
    }
    known
}

pub(super) fn cose_mac0(bytes: &[u8]) -> bool {
    let key = MacKey::new(HashAlgorithm::Sha256, &[77; 32]).expect("long enough");
    let forms = [cose::Mac0::decode(bytes), cose::Mac0::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        assert!(message.verify(&key, None, &[]).is_err());
        assert!(message.verify(&key, Some(b"apart"), &[]).is_err());
    }
    let _key = MacKey::decode(bytes);
    known
}

pub(super) fn cose_encrypt(bytes: &[u8]) -> bool {
    let forms = [cose::Encrypt::decode(bytes), cose::Encrypt::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        assert!(message.open(&*STRANGERS, &[], b"another use").is_err());
    }
    known
}

pub(super) fn cose_encrypt0(bytes: &[u8]) -> bool {
    let forms = [cose::Encrypt0::decode(bytes), cose::Encrypt0::decode_untagged(bytes)];
    let known = forms.iter().any(Result::is_ok);
    for message in forms.into_iter().flatten() {
        let algorithm = message.algorithm();
        let key = ContentKey::from_bytes(algorithm, &vec![77; algorithm.key_len()]).expect("its length");
        let opened = message.decrypt(&key, None, &[]);
        assert!(opened.is_err() || !algorithm.is_authenticated());
        let other = ContentAlgorithm::ALL.into_iter().find(|other| *other != algorithm).expect("several");
        let key = ContentKey::from_bytes(other, &vec![77; other.key_len()]).expect("its length");
        assert!(message.open(&key, &[]).is_err());
    }
    known
}

/// A public key and a signature by it, of a message that is always the same; and a state without its digest.
pub(super) fn hss_signature(bytes: &[u8]) -> bool {
    let digest = crypto::Digest::of(HashAlgorithm::Sha256, bytes);
    if let Ok(key) = HssSigningKey::decode(&[bytes, digest.as_bytes()].concat()) {
        HssSigningKey::decode(&key.encode()).expect("was written by us");
    }
    let Some((key, signature)) = bytes.split_at_checked(HSS_PUBLIC_LEN) else { return false };
    let Ok(key) = PublicKey::from_hss(key) else { return false };
    assert!(key.verify(b"another message", signature).is_err());
    key.verify(HSS_MESSAGE, signature).is_ok()
}

pub(super) fn cose_key(bytes: &[u8]) -> bool {
    let own = DecryptionKey::decode(bytes);
    let recipient = RecipientKey::decode(bytes);
    let encrypts = own.is_ok() || recipient.is_ok();
    if let Ok(own) = own {
        let again = DecryptionKey::decode(&own.encode_secret()).expect("was written by us");
        assert_eq!((again.algorithm(), again.kid()), (own.algorithm(), own.kid()));
    }
    if let Ok(recipient) = recipient {
        let again = RecipientKey::decode(&recipient.encode()).expect("was written by us");
        assert_eq!((again.algorithm(), again.kid()), (recipient.algorithm(), recipient.kid()));
    }
    let rsa = cose::decode_rsa_key(bytes);
    if let Ok(rsa) = &rsa {
        assert_eq!(cose::decode_rsa_key(&cose::encode_rsa_key(rsa)).as_ref(), Ok(rsa));
        assert_eq!(crypto::RsaPublicKey::from_spki_der(&rsa.to_spki_der()).as_ref(), Ok(rsa));
    }
    verification_key(bytes) || encrypts || rsa.is_ok()
}

fn verification_key(bytes: &[u8]) -> bool {
    let Ok(key) = cose::Key::decode(bytes) else { return false };
    let again = cose::Key::decode(&key.encode()).expect("was written by us");
    assert_eq!(again.public(), key.public());
    assert_eq!(again.thumbprint(HashAlgorithm::Sha256), key.thumbprint(HashAlgorithm::Sha256));
    true
}

pub(super) fn x509_certificate(bytes: &[u8]) -> bool {
    let _name = Name::decode(bytes);
    let Ok(certificate) = Certificate::decode(bytes) else { return false };
    let others = [certificate.clone()];
    assert!(x509::verify_chain(&certificate, &others, &[], NOW).is_err(), "nobody is believed");
    let _own = x509::verify_chain(&certificate, &[], &others, NOW);
    true
}

pub(super) fn x509_cms(bytes: &[u8]) -> bool {
    let Ok(message) = Detached::decode(bytes) else { return false };
    let policy = SignerPolicy { anchors: &[], extra: &[], subject: None, now: NOW };
    assert!(message.verify(b"another content", &policy).is_err(), "nobody is believed");
    true
}

/// Whoever made it has the key in it, and proves no more.
pub(super) fn certification_request(bytes: &[u8]) -> bool {
    let _text = core::str::from_utf8(bytes).map(CertificationRequest::from_pem);
    let Ok(request) = CertificationRequest::decode(bytes) else { return false };
    assert_eq!(CertificationRequest::from_pem(&request.to_pem()).as_ref(), Ok(&request));
    if let Ok(verified) = request.verify() {
        assert_eq!(verified.subject(), request.subject());
        assert_ne!(*verified.public_key(), stranger(), "nobody signed for it");
    }
    true
}
