//! Integer labels as drafts before 27 had them; what is not here has its number of today ([`crate::labels`]).
//!
//! Sources: the CDDL of draft-ietf-suit-manifest-09, -14, -16, -19 and -25, of draft-ietf-suit-trust-domains as of
//! March 2022, and of draft-ietf-suit-update-management-00.

/// Tag of an envelope in drafts up to 13.
pub(crate) const TAG_OLD_ENVELOPE: u64 = crate::labels::TAG_LEGACY_ENVELOPE;
/// Tag of a bare manifest in drafts up to 13.
pub(crate) const TAG_OLD_MANIFEST: u64 = 480;
/// Tag of a COSE_Encrypt (RFC 9052, section 2).
pub(crate) const TAG_ENCRYPT: u64 = 96;
/// Delegation chains, an envelope member until the drafts dropped it.
pub(crate) const DELEGATION: i64 = 1;
/// Integer keys of integrated payloads begin here or are negative, in drafts up to 13.
pub(crate) const FIRST_PAYLOAD: i64 = 24;

/// Hash functions by their numbers of drafts up to 13.
pub(crate) mod hash {
    /// SHA-256.
    pub(crate) const SHA256: i64 = 2;
    /// SHA-384.
    pub(crate) const SHA384: i64 = 3;
    /// SHA-512.
    pub(crate) const SHA512: i64 = 4;
    /// The last number of that table, SHA3-512.
    pub(crate) const LAST: i64 = 8;
}

/// Manifest members of drafts up to 16. 1 to 4 and 14 never moved.
pub(crate) mod manifest {
    /// Dependency-resolution sequence.
    pub(crate) const DEPENDENCY_RESOLUTION: i64 = 7;
    /// Payload-fetch sequence.
    pub(crate) const PAYLOAD_FETCH: i64 = 8;
    /// Install sequence.
    pub(crate) const INSTALL: i64 = 9;
    /// Validate sequence.
    pub(crate) const VALIDATE: i64 = 10;
    /// Load sequence.
    pub(crate) const LOAD: i64 = 11;
    /// Run sequence, which is called invoke today.
    pub(crate) const RUN: i64 = 12;
    /// Text.
    pub(crate) const TEXT: i64 = 13;
    /// Install sequence of drafts 17 to 26.
    pub(crate) const INSTALL_17: i64 = 17;
}

/// Members of a dependency in drafts up to 16.
pub(crate) mod dependency {
    /// Digest of its manifest.
    pub(crate) const DIGEST: i64 = 1;
    /// What to put before its component identifiers.
    pub(crate) const PREFIX: i64 = 2;
}

/// Commands of drafts up to 16 that moved or are gone.
pub(crate) mod command {
    /// Condition: component offset, in drafts up to 12.
    pub(crate) const COMPONENT_OFFSET: i64 = 5;
    /// Directive: set dependency index.
    pub(crate) const SET_DEPENDENCY_INDEX: i64 = 13;
    /// Directive: process dependency.
    pub(crate) const PROCESS_DEPENDENCY: i64 = 18;
    /// Directive: fetch from one of a list of URIs, in drafts up to 13.
    pub(crate) const FETCH_URI_LIST: i64 = 30;
}

/// Parameters of drafts up to 13 that moved or are gone.
pub(crate) mod parameter {
    /// Offset of the component, in drafts up to 12.
    pub(crate) const COMPONENT_OFFSET: i64 = 5;
    /// Encryption info.
    pub(crate) const ENCRYPTION_INFO: i64 = 18;
    /// Compression info.
    pub(crate) const COMPRESSION_INFO: i64 = 19;
    /// Unpack info.
    pub(crate) const UNPACK_INFO: i64 = 20;
    /// List of URIs.
    pub(crate) const URI_LIST: i64 = 30;
}
