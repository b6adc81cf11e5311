//! What can be seen from outside: packets, and signed objects that are verified here.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use cose::{Purpose, TrustAnchor};
use eat::{SignedResult, Tier};
use trust::{Bundle, BundleAnchors, Decision, Outcome, Release};

use super::{
    catalog,
    keys::{hex, now},
    lab::Lab,
    place::{Device, GATEWAY},
};
use crate::{Arrival, Error, Target, netns::Namespace, now_ms, probe};

/// A result about a device whose signature was verified here.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) tier: Tier,
    /// Manifest digest of the release that the evidence matched.
    pub(crate) release: Option<String>,
    pub(crate) codes: Vec<String>,
    /// When the evidence came, in milliseconds since 1970.
    pub(crate) received_ms: u64,
    /// The signed result and the evidence behind it.
    pub(crate) cwt: Vec<u8>,
    pub(crate) evidence: Vec<u8>,
}

/// Datagrams that go on until this is dropped.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
}

/// How long an answer may take while other things happen on the machine. It is also how long a probe listens for an
/// answer that must not come.
pub(crate) const ANSWER: Duration = Duration::from_millis(900);
/// After so many milliseconds without a datagram of a stream, in which many were sent, it is cut.
const SILENCE_MS: u64 = 500;
/// Time between the datagrams of a stream.
const STREAM_PERIOD: Duration = Duration::from_millis(5);

impl Lab {
    /// What the server has about a device. Only signed objects in it prove anything.
    pub(crate) fn detail(&self, device: &Device) -> Result<api::DeviceDetail, Error> {
        self.client.get(&format!("/api/v1/devices/{}", device.ueid))
    }

    /// The results about a device, newest first. Each is verified with the verifier's key and has to name the device and
    /// the key that it was enrolled with.
    pub(crate) fn judged(&self, device: &Device) -> Result<Vec<Judged>, Error> {
        let detail = self.detail(device)?;
        let key = cose::Key::decode(&detail.key.0).map_err(Error::object("an enrolled key"))?;
        let mut judged = Vec::new();
        for summary in &detail.results {
            let signed = SignedResult::decode_cwt(&summary.result.0).map_err(Error::object("a result"))?;
            // Old results have ended; that they were good when they were signed is what matters here.
            let issued = signed.unverified().issued_at;
            let verified = signed.verify(&self.results, issued, None).map_err(Error::object("a result"))?;
            let names = verified.result().ueid.as_ref().map(ToString::to_string);
            if names.as_deref() != Some(&device.ueid) {
                continue;
            }
            let bound = verified.result().confirmation.as_ref() == Some(key.public());
            let outcome = Outcome::of(&verified);
            let received: jiff::Timestamp =
                summary.received_at.parse().map_err(Error::object("the time of a result"))?;
            judged.push(Judged {
                tier: if bound { outcome.tier } else { Tier::None },
                release: outcome.release.map(|release| hex(release.as_bytes())),
                codes: outcome.reasons.iter().map(|reason| reason.code.as_str().to_owned()).collect(),
                received_ms: received.as_millisecond().unsigned_abs(),
                cwt: summary.result.0.clone(),
                evidence: summary.evidence.0.clone(),
            });
        }
        Ok(judged)
    }

    /// Whether the newest result affirms this release and has not ended.
    pub(crate) fn affirms(&self, device: &Device, release: &str) -> Result<Result<Judged, String>, Error> {
        let Some(newest) = self.judged(device)?.into_iter().next() else {
            return Ok(Err(format!("{}: no result", device.name)));
        };
        let ended = SignedResult::decode_cwt(&newest.cwt)
            .ok()
            .and_then(|signed| signed.unverified().expires_at)
            .is_none_or(|end| end <= now());
        let affirms = newest.tier == Tier::Affirming && newest.release.as_deref() == Some(release) && !ended;
        Ok(if affirms { Ok(newest) } else { Err(format!("{}: {newest}", device.name)) })
    }

    /// Waits until the newest results of these devices affirm a release; gives when the evidence of the last one came.
    pub(crate) fn until_affirmed(
        &mut self,
        devices: &[usize],
        release: &str,
        within: Duration,
    ) -> Result<u64, Error> {
        self.until("every device attests its release", within, |lab| {
            let mut latest = 0;
            for index in devices {
                match lab.affirms(&lab.devices[*index], release)? {
                    Ok(judged) => latest = latest.max(judged.received_ms),
                    Err(last) => return Ok(Err(last)),
                }
            }
            Ok(Ok(latest))
        })
    }

    /// What answers a device, of the whole Internet.
    pub(crate) fn reached(&self, device: &Device) -> BTreeSet<Target> {
        self.answering(device, &catalog::matrix())
    }

    /// What answers a device, of these targets.
    pub(crate) fn answering(&self, device: &Device, targets: &[Target]) -> BTreeSet<Target> {
        probe(&device.space, targets, ANSWER)
    }

    /// Waits until a device reaches exactly what its release declares; gives what it reaches.
    ///
    /// The application asks for its names by itself, and only names it asked for have addresses in the rules. So the
    /// declared services are waited for one by one, and then the whole Internet is tried once.
    pub(crate) fn until_exactly(
        &mut self,
        index: usize,
        release: &Release,
        within: Duration,
    ) -> Result<String, Error> {
        let declared = declared(release);
        self.until("the declared flows are open", within, |lab| {
            let wanted: Vec<Target> = declared.iter().copied().collect();
            let open = lab.answering(&lab.devices[index], &wanted);
            Ok(match wanted.iter().find(|target| !open.contains(target)) {
                Some(closed) => Err(format!("{closed} does not answer")),
                None => Ok(()),
            })
        })?;
        let reached = self.reached(&self.devices[index]);
        let difference = describe_difference(&declared, &reached);
        match difference {
            None => Ok(format!("{} of {} services answer", reached.len(), catalog::matrix().len())),
            Some(difference) => Err(Error::TooLate {
                what: "exactly the declared flows are open".to_owned(),
                within,
                last: difference,
            }),
        }
    }

    /// What answers each of these devices, all probed at once.
    pub(crate) fn each_answering(&self, devices: &[usize], targets: &[Target]) -> Vec<BTreeSet<Target>> {
        let spaces = devices.iter().map(|index| &self.devices[*index].space);
        thread::scope(|scope| {
            let probes: Vec<_> =
                spaces.map(|space| scope.spawn(move || probe(space, targets, ANSWER))).collect();
            let joined = probes.into_iter().map(thread::ScopedJoinHandle::join);
            joined.map(|answered| answered.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }

    /// The newest decision about a device, made again here from its signed objects with our own anchors.
    pub(crate) fn decided(&self, device: &Device) -> Result<Decision, Error> {
        let id = self.detail(device)?.device.decision;
        let id = id.ok_or_else(|| Error::object(device.name.clone())("no decision was made yet"))?;
        let answer: api::DecisionBundle = self.client.get(&format!("/api/v1/decisions/{id}"))?;
        let bundle = Bundle::decode(&answer.bundle.0).map_err(Error::object("a decision bundle"))?;
        let network =
            TrustAnchor::new(self.keys.network.public_key().clone(), Purpose::Override, "network operator");
        let anchors = BundleAnchors {
            authorities: self.keys.authorities()?,
            mud_issuers: Vec::new(),
            keys: self.results.iter().cloned().chain([network]).collect(),
        };
        bundle.verify(&anchors, &mut trust::NoRules).map_err(Error::object(format!("decision {id}")))
    }

    /// Waits until a device's newest decision, made again here, is what it should be.
    pub(crate) fn until_decided(
        &mut self,
        index: usize,
        what: &str,
        within: Duration,
        is_so: impl Fn(&Decision) -> bool,
    ) -> Result<String, Error> {
        self.until(what, within, |lab| {
            let decision = lab.decided(&lab.devices[index])?;
            let codes: Vec<&str> = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
            let text = format!(
                "{} ({}), on {} signed objects",
                decision.posture.as_str(),
                codes.join(", "),
                decision.rests_on.len()
            );
            Ok(if is_so(&decision) { Ok(text) } else { Err(text) })
        })
    }

    /// Waits until packets of a stream arrive no more; gives when the last one did.
    pub(crate) fn until_silent(
        &mut self,
        index: usize,
        since_ms: u64,
        within: Duration,
    ) -> Result<u64, Error> {
        self.until("packets stop arriving", within, |lab| {
            let arrived = lab.arrived(&lab.devices[index], since_ms);
            let last = arrived.iter().map(|arrival| arrival.at_ms).max().unwrap_or(since_ms);
            let silent = now_ms().saturating_sub(last);
            Ok(if silent > SILENCE_MS {
                Ok(last)
            } else {
                Err(format!("{} arrived, the last {silent} ms ago", arrived.len()))
            })
        })
    }

    /// What arrived from a device since a time.
    pub(crate) fn arrived(&self, device: &Device, since_ms: u64) -> Vec<Arrival> {
        self.arrivals.from(&device.addresses(), since_ms)
    }

    /// The place of the newest record of the audit chain.
    pub(crate) fn last_audit_record(&self) -> Result<i64, Error> {
        Ok(self.audit_after(0)?.last().map_or(0, |line| line.sequence))
    }

    /// Who else than server, devices and gateways did anything since a place in the audit chain.
    pub(crate) fn people_since(&self, sequence: i64) -> Result<Vec<String>, Error> {
        #[derive(serde::Deserialize)]
        struct Record {
            actor: String,
            action: String,
        }
        let mut people = Vec::new();
        for line in self.audit_after(sequence)? {
            let record: Record =
                serde_json::from_str(&line.record).map_err(Error::object("an audit record"))?;
            let is_program =
                ["server", "device", "gateway"].iter().any(|kind| record.actor.starts_with(kind));
            if !is_program && !people.contains(&record.actor) {
                people.push(format!("{} ({})", record.actor, record.action));
            }
        }
        Ok(people)
    }

    fn audit_after(&self, sequence: i64) -> Result<Vec<api::AuditLine>, Error> {
        let bytes = self.client.raw(&format!("/api/v1/audit?after={sequence}"))?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(Error::object("an audit record"))).collect()
    }

    /// The file that a device runs from now.
    pub(crate) fn running_image(&self, device: &Device) -> Result<PathBuf, Error> {
        #[derive(serde::Deserialize)]
        struct Status {
            running: Option<Running>,
        }
        #[derive(serde::Deserialize)]
        struct Running {
            slot: String,
        }
        let path = device.data.join("status.json");
        let bytes = std::fs::read(&path).map_err(Error::io(path.display().to_string()))?;
        let status: Status = serde_json::from_slice(&bytes).map_err(Error::object("an agent's status"))?;
        let slot = status.running.map_or_else(|| "a".to_owned(), |running| running.slot);
        Ok(device.data.join(format!("slot-{slot}")).join("component-0"))
    }
}

impl std::fmt::Display for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.tier)?;
        if !self.codes.is_empty() {
            write!(f, " ({})", self.codes.join(", "))?;
        }
        Ok(())
    }
}

/// What a release may reach of the Internet, by its signed MUD file.
pub(crate) fn declared(release: &Release) -> BTreeSet<Target> {
    let needs = release.network_needs();
    needs.map(|needs| catalog::permitted(&needs.policy, GATEWAY)).unwrap_or_default().into_iter().collect()
}

/// The first services that are open and should not be, or the reverse.
pub(crate) fn describe_difference(declared: &BTreeSet<Target>, reached: &BTreeSet<Target>) -> Option<String> {
    let list = |targets: Vec<&Target>| {
        targets.iter().take(4).map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let (wide, narrow): (Vec<_>, Vec<_>) =
        (reached.difference(declared).collect(), declared.difference(reached).collect());
    if wide.is_empty() && narrow.is_empty() {
        return None;
    }
    Some(format!("open and not declared: [{}]; declared and not open: [{}]", list(wide), list(narrow)))
}

impl Stream {
    /// Sends a datagram every few milliseconds.
    pub(crate) fn start(space: &Namespace, to: SocketAddr) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let run = move || {
            let Ok(socket) = UdpSocket::bind("0.0.0.0:0") else { return };
            while !stopped.load(Ordering::Relaxed) {
                // What the network does with it is what is being found out.
                let _sent = socket.send_to(b"stream", to);
                thread::sleep(STREAM_PERIOD);
            }
        };
        space.spawn(run).map_err(Error::io("a stream of datagrams"))?;
        Ok(Self { stop })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
