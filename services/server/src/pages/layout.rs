//! What is around every page: head, navigation, filter, live mark, foot.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    parts::{action, icon},
    view::{Frame, Section, Visitor},
};

/// One entry of the navigation: the page, the heading above it, its words, its route, its key after `g`.
const NAVIGATION: &[(Section, Option<&str>, &str, &str, &str)] = &[
    (Section::Overview, None, "Overview", "/", "o"),
    (Section::Devices, Some("Fleet"), "Devices", "/devices", "d"),
    (Section::Onboarding, None, "Onboarding", "/onboarding", "b"),
    (Section::Attestation, None, "Attestation", "/attestation", "e"),
    (Section::Network, Some("Network"), "Network", "/network", "n"),
];

/// The symbols that `use` elements refer to. A constant of this program, so it needs no escaping.
const SPRITE: PreEscaped<&str> = PreEscaped(include_str!("../../assets/sprite.svg"));

/// The whole document around the content of a page.
pub(super) fn page(frame: &Frame, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-now=(frame.now.exact) data-live=[frame.live.as_ref()] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (frame.title) " · Sextant" }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/style.css";
                script src="/assets/app.js" defer {}
            }
            body class=[frame.visitor.is_none().then_some("bare")] {
                (SPRITE)
                a.skip href="#main" { "Skip to content" }
                @match &frame.visitor {
                    Some(visitor) => { (navigation(frame, visitor)) (top(frame, visitor)) }
                    None => header.top { (brand()) }
                }
                main id="main" {
                    @if let Some(as_of) = &frame.as_of {
                        p.note.calm role="status" {
                            (icon("clock"))
                            span { "The store does not answer. This is the page as it was " (as_of) "." }
                        }
                    }
                    (content)
                    @if let Some(json) = &frame.json { p.json { a href=(json) { "Same as JSON" } } }
                }
                div.toast role="status" aria-live="polite" {}
                @if frame.visitor.is_some() { (keys()) }
            }
        }
    }
}

fn brand() -> Markup {
    html! {
        a.brand href="/" {
            svg viewBox="0 0 26 26" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"
                aria-hidden="true" {
                path d="M13 3.5 3.5 19a17 17 0 0 0 19 0z" {}
                path d="M8.3 13.6a9 9 0 0 0 9.4 0" {}
                path.arm d="M13 3.5 16.2 23.6" stroke-width="2" {}
                circle cx="13" cy="3.5" r="1.3" fill="currentColor" {}
            }
            "Sextant"
        }
    }
}

fn navigation(frame: &Frame, visitor: &Visitor) -> Markup {
    html! {
        nav.side id="nav" aria-label="Main" {
            a.btn.sm.close href="#main" { "Close" }
            (brand())
            @for (section, group, words, route, key) in NAVIGATION {
                div {
                    @if let Some(group) = group { p.grp { (group) } }
                    ul {
                        li {
                            a href=(route) data-go=(key)
                                aria-current=[(frame.section == Some(*section)).then_some("page")] {
                                (words)
                                @if *section == Section::Devices { span.n { (visitor.devices) } }
                            }
                        }
                    }
                }
            }
            p.foot { (frame.site) br; "Sextant " (env!("CARGO_PKG_VERSION")) }
        }
    }
}

fn top(frame: &Frame, visitor: &Visitor) -> Markup {
    html! {
        header.top {
            a.menu href="#nav" aria-label="Menu" { (icon("menu")) }
            form.find role="search" action="/devices" {
                (icon("search"))
                label.vh for="q" { "Filter devices" }
                input id="q" name="q" value=(visitor.filter) placeholder="Filter devices: posture:outdated model:welcome-cam"
                    autocomplete="off" spellcheck="false" list="filters";
                kbd { "/" }
            }
            div.right {
                @if frame.live.is_some() {
                    // The script says whether it is; without script the style hides the mark.
                    span.live data-state="off" role="status" { span { "Connecting" } }
                }
                time.num.small.dimmer.hide-s id="clock" datetime=(frame.now.exact) { (frame.now.shown) " UTC" }
                button.btn.ico.sm type="button" data-theme-next aria-label="Change theme" { (icon("theme")) }
                details.who {
                    summary.small { bdi { (visitor.name) } }
                    (action(&visitor.sign_out))
                }
            }
        }
    }
}

fn keys() -> Markup {
    html! {
        dialog id="keys" aria-labelledby="keys-h" {
            h2 id="keys-h" { "Keyboard" }
            dl.kv {
                dt { kbd { "/" } } dd { "Go to the filter" }
                @for (_, _, words, _, key) in NAVIGATION { dt { kbd { "g" } " " kbd { (key) } } dd { (words) } }
                dt { kbd { "j" } " " kbd { "k" } } dd { "Next or previous row" }
                dt { kbd { "t" } } dd { "Theme" }
                dt { kbd { "Esc" } } dd { "Leave a field" }
            }
            form method="dialog" { button.btn { "Close" } }
        }
    }
}
