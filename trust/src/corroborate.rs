use alloc::{string::String, vec::Vec};

use corim::{Ect, MeasuredElement, Outcome, ReleaseId, Subject, TagId};
use crypto::Digest;
use eat::{Category, DebugStatus, LifecycleState, TrustVector};

use crate::{Appraised, Attester, Beliefs, Code, Policy, Reason, refuse_evidence};

/// Judges what an attester measured against reference values of others, of which one release must cover all of it.
pub fn corroborate(attester: &Attester, beliefs: &Beliefs<'_>) -> Appraised {
    if let Some(reason) = &attester.refused {
        return refuse_evidence(reason.clone());
    }
    let policy = beliefs.policy;
    let mut vector = TrustVector::new().with(Category::InstanceIdentity, 2);
    let mut reasons = Vec::new();
    let exposed = exposed(attester, policy);
    let value = if exposed.is_some() { 96 } else { 2 };
    if attester.lifecycle.is_some() || attester.debug.is_some() {
        vector = vector.with(Category::Configuration, value);
    }
    if attester.lifecycle.is_some() {
        // What a root of trust isolates and keeps is as good as its lifecycle.
        vector = vector.with(Category::RuntimeOpaque, value).with(Category::StorageOpaque, value);
    }
    reasons.extend(exposed);

    let (value, release) = match judge(attester, beliefs) {
        Ok(release) => (release.map(|_| APPROVED_AT_BOOT), release),
        Err(reason) => {
            let unknown = matches!(reason.code, Code::NoReference | Code::ReferenceExpired);
            reasons.push(reason);
            // No reference is no verdict; a contradiction to one is.
            (Some(if unknown { 1 } else { 96 }), None)
        }
    };
    if let Some(value) = value {
        vector = vector.with(Category::Executables, value);
    }
    if release.is_some() && (attester.lifecycle.is_some() || attester.quoted.is_some()) {
        vector = vector.with(Category::Hardware, 2);
    }
    Appraised { vector, release: release.filter(|_| reasons.is_empty()), reasons }
}

/// Only approved executables were loaded at boot (draft-ietf-rats-ar4si, section 2.3.4): these formats measure no more.
const APPROVED_AT_BOOT: i8 = 3;

/// Whether somebody else may have had his hands in it.
fn exposed(attester: &Attester, policy: &Policy) -> Option<Reason> {
    let state = attester.lifecycle.map(eat::Lifecycle::state);
    match state {
        Some(state) if !state.is_trustworthy() => {
            return Some(Reason::new(Code::LifecycleNotSecured).with("lifecycle", state));
        }
        Some(LifecycleState::NonRotDebug) if !policy.allow_debug => {
            return Some(Reason::new(Code::DebugOpen).with("lifecycle", LifecycleState::NonRotDebug));
        }
        _ => {}
    }
    (attester.debug == Some(DebugStatus::Enabled) && !policy.allow_debug).then(|| Code::DebugOpen.into())
}

/// The release that covers what was measured; none where nothing was, and nobody expects that anything is.
fn judge(attester: &Attester, beliefs: &Beliefs<'_>) -> Result<Option<Digest>, Reason> {
    let environment = &attester.measured.environment;
    let Some(quoted) = &attester.quoted else {
        let references = beliefs.endorsements.references();
        if attester.carried
            && attester.measured.elements.is_empty()
            && references.about(environment).0.is_empty()
        {
            return Ok(None);
        }
        return judge_measured(attester.measured.clone(), attester.optional.clone(), beliefs).map(Some);
    };
    let mut refusal = None;
    for elements in quoted.elements(environment, beliefs.endorsements)? {
        let measured = Ect { elements, ..attester.measured.clone() };
        match judge_measured(measured, Vec::new(), beliefs) {
            Ok(release) => return Ok(Some(release)),
            Err(reason) => _ = refusal.get_or_insert(reason),
        }
    }
    Err(refusal.unwrap_or_else(|| Code::NoReference.into()))
}

fn judge_measured(
    mut measured: Ect,
    mut optional: Vec<usize>,
    beliefs: &Beliefs<'_>,
) -> Result<Digest, Reason> {
    let Beliefs { endorsements, denied, now, .. } = *beliefs;
    for element in &measured.elements {
        let digests = digests(element);
        if let Some(digest) = digests.into_iter().find(|digest| denied.contains(digest)) {
            let reason = Reason::new(Code::DigestDenied).with("digest", digest);
            return Err(reason.with("component", component(element)));
        }
    }
    loop {
        let found = endorsements
            .references()
            .appraise(core::slice::from_ref(&measured), |release| endorsements.is_valid(release, now));
        let subject = match found.outcome {
            Outcome::Match(release) => {
                let origin = endorsements.origin(&release).copied();
                return origin.ok_or_else(|| Code::NoReference.into());
            }
            Outcome::ComponentUnknown(subject) => subject,
            outcome => return Err(refusal(&outcome, &measured)),
        };
        // Nobody says anything of this element: one that grows with use, or that others chose, is then no matter.
        let Some(at) = optional.iter().position(|index| *index == subject.element) else {
            return Err(refusal(&Outcome::ComponentUnknown(subject), &measured));
        };
        optional.swap_remove(at);
        measured.elements.remove(subject.element);
        optional.iter_mut().filter(|index| **index > subject.element).for_each(|index| *index -= 1);
    }
}

/// Every digest in an element.
fn digests(element: &corim::Element) -> Vec<Digest> {
    let values = &element.values;
    let registers = values.integrity_registers.values().flatten();
    values.digests.iter().chain(registers).filter_map(corim::Digest::to_crypto).collect()
}

fn refusal(outcome: &Outcome, measured: &corim::Ect) -> Reason {
    let of = |code, subject: &Subject| {
        let Some(element) = measured.elements.get(subject.element) else { return Reason::new(code) };
        let reason = Reason::new(code).with("component", component(element));
        match digests(element).first() {
            Some(digest) => reason.with("measured", digest),
            None => reason,
        }
    };
    let release = |code, release: &ReleaseId| Reason::new(code).with("release", name(release));
    match outcome {
        Outcome::Match(_) | Outcome::NoReference => Code::NoReference.into(),
        Outcome::WrongAuthority(id) => release(Code::ReferenceExpired, id),
        Outcome::WrongSigner(subject) => of(Code::ComponentSignerMismatch, subject),
        Outcome::Mismatch(subject) => of(Code::DigestMismatch, subject),
        Outcome::ComponentUnknown(subject) => of(Code::ComponentUnknown, subject),
        Outcome::ComponentMissing(id) => release(Code::ComponentMissing, id),
        Outcome::MixedReleases => Code::MixedReleases.into(),
        Outcome::TooManyCandidates => Code::TooManyReferences.into(),
        Outcome::NothingMeasured => Code::ComponentMissing.into(),
    }
}

/// What an element is called: its own name, or what its profile calls its kind.
fn component(element: &corim::Element) -> String {
    match (&element.values.name, &element.key) {
        (Some(name), _) => name.clone(),
        (None, Some(MeasuredElement::Name(name))) => name.clone(),
        (None, Some(MeasuredElement::Number(number))) => alloc::format!("{number}"),
        (None, key) => alloc::format!("{key:?}"),
    }
}

fn name(release: &ReleaseId) -> String {
    match &release.corim {
        TagId::Text(text) => text.clone(),
        TagId::Uuid(uuid) => uuid.iter().map(|byte| alloc::format!("{byte:02x}")).collect(),
    }
}
