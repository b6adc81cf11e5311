//! Whom a recipient obeys: the list of keys, what of them a manifest needs, and how the list itself is changed.

mod codec;
mod distribution;
mod error;
mod list;
mod members;
mod quorum;
mod role;
mod shared;
mod update;
mod verify;

pub use distribution::{Beyond, beyond_distribution};
pub use error::{AuthorityError, LockOut, UpdateRefusal};
pub use list::{Authority, AuthorityList, AuthorityPolicy, Rule};
pub use role::{NotAParty, Party, Role};
pub use shared::{AuthorityKey, SharedKeyName, SharedKeys};
pub use update::{AUTHORITY_UPDATE_CONTEXT, AuthorityUpdate, UpdateProposal, UpdateScope};
pub use verify::{Recipient, Seal, Tally, VerifiedUpdate};

pub(crate) use members::{Members, Signed, Signing, bit};
pub(crate) use quorum::check;
