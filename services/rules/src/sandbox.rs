use std::{
    ffi::OsString,
    io,
    os::fd::AsFd,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use trust::{Case, MAX_RULES, RulesEngine, Ruling};

use crate::{
    frame::{self, MAX_FRAME, Question, Reply},
    input, ruling,
};

/// How long rules may take on one case. The count of steps ends them long before; this is for what no step counts.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of rules before they are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What they make claims about, and `reasons` where they give some.
    pub says: Vec<String>,
}

/// A process that runs rules. It is started when it is needed, and again when rules brought it down.
#[derive(Debug)]
pub struct Sandbox {
    command: Vec<OsString>,
    worker: Option<Worker>,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    questions: ChildStdin,
    replies: ChildStdout,
}

impl Sandbox {
    /// One that runs a command, program and arguments, which calls [`crate::work`] on its standard input and output.
    pub fn new(command: impl IntoIterator<Item = OsString>) -> Self {
        Self { command: command.into_iter().collect(), worker: None }
    }

    /// Reads rules and says what they make claims about.
    ///
    /// # Errors
    /// In words, where they are none, break a limit, or say nothing that counts.
    pub fn check(&mut self, rules: &str) -> Result<Check, String> {
        if rules.len() > MAX_RULES {
            return Err(format!("rules are longer than {MAX_RULES} bytes"));
        }
        let says = match self.ask(rules, None)? {
            Reply::Read(names) => names,
            Reply::Failed(error) => return Err(error),
            Reply::Said(_) => return Err("the worker answered another question".to_owned()),
        };
        let says: Vec<String> =
            says.into_iter().filter(|name| ruling::NAMES.contains(&name.as_str())).collect();
        if says.is_empty() {
            return Err(format!("no rule is one of {}", ruling::NAMES.join(", ")));
        }
        Ok(Check { says })
    }

    fn ask(&mut self, rules: &str, input: Option<serde_json::Value>) -> Result<Reply, String> {
        let result = self.try_ask(&Question { rules: rules.into(), input });
        if result.is_err() {
            self.stop();
        }
        result
    }

    fn try_ask(&mut self, question: &Question<'_>) -> Result<Reply, String> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            none => none.insert(start(&self.command)?),
        };
        let gone = |_: io::Error| "the rules brought their interpreter down".to_owned();
        frame::write(&mut worker.questions, question).map_err(gone)?;
        // A length, then what is as long: the worker writes both at once.
        let mut replies = Patient { pipe: &mut worker.replies, until: Instant::now() + PATIENCE };
        let frame = match frame::read(&mut replies) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err("the rules brought their interpreter down".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(format!("the rules took more than {} s", PATIENCE.as_secs()));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(format!("the rules said more than {MAX_FRAME} bytes"));
            }
            Err(error) => return Err(gone(error)),
        };
        serde_json::from_slice(&frame).map_err(|error| error.to_string())
    }

    fn stop(&mut self) {
        let Some(mut worker) = self.worker.take() else { return };
        // It may be gone already.
        let _ = worker.child.kill();
        let _ = worker.child.wait();
    }
}

impl RulesEngine for Sandbox {
    fn rule(&mut self, rules: &str, case: &Case<'_>) -> Result<Ruling, String> {
        match self.ask(rules, Some(input::of(case)))? {
            Reply::Said(said) => ruling::read(&said),
            Reply::Failed(error) => Err(error),
            Reply::Read(_) => Err("the worker answered another question".to_owned()),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(command: &[OsString]) -> Result<Worker, String> {
    let (program, arguments) = command.split_first().ok_or("no interpreter of rules is set up")?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| format!("the interpreter of rules cannot be started: {error}"))?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(questions), Some(replies)) => Ok(Worker { child, questions, replies }),
        _ => Err("the interpreter of rules has no pipes".to_owned()),
    }
}

/// A pipe that is read until a time.
struct Patient<'p> {
    pipe: &'p mut ChildStdout,
    until: Instant,
}

impl io::Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let ready = poll(&mut [PollFd::new(&self.pipe.as_fd(), PollFlags::IN)], Some(&left))?;
        if ready == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.pipe.read(buffer)
    }
}
