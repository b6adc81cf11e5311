//! Where the product's own servers are: what was set, and what the server's name stands for now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::{Config, StartError};
use crate::Endpoint;

/// The way to attestation, update and onboarding, which is open to every device that is not blocked.
pub(super) struct Servers {
    set: BTreeSet<SocketAddr>,
    /// Servers that are not called by their address.
    named: Vec<Named>,
}

/// A server by its name.
struct Named {
    name: String,
    port: u16,
    /// What the name stood for, and when that was last seen.
    seen: BTreeMap<SocketAddr, Instant>,
}

impl Servers {
    /// As the settings say; names are not resolved yet.
    pub(super) fn of(config: &Config) -> Result<Self, StartError> {
        let not_one = || StartError::Setting(format!("not a URL: {:?}", config.server));
        let uri: Uri = config.server.parse().map_err(|_| not_one())?;
        let host = uri.host().ok_or_else(not_one)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(HTTPS);
        let mut set: BTreeSet<SocketAddr> = config.management.iter().copied().collect();
        let mut named = Vec::new();
        for (host, port) in
            [(host, port)].into_iter().chain(config.onboarding.iter().map(|(h, p)| (h.as_str(), *p)))
        {
            match host.parse() {
                Ok(address) => _ = set.insert(SocketAddr::new(address, port)),
                Err(_) => {
                    let name = host.trim_end_matches('.').to_ascii_lowercase();
                    named.push(Named { name, port, seen: BTreeMap::new() });
                }
            }
        }
        Ok(Self { set, named })
    }

    /// The names that every device may ask for, whatever its policy says.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(|server| server.name.as_str())
    }

    /// Asks what the names stand for; this may take long. Says whether that changed what is to be open.
    pub(super) fn look(&mut self) -> bool {
        let before = self.endpoints();
        for server in &mut self.named {
            match (server.name.as_str(), server.port).to_socket_addrs() {
                Ok(found) => server.see(found.collect(), Instant::now()),
                Err(error) => {
                    let name = &server.name;
                    tracing::warn!(name, %error, "a server's name has no address; what was known stays open");
                }
            }
        }
        self.endpoints() != before
    }

    /// How long to wait before another look.
    pub(super) fn pause(&self) -> Duration {
        if self.named.iter().any(|server| server.seen.is_empty()) { LOOK_FIRST } else { LOOK_AGAIN }
    }

    /// What is to be open.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let seen = self.named.iter().flat_map(|server| server.seen.keys());
        let all: BTreeSet<&SocketAddr> = self.set.iter().chain(seen).collect();
        all.into_iter().map(|at| Endpoint { address: at.ip(), protocol: TCP, port: at.port() }).collect()
    }
}

impl Named {
    /// Addresses stay for a while after the name no longer gives them: devices and resolvers remember, too.
    fn see(&mut self, found: Vec<SocketAddr>, now: Instant) {
        self.seen.retain(|_, at| now.saturating_duration_since(*at) < KEEP);
        for address in found {
            if self.seen.len() < MAX_SEEN || self.seen.contains_key(&address) {
                self.seen.insert(address, now);
            }
        }
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
        let named = ["sextant.example", "rv.example"].map(|name| Named {
            name: name.into(),
            port: 8443,
            seen: BTreeMap::new(),
        });
        Servers { set, named: named.into() }
    }

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, last], 8443))
    }

    fn open(servers: &Servers) -> Vec<SocketAddr> {
        servers.endpoints().iter().map(|open| SocketAddr::new(open.address, open.port)).collect()
    }

    #[test]
    fn follows_each_name_and_forgets_late() {
        let mut servers = servers();
        let begin = Instant::now();
        let fixed: SocketAddr = "192.0.2.1:443".parse().unwrap();
        assert_eq!(servers.pause(), LOOK_FIRST);
        assert_eq!(servers.names().collect::<Vec<_>>(), ["sextant.example", "rv.example"]);
        servers.named[0].see(vec![at(1)], begin);
        assert_eq!(servers.pause(), LOOK_FIRST, "the other one has no address yet");
        servers.named[1].see(vec![at(9)], begin);
        assert_eq!(servers.pause(), LOOK_AGAIN);
        servers.named[0].see(vec![at(2)], begin + Duration::from_secs(60));
        assert_eq!(open(&servers), [fixed, at(1), at(2), at(9)]);
        servers.named[0].see(Vec::new(), begin + Duration::from_secs(3599));
        assert_eq!(open(&servers), [fixed, at(1), at(2), at(9)]);
        servers.named[0].see(vec![at(2)], begin + Duration::from_secs(3600));
        assert_eq!(open(&servers), [fixed, at(2), at(9)], "the old one is gone, and another name's is not");
    }

    #[test]
    fn a_name_with_many_addresses_opens_a_bounded_number() {
        let mut servers = servers();
        servers.named[0].see((0..=255).map(at).collect(), Instant::now());
        assert_eq!(servers.endpoints().len(), MAX_SEEN + 1);
    }
}
