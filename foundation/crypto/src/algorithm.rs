use core::fmt;

/// A hash function, and the one place where its registered numbers are converted into each other. One that is left out
/// of the build has no name here, so that hashing never fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    #[cfg(feature = "sha512")]
    Sha384,
    /// SHA-512.
    #[cfg(feature = "sha512")]
    Sha512,
}

impl HashAlgorithm {
    /// Every hash function this crate implements.
    #[cfg(feature = "sha512")]
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Every hash function this crate implements.
    #[cfg(not(feature = "sha512"))]
    pub const ALL: [Self; 1] = [Self::Sha256];

    /// Number in the COSE Algorithms registry (RFC 9054, section 2.1).
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::Sha256 => -16,
            #[cfg(feature = "sha512")]
            Self::Sha384 => -43,
            #[cfg(feature = "sha512")]
            Self::Sha512 => -44,
        }
    }

    /// The hash function with this number in the COSE Algorithms registry.
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.cose_id() == id)
    }

    /// Number of its untruncated HMAC in the COSE Algorithms registry (RFC 9053, section 3.1).
    pub const fn hmac_cose_id(self) -> i64 {
        match self {
            Self::Sha256 => 5,
            #[cfg(feature = "sha512")]
            Self::Sha384 => 6,
            #[cfg(feature = "sha512")]
            Self::Sha512 => 7,
        }
    }

    /// The hash function whose untruncated HMAC has this number in the COSE Algorithms registry.
    pub fn from_hmac_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.hmac_cose_id() == id)
    }

    /// Number in the Named Information Hash Algorithm registry (RFC 6920, section 9.4).
    pub const fn named_info_id(self) -> u64 {
        match self {
            Self::Sha256 => 1,
            #[cfg(feature = "sha512")]
            Self::Sha384 => 7,
            #[cfg(feature = "sha512")]
            Self::Sha512 => 8,
        }
    }

    /// The hash function with this number in the Named Information Hash Algorithm registry.
    pub fn from_named_info_id(id: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.named_info_id() == id)
    }

    /// Number in the TCG Algorithm Registry (`TPM_ALG_ID`).
    pub const fn tpm_id(self) -> u16 {
        match self {
            Self::Sha256 => 0x000b,
            #[cfg(feature = "sha512")]
            Self::Sha384 => 0x000c,
            #[cfg(feature = "sha512")]
            Self::Sha512 => 0x000d,
        }
    }

    /// The hash function with this number in the TCG Algorithm Registry.
    pub fn from_tpm_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.tpm_id() == id)
    }

    /// Name in the Named Information Hash Algorithm registry: `sha-256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            #[cfg(feature = "sha512")]
            Self::Sha384 => "sha-384",
            #[cfg(feature = "sha512")]
            Self::Sha512 => "sha-512",
        }
    }

    /// Name as digests are written for people: `sha256`.
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            #[cfg(feature = "sha512")]
            Self::Sha384 => "sha384",
            #[cfg(feature = "sha512")]
            Self::Sha512 => "sha512",
        }
    }

    /// The hash function of this name, in its registered or its short form.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| name == algorithm.name() || name == algorithm.short_name())
    }

    /// Length of its digests in bytes.
    #[allow(clippy::len_without_is_empty, reason = "a digest length is never zero")]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            #[cfg(feature = "sha512")]
            Self::Sha384 => 48,
            #[cfg(feature = "sha512")]
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many signature algorithms without state are in the build.
const STATELESS: usize = 1 + cfg!(feature = "es384") as usize + cfg!(feature = "ed25519") as usize;

/// A signature algorithm together with its curve: the fully specified algorithms of RFC 9864.
///
/// A key has exactly one of these; RFC 9053 lets ES256 run on other curves, and this crate does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// HSS/LMS with SHA-256 (RFC 8554, RFC 8778). Its private keys have state: see [`crate::HssSigningKey`].
    HssLms,
}

impl SignatureAlgorithm {
    /// Every signature algorithm this crate implements.
    pub const ALL: [Self; STATELESS + cfg!(feature = "hss") as usize] = [
        Self::Es256,
        #[cfg(feature = "es384")]
        Self::Es384,
        #[cfg(feature = "ed25519")]
        Self::Ed25519,
        #[cfg(feature = "hss")]
        Self::HssLms,
    ];

    /// The algorithms whose private keys have no state: those of [`crate::SigningKey`].
    pub const STATELESS: [Self; STATELESS] = [
        Self::Es256,
        #[cfg(feature = "es384")]
        Self::Es384,
        #[cfg(feature = "ed25519")]
        Self::Ed25519,
    ];

    /// Whether it is in the build. Keys of one that is not are unsupported.
    pub fn is_implemented(self) -> bool {
        Self::ALL.contains(&self)
    }

    /// COSE number written when signing: the one every implementation reads (RFC 9053, section 2).
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Ed25519 => -8,
            Self::HssLms => -46,
        }
    }

    /// COSE number of the fully specified form: ESP256, ESP384, Ed25519 (RFC 9864, section 2); HSS/LMS has but one.
    pub const fn fully_specified_cose_id(self) -> i64 {
        match self {
            Self::Es256 => -9,
            Self::Es384 => -51,
            Self::Ed25519 => -19,
            Self::HssLms => -46,
        }
    }

    /// Whether the COSE number, in its older or its fully specified form, means this algorithm.
    pub const fn matches_cose_id(self, id: i64) -> bool {
        id == self.cose_id() || id == self.fully_specified_cose_id()
    }

    /// The algorithm with this COSE number, in its older or its fully specified form.
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.matches_cose_id(id))
    }

    /// Name in the JOSE and COSE registries: `ES256`, `ES384`, `Ed25519`, `HSS-LMS`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ed25519 => "Ed25519",
            Self::HssLms => "HSS-LMS",
        }
    }

    /// The algorithm of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Length of its signatures in bytes: r‖s of fixed width for ECDSA (RFC 9053, section 2.1). `None` for HSS/LMS,
    /// where it depends on the key.
    pub const fn signature_len(self) -> Option<usize> {
        match self {
            Self::Es256 | Self::Ed25519 => Some(64),
            Self::Es384 => Some(96),
            Self::HssLms => None,
        }
    }

    /// Length of a private key in bytes: the scalar for ECDSA, the seed for Ed25519 and HSS/LMS.
    pub const fn secret_len(self) -> usize {
        match self {
            Self::Es256 | Self::Ed25519 | Self::HssLms => 32,
            Self::Es384 => 48,
        }
    }

    /// Width of one coordinate of the curve, where keys have two (`None` for Ed25519 and HSS/LMS).
    pub const fn coordinate_len(self) -> Option<usize> {
        match self {
            Self::Es256 => Some(32),
            Self::Es384 => Some(48),
            Self::Ed25519 | Self::HssLms => None,
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
