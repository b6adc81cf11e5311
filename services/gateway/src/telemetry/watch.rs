//! The loop from the kernel's log to events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::{Aggregate, Listener};
use crate::{Error, Event, Observer, Shared, Violation, ViolationKind};

/// Tells what the kernel drops, and whose it is, until `stop` is set; notices that within a quarter of a second.
pub fn watch(
    mut listener: Listener,
    enforcer: &Shared,
    observer: &dyn Observer,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let mut aggregate = Aggregate::default();
    while !stop.load(Ordering::Relaxed) {
        for log in listener.receive()? {
            match log {
                Some(log) => {
                    if let Some(violation) = aggregate.observe(log, Instant::now()) {
                        observer.observe(Event::Violation(attribute(violation, enforcer)));
                    }
                }
                None => aggregate.lost(),
            }
        }
        for event in aggregate.tick(Instant::now()) {
            observer.observe(match event {
                Event::Violation(violation) => Event::Violation(attribute(violation, enforcer)),
                other => other,
            });
        }
    }
    Ok(())
}

/// Says whose packet it was. A stranger's is nobody's, even if its address or its MAC belongs to a device.
fn attribute(mut violation: Violation, enforcer: &Shared) -> Violation {
    let local = match violation.kind {
        ViolationKind::UnknownDevice | ViolationKind::SpoofedBinding => {
            violation.imitated = enforcer.with(|enforcer| {
                let of_mac = || violation.mac.and_then(|mac| enforcer.device_of(mac));
                enforcer.device_at(violation.flow.source).or_else(of_mac).cloned()
            });
            if violation.imitated.is_some() {
                violation.kind = ViolationKind::SpoofedBinding;
            }
            return violation;
        }
        ViolationKind::ToDevice => violation.flow.destination,
        ViolationKind::FromDevice | ViolationKind::Resolver | ViolationKind::Observed => {
            violation.flow.source
        }
    };
    enforcer.with(|enforcer| {
        violation.device = enforcer.device_at(local).cloned();
        if let (Some(device), Some(policy)) = (&violation.device, violation.policy) {
            violation.mirrored = enforcer.would_permit_mirrored(device, policy, &violation.flow);
        }
    });
    violation
}
