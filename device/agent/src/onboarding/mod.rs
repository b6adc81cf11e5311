//! Onboarding (FDO): becoming a device of a manufacturer, and being taken over by an owner.
//!
//! How a device stands with its owner is one file ([`Onboarding`]), which is replaced in one step when TO2 is done. Whatever
//! happens before that leaves the old one, and it begins again.

mod endpoints;
mod enrolment;
mod files;
mod make;
mod onboard;
mod programs;
mod provisioning;
mod session;
mod stored;

pub(crate) use endpoints::Endpoints;
pub use make::{MadeDevice, make};
pub(crate) use onboard::onboarded;
pub use onboard::{Onboarded, onboard};
pub(crate) use stored::Onboarding;
