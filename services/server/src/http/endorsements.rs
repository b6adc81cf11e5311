//! Manifests of reference values and endorsements: provisioning as Veraison's clients speak it, and their management.

use axum::{
    Extension, Json, Router,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{
    app::{Failure, credentials::Principal},
    http::{Shared, answer::Answer, request},
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
}

async fn discover() -> Response {
    let discovery = api::ProvisioningDiscovery {
        media_types: MANIFESTS.iter().map(|media| (*media).to_owned()).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        service_state: "READY".to_owned(),
        api_endpoints: api::ProvisioningEndpoints { provisioning_submit: SUBMIT.to_owned() },
    };
    let headers = [(header::CONTENT_TYPE, api::DISCOVERY), (header::CACHE_CONTROL, "max-age=60")];
    let mut response = (headers, Json(discovery)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(api::DISCOVERY));
    response
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
    let mut response = Json(session).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(api::PROVISIONING_SESSION));
    Ok(response)
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
    let found = app.endorsement_views().await?.into_iter().find(|one| one.digest == digest);
    Ok(Json(found.ok_or(Failure::NotFound)?))
}

/// The manifest as received.
async fn object(State(app): State<Shared>, Path(digest): Path<String>) -> Answer<Response> {
    let record = app.endorsement(&parse(&digest)?).await?;
    Ok(([(header::CONTENT_TYPE, "application/rim+cbor")], record.bytes).into_response())
}

async fn revoke(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(digest): Path<String>,
) -> Answer<StatusCode> {
    app.revoke_endorsement(&parse(&digest)?, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A digest in hexadecimal digits; what is none names nothing.
fn parse(digest: &str) -> Result<Vec<u8>, Failure> {
    let pairs = digest.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().ok_or(Failure::NotFound)
}
