//! The tokens with which a device proves itself (EAT in FDO, section 3.3.6).

use alloc::vec::Vec;

use cbor::{Key as MapKey, MapBuilder, Order, Reader, Reason, Writer};
use cose::Sign1;

use crate::{
    Failure, Guid, Key, Nonce, Refusal, labels,
    signer::{Signer, sign1, verify},
};

/// How a device proves itself, in TO1 and TO2: believed by nobody yet.
#[derive(Debug)]
pub struct DeviceToken<'b> {
    message: Sign1<'b>,
    nonce: Nonce,
    ueid: &'b [u8],
    claim: Option<&'b [u8]>,
}

/// What a device signs.
pub(crate) struct Claims<'a> {
    pub(crate) nonce: Nonce,
    pub(crate) guid: &'a Guid,
    /// The device's own nonce, unprotected.
    pub(crate) setup_nonce: Option<Nonce>,
    /// Its part of the key exchange.
    pub(crate) exchange: Option<&'a [u8]>,
}

impl Claims<'_> {
    pub(crate) fn sign(&self, device: &dyn Signer) -> Result<Vec<u8>, Failure> {
        let mut claims = MapBuilder::new();
        claims.int(labels::EAT_NONCE, |w| self.nonce.write(w));
        claims.int(labels::EAT_UEID, |w| _ = w.bytes(&self.guid.ueid()));
        claims.int_if(labels::EAT_FDO, self.exchange, |w, exchange| _ = w.array(1).bytes(exchange));
        let nonce = |nonce: &Nonce| (labels::EUPH_NONCE, Writer::encode(|w| nonce.write(w)));
        let unprotected: Vec<_> = self.setup_nonce.iter().map(nonce).collect();
        sign1(device, &unprotected, &claims.into_bytes())
    }
}

impl<'b> DeviceToken<'b> {
    /// Reads the message.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Failure> {
        let message = Sign1::decode(bytes)?;
        let payload = message.payload().ok_or(cose::Error::PayloadMissing)?;
        let mut reader = Reader::with_order(payload, Order::Unique);
        let (mut nonce, mut ueid, mut claim) = (None, None, None);
        let mut map = reader.map()?;
        while let Some(label) = map.next(&mut reader)? {
            match label {
                MapKey::Int(labels::EAT_NONCE) => nonce = Some(Nonce::read(&mut reader)?),
                MapKey::Int(labels::EAT_UEID | labels::EAT_UEID_OF_OTHERS) if ueid.is_none() => {
                    ueid = Some(reader.bytes()?);
                }
                MapKey::Int(labels::EAT_FDO) => claim = Some(reader.raw()?),
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        let missing = |label| cbor::Error::new(0, Reason::MissingKey(label));
        let nonce = nonce.ok_or(missing(labels::EAT_NONCE))?;
        let ueid = ueid.ok_or(missing(labels::EAT_UEID))?;
        Ok(Self { message, nonce, ueid, claim })
    }

    /// Checks that it is by the device with this key and this GUID, and for this nonce.
    pub fn verify(&self, device: &Key, guid: &Guid, nonce: Nonce) -> Result<(), Failure> {
        verify(&self.message, device)?;
        if self.nonce != nonce {
            return Err(Refusal::Nonce.into());
        }
        if self.ueid != guid.ueid() {
            return Err(Refusal::Guid.into());
        }
        Ok(())
    }

    /// The device's own nonce, which only TO2 has.
    pub fn setup_nonce(&self) -> Result<Nonce, Failure> {
        let missing = cbor::Error::new(0, Reason::MissingKey(labels::EUPH_NONCE));
        let value = self.message.headers().unprotected().get(labels::EUPH_NONCE).ok_or(missing)?;
        Ok(crate::message::read_body(value, Nonce::read)?)
    }

    /// The device's part of the key exchange, which only TO2 has.
    pub fn exchange(&self) -> Result<&'b [u8], Failure> {
        let claim = self.claim.ok_or(cbor::Error::new(0, Reason::MissingKey(labels::EAT_FDO)))?;
        Ok(crate::message::read_body(claim, |reader| {
            reader.array_of(1)?;
            reader.bytes()
        })?)
    }
}
