//! `/attestation`: what evidence of devices that are not enrolled is worth.

use store::{SessionId, Timestamp};

use super::{
    age,
    device::{components, count, evidence},
    frame, sentence,
};
use crate::{
    app::{App, Failure, parse_rfc3339},
    http::pages::Viewer,
    pages::{
        view::{
            DigestChip, Href, Link, ResultList, ResultPage, ResultPart, ResultRow, Section, Sentence, Text,
            Verdict,
        },
        words,
    },
};

/// Rows of the list.
const ROWS: u32 = 50;
/// How many characters of the name of a device are shown: from its begin, and from its end.
const SHOWN: usize = 8;

/// `/attestation`
pub(in crate::http::pages) async fn results(
    app: &App,
    viewer: &Viewer,
    after: Option<&str>,
) -> Result<ResultList, Failure> {
    let now = app.now();
    let found = app.foreign_views(after, ROWS).await?;
    let mut frame = frame(app, viewer, "Attestation", Some(Section::Attestation), count(app).await?, "");
    let json = Href::route("/api/v1/results/foreign").query("limit", &ROWS.to_string());
    frame.json = Some(match after {
        Some(after) => json.query("after", after),
        None => json,
    });
    // What comes new comes first: a later page stays as it is.
    frame.live = after.is_none().then(|| Href::route("/events").query("on", "attestation"));
    let row = |one: &api::ForeignResult| ResultRow {
        name: name(one),
        kind: one.media_type.as_str().into(),
        href: result_href(&one.session),
        key: key_words(one.key.as_ref()).into(),
        why: match one.reasons.first() {
            Some(reason) => sentence(now, reason),
            None => "Nothing speaks against it.".into(),
        },
        judged: age(now, moment(&one.judged_at)),
        again: one.again,
        ends: words::date(now.micros(), moment(&one.expires_at).micros()),
        verdict: verdict(one, now),
    };
    Ok(ResultList {
        frame,
        says: "What evidence of devices that are not enrolled is worth. It moves no posture.".into(),
        rows: found.items.iter().map(row).collect(),
        first: after.map(|_| Href::route("/attestation")),
        older: found.next.map(|next| Href::route("/attestation").query("after", &next)),
    })
}

/// `/attestation/results/{session}`
pub(in crate::http::pages) async fn result(
    app: &App,
    viewer: &Viewer,
    session: &str,
) -> Result<ResultPage, Failure> {
    let now = app.now();
    let session: SessionId = session.parse().map_err(|_| Failure::NotFound)?;
    let detail = app.foreign_detail(session).await?;
    let found = &detail.result;
    let title = name(found);
    let mut frame = frame(app, viewer, title, Some(Section::Attestation), count(app).await?, "");
    frame.live = Some(Href::route("/events").query("on", &format!("result:{session}")));
    frame.json = Some(Href::route("/api/v1/results/foreign").segment(&session.to_string()));
    let instance = found.instance.as_ref();
    let mut facts = vec![Sentence::from(found.media_type.as_str())];
    facts.extend(instance.map(|instance| Sentence::default().text("id ").code(instance.as_str())));
    let judged = if found.again { "judged again " } else { "judged " };
    facts.push(Sentence::from(judged).stamp(age(now, moment(&found.judged_at))));
    let ends = words::date(now.micros(), moment(&found.expires_at).micros());
    facts.push(Sentence::from("ends ").stamp(ends));
    let record = app.store.foreign_result(session).await?.ok_or(Failure::NotFound)?.record;
    Ok(ResultPage {
        frame,
        crumbs: vec![Link { label: "Attestation".into(), href: Href::route("/attestation") }],
        verdict: verdict(found, now),
        facts,
        note: found.altered.then(|| "What is stored is not what was made. Nothing of it is believed.".into()),
        parts: detail.parts.iter().map(|one| part(one, now)).collect(),
        evidence: evidence::evidence(&record, &found.media_type),
    })
}

fn part(part: &api::ForeignPart, now: Timestamp) -> ResultPart {
    let claims: Vec<String> = part.vector.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let mut facts = vec![("Key", key(part.key.as_ref()))];
    facts.extend(part.profile.as_deref().map(|profile| ("Profile", profile.into())));
    if !claims.is_empty() {
        facts.push(("Claims", claims.join(", ").into()));
    }
    facts.extend(part.policies.iter().map(|policy| ("Policy", Sentence::default().code(policy.as_str()))));
    let comparison = part.comparison.as_ref();
    ResultPart {
        name: part.name.as_str().into(),
        verdict: of_tier(&part.tier),
        reasons: part.reasons.iter().map(|reason| sentence(now, reason)).collect(),
        facts,
        components: comparison.map(|comparison| components::components(true, Some(comparison))),
    }
}

/// What binds a key, with the manifest that it rests on.
fn key(key: Option<&api::KeyBinding>) -> Sentence {
    let says = key_words(key);
    match key.and_then(|key| DigestChip::parse(key.manifest.as_deref()?)) {
        Some(manifest) => Sentence::from(says).text(", ").digest(manifest),
        None => says.into(),
    }
}

/// What binds a key, in words.
fn key_words(key: Option<&api::KeyBinding>) -> &str {
    match key.map(|key| key.by.as_str()) {
        None => "None that counts",
        Some("manifest") => "Named by a manifest",
        Some("manifest-authority") => "Certified by an authority of a manifest",
        Some("operator-authority") => "Certified by an authority of the operator",
        Some("operator") => "Named by the operator",
        Some("voucher") => "By its ownership voucher",
        Some("whole") => "That of the token it is in",
        Some("platform") => "Vouched for by its platform",
        Some(other) => other,
    }
}

fn verdict(found: &api::ForeignResult, now: Timestamp) -> Verdict {
    match found.tier.as_str() {
        _ if found.altered => Verdict::Altered,
        _ if moment(&found.expires_at) <= now => Verdict::Ended,
        tier => of_tier(tier),
    }
}

fn of_tier(tier: &str) -> Verdict {
    match tier {
        "affirming" => Verdict::Affirming,
        "warning" => Verdict::Warning,
        "contraindicated" => Verdict::Contraindicated,
        _ => Verdict::Nothing,
    }
}

/// A device by the begin and the end of what its evidence tells of it.
fn name(found: &api::ForeignResult) -> Text {
    let Some(instance) = &found.instance else { return "No name told".into() };
    match (instance.get(..SHOWN), instance.get(instance.len().saturating_sub(SHOWN)..)) {
        (Some(begin), Some(end)) if instance.len() > 2 * SHOWN + 1 => format!("{begin}…{end}").into(),
        _ => instance.as_str().into(),
    }
}

fn result_href(session: &str) -> Href {
    Href::route("/attestation").segment("results").segment(session)
}

/// What the application wrote itself, read again.
fn moment(text: &str) -> Timestamp {
    parse_rfc3339(text).unwrap_or_default()
}
