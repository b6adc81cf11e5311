//! Where things are: addresses, namespaces and links.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use super::catalog::{self, Model};
use crate::{
    Process,
    folder::Folder,
    netns::{Namespace, Network},
};

/// A device of the story.
pub(crate) struct Device {
    pub(crate) name: String,
    pub(crate) model: Model,
    pub(crate) group: &'static str,
    pub(crate) ueid: String,
    pub(crate) space: Namespace,
    pub(crate) v4: IpAddr,
    pub(crate) v6: IpAddr,
    pub(crate) data: PathBuf,
    pub(super) agent: Option<Process>,
}

/// Groups: those that get updates, and the one that was forgotten.
pub(crate) const CAMS: &str = "porch";
pub(crate) const LATE: &str = "attic";
pub(crate) const PLUGS: &str = "desks";
/// How many devices the story needs.
pub const MIN_DEVICES: usize = 6;
/// How many it has room for.
pub const MAX_DEVICES: usize = 60;
/// Cameras that get updates, the forgotten one after them, then two plugs; further devices are one of each in turn.
const FIRST_CAMS: usize = 3;

/// Where the server is for devices and gateway.
pub(crate) const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2)), 8443);
/// The gateway on the LAN.
pub(crate) const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
pub(crate) const GATEWAY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 1));
/// Where devices prove themselves to it.
pub(crate) const ADMISSION_PORT: u16 = 8480;
/// The bridge that devices are behind, and the way to the rest of the world.
pub(crate) const LAN: &str = "lan0";
pub(crate) const WAN: &str = "wan0";
/// Number of the first device in every kind of address.
const FIRST_DEVICE: usize = 11;

impl Device {
    /// A namespace behind the gateway, like a device that was just plugged in.
    pub(super) fn place(
        network: &mut Network,
        gw: &Namespace,
        folder: &Folder,
        index: usize,
    ) -> std::io::Result<Self> {
        let (model, group, name) = describe(index);
        let space = network.add(&format!("dev{index}"))?;
        let port = format!("p{index}");
        network.link((gw, &port), (&space, "eth0"))?;
        gw.enslave(&port, LAN)?;
        let number = FIRST_DEVICE + index;
        let last = u8::try_from(number).unwrap_or(u8::MAX);
        let v4 = IpAddr::from([10, 77, 0, last]);
        let v6 = IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, u16::from(last)));
        space.ip(&format!("link set eth0 address 02:00:00:00:00:{last:02x}"))?;
        space.ip(&format!("addr add {v4}/24 dev eth0"))?;
        space.ip(&format!("addr add {v6}/128 dev eth0 nodad"))?;
        space.ip(&format!("route add default via {GATEWAY}"))?;
        space.ip("-6 route add default via fe80::1 dev eth0")?;
        space.use_resolver(GATEWAY)?;
        let data = folder.path(&name);
        Ok(Self { name, model, group, ueid: String::new(), space, v4, v6, data, agent: None })
    }

    /// What its factory's voucher calls it: its UEID without the type.
    pub(crate) fn guid(&self) -> &str {
        self.ueid.get(2..).unwrap_or_default()
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        [self.v4, self.v6]
    }

    /// Its agent, if it runs.
    pub(crate) fn agent(&self) -> Option<&Process> {
        self.agent.as_ref()
    }

    /// Ends its agent.
    pub(crate) fn stop_agent(&mut self) {
        self.agent = None;
    }
}

/// Model, group and name of a device.
fn describe(index: usize) -> (Model, &'static str, String) {
    let late = FIRST_CAMS;
    let plugs = MIN_DEVICES - late - 1;
    match index {
        _ if index < FIRST_CAMS => (Model::PorchCam, CAMS, format!("cam-{}", index + 1)),
        _ if index == late => (Model::PorchCam, LATE, "cam-late".to_owned()),
        _ if index < MIN_DEVICES => (Model::DeskPlug, PLUGS, format!("plug-{}", index - late)),
        _ if index.is_multiple_of(2) => {
            (Model::PorchCam, CAMS, format!("cam-{}", FIRST_CAMS + (index - MIN_DEVICES) / 2 + 1))
        }
        _ => (Model::DeskPlug, PLUGS, format!("plug-{}", plugs + (index - MIN_DEVICES) / 2 + 1)),
    }
}

/// Addresses and links of the gateway and the Internet behind it.
pub(super) fn join(network: &Network, gw: &Namespace, wan: &Namespace) -> std::io::Result<()> {
    gw.add_bridge(LAN, "02:00:00:00:77:01")?;
    gw.ip(&format!("addr add {GATEWAY}/24 dev {LAN}"))?;
    gw.ip(&format!("addr add {GATEWAY_V6}/64 dev {LAN} nodad"))?;
    gw.ip(&format!("addr add fe80::1/64 dev {LAN} nodad"))?;
    network.link((gw, WAN), (wan, WAN))?;
    gw.ip(&format!("addr add 198.51.100.1/24 dev {WAN}"))?;
    gw.ip(&format!("addr add 2001:db8:99::1/64 dev {WAN} nodad"))?;
    wan.ip(&format!("addr add {}/24 dev {WAN}", SERVER.ip()))?;
    wan.ip(&format!("addr add 2001:db8:99::2/64 dev {WAN} nodad"))?;
    for address in catalog::all_addresses() {
        let length = if address.is_ipv4() { "32 dev lo" } else { "128 dev lo nodad" };
        wan.ip(&format!("addr add {address}/{length}"))?;
    }
    gw.ip(&format!("route add 203.0.113.0/24 via {}", SERVER.ip()))?;
    gw.ip("-6 route add 2001:db8:aa::/64 via 2001:db8:99::2")?;
    wan.ip("route add default via 198.51.100.1")?;
    wan.ip("-6 route add default via 2001:db8:99::1")
}
