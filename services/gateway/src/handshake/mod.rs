//! TLS profiles (RFC 9761): the first message of a client is looked at before its flow goes on.
//!
//! The packet filter marks connections that begin by an entry with profiles. While a connection has the mark, what its client
//! sends waits in a queue of the kernel for a verdict from here; when the ClientHello was whole and kept to a profile,
//! the mark is taken away, and the rest of the flow is no business of ours. Where nobody takes from the queue, nothing of these
//! flows passes, unless the site only observes.

mod flows;
mod queue;
mod segment;
mod watch;

pub use queue::Queue;
pub use watch::{TlsMode, watch_handshakes};
