use alloc::{vec, vec::Vec};

use cose::Key;
use crypto::{Digest, HashAlgorithm};
use eat::{SignedResult, Ueid, VerifierId};

use super::fixture::{Device, Maker, NOW, key};
use crate::{
    Access, Approval, Bundle, BundleAnchors, BundledEvidence, BundledRelease, Code, Effect, Hold, Inputs,
    NoRules, Outcome, Override, Policy, Posture, References, Release, ReleaseStanding, Releases, Restriction,
    Scope, SignedOverride, Standing, Subject, appraise, attestation_result, decide, key_anchors,
};

struct Made {
    bundle: Bundle,
    anchors: BundleAnchors,
}

/// Attests, signs a result, decides, and keeps everything.
fn made(device: &Device, standing: Standing) -> Made {
    made_under(device, standing, Around::default())
}

/// What people did.
#[derive(Default)]
struct Around {
    hold: Option<Hold>,
    /// Whether the releases ask for much.
    broad: bool,
    /// Signed approvals of the first of them.
    approved: bool,
    all_approved: bool,
}

const OPERATOR: u8 = 5;

fn approval(release: Digest, signer: u8) -> Vec<u8> {
    let content = Override {
        id: [7; 16],
        scope: Scope::Site,
        effect: Effect::Approve(Approval { release, file: None }),
        author: "Nadia".into(),
        reason: "read it".into(),
        not_before: NOW,
        expires: NOW + 100,
    };
    content.sign(&key(signer))
}

/// The same with what people did.
fn made_under(device: &Device, standing: Standing, around: Around) -> Made {
    let Around { hold, broad, approved, all_approved } = around;
    let maker = Maker::new();
    let release = |version: &str, number, app: &[u8]| match broad {
        true => {
            let envelope = maker.sign(&maker.broad_draft(version, number, app));
            Release::accept(&envelope, &maker.anchors(), NOW).unwrap()
        }
        false => maker.release(version, number, app),
    };
    let releases = [release("1.0.0", 1, b"app one"), release("1.1.0", 2, b"app two")];
    let overrides: Vec<Vec<u8>> =
        approved.then(|| approval(releases[0].manifest_digest(), OPERATOR)).into_iter().collect();
    let policy = Policy::default();
    let verifier = key(20);
    let operator = Key::from_public(key(OPERATOR).public_key());
    let anchors = key_anchors(&[Key::from_public(verifier.public_key())], &[operator]);
    let known = Releases::of(releases.iter().cloned());
    let references = References { releases: &known, without: &[], denied: &[], tampered: None };
    device.attest(|evidence| {
        let appraised = appraise(evidence, &references, &policy);
        let claims = evidence.claims();
        let subject = Subject {
            ueid: claims.ueid.clone(),
            key: Some(key(8).public_key().clone()),
            nonce: Some(claims.nonce.clone()),
        };
        let kid = cose::thumbprint(verifier.public_key(), HashAlgorithm::Sha256);
        let id = VerifierId { developer: "sextant".into(), build: "test".into() };
        let bytes = attestation_result(&appraised, &subject, &policy, id, NOW)
            .sign_cwt(&verifier, kid.as_bytes())
            .unwrap();
        let verified = SignedResult::decode_cwt(&bytes).unwrap().verify(&anchors, NOW, None).unwrap();
        assert!(verified.is_bound_to(&Ueid::new(&[1; 17]).unwrap(), key(8).public_key()));
        let outcome = Outcome::of(&verified);
        assert_eq!((outcome.release, &outcome.reasons), (appraised.release, &appraised.reasons));
        let standings: Vec<_> = releases
            .iter()
            .map(|release| ReleaseStanding::of(release, standing.clone(), all_approved))
            .collect();
        let overlays: Vec<_> = overrides
            .iter()
            .map(|bytes| SignedOverride::verify(bytes, &anchors).unwrap().overlay())
            .collect();
        let decision = decide(&Inputs {
            device: &[1; 17],
            outcome: Some(&outcome),
            releases: &standings,
            overlays: &overlays,
            violations: &[],
            hold: hold.as_ref(),
            spared: false,
            policy: &policy,
            now: NOW + 5,
        });
        let bundled = releases.iter().map(|release| BundledRelease {
            envelope: release.without_images(),
            accepted_at: NOW - 100,
            standing: standing.clone(),
        });
        let bundle = Bundle {
            device: vec![1; 17],
            decision: decision.encode(),
            policy: policy.encode(),
            now: NOW + 5,
            result: Some(bytes.clone()),
            evidence: Some(BundledEvidence {
                evidence: evidence.as_bytes().to_vec(),
                nonce: claims.nonce.as_bytes().to_vec(),
                key: Key::from_public(key(8).public_key()).encode(),
            }),
            releases: bundled.collect(),
            hold: hold.clone(),
            overrides: overrides.clone(),
            all_approved,
            ..Bundle::default()
        };
        let authorities = maker.anchors().authorities;
        Made { bundle, anchors: BundleAnchors { authorities, mud_issuers: vec![], keys: anchors.clone() } }
    })
}

#[test]
fn whoever_has_the_objects_makes_the_same_decision() {
    let rows = [
        (Device::running(b"app one"), Standing::Current, Posture::Trusted, Access::Release),
        (
            Device::running(b"app one"),
            Standing::Revoked { why: "leak".into() },
            Posture::Outdated,
            Access::UpdateOnly,
        ),
        (Device::running(b"evil"), Standing::Current, Posture::Untrusted, Access::UpdateOnly),
        (
            Device { class: "smart-plug", ..Device::running(b"app one") },
            Standing::Current,
            Posture::Unknown,
            Access::UpdateOnly,
        ),
    ];
    for (device, standing, posture, access) in rows {
        let made = made(&device, standing);
        let bundle = Bundle::decode(&made.bundle.encode()).unwrap();
        assert_eq!(bundle, made.bundle);
        let decision = bundle.verify(&made.anchors, &mut NoRules).unwrap();
        assert_eq!((decision.posture, decision.access), (posture, access));
    }
}

#[test]
fn a_persons_restriction_is_part_of_the_proof() {
    let device = Device::running(b"app one");
    let hold = |restriction| Hold { restriction, person: "Nadia".into(), why: "odd".into(), until: None };
    let rows = [
        (Restriction::Ejected, Access::Ejected, Code::OperatorEjection),
        (Restriction::Blocked, Access::Blocked, Code::OperatorBlock),
        (Restriction::UpdateOnly, Access::UpdateOnly, Code::OperatorQuarantine),
        (Restriction::Restricted, Access::Restricted, Code::OperatorRestriction),
    ];
    for (restriction, access, code) in rows {
        let around = Around { hold: Some(hold(restriction)), ..Around::default() };
        let Made { bundle, anchors } = made_under(&device, Standing::Current, around);
        let bundle = Bundle::decode(&bundle.encode()).unwrap();
        let decision = bundle.verify(&anchors, &mut NoRules).unwrap();
        assert_eq!((decision.access, decision.reasons[0].code), (access, code));
        let other = rows.iter().find(|(other, ..)| *other != restriction).map(|(other, ..)| hold(*other));
        for changed in [None, other] {
            let changed = Bundle { hold: changed, ..bundle.clone() };
            assert_eq!(changed.verify(&anchors, &mut NoRules).unwrap_err().part, "decision");
        }
    }
}

#[test]
fn an_approval_is_part_of_the_proof() {
    let device = Device::running(b"app one");
    let rows = [
        (false, false, Access::UpdateOnly, vec![Code::MudNeedsApproval]),
        (true, false, Access::Release, vec![]),
        (false, true, Access::Release, vec![]),
    ];
    for (approved, all_approved, access, codes) in rows {
        let around = Around { broad: true, approved, all_approved, hold: None };
        let Made { bundle, anchors } = made_under(&device, Standing::Current, around);
        let bundle = Bundle::decode(&bundle.encode()).unwrap();
        let decision = bundle.verify(&anchors, &mut NoRules).unwrap();
        let found: Vec<Code> = decision.reasons.iter().map(|reason| reason.code).collect();
        assert_eq!((decision.posture, decision.access, found), (Posture::Trusted, access, codes));
        let changed = Bundle { all_approved: !all_approved, ..bundle.clone() };
        assert!(changed.verify(&anchors, &mut NoRules).is_err(), "approved {approved}, all {all_approved}");
        // Taken out, or by somebody else.
        let release = decision.release.unwrap();
        let stranger = Bundle { overrides: vec![approval(release, 9)], ..bundle.clone() };
        assert_eq!(stranger.verify(&anchors, &mut NoRules).unwrap_err().part, "override");
        let without = Bundle { overrides: vec![], ..bundle.clone() };
        assert_eq!(without.verify(&anchors, &mut NoRules).is_ok(), !approved);
    }
}

#[test]
fn a_bundle_with_any_part_changed_proves_nothing() {
    let Made { bundle, anchors } = made(&Device::running(b"app one"), Standing::Current);
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let at = bytes.len() - 1;
        bytes[at] ^= 1;
        bytes
    };
    let foreign = made(&Device::running(b"app two"), Standing::Current).bundle;
    let evidence = bundle.evidence.clone().unwrap();
    let rows: Vec<(Bundle, &str)> = vec![
        (Bundle { decision: flipped(&bundle.decision), ..bundle.clone() }, "decision"),
        (Bundle { now: bundle.now + 1, ..bundle.clone() }, "decision"),
        (Bundle { device: vec![2; 17], ..bundle.clone() }, "result"),
        (Bundle { result: bundle.result.as_deref().map(flipped), ..bundle.clone() }, "result"),
        (Bundle { result: foreign.result.clone(), ..bundle.clone() }, "result"),
        (Bundle { evidence: None, ..bundle.clone() }, "evidence"),
        (
            Bundle {
                evidence: Some(BundledEvidence { evidence: flipped(&evidence.evidence), ..evidence.clone() }),
                ..bundle.clone()
            },
            "evidence",
        ),
        (
            Bundle {
                evidence: Some(BundledEvidence { nonce: vec![0; 16], ..evidence.clone() }),
                ..bundle.clone()
            },
            "evidence",
        ),
        (Bundle { releases: vec![], ..bundle.clone() }, "result"),
        (
            Bundle {
                releases: bundle
                    .releases
                    .iter()
                    .map(|release| BundledRelease {
                        standing: Standing::Revoked { why: "x".into() },
                        ..release.clone()
                    })
                    .collect(),
                ..bundle.clone()
            },
            "decision",
        ),
        (
            Bundle { policy: Policy { allow_debug: true, ..Policy::default() }.encode(), ..bundle.clone() },
            "decision",
        ),
    ];
    for (index, (changed, part)) in rows.iter().enumerate() {
        assert_eq!(
            changed.verify(&anchors, &mut NoRules).map(|_| ()).unwrap_err().part,
            *part,
            "row {index}"
        );
    }
    let stranger =
        BundleAnchors { keys: key_anchors(&[Key::from_public(key(21).public_key())], &[]), ..anchors };
    assert_eq!(bundle.verify(&stranger, &mut NoRules).map(|_| ()).unwrap_err().part, "result");
}

#[test]
fn a_result_never_affirms_with_a_reason_beside_it() {
    let device = Device { class: "smart-plug", ..Device::running(b"app one") };
    let bundle = made(&device, Standing::Current).bundle;
    let result = bundle.result.unwrap();
    let signed = SignedResult::decode_cwt(&result).unwrap();
    assert_eq!(signed.unverified().tier(), eat::Tier::Warning);
}
