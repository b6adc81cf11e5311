//! The table that shows us the frames of the link that say who is where. It is one of its own, because not every kernel has it,
//! and the rules do without it. It drops nothing.
//!
//! Between the ports of a bridge it stands in the bridge. LLDP is for the port that it reaches and passes the hooks of no bridge, so
//! it is picked where frames come in.

use super::{Part, Site, Transaction, nft};
use crate::Interface;

/// NFLOG groups: frames from the link, and frames to it.
pub(crate) const HEARING_GROUPS: [u16; 2] = [16, 17];

/// Makes the tables, or makes them anew, in one transaction.
pub(crate) fn hearing(site: &Site) -> Transaction {
    let mut tx = Transaction::new();
    if site.ports.is_empty() {
        let chains = of_interfaces(&mut tx, &site.lan);
        for what in FROM_DEVICES {
            nft!(tx, chains, "from", what, "goto tell");
        }
        nft!(tx, "add chain netdev sextant_hear to { type filter hook egress", Devices(&site.lan));
        for what in FROM_SERVERS {
            nft!(tx, chains, "to", what, TOLD_OF_SERVERS);
        }
    } else {
        of_interfaces(&mut tx, &site.ports);
        of_bridge(&mut tx, &site.ports);
    }
    tx
}

/// What is for the interface itself; gives how further rules begin.
fn of_interfaces(tx: &mut Transaction, interfaces: &[Interface]) -> &'static str {
    for command in ["add", "delete", "add"] {
        nft!(*tx, command, "table netdev sextant_hear");
    }
    nft!(*tx, "add set netdev sextant_hear rate", RATE_SET);
    nft!(*tx, "add chain netdev sextant_hear tell");
    nft!(*tx, "add rule netdev sextant_hear tell", TELL);
    nft!(*tx, "add chain netdev sextant_hear from { type filter hook ingress", Devices(interfaces));
    nft!(*tx, "add rule netdev sextant_hear from ether type 0x88cc goto tell");
    "add rule netdev sextant_hear"
}

fn of_bridge(tx: &mut Transaction, ports: &Vec<Interface>) {
    for command in ["add", "delete", "add"] {
        nft!(*tx, command, "table bridge sextant_hear");
    }
    nft!(*tx, "add set bridge sextant_hear rate", RATE_SET);
    nft!(*tx, "add chain bridge sextant_hear tell");
    nft!(*tx, "add rule bridge sextant_hear tell", TELL);
    nft!(
        *tx,
        "add chain bridge sextant_hear from { type filter hook prerouting priority -300 ; policy accept ; }"
    );
    nft!(*tx, "add chain bridge sextant_hear to { type filter hook output priority 300 ; policy accept ; }");
    // By its ports: not every kernel can tell which bridge a frame is on.
    for what in FROM_DEVICES {
        nft!(*tx, "add rule bridge sextant_hear from iifname {", *ports, "}", what, "goto tell");
    }
    for what in FROM_SERVERS {
        nft!(*tx, "add rule bridge sextant_hear to oifname {", *ports, "}", what, TOLD_OF_SERVERS);
    }
}

/// The devices of a hook, and the rest of what a chain says of it.
struct Devices<'s>(&'s [Interface]);

impl Part for Devices<'_> {
    fn put(&self, out: &mut Transaction) {
        "devices = {".put(out);
        self.0.put(out);
        "} priority -300 ; policy accept ; }".put(out);
    }
}

const FROM_DEVICES: [&str; 4] = [
    "ether type arp",
    "ether type ip udp sport 68 udp dport 67",
    "ether type ip6 udp dport 547",
    "ether type ip6 icmpv6 type { nd-neighbor-solicit , nd-neighbor-advert } ip6 hoplimit 255",
];
const FROM_SERVERS: [&str; 2] =
    ["ether type ip udp sport 67 udp dport 68", "ether type ip6 udp sport 547 udp dport 546"];
/// What one sender may tell, and all together: a flood must not drown the rest, nor us. Bounded, and forgetful.
const RATE_SET: &str = "{ type ether_addr ; size 65535 ; flags dynamic , timeout ; timeout 1m ; }";
const TELL: &str = "update @rate { ether saddr limit rate 20/second burst 40 packets } limit rate 500/second burst 500 packets log group 16 queue-threshold 1";
const TOLD_OF_SERVERS: &str = "limit rate 500/second burst 500 packets log group 17 queue-threshold 1";
