use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{
    D_INTR, D_LEAF, D_PBLC, Digits, HASH_LEN, Hash, Hasher, IDENTIFIER_LEN, Identifier, LMS_PUBLIC_LEN,
    LmotsType, LmsType, hash, walk,
};

/// Marks hashes that make secrets (RFC 8554, appendix A).
const D_SECRET: u8 = 0xff;

// Numbers that no chain has, for the other secrets of a leaf.
const RANDOMIZER: u16 = 0xfffd;
const CHILD_SEED: u16 = 0xfffe;
const CHILD_IDENTIFIER: u16 = 0xffff;

/// What a tree grows from.
pub(super) struct Root {
    pub(super) identifier: Identifier,
    pub(super) seed: Zeroizing<Hash>,
}

impl Root {
    /// The top of a whole key.
    pub(super) fn of_seed(seed: &Hash) -> Self {
        Self { identifier: [0; IDENTIFIER_LEN], seed: Zeroizing::new(*seed) }.child(0)
    }

    /// Of the tree that hangs on a leaf.
    pub(super) fn child(&self, leaf: u32) -> Self {
        let mut identifier = [0; IDENTIFIER_LEN];
        identifier.copy_from_slice(&self.secret(leaf, CHILD_IDENTIFIER)[..IDENTIFIER_LEN]);
        Self { identifier, seed: self.secret(leaf, CHILD_SEED) }
    }

    /// A secret of a leaf (RFC 8554, appendix A).
    fn secret(&self, leaf: u32, number: u16) -> Zeroizing<Hash> {
        let parts = [&number.to_be_bytes()[..], &[D_SECRET], &*self.seed];
        Zeroizing::new(hash(&self.identifier, leaf, &parts))
    }
}

/// A tree of one-time keys with all its nodes (RFC 8554, section 5), which are public.
pub(super) struct Tree {
    pub(super) root: Root,
    lms: LmsType,
    ots: LmotsType,
    /// By their number; the first is not used, the second is the root.
    nodes: Vec<Hash>,
}

impl Tree {
    /// Computes every one-time key of the tree: for 1024 of them with 8-bit digits some nine million hashes.
    pub(super) fn grow(root: Root, lms: LmsType, ots: LmotsType) -> Self {
        let leaves = lms.leaves();
        let mut tree = Self { root, lms, ots, nodes: vec![[0; HASH_LEN]; 2 * leaves as usize] };
        for number in (1..2 * leaves).rev() {
            let node = match number.checked_sub(leaves) {
                Some(leaf) => tree.leaf(leaf),
                None => {
                    let children = number as usize * 2;
                    let (left, right) = (&tree.nodes[children], &tree.nodes[children + 1]);
                    hash(&tree.root.identifier, number, &[&D_INTR.to_be_bytes(), left, right])
                }
            };
            tree.nodes[number as usize] = node;
        }
        tree
    }

    /// The public key (RFC 8554, section 5.3).
    pub(super) fn public(&self) -> [u8; LMS_PUBLIC_LEN] {
        let mut public = [0; LMS_PUBLIC_LEN];
        public[..4].copy_from_slice(&self.lms.id().to_be_bytes());
        public[4..8].copy_from_slice(&self.ots.id().to_be_bytes());
        public[8..24].copy_from_slice(&self.root.identifier);
        public[24..].copy_from_slice(&self.nodes[1]);
        public
    }

    /// Signs with a leaf (RFC 8554, section 5.4.1). Two messages must never be signed with the same one.
    ///
    /// The randomizer comes from the seed, so that a leaf always gives the same signature of the same message: the trees
    /// below a leaf are signed again after each start.
    pub(super) fn sign(&self, leaf: u32, message: &[u8]) -> Vec<u8> {
        self.sign_with(leaf, &self.root.secret(leaf, RANDOMIZER), message)
    }

    pub(super) fn sign_with(&self, leaf: u32, randomizer: &Hash, message: &[u8]) -> Vec<u8> {
        let identifier = &self.root.identifier;
        let digits = Digits::of(self.ots, identifier, leaf, randomizer, message);
        let mut signature = Vec::new();
        signature.extend_from_slice(&leaf.to_be_bytes());
        signature.extend_from_slice(&self.ots.id().to_be_bytes());
        signature.extend_from_slice(randomizer);
        for chain in 0..self.ots.chains() as u16 {
            let digit = digits.get(usize::from(chain));
            let secret = self.root.secret(leaf, chain);
            signature.extend_from_slice(&walk(identifier, leaf, chain, 0..digit, *secret));
        }
        signature.extend_from_slice(&self.lms.id().to_be_bytes());
        let mut number = (self.lms.leaves() + leaf) as usize;
        while number > 1 {
            signature.extend_from_slice(&self.nodes[number ^ 1]);
            number /= 2;
        }
        signature
    }

    /// The node of a leaf: the hash of its one-time public key (RFC 8554, sections 4.3 and 5.3).
    fn leaf(&self, leaf: u32) -> Hash {
        let identifier = &self.root.identifier;
        let mut one_time = Hasher::new(identifier, leaf);
        one_time.update(&D_PBLC.to_be_bytes());
        for chain in 0..self.ots.chains() as u16 {
            let secret = self.root.secret(leaf, chain);
            one_time.update(&walk(identifier, leaf, chain, 0..self.ots.max_digit(), *secret));
        }
        let number = self.lms.leaves() + leaf;
        hash(identifier, number, &[&D_LEAF.to_be_bytes(), &one_time.finish()])
    }
}
