use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::Args;
use coswid::Tag;
use suit::{ComponentIndex, Envelope, Manifest, Operation, Parameter, Sequence};
use trust::MUD_FILE;

use crate::{
    failure::{Answer, Failure},
    files::Input,
    legacy::{self, Legacy},
    node::{Map, Node, hex},
    printer::{Printer, Verdict},
    show,
};

/// Say what changes from one release to another: images, SBOM, network needs, commands, dependencies, signers.
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
        .unless_empty("images", parts(&old.images, &new.images))
        .unless_empty("dependencies", parts(&old.dependencies, &new.dependencies))
        .unless_empty("commands", commands(&old.commands, &new.commands))
        .unless_empty("signers", sets(&old.signers, &new.signers))
        .unless_empty("mud signer", changed(&old.mud_signer, &new.mud_signer));
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
    /// Of the SBOM, by path.
    parts: BTreeMap<String, String>,
    /// Of the manifest, by component: digests, sizes and places.
    images: BTreeMap<String, String>,
    /// Manifests that are needed, by component.
    dependencies: BTreeMap<String, String>,
    /// Lines of each section.
    commands: BTreeMap<String, Vec<String>>,
    mud_signer: String,
    policy: mud::Policy,
    signers: BTreeSet<String>,
}

impl Contents {
    fn read(input: &Input) -> Result<Self, Failure> {
        let envelope = super::decode(input)?;
        Self::of(input, &envelope, signers(&envelope.signatures()))
    }

    /// Reads an envelope of an older draft in the terms of today. Few carry an SBOM: without one, the parts are the
    /// images that the manifest names.
    fn read_legacy(input: &Input, legacy: Legacy) -> Result<Self, Failure> {
        let (old, conversion) = legacy.convert(input)?;
        let bytes = conversion.envelope().ok_or_else(|| legacy::without_equivalent(input, &conversion))?;
        let envelope = Envelope::decode(bytes).map_err(|error| super::refused_to_read(input, &error))?;
        let contents = Self::of(input, &envelope, signers(old.signatures()))?;
        if !contents.parts.is_empty() {
            return Ok(contents);
        }
        let parts = conversion.images().into_iter().map(|image| {
            let slot = image.slot.map(|slot| format!(" in slot {slot}")).unwrap_or_default();
            let size = image.size.map(|size| format!(" of {size} bytes")).unwrap_or_default();
            (format!("{}{slot}", image.component), format!("{}{size}", image.digest))
        });
        Ok(Self { parts: parts.collect(), ..contents })
    }

    fn of(input: &Input, envelope: &Envelope<'_>, signers: BTreeSet<String>) -> Result<Self, Failure> {
        let manifest =
            envelope.manifest_unverified().map_err(|error| super::refused_to_read(input, &error))?;
        let sbom = manifest.coswid().and_then(|held| held.value().copied());
        let (mut parts, mut software) = (BTreeMap::new(), "without an SBOM".to_owned());
        if let Some(sbom) = sbom {
            let tag = Tag::decode(sbom).map_err(|error| {
                Failure::new(format!("the SBOM of {} is not understood", input.name)).because(&error)
            })?;
            let version = tag.version().map(|version| version.text).unwrap_or_default();
            software = format!("{} {version}", tag.software_name());
            parts.extend(tag.measured_files().into_iter().map(|file| {
                let digest =
                    file.digest.map_or_else(|| "no usable hash".to_owned(), |digest| digest.to_string());
                let version = file.version.map(|version| format!(" version {version}")).unwrap_or_default();
                (file.path(), format!("{digest}{version}"))
            }));
        }
        let (images, dependencies) = images(&manifest);
        let mud_signer = manifest.mud().map(|mud| mud.signer.to_string());
        Ok(Self {
            sequence_number: manifest.sequence_number(),
            software,
            parts,
            images,
            dependencies,
            commands: sections(&manifest),
            mud_signer: mud_signer.unwrap_or_else(|| "none".to_owned()),
            policy: policy(input, envelope)?,
            signers,
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
fn signers(blocks: &[&[u8]]) -> BTreeSet<String> {
    let kid = |block: &&[u8]| match (cose::Sign1::decode(block), cose::Mac0::decode(block)) {
        (Ok(message), _) => message.kid().map(hex),
        (_, Ok(message)) => Some(format!("shared key {}", message.kid().map(hex).unwrap_or_default())),
        _ => None,
    };
    blocks.iter().filter_map(kid).collect()
}

/// What comes into each component, and the manifests among it: as the parameters say, wherever they are set.
fn images(manifest: &Manifest<'_>) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let common = manifest.common();
    let (mut images, mut dependencies) = (BTreeMap::new(), BTreeMap::new());
    let mut note = |index: u32, parameter: &Parameter<'_>| {
        let words = match parameter {
            Parameter::ImageDigest(digest) => digest.to_string(),
            Parameter::ImageSize(size) => format!("{size} bytes"),
            Parameter::Uri(uri) => (*uri).to_owned(),
            Parameter::EncryptionInfo(_) => "encrypted".to_owned(),
            _ => return,
        };
        let name = common.place(index).map_or_else(|| index.to_string(), ToString::to_string);
        let is_dependency = common.dependencies().iter().any(|one| one.index == index);
        let map = if is_dependency { &mut dependencies } else { &mut images };
        let entry: &mut String = map.entry(name).or_default();
        if !entry.split(", ").any(|word| word == words) {
            *entry = if entry.is_empty() { words } else { format!("{entry}, {words}") };
        }
    };
    let sections = manifest.sections().filter_map(|(_, held)| held.value().cloned());
    for sequence in common.shared().cloned().into_iter().chain(sections) {
        each_parameter(&sequence, &mut vec![0], &mut note);
    }
    (images, dependencies)
}

/// Nesting is bounded by the decoder, and so is this recursion.
fn each_parameter(
    sequence: &Sequence<'_>,
    selected: &mut Vec<u32>,
    note: &mut impl FnMut(u32, &Parameter<'_>),
) {
    for command in sequence.commands() {
        match &command.operation {
            Operation::SetComponentIndex(ComponentIndex::One(index)) => *selected = vec![*index],
            Operation::SetComponentIndex(ComponentIndex::List(list)) => selected.clone_from(list),
            Operation::RunSequence(inner) => each_parameter(inner, selected, note),
            Operation::TryEach { alternatives, .. } => {
                alternatives.iter().for_each(|one| each_parameter(one, &mut selected.clone(), note));
            }
            Operation::OverrideMultiple(entries) => {
                entries.iter().for_each(|(index, list)| list.iter().for_each(|one| note(*index, one)));
            }
            operation => {
                for parameter in operation.parameters() {
                    selected.iter().for_each(|index| note(*index, parameter));
                }
            }
        }
    }
}

/// The commands of each section as lines, without their offsets, which move when anything before them changes.
fn sections(manifest: &Manifest<'_>) -> BTreeMap<String, Vec<String>> {
    let lines = |sequence: &Sequence<'_>| {
        let shown = show::suit::sequence(sequence).to_string();
        let plain = |line: &str| {
            let (indent, rest) = line.split_at(line.len() - line.trim_start_matches([' ', '-']).len());
            let rest = match rest.split_once(": ") {
                Some((number, words)) if number.bytes().all(|byte| byte.is_ascii_digit()) => words,
                _ => rest,
            };
            format!("{}{rest}", indent.replace('-', " "))
        };
        shown.lines().map(|line| plain(line).trim_end().to_owned()).collect::<Vec<_>>()
    };
    let shared = manifest.common().shared().map(|shared| ("shared".to_owned(), lines(shared)));
    let sections =
        manifest.sections().filter_map(|(section, held)| Some((section.to_string(), lines(held.value()?))));
    shared.into_iter().chain(sections).collect()
}

/// Lines that are in one and not in the other, by section.
fn commands(old: &BTreeMap<String, Vec<String>>, new: &BTreeMap<String, Vec<String>>) -> Map {
    let mut changes = Map::new();
    let none = Vec::new();
    for section in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        let (before, after) = (old.get(section).unwrap_or(&none), new.get(section).unwrap_or(&none));
        let gone =
            before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {}", line.trim()));
        let come =
            after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {}", line.trim()));
        changes = changes.unless_empty(section, Node::list(gone.chain(come)));
    }
    changes
}

fn changed(old: &str, new: &str) -> Node {
    if old == new { Node::List(Vec::new()) } else { Node::Text(format!("{old} → {new}")) }
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
