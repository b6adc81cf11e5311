use std::path::PathBuf;

use api::{
    Device as Listed, DeviceDetail, DeviceFlows, Dropped, EnrolDevice, EnrolKey, Enrolled, FlowRecord,
    HoldRequest, Page, Reason, Report, Restriction,
};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{Client, Reply, ServerArgs, segment, tree},
    clock,
    commands::{ear::ueid, release},
    failure::{Answer, Failure},
    files::Input,
    keys::KeyFile,
    printer::Printer,
};

/// Enrol and watch devices.
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// List devices and how far they are trusted
    Ls(Ls),
    /// Show one device: six questions, answered with evidence
    Show(Show),
    /// List what a device did on the network and was kept from, and what its release says of each
    Flows(One),
    /// List what a device reported of its updates
    Reports(One),
    /// Enrol one device, or a list in CSV or JSON
    Enrol(Enrol),
    /// Block a device: it reaches nothing at all
    Hold(Hold),
    /// Take a block away
    Release(One),
    /// Take a device out of service
    Retire(One),
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only devices that match: words, or `posture:untrusted`, `model:…`, `group:…`
    filter: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// UEID in hexadecimal digits, or a unique name
    device: String,
    /// Only the answer to one of the six questions
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=6))]
    q: Option<u8>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// A list: CSV with the columns name,model,group,ueid,key, or JSON
    #[arg(conflicts_with_all = ["name", "model", "ueid", "key", "group"], required_unless_present = "ueid")]
    list: Option<PathBuf>,
    /// Name of the device
    #[arg(long, requires = "ueid")]
    name: Option<String>,
    /// Model of the device
    #[arg(long, requires = "ueid")]
    model: Option<String>,
    /// UEID in hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = ueid, requires_all = ["name", "model", "key"])]
    ueid: Option<eat::Ueid>,
    /// Public attestation key, in any form
    #[arg(long, value_name = "PUB", requires = "ueid")]
    key: Option<PathBuf>,
    /// Group of the device
    #[arg(long, requires = "ueid")]
    group: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// UEID in hexadecimal digits, or a unique name
    device: String,
    /// Why
    #[arg(long)]
    reason: String,
    /// Until when; without it until a person takes it away
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    until: Option<i64>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// UEID in hexadecimal digits, or a unique name
    device: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Device, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Device::Ls(command) => ls(&command, printer),
        Device::Show(command) => show(&command, printer),
        Device::Enrol(command) => enrol(command, printer),
        Device::Hold(Hold { device, reason, until, server }) => {
            let request = HoldRequest { reason, until: until.map(clock::date), level: None };
            let path = format!("{}/hold", path(&device));
            server.client()?.send::<()>(Method::POST, &path, &request)?.answer(printer, |()| Ok(Answer::Yes))
        }
        Device::Flows(One { device, server }) => flows(&device, &server, printer),
        Device::Reports(One { device, server }) => reports(&device, &server, printer),
        Device::Release(One { device, server }) => {
            let path = format!("{}/release", path(&device));
            server
                .client()?
                .upload::<()>(Method::POST, &path, "application/json", b"")?
                .answer(printer, |()| Ok(Answer::Yes))
        }
        Device::Retire(One { device, server }) => {
            let client = server.client()?;
            let reply = client.upload::<()>(Method::DELETE, &path(&device), "application/json", b"")?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
    }
}

fn flows(device: &str, server: &ServerArgs, printer: &Printer) -> Result<Answer, Failure> {
    let path = format!("{}/flows", path(device));
    server.client()?.get::<DeviceFlows>(&path)?.answer(printer, |told| {
        let mut rows: Vec<_> = told.flows.iter().map(flow_row).collect();
        rows.extend(told.dropped.iter().map(dropped_row));
        printer.table(&["flow", "flows", "sent", "received", "last", "because"], &rows, &told);
        Ok(Answer::Yes)
    })
}

fn flow_row(record: &FlowRecord) -> Vec<String> {
    let far = record.name.as_ref().unwrap_or(&record.remote);
    let flow = format!("{} {} {far} port {}", record.direction, record.protocol, record.port);
    let because = record.why.as_ref().map(|why| match (why.says.as_str(), &why.ace) {
        ("declared", Some(ace)) => format!("declared by {ace}"),
        _ => "not by its release".to_owned(),
    });
    vec![
        flow,
        record.flows.to_string(),
        format!("{} octets", record.sent_octets),
        format!("{} octets", record.received_octets),
        clock::date(record.last_ms / 1000),
        because.unwrap_or_default(),
    ]
}

fn dropped_row(dropped: &Dropped) -> Vec<String> {
    let packets = &dropped.packets;
    let last = clock::date(packets.last_ms / 1000);
    let [entry, flow, count] = release::dropped(dropped);
    vec![flow, entry, count, String::new(), last, String::new()]
}

fn path(device: &str) -> String {
    format!("/api/v1/devices/{}", segment(device))
}

fn ls(command: &Ls, printer: &Printer) -> Result<Answer, Failure> {
    list(&command.server.client()?, &command.filter.join(" "))?.answer(printer, |devices| {
        let rows: Vec<_> = devices.iter().map(row).collect();
        printer.table(
            &["name", "model", "posture", "reaches", "version", "attested", "reasons"],
            &rows,
            &devices,
        );
        Ok(Answer::Yes)
    })
}

/// Every device that matches a filter, page by page.
pub(crate) fn list(client: &Client, filter: &str) -> Result<Reply<Vec<Listed>>, Failure> {
    let filter = segment(filter);
    let mut devices: Vec<Listed> = Vec::new();
    let mut after = String::new();
    loop {
        let query = format!("/api/v1/devices?q={filter}{after}");
        match client.get::<Page<Listed>>(&query)? {
            Reply::Done(page) => {
                devices.extend(page.items);
                match page.next {
                    Some(next) => after = format!("&after={}", segment(&next)),
                    None => return Ok(Reply::Done(devices)),
                }
            }
            Reply::Refused(problem) => return Ok(Reply::Refused(problem)),
        }
    }
}

fn row(device: &Listed) -> Vec<String> {
    let held = device.hold.as_ref().map(|hold| match hold.restriction {
        Restriction::Ejected => "ejected",
        Restriction::Blocked => "blocked",
        Restriction::Restricted => "restricted",
        Restriction::UpdateOnly => "quarantined",
    });
    let posture = match (held, device.violating) {
        (Some(held), _) => format!("{}, {held}", device.posture),
        (None, true) => format!("{}, violating", device.posture),
        (None, false) => device.posture.clone(),
    };
    let dash = || "-".to_owned();
    vec![
        device.name.clone(),
        device.model.clone(),
        posture,
        device.access.clone(),
        device.version.clone().unwrap_or_else(dash),
        device.attested_at.clone().unwrap_or_else(dash),
        codes(&device.reasons),
    ]
}

/// The codes of reasons on one line.
pub(crate) fn codes(reasons: &[Reason]) -> String {
    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code.as_str()).collect();
    if codes.is_empty() { "-".to_owned() } else { codes.join(", ") }
}

fn show(command: &Show, printer: &Printer) -> Result<Answer, Failure> {
    let client = command.server.client()?;
    let path = path(&command.device);
    match command.q {
        Some(question) => {
            let reply = client.get::<api::Answer>(&format!("{path}?q={question}"))?;
            reply.answer(printer, |answer| {
                printer.show(&tree(&answer));
                Ok(Answer::Yes)
            })
        }
        None => client.get::<DeviceDetail>(&path)?.answer(printer, |detail| {
            printer.show(&tree(&detail));
            Ok(Answer::Yes)
        }),
    }
}

fn reports(device: &str, server: &ServerArgs, printer: &Printer) -> Result<Answer, Failure> {
    let reply = server.client()?.get::<Vec<Report>>(&format!("{}/reports", path(device)))?;
    reply.answer(printer, |reports| {
        let rows: Vec<_> = reports.iter().map(report_row).collect();
        printer.table(&["report", "last came", "release", "says", "manifest"], &rows, &reports);
        Ok(Answer::Yes)
    })
}

fn report_row(report: &Report) -> Vec<String> {
    let says = match (report.is_update, &report.reason, &report.failed_at) {
        (false, ..) => "can process".to_owned(),
        (true, None, _) => "installed".to_owned(),
        (true, Some(reason), None) => reason.clone(),
        (true, Some(reason), Some(place)) => {
            let command = place.command.clone().unwrap_or_else(|| format!("byte {}", place.offset));
            format!("{reason} at {command} in {}", place.section)
        }
    };
    let verdict = match report.faults.first() {
        _ if !report.authentic => "altered in the store".to_owned(),
        Some(fault) => format!("{}: {}", report.verdict.as_str(), fault.code),
        None => report.verdict.as_str().to_owned(),
    };
    let release = report.version.clone().unwrap_or_else(|| report.release.chars().take(12).collect());
    vec![report.id.to_string(), report.last_at.clone(), release, says, verdict]
}

fn enrol(command: Enrol, printer: &Printer) -> Result<Answer, Failure> {
    let client = command.server.client()?;
    let path = "/api/v1/devices";
    let reply = match (&command.list, command.ueid, &command.key) {
        (Some(list), _, _) => {
            let input = Input::read(list)?;
            let is_json = input.bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
            let media_type = if is_json { "application/json" } else { api::CSV };
            client.upload::<Enrolled>(Method::POST, path, media_type, &input.bytes)?
        }
        (None, Some(ueid), Some(key)) => {
            let key = cose::Key::from_public(&KeyFile::read(key)?.public).encode();
            let device = EnrolDevice {
                name: command.name.unwrap_or_default(),
                model: command.model.unwrap_or_default(),
                ueid: ueid.to_string(),
                key: EnrolKey::Text(api::Base64Url::encode(&key)),
                group: command.group.unwrap_or_default(),
            };
            client.send::<Enrolled>(Method::POST, path, &[device])?
        }
        _ => {
            return Err(
                Failure::new("nothing to enrol").help("give a list, or --ueid, --name, --model and --key")
            );
        }
    };
    reply.answer(printer, |enrolled| {
        printer.lines(&enrolled.devices, &enrolled);
        Ok(Answer::Yes)
    })
}
