//! Bounds on what a decoder accepts. The drafts name none; these are ours.

/// Bytes of an envelope without its integrated payloads.
pub const MAX_ENVELOPE_LEN: usize = 64 * 1024;
/// Integrated payloads of an envelope.
pub const MAX_PAYLOADS: usize = 32;
/// Authentication blocks of an envelope.
pub const MAX_SIGNATURES: usize = 8;
/// Components of a manifest.
pub const MAX_COMPONENTS: usize = 16;
/// Dependencies of a manifest.
pub const MAX_DEPENDENCIES: usize = 8;
/// Segments of a component identifier.
pub const MAX_COMPONENT_SEGMENTS: usize = 8;
/// Bytes of one segment of a component identifier.
pub const MAX_SEGMENT_LEN: usize = 64;
/// How deep try-each and run-sequence may nest below a section.
pub const MAX_NESTING: usize = 4;
/// Alternatives of a try-each.
pub const MAX_ALTERNATIVES: usize = 8;
/// Commands of a section, with those of its nested sequences.
pub const MAX_COMMANDS: usize = 256;
/// Bytes of a URI.
pub const MAX_URI_LEN: usize = 512;
/// Bytes of all text in one language.
pub const MAX_TEXT_LEN: usize = 32 * 1024;
/// Languages of a text map.
pub const MAX_LANGUAGES: usize = 16;
/// Numbers of a version.
pub const MAX_VERSION_PARTS: usize = 8;
/// Other devices one wait may name.
pub const MAX_OTHER_DEVICES: usize = 8;
/// Entries of an authority list.
pub const MAX_AUTHORITIES: usize = 64;
/// Shared keys that a recipient has.
pub const MAX_SHARED_KEYS: usize = 8;
/// Bytes of an authority list.
pub const MAX_AUTHORITY_LIST_LEN: usize = 32 * 1024;
/// Rules of an authority list.
pub const MAX_AUTHORITY_RULES: usize = 32;
/// Component prefixes of one entry of an authority list.
pub const MAX_AUTHORITY_PREFIXES: usize = 16;
/// Bytes of the name of an entry of an authority list.
pub const MAX_AUTHORITY_NAME: usize = 128;
/// Bytes of the key identifier of an entry of an authority list.
pub const MAX_AUTHORITY_KID: usize = 64;
/// Root signatures that a change of an authority list may need; half of those a message may have, so that the roots
/// before and the roots after fit.
pub const MAX_ROOT_SIGNATURES: usize = cose::MAX_SIGNATURES / 2;
/// Bytes of a signed change of an authority list.
pub const MAX_AUTHORITY_UPDATE_LEN: usize = 64 * 1024;
/// Devices that a change of an authority list may name.
pub const MAX_UPDATE_DEVICES: usize = 64;
/// Bytes of a device's identifier, a UEID (RFC 9711, section 4.2.1).
pub const MAX_UPDATE_DEVICE_LEN: usize = 33;
/// Bytes of the nonce that a device sends along when it asks for updates.
pub const UPDATE_NONCE_LEN: usize = 16;
/// Bytes of a signed answer of an update server.
pub const MAX_UPDATE_ANSWER_LEN: usize = 512;
/// Keys tried for one signature; a longer list needs key identifiers.
pub const MAX_CANDIDATE_KEYS: usize = 16;
/// Records and claims kept of one run; failures are reported beyond it.
pub const MAX_REPORT_ENTRIES: usize = 128;
/// Manifests below one another: how far a dependency may be from the root.
pub const MAX_DEPENDENCY_DEPTH: usize = 4;
/// Manifests that one procedure takes into memory, the root among them.
pub const MAX_MANIFESTS: usize = 16;
/// Bytes of the envelope of a dependency, with all its payloads: it is held in memory while it is processed.
pub const MAX_DEPENDENCY_LEN: u64 = 64 * 1024;
/// Components of all manifests of one procedure together.
pub const MAX_SET_COMPONENTS: usize = 64;
/// Entries of a map of permissions.
pub const MAX_PERMISSIONS: usize = 16;
/// Bytes of an actor in component metadata.
pub const MAX_ACTOR_LEN: usize = 64;
/// How often one wait looks again whether its events have happened, after the platform says that something changed.
pub const MAX_WAKE_UPS: usize = 64;
/// Bytes of a report, without the signature around it.
pub const MAX_REPORT_LEN: usize = 64 * 1024;
/// Entries of each list in a capability report.
pub const MAX_CAPABILITIES: usize = 256;
/// Bytes by which a ciphertext may exceed the size of its image: one block and one tag.
pub const MAX_CIPHERTEXT_OVERHEAD: u64 = 64;
