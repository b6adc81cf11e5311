//! Labels of claims.

/// Claims of RFC 8392, section 4, and RFC 8747, section 3.1.
pub(crate) const ISS: i64 = 1;
pub(crate) const SUB: i64 = 2;
pub(crate) const AUD: i64 = 3;
pub(crate) const EXP: i64 = 4;
pub(crate) const NBF: i64 = 5;
pub(crate) const IAT: i64 = 6;
pub(crate) const CTI: i64 = 7;
pub(crate) const CNF: i64 = 8;

/// The confirmation method COSE_Key (RFC 8747, section 3.1).
pub(crate) const CNF_COSE_KEY: i64 = 1;

/// Claims of RFC 9711, section 4.
pub(crate) const NONCE: i64 = 10;
pub(crate) const UEID: i64 = 256;
pub(crate) const SUEIDS: i64 = 257;
pub(crate) const OEMID: i64 = 258;
pub(crate) const HWMODEL: i64 = 259;
pub(crate) const HWVERSION: i64 = 260;
pub(crate) const UPTIME: i64 = 261;
pub(crate) const OEMBOOT: i64 = 262;
pub(crate) const DBGSTAT: i64 = 263;
pub(crate) const LOCATION: i64 = 264;
pub(crate) const PROFILE: i64 = 265;
pub(crate) const SUBMODS: i64 = 266;
pub(crate) const BOOTCOUNT: i64 = 267;
pub(crate) const BOOTSEED: i64 = 268;
pub(crate) const DLOAS: i64 = 269;
pub(crate) const SWNAME: i64 = 270;
pub(crate) const SWVERSION: i64 = 271;
pub(crate) const MANIFESTS: i64 = 272;
pub(crate) const MEASUREMENTS: i64 = 273;
pub(crate) const MEASRES: i64 = 274;
pub(crate) const INTUSE: i64 = 275;

/// JSON names of claims that have a label: in CBOR they may not stand as text (RFC 9711, section 7.2).
pub(crate) const NAMES: [&str; 30] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "cti",
    "jti",
    "cnf",
    "eat_nonce",
    "ueid",
    "sueids",
    "oemid",
    "hwmodel",
    "hwversion",
    "uptime",
    "oemboot",
    "dbgstat",
    "location",
    "eat_profile",
    "submods",
    "bootcount",
    "bootseed",
    "dloas",
    "swname",
    "swversion",
    "manifests",
    "measurements",
    "measres",
    "intuse",
];

/// Claims of attestation results (draft-ietf-rats-ear, section 3).
pub(crate) const EAR_STATUS: i64 = 1000;
pub(crate) const EAR_TRUST_VECTOR: i64 = 1001;
pub(crate) const EAR_RAW_EVIDENCE: i64 = 1002;
pub(crate) const EAR_POLICY_IDS: i64 = 1003;
pub(crate) const EAR_VERIFIER_ID: i64 = 1004;
pub(crate) const EAR_ATTESTER_CLAIMS: i64 = 1005;
pub(crate) const EAR_VERIFIER_CLAIMS: i64 = 1006;
pub(crate) const EAR_TOPOLOGY: i64 = 1007;

/// Entries of `ear_verifier_id`.
pub(crate) const VERIFIER_DEVELOPER: i64 = 0;
pub(crate) const VERIFIER_BUILD: i64 = 1;

/// Private claims of this product: the device's own account of its state, in evidence.
pub(crate) const DEVICE_STATUS: i64 = -75501;
/// Private verifier claims of this product: digest of the manifest of the release that matched.
pub(crate) const RELEASE: i64 = -75601;
/// Private verifier claims of this product: why the vector is what it is.
pub(crate) const REASONS: i64 = -75602;

/// Claims of PSA and CCA platform tokens (RFC 9783, section 4; draft-ffm-rats-cca-token, section 4.6).
pub(crate) const PSA_CLIENT_ID: i64 = 2394;
pub(crate) const PSA_LIFECYCLE: i64 = 2395;
pub(crate) const PSA_IMPLEMENTATION_ID: i64 = 2396;
/// Boot seed of the profile before RFC 9783, which uses the claim of EAT.
pub(crate) const PSA_OLD_BOOT_SEED: i64 = 2397;
pub(crate) const PSA_CERTIFICATION: i64 = 2398;
pub(crate) const PSA_COMPONENTS: i64 = 2399;
pub(crate) const PSA_SERVICE: i64 = 2400;
pub(crate) const CCA_CONFIG: i64 = 2401;
pub(crate) const CCA_HASH_ALGORITHM: i64 = 2402;

/// Claims of PSA_IOT_PROFILE_1.
pub(crate) const IOT_PROFILE: i64 = -75000;
pub(crate) const IOT_CLIENT_ID: i64 = -75001;
pub(crate) const IOT_LIFECYCLE: i64 = -75002;
pub(crate) const IOT_IMPLEMENTATION_ID: i64 = -75003;
pub(crate) const IOT_BOOT_SEED: i64 = -75004;
pub(crate) const IOT_HARDWARE_VERSION: i64 = -75005;
pub(crate) const IOT_COMPONENTS: i64 = -75006;
pub(crate) const IOT_NO_COMPONENTS: i64 = -75007;
pub(crate) const IOT_NONCE: i64 = -75008;
pub(crate) const IOT_INSTANCE_ID: i64 = -75009;
pub(crate) const IOT_SERVICE: i64 = -75010;

/// Entries of a software component (RFC 9783, section 4.4.1).
pub(crate) const COMPONENT_TYPE: i64 = 1;
pub(crate) const COMPONENT_VALUE: i64 = 2;
pub(crate) const COMPONENT_VERSION: i64 = 4;
pub(crate) const COMPONENT_SIGNER: i64 = 5;
pub(crate) const COMPONENT_DESCRIPTION: i64 = 6;

/// Members of a CCA token, and claims of a realm (draft-ffm-rats-cca-token, sections 4.1 and 4.8).
pub(crate) const CCA_PLATFORM: i64 = 44234;
pub(crate) const CCA_REALM: i64 = 44241;
pub(crate) const REALM_PERSONALISATION: i64 = 44235;
pub(crate) const REALM_HASH_ALGORITHM: i64 = 44236;
pub(crate) const REALM_PUBLIC_KEY: i64 = 44237;
pub(crate) const REALM_INITIAL: i64 = 44238;
pub(crate) const REALM_EXTENSIBLE: i64 = 44239;
pub(crate) const REALM_KEY_HASH_ALGORITHM: i64 = 44240;
