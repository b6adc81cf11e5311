//! `/onboarding`: devices on their way to their owner, what they will be given, and one of them.

use maud::{Markup, html};

use super::{
    layout,
    parts::{action, icon, named, timeline},
    view::{OnboardingList, OnboardingPage, OnboardingRow, TemplateRow},
};

/// The list.
pub fn list_page(view: &OnboardingList) -> Markup {
    let content = html! {
        div.head {
            div {
                h1 { (view.frame.title) }
                @if !view.facts.is_empty() { p.sub { @for fact in &view.facts { span { (fact) } } } }
            }
        }
        nav.tabs aria-label="Lists" {
            @for item in &view.lists {
                a href=(item.link.href) aria-current=[item.current.then_some("page")] {
                    (item.link.label) " " span.dimmer.num { (item.count) }
                }
            }
        }
        (list(view))
        @if view.first.is_some() || view.older.is_some() {
            nav.acts.pager aria-label="Pages" {
                @if let Some(first) = &view.first { a.btn.sm href=(first) rel="prev" { "First 50" } }
                @if let Some(older) = &view.older { a.btn.sm href=(older) rel="next" { "Next 50" } }
            }
        }
        (templates(&view.templates))
    };
    layout::page(&view.frame, content)
}

fn list(view: &OnboardingList) -> Markup {
    html! {
        section.card.flush id="list" aria-label="Devices" {
            @if view.rows.is_empty() {
                p.in.dim { (view.none) }
            } @else {
                table.tbl.stack {
                    caption.vh { "Devices, the newest change first" }
                    thead {
                        tr {
                            th { "Device" } th { "Group" } th { "Why it waits" } th.r { "Registered until" }
                            th.r { "Changed" } th { "State" }
                        }
                    }
                    tbody { @for item in &view.rows { (row(item)) } }
                }
            }
        }
    }
}

fn row(row: &OnboardingRow) -> Markup {
    html! {
        tr data-row {
            td { (named(&row.name, &row.href)) small { code { (row.guid) } } }
            td data-l="group" { @match &row.group { Some(group) => bdi { (group) }, None => span.dimmer { "none" } } }
            td.wide.dim { @if let Some(why) = &row.why { (why) } }
            td.r data-l="registered until" {
                @match &row.registered { Some(until) => (until), None => span.dimmer { "not registered" } }
            }
            td.r data-l="changed" { (row.changed) }
            td.up { (row.state) }
        }
    }
}

fn templates(rows: &[TemplateRow]) -> Markup {
    html! {
        section.card.flush id="templates" aria-labelledby="templates-h" {
            header { h2 id="templates-h" { "Templates" } p { "What devices are given. Passwords are not shown" } }
            @if rows.is_empty() {
                p.in.dim {
                    "Devices are given this server's address and keys, once they proved a release that is published here. "
                    code { "sextant fdo template set" } " says more."
                }
            } @else {
                table.tbl.stack {
                    thead { tr { th { "Name" } th { "Asks for" } th { "Networks" } th { "Places" } th { "More" } } }
                    tbody {
                        @for row in rows {
                            tr data-row {
                                td { bdi { (row.name) } }
                                td data-l="asks for" { (row.asks) }
                                td data-l="networks" { (lines(&row.networks)) }
                                td data-l="places" { (lines(&row.places)) }
                                td data-l="more" { (lines(&row.more)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lines(texts: &[super::view::Text]) -> Markup {
    html! {
        @if texts.is_empty() { span.dimmer { "none" } }
        @for (index, text) in texts.iter().enumerate() { @if index > 0 { br; } bdi { (text) } }
    }
}

/// One device.
pub fn page(view: &OnboardingPage) -> Markup {
    let name = &view.frame.title;
    let content = html! {
        p.crumbs {
            @for link in &view.crumbs { (link) " / " }
            bdi { (name) }
        }
        div.head {
            div {
                h1 { bdi { (name) } }
                p.sub { @for fact in &view.facts { span { (fact) } } }
            }
            @if !view.actions.is_empty() { div.acts { @for item in &view.actions { (action(item)) } } }
        }
        @if let Some(why) = &view.why {
            div.note.calm role="status" { (icon("clock")) div { p { (why) } } }
        }
        section.card aria-labelledby="known-h" {
            header { h2 id="known-h" { "What is known of it" } }
            dl.kv { @for (term, fact) in &view.known { dt { (term) } dd { (fact) } } }
        }
        section.card aria-labelledby="timeline-h" {
            header { h2 id="timeline-h" { "Timeline" } }
            (timeline(&view.timeline, false))
        }
    };
    layout::page(&view.frame, content)
}
