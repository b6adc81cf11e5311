//! The binary `sextant-agent`.

#![forbid(unsafe_code)]

use std::{io::Write as _, process::ExitCode};

use sextant_agent::{Command, Error};
use tracing_subscriber::EnvFilter;

/// Exit code when the answer is no.
const REFUSED: u8 = 1;
/// Exit code of misuse and failure.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = std::env::args_os().skip(1).collect();
    match sextant_agent::parse(arguments).and_then(perform) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ Error::Refused { .. }) => {
            tracing::error!(%error);
            ExitCode::from(REFUSED)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error);
            ExitCode::from(FAILED)
        }
    }
}

fn perform(command: Command) -> Result<(), Error> {
    match command {
        Command::Run(options) => sextant_agent::run(&options),
        Command::Init(options) => say(&sextant_agent::init(&options)?),
        Command::Onboard(options) => say(&sextant_agent::onboard(&options)?),
        Command::Make(options) => say(&sextant_agent::make(&options)?),
        Command::Install(options) => say(&sextant_agent::install(&options)?),
        Command::Uninstall(options) => sextant_agent::uninstall(&options),
        Command::Payload { parent, program, arguments } => {
            Err(sextant_agent::exec(parent, &program, &arguments))
        }
        Command::Help => say_line(sextant_agent::USAGE),
    }
}

fn say(value: &impl serde::Serialize) -> Result<(), Error> {
    say_line(&serde_json::to_string(value).map_err(|error| Error::Output(error.into()))?)
}

fn say_line(line: &str) -> Result<(), Error> {
    writeln!(std::io::stdout(), "{line}").map_err(Error::Output)
}
