//! The kernel's packet filter: the way in, the fixed table, and policies as chains and sets.

mod base;
mod context;
mod dump;
mod hearing;
mod lower;
mod program;
mod queue;
mod render;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;

pub use base::{Endpoint, Site};
pub(crate) use base::{NFLOG_GROUPS, bridge, install, stamp};
pub use context::{Nft, Table};
pub use dump::Dropped;
pub(crate) use dump::{Counter, Element, Found, read_counters, read_dropped};
pub(crate) use hearing::{HEARING_GROUPS, hearing};
pub use lower::{Lowered, Subject, lower};
pub use program::{Extra, Peer, Program, Service, Side, Start};
pub(crate) use program::{Key, Members, Peers, Place, Slot, Spot, TCP, UDP, View, slot};
pub(crate) use queue::{HANDSHAKE_QUEUE, handshakes_wait, queue_handshakes};
pub(crate) use render::{PolicyNames, class_set, policy_names, render, rule_count, rules_before};
pub(crate) use transaction::nft;
pub use transaction::{Name, Part, Transaction};
