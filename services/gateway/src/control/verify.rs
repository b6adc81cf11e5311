//! From bytes that anybody may have made to what the site's own anchors bear out.

use cbor::{Error as CborError, Reader, Reason as Malformed};
use cose::{Sign1, TrustAnchors};
use crypto::PublicKey;
use eat::SignedResult;
use trust::{Code, Outcome, Reason};

use crate::DeviceId;

/// external_aad of the message with which a device proves itself to a gateway, so that it is good for nothing else.
pub const ADMISSION_CONTEXT: &[u8] = b"sextant-admission";

/// What the site's verifier says about a device, and the key by which that device is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// The signed result as received.
    pub bytes: Vec<u8>,
    /// Whom it is about (`ueid`).
    pub device: DeviceId,
    /// The key that signed the evidence (`cnf`).
    pub key: PublicKey,
    /// What it says.
    pub outcome: Outcome,
}

/// Verifies a signed result (EAR as CWT). One that is past its end is verified too: it still says what was found, and
/// that nothing was found since. One without device or key is bound to nobody and refused.
pub fn attested(bytes: &[u8], keys: &TrustAnchors, now: i64) -> Result<Attested, Reason> {
    let malformed = |error: &dyn std::fmt::Display| Reason::new(Code::MalformedObject).with("error", error);
    let signed = SignedResult::decode_cwt(bytes).map_err(|error| malformed(&error))?;
    let at = now.min(signed.unverified().issued_at);
    let verified = signed.verify(keys, at, None).map_err(|error| match error {
        eat::Error::Signature(_) => Reason::new(Code::ResultSigner).with("error", error),
        other => malformed(&other),
    })?;
    let result = verified.result();
    let (Some(ueid), Some(key)) = (&result.ueid, &result.confirmation) else {
        return Err(Reason::new(Code::ResultBinding).with("error", "the result names no device, or no key"));
    };
    let device = DeviceId::new(ueid.as_bytes()).map_err(|error| malformed(&error))?;
    Ok(Attested { bytes: bytes.to_vec(), device, key: key.clone(), outcome: Outcome::of(&verified) })
}

/// What a device shows at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The nonce it answers, which nobody has looked at yet.
    pub nonce: Vec<u8>,
    /// Its result. The message was signed by the key that the result names.
    pub attested: Attested,
}

/// Verifies an admission message: the result by the site's verifier and not past its end, the message by the key in
/// the result, and both about the same device. Whether the nonce is ours is for the caller, who knows the source.
pub fn presented(message: &[u8], keys: &TrustAnchors, now: i64) -> Result<Presented, Reason> {
    let malformed = |error: &dyn std::fmt::Display| Reason::new(Code::MalformedObject).with("error", error);
    let binding = |error: &dyn std::fmt::Display| Reason::new(Code::ResultBinding).with("error", error);
    let message = Sign1::decode(message).map_err(|error| malformed(&error))?;
    let claim = Claim::decode(message.payload().unwrap_or_default()).map_err(|error| malformed(&error))?;
    let attested = attested(claim.result, keys, now)?;
    if attested.outcome.expires <= now {
        return Err(
            Reason::new(Code::EvidenceOverdue).with("age", now.saturating_sub(attested.outcome.issued))
        );
    }
    if attested.device.as_bytes() != claim.ueid {
        return Err(binding(&"the result is about another device"));
    }
    // Before the signature nothing else of the message is believed.
    message.verify(&attested.key, None, ADMISSION_CONTEXT).map_err(|error| binding(&error))?;
    Ok(Presented { nonce: claim.nonce.to_vec(), attested })
}

/// Payload of an admission message.
struct Claim<'b> {
    nonce: &'b [u8],
    ueid: &'b [u8],
    result: &'b [u8],
}

impl<'b> Claim<'b> {
    fn decode(bytes: &'b [u8]) -> Result<Self, CborError> {
        let mut reader = Reader::new(bytes);
        let (mut nonce, mut ueid, mut result) = (None, None, None);
        let mut map = reader.map()?;
        while let Some(label) = map.next_int(&mut reader)? {
            let at = reader.position();
            match label {
                NONCE => nonce = Some(reader.bytes()?),
                UEID => ueid = Some(reader.bytes()?),
                RESULT => result = Some(reader.bytes()?),
                unknown => return Err(CborError::new(at, Malformed::Unknown(unknown))),
            }
        }
        reader.end()?;
        let missing = |label| CborError::new(0, Malformed::MissingKey(label));
        Ok(Self {
            nonce: nonce.ok_or(missing(NONCE))?,
            ueid: ueid.ok_or(missing(UEID))?,
            result: result.ok_or(missing(RESULT))?,
        })
    }
}

const NONCE: i64 = 1;
const UEID: i64 = 2;
const RESULT: i64 = 3;
