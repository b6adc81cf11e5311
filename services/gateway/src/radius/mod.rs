//! The same policy for those who see a frame first: switches and access points that take filters by RADIUS.
//!
//! A policy becomes filter rules (RFC 4849), which say less than the kernel can: they keep no state, so that the answers to what
//! a device may ask are let in whoever sends them from that port. What a rule cannot say is left out of what is permitted. The
//! rules go to the network access server in a CoA-Request (RFC 5176), or into the file from which a RADIUS server answers.

mod client;
mod filter;
mod freeradius;
mod packet;
mod rule;
#[cfg(test)]
pub(crate) mod tests;

pub use client::{Answer, DynamicAuthorization, ErrorCause, Session};
pub use filter::Filter;
pub(crate) use filter::render;
pub use freeradius::authorize_entry;
pub use packet::{Attribute, Code, Packet, RadiusError, Secret, attributes};
pub use rule::{FilterRule, Prefix, Way};
