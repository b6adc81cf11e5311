use std::path::PathBuf;

use clap::{Args, Subcommand};
use eat::{AttestationResult, EVIDENCE_PROFILE, Evidence, Nonce, Token, VerifierId};
use trust::{Policy, References, Release, ReleaseAnchors, Releases, Subject};

use crate::{
    clock,
    commands::{authority, coswid::chain, policy},
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::KeyFile,
    node::from_hex,
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
    /// Compare evidence with releases, and make an attestation result
    Appraise(Appraise),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The token
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The token
    file: PathBuf,
    /// Public key of the device, in any form
    #[arg(long, value_name = "PUB")]
    key: PathBuf,
    /// The nonce that was sent, in hexadecimal digits; without it freshness is not checked
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<Nonce>,
}

#[derive(Debug, Args)]
pub(crate) struct Appraise {
    #[command(flatten)]
    verify: Verify,
    /// A release (SUIT envelope) whose expected values count; repeatable
    #[arg(long = "reference", value_name = "FILE", required = true)]
    references: Vec<PathBuf>,
    /// Authority list that says whose releases count
    #[arg(long, value_name = "LIST")]
    authorities: PathBuf,
    /// Appraisal policy in its CBOR form; the default one without it
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Private key to sign the result with
    #[arg(long, value_name = "KEY", requires = "output")]
    ear_key: Option<PathBuf>,
    /// Sign the JSON form (JWT) instead of the CBOR form (CWT)
    #[arg(long, requires = "ear_key")]
    jwt: bool,
    /// Where to write the signed result
    #[arg(short, long, value_name = "FILE", requires = "ear_key")]
    output: Option<PathBuf>,
}

pub(crate) fn run(command: Eat, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Eat::Inspect(Inspect { file }) => inspect(&file, printer),
        Eat::Verify(command) => verify(&command, printer),
        Eat::Appraise(command) => appraise(&command, printer),
    }
}

fn inspect(file: &std::path::Path, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(file)?;
    let token = token(&input)?;
    printer.show(&show::eat::token(&token).into());
    Ok(Answer::Yes)
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let token = token(&input)?;
    let key = KeyFile::read(&command.key)?.public;
    let Some(nonce) = command.nonce.clone().or_else(|| token.unverified().nonces.first().cloned()) else {
        return Ok(printer.answer(Verdict::no("replayed-nonce", "the token has no nonce")));
    };
    warn_without_nonce(command, printer);
    // Evidence of this product's profile has rules of its own, so it is read by them.
    let verdict = if is_ours(&token) {
        match Evidence::decode(&input.bytes).and_then(|evidence| evidence.verify(&key, &nonce)) {
            Ok(evidence) => Verdict::yes(signed_by(command)).with(show::eat::evidence(evidence.claims())),
            Err(error) => Verdict::no(code(&error), chain(&error)),
        }
    } else {
        match token.verify(&key, &nonce) {
            Ok(token) => Verdict::yes(signed_by(command)).with(show::eat::claims(token.claims())),
            Err(error) => Verdict::no(code(&error), chain(&error)),
        }
    };
    Ok(printer.answer(verdict))
}

fn appraise(command: &Appraise, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.verify.file)?;
    let rules = match &command.policy {
        Some(path) => policy::read(path)?,
        None => Policy::default(),
    };
    let key = KeyFile::read(&command.verify.key)?.public;
    let evidence = Evidence::decode(&input.bytes).map_err(|error| {
        Failure::new(format!("{}: not evidence of profile {EVIDENCE_PROFILE}", input.name)).because(&error)
    })?;
    let releases = releases(command, printer)?;
    let now = clock::now();
    let (ueid, nonce) = (evidence.ueid().clone(), evidence.nonce().clone());
    warn_without_nonce(&command.verify, printer);
    let expected = command.verify.nonce.clone().unwrap_or_else(|| nonce.clone());
    let (appraised, believed) = match evidence.verify(&key, &expected) {
        Ok(evidence) => {
            let releases = Releases::of(releases);
            let references = References { releases: &releases, without: &[], denied: &[], tampered: None };
            (trust::appraise(&evidence, &references, &rules), true)
        }
        Err(error) => {
            let code = trust::Code::from_text(code(&error)).unwrap_or(trust::Code::MalformedEvidence);
            (trust::refuse_evidence(trust::Reason::new(code).with("error", chain(&error))), false)
        }
    };
    let verifier = VerifierId { developer: "sextant".into(), build: env!("CARGO_PKG_VERSION").into() };
    let subject = Subject { ueid, key: believed.then_some(key), nonce: Some(nonce) };
    let mut result = trust::attestation_result(&appraised, &subject, &rules, verifier, now);
    result.nonce.clone_from(&command.verify.nonce);
    if let (Some(path), Some(output)) = (&command.ear_key, &command.output) {
        sign(&result, path, output, command.jwt, printer)?;
    }
    let facts = show::ear::tree(&result);
    let verdict = match appraised.reasons.first() {
        None => Verdict::yes("the evidence matches one release"),
        Some(reason) => Verdict::no(reason.code.as_str(), reason),
    };
    Ok(printer.answer(verdict.with(facts)))
}

fn sign(
    result: &AttestationResult,
    key: &std::path::Path,
    output: &std::path::Path,
    jwt: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    let (key, kid) = KeyFile::read_secret(key)?;
    let signed =
        if jwt { result.sign_jwt(&key, &kid).map(String::into_bytes) } else { result.sign_cwt(&key, &kid) };
    let signed = signed.map_err(|error| Failure::new("cannot sign the result").because(&error))?;
    files::write(output, &signed, Mode::Public, printer)
}

/// Releases that are believed; one that is not gives no expected values, and that is said.
fn releases(command: &Appraise, printer: &Printer) -> Result<Vec<Release>, Failure> {
    let authorities = authority::read(&command.authorities)?;
    let anchors = ReleaseAnchors { authorities, mud_issuers: Vec::new() };
    let mut releases = Vec::new();
    for path in &command.references {
        let input = Input::read(path)?;
        match Release::accept(&input.bytes, &anchors, clock::now()) {
            Ok(release) => releases.push(release),
            Err(reason) => printer.warning(format!("{} gives no expected values: {reason}", input.name)),
        }
    }
    Ok(releases)
}

fn token(input: &Input) -> Result<Token<'_>, Failure> {
    Token::decode(&input.bytes).map_err(|error| {
        Failure::new(format!("{}: not an attestation token that is understood", input.name))
            .because(&error)
            .help("`sextant inspect --diagnostic` shows the bytes in diagnostic notation")
    })
}

fn is_ours(token: &Token<'_>) -> bool {
    matches!(&token.unverified().profile, Some(eat::Profile::Uri(uri)) if uri == EVIDENCE_PROFILE)
}

fn signed_by(command: &Verify) -> &'static str {
    match command.nonce {
        Some(_) => "the token is signed by this key and answers this nonce",
        None => "the token is signed by this key",
    }
}

fn warn_without_nonce(command: &Verify, printer: &Printer) {
    if command.nonce.is_none() {
        printer.warning("no nonce was given: an old token would pass as well");
    }
}

/// The reason code of a refusal.
fn code(error: &eat::Error) -> &'static str {
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
