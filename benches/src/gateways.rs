//! Many gateways at one server: how long until all have verified and staged a release, and until a narrowing has reached all.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use api::GatewayState;
use gateway::control::{Anchors, State};
use serde_json::json;

use crate::{
    Effort,
    fixture::{Cast, NOW},
    https::Client,
    report::{Row, Section},
    sample::{Sample, time},
    verifier::Site,
};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (gateways, rounds) = effort.of((20, 2), (100, 10));
    let site = Site::start()?;
    let mut admin = site.admin()?;
    let clients: Vec<Client> =
        (0..gateways).map(|number| connect(&site, &mut admin, number)).collect::<Result<_>>()?;
    let stop = AtomicBool::new(false);
    let seen: Mutex<Vec<Seen>> = Mutex::default();
    let (mut staged, mut narrowed) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| -> Result<()> {
        let (seen, stop) = (&seen, &stop);
        let workers: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(number, client)| scope.spawn(move || follow(number, client, seen, stop)))
            .collect();
        let outcome = rehearse(&site, rounds, gateways, seen, (&mut staged, &mut narrowed));
        stop.store(true, Ordering::Relaxed);
        // Whoever waits for news is woken by one more.
        let woken = site.publish_sequence(99);
        for worker in workers {
            match worker.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("a gateway's thread ended badly"),
            }
        }
        outcome.and(woken.map(drop))
    })?;
    site.stop();
    let (staged, narrowed) = (Sample::new(staged), Sample::new(narrowed));
    let row = |what: String, sample: &Sample, budget| {
        let longest = sample.quantile(1.0);
        Row {
            what,
            figure: format!("median {}, longest {}", time(sample.median()), time(longest)),
            beside: format!("{rounds} times"),
            budget: Some((budget, longest < 5.0)),
        }
    };
    let rows = vec![
        row(
            format!("a release published → verified, staged and acknowledged by {gateways} gateways"),
            &staged,
            "< 5 s",
        ),
        row(format!("it is revoked → {gateways} gateways permit it no more"), &narrowed, "< 5 s"),
    ];
    Ok(Section::new("Many gateways", METHOD, rows))
}

const METHOD: &str = "A whole server over TLS, and as many gateways as named, each a thread with a connection that waits for news, its \
    own anchors, and the state that verifies every release and decides; without a kernel. All on the same two cores. Timed from the \
    request of the operator until the server has the last acknowledgement, and until the last gateway has decided again.";

/// What a gateway knows of the newest release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Releases whose policy stands ready.
    ready: Vec<String>,
}

fn connect(site: &Site, admin: &mut Client, number: usize) -> Result<Client> {
    let body = json!({ "scope": "gateway", "label": format!("gw-{number}") }).to_string();
    let answer = admin.post_json("/api/v1/tokens", &body, 201)?;
    let token: serde_json::Value = serde_json::from_slice(&answer).context("reading a token")?;
    site.connect(token["token"].as_str().context("no token in the answer")?)
}

/// Asks for news, takes them in and says what stands ready, until it is told to stop.
fn follow(number: usize, mut client: Client, seen: &Mutex<Vec<Seen>>, stop: &AtomicBool) -> Result<()> {
    let anchors = Anchors {
        releases: Cast::new().anchors(),
        keys: cose::TrustAnchors::default(),
        broad_mud_approved: true,
        policy: trust::Policy::default(),
        sources: gateway::manager::Sources::default(),
        settle: 0,
    };
    let mut state = State::new(anchors);
    let mut revision = 0;
    while !stop.load(Ordering::Relaxed) {
        let path = format!("/api/v1/gateway/state?since={revision}&wait=25");
        let answer = client.send("GET", &path, "", b"", 200)?;
        let answer: GatewayState = serde_json::from_slice(&answer).context("reading the state")?;
        revision = answer.revision;
        state.take_in(&answer, NOW);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let ready: Vec<String> = state
            .baselines(NOW)
            .iter()
            .map(|key| hex(key.release().expect("a release").as_bytes()))
            .collect();
        let mut all = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() <= number {
            all.resize(number + 1, Seen::default());
        }
        let news = all[number].ready != ready;
        all[number].ready.clone_from(&ready);
        drop(all);
        if news {
            let staged: Vec<_> = ready.iter().map(|release| json!({ "manifest_digest": release })).collect();
            let report = json!({ "gateway": format!("gw-{number}"), "staged": staged }).to_string();
            client.send("POST", "/api/v1/gateway/report", "application/json", report.as_bytes(), 204)?;
        }
    }
    Ok(())
}

/// Publishes and revokes, and takes the times.
fn rehearse(
    site: &Site,
    rounds: usize,
    gateways: usize,
    seen: &Mutex<Vec<Seen>>,
    (staged, narrowed): (&mut Vec<f64>, &mut Vec<f64>),
) -> Result<()> {
    let mut admin = site.admin()?;
    for round in 0..rounds {
        let began = Instant::now();
        let release = site.publish_sequence(round as u64 + 1)?;
        until("the last acknowledgement", || {
            let answer = admin.send("GET", &format!("/api/v1/releases/{release}"), "", b"", 200)?;
            let answer: api::Release = serde_json::from_slice(&answer).context("reading a release")?;
            Ok(answer.staged_on.len() == gateways)
        })?;
        staged.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        admin.post_json(&format!("/api/v1/releases/{release}/revoke"), "{\"reason\":\"measured\"}", 204)?;
        until("the last gateway", || {
            let all = seen.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(all.len() == gateways && all.iter().all(|seen| !seen.ready.contains(&release)))
        })?;
        narrowed.push(began.elapsed().as_secs_f64());
    }
    Ok(())
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !holds()? {
        ensure!(began.elapsed() < Duration::from_secs(60), "waiting for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
