//! The machine the figures are from.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context as _, Result};

/// A list of what matters about this machine, for the report.
pub(crate) fn describe() -> Result<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").context("reading /proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel =
        std::fs::read_to_string("/proc/sys/kernel/osrelease").context("reading the kernel's release")?;
    let cores = std::thread::available_parallelism().context("counting cores")?;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "- {name}: {}", value.trim());
    };
    line("date", &answer("date", &["-u", "+%Y-%m-%d"]));
    line("processor", &format!("{}, {cores} cores", model.map_or("unknown", |(_, model)| model.trim())));
    line("kernel", &kernel);
    line("compiler", &format!("{}, release profile", answer("rustc", &["-V"]).trim()));
    line("packet filter", &answer("nft", &["-v"]));
    Ok(text)
}

/// First line of what a program says, or that it is not there.
fn answer(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("not installed").to_owned()
}

/// Bytes of memory that this process has in use.
pub(crate) fn resident() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().context("VmRSS is a number")?;
    Ok(kibibytes * 1024)
}
