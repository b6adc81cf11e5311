//! The forwarding resolver of the gateway: a name's addresses are in the rules before the device hears of them.
//!
//! A policy permits names, packets carry addresses, and answers differ from minute to minute and from place to place.
//! So devices ask us. The addresses of an answer go into the sets of every policy that lists the *question's* name,
//! the transaction is committed, and only then is the answer released.

mod answer;
mod forward;
mod habits;

use std::net::IpAddr;

pub use answer::answered;
pub use forward::{Forwarder, Upstream};
pub use habits::{Asked, Habits};

use crate::{DeviceId, Error};

/// What the forwarder has to know of policies, and to tell them.
pub trait Names: Send + Sync {
    /// Who asks, and may it know the name? The name is in lower case without the trailing dot.
    fn standing(&self, source: IpAddr, name: &str) -> Standing;

    /// Makes the addresses reachable for whoever's policy lists the name, for at least `lifetime` seconds.
    /// When this returns, the kernel permits them.
    fn learn(&self, name: &str, addresses: &[IpAddr], lifetime: u32) -> Result<(), Error>;

    /// Remembers for which name addresses were given that no policy lists. It opens nothing.
    fn note(&self, _name: &str, _addresses: &[IpAddr], _lifetime: u32) {}
}

/// A device's relation to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Whoever asks needs the name to become trusted: it is that of the product's own servers, to which the rules
    /// already open a way. Its answer changes no rule, and may be private as the site's own names are.
    Needed,
    /// No device has this address.
    Stranger,
    /// The device's policy lists the name.
    Listed(DeviceId),
    /// It does not.
    Unlisted {
        /// Who asks.
        device: DeviceId,
        /// Whether the device is held to names that its policy lists.
        restricted: bool,
    },
}
