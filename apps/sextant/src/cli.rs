use clap::Parser;

use crate::commands::Command;

/// Trust in devices from signed objects: author, inspect and operate.
///
/// Data goes to standard output, everything else to standard error. Files may be given as `-`.
/// Exit status: 0 done or yes, 1 the answer is no, 2 misuse or failure.
#[derive(Debug, Parser)]
#[command(name = "sextant", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    /// Write data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Write no notes to standard error
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn is_a_consistent_command_line() {
        Cli::command().debug_assert();
    }
}
