//! The fixed table: hooks, maps of devices and policies, link housekeeping, and default drop.
//!
//! A packet costs the same whatever the number of devices: its (MAC, address) pair is looked up for a policy
//! number, the number for a chain. Devices are map elements only, so moving one is two elements in one transaction,
//! and the values are plain marks, so the kernel has no chains to walk again.
//!
//! The kernel interprets rules one expression at a time, so every packet is asked as little as possible: once where it
//! comes from, once what its connection is, and what matched says by `goto` that nothing else needs to be asked.

use std::net::IpAddr;

use super::{Name, Part, Transaction, nft};
use crate::{AddressRange, Error, Interface, TlsMode};

/// What this gateway is asked to guard. Fixed for the life of an enforcer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Interfaces behind which the devices are, at least one: usually one bridge.
    pub lan: Vec<Interface>,
    /// Ports of that bridge, between which no frame may pass directly.
    pub ports: Vec<Interface>,
    /// Addresses of the gateway itself on these interfaces.
    pub own: Vec<IpAddr>,
    /// TCP port of the gateway on which any device, known or not, may prove who it is.
    pub admission: Option<u16>,
    /// Endpoints of the product itself (attestation, update, onboarding): open to every device that is not blocked,
    /// and to those that are not admitted yet.
    pub management: Vec<Endpoint>,
    /// DNS and time for those that are not admitted yet: without a name or a clock nobody attests. What an admitted
    /// device may ask is for its policy to say.
    pub basics: Vec<Endpoint>,
    /// Resolvers of the gateway, one of a family at most, that answer what devices ask others over port 53. Without any, such
    /// questions are judged as what they are.
    pub resolvers: Vec<IpAddr>,
    /// Addresses of resolvers over HTTPS, to which no device may start anything, whatever its policy has of ranges. One that a
    /// policy's name stands for is not among them.
    pub blocked: Vec<AddressRange>,
    /// Send an ICMP error where a file says `reject`, instead of reading it as `drop` (RFC 8520, section 2).
    pub send_errors: bool,
    /// Turn packet forwarding on once the rules are in force.
    pub forwarding: bool,
    /// What becomes of TLS profiles in policies (RFC 9761).
    pub tls: TlsMode,
}

impl Site {
    /// A site with devices behind one interface and nothing else set.
    pub fn new(lan: &str) -> Result<Self, Error> {
        Ok(Self {
            lan: vec![Interface::new(lan)?],
            ports: Vec::new(),
            own: Vec::new(),
            admission: None,
            management: Vec::new(),
            basics: Vec::new(),
            resolvers: Vec::new(),
            blocked: Vec::new(),
            send_errors: false,
            forwarding: true,
            tls: TlsMode::Off,
        })
    }
}

/// A service at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Where.
    pub address: IpAddr,
    /// IP protocol number: 6 or 17.
    pub protocol: u8,
    /// Destination port.
    pub port: u16,
}

/// NFLOG groups: what a device may not start, what may not be started toward it, strangers, other resolvers, what passes
/// because a device is only observed.
pub(crate) const NFLOG_GROUPS: [u16; 5] = [10, 11, 12, 13, 14];

/// The name by which a running table is recognised as the one that [`install`] makes for this site.
pub(crate) fn stamp(site: &Site) -> Name {
    Name::of_content("base_", body(site).as_text().as_bytes())
}

/// Makes the table. No device is in it, and nothing passes.
pub(crate) fn install(site: &Site) -> Transaction {
    let mut tx = body(site);
    nft!(tx, "add chain inet sextant", stamp(site));
    tx
}

fn body(site: &Site) -> Transaction {
    let mut tx = Transaction::new();
    nft!(tx, "add table inet sextant");
    sets(&mut tx, site);
    blocked(&mut tx, site);
    violations(&mut tx);
    judgement(&mut tx);
    forward(&mut tx, site);
    input(&mut tx, site);
    output(&mut tx, site);
    redirect(&mut tx, site);
    tx
}

/// The interfaces of the LAN as nft compares them best: one by its name, several through a set that never changes.
struct Lan<'s>(&'s [Interface]);

impl Part for Lan<'_> {
    fn put(&self, out: &mut Transaction) {
        match self.0 {
            [one] => one.put(out),
            several => {
                "{".put(out);
                several.put(out);
                "}".put(out);
            }
        }
    }
}

fn sets(tx: &mut Transaction, site: &Site) {
    nft!(*tx, "add map inet sextant dev_from4 { type ether_addr . ipv4_addr : mark ; }");
    nft!(*tx, "add map inet sextant dev_from6 { type ether_addr . ipv6_addr : mark ; }");
    nft!(*tx, "add map inet sextant dev_to4 { type ipv4_addr : mark ; }");
    nft!(*tx, "add map inet sextant dev_to6 { type ipv6_addr : mark ; }");
    nft!(*tx, "add map inet sextant pol_from { type mark : verdict ; }");
    nft!(*tx, "add map inet sextant pol_to { type mark : verdict ; }");

    endpoints(tx, ["mgmt4", "mgmt6"], &site.management);
    endpoints(tx, ["basic4", "basic6"], &site.basics);
    // Of the gateway's own services a policy opens these at most, whatever it says of local networks.
    nft!(*tx, "add set inet sextant services { type inet_proto . inet_service ; }");
    nft!(*tx, "add element inet sextant services { udp . 53 , tcp . 53 , udp . 123 }");
    for Endpoint { protocol, port, .. } in &site.management {
        nft!(*tx, "add element inet sextant services {", *protocol, ".", *port, "}");
    }
}

/// Resolvers over HTTPS, and of these the addresses that a policy's name stands for.
fn blocked(tx: &mut Transaction, site: &Site) {
    if site.blocked.is_empty() {
        return;
    }
    for (blocked, shared, kind, v6) in [
        ("blocked4", "shared4", "type ipv4_addr ;", false),
        ("blocked6", "shared6", "type ipv6_addr ;", true),
    ] {
        nft!(*tx, "add set inet sextant", blocked, "{", kind, "flags interval ; }");
        nft!(*tx, "add set inet sextant", shared, "{", kind, "flags timeout ; }");
        let of_family = site.blocked.iter().filter(|range| range.first().is_ipv6() == v6).copied();
        for some in crate::address::join(of_family.collect()).chunks(ELEMENTS_A_COMMAND) {
            nft!(*tx, "add element inet sextant", blocked, "{", *some, "}");
        }
    }
}

/// A set of services for each family.
fn endpoints(tx: &mut Transaction, [v4, v6]: [&'static str; 2], of: &[Endpoint]) {
    nft!(*tx, "add set inet sextant", v4, "{ type ipv4_addr . inet_proto . inet_service ; }");
    nft!(*tx, "add set inet sextant", v6, "{ type ipv6_addr . inet_proto . inet_service ; }");
    for Endpoint { address, protocol, port } in of {
        let set = if address.is_ipv4() { v4 } else { v6 };
        nft!(*tx, "add element inet sextant", set, "{", *address, ".", *protocol, ".", *port, "}");
    }
}

/// What is not permitted: counted exactly in the kernel, told to us at a bounded rate, and dropped.
fn violations(tx: &mut Transaction) {
    nft!(
        *tx,
        "add set inet sextant seen_from4 { type ether_addr . ipv4_addr . inet_proto . inet_service ;",
        SEEN,
        "counter ; }"
    );
    nft!(
        *tx,
        "add set inet sextant seen_from6 { type ether_addr . ipv6_addr . inet_proto . inet_service ;",
        SEEN,
        "counter ; }"
    );
    nft!(*tx, "add set inet sextant rate_from { type ether_addr ;", SEEN, "}");
    nft!(*tx, "add set inet sextant rate_stranger { type ether_addr ;", SEEN, "}");
    nft!(*tx, "add set inet sextant rate_to4 { type ipv4_addr ;", SEEN, "}");
    nft!(*tx, "add set inet sextant rate_to6 { type ipv6_addr ;", SEEN, "}");

    nft!(*tx, "add chain inet sextant violation_from");
    nft!(
        *tx,
        VIOLATION_FROM,
        "meta l4proto { tcp , udp } meta nfproto ipv4 update @seen_from4 { ether saddr . ip daddr . meta l4proto . th dport }"
    );
    nft!(
        *tx,
        VIOLATION_FROM,
        "meta l4proto { tcp , udp } meta nfproto ipv6 update @seen_from6 { ether saddr . ip6 daddr . meta l4proto . th dport }"
    );
    nft!(
        *tx,
        VIOLATION_FROM,
        "meta l4proto { tcp , udp } th dport { 53 , 853 } update @rate_from { ether saddr",
        EACH,
        "}",
        ALL,
        "log group 13",
        HEADERS
    );
    nft!(*tx, VIOLATION_FROM, "meta l4proto { tcp , udp } th dport { 53 , 853 } counter drop");
    nft!(*tx, VIOLATION_FROM, "update @rate_from { ether saddr", EACH, "}", ALL, "log group 10", HEADERS);
    nft!(*tx, VIOLATION_FROM, "counter drop");

    nft!(*tx, "add chain inet sextant violation_resolver");
    nft!(
        *tx,
        "add rule inet sextant violation_resolver update @rate_from { ether saddr",
        EACH,
        "}",
        ALL,
        "log group 13",
        HEADERS
    );
    nft!(*tx, "add rule inet sextant violation_resolver counter drop");

    nft!(*tx, "add chain inet sextant violation_to");
    nft!(*tx, VIOLATION_TO, "update @rate_to4 { ip daddr", EACH, "}", ALL, "log group 11", HEADERS);
    nft!(*tx, VIOLATION_TO, "update @rate_to6 { ip6 daddr", EACH, "}", ALL, "log group 11", HEADERS);
    nft!(*tx, VIOLATION_TO, "counter drop");

    // Told like what is dropped, and then back to where the policy was asked.
    nft!(*tx, "add chain inet sextant observed");
    nft!(
        *tx,
        "add rule inet sextant observed update @rate_from { ether saddr",
        EACH,
        "}",
        ALL,
        "log group 14",
        HEADERS
    );

    nft!(*tx, "add chain inet sextant stranger");
    nft!(*tx, STRANGER, "ct state invalid drop");
    // Nobody is admitted who has not attested, so that way is open to those who are not admitted too.
    for set in ["@mgmt4", "@basic4"] {
        nft!(*tx, STRANGER, "ip daddr . meta l4proto . th dport", set, "accept");
    }
    for set in ["@mgmt6", "@basic6"] {
        nft!(*tx, STRANGER, "ip6 daddr . meta l4proto . th dport", set, "accept");
    }
    nft!(*tx, STRANGER, "update @rate_stranger { ether saddr", EACH, "}", ALL, "log group 12", HEADERS);
    nft!(*tx, STRANGER, "counter drop");
}

/// How a packet finds its policy, and what the policy says. Each chain comes back when the packet may go on.
fn judgement(tx: &mut Transaction) {
    // From the LAN: marked with the policy of its (MAC, address) pair, or a stranger's.
    nft!(*tx, "add chain inet sextant bind");
    nft!(*tx, "add rule inet sextant bind meta mark set ether saddr . ip saddr map @dev_from4 return");
    nft!(*tx, "add rule inet sextant bind meta mark set ether saddr . ip6 saddr map @dev_from6 return");
    nft!(*tx, "add rule inet sextant bind goto stranger");

    // A policy returns what it permits and drops everything else; so does a mark that no policy has.
    nft!(*tx, "add chain inet sextant judge_from");
    nft!(*tx, "add rule inet sextant judge_from meta mark vmap @pol_from");
    nft!(*tx, "add rule inet sextant judge_from drop");

    nft!(*tx, "add chain inet sextant judge_to");
    nft!(*tx, "add rule inet sextant judge_to meta mark vmap @pol_to");
    nft!(*tx, "add rule inet sextant judge_to drop");

    nft!(*tx, "add chain inet sextant toward_device");
    nft!(*tx, "add rule inet sextant toward_device meta mark set ip daddr map @dev_to4 goto judge_to");
    nft!(*tx, "add rule inet sextant toward_device meta mark set ip6 daddr map @dev_to6 goto judge_to");
    nft!(*tx, "add rule inet sextant toward_device drop");

    // Marks are ours up to here; what comes after the filter need not know them.
    nft!(*tx, "add chain inet sextant pass");
    nft!(*tx, "add rule inet sextant pass meta mark set 0 accept");

    // Errors about a connection belong to it. Other helpers' connections are judged as any that begins.
    nft!(*tx, "add chain inet sextant related");
    nft!(*tx, "add rule inet sextant related meta l4proto { icmp , ipv6-icmp } goto pass");
}

/// Between devices and the rest, and between devices: both ends' policies must permit.
fn forward(tx: &mut Transaction, site: &Site) {
    let lan = Lan(&site.lan);
    nft!(*tx, "add chain inet sextant forward { type filter hook forward priority 0 ; policy drop ; }");
    nft!(*tx, "add chain inet sextant from_lan");

    nft!(*tx, FORWARD, "iifname", lan, "goto from_lan");
    // Traffic that touches no device is other people's business.
    nft!(*tx, FORWARD, "oifname !=", lan, "accept");
    nft!(*tx, FORWARD, KNOWN);
    nft!(*tx, FORWARD, NOT_A_START, "counter drop");
    nft!(*tx, FORWARD, "jump toward_device");
    nft!(*tx, FORWARD, "goto pass");

    // Every packet, not just the first: a stranger must not speak within a device's open connection.
    nft!(*tx, FROM_LAN, "jump bind");
    nft!(*tx, FROM_LAN, KNOWN);
    nft!(*tx, FROM_LAN, NOT_A_START, "counter drop");
    if !site.blocked.is_empty() {
        nft!(*tx, FROM_LAN, "ip daddr @blocked4 ip daddr != @shared4 goto violation_resolver");
        nft!(*tx, FROM_LAN, "ip6 daddr @blocked6 ip6 daddr != @shared6 goto violation_resolver");
    }
    nft!(*tx, FROM_LAN, "jump judge_from");
    nft!(*tx, FROM_LAN, "oifname !=", lan, "goto pass");
    nft!(*tx, FROM_LAN, "jump toward_device");
    nft!(*tx, FROM_LAN, "goto pass");
}

/// From devices to the gateway itself.
fn input(tx: &mut Transaction, site: &Site) {
    nft!(*tx, "add chain inet sextant input { type filter hook input priority 0 ; policy drop ; }");
    nft!(*tx, INPUT, "iifname !=", Lan(&site.lan), "accept");
    nft!(*tx, INPUT, "ct state invalid drop");
    // Devices do not announce routers, nor better ones (RFC 6105); what else a link needs (RFC 4861, RFC 3810).
    nft!(*tx, INPUT, "icmpv6 type { nd-router-advert , nd-redirect } counter drop");
    nft!(
        *tx,
        INPUT,
        "icmpv6 type { nd-neighbor-solicit , nd-neighbor-advert , nd-router-solicit } ip6 hoplimit 255 accept"
    );
    nft!(
        *tx,
        INPUT,
        "icmpv6 type { mld-listener-report , mld-listener-done , mld2-listener-report } ip6 hoplimit 1 accept"
    );
    nft!(*tx, INPUT, "meta nfproto ipv4 meta l4proto igmp accept");
    // DHCP clients; server answers never come from a device.
    nft!(*tx, INPUT, "meta nfproto ipv4 udp sport 68 udp dport 67 accept");
    nft!(*tx, INPUT, "meta nfproto ipv6 udp sport 546 udp dport 547 accept");
    if let Some(port) = site.admission {
        nft!(*tx, INPUT, "tcp dport", port, "accept");
    }
    nft!(*tx, INPUT, "jump bind");
    nft!(*tx, INPUT, KNOWN);
    nft!(*tx, INPUT, NOT_A_START, "counter drop");
    nft!(*tx, INPUT, "meta l4proto { tcp , udp } meta l4proto . th dport != @services goto violation_from");
    nft!(*tx, INPUT, "jump judge_from");
    nft!(*tx, INPUT, "goto pass");
}

/// From the gateway to devices: everything but the advice to go round it, which Linux gives over IPv6 whenever a
/// packet leaves where it came from, and which no setting turns off (RFC 4861, section 8).
fn output(tx: &mut Transaction, site: &Site) {
    nft!(*tx, "add chain inet sextant output { type filter hook output priority 0 ; policy accept ; }");
    nft!(*tx, "add rule inet sextant output oifname", Lan(&site.lan), "icmpv6 type nd-redirect drop");
}

/// What devices ask other resolvers goes to ours, and its answers come back from whom they asked. Policies judge it then as what
/// it has become.
fn redirect(tx: &mut Transaction, site: &Site) {
    if site.resolvers.is_empty() {
        return;
    }
    nft!(*tx, "add chain inet sextant resolve { type nat hook prerouting priority -100 ; policy accept ; }");
    nft!(*tx, "add rule inet sextant resolve iifname !=", Lan(&site.lan), "return");
    nft!(*tx, "add rule inet sextant resolve fib daddr type local return");
    for resolver in &site.resolvers {
        let (family, to) = match resolver {
            IpAddr::V4(_) => ("meta nfproto ipv4", "counter dnat ip to"),
            IpAddr::V6(_) => ("meta nfproto ipv6", "counter dnat ip6 to"),
        };
        nft!(
            *tx,
            "add rule inet sextant resolve",
            family,
            "meta l4proto { tcp , udp } th dport 53",
            to,
            *resolver
        );
    }
}

/// The second lock: frames between ports of the bridge are dropped even if port isolation is lost. Stateless,
/// because not every kernel tracks connections in this family; `None` when the site names no ports.
pub(crate) fn bridge(site: &Site) -> Option<Transaction> {
    if site.ports.is_empty() {
        return None;
    }
    let mut tx = Transaction::new();
    nft!(tx, "add table bridge sextant");
    nft!(tx, "delete table bridge sextant");
    nft!(tx, "add table bridge sextant");
    nft!(tx, "add chain bridge sextant forward { type filter hook forward priority 0 ; policy accept ; }");
    nft!(
        tx,
        "add rule bridge sextant forward iifname {",
        site.ports,
        "} oifname {",
        site.ports,
        "} counter drop"
    );
    Some(tx)
}

/// Elements are written a thousand at a time: the complaint about one repeats its line.
const ELEMENTS_A_COMMAND: usize = 1000;
const FORWARD: &str = "add rule inet sextant forward";
const FROM_LAN: &str = "add rule inet sextant from_lan";
const INPUT: &str = "add rule inet sextant input";
const VIOLATION_FROM: &str = "add rule inet sextant violation_from";
const VIOLATION_TO: &str = "add rule inet sextant violation_to";
const STRANGER: &str = "add rule inet sextant stranger";

/// What belongs to a connection that was judged when it began.
const KNOWN: &str = "ct state vmap { established : goto pass , related : jump related , invalid : drop }";
/// A TCP segment outside any connection that does not begin one.
const NOT_A_START: &str = "meta l4proto tcp tcp flags & ( fin | syn | rst | ack ) != syn";

/// Sets that packets fill: bounded, and forgetful.
const SEEN: &str = "size 65535 ; flags dynamic , timeout ; timeout 10m ;";
/// Reports for one device, and for all together: a flood must not drown the rest, nor us.
const EACH: &str = "limit rate 20/second burst 40 packets";
const ALL: &str = "limit rate 500/second burst 500 packets";
/// Headers only: what devices say is none of our business.
const HEADERS: &str = "snaplen 96 queue-threshold 16";
