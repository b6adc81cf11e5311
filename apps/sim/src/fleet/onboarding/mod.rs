//! A fleet that begins in the factory: its devices are made (DI), sold, imported, registered with the rendezvous server,
//! and then each of them finds its owner (TO1) and is onboarded by it (TO2), as `fdo` and `fdo_http` have it.

mod crowd;
mod newborn;
mod papers;
mod phase;
mod session;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use eat::Ueid;
use serde::{Deserialize, Serialize};

use self::{
    crowd::Crowd,
    newborn::Newborn,
    phase::Tally,
    session::{Owner, Refused},
};
use super::{
    Progress,
    crew::model_of,
    device::SimDevice,
    model::{Model, ueid},
    operator::Operator,
    scenario::Plan,
    seed::Seed,
};
use crate::{Error, ServerPlace, client::Client};

pub use phase::Phase;

/// Who makes the devices of a fleet, and sells them.
#[derive(Clone, Debug)]
pub struct Manufacturer {
    place: ServerPlace,
    client: Client,
}

impl Manufacturer {
    /// A server that plays this role, and a credential of who may sell there.
    pub fn new(place: &ServerPlace, token: &str) -> Self {
        Self::of(place, Client::new(place, Some(token)))
    }

    pub(super) fn of(place: &ServerPlace, client: Client) -> Self {
        Self { place: place.clone(), client }
    }
}

/// What came of the devices on their way from the factory to their owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Onboarded {
    /// How many devices their owner has now.
    pub devices: u64,
    /// Seconds from the first device that was made to the last that was onboarded.
    pub seconds: f64,
    /// What was done one after another: `make`, `sell`, `import`, `register`, `find` and `onboard`. The last two go on at the
    /// same time, one after the other for each device, and so do the two before.
    pub phases: Vec<Phase>,
}

/// Between two tries of a device.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a device tries to find its owner and to be onboarded before it is given up here.
const TRIES: u32 = 3;

/// What is the same for all devices.
pub(super) struct Journey<'f, 'j> {
    pub(super) plan: &'f Plan,
    pub(super) models: &'f [Model],
    pub(super) manufacturer: &'j Manufacturer,
    pub(super) place: &'j ServerPlace,
    pub(super) operator: &'j Operator,
    /// The process of a server of the fleet's own.
    pub(super) server: Option<u32>,
    pub(super) stop: &'j AtomicBool,
}

/// A device that left the factory.
struct Made {
    newborn: Newborn,
    device: SimDevice,
}

impl Journey<'_, '_> {
    /// The fleet, whose devices are their owner's but for those that failed on the way: the server does not know those.
    pub(super) fn travel(
        &self,
        hear: &mut dyn FnMut(Progress),
    ) -> Result<(Vec<SimDevice>, Onboarded), Error> {
        let (group, began) = (super::model::group(self.plan), Instant::now());
        if !self.operator.devices(&group)?.is_empty() {
            let what = "its devices were onboarded before, and nobody makes them twice: give another seed";
            return Err(Error::object(group)(what));
        }
        let crowd = Crowd { threads: self.plan.connections, stop: self.stop };
        let (made, make) = self.make(&crowd, hear)?;
        let (vouchers, sell) = self.sell(&crowd, &made, hear)?;
        let (import, register) = self.take_over(&group, &vouchers, hear)?;
        let (known, find, onboard) = self.onboard(&crowd, &made, hear)?;
        let devices = (0..self.plan.devices).zip(made).map(|(number, made)| match made {
            Some(made) => Ok(made.device),
            None => {
                model_of(self.models, number).make(self.plan, number, ueid(Seed(self.plan.seed), number)?)
            }
        });
        let onboarded = Onboarded {
            devices: known,
            seconds: began.elapsed().as_secs_f64(),
            phases: vec![make, sell, import, register, find, onboard],
        };
        Ok((devices.collect::<Result<_, _>>()?, onboarded))
    }

    /// DI of every device.
    fn make(
        &self,
        crowd: &Crowd<'_>,
        hear: &mut dyn FnMut(Progress),
    ) -> Result<(Vec<Option<Made>>, Phase), Error> {
        let tally = Tally::new("make", self.server);
        let numbers: Vec<u32> = (0..self.plan.devices).collect();
        let made = crowd.each(&numbers, &mut |count| hear(Progress::Made(count)), |number| {
            let model = model_of(self.models, *number);
            let made = tally.time(|| Newborn::make(self, model, *number))?;
            let Ok(newborn) = made else { return Ok(None) };
            let name = Ueid::new(&newborn.credential.guid.ueid());
            let name = name.ok_or("it has no length").map_err(Error::object("a UEID"))?;
            Ok(Some(Made { device: model.make(self.plan, *number, name)?, newborn }))
        })?;
        Ok((made, tally.finish()))
    }

    /// The manufacturer sells every device to the operator. Gives their vouchers.
    fn sell(
        &self,
        crowd: &Crowd<'_>,
        made: &[Option<Made>],
        hear: &mut dyn FnMut(Progress),
    ) -> Result<(Vec<Vec<u8>>, Phase), Error> {
        let tally = Tally::new("sell", self.server);
        let buyer = papers::owner_key(self.operator)?;
        let sold = crowd.each(made, &mut |count| hear(Progress::Sold(count)), |made| {
            let Some(made) = made else { return Ok(None) };
            let guid = &made.newborn.credential.guid;
            let sold = tally.time(|| papers::sell(&self.manufacturer.client, guid, &buyer))?;
            Ok(sold.ok())
        })?;
        Ok((sold.into_iter().flatten().collect(), tally.finish()))
    }

    /// The operator imports all vouchers, and its server registers with the rendezvous server.
    fn take_over(
        &self,
        group: &str,
        vouchers: &[Vec<u8>],
        hear: &mut dyn FnMut(Progress),
    ) -> Result<(Phase, Phase), Error> {
        let (import, register) = (Tally::new("import", self.server), Tally::new("register", self.server));
        papers::import(self.operator, group, vouchers, &import, &mut |count| {
            hear(Progress::Imported(count))
        })?;
        let import = import.finish();
        let mut hear = |count| hear(Progress::Registered(count));
        papers::await_registration(self.operator, group, import.done, &register, self.stop, &mut hear)?;
        Ok((import, register.finish()))
    }

    /// TO1 and TO2 of every device. Gives how many are their owner's.
    fn onboard(
        &self,
        crowd: &Crowd<'_>,
        made: &[Option<Made>],
        hear: &mut dyn FnMut(Progress),
    ) -> Result<(u64, Phase, Phase), Error> {
        let (find, onboard) = (Tally::new("find", self.server), Tally::new("onboard", self.server));
        let numbers: Vec<u32> = (0..self.plan.devices).collect();
        let ends = crowd.each(&numbers, &mut |count| hear(Progress::Onboarded(count)), |number| {
            let Some(Some(Made { newborn, device })) = made.get(*number as usize) else { return Ok(false) };
            let owner = Owner {
                url: self.place.url(),
                authorities: model_of(self.models, *number).authorities(),
                operational: Seed(self.plan.seed).key("operational", u64::from(*number))?,
            };
            for attempt in 1..=TRIES {
                if let Ok(candidate) = find.time(|| Ok(newborn.find_owner()))?
                    && onboard.time(|| Ok(newborn.onboard(&candidate, device, &owner)))?.is_ok()
                {
                    return Ok(true);
                }
                if attempt < TRIES && !self.stop.load(Ordering::Relaxed) {
                    thread::sleep(AGAIN);
                }
            }
            Ok(false)
        })?;
        let known = ends.iter().filter(|known| **known).count() as u64;
        Ok((known, find.finish(), onboard.finish()))
    }
}

/// How often each reason was given.
type Reasons = BTreeMap<String, u64>;
