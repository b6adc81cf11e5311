//! A program as nft commands.

use mud::{Family, Ports, Protocol, Verdict};

use super::program::{Extra, Peers, Program, Rule, Service, Side};
use super::queue::HANDSHAKE_MARK;
use super::{Name, Part, Transaction, nft};
use crate::{AddressRange, Class, PolicyId};

/// What the chains and sets of one version of a policy are called: after its number and content, so that equal
/// names mean equal rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyNames {
    base: Name,
}

impl PolicyNames {
    /// The chain for what the device starts, or what is started toward it.
    pub(crate) fn chain(&self, side: Side) -> Name {
        self.base.with(match side {
            Side::From => "_from",
            Side::To => "_to",
        })
    }

    /// The hash set of exact keys.
    pub(crate) fn keys(&self, side: Side, family: Family) -> Name {
        self.base.with(match (side, family) {
            (Side::From, Family::V4) => "_from4",
            (Side::From, Family::V6) => "_from6",
            (Side::To, Family::V4) => "_to4",
            (Side::To, Family::V6) => "_to6",
        })
    }

    /// The addresses of the names of one group.
    pub(crate) fn group(&self, number: usize) -> Name {
        self.base.numbered("_g", number)
    }

    /// The names that begin with this belong to the policy.
    pub(crate) fn base(&self) -> &Name {
        &self.base
    }
}

/// The names for a program under a number.
pub(crate) fn policy_names(id: PolicyId, program: &Program, send_errors: bool) -> PolicyNames {
    let draft = PolicyNames { base: Name::of_content("p", &[]) };
    let mut content = Transaction::new();
    nft!(content, id);
    content.append(&render(&draft, program, send_errors));
    PolicyNames { base: Name::of_content("p", content.as_text().as_bytes()) }
}

/// The set of a class's members.
pub(crate) fn class_set(class: &Class, family: Family) -> Name {
    Name::of_content("c", &class.identity()).with(match family {
        Family::V4 => "_4",
        Family::V6 => "_6",
    })
}

/// Makes the sets and chains of a policy. Class sets must exist; no packet comes here before a verdict map says so.
/// A chain returns the packets that its policy permits and lets no other out.
pub(crate) fn render(names: &PolicyNames, program: &Program, send_errors: bool) -> Transaction {
    let mut tx = Transaction::new();
    for side in [Side::From, Side::To] {
        for family in [Family::V4, Family::V6].into_iter().filter(|family| program.has_keys(side, *family)) {
            let address = address_type(family);
            nft!(
                tx,
                "add set inet sextant",
                names.keys(side, family),
                "{ type",
                address,
                ". inet_proto . inet_service ; flags timeout ; counter ; size 65535 ; }"
            );
        }
    }
    for (number, family) in program.groups.iter().enumerate() {
        nft!(
            tx,
            "add set inet sextant",
            names.group(number),
            "{ type",
            address_type(*family),
            "; flags timeout ; counter ; size 65535 ; }"
        );
    }
    for (side, key) in &program.keys {
        let set = names.keys(*side, Family::of(key.address));
        nft!(tx, "add element inet sextant", set, "{", key.address, ".", key.protocol, ".", key.port, "}");
    }
    for (side, last) in [(Side::From, "goto violation_from"), (Side::To, "goto violation_to")] {
        let chain = names.chain(side);
        nft!(tx, "add chain inet sextant", chain);
        let own = || program.rules.iter().filter(|rule| rule.side == side);
        let mut rules = Transaction::new();
        for rule in own() {
            nft!(rules, RULE, chain, Peer(names, rule), Spoken(rule), Judged(rule, send_errors));
        }
        let mut management = Transaction::new();
        if program.management && side == Side::From {
            nft!(management, RULE, chain, "ip daddr . meta l4proto . th dport @mgmt4 return");
            nft!(management, RULE, chain, "ip6 daddr . meta l4proto . th dport @mgmt6 return");
        }
        // Nothing a file denies may cut the way to attestation and update. Where it denies nothing, the order is
        // free, and its own flows are the many.
        let (first, second) = if denies(program, side) { (management, rules) } else { (rules, management) };
        tx.append(&first);
        tx.append(&second);
        if side == Side::From && program.observed {
            nft!(tx, RULE, chain, "meta l4proto { tcp , udp } th dport { 53 , 853 }", last);
            nft!(tx, RULE, chain, "goto observed");
        } else {
            nft!(tx, RULE, chain, last);
        }
    }
    tx
}

fn denies(program: &Program, side: Side) -> bool {
    program.rules.iter().any(|rule| rule.side == side && rule.verdict != Verdict::Accept)
}

/// How many rules of a chain stand before those of the program.
pub(crate) fn rules_before(program: &Program, side: Side) -> usize {
    if program.management && side == Side::From && denies(program, side) { MANAGEMENT_RULES } else { 0 }
}

/// How many rules each chain of a program has.
pub(crate) fn rule_count(program: &Program, side: Side) -> usize {
    let own = program.rules.iter().filter(|rule| rule.side == side).count();
    let last = if program.observed && side == Side::From { 2 } else { 1 };
    own + last + if program.management && side == Side::From { MANAGEMENT_RULES } else { 0 }
}

/// The address type of a family, as nft calls it.
pub(crate) fn address_type(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    }
}

/// The other end.
struct Peer<'r>(&'r PolicyNames, &'r Rule);

impl Part for Peer<'_> {
    fn put(&self, out: &mut Transaction) {
        let Self(names, rule) = self;
        let address = match (rule.side, rule.family) {
            (Side::From, Family::V4) => "ip daddr",
            (Side::To, Family::V4) => "ip saddr",
            (Side::From, Family::V6) => "ip6 daddr",
            (Side::To, Family::V6) => "ip6 saddr",
        };
        match &rule.peers {
            Peers::Any => nfproto(rule.family).put(out),
            Peers::Ranges(ranges) if covers_all(ranges) => nfproto(rule.family).put(out),
            Peers::Ranges(ranges) => {
                address.put(out);
                "{".put(out);
                ranges.put(out);
                "}".put(out);
            }
            Peers::Class(class) => (address, At(class_set(class, rule.family))).put(out),
            Peers::Group(number) => (address, At(names.group(*number))).put(out),
            Peers::Keys => {
                address.put(out);
                ". meta l4proto . th dport".put(out);
                At(names.keys(rule.side, rule.family)).put(out);
            }
        }
    }
}

/// A reference to a set.
struct At(Name);

impl Part for At {
    fn put(&self, out: &mut Transaction) {
        out.reference(&self.0);
    }
}

/// Protocol, ports, and what else must match.
struct Spoken<'r>(&'r Rule);

impl Part for Spoken<'_> {
    fn put(&self, out: &mut Transaction) {
        let Self(Rule { side, family, service, .. }) = self;
        let Service { protocol, remote_ports, device_ports, extra } = service;
        protocol.number(*family).map(|number| ("meta l4proto", number)).put(out);
        if let Protocol::Icmp { icmp_type, code } = protocol {
            let (type_word, code_word) = match family {
                Family::V4 => ("icmp type", "icmp code"),
                Family::V6 => ("icmpv6 type", "icmpv6 code"),
            };
            icmp_type.map(|value| (type_word, value)).put(out);
            code.map(|value| (code_word, value)).put(out);
        }
        let (source, destination) = match side {
            Side::From => (device_ports, remote_ports),
            Side::To => (remote_ports, device_ports),
        };
        port_match("th sport", source, out);
        port_match("th dport", destination, out);
        for field in extra {
            field_match(field, *family).put(out);
        }
    }
}

fn port_match(word: &'static str, ports: &Ports, out: &mut Transaction) {
    if !ports.is_any() {
        word.put(out);
        "{".put(out);
        ports.ranges().collect::<Vec<_>>().put(out);
        "}".put(out);
    }
}

fn field_match(field: &Extra, family: Family) -> (&'static str, u32) {
    match (field, family) {
        (Extra::Dscp(value), Family::V4) => ("ip dscp", (*value).into()),
        (Extra::Dscp(value), Family::V6) => ("ip6 dscp", (*value).into()),
        (Extra::Ecn(value), Family::V4) => ("ip ecn", (*value).into()),
        (Extra::Ecn(value), Family::V6) => ("ip6 ecn", (*value).into()),
        (Extra::Length(value), Family::V4) => ("ip length", (*value).into()),
        (Extra::Length(value), Family::V6) => ("ip6 length", (*value).into()),
        (Extra::Ttl(value), Family::V4) => ("ip ttl", (*value).into()),
        (Extra::Ttl(value), Family::V6) => ("ip6 hoplimit", (*value).into()),
        (Extra::FlowLabel(value), _) => ("ip6 flowlabel", *value),
    }
}

/// What becomes of the packet.
struct Judged<'r>(&'r Rule, bool);

impl Part for Judged<'_> {
    fn put(&self, out: &mut Transaction) {
        let Self(rule, send_errors) = self;
        match rule.verdict {
            Verdict::Accept if !rule.tls.is_empty() => {
                ("counter ct mark set", (HANDSHAKE_MARK, "return")).put(out)
            }
            Verdict::Accept => "counter return".put(out),
            Verdict::Reject if *send_errors => "counter reject with icmpx admin-prohibited".put(out),
            Verdict::Drop | Verdict::Reject => "counter drop".put(out),
        }
    }
}

fn nfproto(family: Family) -> &'static str {
    match family {
        Family::V4 => "meta nfproto ipv4",
        Family::V6 => "meta nfproto ipv6",
    }
}

/// Whether the one range is the whole family, which nft does not take as a set.
fn covers_all(ranges: &[AddressRange]) -> bool {
    let whole = |range: &AddressRange| *range == AddressRange::of_prefix(range.first(), 0);
    matches!(ranges, [range] if whole(range))
}

const RULE: &str = "add rule inet sextant";
/// One for each family.
const MANAGEMENT_RULES: usize = 2;
