use suit::{
    Capabilities, Command, ComponentIndex, Condition, Directive, Envelope, Error, Held, Manifest, MudBinding,
    Operation, Parameter, Report, ReportingPolicy, Sequence, Severable, Text, labels, limits,
};

use crate::node::{Map, Node};

/// An envelope, for looking at: nobody vouches for it.
pub(crate) fn envelope(envelope: &Envelope<'_>) -> Result<Map, Error> {
    self::nested(envelope, 0)
}

/// An envelope, with those of its dependencies that it carries as far as devices would follow them.
fn nested(envelope: &Envelope<'_>, depth: usize) -> Result<Map, Error> {
    let manifest = envelope.manifest_unverified()?;
    let payloads = envelope.payloads().into_iter().map(|(uri, payload)| {
        let inner = Envelope::decode(payload).ok().filter(|_| depth < limits::MAX_DEPENDENCY_DEPTH);
        Map::new()
            .with("uri", uri)
            .with("size", payload.len())
            .with("digest", Node::shown(sha256(payload)))
            .maybe("dependency", inner.and_then(|inner| nested(&inner, depth + 1).ok()))
    });
    Ok(Map::new()
        .with("kind", "SUIT envelope")
        .with("manifest_digest", Node::shown(envelope.manifest_digest_claimed()))
        .with("signatures", envelope.signatures().iter().map(|block| signature(block)).collect::<Vec<_>>())
        .with("manifest", self::manifest(&manifest))
        .unless_empty("severed_members", Node::list(envelope.severed_members()))
        .unless_empty("payloads", payloads.collect::<Vec<_>>()))
}

/// An authentication block: what it claims.
pub(super) fn signature(block: &[u8]) -> Map {
    if let Ok(message) = cose::Sign1::decode(block) {
        return Map::new()
            .with("algorithm", super::cose::algorithm(message.alg()))
            .maybe("kid", message.kid().map(Node::hex));
    }
    if let Ok(message) = cose::Mac0::decode(block) {
        return Map::new()
            .with("mac_of_a_shared_key", message.alg())
            .maybe("kid", message.kid().map(Node::hex));
    }
    match cose::Sign::decode(block) {
        Ok(message) => super::cose::sign(&message),
        Err(error) => Map::new().with("unreadable", Node::shown(error)),
    }
}

fn manifest(manifest: &Manifest<'_>) -> Map {
    let components = manifest.common().components();
    let mut map = Map::new()
        .with("sequence_number", manifest.sequence_number())
        .with("components", Node::list(components))
        .unless_empty(
            "dependencies",
            Node::List(
                manifest.common().dependencies().iter().map(|one| dependency(manifest, one)).collect(),
            ),
        )
        .maybe("reference_uri", manifest.reference_uri())
        .maybe("component_id", manifest.component_id().map(Node::shown))
        .maybe("set_version", manifest.set_version().map(Node::shown))
        .maybe("shared", manifest.common().shared().map(sequence));
    for (section, held) in manifest.sections() {
        map = map.with(&section.to_string(), held_node(held, sequence));
    }
    map.maybe("coswid", manifest.coswid().map(|held| held_node(&held, |bytes| coswid(bytes))))
        .maybe("text", manifest.text().map(|held| held_node(&held, |bytes| text(bytes))))
        .maybe("mud", manifest.mud().map(mud))
}

pub(super) fn mud(binding: &MudBinding<'_>) -> Map {
    Map::new().with("url", binding.url).with("signer", Node::shown(binding.signer))
}

fn dependency(manifest: &Manifest<'_>, dependency: &suit::Dependency) -> Node {
    let component = manifest.common().place(dependency.index);
    match &dependency.prefix {
        None => Node::from(dependency.index),
        Some(prefix) => Map::new()
            .with("index", dependency.index)
            .maybe("component", component.map(Node::shown))
            .with("prefix", Node::shown(prefix))
            .into(),
    }
}

/// Whom content is encrypted for, and how (ENC).
fn encryption(info: &[u8]) -> Node {
    let Ok(message) = cose::Encrypt::decode(info) else { return Node::diagnostic(info) };
    let recipient = |recipient: &cose::Recipient<'_>| {
        let algorithm = match cose::RecipientAlgorithm::from_cose_id(recipient.alg()) {
            Some(cose::RecipientAlgorithm::KeyWrap(wrap)) => Node::from(wrap.name()),
            Some(cose::RecipientAlgorithm::Agreement(wrap)) => Node::Text(format!("ECDH-ES+{}", wrap.name())),
            None => Node::from(recipient.alg()),
        };
        Map::new().with("algorithm", algorithm).maybe("kid", recipient.kid().map(Node::hex))
    };
    Map::new()
        .with("algorithm", message.algorithm().name())
        .with("recipients", message.recipients().iter().map(recipient).collect::<Vec<_>>())
        .with("diagnostic", Node::diagnostic(info))
        .into()
}

pub(super) fn held_node<T, N: Into<Node>>(held: &Held<T>, show: impl Fn(&T) -> N) -> Node {
    match held {
        Held::Severed(digest) => Map::new().with("severed", Node::shown(digest)).into(),
        Held::Inline(value) | Held::Restored(_, value) => show(value).into(),
    }
}

pub(super) fn coswid(bytes: &[u8]) -> Node {
    match ::coswid::Tag::decode(bytes) {
        Ok(tag) => super::coswid::tag(&tag).into(),
        Err(error) => Map::new().with("unreadable", Node::shown(error)).into(),
    }
}

pub(super) fn text(bytes: &[u8]) -> Node {
    Node::diagnostic(bytes)
}

/// The text of a verified manifest.
pub(crate) fn languages(text: &Text<'_>, components: &[suit::ComponentId]) -> Map {
    use labels::{component_text as about, text as of};
    text.languages().iter().fold(Map::new(), |map, language| {
        let elements = [("manifest", of::MANIFEST_DESCRIPTION), ("update", of::UPDATE_DESCRIPTION)];
        let entry = elements
            .into_iter()
            .fold(Map::new(), |map, (name, label)| map.maybe(name, language.element(label)));
        let entry = components.iter().fold(entry, |map, component| {
            let of = |label| language.component_element(component, label);
            let words = Map::new()
                .maybe("vendor", of(about::VENDOR_NAME))
                .maybe("model", of(about::MODEL_NAME))
                .maybe("domain", of(about::VENDOR_DOMAIN))
                .maybe("info", of(about::MODEL_INFO))
                .maybe("description", of(about::COMPONENT_DESCRIPTION))
                .maybe("version", of(about::COMPONENT_VERSION));
            map.unless_empty(&component.to_string(), words)
        });
        map.with(language.language(), entry)
    })
}

/// Commands with their byte offsets in the section, which reports name.
pub(crate) fn sequence(sequence: &Sequence<'_>) -> Node {
    Node::List(sequence.commands().iter().map(command).collect())
}

fn command(command: &Command<'_>) -> Node {
    let at = command.offset;
    let line = |text: String| Node::Text(format!("{at}: {text}"));
    let nested = |name: &str, value: Node| Node::from(Map::new().with(&format!("{at}: {name}"), value));
    match &command.operation {
        Operation::Condition(condition, policy) => line(condition_words(*condition, *policy)),
        Operation::Directive(directive, policy) => line(directive_words(*directive, *policy)),
        Operation::SetComponentIndex(index) => line(format!("component {}", index_words(index))),
        Operation::SetParameters(list) => nested("set parameters", parameters(list).into()),
        Operation::OverrideParameters(list) => nested("override parameters", parameters(list).into()),
        Operation::OverrideMultiple(entries) => {
            let each = |map: Map, (index, list): &(u32, Vec<Parameter<'_>>)| {
                map.with(&format!("component {index}"), parameters(list))
            };
            nested("override multiple", entries.iter().fold(Map::new(), each).into())
        }
        Operation::CopyParameters(entries) => {
            let words = entries.iter().map(|(index, labels)| format!("{labels:?} of component {index}"));
            nested("copy parameters", Node::list(words))
        }
        Operation::RunSequence(inner) => nested("run sequence", sequence(inner)),
        Operation::TryEach { alternatives, or_nothing } => {
            let mut list: Vec<Node> = alternatives.iter().map(sequence).collect();
            if *or_nothing {
                list.push("nothing".into());
            }
            nested("try each", Node::List(list))
        }
    }
}

pub(super) fn condition_words(condition: Condition, policy: ReportingPolicy) -> String {
    format!("condition {} (report {:#06b})", condition.name(), policy.0)
}

pub(super) fn directive_words(directive: Directive, policy: ReportingPolicy) -> String {
    format!("directive {} (report {:#06b})", directive.name(), policy.0)
}

pub(super) fn index_words(index: &ComponentIndex) -> String {
    match index {
        ComponentIndex::One(index) => index.to_string(),
        ComponentIndex::All => "all".to_owned(),
        ComponentIndex::List(list) => format!("{list:?}"),
    }
}

fn parameters(list: &[Parameter<'_>]) -> Map {
    list.iter().fold(Map::new(), |map, parameter| {
        let (name, value) = self::parameter(parameter);
        map.with(name, value)
    })
}

pub(super) fn parameter(parameter: &Parameter<'_>) -> (&'static str, Node) {
    match parameter {
        Parameter::VendorId(vendor) => ("vendor-identifier", Node::shown(vendor)),
        Parameter::ClassId(class) => ("class-identifier", Node::shown(class)),
        Parameter::ImageDigest(digest) => ("image-digest", Node::shown(digest)),
        Parameter::UseBefore(time) => ("use-before", (*time).into()),
        Parameter::ComponentSlot(slot) => ("component-slot", (*slot).into()),
        Parameter::StrictOrder(value) => ("strict-order", (*value).into()),
        Parameter::SoftFailure(value) => ("soft-failure", (*value).into()),
        Parameter::ImageSize(size) => ("image-size", (*size).into()),
        Parameter::Content(bytes) => ("content", Node::hex(bytes)),
        Parameter::EncryptionInfo(bytes) => ("encryption-info", encryption(bytes)),
        Parameter::Uri(uri) => ("uri", (*uri).into()),
        Parameter::SourceComponent(index) => ("source-component", (*index).into()),
        Parameter::InvokeArgs(bytes) => ("invoke-args", super::cose::payload(bytes)),
        Parameter::DeviceId(device) => ("device-identifier", Node::shown(device)),
        Parameter::FetchArguments(bytes) => ("fetch-arguments", super::cose::payload(bytes)),
        Parameter::MinimumBattery(energy) => ("minimum-battery", (*energy).into()),
        Parameter::UpdatePriority(priority) => ("update-priority", (*priority).into()),
        Parameter::VersionMatch(wanted) => {
            ("version", Node::Text(format!("{:?} {}", wanted.comparison, wanted.version)))
        }
        Parameter::WaitInfo(info) => ("wait-info", Node::Text(format!("{info:?}"))),
        Parameter::ComponentMetadata(metadata) => {
            ("component-metadata", Node::shown(format!("{metadata:?}")))
        }
    }
}

/// A report of a processor.
pub(crate) fn report(report: &Report) -> Map {
    let entry = |entry: &suit::Entry| match entry {
        suit::Entry::Record(one) => record(one),
        suit::Entry::Claims(one) => claims(one),
    };
    let outcome = match &report.outcome {
        suit::Outcome::Success => Map::new().with("outcome", "success"),
        suit::Outcome::Failure { reason, record: one, .. } => {
            Map::new().with("outcome", Node::shown(reason)).with("failed_at", record(one))
        }
    };
    outcome.unless_empty("records", report.entries.iter().map(entry).collect::<Vec<_>>())
}

/// A place in a manifest and what was measured there.
pub(crate) fn record(record: &suit::Record) -> Map {
    Map::new()
        .unless_empty("manifest", Node::list(&record.manifest_id))
        .with("section", record.section.map_or_else(|| "shared".to_owned(), |section| section.to_string()))
        .with("offset", record.offset)
        .with("component", record.component)
        .unless_empty("properties", Node::list(record.properties.iter().map(property)))
}

/// What was measured of a component.
pub(crate) fn claims(claims: &suit::SystemPropertyClaims) -> Map {
    Map::new()
        .with("component", Node::shown(&claims.component))
        .with("properties", Node::list(claims.properties.iter().map(property)))
}

/// What a processor says that it can process.
pub(crate) fn capabilities(capabilities: &Capabilities) -> Map {
    let named = |list: &[i64], name: fn(i64) -> Option<&'static str>| {
        Node::list(list.iter().map(|label| name(*label).map_or_else(|| label.to_string(), str::to_owned)))
    };
    let components = capabilities.components.iter().map(|one| match one.any_below {
        true => format!("{} and below", one.component),
        false => one.component.to_string(),
    });
    let labels = [
        ("envelope", &capabilities.envelope),
        ("manifest", &capabilities.manifest),
        ("common", &capabilities.common),
        ("text", &capabilities.text),
        ("component_text", &capabilities.component_text),
        ("dependency", &capabilities.dependency),
    ];
    let map = Map::new()
        .with("components", Node::list(components))
        .with("commands", named(&capabilities.commands, suit::command_name))
        .with("parameters", named(&capabilities.parameters, suit::parameter_name))
        .with(
            "algorithms",
            capabilities.algorithms.iter().map(|id| super::cose::algorithm(*id)).collect::<Vec<_>>(),
        );
    labels.into_iter().fold(map, |map, (name, list)| map.maybe(name, list.as_ref().map(Node::list)))
}

fn property(property: &suit::Property) -> String {
    use suit::Property;
    match property {
        Property::Vendor(id) => format!("vendor {id}"),
        Property::PrivateEnterprise(oid) => format!("vendor pen:{}", crate::node::hex(oid)),
        Property::Class(id) => format!("class {id}"),
        Property::Device(id) => format!("device {id}"),
        Property::Other { label, value } => format!("parameter {label}: {}", crate::node::hex(value)),
        Property::ImageDigest(digest) => format!("image-digest {digest}"),
        Property::ImageSize(size) => format!("image-size {size}"),
        Property::ComponentSlot(slot) => format!("component-slot {slot}"),
        Property::Time(time) => format!("time {time}"),
        Property::Battery(energy) => format!("battery {energy} mWh"),
        Property::Version(version) => format!("version {version}"),
    }
}

/// Reads the name of a severable member.
pub(crate) fn severable(text: &str) -> Result<Severable, String> {
    let found = Severable::ALL.into_iter().find(|member| member.to_string() == text);
    found.ok_or_else(|| {
        let names: Vec<String> = Severable::ALL.iter().map(Severable::to_string).collect();
        format!("expected one of {}", names.join(", "))
    })
}

pub(super) fn sha256(bytes: &[u8]) -> crypto::Digest {
    crypto::Digest::of(crypto::HashAlgorithm::Sha256, bytes)
}
