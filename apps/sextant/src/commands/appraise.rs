//! Appraisal without a server: evidence of any form against releases, manifests and tags at hand.

use std::path::{Path, PathBuf};

use ::eat::{AttestationResult, Evidence, Nonce, Ueid, VerifierId};
use clap::Args;
use corim::{Anchors, Comid, Corim, CoswidTriple, Environment, TagIdentity, Triples};
use cose::{Purpose, TrustAnchors};
use crypto::PublicKey;
use rules::Sandbox;
use trust::{
    Attester, Beliefs, Code, Compared, Comparison, Corroborated, Endorsements, KeyBinding, Measured,
    OwnRelease, Part, Policy, Reason, References, Release, ReleaseAnchors, Releases, SUBMOD, Subject,
    apply_rules, apply_rules_to_attester, attestation_result, attestation_result_of, corroborate,
    digest_of_rules, refuse_evidence, verify_manifest,
};
use x509::Certificate;

use crate::{
    clock,
    commands::{authority, coswid::chain, eat, policy, up},
    detect::Parts,
    evidence::{self, Unwrapped},
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    node::{Map, Node},
    printer::{Printer, Verdict},
    show,
};

#[derive(Debug, Args)]
pub(crate) struct Appraise {
    #[command(flatten)]
    presented: eat::Presented,
    /// Public key of the device or of a part of it, in any form; repeatable. Manifests may name others
    #[arg(long = "key", value_name = "PUB")]
    keys: Vec<PathBuf>,
    /// What the evidence is held against: a release (SUIT envelope), a manifest (CoRIM) or a tag (CoSWID); repeatable
    #[arg(long = "reference", value_name = "FILE", required = true)]
    references: Vec<PathBuf>,
    /// Authority list that says whose releases count
    #[arg(long, value_name = "LIST")]
    authorities: Option<PathBuf>,
    /// Public key that may sign manifests and tags, in any form; repeatable
    #[arg(long = "endorser-key", value_name = "PUB")]
    endorsers: Vec<PathBuf>,
    /// Certificate from which that of a manifest's signer may descend; repeatable
    #[arg(long = "endorser-ca", value_name = "CERT")]
    endorser_authorities: Vec<PathBuf>,
    /// Believe manifests and tags that nobody signed, by your own word
    #[arg(long)]
    trust_unsigned: bool,
    /// Appraisal policy in its CBOR form; the default one without it
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Rules in Rego that judge besides the policy, in this order; repeatable
    #[arg(long = "rules", value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Private key to sign the result with
    #[arg(long, value_name = "KEY", requires = "output")]
    ear_key: Option<PathBuf>,
    /// Sign the JSON form (JWT) instead of the CBOR form (CWT)
    #[arg(long, requires = "ear_key")]
    jwt: bool,
    /// Where to write the signed result
    #[arg(short, long, value_name = "FILE", requires = "ear_key")]
    output: Option<PathBuf>,
}

/// What is known of devices: what was believed of the references.
#[derive(Default)]
struct Known {
    releases: Vec<Release>,
    endorsements: Endorsements,
    /// Tags, which tell nothing of whose they are: whoever names them says it is the device.
    tags: Vec<coswid::Tag>,
    has_manifests: bool,
}

/// By what it is judged.
struct Criteria {
    policy: Policy,
    rules: Vec<String>,
    engine: Sandbox,
    now: i64,
}

/// What came of it.
struct Judged {
    result: AttestationResult,
    reason: Option<Reason>,
    /// Each component of each part, with what is expected of it.
    components: Vec<(String, Vec<Map>)>,
}

pub(crate) fn run(command: &Appraise, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.presented.file)?.binary();
    let mut criteria = Criteria::read(command)?;
    let known = Known::read(command, criteria.now, printer)?;
    let keys = KeyFile::read_public(&command.keys)?;
    eat::warn_without_nonce(&command.presented, printer);
    let judged = match eat::ours(&input) {
        // What the server does for devices that are enrolled.
        Some(evidence) if !known.has_manifests && known.tags.is_empty() => {
            judge_ours(&evidence, command, known, &keys, &mut criteria)?
        }
        _ => judge_any(&input, command, known, &keys, &mut criteria)?,
    };
    if let (Some(path), Some(output)) = (&command.ear_key, &command.output) {
        sign(&judged.result, path, output, command.jwt, printer)?;
    }
    let components = judged.components.into_iter();
    let components = components.fold(Map::new(), |map, (part, rows)| map.unless_empty(&part, rows));
    let facts = show::ear::tree(&judged.result, Parts::CLOSED).unless_empty("components", components);
    let verdict = match &judged.reason {
        None => Verdict::yes("the evidence matches what is expected"),
        Some(reason) => Verdict::no(reason.code.as_str(), reason),
    };
    Ok(printer.answer(verdict.with(facts)))
}

impl Criteria {
    fn read(command: &Appraise) -> Result<Self, Failure> {
        let policy = match &command.policy {
            Some(path) => policy::read(path)?,
            None => Policy::default(),
        };
        let mut engine = Sandbox::new(up::rules_worker()?);
        let mut rules = Vec::new();
        for path in &command.rules {
            let input = Input::read(path)?;
            let text =
                String::from_utf8(input.bytes.clone()).map_err(|error| input.failure("not text", &error))?;
            engine.check(&text).map_err(|error| Failure::new(format!("{}: {error}", input.name)))?;
            rules.push(text);
        }
        let named = rules.iter().map(|text| digest_of_rules(text));
        let policy = Policy { rules: policy.rules.iter().copied().chain(named).collect(), ..policy };
        Ok(Self { policy, rules, engine, now: clock::now() })
    }
}

impl Known {
    /// Reads references. One that is not believed gives no expected values, and that is said.
    fn read(command: &Appraise, now: i64, printer: &Printer) -> Result<Self, Failure> {
        let authorities = command.authorities.as_deref().map(authority::read).transpose()?;
        let anchors = authorities.map(|authorities| ReleaseAnchors { authorities, mud_issuers: Vec::new() });
        let keys = KeyFile::read_public(&command.endorsers)?;
        let endorsers = Endorsers {
            manifests: keys::anchors(&keys, Purpose::Corim),
            tags: keys::anchors(&keys, Purpose::Swid),
            issuers: keys::read_all_certificates(&command.endorser_authorities)?,
            unsigned: command.trust_unsigned,
        };
        let mut known = Self::default();
        for path in &command.references {
            let input = Input::read(path)?.binary();
            let believed = match (corim::Received::decode(&input.bytes), &anchors) {
                (Ok(_), _) => known.manifest(&input, &endorsers, now),
                _ if coswid::Received::decode(&input.bytes).is_ok() => known.tag(&input, &endorsers),
                (Err(_), Some(anchors)) => {
                    Release::accept(&input.bytes, anchors, now).map(|release| known.releases.push(release))
                }
                (Err(error), None) if suit::Envelope::decode(&input.bytes).is_err() => {
                    let what = "neither a release, nor a manifest, nor a tag";
                    return Err(input.failure(what, &error));
                }
                (Err(_), None) => {
                    return Err(Failure::new(format!("{} is a release", input.name))
                        .help("say with --authorities whose releases count"));
                }
            };
            if let Err(reason) = believed {
                printer.warning(format!("{} gives no expected values: {reason}", input.name));
            }
        }
        Ok(known)
    }

    fn manifest(&mut self, input: &Input, endorsers: &Endorsers, now: i64) -> Result<(), Reason> {
        self.has_manifests = true;
        let anchors = Anchors { keys: &endorsers.manifests, issuers: &endorsers.issuers };
        let bringer = endorsers.unsigned.then_some("the command line");
        self.endorsements.add(verify_manifest(&input.bytes, anchors, bringer, now)?);
        Ok(())
    }

    fn tag(&mut self, input: &Input, endorsers: &Endorsers) -> Result<(), Reason> {
        let refused =
            |error: &coswid::Error| Reason::new(Code::BadManifestSignature).with("error", chain(error));
        match coswid::Received::decode(&input.bytes) {
            Ok(coswid::Received::Signed(tag)) => {
                let verified = tag.verify(&endorsers.tags).map_err(|error| refused(&error))?;
                self.tags.push(verified.tag().clone());
            }
            Ok(coswid::Received::Unsigned(tag)) if endorsers.unsigned => self.tags.push(tag),
            Ok(coswid::Received::Unsigned(_)) => return Err(Code::UnsignedManifest.into()),
            Err(error) => return Err(refused(&error)),
        }
        Ok(())
    }

    /// Takes every tag for one release of the environment that attests.
    fn expect_tags_of(&mut self, attester: &Attester, now: i64) -> Result<(), Reason> {
        let told = &attester.measured.environment;
        let environment = match &told.class {
            Some(_) => Environment { class: told.class.clone(), ..Environment::default() },
            None => Environment { instance: told.instance.clone(), ..Environment::default() },
        };
        if environment.is_empty() {
            return Ok(());
        }
        for tag in &self.tags {
            let id = match tag.tag_id() {
                coswid::TagId::Text(text) => corim::TagId::Text(text.clone()),
                coswid::TagId::Uuid(uuid) => corim::TagId::Uuid(*uuid),
            };
            let triple = CoswidTriple { environment: environment.clone(), tags: vec![id.clone()] };
            let triples = Triples { coswid: vec![triple], ..Triples::default() };
            let comid = Comid::new(TagIdentity { id: id.clone(), version: 0 }, triples);
            let tags = vec![corim::Tag::Comid(comid), corim::Tag::Coswid(tag.as_bytes().to_vec())];
            let unfit = |error| Reason::new(Code::MalformedObject).with("error", chain(&error));
            let manifest = Corim::new(id, tags).build().map_err(unfit)?;
            let nobody = TrustAnchors::new(Vec::new());
            let anchors = Anchors { keys: &nobody, issuers: &[] };
            self.endorsements.add(verify_manifest(&manifest, anchors, Some("the command line"), now)?);
        }
        Ok(())
    }
}

/// Who may say what is expected.
struct Endorsers {
    manifests: TrustAnchors,
    tags: TrustAnchors,
    issuers: Vec<Certificate>,
    unsigned: bool,
}

/// Evidence of this product's profile against releases alone.
fn judge_ours(
    evidence: &Evidence<'_>,
    command: &Appraise,
    known: Known,
    keys: &[PublicKey],
    criteria: &mut Criteria,
) -> Result<Judged, Failure> {
    let nonce = evidence.nonce().clone();
    let expected = command.presented.nonce.clone().unwrap_or_else(|| nonce.clone());
    let releases = Releases::of(known.releases);
    let mut found = Err(Reason::new(Code::UnknownDevice));
    for key in keys {
        found = evidence.clone().verify(key, &expected).map(|verified| (verified, key)).map_err(|error| {
            let code = Code::from_text(eat::code(&error)).unwrap_or(Code::MalformedEvidence);
            Reason::new(code).with("error", chain(&error))
        });
        if found.is_ok() {
            break;
        }
    }
    let Criteria { policy, rules, engine, now } = criteria;
    let references = References { releases: &releases, without: &[], denied: &[], tampered: None };
    let (appraised, key, components) = match found {
        Ok((evidence, key)) => {
            let appraised = trust::appraise(&evidence, &references, policy);
            let source = |digest: &crypto::Digest| source(rules, digest);
            let appraised = apply_rules(appraised, &evidence, &releases, policy, &source, engine);
            // What cannot be read was said to be so, and has no components.
            let compared = trust::compare(&evidence, &references, policy);
            (appraised, Some(key.clone()), compared.map(side_by_side).unwrap_or_default())
        }
        Err(reason) => (refuse_evidence(reason), None, Vec::new()),
    };
    let subject = Subject { ueid: evidence.ueid().clone(), key, nonce: Some(nonce) };
    let mut result = attestation_result(&appraised, &subject, policy, verifier(), *now);
    result.nonce.clone_from(&command.presented.nonce);
    let reason = appraised.reasons.into_iter().next();
    Ok(Judged { result, reason, components: vec![(SUBMOD.to_owned(), components)] })
}

/// Evidence of any form, as the server judges that of devices which are not enrolled.
fn judge_any(
    input: &Input,
    command: &Appraise,
    mut known: Known,
    keys: &[PublicKey],
    criteria: &mut Criteria,
) -> Result<Judged, Failure> {
    let unwrapped = Unwrapped::new(input, command.presented.media_type.as_ref())?;
    let authorities = keys::read_all_certificates(&command.presented.attester_authorities)?;
    let Criteria { policy, rules, engine, now } = criteria;
    let media_type = unwrapped.media_type();
    let read = unwrapped.read();
    let nonce = read.as_ref().ok().and_then(evidence::nonce);
    let expected: Option<Nonce> = command.presented.nonce.clone().or_else(|| nonce.clone());
    let releases = std::mem::take(&mut known.releases);
    let own: Vec<OwnRelease<'_>> =
        releases.iter().map(|release| OwnRelease { release, against: None }).collect();
    let beliefs = Beliefs {
        endorsements: &known.endorsements,
        releases: &own,
        authorities: &authorities,
        keys,
        denied: &[],
        components: command.presented.measured_components,
        policy,
        now: *now,
    };
    let attesters = match (read, expected) {
        (Ok(evidence), Some(expected)) => evidence.verify(&beliefs, &expected),
        (Ok(_), None) => Err(Code::ReplayedNonce.into()),
        (Err(reason), _) => Err(reason),
    };
    let mut judged: Vec<JudgedPart> = Vec::new();
    let mut components = Vec::new();
    let believed = attesters.is_ok();
    match attesters {
        Err(reason) => {
            let nothing = Corroborated { appraised: refuse_evidence(reason), endorsed: Vec::new() };
            judged.push(JudgedPart { name: SUBMOD.to_owned(), profile: None, found: nothing, binding: None });
        }
        Ok(attesters) => {
            for attester in &attesters {
                let expecting = known.expect_tags_of(attester, *now);
                expecting
                    .map_err(|reason| Failure::new(format!("a tag gives no expected values: {reason}")))?;
            }
            for attester in attesters {
                let beliefs = Beliefs {
                    endorsements: &known.endorsements,
                    releases: &own,
                    authorities: &authorities,
                    keys,
                    denied: &[],
                    components: command.presented.measured_components,
                    policy,
                    now: *now,
                };
                let Corroborated { appraised, endorsed } = corroborate(&attester, &beliefs);
                let source = |digest: &crypto::Digest| source(rules, digest);
                let appraised =
                    apply_rules_to_attester(appraised, &attester, &media_type, policy, &source, engine);
                let mut expected = known.endorsements.expected(&attester.measured.environment);
                let is_of_class = |release: &&Release| attester.is_of_class(release.class());
                expected.extend(releases.iter().filter(is_of_class).map(of_release));
                components.push((attester.name.clone(), compared(&attester.components(), &expected)));
                let found = Corroborated { appraised, endorsed };
                let Attester { name, profile, binding, .. } = attester;
                judged.push(JudgedPart { name, profile, found, binding });
            }
        }
    }
    let parts: Vec<Part<'_>> = judged.iter().map(|judged| judged.part(policy)).collect();
    let nobody = Ueid::new(&[0; Ueid::MIN_LEN]).expect("a UEID of the shortest length is one");
    let subject = Subject { ueid: nobody, key: None, nonce: nonce.filter(|_| believed) };
    let mut result = attestation_result_of(&parts, &subject, policy.result_lifetime, verifier(), *now);
    // No gateway is to take this for a device of its own.
    result.ueid = None;
    result.nonce.clone_from(&command.presented.nonce);
    let found = judged.iter().flat_map(|judged| &judged.found.appraised.reasons).next().cloned();
    Ok(Judged { result, reason: found, components })
}

/// What was made of one part that attests.
struct JudgedPart {
    name: String,
    profile: Option<String>,
    found: Corroborated,
    binding: Option<KeyBinding>,
}

impl JudgedPart {
    fn part<'j>(&'j self, policy: &'j Policy) -> Part<'j> {
        let Corroborated { appraised, endorsed } = &self.found;
        let (name, profile) = (&self.name, self.profile.as_deref());
        Part { name, profile, appraised, policy, endorsed, binding: self.binding }
    }
}

fn source<'r>(rules: &'r [String], digest: &crypto::Digest) -> Option<&'r str> {
    rules.iter().map(String::as_str).find(|text| digest_of_rules(text) == *digest)
}

fn verifier() -> VerifierId {
    VerifierId { developer: "sextant".into(), build: env!("CARGO_PKG_VERSION").into() }
}

/// Each component as measured and as the one release expects it that matches or comes nearest.
fn side_by_side(found: Comparison) -> Vec<Map> {
    let against = found.against.as_ref();
    let row = |row: &Compared| {
        let expected = row.expected.as_ref();
        let measured = row.measured.as_ref().and_then(|measured| measured.digest);
        Map::new()
            .with("component", row.name.as_str())
            .maybe("measured", measured.map(Node::shown))
            .maybe("expected", expected.map(|expected| Node::shown(expected.digest)))
            .maybe("release", against.filter(|_| expected.is_some()).map(|against| against.version.as_str()))
            .with("verdict", row.agreement.as_str())
    };
    found.components.iter().map(row).collect()
}

fn of_release(release: &Release) -> (String, Vec<Measured>) {
    let components = release.expected().iter().map(|expected| Measured {
        name: expected.name.clone(),
        digest: Some(expected.digest),
        size: expected.size,
    });
    (format!("{} {}", release.name(), release.version()), components.collect())
}

/// What was measured beside what each source of expected values expects, and what only that knows.
fn compared(measured: &[Measured], expected: &[(String, Vec<Measured>)]) -> Vec<Map> {
    let mut names: Vec<&str> = Vec::new();
    let known = expected.iter().flat_map(|(_, components)| components);
    for component in measured.iter().chain(known) {
        if !names.contains(&component.name.as_str()) {
            names.push(&component.name);
        }
    }
    let of = |components: &[Measured], name: &str| -> Vec<Node> {
        let named = components.iter().filter(|component| component.name == name);
        named.map(|component| component.digest.map_or(Node::Null, Node::shown)).collect()
    };
    let row = |name: &&str| {
        let each = expected
            .iter()
            .fold(Map::new(), |map, (release, components)| map.unless_empty(release, of(components, name)));
        Map::new()
            .with("component", *name)
            .unless_empty("measured", of(measured, name))
            .unless_empty("expected", each)
    };
    names.iter().map(row).collect()
}

fn sign(
    result: &AttestationResult,
    key: &Path,
    output: &Path,
    jwt: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    let (key, kid) = KeyFile::read_secret(key)?;
    let signed =
        if jwt { result.sign_jwt(&key, &kid).map(String::into_bytes) } else { result.sign_cwt(&key, &kid) };
    let signed = signed.map_err(|error| Failure::new("cannot sign the result").because(&error))?;
    files::write(output, &signed, Mode::Public, printer)
}
