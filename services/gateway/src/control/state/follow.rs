//! Addresses that a device is heard with and did not prove: it may have them for a while, when nobody else has.
//!
//! Whoever can send frames in the name of a device's MAC can send packets with its proven addresses as well, so another address
//! beside those gains it nothing. What would gain something is refused: an address that another device has, or that means
//! something to policies.

use std::net::IpAddr;

use super::{Place, State};
use crate::{DeviceId, Mac};

/// What came of a device being heard with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The device has it now, and had not before.
    New(DeviceId),
    /// The device has it already.
    Known(DeviceId),
    /// No device has the MAC, or more than one, or the one has no fresh result.
    Nobody,
    /// Another device has the address.
    Taken {
        /// Whose MAC was heard.
        device: DeviceId,
        /// Who has the address.
        holder: DeviceId,
    },
    /// The device has as many addresses as it may.
    Full(DeviceId),
}

impl State {
    /// Lets an admitted device have an address that it was heard with, until `until`, in seconds since 1970. Proven addresses make
    /// no room for it, nor do other devices'.
    pub fn follow(&mut self, mac: Mac, address: IpAddr, until: i64, now: i64) -> Followed {
        let Some(id) = self.only_device_of(mac).cloned() else { return Followed::Nobody };
        match self.holders.get(&address) {
            Some(holder) if *holder != id => {
                return Followed::Taken { device: id, holder: holder.clone() };
            }
            holder => {
                let held = holder.is_some();
                let Some(device) = self.devices.get_mut(&id).filter(|device| device.is_fresh(now)) else {
                    return Followed::Nobody;
                };
                let Some(place) = &mut device.place else { return Followed::Nobody };
                if held {
                    if let Some(end) = place.followed.get_mut(&address) {
                        *end = until.max(*end);
                    }
                    return Followed::Known(id);
                }
                if place.addresses.len() >= Self::MAX_ADDRESSES {
                    return Followed::Full(id);
                }
                place.addresses.push(address);
                place.followed.insert(address, until);
            }
        }
        self.holders.insert(address, id.clone());
        self.changed.devices.insert(id.clone());
        Followed::New(id)
    }

    /// Takes an address from the device with this MAC, which gave it back or whose lease of it has ended. Says whether it had it.
    pub fn release(&mut self, mac: Mac, address: IpAddr) -> bool {
        let Some(id) = self.holders.get(&address).cloned() else { return false };
        let has = self
            .devices
            .get(&id)
            .and_then(|device| device.place.as_ref())
            .is_some_and(|place| place.mac == mac);
        if has {
            self.leave(&id, address);
        }
        has
    }

    /// Addresses whose time has come, of those that were not proven.
    pub fn outlived(&self, now: i64) -> Vec<(Mac, IpAddr)> {
        let places = self.devices.values().filter_map(|device| device.place.as_ref());
        let of = |place: &Place| {
            let mac = place.mac;
            let ended = place.followed.iter().filter(move |(_, until)| **until <= now);
            ended.map(move |(address, _)| (mac, *address)).collect::<Vec<_>>()
        };
        places.flat_map(of).collect()
    }

    /// Lets the device that has an address by hearsay keep it until then.
    pub fn prolong(&mut self, address: IpAddr, until: i64) {
        let place = self.holders.get(&address).and_then(|id| self.devices.get_mut(id)?.place.as_mut());
        if let Some(end) = place.and_then(|place| place.followed.get_mut(&address)) {
            *end = until.max(*end);
        }
    }

    /// When the next address comes to its end that was not proven.
    pub fn follow_due(&self) -> Option<i64> {
        let places = self.devices.values().filter_map(|device| device.place.as_ref());
        places.flat_map(|place| place.followed.values()).min().copied()
    }

    /// The device that was admitted from this MAC, when it is one.
    fn only_device_of(&self, mac: Mac) -> Option<&DeviceId> {
        let mut devices = self.macs.range((mac, None)..).take_while(|(other, _)| *other == mac);
        let (_, only) = devices.next()?;
        if devices.next().is_some() { None } else { only.as_ref() }
    }
}
