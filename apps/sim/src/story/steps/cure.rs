//! Steps 5 and 6: an image is changed on the device, and mends by itself.

use std::{fs, time::Duration};

use crypto::{Digest, HashAlgorithm};
use eat::Tier;
use trust::Code;

use crate::{
    Error, Service, Target, now_ms,
    story::{
        Script, catalog,
        lab::Lab,
        place::{CAMS, SERVER},
        tampering::{PAUSE_MS, cut_all, go_on},
    },
};

/// How often each camera is changed and mends before the time that counts is summed up.
const ROUNDS: usize = 3;
/// How often it is tried again when a camera mends before it is halted.
const MORE_ROUNDS: usize = 4;
/// The longest time from evidence received to packets dropped, in milliseconds.
const LIMIT_MS: u64 = 1000;
/// How long the update may take to mend it.
const MENDED: Duration = Duration::from_secs(120);

/// Step 5.
pub(super) fn tamper(lab: &mut Lab, script: &mut Script) -> Result<(), Error> {
    let cams = lab.group(CAMS);
    let release = lab.new_cam.digest.clone();
    let mut latencies = Vec::new();
    let mut findings = Vec::new();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let halt = rounds >= ROUNDS;
        let (taken, found) = cut_all(lab, &cams, halt, PAUSE_MS)?;
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

/// Step 6.
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
