use api::{Denied, Trial, TrialDevice, TrialResult};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{ServerArgs, segment},
    failure::{Answer, Failure},
    printer::Printer,
};

/// Keep digests that no device may run, whatever release holds them.
#[derive(Debug, Subcommand)]
pub(crate) enum Deny {
    /// Deny a digest
    Add(Add),
    /// List digests that are denied, or were
    Ls(ServerArgs),
    /// Say which devices it would change, and change nothing
    Try(Try),
    /// Deny a digest no longer
    Lift(Try),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The digest, SHA-256 in hexadecimal digits
    digest: String,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Try {
    /// The digest, SHA-256 in hexadecimal digits
    digest: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Deny, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Deny::Add(Add { digest, reason, server }) => {
            let request = api::Deny { digest, reason };
            let reply = server.client()?.send::<()>(Method::POST, DENIED, &request)?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
        Deny::Ls(server) => server.client()?.get::<Vec<Denied>>(DENIED)?.answer(printer, |denied| {
            let rows: Vec<_> = denied.iter().map(row).collect();
            printer.table(&["digest", "reason", "since", "who", "lifted"], &rows, &denied);
            Ok(Answer::Yes)
        }),
        Deny::Try(Try { digest, server }) => {
            show_trial(&Trial { deny: vec![digest], ..Trial::default() }, &server, printer)
        }
        Deny::Lift(Try { digest, server }) => {
            let path = format!("{DENIED}/{}", segment(&digest));
            let reply = server.client()?.upload::<()>(Method::DELETE, &path, "application/json", b"")?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
    }
}

const DENIED: &str = "/api/v1/denied";

fn row(denied: &Denied) -> Vec<String> {
    let lifted = denied.lifted_at.as_ref().zip(denied.lifted_by.as_ref());
    vec![
        denied.digest.clone(),
        denied.reason.clone(),
        denied.denied_at.clone(),
        denied.denied_by.clone(),
        lifted.map_or_else(|| "-".to_owned(), |(at, by)| format!("{at} by {by}")),
    ]
}

/// Asks what would change, and shows it.
pub(crate) fn show_trial(trial: &Trial, server: &ServerArgs, printer: &Printer) -> Result<Answer, Failure> {
    let reply = server.client()?.send::<TrialResult>(Method::POST, "/api/v1/trials", trial)?;
    reply.answer(printer, |result| {
        let rows: Vec<_> = result.devices.iter().map(trial_row).collect();
        printer.table(&["name", "ueid", "posture", "access", "reasons"], &rows, &result);
        printer.note(format_args!("{} of {} devices would change", result.changed, result.judged));
        Ok(Answer::Yes)
    })
}

fn trial_row(device: &TrialDevice) -> Vec<String> {
    let change = |(now, then): &(String, String)| match now == then {
        true => now.clone(),
        false => format!("{now} -> {then}"),
    };
    let codes: Vec<&str> = device.reasons.iter().map(|reason| reason.code.as_str()).collect();
    vec![
        device.name.clone(),
        device.ueid.clone(),
        change(&device.posture),
        change(&device.access),
        codes.join(", "),
    ]
}
