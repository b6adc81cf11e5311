//! The page of one device.

use std::ops::Range;

use super::{Action, DigestChip, Figure, Frame, Href, Link, Posture, Seal, Sentence, Stamp, Text, Tone};

/// `/devices/{id}`.
#[derive(Clone, Debug)]
pub struct DevicePage {
    /// What is around it; its title is the device's name.
    pub frame: Frame,
    /// The lists it stands in: `Devices`, its model.
    pub crumbs: Vec<Link>,
    /// Its posture.
    pub posture: Posture,
    /// The other postures that hold, in order.
    pub also: Vec<Posture>,
    /// Short facts under the heading: model, place, id, key.
    pub facts: Vec<Sentence>,
    /// What can be done with it.
    pub actions: Vec<Action>,
    /// Why it is not trusted, if it is not.
    pub why: Option<Why>,
    /// The six answers, in order.
    pub six: [QuestionCard; 6],
    /// What its components measure beside what is expected of them.
    pub components: Components,
    /// What was asked for beside what is let through now.
    pub flows: Flows,
    /// What was promised, what was measured, what followed.
    pub chain: TrustChain,
    /// The newest evidence, if any came.
    pub evidence: Option<Evidence>,
    /// What happened, newest first.
    pub timeline: Vec<TimelineEntry>,
    /// The rest of what happened, if there is more.
    pub timeline_all: Option<Href>,
}

/// The note that says why a device is not trusted.
#[derive(Clone, Debug)]
pub struct Why {
    /// The posture it explains.
    pub posture: Posture,
    /// The first reason, with measured and expected where there are such.
    pub says: Sentence,
    /// The other reasons.
    pub others: Vec<Sentence>,
    /// Since when, what still works, and what ends it.
    pub then: Sentence,
    /// What a person can do.
    pub actions: Vec<Action>,
}

/// The six questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// 1 What software is it running?
    Software,
    /// 2 How does it connect?
    Connection,
    /// 3 With whom may it talk?
    Peers,
    /// 4 Where does it come from?
    Origin,
    /// 5 Who may update it, and when?
    Authority,
    /// 6 How does it update?
    Update,
}

impl Question {
    /// All six, in order.
    pub const ALL: [Self; 6] =
        [Self::Software, Self::Connection, Self::Peers, Self::Origin, Self::Authority, Self::Update];

    /// 1 to 6.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The question with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|question| question.number() == number)
    }

    /// Its words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Software => "What software is it running?",
            Self::Connection => "How does it connect?",
            Self::Peers => "With whom may it talk?",
            Self::Origin => "Where does it come from?",
            Self::Authority => "Who may update it, and when?",
            Self::Update => "How does it update?",
        }
    }
}

/// One question and its answer.
#[derive(Clone, Debug)]
pub struct QuestionCard {
    /// Which.
    pub question: Question,
    /// The answer in a few words.
    pub answer: Text,
    /// The posture the answer is bad with, if it is bad.
    pub bad: Option<Posture>,
    /// At most four facts.
    pub facts: Vec<(&'static str, Sentence)>,
    /// Who signed the answer.
    pub seal: Seal,
    /// Where there is more.
    pub more: Option<Link>,
}

impl QuestionCard {
    /// A card without answer, and the step that will give it one.
    pub fn unanswered(question: Question, next: impl Into<Sentence>) -> Self {
        let facts = vec![("Next", next.into())];
        Self {
            question,
            answer: "Not answered yet".into(),
            bad: None,
            facts,
            seal: Seal::absent(),
            more: None,
        }
    }
}

/// The table of components.
#[derive(Clone, Debug, Default)]
pub struct Components {
    /// Which release they are compared with, and why that one; or why there is nothing to show.
    pub says: Sentence,
    /// Those of the release, then what was measured besides.
    pub rows: Vec<ComponentRow>,
}

/// One component: in the release, in what was measured, or in both.
#[derive(Clone, Debug)]
pub struct ComponentRow {
    /// Its name.
    pub name: Text,
    /// Its version, if the release tells.
    pub version: Option<Text>,
    /// What is expected of it: digest and size, or that nothing is.
    pub expected: Sentence,
    /// What was measured of it: digest and size, or that nothing was.
    pub measured: Sentence,
    /// What the two are to each other.
    pub comparison: Comparison,
    /// The verdict in a few words.
    pub verdict: Text,
    /// Whether the verdict speaks for the component, or against it.
    pub tone: Tone,
}

/// The table of flows.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    /// Which time and which gateway the numbers are of.
    pub says: Text,
    /// Allowed first, then cut, then never allowed.
    pub rows: Vec<Flow>,
}

/// A flow a device may have, had, or tried.
#[derive(Clone, Debug)]
pub struct Flow {
    /// A name, or an address when no name was looked up.
    pub destination: Text,
    /// Its address, or what else tells it apart.
    pub detail: Option<Text>,
    /// Protocol and ports: `tcp 443`.
    pub service: Text,
    /// The release, the site, or nobody.
    pub asked_by: Text,
    /// What the gateway does with it now.
    pub now: FlowState,
    /// How much went through.
    pub used: Text,
    /// How often it was dropped.
    pub dropped: Figure,
    /// Whether it was dropped at all.
    pub was_dropped: bool,
    /// Why it is let through, or is not.
    pub why: Sentence,
}

/// What a gateway does with a [`Flow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlowState {
    /// It is let through.
    Allowed,
    /// It was asked for, and is held back for now.
    Cut,
    /// Nobody asked for it.
    Never,
    /// It would be held back if the gateway did more than observe.
    WouldDrop,
}

impl FlowState {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::Cut => "Cut",
            Self::Never => "Never allowed",
            Self::WouldDrop => "Would drop",
        }
    }

    /// The posture whose badge it borrows.
    pub const fn looks_like(self) -> Posture {
        match self {
            Self::Allowed => Posture::Trusted,
            Self::Cut => Posture::Quarantined,
            Self::Never => Posture::Untrusted,
            Self::WouldDrop => Posture::Outdated,
        }
    }
}

/// The signed objects behind the decision that is in force.
///
/// Where a comparison is shown, the first two lanes are equally long, so that measured stands under expected.
#[derive(Clone, Debug)]
pub struct TrustChain {
    /// From the anchor to the expected value; at most four.
    pub promised: Vec<ChainBox>,
    /// From the device's record to the measured value; at most four.
    pub measured: Vec<ChainBox>,
    /// From the verifier to what the gateway confirmed; at most four.
    pub followed: Vec<ChainBox>,
    /// What the last box of the first lane is to the last box of the second.
    pub comparison: Comparison,
    /// The command that checks it without this server.
    pub command: Option<Text>,
}

/// What expected and measured are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// They are equal.
    Equal,
    /// They differ.
    Differs,
    /// One of them is not there.
    Impossible,
}

/// One signed object of a [`TrustChain`].
#[derive(Clone, Debug)]
pub struct ChainBox {
    /// What it is, and when it was made: `Evidence, 14:11:48.19`.
    pub kind: Text,
    /// Its name.
    pub name: Text,
    /// Its digest.
    pub digest: Option<DigestChip>,
    /// What it says about trust.
    pub outcome: ChainOutcome,
    /// The object itself.
    pub object: Option<Href>,
}

/// What a box of a [`TrustChain`] says about trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainOutcome {
    /// It verifies.
    Good,
    /// It is there; nothing was to be verified.
    Plain,
    /// Here trust ends.
    Refused,
}

/// The newest evidence of a device, line by line and byte by byte.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What it is, how long, and that it is shown as received.
    pub says: Text,
    /// The object itself.
    pub object: Option<Href>,
    /// Its items.
    pub root: EvidenceNode,
    /// Where the shown bytes begin in it.
    pub offset: usize,
    /// The shown bytes; the page shows at most [`Evidence::MAX_BYTES`].
    pub bytes: Vec<u8>,
    /// The byte ranges of what does not match, counted from the beginning of the evidence.
    pub bad: Vec<Range<usize>>,
    /// How many lines or bytes are left out, in words, when some are.
    pub left_out: Option<Text>,
}

impl Evidence {
    /// The most bytes a page shows.
    pub const MAX_BYTES: usize = 1024;
    /// The most lines a page shows.
    pub const MAX_LINES: usize = 2000;
}

/// One item of the evidence. Unknown labels are shown, never dropped.
#[derive(Clone, Debug, Default)]
pub struct EvidenceNode {
    /// Its label on the wire.
    pub label: Option<Text>,
    /// The label's name in its registry.
    pub name: Option<Text>,
    /// Its value, in diagnostic notation when it is short.
    pub value: Text,
    /// Whether it is the item that does not match.
    pub tone: Tone,
    /// Whether only the device says so.
    pub self_asserted: bool,
    /// Its bytes in the evidence.
    pub bytes: Range<usize>,
    /// Whether its items are shown from the start.
    pub open: bool,
    /// Its items.
    pub items: Vec<Self>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct TimelineEntry {
    /// When.
    pub at: Stamp,
    /// Its colour.
    pub dot: Dot,
    /// Who did what.
    pub says: Sentence,
    /// A small detail.
    pub detail: Option<Text>,
}

/// The colour of a [`TimelineEntry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dot {
    /// A record.
    Plain,
    /// An act of the system or of a person.
    Act,
    /// A device came into this posture.
    Posture(Posture),
}
