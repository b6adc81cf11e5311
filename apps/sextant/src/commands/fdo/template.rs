use std::{collections::BTreeMap, path::PathBuf};

use api::{OnboardingRequirement, OnboardingTemplate};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{Client, Reply, ServerArgs, segment, tree},
    failure::{Answer, Failure},
    files::Input,
    printer::Printer,
};

/// Say what devices are given. The template `default` is for devices of groups that have none of their name.
#[derive(Debug, Subcommand)]
pub(crate) enum Template {
    /// List templates
    Ls(ServerArgs),
    /// Show one, without passwords
    Show(One),
    /// Set one
    Set(Set),
    /// Take one away
    Rm(One),
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Name of the template
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Name of the template: that of a group, `default`, or any
    name: String,
    /// The template (JSON)
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

const TEMPLATES: &str = "/api/v1/onboarding/templates";

pub(super) fn run(command: Template, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Template::Ls(server) => all(&server.client()?)?.answer(printer, |templates| {
            let rows: Vec<_> = templates.iter().map(row).collect();
            let columns = ["name", "asks for", "credential", "networks", "files", "programs"];
            printer.table(&columns, &rows, &templates);
            Ok(Answer::Yes)
        }),
        Template::Show(One { name, server }) => all(&server.client()?)?.answer(printer, |templates| {
            let template = templates.get(&name);
            let template =
                template.ok_or_else(|| Failure::new(format!("the server has no template {name:?}")))?;
            printer.show(&tree(template));
            Ok(Answer::Yes)
        }),
        Template::Set(Set { name, file, server }) => {
            let input = Input::read(&file)?;
            let template: OnboardingTemplate = serde_json::from_slice(&input.bytes)
                .map_err(|error| Failure::new(format!("{}: not a template", input.name)).because(&error))?;
            server
                .client()?
                .send::<()>(Method::PUT, &below(&name), &template)?
                .answer(printer, |()| Ok(Answer::Yes))
        }
        Template::Rm(One { name, server }) => server
            .client()?
            .send::<()>(Method::DELETE, &below(&name), &())?
            .answer(printer, |()| Ok(Answer::Yes)),
    }
}

fn all(client: &Client) -> Result<Reply<BTreeMap<String, OnboardingTemplate>>, Failure> {
    client.get(TEMPLATES)
}

fn below(name: &str) -> String {
    format!("{TEMPLATES}/{}", segment(name))
}

fn row((name, template): (&String, &OnboardingTemplate)) -> Vec<String> {
    let asks = match template.require {
        OnboardingRequirement::Trusted => "a release of ours",
        OnboardingRequirement::Attested => "evidence",
        OnboardingRequirement::Nothing => "nothing",
    };
    let networks: Vec<&str> = template.networks.iter().map(|network| network.ssid.as_str()).collect();
    vec![
        name.clone(),
        asks.to_owned(),
        if template.keep_credential { "kept" } else { "replaced" }.to_owned(),
        networks.join(" "),
        (template.downloads.len() + template.fetches.len()).to_string(),
        template.commands.len().to_string(),
    ]
}
