//! `/devices/{id}`

use maud::{Markup, html};

use super::{
    components, evidence, layout,
    parts::{action, badge, badge_with, icon, large_badge, seal, sign, timeline},
    view::{
        ChainBox, ChainOutcome, Comparison, DevicePage, Flow, Flows, Posture, QuestionCard, Text,
        TimelineEntry, TrustChain, Why,
    },
};

/// The blocks that change while the page is open.
pub const BLOCKS: [&str; 8] =
    ["posture", "why", "six", "components", "flows", "chain", "evidence", "timeline"];

/// The tabs: a block and what it is called.
const TABS: [(&str, &str); 6] = [
    ("six", "Six questions"),
    ("components", "Components"),
    ("flows", "Flows"),
    ("chain", "Trust chain"),
    ("evidence", "Evidence"),
    ("timeline", "Timeline"),
];

/// The whole page.
pub fn page(view: &DevicePage) -> Markup {
    let name = &view.frame.title;
    let content = html! {
        p.crumbs {
            @for link in &view.crumbs { (link) " / " }
            bdi { (name) }
        }
        div.head {
            div {
                h1 { bdi { (name) } " " (postures(view)) }
                p.sub { @for fact in &view.facts { span { (fact) } } }
            }
            @if !view.actions.is_empty() { div.acts { @for item in &view.actions { (action(item)) } } }
        }
        (why(view.why.as_ref()))
        nav.tabs aria-label="Device" {
            @for (index, (id, words)) in TABS.into_iter().enumerate() {
                a href={ "#" (id) } aria-current=[(index == 0).then_some("true")] { (words) }
            }
        }
        (six(&view.six))
        (components::table(&view.components))
        (flows(&view.flows))
        (chain(&view.chain))
        div.grid {
            (evidence::card(view.evidence.as_ref()))
            (events(view))
        }
    };
    layout::page(&view.frame, content)
}

/// One block of the page as it is now, to replace the element with this id.
pub fn block(id: &str, view: &DevicePage) -> Option<Markup> {
    match id {
        "posture" => Some(postures(view)),
        "why" => Some(why(view.why.as_ref())),
        "six" => Some(six(&view.six)),
        "components" => Some(components::table(&view.components)),
        "flows" => Some(flows(&view.flows)),
        "chain" => Some(chain(&view.chain)),
        "evidence" => Some(evidence::card(view.evidence.as_ref())),
        "timeline" => Some(events(view)),
        _ => None,
    }
}

fn postures(view: &DevicePage) -> Markup {
    html! {
        span.also id="posture" {
            (large_badge(view.posture))
            @for posture in &view.also { (badge(*posture)) }
        }
    }
}

/// There in any case, so that a note can come while the page is open.
fn why(why: Option<&Why>) -> Markup {
    let Some(why) = why else { return html! { div id="why" role="status" hidden {} } };
    html! {
        div.note data-p=(why.posture.as_str()) id="why" role="status" {
            (icon(why.posture.as_str()))
            div {
                p { (why.says) }
                @for reason in &why.others { p { (reason) } }
                p { (why.then) }
            }
            @if !why.actions.is_empty() { div.acts { @for item in &why.actions { (action(item)) } } }
        }
    }
}

fn six(cards: &[QuestionCard; 6]) -> Markup {
    html! { div.six id="six" { @for item in cards { (card(item)) } } }
}

fn card(card: &QuestionCard) -> Markup {
    let number = card.question.number();
    let class = if card.bad.is_some() { "card q bad" } else { "card q" };
    html! {
        section class=(class) data-p=[card.bad.map(Posture::as_str)] id={ "q" (number) }
            aria-labelledby={ "q" (number) "-h" } {
            h2 id={ "q" (number) "-h" } { span.no aria-hidden="true" { (number) } (card.question.title()) }
            p.ans { (card.answer) }
            dl.kv { @for (term, fact) in &card.facts { dt { (term) } dd { (fact) } } }
            footer { (seal(&card.seal)) @if let Some(more) = &card.more { a.small.nowrap href=(more.href) { (more.label) } } }
        }
    }
}

fn flows(flows: &Flows) -> Markup {
    html! {
        section id="flows" aria-labelledby="h-flows" {
            div.sect { h2 id="h-flows" { "Flows" } p { (flows.says) } }
            div.card.flush {
                @if flows.rows.is_empty() {
                    p.in.dim { "No release asks for anything yet, and nothing was tried." }
                } @else {
                    table.tbl.stack aria-labelledby="h-flows" {
                        thead {
                            tr {
                                th { "Destination" } th { "Service" } th { "Asked for by" } th { "Now" }
                                th.r { "Used" } th.r { "Dropped" } th { "Why" }
                            }
                        }
                        tbody { @for item in &flows.rows { (flow(item)) } }
                    }
                }
            }
        }
    }
}

fn flow(flow: &Flow) -> Markup {
    html! {
        tr data-row {
            td.wide { b { bdi { (flow.destination) } } @if let Some(detail) = &flow.detail { small { (detail) } } }
            td.nowrap data-l="service" { (flow.service) }
            td data-l="asked by" { (flow.asked_by) }
            td { (badge_with(flow.now.looks_like(), flow.now.word())) }
            td.r data-l="used" { (flow.used) }
            td.r data-l="dropped" {
                @if flow.was_dropped { b.untrusted { (flow.dropped) } } @else { span.dimmer { (flow.dropped) } }
            }
            td.wide.dim { (flow.why) }
        }
    }
}

fn chain(chain: &TrustChain) -> Markup {
    html! {
        section id="chain" aria-labelledby="h-chain" {
            div.sect {
                h2 id="h-chain" { "Trust chain" }
                p { "What was promised, what was measured, what followed. Each box is a stored signed object." }
            }
            div.card {
                div.chain {
                    (lane("Promised", &chain.promised, Comparison::Impossible))
                    (lane("Measured", &chain.measured, chain.comparison))
                    (lane("Followed", &chain.followed, Comparison::Impossible))
                }
                @if let Some(command) = &chain.command {
                    footer { "Check it without this server: " code { (command) } }
                }
            }
        }
    }
}

/// A lane; its last box bears what the box above it is to it.
fn lane(words: &str, boxes: &[ChainBox], comparison: Comparison) -> Markup {
    html! {
        p.lane { (words) }
        @if boxes.is_empty() { p.none.dim { "Nothing yet" } }
        @for (index, item) in boxes.iter().enumerate() {
            @let class = node_class(item.outcome, index > 0);
            div class=(class) {
                @if index + 1 == boxes.len() {
                    (sign(comparison))
                }
                small { (item.kind) }
                b { (title(&item.name, item)) }
                @if let Some(digest) = &item.digest { (digest) }
            }
        }
    }
}

fn title(name: &Text, item: &ChainBox) -> Markup {
    html! {
        @match &item.object {
            Some(object) => a href=(object) { bdi { (name) } },
            None => bdi { (name) },
        }
    }
}

fn node_class(outcome: ChainOutcome, follows: bool) -> String {
    let look = match outcome {
        ChainOutcome::Good => "node ok",
        ChainOutcome::Plain => "node",
        ChainOutcome::Refused => "node no",
    };
    format!("{look}{}", if follows { " to" } else { "" })
}

fn events(view: &DevicePage) -> Markup {
    let entries: &[TimelineEntry] = &view.timeline;
    html! {
        section.card.c4 id="timeline" aria-labelledby="h-timeline" {
            header {
                h2 id="h-timeline" { "Timeline" }
                @if let Some(all) = &view.timeline_all { p.end { a href=(all) { "All" } } }
            }
            @if entries.is_empty() { p.dim { "Nothing has happened yet." } } @else { (timeline(entries, true)) }
        }
    }
}
