//! How fast packets pass the gateway with many devices, beside an empty table.

use std::io::Write as _;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use gateway::Enforcer;
use sim::netns::Namespace;

use crate::Effort;
use crate::lab::Lab;
use crate::report::{Row, Section};
use crate::sample::{Sample, rate};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (rounds, slice) = effort.of((3, Duration::from_millis(100)), (25, Duration::from_millis(400)));
    let mut lanes = Vec::new();
    for others in effort.of(&[None, Some(1_000)][..], &[None, Some(0), Some(10_000), Some(100_000)]) {
        let Some(lab) = Lab::new() else { return Ok(Section::skipped(TITLE, "it needs root")) };
        let enforcer = match others {
            Some(others) => Some(lab.enforce(*others, Arc::new(()))?),
            None => {
                empty_table(&lab.gateway)?;
                None
            }
        };
        let (unanswered, answered, sink) = (lab.sender()?, lab.sender()?, lab.receiver()?);
        establish(&answered, &sink)?;
        lanes.push(Lane {
            others: *others,
            lab,
            flows: [unanswered, answered],
            _sink: sink,
            _enforcer: enforcer,
            rates: [Vec::new(), Vec::new()],
        });
    }
    for round in 0..=rounds {
        for lane in &mut lanes {
            for flow in 0..FLOWS.len() {
                let found = lane.flood(&lane.flows[flow], slice)?;
                // The first round warms up.
                if round > 0 {
                    lane.rates[flow].push(found);
                }
            }
        }
    }
    let mut rows = Vec::new();
    let mut empty = [f64::NAN; FLOWS.len()];
    for lane in lanes {
        let rates = lane.rates.map(Sample::new);
        let Some(others) = lane.others else {
            empty = rates.map(|rates| rates.median());
            continue;
        };
        for ((flow, rates), empty) in FLOWS.iter().zip(&rates).zip(empty) {
            let share = rates.median() / empty;
            let (low, high) = (rate(rates.quantile(0.1)), rate(rates.quantile(0.9)));
            rows.push(Row {
                what: format!("packets of {flow}, {} devices", others + 1),
                figure: format!(
                    "{} ({low} to {high}), {:.0} % of the empty table",
                    rate(rates.median()),
                    share * 100.0
                ),
                beside: format!("empty table: {}", rate(empty)),
                budget: Some(("≥ 0.8 of the empty table", share >= 0.8)),
            });
        }
    }
    Ok(Section::new(TITLE, METHOD, rows))
}

/// A gateway under flood.
struct Lane {
    /// Devices besides the sender; none at all and no policy behind the empty table.
    others: Option<u32>,
    lab: Lab,
    /// One for each of [`FLOWS`].
    flows: [UdpSocket; FLOWS.len()],
    /// Not read any more: what overflows it is dropped behind the gateway, and nobody says that the port is closed.
    _sink: UdpSocket,
    /// Kept for its open context.
    _enforcer: Option<Enforcer>,
    /// Packets per second behind the gateway, of each flow.
    rates: [Vec<f64>; FLOWS.len()],
}

impl Lane {
    fn flood(&self, sender: &UdpSocket, slice: Duration) -> Result<f64> {
        let before = self.lab.arrived()?;
        let start = Instant::now();
        while start.elapsed() < slice {
            for _ in 0..64 {
                // A full queue is what a flood is for.
                let _full = sender.send(PAYLOAD);
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let arrived = self.lab.arrived()?.saturating_sub(before);
        if arrived == 0 {
            bail!("nothing passes the gateway");
        }
        Ok(arrived as f64 / seconds)
    }
}

/// Lets both sides speak once, after which the connection counts as established.
fn establish(sender: &UdpSocket, sink: &UdpSocket) -> Result<()> {
    sender.set_read_timeout(Some(Duration::from_secs(2))).context("a time limit")?;
    sender.send(PAYLOAD).context("the first packet")?;
    let mut buffer = [0; PAYLOAD.len()];
    let (_, source) = sink.recv_from(&mut buffer).context("the first packet behind the gateway")?;
    sink.send_to(PAYLOAD, source).context("the answer")?;
    sender.recv(&mut buffer).context("the answer through the gateway")?;
    Ok(())
}

/// What any stateful packet filter does at least: it tracks connections, and lets everything pass.
fn empty_table(gateway: &Namespace) -> Result<()> {
    let mut child = gateway
        .enter(|| Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn())
        .context("starting nft")?;
    let mut input = child.stdin.take().context("the input of nft")?;
    input.write_all(EMPTY_TABLE.as_bytes()).context("writing to nft")?;
    drop(input);
    if !child.wait().context("waiting for nft")?.success() {
        bail!("nft refuses the empty table");
    }
    Ok(())
}

const EMPTY_TABLE: &str = "table inet empty {
    chain forward {
        type filter hook forward priority 0; policy accept;
        ct state invalid drop
        ct state established accept
    }
}
";

const PAYLOAD: &[u8] = &[0; 18];

/// What is sent.
const FLOWS: [&str; 2] = ["an unanswered flow", "an established flow"];

const TITLE: &str = "Forwarding";

const METHOD: &str = "One sender floods UDP packets of 18 bytes from a device's namespace through the gateway's; counted is \
    what arrives behind it. An unanswered flow \
    is never established, so that every packet is judged by the device map and the policy (20 entries): the worst case. \
    The empty table tracks connections and accepts everything. \
    Slices of all tables interleaved; median, with the tenth and the ninetieth percentile.";
