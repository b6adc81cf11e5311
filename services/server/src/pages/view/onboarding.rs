//! Devices to onboard.

use super::{Action, Frame, Href, Link, SavedView, Sentence, Stamp, Text, TimelineEntry};

/// `/onboarding`.
#[derive(Clone, Debug)]
pub struct OnboardingList {
    /// What is around it.
    pub frame: Frame,
    /// Short facts under the heading: how many there are in each state that has no list of its own.
    pub facts: Vec<Text>,
    /// Lists by state, and that of devices whose last session failed.
    pub lists: Vec<SavedView>,
    /// At most 50, the newest change first.
    pub rows: Vec<OnboardingRow>,
    /// What an empty list says.
    pub none: Sentence,
    /// The first page, where this is not it.
    pub first: Option<Href>,
    /// The page after.
    pub older: Option<Href>,
    /// What devices are given.
    pub templates: Vec<TemplateRow>,
}

/// One device in the list.
#[derive(Clone, Debug)]
pub struct OnboardingRow {
    /// What people call it, or what its manufacturer says that it is.
    pub name: Text,
    /// Its GUID.
    pub guid: Text,
    /// Its page.
    pub href: Href,
    /// The group that it will be in.
    pub group: Option<Text>,
    /// How far it is.
    pub state: Text,
    /// Why it does not get further, if there is a reason.
    pub why: Option<Sentence>,
    /// Until when a rendezvous server remembers its owner.
    pub registered: Option<Stamp>,
    /// When anything of it changed.
    pub changed: Stamp,
}

/// A template, without secrets.
#[derive(Clone, Debug)]
pub struct TemplateRow {
    /// Its name.
    pub name: Text,
    /// What a device proves before it is given anything.
    pub asks: Text,
    /// Where it is told to go: server and gateway.
    pub places: Vec<Text>,
    /// Names of wireless networks.
    pub networks: Vec<Text>,
    /// What else it is given or does, in words.
    pub more: Vec<Text>,
}

/// `/onboarding/{guid}`.
#[derive(Clone, Debug)]
pub struct OnboardingPage {
    /// What is around it; its title is the device's name.
    pub frame: Frame,
    /// The list it stands in.
    pub crumbs: Vec<Link>,
    /// Short facts under the heading.
    pub facts: Vec<Sentence>,
    /// What this visitor can do.
    pub actions: Vec<Action>,
    /// Why it does not get further, if there is a reason.
    pub why: Option<Sentence>,
    /// What is known of it.
    pub known: Vec<(&'static str, Sentence)>,
    /// What happened, newest first.
    pub timeline: Vec<TimelineEntry>,
}
