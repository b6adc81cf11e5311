//! The story of the system in ten steps: real binaries, real namespaces, real packet filter. Each step is asserted from
//! packets that arrived or did not, and from signed objects that are verified here once more; what a program says of
//! itself proves nothing.

mod catalog;
mod factory;
mod imagined;
mod keys;
mod lab;
mod observe;
mod place;
mod steps;
mod tampering;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use serde::{Deserialize, Serialize};

pub use self::imagined::imagine;
use self::lab::Lab;
pub use self::place::{MAX_DEVICES, MIN_DEVICES};
pub use self::tampering::time_tampering;
use crate::Error;

/// The binaries that the story is told with.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `sextant`.
    pub sextant: PathBuf,
    /// `sextant-agent`.
    pub agent: PathBuf,
    /// `sextant-sim-app`.
    pub app: PathBuf,
}

/// A step of the story, as it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number, from 1.
    pub step: u8,
    /// What happens in it.
    pub title: String,
    /// Whether every check held.
    pub held: bool,
    /// What was checked.
    pub checks: Vec<Check>,
    /// How long it took.
    pub millis: u64,
}

/// Something that has to be true, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What has to be true.
    pub claim: String,
    /// Whether it is.
    pub held: bool,
    /// What was seen.
    pub observed: String,
}

/// A story that was told; its devices go on as long as this lives.
pub struct Told {
    /// How each step went.
    pub steps: Vec<Step>,
    lab: Lab,
}

/// Collects the checks of one step.
pub(crate) struct Script(Vec<Check>);

impl Programs {
    /// The programs that were built with the running one, which is `sextant`.
    pub fn beside(sextant: &Path) -> Result<Self, Error> {
        let sibling = |name: &str| {
            let path = sextant.with_file_name(name);
            if path.exists() {
                return Ok(path);
            }
            let what = format!("{} is not there: build the whole workspace first", path.display());
            Err(Error::Io { what, source: std::io::ErrorKind::NotFound.into() })
        };
        Ok(Self {
            sextant: sextant.to_owned(),
            agent: sibling("sextant-agent")?,
            app: sibling("sextant-sim-app")?,
        })
    }
}

impl Told {
    /// Whether every step held.
    pub fn held(&self) -> bool {
        self.steps.iter().all(|step| step.held)
    }

    /// The server's pages, for a browser on this machine.
    pub fn page(&self) -> String {
        self.lab.page()
    }
}

impl Script {
    /// Adds a check.
    pub(crate) fn check(&mut self, claim: impl Into<String>, held: bool, observed: impl fmt::Display) {
        self.0.push(Check { claim: claim.into(), held, observed: observed.to_string() });
    }

    /// The step, now that it is over. One that checked nothing did not hold.
    fn finish(self, number: u8, title: &str, begun: Instant) -> Step {
        let held = !self.0.is_empty() && self.0.iter().all(|check| check.held);
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Step { step: number, title: title.to_owned(), held, checks: self.0, millis }
    }

    /// Adds a check that something came true: what was seen, or why it was not.
    pub(crate) fn came_true<T: fmt::Display>(
        &mut self,
        claim: impl Into<String>,
        outcome: Result<T, Error>,
    ) -> Result<bool, Error> {
        let held = outcome.is_ok();
        match outcome {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => self.check(claim, false, error.chain()),
            Ok(observed) => self.check(claim, true, observed),
        }
        Ok(held)
    }
}

/// Tells the story with so many devices; `hear` is told each step when it is over. Needs root, `ip` and `nft`.
///
/// A step whose checks fail does not end the story, so that one run says all that is wrong.
pub fn tell(
    programs: &Programs,
    devices: usize,
    stop: &Arc<AtomicBool>,
    hear: &mut dyn FnMut(&Step),
) -> Result<Told, Error> {
    let mut lab = Lab::build(programs, devices, Arc::clone(stop))?;
    let mut told = Vec::new();
    for (number, (title, step)) in (1..).zip(steps::STEPS) {
        let begun = Instant::now();
        let mut script = Script(Vec::new());
        match step(&mut lab, &mut script) {
            Ok(()) => {}
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => script.check("the step can be carried out", false, error.chain()),
        }
        let step = script.finish(number, title, begun);
        hear(&step);
        told.push(step);
    }
    Ok(Told { steps: told, lab })
}
