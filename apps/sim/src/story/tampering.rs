//! Changing what devices run, and timing how soon the network notices: the loop's latency over its whole path.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use eat::Tier;

use super::{
    Programs,
    catalog::{self, CLOUD},
    lab::Lab,
    observe::Stream,
    place::{CAMS, MIN_DEVICES},
    steps::start_campaign,
};
use crate::{Error, now_ms};

/// How long evidence of a change may take to come.
const NOTICED: Duration = Duration::from_secs(60);
/// How long devices may take to attest: after their start, or after they mended.
const ATTESTED: Duration = Duration::from_secs(120);
/// A port of the cloud that the release declares.
const TELEMETRY: u16 = 5683;
/// Packets of a stream that have to arrive before it counts as open.
const OPEN: usize = 20;
/// How long a stream pauses that is cut, in milliseconds: on a machine that does much else, and on one that does not,
/// where a device may be mended before the longer pause has passed.
pub(super) const PAUSE_MS: u64 = 300;
const SHORT_PAUSE_MS: u64 = 80;
/// How often devices that are timed poll, in milliseconds: seldom, so that they are seen to be cut before they mend.
const POLL_MS: u64 = 4000;

/// Changes devices again and again, at least so many times in all, with real agents, server, gateway and packet filter.
/// Gives for each change the milliseconds from the moment the server received the evidence to the device's last packet
/// that arrived at a host on the Internet. Needs root, `ip` and `nft`.
pub fn time_tampering(
    programs: &Programs,
    changes: usize,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<u64>, Error> {
    let mut lab = Lab::build(programs, MIN_DEVICES, Arc::clone(stop))?;
    lab.provision()?;
    let release = lab.cam.clone();
    lab.upload(&release.envelope)?;
    lab.until_staged(&release.digest, NOTICED)?;
    let cams = lab.group(CAMS);
    for index in &cams {
        lab.start_agent_polling(*index, POLL_MS)?;
    }
    lab.until_affirmed(&cams, &release.digest, ATTESTED)?;
    // Who is in a campaign is mended by it whenever it falls away from its release.
    let campaign = start_campaign(&lab, &release, CAMS, 0)?;
    lab.until_done(campaign.id, ATTESTED)?;
    let mut latencies = Vec::new();
    while latencies.len() < changes {
        lab.until_affirmed(&cams, &release.digest, ATTESTED)?;
        let (taken, _) = cut_all(&mut lab, &cams, false, SHORT_PAUSE_MS)?;
        latencies.extend(taken);
    }
    Ok(latencies)
}

/// Changes every camera's image and waits until each is cut off; gives the times from evidence to the last packet, and
/// the reasons found. At the end the agents may be halted where they stand. A stream without an arrival for longer than
/// the pause, in milliseconds, is cut.
pub(super) fn cut_all(
    lab: &mut Lab,
    cams: &[usize],
    halt: bool,
    pause_ms: u64,
) -> Result<(Vec<u64>, Vec<String>), Error> {
    let cloud = SocketAddr::new(catalog::addresses(CLOUD)[0], TELEMETRY);
    let mut streams = Vec::new();
    for index in cams {
        let since = now_ms();
        streams.push(Stream::start(&lab.devices[*index].space, cloud)?);
        lab.until("the stream arrives", NOTICED, |lab| {
            let count = lab.arrived(&lab.devices[*index], since).len();
            Ok(if count > OPEN {
                Ok(())
            } else {
                Err(format!("{count} packets of {}", lab.devices[*index].name))
            })
        })?;
    }
    let changed_at = now_ms();
    for index in cams {
        flip_a_byte(&lab.running_image(&lab.devices[*index])?)?;
    }
    let mut found: BTreeMap<usize, (u64, String)> = BTreeMap::new();
    lab.until("every change shows in evidence", NOTICED, |lab| {
        for index in cams {
            if found.contains_key(index) {
                continue;
            }
            let device = &lab.devices[*index];
            let judged = lab.judged(device)?;
            let bad = judged
                .iter()
                .filter(|judged| judged.received_ms >= changed_at && judged.tier == Tier::Contraindicated);
            let Some(first) = bad.min_by_key(|judged| judged.received_ms) else { continue };
            if let Some(agent) = device.agent().filter(|_| halt) {
                agent.freeze(true)?;
            }
            found.insert(*index, (first.received_ms, first.codes.first().cloned().unwrap_or_default()));
        }
        Ok(if found.len() == cams.len() { Ok(()) } else { Err(format!("{} of {}", found.len(), cams.len())) })
    })?;
    let mut latencies = Vec::new();
    for (index, (received, _)) in &found {
        let last = lab.until_cut(*index, *received, pause_ms)?;
        latencies.push(last.saturating_sub(*received));
    }
    drop(streams);
    Ok((latencies, found.into_values().map(|(_, code)| code).collect()))
}

/// Lets halted agents go on.
pub(super) fn go_on(lab: &Lab, devices: &[usize]) -> Result<(), Error> {
    for index in devices {
        if let Some(agent) = lab.devices[*index].agent() {
            agent.freeze(false)?;
        }
    }
    Ok(())
}

/// Changes one byte in the middle of an image.
///
/// The file is replaced, since a program that runs cannot be written to; whoever opens it gets the changed one.
fn flip_a_byte(image: &Path) -> Result<(), Error> {
    let failed = || Error::io(image.display().to_string());
    let mut bytes = fs::read(image).map_err(failed())?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    let changed = image.with_extension("changed");
    fs::write(&changed, &bytes).map_err(failed())?;
    let mode = fs::metadata(image).map_err(failed())?.permissions();
    fs::set_permissions(&changed, mode).map_err(failed())?;
    fs::rename(&changed, image).map_err(failed())
}

impl Lab {
    /// Waits until a device's packets were gone for a while after its evidence came; gives when the last one arrived.
    ///
    /// A device may be mended soon, and its flows open again: so the first pause counts.
    fn until_cut(&mut self, index: usize, received_ms: u64, pause_ms: u64) -> Result<u64, Error> {
        self.until("packets stop arriving", NOTICED, |lab| {
            let mut times: Vec<u64> = lab
                .arrived(&lab.devices[index], received_ms.saturating_sub(pause_ms))
                .iter()
                .map(|arrival| arrival.at_ms)
                .collect();
            times.push(now_ms());
            times.sort_unstable();
            let pause = times.windows(2).find(|pair| pair[1] - pair[0] > pause_ms && pair[1] > received_ms);
            Ok(pause.map(|pair| pair[0]).ok_or_else(|| format!("{} packets arrived", times.len())))
        })
    }
}
