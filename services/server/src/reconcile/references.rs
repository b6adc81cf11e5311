use std::collections::BTreeSet;

use crate::app::{App, Failure};

/// Reads every release again. Where one stopped or began to hold, its devices are judged again from their evidence;
/// where releases changed, every device is decided about again.
pub(super) async fn reconcile(app: &App, standings_changed: bool) -> Result<(), Failure> {
    let before: BTreeSet<_> =
        app.book().iter().filter(|entry| entry.verified.is_ok()).map(|entry| entry.record.id).collect();
    let changed = app.read_releases().await?;
    for release in &changed {
        if before.contains(release) {
            for device in app.store.devices_running(release).await? {
                app.reappraise(&device).await?;
            }
        }
    }
    if standings_changed || !changed.is_empty() {
        super::decide_all(app).await?;
    }
    Ok(())
}
