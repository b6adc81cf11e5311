//! A device in a folder, and the releases it is offered.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod gateway;
pub(crate) mod server;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use cose::Key;
use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};
use sextant_agent::{Identification, Status};
use suit::{
    Authority, AuthorityList, AuthorityPolicy, ComponentId, Envelope, ImageRecipe, ReleaseRecipe, Role, Uuid,
    Variant,
};

use self::server::FakeServer;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with a device, and the server it talks to.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: FakeServer,
    pub(crate) ueid: String,
    key: Option<PublicKey>,
    /// The COSE_Key that payloads for it are encrypted to.
    pub(crate) encryption_key: Option<Vec<u8>>,
}

/// An agent that runs; it is killed when dropped.
pub(crate) struct Agent {
    child: Child,
}

pub(crate) fn author() -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[1; 32]).unwrap()
}

/// Who may change the list of authorities.
pub(crate) fn root() -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[50; 32]).unwrap()
}

/// Signs what devices are answered when they ask for updates.
pub(crate) fn update_server() -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[60; 32]).unwrap()
}

/// A list of this author and the root.
pub(crate) fn authorities(author: &SigningKey) -> AuthorityList {
    let entry = |key: &SigningKey, name: &str, role| {
        Authority::new(key.public_key().clone(), name.as_bytes(), name, role)
    };
    let entries = vec![entry(author, "author", Role::Author), entry(&root(), "root", Role::Root)];
    AuthorityList::new(AuthorityPolicy::default(), entries).unwrap()
}

pub(crate) fn vendor() -> Uuid {
    Uuid::vendor("maker.example")
}

impl Bench {
    /// A device that was made, and enrolled at the server.
    pub(crate) fn new() -> Self {
        Self::with(&[], FakeServer::start())
    }

    /// The same with more options for `init`, and this server.
    pub(crate) fn with(more: &[&str], server: FakeServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let list = authorities(&author());
        let authorities = folder.path().join("authorities");
        fs::write(&authorities, list.to_bytes()).unwrap();
        fs::write(folder.path().join("ca.pem"), &server.certificate).unwrap();
        let mut bench = Self { folder, server, ueid: String::new(), key: None, encryption_key: None };
        let init = ["init", "--authorities", authorities.to_str().unwrap()];
        let target = ["--vendor-domain", "maker.example", "--class", "camera"];
        let output = bench.agent(&[&init[..], &target[..], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let identification: Identification = serde_json::from_slice(&output.stdout).unwrap();
        let key: PublicKey = Key::decode(&identification.key.0).unwrap().public().clone();
        bench.server.enrol(&identification.ueid, key.clone());
        bench.key = Some(key);
        bench.encryption_key = identification.encryption_key.map(|key| key.0);
        bench.ueid = identification.ueid;
        bench
    }

    /// A device that was told which key signs the answers of its update server.
    pub(crate) fn with_update_server_key(server: FakeServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("update-server.key");
        fs::write(&path, Key::from_public(update_server().public_key()).encode()).unwrap();
        Self::with(&["--update-server-key", path.to_str().unwrap()], server)
    }

    /// The device's public key.
    pub(crate) fn key(&self) -> PublicKey {
        self.key.clone().unwrap()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs a command of the agent to its end.
    pub(crate) fn agent(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--data").arg(self.data()).output().unwrap()
    }

    /// Installs a release as the factory does.
    pub(crate) fn install(&self, envelope: &[u8]) -> Output {
        let path = self.folder.path().join("factory.suit");
        fs::write(&path, envelope).unwrap();
        self.agent(&["install", path.to_str().unwrap()])
    }

    /// Starts the agent.
    pub(crate) fn run(&self, more: &[&str]) -> Agent {
        self.run_as(Command::new(binary()), more)
    }

    /// Starts the agent so that no file may be longer than this many blocks of 512 bytes, as when a disk is full.
    pub(crate) fn run_with_little_room(&self, blocks: u64, more: &[&str]) -> Agent {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")).arg(binary());
        self.run_as(command, more)
    }

    fn run_as(&self, mut command: Command, more: &[&str]) -> Agent {
        command.arg("--data").arg(self.data()).arg("--server").arg(&self.server.url);
        command.arg("--ca").arg(self.folder.path().join("ca.pem"));
        if !more.contains(&"--gateway") {
            command.args(["--gateway", "none"]);
        }
        if !more.contains(&"--attest-ms") {
            command.args(["--attest-ms", "1000"]);
        }
        if !more.contains(&"--stall-ms") {
            command.args(["--stall-ms", "2000"]);
        }
        command.args(["--poll-ms", "100"]).args(more);
        // What is read from now on is of this agent.
        let _absent = fs::remove_file(self.data().join("status.json"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if std::env::var_os("RUST_LOG").is_none() {
            command.stderr(Stdio::null());
        }
        Agent { child: command.spawn().unwrap() }
    }

    /// What the agent wrote down last.
    pub(crate) fn status(&self) -> Status {
        let text = fs::read(self.data().join("status.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Waits until the status is as wanted.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        wait_until(what, || wanted(&self.status()));
        self.status()
    }

    /// Waits until the release with this number runs and is committed.
    pub(crate) fn wait_for_release(&self, number: u64) -> Status {
        self.wait_for(&format!("release {number} committed"), |status| {
            status.sequence == number
                && status.running.as_ref().is_some_and(|running| running.sequence == number && !running.trial)
        })
    }

    /// What the program of a release wrote when it was started.
    pub(crate) fn program_ran(&self, number: u64) -> bool {
        self.folder.path().join(format!("ran-{number}")).exists()
    }

    /// An image of at least this size: a program that notes that it ran.
    pub(crate) fn image(&self, number: u64, size: usize) -> Vec<u8> {
        let mark = self.folder.path().join(format!("ran-{number}"));
        let mut image = format!("#!/bin/sh\necho $$ > '{}'\nexec sleep 600\n", mark.display()).into_bytes();
        // Bytes that differ everywhere, so that a piece in a wrong place is seen.
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        while image.len() < size {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            image.extend_from_slice(&state.to_be_bytes());
        }
        image
    }

    /// A release with an image of about this size.
    pub(crate) fn release(&self, number: u64, size: usize) -> Release {
        self.release_of(&author(), number, size, "#app")
    }

    /// The same by another author.
    pub(crate) fn release_by(&self, author: &SigningKey, number: u64, size: usize) -> Release {
        self.release_of(author, number, size, "#app")
    }

    /// A release whose image is fetched from there.
    pub(crate) fn release_from(&self, number: u64, size: usize, uri: &str) -> Release {
        self.release_of(&author(), number, size, uri)
    }

    fn release_of(&self, author: &SigningKey, number: u64, size: usize, uri: &str) -> Release {
        let image = self.image(number, size);
        let variant =
            Variant { slot: None, digest: digest(&image), size: image.len() as u64, uri: Some(uri.into()) };
        let component = ComponentId::new(&["app"]).unwrap();
        let recipe = ReleaseRecipe {
            sequence_number: number,
            vendor: vendor(),
            class: Uuid::class(&vendor(), b"camera"),
            images: vec![ImageRecipe { component, variants: vec![variant], invoke: true }],
        };
        let mut envelope = recipe.manifest().unwrap().build(HashAlgorithm::Sha256).unwrap();
        if uri.starts_with('#') {
            envelope.payload(uri, &image);
        }
        envelope.sign(author, Some(b"author"));
        Release::new(envelope.to_bytes(), &image)
    }
}

/// A release as a server has it.
#[derive(Clone)]
pub(crate) struct Release {
    pub(crate) envelope: Vec<u8>,
    pub(crate) manifest: Digest,
    /// What evidence must list, by name.
    pub(crate) expected: BTreeMap<String, Digest>,
}

impl Release {
    pub(crate) fn new(envelope: Vec<u8>, image: &[u8]) -> Self {
        let manifest = Envelope::decode(&envelope).unwrap().manifest_digest_claimed();
        Self { envelope, manifest, expected: BTreeMap::from([("app".to_owned(), digest(image))]) }
    }

    /// The same signed manifest with a bit of its image flipped.
    pub(crate) fn damaged(&self) -> Self {
        let decoded = Envelope::decode(&self.envelope).unwrap();
        let mut image = decoded.integrated("#app").unwrap().to_vec();
        image[100] ^= 1;
        Self { envelope: decoded.with_payload("#app", &image), ..self.clone() }
    }
}

impl Agent {
    /// An agent that was started in another way.
    pub(crate) fn of(child: Child) -> Self {
        Self { child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `kill -TERM`; returns when it has ended.
    pub(crate) fn terminate(mut self) {
        let status = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // One that ended by itself is as good.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes)
}

/// The agent under test; `SEXTANT_AGENT` names another build of it.
fn binary() -> OsString {
    std::env::var_os("SEXTANT_AGENT").unwrap_or_else(|| env!("CARGO_BIN_EXE_sextant-agent").into())
}

/// The most memory a process had resident so far, its program included, in KiB.
pub(crate) fn peak_memory(id: u32) -> u64 {
    memory(id, "VmHWM:")
}

/// The memory of a process that is not its program or another file, in KiB.
pub(crate) fn own_memory(id: u32) -> u64 {
    memory(id, "RssAnon:")
}

fn memory(id: u32, name: &str) -> u64 {
    let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Whether a process is there and not only waiting to be noticed.
pub(crate) fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits for a condition.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
