//! The control half: the MUD manager (RFC 8520, section 1.4) of one site.
//!
//! It asks the server for signed objects, verifies each with the anchors of its own site, and turns decisions about
//! devices into policies of the enforcement half. The server is a carrier: of what it says without a signature only
//! what narrows is believed. When it is silent, everything stays as it is until signed results come to their end.
//!
//! [`State`] is all that is known and decides; it owns no socket, file or clock. Around it are a journal, so that a
//! restart needs no server, the admission service that binds addresses to attested devices, and the client.

mod admission;
mod anchors;
mod answers;
mod client;
mod config;
mod controller;
mod edge;
mod follow;
mod hex;
mod journal;
mod link;
mod names;
mod nonce;
mod outbox;
mod place;
mod resolvers;
mod run;
mod servers;
mod standing;
mod state;
mod traffic;
mod verify;

pub use admission::{Admission, Answer, Door, MAX_ADMISSION};
pub use anchors::Anchors;
pub use client::{Client, ClientError};
pub use config::{Config, EdgeConfig, StartError};
pub use controller::Controller;
pub(crate) use hex::{hex, release as unhex_digest};
pub use journal::{
    Journal, Saved, SavedDevice, SavedFilePolicy, SavedName, SavedPolicy, SavedRelease, SavedSite,
};
pub use nonce::Nonces;
pub use outbox::{MAX_WAITING, Outbox};
pub use run::{Gateway, run};
pub use state::{Assessment, Changed, FilePolicy, Followed, PolicyKey, PolicySource, State, Target};
pub use verify::{ADMISSION_CONTEXT, Attested, Presented, attested, presented};
