//! From a forbidden packet to the event that tells of it.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use gateway::{Event, Listener, Shared, watch};

use crate::Effort;
use crate::lab::{Lab, TARGET};
use crate::report::{Row, Section};
use crate::sample::{Sample, time};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (packets, others) = effort.of((10, 100), (300, 10_000));
    let Some(lab) = Lab::new() else { return Ok(Section::skipped(TITLE, "it needs root")) };
    let enforcer = Shared::new(lab.enforce(others, Arc::new(()))?);
    let listener = lab.gateway.enter(Listener::open).context("the kernel's log")?;
    let device = lab.device.enter(|| UdpSocket::bind(("0.0.0.0", 0))).context("a socket of the device")?;
    let stop = AtomicBool::new(false);
    let (sender, events) = channel();
    let times = std::thread::scope(|scope| {
        scope.spawn(|| watch(listener, &enforcer, &sender, &stop));
        let times =
            (0..packets).map(|number| told(&device, &events, 1000 + number)).collect::<Result<Vec<_>>>();
        stop.store(true, Ordering::Relaxed);
        times
    })?;
    let sample = Sample::of_durations(times);
    let row = Row {
        what: format!(
            "a packet that no policy permits → the event, {packets} packets, {} devices",
            others + 1
        ),
        figure: format!(
            "p50 {}, p99 {}, worst {}",
            time(sample.median()),
            time(sample.quantile(0.99)),
            time(sample.quantile(1.0))
        ),
        beside: "the kernel keeps logged packets back for 20 ms at most".into(),
        budget: None,
    };
    Ok(Section::new(TITLE, METHOD, vec![row]))
}

/// Sends one to a port that was not tried before, and waits until it is told.
fn told(device: &UdpSocket, events: &Receiver<Event>, port: u16) -> Result<Duration> {
    // Fewer in a second than are told of one device.
    std::thread::sleep(Duration::from_millis(60));
    let began = Instant::now();
    device.send_to(b"astray", (TARGET.ip(), port)).context("the forbidden packet")?;
    while let Some(left) = PATIENCE.checked_sub(began.elapsed()) {
        match events.recv_timeout(left) {
            Ok(Event::Violation(violation)) if violation.flow.destination_port == port => {
                return Ok(began.elapsed());
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    bail!("the packet to port {port} was not told")
}

const PATIENCE: Duration = Duration::from_secs(5);

const TITLE: &str = "Telling of dropped packets";

const METHOD: &str = "A device sends one datagram at a time to a port that its policy does not have, each time another; timed from \
    before it is sent until the event with its five-tuple and the name of the device is there.";
