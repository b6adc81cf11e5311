use crate::app::{App, Failure, foreign_again::ForeignRevision};

/// Where what evidence of devices that are not enrolled is judged by changed since it was judged last, or a manifest came to
/// its end, all of it is judged again: at the start too, for nobody knows what happened before.
pub(super) async fn reconcile(app: &App, judged: &mut Option<ForeignRevision>) -> Result<(), Failure> {
    let revision = app.foreign_revision();
    if *judged != Some(revision) {
        app.judge_all_foreign_again().await?;
        // Only now: what failed half-way is done again.
        *judged = Some(revision);
    }
    Ok(())
}
