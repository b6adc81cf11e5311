//! The floor check: a crate imports only from floors below its own, and only one crate names what it owns.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The floor of every crate of the workspace (ARCHITECTURE.md).
const FLOORS: &[(&str, u8)] = &[
    ("sextant-cbor", 0),
    ("sextant-crypto", 1),
    ("sextant-cose", 2),
    ("sextant-x509", 2),
    ("sextant-suit", 3),
    ("sextant-coswid", 3),
    ("sextant-corim", 3),
    ("sextant-eat", 3),
    ("sextant-mud", 3),
    ("sextant-fdo", 3),
    ("sextant-trust", 4),
    ("sextant-device-core", 4),
    ("sextant-store", 5),
    ("sextant-api", 5),
    ("sextant-fdo-http", 5),
    ("sextant-rules", 5),
    ("sextant-tpm", 5),
    ("sextant-server", 6),
    ("sextant-gateway", 6),
    ("sextant-agent", 6),
    ("sextant-sim", 6),
    ("sextant", 7),
];

/// Crates that serve checks only: nobody imports them except for development.
const CHECKS: &[&str] = &[
    "sextant-testkit",
    "sextant-tests",
    "sextant-suit-conformance",
    "sextant-suit-interop",
    "sextant-benches",
    "xtask",
];

/// External crates that only the named crates may import: cryptography and SQL.
const OWNED: &[(&str, &[&str])] = &[
    ("aws-lc-rs", &["sextant-crypto"]),
    ("cryptoki", &["sextant-crypto"]),
    ("ed25519-dalek", &["sextant-crypto"]),
    ("hmac", &["sextant-crypto"]),
    ("md-5", &["sextant-crypto"]),
    // Peers are measured over the curve as it is.
    ("p256", &["sextant-crypto", "sextant-suit-interop"]),
    ("p384", &["sextant-crypto"]),
    ("sha2", &["sextant-crypto"]),
    ("ring", &[]),
    ("openssl-sys", &[]),
    ("sqlx", &["sextant-store"]),
];

/// Floors up to this one own no socket, clock, file, randomness, task or thread.
const HIGHEST_PURE_FLOOR: u8 = 4;

/// External crates that would bring one of those in.
const IMPURE: &[&str] = &[
    "tokio",
    "getrandom",
    "rand",
    "ureq",
    "reqwest",
    "mio",
    "socket2",
    "rustls",
    "sqlx",
    "hyper",
    "tempfile",
];

/// Crates of devices, and the features that none of what they are built from may have: readers of old formats and of
/// those of others are for tools.
const DEVICES: &[&str] = &["sextant-agent", "sextant-device-core"];
const TOOLS_ONLY: [&str; 2] = ["sextant-suit feature \"legacy\"", "sextant-coswid feature \"interchange\""];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Reads the workspace with `cargo metadata` and checks it.
pub(crate) fn check() -> Result<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let mut faults = faults(&metadata.packages);
    for device in DEVICES {
        let built = features(device)?;
        for feature in TOOLS_ONLY.iter().filter(|feature| built.contains(*feature)) {
            faults.push(format!("{device} is built with {feature}, which is for tools only"));
        }
    }
    if faults.is_empty() {
        return Ok(format!(
            "{} crates on {} floors, no import upward",
            metadata.packages.len(),
            FLOORS.last().map_or(0, |f| f.1) + 1
        ));
    }
    bail!("the floors are broken:\n  {}", faults.join("\n  "))
}

/// Every feature that a crate and what it is built from have, when it is built alone as for a device.
fn features(package: &str) -> Result<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "tree",
            "--offline",
            "--package",
            package,
            "--edges",
            "normal,build,features",
            "--prefix",
            "none",
        ])
        .output()
        .context("running cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn faults(packages: &[Package]) -> Vec<String> {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let floor = floors.get(name).copied();
        if floor.is_none() && !CHECKS.contains(&name) {
            faults
                .push(format!("{name} has no floor: give it one in xtask/src/layers.rs and ARCHITECTURE.md"));
        }
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            let for_development = dependency.kind.as_deref() == Some("dev");
            if let Some(floor) = floor.filter(|_| !for_development) {
                if floors.get(other).is_some_and(|below| *below >= floor) {
                    faults.push(format!("{name} (floor {floor}) imports {other} (floor {})", floors[other]));
                }
                if CHECKS.contains(&other) {
                    faults.push(format!("{name} imports {other}, which is for checks only"));
                }
                if floor <= HIGHEST_PURE_FLOOR && IMPURE.contains(&other) {
                    faults.push(format!(
                        "{name} (floor {floor}) imports {other}, which brings input and output"
                    ));
                }
            }
            if let Some((_, owners)) = OWNED.iter().find(|(owned, _)| *owned == other)
                && !owners.contains(&name)
                && !CHECKS.contains(&name)
                && !for_development
            {
                faults.push(format!("{name} imports {other}, which only {owners:?} may name"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).into(), kind: kind.map(Into::into) })
            .collect();
        Package { name: name.into(), dependencies }
    }

    #[test]
    fn the_workspace_keeps_its_floors() {
        let report = check().unwrap();
        println!("{report}");
    }

    #[test]
    fn sees_the_features_for_tools_where_they_are_on() {
        let tool = features("sextant").unwrap();
        for feature in TOOLS_ONLY {
            assert!(tool.contains(feature), "the check would find {feature} nowhere");
            for device in DEVICES {
                assert!(!features(device).unwrap().contains(feature), "{device}");
            }
        }
    }

    #[test]
    fn finds_each_kind_of_broken_floor() {
        let rows = [
            (
                package("sextant-suit", &[("sextant-coswid", None)]),
                "sextant-suit (floor 3) imports sextant-coswid (floor 3)",
            ),
            (
                package("sextant-crypto", &[("sextant-cose", None)]),
                "sextant-crypto (floor 1) imports sextant-cose (floor 2)",
            ),
            (package("sextant-new", &[]), "sextant-new has no floor"),
            (package("sextant-eat", &[("tokio", None)]), "brings input and output"),
            (package("sextant-server", &[("sqlx", None)]), "only [\"sextant-store\"] may name"),
            (package("sextant-agent", &[("sextant-testkit", None)]), "for checks only"),
        ];
        for (package, expected) in rows {
            let found = faults(&[package]);
            assert!(matches!(found.as_slice(), [fault] if fault.contains(expected)), "{found:?}");
        }
    }

    #[test]
    fn lets_checks_import_anything_for_development() {
        assert!(
            faults(&[package("sextant-suit", &[("sextant-testkit", Some("dev")), ("sextant-cbor", None)])])
                .is_empty()
        );
    }
}
