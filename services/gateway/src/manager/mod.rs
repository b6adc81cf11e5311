//! The MUD manager for devices without attestation (RFC 8520, section 1.4): whose URL is believed, from where its file
//! comes, and whether it may be applied.
//!
//! It runs in the process of the gateway, because a server that was taken over must not open the network. The server shows
//! what waits here and carries what people sign.

mod approvals;
mod fetch;
mod file;
mod model;
mod order;
mod report;
mod saved;
mod settings;
mod unattested;
mod worker;

pub use approvals::Approvals;
pub use fetch::{Brought, Fault, FaultKind, Fetched, Fetcher, Lookup, SystemResolver, read_file};
pub use file::{Examined, File, Source, Terms, examine};
pub use model::{Asked, Model, Standing, Waiting};
pub use order::{Order, Place};
pub(crate) use report::Told;
pub use saved::{SavedModel, SavedResident, SavedStanding, SavedWaiting};
pub use settings::{AnnouncedRules, ApprovalRule, KnownDevice, OperatorFile, Sources, ThirdParty};
pub use unattested::{Altered, Resident, Unattested};
pub(crate) use worker::{Fetches, work};
