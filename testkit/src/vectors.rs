use std::path::{Path, PathBuf};

/// Variable that names the directory of test vectors.
const VARIABLE: &str = "SEXTANT_VECTORS";

/// The directory of one area of test vectors (`suit`, `mud`, …), or `None` after saying aloud that they are absent.
///
/// Looked up in `SEXTANT_VECTORS`, by default `../shared/vectors` beside the repository.
pub fn vectors(area: &str) -> Option<PathBuf> {
    let base = match std::env::var_os(VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
    };
    let path = base.join(area);
    if path.is_dir() {
        return Some(path);
    }
    crate::skipped(format_args!("no test vectors for `{area}` at {} (set {VARIABLE})", path.display()));
    None
}

/// Bytes of a hexadecimal text; white space and `#` comments to the end of the line are passed over.
///
/// # Panics
/// When the text is not hexadecimal: a fixture is wrong, and the test must say so.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap_or_else(|| panic!("`{c}` is not a hexadecimal digit")) as u8)
        .collect();
    assert!(digits.len().is_multiple_of(2), "odd number of hexadecimal digits");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Reads a file of hexadecimal text.
///
/// # Panics
/// When the file cannot be read or is not hexadecimal.
pub fn read_hex(path: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    hex(&text)
}
