//! How the gateway stands, in words for the server: what keeps devices of one LAN apart, and what is heard of it.

use super::{Outbox, link};
use crate::{Interface, Shared};

/// Looks again, and locks ports that came since.
pub(super) fn look(lan: &Interface, enforcer: &Shared, outbox: &Outbox) {
    let certain = enforcer.with(|enforcer| enforcer.status().certain);
    let text = if certain {
        "The kernel holds the rules."
    } else {
        "The kernel may hold other rules than it should."
    };
    outbox.stands(
        "rules",
        if certain { "rules-certain" } else { "rules-doubtful" },
        certain,
        text.to_owned(),
    );
    match link::ports(lan) {
        Ok(ports) if ports.is_empty() => {
            let text = format!(
                "{} has no ports; what devices send to each other past the gateway is not seen.",
                lan.as_str()
            );
            outbox.stands("ports", "no-ports", false, text);
        }
        Ok(ports) => {
            let count = ports.len();
            let locked = enforcer.with(|enforcer| {
                enforcer.lock_ports(ports);
                enforcer.status().bridge_locked
            });
            let (code, text) = if locked {
                (
                    "bridge-locked",
                    format!("The kernel drops frames between the {count} ports of {}.", lan.as_str()),
                )
            } else {
                (
                    "bridge-not-locked",
                    "The kernel takes no rules for bridges: only isolation keeps ports apart.".to_owned(),
                )
            };
            outbox.stands("bridge", code, locked, text);
            tell_isolation(lan, outbox);
        }
        Err(error) => unknown(outbox, &error),
    }
}

fn tell_isolation(lan: &Interface, outbox: &Outbox) {
    match link::open_ports(lan) {
        Ok(open) if open.is_empty() => {
            outbox.stands(
                "ports",
                "ports-isolated",
                true,
                format!("All ports of {} are isolated.", lan.as_str()),
            );
        }
        Ok(open) => {
            let some: Vec<&str> = open.iter().take(NAMED).map(String::as_str).collect();
            let text = format!(
                "{} of the ports of {} are not isolated: {}.",
                open.len(),
                lan.as_str(),
                some.join(", ")
            );
            outbox.stands("ports", "ports-not-isolated", false, text);
        }
        Err(error) => unknown(outbox, &error),
    }
}

fn unknown(outbox: &Outbox, error: &crate::Error) {
    tracing::warn!(%error, "the ports of the bridge are not known");
    outbox.stands("ports", "ports-unknown", false, "The ports of the bridge cannot be listed.".to_owned());
}

/// Ports that are named.
const NAMED: usize = 8;
