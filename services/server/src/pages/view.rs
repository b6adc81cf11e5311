//! What a page shows, already decided: one struct a component.
//!
//! The application fills these; templates only lay them out. Nothing here refers to the store, the API or a protocol.

mod attestation;
mod device;
mod network;
mod onboarding;
mod overview;
mod text;

pub use attestation::{ResultList, ResultPage, ResultPart, ResultRow, Verdict};
pub use device::{
    ChainBox, ChainOutcome, Comparison, ComponentRow, Components, DevicePage, Dot, Evidence, EvidenceNode,
    Flow, FlowState, Flows, Question, QuestionCard, TimelineEntry, TrustChain, Why,
};
pub use network::{NetworkDeviceRow, NetworkModelRow, NetworkPage, WaitingFile};
pub use onboarding::{OnboardingList, OnboardingPage, OnboardingRow, TemplateRow};
pub use overview::{
    Attention, Campaign, Cell, CellState, DeviceList, DeviceRow, EmptyFleet, Filter, FilterError, FirstStep,
    Fleet, ModelRow, Overview, OverviewBody, PostureCounts, SavedView, Wave, WaveBody,
};
pub use text::{DigestChip, Figure, Href, Piece, Sentence, Stamp, Text, Tone};

/// The one posture a device is shown with; where several hold, the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Posture {
    /// The gateway has confirmed that only the cure is let through, for reason of distrust or by a person.
    Quarantined,
    /// A fresh signed result is contraindicated, and no gateway has cut the device off yet.
    Untrusted,
    /// The newest result is past its end.
    Stale,
    /// It never attested, or nobody signed expected values for what was measured.
    Unknown,
    /// It runs a release that is superseded past grace, revoked, or known to have a flaw.
    Outdated,
    /// A fresh signed result affirms that it runs exactly one current release.
    Trusted,
}

impl Posture {
    /// Every posture, the one to look at first in front.
    pub const ALL: [Self; 6] =
        [Self::Quarantined, Self::Untrusted, Self::Stale, Self::Unknown, Self::Outdated, Self::Trusted];

    /// Its class, icon name and word in filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Untrusted => "untrusted",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
            Self::Outdated => "outdated",
            Self::Trusted => "trusted",
        }
    }

    /// The posture with this word.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|posture| posture.as_str() == text)
    }

    /// Its word on a badge.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quarantined => "Quarantined",
            Self::Untrusted => "Untrusted",
            Self::Stale => "Stale",
            Self::Unknown => "Unknown",
            Self::Outdated => "Outdated",
            Self::Trusted => "Trusted",
        }
    }

    /// The list of devices in this posture.
    pub fn href(self) -> Href {
        Href::route("/devices").query("q", &format!("posture:{}", self.as_str()))
    }
}

/// What every page has around its content.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The heading of the page, and the first half of its title.
    pub title: Text,
    /// Which entry of the navigation is this page, if one is.
    pub section: Option<Section>,
    /// The name of the site, in the foot of the navigation.
    pub site: Text,
    /// The server's time; the script counts ages on from it.
    pub now: Stamp,
    /// Who looks; `None` on the pages before sign-in, which have no navigation and no filter.
    pub visitor: Option<Visitor>,
    /// The event stream that keeps this page as it is now, if it is live.
    pub live: Option<Href>,
    /// The API path that gives the same as JSON.
    pub json: Option<Href>,
    /// When the content was read, if that was not just now: the store does not answer and this is the last good page.
    pub as_of: Option<Stamp>,
}

/// Who looks at a page.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The name in the corner.
    pub name: Text,
    /// How to sign out.
    pub sign_out: Action,
    /// How many devices there are.
    pub devices: Figure,
    /// What stands in the filter box.
    pub filter: Text,
}

/// The entries of the navigation: the pages there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `/`
    Overview,
    /// `/devices` and the pages of a device.
    Devices,
    /// `/onboarding` and the pages of devices on their way.
    Onboarding,
    /// `/attestation` and the pages of results.
    Attestation,
    /// `/network`
    Network,
}

/// A link in running text or beside a heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its words.
    pub label: Text,
    /// Where it leads.
    pub href: Href,
}

/// Something a person can do. An action this visitor may not take is absent, not disabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// A verb with its object: `Offer 1.1.0 now`.
    pub label: Text,
    /// How prominent it is.
    pub weight: Weight,
    /// What it does.
    pub does: Does,
}

/// How prominent an [`Action`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// One of several.
    #[default]
    Plain,
    /// The one to take; at most one in a group.
    Main,
    /// It takes something away.
    Risk,
}

/// What an [`Action`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Does {
    /// Opens a page, such as the one that confirms a risky action.
    Open(Href),
    /// Posts at once. The page it leads to is the answer (303).
    Post {
        /// The route.
        to: Href,
        /// The token that ties the form to the session.
        token: String,
        /// Hidden fields.
        fields: Vec<(&'static str, Text)>,
    },
    /// Nothing yet: it waits for what this says.
    Wait(Text),
}

/// What a signature says of itself. A signed bad result has a good seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Whether the signature holds.
    pub state: SealState,
    /// The words: `Judged by **sitka-1**, 48 s ago`. A broken seal says why it is broken.
    pub says: Sentence,
    /// The signed object.
    pub object: Option<Href>,
}

/// Whether the signature of a [`Seal`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealState {
    /// It verifies and is in time.
    Good,
    /// It verifies and is past its end.
    Old,
    /// It does not verify.
    Broken,
    /// Nobody signed.
    Absent,
}

impl Seal {
    /// The seal of something that nobody signed.
    pub fn absent() -> Self {
        Self { state: SealState::Absent, says: "Not signed".into(), object: None }
    }
}

/// A form and what was wrong with it. What was typed is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Where it is posted to.
    pub to: Href,
    /// The token that ties it to the session, if there is a session.
    pub token: Option<String>,
    /// What was wrong with it as a whole.
    pub error: Option<Sentence>,
    /// Its fields, in order.
    pub fields: Vec<Field>,
    /// What its button says.
    pub submit: Text,
    /// Whether the button takes something away.
    pub weight: Weight,
    /// The way out.
    pub cancel: Option<Link>,
}

/// One field of a [`Form`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in the posted form and its id.
    pub name: &'static str,
    /// What it asks.
    pub label: Text,
    /// What can be typed.
    pub input: Input,
    /// What is in it.
    pub value: Text,
    /// What helps to fill it.
    pub hint: Option<Text>,
    /// What was wrong with it.
    pub error: Option<Text>,
    /// Whether it must be filled.
    pub required: bool,
}

/// What can be typed into a [`Field`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing; it travels with the form.
    Hidden,
    /// A line.
    Line,
    /// The visitor's own name, which the browser may fill in.
    Username,
    /// A secret the browser may fill in.
    CurrentPassword,
    /// A secret to be thought of.
    NewPassword,
    /// A secret that nobody should keep in a browser, such as an access token.
    Token,
    /// A moment in UTC.
    Moment,
}

/// `/login`.
#[derive(Clone, Debug)]
pub struct Login {
    /// What is around it; without visitor.
    pub frame: Frame,
    /// Name and password, or an access token.
    pub form: Form,
}

/// `/welcome`: the first administrator and the name of the site, nothing else.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// What is around it; without visitor.
    pub frame: Frame,
    /// The form, or why there is none: the link was used, or is too old.
    pub form: Result<Form, Sentence>,
}

/// The page that says the effect of a risky action, in numbers, before it is taken.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// What is around it; its title is the question.
    pub frame: Frame,
    /// What will happen, and what is kept.
    pub effect: Vec<Sentence>,
    /// The reason and the end it asks for, and its button.
    pub form: Form,
}

/// A page that could not be given.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is around it. Its title is the problem's.
    pub frame: Frame,
    /// Why.
    pub problem: Problem,
    /// The id under which the log knows the request.
    pub request: Text,
}

/// Why a page could not be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 400: the request could not be read.
    Malformed(Sentence),
    /// 401: no session, or it has ended.
    SignedOut {
        /// Sign in and come back here.
        sign_in: Href,
    },
    /// 403: the role that may.
    Forbidden {
        /// Such as `Only an administrator`.
        who: Text,
    },
    /// 404: absent, or not to be known to this visitor.
    NotFound,
    /// 409: something changed meanwhile.
    Conflict {
        /// What changed, by whom and when.
        changed: Sentence,
        /// The thing as it is now.
        now: Link,
    },
    /// 429: too many tries.
    TooMany {
        /// When the next try counts.
        again: Text,
    },
    /// 500: a fault of the server.
    Fault,
    /// 503: a part of the server does not answer.
    Unavailable {
        /// Which part, and what goes on without it.
        part: Sentence,
    },
}

impl Problem {
    /// The HTTP status it goes with.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::SignedOut { .. } => 401,
            Self::Forbidden { .. } => 403,
            Self::NotFound => 404,
            Self::Conflict { .. } => 409,
            Self::TooMany { .. } => 429,
            Self::Fault => 500,
            Self::Unavailable { .. } => 503,
        }
    }

    /// Its heading.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "This request could not be read",
            Self::SignedOut { .. } => "Signed out",
            Self::Forbidden { .. } => "Not yours to do",
            Self::NotFound => "Not found",
            Self::Conflict { .. } => "It changed meanwhile",
            Self::TooMany { .. } => "Too many tries",
            Self::Fault => "This page could not be made",
            Self::Unavailable { .. } => "Not available now",
        }
    }
}
