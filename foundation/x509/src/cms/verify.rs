use alloc::vec::Vec;

use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm};
use der::Tag;

use super::{Detached, Signer, SignerId};
use crate::reader::Reader;
use crate::{Certificate, Distrust, Error, Feature, KeyUsage, Name, chain, oids};

/// Whom an operator believes.
#[derive(Clone, Copy, Debug)]
pub struct SignerPolicy<'p> {
    /// The operator's own anchors. An authority, or the very certificate of a signer.
    pub anchors: &'p [Certificate],
    /// Certificates that are at hand besides those in the message: of the signer, or on the way to an anchor. They
    /// are not believed for being here.
    pub extra: &'p [Certificate],
    /// The only subject that may have signed: of the device's `id-pe-mudsigner`, or pinned earlier.
    pub subject: Option<&'p Name>,
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// Who signed the content: its signature was verified, and its certificate chains to an anchor.
#[derive(Clone, Debug)]
pub struct VerifiedSigner {
    id: SignerId,
    public_key: PublicKey,
    /// From the signer's certificate to the anchor; never empty.
    chain: Vec<Certificate>,
    signing_time: Option<i64>,
    others: Vec<OtherSigner>,
}

/// Another signer of the same message, and what became of its claim.
#[derive(Clone, Debug)]
pub struct OtherSigner {
    /// How it names its certificate.
    pub id: SignerId,
    /// Its certificate when it is to be believed as well.
    pub outcome: Result<Certificate, Error>,
}

impl Detached {
    /// Verifies the signature over exactly these bytes.
    ///
    /// Of several signers one that is valid and trusted suffices, the first; the error is that of the first signer.
    pub fn verify(&self, content: &[u8], policy: &SignerPolicy<'_>) -> Result<VerifiedSigner, Error> {
        let mut verified: Option<VerifiedSigner> = None;
        let mut others = Vec::new();
        for signer in &self.signers {
            let outcome = self.verify_signer(signer, content, policy);
            match (&verified, outcome) {
                (None, Ok(first)) => verified = Some(first),
                (_, outcome) => {
                    let outcome = outcome.map(|other| other.certificate().clone());
                    others.push(OtherSigner { id: signer.id.clone(), outcome });
                }
            }
        }
        let refusal = others.iter().find_map(|other| other.outcome.clone().err());
        match verified {
            Some(verified) => Ok(VerifiedSigner { others, ..verified }),
            None => Err(refusal.unwrap_or(Error::Untrusted(Distrust::Unsigned))),
        }
    }

    fn verify_signer(
        &self,
        signer: &Signer,
        content: &[u8],
        policy: &SignerPolicy<'_>,
    ) -> Result<VerifiedSigner, Error> {
        let message = signer.check_content(content)?;
        let candidates = self.certificates.iter().chain(policy.extra).chain(policy.anchors);
        let mut refusal = Error::Untrusted(Distrust::SignerNotFound);
        for certificate in candidates.filter(|certificate| signer.id.matches(certificate)) {
            match self.verify_candidate(signer, message, certificate, policy) {
                Ok(verified) => return Ok(verified),
                Err(error) if refusal == Error::Untrusted(Distrust::SignerNotFound) => refusal = error,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    fn verify_candidate(
        &self,
        signer: &Signer,
        message: &[u8],
        certificate: &Certificate,
        policy: &SignerPolicy<'_>,
    ) -> Result<VerifiedSigner, Error> {
        let public_key = certificate.public_key()?;
        if signer.signature_algorithm != Some(public_key.algorithm()) {
            return Err(Error::Unsupported(Feature::SignatureAlgorithm));
        }
        public_key
            .verify_der(message, &signer.signature)
            .map_err(|_| Error::Untrusted(Distrust::Signature))?;
        check_may_sign(certificate)?;
        if policy.subject.is_some_and(|subject| subject != certificate.subject()) {
            return Err(Error::Untrusted(Distrust::SignerSubject));
        }
        let intermediates: Vec<Certificate> = self.certificates.iter().chain(policy.extra).cloned().collect();
        let chain = chain::verify_chain(certificate, &intermediates, policy.anchors, policy.now)?;
        Ok(VerifiedSigner {
            id: signer.id.clone(),
            public_key: public_key.clone(),
            chain: chain.certificates().cloned().collect(),
            signing_time: signer.signing_time(),
            others: Vec::new(),
        })
    }
}

impl Signer {
    /// What the signature covers, when that speaks of this content (RFC 5652, sections 5.4 and 5.6).
    fn check_content<'a>(&'a self, content: &'a [u8]) -> Result<&'a [u8], Error> {
        let digest_algorithm = self.digest_algorithm.ok_or(Error::Unsupported(Feature::DigestAlgorithm))?;
        let algorithm = self.signature_algorithm.ok_or(Error::Unsupported(Feature::SignatureAlgorithm))?;
        if digest_algorithm != digest_algorithm_of(algorithm) {
            return Err(Error::Unsupported(Feature::DigestAlgorithm));
        }
        let Some(attributes) = &self.attributes else {
            // Attributes that were signed elsewhere must not come back as content: the signature is the same.
            let mut reader = Reader::new(content);
            return match reader.element() {
                Ok(element) if element.tag == Tag::Set && reader.is_empty() => {
                    Err(Error::Untrusted(Distrust::AmbiguousContent))
                }
                _ => Ok(content),
            };
        };
        // The digest in the message is a claim; the one that counts is our own.
        let digest = Digest::of(digest_algorithm, content);
        if !crypto::constant_time_eq(digest.as_bytes(), &attributes.message_digest) {
            return Err(Error::Untrusted(Distrust::ContentDigest));
        }
        Ok(&attributes.der)
    }
}

impl VerifiedSigner {
    /// How the message names the signer's certificate.
    pub fn id(&self) -> &SignerId {
        &self.id
    }

    /// The signer's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.chain[0]
    }

    /// The signer's subject.
    pub fn subject(&self) -> &Name {
        self.certificate().subject()
    }

    /// The key that signed.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The certificates from the signer's to the anchor.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The certificate of the signer's issuer, whose key identifier is to be pinned (RFC 8520, section 16); the
    /// signer's own when that is the anchor.
    pub fn issuer(&self) -> &Certificate {
        self.chain.get(1).unwrap_or_else(|| self.certificate())
    }

    /// The operator's certificate that all this rests on.
    pub fn anchor(&self) -> &Certificate {
        self.chain.last().unwrap_or_else(|| self.certificate())
    }

    /// When the signer claims to have signed, in seconds since 1970.
    pub fn signing_time(&self) -> Option<i64> {
        self.signing_time
    }

    /// The other signers of the message, in their order.
    pub fn others(&self) -> &[OtherSigner] {
        &self.others
    }
}

/// The hash function that goes with a signature (RFC 5754, section 3; RFC 8419, section 3; RFC 9708, section 5).
pub(super) const fn digest_algorithm_of(algorithm: SignatureAlgorithm) -> HashAlgorithm {
    match algorithm {
        SignatureAlgorithm::Es256 | SignatureAlgorithm::HssLms => HashAlgorithm::Sha256,
        SignatureAlgorithm::Es384 => HashAlgorithm::Sha384,
        SignatureAlgorithm::Ed25519 => HashAlgorithm::Sha512,
    }
}

/// Checks that a certificate's key may sign documents.
///
/// RFC 8520, section 13.2, wants digitalSignature to be stated. It names no extended key usage; where there is one,
/// it binds (RFC 5280, section 4.2.1.12), so that a web server's key signs no policies.
pub(super) fn check_may_sign(certificate: &Certificate) -> Result<(), Error> {
    if !certificate.key_usage().is_some_and(|usage| usage.contains(KeyUsage::DIGITAL_SIGNATURE)) {
        return Err(Error::Untrusted(Distrust::NoDigitalSignature));
    }
    let fits = [
        oids::ANY_EXTENDED_KEY_USAGE,
        oids::KP_EMAIL_PROTECTION,
        oids::KP_CODE_SIGNING,
        oids::KP_DOCUMENT_SIGNING,
    ];
    match certificate.extended_key_usage() {
        Some(purposes) if !purposes.iter().any(|purpose| fits.contains(purpose)) => {
            Err(Error::Untrusted(Distrust::ExtendedKeyUsage))
        }
        _ => Ok(()),
    }
}
