//! The evidence of a device: its items as a tree, its bytes beside it.

use maud::{Markup, html};

use super::view::{Evidence, EvidenceNode, Tone};

/// How many bytes stand in a row.
const ROW: usize = 8;

/// The card; its lines carry the range of their bytes, so that the script can mark them.
pub(super) fn card(evidence: Option<&Evidence>) -> Markup {
    html! {
        section.card.c8 id="evidence" aria-labelledby="h-evidence" {
            header {
                h2 id="h-evidence" { "Evidence" }
                @if let Some(evidence) = evidence {
                    p { (evidence.says) }
                    @if let Some(object) = &evidence.object { p.end { a href=(object) download { "Download" } } }
                }
            }
            @match evidence {
                Some(evidence) => (body(evidence)),
                None => p.dim { "No evidence has come yet. The device sends it when it next asks for a nonce." },
            }
        }
    }
}

fn body(evidence: &Evidence) -> Markup {
    let mut room = Evidence::MAX_LINES;
    html! {
        div.cols2 {
            div.cbor { ul { (line(&evidence.root, &mut room)) } }
            (bytes(evidence))
        }
        footer {
            @if let Some(left_out) = &evidence.left_out { p { (left_out) } }
            "Lines marked " em { "says the device" } " carry no weight. Only digests and signatures count."
        }
    }
}

fn line(node: &EvidenceNode, room: &mut usize) -> Markup {
    *room = room.saturating_sub(1);
    let range = (!node.bytes.is_empty()).then(|| format!("{} {}", node.bytes.start, node.bytes.end));
    html! {
        li {
            @if node.items.is_empty() {
                span.row data-b=[range] { (words(node)) }
            } @else {
                details open[node.open] {
                    summary data-b=[range] { (words(node)) }
                    ul { @for item in &node.items { @if *room > 0 { (line(item, room)) } } }
                }
            }
        }
    }
}

fn words(node: &EvidenceNode) -> Markup {
    html! {
        @if let Some(label) = &node.label { span.k { (label) } " " }
        @if let Some(name) = &node.name { span.nm { (name) } " " }
        span class=(if node.tone == Tone::Bad { "v bad" } else { "v" }) { bdi { (node.value) } }
        @if node.self_asserted { " " em.nm { "says the device" } }
    }
}

fn bytes(evidence: &Evidence) -> Markup {
    let shown = evidence.bytes.get(..Evidence::MAX_BYTES).unwrap_or(&evidence.bytes);
    let end = evidence.offset.saturating_add(shown.len()).saturating_sub(1);
    // A row begins at a multiple of its length, so that offsets are round.
    let skew = evidence.offset % ROW;
    let first = shown.get(..(ROW - skew).min(shown.len())).unwrap_or_default();
    let rest = shown.get(first.len()..).unwrap_or_default();
    let mut at = evidence.offset;
    let rows: Vec<_> = [first]
        .into_iter()
        .chain(rest.chunks(ROW))
        .filter(|row| !row.is_empty())
        .map(|row| {
            let begin = at;
            at += row.len();
            (begin, row)
        })
        .collect();
    html! {
        div.hex tabindex="0" role="group" data-at=(evidence.offset)
            aria-label=(format!("Bytes 0x{:x} to 0x{end:x}", evidence.offset)) {
            @for (begin, row) in rows {
                span.off { (format!("{begin:04x}")) } " "
                @for (index, byte) in row.iter().enumerate() {
                    " " i class=[class(evidence, begin + index, *byte)] { (format!("{byte:02x}")) }
                }
                "\n"
            }
        }
    }
}

fn class(evidence: &Evidence, at: usize, byte: u8) -> Option<&'static str> {
    if evidence.bad.iter().any(|range| range.contains(&at)) {
        Some("bad")
    } else {
        byte.is_ascii_graphic().then_some("a")
    }
}
