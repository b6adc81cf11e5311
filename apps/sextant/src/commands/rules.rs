use std::path::PathBuf;

use api::{NewRules, Rules as Listed, Trial};
use clap::{Args, Subcommand};
use ureq::http::Method;

use crate::{
    client::{ServerArgs, segment, tree},
    commands::deny::show_trial,
    failure::{Answer, Failure},
    files::Input,
    printer::Printer,
};

/// Judge evidence by rules of your own, written in Rego, besides the policy.
#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Give rules to the server as the next version of their name; they are not in force yet
    Add(Add),
    /// List rules
    Ls(ServerArgs),
    /// Show every version of rules
    Show(Show),
    /// Say which devices rules would change, and change nothing
    Try(Add),
    /// Put a version in force, in place of any other of its name
    Activate(Activate),
    /// Put rules out of force
    Suspend(Show),
    /// Run rules for a server that holds the other ends of the pipes
    #[command(hide = true)]
    Worker,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The rules, in `package policy`
    file: PathBuf,
    /// Their name
    #[arg(long)]
    name: String,
    /// For devices of this vendor only (UUID)
    #[arg(long, value_name = "UUID")]
    vendor: Option<String>,
    /// For devices of this class only (UUID)
    #[arg(long, value_name = "UUID")]
    class: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Name of the rules
    name: String,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Activate {
    /// Name of the rules
    name: String,
    /// Which version
    version: i64,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: Rules, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Rules::Add(add) => {
            let (new, server) = new_rules(add)?;
            let reply = server.client()?.send::<Listed>(Method::POST, RULES, &new)?;
            reply.answer(printer, |rules| {
                printer.show(&tree(&rules));
                Ok(Answer::Yes)
            })
        }
        Rules::Ls(server) => server.client()?.get::<Vec<Listed>>(RULES)?.answer(printer, |rules| {
            let rows: Vec<_> = rules.iter().map(row).collect();
            printer.table(&["name", "version", "state", "for", "digest", "added"], &rows, &rules);
            Ok(Answer::Yes)
        }),
        Rules::Show(Show { name, server }) => {
            server.client()?.get::<Vec<Listed>>(&path(&name))?.answer(printer, |rules| {
                printer.show(&tree(&rules));
                Ok(Answer::Yes)
            })
        }
        Rules::Try(add) => {
            let (new, server) = new_rules(add)?;
            show_trial(&Trial { rules: Some(new), ..Trial::default() }, &server, printer)
        }
        Rules::Activate(Activate { name, version, server }) => {
            let path = format!("{}/{version}/activate", path(&name));
            server.client()?.send::<()>(Method::POST, &path, &())?.answer(printer, |()| Ok(Answer::Yes))
        }
        Rules::Suspend(Show { name, server }) => {
            let client = server.client()?;
            let reply = client.upload::<()>(Method::DELETE, &path(&name), "application/json", b"")?;
            reply.answer(printer, |()| Ok(Answer::Yes))
        }
        Rules::Worker => {
            let worked = rules::work(std::io::stdin().lock(), std::io::stdout().lock());
            worked.map_err(|error| Failure::new("rules cannot be run").because(&error))?;
            Ok(Answer::Yes)
        }
    }
}

const RULES: &str = "/api/v1/rules";

fn path(name: &str) -> String {
    format!("{RULES}/{}", segment(name))
}

fn new_rules(add: Add) -> Result<(NewRules, ServerArgs), Failure> {
    let input = Input::read(&add.file)?;
    let source = String::from_utf8(input.bytes.clone()).map_err(|error| input.failure("not text", &error))?;
    Ok((NewRules { name: add.name, source, vendor: add.vendor, class: add.class }, add.server))
}

fn row(rules: &Listed) -> Vec<String> {
    let of = |name: &str, uuid: &Option<String>| uuid.as_ref().map(|uuid| format!("{name} {uuid}"));
    let scope: Vec<String> =
        [of("vendor", &rules.vendor), of("class", &rules.class)].into_iter().flatten().collect();
    vec![
        rules.name.clone(),
        rules.version.to_string(),
        if rules.active { "in force" } else { "-" }.to_owned(),
        if scope.is_empty() { "all devices".to_owned() } else { scope.join(", ") },
        rules.digest.clone(),
        format!("{} by {}", rules.added_at, rules.added_by),
    ]
}
