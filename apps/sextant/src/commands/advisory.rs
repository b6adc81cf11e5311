use api::Advisory as Listed;
use clap::Subcommand;
use coswid::advisory;

use crate::{
    client::ServerArgs,
    commands::objects::{self, Add, Fetch, Show},
    failure::{Answer, Failure},
    files::Input,
    printer::Printer,
};

/// Give and take back security advisories (OSV, CSAF, OpenVEX).
#[derive(Debug, Subcommand)]
pub(crate) enum Advisory {
    /// Give an advisory to the server: you answer for it
    Add(Add),
    /// List advisories
    Ls(ServerArgs),
    /// Show one advisory, and the releases it is about
    Show(Show),
    /// Fetch an advisory as it was received
    Fetch(Fetch),
    /// Take an advisory back, for good
    Withdraw(Show),
}

pub(crate) fn run(command: Advisory, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Advisory::Add(Add { file, server }) => {
            let input = Input::read(&file)?;
            // Whoever has the file before them is told the place of what is wrong in it.
            advisory::Advisory::decode(&input.bytes)
                .map_err(|error| input.failure("this is no advisory that is read", &error))?;
            objects::add::<Listed>(ADVISORIES, "application/json", &input.bytes, &server, printer)
        }
        Advisory::Ls(server) => {
            server.client()?.get::<Vec<Listed>>(ADVISORIES)?.answer(printer, |advisories| {
                let rows: Vec<_> = advisories.iter().map(row).collect();
                let columns = ["advisory", "id", "flaws", "affected", "cannot tell", "state"];
                printer.table(&columns, &rows, &advisories);
                Ok(Answer::Yes)
            })
        }
        Advisory::Show(show) => objects::show::<Listed>(ADVISORIES, &show, printer),
        Advisory::Fetch(fetch) => objects::fetch(ADVISORIES, &fetch, printer),
        Advisory::Withdraw(show) => objects::act(ADVISORIES, &show, "withdraw", printer),
    }
}

const ADVISORIES: &str = "/api/v1/advisories";

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
