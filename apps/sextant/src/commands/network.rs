use api::{CheckMud, ModelState, NetworkDevice, NetworkModel, OfGateway};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{Reply, ServerArgs},
    clock,
    failure::{Answer, Failure},
    printer::Printer,
};

/// See what devices without attestation may reach, and what of it waits for a person.
#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// List the MUD URLs of devices without attestation: what is in force, what waits and why
    Models(Listed),
    /// List devices without attestation, and what each may reach
    Devices(Listed),
    /// Print the commands that approve what waits
    ApproveHint(Listed),
    /// Have gateways look for a new file of a MUD URL now
    Check(Checked),
}

#[derive(Debug, Args)]
pub(crate) struct Listed {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Checked {
    /// The MUD URL
    url: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Network, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Network::Models(Listed { server }) => models(&server)?.answer(printer, |models| {
            let rows: Vec<_> = models.iter().map(model_row).collect();
            let columns = ["url", "state", "file", "signer", "devices", "gateway", "next check", "why"];
            printer.table(&columns, &rows, &models);
            Ok(Answer::Yes)
        }),
        Network::Devices(Listed { server }) => {
            let devices = server.client()?.get::<Vec<OfGateway<NetworkDevice>>>("/api/v1/network/devices")?;
            devices.answer(printer, |devices| {
                let rows: Vec<_> = devices.iter().map(device_row).collect();
                let columns = ["mac", "addresses", "access", "known by", "url", "gateway", "why"];
                printer.table(&columns, &rows, &devices);
                Ok(Answer::Yes)
            })
        }
        Network::ApproveHint(Listed { server }) => models(&server)?.answer(printer, |models| {
            let hints: Vec<String> = models.iter().filter_map(|model| hint(&model.told)).collect();
            if hints.is_empty() {
                printer.note("nothing waits");
            }
            printer.lines(&hints, &hints);
            Ok(Answer::Yes)
        }),
        Network::Check(Checked { url, server }) => {
            let reply =
                server.client()?.send::<()>(Method::POST, "/api/v1/network/check", &CheckMud { url })?;
            reply.answer(printer, |()| {
                printer.note("gateways fetch it with their next poll");
                Ok(Answer::Yes)
            })
        }
    }
}

fn models(server: &ServerArgs) -> Result<Reply<Vec<OfGateway<NetworkModel>>>, Failure> {
    server.client()?.get("/api/v1/network/models")
}

fn model_row(model: &OfGateway<NetworkModel>) -> Vec<String> {
    let told = &model.told;
    let in_force = told.in_force.as_ref();
    let mut why: Vec<&str> = codes(told.offered.iter().flat_map(|offered| &offered.reasons));
    why.extend(told.fault.as_ref().map(|fault| fault.code.as_str()));
    vec![
        told.url.clone(),
        told.state.as_str().to_owned(),
        in_force.and_then(|file| file.digest.get(..SHORT)).unwrap_or_default().to_owned(),
        in_force.and_then(|file| file.signer.clone()).unwrap_or_default(),
        told.devices.to_string(),
        model.gateway.clone(),
        clock::date(told.next_check_ms / 1000),
        why.join(" "),
    ]
}

fn device_row(device: &OfGateway<NetworkDevice>) -> Vec<String> {
    let told = &device.told;
    vec![
        told.mac.clone(),
        told.addresses.join(" "),
        told.access.as_str().to_owned(),
        told.by.clone().unwrap_or_default(),
        told.url.clone().unwrap_or_default(),
        device.gateway.clone(),
        codes(&told.reasons).join(" "),
    ]
}

fn codes<'r>(reasons: impl IntoIterator<Item = &'r api::Reason>) -> Vec<&'r str> {
    reasons.into_iter().map(|reason| reason.code.as_str()).collect()
}

/// The command that approves what waits. Texts in it came from the network, so they are quoted for a shell.
fn hint(model: &NetworkModel) -> Option<String> {
    let offered = model.offered.as_ref().filter(|_| model.state == ModelState::Waiting)?;
    let why = codes(&offered.reasons).join(" ");
    Some(format!(
        "sextant policy approve --mud-url {} --mud-digest {} --key override.key --for 90d --reason TEXT  # {}",
        quoted(&model.url),
        quoted(&offered.digest),
        why.replace(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | ' '), "")
    ))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Digits of a digest in a table.
const SHORT: usize = 12;

#[cfg(test)]
mod tests {
    use api::OfferedFile;

    use super::*;

    #[test]
    fn the_hint_holds_what_a_shell_would_not_take_apart() {
        let reason = |code: &str| api::Reason { code: code.into(), detail: Default::default() };
        let offered = OfferedFile {
            digest: "ab".into(),
            reasons: vec![reason("mud-wider"), reason("x;\nrm")],
            file: None,
            gained: vec![],
            lost: vec![],
        };
        let model = NetworkModel {
            url: "https://a.example/$(id)'x".into(),
            source: "announced".into(),
            state: ModelState::Waiting,
            in_force: None,
            offered: Some(offered),
            fault: None,
            fetched_ms: None,
            next_check_ms: 0,
            devices: 1,
        };
        let expected = r"sextant policy approve --mud-url 'https://a.example/$(id)'\''x' --mud-digest 'ab' --key override.key --for 90d --reason TEXT  # mud-wider xrm";
        assert_eq!(hint(&model).as_deref(), Some(expected));
        assert_eq!(hint(&NetworkModel { state: ModelState::Refused, ..model }), None);
    }
}
