//! The signed objects behind the decision in force.

use crypto::{Digest, HashAlgorithm};
use store::{Device, ResultRecord};

use crate::{
    app::{App, answers},
    pages::{
        view::{ChainBox, ChainOutcome, Comparison, DigestChip, Href, Tone, TrustChain},
        words,
    },
};

pub(super) fn chain(
    app: &App,
    device: &Device,
    detail: &api::DeviceDetail,
    result: Option<&ResultRecord>,
) -> TrustChain {
    let claims = result.and_then(|result| answers::claims(device, result));
    let components = answers::measured(claims.as_ref());
    let matches = device.release.is_some();
    let promised = promised(app, device);
    let measured = measured(device, result, claims.is_some(), components.first(), matches);
    let comparison = match (promised.is_empty(), components.is_empty()) {
        (false, false) if matches => Comparison::Equal,
        (false, false) => Comparison::Differs,
        _ => Comparison::Impossible,
    };
    let command = device.decision.map(|decision| {
        let verify =
            "sextant decision verify decision.json --authorities authorities.cbor --verifier verifier.pub";
        format!("sextant decision fetch {decision} -o decision.json && {verify}").into()
    });
    TrustChain { promised, measured, followed: followed(device, detail, result), comparison, command }
}

fn promised(app: &App, device: &Device) -> Vec<ChainBox> {
    let book = app.book();
    let verified = device.release.as_ref().and_then(|release| book.get(release)?.verified.as_ref().ok());
    let Some(release) = verified.map(|verified| verified.release.as_ref()) else { return Vec::new() };
    let mut lane = Vec::new();
    for signer in release.signers().iter().take(1) {
        lane.push(link("Author", &signer.name, None, ChainOutcome::Good));
    }
    let digest = DigestChip::new(release.manifest_digest().as_bytes());
    lane.push(link("Release", release.version(), digest, ChainOutcome::Good));
    for expected in release.expected().iter().take(1) {
        let digest = DigestChip::new(expected.digest.as_bytes()).map(|chip| chip.tone(Tone::Good));
        lane.push(link("Expected", &expected.name, digest, ChainOutcome::Good));
    }
    lane
}

fn measured(
    device: &Device,
    result: Option<&ResultRecord>,
    verifies: bool,
    component: Option<&serde_json::Value>,
    matches: bool,
) -> Vec<ChainBox> {
    let outcome = |good: bool| if good { ChainOutcome::Good } else { ChainOutcome::Refused };
    let mut lane =
        vec![link("Device key", &device.name, DigestChip::new(&device.thumbprint), ChainOutcome::Plain)];
    if let Some(result) = result {
        let came = words::clock_fine(result.received_at.micros()).shown;
        lane.push(link("Evidence", &came, digest(&result.evidence), outcome(verifies)));
    }
    if let Some(component) = component {
        let text = |name: &str| component.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        let tone = if matches { Tone::Good } else { Tone::Bad };
        let chip = DigestChip::parse(text("digest")).map(|chip| chip.tone(tone));
        lane.push(link("Measured", text("component"), chip, outcome(matches)));
    }
    lane
}

fn followed(device: &Device, detail: &api::DeviceDetail, result: Option<&ResultRecord>) -> Vec<ChainBox> {
    let mut lane = Vec::new();
    if let Some(result) = result {
        let good = result.tier == eat::Tier::Affirming.name();
        let outcome = if good { ChainOutcome::Good } else { ChainOutcome::Refused };
        lane.push(link("Result", &result.tier, digest(&result.cwt), outcome));
    }
    if let Some(decision) = device.decision {
        let words = format!("{}, {}", device.posture, device.access);
        let object = Href::route("/api/v1/decisions").segment(&decision.to_string());
        lane.push(ChainBox { object: Some(object), ..link("Decision", &words, None, ChainOutcome::Plain) });
    }
    for (gateway, applied) in detail.network.applied.iter().take(1) {
        let words = format!("{} at {gateway}", applied.profile.as_str());
        lane.push(link("In force", &words, None, ChainOutcome::Good));
    }
    lane
}

fn link(kind: &str, name: &str, digest: Option<DigestChip>, outcome: ChainOutcome) -> ChainBox {
    ChainBox { kind: kind.into(), name: name.into(), digest, outcome, object: None }
}

fn digest(object: &[u8]) -> Option<DigestChip> {
    DigestChip::new(Digest::of(HashAlgorithm::Sha256, object).as_bytes())
}
