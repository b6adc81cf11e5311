//! The firmware: builds every image for a Cortex-M3, runs it under QEMU, and holds what it measured to its budget.

mod elf;
mod toolchain;

use std::{collections::BTreeMap, path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use self::toolchain::Toolchain;

/// What was measured of one image, or may be at most, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Sizes {
    /// Code.
    text: u64,
    /// Constants.
    rodata: u64,
    /// The deepest that the stack went.
    stack: u64,
    /// The most that was asked of the heap at one time.
    heap: u64,
}

/// One image.
#[derive(Debug, Serialize)]
struct Image {
    name: String,
    measured: Sizes,
    budget: Sizes,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Images(Vec<Image>),
    /// What is not here.
    Skipped(String),
}

/// Builds, runs and measures. The report is a table, or JSON for other programs, where a missing toolchain is told too;
/// for people it is a failure.
pub(crate) fn check(json: bool) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../device/firmware");
    let budgets = budgets(&folder)?;
    let toolchain = match Toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(missing) if json => return Ok(serde_json::to_string(&Outcome::Skipped(missing))?),
        Err(missing) => bail!("{missing}"),
    };
    let mut images = Vec::new();
    for (name, (budget, features)) in budgets {
        let measured =
            measure(&toolchain, &folder, &name, &features).with_context(|| format!("image {name}"))?;
        images.push(Image { name, measured, budget });
    }
    let faults: Vec<String> = images.iter().flat_map(Image::faults).collect();
    if !faults.is_empty() {
        bail!(
            "{}\nbeyond the budget in device/firmware/Cargo.toml:\n  {}",
            table(&images),
            faults.join("\n  ")
        );
    }
    Ok(if json { serde_json::to_string(&Outcome::Images(images))? } else { table(&images) })
}

/// The budget of each image and the features that it needs, from the manifest of the firmware.
fn budgets(folder: &Path) -> Result<BTreeMap<String, (Sizes, Vec<String>)>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        targets: Vec<Target>,
        metadata: Table,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
        #[serde(default, rename = "required-features")]
        features: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Table {
        budget: BTreeMap<String, Sizes>,
    }
    let output = toolchain::cargo(folder)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo metadata")?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let package = metadata.packages.into_iter().next().context("the firmware has no package")?;
    let mut budgets: BTreeMap<_, _> =
        package.metadata.budget.into_iter().map(|(name, budget)| (name, (budget, Vec::new()))).collect();
    for target in package.targets {
        match budgets.get_mut(&target.name) {
            Some((_, features)) => *features = target.features,
            None if target.kind.iter().any(|kind| kind == "bin") => {
                bail!("image {} has no budget in device/firmware/Cargo.toml", target.name);
            }
            None => {}
        }
    }
    Ok(budgets)
}

/// Builds one image, runs it, and reads how large it is and how much memory it says that it took.
fn measure(toolchain: &Toolchain, folder: &Path, name: &str, features: &[String]) -> Result<Sizes> {
    let built = toolchain
        .command(folder, "build", name, features)
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo build")?;
    if !built.status.success() {
        bail!("it does not build");
    }
    let executable = String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(str::to_owned))
        .context("cargo names no executable")?;
    let file = std::fs::read(&executable).with_context(|| format!("reading {executable}"))?;
    let section = |name| elf::section_size(&file, name).with_context(|| format!("no section {name}"));

    let ran = toolchain
        .command(folder, "run", name, features)
        .arg("--quiet")
        .output()
        .context("running cargo run")?;
    let said = String::from_utf8_lossy(&ran.stdout);
    if !ran.status.success() {
        bail!("it failed ({}): {said}{}", ran.status, String::from_utf8_lossy(&ran.stderr));
    }
    let figure = |name| figure(&said, name).with_context(|| format!("it tells no {name}"));
    Ok(Sizes {
        text: section(".text")?,
        rodata: section(".rodata")?,
        stack: figure("stack")?,
        heap: figure("heap")?,
    })
}

/// A number that an image wrote behind its name.
fn figure(said: &str, name: &str) -> Option<u64> {
    said.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

impl Sizes {
    fn named(&self) -> [(&'static str, u64); 4] {
        [(".text", self.text), (".rodata", self.rodata), ("stack", self.stack), ("heap", self.heap)]
    }
}

impl Image {
    /// What is larger than it may be.
    fn faults(&self) -> Vec<String> {
        let pairs = self.measured.named().into_iter().zip(self.budget.named());
        pairs
            .filter(|((_, measured), (_, budget))| measured > budget)
            .map(|((what, measured), (_, budget))| {
                format!("{}: {what} is {measured} bytes, and may be {budget}", self.name)
            })
            .collect()
    }
}

fn table(images: &[Image]) -> String {
    let mut lines = vec![format!(
        "{:<8} {:>17} {:>17} {:>17} {:>17}   bytes, of the budget",
        "image", ".text", ".rodata", "stack", "heap"
    )];
    for image in images {
        let pairs = image.measured.named().into_iter().zip(image.budget.named());
        let cells: Vec<String> = pairs
            .map(|((_, measured), (_, budget))| format!("{:>17}", format!("{measured} / {budget}")))
            .collect();
        lines.push(format!("{:<8} {}", image.name, cells.join(" ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_a_budget() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../device/firmware");
        assert!(budgets(&folder).unwrap().contains_key("verify"));
    }

    #[test]
    fn tells_what_is_beyond_the_budget() {
        let budget = Sizes { text: 10, rodata: 10, stack: 10, heap: 10 };
        let image = |measured| Image { name: "verify".into(), measured, budget };
        assert_eq!(image(budget).faults(), Vec::<String>::new());
        let found = image(Sizes { text: 11, stack: 12, ..budget }).faults();
        assert_eq!(
            found,
            ["verify: .text is 11 bytes, and may be 10", "verify: stack is 12 bytes, and may be 10"]
        );
    }

    #[test]
    fn reads_what_an_image_says() {
        assert_eq!(figure("stack 5120\nheap 77\n", "heap"), Some(77));
        assert_eq!(figure("stack many\n", "stack"), None);
        assert_eq!(figure("", "stack"), None);
    }
}
