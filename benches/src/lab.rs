//! A device, a gateway and a network behind it, in namespaces of the real kernel.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gateway::{
    AddressRange, Binding, DeviceId, Enforcer, Mac, Observer, Peer, PolicyId, Program, Service, Side, Site,
    Start, TlsMode, Wanted,
};
use mud::{Family, Ports, Protocol, TlsProfile, Verdict};
use sim::netns::{Namespace, Network};

/// Where the device's packets go.
pub(crate) const TARGET: SocketAddr = SocketAddr::new(REMOTE, 9000);

/// The three and what joins them; gone when dropped.
pub(crate) struct Lab {
    pub(crate) device: Namespace,
    pub(crate) gateway: Namespace,
    pub(crate) wan: Namespace,
    _network: Network,
}

impl Lab {
    /// `None`, after saying so aloud, without root.
    pub(crate) fn new() -> Option<Self> {
        match Network::new() {
            Ok(network) => Some(Self::build(network).expect("root may link namespaces")),
            Err(error) => {
                eprintln!("SKIPPED: {error}");
                None
            }
        }
    }

    fn build(mut network: Network) -> std::io::Result<Self> {
        let (device, gateway, wan) = (network.add("dev")?, network.add("gw")?, network.add("wan")?);
        network.link((&gateway, "lan0"), (&device, "eth0"))?;
        network.link((&gateway, "wan0"), (&wan, "eth0"))?;
        device.ip(&format!("link set eth0 address {MAC}"))?;
        device.ip(&format!("addr add {DEVICE}/24 dev eth0"))?;
        device.ip(&format!("route add default via {GATEWAY}"))?;
        gateway.ip(&format!("addr add {GATEWAY}/24 dev lan0"))?;
        gateway.ip("addr add 198.51.100.1/24 dev wan0")?;
        gateway.ip(&format!("route add {REMOTE}/32 via 198.51.100.2"))?;
        gateway.sysctl("net.ipv4.ip_forward", "1")?;
        wan.ip("addr add 198.51.100.2/24 dev eth0")?;
        wan.ip(&format!("addr add {REMOTE}/32 dev lo"))?;
        wan.ip("route add default via 198.51.100.1")?;
        Ok(Self { device, gateway, wan, _network: network })
    }

    /// Enforcement at this gateway, with the device and as many others besides, all under [`release`].
    pub(crate) fn enforce(&self, others: u32, observer: Arc<dyn Observer>) -> Result<Enforcer> {
        let mut site = Site::new("lan0").context("an interface")?;
        site.own = vec![GATEWAY];
        let mut devices = vec![(binding(own_id()?, MAC_BYTES, DEVICE), release())];
        for index in 0..others {
            devices.push((other(index)?, release()));
        }
        let policies = [(release(), permitting(9000)?), (next_release(), permitting(9001)?)].into();
        let wanted = Wanted { policies, devices, ..Wanted::default() };
        self.gateway.enter(|| Enforcer::open(site, wanted, observer)).context("taking up enforcement")
    }

    /// Enforcement at this gateway with the device alone, whose policy asks for a handshake over one port.
    pub(crate) fn enforce_handshakes(
        &self,
        mode: TlsMode,
        port: u16,
        profile: TlsProfile,
    ) -> Result<Enforcer> {
        let mut site = Site::new("lan0").context("an interface")?;
        (site.own, site.tls) = (vec![GATEWAY], mode);
        let range = AddressRange::new(REMOTE, REMOTE).context("an address")?;
        let mut service = Service::of(Protocol::Tcp);
        service.remote_ports = Ports::one(port);
        let program = Program::new(vec![Start {
            side: Side::From,
            family: Family::V4,
            peer: Peer::Range(range),
            service,
            tls: vec![profile],
            verdict: Verdict::Accept,
        }]);
        let policies = [(release(), program.context("a policy")?)].into();
        let devices = vec![(binding(own_id()?, MAC_BYTES, DEVICE), release())];
        let wanted = Wanted { policies, devices, ..Wanted::default() };
        self.gateway.enter(|| Enforcer::open(site, wanted, Arc::new(()))).context("taking up enforcement")
    }

    /// A socket of the device that speaks to [`TARGET`].
    pub(crate) fn sender(&self) -> Result<UdpSocket> {
        let socket = self.device.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)));
        let socket = socket.context("a socket of the device")?;
        socket.connect(TARGET).context("the device's destination")?;
        Ok(socket)
    }

    /// A socket at [`TARGET`].
    pub(crate) fn receiver(&self) -> Result<UdpSocket> {
        let socket = self.wan.enter(|| UdpSocket::bind(TARGET)).context("a socket behind the gateway")?;
        socket.set_read_timeout(Some(Duration::from_millis(50))).context("a time limit")?;
        Ok(socket)
    }

    /// Packets that arrived behind the gateway so far.
    pub(crate) fn arrived(&self) -> Result<u64> {
        let text = self.wan.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev"));
        let text = text.context("reading the interface's counters")?;
        let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:"));
        let field = line.and_then(|line| line.split_whitespace().nth(1));
        field.and_then(|packets| packets.parse().ok()).context("no counter of the interface")
    }
}

/// The policy of all devices: the device may speak to [`TARGET`].
pub(crate) fn release() -> PolicyId {
    PolicyId::staged(16).expect("a number that is not reserved")
}

/// Another policy, which permits the same and more.
pub(crate) fn next_release() -> PolicyId {
    PolicyId::staged(17).expect("a number that is not reserved")
}

/// The one device that is really there.
pub(crate) fn own_id() -> Result<DeviceId> {
    DeviceId::new(&[1; 17]).context("an id")
}

/// One of the others.
pub(crate) fn other_id(index: u32) -> Result<DeviceId> {
    DeviceId::new(&[&[2], &index.to_be_bytes()[..]].concat()).context("an id")
}

fn other(index: u32) -> Result<Binding> {
    let [_, a, b, c] = index.to_be_bytes();
    Ok(binding(other_id(index)?, [6, 0, 0, a, b, c], IpAddr::from([10, 100 + a, b, c])))
}

fn binding(device: DeviceId, mac: [u8; 6], address: IpAddr) -> Binding {
    Binding { device, mac: Mac(mac), addresses: vec![address], classes: vec![] }
}

/// A policy of twenty entries, as in files of the field; the one that matters is [`TARGET`].
fn permitting(last: u16) -> Result<Program> {
    let to = |address: IpAddr, port: u16| {
        let range = AddressRange::new(address, address).context("an address")?;
        let mut service = Service::of(Protocol::Udp);
        service.remote_ports = Ports::one(port);
        let peer = Peer::Range(range);
        anyhow::Ok(Start {
            side: Side::From,
            family: Family::V4,
            peer,
            service,
            tls: Vec::new(),
            verdict: Verdict::Accept,
        })
    };
    let mut starts = vec![to(REMOTE, TARGET.port())?];
    for index in 1..20 {
        starts.push(to(IpAddr::from([203, 0, 113, 100 + index]), last)?);
    }
    Program::new(starts).context("a policy")
}

const DEVICE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 11));
pub(crate) const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
pub(crate) const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10));
const MAC: &str = "02:00:00:00:00:0b";
const MAC_BYTES: [u8; 6] = [2, 0, 0, 0, 0, 0x0b];
