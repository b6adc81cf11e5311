//! A fleet of simulated devices in one process, each with the device's real state machine, storage and keys, against a
//! real server over HTTPS: challenge, evidence, result, polls, downloads, installations, trial boots and reports. Its devices
//! are enrolled by hand, or made in a factory and onboarded.
//!
//! A few threads act for all devices, each of which is in memory and due at some time. Equal images are kept once, and
//! connections are shared.

mod agenda;
mod crew;
mod device;
mod link;
mod metrics;
mod model;
mod onboarding;
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
    onboarding::Journey,
    operator::Operator,
    report::Facts,
    seed::Seed,
};
use crate::{Error, ServerPlace, client::Client};

// Public interface
pub use self::{
    metrics::Latency,
    model::{Factory, Model},
    onboarding::{Manufacturer, Onboarded, Phase},
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
    /// So many devices are sold to the operator.
    Sold(u64),
    /// The vouchers of so many devices are imported.
    Imported(u64),
    /// Of so many devices the rendezvous server knows the owner.
    Registered(u64),
    /// So many devices were onboarded, or gave up.
    Onboarded(u64),
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
    /// How they came here, where they were not enrolled by hand.
    onboarded: Option<Onboarded>,
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

    /// Makes a fleet in a factory and brings each device to its owner, over the protocols of onboarding.
    pub fn onboard(
        plan: &'f Plan,
        models: &'f [Model],
        manufacturer: &Manufacturer,
        (place, token): (&ServerPlace, &str),
        stop: &AtomicBool,
        hear: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        let operator = Operator::new(Client::new(place, Some(token)));
        let journey = Journey { plan, models, manufacturer, place, operator: &operator, server: None, stop };
        Self::arrive(&journey, hear)
    }

    /// The same in a world, whose server is the factory as well.
    pub fn onboard_in(
        world: &World,
        plan: &'f Plan,
        models: &'f [Model],
        stop: &AtomicBool,
        hear: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        let (manufacturer, operator, place) = (world.manufacturer(), world.operator(), world.place());
        let server = Some(world.server());
        Self::arrive(&Journey { plan, models, manufacturer, place, operator, server, stop }, hear)
    }

    fn arrive(journey: &Journey<'f, '_>, hear: &mut dyn FnMut(Progress)) -> Result<Self, Error> {
        check(journey.plan, journey.models)?;
        let (devices, onboarded) = journey.travel(hear)?;
        Ok(Self {
            plan: journey.plan,
            models: journey.models,
            place: journey.place.clone(),
            operator: journey.operator.clone(),
            devices,
            onboarded: Some(onboarded),
            enrolled: 0,
            enrolling: Duration::ZERO,
        })
    }

    /// How its devices came from the factory to their owner, where they did.
    pub fn onboarded(&self) -> Option<&Onboarded> {
        self.onboarded.as_ref()
    }

    fn assemble(
        plan: &'f Plan,
        models: &'f [Model],
        place: &ServerPlace,
        operator: Operator,
        hear: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        check(plan, models)?;
        let mut devices = Vec::new();
        for number in 0..plan.devices {
            let ueid = model::ueid(Seed(plan.seed), number)?;
            devices.push(model_of(models, number).make(plan, number, ueid)?);
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
            onboarded: None,
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
        let Self { plan, models, place, operator, devices, onboarded, enrolled, enrolling } = self;
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
            onboarded,
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

fn check(plan: &Plan, models: &[Model]) -> Result<(), Error> {
    if models.is_empty() || plan.devices == 0 {
        return Err(Error::object("a fleet")("it has no devices"));
    }
    Ok(())
}
