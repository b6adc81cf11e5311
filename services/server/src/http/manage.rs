//! Devices, releases, campaigns and gateways.

use std::{collections::HashMap, time::Duration};

use api::{NetworkDevice, NetworkModel, OfGateway, Page};
use axum::{
    Extension, Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use store::{CampaignId, MAX_REPORTS, ReleaseId, ReportId};
use trust::Restriction;

use crate::{
    app::{Failure, campaigns::Verb, credentials::Principal, devices::MAX_PAGE, enrolment::read_csv, holds},
    http::{Shared, answer::Answer, request, update::send_envelope},
};

/// Longest list of devices in bytes.
const MAX_LIST: usize = 16 << 20;
/// Longest envelope in bytes.
const MAX_ENVELOPE: usize = 64 << 20;
/// Longest report of a gateway in bytes.
const MAX_REPORT: usize = 16 << 20;
/// Longest other body in bytes.
const MAX_SMALL: usize = 64 << 10;
/// How long a gateway waits for news when it does not say.
const DEFAULT_WAIT: u64 = 25;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/devices", get(list_devices).post(enrol))
        .route("/api/v1/devices/{id}", get(device).delete(retire))
        .route("/api/v1/devices/{id}/flows", get(device_flows))
        .route("/api/v1/devices/{id}/hold", post(hold))
        .route("/api/v1/devices/{id}/release", post(unhold))
        .route("/api/v1/devices/{id}/quarantine", post(quarantine).delete(end_quarantine))
        .route("/api/v1/devices/{id}/reports", get(device_reports))
        .route("/api/v1/devices/{id}/reports/{report}", get(device_report))
        .route("/api/v1/devices/{id}/reports/{report}/object", get(report_object))
        .route("/api/v1/releases", get(releases).post(accept))
        .route("/api/v1/releases/{digest}", get(release))
        .route("/api/v1/releases/{digest}/envelope", get(envelope))
        .route("/api/v1/releases/{digest}/flows", get(release_flows))
        .route("/api/v1/releases/{digest}/maker-report", get(maker_report))
        .route("/api/v1/releases/{digest}/reports", get(release_reports))
        .route("/api/v1/releases/{digest}/revoke", post(revoke))
        .route("/api/v1/campaigns", get(campaigns).post(create_campaign))
        .route("/api/v1/campaigns/{id}", get(campaign))
        .route("/api/v1/campaigns/{id}/{verb}", post(steer))
        .route("/api/v1/gateways", get(gateways))
        .route("/api/v1/network/models", get(network_models))
        .route("/api/v1/network/devices", get(network_devices))
        .route("/api/v1/network/check", post(check_mud))
        .route("/api/v1/gateway/state", get(gateway_state))
        .route("/api/v1/gateway/report", post(gateway_report))
}

async fn list_devices(
    State(app): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Json<Page<api::Device>>> {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let filter = query.get("q").map_or("", String::as_str);
    let devices = app.list_devices(filter, query.get("after").map(String::as_str), limit).await?;
    let next = devices.last().filter(|_| devices.len() == limit as usize).map(|device| device.id.to_string());
    let book = app.book();
    Ok(Json(Page { items: devices.iter().map(|device| app.device_view(device, &book)).collect(), next }))
}

async fn enrol(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Enrolled>)> {
    let rows = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"text/csv"));
    let bytes = request::body(&app, request, &["application/json", api::CSV], MAX_LIST).await?;
    let list = if rows {
        let text = str::from_utf8(&bytes).map_err(|error| Failure::Malformed(error.to_string()))?;
        read_csv(text)?
    } else {
        serde_json::from_slice(&bytes).map_err(|error| Failure::Malformed(error.to_string()))?
    };
    let devices = app.enrol(list, &who.label).await?;
    let devices = devices.iter().map(ToString::to_string).collect();
    Ok((StatusCode::CREATED, Json(api::Enrolled { devices })))
}

async fn device(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Response> {
    let device = app.find_device(&id).await?;
    let detail = app.device_detail(&device).await?;
    let Some(question) = query.get("q") else { return Ok(Json(detail).into_response()) };
    let answer = detail.answers.into_iter().find(|answer| answer.question.to_string() == *question);
    let answer = answer.ok_or_else(|| Failure::Malformed("`q` is 1 to 6".to_owned()))?;
    Ok(Json(answer).into_response())
}

async fn device_flows(State(app): State<Shared>, Path(id): Path<String>) -> Answer<Json<api::DeviceFlows>> {
    Ok(Json(app.device_flows(&id).await?))
}

async fn device_reports(State(app): State<Shared>, Path(id): Path<String>) -> Answer<Json<Vec<api::Report>>> {
    let device = app.find_device(&id).await?;
    // Beside the newest there is the one that says what the device can process, which may be older.
    Ok(Json(app.reports(&device, MAX_REPORTS + 1).await?))
}

async fn device_report(
    State(app): State<Shared>,
    Path((id, report)): Path<(String, String)>,
) -> Answer<Json<api::Report>> {
    let device = app.find_device(&id).await?;
    Ok(Json(app.report(&device, report_id(&report)?).await?.0))
}

/// The report as received.
async fn report_object(
    State(app): State<Shared>,
    Path((id, report)): Path<(String, String)>,
) -> Answer<Response> {
    let device = app.find_device(&id).await?;
    let (_, bytes) = app.report(&device, report_id(&report)?).await?;
    Ok(([(header::CONTENT_TYPE, api::SUIT_REPORT)], bytes).into_response())
}

async fn release_reports(
    State(app): State<Shared>,
    Path(digest): Path<String>,
) -> Answer<Json<api::ReleaseReports>> {
    Ok(Json(app.release_reports(&release_id(&digest)?).await?))
}

async fn retire(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let device = app.find_device(&id).await?;
    app.retire(&device.id, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn hold(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<StatusCode> {
    let device = app.find_device(&id).await?;
    let hold = request::json(&app, request, MAX_SMALL).await?;
    app.hold(&device.id, Restriction::Blocked, hold, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unhold(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let device = app.find_device(&id).await?;
    app.end_hold(&device.id, holds::BLOCKS, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn quarantine(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<StatusCode> {
    let device = app.find_device(&id).await?;
    let hold = request::json(&app, request, MAX_SMALL).await?;
    app.hold(&device.id, Restriction::UpdateOnly, hold, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end_quarantine(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    let device = app.find_device(&id).await?;
    app.end_hold(&device.id, holds::QUARANTINES, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn releases(State(app): State<Shared>) -> Answer<Json<Vec<api::Release>>> {
    let book = app.book();
    let mut releases = Vec::new();
    for entry in book.iter() {
        releases.push(app.release_view(entry).await?);
    }
    Ok(Json(releases))
}

async fn accept(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Accepted>)> {
    let envelope = request::body(&app, request, &[api::SUIT_ENVELOPE], MAX_ENVELOPE).await?;
    let id = app.accept_release(envelope, &who.label).await?;
    Ok((StatusCode::CREATED, Json(api::Accepted { manifest_digest: id.to_string() })))
}

async fn release(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Json<api::Release>> {
    let book = app.book();
    let entry = book.get(&release_id(&digest)?).ok_or(Failure::NotFound)?;
    Ok(Json(app.release_view(entry).await?))
}

async fn maker_report(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Response> {
    let report = app.maker_report(&release_id(&digest)?).await?;
    Ok(([(header::CONTENT_TYPE, "application/yang-data+json")], report).into_response())
}

async fn release_flows(
    State(app): State<Shared>,
    Path(digest): Path<String>,
) -> Answer<Json<api::ReleaseFlows>> {
    Ok(Json(app.release_flows(&release_id(&digest)?).await?))
}

async fn envelope(
    State(app): State<Shared>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    send_envelope(&app, release_id(&digest)?, &headers).await
}

async fn revoke(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(digest): Path<String>,
    request: Request,
) -> Answer<StatusCode> {
    let revoke: api::Revoke = request::json(&app, request, MAX_SMALL).await?;
    app.revoke_release(&release_id(&digest)?, &revoke.reason, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn campaigns(State(app): State<Shared>) -> Answer<Json<Vec<api::Campaign>>> {
    let mut campaigns = Vec::new();
    for campaign in app.store.campaigns().await? {
        campaigns.push(app.campaign_view(campaign).await?);
    }
    Ok(Json(campaigns))
}

async fn create_campaign(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Campaign>)> {
    let new = request::json(&app, request, MAX_SMALL).await?;
    let id = app.create_campaign(new, &who.label).await?;
    let campaign = app.store.campaign(id).await?.ok_or(Failure::NotFound)?;
    Ok((StatusCode::CREATED, Json(app.campaign_view(campaign).await?)))
}

async fn campaign(State(app): State<Shared>, Path(id): Path<String>) -> Answer<Json<api::Campaign>> {
    let campaign = app.store.campaign(campaign_id(&id)?).await?.ok_or(Failure::NotFound)?;
    Ok(Json(app.campaign_view(campaign).await?))
}

async fn steer(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path((id, verb)): Path<(String, String)>,
) -> Answer<StatusCode> {
    let verb = match verb.as_str() {
        "start" => Verb::Start,
        "pause" => Verb::Pause,
        "resume" => Verb::Resume,
        "abort" => Verb::Abort,
        _ => return Err(Failure::NotFound.into()),
    };
    app.steer_campaign(campaign_id(&id)?, verb, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn gateways(State(app): State<Shared>) -> Answer<Json<Vec<api::Gateway>>> {
    Ok(Json(app.gateways().await?))
}

async fn network_models(State(app): State<Shared>) -> Answer<Json<Vec<OfGateway<NetworkModel>>>> {
    Ok(Json(app.network_models().await?))
}

async fn network_devices(State(app): State<Shared>) -> Answer<Json<Vec<OfGateway<NetworkDevice>>>> {
    Ok(Json(app.network_devices().await?))
}

async fn check_mud(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<StatusCode> {
    let check: api::CheckMud = request::json(&app, request, MAX_SMALL).await?;
    app.check_mud(&check.url, &who.label).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn gateway_state(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Response> {
    let number = |name: &str| query.get(name).map(|text| text.parse::<u64>()).transpose();
    let numbers = number("since").and_then(|since| Ok((since, number("wait")?)));
    let (since, wait) =
        numbers.map_err(|_| Failure::Malformed("`since` and `wait` are numbers".to_owned()))?;
    // A gateway that knows nothing gets what there is, at once.
    let (since, wait) = match since {
        Some(since) => (since, wait.unwrap_or(DEFAULT_WAIT)),
        None => (0, 0),
    };
    let body = app.gateway_state(&who.label, since, Duration::from_secs(wait)).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body.as_ref().clone()).into_response())
}

async fn gateway_report(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<StatusCode> {
    let report: api::GatewayReport = request::json(&app, request, MAX_REPORT).await?;
    // A gateway is who its credential says, whatever it calls itself.
    app.gateway_report(&who.label, report).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn release_id(text: &str) -> Result<ReleaseId, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

fn report_id(text: &str) -> Result<ReportId, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}

fn campaign_id(text: &str) -> Result<CampaignId, Failure> {
    text.parse().map_err(|_| Failure::NotFound)
}
