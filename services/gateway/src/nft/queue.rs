//! The table in which the first packets of marked connections wait for a verdict on their handshake (RFC 9761).
//!
//! It is a table of its own behind the one of the policies: what comes here passed that one, both ends' policies included.

use std::time::Duration;

use super::{Nft, Transaction, nft};
use crate::Error;
use crate::handshake::TlsMode;
use crate::netlink::{self, Request, Socket};

/// The queue whose packets are looked at.
pub(crate) const HANDSHAKE_QUEUE: u16 = 5358;

/// The mark of connections whose handshake is to be looked at.
pub(crate) const HANDSHAKE_MARK: u32 = 0x5354_4c53;

/// Makes the table, or takes it away, in place of whatever there is. In between nothing of marked connections passes, unless
/// the site only observes.
pub(crate) fn queue_handshakes(nft: &mut Nft, mode: TlsMode) -> Result<(), Error> {
    let mut tx = Transaction::new();
    nft!(tx, "add table inet sextant_tls");
    nft!(tx, "delete table inet sextant_tls");
    if mode == TlsMode::Off {
        return nft.commit(&tx);
    }
    nft!(tx, "add table inet sextant_tls");
    nft!(tx, "add chain inet sextant_tls wait");
    if mode == TlsMode::Enforce {
        nft!(tx, "add rule inet sextant_tls wait drop");
    }
    nft!(tx, "add chain inet sextant_tls forward { type filter hook forward priority 10 ; policy accept ; }");
    nft!(tx, FORWARD, "ct mark !=", HANDSHAKE_MARK, "accept");
    nft!(tx, FORWARD, "ct direction reply accept");
    // One device must not keep the queue from the others.
    let beyond = if mode == TlsMode::Enforce { "drop" } else { "accept" };
    nft!(tx, "add set inet sextant_tls rate4 { type ipv4_addr ;", RATES, "}");
    nft!(tx, "add set inet sextant_tls rate6 { type ipv6_addr ;", RATES, "}");
    nft!(tx, FORWARD, "update @rate4 { ip saddr", EACH, "}", beyond);
    nft!(tx, FORWARD, "update @rate6 { ip6 saddr", EACH, "}", beyond);
    nft!(tx, FORWARD, "meta l4proto { tcp , udp } goto wait");
    nft.commit(&tx)?;

    let mut tx = Transaction::new();
    let bypass = (mode == TlsMode::Observe).then_some("flags bypass");
    nft!(tx, "insert rule inet sextant_tls wait queue", bypass, "num", HANDSHAKE_QUEUE);
    match nft.commit(&tx) {
        Ok(()) => Ok(()),
        // A kernel without the expression may have the older target, which nft reads and cannot write.
        Err(Error::Conflict(_) | Error::Refused(_)) => insert_target(mode),
        Err(error) => Err(error),
    }
}

/// Whether the table is there.
pub(crate) fn handshakes_wait(nft: &Nft) -> Result<bool, Error> {
    Ok(nft.list(super::Table::Handshakes)?.is_some())
}

/// The first rule of the chain: the target NFQUEUE of xtables, as an expression of nf_tables.
fn insert_target(mode: TlsMode) -> Result<(), Error> {
    let flags = if mode == TlsMode::Observe { NFQ_FLAG_BYPASS } else { 0 };
    // `struct xt_NFQ_info_v3`, padded as the kernel checks it.
    let mut info = [HANDSHAKE_QUEUE, 1, flags].map(u16::to_ne_bytes).concat();
    info.resize(info.len().next_multiple_of(XT_ALIGN), 0);
    let target = [
        netlink::attribute(NFTA_TARGET_NAME, b"NFQUEUE\0"),
        netlink::attribute(NFTA_TARGET_REV, &NFQUEUE_REVISION.to_be_bytes()),
        netlink::attribute(NFTA_TARGET_INFO, &info),
    ];
    let expression = [
        netlink::attribute(NFTA_EXPR_NAME, b"target\0"),
        netlink::attribute(NFTA_EXPR_DATA | netlink::NESTED, &target.concat()),
    ];
    let list = netlink::attribute(NFTA_LIST_ELEM | netlink::NESTED, &expression.concat());
    let rule = Request::new(NEW_RULE, netlink::REQUEST | netlink::ACK | netlink::CREATE, NFPROTO_INET, 0)
        .attribute(NFTA_RULE_TABLE, b"sextant_tls\0")
        .attribute(NFTA_RULE_CHAIN, b"wait\0")
        .attribute(NFTA_RULE_EXPRESSIONS | netlink::NESTED, &list);
    let edge = |kind| Request::new(kind, netlink::REQUEST, 0, SUBSYSTEM).finish();
    let batch = [edge(BATCH_BEGIN), rule.finish(), edge(BATCH_END)].concat();
    Socket::open(ANSWER_TIME)?.request(&batch)
}

const FORWARD: &str = "add rule inet sextant_tls forward";
const RATES: &str = "size 65535 ; flags dynamic , timeout ; timeout 1m ;";
/// Packets of one device that are looked at.
const EACH: &str = "limit rate over 500/second burst 500 packets";
const ANSWER_TIME: Duration = Duration::from_secs(5);

// linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, linux/netfilter/nf_tables_compat.h
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_RULE: u16 = 0x0a06;
const NFPROTO_INET: u8 = 1;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_TARGET_NAME: u16 = 1;
const NFTA_TARGET_REV: u16 = 2;
const NFTA_TARGET_INFO: u16 = 3;
// linux/netfilter/xt_NFQUEUE.h
const NFQUEUE_REVISION: u32 = 3;
const NFQ_FLAG_BYPASS: u16 = 1;
const XT_ALIGN: usize = 8;
