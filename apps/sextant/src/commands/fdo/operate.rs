use std::path::PathBuf;

use api::{Onboarding, OnboardingPlan, VoucherImport};
use clap::Args;
use fdo::Key;
use ureq::http::Method;
use x509::pem;

use super::{made::below as below_made, status::below};
use crate::{
    client::{ServerArgs, segment, tree},
    commands::voucher,
    failure::{Answer, Failure},
    files::Input,
    keys,
    printer::Printer,
};

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The vouchers, encoded or in PEM
    file: PathBuf,
    /// Group that their devices will be in
    #[arg(long)]
    group: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true, args = ["name", "group", "template"])]
pub(crate) struct Plan {
    /// GUID of the device
    guid: String,
    /// What people will call it
    #[arg(long)]
    name: Option<String>,
    /// The group that it will be in
    #[arg(long)]
    group: Option<String>,
    /// The template of what it is given; that of its group, or `default`, where this is empty
    #[arg(long)]
    template: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// GUID of the device
    guid: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Sell {
    /// GUID of the device
    guid: String,
    /// Public key of the next owner, of the manufacturer's type
    #[arg(long, value_name = "PUB")]
    to: PathBuf,
    /// Sell a device that the server made, as its manufacturer, and not one that it owns
    #[arg(long)]
    made: bool,
    /// Where to write the voucher: encoded when the name ends in `.cbor`, else PEM
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

/// Each voucher for itself: one that is refused does not keep the others back.
pub(super) fn import(command: &Import, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?.binary();
    let group = command.group.as_deref().map(|group| format!("?group={}", segment(group)));
    let path = format!("/api/v1/onboarding/vouchers{}", group.unwrap_or_default());
    let media_type = if pem::is_pem(&input.bytes) { PEM } else { api::VOUCHER };
    let reply = command.server.client()?.upload::<Vec<VoucherImport>>(
        Method::POST,
        &path,
        media_type,
        &input.bytes,
    )?;
    reply.answer(printer, |report| {
        let rows: Vec<_> = report.iter().map(row).collect();
        printer.table(&["number", "outcome", "guid", "reason"], &rows, &report);
        Ok(Answer::from(report.iter().all(|voucher| voucher.outcome != REFUSED)))
    })
}

/// Media type of keys and vouchers as text.
const PEM: &str = "application/x-pem-file";
/// The outcome of a voucher that was not taken.
const REFUSED: &str = "refused";

fn row(voucher: &VoucherImport) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        voucher.number.to_string(),
        voucher.outcome.clone(),
        voucher.guid.clone().unwrap_or_else(dash),
        voucher.reason.as_ref().map_or_else(dash, |reason| reason.code.clone()),
    ]
}

pub(super) fn plan(command: Plan, printer: &Printer) -> Result<Answer, Failure> {
    let Plan { guid, name, group, template, server } = command;
    let plan = OnboardingPlan { name, group, template };
    server.client()?.send::<Onboarding>(Method::PUT, &below(&guid), &plan)?.answer(printer, |device| {
        printer.show(&tree(&device));
        Ok(Answer::Yes)
    })
}

pub(super) fn retry(command: &One, printer: &Printer) -> Result<Answer, Failure> {
    let path = format!("{}/retry", below(&command.guid));
    command.server.client()?.send::<()>(Method::POST, &path, &())?.answer(printer, |()| Ok(Answer::Yes))
}

pub(super) fn sell(command: &Sell, printer: &Printer) -> Result<Answer, Failure> {
    let buyer = match keys::read_voucher_key(&command.to)? {
        Key::Ec(key) => key.to_spki_der(),
        Key::Rsa(key) => key.to_spki_der(),
    };
    let buyer = pem::encode("PUBLIC KEY", &buyer);
    let device = if command.made { below_made(&command.guid) } else { below(&command.guid) };
    let reply = command.server.client()?.upload_for(&format!("{device}/sell"), PEM, buyer.as_bytes())?;
    reply.answer(printer, |sold| {
        voucher::write(&command.output, sold, printer)?;
        Ok(Answer::Yes)
    })
}
