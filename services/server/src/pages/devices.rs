//! `/devices`

use maud::{Markup, html};

use super::{
    layout,
    parts::{action, badge, icon, named},
    view::{DeviceList, DeviceRow, FilterError},
};

/// The whole page.
pub fn page(view: &DeviceList) -> Markup {
    let content = html! {
        div.head {
            div { h1 { "Devices" } p.sub { span { (view.count) } } }
            @if !view.actions.is_empty() { div.acts { @for item in &view.actions { (action(item)) } } }
        }
        @if let Some(error) = &view.filter.error { (mistake(error)) }
        @if !view.filter.suggestions.is_empty() {
            datalist id="filters" { @for item in &view.filter.suggestions { option value=(item) {} } }
        }
        @if !view.views.is_empty() {
            nav.tabs aria-label="Views" {
                @for item in &view.views {
                    a href=(item.link.href) aria-current=[item.current.then_some("page")] {
                        (item.link.label) " " span.dimmer.num { (item.count) }
                    }
                }
            }
        }
        (list(&view.rows, view))
        @if view.newer.is_some() || view.older.is_some() {
            nav.acts.pager aria-label="Pages" {
                @if let Some(newer) = &view.newer { a.btn.sm href=(newer) rel="prev" { "Previous 50" } }
                @if let Some(older) = &view.older { a.btn.sm href=(older) rel="next" { "Next 50" } }
            }
        }
    };
    layout::page(&view.frame, content)
}

/// The block that changes while the page is open, to replace the element with this id.
pub fn block(id: &str, view: &DeviceList) -> Option<Markup> {
    (id == "list").then(|| list(&view.rows, view))
}

fn list(rows: &[DeviceRow], view: &DeviceList) -> Markup {
    html! {
        section.card.flush id="list" aria-label="Devices" {
            @if rows.is_empty() {
                p.in.dim { (view.none) }
            } @else {
                table.tbl.stack {
                    caption.vh { (view.count) }
                    thead {
                        tr {
                            th { "Name" } th { "Model" } th { "Running" } th { "Policy" } th { "Gateway" }
                            th.r { "Attested" } th { "Posture" }
                        }
                    }
                    tbody { @for item in rows { (row(item)) } }
                }
            }
        }
    }
}

fn row(row: &DeviceRow) -> Markup {
    html! {
        tr data-row {
            td { (named(&row.name, &row.href)) }
            td.wide { (row.model) @if let Some(group) = &row.group { small { (group) } } }
            td data-l="running" { (row.running) }
            td data-l="policy" { (row.policy) }
            td data-l="gateway" { @match &row.gateway { Some(name) => (name), None => span.dimmer { "none" } } }
            td.r data-l="attested" { @match &row.attested { Some(at) => (at), None => span.dimmer { "never" } } }
            td.up { (badge(row.posture)) }
        }
    }
}

fn mistake(error: &FilterError) -> Markup {
    html! {
        div.note data-p="outdated" role="alert" id="filter-error" {
            (icon("outdated"))
            div {
                p { (error.says) }
                p.mono { (error.before) mark { (error.wrong) } (error.after) }
            }
        }
    }
}
