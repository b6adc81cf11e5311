//! Packets and flows as people write them: `from-device tcp 203.0.113.5:443 established`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::Args;
use mud::{ConnState, Direction, Family, IpPrefix, Packet, PacketFields, Protocol, Remote};

/// Stands for the address of a remote that is given by name: from the blocks for documentation (RFC 5737, RFC 3849).
const NAMED_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const NAMED_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// Port of a side that nobody named: an ephemeral one.
const SOME_PORT: u16 = 49152;

const EXPECTED: &str = "expected `from-device|to-device tcp|udp|icmp|PROTOCOL REMOTE[:PORT]`, then any of `device-port N`, \
                        `type N code N`, `ipv6`, `new|established|related|invalid`";

/// A packet to judge.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(super) packet: Packet,
    pub(super) state: ConnState,
    /// What the name in it stands for.
    pub(super) resolved: Vec<(Remote, IpPrefix)>,
}

/// A packet in single options, for those who do not care for the sentence. Ports are those in its header.
#[derive(Debug, Args)]
#[group(id = "header")]
pub(super) struct Header {
    /// The device sends it
    #[arg(long, group = "sender")]
    from_device: bool,
    /// The other end sends it
    #[arg(long, group = "sender")]
    to_device: bool,
    /// tcp, udp, icmp or a number
    #[arg(long, value_name = "PROTOCOL", requires = "sender")]
    proto: Option<String>,
    /// Its source port
    #[arg(long, value_name = "PORT", requires = "proto")]
    sport: Option<u16>,
    /// Its destination port
    #[arg(long, value_name = "PORT", requires = "proto")]
    dport: Option<u16>,
    /// Address of the other end
    #[arg(long, value_name = "ADDRESS", requires = "proto")]
    remote: Option<IpAddr>,
    /// Name of the other end
    #[arg(long, value_name = "NAME", requires = "proto", conflicts_with = "remote")]
    remote_name: Option<String>,
    /// Type of the ICMP message
    #[arg(long, value_name = "N", requires = "proto")]
    icmp_type: Option<u8>,
    /// Code of the ICMP message
    #[arg(long, value_name = "N", requires = "icmp_type")]
    icmp_code: Option<u8>,
    /// The name's IPv6 address is meant
    #[arg(long, requires = "remote_name")]
    ipv6: bool,
    /// State of its flow
    #[arg(long, value_name = "STATE", requires = "proto", value_parser = state)]
    state: Option<ConnState>,
}

impl Header {
    /// The packet, if one is described.
    pub(super) fn query(&self) -> Result<Option<Query>, String> {
        let Some(protocol) = &self.proto else { return Ok(None) };
        let (address, resolved) = match (&self.remote, &self.remote_name) {
            (Some(address), _) => (*address, Vec::new()),
            (None, Some(name)) => named(name, self.ipv6),
            (None, None) => return Err("say who the other end is: --remote or --remote-name".to_owned()),
        };
        let (direction, remote_port, device_port) = match self.from_device {
            true => (Direction::FromDevice, self.dport, self.sport),
            false => (Direction::ToDevice, self.sport, self.dport),
        };
        let packet = Packet {
            direction,
            remote: address,
            protocol: protocol_number(protocol, Family::of(address))?,
            remote_port: remote_port.unwrap_or(SOME_PORT),
            device_port: device_port.unwrap_or(SOME_PORT),
            icmp: self.icmp_type.map(|icmp_type| (icmp_type, self.icmp_code.unwrap_or_default())),
            tcp_flags: None,
            fields: PacketFields::default(),
        };
        Ok(Some(Query { packet, state: self.state.unwrap_or(ConnState::New), resolved }))
    }
}

/// A flow to allow or deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlowText {
    pub(crate) direction: Direction,
    pub(crate) protocol: Protocol,
    pub(crate) remote: Remote,
    pub(crate) family: Family,
    pub(crate) ports: Option<(u16, u16)>,
}

/// Reads a packet.
pub(crate) fn query(text: &str) -> Result<Query, String> {
    let mut words = text.split_whitespace();
    let mut next = || words.next().ok_or(EXPECTED);
    let (direction, protocol, remote) = (direction(next()?)?, next()?, next()?);
    let (host, port) = endpoint(remote)?;
    let (mut family_v6, mut state) = (false, ConnState::New);
    let mut device_port = SOME_PORT;
    let (mut icmp_type, mut icmp_code) = (None, None);
    let words: Vec<&str> = words.collect();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let mut number = || rest.next().and_then(|word| word.parse::<u16>().ok()).ok_or(EXPECTED);
        match *word {
            "ipv6" => family_v6 = true,
            "ipv4" => family_v6 = false,
            "device-port" => device_port = number()?,
            "type" => icmp_type = Some(u8::try_from(number()?).map_err(|_| EXPECTED)?),
            "code" => icmp_code = Some(u8::try_from(number()?).map_err(|_| EXPECTED)?),
            word => {
                state = self::state(word).map_err(|_| format!("`{word}` is not understood; {EXPECTED}"))?;
            }
        }
    }
    let (address, resolved) = match host.parse::<IpAddr>() {
        Ok(address) => (address, Vec::new()),
        Err(_) => named(host, family_v6),
    };
    let packet = Packet {
        direction,
        remote: address,
        protocol: protocol_number(protocol, Family::of(address))?,
        remote_port: port.unwrap_or(SOME_PORT),
        device_port,
        icmp: icmp_type.map(|icmp_type| (icmp_type, icmp_code.unwrap_or_default())),
        tcp_flags: None,
        fields: PacketFields::default(),
    };
    Ok(Query { packet, state, resolved })
}

/// An address for a name, and what the name stands for.
fn named(name: &str, ipv6: bool) -> (IpAddr, Vec<(Remote, IpPrefix)>) {
    let remote = Remote::Name(name.trim_end_matches('.').to_ascii_lowercase());
    let resolved = [NAMED_V4, NAMED_V6].map(|address| (remote.clone(), IpPrefix::host(address)));
    (if ipv6 { NAMED_V6 } else { NAMED_V4 }, resolved.into())
}

fn state(word: &str) -> Result<ConnState, String> {
    match word {
        "new" => Ok(ConnState::New),
        "established" => Ok(ConnState::Established),
        "related" => Ok(ConnState::Related),
        "invalid" => Ok(ConnState::Invalid),
        _ => Err("expected new, established, related or invalid".to_owned()),
    }
}

/// Reads a flow, such as `from-device tcp 203.0.113.0/24:443` or `from-device udp time.example:123 ipv6`.
pub(crate) fn flow(text: &str) -> Result<FlowText, String> {
    const EXPECTED: &str = "expected `from-device|to-device tcp|udp|any|PROTOCOL any|local|NAME|PREFIX[:PORT[-PORT]] [ipv4|ipv6]`";
    let words: Vec<&str> = text.split_whitespace().collect();
    let (first, protocol, remote, family) = match words.as_slice() {
        [first, protocol, remote] => (first, protocol, remote, None),
        [first, protocol, remote, "ipv4"] => (first, protocol, remote, Some(Family::V4)),
        [first, protocol, remote, "ipv6"] => (first, protocol, remote, Some(Family::V6)),
        _ => return Err(EXPECTED.to_owned()),
    };
    let direction = direction(first)?;
    let (host, ports) = split_port(remote);
    let ports = match ports {
        None => None,
        Some(ports) => {
            let (low, high) = ports.split_once('-').unwrap_or((ports, ports));
            Some((low.parse().map_err(|_| EXPECTED)?, high.parse().map_err(|_| EXPECTED)?))
        }
    };
    let remote = match host {
        "any" => Remote::Any,
        "local" => Remote::LocalNetworks,
        host => match prefix(host) {
            Some(prefix) => Remote::Prefix(prefix),
            None => Remote::Name(host.to_ascii_lowercase()),
        },
    };
    let family = match (&remote, family) {
        (Remote::Prefix(prefix), None) => prefix.family(),
        (Remote::Prefix(prefix), Some(family)) if prefix.family() != family => {
            return Err("the address is of the other family".to_owned());
        }
        (_, family) => family.unwrap_or(Family::V4),
    };
    let protocol = match *protocol {
        "any" => Protocol::Any,
        name => Protocol::from_number(protocol_number(name, family)?, family),
    };
    if ports.is_some() && !matches!(protocol, Protocol::Tcp | Protocol::Udp) {
        return Err("only tcp and udp have ports".to_owned());
    }
    Ok(FlowText { direction, protocol, remote, family, ports })
}

/// Reads what a remote of a file stands for.
pub(super) fn resolution(text: &str) -> Result<(Remote, IpPrefix), String> {
    let (remote, addresses) = text.rsplit_once('=').ok_or("expected REMOTE=PREFIX")?;
    let prefix = prefix(addresses).ok_or_else(|| format!("`{addresses}` is not an address or prefix"))?;
    let remote = match remote.split_once(':') {
        Some(("name", name)) => Remote::Name(name.to_ascii_lowercase()),
        Some(("controller", class)) => Remote::Controller(class.to_owned()),
        Some(("manufacturer", host)) => Remote::Manufacturer(host.to_ascii_lowercase()),
        Some(("model", url)) => Remote::Model(url.to_owned()),
        _ => match remote {
            "my-controller" => Remote::MyController,
            "same-manufacturer" => Remote::SameManufacturer,
            "local" => Remote::LocalNetworks,
            _ => {
                return Err(
                    "expected name:N, controller:C, manufacturer:H, model:U, my-controller, same-manufacturer or local"
                        .to_owned(),
                );
            }
        },
    };
    Ok((remote, prefix))
}

fn direction(word: &str) -> Result<Direction, String> {
    match word {
        "from-device" => Ok(Direction::FromDevice),
        "to-device" => Ok(Direction::ToDevice),
        _ => Err(EXPECTED.to_owned()),
    }
}

fn protocol_number(word: &str, family: Family) -> Result<u8, String> {
    let icmp = Protocol::Icmp { icmp_type: None, code: None };
    let number = match word {
        "tcp" => Protocol::Tcp.number(family),
        "udp" => Protocol::Udp.number(family),
        "icmp" => icmp.number(family),
        "icmpv6" => icmp.number(Family::V6),
        number => number.parse().ok(),
    };
    number.ok_or_else(|| format!("`{word}` is not a protocol"))
}

fn endpoint(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = split_port(text);
    match port.map(str::parse) {
        None => Ok((host, None)),
        Some(Ok(port)) => Ok((host, Some(port))),
        Some(Err(_)) => Err(format!("`{text}` does not end in a port")),
    }
}

/// Cuts the port off; an IPv6 address before a port stands in brackets.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

fn prefix(text: &str) -> Option<IpPrefix> {
    IpPrefix::parse(text).or_else(|| text.parse().ok().map(IpPrefix::host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_packets_of_both_families_and_by_name() {
        let read = |text| query(text).expect(text).packet;
        let packet = read("from-device tcp 203.0.113.5:443");
        assert_eq!((packet.direction, packet.protocol, packet.remote_port), (Direction::FromDevice, 6, 443));
        assert_eq!(read("to-device udp [2001:db8::5]:53 established").remote_port, 53);
        assert_eq!(read("from-device icmp 2001:db8::5 type 128").icmp, Some((128, 0)));
        assert_eq!(read("from-device tcp api.example:443 ipv6").remote, NAMED_V6);
        assert_eq!(read("to-device tcp 203.0.113.5 device-port 22").device_port, 22);
    }

    #[test]
    fn refuses_packets_it_does_not_understand() {
        for bad in [
            "",
            "tcp",
            "from-device tcp",
            "from-device xyz 203.0.113.5",
            "from-device tcp 203.0.113.5:x",
            "from-device tcp 203.0.113.5:443 sometimes",
        ] {
            assert!(query(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_flows_with_ranges_and_prefixes() {
        let flow = flow("from-device tcp 203.0.113.0/24:8000-8080").expect("a flow");
        assert_eq!((flow.ports, flow.family), (Some((8000, 8080)), Family::V4));
        assert_eq!(super::flow("to-device any local ipv6").expect("a flow").remote, Remote::LocalNetworks);
        for bad in ["from-device icmp any:1", "from-device tcp 203.0.113.0/24 ipv6", "from-device tcp any:x"]
        {
            assert!(super::flow(bad).is_err(), "{bad}");
        }
    }
}
