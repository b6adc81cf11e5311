//! A gateway with devices behind an isolating bridge, and a network behind the gateway.
//!
//! Devices are 10.77.0.11 and up with 2001:db8:77::11 and up; beyond the gateway are 203.0.113.10 to 13 and
//! 2001:db8:aa::10 to 13.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gateway::{
    Binding, Class, DeviceId, Enforcer, Event, Mac, Peer, PolicyId, Program, Service, Side, Site, Start,
    Wanted,
};
use mud::{Family, Ports, Protocol, Verdict};
use sim::netns::{Namespace, Network};

/// Long enough for an answer on one machine.
pub(crate) const ANSWER: Duration = Duration::from_secs(2);
/// Long enough to see that no answer comes: an answer takes well under a millisecond.
pub(crate) const SILENCE: Duration = Duration::from_millis(200);

pub(crate) struct Lab {
    pub(crate) gw: Namespace,
    pub(crate) wan: Namespace,
    pub(crate) devices: Vec<Namespace>,
    _network: Network,
}

impl Lab {
    pub(crate) fn new(count: usize) -> Option<Self> {
        let mut network = match Network::new() {
            Ok(network) => network,
            Err(error) => {
                testkit::skipped(error);
                return None;
            }
        };
        let gw = network.add("gw").unwrap();
        let wan = network.add("wan").unwrap();
        gw.add_bridge("lan0", "02:00:00:00:77:01").unwrap();
        gw.ip("addr add 10.77.0.1/24 dev lan0").unwrap();
        gw.ip("addr add 2001:db8:77::1/64 dev lan0 nodad").unwrap();
        gw.ip("addr add fe80::1/64 dev lan0 nodad").unwrap();

        network.link((&gw, "wan0"), (&wan, "wan0")).unwrap();
        gw.ip("addr add 198.51.100.1/24 dev wan0").unwrap();
        gw.ip("addr add 2001:db8:99::1/64 dev wan0 nodad").unwrap();
        wan.ip("addr add 198.51.100.2/24 dev wan0").unwrap();
        wan.ip("addr add 2001:db8:99::2/64 dev wan0 nodad").unwrap();
        for host in 10..14 {
            wan.ip(&format!("addr add 203.0.113.{host}/32 dev lo")).unwrap();
            wan.ip(&format!("addr add 2001:db8:aa::{host}/128 dev lo nodad")).unwrap();
        }
        gw.ip("route add 203.0.113.0/24 via 198.51.100.2").unwrap();
        gw.ip("-6 route add 2001:db8:aa::/64 via 2001:db8:99::2").unwrap();
        wan.ip("route add default via 198.51.100.1").unwrap();
        wan.ip("-6 route add default via 2001:db8:99::1").unwrap();

        let devices = (0..count)
            .map(|index| {
                let device = network.add(&format!("dev{index}")).unwrap();
                let port = format!("p{index}");
                network.link((&gw, &port), (&device, "eth0")).unwrap();
                gw.enslave(&port, "lan0").unwrap();
                device.ip(&format!("link set eth0 address {}", mac(index))).unwrap();
                device.ip(&format!("addr add {}/24 dev eth0", v4(index))).unwrap();
                device.ip(&format!("addr add {}/128 dev eth0 nodad", v6(index))).unwrap();
                device.ip("route add default via 10.77.0.1").unwrap();
                device.ip("-6 route add default via fe80::1 dev eth0").unwrap();
                device
            })
            .collect();
        Some(Self { gw, wan, devices, _network: network })
    }

    /// An enforcer in the gateway's namespace. Call from a thread that entered it.
    pub(crate) fn open(&self, wanted: Wanted) -> (Enforcer, Receiver<Event>) {
        let (sender, events) = channel();
        let enforcer = Enforcer::open(self.site(), wanted, Arc::new(sender)).unwrap();
        (enforcer, events)
    }

    pub(crate) fn site(&self) -> Site {
        let mut site = Site::new("lan0").unwrap();
        site.own = vec![ip("10.77.0.1"), ip("2001:db8:77::1"), ip("fe80::1")];
        site.ports = (0..self.devices.len())
            .map(|index| gateway::Interface::new(&format!("p{index}")).unwrap())
            .collect();
        site
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(address), port)
}

pub(crate) fn v4(index: usize) -> IpAddr {
    IpAddr::from([10, 77, 0, 11 + index as u8])
}

pub(crate) fn v6(index: usize) -> IpAddr {
    format!("2001:db8:77::{}", 11 + index).parse().unwrap()
}

pub(crate) fn mac(index: usize) -> Mac {
    Mac([2, 0, 0, 0, 0, 11 + index as u8])
}

pub(crate) fn id(index: usize) -> DeviceId {
    DeviceId::new(&[1, index as u8]).unwrap()
}

pub(crate) fn binding(index: usize) -> Binding {
    let link_local = format!("fe80::ff:fe00:{:x}", 11 + index).parse().unwrap();
    Binding {
        device: id(index),
        mac: mac(index),
        addresses: vec![v4(index), v6(index), link_local],
        classes: vec![],
    }
}

/// Lets a device start, or be started toward, over one protocol and port.
pub(crate) fn allow(side: Side, family: Family, peer: Peer, protocol: Protocol, port: u16) -> Start {
    let mut service = Service::of(protocol);
    match side {
        Side::From => service.remote_ports = Ports::one(port),
        Side::To => service.device_ports = Ports::one(port),
    }
    Start { side, family, peer, service, tls: vec![], verdict: Verdict::Accept }
}

/// The same toward one remote address.
pub(crate) fn reach(address: &str, protocol: Protocol, port: u16) -> Start {
    let address = ip(address);
    let range = gateway::AddressRange::new(address, address).unwrap();
    allow(Side::From, Family::of(address), Peer::Range(range), protocol, port)
}

pub(crate) fn program(starts: Vec<Start>) -> Program {
    Program::new(starts).unwrap()
}

pub(crate) fn class(side: Side, class: Class, protocol: Protocol, port: u16) -> Vec<Start> {
    let peer = || Peer::Class(class.clone());
    vec![allow(side, Family::V4, peer(), protocol, port), allow(side, Family::V6, peer(), protocol, port)]
}

/// Sends a frame as it is, past the network of the namespace. A socket of the link layer takes an address that safe code here cannot
/// make; Perl is part of every Debian.
pub(crate) fn send_frame(space: &Namespace, interface: &str, frame: &[u8]) {
    const PROGRAM: &str = r#"
        my ($interface, $hex) = @ARGV;
        open(my $file, "<", "/sys/class/net/$interface/ifindex") or die "$interface: $!";
        my $index = <$file>;
        socket(my $socket, 17, 3, 0) or die "socket: $!";
        send($socket, pack("H*", $hex), 0, pack("SnlSCCa8", 17, 0, $index, 0, 0, 6, "")) or die "send: $!";
    "#;
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    let output = space.output("perl", &["-e", PROGRAM, interface, &hex]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Waits for an event that has what it takes.
pub(crate) fn await_event<T>(events: &Receiver<Event>, pick: impl Fn(&Event) -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let event = events.recv_timeout(left).expect("the event came in time");
        if let Some(found) = pick(&event) {
            return found;
        }
    }
}

/// The policies of everything in the device maps, as the kernel lists them.
pub(crate) fn marks(gw: &Namespace) -> Vec<(String, String, u64)> {
    let output = gw.output("nft", &["-j", "list", "table", "inet", "sextant"]).unwrap();
    assert!(output.status.success(), "the table is there");
    let listing: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut marks = Vec::new();
    for map in listing["nftables"].as_array().unwrap().iter().filter_map(|object| object.get("map")) {
        let name = map["name"].as_str().unwrap();
        for element in map["elem"].as_array().into_iter().flatten().filter(|_| name.starts_with("dev_")) {
            marks.push((name.to_owned(), element[0].to_string(), element[1].as_u64().unwrap()));
        }
    }
    marks
}

pub(crate) const UPDATE_ONLY: PolicyId = PolicyId::UPDATE_ONLY;
