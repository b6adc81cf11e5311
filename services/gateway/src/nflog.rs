//! Packets and frames that the rules show us: netfilter's log over netlink.

use crate::netlink::{ACK, REQUEST, Request, Socket};
use crate::{Error, Mac};

/// Has a group's packets sent to the socket, at most `length` bytes of each, within `flush` hundredths of a second. Another
/// program that has the group is an error: there can be one listener.
pub(crate) fn bind(socket: &Socket, group: u16, length: u32, flush: u32) -> Result<(), Error> {
    let configure = |kind: u16, value: &[u8]| {
        let request = Request::new(CONFIG, REQUEST | ACK, 0, group);
        socket.request(&request.attribute(kind, value).finish())
    };
    configure(CONFIG_COMMAND, &[BIND])?;
    let [a, b, c, d] = length.to_be_bytes();
    configure(CONFIG_MODE, &[a, b, c, d, COPY_PACKET, 0])?;
    configure(CONFIG_TIMEOUT, &flush.to_be_bytes())
}

/// `struct nfulnl_msg_packet_hw`: length, padding, address.
pub(crate) fn mac(bytes: &[u8]) -> Option<Mac> {
    let length = u16::from_be_bytes(*bytes.first_chunk()?);
    (length == 6).then_some(Mac(*bytes.get(4..)?.first_chunk()?))
}

// linux/netfilter/nfnetlink_log.h
/// Kind of the messages that carry a packet; and its attributes.
pub(crate) const PACKET: u16 = 0x0400;
pub(crate) const PACKET_HEADER: u16 = 1;
pub(crate) const MARK: u16 = 2;
pub(crate) const HWADDR: u16 = 8;
pub(crate) const PAYLOAD: u16 = 9;
const CONFIG: u16 = 0x0401;
const CONFIG_COMMAND: u16 = 1;
const CONFIG_MODE: u16 = 2;
const CONFIG_TIMEOUT: u16 = 4;
const BIND: u8 = 1;
const COPY_PACKET: u8 = 2;
