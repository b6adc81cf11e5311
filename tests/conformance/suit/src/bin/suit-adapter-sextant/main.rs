//! The adapter of this product: `suit` behind the contract of docs/conformance.md.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its caller")]

mod platform;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use crypto::HashAlgorithm;
use serde::Serialize;
use sextant_suit_conformance::{
    Component, Device, Failure, Features, Manifest, Outcome, Trace, from_hex, to_hex,
};
use suit::{
    Authority, AuthorityList, AuthorityPolicy, Capabilities, ComponentId, Envelope, FailureKind, Procedure,
    Processor, Role,
};

use self::platform::MemoryDevice;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match answer(&words) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("suit-adapter-sextant: {error}");
            ExitCode::from(3)
        }
    }
}

/// Answers one question. An error is a mistake of whoever asks.
fn answer(words: &[String]) -> Result<ExitCode, String> {
    let (verb, rest) = words.split_first().ok_or("no verb")?;
    let (mut keys, mut device, mut envelope) = (Vec::new(), None, None);
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--key" => keys.push(read(rest.next().ok_or("--key needs a file")?)?),
            "--device" => device = Some(read(rest.next().ok_or("--device needs a file")?)?),
            file => envelope = Some(read(file)?),
        }
    }
    if verb == "features" {
        return Ok(say(0, &features()));
    }
    let envelope = envelope.ok_or("no envelope")?;
    match verb.as_str() {
        "decode" => Ok(decode(&envelope)),
        "verify" => {
            let believed = authorities(&keys)?;
            let verified = Envelope::decode(&envelope).map_err(|error| malformed(&error));
            Ok(
                match verified
                    .and_then(|it| it.verify(&believed).map(|_| ()).map_err(|refusal| refused(&refusal)))
                {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(failure) => say(1, &failure),
                },
            )
        }
        "process" => {
            let device: Device =
                serde_json::from_slice(&device.ok_or("no device")?).map_err(|it| it.to_string())?;
            let trace = process(&envelope, authorities(&keys)?, &device)?;
            Ok(say(u8::from(trace.outcome != Outcome::Done), &trace))
        }
        _ => Ok(ExitCode::from(2)),
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
        device: all(&["installed", "now", "battery", "authorized", "device", "slot", "version"]),
    }
}

fn decode(bytes: &[u8]) -> ExitCode {
    let envelope = match Envelope::decode(bytes) {
        Ok(envelope) => envelope,
        Err(error) => return say(1, &malformed(&error)),
    };
    let manifest = match envelope.manifest_unverified() {
        Ok(manifest) => manifest,
        Err(error) => return say(1, &malformed(&error)),
    };
    use suit::labels::manifest as label;
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
    say(0, &Manifest { sequence_number: manifest.sequence_number(), members })
}

fn process(bytes: &[u8], believed: AuthorityList, device: &Device) -> Result<Trace, String> {
    let mut memory = MemoryDevice::new(device, believed.clone())?;
    let mut trace = Trace { outcome: Outcome::Refused, ..Trace::default() };
    match Envelope::decode(bytes).map_err(|error| malformed(&error)).and_then(|envelope| {
        let verified = envelope.verify(&believed).map_err(|refusal| refused(&refusal))?;
        let mut processor = Processor::new(&verified, &mut memory).map_err(|refusal| refused(&refusal))?;
        for name in &device.procedures {
            let Some(procedure) = procedure(name) else {
                return Err(Failure { reason: None, code: format!("procedure {name} is not known") });
            };
            if let Err(failure) = processor.run(procedure) {
                trace.outcome = Outcome::Stopped;
                trace.condition = match failure.kind {
                    FailureKind::NotMet(condition) => Some(condition.code()),
                    _ => None,
                };
                return Err(Failure {
                    reason: Some(failure.kind.reason().to_string()),
                    code: failure.kind.code().into(),
                });
            }
        }
        Ok(())
    }) {
        Ok(()) => trace.outcome = Outcome::Done,
        Err(failure) => trace.failure = failure,
    }
    memory.tell(&mut trace);
    Ok(trace)
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
fn authorities(keys: &[Vec<u8>]) -> Result<AuthorityList, String> {
    let mut entries = Vec::new();
    for (index, key) in keys.iter().enumerate() {
        let key = cose::Key::decode(key).map_err(|error| format!("not a key: {error}"))?;
        let kid = key.kid().unwrap_or_default();
        entries.push(Authority::new(key.public().clone(), kid, &format!("key {index}"), Role::Author));
    }
    AuthorityList::new(AuthorityPolicy::default(), entries)
        .map_err(|error| format!("not a list of keys: {error}"))
}

fn malformed(error: &suit::Error) -> Failure {
    Failure { reason: Some(error.reason().to_string()), code: error.code().into() }
}

fn refused(refusal: &suit::Refusal) -> Failure {
    Failure { reason: Some(refusal.reason().to_string()), code: refusal.code().into() }
}

fn say(status: u8, answer: &impl Serialize) -> ExitCode {
    println!("{}", serde_json::to_string(answer).expect("an answer without maps of other keys than text"));
    ExitCode::from(status)
}

fn read(file: impl Into<PathBuf>) -> Result<Vec<u8>, String> {
    let file = file.into();
    std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))
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
