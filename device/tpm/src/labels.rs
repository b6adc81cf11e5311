//! Numbers of the TPM 2.0 Library specification, part 2, by the names that they have there.

/// TPM_ST: the tag of what has no sessions, and of every refusal.
pub(crate) const ST_NO_SESSIONS: u16 = 0x8001;
/// TPM_ST: the tag of what has sessions.
pub(crate) const ST_SESSIONS: u16 = 0x8002;
/// TPM_ST: tag of a ticket about a hash that the TPM made.
pub(crate) const ST_HASHCHECK: u16 = 0x8024;

pub(crate) const CC_CREATE_PRIMARY: u32 = 0x131;
pub(crate) const CC_SEQUENCE_COMPLETE: u32 = 0x13e;
pub(crate) const CC_CREATE: u32 = 0x153;
pub(crate) const CC_LOAD: u32 = 0x157;
pub(crate) const CC_HMAC_START: u32 = 0x15b;
pub(crate) const CC_SEQUENCE_UPDATE: u32 = 0x15c;
pub(crate) const CC_SIGN: u32 = 0x15d;
pub(crate) const CC_FLUSH_CONTEXT: u32 = 0x165;
pub(crate) const CC_READ_PUBLIC: u32 = 0x173;
pub(crate) const CC_GET_CAPABILITY: u32 = 0x17a;

pub(crate) const RH_OWNER: u32 = 0x4000_0001;
pub(crate) const RH_NULL: u32 = 0x4000_0007;
/// The session in which a password is given.
pub(crate) const RS_PW: u32 = 0x4000_0009;
/// The first handle of objects that are lost at a reset.
pub(crate) const TRANSIENT_FIRST: u32 = 0x8000_0000;
/// The first byte of all of their handles.
pub(crate) const HT_TRANSIENT: u32 = 0x80;

pub(crate) const CAP_HANDLES: u32 = 1;

pub(crate) const ALG_HMAC: u16 = 0x0005;
pub(crate) const ALG_AES: u16 = 0x0006;
pub(crate) const ALG_KEYEDHASH: u16 = 0x0008;
pub(crate) const ALG_SHA256: u16 = 0x000b;
pub(crate) const ALG_NULL: u16 = 0x0010;
pub(crate) const ALG_ECDSA: u16 = 0x0018;
pub(crate) const ALG_ECC: u16 = 0x0023;
pub(crate) const ALG_CFB: u16 = 0x0043;

pub(crate) const ECC_NIST_P256: u16 = 0x0003;

/// TPMA_OBJECT: it cannot be moved to another TPM.
const FIXED_TPM: u32 = 1 << 1;
/// TPMA_OBJECT: nor below another parent.
const FIXED_PARENT: u32 = 1 << 4;
/// TPMA_OBJECT: the TPM itself made the secret part.
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
/// TPMA_OBJECT: used with a password, which is empty here.
const USER_WITH_AUTH: u32 = 1 << 6;
/// TPMA_OBJECT: there is nothing to guess, so that wrong guesses of others lock nothing here.
const NO_DA: u32 = 1 << 10;
/// TPMA_OBJECT: used for what the TPM made only.
const RESTRICTED: u32 = 1 << 16;
/// TPMA_OBJECT: decrypts.
const DECRYPT: u32 = 1 << 17;
/// TPMA_OBJECT: signs or authenticates.
const SIGN: u32 = 1 << 18;

/// What every key here is: made in its TPM, and bound to it.
const BOUND: u32 = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | NO_DA;
/// Attributes of a key that other keys are wrapped with.
pub(crate) const STORAGE_ATTRIBUTES: u32 = BOUND | RESTRICTED | DECRYPT;
/// Attributes of a key that signs what it is given.
pub(crate) const SIGNING_ATTRIBUTES: u32 = BOUND | SIGN;
