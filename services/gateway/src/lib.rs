//! The enforcement point: turns decisions about devices into what the kernel lets them do.
//!
//! This is the half that touches the kernel: the packet filter with its policies, the connections that outlive a
//! policy, the resolver that keeps names and rules together, and the telemetry of what was dropped. It knows MUD
//! policies and nothing of how they were learned, fetched, verified or approved; whoever calls it has done that.
//!
//! Rules live in the kernel and survive this process. Nothing here can open the network by failing: without rules
//! for a device there is no way through.

#![forbid(unsafe_code)]

mod address;
mod class;
mod conntrack;
pub mod control;
mod device;
mod dns;
mod enforcer;
mod error;
mod event;
mod handshake;
pub mod hear;
mod heard;
mod hostapd;
mod kernel;
pub mod manager;
mod netlink;
mod nflog;
mod nft;
pub mod radius;
mod telemetry;
mod tls;

// Public interface
pub use address::{AddressRange, Interface, Mac};
pub use class::{Class, Strength};
pub use conntrack::{Conntrack, Endings, Entry, Traffic};
pub use device::{Binding, DeviceId, PolicyId};
pub use dns::{Asked, Forwarder, Habits, Names, Standing, Upstream, answered};
pub use enforcer::{Enforcer, Shared, Status, Wanted, update_only};
pub use error::Error;
pub use event::{Event, Flow, Observer, Violation, ViolationKind};
pub use handshake::{Queue, TlsMode, watch_handshakes};
pub use heard::{Announced, Heard, News};
pub use hostapd::{AccessPoint, AccessPointError};
pub use nft::{
    Dropped, Endpoint, Extra, Lowered, Name, Nft, Part, Peer, Program, Service, Side, Site, Start, Subject,
    Table, Transaction, lower,
};
pub use telemetry::{Aggregate, FlowKind, Ledger, Listener, Log, Record, read_flow, read_logs, watch};
