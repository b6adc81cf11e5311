//! Child processes that write their logs to files and end with whoever started them.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};

use crate::Error;

/// A running program; it ends when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// How much of a log is shown when its program fails.
const TAIL: u64 = 4000;
/// How often the end of a process is looked for.
const POLL: Duration = Duration::from_millis(10);

impl Process {
    /// Starts a command, its output in `<folder>/<name>.log`, behind what is there already.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self, Error> {
        let log = folder.join(format!("{name}.log"));
        let failed = || Error::io(format!("starting {name}"));
        let output = File::options().create(true).append(true).open(&log).map_err(failed())?;
        let errors = output.try_clone().map_err(failed())?;
        // A group of its own: an interrupt at the terminal is for whoever started it, who ends it in order.
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(failed())?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// An error if it has ended.
    pub fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(Error::Ended { name: self.name.clone(), log: self.tail() }),
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where its log is.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The end of its log.
    pub fn tail(&self) -> String {
        tail(&self.log).unwrap_or_else(|error| error.to_string())
    }

    /// Halts it where it stands, or lets it go on.
    pub fn freeze(&self, frozen: bool) -> Result<(), Error> {
        self.signal(if frozen { Signal::STOP } else { Signal::CONT })
            .map_err(Error::io(format!("halting {}", self.name)))
    }

    /// Asks it to end, and insists after a while.
    pub fn stop(&mut self, patience: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + patience;
        let _asked = self.signal(Signal::TERM);
        while Instant::now() < end {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(POLL),
                Ok(status) => return status,
                Err(_) => break,
            }
        }
        let _ended = self.child.kill();
        self.child.wait().ok()
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        match pid {
            Some(pid) => Ok(kill_process(pid, signal)?),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(2));
    }
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = fs::metadata(path)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Becomes another program that ends when its starter, the process `parent`, does. Returns only if it cannot.
pub fn leash(parent: u32, program: &Path, arguments: &[std::ffi::OsString]) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The starter may have ended before the kernel knew that it matters.
    if getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs()) != Some(parent) {
        return io::Error::new(io::ErrorKind::NotFound, "the starter has ended");
    }
    Command::new(program).args(arguments).exec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_process_is_an_error_that_shows_its_log() {
        let folder = std::env::temp_dir().join(format!("sextant-process-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo last words"]);
        let mut process = Process::start("speaker", command, &folder).unwrap();
        process.child.wait().unwrap();
        let error = process.check().unwrap_err();
        assert!(
            matches!(&error, Error::Ended { name, log } if name == "speaker" && log.contains("last words"))
        );
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn process_ends_when_dropped() {
        let folder = std::env::temp_dir().join(format!("sextant-dropped-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("sleep");
        command.arg("60");
        let mut process = Process::start("sleeper", command, &folder).unwrap();
        process.check().unwrap();
        let proc_entry = PathBuf::from(format!("/proc/{}", process.child.id()));
        drop(process);
        assert!(!proc_entry.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
