//! An adapter: a program that speaks for an implementation.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::{Failure, Features, Manifest, Trace};

/// A program that speaks for an implementation (docs/conformance.md).
#[derive(Clone, Debug)]
pub struct Adapter {
    program: PathBuf,
    patience: Duration,
}

/// An answer that the contract does not know: a crash, a hang, or other words than agreed.
#[derive(Debug)]
pub enum AdapterError {
    /// The program does not start.
    Start(io::Error),
    /// It ended by a signal, or with a status that means nothing.
    Crashed(String),
    /// It did not end.
    Hung,
    /// What it wrote is not what was agreed.
    Answer(String),
}

/// What an adapter makes of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// Yes, and this.
    Yes(T),
    /// No, and why.
    No(Failure),
    /// It does not have what the question is about.
    Unsupported,
}

impl Adapter {
    /// The program at a path.
    pub fn new(program: &Path) -> Self {
        Self { program: program.into(), patience: PATIENCE }
    }

    /// Gives up on an answer after this long.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What the implementation has.
    ///
    /// # Errors
    /// When it does not answer as agreed.
    pub fn features(&self) -> Result<Features, AdapterError> {
        match self.ask(&["features"], &[])? {
            (0, answer) => parse(&answer),
            (status, answer) => Err(AdapterError::Answer(format!("features ended with {status}: {answer}"))),
        }
    }

    pub(crate) fn verify(&self, keys: &[PathBuf], envelope: &Path) -> Result<Answer<()>, AdapterError> {
        match self.ask(&["verify"], &with_keys(keys, envelope))? {
            (0, _) => Ok(Answer::Yes(())),
            other => Self::otherwise(&other),
        }
    }

    pub(crate) fn decode(&self, envelope: &Path) -> Result<Answer<Manifest>, AdapterError> {
        match self.ask(&["decode"], &[envelope.into()])? {
            (0, answer) => Ok(Answer::Yes(parse(&answer)?)),
            other => Self::otherwise(&other),
        }
    }

    /// Runs procedures on a device. That it stopped is an answer too.
    pub(crate) fn process(
        &self,
        keys: &[PathBuf],
        device: &Path,
        envelope: &Path,
    ) -> Result<Answer<Trace>, AdapterError> {
        let mut files = vec!["--device".into(), device.into()];
        files.extend(with_keys(keys, envelope));
        match self.ask(&["process"], &files)? {
            (0 | 1, answer) => Ok(Answer::Yes(parse(&answer)?)),
            other => Self::otherwise(&other),
        }
    }

    fn otherwise<T>(answer: &(i32, String)) -> Result<Answer<T>, AdapterError> {
        match answer {
            (1, answer) => Ok(Answer::No(parse(answer)?)),
            (2, _) => Ok(Answer::Unsupported),
            (status, answer) => {
                Err(AdapterError::Crashed(format!("status {status}: {}", first_line(answer))))
            }
        }
    }

    /// Runs the program once. Gives its exit status and what it wrote to standard output.
    fn ask(&self, words: &[&str], files: &[PathBuf]) -> Result<(i32, String), AdapterError> {
        let mut child = Command::new(&self.program)
            .args(words)
            .args(files)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(AdapterError::Start)?;
        let (answer, words) = (child.stdout.take().map(read_on), child.stderr.take().map(read_on));
        let deadline = Instant::now() + self.patience;
        let status = loop {
            match child.try_wait().map_err(AdapterError::Start)? {
                Some(status) => break status,
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
                None => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(AdapterError::Hung);
                }
            }
        };
        // What the program started may outlive it and hold on to its pipes.
        let text = |from: Option<Receiver<String>>| match from {
            Some(from) => from
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .map_err(|_| AdapterError::Hung),
            None => Ok(String::new()),
        };
        match status.code() {
            Some(code @ 0..=2) => Ok((code, text(answer)?)),
            _ => Err(AdapterError::Crashed(format!("{status}: {}", first_line(&text(words)?)))),
        }
    }
}

/// Reads to the end beside whatever else happens.
fn read_on(mut from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = from.by_ref().take(MAX_ANSWER).read_to_end(&mut text);
        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
    });
    receiver
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the adapter does not start: {error}"),
            Self::Crashed(how) => write!(f, "crashed: {how}"),
            Self::Hung => f.write_str("did not end"),
            Self::Answer(what) => write!(f, "not an answer as agreed: {what}"),
        }
    }
}

impl std::error::Error for AdapterError {}

fn with_keys(keys: &[PathBuf], envelope: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = keys.iter().flat_map(|key| ["--key".into(), key.clone()]).collect();
    files.push(envelope.into());
    files
}

fn parse<T: DeserializeOwned>(answer: &str) -> Result<T, AdapterError> {
    serde_json::from_str(answer)
        .map_err(|error| AdapterError::Answer(format!("{error}: {}", first_line(answer))))
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().chars().take(120).collect()
}

/// How long an adapter may take: far longer than any of them needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most that is read of an answer.
const MAX_ANSWER: u64 = 16 << 20;
