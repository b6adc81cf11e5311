//! FIDO Device Onboard 1.1: ownership vouchers, read, verified and extended.
//!
//! A [`Voucher`] says which device was made by whom and sold to whom: a header by the manufacturer, the certificates of the
//! device's key, and one signed entry a sale. It is believed by nobody until [`Voucher::verify`] makes a
//! [`VerifiedVoucher`] of it, over the bytes as received. [`Voucher::extend`] adds the next owner.
//!
//! The crate holds no clock, no socket and no trust of its own: whose vouchers count, as manufacturer and as owner, is the
//! caller's to decide. The messages of the protocols (DI, TO0, TO1, TO2) are not here yet.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod entry;
mod error;
mod extend;
mod file;
mod guid;
mod hash;
mod header;
pub mod labels;
mod public_key;
mod rendezvous;
mod verify;
mod voucher;

// Public interface
pub use entry::Entry;
pub use error::{Distrust, Error, Feature, Misuse};
pub use extend::Extension;
pub use file::{FileError, MAX_VOUCHERS, PEM_LABEL, vouchers_of_file};
pub use guid::{Guid, NotAGuid};
pub use hash::Hmac;
pub use header::{Header, MAX_DEVICE_INFO_LEN};
pub use public_key::{Key, KeyEncoding, KeyType, PublicKey};
pub use rendezvous::{
    Directive, Instruction, MAX_DIRECTIVES, MAX_INSTRUCTIONS, MAX_VALUE_LEN, Protocol, RendezvousInfo,
    WifiPassword,
};
pub use verify::{DeviceChain, VerifiedVoucher};
pub use voucher::{MAX_CERTIFICATES, MAX_ENTRIES, MAX_VOUCHER_LEN, Voucher};
