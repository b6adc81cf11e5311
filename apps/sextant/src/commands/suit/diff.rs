use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::Args;
use coswid::Tag;
use suit::Envelope;
use trust::MUD_FILE;

use crate::{
    failure::{Answer, Failure},
    files::Input,
    node::{Map, Node, hex},
    printer::{Printer, Verdict},
    show,
};

/// Say what changes from one release to another: parts, network needs, signers.
///
/// Both are read as they are; only `verify` says whether to believe them. The answer is no when the new release asks the
/// network for more, or does not come after the old one.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The release before
    old: PathBuf,
    /// The release after
    new: PathBuf,
}

pub(crate) fn run(command: &Diff, printer: &Printer) -> Result<Answer, Failure> {
    let (old, new) = (Input::read(&command.old)?, Input::read(&command.new)?);
    let (old, new) = (Contents::read(&old)?, Contents::read(&new)?);
    let network = mud::diff(&old.policy, &new.policy);
    let facts = Map::new()
        .with("sequence number", change(&old.sequence_number, &new.sequence_number))
        .with("software", change(&old.software, &new.software))
        .unless_empty("parts", parts(&old.parts, &new.parts))
        .with("network needs", show::mud::diff(&network))
        .unless_empty("signers", sets(&old.signers, &new.signers));
    let verdict = if new.sequence_number <= old.sequence_number {
        Verdict::no("sequence-too-low", "the new release does not come after the old one")
    } else if network.is_wider() {
        Verdict::no("wider", "the new release asks the network for more")
    } else {
        Verdict::yes("the new release asks the network for nothing more")
    };
    Ok(printer.answer(verdict.with(facts)))
}

/// What two releases are compared by.
struct Contents {
    sequence_number: u64,
    software: String,
    parts: BTreeMap<String, String>,
    policy: mud::Policy,
    signers: BTreeSet<String>,
}

impl Contents {
    fn read(input: &Input) -> Result<Self, Failure> {
        let envelope = super::decode(input)?;
        let manifest =
            envelope.manifest_unverified().map_err(|error| super::refused_to_read(input, &error))?;
        let sbom = manifest.coswid().and_then(|held| held.value().copied());
        let sbom = sbom.ok_or_else(|| Failure::new(format!("{} carries no SBOM", input.name)))?;
        let tag = Tag::decode(sbom).map_err(|error| {
            Failure::new(format!("the SBOM of {} is not understood", input.name)).because(&error)
        })?;
        let parts = tag.measured_files().into_iter().map(|file| {
            let digest = file.digest.map_or_else(|| "no usable hash".to_owned(), |digest| digest.to_string());
            let version = file.version.map(|version| format!(" version {version}")).unwrap_or_default();
            (file.path(), format!("{digest}{version}"))
        });
        let version = tag.version().map(|version| version.text).unwrap_or_default();
        Ok(Self {
            sequence_number: manifest.sequence_number(),
            software: format!("{} {version}", tag.software_name()),
            parts: parts.collect(),
            policy: policy(input, &envelope)?,
            signers: signers(&envelope),
        })
    }
}

/// The network needs that ride in the envelope; none is a release that asks for nothing.
fn policy(input: &Input, envelope: &Envelope<'_>) -> Result<mud::Policy, Failure> {
    let Some(file) = envelope.integrated(MUD_FILE) else { return Ok(mud::Policy::default()) };
    let parsed = mud::parse(file, &mud::Context::default()).map_err(|error| {
        Failure::new(format!("the MUD file of {} is not understood", input.name)).because(&error)
    })?;
    Ok(mud::compile(&parsed.file).policy)
}

/// The keys that claim to have signed, by their identifier.
fn signers(envelope: &Envelope<'_>) -> BTreeSet<String> {
    let kid = |block: &&[u8]| cose::Sign1::decode(block).ok().and_then(|message| message.kid().map(hex));
    envelope.signatures().iter().filter_map(kid).collect()
}

fn change<T: std::fmt::Display + PartialEq>(old: &T, new: &T) -> Node {
    if old == new { Node::shown(new) } else { Node::Text(format!("{old} → {new}")) }
}

/// What was added, removed or changed; equal parts are not listed.
fn parts(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Map {
    let mut changes = Map::new();
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        changes = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => changes,
            (Some(old), Some(new)) => changes.with(name, format!("{old} → {new}")),
            (Some(old), None) => changes.with(name, format!("gone, was {old}")),
            (None, new) => changes.with(name, format!("new, {}", new.cloned().unwrap_or_default())),
        };
    }
    changes
}

fn sets(old: &BTreeSet<String>, new: &BTreeSet<String>) -> Map {
    Map::new()
        .unless_empty("new", Node::list(new.difference(old)))
        .unless_empty("gone", Node::list(old.difference(new)))
}
