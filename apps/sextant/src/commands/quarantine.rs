use api::{Device as Listed, HoldRequest, Restriction};
use clap::{Args, Subcommand, ValueEnum};
use ureq::http::Method;

use crate::{
    client::{Reply, ServerArgs, segment},
    clock,
    commands::device,
    failure::{Answer, Failure},
    printer::Printer,
};

/// Restrict devices, whatever their evidence says: to attestation and update unless another level is given.
#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// Put a device into quarantine
    Add(Add),
    /// End a quarantine that a person began
    Release(Release),
    /// List devices that a person holds, from the strictest level
    Ls(ServerArgs),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// UEID in hexadecimal digits, or a unique name
    device: String,
    /// What to leave the device
    #[arg(long, value_name = "LEVEL", default_value = "quarantine")]
    level: Level,
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
    /// The level at which it is held: a block and an ejection end only when they are named
    #[arg(long, value_name = "LEVEL", default_value = "quarantine")]
    level: Level,
    #[command(flatten)]
    server: ServerArgs,
}

/// Levels at which a person holds a device.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    /// What runs by its release goes on; nothing begins but attestation and update
    Restrict,
    /// Attestation and update
    Quarantine,
    /// Nothing
    Isolate,
    /// Nothing, and access points and access servers put it off the link
    Eject,
}

impl Level {
    /// What a request for a quarantine has to say to mean this level.
    fn beyond_quarantine(self) -> Option<Restriction> {
        Some(self.restriction()).filter(|restriction| *restriction != Restriction::UpdateOnly)
    }

    const fn restriction(self) -> Restriction {
        match self {
            Self::Restrict => Restriction::Restricted,
            Self::Quarantine => Restriction::UpdateOnly,
            Self::Isolate => Restriction::Blocked,
            Self::Eject => Restriction::Ejected,
        }
    }
}

pub(crate) fn run(command: Quarantine, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Quarantine::Add(Add { device, level, reason, until, span, server }) => {
            let until = until.or_else(|| span.map(|span| clock::now().saturating_add(span)));
            let request =
                HoldRequest { reason, until: until.map(clock::date), level: level.beyond_quarantine() };
            let reply = server.client()?.send::<()>(Method::POST, &path(&device), &request)?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
        Quarantine::Release(Release { device, level, server }) => {
            let client = server.client()?;
            let (method, path) = match level {
                Level::Restrict | Level::Quarantine => (Method::DELETE, path(&device)),
                Level::Isolate | Level::Eject => {
                    (Method::POST, format!("/api/v1/devices/{}/release", segment(&device)))
                }
            };
            let reply = client.upload::<()>(method, &path, "application/json", b"")?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
        Quarantine::Ls(server) => {
            let client = server.client()?;
            let mut held: Vec<Listed> = Vec::new();
            for restriction in Restriction::ALL {
                match device::list(&client, &format!("held:{}", restriction.as_str()))? {
                    Reply::Done(devices) => held.extend(devices),
                    refused @ Reply::Refused(_) => return refused.answer(printer, |_| Ok(Answer::No)),
                }
            }
            let rows: Vec<_> = held.iter().map(row).collect();
            printer.table(&["name", "ueid", "left", "who", "why", "since", "until"], &rows, &held);
            Ok(Answer::Yes)
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
        of(|hold| hold.restriction.as_str()),
        of(|hold| &hold.person),
        of(|hold| &hold.reason),
        of(|hold| &hold.at),
        of(|hold| hold.until.as_deref().unwrap_or("-")),
    ]
}
