//! A fleet of simulated devices in one process, each with the device's real state machine, storage and keys, against a
//! real server over HTTPS: challenge, evidence, result, polls, downloads, installations, trial boots and reports.
//!
//! A few threads act for all devices, each of which is in memory and due at some time. Equal images are kept once, and
//! connections are shared.

mod agenda;
mod crew;
mod device;
mod link;
mod metrics;
mod model;
mod operator;
mod report;
mod scenario;
mod seed;
mod source;
mod storage;
mod world;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use self::{
    crew::{Crew, model_of},
    device::SimDevice,
    link::Link,
    metrics::Metrics,
    operator::Operator,
    report::Facts,
};
use crate::{Error, ServerPlace, client::Client};

// Public interface
pub use self::{
    metrics::Latency,
    model::{Factory, Model},
    report::{Changed, Summary},
    scenario::{Plan, Share},
    world::{World, WorldPlan},
};

/// How a fleet does.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// So many devices are made.
    Made(u64),
    /// So many devices are enrolled.
    Enrolled(u64),
    /// It lives.
    Living {
        /// For so long.
        since: Duration,
        /// So many devices are believed by the verifier.
        believed: u64,
        /// So many attestations and polls were answered.
        check_ins: u64,
    },
}

/// Devices that are made and enrolled, and wait to be switched on.
pub struct Fleet<'f> {
    plan: &'f Plan,
    models: &'f [Model],
    place: ServerPlace,
    operator: Operator,
    devices: Vec<SimDevice>,
    enrolled: usize,
    enrolling: Duration,
}

impl<'f> Fleet<'f> {
    /// Makes a fleet and enrols those of its devices that the server does not know yet, with an operator's credential.
    pub fn prepare(
        plan: &'f Plan,
        models: &'f [Model],
        place: &ServerPlace,
        token: &str,
        hear: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        Self::assemble(plan, models, place, Operator::new(Client::new(place, Some(token))), hear)
    }

    /// Makes a fleet for a world.
    pub fn prepare_in(
        world: &World,
        plan: &'f Plan,
        models: &'f [Model],
        hear: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        Self::assemble(plan, models, world.place(), world.operator().clone(), hear)
    }

    fn assemble(
        plan: &'f Plan,
        models: &'f [Model],
        place: &ServerPlace,
        operator: Operator,
        hear: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        if models.is_empty() || plan.devices == 0 {
            return Err(Error::object("a fleet")("it has no devices"));
        }
        let mut devices = Vec::new();
        for number in 0..plan.devices {
            devices.push(model_of(models, number).make(plan, number)?);
            hear(Progress::Made(u64::from(number) + 1));
        }
        let started = Instant::now();
        let known = operator.devices(&model::group(plan))?;
        let all = (0..plan.devices).map(|number| model_of(models, number).enrolment(plan, number));
        let mut strangers = all.collect::<Result<Vec<_>, _>>()?;
        strangers.retain(|device| !known.contains_key(&device.ueid));
        operator.enrol(&strangers, |count| hear(Progress::Enrolled(count as u64)))?;
        Ok(Self {
            plan,
            models,
            place: place.clone(),
            operator,
            devices,
            enrolled: strangers.len(),
            enrolling: started.elapsed(),
        })
    }

    /// Switches the devices on and lets them live, until their time is over or somebody ends it. `hear` is called
    /// several times a second and may end it with an error.
    pub fn live(
        self,
        stop: &Arc<AtomicBool>,
        hear: &mut dyn FnMut(Progress) -> Result<(), Error>,
    ) -> Result<Summary, Error> {
        let Self { plan, models, place, operator, devices, enrolled, enrolling } = self;
        let metrics = Arc::new(Metrics::default());
        let link = Link::new(&place, plan.connections, Arc::clone(&metrics));
        let crew = Crew::new(plan, models, devices, link, Arc::clone(stop));
        let started = Instant::now();
        crew.work(|crew| {
            hear(Progress::Living {
                since: Duration::from_millis(crew.now()),
                believed: crew.believed(),
                check_ins: crew.link().metrics.check_ins(),
            })
        })?;
        let life = started.elapsed();
        let vanishing = crew.scenario().vanishing();
        let known = operator.devices(&model::group(plan))?;
        let standings =
            crew.into_devices().iter_mut().map(SimDevice::standing).collect::<Result<Vec<_>, _>>()?;
        Ok(Summary::new(&Facts {
            plan,
            server: place.url(),
            enrolled,
            enrolling,
            life,
            vanishing,
            metrics: &metrics,
            standings: &standings,
            known: &known,
        }))
    }
}
