//! Integer labels of the SUIT registry group, named as in the registry.
//!
//! Sources: draft-ietf-suit-manifest-37 (MAN), -trust-domains-12 (TD), -update-management-14 (UM),
//! -firmware-encryption-24 (ENC), -mud-10 (MUD), -report-19 (REP).

/// Tag of an envelope (MAN, section 11).
pub const TAG_ENVELOPE: u64 = 107;
/// Tag of an envelope in drafts up to 13.
pub const TAG_LEGACY_ENVELOPE: u64 = 48;
/// Tag of a bare manifest (MAN, section 11).
pub const TAG_MANIFEST: u64 = 1070;
/// Tag of a time in seconds since 1970 (RFC 8949, section 3.4.2).
pub const TAG_TIME: u64 = 1;
/// Tag of a UUID (IANA registry of CBOR tags).
pub const TAG_UUID: u64 = 37;
/// Tag of a URI (RFC 8949, section 3.4.5.3).
pub const TAG_URI: u64 = 32;
/// Tag of a private enterprise number as relative OID (RFC 9090, section 5).
pub const TAG_PEN: u64 = 112;
/// The only manifest version there is.
pub const MANIFEST_VERSION: u64 = 1;

/// Envelope members (MAN, section 11.1). Severed members carry the label they have in the manifest.
pub mod envelope {
    /// Digest of the manifest and the signatures over it.
    pub const AUTHENTICATION_WRAPPER: i64 = 2;
    /// The manifest.
    pub const MANIFEST: i64 = 3;
}

/// Manifest members (MAN, section 11.2).
pub mod manifest {
    /// Version of the format.
    pub const VERSION: i64 = 1;
    /// Sequence number.
    pub const SEQUENCE_NUMBER: i64 = 2;
    /// Components and shared sequence.
    pub const COMMON: i64 = 3;
    /// Where the full manifest lives.
    pub const REFERENCE_URI: i64 = 4;
    /// Where a root manifest is stored (TD).
    pub const COMPONENT_ID: i64 = 5;
    /// Version the device has afterwards (UM).
    pub const SET_VERSION: i64 = 6;
    /// Validate sequence.
    pub const VALIDATE: i64 = 7;
    /// Load sequence.
    pub const LOAD: i64 = 8;
    /// Invoke sequence.
    pub const INVOKE: i64 = 9;
    /// CoSWID (UM).
    pub const COSWID: i64 = 14;
    /// Dependency-resolution sequence (TD).
    pub const DEPENDENCY_RESOLUTION: i64 = 15;
    /// Payload-fetch sequence.
    pub const PAYLOAD_FETCH: i64 = 16;
    /// Candidate-verification sequence (TD).
    pub const CANDIDATE_VERIFICATION: i64 = 18;
    /// Install sequence.
    pub const INSTALL: i64 = 20;
    /// Human-readable text.
    pub const TEXT: i64 = 23;
    /// Uninstall sequence (TD).
    pub const UNINSTALL: i64 = 24;
    /// MUD URL and signer (MUD).
    pub const MUD: i64 = 25;
    /// Labels that only drafts up to 16 (10 to 13) and 17 to 27 (17) used, for sections that moved since.
    pub const LEGACY: [i64; 5] = [10, 11, 12, 13, 17];
}

/// Common members (MAN, section 11.3).
pub mod common {
    /// Dependencies (TD).
    pub const DEPENDENCIES: i64 = 1;
    /// Component identifiers.
    pub const COMPONENTS: i64 = 2;
    /// Shared sequence.
    pub const SHARED_SEQUENCE: i64 = 4;
    /// Prefix for the component identifiers of a dependency (TD), inside an entry of [`DEPENDENCIES`].
    pub const DEPENDENCY_PREFIX: i64 = 1;
}

/// Commands (MAN, section 11.4).
pub mod command {
    /// Condition: vendor identifier.
    pub const VENDOR_IDENTIFIER: i64 = 1;
    /// Condition: class identifier.
    pub const CLASS_IDENTIFIER: i64 = 2;
    /// Condition: image match.
    pub const IMAGE_MATCH: i64 = 3;
    /// Condition: use before (UM).
    pub const USE_BEFORE: i64 = 4;
    /// Condition: component slot.
    pub const COMPONENT_SLOT: i64 = 5;
    /// Condition: check content.
    pub const CHECK_CONTENT: i64 = 6;
    /// Condition: dependency integrity (TD).
    pub const DEPENDENCY_INTEGRITY: i64 = 7;
    /// Condition: is dependency (TD).
    pub const IS_DEPENDENCY: i64 = 8;
    /// Directive: process dependency (TD).
    pub const PROCESS_DEPENDENCY: i64 = 11;
    /// Directive: set component index.
    pub const SET_COMPONENT_INDEX: i64 = 12;
    /// Condition: abort.
    pub const ABORT: i64 = 14;
    /// Directive: try each.
    pub const TRY_EACH: i64 = 15;
    /// Directive: write.
    pub const WRITE: i64 = 18;
    /// Directive: set parameters (TD).
    pub const SET_PARAMETERS: i64 = 19;
    /// Directive: override parameters.
    pub const OVERRIDE_PARAMETERS: i64 = 20;
    /// Directive: fetch.
    pub const FETCH: i64 = 21;
    /// Directive: copy.
    pub const COPY: i64 = 22;
    /// Directive: invoke.
    pub const INVOKE: i64 = 23;
    /// Condition: device identifier.
    pub const DEVICE_IDENTIFIER: i64 = 24;
    /// Condition: image not match (UM).
    pub const IMAGE_NOT_MATCH: i64 = 25;
    /// Condition: minimum battery (UM).
    pub const MINIMUM_BATTERY: i64 = 26;
    /// Condition: update authorized (UM).
    pub const UPDATE_AUTHORIZED: i64 = 27;
    /// Condition: version (UM).
    pub const VERSION: i64 = 28;
    /// Directive: wait (UM).
    pub const WAIT: i64 = 29;
    /// Directive: swap.
    pub const SWAP: i64 = 31;
    /// Directive: run sequence.
    pub const RUN_SEQUENCE: i64 = 32;
    /// Directive: unlink (TD).
    pub const UNLINK: i64 = 33;
    /// Directive: override multiple (UM).
    pub const OVERRIDE_MULTIPLE: i64 = 34;
    /// Directive: copy params (UM).
    pub const COPY_PARAMS: i64 = 35;
}

/// Parameters (MAN, section 11.5).
pub mod parameter {
    /// Vendor identifier.
    pub const VENDOR_IDENTIFIER: i64 = 1;
    /// Class identifier.
    pub const CLASS_IDENTIFIER: i64 = 2;
    /// Image digest.
    pub const IMAGE_DIGEST: i64 = 3;
    /// Use before (UM).
    pub const USE_BEFORE: i64 = 4;
    /// Component slot.
    pub const COMPONENT_SLOT: i64 = 5;
    /// Strict order; belongs to the processor, not to a component.
    pub const STRICT_ORDER: i64 = 12;
    /// Soft failure; belongs to the sequence, not to a component.
    pub const SOFT_FAILURE: i64 = 13;
    /// Image size.
    pub const IMAGE_SIZE: i64 = 14;
    /// Content.
    pub const CONTENT: i64 = 18;
    /// Encryption info (ENC).
    pub const ENCRYPTION_INFO: i64 = 19;
    /// URI.
    pub const URI: i64 = 21;
    /// Source component.
    pub const SOURCE_COMPONENT: i64 = 22;
    /// Invoke arguments.
    pub const INVOKE_ARGS: i64 = 23;
    /// Device identifier.
    pub const DEVICE_IDENTIFIER: i64 = 24;
    /// Fetch arguments.
    pub const FETCH_ARGUMENTS: i64 = 25;
    /// Minimum battery (UM).
    pub const MINIMUM_BATTERY: i64 = 26;
    /// Update priority (UM).
    pub const UPDATE_PRIORITY: i64 = 27;
    /// Version match (UM).
    pub const VERSION_MATCH: i64 = 28;
    /// Wait info (UM).
    pub const WAIT_INFO: i64 = 29;
    /// Component metadata (UM).
    pub const COMPONENT_METADATA: i64 = 30;
}

/// Text about a manifest (MAN, section 11.6).
pub mod text {
    /// Description of the manifest.
    pub const MANIFEST_DESCRIPTION: i64 = 1;
    /// Description of the update.
    pub const UPDATE_DESCRIPTION: i64 = 2;
    /// JSON the manifest was made from.
    pub const MANIFEST_JSON_SOURCE: i64 = 3;
    /// YAML the manifest was made from.
    pub const MANIFEST_YAML_SOURCE: i64 = 4;
}

/// Text about a component (MAN, section 11.7).
pub mod component_text {
    /// Name of the vendor.
    pub const VENDOR_NAME: i64 = 1;
    /// Name of the model.
    pub const MODEL_NAME: i64 = 2;
    /// Domain the vendor identifier is made from.
    pub const VENDOR_DOMAIN: i64 = 3;
    /// What the class identifier is made from.
    pub const MODEL_INFO: i64 = 4;
    /// Description of the component.
    pub const COMPONENT_DESCRIPTION: i64 = 5;
    /// Version of the component.
    pub const COMPONENT_VERSION: i64 = 6;
    /// Version the update requires (UM).
    pub const VERSION_REQUIRED: i64 = 7;
    /// Version the device has (UM).
    pub const CURRENT_VERSION: i64 = 8;
}

/// Members of the MUD container (MUD).
///
/// The draft leaves the two labels without numbers; these are ours until the registry has them.
pub mod mud {
    /// URL of the MUD file.
    pub const URL: i64 = 1;
    /// Thumbprint of the key that signs the MUD file.
    pub const SKI: i64 = 2;
}

/// Events of wait info (UM, section 4.3).
pub mod wait {
    /// Authorization with a priority.
    pub const AUTHORIZATION: i64 = 1;
    /// Power state.
    pub const POWER: i64 = 2;
    /// Network state.
    pub const NETWORK: i64 = 3;
    /// Version of another device.
    pub const OTHER_DEVICE: i64 = 4;
    /// Time since 1970.
    pub const TIME: i64 = 5;
    /// Local time of day.
    pub const TIME_OF_DAY: i64 = 6;
    /// Local day of the week.
    pub const DAY_OF_WEEK: i64 = 7;
    /// Time of day in UTC.
    pub const UTC_TIME_OF_DAY: i64 = 8;
    /// Day of the week in UTC.
    pub const UTC_DAY_OF_WEEK: i64 = 9;
    /// Every event, ascending.
    pub const ALL: [i64; 9] = [
        AUTHORIZATION,
        POWER,
        NETWORK,
        OTHER_DEVICE,
        TIME,
        TIME_OF_DAY,
        DAY_OF_WEEK,
        UTC_TIME_OF_DAY,
        UTC_DAY_OF_WEEK,
    ];
}

/// Members of component metadata (UM, section 4.2).
pub mod metadata {
    /// Permissions of everybody who has none of their own.
    pub const DEFAULT_PERMISSIONS: i64 = 1;
    /// Permissions of users.
    pub const USER_PERMISSIONS: i64 = 2;
    /// Permissions of groups.
    pub const GROUP_PERMISSIONS: i64 = 3;
    /// Permissions of roles.
    pub const ROLE_PERMISSIONS: i64 = 4;
    /// Regular file, directory or symbolic link.
    pub const FILE_TYPE: i64 = 5;
    /// When the content changed last.
    pub const MODIFICATION_TIME: i64 = 6;
    /// When the component was made.
    pub const CREATION_TIME: i64 = 7;
    /// Who made the component.
    pub const CREATOR: i64 = 8;
}

/// Members of a capability report (REP, section 6).
pub mod capability {
    /// Components.
    pub const COMPONENTS: i64 = 1;
    /// Commands.
    pub const COMMANDS: i64 = 2;
    /// Parameters.
    pub const PARAMETERS: i64 = 3;
    /// Algorithms, as COSE numbers them.
    pub const ALGORITHMS: i64 = 4;
    /// Envelope members.
    pub const ENVELOPE: i64 = 5;
    /// Manifest members.
    pub const MANIFEST: i64 = 6;
    /// Members of common.
    pub const COMMON: i64 = 7;
    /// Text elements about a manifest.
    pub const TEXT: i64 = 8;
    /// Text elements about a component.
    pub const COMPONENT_TEXT: i64 = 9;
    /// Metadata of dependencies.
    pub const DEPENDENCY: i64 = 10;
}

/// Members of a report (REP, section 4).
pub mod report {
    /// Nonce of whoever asked.
    pub const NONCE: i64 = 2;
    /// Records.
    pub const RECORDS: i64 = 3;
    /// Result.
    pub const RESULT: i64 = 4;
    /// Result code of a failure.
    pub const RESULT_CODE: i64 = 5;
    /// Record of the failed command.
    pub const RESULT_RECORD: i64 = 6;
    /// Reason of a failure.
    pub const RESULT_REASON: i64 = 7;
    /// What the processor can do.
    pub const CAPABILITIES: i64 = 8;
    /// URI and digest of the manifest.
    pub const REFERENCE: i64 = 99;
    /// Component a system property claim is about.
    pub const CLAIM_COMPONENT_ID: i64 = 0;
}
