//! The pages without a fleet behind them: signing in, the first visit, confirmations and failures.

use maud::{Markup, html};

use super::{
    layout,
    parts::form,
    view::{Confirm, Failure, Login, Problem, Welcome},
};

/// `/login`
pub fn login(view: &Login) -> Markup {
    let content = html! {
        section.card.narrow aria-labelledby="h" {
            h1 id="h" { (view.frame.title) }
            p.dim { "This is " (view.frame.site) "." }
            (form(&view.form))
        }
    };
    layout::page(&view.frame, content)
}

/// `/welcome`
pub fn welcome(view: &Welcome) -> Markup {
    let content = html! {
        section.card.narrow aria-labelledby="h" {
            h1 id="h" { (view.frame.title) }
            @match &view.form {
                Ok(filled) => {
                    p.dim { "You opened the one-time link, so you become the first administrator." }
                    (form(filled))
                }
                Err(why) => p { (why) },
            }
        }
    };
    layout::page(&view.frame, content)
}

/// The page that says what a risky action does before it is done.
pub fn confirm(view: &Confirm) -> Markup {
    let content = html! {
        section.card.narrow aria-labelledby="h" {
            h1 id="h" { (view.frame.title) }
            @for effect in &view.effect { p { (effect) } }
            (form(&view.form))
        }
    };
    layout::page(&view.frame, content)
}

/// A page that could not be given. Its status is [`Problem::status`].
pub fn failure(view: &Failure) -> Markup {
    let content = html! {
        section.card.narrow aria-labelledby="h" {
            h1 id="h" { (view.problem.title()) }
            (explain(&view.problem))
            footer.dimmer { "Request " code { (view.request) } }
        }
    };
    layout::page(&view.frame, content)
}

fn explain(problem: &Problem) -> Markup {
    html! {
        @match problem {
            Problem::Malformed(what) => p { (what) },
            Problem::SignedOut { sign_in } => {
                p { "This page is for people who are signed in." }
                div.acts { a.btn.pri href=(sign_in) { "Sign in" } }
            }
            Problem::Forbidden { who } => p { (who) " may do this." },
            Problem::NotFound => {
                p { "Not here, or not yours to see." }
                form.find.wide role="search" action="/devices" aria-label="Devices" {
                    label.vh for="find" { "Filter devices" }
                    input id="find" name="q" placeholder="posture:outdated model:welcome-cam" autocomplete="off";
                    button.btn.sm { "Filter devices" }
                }
            }
            Problem::Conflict { changed, now } => {
                p { (changed) }
                p { "Nothing of what you sent was done." }
                div.acts { a.btn.pri href=(now.href) { (now.label) } }
            }
            Problem::TooMany { again } => p { "Try again " (again) "." },
            Problem::Fault => p { "The fault is in this server, not in what you did. The log has it under the id below." },
            Problem::Unavailable { part } => {
                p { (part) }
                p { "Gateways keep the policies they have. Devices try again by themselves." }
            }
        }
    }
}
