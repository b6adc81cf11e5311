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

/// Says whose packet it was. A stranger's is nobody's, even if its address belongs to a device.
fn attribute(mut violation: Violation, enforcer: &Shared) -> Violation {
    let local = match violation.kind {
        ViolationKind::UnknownDevice => return violation,
        ViolationKind::ToDevice => violation.flow.destination,
        ViolationKind::FromDevice | ViolationKind::Resolver | ViolationKind::Observed => {
            violation.flow.source
        }
    };
    violation.device = enforcer.with(|enforcer| enforcer.device_at(local).cloned());
    violation
}
