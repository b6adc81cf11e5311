//! Steps 4 and 5: an image is changed on the device, and mends by itself.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, time::Duration};

use crypto::{Digest, HashAlgorithm};
use eat::Tier;
use trust::Code;

use crate::{
    Error, Service, Target, now_ms,
    story::{
        Script,
        catalog::{self, CLOUD},
        lab::Lab,
        observe::Stream,
        place::{CAMS, SERVER},
    },
};

/// How often each camera is changed and mends before the time that counts is summed up.
const ROUNDS: usize = 3;
/// How often it is tried again when a camera mends before it is halted.
const MORE_ROUNDS: usize = 4;
/// The longest time from evidence received to packets dropped, in milliseconds.
const LIMIT_MS: u64 = 1000;
/// How long evidence of a change may take to come.
const NOTICED: Duration = Duration::from_secs(20);
/// How long the update may take to mend it.
const MENDED: Duration = Duration::from_secs(60);
/// A port of the cloud that the release declares.
const TELEMETRY: u16 = 5683;
/// Packets of a stream that have to arrive before it counts as open.
const OPEN: usize = 20;

/// Step 4.
pub(super) fn tamper(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let cams = lab.group(CAMS);
    let release = lab.new_cam.digest.clone();
    let mut latencies = Vec::new();
    let mut findings = Vec::new();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let halt = rounds >= ROUNDS;
        let (taken, found) = cut_all(lab, &cams, halt)?;
        latencies.extend(taken);
        findings.extend(found);
        // A device may have mended before it was halted; then there is nothing to look at, and it is changed again.
        if halt && (are_changed(lab, &cams)? || rounds == ROUNDS + MORE_ROUNDS) {
            break;
        }
        go_on(lab, &cams)?;
        lab.until_affirmed(&cams, &release, MENDED)?;
    }
    latencies.sort_unstable();
    let expected = rounds * cams.len();
    script.check(
        "each change is found in the next evidence, which the result contradicts",
        findings.len() == expected && findings.iter().all(|code| code == Code::DigestMismatch.as_str()),
        format!(
            "{} of {expected} changes: {}",
            findings.len(),
            findings.first().map_or("none", String::as_str)
        ),
    );
    let worst = latencies.last().copied().unwrap_or(u64::MAX);
    let median = latencies.get(latencies.len() / 2).copied().unwrap_or(u64::MAX);
    script.check(
        format!("packets are dropped within {LIMIT_MS} ms of the evidence, open flows included"),
        worst < LIMIT_MS && latencies.len() == expected,
        format!("worst of {} changes {worst} ms, median {median} ms", latencies.len()),
    );

    // Their agents are halted now, so that nothing mends while it is looked at.
    let reached = lab.each_answering(&cams, &catalog::matrix());
    let open: usize = reached.iter().map(std::collections::BTreeSet::len).sum();
    script.check(
        "nothing of the Internet answers the changed devices",
        open == 0,
        format!("{} probes, {open} answered", catalog::matrix().len() * cams.len()),
    );
    let server = Target { address: SERVER.ip(), service: Service::Tcp(SERVER.port()) };
    let update: usize =
        lab.each_answering(&cams, &[server]).iter().map(std::collections::BTreeSet::len).sum();
    script.check(
        "the way to attestation and update stays open",
        update == cams.len(),
        format!("{update} of {} devices", cams.len()),
    );
    Ok(())
}

/// Changes every camera's image and waits until each is cut off; gives the times from evidence to the last packet, and
/// the reasons found. At the end the agents may be halted where they stand.
fn cut_all(lab: &mut Lab, cams: &[usize], halt: bool) -> Result<(Vec<u64>, Vec<String>), Error> {
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
        let last = lab.until_cut(*index, *received, NOTICED)?;
        latencies.push(last.saturating_sub(*received));
    }
    drop(streams);
    Ok((latencies, found.into_values().map(|(_, code)| code).collect()))
}

/// Whether the newest result of each device contradicts it.
fn are_changed(lab: &Lab, devices: &[usize]) -> Result<bool, Error> {
    for index in devices {
        let judged = lab.judged(&lab.devices[*index])?;
        let newest = judged.iter().max_by_key(|judged| judged.received_ms);
        if newest.is_none_or(|judged| judged.tier != Tier::Contraindicated) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Lets halted agents go on.
fn go_on(lab: &Lab, devices: &[usize]) -> Result<(), Error> {
    for index in devices {
        if let Some(agent) = lab.devices[*index].agent() {
            agent.freeze(false)?;
        }
    }
    Ok(())
}

/// Step 5.
pub(super) fn repair(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let cams = lab.group(CAMS);
    let release = lab.new_cam.clone();
    let before = lab.last_audit_record()?;
    let begun = now_ms();
    go_on(lab, &cams)?;
    let mended = lab.until_affirmed(&cams, &release.digest, MENDED);
    script.came_true(
        "every changed device attests its release again",
        mended.map(|last| {
            format!("{} devices, {} ms after they went on", cams.len(), last.saturating_sub(begun))
        }),
    )?;
    let expected = release.release.expected().first().map(|expected| expected.digest);
    let mut whole = 0;
    for index in &cams {
        let path = lab.running_image(&lab.devices[*index])?;
        let bytes = fs::read(&path).map_err(Error::io(path.display().to_string()))?;
        whole += usize::from(Some(Digest::of(HashAlgorithm::Sha256, &bytes)) == expected);
    }
    script.check(
        "the image that each runs has the signed digest",
        whole == cams.len(),
        format!("{whole} of {} images", cams.len()),
    );
    for index in &cams {
        let name = lab.devices[*index].name.clone();
        let outcome = lab.until_exactly(*index, &release.release, MENDED);
        script.came_true(format!("{name} reaches exactly what its release declares again"), outcome)?;
    }
    let people = lab.people_since(before)?;
    script.check(
        "nobody did anything: the audit chain names no person since the change",
        people.is_empty(),
        if people.is_empty() { "server, devices and gateway only".to_owned() } else { people.join(", ") },
    );
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
    fn until_cut(&mut self, index: usize, received_ms: u64, within: Duration) -> Result<u64, Error> {
        self.until("packets stop arriving", within, |lab| {
            let mut times: Vec<u64> = lab
                .arrived(&lab.devices[index], received_ms.saturating_sub(PAUSE_MS))
                .iter()
                .map(|arrival| arrival.at_ms)
                .collect();
            times.push(now_ms());
            times.sort_unstable();
            let pause = times.windows(2).find(|pair| pair[1] - pair[0] > PAUSE_MS && pair[1] > received_ms);
            Ok(pause.map(|pair| pair[0]).ok_or_else(|| format!("{} packets arrived", times.len())))
        })
    }
}

/// A stream without an arrival for so many milliseconds is cut.
const PAUSE_MS: u64 = 300;
