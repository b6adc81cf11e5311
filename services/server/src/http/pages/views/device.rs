//! `/devices/{id}`

mod chain;
pub(super) mod components;
mod connection;
pub(super) mod evidence;
mod network;
mod reports;
mod six;

use store::Device;
use trust::Restriction;

use super::{device_href, frame, posture, sentence, timeline};
use crate::{
    app::{App, Failure, holds::restriction, reasons},
    http::pages::Viewer,
    pages::view::{
        Action, Confirm, DevicePage, DigestChip, Does, Field, Form, Href, Input, Link, Posture, Section,
        Sentence, Weight, Why,
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
    let narrowed = detail.network.applied.iter().any(|(_, applied)| !applied.profile.is_open());
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
        flows: network::flows(app, &device, &detail, &app.device_flows(id).await?),
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
        Restriction::Ejected => (
            "Eject",
            "hold",
            "Gateways cut it off from everything, and access points keep it off the air, until the ejection ends.",
        ),
        Restriction::Restricted => (
            "Restrict",
            "quarantine",
            "Gateways let nothing begin but attestation and update, until the restriction ends.",
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
        Some(Restriction::Ejected) => vec![end("End the ejection", "release")],
        Some(Restriction::Blocked) => vec![end("End the block", "release")],
        Some(Restriction::Restricted) => vec![
            end("End the restriction", "end-quarantine"),
            ask("Quarantine it…", "quarantine"),
            ask("Block it…", "hold"),
        ],
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
