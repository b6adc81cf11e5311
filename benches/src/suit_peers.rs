//! SUIT beside other people's SUIT. They are measured in a process of their own, which is built with RustCrypto alone:
//! here aws-lc-rs would take over ours, and what is compared would be two implementations of P-256.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::report::{Row, Section};
use crate::sample::{rate, time};
use crate::{Effort, sample};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (rounds, calls) = effort.of((41, 5), (601, 10));
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--release", "--quiet", "--locked", "--package", "sextant-suit-interop"])
        .args(["--bin", "suit-peers-bench", "--", &rounds.to_string(), &calls.to_string()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo")?;
    if !output.status.success() {
        bail!("the measurement ended with {}", output.status);
    }
    let report: Value = serde_json::from_slice(&output.stdout).context("reading what was measured")?;
    let of = |name: &str| -> Result<Figures> {
        let subject = report["subjects"].as_array().into_iter().flatten().find(|it| it["name"] == name);
        let number = |field: &str| {
            subject.and_then(|it| it[field].as_f64()).with_context(|| format!("{name}: {field}"))
        };
        Ok(Figures { least: number("min")?, median: number("median")? })
    };
    let envelope = report["envelope"].as_str().context("which envelope")?;
    let signature = of("signature")?;
    let row = |what: String, ours: Figures, name: &str, theirs: Figures, one_p256: bool| {
        // What is beside the signature can be told where both verify it with the same code.
        let beside = if one_p256 {
            let (ours, theirs) = (ours.beyond(signature), theirs.beyond(signature));
            format!(", and {} against {} beside the signature", time(ours), time(theirs))
        } else {
            String::new()
        };
        Row {
            what,
            figure: format!("{} ({ours})", rate(1.0 / ours.median)),
            beside: format!(
                "{name}: {} ({theirs}); ours at {:.2} of its rate{beside}",
                rate(1.0 / theirs.median),
                theirs.least / ours.least,
            ),
            budget: None,
        }
    };
    let rows = vec![
        row(
            format!("verify and run {envelope}"),
            of("sextant")?,
            "suit_validator 0.1.3 over the same p256 0.14, verify and read, which is all it does",
            of("suit_validator, p256 0.14")?,
            false,
        ),
        row(
            format!("verify and read {envelope}"),
            of("sextant, read")?,
            "suit_validator 0.1.3 over our COSE and keys",
            of("suit_validator, our COSE")?,
            true,
        ),
        row(
            format!("verify and run {envelope}"),
            of("sextant")?,
            "suit_validator 0.1.3 over the p256 0.13 that it brings",
            of("suit_validator")?,
            false,
        ),
        row(
            "verify and validate an envelope of our own, shaped like example 0".into(),
            of("sextant, own")?,
            "dress-up 0.1.1 over the same p256 0.14",
            of("dress-up, own")?,
            true,
        ),
        Row {
            what: "the signature in each of them".into(),
            figure: format!("{} ({signature})", rate(1.0 / signature.median)),
            beside: "one ES256 verification with p256 0.14".into(),
            budget: None,
        },
    ];
    Ok(Section::new("SUIT beside its peers", METHOD, rows))
}

/// Seconds for one call.
#[derive(Clone, Copy)]
struct Figures {
    least: f64,
    median: f64,
}

impl Figures {
    /// What is left of the least without that of another. The signature is the larger part of both, so that noise in the
    /// middle would hide it.
    fn beyond(self, other: Self) -> f64 {
        (self.least - other.least).max(0.0)
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} least, {} median", sample::time(self.least), sample::time(self.median))
    }
}

const METHOD: &str = "One process built with RustCrypto alone, all subjects in turn in every round on one core. Ours decodes, \
    verifies against an authority list and runs a procedure on a device in memory, which knows beforehand what it holds; keys are parsed beforehand for \
    ours and for `suit_validator` over p256 0.14 and over our COSE, as a device keeps its list. Our keys keep the multiples of \
    their points, which p256's own verification makes anew each time. `suit_validator` verifies and reads \
    every command and runs none; `dress-up` verifies with our COSE, since it brings none, and runs the validate section, \
    for which it hashes 32 bytes of image where ours is told the digest. Ratios, and times \
    beside the signature, are of the least times: the signature is nearly all there is, and noise would hide the rest.";
