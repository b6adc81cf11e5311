use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey};
use der::asn1::{Ia5StringRef, ObjectIdentifier, UintRef};
use der::{Encode, Tag};

use crate::extensions::is_url_text;
use crate::reader::{constructed, primitive};
use crate::{
    AltName, BasicConstraints, Certificate, Error, Extension, KeyUsage, MAX_SERIAL_LEN, Misuse, Name,
    Validity, oids, writer,
};

/// Length of the key identifiers made here: 160 bits of SHA-256 (RFC 7093, section 2, method 1).
const KEY_ID_LEN: usize = 20;

/// Makes certificates: of authorities, MUD signers and devices.
///
/// It starts as the certificate of a key that signs (digitalSignature) and is no authority. Serial number and times
/// are the caller's, for this crate has neither randomness nor a clock.
#[derive(Clone, Debug)]
pub struct CertificateBuilder {
    subject: Name,
    key: PublicKey,
    serial: Vec<u8>,
    validity: Validity,
    basic_constraints: BasicConstraints,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Vec<ObjectIdentifier>,
    alt_names: Vec<AltName>,
    mud_url: Option<String>,
    mud_signer: Option<Name>,
    more: Vec<Extension>,
}

impl CertificateBuilder {
    /// A certificate for a subject and its key; the serial number is a positive big-endian number of at most
    /// [`MAX_SERIAL_LEN`] bytes.
    pub fn new(subject: Name, key: &PublicKey, serial: &[u8], validity: Validity) -> Self {
        Self {
            subject,
            key: key.clone(),
            serial: serial.to_vec(),
            validity,
            basic_constraints: BasicConstraints::default(),
            key_usage: Some(KeyUsage::DIGITAL_SIGNATURE),
            extended_key_usage: Vec::new(),
            alt_names: Vec::new(),
            mud_url: None,
            mud_signer: None,
            more: Vec::new(),
        }
    }

    /// Makes it an authority, with at most so many others below it.
    pub fn authority(mut self, path_len: Option<u8>) -> Self {
        self.basic_constraints = BasicConstraints { ca: true, path_len };
        self.key_usage = Some(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN);
        self
    }

    /// Sets when it is valid: the same certificate, renewed.
    pub fn validity(mut self, validity: Validity) -> Self {
        self.validity = validity;
        self
    }

    /// Sets what the key may be used for; `None` leaves the extension away.
    pub fn key_usage(mut self, usage: Option<KeyUsage>) -> Self {
        self.key_usage = usage;
        self
    }

    /// Limits the certificate to a purpose; may be called for several.
    pub fn extended_key_usage(mut self, purpose: ObjectIdentifier) -> Self {
        self.extended_key_usage.push(purpose);
        self
    }

    /// Adds an alternative name of the subject.
    pub fn alt_name(mut self, name: AltName) -> Self {
        self.alt_names.push(name);
        self
    }

    /// Names the MUD URL of a device (RFC 8520, section 11).
    pub fn mud_url(mut self, url: &str) -> Self {
        self.mud_url = Some(url.to_owned());
        self
    }

    /// Names the subject that signs the MUD file of a device (RFC 8520, section 11).
    pub fn mud_signer(mut self, subject: Name) -> Self {
        self.mud_signer = Some(subject);
        self
    }

    /// Adds an extension that this crate has no method for.
    pub fn extension(mut self, extension: Extension) -> Self {
        self.more.push(extension);
        self
    }

    /// Signs it with its own key: an anchor.
    pub fn self_signed(&self, key: &SigningKey) -> Result<Certificate, Error> {
        let to_be_signed = self.encode(&self.subject, None, self.key.algorithm())?;
        signed(&to_be_signed, &self.key, &key.sign(&to_be_signed))
    }

    /// Signs it with an authority's key, which must be the one in the authority's certificate.
    pub fn issued_by(&self, issuer: &Certificate, key: &SigningKey) -> Result<Certificate, Error> {
        self.assemble(issuer, &key.sign(&self.to_be_signed(issuer)?))
    }

    /// What an authority must sign whose key is elsewhere.
    pub fn to_be_signed(&self, issuer: &Certificate) -> Result<Vec<u8>, Error> {
        self.encode(issuer.subject(), issuer.subject_key_id(), issuer.public_key()?.algorithm())
    }

    /// Puts the certificate together. The signature is in either form, as security modules differ, and must be one of
    /// the authority's key over what was [to be signed](Self::to_be_signed).
    pub fn assemble(&self, issuer: &Certificate, signature: &[u8]) -> Result<Certificate, Error> {
        signed(&self.to_be_signed(issuer)?, issuer.public_key()?, signature)
    }

    /// TBSCertificate (RFC 5280, section 4.1).
    fn encode(
        &self,
        issuer: &Name,
        authority_key_id: Option<&[u8]>,
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<u8>, Error> {
        let Validity { not_before, not_after } = self.validity;
        if not_after < not_before {
            return Err(Error::Misuse(Misuse::Time));
        }
        Ok(writer::sequence([
            &writer::element(constructed(0), &writer::value(&2u8)), // version 3
            &self.encode_serial()?,
            &writer::signature_algorithm(algorithm)?,
            issuer.as_der(),
            &writer::sequence([&writer::time(not_before)?, &writer::time(not_after)?]),
            self.subject.as_der(),
            &self.key.to_spki_der(),
            &writer::element(constructed(3), &self.encode_extensions(authority_key_id)?),
        ]))
    }

    fn encode_serial(&self) -> Result<Vec<u8>, Error> {
        let misuse = Error::Misuse(Misuse::SerialNumber);
        let number = UintRef::new(&self.serial).map_err(|_| misuse)?;
        let der = number.to_der().map_err(|_| misuse)?;
        // Tag and length take one byte each; a leading zero byte counts (RFC 5280, section 4.1.2.2).
        if self.serial.iter().all(|byte| *byte == 0) || der.len() > 2 + MAX_SERIAL_LEN {
            return Err(misuse);
        }
        Ok(der)
    }

    fn encode_extensions(&self, authority_key_id: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let key_id = Digest::of(HashAlgorithm::Sha256, self.key.as_bytes());
        let key_id = &key_id.as_bytes()[..KEY_ID_LEN];
        let mut list = alloc::vec![Extension {
            id: oids::BASIC_CONSTRAINTS,
            critical: true,
            value: self.basic_constraints.encode()
        }];
        let mut add = |id, critical, value| list.push(Extension { id, critical, value });
        if let Some(usage) = self.key_usage {
            add(oids::KEY_USAGE, true, usage.encode());
        }
        if !self.extended_key_usage.is_empty() {
            let purposes: Vec<u8> = self.extended_key_usage.iter().flat_map(|id| writer::oid(*id)).collect();
            add(oids::EXTENDED_KEY_USAGE, false, writer::element(Tag::Sequence, &purposes));
        }
        add(oids::SUBJECT_KEY_IDENTIFIER, false, writer::octet_string(key_id));
        if let Some(id) = authority_key_id {
            add(
                oids::AUTHORITY_KEY_IDENTIFIER,
                false,
                writer::sequence([&writer::element(primitive(0), id)]),
            );
        }
        if !self.alt_names.is_empty() {
            let all_text = self.alt_names.iter().all(|name| match name {
                AltName::Dns(text) | AltName::Uri(text) => is_url_text(text),
                AltName::Ip(_) => true,
            });
            if !all_text {
                return Err(Error::Misuse(Misuse::NameValue));
            }
            let names: Vec<u8> = self.alt_names.iter().flat_map(AltName::encode).collect();
            // The only name of the subject must not be overlooked (RFC 5280, section 4.2.1.6).
            add(oids::SUBJECT_ALT_NAME, self.subject.is_empty(), writer::element(Tag::Sequence, &names));
        }
        if let Some(url) = &self.mud_url {
            let text = Ia5StringRef::new(url).ok().filter(|_| is_url_text(url));
            add(oids::PE_MUD_URL, false, writer::value(&text.ok_or(Error::Misuse(Misuse::Url))?));
        }
        if let Some(signer) = &self.mud_signer {
            add(oids::PE_MUDSIGNER, false, signer.as_der().to_vec());
        }
        list.extend_from_slice(&self.more);
        let twice =
            |(i, extension): (usize, &Extension)| list[..i].iter().any(|other| other.id == extension.id);
        if list.iter().enumerate().any(twice) {
            return Err(Error::Misuse(Misuse::DuplicateExtension));
        }
        let encoded: Vec<u8> = list.iter().flat_map(encode_extension).collect();
        Ok(writer::element(Tag::Sequence, &encoded))
    }
}

/// The certificate around what was signed with a key.
fn signed(to_be_signed: &[u8], key: &PublicKey, signature: &[u8]) -> Result<Certificate, Error> {
    let signature = writer::checked_signature(key, to_be_signed, signature)?;
    Certificate::decode(&writer::sequence([
        to_be_signed,
        &writer::signature_algorithm(key.algorithm())?,
        &writer::bit_string(&signature),
    ]))
}

fn encode_extension(extension: &Extension) -> Vec<u8> {
    let critical = if extension.critical { writer::value(&true) } else { Vec::new() };
    writer::sequence([&writer::oid(extension.id), &critical, &writer::octet_string(&extension.value)])
}
