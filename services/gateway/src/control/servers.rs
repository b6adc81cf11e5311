//! Where the product's own servers are: what was set, and what the server's name stands for now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::{Config, StartError};
use crate::Endpoint;

/// The way to attestation and update, which is open to every device that is not blocked.
pub(super) struct Servers {
    set: BTreeSet<SocketAddr>,
    /// Name and port of a server that is not called by its address.
    name: Option<(String, u16)>,
    /// What the name stood for, and when that was last seen.
    seen: BTreeMap<SocketAddr, Instant>,
}

impl Servers {
    /// As the settings say; the name is not resolved yet.
    pub(super) fn of(config: &Config) -> Result<Self, StartError> {
        let not_one = || StartError::Setting(format!("not a URL: {:?}", config.server));
        let uri: Uri = config.server.parse().map_err(|_| not_one())?;
        let host = uri.host().ok_or_else(not_one)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(HTTPS);
        let mut set: BTreeSet<SocketAddr> = config.management.iter().copied().collect();
        let name = match host.parse() {
            Ok(address) => {
                set.insert(SocketAddr::new(address, port));
                None
            }
            Err(_) => Some((host.trim_end_matches('.').to_ascii_lowercase(), port)),
        };
        Ok(Self { set, name, seen: BTreeMap::new() })
    }

    /// The name that every device may ask for, whatever its policy says.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|(name, _)| name.as_str())
    }

    /// Asks what the name stands for; this may take long. Says whether that changed what is to be open.
    pub(super) fn look(&mut self) -> bool {
        let Some((name, port)) = &self.name else { return false };
        match (name.as_str(), *port).to_socket_addrs() {
            Ok(found) => self.see(found.collect(), Instant::now()),
            Err(error) => {
                tracing::warn!(name, %error, "the server's name has no address; what was known stays open");
                false
            }
        }
    }

    /// How long to wait before another look.
    pub(super) fn pause(&self) -> Duration {
        if self.seen.is_empty() { LOOK_FIRST } else { LOOK_AGAIN }
    }

    /// Addresses stay for a while after the name no longer gives them: devices and resolvers remember, too.
    fn see(&mut self, found: Vec<SocketAddr>, now: Instant) -> bool {
        let before = self.endpoints();
        self.seen.retain(|_, at| now.saturating_duration_since(*at) < KEEP);
        for address in found {
            if self.seen.len() < MAX_SEEN || self.seen.contains_key(&address) {
                self.seen.insert(address, now);
            }
        }
        self.endpoints() != before
    }

    /// What is to be open.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let all: BTreeSet<&SocketAddr> = self.set.iter().chain(self.seen.keys()).collect();
        all.into_iter().map(|at| Endpoint { address: at.ip(), protocol: TCP, port: at.port() }).collect()
    }
}

/// Port of `https`.
const HTTPS: u16 = 443;
/// IP protocol number.
const TCP: u8 = 6;
/// How often the name is looked up, without an address and with one.
const LOOK_FIRST: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long an address stays that the name no longer gives.
const KEEP: Duration = Duration::from_secs(3600);
/// Addresses of one name at a time.
const MAX_SEEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> Servers {
        let set = ["192.0.2.1:443".parse().unwrap()].into();
        Servers { set, name: Some(("sextant.example".into(), 8443)), seen: BTreeMap::new() }
    }

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, last], 8443))
    }

    fn open(servers: &Servers) -> Vec<SocketAddr> {
        servers.endpoints().iter().map(|open| SocketAddr::new(open.address, open.port)).collect()
    }

    #[test]
    fn follows_the_name_and_forgets_late() {
        let mut servers = servers();
        let begin = Instant::now();
        assert_eq!(servers.pause(), LOOK_FIRST);
        assert!(servers.see(vec![at(1)], begin));
        assert_eq!(servers.pause(), LOOK_AGAIN);
        assert!(!servers.see(vec![at(1)], begin), "nothing new");
        assert!(servers.see(vec![at(2)], begin + Duration::from_secs(60)));
        assert_eq!(open(&servers), ["192.0.2.1:443".parse().unwrap(), at(1), at(2)]);
        assert!(!servers.see(Vec::new(), begin + Duration::from_secs(3599)));
        assert!(servers.see(vec![at(2)], begin + Duration::from_secs(3600)), "the old one is gone");
        assert_eq!(open(&servers), ["192.0.2.1:443".parse().unwrap(), at(2)]);
    }

    #[test]
    fn a_name_with_many_addresses_opens_a_bounded_number() {
        let mut servers = servers();
        servers.see((0..=255).map(at).collect(), Instant::now());
        assert_eq!(servers.endpoints().len(), MAX_SEEN + 1);
    }
}
