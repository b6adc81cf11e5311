//! Joins signed objects into decisions: what a release promises ([`Release`]), what evidence proves ([`appraise`]), what the
//! network operator overrides ([`Override`]), and what a device may therefore reach ([`decide`]).
//!
//! Every function here is pure: it takes verified objects, policy and the time, and gives a value with its reasons. Verifier,
//! gateway and command line call the same ones. Absence is never a pass.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod access;
mod appraise;
mod attester;
mod author;
mod binding;
mod budget;
mod bundle;
mod compare;
mod compare_attester;
mod corroborate;
mod decide;
mod digest;
mod distribution;
mod endorsements;
mod flow;
mod hold;
mod known;
mod matching;
mod overlay;
mod policy;
mod quoted;
mod reason;
mod release;
mod result;
mod rules;
mod scan;
mod voucher;

#[cfg(test)]
mod tests;

// Public interface
pub use access::Access;
pub use appraise::{Appraised, References, appraise, refuse_evidence};
pub use attester::{Attester, Beliefs, EVIDENCE_MEDIA_TYPES, ForeignEvidence, OwnRelease, unwrap_evidence};
pub use author::{Brought, DraftError, DraftImage, DraftMud, ReleaseDraft};
pub use binding::{KeyBinding, ToldBinding, key_binding};
pub use budget::{Budget, Cap};
pub use bundle::{Bundle, BundleAnchors, BundledEvidence, BundledRelease, MAX_BUNDLE, Unproven, key_anchors};
pub use compare::{Against, Agreement, Chosen, Compared, Comparison, compare};
pub use compare_attester::compare_attester;
pub use corroborate::{Corroborated, corroborate};
pub use decide::{
    Broad, Decision, Inputs, Outcome, OverlayInForce, Posture, ReleaseStanding, Standing, Violation, decide,
};
pub use distribution::{Answer, MAX_ASKED, MAX_SOURCES};
pub use endorsements::{
    AttestationKey, EndorsedAuthority, EndorsedKey, Endorsements, MAX_ATTEST_KEYS, MAX_ENDORSING,
    verify_manifest,
};
pub use flow::{Flow, OVERRIDE_LIST};
pub use hold::{Hold, Restriction};
pub use known::Releases;
pub use matching::{Candidate, Expected, Measured, find_release};
pub use overlay::{
    Approval, Effect, MAX_CLASS_MEMBERS, MAX_OBSERVE_TIME, MAX_OVERRIDE_TEXT, MAX_OVERRIDE_TIME, Override,
    Scope, SignedOverride, last_words, overlay,
};
pub use policy::{MAX_DURATION, MAX_POLICY_AUTHORITIES, MAX_POLICY_RULES, MAX_POLICY_SCANS, Policy};
pub use quoted::Quoted;
pub use reason::{Code, Reason};
pub use release::{Explained, MUD_FILE, MUD_SIGNATURE, NetworkNeeds, Release, ReleaseAnchors, verify_mud};
pub use result::{Part, SUBMOD, Subject, attestation_result, attestation_result_of, device_name};
pub use rules::{
    Case, MAX_RULES, NoRules, RulesEngine, Ruling, apply_rules, apply_rules_to_attester, constrain,
    digest_of_rules,
};
pub use scan::{
    MAX_SCAN_LEN, MAX_SCAN_TEXT, MAX_SCAN_TIME, RequiredScan, Scan, SignedScan, VerifiedScan, check_scans,
};
pub use voucher::{VouchedDevice, VoucherAnchors, Vouchers, admit_voucher};
