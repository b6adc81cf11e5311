//! Says how fast files are read and compiled. No verdict depends on the clock; run with `--release --nocapture`.

mod common;

use std::time::Instant;

use common::{fixture, json_files, read};
use mud::{Context, compile, parse};
use sextant_mud as mud;

const ROUNDS: usize = 20;

#[test]
#[allow(clippy::print_stderr, reason = "the figure is the point")]
fn files_per_second() {
    let files: Vec<Vec<u8>> = match testkit::vectors("mud") {
        Some(vectors) => json_files(&vectors.join("unsw")).iter().map(|path| read(path)).collect(),
        None => vec![fixture("welcome-cam.json"), fixture("smart-plug.json")],
    };
    let bytes: usize = files.iter().map(Vec::len).sum();
    let start = Instant::now();
    let mut entries = 0;
    for file in files.iter().cycle().take(files.len() * ROUNDS) {
        let parsed = parse(file, &Context::default()).expect("a good file");
        entries += compile(&parsed.file).policy.entries.len();
    }
    let seconds = start.elapsed().as_secs_f64();
    assert!(entries > 0);
    let rate = (files.len() * ROUNDS) as f64 / seconds;
    eprintln!("{rate:.0} files of {} bytes on average per second", bytes / files.len());
}
