//! Results of devices that are not enrolled.

use super::{Components, Evidence, Frame, Href, Link, Posture, Sentence, Stamp, Text};

/// What a result or a part of it is worth, as its badge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It speaks for the device.
    Affirming,
    /// It warns.
    Warning,
    /// It speaks against the device.
    Contraindicated,
    /// It says nothing.
    Nothing,
    /// It is past its end.
    Ended,
    /// What is stored is not what was made.
    Altered,
}

impl Verdict {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Affirming => "Affirming",
            Self::Warning => "Warning",
            Self::Contraindicated => "Contraindicated",
            Self::Nothing => "No claim",
            Self::Ended => "Ended",
            Self::Altered => "Altered",
        }
    }

    /// The posture whose badge it borrows.
    pub const fn looks_like(self) -> Posture {
        match self {
            Self::Affirming => Posture::Trusted,
            Self::Warning => Posture::Outdated,
            Self::Contraindicated | Self::Altered => Posture::Untrusted,
            Self::Nothing => Posture::Unknown,
            Self::Ended => Posture::Stale,
        }
    }
}

/// `/attestation`.
#[derive(Clone, Debug)]
pub struct ResultList {
    /// What is around it.
    pub frame: Frame,
    /// What these results are.
    pub says: Text,
    /// At most 50, the last to end first.
    pub rows: Vec<ResultRow>,
    /// The first page, where this is not it.
    pub first: Option<Href>,
    /// The page after.
    pub older: Option<Href>,
}

/// One result in the list.
#[derive(Clone, Debug)]
pub struct ResultRow {
    /// Which device its evidence says to come from, shortened.
    pub name: Text,
    /// Media type of the evidence.
    pub kind: Text,
    /// Its page.
    pub href: Href,
    /// What binds the key to the device.
    pub key: Text,
    /// The first reason, or that nothing speaks against it.
    pub why: Sentence,
    /// When it was made.
    pub judged: Stamp,
    /// Whether the evidence was judged again since it came.
    pub again: bool,
    /// When it ends.
    pub ends: Stamp,
    /// What it is worth.
    pub verdict: Verdict,
}

/// `/attestation/results/{session}`.
#[derive(Clone, Debug)]
pub struct ResultPage {
    /// What is around it; its title is the device's shortened name.
    pub frame: Frame,
    /// The list it stands in.
    pub crumbs: Vec<Link>,
    /// What it is worth.
    pub verdict: Verdict,
    /// Short facts under the heading: media type, device, times.
    pub facts: Vec<Sentence>,
    /// What is wrong with the result as a whole.
    pub note: Option<Sentence>,
    /// What attests in it, each for itself.
    pub parts: Vec<ResultPart>,
    /// The evidence as received, where it can be shown item by item.
    pub evidence: Option<Evidence>,
}

/// What attests for itself in evidence.
#[derive(Clone, Debug)]
pub struct ResultPart {
    /// Its name.
    pub name: Text,
    /// What it is worth.
    pub verdict: Verdict,
    /// Why it is not affirming.
    pub reasons: Vec<Sentence>,
    /// Key, profile, what its result claims, policy.
    pub facts: Vec<(&'static str, Sentence)>,
    /// What its components measure beside what is expected of them; nothing where it is not believed.
    pub components: Option<Components>,
}
