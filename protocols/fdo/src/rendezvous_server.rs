//! The rendezvous server's side: TO0, in which owners register, and TO1, in which devices ask.

use alloc::vec::Vec;

use cbor::{Order, Reader, Writer};

use crate::{
    AcceptOwner, DeviceChain, Failure, Fault, Guid, HelloAck, HelloRv, HelloRvAck, Key, Message, MessageType,
    Nonce, OwnerSign, PublicKey, Refusal, eat::DeviceToken, message::empty,
};

/// TO0 on the server's side (section 5.3), between its two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationSession(Nonce);

/// What an owner registered: its voucher holds, and the redirection is by the owner whom the voucher ends with. Whose vouchers
/// count is for the server's policy to say, which knows the keys of manufacturers or owners.
#[derive(Debug)]
pub struct Registration {
    /// Which device.
    pub guid: Guid,
    /// The manufacturer's key.
    pub manufacturer: PublicKey,
    /// The owner's.
    pub owner: PublicKey,
    /// The device's, by which it proves itself in TO1.
    pub device_key: crypto::PublicKey,
    /// The redirection, as received.
    pub redirect: Vec<u8>,
    /// For how many seconds the owner asks to be remembered.
    pub wait_seconds: u32,
}

impl RegistrationSession {
    /// Answers the first message, which says nothing.
    pub fn begin(hello: &[u8], fill: &mut dyn FnMut(&mut [u8])) -> Result<(Self, Message), Failure> {
        empty(hello)?;
        let nonce = Nonce::generate(fill);
        Ok((Self(nonce), Message::new(MessageType::HelloAck, HelloAck(nonce).encode())))
    }

    /// The nonce, by which the session is known and used once.
    pub fn nonce(&self) -> Nonce {
        self.0
    }

    /// The session of a nonce.
    pub fn of(nonce: Nonce) -> Self {
        Self(nonce)
    }

    /// Verifies what an owner registers. It is for the caller to keep before it answers with [`Registration::accept`].
    pub fn register(&self, body: &[u8], chain: DeviceChain<'_>) -> Result<Registration, Failure> {
        let message = OwnerSign::decode(body)?;
        if message.nonce != self.0 {
            return Err(Refusal::Nonce.into());
        }
        if !message.is_bound() {
            return Err(Refusal::RedirectHash.into());
        }
        let verified = message.voucher.verify(chain)?;
        message.redirect.verify(verified.owner())?;
        Ok(Registration {
            guid: verified.header().guid,
            manufacturer: verified.header().manufacturer.clone(),
            owner: verified.owner().clone(),
            device_key: verified.device_key().clone(),
            redirect: message.redirect.as_bytes().to_vec(),
            wait_seconds: message.wait_seconds,
        })
    }
}

impl Registration {
    /// Answers that the owner is remembered for so many seconds.
    pub fn accept(wait_seconds: u32) -> Message {
        Message::new(MessageType::AcceptOwner, AcceptOwner { wait_seconds }.encode())
    }
}

/// TO1 on the server's side (section 5.4), between its two messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectionSession {
    guid: Guid,
    nonce: Nonce,
}

impl RedirectionSession {
    /// Answers [`HelloRv`] of a device that was registered.
    pub fn begin(hello: &HelloRv, fill: &mut dyn FnMut(&mut [u8])) -> Result<(Self, Message), Failure> {
        let HelloRv { guid, sig_info } = *hello;
        if !sig_info.is_supported() {
            return Err(Refusal::SigInfo.into());
        }
        let nonce = Nonce::generate(fill);
        let message = Message::new(MessageType::HelloRvAck, HelloRvAck { nonce, sig_info }.encode());
        Ok((Self { guid, nonce }, message))
    }

    /// Which device asks.
    pub fn guid(&self) -> &Guid {
        &self.guid
    }

    /// Verifies the device's proof, and answers with the redirection as it was registered.
    pub fn redirect(
        &self,
        body: &[u8],
        device_key: &crypto::PublicKey,
        redirect: &[u8],
    ) -> Result<Message, Failure> {
        DeviceToken::decode(body)?.verify(&Key::Ec(device_key.clone()), &self.guid, self.nonce)?;
        Ok(Message::new(MessageType::RvRedirect, redirect.to_vec()))
    }

    /// Everything of the session.
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(2).bytes(&self.guid.0);
            self.nonce.write(w);
        })
    }

    /// Reads what [`RedirectionSession::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Failure> {
        let read = || -> Result<Self, cbor::Error> {
            let mut reader = Reader::with_order(bytes, Order::Unique);
            reader.array_of(2)?;
            let session = Self { guid: Guid(*reader.byte_array()?), nonce: Nonce::read(&mut reader)? };
            reader.end()?;
            Ok(session)
        };
        read().map_err(|_| Fault::Session.into())
    }
}
