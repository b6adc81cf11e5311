//! Labels and tags of CoRIM, CoMID and CoTL (draft-ietf-rats-corim, section "IANA Considerations").

/// Keys of corim-map.
pub(crate) mod corim {
    pub(crate) const ID: i64 = 0;
    pub(crate) const TAGS: i64 = 1;
    pub(crate) const DEPENDENT_RIMS: i64 = 2;
    pub(crate) const PROFILE: i64 = 3;
    pub(crate) const RIM_VALIDITY: i64 = 4;
    pub(crate) const ENTITIES: i64 = 5;
}

/// Keys of corim-locator-map.
pub(crate) mod locator {
    pub(crate) const HREF: i64 = 0;
    pub(crate) const THUMBPRINT: i64 = 1;
}

/// Keys of validity-map.
pub(crate) mod validity {
    pub(crate) const NOT_BEFORE: i64 = 0;
    pub(crate) const NOT_AFTER: i64 = 1;
}

/// Keys of entity-map.
pub(crate) mod entity {
    pub(crate) const NAME: i64 = 0;
    pub(crate) const REG_ID: i64 = 1;
    pub(crate) const ROLE: i64 = 2;
}

/// Header parameters of a signed CoRIM, the maps in them, and its media types.
pub(crate) mod signed {
    pub(crate) const CORIM_META: i64 = 8;
    pub(crate) const PAYLOAD_HASH_ALG: i64 = 258;
    pub(crate) const PAYLOAD_PREIMAGE_CONTENT_TYPE: i64 = 259;
    pub(crate) const PAYLOAD_LOCATION: i64 = 260;
    pub(crate) const META_SIGNER: i64 = 0;
    pub(crate) const META_VALIDITY: i64 = 1;
    pub(crate) const SIGNER_NAME: i64 = 0;
    pub(crate) const SIGNER_URI: i64 = 1;
    pub(crate) const CWT_ISS: i64 = 1;
    pub(crate) const CWT_SUB: i64 = 2;
    pub(crate) const CWT_EXP: i64 = 4;
    pub(crate) const CWT_NBF: i64 = 5;
}

/// Keys of concise-mid-tag.
pub(crate) mod comid {
    pub(crate) const LANGUAGE: i64 = 0;
    pub(crate) const TAG_IDENTITY: i64 = 1;
    pub(crate) const ENTITIES: i64 = 2;
    pub(crate) const LINKED_TAGS: i64 = 3;
    pub(crate) const TRIPLES: i64 = 4;
    pub(crate) const TAG_ID: i64 = 0;
    pub(crate) const TAG_VERSION: i64 = 1;
    pub(crate) const LINKED_TAG_ID: i64 = 0;
    pub(crate) const TAG_REL: i64 = 1;
}

/// Keys of concise-tl-tag.
pub(crate) mod cotl {
    pub(crate) const TAG_IDENTITY: i64 = 0;
    pub(crate) const TAGS_LIST: i64 = 1;
    pub(crate) const TL_VALIDITY: i64 = 2;
}

/// Keys of triples-map, and of the conditions of a key triple.
pub(crate) mod triples {
    pub(crate) const REFERENCE: i64 = 0;
    pub(crate) const ENDORSED: i64 = 1;
    pub(crate) const IDENTITY: i64 = 2;
    pub(crate) const ATTEST_KEY: i64 = 3;
    pub(crate) const DEPENDENCY: i64 = 4;
    pub(crate) const MEMBERSHIP: i64 = 5;
    pub(crate) const COSWID: i64 = 6;
    pub(crate) const CONDITIONAL_SERIES: i64 = 8;
    pub(crate) const CONDITIONAL: i64 = 10;
    pub(crate) const CONDITION_MKEY: i64 = 0;
    pub(crate) const CONDITION_AUTHORIZED_BY: i64 = 1;
}

/// Keys of environment-map and class-map.
pub(crate) mod environment {
    pub(crate) const CLASS: i64 = 0;
    pub(crate) const INSTANCE: i64 = 1;
    pub(crate) const GROUP: i64 = 2;
    pub(crate) const CLASS_ID: i64 = 0;
    pub(crate) const VENDOR: i64 = 1;
    pub(crate) const MODEL: i64 = 2;
    pub(crate) const LAYER: i64 = 3;
    pub(crate) const INDEX: i64 = 4;
}

/// Keys of measurement-map, measurement-values-map and what is in it.
pub(crate) mod measurement {
    pub(crate) const MKEY: i64 = 0;
    pub(crate) const MVAL: i64 = 1;
    pub(crate) const AUTHORIZED_BY: i64 = 2;
    pub(crate) const VERSION: i64 = 0;
    pub(crate) const SVN: i64 = 1;
    pub(crate) const DIGESTS: i64 = 2;
    pub(crate) const FLAGS: i64 = 3;
    pub(crate) const RAW_VALUE: i64 = 4;
    pub(crate) const RAW_VALUE_MASK: i64 = 5;
    pub(crate) const MAC_ADDR: i64 = 6;
    pub(crate) const IP_ADDR: i64 = 7;
    pub(crate) const SERIAL_NUMBER: i64 = 8;
    pub(crate) const UEID: i64 = 9;
    pub(crate) const UUID: i64 = 10;
    pub(crate) const NAME: i64 = 11;
    pub(crate) const CRYPTOKEYS: i64 = 13;
    pub(crate) const INTEGRITY_REGISTERS: i64 = 14;
    pub(crate) const INT_RANGE: i64 = 15;
    pub(crate) const VERSION_TEXT: i64 = 0;
    pub(crate) const VERSION_SCHEME: i64 = 1;
    pub(crate) const REFVAL_LABEL: i64 = 1;
    pub(crate) const REFVAL_VERSION: i64 = 4;
    pub(crate) const REFVAL_SIGNER: i64 = 5;
}

/// Keys of a CoSERV query and its answer.
pub(crate) mod coserv {
    pub(crate) const PROFILE: i64 = 0;
    pub(crate) const QUERY: i64 = 1;
    pub(crate) const RESULTS: i64 = 2;
    pub(crate) const ARTIFACT_TYPE: i64 = 0;
    pub(crate) const ENVIRONMENT_SELECTOR: i64 = 1;
    pub(crate) const RESULT_TYPE: i64 = 2;
    pub(crate) const RIM_SELECTOR: i64 = 3;
    pub(crate) const CLASS: i64 = 0;
    pub(crate) const INSTANCE: i64 = 1;
    pub(crate) const GROUP: i64 = 2;
    pub(crate) const RIM_COMID: i64 = 0;
    pub(crate) const RIM_COSWID: i64 = 1;
    pub(crate) const RIM_CORIM: i64 = 2;
    pub(crate) const RVQ: i64 = 0;
    pub(crate) const EVQ: i64 = 1;
    pub(crate) const CEQ: i64 = 2;
    pub(crate) const AKQ: i64 = 3;
    pub(crate) const TAS: i64 = 4;
    pub(crate) const RIMS: i64 = 5;
    pub(crate) const EXPIRY: i64 = 10;
    pub(crate) const SOURCE_ARTIFACTS: i64 = 11;
    pub(crate) const AUTHORITIES: i64 = 1;
    pub(crate) const TRIPLE: i64 = 2;
}

/// CBOR tags.
pub(crate) mod tag {
    /// Date and time as text (RFC 8949, section 3.4.1).
    pub(crate) const DATETIME: u64 = 0;
    /// Epoch-based date and time (RFC 8949, section 3.4.2).
    pub(crate) const TIME: u64 = 1;
    /// URI (RFC 8949, section 3.4.5.3).
    pub(crate) const URI: u64 = 32;
    /// Binary UUID (RFC 9562).
    pub(crate) const UUID: u64 = 37;
    /// Absolute object identifier (RFC 9090).
    pub(crate) const OID: u64 = 111;
    /// Any CoRIM, in drafts up to 02.
    pub(crate) const OLDER_CORIM: u64 = 500;
    /// corim-map.
    pub(crate) const CORIM: u64 = 501;
    /// A signed CoRIM, in drafts up to 02.
    pub(crate) const OLDER_SIGNED: u64 = 502;
    /// A CoSWID tag in a CoRIM.
    pub(crate) const COSWID: u64 = 505;
    /// A CoMID tag in a CoRIM.
    pub(crate) const COMID: u64 = 506;
    /// A CoTL tag in a CoRIM.
    pub(crate) const COTL: u64 = 508;
    pub(crate) const UEID: u64 = 550;
    pub(crate) const SVN: u64 = 552;
    pub(crate) const MIN_SVN: u64 = 553;
    pub(crate) const PKIX_KEY: u64 = 554;
    pub(crate) const PKIX_CERTIFICATE: u64 = 555;
    pub(crate) const PKIX_PATH: u64 = 556;
    pub(crate) const KEY_THUMBPRINT: u64 = 557;
    pub(crate) const COSE_KEY: u64 = 558;
    pub(crate) const CERTIFICATE_THUMBPRINT: u64 = 559;
    pub(crate) const BYTES: u64 = 560;
    pub(crate) const PATH_THUMBPRINT: u64 = 561;
    pub(crate) const CERTIFICATE_DER: u64 = 562;
    pub(crate) const MASKED_RAW_VALUE: u64 = 563;
    pub(crate) const INT_RANGE: u64 = 564;
    /// Implementation id of PSA as a class, before it was plain bytes.
    pub(crate) const OLDER_IMPLEMENTATION_ID: u64 = 600;
    /// psa.refval-id, the measurement key of PSA before its profile of 2025.
    pub(crate) const OLDER_PSA_REFVAL_ID: u64 = 601;
    /// cca.platform-config-id, the measurement key of CCA before its profiles of 2025.
    pub(crate) const OLDER_CCA_CONFIG_ID: u64 = 602;
}
