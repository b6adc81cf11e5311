//! What the kernel shows of a link, on a bridge and on a plain interface, and what is made of it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gateway::hear::{Capture, listen};
use gateway::{Announced, Heard, Mac, News, Site};
use sim::netns::Namespace;

use crate::frames::{URL, arp, grant, lldp, request, solicit};
use crate::lab::{Lab, ip, mac, send_frame};

/// Hears at a site of the lab while `act` runs in another thread.
fn hearing(space: &Namespace, site: &Site, act: impl FnOnce(&Receiver<Heard>)) {
    let (stop, (sender, heard)) = (AtomicBool::new(false), channel());
    std::thread::scope(|scope| {
        let stop = &stop;
        let listener = scope.spawn(move || {
            let ports = || Ok(site.ports.clone());
            let tell = |heard| sender.send(heard).unwrap();
            space.enter(|| {
                let capture = Capture::open(site).unwrap();
                listen(capture, site.clone(), &ports, &tell, stop).unwrap();
            });
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
        send_frame(device, "eth0", &arp(mac(0), [10, 77, 0, 70]));
        awaits(heard, mac(0), uses("10.77.0.70"));
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
