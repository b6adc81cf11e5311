use alloc::vec::Vec;

use cbor::Writer;

use super::{SigInfo, read_body};
use crate::{Guid, Nonce};

/// A device's question for its owner (section 5.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloRv {
    /// Which device.
    pub guid: Guid,
    /// How it signs.
    pub sig_info: SigInfo,
}

impl HelloRv {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(2)?;
            Ok(Self { guid: Guid(*reader.byte_array()?), sig_info: SigInfo::read(reader)? })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(2).bytes(&self.guid.0);
            self.sig_info.write(w);
        })
    }
}

/// The rendezvous server's nonce (section 5.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloRvAck {
    /// What the device is to sign.
    pub nonce: Nonce,
    /// How, which is what the device said.
    pub sig_info: SigInfo,
}

impl HelloRvAck {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(2)?;
            Ok(Self { nonce: Nonce::read(reader)?, sig_info: SigInfo::read(reader)? })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(2);
            self.nonce.write(w);
            self.sig_info.write(w);
        })
    }
}
