use core::fmt;

/// Height of one tree of one-time keys: LMS_SHA256_M32_H5 to H25 (RFC 8554, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LmsType {
    /// 32 one-time keys.
    H5,
    /// 1024 one-time keys.
    H10,
    /// 32,768 one-time keys.
    H15,
    /// 1,048,576 one-time keys.
    H20,
    /// 33,554,432 one-time keys.
    H25,
}

impl LmsType {
    /// Every height there is.
    pub const ALL: [Self; 5] = [Self::H5, Self::H10, Self::H15, Self::H20, Self::H25];

    /// Number in the Leighton-Micali Signatures registry (RFC 8554, section 8).
    pub const fn id(self) -> u32 {
        match self {
            Self::H5 => 5,
            Self::H10 => 6,
            Self::H15 => 7,
            Self::H20 => 8,
            Self::H25 => 9,
        }
    }

    /// The type with this number.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|lms| lms.id() == id)
    }

    /// Height of the tree: it has 2 to the power of this many one-time keys.
    pub const fn height(self) -> u32 {
        match self {
            Self::H5 => 5,
            Self::H10 => 10,
            Self::H15 => 15,
            Self::H20 => 20,
            Self::H25 => 25,
        }
    }

    /// How many one-time keys the tree has.
    pub(super) const fn leaves(self) -> u32 {
        1 << self.height()
    }
}

impl fmt::Display for LmsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LMS_SHA256_M32_H{}", self.height())
    }
}

/// Width of the digits that a one-time key signs: LMOTS_SHA256_N32_W1 to W8 (RFC 8554, section 4.1).
///
/// Wider digits make signatures shorter and slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LmotsType {
    /// 1 bit: 8480 bytes of chains.
    W1,
    /// 2 bits: 4256 bytes of chains.
    W2,
    /// 4 bits: 2144 bytes of chains.
    W4,
    /// 8 bits: 1088 bytes of chains.
    W8,
}

impl LmotsType {
    /// Every width there is.
    pub const ALL: [Self; 4] = [Self::W1, Self::W2, Self::W4, Self::W8];

    /// Number in the LM-OTS Signatures registry (RFC 8554, section 8).
    pub const fn id(self) -> u32 {
        match self {
            Self::W1 => 1,
            Self::W2 => 2,
            Self::W4 => 3,
            Self::W8 => 4,
        }
    }

    /// The type with this number.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|ots| ots.id() == id)
    }

    /// Width of a digit in bits: `w`.
    pub const fn digit_bits(self) -> u8 {
        match self {
            Self::W1 => 1,
            Self::W2 => 2,
            Self::W4 => 4,
            Self::W8 => 8,
        }
    }

    /// How many chains of hashes a one-time key has: `p`.
    pub(super) const fn chains(self) -> usize {
        match self {
            Self::W1 => 265,
            Self::W2 => 133,
            Self::W4 => 67,
            Self::W8 => 34,
        }
    }

    /// How far the checksum is shifted to begin at a digit: `ls`.
    pub(super) const fn checksum_shift(self) -> u32 {
        match self {
            Self::W1 => 7,
            Self::W2 => 6,
            Self::W4 => 4,
            Self::W8 => 0,
        }
    }

    /// The greatest digit, which is the length of a chain.
    pub(super) const fn max_digit(self) -> u8 {
        0xff >> (8 - self.digit_bits())
    }
}

impl fmt::Display for LmotsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LMOTS_SHA256_N32_W{}", self.digit_bits())
    }
}
