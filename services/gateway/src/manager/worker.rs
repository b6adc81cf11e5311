//! Carries orders for files out: a few threads between the decisions and the web.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::fetch::{Brought, Fault, FaultKind, Fetcher, read_file};
use super::file::Source;
use super::order::{Order, Place};
use super::settings::Sources;
use mud::MudUrl;

/// Whoever gives orders and takes what came of them.
pub(crate) trait Fetches: Send + Sync {
    /// The next order, if there is one now.
    fn order(&self, now: i64) -> Option<Order>;

    /// What came of it.
    fn bring(&self, url: &MudUrl, source: &Source, outcome: Result<Brought, Fault>, jitter: u32, now: i64);
}

/// Carries orders out until it is told to stop.
pub(crate) fn work(
    fetches: &dyn Fetches,
    fetcher: &Fetcher,
    sources: &Sources,
    stop: &AtomicBool,
    (now, pause): (impl Fn() -> i64, impl Fn(Duration)),
) {
    while !stop.load(Ordering::Relaxed) {
        let Some(order) = fetches.order(now()) else {
            pause(PAUSE);
            continue;
        };
        let (source, outcome) = carry_out(&order, fetcher, sources);
        if let Err(fault) = &outcome {
            tracing::warn!(url = %order.url, code = fault.kind.code(), detail = fault.detail, "no MUD file came");
        }
        fetches.bring(&order.url, &source, outcome, jitter(), now());
    }
}

/// Looks at one place after the other. Only where there surely is no file the next one counts: whoever keeps one from
/// answering does not choose the source.
fn carry_out(order: &Order, fetcher: &Fetcher, sources: &Sources) -> (Source, Result<Brought, Fault>) {
    let mut last = (Source::Announced, Err(Fault::new(FaultKind::Absent, &order.url)));
    for place in &order.places {
        let outcome = match place {
            Place::Disk(file) => (Source::Operator, read_file(file)),
            Place::Web(source, url, etag) => {
                let party = sources
                    .third_parties
                    .iter()
                    .find(|party| matches!(source, Source::ThirdParty(name) if *name == party.name));
                let outcome = fetcher.fetch(url, etag.as_deref(), |head| {
                    let signature = head.signature_url()?;
                    let moved = party.and_then(|party| party.place(&signature));
                    Some(moved.unwrap_or(signature))
                });
                (source.clone(), outcome)
            }
        };
        match outcome {
            (_, Err(Fault { kind: FaultKind::Absent, .. })) => last = outcome,
            outcome => return outcome,
        }
    }
    last
}

/// Spreads the next checks over a while. Without randomness they come together.
fn jitter() -> u32 {
    let mut random = [0; 2];
    let _filled = getrandom::fill(&mut random);
    u32::from(u16::from_be_bytes(random)) % LONGEST_JITTER
}

const PAUSE: Duration = Duration::from_millis(250);
/// In seconds.
const LONGEST_JITTER: u32 = 900;
