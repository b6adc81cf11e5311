use std::path::PathBuf;

use clap::{Args, Subcommand};
use eat::{EVIDENCE_PROFILE, Evidence, MeasuredComponentFormats, MediaType, Nonce, Token};
use trust::{Beliefs, Code, Endorsements, Policy};

use crate::{
    clock,
    commands::{appraise, coswid::chain, up},
    detect::Parts,
    evidence::{self, Unwrapped},
    failure::{Answer, Failure},
    files::Input,
    keys::{self, KeyFile},
    node::{Map, from_hex},
    printer::{Printer, Verdict},
    show,
};

/// Check and appraise evidence.
#[derive(Debug, Subcommand)]
pub(crate) enum Eat {
    /// Show a token
    Inspect(Inspect),
    /// Say whether evidence is signed by a device's key and fresh
    Verify(Verify),
    /// Compare evidence with releases, manifests or tags, and make an attestation result
    Appraise(appraise::Appraise),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The token
    file: PathBuf,
}

/// Evidence, and whose it is to be.
#[derive(Debug, Args)]
pub(crate) struct Presented {
    /// The evidence, of any form
    pub(super) file: PathBuf,
    /// The nonce that was sent, in hexadecimal digits; without it freshness is not checked
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    pub(super) nonce: Option<Nonce>,
    /// The form of the evidence; detected from its content without it
    #[arg(long, value_name = "TYPE", value_parser = media_type)]
    pub(super) media_type: Option<MediaType>,
    /// Certificate of who certifies keys of devices, for evidence that carries certificates; repeatable
    #[arg(long = "attester-ca", value_name = "CERT")]
    pub(super) attester_authorities: Vec<PathBuf>,
    /// Content-Formats of measured components in tokens, CBOR and JSON: none is registered
    #[arg(long, value_name = "CBOR,JSON", value_parser = up::content_formats)]
    pub(super) measured_components: Option<MeasuredComponentFormats>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    presented: Presented,
    /// Public key of the device or of a part of it, in any form; repeatable
    #[arg(long = "key", value_name = "PUB", required_unless_present = "attester_authorities")]
    keys: Vec<PathBuf>,
}

pub(crate) fn run(command: Eat, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Eat::Inspect(Inspect { file }) => inspect(&file, printer),
        Eat::Verify(command) => verify(&command, printer),
        Eat::Appraise(command) => appraise::run(&command, printer),
    }
}

fn inspect(file: &std::path::Path, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(file)?.binary();
    let Some(tree) = evidence::tree(&input.bytes, Parts::ALL) else {
        // Whatever its form may be is what stands against it.
        let unwrapped = Unwrapped::new(&input, None)?;
        return Err(match unwrapped.read() {
            Err(reason) => evidence::malformed(&input, &reason),
            Ok(_) => Failure::new(format!("{}: evidence that cannot be shown", input.name)),
        });
    };
    printer.show(&tree.into());
    Ok(Answer::Yes)
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let presented = &command.presented;
    let input = Input::read(&presented.file)?.binary();
    let keys = KeyFile::read_public(&command.keys)?;
    // Evidence of this product's profile has rules of its own, so it is read by them.
    if let Some(evidence) = ours(&input) {
        warn_without_nonce(presented, printer);
        let nonce = presented.nonce.clone().unwrap_or_else(|| evidence.nonce().clone());
        let mut refusal = Verdict::no("unknown-device", "no key was given");
        for key in &keys {
            match evidence.clone().verify(key, &nonce) {
                Ok(evidence) => {
                    let verdict = Verdict::yes(signed_by(presented));
                    return Ok(printer.answer(verdict.with(show::eat::evidence(evidence.claims()))));
                }
                Err(error) => refusal = Verdict::no(code(&error), chain(&error)),
            }
        }
        return Ok(printer.answer(refusal));
    }
    let unwrapped = Unwrapped::new(&input, presented.media_type.as_ref())?;
    let evidence = match unwrapped.read() {
        Ok(evidence) => evidence,
        Err(reason) if reason.code == Code::MalformedEvidence => {
            return Err(evidence::malformed(&input, &reason));
        }
        Err(reason) => return Ok(printer.answer(Verdict::from(&reason))),
    };
    let Some(nonce) = presented.nonce.clone().or_else(|| evidence::nonce(&evidence)) else {
        return Ok(printer.answer(Verdict::no("replayed-nonce", "the evidence has no nonce")));
    };
    warn_without_nonce(presented, printer);
    let endorsements = Endorsements::new();
    let authorities = keys::read_all_certificates(&presented.attester_authorities)?;
    let beliefs = Beliefs {
        endorsements: &endorsements,
        releases: &[],
        authorities: &authorities,
        keys: &keys,
        vouchers: None,
        denied: &[],
        components: presented.measured_components,
        policy: &Policy::default(),
        now: clock::now(),
    };
    let attesters = match evidence.verify(&beliefs, &nonce) {
        Ok(attesters) => attesters,
        Err(reason) => return Ok(printer.answer(Verdict::from(&reason))),
    };
    let refused = attesters.iter().find_map(|part| part.refused.as_ref().map(|reason| (part, reason)));
    let verdict = match refused {
        // All that is nested was verified as well.
        None => Verdict::yes(signed_by(presented)).with(show::evidence::tree(&evidence, Parts::ALL)),
        Some((part, reason)) => Verdict::from(reason).with(Map::new().with("part", part.name.as_str())),
    };
    Ok(printer.answer(verdict))
}

/// Evidence of this product's profile.
pub(super) fn ours(input: &Input) -> Option<Evidence<'_>> {
    let token = Token::decode(&input.bytes).ok()?;
    let is_ours =
        matches!(&token.unverified().profile, Some(eat::Profile::Uri(uri)) if uri == EVIDENCE_PROFILE);
    is_ours.then(|| Evidence::decode(&input.bytes).ok()).flatten()
}

fn signed_by(presented: &Presented) -> &'static str {
    match presented.nonce {
        Some(_) => "the token is signed by this key and answers this nonce",
        None => "the token is signed by this key",
    }
}

pub(super) fn warn_without_nonce(presented: &Presented, printer: &Printer) {
    if presented.nonce.is_none() {
        printer.warning("no nonce was given: an old token would pass as well");
    }
}

/// The reason code of a refusal.
pub(super) fn code(error: &eat::Error) -> &'static str {
    match error {
        eat::Error::Untrusted(eat::Distrust::Nonce) => "replayed-nonce",
        eat::Error::Signature(cose::Error::Untrusted(_)) => "bad-evidence-signature",
        _ => "malformed-evidence",
    }
}

/// Reads a nonce.
pub(crate) fn nonce(text: &str) -> Result<Nonce, String> {
    let bytes = from_hex(text).and_then(|bytes| Nonce::new(&bytes));
    bytes.ok_or_else(|| "expected 8 to 64 bytes in hexadecimal digits".to_owned())
}

fn media_type(text: &str) -> Result<MediaType, String> {
    MediaType::parse(text).map_err(|error| error.to_string())
}
