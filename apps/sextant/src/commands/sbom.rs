use api::{ComponentMatch, ComponentMatches};
use clap::{Args, Subcommand};
use coswid::advisory;

use crate::{
    client::{ServerArgs, segment},
    failure::{Answer, Failure},
    printer::Printer,
};

/// Ask what the software that devices attest is made of.
#[derive(Debug, Subcommand)]
pub(crate) enum Sbom {
    /// List devices that run a component, such as `openssl < 3.0.14`
    Query(Query),
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// Name or package URL; and, if versions matter, <, <=, =, >= or > and a version
    query: String,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Sbom, printer: &Printer) -> Result<Answer, Failure> {
    let Sbom::Query(Query { query, server }) = command;
    advisory::Query::read(&query)
        .map_err(|error| Failure::new(format!("the query `{query}` cannot be read")).because(&error))?;
    let path = format!("/api/v1/components?query={}", segment(&query));
    server.client()?.get::<ComponentMatches>(&path)?.answer(printer, |matches| {
        let certain = matches.devices.iter().map(|found| row(found, "yes"));
        let doubtful = matches.cannot_tell.iter().map(|found| row(found, "cannot tell"));
        let rows: Vec<_> = certain.chain(doubtful).collect();
        let columns = ["device", "posture", "release", "component", "version", "answer", "why"];
        printer.table(&columns, &rows, &matches);
        if matches.without_sbom > 0 {
            printer.warning(format_args!(
                "{} devices attested no release whose SBOM could be asked",
                matches.without_sbom
            ));
        }
        // Nobody runs it, as far as is known: that is the answer no.
        let nothing = matches.devices.is_empty() && matches.cannot_tell.is_empty();
        Ok(if nothing { Answer::No } else { Answer::Yes })
    })
}

fn row(found: &ComponentMatch, answer: &str) -> Vec<String> {
    vec![
        found.name.clone(),
        found.posture.clone(),
        found.version.clone(),
        found.component.clone(),
        found.component_version.clone().unwrap_or_default(),
        answer.to_owned(),
        found.why.clone().unwrap_or_default(),
    ]
}
