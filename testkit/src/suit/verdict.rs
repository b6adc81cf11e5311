//! How whoever reads an envelope must behave, and the words in which the index says it.

use std::str::FromStr;

/// How whoever reads an envelope must behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Believe it; a device that meets what it asks for takes it to the end.
    Accept,
    /// The same where the stored sequence number is at most this; refuse it as old where it is higher.
    AcceptUpTo(u64),
    /// Believe it, and begin nothing before what it waits for has come.
    Wait,
    /// Never take it to the end: refuse it, or stop while processing it.
    Refuse(Class),
    /// Believe it. Running it is the business of more precise tests.
    Believe,
    /// Read it, and refuse it because nobody signed it.
    Unsigned,
    /// Read it. Whether a MAC is believed is each implementation's own decision.
    Mac,
    /// Refuse it as of an older draft, and read it only where that is asked for.
    OlderDraft,
}

/// What kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Whichever.
    Any,
    /// For this reason of a SUIT report (draft-ietf-suit-report, section 4), by its name.
    Reason(&'static str),
    /// Whichever, and perhaps only when it is processed.
    Late,
    /// For the version of the manifest.
    ManifestVersion,
}

/// Words after `reject:`, and what they mean.
const CLASSES: [(&str, Class); 19] = [
    ("cbor-parse", Class::Reason("cbor-parse")),
    ("cose-unsupported", Class::Reason("cose-unsupported")),
    ("alg-unsupported", Class::Reason("alg-unsupported")),
    ("unauthorised", Class::Reason("unauthorised")),
    ("unauthorized", Class::Reason("unauthorised")),
    ("digest mismatch", Class::Reason("unauthorised")),
    ("digest-mismatch", Class::Reason("unauthorised")),
    ("rollback", Class::Reason("unauthorised")),
    ("severed", Class::Reason("unauthorised")),
    ("command-unsupported", Class::Reason("command-unsupported")),
    ("component-unsupported", Class::Reason("component-unsupported")),
    ("component-unauthorised", Class::Reason("component-unauthorised")),
    ("parameter-unsupported", Class::Reason("parameter-unsupported")),
    ("severing-unsupported", Class::Reason("severing-unsupported")),
    ("condition-failed", Class::Reason("condition-failed")),
    ("operation-failed", Class::Reason("operation-failed")),
    ("unsupported manifest version", Class::ManifestVersion),
    // A processor that finds out before it runs refuses for a reason of its own.
    ("abort", Class::Late),
    ("strict mode", Class::Any),
];

impl FromStr for Verdict {
    type Err = ();

    /// Reads the words of the index.
    fn from_str(words: &str) -> Result<Self, ()> {
        let words = words.trim().to_lowercase();
        // A remark in brackets says why, and not what.
        let said = words.split('(').next().unwrap_or_default().trim_end();
        if said.starts_with("waits for ") {
            return Ok(Self::Wait);
        }
        if let Some(condition) = said.strip_prefix("accept when stored sequence <=") {
            let (most, otherwise) = condition.split_once(',').ok_or(())?;
            let most: u64 = most.trim().parse().map_err(drop)?;
            let above = otherwise.trim().strip_prefix("reject when stored >").ok_or(())?;
            return if above.trim().parse() == Ok(most) { Ok(Self::AcceptUpTo(most)) } else { Err(()) };
        }
        // A device that meets the conditions is made from the manifest, which states them exactly.
        if said == "accept"
            || ["accept if ", "accept-if:", "accept if:"].iter().any(|it| said.starts_with(it))
        {
            return Ok(Self::Accept);
        }
        if matches!(said, "reject" | "reject in strict mode") {
            return Ok(Self::Refuse(Class::Any));
        }
        let class = said.strip_prefix("reject:").or(said.strip_prefix("reject-")).ok_or(())?.trim();
        CLASSES.iter().find(|(name, _)| *name == class).map(|(_, class)| Self::Refuse(*class)).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_words_of_the_index() {
        let refuse = |reason| Verdict::Refuse(Class::Reason(reason));
        let rows = [
            ("accept", Verdict::Accept),
            ("accept (legacy alg id -8)", Verdict::Accept),
            ("accept if SHA-384 supported else alg-unsupported", Verdict::Accept),
            ("accept-if: now<4102444800, battery>=500 mWh", Verdict::Accept),
            ("accept when stored sequence <=5, reject when stored >5", Verdict::AcceptUpTo(5)),
            ("waits for authorization(prio 5), network 1", Verdict::Wait),
            ("reject", Verdict::Refuse(Class::Any)),
            ("reject in strict mode", Verdict::Refuse(Class::Any)),
            ("reject in strict mode (needs two or more sequences)", Verdict::Refuse(Class::Any)),
            ("reject: Abort", Verdict::Refuse(Class::Late)),
            ("reject-severed", refuse("unauthorised")),
            ("reject: cbor-parse", refuse("cbor-parse")),
            ("reject: unauthorised", refuse("unauthorised")),
            ("reject: command-unsupported", refuse("command-unsupported")),
            ("reject: unsupported manifest version", Verdict::Refuse(Class::ManifestVersion)),
        ];
        for (words, verdict) in rows {
            assert_eq!(words.parse(), Ok(verdict), "{words}");
        }
    }

    #[test]
    fn takes_no_words_that_it_does_not_know() {
        for words in [
            "",
            "acceptable",
            "accept unless",
            "accept when stored sequence <=5, reject when stored >6",
            "accept when stored sequence <=x, reject when stored >x",
            "reject: whatever",
            "rejected",
            "should work",
        ] {
            assert_eq!(words.parse::<Verdict>(), Err(()), "{words}");
        }
    }
}
