//! Checks and chores of the repository: `cargo xtask layers`, `cargo xtask firmware`.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its caller")]

mod firmware;
mod layers;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask layers              checks that every crate imports only from floors below its own
       cargo xtask firmware [--json]   builds the firmware, runs it under QEMU and holds its sizes to their budget";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["layers"] => layers::check(),
        ["firmware"] => firmware::check(false),
        ["firmware", "--json"] => firmware::check(true),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
