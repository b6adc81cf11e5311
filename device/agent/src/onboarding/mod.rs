//! Onboarding (FDO): becoming a device of a manufacturer, and being taken over by an owner.
//!
//! How a device stands with its owner is one file ([`Onboarding`]), which is replaced in one step when TO2 is done. Whatever
//! happens before that leaves the old one, and it begins again.

mod make;
mod stored;

pub use make::{MadeDevice, make};
pub(crate) use stored::Onboarding;
