//! Authorities, overrides, decisions, the audit chain and credentials.

use std::collections::HashMap;

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use store::DecisionId;

use crate::{
    app::{Failure, credentials::Principal, releases::hex},
    http::{Shared, answer::Answer, request},
};

/// Longest authority list in bytes.
const MAX_AUTHORITIES: usize = 256 << 10;
/// Longest other body in bytes.
const MAX_SMALL: usize = 64 << 10;
/// Audit records in one answer.
const MAX_RECORDS: u32 = 10_000;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/authorities", get(authorities).put(put_authorities))
        .route("/api/v1/authorities/updates", post(add_authority_update))
        .route("/api/v1/overrides", get(overrides).post(add_override))
        .route("/api/v1/decisions/{id}", get(decision))
        .route("/api/v1/audit", get(audit))
        .route("/api/v1/audit/verify", get(verify_audit))
        .route("/api/v1/tokens", post(new_token))
}

async fn authorities(State(app): State<Shared>) -> Answer<Json<api::AuthoritiesVersion>> {
    Ok(Json(app.authorities_view().await?))
}

async fn put_authorities(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<StatusCode> {
    let bytes = request::body(&app, request, &[api::AUTHORITIES], MAX_AUTHORITIES).await?;
    app.put_authorities(bytes, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_authority_update(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::AuthorityUpdate>)> {
    let bytes = request::body(&app, request, &[api::COSE], MAX_AUTHORITIES).await?;
    Ok((StatusCode::CREATED, Json(app.add_authority_update(bytes, &who.label).await?)))
}

async fn overrides(State(app): State<Shared>) -> Answer<Json<Vec<api::Override>>> {
    Ok(Json(app.overrides().await?))
}

async fn add_override(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<serde_json::Value>)> {
    let bytes = request::body(&app, request, &[api::COSE], MAX_SMALL).await?;
    let digest = app.add_override(bytes, &who.label).await?;
    Ok((StatusCode::CREATED, Json(serde_json::json!({ "digest": digest }))))
}

async fn decision(State(app): State<Shared>, Path(id): Path<String>) -> Answer<Json<api::DecisionBundle>> {
    let id: DecisionId = id.parse().map_err(|_| Failure::NotFound)?;
    Ok(Json(app.decision_bundle(id).await?))
}

/// The chain in lines of JSON, oldest first.
async fn audit(State(app): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Answer<Response> {
    let after = query.get("after").map_or(Ok(0), |after| after.parse::<i64>());
    let after = after.map_err(|_| Failure::Malformed("`after` is a number".to_owned()))?;
    let limit =
        query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(MAX_RECORDS).min(MAX_RECORDS);
    let mut lines = Vec::new();
    for record in app.store.audit_after(after, limit).await? {
        let line =
            api::AuditLine { sequence: record.sequence, record: record.record, hash: hex(&record.hash) };
        serde_json::to_writer(&mut lines, &line).map_err(|error| Failure::Fault(error.to_string()))?;
        lines.push(b'\n');
    }
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], lines).into_response())
}

async fn verify_audit(State(app): State<Shared>) -> Answer<Json<serde_json::Value>> {
    Ok(Json(match app.store.verify_audit().await? {
        Ok(head) => {
            serde_json::json!({ "unbroken": true, "sequence": head.sequence, "hash": hex(&head.hash) })
        }
        Err(broken) => {
            serde_json::json!({ "unbroken": false, "sequence": broken.sequence, "what": broken.what })
        }
    }))
}

async fn new_token(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Token>)> {
    let new: api::NewToken = request::json(&app, request, MAX_SMALL).await?;
    Ok((StatusCode::CREATED, Json(app.new_token(new, &who).await?)))
}
