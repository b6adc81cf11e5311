use alloc::vec::Vec;
use core::fmt;

use super::{
    Entry, Outcome, Property, Reason, Record, VerifiedReport,
    known::{Found, Known, Node, command_at},
};
use crate::{Condition, Operation, Section, SystemPropertyClaims, Verified, labels::parameter};

/// Compares a report with the manifests it tells of (REP, section 5): the root first, then its dependencies.
///
/// A report is a log of decisions and not of the way between them, so a claim holds when some run of the manifests has
/// it. That the device tells the truth is for its key and for the measurement of its processor to show.
pub fn replay(report: &VerifiedReport, root: &Verified<'_>, dependencies: &[&Verified<'_>]) -> Replay {
    let report = report.report();
    let known = Known::new(root, dependencies);
    let mut verdicts = Vec::new();
    let mut say = |subject, finding| verdicts.push(Verdict { subject, finding });
    let uri = root.manifest().reference_uri().unwrap_or_default();
    say(
        Subject::Reference,
        if report.manifest_digest != root.manifest_digest() {
            Finding::WrongManifest
        } else if report.reference_uri != uri {
            Finding::WrongReference
        } else {
            Finding::Holds
        },
    );
    let mut order = Order::default();
    for (number, entry) in report.entries.iter().enumerate() {
        let finding = match entry {
            Entry::Record(record) => {
                // What a log says of a way that went on must fit a way that can go on.
                let (finding, _) = check_record(&known, record, true);
                if finding == Finding::Holds && !order.follows(record) {
                    Finding::OutOfOrder
                } else {
                    finding
                }
            }
            Entry::Claims(claims) => match check_claims(&known, claims) {
                // What a condition found when it ended everything is not what it asked for.
                Finding::WrongValue if is_why(&known, &report.outcome, claims) => Finding::Holds,
                finding => finding,
            },
        };
        say(Subject::Entry(number), finding);
    }
    let outcome = match &report.outcome {
        Outcome::Success => Finding::Holds,
        Outcome::Failure { reason, record, .. } => {
            let finding = check_failure(&known, *reason, record);
            if finding == Finding::Holds && !order.follows(record) { Finding::OutOfOrder } else { finding }
        }
    };
    say(Subject::Result, outcome);
    Replay { verdicts }
}

/// What a replay found, claim by claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    verdicts: Vec<Verdict>,
}

/// One claim of a report, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The claim.
    pub subject: Subject,
    /// Whether it holds.
    pub finding: Finding,
}

/// A claim of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Which manifest it is about.
    Reference,
    /// The record or claims with this number.
    Entry(usize),
    /// How it ended.
    Result,
}

/// Whether a claim holds, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds.
    Holds,
    /// The report is about another manifest.
    WrongManifest,
    /// The report gives another reference URI than the manifest.
    WrongReference,
    /// The record is of a manifest that is not in the tree, or not given.
    UnknownManifest,
    /// The manifest does not have the section, or it was severed.
    NoSuchSection,
    /// No command stands at the offset.
    NoSuchCommand,
    /// The command is no condition, and its policy wants no record.
    NotReported,
    /// The manifest does not declare the component.
    UnknownComponent,
    /// The command does not measure such a property.
    NotMeasured,
    /// The value is none that the manifests allow for there.
    WrongValue,
    /// It went on after a condition that ends everything when it fails, and the value makes it fail.
    WentOnRegardless,
    /// It stopped at a condition that the value meets.
    StoppedRegardless,
    /// The reason does not fit the command it stopped at.
    WrongReason,
    /// The record is of a place before that of the record before.
    OutOfOrder,
}

impl Replay {
    /// The verdicts: the reference, each entry, the result.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Whether every claim holds. A processor that makes others is not to be trusted (REP, section 5).
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.finding == Finding::Holds)
    }

    /// The claims that do not hold.
    pub fn faults(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| verdict.finding != Finding::Holds)
    }
}

impl Finding {
    /// Stable word for audit records, the API and pages.
    pub fn code(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::WrongManifest => "wrong-manifest",
            Self::WrongReference => "wrong-reference",
            Self::UnknownManifest => "unknown-manifest",
            Self::NoSuchSection => "no-such-section",
            Self::NoSuchCommand => "no-such-command",
            Self::NotReported => "not-reported",
            Self::UnknownComponent => "unknown-component",
            Self::NotMeasured => "not-measured",
            Self::WrongValue => "wrong-value",
            Self::WentOnRegardless => "went-on-regardless",
            Self::StoppedRegardless => "stopped-regardless",
            Self::WrongReason => "wrong-reason",
            Self::OutOfOrder => "out-of-order",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "the claim holds",
            Self::WrongManifest => "the report is about another manifest",
            Self::WrongReference => "the manifest has another reference URI",
            Self::UnknownManifest => "the record is of an unknown manifest",
            Self::NoSuchSection => "the manifest does not have the section",
            Self::NoSuchCommand => "no command stands at the offset",
            Self::NotReported => "the command is no condition and its policy wants no record",
            Self::UnknownComponent => "the manifest does not declare the component",
            Self::NotMeasured => "the command does not measure such a property",
            Self::WrongValue => "the value is none that the manifests allow",
            Self::WentOnRegardless => "the value fails the condition, and processing went on",
            Self::StoppedRegardless => "the value meets the condition, and processing stopped",
            Self::WrongReason => "the reason does not fit the command",
            Self::OutOfOrder => "the place is before that of the record before",
        })
    }
}

/// Checks a record, and gives the command it points at. `passed` says that processing went on after it.
fn check_record<'r, 'b>(
    known: &Known<'r, 'b>,
    record: &Record,
    passed: bool,
) -> (Finding, Option<Found<'r, 'b>>) {
    let Some(node) = known.node(&record.manifest_id) else { return (Finding::UnknownManifest, None) };
    let Some(sequence) = node.sequence(record.section) else { return (Finding::NoSuchSection, None) };
    let Some(found) = command_at(sequence, record.offset) else { return (Finding::NoSuchCommand, None) };
    let declared = node.verified.manifest().common().indices().contains(record.component);
    if !declared {
        return (Finding::UnknownComponent, Some(found));
    }
    let finding = match &found.command.operation {
        // A condition of the section itself fails hard, so what went on met it.
        Operation::Condition(condition, _) => {
            check_values(known, node, *condition, record, passed && !found.nested)
        }
        operation if passed && !operation.policy().wants_record(true) => Finding::NotReported,
        _ if !record.properties.is_empty() => Finding::NotMeasured,
        _ => Finding::Holds,
    };
    (finding, Some(found))
}

/// Checks what a condition measured. With `must_be_met` the values must meet some value of the parameter.
fn check_values(
    known: &Known<'_, '_>,
    node: &Node<'_, '_>,
    condition: Condition,
    record: &Record,
    must_be_met: bool,
) -> Finding {
    for property in record.properties.iter() {
        if !measures(condition, property.label()) {
            return Finding::NotMeasured;
        }
        if must_be_met && met(known, node, condition, record.component, property) == Met::Never {
            return Finding::WentOnRegardless;
        }
    }
    Finding::Holds
}

/// Whether a condition is met with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Always,
    Sometimes,
    Never,
}

/// Whether the value meets the condition with all, some or none of the values that the manifests give the parameter.
fn met(
    known: &Known<'_, '_>,
    node: &Node<'_, '_>,
    condition: Condition,
    index: u32,
    property: &Property,
) -> Met {
    let Some(component) = node.component(index) else { return Met::Sometimes };
    let (mut meets, mut fails) = (false, false);
    for demand in known.demands(&component, property.label()) {
        if property.meets(demand) {
            meets = true;
        } else {
            fails = true;
        }
    }
    if condition == Condition::ImageNotMatch {
        // Another size says as much as another digest; the same size says nothing.
        let size_only = property.label() == parameter::IMAGE_SIZE;
        (meets, fails) = if size_only { (true, meets) } else { (fails, meets) };
    }
    match (meets, fails) {
        (true, false) => Met::Always,
        (true, true) => Met::Sometimes,
        // Without a value the condition is not met either.
        (false, _) => Met::Never,
    }
}

/// Whether a condition measures the property with a label.
fn measures(condition: Condition, label: i64) -> bool {
    match condition {
        Condition::VendorIdentifier => label == parameter::VENDOR_IDENTIFIER,
        Condition::ClassIdentifier => label == parameter::CLASS_IDENTIFIER,
        Condition::DeviceIdentifier => label == parameter::DEVICE_IDENTIFIER,
        Condition::ImageMatch | Condition::ImageNotMatch | Condition::DependencyIntegrity => {
            matches!(label, parameter::IMAGE_DIGEST | parameter::IMAGE_SIZE)
        }
        Condition::UseBefore => label == parameter::USE_BEFORE,
        Condition::ComponentSlot => label == parameter::COMPONENT_SLOT,
        Condition::CheckContent => label == parameter::CONTENT,
        Condition::MinimumBattery => label == parameter::MINIMUM_BATTERY,
        Condition::UpdateAuthorized => label == parameter::UPDATE_PRIORITY,
        Condition::Version => label == parameter::VERSION_MATCH,
        Condition::IsDependency | Condition::Abort => false,
    }
}

/// Checks the record of a failure and its reason.
fn check_failure(known: &Known<'_, '_>, reason: Reason, record: &Record) -> Finding {
    // These stop before or between commands, and their record says no more than how far it came.
    let before_commands = matches!(
        reason,
        Reason::CborParse
            | Reason::CoseUnsupported
            | Reason::AlgorithmUnsupported
            | Reason::Unauthorised
            | Reason::ComponentUnauthorised
            | Reason::CommandUnsupported
            | Reason::ComponentUnsupported
            | Reason::ParameterUnsupported
            | Reason::SeveringUnsupported
    );
    let (finding, found) = check_record(known, record, false);
    if finding == Finding::UnknownManifest {
        return finding;
    }
    if reason == Reason::Ok {
        return Finding::WrongReason;
    }
    // No command stands at offset 0: it stopped before the first one.
    if before_commands || record.offset == 0 && reason == Reason::OperationFailed {
        return Finding::Holds;
    }
    let Some(found) = found.filter(|_| finding == Finding::Holds) else { return finding };
    let node = known.node(&record.manifest_id);
    match (reason, &found.command.operation) {
        (Reason::ConditionFailed, Operation::Condition(condition, _)) => {
            let met_always = |property: &Property| {
                node.is_some_and(|node| {
                    met(known, node, *condition, record.component, property) == Met::Always
                })
            };
            let decisive = |property: &&Property| property.label() != parameter::IMAGE_SIZE;
            let mut decisive = record.properties.iter().filter(decisive);
            if decisive.any(met_always) { Finding::StoppedRegardless } else { Finding::Holds }
        }
        (Reason::InvokePending, Operation::Directive(crate::Directive::Invoke, _)) => Finding::Holds,
        (Reason::ConditionFailed | Reason::InvokePending, _) => Finding::WrongReason,
        _ => Finding::Holds,
    }
}

/// Checks claims about a component: it is one of the set, and each value is one that the manifests ask for.
fn check_claims(known: &Known<'_, '_>, claims: &SystemPropertyClaims) -> Finding {
    if !known.names(&claims.component) {
        return Finding::UnknownComponent;
    }
    // Where a condition asks for anything else than an image, its digest is any.
    let image = |label| matches!(label, parameter::IMAGE_DIGEST | parameter::IMAGE_SIZE);
    let any_image = known.tests(Condition::ImageNotMatch);
    for property in claims.properties.iter() {
        let label = property.label();
        if matches!(property, Property::Other { .. }) || image(label) && any_image {
            continue;
        }
        if !known.demands(&claims.component, label).any(|demand| property.meets(demand)) {
            return Finding::WrongValue;
        }
    }
    Finding::Holds
}

/// Whether claims repeat what the condition measured at which processing ended.
fn is_why(known: &Known<'_, '_>, outcome: &Outcome, claims: &SystemPropertyClaims) -> bool {
    let Outcome::Failure { reason: Reason::ConditionFailed, record, .. } = outcome else { return false };
    let component = known.node(&record.manifest_id).and_then(|node| node.component(record.component));
    component.as_ref() == Some(&claims.component)
        && claims.properties.iter().all(|property| record.properties.contains(property))
}

/// Where the log of the root manifest has come to.
///
/// A section of a dependency may be processed twice, and a shared sequence runs before every section, so only the order
/// of sections is held against a report, and in each that of the commands for one component.
#[derive(Default)]
struct Order {
    section: Option<Section>,
    /// Component and offset, the last of each.
    offsets: Vec<(u32, u32)>,
}

impl Order {
    fn follows(&mut self, record: &Record) -> bool {
        let (Some(section), []) = (record.section, record.manifest_id.as_slice()) else { return true };
        if self.section.is_some_and(|before| rank(before) > rank(section)) {
            return false;
        }
        if self.section != Some(section) {
            self.section = Some(section);
            self.offsets.clear();
        }
        match self.offsets.iter_mut().find(|(component, _)| *component == record.component) {
            Some((_, last)) if *last >= record.offset => false,
            Some((_, last)) => {
                *last = record.offset;
                true
            }
            None => {
                self.offsets.push((record.component, record.offset));
                true
            }
        }
    }
}

/// Place of a section in the procedures, which are run from the first to the last.
fn rank(section: Section) -> u8 {
    match section {
        Section::DependencyResolution => 0,
        Section::PayloadFetch => 1,
        Section::CandidateVerification => 2,
        Section::Install => 3,
        Section::Validate => 4,
        Section::Load => 5,
        Section::Invoke => 6,
        Section::Uninstall => 7,
    }
}
