use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crypto::PublicKey;

use crate::{Nonce, Tier, TrustVector, Ueid};

/// Profile of the results made here (draft-ietf-rats-ear).
pub const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";

/// Profiles whose results are believed: the draft's two latest, and the one deployed verifiers still name.
pub(crate) const ACCEPTED_PROFILES: [&str; 3] =
    [PROFILE, "tag:ietf.org,2026:rats/ear#03", "tag:github.com,2023:veraison/ear"];

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
    /// submods (266): one appraisal or more, by the name of what was appraised.
    pub submods: BTreeMap<String, Appraisal>,
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
        if self.profile != PROFILE {
            return Err("results are made in the newest profile only");
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
            release: None,
            reasons: Vec::new(),
        }
    }

    /// The tier to rely on: the status, or none where no vector supports it.
    pub fn tier(&self) -> Tier {
        if self.vector.is_some() { self.status } else { Tier::None }
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
