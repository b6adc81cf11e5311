//! A cursor over DER that knows where it is in the outermost input and keeps the bytes of every element.

use core::fmt;

use crypto::{HashAlgorithm, SignatureAlgorithm};
use der::asn1::{AnyRef, GeneralizedTime, ObjectIdentifier, UtcTime};
use der::{Choice, Decode, DecodeValue, Header, Reader as _, SliceReader, Tag, TagNumber};

use crate::{Error, Malformed, oids};

/// `[number]` around other elements.
pub(crate) const fn constructed(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// `[number]` in place of the tag of a primitive element.
pub(crate) const fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// Reads one element after another.
#[derive(Clone)]
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
    at: usize,
}

/// One element as received.
#[derive(Clone, Copy)]
pub(crate) struct Element<'b> {
    pub(crate) tag: Tag,
    /// Tag, length and content.
    pub(crate) raw: &'b [u8],
    pub(crate) content: &'b [u8],
    /// Offset of `raw` in the outermost input.
    pub(crate) at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(input: &'b [u8]) -> Self {
        Self { rest: input, at: 0 }
    }

    /// The only element of the input, which is at most `limit` bytes long.
    pub(crate) fn whole(input: &'b [u8], limit: usize) -> Result<Element<'b>, Error> {
        if input.len() > limit {
            return Err(Error::too_long(0, limit));
        }
        let mut reader = Self::new(input);
        let element = reader.element()?;
        reader.finish()?;
        Ok(element)
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn element(&mut self) -> Result<Element<'b>, Error> {
        let at = self.at;
        let malformed = |_| Error::der(at);
        let mut slice = SliceReader::new(self.rest).map_err(malformed)?;
        let header = Header::decode(&mut slice).map_err(malformed)?;
        let content = slice.read_slice(header.length()).map_err(malformed)?;
        let len = usize::try_from(slice.position()).map_err(malformed)?;
        let (raw, rest) = self.rest.split_at_checked(len).ok_or(Error::der(at))?;
        self.rest = rest;
        self.at += len;
        Ok(Element { tag: header.tag(), raw, content, at })
    }

    pub(crate) fn expect(&mut self, tag: Tag) -> Result<Element<'b>, Error> {
        let element = self.element()?;
        if element.tag == tag { Ok(element) } else { Err(Error::der(element.at)) }
    }

    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Element<'b>>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut ahead = self.clone();
        let element = ahead.element()?;
        if element.tag != tag {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(element))
    }

    pub(crate) fn sequence(&mut self) -> Result<Self, Error> {
        self.element()?.reader_of(Tag::Sequence)
    }

    pub(crate) fn set(&mut self) -> Result<Self, Error> {
        self.element()?.reader_of(Tag::Set)
    }

    /// An element of a universal type that `der` decodes.
    pub(crate) fn decode<T: Choice<'b> + DecodeValue<'b>>(&mut self) -> Result<T, Error> {
        self.element()?.decode()
    }

    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Error::Malformed { at: self.at, reason: Malformed::TrailingBytes })
        }
    }
}

impl<'b> Element<'b> {
    /// A reader of the content.
    pub(crate) fn reader(&self) -> Reader<'b> {
        Reader { rest: self.content, at: self.at + self.raw.len() - self.content.len() }
    }

    /// A reader of the content, when the element has this tag.
    pub(crate) fn reader_of(&self, tag: Tag) -> Result<Reader<'b>, Error> {
        if self.tag == tag { Ok(self.reader()) } else { Err(Error::der(self.at)) }
    }

    pub(crate) fn decode<T: Choice<'b> + DecodeValue<'b>>(&self) -> Result<T, Error> {
        AnyRef::new(self.tag, self.content)
            .map_err(|_| Error::der(self.at))?
            .decode_as()
            .map_err(|_| Error::der(self.at))
    }

    /// Time (RFC 5280, section 4.1.2.5; RFC 5652, section 11.3), in seconds since 1970.
    pub(crate) fn time(&self) -> Result<i64, Error> {
        let since_1970 = match self.tag {
            Tag::UtcTime => self.decode::<UtcTime>()?.to_unix_duration(),
            _ => self.decode::<GeneralizedTime>()?.to_unix_duration(),
        };
        i64::try_from(since_1970.as_secs()).map_err(|_| Error::der(self.at))
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes at {}", self.tag, self.raw.len(), self.at)
    }
}

/// AlgorithmIdentifier (RFC 5280, section 4.1.1.2): the identifier and its parameters.
fn algorithm_identifier<'b>(
    reader: &mut Reader<'b>,
) -> Result<(ObjectIdentifier, Option<Element<'b>>), Error> {
    let mut identifier = reader.sequence()?;
    let oid = identifier.decode()?;
    let parameters = if identifier.is_empty() { None } else { Some(identifier.element()?) };
    identifier.finish()?;
    Ok((oid, parameters))
}

/// A signature algorithm, or `None` for one that is not implemented; those which are have no parameters.
pub(crate) fn signature_algorithm(reader: &mut Reader<'_>) -> Result<Option<SignatureAlgorithm>, Error> {
    let (oid, parameters) = algorithm_identifier(reader)?;
    Ok(SIGNATURE_ALGORITHMS
        .into_iter()
        .find(|(known, _)| *known == oid && parameters.is_none())
        .map(|(_, algorithm)| algorithm))
}

/// A hash function, or `None` for one that is not implemented; NULL parameters are the same as none (RFC 5754).
pub(crate) fn digest_algorithm(reader: &mut Reader<'_>) -> Result<Option<HashAlgorithm>, Error> {
    let (oid, parameters) = algorithm_identifier(reader)?;
    let plain = parameters.is_none_or(|parameters| parameters.tag == Tag::Null);
    Ok(DIGEST_ALGORITHMS
        .into_iter()
        .find(|(known, _)| *known == oid && plain)
        .map(|(_, algorithm)| algorithm))
}

/// The curve is the key's: with the hash functions these are the pairs of `crypto`'s private keys.
pub(crate) const SIGNATURE_ALGORITHMS: [(ObjectIdentifier, SignatureAlgorithm); 3] = [
    (oids::ECDSA_WITH_SHA256, SignatureAlgorithm::Es256),
    (oids::ECDSA_WITH_SHA384, SignatureAlgorithm::Es384),
    (oids::ED25519, SignatureAlgorithm::Ed25519),
];

pub(crate) const DIGEST_ALGORITHMS: [(ObjectIdentifier, HashAlgorithm); 3] = [
    (oids::SHA256, HashAlgorithm::Sha256),
    (oids::SHA384, HashAlgorithm::Sha384),
    (oids::SHA512, HashAlgorithm::Sha512),
];
