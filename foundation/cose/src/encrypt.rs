use alloc::vec::Vec;

use cbor::lean::Reader;
use crypto::{ContentAlgorithm, ContentKey, Decryptor, Zeroizing};

use crate::content::Content;
use crate::error::Fault;
use crate::message::{decode, one_payload};
use crate::recipient::unwrap_content_key;
use crate::structure::{ENCRYPT, ENCRYPT0};
use crate::{Distrust, Error, Headers, KeyStore, Recipient, labels};

/// How many recipients a message may have.
pub const MAX_RECIPIENTS: usize = 64;

/// COSE_Encrypt (RFC 9052, section 5.1): content for several recipients, well-formed and trusted by nobody.
///
/// Decryption says that the sender knew a key, which for agreement everybody does: who sent the content is for a
/// signature to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypt<'b> {
    content: Content<'b>,
    recipients: Vec<Recipient<'b>>,
}

impl<'b> Encrypt<'b> {
    /// Reads a message under its tag 96.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, Some(labels::TAG_ENCRYPT), Self::read)
    }

    /// Reads a message without its tag, where the context says what it is.
    pub fn decode_untagged(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, None, Self::read)
    }

    /// The header parameters of the content.
    pub fn headers(&self) -> &Headers<'b> {
        &self.content.headers
    }

    /// The algorithm of the content.
    pub fn algorithm(&self) -> ContentAlgorithm {
        self.content.algorithm
    }

    /// Who can open it.
    pub fn recipients(&self) -> &[Recipient<'b>] {
        &self.recipients
    }

    /// The ciphertext, unless it is detached.
    pub fn ciphertext(&self) -> Option<&'b [u8]> {
        self.content.ciphertext
    }

    /// Begins to decrypt with the first key of the store that unwraps the content key.
    ///
    /// `other` is SuppPubInfo.other (RFC 9053, section 5.2), which the protocol fixes and which binds an agreed key to
    /// its use: `SUIT Payload Encryption` for SUIT; empty where the protocol has none.
    pub fn open(&self, keys: &dyn KeyStore, external_aad: &[u8], other: &[u8]) -> Result<Decryptor, Error> {
        self.content.open(&self.content_key(keys, other)?, ENCRYPT, external_aad)
    }

    /// Decrypts in one piece, and gives nothing away before the tag was checked. `detached` is the ciphertext exactly
    /// when the message carries none.
    pub fn decrypt(
        &self,
        keys: &dyn KeyStore,
        detached: Option<&[u8]>,
        external_aad: &[u8],
        other: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let ciphertext = one_payload(self.content.ciphertext, detached)?;
        self.content.decrypt(&self.content_key(keys, other)?, ENCRYPT, external_aad, ciphertext)
    }

    fn content_key(&self, keys: &dyn KeyStore, other: &[u8]) -> Result<ContentKey, Error> {
        let key = unwrap_content_key(&self.recipients, keys, other)?;
        ContentKey::from_bytes(self.content.algorithm, &key).map_err(|_| Distrust::BadContentKey.into())
    }

    fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        reader.array_of(4)?;
        let content = Content::read(reader, &ContentAlgorithm::IN_PIECES)?;
        let at = reader.position();
        let recipients = match reader.array()? {
            0 => return Err(Fault::rule(at, "message has no recipient")),
            count if count > MAX_RECIPIENTS => {
                return Err(Fault::too_long(at, MAX_RECIPIENTS));
            }
            count => (0..count).map(|_| Recipient::read(reader)).collect::<Result<_, _>>()?,
        };
        Ok(Self { content, recipients })
    }
}

/// COSE_Encrypt0 (RFC 9052, section 5.2): content for who has its key, well-formed and trusted by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encrypt0<'b> {
    content: Content<'b>,
}

impl<'b> Encrypt0<'b> {
    /// Reads a message under its tag 16.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, Some(labels::TAG_ENCRYPT0), Self::read)
    }

    /// Reads a message without its tag, where the context says what it is.
    pub fn decode_untagged(bytes: &'b [u8]) -> Result<Self, Error> {
        decode(bytes, None, Self::read)
    }

    /// The header parameters.
    pub fn headers(&self) -> &Headers<'b> {
        &self.content.headers
    }

    /// The algorithm of the content.
    pub fn algorithm(&self) -> ContentAlgorithm {
        self.content.algorithm
    }

    /// Key identifier, from either bucket: a hint.
    pub fn kid(&self) -> Option<&'b [u8]> {
        self.content.headers.kid()
    }

    /// The ciphertext, unless it is detached.
    pub fn ciphertext(&self) -> Option<&'b [u8]> {
        self.content.ciphertext
    }

    /// Begins to decrypt. The algorithm must be the key's, and one that decrypts piece by piece.
    pub fn open(&self, key: &ContentKey, external_aad: &[u8]) -> Result<Decryptor, Error> {
        self.check_key(key)?;
        self.content.open(key, ENCRYPT0, external_aad)
    }

    /// Decrypts in one piece, and gives nothing away before the tag was checked. `detached` is the ciphertext exactly
    /// when the message carries none.
    pub fn decrypt(
        &self,
        key: &ContentKey,
        detached: Option<&[u8]>,
        external_aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let ciphertext = one_payload(self.content.ciphertext, detached)?;
        self.check_key(key)?;
        self.content.decrypt(key, ENCRYPT0, external_aad, ciphertext)
    }

    fn check_key(&self, key: &ContentKey) -> Result<(), Error> {
        if key.algorithm() == self.content.algorithm {
            Ok(())
        } else {
            Err(Distrust::WrongAlgorithm(self.content.algorithm.cose_id()).into())
        }
    }

    fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        reader.array_of(3)?;
        Ok(Self { content: Content::read(reader, &ContentAlgorithm::ALL)? })
    }
}
