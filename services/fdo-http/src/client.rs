use std::time::Duration;

use fdo::{Pins, SubProtocol, Target};

use crate::{Error, Session, TlsPolicy};

/// How servers are talked to. One serves any number of sessions.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Which certificates servers may have, beside what rendezvous information pins.
    pub tls: TlsPolicy,
    /// How long things may take.
    pub limits: Limits,
}

/// How long things may take. A message and its answer are bounded by [`fdo::MAX_MESSAGE_LEN`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until there is a connection.
    pub connect: Duration,
    /// Between two pieces of an answer, and until the first.
    pub stall: Duration,
    /// For a message and its answer.
    pub exchange: Duration,
    /// For a protocol from its first message to its last, so that no server keeps a device for ever.
    pub session: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            exchange: Duration::from_secs(60),
            session: Duration::from_secs(30 * 60),
        }
    }
}

impl Client {
    /// Begins a protocol with a server. Nothing is sent yet.
    pub fn open(&self, protocol: SubProtocol, target: &Target, pins: &Pins) -> Result<Session, Error> {
        Session::open(self, protocol, target, pins)
    }
}
