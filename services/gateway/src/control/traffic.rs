//! From connections to records about devices.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::FlowRecord;
use mud::Direction;

use super::controller::now_ms;
use super::names::Observed;
use super::outbox::{self, Outbox};
use crate::{Conntrack, DeviceId, Endings, Error, FlowKind, Ledger, Record, Shared};

/// Records what devices do until `stop` is set.
pub(super) fn record(
    (mut endings, mut conntrack): (Endings, Conntrack),
    enforcer: &Shared,
    names: &Observed,
    outbox: &Outbox,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let mut ledger = Ledger::default();
    let mut looked = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let ended = endings.receive()?;
        let lost = ended.iter().filter(|entry| entry.is_none()).count();
        if lost > 0 {
            tracing::debug!("endings of connections were lost");
        }
        with_owners(enforcer, |owner| {
            ended.iter().flatten().for_each(|entry| ledger.ended(entry, owner, now_ms()));
        });
        if looked.elapsed() < PERIOD {
            continue;
        }
        looked = Instant::now();
        match conntrack.all() {
            Ok(entries) => with_owners(enforcer, |owner| ledger.look(&entries, owner, now_ms())),
            // The next look has it.
            Err(error) => tracing::debug!(%error, "connections could not be listed"),
        }
        let (records, overflow) = ledger.take();
        if overflow > 0 {
            tracing::warn!(overflow, "flows of devices are missing from their records");
        }
        for (kind, record) in records {
            outbox.flowed(told(&kind, &record, names.name_of(kind.remote)));
        }
    }
    Ok(())
}

fn with_owners<T>(enforcer: &Shared, act: impl FnOnce(&dyn Fn(IpAddr) -> Option<DeviceId>) -> T) -> T {
    enforcer.with(|enforcer| act(&|address| enforcer.device_at(address).cloned()))
}

fn told(kind: &FlowKind, record: &Record, name: Option<String>) -> FlowRecord {
    let direction = match kind.direction {
        Direction::FromDevice => "from-device",
        Direction::ToDevice => "to-device",
    };
    FlowRecord {
        ueid: kind.device.to_string(),
        direction: direction.to_owned(),
        protocol: outbox::protocol(kind.protocol),
        remote: kind.remote.to_string(),
        name,
        port: kind.port,
        flows: record.flows,
        sent_packets: record.sent.packets,
        sent_octets: record.sent.octets,
        received_packets: record.received.packets,
        received_octets: record.received.octets,
        first_ms: record.first_ms,
        last_ms: record.last_ms,
        why: None,
    }
}

/// How often connections that live are looked at, and records are told.
const PERIOD: Duration = Duration::from_secs(10);
