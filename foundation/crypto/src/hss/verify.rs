use super::{
    D_INTR, D_LEAF, D_PBLC, Digits, HASH_LEN, HSS_PUBLIC_LEN, Hash, Hasher, Identifier, LMS_PUBLIC_LEN,
    LmotsType, LmsType, MAX_HSS_LEVELS, hash, walk,
};
use crate::{Error, constant_time_eq};

/// Whether the bytes are an HSS public key of types this crate implements (RFC 8554, section 6.1).
pub(crate) fn check_public_key(key: &[u8]) -> Result<(), Error> {
    HssPublic::decode(key).map(|_| ())
}

/// Verifies an HSS signature (RFC 8554, section 6.3), and refuses bytes behind it.
pub(crate) fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Error> {
    let HssPublic { levels, top } = HssPublic::decode(key)?;
    let mut cursor = Cursor(signature);
    let signed_keys = cursor.number().ok_or(Error::BadSignature)?;
    if signed_keys.checked_add(1) != Some(levels) {
        return Err(Error::BadSignature);
    }
    let mut public = top;
    for _ in 0..signed_keys {
        let signature = LmsSignature::read(&mut cursor, &public).ok_or(Error::BadSignature)?;
        let next = cursor.take(LMS_PUBLIC_LEN).ok_or(Error::BadSignature)?;
        signature.verify(&public, next)?;
        public = LmsPublic::decode(next).ok_or(Error::BadSignature)?;
    }
    let signature = LmsSignature::read(&mut cursor, &public).ok_or(Error::BadSignature)?;
    if !cursor.0.is_empty() {
        return Err(Error::BadSignature);
    }
    signature.verify(&public, message)
}

struct HssPublic<'b> {
    levels: u32,
    top: LmsPublic<'b>,
}

impl<'b> HssPublic<'b> {
    fn decode(key: &'b [u8]) -> Result<Self, Error> {
        if key.len() != HSS_PUBLIC_LEN {
            return Err(Error::MalformedKey);
        }
        let mut cursor = Cursor(key);
        let levels = cursor.number().ok_or(Error::MalformedKey)?;
        if !(1..=MAX_HSS_LEVELS as u32).contains(&levels) {
            return Err(Error::MalformedKey);
        }
        let top = LmsPublic::decode(cursor.0).ok_or(Error::UnsupportedAlgorithm)?;
        Ok(Self { levels, top })
    }
}

/// An LMS public key (RFC 8554, section 5.3).
struct LmsPublic<'b> {
    lms: LmsType,
    ots: LmotsType,
    identifier: &'b Identifier,
    root: &'b Hash,
}

impl<'b> LmsPublic<'b> {
    fn decode(key: &'b [u8]) -> Option<Self> {
        let mut cursor = Cursor(key);
        let lms = LmsType::from_id(cursor.number()?)?;
        let ots = LmotsType::from_id(cursor.number()?)?;
        Some(Self { lms, ots, identifier: cursor.array()?, root: cursor.array()? })
    }
}

/// An LMS signature (RFC 8554, section 5.4) of the types of its key.
struct LmsSignature<'b> {
    leaf: u32,
    randomizer: &'b Hash,
    chains: &'b [u8],
    path: &'b [u8],
}

impl<'b> LmsSignature<'b> {
    fn read(cursor: &mut Cursor<'b>, public: &LmsPublic<'_>) -> Option<Self> {
        let leaf = cursor.number()?;
        if leaf >= public.lms.leaves() || cursor.number()? != public.ots.id() {
            return None;
        }
        let randomizer = cursor.array()?;
        let chains = cursor.take(public.ots.chains() * HASH_LEN)?;
        if cursor.number()? != public.lms.id() {
            return None;
        }
        let path = cursor.take(public.lms.height() as usize * HASH_LEN)?;
        Some(Self { leaf, randomizer, chains, path })
    }

    /// Computes the root that the signature leads to (RFC 8554, algorithms 4b and 6a), which must be the key's.
    fn verify(&self, public: &LmsPublic<'_>, message: &[u8]) -> Result<(), Error> {
        let LmsPublic { lms, ots, identifier, root } = *public;
        let digits = Digits::of(ots, identifier, self.leaf, self.randomizer, message);
        let mut one_time = Hasher::new(identifier, self.leaf);
        one_time.update(&D_PBLC.to_be_bytes());
        let (chains, _) = self.chains.as_chunks::<HASH_LEN>();
        for (chain, value) in (0u16..).zip(chains) {
            let digit = digits.get(usize::from(chain));
            one_time.update(&walk(identifier, self.leaf, chain, digit..ots.max_digit(), *value));
        }

        let mut number = lms.leaves() + self.leaf;
        let mut node = hash(identifier, number, &[&D_LEAF.to_be_bytes(), &one_time.finish()]);
        for beside in self.path.chunks_exact(HASH_LEN) {
            let (left, right) = if number % 2 == 1 { (beside, &node[..]) } else { (&node[..], beside) };
            number /= 2;
            node = hash(identifier, number, &[&D_INTR.to_be_bytes(), left, right]);
        }
        if constant_time_eq(&node, root) { Ok(()) } else { Err(Error::BadSignature) }
    }
}

/// What is left to read.
struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }
}
