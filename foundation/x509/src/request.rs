use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crypto::{PublicKey, SignatureAlgorithm, SigningKey};
use der::Tag;
use der::asn1::ObjectIdentifier;

use crate::certificate::{decode_public_key, whole_bytes};
use crate::reader::{self, Reader, constructed};
use crate::{Distrust, Error, Feature, Malformed, Name, pem, writer};

/// Length of the longest certification request that is read.
pub const MAX_REQUEST_LEN: usize = 16 * 1024;

/// Length of the longest text that a certification request is looked for in: its base64, and commentary around it.
pub const MAX_REQUEST_PEM_LEN: usize = 4 * MAX_REQUEST_LEN;

/// How many attributes a certification request may have.
pub const MAX_REQUEST_ATTRIBUTES: usize = 16;

/// Version 1, as its INTEGER counts: there is no other.
const V1: u8 = 0;

/// What stands behind BEGIN; RFC 7468, section 7, has parsers take the older name as well.
const PEM_LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// A well-formed certification request (PKCS #10; RFC 2986, section 4.2), believed by nobody.
///
/// Its attributes, extensions that it asks for among them, are read over: what a certificate says is for the authority
/// to decide.
#[derive(Clone)]
pub struct CertificationRequest {
    der: Vec<u8>,
    info: Range<usize>,
    subject: Name,
    public_key: Option<PublicKey>,
    signature_algorithm: Option<SignatureAlgorithm>,
    signature: Vec<u8>,
}

impl CertificationRequest {
    /// Reads a certification request in DER.
    ///
    /// Keys and signatures of algorithms that `crypto` does not implement are read over: they fail when verified.
    pub fn decode(der: &[u8]) -> Result<Self, Error> {
        let mut outer = Reader::whole(der, MAX_REQUEST_LEN)?.reader_of(Tag::Sequence)?;
        let info = outer.expect(Tag::Sequence)?;
        let signature_algorithm = reader::signature_algorithm(&mut outer)?;
        let signature = whole_bytes(&outer.element()?)?.to_vec();
        outer.finish()?;

        let mut fields = info.reader();
        if fields.decode::<u8>()? != V1 {
            return Err(Error::Unsupported(Feature::RequestVersion));
        }
        let subject = Name::from_element(&fields.element()?)?;
        let public_key = decode_public_key(&fields.expect(Tag::Sequence)?)?;
        skip_attributes(fields.expect(constructed(0))?.reader())?;
        fields.finish()?;

        let info = info.at..info.at + info.raw.len();
        Ok(Self { der: der.to_vec(), info, subject, public_key, signature_algorithm, signature })
    }

    /// Reads the only certification request of a text (RFC 7468, section 7).
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_REQUEST_PEM_LEN {
            return Err(Error::too_long(0, MAX_REQUEST_PEM_LEN));
        }
        let blocks = pem::decode(text).map_err(|_| Error::Malformed { at: 0, reason: Malformed::Pem })?;
        let mut requests = blocks.iter().filter(|block| PEM_LABELS.contains(&block.label.as_str()));
        match (requests.next(), requests.next()) {
            (Some(request), None) => Self::decode(&request.der),
            _ => Err(Error::rule(0, "text does not hold exactly one certification request")),
        }
    }

    /// Checks that whoever made the request has the private key: the signature is by the key in it, over the bytes
    /// received.
    pub fn verify(&self) -> Result<VerifiedRequest, Error> {
        let public_key = self.public_key.as_ref().ok_or(Error::Unsupported(Feature::KeyAlgorithm))?;
        if self.signature_algorithm != Some(public_key.algorithm()) {
            return Err(Error::Unsupported(Feature::SignatureAlgorithm));
        }
        public_key
            .verify_der(&self.der[self.info.clone()], &self.signature)
            .map_err(|_| Error::Untrusted(Distrust::ProofOfPossession))?;
        Ok(VerifiedRequest { subject: self.subject.clone(), public_key: public_key.clone() })
    }

    /// The request as received.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The request as text (RFC 7468, section 7).
    pub fn to_pem(&self) -> String {
        pem::encode(PEM_LABELS[0], &self.der)
    }

    /// Whom it says it is of.
    pub fn subject(&self) -> &Name {
        &self.subject
    }
}

impl PartialEq for CertificationRequest {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for CertificationRequest {}

impl fmt::Debug for CertificationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificationRequest({})", self.subject)
    }
}

/// A request whose maker has the private key. That it is whom it says is for the authority to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedRequest {
    subject: Name,
    public_key: PublicKey,
}

impl VerifiedRequest {
    /// Whom the maker says it is; may be empty.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key whose private part the maker has.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// Makes certification requests without attributes.
#[derive(Clone, Debug)]
pub struct CertificationRequestBuilder {
    subject: Name,
    key: PublicKey,
}

impl CertificationRequestBuilder {
    /// A request for a certificate of this subject and key.
    pub fn new(subject: Name, key: &PublicKey) -> Self {
        Self { subject, key: key.clone() }
    }

    /// Signs it with the private key, which must be the one of the request.
    pub fn sign(&self, key: &SigningKey) -> Result<CertificationRequest, Error> {
        self.assemble(&key.sign(&self.to_be_signed()))
    }

    /// What the private key must sign, wherever it is.
    pub fn to_be_signed(&self) -> Vec<u8> {
        writer::sequence([
            &writer::value(&V1),
            self.subject.as_der(),
            &self.key.to_spki_der(),
            &writer::element(constructed(0), &[]),
        ])
    }

    /// Puts the request together. The signature is in either form, as security modules differ, and must be one of the
    /// request's key.
    pub fn assemble(&self, signature: &[u8]) -> Result<CertificationRequest, Error> {
        let to_be_signed = self.to_be_signed();
        let signature = writer::checked_signature(&self.key, &to_be_signed, signature)?;
        CertificationRequest::decode(&writer::sequence([
            &to_be_signed,
            &writer::signature_algorithm(self.key.algorithm())?,
            &writer::bit_string(&signature),
        ]))
    }
}

/// Attributes (RFC 2986, section 4.1): each has a type and values, and none is looked at.
fn skip_attributes(mut attributes: Reader<'_>) -> Result<(), Error> {
    let mut count = 0;
    while !attributes.is_empty() {
        if count == MAX_REQUEST_ATTRIBUTES {
            return Err(Error::too_long(attributes.at(), MAX_REQUEST_ATTRIBUTES));
        }
        count += 1;
        let mut attribute = attributes.sequence()?;
        attribute.decode::<ObjectIdentifier>()?;
        let at = attribute.at();
        let mut values = attribute.set()?;
        attribute.finish()?;
        if values.is_empty() {
            return Err(Error::rule(at, "attribute has no value"));
        }
        while !values.is_empty() {
            values.element()?;
        }
    }
    Ok(())
}
