//! `/onboarding`: devices on their way to their owner.

use fdo::Guid;
use serde_json::Value;
use store::{OnboardingFilter, OnboardingState, Timestamp};

use super::{age, device::count, frame, sentence};
use crate::{
    app::{App, Failure, parse_rfc3339},
    http::pages::Viewer,
    pages::{
        view::{
            Action, DigestChip, Does, Dot, Href, Link, OnboardingList, OnboardingPage, OnboardingRow,
            SavedView, Section, Sentence, Stamp, TemplateRow, Text, TimelineEntry, Weight,
        },
        words,
    },
};

/// Rows of the list.
const ROWS: u32 = 50;
/// Lists that people look at, by their word in the address and their name; the first unless another is asked for.
const LISTS: [(&str, &str); 4] =
    [("waiting", "Waiting"), ("failed", "Failed"), ("onboarded", "Onboarded"), ("sold", "Sold")];

/// `/onboarding`
pub(in crate::http::pages) async fn onboardings(
    app: &App,
    viewer: &Viewer,
    list: Option<&str>,
    after: Option<&str>,
) -> Result<OnboardingList, Failure> {
    let now = app.now();
    let shown = list.unwrap_or(LISTS[0].0);
    let filter = filter(shown).ok_or(Failure::NotFound)?;
    let (found, next) = app.recent_onboardings(filter, after, ROWS).await?;
    let counts = app.store.onboarding_counts().await?;
    let number = |wanted| counts.iter().find(|(filter, _)| *filter == wanted).map_or(0, |(_, n)| *n);
    let mut frame = frame(app, viewer, "Onboarding", Some(Section::Onboarding), count(app).await?, "");
    let json = Href::route("/api/v1/onboarding/devices");
    frame.json = Some(match filter {
        OnboardingFilter::State(state) => json.query("state", state.as_str()),
        OnboardingFilter::Failed => json,
    });
    let lists = LISTS.iter().filter_map(|(word, name)| {
        Some(SavedView {
            link: Link { label: (*name).into(), href: list_href(word) },
            count: words::count(number(self::filter(word)?)),
            current: *word == shown,
        })
    });
    let replaced = number(OnboardingFilter::State(OnboardingState::Replaced));
    let facts = (replaced > 0).then(|| {
        let replaced = words::count(replaced).shown;
        format!("{replaced} set up, and not seen under their new name yet").into()
    });
    Ok(OnboardingList {
        frame,
        facts: facts.into_iter().collect(),
        lists: lists.collect(),
        rows: found.iter().map(|device| row(device, now)).collect(),
        none: match shown {
            "waiting" => {
                Sentence::from("No device waits. ").code("sextant fdo import").text(" brings vouchers.")
            }
            _ => "None.".into(),
        },
        first: after.map(|_| list_href(shown)),
        older: next.map(|next| list_href(shown).query("after", &next)),
        templates: app.onboarding_templates().iter().map(template).collect(),
    })
}

fn filter(word: &str) -> Option<OnboardingFilter> {
    match word {
        "failed" => Some(OnboardingFilter::Failed),
        word => OnboardingState::from_text(word).map(OnboardingFilter::State),
    }
}

fn list_href(word: &str) -> Href {
    let href = Href::route("/onboarding");
    if word == LISTS[0].0 { href } else { href.query("list", word) }
}

/// The page of a device to onboard.
pub(in crate::http::pages) fn onboarding_href(guid: &str) -> Href {
    Href::route("/onboarding").segment(guid)
}

fn row(device: &api::Onboarding, now: Timestamp) -> OnboardingRow {
    OnboardingRow {
        name: name(device),
        guid: device.guid.as_str().into(),
        href: onboarding_href(&device.guid),
        group: (!device.group.is_empty()).then(|| device.group.as_str().into()),
        state: state_words(&device.state).into(),
        why: why(device, now),
        registered: until(device, now),
        changed: age(now, moment(&device.changed_at)),
    }
}

fn name(device: &api::Onboarding) -> Text {
    if device.name.is_empty() { device.device.as_str().into() } else { device.name.as_str().into() }
}

/// A state as people read it.
fn state_words(state: &str) -> &str {
    match state {
        "waiting" => "Waiting",
        "onboarded" => "Onboarded",
        "replaced" => "Set up",
        "retired" => "Renamed",
        "sold" => "Sold",
        other => other,
    }
}

/// Until when a rendezvous server remembers; nothing once that is over.
fn until(device: &api::Onboarding, now: Timestamp) -> Option<Stamp> {
    let until = device.registration.until.as_deref().map(moment).filter(|until| *until > now)?;
    Some(words::date(now.micros(), until.micros()))
}

/// Why a device does not get further: what its last session failed by, or else its registration.
fn why(device: &api::Onboarding, now: Timestamp) -> Option<Sentence> {
    let said = |code: &str| sentence(now, &api::Reason { code: code.to_owned(), detail: Default::default() });
    if let Some(failure) = &device.failure {
        let times = match failure.times {
            0 | 1 => ", ".to_owned(),
            times => format!(", {} times, last ", words::count(times).shown),
        };
        let session = Sentence::from("Its session failed: ").then(said(&failure.code));
        return Some(session.text(times).stamp(age(now, moment(&failure.at))));
    }
    let code = device.registration.failure.as_ref().filter(|_| device.state == "waiting")?;
    Some(Sentence::from("Its owner is not registered: ").then(said(code)))
}

fn template((name, template): (&String, &api::OnboardingTemplate)) -> TemplateRow {
    let files = template.downloads.iter().map(|file| format!("file {}", file.name));
    let fetches = template.fetches.iter().map(|fetch| format!("fetches {}", fetch.url));
    let commands = template.commands.iter().map(|command| format!("runs {}", command.program));
    let uploads = template.uploads.iter().map(|upload| format!("sends {}", upload.name));
    let more = files.chain(fetches).chain(commands).chain(uploads).map(Text::from);
    let certificate = template.certificate_required.then(|| "a certificate, or nothing else".into());
    let keeps = template.keep_credential.then(|| "keeps its credential".into());
    TemplateRow {
        name: name.as_str().into(),
        asks: match template.require {
            api::OnboardingRequirement::Trusted => "A release that is published here",
            api::OnboardingRequirement::Attested => "What it runs, whatever that is",
            api::OnboardingRequirement::Nothing => "Nothing but its voucher's key",
        }
        .into(),
        places: [&template.server, &template.gateway].into_iter().flatten().map(Text::from).collect(),
        networks: template.networks.iter().map(|network| network.ssid.as_str().into()).collect(),
        more: certificate.into_iter().chain(keeps).chain(more).collect(),
    }
}

/// `/onboarding/{guid}`
pub(in crate::http::pages) async fn onboarding(
    app: &App,
    viewer: &Viewer,
    guid: &str,
) -> Result<OnboardingPage, Failure> {
    let now = app.now();
    let guid: Guid = guid.parse().map_err(|_| Failure::NotFound)?;
    let device = app.onboarding_view(guid).await?;
    let mut frame = frame(app, viewer, name(&device), Some(Section::Onboarding), count(app).await?, "");
    frame.json = Some(Href::route("/api/v1/onboarding/devices").segment(&device.guid));
    Ok(OnboardingPage {
        frame,
        crumbs: vec![Link { label: "Onboarding".into(), href: Href::route("/onboarding") }],
        facts: vec![
            state_words(&device.state).into(),
            Sentence::from("changed ").stamp(age(now, moment(&device.changed_at))),
        ],
        actions: retry(viewer, &device).into_iter().collect(),
        why: why(&device, now),
        known: known(&device, now),
        timeline: device.timeline.iter().map(|event| entry(now, event)).collect(),
    })
}

/// What was sold, or has another name by now, is tried no more.
fn retry(viewer: &Viewer, device: &api::Onboarding) -> Option<Action> {
    let may = viewer.admin && !matches!(device.state.as_str(), "sold" | "retired");
    may.then(|| Action {
        label: "Try it again now".into(),
        weight: Weight::Plain,
        does: Does::Post {
            to: onboarding_href(&device.guid).segment("retry"),
            token: viewer.form_token.clone(),
            fields: Vec::new(),
        },
    })
}

fn known(device: &api::Onboarding, now: Timestamp) -> Vec<(&'static str, Sentence)> {
    let text = |text: &str, none: &str| Sentence::from(if text.is_empty() { none } else { text });
    let mut known = vec![
        ("GUID", Sentence::default().code(device.guid.as_str())),
        ("Made as", device.device.as_str().into()),
        ("Name", text(&device.name, "made up once it is enrolled")),
        ("Group", text(&device.group, "none")),
        ("Template", text(&device.template, "that of its group, or the one for all")),
    ];
    let other = |guid: &String| Sentence::default().link(guid.as_str(), onboarding_href(guid));
    known.extend(device.follows.as_ref().map(|guid| ("Called before", other(guid))));
    known.extend(device.followed_by.as_ref().map(|guid| ("Called since", other(guid))));
    known.extend(device.ueid.as_ref().map(|ueid| {
        let href = Href::route("/devices").segment(ueid);
        ("Device", Sentence::default().link(ueid.as_str(), href))
    }));
    let registered = match until(device, now) {
        Some(until) => Sentence::from("until ").stamp(until),
        None => "no".into(),
    };
    known.push(("Registered", registered));
    let due = device.registration.due.as_deref().map(moment);
    known.extend(
        due.map(|due| ("Registers next", Sentence::default().stamp(words::date(now.micros(), due.micros())))),
    );
    known
}

/// An event, in words, with what else it says.
fn entry(now: Timestamp, event: &api::OnboardingEvent) -> TimelineEntry {
    let text = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = |says: &str| Sentence::from(says).code(text("code"));
    let says = match event.event.as_str() {
        "expected" => "Its voucher came".into(),
        "registered" => "Its owner was registered with a rendezvous server".into(),
        "not-registered" => code("Its owner was not registered: "),
        "failed" => code("Its session failed: "),
        "retry" => Sentence::from("Tried again by ").strong(text("by")),
        "onboarded" | "replaced" => {
            match event.detail.get("release").and_then(Value::as_str).and_then(DigestChip::parse) {
                Some(release) => Sentence::from("Set up, running ").digest(release),
                None => "Set up".into(),
            }
        }
        "confirmed" => "It was seen under its new name".into(),
        "sold" => "Sold".into(),
        other => Sentence::default().code(other),
    };
    let at = moment(&event.at);
    let dot = if event.event == "retry" || event.event == "sold" { Dot::Act } else { Dot::Plain };
    let facts = ["os", "arch", "version", "model"].map(text);
    let facts: Vec<&str> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    let detail = (!facts.is_empty()).then(|| format!("it says: {}", facts.join(", ")).into());
    TimelineEntry { at: age(now, at), dot, says, detail }
}

/// What the application wrote itself, read again.
fn moment(text: &str) -> Timestamp {
    parse_rfc3339(text).unwrap_or_default()
}
