//! The page of one device.

use crate::pages::{
    view::{
        Action, ChainBox, ChainOutcome, Comparison, ComponentRow, Components, DevicePage, Does, Evidence,
        EvidenceNode, Flow, FlowState, Flows, Href, Link, Posture, Question, QuestionCard, Seal, SealState,
        Section, Sentence, Tone, TrustChain, Weight, Why,
    },
    words::{age, count, reason},
};

use super::{EXPECTED, MEASURED, NOW, SECOND, chip, device_href, events, frame, open, post};

pub(crate) fn device() -> DevicePage {
    let detail = [("component", "app"), ("measured", MEASURED), ("expected", EXPECTED)];
    DevicePage {
        frame: frame("welcome-cam-17", Section::Devices),
        crumbs: vec![Link { label: "Devices".into(), href: Href::route("/devices") }],
        posture: Posture::Quarantined,
        also: vec![Posture::Outdated],
        facts: vec![
            "Welcome Cam WC-2 by Northlight Devices".into(),
            Sentence::from("key ").digest(chip(EXPECTED, Tone::Plain)),
        ],
        actions: vec![open("Block it…")],
        why: Some(Why {
            posture: Posture::Quarantined,
            says: reason(NOW, "digest-mismatch", detail),
            others: vec![reason(NOW, "debug-open", [])],
            then: "Quarantined at 14:11:48, 0.41 s after the evidence came. It can still reach update, attestation, DNS \
                   and time. It is released by itself when it attests a known release."
                .into(),
            actions: vec![
                post("Offer 1.1.0 now", Weight::Main),
                Action {
                    label: "Release it".into(),
                    weight: Weight::Risk,
                    does: Does::Wait("Waits until gw-harbour has the policy".into()),
                },
            ],
        }),
        six: six(),
        components: components(),
        flows: flows(),
        chain: chain(),
        evidence: Some(evidence()),
        timeline: events(true),
        timeline_all: Some(Href::route("/api/v1/audit")),
    }
}

/// A device that was enrolled and nothing else.
pub(crate) fn new_device() -> DevicePage {
    let chain = TrustChain {
        promised: vec![],
        measured: vec![],
        followed: vec![],
        comparison: Comparison::Impossible,
        command: None,
    };
    DevicePage {
        posture: Posture::Unknown,
        also: vec![],
        why: None,
        six: Question::ALL
            .map(|question| QuestionCard::unanswered(question, "It attests for the first time.")),
        components: Components { says: "It has not said yet what it runs.".into(), rows: vec![] },
        flows: Flows::default(),
        chain,
        evidence: None,
        timeline: vec![],
        ..device()
    }
}

fn six() -> [QuestionCard; 6] {
    let seal = |state, says: &str| Seal {
        state,
        says: Sentence::from(says).strong("sitka-1").text(", ").stamp(age(NOW, NOW - 48 * SECOND)),
        object: Some(device_href()),
    };
    let card = |question, answer: &str, bad, facts: Vec<(&'static str, Sentence)>, seal| QuestionCard {
        question,
        answer: answer.into(),
        bad,
        facts,
        seal,
        more: Some(Link { label: "Evidence".into(), href: Href::anchor("evidence") }),
    };
    let measured = Sentence::from("unknown ").digest(chip(MEASURED, Tone::Bad));
    [
        card(
            Question::Software,
            "Not what was released",
            Some(Posture::Quarantined),
            vec![("App", measured), ("Since", "14:11:48, before that 1.0.3".into())],
            seal(SealState::Good, "Judged by "),
        ),
        card(
            Question::Connection,
            "By its enrolled key, on its own port",
            None,
            vec![("Bound to", "5c:17:cf:3a:91:17, 192.0.2.17".into())],
            seal(SealState::Absent, "Not signed, says "),
        ),
        card(
            Question::Peers,
            "Only the update and attestation services",
            Some(Posture::Untrusted),
            vec![
                ("Now", "4 flows of the cure policy".into()),
                ("Normally", "8 flows of policy 1.0.3".into()),
            ],
            seal(SealState::Old, "Policy signed by "),
        ),
        card(
            Question::Origin,
            "1.0.3 is known. What runs now is not.",
            Some(Posture::Stale),
            vec![("Author", "Northlight Devices".into())],
            seal(SealState::Broken, "Does not verify: another key than "),
        ),
        card(
            Question::Authority,
            "Northlight writes, Harbour Lab approves",
            Some(Posture::Unknown),
            vec![("Needs", "2 of 2 signatures".into())],
            seal(SealState::Good, "Authority list attested, "),
        ),
        card(
            Question::Update,
            "Two slots; 1.1.0 is ready for it",
            Some(Posture::Outdated),
            vec![("Running", "slot A, sequence 13".into()), ("Offered", "1.1.0, sequence 14".into())],
            seal(SealState::Good, "Last report signed by "),
        ),
    ]
}

fn components() -> Components {
    let value = |digest: &str, tone| Sentence::default().digest(chip(digest, tone)).text(", 3.1 MB");
    let row = |name: &str, expected, measured, comparison, verdict: &str, tone| ComponentRow {
        name: name.into(),
        version: Some("1.0.3".into()),
        expected,
        measured,
        comparison,
        verdict: verdict.into(),
        tone,
    };
    Components {
        says: Sentence::from("Compared with ").strong("1.0.3").text(", which it names."),
        rows: vec![
            row(
                "app",
                value(EXPECTED, Tone::Good),
                value(MEASURED, Tone::Bad),
                Comparison::Differs,
                "Differs",
                Tone::Bad,
            ),
            row(
                "boot",
                value(EXPECTED, Tone::Good),
                value(EXPECTED, Tone::Good),
                Comparison::Equal,
                "Same",
                Tone::Good,
            ),
            row(
                "model",
                value(EXPECTED, Tone::Plain),
                "nothing".into(),
                Comparison::Impossible,
                "Optional, not there",
                Tone::Plain,
            ),
        ],
    }
}

fn flows() -> Flows {
    let flow = |destination: &str, detail: &str, service: &str, now, dropped, why: &str| Flow {
        destination: destination.into(),
        detail: Some(detail.into()),
        service: service.into(),
        asked_by: if now == FlowState::Never { "nobody".into() } else { "release 1.0.3".into() },
        now,
        used: "1.2 MB".into(),
        dropped: count(dropped),
        was_dropped: dropped > 0,
        why: why.into(),
    };
    Flows {
        says: "Normal policy beside what the gateway lets through now. Last 24 h.".into(),
        rows: vec![
            flow("update.northlight.example", "198.51.100.20", "tcp 443", FlowState::Allowed, 0, "Cure"),
            flow(
                "stream.welcome.northlight.example",
                "198.51.100.31",
                "tcp 443",
                FlowState::Cut,
                96,
                "Quarantine",
            ),
            flow(
                "203.0.113.77",
                "no name was looked up",
                "tcp 6667",
                FlowState::Never,
                12_345,
                "No release asks for this.",
            ),
            flow("smart-plug-08", "same network", "tcp 23", FlowState::WouldDrop, 6, "Observe mode"),
        ],
    }
}

fn chain() -> TrustChain {
    let item = |kind: &str, name: &str, digest: Option<(&str, Tone)>, outcome| ChainBox {
        kind: kind.into(),
        name: name.into(),
        digest: digest.map(|(digest, tone)| chip(digest, tone)),
        outcome,
        object: Some(device_href()),
    };
    let plain = Some((EXPECTED, Tone::Plain));
    TrustChain {
        promised: vec![
            item("Anchor", "Northlight root 2", plain, ChainOutcome::Good),
            item("Release key", "nl-release-7", plain, ChainOutcome::Good),
            item("Manifest 13", "Welcome Cam 1.0.3", plain, ChainOutcome::Good),
            item("Expected", "app 1.0.3", Some((EXPECTED, Tone::Good)), ChainOutcome::Good),
        ],
        measured: vec![
            item("Enrolled", "by Olga Marin", None, ChainOutcome::Good),
            item("Device key", "welcome-cam-17", plain, ChainOutcome::Good),
            item("Evidence, 14:11:48.19", "CWT", plain, ChainOutcome::Good),
            item("Measured", "app, unknown", Some((MEASURED, Tone::Bad)), ChainOutcome::Refused),
        ],
        followed: vec![
            item("Compared by", "verifier sitka-1", None, ChainOutcome::Plain),
            item("Result, 14:11:48.31", "executables 96: contraindicated", None, ChainOutcome::Refused),
            item("Order, 14:11:48.44", "policy: cure only", None, ChainOutcome::Plain),
            item("Confirmed, 14:11:48.60", "gw-harbour", None, ChainOutcome::Good),
        ],
        comparison: Comparison::Differs,
        command: Some("sextant decision verify decision.json".into()),
    }
}

fn evidence() -> Evidence {
    let leaf = |label: &str, name: &str, value: &str, bytes: std::ops::Range<usize>| EvidenceNode {
        label: Some(label.into()),
        name: Some(name.into()),
        value: value.into(),
        bytes,
        ..EvidenceNode::default()
    };
    let component = EvidenceNode {
        items: vec![
            leaf("1", "measurement-type", "\"App\"", 0x119..0x11f),
            EvidenceNode {
                tone: Tone::Bad, ..leaf("2", "measurement-value", "h'9f2c…41d7'", 0x11f..0x142)
            },
            EvidenceNode { self_asserted: true, ..leaf("4", "version", "\"1.0.3\"", 0x142..0x149) },
        ],
        open: true,
        value: "App".into(),
        name: Some("[0]".into()),
        ..EvidenceNode::default()
    };
    let claims = EvidenceNode {
        items: vec![component],
        open: true,
        ..leaf("2399", "software-components", "1", 0x110..0x160)
    };
    let root = EvidenceNode {
        value: "tag 18, signature good".into(),
        name: Some("COSE_Sign1".into()),
        open: true,
        bytes: 0..412,
        items: vec![
            leaf("10", "nonce", "h'51d0…2a9b'", 4..38),
            leaf("-70000", "unknown", "h'00'", 38..41),
            claims,
        ],
        ..EvidenceNode::default()
    };
    Evidence {
        says: "Sextant evidence, 412 bytes, as received".into(),
        object: Some(device_href()),
        root,
        offset: 0x114,
        bytes: (0x14..0x60).collect(),
        bad: std::iter::once(0x121..0x142).collect(),
        left_out: Some("336 bytes are left out; the download has them.".into()),
    }
}
