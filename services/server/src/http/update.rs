//! The update API of devices: hawkBit's Direct Device Integration, and beside it the signed reports of SUIT.

use std::collections::HashMap;

use api::{
    Artifact, ArtifactLinks, Base64Url, Chunk, Deployment, DeploymentAction, Feedback, Hashes, Href, Poll,
    PollConfig, PollLinks, PollQuery, Polling,
};
use axum::{
    Extension, Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use store::{ActionId, Device, DeviceId, ReleaseId};

use crate::{
    app::{
        App, Failure,
        credentials::{Principal, Scope},
        releases::hex,
    },
    http::{Shared, answer::Answer, request},
};

const BASE: &str = "/default/controller/v1";
const FILE: &str = "release.suit";
/// Longest feedback in bytes.
const MAX_FEEDBACK: usize = 64 << 10;
/// Longest report in bytes.
const MAX_REPORT: usize = 64 << 10;
/// A file is read from the store in pieces of this size.
const PIECE: u64 = 1 << 20;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/default/controller/v1/{ueid}", get(poll))
        .route("/default/controller/v1/{ueid}/deploymentBase/{action}", get(deployment))
        .route("/default/controller/v1/{ueid}/deploymentBase/{action}/feedback", post(feedback))
        .route("/default/controller/v1/{ueid}/authorities/{list}/{update}", get(authority_update))
        .route("/default/controller/v1/{ueid}/suitReport", post(report))
        .route(
            "/default/controller/v1/{ueid}/softwaremodules/{release}/artifacts/release.suit",
            get(download),
        )
}

async fn poll(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Query(query): Query<PollQuery>,
    headers: HeaderMap,
) -> Answer<Json<Poll>> {
    let device = device(&app, &who).await?;
    app.weigh_offers(&device).await?;
    let offer = app.offer_for(&device).await?.unwrap_or(None);
    if let Some(offer) = &offer {
        app.offered(offer).await?;
    }
    let controller = format!("{}{BASE}/{}", origin(&headers), device.id);
    let obeys = query.authorities.as_deref().map(digest).transpose()?;
    let update = match &obeys {
        Some(list) => app.authority_update_for(&device, list).await?,
        None => None,
    };
    let update_answer = match &query.nonce {
        Some(Base64Url(nonce)) => {
            let answer = app.update_answer(&device, nonce, offer.as_ref(), obeys.as_ref(), update.as_ref());
            Some(Base64Url(answer?))
        }
        None => None,
    };
    let authority_update = query.authorities.zip(update).map(|(list, update)| Href {
        href: format!("{controller}/authorities/{list}/{}", hex(&update.digest)),
    });
    let href = |action: ActionId| format!("{controller}/deploymentBase/{action}");
    Ok(Json(Poll {
        config: PollConfig { polling: Polling { sleep: sleep(app.config.poll_interval.as_secs()) } },
        links: PollLinks {
            deployment_base: offer.map(|offer| Href { href: href(offer.part.id) }),
            authority_update,
        },
        update_answer,
    }))
}

/// The change of the list that the device obeys. The device verifies it: this server has no say in it.
async fn authority_update(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path((_, list, update)): Path<(String, String, String)>,
) -> Answer<Response> {
    let device = device(&app, &who).await?;
    let offered = app.authority_update_for(&device, &digest(&list)?).await?;
    let offered = offered.filter(|offered| hex(&offered.digest) == update).ok_or(Failure::NotFound)?;
    Ok(([(header::CONTENT_TYPE, api::COSE)], offered.bytes).into_response())
}

async fn deployment(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path((_, action)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Json<DeploymentAction>> {
    let device = device(&app, &who).await?;
    let action = action_id(&action)?;
    let offer = app.offer_for(&device).await?.unwrap_or(None).filter(|offer| offer.part.id == action);
    let release = offer.ok_or(Failure::NotFound)?.campaign.release;
    let record = app.store.release(&release).await?.ok_or(Failure::NotFound)?;
    let href = format!("{}{BASE}/{}/softwaremodules/{release}/artifacts/{FILE}", origin(&headers), device.id);
    let artifact = Artifact {
        filename: FILE.to_owned(),
        hashes: Hashes { sha256: hex(&record.object) },
        size: record.size,
        links: ArtifactLinks { download: Href { href } },
    };
    let chunk = Chunk {
        part: "bApp".to_owned(),
        version: record.version,
        name: record.model,
        artifacts: vec![artifact],
    };
    Ok(Json(DeploymentAction {
        id: action.to_string(),
        deployment: Deployment {
            download: "forced".to_owned(),
            update: "forced".to_owned(),
            chunks: vec![chunk],
        },
    }))
}

async fn feedback(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path((_, action)): Path<(String, String)>,
    request: Request,
) -> Answer<StatusCode> {
    let device = device(&app, &who).await?;
    let feedback: Feedback = request::json(&app, request, MAX_FEEDBACK).await?;
    app.feedback(&device.id, action_id(&action)?, &feedback.status).await?;
    Ok(StatusCode::OK)
}

async fn report(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Answer<StatusCode> {
    let device = device(&app, &who).await?;
    let action = query.get("action").map(|action| action.parse()).transpose();
    let action = action.map_err(|_| Failure::Malformed("`action` is a number".to_owned()))?;
    let from = request::peer(&request);
    let bytes = request::body(&app, request, &[api::SUIT_REPORT], MAX_REPORT).await?;
    app.take_report(&device, action, bytes, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn download(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path((_, release)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let device = device(&app, &who).await?;
    let release: ReleaseId = release.parse().map_err(|_| Failure::NotFound)?;
    // What is not offered is not to be had: another release may be for another class of device.
    let offer =
        app.offer_for(&device).await?.unwrap_or(None).filter(|offer| offer.campaign.release == release);
    offer.ok_or(Failure::NotFound)?;
    send_envelope(&app, release, &headers).await
}

/// An envelope, or the piece of it that was asked for (RFC 9110, section 14).
pub(crate) async fn send_envelope(app: &Shared, release: ReleaseId, headers: &HeaderMap) -> Answer<Response> {
    let record = app.store.release(&release).await?.ok_or(Failure::NotFound)?;
    let size = record.size;
    let etag = format!("\"{}\"", hex(&record.object));
    let same = headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).filter(|_| same);
    let (status, first, end) = match range.and_then(|range| read_range(range, size)) {
        None => (StatusCode::OK, 0, size),
        Some(Some((first, end))) => (StatusCode::PARTIAL_CONTENT, first, end),
        Some(None) => return Err(Failure::Range(size).into()),
    };
    let pieces = stream::try_unfold((app.clone(), first), move |(app, at)| async move {
        if at >= end {
            return Ok(None);
        }
        let piece = app.store.envelope_piece(&release, at, PIECE.min(end - at)).await?;
        let next = at + piece.len() as u64;
        if piece.is_empty() {
            Err(store::Error::Absent("envelope"))
        } else {
            Ok(Some((Bytes::from(piece), (app, next))))
        }
    });
    let mut response = (status, Body::from_stream(pieces)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(api::SUIT_ENVELOPE));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - first));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let range = HeaderValue::try_from(format!("bytes {first}-{}/{size}", end - 1));
        headers.insert(header::CONTENT_RANGE, range.map_err(|error| Failure::Fault(error.to_string()))?);
    }
    Ok(response)
}

/// One range as first byte and end: `None` when there is none to heed, `Some(None)` when it lies outside.
fn read_range(text: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.trim(), last.trim()) {
        ("", suffix) => {
            let length: u64 = suffix.parse().ok()?;
            (size.saturating_sub(length), if length == 0 { 0 } else { size })
        }
        (first, "") => (first.parse().ok()?, size),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    Some(Some(range).filter(|(first, end)| first < end))
}

async fn device(app: &App, who: &Principal) -> Result<Device, Failure> {
    let Scope::Device(id) = &who.scope else { return Err(Failure::Forbidden) };
    let id: &DeviceId = id;
    app.store.device(id).await?.ok_or(Failure::NotFound)
}

/// A SHA-256 in hexadecimal digits.
fn digest(text: &str) -> Result<[u8; 32], Failure> {
    let id: ReleaseId = text.parse().map_err(|_| Failure::Malformed("not a SHA-256".to_owned()))?;
    let bytes = id.as_bytes().try_into();
    bytes.map_err(|_| Failure::Malformed("not a SHA-256".to_owned()))
}

fn action_id(text: &str) -> Result<ActionId, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

/// Where the client reached this server, for the absolute links that clients of this API expect.
fn origin(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.map(|host| format!("https://{host}")).unwrap_or_default()
}

fn sleep(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_range_and_passes_over_what_is_none() {
        for (text, wanted) in [
            ("bytes=0-0", Some(Some((0, 1)))),
            ("bytes=5-", Some(Some((5, 10)))),
            ("bytes=5-99", Some(Some((5, 10)))),
            ("bytes=-3", Some(Some((7, 10)))),
            ("bytes=-99", Some(Some((0, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=3-2", None),
            ("bytes=0-1,4-5", None),
            ("items=0-1", None),
            ("bytes=18446744073709551616-", None),
        ] {
            assert_eq!(read_range(text, 10), wanted, "{text}");
        }
    }

    #[test]
    fn sleep_is_written_in_hours_minutes_and_seconds() {
        assert_eq!((sleep(30).as_str(), sleep(3725).as_str()), ("00:00:30", "01:02:05"));
    }
}
