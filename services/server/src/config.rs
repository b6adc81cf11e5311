use std::{ffi::OsString, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use cose::TrustAnchors;
use eat::MeasuredComponentFormats;
use trust::{Policy, VoucherAnchors};
use x509::Certificate;

use crate::clock::{Clock, SystemClock};

/// How a server runs. [`Config::new`] gives the defaults; the fields are free to change before it starts.
#[derive(Clone)]
pub struct Config {
    /// Folder of the database, of its own keys and of its certificate.
    pub data: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names and addresses that its certificate is for, besides those of this machine's loopback.
    pub names: Vec<String>,
    /// Which of its parts answer.
    pub roles: Vec<Role>,
    /// Name of the site, on its pages.
    pub site: String,
    /// The operator's appraisal and posture policy.
    pub policy: Policy,
    /// Issuers of MUD signers; when there are none, the manifest's pin of the signer's key is enough.
    pub mud_issuers: Vec<Certificate>,
    /// Whether every MUD file that asks for much is accepted without an approval of its own.
    pub broad_mud_approved: bool,
    /// Who signs reference values and endorsements of devices that are not enrolled here, with a key.
    pub endorsers: TrustAnchors,
    /// Issuers of certificates of those who sign them.
    pub endorser_issuers: Vec<Certificate>,
    /// Who certifies keys with which devices that are not enrolled here attest.
    pub attester_authorities: Vec<Certificate>,
    /// The Content-Formats of measured components in tokens of devices that are not enrolled here: none is registered.
    pub measured_components: Option<MeasuredComponentFormats>,
    /// Profile of results in JSON about devices that are not enrolled here.
    pub result_profile: String,
    /// Whose ownership vouchers bind keys to devices that are not enrolled here: who makes them, and to whom they are sold.
    pub vouchers: VoucherAnchors,
    /// Who signs overrides; when there is nobody, overrides are relayed unread.
    pub override_anchors: TrustAnchors,
    /// The program, with its arguments, that runs rules in a process of its own; without it there are no rules.
    pub rules_worker: Vec<OsString>,
    /// Who signs statements on scans of releases.
    pub scanners: TrustAnchors,
    /// Making and onboarding devices.
    pub onboarding: OnboardingConfig,
    /// How long a challenge waits for its evidence.
    pub session_lifetime: Duration,
    /// How long an epoch lasts: evidence may answer the handle of the present one or the one before.
    pub epoch: Duration,
    /// How long a device may take from its offer to attesting the release.
    pub trial_limit: Duration,
    /// What devices are told to wait between polls for updates.
    pub poll_interval: Duration,
    /// How often a device may attest: at most this many times a minute, averaged.
    pub attestations_a_minute: u32,
    /// How long results and decisions are remembered that no device stands on any more. The audit chain stays.
    pub keep_results: Duration,
    /// How often a device may report: at most this many times a minute, averaged.
    pub reports_a_minute: u32,
    /// How long a client may take to send the head of a request, or to finish TLS.
    pub head_timeout: Duration,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// How often what must be true is looked at without a nudge.
    pub period: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A part of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Challenges, appraisal and results.
    Verifier,
    /// The update API of devices.
    Update,
    /// The API of people, programs and gateways, and the pages.
    Manage,
    /// Making devices (FDO, DI). Whoever reaches it has devices made: it is for networks of factories.
    Manufacturer,
    /// Where owners say where they are, and devices ask (FDO, TO0 and TO1).
    Rendezvous,
    /// Onboarding devices that are ours by a voucher (FDO, TO2).
    Owner,
}

/// Making and onboarding devices (FIDO Device Onboard).
#[derive(Clone, Debug)]
pub struct OnboardingConfig {
    /// URL by which devices reach this server; made of its first name and its port where it is not said.
    pub public_url: Option<String>,
    /// Rendezvous servers of devices that are made or set up here; this one unless said otherwise.
    pub rendezvous_urls: Vec<String>,
    /// To whom devices are sold when they are made.
    pub sell_to: Option<fdo::Key>,
    /// Owners who may register here, beside ourselves.
    pub rendezvous_owners: Vec<fdo::Key>,
    /// Manufacturers whose devices' owners may register here.
    pub rendezvous_manufacturers: Vec<fdo::Key>,
    /// Whether manufacturer and owner have RSA keys as well, for devices that want no others.
    pub rsa_keys: bool,
    /// Whether devices may encrypt by AES-CTR or AES-CBC and HMAC as well, which implementations disagree about.
    pub all_ciphers: bool,
    /// The longest that an owner is remembered.
    pub longest_wait: Duration,
    /// How long rendezvous servers are asked to remember us.
    pub registration_lifetime: Duration,
    /// Registrations of one owner.
    pub registrations_of_owner: u32,
    /// Registrations of all.
    pub registrations: u32,
    /// How long a session may last.
    pub session_lifetime: Duration,
    /// How many sessions may begin from one address in a minute, averaged.
    pub sessions_a_minute: u32,
    /// How many may begin from one address at once.
    pub sessions_at_once: u32,
}

impl Default for OnboardingConfig {
    fn default() -> Self {
        Self {
            public_url: None,
            rendezvous_urls: Vec::new(),
            sell_to: None,
            rendezvous_owners: Vec::new(),
            rendezvous_manufacturers: Vec::new(),
            rsa_keys: false,
            all_ciphers: false,
            longest_wait: Duration::from_secs(30 * 24 * 3600),
            registration_lifetime: Duration::from_secs(7 * 24 * 3600),
            registrations_of_owner: 1_000_000,
            registrations: 4_000_000,
            session_lifetime: Duration::from_secs(600),
            sessions_a_minute: 6000,
            sessions_at_once: 1000,
        }
    }
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Verifier, Self::Update, Self::Manage, Self::Manufacturer, Self::Rendezvous, Self::Owner];

    /// What a server does of which nothing is said: everything but making devices.
    pub const DEFAULT: [Self; 5] =
        [Self::Verifier, Self::Update, Self::Manage, Self::Rendezvous, Self::Owner];

    /// Its word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verifier => "verifier",
            Self::Update => "update",
            Self::Manage => "manage",
            Self::Manufacturer => "manufacturer",
            Self::Rendezvous => "rendezvous",
            Self::Owner => "owner",
        }
    }

    /// The role of this word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl Config {
    /// A server with every role on all addresses of port 8443, its data in this folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: SocketAddr::from(([0u16; 8], 8443)),
            names: Vec::new(),
            roles: Role::DEFAULT.to_vec(),
            site: "Sextant".to_owned(),
            policy: Policy::default(),
            mud_issuers: Vec::new(),
            broad_mud_approved: false,
            endorsers: TrustAnchors::default(),
            endorser_issuers: Vec::new(),
            attester_authorities: Vec::new(),
            measured_components: None,
            result_profile: eat::RESULT_PROFILE.to_owned(),
            vouchers: VoucherAnchors::default(),
            onboarding: OnboardingConfig::default(),
            override_anchors: TrustAnchors::default(),
            rules_worker: Vec::new(),
            scanners: TrustAnchors::default(),
            session_lifetime: Duration::from_secs(150),
            epoch: Duration::from_secs(120),
            trial_limit: Duration::from_secs(900),
            poll_interval: Duration::from_secs(30),
            attestations_a_minute: 60,
            keep_results: Duration::from_secs(30 * 24 * 3600),
            reports_a_minute: 60,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            period: Duration::from_secs(5),
            clock: Arc::new(SystemClock),
        }
    }
}
