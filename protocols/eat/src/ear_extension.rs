use alloc::vec::Vec;

use cbor::{Key, Reader, Type};

use crate::base64url;

/// Claims that others add to an appraisal (draft-ietf-rats-ear, sections 3.4 and 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultExtension {
    /// ear_teep_claims (65000).
    TeepClaims,
    /// ear_veraison_annotated_evidence (-70000): the evidence as the verifier read it.
    AnnotatedEvidence,
    /// ear_veraison_policy_claims (-70001): what a policy added.
    PolicyClaims,
    /// ear_veraison_key_attestation (-70002): the key whose origin was attested.
    KeyAttestation,
}

impl ResultExtension {
    /// Every extension.
    pub const ALL: [Self; 4] =
        [Self::TeepClaims, Self::AnnotatedEvidence, Self::PolicyClaims, Self::KeyAttestation];

    /// Its label in CBOR.
    pub const fn label(self) -> i64 {
        match self {
            Self::TeepClaims => 65_000,
            Self::AnnotatedEvidence => -70_000,
            Self::PolicyClaims => -70_001,
            Self::KeyAttestation => -70_002,
        }
    }

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TeepClaims => "ear_teep_claims",
            Self::AnnotatedEvidence => "ear_veraison_annotated_evidence",
            Self::PolicyClaims => "ear_veraison_policy_claims",
            Self::KeyAttestation => "ear_veraison_key_attestation",
        }
    }

    /// The name that deployed verifiers still give it.
    pub(crate) const fn old_name(self) -> &'static str {
        match self {
            Self::TeepClaims => "ear.teep-claims",
            Self::AnnotatedEvidence => "ear.veraison.annotated-evidence",
            Self::PolicyClaims => "ear.veraison.policy-claims",
            Self::KeyAttestation => "ear.veraison.key-attestation",
        }
    }

    /// Whether the encoded value is a map, and has what this extension needs.
    pub(crate) fn check(self, value: &[u8]) -> Result<(), &'static str> {
        if Reader::new(value).peek() != Ok(Type::Map) {
            return Err("extension is not a map");
        }
        if self == Self::KeyAttestation && attested_key(value).is_none() {
            return Err("key attestation has no key");
        }
        Ok(())
    }
}

/// `akpub` of a key attestation: SubjectPublicKeyInfo in DER, not parsed. It is text where the result came in JSON.
pub(crate) fn attested_key(value: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(value);
    let mut map = reader.map().ok()?;
    while let Some(key) = map.next(&mut reader).ok()? {
        match (key, reader.peek().ok()?) {
            (Key::Text("akpub"), Type::Bytes) => return reader.bytes().ok().map(Into::into),
            (Key::Text("akpub"), Type::Text) => return base64url::decode(reader.text().ok()?),
            _ => reader.skip().ok()?,
        }
    }
    None
}
