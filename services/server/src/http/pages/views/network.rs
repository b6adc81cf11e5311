//! `/network`: what gateways tell of devices without attestation.

use std::collections::BTreeMap;

use api::{ModelState, NetworkAccess, NetworkDevice, NetworkFile, NetworkModel, OfGateway, Pointer};
use store::{Timestamp, Violation};

use super::{device::count, frame, sentence};
use crate::{
    app::{App, Failure},
    http::pages::Viewer,
    pages::{
        view::{
            DigestChip, Href, NetworkDeviceRow, NetworkModelRow, NetworkPage, Posture, Section, Sentence,
            Text, WaitingFile,
        },
        words,
    },
};

/// Rows of each list.
const ROWS: usize = 200;
/// Flows of a file that are shown.
const FLOWS: usize = 8;
/// Kinds of dropped packets that are looked at.
const MAX_DROPPED: u32 = 1000;
const DAY: i64 = 24 * 3600;

/// `/network`
pub(in crate::http::pages) async fn network(app: &App, viewer: &Viewer) -> Result<NetworkPage, Failure> {
    let now = app.now();
    let models = app.network_models().await?;
    let devices = app.network_devices().await?;
    let dropped = app.store.violations(None, now.plus_seconds(-DAY), MAX_DROPPED).await?;
    let mut frame = frame(app, viewer, "Network", Some(Section::Network), count(app).await?, "");
    frame.json = Some(Href::route("/api/v1/network/models"));
    let here = devices.iter().filter(|device| device.told.access != NetworkAccess::Absent).count();
    let mut waiting: Vec<&OfGateway<NetworkModel>> =
        models.iter().filter(|model| model.told.state == ModelState::Waiting).collect();
    waiting.sort_by_key(|model| std::cmp::Reverse(model.told.devices));
    let drops = by_device(&dropped);
    Ok(NetworkPage {
        frame,
        facts: vec![
            format!("{} MUD URLs", models.len()).into(),
            format!("{here} devices without attestation").into(),
            format!("{} files wait", waiting.len()).into(),
        ],
        waiting: waiting.into_iter().take(ROWS).map(|model| waits(model, now)).collect(),
        models: models.iter().take(ROWS).map(|model| model_row(model, now)).collect(),
        more: devices.len().checked_sub(ROWS + 1).map(|_| words::count((devices.len() - ROWS) as u64)),
        devices: devices.iter().take(ROWS).map(|device| device_row(device, &drops, now)).collect(),
    })
}

fn waits(model: &OfGateway<NetworkModel>, now: Timestamp) -> WaitingFile {
    let offered = model.told.offered.as_ref();
    let signer = offered.and_then(|offered| offered.file.as_ref()?.signer.as_deref());
    WaitingFile {
        url: (&model.told.url).into(),
        gateway: (&model.gateway).into(),
        digest: offered.and_then(|offered| DigestChip::parse(&offered.digest)),
        signer: signer.unwrap_or("nobody who is believed").into(),
        reasons: offered
            .iter()
            .flat_map(|offered| &offered.reasons)
            .map(|reason| sentence(now, reason))
            .collect(),
        gained: offered.iter().flat_map(|offered| &offered.gained).map(Text::from).collect(),
        lost: offered.iter().flat_map(|offered| &offered.lost).map(Text::from).collect(),
    }
}

fn model_row(model: &OfGateway<NetworkModel>, now: Timestamp) -> NetworkModelRow {
    let told = &model.told;
    let file = told.in_force.as_ref();
    let mut odd: Vec<Sentence> = told.fault.iter().map(|fault| sentence(now, fault)).collect();
    if told.state == ModelState::Refused {
        let offered = told.offered.iter().flat_map(|offered| &offered.reasons);
        odd.extend(offered.map(|reason| sentence(now, reason)));
    }
    let signer = file.and_then(|file| file.signer.as_deref());
    let by = match signer {
        Some(signer) => format!("{}, signed by {signer}", told.source),
        None => told.source.clone(),
    };
    let (state, looks_like) = match (told.state, file.is_some()) {
        (ModelState::InForce, _) => ("In force", Posture::Trusted),
        (ModelState::Waiting, true) => ("In force, a newer one waits", Posture::Outdated),
        (ModelState::Waiting, false) => ("Waits for a person", Posture::Outdated),
        (ModelState::Refused, true) => ("In force, a newer one was refused", Posture::Outdated),
        (ModelState::Refused, false) => ("Refused", Posture::Untrusted),
        (ModelState::Absent, _) => ("None yet", Posture::Unknown),
    };
    NetworkModelRow {
        url: (&told.url).into(),
        what: file.and_then(|file| file.systeminfo.as_ref()).map(Text::from),
        gateway: (&model.gateway).into(),
        by: by.into(),
        odd,
        allowed: file.map(flows).unwrap_or_default(),
        pointers: file.map(pointers).unwrap_or_default(),
        devices: words::count(told.devices.into()),
        next: words::date(now.micros(), Timestamp::from_millis(told.next_check_ms).micros()),
        state: state.into(),
        looks_like,
    }
}

fn flows(file: &NetworkFile) -> Vec<Text> {
    let mut shown: Vec<Text> = file.flows.iter().take(FLOWS).map(Text::from).collect();
    if let Some(more) = file.flows.len().checked_sub(FLOWS).filter(|more| *more > 0) {
        shown.push(format!("and {more} more").into());
    }
    shown
}

fn pointers(file: &NetworkFile) -> Vec<Text> {
    let line = |one: &Pointer| match &one.version {
        Some(version) => format!("{} of {version}: {}", one.what, one.at).into(),
        None => format!("{}: {}", one.what, one.at).into(),
    };
    file.transparency.iter().chain(&file.attestation).map(line).collect()
}

fn device_row(
    device: &OfGateway<NetworkDevice>,
    drops: &BTreeMap<String, (u64, &Violation)>,
    now: Timestamp,
) -> NetworkDeviceRow {
    let told = &device.told;
    let dropped = drops.get(&told.ueid);
    let (access, looks_like) = match told.access {
        NetworkAccess::File => ("What its file permits", Posture::Trusted),
        NetworkAccess::Defaults => ("Names and time", Posture::Unknown),
        NetworkAccess::Minimum => ("The minimum", Posture::Unknown),
        NetworkAccess::Absent => ("Not here", Posture::Stale),
    };
    let known = told.by.as_deref().unwrap_or("not announced");
    let mut odd: Vec<Sentence> = told.reasons.iter().map(|reason| sentence(now, reason)).collect();
    odd.extend(told.offered_url.as_ref().map(|url| Sentence::from("It announces now: ").code(url.as_str())));
    NetworkDeviceRow {
        mac: (&told.mac).into(),
        addresses: format!("{} at {}", told.addresses.join(" "), device.gateway).into(),
        url: told
            .url
            .as_ref()
            .map_or_else(|| known.into(), |url| format!("{url} ({known}, {})", told.strength).into()),
        odd,
        dropped: words::count(dropped.map_or(0, |(count, _)| *count)),
        last_drop: dropped.map(|(_, last)| {
            let to = last.name.as_deref().unwrap_or(&last.dst);
            format!("last {} {} port {}", to, last.protocol, last.dport).into()
        }),
        access: access.into(),
        looks_like,
    }
}

/// How many packets of each device were dropped, and the last kind; newest come first.
fn by_device(dropped: &[(String, Violation)]) -> BTreeMap<String, (u64, &Violation)> {
    let mut found: BTreeMap<String, (u64, &Violation)> = BTreeMap::new();
    for (_, violation) in dropped {
        let Some(device) = &violation.device else { continue };
        let (count, _) = found.entry(device.to_string()).or_insert((0, violation));
        *count = count.saturating_add(violation.count);
    }
    found
}
