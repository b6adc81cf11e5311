//! TO0: rendezvous servers are told where the owner of each waiting device is, before they forget it.

use std::{sync::Arc, time::Duration};

use fdo::{DeviceChain, OwnerAddress, Voucher};
use fdo_http::{Client, Limits};
use store::{Onboarding, Registered, Timestamp};
use tokio::task::JoinSet;

use crate::{
    app::{App, Failure},
    keys,
};

/// Registrations at once: each takes a thread until the other side answers.
const AT_ONCE: usize = 16;
/// Devices looked at together.
const BATCH: u32 = 256;
/// How long to wait after the first failure; each one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// The shortest time until a registration is renewed.
const SHORTEST_LIFE: i64 = 30;

/// Registers what is due until the server ends.
pub(crate) async fn run(app: Arc<App>) {
    let mut closing = app.closing.subscribe();
    loop {
        let work = reconcile(&app);
        tokio::select! {
            result = work => {
                if let Err(failure) = result {
                    tracing::error!(?failure, "registrations failed; they will be tried again");
                }
            }
            _ = closing.wait_for(|closing| *closing) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(app.config.period) => {}
            () = app.registration_nudge.notified() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}

/// What came of a device, and when it is due again.
type Noted = (store::Guid, Registered, Option<Timestamp>);

async fn reconcile(app: &Arc<App>) -> Result<(), Failure> {
    loop {
        let due = app.store.registrations_due(app.now(), BATCH).await?;
        if due.is_empty() {
            return Ok(());
        }
        let mut list: Vec<Noted> = Vec::with_capacity(due.len());
        let mut working = JoinSet::new();
        for device in due {
            if working.len() >= AT_ONCE
                && let Some(done) = working.join_next().await
            {
                list.extend(done.ok());
            }
            let voucher = app.voucher_to_onboard(&device).await;
            let app = app.clone();
            working.spawn_blocking(move || {
                let outcome = match voucher {
                    Some(voucher) => register(&app, &voucher),
                    None => Err("voucher-missing".to_owned()),
                };
                note(&app, &device, outcome)
            });
        }
        list.extend(working.join_all().await);
        app.store.note_registrations(list, app.now()).await?;
    }
}

/// Registers a device with every server that its voucher names. It is enough that one of them remembers; the answer is for how
/// many seconds all of those do, or nothing where there is none to be told. Fails with the code of the first failure.
fn register(app: &App, voucher: &[u8]) -> Result<Option<u32>, String> {
    let voucher = Voucher::decode(voucher).map_err(|error| error.code().to_owned())?;
    let owner = app.private_owner_key(voucher.owner().key()).ok_or("voucher-owner")?;
    let owned = voucher.claim(&owner.key(), DeviceChain::OfManufacturer);
    let owned = owned.map_err(|error| error.code().to_owned())?;
    let addresses: Vec<OwnerAddress> = app.owner_addresses().map_err(|_| "own-address".to_owned())?;
    let wait = u32::try_from(app.config.onboarding.registration_lifetime.as_secs()).unwrap_or(u32::MAX);
    let client = Client {
        limits: Limits {
            connect: Duration::from_secs(5),
            stall: Duration::from_secs(10),
            exchange: Duration::from_secs(15),
            session: Duration::from_secs(30),
        },
        ..Client::default()
    };
    let (mut seconds, mut failure): (Option<u32>, Option<String>) = (None, None);
    for outcome in fdo_http::register_everywhere(&client, &owned, &addresses, wait, owner) {
        match outcome {
            fdo_http::Registered::Remembered { seconds: remembered, .. } => {
                seconds = Some(seconds.unwrap_or(u32::MAX).min(remembered));
            }
            fdo_http::Registered::Unusable { reason, .. } => {
                failure.get_or_insert(reason.code().to_owned());
            }
            fdo_http::Registered::Failed(error) => {
                tracing::warn!(
                    target = %error.target,
                    code = error.code(),
                    error = &*error as &dyn std::error::Error,
                    "not registered with a rendezvous server"
                );
                failure.get_or_insert(error.code().to_owned());
            }
        }
    }
    match (seconds, failure) {
        (Some(seconds), _) => Ok(Some(seconds)),
        (None, Some(failure)) => Err(failure),
        (None, None) => Ok(None),
    }
}

fn note(app: &App, device: &Onboarding, outcome: Result<Option<u32>, String>) -> Noted {
    let now = app.now();
    match outcome {
        Ok(None) => (device.guid, Registered::NotNeeded, None),
        Ok(Some(seconds)) => {
            let seconds = i64::from(seconds);
            // Two thirds leave time for servers that do not answer when they should.
            let next = now.plus_seconds((seconds * 2 / 3).max(SHORTEST_LIFE));
            (device.guid, Registered::Until(now.plus_seconds(seconds)), Some(next))
        }
        Err(code) => {
            let doublings = u32::try_from(device.registration.tries).unwrap_or(u32::MAX).min(16);
            let wait = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT).as_secs();
            let [random] = keys::random::<1>();
            let wait = wait + wait * u64::from(random) / 1024;
            let next = now.plus_seconds(i64::try_from(wait).unwrap_or(i64::MAX));
            (device.guid, Registered::Failed(code), Some(next))
        }
    }
}
