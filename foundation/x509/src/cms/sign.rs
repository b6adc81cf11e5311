use alloc::vec::Vec;

use crypto::{Digest, SigningKey};
use der::Tag;
use der::asn1::{ObjectIdentifier, UintRef};

use super::verify::{check_may_sign, digest_algorithm_of};
use super::{ContentType, MAX_CERTIFICATES};
use crate::reader::constructed;
use crate::{Certificate, Error, Misuse, oids, writer};

/// The attributes of a signature that is still to be made, perhaps on another machine.
#[derive(Clone, Debug)]
pub struct ToBeSigned<'c> {
    certificate: &'c Certificate,
    /// The attributes as they travel: the content of the set.
    attributes: Vec<u8>,
    der: Vec<u8>,
}

/// Signs a content that travels apart (RFC 8520, section 13.1).
///
/// The message carries the signer's certificate and those in `extra`, which should lead to an anchor. The time of
/// signing is in seconds since 1970.
pub fn sign_detached(
    content: &[u8],
    key: &SigningKey,
    certificate: &Certificate,
    extra: &[Certificate],
    signing_time: i64,
) -> Result<Vec<u8>, Error> {
    let to_be_signed = ToBeSigned::new(content, certificate, signing_time)?;
    to_be_signed.assemble(&key.sign_der(to_be_signed.as_bytes()), extra)
}

impl<'c> ToBeSigned<'c> {
    /// Prepares a signature by the key of this certificate, which must be one that verifiers accept.
    pub fn new(content: &[u8], certificate: &'c Certificate, signing_time: i64) -> Result<Self, Error> {
        check_may_sign(certificate)?;
        let digest = Digest::of(digest_algorithm_of(certificate.public_key()?.algorithm()), content);
        let mut attributes = alloc::vec![
            attribute(oids::CONTENT_TYPE, &writer::oid(ContentType::Data.oid())),
            attribute(oids::MESSAGE_DIGEST, &writer::octet_string(digest.as_bytes())),
            attribute(oids::SIGNING_TIME, &writer::time(signing_time)?),
        ];
        attributes.sort();
        let attributes = attributes.concat();
        let der = writer::element(Tag::Set, &attributes);
        Ok(Self { certificate, attributes, der })
    }

    /// What the signature must cover (RFC 5652, section 5.4).
    pub fn as_bytes(&self) -> &[u8] {
        &self.der
    }

    /// Puts the message together; the signature is in DER, and must be one of the certificate's key.
    pub fn assemble(&self, signature: &[u8], extra: &[Certificate]) -> Result<Vec<u8>, Error> {
        let key = self.certificate.public_key()?;
        key.verify_der(&self.der, signature).map_err(|_| Error::Misuse(Misuse::WrongKey))?;
        let mut certificates = alloc::vec![self.certificate.as_der().to_vec()];
        for certificate in extra {
            if !certificates.iter().any(|other| other == certificate.as_der()) {
                certificates.push(certificate.as_der().to_vec());
            }
        }
        if certificates.len() > MAX_CERTIFICATES {
            return Err(Error::Misuse(Misuse::TooManyCertificates));
        }
        let digest_algorithm = writer::digest_algorithm(digest_algorithm_of(key.algorithm()));
        let serial = UintRef::new(self.certificate.serial()).expect("a serial number is short");
        let signer = writer::sequence([
            &writer::value(&1u8),
            &writer::sequence([self.certificate.issuer().as_der(), &writer::value(&serial)]),
            &digest_algorithm,
            &writer::element(constructed(0), &self.attributes),
            &writer::signature_algorithm(key.algorithm())?,
            &writer::octet_string(signature),
        ]);
        let signed_data = writer::sequence([
            &writer::value(&1u8),
            &writer::element(Tag::Set, &digest_algorithm),
            &writer::sequence([&writer::oid(ContentType::Data.oid())]),
            &writer::set_of(constructed(0), certificates),
            &writer::element(Tag::Set, &signer),
        ]);
        Ok(writer::sequence([
            &writer::oid(oids::SIGNED_DATA),
            &writer::element(constructed(0), &signed_data),
        ]))
    }
}

/// Attribute (RFC 5652, section 5.3) with one value.
fn attribute(id: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    writer::sequence([&writer::oid(id), &writer::element(Tag::Set, value)])
}
