use alloc::vec;
use alloc::vec::Vec;

use cbor::Writer;
use crypto::{ContentAlgorithm, ContentKey, Encryptor};

use crate::builder::write_payload;
use crate::content::authenticated;
use crate::structure::{ENCRYPT, ENCRYPT0};
use crate::{Error, MAX_RECIPIENTS, RecipientKey, labels, recipient};

/// Makes COSE_Encrypt messages (RFC 9052, section 5.1), tagged, each with a fresh content key and initialisation vector.
#[derive(Clone, Debug)]
pub struct EncryptBuilder<'k> {
    algorithm: ContentAlgorithm,
    recipients: Vec<&'k RecipientKey>,
    external_aad: Vec<u8>,
    other: Vec<u8>,
    salt: Vec<u8>,
}

impl<'k> EncryptBuilder<'k> {
    /// A message without recipients yet.
    pub fn new(algorithm: ContentAlgorithm) -> Self {
        let (recipients, external_aad, other, salt) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { algorithm, recipients, external_aad, other, salt }
    }

    /// One more recipient: a device by its public key, or a group by the key it shares.
    #[must_use]
    pub fn recipient(mut self, key: &'k RecipientKey) -> Self {
        self.recipients.push(key);
        self
    }

    /// Data that is authenticated and not carried (RFC 9052, section 5.3).
    #[must_use]
    pub fn external_aad(mut self, external_aad: &[u8]) -> Self {
        self.external_aad = external_aad.to_vec();
        self
    }

    /// SuppPubInfo.other (RFC 9053, section 5.2): what binds agreed keys to the protocol.
    #[must_use]
    pub fn other(mut self, other: &[u8]) -> Self {
        self.other = other.to_vec();
        self
    }

    /// Salt of the key derivation, for recipients by agreement (RFC 9053, section 5.1).
    #[must_use]
    pub fn salt(mut self, salt: &[u8]) -> Self {
        self.salt = salt.to_vec();
        self
    }

    /// A message that carries its ciphertext. `fill` overwrites a slice with random bytes.
    pub fn encrypt(&self, plaintext: &[u8], fill: &mut dyn FnMut(&mut [u8])) -> Result<Vec<u8>, Error> {
        let fresh = Fresh::new(self.algorithm, fill)?;
        let protected = protected(self.algorithm);
        let aad = authenticated(self.algorithm, ENCRYPT, &protected, &self.external_aad);
        let ciphertext = fresh.key.encrypt(&fresh.iv, &aad, plaintext)?;
        self.write(&fresh, &protected, Some(&ciphertext), fill)
    }

    /// A message whose ciphertext is carried apart, and the ciphertext.
    pub fn encrypt_detached(
        &self,
        plaintext: &[u8],
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let (message, mut encryptor) = self.begin_detached(fill)?;
        let mut ciphertext = vec![0; plaintext.len()];
        encryptor.update(plaintext, &mut ciphertext)?;
        ciphertext.extend_from_slice(&encryptor.finish());
        Ok((message, ciphertext))
    }

    /// A message whose ciphertext is carried apart and made piece by piece.
    pub fn begin_detached(&self, fill: &mut dyn FnMut(&mut [u8])) -> Result<(Vec<u8>, Encryptor), Error> {
        let fresh = Fresh::new(self.algorithm, fill)?;
        let protected = protected(self.algorithm);
        let aad = authenticated(self.algorithm, ENCRYPT, &protected, &self.external_aad);
        let encryptor = fresh.key.encryptor(&fresh.iv, &aad)?;
        Ok((self.write(&fresh, &protected, None, fill)?, encryptor))
    }

    fn write(
        &self,
        fresh: &Fresh,
        protected: &[u8],
        ciphertext: Option<&[u8]>,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Vec<u8>, Error> {
        if !(1..=MAX_RECIPIENTS).contains(&self.recipients.len()) {
            return Err(Error::Recipients);
        }
        let mut w = Writer::new();
        w.tag(labels::TAG_ENCRYPT).array(4).bytes(protected);
        write_unprotected(&mut w, self.algorithm, None, &fresh.iv);
        write_payload(&mut w, ciphertext);
        w.array(self.recipients.len());
        for key in &self.recipients {
            recipient::write(&mut w, key, &self.salt, &fresh.key, &self.other, fill)?;
        }
        Ok(w.into_bytes())
    }
}

/// Makes COSE_Encrypt0 messages (RFC 9052, section 5.2), tagged unless told otherwise, each with a fresh initialisation vector.
#[derive(Clone, Debug, Default)]
pub struct Encrypt0Builder {
    kid: Option<Vec<u8>>,
    external_aad: Vec<u8>,
    untagged: bool,
}

impl Encrypt0Builder {
    /// A message without header parameters but the algorithm and the initialisation vector.
    pub fn new() -> Self {
        Self::default()
    }

    /// Key identifier, unprotected.
    #[must_use]
    pub fn kid(mut self, kid: &[u8]) -> Self {
        self.kid = Some(kid.to_vec());
        self
    }

    /// Data that is authenticated and not carried (RFC 9052, section 5.3).
    #[must_use]
    pub fn external_aad(mut self, external_aad: &[u8]) -> Self {
        self.external_aad = external_aad.to_vec();
        self
    }

    /// Leaves the tag out, where the context says what the message is.
    #[must_use]
    pub fn untagged(mut self) -> Self {
        self.untagged = true;
        self
    }

    /// A message that carries its ciphertext. `fill` overwrites a slice with random bytes.
    pub fn encrypt(
        &self,
        key: &ContentKey,
        plaintext: &[u8],
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Vec<u8>, Error> {
        let algorithm = key.algorithm();
        let mut iv = vec![0; algorithm.iv_len()];
        fill(&mut iv);
        let protected = protected(algorithm);
        let aad = authenticated(algorithm, ENCRYPT0, &protected, &self.external_aad);
        let ciphertext = key.encrypt(&iv, &aad, plaintext)?;
        Ok(Writer::encode(|w| {
            if !self.untagged {
                w.tag(labels::TAG_ENCRYPT0);
            }
            w.array(3).bytes(&protected);
            write_unprotected(w, algorithm, self.kid.as_deref(), &iv);
            w.bytes(&ciphertext);
        }))
    }
}

/// What no other message has.
struct Fresh {
    key: ContentKey,
    iv: Vec<u8>,
}

impl Fresh {
    /// For several recipients; devices among them may have no room for all of the content, so that its algorithm works
    /// piece by piece.
    fn new(algorithm: ContentAlgorithm, fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Error> {
        if !algorithm.is_in_pieces() {
            return Err(crypto::Error::NotInPieces.into());
        }
        let key = ContentKey::generate(algorithm, fill)?;
        let mut iv = vec![0; algorithm.iv_len()];
        fill(&mut iv);
        Ok(Self { key, iv })
    }
}

/// The protected bucket: the algorithm where it authenticates, and else nothing (RFC 9459, section 4).
fn protected(algorithm: ContentAlgorithm) -> Vec<u8> {
    if !algorithm.is_authenticated() {
        return Vec::new();
    }
    Writer::encode(|w| {
        w.map(1).int(labels::ALG).int(algorithm.cose_id());
    })
}

fn write_unprotected(writer: &mut Writer, algorithm: ContentAlgorithm, kid: Option<&[u8]>, iv: &[u8]) {
    let optional = usize::from(!algorithm.is_authenticated()) + usize::from(kid.is_some());
    writer.map(1 + optional);
    if !algorithm.is_authenticated() {
        writer.int(labels::ALG).int(algorithm.cose_id());
    }
    if let Some(kid) = kid {
        writer.int(labels::KID).bytes(kid);
    }
    writer.int(labels::IV).bytes(iv);
}
