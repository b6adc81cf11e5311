//! CoSERV: what endorsers say, by HTTP (draft-ietf-rats-coserv, section 6). Whoever may read may ask.

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use cbor::{MapBuilder, Writer};
use cose::Key;
use serde_json::json;

use crate::{
    app::{
        Failure,
        distribution::{Distributed, PLAIN, SIGNED, uri},
        enrolment::to_jwk,
    },
    http::{Shared, answer::classify},
};

const CONFIGURATION: &str = "/.well-known/coserv-configuration";
const ENDPOINT: &str = "/coserv/v1/{query}";
const DISCOVERY_JSON: &str = "application/coserv-discovery+json";
const DISCOVERY_CBOR: &str = "application/coserv-discovery+cbor";
const PROBLEM: &str = "application/concise-problem-details+cbor";

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route(CONFIGURATION, get(discover)).route(ENDPOINT, get(answer))
}

/// Keys of a discovery document in CBOR, and of a capability in it.
mod discovery {
    pub(super) const VERSION: i64 = 1;
    pub(super) const CAPABILITIES: i64 = 2;
    pub(super) const ENDPOINTS: i64 = 3;
    pub(super) const KEYS: i64 = 4;
    pub(super) const MEDIA_TYPE: i64 = 1;
    pub(super) const ARTIFACTS: i64 = 2;
}

/// Keys of concise problem details (RFC 9290).
mod problem {
    pub(super) const TITLE: i64 = -1;
    pub(super) const DETAIL: i64 = -2;
}

const FORMS: [&str; 2] = ["source", "collected"];
const REQUEST: &str = "CoSERVRequestResponse";

async fn discover(State(app): State<Shared>, headers: HeaderMap) -> Response {
    let wanted = match preferred(&headers, &[DISCOVERY_JSON, DISCOVERY_CBOR]) {
        Ok(wanted) => wanted,
        Err(failure) => return refusal(failure),
    };
    let version = env!("CARGO_PKG_VERSION");
    let profiles = app.distributed_profiles();
    let types = profiles.iter().flat_map(|profile| [typed(PLAIN, profile), typed(SIGNED, profile)]);
    let types: Vec<String> = types.collect();
    let body = if wanted == DISCOVERY_JSON {
        let key = match Key::decode(&app.distribution_key.public) {
            Ok(key) => to_jwk(key.public(), &app.distribution_key.kid),
            Err(error) => return refusal(Failure::Fault(error.to_string())),
        };
        let capabilities: Vec<_> =
            types.iter().map(|media| json!({ "media-type": media, "artifact-support": FORMS })).collect();
        let document = json!({
            "version": version,
            "capabilities": capabilities,
            "api-endpoints": { REQUEST: ENDPOINT },
            "result-verification-key": [key],
        });
        document.to_string().into_bytes()
    } else {
        let mut map = MapBuilder::new();
        map.int(discovery::VERSION, |w| _ = w.text(version));
        map.int(discovery::CAPABILITIES, |w| {
            w.array(types.len());
            types.iter().for_each(|media| capability(w, media));
        });
        map.int(discovery::ENDPOINTS, |w| {
            let mut endpoints = MapBuilder::new();
            endpoints.text(REQUEST, |w| _ = w.text(ENDPOINT));
            endpoints.write(w);
        });
        map.int(discovery::KEYS, |w| _ = w.array(1).raw(&app.distribution_key.public));
        map.into_bytes()
    };
    let head = [(header::CONTENT_TYPE, wanted), (header::CACHE_CONTROL, "private, max-age=60")];
    (head, [(header::VARY, "accept")], body).into_response()
}

fn capability(writer: &mut Writer, media: &str) {
    let mut map = MapBuilder::new();
    map.int(discovery::MEDIA_TYPE, |w| _ = w.text(media));
    map.int(discovery::ARTIFACTS, |w| {
        w.array(FORMS.len());
        FORMS.iter().for_each(|form| _ = w.text(form));
    });
    map.write(writer);
}

async fn answer(State(app): State<Shared>, Path(query): Path<String>, headers: HeaderMap) -> Response {
    let answered = async {
        let wanted = preferred(&headers, &[PLAIN, SIGNED])?;
        Ok((wanted, app.distribute(&query, wanted == SIGNED).await?))
    };
    let (wanted, Distributed { bytes, max_age, profile }) = match answered.await {
        Ok(answered) => answered,
        Err(failure) => return refusal(failure),
    };
    let media = uri(&profile).map_or_else(|| wanted.to_owned(), |profile| typed(wanted, &profile));
    let mut response = bytes.into_response();
    let head = [
        (header::CONTENT_TYPE, media),
        // Only those who may read get it, so only they may keep it.
        (header::CACHE_CONTROL, format!("private, max-age={max_age}")),
        (header::VARY, "accept".to_owned()),
    ];
    for (name, value) in head {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn typed(media: &str, profile: &str) -> String {
    format!("{media}; profile=\"{profile}\"")
}

/// The media type to answer with: the first of `Accept` that is one of these, or else the first of these where any will
/// do. Weights are not looked at.
fn preferred(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Failure> {
    let any = offered.first().copied().ok_or(Failure::NotAcceptable);
    let Some(accept) = headers.get(header::ACCEPT) else { return any };
    let accept = accept.to_str().map_err(|_| Failure::NotAcceptable)?;
    let essences = accept.split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
    for essence in essences {
        if matches!(essence, "*/*" | "application/*") {
            return any;
        }
        if let Some(found) = offered.iter().find(|media| media.eq_ignore_ascii_case(essence)) {
            return Ok(*found);
        }
    }
    Err(Failure::NotAcceptable)
}

/// A failure as concise problem details.
fn refusal(failure: Failure) -> Response {
    let (status, _, title) = classify(&failure);
    let detail = match &failure {
        Failure::Malformed(detail) => detail.clone(),
        Failure::NotAcceptable => format!("answers are {PLAIN} and {SIGNED}"),
        Failure::Fault(detail) => {
            tracing::error!(detail, "request failed");
            String::new()
        }
        _ => String::new(),
    };
    let mut map = MapBuilder::new();
    map.int(problem::TITLE, |w| _ = w.text(title));
    if !detail.is_empty() {
        map.int(problem::DETAIL, |w| _ = w.text(&detail));
    }
    (status, [(header::CONTENT_TYPE, PROBLEM)], map.into_bytes()).into_response()
}
