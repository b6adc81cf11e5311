//! A file for a device from what it was seen to do.

use std::net::IpAddr;
use std::path::PathBuf;

use api::{DeviceFlows, Dropped, FlowRecord};
use clap::Args;
use mud::{
    DateTime, Direction, Family, IpPrefix, MudUrl, Observation, Proposal, Proposed, Protocol, Surroundings,
    propose,
};

use crate::{
    client::{ServerArgs, segment},
    clock,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    node::{Map, Node, printable},
    printer::Printer,
};

#[derive(Debug, Args)]
pub(crate) struct Learn {
    /// The device: its UEID in hexadecimal digits, or a unique name
    #[arg(required_unless_present = "flows", conflicts_with = "flows")]
    device: Option<String>,
    /// What it did, as `device flows --json` prints it, in place of what the server knows
    #[arg(long, value_name = "FILE")]
    flows: Option<PathBuf>,
    /// Where the file will be published
    #[arg(long, value_name = "URL", value_parser = url)]
    url: MudUrl,
    /// One line about the device
    #[arg(long, value_name = "TEXT")]
    systeminfo: Option<String>,
    /// A network of the site: what is in it becomes `local-networks`; repeatable
    #[arg(long = "local", value_name = "PREFIX", value_parser = prefix)]
    local_networks: Vec<IpPrefix>,
    /// A resolver or time server of the site, which every device may use; repeatable
    #[arg(long = "service", value_name = "ADDRESS")]
    services: Vec<IpAddr>,
    /// A controller of this model at the site; repeatable
    #[arg(long = "my-controller", value_name = "ADDRESS")]
    my_controllers: Vec<IpAddr>,
    /// A device of the same manufacturer; repeatable
    #[arg(long, value_name = "ADDRESS")]
    same_manufacturer: Vec<IpAddr>,
    /// An address whose flows are no need of the device, such as the server it attests to; repeatable
    #[arg(long, value_name = "ADDRESS")]
    leave_out: Vec<IpAddr>,
    /// Propose also what the device tried and was kept from
    #[arg(long)]
    with_dropped: bool,
    /// The time of the file; now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
    /// Where to write the file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(command: &Learn, printer: &Printer) -> Result<Answer, Failure> {
    match (&command.device, &command.flows) {
        (_, Some(file)) => {
            let input = Input::read(file)?;
            let seen = serde_json::from_slice(&input.bytes)
                .map_err(|error| input.failure("no list of flows", &error))?;
            learn(command, seen, printer)
        }
        (Some(device), None) => {
            let path = format!("/api/v1/devices/{}/flows", segment(device));
            command.server.client()?.get(&path)?.answer(printer, |seen| learn(command, seen, printer))
        }
        (None, None) => Err(Failure::new("a device or a list of flows is needed")),
    }
}

fn learn(command: &Learn, seen: DeviceFlows, printer: &Printer) -> Result<Answer, Failure> {
    let mut observations: Vec<Observation> = seen.flows.iter().filter_map(had).collect();
    if command.with_dropped {
        observations.extend(seen.dropped.iter().filter_map(tried));
    }
    let before = observations.len();
    observations.retain(|seen| !command.leave_out.contains(&seen.remote));
    let left_out_by_hand = before - observations.len();
    let date = clock::date(command.at.unwrap_or_else(clock::now));
    let around = Surroundings {
        mud_url: command.url.clone(),
        last_update: DateTime::parse(&date).ok_or_else(|| Failure::new("the time has no date"))?,
        systeminfo: command.systeminfo.clone(),
        local_networks: command.local_networks.clone(),
        services: command.services.clone(),
        my_controllers: command.my_controllers.clone(),
        same_manufacturer: command.same_manufacturer.clone(),
    };
    let proposal = propose(&observations, &around);
    files::write(&command.output, proposal.file.encode().as_bytes(), Mode::Public, printer)?;
    tell(&proposal, &observations, left_out_by_hand, printer);
    Ok(Answer::Yes)
}

fn tell(proposal: &Proposal, observations: &[Observation], by_hand: usize, printer: &Printer) {
    let mut rows: Vec<Vec<String>> = proposal
        .entries
        .iter()
        .map(|entry| {
            let doubts: Vec<_> = entry.doubts.iter().map(ToString::to_string).collect();
            vec![entry.ace.ace.clone(), flow(entry), because(entry, observations), doubts.join("; ")]
        })
        .collect();
    let left_out: Vec<(&Observation, &str)> = proposal
        .left_out
        .iter()
        .filter_map(|left| Some((observations.get(left.seen)?, left.why.code())))
        .collect();
    rows.extend(
        left_out.iter().map(|(seen, why)| {
            vec!["(left out)".to_owned(), what(seen), times(seen.flows), (*why).to_owned()]
        }),
    );
    let entries = proposal.entries.iter().map(|entry| {
        let doubts = entry.doubts.iter().map(|doubt| doubt.code());
        let seen = entry.seen.iter().filter_map(|at| observations.get(*at)).map(what);
        let whole = Map::new()
            .with("acl", entry.ace.acl.clone())
            .with("ace", entry.ace.ace.clone())
            .with("flow", flow(entry))
            .with("flows", entry.flows)
            .with("seen", Node::list(seen))
            .with("doubts", Node::list(doubts));
        Node::from(whole)
    });
    let omitted = left_out
        .iter()
        .map(|(seen, why)| Node::from(Map::new().with("seen", what(seen)).with("why", (*why).to_owned())));
    let whole = Map::new()
        .with("entries", Node::List(entries.collect()))
        .with("left_out", Node::List(omitted.collect()))
        .with("left_out_by_hand", by_hand as u64);
    printer.table(&["entry", "flow", "because", "think about"], &rows, &Node::from(whole));
}

fn flow(entry: &Proposed) -> String {
    let protocol = protocol_name(entry.protocol);
    let ports = if entry.ports.is_any() { String::new() } else { format!(" port {}", entry.ports) };
    format!("{} {protocol} {}{ports}", entry.direction.name(), entry.remote)
}

fn because(entry: &Proposed, observations: &[Observation]) -> String {
    let seen = || entry.seen.iter().filter_map(|at| observations.get(*at));
    let (first, last) = (seen().map(|seen| seen.first).min(), seen().map(|seen| seen.last).max());
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    format!("{} from {} to {}", times(entry.flows), clock::date(first), clock::date(last))
}

fn times(flows: u64) -> String {
    if flows == 1 { "1 flow".to_owned() } else { format!("{flows} flows") }
}

fn what(seen: &Observation) -> String {
    let name = seen.name.as_ref().map(|name| format!(" ({})", printable(name))).unwrap_or_default();
    let ported = matches!(seen.protocol, Protocol::Tcp | Protocol::Udp);
    let port = if ported { format!(" port {}", seen.port) } else { String::new() };
    format!("{} {} {}{name}{port}", seen.direction.name(), protocol_name(seen.protocol), seen.remote)
}

fn protocol_name(protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => "tcp".to_owned(),
        Protocol::Udp => "udp".to_owned(),
        Protocol::Icmp { icmp_type: Some(kind), .. } => format!("icmp type {kind}"),
        Protocol::Icmp { icmp_type: None, .. } => "icmp".to_owned(),
        Protocol::Other(number) => format!("protocol {number}"),
        Protocol::Any => "any protocol".to_owned(),
    }
}

/// Flows that it had.
fn had(record: &FlowRecord) -> Option<Observation> {
    let remote: IpAddr = record.remote.parse().ok()?;
    Some(Observation {
        direction: direction(&record.direction)?,
        protocol: protocol(&record.protocol, remote, record.port)?,
        remote,
        name: record.name.clone(),
        port: record.port,
        flows: record.flows,
        first: record.first_ms / 1000,
        last: record.last_ms / 1000,
    })
}

/// Flows that it was kept from. Of ICMP a report tells no message, and so nothing that a file could permit.
fn tried(dropped: &Dropped) -> Option<Observation> {
    let packets = &dropped.packets;
    let direction = direction(&packets.direction)?;
    let remote = match direction {
        Direction::FromDevice => &packets.dst,
        Direction::ToDevice => &packets.src,
    };
    let remote: IpAddr = remote.parse().ok()?;
    let protocol = protocol(&packets.protocol, remote, packets.dport)?;
    if matches!(protocol, Protocol::Icmp { .. }) {
        return None;
    }
    Some(Observation {
        direction,
        protocol,
        remote,
        name: packets.name.clone(),
        port: packets.dport,
        flows: packets.count,
        first: packets.first_ms / 1000,
        last: packets.last_ms / 1000,
    })
}

fn direction(word: &str) -> Option<Direction> {
    [Direction::FromDevice, Direction::ToDevice].into_iter().find(|direction| direction.name() == word)
}

/// A protocol as gateways write it; with ICMP the port is 256 times the type and the code.
fn protocol(word: &str, remote: IpAddr, port: u16) -> Option<Protocol> {
    let [kind, code] = port.to_be_bytes();
    Some(match word {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "icmp" | "ipv6-icmp" => Protocol::Icmp { icmp_type: Some(kind), code: Some(code) },
        number => Protocol::from_number(number.parse().ok()?, Family::of(remote)),
    })
}

fn url(text: &str) -> Result<MudUrl, String> {
    MudUrl::parse(text).ok_or_else(|| "it has to be an https URL".to_owned())
}

fn prefix(text: &str) -> Result<IpPrefix, String> {
    let whole = || text.parse().ok().map(IpPrefix::host);
    IpPrefix::parse(text).or_else(whole).ok_or_else(|| "expected an address or a prefix".to_owned())
}
