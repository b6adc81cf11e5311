//! Proposes a file for a device from the flows it was seen to have: for devices whose manufacturer wrote none, and for
//! authors who begin one. A proposal is for a person to read: it says for each entry what was seen, and what about it is
//! doubtful. What a compromised device did while it was watched would be in it too.

mod write;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::address::{Family, IpPrefix, is_internal};
use crate::model::{Direction, MudFile};
use crate::policy::{AceId, Protocol, Remote};
use crate::ports::Ports;
use crate::time::DateTime;
use crate::url::{Host, MudUrl};

/// More single ports than this of one remote are proposed as the range that they lie in.
pub const MAX_PROPOSED_PORTS: usize = 8;
/// Entries that are proposed: more than these nobody reads.
pub const MAX_PROPOSED: usize = 256;

/// Flows of one kind that a device had, or tried to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Who began them.
    pub direction: Direction,
    /// Protocol; of ICMP the type and code of the first message.
    pub protocol: Protocol,
    /// The other end.
    pub remote: IpAddr,
    /// The name for which the device was given this address.
    pub name: Option<String>,
    /// Port of the end that was called; 0 where the protocol has none.
    pub port: u16,
    /// How many.
    pub flows: u64,
    /// When the first began, in seconds since 1970.
    pub first: i64,
    /// When the last began.
    pub last: i64,
}

/// What the proposal is for, and what the site around the device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Where the file will be published.
    pub mud_url: MudUrl,
    /// When it is made.
    pub last_update: DateTime,
    /// One line about the device.
    pub systeminfo: Option<String>,
    /// Networks of the site, `local-networks` in a file.
    pub local_networks: Vec<IpPrefix>,
    /// Resolvers and time servers of the site, which a device may use unless its file says otherwise.
    pub services: Vec<IpAddr>,
    /// Controllers of this model at this site, `my-controller` in a file.
    pub my_controllers: Vec<IpAddr>,
    /// Devices of the same manufacturer.
    pub same_manufacturer: Vec<IpAddr>,
}

/// A file, and the reasons for each of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The file, to be read, signed and published.
    pub file: MudFile,
    /// What it permits, in file order.
    pub entries: Vec<Proposed>,
    /// What was seen and is not in it.
    pub left_out: Vec<LeftOut>,
}

/// One flow that the file permits to begin. Of TCP it stands in the file twice, for each direction of packets, and for
/// remotes other than addresses in the lists of both families.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// The entry in the list of its direction.
    pub ace: AceId,
    /// Who begins it.
    pub direction: Direction,
    /// The other end.
    pub remote: Remote,
    /// Protocol.
    pub protocol: Protocol,
    /// Ports of the end that is called.
    pub ports: Ports,
    /// The observations it is made of: positions in what was given.
    pub seen: Vec<usize>,
    /// How many flows there were.
    pub flows: u64,
    /// What a person should think about.
    pub doubts: Vec<Hesitation>,
}

/// Why an entry needs a person's thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hesitation {
    /// The remote is an address that no name was asked for: the next device may use another (RFC 8520, section 2).
    Address,
    /// It happened once.
    Once,
    /// The ports are so many that a range is proposed.
    Range,
    /// The other end began it: it opens a port of the device.
    Inbound,
    /// It is for every host of the site.
    Neighbourhood,
}

impl Hesitation {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Once => "seen-once",
            Self::Range => "port-range",
            Self::Inbound => "inbound",
            Self::Neighbourhood => "neighbourhood",
        }
    }
}

impl fmt::Display for Hesitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "the device asked for no name, and the address may be another tomorrow",
            Self::Once => "it was seen once",
            Self::Range => "there were so many ports that a range stands for them",
            Self::Inbound => "the other end began it",
            Self::Neighbourhood => "it is open to every host of the site",
        })
    }
}

/// Something that was seen and is not proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Position in what was given.
    pub seen: usize,
    /// Why.
    pub why: Omission,
}

/// Why something is not proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omission {
    /// Every device may use the site's resolvers and time servers (RFC 8520, section 5).
    Default,
    /// No entry says exactly this: the protocol has none, or the name is no host name.
    Unsayable,
    /// There are [`MAX_PROPOSED`] entries that were used more.
    Full,
}

impl Omission {
    /// Stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Unsayable => "unsayable",
            Self::Full => "full",
        }
    }
}

/// What becomes one entry, apart from its ports.
type Key = (Direction, Protocol, Remote, Option<Family>);

/// The ports of a key, and by which observations.
type Called = BTreeMap<u16, Vec<usize>>;

/// Proposes a file that permits what was seen, and of names and classes the same over the other family.
pub fn propose(observations: &[Observation], around: &Surroundings) -> Proposal {
    let mut called: BTreeMap<Key, Called> = BTreeMap::new();
    let mut left_out = Vec::new();
    for (seen, observation) in observations.iter().enumerate() {
        match key(observation, around) {
            Ok(key) => called.entry(key).or_default().entry(observation.port).or_default().push(seen),
            Err(why) => left_out.push(LeftOut { seen, why }),
        }
    }
    let mut drafts = Vec::new();
    for ((direction, protocol, remote, family), ports) in called {
        for (ports, seen, ranged) in joined(ports, protocol) {
            let flows = seen.iter().filter_map(|at| observations.get(*at)).map(|seen| seen.flows).sum();
            let doubts = [
                (matches!(&remote, Remote::Prefix(prefix) if !prefix.is_group()), Hesitation::Address),
                (flows <= 1, Hesitation::Once),
                (ranged, Hesitation::Range),
                (direction == Direction::ToDevice, Hesitation::Inbound),
                (remote == Remote::LocalNetworks, Hesitation::Neighbourhood),
            ];
            let doubts = doubts.into_iter().filter_map(|(holds, doubt)| holds.then_some(doubt)).collect();
            let remote = remote.clone();
            // The name comes with the list.
            let ace = AceId { acl: String::new(), ace: String::new() };
            let entry = Proposed { ace, direction, remote, protocol, ports, seen, flows, doubts };
            drafts.push((family, entry));
        }
    }
    // What was used most comes first, and stays when a file is full.
    drafts.sort_by_key(|(_, draft)| core::cmp::Reverse(draft.flows));
    for (_, dropped) in drafts.drain(drafts.len().min(MAX_PROPOSED)..) {
        left_out.extend(dropped.seen.into_iter().map(|seen| LeftOut { seen, why: Omission::Full }));
    }
    let (file, entries) = write::file(drafts, around);
    Proposal { file, entries, left_out }
}

fn key(observation: &Observation, around: &Surroundings) -> Result<Key, Omission> {
    let Observation { direction, protocol, remote, .. } = *observation;
    let family = Family::of(remote);
    let service =
        matches!((protocol, observation.port), (Protocol::Tcp | Protocol::Udp, DNS) | (Protocol::Udp, NTP));
    if direction == Direction::FromDevice && service && around.services.contains(&remote) {
        return Err(Omission::Default);
    }
    if protocol == Protocol::Any {
        return Err(Omission::Unsayable);
    }
    let selector = if around.my_controllers.contains(&remote) {
        Remote::MyController
    } else if around.same_manufacturer.contains(&remote) {
        Remote::SameManufacturer
    } else if let Some(name) = &observation.name {
        match Host::parse(name) {
            Some(Host::Name(name)) => Remote::Name(name),
            Some(Host::Address(_)) | None => return Err(Omission::Unsayable),
        }
    } else if around.local_networks.iter().any(|network| network.contains(remote)) {
        Remote::LocalNetworks
    } else {
        let prefix = IpPrefix::host(remote);
        // An address of another site, or of this machine, means nothing in a file for all sites.
        if is_internal(remote) && !prefix.is_group() {
            return Err(Omission::Unsayable);
        }
        Remote::Prefix(prefix)
    };
    // Messages of ICMP are other ones in the other family.
    let single = matches!(selector, Remote::Prefix(_)) || matches!(protocol, Protocol::Icmp { .. });
    Ok((direction, protocol, selector, single.then_some(family)))
}

/// The ports as few entries: neighbours as one range, and many as the range that they lie in. Says whether ports are in it
/// that nobody called.
fn joined(called: Called, protocol: Protocol) -> Vec<(Ports, Vec<usize>, bool)> {
    let all =
        |called: &Called| called.values().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if !matches!(protocol, Protocol::Tcp | Protocol::Udp) {
        return Vec::from([(Ports::ANY, all(&called), false)]);
    }
    let exact = Ports::new(called.keys().map(|port| *port..=*port));
    if let (true, Some(low), Some(high)) =
        (exact.ranges().count() > MAX_PROPOSED_PORTS, called.keys().next(), called.keys().next_back())
    {
        return Vec::from([(Ports::new([*low..=*high]), all(&called), true)]);
    }
    let of = |range: core::ops::RangeInclusive<u16>| {
        let seen = called.range(range.clone()).flat_map(|(_, seen)| seen.iter().copied()).collect();
        (Ports::new([range]), seen, false)
    };
    exact.ranges().map(of).collect()
}

// Well-known ports of the default services.
const DNS: u16 = 53;
const NTP: u16 = 123;
