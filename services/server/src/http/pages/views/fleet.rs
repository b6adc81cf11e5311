//! `/` and `/devices`.

use std::collections::{BTreeMap, HashMap};

use api::{CampaignState, DeviceProgress, EventOfDevice};
use store::{Device, DeviceFilter, DeviceId, Timestamp};

use super::{age, device_href, frame, posture, sentence, timeline};
use crate::{
    app::{App, Failure, devices::event, reasons, releases::Book},
    http::pages::Viewer,
    pages::{
        view::{
            Action, Attention, Campaign, Cell, CellState, DeviceList, DeviceRow, Does, EmptyFleet, Filter,
            FirstStep, Fleet, Href, ModelRow, Overview, OverviewBody, Posture, PostureCounts, Section,
            Sentence, TimelineEntry, Wave, WaveBody, Weight,
        },
        words,
    },
};

/// Rows of the list.
const ROWS: u32 = 50;
/// Devices that the overview counts one by one.
const MAX_FLEET: u32 = 100_000;
/// Lines of `Needs attention`.
const ATTENTION: usize = 5;
/// Lines of `Just now`.
const EVENTS: u32 = 7;
/// Cells of a wave; above, counts.
const CELLS: usize = 200;

/// What gateways confirmed for each device: the gateway and the profile, the narrowest where several did.
type Confirmed = HashMap<DeviceId, (String, String)>;

/// `/`
pub(in crate::http::pages) async fn overview(app: &App, viewer: &Viewer) -> Result<Overview, Failure> {
    let now = app.now();
    let devices = app.store.devices(&DeviceFilter { limit: MAX_FLEET, ..DeviceFilter::default() }).await?;
    let total = devices.len() as u64;
    let mut frame = frame(app, viewer, "Overview", Some(Section::Overview), total, "");
    frame.live = Some(Href::route("/events").query("on", "overview"));
    frame.json = Some(Href::route("/api/v1/devices"));
    if devices.is_empty() {
        let body = OverviewBody::Empty(first_steps());
        return Ok(Overview { frame, facts: vec!["Nothing here yet".into()], actions: Vec::new(), body });
    }
    let confirmed = confirmed(app).await?;
    let shown: Vec<(&Device, Posture)> =
        devices.iter().map(|device| (device, posture(device, is_narrowed(&confirmed, &device.id)))).collect();
    let models = models(&shown, &app.book());
    let facts = vec![plural(total, "device").into(), plural(models.len() as u64, "model").into()];
    let fleet = Fleet {
        postures: shown.iter().map(|(_, posture)| *posture).collect(),
        attention: attention(app, &shown, &confirmed).await?,
        campaigns: campaigns(app, &devices, now).await?,
        models,
        events: events(app, &devices, now).await?,
    };
    Ok(Overview { frame, facts, actions: Vec::new(), body: OverviewBody::Fleet(fleet) })
}

/// `/devices`
pub(in crate::http::pages) async fn devices(
    app: &App,
    viewer: &Viewer,
    query: &str,
    after: Option<&str>,
) -> Result<DeviceList, Failure> {
    let now = app.now();
    let total: u64 = app.store.posture_counts().await?.iter().map(|(_, count)| count).sum();
    let mut frame = frame(app, viewer, "Devices", Some(Section::Devices), total, query);
    frame.json = Some(Href::route("/api/v1/devices").query("q", query));
    let (devices, none) = match app.list_devices(query, after, ROWS).await {
        Ok(devices) => (devices, Sentence::from("No device matches.")),
        Err(Failure::Malformed(what)) => (Vec::new(), Sentence::from(format!("The filter says: {what}."))),
        Err(failure) => return Err(failure),
    };
    let confirmed = confirmed(app).await?;
    let book = app.book();
    let row = |device: &Device| {
        let in_force = confirmed.get(&device.id);
        DeviceRow {
            name: device.name.as_str().into(),
            href: device_href(&device.id),
            posture: posture(device, is_narrowed(&confirmed, &device.id)),
            model: device.model.as_str().into(),
            group: Some(device.group.as_str()).filter(|group| !group.is_empty()).map(Into::into),
            running: device
                .release
                .as_ref()
                .and_then(|release| book.version(release))
                .unwrap_or("not known")
                .into(),
            attested: device.attested_at.map(|at| age(now, at)),
            policy: in_force.map_or("none yet", |(_, profile)| profile.as_str()).into(),
            gateway: in_force.map(|(gateway, _)| gateway.as_str().into()),
        }
    };
    let rows: Vec<DeviceRow> = devices.iter().map(row).collect();
    let more = devices.last().filter(|_| devices.len() == ROWS as usize);
    let count = match query {
        "" => plural(total, "device"),
        _ => format!("{} of {}", rows.len(), plural(total, "device")),
    };
    let suggestions = Posture::ALL.map(|posture| format!("posture:{}", posture.as_str()).into()).to_vec();
    Ok(DeviceList {
        frame,
        filter: Filter { error: None, suggestions },
        views: Vec::new(),
        count: count.into(),
        actions: Vec::new(),
        rows,
        none,
        newer: after.map(|_| Href::route("/devices").query("q", query)),
        older: more
            .map(|last| Href::route("/devices").query("q", query).query("after", &last.id.to_string())),
    })
}

async fn confirmed(app: &App) -> Result<Confirmed, Failure> {
    let mut confirmed = Confirmed::new();
    for (gateway, applied) in app.store.applied().await? {
        let narrowed = is_narrow(&applied.profile);
        let known = confirmed.contains_key(&applied.device);
        if narrowed || !known {
            confirmed.insert(applied.device, (gateway, applied.profile));
        }
    }
    Ok(confirmed)
}

fn is_narrowed(confirmed: &Confirmed, device: &DeviceId) -> bool {
    confirmed.get(device).is_some_and(|(_, profile)| is_narrow(profile))
}

/// Whether what its release declares may not all begin. A word that is not known is none that opens.
fn is_narrow(profile: &str) -> bool {
    !api::Profile::ALL.into_iter().any(|known| known.as_str() == profile && known.is_open())
}

fn models(devices: &[(&Device, Posture)], book: &Book) -> Vec<ModelRow> {
    #[derive(Default)]
    struct Model<'a> {
        postures: PostureCounts,
        versions: BTreeMap<&'a str, u64>,
        vendor: &'a str,
    }
    let mut models: BTreeMap<&str, Model<'_>> = BTreeMap::new();
    for (device, posture) in devices {
        let model = models.entry(&device.model).or_default();
        model.postures.add(*posture);
        let release = device.release.as_ref().and_then(|release| book.get(release));
        let version = release.map_or("a version not known", |entry| entry.record.version.as_str());
        *model.versions.entry(version).or_default() += 1;
        if let Some(entry) = release {
            model.vendor = &entry.record.vendor;
        }
    }
    let row = |(name, model): (&str, Model<'_>)| {
        let runs: Vec<String> =
            model.versions.iter().map(|(version, count)| format!("{count} on {version}")).collect();
        ModelRow {
            name: name.into(),
            maker: model.vendor.into(),
            href: Href::route("/devices").query("q", &format!("model:{name}")),
            postures: model.postures,
            runs: runs.join(", ").into(),
        }
    };
    let mut rows: Vec<ModelRow> = models.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.postures.total()));
    rows
}

/// What people have to look at: first what no machine answers, then devices by their postures.
async fn attention(
    app: &App,
    devices: &[(&Device, Posture)],
    confirmed: &Confirmed,
) -> Result<Vec<Attention>, Failure> {
    let now = app.now();
    let mut lines = withheld(&app.alarms(false).await?);
    let observed = devices.iter().filter(|(device, _)| {
        confirmed.get(&device.id).is_some_and(|(_, profile)| profile == api::Profile::Observed.as_str())
    });
    lines.extend(observed.take(ATTENTION).map(|(device, posture)| {
        Attention {
            posture: *posture,
            says: Sentence::default()
                .link(device.name.as_str(), device_href(&device.id))
                .text(" is only observed: what its release does not ask for passes."),
            detail: "The network operator signed it; it ends with the override.".into(),
            action: None,
        }
    }));
    lines.extend(worst(devices, now));
    Ok(lines)
}

/// One line for each model of which cuts were withheld and nobody has said so far that they know.
fn withheld(alarms: &[api::Alarm]) -> Vec<Attention> {
    let mut models: BTreeMap<&str, Vec<&api::Alarm>> = BTreeMap::new();
    alarms.iter().for_each(|alarm| models.entry(&alarm.model).or_default().push(alarm));
    let line = |(model, alarms): (&str, Vec<&api::Alarm>)| {
        let (count, most) = (alarms.len(), alarms.iter().map(|alarm| alarm.most).max().unwrap_or_default());
        let numbers: Vec<String> = alarms.iter().take(ATTENTION).map(|alarm| alarm.id.to_string()).collect();
        Attention {
            posture: Posture::Trusted,
            says: format!(
                "{count} of {model} stray and were not cut, since {most} were within an hour. One file may be wrong for all."
            )
            .into(),
            detail: format!("Acknowledge with `sextant alarm acknowledge`: {}", numbers.join(", ")).into(),
            action: None,
        }
    };
    models.into_iter().map(line).collect()
}

fn worst(devices: &[(&Device, Posture)], now: Timestamp) -> Vec<Attention> {
    let mut worst: Vec<_> = devices.iter().filter(|(_, posture)| *posture != Posture::Trusted).collect();
    worst.sort_by_key(|(device, posture)| (*posture, &device.name));
    let line = |(device, posture): &(&Device, Posture)| {
        let reasons = reasons::from_json(&device.reasons);
        let first = reasons.first().map_or_else(|| posture.word().into(), |reason| sentence(now, reason));
        Attention {
            posture: *posture,
            says: Sentence::default()
                .link(device.name.as_str(), device_href(&device.id))
                .text(": ")
                .then(first),
            detail: timeline::cure(*posture, device.hold.as_ref().filter(|hold| hold.is_in_force(now)))
                .into(),
            action: Some(Action {
                label: "See why".into(),
                weight: Weight::Plain,
                does: Does::Open(device_href(&device.id)),
            }),
        }
    };
    worst.into_iter().take(ATTENTION).map(line).collect()
}

async fn campaigns(app: &App, devices: &[Device], now: Timestamp) -> Result<Vec<Campaign>, Failure> {
    let names: HashMap<String, &str> =
        devices.iter().map(|device| (device.id.to_string(), device.name.as_str())).collect();
    let book = app.book();
    let mut cards = Vec::new();
    for campaign in app.store.campaigns().await? {
        let version = book.version(&campaign.release).unwrap_or_default();
        let view = app.campaign_view(campaign).await?;
        let halted = view.state == CampaignState::Halted;
        if !halted && !matches!(view.state, CampaignState::Running | CampaignState::Paused) {
            continue;
        }
        let mut waves: BTreeMap<u32, Vec<Cell>> = BTreeMap::new();
        for part in &view.devices {
            let name = names.get(&part.ueid).copied().unwrap_or(part.ueid.as_str());
            let lacks = part.reason.as_ref().filter(|_| part.state == DeviceProgress::Unsupported);
            let why = lacks.map(|reason| format!(". {}", sentence(now, reason))).unwrap_or_default();
            let title = format!("{name}: {}{why}", part.state.as_str()).into();
            waves.entry(part.wave).or_default().push(Cell { state: cell(part.state), title });
        }
        let unsupported = view.devices.iter().filter(|part| part.state == DeviceProgress::Unsupported);
        let lacks = unsupported.clone().find_map(|part| part.reason.as_ref());
        let note = view.waits_for.as_ref().or(view.reason.as_ref()).map(|reason| sentence(now, reason));
        let note = note.or_else(|| {
            let count = plural(unsupported.count() as u64, "device");
            Some(Sentence::from(format!("Not offered to {count}. ")).then(sentence(now, lacks?)))
        });
        let is_open = |cells: &Vec<Cell>| cells.iter().any(|cell| cell.state != CellState::Done);
        let current = waves.iter().find(|(_, cells)| is_open(cells)).map(|(wave, _)| *wave);
        cards.push(Campaign {
            id: format!("campaign-{}", view.id),
            name: format!("{} to {version}", view.selector).into(),
            href: None,
            state: if halted { "halted by itself".into() } else { view.state.as_str().into() },
            halted,
            progress: format!("{} of {} trusted on {version}", view.attested, view.devices.len()).into(),
            goal: format!("trusted on {version}").into(),
            waves: waves.into_iter().map(|(wave, cells)| card(wave, cells, current == Some(wave))).collect(),
            note,
        });
    }
    Ok(cards)
}

fn cell(step: DeviceProgress) -> CellState {
    match step {
        DeviceProgress::Waiting => CellState::Waiting,
        DeviceProgress::Offered | DeviceProgress::Proceeding | DeviceProgress::Reported => {
            CellState::Updating
        }
        DeviceProgress::Attested => CellState::Done,
        DeviceProgress::Failed => CellState::Failed,
        DeviceProgress::Unsupported => CellState::Unsupported,
    }
}

fn card(wave: u32, cells: Vec<Cell>, current: bool) -> Wave {
    let count = |state| cells.iter().filter(|cell| cell.state == state).count() as u64;
    let done = format!("{} of {}", count(CellState::Done), cells.len()).into();
    let body = match cells.len() {
        0..=CELLS => WaveBody::Cells(cells),
        _ => WaveBody::Counts(CellState::ALL.map(|state| (state, count(state))).to_vec()),
    };
    let (name, says) = match wave {
        0 => ("Canary".into(), "Goes first"),
        _ => (format!("Wave {wave}").into(), "After every canary attested"),
    };
    Wave { name, done, current, body, says: says.into() }
}

async fn events(app: &App, devices: &[Device], now: Timestamp) -> Result<Vec<TimelineEntry>, Failure> {
    let by_subject: HashMap<String, &Device> =
        devices.iter().map(|device| (format!("device:{}", device.id), device)).collect();
    // Routine is passed over, so more is read than is shown.
    let records = app.store.audit_latest(EVENTS * 64).await?;
    let events = timeline::news(records.iter().filter_map(event).collect());
    let line = |event: EventOfDevice| {
        let what = timeline::words(&event);
        let says = match by_subject.get(&event.subject) {
            Some(device) => {
                Sentence::default().link(device.name.as_str(), device_href(&device.id)).text(": ").text(what)
            }
            None => what.into(),
        };
        timeline::entry(now, &event, says)
    };
    Ok(events.into_iter().take(EVENTS as usize).map(line).collect())
}

fn first_steps() -> EmptyFleet {
    let step = |title: &str, says: &str| FirstStep {
        title: title.into(),
        says: says.into(),
        command: None,
        action: None,
    };
    EmptyFleet {
        steps: vec![
            step("Enrol devices", "A list of names, ids and public keys: what evidence is believed with."),
            step(
                "Add a release",
                "A signed envelope says what its devices measure, and what they need of the network.",
            ),
            step(
                "Connect a gateway",
                "It verifies every object itself, and lets through what the release asks for.",
            ),
        ],
        hint: Sentence::default()
            .text("No devices yet. ")
            .code("sextant sim --devices 50")
            .text(" makes some."),
    }
}

fn plural(count: u64, what: &str) -> String {
    let figure = words::count(count).shown;
    if count == 1 { format!("{figure} {what}") } else { format!("{figure} {what}s") }
}
