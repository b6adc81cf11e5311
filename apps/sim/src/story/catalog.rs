//! What there is in the world of the story: two makers, their products, and the hosts of a small Internet.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use mud::{
    CONTROLLER_DNS, ConnState, Direction, IpPrefix, Packet, PacketFields, Policy, Remote, Resolved, Verdict,
    oracle,
};

use crate::{
    AppFlow, InternetSettings,
    probe::{Service, Target},
};

/// A product of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Model {
    PorchCam,
    DeskPlug,
}

/// A release of a product: its number, and what it needs of the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub(crate) model: Model,
    pub(crate) number: &'static str,
    pub(crate) sequence: u64,
    pub(crate) mud: &'static [u8],
    flows: &'static [(&'static str, &'static str, u16)],
}

/// Releases in the order in which they are made.
pub(crate) const CAM_1_0: Version = Version {
    model: Model::PorchCam,
    number: "1.0.0",
    sequence: 10,
    mud: include_bytes!("../../data/porch-cam-1.0.json"),
    flows: &[("tcp", CLOUD, 443), ("udp", CLOUD, 5683), ("tcp", EVENTS, 8883)],
};
pub(crate) const CAM_1_1: Version = Version {
    model: Model::PorchCam,
    number: "1.1.0",
    sequence: 11,
    mud: include_bytes!("../../data/porch-cam-1.1.json"),
    flows: &[("tcp", CLOUD, 443), ("udp", CLOUD, 5683), ("tcp", MEDIA, 554), ("udp", MEDIA, 5004)],
};
pub(crate) const PLUG_1_0: Version = Version {
    model: Model::DeskPlug,
    number: "1.0.0",
    sequence: 10,
    mud: include_bytes!("../../data/desk-plug-1.0.json"),
    flows: &[("tcp", HUB, 443), ("udp", HUB, 5684)],
};
pub(crate) const PLUG_1_1: Version = Version {
    model: Model::DeskPlug,
    number: "1.1.0",
    sequence: 11,
    mud: include_bytes!("../../data/desk-plug-1.1.json"),
    flows: &[("tcp", HUB, 443), ("udp", HUB, 5684), ("tcp", ENERGY, 8080)],
};

pub(crate) const CLOUD: &str = "cloud.northlight.example";
pub(crate) const EVENTS: &str = "events.northlight.example";
pub(crate) const MEDIA: &str = "media.northlight.example";
pub(crate) const HUB: &str = "hub.brightwork.example";
pub(crate) const ENERGY: &str = "energy.brightwork.example";
/// Nobody declares this one.
pub(crate) const TRACKER: &str = "tracker.example";

/// Last number of each host's addresses.
const HOSTS: [(&str, u8); 6] =
    [(CLOUD, 10), (EVENTS, 11), (MEDIA, 12), (HUB, 20), (ENERGY, 21), (TRACKER, 66)];
/// Where every host answers.
const TCP_PORTS: [u16; 5] = [23, 443, 554, 8080, 8883];
const UDP_PORTS: [u16; 4] = [443, 5004, 5683, 5684];
/// Last number of the name server's addresses.
const NAME_SERVER: u8 = 53;
const NAME_PORT: u16 = 53;
/// Lifetime of names, in seconds.
const NAME_LIFETIME: u32 = 300;
/// Milliseconds from one start of each flow of an application to the next.
const FLOW_PERIOD_MS: u64 = 400;

impl Model {
    /// Name of the class of device.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::PorchCam => "porch-cam",
            Self::DeskPlug => "desk-plug",
        }
    }

    /// Domain name of its maker.
    pub(crate) const fn vendor(self) -> &'static str {
        match self {
            Self::PorchCam => "northlight.example",
            Self::DeskPlug => "brightwork.example",
        }
    }

    /// Name of the software.
    pub(crate) const fn software(self) -> &'static str {
        match self {
            Self::PorchCam => "Northlight Porch Cam",
            Self::DeskPlug => "Brightwork Desk Plug",
        }
    }

    /// URL of its MUD file.
    pub(crate) const fn mud_url(self) -> &'static str {
        match self {
            Self::PorchCam => "https://mud.northlight.example/porch-cam.json",
            Self::DeskPlug => "https://mud.brightwork.example/desk-plug.json",
        }
    }
}

impl Version {
    /// What its application does.
    pub(crate) fn app_flows(&self) -> Vec<AppFlow> {
        let flow = |(protocol, host, port): &(&str, &str, u16)| AppFlow {
            protocol: (*protocol).to_owned(),
            host: (*host).to_owned(),
            port: *port,
            every_ms: FLOW_PERIOD_MS,
        };
        self.flows.iter().map(flow).collect()
    }
}

/// IPv4 address of the host with this number.
pub(crate) fn v4(host: u8) -> IpAddr {
    Ipv4Addr::new(203, 0, 113, host).into()
}

/// IPv6 address of the host with this number, which stands in it as it is written.
pub(crate) fn v6(host: u8) -> IpAddr {
    let digits = u16::from_str_radix(&host.to_string(), 16).unwrap_or_default();
    Ipv6Addr::new(0x2001, 0xdb8, 0xaa, 0, 0, 0, 0, digits).into()
}

/// Addresses of a host.
pub(crate) fn addresses(name: &str) -> Vec<IpAddr> {
    HOSTS
        .iter()
        .filter(|(host, _)| *host == name)
        .flat_map(|(_, number)| [v4(*number), v6(*number)])
        .collect()
}

/// Every address of the Internet, the name server's included.
pub(crate) fn all_addresses() -> Vec<IpAddr> {
    let numbers = HOSTS.iter().map(|(_, number)| *number).chain([NAME_SERVER]);
    numbers.flat_map(|number| [v4(number), v6(number)]).collect()
}

/// Where the name server listens.
pub(crate) fn name_server() -> SocketAddr {
    SocketAddr::new(v4(NAME_SERVER), NAME_PORT)
}

/// The Internet: every host answers on every port, so that only the gateway decides what arrives.
pub(crate) fn internet() -> InternetSettings {
    let hosts = || HOSTS.iter().flat_map(|(name, _)| addresses(name));
    let at = |ports: &'static [u16]| {
        hosts().flat_map(move |address| ports.iter().map(move |port| SocketAddr::new(address, *port)))
    };
    InternetSettings {
        dns: vec![name_server(), SocketAddr::new(v6(NAME_SERVER), NAME_PORT)],
        names: HOSTS
            .iter()
            .map(|(name, _)| ((*name).to_owned(), addresses(name)))
            .collect::<BTreeMap<_, _>>(),
        ttl: NAME_LIFETIME,
        tcp: at(&TCP_PORTS).collect(),
        udp: at(&UDP_PORTS).collect(),
    }
}

/// Every service of the Internet: the matrix that is probed.
pub(crate) fn matrix() -> Vec<Target> {
    let services = || {
        let tcp = TCP_PORTS.into_iter().map(Service::Tcp);
        tcp.chain(UDP_PORTS.into_iter().map(Service::Udp)).chain([Service::Ping])
    };
    let hosts = HOSTS.iter().flat_map(|(name, _)| addresses(name));
    hosts.flat_map(|address| services().map(move |service| Target { address, service })).collect()
}

/// Which services of the Internet a policy permits, by the packet oracle: the expectation that the kernel is held to.
pub(crate) fn permitted(policy: &Policy, resolver: IpAddr) -> Vec<Target> {
    let mut resolved = Resolved::default();
    for (name, _) in HOSTS {
        resolved.insert(Remote::Name(name.to_owned()), addresses(name).into_iter().map(IpPrefix::host));
    }
    resolved.insert(Remote::Controller(CONTROLLER_DNS.to_owned()), [IpPrefix::host(resolver)]);
    let passes = |target: &Target| {
        oracle(policy, &resolved, &first_packet(target), ConnState::New).verdict == Verdict::Accept
    };
    matrix().into_iter().filter(passes).collect()
}

/// The packet with which a device starts to use a service.
pub(crate) fn first_packet(target: &Target) -> Packet {
    let v6 = target.address.is_ipv6();
    let (protocol, remote_port, icmp) = match target.service {
        Service::Tcp(port) => (6, port, None),
        Service::Udp(port) => (17, port, None),
        Service::Ping if v6 => (58, 0, Some((128, 0))),
        Service::Ping => (1, 0, Some((8, 0))),
    };
    let device_port = if icmp.is_some() { 0 } else { 40_000 };
    Packet {
        direction: Direction::FromDevice,
        remote: target.address,
        protocol,
        remote_port,
        device_port,
        icmp,
        tcp_flags: None,
        fields: PacketFields::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(version: &Version) -> Policy {
        let context = mud::Context { fetched_url: Some(version.model.mud_url()), ..mud::Context::default() };
        let parsed = mud::parse(version.mud, &context).expect("fixtures are MUD files");
        let compiled = mud::compile(&parsed.file);
        let worst = parsed
            .findings
            .iter()
            .chain(&compiled.findings)
            .filter(|finding| finding.severity != mud::Severity::Note);
        assert_eq!(worst.count(), 0, "{}: {:?} {:?}", version.number, parsed.findings, compiled.findings);
        assert!(!compiled.policy.breadth().needs_approval());
        compiled.policy
    }

    /// Names of the services a release may use, for reading.
    fn reachable(version: &Version) -> Vec<String> {
        let mut reached: Vec<String> = permitted(&policy(version), Ipv4Addr::new(10, 77, 0, 1).into())
            .iter()
            .map(ToString::to_string)
            .collect();
        reached.sort();
        reached
    }

    #[test]
    fn releases_reach_what_their_files_say_in_both_families() {
        let cam = |more: &[&str]| {
            let mut all = vec![
                "ping 203.0.113.10",
                "ping 2001:db8:aa::10",
                "tcp 203.0.113.10:443",
                "tcp [2001:db8:aa::10]:443",
                "udp 203.0.113.10:5683",
                "udp [2001:db8:aa::10]:5683",
            ];
            all.extend(more);
            all.sort_unstable();
            all.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(reachable(&CAM_1_0), cam(&["tcp 203.0.113.11:8883", "tcp [2001:db8:aa::11]:8883"]));
        assert_eq!(
            reachable(&CAM_1_1),
            cam(&[
                "tcp 203.0.113.12:554",
                "tcp [2001:db8:aa::12]:554",
                "udp 203.0.113.12:5004",
                "udp [2001:db8:aa::12]:5004"
            ])
        );
        assert_eq!(reachable(&PLUG_1_0).len(), 6);
        assert_eq!(reachable(&PLUG_1_1).len(), 8);
    }

    #[test]
    fn applications_use_only_what_their_release_declares() {
        for version in [CAM_1_0, CAM_1_1, PLUG_1_0, PLUG_1_1] {
            let permitted = permitted(&policy(&version), Ipv4Addr::new(10, 77, 0, 1).into());
            for flow in version.app_flows() {
                let service =
                    if flow.protocol == "tcp" { Service::Tcp(flow.port) } else { Service::Udp(flow.port) };
                for address in addresses(&flow.host) {
                    assert!(permitted.contains(&Target { address, service }), "{} {flow:?}", version.number);
                }
            }
        }
    }
}
