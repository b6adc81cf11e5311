//! What devices say on the link: where they are (DHCP, ARP, neighbour discovery), and which MUD file is theirs (DHCP and LLDP).
//!
//! Anybody on the link can send any of it. So frames are read by parsers that believe no length, [`Ear`] keeps what was said within
//! bounds and for a bounded time, and nothing that is heard gives a device more than it proved.

mod capture;
mod claims;
mod dhcp4;
mod dhcp6;
mod ear;
mod frame;
mod lldp;
mod neighbour;
mod options;
#[cfg(test)]
mod tests;

pub use capture::{Capture, listen};
pub use dhcp4::{Dhcp4, Dhcp4Kind};
pub use dhcp6::{Dhcp6, Dhcp6Kind, Lease};
pub use ear::{Ear, Origin};
pub use frame::{Frame, Said};
pub use lldp::Lldp;
pub use neighbour::Neighbour;
pub use options::Only;
