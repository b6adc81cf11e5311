use alloc::{string::String, vec::Vec};

use corim::{Ect, Element, Flags, MeasuredElement, Outcome, ReleaseId, Subject, TagId};
use crypto::Digest;
use eat::{Category, DebugStatus, LifecycleState, TrustVector};

use crate::{Appraised, Attester, Beliefs, Code, KeyBinding, Policy, Reason, find_release, refuse_evidence};

/// What evidence of an attester is worth, and what endorsements add to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corroborated {
    /// What it is worth.
    pub appraised: Appraised,
    /// What endorsers say of its environment, given what it measured.
    pub endorsed: Vec<Element>,
    /// By what its key is known to be its own; none where it is not believed, or another's key answers for it.
    pub binding: Option<KeyBinding>,
}

impl Corroborated {
    /// Evidence that is refused as a whole.
    pub fn refused(reason: Reason) -> Self {
        Self { appraised: refuse_evidence(reason), endorsed: Vec::new(), binding: None }
    }
}

/// A release that covers what was measured, in the terms in which it does.
struct Judged {
    measured: Ect,
    /// None where nothing was measured, and nobody expects that anything is.
    release: Option<Digest>,
    /// What speaks against the release.
    against: Option<Reason>,
}

/// Judges what an attester measured against reference values of others and releases of the operator's own, of which one
/// must cover all of it; and adds what endorsers say of it then.
pub fn corroborate(attester: &Attester, beliefs: &Beliefs<'_>) -> Corroborated {
    if let Some(reason) = &attester.refused {
        return Corroborated::refused(reason.clone());
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

    let (value, release, measured) = match judge(attester, beliefs) {
        Ok(Judged { measured, release, against: None }) => {
            (release.map(|_| APPROVED_AT_BOOT), release, Some(measured))
        }
        Ok(Judged { measured, against: Some(against), .. }) => {
            reasons.push(against);
            (Some(OUTDATED), None, Some(measured))
        }
        Err(reason) => {
            let unknown = matches!(reason.code, Code::NoReference | Code::ReferenceExpired);
            reasons.push(reason);
            // No reference is no verdict; a contradiction to one is.
            (Some(if unknown { 1 } else { 96 }), None, None)
        }
    };
    if let Some(value) = value {
        vector = vector.with(Category::Executables, value);
    }
    if release.is_some() && (attester.lifecycle.is_some() || attester.quoted.is_some()) {
        vector = vector.with(Category::Hardware, 2);
    }
    let measured = measured.as_ref().unwrap_or(&attester.measured);
    let endorsed = match beliefs.endorsements.endorsed(measured, beliefs.now) {
        Ok(endorsed) => endorsed,
        Err(code) => {
            reasons.push(code.into());
            Vec::new()
        }
    };
    match endorsed.iter().find_map(|element| unfit(element, policy)) {
        Some(reason) => {
            vector = vector.with(Category::Configuration, 96);
            reasons.push(reason);
        }
        None if endorsed.iter().any(is_secure) && vector.get(Category::Configuration) == 0 => {
            vector = vector.with(Category::Configuration, 2);
        }
        None => {}
    }
    let release = release.filter(|_| reasons.is_empty());
    let binding = attester.binding;
    Corroborated { appraised: Appraised { vector, release, reasons }, endorsed, binding }
}

/// What an endorser says that speaks against a device in such a state.
fn unfit(element: &Element, policy: &Policy) -> Option<Reason> {
    let flags = element.values.flags.as_ref()?;
    let says = |number: u8, value: bool| flags.known.get(&number) == Some(&value);
    if says(Flags::IS_DEBUG, true) && !policy.allow_debug {
        return Some(Reason::new(Code::DebugOpen).with("component", component(element)));
    }
    let unfit = [
        (Flags::IS_SECURE, false, "not secure"),
        (Flags::IS_CONFIGURED, false, "not configured"),
        (Flags::IS_RECOVERY, true, "in recovery"),
    ];
    let (.., state) = unfit.into_iter().find(|(number, value, _)| says(*number, *value))?;
    Some(Reason::new(Code::EndorsedUnfit).with("component", component(element)).with("state", state))
}

fn is_secure(element: &Element) -> bool {
    element.values.flags.as_ref().is_some_and(|flags| flags.known.get(&Flags::IS_SECURE) == Some(&true))
}

/// Only approved executables were loaded at boot (draft-ietf-rats-ar4si, section 2.3.4): these formats measure no more.
const APPROVED_AT_BOOT: i8 = 3;

/// Recognised executables with known flaws, or that are not to be run any more.
const OUTDATED: i8 = 32;

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

/// The release that covers what was measured: of a manifest, or else of the operator's own.
fn judge(attester: &Attester, beliefs: &Beliefs<'_>) -> Result<Judged, Reason> {
    let (measured, environment) = (&attester.measured, &attester.measured.environment);
    let Some(quoted) = &attester.quoted else {
        let references = beliefs.endorsements.references();
        if attester.carried && measured.elements.is_empty() && references.about(environment).0.is_empty() {
            return Ok(Judged { measured: measured.clone(), release: None, against: None });
        }
        let judged = judge_measured(measured.clone(), attester.optional.clone(), beliefs);
        return judged.or_else(|reason| match own_release(attester, beliefs) {
            None => Err(reason),
            // What speaks against evidence is told by whoever expects something.
            Some(Err(own)) => Err(if reason.code == Code::NoReference { own } else { reason }),
            Some(Ok(judged)) if reason.code != Code::DigestDenied => Ok(judged),
            Some(Ok(_)) => Err(reason),
        });
    };
    let mut refusal = None;
    for elements in quoted.elements(environment, beliefs.endorsements)? {
        match judge_measured(Ect { elements, ..measured.clone() }, Vec::new(), beliefs) {
            Ok(judged) => return Ok(judged),
            Err(reason) => _ = refusal.get_or_insert(reason),
        }
    }
    Err(refusal.unwrap_or_else(|| Code::NoReference.into()))
}

/// The release of the operator's own that covers the files of a token. Its model must be the class of the release, which
/// manifests (SUIT) derive from vendor and model so that no two makers share one.
fn own_release(attester: &Attester, beliefs: &Beliefs<'_>) -> Option<Result<Judged, Reason>> {
    let of_class = || beliefs.releases.iter().filter(|own| attester.is_of_class(own.release.class()));
    let candidates: Vec<_> = of_class().map(|own| own.release.candidate()).collect();
    if candidates.is_empty() {
        return None;
    }
    let extra = beliefs.policy.allow_extra_components;
    let found = match find_release(&attester.files, &candidates, None, extra) {
        Ok(found) => found,
        Err(reasons) => return reasons.into_iter().next().map(Err),
    };
    let against = of_class().find(|own| own.release.manifest_digest() == found).and_then(|own| own.against);
    Some(Ok(Judged { measured: attester.measured.clone(), release: Some(found), against: against.cloned() }))
}

fn judge_measured(
    mut measured: Ect,
    mut optional: Vec<usize>,
    beliefs: &Beliefs<'_>,
) -> Result<Judged, Reason> {
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
                let release = Some(origin.ok_or_else(|| Reason::new(Code::NoReference))?);
                return Ok(Judged { measured, release, against: None });
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
pub(crate) fn digests(element: &Element) -> Vec<Digest> {
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
pub(crate) fn component(element: &Element) -> String {
    match (&element.values.name, &element.key) {
        (Some(name), _) => name.clone(),
        (None, Some(key)) => element_name(key),
        (None, None) => String::from("unnamed"),
    }
}

/// What a kind of element is called.
pub(crate) fn element_name(key: &MeasuredElement) -> String {
    match key {
        MeasuredElement::Name(name) => name.clone(),
        MeasuredElement::Number(number) => alloc::format!("{number}"),
        key => alloc::format!("{key:?}"),
    }
}

pub(crate) fn name(release: &ReleaseId) -> String {
    match &release.corim {
        TagId::Text(text) => text.clone(),
        TagId::Uuid(uuid) => uuid.iter().map(|byte| alloc::format!("{byte:02x}")).collect(),
    }
}
