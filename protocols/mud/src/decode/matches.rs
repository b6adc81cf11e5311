//! The `matches` of an entry (RFC 8519, section 4.2; RFC 8520, sections 4 and 8). What is not understood here refuses
//! the entry, never only the node: an entry that lost a match would match more.

use alloc::format;
use alloc::string::String;

use super::cursor::{Field, Module, Object, Path};
use super::extensions::{all_understood, base64_length};
use super::{MAX_NAMES, Reading, Refusal};
use crate::address::{Family, IpPrefix};
use crate::error::{Error, Limit, SchemaFault};
use crate::finding::{Finding, Rule, Severity, rules};
use crate::model::{
    AclType, Direction, EthMatch, IPV4_FLAGS, IcmpMatch, IpMatch, MacAddress, Matches, MudMatch, PortMatch,
    PortOperator, TCP_FLAGS, TcpMatch, TransportMatch, UdpMatch,
};
use crate::policy::{CONTROLLER_DNS, CONTROLLER_NTP, protocols};
use crate::url::{Host, MAX_URL_BYTES, MudUrl};

const MAX_TCP_OPTIONS: usize = 40;
const MAX_FLOW_LABEL: u32 = 0xf_ffff;

impl Reading<'_, '_> {
    pub(super) fn matches(
        &mut self,
        field: &Field<'_, '_>,
        acl_type: Option<AclType>,
    ) -> Result<Matches, Refusal> {
        let mut object = field.object(Module::Acl)?;
        let mut matches = Matches::default();
        if let Some(eth) = self.leaf(&mut object, "eth")? {
            matches.eth = Some(self.eth(&eth)?);
            if acl_type.is_some_and(|t| !t.allows_eth()) {
                let message = "Ethernet matches in a list for IP packets";
                self.findings.add(&rules::TYPE_MISMATCH, &eth.path, message);
            }
        }
        matches.ip = self.ip_choice(&mut object, acl_type)?;
        matches.transport = self.transport_choice(&mut object)?;
        if matches.transport.is_some() && acl_type == Some(AclType::Eth) {
            let message = "transport matches in a list for frames";
            let finding = Finding::new(&rules::TYPE_MISMATCH, field.path.pointer(), message.into());
            return Err(Refusal::Ace(finding.weighing(Severity::AceRefused)));
        }
        if let Some(mud) = object.take(&mut self.findings, Module::Mud, "mud")? {
            matches.mud = self.abstractions(&mud)?;
        }
        if let Some(tls) = self.tls_node(&mut object, "client-profiles")? {
            matches.tls = self.tls_profiles(&tls)?;
        }
        for name in ["egress-interface", "ingress-interface"] {
            if let Some(interface) = self.leaf(&mut object, name)? {
                let message = "interfaces of this network are unknown to a manufacturer";
                return Err(refusal(&rules::INTERFACE, &interface.path, message));
            }
        }
        all_understood(&object)?;
        protocol_agrees(&matches, &field.path)?;
        Ok(matches)
    }

    fn eth(&mut self, field: &Field<'_, '_>) -> Result<EthMatch, Refusal> {
        let mut object = field.object(Module::Acl)?;
        let mut address = |reading: &mut Self, name| -> Result<Option<MacAddress>, Error> {
            let Some(field) = reading.leaf(&mut object, name)? else { return Ok(None) };
            MacAddress::parse(field.text()?).map(Some).ok_or_else(|| field.expected("a MAC address"))
        };
        let mut eth = EthMatch {
            destination: address(self, "destination-mac-address")?,
            destination_mask: address(self, "destination-mac-address-mask")?,
            source: address(self, "source-mac-address")?,
            source_mask: address(self, "source-mac-address-mask")?,
            ethertype: None,
        };
        if let Some(field) = self.leaf(&mut object, "ethertype")? {
            eth.ethertype = Some(ethertype(&field)?);
        }
        all_understood(&object)?;
        Ok(eth)
    }

    /// `ipv4` and `ipv6` exist side by side so that an author can permit one only; an entry has at most one.
    fn ip_choice(
        &mut self,
        object: &mut Object<'_, '_>,
        acl_type: Option<AclType>,
    ) -> Result<Option<IpMatch>, Refusal> {
        let v4 = self.leaf(object, "ipv4")?;
        let v6 = self.leaf(object, "ipv6")?;
        let (field, family) = match (v4, v6) {
            (None, None) => return Ok(None),
            (Some(field), None) => (field, Family::V4),
            (None, Some(field)) => (field, Family::V6),
            (Some(_), Some(_)) => {
                return Err(object.error(SchemaFault::TwoCases("ipv4 and ipv6")).into());
            }
        };
        let ip = self.ip(&field, family)?;
        match acl_type {
            Some(t) if !t.allows(family) => {
                let message = format!("{} matches in a list of type {}", family.name(), t.name());
                Err(refusal(&rules::OTHER_FAMILY, &field.path, message))
            }
            _ => Ok(Some(ip)),
        }
    }

    fn ip(&mut self, field: &Field<'_, '_>, family: Family) -> Result<IpMatch, Refusal> {
        let mut object = field.object(Module::Acl)?;
        let mut ip = IpMatch::any(family);
        ip.protocol = self.leaf(&mut object, "protocol")?.map(|f| f.u8()).transpose()?;
        ip.dscp = self.uncommon(&mut object, "dscp", |f| f.integer(0, 63))?;
        ip.ecn = self.uncommon(&mut object, "ecn", |f| f.integer(0, 3))?;
        ip.length = self.uncommon(&mut object, "length", |f| f.u16())?;
        ip.ttl = self.uncommon(&mut object, "ttl", |f| f.u8())?;
        let networks = match family {
            Family::V4 => {
                ip.ihl = self.uncommon(&mut object, "ihl", |f| f.integer(5, 60))?;
                ip.flags = self.uncommon(&mut object, "flags", |f| flags(f, &IPV4_FLAGS))?;
                ip.offset = self.uncommon(&mut object, "offset", |f| f.integer(20, 65535))?;
                ip.identification = self.uncommon(&mut object, "identification", |f| f.u16())?;
                ["source-ipv4-network", "destination-ipv4-network"]
            }
            Family::V6 => {
                ip.flow_label = self.uncommon(&mut object, "flow-label", |f| f.integer(0, MAX_FLOW_LABEL))?;
                ["source-ipv6-network", "destination-ipv6-network"]
            }
        };
        let [source, destination] = networks;
        ip.source = self.network(&mut object, source, family)?;
        ip.destination = self.network(&mut object, destination, family)?;
        ip.src_dnsname = self.dns_name(&mut object, "src-dnsname")?;
        ip.dst_dnsname = self.dns_name(&mut object, "dst-dnsname")?;
        all_understood(&object)?;
        Ok(ip)
    }

    fn network(
        &mut self,
        object: &mut Object<'_, '_>,
        name: &'static str,
        family: Family,
    ) -> Result<Option<IpPrefix>, Refusal> {
        let Some(field) = self.leaf(object, name)? else { return Ok(None) };
        let written = IpPrefix::parse_written(field.text()?).ok_or_else(|| field.expected("an IP prefix"))?;
        // A tool is known to write IPv4 addresses here, beside good entries.
        if written.prefix.family() != family {
            let message = format!("{} is no {} prefix", written.prefix, family.name());
            return Err(refusal(&rules::OTHER_FAMILY, &field.path, message));
        }
        let prefix = written.prefix;
        if written.host_bits {
            let message = format!("bits are set after the prefix length; read as {prefix}");
            self.findings.add(&rules::HOST_BITS, &field.path, message);
        }
        if written.bare {
            self.findings.add(&rules::NO_PREFIX_LENGTH, &field.path, format!("read as {prefix}"));
        }
        if prefix.is_group() {
            self.findings.add(&rules::GROUP_ADDRESS, &field.path, format!("{prefix} is a group address"));
        } else {
            self.literal_address(&field.path, format!("{prefix} may mean something else on this network"));
        }
        Ok(Some(prefix))
    }

    fn dns_name(&mut self, object: &mut Object<'_, '_>, name: &'static str) -> Result<Option<Host>, Error> {
        let Some(field) = object.take(&mut self.findings, Module::AclDns, name)? else { return Ok(None) };
        self.host(&field).map(Some)
    }

    fn host(&mut self, field: &Field<'_, '_>) -> Result<Host, Error> {
        let host = Host::parse(field.text()?).ok_or_else(|| field.expected("a host"))?;
        match &host {
            Host::Address(address) => {
                self.literal_address(&field.path, format!("{address} is an address in the place of a name"));
            }
            Host::Name(name) => {
                if !self.names.contains(name) {
                    self.names.insert(name.clone());
                    if self.names.len() > MAX_NAMES {
                        return Err(Error::TooLarge { path: field.path.pointer(), limit: Limit::Names });
                    }
                }
            }
        }
        Ok(host)
    }

    fn transport_choice(&mut self, object: &mut Object<'_, '_>) -> Result<Option<TransportMatch>, Refusal> {
        let tcp = self.leaf(object, "tcp")?;
        let udp = self.leaf(object, "udp")?;
        let icmp = self.leaf(object, "icmp")?;
        Ok(match (tcp, udp, icmp) {
            (None, None, None) => None,
            (Some(tcp), None, None) => Some(TransportMatch::Tcp(self.tcp(&tcp)?)),
            (None, Some(udp), None) => Some(TransportMatch::Udp(self.udp(&udp)?)),
            (None, None, Some(icmp)) => Some(TransportMatch::Icmp(self.icmp(&icmp)?)),
            _ => return Err(object.error(SchemaFault::TwoCases("tcp, udp and icmp")).into()),
        })
    }

    fn tcp(&mut self, field: &Field<'_, '_>) -> Result<TcpMatch, Refusal> {
        let mut object = field.object(Module::Acl)?;
        let tcp = TcpMatch {
            sequence_number: self.uncommon(&mut object, "sequence-number", |f| f.u32())?,
            acknowledgement_number: self.uncommon(&mut object, "acknowledgement-number", |f| f.u32())?,
            data_offset: self.uncommon(&mut object, "data-offset", |f| f.integer(5, 15))?,
            reserved: self.uncommon(&mut object, "reserved", |f| f.u8())?,
            flags: self.uncommon(&mut object, "flags", |f| flags(f, &TCP_FLAGS))?,
            window_size: self.uncommon(&mut object, "window-size", |f| f.u16())?,
            urgent_pointer: self.uncommon(&mut object, "urgent-pointer", |f| f.u16())?,
            options: self.uncommon(&mut object, "options", |f| binary(f, MAX_TCP_OPTIONS))?,
            source_port: self.port(&mut object, "source-port")?,
            destination_port: self.port(&mut object, "destination-port")?,
            direction_initiated: self.direction_initiated(&mut object)?,
        };
        all_understood(&object)?;
        Ok(tcp)
    }

    fn direction_initiated(&mut self, object: &mut Object<'_, '_>) -> Result<Option<Direction>, Error> {
        let field = object.take(&mut self.findings, Module::Mud, "direction-initiated")?;
        let Some(field) = field else { return Ok(None) };
        match field.text()? {
            "from-device" => Ok(Some(Direction::FromDevice)),
            "to-device" => Ok(Some(Direction::ToDevice)),
            _ => Err(field.expected("from-device or to-device")),
        }
    }

    fn udp(&mut self, field: &Field<'_, '_>) -> Result<UdpMatch, Refusal> {
        let mut object = field.object(Module::Acl)?;
        let udp = UdpMatch {
            length: self.uncommon(&mut object, "length", |f| f.u16())?,
            source_port: self.port(&mut object, "source-port")?,
            destination_port: self.port(&mut object, "destination-port")?,
        };
        self.no_direction(&mut object)?;
        all_understood(&object)?;
        Ok(udp)
    }

    fn icmp(&mut self, field: &Field<'_, '_>) -> Result<IcmpMatch, Refusal> {
        let mut object = field.object(Module::Acl)?;
        let icmp = IcmpMatch {
            icmp_type: self.leaf(&mut object, "type")?.map(|f| f.u8()).transpose()?,
            code: self.leaf(&mut object, "code")?.map(|f| f.u8()).transpose()?,
            rest_of_header: self.uncommon(&mut object, "rest-of-header", |f| binary(f, 4))?,
        };
        self.no_direction(&mut object)?;
        all_understood(&object)?;
        Ok(icmp)
    }

    fn no_direction(&mut self, object: &mut Object<'_, '_>) -> Result<(), Error> {
        match object.take(&mut self.findings, Module::Mud, "direction-initiated")? {
            Some(field) => Err(field.error(SchemaFault::DirectionWithoutTcp)),
            None => Ok(()),
        }
    }

    fn port(
        &mut self,
        object: &mut Object<'_, '_>,
        name: &'static str,
    ) -> Result<Option<PortMatch>, Refusal> {
        let Some(field) = self.leaf(object, name)? else { return Ok(None) };
        let mut container = field.object(Module::Acl)?;
        let lower = self.leaf(&mut container, "lower-port")?.map(|f| f.u16()).transpose()?;
        let upper = self.leaf(&mut container, "upper-port")?.map(|f| f.u16()).transpose()?;
        let operator = self.leaf(&mut container, "operator")?;
        let port = self.leaf(&mut container, "port")?.map(|f| f.u16()).transpose()?;
        all_understood(&container)?;
        match (lower, upper, port) {
            (Some(lower), Some(upper), None) if lower <= upper => {
                if let Some(operator) = operator {
                    let message = "a range has no operator; the range counts";
                    self.findings.add(&rules::OPERATOR_AND_RANGE, &operator.path, message);
                }
                Ok(Some(PortMatch::Range(lower, upper)))
            }
            (Some(_), Some(_), None) => Err(field.error(SchemaFault::InvertedRange).into()),
            (None, None, Some(port)) => {
                let operator = operator.map(|f| port_operator(&f)).transpose()?;
                Ok(Some(PortMatch::Operator(operator.unwrap_or(PortOperator::Eq), port)))
            }
            (None, None, None) if operator.is_none() => Ok(None),
            (None, None, None) => Err(container.error(SchemaFault::Missing("port")).into()),
            (Some(_), None, None) | (None, Some(_), None) => {
                Err(refusal(&rules::HALF_RANGE, &field.path, "a range needs lower-port and upper-port"))
            }
            _ => Err(field.error(SchemaFault::TwoCases("port and a port range")).into()),
        }
    }

    /// The abstractions (RFC 8520, section 4).
    fn abstractions(&mut self, field: &Field<'_, '_>) -> Result<MudMatch, Refusal> {
        let mut object = field.object(Module::Mud)?;
        let mut mud = MudMatch::default();
        if let Some(field) = object.take(&mut self.findings, Module::Mud, "manufacturer")? {
            mud.manufacturer = Some(Host::parse(field.text()?).ok_or_else(|| field.expected("a host"))?);
        }
        if let Some(field) = object.take(&mut self.findings, Module::Mud, "model")? {
            let Some(url) = MudUrl::parse(field.text()?) else {
                let message = "a model is named by the MUD URL of its devices";
                return Err(refusal(&rules::MODEL_URL, &field.path, message));
            };
            mud.model = Some(url);
        }
        if let Some(field) = object.take(&mut self.findings, Module::Mud, "controller")? {
            mud.controller = Some(self.controller(&field)?);
        }
        if let Some(field) = object.take(&mut self.findings, Module::Mud, "my-controller")? {
            mud.my_controller = field.empty(&mut self.findings)?;
            if !core::mem::replace(&mut self.my_controller, true) {
                let message = "needs the operator to say which hosts control the device";
                self.findings.add(&rules::MY_CONTROLLER, &field.path, message);
            }
        }
        for (name, flag) in
            [("same-manufacturer", &mut mud.same_manufacturer), ("local-networks", &mut mud.local_networks)]
        {
            if let Some(field) = object.take(&mut self.findings, Module::Mud, name)? {
                *flag = field.empty(&mut self.findings)?;
            }
        }
        all_understood(&object)?;
        Ok(mud)
    }

    /// The name of a class. Two classes come with the network; each other one is empty until the operator fills it.
    fn controller(&mut self, field: &Field<'_, '_>) -> Result<String, Error> {
        let name = field.string(1, MAX_URL_BYTES)?;
        if !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(field.expected("a URI"));
        }
        if name == CONTROLLER_DNS || name == CONTROLLER_NTP || !self.classes.insert(name.clone()) {
            return Ok(name);
        }
        let message = format!("class {name:?} has no members until the operator gives it some");
        self.findings.add(&rules::CONTROLLER_CLASS, &field.path, message);
        if name.starts_with("https:") || name.starts_with("http:") {
            let message = "the URL is the name of a class and is never fetched";
            self.findings.add(&rules::CONTROLLER_URL, &field.path, message);
        }
        Ok(name)
    }

    fn leaf<'p, 'a>(
        &mut self,
        object: &mut Object<'p, 'a>,
        name: &'static str,
    ) -> Result<Option<Field<'p, 'a>>, Error> {
        object.take(&mut self.findings, Module::Acl, name)
    }

    /// A leaf on which a MUD file may not rely.
    fn uncommon<T>(
        &mut self,
        object: &mut Object<'_, '_>,
        name: &'static str,
        read: impl Fn(&Field<'_, '_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(field) = self.leaf(object, name)? else { return Ok(None) };
        let message = format!("RFC 8520 does not ask anyone to match on `{name}`");
        self.findings.add(&rules::UNCOMMON_MATCH, &field.path, message);
        read(&field).map(Some)
    }
}

fn refusal(rule: &Rule, path: &Path<'_>, message: impl Into<String>) -> Refusal {
    Refusal::Ace(Finding::new(rule, path.pointer(), message.into()))
}

/// `protocol` and the transport container say the same, or only one of them speaks.
fn protocol_agrees(matches: &Matches, path: &Path<'_>) -> Result<(), Refusal> {
    let Some(transport) = &matches.transport else { return Ok(()) };
    let Some(ip) = &matches.ip else { return Ok(()) };
    let expected = match transport {
        TransportMatch::Tcp(_) => protocols::TCP,
        TransportMatch::Udp(_) => protocols::UDP,
        TransportMatch::Icmp(_) => protocols::icmp(ip.family),
    };
    match ip.protocol {
        Some(found) if found != expected => {
            let message = format!("protocol {found} beside matches for protocol {expected}");
            Err(refusal(&rules::PROTOCOL_MISMATCH, path, message))
        }
        _ => Ok(()),
    }
}

fn port_operator(field: &Field<'_, '_>) -> Result<PortOperator, Error> {
    let all = [PortOperator::Lte, PortOperator::Gte, PortOperator::Eq, PortOperator::Neq];
    let name = field.identity(Module::Acl)?;
    all.into_iter().find(|o| o.name() == name).ok_or_else(|| field.expected("lte, gte, eq or neq"))
}

/// `ethertype`: four hexadecimal digits after `0x`, or a name from `ietf-ethertypes`.
fn ethertype(field: &Field<'_, '_>) -> Result<u16, Error> {
    let text = field.text()?;
    let number = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let known = match text.strip_prefix("ietf-ethertypes:").unwrap_or(text) {
        "ipv4" => Some(0x0800),
        "arp" => Some(0x0806),
        "ipv6" => Some(0x86dd),
        "eapol" => Some(0x888e),
        "lldp" => Some(0x88cc),
        _ => number.filter(|n| n.len() == 4).and_then(|n| u16::from_str_radix(n, 16).ok()),
    };
    known.ok_or_else(|| field.expected("an ethertype"))
}

/// YANG `bits`: names between spaces.
fn flags(field: &Field<'_, '_>, names: &[(&str, u8)]) -> Result<u8, Error> {
    field.text()?.split_ascii_whitespace().try_fold(0, |bits, name| {
        let flag = names.iter().find(|(known, _)| *known == name);
        flag.map(|(_, bit)| bits | bit).ok_or_else(|| field.expected("names of flags"))
    })
}

/// YANG `binary`: base64 of one byte up to so many.
fn binary(field: &Field<'_, '_>, max: usize) -> Result<String, Error> {
    let text = field.text()?;
    match base64_length(text) {
        None => Err(field.expected("base64")),
        Some(length) if (1..=max).contains(&length) => Ok(text.into()),
        Some(_) => Err(field.error(SchemaFault::Length { min: 1, max })),
    }
}
