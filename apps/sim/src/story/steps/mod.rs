//! The ten steps.

mod attack;
mod cure;
mod factory;
mod join;
mod network;
mod update;

pub(super) use self::attack::{forged_result, swap_mud};
pub(super) use self::factory::make;
pub(super) use self::update::start_campaign;
use super::{Script, lab::Lab};
use crate::Error;

type Tell = fn(&mut Lab, &mut Script) -> Result<(), Error>;

/// Title of each step, and how it goes.
pub(super) const STEPS: &[(&str, Tell)] = &[
    ("A factory makes devices and sells them: signed vouchers say whose they are", factory::make),
    ("Devices join, and reach onboarding, attestation and update only", join::join),
    (
        "They find their owner, attest, are taken over, and exactly the flows of their release open",
        join::attest,
    ),
    ("A release with other network needs: policy first, then canary, then the rest", update::update),
    ("One byte of an installed image changes: the next evidence cuts the device off", cure::tamper),
    ("The update repairs it, and it is released with no human step", cure::repair),
    (
        "A release is revoked: a device that still runs it is outdated, and reaches update only",
        update::revoke,
    ),
    ("The network operator overrides one flow until a date, across an update", network::override_flow),
    ("A compromised program goes where its release never asked to", network::violate),
    ("Attacks, each refused with its reason", attack::attack),
];
