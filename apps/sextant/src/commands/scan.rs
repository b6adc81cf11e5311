use std::path::{Path, PathBuf};

use api::Scan as Listed;
use clap::{Args, Subcommand};
use cose::Purpose;
use crypto::{Digest, HashAlgorithm};
use trust::{Code, SignedScan};

use crate::{
    client::ServerArgs,
    clock,
    commands::{
        objects::{self, Add, Fetch, Show},
        suit,
    },
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    node::{self, Map, Node},
    printer::{Printer, Verdict},
};

/// Say what a scan of a release found, signed.
#[derive(Debug, Subcommand)]
pub(crate) enum Scan {
    /// Sign a statement on what a scan found
    Sign(Box<Sign>),
    /// Check who signed a statement, and whether it holds
    Verify(Verify),
    /// Give a statement to the server
    Add(Add),
    /// List statements
    Ls(ServerArgs),
    /// Show one statement
    Show(Show),
    /// Fetch a statement as it was received
    Fetch(Fetch),
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The release that was scanned: its envelope, or its manifest digest
    #[arg(value_name = "FILE|DIGEST")]
    release: String,
    /// Private key of whoever scans
    #[arg(long)]
    key: PathBuf,
    /// Name of the tool
    #[arg(long)]
    tool: String,
    /// Version of the tool
    #[arg(long)]
    tool_version: String,
    /// Version of what the tool knows to look for
    #[arg(long)]
    database: String,
    /// From when that is (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    database_time: Option<i64>,
    /// How many things were found
    #[arg(long, value_name = "N")]
    findings: u64,
    /// When the scan was made (RFC 3339); now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
    /// How long the statement holds, from the scan
    #[arg(long = "for", value_name = "SPAN", value_parser = clock::parse_span)]
    span: i64,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The statement
    file: PathBuf,
    /// Public key that is trusted for statements; repeatable
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<PathBuf>,
    /// Time to judge it by (RFC 3339); now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
}

pub(crate) fn run(command: Scan, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Scan::Sign(command) => sign(*command, printer),
        Scan::Verify(command) => verify(&command, printer),
        Scan::Add(Add { file, server }) => {
            let input = Input::read(&file)?;
            objects::add::<Listed>(SCANS, api::COSE, &input.bytes, &server, printer)
        }
        Scan::Ls(server) => server.client()?.get::<Vec<Listed>>(SCANS)?.answer(printer, |scans| {
            let rows: Vec<_> = scans.iter().map(row).collect();
            let columns =
                ["statement", "release", "tool", "version", "findings", "scanned", "until", "signer"];
            printer.table(&columns, &rows, &scans);
            Ok(Answer::Yes)
        }),
        Scan::Show(show) => objects::show::<Listed>(SCANS, &show, printer),
        Scan::Fetch(fetch) => objects::fetch(SCANS, &fetch, printer),
    }
}

fn sign(command: Sign, printer: &Printer) -> Result<Answer, Failure> {
    let (key, _) = KeyFile::read_secret(&command.key)?;
    let scanned_at = command.at.unwrap_or_else(clock::now);
    let scan = trust::Scan {
        release: release(&command.release)?,
        tool: command.tool,
        tool_version: command.tool_version,
        database: command.database,
        database_time: command.database_time,
        scanned_at,
        findings: command.findings,
        expires: scanned_at.saturating_add(command.span),
    };
    // What servers would refuse is refused here, before anybody signs it.
    trust::Scan::decode(&scan.encode())
        .map_err(|error| Failure::new("servers would refuse this statement").because(&error))?;
    files::write(&command.output, &scan.sign(&key), Mode::Public, printer)?;
    Ok(Answer::Yes)
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let anchors = keys::anchors(&KeyFile::read_public(&command.keys)?, Purpose::Scan);
    let verified = match SignedScan::decode(&input.bytes).and_then(|signed| signed.verify(&anchors)) {
        Ok(verified) => verified,
        Err(reason) => return Ok(printer.answer(Verdict::no(reason.code.as_str(), reason.to_string()))),
    };
    let (scan, now) = (verified.content(), command.at.unwrap_or_else(clock::now));
    let verdict = if scan.findings > 0 {
        Verdict::no(Code::ScanFound.as_str(), "the scan found something")
    } else if now < scan.scanned_at || scan.expires <= now {
        Verdict::no(Code::ScanMissing.as_str(), "the statement does not hold at this time")
    } else {
        Verdict::yes("the scan found nothing")
    };
    Ok(printer.answer(verdict.with(facts(scan).with("signer", Node::shown(verified.signer())))))
}

/// The digest that was given, or that of the release in an envelope.
fn release(text: &str) -> Result<Digest, Failure> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let digest = node::from_hex(digits).and_then(|bytes| Digest::new(HashAlgorithm::Sha256, &bytes));
    match digest {
        Some(release) => Ok(release),
        None => Ok(suit::decode(&Input::read(Path::new(text))?)?.manifest_digest_claimed()),
    }
}

/// A statement, whoever makes it.
pub(crate) fn facts(scan: &trust::Scan) -> Map {
    Map::new()
        .with("release", Node::shown(scan.release))
        .with("tool", scan.tool.as_str())
        .with("tool_version", scan.tool_version.as_str())
        .with("database", scan.database.as_str())
        .maybe("database_time", scan.database_time.map(clock::date))
        .with("scanned_at", clock::date(scan.scanned_at))
        .with("findings", Node::shown(scan.findings))
        .with("expires", clock::date(scan.expires))
}

const SCANS: &str = "/api/v1/scans";

fn row(scan: &Listed) -> Vec<String> {
    vec![
        scan.digest.clone(),
        scan.release.clone(),
        scan.tool.clone(),
        scan.tool_version.clone(),
        scan.findings.to_string(),
        scan.scanned_at.clone(),
        scan.expires.clone(),
        scan.signer.clone().unwrap_or_else(|| "does not hold".to_owned()),
    ]
}
