use std::{sync::Arc, time::Duration};

use api::{Base64Url, GatewayDevice, GatewayRelease, GatewayState, GatewayStatus};
use store::{
    Applied, Binding, DeviceFlow, DeviceId, DnsUse, FlowUse, GatewayReport, Refused, ReleaseId, Staged,
    Timestamp, Violation, Withheld,
};

use crate::app::{
    App, Failure,
    holds::{restriction, word},
    network, reasons, rfc3339,
};

/// The longest a gateway may ask to wait.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(60);
/// Entries of one kind in one report.
const MAX_ENTRIES: usize = 10_000;
/// Longest text in a report, in characters.
const MAX_TEXT: usize = 255;
/// Longest words about a handshake in a report, in characters.
const MAX_HANDSHAKE: usize = 256;
/// Longest MUD URL in a report, in characters.
const MAX_URL: usize = 512;

/// The state of one revision, kept because every gateway asks for the same.
pub(crate) struct Cached {
    revision: u64,
    body: Arc<Vec<u8>>,
}

impl App {
    /// The state after a revision, as soon as there is one; after the time to wait, whatever it is then.
    pub(crate) async fn gateway_state(
        &self,
        gateway: &str,
        since: u64,
        wait: Duration,
    ) -> Result<Arc<Vec<u8>>, Failure> {
        self.store.see_gateway(gateway, since, self.now()).await?;
        let mut revision = self.store.revision();
        // A restored database may be behind what a gateway saw: then there is nothing to wait for.
        let moved = revision.wait_for(|revision| *revision != since);
        if let Ok(Err(_)) = tokio::time::timeout(wait.min(MAX_WAIT), moved).await {
            return Err(Failure::Unavailable);
        }
        // Read before the state: what changes meanwhile is told twice rather than never.
        let revision = *self.store.revision().borrow();
        if let Some(body) = self.cached_gateway_state(revision) {
            return Ok(body);
        }
        let state = self.read_gateway_state(revision).await?;
        let body = serde_json::to_vec(&state).map_err(|error| Failure::Fault(error.to_string()))?;
        let body = Arc::new(body);
        *self.gateway_state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            Some(Cached { revision, body: body.clone() });
        Ok(body)
    }

    fn cached_gateway_state(&self, revision: u64) -> Option<Arc<Vec<u8>>> {
        let cached = self.gateway_state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        cached.as_ref().filter(|cached| cached.revision == revision).map(|cached| cached.body.clone())
    }

    /// Takes a gateway's report; decides again about devices whose packets were dropped.
    pub(crate) async fn gateway_report(
        &self,
        gateway: &str,
        report: api::GatewayReport,
    ) -> Result<(), Failure> {
        let report = read_report(report)?;
        let touched: Vec<DeviceId> =
            report.violations.iter().filter_map(|violation| violation.device.clone()).collect();
        let answered = self.store.report(gateway, report, self.now()).await?;
        for device in touched.into_iter().chain(answered) {
            self.redecide_one(&device).await?;
        }
        self.nudge.notify_one();
        Ok(())
    }

    /// Every gateway as the API shows it.
    pub(crate) async fn gateways(&self) -> Result<Vec<api::Gateway>, Failure> {
        let (staged, refused) = (self.store.staged().await?, self.store.refused().await?);
        let view = |gateway: store::Gateway| api::Gateway {
            first_seen: rfc3339(gateway.first_seen),
            last_seen: rfc3339(gateway.last_seen),
            revision: gateway.revision,
            staged: staged
                .iter()
                .filter(|staged| staged.gateway == gateway.name)
                .map(|staged| staged.release.to_string())
                .collect(),
            refused: refused
                .iter()
                .filter(|(name, _)| *name == gateway.name)
                .filter_map(|(_, refused)| {
                    let reason = reasons::one_from_json(&refused.reason)?;
                    Some(api::Refused { object: refused.object.clone(), reason })
                })
                .collect(),
            status: serde_json::from_str(&gateway.status).unwrap_or_default(),
            name: gateway.name,
        };
        Ok(self.store.gateways().await?.into_iter().map(view).collect())
    }

    async fn read_gateway_state(&self, revision: u64) -> Result<GatewayState, Failure> {
        // Whoever waits is woken by the commit, before the book was read again: it is read here.
        self.read_releases().await?;
        let now = self.now();
        let book = self.book();
        let current = book.iter().filter(|entry| entry.record.revoked.is_none());
        let releases = current
            .filter_map(|entry| {
                let verified = entry.verified.as_ref().ok()?;
                Some(GatewayRelease {
                    manifest_digest: entry.record.id.to_string(),
                    envelope: Base64Url(verified.stripped.clone()),
                })
            })
            .collect();
        let mut devices = Vec::new();
        let offers = self.present_offers().await?;
        for device in self.store.gateway_devices().await? {
            let running = device.release;
            let needs = running.and_then(|release| {
                book.get(&release)?
                    .verified
                    .as_ref()
                    .ok()?
                    .release
                    .network_needs()
                    .map(|needs| needs.url.clone())
            });
            devices.push(GatewayDevice {
                ueid: device.id.to_string(),
                mud_url: needs,
                offered: offers.get(&device.id).map(ReleaseId::to_string),
                held: device.hold.filter(|hold| hold.is_in_force(now)).map(|hold| word(restriction(&hold))),
                name: device.name,
                model: device.model,
                result: device.result.map(Base64Url),
            });
        }
        let overrides = self.store.overrides(now).await?;
        let revoked = book.iter().filter(|entry| entry.record.revoked.is_some());
        Ok(GatewayState {
            revision,
            releases,
            devices,
            overrides: overrides.into_iter().map(|overlay| Base64Url(overlay.bytes)).collect(),
            revoked: revoked.map(|entry| entry.record.id.to_string()).collect(),
            checks: self.mud_checks().await?,
        })
    }
}

/// What a gateway applied, as the API shows it.
pub(crate) fn applied_view(applied: Applied) -> api::Applied {
    let profile = api::Profile::ALL.into_iter().find(|profile| profile.as_str() == applied.profile);
    let profile = profile.unwrap_or(api::Profile::Blocked);
    api::Applied {
        ueid: applied.device.to_string(),
        profile,
        manifest_digest: applied.release.map(|release| release.to_string()),
        reasons: reasons::from_json(&applied.reasons),
        at_ms: applied.at.millis(),
    }
}

/// What a device asked, as the API shows it.
pub(crate) fn dns_view(used: DnsUse) -> api::DnsUse {
    let [queries, nxdomain, outside, private, blocked, tunnel] = used.counts;
    api::DnsUse {
        ueid: used.device.to_string(),
        queries,
        nxdomain,
        outside,
        private,
        blocked,
        tunnel,
        domain: used.domain,
        last_ms: used.last.millis(),
    }
}

/// Dropped packets, as the API shows them.
pub(crate) fn violation_view(violation: Violation) -> api::Violation {
    api::Violation {
        ueid: violation.device.map(|device| device.to_string()),
        mac: violation.mac,
        src: violation.src,
        dst: violation.dst,
        protocol: violation.protocol,
        sport: violation.sport,
        dport: violation.dport,
        direction: violation.direction,
        group: violation.group,
        class: violation.class,
        imitated: violation.imitated.map(|device| device.to_string()),
        count: violation.count,
        first_ms: violation.first.millis(),
        last_ms: violation.last.millis(),
        name: violation.name,
        tls: violation.tls,
    }
}

/// What a gateway that has no word for it means.
fn class_of(group: u16) -> &'static str {
    match group {
        12 => "unknown-device",
        13 => "resolver",
        api::Violation::OBSERVED => "observed",
        api::Violation::HANDSHAKE => "tls-profile",
        _ => "no-match",
    }
}

fn read_report(report: api::GatewayReport) -> Result<GatewayReport, Failure> {
    let counts = [
        report.staged.len(),
        report.refused.len(),
        report.applied.len(),
        report.violations.len(),
        report.bindings.len(),
        report.used.len(),
        report.flows.len(),
        report.dns.len(),
        report.status.len(),
        report.withheld.len(),
        report.models.as_ref().map_or(0, Vec::len),
        report.unattested.as_ref().map_or(0, Vec::len),
    ];
    if counts.into_iter().any(|count| count > MAX_ENTRIES) {
        return Err(Failure::Malformed(format!("a report has at most {MAX_ENTRIES} entries of a kind")));
    }
    let release = |text: &str| {
        text.parse::<ReleaseId>()
            .map_err(|_| Failure::Malformed(format!("`{}` is no manifest digest", short(text))))
    };
    let device = |text: &str| {
        text.parse::<DeviceId>().map_err(|_| Failure::Malformed(format!("`{}` is no ueid", short(text))))
    };
    let staged = report.staged.into_iter().map(|staged| {
        Ok(Staged {
            release: release(&staged.manifest_digest)?,
            mud: staged.mud_digest.as_deref().map(short),
        })
    });
    let refused = report.refused.into_iter().map(|refused| {
        let reason =
            serde_json::to_string(&refused.reason).map_err(|error| Failure::Fault(error.to_string()))?;
        Ok(Refused { object: short(&refused.object), reason })
    });
    let applied = report.applied.into_iter().map(|applied| {
        let reasons =
            serde_json::to_string(&applied.reasons).map_err(|error| Failure::Fault(error.to_string()))?;
        Ok(Applied {
            device: device(&applied.ueid)?,
            profile: applied.profile.as_str().to_owned(),
            release: applied.manifest_digest.as_deref().map(release).transpose()?,
            reasons,
            at: Timestamp::from_millis(applied.at_ms),
        })
    });
    let violations = report.violations.into_iter().map(|violation| {
        Ok(Violation {
            device: violation.ueid.as_deref().map(device).transpose()?,
            mac: short(&violation.mac),
            src: short(&violation.src),
            dst: short(&violation.dst),
            protocol: short(&violation.protocol),
            sport: violation.sport,
            dport: violation.dport,
            direction: short(&violation.direction),
            group: violation.group,
            class: match violation.class.as_str() {
                "" => class_of(violation.group).to_owned(),
                class => short(class),
            },
            imitated: violation.imitated.as_deref().map(device).transpose()?,
            name: violation.name.as_deref().map(short),
            tls: violation.tls.map(|tls| tls.chars().take(MAX_HANDSHAKE).collect()),
            count: violation.count.min(i64::MAX.unsigned_abs()),
            first: Timestamp::from_millis(violation.first_ms),
            last: Timestamp::from_millis(violation.last_ms),
        })
    });
    let bindings = report.bindings.into_iter().map(|binding| {
        let addresses = binding.addresses.iter().take(64).map(|address| short(address)).collect();
        Ok(Binding { device: device(&binding.ueid)?, mac: short(&binding.mac), addresses })
    });
    let used = report.used.into_iter().map(|used| {
        Ok(FlowUse {
            release: release(&used.manifest_digest)?,
            acl: short(&used.acl),
            ace: short(&used.ace),
            flows: used.flows,
            at: Timestamp::from_millis(used.last_ms),
        })
    });
    let flows = report.flows.into_iter().map(|flow| {
        Ok(DeviceFlow {
            device: device(&flow.ueid)?,
            direction: short(&flow.direction),
            protocol: short(&flow.protocol),
            remote: short(&flow.remote),
            port: flow.port,
            name: flow.name.as_deref().map(short),
            flows: flow.flows,
            sent: (flow.sent_packets, flow.sent_octets),
            received: (flow.received_packets, flow.received_octets),
            first: Timestamp::from_millis(flow.first_ms),
            last: Timestamp::from_millis(flow.last_ms),
        })
    });
    let dns = report.dns.into_iter().map(|used| {
        Ok(DnsUse {
            device: device(&used.ueid)?,
            counts: [used.queries, used.nxdomain, used.outside, used.private, used.blocked, used.tunnel],
            domain: used.domain.as_deref().map(short),
            last: Timestamp::from_millis(used.last_ms),
        })
    });
    let status = report.status.iter().map(|status| GatewayStatus {
        code: short(&status.code),
        good: status.good,
        text: short(&status.text),
    });
    let status: Vec<GatewayStatus> = status.collect();
    let status = if status.is_empty() {
        None
    } else {
        Some(serde_json::to_string(&status).map_err(|error| Failure::Fault(error.to_string()))?)
    };
    let withheld = report.withheld.into_iter().map(|withheld| {
        Ok(Withheld {
            device: device(&withheld.ueid)?,
            model: withheld.model.chars().take(MAX_URL).collect(),
            most: withheld.most,
            raised: Timestamp::from_millis(withheld.raised_ms),
        })
    });
    Ok(GatewayReport {
        dns: dns.collect::<Result<_, Failure>>()?,
        status,
        staged: staged.collect::<Result<_, Failure>>()?,
        refused: refused.collect::<Result<_, Failure>>()?,
        applied: applied.collect::<Result<_, Failure>>()?,
        violations: violations.collect::<Result<_, Failure>>()?,
        bindings: bindings.collect::<Result<_, Failure>>()?,
        used: used.collect::<Result<_, Failure>>()?,
        flows: flows.collect::<Result<_, Failure>>()?,
        withheld: withheld.collect::<Result<_, Failure>>()?,
        models: report.models.map(|models| models.into_iter().map(network::model).collect()).transpose()?,
        unattested: report
            .unattested
            .map(|devices| devices.into_iter().map(network::device).collect())
            .transpose()?,
    })
}

fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
