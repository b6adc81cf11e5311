//! What must become true by itself: idempotent functions that read what is wanted, compare and act. They run on a nudge
//! and on a period, and nothing depends on when.

mod campaigns;
mod cures;
mod foreign;
mod references;
mod registrations;

use std::{future::Future, sync::Arc, time::Duration};

use store::{Change, Timestamp};
use tokio::{
    sync::broadcast::error::{RecvError, TryRecvError},
    time::{Instant, sleep, sleep_until},
};

use crate::app::{App, Failure};

/// Devices decided about at once.
const BATCH: u32 = 256;
/// How long to gather nudges.
const BREATH: Duration = Duration::from_millis(20);
/// How much longer than it worked it rests: a busy fleet nudges all the time, and its rounds are long.
const REST: u32 = 4;
/// How often used sessions are forgotten, in seconds.
const SWEEP: i64 = 60;
/// How long used sessions are remembered after they could be used again, in seconds.
const SESSION_MEMORY: i64 = 3600;

pub(crate) use registrations::run as run_registrations;

/// Runs every reconciler until the server ends.
pub(crate) async fn run(app: Arc<App>) {
    let mut closing = app.closing.subscribe();
    let mut changes = app.store.changes();
    let (mut standings_changed, mut periodic) = (true, true);
    let (mut progress, mut foreign_judged) = (references::Progress::default(), None);
    let mut next_sweep = app.now();
    // Kept from round to round: nudges that never end must not put it off.
    let mut period_ends = Instant::now() + app.config.period;
    loop {
        let began = Instant::now();
        let references = references::reconcile(&app, standings_changed, periodic, &mut progress);
        attempt("references", references).await;
        attempt("expiry", expiry(&app)).await;
        attempt("onboardings", confirm_onboardings(&app)).await;
        attempt("cures", cures::reconcile(&app)).await;
        attempt("campaigns", campaigns::reconcile(&app)).await;
        // Last: nothing that is enforced waits for those who are not enrolled.
        attempt("foreign results", foreign::reconcile(&app, &mut foreign_judged)).await;
        if app.now() >= next_sweep {
            attempt("sessions", forget_sessions(&app)).await;
            attempt("results", forget_results(&app)).await;
            attempt("redirections", forget_redirects(&app)).await;
            next_sweep = app.now().plus_seconds(SWEEP);
        }
        let breath = BREATH.max(began.elapsed() * REST).min(app.config.period);

        (standings_changed, periodic) = (false, false);
        // Kept to no period: what endorsers said until then holds not a moment longer.
        let manifest_ends = app.until_a_manifest_ends().and_then(|left| Instant::now().checked_add(left));
        let wake = manifest_ends.map_or(period_ends, |ends| ends.min(period_ends));
        loop {
            tokio::select! {
                () = sleep_until(wake) => break,
                () = app.nudge.notified() => break,
                _ = closing.wait_for(|closing| *closing) => return,
                change = changes.recv() => match change {
                    Ok(Change::Release(_) | Change::Authorities) | Err(RecvError::Lagged(_)) => {
                        standings_changed = true;
                        break;
                    }
                    Ok(_) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
        if Instant::now() >= period_ends {
            periodic = true;
            period_ends = Instant::now() + app.config.period;
        }
        // Nudges that come together are answered together.
        sleep(breath).await;
        loop {
            match changes.try_recv() {
                Ok(Change::Release(_) | Change::Authorities) | Err(TryRecvError::Lagged(_)) => {
                    standings_changed = true;
                }
                Ok(_) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }
}

/// Decides again where a result, a block, a grace or a violation came to its end.
async fn expiry(app: &App) -> Result<(), Failure> {
    loop {
        let now = app.now();
        let due = app.store.devices_due(now, BATCH).await?;
        let whole = due.len() == BATCH as usize;
        // A decision that names the same end again would be due for ever.
        if app.redecide(&due).await? == 0 || !whole {
            return Ok(());
        }
    }
}

async fn forget_sessions(app: &App) -> Result<(), Failure> {
    let lifetime = i64::try_from(app.config.session_lifetime.as_secs()).unwrap_or(i64::MAX);
    // Handles of epochs are used up in the same place, and may be taken for longer.
    let lifetime = lifetime.max(app.epoch_memory());
    let before: Timestamp = app.now().plus_seconds(-lifetime.saturating_add(SESSION_MEMORY));
    Ok(app.store.forget_sessions(before).await?)
}

/// Forgets what is older than it must be, in pieces between which others write.
async fn forget_results(app: &App) -> Result<(), Failure> {
    let age = i64::try_from(app.config.keep_results.as_secs()).unwrap_or(i64::MAX);
    let before: Timestamp = app.now().plus_seconds(-age);
    while app.store.forget_results(before, BATCH).await? {}
    Ok(())
}

/// Lets go of the former names of devices that attested since they were set up.
async fn confirm_onboardings(app: &App) -> Result<(), Failure> {
    app.store.confirm_replacements(app.now()).await?;
    Ok(())
}

/// Forgets redirections that ended longer ago than a session may last, so that none of then registers them again.
async fn forget_redirects(app: &App) -> Result<(), Failure> {
    let age = i64::try_from(app.config.onboarding.session_lifetime.as_secs()).unwrap_or(i64::MAX);
    Ok(app.store.forget_redirects(app.now().plus_seconds(-age)).await?)
}

async fn attempt(name: &'static str, work: impl Future<Output = Result<(), Failure>>) {
    if let Err(failure) = work.await {
        tracing::error!(reconciler = name, ?failure, "reconciler failed; it will try again");
    }
}
