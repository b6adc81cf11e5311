//! What the server has yet to be told. Bounded: a server that is away for long misses the oldest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use api::{
    Applied, Binding, DnsUse, FlowRecord, GatewayReport, GatewayStatus, NetworkDevice, NetworkModel, Refused,
    Staged, Used, Violation, Withheld,
};

use super::State;
use crate::{Asked, DeviceId, Flow, Mac, ViolationKind};

/// Violations that wait, and entries of one sort in one report, at most.
pub const MAX_WAITING: usize = 4096;

/// Kinds of flows that wait, at most.
const MAX_FLOWS: usize = 65_536;

/// Reports that wait, and a bell for whoever sends them.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    due: bool,
    staged: Vec<Staged>,
    refused: Vec<Refused>,
    withheld: Vec<Withheld>,
    applied: VecDeque<Applied>,
    bindings: BTreeMap<String, Binding>,
    violations: BTreeMap<Kind, Counted>,
    /// Flows by release, list and entry.
    used: BTreeMap<(String, String, String), Used>,
    /// What devices did, by device, who began it, protocol, port and the other end.
    flows: BTreeMap<(String, String, String, u16, String), FlowRecord>,
    /// What devices asked.
    dns: BTreeMap<String, DnsUse>,
    /// How the gateway stands, by what it is about.
    status: BTreeMap<&'static str, GatewayStatus>,
    models: Option<Vec<NetworkModel>>,
    unattested: Option<Vec<NetworkDevice>>,
}

/// Violations that count as one: the store keeps them apart by the same, with the time of the first. What a stranger sent
/// is not what a device sent, though both had one MAC address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    mac: String,
    destination: String,
    protocol: String,
    port: u16,
    direction: String,
    class: String,
}

#[derive(Debug)]
struct Counted {
    total: Violation,
    unsent: bool,
}

impl Outbox {
    /// The policies that stand ready, and what is not believed: whole lists, told when they change.
    pub fn stand(&self, staged: Vec<Staged>, refused: Vec<Refused>) {
        self.with(|waiting| {
            let changed = waiting.staged != staged || waiting.refused != refused;
            waiting.staged = staged;
            waiting.refused = refused;
            waiting.due |= changed;
        });
    }

    /// The cuts that are withheld: the whole list, told when it changes.
    pub fn withhold(&self, withheld: Vec<Withheld>) {
        self.with(|waiting| {
            waiting.due |= waiting.withheld != withheld;
            waiting.withheld = withheld;
        });
    }

    /// Devices without attestation and the files of their URLs: whole lists, those that are not as they were told last.
    pub fn unattested(&self, models: Option<Vec<NetworkModel>>, devices: Option<Vec<NetworkDevice>>) {
        self.with(|waiting| {
            waiting.due |= models.is_some() || devices.is_some();
            waiting.models = models.or(waiting.models.take());
            waiting.unattested = devices.or(waiting.unattested.take());
        });
    }

    /// What a device may reach now.
    pub fn applied(&self, applied: Applied) {
        self.with(|waiting| {
            waiting.applied.push_back(applied);
            while waiting.applied.len() > State::MAX_DEVICES {
                waiting.applied.pop_front();
            }
            waiting.due = true;
        });
    }

    /// Where a device was admitted.
    pub fn bound(&self, binding: Binding) {
        self.with(|waiting| {
            // No more than there are devices.
            waiting.bindings.insert(binding.ueid.clone(), binding);
            waiting.due = true;
        });
    }

    /// Flows that began by an entry of a release's file; they add up until they are told.
    pub fn used(&self, used: Used) {
        self.with(|waiting| waiting.add(used));
    }

    /// What passed in the flows of a device; it adds up until it is told.
    pub fn flowed(&self, record: FlowRecord) {
        self.with(|waiting| waiting.add_flow(record));
    }

    /// What a device asked; it adds up until it is told.
    pub fn asked(&self, used: DnsUse) {
        self.with(|waiting| waiting.add_dns(used));
    }

    /// How something stands; told when it changes.
    pub fn stands(&self, about: &'static str, code: &str, good: bool, text: String) {
        self.with(|waiting| {
            let status = GatewayStatus { code: code.to_owned(), good, text };
            if waiting.status.get(about) != Some(&status) {
                waiting.status.insert(about, status);
                waiting.due = true;
            }
        });
    }

    /// Packets that were dropped; counts of one kind add up from the first of them.
    pub fn violated(&self, violation: Violation) {
        self.with(|waiting| {
            let kind = Kind {
                mac: violation.mac.clone(),
                destination: violation.dst.clone(),
                protocol: violation.protocol.clone(),
                port: violation.dport,
                direction: violation.direction.clone(),
                class: violation.class.clone(),
            };
            if let Some(counted) = waiting.violations.get_mut(&kind) {
                let total = &mut counted.total;
                total.count = total.count.saturating_add(violation.count);
                total.last_ms = violation.last_ms;
                // The last packet is the one that somebody looks for.
                (total.src, total.sport) = (violation.src, violation.sport);
                total.ueid = violation.ueid.or_else(|| total.ueid.take());
                total.name = violation.name.or_else(|| total.name.take());
                total.tls = violation.tls.or_else(|| total.tls.take());
                total.group = violation.group;
                counted.unsent = true;
            } else {
                waiting.make_room();
                waiting.violations.insert(kind, Counted { total: violation, unsent: true });
            }
            waiting.due = true;
        });
    }

    /// Waits until there is something to tell, at most as long as given; gives what there is.
    pub fn collect(&self, gateway: &str, patience: Duration) -> GatewayReport {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |waiting: &mut Waiting| !waiting.due;
        let (mut waiting, _timeout) =
            self.bell.wait_timeout_while(waiting, patience, idle).unwrap_or_else(PoisonError::into_inner);
        waiting.due = false;
        let unsent = waiting.violations.values_mut().filter(|counted| counted.unsent);
        let violations = unsent
            .map(|counted| {
                counted.unsent = false;
                counted.total.clone()
            })
            .collect();
        let some = waiting.applied.len().min(MAX_WAITING);
        let applied = waiting.applied.drain(..some).collect();
        let mut bindings = Vec::new();
        while bindings.len() < MAX_WAITING
            && let Some((_, binding)) = waiting.bindings.pop_first()
        {
            bindings.push(binding);
        }
        let mut used = Vec::new();
        while used.len() < MAX_WAITING
            && let Some((_, some)) = waiting.used.pop_first()
        {
            used.push(some);
        }
        let mut flows = Vec::new();
        while flows.len() < MAX_WAITING
            && let Some((_, some)) = waiting.flows.pop_first()
        {
            flows.push(some);
        }
        let mut dns = Vec::new();
        while dns.len() < MAX_WAITING
            && let Some((_, some)) = waiting.dns.pop_first()
        {
            dns.push(some);
        }
        let left = waiting.applied.is_empty()
            && waiting.dns.is_empty()
            && waiting.bindings.is_empty()
            && waiting.used.is_empty()
            && waiting.flows.is_empty();
        waiting.due = !left;
        let (staged, refused) = (waiting.staged.clone(), waiting.refused.clone());
        let (models, unattested) = (waiting.models.take(), waiting.unattested.take());
        GatewayReport {
            gateway: gateway.to_owned(),
            staged,
            refused,
            applied,
            violations,
            bindings,
            used,
            flows,
            dns,
            status: waiting.status.values().cloned().collect(),
            withheld: waiting.withheld.clone(),
            models,
            unattested,
        }
    }

    /// Takes back a report that did not arrive. What came since is newer.
    pub fn put_back(&self, report: GatewayReport) {
        self.with(|waiting| {
            for applied in report.applied.into_iter().rev() {
                if waiting.applied.len() < State::MAX_DEVICES {
                    waiting.applied.push_front(applied);
                }
            }
            for binding in report.bindings {
                waiting.bindings.entry(binding.ueid.clone()).or_insert(binding);
            }
            waiting.models = waiting.models.take().or(report.models);
            waiting.unattested = waiting.unattested.take().or(report.unattested);
            report.used.into_iter().for_each(|used| waiting.add(used));
            report.flows.into_iter().for_each(|record| waiting.add_flow(record));
            report.dns.into_iter().for_each(|used| waiting.add_dns(used));
            // Totals are still there; those that were sent are sent again with what was added since.
            let lost: Vec<(String, String, u16)> = report
                .violations
                .into_iter()
                .map(|violation| (violation.mac, violation.dst, violation.dport))
                .collect();
            for (kind, counted) in &mut waiting.violations {
                let same = |(mac, dst, port): &(String, String, u16)| {
                    *mac == kind.mac && *dst == kind.destination && *port == kind.port
                };
                counted.unsent |= lost.iter().any(same);
            }
            waiting.due = true;
        });
    }

    /// Wakes the sender, so that it notices that it is to end.
    pub(super) fn ring(&self) {
        self.with(|waiting| waiting.due = true);
    }

    fn with(&self, act: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut waiting);
        if waiting.due {
            self.bell.notify_all();
        }
    }
}

impl Waiting {
    fn add(&mut self, used: Used) {
        let key = (used.manifest_digest.clone(), used.acl.clone(), used.ace.clone());
        match self.used.get_mut(&key) {
            Some(total) => {
                total.flows = total.flows.saturating_add(used.flows);
                total.last_ms = total.last_ms.max(used.last_ms);
            }
            // No more than the releases have entries.
            None => _ = self.used.insert(key, used),
        }
        self.due = true;
    }

    fn add_flow(&mut self, record: FlowRecord) {
        let key = (
            record.ueid.clone(),
            record.direction.clone(),
            record.protocol.clone(),
            record.port,
            record.remote.clone(),
        );
        if let Some(total) = self.flows.get_mut(&key) {
            total.add(&record);
        } else if self.flows.len() < MAX_FLOWS {
            // Where the server is away for long, this is what can be missed.
            self.flows.insert(key, record);
        }
        self.due = true;
    }

    fn add_dns(&mut self, used: DnsUse) {
        if let Some(total) = self.dns.get_mut(&used.ueid) {
            total.add(&used);
        } else if self.dns.len() < State::MAX_DEVICES {
            self.dns.insert(used.ueid.clone(), used);
        }
        self.due = true;
    }

    /// Kinds that were told and are quiet go first.
    fn make_room(&mut self) {
        while self.violations.len() >= MAX_WAITING {
            let oldest =
                self.violations.iter().min_by_key(|(_, counted)| (counted.unsent, counted.total.last_ms));
            let Some(oldest) = oldest.map(|(kind, _)| kind.clone()) else { return };
            self.violations.remove(&oldest);
        }
    }
}

/// What a device asked, as it is reported.
pub(super) fn asked(device: &DeviceId, asked: Asked, now_ms: i64) -> DnsUse {
    if let Some(domain) = &asked.domain {
        tracing::warn!(device.id = %device, domain, names = asked.tunnel, "questions look like a tunnel");
    }
    let Asked { queries, nxdomain, outside, private, blocked, tunnel, domain } = asked;
    DnsUse {
        ueid: device.to_string(),
        queries,
        nxdomain,
        outside,
        private,
        blocked,
        tunnel,
        domain,
        last_ms: now_ms,
    }
}

/// A violation as it is reported.
pub(super) fn violation(violation: &crate::Violation, name: Option<String>, now_ms: i64) -> Violation {
    let flow = &violation.flow;
    let over = i64::try_from(violation.over.as_millis()).unwrap_or(i64::MAX);
    let ports = matches!(flow.protocol, TCP | UDP);
    Violation {
        ueid: violation.device.as_ref().map(DeviceId::to_string),
        mac: violation.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        src: flow.source.to_string(),
        dst: flow.destination.to_string(),
        protocol: protocol(flow.protocol),
        sport: if ports { flow.source_port } else { 0 },
        dport: if ports { flow.destination_port } else { 0 },
        direction: match violation.kind {
            ViolationKind::ToDevice => "to-device".to_owned(),
            _ => "from-device".to_owned(),
        },
        group: match violation.kind {
            ViolationKind::FromDevice => 10,
            ViolationKind::ToDevice => 11,
            ViolationKind::UnknownDevice | ViolationKind::SpoofedBinding => 12,
            ViolationKind::Resolver => 13,
            ViolationKind::Observed => Violation::OBSERVED,
        },
        class: violation.class().to_owned(),
        imitated: violation.imitated.as_ref().map(DeviceId::to_string),
        count: violation.count,
        first_ms: now_ms.saturating_sub(over),
        last_ms: now_ms,
        name,
        tls: None,
    }
}

/// A flow that was dropped for its handshake, or only noticed, as it is reported.
pub(super) fn handshake(
    (device, mac): (Option<&DeviceId>, Option<Mac>),
    flow: &Flow,
    (why, passed): (String, bool),
    name: Option<String>,
    now_ms: i64,
) -> Violation {
    Violation {
        ueid: device.map(DeviceId::to_string),
        mac: mac.map(|mac| mac.to_string()).unwrap_or_default(),
        src: flow.source.to_string(),
        dst: flow.destination.to_string(),
        protocol: protocol(flow.protocol),
        sport: flow.source_port,
        dport: flow.destination_port,
        direction: "from-device".to_owned(),
        group: if passed { Violation::OBSERVED } else { Violation::HANDSHAKE },
        class: "tls-profile".to_owned(),
        imitated: None,
        count: 1,
        first_ms: now_ms,
        last_ms: now_ms,
        name,
        tls: Some(why),
    }
}

pub(super) fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        TCP => "tcp".to_owned(),
        UDP => "udp".to_owned(),
        58 => "ipv6-icmp".to_owned(),
        other => other.to_string(),
    }
}

// IP protocol numbers (IANA).
const TCP: u8 = 6;
const UDP: u8 = 17;

#[cfg(test)]
mod tests;
