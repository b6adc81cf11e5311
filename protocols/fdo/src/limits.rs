//! What the two sides of TO2 tell each other about lengths, and what they make of it.

pub(crate) use crate::message::MAX_MESSAGE_LEN;
use crate::service_info::{MAX_BUDGET, MIN_BUDGET};

/// Bytes of a message around the list in it: encryption, its header, two flags, and the heads of all.
pub(crate) const TUNNEL_OVERHEAD: usize = 128;

/// The longest message that every deployed party takes, whatever it says: one announces 17 bytes.
const DEPLOYED_LEN: u16 = 1500;

/// The length that a party announced, or what all take; none announced is the most that there is.
pub(crate) fn at_least_deployed(announced: u16) -> u16 {
    if announced == 0 { u16::MAX } else { announced.max(DEPLOYED_LEN) }
}

/// How many bytes of service information to send at once to a party that takes so many, in messages of such a length.
pub(crate) fn budget(len: usize, max_message_len: u16) -> usize {
    let in_message = usize::from(max_message_len).saturating_sub(TUNNEL_OVERHEAD);
    len.min(in_message).clamp(MIN_BUDGET, MAX_BUDGET)
}
