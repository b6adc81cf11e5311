//! What is asked of a request before the application sees it: a credential, a media type, a bounded body in bounded time.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    app::{
        App, Failure,
        credentials::{Principal, Scope},
    },
    http::{Shared, answer::Problem, pages},
};

/// Name of the cookie of a person who signed in.
pub(crate) const COOKIE: &str = "sextant";

/// How much of a body that is too long is read before the answer.
const MAX_DISCARDED: usize = 1 << 20;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everybody: health, sign-in, assets, and the protocol entry points of devices, which prove themselves inside.
    Open,
    /// Whoever may read.
    Read,
    /// Whoever may change things.
    Admin,
    /// Gateways.
    Gateway,
    /// A device, on its own routes.
    Device,
}

/// Stands before every route, so that one that was forgotten is closed.
pub(crate) async fn guard(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let access = access(&method, &path);
    if access == Access::Open {
        return next.run(request).await;
    }
    match authorise(&app, access, &method, &path, request.headers()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(failure) if pages::is_page(&path) => pages::failed(&app, &path, failure),
        Err(failure) => Problem(failure).into_response(),
    }
}

fn access(method: &Method, path: &str) -> Access {
    let reading = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/healthz" | "/welcome" | "/login" => Access::Open,
        _ if path.starts_with("/assets/") || path.starts_with("/.well-known/veraison/") => Access::Open,
        _ if path.starts_with("/challenge-response/v1/") || path.starts_with("/fdo/") => Access::Open,
        _ if path.starts_with("/default/controller/v1/") => Access::Device,
        _ if path.starts_with("/api/v1/gateway/") => Access::Gateway,
        // Signing out changes nothing but the session of who asks.
        "/logout" => Access::Read,
        _ if reading => Access::Read,
        _ => Access::Admin,
    }
}

async fn authorise(
    app: &App,
    access: Access,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<Principal, Failure> {
    let principal = match (bearer(headers), cookie(headers)) {
        (Some(token), _) => app.principal(&token).await?,
        // A cookie travels by itself: it may read anything, and change things through the forms of pages only, which
        // carry a token beside it.
        (None, Some(cookie)) if *method == Method::GET || pages::is_page(path) => {
            app.principal(cookie).await?
        }
        _ => return Err(Failure::Unauthorized),
    };
    let may = match (access, &principal.scope) {
        (Access::Open, _) | (Access::Read | Access::Admin, Scope::Admin) | (Access::Read, Scope::Read) => {
            true
        }
        (Access::Gateway, Scope::Gateway) => true,
        (Access::Device, Scope::Device(device)) => {
            // Whether another device exists is not for this one to know.
            let own = path.strip_prefix("/default/controller/v1/").and_then(|rest| rest.split('/').next());
            if own != Some(device.to_string().as_str()) {
                return Err(Failure::NotFound);
            }
            let stored = app.store.device(device).await?.filter(|device| device.retired_at.is_none());
            if stored.is_none() {
                return Err(Failure::Unauthorized);
            }
            true
        }
        _ => false,
    };
    if may { Ok(principal) } else { Err(Failure::Forbidden) }
}

/// The token of an `Authorization` header: of the scheme Bearer, or the password of the scheme Basic, which is what
/// clients have that know no tokens.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().to_owned());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials.trim()).ok()?).ok()?;
        return decoded.split_once(':').map(|(_, password)| password.to_owned());
    }
    None
}

/// The cookie of a person who signed in.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, token)| token)
}

/// Reads a body of one of some media types, up to a length, in the time that is given for it.
pub(crate) async fn body(
    app: &App,
    request: Request,
    media: &'static [&'static str],
    limit: usize,
) -> Result<Vec<u8>, Failure> {
    let given =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media.iter().any(|wanted| same_media(wanted, given)) {
        return Err(Failure::UnsupportedMedia(media));
    }
    read(app, request, limit).await
}

/// Reads a body in JSON.
pub(crate) async fn json<T: serde::de::DeserializeOwned>(
    app: &App,
    request: Request,
    limit: usize,
) -> Result<T, Failure> {
    let bytes = body(app, request, &["application/json"], limit).await?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::Malformed(error.to_string()))
}

/// Reads a body of any media type.
pub(crate) async fn read(app: &App, request: Request, limit: usize) -> Result<Vec<u8>, Failure> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit as u64) {
        // A client that only reads once it has written everything should still learn why.
        let rest = axum::body::to_bytes(Body::new(request.into_body()), MAX_DISCARDED);
        let _ = tokio::time::timeout(app.config.body_timeout, rest).await;
        return Err(Failure::TooLarge);
    }
    let reading = axum::body::to_bytes(Body::new(request.into_body()), limit);
    match tokio::time::timeout(app.config.body_timeout, reading).await {
        Ok(Ok(bytes)) => Ok(bytes.to_vec()),
        Ok(Err(error)) => {
            let too_long = std::error::Error::source(&error)
                .is_some_and(|source| source.to_string().contains("length limit"));
            Err(if too_long {
                Failure::TooLarge
            } else {
                Failure::Malformed("the body broke off".to_owned())
            })
        }
        Err(_) => Err(Failure::TooSlow),
    }
}

/// Whether two media types are the same: type, subtype and the parameters that the wanted one has.
pub(crate) fn same_media(wanted: &str, given: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let mut parts: Vec<String> = text
            .split(';')
            .map(|part| part.trim().replace('"', ""))
            .enumerate()
            .map(|(index, part)| match part.split_once('=') {
                Some((name, value)) if index > 0 => format!("{}={value}", name.trim().to_ascii_lowercase()),
                _ => part.to_ascii_lowercase(),
            })
            .collect();
        parts[1..].sort();
        parts
    };
    let (wanted, given) = (parts(wanted), parts(given));
    wanted[0] == given[0] && wanted[1..].iter().all(|parameter| given[1..].contains(parameter))
}

/// Where a request comes from.
pub(crate) fn peer(request: &Request) -> IpAddr {
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::from([0u8; 4]), |ConnectInfo(address)| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_the_same_whatever_case_spaces_or_quotes() {
        for given in [
            "application/eat+cwt; eat_profile=\"urn:sextant:evidence:1\"",
            "Application/EAT+CWT;EAT_PROFILE=urn:sextant:evidence:1",
            "application/eat+cwt; charset=x; eat_profile=urn:sextant:evidence:1",
        ] {
            assert!(same_media(api::EVIDENCE, given), "{given}");
        }
        for given in
            ["", "application/eat+cwt", "application/eat+cwt; eat_profile=urn:other", "application/json"]
        {
            assert!(!same_media(api::EVIDENCE, given), "{given}");
        }
    }

    #[test]
    fn routes_that_nobody_thought_of_are_closed() {
        for (method, path, wanted) in [
            (Method::GET, "/healthz", Access::Open),
            (Method::GET, "/anything", Access::Read),
            (Method::POST, "/anything", Access::Admin),
            (Method::DELETE, "/api/v1/devices/01", Access::Admin),
            (Method::GET, "/api/v1/gateway/state", Access::Gateway),
            (Method::POST, "/default/controller/v1/01/deploymentBase/1/feedback", Access::Device),
            (Method::POST, "/challenge-response/v1/newSession", Access::Open),
            (Method::GET, "/healthz/../api/v1/devices", Access::Read),
        ] {
            assert_eq!(access(&method, path), wanted, "{path}");
        }
    }
}
