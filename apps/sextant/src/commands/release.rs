use std::path::PathBuf;

use api::{Accepted, Release as Listed, Revoke as Request};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{ServerArgs, segment, tree},
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
    /// Where to write the envelope
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
