//! The components that pages are made of: one function, one struct of already decided values.

use maud::{Markup, Render, html};

use super::view::{
    Action, Comparison, DigestChip, Does, Dot, Field, Figure, Form, Href, Input, Link, Piece, Posture,
    PostureCounts, Seal, SealState, Sentence, Stamp, Text, TimelineEntry, Weight,
};

/// An icon of the sprite that the layout puts into every page.
pub(super) fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" { use href={ "#i-" (name) } {} } }
}

/// A posture: icon and word, always both.
pub(super) fn badge(posture: Posture) -> Markup {
    badge_with(posture, posture.word())
}

/// The look of a posture with another word, for flows and results.
pub(super) fn badge_with(posture: Posture, word: &str) -> Markup {
    html! { span class={ "pb " (posture.as_str()) } { (icon(posture.as_str())) (word) } }
}

/// A posture in a title.
pub(super) fn large_badge(posture: Posture) -> Markup {
    large_badge_with(posture, posture.word())
}

/// The look of a posture in a title with another word, for results.
pub(super) fn large_badge_with(posture: Posture, word: &str) -> Markup {
    html! { span class={ "pb lg " (posture.as_str()) } { (icon(posture.as_str())) (word) } }
}

/// What a signature says of itself.
pub(super) fn seal(seal: &Seal) -> Markup {
    let (class, mark) = match seal.state {
        SealState::Good => ("seal", "seal"),
        SealState::Old => ("seal old", "seal"),
        SealState::Broken => ("seal broken", "sealx"),
        SealState::Absent => ("seal absent", "seal"),
    };
    let says = html! { (icon(mark)) span { (seal.says) } };
    match &seal.object {
        Some(object) if !has_link(&seal.says) => html! { a class=(class) href=(object) { (says) } },
        _ => html! { span class=(class) { (says) } },
    }
}

/// What measured is to expected: `=` or `≠` between the two.
pub(super) fn sign(comparison: Comparison) -> Markup {
    let (class, words, sign) = match comparison {
        Comparison::Equal => ("neq eq", "equals", "="),
        Comparison::Differs => ("neq", "does not equal", "≠"),
        Comparison::Impossible => return html! {},
    };
    html! { span class=(class) role="img" title=(words) aria-label=(words) { (sign) } }
}

/// A button of a group, or the reason why it has to wait.
pub(super) fn action(action: &Action) -> Markup {
    sized_action(action, "btn")
}

/// The same, small.
pub(super) fn small_action(action: &Action) -> Markup {
    sized_action(action, "btn sm")
}

fn sized_action(action: &Action, size: &str) -> Markup {
    let class = format!("{size}{}", weight(action.weight));
    match &action.does {
        Does::Open(href) => html! { a class=(class) href=(href) { (action.label) } },
        Does::Post { to, token, fields } => html! {
            form method="post" action=(to) {
                input type="hidden" name="token" value=(token);
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                button class=(class) { (action.label) }
            }
        },
        Does::Wait(until) => html! {
            span.wait { button class=(class) type="button" disabled { (action.label) } small { (until) } }
        },
    }
}

fn weight(weight: Weight) -> &'static str {
    match weight {
        Weight::Plain => "",
        Weight::Main => " pri",
        Weight::Risk => " risk",
    }
}

/// A form, the summary of what was wrong with it first.
pub(super) fn form(form: &Form) -> Markup {
    let wrong: Vec<_> = form.fields.iter().filter_map(|field| Some((field, field.error.as_ref()?))).collect();
    html! {
        form.sheet method="post" action=(form.to) {
            @if form.error.is_some() || !wrong.is_empty() {
                div.errors role="alert" {
                    @if let Some(error) = &form.error { p { (error) } }
                    @for (field, error) in &wrong { p { a href={ "#" (field.name) } { (field.label) } ": " (error) } }
                }
            }
            @if let Some(token) = &form.token { input type="hidden" name="token" value=(token); }
            @for item in &form.fields { (field(item)) }
            div.acts {
                button class={ "btn" (weight(form.weight)) } { (form.submit) }
                @if let Some(cancel) = &form.cancel { a.btn href=(cancel.href) { (cancel.label) } }
            }
        }
    }
}

fn field(field: &Field) -> Markup {
    let (kind, complete) = match field.input {
        Input::Hidden => return html! { input type="hidden" name=(field.name) value=(field.value); },
        Input::Line => ("text", "off"),
        Input::Username => ("text", "username"),
        Input::CurrentPassword => ("password", "current-password"),
        Input::NewPassword => ("password", "new-password"),
        Input::Token => ("password", "off"),
        Input::Moment => ("datetime-local", "off"),
    };
    // A secret never travels back to the browser.
    let value = (kind != "password").then_some(&field.value);
    let hint = field.hint.as_ref().map(|hint| (format!("{}-hint", field.name), hint));
    let error = field.error.as_ref().map(|error| (format!("{}-error", field.name), error));
    let described: Vec<&str> = [&error, &hint].into_iter().flatten().map(|(id, _)| id.as_str()).collect();
    let described = (!described.is_empty()).then(|| described.join(" "));
    html! {
        div.field {
            label for=(field.name) { (field.label) }
            input id=(field.name) name=(field.name) type=(kind) value=[value] autocomplete=(complete)
                required[field.required] aria-invalid=[error.as_ref().map(|_| "true")] aria-describedby=[described];
            @if let Some((id, error)) = &error { p.wrong id=(id) { (error) } }
            @if let Some((id, hint)) = &hint { p.hint id=(id) { (hint) } }
        }
    }
}

/// Events, newest first. `fine` makes room for hundredths of a second.
pub(super) fn timeline(entries: &[TimelineEntry], fine: bool) -> Markup {
    html! {
        ol class=(if fine { "tl fine" } else { "tl" }) {
            @for entry in entries {
                li {
                    (entry.at)
                    span class={ "dot " (dot(entry.dot)) } {}
                    p { (entry.says) @if let Some(detail) = &entry.detail { " " small { (detail) } } }
                }
            }
        }
    }
}

fn dot(dot: Dot) -> &'static str {
    match dot {
        Dot::Plain => "plain",
        Dot::Act => "acc",
        Dot::Posture(posture) => posture.as_str(),
    }
}

/// How many of each posture, as one bar; the numbers are its label.
pub(super) fn bar(counts: &PostureCounts) -> Markup {
    const WIDTH: u64 = 1000;
    let total = counts.total().max(1);
    // From trusted to quarantined, as the arc runs.
    let present: Vec<_> = Posture::ALL
        .into_iter()
        .rev()
        .map(|posture| (posture, counts.of(posture)))
        .filter(|(_, n)| *n > 0)
        .collect();
    let label: Vec<_> = present.iter().map(|(posture, n)| format!("{n} {}", posture.as_str())).collect();
    let mut before = 0_u64;
    let pieces: Vec<_> = present
        .iter()
        .map(|(posture, n)| {
            let (from, to) = (before * WIDTH / total, (before + n) * WIDTH / total);
            before += n;
            // The gap of five keeps neighbours apart without colour; a sliver keeps three.
            (posture.as_str(), from, to.saturating_sub(from).saturating_sub(5).max(3))
        })
        .collect();
    html! {
        svg.bar viewBox={ "0 0 " (WIDTH) " 8" } preserveAspectRatio="none" role="img" aria-label=(label.join(", ")) {
            @for (class, x, width) in &pieces {
                rect x=(x) width=(width) height="8" class={ "f-" (class) } {}
            }
        }
    }
}

fn has_link(sentence: &Sentence) -> bool {
    sentence.pieces().iter().any(|piece| matches!(piece, Piece::Link(..) | Piece::Digest(_)))
}

impl Render for DigestChip {
    fn render(&self) -> Markup {
        let full = self.full();
        html! {
            button class=(self.class()) type="button" data-copy=(full) title=(full) aria-label=(self.label()) {
                (self.short()) (icon("copy"))
            }
        }
    }
}

impl Render for Stamp {
    fn render(&self) -> Markup {
        html! { time datetime=(self.exact) title=(self.exact) data-age[self.counting] { (self.shown) } }
    }
}

impl Render for Figure {
    fn render(&self) -> Markup {
        match &self.exact {
            Some(exact) => html! { span title=(exact) { (self.shown) } },
            None => html! { (self.shown) },
        }
    }
}

impl Render for Link {
    fn render(&self) -> Markup {
        html! { a href=(self.href) { (self.label) } }
    }
}

impl Render for Piece {
    fn render(&self) -> Markup {
        match self {
            Self::Text(text) => text.render(),
            // Names come from outside: `bdi` keeps a name's writing direction from turning the words around it.
            Self::Strong(text) => html! { b { bdi { (text) } } },
            Self::Link(text, href) => html! { a href=(href) { bdi { (text) } } },
            Self::Digest(digest) => digest.render(),
            Self::Stamp(stamp) => stamp.render(),
            Self::Code(text) => html! { code { (text) } },
        }
    }
}

impl Render for Sentence {
    fn render(&self) -> Markup {
        html! { @for piece in self.pieces() { (piece) } }
    }
}

/// A name that links to its page.
pub(super) fn named(name: &Text, href: &Href) -> Markup {
    html! { a href=(href) { bdi { (name) } } }
}
