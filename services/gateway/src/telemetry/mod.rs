//! What the kernel dropped: received from NFLOG, read with care, and told without flooding anybody.

mod aggregate;
mod listener;
mod packet;

pub use aggregate::Aggregate;
pub use listener::{Listener, Log};
pub use packet::read_flow;
