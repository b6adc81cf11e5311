//! What rendezvous information and redirections come to: servers to talk to, one after another (sections 3.7 and 3.3.5).

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, net::IpAddr};

use crypto::Digest;

use crate::{
    Directive, Instruction, MAX_HOST_LEN, OwnerAddress, Protocol, RendezvousInfo, Transport, WifiPassword,
};

/// Seconds to wait after a directive that does not say for how long.
pub const DEFAULT_DELAY: u32 = 120;

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Who looks at rendezvous information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// A device that looks for its owner.
    Device,
    /// An owner that says where it is.
    Owner,
}

/// A server that speaks HTTP, written out in full.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Whether TLS is below.
    pub tls: bool,
    /// Its name or address.
    pub host: Host,
    /// Its port.
    pub port: u16,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name, of nothing but letters, digits, hyphens, underscores and dots.
    Name(String),
    /// An address.
    Ip(IpAddr),
}

/// Hashes of certificates that a server must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Of its own.
    pub server: Option<Digest>,
    /// Of an authority that it descends from.
    pub authority: Option<Digest>,
}

/// Through which network a device is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkHint {
    /// Name of a wireless network.
    pub ssid: Option<String>,
    /// Its password.
    pub password: Option<WifiPassword>,
    /// Interfaces, as numbers of [`Instruction::Medium`].
    pub medium: Option<u8>,
}

/// What one directive comes to for one party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Which directive it is, counted from none.
    pub directive: usize,
    /// Whom to try in this order, or why there is nobody.
    pub targets: Result<Vec<Target>, Unusable>,
    /// Whether the targets are the owner itself, so that there is no rendezvous.
    pub bypass: bool,
    /// What the certificates of the targets must be.
    pub pins: Pins,
    /// Through which network.
    pub network: NetworkHint,
    /// Whether a person is to be asked.
    pub user_input: bool,
    /// Seconds to wait when all targets failed. Devices vary it by a quarter, so that they do not come at once.
    pub delay: u32,
}

/// Why a directive or an address is of no use here.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It has neither name nor address.
    NoAddress,
    /// Its name is none that a host can have.
    Name,
    /// Rendezvous by this protocol is not implemented.
    Protocol(Protocol),
    /// Owners over this transport are not reached.
    Transport(Transport),
    /// It names another mechanism.
    External,
}

impl RendezvousInfo {
    /// What it comes to for one party, in the order of the directives. Those for the other party are left out; those that
    /// nothing can be made of are there with the reason. An owner has nothing to tell where the way leads to itself.
    pub fn ways(&self, party: Party) -> Vec<Way> {
        let ways = self.directives.iter().enumerate();
        ways.filter_map(|(number, directive)| directive.way(number, party)).collect()
    }
}

impl Directive {
    fn way(&self, directive: usize, party: Party) -> Option<Way> {
        let mut way = Way {
            directive,
            targets: Err(Unusable::NoAddress),
            bypass: false,
            pins: Pins::default(),
            network: NetworkHint::default(),
            user_input: false,
            delay: DEFAULT_DELAY,
        };
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        // Implementations differ in what they take where no protocol is given. This is the one of them that serves HTTP and
        // proves who it is.
        let (mut protocol, mut port, mut external) = (Protocol::Https, None, false);
        for instruction in &self.instructions {
            match instruction {
                Instruction::DeviceOnly if party == Party::Owner => return None,
                Instruction::OwnerOnly if party == Party::Device => return None,
                Instruction::Bypass if party == Party::Owner => return None,
                Instruction::DeviceOnly | Instruction::OwnerOnly => {}
                Instruction::Bypass => way.bypass = true,
                Instruction::IpAddress(address) => addresses.push(Host::Ip(*address)),
                Instruction::Dns(name) => names.push(Host::Name(name.clone())),
                Instruction::DevicePort(number) if party == Party::Device => port = Some(*number),
                Instruction::OwnerPort(number) if party == Party::Owner => port = Some(*number),
                Instruction::DevicePort(_) | Instruction::OwnerPort(_) => {}
                Instruction::ServerCertificate(hash) => way.pins.server = Some(*hash),
                Instruction::AuthorityCertificate(hash) => way.pins.authority = Some(*hash),
                Instruction::UserInput(ask) => way.user_input = *ask,
                Instruction::WifiSsid(name) => way.network.ssid = Some(name.clone()),
                Instruction::WifiPassword(password) => way.network.password = Some(password.clone()),
                Instruction::Medium(number) => way.network.medium = Some(*number),
                Instruction::Protocol(given) => protocol = *given,
                Instruction::Delay(seconds) => way.delay = *seconds,
                Instruction::External(_) => external = true,
                Instruction::Unknown { .. } => {}
            }
        }
        names.append(&mut addresses);
        way.targets = match (external, protocol) {
            (true, _) => Err(Unusable::External),
            (false, Protocol::Http) => targets(false, names, port),
            // REST is HTTP with or without TLS: whoever can choose takes it with.
            (false, Protocol::Https | Protocol::Rest) => targets(true, names, port),
            (false, other) => Err(Unusable::Protocol(other)),
        };
        Some(way)
    }
}

fn targets(tls: bool, hosts: Vec<Host>, port: Option<u16>) -> Result<Vec<Target>, Unusable> {
    let port = port.unwrap_or(if tls { HTTPS_PORT } else { HTTP_PORT });
    match hosts.is_empty() {
        true => Err(Unusable::NoAddress),
        false => hosts.into_iter().map(|host| Ok(Target { tls, host: host.checked()?, port })).collect(),
    }
}

impl OwnerAddress {
    /// Whom to try at this address: its name first.
    pub fn targets(&self) -> Result<Vec<Target>, Unusable> {
        let tls = match self.transport {
            Transport::Http => false,
            Transport::Https => true,
            other => return Err(Unusable::Transport(other)),
        };
        let hosts = self.dns.clone().map(Host::Name).into_iter().chain(self.ip.map(Host::Ip)).collect();
        targets(tls, hosts, Some(self.port))
    }
}

impl Host {
    /// The same, if its name can stand in a URL without changing what is around it.
    fn checked(self) -> Result<Self, Unusable> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        match &self {
            Self::Name(name) if name.is_empty() || name.len() > MAX_HOST_LEN || !name.bytes().all(plain) => {
                Err(Unusable::Name)
            }
            _ => Ok(self),
        }
    }
}

impl Target {
    /// Reads `http://host[:port]` or `https://host[:port]`, with nothing after it but a slash.
    pub fn from_url(url: &str) -> Result<Self, Unusable> {
        let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err(Unusable::NoAddress),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // What follows the last colon is a port, unless the colon is within the brackets of an address.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                (host, Some(port.parse().ok().filter(|_| digits).ok_or(Unusable::NoAddress)?))
            }
            _ => (rest, None),
        };
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match literal.map(str::parse) {
            Some(address) => Host::Ip(IpAddr::V6(address.map_err(|_| Unusable::NoAddress)?)),
            None => host.parse().map_or_else(|_| Host::Name(host.to_string()), |ip| Host::Ip(IpAddr::V4(ip))),
        };
        let port = port.unwrap_or(if tls { HTTPS_PORT } else { HTTP_PORT });
        Ok(Self { tls, host: host.checked()?, port })
    }
}

impl fmt::Display for Target {
    /// Its URL, with the port and without a path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match &self.host {
            Host::Name(name) => write!(f, "{scheme}://{name}:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => write!(f, "{scheme}://{ip}:{}", self.port),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "{scheme}://[{ip}]:{}", self.port),
        }
    }
}

impl Pins {
    /// Whether any certificate will do.
    pub fn is_empty(&self) -> bool {
        self.server.is_none() && self.authority.is_none()
    }
}

impl Unusable {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAddress => "rendezvous-no-address",
            Self::Name => "rendezvous-bad-name",
            Self::Protocol(_) | Self::Transport(_) => "rendezvous-protocol-unsupported",
            Self::External => "rendezvous-mechanism-unsupported",
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("there is neither a name nor an address"),
            Self::Name => f.write_str("no host can be called this"),
            Self::Protocol(protocol) => write!(f, "only HTTP and HTTPS are spoken, not {protocol:?}"),
            Self::Transport(transport) => write!(f, "only HTTP and HTTPS are spoken, not {transport:?}"),
            Self::External => f.write_str("the mechanism is not one of FDO's own"),
        }
    }
}

impl core::error::Error for Unusable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::HashAlgorithm;

    fn ways(instructions: Vec<Instruction>, party: Party) -> Vec<Way> {
        RendezvousInfo { directives: vec![Directive { instructions }] }.ways(party)
    }

    fn urls(targets: &[Target]) -> Vec<String> {
        targets.iter().map(ToString::to_string).collect()
    }

    fn dns() -> Instruction {
        Instruction::Dns("rv.example".into())
    }

    #[test]
    fn each_protocol_and_port_comes_to_urls_or_a_reason() {
        use Instruction::{DevicePort, IpAddress, OwnerPort, Protocol as By};
        let v4 = IpAddress([192, 0, 2, 1].into());
        let v6 = IpAddress("2001:db8::1".parse().unwrap());
        type Row = (
            Vec<Instruction>,
            Result<&'static [&'static str], Unusable>,
            Result<&'static [&'static str], Unusable>,
        );
        let rows: [Row; 14] = [
            (vec![dns()], Ok(&["https://rv.example:443"]), Ok(&["https://rv.example:443"])),
            (vec![dns(), By(Protocol::Http)], Ok(&["http://rv.example:80"]), Ok(&["http://rv.example:80"])),
            (
                vec![By(Protocol::Rest), dns()],
                Ok(&["https://rv.example:443"]),
                Ok(&["https://rv.example:443"]),
            ),
            // The order of instructions means nothing, and each side has its port.
            (
                vec![DevicePort(8041), By(Protocol::Http), OwnerPort(8042), dns()],
                Ok(&["http://rv.example:8041"]),
                Ok(&["http://rv.example:8042"]),
            ),
            (
                vec![DevicePort(8041), dns(), By(Protocol::Https)],
                Ok(&["https://rv.example:8041"]),
                Ok(&["https://rv.example:443"]),
            ),
            // The name first, then each address as it stands.
            (
                vec![v6.clone(), v4.clone(), dns(), By(Protocol::Http)],
                Ok(&["http://rv.example:80", "http://[2001:db8::1]:80", "http://192.0.2.1:80"]),
                Ok(&["http://rv.example:80", "http://[2001:db8::1]:80", "http://192.0.2.1:80"]),
            ),
            (vec![DevicePort(80)], Err(Unusable::NoAddress), Err(Unusable::NoAddress)),
            (
                vec![dns(), By(Protocol::Tcp)],
                Err(Unusable::Protocol(Protocol::Tcp)),
                Err(Unusable::Protocol(Protocol::Tcp)),
            ),
            (
                vec![dns(), By(Protocol::CoapUdp)],
                Err(Unusable::Protocol(Protocol::CoapUdp)),
                Err(Unusable::Protocol(Protocol::CoapUdp)),
            ),
            (
                vec![dns(), By(Protocol::Other(9))],
                Err(Unusable::Protocol(Protocol::Other(9))),
                Err(Unusable::Protocol(Protocol::Other(9))),
            ),
            (
                vec![dns(), Instruction::External(testkit::hex("816161"))],
                Err(Unusable::External),
                Err(Unusable::External),
            ),
            (vec![Instruction::Dns("rv/../x".into())], Err(Unusable::Name), Err(Unusable::Name)),
            (vec![Instruction::Dns(String::new())], Err(Unusable::Name), Err(Unusable::Name)),
            (
                vec![dns(), Instruction::Unknown { variable: 99, value: None }],
                Ok(&["https://rv.example:443"]),
                Ok(&["https://rv.example:443"]),
            ),
        ];
        for (instructions, device, owner) in rows {
            for (party, expected) in [(Party::Device, device), (Party::Owner, owner)] {
                let found = ways(instructions.clone(), party);
                let found = found[0].targets.as_ref().map(|targets| urls(targets)).map_err(|error| *error);
                let expected = expected.map(|urls| urls.iter().map(ToString::to_string).collect::<Vec<_>>());
                assert_eq!(found, expected, "{party:?} {instructions:?}");
            }
        }
    }

    #[test]
    fn directives_are_for_whom_they_say() {
        use Instruction::{Bypass, DeviceOnly, OwnerOnly};
        for (instruction, device, owner) in
            [(DeviceOnly, true, false), (OwnerOnly, false, true), (Bypass, true, false)]
        {
            let instructions = vec![dns(), instruction];
            assert_eq!(!ways(instructions.clone(), Party::Device).is_empty(), device, "{instructions:?}");
            assert_eq!(!ways(instructions.clone(), Party::Owner).is_empty(), owner, "{instructions:?}");
        }
        assert!(ways(vec![dns(), Bypass], Party::Device)[0].bypass);
        // What is left out is still counted.
        let one = |instructions| Directive { instructions };
        let info = RendezvousInfo { directives: vec![one(vec![dns(), OwnerOnly]), one(vec![dns()])] };
        let ways = info.ways(Party::Device);
        assert_eq!(ways.iter().map(|way| way.directive).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn pins_hints_and_delay_are_passed_on() {
        let hash = |of: &[u8]| Digest::of(HashAlgorithm::Sha256, of);
        let plain = &ways(vec![dns()], Party::Device)[0];
        assert_eq!((plain.delay, plain.user_input, plain.pins.is_empty()), (DEFAULT_DELAY, false, true));
        assert_eq!(plain.network, NetworkHint::default());
        let full = &ways(
            vec![
                dns(),
                Instruction::ServerCertificate(hash(b"server")),
                Instruction::AuthorityCertificate(hash(b"authority")),
                Instruction::WifiSsid("plant".into()),
                Instruction::WifiPassword(WifiPassword::new("hunter2")),
                Instruction::Medium(10),
                Instruction::UserInput(true),
                Instruction::Delay(0),
            ],
            Party::Device,
        )[0];
        assert_eq!(full.pins, Pins { server: Some(hash(b"server")), authority: Some(hash(b"authority")) });
        assert_eq!((full.delay, full.user_input), (0, true));
        let NetworkHint { ssid, password, medium } = &full.network;
        assert_eq!((ssid.as_deref(), *medium), (Some("plant"), Some(10)));
        assert_eq!(password.as_ref().map(WifiPassword::as_str), Some("hunter2"));
        assert!(!format!("{full:?}").contains("hunter2"));
    }

    #[test]
    fn addresses_of_owners_come_to_urls_or_a_reason() {
        let address = |ip: Option<&str>, dns: Option<&str>, transport| OwnerAddress {
            ip: ip.map(|ip| ip.parse().unwrap()),
            dns: dns.map(ToString::to_string),
            port: 8043,
            transport,
        };
        let found = |address: &OwnerAddress| address.targets().map(|targets| urls(&targets));
        let both = address(Some("2001:db8::1"), Some("owner.example"), Transport::Https);
        let expected = ["https://owner.example:8043", "https://[2001:db8::1]:8043"].map(String::from);
        assert_eq!(found(&both), Ok(expected.into()));
        let plain = address(Some("127.0.0.1"), None, Transport::Http);
        assert_eq!(found(&plain), Ok(vec!["http://127.0.0.1:8043".into()]));
        for transport in
            [Transport::Tcp, Transport::Tls, Transport::Coap, Transport::Coaps, Transport::Other(9)]
        {
            let found = found(&address(None, Some("owner.example"), transport));
            assert_eq!(found, Err(Unusable::Transport(transport)));
        }
        let odd = address(None, Some("owner.example@evil"), Transport::Http);
        assert_eq!(found(&odd), Err(Unusable::Name));
    }

    #[test]
    fn names_are_as_long_as_hosts_may_be_called() {
        let named = |len| ways(vec![Instruction::Dns("a".repeat(len))], Party::Device)[0].targets.clone();
        assert!(named(MAX_HOST_LEN).is_ok());
        assert_eq!(named(MAX_HOST_LEN + 1), Err(Unusable::Name));
    }

    #[test]
    fn urls_are_read_as_they_are_written() {
        let same = ["http://a.example:80", "https://192.0.2.1:8443", "https://[2001:db8::1]:443"];
        for url in same {
            assert_eq!(Target::from_url(url).map(|target| target.to_string()).as_deref(), Ok(url));
        }
        for (url, full) in [
            ("http://a.example/", "http://a.example:80"),
            ("https://a.example", "https://a.example:443"),
            ("https://[::1]", "https://[::1]:443"),
        ] {
            assert_eq!(Target::from_url(url).map(|target| target.to_string()).as_deref(), Ok(full));
        }
        for (url, why) in [
            ("a.example", Unusable::NoAddress),
            ("ftp://a.example", Unusable::NoAddress),
            ("http://a.example:", Unusable::NoAddress),
            ("http://a.example:+80", Unusable::NoAddress),
            ("http://a.example:65536", Unusable::NoAddress),
            ("http://[::g]", Unusable::NoAddress),
            ("http://", Unusable::Name),
            ("http://a.example/path", Unusable::Name),
            ("http://user@a.example", Unusable::Name),
        ] {
            assert_eq!(Target::from_url(url), Err(why), "{url}");
        }
    }
}
