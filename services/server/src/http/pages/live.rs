//! Pages that keep themselves as they are now: whole blocks, rendered by the templates of the page, never deltas.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::{Query, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use store::Change;
use tokio::{
    sync::broadcast::error::{RecvError, TryRecvError},
    time::sleep,
};

use super::{KEEP_ALIVE, Viewer, failed, views, visitor};
use crate::{
    app::{App, Failure, credentials::Principal},
    http::{Shared, request},
    pages,
};

/// The least time between two swaps of one page: later changes gather meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// Which page a stream keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
enum On {
    Overview,
    Device(String),
    Results,
    /// Of a session with a device that is not enrolled.
    Result(String),
}

impl On {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.split_once(':') {
            None if text == "overview" => Self::Overview,
            None if text == "attestation" => Self::Results,
            Some(("device", device)) => Self::Device(device.to_owned()),
            Some(("result", session)) => Self::Result(session.to_owned()),
            _ => return None,
        })
    }
}

pub(super) async fn events(
    State(app): State<Shared>,
    Extension(who): Extension<Principal>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let Some(on) = query.get("on").and_then(|on| On::parse(on)) else {
        return failed(&app, "/", Failure::NotFound);
    };
    let viewer = visitor(&app, &who, &headers);
    // Signing out, or the end of the session, closes the stream with the next change.
    let token = request::cookie(&headers).map(str::to_owned);
    let changes = app.store.changes();
    let closing = app.closing.subscribe();
    let state = (app, viewer, on, token, changes, closing, true);
    let stream =
        stream::unfold(state, |(app, viewer, on, token, mut changes, mut closing, first)| async move {
            if !first {
                loop {
                    let change = tokio::select! {
                        change = changes.recv() => change,
                        _ = closing.wait_for(|closing| *closing) => return None,
                    };
                    match change {
                        Ok(change) if !concerns(&on, &change) => {}
                        Ok(_) | Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return None,
                    }
                }
                sleep(PAUSE).await;
                while !matches!(changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
                if let Some(token) = &token {
                    app.principal(token).await.ok()?;
                }
            }
            let blocks = render(&app, &viewer, &on).await.ok()?;
            let event = Event::default().event("swap").data(blocks);
            Some((Ok::<_, Infallible>(event), (app, viewer, on, token, changes, closing, false)))
        });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

async fn render(app: &App, viewer: &Viewer, on: &On) -> Result<String, Failure> {
    match on {
        On::Overview => {
            let view = views::overview(app, viewer).await?;
            let ids = pages::overview::BLOCKS.into_iter().chain(["empty"]);
            Ok(pages::swap(ids.filter_map(|id| pages::overview::block(id, &view))))
        }
        On::Device(device) => {
            let view = views::device(app, viewer, device).await?;
            Ok(pages::swap(
                pages::device::BLOCKS.into_iter().filter_map(|id| pages::device::block(id, &view)),
            ))
        }
        On::Results => {
            let view = views::results(app, viewer, None).await?;
            Ok(pages::swap(pages::attestation::list_block("list", &view)))
        }
        On::Result(session) => {
            let view = views::result(app, viewer, session).await?;
            let ids = pages::attestation::BLOCKS.into_iter();
            Ok(pages::swap(ids.filter_map(|id| pages::attestation::block(id, &view))))
        }
    }
}

/// Whether a change may be seen on a page.
fn concerns(on: &On, change: &Change) -> bool {
    match (on, change) {
        (
            On::Overview,
            Change::Gateway(_) | Change::Override | Change::Check | Change::Report(_) | Change::Foreign(_),
        )
        | (On::Device(_), Change::Gateway(_) | Change::Check | Change::Foreign(_)) => false,
        (On::Results, change) => matches!(change, Change::Foreign(_)),
        (On::Result(session), Change::Foreign(id)) => id.to_string() == *session,
        // What it is compared with changes, which need not change the result.
        (On::Result(_), change) => {
            matches!(change, Change::Release(_) | Change::Criteria | Change::Authorities)
        }
        (On::Device(device), Change::Device(id) | Change::Network(id) | Change::Report(id)) => {
            id.to_string() == *device
        }
        _ => true,
    }
}
