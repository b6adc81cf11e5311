//! From bad evidence to the last packet that passed.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cose::TrustAnchors;
use eat::SignedResult;
use gateway::{Enforcer, PolicyId};
use trust::{
    Access, Inputs, Outcome, Policy, References, Release, ReleaseStanding, Releases, Standing, decide,
    key_anchors,
};

use crate::Effort;
use crate::fixture::{APPLICATION, Cast, NOW};
use crate::lab::{Lab, own_id, release};
use crate::report::{Row, Section};
use crate::sample::{Sample, time};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let Some(lab) = Lab::new() else { return Ok(Section::skipped(TITLE, "it needs root")) };
    let story = Story::new();
    let mut enforcer = lab.enforce(effort.of(100, 10_000), Arc::new(()))?;
    let (device, host) = (lab.sender()?, lab.receiver()?);
    device.set_read_timeout(Some(PATIENCE)).context("a time limit")?;
    let runs = effort.of(5, 50);

    let end = AtomicBool::new(false);
    let last = Mutex::new(Instant::now());
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        // However this ends, the threads end with it.
        let _ends = Ends(&end);
        scope.spawn(|| send(&device, &end));
        scope.spawn(|| answer(&host, &last, &end));
        for _ in 0..runs {
            times.push(story.run(&lab, &mut enforcer, &last)?);
        }
        anyhow::Ok(())
    })?;

    let sample = Sample::of_durations(times);
    let row = Row {
        what: format!("bad evidence → last packet of the device that passed, {runs} runs"),
        figure: format!(
            "{} in the median, p90 {}, worst {}",
            time(sample.median()),
            time(sample.quantile(0.9)),
            time(sample.quantile(1.0))
        ),
        beside: "one packet each 0.1 ms or so".into(),
        budget: Some(("p99 < 1 s, aim < 200 ms", sample.quantile(0.99) < 1.0)),
    };
    Ok(Section::new(TITLE, METHOD, vec![row]))
}

/// What verifier and gateway know.
struct Story {
    cast: &'static Cast,
    releases: Releases,
    release: Release,
    bad_evidence: Vec<u8>,
    /// Of the gateway.
    anchors: TrustAnchors,
}

impl Story {
    fn new() -> Self {
        let cast = Cast::new();
        let release = cast.release(1, APPLICATION);
        let bad_evidence = cast.evidence(b"the application, tampered with");
        let anchors = key_anchors(&[cose::Key::from_public(cast.verifier.public_key())], &[]);
        let releases = Releases::of([release.clone()]);
        Self { cast, releases, release, bad_evidence, anchors }
    }

    /// Trusts the device until its packets pass, then hears its bad evidence; gives the time to its last packet.
    fn run(&self, lab: &Lab, enforcer: &mut Enforcer, last: &Mutex<Instant>) -> Result<Duration> {
        lab.gateway.enter(|| enforcer.assign(&[(own_id()?, release())]).context("trusting the device"))?;
        let trusted = Instant::now();
        while passed(last) <= trusted {
            if trusted.elapsed() > PATIENCE {
                bail!("no packet of a trusted device passes");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let heard = Instant::now();
        let access = self.decide()?;
        if access != Access::UpdateOnly {
            bail!("a tampered device got {access:?}");
        }
        lab.gateway.enter(|| {
            enforcer.assign(&[(own_id()?, PolicyId::UPDATE_ONLY)]).context("restricting the device")
        })?;
        // Whatever still passes does so within this time, and is seen.
        std::thread::sleep(Duration::from_millis(50));
        let passed = passed(last);
        if passed.elapsed() < Duration::from_millis(25) {
            bail!("packets of a restricted device still pass");
        }
        Ok(passed.saturating_duration_since(heard))
    }

    /// The verifier signs a result; the gateway verifies it and decides.
    fn decide(&self) -> Result<Access> {
        let policy = Policy::default();
        let references = References { releases: &self.releases, without: &[], denied: &[], tampered: None };
        let result = self.cast.attest(&self.bad_evidence, &references, &policy);

        let signed = SignedResult::decode_cwt(&result).context("reading the result")?;
        let verified = signed.verify(&self.anchors, NOW, None).context("verifying the result")?;
        let standing = ReleaseStanding::of(&self.release, Standing::Current, true);
        let decision = decide(&Inputs {
            device: own_id()?.as_bytes(),
            outcome: Some(&Outcome::of(&verified)),
            releases: &[standing],
            overlays: &[],
            violations: &[],
            hold: None,
            spared: false,
            policy: &policy,
            now: NOW,
        });
        Ok(decision.access)
    }
}

/// Sets its flag when dropped.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn passed(last: &Mutex<Instant>) -> Instant {
    *last.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn send(socket: &UdpSocket, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        // Refused or not: the device does not care.
        let _refused = socket.send(b"bench");
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Notes when a packet came, and answers it: what is to be cut is a connection that both sides use.
fn answer(socket: &UdpSocket, last: &Mutex<Instant>, end: &AtomicBool) {
    let mut buffer = [0; 64];
    while !end.load(Ordering::Relaxed) {
        if let Ok((length, source)) = socket.recv_from(&mut buffer) {
            *last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Instant::now();
            let _sent = socket.send_to(buffer.get(..length).unwrap_or_default(), source);
        }
    }
}

/// How long a packet of a trusted device may take.
const PATIENCE: Duration = Duration::from_secs(2);

const TITLE: &str = "Tampering to drop";

const METHOD: &str = "Verifier and gateway in one process against the real kernel, among 10,000 devices: evidence of a \
    tampered device is decoded, verified, appraised and answered by a signed result; the gateway verifies the result, \
    decides, moves the device to update-only and cuts its connections. Meanwhile the device exchanges packets with a host \
    behind the gateway; timed is from the evidence to the last packet that reached the host. Transport between device, \
    server and gateway is not in it.";
