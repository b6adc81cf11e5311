//! `/`

use maud::{Markup, html};

use super::{
    arc::arc,
    layout,
    parts::{action, badge, bar, icon, named, small_action, timeline},
    view::{
        Attention, Campaign, Cell, CellState, EmptyFleet, Fleet, ModelRow, Overview, OverviewBody, Posture,
        PostureCounts, TimelineEntry, Wave, WaveBody,
    },
    words::count,
};

/// The blocks that change while the page is open.
pub const BLOCKS: [&str; 5] = ["posture", "attention", "campaigns", "models", "events"];

/// The whole page.
pub fn page(view: &Overview) -> Markup {
    let content = html! {
        div.head {
            div {
                h1 { "Overview" }
                p.sub { @for fact in &view.facts { span { (fact) } } }
            }
            @if !view.actions.is_empty() { div.acts { @for item in &view.actions { (action(item)) } } }
        }
        @match &view.body {
            OverviewBody::Empty(empty) => (first_steps(empty)),
            OverviewBody::Fleet(fleet) => div.grid {
                @for id in BLOCKS { @if let Some(block) = part(id, fleet) { (block) } }
            },
        }
    };
    layout::page(&view.frame, content)
}

/// One block of the page as it is now, to replace the element with this id.
pub fn block(id: &str, view: &Overview) -> Option<Markup> {
    match &view.body {
        OverviewBody::Empty(empty) => (id == "empty").then(|| first_steps(empty)),
        OverviewBody::Fleet(fleet) => part(id, fleet),
    }
}

fn part(id: &str, fleet: &Fleet) -> Option<Markup> {
    match id {
        "posture" => Some(posture(&fleet.postures)),
        "attention" => Some(attention(&fleet.attention)),
        "campaigns" => Some(campaigns(&fleet.campaigns)),
        "models" => Some(models(&fleet.models)),
        "events" => Some(events(&fleet.events)),
        _ => None,
    }
}

fn first_steps(empty: &EmptyFleet) -> Markup {
    html! {
        div.grid id="empty" {
            @for step in &empty.steps {
                section.card.c4 {
                    header { h2 { (step.title) } }
                    p.dim { (step.says) }
                    @if step.command.is_some() || step.action.is_some() {
                        footer {
                            @if let Some(command) = &step.command { pre.cmd tabindex="0" { (command) } }
                            @if let Some(item) = &step.action { (action(item)) }
                        }
                    }
                }
            }
            p.c12.dim { (empty.hint) }
        }
    }
}

fn posture(counts: &PostureCounts) -> Markup {
    html! {
        section.card.c5 id="posture" aria-labelledby="h-posture" {
            header {
                h2 id="h-posture" { "Posture" }
                p.end.dimmer { (if counts.total() > 60 { "one mark, one hundredth" } else { "one mark, one device" }) }
            }
            div.posture {
                (arc(counts))
                ul.legend {
                    @for posture in Posture::ALL.into_iter().rev() {
                        li {
                            a class=(posture.as_str()) href=(posture.href()) {
                                (icon(posture.as_str()))
                                span { (posture.word()) }
                                span { (count(counts.of(posture))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn attention(rows: &[Attention]) -> Markup {
    html! {
        section.card.flush.c7 id="attention" aria-labelledby="h-attention" {
            header { h2 id="h-attention" { "Needs attention" } }
            @if rows.is_empty() {
                p.in.dim { "Nothing does. Every device is trusted, or its cure is on its way." }
            } @else {
                ul.list {
                    @for row in rows {
                        li {
                            span { (badge(row.posture)) }
                            p { (row.says) small { (row.detail) } }
                            @if let Some(item) = &row.action { (small_action(item)) }
                        }
                    }
                }
            }
        }
    }
}

/// One element for all campaigns, so that a new one finds its place without a reload.
fn campaigns(campaigns: &[Campaign]) -> Markup {
    html! {
        div.stackcol.c12 id="campaigns" hidden[campaigns.is_empty()] {
            @for item in campaigns { (campaign(item)) }
        }
    }
}

fn campaign(campaign: &Campaign) -> Markup {
    let heading = format!("h-campaign-{}", campaign.id);
    html! {
        section.card aria-labelledby=(heading) {
            header {
                h2 id=(heading) {
                    @match &campaign.href {
                        Some(href) => a href=(href) { (campaign.name) },
                        None => (campaign.name),
                    }
                }
                span class={ "tag " (if campaign.halted { "bad" } else { "acc" }) } { (campaign.state) }
                p.end.num { (campaign.progress) }
            }
            div.waves.wide { @for item in &campaign.waves { (wave(item)) } }
            footer {
                @if let Some(note) = &campaign.note { p { (note) } }
                p.key {
                    @for state in CellState::ALL {
                        span {
                            svg viewBox="0 0 12 12" aria-hidden="true" {
                                rect class=(fill(state)) width="12" height="12" rx="3" {}
                            }
                            @if state == CellState::Done { (campaign.goal) } @else { (word(state)) }
                        }
                    }
                }
            }
        }
    }
}

fn wave(wave: &Wave) -> Markup {
    html! {
        div class={ "wave" (if wave.current { " now" } else { "" }) } {
            h3 { (wave.name) " " small { (wave.done) } }
            @match &wave.body {
                WaveBody::Cells(cells) => {
                    div.cells role="img" aria-label=(wave.done) { @for item in cells { (cell(item)) } }
                }
                WaveBody::Counts(counts) => {
                    ul.key { @for (state, n) in counts { li { (count(*n)) " " (word(*state)) } } }
                }
            }
            p { (wave.says) }
        }
    }
}

fn cell(cell: &Cell) -> Markup {
    let (class, mark) = match cell.state {
        CellState::Done => ("ok", Some("check")),
        CellState::Updating => ("run", Some("half")),
        CellState::Waiting => ("wait", None),
        CellState::Failed => ("bad", Some("x")),
        CellState::Unsupported => ("wait", Some("x")),
        CellState::Quarantined => ("quar", Some("quarantined")),
    };
    html! { span class=(class) title=(cell.title) { @if let Some(mark) = mark { (icon(mark)) } } }
}

fn fill(state: CellState) -> &'static str {
    match state {
        CellState::Done => "f-trusted",
        CellState::Updating => "f-accent",
        CellState::Waiting => "f-idle",
        CellState::Failed => "f-untrusted",
        CellState::Unsupported => "f-idle",
        CellState::Quarantined => "f-quarantined",
    }
}

fn word(state: CellState) -> &'static str {
    match state {
        CellState::Done => "done",
        CellState::Updating => "updating",
        CellState::Waiting => "waiting",
        CellState::Failed => "went back or refused",
        CellState::Unsupported => "cannot process it",
        CellState::Quarantined => "quarantined",
    }
}

fn models(rows: &[ModelRow]) -> Markup {
    html! {
        section.card.flush.c7 id="models" aria-labelledby="h-models" {
            header { h2 id="h-models" { "Models" } }
            table.tbl.stack aria-labelledby="h-models" {
                thead { tr { th { "Model" } th.r { "Devices" } th { "Posture" } th { "Runs" } } }
                tbody {
                    @for row in rows {
                        tr data-row {
                            td { (named(&row.name, &row.href)) small { (row.maker) } }
                            td.r data-l="devices" { (count(row.postures.total())) }
                            td.wide { (bar(&row.postures)) }
                            td.nowrap data-l="runs" { (row.runs) }
                        }
                    }
                }
            }
        }
    }
}

fn events(entries: &[TimelineEntry]) -> Markup {
    html! {
        section.card.c5 id="events" aria-labelledby="h-events" {
            header { h2 id="h-events" { "Just now" } }
            @if entries.is_empty() { p.dim { "Nothing has happened yet." } } @else { (timeline(entries, true)) }
        }
    }
}
