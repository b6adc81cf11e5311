use alloc::vec;
use alloc::vec::Vec;

use cbor::{Writer, lean::Reader};
use crypto::{
    AgreementCurve, AgreementKey, AgreementPublicKey, ContentKey, KeyWrapAlgorithm, KeyWrapKey, SharedSecret,
    Zeroizing,
};

use crate::encryption_key::{Recipient as Key, public};
use crate::error::Fault;
use crate::key::{Members, missing};
use crate::structure::as_authenticated;
use crate::{Distrust, Error, Feature, Headers, KeyStore, RecipientAlgorithm, RecipientKey, labels};

/// How many keys are tried on the recipients of one message.
pub const MAX_DECRYPTION_TRIES: usize = 16;

/// COSE_recipient (RFC 9052, section 5.1): a content key, wrapped for one device or one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient<'b> {
    headers: Headers<'b>,
    /// `None` for an algorithm that this crate does not implement: others may still open the message.
    algorithm: Option<RecipientAlgorithm>,
    id: i64,
    ephemeral: Option<AgreementPublicKey>,
    salt: &'b [u8],
    wrapped: &'b [u8],
}

impl<'b> Recipient<'b> {
    /// The header parameters.
    pub fn headers(&self) -> &Headers<'b> {
        &self.headers
    }

    /// COSE number of the algorithm.
    pub fn alg(&self) -> i64 {
        self.id
    }

    /// Key identifier: a hint.
    pub fn kid(&self) -> Option<&'b [u8]> {
        self.headers.kid()
    }

    pub(crate) fn read(reader: &mut Reader<'b>) -> Result<Self, Fault> {
        let at = reader.position();
        match reader.array()? {
            3 => {}
            4 => return Err(Feature::NestedRecipients.into()),
            _ => return Err(Fault::rule(at, "recipient has neither three nor four items")),
        }
        let headers = Headers::read(reader, &[labels::EPHEMERAL_KEY, labels::SALT])?;
        let wrapped_at = reader.position();
        let wrapped = if reader.is_null()? { &[][..] } else { reader.bytes()? };
        let (id, protected) = headers.algorithm().ok_or_else(|| missing(labels::ALG))?;
        let algorithm = RecipientAlgorithm::from_cose_id(id);
        let mut ephemeral = None;
        let mut salt = &[][..];
        match algorithm {
            None => {}
            // RFC 9053, section 6.2.1: key wrap authenticates nothing, so nothing may claim to be.
            Some(RecipientAlgorithm::KeyWrap(_)) if !headers.protected().is_empty() => {
                return Err(Fault::rule(at, "protected header of a key wrap recipient is not empty"));
            }
            Some(RecipientAlgorithm::KeyWrap(_)) => {}
            Some(RecipientAlgorithm::Agreement(_)) if !protected => {
                return Err(Distrust::AlgorithmNotProtected.into());
            }
            Some(RecipientAlgorithm::Agreement(_)) => {
                if let Some(party) =
                    labels::PARTY_INFO.into_iter().find(|label| headers.get(*label).is_some())
                {
                    return Err(Feature::Header(party).into());
                }
                let key = headers.get(labels::EPHEMERAL_KEY).ok_or_else(|| missing(labels::EPHEMERAL_KEY))?;
                ephemeral = Some(read_ephemeral(key)?);
                salt = headers.bytes(labels::SALT)?.map(|(salt, _)| salt).unwrap_or_default();
            }
        }
        if algorithm.is_some() && wrapped.is_empty() {
            return Err(Fault::rule(wrapped_at, "recipient carries no wrapped key"));
        }
        Ok(Self { headers, algorithm, id, ephemeral, salt, wrapped })
    }

    /// Unwraps the content key with one key of the store.
    fn unwrap(
        &self,
        keys: &dyn KeyStore,
        key: usize,
        other: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, crypto::Error> {
        match (self.algorithm, &self.ephemeral) {
            (Some(RecipientAlgorithm::KeyWrap(_)), _) => keys.unwrap(key, self.wrapped),
            (Some(RecipientAlgorithm::Agreement(wrap)), Some(ephemeral)) => {
                let shared = keys.agree(key, ephemeral)?;
                let protected = as_authenticated(self.headers.protected_raw());
                derive(&shared, wrap, self.salt, protected, other)?.unwrap(self.wrapped)
            }
            _ => Err(crypto::Error::WrongKeyType),
        }
    }
}

/// The content key, from the first recipient that a key of the store opens; at most so many are tried.
pub(crate) fn unwrap_content_key(
    recipients: &[Recipient<'_>],
    keys: &dyn KeyStore,
    other: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut refusal = Error::from(Distrust::NoKey);
    let mut tried = 0;
    for recipient in recipients {
        let Some(algorithm) = recipient.algorithm else {
            if tried == 0 {
                refusal = Feature::Algorithm(recipient.id).into();
            }
            continue;
        };
        for key in 0..keys.count() {
            let Some((own, kid)) = keys.describe(key) else { continue };
            if recipient.kid().is_some_and(|named| !kid.is_empty() && kid != named) {
                continue;
            }
            // A key of another algorithm costs nothing to pass over.
            if own != algorithm {
                if tried == 0 {
                    refusal = Distrust::WrongAlgorithm(recipient.id).into();
                }
                continue;
            }
            if tried == MAX_DECRYPTION_TRIES {
                return Err(Distrust::TooManyKeys.into());
            }
            tried += 1;
            match recipient.unwrap(keys, key, other) {
                Ok(content_key) => return Ok(content_key),
                Err(crypto::Error::BadWrappedKey) => refusal = Distrust::BadWrappedKey.into(),
                Err(error) => refusal = error.into(),
            }
        }
    }
    Err(refusal)
}

/// Wraps a content key for a recipient and writes the COSE_recipient.
pub(crate) fn write(
    writer: &mut Writer,
    recipient: &RecipientKey,
    salt: &[u8],
    content_key: &ContentKey,
    other: &[u8],
    fill: &mut dyn FnMut(&mut [u8]),
) -> Result<(), Error> {
    let content_key = content_key.secret_bytes();
    let kid = recipient.kid();
    match &recipient.key {
        Key::KeyWrap(key) => {
            let wrapped = key.wrap(&content_key)?;
            writer.array(3).bytes(&[]).map(1 + usize::from(!kid.is_empty()));
            writer.int(labels::ALG).int(key.algorithm().cose_id());
            write_kid(writer, kid);
            writer.bytes(&wrapped);
        }
        Key::Agreement(public, wrap) => {
            let ephemeral = AgreementKey::generate(AgreementCurve::P256, fill)?;
            let protected = Writer::encode(|w| {
                w.map(1).int(labels::ALG).int(recipient.algorithm().cose_id());
            });
            let shared = ephemeral.agree(public)?;
            let wrapped = derive(&shared, *wrap, salt, &protected, other)?.wrap(&content_key)?;
            let (x, y) = ephemeral.public_key().coordinates();
            let optional = usize::from(!kid.is_empty()) + usize::from(!salt.is_empty());
            writer.array(3).bytes(&protected).map(1 + optional);
            write_kid(writer, kid);
            writer.int(labels::EPHEMERAL_KEY);
            writer.map(4).int(labels::KEY_KTY).int(labels::KTY_EC2);
            writer.int(labels::KEY_CRV).int(labels::CRV_P256);
            writer.int(labels::KEY_X).bytes(x).int(labels::KEY_Y).bytes(y);
            if !salt.is_empty() {
                writer.int(labels::SALT).bytes(salt);
            }
            writer.bytes(&wrapped);
        }
    }
    Ok(())
}

fn write_kid(writer: &mut Writer, kid: &[u8]) {
    if !kid.is_empty() {
        writer.int(labels::KID).bytes(kid);
    }
}

/// An ephemeral key is public, on P-256, and names no other algorithm than agreement.
fn read_ephemeral(key: &[u8]) -> Result<AgreementPublicKey, Error> {
    let members = Members::decode(key)?;
    if members.kty != labels::KTY_EC2 {
        return Err(Feature::KeyType(members.kty).into());
    }
    if members.alg.is_some_and(|alg| {
        !matches!(RecipientAlgorithm::from_cose_id(alg), Some(RecipientAlgorithm::Agreement(_)))
    }) {
        return Err(Distrust::KeyUse.into());
    }
    public(&members)?.ok_or_else(|| missing(labels::KEY_X))
}

/// The key-encryption key that both derive from the shared secret (RFC 9053, sections 5.1 and 5.2).
fn derive(
    shared: &SharedSecret,
    wrap: KeyWrapAlgorithm,
    salt: &[u8],
    protected: &[u8],
    other: &[u8],
) -> Result<KeyWrapKey, crypto::Error> {
    let context = Writer::encode(|w| {
        w.array(4).int(wrap.cose_id());
        for _party in 0..2 {
            w.array(3).null().null().null();
        }
        let key_bits = 8 * wrap.key_len() as u64;
        w.array(2 + usize::from(!other.is_empty())).uint(key_bits).bytes(protected);
        if !other.is_empty() {
            w.bytes(other);
        }
    });
    let mut key = Zeroizing::new(vec![0; wrap.key_len()]);
    shared.derive(salt, &context, &mut key)?;
    KeyWrapKey::from_bytes(wrap, &key)
}
