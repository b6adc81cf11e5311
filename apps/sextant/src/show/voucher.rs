use fdo::{Directive, Entry, Header, Instruction, PublicKey, RendezvousInfo, Voucher};

use crate::{
    node::{Map, Node},
    show,
};

/// A voucher as it says, whoever vouches for it.
pub(crate) fn tree(voucher: &Voucher<'_>) -> Map {
    Map::new()
        .with("kind", "ownership voucher")
        .then(header(voucher.header()))
        .with(
            "hmac",
            Node::shown(format_args!("HMAC over {}, for the device to check", voucher.hmac().algorithm())),
        )
        .with("certificates", show::certificate::chain(voucher.certificates()))
        .unless_empty("entries", voucher.entries().iter().map(entry).collect::<Vec<_>>())
        .with("owner", key(voucher.owner()))
}

/// What the manufacturer says of the device.
pub(crate) fn header(header: &Header) -> Map {
    Map::new()
        .with("guid", Node::shown(header.guid))
        .with("ueid", Node::hex(&header.guid.ueid()))
        .with("device", header.device_info.as_str())
        .with("rendezvous", rendezvous(&header.rendezvous))
        .with("manufacturer", key(&header.manufacturer))
}

/// A key in one line: its type, how it is written, and by what people know it.
pub(crate) fn key(key: &PublicKey) -> String {
    format!("{} {} ({})", key.key_type().name(), key.key().thumbprint(), key.encoding().name())
}

fn entry(entry: &Entry<'_>) -> Map {
    Map::new()
        .with("algorithm", Node::Integer(i128::from(entry.alg())))
        .with("next_owner", key(entry.next()))
        .maybe("extra", entry.extra().map(Node::diagnostic))
}

/// Where to look for the owner, a directive each.
pub(crate) fn rendezvous(info: &RendezvousInfo) -> Node {
    Node::List(info.directives.iter().map(directive).collect())
}

fn directive(directive: &Directive) -> Node {
    Node::list(directive.instructions.iter().map(instruction))
}

fn instruction(instruction: &Instruction) -> String {
    match instruction {
        Instruction::DeviceOnly => "device only".to_owned(),
        Instruction::OwnerOnly => "owner only".to_owned(),
        Instruction::IpAddress(address) => format!("address {address}"),
        Instruction::DevicePort(port) => format!("device port {port}"),
        Instruction::OwnerPort(port) => format!("owner port {port}"),
        Instruction::Dns(name) => format!("name {name}"),
        Instruction::ServerCertificate(hash) => format!("server certificate {hash}"),
        Instruction::AuthorityCertificate(hash) => format!("authority certificate {hash}"),
        Instruction::UserInput(true) => "ask the user".to_owned(),
        Instruction::UserInput(false) => "do not ask the user".to_owned(),
        Instruction::WifiSsid(name) => format!("wireless network {name}"),
        Instruction::WifiPassword(_) => "wireless password, not shown".to_owned(),
        Instruction::Medium(number) => format!("medium {number}"),
        Instruction::Protocol(protocol) => format!("protocol {protocol:?}").to_lowercase(),
        Instruction::Delay(seconds) => format!("delay {seconds} s"),
        Instruction::Bypass => "these are the owner's".to_owned(),
        Instruction::External(array) => format!("another mechanism {}", crate::node::hex(array)),
        Instruction::Unknown { variable, .. } => format!("variable {variable}, not known"),
    }
}
