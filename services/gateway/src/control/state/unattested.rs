//! Devices without attestation among what is known. They never stand in the way of attested ones.

use std::net::IpAddr;

use api::{MudCheck, NetworkAccess, NetworkDevice, NetworkModel};
use mud::{Member, MudUrl, Policy, Site};
use trust::{Access, Code, Effect, Reason};

use super::{ANNOUNCEMENT, Assessment, FilePolicy, PolicyKey, PolicySource, State, Target};
use crate::control::controller::reason;
use crate::manager::{Approvals, Brought, Fault, Order, SavedModel, SavedResident, Source, Unattested};
use crate::{DeviceId, Heard, Mac, News, Strength, Subject};

impl State {
    /// Announcements of attested devices that are listed.
    pub const MAX_ANNOUNCEMENTS: usize = 256;

    /// Takes what was heard on the LAN. A device that once proved itself has what its release says, whatever is announced
    /// from its address (threat N1).
    pub fn heard(&mut self, heard: &Heard, now: i64) {
        if self.is_attested(heard.mac) {
            if let News::Announces { url, .. } = &heard.news {
                self.announced_by_attested(heard.mac, url);
            }
            return;
        }
        let (holders, reserved) = (&self.holders, &self.reserved);
        let taken =
            |address| holders.contains_key(&address) || reserved.contains(&address) || !is_single(address);
        self.unattested.hear(heard, taken, now);
    }

    /// Addresses of the gateway and the product's servers: whoever says to have one of them is not believed.
    pub fn reserve(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.reserved.extend(addresses);
    }

    /// Files for devices without attestation.
    pub fn order(&mut self, now: i64) -> Option<Order> {
        self.unattested.order(now)
    }

    /// What came of an order.
    pub fn bring(
        &mut self,
        url: &MudUrl,
        source: &Source,
        outcome: Result<Brought, Fault>,
        jitter: u32,
        now: i64,
    ) {
        let approvals = self.approvals(now);
        self.unattested.bring(url, source, outcome, jitter, (&approvals, now));
    }

    /// Does what has come due among devices without attestation.
    pub fn advance(&mut self, now: i64) {
        // Most sites have none, and this is done with every change.
        if self.unattested.is_empty() {
            return;
        }
        let approvals = self.approvals(now);
        self.unattested.advance(&approvals, now);
    }

    /// When there is something to do among them although nothing is heard.
    pub fn unattested_due(&self, now: i64) -> Option<i64> {
        self.unattested.due(now)
    }

    /// The MAC address of a device that never proved itself.
    pub fn is_unattested(&self, id: &DeviceId) -> Option<Mac> {
        Unattested::mac(id).filter(|_| !self.devices.contains_key(id))
    }

    /// Devices without attestation that have one of these URLs.
    pub fn having(&self, urls: &std::collections::BTreeSet<MudUrl>) -> impl Iterator<Item = DeviceId> {
        self.unattested.having(urls).filter_map(Unattested::id)
    }

    /// A device without attestation for the journal.
    pub fn saved_resident(&self, mac: Mac) -> Option<SavedResident> {
        self.unattested.saved_device(mac)
    }

    /// The files of a URL for the journal.
    pub fn saved_model(&self, url: &MudUrl) -> Option<SavedModel> {
        self.unattested.saved_model(url)
    }

    /// What the server is told of files.
    pub fn told_models(&self, now: i64) -> Vec<NetworkModel> {
        self.unattested.told_models(&self.approvals(now), now)
    }

    /// What the server is told of devices. `has` says whether the kernel has the policy.
    pub fn told_unattested(
        &self,
        assessed: impl Fn(&DeviceId) -> Option<(Assessment, bool)>,
        now: i64,
    ) -> Vec<NetworkDevice> {
        let approvals = self.approvals(now);
        let devices = self.unattested.devices().filter(|(mac, _)| !self.is_attested(*mac));
        devices
            .filter_map(|(mac, resident)| {
                let mut told = self.unattested.told_device(mac, &approvals, now)?;
                let Some((made, has)) = Unattested::id(mac).and_then(|id| assessed(&id)) else {
                    return Some(told);
                };
                told.access = match made.target {
                    _ if resident.addresses.is_empty() => NetworkAccess::Absent,
                    Target::Release(_) if !has => NetworkAccess::Minimum,
                    Target::Release(_) if self.unattested.is_believed(mac) => NetworkAccess::File,
                    Target::Release(_) => NetworkAccess::Defaults,
                    _ => NetworkAccess::Minimum,
                };
                told.reasons.extend(made.reasons.iter().map(reason));
                Some(told)
            })
            .collect()
    }

    pub(super) fn assess_unattested(&self, id: &DeviceId, mac: Mac, now: i64) -> Assessment {
        let approvals = self.approvals(now);
        let url = self.unattested.url_of(mac, &approvals, now);
        let standing = url.and_then(|url| Some((url, self.unattested.standing(url, &approvals, now)?)));
        let strength = self.unattested.sources().strength(mac);
        let mut due = self.overrides_due(now);
        let Some((url, standing)) = standing else {
            let code = match url.and_then(|url| self.unattested.model(url)) {
                Some(model) if model.is_waiting() => Code::MudNeedsApproval,
                Some(model) if model.is_refused() => Code::MudRefused,
                _ => Code::MudMissing,
            };
            let classes = Some(Vec::new());
            let reasons = vec![Reason::new(code)];
            return Assessment { reasons, classes, due, ..Assessment::of(Target::UpdateOnly) };
        };
        due = due.into_iter().chain(standing.file.until).min();
        let subject = Subject { url: url.clone(), strength };
        // Without certificate or the operator's word nobody joins a manufacturer's group (RFC 8520, section 16).
        let classes = if self.unattested.is_believed(mac) { subject.classes() } else { Vec::new() };
        let source =
            PolicySource::File(FilePolicy { url: url.clone(), digest: standing.file.digest, strength });
        let overrides = self.in_force(id.as_bytes(), Some(url.as_str()), now);
        // What it does while it is observed is what a file can be proposed from.
        let observed = self.is_observed(id.as_bytes(), Some(url.as_str()), now);
        let access = if observed { Access::Observed } else { Access::Release };
        let target = Target::Release(PolicyKey { source, overrides, access });
        Assessment { classes: Some(classes), due, ..Assessment::of(target) }
    }

    /// What a file gives devices whose URL is known so, and for whom that is compiled.
    pub(super) fn granted(&self, policy: &FilePolicy) -> Option<(Policy, Subject)> {
        let file = self.unattested.model(&policy.url)?.file(&policy.digest)?;
        let site = Site { weak_access: self.unattested.sources().announced.weak_access, ..Site::default() };
        let member = Member {
            id: String::new(),
            url: policy.url.clone(),
            strength: match policy.strength {
                Strength::Strong => mud::Strength::Strong,
                Strength::Weak => mud::Strength::Weak,
            },
            addresses: Vec::new(),
        };
        let subject = Subject { url: policy.url.clone(), strength: policy.strength };
        Some((site.grant(&file.policy, &member), subject))
    }

    pub(super) fn unattested_devices(&self) -> impl Iterator<Item = DeviceId> {
        let ids = self.unattested.devices().filter_map(|(mac, _)| Unattested::id(mac));
        ids.filter(|id| !self.devices.contains_key(id))
    }

    pub(super) fn place_of_unattested(&self, id: &DeviceId) -> Option<(Mac, Vec<IpAddr>)> {
        let mac = self.is_unattested(id)?;
        let addresses: Vec<IpAddr> = self.unattested.device(mac)?.addresses.keys().copied().collect();
        (!addresses.is_empty() && !self.is_attested(mac)).then_some((mac, addresses))
    }

    pub(super) fn take_in_checks(&mut self, checks: &[MudCheck], now: i64) {
        for check in checks.iter().take(Unattested::MAX_MODELS) {
            if let Some(url) = MudUrl::parse(&check.url) {
                self.unattested.check(&url, check.at_ms / 1000, now);
            }
        }
    }

    /// An attested device is behind a MAC address now, and has an address.
    pub(super) fn belongs_to_attested(&mut self, id: &DeviceId, mac: Mac, address: IpAddr) {
        if self.attested.len() < Self::MAX_DEVICES && self.attested.insert(mac) {
            self.changed.site = true;
        }
        self.unattested.yield_to(mac, Some(address));
        if let Some(mac) = Unattested::mac(id) {
            self.unattested.yield_to(mac, None);
        }
    }

    /// Takes addresses back from devices without attestation that others have, or whose names others have.
    pub(super) fn keep_apart(&mut self) {
        let attested: Vec<Mac> = self
            .unattested
            .devices()
            .filter(|(mac, resident)| !resident.addresses.is_empty() && self.is_attested(*mac))
            .map(|(mac, _)| mac)
            .collect();
        attested.into_iter().for_each(|mac| self.unattested.yield_to(mac, None));
        let taken: Vec<(Mac, IpAddr)> = self
            .holders
            .keys()
            .filter_map(|address| Some((self.unattested.holder(*address)?, *address)))
            .collect();
        for (mac, address) in taken {
            let news = News::Releases(address);
            self.unattested.hear(&Heard { mac, news }, |_| true, 0);
        }
    }

    /// Whether a device that is enrolled or proved itself is behind a MAC address, or has it for a name.
    fn is_attested(&self, mac: Mac) -> bool {
        self.attested.contains(&mac) || Unattested::id(mac).is_some_and(|id| self.devices.contains_key(&id))
    }

    /// The URL of the device's release counts. That it says another is worth an event.
    fn announced_by_attested(&mut self, mac: Mac, url: &MudUrl) {
        let here =
            self.devices.values().filter(|device| device.place.as_ref().is_some_and(|at| at.mac == mac));
        let bound = here.filter_map(|device| {
            let release = device.result.as_ref()?.outcome.release?;
            Some(&self.releases.get(&release)?.subject.as_ref()?.url)
        });
        let name = format!("{ANNOUNCEMENT}{mac}");
        if bound.into_iter().any(|bound| bound == url) {
            self.noted |= self.refused.remove(&name).is_some();
        } else {
            let listed = self.refused.keys().filter(|name| name.starts_with(ANNOUNCEMENT)).count();
            if listed < Self::MAX_ANNOUNCEMENTS || self.refused.contains_key(&name) {
                let reason = Reason::new(Code::MudUrlIgnored).with("url", url);
                self.noted |= self.refused.insert(name, reason.clone()) != Some(reason);
            }
            tracing::warn!(%mac, %url, "an attested device announces a MUD URL that its release does not bind");
        }
    }

    /// Approvals of files that are in force.
    fn approvals(&self, now: i64) -> Approvals {
        let items = self.overrides.values().map(|item| item.signed.content());
        let in_force = items.filter(|content| content.not_before <= now && now < content.expires);
        Approvals(
            in_force
                .filter_map(|content| match &content.effect {
                    Effect::ApproveFile { url, file } => {
                        // As devices' URLs are compared.
                        let url = MudUrl::parse(url)?.to_string();
                        Some((content.scope.clone(), url, *file))
                    }
                    _ => None,
                })
                .collect(),
        )
    }
}

/// An address that one device can have.
fn is_single(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || address.is_loopback() || broadcast)
}
