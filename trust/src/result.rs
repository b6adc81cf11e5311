use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};

use cbor::{MapBuilder, Writer};
use corim::{Element, Svn};
use crypto::{Digest, HashAlgorithm, PublicKey};
use eat::{
    Appraisal, AttestationResult, ClaimKey, EVIDENCE_PROFILE, Nonce, Reason as ResultReason, Tier, Ueid,
    VerifiedResult, VerifierId,
};

use crate::{Appraised, Code, KeyBinding, Outcome, Policy, Reason, corroborate::element_name};

/// Name of the one appraisal in a result: the device as a whole.
pub const SUBMOD: &str = "device";

/// Who attested what, as far as a result repeats it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The device.
    pub ueid: Ueid,
    /// The key that signed the evidence; none when no key is known, or the signature failed.
    pub key: Option<PublicKey>,
    /// The nonce found in the evidence.
    pub nonce: Option<Nonce>,
}

/// What was made of one attester in evidence.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Its name in the result.
    pub name: &'a str,
    /// The profile of its evidence, if that names one.
    pub profile: Option<&'a str>,
    /// What its evidence is worth.
    pub appraised: &'a Appraised,
    /// The policy by which it was judged.
    pub policy: &'a Policy,
    /// What endorsers say of it.
    pub endorsed: &'a [Element],
    /// What binds the key to it that signed its evidence; nothing where it is an enrolled device, or not believed.
    pub binding: Option<KeyBinding>,
}

/// The claim of a result with what endorsers say: an array of maps, each of an element, with texts for keys.
const ENDORSED: &str = "sextant_endorsed";

/// How many elements of endorsements one appraisal repeats.
const MAX_ENDORSED: usize = 64;

/// What flags are called (draft-ietf-rats-corim, flags-map), by their numbers.
const FLAGS: [&str; 11] = [
    "configured",
    "secure",
    "recovery",
    "debug",
    "replay-protected",
    "integrity-protected",
    "runtime-measured",
    "immutable",
    "tcb",
    "confidentiality-protected",
    "runtime-updatable",
];

/// Puts an appraisal of a device as a whole into a result for signing (draft-ietf-rats-ear). It is good for as long as
/// policy says.
pub fn attestation_result(
    appraised: &Appraised,
    subject: &Subject,
    policy: &Policy,
    verifier: VerifierId,
    now: i64,
) -> AttestationResult {
    let part = Part {
        name: SUBMOD,
        profile: Some(EVIDENCE_PROFILE),
        appraised,
        policy,
        endorsed: &[],
        binding: None,
    };
    attestation_result_of(&[part], subject, policy.result_lifetime, verifier, now)
}

/// Puts the appraisals of all that attested into one result. `lifetime` is in seconds.
pub fn attestation_result_of(
    parts: &[Part<'_>],
    subject: &Subject,
    lifetime: i64,
    verifier: VerifierId,
    now: i64,
) -> AttestationResult {
    let mut result = AttestationResult::new(verifier, now, now.saturating_add(lifetime));
    result.ueid = Some(subject.ueid.clone());
    result.confirmation.clone_from(&subject.key);
    for Part { name, profile, appraised, policy, endorsed, binding } in parts {
        let reasons = appraised.reasons.iter().map(|reason| ResultReason {
            code: reason.code.as_str().to_owned(),
            details: reason.detail.iter().cloned().collect(),
        });
        let vector = appraised.vector;
        let appraisal = Appraisal {
            status: appraised.tier(),
            policy_ids: [format!("urn:sextant:policy:{}", policy.digest())].into(),
            nonce: subject.nonce.clone(),
            profile: profile.map(ToOwned::to_owned),
            release: appraised.release.map(|release| release.as_bytes().to_vec()),
            reasons: reasons.collect(),
            // In the order of their encodings, as they come back from CBOR.
            verifier_claims: endorsed_claim(endorsed)
                .into_iter()
                .chain(binding.map(KeyBinding::claim))
                .collect(),
            ..Appraisal::new(vector)
        };
        result.submods.insert((*name).to_owned(), appraisal);
    }
    result
}

/// What endorsers say, as a claim of the verifier. Values without a plain form are left out.
fn endorsed_claim(endorsed: &[Element]) -> Option<(ClaimKey, Vec<u8>)> {
    if endorsed.is_empty() {
        return None;
    }
    let value = Writer::encode(|w| {
        let endorsed = endorsed.get(..MAX_ENDORSED).unwrap_or(endorsed);
        w.array(endorsed.len());
        for Element { key, values } in endorsed {
            let mut map = MapBuilder::new();
            let mut text = |name: &str, value: Option<String>| {
                if let Some(value) = value {
                    map.text(name, |w| _ = w.text(&value));
                }
            };
            text("element", key.as_ref().map(element_name));
            text("name", values.name.clone());
            text("version", values.version.as_ref().map(|version| version.version.clone()));
            text("serial-number", values.serial_number.clone());
            let digest = values.digests.iter().find_map(corim::Digest::to_crypto);
            text("digest", digest.map(|digest| digest.to_string()));
            if let Some(Svn::Bare(svn) | Svn::Exact(svn)) = values.svn {
                map.text("svn", |w| _ = w.uint(svn));
            }
            for (number, set) in values.flags.iter().flat_map(|flags| &flags.known) {
                if let Some(name) = FLAGS.get(usize::from(*number)) {
                    map.text(name, |w| _ = w.bool(*set));
                }
            }
            map.write(w);
        }
    });
    Some((ClaimKey::Text(ENDORSED.to_owned()), value))
}

impl Outcome {
    /// What a verified result says about the device, for [`crate::decide`].
    pub fn of(result: &VerifiedResult<'_>) -> Self {
        let content = result.result();
        let appraisal = content.submods.get(SUBMOD);
        // Manifest digests are named by their bytes; releases are digested with SHA-256.
        let release = appraisal
            .and_then(|appraisal| appraisal.release.as_deref())
            .and_then(|bytes| Digest::new(HashAlgorithm::Sha256, bytes));
        let reasons =
            appraisal.map_or_else(Vec::new, |appraisal| appraisal.reasons.iter().map(reason).collect());
        Self {
            object: Digest::of(HashAlgorithm::Sha256, result.as_bytes()),
            tier: if appraisal.is_some() { result.tier() } else { Tier::None },
            release,
            reasons,
            issued: content.issued_at,
            // A result without an end is as old as policy lets it get.
            expires: content.expires_at.unwrap_or(i64::MAX),
        }
    }
}

/// A reason as a result carries it. A code that is not known here is still a reason.
fn reason(found: &ResultReason) -> Reason {
    let mut reason = match Code::from_text(&found.code) {
        Some(code) => Reason::new(code),
        None => Reason::new(Code::NotAffirmed).with("code", &found.code),
    };
    for (name, value) in &found.details {
        reason = reason.with(name, value);
    }
    reason
}

/// Name of a device for people and interfaces: its UEID in lower-case hexadecimal digits.
pub fn device_name(ueid: &[u8]) -> String {
    ueid.iter().map(|byte| format!("{byte:02x}")).collect()
}
