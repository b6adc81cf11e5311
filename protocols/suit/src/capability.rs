use alloc::vec::Vec;
use core::fmt;

use cbor::{Error as CborError, Key, MapBuilder, Reader, Reason, Type, Writer};
use cose::RecipientAlgorithm;
use crypto::{ContentAlgorithm, HashAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm};

use crate::{
    Abilities, ComponentId, Error, Feature, Parameter, Severable, Verified,
    ability::command_codes,
    evaluate::each_operation,
    labels::{capability, command, common, component_text, envelope, manifest, parameter, text},
    limits::{MAX_CAPABILITIES, MAX_COMPONENT_SEGMENTS, MAX_SEGMENT_LEN},
    names::{command_name, parameter_name},
};

/// SUIT_Capability_Report (REP, section 6): what a processor can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Components that manifests may name.
    pub components: Vec<ComponentCapability>,
    /// Codes of commands.
    pub commands: Vec<i64>,
    /// Labels of parameters.
    pub parameters: Vec<i64>,
    /// Algorithms of digests and signatures, as COSE numbers them.
    pub algorithms: Vec<i64>,
    /// Labels of envelope members, where it tells.
    pub envelope: Option<Vec<i64>>,
    /// Labels of manifest members, where it tells.
    pub manifest: Option<Vec<i64>>,
    /// Labels of members of common, where it tells.
    pub common: Option<Vec<i64>>,
    /// Labels of text elements about a manifest, where it tells.
    pub text: Option<Vec<i64>>,
    /// Labels of text elements about a component, where it tells.
    pub component_text: Option<Vec<i64>>,
    /// Labels of the metadata of dependencies, where it tells.
    pub dependency: Option<Vec<i64>>,
    /// Labels at other places, each as the path of keys that leads there.
    pub others: Vec<(Vec<i64>, Vec<i64>)>,
}

/// Components that manifests may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentCapability {
    /// The component, or the first segments of it.
    pub component: ComponentId,
    /// Whether everything below is meant too.
    pub any_below: bool,
}

impl ComponentCapability {
    fn covers(&self, component: &ComponentId) -> bool {
        self.component == *component || self.any_below && component.starts_with(&self.component)
    }
}

impl Capabilities {
    /// What this crate can do on a platform with these abilities and components. Dispatch and admission go by the same
    /// tables, so that nothing is promised that is refused, and nothing is kept back.
    pub fn of(abilities: &Abilities, components: Vec<ComponentCapability>) -> Self {
        let sorted = |mut list: Vec<i64>| {
            list.sort_unstable();
            list
        };
        let commands = command_codes().filter(|code| abilities.command(*code)).collect();
        let parameters = Parameter::LABELS.into_iter().filter(|label| abilities.parameter(*label)).collect();
        let digests = HashAlgorithm::ALL.into_iter().map(HashAlgorithm::cose_id);
        let signatures = SignatureAlgorithm::ALL.into_iter();
        let signatures = signatures.flat_map(|alg| [alg.cose_id(), alg.fully_specified_cose_id()]);
        let severable = Severable::ALL.into_iter().map(Severable::label);
        let mut common = alloc::vec![common::COMPONENTS, common::SHARED_SEQUENCE];
        common.extend(abilities.dependencies.then_some(common::DEPENDENCIES));
        let mut algorithms: Vec<i64> = digests.chain(signatures).collect();
        if abilities.decryption {
            algorithms.extend(ContentAlgorithm::IN_PIECES.map(ContentAlgorithm::cose_id));
            algorithms.extend(KeyWrapAlgorithm::ALL.map(|wrap| RecipientAlgorithm::KeyWrap(wrap).cose_id()));
            algorithms
                .extend(KeyWrapAlgorithm::ALL.map(|wrap| RecipientAlgorithm::Agreement(wrap).cose_id()));
        }
        algorithms.sort_unstable();
        algorithms.dedup();
        Self {
            components,
            commands: sorted(commands),
            parameters: sorted(parameters),
            algorithms,
            envelope: Some(sorted(
                [envelope::AUTHENTICATION_WRAPPER, envelope::MANIFEST].into_iter().chain(severable).collect(),
            )),
            manifest: Some(MANIFEST_MEMBERS.to_vec()),
            common: Some(sorted(common)),
            text: Some((text::MANIFEST_DESCRIPTION..=text::MANIFEST_YAML_SOURCE).collect()),
            component_text: Some((component_text::VENDOR_NAME..=component_text::CURRENT_VERSION).collect()),
            dependency: abilities.dependencies.then(|| alloc::vec![common::DEPENDENCY_PREFIX]),
            others: Vec::new(),
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        let list = |w: &mut Writer, list: &[i64]| {
            w.array(list.len());
            list.iter().for_each(|label| {
                w.int(*label);
            });
        };
        let mut map = MapBuilder::new();
        map.int(capability::COMPONENTS, |w| {
            w.array(self.components.len());
            self.components.iter().for_each(|component| component.encode(w));
        });
        map.int(capability::COMMANDS, |w| list(w, &self.commands));
        map.int(capability::PARAMETERS, |w| list(w, &self.parameters));
        map.int(capability::ALGORITHMS, |w| list(w, &self.algorithms));
        for (label, labels) in [
            (capability::ENVELOPE, &self.envelope),
            (capability::MANIFEST, &self.manifest),
            (capability::COMMON, &self.common),
            (capability::TEXT, &self.text),
            (capability::COMPONENT_TEXT, &self.component_text),
            (capability::DEPENDENCY, &self.dependency),
        ] {
            map.int_if(label, labels.as_deref(), list);
        }
        for (path, labels) in &self.others {
            map.entry(Writer::encode(|w| list(w, path)), |w| list(w, labels));
        }
        map.write(writer);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut this = Self::default();
        let mut needed = [false; 4];
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            match map.next(reader)? {
                None => break,
                Some(Key::Int(label)) => {
                    let seen = usize::try_from(label - capability::COMPONENTS).ok();
                    if let Some(seen) = seen.and_then(|place| needed.get_mut(place)) {
                        *seen = true;
                    }
                    match label {
                        capability::COMPONENTS => this.components = components(reader)?,
                        capability::COMMANDS => this.commands = ints(reader)?,
                        capability::PARAMETERS => this.parameters = ints(reader)?,
                        capability::ALGORITHMS => this.algorithms = ints(reader)?,
                        capability::ENVELOPE => this.envelope = Some(ints(reader)?),
                        capability::MANIFEST => this.manifest = Some(ints(reader)?),
                        capability::COMMON => this.common = Some(ints(reader)?),
                        capability::TEXT => this.text = Some(ints(reader)?),
                        capability::COMPONENT_TEXT => this.component_text = Some(ints(reader)?),
                        capability::DEPENDENCY => this.dependency = Some(ints(reader)?),
                        other => {
                            return Err(Error::Unsupported { at, feature: Feature::ReportMember(other) });
                        }
                    }
                }
                Some(Key::Other(path)) => {
                    let path = ints(&mut Reader::new(path).at_offset(at))?;
                    this.others.push((path, ints(reader)?));
                }
                Some(Key::Text(_)) => {
                    return Err(CborError::rule(at, "capability is keyed by text").into());
                }
            }
        }
        if let Some(missing) = (capability::COMPONENTS..).zip(needed).find(|(_, seen)| !seen) {
            return Err(CborError::new(start, Reason::MissingKey(missing.0)).into());
        }
        Ok(this)
    }
}

impl ComponentCapability {
    fn encode(&self, writer: &mut Writer) {
        let segments = self.component.segments().count();
        writer.array(segments + usize::from(self.any_below));
        self.component.segments().for_each(|segment| {
            writer.bytes(segment);
        });
        if self.any_below {
            writer.bool(true);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        let too_long = CborError::new(at, Reason::TooLong { limit: MAX_COMPONENT_SEGMENTS });
        let mut left = reader.array()?;
        let (mut segments, mut any_below) = (Vec::new(), false);
        while left > 0 {
            left -= 1;
            if left == 0 && reader.peek()? == Type::Bool {
                any_below = reader.bool()?;
                if !any_below {
                    return Err(CborError::rule(at, "component capability ends in false").into());
                }
                break;
            }
            let segment = reader.bytes()?;
            if segments.len() == MAX_COMPONENT_SEGMENTS || segment.len() > MAX_SEGMENT_LEN {
                return Err(too_long.into());
            }
            segments.push(segment);
        }
        let component = ComponentId::new(&segments).ok_or(too_long)?;
        Ok(Self { component, any_below })
    }
}

/// Reads a list of at least one.
fn count(reader: &mut Reader<'_>) -> Result<usize, Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count == 0 {
        return Err(CborError::rule(at, "list of capabilities is empty").into());
    }
    if count > MAX_CAPABILITIES {
        return Err(CborError::new(at, Reason::TooLong { limit: MAX_CAPABILITIES }).into());
    }
    Ok(count)
}

fn components(reader: &mut Reader<'_>) -> Result<Vec<ComponentCapability>, Error> {
    (0..count(reader)?).map(|_| ComponentCapability::decode(reader)).collect()
}

fn ints(reader: &mut Reader<'_>) -> Result<Vec<i64>, Error> {
    (0..count(reader)?).map(|_| Ok(reader.int()?)).collect()
}

/// Labels of every manifest member this crate reads, ascending.
const MANIFEST_MEMBERS: [i64; 17] = [
    manifest::VERSION,
    manifest::SEQUENCE_NUMBER,
    manifest::COMMON,
    manifest::REFERENCE_URI,
    manifest::COMPONENT_ID,
    manifest::SET_VERSION,
    manifest::VALIDATE,
    manifest::LOAD,
    manifest::INVOKE,
    manifest::COSWID,
    manifest::DEPENDENCY_RESOLUTION,
    manifest::PAYLOAD_FETCH,
    manifest::CANDIDATE_VERIFICATION,
    manifest::INSTALL,
    manifest::TEXT,
    manifest::UNINSTALL,
    manifest::MUD,
];

/// What a manifest needs and a processor does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// A component.
    Component(ComponentId),
    /// A command.
    Command(i64),
    /// A parameter.
    Parameter(i64),
    /// The algorithm of a digest, or of all signatures there are.
    Algorithm(i64),
    /// A member of the envelope.
    EnvelopeMember(i64),
    /// A member of the manifest.
    ManifestMember(i64),
    /// A member of common.
    CommonMember(i64),
    /// A member of the metadata of a dependency.
    DependencyMember(i64),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(component) => write!(f, "component {component}"),
            Self::Command(code) => match command_name(*code) {
                Some(name) => write!(f, "command {name}"),
                None => write!(f, "command {code}"),
            },
            Self::Parameter(label) => match parameter_name(*label) {
                Some(name) => write!(f, "parameter {name}"),
                None => write!(f, "parameter {label}"),
            },
            Self::Algorithm(id) => write!(f, "algorithm {id}"),
            Self::EnvelopeMember(label) => write!(f, "envelope member {label}"),
            Self::ManifestMember(label) => write!(f, "manifest member {label}"),
            Self::CommonMember(label) => write!(f, "common member {label}"),
            Self::DependencyMember(label) => write!(f, "dependency member {label}"),
        }
    }
}

/// Whether a processor with these capabilities can process the manifest, as far as they tell; else everything it lacks.
///
/// What every processor must have counts as there (MAN, section 8: mandatory to implement), whether it is listed or not.
/// Dependencies have manifests of their own, to be asked about one by one.
pub fn can_process(capabilities: &Capabilities, verified: &Verified<'_>) -> Result<(), Vec<Unsupported>> {
    let manifest = verified.manifest();
    let mut lacks: Vec<Unsupported> = Vec::new();
    let mut lack = |what: Unsupported| {
        if !lacks.contains(&what) {
            lacks.push(what);
        }
    };
    for component in manifest.common().all_indices().filter_map(|index| manifest.common().place(index)) {
        if !capabilities.components.iter().any(|one| one.covers(component)) {
            lack(Unsupported::Component(component.clone()));
        }
    }
    let has = |listed: &[i64], base: &[i64], label: i64| listed.contains(&label) || base.contains(&label);
    each_operation(manifest, &mut |operation| {
        if !has(&capabilities.commands, &BASE_COMMANDS, operation.code()) {
            lack(Unsupported::Command(operation.code()));
        }
        for parameter in operation.parameters() {
            let label = parameter.label();
            if !has(&capabilities.parameters, &BASE_PARAMETERS, label) {
                lack(Unsupported::Parameter(label));
            } else if let Parameter::EncryptionInfo(info) = parameter
                && let Ok(message) = cose::Encrypt::decode(info)
                && !capabilities.algorithms.contains(&message.algorithm().cose_id())
            {
                lack(Unsupported::Algorithm(message.algorithm().cose_id()));
            }
        }
    });
    let base_algorithms = [HashAlgorithm::Sha256.cose_id()];
    let digest = verified.manifest_digest().algorithm().cose_id();
    if !has(&capabilities.algorithms, &base_algorithms, digest) {
        lack(Unsupported::Algorithm(digest));
    }
    let signed: Vec<i64> = signature_algorithms(verified);
    if let Some(first) = signed.first()
        && !signed.iter().any(|id| capabilities.algorithms.contains(id))
    {
        lack(Unsupported::Algorithm(*first));
    }
    let members = |listed: &Option<Vec<i64>>, base: &[i64], label: i64| {
        has(listed.as_deref().unwrap_or_default(), base, label)
    };
    for member in verified.envelope().severed_members().map(Severable::label) {
        if !members(&capabilities.envelope, &[], member) {
            lack(Unsupported::EnvelopeMember(member));
        }
    }
    for member in manifest.member_labels() {
        if !members(&capabilities.manifest, &BASE_MANIFEST, member) {
            lack(Unsupported::ManifestMember(member));
        }
    }
    let dependencies = manifest.common().dependencies();
    if !dependencies.is_empty() && !members(&capabilities.common, &[], common::DEPENDENCIES) {
        lack(Unsupported::CommonMember(common::DEPENDENCIES));
    }
    if dependencies.iter().any(|dependency| dependency.prefix.is_some())
        && !members(&capabilities.dependency, &[], common::DEPENDENCY_PREFIX)
    {
        lack(Unsupported::DependencyMember(common::DEPENDENCY_PREFIX));
    }
    if lacks.is_empty() { Ok(()) } else { Err(lacks) }
}

/// Algorithms of the authentication blocks.
fn signature_algorithms(verified: &Verified<'_>) -> Vec<i64> {
    let mut algorithms = Vec::new();
    for block in verified.envelope().blocks() {
        match cbor::Reader::new(block).tag().ok() {
            Some(cose::labels::TAG_SIGN1) => {
                algorithms.extend(cose::Sign1::decode(block).ok().map(|message| message.alg()));
            }
            Some(cose::labels::TAG_SIGN) => {
                let message = cose::Sign::decode(block).ok();
                let signatures = message.iter().flat_map(|message| message.signatures());
                algorithms.extend(signatures.map(|signature| signature.alg()));
            }
            _ => {}
        }
    }
    algorithms
}

/// Commands that every processor has.
const BASE_COMMANDS: [i64; 5] = [
    command::VENDOR_IDENTIFIER,
    command::CLASS_IDENTIFIER,
    command::IMAGE_MATCH,
    command::SET_COMPONENT_INDEX,
    command::OVERRIDE_PARAMETERS,
];

/// Parameters that every processor has.
const BASE_PARAMETERS: [i64; 4] = [
    parameter::VENDOR_IDENTIFIER,
    parameter::CLASS_IDENTIFIER,
    parameter::IMAGE_DIGEST,
    parameter::IMAGE_SIZE,
];

/// Manifest members that every processor has.
const BASE_MANIFEST: [i64; 4] =
    [manifest::VERSION, manifest::SEQUENCE_NUMBER, manifest::COMMON, manifest::VALIDATE];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Section, labels};

    /// Labels that a decoder could know.
    const PROBED: core::ops::RangeInclusive<i64> = -10..=64;

    #[test]
    fn tables_are_those_of_the_decoders() {
        for label in PROBED {
            let mut writer = Writer::new();
            writer.map(1).int(label).null();
            let bytes = writer.into_bytes();
            let parameters = crate::parameter::decode_parameters(Reader::new(&bytes).lean());
            let unknown = matches!(parameters.map_err(Error::from), Err(Error::Unsupported { .. }));
            assert_eq!(!unknown, Parameter::LABELS.contains(&label), "parameter {label}");

            let manifest = manifest_with(label);
            let decoded = crate::Manifest::decode(&manifest, 0).map_err(Error::from);
            let unknown = matches!(
                decoded,
                Err(Error::Unsupported { feature: Feature::ManifestMember(_) | Feature::LegacyDraft, .. })
            );
            assert_eq!(!unknown, MANIFEST_MEMBERS.contains(&label), "manifest member {label}");
        }
    }

    /// A manifest whose last member has this label and a value that is none.
    fn manifest_with(label: i64) -> Vec<u8> {
        let mut map = MapBuilder::new();
        map.int(manifest::COMMON, |w| {
            w.wrap(|w| {
                w.map(1).int(common::COMPONENTS).array(1).array(0);
            });
        });
        if label != manifest::COMMON {
            map.int(label, |w| {
                w.null();
            });
        }
        map.into_bytes()
    }

    #[test]
    fn everything_is_listed_in_order_and_once() {
        let all = Abilities {
            swap: true,
            clock: true,
            battery: true,
            authorization: true,
            versions: true,
            events: &[labels::wait::TIME],
            metadata: true,
            decryption: true,
            dependencies: true,
            references: true,
        };
        let full = Capabilities::of(&all, Vec::new());
        let base = Capabilities::of(&Abilities::default(), Vec::new());
        let ascending = |list: &[i64]| list.windows(2).all(|pair| pair.first() < pair.last());
        for list in [&full.commands, &full.parameters, &full.algorithms, &MANIFEST_MEMBERS.to_vec()] {
            assert!(ascending(list), "{list:?}");
        }
        assert_eq!((full.commands.len(), full.parameters.len()), (29, 20));
        assert!(base.commands.iter().all(|code| full.commands.contains(code)));
        for code in [command::USE_BEFORE, command::WAIT, command::SWAP, command::UNLINK] {
            assert!(full.commands.contains(&code) && !base.commands.contains(&code), "{code}");
        }
        assert!(Section::ALL.into_iter().all(|section| MANIFEST_MEMBERS.contains(&section.label())));
    }
}
