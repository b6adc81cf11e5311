//! The adapter of this product: `suit` behind the contract of docs/conformance.md.

#![forbid(unsafe_code)]
mod platform;

use std::collections::BTreeSet;
use std::process::ExitCode;

use crypto::HashAlgorithm;
use sextant_suit_conformance::{
    Component, Device, Failure, Features, Implementation, Manifest, Outcome, Trace, from_hex, serve, to_hex,
};
use suit::labels::manifest as label;
use suit::{
    Authority, AuthorityList, AuthorityPolicy, Capabilities, ComponentId, Envelope, FailureKind, Procedure,
    Processor, Role,
};

use self::platform::MemoryDevice;

fn main() -> ExitCode {
    serve(&Sextant)
}

struct Sextant;

impl Implementation for Sextant {
    fn features(&self) -> Features {
        features()
    }

    fn verify(&self, keys: &[Vec<u8>], envelope: &[u8]) -> Result<(), Failure> {
        let envelope = Envelope::decode(envelope).map_err(|error| malformed(&error))?;
        envelope.verify(&authorities(keys)?).map(|_| ()).map_err(|refusal| refused(&refusal))
    }

    fn decode(&self, envelope: &[u8]) -> Option<Result<Manifest, Failure>> {
        Some(decode(envelope).map_err(|error| malformed(&error)))
    }

    fn process(&self, keys: &[Vec<u8>], envelope: &[u8], device: &Device) -> Option<Trace> {
        let mut trace = Trace::default();
        match process(keys, envelope, device, &mut trace) {
            Ok(()) => trace.outcome = Outcome::Done,
            Err(failure) => trace.failure = failure,
        }
        Some(trace)
    }
}

fn features() -> Features {
    let has = Capabilities::of(&platform::ABILITIES, Vec::new());
    let all = |verbs: &[&str]| verbs.iter().map(|verb| (*verb).to_owned()).collect();
    let algorithms: BTreeSet<i64> = has.algorithms.iter().copied().collect();
    Features {
        implementation: "sextant".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        draft: "draft-ietf-suit-manifest-37".into(),
        verbs: all(&["verify", "decode", "process"]),
        authentication: [18, 98].into(),
        digests: algorithms.iter().copied().filter(|id| HashAlgorithm::from_cose_id(*id).is_some()).collect(),
        algorithms,
        envelope: has.envelope.into_iter().flatten().collect(),
        integrated: true,
        untagged: true,
        manifest: has.manifest.into_iter().flatten().collect(),
        common: has.common.into_iter().flatten().collect(),
        commands: has.commands.into_iter().collect(),
        parameters: has.parameters.into_iter().collect(),
        device: all(&[
            "decryption_keys",
            "installed",
            "now",
            "battery",
            "authorized",
            "device",
            "slot",
            "version",
        ]),
    }
}

fn decode(bytes: &[u8]) -> Result<Manifest, suit::Error> {
    let manifest = Envelope::decode(bytes)?.manifest_unverified()?;
    let mut members = BTreeSet::from([label::VERSION, label::SEQUENCE_NUMBER, label::COMMON]);
    members.extend(manifest.sections().map(|(section, _)| section.label()));
    let optional = [
        (label::REFERENCE_URI, manifest.reference_uri().is_some()),
        (label::COMPONENT_ID, manifest.component_id().is_some()),
        (label::SET_VERSION, manifest.set_version().is_some()),
        (label::COSWID, manifest.coswid().is_some()),
        (label::TEXT, manifest.text().is_some()),
        (label::MUD, manifest.mud().is_some()),
    ];
    members.extend(optional.into_iter().filter(|(_, here)| *here).map(|(label, _)| label));
    Ok(Manifest { sequence_number: manifest.sequence_number(), members })
}

/// Fills the trace and gives why it did not come to its end.
fn process(keys: &[Vec<u8>], bytes: &[u8], device: &Device, trace: &mut Trace) -> Result<(), Failure> {
    let believed = authorities(keys)?;
    let mut memory = MemoryDevice::new(device, believed.clone()).map_err(unclear)?;
    let outcome = run(bytes, &believed, device, &mut memory, trace);
    memory.tell(trace);
    outcome
}

fn run(
    bytes: &[u8],
    believed: &AuthorityList,
    device: &Device,
    memory: &mut MemoryDevice,
    trace: &mut Trace,
) -> Result<(), Failure> {
    let envelope = Envelope::decode(bytes).map_err(|error| malformed(&error))?;
    let verified = envelope.verify(believed).map_err(|refusal| refused(&refusal))?;
    let mut processor = Processor::new(&verified, memory).map_err(|refusal| refused(&refusal))?;
    for name in &device.procedures {
        let procedure = procedure(name).ok_or_else(|| unclear(format!("procedure {name} is not known")))?;
        processor.run(procedure).map_err(|failure| {
            trace.outcome = Outcome::Stopped;
            trace.condition = match failure.kind {
                FailureKind::NotMet(condition) => Some(condition.code()),
                _ => None,
            };
            Failure { reason: Some(failure.kind.reason().to_string()), code: failure.kind.code().into() }
        })?;
    }
    Ok(())
}

fn procedure(name: &str) -> Option<Procedure> {
    match name {
        "update" => Some(Procedure::Update),
        "invocation" => Some(Procedure::Invocation),
        "uninstallation" => Some(Procedure::Uninstallation),
        _ => None,
    }
}

/// Whoever has one of the keys is an author of everything.
fn authorities(keys: &[Vec<u8>]) -> Result<AuthorityList, Failure> {
    let mut entries = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let key = cose::Key::decode(key).map_err(|error| unclear(format!("not a key: {error}")))?;
        let kid = key.kid().unwrap_or_default();
        entries.push(Authority::new(key.public().clone(), kid, &format!("key {index}"), Role::Author));
    }
    AuthorityList::new(AuthorityPolicy::default(), entries)
        .map_err(|error| unclear(format!("not a list of keys: {error}")))
}

fn malformed(error: &suit::Error) -> Failure {
    Failure { reason: Some(error.reason().to_string()), code: error.code().into() }
}

fn refused(refusal: &suit::Refusal) -> Failure {
    Failure { reason: Some(refusal.reason().to_string()), code: refusal.code().into() }
}

/// What the kit asked is not as agreed.
fn unclear(what: String) -> Failure {
    Failure { reason: None, code: what }
}

/// Segments of a component identifier, as the contract writes them.
fn segments(id: &ComponentId) -> Vec<String> {
    id.segments().map(to_hex).collect()
}

fn component_id(component: &Component) -> Result<ComponentId, String> {
    let segments: Option<Vec<Vec<u8>>> = component.id.iter().map(|segment| from_hex(segment)).collect();
    segments
        .and_then(|segments| ComponentId::new(&segments))
        .ok_or_else(|| "not a component identifier".into())
}
