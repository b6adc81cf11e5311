//! Onboarding: the messages of devices and owners (`/fdo/101/msg/N`), and what people do about it.

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use fdo::{ErrorCode, ErrorMessage, Guid, MAX_MESSAGE_LEN, Message, MessageType};
use serde::Deserialize;

use crate::{
    app::{
        Failure,
        credentials::Principal,
        onboarding::{Answered, Unanswered, buyer},
    },
    http::{
        Shared,
        answer::{Answer, Problem},
        request,
    },
};

/// Vouchers of one import, in bytes.
const MAX_IMPORT: usize = 32 << 20;
/// A public key, in bytes.
const MAX_KEY: usize = 16 * 1024;
/// A template, in bytes.
const MAX_TEMPLATE: usize = 512 * 1024;
/// Rows in one answer, and the most of them.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 1000;
/// Media types of public keys: PEM, and COSE_Key.
const KEYS: &[&str] = &["application/x-pem-file", "application/cose-key"];

/// What devices and owners say. Which roles answer is the application's to know.
pub(crate) fn messages() -> Router<Shared> {
    Router::new().route("/fdo/101/msg/{number}", post(message))
}

/// What people do.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/onboarding/keys", get(keys))
        .route("/api/v1/onboarding/devices", get(list))
        .route("/api/v1/onboarding/devices/{guid}", get(show).put(plan))
        .route("/api/v1/onboarding/devices/{guid}/retry", post(retry))
        .route("/api/v1/onboarding/devices/{guid}/sell", post(sell_owned))
        .route("/api/v1/onboarding/vouchers", post(import))
        .route("/api/v1/onboarding/templates", get(templates))
        .route("/api/v1/onboarding/templates/{name}", put(set_template).delete(remove_template))
        .route("/api/v1/onboarding/made", get(made))
        .route("/api/v1/onboarding/made/{guid}", get(made_one))
        .route("/api/v1/onboarding/made/{guid}/voucher", get(made_voucher))
        .route("/api/v1/onboarding/made/{guid}/sell", post(sell_made))
        .route("/api/v1/onboarding/redirects", get(redirects))
        .route("/api/v1/onboarding/redirects/{guid}", axum::routing::delete(remove_redirect))
}

async fn message(State(app): State<Shared>, Path(number): Path<u8>, request: Request) -> Response {
    let Some(message_type) = MessageType::from_number(number) else {
        return refused(number, None, Unanswered::NotFound);
    };
    let from = request::peer(&request);
    let token = bearer(request.headers());
    let body = match request::body(&app, request, &["application/cbor"], MAX_MESSAGE_LEN).await {
        Ok(body) => body,
        Err(failure @ (Failure::UnsupportedMedia(_) | Failure::TooLarge | Failure::TooSlow)) => {
            return Problem(failure).into_response();
        }
        Err(failure) => return refused(number, None, failure.into()),
    };
    if message_type == MessageType::Error {
        return match app.onboarding_error(&body, token.as_deref()).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(failure) => Problem(failure).into_response(),
        };
    }
    match app.onboarding_message(Message { message_type, body }, token.as_deref(), from).await {
        // Some clients want a token in every answer of a session, and in the last one that which they brought.
        Ok(Answered { message, token: next }) => answer(StatusCode::OK, message, next.or(token)),
        Err(unanswered) => refused(number, Some(message_type), unanswered),
    }
}

/// The token of a session, which is not one of ours where it is of another scheme.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

fn answer(status: StatusCode, message: Message, token: Option<String>) -> Response {
    let mut response = (status, Body::from(message.body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/cbor"));
    headers.insert("message-type", HeaderValue::from(u16::from(message.message_type.number())));
    // Some clients read no error without the header.
    let token = HeaderValue::try_from(format!("Bearer {}", token.unwrap_or_default()));
    if let Ok(mut token) = token {
        token.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, token);
    }
    response
}

/// What is told where a message is not answered as it wants. The status is the one that every client reads the body of.
fn refused(previous: u8, message_type: Option<MessageType>, unanswered: Unanswered) -> Response {
    let told = |code: ErrorCode, text: &str| ErrorMessage {
        code: code.number(),
        previous,
        text: text.to_owned(),
        at: None,
        correlation: None,
    };
    let error = match (&unanswered, message_type) {
        (Unanswered::Refused(refusal), Some(message_type)) => {
            tracing::info!(message = %message_type, code = refusal.code(), %refusal, "an onboarding message is refused");
            match refusal.message(message_type) {
                Some(error) => error,
                None => told(ErrorCode::InternalServer, "error"),
            }
        }
        (Unanswered::NotAttested(_), _) => told(ErrorCode::InvalidMessage, "attestation-refused"),
        (Unanswered::Device(_), _) => told(ErrorCode::InvalidMessage, "device-refused"),
        (Unanswered::NotFound, _) => told(ErrorCode::NotFound, "not-found"),
        (Unanswered::NoSession, _) => told(ErrorCode::InvalidToken, "session-unknown"),
        (Unanswered::TooMany, _) => told(ErrorCode::InternalServer, "too-many"),
        (Unanswered::Failed(failure), _) => {
            tracing::error!(?failure, "an onboarding message is not answered");
            told(ErrorCode::InternalServer, "internal-error")
        }
        (Unanswered::Refused(_), None) => told(ErrorCode::MessageBody, "malformed-message"),
    };
    let message = Message { message_type: MessageType::Error, body: error.encode() };
    answer(StatusCode::INTERNAL_SERVER_ERROR, message, None)
}

#[derive(Deserialize)]
struct ListQuery {
    state: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

impl ListQuery {
    fn read(&self) -> Result<(Option<Guid>, u32), Failure> {
        let after = self.after.as_deref().map(parse).transpose()?;
        Ok((after, self.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE)))
    }
}

#[derive(Deserialize)]
struct ImportQuery {
    #[serde(default)]
    group: String,
}

async fn keys(State(app): State<Shared>) -> Json<api::OnboardingKeys> {
    Json(app.onboarding_keys_view())
}

async fn list(
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Vec<api::Onboarding>>> {
    let (after, limit) = query.read()?;
    Ok(Json(app.onboarding_views(query.state.as_deref(), after, limit).await?))
}

async fn show(State(app): State<Shared>, Path(guid): Path<String>) -> Answer<Json<api::Onboarding>> {
    Ok(Json(app.onboarding_view(parse(&guid)?).await?))
}

async fn plan(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(guid): Path<String>,
    request: Request,
) -> Answer<Json<api::Onboarding>> {
    let guid = parse(&guid)?;
    let plan = request::json(&app, request, MAX_KEY).await?;
    app.plan_onboarding(guid, plan, &who.label).await?;
    Ok(Json(app.onboarding_view(guid).await?))
}

async fn retry(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(guid): Path<String>,
) -> Answer<StatusCode> {
    app.retry_onboarding(parse(&guid)?, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sell_owned(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(guid): Path<String>,
    request: Request,
) -> Answer<Response> {
    let guid = parse(&guid)?;
    let key = buyer(&request::body(&app, request, KEYS, MAX_KEY).await?)?;
    Ok(voucher(app.sell_owned(guid, &key, &who.label).await?))
}

async fn import(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Answer<Json<Vec<api::VoucherImport>>> {
    let media: &[&str] = &[api::VOUCHER, "application/x-pem-file"];
    let file = request::body(&app, request, media, MAX_IMPORT).await?;
    Ok(Json(app.import_vouchers(&file, &query.group, &who.label).await?))
}

async fn templates(
    State(app): State<Shared>,
) -> Json<std::collections::BTreeMap<String, api::OnboardingTemplate>> {
    let templates = app.onboarding_templates();
    Json(templates.iter().map(|(name, template)| (name.clone(), template.without_secrets())).collect())
}

async fn set_template(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    request: Request,
) -> Answer<StatusCode> {
    let template = request::json(&app, request, MAX_TEMPLATE).await?;
    app.set_onboarding_template(&name, Some(template), &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_template(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    app.set_onboarding_template(&name, None, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn made(
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Vec<api::MadeDevice>>> {
    let (after, limit) = query.read()?;
    Ok(Json(app.made_views(after, limit).await?))
}

async fn made_one(State(app): State<Shared>, Path(guid): Path<String>) -> Answer<Json<api::MadeDevice>> {
    Ok(Json(app.made_view(parse(&guid)?).await?))
}

async fn made_voucher(State(app): State<Shared>, Path(guid): Path<String>) -> Answer<Response> {
    Ok(voucher(app.made_voucher(parse(&guid)?).await?))
}

async fn sell_made(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(guid): Path<String>,
    request: Request,
) -> Answer<Response> {
    let guid = parse(&guid)?;
    let key = buyer(&request::body(&app, request, KEYS, MAX_KEY).await?)?;
    Ok(voucher(app.sell_made(guid, &key, &who.label).await?))
}

async fn redirects(
    State(app): State<Shared>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Vec<api::Redirect>>> {
    let (after, limit) = query.read()?;
    Ok(Json(app.redirect_views(after, limit).await?))
}

async fn remove_redirect(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(guid): Path<String>,
) -> Answer<StatusCode> {
    app.remove_redirect(parse(&guid)?, &who.label).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn voucher(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, api::VOUCHER)], bytes).into_response()
}

/// A GUID; what is none names nothing.
fn parse(guid: &str) -> Result<Guid, Failure> {
    guid.parse().map_err(|_| Failure::NotFound)
}
