//! Kinds of devices, and the making of devices as in a factory.

use std::time::{SystemTime, UNIX_EPOCH};

use cose::Key;
use device_core::{Boot, Component, Credentials, Device, Identity};
use eat::{DebugStatus, Ueid};
use suit::{AuthorityList, Envelope, Uuid};

use super::{
    device::SimDevice,
    scenario::{Plan, milliseconds},
    seed::{Numbers, Seed},
    storage::{SharedStorage, Warehouse},
};
use crate::Error;

/// A kind of device and what it leaves the factory with.
#[derive(Debug)]
pub struct Model {
    name: String,
    vendor: Uuid,
    class: Uuid,
    components: Vec<Component>,
    authorities: AuthorityList,
    /// What a device's storage holds when it leaves the factory.
    flash: SharedStorage,
}

/// First byte of a UEID of type RAND (RFC 9711, section 4.2.1.1), and how many bytes follow it.
const UEID_RAND: u8 = 1;
const UEID_RANDOM: usize = 16;
/// Room for images that grow from release to release, in bytes.
const ROOM: u64 = 16 << 20;
/// How long a release on trial has to prove itself at least, in milliseconds, and in how many attestations.
const TRIAL: u64 = 60_000;
const TRIAL_ATTESTATIONS: u64 = 3;

/// Where equal images and envelopes of all models are kept once.
#[derive(Clone, Debug, Default)]
pub struct Factory(Warehouse);

impl Factory {
    /// Devices of this vendor and class that leave the factory with a release. It is installed by a device: what a
    /// device would refuse is an error here.
    pub fn model(
        &self,
        vendor: &str,
        class: &str,
        release: &[u8],
        authorities: &AuthorityList,
    ) -> Result<Model, Error> {
        let name = format!("{vendor}/{class}");
        let refused = |what: String| Error::object(format!("the release for {name}"))(what);
        let envelope = Envelope::decode(release).map_err(|error| refused(error.to_string()))?;
        let verified = envelope.verify(authorities).map_err(|refusal| refused(refusal.to_string()))?;
        let components = verified.components().iter();
        let vendor = Uuid::vendor(vendor);
        let mut model = Model {
            class: Uuid::class(&vendor, class.as_bytes()),
            vendor,
            components: components.map(|id| Component { id: id.clone(), capacity: ROOM }).collect(),
            authorities: authorities.clone(),
            flash: SharedStorage::new(&self.0),
            name: name.clone(),
        };
        let (nobody, first) = (ueid(Seed(0), 0)?, &mut Numbers::new(0));
        let mut device = model.wake(model.flash.clone(), key(Seed(0), 0)?, nobody, first)?;
        let manifest = device.install(release, None, unix_now());
        manifest.map_err(|error| refused(format!("a device does not install it: {error:?}")))?;
        let booted = device.boot(unix_now()).map_err(|error| refused(format!("{error:?}")))?;
        if booted == Boot::Recovery {
            return Err(refused("it does not boot".to_owned()));
        }
        device.commit().map_err(|error| refused(format!("{error:?}")))?;
        model.flash = device.into_storage();
        Ok(model)
    }
}

impl Model {
    /// Its name: vendor and class.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose releases its devices obey when they leave the factory, encoded.
    pub(crate) fn authorities(&self) -> Vec<u8> {
        self.authorities.to_bytes()
    }

    /// A device as it is switched on for the first time, with the name that evidence calls it by.
    pub(crate) fn make(&self, plan: &Plan, number: u32, ueid: Ueid) -> Result<SimDevice, Error> {
        let seed = Seed(plan.seed);
        let mut numbers = Numbers::new(seed.number("jitter", u64::from(number)));
        let device = self.wake(self.flash.clone(), key(seed, number)?, ueid, &mut numbers)?;
        let timing = device_core::Timing {
            attest: milliseconds(plan.attest),
            poll: milliseconds(plan.poll),
            trial: TRIAL.max(TRIAL_ATTESTATIONS * milliseconds(plan.attest)),
            gateway: false,
        };
        Ok(SimDevice::new(number, device, timing, numbers))
    }

    /// A device with everything but its storage made anew, as after a boot.
    pub(crate) fn wake(
        &self,
        storage: SharedStorage,
        key: crypto::SigningKey,
        ueid: Ueid,
        numbers: &mut Numbers,
    ) -> Result<Device<SharedStorage>, Error> {
        let identity = Identity {
            ueid,
            vendor: self.vendor,
            class: self.class,
            debug: DebugStatus::Disabled,
            components: self.components.clone(),
            layout: device_core::Layout::InTurn,
        };
        let key = Box::new(key);
        let credentials = Credentials { identity, authorities: self.authorities.clone(), key };
        Device::power_up(storage, credentials, &numbers.next().to_be_bytes())
            .map_err(|error| Error::object("a simulated device does not start")(format!("{error:?}")))
    }

    /// What an operator needs to enrol a device.
    pub(crate) fn enrolment(&self, plan: &Plan, number: u32) -> Result<api::EnrolDevice, Error> {
        let key = Key::from_public(key(Seed(plan.seed), number)?.public_key()).encode();
        Ok(api::EnrolDevice {
            name: device_name(plan, number),
            model: self.name.clone(),
            ueid: ueid(Seed(plan.seed), number)?.to_string(),
            key: api::EnrolKey::Text(api::Base64Url::encode(&key)),
            group: group(plan),
        })
    }
}

/// The group that all devices of a fleet are in.
pub(crate) fn group(plan: &Plan) -> String {
    format!("sim-{}", plan.seed)
}

/// What people call a device, and its factory in its serial number.
pub(crate) fn device_name(plan: &Plan, number: u32) -> String {
    format!("sim-{}-{number:06}", plan.seed)
}

/// How evidence calls a device that is enrolled by hand.
pub(crate) fn ueid(seed: Seed, number: u32) -> Result<Ueid, Error> {
    let bytes = seed.bytes("ueid", u64::from(number));
    let random = bytes.as_bytes().get(..UEID_RANDOM).unwrap_or_default();
    Ueid::new(&[&[UEID_RAND], random].concat()).ok_or("it has no length").map_err(Error::object("a UEID"))
}

/// The key that a device attests with.
pub(crate) fn key(seed: Seed, number: u32) -> Result<crypto::SigningKey, Error> {
    seed.key("device", u64::from(number))
}

/// Seconds since 1970, if the clock was ever set.
pub(crate) fn unix_now() -> Option<u64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}
