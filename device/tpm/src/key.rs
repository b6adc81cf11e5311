use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm};

use crate::{Address, Error, ResponseCode, command::template, reader::Reader, response, session::Session};

/// Bytes of a coordinate on P-256.
const COORDINATE: usize = 32;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256. It signs any digest, so it is none to quote PCRs with.
    Signing,
    /// HMAC with SHA-256.
    Hmac,
}

impl KeyKind {
    /// What stands for the unique part of a key that is to be made: no point, or no digest.
    pub(crate) fn no_unique(self) -> &'static [u8] {
        match self {
            Self::Signing => &[0; 4],
            Self::Hmac => &[0; 2],
        }
    }
}

/// What is kept of a key: of use for the TPM that made it and for nobody else. Its secret part is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    kind: KeyKind,
    private: Vec<u8>,
    public: Vec<u8>,
}

impl WrappedKey {
    /// Of the parts that were kept. The public one must be that of a key that is bound to its TPM and was made in it.
    pub fn new(kind: KeyKind, private: &[u8], public: &[u8]) -> Result<Self, Error> {
        let unique = public.strip_prefix(template(kind).as_slice()).ok_or(Error::NotAKey)?;
        check_unique(kind, unique).map_err(|_| Error::NotAKey)?;
        if private.is_empty() || private.len() > response::MAX_PART {
            return Err(Error::NotAKey);
        }
        Ok(Self { kind, private: private.to_vec(), public: public.to_vec() })
    }

    /// The secret part, encrypted by the TPM.
    pub fn private(&self) -> &[u8] {
        &self.private
    }

    /// TPMT_PUBLIC.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The public key of one that signs.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        let unique = self.public.strip_prefix(template(KeyKind::Signing).as_slice()).ok_or(Error::NotAKey)?;
        let mut reader = Reader::new(unique);
        let (x, y) = (padded(reader.sized()?)?, padded(reader.sized()?)?);
        reader.end()?;
        PublicKey::from_ec2(SignatureAlgorithm::Es256, &x, &y).map_err(|_| Error::NotAKey)
    }
}

/// TPMs may leave zeros out at the beginning of a coordinate.
fn padded(coordinate: &[u8]) -> Result<[u8; COORDINATE], Error> {
    let mut padded = [0; COORDINATE];
    let from = COORDINATE.checked_sub(coordinate.len()).ok_or(Error::NotAKey)?;
    padded.get_mut(from..).ok_or(Error::NotAKey)?.copy_from_slice(coordinate);
    Ok(padded)
}

/// The part of a public area that makes it unique has the form that it has for keys of this kind.
fn check_unique(kind: KeyKind, unique: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(unique);
    let parts = match kind {
        KeyKind::Signing => 2,
        KeyKind::Hmac => 1,
    };
    for _ in 0..parts {
        if reader.sized_up_to(COORDINATE)?.is_empty() {
            return Err(Error::NotAKey);
        }
    }
    reader.end()
}

/// A TPM, which is opened for each use.
#[derive(Clone, Debug)]
pub struct Tpm {
    address: Address,
}

impl Tpm {
    /// The one there. Nothing is asked of it yet.
    pub fn new(address: Address) -> Self {
        Self { address }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Makes a key. Nothing of it stays in the TPM.
    pub fn make(&self, kind: KeyKind) -> Result<WrappedKey, Error> {
        let mut session = Session::open(&self.address)?;
        let parent = session.create_primary()?;
        let made = session.create(parent, kind)?;
        WrappedKey::new(kind, &made.private, &made.public)
    }

    /// Whether the key is of this TPM: loads it.
    pub fn check(&self, key: &WrappedKey) -> Result<(), Error> {
        self.with_key(key, |session, handle| {
            if session.read_public(handle)? == key.public { Ok(()) } else { Err(Error::NotAKey) }
        })
    }

    /// Signs a message, whose SHA-256 the TPM is given: r‖s of full width (RFC 9053, section 2.1).
    pub fn sign(&self, key: &WrappedKey, message: &[u8]) -> Result<Vec<u8>, Error> {
        let digest = Digest::of(HashAlgorithm::Sha256, message);
        self.with_key(key, |session, handle| Ok(session.sign(handle, digest.as_bytes())?.to_vec()))
    }

    /// HMAC of a message with SHA-256.
    pub fn hmac(&self, key: &WrappedKey, message: &[u8]) -> Result<Digest, Error> {
        let mac = self.with_key(key, |session, handle| session.hmac(handle, message))?;
        Ok(Digest::new(HashAlgorithm::Sha256, &mac).expect("as long as SHA-256 is"))
    }

    fn with_key<T>(
        &self,
        key: &WrappedKey,
        then: impl FnOnce(&mut Session, u32) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut session = Session::open(&self.address)?;
        let parent = session.create_primary()?;
        let handle = session.load(parent, key).map_err(|error| match error {
            Error::Refused { code, .. } if is_foreign(code) => Error::Foreign(code),
            other => other,
        })?;
        // TPMs have little room, and what is loaded needs its parent no more.
        session.flush(parent)?;
        then(&mut session, handle)
    }
}

fn is_foreign(code: ResponseCode) -> bool {
    matches!(code.error(), ResponseCode::INTEGRITY | ResponseCode::BINDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signing(unique: &[u8]) -> Vec<u8> {
        [template(KeyKind::Signing).as_slice(), unique].concat()
    }

    #[test]
    fn only_keys_that_are_bound_to_their_tpm_are_keys() {
        let point = [[0, 32].as_slice(), &[1; 32], &[0, 32], &[2; 32]].concat();
        let good = signing(&point);
        assert!(WrappedKey::new(KeyKind::Signing, &[1; 100], &good).is_ok());
        assert!(WrappedKey::new(KeyKind::Signing, &[1; response::MAX_PART], &good).is_ok());
        // Every bit of the template counts: attributes, scheme, curve.
        for at in 0..template(KeyKind::Signing).len() {
            for bit in 0..8 {
                let mut other = good.clone();
                other[at] ^= 1 << bit;
                let read = WrappedKey::new(KeyKind::Signing, &[1; 100], &other);
                assert!(matches!(read, Err(Error::NotAKey)), "bit {bit} of byte {at}");
            }
        }
        let refused = |kind, private: &[u8], public: &[u8]| {
            assert!(matches!(WrappedKey::new(kind, private, public), Err(Error::NotAKey)));
        };
        refused(KeyKind::Hmac, &[1; 100], &good);
        refused(KeyKind::Signing, &[], &good);
        refused(KeyKind::Signing, &[1; response::MAX_PART + 1], &good);
        refused(KeyKind::Signing, &[1; 100], &good[..good.len() - 1]);
        refused(KeyKind::Signing, &[1; 100], &[&good[..], &[0]].concat());
        refused(KeyKind::Signing, &[1; 100], &signing(&[0; 4]));
        refused(KeyKind::Signing, &[1; 100], &signing(&[[0, 33].as_slice(), &[1; 33], &[0, 1, 1]].concat()));
    }

    #[test]
    fn zeros_that_a_tpm_left_out_are_put_back() {
        let key = crypto::SigningKey::from_bytes(SignatureAlgorithm::Es256, &[5; 32]).unwrap();
        let (x, y) = key.public_key().as_bytes().split_at(key.public_key().as_bytes().len() - 32);
        let x = &x[x.len() - 32..];
        let unique = [[0, 32].as_slice(), x, &[0, 32], y].concat();
        let kept = WrappedKey::new(KeyKind::Signing, &[1], &signing(&unique)).unwrap();
        assert_eq!(&kept.public_key().unwrap(), key.public_key());
        assert_eq!(padded(&[7]).unwrap()[31], 7);
        assert_eq!(padded(&[7; 32]).unwrap(), [7; 32]);
        assert!(padded(&[7; 33]).is_err());
        // A point that is none on the curve is no key.
        let unique = [0, 1, 1, 0, 1, 1];
        let kept = WrappedKey::new(KeyKind::Signing, &[1], &signing(&unique)).unwrap();
        assert!(matches!(kept.public_key(), Err(Error::NotAKey)));
    }
}
