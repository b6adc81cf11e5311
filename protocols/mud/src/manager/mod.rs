//! What a manager of MUD files has to decide, as pure functions: when to fetch a file and from where, whether its
//! signature lets it be read, and whether it may follow the one in force (RFC 8520, sections 1.6, 3.5, 13.2 and 16;
//! acceptable-urls draft).

mod announcement;
mod fetch;
mod refresh;
mod signature;
mod succession;

pub use announcement::{AnnouncementFault, Announcer, Label, announced_by_dhcp, announced_url};
pub use fetch::{MAX_REDIRECTS, Redirect, RedirectFault, is_public, redirect};
pub use refresh::{Check, Freshness, MAX_REFRESH_SECONDS, MIN_REFRESH_SECONDS, Retrieval};
pub use signature::{
    Admission, Doubt, Signature, Signer, SignerChange, SignerPin, SiteMode, StandingApproval, admit,
};
pub use succession::{Lineage, Offer, Reservation, Succession, UrlChange};
