//! From the policy object of a MUD file to the flow starts of one device model at one site.

use mud::{Direction, Entry, ExtraMatch, Host, MudUrl, Policy, Protocol, Remote, Verdict};

use super::program::{Extra, Peer, Program, Service, Side, Start};
use crate::{AddressRange, Class, Error, Strength};

/// For whom a policy is compiled: what `same-manufacturer` and `my-controller` are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The MUD URL of the devices.
    pub url: MudUrl,
    /// How it was learned. Policies of strongly identified devices see only strong members of a class.
    pub strength: Strength,
}

impl Subject {
    /// The classes that a device with this URL belongs to.
    pub fn classes(&self) -> Vec<Class> {
        vec![
            Class::Manufacturer(self.authority(), self.strength),
            Class::Model(self.url.as_str().to_owned(), self.strength),
        ]
    }

    /// Host and port, as classes are named: without the port when it is the default one, which is the only one
    /// that `manufacturer` can mean.
    fn authority(&self) -> String {
        let authority = self.url.authority();
        if self.url.has_default_port() {
            authority.host.to_owned()
        } else {
            format!("{}:{}", authority.host, authority.port)
        }
    }
}

/// A compiled policy, and the entries that this enforcer cannot express and so does not permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lowered {
    /// For [`crate::Enforcer::stage`].
    pub program: Program,
    /// Indices into the policy's entries.
    pub left_out: Vec<usize>,
    /// Of which entry each start of the program is.
    pub origins: Vec<usize>,
    /// What the program was made of.
    pub starts: Vec<Start>,
}

impl Lowered {
    /// The same policy, where whatever else the device starts passes and is told.
    pub fn observing(self) -> Result<Self, Error> {
        Ok(Self { program: Program::observing(self.starts.clone())?, ..self })
    }

    /// What every device may do, where the flows of this policy go on if they run.
    pub fn restricted(self) -> Result<Self, Error> {
        let program = crate::update_only()?.keeping(self.program);
        // None of the policy's entries is counted: none lets a flow begin.
        Ok(Self { program, origins: Vec::new(), ..self })
    }
}

/// Compiles a policy for the kernel. `dns_over_tcp` adds TCP to the default for the site's resolvers, which
/// RFC 8520 gives for UDP only; truncated answers need it.
pub fn lower(policy: &Policy, subject: &Subject, dns_over_tcp: bool) -> Result<Lowered, Error> {
    let mut starts = Vec::with_capacity(policy.entries.len());
    let (mut left_out, mut origins) = (Vec::new(), Vec::new());
    for (index, entry) in policy.entries.iter().enumerate() {
        let (Some(start), exact) = lower_entry(entry, subject) else {
            left_out.push(index);
            continue;
        };
        if !exact {
            left_out.push(index);
        }
        let resolver = entry.default
            && start.side == Side::From
            && start.service.protocol == Protocol::Udp
            && start.peer == Peer::Class(Class::dns());
        let over_tcp = (resolver && dns_over_tcp).then(|| {
            let mut over_tcp = start.clone();
            over_tcp.service.protocol = Protocol::Tcp;
            over_tcp
        });
        starts.push(start);
        starts.extend(over_tcp);
        origins.resize(starts.len(), index);
    }
    Ok(Lowered { program: Program::new(starts.clone())?, left_out, origins, starts })
}

/// The start, and whether it says exactly what the entry says. What cannot be checked makes an entry narrower: one
/// that accepts is left out, one that denies does so without the condition.
fn lower_entry(entry: &Entry, subject: &Subject) -> (Option<Start>, bool) {
    let (extra, exact) = entry.extra.as_ref().map_or((Vec::new(), true), lower_extra);
    if !exact && entry.verdict == Verdict::Accept {
        return (None, false);
    }
    let peer = lower_remote(&entry.remote, subject);
    let start = Start {
        side: match entry.direction {
            Direction::FromDevice => Side::From,
            Direction::ToDevice => Side::To,
        },
        family: entry.family,
        peer,
        service: Service {
            protocol: entry.protocol,
            remote_ports: entry.remote_ports.clone(),
            device_ports: entry.device_ports.clone(),
            extra,
        },
        // A profile is about what the device offers, which is the client where it starts.
        tls: match entry.direction {
            Direction::FromDevice => entry.tls.clone(),
            Direction::ToDevice => Vec::new(),
        },
        verdict: entry.verdict,
    };
    (Some(start), exact)
}

fn lower_remote(remote: &Remote, subject: &Subject) -> Peer {
    let class = match remote {
        Remote::Any => return Peer::Any,
        Remote::Prefix(prefix) => {
            return Peer::Range(AddressRange::of_prefix(prefix.address(), prefix.length()));
        }
        Remote::Name(name) => return lower_name(name),
        Remote::Controller(uri) => Class::Controller(uri.clone()),
        Remote::MyController => Class::MyController(subject.url.as_str().to_owned()),
        Remote::Manufacturer(host) => Class::Manufacturer(host.clone(), subject.strength),
        Remote::SameManufacturer => Class::Manufacturer(subject.authority(), subject.strength),
        Remote::Model(url) => {
            let url = MudUrl::parse(url).map_or_else(|| url.clone(), |url| url.as_str().to_owned());
            Class::Model(url, subject.strength)
        }
        Remote::LocalNetworks => Class::LocalNetworks,
    };
    Peer::Class(class)
}

/// `inet:host` may be an address, which needs no resolver (RFC 6991).
fn lower_name(name: &str) -> Peer {
    match Host::parse(name) {
        Some(Host::Address(address)) => Peer::Range(AddressRange::of_prefix(address, u8::MAX)),
        Some(Host::Name(name)) => Peer::Name(name),
        None => Peer::Name(name.to_ascii_lowercase()),
    }
}

/// The conditions that the kernel can check, and whether those are all.
fn lower_extra(extra: &ExtraMatch) -> (Vec<Extra>, bool) {
    let ExtraMatch { dscp, ecn, ttl, length, flow_label, tcp_flags, remote_mac } = *extra;
    let fields = [
        dscp.map(Extra::Dscp),
        ecn.map(Extra::Ecn),
        ttl.map(Extra::Ttl),
        length.map(Extra::Length),
        flow_label.map(Extra::FlowLabel),
    ];
    // A TCP flow starts with a bare SYN whatever a file says; and another end's MAC is not seen across a router.
    (fields.into_iter().flatten().collect(), tcp_flags.is_none() && remote_mac.is_none())
}
