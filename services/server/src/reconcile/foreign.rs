use crate::app::{App, Failure};

/// Where what evidence of devices that are not enrolled is judged by changed since it was judged last, all of it is judged
/// again: at the start too, for nobody knows what happened before.
pub(super) async fn reconcile(app: &App, judged: &mut Option<(u64, u64)>) -> Result<(), Failure> {
    let revision = app.foreign_revision();
    if *judged != Some(revision) {
        app.judge_all_foreign_again().await?;
        // Only now: what failed half-way is done again.
        *judged = Some(revision);
    }
    Ok(())
}
