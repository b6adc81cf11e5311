//! Checks and chores of the repository: `cargo xtask layers`.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its caller")]

mod layers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1);
    let outcome = match task.as_deref() {
        Some("layers") => layers::check().map(|report| println!("{report}")),
        _ => {
            eprintln!(
                "usage: cargo xtask layers    checks that every crate imports only from floors below its own"
            );
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
