//! ServiceInfo (FDO 1.1, sections 3.8 and 5.5.7 to 5.5.10): what owner and device tell each other once each has proven itself.
//!
//! * A message carries a list of [`KeyValue`]s (`module:message` and an encoded value), packed by [`Outgoing`] and put together
//!   again by [`Incoming`].
//! * [`DeviceEngine`] answers with the [`DeviceModule`]s that it was given, and refuses all others.
//! * [`OwnerEngine`] goes through a [`Program`] of steps. It is made to live for one message: its state is bytes in between.
//! * [`modules`] has the standard modules, both sides, over small traits that do what they are about.
//!
//! Nothing here waits, reads a clock or touches a file. Message numbers, encryption and who may speak at all are the callers'.

mod device;
mod fault;
mod incoming;
pub mod labels;
mod list;
pub mod modules;
mod outgoing;
mod owner;
mod program;
mod state;

#[cfg(test)]
mod tests;

// Public interface
pub use device::{Activity, DeviceEngine, DeviceModule, MAX_MODULES, MAX_ROUNDS};
pub use fault::{ModuleFault, ServiceFault};
pub use incoming::{Incoming, MAX_VALUE_LEN};
pub use list::{KeyValue, MAX_ENTRIES, MAX_ITEMS, MAX_LIST_LEN, MAX_NAME_LEN, decode_list, encode_list};
pub use outgoing::{DEFAULT_BUDGET, MAX_BUDGET, MAX_DATA_LEN, MAX_QUEUED_LEN, MIN_BUDGET, Outgoing};
pub use owner::{Answer, MAX_OWNER_VALUE_LEN, OwnerEngine};
pub use program::{
    Absent, Action, Advance, Backend, BackendFault, Contents, CustomSteps, MAX_STEPS, ObjectId, Outcome,
    Program, ProgramId, Sink, Step,
};
pub use state::{MAX_CUSTOM_STATE_LEN, MAX_STATE_LEN};
