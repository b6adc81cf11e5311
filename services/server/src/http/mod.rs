//! The HTTP faces: thin. They read requests, ask the application, and write answers.

mod advisories;
mod alarms;
mod answer;
mod attestation;
mod criteria;
mod distribution;
mod endorsements;
mod events;
mod manage;
mod objects;
mod onboarding;
mod pages;
mod request;
mod scans;
mod update;
mod vouchers;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware,
    response::Response,
};

use crate::{Role, app::App};

/// What every handler gets.
pub(crate) type Shared = Arc<App>;

/// The routes of the roles that this process plays. Whatever is not here is not there.
pub(crate) fn router(app: Shared) -> Router {
    let roles = app.config.roles.clone();
    let mut router = Router::new().merge(answer::health());
    if roles.contains(&Role::Verifier) {
        router = router.merge(attestation::routes());
    }
    if roles.contains(&Role::Update) {
        router = router.merge(update::routes());
    }
    if roles.contains(&Role::Manage) {
        router = router
            .merge(manage::routes())
            .merge(objects::routes())
            .merge(endorsements::routes())
            .merge(distribution::routes())
            .merge(alarms::routes())
            .merge(criteria::routes())
            .merge(advisories::routes())
            .merge(scans::routes())
            .merge(vouchers::routes())
            .merge(onboarding::routes())
            .merge(events::routes())
            .merge(pages::routes());
    }
    if [Role::Manufacturer, Role::Rendezvous, Role::Owner].iter().any(|role| roles.contains(role)) {
        router = router.merge(onboarding::messages());
    }
    router
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), request::guard))
        .layer(middleware::map_response(harden))
        .with_state(app)
}

/// Headers that hold for every answer.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_static(crate::pages::CONTENT_SECURITY_POLICY);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    response
}
