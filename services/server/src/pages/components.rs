//! The components of a device or a part of one: expected above measured, and what the two are to each other between them.

use maud::{Markup, html};

use super::{
    parts::sign,
    view::{ComponentRow, Components, Text, Tone},
};

/// The card of a device; there in any case, so that rows can come while the page is open.
pub(super) fn table(components: &Components) -> Markup {
    table_of("components", None, components)
}

/// The card with this id, of a part with a name.
pub(super) fn table_of(id: &str, part: Option<&Text>, components: &Components) -> Markup {
    let heading = format!("h-{id}");
    html! {
        section id=(id) aria-labelledby=(heading) {
            div.sect {
                h2 id=(heading) { "Components" @if let Some(part) = part { " of " bdi { (part) } } }
                p { (components.says) }
            }
            @if !components.rows.is_empty() {
                div.card.flush {
                    table.tbl.stack aria-labelledby=(heading) {
                        thead {
                            tr {
                                th { "Component" } th { "Expected above measured" } th { "Verdict" }
                            }
                        }
                        tbody { @for item in &components.rows { (row(item)) } }
                    }
                }
            }
        }
    }
}

fn row(row: &ComponentRow) -> Markup {
    let class = match row.tone {
        Tone::Good => "tag good",
        Tone::Bad => "tag bad",
        Tone::Plain => "tag",
    };
    html! {
        tr data-row {
            td {
                b { bdi { (row.name) } }
                @if let Some(version) = &row.version { small { (version) } }
            }
            td.wide.pair {
                p { span.dim { "Expected " } (row.expected) }
                (sign(row.comparison))
                p { span.dim { "Measured " } (row.measured) }
            }
            td.up { span class=(class) { (row.verdict) } }
        }
    }
}
