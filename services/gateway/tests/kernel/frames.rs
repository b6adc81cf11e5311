//! Frames by hand, as few programs send them.

use std::net::{IpAddr, Ipv6Addr};

use gateway::Mac;

/// A MUD URL.
pub(crate) const URL: &[u8] = b"https://maker.example/sensor/v2.json";

/// A frame to everybody.
pub(crate) fn framed(source: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xff; 6][..], &source.0, &ethertype.to_be_bytes(), payload].concat()
}

fn udp(source: u16, destination: u16, content: &[u8]) -> Vec<u8> {
    let length = (8 + content.len()) as u16;
    [&source.to_be_bytes()[..], &destination.to_be_bytes(), &length.to_be_bytes(), &[0, 0], content].concat()
}

fn over_v4(source: u16, destination: u16, content: &[u8]) -> Vec<u8> {
    let datagram = udp(source, destination, content);
    let mut head = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255];
    head[2..4].copy_from_slice(&(20 + datagram.len() as u16).to_be_bytes());
    let sum: u32 = head.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    [head, datagram].concat()
}

fn over_v6(next: u8, source: Ipv6Addr, content: &[u8]) -> Vec<u8> {
    let to: Ipv6Addr = "ff02::1".parse().unwrap();
    let length = (content.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0, length[0], length[1], next, 255], &source.octets()[..], &to.octets(), content].concat()
}

/// A message of DHCP for IPv4 about a client.
fn dhcp4(client: Mac, operation: u8, gives: [u8; 4], options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 240];
    bytes[..8].copy_from_slice(&[operation, 1, 6, 0, 0xca, 0xfe, 0, 1]);
    bytes[16..20].copy_from_slice(&gives);
    bytes[28..34].copy_from_slice(&client.0);
    bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
    [&bytes, options, &[255]].concat()
}

/// A client's request, with or without the MUD URL.
pub(crate) fn request(client: Mac, mud: bool) -> Vec<u8> {
    let mud = if mud { [&[161, URL.len() as u8], URL].concat() } else { vec![] };
    let message = dhcp4(client, 1, [0; 4], &[&[53, 1, 3], &mud[..]].concat());
    framed(client, 0x0800, &over_v4(68, 67, &message))
}

/// The gateway's answer to it.
pub(crate) fn grant(client: Mac, gives: [u8; 4], seconds: u32) -> Vec<u8> {
    let message = dhcp4(client, 2, gives, &[&[53, 1, 5, 51, 4][..], &seconds.to_be_bytes()].concat());
    framed(Mac([2, 0, 0, 0, 0x77, 1]), 0x0800, &over_v4(67, 68, &message))
}

/// A client's first question, with the MUD URL.
pub(crate) fn solicit(client: Mac) -> Vec<u8> {
    let url = [&[0, 112, 0, URL.len() as u8], URL].concat();
    let message = [&[1, 0, 0, 9, 0, 1, 0, 10, 0, 3, 0, 1], &client.0[..], &url].concat();
    framed(client, 0x86dd, &over_v6(17, "fe80::b".parse().unwrap(), &udp(546, 547, &message)))
}

/// A frame with the MUD URL.
pub(crate) fn lldp(source: Mac) -> Vec<u8> {
    let tlv = |kind: u16, value: &[u8]| [&(kind << 9 | value.len() as u16).to_be_bytes()[..], value].concat();
    let mud = tlv(127, &[&[0, 0, 0x5e, 1], URL].concat());
    let tlvs =
        [&tlv(1, &[4, 2, 0, 0, 0, 0, 11])[..], &tlv(2, b"\x05eth0"), &tlv(3, &[0, 120]), &mud, &[0, 0]];
    let mut frame = framed(source, 0x88cc, &tlvs.concat());
    frame[..6].copy_from_slice(&[0x01, 0x80, 0xc2, 0, 0, 0x0e]);
    frame
}

/// A question over ARP by whoever has an address.
pub(crate) fn arp(source: Mac, address: [u8; 4]) -> Vec<u8> {
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &source.0, &address, &[0; 6], &[10, 77, 0, 1]].concat();
    framed(source, 0x0806, &arp)
}

/// A datagram to port 9 beyond the gateway, in a frame to it.
pub(crate) fn datagram(source_mac: Mac, source: IpAddr) -> Vec<u8> {
    let udp = [0x30, 0x39, 0, 9, 0, 8, 0, 0];
    let mut frame = match (source, IpAddr::from([203, 0, 113, 10]), "2001:db8:aa::10".parse().unwrap()) {
        (IpAddr::V4(source), IpAddr::V4(to), _) => {
            let mut head = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
            head.extend_from_slice(&source.octets());
            head.extend_from_slice(&to.octets());
            let sum: u32 = head.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
            head[10..12].copy_from_slice(&sum.to_be_bytes());
            framed(source_mac, 0x0800, &[&head[..], &udp].concat())
        }
        (IpAddr::V6(source), _, IpAddr::V6(to)) => {
            let head = [0x60, 0, 0, 0, 0, 8, 17, 64];
            framed(source_mac, 0x86dd, &[&head[..], &source.octets(), &to.octets(), &udp].concat())
        }
        _ => unreachable!("the families are those of the addresses"),
    };
    // For the gateway.
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 0x77, 1]);
    frame
}
