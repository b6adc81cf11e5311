//! Answers: problems in the form of RFC 9457, and the few routes that need no application.

use axum::{
    Json, Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use trust::{Code, Reason};

use crate::{
    app::{Failure, reasons, releases::hex},
    http::Shared,
    keys,
};

/// A failure as a problem document.
pub(crate) struct Problem(pub(crate) Failure);

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        Self(error.into())
    }
}

/// What JSON handlers give.
pub(crate) type Answer<T> = Result<T, Problem>;

/// An answer in JSON that has a media type of its own.
pub(crate) fn retype(mut response: Response, media: &'static str) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, title) = classify(&self.0);
        let request = request_id();
        let mut problem = api::Problem {
            kind: format!("urn:sextant:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: String::new(),
            code: code.to_owned(),
            reason: None,
            help: String::new(),
            instance: format!("urn:sextant:request:{request}"),
        };
        let mut headers = Vec::new();
        match self.0 {
            Failure::Malformed(detail) | Failure::Conflict(detail) => problem.detail = detail,
            Failure::Refused(reason) | Failure::Unreadable(reason) | Failure::Forged(reason) => {
                problem.code = reason.code.as_str().to_owned();
                problem.detail = reason.to_string();
                problem.help = help(&reason);
                problem.reason = Some(reasons::to_api(&reason));
            }
            Failure::Fault(detail) => tracing::error!(request.id = request, detail, "request failed"),
            Failure::Unauthorized => headers.push((header::WWW_AUTHENTICATE, "Bearer".to_owned())),
            Failure::UnsupportedMedia(accepted) => headers.push((header::ACCEPT, accepted.join(", "))),
            Failure::TooMany(seconds) => headers.push((header::RETRY_AFTER, seconds.to_string())),
            Failure::Range(size) => headers.push((header::CONTENT_RANGE, format!("bytes */{size}"))),
            Failure::Unavailable => headers.push((header::RETRY_AFTER, "5".to_owned())),
            Failure::TooSlow | Failure::TooLarge => headers.push((header::CONNECTION, "close".to_owned())),
            Failure::Forbidden | Failure::NotFound | Failure::NotAcceptable => {}
        }
        let mut response = (status, Json(problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(api::PROBLEM));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// What to do about a refusal.
fn help(reason: &Reason) -> String {
    if reason.code != Code::MudNeedsApproval {
        return String::new();
    }
    let release =
        reason.detail.iter().find(|(name, _)| name == "release").map(|(_, release)| release.as_str());
    format!(
        "the network operator reads the MUD file and approves it: sextant policy approve {} --key override.key \
         --reason TEXT --for SPAN; the server must know the key (sextant up --override-key)",
        release.unwrap_or("RELEASE")
    )
}

/// Status, code and title of a failure.
pub(super) fn classify(failure: &Failure) -> (StatusCode, &'static str, &'static str) {
    match failure {
        Failure::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "the request cannot be read"),
        Failure::Unauthorized => {
            (StatusCode::UNAUTHORIZED, "unauthorized", "no credential, or one that is not good")
        }
        Failure::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "the credential is for something else"),
        Failure::NotFound => (StatusCode::NOT_FOUND, "not-found", "not here, or not yours to see"),
        Failure::NotAcceptable => {
            (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "the answer has another media type")
        }
        Failure::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "the body did not come in time"),
        Failure::Conflict(_) => (StatusCode::CONFLICT, "conflict", "not in a state that allows this"),
        Failure::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too long"),
        Failure::UnsupportedMedia(_) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "the body has another media type")
        }
        Failure::Range(_) => {
            (StatusCode::RANGE_NOT_SATISFIABLE, "range", "the range lies outside of the file")
        }
        Failure::Refused(_) => (StatusCode::UNPROCESSABLE_ENTITY, "refused", "well-formed, and refused"),
        Failure::Unreadable(_) => (StatusCode::BAD_REQUEST, "unreadable", "the object cannot be read"),
        Failure::Forged(_) => (StatusCode::FORBIDDEN, "forged", "not made by who brings it"),
        Failure::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many", "too often"),
        Failure::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "not now"),
        Failure::Fault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "fault", "a fault of the server"),
    }
}

/// Names a request in the log and in what its sender sees.
pub(crate) fn request_id() -> String {
    hex(&keys::random::<8>())
}

/// `/healthz`
pub(crate) fn health() -> Router<Shared> {
    Router::new().route("/healthz", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
}

pub(crate) async fn not_found() -> Problem {
    Problem(Failure::NotFound)
}

pub(crate) async fn method_not_allowed() -> Response {
    let problem = api::Problem {
        kind: "urn:sextant:problem:method".to_owned(),
        title: "the method is not for this path".to_owned(),
        status: StatusCode::METHOD_NOT_ALLOWED.as_u16(),
        detail: String::new(),
        code: "method".to_owned(),
        reason: None,
        help: String::new(),
        instance: String::new(),
    };
    let media = [(header::CONTENT_TYPE, api::PROBLEM)];
    (StatusCode::METHOD_NOT_ALLOWED, media, serde_json::to_vec(&problem).unwrap_or_default()).into_response()
}
