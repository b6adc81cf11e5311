//! Manifests of reference values and endorsements: provisioning as Veraison's clients speak it, and their management.

use std::collections::HashMap;

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use store::EndorsementId;

use crate::{
    app::{Failure, credentials::Principal, devices::MAX_PAGE},
    http::{
        Shared,
        answer::{Answer, retype},
        request,
    },
};

const SUBMIT: &str = "/endorsement-provisioning/v1/submit";
/// Media types of a manifest: the registered ones, and those that tools of before use.
const MANIFESTS: &[&str] = &[
    "application/rim+cbor",
    "application/rim+cose",
    "application/corim-unsigned+cbor",
    "application/corim-signed+cose",
];

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/.well-known/veraison/provisioning", get(discover))
        .route(SUBMIT, post(submit))
        .route("/api/v1/endorsements", get(list).post(add))
        .route("/api/v1/endorsements/{digest}", get(show))
        .route("/api/v1/endorsements/{digest}/object", get(object))
        .route("/api/v1/endorsements/{digest}/revoke", post(revoke))
        .route("/api/v1/results/foreign", get(results))
        .route("/api/v1/results/foreign/{session}", get(result))
}

async fn discover() -> Response {
    let discovery = api::ProvisioningDiscovery {
        media_types: MANIFESTS.iter().map(|media| (*media).to_owned()).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        service_state: "READY".to_owned(),
        api_endpoints: api::ProvisioningEndpoints { provisioning_submit: SUBMIT.to_owned() },
    };
    retype(([(header::CACHE_CONTROL, "max-age=60")], Json(discovery)).into_response(), api::DISCOVERY)
}

/// Veraison's clients read the outcome from the body: a manifest that is refused is a session that failed.
async fn submit(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<Response> {
    let bytes = request::body(&app, request, MANIFESTS, corim::MAX_CORIM_LEN).await?;
    let failure_reason = match app.add_endorsement(bytes, &who.label).await {
        // What is there already is there: a client that did not hear the answer may ask again.
        Ok(_) | Err(Failure::Conflict(_)) => None,
        Err(Failure::Refused(reason)) => Some(reason.to_string()),
        Err(other) => return Err(other.into()),
    };
    let status = if failure_reason.is_none() { "success" } else { "failed" };
    let session = api::ProvisioningSession {
        status: status.to_owned(),
        expiry: crate::app::rfc3339(app.now()),
        failure_reason,
    };
    Ok(retype(Json(session).into_response(), api::PROVISIONING_SESSION))
}

async fn add(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Endorsement>)> {
    let bytes = request::body(&app, request, MANIFESTS, corim::MAX_CORIM_LEN).await?;
    Ok((StatusCode::CREATED, Json(app.add_endorsement(bytes, &who.label).await?)))
}

async fn list(State(app): State<Shared>) -> Answer<Json<Vec<api::Endorsement>>> {
    Ok(Json(app.endorsement_views().await?))
}

async fn show(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Json<api::Endorsement>> {
    Ok(Json(app.endorsement_view(parse(&digest)?).await?))
}

/// The manifest as received.
async fn object(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Response> {
    let record = app.endorsement(parse(&digest)?).await?;
    Ok(([(header::CONTENT_TYPE, "application/rim+cbor")], record.bytes).into_response())
}

async fn revoke(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(digest): Path<String>,
) -> Answer<StatusCode> {
    app.revoke_endorsement(parse(&digest)?, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Results about devices that are not enrolled.
async fn results(
    State(app): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Json<api::Page<api::ForeignResult>>> {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(MAX_PAGE).min(MAX_PAGE);
    Ok(Json(app.foreign_views(query.get("after").map(String::as_str), limit).await?))
}

/// One of them, with all of its parts.
async fn result(State(app): State<Shared>, Path(session): Path<String>) -> Answer<Json<api::ForeignDetail>> {
    Ok(Json(app.foreign_detail(session.parse().map_err(|_| Failure::NotFound)?).await?))
}

/// An id; what is none names nothing.
fn parse(digest: &str) -> Result<EndorsementId, Failure> {
    digest.parse().map_err(|_| Failure::NotFound)
}
