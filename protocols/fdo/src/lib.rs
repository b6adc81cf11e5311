//! FIDO Device Onboard 1.1: ownership vouchers, and the protocols in which devices are made, found and taken over.
//!
//! A [`Voucher`] says which device was made by whom and sold to whom: a header by the manufacturer, the certificates of the
//! device's key, and one signed entry a sale. It is believed by nobody until [`Voucher::verify`] makes a
//! [`VerifiedVoucher`] of it, over the bytes as received. [`Voucher::extend`] adds the next owner.
//!
//! Around it stand the protocols, each side a state machine that takes what came and gives what to send: a [`device`] with DI,
//! TO1 and TO2, a manufacturer ([`ManufacturerSession`]), a rendezvous server ([`RegistrationSession`], [`RedirectionSession`])
//! and an [`owner`] with TO0 and TO2. Sessions of servers can be taken apart into bytes, so that whoever has the key to a sealed
//! token can answer the next message.
//!
//! The crate holds no clock, no socket, no randomness and no trust of its own: whose vouchers count, as manufacturer and as
//! owner, is the caller's to decide.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod address;
mod credential;
pub mod device;
mod eat;
mod entry;
mod error;
mod exchange;
mod extend;
mod failure;
mod file;
mod guid;
mod hash;
mod header;
pub mod labels;
mod limits;
mod manufacturer;
mod message;
mod nonce;
pub mod owner;
pub mod provision;
mod public_key;
mod redirect;
mod rendezvous_info;
mod rendezvous_server;
pub mod service_info;
mod signer;
mod step;
mod targets;
mod tunnel;
mod verify;
mod voucher;

// Public interface
pub use address::{MAX_ADDRESSES, MAX_HOST_LEN, OwnerAddress, Transport};
pub use credential::Credential;
pub use eat::DeviceToken;
pub use entry::Entry;
pub use error::{Distrust, Error, Feature, Misuse};
pub use exchange::ExchangeSuite;
pub use extend::Extension;
pub use failure::{Failure, Fault, Refusal};
pub use file::{FileError, MAX_VOUCHERS, PEM_LABEL, vouchers_of_file};
pub use guid::{Guid, NotAGuid};
pub use hash::Hmac;
pub use header::{Header, MAX_DEVICE_INFO_LEN};
pub use manufacturer::{Made, ManufacturerSession, NewDevice};
pub use message::{
    AcceptOwner, AppStart, DeviceInfo, DeviceServiceInfo, DeviceServiceInfoReady, Done, ErrorCode,
    ErrorMessage, GetNextEntry, HelloAck, HelloDevice, HelloRv, HelloRvAck, MAX_ERROR_TEXT_LEN,
    MAX_MESSAGE_LEN, MAX_SERIAL_LEN, Message, MessageType, NextEntry, OwnerServiceInfo,
    OwnerServiceInfoReady, OwnerSign, ProveHeader, SetCredentials, SetHmac, SetupDevice, SigInfo,
    SubProtocol,
};
pub use nonce::Nonce;
pub use public_key::{Key, KeyEncoding, KeyType, PublicKey};
pub use redirect::Redirect;
pub use rendezvous_info::{
    Directive, Instruction, MAX_DIRECTIVES, MAX_INSTRUCTIONS, MAX_VALUE_LEN, Protocol, RendezvousInfo,
    WifiPassword,
};
pub use rendezvous_server::{RedirectionSession, Registration, RegistrationSession};
pub use signer::{DeviceSecrets, OwnerKey, Signer, SoftSecrets};
pub use step::Step;
pub use targets::{DEFAULT_DELAY, Host, NetworkHint, Party, Pins, Target, Unusable, Way};
pub use tunnel::{Binding, CipherSuite};
pub use verify::{DeviceChain, OwnedVoucher, VerifiedVoucher};
pub use voucher::{MAX_CERTIFICATES, MAX_ENTRIES, MAX_VOUCHER_LEN, Voucher};
