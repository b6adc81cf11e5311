use alloc::{string::String, vec::Vec};

use cbor::{Error, Reader, Reason, Writer};
use crypto::{HashAlgorithm, PublicKey, RsaPublicKey};
use x509::Certificate;

use crate::{Digest, labels::tag, wire};

/// $crypto-key-type-choice: a key, a certificate, or the thumbprint of one.
///
/// Two are equal exactly when their deterministic encodings are: the same key in two forms is two values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CryptoKey {
    /// SubjectPublicKeyInfo as PEM.
    PkixKey(String),
    /// An X.509 certificate as PEM.
    PkixCertificate(String),
    /// X.509 certificates as PEM, each certifying the one before.
    PkixPath(String),
    /// Digest of a public key.
    KeyThumbprint(Digest),
    /// A COSE_Key or COSE_KeySet, in deterministic encoding.
    CoseKey(Vec<u8>),
    /// Digest of a certificate.
    CertificateThumbprint(Digest),
    /// A key identifier that nothing is said about.
    Bytes(Vec<u8>),
    /// Digest of a certification path.
    PathThumbprint(Digest),
    /// An X.509 certificate in DER.
    CertificateDer(Vec<u8>),
}

impl CryptoKey {
    /// The forms in which a public key is named as an authority: as COSE_Key, and by the SHA-256 of its
    /// SubjectPublicKeyInfo.
    pub fn of_public_key(key: &PublicKey) -> Vec<Self> {
        let thumbprint = crypto::Digest::of(HashAlgorithm::Sha256, &key.to_spki_der());
        let cose = cose::Key::from_public(key).encode();
        Vec::from([Self::CoseKey(cose), Self::KeyThumbprint(thumbprint.into())])
    }

    /// The same of an RSA key.
    pub fn of_rsa_public_key(key: &RsaPublicKey) -> Vec<Self> {
        let thumbprint = crypto::Digest::of(HashAlgorithm::Sha256, &key.to_spki_der());
        Vec::from([Self::CoseKey(cose::encode_rsa_key(key)), Self::KeyThumbprint(thumbprint.into())])
    }

    /// The forms in which a certificate is named as an authority: itself, and by its SHA-256.
    pub fn of_certificate(certificate: &Certificate) -> Vec<Self> {
        let der = certificate.as_der();
        let thumbprint = crypto::Digest::of(HashAlgorithm::Sha256, der);
        Vec::from([Self::CertificateDer(der.into()), Self::CertificateThumbprint(thumbprint.into())])
    }

    /// The public key that it is or certifies, where it says more than a name of one: of a path, that of the end entity.
    /// Nothing where it cannot be read, or is of an algorithm that is not known.
    ///
    /// Certificates are not verified here: whoever signed the manifest answers for them.
    pub fn public_key(&self) -> Option<PublicKey> {
        match self {
            Self::PkixKey(pem) => PublicKey::from_spki_der(&block(pem, "PUBLIC KEY")?).ok(),
            Self::CoseKey(key) => Some(cose::Key::decode(key).ok()?.public().clone()),
            _ => self.certificate()?.public_key().ok().cloned(),
        }
    }

    /// The same where it is a key of RSA, which only TPMs attest with.
    pub fn rsa_public_key(&self) -> Option<RsaPublicKey> {
        match self {
            Self::PkixKey(pem) => RsaPublicKey::from_spki_der(&block(pem, "PUBLIC KEY")?).ok(),
            Self::CoseKey(key) => cose::decode_rsa_key(key).ok(),
            _ => RsaPublicKey::from_spki_der(self.certificate()?.public_key_der()).ok(),
        }
    }

    /// The certificate that it is; of a path, that of the end entity. Nothing where it cannot be read.
    pub fn certificate(&self) -> Option<Certificate> {
        match self {
            Self::PkixCertificate(pem) | Self::PkixPath(pem) => {
                Certificate::decode(&block(pem, "CERTIFICATE")?).ok()
            }
            Self::CertificateDer(der) => Certificate::decode(der).ok(),
            _ => None,
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        let number = reader.tag()?;
        Self::decode_tagged(number, at, reader)
    }

    /// Reads what stands under a tag that is read already.
    pub(crate) fn decode_tagged(number: u64, at: usize, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut pem = || wire::text_within(reader, wire::MAX_PEM_LEN);
        Ok(match number {
            tag::PKIX_KEY => Self::PkixKey(pem()?),
            tag::PKIX_CERTIFICATE => Self::PkixCertificate(pem()?),
            tag::PKIX_PATH => Self::PkixPath(pem()?),
            tag::KEY_THUMBPRINT => Self::KeyThumbprint(Digest::decode(reader)?),
            tag::COSE_KEY => {
                let key_at = reader.position();
                let key = reader.raw()?;
                let normal = cbor::normalize(key, key.len());
                Self::CoseKey(normal.map_err(|error| Error::new(key_at + error.at, error.reason))?)
            }
            tag::CERTIFICATE_THUMBPRINT => Self::CertificateThumbprint(Digest::decode(reader)?),
            tag::BYTES => Self::Bytes(reader.bytes()?.into()),
            tag::PATH_THUMBPRINT => Self::PathThumbprint(Digest::decode(reader)?),
            tag::CERTIFICATE_DER => Self::CertificateDer(reader.bytes()?.into()),
            _ => return Err(Error::new(at, Reason::Rule("tag is none of a key"))),
        })
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::PkixKey(pem) => {
                writer.tag(tag::PKIX_KEY).text(pem);
            }
            Self::PkixCertificate(pem) => {
                writer.tag(tag::PKIX_CERTIFICATE).text(pem);
            }
            Self::PkixPath(pem) => {
                writer.tag(tag::PKIX_PATH).text(pem);
            }
            Self::KeyThumbprint(digest) => digest.encode(writer.tag(tag::KEY_THUMBPRINT)),
            Self::CoseKey(key) => {
                writer.tag(tag::COSE_KEY).raw(key);
            }
            Self::CertificateThumbprint(digest) => digest.encode(writer.tag(tag::CERTIFICATE_THUMBPRINT)),
            Self::Bytes(bytes) => {
                writer.tag(tag::BYTES).bytes(bytes);
            }
            Self::PathThumbprint(digest) => digest.encode(writer.tag(tag::PATH_THUMBPRINT)),
            Self::CertificateDer(der) => {
                writer.tag(tag::CERTIFICATE_DER).bytes(der);
            }
        }
    }
}

/// The first block of a PEM text under a label.
fn block(pem: &str, label: &str) -> Option<Vec<u8>> {
    let blocks = x509::pem::decode(pem).ok()?;
    blocks.into_iter().find(|block| block.label == label).map(|block| block.der)
}

/// `[+ $crypto-key-type-choice]`.
pub(crate) fn decode_keys(reader: &mut Reader<'_>) -> Result<Vec<CryptoKey>, Error> {
    wire::some(reader, CryptoKey::decode)
}

pub(crate) fn encode_keys(writer: &mut Writer, keys: &[CryptoKey]) {
    wire::write_all(writer, keys, |w, key| key.encode(w));
}
