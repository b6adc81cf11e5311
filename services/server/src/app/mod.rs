//! What the server decides, one file a noun. HTTP is above, SQL below.

pub(crate) mod advisories;
mod alarms;
pub(crate) mod answers;
mod appraisal;
pub(crate) mod attestation;
mod authorities;
pub(crate) mod bundle;
pub(crate) mod campaigns;
pub(crate) mod capabilities;
pub(crate) mod challenge;
mod comparison;
pub(crate) mod credentials;
pub(crate) mod criteria;
pub(crate) mod decisions;
mod device_flows;
pub(crate) mod devices;
pub(crate) mod distribution;
mod endorsements;
pub(crate) mod enrolment;
mod epoch;
pub(crate) mod failure;
mod flows;
mod foreign;
pub(crate) mod foreign_again;
mod foreign_views;
pub(crate) mod gateways;
pub(crate) mod holds;
pub(crate) mod limiter;
mod maker_report;
pub(crate) mod network;
pub(crate) mod objects;
pub(crate) mod onboarding;
pub(crate) mod overrides;
mod reappraisal;
pub(crate) mod reasons;
mod release_rows;
pub(crate) mod releases;
pub(crate) mod reports;
mod scans;
pub(crate) mod violations;
mod vouchers;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Instant,
};

use crypto::Zeroizing;
use fdo::RendezvousInfo;
use jiff::Timestamp as Moment;
use store::{DeviceId, ReleaseId, Store, Timestamp};
use tokio::sync::Notify;

pub(crate) use failure::Failure;

use crate::{
    Config, Error,
    app::{
        challenge::Challenger,
        limiter::Limiter,
        onboarding::{OnboardingKeys, Sealer},
        releases::Book,
    },
    keys::{self, OwnKey, ResultKey},
};

/// Locks of devices. More than work at once, fewer than there are devices.
const SHARES: usize = 256;

/// The application: shared by every request and reconciler.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) result_key: ResultKey,
    /// Signs what devices are answered when they ask for updates.
    pub(crate) update_key: OwnKey,
    /// Signs answers about what endorsers say.
    pub(crate) distribution_key: OwnKey,
    pub(crate) challenger: Challenger,
    pub(crate) limiter: Limiter,
    pub(crate) report_limiter: Limiter,
    /// First messages of onboarding, by address.
    onboarding_limiter: Limiter<IpAddr>,
    onboarding_keys: OnboardingKeys,
    onboarding_sealer: Sealer,
    templates: RwLock<Arc<BTreeMap<String, api::OnboardingTemplate>>>,
    /// When the last session of onboarding began, in microseconds: each begins at a moment of its own.
    last_moment: AtomicI64,
    /// URL of this server for devices.
    pub(crate) public_url: String,
    /// Certificates that stand behind the server's own.
    own_certificates: Vec<Vec<u8>>,
    /// Where devices that are made here look for their owner, and those that were set up here.
    rendezvous: Option<RendezvousInfo>,
    rendezvous_of_owned: Option<RendezvousInfo>,
    /// Becomes true when the server ends.
    pub(crate) closing: tokio::sync::watch::Sender<bool>,
    /// Wakes the reconcilers.
    pub(crate) nudge: Notify,
    /// Wakes whoever registers devices with rendezvous servers.
    pub(crate) registration_nudge: Notify,
    secret: Zeroizing<Vec<u8>>,
    book: RwLock<Arc<Book>>,
    endorsed: RwLock<Arc<trust::Endorsements>>,
    advised: RwLock<Arc<advisories::Advisories>>,
    scanned: RwLock<Arc<Vec<trust::VerifiedScan>>>,
    vouched: RwLock<Arc<vouchers::Vouched>>,
    /// Serialises the reading of releases, advisories, scans and vouchers, so that a slow reading never replaces a newer one.
    reading: tokio::sync::Mutex<()>,
    criteria: RwLock<Arc<criteria::Criteria>>,
    /// Counts up whenever releases, denied digests or rules change.
    basis_revision: AtomicU64,
    /// Counts up whenever manifests change, by which evidence of devices that are not enrolled is judged as well.
    foreign_revision: AtomicU64,
    sandbox: Mutex<rules::Sandbox>,
    /// When the rows beside a release were last compared with it, and were the same.
    compared: Mutex<BTreeMap<ReleaseId, Instant>>,
    /// Releases that are not what is stored of them, as somebody found who used them.
    suspects: Mutex<BTreeSet<ReleaseId>>,
    /// Devices that were judged by what changed meanwhile.
    unsettled: Mutex<BTreeSet<DeviceId>>,
    /// One lock for each share of the devices.
    devices: [tokio::sync::Mutex<()>; SHARES],
    gateway_state: Mutex<Option<gateways::Cached>>,
}

impl App {
    /// `public_url` is where devices reach the server, and `own_certificates` what stands behind its certificate.
    pub(crate) async fn start(
        mut config: Config,
        store: Store,
        public_url: String,
        own_certificates: Vec<Vec<u8>>,
    ) -> Result<Self, Error> {
        let folder = config.data.join("keys");
        keys::private_folder(&folder)?;
        let secret = keys::sealing_secret(&folder.join("sealing.key"))?;
        let now = config.clock.now().seconds();
        let onboarding_keys =
            OnboardingKeys::load(&folder, &config.roles, config.onboarding.rsa_keys, &config.site, now)?;
        // What is made here and sold to us counts, whoever else's does.
        config.vouchers.manufacturers.extend(onboarding_keys.manufacturers());
        config.vouchers.owners.extend(onboarding_keys.owners());
        let settings = &config.onboarding;
        let rendezvous = match settings.rendezvous_urls.as_slice() {
            [] => vec![public_url.clone()],
            urls => urls.to_vec(),
        };
        let app = Self {
            result_key: ResultKey::load(&folder.join("result.key"))?,
            // What devices take as the key of their update server.
            update_key: OwnKey::load(&folder.join("update.key"), "update-server.key")?,
            // What verifiers take as the key of their distributor.
            distribution_key: OwnKey::load(&folder.join("distribution.key"), "distributor.key")?,
            challenger: Challenger::new(secret.clone(), config.session_lifetime),
            limiter: Limiter::new(config.attestations_a_minute),
            report_limiter: Limiter::new(config.reports_a_minute),
            onboarding_limiter: Limiter::with_burst(
                settings.sessions_a_minute,
                settings.sessions_at_once.into(),
            ),
            onboarding_sealer: Sealer::new(&secret, settings.session_lifetime)?,
            onboarding_keys,
            templates: RwLock::default(),
            last_moment: AtomicI64::new(0),
            rendezvous: onboarding::rendezvous_at(&rendezvous),
            rendezvous_of_owned: onboarding::rendezvous_and_owner(&rendezvous, &public_url),
            public_url,
            own_certificates,
            closing: tokio::sync::watch::Sender::new(false),
            nudge: Notify::new(),
            registration_nudge: Notify::new(),
            secret,
            book: RwLock::default(),
            endorsed: RwLock::default(),
            advised: RwLock::default(),
            scanned: RwLock::default(),
            vouched: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
            criteria: RwLock::default(),
            basis_revision: AtomicU64::new(0),
            foreign_revision: AtomicU64::new(0),
            sandbox: Mutex::new(rules::Sandbox::new(config.rules_worker.clone())),
            compared: Mutex::default(),
            suspects: Mutex::default(),
            unsettled: Mutex::default(),
            devices: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            gateway_state: Mutex::default(),
            config,
            store,
        };
        app.read_advisories().await?;
        app.read_releases().await?;
        app.read_endorsements().await?;
        app.read_criteria().await?;
        app.read_scans().await?;
        app.read_vouchers().await?;
        app.read_onboarding_templates().await?;
        Ok(app)
    }

    /// The time, or a little later: never twice the same.
    fn fresh_moment(&self) -> Timestamp {
        let now = self.now().micros();
        let next = |last: i64| Some(now.max(last.saturating_add(1)));
        let last = self.last_moment.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        Timestamp::from_micros(now.max(last.unwrap_or_default().saturating_add(1)))
    }

    /// The time, as every part of the server sees it.
    pub(crate) fn now(&self) -> Timestamp {
        self.config.clock.now()
    }

    /// Waits until nobody else reads and changes this device.
    pub(crate) async fn alone_with(&self, device: &DeviceId) -> tokio::sync::MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        device.hash(&mut hasher);
        let share = usize::try_from(hasher.finish() % SHARES as u64).unwrap_or_default();
        self.devices[share].lock().await
    }

    /// The releases as last verified.
    pub(crate) fn book(&self) -> Arc<Book> {
        self.book.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

/// A moment in the form of RFC 3339.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    Moment::from_microsecond(at.micros()).unwrap_or_default().to_string()
}

/// A moment in the form of RFC 3339, read.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    text.parse::<Moment>().ok().map(|moment| Timestamp::from_micros(moment.as_microsecond()))
}
