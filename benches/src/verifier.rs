//! The verifier as devices meet it: over HTTPS, each answer on the disk before it is given; and how long it takes to judge
//! all of them again.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use api::{Base64Url, Session};
use crypto::{SignatureAlgorithm, SigningKey};
use eat::{DebugStatus, EvidenceClaims, Nonce, Ueid};
use server::{Config, ManualClock, Server};
use store::Timestamp;
use suit::Uuid;
use tempfile::TempDir;

use crate::{
    Effort,
    fixture::{APPLICATION, CLASS, Cast, NOW, VENDOR},
    https::{Client, Pinned},
    report::{Row, Section},
    sample::{Sample, rate, time},
};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    // One size after another, such as `100000,1000000`.
    let sizes: Vec<usize> = match std::env::var("SEXTANT_BENCH_DEVICES") {
        Ok(text) => text
            .split(',')
            .map(|size| size.trim().parse().context("SEXTANT_BENCH_DEVICES"))
            .collect::<Result<_>>()?,
        Err(_) => vec![effort.of(2_000, 100_000)],
    };
    let rows: Vec<[Row; 2]> = sizes.into_iter().map(measure_with).collect::<Result<_>>()?;
    Ok(Section::new(
        "Attestation over HTTPS, and judging again",
        METHOD,
        rows.into_iter().flatten().collect(),
    ))
}

fn measure_with(devices: usize) -> Result<[Row; 2]> {
    let site = Site::start()?;
    let release = site.publish_sequence(1)?;
    let fleet: Vec<Device> = (0..devices as u64).map(Device::new).collect();
    site.enrol(&fleet)?;

    let (answers, took) = site.attest(&fleet)?;
    let per_second = devices as f64 / took.as_secs_f64();
    let (median, late) = (answers.median(), answers.quantile(0.99));
    let attesting = Row {
        what: format!(
            "evidence → signed result over HTTPS, recorded; {devices} devices, {CONNECTIONS} connections"
        ),
        figure: format!(
            "{}, the evidence's answer p50 {}, p99 {}",
            rate(per_second),
            time(median),
            time(late)
        ),
        beside: "two requests each: the challenge, then the evidence".into(),
        budget: Some(("≥ 2,000/s, p99 < 50 ms", per_second >= 2000.0 && late < 0.05)),
    };

    let began = Instant::now();
    site.admin()?.post_json(
        &format!("/api/v1/releases/{release}/revoke"),
        "{\"reason\":\"measured\"}",
        204,
    )?;
    while site.some_are("trusted")? {
        std::thread::sleep(Duration::from_millis(20));
        ensure!(
            began.elapsed() < Duration::from_secs(1800),
            "devices of a revoked release are still trusted"
        );
    }
    let took = began.elapsed();
    let revoking = Row {
        what: format!("one revocation → all {devices} stored evidences judged and decided about again"),
        figure: format!("{:.1} s, {}", took.as_secs_f64(), rate(devices as f64 / took.as_secs_f64())),
        beside: "each gets a new decision and an entry of the audit chain".into(),
        budget: None,
    };
    site.stop();
    Ok([attesting, revoking])
}

/// Connections that devices share.
const CONNECTIONS: usize = 32;

const METHOD: &str = "A whole server, embedded store on this machine's disk (each answer after a flush), TLS 1.3, and the load \
    generator on the same two cores: its TLS, its signatures over evidence and its HTTP are in the figure. Connections \
    are kept open; every device attests once. Judging again is timed from the request that revokes the one release to \
    the moment that no device is trusted any more.";

/// A server in this process, on a clock that stands still.
pub(crate) struct Site {
    runtime: tokio::runtime::Runtime,
    server: Server,
    pinned: Pinned,
    token: String,
    _folder: TempDir,
}

struct Device {
    ueid: [u8; 17],
    key: SigningKey,
}

impl Site {
    pub(crate) fn start() -> Result<Self> {
        let folder = TempDir::new().context("a folder for the server")?;
        let mut config = Config::new(folder.path().join("data"));
        config.listen = ([127, 0, 0, 1], 0).into();
        config.clock = Arc::new(ManualClock::new(Timestamp::from_seconds(NOW)));
        config.mud_issuers = vec![Cast::new().issuer.clone()];
        config.broad_mud_approved = true;
        config.attestations_a_minute = u32::MAX;
        let runtime = tokio::runtime::Runtime::new().context("the server's threads")?;
        let server = runtime.block_on(Server::start(config)).context("starting the server")?;
        let pem = std::fs::read(server.certificate()).context("the server's certificate")?;
        let pinned = Pinned::new(server.local_addr(), &pem)?;
        let token = std::fs::read_to_string(server.admin_token()).context("the administrator's token")?;
        let site = Self { runtime, server, pinned, token, _folder: folder };
        let list = Cast::new().authorities().to_bytes();
        site.admin()?.send("PUT", "/api/v1/authorities", "application/cbor", &list, 204)?;
        Ok(site)
    }

    pub(crate) fn stop(self) {
        self.runtime.block_on(self.server.shutdown());
    }

    pub(crate) fn admin(&self) -> Result<Client> {
        self.connect(&self.token)
    }

    pub(crate) fn connect(&self, token: &str) -> Result<Client> {
        self.pinned.connect(Some(token))
    }

    /// Publishes the release of a sequence number; gives its digest.
    pub(crate) fn publish_sequence(&self, sequence: u64) -> Result<String> {
        let cast = Cast::new();
        let envelope = cast.envelope(sequence, APPLICATION);
        self.admin()?.send("POST", "/api/v1/releases", api::SUIT_ENVELOPE, &envelope, 201)?;
        let manifest = cast.release(sequence, APPLICATION).manifest_digest();
        Ok(manifest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn enrol(&self, fleet: &[Device]) -> Result<()> {
        let mut admin = self.admin()?;
        let mut numbers = 0..;
        for devices in fleet.chunks(10_000) {
            let mut list = String::from("[");
            for (device, number) in devices.iter().zip(&mut numbers) {
                let comma = if list.len() > 1 { "," } else { "" };
                let ueid = device.name();
                let key = Base64Url::encode(&cose::Key::from_public(device.key.public_key()).encode());
                write!(
                    list,
                    "{comma}{{\"name\":\"cam-{number}\",\"model\":\"cam\",\"group\":\"\",\"ueid\":\"{ueid}\",\"key\":\"{key}\"}}"
                )?;
            }
            list.push(']');
            admin.post_json("/api/v1/devices", &list, 201)?;
        }
        Ok(())
    }

    /// Every device attests once. Gives how long the answers to evidence took, and all of it.
    fn attest(&self, fleet: &[Device]) -> Result<(Sample, Duration)> {
        let next = AtomicUsize::new(0);
        let measurement = Cast::new().measurement(APPLICATION);
        let began = Instant::now();
        let times = std::thread::scope(|scope| {
            let work = || -> Result<Vec<Duration>> {
                let mut client = self.pinned.connect(None)?;
                let mut times = Vec::new();
                while let Some(device) = fleet.get(next.fetch_add(1, Ordering::Relaxed)) {
                    times.push(device.attest(&mut client, &measurement)?);
                }
                Ok(times)
            };
            let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
            let results = workers.into_iter().map(|worker| match worker.join() {
                Ok(times) => times,
                Err(_) => bail!("a connection's thread ended badly"),
            });
            results.collect::<Result<Vec<_>>>()
        })?;
        let took = began.elapsed();
        ensure!(!self.some_are("unknown")?, "a device did not come out trusted");
        Ok((Sample::of_durations(times.into_iter().flatten()), took))
    }

    fn some_are(&self, posture: &str) -> Result<bool> {
        let path = format!("/api/v1/devices?q=posture:{posture}&limit=1");
        let answer = self.admin()?.send("GET", &path, "", b"", 200)?;
        Ok(!String::from_utf8_lossy(&answer).starts_with("{\"items\":[]"))
    }
}

impl Device {
    fn new(number: u64) -> Self {
        let (mut ueid, mut scalar) = ([1; 17], [7; 32]);
        ueid[9..].copy_from_slice(&number.to_be_bytes());
        scalar[24..].copy_from_slice(&number.to_be_bytes());
        let key =
            SigningKey::from_bytes(SignatureAlgorithm::Es256, &scalar).expect("a scalar below the order");
        Self { ueid, key }
    }

    fn name(&self) -> String {
        self.ueid.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Fetches a challenge and answers it; gives how long the answer took.
    fn attest(&self, client: &mut Client, measurement: &[u8]) -> Result<Duration> {
        let answer = client.send("POST", "/challenge-response/v1/newSession?nonceSize=32", "", b"", 201)?;
        let session: Session = serde_json::from_slice(&answer).context("reading a session")?;
        let location = client.location().context("a session has no place")?.to_owned();
        let vendor = Uuid::vendor(VENDOR);
        let claims = EvidenceClaims {
            nonce: Nonce::new(&session.nonce.0).context("a nonce has no length")?,
            ueid: Ueid::new(&self.ueid).context("no UEID")?,
            vendor: *vendor.as_bytes(),
            class: *Uuid::class(&vendor, CLASS.as_bytes()).as_bytes(),
            bootcount: 1,
            bootseed: vec![5; 16],
            dbgstat: DebugStatus::Disabled,
            measurement: measurement.to_vec(),
            manifest: None,
            dependencies: Vec::new(),
            status: None,
        };
        let evidence = claims.sign(&self.key, b"device").context("signing evidence")?;
        let began = Instant::now();
        client.send("POST", &location, api::EVIDENCE, &evidence, 200)?;
        Ok(began.elapsed())
    }
}
