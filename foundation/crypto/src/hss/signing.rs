use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::tree::{Root, Tree};
use super::{HASH_LEN, HSS_PUBLIC_LEN, Hash, LmotsType, LmsType, MAX_HSS_LEVELS};
use crate::signing::random_secret;
use crate::{Digest, Error, HashAlgorithm, PublicKey, constant_time_eq};

/// What the state of a private key begins with; the last byte is the version of the format.
const MAGIC: &[u8; 8] = b"SXT-HSS\x01";

/// The highest tree that is signed with: all of its one-time keys are computed when it is needed.
const MAX_SIGNING_TREE: LmsType = LmsType::H10;

/// A private HSS key (RFC 8554, section 6): trees of one-time keys, each of which may sign only one message.
///
/// A signature therefore takes two steps. [`HssSigningKey::reserve`] takes the next one-time key out of use and gives the
/// new state to be stored; only who hands back what was read from the store gets to sign ([`Reserved::confirm`]). A key
/// that was reserved and not used is lost, and no step goes back.
pub struct HssSigningKey {
    levels: Vec<(LmsType, LmotsType)>,
    seed: Zeroizing<Hash>,
    public: PublicKey,
    next: u64,
    /// The trees of the last signature, top first; grown when needed.
    trees: Vec<Grown>,
}

/// A tree, which of its level it is, and its signature by the leaf that it hangs on (none for the top).
struct Grown {
    number: u64,
    tree: Tree,
    signature: Vec<u8>,
}

impl HssSigningKey {
    /// Makes a key from random bytes of the caller's; `fill` overwrites the whole slice.
    ///
    /// Each level is a tree of height 5 or 10; the key signs as many messages as the product of their leaves.
    pub fn generate(levels: &[(LmsType, LmotsType)], fill: &mut dyn FnMut(&mut [u8])) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; HASH_LEN]);
        random_secret(&mut *seed, fill, |_| Some(()))?;
        Self::from_seed(levels, &seed)
    }

    /// The key that grows from a seed, with no one-time key used. Of one seed there must never be two.
    pub fn from_seed(levels: &[(LmsType, LmotsType)], seed: &[u8; HASH_LEN]) -> Result<Self, Error> {
        let Some((lms, ots)) = levels.first().copied() else { return Err(Error::UnsupportedAlgorithm) };
        if levels.len() > MAX_HSS_LEVELS || levels.iter().any(|(lms, _)| *lms > MAX_SIGNING_TREE) {
            return Err(Error::UnsupportedAlgorithm);
        }
        let tree = Tree::grow(Root::of_seed(seed), lms, ots);
        let mut public = Vec::with_capacity(HSS_PUBLIC_LEN);
        public.extend_from_slice(&(levels.len() as u32).to_be_bytes());
        public.extend_from_slice(&tree.public());
        Ok(Self {
            levels: levels.to_vec(),
            seed: Zeroizing::new(*seed),
            public: PublicKey::from_hss(&public)?,
            next: 0,
            trees: Vec::from([Grown { number: 0, tree, signature: Vec::new() }]),
        })
    }

    /// Reads a state that [`HssSigningKey::encode`] or [`Reserved::state`] gave.
    pub fn decode(state: &[u8]) -> Result<Self, Error> {
        Self::read(state).ok_or(Error::MalformedState)
    }

    /// The state: format, levels, seed, public key, the next one-time key, and the SHA-256 digest of all that.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Room for everything, so that no reallocation leaves a copy of the seed behind.
        let mut state = Zeroizing::new(Vec::with_capacity(256));
        state.extend_from_slice(MAGIC);
        state.push(self.levels.len() as u8);
        for (lms, ots) in &self.levels {
            state.extend_from_slice(&[lms.id() as u8, ots.id() as u8]);
        }
        state.extend_from_slice(&*self.seed);
        state.extend_from_slice(self.public.as_bytes());
        state.extend_from_slice(&self.next.to_be_bytes());
        let digest = Digest::of(HashAlgorithm::Sha256, &state);
        state.extend_from_slice(digest.as_bytes());
        state
    }

    /// The public key that verifies its signatures.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Height and width of each level, top first.
    pub fn levels(&self) -> &[(LmsType, LmotsType)] {
        &self.levels
    }

    /// How many one-time keys were taken out of use; also the number of the next one.
    pub fn used(&self) -> u64 {
        self.next
    }

    /// How many signatures are left.
    pub fn remaining(&self) -> u64 {
        capacity(&self.levels).saturating_sub(self.next)
    }

    /// Passes over one-time keys that another record shows to be used: after a state was restored from a copy.
    pub fn skip_to(&mut self, next: u64) -> Result<(), Error> {
        if next < self.next {
            return Err(Error::StateWentBack);
        }
        if next > capacity(&self.levels) {
            return Err(Error::KeyExhausted);
        }
        self.next = next;
        Ok(())
    }

    /// Takes the next one-time key out of use, for one signature.
    pub fn reserve(&mut self) -> Result<Reserved<'_>, Error> {
        if self.remaining() == 0 {
            return Err(Error::KeyExhausted);
        }
        let number = self.next;
        self.next += 1;
        let state = self.encode();
        Ok(Reserved { key: self, number, state })
    }

    fn read(state: &[u8]) -> Option<Self> {
        let (content, digest) = state.split_last_chunk::<HASH_LEN>()?;
        if !constant_time_eq(Digest::of(HashAlgorithm::Sha256, content).as_bytes(), digest) {
            return None;
        }
        let (count, rest) = content.strip_prefix(MAGIC)?.split_first()?;
        let (types, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let (types, _) = types.as_chunks::<2>();
        let levels = types
            .iter()
            .map(|[lms, ots]| Some((LmsType::from_id((*lms).into())?, LmotsType::from_id((*ots).into())?)))
            .collect::<Option<Vec<_>>>()?;
        let (seed, rest) = rest.split_first_chunk::<HASH_LEN>()?;
        let (public, next) = rest.split_first_chunk::<HSS_PUBLIC_LEN>()?;
        let next = u64::from_be_bytes(next.try_into().ok()?);
        let signable = (1..=MAX_HSS_LEVELS).contains(&levels.len())
            && levels.iter().all(|(lms, _)| *lms <= MAX_SIGNING_TREE);
        if !signable || next > capacity(&levels) {
            return None;
        }
        let public = PublicKey::from_hss(public).ok()?;
        Some(Self { levels, seed: Zeroizing::new(*seed), public, next, trees: Vec::new() })
    }

    /// Signs with a one-time key that was taken out of use.
    fn sign(&mut self, number: u64, message: &[u8]) -> Result<Vec<u8>, Error> {
        let leaf = self.grow(number)?;
        let mut signature = Vec::new();
        signature.extend_from_slice(&(self.levels.len() as u32 - 1).to_be_bytes());
        for grown in self.trees.iter().skip(1) {
            signature.extend_from_slice(&grown.signature);
            signature.extend_from_slice(&grown.tree.public());
        }
        let last = self.trees.last().ok_or(Error::MalformedState)?;
        signature.extend_from_slice(&last.tree.sign(leaf, message));
        Ok(signature)
    }

    /// Grows the trees that a one-time key is in, and returns which leaf of the last it is.
    fn grow(&mut self, number: u64) -> Result<u32, Error> {
        let mut below: u32 = self.levels.iter().map(|(lms, _)| lms.height()).sum();
        let mut leaf = 0;
        for (depth, (lms, ots)) in self.levels.iter().copied().enumerate() {
            // The top is one tree; a level below has as many as the one above it has leaves.
            let tree_number = number.checked_shr(below).unwrap_or_default();
            let known = self.trees.get(depth).is_some_and(|grown| grown.number == tree_number);
            if !known {
                self.trees.truncate(depth);
                let root = match self.trees.last() {
                    Some(above) => above.tree.root.child(leaf),
                    None => Root::of_seed(&self.seed),
                };
                let tree = Tree::grow(root, lms, ots);
                let signature =
                    self.trees.last().map(|above| above.tree.sign(leaf, &tree.public())).unwrap_or_default();
                self.trees.push(Grown { number: tree_number, tree, signature });
            }
            below -= lms.height();
            let within = number.checked_shr(below).unwrap_or_default() % u64::from(lms.leaves());
            leaf = within as u32;
        }
        // A state whose seed and public key do not belong together would give signatures that nobody can verify.
        let top = self.trees.first().ok_or(Error::MalformedState)?;
        if self.public.as_bytes().get(4..) != Some(&top.tree.public()[..]) {
            return Err(Error::MalformedState);
        }
        Ok(leaf)
    }
}

impl fmt::Debug for HssSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(HSS-LMS, {} of {} used)", self.next, capacity(&self.levels))
    }
}

/// How many messages the levels can sign: 2 to the sum of the heights. Eight trees of height 10 are more than is counted.
fn capacity(levels: &[(LmsType, LmotsType)]) -> u64 {
    let heights = levels.iter().map(|(lms, _)| lms.height()).sum();
    1u64.checked_shl(heights).unwrap_or(u64::MAX)
}

/// A one-time key that was taken out of use and has signed nothing: the state must be stored first.
#[must_use = "a reserved one-time key that is not used is lost"]
pub struct Reserved<'k> {
    key: &'k mut HssSigningKey,
    number: u64,
    state: Zeroizing<Vec<u8>>,
}

impl<'k> Reserved<'k> {
    /// The new state, to be stored so that it survives a power cut, in place of the one before.
    pub fn state(&self) -> &[u8] {
        &self.state
    }

    /// Takes as proof what was read back from the store after it was made durable.
    pub fn confirm(self, read_back: &[u8]) -> Result<Confirmed<'k>, Error> {
        if constant_time_eq(read_back, &self.state) {
            Ok(Confirmed { key: self.key, number: self.number })
        } else {
            Err(Error::StateNotStored)
        }
    }
}

impl fmt::Debug for Reserved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(HSS-LMS, {} reserved)", self.number)
    }
}

/// A one-time key that the store knows to be used: it may sign, once.
#[must_use = "a reserved one-time key that is not used is lost"]
pub struct Confirmed<'k> {
    key: &'k mut HssSigningKey,
    number: u64,
}

impl Confirmed<'_> {
    /// Signs (RFC 8554, section 6.2).
    ///
    /// It fails when the state was put together from parts of different keys.
    pub fn sign(self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign(self.number, message)
    }
}

impl fmt::Debug for Confirmed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(HSS-LMS, {} confirmed)", self.number)
    }
}
