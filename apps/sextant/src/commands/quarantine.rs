use api::{Device as Listed, HoldRequest, Restriction};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{ServerArgs, segment},
    clock,
    commands::device,
    failure::{Answer, Failure},
    printer::Printer,
};

/// Restrict devices to attestation and update, whatever their evidence says.
#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// Put a device into quarantine
    Add(Add),
    /// End a quarantine that a person began
    Release(Release),
    /// List devices that a person put into quarantine
    Ls(ServerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// UEID in hexadecimal digits, or a unique name
    device: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Until when; without it until a person ends it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    until: Option<i64>,
    /// How long, from now
    #[arg(long = "for", value_name = "SPAN", value_parser = clock::parse_span, conflicts_with = "until")]
    span: Option<i64>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Release {
    /// UEID in hexadecimal digits, or a unique name
    device: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Quarantine, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Quarantine::Add(Add { device, reason, until, span, server }) => {
            let until = until.or_else(|| span.map(|span| clock::now().saturating_add(span)));
            let request = HoldRequest { reason, until: until.map(clock::date) };
            let reply = server.client()?.send::<()>(Method::POST, &path(&device), &request)?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
        Quarantine::Release(Release { device, server }) => {
            let client = server.client()?;
            let reply = client.upload::<()>(Method::DELETE, &path(&device), "application/json", b"")?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
        Quarantine::Ls(server) => {
            let filter = format!("held:{}", Restriction::UpdateOnly.as_str());
            device::list(&server.client()?, &filter)?.answer(printer, |devices| {
                let rows: Vec<_> = devices.iter().map(row).collect();
                printer.table(&["name", "ueid", "who", "why", "since", "until"], &rows, &devices);
                Ok(Answer::Yes)
            })
        }
    }
}

fn path(device: &str) -> String {
    format!("/api/v1/devices/{}/quarantine", segment(device))
}

fn row(device: &Listed) -> Vec<String> {
    let dash = || "-".to_owned();
    let hold = device.hold.as_ref();
    let of = |value: fn(&api::Hold) -> &str| hold.map_or_else(dash, |hold| value(hold).to_owned());
    vec![
        device.name.clone(),
        device.ueid.clone(),
        of(|hold| &hold.person),
        of(|hold| &hold.reason),
        of(|hold| &hold.at),
        of(|hold| hold.until.as_deref().unwrap_or("-")),
    ]
}
