//! What a gateway makes of what it hears about devices that were admitted.

use std::net::IpAddr;

use super::{Controller, Followed};
use crate::{AddressRange, Heard, News};

/// Whether, and where, admitted devices may have addresses that they did not prove.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// Networks of the LAN, without those that every link has; none where nobody is followed.
    networks: Vec<AddressRange>,
}

impl Following {
    /// Follows devices to addresses of these networks.
    pub(super) fn within(networks: Vec<AddressRange>) -> Self {
        Self { networks }
    }

    /// One thing that was heard. Of an admitted device, what it announces is nothing but a signal: its release says where its policy
    /// is.
    pub(super) fn heard(&self, controller: &Controller, heard: &Heard, now: i64) {
        let mac = heard.mac;
        match &heard.news {
            News::Announces { url, by } => tracing::info!(%mac, %url, ?by, "a MUD file is announced"),
            News::Contradicts(by) => tracing::warn!(%mac, ?by, "announcements of a MUD file contradict"),
            News::Uses { address, until } if self.covers(controller, *address) => {
                match controller.follow(mac, *address, *until, now) {
                    Followed::New(device) => {
                        tracing::info!(device.id = %device, %mac, %address, "a device is followed to an address");
                    }
                    Followed::Taken { device, holder } => tracing::warn!(
                        device.id = %device, %mac, %address, %holder,
                        "a device is heard with the address of another"
                    ),
                    Followed::Full(device) => {
                        tracing::warn!(device.id = %device, %mac, %address, "a device has too many addresses");
                    }
                    Followed::Known(_) | Followed::Nobody => {}
                }
            }
            News::Uses { .. } => {}
            News::Releases(address) if !self.networks.is_empty() => controller.release(mac, *address, now),
            News::Releases(_) => {}
        }
    }

    fn covers(&self, controller: &Controller, address: IpAddr) -> bool {
        // The ends of a network are nobody's.
        let within = |network: &AddressRange| {
            network.contains(address) && network.first() != address && network.last() != address
        };
        self.networks.iter().any(within)
            && !controller.enforcer().with(|enforcer| enforcer.is_reserved(address))
    }
}
