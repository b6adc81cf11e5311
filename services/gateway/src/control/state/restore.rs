//! To the journal and back. Nothing that comes back is believed more than when it first came.

use std::collections::BTreeSet;
use std::net::IpAddr;

use api::Base64Url;
use crypto::Digest;
use trust::{Release, SignedOverride};

use super::{Changed, Damping, Device, InForce, Known, Place, State, subject};
use crate::control::answers::Answers;
use crate::control::hex::{self, hex, unhex};
use crate::control::{Anchors, Saved, SavedDevice, SavedRelease, SavedSite, attested};
use crate::manager::Unattested;
use crate::{DeviceId, Mac};

impl State {
    /// What was known before a restart, verified again: anchors may have been removed since. Releases are judged by
    /// the time at which they were accepted, because a signer's certificate may end while its file stays good.
    pub fn restore(anchors: Anchors, saved: &Saved, now: i64) -> Self {
        let mut state = Self::new(anchors);
        state.revoked = saved.site.revoked.iter().filter_map(|text| hex::release(text)).collect();
        for bytes in &saved.site.overrides {
            match SignedOverride::verify(&bytes.0, &state.anchors.keys) {
                Ok(signed) => {
                    state.overrides.insert(signed.content().id, InForce { signed, bytes: bytes.0.clone() });
                }
                Err(reason) => tracing::warn!(%reason, "a saved override is believed no longer"),
            }
        }
        for saved in &saved.releases {
            state.restore_release(saved);
        }
        for saved in &saved.devices {
            state.restore_device(saved, now);
        }
        state.answers = Answers::restore(&saved.answers);
        state.attested = saved.site.attested.iter().filter_map(|mac| Mac::parse(mac)).collect();
        state.accepted = saved.site.accepted.iter().filter_map(|text| hex::release(text)).collect();
        let sources = state.anchors.sources.clone();
        state.unattested = Unattested::restored(sources, &saved.residents, &saved.models, now);
        state.keep_apart();
        state.changed = Changed { everything: true, ..Changed::default() };
        state
    }

    /// A release for the journal.
    pub fn saved_release(&self, release: &Digest) -> Option<SavedRelease> {
        let known = self.releases.get(release)?;
        let envelope = Base64Url(known.release.envelope().to_vec());
        Some(SavedRelease { envelope, accepted_at: known.accepted_at })
    }

    /// A device for the journal.
    pub fn saved_device(&self, id: &DeviceId) -> Option<SavedDevice> {
        let device = self.devices.get(id)?;
        let place = device.place.as_ref();
        Some(SavedDevice {
            ueid: id.to_string(),
            name: device.name.clone(),
            key: device.key.as_ref().map(|key| Base64Url(cose::Key::from_public(key).encode())),
            mac: place.map(|place| place.mac.to_string()),
            addresses: place.map(|place| place.addresses.clone()).unwrap_or_default(),
            followed: place.map(|place| place.followed.clone()).unwrap_or_default(),
            result: device.result.as_ref().map(|result| Base64Url(result.bytes.clone())),
            held: device.held,
            in_service: device.in_service,
            cuts: device.damping.parts(),
        })
    }

    /// Revocations and overrides for the journal; the numbers of policies are not known here.
    pub fn saved_site(&self) -> SavedSite {
        SavedSite {
            revoked: self.revoked.iter().map(|digest| hex(digest.as_bytes())).collect(),
            overrides: self
                .overrides
                .values()
                .chain(self.ended.values())
                .map(|item| Base64Url(item.bytes.clone()))
                .collect(),
            policies: Vec::new(),
            attested: self.attested.iter().map(Mac::to_string).collect(),
            accepted: self.accepted.iter().map(|digest| hex(digest.as_bytes())).collect(),
        }
    }

    fn restore_release(&mut self, saved: &SavedRelease) {
        let accepted = Release::accept(&saved.envelope.0, &self.anchors.releases, saved.accepted_at);
        match accepted.and_then(|release| Ok((subject(&release)?, release))) {
            Ok((subject, release)) => {
                let known = Known { release, accepted_at: saved.accepted_at, subject, listed: true };
                self.releases.insert(known.release.manifest_digest(), known);
            }
            Err(reason) => tracing::warn!(%reason, "a saved release is believed no longer"),
        }
    }

    fn restore_device(&mut self, saved: &SavedDevice, now: i64) {
        let Some(id) = unhex(&saved.ueid).and_then(|ueid| DeviceId::new(&ueid).ok()) else { return };
        let key = saved.key.as_ref().and_then(|key| cose::Key::decode(&key.0).ok());
        let mut device = Device {
            name: saved.name.clone(),
            key: key.map(|key| key.public().clone()),
            held: saved.held,
            in_service: saved.in_service,
            damping: Damping::new(saved.cuts.0, saved.cuts.1),
            ..Device::default()
        };
        match saved.result.as_ref().map(|result| attested(&result.0, &self.anchors.keys, now)) {
            Some(Ok(result))
                if result.device == id && device.key.as_ref().is_none_or(|key| *key == result.key) =>
            {
                device.result = Some(result);
            }
            Some(Err(reason)) => {
                tracing::warn!(device.id = %id, %reason, "a saved result is believed no longer")
            }
            _ => {}
        }
        // A place is only good together with the key that proved it.
        if let (Some(mac), true) = (saved.mac.as_deref().and_then(Mac::parse), device.key.is_some()) {
            let free = |address: &&IpAddr| self.holder(**address).is_none();
            let addresses: BTreeSet<IpAddr> = saved.addresses.iter().filter(free).copied().collect();
            if !addresses.is_empty() {
                self.holders.extend(addresses.iter().map(|address| (*address, id.clone())));
                self.macs.insert((mac, Some(id.clone())));
                let mut followed = saved.followed.clone();
                followed.retain(|address, _| addresses.contains(address));
                device.place = Some(Place { mac, addresses: addresses.into_iter().collect(), followed });
            }
        }
        self.devices.insert(id, device);
    }
}
