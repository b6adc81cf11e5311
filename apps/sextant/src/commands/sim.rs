use std::{ffi::OsString, path::PathBuf};

use clap::Subcommand;

use crate::failure::{Answer, Failure};

/// Parts of simulations.
#[derive(Debug, Subcommand)]
pub(crate) enum Sim {
    /// Become a program that ends when its starter does
    Leash {
        /// The starter's process id
        #[arg(long, value_name = "PID")]
        parent: u32,
        /// The program
        program: PathBuf,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

pub(crate) fn run(command: Sim) -> Result<Answer, Failure> {
    match command {
        Sim::Leash { parent, program, arguments } => {
            let error = sim::leash(parent, &program, &arguments);
            Err(Failure::new(format!("{} does not start", program.display())).because(&error))
        }
    }
}
