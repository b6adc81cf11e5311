mod build;
mod diff;
mod encrypt;
mod lint;
pub(crate) mod report;
mod sign;
mod simulate;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use suit::{Authority, AuthorityList, Envelope, Refusal, Role};

use crate::{
    detect,
    failure::{Answer, Failure},
    files::Input,
    keys,
    legacy::{self, Legacy},
    printer::Printer,
    show,
};

/// Make, sign, check and try releases.
#[derive(Debug, Subcommand)]
pub(crate) enum Suit {
    /// Build a release from a recipe: manifest, SBOM, network needs, images
    Build(build::Build),
    /// Add a signature, as author or operator
    Sign(sign::Sign),
    /// Encrypt the images of a release for devices or groups
    Encrypt(encrypt::Encrypt),
    /// Leave severable members or payloads out; signatures stay good
    Sever(sign::Sever),
    /// Say whether a release is to be believed
    Verify(verify::Verify),
    /// Say what is unwise in a release
    Lint(lint::Lint),
    /// Say what changes from one release to another
    Diff(diff::Diff),
    /// Process a release on a device in memory
    Simulate(Box<simulate::Simulate>),
    /// Show a release with every command
    Inspect(Inspect),
    /// Read reports of devices and hold them against their manifests
    #[command(subcommand)]
    Report(report::ReportCommand),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The envelope
    file: PathBuf,
    /// Show it in diagnostic notation instead
    #[arg(long, conflicts_with_all = ["legacy", "bytes"])]
    diagnostic: bool,
    /// Show it byte by byte instead: every item with its offset in the file, its name and what it says
    #[arg(long, conflicts_with = "legacy")]
    bytes: bool,
    #[command(flatten)]
    legacy: Legacy,
}

pub(crate) fn run(command: Suit, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Suit::Build(command) => build::run(&command, printer),
        Suit::Sign(command) => sign::sign(&command, printer),
        Suit::Encrypt(command) => encrypt::run(&command, printer),
        Suit::Sever(command) => sign::sever(&command, printer),
        Suit::Verify(command) => verify::run(&command, printer),
        Suit::Lint(command) => lint::run(&command, printer),
        Suit::Diff(command) => diff::run(&command, printer),
        Suit::Simulate(command) => simulate::run(&command, printer),
        Suit::Inspect(command) => inspect(&command, printer),
        Suit::Report(command) => report::run(&command, printer),
    }
}

fn inspect(command: &Inspect, printer: &Printer) -> Result<Answer, Failure> {
    if command.legacy.is_on() {
        printer.show(&command.legacy.tree(&command.file)?.into());
        return Ok(Answer::Yes);
    }
    let input = Input::read(&command.file)?;
    if command.bytes {
        decode(&input)?;
        let lines = show::annotated::envelope_lines(&input.bytes);
        let lines = lines.map_err(|error| input.failure("not an envelope", &error))?;
        printer.lines(&lines, &lines);
        return Ok(Answer::Yes);
    }
    let tree = if command.diagnostic {
        detect::diagnostic(&input)?
    } else {
        let envelope = decode(&input)?;
        show::suit::envelope(&envelope).map_err(|error| refused_to_read(&input, &error))?
    };
    printer.show(&tree.into());
    Ok(Answer::Yes)
}

/// Decodes an envelope, which nobody vouches for yet.
pub(crate) fn decode(input: &Input) -> Result<Envelope<'_>, Failure> {
    legacy::refuse_old(input)?;
    Envelope::decode(&input.bytes).map_err(|error| refused_to_read(input, &error))
}

/// The envelope as any recipient would see it: signed by a key that is made for this and forgotten.
fn as_received(envelope: &Envelope<'_>) -> Result<Result<(Vec<u8>, AuthorityList), Refusal>, Failure> {
    let key = keys::generate(crypto::SignatureAlgorithm::Es256)?;
    let author = Authority::new(key.public_key().clone(), b"anyone", "anyone", Role::Author);
    let list = AuthorityList::with_default_policy(vec![author])
        .map_err(|error| Failure::new("cannot read as a recipient").because(&error))?;
    Ok(envelope.sign(&key, Some(b"anyone")).map(|signed| (signed, list)))
}

/// Reads `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn refused_to_read(input: &Input, error: &suit::Error) -> Failure {
    input.failure(&format!("not a SUIT envelope that is understood [{}]", error.code()), error)
}
