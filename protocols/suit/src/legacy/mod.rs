//! Envelopes of older drafts, for people and tools: read, verify, and put into the terms of today. Off by default.
//!
//! Numbers moved between drafts and collide, so a manifest is read with one [`Numbering`] as a whole, chosen by what only
//! some drafts write or named by the caller, and never label by label. What comes out is read-only: no processor takes
//! it, and only [`LegacyKeys`], which somebody names for the purpose, vouch for it.
//!
//! | [`Numbering`] | Drafts | Known writers | It shows by |
//! |---|---|---|---|
//! | `Draft09` | up to 13 | RIOT | tag 48 or 480, hash number 1 to 8, attached payload |
//! | `Draft14` | 14 to 16 | suit-tool | manifest member 10 to 13, or a severed 7, 8 or 9 |
//! | `Draft19` | 17 to 26 | nRF Connect SDK | member 17 and no 20 |
//! | `Current` | 27 and later | libcsuit, nRF Connect SDK | nothing of the above |

mod convert;
mod detect;
mod envelope;
mod error;
mod labels;
mod manifest;
mod numbering;
mod sequence;
mod verify;

// Public interface
pub use convert::{Conversion, Inexpressible, NoEquivalent};
pub use envelope::{LegacyEnvelope, LegacyPayload};
pub use error::{Evidence, LegacyError, LegacyRefusal};
pub use manifest::{LegacyDependency, LegacyManifest};
pub use numbering::{NotANumbering, Numbering};
pub use sequence::{LegacyCommand, LegacyOperation, LegacyParameter, LegacySequence};
pub use verify::{LegacyKey, LegacyKeys, LegacyVerified, PayloadCheck};
