use std::path::PathBuf;

use clap::{Args, Subcommand};
use suit::{Entry, Envelope, Outcome, Replay, Report, SignedReport, Subject, Verified, VerifiedReport};

use super::verify::{Believed, Secrets, verify as verify_release};
use crate::{
    failure::{Answer, Failure},
    files::Input,
    keys::KeyFile,
    node::{Map, Node, from_hex},
    printer::{Printer, Verdict},
    show,
};

/// Read reports of devices and hold them against their manifests.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Show what a report says, believed or not
    Inspect(Inspect),
    /// Say whether a device's key signed a report
    Verify(Verify),
    /// Say which claims of a report hold against the release it tells of
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The report, in its COSE container or without
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    signed: Signed,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    #[command(flatten)]
    signed: Signed,
    /// The release it tells of
    #[arg(long, value_name = "RELEASE")]
    release: PathBuf,
    /// Authority list: whose releases are believed
    #[arg(long, value_name = "LIST")]
    authorities: PathBuf,
    /// A manifest that the release depends on and does not carry; repeatable
    #[arg(long = "dependency", value_name = "ENVELOPE")]
    dependencies: Vec<PathBuf>,
}

/// A report and what it must be signed with.
#[derive(Debug, Args)]
struct Signed {
    /// The report in its COSE container
    file: PathBuf,
    /// Public attestation key of the device, in any form
    #[arg(long, value_name = "PUB")]
    key: PathBuf,
    /// Nonce that it must answer, in hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<Nonce>,
}

/// Bytes that whoever asked for a report gave.
#[derive(Clone, Debug)]
struct Nonce(Vec<u8>);

fn nonce(text: &str) -> Result<Nonce, String> {
    from_hex(text).map(Nonce).ok_or_else(|| "expected hexadecimal digits".to_owned())
}

pub(super) fn run(command: &ReportCommand, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        ReportCommand::Inspect(command) => inspect(command, printer),
        ReportCommand::Verify(command) => {
            let input = Input::read(&command.signed.file)?;
            Ok(match command.signed.believe(&input)? {
                Ok(report) => {
                    let message = "the device's key signed the report";
                    printer.answer(Verdict::yes(message).with(show::suit::report(report.report())))
                }
                Err(refusal) => printer.answer(refusal),
            })
        }
        ReportCommand::Replay(command) => replay(command, printer),
    }
}

fn inspect(command: &Inspect, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    printer.show(&tree(&input)?.into());
    Ok(Answer::Yes)
}

/// A report, for looking at: nobody vouches for it.
pub(crate) fn tree(input: &Input) -> Result<Map, Failure> {
    if let Ok(report) = Report::decode(&input.bytes) {
        return Ok(Map::new().with("kind", "SUIT report, not signed").then(about(&report)));
    }
    let signed = decode(input)?;
    Ok(Map::new()
        .with("kind", "SUIT report")
        .maybe("kid", signed.kid().map(Node::hex))
        .then(about(signed.unverified())))
}

/// What a report is about, and what it says.
fn about(report: &Report) -> Map {
    Map::new()
        .with("manifest_digest", Node::shown(report.manifest_digest))
        .unless_empty("reference_uri", report.reference_uri.as_str())
        .maybe("nonce", report.nonce.as_deref().map(Node::hex))
        .then(show::suit::report(report))
        .maybe("capabilities", report.capabilities.as_ref().map(show::suit::capabilities))
}

fn decode(input: &Input) -> Result<SignedReport<'_>, Failure> {
    SignedReport::decode(&input.bytes).map_err(|error| {
        input.failure(&format!("not a SUIT report that is understood [{}]", error.code()), &error)
    })
}

impl Signed {
    /// The report, if the key signed it.
    fn believe(&self, input: &Input) -> Result<Result<VerifiedReport, Verdict>, Failure> {
        let key = KeyFile::read(&self.key)?;
        let nonce = self.nonce.as_ref().map(|nonce| nonce.0.as_slice());
        let verified = decode(input)?.verify(&key.public, nonce);
        Ok(verified.map_err(|error| Verdict::no(error.code(), error)))
    }
}

fn replay(command: &ReplayArgs, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.signed.file)?;
    let report = match command.signed.believe(&input)? {
        Ok(report) => report,
        Err(refusal) => return Ok(printer.answer(refusal)),
    };
    let believed = Believed::listed(command.authorities.clone());
    let release = Input::read(&command.release)?;
    let envelope = super::decode(&release)?;
    let root = match verify_release(&believed, &Secrets::default(), &envelope)? {
        Ok(verified) => verified,
        Err(refusal) => return Ok(printer.answer(Verdict::no(refusal.code(), &refusal))),
    };
    let given = command.dependencies.iter().map(|path| Input::read(path)).collect::<Result<Vec<_>, _>>()?;
    let list = crate::commands::authority::read(&command.authorities)?;
    let inside = root.envelope().payloads().into_iter().map(|(_, payload)| payload);
    let candidates = inside.chain(given.iter().map(|input| input.bytes.as_slice()));
    let inner: Vec<Verified<'_>> = candidates.filter_map(|bytes| dependency(bytes, &root, &list)).collect();
    let inner: Vec<&Verified<'_>> = inner.iter().collect();
    let replay = suit::replay(&report, &root, &inner);
    let claims = claims(report.report(), &replay, &root, &inner);
    let facts = Map::new().with("claims", claims);
    Ok(printer.answer(match replay.faults().next() {
        None => Verdict::yes("every claim of the report is one that the manifest allows").with(facts),
        Some(fault) => Verdict::no(fault.finding.code(), fault.finding).with(facts),
    }))
}

/// An envelope that the release may depend on, where one of its dependencies puts it.
fn dependency<'b>(
    bytes: &'b [u8],
    root: &Verified<'_>,
    authorities: &suit::AuthorityList,
) -> Option<Verified<'b>> {
    let envelope = Envelope::decode(bytes).ok()?;
    let mut dependencies = root.manifest().common().dependencies().iter();
    dependencies.find_map(|one| envelope.verify_dependency(authorities, one.prefix.as_ref()).ok())
}

/// Each claim with the place it is about and whether it holds.
fn claims(report: &Report, replay: &Replay, root: &Verified<'_>, inner: &[&Verified<'_>]) -> Vec<Map> {
    let place = |record: &suit::Record| {
        let located = suit::locate(record, root, inner);
        Map::new()
            .maybe("command", located.command)
            .maybe("of", located.component.map(Node::shown))
            .then(show::suit::record(record))
    };
    replay
        .verdicts()
        .iter()
        .map(|verdict| {
            let (name, said) = match verdict.subject {
                Subject::Reference => {
                    let about = Map::new().with("manifest_digest", Node::shown(report.manifest_digest));
                    ("reference".to_owned(), about)
                }
                Subject::Entry(number) => match report.entries.get(number) {
                    Some(Entry::Record(record)) => (format!("record {}", number + 1), place(record)),
                    Some(Entry::Claims(claims)) => {
                        (format!("claims {}", number + 1), show::suit::claims(claims))
                    }
                    None => (format!("entry {}", number + 1), Map::new()),
                },
                Subject::Result => {
                    let said = match &report.outcome {
                        Outcome::Success => Map::new().with("outcome", "success"),
                        Outcome::Failure { reason, record, .. } => {
                            Map::new().with("outcome", Node::shown(reason)).then(place(record))
                        }
                    };
                    ("result".to_owned(), said)
                }
            };
            Map::new()
                .with("claim", name)
                .with("holds", verdict.finding == suit::Finding::Holds)
                .with("code", verdict.finding.code())
                .then(said)
        })
        .collect()
}
