//! Reading and compiling MUD files, beside reading them as bare JSON.

use std::hint::black_box;

use anyhow::{Context as _, Result};

use crate::Effort;
use crate::fixture::MUD_FILE;
use crate::report::{Row, Section};
use crate::sample::{interleave, rate};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let files = files()?;
    let bytes: usize = files.iter().map(Vec::len).sum();
    let mut compile = || {
        for file in &files {
            let parsed = mud::parse(black_box(file), &mud::Context::default()).expect("a good file");
            black_box(mud::compile(&parsed.file));
        }
    };
    let mut json = || {
        for file in &files {
            black_box(serde_json::from_slice::<serde_json::Value>(black_box(file)).expect("JSON"));
        }
    };
    let (rounds, calls) = effort.of((11, 1), (201, 2));
    let [compile, json] = interleave(rounds, calls, [&mut compile, &mut json]);
    let count = files.len() as f64;
    let row = Row {
        what: format!(
            "parse and compile a file, of {} files of {} bytes on average",
            files.len(),
            bytes / files.len()
        ),
        figure: format!("{} on one core", rate(compile.per_second() * count)),
        beside: format!("serde_json to a tree of values: {}", rate(json.per_second() * count)),
        budget: Some(("≥ 3,000 files/s", compile.per_second() * count >= 3000.0)),
    };
    Ok(Section::new("MUD", METHOD, vec![row]))
}

/// The profiles of the UNSW study, or our own where the vectors are absent.
fn files() -> Result<Vec<Vec<u8>>> {
    let Some(folder) = testkit::vectors("mud") else { return Ok(vec![MUD_FILE.to_vec()]) };
    let folder = folder.join("unsw");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry.context("reading a folder")?.path();
        files.push(std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    Ok(files)
}

const METHOD: &str = "From the bytes of a file to a policy with its findings: JSON, the rules of the YANG modules, lint, \
    and the entries by direction and family. Without fetching, signature and packet filter. The peer only reads the JSON. \
    Median of interleaved rounds on one core.";
