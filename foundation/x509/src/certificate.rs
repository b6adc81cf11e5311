use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crypto::{PublicKey, SignatureAlgorithm};
use der::Tag;
use der::asn1::{BitStringRef, ObjectIdentifier, UintRef};

use crate::extensions::{self, AltName, BasicConstraints, KeyUsage};
use crate::reader::{self, Element, Reader, constructed};
use crate::{Distrust, Error, Feature, Name, oids};

/// Length of the longest certificate that is read.
pub const MAX_CERTIFICATE_LEN: usize = 32 * 1024;

/// How many extensions a certificate may have.
pub const MAX_EXTENSIONS: usize = 32;

/// Length of the longest serial number in bytes (RFC 5280, section 4.1.2.2).
pub const MAX_SERIAL_LEN: usize = 20;

/// X.509 version 3, as its INTEGER counts.
const V3: u8 = 2;

/// A well-formed certificate (RFC 5280, section 4.1), believed by nobody: see [`crate::verify_chain`].
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    serial: Vec<u8>,
    signature_algorithm: Option<SignatureAlgorithm>,
    signature: Vec<u8>,
    issuer: Name,
    validity: Validity,
    subject: Name,
    /// Where the SubjectPublicKeyInfo stands.
    spki: Range<usize>,
    public_key: Option<PublicKey>,
    extensions: Vec<Extension>,
    known: Known,
}

/// When a certificate is valid (RFC 5280, section 4.1.2.5), in seconds since 1970; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: i64,
    /// Last second.
    pub not_after: i64,
}

/// An extension (RFC 5280, section 4.2), its content as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// What it is.
    pub id: ObjectIdentifier,
    /// Whether who does not process it must refuse the certificate.
    pub critical: bool,
    /// DER inside the OCTET STRING.
    pub value: Vec<u8>,
}

/// The contents of the extensions that are understood.
#[derive(Clone, Default)]
struct Known {
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<Vec<ObjectIdentifier>>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    alt_names: Vec<AltName>,
    mud_url: Option<String>,
    mud_signer: Option<Name>,
    /// An extension that is critical, and not in this list.
    has_unknown_critical: bool,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// Keys and signatures of algorithms that `crypto` does not implement are read over: they fail when used.
    pub fn decode(der: &[u8]) -> Result<Self, Error> {
        Self::from_element(&Reader::whole(der, MAX_CERTIFICATE_LEN)?)
    }

    pub(crate) fn from_element(element: &Element<'_>) -> Result<Self, Error> {
        if element.raw.len() > MAX_CERTIFICATE_LEN {
            return Err(Error::too_long(element.at, MAX_CERTIFICATE_LEN));
        }
        let mut outer = element.reader_of(Tag::Sequence)?;
        let tbs = outer.expect(Tag::Sequence)?;
        let outer_algorithm = outer.clone().element()?;
        let signature_algorithm = reader::signature_algorithm(&mut outer)?;
        let signature = whole_bytes(&outer.element()?)?.to_vec();
        outer.finish()?;

        let mut fields = tbs.reader();
        decode_version(&mut fields)?;
        let serial = decode_serial(&mut fields)?;
        let inner_algorithm = fields.expect(Tag::Sequence)?;
        if inner_algorithm.raw != outer_algorithm.raw {
            return Err(Error::rule(inner_algorithm.at, "certificate names two signature algorithms"));
        }
        let issuer_at = fields.at();
        let issuer = Name::from_element(&fields.element()?)?;
        if issuer.is_empty() {
            return Err(Error::rule(issuer_at, "issuer has no name"));
        }
        let mut validity = fields.sequence()?;
        let (not_before, not_after) = (validity.element()?.time()?, validity.element()?.time()?);
        validity.finish()?;
        let subject = Name::from_element(&fields.element()?)?;
        let spki = fields.expect(Tag::Sequence)?;
        let public_key = decode_public_key(&spki)?;
        // issuerUniqueID and subjectUniqueID: nobody may rely on them.
        fields.optional(reader::primitive(1))?;
        fields.optional(reader::primitive(2))?;
        let (extensions, known) = match fields.optional(constructed(3))? {
            Some(wrapper) => decode_extensions(wrapper.reader())?,
            None => (Vec::new(), Known::default()),
        };
        fields.finish()?;

        let start = tbs.at - element.at;
        let spki_start = spki.at - element.at;
        Ok(Self {
            der: element.raw.to_vec(),
            tbs: start..start + tbs.raw.len(),
            serial,
            signature_algorithm,
            signature,
            issuer,
            validity: Validity { not_before, not_after },
            subject,
            spki: spki_start..spki_start + spki.raw.len(),
            public_key,
            extensions,
            known,
        })
    }

    /// The certificate as received.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The serial number as its issuer wrote it: big-endian, without a sign byte.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Who issued it.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Whom it is about.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// When it is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The subject's key; an error when it is of an algorithm that `crypto` does not implement.
    pub fn public_key(&self) -> Result<&PublicKey, Error> {
        self.public_key.as_ref().ok_or(Error::Unsupported(Feature::KeyAlgorithm))
    }

    /// The subject's key as received: a SubjectPublicKeyInfo in DER, of whatever algorithm.
    pub fn public_key_der(&self) -> &[u8] {
        &self.der[self.spki.clone()]
    }

    /// All extensions, in their order.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The extension of this id.
    pub fn extension(&self, id: ObjectIdentifier) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.id == id)
    }

    /// What the key may be used for, if the certificate says so.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.known.key_usage
    }

    /// The purposes that the certificate is limited to, if it is.
    pub fn extended_key_usage(&self) -> Option<&[ObjectIdentifier]> {
        self.known.extended_key_usage.as_deref()
    }

    /// Whether it is an authority, and of what depth; an absent extension says it is none.
    pub fn basic_constraints(&self) -> BasicConstraints {
        self.known.basic_constraints.unwrap_or_default()
    }

    /// Identifier of the subject's key.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.known.subject_key_id.as_deref()
    }

    /// Identifier of the issuer's key.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.known.authority_key_id.as_deref()
    }

    /// Alternative names of the subject.
    pub fn alt_names(&self) -> &[AltName] {
        &self.known.alt_names
    }

    /// The MUD URL of the device that this certificate is of (RFC 8520, section 11): printable ASCII, and no more
    /// has been checked.
    pub fn mud_url(&self) -> Option<&str> {
        self.known.mud_url.as_deref()
    }

    /// The subject that must have signed the MUD file (RFC 8520, section 11).
    pub fn mud_signer(&self) -> Option<&Name> {
        self.known.mud_signer.as_ref()
    }

    /// Whether issuer and subject have the same name.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Checks that the time lies within the validity.
    pub fn check_validity(&self, now: i64) -> Result<(), Error> {
        let Validity { not_before, not_after } = self.validity;
        if now < not_before {
            return Err(Error::Untrusted(Distrust::NotYetValid { not_before }));
        }
        if now > not_after {
            return Err(Error::Untrusted(Distrust::Expired { not_after }));
        }
        Ok(())
    }

    /// Checks the signature on this certificate, and nothing else.
    pub(crate) fn verify_signature(&self, issuer: &PublicKey) -> Result<(), Error> {
        if self.signature_algorithm != Some(issuer.algorithm()) {
            return Err(Error::Unsupported(Feature::SignatureAlgorithm));
        }
        issuer
            .verify_der(&self.der[self.tbs.clone()], &self.signature)
            .map_err(|_| Error::Untrusted(Distrust::CertificateSignature))
    }

    /// Checks that nothing in it asks for processing that is not done here (RFC 5280, section 4.2).
    pub(crate) fn check_processable(&self) -> Result<(), Error> {
        if self.known.has_unknown_critical {
            return Err(Error::Unsupported(Feature::CriticalExtension));
        }
        if self.extension(oids::NAME_CONSTRAINTS).is_some() {
            return Err(Error::Unsupported(Feature::NameConstraints));
        }
        Ok(())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} by {})", self.subject, self.issuer)
    }
}

fn decode_version(fields: &mut Reader<'_>) -> Result<(), Error> {
    // Version 1 has no version field, and no extensions that could tell an authority from a light bulb.
    let wrapper = fields.optional(constructed(0))?.ok_or(Error::Unsupported(Feature::CertificateVersion))?;
    let mut version = wrapper.reader();
    if version.decode::<u8>()? != V3 {
        return Err(Error::Unsupported(Feature::CertificateVersion));
    }
    version.finish()
}

pub(crate) fn decode_serial(fields: &mut Reader<'_>) -> Result<Vec<u8>, Error> {
    let element = fields.element()?;
    let serial = element.decode::<UintRef<'_>>()?.as_bytes();
    if serial.len() > MAX_SERIAL_LEN {
        return Err(Error::too_long(element.at, MAX_SERIAL_LEN));
    }
    Ok(serial.to_vec())
}

/// `None` for keys of other algorithms; those of ours must be keys.
pub(crate) fn decode_public_key(spki: &Element<'_>) -> Result<Option<PublicKey>, Error> {
    let mut fields = spki.reader();
    fields.expect(Tag::Sequence)?;
    whole_bytes(&fields.element()?)?;
    fields.finish()?;
    match PublicKey::from_spki_der(spki.raw) {
        Ok(key) => Ok(Some(key)),
        Err(crypto::Error::UnsupportedAlgorithm | crypto::Error::UnsupportedCompressedPoint) => Ok(None),
        Err(_) => Err(Error::rule(spki.at, "public key is not a key of its algorithm")),
    }
}

fn decode_extensions(mut wrapper: Reader<'_>) -> Result<(Vec<Extension>, Known), Error> {
    let mut list = wrapper.sequence()?;
    wrapper.finish()?;
    if list.is_empty() {
        return Err(Error::rule(list.at(), "list of extensions is empty"));
    }
    let mut extensions: Vec<Extension> = Vec::new();
    let mut known = Known::default();
    while !list.is_empty() {
        let at = list.at();
        if extensions.len() == MAX_EXTENSIONS {
            return Err(Error::too_long(at, MAX_EXTENSIONS));
        }
        let mut fields = list.sequence()?;
        let id = fields.decode()?;
        let critical = match fields.optional(Tag::Boolean)? {
            // DER leaves the default away, and some authorities write it nevertheless.
            Some(element) => element.decode()?,
            None => false,
        };
        let value = fields.expect(Tag::OctetString)?;
        fields.finish()?;
        if extensions.iter().any(|extension| extension.id == id) {
            return Err(Error::rule(at, "extension occurs twice"));
        }
        known.take(id, critical, &value)?;
        extensions.push(Extension { id, critical, value: value.content.to_vec() });
    }
    Ok((extensions, known))
}

impl Known {
    fn take(&mut self, id: ObjectIdentifier, critical: bool, value: &Element<'_>) -> Result<(), Error> {
        match id {
            oids::BASIC_CONSTRAINTS => self.basic_constraints = Some(BasicConstraints::decode(value)?),
            oids::KEY_USAGE => self.key_usage = Some(KeyUsage::decode(value)?),
            oids::EXTENDED_KEY_USAGE => {
                self.extended_key_usage = Some(extensions::decode_extended_key_usage(value)?);
            }
            oids::SUBJECT_KEY_IDENTIFIER => {
                self.subject_key_id = Some(extensions::decode_subject_key_id(value)?);
            }
            oids::AUTHORITY_KEY_IDENTIFIER => {
                self.authority_key_id = extensions::decode_authority_key_id(value)?;
            }
            oids::SUBJECT_ALT_NAME => self.alt_names = AltName::decode_all(value)?,
            oids::PE_MUD_URL => self.mud_url = Some(extensions::decode_mud_url(value)?),
            oids::PE_MUDSIGNER => self.mud_signer = Some(extensions::decode_mud_signer(value)?),
            // Refused by its own name, critical or not, as soon as a chain needs it.
            oids::NAME_CONSTRAINTS => {}
            _ => self.has_unknown_critical |= critical,
        }
        Ok(())
    }
}

/// The content of a BIT STRING without unused bits.
pub(crate) fn whole_bytes<'b>(element: &Element<'b>) -> Result<&'b [u8], Error> {
    element.decode::<BitStringRef<'b>>()?.as_bytes().ok_or(Error::der(element.at))
}
