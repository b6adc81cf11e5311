use alloc::vec::Vec;

use cbor::{Order, Reader, Reason, Writer};
use cose::{MAX_KEY_LEN, labels as cose_labels};
use crypto::{Digest, HashAlgorithm, RsaPublicKey, SignatureAlgorithm};
use x509::Certificate;

use crate::{Error, Feature, MAX_CERTIFICATES, Misuse, labels};

/// A public key as messages and vouchers carry it (section 3.3.4), kept as received.
///
/// Two are equal when their keys are, whatever the encoding.
#[derive(Clone, Debug)]
pub struct PublicKey {
    encoded: Vec<u8>,
    key_type: KeyType,
    encoding: KeyEncoding,
    key: Key,
}

/// What a key is (`pkType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// RSA of 2048 bits with exponent 65537; RS256.
    Rsa2048Restr,
    /// RSA of any length with PKCS #1 v1.5 padding; RS256 or RS384.
    RsaPkcs,
    /// ECDSA on P-256; ES256.
    Secp256r1,
    /// ECDSA on P-384; ES384.
    Secp384r1,
}

/// How a key is written (`pkEnc`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEncoding {
    /// SubjectPublicKeyInfo in DER.
    X509,
    /// Certificates in DER, the key's own first. They say nothing here: the key is what was signed.
    X5Chain,
    /// COSE_Key.
    CoseKey,
}

/// The key itself.
#[allow(clippy::large_enum_variant, reason = "few at a time, and none of them in a list")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// One of anybody.
    Ec(crypto::PublicKey),
    /// One of an owner or a manufacturer; devices have none.
    Rsa(RsaPublicKey),
}

/// The exponent that RSA2048RESTR is restricted to.
const RESTRICTED_EXPONENT: [u8; 3] = [1, 0, 1];
/// Length in bytes of the modulus that it is restricted to.
const RESTRICTED_MODULUS: usize = 256;

impl Key {
    /// SHA-256 thumbprint (RFC 9679), by which people know it whatever its encoding.
    pub fn thumbprint(&self) -> Digest {
        match self {
            Self::Ec(key) => cose::thumbprint(key, HashAlgorithm::Sha256),
            Self::Rsa(key) => cose::rsa_thumbprint(key, HashAlgorithm::Sha256),
        }
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Self {
        key.clone()
    }
}

impl From<&crypto::PublicKey> for Key {
    fn from(key: &crypto::PublicKey) -> Self {
        Self::Ec(key.clone())
    }
}

impl From<crypto::PublicKey> for Key {
    fn from(key: crypto::PublicKey) -> Self {
        Self::Ec(key)
    }
}

impl From<&RsaPublicKey> for Key {
    fn from(key: &RsaPublicKey) -> Self {
        Self::Rsa(key.clone())
    }
}

impl From<RsaPublicKey> for Key {
    fn from(key: RsaPublicKey) -> Self {
        Self::Rsa(key)
    }
}

impl PublicKey {
    /// The key of somebody who makes or owns devices, written as SubjectPublicKeyInfo or as COSE_Key. The first stands for what
    /// cannot be: of a key there is no chain of certificates to be made ([`PublicKey::of_chain`] has one), and no peer reads
    /// RSA keys as COSE_Key.
    ///
    /// An RSA key is RSA2048RESTR where it may be, and else RSAPKCS.
    pub fn new(key: impl Into<Key>, encoding: KeyEncoding) -> Result<Self, Error> {
        let key = key.into();
        Self::of_type(KeyType::of(&key).ok_or(Misuse::KeyAlgorithm)?, key, encoding)
    }

    /// The key of somebody who has certificates in DER, the key's own first. They say nothing here: whoever takes the key relies
    /// on who hands it over.
    pub fn of_chain(certificates: &[&[u8]]) -> Result<Self, Error> {
        let leaf = certificates.first().ok_or(Misuse::KeyAlgorithm)?;
        let spki = Certificate::decode(leaf)?;
        let spki = spki.public_key_der();
        let key = match RsaPublicKey::from_spki_der(spki) {
            Ok(key) => Key::Rsa(key),
            Err(_) => Key::Ec(crypto::PublicKey::from_spki_der(spki).map_err(|_| Misuse::KeyAlgorithm)?),
        };
        let key_type = KeyType::of(&key).ok_or(Misuse::KeyAlgorithm)?;
        let encoded = encode(key_type, KeyEncoding::X5Chain, |w| {
            w.array(certificates.len());
            certificates.iter().for_each(|der| _ = w.bytes(der));
        });
        let mut reader = Reader::with_order(&encoded, Order::Unique);
        Self::read(&mut reader)
    }

    /// The key as one of a type, which others of the same voucher have.
    pub(crate) fn of_type(key_type: KeyType, key: Key, encoding: KeyEncoding) -> Result<Self, Error> {
        if !key_type.is_of(&key) {
            return Err(KeyType::of(&key).map_or(Misuse::KeyAlgorithm, |_| Misuse::KeyType).into());
        }
        let encoding = match (encoding, &key) {
            (KeyEncoding::CoseKey, Key::Ec(_)) => KeyEncoding::CoseKey,
            _ => KeyEncoding::X509,
        };
        let encoded = encode(key_type, encoding, |w| match &key {
            Key::Ec(key) if encoding == KeyEncoding::CoseKey => write_cose_key(w, key),
            Key::Ec(key) => _ = w.bytes(&key.to_spki_der()),
            Key::Rsa(key) => _ = w.bytes(&key.to_spki_der()),
        });
        Ok(Self { encoded, key_type, encoding, key })
    }

    /// Reads a key; offsets count as those of the reader.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let encoded = reader.clone().raw()?.to_vec();
        let at = reader.position();
        reader.array_of(3)?;
        let key_type = KeyType::from_number(reader.uint()?)?;
        let encoding = KeyEncoding::from_number(reader.uint()?)?;
        let body_at = reader.position();
        let key = match encoding {
            KeyEncoding::X509 => key_of_spki(reader.bytes()?, body_at, key_type)?,
            KeyEncoding::X5Chain => key_of_chain(reader, key_type)?,
            KeyEncoding::CoseKey => read_cose_key(reader, key_type)?,
        };
        if !key_type.is_of(&key) {
            return Err(cbor::Error::rule(at, "key is not of the type it says").into());
        }
        Ok(Self { encoded, key_type, encoding, key })
    }

    /// The encoded array, as received: what a device remembers the hash of.
    pub fn as_bytes(&self) -> &[u8] {
        &self.encoded
    }

    /// What it is.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// How it is written.
    pub fn encoding(&self) -> KeyEncoding {
        self.encoding
    }

    /// The key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Whether two keys are of one type and size, as all owners' of one voucher must be.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let size = |key: &Key| match key {
            Key::Ec(_) => 0,
            Key::Rsa(key) => key.modulus().len(),
        };
        self.key_type == other.key_type && size(&self.key) == size(&other.key)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for PublicKey {}

impl KeyType {
    const ALL: [Self; 4] = [Self::Rsa2048Restr, Self::RsaPkcs, Self::Secp256r1, Self::Secp384r1];

    /// The first type that a key is of.
    pub fn of(key: &Key) -> Option<Self> {
        Self::ALL.into_iter().find(|key_type| key_type.is_of(key))
    }

    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Rsa2048Restr => labels::RSA2048RESTR,
            Self::RsaPkcs => labels::RSAPKCS,
            Self::Secp256r1 => labels::SECP256R1,
            Self::Secp384r1 => labels::SECP384R1,
        }
    }

    pub(crate) fn from_number(number: u64) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|key_type| key_type.number() == number);
        found.ok_or(Feature::KeyType(number).into())
    }

    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048Restr => "RSA2048RESTR",
            Self::RsaPkcs => "RSAPKCS",
            Self::Secp256r1 => "SECP256R1",
            Self::Secp384r1 => "SECP384R1",
        }
    }

    const fn algorithm(self) -> Option<SignatureAlgorithm> {
        match self {
            Self::Secp256r1 => Some(SignatureAlgorithm::Es256),
            Self::Secp384r1 => Some(SignatureAlgorithm::Es384),
            Self::Rsa2048Restr | Self::RsaPkcs => None,
        }
    }

    fn is_of(self, key: &Key) -> bool {
        match (self, key) {
            (Self::Rsa2048Restr, Key::Rsa(key)) => {
                key.modulus().len() == RESTRICTED_MODULUS && key.exponent() == RESTRICTED_EXPONENT
            }
            (Self::RsaPkcs, Key::Rsa(_)) => true,
            (_, Key::Ec(key)) => self.algorithm() == Some(key.algorithm()),
            _ => false,
        }
    }
}

impl KeyEncoding {
    const ALL: [Self; 3] = [Self::X509, Self::X5Chain, Self::CoseKey];

    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::X509 => labels::X509,
            Self::X5Chain => labels::X5CHAIN,
            Self::CoseKey => labels::COSEKEY,
        }
    }

    pub(crate) fn from_number(number: u64) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|encoding| encoding.number() == number);
        found.ok_or(Feature::KeyEncoding(number).into())
    }

    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X509 => "X509",
            Self::X5Chain => "X5CHAIN",
            Self::CoseKey => "COSEKEY",
        }
    }
}

fn key_of_spki(der: &[u8], at: usize, key_type: KeyType) -> Result<Key, Error> {
    let key = match key_type.algorithm() {
        Some(_) => crypto::PublicKey::from_spki_der(der).map(Key::Ec),
        None => RsaPublicKey::from_spki_der(der).map(Key::Rsa),
    };
    key.map_err(|error| not_a_key(error, at, key_type))
}

fn key_of_chain(reader: &mut Reader<'_>, key_type: KeyType) -> Result<Key, Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count == 0 {
        return Err(cbor::Error::rule(at, "chain of a key has no certificate").into());
    }
    if count > MAX_CERTIFICATES {
        return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_CERTIFICATES }).into());
    }
    let leaf_at = reader.position();
    let leaf = Certificate::decode(reader.bytes()?)
        .map_err(|_| cbor::Error::rule(leaf_at, "certificate of a key cannot be read"))?;
    for _ in 1..count {
        reader.bytes()?;
    }
    key_of_spki(leaf.public_key_der(), leaf_at, key_type)
}

/// Reads a COSE_Key of a point. Some leave its type out, and zeros before its coordinates: both are taken, since what is
/// signed are these bytes.
fn read_cose_key(reader: &mut Reader<'_>, key_type: KeyType) -> Result<Key, Error> {
    let at = reader.position();
    let Some(algorithm) = key_type.algorithm() else {
        return Err(Feature::KeyEncoding(labels::COSEKEY).into());
    };
    let raw = reader.raw()?;
    if raw.len() > MAX_KEY_LEN {
        return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_KEY_LEN }).into());
    }
    let mut members = Reader::with_order(raw, Order::Unique).at_offset(at);
    let (mut kty, mut curve, mut x, mut y) = (cose_labels::KTY_EC2, None, None, None);
    let mut map = members.map()?;
    while let Some(label) = map.next(&mut members)? {
        match label {
            cbor::Key::Int(cose_labels::KEY_KTY) => kty = members.int()?,
            cbor::Key::Int(cose_labels::KEY_CRV) => curve = Some(members.int()?),
            cbor::Key::Int(cose_labels::KEY_X) => x = Some(members.bytes()?),
            cbor::Key::Int(cose_labels::KEY_Y) => y = Some(members.bytes()?),
            _ => members.skip()?,
        }
    }
    let expected = match algorithm {
        SignatureAlgorithm::Es256 => cose_labels::CRV_P256,
        _ => cose_labels::CRV_P384,
    };
    let (Some(x), Some(y)) = (x, y) else {
        return Err(cbor::Error::new(at, Reason::MissingKey(cose_labels::KEY_X)).into());
    };
    if kty != cose_labels::KTY_EC2 || curve != Some(expected) {
        return Err(cbor::Error::rule(at, "key is not of the type it says").into());
    }
    let width = algorithm.coordinate_len().unwrap_or_default();
    let (x, y) = (padded(x, width), padded(y, width));
    let key = crypto::PublicKey::from_ec2(algorithm, &x, &y);
    key.map(Key::Ec).map_err(|error| not_a_key(error, at, key_type))
}

fn write_cose_key(writer: &mut Writer, key: &crypto::PublicKey) {
    let curve = match key.algorithm() {
        SignatureAlgorithm::Es256 => cose_labels::CRV_P256,
        _ => cose_labels::CRV_P384,
    };
    let (x, y) = key.ec2_coordinates().unwrap_or_default();
    writer.map(4).int(cose_labels::KEY_KTY).int(cose_labels::KTY_EC2);
    writer.int(cose_labels::KEY_CRV).int(curve).int(cose_labels::KEY_X).bytes(x);
    writer.int(cose_labels::KEY_Y).bytes(y);
}

fn encode(key_type: KeyType, encoding: KeyEncoding, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    Writer::encode(|w| {
        w.array(3).uint(key_type.number()).uint(encoding.number());
        body(w);
    })
}

/// A number in full width. One that is too long stays so, and is no coordinate.
pub(crate) fn padded(number: &[u8], width: usize) -> Vec<u8> {
    let mut padded = alloc::vec![0; width.saturating_sub(number.len())];
    padded.extend_from_slice(number);
    padded
}

fn not_a_key(error: crypto::Error, at: usize, key_type: KeyType) -> Error {
    match error {
        crypto::Error::UnsupportedAlgorithm | crypto::Error::UnsupportedCompressedPoint => {
            Feature::KeyType(key_type.number()).into()
        }
        _ => cbor::Error::rule(at, "public key is not a key of its type").into(),
    }
}
