//! What was measured, as a page for people.

use std::fmt::Write as _;

use anyhow::Result;

use crate::{Effort, machine};

/// Everything of one run.
pub(crate) struct Report {
    effort: Effort,
    machine: String,
    sections: Vec<Section>,
}

/// One measurement.
pub(crate) struct Section {
    title: &'static str,
    /// How it was measured.
    method: String,
    outcome: Outcome,
}

enum Outcome {
    Measured(Vec<Row>),
    /// Why it was not measured here.
    Skipped(String),
}

/// One figure.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// The figure.
    pub(crate) figure: String,
    /// Its bound or peer in the same run.
    pub(crate) beside: String,
    /// The budget, and whether it is kept; a figure may have none.
    pub(crate) budget: Option<(&'static str, bool)>,
}

impl Section {
    pub(crate) fn new(title: &'static str, method: impl Into<String>, rows: Vec<Row>) -> Self {
        Self { title, method: method.into(), outcome: Outcome::Measured(rows) }
    }

    /// A measurement that cannot be made on this machine. Says so aloud.
    pub(crate) fn skipped(title: &'static str, why: impl Into<String>) -> Self {
        let why = why.into();
        eprintln!("SKIPPED: {title}: {why}");
        Self { title, method: String::new(), outcome: Outcome::Skipped(why) }
    }
}

impl Report {
    pub(crate) fn new(effort: Effort) -> Result<Self> {
        Ok(Self { effort, machine: machine::describe()?, sections: Vec::new() })
    }

    pub(crate) fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    pub(crate) fn to_markdown(&self) -> String {
        let mut text = String::from(
            "# Benchmarks\n\nWritten by `make bench`. Figures of one machine in one run; what counts is each figure beside \
             the bound or peer that was measured interleaved with it.\n\n",
        );
        if self.effort == Effort::Quick {
            text.push_str(
                "**Quick run: this tries the measurements and says nothing about the product.**\n\n",
            );
        }
        text.push_str(&self.machine);
        for section in &self.sections {
            section.write(&mut text);
        }
        text
    }
}

impl Section {
    fn write(&self, text: &mut String) {
        let _ = write!(text, "\n## {}\n\n", self.title);
        let rows = match &self.outcome {
            Outcome::Skipped(why) => {
                let _ = writeln!(text, "Not measured here: {why}.");
                return;
            }
            Outcome::Measured(rows) => rows,
        };
        let _ = writeln!(text, "{}\n", self.method);
        text.push_str(
            "| What | Measured | Beside, in the same run | Budget | Kept |\n|---|---|---|---|---|\n",
        );
        for Row { what, figure, beside, budget } in rows {
            let (budget, kept) = match budget {
                Some((budget, true)) => (*budget, "yes"),
                Some((budget, false)) => (*budget, "**no**"),
                None => ("–", "–"),
            };
            let _ = writeln!(text, "| {what} | {figure} | {beside} | {budget} | {kept} |");
        }
    }
}
