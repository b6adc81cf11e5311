//! Made-up views for the tests: a fleet of fifty, a quarantined device, everything a page can hold.

mod attestation;
mod device;
mod network;
mod onboarding;

use crate::pages::{
    view::{
        Action, Attention, Campaign, Cell, CellState, Confirm, DeviceList, DeviceRow, DigestChip, Does, Dot,
        EmptyFleet, Failure, Field, Filter, FilterError, FirstStep, Fleet, Form, Frame, Href, Input, Link,
        Login, ModelRow, Overview, OverviewBody, Posture, PostureCounts, Problem, SavedView, Section,
        Sentence, TimelineEntry, Tone, Visitor, Wave, WaveBody, Weight, Welcome,
    },
    words::{Micros, age, clock, clock_fine, count},
};

pub(crate) use attestation::{altered_result, result, results};
pub(crate) use device::{device, new_device};
pub(crate) use network::{empty_network, network};
pub(crate) use onboarding::{onboarding, onboardings};

/// 2026-11-23T14:12:36Z
pub(crate) const NOW: Micros = 1_795_443_156 * SECOND;
const SECOND: Micros = 1_000_000;
const MEASURED: &str = "sha256:9f2c578c40236bcb65db8002c2bf98439a752de90a6b674c17b9231104ce41d7";
const EXPECTED: &str = "sha256:3a91c7f05e9db622dc67153781093c74c03decba0f8639991e201e95f852c04e";

/// What is around a page of someone who is signed in.
pub(crate) fn frame(title: &str, section: Section) -> Frame {
    Frame {
        title: title.into(),
        section: Some(section),
        site: "Harbour Lab".into(),
        now: clock(NOW),
        visitor: Some(Visitor {
            name: "Olga Marin".into(),
            sign_out: post("Sign out", Weight::Plain),
            devices: count(50),
            filter: "".into(),
        }),
        live: Some(Href::route("/events").query("on", "overview")),
        json: Some(Href::route("/api/v1/devices")),
        as_of: None,
    }
}

/// What is around a page of someone who is not.
pub(crate) fn outside(title: &str) -> Frame {
    Frame { section: None, visitor: None, live: None, json: None, ..frame(title, Section::Overview) }
}

pub(crate) fn overview() -> Overview {
    Overview {
        frame: frame("Overview", Section::Overview),
        facts: ["50 devices", "4 models", "2 gateways", "a result is good for 5 min"]
            .map(Into::into)
            .to_vec(),
        actions: vec![],
        body: OverviewBody::Fleet(fleet()),
    }
}

pub(crate) fn empty_overview() -> Overview {
    let step = |title: &str, says: &str, command: &str| FirstStep {
        title: title.into(),
        says: says.into(),
        command: Some(command.into()),
        action: None,
    };
    let body = OverviewBody::Empty(EmptyFleet {
        steps: vec![
            step(
                "Enrol devices",
                "A list of ids and keys makes this server know them.",
                "sextant device enrol fleet.csv",
            ),
            step(
                "Add a release",
                "Its values are what devices are compared with.",
                "sextant release add app.suit",
            ),
            step(
                "Connect a gateway",
                "It holds each device to what its release asks for.",
                "sextant gateway --server …",
            ),
        ],
        hint: Sentence::from("No devices yet. ").code("sextant sim --devices 50").text(" makes some."),
    });
    Overview { body, facts: vec!["No devices".into()], ..overview() }
}

fn fleet() -> Fleet {
    let mut postures = PostureCounts::default();
    for (posture, devices) in [
        (Posture::Trusted, 33),
        (Posture::Outdated, 12),
        (Posture::Unknown, 1),
        (Posture::Stale, 2),
        (Posture::Untrusted, 1),
        (Posture::Quarantined, 1),
    ] {
        postures.add_many(posture, devices);
    }
    let row = |posture, name: &str, says: &str, detail: Sentence, label: &str| Attention {
        posture,
        says: Sentence::default().link(name, device_href()).text(says),
        detail,
        action: Some(open(label)),
    };
    let proof = Sentence::from("Measured ")
        .digest(chip(MEASURED, Tone::Bad))
        .text(" expected ")
        .digest(chip(EXPECTED, Tone::Plain));
    let model = |name: &str, maker: &str, runs: &str, postures: &[(Posture, u64)]| ModelRow {
        name: name.into(),
        maker: maker.into(),
        href: Href::route("/devices").query("q", &format!("model:{name}")),
        postures: {
            let mut counts = PostureCounts::default();
            postures.iter().for_each(|(posture, n)| counts.add_many(*posture, *n));
            counts
        },
        runs: runs.into(),
    };
    Fleet {
        postures,
        attention: vec![
            row(
                Posture::Quarantined,
                "welcome-cam-17",
                " runs software that no release contains.",
                proof,
                "Review",
            ),
            row(
                Posture::Untrusted,
                "weather-station-46",
                " has its debug port open.",
                "Not cut off.".into(),
                "Show",
            ),
            row(
                Posture::Stale,
                "smart-plug-09",
                " has stopped attesting.",
                "For 47 min. Restricted.".into(),
                "Show",
            ),
            row(
                Posture::Unknown,
                "sleep-sensor-38",
                " runs a release nobody vouched for.",
                "Restricted.".into(),
                "Show",
            ),
            row(
                Posture::Outdated,
                "welcome-cam-04",
                " has CVE-2026-99031.",
                "Fixed in 1.1.0.".into(),
                "Show",
            ),
        ],
        campaigns: vec![campaign()],
        models: vec![
            model(
                "Welcome Cam",
                "WC-2, Northlight",
                "1.0.3 on 12, 1.1.0 on 7",
                &[(Posture::Trusted, 7), (Posture::Outdated, 12), (Posture::Quarantined, 1)],
            ),
            model("Smart Plug", "SP-1, Northlight", "3.4.2", &[(Posture::Trusted, 11), (Posture::Stale, 1)]),
            model(
                "Sleep Sensor",
                "DR-5, Drowse",
                "2.1.7, 2.2.0-rc1 on 1",
                &[(Posture::Trusted, 9), (Posture::Unknown, 1)],
            ),
            model(
                "Weather Station",
                "AN-8, Aneto",
                "5.0.1",
                &[(Posture::Trusted, 6), (Posture::Stale, 1), (Posture::Untrusted, 1)],
            ),
        ],
        events: events(false),
    }
}

fn campaign() -> Campaign {
    let cells = |states: &[(CellState, usize)]| {
        let cells = states.iter().flat_map(|(state, n)| std::iter::repeat_n(*state, *n));
        WaveBody::Cells(
            cells.map(|state| Cell { state, title: "welcome-cam-13: trusted on 1.1.0".into() }).collect(),
        )
    };
    let wave = |name: &str, done: &str, current, body, says: &str| Wave {
        name: name.into(),
        done: done.into(),
        current,
        body,
        says: says.into(),
    };
    Campaign {
        id: "1".to_owned(),
        name: "Welcome Cam 1.1.0".into(),
        href: None,
        state: "wave 2 of 3 running".into(),
        halted: false,
        progress: "7 of 20 trusted on 1.1.0".into(),
        goal: "trusted on 1.1.0".into(),
        waves: vec![
            wave("Canary", "5 of 5", false, cells(&[(CellState::Done, 5)]), "Passed 14:08"),
            wave(
                "Wave 2",
                "2 of 5",
                true,
                cells(&[(CellState::Done, 2), (CellState::Updating, 3)]),
                "3 updating",
            ),
            wave(
                "Wave 3",
                "0 of 10",
                false,
                cells(&[(CellState::Quarantined, 1), (CellState::Failed, 1), (CellState::Waiting, 8)]),
                "Not before 14:24",
            ),
        ],
        note: None,
    }
}

fn events(fine: bool) -> Vec<TimelineEntry> {
    let at = |ago: Micros| if fine { clock_fine(NOW - ago) } else { clock(NOW - ago) };
    let event = |ago: Micros, dot, says: &str, detail: Option<&str>| TimelineEntry {
        at: at(ago),
        dot,
        says: Sentence::default().link("welcome-cam-17", device_href()).text(says),
        detail: detail.map(Into::into),
    };
    vec![
        event(5 * SECOND, Dot::Posture(Posture::Trusted), " attested 1.1.0 and got its new policy", None),
        event(12 * SECOND, Dot::Act, " is fetching 1.1.0", Some("62 % of 3.1 MB")),
        event(48_310_000, Dot::Posture(Posture::Untrusted), " was judged: contraindicated", None),
        event(
            48_900_000,
            Dot::Posture(Posture::Quarantined),
            " cut off by gw-harbour",
            Some("0.41 s after the evidence came"),
        ),
        event(900 * SECOND, Dot::Plain, " enrolled", Some("by Olga Marin")),
    ]
}

pub(crate) fn devices(rows: usize) -> DeviceList {
    let view = |label: &str, n, current| SavedView {
        link: Link { label: label.into(), href: Href::route("/devices").query("q", label) },
        count: count(n),
        current,
    };
    DeviceList {
        frame: frame("Devices", Section::Devices),
        filter: Filter { suggestions: vec!["posture:stale".into()], ..Filter::default() },
        views: vec![view("All", 50, true), view("Quarantined", 1, false), view("Outdated", 12_449, false)],
        count: "50 devices".into(),
        actions: vec![],
        rows: (0..rows).map(device_row).collect(),
        none: Sentence::from("No device matches. ").code("posture:stale").text(" excludes most."),
        newer: Some(Href::route("/devices").query("before", "a")),
        older: Some(Href::route("/devices").query("after", "z")),
    }
}

fn device_row(index: usize) -> DeviceRow {
    let posture = Posture::ALL[index * 7 % 6];
    DeviceRow {
        name: format!("welcome-cam-{index:02}").into(),
        href: Href::route("/devices").segment("01c7102030405060708090a0b0c0d0e0f0"),
        posture,
        model: "Welcome Cam WC-2".into(),
        group: Some("entrance-hall".into()),
        running: "1.0.3".into(),
        attested: (posture != Posture::Unknown).then(|| age(NOW, NOW - 48 * SECOND)),
        policy: "release 1.0.3".into(),
        gateway: (posture != Posture::Unknown).then(|| "gw-harbour".into()),
    }
}

pub(crate) fn wrong_filter() -> DeviceList {
    let error = FilterError {
        before: "posture:stale ".into(),
        wrong: "modle:".into(),
        after: "welcome-cam".into(),
        says: Sentence::from("No field ").code("modle").text(". Did you mean ").code("model").text("?"),
    };
    let mut list = DeviceList { filter: Filter { error: Some(error), suggestions: vec![] }, ..devices(0) };
    if let Some(visitor) = &mut list.frame.visitor {
        visitor.filter = "posture:stale modle:welcome-cam".into();
    }
    list
}

pub(crate) fn login() -> Login {
    let form = Form {
        to: Href::route("/login"),
        token: None,
        error: Some("This name and this password do not go together.".into()),
        fields: vec![
            Field { value: "/devices".into(), ..field("next", "", Input::Hidden) },
            Field { value: "olga".into(), ..field("name", "Name", Input::Username) },
            field("password", "Password", Input::CurrentPassword),
        ],
        submit: "Sign in".into(),
        weight: Weight::Main,
        cancel: None,
    };
    Login { frame: outside("Sign in"), form }
}

pub(crate) fn welcome(form: bool) -> Welcome {
    let filled = Form {
        to: Href::route("/welcome"),
        error: None,
        fields: vec![
            Field {
                hint: Some("As it stands in the record.".into()),
                ..field("name", "Your name", Input::Username)
            },
            Field {
                error: Some("At least 12 characters.".into()),
                ..field("password", "Password", Input::NewPassword)
            },
            field("site", "Name of the site", Input::Line),
        ],
        submit: "Begin".into(),
        ..login().form
    };
    let form = if form { Ok(filled) } else { Err("This link was used at 14:08:02 and works once.".into()) };
    Welcome { frame: outside("Welcome to Sextant"), form }
}

pub(crate) fn confirm() -> Confirm {
    let form = Form {
        to: device_href(),
        token: Some("t".to_owned()),
        error: None,
        fields: vec![field("reason", "Reason", Input::Line), field("until", "Until (UTC)", Input::Moment)],
        submit: "Block welcome-cam-17".into(),
        weight: Weight::Risk,
        cancel: Some(Link { label: "Leave it as it is".into(), href: device_href() }),
    };
    let effect = vec!["8 flows are cut. Update and attestation stay closed too.".into()];
    Confirm { frame: frame("Block welcome-cam-17?", Section::Devices), effect, form }
}

pub(crate) fn failures() -> Vec<Failure> {
    let problems = [
        Problem::Malformed("The page number is not a number.".into()),
        Problem::SignedOut { sign_in: Href::route("/login").query("next", "/devices?q=a b") },
        Problem::Forbidden { who: "Only an administrator".into() },
        Problem::NotFound,
        Problem::Conflict {
            changed: Sentence::from("Nadia Okafor released it at ").stamp(clock(NOW)).text("."),
            now: Link { label: "Show it as it is now".into(), href: device_href() },
        },
        Problem::TooMany { again: "in 30 s".into() },
        Problem::Fault,
        Problem::Unavailable { part: "The store does not answer.".into() },
    ];
    let failure = |problem: Problem| {
        let signed_in = !matches!(problem, Problem::SignedOut { .. });
        let around =
            if signed_in { frame(problem.title(), Section::Devices) } else { outside(problem.title()) };
        Failure { frame: around, problem, request: "r-7f3k2".into() }
    };
    problems.map(failure).into()
}

fn field(name: &'static str, label: &str, input: Input) -> Field {
    Field { name, label: label.into(), input, value: "".into(), hint: None, error: None, required: true }
}

fn open(label: &str) -> Action {
    Action { label: label.into(), weight: Weight::Plain, does: Does::Open(device_href()) }
}

fn post(label: &str, weight: Weight) -> Action {
    let does =
        Does::Post { to: device_href(), token: "t".to_owned(), fields: vec![("release", "1.1.0".into())] };
    Action { label: label.into(), weight, does }
}

fn device_href() -> Href {
    Href::route("/devices").segment("01c7102030405060708090a0b0c0d0e0f0")
}

fn chip(text: &str, tone: Tone) -> DigestChip {
    DigestChip::parse(text).expect("the samples are digests").tone(tone)
}
