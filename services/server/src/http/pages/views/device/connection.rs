//! The answer to the second question: how a device came to its owner, and where it is on the network.

use api::{NetworkState, OnboardedDevice};
use serde::Deserialize as _;
use store::Timestamp;

use crate::{
    app::parse_rfc3339,
    http::pages::views::{age, onboarding_href},
    pages::view::{DigestChip, Href, Link, Seal, SealState, Sentence},
};

/// What the answer says of onboarding.
pub(super) fn onboarding(facts: &serde_json::Value) -> Option<OnboardedDevice> {
    OnboardedDevice::deserialize(facts.get("onboarding")?).ok()
}

/// By whom it was sold, where the voucher that it came with is here.
pub(super) fn seal(onboarding: &OnboardedDevice) -> Seal {
    let Some(voucher) = &onboarding.voucher else { return Seal::absent() };
    let object = Some(Href::route("/api/v1/vouchers").segment(&voucher.guid).segment("object"));
    match (voucher.holds, voucher.manufacturer.as_deref().and_then(DigestChip::parse)) {
        (true, Some(manufacturer)) => {
            let says = Sentence::from("Vouched for by its manufacturer ").digest(manufacturer);
            Seal { state: SealState::Good, says, object }
        }
        _ => Seal { state: SealState::Broken, says: "Its voucher does not hold any more".into(), object },
    }
}

/// Its page among the devices to onboard.
pub(super) fn more(onboarding: &OnboardedDevice) -> Link {
    Link { label: "How it was onboarded".into(), href: onboarding_href(&onboarding.guid) }
}

/// When and how it came, to whom, and with what.
pub(super) fn facts(onboarding: &OnboardedDevice, now: Timestamp) -> Vec<(&'static str, Sentence)> {
    let at = parse_rfc3339(&onboarding.at).unwrap_or(now);
    let when = Sentence::from(format!("{}, ", onboarding.method)).stamp(age(now, at));
    let when = match onboarding.attested {
        Some(true) => when.text(", after it attested"),
        Some(false) => when.text(", without attesting"),
        None => when,
    };
    let mut facts = vec![("Onboarded", when)];
    let owner = onboarding.owner.as_deref().and_then(DigestChip::parse);
    facts.extend(owner.map(|owner| ("Owner", Sentence::default().digest(owner))));
    facts.push(("Given", given(onboarding)));
    facts
}

fn given(onboarding: &OnboardedDevice) -> Sentence {
    let credential = &onboarding.credential;
    let certificate = match (credential.outcome.as_str(), &credential.subject) {
        ("given", Some(subject)) => Sentence::from("certificate of ").code(subject.as_str()),
        ("not-asked", _) => "no certificate, for which it did not ask".into(),
        ("failed", _) => "no certificate, which failed".into(),
        _ => "not recorded".into(),
    };
    match onboarding.networks.as_slice() {
        [] => certificate,
        networks => {
            let names = networks.iter().enumerate();
            names.fold(certificate.text("; networks "), |sentence, (index, name)| {
                let sentence = if index == 0 { sentence } else { sentence.text(", ") };
                sentence.strong(name.as_str())
            })
        }
    }
}

/// Where it is: in one fact beside those of onboarding, else in three.
pub(super) fn binding(
    onboarding: Option<&OnboardedDevice>,
    network: &NetworkState,
) -> Vec<(&'static str, Sentence)> {
    match (network.bindings.first(), onboarding) {
        (Some((gateway, binding)), None) => vec![
            ("Gateway", gateway.as_str().into()),
            ("MAC address", Sentence::default().code(binding.mac.as_str())),
            ("Addresses", binding.addresses.join(", ").into()),
        ],
        (Some((gateway, binding)), Some(_)) => {
            let place = Sentence::default().strong(gateway.as_str()).text(", ").code(binding.mac.as_str());
            vec![("Gateway", place.text(format!(", {}", binding.addresses.join(", "))))]
        }
        (None, Some(onboarding)) => {
            let told = onboarding.gateway.as_deref();
            vec![(
                "Gateway",
                told.map_or("told to find it on the link".into(), |url| {
                    Sentence::from("told to go to ").code(url)
                }),
            )]
        }
        (None, None) => Vec::new(),
    }
}
