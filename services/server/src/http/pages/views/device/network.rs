//! What a device may do on the network, what it did, and what it was kept from.

use std::collections::BTreeMap;

use store::Device;
use trust::Code;

use super::super::sentence;
use crate::{
    app::{App, answers},
    pages::{
        view::{Flow, FlowState, Flows, Sentence, Text},
        words,
    },
};

pub(super) fn flows(
    app: &App,
    device: &Device,
    detail: &api::DeviceDetail,
    told: &api::DeviceFlows,
) -> Flows {
    let book = app.book();
    let verified = device.release.as_ref().and_then(|release| book.get(release)?.verified.as_ref().ok());
    let needs = verified.and_then(|verified| verified.release.network_needs());
    let open = detail.network.applied.iter().any(|(_, applied)| applied.profile.is_open());
    let cut = match app.hold_in_force(device) {
        Some(_) => "Cut while a person restricts it.",
        None => "Cut until it is trusted.",
    };
    let used = by_entry(told.flows.iter().map(|flow| (flow.why.as_ref(), flow.flows)));
    let kept = by_entry(told.dropped.iter().map(|seen| (seen.why.as_ref(), seen.packets.count)));
    let mut rows = Vec::new();
    let accepted = needs
        .iter()
        .flat_map(|needs| &needs.policy.entries)
        .filter(|entry| entry.verdict == mud::Verdict::Accept);
    for entry in accepted {
        let ports = [&entry.remote_ports, &entry.device_ports].map(answers::ports_words);
        let ports = ports.into_iter().find(|ports| !ports.is_empty()).unwrap_or_default();
        let of = (entry.ace.acl.as_str(), entry.ace.ace.as_str());
        let dropped = kept.get(&of).copied().unwrap_or_default();
        rows.push(Flow {
            destination: answers::remote_words(&entry.remote).into(),
            detail: Some(answers::direction_words(entry.direction).into()),
            service: format!("{} {ports}", answers::protocol_words(entry.protocol)).trim_end().into(),
            asked_by: if entry.default { "always open".into() } else { entry.ace.ace.as_str().into() },
            now: if open { FlowState::Allowed } else { FlowState::Cut },
            used: used.get(&of).map_or("unused".into(), |flows| flows_words(*flows)),
            dropped: words::count(dropped),
            was_dropped: dropped > 0,
            why: if open { "Its release asks for this.".into() } else { cut.into() },
        });
    }
    // What its file declares stands above, with what was dropped of it.
    let declared = |why: &Option<api::Why>| why.as_ref().is_some_and(|why| why.says == DECLARED);
    for flow in told.flows.iter().filter(|flow| !declared(&flow.why)) {
        rows.push(Flow {
            destination: flow.name.as_deref().unwrap_or(&flow.remote).into(),
            detail: flow.name.as_ref().map(|_| flow.remote.as_str().into()),
            service: format!("{} {}", flow.protocol, flow.port).into(),
            asked_by: "nobody".into(),
            now: if open { FlowState::Allowed } else { FlowState::Cut },
            used: flows_words(flow.flows),
            dropped: words::count(0),
            was_dropped: false,
            why: flow.why.as_ref().map_or("It runs no release that is known.".into(), unasked),
        });
    }
    for seen in told.dropped.iter().filter(|seen| !declared(&seen.why)) {
        let packets = &seen.packets;
        let observed = packets.group == api::Violation::OBSERVED;
        let handshake = packets.tls.as_ref().map(|tls| api::Reason {
            code: Code::TlsProfile.as_str().to_owned(),
            detail: [("target", packets.name.as_ref().unwrap_or(&packets.dst)), ("error", tls)]
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .into(),
        });
        let reason = api::Reason { code: "not-in-policy".to_owned(), detail: BTreeMap::default() };
        let said = || match packets.class.as_str() {
            "spoofed-binding" => IMITATED.into(),
            "wrong-initiator" => "Its release lets only the other end begin this.".into(),
            _ => sentence(app.now(), &reason),
        };
        rows.push(Flow {
            destination: packets.name.as_deref().unwrap_or(&packets.dst).into(),
            detail: packets.name.as_ref().map(|_| packets.dst.as_str().into()),
            service: format!("{} {}", packets.protocol, packets.dport).into(),
            asked_by: "nobody".into(),
            now: if observed { FlowState::Allowed } else { FlowState::Never },
            used: if observed { packets.count.to_string().into() } else { "".into() },
            dropped: words::count(if observed { 0 } else { packets.count }),
            was_dropped: !observed,
            why: match &handshake {
                Some(handshake) => sentence(app.now(), handshake),
                None if observed => "Nobody asks for this; it passed while it is observed.".into(),
                None => seen.why.as_ref().map_or_else(said, unasked),
            },
        });
    }
    rows.sort_by_key(|row| row.now);
    let says = match detail.network.applied.first() {
        Some((gateway, _)) => format!("At {gateway}; dropped within 24 h").into(),
        None => "No gateway reported yet".into(),
    };
    Flows { says, rows }
}

fn flows_words(flows: u64) -> Text {
    if flows == 1 { "1 flow".into() } else { format!("{flows} flows").into() }
}

/// Counts by the entry that declares what was counted.
fn by_entry<'w>(
    counted: impl Iterator<Item = (Option<&'w api::Why>, u64)>,
) -> BTreeMap<(&'w str, &'w str), u64> {
    let mut sums = BTreeMap::new();
    for (why, count) in counted {
        let Some(api::Why { says, acl: Some(acl), ace: Some(ace), .. }) = why else { continue };
        if says == DECLARED {
            let sum: &mut u64 = sums.entry((acl.as_str(), ace.as_str())).or_default();
            *sum = sum.saturating_add(count);
        }
    }
    sums
}

/// Why a release does not ask for a flow.
fn unasked(why: &api::Why) -> Sentence {
    let differs = if why.differs.is_empty() { String::new() } else { why.differs.join(" and ") };
    match (why.says.as_str(), &why.ace) {
        ("denied", Some(ace)) => Sentence::default().text("Its release denies it by ").code(ace.as_str()),
        ("wrong-initiator", Some(ace)) => Sentence::default()
            .text("By ")
            .code(ace.as_str())
            .text(" the other end may start it, not this one"),
        (_, Some(ace)) if !differs.is_empty() => Sentence::default()
            .text("Its release does not ask for it; ")
            .code(ace.as_str())
            .text(format!(" comes closest, and differs in the {differs}")),
        _ => "Its release does not ask for anything like it.".into(),
    }
}

const IMITATED: &str =
    "Somebody sent this with its address or MAC address and not the other. It says nothing against it.";
/// The word of an entry that permits.
const DECLARED: &str = "declared";
