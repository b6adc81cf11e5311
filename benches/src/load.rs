//! How long a gateway takes to load its devices, and how much memory, beside one rule for each entry of each device.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use sim::netns::Namespace;

use crate::Effort;
use crate::lab::Lab;
use crate::report::{Row, Section};
use crate::sample::{Sample, time};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (rounds, ours, linear) =
        effort.of((1, &[100, 1_000][..], &[10, 100][..]), (3, &[10_000, 100_000], &[1_000, 10_000]));
    let mut maps: Vec<(u32, Vec<Loaded>)> = ours.iter().map(|devices| (*devices, Vec::new())).collect();
    let mut chains: Vec<(u32, Vec<Loaded>)> = linear.iter().map(|devices| (*devices, Vec::new())).collect();
    for _ in 0..rounds {
        for (devices, loaded) in &mut maps {
            let Some(lab) = Lab::new() else { return Ok(Section::skipped(TITLE, "it needs root")) };
            loaded.push(load_maps(&lab, *devices)?);
        }
        for (devices, loaded) in &mut chains {
            let Some(lab) = Lab::new() else { return Ok(Section::skipped(TITLE, "it needs root")) };
            loaded.push(load_linear(&lab.gateway, *devices)?);
        }
    }
    let slowest = chains.last().map(|(devices, loaded)| (*devices, median(loaded)));
    let rows = maps.iter().map(|(devices, loaded)| {
        let loaded = median(loaded);
        let beside = chains.iter().map(|(devices, loaded)| {
            let loaded = median(loaded);
            format!("{devices} devices in one chain: {}, {} MB", time(loaded.seconds), loaded.megabytes)
        });
        Row {
            what: format!("load {devices} devices of 20 entries into an empty kernel"),
            figure: format!("{}, {} MB in nft", time(loaded.seconds), loaded.megabytes),
            beside: beside.collect::<Vec<_>>().join("; "),
            budget: slowest.map(|(_, slowest)| {
                ("less than the linear shape with a tenth of them", loaded.seconds < slowest.seconds)
            }),
        }
    });
    Ok(Section::new(TITLE, METHOD, rows.collect()))
}

/// What a load took.
#[derive(Clone, Copy)]
struct Loaded {
    seconds: f64,
    /// The most that nft had in memory.
    megabytes: u64,
}

fn median(loaded: &[Loaded]) -> Loaded {
    let seconds = Sample::new(loaded.iter().map(|loaded| loaded.seconds).collect()).median();
    let megabytes = loaded.iter().map(|loaded| loaded.megabytes).max().unwrap_or_default();
    Loaded { seconds, megabytes }
}

/// The shape of the product, by the product itself.
fn load_maps(lab: &Lab, devices: u32) -> Result<Loaded> {
    let loaded = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A large transaction has an nft of its own, which is gone when it is done.
        let watched = scope.spawn(|| {
            let mut most = 0;
            while !loaded.load(Ordering::Relaxed) {
                most = children().into_iter().filter_map(peak).max().unwrap_or_default().max(most);
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let began = Instant::now();
        // The device that is there counts.
        let enforced = lab.enforce(devices - 1, Arc::new(()));
        let seconds = began.elapsed().as_secs_f64();
        loaded.store(true, Ordering::Relaxed);
        let megabytes = watched.join().unwrap_or_default();
        enforced.map(|_enforcer| Loaded { seconds, megabytes })
    })
}

/// One rule for each entry of each device, all in one chain: what comes to mind first.
fn load_linear(gateway: &Namespace, devices: u32) -> Result<Loaded> {
    let mut text = String::from(
        "table inet linear {\nchain forward {\ntype filter hook forward priority 0; policy drop;\nct state established accept\n",
    );
    for device in 0..devices {
        let [_, a, b, c] = device.to_be_bytes();
        for entry in 0..ENTRIES {
            writeln!(
                text,
                "ether saddr 06:00:00:{a:02x}:{b:02x}:{c:02x} ip daddr 203.0.113.{} udp dport {} accept",
                100 + entry,
                9000 + entry
            )?;
        }
    }
    text.push_str("}\n}\n");
    let began = Instant::now();
    let mut child = gateway
        .enter(|| Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn())
        .context("starting nft")?;
    let mut input = child.stdin.take().context("the input of nft")?;
    let process = child.id();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let mut megabytes = 0;
    let status = loop {
        if let Some(status) = child.try_wait().context("waiting for nft")? {
            break status;
        }
        megabytes = peak(process).unwrap_or(megabytes).max(megabytes);
        std::thread::sleep(Duration::from_millis(5));
    };
    let seconds = began.elapsed().as_secs_f64();
    let written = writer.join().map_err(|_| anyhow::anyhow!("the writer of nft's input failed"))?;
    if !status.success() {
        bail!("nft refuses the linear table");
    }
    written.context("writing to nft")?;
    Ok(Loaded { seconds, megabytes })
}

/// Processes that this one started; threads may end while this looks.
fn children() -> Vec<u32> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The most memory that a process had, in megabytes.
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes.div_ceil(1024))
}

/// Entries of a device's policy.
const ENTRIES: u32 = 20;

const TITLE: &str = "Loading many devices";

const METHOD: &str = "From an empty kernel to rules in force, in a namespace of its own each time; the product's own enforcer, \
    whose devices are elements of maps and share a policy of 20 entries, and nft with one rule for each entry of each device in one chain. \
    Rounds interleaved; median of the times, the most of the memory that the nft process had. Ten times as many devices in one chain are not \
    tried: they would not fit into this machine.";
