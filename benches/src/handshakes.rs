//! What TLS profiles cost: flows that begin by an entry with one, beside the same policy where handshakes are not looked at.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use gateway::{Queue, Shared, TlsMode, watch_handshakes};
use mud::TlsProfile;
use sim::netns::Namespace;

use crate::Effort;
use crate::lab::{Lab, REMOTE};
use crate::report::{Row, Section};
use crate::sample::{Sample, time};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (rounds, exchanges) = effort.of((20, 200), (400, 2_000));
    let mut lanes = Vec::new();
    for mode in [TlsMode::Off, TlsMode::Enforce] {
        let Some(lab) = Lab::new() else { return Ok(Section::skipped(TITLE, "it needs root")) };
        lanes.push(Lane::new(lab, mode)?);
    }
    for round in 0..=rounds {
        for lane in &mut lanes {
            let (begun, stream) = lane.begin()?;
            // The first round warms up.
            if round > 0 {
                lane.begun.push(begun);
            }
            lane.stream = Some(stream);
        }
    }
    for round in 0..=exchanges {
        for lane in &mut lanes {
            let taken = lane.exchange()?;
            if round > 0 {
                lane.exchanged.push(taken);
            }
        }
    }
    let [without, with] = lanes.try_into().ok().context("two lanes")?;
    let row = |what: &str, with: Vec<Duration>, without: Vec<Duration>, most: f64, budget| {
        let (with, without) = (Sample::of_durations(with), Sample::of_durations(without));
        let share = with.median() / without.median();
        Row {
            what: what.to_owned(),
            figure: format!(
                "{} ({} to {}), {share:.2} times as long",
                time(with.median()),
                time(with.quantile(0.1)),
                time(with.quantile(0.9))
            ),
            beside: format!("not looked at: {}", time(without.median())),
            budget: Some((budget, share <= most)),
        }
    };
    let rows = vec![
        row(
            "a flow until the answer to its ClientHello",
            with.take_begun(),
            without.take_begun(),
            5.0,
            "≤ 5 times",
        ),
        row(
            "an exchange over a flow that runs",
            with.take_exchanged(),
            without.take_exchanged(),
            1.1,
            "≤ 1.1 times",
        ),
    ];
    Ok(Section::new(TITLE, METHOD, rows))
}

/// A gateway, and a device that speaks through it.
struct Lane {
    lab: Lab,
    stream: Option<TcpStream>,
    begun: Vec<Duration>,
    exchanged: Vec<Duration>,
    stop: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
    /// Kept for its open context.
    _enforcer: Shared,
}

impl Lane {
    fn new(lab: Lab, mode: TlsMode) -> Result<Self> {
        let profile = TlsProfile { cipher_suites: vec![SUITE], ..TlsProfile::default() };
        let enforcer = Shared::new(lab.enforce_handshakes(mode, SERVICE.port(), profile)?);
        echo(&lab.wan)?;
        let stop = Arc::new(AtomicBool::new(false));
        let watch = match mode {
            TlsMode::Off => None,
            _ => {
                let queue = lab.gateway.enter(Queue::open).context("the queue")?;
                let (shared, space, stop) = (enforcer.clone(), lab.gateway.clone(), Arc::clone(&stop));
                Some(std::thread::spawn(move || {
                    space
                        .enter(|| watch_handshakes(queue, &shared, mode, &(), &stop))
                        .expect("the queue holds");
                }))
            }
        };
        let (begun, exchanged) = (Vec::new(), Vec::new());
        Ok(Self { lab, stream: None, begun, exchanged, stop, watch, _enforcer: enforcer })
    }

    /// From the first packet to the answer to the first message.
    fn begin(&self) -> Result<(Duration, TcpStream)> {
        let hello = hello();
        let mut echo = vec![0; hello.len()];
        let start = Instant::now();
        let mut stream = self.lab.device.connect(SERVICE, PATIENCE).context("a connection")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&hello)?;
        stream.read_exact(&mut echo).context("the answer to the ClientHello")?;
        Ok((start.elapsed(), stream))
    }

    fn exchange(&mut self) -> Result<Duration> {
        let stream = self.stream.as_mut().context("a flow that runs")?;
        let mut echo = [0; 64];
        let start = Instant::now();
        stream.write_all(&echo)?;
        stream.read_exact(&mut echo)?;
        Ok(start.elapsed())
    }

    fn take_begun(&self) -> Vec<Duration> {
        self.begun.clone()
    }

    fn take_exchanged(&self) -> Vec<Duration> {
        self.exchanged.clone()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(watch) = self.watch.take() {
            // One that panicked has said so.
            let _ended = watch.join();
        }
    }
}

/// Gives back what comes, for ever.
fn echo(space: &Namespace) -> Result<()> {
    let listener = space.enter(|| TcpListener::bind(SERVICE)).context("a service behind the gateway")?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut bytes = [0; 2048];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(bytes.get(..count).unwrap_or_default()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(())
}

/// A ClientHello of TLS 1.2 in one record.
fn hello() -> Vec<u8> {
    let suite = SUITE.to_be_bytes();
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2], &suite, &[1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap_or(u8::MAX);
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

const SERVICE: SocketAddr = SocketAddr::new(REMOTE, 9443);
const SUITE: u16 = 0xc02b;
const PATIENCE: Duration = Duration::from_secs(2);

const TITLE: &str = "TLS profiles";

const METHOD: &str = "A device connects through the gateway to an echo service and sends a ClientHello; then 64 bytes go back and \
    forth over the last of these flows. Beside it the same policy at a gateway that does not look at handshakes. Both in turns; \
    median, with the tenth and the ninetieth percentile.";
