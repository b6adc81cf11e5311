use std::path::PathBuf;

use clap::Args;
use coswid::{Tag, TagKind};
use suit::legacy::Numbering;
use suit::{
    Authority, AuthorityList, Condition, Envelope, Manifest, Operation, Role, Section, Sequence, Severable,
    Verified,
};

use crate::{
    clock,
    failure::{Answer, Failure},
    files::Input,
    keys,
    legacy::Legacy,
    node::{Map, Node},
    printer::Printer,
};

/// Say what is unwise in a release.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// The envelope
    file: PathBuf,
    /// Say no at warnings too
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    legacy: Legacy,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Note,
    Warning,
    Error,
}

struct Finding {
    weight: Weight,
    code: &'static str,
    message: String,
}

pub(crate) fn run(command: &Lint, printer: &Printer) -> Result<Answer, Failure> {
    let mut findings = Vec::new();
    let mut say = |weight, code, message: String| findings.push(Finding { weight, code, message });
    if command.legacy.is_on() {
        old_release(&Legacy::read(&command.file)?, command.legacy, &mut say)?;
    } else {
        let input = Input::read(&command.file)?;
        let envelope = super::decode(&input)?;
        signed(envelope.signatures(), &mut say);
        release(&envelope, &mut say)?;
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.weight));
    let limit = if command.strict { Weight::Warning } else { Weight::Error };
    let clean = findings.iter().all(|finding| finding.weight < limit);
    report(&findings, clean, printer);
    Ok(Answer::from(clean))
}

/// A release of an older draft: that it is one, what of it cannot be said today, and the rest in the terms of today.
fn old_release(
    input: &Input,
    legacy: Legacy,
    say: &mut impl FnMut(Weight, &'static str, String),
) -> Result<(), Failure> {
    let (old, conversion) = legacy.convert(input)?;
    if old.numbering() != Numbering::Current {
        say(Weight::Warning, "legacy-draft", format!("the release is of {}", old.numbering()));
    }
    if !old.is_whole() {
        say(Weight::Error, "digest-mismatch", "the manifest does not have the digest beside it".to_owned());
    }
    signed(old.signatures(), say);
    let weight = if conversion.envelope().is_some() { Weight::Note } else { Weight::Error };
    for one in conversion.without_equivalent() {
        say(weight, "no-equivalent", format!("has no equivalent today: {one}"));
    }
    let Some(bytes) = conversion.envelope() else { return Ok(()) };
    let envelope = Envelope::decode(bytes).map_err(|error| super::refused_to_read(input, &error))?;
    release(&envelope, say)
}

fn signed(blocks: &[&[u8]], say: &mut impl FnMut(Weight, &'static str, String)) {
    if blocks.is_empty() {
        say(Weight::Error, "unsigned-manifest", "nobody signed the manifest".to_owned());
    }
}

fn release(
    envelope: &Envelope<'_>,
    say: &mut impl FnMut(Weight, &'static str, String),
) -> Result<(), Failure> {
    // What any recipient would see: the envelope as signed by a key that is made for this and forgotten.
    let key = keys::generate(crypto::SignatureAlgorithm::Es256)?;
    let believer = Authority::new(key.public_key().clone(), b"lint", "lint", Role::Author);
    let list = AuthorityList::with_default_policy(vec![believer])
        .map_err(|error| Failure::new("cannot read as a recipient").because(&error))?;
    let signed = envelope.sign(&key, Some(b"lint"));
    let refusal = match &signed {
        Err(refusal) => Some(refusal.clone()),
        Ok(bytes) => {
            match Envelope::decode(bytes).map_err(suit::Refusal::from).and_then(|one| one.verify(&list)) {
                Err(refusal) => Some(refusal),
                Ok(verified) => {
                    targets(&verified, say);
                    images(&verified, say);
                    sbom(&verified, say);
                    network(&verified, say);
                    text(&verified, say);
                    None
                }
            }
        }
    };
    if let Some(refusal) = refusal {
        say(Weight::Error, refusal.code(), refusal.to_string());
    }
    Ok(())
}

fn report(findings: &[Finding], clean: bool, printer: &Printer) {
    let word = |weight| match weight {
        Weight::Note => "note",
        Weight::Warning => "warning",
        Weight::Error => "error",
    };
    let node = |finding: &Finding| {
        Map::new()
            .with("severity", word(finding.weight))
            .with("rule", finding.code)
            .with("message", finding.message.as_str())
    };
    let whole = Map::new().with("ok", clean).with("findings", findings.iter().map(node).collect::<Vec<_>>());
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            vec![word(finding.weight).to_owned(), finding.code.to_owned(), finding.message.clone()]
        })
        .collect();
    printer.table(&["severity", "rule", "message"], &rows, &Node::from(whole));
}

fn targets(verified: &Verified<'_>, say: &mut impl FnMut(Weight, &'static str, String)) {
    let targets = verified.targets();
    if !targets.vendor_checked || targets.vendors.is_empty() {
        say(Weight::Error, "no-vendor-check", "the shared sequence does not check the vendor".to_owned());
    }
    if !targets.class_checked || targets.classes.is_empty() {
        say(
            Weight::Error,
            "no-class-check",
            "the shared sequence does not check the class of device".to_owned(),
        );
    }
    if verified.sequence_number() == 0 {
        say(Weight::Warning, "sequence-zero", "sequence number 0 can replace nothing".to_owned());
    }
}

fn images(verified: &Verified<'_>, say: &mut impl FnMut(Weight, &'static str, String)) {
    let images = verified.images();
    for component in verified.components() {
        let own: Vec<_> = images.iter().filter(|image| image.component == *component).collect();
        if own.is_empty() {
            say(Weight::Error, "no-digest", format!("no digest is given for component {component}"));
        }
        if own.iter().any(|image| image.size.is_none()) {
            say(Weight::Warning, "no-size", format!("no size is given for component {component}"));
        }
    }
    for uri in verified.missing_payloads() {
        say(Weight::Warning, "payload-missing", format!("the envelope lacks the image {uri}"));
    }
    for image in &images {
        let payload = image.uri.and_then(|uri| verified.envelope().integrated(uri));
        if payload.is_some_and(|payload| !image.digest.matches(payload)) {
            let message = format!("the integrated image is not that of component {}", image.component);
            say(Weight::Error, "digest-mismatch", message);
        }
    }
    let manifest = verified.manifest();
    let absent = |section: Section| manifest.section(section).is_some() && !checks_image(manifest, section);
    if manifest.section(Section::Validate).is_none() || absent(Section::Validate) {
        say(Weight::Error, "no-validation", "no image is checked before it is started".to_owned());
    }
    if absent(Section::Install) {
        say(
            Weight::Warning,
            "install-unchecked",
            "the install section does not check what it wrote".to_owned(),
        );
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

fn sbom(verified: &Verified<'_>, say: &mut impl FnMut(Weight, &'static str, String)) {
    let Some(bytes) = verified.coswid() else {
        let severed = verified.manifest().has(Severable::Coswid);
        let message =
            if severed { "the SBOM was left out of the envelope" } else { "the release carries no SBOM" };
        return say(Weight::Error, "no-sbom", message.to_owned());
    };
    let tag = match Tag::decode(bytes) {
        Ok(tag) => tag,
        Err(error) => return say(Weight::Error, "sbom-unreadable", error.to_string()),
    };
    if !matches!(tag.kind(), TagKind::Primary | TagKind::Patch) || tag.payload().is_none() {
        say(Weight::Error, "sbom-kind", "the SBOM is not a payload tag of installed software".to_owned());
    }
    let files = tag.measured_files();
    for image in verified.images() {
        let name = image.component.to_string();
        match files.iter().find(|file| file.path() == name) {
            None => say(Weight::Error, "sbom-incomplete", format!("the SBOM does not list component {name}")),
            Some(file) if file.digest.is_none() => {
                say(
                    Weight::Error,
                    "sbom-incomplete",
                    format!("the SBOM has no usable digest of component {name}"),
                );
            }
            Some(file) if file.digest != Some(image.digest) && image.slot.is_none() => {
                say(
                    Weight::Error,
                    "reference-conflict",
                    format!("SBOM and manifest disagree about component {name}"),
                );
            }
            Some(file) if !file.key => {
                say(Weight::Note, "sbom-optional", format!("the SBOM does not require component {name}"));
            }
            Some(_) => {}
        }
    }
}

fn network(verified: &Verified<'_>, say: &mut impl FnMut(Weight, &'static str, String)) {
    let member = |uri| verified.envelope().integrated(uri);
    let Some(binding) = verified.mud() else {
        let (code, message) = match member(trust::MUD_FILE) {
            Some(_) => ("mud-not-bound", "the envelope carries a MUD file that the manifest does not bind"),
            None => ("no-mud", "the release declares no network needs"),
        };
        return say(Weight::Warning, code, message.to_owned());
    };
    let Some(file) = member(trust::MUD_FILE) else {
        let message =
            format!("the MUD file is not in the envelope; gateways will have to fetch {}", binding.url);
        return say(Weight::Note, "mud-not-carried", message);
    };
    let Some(signature) = member(trust::MUD_SIGNATURE) else {
        return say(Weight::Error, "mud-unsigned", "the MUD file in the envelope is not signed".to_owned());
    };
    if let Err(reason) = trust::verify_mud(file, signature, &binding.signer, &[], clock::now()) {
        say(Weight::Error, reason.code.as_str(), reason.to_string());
    }
    let context = mud::Context { fetched_url: Some(binding.url), ..mud::Context::default() };
    match mud::parse(file, &context) {
        Err(error) => say(Weight::Error, "mud-refused", error.to_string()),
        Ok(parsed) => {
            let compiled = mud::compile(&parsed.file);
            for finding in parsed.findings.iter().chain(&compiled.findings) {
                let weight = match finding.severity {
                    mud::Severity::Note => Weight::Note,
                    _ => Weight::Warning,
                };
                say(weight, finding.code, format!("MUD file {}: {}", finding.path, finding.message));
            }
            if compiled.policy.breadth().needs_approval() {
                let score = compiled.policy.breadth().score;
                say(
                    Weight::Warning,
                    "mud-broad",
                    format!("the MUD file asks for much: breadth {score} of 100"),
                );
            }
        }
    }
}

fn text(verified: &Verified<'_>, say: &mut impl FnMut(Weight, &'static str, String)) {
    match verified.text() {
        Err(error) => say(Weight::Warning, "text-unreadable", error.to_string()),
        Ok(None) if !verified.manifest().has(Severable::Text) => {
            say(Weight::Note, "no-text", "the release has no words for people".to_owned());
        }
        Ok(_) => {}
    }
}
