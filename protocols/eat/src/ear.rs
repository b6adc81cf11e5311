use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crypto::PublicKey;

use crate::{
    ClaimKey, CmwRecord, Nonce, ResultExtension, Tier, TrustVector, Ueid, ear_extension::attested_key,
};

/// Profile of the results made here (draft-ietf-rats-ear).
pub const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";

/// The profile of the draft before.
pub const PREVIOUS_PROFILE: &str = "tag:ietf.org,2026:rats/ear#03";

/// The profile that deployed verifiers still name; its members in JSON have other names.
pub const OLD_PROFILE: &str = "tag:github.com,2023:veraison/ear";

/// Profiles whose results are believed, and made.
pub(crate) const ACCEPTED_PROFILES: [&str; 3] = [PROFILE, PREVIOUS_PROFILE, OLD_PROFILE];

/// How many bytes a signed result may have.
pub const MAX_RESULT_LEN: usize = 64 << 10;

/// How many appraisals a result may hold.
pub const MAX_SUBMODS: usize = 64;

/// Attestation result (draft-ietf-rats-ear, section 3): what a verifier made of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationResult {
    /// eat_profile (265).
    pub profile: String,
    /// iat (6) in seconds since 1970.
    pub issued_at: i64,
    /// exp (4) in seconds since 1970. Without one the result ages only by its reader's policy.
    pub expires_at: Option<i64>,
    /// ear_verifier_id (1004).
    pub verifier_id: VerifierId,
    /// eat_nonce (10): freshness of the result, chosen by who asked for it.
    pub nonce: Option<Nonce>,
    /// ueid (256): the device the result is about.
    pub ueid: Option<Ueid>,
    /// cnf (8): the key that signed the evidence; who presents the result proves possession of it.
    pub confirmation: Option<PublicKey>,
    /// ear_status (1000) of the whole.
    pub status: Option<Tier>,
    /// ear_raw_evidence (1002): what was appraised. It may tell more than its subject wants known.
    pub raw_evidence: Option<RawEvidence>,
    /// ear_device_topology (1007): which appraised things are parts of which, by their names.
    pub topology: BTreeMap<String, Vec<String>>,
    /// submods (266): one appraisal or more, by the name of what was appraised.
    pub submods: BTreeMap<String, Appraisal>,
}

/// ear_raw_evidence (1002).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawEvidence {
    /// Bytes without a type, up to the previous draft.
    Bytes(Vec<u8>),
    /// With its type, since then.
    Record(CmwRecord),
}

/// ear_verifier_id (1004).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierId {
    /// Who develops the verifier.
    pub developer: String,
    /// Which build it is.
    pub build: String,
}

/// EAR appraisal (draft-ietf-rats-ear, section 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraisal {
    /// ear_status (1000).
    pub status: Tier,
    /// ear_trustworthiness_vector (1001).
    pub vector: Option<TrustVector>,
    /// ear_appraisal_policy_ids (1003), in the order they were applied.
    pub policy_ids: Vec<String>,
    /// eat_nonce (10): the one found in the evidence.
    pub nonce: Option<Nonce>,
    /// eat_profile (265) of the evidence, where it is a URI.
    pub profile: Option<String>,
    /// ear_attester_claims (1005), with their encoded values.
    pub attester_claims: Vec<(ClaimKey, Vec<u8>)>,
    /// ear_verifier_claims (1006), other than those of this product, with their encoded values.
    pub verifier_claims: Vec<(ClaimKey, Vec<u8>)>,
    /// Claims that others add, as encoded maps: in JSON with names for keys and text for bytes.
    pub extensions: BTreeMap<ResultExtension, Vec<u8>>,
    /// Digest of the manifest of the release the evidence matches. A verifier claim of this product.
    pub release: Option<Vec<u8>>,
    /// Why the vector is what it is. A verifier claim of this product.
    pub reasons: Vec<Reason>,
}

/// One reason for an appraisal: a code for programs, and details for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// Reason code.
    pub code: String,
    /// Details by name.
    pub details: BTreeMap<String, String>,
}

impl AttestationResult {
    /// A result in the newest profile, without appraisals yet.
    pub fn new(verifier_id: VerifierId, issued_at: i64, expires_at: i64) -> Self {
        Self {
            profile: PROFILE.into(),
            issued_at,
            expires_at: Some(expires_at),
            verifier_id,
            nonce: None,
            ueid: None,
            confirmation: None,
            status: None,
            raw_evidence: None,
            topology: BTreeMap::new(),
            submods: BTreeMap::new(),
        }
    }

    /// The tier of the whole, from its appraisals. Whatever has no vector counts for nothing.
    pub fn tier(&self) -> Tier {
        Tier::of_parts(self.submods.values().map(Appraisal::tier))
    }

    /// Whether no status says more than what it rests on.
    pub(crate) fn is_consistent(&self) -> bool {
        let stated = Tier::of_parts(self.submods.values().map(|appraisal| appraisal.status));
        self.submods.values().all(Appraisal::is_consistent)
            && self.status.is_none_or(|status| status.is_covered_by(stated))
    }

    /// What must hold before a result is signed.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if !ACCEPTED_PROFILES.contains(&self.profile.as_str()) {
            return Err("profile is not known");
        }
        match (&self.raw_evidence, self.profile.as_str()) {
            (None, _) | (Some(RawEvidence::Record(_)), PROFILE) => {}
            (Some(RawEvidence::Bytes(_)), PREVIOUS_PROFILE | OLD_PROFILE) => {}
            _ => return Err("raw evidence has another form in this profile"),
        }
        let one_policy = |appraisal: &Appraisal| appraisal.policy_ids.len() <= 1;
        if self.profile == OLD_PROFILE && !self.submods.values().all(one_policy) {
            return Err("old profile names one policy only");
        }
        for appraisal in self.submods.values() {
            appraisal.extensions.iter().try_for_each(|(extension, value)| extension.check(value))?;
        }
        if self.submods.is_empty() || self.submods.len() > MAX_SUBMODS {
            return Err("result has not 1 to 64 appraisals");
        }
        if self.expires_at.is_none_or(|expires_at| expires_at <= self.issued_at) {
            return Err("result has no lifetime");
        }
        if !self.is_consistent() {
            return Err("status is better than its trust vector");
        }
        Ok(())
    }
}

impl Appraisal {
    /// An appraisal whose status is the tier of its vector.
    pub fn new(vector: TrustVector) -> Self {
        Self {
            status: vector.tier(),
            vector: Some(vector),
            policy_ids: Vec::new(),
            nonce: None,
            profile: None,
            attester_claims: Vec::new(),
            verifier_claims: Vec::new(),
            extensions: BTreeMap::new(),
            release: None,
            reasons: Vec::new(),
        }
    }

    /// The tier to rely on: the status, or none where no vector supports it.
    pub fn tier(&self) -> Tier {
        if self.vector.is_some() { self.status } else { Tier::None }
    }

    /// The key of a key attestation: SubjectPublicKeyInfo in DER, not parsed.
    pub fn attested_key(&self) -> Option<Vec<u8>> {
        attested_key(self.extensions.get(&ResultExtension::KeyAttestation)?)
    }

    fn is_consistent(&self) -> bool {
        self.vector.is_none_or(|vector| self.status.is_covered_by(vector.tier()))
    }
}

impl Reason {
    /// A reason without details.
    pub fn new(code: impl Into<String>) -> Self {
        Self { code: code.into(), details: BTreeMap::new() }
    }

    /// The same reason with one more detail.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }
}
