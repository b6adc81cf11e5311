//! A session of TO2 as the owner keeps it between two messages, in bytes for whoever answers the next one.

use alloc::vec::Vec;

use cbor::{Order, Reader, Writer};
use crypto::Zeroizing;

use crate::{
    CipherSuite, ExchangeSuite, Failure, Fault, Guid, Hmac, Nonce, SigInfo, exchange::OwnerHalf,
    tunnel::Tunnel,
};

use super::to2::{Open, OwnerSession, Replacement, Stage};

/// The form of the bytes, which another version of this code must not misread.
const FORM: u64 = 1;
/// Elements of an encoded session, the first of which are the same in every stage.
const FIELDS: usize = 8;

const ENTRIES: u64 = 0;
const SETUP: u64 = 1;
const SERVICE_INFO: u64 = 2;

impl OwnerSession {
    /// Everything of the session. It holds keys: whoever gives it away must seal it.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Writer::encode(|w| {
            w.array(FIELDS).uint(FORM).bytes(&self.guid.0).bytes(&self.voucher);
            self.device_nonce.write(w);
            w.bytes(&self.device_key).uint(self.max_message_len.into());
            match &self.stage {
                Stage::Entries { half, exchange, cipher, entries, sig_info } => {
                    w.uint(ENTRIES).array(5).bytes(&half.to_bytes()).text(exchange.name());
                    w.int(cipher.number()).uint((*entries).into()).int(sig_info.0);
                }
                Stage::Setup(open) => {
                    w.uint(SETUP);
                    open.write(w);
                }
                Stage::ServiceInfo(open) => {
                    w.uint(SERVICE_INFO);
                    open.write(w);
                }
            }
        }))
    }

    /// Reads what [`OwnerSession::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Failure> {
        Self::read(bytes).map_err(|_| Fault::Session.into())
    }

    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::with_order(bytes, Order::Unique);
        reader.array_of(FIELDS)?;
        if reader.uint()? != FORM {
            return Err(Fault::Session.into());
        }
        let guid = Guid(*reader.byte_array()?);
        let voucher = *reader.byte_array()?;
        let device_nonce = Nonce::read(&mut reader)?;
        let device_key = reader.bytes()?.to_vec();
        let max_message_len = reader.uint_as()?;
        let stage = match reader.uint()? {
            ENTRIES => {
                reader.array_of(5)?;
                let half = reader.bytes()?;
                let exchange = ExchangeSuite::from_name(reader.text()?).ok_or(Fault::Session)?;
                let cipher = CipherSuite::from_number(reader.int()?).ok_or(Fault::Session)?;
                let (entries, sig_info) = (reader.uint_as()?, SigInfo(reader.int()?));
                let half = OwnerHalf::from_bytes(exchange, half)?;
                Stage::Entries { half, exchange, cipher, entries, sig_info }
            }
            SETUP => Stage::Setup(Open::read(&mut reader)?),
            SERVICE_INFO => Stage::ServiceInfo(Open::read(&mut reader)?),
            _ => return Err(Fault::Session.into()),
        };
        reader.end()?;
        Ok(Self { guid, voucher, device_nonce, device_key, max_message_len, stage })
    }
}

impl Open {
    fn write(&self, w: &mut Writer) {
        w.array(7).int(self.tunnel.suite().number()).bytes(&self.tunnel.to_bytes());
        self.setup_nonce.write(w);
        match &self.replacement {
            None => _ = w.null(),
            Some(Replacement { header, hmac }) => {
                w.array(2).bytes(header);
                match hmac {
                    None => _ = w.null(),
                    Some(hmac) => hmac.write(w),
                }
            }
        }
        w.uint(self.budget as u64).bytes(&self.progress).bool(self.said_all);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Failure> {
        reader.array_of(7)?;
        let suite = CipherSuite::from_number(reader.int()?).ok_or(Fault::Session)?;
        let tunnel = Tunnel::from_bytes(suite, reader.bytes()?)?;
        let setup_nonce = Nonce::read(reader)?;
        let replacement = if reader.is_null()? {
            None
        } else {
            reader.array_of(2)?;
            let header = reader.bytes()?.to_vec();
            let hmac = if reader.is_null()? { None } else { Some(Hmac::read(reader)?) };
            Some(Replacement { header, hmac })
        };
        let budget = reader.uint_as::<u16>()?.into();
        let progress = reader.bytes()?.to_vec();
        let said_all = reader.bool()?;
        Ok(Self { tunnel, setup_nonce, replacement, budget, progress, said_all })
    }
}
