//! All that is known about releases, devices and overrides, each verified with the site's own anchors.
//!
//! What nobody signed can only narrow: a release is withdrawn, a device is held or out of service. What was signed and
//! narrows is not forgotten because a server no longer mentions it: overrides stay until their own end, revocations for
//! ever. Pure: time comes as a parameter.

mod approval;
mod assess;
mod damping;
mod follow;
mod restore;
mod unattested;

pub use assess::{Assessment, FilePolicy, PolicyKey, PolicySource, Target};
pub use follow::Followed;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use api::{GatewayDevice, GatewayRelease, GatewayState};
use crypto::{Digest, HashAlgorithm, PublicKey};
use eat::Tier;
use mud::MudUrl;
use trust::{Code, MAX_OVERRIDE_TIME, Reason, Release, SignedOverride, Violation};

use super::answers::Answers;
use damping::Damping;

use super::hex::{self, hex, unhex};
use super::{Anchors, Attested, attested};
use crate::manager::{Altered, Unattested};
use crate::{DeviceId, Mac, Strength, Subject};

/// What a gateway knows.
#[derive(Debug)]
pub struct State {
    anchors: Anchors,
    releases: BTreeMap<Digest, Known>,
    /// Envelopes that were refused, by the digest of their bytes: each is looked at once.
    rejected: BTreeMap<Digest, Reason>,
    revoked: BTreeSet<Digest>,
    overrides: BTreeMap<[u8; 16], InForce>,
    /// The last word under an id whose end has come. What it replaced may have a later end, and stays replaced.
    ended: BTreeMap<[u8; 16], InForce>,
    devices: BTreeMap<DeviceId, Device>,
    holders: BTreeMap<IpAddr, DeviceId>,
    /// Devices by the MAC that they were admitted from.
    macs: BTreeSet<(Mac, Option<DeviceId>)>,
    refused: BTreeMap<String, Reason>,
    answers: Answers,
    /// How many devices a model had when it was last asked.
    fleets: BTreeMap<String, (i64, usize)>,
    /// MAC addresses from which attested devices were admitted: whatever is heard from there is no device without attestation.
    attested: BTreeSet<Mac>,
    /// Releases whose files permitted no more than those before them.
    accepted: BTreeSet<Digest>,
    unattested: Unattested,
    /// Addresses of the gateway and the product's servers, which no device has.
    reserved: BTreeSet<IpAddr>,
    /// Something is to be told that changes nothing else.
    noted: bool,
    changed: Changed,
}

/// What changed since somebody last asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Devices to be decided about again, and to be saved.
    pub devices: BTreeSet<DeviceId>,
    /// Devices to be decided about again that have nothing to save.
    pub violating: BTreeSet<DeviceId>,
    /// Every device is to be decided about again.
    pub everything: bool,
    /// Releases that came.
    pub releases: BTreeSet<Digest>,
    /// Releases that went.
    pub forgotten: BTreeSet<Digest>,
    /// Revocations, overrides, MAC addresses of attested devices, or which releases were accepted.
    pub site: bool,
    /// Devices cut for violations, or spared.
    pub answers: bool,
    /// Devices without attestation, and their files.
    pub unattested: Altered,
}

/// An accepted release.
#[derive(Debug)]
struct Known {
    release: Release,
    accepted_at: i64,
    /// For whom its policy is compiled; none when it declares no network needs.
    subject: Option<Subject>,
    listed: bool,
}

/// An override, and the signed bytes.
#[derive(Debug)]
struct InForce {
    signed: SignedOverride,
    bytes: Vec<u8>,
}

/// A device, as far as it is known.
#[derive(Debug, Default)]
struct Device {
    name: String,
    /// The key it was first admitted with. No other one will do.
    key: Option<PublicKey>,
    place: Option<Place>,
    result: Option<Attested>,
    /// Digest of the last result that the server named, believed or not.
    looked_at: Option<Digest>,
    /// What a person leaves it.
    held: Option<api::Restriction>,
    in_service: bool,
    violations: VecDeque<Violation>,
    damping: Damping,
}

/// Where a device proved to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    mac: Mac,
    addresses: Vec<IpAddr>,
    /// Those of the addresses that it was only heard with, and until when it has them.
    followed: BTreeMap<IpAddr, i64>,
}

impl State {
    /// Addresses one device may have; the oldest makes room.
    pub const MAX_ADDRESSES: usize = 8;
    /// Devices that are taken in.
    pub const MAX_DEVICES: usize = 200_000;
    /// Releases that are taken in.
    pub const MAX_RELEASES: usize = 4096;
    /// Overrides that are taken in.
    pub const MAX_OVERRIDES: usize = 1024;
    /// Revocations that are kept.
    pub const MAX_REVOKED: usize = 65_536;
    /// Violations of a device that decisions look at.
    pub const MAX_VIOLATIONS: usize = 16;

    /// Nothing but the anchors.
    pub fn new(anchors: Anchors) -> Self {
        Self {
            attested: BTreeSet::new(),
            accepted: BTreeSet::new(),
            unattested: Unattested::new(anchors.sources.clone()),
            reserved: BTreeSet::new(),
            noted: false,
            anchors,
            releases: BTreeMap::new(),
            rejected: BTreeMap::new(),
            revoked: BTreeSet::new(),
            overrides: BTreeMap::new(),
            ended: BTreeMap::new(),
            devices: BTreeMap::new(),
            holders: BTreeMap::new(),
            macs: BTreeSet::new(),
            refused: BTreeMap::new(),
            answers: Answers::default(),
            fleets: BTreeMap::new(),
            changed: Changed::default(),
        }
    }

    /// The anchors of the site.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// Takes in what the server says, verifying each object. Objects that are not believed change nothing and are
    /// listed by [`State::refused`].
    pub fn take_in(&mut self, answer: &GatewayState, now: i64) {
        self.refused.retain(|object, _| !object.starts_with(RELEASE) && !object.starts_with(OVERRIDE));
        self.take_in_revocations(&answer.revoked);
        self.take_in_releases(&answer.releases, now);
        self.accept_releases(now);
        self.take_in_checks(&answer.checks, now);
        for bytes in answer.overrides.iter().take(Self::MAX_OVERRIDES) {
            self.take_in_override(&bytes.0, now);
        }
        self.take_in_devices(&answer.devices, now);
        self.forget(now);
    }

    /// Binds a device to the address from which it proved to have its attested key. The first time its key is pinned.
    pub fn admit(&mut self, shown: Attested, mac: Mac, address: IpAddr, now: i64) -> Result<(), Reason> {
        let refused = |error: &str| Reason::new(Code::ResultBinding).with("error", error);
        let id = shown.device.clone();
        let known = self.devices.get(&id);
        if known.is_none() && self.devices.len() >= Self::MAX_DEVICES {
            return Err(refused("this gateway is full"));
        }
        if known.and_then(|device| device.key.as_ref()).is_some_and(|pinned| *pinned != shown.key) {
            return Err(refused("the device was first admitted with another key"));
        }
        if let Some(holder) = self.holder(address).filter(|holder| **holder != id).cloned() {
            // An address outlives its device no longer than the device's last result does, and hearsay gives way to proof.
            if self.devices.get(&holder).is_some_and(|device| device.is_fresh(now) && device.proved(address))
            {
                return Err(refused("the address belongs to another device").with("address", address));
            }
            self.leave(&holder, address);
        }

        let device = self.devices.entry(id.clone()).or_default();
        // Results for other keys were kept only as long as nobody knew the right one.
        if device.result.as_ref().is_some_and(|result| result.key != shown.key) {
            device.result = None;
        }
        device.key = Some(shown.key.clone());
        device.consider(shown);
        // If it moved, what was proven from another interface is proven no longer.
        let before = device.place.take();
        let mut addresses = before
            .as_ref()
            .filter(|place| place.mac == mac)
            .map(|place| place.addresses.clone())
            .unwrap_or_default();
        let mut followed = before
            .as_ref()
            .filter(|place| place.mac == mac)
            .map(|place| place.followed.clone())
            .unwrap_or_default();
        followed.remove(&address);
        addresses.retain(|other| *other != address);
        addresses.push(address);
        if addresses.len() > Self::MAX_ADDRESSES {
            // What was only heard makes room first, then the oldest.
            let soonest = followed.iter().min_by_key(|(_, until)| **until).map(|(address, _)| *address);
            let gone = soonest.and_then(|gone| addresses.iter().position(|address| *address == gone));
            let gone = addresses.remove(gone.unwrap_or(0));
            followed.remove(&gone);
        }
        if let Some(before) = before {
            self.macs.remove(&(before.mac, Some(id.clone())));
            for gone in before.addresses {
                self.holders.remove(&gone);
            }
        }
        self.holders.extend(addresses.iter().map(|address| (*address, id.clone())));
        self.macs.insert((mac, Some(id.clone())));
        device.place = Some(Place { mac, addresses, followed });
        self.belongs_to_attested(&id, mac, address);
        self.changed.devices.insert(id);
        Ok(())
    }

    /// Notes packets that a device sent, that the kernel dropped and that its release does not ask for.
    pub fn violated(&mut self, device: &DeviceId, violation: Violation) {
        let Some(known) = self.devices.get_mut(device) else { return };
        while known.violations.len() >= Self::MAX_VIOLATIONS {
            known.violations.pop_front();
        }
        known.violations.push_back(violation);
        self.changed.violating.insert(device.clone());
    }

    /// Who has an address.
    pub fn holder(&self, address: IpAddr) -> Option<&DeviceId> {
        self.holders.get(&address)
    }

    /// Where a device proved to be.
    pub fn place(&self, device: &DeviceId) -> Option<(Mac, Vec<IpAddr>)> {
        let Some(known) = self.devices.get(device) else { return self.place_of_unattested(device) };
        let place = known.place.as_ref()?;
        Some((place.mac, place.addresses.clone()))
    }

    /// Objects that are not believed, and why.
    pub fn refused(&self) -> &BTreeMap<String, Reason> {
        &self.refused
    }

    /// Digest of the MUD file of an accepted release.
    pub fn mud_digest(&self, release: &Digest) -> Option<Digest> {
        Some(self.releases.get(release)?.release.network_needs()?.digest)
    }

    /// What changed since the last call.
    pub fn take_changed(&mut self) -> Changed {
        let mut changed = std::mem::take(&mut self.changed);
        changed.unattested = self.unattested.take_changed();
        self.noted = false;
        changed
    }

    /// Whether anything changed among devices without attestation, or is to be told of attested ones.
    pub fn has_news(&self) -> bool {
        self.noted || !self.unattested.is_quiet()
    }

    /// Puts back what changed and could not be written down.
    pub fn put_back(&mut self, mut changed: Changed) {
        self.changed.devices.append(&mut changed.devices);
        self.changed.violating.append(&mut changed.violating);
        self.changed.releases.append(&mut changed.releases);
        self.changed.forgotten.append(&mut changed.forgotten);
        self.changed.everything |= changed.everything;
        self.changed.site |= changed.site;
        self.changed.answers |= changed.answers;
        self.unattested.put_back(changed.unattested);
    }

    /// What was answered by itself.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    fn take_in_revocations(&mut self, revoked: &[String]) {
        for digest in revoked.iter().filter_map(|text| hex::release(text)) {
            if self.revoked.len() < Self::MAX_REVOKED && self.revoked.insert(digest) {
                self.changed.site = true;
                self.changed.everything = true;
            }
        }
    }

    fn take_in_releases(&mut self, offered: &[GatewayRelease], now: i64) {
        for known in self.releases.values_mut() {
            known.listed = false;
        }
        let mut seen = BTreeSet::new();
        for offered in offered.iter().take(Self::MAX_RELEASES) {
            let known =
                hex::release(&offered.manifest_digest).and_then(|digest| self.releases.get_mut(&digest));
            if let Some(known) = known {
                known.listed = true;
                if known.release.envelope() == offered.envelope.0 {
                    continue;
                }
            }
            let envelope = Digest::of(HashAlgorithm::Sha256, &offered.envelope.0);
            seen.insert(envelope);
            let accepted = match self.rejected.get(&envelope) {
                Some(reason) => Err(reason.clone()),
                None => self.take_in_release(&offered.envelope.0, now),
            };
            if let Err(reason) = accepted {
                self.rejected.insert(envelope, reason.clone());
                self.refused.insert(format!("{RELEASE}{}", offered.manifest_digest), reason);
            }
        }
        self.rejected.retain(|envelope, _| seen.contains(envelope));
    }

    fn take_in_release(&mut self, envelope: &[u8], now: i64) -> Result<(), Reason> {
        let release = Release::accept(envelope, &self.anchors.releases, now)?;
        let digest = release.manifest_digest();
        let subject = subject(&release)?;
        if subject.is_none() {
            return Err(Reason::new(Code::MudMissing).with("version", release.version()));
        }
        self.releases.insert(digest, Known { release, accepted_at: now, subject, listed: true });
        self.changed.releases.insert(digest);
        self.changed.forgotten.remove(&digest);
        self.changed.everything = true;
        Ok(())
    }

    /// Takes an override by the operator's own key. One with the id of another replaces it if it begins later, so that
    /// nobody can bring back what the operator replaced.
    fn take_in_override(&mut self, bytes: &[u8], now: i64) {
        let signed = match SignedOverride::verify(bytes, &self.anchors.keys) {
            Ok(signed) => signed,
            Err(reason) => {
                let object = Digest::of(HashAlgorithm::Sha256, bytes);
                self.refused.insert(format!("{OVERRIDE}{}", hex(object.as_bytes())), reason);
                return;
            }
        };
        let content = signed.content();
        let newer = [&self.overrides, &self.ended]
            .into_iter()
            .filter_map(|known| known.get(&content.id))
            .all(|other| content.not_before > other.signed.content().not_before);
        if newer && content.expires > now && self.overrides.len() < Self::MAX_OVERRIDES {
            self.overrides.insert(content.id, InForce { signed, bytes: bytes.to_vec() });
            self.changed.site = true;
            self.changed.everything = true;
        }
    }

    fn take_in_devices(&mut self, listed: &[GatewayDevice], now: i64) {
        let mut in_service = BTreeSet::new();
        for listed in listed.iter().take(Self::MAX_DEVICES) {
            let Some(id) = unhex(&listed.ueid).and_then(|ueid| DeviceId::new(&ueid).ok()) else { continue };
            let device = self.devices.entry(id.clone()).or_default();
            if (device.in_service, device.held, &device.name) != (true, listed.held, &listed.name) {
                device.in_service = true;
                device.held = listed.held;
                device.name.clone_from(&listed.name);
                self.changed.devices.insert(id.clone());
            }
            if let Some(result) = &listed.result {
                self.take_in_result(&id, &result.0, now);
            }
            in_service.insert(id);
        }
        self.keep_apart();
        for (id, device) in &mut self.devices {
            if device.in_service && !in_service.contains(id) {
                device.in_service = false;
                self.refused.remove(&format!("{RESULT}{id}"));
                self.changed.devices.insert(id.clone());
            }
        }
    }

    fn take_in_result(&mut self, id: &DeviceId, bytes: &[u8], now: i64) {
        let object = Digest::of(HashAlgorithm::Sha256, bytes);
        let Some(device) = self.devices.get_mut(id) else { return };
        if device.looked_at.replace(object) == Some(object) {
            return;
        }
        let name = format!("{RESULT}{id}");
        let verified = attested(bytes, &self.anchors.keys, now).and_then(|result| {
            let mine = result.device == *id && device.key.as_ref().is_none_or(|pinned| *pinned == result.key);
            mine.then_some(result).ok_or_else(|| {
                Reason::new(Code::ResultBinding).with("error", "the result is about another device or key")
            })
        });
        match verified {
            Ok(result) => {
                self.refused.remove(&name);
                if device.consider(result) {
                    self.changed.devices.insert(id.clone());
                }
            }
            Err(reason) => {
                self.refused.insert(name, reason);
            }
        }
    }

    fn leave(&mut self, id: &DeviceId, address: IpAddr) {
        let Some(device) = self.devices.get_mut(id) else { return };
        self.holders.remove(&address);
        if let Some(place) = &mut device.place {
            place.addresses.retain(|other| *other != address);
            place.followed.remove(&address);
            if place.addresses.is_empty() {
                self.macs.remove(&(place.mac, Some(id.clone())));
                device.place = None;
            }
        }
        self.changed.devices.insert(id.clone());
    }

    /// Forgets overrides past their end, and releases that nobody lists and no device runs.
    fn forget(&mut self, now: i64) {
        let before = (self.overrides.len(), self.ended.len());
        self.ended.extend(self.overrides.extract_if(.., |_, item| item.signed.content().expires <= now));
        // What began before it has ended by then.
        self.ended.retain(|_, item| now < item.signed.content().not_before.saturating_add(MAX_OVERRIDE_TIME));
        while self.ended.len() > Self::MAX_OVERRIDES {
            let began = |id: &[u8; 16]| self.ended.get(id).map(|item| item.signed.content().not_before);
            let Some(oldest) = self.ended.keys().copied().min_by_key(began) else { break };
            self.ended.remove(&oldest);
        }
        self.changed.site |= (self.overrides.len(), self.ended.len()) != before;

        let runs: BTreeSet<Digest> =
            self.devices.values().filter_map(|device| device.result.as_ref()?.outcome.release).collect();
        let standing = self.last_accepted();
        let forgotten = &mut self.changed.forgotten;
        self.releases.retain(|digest, known| {
            let kept = known.listed || runs.contains(digest) || standing.contains(digest);
            if !kept {
                forgotten.insert(*digest);
            }
            kept
        });
    }
}

impl Device {
    /// Takes a verified result if it is not older than the one there is; says whether it was taken. Times are whole
    /// seconds, so of two results of one second the worse one stays.
    fn consider(&mut self, result: Attested) -> bool {
        let newer = self.result.as_ref().is_none_or(|known| {
            let (old, new) = (&known.outcome, &result.outcome);
            let same_time = new.issued == old.issued && new.object != old.object;
            new.issued > old.issued || (same_time && badness(new.tier) >= badness(old.tier))
        });
        if newer {
            let was_good = self.result.as_ref().is_some_and(|known| known.outcome.tier == Tier::Affirming);
            if was_good && result.outcome.tier != Tier::Affirming {
                self.damping.cut(result.outcome.issued);
            }
            self.result = Some(result);
        }
        newer
    }

    /// Whether it proved to be at an address that it has.
    fn proved(&self, address: IpAddr) -> bool {
        self.place.as_ref().is_some_and(|place| !place.followed.contains_key(&address))
    }

    fn is_fresh(&self, now: i64) -> bool {
        self.result.as_ref().is_some_and(|result| result.outcome.expires > now)
    }
}

/// No verdict is worse than a good one, and better than a bad one.
fn badness(tier: Tier) -> u8 {
    match tier {
        Tier::Affirming => 0,
        Tier::None => 1,
        Tier::Warning => 2,
        Tier::Contraindicated => 3,
    }
}

/// For whom the policy of a release is compiled. The URL is one that the manifest's author signed.
fn subject(release: &Release) -> Result<Option<Subject>, Reason> {
    let Some(needs) = release.network_needs() else { return Ok(None) };
    let url = MudUrl::parse(&needs.url)
        .ok_or_else(|| Reason::new(Code::MudRefused).with("error", "the MUD URL is not one"))?;
    Ok(Some(Subject { url, strength: Strength::Strong }))
}

// Sorts of objects in the list of those that are not believed.
const RELEASE: &str = "release:";
const RESULT: &str = "result:";
const OVERRIDE: &str = "override:";
const ANNOUNCEMENT: &str = "announcement:";
