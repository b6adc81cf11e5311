//! Security advisories, and questions about the components that devices attest.

use std::collections::HashMap;

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use coswid::advisory::MAX_ADVISORY_LEN;
use store::AdvisoryId;

use crate::{
    app::{Failure, credentials::Principal},
    http::{Shared, answer::Answer, request},
};

const JSON: &str = "application/json";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/advisories", get(list).post(add))
        .route("/api/v1/advisories/{digest}", get(show))
        .route("/api/v1/advisories/{digest}/object", get(object))
        .route("/api/v1/advisories/{digest}/withdraw", post(withdraw))
        .route("/api/v1/components", get(components))
}

async fn add(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Advisory>)> {
    let bytes = request::body(&app, request, &[JSON], MAX_ADVISORY_LEN).await?;
    Ok((StatusCode::CREATED, Json(app.add_advisory(bytes, &who.label).await?)))
}

async fn list(State(app): State<Shared>) -> Answer<Json<Vec<api::Advisory>>> {
    Ok(Json(app.advisory_views().await?))
}

async fn show(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Json<api::Advisory>> {
    Ok(Json(app.advisory_view(parse(&digest)?).await?))
}

/// The advisory as received.
async fn object(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Response> {
    let record = app.advisory(parse(&digest)?).await?;
    Ok(([(header::CONTENT_TYPE, JSON)], record.bytes).into_response())
}

async fn withdraw(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(digest): Path<String>,
) -> Answer<StatusCode> {
    app.withdraw_advisory(parse(&digest)?, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Devices that run a component, by a query such as `openssl < 3.0.14`.
async fn components(
    State(app): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Json<api::ComponentMatches>> {
    let text = query.get("query").ok_or_else(|| Failure::Malformed("`query` is not there".to_owned()))?;
    Ok(Json(app.query_components(text).await?))
}

/// An id; what is none names nothing.
fn parse(digest: &str) -> Result<AdvisoryId, Failure> {
    digest.parse().map_err(|_| Failure::NotFound)
}
