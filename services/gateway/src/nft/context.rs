//! One long-lived nft, fed through a pipe: a transaction costs a millisecond instead of a process.
//!
//! `nft -i` takes a line as one kernel transaction and says nothing when it succeeds. Each line is followed by a
//! marker that is a syntax error with a number of its own: what appears on standard error before the marker's
//! complaint belongs to the transaction. Errors repeat the whole line, so long transactions go to a process of
//! their own, which repeats only the lines at fault.

use std::io::{BufRead, BufReader, Read as _, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::Transaction;
use crate::Error;

/// A way into the kernel's packet filter, of the network namespace in which it was first used.
#[derive(Debug)]
pub struct Nft {
    running: Option<Running>,
    serial: u64,
    deadline: Duration,
}

#[derive(Debug)]
struct Running {
    child: Child,
    input: ChildStdin,
    errors: Receiver<String>,
}

impl Nft {
    /// Nothing is started before the first transaction.
    pub fn new() -> Self {
        Self { running: None, serial: 0, deadline: DEADLINE }
    }

    /// Applies the transaction as a whole. On [`Error::Lost`] it is unknown whether that happened; on any other
    /// error it did not.
    pub fn commit(&mut self, transaction: &Transaction) -> Result<(), Error> {
        let complaint = match transaction.as_text() {
            "" => return Ok(()),
            text if text.len() <= LONGEST_LINE => self.converse(text)?,
            text => self.run_once(text)?,
        };
        match complaint {
            None => Ok(()),
            Some(complaint) => Err(classify(complaint)),
        }
    }

    /// Lists a table of ours as JSON, or `None` when there is no such table.
    pub fn list(&self, table: Table) -> Result<Option<serde_json::Value>, Error> {
        let (family, name) = table.words();
        let output = Command::new(PROGRAM)
            .args(["-j", "list", "table", family, name])
            .stdin(Stdio::null())
            .output()
            .map_err(Error::io("running nft"))?;
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).map(Some).map_err(|_| Error::Answer(PROGRAM));
        }
        match classify(String::from_utf8_lossy(&output.stderr).into_owned()) {
            Error::Conflict(_) => Ok(None),
            other => Err(other),
        }
    }

    /// Sends one line and collects what nft has to say about it.
    fn converse(&mut self, text: &str) -> Result<Option<String>, Error> {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => Running::start()?,
        };
        self.serial += 1;
        let marker = format!("{MARKER}{}", self.serial);
        let line = text.trim_end().replace('\n', "; ");
        let sent = running.input.write_all(format!("{line}\n{marker}\n").as_bytes());
        let complaint =
            sent.map_err(|_| Error::Lost).and_then(|()| running.read_until(&marker, self.deadline))?;
        // Only one that answered is used again; any other was dropped above, and with it ended.
        self.running = Some(running);
        Ok(complaint)
    }

    /// Gives the transaction to a process of its own.
    fn run_once(&self, text: &str) -> Result<Option<String>, Error> {
        let mut child = Command::new(PROGRAM)
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io("starting nft"))?;
        let sent = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
        let mut complaint = Vec::new();
        if let Some(errors) = child.stderr.take() {
            let read = errors.take(LONGEST_COMPLAINT as u64).read_to_end(&mut complaint);
            read.map_err(Error::io("reading from nft"))?;
        }
        let status = child.wait().map_err(Error::io("waiting for nft"))?;
        match (status.success(), sent) {
            (true, Some(Ok(()))) => Ok(None),
            (true, _) => Err(Error::Lost),
            (false, _) => Ok(Some(String::from_utf8_lossy(&complaint).into_owned())),
        }
    }
}

impl Default for Nft {
    fn default() -> Self {
        Self::new()
    }
}

impl Running {
    fn start() -> Result<Self, Error> {
        let mut child = Command::new(PROGRAM)
            .arg("-i")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io("starting nft"))?;
        let (Some(input), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(Error::Lost);
        };
        let (sender, errors) = sync_channel(QUEUE);
        // Reads with a deadline need a thread; it ends with the pipe.
        std::thread::Builder::new()
            .name("nft-errors".into())
            .spawn(move || {
                let mut lines = BufReader::new(stderr).split(b'\n');
                while let Some(Ok(line)) = lines.next() {
                    if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        break;
                    }
                }
            })
            .map_err(Error::io("starting a thread"))?;
        Ok(Self { child, input, errors })
    }

    /// Everything said before the complaint about the marker, or `None` when nothing was.
    fn read_until(&mut self, marker: &str, deadline: Duration) -> Result<Option<String>, Error> {
        let end = Instant::now() + deadline;
        let mut said = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = match self.errors.recv_timeout(left) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(Error::Lost),
            };
            if line == marker {
                break;
            }
            if said.len() < LONGEST_COMPLAINT {
                said.push_str(&line);
                said.push('\n');
            }
        }
        // The marker's own complaint: its first line came before it, the line of carets comes after it.
        self.errors.recv_timeout(deadline).map_err(|_| Error::Lost)?;
        let last = said.trim_end().rfind('\n').map_or(0, |at| at + 1);
        said.truncate(last);
        Ok((!said.is_empty()).then_some(said))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A table of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `inet sextant`: the rules.
    Inet,
    /// `bridge sextant`: the second lock between ports of one bridge.
    Bridge,
    /// `inet sextant_tls`: where handshakes wait.
    Handshakes,
}

impl Table {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Inet => ("inet", "sextant"),
            Self::Bridge => ("bridge", "sextant"),
            Self::Handshakes => ("inet", "sextant_tls"),
        }
    }
}

/// Sorts a complaint of nft by whether our picture of the kernel is wrong, or the request is.
fn classify(mut complaint: String) -> Error {
    const DIFFERS: [&str; 3] = ["No such file or directory", "File exists", "Device or resource busy"];
    let first = complaint.lines().next().unwrap_or_default();
    let conflict = DIFFERS.iter().any(|text| first.ends_with(text) || first.contains(&format!("{text};")));
    if complaint.len() > LONGEST_REPORT {
        let cut = (0..=LONGEST_REPORT).rev().find(|at| complaint.is_char_boundary(*at)).unwrap_or(0);
        complaint.truncate(cut);
    }
    let complaint = complaint.trim_end().to_owned();
    if conflict { Error::Conflict(complaint) } else { Error::Refused(complaint) }
}

/// The tool. Its absence is an error of the first transaction.
const PROGRAM: &str = "nft";
/// Begins each marker: no command of nft, and no word of ours.
const MARKER: &str = "sextant_end_";
/// How long nft may take over one transaction.
const DEADLINE: Duration = Duration::from_secs(10);
/// Transactions longer than this get a process of their own.
const LONGEST_LINE: usize = 32 * 1024;
/// What is kept of a complaint, to find its end.
const LONGEST_COMPLAINT: usize = 256 * 1024;
/// What is kept of a complaint, to show it.
const LONGEST_REPORT: usize = 1024;
/// Lines of complaint waiting for us.
const QUEUE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_wrong_picture_from_a_wrong_request() {
        for text in [
            "Error: Could not process rule: No such file or directory\ndelete element …",
            "Error: Could not process rule: File exists\nadd …",
            "Error: No such file or directory; did you mean table ‘x’ in family ip?\n",
        ] {
            assert!(matches!(classify(text.into()), Error::Conflict(_)), "{text}");
        }
        for text in [
            "Error: syntax error, unexpected newline\n",
            "Error: Could not process rule: Operation not supported\n",
        ] {
            assert!(matches!(classify(text.into()), Error::Refused(_)), "{text}");
        }
    }
}
