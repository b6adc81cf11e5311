//! Instructions of verifying and running a manifest, counted by valgrind: the same on any machine and any day.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::Effort;
use crate::report::{Row, Section};
use crate::suit_process::{Bound, Subject};

/// Word with which this program calls itself to verify and run a manifest so many times.
pub(crate) const PROCESS: &str = "suit-process";
/// The same for the cryptography in it alone.
pub(crate) const CRYPTOGRAPHY: &str = "suit-cryptography";

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    if Command::new(VALGRIND).arg("--version").output().is_err() {
        return Ok(Section::skipped(TITLE, "valgrind is not installed"));
    }
    let count = effort.of(10, 100);
    let whole = instructions(PROCESS, count)?;
    let cryptography = instructions(CRYPTOGRAPHY, count)?;
    let rest = whole.saturating_sub(cryptography);
    let row = Row {
        what: format!("verify and run {}, without cryptography", Subject::load()?.name),
        figure: format!("{} k instructions", rest / 1000),
        beside: format!("cryptography {} k, together {} k", cryptography / 1000, whole / 1000),
        budget: Some(("< 110 k instructions", rest < 110_000)),
    };
    Ok(Section::new(TITLE, METHOD, vec![row]))
}

/// What this program does when called with [`PROCESS`].
pub(crate) fn process(count: &str) -> Result<()> {
    let subject = Subject::load()?;
    (0..number(count)?).for_each(|_| subject.process());
    Ok(())
}

/// What this program does when called with [`CRYPTOGRAPHY`].
pub(crate) fn cryptography(count: &str) -> Result<()> {
    let bound = Bound::new(&Subject::load()?)?;
    (0..number(count)?).for_each(|_| bound.run());
    Ok(())
}

fn number(count: &str) -> Result<u64> {
    count.parse().with_context(|| format!("{count} is not a number"))
}

/// Instructions of one turn: those of many, less those of one, so that starting up does not count.
fn instructions(word: &str, count: u64) -> Result<u64> {
    let (one, many) = (collected(word, 1)?, collected(word, 1 + count)?);
    Ok(many.saturating_sub(one) / count)
}

fn collected(word: &str, count: u64) -> Result<u64> {
    let own = std::env::current_exe().context("finding this program")?;
    let output = Command::new(VALGRIND)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args([word, &count.to_string()])
        .output()
        .context("running valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind failed: {}", text.trim());
    }
    let line = text.lines().find_map(|line| line.split_once("Collected :"));
    let (_, figure) = line.context("valgrind counted nothing")?;
    figure.trim().parse().with_context(|| format!("valgrind counted {figure}"))
}

const VALGRIND: &str = "valgrind";
const TITLE: &str = "SUIT, instructions";

const METHOD: &str = "The same work under callgrind: instructions of many turns less those of one, per turn. The \
    cryptography alone (the same ES256 signature verified, as many bytes hashed, same back end) is counted the same way and \
    subtracted.";
