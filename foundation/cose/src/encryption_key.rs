use alloc::vec::Vec;

use cbor::Writer;
use crypto::{
    AgreementCurve, AgreementKey, AgreementPublicKey, KeyWrapAlgorithm, KeyWrapKey, SharedSecret, Zeroizing,
};

use crate::key::{Members, missing};
use crate::{Distrust, Error, Feature, labels};

/// How the key of a content reaches a recipient (RFC 9053, sections 6.2.1 and 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientAlgorithm {
    /// Wrapped with a key that both have: A128KW, A192KW, A256KW.
    KeyWrap(KeyWrapAlgorithm),
    /// Wrapped with a key agreed by the recipient's static and the sender's ephemeral key on P-256: ECDH-ES+A128KW,
    /// ECDH-ES+A192KW, ECDH-ES+A256KW.
    Agreement(KeyWrapAlgorithm),
}

impl RecipientAlgorithm {
    /// Number in the COSE Algorithms registry.
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::KeyWrap(wrap) => wrap.cose_id(),
            Self::Agreement(KeyWrapAlgorithm::A128Kw) => labels::ECDH_ES_A128KW,
            Self::Agreement(KeyWrapAlgorithm::A192Kw) => labels::ECDH_ES_A192KW,
            Self::Agreement(KeyWrapAlgorithm::A256Kw) => labels::ECDH_ES_A256KW,
        }
    }

    /// The algorithm with this number in the COSE Algorithms registry.
    pub fn from_cose_id(id: i64) -> Option<Self> {
        KeyWrapAlgorithm::ALL
            .into_iter()
            .flat_map(|wrap| [Self::KeyWrap(wrap), Self::Agreement(wrap)])
            .find(|algorithm| algorithm.cose_id() == id)
    }

    /// The key wrap that comes last.
    pub const fn key_wrap(self) -> KeyWrapAlgorithm {
        match self {
            Self::KeyWrap(wrap) | Self::Agreement(wrap) => wrap,
        }
    }
}

/// The keys of a recipient, wherever they are: in memory ([`DecryptionKeys`]) or in a security module.
///
/// Keys are numbered from zero. A key does one thing: it has one algorithm, and what it is for is not signing.
pub trait KeyStore {
    /// How many keys there are.
    fn count(&self) -> usize;

    /// The algorithm of a key, and its identifier; empty for a key that is tried whatever identifier a message names.
    fn describe(&self, key: usize) -> Option<(RecipientAlgorithm, &[u8])>;

    /// Unwraps with a key whose algorithm is key wrap; [`crypto::Error::BadWrappedKey`] when it was not wrapped with it.
    fn unwrap(&self, key: usize, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, crypto::Error>;

    /// Agrees with a key whose algorithm is agreement.
    fn agree(&self, key: usize, peer: &AgreementPublicKey) -> Result<SharedSecret, crypto::Error>;
}

/// A private or shared key that decrypts, and nothing else. It cannot be cloned or shown, and is erased when dropped.
#[derive(Debug)]
pub struct DecryptionKey {
    kid: Vec<u8>,
    secret: Secret,
}

#[derive(Debug)]
enum Secret {
    KeyWrap(KeyWrapKey),
    Agreement(AgreementKey, KeyWrapAlgorithm),
}

impl DecryptionKey {
    /// A key-encryption key shared with the sender: of one device or of a group.
    pub fn key_wrap(key: KeyWrapKey, kid: &[u8]) -> Self {
        Self { kid: kid.to_vec(), secret: Secret::KeyWrap(key) }
    }

    /// A static private key on P-256, for one algorithm.
    pub fn agreement(key: AgreementKey, wrap: KeyWrapAlgorithm, kid: &[u8]) -> Result<Self, Error> {
        check_curve(key.curve())?;
        Ok(Self { kid: kid.to_vec(), secret: Secret::Agreement(key, wrap) })
    }

    /// Reads a COSE_Key of type symmetric, or a private one of type EC2 on P-256 (RFC 9052, section 7).
    ///
    /// It must name its algorithm; if it lists operations, unwrapping or deriving keys must be among them.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let members = Members::decode(bytes)?;
        let kid = members.kid.unwrap_or_default().to_vec();
        let secret = match algorithm(&members)? {
            RecipientAlgorithm::KeyWrap(wrap) => {
                Secret::KeyWrap(key_wrap(&members, wrap, &[labels::OP_UNWRAP])?)
            }
            RecipientAlgorithm::Agreement(wrap) => {
                members.check_operations(&[labels::OP_DERIVE_KEY, labels::OP_DERIVE_BITS])?;
                let d = members.d()?.ok_or_else(|| missing(labels::KEY_D))?;
                let key = AgreementKey::from_bytes(AgreementCurve::P256, d).map_err(|_| Distrust::BadKey)?;
                if public(&members)?.is_some_and(|public| public != *key.public_key()) {
                    return Err(Distrust::BadKey.into());
                }
                Secret::Agreement(key, wrap)
            }
        };
        Ok(Self { kid, secret })
    }

    /// The key in deterministic encoding, its secret included.
    pub fn encode_secret(&self) -> Zeroizing<Vec<u8>> {
        let algorithm = self.algorithm();
        Zeroizing::new(match &self.secret {
            Secret::KeyWrap(key) => write_symmetric(&self.kid, algorithm, &key.secret_bytes()),
            Secret::Agreement(key, _) => {
                write_ec2(&self.kid, algorithm, key.public_key(), Some(&key.secret_bytes()))
            }
        })
    }

    /// What a sender needs to encrypt to this key. For a shared key that is the same secret.
    pub fn recipient_key(&self) -> Result<RecipientKey, Error> {
        let key = match &self.secret {
            Secret::KeyWrap(key) => {
                Recipient::KeyWrap(KeyWrapKey::from_bytes(key.algorithm(), &key.secret_bytes())?)
            }
            Secret::Agreement(key, wrap) => Recipient::Agreement(key.public_key().clone(), *wrap),
        };
        Ok(RecipientKey { kid: self.kid.clone(), key })
    }

    /// Key identifier; empty for none.
    pub fn kid(&self) -> &[u8] {
        &self.kid
    }

    /// The one algorithm that the key is for.
    pub fn algorithm(&self) -> RecipientAlgorithm {
        match &self.secret {
            Secret::KeyWrap(key) => RecipientAlgorithm::KeyWrap(key.algorithm()),
            Secret::Agreement(_, wrap) => RecipientAlgorithm::Agreement(*wrap),
        }
    }
}

/// Keys in memory.
#[derive(Debug, Default)]
pub struct DecryptionKeys(Vec<DecryptionKey>);

impl DecryptionKeys {
    /// A store of these keys.
    pub fn new(keys: Vec<DecryptionKey>) -> Self {
        Self(keys)
    }

    /// Adds a key.
    pub fn push(&mut self, key: DecryptionKey) {
        self.0.push(key);
    }
}

impl KeyStore for DecryptionKeys {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn describe(&self, key: usize) -> Option<(RecipientAlgorithm, &[u8])> {
        self.0.get(key).map(|key| (key.algorithm(), key.kid()))
    }

    fn unwrap(&self, key: usize, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, crypto::Error> {
        match self.0.get(key).map(|key| &key.secret) {
            Some(Secret::KeyWrap(key)) => key.unwrap(wrapped),
            _ => Err(crypto::Error::WrongKeyType),
        }
    }

    fn agree(&self, key: usize, peer: &AgreementPublicKey) -> Result<SharedSecret, crypto::Error> {
        match self.0.get(key).map(|key| &key.secret) {
            Some(Secret::Agreement(key, _)) => key.agree(peer),
            _ => Err(crypto::Error::WrongKeyType),
        }
    }
}

/// What a sender knows of a recipient: a public key, or a key shared with a group. It encrypts, and nothing else.
#[derive(Debug)]
pub struct RecipientKey {
    pub(crate) kid: Vec<u8>,
    pub(crate) key: Recipient,
}

#[derive(Debug)]
pub(crate) enum Recipient {
    KeyWrap(KeyWrapKey),
    Agreement(AgreementPublicKey, KeyWrapAlgorithm),
}

impl RecipientKey {
    /// A key-encryption key shared with the recipient; an empty identifier is left out of messages.
    pub fn key_wrap(key: KeyWrapKey, kid: &[u8]) -> Self {
        Self { kid: kid.to_vec(), key: Recipient::KeyWrap(key) }
    }

    /// A recipient's public key on P-256, for one algorithm; an empty identifier is left out of messages.
    pub fn agreement(key: AgreementPublicKey, wrap: KeyWrapAlgorithm, kid: &[u8]) -> Result<Self, Error> {
        check_curve(key.curve())?;
        Ok(Self { kid: kid.to_vec(), key: Recipient::Agreement(key, wrap) })
    }

    /// Reads a COSE_Key of type symmetric, or of type EC2 on P-256, which must name its algorithm.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let members = Members::decode(bytes)?;
        let kid = members.kid.unwrap_or_default().to_vec();
        let key = match algorithm(&members)? {
            RecipientAlgorithm::KeyWrap(wrap) => {
                Recipient::KeyWrap(key_wrap(&members, wrap, &[labels::OP_WRAP])?)
            }
            RecipientAlgorithm::Agreement(wrap) => {
                let public = public(&members)?.ok_or_else(|| missing(labels::KEY_X))?;
                Recipient::Agreement(public, wrap)
            }
        };
        Ok(Self { kid, key })
    }

    /// The key in deterministic encoding; for a shared key that is the secret.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match &self.key {
            Recipient::KeyWrap(key) => write_symmetric(&self.kid, self.algorithm(), &key.secret_bytes()),
            Recipient::Agreement(key, _) => write_ec2(&self.kid, self.algorithm(), key, None),
        })
    }

    /// Key identifier; empty for none.
    pub fn kid(&self) -> &[u8] {
        &self.kid
    }

    /// The one algorithm that the key is for.
    pub fn algorithm(&self) -> RecipientAlgorithm {
        match &self.key {
            Recipient::KeyWrap(key) => RecipientAlgorithm::KeyWrap(key.algorithm()),
            Recipient::Agreement(_, wrap) => RecipientAlgorithm::Agreement(*wrap),
        }
    }
}

/// The algorithm the key names, which fits its type.
fn algorithm(members: &Members<'_>) -> Result<RecipientAlgorithm, Error> {
    let expected = match members.kty {
        labels::KTY_SYMMETRIC | labels::KTY_EC2 => members.kty,
        kty => return Err(Feature::KeyType(kty).into()),
    };
    let id = members.alg.ok_or(Distrust::KeyUse)?;
    let algorithm = RecipientAlgorithm::from_cose_id(id).ok_or(Feature::Algorithm(id))?;
    let fits = match algorithm {
        RecipientAlgorithm::KeyWrap(_) => expected == labels::KTY_SYMMETRIC,
        RecipientAlgorithm::Agreement(_) => expected == labels::KTY_EC2,
    };
    if fits { Ok(algorithm) } else { Err(Distrust::KeyUse.into()) }
}

fn key_wrap(members: &Members<'_>, wrap: KeyWrapAlgorithm, operations: &[i64]) -> Result<KeyWrapKey, Error> {
    members.check_operations(operations)?;
    KeyWrapKey::from_bytes(wrap, members.k()?).map_err(|_| Distrust::BadKey.into())
}

/// Content keys are agreed on P-256 only: it is what every profile of SUIT names.
fn check_curve(curve: AgreementCurve) -> Result<(), Error> {
    if curve == AgreementCurve::P256 { Ok(()) } else { Err(crypto::Error::WrongKeyType.into()) }
}

/// The public key that the members state.
pub(crate) fn public(members: &Members<'_>) -> Result<Option<AgreementPublicKey>, Error> {
    let Some((x, y)) = members.p256()? else { return Ok(None) };
    AgreementPublicKey::from_ec2(AgreementCurve::P256, x, y).map(Some).map_err(|_| Distrust::BadKey.into())
}

fn write_symmetric(kid: &[u8], algorithm: RecipientAlgorithm, key: &[u8]) -> Vec<u8> {
    // The secret is the last member, so that no growing of the buffer copies it.
    Writer::encode(|w| {
        w.map(3 + usize::from(!kid.is_empty())).int(labels::KEY_KTY).int(labels::KTY_SYMMETRIC);
        write_kid(w, kid);
        w.int(labels::KEY_ALG).int(algorithm.cose_id()).int(labels::KEY_K).bytes(key);
    })
}

fn write_ec2(
    kid: &[u8],
    algorithm: RecipientAlgorithm,
    public: &AgreementPublicKey,
    secret: Option<&[u8]>,
) -> Vec<u8> {
    let (x, y) = public.coordinates();
    Writer::encode(|w| {
        let optional = usize::from(!kid.is_empty()) + usize::from(secret.is_some());
        w.map(5 + optional).int(labels::KEY_KTY).int(labels::KTY_EC2);
        write_kid(w, kid);
        w.int(labels::KEY_ALG).int(algorithm.cose_id());
        w.int(labels::KEY_CRV).int(labels::CRV_P256);
        w.int(labels::KEY_X).bytes(x).int(labels::KEY_Y).bytes(y);
        if let Some(secret) = secret {
            w.int(labels::KEY_D).bytes(secret);
        }
    })
}

fn write_kid(writer: &mut Writer, kid: &[u8]) {
    if !kid.is_empty() {
        writer.int(labels::KEY_KID).bytes(kid);
    }
}
