//! Devices on their way to their owner.

use crate::pages::{
    view::{
        Dot, Href, Link, OnboardingList, OnboardingPage, OnboardingRow, SavedView, Section, Sentence,
        TemplateRow, TimelineEntry, Weight,
    },
    words::{age, count, date, reason},
};

use super::{NOW, SECOND, frame, post};

const GUID: &str = "6e0c3f3d4a1b4c5e9f00112233445566";

pub(crate) fn onboardings(rows: usize) -> OnboardingList {
    let row = |index: usize| OnboardingRow {
        name: format!("camera-{index}").into(),
        guid: GUID.into(),
        href: href(),
        group: index.is_multiple_of(2).then(|| "yard".into()),
        state: "Waiting".into(),
        why: (index == 0).then(why),
        registered: (index > 0).then(|| date(NOW, NOW + 3600 * SECOND)),
        changed: age(NOW, NOW - 48 * SECOND),
    };
    let list = |label: &str, current| SavedView {
        link: Link { label: label.into(), href: Href::route("/onboarding").query("list", label) },
        count: count(7),
        current,
    };
    OnboardingList {
        frame: frame("Onboarding", Section::Onboarding),
        facts: vec!["3 set up, and not seen under their new name yet".into()],
        lists: vec![list("Waiting", true), list("Failed", false)],
        rows: (0..rows).map(row).collect(),
        none: Sentence::from("No device waits. ").code("sextant fdo import").text(" brings vouchers."),
        first: Some(Href::route("/onboarding")),
        older: (rows > 0).then(|| Href::route("/onboarding").query("after", "7")),
        templates: (rows > 0).then(template).into_iter().collect(),
    }
}

fn template() -> TemplateRow {
    TemplateRow {
        name: "default".into(),
        asks: "A release that is published here".into(),
        places: vec!["http://gateway.example".into()],
        networks: vec!["plant".into(), "hall".into()],
        more: vec![],
    }
}

pub(crate) fn onboarding() -> OnboardingPage {
    let event = |says: &str, dot| TimelineEntry {
        at: age(NOW, NOW - 48 * SECOND),
        dot,
        says: says.into(),
        detail: Some("it says: linux".into()),
    };
    OnboardingPage {
        frame: frame("camera-0", Section::Onboarding),
        crumbs: vec![Link { label: "Onboarding".into(), href: Href::route("/onboarding") }],
        facts: vec!["Waiting".into()],
        actions: vec![post("Try it again now", Weight::Plain)],
        why: Some(why()),
        known: vec![
            ("GUID", Sentence::default().code(GUID)),
            ("Called since", Sentence::default().link(GUID, href())),
        ],
        timeline: vec![event("Tried again", Dot::Act), event("Its voucher came", Dot::Plain)],
    }
}

fn why() -> Sentence {
    Sentence::from("Its session failed: ").then(reason(NOW, "replayed-nonce", []))
}

fn href() -> Href {
    Href::route("/onboarding").segment(GUID)
}
