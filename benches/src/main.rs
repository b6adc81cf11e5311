//! Measures the budgets of ARCHITECTURE.md on this machine and writes them down, each beside a bound or a peer that ran
//! interleaved with it: absolute figures change with the machine, ratios within one run hardly do.
//!
//! `sextant-benches [--quick] [--only NAME]… [FILE]`. Without FILE the report goes to standard output. With `--quick`
//! it tries the measurements rather than the product. Nothing fails because a budget is not kept; the report says it.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks to its caller")]

mod agreeable;
mod attestation;
mod attestation_peers;
mod callgrind;
mod device_code;
#[path = "../../tests/conformance/fixture.rs"]
mod fixture;
mod forwarding;
mod gateways;
mod handshakes;
mod https;
mod lab;
mod load;
mod machine;
mod mud_compile;
mod onboarding;
mod policy_move;
mod report;
mod resolver;
mod sample;
mod suit_peers;
mod suit_process;
mod tamper;
mod verifier;
mod violations;
mod whole_path;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use self::report::{Report, Section};

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    /// To see that the measurement works.
    Quick,
    /// For the record.
    Full,
}

impl Effort {
    fn of<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// A measurement and its name for `--only`.
type Measurement = (&'static str, fn(Effort) -> Result<Section>);

const MEASUREMENTS: [Measurement; 21] = [
    ("attestation", attestation::measure),
    ("attestation-peers", attestation_peers::measure),
    ("verifier", verifier::measure),
    ("suit", suit_process::measure),
    ("suit-peers", suit_peers::measure),
    ("callgrind", callgrind::measure),
    ("device-code", device_code::measure),
    ("onboarding", onboarding::measure_full),
    ("onboarding-peer", onboarding::measure_beside_peer),
    ("onboarding-vouchers", onboarding::measure_stored),
    ("onboarding-registration", onboarding::measure_registration),
    ("mud", mud_compile::measure),
    ("policy-move", policy_move::measure),
    ("forwarding", forwarding::measure),
    ("load", load::measure),
    ("resolver", resolver::measure),
    ("violations", violations::measure),
    ("handshakes", handshakes::measure),
    ("gateways", gateways::measure),
    ("tamper", tamper::measure),
    ("whole-path", whole_path::measure),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        // What this program does under valgrind, when it calls itself.
        [callgrind::PROCESS, count] => callgrind::process(count),
        [callgrind::CRYPTOGRAPHY, count] => callgrind::cryptography(count),
        words => run(words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sextant-benches: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    let (mut effort, mut only, mut file) = (Effort::Full, Vec::new(), None);
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--quick" => effort = Effort::Quick,
            "--only" => only.push(words.next().context("--only needs a name")?),
            word if word.starts_with('-') => bail!("{word} is not known"),
            word => file = Some(word),
        }
    }
    if let Some(unknown) = only.iter().find(|name| !MEASUREMENTS.iter().any(|(known, _)| known == *name)) {
        bail!("no measurement is called {unknown}");
    }
    let mut report = Report::new(effort)?;
    for (name, measure) in MEASUREMENTS {
        if only.is_empty() || only.contains(&name) {
            eprintln!("measuring {name}");
            report.add(measure(effort).with_context(|| format!("measuring {name}"))?);
        }
    }
    let text = report.to_markdown();
    match file {
        Some(file) => std::fs::write(file, text).with_context(|| format!("writing {file}")),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}
