//! Rules about what commands rely on: parameters, checks, the order of both.

use std::collections::{BTreeMap, BTreeSet};

use suit::{
    ComponentIndex, Condition, Directive, Manifest, Operation, Parameter, Section, Sequence,
    labels::parameter,
};

/// What was found: code and words.
type Say<'s> = &'s mut dyn FnMut(&'static str, String);

/// What stands when a command is reached.
#[derive(Clone, Debug, Default)]
struct State {
    selected: Vec<u32>,
    set: BTreeSet<(u32, i64)>,
    /// Components whose image was compared since it was last written.
    matched: BTreeSet<u32>,
    /// Components that hold what a cipher without authentication gave.
    doubtful: BTreeSet<u32>,
    /// Dependencies whose integrity was checked.
    checked: BTreeSet<u32>,
}

/// Walks through every section as a device does.
pub(super) fn check(manifest: &Manifest<'_>, say: Say<'_>) {
    let elsewhere = places(manifest);
    let mut walk = Walk { manifest, elsewhere, section: None, say, told: BTreeSet::new() };
    let mut shared = State { selected: vec![0], ..State::default() };
    if let Some(sequence) = manifest.common().shared() {
        walk.sequence(sequence, &mut shared);
    }
    let mut validated = BTreeSet::new();
    for (section, held) in manifest.sections() {
        let Some(sequence) = held.value() else { continue };
        walk.section = Some(section);
        let mut state = State { selected: vec![0], ..shared.clone() };
        if matches!(section, Section::Load | Section::Invoke) {
            state.matched.clone_from(&validated);
        }
        walk.sequence(sequence, &mut state);
        for index in state.doubtful.iter() {
            let name = walk.name(*index);
            (walk.say)(
                "encryption-unauthenticated",
                format!(
                    "{section} decrypts into component {name} without authentication, and does not compare the image after"
                ),
            );
        }
        if section == Section::Validate {
            validated.clone_from(&state.matched);
        }
    }
    for dependency in manifest.common().dependencies() {
        if !shared.set.contains(&(dependency.index, parameter::IMAGE_DIGEST)) {
            let name = walk.name(dependency.index);
            (walk.say)(
                "dependency-no-digest",
                format!("the shared sequence does not say which manifest {name} is"),
            );
        }
    }
}

/// Components that others are copied from.
pub(super) fn sources(manifest: &Manifest<'_>) -> BTreeSet<u32> {
    fn each(sequence: &Sequence<'_>, found: &mut BTreeSet<u32>) {
        for command in sequence.commands() {
            match &command.operation {
                Operation::RunSequence(inner) => each(inner, found),
                Operation::TryEach { alternatives, .. } => {
                    alternatives.iter().for_each(|one| each(one, found))
                }
                operation => found.extend(operation.parameters().filter_map(|parameter| match parameter {
                    Parameter::SourceComponent(index) => Some(*index),
                    _ => None,
                })),
            }
        }
    }
    let mut found = BTreeSet::new();
    manifest.sections().filter_map(|(_, held)| held.value().cloned()).for_each(|one| each(&one, &mut found));
    found
}

/// Whether a section says how to decrypt something.
pub(super) fn encrypts(manifest: &Manifest<'_>) -> bool {
    let sequences = manifest.sections().filter_map(|(_, held)| held.value());
    let mut parameters =
        sequences.flat_map(Sequence::commands).flat_map(|command| command.operation.parameters());
    parameters.any(|parameter| matches!(parameter, Parameter::EncryptionInfo(_)))
}

/// Which sections set a parameter of a component.
fn places(manifest: &Manifest<'_>) -> BTreeMap<(u32, i64), Section> {
    let mut places = BTreeMap::new();
    for (section, held) in manifest.sections() {
        let Some(sequence) = held.value() else { continue };
        let mut state = State { selected: vec![0], ..State::default() };
        collect(sequence, &mut state);
        for key in state.set {
            places.entry(key).or_insert(section);
        }
    }
    places
}

/// Nesting is bounded by the decoder, and so is this recursion.
fn collect(sequence: &Sequence<'_>, state: &mut State) {
    for command in sequence.commands() {
        match &command.operation {
            Operation::RunSequence(inner) => collect(inner, state),
            Operation::TryEach { alternatives, .. } => {
                alternatives.iter().for_each(|one| collect(one, state))
            }
            operation => take(operation, state),
        }
    }
}

/// What a command selects and sets.
fn take(operation: &Operation<'_>, state: &mut State) {
    match operation {
        Operation::SetComponentIndex(index) => {
            state.selected = match index {
                ComponentIndex::One(index) => vec![*index],
                ComponentIndex::List(list) => list.clone(),
                ComponentIndex::All => ALL.collect(),
            };
        }
        Operation::SetParameters(list) | Operation::OverrideParameters(list) => {
            for index in state.selected.clone() {
                state.set.extend(list.iter().map(|parameter| (index, parameter.label())));
            }
        }
        Operation::OverrideMultiple(entries) => {
            for (index, list) in entries {
                state.set.extend(list.iter().map(|parameter| (*index, parameter.label())));
                state.selected = vec![*index];
            }
        }
        Operation::CopyParameters(entries) => {
            for index in state.selected.clone() {
                state.set.extend(entries.iter().flat_map(|(_, labels)| labels).map(|label| (index, *label)));
            }
        }
        _ => {}
    }
}

/// Indices that a manifest can have.
const ALL: std::ops::Range<u32> = 0..(suit::limits::MAX_COMPONENTS + suit::limits::MAX_DEPENDENCIES) as u32;

struct Walk<'w, 'b> {
    manifest: &'w Manifest<'b>,
    elsewhere: BTreeMap<(u32, i64), Section>,
    section: Option<Section>,
    say: Say<'w>,
    /// What was said about a component in a section is not said again.
    told: BTreeSet<(Option<Section>, u32, i64, &'static str)>,
}

impl Walk<'_, '_> {
    fn name(&self, index: u32) -> String {
        self.manifest.common().place(index).map_or_else(|| index.to_string(), ToString::to_string)
    }

    fn place(&self) -> String {
        self.section.map_or_else(|| "the shared sequence".to_owned(), |section| section.to_string())
    }

    fn is_dependency(&self, index: u32) -> bool {
        self.manifest.common().dependencies().iter().any(|dependency| dependency.index == index)
    }

    fn tell(&mut self, code: &'static str, index: u32, label: i64, words: String) {
        if self.told.insert((self.section, index, label, code)) {
            (self.say)(code, words);
        }
    }

    fn sequence(&mut self, sequence: &Sequence<'_>, state: &mut State) {
        for command in sequence.commands() {
            match &command.operation {
                Operation::RunSequence(inner) => self.sequence(inner, state),
                Operation::TryEach { alternatives, or_nothing } => {
                    self.leaks(alternatives, *or_nothing);
                    self.alternatives(alternatives, *or_nothing, state);
                }
                Operation::Condition(condition, _) => self.condition(*condition, state),
                Operation::Directive(directive, _) => self.directive(*directive, state),
                operation => {
                    if let Operation::SetParameters(list) = operation {
                        self.set_digest(list, state);
                    }
                    for parameter in operation.parameters() {
                        self.uri(parameter, state);
                        self.cipher(parameter, state);
                    }
                    take(operation, state);
                }
            }
        }
    }

    /// After alternatives only that holds which holds after each of them; what is set stays set.
    fn alternatives(&mut self, alternatives: &[Sequence<'_>], or_nothing: bool, state: &mut State) {
        let before = state.clone();
        let mut ends = Vec::new();
        for alternative in alternatives {
            let mut end = before.clone();
            self.sequence(alternative, &mut end);
            state.set.extend(&end.set);
            state.doubtful.extend(&end.doubtful);
            ends.push(end);
        }
        if !or_nothing {
            state.matched = common(&ends, |end| &end.matched);
            state.checked = common(&ends, |end| &end.checked);
            let cured = |index: &u32| ends.iter().all(|end| !end.doubtful.contains(index));
            state.doubtful.retain(|index| !cured(index));
        }
    }

    /// What an alternative sets before its last condition is set for those after it, should that condition fail.
    fn leaks(&mut self, alternatives: &[Sequence<'_>], or_nothing: bool) {
        for (number, alternative) in alternatives.iter().enumerate() {
            let commands = alternative.commands();
            let is_condition = |operation: &Operation<'_>| matches!(operation, Operation::Condition(..));
            let Some(last) = commands.iter().rposition(|command| is_condition(&command.operation)) else {
                continue;
            };
            let consumed: BTreeSet<i64> = commands
                .iter()
                .filter_map(|command| match &command.operation {
                    Operation::Condition(condition, _) => needed(*condition),
                    _ => None,
                })
                .collect();
            let sets = |sequence: &Sequence<'_>, upto: usize| -> BTreeSet<i64> {
                let commands = sequence.commands().iter().take(upto);
                commands.flat_map(|command| command.operation.parameters().map(Parameter::label)).collect()
            };
            let before = sets(alternative, last);
            let later = alternatives.get(number + 1..).unwrap_or_default();
            for label in before.difference(&consumed).filter(|label| !is_control(**label)) {
                let covered = later.iter().all(|other| sets(other, usize::MAX).contains(label));
                if or_nothing || (!later.is_empty() && !covered) {
                    let words = format!(
                        "{}: alternative {} sets parameter {label} before its last condition, and not every later one sets it again",
                        self.place(),
                        number + 1,
                    );
                    self.tell("try-each-leak", u32::MAX, *label, words);
                }
            }
        }
    }

    fn needs(&mut self, label: i64, index: u32, state: &State) {
        if state.set.contains(&(index, label)) {
            return;
        }
        let (place, name) = (self.place(), self.name(index));
        match self.elsewhere.get(&(index, label)) {
            Some(other) => {
                let words =
                    format!("{place} relies on parameter {label} of component {name}, which {other} sets");
                self.tell("parameter-elsewhere", index, label, words);
            }
            None => {
                let words =
                    format!("{place} needs parameter {label} of component {name}, which nothing sets");
                self.tell("parameter-unset", index, label, words);
            }
        }
    }

    fn condition(&mut self, condition: Condition, state: &mut State) {
        for index in self.selected(state) {
            if let Some(label) = needed(condition) {
                self.needs(label, index, state);
            }
            match condition {
                Condition::ImageMatch | Condition::CheckContent => {
                    state.matched.insert(index);
                    state.doubtful.remove(&index);
                }
                Condition::DependencyIntegrity => {
                    state.checked.insert(index);
                }
                _ => {}
            }
        }
    }

    fn directive(&mut self, directive: Directive, state: &mut State) {
        let label = match directive {
            Directive::Write => Some(parameter::CONTENT),
            Directive::Fetch => Some(parameter::URI),
            Directive::Copy | Directive::Swap => Some(parameter::SOURCE_COMPONENT),
            Directive::Wait => Some(parameter::WAIT_INFO),
            _ => None,
        };
        for index in self.selected(state) {
            if let Some(label) = label {
                self.needs(label, index, state);
            }
            let (place, name) = (self.place(), self.name(index));
            match directive {
                Directive::Write | Directive::Fetch | Directive::Copy | Directive::Swap => {
                    state.matched.remove(&index);
                    if directive != Directive::Fetch && state.set.contains(&(index, UNAUTHENTICATED)) {
                        state.doubtful.insert(index);
                    }
                }
                Directive::Invoke if !state.matched.contains(&index) => {
                    let words =
                        format!("{place} starts component {name}, which neither it nor validate compares");
                    self.tell("invoke-unchecked", index, 0, words);
                }
                Directive::ProcessDependency
                    if self.is_dependency(index) && !state.checked.contains(&index) =>
                {
                    let words = format!("{place} processes {name} without having checked its integrity");
                    self.tell("dependency-unchecked", index, 0, words);
                }
                _ => {}
            }
        }
    }

    fn selected(&self, state: &State) -> Vec<u32> {
        let exists = |index: &u32| self.manifest.common().place(*index).is_some();
        state.selected.iter().copied().filter(exists).collect()
    }

    fn set_digest(&mut self, list: &[Parameter<'_>], state: &State) {
        let digest = list.iter().any(|parameter| matches!(parameter, Parameter::ImageDigest(_)));
        // A dependent may choose which manifest its dependency depends on (TD, section 7.2).
        if !digest {
            return;
        }
        for index in self.selected(state) {
            if self.is_dependency(index) {
                continue;
            }
            let words = format!(
                "{} sets the digest of component {} only where it is not set",
                self.place(),
                self.name(index)
            );
            self.tell("digest-by-set-parameters", index, 0, words);
        }
    }

    fn uri(&mut self, parameter: &Parameter<'_>, state: &State) {
        let Parameter::Uri(uri) = parameter else { return };
        let safe = uri.starts_with('#')
            || ["https:", "coaps:", "coaps+tcp:"].iter().any(|scheme| uri.starts_with(scheme));
        // A relative reference is resolved by who serves the manifest.
        if !safe && uri.contains(':') {
            let index = state.selected.first().copied().unwrap_or_default();
            self.tell("uri-not-https", index, 0, format!("{} fetches from {uri}", self.place()));
        }
    }

    /// Notes encryption without authentication as a parameter of its own.
    fn cipher(&mut self, parameter: &Parameter<'_>, state: &mut State) {
        let Parameter::EncryptionInfo(info) = parameter else { return };
        let authenticated =
            cose::Encrypt::decode(info).is_ok_and(|message| message.algorithm().is_authenticated());
        for index in self.selected(state) {
            if authenticated {
                state.set.remove(&(index, UNAUTHENTICATED));
            } else {
                state.set.insert((index, UNAUTHENTICATED));
            }
        }
    }
}

/// In the place of a label: the encryption that is set does not authenticate.
const UNAUTHENTICATED: i64 = i64::MIN;

fn common(ends: &[State], of: impl Fn(&State) -> &BTreeSet<u32>) -> BTreeSet<u32> {
    let mut sets = ends.iter().map(of);
    let first = sets.next().cloned().unwrap_or_default();
    sets.fold(first, |all, one| all.intersection(one).copied().collect())
}

/// Parameters of the processor, which end with their sequence.
fn is_control(label: i64) -> bool {
    matches!(label, parameter::STRICT_ORDER | parameter::SOFT_FAILURE)
}

/// The parameter that a condition compares with.
fn needed(condition: Condition) -> Option<i64> {
    match condition {
        Condition::VendorIdentifier => Some(parameter::VENDOR_IDENTIFIER),
        Condition::ClassIdentifier => Some(parameter::CLASS_IDENTIFIER),
        Condition::ImageMatch | Condition::ImageNotMatch | Condition::DependencyIntegrity => {
            Some(parameter::IMAGE_DIGEST)
        }
        Condition::UseBefore => Some(parameter::USE_BEFORE),
        Condition::ComponentSlot => Some(parameter::COMPONENT_SLOT),
        Condition::CheckContent => Some(parameter::CONTENT),
        Condition::DeviceIdentifier => Some(parameter::DEVICE_IDENTIFIER),
        Condition::MinimumBattery => Some(parameter::MINIMUM_BATTERY),
        Condition::UpdateAuthorized => Some(parameter::UPDATE_PRIORITY),
        Condition::Version => Some(parameter::VERSION_MATCH),
        Condition::IsDependency | Condition::Abort => None,
    }
}
