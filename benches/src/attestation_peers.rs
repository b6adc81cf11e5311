//! Attestation beside other people's attestation. They are measured in a process of their own, whose crate is a workspace
//! of its own: some peers bring OpenSSL, which nothing here may. Those in Go run in yet another, which that one asks.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::report::{Row, Section};
use crate::sample::{rate, time};
use crate::{Effort, sample};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let openssl = Command::new("pkg-config").args(["--exists", "openssl"]).status();
    if !openssl.is_ok_and(|status| status.success()) {
        return Ok(Section::skipped(TITLE, "OpenSSL's headers, which peers are built with, are not here"));
    }
    let folder = tempfile::tempdir().context("making a folder")?;
    let go = build_go(&here.join("../tests/interop/veraison"), &folder.path().join("bench"));
    let (rounds, calls) = effort.of((41, 5), (601, 10));
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["run", "--release", "--quiet", "--locked", "--manifest-path"])
        .arg(here.join("../tests/interop/attestation/Cargo.toml"))
        .args(["--", &rounds.to_string(), &calls.to_string()])
        // The system's, with which anybody would run them, and not one that a peer would have built for the occasion.
        .env("OPENSSL_NO_VENDOR", "1");
    if go.is_ok() {
        command.arg(folder.path().join("bench"));
    }
    let output = command.stderr(Stdio::inherit()).output().context("running cargo")?;
    if !output.status.success() {
        bail!("the measurement ended with {}", output.status);
    }
    let report: Value = serde_json::from_slice(&output.stdout).context("reading what was measured")?;
    if let Some(why) = report["skipped"].as_str() {
        return Ok(Section::skipped(TITLE, why));
    }
    let mut rows = Vec::new();
    for row in ROWS.iter().chain(go.is_ok().then_some(GO_ROWS).into_iter().flatten()) {
        rows.push(row.of(&report)?);
    }
    let method = match go {
        Ok(()) => METHOD.into(),
        Err(why) => {
            eprintln!("SKIPPED: {TITLE}: Veraison's libraries in Go: {why}");
            format!("{METHOD} Veraison's libraries in Go were not measured here: {why}.")
        }
    };
    Ok(Section::new(TITLE, method, rows))
}

/// Builds the program over Veraison's libraries, or says why it cannot be.
fn build_go(source: &Path, program: &Path) -> std::result::Result<(), String> {
    let mut command = Command::new("go");
    command.args(["build", "-mod=readonly", "-o"]).arg(program).arg("./bench").current_dir(source);
    match command.output() {
        Err(_) => Err("there is no Go".into()),
        Ok(built) if built.status.success() => Ok(()),
        Ok(built) => {
            let said = String::from_utf8_lossy(&built.stderr).into_owned();
            Err(format!("they cannot be built: {}", said.lines().next().unwrap_or("nothing was said")))
        }
    }
}

/// What the figures of a run say of one thing that ours and a peer do.
struct Pair {
    what: &'static str,
    ours: &'static str,
    theirs: &'static str,
    /// The peer, its version and what does the curves there.
    peer: &'static str,
    /// What is beside their signatures can be told where this is all the cryptography: the names of ours and theirs alone.
    signature: Option<(&'static str, &'static str)>,
}

impl Pair {
    fn of(&self, report: &Value) -> Result<Row> {
        let (ours, theirs) = (Figures::of(report, self.ours)?, Figures::of(report, self.theirs)?);
        let beside = match self.signature {
            None => String::new(),
            Some((our_signature, their_signature)) => format!(
                "; beside the signature {} against {}",
                time(ours.beyond(Figures::of(report, our_signature)?)),
                time(theirs.beyond(Figures::of(report, their_signature)?))
            ),
        };
        Ok(Row {
            what: self.what.into(),
            figure: format!("{} ({ours})", rate(1.0 / ours.median)),
            beside: format!(
                "{}: {} ({theirs}); ours at {:.2} of its rate{beside}",
                self.peer,
                rate(1.0 / theirs.median),
                theirs.median / ours.median
            ),
            budget: None,
        })
    }
}

/// Seconds for one call.
#[derive(Clone, Copy)]
struct Figures {
    least: f64,
    median: f64,
}

impl Figures {
    fn of(report: &Value, name: &str) -> Result<Self> {
        let subject = report["subjects"].as_array().into_iter().flatten().find(|it| it["name"] == name);
        let number = |field: &str| {
            subject.and_then(|it| it[field].as_f64()).with_context(|| format!("{name}: {field}"))
        };
        Ok(Self { least: number("min")?, median: number("median")? })
    }

    /// What is left of the least without that of another.
    fn beyond(self, other: Self) -> f64 {
        (self.least - other.least).max(0.0)
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} least, {} median", sample::time(self.least), sample::time(self.median))
    }
}

const ROWS: &[Pair] = &[
    Pair {
        what: "verify a CCA token: two ES384 signatures and their binding",
        ours: "cca, ours",
        theirs: "cca, ccatoken",
        peer: "ccatoken 0.1.0 over OpenSSL",
        signature: None,
    },
    Pair {
        what: "verify a result, CWT",
        ours: "verify cwt, ours",
        theirs: "verify cwt, ear",
        peer: "ear 0.6.0 over OpenSSL",
        signature: Some(("verification, ours", "verification, OpenSSL")),
    },
    Pair {
        what: "sign a result, CWT",
        ours: "sign cwt, ours",
        theirs: "sign cwt, ear",
        peer: "ear 0.6.0 over OpenSSL",
        signature: Some(("signature, ours", "signature, OpenSSL")),
    },
    Pair {
        what: "verify a result, JWT",
        ours: "verify jwt, ours",
        theirs: "verify jwt, ear",
        peer: "ear 0.6.0 over the same aws-lc",
        signature: Some(("verification, ours", "verification, ours")),
    },
    Pair {
        what: "sign a result, JWT",
        ours: "sign jwt, ours",
        theirs: "sign jwt, ear",
        peer: "ear 0.6.0 over the same aws-lc",
        signature: Some(("signature, ours", "signature, ours")),
    },
    Pair {
        what: "decode an unsigned CoRIM",
        ours: "corim, ours",
        theirs: "corim, corim-rs",
        peer: "corim-rs 0.2.0",
        signature: None,
    },
    Pair {
        what: "one ES256 verification",
        ours: "verification, ours",
        theirs: "verification, OpenSSL",
        peer: "OpenSSL",
        signature: None,
    },
    Pair {
        what: "one ES256 signature",
        ours: "signature, ours",
        theirs: "signature, OpenSSL",
        peer: "OpenSSL",
        signature: None,
    },
];

const GO_ROWS: &[Pair] = &[
    Pair {
        what: "verify a PSA token",
        ours: "psa, ours",
        theirs: "psa, psatoken",
        peer: "psatoken 1.2.0 over go-cose 1.3.0 and Go's own curves",
        signature: Some(("verification, ours", "verification, Go")),
    },
    Pair {
        what: "verify a result, JWT of the older profile",
        ours: "verify old jwt, ours",
        theirs: "verify old jwt, ear of Go",
        peer: "ear 1.1.3 of Go over its own curves",
        signature: Some(("verification, ours", "verification, Go")),
    },
    Pair {
        what: "sign a result, JWT of the older profile",
        ours: "sign old jwt, ours",
        theirs: "sign old jwt, ear of Go",
        peer: "ear 1.1.3 of Go over its own curves",
        signature: Some(("signature, ours", "signature, Go")),
    },
    Pair {
        what: "decode an unsigned CoRIM",
        ours: "corim, ours",
        theirs: "corim, corim of Go",
        peer: "corim 1.1.2 of Go",
        signature: None,
    },
    Pair {
        what: "one ES256 verification",
        ours: "verification, ours",
        theirs: "verification, Go",
        peer: "crypto/ecdsa of Go",
        signature: None,
    },
    Pair {
        what: "one ES256 signature",
        ours: "signature, ours",
        theirs: "signature, Go",
        peer: "crypto/ecdsa of Go",
        signature: None,
    },
];

const TITLE: &str = "Attestation beside its peers";

const METHOD: &str = "All subjects in turn in every round, each on one core: ours and those in Rust in one process, those in \
    Go in another that times itself when it is told. The tokens, the result and the manifest are the same bytes for both \
    of a row, and so are keys and algorithms; ours is built with aws-lc. Keys are parsed beforehand for ours and wherever a \
    peer's interface takes parsed ones: `ear` parses them with every call, but for verifying JWT. `ccatoken` and ours verify \
    both signatures of the token, `psatoken` and ours the one; none of them compares with references. The manifest is \
    decoded with the modules in it. Ratios are of medians, what is beside the signature of least times.";
