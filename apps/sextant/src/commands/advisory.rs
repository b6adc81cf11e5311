use std::path::PathBuf;

use api::Advisory as Listed;
use clap::{Args, Subcommand};
use coswid::advisory;
use ureq::http::Method;

use crate::{
    client::{ServerArgs, segment, tree},
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    printer::Printer,
};

/// Give and take back security advisories (OSV, CSAF, OpenVEX).
#[derive(Debug, Subcommand)]
pub(crate) enum Advisory {
    /// Give an advisory to the server: you answer for it
    Add(Add),
    /// List advisories
    Ls(Ls),
    /// Show one advisory, and the releases it is about
    Show(Show),
    /// Fetch an advisory as it was received
    Fetch(Fetch),
    /// Take an advisory back, for good
    Withdraw(Show),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The advisory
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// SHA-256 of the advisory in hexadecimal digits
    digest: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// SHA-256 of the advisory in hexadecimal digits
    digest: String,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Advisory, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Advisory::Add(Add { file, server }) => {
            let input = Input::read(&file)?;
            // Whoever has the file before them is told the place of what is wrong in it.
            advisory::Advisory::decode(&input.bytes)
                .map_err(|error| input.failure("this is no advisory that is read", &error))?;
            let client = server.client()?;
            let reply =
                client.upload::<Listed>(Method::POST, ADVISORIES, "application/json", &input.bytes)?;
            reply.answer(printer, |advisory| {
                printer.show(&tree(&advisory));
                Ok(Answer::Yes)
            })
        }
        Advisory::Ls(Ls { server }) => {
            server.client()?.get::<Vec<Listed>>(ADVISORIES)?.answer(printer, |advisories| {
                let rows: Vec<_> = advisories.iter().map(row).collect();
                let columns = ["advisory", "id", "flaws", "affected", "cannot tell", "state"];
                printer.table(&columns, &rows, &advisories);
                Ok(Answer::Yes)
            })
        }
        Advisory::Show(Show { digest, server }) => {
            server.client()?.get::<Listed>(&path(&digest))?.answer(printer, |advisory| {
                printer.show(&tree(&advisory));
                Ok(Answer::Yes)
            })
        }
        Advisory::Fetch(Fetch { digest, output, server }) => {
            let reply = server.client()?.download(&format!("{}/object", path(&digest)))?;
            reply.answer(printer, |bytes| {
                files::write(&output, &bytes, Mode::Public, printer)?;
                Ok(Answer::Yes)
            })
        }
        Advisory::Withdraw(Show { digest, server }) => {
            let path = format!("{}/withdraw", path(&digest));
            let reply = server.client()?.send::<()>(Method::POST, &path, &())?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
    }
}

const ADVISORIES: &str = "/api/v1/advisories";

fn path(digest: &str) -> String {
    // The same digest is shown with the name of its algorithm elsewhere.
    format!("{ADVISORIES}/{}", segment(digest.strip_prefix("sha256:").unwrap_or(digest)))
}

fn row(advisory: &Listed) -> Vec<String> {
    let state = match (&advisory.withdrawn_at, &advisory.withdrawn_by_maker, advisory.holds) {
        (Some(at), ..) => format!("withdrawn at {at}"),
        (None, Some(at), _) => format!("withdrawn by its maker at {at}"),
        (None, None, true) => "in force".to_owned(),
        (None, None, false) => "cannot be read".to_owned(),
    };
    vec![
        advisory.digest.clone(),
        advisory.id.clone().unwrap_or_default(),
        advisory.flaws.join(", "),
        advisory.affected.len().to_string(),
        advisory.cannot_tell.len().to_string(),
        state,
    ]
}
