use crate::app::{App, Failure};

/// Reads every release again. Where one stopped or began to hold, its devices are judged again from their evidence;
/// where releases changed, every device is decided about again.
pub(super) async fn reconcile(app: &App, standings_changed: bool) -> Result<(), Failure> {
    app.read_releases().await?;
    let unsettled: Vec<_> = app.unsettled().iter().copied().collect();
    for release in &unsettled {
        for device in app.store.devices_running(release).await? {
            app.reappraise(&device.id).await?;
        }
    }
    if standings_changed || !unsettled.is_empty() {
        super::decide_all(app).await?;
    }
    // Only now: what failed half-way is done again.
    app.unsettled().retain(|release| !unsettled.contains(release));
    Ok(())
}
