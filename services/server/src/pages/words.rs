//! The words of the house: one sentence a reason code, the same on the page, on the command line and in the record.

mod network;
mod numbers;
mod reasons;

use super::view::{DigestChip, Sentence, Text, Tone};

use network::NETWORK;
use reasons::REASONS;

pub use numbers::{Micros, age, bytes, clock, clock_fine, count, date, ratio, span};

/// The sentence of a reason, from its code and details as they came from whoever gave it.
pub fn reason<'a>(now: Micros, code: &str, detail: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sentence {
    let detail: Vec<_> = detail.into_iter().collect();
    let said = REASONS.iter().chain(NETWORK).find(|(known, _)| *known == code).and_then(|(_, sentences)| {
        sentences.iter().find_map(|template| fill(template, |name| value(now, name, &detail)))
    });
    said.unwrap_or_else(|| bare(code, &detail))
}

/// Fills a template; `None` if a detail is absent.
fn fill(template: &str, value: impl Fn(&str) -> Option<Sentence>) -> Option<Sentence> {
    let mut parts = template.split('{');
    let first = parts.next().filter(|words| !words.is_empty());
    let begin = first.map_or_else(Sentence::default, Sentence::from);
    parts.try_fold(begin, |sentence, part| {
        let (name, words) = part.split_once('}')?;
        let sentence = sentence.then(value(name)?);
        Some(if words.is_empty() { sentence } else { sentence.text(words) })
    })
}

/// A detail as a page shows it: its name says what kind of value it is.
fn value(now: Micros, name: &str, detail: &[(&str, &str)]) -> Option<Sentence> {
    let (_, raw) = detail.iter().find(|(known, raw)| *known == name && !raw.is_empty())?;
    let seconds = || raw.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    // Colours only where measured stands beside expected.
    let beside = |other: &str| detail.iter().any(|(known, _)| *known == other);
    let digest = |tone| DigestChip::parse(raw).map(|chip| Sentence::default().digest(chip.tone(tone)));
    let shown = match name {
        "measured" if beside("expected") => digest(Tone::Bad),
        "expected" if beside("measured") => digest(Tone::Good),
        "age" | "limit" => seconds().map(|micros| span(micros).into()),
        "until" => seconds().map(|at| Sentence::default().stamp(date(now, at))),
        "days" => raw.parse::<u64>().ok().map(|days| format!("{days} d").into()),
        "count" => raw.parse::<u64>().ok().map(tries),
        _ => digest(Tone::Plain),
    };
    Some(shown.unwrap_or_else(|| Text::from(*raw).into()))
}

fn tries(n: u64) -> Sentence {
    format!("{} {}", count(n).shown, if n == 1 { "try" } else { "tries" }).into()
}

/// A code nobody wrote a sentence for.
fn bare(code: &str, detail: &[(&str, &str)]) -> Sentence {
    let sentence = Sentence::default().code(code);
    detail.iter().enumerate().fold(sentence, |sentence, (index, (name, raw))| {
        let mark = if index == 0 { ": " } else { ", " };
        sentence.text(format!("{mark}{name} {raw}"))
    })
}

#[cfg(test)]
mod tests;
