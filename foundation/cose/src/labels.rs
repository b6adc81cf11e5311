//! Numbers from the COSE registries, under their registered names.

/// CBOR tag of COSE_Encrypt0 (RFC 9052, section 2).
pub const TAG_ENCRYPT0: u64 = 16;
/// CBOR tag of COSE_Mac0 (RFC 9052, section 2).
pub const TAG_MAC0: u64 = 17;
/// CBOR tag of COSE_Sign1 (RFC 9052, section 2).
pub const TAG_SIGN1: u64 = 18;
/// CBOR tag of COSE_Encrypt (RFC 9052, section 2).
pub const TAG_ENCRYPT: u64 = 96;
/// CBOR tag of COSE_Sign (RFC 9052, section 2).
pub const TAG_SIGN: u64 = 98;

/// Header parameter: algorithm (RFC 9052, section 3.1).
pub const ALG: i64 = 1;
/// Header parameter: labels the recipient must understand (RFC 9052, section 3.1).
pub const CRIT: i64 = 2;
/// Header parameter: content type of the payload (RFC 9052, section 3.1).
pub const CONTENT_TYPE: i64 = 3;
/// Header parameter: key identifier (RFC 9052, section 3.1).
pub const KID: i64 = 4;
/// Header parameter: initialisation vector (RFC 9052, section 3.1).
pub const IV: i64 = 5;
/// Header parameter: part of an initialisation vector (RFC 9052, section 3.1).
pub const PARTIAL_IV: i64 = 6;
/// Header parameter: CWT claims (RFC 9597, section 2).
pub const CWT_CLAIMS: i64 = 15;
/// Header parameter: certificate chain, end entity first (RFC 9360, section 2).
pub const X5CHAIN: i64 = 33;
/// Header parameter: hash of the end-entity certificate (RFC 9360, section 2).
pub const X5T: i64 = 34;
/// Header parameter: URI of a certificate chain (RFC 9360, section 2).
pub const X5U: i64 = 35;

/// Header parameter of a recipient: ephemeral key of the sender (RFC 9053, section 6.3.1).
pub const EPHEMERAL_KEY: i64 = -1;
/// Header parameter of a recipient: salt of the key derivation (RFC 9053, section 5.1).
pub const SALT: i64 = -20;
/// Header parameters of a recipient: identity, nonce and other of both parties (RFC 9053, section 5.2).
pub const PARTY_INFO: core::ops::RangeInclusive<i64> = -26..=-21;

/// Key parameter: key type (RFC 9052, section 7.1).
pub const KEY_KTY: i64 = 1;
/// Key parameter: key identifier (RFC 9052, section 7.1).
pub const KEY_KID: i64 = 2;
/// Key parameter: the only algorithm the key may be used with (RFC 9052, section 7.1).
pub const KEY_ALG: i64 = 3;
/// Key parameter: the operations the key may be used for (RFC 9052, section 7.1).
pub const KEY_OPS: i64 = 4;
/// Key parameter of EC2 and OKP keys: curve (RFC 9053, section 7).
pub const KEY_CRV: i64 = -1;
/// Key parameter of EC2 and OKP keys: x-coordinate or public key (RFC 9053, section 7).
pub const KEY_X: i64 = -2;
/// Key parameter of EC2 keys: y-coordinate (RFC 9053, section 7.1.1).
pub const KEY_Y: i64 = -3;
/// Key parameter of EC2 and OKP keys: private key (RFC 9053, section 7).
pub const KEY_D: i64 = -4;
/// Key parameter of symmetric keys: the key (RFC 9053, section 7.3).
pub const KEY_K: i64 = -1;
/// Key parameter of HSS/LMS keys: public key (RFC 8778, section 6).
pub const KEY_PUB: i64 = -1;

/// Key parameter of RSA keys: modulus (RFC 8230, section 4).
pub const KEY_RSA_N: i64 = -1;
/// Key parameter of RSA keys: exponent (RFC 8230, section 4).
pub const KEY_RSA_E: i64 = -2;

/// Key type: octet key pair (RFC 9053, section 7).
pub const KTY_OKP: i64 = 1;
/// Key type: elliptic curve with two coordinates (RFC 9053, section 7).
pub const KTY_EC2: i64 = 2;
/// Key type: RSA (RFC 8230, section 4).
pub const KTY_RSA: i64 = 3;
/// Key type: symmetric (RFC 9053, section 7).
pub const KTY_SYMMETRIC: i64 = 4;
/// Key type: HSS/LMS hash-based signatures (RFC 8778, section 6).
pub const KTY_HSS_LMS: i64 = 5;

/// Curve: P-256 (RFC 9053, section 7.1).
pub const CRV_P256: i64 = 1;
/// Curve: P-384 (RFC 9053, section 7.1).
pub const CRV_P384: i64 = 2;
/// Curve: Ed25519 (RFC 9053, section 7.1).
pub const CRV_ED25519: i64 = 6;

/// Key operation: create a signature (RFC 9052, section 7.1).
pub const OP_SIGN: i64 = 1;
/// Key operation: verify a signature (RFC 9052, section 7.1).
pub const OP_VERIFY: i64 = 2;
/// Key operation: wrap a key (RFC 9052, section 7.1).
pub const OP_WRAP: i64 = 5;
/// Key operation: unwrap a key (RFC 9052, section 7.1).
pub const OP_UNWRAP: i64 = 6;
/// Key operation: derive a key (RFC 9052, section 7.1).
pub const OP_DERIVE_KEY: i64 = 7;
/// Key operation: derive bits (RFC 9052, section 7.1).
pub const OP_DERIVE_BITS: i64 = 8;
/// Key operation: create a MAC (RFC 9052, section 7.1).
pub const OP_MAC_CREATE: i64 = 9;
/// Key operation: verify a MAC (RFC 9052, section 7.1).
pub const OP_MAC_VERIFY: i64 = 10;

/// Algorithm: ECDH-ES with HKDF-SHA-256, then AES key wrap with 128 bits (RFC 9053, section 6.4.1).
pub const ECDH_ES_A128KW: i64 = -29;
/// Algorithm: ECDH-ES with HKDF-SHA-256, then AES key wrap with 192 bits (RFC 9053, section 6.4.1).
pub const ECDH_ES_A192KW: i64 = -30;
/// Algorithm: ECDH-ES with HKDF-SHA-256, then AES key wrap with 256 bits (RFC 9053, section 6.4.1).
pub const ECDH_ES_A256KW: i64 = -31;

/// Algorithm: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8812, section 2).
pub const RS256: i64 = -257;
/// Algorithm: RSASSA-PKCS1-v1_5 with SHA-384 (RFC 8812, section 2).
pub const RS384: i64 = -258;
