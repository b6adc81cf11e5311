//! A device over the library `astarte-device-fdo` (<https://github.com/astarte-platform/astarte-device-fdo-rust>) with our
//! manufacturer, our rendezvous server and our owner. The program is `astarte/`, a workspace of its own that is built into the
//! target folder; where its crates cannot be had, everything here is skipped aloud.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::json;

use crate::{path, peers_device::Site, relay};

/// The peer's program, built once; nothing where it cannot be built, which is said aloud.
fn program() -> Option<&'static Path> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("astarte");
    let cargo = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .arg("--locked")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/onboarding/astarte"))
            .output()
            .expect("cargo runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    };
    // Crates that cannot be fetched are no fault of the program here; one that does not compile is.
    if let Err(why) = cargo(&["fetch", "--target", "host-tuple"]) {
        testkit::skipped(format_args!("astarte-device-fdo cannot be had here: {why}"));
        return None;
    }
    cargo(&["build", "--target-dir", path(&target)]).unwrap_or_else(|why| panic!("{why}"));
    Some(target.join("debug/sextant-onboarding-interop"))
}

/// A site of ours, whose owner is behind the relay, and a device of the peer's.
struct Run {
    site: Site,
    program: &'static Path,
    folder: PathBuf,
}

impl Run {
    fn new(program: &'static Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let site = Site::with(|config| config.public_url = Some(url));
        relay::start(listener, site.operator.agent(), site.operator.url.clone());
        let folder = site.folder.path().join("device");
        Self { site, program, folder }
    }

    fn command(&self, verb: &str, certificate: &Path, last: &str) -> Command {
        let mut command = Command::new(self.program);
        command.args([verb, path(&self.folder), path(certificate), last]).env("NO_PROXY", "127.0.0.1");
        command
    }

    /// Runs the peer. Gives the GUID that it tells, or why it failed.
    fn device(&self, verb: &str, certificate: &Path, last: &str) -> Result<String, String> {
        let output = self.command(verb, certificate, last).output().expect("the peer runs");
        let said = if output.status.success() { output.stdout } else { output.stderr };
        let said = String::from_utf8(said).expect("text").trim_end().to_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    /// Makes the device at our manufacturer's, with nothing between them, and sells it to our owner.
    fn make(&self) -> String {
        let Site { factory, operator, .. } = &self.site;
        let guid = self.device("make", factory.certificate(), &factory.url).expect("a device is made");
        operator.expect(&factory.sell(&guid, &operator.keys("owner")), &guid);
        guid
    }

    fn onboard(&self, how: &str) -> Result<String, String> {
        self.device("onboard", self.site.operator.certificate(), how)
    }
}

#[test]
fn astartes_device_is_made_found_and_onboarded_with_the_credential_that_it_has() {
    let Some(program) = program() else { return };
    let run = Run::new(program);
    let template = json!({ "require": "nothing", "keep_credential": true });
    run.site.operator.set_template("default", &template);
    let guid = run.make();
    // It does so only where both want that.
    let why = run.onboard("replace").expect_err("the credential would stay");
    assert_eq!(why, "invalid value credentials reuse is not enabled");
    for _ in 0..2 {
        assert_eq!(run.onboard("keep").as_ref(), Ok(&guid));
        assert_eq!(run.site.operator.device(&guid)["state"], "onboarded");
    }
}

#[test]
fn astartes_device_reads_no_flag_without_a_value_and_so_no_new_credential() {
    let Some(program) = program() else { return };
    let run = Run::new(program);
    let guid = run.make();
    let why = run.onboard("replace").expect_err("the new credential says to bypass rendezvous");
    assert_eq!(why, "couldn't decode the TO2.SetupDevice payload");
    assert_ne!(run.site.operator.device(&guid)["state"], "replaced");
}

#[test]
fn astartes_device_gets_nothing_where_it_must_attest() {
    let Some(program) = program() else { return };
    let run = Run::new(program);
    run.site.operator.set_template("default", &json!({ "keep_credential": true }));
    let guid = run.make();
    let Site { operator, .. } = &run.site;
    // After an error of the server's it would ask again for minutes.
    let mut device = run.command("onboard", operator.certificate(), "keep").spawn().expect("the peer runs");
    operator.until("it is refused", || operator.device(&guid)["failure"].is_object());
    device.kill().expect("it waits");
    let ended = device.wait().expect("it ends");
    assert!(!ended.success(), "{ended}");
    assert_eq!(operator.device(&guid)["failure"]["code"], "module-missing");
}
