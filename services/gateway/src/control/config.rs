//! What the process is told when it starts, and why it may refuse to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::TlsMode;

/// Settings of a gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name in reports.
    pub name: String,
    /// URL of the server, `https`.
    pub server: String,
    /// Certificates (PEM) that the server's one must chain to.
    pub ca: PathBuf,
    /// File with the bearer token.
    pub token_file: PathBuf,
    /// Directory of the site's own anchors, see [`super::Anchors::load`].
    pub anchors: PathBuf,
    /// Settings of where MUD files come from besides releases, see [`crate::manager::Sources::load`]; nowhere without it.
    pub mud_sources: Option<PathBuf>,
    /// Directory of the journal.
    pub data: PathBuf,
    /// Interface behind which the devices are: a bridge whose ports are isolated.
    pub lan: String,
    /// Interface toward the rest of the world.
    pub wan: String,
    /// The gateway's addresses on the LAN; those of the interface when there are none.
    pub lan_addresses: Vec<IpAddr>,
    /// Resolvers to ask on behalf of devices. Without any there is no resolver.
    pub dns_upstream: Vec<SocketAddr>,
    /// Answer devices that ask other resolvers, in their place.
    pub dns_redirect: bool,
    /// A list of resolvers over HTTPS that devices may not use.
    pub block_doh: Option<PathBuf>,
    /// Domains whose names may have private addresses.
    pub private_domains: Vec<String>,
    /// Servers for attestation and update (TCP), open to every device that is not blocked.
    pub management: Vec<SocketAddr>,
    /// Hosts and ports of rendezvous servers and owners (TCP), by address or by name: open likewise, for devices that have no
    /// owner here yet.
    pub onboarding: Vec<(String, u16)>,
    /// Time servers of the site.
    pub ntp: Vec<IpAddr>,
    /// Prefixes that `local-networks` means (RFC 8520, section 4.5).
    pub local_networks: Vec<(IpAddr, u8)>,
    /// TCP port of the admission service.
    pub admission_port: u16,
    /// Let admitted devices have addresses that they are heard with and did not prove.
    pub follow_addresses: bool,
    /// Seconds for which a device stays cut whose evidence was bad twice within half an hour; twice as long each further time.
    pub settle: u16,
    /// What becomes of flows whose handshake is not one that the release describes (RFC 9761).
    pub tls_profiles: TlsMode,
    /// Who stands between the devices and the gateway.
    pub edge: EdgeConfig,
}

/// Access servers and access points that are told what the gateway enforces. All of it may be absent.
#[derive(Clone, Debug, Default)]
pub struct EdgeConfig {
    /// Where an access server takes changes (RFC 5176), and the file with the secret that it and the gateway know.
    pub access_server: Option<(SocketAddr, PathBuf)>,
    /// Name of the filter that the access server has for policies with more rules than one packet has room for.
    pub named_filter: Option<String>,
    /// Where entries for the `authorize` file of FreeRADIUS go.
    pub authorize_file: Option<PathBuf>,
    /// Control socket of hostapd.
    pub access_point: Option<PathBuf>,
}

impl Config {
    /// Port of the admission service unless another is set.
    pub const ADMISSION_PORT: u16 = 8480;
}

/// Why a gateway does not start.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file of the anchors directory cannot be used.
    #[error("anchor {file}: {why}")]
    Anchor {
        /// Its name.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The journal cannot be used. Starting without it would forget revocations.
    #[error("journal {file}: {why}")]
    Journal {
        /// Its name.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A setting makes no sense.
    #[error("{0}")]
    Setting(String),
    /// A service could not be opened.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// What the platform said.
        #[source]
        source: io::Error,
    },
    /// The kernel could not be made to enforce.
    #[error("the packet filter")]
    Enforcement(#[from] crate::Error),
}

impl StartError {
    /// For `map_err`: says what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }
}
