use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::process;

use crate::{
    failure::{Answer, Failure},
    node::{Map, Node, printable},
};

/// The one place that writes to the terminal: data to standard output, everything else to standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
    color: bool,
}

/// Something that is counted, shown on terminals only.
pub(crate) struct Meter(Option<indicatif::ProgressBar>);

/// A step that takes long, shown on terminals only.
pub(crate) struct Progress(Option<indicatif::ProgressBar>);

impl Printer {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json, quiet, color: !no_color && io::stderr().is_terminal() }
    }

    /// Whether data is for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Data for a person or, with `--json`, for a program.
    pub(crate) fn show(&self, node: &Node) {
        if self.json {
            self.json(node);
        } else {
            self.data(node.to_string().as_bytes());
        }
    }

    /// Rows under headings; programs get the whole value.
    pub(crate) fn table(&self, headings: &[&str], rows: &[Vec<String>], whole: &impl serde::Serialize) {
        if self.json {
            return self.json(whole);
        }
        let headings = headings.iter().map(|heading| heading.to_uppercase()).collect();
        let lines: Vec<Vec<String>> = std::iter::once(headings)
            .chain(rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()))
            .collect();
        let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        self.data(text.as_bytes());
    }

    /// One line for each value; programs get the whole value.
    pub(crate) fn lines<T: fmt::Display>(&self, values: &[T], whole: &impl serde::Serialize) {
        if self.json {
            return self.json(whole);
        }
        let text: String =
            values.iter().map(|value| format!("{}\n", printable(&value.to_string()))).collect();
        self.data(text.as_bytes());
    }

    /// The answer to a question, as data: yes with facts, or no with a reason. Gives the exit status that goes with it.
    pub(crate) fn answer(&self, verdict: Verdict) -> Answer {
        let answer = verdict.answer;
        if self.json {
            let head = Map::new().with("ok", answer == Answer::Yes).maybe("code", verdict.code.clone());
            self.json(&Node::from(head.with("message", verdict.message).then(verdict.facts)));
        } else {
            let code = verdict.code.map(|code| format!(" [{code}]")).unwrap_or_default();
            let (word, color) = match answer {
                Answer::Yes => ("yes", GREEN),
                Answer::No => ("no", RED),
            };
            let word = self.paint_data(color, word);
            self.data(format!("{word}: {}{}\n", printable(&verdict.message), printable(&code)).as_bytes());
            if verdict.facts != Map::new() {
                self.data(Node::from(verdict.facts).to_string().as_bytes());
            }
        }
        answer
    }

    /// Bytes of an object.
    pub(crate) fn data(&self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        if written.is_err() {
            // Whoever reads has gone: nothing more can be said, and `head` is no failure of ours.
            process::exit(0);
        }
    }

    /// Something to know that is no data.
    pub(crate) fn note(&self, text: impl fmt::Display) {
        if !self.quiet {
            self.error_line(&printable(&text.to_string()));
        }
    }

    /// Something that should be changed.
    pub(crate) fn warning(&self, text: impl fmt::Display) {
        self.error_line(&format!("{} {}", self.paint(YELLOW, "warning:"), printable(&text.to_string())));
    }

    /// What failed, why, where, and what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.error_line(&format!("{} {}", self.paint(RED, "error:"), printable(&failure.what)));
        for line in &failure.why {
            self.error_line(&format!("  because {}", printable(line)));
        }
        if let Some(excerpt) = &failure.excerpt {
            self.error_line(&format!("  at {}", excerpt.replace('\n', "\n  ")));
        }
        if let Some(help) = &failure.help {
            self.error_line(&format!("  {} {}", self.paint(GREEN, "help:"), printable(help)));
        }
    }

    /// A step with a known size.
    pub(crate) fn progress(&self, what: &str, size: u64) -> Progress {
        if self.quiet || !io::stderr().is_terminal() {
            return Progress(None);
        }
        let style = indicatif::ProgressStyle::with_template("{msg} {bar:40} {bytes}/{total_bytes}");
        let bar = indicatif::ProgressBar::new(size).with_message(what.to_owned());
        Progress(Some(bar.with_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()))))
    }

    /// Something that is counted up to a number.
    pub(crate) fn meter(&self, what: &'static str, size: u64) -> Meter {
        if self.quiet || !io::stderr().is_terminal() {
            return Meter(None);
        }
        let style = indicatif::ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len}  {msg}");
        let bar = indicatif::ProgressBar::new(size).with_prefix(what);
        Meter(Some(bar.with_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()))))
    }

    fn json(&self, value: &impl serde::Serialize) {
        let mut text = serde_json::to_vec_pretty(value).expect("trees and answers are JSON");
        text.push(b'\n');
        self.data(&text);
    }

    fn error_line(&self, line: &str) {
        // Where even standard error is gone, nobody is left to tell.
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    fn paint(&self, color: &str, text: &str) -> String {
        if self.color { format!("{color}{text}{RESET}") } else { text.to_owned() }
    }

    fn paint_data(&self, color: &str, text: &str) -> String {
        if self.color && io::stdout().is_terminal() { self.paint(color, text) } else { text.to_owned() }
    }
}

const RED: &str = "\u{1b}[1;31m";
const GREEN: &str = "\u{1b}[1;32m";
const YELLOW: &str = "\u{1b}[1;33m";
const RESET: &str = "\u{1b}[0m";

/// The answer to a yes-or-no question.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    answer: Answer,
    code: Option<String>,
    message: String,
    facts: Map,
}

impl Verdict {
    /// Yes.
    pub(crate) fn yes(message: impl Into<String>) -> Self {
        Self { answer: Answer::Yes, code: None, message: message.into(), facts: Map::new() }
    }

    /// No, for a reason with a stable code.
    pub(crate) fn no(code: impl Into<String>, message: impl fmt::Display) -> Self {
        let (code, message) = (code.into(), message.to_string());
        // Reasons begin with their code, which is shown behind the message.
        let message = match message.strip_prefix(&code).and_then(|rest| rest.strip_prefix(": ")) {
            Some(rest) => rest.strip_prefix("error ").unwrap_or(rest).to_owned(),
            None => message,
        };
        Self { answer: Answer::No, code: Some(code), message, facts: Map::new() }
    }

    /// Facts that go with the answer.
    #[must_use]
    pub(crate) fn with(self, facts: Map) -> Self {
        Self { facts: self.facts.then(facts), ..self }
    }
}

impl From<&trust::Reason> for Verdict {
    /// A refusal, with its details unchanged.
    fn from(reason: &trust::Reason) -> Self {
        let detail =
            reason.detail.iter().fold(Map::new(), |map, (name, value)| map.with(name, value.as_str()));
        Self::no(reason.code.as_str(), reason).with(Map::new().unless_empty("detail", detail))
    }
}

impl Progress {
    /// So much is done.
    pub(crate) fn at(&self, position: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(position);
        }
    }
}

impl Meter {
    /// So many there are, and what else there is to say.
    pub(crate) fn at(&self, position: u64, aside: String) {
        if let Some(bar) = &self.0 {
            bar.set_message(aside);
            bar.set_position(position);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
