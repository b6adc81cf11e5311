//! Denied digests, rules, and trials of both.

use axum::{
    Extension, Json, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    routing::{delete, get, post},
};
use serde::de::DeserializeOwned;

use crate::{
    app::{Failure, credentials::Principal},
    http::{Shared, answer::Answer, request},
};

/// Longest body in bytes: rules and what stands around them.
const MAX_BODY: usize = 2 * trust::MAX_RULES;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/denied", get(denied).post(deny))
        .route("/api/v1/denied/{digest}", delete(lift))
        .route("/api/v1/rules", get(all_rules).post(add_rules))
        .route("/api/v1/rules/{name}", get(rules).delete(suspend))
        .route("/api/v1/rules/{name}/{version}/activate", post(activate))
        .route("/api/v1/trials", post(try_out))
}

async fn denied(State(app): State<Shared>) -> Answer<Json<Vec<api::Denied>>> {
    Ok(Json(app.denied_views().await?))
}

async fn deny(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<StatusCode> {
    let api::Deny { digest, reason } = read(&app, request).await?;
    app.deny(&digest, &reason, &who.label).await?;
    Ok(StatusCode::CREATED)
}

async fn lift(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(digest): Path<String>,
) -> Answer<StatusCode> {
    app.lift(&digest, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn all_rules(State(app): State<Shared>) -> Answer<Json<Vec<api::Rules>>> {
    Ok(Json(app.rules_views(None).await?))
}

async fn rules(State(app): State<Shared>, Path(name): Path<String>) -> Answer<Json<Vec<api::Rules>>> {
    let versions = app.rules_views(Some(&name)).await?;
    if versions.is_empty() { Err(Failure::NotFound.into()) } else { Ok(Json(versions)) }
}

async fn add_rules(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Rules>)> {
    let new = read(&app, request).await?;
    Ok((StatusCode::CREATED, Json(app.add_rules(new, &who.label).await?)))
}

async fn activate(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path((name, version)): Path<(String, i64)>,
) -> Answer<StatusCode> {
    app.activate_rules(&name, Some(version), &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn suspend(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    app.activate_rules(&name, None, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn try_out(State(app): State<Shared>, request: Request) -> Answer<Json<api::TrialResult>> {
    let trial = read(&app, request).await?;
    Ok(Json(app.try_criteria(trial).await?))
}

async fn read<T: DeserializeOwned>(app: &Shared, request: Request) -> Result<T, Failure> {
    let bytes = request::body(app, request, &["application/json"], MAX_BODY).await?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::Malformed(error.to_string()))
}
