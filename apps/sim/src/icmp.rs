//! Echo requests (RFC 792, RFC 4443) over raw sockets.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrAny, SocketFlags, SocketType, ipproto, recvfrom, sendto,
    socket_with,
    sockopt::{Timeout, set_socket_timeout},
};

const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
/// Length of an echo message without data.
const ECHO_LEN: usize = 8;

/// Whether the address answers an echo request in time. Needs root.
pub(crate) fn answers(to: IpAddr, patience: Duration) -> io::Result<bool> {
    static IDENTIFIER: AtomicU16 = AtomicU16::new(1);
    let identifier = IDENTIFIER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let (family, protocol, request, reply) = match to {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, ECHO_REQUEST, ECHO_REPLY),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, ECHO_REQUEST_V6, ECHO_REPLY_V6),
    };
    let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol))?;
    let mut message = [request, 0, 0, 0, identifier[0], identifier[1], 0, 1];
    // In ICMPv6 the kernel fills in the checksum, which covers addresses that are not known here.
    if to.is_ipv4() {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    sendto(&socket, &message, SendFlags::empty(), &SocketAddr::new(to, 0))?;

    let end = Instant::now() + patience;
    let mut buffer = [0; 1024];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        set_socket_timeout(&socket, Timeout::Recv, Some(left))?;
        let (length, source) = match recvfrom(&socket, &mut buffer[..], RecvFlags::empty()) {
            Ok((length, _, source)) => (length, source),
            Err(rustix::io::Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let packet = buffer.get(..length).unwrap_or_default();
        // Raw sockets give IPv4 packets with their header, and IPv6 packets without.
        let header =
            if to.is_ipv4() { usize::from(packet.first().map_or(0, |byte| byte & 0x0f)) * 4 } else { 0 };
        let answer = packet.get(header..).unwrap_or_default();
        let is_ours = answer.len() >= ECHO_LEN && answer[0] == reply && answer[4..6] == identifier;
        if is_ours && source.and_then(ip_of) == Some(to) {
            return Ok(true);
        }
    }
}

fn ip_of(address: SocketAddrAny) -> Option<IpAddr> {
    SocketAddr::try_from(address).ok().map(|address| address.ip())
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_over_a_message_with_its_checksum_is_zero() {
        let mut message = [ECHO_REQUEST, 0, 0, 0, 0x12, 0x34, 0, 1];
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(checksum(&message), 0);
    }

    #[test]
    fn loopback_answers_and_nowhere_does_not() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        assert!(answers([127, 0, 0, 1].into(), Duration::from_secs(1)).unwrap());
        assert!(answers("::1".parse().unwrap(), Duration::from_secs(1)).unwrap_or(true));
    }
}
