use std::path::PathBuf;

use api::{MadeDevice, OnboardingKeys, Redirect};
use clap::Args;

use super::status::list;
use crate::{
    client::{ServerArgs, segment, tree},
    commands::voucher,
    failure::{Answer, Failure},
    printer::Printer,
};

#[derive(Debug, Args)]
pub(crate) struct Made {
    /// GUID of one device
    guid: Option<String>,
    /// Where to write its voucher: encoded when the name ends in `.cbor`, else PEM
    #[arg(short, long, value_name = "FILE", requires = "guid")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArgs,
}

const MADE: &str = "/api/v1/onboarding/made";

/// The path of one device.
pub(super) fn below(guid: &str) -> String {
    format!("{MADE}/{}", segment(guid))
}

pub(super) fn run(command: &Made, printer: &Printer) -> Result<Answer, Failure> {
    let client = command.server.client()?;
    match (&command.guid, &command.output) {
        (None, _) => {
            let made = list(&client, &format!("{MADE}?"), |device: &MadeDevice| &device.guid)?;
            made.answer(printer, |made| {
                let rows: Vec<_> = made.iter().map(row).collect();
                printer.table(&["guid", "serial", "device", "entries", "sold to", "made"], &rows, &made);
                Ok(Answer::Yes)
            })
        }
        (Some(guid), None) => client.get::<MadeDevice>(&below(guid))?.answer(printer, |device| {
            printer.show(&tree(&device));
            Ok(Answer::Yes)
        }),
        (Some(guid), Some(output)) => {
            client.download(&format!("{}/voucher", below(guid)))?.answer(printer, |bytes| {
                voucher::write(output, bytes, printer)?;
                Ok(Answer::Yes)
            })
        }
    }
}

fn row(device: &MadeDevice) -> Vec<String> {
    vec![
        device.guid.clone(),
        device.serial.clone(),
        device.device.clone(),
        device.entries.to_string(),
        device.sold_to.clone().unwrap_or_else(|| "-".to_owned()),
        device.made_at.clone(),
    ]
}

/// PEM with what each block is in front of it, which readers of PEM pass over.
pub(super) fn keys(server: &ServerArgs, printer: &Printer) -> Result<Answer, Failure> {
    server.client()?.get::<OnboardingKeys>("/api/v1/onboarding/keys")?.answer(printer, |keys| {
        let named = |name: &'static str, blocks: &[String]| -> Vec<String> {
            let lines = |block: &String| {
                std::iter::once(format!("{name}:"))
                    .chain(block.lines().map(str::to_owned))
                    .collect::<Vec<_>>()
            };
            blocks.iter().flat_map(lines).collect()
        };
        let lines = [
            named("owner", &keys.owner),
            named("manufacturer", &keys.manufacturer),
            named("authority of devices", keys.device_authority.as_slice()),
            named("authority of operational certificates", keys.operational_authority.as_slice()),
        ];
        printer.lines(&lines.concat(), &keys);
        Ok(Answer::Yes)
    })
}

pub(super) fn redirects(server: &ServerArgs, printer: &Printer) -> Result<Answer, Failure> {
    let client = server.client()?;
    let redirects = list(&client, "/api/v1/onboarding/redirects?", |redirect: &Redirect| &redirect.guid)?;
    redirects.answer(printer, |redirects| {
        let row = |redirect: &Redirect| {
            vec![redirect.guid.clone(), redirect.owner.clone(), redirect.expires_at.clone()]
        };
        let rows: Vec<_> = redirects.iter().map(row).collect();
        printer.table(&["guid", "owner", "until"], &rows, &redirects);
        Ok(Answer::Yes)
    })
}
