use clap::Parser;

use crate::commands::Command;

/// Trust in devices from signed objects: author, inspect and operate.
///
/// Data goes to standard output, everything else to standard error. Files may be given as `-`.
/// Exit status: 0 done or yes, 1 the answer is no, 2 misuse or failure.
#[derive(Debug, Parser)]
#[command(name = "sextant", version, max_term_width = 110)]
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

    /// Every verb under its noun, as a person types it.
    fn verbs(command: &clap::Command, path: &str, all: &mut Vec<String>) {
        let subcommands: Vec<_> = command.get_subcommands().filter(|one| !one.is_hide_set()).collect();
        if subcommands.is_empty() {
            all.push(path.to_owned());
        }
        for one in subcommands {
            verbs(one, &format!("{path} {}", one.get_name()), all);
        }
    }

    #[test]
    fn shows_every_verb_by_example_in_the_documentation() {
        let documentation = include_str!("../../../docs/cli.md");
        let mut all = Vec::new();
        verbs(&Cli::command(), "sextant", &mut all);
        let shown = |verb: &String| {
            documentation.lines().any(|line| line.starts_with(&format!("{verb} ")) || line == verb)
        };
        let missing: Vec<_> = all.iter().filter(|verb| !shown(verb)).collect();
        assert!(missing.is_empty(), "docs/cli.md has no example of {missing:?}");
    }
}
