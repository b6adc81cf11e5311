//! Alarms of gateways.

use std::collections::HashMap;

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post},
};

use crate::{
    app::credentials::Principal,
    http::{Shared, answer::Answer},
};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/alarms", get(alarms))
        .route("/api/v1/alarms/{id}/acknowledge", post(acknowledge))
}

/// Those that nobody acknowledged; with `all=true` every one.
async fn alarms(
    State(app): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer<Json<Vec<api::Alarm>>> {
    let all = query.get("all").is_some_and(|all| all == "true");
    Ok(Json(app.alarms(all).await?))
}

async fn acknowledge(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(id): Path<i64>,
) -> Answer<StatusCode> {
    app.acknowledge(id, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}
