mod flow;
mod rules;

use std::path::PathBuf;

use clap::Args;
use coswid::{Tag, TagKind};
use suit::legacy::Numbering;
use suit::{ComponentId, Condition, Envelope, Manifest, Operation, Section, Sequence, Severable, Verified};

use crate::{
    clock,
    failure::{Answer, Failure},
    files::Input,
    legacy::Legacy,
    node::{Map, Node},
    printer::Printer,
};

use rules::Weight;

/// Say what is unwise in a release.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// The envelope
    #[arg(required_unless_present = "rules")]
    file: Option<PathBuf>,
    /// Say no at warnings too
    #[arg(long)]
    strict: bool,
    /// The release before, which this one must come after
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// List the rules with their weights and reasons instead
    #[arg(long, conflicts_with_all = ["file", "previous", "strict"])]
    rules: bool,
    #[command(flatten)]
    legacy: Legacy,
}

struct Finding {
    weight: Weight,
    code: &'static str,
    message: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn say(&mut self, code: &'static str, message: String) {
        self.add(rules::weight(code), code, message);
    }

    fn add(&mut self, weight: Weight, code: &'static str, message: String) {
        self.0.push(Finding { weight, code, message });
    }
}

pub(crate) fn run(command: &Lint, printer: &Printer) -> Result<Answer, Failure> {
    let Some(file) = &command.file else {
        show_rules(printer);
        return Ok(Answer::Yes);
    };
    let mut found = Findings::default();
    if command.legacy.is_on() {
        old_release(command, &Legacy::read(file)?, &mut found)?;
    } else {
        let input = Input::read(file)?;
        let envelope = super::decode(&input)?;
        authentication(&envelope.signatures(), &mut found);
        release(command, &envelope, &mut found)?;
    }
    let mut findings = found.0;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight));
    let limit = if command.strict { Weight::Warning } else { Weight::Error };
    let clean = findings.iter().all(|finding| finding.weight < limit);
    report(&findings, clean, printer);
    Ok(Answer::from(clean))
}

/// A release of an older draft: that it is one, what of it cannot be said today, and the rest in the terms of today.
fn old_release(command: &Lint, input: &Input, found: &mut Findings) -> Result<(), Failure> {
    let (old, conversion) = command.legacy.convert(input)?;
    if old.numbering() != Numbering::Current {
        found.say("legacy-draft", format!("the release is of {}", old.numbering()));
    }
    if !old.is_whole() {
        found.say("digest-mismatch", "the manifest does not have the digest beside it".to_owned());
    }
    authentication(old.signatures(), found);
    let weight = if conversion.envelope().is_some() { Weight::Note } else { Weight::Error };
    for one in conversion.without_equivalent() {
        found.add(weight, "no-equivalent", format!("has no equivalent today: {one}"));
    }
    let Some(bytes) = conversion.envelope() else { return Ok(()) };
    let envelope = Envelope::decode(bytes).map_err(|error| super::refused_to_read(input, &error))?;
    release(command, &envelope, found)
}

fn release(command: &Lint, envelope: &Envelope<'_>, found: &mut Findings) -> Result<(), Failure> {
    let (signed, list) = match super::as_received(envelope)? {
        Ok(received) => received,
        Err(refusal) => {
            found.say(refusal.code(), refusal.to_string());
            return Ok(());
        }
    };
    match Envelope::decode(&signed).map_err(suit::Refusal::from).and_then(|one| one.verify(&list)) {
        Err(refusal) => found.say(refusal.code(), refusal.to_string()),
        Ok(verified) => {
            targets(&verified, found);
            images(&verified, found);
            flow::check(verified.manifest(), &mut |code, message| found.say(code, message));
            dependencies(&verified, found);
            sbom(&verified, found);
            network(&verified, found);
            text(&verified, found);
            if let Some(previous) = &command.previous {
                comes_after(&verified, &Input::read(previous)?, found)?;
            }
        }
    }
    Ok(())
}

fn show_rules(printer: &Printer) {
    let rows: Vec<_> = rules::RULES
        .iter()
        .map(|(code, weight, why)| vec![weight.word().to_owned(), (*code).to_owned(), (*why).to_owned()])
        .collect();
    let node = |(code, weight, why): &(&'static str, Weight, &'static str)| {
        Map::new().with("severity", weight.word()).with("rule", *code).with("why", *why)
    };
    let whole = Node::from(rules::RULES.iter().map(node).collect::<Vec<_>>());
    printer.table(&["severity", "rule", "why"], &rows, &whole);
}

fn report(findings: &[Finding], clean: bool, printer: &Printer) {
    let node = |finding: &Finding| {
        Map::new()
            .with("severity", finding.weight.word())
            .with("rule", finding.code)
            .with("message", finding.message.as_str())
    };
    let whole = Map::new().with("ok", clean).with("findings", findings.iter().map(node).collect::<Vec<_>>());
    let row = |finding: &Finding| {
        vec![finding.weight.word().to_owned(), finding.code.to_owned(), finding.message.clone()]
    };
    let rows: Vec<_> = findings.iter().map(row).collect();
    printer.table(&["severity", "rule", "message"], &rows, &Node::from(whole));
}

fn authentication(blocks: &[&[u8]], found: &mut Findings) {
    if blocks.is_empty() {
        found.say("unsigned-manifest", "nobody signed the manifest".to_owned());
    }
    if blocks.iter().any(|block| cose::Mac0::decode(block).is_ok()) {
        found.say("shared-key", "a shared key authenticates the manifest".to_owned());
    }
}

/// A release that devices of the one before would refuse.
fn comes_after(verified: &Verified<'_>, previous: &Input, found: &mut Findings) -> Result<(), Failure> {
    let envelope = super::decode(previous)?;
    let manifest =
        envelope.manifest_unverified().map_err(|error| super::refused_to_read(previous, &error))?;
    let (old, new) = (manifest.sequence_number(), verified.sequence_number());
    if new <= old {
        let message = format!("sequence number {new} does not come after {old} of {}", previous.name);
        found.say("sequence-rollback", message);
    }
    Ok(())
}

/// Sections of integrated dependencies that nothing runs.
fn dependencies(verified: &Verified<'_>, found: &mut Findings) {
    let manifest = verified.manifest();
    if !manifest.common().dependencies().is_empty()
        && flow::encrypts(manifest)
        && let Some(beyond) = suit::beyond_distribution(manifest)
    {
        found.say(
            "beyond-distribution",
            format!("it encrypts what another manifest installs, and has {beyond}"),
        );
    }
    for payload in verified.envelope().payloads() {
        let Ok(inner) = Envelope::decode(payload.1) else { continue };
        let Ok(manifest) = inner.manifest_unverified() else { continue };
        for (section, _) in manifest.sections() {
            if section != Section::Uninstall && verified.manifest().section(section).is_none() {
                let message = format!("{} has the section {section}, and its dependent has not", payload.0);
                found.say("dependency-unprocessed", message);
            }
        }
    }
}

/// The components that are there to stay: neither envelopes of dependencies, nor what others are copied from.
fn kept<'v>(verified: &'v Verified<'_>) -> Vec<&'v ComponentId> {
    let common = verified.manifest().common();
    let copied = flow::sources(verified.manifest());
    let index = |component: &ComponentId| {
        common.all_indices().find(|index| common.component(*index) == Some(component))
    };
    let passing = |component: &&ComponentId| {
        index(component).is_some_and(|index| {
            copied.contains(&index) || common.dependencies().iter().any(|one| one.index == index)
        })
    };
    common.components().iter().filter(|component| !passing(component)).collect()
}

fn targets(verified: &Verified<'_>, found: &mut Findings) {
    let targets = verified.targets();
    if !targets.vendor_checked || targets.vendors.is_empty() {
        found.say("no-vendor-check", "the shared sequence does not check the vendor".to_owned());
    }
    if !targets.class_checked || targets.classes.is_empty() {
        found.say("no-class-check", "the shared sequence does not check the class of device".to_owned());
    }
    if verified.sequence_number() == 0 {
        found.say("sequence-zero", "sequence number 0 can replace nothing".to_owned());
    }
}

fn images(verified: &Verified<'_>, found: &mut Findings) {
    let images = verified.images();
    let kept = kept(verified);
    for component in kept.iter().copied() {
        let own: Vec<_> = images.iter().filter(|image| image.component == *component).collect();
        if own.is_empty() {
            found.say("no-digest", format!("no digest is given for component {component}"));
        }
        if own.iter().any(|image| image.size.is_none()) {
            found.say("no-size", format!("no size is given for component {component}"));
        }
    }
    for uri in verified.missing_payloads() {
        found.say("payload-missing", format!("the envelope lacks the image {uri}"));
    }
    for image in &images {
        let payload = image.uri.and_then(|uri| verified.envelope().integrated(uri));
        if payload.is_some_and(|payload| !image.digest.matches(payload)) {
            let message = format!("the integrated image is not that of component {}", image.component);
            found.say("digest-mismatch", message);
        }
    }
    let manifest = verified.manifest();
    let absent = |section: Section| manifest.section(section).is_some() && !checks_image(manifest, section);
    if manifest.section(Section::Validate).is_none() || absent(Section::Validate) {
        found.say("no-validation", "no image is checked before it is started".to_owned());
    }
    if absent(Section::Install) {
        found.say("install-unchecked", "the install section does not check what it wrote".to_owned());
    }
}

fn checks_image(manifest: &Manifest<'_>, section: Section) -> bool {
    fn checks(sequence: &Sequence<'_>) -> bool {
        sequence.commands().iter().any(|command| match &command.operation {
            Operation::Condition(condition, _) => {
                matches!(condition, Condition::ImageMatch | Condition::CheckContent)
            }
            Operation::RunSequence(inner) => checks(inner),
            Operation::TryEach { alternatives, .. } => alternatives.iter().all(checks),
            _ => false,
        })
    }
    // Of a severed section only the digest is here, and nothing can be said about it.
    manifest.section(section).is_some_and(|held| held.value().is_none_or(checks))
}

fn sbom(verified: &Verified<'_>, found: &mut Findings) {
    let Some(bytes) = verified.coswid() else {
        let severed = verified.manifest().has(Severable::Coswid);
        let message =
            if severed { "the SBOM was left out of the envelope" } else { "the release carries no SBOM" };
        return found.say("no-sbom", message.to_owned());
    };
    let tag = match Tag::decode(bytes) {
        Ok(tag) => tag,
        Err(error) => return found.say("sbom-unreadable", error.to_string()),
    };
    if !matches!(tag.kind(), TagKind::Primary | TagKind::Patch) || tag.payload().is_none() {
        found.say("sbom-kind", "the SBOM is not a payload tag of installed software".to_owned());
    }
    let files = tag.measured_files();
    let kept = kept(verified);
    for image in verified.images().into_iter().filter(|image| kept.contains(&&image.component)) {
        let name = image.component.to_string();
        match files.iter().find(|file| file.path() == name) {
            None => found.say("sbom-incomplete", format!("the SBOM does not list component {name}")),
            Some(file) if file.digest.is_none() => {
                found.say("sbom-incomplete", format!("the SBOM has no usable digest of component {name}"));
            }
            Some(file) if file.digest != Some(image.digest) && image.slot.is_none() => {
                found.say("reference-conflict", format!("SBOM and manifest disagree about component {name}"));
            }
            Some(file) if !file.key => {
                found.say("sbom-optional", format!("the SBOM does not require component {name}"));
            }
            Some(_) => {}
        }
    }
}

fn network(verified: &Verified<'_>, found: &mut Findings) {
    let member = |uri| verified.envelope().integrated(uri);
    let Some(binding) = verified.mud() else {
        let (code, message) = match member(trust::MUD_FILE) {
            Some(_) => ("mud-not-bound", "the envelope carries a MUD file that the manifest does not bind"),
            None => ("no-mud", "the release declares no network needs"),
        };
        return found.say(code, message.to_owned());
    };
    let Some(file) = member(trust::MUD_FILE) else {
        let message =
            format!("the MUD file is not in the envelope; gateways will have to fetch {}", binding.url);
        return found.say("mud-not-carried", message);
    };
    let Some(signature) = member(trust::MUD_SIGNATURE) else {
        return found.say("mud-unsigned", "the MUD file in the envelope is not signed".to_owned());
    };
    if let Err(reason) = trust::verify_mud(file, signature, &binding.signer, &[], clock::now()) {
        found.say(reason.code.as_str(), reason.to_string());
    }
    let context = mud::Context { fetched_url: Some(binding.url), ..mud::Context::default() };
    match mud::parse(file, &context) {
        Err(error) => found.say("mud-refused", error.to_string()),
        Ok(parsed) => {
            let compiled = mud::compile(&parsed.file);
            for finding in parsed.findings.iter().chain(&compiled.findings) {
                let weight = match finding.severity {
                    mud::Severity::Note => Weight::Note,
                    _ => Weight::Warning,
                };
                found.add(weight, finding.code, format!("MUD file {}: {}", finding.path, finding.message));
            }
            if compiled.policy.breadth().needs_approval() {
                let score = compiled.policy.breadth().score;
                found.say("mud-broad", format!("the MUD file asks for much: breadth {score} of 100"));
            }
        }
    }
}

fn text(verified: &Verified<'_>, found: &mut Findings) {
    match verified.text() {
        Err(error) => found.say("text-unreadable", error.to_string()),
        Ok(None) if !verified.manifest().has(Severable::Text) => {
            found.say("no-text", "the release has no words for people".to_owned());
        }
        Ok(_) => {}
    }
}
