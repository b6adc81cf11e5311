//! What the kernel shows of a link, on a bridge and on a plain interface, and what is made of it.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gateway::hear::listen;
use gateway::{Announced, Heard, Mac, News, Site};
use sim::netns::Namespace;

use crate::lab::{Lab, ip, mac, send_frame};

const URL: &[u8] = b"https://maker.example/sensor/v2.json";

fn framed(source: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
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

pub(crate) fn request(client: Mac, mud: bool) -> Vec<u8> {
    let mud = if mud { [&[161, URL.len() as u8], URL].concat() } else { vec![] };
    let message = dhcp4(client, 1, [0; 4], &[&[53, 1, 3], &mud[..]].concat());
    framed(client, 0x0800, &over_v4(68, 67, &message))
}

pub(crate) fn grant(client: Mac, gives: [u8; 4], seconds: u32) -> Vec<u8> {
    let message = dhcp4(client, 2, gives, &[&[53, 1, 5, 51, 4][..], &seconds.to_be_bytes()].concat());
    framed(Mac([2, 0, 0, 0, 0x77, 1]), 0x0800, &over_v4(67, 68, &message))
}

fn solicit(client: Mac) -> Vec<u8> {
    let url = [&[0, 112, 0, URL.len() as u8], URL].concat();
    let message = [&[1, 0, 0, 9, 0, 1, 0, 10, 0, 3, 0, 1], &client.0[..], &url].concat();
    framed(client, 0x86dd, &over_v6(17, "fe80::b".parse().unwrap(), &udp(546, 547, &message)))
}

fn lldp(source: Mac) -> Vec<u8> {
    let tlv = |kind: u16, value: &[u8]| [&(kind << 9 | value.len() as u16).to_be_bytes()[..], value].concat();
    let mud = tlv(127, &[&[0, 0, 0x5e, 1], URL].concat());
    let tlvs =
        [&tlv(1, &[4, 2, 0, 0, 0, 0, 11])[..], &tlv(2, b"\x05eth0"), &tlv(3, &[0, 120]), &mud, &[0, 0]];
    let mut frame = framed(source, 0x88cc, &tlvs.concat());
    frame[..6].copy_from_slice(&[0x01, 0x80, 0xc2, 0, 0, 0x0e]);
    frame
}

/// Hears at a site of the lab while `act` runs in another thread.
fn hearing(space: &Namespace, site: &Site, act: impl FnOnce(&Receiver<Heard>)) {
    let (stop, (sender, heard)) = (AtomicBool::new(false), channel());
    std::thread::scope(|scope| {
        let stop = &stop;
        let listener = scope.spawn(move || {
            let ports = || Ok(site.ports.clone());
            space.enter(|| listen(site.clone(), &ports, &|heard| sender.send(heard).unwrap(), stop)).unwrap();
        });
        // Until the table is there, nothing is shown.
        let begin = Instant::now();
        while !space
            .output("nft", &["list", "tables"])
            .is_ok_and(|out| out.stdout.windows(4).any(|w| w == b"hear"))
        {
            assert!(begin.elapsed() < Duration::from_secs(5) && !listener.is_finished(), "the table is made");
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| act(&heard)));
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
}

fn awaits(heard: &Receiver<Heard>, from: Mac, wanted: impl Fn(&News) -> bool) -> News {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let one = heard.recv_timeout(left).expect("it is heard in time");
        if one.mac == from && wanted(&one.news) {
            return one.news;
        }
    }
}

fn announced(by: Announced) -> impl Fn(&News) -> bool {
    move |news| matches!(news, News::Announces { url, by: how } if *how == by && url.as_str().as_bytes() == URL)
}

fn uses(wanted: &str) -> impl Fn(&News) -> bool {
    let wanted: IpAddr = wanted.parse().unwrap();
    move |news| matches!(news, News::Uses { address, .. } if *address == wanted)
}

#[test]
fn a_bridge_with_isolated_ports_shows_what_devices_say_of_themselves() {
    let Some(lab) = Lab::new(2) else { return };
    let site = lab.site();
    let [device, other] = lab.devices.as_slice() else { panic!("two devices") };
    hearing(&lab.gw, &site, |heard| {
        // By hand, as only a few programs send them.
        for (frame, by) in [
            (request(mac(0), true), Announced::Dhcpv4),
            (solicit(mac(0)), Announced::Dhcpv6),
            (lldp(mac(0)), Announced::Lldp),
        ] {
            send_frame(device, "eth0", &frame);
            awaits(heard, mac(0), announced(by));
        }
        // As the kernel itself sends them: a question whether an address is free, ARP, and an answer.
        device.sysctl("net.ipv6.conf.eth0.accept_dad", "1").unwrap();
        device.ip("addr add 2001:db8:77::abcd/64 dev eth0").unwrap();
        awaits(heard, mac(0), uses("2001:db8:77::abcd"));
        other.ip("addr add 10.77.0.50/24 dev eth0").unwrap();
        let from = "10.77.0.50";
        other.output("ip", &["route", "replace", "10.77.0.1", "dev", "eth0", "src", from]).unwrap();
        other.ping(ip("10.77.0.1"));
        awaits(heard, mac(1), uses(from));
        // An answer of the gateway's own server, past the sockets as many servers send it. One from the link is no answer.
        send_frame(other, "eth0", &grant(mac(0), [10, 77, 0, 66], 600));
        send_frame(&lab.gw, "lan0", &grant(mac(0), [10, 77, 0, 60], 600));
        let news = awaits(heard, mac(0), |news| uses("10.77.0.60")(news) || uses("10.77.0.66")(news));
        assert!(uses("10.77.0.60")(&news), "{news:?}");
    });
}

#[test]
fn so_does_a_plain_interface() {
    let Some(lab) = Lab::new(0) else { return };
    let mut site = Site::new("wan0").unwrap();
    site.own = vec![ip("198.51.100.1")];
    let device = Mac([2, 0, 0, 0, 0, 99]);
    lab.wan.ip(&format!("link set wan0 address {device}")).unwrap();
    hearing(&lab.gw, &site, |heard| {
        send_frame(&lab.wan, "wan0", &request(device, true));
        awaits(heard, device, announced(Announced::Dhcpv4));
        send_frame(&lab.wan, "wan0", &lldp(device));
        awaits(heard, device, announced(Announced::Lldp));
        lab.wan.sysctl("net.ipv6.conf.wan0.accept_dad", "1").unwrap();
        lab.wan.ip("addr add 2001:db8:99::abcd/64 dev wan0").unwrap();
        awaits(heard, device, uses("2001:db8:99::abcd"));
        send_frame(&lab.gw, "wan0", &grant(device, [198, 51, 100, 60], 600));
        awaits(heard, device, uses("198.51.100.60"));
    });
}
