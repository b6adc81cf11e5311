//! Changes as server-sent events, for programs.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures_util::{Stream, stream};
use serde_json::json;
use store::Change;
use tokio::sync::broadcast::error::RecvError;

use crate::http::Shared;

/// How often a silent stream says that it lives.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/api/v1/events", get(events))
}

async fn events(State(app): State<Shared>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = app.store.changes();
    let hello = Event::default()
        .event("hello")
        .data(json!({ "revision": *app.store.revision().borrow() }).to_string());
    let closing = app.closing.subscribe();
    let stream =
        stream::unfold((Some(hello), changes, closing), |(first, mut changes, mut closing)| async move {
            if let Some(first) = first {
                return Some((Ok(first), (None, changes, closing)));
            }
            let change = tokio::select! {
                change = changes.recv() => change,
                // An open stream must not keep the server from ending.
                _ = closing.wait_for(|closing| *closing) => return None,
            };
            let event = match change {
                Ok(change) => describe(&change),
                // Whoever was too slow reads everything again.
                Err(RecvError::Lagged(_)) => Event::default().event("missed").data("{}"),
                Err(RecvError::Closed) => return None,
            };
            Some((Ok(event), (None, changes, closing)))
        });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

fn describe(change: &Change) -> Event {
    let (kind, id) = match change {
        Change::Device(id) => ("device", id.to_string()),
        Change::Network(id) => ("network", id.to_string()),
        Change::Report(id) => ("report", id.to_string()),
        Change::Release(id) => ("release", id.to_string()),
        Change::Campaign(id) => ("campaign", id.to_string()),
        Change::Gateway(name) => ("gateway", name.clone()),
        Change::Foreign(id) => ("foreign", id.to_string()),
        Change::Override => ("override", String::new()),
        Change::Check => ("check", String::new()),
        Change::Advisories => ("advisories", String::new()),
        Change::Authorities => ("authorities", String::new()),
        Change::Criteria => ("criteria", String::new()),
    };
    Event::default().event(kind).data(json!({ "id": id }).to_string())
}
