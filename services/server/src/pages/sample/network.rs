//! Devices without attestation.

use crate::pages::{
    view::{
        DigestChip, NetworkDeviceRow, NetworkModelRow, NetworkPage, Posture, Section, Sentence, Text,
        WaitingFile,
    },
    words::{count, date, reason},
};

use super::{MEASURED, NOW, SECOND, frame};

const URL: &str = "https://things.example/plug/v1.json";

pub(crate) fn network() -> NetworkPage {
    let wide: Text = "from-device ipv4 tcp to prefix 203.0.113.11/32 port 443: accept".into();
    let states = [
        ("In force", Posture::Trusted),
        ("In force, a newer one waits", Posture::Outdated),
        ("Refused", Posture::Untrusted),
        ("None yet", Posture::Unknown),
    ];
    NetworkPage {
        frame: frame("Network", Section::Network),
        facts: vec!["4 MUD URLs".into(), "2 devices without attestation".into()],
        waiting: vec![WaitingFile {
            url: URL.into(),
            gateway: "gw-harbour".into(),
            digest: DigestChip::parse(MEASURED),
            signer: "CN=Maker".into(),
            reasons: vec![reason(NOW, "mud-wider", [])],
            gained: vec![wide.clone()],
            lost: vec![wide.clone()],
        }],
        models: states
            .into_iter()
            .map(|(state, looks_like)| NetworkModelRow {
                url: URL.into(),
                what: Some("a plug".into()),
                gateway: "gw-harbour".into(),
                by: "announced, signed by CN=Maker".into(),
                odd: vec![reason(NOW, "mud-fetch-connect", [("detail", "refused")])],
                allowed: vec![wide.clone()],
                pointers: vec!["sbom of 1.0: https://things.example/sbom".into()],
                devices: count(2),
                next: date(NOW, NOW + 3600 * SECOND),
                state: state.into(),
                looks_like,
            })
            .collect(),
        devices: vec![NetworkDeviceRow {
            mac: "02:00:00:00:00:0b".into(),
            addresses: "10.77.0.11 at gw-harbour".into(),
            url: URL.into(),
            odd: vec![reason(NOW, "mud-url-authority", [])],
            dropped: count(12),
            last_drop: Some(Sentence::from("last 203.0.113.11 tcp port 23")),
            access: "What its file permits".into(),
            looks_like: Posture::Trusted,
        }],
        more: Some(count(3)),
    }
}

pub(crate) fn empty_network() -> NetworkPage {
    NetworkPage { waiting: vec![], models: vec![], devices: vec![], more: None, ..network() }
}
