//! The other side of the contract, for implementations in Rust: reads the question, writes the answer.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an adapter answers on standard output")]

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::{Device, Failure, Features, Manifest, Outcome, Trace};

/// An implementation, as its adapter speaks for it.
pub trait Implementation {
    /// What it has.
    fn features(&self) -> Features;

    /// Whether it believes an envelope when these COSE_Keys may have signed.
    ///
    /// # Errors
    /// Why it does not.
    fn verify(&self, keys: &[Vec<u8>], envelope: &[u8]) -> Result<(), Failure>;

    /// What a manifest says of itself; `None` where it cannot tell without believing.
    fn decode(&self, envelope: &[u8]) -> Option<Result<Manifest, Failure>>;

    /// Runs procedures on a device; `None` where it does not process.
    fn process(&self, keys: &[Vec<u8>], envelope: &[u8], device: &Device) -> Option<Trace>;
}

/// Answers the question on the command line.
pub fn serve(implementation: &impl Implementation) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    answer(implementation, &words).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::from(MISUSED)
    })
}

/// Answers one question. An error is a mistake of whoever asks.
fn answer(implementation: &impl Implementation, words: &[String]) -> Result<ExitCode, String> {
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
    let envelope = || envelope.as_deref().ok_or("no envelope");
    Ok(match verb.as_str() {
        "features" => say(0, &implementation.features()),
        "verify" => match implementation.verify(&keys, envelope()?) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => say(1, &failure),
        },
        "decode" => match implementation.decode(envelope()?) {
            Some(Ok(manifest)) => say(0, &manifest),
            Some(Err(failure)) => say(1, &failure),
            None => ExitCode::from(UNSUPPORTED),
        },
        "process" => {
            let device: Device = serde_json::from_slice(device.as_deref().ok_or("no device")?)
                .map_err(|error| format!("not a device: {error}"))?;
            match implementation.process(&keys, envelope()?, &device) {
                Some(trace) => say(u8::from(trace.outcome != Outcome::Done), &trace),
                None => ExitCode::from(UNSUPPORTED),
            }
        }
        _ => ExitCode::from(UNSUPPORTED),
    })
}

fn say(status: u8, answer: &impl Serialize) -> ExitCode {
    println!("{}", serde_json::to_string(answer).expect("an answer without maps of other keys than text"));
    ExitCode::from(status)
}

fn read(file: impl AsRef<Path>) -> Result<Vec<u8>, String> {
    std::fs::read(&file).map_err(|error| format!("{}: {error}", file.as_ref().display()))
}

const UNSUPPORTED: u8 = 2;
const MISUSED: u8 = 3;
