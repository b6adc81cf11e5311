//! The index of a folder of vectors: which files there are, and what each is for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What the index says of some files.
#[derive(Clone, Debug)]
pub struct IndexRow {
    /// The folder they are in.
    pub group: String,
    /// What they are called together.
    pub stem: String,
    /// Their names in that folder, each of a file that is there.
    pub files: Vec<String>,
    /// How they are to behave, in words: what is to be refused begins with `INVALID` or `REJECT`.
    pub expect: String,
}

/// The vectors of an area by their index (`SOURCE.tsv`), or `None` after saying aloud that they are absent.
///
/// # Panics
/// When a file stands in the index and not in the folder, or the other way round: nothing must go unjudged.
pub fn index(area: &str) -> Option<(PathBuf, Vec<IndexRow>)> {
    let folder = crate::vectors(area)?;
    let text = fs::read_to_string(folder.join(INDEX)).expect("vectors have an index");
    let mut left: BTreeSet<String> = BTreeSet::new();
    collect(&folder, "", &mut left);
    left.remove(INDEX);
    let mut rows = Vec::new();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [group, stem, files, expect, ..] = columns[..] else { panic!("{area}: short row {line}") };
        let mut present = |file: &str| {
            let name = stored(&folder.join(group), file);
            let name = name.unwrap_or_else(|| panic!("{area}: {group}/{file} is in the index alone"));
            left.remove(&format!("{group}/{name}"));
            name
        };
        rows.push(IndexRow {
            group: group.to_owned(),
            stem: stem.to_owned(),
            files: files.split(',').map(&mut present).collect(),
            expect: expect.to_owned(),
        });
    }
    assert!(left.is_empty(), "{area}: files that the index does not name: {left:?}");
    Some((folder, rows))
}

const INDEX: &str = "SOURCE.tsv";

/// The name under which a file is kept: private keys in PEM are kept as their DER in hexadecimal digits.
fn stored(folder: &Path, name: &str) -> Option<String> {
    let stem = name.strip_suffix(".pem");
    let keys =
        stem.into_iter().flat_map(|stem| ["sec1", "pkcs8"].map(|form| format!("{stem}.key.{form}.der.hex")));
    [name.to_owned()].into_iter().chain(keys).find(|name| folder.join(name).is_file())
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry")) {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.path() {
            path if path.is_dir() => collect(&path, &format!("{name}/"), found),
            _ => _ = found.insert(name),
        }
    }
}
