//! Evidence of every kind, and results about it.

use std::sync::LazyLock;

use cose::TrustAnchors;
use crypto::PublicKey;
use eat::{
    CcaToken, Claims, Cmw, EnactTrustToken, Evidence, MeasuredComponent, Nonce, ParsecAttestation, PcrValues,
    PsaClaims, PsaToken, SignedCmw, SignedResult, Token, TokenCheck, TokenHint, TokenKey, TokenKeys,
    TpmCollection, TpmKey, TpmPublic, UnprotectedClaims,
};
use tpm::{KeyKind, WrappedKey, response};

use super::stranger;
use crate::fixture::{NOW, key};

pub(super) fn eat_evidence(bytes: &[u8]) -> bool {
    let Ok(evidence) = Evidence::decode(bytes) else { return false };
    let nonce = evidence.nonce().clone();
    assert!(evidence.verify(&stranger(), &nonce).is_err());
    true
}

pub(super) fn eat_token(bytes: &[u8]) -> bool {
    let Ok(token) = Token::decode(bytes) else { return false };
    let _written = token.unverified().encode();
    let nonce = Nonce::new(&[3; 16]).expect("a nonce");
    assert!(token.clone().verify_all(&Stranger, &nonce).is_err());
    assert!(token.verify(&stranger(), &nonce).is_err());
    true
}

/// The same wrong key for every token.
struct Stranger;

impl TokenKeys for Stranger {
    fn verify(&self, _: &TokenHint<'_>, check: TokenCheck<'_>) -> Result<(), eat::Error> {
        static KEY: LazyLock<PublicKey> = LazyLock::new(stranger);
        check(TokenKey::from(&*KEY))
    }
}

/// Claims in either form, which nothing protects: what all tokens of general profiles have in them.
pub(super) fn eat_unprotected(bytes: &[u8]) -> bool {
    if bytes.first() == Some(&b'{') {
        let Ok(claims) = UnprotectedClaims::decode_json(bytes) else { return false };
        let written = claims.unverified().encode_json().expect("came in JSON");
        assert_eq!(UnprotectedClaims::decode_json(written.as_bytes()), Ok(claims));
        return true;
    }
    let Ok(claims) = UnprotectedClaims::decode(bytes) else { return false };
    let again: Claims = claims.unverified().clone();
    assert_eq!(UnprotectedClaims::decode(&UnprotectedClaims::from(again).encode()), Ok(claims));
    true
}

pub(super) fn eat_bundle(bytes: &[u8]) -> bool {
    let Ok(bundle) = eat::Bundle::decode(bytes) else { return false };
    assert_eq!(eat::Bundle::decode(&bundle.encode()), Ok(bundle.clone()));
    let nonce = Nonce::new(&[3; 16]).expect("a nonce");
    assert!(bundle.verify_all(&Stranger, &nonce).is_err());
    bundle.main().is_ok()
}

pub(super) fn eat_psa(bytes: &[u8]) -> bool {
    if let Ok(claims) = PsaClaims::decode(bytes) {
        assert_eq!(PsaClaims::decode(&claims.encode()), Ok(claims));
        return true;
    }
    let Ok(token) = PsaToken::decode(bytes) else { return false };
    let nonce = token.unverified().nonce.clone();
    assert!(token.verify(&stranger(), &nonce).is_err());
    true
}

pub(super) fn eat_cca(bytes: &[u8]) -> bool {
    let Ok(token) = CcaToken::decode(bytes) else { return false };
    let nonce = token.unverified_realm().challenge.clone();
    assert!(token.verify(&stranger(), &nonce).is_err());
    true
}

pub(super) fn eat_cmw(bytes: &[u8]) -> bool {
    if let Ok(signed) = SignedCmw::decode(bytes) {
        assert!(signed.verify(&stranger()).is_err());
    }
    let _extension = Cmw::decode_extension(bytes);
    let Ok(wrapper) = Cmw::decode(bytes) else { return false };
    assert!(!wrapper.records().is_empty());
    if let Ok(collection) = TpmCollection::read(&wrapper) {
        let nonce = Nonce::new(&[3; 16]).expect("a nonce");
        assert!(TpmCollection::is_one(&wrapper));
        assert!(collection.quote.verify_signature(&TpmKey::from(stranger()), &nonce).is_err());
    }
    assert_eq!(Cmw::decode(&wrapper.encode()), Ok(wrapper.clone()));
    if let Ok(text) = wrapper.encode_json() {
        let again = Cmw::decode(text.as_bytes()).expect("was written by us");
        assert_eq!(again.records().len(), wrapper.records().len());
    }
    true
}

/// The framing of one vendor: an identifier, a length, what was signed, and the signature.
pub(super) fn tpm_quote(bytes: &[u8]) -> bool {
    let Ok(token) = EnactTrustToken::decode(bytes) else { return false };
    let nonce = Nonce::new(&[3; 16]).expect("a nonce");
    let key = TpmKey::from(stranger());
    assert!(token.quote.verify(&key, &nonce, &[], &PcrValues::new()).is_err());
    true
}

/// What a TPM answers, taken as the answer to each command in turn.
pub(super) fn tpm_answer(bytes: &[u8]) -> bool {
    let read = [
        response::primary(bytes).is_ok(),
        response::loaded(bytes).is_ok(),
        response::sequence(bytes).is_ok(),
        response::signature(bytes).is_ok(),
        response::completed(bytes).is_ok(),
        response::updated(bytes).is_ok(),
        response::flushed(bytes).is_ok(),
        response::public(bytes).is_ok_and(|public| public.len() <= response::MAX_PART),
        response::handles(bytes).is_ok_and(|handles| handles.iter().all(|handle| handle >> 24 == 0x80)),
        response::created(bytes).is_ok_and(|created| {
            for kind in [KeyKind::Signing, KeyKind::Hmac] {
                if let Ok(key) = WrappedKey::new(kind, &created.private, &created.public) {
                    let _on_the_curve = key.public_key();
                }
            }
            true
        }),
    ];
    let is_read = read.contains(&true);
    assert!(!is_read || response::len(bytes).is_ok_and(|len| len == Some(bytes.len())));
    is_read
}

pub(super) fn tpm_public(bytes: &[u8]) -> bool {
    let Ok(public) = TpmPublic::decode(bytes) else { return false };
    let _attests = (public.name(), public.attestation_key());
    true
}

pub(super) fn tpm_parsec(bytes: &[u8]) -> bool {
    let Ok(attestation) = ParsecAttestation::decode(bytes) else { return false };
    let nonce = Nonce::new(&[3; 16]).expect("a nonce");
    let key = TpmKey::from(stranger());
    assert!(attestation.verify(&key, &nonce).is_err());
    true
}

pub(super) fn eat_component(bytes: &[u8]) -> bool {
    if let Ok(component) = MeasuredComponent::decode_json(bytes) {
        assert_eq!(MeasuredComponent::decode_json(component.encode_json().as_bytes()), Ok(component));
    }
    let Ok(component) = MeasuredComponent::decode(bytes) else { return false };
    assert_eq!(MeasuredComponent::decode(&component.encode()), Ok(component));
    true
}

pub(super) fn ear_cwt(bytes: &[u8]) -> bool {
    result(SignedResult::decode_cwt(bytes))
}

pub(super) fn ear_jwt(bytes: &[u8]) -> bool {
    result(SignedResult::decode_jwt(bytes))
}

fn result(decoded: Result<SignedResult<'_>, eat::Error>) -> bool {
    let Ok(signed) = decoded else { return false };
    let _tier = signed.unverified().tier();
    let again = signed.unverified().sign_cwt(&key(20), b"verifier");
    if let Ok(again) = again {
        SignedResult::decode_cwt(&again).expect("was written by us");
    }
    assert!(signed.verify(&TrustAnchors::default(), NOW, None).is_err());
    true
}
