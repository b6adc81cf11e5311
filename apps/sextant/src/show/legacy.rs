use suit::legacy::{
    Conversion, LegacyEnvelope, LegacyError, LegacyManifest, LegacyOperation, LegacyParameter, LegacySequence,
};

use super::suit as today;
use crate::node::{Map, Node};

/// An envelope of an older draft, for looking at: nobody vouches for it. Names are those of today.
pub(crate) fn envelope(envelope: &LegacyEnvelope<'_>) -> Result<Map, LegacyError> {
    let manifest = envelope.manifest_unverified()?;
    let conversion = envelope.convert_unverified()?;
    let payloads = envelope.payloads().iter().map(|payload| {
        Map::new()
            .with("uri", payload.uri.as_str())
            .with("size", payload.content.len())
            .with("digest", Node::shown(today::sha256(payload.content)))
    });
    let map = Map::new()
        .with("kind", format!("SUIT envelope of {}", envelope.numbering()))
        .with("manifest_digest", Node::shown(envelope.manifest_digest_claimed()))
        .with("digest_matches", envelope.is_whole())
        .with(
            "signatures",
            envelope.signatures().iter().map(|block| today::signature(block)).collect::<Vec<_>>(),
        );
    let map = if envelope.has_delegation() { map.with("delegation", "not followed") } else { map };
    Ok(map
        .with("manifest", self::manifest(&manifest))
        .unless_empty("severed_members", Node::list(envelope.severed_members()))
        .unless_empty("payloads", payloads.collect::<Vec<_>>())
        .unless_empty("without_equivalent", without_equivalent(&conversion)))
}

/// What cannot be said in the terms of today.
pub(crate) fn without_equivalent(conversion: &Conversion) -> Node {
    Node::list(conversion.without_equivalent())
}

fn manifest(manifest: &LegacyManifest<'_>) -> Map {
    let dependencies = manifest.dependencies().iter().map(|dependency| {
        Map::new()
            .with("index", dependency.index)
            .maybe("digest", dependency.digest.map(Node::shown))
            .maybe("prefix", dependency.prefix.as_ref().map(Node::shown))
    });
    let mut map = Map::new()
        .with("sequence_number", manifest.sequence_number())
        .with("components", Node::list(manifest.components()))
        .unless_empty("dependencies", dependencies.collect::<Vec<_>>())
        .maybe("reference_uri", manifest.reference_uri())
        .maybe("component_id", manifest.component_id().map(Node::shown))
        .maybe("set_version", manifest.set_version().map(Node::shown))
        .maybe("shared", manifest.shared().map(sequence));
    for (section, held) in manifest.sections() {
        map = map.with(&section.to_string(), today::held_node(held, sequence));
    }
    map.maybe("coswid", manifest.coswid().map(|held| today::held_node(&held, |bytes| today::coswid(bytes))))
        .maybe("text", manifest.text().map(|held| today::held_node(&held, |bytes| today::text(bytes))))
        .maybe("mud", manifest.mud().map(today::mud))
}

/// Commands with their byte offsets in the section.
fn sequence(sequence: &LegacySequence<'_>) -> Node {
    let commands =
        sequence.commands().iter().map(|command| self::command(command.offset, &command.operation));
    Node::List(commands.collect())
}

fn command(at: u32, operation: &LegacyOperation<'_>) -> Node {
    let line = |text: String| Node::Text(format!("{at}: {text}"));
    let nested = |name: &str, value: Node| Node::from(Map::new().with(&format!("{at}: {name}"), value));
    match operation {
        LegacyOperation::Condition(condition, policy) => line(today::condition_words(*condition, *policy)),
        LegacyOperation::Directive(directive, policy) => line(today::directive_words(*directive, *policy)),
        LegacyOperation::ComponentOffset(policy) => {
            line(format!("condition component-offset (report {:#06b})", policy.0))
        }
        LegacyOperation::FetchUriList(policy) => {
            line(format!("directive fetch-uri-list (report {:#06b})", policy.0))
        }
        LegacyOperation::SetComponentIndex(index) => line(format!("component {}", today::index_words(index))),
        LegacyOperation::SetDependencyIndex(index) => {
            line(format!("dependency {}", today::index_words(index)))
        }
        LegacyOperation::SetParameters(list) => nested("set parameters", parameters(list).into()),
        LegacyOperation::OverrideParameters(list) => nested("override parameters", parameters(list).into()),
        LegacyOperation::OverrideMultiple(entries) => {
            let each = |map: Map, (index, list): &(u32, Vec<LegacyParameter<'_>>)| {
                map.with(&format!("component {index}"), parameters(list))
            };
            nested("override multiple", entries.iter().fold(Map::new(), each).into())
        }
        LegacyOperation::CopyParameters(entries) => {
            let words = entries.iter().map(|(index, labels)| format!("{labels:?} of component {index}"));
            nested("copy parameters", Node::list(words))
        }
        LegacyOperation::RunSequence(inner) => nested("run sequence", sequence(inner)),
        LegacyOperation::TryEach { alternatives, or_nothing } => {
            let mut list: Vec<Node> = alternatives.iter().map(sequence).collect();
            if *or_nothing {
                list.push("nothing".into());
            }
            nested("try each", Node::List(list))
        }
        LegacyOperation::Custom { code, argument } => {
            nested(&format!("custom {code}"), Node::diagnostic(argument))
        }
    }
}

fn parameters(list: &[LegacyParameter<'_>]) -> Map {
    list.iter().fold(Map::new(), |map, parameter| match parameter {
        LegacyParameter::Current(parameter) => {
            let (name, value) = today::parameter(parameter);
            map.with(name, value)
        }
        LegacyParameter::ComponentOffset(offset) => map.with("component-offset", *offset),
        LegacyParameter::CompressionInfo(info) => map.with("compression-info", Node::diagnostic(info)),
        LegacyParameter::UnpackInfo(info) => map.with("unpack-info", Node::diagnostic(info)),
        LegacyParameter::UriList(uris) => map.with("uri-list", Node::list(uris)),
        LegacyParameter::Custom { label, value } => {
            map.with(&format!("custom {label}"), Node::diagnostic(value))
        }
    })
}
