//! Ownership vouchers of devices that are not enrolled here.

use axum::{
    Extension, Json, Router,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use fdo::{Guid, MAX_VOUCHER_LEN};

use crate::{
    app::{Failure, credentials::Principal},
    http::{Shared, answer::Answer, request},
};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/vouchers", get(list).post(add))
        .route("/api/v1/vouchers/{guid}", get(show).delete(remove))
        .route("/api/v1/vouchers/{guid}/object", get(object))
}

async fn add(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Answer<(StatusCode, Json<api::Voucher>)> {
    let bytes = request::body(&app, request, &[api::VOUCHER], MAX_VOUCHER_LEN).await?;
    Ok((StatusCode::CREATED, Json(app.add_voucher(bytes, &who.label).await?)))
}

async fn list(State(app): State<Shared>) -> Answer<Json<Vec<api::Voucher>>> {
    Ok(Json(app.voucher_views().await?))
}

async fn show(State(app): State<Shared>, Path(guid): Path<String>) -> Answer<Json<api::Voucher>> {
    Ok(Json(app.voucher_view(parse(&guid)?).await?))
}

/// The voucher as received.
async fn object(State(app): State<Shared>, Path(guid): Path<String>) -> Answer<Response> {
    let record = app.voucher(parse(&guid)?).await?;
    Ok(([(header::CONTENT_TYPE, api::VOUCHER)], record.bytes).into_response())
}

async fn remove(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(guid): Path<String>,
) -> Answer<StatusCode> {
    app.remove_voucher(parse(&guid)?, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A GUID; what is none names nothing.
fn parse(guid: &str) -> Result<Guid, Failure> {
    guid.parse().map_err(|_| Failure::NotFound)
}
