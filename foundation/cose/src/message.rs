//! What the COSE messages have in common on the way in.

use cbor::{Order, Reason, Type, lean::Reader};
use crypto::{PublicKey, SignatureAlgorithm};

use crate::error::Fault;
use crate::{Distrust, Error, Feature};

/// Length of the longest message that is read. Payloads beyond it are carried detached.
pub const MAX_MESSAGE_LEN: usize = 4 << 20;

/// Reads one message, after its tag if it must have one, and nothing behind it.
///
/// Header maps may have any order of keys: COSE does not ask its senders for deterministic encoding.
pub(crate) fn decode<'b, T>(
    bytes: &'b [u8],
    tag: Option<u64>,
    read: impl FnOnce(&mut Reader<'b>) -> Result<T, Fault>,
) -> Result<T, Error> {
    let mut reader = begin(bytes, tag)?;
    let message = read(&mut reader)?;
    reader.end()?;
    Ok(message)
}

/// A reader behind the tag, if there must be one.
fn begin(bytes: &[u8], tag: Option<u64>) -> Result<Reader<'_>, Fault> {
    if bytes.len() > MAX_MESSAGE_LEN {
        return Err(Fault::too_long(0, MAX_MESSAGE_LEN));
    }
    let mut reader = Reader::with_order(bytes, Order::Unique);
    if let Some(tag) = tag
        && !reader.is_tag(tag)?
    {
        let found = reader.peek()?;
        let reason = match found {
            Type::Tag => Reason::Rule("another tag than that of the message"),
            found => Reason::WrongType { expected: Type::Tag, found },
        };
        return Err(reader.fail(reason).into());
    }
    Ok(reader)
}

/// A payload, or nil where it is carried apart.
pub(crate) fn read_payload<'b>(reader: &mut Reader<'b>) -> Result<Option<&'b [u8]>, Fault> {
    if reader.is_null()? { Ok(None) } else { Ok(Some(reader.bytes()?)) }
}

/// The one payload there is: the message's own or the caller's.
pub(crate) fn one_payload<'p>(
    attached: Option<&'p [u8]>,
    detached: Option<&'p [u8]>,
) -> Result<&'p [u8], Error> {
    match (attached, detached) {
        (Some(payload), None) | (None, Some(payload)) => Ok(payload),
        (None, None) => Err(Error::PayloadMissing),
        (Some(_), Some(_)) => Err(Error::PayloadTwice),
    }
}

/// The message's algorithm is the key's, in either of its numbers.
pub(crate) fn check_algorithm(algorithm: i64, key: &PublicKey) -> Result<(), Error> {
    if key.algorithm().matches_cose_id(algorithm) {
        Ok(())
    } else if SignatureAlgorithm::from_cose_id(algorithm).is_some() {
        Err(Distrust::WrongAlgorithm(algorithm).into())
    } else {
        Err(Feature::Algorithm(algorithm).into())
    }
}
