//! Devices without attestation: where they are, which URL each is pinned to, and the files of those URLs. Owns no socket
//! and no clock. What it hears, anybody on the link can say, so everything is bounded, and nothing opens by being full.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use api::Reason;
use crypto::Digest;
use mud::{MudUrl, Reservation, Succession, WeakAccess};

use super::approvals::Approvals;
use super::fetch::{Brought, Fault};
use super::file::{Source, Terms, With as _, why};
use super::model::{Model, Standing, may_follow, reserved};
use super::settings::Sources;
use crate::{Announced, DeviceId, Heard, Mac, News, Strength};

/// A device without attestation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// The URL it is pinned to.
    pub url: Option<MudUrl>,
    /// A later URL that it may not have yet, or not by itself.
    pub offered: Option<MudUrl>,
    /// How it announced the URL; the operator named it otherwise.
    pub by: Option<Announced>,
    /// Every URL it had.
    pub used: BTreeSet<MudUrl>,
    /// Its addresses, and until when it has each, in seconds since 1970.
    pub addresses: BTreeMap<IpAddr, i64>,
    /// What is odd about it, by code.
    pub notes: BTreeMap<String, Reason>,
}

/// Devices without attestation, and the files of their URLs.
#[derive(Debug, Default)]
pub struct Unattested {
    pub(super) sources: Sources,
    pub(super) models: BTreeMap<MudUrl, Model>,
    pub(super) residents: BTreeMap<Mac, Resident>,
    holders: BTreeMap<IpAddr, Mac>,
    changed: Altered,
}

/// What changed since somebody last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Altered {
    /// Devices to be decided about again, and to be saved.
    pub devices: BTreeSet<Mac>,
    /// Models to be saved; their devices are to be decided about again.
    pub models: BTreeSet<MudUrl>,
    /// Models that went.
    pub forgotten: BTreeSet<MudUrl>,
}

impl Unattested {
    /// Devices that are taken in.
    pub const MAX_DEVICES: usize = 4096;
    /// URLs whose files are kept.
    pub const MAX_MODELS: usize = 512;
    /// Addresses of one device.
    pub const MAX_ADDRESSES: usize = 8;
    /// URLs that are remembered of one device.
    pub const MAX_URLS: usize = 16;

    /// Nobody yet.
    pub fn new(sources: Sources) -> Self {
        Self { sources, ..Self::default() }
    }

    /// The settings.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Name of a device without attestation: a UEID of the type that is an IEEE address (RFC 9711, section 4.2.1).
    pub fn id(mac: Mac) -> Option<DeviceId> {
        DeviceId::new(&[&[UEID_EUI], mac.0.as_slice()].concat()).ok()
    }

    /// The address in such a name.
    pub fn mac(id: &DeviceId) -> Option<Mac> {
        match id.as_bytes() {
            [UEID_EUI, mac @ ..] => Some(Mac(mac.try_into().ok()?)),
            _ => None,
        }
    }

    /// Devices that are known.
    pub fn devices(&self) -> impl Iterator<Item = (Mac, &Resident)> {
        self.residents.iter().map(|(mac, resident)| (*mac, resident))
    }

    /// A device.
    pub fn device(&self, mac: Mac) -> Option<&Resident> {
        self.residents.get(&mac)
    }

    /// Models, in the order of their URLs.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.values()
    }

    /// A model.
    pub fn model(&self, url: &MudUrl) -> Option<&Model> {
        self.models.get(url)
    }

    /// Who has an address.
    pub fn holder(&self, address: IpAddr) -> Option<Mac> {
        self.holders.get(&address).copied()
    }

    /// Takes what was heard of a device that never attested. `taken` says whether an attested device has the address.
    pub fn hear(&mut self, heard: &Heard, taken: impl Fn(IpAddr) -> bool, now: i64) {
        let mac = heard.mac;
        if !self.residents.contains_key(&mac) && self.residents.len() >= Self::MAX_DEVICES {
            tracing::warn!(%mac, "more devices without attestation than are taken in");
            return;
        }
        match &heard.news {
            News::Announces { url, by } => self.announces(mac, url, *by, now),
            News::Contradicts(by) => {
                let note = why("mud-url-contradiction").with("by", word(*by));
                self.note(mac, note);
            }
            News::Uses { address, until } => self.uses(mac, *address, *until, taken(*address), now),
            News::Releases(address) => self.releases(mac, *address),
        }
    }

    fn announces(&mut self, mac: Mac, url: &MudUrl, by: Announced, now: i64) {
        if !self.sources.announced.accept.contains(&by) {
            return;
        }
        if let Some(known) = self.sources.device(mac) {
            if known.url != *url {
                self.note(mac, why("mud-url-of-operator").with("url", url));
            }
            return;
        }
        let resident = self.residents.entry(mac).or_default();
        resident.by = Some(by);
        if resident.url.as_ref() == Some(url) {
            // It is back where it was.
            if resident.offered.take().is_some() {
                self.changed.devices.insert(mac);
            }
            return;
        }
        if resident.offered.as_ref() == Some(url) {
            return;
        }
        if !self.make_model(url, now) {
            self.note(mac, why("mud-too-many"));
            return;
        }
        let resident = self.residents.entry(mac).or_default();
        match resident.url {
            // The first one is pinned (RFC 8520, section 16).
            None => {
                resident.used.insert(url.clone());
                resident.url = Some(url.clone());
            }
            Some(_) => resident.offered = Some(url.clone()),
        }
        self.changed.devices.insert(mac);
    }

    fn uses(&mut self, mac: Mac, address: IpAddr, until: i64, taken: bool, now: i64) {
        let held = self.holders.get(&address).filter(|holder| **holder != mac).is_some();
        if taken || held {
            self.note(mac, why("address-taken").with("address", address));
            return;
        }
        if until <= now {
            return self.releases(mac, address);
        }
        let resident = self.residents.entry(mac).or_default();
        if resident.url.is_none()
            && let Some(known) = self.sources.device(mac)
        {
            resident.url = Some(known.url.clone());
            let url = known.url.clone();
            if !self.make_model(&url, now) {
                self.note(mac, why("mud-too-many"));
            }
        }
        let resident = self.residents.entry(mac).or_default();
        let before = resident.addresses.insert(address, until);
        // Renewals come often; what ends little later is not written down again.
        if before.is_some_and(|before| (before..before.saturating_add(RENEWAL)).contains(&until)) {
            resident.addresses.extend(before.map(|before| (address, before)));
            return;
        }
        while resident.addresses.len() > Self::MAX_ADDRESSES {
            let first = resident.addresses.iter().filter(|(other, _)| **other != address);
            let Some(first) = first.min_by_key(|(_, until)| **until).map(|(other, _)| *other) else { break };
            resident.addresses.remove(&first);
            self.holders.remove(&first);
        }
        self.holders.insert(address, mac);
        self.changed.devices.insert(mac);
    }

    fn releases(&mut self, mac: Mac, address: IpAddr) {
        let Some(resident) = self.residents.get_mut(&mac) else { return };
        if resident.addresses.remove(&address).is_some() {
            self.holders.remove(&address);
            self.changed.devices.insert(mac);
        }
    }

    /// An attested device has an address, or is behind a MAC address: nobody else has it any more.
    pub fn yield_to(&mut self, mac: Mac, address: Option<IpAddr>) {
        if let Some(holder) = address.and_then(|address| self.holders.get(&address).copied()) {
            address.into_iter().for_each(|address| self.releases(holder, address));
        }
        if let Some(resident) = self.residents.get(&mac) {
            let addresses: Vec<IpAddr> = resident.addresses.keys().copied().collect();
            addresses.into_iter().for_each(|address| self.releases(mac, address));
            self.changed.devices.insert(mac);
        }
    }

    /// Ends what has come to its end, lets files stand that were approved, and devices go over to them.
    pub fn advance(&mut self, approvals: &Approvals, now: i64) {
        let over: Vec<(Mac, IpAddr)> = self
            .residents
            .iter()
            .flat_map(|(mac, resident)| {
                resident.addresses.iter().map(|(address, until)| (*mac, *address, *until))
            })
            .filter(|(_, _, until)| *until <= now)
            .map(|(mac, address, _)| (mac, address))
            .collect();
        over.into_iter().for_each(|(mac, address)| self.releases(mac, address));
        let waiting: Vec<(MudUrl, Source)> = self
            .models
            .values()
            .filter_map(|model| Some((model.url.clone(), model.waiting.as_ref()?.source.clone())))
            .collect();
        for (url, source) in waiting {
            self.with_model(&url, &source, approvals, now, |model, terms, approves| {
                model.approve(terms, approves)
            });
        }
        let moves: Vec<(Mac, MudUrl)> = self
            .residents
            .iter()
            .filter_map(|(mac, resident)| Some((*mac, resident.offered.clone()?)))
            .filter(|(mac, url)| matches!(self.may_move(*mac, url, approvals, now), Some(Succession::Apply)))
            .collect();
        for (mac, url) in moves {
            if let Some(resident) = self.residents.get_mut(&mac) {
                resident.used.insert(url.clone());
                while resident.used.len() > Self::MAX_URLS {
                    resident.used.pop_first();
                }
                resident.url = Some(url);
                resident.offered = None;
                self.changed.devices.insert(mac);
            }
        }
        self.forget();
    }

    /// Whether a device may go over to the URL that it announces now; nothing is known before its file is there.
    fn may_move(&self, mac: Mac, url: &MudUrl, approvals: &Approvals, now: i64) -> Option<Succession> {
        let resident = self.residents.get(&mac)?;
        let pinned = resident.url.as_ref()?;
        if resident.used.contains(url) {
            return Some(Succession::Hold(vec![Reservation::EarlierUrl]));
        }
        let standing = |url: &MudUrl| {
            let model = self.models.get(url)?;
            model.in_force(&|digest| approvals.file(url, digest), now)
        };
        match (standing(pinned), standing(url)) {
            (Some(current), Some(next)) => Some(may_follow(current, next, url)),
            (Some(_), None) => None,
            // Nothing is in force that could be lost; another house still needs a person (threat N17).
            (None, _) if pinned.same_folder(url) => Some(Succession::Apply),
            (None, _) if pinned.authority() == url.authority() => {
                Some(Succession::Hold(vec![Reservation::OtherPlace]))
            }
            (None, _) => Some(Succession::Hold(vec![Reservation::OtherAuthority])),
        }
    }

    /// Why a device may not have the URL that it announces now.
    pub fn kept_from(&self, mac: Mac, approvals: &Approvals, now: i64) -> Vec<Reason> {
        let Some(offered) = self.residents.get(&mac).and_then(|resident| resident.offered.as_ref()) else {
            return Vec::new();
        };
        match self.may_move(mac, offered, approvals, now) {
            Some(Succession::Hold(reservations)) => reservations.into_iter().map(reserved).collect(),
            Some(Succession::Refuse(reservation)) => vec![reserved(reservation)],
            _ => Vec::new(),
        }
    }

    /// The URL by which a device is judged: the one it is pinned to, or one that an approval gives it.
    pub fn url_of(&self, mac: Mac, approvals: &Approvals, now: i64) -> Option<&MudUrl> {
        let resident = self.residents.get(&mac)?;
        let pinned = resident.url.as_ref()?;
        let offered = resident.offered.as_ref().filter(|offered| {
            let in_force = self.standing(offered, approvals, now);
            in_force.is_some_and(|standing| approvals.moves(mac, pinned, offered, &standing.file.digest))
        });
        Some(offered.unwrap_or(pinned))
    }

    /// The file in force for a URL.
    pub fn standing(&self, url: &MudUrl, approvals: &Approvals, now: i64) -> Option<&Standing> {
        self.models.get(url)?.in_force(&|digest| approvals.file(url, digest), now)
    }

    /// Whether a device gets what its file permits, and joins classes.
    pub fn is_believed(&self, mac: Mac) -> bool {
        self.sources.strength(mac) == Strength::Strong
            || self.sources.announced.weak_access == WeakAccess::AsFile
    }

    /// Takes what came of an order.
    pub fn bring(
        &mut self,
        url: &MudUrl,
        source: &Source,
        outcome: Result<Brought, Fault>,
        jitter: u32,
        (approvals, now): (&Approvals, i64),
    ) {
        let rule = self.sources.approval;
        self.with_model(url, source, approvals, now, |model, terms, approves| {
            model.asked.in_flight = false;
            let failed = model.asked.fault.is_some();
            match outcome {
                Ok(Brought::File(fetched)) => {
                    let news = model.take_in(fetched, terms, rule, approves);
                    model.came(jitter, now);
                    return news || failed;
                }
                Ok(Brought::Unchanged { max_age }) => {
                    model.unchanged(max_age, now);
                    model.came(jitter, now);
                }
                Err(fault) => model.failed(&fault, now),
            }
            true
        });
    }

    /// Somebody wants a URL checked.
    pub fn check(&mut self, url: &MudUrl, asked_at: i64, now: i64) -> bool {
        self.models.get_mut(url).is_some_and(|model| model.check(asked_at, now))
    }

    /// Whether there is no device and no file.
    pub fn is_empty(&self) -> bool {
        self.residents.is_empty() && self.models.is_empty()
    }

    /// Whether nothing changed since [`Unattested::take_changed`].
    pub fn is_quiet(&self) -> bool {
        self.changed == Altered::default()
    }

    /// What changed since the last call.
    pub fn take_changed(&mut self) -> Altered {
        std::mem::take(&mut self.changed)
    }

    /// Puts back what changed and could not be written down.
    pub fn put_back(&mut self, mut changed: Altered) {
        self.changed.devices.append(&mut changed.devices);
        self.changed.models.append(&mut changed.models);
        self.changed.forgotten.append(&mut changed.forgotten);
    }

    /// Devices that have one of these URLs, or may get it.
    pub fn having(&self, urls: &BTreeSet<MudUrl>) -> impl Iterator<Item = Mac> {
        self.residents
            .iter()
            .filter(|(_, resident)| {
                resident.url.iter().chain(&resident.offered).any(|url| urls.contains(url))
            })
            .map(|(mac, _)| *mac)
    }

    /// When something changes although nothing new is heard.
    pub fn due(&self, now: i64) -> Option<i64> {
        let ends = self.residents.values().flat_map(|resident| resident.addresses.values().copied());
        let files = self.models.values().flat_map(|model| {
            let standing = model.base.iter().chain(model.approved.as_ref().map(|(standing, _)| standing));
            standing.filter_map(|standing| standing.file.until)
        });
        ends.chain(files).filter(|end| *end > now).min()
    }

    /// Puts a device back that was known before a restart.
    pub(super) fn restore(&mut self, mac: Mac, mut resident: Resident, now: i64) {
        resident.addresses.retain(|address, until| *until > now && !self.holders.contains_key(address));
        self.holders.extend(resident.addresses.keys().map(|address| (*address, mac)));
        if let Some(known) = self.sources.device(mac) {
            resident.url = Some(known.url.clone());
            resident.offered = None;
        }
        let urls: Vec<MudUrl> = resident.url.iter().chain(&resident.offered).cloned().collect();
        self.residents.insert(mac, resident);
        for url in urls {
            self.make_model(&url, now);
        }
    }

    /// By what files of a URL from a source are judged.
    pub(super) fn terms<'t>(
        sources: &'t Sources,
        url: &'t MudUrl,
        source: &'t Source,
        now: i64,
    ) -> Terms<'t> {
        let rules = &sources.announced;
        let party = match source {
            Source::ThirdParty(name) => sources.third_parties.iter().find(|party| party.name == *name),
            _ => None,
        };
        Terms {
            url,
            source,
            anchors: match (source, party) {
                (Source::ThirdParty(_), party) => party.map_or(&[], |party| &party.anchors),
                _ => &rules.anchors,
            },
            extra: &rules.extra,
            // A third party signs with its own name.
            signer: sources.signer(url).filter(|_| *source == Source::Announced),
            mode: &rules.mode,
            fixed: sources.is_fixed(url),
            addresses: rules.addresses,
            breadth: rules.breadth,
            signed_at: now,
            now,
        }
    }

    fn with_model(
        &mut self,
        url: &MudUrl,
        source: &Source,
        approvals: &Approvals,
        now: i64,
        act: impl FnOnce(&mut Model, &Terms<'_>, &dyn Fn(&Digest) -> bool) -> bool,
    ) {
        let Some(model) = self.models.get_mut(url) else { return };
        let terms = Self::terms(&self.sources, url, source, now);
        if act(model, &terms, &|digest| approvals.file(url, digest)) {
            self.changed.models.insert(url.clone());
        }
    }

    /// Room for a URL, if there is any.
    fn make_model(&mut self, url: &MudUrl, now: i64) -> bool {
        if self.models.contains_key(url) {
            return true;
        }
        if self.models.len() >= Self::MAX_MODELS {
            self.forget();
        }
        let room = self.models.len() < Self::MAX_MODELS;
        if room {
            self.models.insert(url.clone(), Model::new(url.clone(), now));
        }
        room
    }

    /// URLs of devices that are here.
    pub(super) fn wanted(&self) -> BTreeSet<MudUrl> {
        let here = self.residents.values().filter(|resident| !resident.addresses.is_empty());
        here.flat_map(|resident| resident.url.iter().chain(&resident.offered)).cloned().collect()
    }

    /// Forgets devices of which nothing is to be remembered, and URLs that nobody has and that have no file.
    fn forget(&mut self) {
        self.residents.retain(|mac, resident| {
            let kept = resident.url.is_some() || !resident.addresses.is_empty();
            if !kept {
                self.changed.devices.insert(*mac);
            }
            kept
        });
        let had: BTreeSet<&MudUrl> = self
            .residents
            .values()
            .flat_map(|resident| resident.url.iter().chain(&resident.offered))
            .collect();
        let gone: Vec<MudUrl> = self
            .models
            .values()
            .filter(|model| !had.contains(&model.url) && !model.is_worth_keeping() && !model.asked.in_flight)
            .map(|model| model.url.clone())
            .collect();
        for url in gone {
            self.models.remove(&url);
            self.changed.models.remove(&url);
            self.changed.forgotten.insert(url);
        }
    }

    /// Of devices that are not here yet there is a line in the log and no more.
    fn note(&mut self, mac: Mac, reason: Reason) {
        let Some(resident) = self.residents.get_mut(&mac) else {
            tracing::info!(%mac, code = reason.code, detail = ?reason.detail, "heard and not believed");
            return;
        };
        if resident.notes.get(&reason.code) != Some(&reason) {
            tracing::warn!(%mac, code = reason.code, detail = ?reason.detail, "heard and not believed");
            resident.notes.insert(reason.code.clone(), reason);
            self.changed.devices.insert(mac);
        }
    }
}

/// A way of announcing in one word.
pub(super) fn word(by: Announced) -> &'static str {
    match by {
        Announced::Dhcpv4 => "dhcpv4",
        Announced::Dhcpv6 => "dhcpv6",
        Announced::Lldp => "lldp",
    }
}

/// Type of UEIDs that are an IEEE address (RFC 9711, section 4.2.1).
pub(super) const UEID_EUI: u8 = 2;
/// How much later an address must end for that to be news, in seconds.
const RENEWAL: i64 = 60;
