//! What rules answer: claims by name, and words.

use eat::Category;
use serde_json::Value;
use trust::Ruling;

/// The rules that say something. Others are of use to these.
pub(crate) const NAMES: &[&str] = &[
    "instance_identity",
    "configuration",
    "executables",
    "file_system",
    "hardware",
    "runtime_opaque",
    "storage_opaque",
    "sourced_data",
    REASONS,
];

const REASONS: &str = "reasons";
/// Longest word of rules in bytes, and how many there may be.
const MAX_REASON: usize = 256;
const MAX_REASONS: usize = 8;

/// Claims by name, as in Veraison's policies and AR4SI (draft-ietf-rats-ar4si, section 2.3).
const CLAIMS: &[(&str, i8)] = &[
    ("AFFIRMING", 2),
    ("WARNING", 32),
    ("CONTRAINDICATED", 96),
    ("TRUSTWORTHY_INSTANCE", 2),
    ("UNTRUSTWORTHY_INSTANCE", 96),
    ("UNRECOGNIZED_INSTANCE", 97),
    ("APPROVED_CONFIG", 2),
    ("NO_CONFIG_VULNS", 3),
    ("UNSAFE_CONFIG", 32),
    ("UNAVAIL_CONFIG_ELEMS", 36),
    ("UNSUPPORTABLE_CONFIG", 96),
    ("APPROVED_RT", 2),
    ("APPROVED_BOOT", 3),
    ("UNSAFE_RT", 32),
    ("UNRECOGNIZED_RT", 33),
    ("CONTRAINDICATED_RT", 96),
    ("APPROVED_FILES", 2),
    ("UNRECOGNIZED_FILES", 32),
    ("CONTRAINDICATED_FILES", 96),
    ("GENUINE_HW", 2),
    ("UNSAFE_HW", 32),
    ("CONTRAINDICATED_HW", 96),
    ("UNRECOGNIZED_HW", 97),
    ("ENCRYPTED_MEMORY_RT", 2),
    ("ISOLATED_MEMORY_RT", 32),
    ("VISIBLE_MEMORY_RT", 96),
    ("HW_KEYS_ENCRYPTED_SECRETS", 2),
    ("SW_KEYS_ENCRYPTED_SECRETS", 32),
    ("UNENCRYPTED_SECRETS", 96),
    ("TRUSTED_SOURCES", 2),
    ("UNTRUSTED_SOURCES", 32),
    ("CONTRAINDICATED_SOURCES", 96),
];

/// Reads what rules said of a case.
pub(crate) fn read(said: &Value) -> Result<Ruling, String> {
    let mut ruling = Ruling::default();
    for category in Category::ALL {
        let name = category.name().replace('-', "_");
        if let Some(value) = said.get(&name) {
            let claim = claim(value).ok_or_else(|| format!("`{name}` is no claim: {value}"))?;
            ruling.claims.push((category, claim));
        }
    }
    match said.get(REASONS) {
        None => {}
        // A set, which comes out in order.
        Some(Value::Array(words)) if words.len() <= MAX_REASONS => {
            for word in words {
                let word = word.as_str().filter(|word| word.len() <= MAX_REASON);
                ruling.reasons.push(word.ok_or("a reason is no short text")?.to_owned());
            }
        }
        Some(_) => return Err(format!("`{REASONS}` is no set of {MAX_REASONS} texts or less")),
    }
    Ok(ruling)
}

fn claim(value: &Value) -> Option<i8> {
    match value {
        Value::Number(number) => number.as_i64().and_then(|number| number.try_into().ok()),
        Value::String(name) => CLAIMS.iter().find(|(known, _)| known == name).map(|(_, claim)| *claim),
        _ => None,
    }
}
