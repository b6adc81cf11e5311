//! Puts a case to an adapter and judges the answer.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::adapter::Answer;
use crate::case::{After, Reasons};
use crate::survey::Survey;
use crate::{Adapter, AdapterError, Case, Device, Expect, Facts, Failure, Features, Outcome, Trace};

/// A case and how an implementation stands to it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Name of the case.
    pub name: String,
    /// What it is about.
    pub why: String,
    /// How the implementation stands to it.
    pub standing: Standing,
}

/// How an implementation stands to a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it should.
    Agrees {
        /// Whether a refusal came without a reason of a SUIT report, so that the verdict alone was compared.
        reason_untold: bool,
    },
    /// Otherwise than it should, and how.
    Differs(String),
    /// It believed what should be refused, and stopped on a device that may lack what it asks for: nothing is told.
    Undecided(String),
    /// It does not have what the case is about, and says so.
    Unsupported(String),
}

/// Puts every case to an adapter.
///
/// # Errors
/// When there is no room for the files that it is to read.
pub fn run(adapter: &Adapter, features: &Features, cases: &[Case]) -> io::Result<Vec<Row>> {
    let folder = TempDir::new()?;
    let mut rows = Vec::new();
    for case in cases {
        let question = Question::write(folder.path(), adapter, features, case)?;
        let standing = question.put().unwrap_or_else(|error| Standing::Differs(error.to_string()));
        rows.push(Row { name: case.name.clone(), why: case.why.clone(), standing });
    }
    Ok(rows)
}

struct Question<'q> {
    adapter: &'q Adapter,
    features: &'q Features,
    case: &'q Case,
    keys: Vec<PathBuf>,
    envelope: PathBuf,
    device: PathBuf,
}

impl<'q> Question<'q> {
    fn write(
        folder: &Path,
        adapter: &'q Adapter,
        features: &'q Features,
        case: &'q Case,
    ) -> io::Result<Self> {
        let mut keys = Vec::new();
        for (index, key) in case.keys.iter().enumerate() {
            let path = folder.join(format!("key-{index}.cose"));
            std::fs::write(&path, key)?;
            keys.push(path);
        }
        let (envelope, device) = (folder.join("envelope.suit"), folder.join("device.json"));
        std::fs::write(&envelope, &case.envelope)?;
        if let Some(it) = case.expect.device() {
            std::fs::write(&device, serde_json::to_vec(it)?)?;
        }
        Ok(Self { adapter, features, case, keys, envelope, device })
    }

    fn has(&self, verb: &str) -> bool {
        self.features.verbs.contains(verb)
    }

    fn put(&self) -> Result<Standing, AdapterError> {
        let survey = Survey::of(&self.case.envelope);
        let mut lacking = survey.lacking(self.features);
        if !matches!(self.case.expect, Expect::Read(_)) {
            lacking.extend(survey.lacking_authentication(self.features));
        }
        if self.case.expect.needs_processing() {
            lacking.extend((!self.has("process")).then(|| "processing".to_owned()));
            let device = self.case.expect.device().map(heeded).unwrap_or_default();
            lacking.extend(
                device
                    .into_iter()
                    .filter(|it| !self.features.device.contains(*it))
                    .map(|it| format!("device {it}")),
            );
        }
        if !lacking.is_empty() {
            return Ok(Standing::Unsupported(lacking.join(", ")));
        }
        match &self.case.expect {
            Expect::Believe(facts) => match self.adapter.verify(&self.keys, &self.envelope)? {
                Answer::Yes(()) => self.reads(facts),
                Answer::No(failure) => Ok(Standing::Differs(format!("refused{}", because(&failure)))),
                Answer::Unsupported => Ok(says_so()),
            },
            Expect::Read(facts) if self.has("decode") => self.reads(facts),
            Expect::Read(_) => Ok(Standing::Unsupported("decoding".into())),
            Expect::Disbelieve(reasons) => match self.adapter.verify(&self.keys, &self.envelope)? {
                Answer::Yes(()) => Ok(Standing::Differs("believed".into())),
                Answer::No(failure) => Ok(for_reason(&failure, reasons)),
                Answer::Unsupported => Ok(says_so()),
            },
            Expect::Refuse { device, reasons, late, guess } => self.refuses(device, reasons, *late, *guess),
            Expect::Done { after, .. } => self.process(|trace| match trace.outcome {
                Outcome::Done => left(&trace, after),
                _ => Standing::Differs(format!("not taken to the end{}", because(&trace.failure))),
            }),
            Expect::Stop { reasons, condition, after, .. } => self.process(|trace| {
                if trace.outcome == Outcome::Done {
                    return Standing::Differs("taken to the end".into());
                }
                if let (Some(wanted), Some(found)) = (condition, trace.condition)
                    && found != *wanted
                {
                    return Standing::Differs(format!("condition {found} was not met, and not {wanted}"));
                }
                match left(&trace, after) {
                    Standing::Agrees { .. } => for_reason(&trace.failure, reasons),
                    other => other,
                }
            }),
        }
    }

    fn refuses(
        &self,
        device: &Device,
        reasons: &Reasons,
        late: bool,
        guess: bool,
    ) -> Result<Standing, AdapterError> {
        match self.adapter.verify(&self.keys, &self.envelope)? {
            Answer::No(failure) => return Ok(for_reason(&failure, reasons)),
            Answer::Yes(()) if self.has("process") => {}
            Answer::Yes(()) if late => return Ok(Standing::Unsupported("processing".into())),
            Answer::Yes(()) => return Ok(Standing::Differs("believed".into())),
            Answer::Unsupported => return Ok(says_so()),
        }
        self.process(|trace| {
            if trace.outcome == Outcome::Done {
                return Standing::Differs("taken to the end".into());
            }
            match left(
                &trace,
                &After { invoked: Vec::new(), contents: contents(&device.components), fetched: None },
            ) {
                Standing::Agrees { .. } => match (for_reason(&trace.failure, reasons), guess) {
                    (standing @ Standing::Agrees { reason_untold: false }, true) if !reasons.is_empty() => {
                        standing
                    }
                    (_, true) => {
                        Standing::Undecided(format!("believed, then stopped{}", because(&trace.failure)))
                    }
                    (standing, false) => standing,
                },
                other => other,
            }
        })
    }

    fn process(&self, judge: impl FnOnce(Trace) -> Standing) -> Result<Standing, AdapterError> {
        Ok(match self.adapter.process(&self.keys, &self.device, &self.envelope)? {
            Answer::Yes(trace) => judge(trace),
            Answer::No(failure) => Standing::Differs(format!("no trace{}", because(&failure))),
            Answer::Unsupported => says_so(),
        })
    }

    fn reads(&self, facts: &Facts) -> Result<Standing, AdapterError> {
        if !self.has("decode") || facts.sequence_number.is_none() {
            return Ok(Standing::Agrees { reason_untold: false });
        }
        Ok(match self.adapter.decode(&self.envelope)? {
            Answer::Yes(found) if Some(found.sequence_number) != facts.sequence_number => {
                Standing::Differs(format!("reads sequence number {}", found.sequence_number))
            }
            // Members that an implementation passes over are told by what it lacks.
            Answer::Yes(found) if found.members != facts.members => {
                Standing::Differs(format!("reads members {:?} of {:?}", found.members, facts.members))
            }
            Answer::Yes(_) => Standing::Agrees { reason_untold: false },
            Answer::No(failure) => Standing::Differs(format!("not read{}", because(&failure))),
            Answer::Unsupported => says_so(),
        })
    }
}

fn says_so() -> Standing {
    Standing::Unsupported("says so itself".into())
}

/// Members of a device, beside components and what is served, that a case sets.
fn heeded(device: &Device) -> Vec<&'static str> {
    let of_components = |has: fn(&crate::Component) -> bool| device.components.iter().any(has);
    let set = [
        ("decryption_keys", !device.decryption_keys.is_empty()),
        ("installed", device.installed.is_some()),
        ("now", device.now.is_some()),
        ("battery", device.battery.is_some()),
        ("authorized", device.authorized.is_some()),
        ("device", device.device.is_some()),
        ("slot", of_components(|it| it.slot.is_some())),
        ("version", of_components(|it| it.version.is_some())),
    ];
    set.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}

fn because(failure: &Failure) -> String {
    match (failure.reason.as_deref().unwrap_or_default(), failure.code.as_str()) {
        ("", "") => String::new(),
        ("", code) => format!(": {code}"),
        (reason, "") => format!(": {reason}"),
        (reason, code) => format!(": {code} ({reason})"),
    }
}

fn for_reason(failure: &Failure, reasons: &Reasons) -> Standing {
    match &failure.reason {
        None => Standing::Agrees { reason_untold: true },
        Some(reason) if reasons.is_empty() || reasons.contains(reason.as_str()) => {
            Standing::Agrees { reason_untold: false }
        }
        Some(_) => {
            let wanted: Vec<&str> = reasons.iter().copied().collect();
            Standing::Differs(format!("refused{}, and not for {}", because(failure), wanted.join(" or ")))
        }
    }
}

/// Whether a device was left as it should be.
fn left(trace: &Trace, after: &After) -> Standing {
    let invoked: Vec<String> = trace.invoked.iter().map(|id| id.join("/")).collect();
    if invoked != after.invoked {
        return Standing::Differs(format!("invoked {invoked:?} and not {:?}", after.invoked));
    }
    if let Some(fetched) = &after.fetched
        && *fetched != trace.fetched
    {
        return Standing::Differs(format!("fetched {:?} and not {fetched:?}", trace.fetched));
    }
    let found = contents(&trace.components);
    for (id, content) in &after.contents {
        let held = found.get(id).cloned().flatten().unwrap_or_default();
        if held != content.clone().unwrap_or_default() {
            return Standing::Differs(format!("component {id} holds `{held}` in the end"));
        }
    }
    Standing::Agrees { reason_untold: false }
}

fn contents(components: &[crate::Component]) -> BTreeMap<String, Option<String>> {
    components.iter().map(|component| (component.id.join("/"), component.content.clone())).collect()
}
