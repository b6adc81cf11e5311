//! `/network`: devices without attestation, the MUD files of their URLs, and what waits for a person.

use maud::{Markup, html};

use super::{
    layout,
    parts::badge_with,
    view::{NetworkDeviceRow, NetworkModelRow, NetworkPage, Text, WaitingFile},
};

/// The page.
pub fn page(view: &NetworkPage) -> Markup {
    let content = html! {
        div.head { div { h1 { (view.frame.title) } p.sub { @for fact in &view.facts { span { (fact) } } } } }
        @for (index, file) in view.waiting.iter().enumerate() { (waiting(index + 1, file)) }
        (models(&view.models))
        (devices(view))
    };
    layout::page(&view.frame, content)
}

fn waiting(number: usize, file: &WaitingFile) -> Markup {
    let heading = format!("waiting-{number}-h");
    html! {
        section.card id={ "waiting-" (number) } aria-labelledby=(heading) {
            header {
                h2 id=(heading) { "Waits for a person: " bdi { (file.url) } }
                p.end { (file.gateway) }
            }
            dl.kv {
                dt { "File" } dd { @match &file.digest { Some(digest) => { (digest) } None => { "none" } } }
                dt { "Signed by" } dd { (file.signer) }
                dt { "Why" } dd { @for reason in &file.reasons { p { (reason) } } }
            }
            (flows("It permits what the one in force does not", "care", &file.gained))
            (flows("It permits no longer", "good", &file.lost))
            p.dim {
                "An approval is signed by the network operator, elsewhere: "
                code { "sextant network approve-hint" } " prints the command."
             }
        }
    }
}

/// Wider is amber and narrower green, whatever the sign.
fn flows(says: &str, tone: &str, flows: &[Text]) -> Markup {
    html! {
        @if !flows.is_empty() {
            h3 { (says) }
            ul { @for flow in flows { li { span class={ "tag " (tone) } { (flow) } } } }
        }
    }
}

fn models(rows: &[NetworkModelRow]) -> Markup {
    html! {
        section.card.flush id="models" aria-labelledby="models-h" {
            header { h2 id="models-h" { "Models" } p { "MUD URLs of devices that do not attest" } }
            @if rows.is_empty() {
                p.in.dim { "No gateway has heard a device announce a MUD URL." }
            } @else {
                table.tbl.stack {
                    thead {
                        tr {
                            th { "MUD URL" } th { "Word of" } th { "Permits" } th.r { "Devices" } th.r { "Next check" }
                            th { "File" }
                        }
                    }
                    tbody { @for row in rows { (model(row)) } }
                }
            }
        }
    }
}

fn model(row: &NetworkModelRow) -> Markup {
    html! {
        tr data-row {
            td.wide {
                bdi { (row.url) }
                @if let Some(what) = &row.what { small { (what) } }
                @for odd in &row.odd { small { (odd) } }
                @for pointer in &row.pointers { small { (pointer) } }
            }
            td data-l="word of" { (row.by) small { (row.gateway) } }
            td.wide data-l="permits" { @for flow in &row.allowed { small { (flow) } } }
            td.r data-l="devices" { (row.devices) }
            td.r data-l="next check" { (row.next) }
            td.up { (badge_with(row.looks_like, &row.state.to_string())) }
        }
    }
}

fn devices(view: &NetworkPage) -> Markup {
    html! {
        section.card.flush id="devices" aria-labelledby="devices-h" {
            header { h2 id="devices-h" { "Devices without attestation" } }
            @if view.devices.is_empty() {
                p.in.dim { "No gateway has one behind it." }
            } @else {
                table.tbl.stack {
                    thead {
                        tr { th { "Device" } th { "MUD URL" } th.r { "Dropped, 24 h" } th { "May reach" } }
                    }
                    tbody { @for row in &view.devices { (device(row)) } }
                }
            }
            @if let Some(more) = &view.more { p.in.dim { (more) " more are not shown here." } }
        }
    }
}

fn device(row: &NetworkDeviceRow) -> Markup {
    html! {
        tr data-row {
            td { bdi { (row.mac) } small { (row.addresses) } }
            td.wide data-l="mud url" {
                bdi { (row.url) }
                @for odd in &row.odd { small { (odd) } }
            }
            td.r data-l="dropped" {
                (row.dropped)
                @if let Some(last) = &row.last_drop { small { (last) } }
            }
            td.up { (badge_with(row.looks_like, &row.access.to_string())) }
        }
    }
}
