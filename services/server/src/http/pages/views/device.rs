//! `/devices/{id}`

mod chain;
pub(super) mod components;
pub(super) mod evidence;
mod reports;
mod six;

use store::Device;
use trust::Restriction;

use super::{device_href, frame, posture, sentence, timeline};
use crate::{
    app::{App, Failure, answers, holds::restriction, reasons},
    http::pages::Viewer,
    pages::{
        view::{
            Action, Confirm, DevicePage, DigestChip, Does, Field, Flow, FlowState, Flows, Form, Href, Input,
            Link, Posture, Section, Sentence, Weight, Why,
        },
        words,
    },
};

/// `/devices/{id}`
pub(in crate::http::pages) async fn device(
    app: &App,
    viewer: &Viewer,
    id: &str,
) -> Result<DevicePage, Failure> {
    let now = app.now();
    let device = app.find_device(id).await?;
    let detail = app.device_detail(&device).await?;
    let result = match device.result {
        Some(id) => app.store.result(id).await?,
        None => None,
    };
    let narrowed = detail.network.applied.iter().any(|(_, applied)| applied.profile != api::Profile::Release);
    let posture = posture(&device, narrowed);

    let mut frame = frame(app, viewer, device.name.as_str(), Some(Section::Devices), count(app).await?, "");
    frame.live = Some(Href::route("/events").query("on", &format!("device:{}", device.id)));
    frame.json = Some(Href::route("/api/v1/devices").segment(&device.id.to_string()));
    let of_model = Href::route("/devices").query("q", &format!("model:{}", device.model));
    let mut facts = vec![
        Sentence::from(device.model.as_str()),
        Sentence::default().text("id ").code(device.id.to_string()),
    ];
    facts.extend(DigestChip::new(&device.thumbprint).map(|key| Sentence::default().text("key ").digest(key)));
    let events = timeline::news(detail.timeline.clone());
    Ok(DevicePage {
        frame,
        crumbs: vec![
            Link { label: "Devices".into(), href: Href::route("/devices") },
            Link { label: device.model.as_str().into(), href: of_model },
        ],
        posture,
        also: Vec::new(),
        facts,
        actions: actions(app, &device, viewer),
        why: why(app, &device, posture),
        six: six::cards(app, &device, &detail, result.as_ref(), posture),
        components: components::components(result.is_some(), detail.comparison.as_ref()),
        flows: flows(app, &device, &detail),
        chain: chain::chain(app, &device, &detail, result.as_ref()),
        evidence: result.as_ref().and_then(|result| evidence::evidence(result, "EAT")),
        timeline: events
            .iter()
            .map(|event| timeline::entry(now, event, timeline::words(event).into()))
            .collect(),
        timeline_all: None,
    })
}

/// The page that asks before a device is blocked or quarantined.
pub(in crate::http::pages) async fn confirm_hold(
    app: &App,
    viewer: &Viewer,
    id: &str,
    restriction: Restriction,
) -> Result<Confirm, Failure> {
    let device = app.find_device(id).await?;
    let (verb, place, effect) = match restriction {
        Restriction::Blocked => (
            "Block",
            "hold",
            "Gateways cut it off from everything, attestation and update too, until the block ends.",
        ),
        Restriction::UpdateOnly => (
            "Quarantine",
            "quarantine",
            "Gateways let only attestation and update through, whatever its evidence says, until the quarantine ends.",
        ),
    };
    let title = format!("{verb} {}?", device.name);
    let field = |name, label: &str, input, required| Field {
        name,
        label: label.into(),
        input,
        value: "".into(),
        hint: None,
        error: None,
        required,
    };
    Ok(Confirm {
        frame: frame(app, viewer, title.as_str(), Some(Section::Devices), count(app).await?, ""),
        effect: vec![effect.into(), "It keeps its enrolment, its key and its software.".into()],
        form: Form {
            to: device_href(&device.id).segment(place),
            token: Some(viewer.form_token.clone()),
            error: None,
            fields: vec![
                field("reason", "Why", Input::Line, true),
                field("until", "Until (UTC); without it, until someone ends it", Input::Moment, false),
            ],
            submit: format!("{verb} {}", device.name).into(),
            weight: Weight::Risk,
            cancel: Some(Link { label: "Keep it as it is".into(), href: device_href(&device.id) }),
        },
    })
}

pub(super) async fn count(app: &App) -> Result<u64, Failure> {
    Ok(app.store.posture_counts().await?.iter().map(|(_, count)| count).sum())
}

fn actions(app: &App, device: &Device, viewer: &Viewer) -> Vec<Action> {
    if !viewer.admin {
        return Vec::new();
    }
    let end = |label: &str, place| Action {
        label: label.into(),
        weight: Weight::Plain,
        does: Does::Post {
            to: device_href(&device.id).segment(place),
            token: viewer.form_token.clone(),
            fields: Vec::new(),
        },
    };
    let ask = |label: &str, place| Action {
        label: label.into(),
        weight: Weight::Risk,
        does: Does::Open(device_href(&device.id).segment(place)),
    };
    match app.hold_in_force(device).map(restriction) {
        Some(Restriction::Blocked) => vec![end("End the block", "release")],
        Some(Restriction::UpdateOnly) => {
            vec![end("End the quarantine", "end-quarantine"), ask("Block it…", "hold")]
        }
        None => vec![ask("Quarantine it…", "quarantine"), ask("Block it…", "hold")],
    }
}

fn why(app: &App, device: &Device, posture: Posture) -> Option<Why> {
    let now = app.now();
    let reasons = reasons::from_json(&device.reasons);
    let mut sentences = reasons.iter().map(|reason| sentence(now, reason));
    Some(Why {
        posture,
        says: sentences.next()?,
        others: sentences.collect(),
        then: timeline::cure(posture, app.hold_in_force(device)).into(),
        actions: Vec::new(),
    })
}

fn flows(app: &App, device: &Device, detail: &api::DeviceDetail) -> Flows {
    let book = app.book();
    let verified = device.release.as_ref().and_then(|release| book.get(release)?.verified.as_ref().ok());
    let needs = verified.and_then(|verified| verified.release.network_needs());
    let open = detail.network.applied.iter().any(|(_, applied)| applied.profile == api::Profile::Release);
    let cut = match app.hold_in_force(device) {
        Some(_) => "Cut while a person restricts it.",
        None => "Cut until it is trusted.",
    };
    let mut rows = Vec::new();
    let accepted = needs
        .iter()
        .flat_map(|needs| &needs.policy.entries)
        .filter(|entry| entry.verdict == mud::Verdict::Accept);
    for entry in accepted {
        let ports = [&entry.remote_ports, &entry.device_ports].map(answers::ports_words);
        let ports = ports.into_iter().find(|ports| !ports.is_empty()).unwrap_or_default();
        rows.push(Flow {
            destination: answers::remote_words(&entry.remote).into(),
            detail: Some(answers::direction_words(entry.direction).into()),
            service: format!("{} {ports}", answers::protocol_words(entry.protocol)).trim_end().into(),
            asked_by: if entry.default { "always open".into() } else { entry.ace.ace.as_str().into() },
            now: if open { FlowState::Allowed } else { FlowState::Cut },
            used: "".into(),
            dropped: words::count(0),
            was_dropped: false,
            why: if open { "Its release asks for this.".into() } else { cut.into() },
        });
    }
    let unasked = api::Reason { code: "not-in-policy".to_owned(), detail: Default::default() };
    for (_, violation) in &detail.network.violations {
        rows.push(Flow {
            destination: violation.name.as_deref().unwrap_or(&violation.dst).into(),
            detail: violation.name.as_ref().map(|_| violation.dst.as_str().into()),
            service: format!("{} {}", violation.protocol, violation.dport).into(),
            asked_by: "nobody".into(),
            now: FlowState::Never,
            used: "".into(),
            dropped: words::count(violation.count),
            was_dropped: true,
            why: sentence(app.now(), &unasked),
        });
    }
    rows.sort_by_key(|row| row.now);
    let says = match detail.network.applied.first() {
        Some((gateway, _)) => format!("At {gateway}, last 24 h").into(),
        None => "No gateway reported yet".into(),
    };
    Flows { says, rows }
}
