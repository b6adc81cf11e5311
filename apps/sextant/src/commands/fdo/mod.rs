//! Onboarding (FIDO Device Onboard 1.1): devices and owners without a server of ours, and what operators do on one.

mod di;
mod made;
mod operate;
mod status;
mod template;
mod to0;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fdo::Target;
use fdo_http::{Cause, Client, Error, TlsPolicy};

use crate::{
    client::ServerArgs,
    commands::coswid::chain,
    failure::{Answer, Failure},
    keys,
    printer::{Printer, Verdict},
};

/// Make, find and watch devices to onboard (FIDO Device Onboard 1.1).
#[derive(Debug, Subcommand)]
pub(crate) enum Fdo {
    /// Make a device of a manufacturer, in two files: for laboratories and tests
    Di(di::Di),
    /// Tell rendezvous servers where the owner of a device is, once
    To0(to0::To0),
    /// List devices to onboard, or show one: how far it is, what happened, and why it does not get further
    Status(status::Status),
    /// Give every voucher of a file to the server, which then expects its device
    Import(operate::Import),
    /// Say what is to become of a device
    Plan(operate::Plan),
    /// Forget why a device failed, and register it again now
    Retry(operate::One),
    /// Give a device to the next owner
    Sell(operate::Sell),
    /// List devices that the server made, show one, or fetch its voucher
    Made(made::Made),
    /// Show the public keys by which devices are made and bought here, and the authorities of their certificates
    Keys(ServerArgs),
    /// Say what devices are given
    #[command(subcommand)]
    Template(template::Template),
    /// List where the rendezvous server sends devices
    Redirects(ServerArgs),
}

pub(crate) fn run(command: Fdo, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Fdo::Di(command) => di::run(&command, printer),
        Fdo::To0(command) => to0::run(&command, printer),
        Fdo::Status(command) => status::run(&command, printer),
        Fdo::Import(command) => operate::import(&command, printer),
        Fdo::Plan(command) => operate::plan(command, printer),
        Fdo::Retry(command) => operate::retry(&command, printer),
        Fdo::Sell(command) => operate::sell(&command, printer),
        Fdo::Made(command) => made::run(&command, printer),
        Fdo::Keys(server) => made::keys(&server, printer),
        Fdo::Template(command) => template::run(command, printer),
        Fdo::Redirects(server) => made::redirects(&server, printer),
    }
}

/// Whose certificates count, of servers that are talked to without a credential.
#[derive(Debug, Args)]
struct Peer {
    /// Certificate of the server or its authority; without it any will do, since the protocols prove who is who
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Peer {
    fn client(&self) -> Result<Client, Failure> {
        let tls = match &self.ca {
            None => TlsPolicy::AnyCertificate,
            Some(path) => {
                let certificates = keys::read_certificates(path)?;
                TlsPolicy::Anchors(certificates.iter().map(|one| one.as_der().to_vec()).collect())
            }
        };
        Ok(Client { tls, ..Client::default() })
    }
}

/// Reads a URL of a server of these protocols, which has no path.
fn target(text: &str) -> Result<Target, String> {
    Target::from_url(text)
        .map_err(|_| "expected https://host[:port] or http://host[:port], without a path".to_owned())
}

/// A protocol that did not get to its end: no, where the other side was reached and one of both refused; else a failure.
fn unfinished(error: &Error, printer: &Printer) -> Result<Answer, Failure> {
    match &error.cause {
        Cause::Protocol(_) => Ok(printer.answer(Verdict::no(error.code(), chain(error)))),
        _ => Err(Failure::new(format!("{error} [{}]", error.code())).because(&error.cause)),
    }
}
