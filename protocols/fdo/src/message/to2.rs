use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use cbor::{Order, Reader, Reason, Writer};
use cose::Sign1;
use crypto::Digest;

use super::{SigInfo, read_body, read_nonce, write_nonce};
use crate::{
    Entry, Error, Failure, Guid, Header, Hmac, Nonce, PublicKey, RendezvousInfo,
    hash::{read_hash, write_hash},
    labels,
    signer::verify,
};

/// Length in bytes of the longest name of a key exchange suite.
const MAX_SUITE_NAME_LEN: usize = 32;

/// A device that asks its owner (section 5.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelloDevice {
    /// The longest message in bytes that it takes.
    pub max_message_len: u16,
    /// Which device.
    pub guid: Guid,
    /// What the owner is to sign.
    pub nonce: Nonce,
    /// Name of the key exchange that it wants.
    pub exchange: String,
    /// Number of the cipher suite that it wants.
    pub cipher: i64,
    /// How it signs.
    pub sig_info: SigInfo,
}

impl HelloDevice {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(6)?;
            let max_message_len = reader.uint_as()?;
            let guid = Guid(*reader.byte_array()?);
            let nonce = Nonce::read(reader)?;
            let at = reader.position();
            let exchange = reader.text()?.to_string();
            if exchange.len() > MAX_SUITE_NAME_LEN {
                return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_SUITE_NAME_LEN }));
            }
            let (cipher, sig_info) = (reader.int()?, SigInfo::read(reader)?);
            Ok(Self { max_message_len, guid, nonce, exchange, cipher, sig_info })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(6).uint(self.max_message_len.into()).bytes(&self.guid.0);
            self.nonce.write(w);
            w.text(&self.exchange).int(self.cipher);
            self.sig_info.write(w);
        })
    }
}

/// The owner's proof (section 5.5.2), signed by it, and believed by nobody yet.
#[derive(Debug)]
pub struct ProveHeader<'b> {
    message: Sign1<'b>,
    /// What the device is to sign.
    pub device_nonce: Nonce,
    /// The owner's key, by which the message is signed.
    pub owner: PublicKey,
    /// The voucher's header as received.
    pub header_bytes: &'b [u8],
    /// What it says.
    pub header: Header,
    /// How many entries the voucher has.
    pub entries: u8,
    /// The header's HMAC by the device, as received.
    pub hmac_bytes: &'b [u8],
    /// The same.
    pub hmac: Hmac,
    /// The device's nonce.
    pub nonce: Nonce,
    /// How the device signs, as it said.
    pub sig_info: SigInfo,
    /// The owner's part of the key exchange.
    pub exchange: &'b [u8],
    /// Hash of the device's first message.
    pub hello: Digest,
    /// The longest message in bytes that the owner takes.
    pub max_message_len: u16,
}

impl<'b> ProveHeader<'b> {
    /// Reads the message.
    pub fn decode(body: &'b [u8]) -> Result<Self, Failure> {
        let message = Sign1::decode(body)?;
        let unprotected = |label: i64| {
            let value = message.headers().unprotected().get(label);
            value.ok_or(cbor::Error::new(0, Reason::MissingKey(label)))
        };
        let device_nonce = read_body(unprotected(labels::CUPH_NONCE)?, Nonce::read)?;
        let owner = read_body(unprotected(labels::CUPH_OWNER_KEY)?, PublicKey::read)?;
        let payload = message.payload().ok_or(cose::Error::PayloadMissing)?;
        let mut fields = Reader::with_order(payload, Order::Unique);
        fields.array_of(8)?;
        let mut wrapped = fields.wrapped()?;
        let header_bytes = wrapped.rest();
        let header = Header::read(&mut wrapped)?;
        let entries = fields.uint_as()?;
        let hmac_bytes = fields.clone().raw()?;
        let hmac = Hmac::read(&mut fields)?;
        let nonce = Nonce::read(&mut fields)?;
        let sig_info = SigInfo::read(&mut fields)?;
        let exchange = fields.bytes()?;
        let hello = read_hash(&mut fields)?;
        let max_message_len = fields.uint_as()?;
        fields.end()?;
        Ok(Self {
            message,
            device_nonce,
            owner,
            header_bytes,
            header,
            entries,
            hmac_bytes,
            hmac,
            nonce,
            sig_info,
            exchange,
            hello,
            max_message_len,
        })
    }
}

impl ProveHeader<'_> {
    /// Whether it is signed by the key that it names. Whether that is the owner's is for the entries of the voucher to say.
    pub fn verify(&self) -> Result<(), Failure> {
        Ok(verify(&self.message, self.owner.key())?)
    }
}

/// What an owner signs, to be encoded.
pub(crate) struct ProveHeaderPayload<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) entries: u8,
    pub(crate) hmac: &'a Hmac,
    pub(crate) nonce: Nonce,
    pub(crate) sig_info: SigInfo,
    pub(crate) exchange: &'a [u8],
    pub(crate) hello: &'a Digest,
    pub(crate) max_message_len: u16,
}

impl ProveHeaderPayload<'_> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(8).bytes(self.header).uint(self.entries.into());
            self.hmac.write(w);
            self.nonce.write(w);
            self.sig_info.write(w);
            w.bytes(self.exchange);
            write_hash(w, self.hello);
            w.uint(self.max_message_len.into());
        })
    }
}

/// The device asks for an entry of the voucher (section 5.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetNextEntry {
    /// Which, from zero.
    pub index: u8,
}

impl GetNextEntry {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(1)?;
            Ok(Self { index: reader.uint_as()? })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| _ = w.array(1).uint(self.index.into()))
    }
}

/// An entry of the voucher (section 5.5.4).
#[derive(Debug)]
pub struct NextEntry<'b> {
    /// Which, from zero.
    pub index: u8,
    /// The entry, whose signature nobody checked yet.
    pub entry: Entry<'b>,
}

impl<'b> NextEntry<'b> {
    /// Reads the message.
    pub fn decode(body: &'b [u8]) -> Result<Self, Error> {
        read_body(body, |reader| {
            reader.array_of(2)?;
            let index: u8 = reader.uint_as()?;
            Ok(Self { index, entry: Entry::read(reader, index.into())? })
        })
    }

    /// The message around an encoded entry.
    pub fn encode(index: u8, entry: &[u8]) -> Vec<u8> {
        Writer::encode(|w| _ = w.array(2).uint(index.into()).raw(entry))
    }
}

/// What the device becomes (section 5.5.6), signed by who will own it from now on, and believed by nobody yet.
#[derive(Debug)]
pub struct SetupDevice<'b> {
    message: Sign1<'b>,
    /// Where it will look for its owner.
    pub rendezvous: RendezvousInfo,
    /// What it will be called.
    pub guid: Guid,
    /// The device's nonce.
    pub nonce: Nonce,
    /// Who will own it.
    pub owner: PublicKey,
}

impl<'b> SetupDevice<'b> {
    /// Reads the message.
    pub fn decode(body: &'b [u8]) -> Result<Self, Failure> {
        let message = Sign1::decode(body)?;
        let payload = message.payload().ok_or(cose::Error::PayloadMissing)?;
        let mut fields = Reader::with_order(payload, Order::Unique);
        fields.array_of(4)?;
        let rendezvous = RendezvousInfo::read(&mut fields)?;
        let guid = Guid(*fields.byte_array()?);
        let nonce = Nonce::read(&mut fields)?;
        let owner = PublicKey::read(&mut fields)?;
        fields.end()?;
        Ok(Self { message, rendezvous, guid, nonce, owner })
    }

    /// Whether it is signed by who will own the device.
    pub fn verify(&self) -> Result<(), Failure> {
        Ok(verify(&self.message, self.owner.key())?)
    }

    pub(crate) fn payload(
        rendezvous: &RendezvousInfo,
        guid: &Guid,
        nonce: Nonce,
        owner: &PublicKey,
    ) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(4);
            rendezvous.write(w);
            w.bytes(&guid.0);
            nonce.write(w);
            w.raw(owner.as_bytes());
        })
    }
}

/// The device is ready (section 5.5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceServiceInfoReady {
    /// HMAC of the new voucher's header; none where the device keeps what it has.
    pub hmac: Option<Hmac>,
    /// The most bytes of service info that the owner may send at once, where it is told.
    pub max_len: Option<u16>,
}

impl DeviceServiceInfoReady {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        read_body(body, |reader| {
            reader.array_of(2)?;
            let hmac = if reader.is_null()? { None } else { Some(Hmac::read(reader)?) };
            Ok(Self { hmac, max_len: read_len(reader)? })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(2);
            match &self.hmac {
                Some(hmac) => hmac.write(w),
                None => _ = w.null(),
            }
            write_len(w, self.max_len);
        })
    }
}

/// The owner is ready (section 5.5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerServiceInfoReady {
    /// The most bytes of service info that the device may send at once, where it is told.
    pub max_len: Option<u16>,
}

impl OwnerServiceInfoReady {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(1)?;
            Ok(Self { max_len: read_len(reader)? })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| {
            w.array(1);
            write_len(w, self.max_len);
        })
    }
}

fn read_len(reader: &mut Reader<'_>) -> Result<Option<u16>, cbor::Error> {
    if reader.is_null()? { Ok(None) } else { reader.uint_as().map(Some) }
}

fn write_len(writer: &mut Writer, len: Option<u16>) {
    match len {
        Some(len) => writer.uint(len.into()),
        None => writer.null(),
    };
}

/// Service info of the device (section 5.5.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceServiceInfo<'b> {
    /// Whether more follows, before the owner's turn.
    pub more: bool,
    /// The encoded list.
    pub list: &'b [u8],
}

impl<'b> DeviceServiceInfo<'b> {
    /// Reads the message.
    pub fn decode(body: &'b [u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(2)?;
            Ok(Self { more: reader.bool()?, list: reader.raw()? })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| _ = w.array(2).bool(self.more).raw(self.list))
    }
}

/// Service info of the owner (section 5.5.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerServiceInfo<'b> {
    /// Whether more follows, before the device's turn.
    pub more: bool,
    /// Whether nothing follows at all.
    pub done: bool,
    /// The encoded list.
    pub list: &'b [u8],
}

impl<'b> OwnerServiceInfo<'b> {
    /// Reads the message.
    pub fn decode(body: &'b [u8]) -> Result<Self, cbor::Error> {
        read_body(body, |reader| {
            reader.array_of(3)?;
            Ok(Self { more: reader.bool()?, done: reader.bool()?, list: reader.raw()? })
        })
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        Writer::encode(|w| _ = w.array(3).bool(self.more).bool(self.done).raw(self.list))
    }
}

/// The last message of each side (sections 5.5.11 and 5.5.12): the nonce of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done(pub Nonce);

impl Done {
    /// Reads the message.
    pub fn decode(body: &[u8]) -> Result<Self, cbor::Error> {
        read_nonce(body).map(Self)
    }

    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        write_nonce(&self.0)
    }
}

/// Reads a message without fields.
pub(crate) fn empty(body: &[u8]) -> Result<(), cbor::Error> {
    read_body(body, |reader| reader.array_of(0))
}

/// A message without fields.
pub(crate) fn nothing() -> Vec<u8> {
    Writer::encode(|w| _ = w.array(0))
}
