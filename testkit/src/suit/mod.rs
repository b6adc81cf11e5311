//! The index of the SUIT vectors: what each envelope is, and how whoever reads it must behave.

mod facts;
mod verdict;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use facts::{Authentication, Facts};
pub use verdict::{Class, Verdict};

/// One envelope of the index.
#[derive(Clone, Debug)]
pub struct SuitVector {
    /// Name of the file below the folder of the vectors, to call the row by. Nothing depends on it.
    pub name: String,
    /// What the index expects, in its words; third-party files have none.
    pub expect: Option<String>,
    /// Why the file is there.
    pub why: Option<String>,
    /// Words for what is in it.
    pub features: Vec<String>,
    /// What an independent reader found in it.
    pub facts: Facts,
    /// The envelope.
    pub bytes: Vec<u8>,
}

/// Every envelope of the index, and how many files of other kinds it lists.
///
/// # Panics
/// When the index or a file that it lists cannot be read: the vectors are broken, and the test must say so.
pub fn suit_vectors(folder: &Path) -> (Vec<SuitVector>, usize) {
    let index = std::fs::read_to_string(folder.join("index.json")).expect("index.json");
    let index: Value = serde_json::from_str(&index).expect("index.json is JSON");
    let entries = index.as_array().expect("index.json is a list");
    let envelopes: Vec<_> =
        entries.iter().filter(|it| it["kind"] == "envelope").map(|it| SuitVector::read(folder, it)).collect();
    let others = entries.len() - envelopes.len();
    (envelopes, others)
}

/// The public keys published beside the vectors, as files of COSE_Keys in hexadecimal: all but the secret ones.
pub fn suit_public_keys(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("keys")).expect("the folder of keys");
    let mut keys: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    keys.retain(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().contains("_public.cosekey."))
    });
    keys.sort();
    keys
}

/// Reads a vector: hexadecimal text where the name ends so, raw bytes otherwise.
///
/// # Panics
/// When the file cannot be read.
pub fn read_vector(path: &Path) -> Vec<u8> {
    if path.extension().is_some_and(|extension| extension == "hex") {
        crate::read_hex(path)
    } else {
        std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl SuitVector {
    fn read(folder: &Path, entry: &Value) -> Self {
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        let list = |name: &str| -> Vec<String> {
            let values = entry[name].as_array().into_iter().flatten();
            values.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let name = text("file").expect("an entry of the index names its file");
        Self {
            bytes: read_vector(&folder.join(&name)),
            expect: text("expect"),
            why: text("why"),
            features: list("features"),
            facts: Facts::read(&list("checked")),
            name,
        }
    }

    /// How whoever reads the envelope must behave: by the words of `expect`, or by what the file is.
    ///
    /// # Errors
    /// A sentence, when the index says it in words that are not known here, or neither says it nor found what the file is.
    pub fn verdict(&self) -> Result<Verdict, String> {
        match &self.expect {
            Some(words) => {
                words.parse().map_err(|()| format!("`{words}` is no expectation that is known here"))
            }
            None => self
                .facts
                .verdict()
                .ok_or_else(|| "the index tells neither what to expect nor what it is".into()),
        }
    }
}
