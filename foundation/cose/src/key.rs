use alloc::vec::Vec;

use cbor::{MapBuilder, Order, Reader, Reason, Type, Writer};
use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey, Zeroizing};

use crate::{Distrust, Error, Feature, labels};

/// Length of the longest COSE_Key that is read.
pub const MAX_KEY_LEN: usize = 1024;

/// How many operations a key may list.
const MAX_OPERATIONS: usize = 16;

/// A COSE_Key for signatures (RFC 9052, section 7): a public key, and its private key if the object held one.
#[derive(Debug)]
pub struct Key {
    public: PublicKey,
    secret: Option<SigningKey>,
    kid: Option<Vec<u8>>,
    alg: Option<i64>,
    key_ops: Option<Vec<i64>>,
}

impl Key {
    /// Reads a key of type EC2, OKP or HSS-LMS; the last has no private form, for it has state.
    ///
    /// Its `alg`, if it names one, must be that of its curve; its `key_ops`, if it lists any, must contain verify, or
    /// sign for a private key. Members this crate does not know are ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let members = Members::decode(bytes)?;
        let algorithm = members.signature_algorithm()?;
        if let Some(alg) = members.alg
            && !algorithm.matches_cose_id(alg)
        {
            return Err(match SignatureAlgorithm::from_cose_id(alg) {
                Some(_) => Distrust::KeyUse.into(),
                None => Feature::Algorithm(alg).into(),
            });
        }
        members.check_operations(&[if members.d.is_some() { labels::OP_SIGN } else { labels::OP_VERIFY }])?;
        let secret = members.d()?.map(|d| SigningKey::from_bytes(algorithm, d)).transpose();
        let secret = secret.map_err(|_| Distrust::BadKey)?;
        let public = match (members.public(algorithm)?, &secret) {
            (Some(public), Some(secret)) if public != *secret.public_key() => {
                return Err(Distrust::BadKey.into());
            }
            (Some(public), _) => public,
            // RFC 9053, section 7.1.1: a private key need not state its public key.
            (None, Some(secret)) => secret.public_key().clone(),
            (None, None) => return Err(missing(labels::KEY_X)),
        };
        let kid = members.kid.map(<[u8]>::to_vec);
        Ok(Self { public, secret, kid, alg: members.alg, key_ops: members.key_ops })
    }

    /// A public key that names its algorithm.
    pub fn from_public(public: &PublicKey) -> Self {
        let alg = Some(public.algorithm().cose_id());
        Self { public: public.clone(), secret: None, kid: None, alg, key_ops: None }
    }

    /// A private key that names its algorithm.
    pub fn from_secret(secret: SigningKey) -> Self {
        let key = Self::from_public(secret.public_key());
        Self { secret: Some(secret), ..key }
    }

    /// The key with this identifier.
    #[must_use]
    pub fn with_kid(self, kid: &[u8]) -> Self {
        Self { kid: Some(kid.to_vec()), ..self }
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The private key, if this is one.
    pub fn secret(&self) -> Option<&SigningKey> {
        self.secret.as_ref()
    }

    /// Gives up everything but the private key, if this is one.
    pub fn into_secret(self) -> Option<SigningKey> {
        self.secret
    }

    /// Key identifier.
    pub fn kid(&self) -> Option<&[u8]> {
        self.kid.as_deref()
    }

    /// COSE number of the algorithm the key names.
    pub fn alg(&self) -> Option<i64> {
        self.alg
    }

    /// The operations the key lists.
    pub fn key_ops(&self) -> Option<&[i64]> {
        self.key_ops.as_deref()
    }

    /// Thumbprint of the public key (RFC 9679).
    pub fn thumbprint(&self, algorithm: HashAlgorithm) -> Digest {
        thumbprint(&self.public, algorithm)
    }

    /// The public key in deterministic encoding; of a private key only its public part.
    ///
    /// The operations a private key lists are left out: they are not those of its public part.
    pub fn encode(&self) -> Vec<u8> {
        let key_ops = if self.secret.is_some() { None } else { self.key_ops.as_deref() };
        self.write(key_ops, None)
    }

    /// The private key in deterministic encoding, if this is one.
    pub fn encode_secret(&self) -> Option<Zeroizing<Vec<u8>>> {
        let secret = self.secret.as_ref()?.secret_bytes();
        Some(Zeroizing::new(self.write(self.key_ops.as_deref(), Some(&secret))))
    }

    /// Writes the members in their order; the private key is the last, so that no growing of the buffer copies it.
    fn write(&self, key_ops: Option<&[i64]>, secret: Option<&[u8]>) -> Vec<u8> {
        let required = match key_type(&self.public) {
            labels::KTY_HSS_LMS => 2,
            labels::KTY_EC2 => 4,
            _ => 3,
        };
        let optional = [self.kid.is_some(), self.alg.is_some(), key_ops.is_some(), secret.is_some()];
        let count = required + optional.into_iter().filter(|present| *present).count();
        Writer::encode(|w| {
            w.map(count).int(labels::KEY_KTY).int(key_type(&self.public));
            if let Some(kid) = &self.kid {
                w.int(labels::KEY_KID).bytes(kid);
            }
            if let Some(alg) = self.alg {
                w.int(labels::KEY_ALG).int(alg);
            }
            if let Some(key_ops) = key_ops {
                w.int(labels::KEY_OPS).array(key_ops.len());
                for operation in key_ops {
                    w.int(*operation);
                }
            }
            let Some(curve) = curve(&self.public) else {
                w.int(labels::KEY_PUB).bytes(self.public.as_bytes());
                return;
            };
            w.int(labels::KEY_CRV).int(curve);
            match self.public.ec2_coordinates() {
                Some((x, y)) => w.int(labels::KEY_X).bytes(x).int(labels::KEY_Y).bytes(y),
                None => w.int(labels::KEY_X).bytes(self.public.as_bytes()),
            };
            if let Some(secret) = secret {
                w.int(labels::KEY_D).bytes(secret);
            }
        })
    }
}

/// Thumbprint of a public key: the digest of its required members alone, in deterministic encoding (RFC 9679,
/// section 4; for HSS-LMS section 4.4).
pub fn thumbprint(key: &PublicKey, algorithm: HashAlgorithm) -> Digest {
    let mut members = MapBuilder::new();
    members.int(labels::KEY_KTY, |w| {
        w.int(key_type(key));
    });
    let Some(curve) = curve(key) else {
        members.int(labels::KEY_PUB, |w| {
            w.bytes(key.as_bytes());
        });
        return Digest::of(algorithm, &members.into_bytes());
    };
    members.int(labels::KEY_CRV, |w| {
        w.int(curve);
    });
    let (x, y) = match key.ec2_coordinates() {
        Some((x, y)) => (x, Some(y)),
        None => (key.as_bytes(), None),
    };
    members.int(labels::KEY_X, |w| {
        w.bytes(x);
    });
    members.int_if(labels::KEY_Y, y, |w, y| {
        w.bytes(y);
    });
    Digest::of(algorithm, &members.into_bytes())
}

fn key_type(key: &PublicKey) -> i64 {
    match key.algorithm() {
        SignatureAlgorithm::Es256 | SignatureAlgorithm::Es384 => labels::KTY_EC2,
        SignatureAlgorithm::Ed25519 => labels::KTY_OKP,
        SignatureAlgorithm::HssLms => labels::KTY_HSS_LMS,
    }
}

fn curve(key: &PublicKey) -> Option<i64> {
    match key.algorithm() {
        SignatureAlgorithm::Es256 => Some(labels::CRV_P256),
        SignatureAlgorithm::Es384 => Some(labels::CRV_P384),
        SignatureAlgorithm::Ed25519 => Some(labels::CRV_ED25519),
        SignatureAlgorithm::HssLms => None,
    }
}

/// The two coordinates of a point.
type Coordinates<'b> = (&'b [u8], &'b [u8]);

/// The members of a COSE_Key of any type. What -1 to -4 mean depends on the type, so they wait as readers.
pub(crate) struct Members<'b> {
    pub(crate) kty: i64,
    pub(crate) kid: Option<&'b [u8]>,
    pub(crate) alg: Option<i64>,
    pub(crate) key_ops: Option<Vec<i64>>,
    /// -1: the curve, a symmetric key, an HSS-LMS public key, or a modulus.
    first: Option<Reader<'b>>,
    x: Option<Reader<'b>>,
    y: Option<Reader<'b>>,
    d: Option<Reader<'b>>,
}

impl<'b> Members<'b> {
    pub(crate) fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_KEY_LEN {
            return Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_KEY_LEN }).into());
        }
        let mut reader = Reader::with_order(bytes, Order::Unique);
        let mut kty = None;
        let (mut kid, mut alg, mut key_ops) = (None, None, None);
        let (mut first, mut x, mut y, mut d) = (None, None, None, None);
        let mut map = reader.map()?;
        while let Some(label) = map.next(&mut reader)? {
            let value = reader.clone();
            match label {
                cbor::Key::Int(labels::KEY_KTY) => kty = Some(reader.int()?),
                cbor::Key::Int(labels::KEY_KID) => kid = Some(reader.bytes()?),
                cbor::Key::Int(labels::KEY_ALG) if reader.peek()? == Type::Text => {
                    return Err(Feature::NamedAlgorithm.into());
                }
                cbor::Key::Int(labels::KEY_ALG) => alg = Some(reader.int()?),
                cbor::Key::Int(labels::KEY_OPS) => key_ops = Some(read_operations(&mut reader)?),
                cbor::Key::Int(label) => {
                    reader.skip()?;
                    match label {
                        labels::KEY_CRV => first = Some(value),
                        labels::KEY_X => x = Some(value),
                        labels::KEY_Y => y = Some(value),
                        labels::KEY_D => d = Some(value),
                        _ => {}
                    }
                }
                _ => reader.skip()?,
            }
        }
        reader.end()?;
        let kty = kty.ok_or(missing(labels::KEY_KTY))?;
        Ok(Self { kty, kid, alg, key_ops, first, x, y, d })
    }

    /// If the key lists operations, one of these must be among them (RFC 9052, section 7.1).
    pub(crate) fn check_operations(&self, wanted: &[i64]) -> Result<(), Error> {
        match &self.key_ops {
            Some(listed) if !wanted.iter().any(|operation| listed.contains(operation)) => {
                Err(Distrust::KeyUse.into())
            }
            _ => Ok(()),
        }
    }

    /// A symmetric key's bytes.
    pub(crate) fn k(&self) -> Result<&'b [u8], Error> {
        Ok(self.first.clone().ok_or_else(|| missing(labels::KEY_K))?.bytes()?)
    }

    /// The coordinates of a key on P-256 in full width, where it states them.
    pub(crate) fn p256(&self) -> Result<Option<Coordinates<'b>>, Error> {
        let curve = self.first.clone().ok_or_else(|| missing(labels::KEY_CRV))?.int()?;
        if curve != labels::CRV_P256 {
            return Err(Feature::Curve(curve).into());
        }
        self.coordinates()
    }

    /// Modulus and exponent of an RSA key.
    pub(crate) fn rsa(&self) -> Result<(&'b [u8], &'b [u8]), Error> {
        let modulus = self.first.clone().ok_or_else(|| missing(labels::KEY_RSA_N))?.bytes()?;
        let exponent = self.x.clone().ok_or_else(|| missing(labels::KEY_RSA_E))?.bytes()?;
        Ok((modulus, exponent))
    }

    /// The private part.
    pub(crate) fn d(&self) -> Result<Option<&'b [u8]>, Error> {
        Ok(self.d.clone().map(|mut d| d.bytes()).transpose()?)
    }

    fn coordinates(&self) -> Result<Option<Coordinates<'b>>, Error> {
        let Some(mut x) = self.x.clone() else { return Ok(None) };
        let mut y = self.y.clone().ok_or_else(|| missing(labels::KEY_Y))?;
        if y.peek()? == Type::Bool {
            return Err(Feature::CompressedPoint.into());
        }
        Ok(Some((x.bytes()?, y.bytes()?)))
    }

    fn signature_algorithm(&self) -> Result<SignatureAlgorithm, Error> {
        if self.kty == labels::KTY_HSS_LMS && SignatureAlgorithm::HssLms.is_implemented() {
            return Ok(SignatureAlgorithm::HssLms);
        }
        if !matches!(self.kty, labels::KTY_EC2 | labels::KTY_OKP) {
            return Err(Feature::KeyType(self.kty).into());
        }
        let curve = self.first.clone().ok_or_else(|| missing(labels::KEY_CRV))?.int()?;
        let algorithm = match (self.kty, curve) {
            (labels::KTY_EC2, labels::CRV_P256) => Some(SignatureAlgorithm::Es256),
            (labels::KTY_EC2, labels::CRV_P384) => Some(SignatureAlgorithm::Es384),
            (labels::KTY_OKP, labels::CRV_ED25519) => Some(SignatureAlgorithm::Ed25519),
            _ => None,
        };
        let implemented = algorithm.filter(|algorithm| algorithm.is_implemented());
        implemented.ok_or(Feature::Curve(curve).into())
    }

    /// The public key the object states; coordinates have full width (RFC 9053, section 7.1.1).
    fn public(&self, algorithm: SignatureAlgorithm) -> Result<Option<PublicKey>, Error> {
        if algorithm == SignatureAlgorithm::HssLms {
            let key = self.first.clone().ok_or_else(|| missing(labels::KEY_PUB))?.bytes()?;
            return PublicKey::from_hss(key).map(Some).map_err(|_| Distrust::BadKey.into());
        }
        let key = if algorithm == SignatureAlgorithm::Ed25519 {
            let Some(mut x) = self.x.clone() else { return Ok(None) };
            PublicKey::from_ed25519(x.bytes()?)
        } else {
            let Some((x, y)) = self.coordinates()? else { return Ok(None) };
            PublicKey::from_ec2(algorithm, x, y)
        };
        key.map(Some).map_err(|_| Distrust::BadKey.into())
    }
}

pub(crate) fn missing(label: i64) -> Error {
    cbor::Error::new(0, Reason::MissingKey(label)).into()
}

/// Operations by number; those by name are nobody's but their inventor's, and are passed over.
fn read_operations(reader: &mut Reader<'_>) -> Result<Vec<i64>, cbor::Error> {
    let at = reader.position();
    let count = reader.array()?;
    if count > MAX_OPERATIONS {
        return Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_OPERATIONS }));
    }
    let mut operations = Vec::with_capacity(count);
    for _ in 0..count {
        if reader.peek()? == Type::Text {
            reader.text()?;
        } else {
            operations.push(reader.int()?);
        }
    }
    Ok(operations)
}
