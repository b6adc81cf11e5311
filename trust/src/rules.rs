use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crypto::{Digest, HashAlgorithm};
use eat::{Category, DebugStatus, EVIDENCE_PROFILE, Tier, TrustVector, VerifiedEvidence};

use crate::{Appraised, Attester, Code, Measured, Policy, Reason, Releases, appraise::measured};

/// The longest rules, in bytes.
pub const MAX_RULES: usize = 64 << 10;

/// What names rules: SHA-256 of their text.
pub fn digest_of_rules(rules: &str) -> Digest {
    Digest::of(HashAlgorithm::Sha256, rules.as_bytes())
}

/// What rules may look at: what was measured, and what the built-in policy made of it. Nothing else is at hand, so that
/// the same evidence gives the same ruling anywhere and at any time.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// Media type or profile of the evidence.
    pub profile: &'a str,
    /// UEID of the device; empty where evidence names none.
    pub device: &'a [u8],
    /// UUID of the vendor.
    pub vendor: Option<[u8; 16]>,
    /// UUID of the device class.
    pub class: Option<[u8; 16]>,
    /// Whether it can be debugged.
    pub debug: Option<DebugStatus>,
    /// How often it has booted.
    pub bootcount: Option<u64>,
    /// Sequence number of the manifest that evidence names.
    pub sequence_number: Option<u64>,
    /// Every measured component.
    pub components: &'a [Measured],
    /// Version of the release that covers them all.
    pub version: Option<&'a str>,
    /// What the built-in policy made of it.
    pub appraised: &'a Appraised,
}

/// What rules say about one case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    /// Claims of the trustworthiness vector that the rules make.
    pub claims: Vec<(Category, i8)>,
    /// Why, in words of whoever wrote the rules.
    pub reasons: Vec<String>,
}

/// Whatever can run rules: an interpreter with limits. It is a shell's, for it takes threads, processes and time.
pub trait RulesEngine {
    /// Applies rules to a case. The same rules and case give the same ruling.
    ///
    /// # Errors
    /// In words, when rules break a limit, fail, or answer what is no ruling.
    fn rule(&mut self, rules: &str, case: &Case<'_>) -> Result<Ruling, String>;
}

/// An engine for where no policy has rules: it refuses each.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRules;

impl RulesEngine for NoRules {
    fn rule(&mut self, _: &str, _: &Case<'_>) -> Result<Ruling, String> {
        Err("this program runs no rules".to_string())
    }
}

/// Applies every rules of a policy to evidence that was appraised by its built-in part, in order. `source` gives the text
/// of rules; without it they failed.
pub fn apply_rules<'r>(
    appraised: Appraised,
    evidence: &VerifiedEvidence<'_>,
    releases: &Releases,
    policy: &Policy,
    source: &dyn Fn(&Digest) -> Option<&'r str>,
    engine: &mut dyn RulesEngine,
) -> Appraised {
    if policy.rules.is_empty() {
        return appraised;
    }
    let claims = evidence.claims();
    // What cannot be read was said to be so, and is nothing to look at.
    let components = measured(&claims.measurement).unwrap_or_default();
    let known = releases.of_class(&claims.vendor, &claims.class);
    let release = known.iter().find(|release| Some(release.manifest_digest()) == appraised.release);
    let first = appraised.clone();
    let case = Case {
        profile: EVIDENCE_PROFILE,
        device: claims.ueid.as_bytes(),
        vendor: Some(claims.vendor),
        class: Some(claims.class),
        debug: Some(claims.dbgstat),
        bootcount: Some(claims.bootcount),
        sequence_number: claims.manifest.map(|manifest| manifest.sequence_number),
        components: &components,
        version: release.map(|release| release.version()),
        appraised: &first,
    };
    apply(appraised, &case, policy, source, engine)
}

/// Applies every rules of a policy to what was made of an attester that is not enrolled. It names no vendor by UUID, and a
/// class only where its own is one.
pub fn apply_rules_to_attester<'r>(
    appraised: Appraised,
    attester: &Attester,
    media_type: &str,
    policy: &Policy,
    source: &dyn Fn(&Digest) -> Option<&'r str>,
    engine: &mut dyn RulesEngine,
) -> Appraised {
    // What is not believed says nothing that rules could look at.
    if policy.rules.is_empty() || attester.refused.is_some() {
        return appraised;
    }
    let components = attester.components();
    let first = appraised.clone();
    let case = Case {
        profile: attester.profile.as_deref().unwrap_or(media_type),
        device: attester.instance(),
        vendor: None,
        class: attester.class(),
        debug: attester.debug,
        bootcount: None,
        sequence_number: None,
        components: &components,
        version: None,
        appraised: &first,
    };
    apply(appraised, &case, policy, source, engine)
}

fn apply<'r>(
    mut appraised: Appraised,
    case: &Case<'_>,
    policy: &Policy,
    source: &dyn Fn(&Digest) -> Option<&'r str>,
    engine: &mut dyn RulesEngine,
) -> Appraised {
    for rules in &policy.rules {
        // What earlier rules said against it, later ones see.
        let version = case.version.filter(|_| appraised.release.is_some());
        let case = Case { version, appraised: &appraised, ..case.clone() };
        let ruling = match source(rules) {
            Some(source) => engine.rule(source, &case),
            None => Err("the rules are not at hand".to_string()),
        };
        appraised = constrain(appraised, rules, ruling);
    }
    appraised
}

/// Adds to an appraisal what rules made of it, or that they failed, which vouches for nothing.
///
/// Rules may say what nobody said yet, and may lower what was said; where they would raise it, they are refused: what
/// evidence does not bear out no rule makes true.
pub fn constrain(mut appraised: Appraised, rules: &Digest, ruling: Result<Ruling, String>) -> Appraised {
    let ruling = match ruling.and_then(|ruling| check(&appraised.vector, ruling)) {
        Ok(ruling) => ruling,
        Err(error) => {
            let judged: Vec<Category> = appraised
                .vector
                .iter()
                .filter(|(_, claim)| *claim != 0)
                .map(|(category, _)| category)
                .collect();
            for category in judged {
                // A contradiction that was found stays found.
                if Tier::of(appraised.vector.get(category)) != Tier::Contraindicated {
                    appraised.vector.set(category, VERIFIER_MALFUNCTION);
                }
            }
            appraised.reasons.push(Reason::new(Code::PolicyFailed).with("rules", rules).with("error", error));
            appraised.release = None;
            return appraised;
        }
    };
    let mut worst = Tier::None;
    for (category, claim) in ruling.claims {
        appraised.vector.set(category, claim);
        worst = worst.max(Tier::of(claim));
    }
    let code = match worst {
        Tier::Contraindicated => Code::PolicyRefused,
        Tier::Warning => Code::PolicyWarned,
        Tier::None | Tier::Affirming if ruling.reasons.is_empty() => return appraised,
        Tier::None | Tier::Affirming => Code::PolicyWarned,
    };
    let reason = Reason::new(code).with("rules", rules);
    let reason = match ruling.reasons.is_empty() {
        true => reason,
        false => reason.with("says", ruling.reasons.join("; ")),
    };
    appraised.reasons.push(reason);
    appraised.release = None;
    appraised
}

/// The verifier could not do its work (draft-ietf-rats-ar4si, section 2.3.2).
const VERIFIER_MALFUNCTION: i8 = -1;

/// Takes a ruling that lowers or adds.
fn check(vector: &TrustVector, ruling: Ruling) -> Result<Ruling, String> {
    for (category, claim) in &ruling.claims {
        let before = vector.get(*category);
        let rises = match (before, Tier::of(before)) {
            (0, _) => false,
            (_, Tier::None) => Tier::of(*claim) == Tier::Affirming,
            (_, tier) => Tier::of(*claim) < tier,
        };
        if rises {
            return Err(format!("{} would rise from {before} to {claim}", category.name()));
        }
    }
    Ok(ruling)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appraised(reasons: &[Code], executables: i8) -> Appraised {
        let release = Digest::of(HashAlgorithm::Sha256, b"release");
        let vector =
            TrustVector::new().with(Category::InstanceIdentity, 2).with(Category::Executables, executables);
        let reasons: Vec<Reason> = reasons.iter().map(|code| (*code).into()).collect();
        Appraised { vector, release: Some(release).filter(|_| reasons.is_empty()), reasons }
    }

    #[test]
    fn rules_add_and_lower_and_never_raise() {
        use Category::{Executables, Hardware, InstanceIdentity};
        let rules = Digest::of(HashAlgorithm::Sha256, b"rules");
        type Row<'a> = (&'a str, i8, &'a [(Category, i8)], &'a [&'a str], Option<Code>, Tier);
        let rows: [Row<'_>; 11] = [
            ("nothing to say", 2, &[], &[], None, Tier::Affirming),
            ("what nobody said", 2, &[(Hardware, 2)], &[], None, Tier::Affirming),
            ("the same tier", 2, &[(Executables, 3)], &[], None, Tier::Affirming),
            ("a warning", 2, &[(Executables, 33)], &[], Some(Code::PolicyWarned), Tier::Warning),
            (
                "a refusal",
                2,
                &[(Hardware, 97)],
                &["old board"],
                Some(Code::PolicyRefused),
                Tier::Contraindicated,
            ),
            ("a word alone", 2, &[], &["look at it"], Some(Code::PolicyWarned), Tier::Affirming),
            ("a warning lifted", 33, &[(Executables, 2)], &[], Some(Code::PolicyFailed), Tier::None),
            (
                "a refusal lifted",
                96,
                &[(Executables, 32)],
                &[],
                Some(Code::PolicyFailed),
                Tier::Contraindicated,
            ),
            ("no verdict made one", 1, &[(Executables, 2)], &[], Some(Code::PolicyFailed), Tier::None),
            ("a claim taken back", 2, &[(Executables, 0)], &[], Some(Code::PolicyFailed), Tier::None),
            (
                "one of two raised",
                96,
                &[(InstanceIdentity, 97), (Executables, 2)],
                &[],
                Some(Code::PolicyFailed),
                Tier::Contraindicated,
            ),
        ];
        for (name, executables, claims, reasons, code, tier) in rows {
            let ruling = Ruling {
                claims: claims.to_vec(),
                reasons: reasons.iter().map(ToString::to_string).collect(),
            };
            let before = appraised(&[], executables);
            let after = constrain(before.clone(), &rules, Ok(ruling));
            assert_eq!(after.reasons.last().map(|reason| reason.code), code, "{name}");
            assert_eq!(after.vector.tier(), tier, "{name}");
            assert_eq!(after.release.is_some(), code.is_none(), "{name}: {after:?}");
        }
    }

    #[test]
    fn rules_that_fail_vouch_for_nothing() {
        let rules = Digest::of(HashAlgorithm::Sha256, b"rules");
        let after = constrain(appraised(&[], 2), &rules, NoRules.rule("", &case(&appraised(&[], 2))));
        assert_eq!((after.vector.tier(), after.release), (Tier::None, None));
        assert_eq!(after.reasons[0].code, Code::PolicyFailed);
        let kept = constrain(appraised(&[Code::DigestMismatch], 96), &rules, Err("broken".to_string()));
        assert_eq!(kept.vector.get(Category::Executables), 96);
        assert_eq!(kept.reasons[0].code, Code::DigestMismatch);
    }

    /// Says what it was shown, and lowers what it has not lowered yet.
    struct Witness(Vec<String>);

    impl RulesEngine for Witness {
        fn rule(&mut self, rules: &str, case: &Case<'_>) -> Result<Ruling, String> {
            let components: Vec<&str> = case.components.iter().map(|one| one.name.as_str()).collect();
            self.0.push(format!(
                "{rules}: {} {:?} {:?} {:?} {} {} against",
                case.profile,
                case.device,
                case.class.map(|class| class[0]),
                case.debug,
                components.join("+"),
                case.appraised.reasons.len(),
            ));
            Ok(Ruling { claims: [(Category::Hardware, 97)].into(), reasons: Vec::new() })
        }
    }

    #[test]
    fn attester_that_is_not_enrolled_is_shown_as_far_as_it_tells_and_only_when_it_is_believed() {
        use corim::{Class, ClassId, Ect, Environment, Instance};
        let environment = Environment {
            class: Some(Class { id: Some(ClassId::Bytes([7; 16].into())), ..Class::default() }),
            instance: Some(Instance::Bytes([1, 2].into())),
            group: None,
        };
        let digest = |text: &str| Digest::of(HashAlgorithm::Sha256, text.as_bytes());
        let file = |name: &str| Measured { name: name.into(), digest: Some(digest(name)), size: None };
        let mut attester = Attester {
            name: "EAT".into(),
            profile: None,
            measured: Ect::evidence(environment, Vec::new(), Vec::new()),
            optional: Vec::new(),
            quoted: None,
            files: [file("app"), file("boot")].into(),
            lifecycle: None,
            binding: None,
            debug: Some(DebugStatus::Disabled),
            carried: false,
            refused: None,
        };
        let policy = Policy { rules: [digest("a"), digest("b")].into(), ..Policy::default() };
        let source = |rules: &Digest| if *rules == digest("a") { Some("a") } else { Some("b") };
        let mut witness = Witness(Vec::new());
        let before = appraised(&[], 3);
        let media = "application/eat+cwt";
        let after = apply_rules_to_attester(before.clone(), &attester, media, &policy, &source, &mut witness);
        let seen = |rules, against| {
            format!("{rules}: {media} [1, 2] Some(7) Some(Disabled) app+boot {against} against")
        };
        assert_eq!(witness.0, [seen("a", 0), seen("b", 1)]);
        let codes: Vec<Code> = after.reasons.iter().map(|reason| reason.code).collect();
        assert_eq!(codes, [Code::PolicyRefused; 2]);
        assert_eq!((after.vector.get(Category::Hardware), after.release), (97, None));

        attester.refused = Some(Code::BadEvidenceSignature.into());
        let mut witness = Witness(Vec::new());
        let kept = apply_rules_to_attester(before.clone(), &attester, media, &policy, &source, &mut witness);
        assert_eq!((kept, witness.0.len()), (before, 0));
    }

    fn case(appraised: &Appraised) -> Case<'_> {
        Case {
            profile: "",
            device: &[],
            vendor: None,
            class: None,
            debug: None,
            bootcount: None,
            sequence_number: None,
            components: &[],
            version: None,
            appraised,
        }
    }
}
