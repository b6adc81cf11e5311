//! Signed statements on scans of releases.

use axum::{
    Extension, Json, Router,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use store::ScanId;
use trust::MAX_SCAN_LEN;

use crate::{
    app::{Failure, credentials::Principal},
    http::{Shared, answer::Answer, request},
};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/scans", get(list).post(add))
        .route("/api/v1/scans/{digest}", get(show))
        .route("/api/v1/scans/{digest}/object", get(object))
}

async fn add(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Scan>)> {
    let bytes = request::body(&app, request, &[api::COSE], MAX_SCAN_LEN).await?;
    Ok((StatusCode::CREATED, Json(app.add_scan(bytes, &who.label).await?)))
}

async fn list(State(app): State<Shared>) -> Answer<Json<Vec<api::Scan>>> {
    Ok(Json(app.scan_views().await?))
}

async fn show(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Json<api::Scan>> {
    Ok(Json(app.scan_view(parse(&digest)?).await?))
}

/// The statement as received.
async fn object(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Response> {
    let record = app.scan(parse(&digest)?).await?;
    Ok(([(header::CONTENT_TYPE, api::COSE)], record.bytes).into_response())
}

/// An id; what is none names nothing.
fn parse(digest: &str) -> Result<ScanId, Failure> {
    digest.parse().map_err(|_| Failure::NotFound)
}
