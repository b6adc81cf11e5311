//! What several test files need.

#![allow(dead_code, reason = "not every test file asks for everything")]

use std::fs;
use std::path::{Path, PathBuf};

use mud::{Addresses, Compiled, Context, Finding, Parsed, compile, parse};
use sextant_mud as mud;

/// A site that trusts its authors with literal addresses.
pub(crate) const PERMISSIVE: Context<'static> =
    Context { fetched_url: None, move_authorised: false, url_is_fixed: false, addresses: Addresses::Allow };

/// The JSON files of a folder of vectors, in a fixed order.
pub(crate) fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    files.sort();
    files
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A fixture of this crate.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name))
}

pub(crate) fn parse_and_compile(bytes: &[u8], context: &Context<'_>) -> (Parsed, Compiled) {
    let parsed = parse(bytes, context).unwrap_or_else(|e| panic!("{e}"));
    let compiled = compile(&parsed.file);
    (parsed, compiled)
}

/// Findings of reading and of compiling.
pub(crate) fn findings<'f>(parsed: &'f Parsed, compiled: &'f Compiled) -> impl Iterator<Item = &'f Finding> {
    parsed.findings.iter().chain(&compiled.findings)
}
