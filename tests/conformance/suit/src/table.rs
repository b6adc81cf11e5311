//! Rows for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{Features, Row, Standing};

/// How many rows stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As they should.
    pub agree: usize,
    /// Of those, refused without a reason that could be compared.
    pub reason_untold: usize,
    /// Otherwise.
    pub differ: usize,
    /// Neither way.
    pub undecided: usize,
    /// About what the implementation does not have.
    pub unsupported: usize,
}

impl Tally {
    /// Counts rows.
    pub fn of(rows: &[Row]) -> Self {
        let mut tally = Self::default();
        for row in rows {
            match row.standing {
                Standing::Agrees { reason_untold } => {
                    tally.agree += 1;
                    tally.reason_untold += usize::from(reason_untold);
                }
                Standing::Differs(_) => tally.differ += 1,
                Standing::Undecided(_) => tally.undecided += 1,
                Standing::Unsupported(_) => tally.unsupported += 1,
            }
        }
        tally
    }
}

/// A table for people, a line for each row and one for their numbers.
pub fn to_table(features: &Features, rows: &[Row]) -> String {
    let mut text = format!("{} {} ({})\n", features.implementation, features.version, features.draft);
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    for Row { name, why, standing } in rows {
        let (word, remark) = match standing {
            Standing::Agrees { reason_untold: false } => ("ok", ""),
            Standing::Agrees { reason_untold: true } => ("ok", " [no reason told]"),
            Standing::Differs(how) => ("DIFFERS", how.as_str()),
            Standing::Undecided(how) => ("undecided", how.as_str()),
            Standing::Unsupported(what) => ("unsupported", what.as_str()),
        };
        let _ = match standing {
            Standing::Agrees { .. } => writeln!(text, "{name:width$}  {word:11}  {why}{remark}"),
            _ => writeln!(text, "{name:width$}  {word:11}  {remark}; {why}"),
        };
    }
    let Tally { agree, reason_untold, differ, undecided, unsupported } = Tally::of(rows);
    let _ = writeln!(
        text,
        "{} rows: {agree} agree ({reason_untold} of them without a reason told), {differ} differ, \
         {undecided} undecided, {unsupported} unsupported",
        rows.len()
    );
    text
}

/// The same for programs.
pub fn to_json(features: &Features, rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|Row { name, why, standing }| match standing {
            Standing::Agrees { reason_untold } => {
                json!({"name": name, "why": why, "standing": "agrees", "reason_untold": reason_untold})
            }
            Standing::Differs(how) => json!({"name": name, "why": why, "standing": "differs", "how": how}),
            Standing::Undecided(how) => {
                json!({"name": name, "why": why, "standing": "undecided", "how": how})
            }
            Standing::Unsupported(what) => {
                json!({"name": name, "why": why, "standing": "unsupported", "lacking": what})
            }
        })
        .collect();
    json!({
        "implementation": features.implementation,
        "version": features.version,
        "draft": features.draft,
        "rows": rows,
    })
}
