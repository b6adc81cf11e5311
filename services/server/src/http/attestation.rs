//! Challenge and response, as Veraison's clients speak it.

use std::collections::HashMap;

use api::{Base64Url, Discovery, Endpoints, Session};
use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cose::Key;
use store::SessionId;

use crate::{
    app::{
        App, Failure,
        attestation::{ACCEPTED, DEFAULT_NONCE, accepted},
        challenge::{MAX_NONCE, MIN_NONCE},
        enrolment::to_jwk,
    },
    http::{
        Shared,
        answer::{Answer, Problem, retype},
        request,
    },
};

const NEW_SESSION: &str = "/challenge-response/v1/newSession";

/// Longest evidence of others in bytes, its wrapper included.
const MAX_FOREIGN: usize = 128 << 10;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/.well-known/veraison/verification", get(discover))
        .route(NEW_SESSION, post(new_session))
        .route("/challenge-response/v1/epoch", get(epoch).post(submit_in_epoch))
        .route("/challenge-response/v1/session/{id}", post(submit).get(show).delete(end))
}

async fn discover(State(app): State<Shared>) -> Answer<Response> {
    let key = Key::decode(&app.result_key.public).map_err(|error| Failure::Fault(error.to_string()))?;
    let discovery = Discovery {
        ear_verification_key: to_jwk(key.public(), &app.result_key.kid),
        media_types: accepted(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        service_state: "READY".to_owned(),
        api_endpoints: Endpoints { new_challenge_response_session: NEW_SESSION.to_owned() },
    };
    let response = ([(header::CACHE_CONTROL, "max-age=60")], Json(discovery)).into_response();
    Ok(retype(response, api::DISCOVERY))
}

async fn new_session(
    State(app): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer<Response> {
    acceptable(&headers)?;
    let (id, session) = match (query.get("nonceSize"), query.get("nonce")) {
        (Some(_), Some(_)) => {
            return Err(Failure::Malformed("`nonce` and `nonceSize` exclude each other".to_owned()).into());
        }
        (None, Some(nonce)) => {
            let nonce = Base64Url::decode(nonce)
                .filter(|nonce| (usize::from(MIN_NONCE)..=usize::from(MAX_NONCE)).contains(&nonce.len()));
            let nonce = nonce
                .ok_or_else(|| Failure::Malformed("`nonce` is not 8 to 64 bytes in base64url".to_owned()))?;
            app.new_foreign_session(nonce).await?
        }
        (Some(size), None) => {
            let size = size.parse::<u8>().ok().filter(|size| (MIN_NONCE..=MAX_NONCE).contains(size));
            let size = size.ok_or_else(|| Failure::Malformed("`nonceSize` is not 8 to 64".to_owned()))?;
            app.new_session(size)
        }
        (None, None) => app.new_session(DEFAULT_NONCE),
    };
    let mut response = answer(StatusCode::CREATED, &session);
    let location = HeaderValue::try_from(format!("/challenge-response/v1/session/{id}"));
    response
        .headers_mut()
        .insert(header::LOCATION, location.map_err(|error| Failure::Fault(error.to_string()))?);
    Ok(response)
}

async fn submit(State(app): State<Shared>, Path(id): Path<String>, request: Request) -> Answer<Response> {
    acceptable(request.headers())?;
    let id = session_id(&id)?;
    let from = request::peer(&request);
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let given = given.unwrap_or_default().to_owned();
    let session = if request::same_media(api::EVIDENCE, &given) {
        let evidence = request::read(&app, request, eat::MAX_EVIDENCE_LEN).await?;
        app.attest(id, evidence, from).await?
    } else if ACCEPTED.iter().any(|wanted| request::same_media(wanted, &given)) {
        let evidence = request::read(&app, request, MAX_FOREIGN).await?;
        app.attest_foreign(id, evidence, &given, from).await?
    } else {
        return Err(Failure::UnsupportedMedia(&ACCEPTED).into());
    };
    Ok(answer(StatusCode::OK, &session))
}

/// The handle that evidence without a session may answer now. Nobody is to keep it longer than it is the present one.
async fn epoch(State(app): State<Shared>) -> Answer<Response> {
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(app.epoch())).into_response())
}

async fn submit_in_epoch(State(app): State<Shared>, request: Request) -> Answer<Response> {
    acceptable(request.headers())?;
    let from = request::peer(&request);
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let given = given.unwrap_or_default().to_owned();
    let session = if request::same_media(api::EVIDENCE, &given) {
        let evidence = request::read(&app, request, eat::MAX_EVIDENCE_LEN).await?;
        app.attest_in_epoch(evidence, from).await?
    } else if ACCEPTED.iter().any(|wanted| request::same_media(wanted, &given)) {
        let evidence = request::read(&app, request, MAX_FOREIGN).await?;
        app.attest_foreign_in_epoch(evidence, &given, from).await?
    } else {
        return Err(Failure::UnsupportedMedia(&ACCEPTED).into());
    };
    Ok(answer(StatusCode::OK, &session))
}

async fn show(State(app): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Answer<Response> {
    acceptable(&headers)?;
    let session = App::session(&app, session_id(&id)?).await?;
    Ok(answer(StatusCode::OK, &session))
}

async fn end(State(app): State<Shared>, Path(id): Path<String>) -> Answer<StatusCode> {
    app.end_session(session_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn session_id(text: &str) -> Result<SessionId, Problem> {
    text.parse().map_err(|_| Failure::Malformed("the session id is no UUID".to_owned()).into())
}

/// The one media type of sessions must be among those the client takes.
fn acceptable(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(accept) = headers.get(header::ACCEPT) else { return Ok(()) };
    let accept = accept.to_str().unwrap_or_default();
    let fits = accept.split(',').filter_map(|range| range.split(';').next()).any(|range| {
        let range = range.trim();
        range.eq_ignore_ascii_case(api::CHALLENGE_SESSION)
            || range == "*/*"
            || range.eq_ignore_ascii_case("application/*")
    });
    if fits { Ok(()) } else { Err(Failure::NotAcceptable.into()) }
}

fn answer(status: StatusCode, session: &Session) -> Response {
    retype((status, Json(session)).into_response(), api::CHALLENGE_SESSION)
}
