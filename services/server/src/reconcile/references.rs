use crate::app::{App, Failure};

/// Reads every release again. Where what evidence is judged by changed since everything was judged last, everything is
/// judged again: at the start too, for nobody knows what happened before.
pub(super) async fn reconcile(app: &App, read: bool, judged: &mut Option<u64>) -> Result<(), Failure> {
    if read {
        app.read_releases().await?;
    }
    let revision = app.basis().revision;
    if *judged != Some(revision) {
        app.judge_all_again().await?;
        // Only now: what failed half-way is done again.
        *judged = Some(revision);
    }
    app.judge_unsettled().await
}
