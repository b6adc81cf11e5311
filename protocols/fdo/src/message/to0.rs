use alloc::vec::Vec;

use cbor::{Order, Reader, Writer};
use crypto::Digest;

use super::{read_body, read_nonce, write_nonce};
use crate::{Failure, Nonce, Redirect, Voucher};

/// The rendezvous server's nonce (section 5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloAck(pub Nonce);

impl HelloAck {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_nonce(body).map(Self)
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        write_nonce(&self.0)
    }
}

/// What an owner tells a rendezvous server (section 5.3.3): the voucher, and where the owner is. Believed by nobody yet.
#[derive(Debug)]
pub struct OwnerSign<'b> {
    /// What the redirection holds the hash of: voucher, seconds and nonce, as received.
    pub to0d: &'b [u8],
    /// The voucher.
    pub voucher: Voucher<'b>,
    /// For how many seconds the owner asks to be remembered.
    pub wait_seconds: u32,
    /// The server's nonce.
    pub nonce: Nonce,
    /// Where the owner is, signed by it.
    pub redirect: Redirect<'b>,
}

impl<'b> OwnerSign<'b> {
    /// Reads the message.
    pub fn decode(body: &'b [u8]) -> Result<Self, Failure> {
        read_body(body, |reader| {
            reader.array_of(2)?;
            let wrapped = reader.wrapped()?;
            let to0d = wrapped.rest();
            let mut fields = Reader::with_order(to0d, Order::Unique).at_offset(wrapped.position());
            fields.array_of(3)?;
            let voucher = Voucher::decode(fields.raw()?)?;
            let wait_seconds = fields.uint_as()?;
            let nonce = Nonce::read(&mut fields)?;
            fields.end()?;
            let redirect = Redirect::decode(reader.raw()?)?;
            Ok(Self { to0d, voucher, wait_seconds, nonce, redirect })
        })
    }

    /// The part that the redirection holds the hash of.
    pub(crate) fn encode_to0d(voucher: &[u8], wait_seconds: u32, nonce: &Nonce) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(3).raw(voucher).uint(wait_seconds.into());
            nonce.write(w);
        })
    }

    /// The message around its two parts.
    pub(crate) fn encode(to0d: &[u8], redirect: &[u8]) -> Vec<u8> {
        Writer::encode(|w| _ = w.array(2).bytes(to0d).raw(redirect))
    }

    /// Whether the redirection is to this registration.
    pub(crate) fn is_bound(&self) -> bool {
        let registration = self.redirect.registration();
        Digest::of(registration.algorithm(), self.to0d) == *registration
    }
}

/// For how long the rendezvous server remembers the owner (section 5.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptOwner {
    /// Seconds from now on.
    pub wait_seconds: u32,
}

impl AcceptOwner {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(1)?;
            Ok(Self { wait_seconds: reader.uint_as()? })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| _ = w.array(1).uint(self.wait_seconds.into()))
    }
}
