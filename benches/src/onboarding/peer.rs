//! Our server beside that of go-fdo, under the same devices.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use fdo::{DeviceChain, OwnerAddress, Pins, Target, Transport, Voucher};
use fdo_http::Client;
use sim::Process;
use tempfile::TempDir;

use super::{
    device::{self, Took},
    process::{Server, Usage, free_address},
    stock::{self, Factory, Waiting},
    stored::{import, owner_key, public_file, write},
};
use crate::{
    Effort,
    report::{Row, Section},
    sample::{Sample, rate, time},
};

/// Devices at work at once.
const THREADS: usize = 8;
/// How long a server may take to be ready.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (rounds, of_round): (usize, usize) = effort.of((2, 20), (10, 200));
    let count = rounds * of_round;
    let folder = tempfile::tempdir().context("making a folder")?;
    let program = match build(&folder) {
        Ok(program) => program,
        Err(why) => return Ok(Section::skipped(TITLE, why)),
    };
    let factory = Factory::new()?;
    let (server, ours) = ours(&folder, &factory, count)?;
    let (peer, theirs) = Peer::start(&folder, &program, &factory, count)?;

    let (mut of_us, mut of_them) = (Measured::default(), Measured::default());
    for round in 0..rounds {
        let part = |stock: &'_ [Waiting]| round * of_round..((round + 1) * of_round).min(stock.len());
        of_us.add(&ours[part(&ours)], || server.usage())?;
        of_them.add(&theirs[part(&theirs)], || peer.usage())?;
    }
    let ratio = of_us.per_second() / of_them.per_second();
    let rows = vec![
        Row {
            what: format!("TO1 and TO2 of {count} devices, {THREADS} at once"),
            figure: of_us.to_string(),
            beside: format!(
                "go-fdo: {of_them}; ours at {ratio:.2} of its rate in the median of {rounds} rounds"
            ),
            budget: None,
        },
        Row {
            what: "processor time of the server for TO1 and TO2 of a device".into(),
            figure: time(of_us.cpu_each()),
            beside: format!("go-fdo: {}, with everything in memory", time(of_them.cpu_each())),
            budget: Some(("≤ 5 ms", of_us.cpu_each() <= 0.005)),
        },
    ];
    Ok(Section::new(TITLE, METHOD, rows))
}

/// What came of the rounds of one server.
#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    each: Vec<Duration>,
    cpu: f64,
}

impl Measured {
    fn add(&mut self, devices: &[Waiting], usage: impl Fn() -> Result<Usage>) -> Result<()> {
        let before = usage()?.cpu;
        let Took { wall, each } = device::onboard(devices, THREADS)?;
        self.cpu += usage()?.cpu - before;
        self.rates.push(each.len() as f64 / wall.as_secs_f64());
        self.each.extend(each);
        Ok(())
    }

    /// In the median of the rounds.
    fn per_second(&self) -> f64 {
        Sample::new(self.rates.clone()).median()
    }

    fn cpu_each(&self) -> f64 {
        self.cpu / self.each.len() as f64
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each = Sample::of_durations(self.each.iter().copied());
        let (median, late) = (time(each.median()), time(each.quantile(0.99)));
        write!(f, "{}, p50 {median}, p99 {late}", rate(self.per_second()))
    }
}

/// Our server with its devices registered. It asks no more of them than the peer does.
fn ours(folder: &TempDir, factory: &Factory, count: usize) -> Result<(Server, Vec<Waiting>)> {
    let manufacturer = public_file(folder, "manufacturer.pem", factory.key.public_key())?;
    let listen = free_address()?;
    let server = Server::start(folder.path(), "ours", listen, &["--manufacturer", &manufacturer])?;
    let template = r#"{"require":"nothing"}"#;
    let path = "/api/v1/onboarding/templates/default";
    server.admin()?.send("PUT", path, "application/json", template.as_bytes(), 204)?;
    let owner = owner_key(&server)?;
    let stock = factory.make("ours", count, &stock::rendezvous(listen, false), &owner)?;
    import(&server, &stock)?;
    let began = Instant::now();
    while stock.iter().any(|device| {
        let guid = store::Guid(device.credential.guid.0);
        !is_registered(&server, &guid.to_string()).unwrap_or(false)
    }) {
        if began.elapsed() > PATIENCE {
            bail!("our devices are not registered");
        }
        thread::sleep(Duration::from_millis(200));
    }
    Ok((server, stock))
}

fn is_registered(server: &Server, guid: &str) -> Result<bool> {
    let path = format!("/api/v1/onboarding/devices/{guid}");
    let device = server.admin()?.send("GET", &path, "", b"", 200)?;
    let device: api::Onboarding = serde_json::from_slice(&device)?;
    Ok(device.registration.until.is_some())
}

/// The peer's server.
struct Peer {
    process: Process,
}

impl Peer {
    /// Starts it with its devices' vouchers, and registers them with it.
    fn start(
        folder: &TempDir,
        program: &Path,
        factory: &Factory,
        count: usize,
    ) -> Result<(Self, Vec<Waiting>)> {
        let (listen, owner) = (free_address()?, stock::key("owner of the peer", 0)?);
        let pem = x509::pem::encode("PRIVATE KEY", &owner.to_pkcs8_der());
        let owner_file = write(folder.path(), "owner.pem", &pem)?;
        let stock = factory.make("theirs", count, &stock::rendezvous(listen, false), owner.public_key())?;
        let vouchers = write(folder.path(), "vouchers.pem", &stock::file_of(&stock))?;
        let mut command = Command::new(program);
        command.args(["server", "--roles", "rv,owner", "--tls", "--listen", &listen.to_string(), "--data"]);
        command.arg(folder.path().join("peer")).args(["--owner-key", &owner_file, "--import", &vouchers]);
        let mut process = Process::start("peer", command, folder.path())?;
        let (log, began) = (folder.path().join("peer.log"), Instant::now());
        while !fs::read_to_string(&log).is_ok_and(|log| log.contains("\"listening\"")) {
            process.check()?;
            if began.elapsed() > PATIENCE {
                bail!("the peer does not start: {}", process.tail());
            }
            thread::sleep(Duration::from_millis(50));
        }
        let target = Target::from_url(&format!("https://{listen}")).ok().context("a URL")?;
        let address = OwnerAddress {
            ip: Some(listen.ip()),
            dns: None,
            port: listen.port(),
            transport: Transport::Https,
        };
        for device in &stock {
            let owned = Voucher::decode(&device.voucher)?;
            let owned =
                owned.claim(&fdo::Key::from(owner.public_key().clone()), DeviceChain::OfManufacturer)?;
            let addresses = std::slice::from_ref(&address);
            fdo_http::register(
                &Client::default(),
                &target,
                &Pins::default(),
                &owned,
                addresses,
                86_400,
                &owner,
            )?;
        }
        Ok((Self { process }, stock))
    }

    fn usage(&self) -> Result<Usage> {
        Usage::of(self.process.id())
    }
}

/// Builds the peer's program, or says why it cannot be.
fn build(folder: &TempDir) -> std::result::Result<PathBuf, String> {
    let program = folder.path().join("go-fdo-peer");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/onboarding/go-fdo");
    let mut command = Command::new("go");
    command.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".").current_dir(source);
    match command.output() {
        Err(_) => Err("there is no Go to build go-fdo with".into()),
        Ok(built) if built.status.success() => Ok(program),
        Ok(built) => {
            let said = String::from_utf8_lossy(&built.stderr).into_owned();
            Err(format!("go-fdo cannot be built: {}", said.lines().next().unwrap_or("nothing was said")))
        }
    }
}

const TITLE: &str = "Onboarding beside go-fdo";

const METHOD: &str = "Both servers are processes of their own that are rendezvous server and owner, over TLS 1.3 with a connection for each \
    protocol; go-fdo's is the program of `tests/interop/onboarding`, with its sessions, vouchers and registrations in memory, where ours has its \
    store on this machine's disk and seals sessions into tokens. The same devices ask both, made alike with keys on P-256, eight at once: TO1, then \
    TO2 with ECDH256 and A128GCM, no module beyond `devmod`, credentials replaced, nothing asked of the device (`require: nothing`). \
    Rounds of 200 devices each in turn; the devices run on the same two cores. Vouchers and registrations are there beforehand. Processor time is \
    the kernel's figure of each server's process in those rounds.";
