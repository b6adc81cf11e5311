//! Text size and memory of the device libraries on a Cortex-M3, as `cargo xtask firmware` measures them.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::Effort;
use crate::report::{Row, Section};

pub(crate) fn measure(_: Effort) -> Result<Section> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["xtask", "firmware", "--json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo xtask firmware")?;
    if !output.status.success() {
        bail!("cargo xtask firmware failed");
    }
    section(&serde_json::from_slice(&output.stdout).context("reading what cargo xtask firmware says")?)
}

fn section(report: &Value) -> Result<Section> {
    if let Some(why) = report["skipped"].as_str() {
        return Ok(Section::skipped(TITLE, why));
    }
    let images = report["images"].as_array().context("no images")?;
    let size = |name: &str, what: &str| {
        let image = images.iter().find(|image| image["name"] == name);
        image.and_then(|image| image["measured"][what].as_u64()).with_context(|| format!("{name}: no {what}"))
    };
    let rows = IMAGES.map(|(name, what, aim)| {
        let text = size(name, "text")?;
        Ok(Row {
            what: format!("`{name}`: {what}"),
            figure: format!("{} of text", bytes(text)),
            beside: format!(
                "constants {}, stack {}, heap {}; the signature check alone: {} of text",
                bytes(size(name, "rodata")?),
                bytes(size(name, "stack")?),
                bytes(size(name, "heap")?),
                bytes(size(FLOOR, "text")?)
            ),
            budget: aim.map(|(budget, most)| (budget, text <= most)),
        })
    });
    Ok(Section::new(TITLE, METHOD, rows.into_iter().collect::<Result<_>>()?))
}

/// A number of bytes with its thousands apart.
fn bytes(count: u64) -> String {
    match (count / 1000, count % 1000) {
        (0, rest) => format!("{rest} B"),
        (thousands, rest) => format!("{thousands},{rest:03} B"),
    }
}

/// The image that is nothing but the signature check: what no other can go below.
const FLOOR: &str = "es256";

/// An aim, in words and in bytes.
type Aim = Option<(&'static str, u64)>;

const IMAGES: [(&str, &str, Aim); 6] = [
    ("bare", "start-up, allocator and measuring", None),
    (FLOOR, "one ES256 signature checked", None),
    ("verify", "a manifest authenticated, not decoded", Some(("≤ 32 KB of text", 32 * 1024))),
    ("update", "verified, installed, started; no dependencies, no decryption", None),
    ("dependencies", "the same with dependencies; no decryption", Some(("≤ 64 KB of text", 64 * 1024))),
    ("onboard", "made by a manufacturer (DI), found (TO1) and taken over (TO2) by FDO", None),
];

const TITLE: &str = "Device code";

const METHOD: &str = "The libraries built for a Cortex-M3 (thumbv7m, optimised for size), run under QEMU. `verify` \
    finds out who signed a release and that its manifest is the one signed, before anything of it is read; the images after it also \
    decode and believe it, install it into one of two slots in RAM and start it. `onboard` hears the recorded answers of \
    all servers of FDO and keeps nothing. All but the first refuse what was changed. ES256 and SHA-256 only, but for `onboard`, \
    which also encrypts. Text and constants are the sections of the executable. The stack is painted at start-up and read afterwards; \
    the heap counts the most bytes that were asked for at one time. The compiler matters here, the machine does not.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_thousands_apart() {
        assert_eq!([0, 999, 1000, 61_804].map(bytes), ["0 B", "999 B", "1,000 B", "61,804 B"]);
    }
}
