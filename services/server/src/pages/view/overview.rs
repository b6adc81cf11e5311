//! The overview and the list of devices.

use super::{Action, Figure, Frame, Href, Link, Posture, Sentence, Stamp, Text, TimelineEntry};

/// `/`.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What is around it.
    pub frame: Frame,
    /// Short facts under the heading: `50 devices`, `4 models`.
    pub facts: Vec<Text>,
    /// What can be done from here.
    pub actions: Vec<Action>,
    /// What there is to see.
    pub body: OverviewBody,
}

/// What an [`Overview`] shows.
#[derive(Clone, Debug)]
pub enum OverviewBody {
    /// Nothing is there yet.
    Empty(EmptyFleet),
    /// At least one device is enrolled.
    Fleet(Fleet),
}

/// An overview without devices.
#[derive(Clone, Debug)]
pub struct EmptyFleet {
    /// The three things to do first.
    pub steps: Vec<FirstStep>,
    /// The one line under them: how to make some devices.
    pub hint: Sentence,
}

/// One of the three things to do first.
#[derive(Clone, Debug)]
pub struct FirstStep {
    /// A verb with its object.
    pub title: Text,
    /// What comes of it.
    pub says: Sentence,
    /// The command that does it, if a command does.
    pub command: Option<Text>,
    /// The page that does it, if there is one.
    pub action: Option<Action>,
}

/// An overview with devices.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The arc and the six counts.
    pub postures: PostureCounts,
    /// At most five reasons, worst first, one action each.
    pub attention: Vec<Attention>,
    /// Running campaigns.
    pub campaigns: Vec<Campaign>,
    /// The models, most devices first.
    pub models: Vec<ModelRow>,
    /// The newest events, newest first.
    pub events: Vec<TimelineEntry>,
}

/// How many devices are in each posture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostureCounts([u64; 6]);

impl PostureCounts {
    /// Counts one more device.
    pub fn add(&mut self, posture: Posture) {
        self.add_many(posture, 1);
    }

    /// Counts more devices.
    pub fn add_many(&mut self, posture: Posture, devices: u64) {
        if let Some(count) = self.0.get_mut(posture as usize) {
            *count = count.saturating_add(devices);
        }
    }

    /// How many are in this posture.
    pub fn of(&self, posture: Posture) -> u64 {
        self.0.get(posture as usize).copied().unwrap_or_default()
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl FromIterator<Posture> for PostureCounts {
    fn from_iter<I: IntoIterator<Item = Posture>>(postures: I) -> Self {
        let mut counts = Self::default();
        postures.into_iter().for_each(|posture| counts.add(posture));
        counts
    }
}

/// One line of `Needs attention`.
#[derive(Clone, Debug)]
pub struct Attention {
    /// The posture the devices are in.
    pub posture: Posture,
    /// Who, and what is wrong.
    pub says: Sentence,
    /// The proof, or what was done already.
    pub detail: Sentence,
    /// The one thing to do.
    pub action: Option<Action>,
}

/// A campaign, as a card.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Tells it from the others on the page; letters, digits and dashes.
    pub id: String,
    /// Model and version.
    pub name: Text,
    /// Its page, if there is one.
    pub href: Option<Href>,
    /// `wave 2 of 3 running`, `halted by itself`.
    pub state: Text,
    /// Whether it halted.
    pub halted: bool,
    /// A ratio, both sides: `7 of 20 trusted on 1.1.0`.
    pub progress: Text,
    /// The word for a device that made it: `trusted on 1.1.0`.
    pub goal: Text,
    /// Its waves, in order.
    pub waves: Vec<Wave>,
    /// What it waits for, or why it halted.
    pub note: Option<Sentence>,
}

/// One wave of a [`Campaign`].
#[derive(Clone, Debug)]
pub struct Wave {
    /// `Canary`, `Wave 2`.
    pub name: Text,
    /// `2 of 5`.
    pub done: Text,
    /// Whether it is the one that runs.
    pub current: bool,
    /// Its devices.
    pub body: WaveBody,
    /// `Passed 14:08`, `Not before 14:24`.
    pub says: Text,
}

/// The devices of a [`Wave`]: one cell each up to 200, counts above.
#[derive(Clone, Debug)]
pub enum WaveBody {
    /// One cell a device, with what its title says.
    Cells(Vec<Cell>),
    /// How many devices are in each state.
    Counts(Vec<(CellState, u64)>),
}

/// One device of a [`Wave`].
#[derive(Clone, Debug)]
pub struct Cell {
    /// How far it is.
    pub state: CellState,
    /// Its name, and how far it is in words.
    pub title: Text,
}

/// How far a device is in its [`Wave`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CellState {
    /// It attested the release.
    Done,
    /// It was offered the release and has not attested it yet.
    Updating,
    /// Its turn has not come.
    Waiting,
    /// It refused the release, or went back.
    Failed,
    /// It said that it cannot process the release, and is not offered it.
    Unsupported,
    /// It is quarantined.
    Quarantined,
}

impl CellState {
    /// Every state, in the order of the key.
    pub const ALL: [Self; 6] =
        [Self::Done, Self::Updating, Self::Waiting, Self::Failed, Self::Unsupported, Self::Quarantined];
}

/// A line of the table of models.
#[derive(Clone, Debug)]
pub struct ModelRow {
    /// Its name.
    pub name: Text,
    /// Model number and maker.
    pub maker: Text,
    /// Its devices.
    pub href: Href,
    /// How many are in each posture.
    pub postures: PostureCounts,
    /// Which versions run on how many.
    pub runs: Text,
}

/// `/devices`.
#[derive(Clone, Debug)]
pub struct DeviceList {
    /// What is around it.
    pub frame: Frame,
    /// What is wrong with the filter, and what may be meant.
    pub filter: Filter,
    /// Saved views, the current one marked.
    pub views: Vec<SavedView>,
    /// `50 devices`, `12 of 50 devices`.
    pub count: Text,
    /// What can be done with all that match.
    pub actions: Vec<Action>,
    /// At most 50.
    pub rows: Vec<DeviceRow>,
    /// What to say when there is no row, such as which term excludes most.
    pub none: Sentence,
    /// The page before.
    pub newer: Option<Href>,
    /// The page after.
    pub older: Option<Href>,
}

/// What the server says about the filter of a list. The text itself, as it was typed, is [`Visitor::filter`].
///
/// [`Visitor::filter`]: super::Visitor::filter
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// What was wrong with it.
    pub error: Option<FilterError>,
    /// What may be meant, for the browser's own list.
    pub suggestions: Vec<Text>,
}

/// A filter that could not be read.
#[derive(Clone, Debug)]
pub struct FilterError {
    /// What was typed before the mistake.
    pub before: Text,
    /// The mistake.
    pub wrong: Text,
    /// What was typed after it.
    pub after: Text,
    /// What is wrong, and the nearest that is right.
    pub says: Sentence,
}

/// A saved filter, shown as a tab.
#[derive(Clone, Debug)]
pub struct SavedView {
    /// Its name and filter.
    pub link: Link,
    /// How many match.
    pub count: Figure,
    /// Whether it is the filter of this page.
    pub current: bool,
}

/// A line of the list of devices.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    /// Its name.
    pub name: Text,
    /// Its page.
    pub href: Href,
    /// Its posture.
    pub posture: Posture,
    /// Its model.
    pub model: Text,
    /// Its group.
    pub group: Option<Text>,
    /// The version that was measured, or why there is none.
    pub running: Text,
    /// When its evidence last came.
    pub attested: Option<Stamp>,
    /// The policy in force at its gateway.
    pub policy: Text,
    /// The gateway it is behind.
    pub gateway: Option<Text>,
}
