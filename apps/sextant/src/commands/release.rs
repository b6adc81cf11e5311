use std::path::PathBuf;

use api::{Accepted, DeclaredFlow, Dropped, Release as Listed, ReleaseFlows, Revoke as Request, Why};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{ServerArgs, segment, tree},
    clock,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    printer::Printer,
};

/// Publish and revoke releases.
#[derive(Debug, Subcommand)]
pub(crate) enum Release {
    /// Give a signed release to the server, which verifies it
    Publish(Publish),
    /// List releases
    Ls(ServerArgs),
    /// Show one release
    Show(Show),
    /// Show what a release asks of the network, what of it is used, and what its devices were kept from
    Flows(Show),
    /// Write down what the maker of a release may be told about it; it is sent to nobody
    MakerReport(Fetch),
    /// Fetch the envelope of a release
    Fetch(Fetch),
    /// Say that a release must not run any more
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The envelope
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Manifest digest in hexadecimal digits
    digest: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Manifest digest in hexadecimal digits
    digest: String,
    /// Where to write it
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Manifest digest in hexadecimal digits
    digest: String,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Release, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Release::Publish(Publish { file, server }) => {
            let input = Input::read(&file)?;
            // What is no envelope need not travel to be refused.
            crate::commands::suit::decode(&input)?;
            let client = server.client()?;
            let reply = client.upload::<Accepted>(
                Method::POST,
                "/api/v1/releases",
                api::SUIT_ENVELOPE,
                &input.bytes,
            )?;
            reply.answer(printer, |accepted| {
                printer.show(&tree(&accepted));
                Ok(Answer::Yes)
            })
        }
        Release::Ls(server) => {
            server.client()?.get::<Vec<Listed>>("/api/v1/releases")?.answer(printer, |releases| {
                let rows: Vec<_> = releases.iter().map(row).collect();
                printer.table(
                    &["release", "model", "version", "sequence", "devices", "state"],
                    &rows,
                    &releases,
                );
                Ok(Answer::Yes)
            })
        }
        Release::Show(Show { digest, server }) => {
            server.client()?.get::<Listed>(&path(&digest))?.answer(printer, |release| {
                printer.show(&tree(&release));
                Ok(Answer::Yes)
            })
        }
        Release::Flows(Show { digest, server }) => {
            let path = format!("{}/flows", path(&digest));
            server.client()?.get::<ReleaseFlows>(&path)?.answer(printer, |release| {
                let mut rows: Vec<_> = release.flows.iter().map(flow).collect();
                rows.extend(release.dropped.iter().map(|seen| {
                    let [entry, flow, count] = dropped(seen);
                    vec![entry, flow, count, clock::date(seen.packets.last_ms / 1000)]
                }));
                printer.table(&["entry", "flow", "flows", "last"], &rows, &release);
                Ok(Answer::Yes)
            })
        }
        Release::MakerReport(Fetch { digest, output, server }) => {
            let path = format!("{}/maker-report", path(&digest));
            let reply = server.client()?.download_as(&path, "application/yang-data+json")?;
            reply.answer(printer, |bytes| {
                files::write(&output, &bytes, Mode::Public, printer)?;
                Ok(Answer::Yes)
            })
        }
        Release::Fetch(Fetch { digest, output, server }) => {
            let reply = server.client()?.download(&format!("{}/envelope", path(&digest)))?;
            reply.answer(printer, |bytes| {
                files::write(&output, &bytes, Mode::Public, printer)?;
                Ok(Answer::Yes)
            })
        }
        Release::Revoke(Revoke { digest, reason, server }) => {
            let path = format!("{}/revoke", path(&digest));
            let reply = server.client()?.send::<()>(Method::POST, &path, &Request { reason })?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
    }
}

fn path(digest: &str) -> String {
    // The same digest is shown with the name of its algorithm elsewhere.
    format!("/api/v1/releases/{}", segment(digest.strip_prefix("sha256:").unwrap_or(digest)))
}

fn flow(flow: &DeclaredFlow) -> Vec<String> {
    let entry = if flow.default { "default".to_owned() } else { flow.ace.clone() };
    let used = if flow.used == 0 { "unused".to_owned() } else { flow.used.to_string() };
    vec![entry, flow.flow.clone(), used, flow.last_used.clone().unwrap_or_default()]
}

/// That it was dropped, what and why, and how much.
pub(crate) fn dropped(dropped: &Dropped) -> [String; 3] {
    let packets = &dropped.packets;
    let far = packets.name.as_ref().unwrap_or(&packets.dst);
    let why = dropped.why.as_ref().map_or_else(|| packets.class.clone(), why);
    let flow = format!("{} {} to {far} port {}{why}", packets.direction, packets.protocol, packets.dport);
    ["dropped".to_owned(), flow, format!("{} packets", packets.count)]
}

fn why(why: &Why) -> String {
    let differs =
        if why.differs.is_empty() { String::new() } else { format!(" but for {}", why.differs.join(", ")) };
    match (why.says.as_str(), &why.ace) {
        ("declared", Some(ace)) => format!(": declared by {ace}, and not let through then"),
        ("denied", Some(ace)) => format!(": denied by {ace}"),
        ("wrong-initiator", Some(ace)) => format!(": {ace} lets the other end start it"),
        (_, Some(ace)) => format!(": no entry; as {ace}{differs}"),
        _ => ": no entry".to_owned(),
    }
}

fn row(release: &Listed) -> Vec<String> {
    let state = match (&release.revoked_why, release.unusable.as_ref().or(release.awaits_approval.as_ref())) {
        (Some(why), _) => format!("revoked: {why}"),
        (None, Some(reason)) => reason.code.clone(),
        (None, None) => "accepted".to_owned(),
    };
    vec![
        release.manifest_digest.clone(),
        release.model.clone(),
        release.version.clone(),
        release.sequence.to_string(),
        release.devices.to_string(),
        state,
    ]
}
