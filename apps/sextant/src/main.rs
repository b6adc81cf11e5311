//! The binary `sextant`: author, inspect and operate.
//!
//! `main` parses the command line, hands it to one file of `commands`, and turns what comes back into an exit status:
//! 0 done or yes, 1 the answer is no, 2 misuse or failure. Only the [`printer::Printer`] writes to the terminal.

#![forbid(unsafe_code)]

mod cli;
mod client;
mod clock;
mod commands;
mod compose;
mod corim_recipe;
mod detect;
mod evidence;
mod failure;
mod files;
mod hash_based;
mod interrupt;
mod keys;
mod legacy;
mod logging;
mod node;
mod pkcs11;
mod printer;
mod profile;
mod recipe;
mod show;
mod signer;
mod virtual_device;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{cli::Cli, failure::Answer, printer::Printer};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(cli.json, cli.quiet);
    match commands::run(cli.command, &printer) {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(failure) => {
            printer.failure(&failure);
            ExitCode::from(2)
        }
    }
}
