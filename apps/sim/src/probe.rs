//! Probes: what a device can reach, found out by trying.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use crate::{echo, icmp, netns::Namespace};

/// A service that a device may try to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Whose.
    pub address: IpAddr,
    /// Which.
    pub service: Service,
}

/// What is asked of the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// A connection to this port.
    Tcp(u16),
    /// An echoed datagram from this port.
    Udp(u16),
    /// An answer to an echo request.
    Ping,
}

/// Tries all targets from a namespace at once; gives those that answered in time.
pub fn probe(space: &Namespace, targets: &[Target], patience: Duration) -> BTreeSet<Target> {
    space.enter(|| {
        thread::scope(|scope| {
            let tries: Vec<_> =
                targets.iter().map(|target| (target, scope.spawn(|| target.answers(patience)))).collect();
            let answered = tries
                .into_iter()
                .filter_map(|(target, probe)| probe.join().unwrap_or(false).then_some(*target));
            answered.collect()
        })
    })
}

impl Target {
    /// Whether it answers this thread's namespace in time.
    fn answers(&self, patience: Duration) -> bool {
        match self.service {
            Service::Tcp(port) => {
                TcpStream::connect_timeout(&SocketAddr::new(self.address, port), patience).is_ok()
            }
            Service::Udp(port) => echo::is_echoed(SocketAddr::new(self.address, port), patience),
            Service::Ping => icmp::answers(self.address, patience).unwrap_or(false),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.service {
            Service::Tcp(port) => write!(f, "tcp {}", SocketAddr::new(self.address, port)),
            Service::Udp(port) => write!(f, "udp {}", SocketAddr::new(self.address, port)),
            Service::Ping => write!(f, "ping {}", self.address),
        }
    }
}
