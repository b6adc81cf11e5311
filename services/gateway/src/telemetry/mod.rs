//! What the kernel dropped: received from NFLOG, read with care, and told without flooding anybody.

mod aggregate;
mod ledger;
mod listener;
mod packet;
mod watch;

pub use aggregate::Aggregate;
pub use ledger::{FlowKind, Ledger, Record};
pub use listener::{Listener, Log, read_logs};
pub use packet::read_flow;
pub(crate) use packet::read_transport;
pub use watch::watch;
