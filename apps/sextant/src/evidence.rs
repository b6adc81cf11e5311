//! Which form evidence is in, from its content alone: media types say so where it travels, and files have none.

use cbor::{Key, Order, Reader, Type};
use cose::labels::{TAG_MAC0, TAG_SIGN1};
use eat::{
    Bundle, CcaPlatformClaims, CcaRealmClaims, Claims, Cmw, EnactTrustToken, MeasuredComponent, MediaType,
    Nonce, ParsecAttestation, PsaClaims, PsaToken, SignedCmw, TpmAttest, TpmPublic, TpmSignature,
    UnprotectedClaims,
};
use trust::{ForeignEvidence, Reason, unwrap_evidence};

use crate::{
    detect::Parts,
    failure::Failure,
    files::Input,
    node::{Map, Node},
    show,
};

/// CBOR tags of what holds evidence: a CWT, a CCA token, an unprotected claims-set, a detached bundle.
const TAG_CWT: u64 = 61;
const TAG_CCA: u64 = 399;
const TAG_UNPROTECTED: u64 = 601;
const TAG_BUNDLE: u64 = 602;

/// The media type of evidence, as whoever sends it would name it; none for what is no evidence that can be verified.
pub(crate) fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if EnactTrustToken::decode(bytes).is_ok() {
        return Some("application/vnd.enacttrust.tpm-evidence");
    }
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'e') if SignedCmw::decode(bytes).is_ok() => return Some("application/cmw+cose"),
        Some(b'e') => return Some("application/eat+jwt"),
        Some(b'[') if Bundle::decode_json(bytes).is_ok() => return Some("application/eat-bun+json"),
        Some(b'[' | b'{') if Cmw::decode_json(bytes).is_ok() => return Some("application/cmw+json"),
        _ => {}
    }
    match tag(bytes) {
        Some(TAG_UNPROTECTED) => Some("application/uccs+cbor"),
        Some(TAG_CCA) => Some("application/eat-collection"),
        Some(TAG_BUNDLE) => Some("application/eat-bun+cbor"),
        Some(TAG_SIGN1 | TAG_MAC0) if PsaToken::decode(bytes).is_ok() => {
            Some("application/psa-attestation-token")
        }
        Some(TAG_SIGN1) if SignedCmw::decode(bytes).is_ok() => Some("application/cmw+cose"),
        Some(TAG_CWT | TAG_SIGN1 | TAG_MAC0) => Some("application/eat+cwt"),
        _ if ParsecAttestation::decode(bytes).is_ok() => {
            Some("application/vnd.parallaxsecond.key-attestation.tpm")
        }
        _ if Cmw::decode_cbor(bytes).is_ok() => Some("application/cmw+cbor"),
        _ => None,
    }
}

/// Evidence out of its wrappers, with its media type.
pub(crate) struct Unwrapped {
    bytes: Vec<u8>,
    media_type: MediaType,
}

impl Unwrapped {
    /// What it is, as it was found or told.
    pub(crate) fn media_type(&self) -> String {
        self.media_type.to_string()
    }

    /// Takes evidence out of its wrappers. Its form is what `media_type` says, or else its content.
    pub(crate) fn new(input: &Input, media_type: Option<&MediaType>) -> Result<Self, Failure> {
        let found = match media_type {
            Some(media_type) => media_type.clone(),
            None => detected(input)?,
        };
        let unwrapped = unwrap_evidence(&input.bytes, &found);
        let (bytes, media_type) = unwrapped.map_err(|reason| malformed(input, &reason))?;
        Ok(Self { bytes: bytes.into_owned(), media_type })
    }

    /// Reads it.
    pub(crate) fn read(&self) -> Result<ForeignEvidence<'_>, Reason> {
        ForeignEvidence::decode(&self.bytes, &self.media_type)
    }
}

/// A failure to read evidence.
pub(crate) fn malformed(input: &Input, reason: &Reason) -> Failure {
    Failure::new(format!("{}: not evidence that is understood: {reason}", input.name))
        .help("`sextant inspect --diagnostic` shows the bytes in diagnostic notation")
}

fn detected(input: &Input) -> Result<MediaType, Failure> {
    let parsed = media_type(&input.bytes).and_then(|text| MediaType::parse(text).ok());
    parsed.ok_or_else(|| {
        Failure::new(format!("{}: not an attestation token that is understood", input.name))
            .help("its form can be named with --media-type; `sextant inspect` shows what it is instead")
    })
}

/// Evidence as a tree, and claims that nothing protects; none for anything else.
pub(crate) fn tree(bytes: &[u8], parts: Parts) -> Option<Map> {
    let named = media_type(bytes).and_then(|text| MediaType::parse(text).ok());
    match named {
        // Wrappers are shown with all that is in them, which need not be evidence.
        Some(named) if named.essence().starts_with("application/cmw+") => {
            let signed = SignedCmw::decode(bytes).map(|wrapper| show::cmw::signed(&wrapper, parts));
            signed.or_else(|_| Cmw::decode(bytes).map(|wrapper| show::cmw::tree(&wrapper, parts))).ok()
        }
        Some(_) if tag(bytes) == Some(TAG_UNPROTECTED) => unprotected(bytes, parts),
        Some(named) => {
            let evidence = ForeignEvidence::decode(bytes, &named).ok()?;
            Some(show::evidence::tree(&evidence, parts))
        }
        None => unprotected(bytes, parts),
    }
}

/// Claims outside of tokens, and structures of a TPM.
fn unprotected(bytes: &[u8], parts: Parts) -> Option<Map> {
    let claims =
        |kind: &str, claims: &Claims| Map::new().with("kind", kind).then(show::eat::claims(claims, parts));
    if tag(bytes) == Some(TAG_UNPROTECTED) {
        let unprotected = UnprotectedClaims::decode(bytes).ok()?;
        return Some(claims("unprotected claims-set (UCCS)", unprotected.unverified()));
    }
    if let Ok(attest) = TpmAttest::decode(bytes) {
        return Some(Map::new().with("kind", "TPM attestation").then(show::tpm::attest(&attest)));
    }
    if let Ok(public) = TpmPublic::decode(bytes) {
        return Some(Map::new().with("kind", "TPM public key").then(show::tpm::public(&public)));
    }
    if let Ok(signature) = TpmSignature::decode(bytes) {
        return Some(Map::new().with("kind", "TPM signature").with("hash", Node::shown(signature.hash)));
    }
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        if let Ok(component) = MeasuredComponent::decode_json(bytes) {
            return Some(show::eat::measured_component(&component));
        }
        let set = UnprotectedClaims::decode_json(bytes).ok().filter(|set| is_known(set.unverified()))?;
        return Some(claims("claims-set (JSON)", set.unverified()));
    }
    if Reader::with_order(bytes, Order::Unique).peek() != Ok(Type::Map) {
        return None;
    }
    if let Ok(set) = PsaClaims::decode(bytes) {
        return Some(Map::new().with("kind", "claims-set of PSA").then(show::arm::psa_claims(&set)));
    }
    if let Ok(set) = CcaPlatformClaims::decode(bytes) {
        let shown = show::arm::platform(&set);
        return Some(Map::new().with("kind", "claims-set of a CCA platform").then(shown));
    }
    if let Ok(set) = CcaRealmClaims::decode(bytes) {
        return Some(Map::new().with("kind", "claims-set of a CCA realm").then(show::arm::realm(&set)));
    }
    if let Ok(component) = MeasuredComponent::decode(bytes) {
        return Some(show::eat::measured_component(&component));
    }
    if let Some(shown) = key_attestation(bytes, parts) {
        return Some(shown);
    }
    let tagged = cbor::Writer::encode(|w| _ = w.tag(TAG_UNPROTECTED).raw(bytes));
    let set = UnprotectedClaims::decode(&tagged).ok().filter(|set| is_known(set.unverified()))?;
    Some(claims("claims-set", set.unverified()))
}

/// Key attestation of Parsec with anything but a TPM: a token of the key, and one of the platform.
fn key_attestation(bytes: &[u8], parts: Parts) -> Option<Map> {
    let mut reader = Reader::with_order(bytes, Order::Unique);
    let mut map = reader.map().ok()?;
    let mut shown = Map::new().with("kind", "key attestation (Parsec)");
    let mut named = 0;
    while let Some(key) = map.next(&mut reader).ok()? {
        let name = match key {
            Key::Text("kat") => "key",
            Key::Text("pat") => "platform",
            _ => return None,
        };
        shown = shown.with(name, parts.open(reader.raw().ok()?));
        named += 1;
    }
    (named == 2).then_some(shown)
}

/// Whether claims are those of an entity attestation token: any map decodes as some, and few maps have a nonce or a
/// profile in these places.
fn is_known(claims: &Claims) -> bool {
    let plain = Claims {
        issuer: claims.issuer.clone(),
        subject: claims.subject.clone(),
        audience: claims.audience.clone(),
        expires_at: claims.expires_at,
        not_before: claims.not_before,
        issued_at: claims.issued_at,
        token_id: claims.token_id.clone(),
        others: claims.others.clone(),
        ..Claims::default()
    };
    *claims != plain
}

/// The nonce that evidence says to answer.
pub(crate) fn nonce(evidence: &ForeignEvidence<'_>) -> Option<Nonce> {
    let first = |claims: &Claims| claims.nonces.first().cloned();
    match evidence {
        ForeignEvidence::Psa(token) => Some(token.unverified().nonce.clone()),
        ForeignEvidence::Cca(token) => Some(token.unverified_realm().challenge.clone()),
        ForeignEvidence::Token(token) => first(token.unverified()),
        ForeignEvidence::Bundle(bundle) => first(bundle.main().ok()?.unverified()),
        ForeignEvidence::Carried(wrapper) => {
            let records = wrapper.unverified().records();
            let (_, record) = records.first()?;
            let claims = UnprotectedClaims::decode(&record.value)
                .or_else(|_| UnprotectedClaims::decode_json(&record.value));
            first(claims.ok()?.unverified())
        }
        ForeignEvidence::EnactTrust(token) => Nonce::new(&token.quote.unverified().extra_data),
        ForeignEvidence::Parsec(attestation) => {
            Nonce::new(&attestation.unverified_quote().unverified().extra_data)
        }
        ForeignEvidence::Quote(collection) => Nonce::new(&collection.quote.unverified().extra_data),
    }
}

fn tag(bytes: &[u8]) -> Option<u64> {
    let mut reader = Reader::with_order(bytes, Order::Unique);
    (reader.peek() == Ok(Type::Tag)).then(|| reader.tag().ok()).flatten()
}
