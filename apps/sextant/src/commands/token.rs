use api::{NewToken, Token as Issued};
use clap::{Args, Subcommand, ValueEnum};
use ureq::http::Method;

use crate::{
    client::{ServerArgs, tree},
    clock,
    failure::{Answer, Failure},
    printer::Printer,
};

/// Make credentials for programs.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a credential; it is shown once
    New(New),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// What it may do
    #[arg(long)]
    scope: Scope,
    /// Whose it is; a gateway is known by this name
    #[arg(long, default_value = "")]
    label: String,
    /// How long it is good for; without it until it is removed
    #[arg(long = "for", value_name = "SPAN", value_parser = clock::parse_span)]
    span: Option<i64>,
    #[command(flatten)]
    server: ServerArgs,
}

/// What a credential may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    /// Everything
    Admin,
    /// Look at everything
    Read,
    /// Fetch policies and report, as a gateway
    Gateway,
}

pub(crate) fn run(command: Token, printer: &Printer) -> Result<Answer, Failure> {
    let Token::New(New { scope, label, span, server }) = command;
    let scope = match scope {
        Scope::Admin => "admin",
        Scope::Read => "read",
        Scope::Gateway => "gateway",
    };
    let lifetime = span.and_then(|span| u64::try_from(span).ok());
    let new = NewToken { scope: scope.to_owned(), label, lifetime };
    server.client()?.send::<Issued>(Method::POST, "/api/v1/tokens", &new)?.answer(printer, |issued| {
        printer.show(&tree(&issued));
        Ok(Answer::Yes)
    })
}
