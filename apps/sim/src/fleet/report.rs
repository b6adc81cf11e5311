//! What a fleet says at its end, and whether it is as it should be.

use std::{collections::BTreeMap, fs, sync::atomic::Ordering, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    device::{Change, Standing},
    metrics::{Exchange, Latency, Metrics},
    onboarding::Onboarded,
    scenario::Plan,
};

/// How many devices that are not as they should be are named.
const MAX_NAMED: usize = 20;
/// The posture of a device that is believed, as the server says it.
const TRUSTED: &str = "trusted";

/// What came of a fleet's life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Whether every device that should be trusted is, and none else.
    pub ok: bool,
    /// The server.
    pub server: String,
    /// How many devices there are.
    pub devices: u32,
    /// What they are made from; the same seed gives the same devices.
    pub seed: u64,
    /// How they came from their factory to the operator, where they began there.
    pub onboarded: Option<Onboarded>,
    /// How many of them were enrolled now, and how long that took in seconds.
    pub enrolled: u64,
    /// Seconds that enrolling took.
    pub enrolling_s: f64,
    /// Seconds that the fleet lived.
    pub life_s: f64,
    /// How many devices stand in each posture, as the server says.
    pub postures: BTreeMap<String, u64>,
    /// How many devices run each version, as the server says.
    pub versions: BTreeMap<String, u64>,
    /// How many devices have each status in their newest result, as they see it; `none` when they got no result.
    pub results: BTreeMap<String, u64>,
    /// How many devices run the release with each sequence number, as they see it.
    pub running: BTreeMap<String, u64>,
    /// What became of devices whose image was changed.
    pub changed: Changed,
    /// How many devices were switched off for a while.
    pub vanishing: u64,
    /// Attestations and polls that were answered.
    pub check_ins: u64,
    /// The same, a second.
    pub check_ins_per_s: f64,
    /// Attestations that got a signed result.
    pub attestations: u64,
    /// Polls that were answered.
    pub polls: u64,
    /// Releases installed.
    pub installations: u64,
    /// How long exchanges took, by kind, from the start of a request to the end of its answer.
    pub latency: BTreeMap<String, Latency>,
    /// How much later than due devices acted, for want of a free connection.
    pub lateness: Latency,
    /// Exchanges that failed, by kind and reason.
    pub errors: BTreeMap<String, u64>,
    /// Bytes of bodies sent.
    pub sent_bytes: u64,
    /// Bytes of bodies received.
    pub received_bytes: u64,
    /// The most memory the fleet ever had, in KiB.
    pub fleet_peak_kib: Option<u64>,
    /// The most memory its own server ever had, in KiB.
    pub server_peak_kib: Option<u64>,
    /// Seconds of processor time that the fleet used, the making of its devices included.
    pub fleet_cpu_s: Option<f64>,
    /// Seconds of processor time that its own server used.
    pub server_cpu_s: Option<f64>,
    /// How many devices are not as they should be.
    pub wrong: u64,
    /// The first of them, and what is wrong.
    pub wrong_devices: Vec<String>,
}

/// What became of devices whose image was changed behind their backs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// How many there are.
    pub devices: u64,
    /// How many were found out by their next evidence.
    pub found: u64,
    /// How many were believed all the same.
    pub missed: u64,
    /// How many did not attest since.
    pub unseen: u64,
    /// How many were mended by an update that was under way, before they attested.
    pub mended: u64,
    /// How many run again what their manifest says.
    pub cured: u64,
}

/// What a summary is made of.
pub(crate) struct Facts<'f> {
    pub(crate) plan: &'f Plan,
    pub(crate) server: &'f str,
    pub(crate) onboarded: Option<Onboarded>,
    pub(crate) enrolled: usize,
    pub(crate) enrolling: Duration,
    pub(crate) life: Duration,
    pub(crate) vanishing: usize,
    pub(crate) metrics: &'f Metrics,
    pub(crate) standings: &'f [Standing],
    pub(crate) known: &'f BTreeMap<String, api::Device>,
}

impl Summary {
    pub(crate) fn new(facts: &Facts<'_>) -> Self {
        let Facts { plan, metrics, standings, known, .. } = facts;
        let count = |words: &mut dyn Iterator<Item = String>| {
            let mut counts = BTreeMap::new();
            words.for_each(|word| *counts.entry(word).or_default() += 1);
            counts
        };
        let ours = || standings.iter().map(|standing| known.get(&standing.ueid));
        let dash = |text: Option<&String>| text.cloned().unwrap_or_else(|| "none".to_owned());
        let wrong: Vec<String> =
            standings.iter().filter_map(|standing| fault(standing, known.get(&standing.ueid))).collect();
        let latency = Exchange::ALL.into_iter().map(|exchange| (exchange, metrics.latency(exchange)));
        let check_ins = metrics.check_ins();
        Self {
            ok: wrong.is_empty(),
            server: facts.server.to_owned(),
            devices: plan.devices,
            seed: plan.seed,
            onboarded: facts.onboarded.clone(),
            enrolled: facts.enrolled as u64,
            enrolling_s: facts.enrolling.as_secs_f64(),
            life_s: facts.life.as_secs_f64(),
            postures: count(&mut ours().map(|device| dash(device.map(|device| &device.posture)))),
            versions: count(
                &mut ours().map(|device| dash(device.and_then(|device| device.version.as_ref()))),
            ),
            results: count(
                &mut standings.iter().map(|one| one.tier.map_or("none", eat::Tier::name).to_owned()),
            ),
            running: count(
                &mut standings.iter().map(|one| dash(one.sequence.map(|number| number.to_string()).as_ref())),
            ),
            changed: Changed::of(standings),
            vanishing: facts.vanishing as u64,
            check_ins,
            check_ins_per_s: check_ins as f64 / facts.life.as_secs_f64().max(f64::MIN_POSITIVE),
            attestations: metrics.attestations.load(Ordering::Relaxed),
            polls: metrics.polls.load(Ordering::Relaxed),
            installations: metrics.installations.load(Ordering::Relaxed),
            latency: latency
                .filter(|(_, latency)| latency.count > 0)
                .map(|(exchange, latency)| (exchange.as_str().to_owned(), latency))
                .collect(),
            lateness: metrics.lateness(),
            errors: metrics.errors(),
            sent_bytes: metrics.sent.load(Ordering::Relaxed),
            received_bytes: metrics.received.load(Ordering::Relaxed),
            fleet_peak_kib: peak_memory("self"),
            server_peak_kib: None,
            fleet_cpu_s: cpu_seconds("self"),
            server_cpu_s: None,
            wrong: wrong.len() as u64,
            wrong_devices: wrong.into_iter().take(MAX_NAMED).collect(),
        }
    }
}

impl Changed {
    fn of(standings: &[Standing]) -> Self {
        let with = |change| standings.iter().filter(|one| one.change == change).count() as u64;
        let changed = standings.iter().filter(|one| one.change != Change::None);
        Self {
            devices: changed.clone().count() as u64,
            found: with(Change::Found),
            missed: with(Change::Missed),
            unseen: with(Change::Unseen),
            mended: with(Change::Mended),
            cured: changed.filter(|one| one.intact).count() as u64,
        }
    }
}

/// What is wrong about a device: one that is what it says must be trusted, and one that was changed must not be.
fn fault(standing: &Standing, known: Option<&api::Device>) -> Option<String> {
    let Standing { ueid, change, intact, .. } = standing;
    let Some(known) = known else { return Some(format!("{ueid}: the server does not know it")) };
    let codes: Vec<&str> = known.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let said = format!("{}: {} [{}]", known.name, known.posture, codes.join(", "));
    let is_trusted = known.posture == TRUSTED;
    match (change, intact) {
        (Change::Missed, _) => {
            Some(format!("{said}, and its evidence was believed after its image was changed"))
        }
        // Nobody can know yet.
        (Change::Unseen, false) => None,
        (_, true) if !is_trusted => Some(said),
        (_, false) if is_trusted => Some(format!("{said}, and its image is not what its manifest says")),
        _ => None,
    }
}

/// The most memory a process ever had, in KiB.
pub(crate) fn peak_memory(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Ticks of a second in what the kernel says of processes: the same on every Linux.
const TICKS: f64 = 100.0;
/// Place of the ticks spent outside the kernel in a process's status, counted from behind its name; those spent inside
/// follow.
const USER_TICKS: usize = 11;

/// Seconds of processor time that a process used.
pub(crate) fn cpu_seconds(process: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name stands in brackets, and may hold any of them.
    let mut fields = status.rsplit_once(')')?.1.split_whitespace().skip(USER_TICKS);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(posture: &str) -> api::Device {
        let text = |text: &str| text.to_owned();
        api::Device {
            ueid: text("01"),
            name: text("sim-1"),
            model: text("m"),
            group: text("g"),
            posture: text(posture),
            access: text("release"),
            violating: false,
            reasons: Vec::new(),
            release: None,
            version: None,
            attested_at: None,
            enrolled_at: text(""),
            retired_at: None,
            hold: None,
            decision: None,
        }
    }

    #[test]
    fn good_devices_must_be_trusted_and_changed_ones_must_not() {
        for (change, intact, posture, is_wrong) in [
            (Change::None, true, "trusted", false),
            (Change::None, true, "untrusted", true),
            (Change::None, true, "unknown", true),
            (Change::None, false, "trusted", true),
            (Change::Unseen, false, "trusted", false),
            (Change::Found, false, "untrusted", false),
            (Change::Found, false, "trusted", true),
            (Change::Found, true, "trusted", false),
            (Change::Found, true, "untrusted", true),
            (Change::Missed, false, "untrusted", true),
            (Change::Mended, true, "trusted", false),
        ] {
            let standing = Standing { ueid: "01".into(), tier: None, sequence: None, change, intact };
            let found = fault(&standing, Some(&known(posture)));
            assert_eq!(found.is_some(), is_wrong, "{change:?}, intact {intact}, {posture}");
        }
        let standing =
            Standing { ueid: "01".into(), tier: None, sequence: None, change: Change::None, intact: true };
        assert!(fault(&standing, None).is_some());
    }

    #[test]
    fn memory_and_processor_time_of_this_process_are_known() {
        assert!(peak_memory("self").unwrap() > 100);
        assert_eq!(peak_memory("none"), None);
        let before = cpu_seconds("self").unwrap();
        while cpu_seconds("self").unwrap() < before + 0.05 {
            std::hint::black_box(Metrics::default());
        }
        assert_eq!(cpu_seconds("none"), None);
    }
}
