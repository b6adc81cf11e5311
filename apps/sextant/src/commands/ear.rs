use std::path::PathBuf;

use clap::{Args, Subcommand};
use cose::Purpose;
use eat::{Nonce, SignedResult, Tier, Ueid};

use crate::{
    clock,
    commands::{coswid::chain, eat::nonce},
    detect::Parts,
    failure::{Answer, Failure},
    files::Input,
    keys::{self, KeyFile},
    node::from_hex,
    printer::{Printer, Verdict},
    show,
};

/// Check attestation results, in CBOR and JSON form.
#[derive(Debug, Subcommand)]
pub(crate) enum Ear {
    /// Show a result
    Inspect(Inspect),
    /// Say whether a result is by a trusted verifier, in its time, and good
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The result
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The result
    file: PathBuf,
    /// Public key of a trusted verifier, in any form; repeatable
    #[arg(long = "key", value_name = "PUB", required = true)]
    keys: Vec<PathBuf>,
    /// The nonce that was sent, in hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<Nonce>,
    /// The device the result must be about: its UEID in hexadecimal digits
    #[arg(long, value_name = "UEID", value_parser = ueid)]
    device: Option<Ueid>,
    /// Public key that the result must be bound to
    #[arg(long, value_name = "PUB", requires = "device")]
    device_key: Option<PathBuf>,
    /// The time it must be good at; now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
}

pub(crate) fn run(command: Ear, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Ear::Inspect(Inspect { file }) => {
            let input = Input::read(&file)?;
            printer.show(&show::ear::tree(decode(&input)?.unverified(), Parts::ALL).into());
            Ok(Answer::Yes)
        }
        Ear::Verify(command) => verify(&command, printer),
    }
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let signed = decode(&input)?;
    let anchors = keys::anchors(&KeyFile::read_public(&command.keys)?, Purpose::Result);
    let now = command.at.unwrap_or_else(clock::now);
    let verified = match signed.verify(&anchors, now, command.nonce.as_ref()) {
        Ok(verified) => verified,
        Err(error) => return Ok(printer.answer(Verdict::no(code(&error), chain(&error)))),
    };
    let facts = show::ear::tree(verified.result(), Parts::ALL);
    let bound = match (&command.device, &command.device_key) {
        (Some(ueid), Some(path)) => verified.is_bound_to(ueid, &KeyFile::read(path)?.public),
        (Some(ueid), None) => verified.result().ueid.as_ref() == Some(ueid),
        (None, _) => true,
    };
    let verdict = if !bound {
        Verdict::no("result-binding", "the result is about another device or key")
    } else if verified.tier() == Tier::Affirming {
        Verdict::yes("a trusted verifier affirms the device")
    } else {
        let first = verified.result().submods.values().find_map(|appraisal| appraisal.reasons.first());
        let code = first.map_or("not-affirmed", |reason| reason.code.as_str()).to_owned();
        Verdict::no(code, format!("a trusted verifier says: {}", verified.tier()))
    };
    Ok(printer.answer(verdict.with(facts)))
}

fn decode(input: &Input) -> Result<SignedResult<'_>, Failure> {
    SignedResult::decode(&input.bytes).map_err(|error| {
        Failure::new(format!("{}: not an attestation result that is understood", input.name)).because(&error)
    })
}

/// The reason code of a refusal.
fn code(error: &eat::Error) -> &'static str {
    match error {
        eat::Error::Untrusted(eat::Distrust::Expired) => "evidence-overdue",
        eat::Error::Untrusted(eat::Distrust::Nonce) => "replayed-nonce",
        _ => "result-signer",
    }
}

/// Reads a UEID.
pub(crate) fn ueid(text: &str) -> Result<Ueid, String> {
    let bytes = from_hex(text).and_then(|bytes| Ueid::new(&bytes));
    bytes.ok_or_else(|| "expected a UEID of 7 to 33 bytes in hexadecimal digits".to_owned())
}
