//! From bad evidence to the last packet that passed, over the whole path of real processes.

use std::sync::{Arc, atomic::AtomicBool};

use anyhow::{Context as _, Result};
use sim::story::{Programs, time_tampering};

use crate::Effort;
use crate::report::{Row, Section};
use crate::sample::{Sample, time};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    if !sim::netns::is_possible() {
        return Ok(Section::skipped(TITLE, "virtual networks need root, ip, bridge and nft"));
    }
    let own = std::env::current_exe().context("where this program is")?;
    let programs = Programs::beside(&own.with_file_name("sextant")).context("the programs of the story")?;
    let never = Arc::new(AtomicBool::new(false));
    let taken = time_tampering(&programs, effort.of(3, 50), &never).context("changing devices")?;
    let changes = taken.len();
    let sample = Sample::new(taken.into_iter().map(|milliseconds| milliseconds as f64 / 1000.0).collect());
    let row = Row {
        what: format!("bad evidence → last packet of the device that passed, {changes} changes"),
        figure: format!(
            "{} in the median, p90 {}, worst {}",
            time(sample.median()),
            time(sample.quantile(0.9)),
            time(sample.quantile(1.0))
        ),
        beside: "one packet each 5 ms".into(),
        budget: Some(("p99 < 1 s, aim < 200 ms", sample.quantile(0.99) < 1.0)),
    };
    Ok(Section::new(TITLE, METHOD, vec![row]))
}

const TITLE: &str = "Tampering to drop, the whole path";

const METHOD: &str = "The network of the demonstration: six devices, gateway, server and a virtual Internet, each in a \
    namespace of its own, all as processes on this machine. One byte of a device's running image is changed; its agent's \
    next evidence goes over TLS to the server, which verifies it, stores it and signs a result; the gateway hears of it, \
    verifies the result, decides and changes the rules. Timed is from the moment that the server stored as the arrival of \
    the evidence to the last packet of the device that arrived on the Internet. Several devices are changed at once; the \
    update mends them before they are changed again.";
