//! A rotation of authorities over real binaries on loopback: the roots change the list, the server relays it, the device obeys
//! the new author and no longer the old one. Needs the binaries of the workspace beside this test, and no root.

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
struct Bench {
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
struct Agent(Child);

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
    fn start() -> Self {
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

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
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

    fn done(&self, line: &str) -> String {
        let output = self.run(line);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}\n{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Runs a line whose answer must be no, for this reason.
    fn refused(&self, line: &str, code: &str) {
        let output = self.run(line);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}\n{text}");
        assert!(text.contains(code), "{line}: expected {code}\n{text}");
    }

    /// Makes a release whose application only waits, signed by this author.
    fn release(&self, number: u64, author: &str) -> String {
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

    fn agent(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("sextant-agent"));
        command.args(arguments).args(["--data", "device"]).current_dir(self.folder.path());
        command.output().expect("the agent runs")
    }

    fn run_agent(&self) -> Agent {
        let mut command = Command::new(binary("sextant-agent"));
        command.args(["--data", "device", "--server", &self.url, "--gateway", "none"]);
        command.arg("--ca").arg(self.certificate());
        command.args(["--attest-ms", "1000", "--poll-ms", "200"]).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Agent(command.spawn().expect("the agent starts"))
    }

    fn status(&self) -> Value {
        let text = fs::read(self.path("device/status.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Publishes a release and rolls it out to the one device.
    fn roll_out(&self, file: &str) {
        let told: Value =
            serde_json::from_str(&self.done(&format!("release publish {file} --json"))).expect("JSON");
        let release = told["manifest_digest"].as_str().expect("a digest");
        let made = self.done(&format!("campaign create --release {release} --model camera --json"));
        let made: Value = serde_json::from_str(&made).expect("JSON");
        self.done(&format!("campaign start {}", made["id"]));
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn roots_replace_an_author_and_the_fleet_follows_them_and_not_the_server() {
    let bench = Bench::start();
    for name in ["alice", "bob", "old", "new", "stranger"] {
        bench.done(&format!("key new --alg ES256 -o {name}.key"));
    }
    bench.done("authority new --roots 2 -o first.cbor");
    for (key, role) in [("alice", "root"), ("bob", "root"), ("old", "author")] {
        bench.done(&format!("authority add first.cbor --key {key}.key --role {role} --name {key}"));
    }
    bench.done("authority publish first.cbor");

    let made = bench.agent(&[
        "init",
        "--authorities",
        "first.cbor",
        "--vendor-domain",
        "maker.example",
        "--class",
        "camera",
        "--update-server-key",
        bench.path("server/keys/update-server.key").to_str().expect("a path"),
    ]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let identification: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let list = serde_json::json!([{ "name": "cam", "model": "camera", "group": "lab",
        "ueid": identification["ueid"], "key": identification["key"] }]);
    fs::write(bench.path("devices.json"), list.to_string()).expect("a list");
    bench.done("device enrol devices.json");

    let first = bench.release(1, "old");
    let agent = bench.run_agent();
    bench.roll_out(&first);
    wait_until("the first release", || bench.status()["sequence"] == 1);

    // The roots sign apart; the server cannot make a change of its own, nor can the author.
    fs::copy(bench.path("first.cbor"), bench.path("second.cbor")).expect("a copy");
    bench.done("authority remove second.cbor --name old");
    bench.done("authority add second.cbor --key new.key --role author --name new");
    bench.done("authority update new --from first.cbor --to second.cbor -o change");
    for name in ["alice", "bob", "old"] {
        bench.done(&format!("authority update sign change --key {name}.key -o by-{name}"));
    }
    bench.refused("authority update publish by-alice", "authority-root-signatures-missing");
    bench.done("authority update merge by-alice by-old -o by-both");
    bench.refused("authority update publish by-both", "authority-not-root");
    assert_eq!(bench.status()["authorities_version"], 1);
    bench.done("authority update merge by-alice by-bob -o signed");
    bench.done("authority update verify signed --authorities first.cbor -o after.cbor");
    bench.done("authority update publish signed");
    wait_until("the new list on the device", || bench.status()["authorities_version"] == 2);

    // The old author is refused by the server, and by the device itself.
    let by_old = bench.release(2, "old");
    bench.refused(&format!("release publish {by_old}"), "unknown-signer");
    drop(agent);
    let refused = bench.agent(&["install", &by_old]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("unknown-signer"), "{told}");

    // After a restart the device does not start what the old author signed, and takes what the new one did.
    let _agent = bench.run_agent();
    let by_new = bench.release(3, "new");
    bench.roll_out(&by_new);
    wait_until("the release of the new author", || {
        let status = bench.status();
        status["sequence"] == 3 && status["running"]["sequence"] == 3 && status["authorities_version"] == 2
    });
}
