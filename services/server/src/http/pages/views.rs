//! Fills the structs of the pages. What stands here decides what people see, and asks the application for it.

mod attestation;
mod device;
mod fleet;
mod network;
mod onboarding;
mod timeline;

pub(super) use attestation::{result, results};
pub(super) use device::{confirm_hold, device};
pub(super) use fleet::{devices, overview};
pub(super) use network::network;
pub(super) use onboarding::{onboarding, onboarding_href, onboardings};

use store::Timestamp;
use trust::Code;

use crate::{
    app::{App, parse_rfc3339, reasons, rfc3339},
    http::pages::Viewer,
    pages::{
        view::{
            Action, Does, Failure, Field, Form, Frame, Href, Input, Link, Login, Posture, Problem, Section,
            Sentence, Stamp, Text, Visitor, Weight, Welcome,
        },
        words,
    },
};

/// What is around a page of someone who signed in.
fn frame(
    app: &App,
    viewer: &Viewer,
    title: impl Into<Text>,
    section: Option<Section>,
    devices: u64,
    filter: &str,
) -> Frame {
    Frame {
        title: title.into(),
        section,
        site: app.config.site.as_str().into(),
        now: words::clock(app.now().micros()),
        visitor: Some(Visitor {
            name: viewer.name.as_str().into(),
            sign_out: Action {
                label: "Sign out".into(),
                weight: Weight::Plain,
                does: Does::Post {
                    to: Href::route("/logout"),
                    token: viewer.form_token.clone(),
                    fields: Vec::new(),
                },
            },
            devices: words::count(devices),
            filter: filter.into(),
        }),
        live: None,
        json: None,
        as_of: None,
    }
}

/// What is around a page of someone who did not.
fn outside(app: &App, title: &str) -> Frame {
    Frame {
        title: title.into(),
        section: None,
        site: app.config.site.as_str().into(),
        now: words::clock(app.now().micros()),
        visitor: None,
        live: None,
        json: None,
        as_of: None,
    }
}

/// A page that could not be given.
pub(super) fn failure(app: &App, problem: Problem, request: String) -> Failure {
    Failure { frame: outside(app, problem.title()), problem, request: request.into() }
}

/// The way back after something changed meanwhile.
pub(super) fn back(path: &str) -> Link {
    Link { label: "See it as it is now".into(), href: Href::parse_local(path).unwrap_or(Href::route("/")) }
}

/// `/login`
pub(super) fn login(app: &App, next: &str, error: Option<&str>) -> Login {
    let next = Field {
        name: "next",
        label: "".into(),
        input: Input::Hidden,
        value: next.into(),
        hint: None,
        error: None,
        required: false,
    };
    let access = Field {
        name: "access",
        label: "Access token".into(),
        input: Input::Token,
        value: "".into(),
        hint: Some("The server wrote the first one to admin.token in its data folder.".into()),
        error: None,
        required: true,
    };
    Login {
        frame: outside(app, "Sign in"),
        form: Form {
            to: Href::route("/login"),
            token: None,
            error: error.map(Sentence::from),
            fields: vec![next, access],
            submit: "Sign in".into(),
            weight: Weight::Main,
            cancel: None,
        },
    }
}

/// `/welcome`
pub(super) fn welcome(app: &App, code: Option<&str>) -> Welcome {
    let form = match code {
        None => Err("This link was used, or is too old.".into()),
        Some(code) => Ok(Form {
            to: Href::route("/welcome"),
            token: None,
            error: None,
            fields: vec![
                Field {
                    name: "code",
                    label: "".into(),
                    input: Input::Hidden,
                    value: code.into(),
                    hint: None,
                    error: None,
                    required: true,
                },
                Field {
                    name: "name",
                    label: "Your name".into(),
                    input: Input::Username,
                    value: "".into(),
                    hint: Some("It stands beside what you do, in the audit record.".into()),
                    error: None,
                    required: true,
                },
            ],
            submit: "Become the first administrator".into(),
            weight: Weight::Main,
            cancel: None,
        }),
    };
    Welcome { frame: outside(app, "Welcome"), form }
}

/// A moment as browsers send it, in the form of the API.
pub(super) fn moment(text: &str) -> String {
    let complete =
        if text.len() == "2026-01-01T00:00".len() { format!("{text}:00Z") } else { format!("{text}Z") };
    parse_rfc3339(&complete).map_or_else(|| text.to_owned(), rfc3339)
}

/// The one posture a device is shown with: quarantined where a gateway confirmed that only the cure is let through.
fn posture(device: &store::Device, confirmed: bool) -> Posture {
    let person = [Code::OperatorEjection, Code::OperatorBlock, Code::OperatorQuarantine];
    let restricted = || {
        let reasons = reasons::from_json(&device.reasons);
        reasons.iter().any(|reason| person.iter().any(|code| code.as_str() == reason.code))
    };
    let distrusted = device.posture == "untrusted" || device.hold.is_some() && restricted();
    match device.posture.as_str() {
        _ if confirmed && distrusted => Posture::Quarantined,
        "trusted" => Posture::Trusted,
        "outdated" => Posture::Outdated,
        "untrusted" => Posture::Untrusted,
        "stale" => Posture::Stale,
        _ => Posture::Unknown,
    }
}

/// The page of a device.
fn device_href(device: &store::DeviceId) -> Href {
    Href::route("/devices").segment(&device.to_string())
}

/// A reason as a sentence.
fn sentence(now: Timestamp, reason: &api::Reason) -> Sentence {
    words::reason(
        now.micros(),
        &reason.code,
        reason.detail.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    )
}

fn age(now: Timestamp, at: Timestamp) -> Stamp {
    words::age(now.micros(), at.micros())
}
