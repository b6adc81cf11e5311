//! Puts the kit's cases and published vectors to an adapter, and prints how its implementation stands to them.
//!
//! `suit-conformance --adapter PROGRAM [--vectors DIR] [--json] [--only TEXT]`. Exit status: 0 when no row differs, 1 when
//! one does, 2 when there is nothing to say. See docs/conformance.md.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its caller")]

use std::path::PathBuf;
use std::process::ExitCode;

use sextant_suit_conformance::{Adapter, Case, Tally, own_cases, run, to_json, to_table, vector_cases};

const USAGE: &str = "usage: suit-conformance --adapter PROGRAM [--vectors DIR] [--json] [--only TEXT]";

fn main() -> ExitCode {
    match report() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("suit-conformance: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the report, and says whether nothing differs.
fn report() -> Result<bool, String> {
    let (mut adapter, mut vectors, mut json, mut only) = (None, None, false, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n{USAGE}"));
        match word.as_str() {
            "--adapter" => adapter = Some(PathBuf::from(value()?)),
            "--vectors" => vectors = Some(PathBuf::from(value()?)),
            "--only" => only = Some(value()?),
            "--json" => json = true,
            other => return Err(format!("`{other}` is not known\n{USAGE}")),
        }
    }
    let adapter = Adapter::new(&adapter.ok_or(USAGE)?);
    let features = adapter.features().map_err(|error| error.to_string())?;
    let mut cases = own_cases();
    if let Some(folder) = vectors {
        cases.extend(vector_cases(&folder).map_err(|faults| faults.join("\n"))?);
    }
    cases.retain(|Case { name, .. }| only.as_ref().is_none_or(|only| name.contains(only.as_str())));
    if cases.is_empty() {
        return Err("no case has such a name".into());
    }
    let rows = run(&adapter, &features, &cases).map_err(|error| error.to_string())?;
    if json {
        println!("{:#}", to_json(&features, &rows));
    } else {
        print!("{}", to_table(&features, &rows));
    }
    Ok(Tally::of(&rows).differ == 0)
}
