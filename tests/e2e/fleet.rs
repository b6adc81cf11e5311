//! A fleet of simulated devices against the real server: told untrusted when changed, cured and moved on by a campaign.
//! Needs the binary `sextant` beside this test, and no root.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use sim::fleet::Summary;

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(50);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(200);
const DEVICES: usize = 50;
const CHANGED: usize = 3;
const CANARIES: usize = 5;

/// The binaries were built into the folder above that of the tests.
fn sextant() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("tests are in target/<profile>/deps");
    let path = folder.join("sextant");
    assert!(path.exists(), "{} is not there: run `cargo build --workspace` first", path.display());
    path
}

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// A folder with an operator's and an author's things in it, and a server that runs from there.
struct Desk {
    folder: tempfile::TempDir,
    server: String,
    _running: Running,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let log = fs::File::create(folder.path().join("log")).expect("a log");
        let up =
            "up --data data --listen 127.0.0.1:0 --poll-interval 1s --period 1s --attestations-a-minute 600";
        let running = Command::new(sextant())
            .args(up.split(' '))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let running = Running(running);
        let address = until("the server listens", || {
            let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            log.lines().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned)).ok_or(log)
        });
        Self { server: format!("https://{address}"), folder, _running: running }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(sextant());
        command.args(line.split(' ')).current_dir(self.path()).stdin(Stdio::null());
        command.env("SEXTANT_SERVER", &self.server).env("SEXTANT_CA", "data/tls/cert.pem");
        let token = fs::read_to_string(self.path().join("data/admin.token")).unwrap_or_default();
        command.env("SEXTANT_TOKEN", token.trim());
        command
    }

    /// Runs a command line that must succeed.
    fn run(&self, line: &str) -> String {
        let Output { status, stdout, stderr } = self.command(line).output().expect("the binary runs");
        assert!(status.success(), "{line}: {status}\n{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).expect("text")
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(&format!("{line} --json"))).expect("JSON")
    }

    /// Builds a release around an image of its own.
    fn build(&self, version: &str, sequence: u32) -> String {
        let image: Vec<u8> = version.bytes().cycle().take(50_000).collect();
        fs::write(self.path().join("image"), image).expect("an image");
        let recipe = format!(
            "[release]\nvendor = \"maker.example\"\nclass = \"sensor\"\nversion = \"{version}\"\n\
             sequence = {sequence}\n[[component]]\nid = \"app\"\nimage = \"image\"\ninvoke = true\n"
        );
        fs::write(self.path().join("recipe.toml"), recipe).expect("a recipe");
        let file = format!("release-{version}.suit");
        self.run(&format!("suit build recipe.toml --key author.key -o {file}"));
        self.run(&format!("release publish {file}"));
        file
    }

    /// How many devices match.
    fn count(&self, filter: &str) -> usize {
        self.json(&format!("device ls {filter}")).as_array().map_or(0, Vec::len)
    }
}

/// Waits until something is there.
fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(last) => assert!(Instant::now() < end, "{what} did not come true; last seen: {last}"),
        }
        thread::sleep(LOOK);
    }
}

fn digest(desk: &Desk, version: &str) -> String {
    let releases = desk.json("release ls");
    let release = releases.as_array().expect("a list").iter().find(|release| release["version"] == version);
    release.expect("it was published")["manifest_digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn fifty_devices_are_told_apart_when_changed_and_all_end_on_the_new_release() {
    let desk = Desk::new();
    until("the server makes its credential", || {
        fs::metadata(desk.path().join("data/admin.token")).map(drop).map_err(|error| error.to_string())
    });
    desk.run("key new --alg ES256 -o author.key --public author.pub");
    desk.run("authority new -o authorities.cbor");
    desk.run(
        "authority add authorities.cbor --key author.pub --role author --name Maker --vendor maker.example",
    );
    desk.run("authority publish authorities.cbor");
    let first = desk.build("1.0.0", 1);

    let line = format!(
        "sim --devices {DEVICES} --server {} --ca data/tls/cert.pem --token-file data/admin.token \
         --model maker.example/sensor --release {first} --authorities authorities.cbor --for 10m --attest 2s \
         --poll 1s --ramp 1s --tamper {CHANGED} --tamper-after 3s --connections 8 --seed 11 --json",
        desk.server
    );
    let fleet = desk.command(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut fleet = Running(fleet.expect("the fleet starts"));

    // Nothing is offered yet, so what was changed stays that way.
    until("changed devices are untrusted and all others trusted", || {
        let (good, bad) = (desk.count("posture:trusted"), desk.count("posture:untrusted"));
        if (good, bad) == (DEVICES - CHANGED, CHANGED) { Ok(()) } else { Err(format!("{good} and {bad}")) }
    });

    desk.build("1.1.0", 2);
    let release = digest(&desk, "1.1.0");
    let create =
        format!("campaign create --release {release} --model maker.example/sensor --canary {CANARIES}");
    let campaign = desk.json(&create)["id"].as_i64().expect("a number");
    desk.run(&format!("campaign start {campaign}"));
    let campaign = until("every device attested the new release", || {
        let campaign = desk.json(&format!("campaign show {campaign}"));
        if campaign["state"] == "done" { Ok(campaign) } else { Err(campaign["attested"].to_string()) }
    });
    assert_eq!(campaign["attested"], DEVICES);
    let parts = campaign["devices"].as_array().expect("its devices");
    let attested_at = |is_canary: bool| {
        let wave = parts.iter().filter(move |part| (part["wave"] == 0) == is_canary);
        wave.map(|part| part["at"].as_str().expect("a time").to_owned())
    };
    assert_eq!(attested_at(true).count(), CANARIES);
    assert!(attested_at(true).max() <= attested_at(false).min(), "the canaries were first");
    assert_eq!(desk.count("posture:trusted"), DEVICES);

    // An interrupt ends it in order, with its account.
    let interrupted = Command::new("sh").arg("-c").arg(format!("kill -INT {}", fleet.0.id())).status();
    assert!(interrupted.expect("a signal").success());
    let status = fleet.0.wait().expect("the fleet ends");
    let mut told = String::new();
    std::io::Read::read_to_string(&mut fleet.0.stdout.take().expect("a pipe"), &mut told).expect("text");
    let summary: Summary = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert!(status.success() && summary.ok, "{told}");
    let all = |word: &str| [(word.to_owned(), DEVICES as u64)].into();
    assert_eq!(summary.postures, all("trusted"));
    assert_eq!(summary.versions, all("1.1.0"));
    assert_eq!(summary.running, all("2"));
    let changed = summary.changed;
    let counts = [changed.devices, changed.found, changed.cured].map(|count| count as usize);
    assert_eq!((counts, changed.missed, changed.unseen), ([CHANGED; 3], 0, 0));
    assert!(summary.installations >= DEVICES as u64 && summary.attestations > 2 * DEVICES as u64, "{told}");

    // The same seed is the same fleet: nobody is enrolled again.
    let again = line.replace("--for 10m", "--for 1s").replace("--tamper 3", "--tamper 0");
    let again = desk.command(&again).output().expect("the fleet starts again");
    let again: Summary = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!((summary.enrolled, again.enrolled), (DEVICES as u64, 0));
    assert_eq!(desk.count("group:sim-11"), DEVICES);
}

#[test]
fn a_fleet_with_a_server_of_its_own_needs_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let line = "sim --devices 20 --for 20s --attest 2s --poll 1s --ramp 1s --tamper 2 --tamper-after 3s \
                --offline 10% --update-after 6s --model a.example/lamp --model b.example/lock --json";
    let output = Command::new(sextant())
        .args(line.split_whitespace())
        .env("TMPDIR", folder.path())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the fleet starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let summary: Summary = serde_json::from_str(&told)
        .unwrap_or_else(|error| panic!("{error}: {told}{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!((summary.changed.devices, summary.changed.missed, summary.vanishing), (2, 0, 2), "{told}");
    assert_eq!(output.status.code(), Some(i32::from(!summary.ok)), "{told}");
    assert!(summary.ok && summary.server_peak_kib.is_some(), "{told}");
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0, "it leaves nothing behind");
}

#[test]
fn a_fleet_that_begins_in_the_factory_is_onboarded_and_lives_on() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let line = "sim --onboard --devices 30 --connections 8 --seed 5 --for 12s --attest 2s --poll 1s --ramp 1s --tamper 2 \
                --tamper-after 3s --update-after 6s --model a.example/lamp --model b.example/lock --json --data data";
    let run = || {
        let output = Command::new(sextant())
            .args(line.split_whitespace())
            .env("TMPDIR", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the fleet starts");
        (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, told, complaints) = run();
    let told = String::from_utf8_lossy(&told);
    let summary: Summary =
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}{complaints}"));
    let onboarded = summary.onboarded.as_ref().expect("they were onboarded");
    let done: Vec<_> = onboarded
        .phases
        .iter()
        .map(|phase| (phase.name.as_str(), phase.done, phase.failures.len()))
        .collect();
    assert_eq!(
        done,
        ["make", "sell", "import", "register", "find", "onboard"].map(|name| (name, 30, 0)),
        "{told}"
    );
    assert!(onboarded.phases.iter().all(|phase| phase.per_s > 0.0 && phase.server_cpu_s.is_some()), "{told}");
    let timed = onboarded.phases.iter().filter(|phase| phase.name != "register");
    assert!(timed.clone().all(|phase| phase.latency.p50_ms > 0.0), "{told}");
    assert_eq!((onboarded.devices, summary.enrolled), (30, 0), "{told}");
    // They live as the others do: trusted where they are what they say, and found where they were changed.
    assert_eq!((summary.changed.devices, summary.changed.missed), (2, 0), "{told}");
    assert!(summary.ok && summary.attestations > 30, "{told}");
    assert_eq!(summary.postures.values().sum::<u64>(), 30, "{told}");
    assert_eq!(status, Some(0), "{told}");

    // Nobody makes the same devices again.
    let (status, _, complaints) = run();
    assert_eq!(status, Some(2), "{complaints}");
    assert!(complaints.contains("sim-5") && complaints.contains("another seed"), "{complaints}");
}
