use alloc::vec::Vec;
use core::fmt;

use crypto::{HashAlgorithm, SignatureAlgorithm};
use der::Tag;
use der::asn1::{ObjectIdentifier, OctetStringRef};

use super::ContentType;
use crate::certificate::decode_serial;
use crate::reader::{self, Element, Reader, constructed, primitive};
use crate::{Certificate, Error, Name, oids};

/// How many signed attributes a signer may have.
pub const MAX_ATTRIBUTES: usize = 32;

/// Tag byte of a SET OF, which the signature covers in the place of the `[0]` that travels (RFC 5652, section 5.4).
const SET_OF: u8 = 0x31;

/// One signer's claim (SignerInfo; RFC 5652, section 5.3): well-formed, and not yet verified.
#[derive(Clone, Debug)]
pub struct Signer {
    pub(super) id: SignerId,
    pub(super) digest_algorithm: Option<HashAlgorithm>,
    pub(super) attributes: Option<SignedAttributes>,
    pub(super) signature_algorithm: Option<SignatureAlgorithm>,
    pub(super) signature: Vec<u8>,
}

/// How a signer names the certificate (SignerIdentifier; RFC 5652, section 5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerId {
    /// By its issuer and serial number.
    IssuerAndSerial {
        /// Who issued the certificate.
        issuer: Name,
        /// Its number there.
        serial: Vec<u8>,
    },
    /// By its subject key identifier.
    SubjectKeyId(Vec<u8>),
}

/// SignedAttributes (RFC 5652, sections 5.3 and 11).
#[derive(Clone, Debug)]
pub(super) struct SignedAttributes {
    /// As the signature covers them.
    pub(super) der: Vec<u8>,
    pub(super) message_digest: Vec<u8>,
    pub(super) signing_time: Option<i64>,
}

impl Signer {
    pub(super) fn decode(set: &mut Reader<'_>, content_type: ContentType) -> Result<Self, Error> {
        let at = set.at();
        let mut fields = set.sequence()?;
        let version: u8 = fields.decode()?;
        let id = SignerId::decode(&fields.element()?)?;
        if version != id.version() {
            return Err(Error::rule(at, "version of the signer does not go with its identifier"));
        }
        let digest_algorithm = reader::digest_algorithm(&mut fields)?;
        let attributes = match fields.optional(constructed(0))? {
            Some(element) => Some(SignedAttributes::decode(&element, content_type)?),
            // RFC 5652, section 5.3: only plain data may be signed without.
            None if content_type != ContentType::Data => {
                return Err(Error::rule(at, "signed attributes are missing"));
            }
            None => None,
        };
        let signature_algorithm = reader::signature_algorithm(&mut fields)?;
        let signature = fields.decode::<&OctetStringRef>()?.as_bytes().to_vec();
        // Unsigned attributes prove nothing.
        fields.optional(constructed(1))?;
        fields.finish()?;
        Ok(Self { id, digest_algorithm, attributes, signature_algorithm, signature })
    }

    /// How the signer names the certificate.
    pub fn id(&self) -> &SignerId {
        &self.id
    }

    /// When the signer claims to have signed, in seconds since 1970.
    pub fn signing_time(&self) -> Option<i64> {
        self.attributes.as_ref()?.signing_time
    }
}

impl SignerId {
    fn decode(element: &Element<'_>) -> Result<Self, Error> {
        if element.tag == primitive(0) {
            return Ok(Self::SubjectKeyId(element.content.to_vec()));
        }
        let mut fields = element.reader_of(Tag::Sequence)?;
        let issuer = Name::from_element(&fields.element()?)?;
        let serial = decode_serial(&mut fields)?;
        fields.finish()?;
        Ok(Self::IssuerAndSerial { issuer, serial })
    }

    const fn version(&self) -> u8 {
        match self {
            Self::IssuerAndSerial { .. } => 1,
            Self::SubjectKeyId(_) => 3,
        }
    }

    /// Whether this is a name of the certificate.
    pub fn matches(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                certificate.issuer() == issuer && certificate.serial() == serial
            }
            Self::SubjectKeyId(id) => certificate.subject_key_id() == Some(id),
        }
    }
}

impl fmt::Display for SignerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, bytes) = match self {
            Self::IssuerAndSerial { issuer, serial } => {
                write!(f, "{issuer}; ")?;
                ("serial ", serial)
            }
            Self::SubjectKeyId(id) => ("key ", id),
        };
        f.write_str(label)?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl SignedAttributes {
    fn decode(element: &Element<'_>, content_type: ContentType) -> Result<Self, Error> {
        let mut set = element.reader();
        let mut previous: Option<Element<'_>> = None;
        let mut seen: Vec<ObjectIdentifier> = Vec::new();
        let (mut has_content_type, mut message_digest, mut signing_time) = (false, None, None);
        while !set.is_empty() {
            let attribute = set.element()?;
            if seen.len() == MAX_ATTRIBUTES {
                return Err(Error::too_long(attribute.at, MAX_ATTRIBUTES));
            }
            // What is signed is the DER of the set, which has one order only (RFC 5652, section 5.4).
            if previous.is_some_and(|previous| previous.raw > attribute.raw) {
                return Err(Error::rule(attribute.at, "signed attributes are not in the order of der"));
            }
            previous = Some(attribute);
            let mut fields = attribute.reader_of(Tag::Sequence)?;
            let id = fields.decode()?;
            let values = fields.set()?;
            fields.finish()?;
            if seen.contains(&id) {
                return Err(Error::rule(attribute.at, "signed attribute occurs twice"));
            }
            seen.push(id);
            match id {
                oids::CONTENT_TYPE => {
                    if single(values)?.decode::<ObjectIdentifier>()? != content_type.oid() {
                        return Err(Error::rule(attribute.at, "content type differs from the signed one"));
                    }
                    has_content_type = true;
                }
                oids::MESSAGE_DIGEST => {
                    message_digest = Some(single(values)?.decode::<&OctetStringRef>()?.as_bytes().to_vec());
                }
                oids::SIGNING_TIME => signing_time = Some(single(values)?.time()?),
                _ => {}
            }
        }
        if !has_content_type {
            return Err(Error::rule(element.at, "signed attribute content-type is missing"));
        }
        let message_digest =
            message_digest.ok_or(Error::rule(element.at, "signed attribute message-digest is missing"))?;
        let mut der = element.raw.to_vec();
        if let Some(tag) = der.first_mut() {
            *tag = SET_OF;
        }
        Ok(Self { der, message_digest, signing_time })
    }
}

/// The one value of an attribute that must have exactly one (RFC 5652, section 11).
fn single<'b>(mut values: Reader<'b>) -> Result<Element<'b>, Error> {
    let rule = Error::rule(values.at(), "signed attribute does not have one value");
    if values.is_empty() {
        return Err(rule);
    }
    let value = values.element()?;
    if values.is_empty() { Ok(value) } else { Err(rule) }
}
