use std::path::{Path, PathBuf};

use api::AuditLine;
use clap::{Args, Subcommand};
use crypto::{Digest, HashAlgorithm, Hasher};

use crate::{
    client::{Reply, ServerArgs},
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    node::{Map, Node, from_hex},
    printer::{Printer, Verdict},
};

/// Records asked for at once.
const PAGE: usize = 10_000;
/// What stands before the first record.
const START: [u8; 32] = [0; 32];

/// Check and export the audit chain.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Say whether an exported chain is unbroken
    Verify(Verify),
    /// Fetch the whole chain, one record a line
    Export(Export),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The exported chain
    file: PathBuf,
    /// Hash that the last record must have, in hexadecimal digits: notices a cut end
    #[arg(long, value_name = "HEX")]
    head: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Where to write the chain
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Audit, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Audit::Verify(Verify { file, head }) => verify(&file, head.as_deref(), printer),
        Audit::Export(command) => export(&command, printer),
    }
}

fn verify(file: &Path, head: Option<&str>, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(file)?;
    let mut last = Digest::new(HashAlgorithm::Sha256, &START).expect("32 bytes are a SHA-256 digest");
    let mut expected = 1;
    for (number, line) in
        input.bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty())
    {
        let line: AuditLine = serde_json::from_slice(line).map_err(|error| {
            Failure::new(format!("{}: line {} is no record", input.name, number + 1)).because(&error)
        })?;
        let broken = |what: &str| {
            let facts = Map::new().with("sequence", line.sequence).with("line", number + 1);
            Verdict::no("audit-broken", format!("the chain breaks at record {}: {what}", line.sequence))
                .with(facts)
        };
        if line.sequence != expected {
            return Ok(printer.answer(broken(&format!("record {expected} is missing"))));
        }
        let mut hasher = Hasher::new(HashAlgorithm::Sha256);
        hasher.update(last.as_bytes());
        hasher.update(line.record.as_bytes());
        last = hasher.finish();
        if from_hex(&line.hash).as_deref() != Some(last.as_bytes()) {
            return Ok(printer.answer(broken("its hash is not that of the record before and its text")));
        }
        expected += 1;
    }
    if head.is_some_and(|head| from_hex(head).as_deref() != Some(last.as_bytes())) {
        let message = format!("the chain ends at record {} with another hash", expected - 1);
        return Ok(printer.answer(Verdict::no("audit-head", message)));
    }
    let facts = Map::new().with("records", expected - 1).with("head", Node::hex(last.as_bytes()));
    Ok(printer.answer(Verdict::yes("the chain is unbroken").with(facts)))
}

fn export(command: &Export, printer: &Printer) -> Result<Answer, Failure> {
    let client = command.server.client()?;
    let mut chain = Vec::new();
    let mut after = 0;
    loop {
        let lines = match client.download(&format!("/api/v1/audit?after={after}&limit={PAGE}"))? {
            Reply::Done(lines) => lines,
            refused => return refused.answer(printer, |_| Ok(Answer::No)),
        };
        let Some(last) = lines.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()) else { break };
        let last: AuditLine = serde_json::from_slice(last)
            .map_err(|error| Failure::new("the server's audit chain cannot be read").because(&error))?;
        after = last.sequence;
        chain.extend_from_slice(&lines);
    }
    files::write(&command.output, &chain, Mode::Public, printer)?;
    Ok(Answer::Yes)
}
