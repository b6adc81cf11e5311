use std::{
    ffi::OsString,
    io,
    os::unix::{ffi::OsStringExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::Error;

/// The shortest wait before a program that died is started again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest one.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A program that lived this long has earned a quick start when it dies.
const HEALTHY: Duration = Duration::from_secs(30);

/// The program of the release that runs, kept running.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    program: Option<Program>,
}

#[derive(Debug)]
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    child: Option<Child>,
    started: Instant,
    wait: Duration,
}

impl Payload {
    /// Starts a program; another one that runs is ended first.
    pub(crate) fn start(&mut self, path: PathBuf, arguments: Option<&[u8]>) {
        self.stop();
        let mut program = Program {
            path,
            arguments: split_arguments(arguments.unwrap_or_default()),
            child: None,
            started: Instant::now(),
            wait: FIRST_WAIT,
        };
        program.spawn();
        self.program = Some(program);
    }

    /// Ends the program: just this process, and it is gone when this returns.
    pub(crate) fn stop(&mut self) {
        if let Some(Program { child: Some(mut child), .. }) = self.program.take() {
            // It may have ended by itself, which is as good.
            let _killed = child.kill();
            if let Err(error) = child.wait() {
                tracing::warn!(%error, "the program could not be waited for");
            }
        }
    }

    /// Starts the program again if it died and has waited long enough.
    pub(crate) fn look_after(&mut self) {
        if let Some(program) = &mut self.program {
            program.look_after();
        }
    }

    /// Process id of the program, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.program.as_ref()?.child.as_ref().map(Child::id)
    }
}

impl Program {
    fn look_after(&mut self) {
        match self.child.as_mut().map(Child::try_wait) {
            Some(Ok(None)) => {}
            Some(Ok(Some(status))) => {
                self.wait = if self.started.elapsed() >= HEALTHY {
                    FIRST_WAIT
                } else {
                    (self.wait * 2).min(LONGEST_WAIT)
                };
                tracing::warn!(%status, wait = ?self.wait, "the program ended");
                self.child = None;
                self.started = Instant::now();
            }
            Some(Err(error)) => tracing::warn!(%error, "the program cannot be watched"),
            None if self.started.elapsed() >= self.wait => self.spawn(),
            None => {}
        }
    }

    fn spawn(&mut self) {
        self.started = Instant::now();
        match self.command().spawn() {
            Ok(child) => {
                tracing::info!(program = %self.path.display(), pid = child.id(), "the program runs");
                self.child = Some(child);
            }
            Err(error) => {
                tracing::warn!(%error, program = %self.path.display(), "the program does not start")
            }
        }
    }

    /// The agent itself becomes the program, after tying its life to this process.
    fn command(&self) -> Command {
        // Not by its path, which may be another program by now.
        let mut command = Command::new("/proc/self/exe");
        command.arg("payload").arg(std::process::id().to_string()).arg(&self.path).args(&self.arguments);
        command.stdin(Stdio::null());
        command
    }
}

/// Becomes the program, so that the kernel ends it when the agent ends, in whatever way. It returns only a failure.
pub fn exec(parent: u32, program: &Path, arguments: &[OsString]) -> Error {
    let failed = |source| Error::Start { program: program.to_owned(), source };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return failed(error.into());
    }
    // The agent may have ended before the line above.
    if getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()) != Some(parent) {
        return failed(io::Error::other("the agent is gone"));
    }
    failed(Command::new(program).args(arguments).exec())
}

/// The arguments a manifest gives to an image: byte strings separated by zero bytes.
fn split_arguments(arguments: &[u8]) -> Vec<OsString> {
    if arguments.is_empty() {
        return Vec::new();
    }
    arguments.split(|byte| *byte == 0).map(|argument| OsString::from_vec(argument.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_separated_by_zero_bytes() {
        assert!(split_arguments(b"").is_empty());
        assert_eq!(split_arguments(b"--port\x001234"), ["--port", "1234"]);
        assert_eq!(split_arguments(b"a b"), ["a b"]);
    }
}
