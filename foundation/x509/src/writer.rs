//! DER from the inside out: each function gives one element.

use alloc::vec::Vec;
use core::time::Duration;

use crypto::{HashAlgorithm, PublicKey, SignatureAlgorithm};
use der::asn1::{BitStringRef, GeneralizedTime, ObjectIdentifier, UtcTime};
use der::{Encode, Header, Length, Tag};

use crate::reader::{DIGEST_ALGORITHMS, SIGNATURE_ALGORITHMS};
use crate::{Error, Feature, Misuse};

/// First second that UTCTime cannot express; RFC 5280, section 4.1.2.5, demands it for all before.
const YEAR_2050: i64 = 2_524_608_000;

/// An element of any tag around its content.
pub(crate) fn element(tag: Tag, content: &[u8]) -> Vec<u8> {
    let len = Length::try_from(content.len()).expect("what is written here is far below 4 GiB");
    let mut out = value(&Header::new(tag, len));
    out.extend_from_slice(content);
    out
}

/// A SEQUENCE of elements.
pub(crate) fn sequence<const N: usize>(elements: [&[u8]; N]) -> Vec<u8> {
    element(Tag::Sequence, &elements.concat())
}

/// A SET OF elements, put in the order of DER (X.690, section 11.6).
pub(crate) fn set_of(tag: Tag, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    element(tag, &elements.concat())
}

/// A value of a type that `der` encodes.
pub(crate) fn value(value: &impl Encode) -> Vec<u8> {
    value.to_der().expect("what is written here is far below 4 GiB")
}

pub(crate) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    value(&oid)
}

pub(crate) fn octet_string(bytes: &[u8]) -> Vec<u8> {
    element(Tag::OctetString, bytes)
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    value(&BitStringRef::from_bytes(bytes).expect("what is written here is far below 4 GiB"))
}

/// UTCTime up to 2049, GeneralizedTime from then on.
pub(crate) fn time(unix_seconds: i64) -> Result<Vec<u8>, Error> {
    let misuse = Error::Misuse(Misuse::Time);
    let since_1970 = Duration::from_secs(u64::try_from(unix_seconds).map_err(|_| misuse)?);
    if unix_seconds < YEAR_2050 {
        UtcTime::from_unix_duration(since_1970).map(|time| value(&time)).map_err(|_| misuse)
    } else {
        GeneralizedTime::from_unix_duration(since_1970).map(|time| value(&time)).map_err(|_| misuse)
    }
}

/// The signature algorithm of a key; that of a key in a security module may be one which certificates do not have here.
pub(crate) fn signature_algorithm(algorithm: SignatureAlgorithm) -> Result<Vec<u8>, Error> {
    let (identifier, _) = SIGNATURE_ALGORITHMS
        .into_iter()
        .find(|(_, known)| *known == algorithm)
        .ok_or(Error::Unsupported(Feature::SignatureAlgorithm))?;
    Ok(sequence([&oid(identifier)]))
}

/// A signature as certificates carry it, from either form; it must be one of the key.
pub(crate) fn checked_signature(
    key: &PublicKey,
    to_be_signed: &[u8],
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    let wrong = |_| Error::Misuse(Misuse::WrongKey);
    let signature = key.der_signature(signature).map_err(wrong)?;
    key.verify_der(to_be_signed, &signature).map_err(wrong)?;
    Ok(signature)
}

pub(crate) fn digest_algorithm(algorithm: HashAlgorithm) -> Vec<u8> {
    let (identifier, _) = DIGEST_ALGORITHMS
        .into_iter()
        .find(|(_, known)| *known == algorithm)
        .expect("the table names every hash function");
    sequence([&oid(identifier)])
}
