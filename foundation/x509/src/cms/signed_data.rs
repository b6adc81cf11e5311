use alloc::vec::Vec;

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::Signer;
use crate::reader::{self, Element, Reader, constructed};
use crate::{Certificate, Error, Feature, oids};

/// Length of the longest message that is read.
pub const MAX_SIGNED_DATA_LEN: usize = 256 * 1024;

/// How many certificates a message may carry.
pub const MAX_CERTIFICATES: usize = 16;

/// How many signers a message may have.
pub const MAX_SIGNERS: usize = 8;

/// A detached signature (SignedData without its content; RFC 5652, section 5.1): well-formed, and not yet verified.
#[derive(Clone, Debug)]
pub struct Detached {
    pub(super) content_type: ContentType,
    pub(super) certificates: Vec<Certificate>,
    pub(super) signers: Vec<Signer>,
}

/// What the content is said to be (RFC 5652, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// id-data: anything; what the command in RFC 8520, section 13.1, gives.
    Data,
    /// id-ct-mudtype: a MUD file (RFC 8520, section 11).
    Mud,
}

impl Detached {
    /// Reads a ContentInfo with SignedData in DER, of a content that travels apart.
    ///
    /// A message that carries its content is refused: whoever checks the copy inside and uses the file outside is
    /// fooled.
    pub fn decode(der: &[u8]) -> Result<Self, Error> {
        let mut info = Reader::whole(der, MAX_SIGNED_DATA_LEN)?.reader_of(Tag::Sequence)?;
        if info.decode::<ObjectIdentifier>()? != oids::SIGNED_DATA {
            return Err(Error::Unsupported(Feature::ContentType));
        }
        let mut wrapper = info.element()?.reader_of(constructed(0))?;
        info.finish()?;
        let mut fields = wrapper.sequence()?;
        wrapper.finish()?;

        let version = fields.element()?;
        if !matches!(version.decode::<u8>()?, 1 | 3 | 4 | 5) {
            return Err(Error::rule(version.at, "unknown version of signed data"));
        }
        // Says which hash functions a one-pass reader needs; the signers say it again, and that is what counts.
        let mut digest_algorithms = fields.set()?;
        while !digest_algorithms.is_empty() {
            reader::digest_algorithm(&mut digest_algorithms)?;
        }
        let content_type = decode_content_info(&mut fields)?;
        let certificates = match fields.optional(constructed(0))? {
            Some(set) => decode_certificates(&set)?,
            None => Vec::new(),
        };
        // Revocation lists are not processed, as the crate says.
        fields.optional(constructed(1))?;
        let signers = decode_signers(fields.set()?, content_type)?;
        fields.finish()?;
        Ok(Self { content_type, certificates, signers })
    }

    /// What the signers say the content is.
    pub fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// The certificates that came along, in their order.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Who claims to have signed, in the order of the message.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}

impl ContentType {
    pub(super) const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Data => oids::DATA,
            Self::Mud => oids::CT_MUDTYPE,
        }
    }
}

/// EncapsulatedContentInfo (RFC 5652, section 5.2), which must be without content.
fn decode_content_info(fields: &mut Reader<'_>) -> Result<ContentType, Error> {
    let mut info = fields.sequence()?;
    let oid = info.decode()?;
    let content_type = [ContentType::Data, ContentType::Mud]
        .into_iter()
        .find(|known| known.oid() == oid)
        .ok_or(Error::Unsupported(Feature::ContentType))?;
    if info.optional(constructed(0))?.is_some() {
        return Err(Error::Unsupported(Feature::EmbeddedContent));
    }
    info.finish()?;
    Ok(content_type)
}

/// CertificateSet (RFC 5652, section 10.2.3); its order means nothing.
fn decode_certificates(set: &Element<'_>) -> Result<Vec<Certificate>, Error> {
    let mut reader = set.reader();
    let mut certificates = Vec::new();
    while !reader.is_empty() {
        let element = reader.element()?;
        // Attribute certificates and the obsolete forms have context-specific tags, and are passed over.
        if element.tag.is_context_specific() {
            continue;
        }
        if certificates.len() == MAX_CERTIFICATES {
            return Err(Error::too_long(element.at, MAX_CERTIFICATES));
        }
        certificates.push(Certificate::from_element(&element)?);
    }
    Ok(certificates)
}

fn decode_signers(mut set: Reader<'_>, content_type: ContentType) -> Result<Vec<Signer>, Error> {
    let mut signers = Vec::new();
    while !set.is_empty() {
        if signers.len() == MAX_SIGNERS {
            return Err(Error::too_long(set.at(), MAX_SIGNERS));
        }
        signers.push(Signer::decode(&mut set, content_type)?);
    }
    Ok(signers)
}
