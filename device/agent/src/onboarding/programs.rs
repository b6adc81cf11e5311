use std::{
    io::Read,
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread,
};

use fdo::service_info::modules::{Order, RunFault, RunState, Runner, Stream};
use rustix::process::{Pid, Signal, kill_process};

/// Bytes that are read of a program's output at once.
const PIECE: usize = 1024;
/// Pieces that may wait to be sent before the program has to.
const PIECES: usize = 16;

/// Runs the programs of an owner (`fdo.command`), one at a time, with nothing of this process's environment.
#[derive(Default)]
pub(super) struct Programs {
    running: Option<Running>,
}

struct Running {
    child: Child,
    output: Receiver<(Stream, Vec<u8>)>,
    /// What did not fit into the last buffer.
    left: Option<(Stream, Vec<u8>)>,
}

impl Runner for Programs {
    fn start(&mut self, order: &Order) -> Result<(), RunFault> {
        let mut command = Command::new(&order.program);
        command.args(&order.arguments).env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            tracing::warn!(%error, program = order.program, "a program of the owner does not start");
            RunFault
        })?;
        tracing::info!(program = order.program, pid = child.id(), "a program of the owner runs");
        let (sender, output) = sync_channel(PIECES);
        if let Some(stdout) = child.stdout.take() {
            hand_on(Stream::Output, stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            hand_on(Stream::Error, stderr, sender);
        }
        self.running = Some(Running { child, output, left: None });
        Ok(())
    }

    fn poll(&mut self, buffer: &mut [u8]) -> RunState {
        let Some(running) = &mut self.running else { return RunState::Exited(-1) };
        let next = running.left.take().map_or_else(|| running.output.try_recv(), Ok);
        match next {
            Ok((stream, piece)) => {
                let count = piece.len().min(buffer.len());
                let (now, later) = piece.split_at(count);
                buffer.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
                running.left = (!later.is_empty()).then(|| (stream, later.to_vec()));
                RunState::Wrote(stream, count)
            }
            Err(TryRecvError::Empty) => RunState::Running,
            Err(TryRecvError::Disconnected) => match running.child.try_wait() {
                Ok(None) => RunState::Running,
                Ok(Some(status)) => {
                    self.running = None;
                    let signal = status.signal().map(|signal| -i64::from(signal));
                    RunState::Exited(status.code().map(i64::from).or(signal).unwrap_or(-1))
                }
                Err(_) => RunState::Exited(-1),
            },
        }
    }

    fn signal(&mut self, signal: i64) {
        let named = i32::try_from(signal).ok().and_then(Signal::from_named_raw);
        if let (Some(running), Some(signal)) = (&self.running, named)
            && let Err(error) = kill_process(Pid::from_child(&running.child), signal)
        {
            tracing::warn!(%error, "a program of the owner gets no signal");
        }
    }
}

impl Drop for Programs {
    /// What the owner began ends with the session.
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            let _killed = running.child.kill();
            let _ended = running.child.wait();
        }
    }
}

/// Reads a stream to its end in a thread of its own, and ends when nobody takes what it reads.
fn hand_on(stream: Stream, mut from: impl Read + Send + 'static, to: SyncSender<(Stream, Vec<u8>)>) {
    thread::spawn(move || {
        let mut buffer = [0; PIECE];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let piece = buffer.get(..count).unwrap_or_default().to_vec();
            if to.send((stream, piece)).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(order: &Order, buffer: usize) -> (Vec<u8>, Vec<u8>, i64) {
        let mut programs = Programs::default();
        programs.start(order).unwrap();
        let (mut output, mut errors, mut buffer) = (Vec::new(), Vec::new(), vec![0; buffer]);
        loop {
            match programs.poll(&mut buffer) {
                RunState::Running => thread::yield_now(),
                RunState::Wrote(Stream::Output, count) => output.extend_from_slice(&buffer[..count]),
                RunState::Wrote(Stream::Error, count) => errors.extend_from_slice(&buffer[..count]),
                RunState::Exited(code) => return (output, errors, code),
            }
        }
    }

    fn order(script: &str) -> Order {
        let arguments = vec!["-c".into(), script.into()];
        Order { program: "/bin/sh".into(), arguments, ..Order::default() }
    }

    #[test]
    fn all_that_a_program_writes_comes_and_then_its_code() {
        let (output, errors, code) = run(&order("printf out; printf err >&2; exit 3"), 64);
        assert_eq!((output.as_slice(), errors.as_slice(), code), (&b"out"[..], &b"err"[..], 3));
        let script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done";
        assert_eq!(run(&order(script), 100).0.len(), 33_000);
        assert_eq!(run(&order("kill -9 $$"), 64).2, -9);
        assert_eq!(run(&order("pwd; printf \"$HOME$CARGO_MANIFEST_DIR\""), 64).0, b"/\n");
    }

    #[test]
    fn signals_reach_it_and_it_does_not_outlive_the_session() {
        let mut programs = Programs::default();
        programs
            .start(&Order { program: "/bin/cat-that-is-not-there".into(), ..Order::default() })
            .unwrap_err();
        programs.start(&order("exec sleep 600")).unwrap();
        programs.signal(15);
        let mut buffer = [0; 64];
        let state = loop {
            match programs.poll(&mut buffer) {
                RunState::Running => thread::yield_now(),
                other => break other,
            }
        };
        assert_eq!(state, RunState::Exited(-15));
        programs.start(&order("exec sleep 600")).unwrap();
        let pid = programs.running.as_ref().unwrap().child.id();
        drop(programs);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
