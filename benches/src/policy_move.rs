//! Moving one device to another policy, among few and among many.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use gateway::{DeviceId, Enforcer, Event, PolicyId};

use crate::Effort;
use crate::lab::{Lab, next_release, other_id, own_id, release};
use crate::report::{Row, Section};
use crate::sample::{Sample, time};

pub(crate) fn measure(effort: Effort) -> Result<Section> {
    let (rounds, moves) = effort.of((5, 10), (60, 20));
    let mut lanes = Vec::new();
    for others in effort.of(&[100, 1_000][..], &[100, 10_000, 100_000]) {
        let Some(lab) = Lab::new() else { return Ok(Section::skipped(TITLE, "it needs root")) };
        let (sender, events) = channel();
        let enforcer = lab.enforce(*others, Arc::new(sender))?;
        lanes.push(Lane { others: *others, enforcer, events, lab, in_force: Vec::new(), done: Vec::new() });
    }
    for round in 0..rounds {
        for lane in &mut lanes {
            lane.move_others(round, moves)?;
        }
    }
    let lost = match lanes.get_mut(1) {
        Some(lane) => Some((lane.others, lane.move_under_traffic(effort.of(50, 500))?)),
        None => None,
    };

    let samples =
        |lane: &Lane| (Sample::of_durations(lane.in_force.clone()), Sample::of_durations(lane.done.clone()));
    let of = |sample: &Sample| format!("{}, p99 {}", time(sample.median()), time(sample.quantile(0.99)));
    let Some((few, lanes)) = lanes.split_first() else {
        return Ok(Section::skipped(TITLE, "nothing to move"));
    };
    let (few_in_force, few_done) = samples(few);
    let mut rows = Vec::new();
    for lane in lanes {
        let (in_force, done) = samples(lane);
        rows.push(Row {
            what: format!("move one of {} devices: until the rules are in force", lane.others),
            figure: of(&in_force),
            beside: format!("one of {} devices: {}", few.others, of(&few_in_force)),
            budget: Some(("≤ 2 ms", in_force.median() <= 0.002)),
        });
        rows.push(Row {
            what: "until its connections are cut too".into(),
            figure: of(&done),
            beside: format!("one of {} devices: {}", few.others, of(&few_done)),
            budget: None,
        });
    }
    rows.extend(lost.map(|(others, flow)| Row {
        what: format!("packets lost while a device among {others} is moved to and fro under its own traffic"),
        figure: format!("{} of {}", flow.sent.saturating_sub(flow.received), flow.sent),
        beside: format!("{} moves", flow.moves),
        budget: Some(("none", flow.sent == flow.received)),
    }));
    Ok(Section::new(TITLE, METHOD, rows))
}

/// A gateway with its devices.
struct Lane {
    others: u32,
    enforcer: Enforcer,
    events: Receiver<Event>,
    lab: Lab,
    /// Until the kernel had the new rules.
    in_force: Vec<Duration>,
    /// Until the call returned, after the search of the connections to cut.
    done: Vec<Duration>,
}

/// What became of a flow.
struct Flow {
    moves: u32,
    sent: u64,
    received: u64,
}

impl Lane {
    fn move_others(&mut self, round: u32, moves: u32) -> Result<()> {
        let (lab, others) = (&self.lab, self.others);
        let (enforcer, events) = (&mut self.enforcer, &mut self.events);
        let to = if round.is_multiple_of(2) { PolicyId::UPDATE_ONLY } else { release() };
        let times = lab.gateway.enter(|| {
            // The same devices go and come back, spread over all of them.
            let devices = (0..moves).map(|step| other_id((step * 7919 + round / 2 * 31) % others));
            devices.map(|device| timed(enforcer, events, device?, to)).collect::<Result<Vec<_>>>()
        })?;
        for (in_force, done) in times {
            self.in_force.push(in_force);
            self.done.push(done);
        }
        Ok(())
    }

    /// Moves the device itself between two policies that both permit what it sends.
    fn move_under_traffic(&mut self, moves: u32) -> Result<Flow> {
        let (sender, receiver) = (self.lab.sender()?, self.lab.receiver()?);
        let enforcer = &mut self.enforcer;
        let (stop, end) = (AtomicBool::new(false), AtomicBool::new(false));
        let (sent, received) = std::thread::scope(|scope| {
            let sending = scope.spawn(|| send_until(&sender, &stop));
            let receiving = scope.spawn(|| receive_until(&receiver, &end));
            let moved = self.lab.gateway.enter(|| {
                for step in 0..moves {
                    let to = if step.is_multiple_of(2) { next_release() } else { release() };
                    enforcer.assign(&[(own_id()?, to)]).context("moving a device")?;
                }
                anyhow::Ok(())
            });
            stop.store(true, Ordering::Relaxed);
            let sent = sending.join().unwrap_or(0);
            end.store(true, Ordering::Relaxed);
            let received = receiving.join().unwrap_or(0);
            moved.map(|()| (sent, received))
        })?;
        Ok(Flow { moves, sent, received })
    }
}

/// Moves a device; gives the time until the rules were in force, and until all was done.
fn timed(
    enforcer: &mut Enforcer,
    events: &mut Receiver<Event>,
    device: DeviceId,
    to: PolicyId,
) -> Result<(Duration, Duration)> {
    let (clock, start) = (SystemTime::now(), Instant::now());
    enforcer.assign(&[(device, to)]).context("moving a device")?;
    let done = start.elapsed();
    let applied = events.try_iter().find_map(|event| match event {
        Event::Applied { at, .. } => Some(at),
        _ => None,
    });
    let in_force = applied.context("the enforcer does not say that the rules are in force")?;
    Ok((in_force.duration_since(clock).unwrap_or_default(), done))
}

/// Sends at an even pace that the receiver keeps up with; gives how many were sent.
fn send_until(socket: &UdpSocket, stop: &AtomicBool) -> u64 {
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        sent += u64::from(socket.send(b"bench").is_ok());
        std::thread::sleep(Duration::from_micros(100));
    }
    sent
}

/// Counts what arrives until nothing comes any more after the end.
fn receive_until(socket: &UdpSocket, end: &AtomicBool) -> u64 {
    let mut received = 0;
    let mut buffer = [0; 64];
    loop {
        match socket.recv(&mut buffer) {
            Ok(_) => received += 1,
            // The read timeout: whatever was on its way has come.
            Err(_) if end.load(Ordering::Relaxed) => return received,
            Err(_) => {}
        }
    }
}

const TITLE: &str = "Moving a device to another policy";

const METHOD: &str = "The enforcer against the kernel, on a kept-open nft context, in a namespace for each number of \
    devices; rounds interleaved. The rules are in force when nft has \
    confirmed the transaction of delete and add in both device maps; then the enforcer reads the connection table, whose \
    buckets all have to be visited, and cuts what is no longer permitted. Every device has a policy of 20 entries. Loss is counted on a \
    flow of about 5,000 packets/s of the very device that is moved, between two policies that both permit the flow.";
