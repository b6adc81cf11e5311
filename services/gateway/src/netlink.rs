//! Just enough netlink to talk to connection tracking, packet logging and packet queues.
//!
//! Layout: `struct nlmsghdr`, `struct nfgenmsg`, then attributes, all padded to four bytes.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

use crate::Error;

/// A socket to the kernel's netfilter subsystems, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Socket {
    /// Opens one; `timeout` bounds each wait for a datagram.
    pub(crate) fn open(timeout: Duration) -> Result<Self, Error> {
        Self::listening(timeout, 0)
    }

    /// Opens one that is told what happens in these groups, as bits.
    pub(crate) fn listening(timeout: Duration, groups: u32) -> Result<Self, Error> {
        let failed = || Error::errno("opening a netlink socket");
        let fd = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )
        .map_err(failed())?;
        bind(&fd, &SocketAddrNetlink::new(0, groups)).map_err(failed())?;
        set_socket_timeout(&fd, Timeout::Recv, Some(timeout)).map_err(failed())?;
        set_socket_recv_buffer_size(&fd, RECEIVE_BUFFER).map_err(failed())?;
        Ok(Self(fd))
    }

    /// Sends messages to the kernel.
    pub(crate) fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        sendto(&self.0, bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))
            .map(|_sent| ())
            .map_err(Error::errno("sending to netlink"))
    }

    /// Receives one datagram.
    pub(crate) fn receive<'b>(&self, buffer: &'b mut [u8]) -> Result<Received<'b>, Error> {
        match recv(&self.0, &mut *buffer, RecvFlags::empty()) {
            Ok((_, length)) => Ok(Received::Datagram(buffer.get(..length).unwrap_or_default())),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Received::Nothing),
            Err(rustix::io::Errno::NOBUFS) => Ok(Received::Overrun),
            Err(errno) => Err(Error::errno("receiving from netlink")(errno)),
        }
    }

    /// Sends a request with `NLM_F_ACK` and waits for the answer.
    pub(crate) fn request(&self, bytes: &[u8]) -> Result<(), Error> {
        self.send(bytes)?;
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let Received::Datagram(datagram) = self.receive(&mut buffer)? else { return Err(Error::Lost) };
            for message in messages(datagram) {
                match message.status() {
                    Some(0) => return Ok(()),
                    Some(code) => return Err(Error::Netlink(code)),
                    None => {}
                }
            }
        }
    }
}

/// What a wait for a datagram gave.
#[derive(Debug)]
pub(crate) enum Received<'b> {
    /// One or more messages.
    Datagram(&'b [u8]),
    /// Nothing in time.
    Nothing,
    /// The kernel had more for us than fitted; some is lost.
    Overrun,
}

/// Builds one message.
#[derive(Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// `kind` is `subsystem << 8 | message`.
    pub(crate) fn new(kind: u16, flags: u16, family: u8, resource: u16) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&0u32.to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&1u32.to_ne_bytes());
        bytes.extend_from_slice(&0u32.to_ne_bytes());
        bytes.extend_from_slice(&[family, NFNETLINK_V0]);
        bytes.extend_from_slice(&resource.to_be_bytes());
        Self { bytes }
    }

    /// Adds an attribute; `payload` is at most a few hundred bytes of our own.
    pub(crate) fn attribute(mut self, kind: u16, payload: &[u8]) -> Self {
        self.bytes.extend(attribute(kind, payload));
        self
    }

    /// The message.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        for (to, from) in self.bytes.iter_mut().zip(length.to_ne_bytes()) {
            *to = from;
        }
        self.bytes
    }
}

/// One attribute, padded; also the way to make the inside of a nest.
pub(crate) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ATTRIBUTE_HEADER + payload.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'b> {
    /// `subsystem << 8 | message`, or one of the control kinds.
    pub(crate) kind: u16,
    payload: &'b [u8],
}

impl<'b> Message<'b> {
    /// Whether a dump ends here.
    pub(crate) fn is_done(&self) -> bool {
        self.kind == NLMSG_DONE
    }

    /// The positive error number of an acknowledgement, 0 for success.
    pub(crate) fn status(&self) -> Option<i32> {
        (self.kind == NLMSG_ERROR).then(|| {
            let code = self.payload.first_chunk().map_or(-1, |code| i32::from_ne_bytes(*code));
            code.saturating_neg()
        })
    }

    /// The address family in the netfilter header.
    pub(crate) fn family(&self) -> u8 {
        self.payload.first().copied().unwrap_or_default()
    }

    /// The resource number in the netfilter header: for packet logs the group.
    pub(crate) fn resource(&self) -> u16 {
        self.payload.get(2..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_be_bytes)
    }

    /// Attributes after the netfilter header.
    pub(crate) fn attributes(&self) -> Attributes<'b> {
        attributes(self.payload.get(NETFILTER_HEADER..).unwrap_or_default())
    }
}

/// Messages of a datagram, up to the first that is not well-formed.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
        let payload = bytes.get(MESSAGE_HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, payload })
    })
}

/// Iterator over attributes: number without flags, and payload.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'b>(&'b [u8]);

/// Attributes of a message or of a nest, up to the first that is not well-formed.
pub(crate) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes(bytes)
}

impl<'b> Iterator for Attributes<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16::from_ne_bytes(*self.0.first_chunk()?));
        let kind = u16::from_ne_bytes(*self.0.get(2..)?.first_chunk()?);
        let payload = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & ATTRIBUTE_NUMBER, payload))
    }
}

impl<'b> Attributes<'b> {
    /// Payload of the first attribute of that number.
    pub(crate) fn find_kind(&self, kind: u16) -> Option<&'b [u8]> {
        self.clone().find(|(number, _)| *number == kind).map(|(_, payload)| payload)
    }
}

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 0x0001;
/// `NLM_F_ACK`.
pub(crate) const ACK: u16 = 0x0004;
/// `NLM_F_CREATE`.
pub(crate) const CREATE: u16 = 0x0400;
/// `NLM_F_ROOT | NLM_F_MATCH`.
pub(crate) const DUMP: u16 = 0x0300;
/// `NLA_F_NESTED`.
pub(crate) const NESTED: u16 = 0x8000;
/// `AF_INET`.
pub(crate) const INET: u8 = 2;
/// `AF_INET6`.
pub(crate) const INET6: u8 = 10;
/// Room for one datagram of a dump or a log.
pub(crate) const DATAGRAM: usize = 64 * 1024;

const NFNETLINK_V0: u8 = 0;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const MESSAGE_HEADER: usize = 16;
const NETFILTER_HEADER: usize = 4;
const ATTRIBUTE_HEADER: usize = 4;
const ATTRIBUTE_NUMBER: u16 = 0x3fff;
/// The kernel caps this at `net.core.rmem_max`.
const RECEIVE_BUFFER: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        let bytes = Request::new(0x0401, REQUEST | ACK, INET, 10)
            .attribute(1, &[7])
            .attribute(2 | NESTED, &[1, 2, 3, 4, 5])
            .finish();
        assert_eq!(bytes.len(), 16 + 4 + 8 + 12);
        let message = messages(&bytes).next().unwrap();
        assert_eq!((message.kind, message.family(), message.resource()), (0x0401, INET, 10));
        let found: Vec<_> = message.attributes().collect();
        assert_eq!(found, [(1, &[7][..]), (2, &[1, 2, 3, 4, 5][..])]);
    }

    #[test]
    fn stops_at_lengths_that_lie() {
        let good = Request::new(0x0401, REQUEST, INET, 10).attribute(1, &[7]).finish();
        for at in 0..good.len() {
            assert_eq!(messages(&good[..at]).count(), 0, "cut at {at}");
        }
        for length in [0u16, 1, 3, 9, u16::MAX] {
            let mut lying = good.clone();
            lying[20..22].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&lying).next().unwrap().attributes().count(), 0, "length {length}");
        }
        let mut endless = good;
        endless[..4].copy_from_slice(&0u32.to_ne_bytes());
        assert_eq!(messages(&endless).count(), 0);
    }
}
