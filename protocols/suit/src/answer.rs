use alloc::vec::Vec;
use core::fmt;

use cbor::{Error as CborError, MapBuilder, Reader, Reason};
use cose::{Distrust, Sign1, Sign1Builder};
use crypto::{Digest, PublicKey, SigningKey, constant_time_eq};

use crate::{
    Error,
    digest::{decode_digest, encode_digest},
    limits::{MAX_UPDATE_ANSWER_LEN, MAX_UPDATE_DEVICE_LEN, UPDATE_NONCE_LEN},
};

/// external_aad of the signature on an answer, so that it is good for nothing else.
const CONTEXT: &[u8] = b"sextant-update-answer";

/// Labels of CWT and EAT claims (RFC 8392, section 4; RFC 9711, section 4), and three of ours.
mod label {
    pub(super) const ISSUED_AT: i64 = 6;
    pub(super) const NONCE: i64 = 10;
    pub(super) const DEVICE: i64 = 256;
    pub(super) const OFFER: i64 = -70_201;
    pub(super) const OBEYS: i64 = -70_202;
    pub(super) const AUTHORITY_UPDATE: i64 = -70_203;
}

/// What an update server answers one device that asks: which release to install and which change of its authority list
/// follows, or that there is nothing new.
///
/// TLS says who answers; this says that the answer is of now and whole. Whoever stands in for the server, with its
/// certificate or in its place, can keep a device from asking, and can neither repeat an old answer nor make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateAnswer {
    /// UEID of the device.
    pub device: Vec<u8>,
    /// What the device sent along when it asked.
    pub nonce: [u8; UPDATE_NONCE_LEN],
    /// Seconds since 1970 on the server's clock.
    pub issued_at: u64,
    /// Manifest digest of the release that it is to install.
    pub offer: Option<Digest>,
    /// Digest of the authority list that the device says it obeys, where it said so: whoever keeps that from the server
    /// cannot have it find no change.
    pub obeys: Option<Digest>,
    /// Digest of the change that follows that list.
    pub authority_update: Option<Digest>,
}

impl UpdateAnswer {
    /// The answer in a COSE_Sign1, of at most [`MAX_UPDATE_ANSWER_LEN`] bytes.
    pub fn sign(&self, key: &SigningKey, kid: &[u8]) -> Vec<u8> {
        Sign1Builder::new().kid(kid).external_aad(CONTEXT).sign(key, &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        map.int(label::ISSUED_AT, |w| {
            w.uint(self.issued_at);
        });
        map.int(label::NONCE, |w| {
            w.bytes(&self.nonce);
        });
        map.int(label::DEVICE, |w| {
            w.bytes(&self.device);
        });
        let digests = [
            (label::OFFER, self.offer),
            (label::OBEYS, self.obeys),
            (label::AUTHORITY_UPDATE, self.authority_update),
        ];
        for (label, digest) in digests {
            map.int_if(label, digest, |w, digest| encode_digest(&digest, w));
        }
        map.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let (mut issued_at, mut nonce, mut device) = (None, None, None);
        let (mut offer, mut obeys, mut authority_update) = (None, None, None);
        let mut map = reader.map()?;
        loop {
            let at = reader.position();
            match map.next_int(&mut reader)? {
                None => break,
                Some(label::ISSUED_AT) => issued_at = Some(reader.uint()?),
                Some(label::NONCE) => nonce = Some(*reader.byte_array()?),
                Some(label::DEVICE) => {
                    let ueid = reader.bytes()?;
                    if ueid.len() > MAX_UPDATE_DEVICE_LEN {
                        let limit = MAX_UPDATE_DEVICE_LEN;
                        return Err(CborError::new(at, Reason::TooLong { limit }).into());
                    }
                    device = Some(ueid.to_vec());
                }
                Some(label::OFFER) => offer = Some(decode_digest(reader.lean())?),
                Some(label::OBEYS) => obeys = Some(decode_digest(reader.lean())?),
                Some(label::AUTHORITY_UPDATE) => authority_update = Some(decode_digest(reader.lean())?),
                Some(other) => return Err(CborError::new(at, Reason::Unknown(other)).into()),
            }
        }
        reader.end()?;
        let missing = |label| CborError::new(0, Reason::MissingKey(label));
        Ok(Self {
            device: device.ok_or(missing(label::DEVICE))?,
            nonce: nonce.ok_or(missing(label::NONCE))?,
            issued_at: issued_at.ok_or(missing(label::ISSUED_AT))?,
            offer,
            obeys,
            authority_update,
        })
    }
}

/// An answer as it came: well-formed, and believed by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUpdateAnswer<'b> {
    message: Sign1<'b>,
    answer: UpdateAnswer,
}

impl<'b> SignedUpdateAnswer<'b> {
    /// Reads a tagged COSE_Sign1 and the answer in it.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, UpdateAnswerError> {
        if bytes.len() > MAX_UPDATE_ANSWER_LEN {
            let limit = MAX_UPDATE_ANSWER_LEN;
            return Err(UpdateAnswerError::Malformed(CborError::new(0, Reason::TooLong { limit }).into()));
        }
        let message = Sign1::decode(bytes).map_err(UpdateAnswerError::Container)?;
        let payload = message.payload().ok_or(UpdateAnswerError::Detached)?;
        let answer = UpdateAnswer::decode(payload).map_err(UpdateAnswerError::Malformed)?;
        Ok(Self { message, answer })
    }

    /// What it says, for looking at.
    pub fn unverified(&self) -> &UpdateAnswer {
        &self.answer
    }

    /// Believes an answer that the update server's key signed for this device and this question.
    pub fn verify(
        self,
        key: &PublicKey,
        device: &[u8],
        nonce: &[u8; UPDATE_NONCE_LEN],
    ) -> Result<UpdateAnswer, UpdateAnswerError> {
        self.message.verify(key, None, CONTEXT).map_err(UpdateAnswerError::Container)?;
        if !constant_time_eq(&self.answer.nonce, nonce) {
            return Err(UpdateAnswerError::Repeated);
        }
        if self.answer.device != device {
            return Err(UpdateAnswerError::OtherDevice);
        }
        Ok(self.answer)
    }
}

/// Why an answer is not believed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateAnswerError {
    /// The container is malformed, or the key did not make it.
    Container(cose::Error),
    /// The container carries no answer.
    Detached,
    /// The answer in it is malformed.
    Malformed(Error),
    /// It answers another question, as one that is sent again does.
    Repeated,
    /// It is for another device.
    OtherDevice,
}

impl UpdateAnswerError {
    /// Stable word for records and status.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Container(cose::Error::Untrusted(Distrust::BadSignature)) => "bad-update-answer-signature",
            Self::Container(_) | Self::Detached | Self::Malformed(_) => "malformed-update-answer",
            Self::Repeated => "stale-update-answer",
            Self::OtherDevice => "update-answer-for-another-device",
        }
    }
}

impl fmt::Display for UpdateAnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(error) => error.fmt(f),
            Self::Detached => f.write_str("the answer is not in its container"),
            Self::Malformed(error) => error.fmt(f),
            Self::Repeated => f.write_str("the answer is not to what was asked"),
            Self::OtherDevice => f.write_str("the answer is for another device"),
        }
    }
}

impl core::error::Error for UpdateAnswerError {}
