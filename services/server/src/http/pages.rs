//! Pages and the sign-in of people. What a page shows is decided in `views`.

use std::collections::HashMap;

use axum::{
    Extension, Form, Router,
    extract::{FromRequest, Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use maud::Markup;
use trust::Restriction;

use crate::{
    app::{
        App, Failure,
        credentials::{self, Principal, SESSION_SECONDS, Scope, WELCOME},
        holds,
    },
    http::{
        Shared,
        answer::request_id,
        events::KEEP_ALIVE,
        request::{self, COOKIE},
    },
    pages::{
        self,
        view::{Href, Problem},
    },
};

mod live;
mod views;

/// Longest form in bytes.
const MAX_FORM: usize = 16 << 10;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(overview))
        .route("/devices", get(devices))
        .route("/devices/{id}", get(device))
        .route("/devices/{id}/{part}", get(device_part).post(act))
        .route("/attestation", get(results))
        .route("/attestation/results/{session}", get(result))
        .route("/onboarding", get(onboardings))
        .route("/onboarding/{guid}", get(onboarding))
        .route("/onboarding/{guid}/retry", post(retry))
        .route("/network", get(network))
        .route("/events", get(live::events))
        .route("/login", get(login).post(sign_in))
        .route("/logout", post(sign_out))
        .route("/welcome", get(welcome).post(take_welcome))
        .route("/assets/{name}", get(asset))
}

/// Whether a path is one for people: then its failures are pages too, and a cookie may change things through forms.
pub(crate) fn is_page(path: &str) -> bool {
    matches!(
        path,
        "/" | "/devices"
            | "/onboarding"
            | "/attestation"
            | "/network"
            | "/events"
            | "/login"
            | "/logout"
            | "/welcome"
    ) || path.starts_with("/devices/")
        || path.starts_with("/onboarding/")
        || path.starts_with("/attestation/")
}

/// A failure as a page.
pub(crate) fn failed(app: &App, path: &str, failure: Failure) -> Response {
    let request = request_id();
    let problem = match failure {
        Failure::Malformed(what) => Problem::Malformed(what.into()),
        Failure::UnsupportedMedia(_)
        | Failure::NotAcceptable
        | Failure::Range(_)
        | Failure::TooLarge
        | Failure::TooSlow => Problem::Malformed("It has a form that is not read here.".into()),
        Failure::Unauthorized => Problem::SignedOut { sign_in: Href::route("/login").query("next", path) },
        Failure::Forbidden => Problem::Forbidden { who: "Only an administrator".into() },
        Failure::NotFound => Problem::NotFound,
        Failure::Conflict(what) => Problem::Conflict { changed: what.into(), now: views::back(path) },
        Failure::Refused(reason) | Failure::Unreadable(reason) | Failure::Forged(reason) => {
            Problem::Malformed(reason.to_string().into())
        }
        Failure::TooMany(seconds) => Problem::TooMany { again: format!("in {seconds} s").into() },
        Failure::Unavailable => Problem::Unavailable { part: "The store takes no changes now.".into() },
        Failure::Fault(detail) => {
            tracing::error!(request.id = request, detail, "page failed");
            Problem::Fault
        }
    };
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let view = views::failure(app, problem, request);
    html(status, pages::entry::failure(&view))
}

async fn overview(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&app, &who, &headers);
    page(&app, "/", views::overview(&app, &visitor).await.map(|view| pages::overview::page(&view)))
}

async fn devices(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&app, &who, &headers);
    let filter = query.get("q").map_or("", String::as_str);
    let after = query.get("after").map(String::as_str);
    page(
        &app,
        "/devices",
        views::devices(&app, &visitor, filter, after).await.map(|view| pages::devices::page(&view)),
    )
}

async fn device(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&app, &who, &headers);
    page(&app, "/devices", views::device(&app, &visitor, &id).await.map(|view| pages::device::page(&view)))
}

async fn results(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&app, &who, &headers);
    let view = views::results(&app, &visitor, query.get("after").map(String::as_str)).await;
    page(&app, "/attestation", view.map(|view| pages::attestation::list_page(&view)))
}

async fn result(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(session): Path<String>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&app, &who, &headers);
    let view = views::result(&app, &visitor, &session).await;
    page(&app, "/attestation", view.map(|view| pages::attestation::page(&view)))
}

async fn network(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&app, &who, &headers);
    page(&app, "/network", views::network(&app, &visitor).await.map(|view| pages::network::page(&view)))
}

async fn onboardings(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&app, &who, &headers);
    let named = |name: &str| query.get(name).map(String::as_str);
    let view = views::onboardings(&app, &visitor, named("list"), named("after")).await;
    page(&app, "/onboarding", view.map(|view| pages::onboarding::list_page(&view)))
}

async fn onboarding(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(guid): Path<String>,
    headers: HeaderMap,
) -> Response {
    let visitor = visitor(&app, &who, &headers);
    let view = views::onboarding(&app, &visitor, &guid).await;
    page(&app, "/onboarding", view.map(|view| pages::onboarding::page(&view)))
}

async fn retry(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path(guid): Path<String>,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let outcome = async {
        let form = read_form(&app, request).await?;
        check_form(&app, &headers, &form)?;
        app.retry_onboarding(guid.parse().map_err(|_| Failure::NotFound)?, &who.label).await?;
        Ok(Redirect::to(views::onboarding_href(&guid).as_str()).into_response())
    };
    outcome.await.unwrap_or_else(|failure| failed(&app, "/onboarding", failure))
}

/// The parts of a device page are places on it until they have pages of their own; risky actions ask first.
async fn device_part(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path((id, part)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    match part.as_str() {
        "flows" | "timeline" | "evidence" => {
            Redirect::to(Href::route("/devices").segment(&id).as_str()).into_response()
        }
        "hold" | "quarantine" if who.scope == Scope::Admin => {
            let restriction = if part == "hold" { Restriction::Blocked } else { Restriction::UpdateOnly };
            let visitor = visitor(&app, &who, &headers);
            let view = views::confirm_hold(&app, &visitor, &id, restriction).await;
            page(&app, "/devices", view.map(|view| pages::entry::confirm(&view)))
        }
        "hold" | "quarantine" => failed(&app, "/devices", Failure::Forbidden),
        _ => failed(&app, "/devices", Failure::NotFound),
    }
}

async fn act(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Path((id, part)): Path<(String, String)>,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let outcome = async {
        let form = read_form(&app, request).await?;
        check_form(&app, &headers, &form)?;
        let device = app.find_device(&id).await?;
        match part.as_str() {
            "hold" => app.hold(&device.id, Restriction::Blocked, hold_request(&form), &who.label).await?,
            "quarantine" => {
                app.hold(&device.id, Restriction::UpdateOnly, hold_request(&form), &who.label).await?;
            }
            "release" => app.end_hold(&device.id, holds::BLOCKS, &who.label).await?,
            "end-quarantine" => app.end_hold(&device.id, holds::QUARANTINES, &who.label).await?,
            _ => return Err(Failure::NotFound),
        }
        Ok(Redirect::to(Href::route("/devices").segment(&id).as_str()).into_response())
    };
    outcome.await.unwrap_or_else(|failure| failed(&app, "/devices", failure))
}

fn hold_request(form: &HashMap<String, String>) -> api::HoldRequest {
    let until = form.get("until").filter(|until| !until.is_empty()).map(|until| views::moment(until));
    api::HoldRequest { reason: form.get("reason").cloned().unwrap_or_default(), until, level: None }
}

async fn login(State(app): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Response {
    let next = query.get("next").map_or("/", String::as_str);
    html(StatusCode::OK, pages::entry::login(&views::login(&app, next, None)))
}

async fn sign_in(State(app): State<Shared>, request: Request) -> Response {
    let outcome = async {
        let form = read_form(&app, request).await?;
        let next = form.get("next").and_then(|next| Href::parse_local(next)).unwrap_or(Href::route("/"));
        let token = form.get("access").map_or("", |token| token.trim());
        let who = match app.principal(token).await {
            Ok(who) if matches!(who.scope, Scope::Admin | Scope::Read) => who,
            Ok(_) | Err(Failure::Unauthorized) => {
                let view =
                    views::login(&app, next.as_str(), Some("This token is not good, or not for people."));
                return Ok(html(StatusCode::UNAUTHORIZED, pages::entry::login(&view)));
            }
            Err(failure) => return Err(failure),
        };
        let scope = who.scope.stored().ok_or(Failure::Forbidden)?;
        let session = credentials::issue(scope, &who.label, app.now(), Some(SESSION_SECONDS));
        app.store.add_token(session.token, &who.label).await?;
        signed_in(&session.text, next.as_str())
    };
    outcome.await.unwrap_or_else(|failure| failed(&app, "/login", failure))
}

async fn sign_out(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let outcome = async {
        let form = read_form(&app, request).await?;
        check_form(&app, &headers, &form)?;
        if let Some(cookie) = request::cookie(&headers) {
            app.store.remove_token(&credentials::hash(cookie), &who.label, app.now()).await?;
        }
        let mut response = Redirect::to("/login").into_response();
        set_cookie(
            &mut response,
            &format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict"),
        )?;
        Ok(response)
    };
    outcome.await.unwrap_or_else(|failure| failed(&app, "/", failure))
}

/// Opening the link shows a form and uses nothing up: programs that look at links before people do must not.
async fn welcome(State(app): State<Shared>, Query(query): Query<HashMap<String, String>>) -> Response {
    let code = query.get("code").map_or("", String::as_str);
    let good = matches!(app.store.token(&credentials::hash(code), app.now()).await, Ok(Some(token)) if token.scope == WELCOME);
    html(StatusCode::OK, pages::entry::welcome(&views::welcome(&app, good.then_some(code))))
}

async fn take_welcome(State(app): State<Shared>, request: Request) -> Response {
    let outcome = async {
        let form = read_form(&app, request).await?;
        let code = form.get("code").map_or("", String::as_str);
        let name = form
            .get("name")
            .map(|name| name.trim())
            .filter(|name| !name.is_empty())
            .unwrap_or("administrator");
        let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
        let session = credentials::issue("admin", &name, app.now(), Some(SESSION_SECONDS));
        match app.store.exchange_token(&credentials::hash(code), WELCOME, session.token).await {
            Ok(()) => signed_in(&session.text, "/"),
            Err(store::Error::Absent(_)) => {
                Ok(html(StatusCode::UNAUTHORIZED, pages::entry::welcome(&views::welcome(&app, None))))
            }
            Err(error) => Err(error.into()),
        }
    };
    outcome.await.unwrap_or_else(|failure| failed(&app, "/welcome", failure))
}

async fn asset(State(app): State<Shared>, Path(name): Path<String>) -> Response {
    let Some(asset) = pages::assets::asset(&name) else { return failed(&app, "/", Failure::NotFound) };
    let headers = [(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, asset.content).into_response()
}

/// Who looks, and what ties their forms to their session.
pub(crate) struct Viewer {
    /// Their name.
    pub(crate) name: String,
    /// Whether they may change things.
    pub(crate) admin: bool,
    /// The token of their forms.
    pub(crate) form_token: String,
}

fn visitor(app: &App, who: &Principal, headers: &HeaderMap) -> Viewer {
    Viewer {
        name: who.label.clone(),
        admin: who.scope == Scope::Admin,
        form_token: app.form_token(request::cookie(headers).unwrap_or_default()),
    }
}

fn page(app: &App, path: &str, markup: Result<Markup, Failure>) -> Response {
    match markup {
        Ok(markup) => html(StatusCode::OK, markup),
        Err(failure) => failed(app, path, failure),
    }
}

fn html(status: StatusCode, markup: Markup) -> Response {
    let media = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, media, markup.into_string()).into_response()
}

async fn read_form(app: &App, request: Request) -> Result<HashMap<String, String>, Failure> {
    let bytes = request::body(app, request, &["application/x-www-form-urlencoded"], MAX_FORM).await?;
    let request = Request::builder()
        .method("POST")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(axum::body::Body::from(bytes))
        .map_err(|error| Failure::Fault(error.to_string()))?;
    let form = Form::<HashMap<String, String>>::from_request(request, &()).await;
    let Form(form) = form.map_err(|error| Failure::Malformed(error.to_string()))?;
    Ok(form)
}

/// A form that a browser sends with a cookie must come from a page of this server.
fn check_form(app: &App, headers: &HeaderMap, form: &HashMap<String, String>) -> Result<(), Failure> {
    let Some(cookie) = request::cookie(headers) else { return Ok(()) };
    let given = form.get("token").map_or("", String::as_str);
    let same = crypto::constant_time_eq(given.as_bytes(), app.form_token(cookie).as_bytes());
    if same { Ok(()) } else { Err(Failure::Forbidden) }
}

fn signed_in(token: &str, next: &str) -> Result<Response, Failure> {
    let mut response = Redirect::to(next).into_response();
    let cookie =
        format!("{COOKIE}={token}; Path=/; Max-Age={SESSION_SECONDS}; Secure; HttpOnly; SameSite=Strict");
    set_cookie(&mut response, &cookie)?;
    Ok(response)
}

fn set_cookie(response: &mut Response, cookie: &str) -> Result<(), Failure> {
    let value = HeaderValue::from_str(cookie).map_err(|error| Failure::Fault(error.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}
