//! `/attestation`: results of devices that are not enrolled, and one of them.

use maud::{Markup, html};

use super::{
    components, evidence, layout,
    parts::{badge_with, icon, large_badge_with, named},
    view::{ResultList, ResultPage, ResultPart, ResultRow},
};

/// The blocks of one result that change while it is open.
pub const BLOCKS: [&str; 3] = ["verdict", "parts", "evidence"];

/// The list.
pub fn list_page(view: &ResultList) -> Markup {
    let content = html! {
        div.head { div { h1 { (view.frame.title) } p.sub { span { (view.says) } } } }
        (list(&view.rows))
        @if view.first.is_some() || view.older.is_some() {
            nav.acts.pager aria-label="Pages" {
                @if let Some(first) = &view.first { a.btn.sm href=(first) rel="prev" { "First 50" } }
                @if let Some(older) = &view.older { a.btn.sm href=(older) rel="next" { "Next 50" } }
            }
        }
    };
    layout::page(&view.frame, content)
}

/// The block of the list that changes while it is open.
pub fn list_block(id: &str, view: &ResultList) -> Option<Markup> {
    (id == "list").then(|| list(&view.rows))
}

fn list(rows: &[ResultRow]) -> Markup {
    html! {
        section.card.flush id="list" aria-label="Results" {
            @if rows.is_empty() {
                p.in.dim { "No evidence of a device that is not enrolled has come yet." }
            } @else {
                table.tbl.stack {
                    caption.vh { "Results, the last to end first" }
                    thead {
                        tr {
                            th { "Device" } th { "Key" } th { "Why" } th.r { "Judged" } th.r { "Ends" } th { "Status" }
                        }
                    }
                    tbody { @for item in rows { (row(item)) } }
                }
            }
        }
    }
}

fn row(row: &ResultRow) -> Markup {
    html! {
        tr data-row {
            td { (named(&row.name, &row.href)) small { (row.kind) } }
            td data-l="key" { (row.key) }
            td.wide.dim { (row.why) }
            td.r data-l="judged" { (row.judged) @if row.again { small { "again" } } }
            td.r data-l="ends" { (row.ends) }
            td.up { (badge_with(row.verdict.looks_like(), row.verdict.word())) }
        }
    }
}

/// One result.
pub fn page(view: &ResultPage) -> Markup {
    let name = &view.frame.title;
    let content = html! {
        p.crumbs {
            @for link in &view.crumbs { (link) " / " }
            bdi { (name) }
        }
        div.head {
            div {
                h1 { bdi { (name) } " " (verdict(view)) }
                p.sub { @for fact in &view.facts { span { (fact) } } }
            }
        }
        (parts(view))
        (bytes(view))
    };
    layout::page(&view.frame, content)
}

/// One block of the page as it is now, to replace the element with this id.
pub fn block(id: &str, view: &ResultPage) -> Option<Markup> {
    match id {
        "verdict" => Some(verdict(view)),
        "parts" => Some(parts(view)),
        "evidence" => Some(bytes(view)),
        _ => None,
    }
}

fn verdict(view: &ResultPage) -> Markup {
    html! {
        span.also id="verdict" { (large_badge_with(view.verdict.looks_like(), view.verdict.word())) }
    }
}

fn parts(view: &ResultPage) -> Markup {
    html! {
        div id="parts" {
            @if let Some(note) = &view.note {
                div.note data-p=(view.verdict.looks_like().as_str()) role="status" {
                    (icon(view.verdict.looks_like().as_str()))
                    div { p { (note) } }
                }
            }
            @for (index, item) in view.parts.iter().enumerate() { (part(index + 1, item)) }
        }
    }
}

fn part(number: usize, part: &ResultPart) -> Markup {
    let heading = format!("part-{number}-h");
    html! {
        section id={ "part-" (number) } aria-labelledby=(heading) {
            div.sect {
                h2 id=(heading) { bdi { (part.name) } }
                p { (badge_with(part.verdict.looks_like(), part.verdict.word())) }
            }
            div.card {
                @for reason in &part.reasons { p { (reason) } }
                dl.kv { @for (term, fact) in &part.facts { dt { (term) } dd { (fact) } } }
            }
        }
        @if let Some(components) = &part.components {
            (components::table_of(&format!("components-{number}"), Some(&part.name), components))
        }
    }
}

/// Evidence that cannot be shown item by item keeps its place.
fn bytes(view: &ResultPage) -> Markup {
    match &view.evidence {
        Some(shown) => evidence::card(Some(shown)),
        None => html! { section id="evidence" hidden {} },
    }
}
