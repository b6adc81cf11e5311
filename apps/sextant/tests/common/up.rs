//! A real server, from the binary itself.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Desk, Run};

/// How long anything may take that a server does by itself.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server on a free port of the loopback, its data in the folder `data` of a desk; it ends with its test.
pub(crate) struct Up<'d> {
    desk: &'d Desk,
    process: Child,
    pub(crate) url: String,
}

impl<'d> Up<'d> {
    pub(crate) fn start(desk: &'d Desk, options: &str) -> Self {
        let line = format!("up --data data --listen 127.0.0.1:0 --period 1s {options}");
        let mut process = desk
            .command(line.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let mut said = String::new();
        let mut url = None;
        // The note about the token is the last that is sure to come.
        for line in lines.by_ref() {
            let line = line.expect("text");
            if let Some(address) = line.strip_prefix("listening on ") {
                url = Some(format!("https://{address}"));
            }
            if line.starts_with("token of the administrator") {
                break;
            }
            said.push_str(&line);
            said.push('\n');
        }
        let url = url.unwrap_or_else(|| panic!("the server does not listen:\n{said}"));
        // Whoever does not read what a process says stops it in the end.
        thread::spawn(move || lines.for_each(drop));
        Self { desk, process, url }
    }

    /// Runs a command line against the server.
    pub(crate) fn run(&self, line: &str) -> Run {
        let server = format!("--server {} --ca data/tls/cert.pem --token-file data/admin.token", self.url);
        self.desk.run(&format!("{line} {server}"))
    }

    /// Runs one that must succeed.
    pub(crate) fn done(&self, line: &str) -> String {
        let run = self.run(line);
        assert_eq!(run.status, 0, "{line}\n{}{}", run.stdout, run.stderr);
        run.stdout
    }

    /// The same, for programs.
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.done(&format!("{line} --json"))).expect("JSON")
    }

    /// Runs one that the server refuses or says no to.
    pub(crate) fn refused(&self, line: &str, words: &str) {
        let run = self.run(line);
        assert_eq!(run.status, 1, "{line}\n{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(words), "{line}: expected {words}\n{}", run.stdout);
    }

    /// Waits for what the server does by itself.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !holds() {
            assert!(begin.elapsed() < PATIENCE, "{what} does not come about");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _waited = self.process.wait();
    }
}
