use store::ReleaseId;

use crate::app::{App, Failure};

/// What this remembers from round to round.
#[derive(Default)]
pub(super) struct Progress {
    /// The release that was held against its rows last.
    checked: Option<ReleaseId>,
    /// What everything was judged by last.
    judged: Option<u64>,
}

/// Reads every release again where they changed, or something is not what their signed objects say; `periodic`, a few of them
/// are looked at. Where what evidence is judged by changed since everything was judged last, everything is judged again: at
/// the start too, for nobody knows what happened before.
pub(super) async fn reconcile(
    app: &App,
    changed: bool,
    periodic: bool,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let differs = periodic && app.check_next_releases(&mut progress.checked).await?;
    if changed || differs || app.suspects_any() {
        app.read_releases().await?;
    }
    let revision = app.basis().revision;
    if progress.judged != Some(revision) {
        app.judge_all_again().await?;
        // Only now: what failed half-way is done again.
        progress.judged = Some(revision);
    }
    app.judge_unsettled().await
}
