//! The threads that act for devices: as many as there are exchanges at once, however many devices there are.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    agenda::{Agenda, Next},
    device::{SimDevice, Surroundings},
    link::Link,
    model::Model,
    scenario::{Plan, Scenario, milliseconds},
    seed::Seed,
};
use crate::Error;

/// How soon an interrupt is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// A fleet at work.
pub(crate) struct Crew<'c> {
    plan: &'c Plan,
    models: &'c [Model],
    devices: Vec<Mutex<SimDevice>>,
    scenario: Scenario,
    link: Link,
    shift: Mutex<Shift>,
    /// Rings for the one who waits for the next device to be due.
    bell: Condvar,
    /// Where all others wait.
    bench: Condvar,
    started: Instant,
    stop: Arc<AtomicBool>,
    /// How many devices are believed.
    believed: AtomicU64,
}

/// What the threads share.
struct Shift {
    agenda: Agenda,
    /// Whether somebody waits for the next device to be due: one is enough.
    watched: bool,
    failure: Option<Error>,
}

impl<'c> Crew<'c> {
    pub(crate) fn new(
        plan: &'c Plan,
        models: &'c [Model],
        devices: Vec<SimDevice>,
        link: Link,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            plan,
            models,
            scenario: Scenario::new(plan),
            shift: Mutex::new(Shift {
                agenda: Agenda::spread(plan.devices, milliseconds(plan.ramp)),
                watched: false,
                failure: None,
            }),
            devices: devices.into_iter().map(Mutex::new).collect(),
            link,
            bell: Condvar::new(),
            bench: Condvar::new(),
            started: Instant::now(),
            stop,
            believed: AtomicU64::new(0),
        }
    }

    /// Lets the fleet live, and looks in now and then.
    pub(crate) fn work(&self, mut look_in: impl FnMut(&Self) -> Result<(), Error>) -> Result<(), Error> {
        let threads = self.plan.connections.clamp(1, self.devices.len().max(1));
        thread::scope(|scope| {
            let mut looked = Ok(());
            for number in 0..threads {
                let worker = thread::Builder::new().name(format!("fleet-{number}"));
                if let Err(error) = worker.spawn_scoped(scope, || self.toil()) {
                    looked = Err(Error::io("starting a thread")(error));
                    break;
                }
            }
            while !self.is_over() && looked.is_ok() {
                thread::sleep(LOOK);
                looked = look_in(self);
            }
            if looked.is_err() {
                // The scope waits for all threads.
                self.stop.store(true, Ordering::Relaxed);
            }
            looked
        })?;
        match self.shift().failure.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Milliseconds since the fleet began.
    pub(crate) fn now(&self) -> u64 {
        milliseconds(self.started.elapsed())
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    pub(crate) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// How many devices are believed by the verifier, as they see it.
    pub(crate) fn believed(&self) -> u64 {
        self.believed.load(Ordering::Relaxed)
    }

    /// The devices, when they are no longer needed here.
    pub(crate) fn into_devices(self) -> Vec<SimDevice> {
        self.devices.into_iter().map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self.now() >= milliseconds(self.plan.life)
            || self.shift().failure.is_some()
    }

    fn shift(&self) -> MutexGuard<'_, Shift> {
        self.shift.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts for one device after another until the fleet ends.
    fn toil(&self) {
        while !self.is_over() {
            let Some((device, due)) = self.await_device() else { continue };
            self.link.metrics.late(Duration::from_millis(self.now().saturating_sub(due)));
            let acted = self.act(device);
            let mut shift = self.shift();
            match acted {
                Ok(due) => shift.agenda.put(due, device),
                Err(failure) => shift.failure = Some(failure),
            }
            drop(shift);
            // Whoever watches may have to wait for less long than it thought.
            self.bell.notify_one();
        }
        self.bell.notify_all();
        self.bench.notify_all();
    }

    /// A device that is due, and since when; nothing when it was waited for some time.
    fn await_device(&self) -> Option<(u32, u64)> {
        let mut shift = self.shift();
        let wait = match shift.agenda.next(self.now()) {
            Next::Act(entry) => {
                drop(shift);
                self.bench.notify_one();
                return Some((entry.device, entry.due));
            }
            Next::Wait(due) => Duration::from_millis(due.saturating_sub(self.now())).min(LOOK),
            Next::Empty => LOOK,
        };
        if shift.watched {
            drop(self.bench.wait_timeout(shift, LOOK * 10).unwrap_or_else(PoisonError::into_inner));
            return None;
        }
        shift.watched = true;
        let (mut shift, _) = self.bell.wait_timeout(shift, wait).unwrap_or_else(PoisonError::into_inner);
        shift.watched = false;
        None
    }

    fn act(&self, number: u32) -> Result<u64, Error> {
        let now = self.now();
        if let Some(back_at) = self.scenario.back_at(number, now) {
            return Ok(back_at);
        }
        let place = self.devices.get(number as usize);
        let mut device = place
            .ok_or("it is not there")
            .map_err(Error::object("a device"))?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.scenario.is_changed(number, now) {
            device.change();
        }
        let was_believed = device.is_believed();
        let around = Surroundings {
            link: &self.link,
            model: model_of(self.models, number),
            seed: Seed(self.plan.seed),
            now: &|| self.now(),
            over: &|| self.stop.load(Ordering::Relaxed) || self.now() >= milliseconds(self.plan.life),
        };
        let due = device.act(&around)?;
        match (was_believed, device.is_believed()) {
            (false, true) => self.believed.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.believed.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
        Ok(due)
    }
}

/// Devices are of each model in turn.
pub(crate) fn model_of(models: &[Model], number: u32) -> &Model {
    &models[number as usize % models.len()]
}
