use api::Onboarding;
use clap::Args;

use crate::{
    client::{Client, Reply, ServerArgs, segment, tree},
    failure::{Answer, Failure},
    printer::Printer,
};

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// GUID of one device
    guid: Option<String>,
    /// Only devices that are waiting, onboarded, replaced, retired or sold
    #[arg(long, conflicts_with = "guid")]
    state: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) const DEVICES: &str = "/api/v1/onboarding/devices";

pub(super) fn run(command: &Status, printer: &Printer) -> Result<Answer, Failure> {
    let client = command.server.client()?;
    match &command.guid {
        Some(guid) => client.get::<Onboarding>(&below(guid))?.answer(printer, |device| {
            printer.show(&tree(&device));
            Ok(Answer::Yes)
        }),
        None => {
            let filter = command.state.as_deref().map(|state| format!("state={}&", segment(state)));
            let query = format!("{DEVICES}?{}", filter.unwrap_or_default());
            list(&client, &query, |device: &Onboarding| &device.guid)?.answer(printer, |devices| {
                let rows: Vec<_> = devices.iter().map(row).collect();
                let columns = ["guid", "state", "device", "name", "group", "registered until", "failure"];
                printer.table(&columns, &rows, &devices);
                Ok(Answer::Yes)
            })
        }
    }
}

/// The path of one device.
pub(super) fn below(guid: &str) -> String {
    format!("{DEVICES}/{}", segment(guid))
}

/// Rows that are asked for at once.
const PAGE: usize = 1000;

/// Every row of a list that goes on behind a GUID. The query ends where a parameter may follow.
pub(super) fn list<T: serde::de::DeserializeOwned>(
    client: &Client,
    query: &str,
    guid: impl Fn(&T) -> &String,
) -> Result<Reply<Vec<T>>, Failure> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let after = all.last().map(|last| format!("&after={}", segment(guid(last)))).unwrap_or_default();
        match client.get::<Vec<T>>(&format!("{query}limit={PAGE}{after}"))? {
            Reply::Done(page) => {
                let is_last = page.len() < PAGE;
                all.extend(page);
                if is_last {
                    return Ok(Reply::Done(all));
                }
            }
            Reply::Refused(problem) => return Ok(Reply::Refused(problem)),
        }
    }
}

fn row(device: &Onboarding) -> Vec<String> {
    let dash = || "-".to_owned();
    let failure = match (&device.failure, &device.registration.failure) {
        (Some(failure), _) => format!("{} (x{})", failure.code, failure.times),
        (None, Some(code)) => format!("not registered: {code}"),
        (None, None) => dash(),
    };
    vec![
        device.guid.clone(),
        device.state.clone(),
        device.device.clone(),
        device.name.clone(),
        device.group.clone(),
        device.registration.until.clone().unwrap_or_else(dash),
        failure,
    ]
}
