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
    legacy::{self, Legacy},
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
    #[command(flatten)]
    legacy: Legacy,
}

pub(crate) fn run(command: &Diff, printer: &Printer) -> Result<Answer, Failure> {
    let read = |path| {
        if command.legacy.is_on() {
            Contents::read_legacy(&Legacy::read(path)?, command.legacy)
        } else {
            Contents::read(&Input::read(path)?)
        }
    };
    let (old, new) = (read(&command.old)?, read(&command.new)?);
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
        let found = Self::of(input, &envelope, signers(envelope.signatures()))?;
        found.ok_or_else(|| Failure::new(format!("{} carries no SBOM", input.name)))
    }

    /// Reads an envelope of an older draft in the terms of today. Few carry an SBOM: without one, the parts are the
    /// images that the manifest names.
    fn read_legacy(input: &Input, legacy: Legacy) -> Result<Self, Failure> {
        let (old, conversion) = legacy.convert(input)?;
        let bytes = conversion.envelope().ok_or_else(|| legacy::without_equivalent(input, &conversion))?;
        let envelope = Envelope::decode(bytes).map_err(|error| super::refused_to_read(input, &error))?;
        let signers = signers(old.signatures());
        if let Some(contents) = Self::of(input, &envelope, signers.clone())? {
            return Ok(contents);
        }
        let parts = conversion.images().into_iter().map(|image| {
            let slot = image.slot.map(|slot| format!(" in slot {slot}")).unwrap_or_default();
            let size = image.size.map(|size| format!(" of {size} bytes")).unwrap_or_default();
            (format!("{}{slot}", image.component), format!("{}{size}", image.digest))
        });
        let manifest =
            envelope.manifest_unverified().map_err(|error| super::refused_to_read(input, &error))?;
        Ok(Self {
            sequence_number: manifest.sequence_number(),
            software: "without an SBOM".to_owned(),
            parts: parts.collect(),
            policy: policy(input, &envelope)?,
            signers,
        })
    }

    /// Nothing without an SBOM.
    fn of(
        input: &Input,
        envelope: &Envelope<'_>,
        signers: BTreeSet<String>,
    ) -> Result<Option<Self>, Failure> {
        let manifest =
            envelope.manifest_unverified().map_err(|error| super::refused_to_read(input, &error))?;
        let Some(sbom) = manifest.coswid().and_then(|held| held.value().copied()) else { return Ok(None) };
        let tag = Tag::decode(sbom).map_err(|error| {
            Failure::new(format!("the SBOM of {} is not understood", input.name)).because(&error)
        })?;
        let parts = tag.measured_files().into_iter().map(|file| {
            let digest = file.digest.map_or_else(|| "no usable hash".to_owned(), |digest| digest.to_string());
            let version = file.version.map(|version| format!(" version {version}")).unwrap_or_default();
            (file.path(), format!("{digest}{version}"))
        });
        let version = tag.version().map(|version| version.text).unwrap_or_default();
        Ok(Some(Self {
            sequence_number: manifest.sequence_number(),
            software: format!("{} {version}", tag.software_name()),
            parts: parts.collect(),
            policy: policy(input, envelope)?,
            signers,
        }))
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
fn signers(blocks: &[&[u8]]) -> BTreeSet<String> {
    let kid = |block: &&[u8]| cose::Sign1::decode(block).ok().and_then(|message| message.kid().map(hex));
    blocks.iter().filter_map(kid).collect()
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
