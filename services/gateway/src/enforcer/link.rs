//! The LAN as the enforcer knows it: who has a MAC or an address, what an address means, and the lock between ports.

use std::net::IpAddr;

use super::Enforcer;
use super::shadow::Shadow;
use crate::nft::{Side, TCP, bridge};
use crate::{Class, DeviceId, Error, Flow, Interface, Mac, PolicyId};

impl Enforcer {
    /// A device that has a MAC.
    pub fn device_of(&self, mac: Mac) -> Option<&DeviceId> {
        self.shadow.macs.get(&mac)?.first()
    }

    /// Whether a policy would let the other end of a TCP connection start what this end started: the entry is there, in the other
    /// direction.
    pub fn would_permit_mirrored(&self, device: &DeviceId, policy: PolicyId, start: &Flow) -> bool {
        let (Some(admitted), Some(staged)) =
            (self.shadow.devices.get(device), self.shadow.policies.get(&policy))
        else {
            return false;
        };
        let from_device = admitted.binding.addresses.contains(&start.source);
        let side = if from_device { Side::To } else { Side::From };
        start.protocol == TCP && staged.program.permits(side, &start.mirrored(), &self.shadow)
    }

    /// Whether connections of an address are tracked.
    pub fn has_flows(&mut self, address: IpAddr) -> Result<bool, Error> {
        Ok(!self.conntrack.entries(&[address])?.is_empty())
    }

    /// Whether an address is more than a place where a device may be: the gateway's own, a server's, a member of a class that the
    /// operator fills, or one that some policy names or knows by a name.
    pub fn is_reserved(&self, address: IpAddr) -> bool {
        let Shadow { site, named, names, policies, .. } = &self.shadow;
        let endpoints = site.management.iter().chain(&site.basics);
        let classes = named.iter().filter(|(class, _)| **class != Class::LocalNetworks);
        site.own.contains(&address)
            || endpoints.into_iter().any(|endpoint| endpoint.address == address)
            || classes.flat_map(|(_, members)| members).any(|range| range.contains(address))
            || names.values().flatten().any(|known| known.address == address)
            || policies
                .values()
                .any(|staged| staged.program.keys.iter().any(|(_, key)| key.address == address))
    }

    /// Locks the ports that the bridge has now against each other, where the kernel does that. Makes the lock anew, in one
    /// transaction.
    pub fn lock_ports(&mut self, ports: Vec<Interface>) {
        self.shadow.site.ports = ports;
        self.lock_bridge();
    }

    pub(super) fn lock_bridge(&mut self) {
        let Some(tx) = bridge(&self.shadow.site) else {
            self.bridge_locked = false;
            return;
        };
        let outcome = self.nft.commit(&tx);
        if let Err(error) = &outcome {
            tracing::warn!(%error, "no second lock between bridge ports");
        }
        self.bridge_locked = outcome.is_ok();
    }
}
