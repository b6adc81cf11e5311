use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::ServerArgs,
    failure::{Answer, Failure},
    printer::Printer,
};

/// See what gateways did not answer by themselves, because they answered so much already.
#[derive(Debug, Subcommand)]
pub(crate) enum Alarm {
    /// List alarms that nobody acknowledged
    Ls(Ls),
    /// Say that you saw one
    Acknowledge(Acknowledge),
}

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// List acknowledged ones, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Acknowledge {
    /// Its number
    id: i64,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Alarm, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Alarm::Ls(Ls { all, server }) => {
            let path = if all { "/api/v1/alarms?all=true" } else { "/api/v1/alarms" };
            server.client()?.get::<Vec<api::Alarm>>(path)?.answer(printer, |alarms| {
                let rows: Vec<_> = alarms.iter().map(row).collect();
                let heads = ["id", "device", "model", "most", "gateway", "since", "ended", "acknowledged"];
                printer.table(&heads, &rows, &alarms);
                Ok(Answer::Yes)
            })
        }
        Alarm::Acknowledge(Acknowledge { id, server }) => {
            let path = format!("/api/v1/alarms/{id}/acknowledge");
            let reply = server.client()?.upload::<()>(Method::POST, &path, "application/json", b"")?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
    }
}

fn row(alarm: &api::Alarm) -> Vec<String> {
    let dash = || "-".to_owned();
    vec![
        alarm.id.to_string(),
        alarm.name.clone(),
        alarm.model.clone(),
        alarm.most.to_string(),
        alarm.gateway.clone(),
        alarm.raised_at.clone(),
        alarm.ended_at.clone().unwrap_or_else(dash),
        alarm.acknowledged_by.clone().unwrap_or_else(dash),
    ]
}
