//! A server and a device over the binaries of the workspace, on loopback and in one folder. Needs no root.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder in which everybody's files lie, and the processes that run in it.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    server: Option<Child>,
    url: String,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // One that ended by itself is as good.
            let _killed = server.kill();
            let _status = server.wait();
        }
    }
}

/// An agent that runs; it is killed when dropped.
pub(super) struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The binaries were built into the folder above that of the tests.
fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(Path::parent).expect("tests are in target/<profile>/deps");
    let path = folder.join(name);
    assert!(path.exists(), "{} is not there: run `cargo build --workspace` first", path.display());
    path
}

impl Bench {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Command::new(binary("sextant"))
            .args([
                "up",
                "--data",
                "server",
                "--listen",
                "127.0.0.1:0",
                "--poll-interval",
                "1s",
                "--period",
                "1s",
            ])
            .args(["--attestations-a-minute", "1000"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut lines = BufReader::new(server.stderr.take().expect("a pipe")).lines();
        let url = loop {
            let line = lines.next().expect("the server says where it listens").expect("text");
            if let Some(address) = line.split("listening on ").nth(1) {
                break format!("https://{}", address.trim());
            }
        };
        // Whoever does not read what a process says stops it in the end.
        thread::spawn(move || lines.for_each(drop));
        let bench = Self { folder, server: Some(server), url };
        wait_until("the administrator's token", || bench.path("server/admin.token").exists());
        bench
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn run(&self, line: &str) -> Output {
        let mut command = Command::new(binary("sextant"));
        command.args(line.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        let token = fs::read_to_string(self.path("server/admin.token")).expect("the administrator's token");
        command.env("SEXTANT_SERVER", &self.url).env("SEXTANT_TOKEN", token.trim());
        command.env("SEXTANT_CA", self.certificate());
        command.output().expect("the binary runs")
    }

    fn certificate(&self) -> PathBuf {
        self.path("server/tls/cert.pem")
    }

    pub(super) fn done(&self, line: &str) -> String {
        let output = self.run(line);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}\n{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Runs a line whose answer must be no, for this reason.
    pub(super) fn refused(&self, line: &str, code: &str) {
        let output = self.run(line);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}\n{text}");
        assert!(text.contains(code), "{line}: expected {code}\n{text}");
    }

    /// Makes a release whose application only waits, signed by this author.
    pub(super) fn release(&self, number: u64, author: &str) -> String {
        let image = format!("#!/bin/sh\n# {number}\nexec sleep 600\n");
        fs::write(self.path("app"), image).expect("an image");
        let recipe = format!(
            "[release]\nvendor = \"maker.example\"\nclass = \"camera\"\nversion = \"1.{number}.0\"\nsequence = {number}\n\n\
             [[component]]\nid = \"app\"\nimage = \"app\"\ninvoke = true\n"
        );
        fs::write(self.path("recipe.toml"), recipe).expect("a recipe");
        let file = format!("release-{number}.suit");
        self.done(&format!("suit build recipe.toml --key {author}.key -o {file}"));
        file
    }

    pub(super) fn agent(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("sextant-agent"));
        command.args(arguments).args(["--data", "device"]).current_dir(self.folder.path());
        command.output().expect("the agent runs")
    }

    /// Makes the device with this list and these further options, and enrols it; gives its identity.
    pub(super) fn make_device(&self, authorities: &str, more: &[&str]) -> String {
        let init =
            ["init", "--authorities", authorities, "--vendor-domain", "maker.example", "--class", "camera"];
        // It believes answers to polls by this server alone.
        let server = self.path("server/keys/update-server.key");
        let server = ["--update-server-key", server.to_str().expect("a path")];
        let made = self.agent(&[&init[..], &server, more].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let identification: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        let list = serde_json::json!([{ "name": "cam", "model": "camera", "group": "lab",
            "ueid": identification["ueid"], "key": identification["key"] }]);
        fs::write(self.path("devices.json"), list.to_string()).expect("a list");
        self.done("device enrol devices.json");
        identification["ueid"].as_str().expect("an identity").to_owned()
    }

    pub(super) fn run_agent(&self) -> Agent {
        let mut command = Command::new(binary("sextant-agent"));
        command.args(["--data", "device", "--server", &self.url, "--gateway", "none"]);
        command.arg("--ca").arg(self.certificate());
        command.args(["--attest-ms", "1000", "--poll-ms", "200"]).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Agent(command.spawn().expect("the agent starts"))
    }

    pub(super) fn status(&self) -> Value {
        let text = fs::read(self.path("device/status.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Publishes a release and rolls it out to the one device.
    pub(super) fn roll_out(&self, file: &str) {
        let told: Value =
            serde_json::from_str(&self.done(&format!("release publish {file} --json"))).expect("JSON");
        let release = told["manifest_digest"].as_str().expect("a digest");
        let made = self.done(&format!("campaign create --release {release} --model camera --json"));
        let made: Value = serde_json::from_str(&made).expect("JSON");
        self.done(&format!("campaign start {}", made["id"]));
    }
}

pub(super) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
