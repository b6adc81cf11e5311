//! The six cards.

use serde::Deserialize as _;
use store::{Device, ResultRecord, Timestamp};

use super::{
    super::{age, sentence},
    connection, reports,
};
use crate::{
    app::{App, releases::hex},
    pages::{
        view::{DigestChip, Href, Posture, Question, QuestionCard, Seal, SealState, Sentence},
        words,
    },
};

/// Facts on a card.
const FACTS: usize = 4;
/// Flaws that a card names.
const FLAWS: usize = 4;

pub(super) fn cards(
    app: &App,
    device: &Device,
    detail: &api::DeviceDetail,
    result: Option<&ResultRecord>,
    posture: Posture,
) -> [QuestionCard; 6] {
    let now = app.now();
    let (verifier, author) = (verifier_seal(app, result), author_seal(app, device));
    Question::ALL.map(|question| {
        let Some(answer) = detail.answers.iter().find(|answer| answer.question == question.number()) else {
            return QuestionCard::unanswered(question, "It attests");
        };
        if result.is_none() && question == Question::Software {
            return QuestionCard::unanswered(question, "It attests");
        }
        let distrusted = posture != Posture::Trusted;
        // No other answer has it among its facts.
        let onboarding = connection::onboarding(&answer.facts);
        let bad = matches!(question, Question::Software | Question::Peers) && distrusted;
        let seal = match question {
            Question::Software | Question::Authority => verifier.clone(),
            Question::Update => reports::seal(&answer.facts, device, now).unwrap_or_else(|| verifier.clone()),
            Question::Peers | Question::Origin => author.clone(),
            Question::Connection => onboarding.as_ref().map_or_else(Seal::absent, connection::seal),
        };
        let mut facts = facts(question, &answer.facts, device, detail, now);
        facts.truncate(FACTS);
        QuestionCard {
            question,
            answer: answer.answer.as_str().into(),
            bad: bad.then_some(posture),
            facts,
            seal,
            more: match question {
                Question::Connection => onboarding.as_ref().map(connection::more),
                Question::Update => reports::all(&answer.facts, device),
                _ => None,
            },
        }
    })
}

/// The seal of the newest result. It speaks of the signature, not of what was signed.
fn verifier_seal(app: &App, result: Option<&ResultRecord>) -> Seal {
    let Some(result) = result else { return Seal::absent() };
    let now = app.now();
    let broken =
        app.read_outcome(result).reasons.iter().any(|reason| reason.code == trust::Code::ResultSigner);
    let state = match broken {
        true => SealState::Broken,
        false if result.expires <= now.seconds() => SealState::Old,
        false => SealState::Good,
    };
    let says = Sentence::default()
        .text("Judged by ")
        .strong("this verifier")
        .text(", ")
        .stamp(age(now, result.received_at));
    Seal { state, says, object: None }
}

fn author_seal(app: &App, device: &Device) -> Seal {
    let book = app.book();
    let verified = device.release.as_ref().and_then(|release| book.get(release)?.verified.as_ref().ok());
    let Some(verified) = verified else { return Seal::absent() };
    let names: Vec<&str> = verified.release.signers().iter().map(|signer| signer.name.as_str()).collect();
    let digest = hex(verified.release.manifest_digest().as_bytes());
    Seal {
        state: SealState::Good,
        says: Sentence::default().text("Signed by ").strong(names.join(" and ")),
        object: Some(Href::route("/api/v1/releases").segment(&digest).segment("envelope")),
    }
}

fn facts(
    question: Question,
    facts: &serde_json::Value,
    device: &Device,
    detail: &api::DeviceDetail,
    now: Timestamp,
) -> Vec<(&'static str, Sentence)> {
    let list =
        |name: &str| facts.get(name).and_then(|list| list.as_array()).map(Vec::as_slice).unwrap_or_default();
    let text = |value: &serde_json::Value, name: &str| {
        value.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    let mut said: Vec<(&'static str, Sentence)> = Vec::new();
    match question {
        Question::Software => {
            let measured =
                list("measured").iter().filter_map(|measured| DigestChip::parse(&text(measured, "digest")));
            said.extend(measured.take(2).map(|chip| ("Measured", Sentence::default().digest(chip))));
            let release = device.release.as_ref().and_then(|release| DigestChip::new(release.as_bytes()));
            said.extend(release.map(|chip| ("Release", Sentence::default().digest(chip))));
            said.extend(device.attested_at.map(|at| ("Attested", Sentence::default().stamp(age(now, at)))));
        }
        Question::Connection => {
            let onboarding = connection::onboarding(facts);
            said.extend(onboarding.iter().flat_map(|onboarding| connection::facts(onboarding, now)));
            said.extend(connection::binding(onboarding.as_ref(), &detail.network));
        }
        Question::Peers => {
            said.push(("Decided", device.access.as_str().into()));
            for (gateway, applied) in detail.network.applied.iter().take(1) {
                let words = Sentence::from(format!("{} at {gateway}, ", applied.profile.as_str()));
                said.push(("In force", words.stamp(age(now, Timestamp::from_millis(applied.at_ms)))));
            }
            said.push(("Asked for", format!("{} flows", list("flows").len()).into()));
            // What others sent in its place is not its doing.
            let own = detail.network.violations.iter().filter(|(_, seen)| seen.class != "spoofed-binding");
            let dropped = own.map(|(_, violation)| violation.count).sum();
            said.push(("Dropped in 24 h", words::count(dropped).shown.into()));
        }
        Question::Origin => {
            if device.release.is_some() {
                said.push(("Version", text(facts, "version").into()));
                said.extend(flaws(list("flaws")).map(|flaws| ("Known flaws", flaws)));
                said.extend(flaws(list("cannot_tell")).map(|flaws| ("Cannot tell", flaws)));
                said.push(("Parts", list("parts").len().to_string().into()));
                said.extend(facts.get("sequence").map(|sequence| ("Sequence", sequence.to_string().into())));
                said.extend(list("pointers").iter().map(|named| {
                    let what = Sentence::from(format!("{} ", text(named, "what")));
                    ("Its maker names", what.code(text(named, "at")))
                }));
            }
        }
        Question::Authority => {
            let authorities = list("authorities").iter();
            said.extend(authorities.map(|authority| {
                ("May sign", format!("{} ({})", text(authority, "name"), text(authority, "role")).into())
            }));
        }
        Question::Update => {
            let lacks = facts.get("unsupported").and_then(|lacks| api::Reason::deserialize(lacks).ok());
            said.extend(lacks.map(|lacks| ("Not offered", sentence(now, &lacks))));
            said.extend(reports::facts(facts, now));
            let slot = facts.get("active_slot").and_then(|slot| slot.as_u64());
            said.extend(slot.map(|slot| ("Active slot", slot.to_string().into())));
            let refused = facts
                .get("last_refusal")
                .map(|refusal| text(refusal, "code"))
                .filter(|code| !code.is_empty());
            said.extend(refused.map(|code| ("Refused last", Sentence::default().code(code))));
        }
    }
    said
}

/// Names of flaws, each with the component that has it, and why nobody can tell where nobody can.
fn flaws(listed: &[serde_json::Value]) -> Option<Sentence> {
    let flaws = listed.iter().filter_map(|flaw| api::ReleaseFlaw::deserialize(flaw).ok());
    let words = flaws.take(FLAWS).map(|flaw| {
        let version = flaw.component_version.map(|version| format!(" {version}")).unwrap_or_default();
        let why = flaw.why.map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{} in {}{version}{why}", flaw.flaw, flaw.component)
    });
    let sentence = words.reduce(|words, next| words + ", " + &next).map(Sentence::from)?;
    match listed.len().saturating_sub(FLAWS) {
        0 => Some(sentence),
        more => Some(sentence.text(format!(" and {more} more"))),
    }
}
