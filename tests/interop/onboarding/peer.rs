//! The peer: one program over the library go-fdo, as every role of FIDO Device Onboard (`go-fdo/`).

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{self, Receiver},
    },
    time::Duration,
};

use serde_json::Value;

/// How long something may take that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The peer's program.
pub(crate) struct Peer {
    program: PathBuf,
}

impl Peer {
    /// Builds it, once; nothing where it cannot be built, which is said aloud.
    pub(crate) fn built() -> Option<&'static Self> {
        static PEER: OnceLock<Option<Peer>> = OnceLock::new();
        PEER.get_or_init(Self::build).as_ref()
    }

    fn build() -> Option<Self> {
        if Command::new("go").arg("version").stdout(Stdio::null()).status().is_err() {
            testkit::skipped("there is no Go to build go-fdo with");
            return None;
        }
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-fdo-peer");
        let go = |arguments: &[&str]| {
            let output = Command::new("go")
                .args(arguments)
                .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/onboarding/go-fdo"))
                .output()
                .expect("go runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(()) } else { Err(said) }
        };
        // Modules that cannot be fetched are no fault of the program here; one that does not compile is.
        if let Err(why) = go(&["mod", "download"]) {
            testkit::skipped(format_args!("go-fdo cannot be had here: {why}"));
            return None;
        }
        go(&["build", "-mod=readonly", "-o", path(&program), "."]).unwrap_or_else(|why| panic!("{why}"));
        Some(Self { program })
    }

    /// Runs it to its end. Gives what it told, or why it failed.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Vec<Value>, String> {
        let output = Command::new(&self.program).args(arguments).output().expect("the peer runs");
        let told = String::from_utf8(output.stdout).expect("text");
        let mut events: Vec<Value> = told.lines().map(event_of).collect();
        if output.status.success() {
            return Ok(events);
        }
        let failed = events.pop().filter(|last| last["event"] == "failed").unwrap_or_else(|| {
            panic!("it says why it failed: {told} {}", String::from_utf8_lossy(&output.stderr))
        });
        Err(text(&failed, "message").to_owned())
    }

    /// Starts a server in a folder of its own.
    pub(crate) fn server<S: AsRef<OsStr>>(&self, folder: &Path, arguments: &[S]) -> Server {
        let mut child = Command::new(&self.program)
            .arg("server")
            .arg("--data")
            .arg(folder)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the peer runs");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (sender, events) = mpsc::channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).try_for_each(|line| sender.send(event_of(&line)))
        });
        let mut server =
            Server { child, events, waiting: Vec::new(), url: String::new(), folder: folder.to_owned() };
        server.url = text(&server.event("listening"), "url").to_owned();
        server
    }

    /// Makes a device at a manufacturer. Its credential is kept in a file.
    pub(crate) fn device(&self, manufacturer: &Server, credential: &Path, arguments: &[&str]) -> Device<'_> {
        self.device_at(&manufacturer.url, credential, arguments)
    }

    /// The same at a manufacturer's that is anybody's.
    pub(crate) fn device_at(&self, manufacturer: &str, credential: &Path, arguments: &[&str]) -> Device<'_> {
        let mut all = vec!["device", "--di", manufacturer, "--credential", path(credential)];
        all.extend(arguments);
        let events = self.run(&all).expect("a device is made");
        let guid = text(only(&events, "initialized"), "guid").to_owned();
        Device { peer: self, credential: credential.to_owned(), guid }
    }

    /// Registers the vouchers in a file for an owner at a rendezvous server. Gives the seconds it is granted.
    pub(crate) fn register(
        &self,
        rendezvous: &str,
        voucher: &Path,
        owner_key: &Path,
        owner: &str,
    ) -> Result<u64, String> {
        let events = self.run(&[
            "to0",
            "--rv",
            rendezvous,
            "--voucher",
            path(voucher),
            "--owner-key",
            path(owner_key),
            "--to2",
            owner,
        ])?;
        Ok(only(&events, "registered")["wait_seconds"].as_u64().expect("a number"))
    }
}

/// A server of the peer, in one role or more.
pub(crate) struct Server {
    child: Child,
    events: Receiver<Value>,
    /// Told, and not yet asked for.
    waiting: Vec<Value>,
    /// Where it listens.
    pub(crate) url: String,
    /// Its keys, vouchers and uploads.
    pub(crate) folder: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Server {
    /// The next event of a name; others wait until they are asked for.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        if let Some(at) = self.waiting.iter().position(|event| event["event"] == name) {
            return self.waiting.remove(at);
        }
        loop {
            let event = self
                .events
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("the server tells of {name}, not only {:?}", self.waiting));
            if event["event"] == name {
                return event;
            }
            assert_ne!(event["event"], "failed", "{event}");
            self.waiting.push(event);
        }
    }

    /// The file of the voucher that it handed out next.
    pub(crate) fn voucher(&mut self) -> PathBuf {
        text(&self.event("voucher"), "path").into()
    }

    /// A file that it made.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A device of the peer.
pub(crate) struct Device<'p> {
    peer: &'p Peer,
    credential: PathBuf,
    /// As it is called until it is onboarded.
    pub(crate) guid: String,
}

impl Device<'_> {
    /// Onboards it. Gives what it told last, or why it failed; its credential is then as it was.
    pub(crate) fn onboard(&mut self, arguments: &[&str]) -> Result<Value, String> {
        let before = self.credential();
        let mut all = vec!["device", "--onboard", "--credential", path(&self.credential)];
        all.extend(arguments);
        match self.peer.run(&all) {
            Ok(events) => {
                let onboarded = only(&events, "onboarded").clone();
                self.guid = text(&onboarded, "new_guid").to_owned();
                Ok(onboarded)
            }
            Err(why) => {
                assert_eq!(self.credential(), before, "a run that failed changed the credential");
                Err(why)
            }
        }
    }

    fn credential(&self) -> Vec<u8> {
        fs::read(&self.credential).expect("a credential")
    }
}

fn event_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| panic!("a line of JSON: {line}"))
}

/// The one event of a name among those of a run.
fn only<'e>(events: &'e [Value], name: &str) -> &'e Value {
    let mut named = events.iter().filter(|event| event["event"] == name);
    let event = named.next().unwrap_or_else(|| panic!("{name} among {events:?}"));
    assert!(named.next().is_none(), "{name} once among {events:?}");
    event
}

/// What an event says under a name.
pub(crate) fn text<'e>(event: &'e Value, name: &str) -> &'e str {
    event[name].as_str().unwrap_or_else(|| panic!("{name} in {event}"))
}

/// A path as an argument.
pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("a path is text")
}
