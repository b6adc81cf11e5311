//! Numbers of FDO 1.1.

/// Protocol version 1.1 as messages and vouchers name it (section 3.3.1).
pub const PROTOCOL_VERSION: u64 = 101;

/// pkType: RSA of 2048 bits with exponent 65537 (section 3.3.4).
pub const RSA2048RESTR: u64 = 1;
/// pkType: RSA with PKCS #1 v1.5 padding.
pub const RSAPKCS: u64 = 5;
/// pkType: ECDSA on P-256.
pub const SECP256R1: u64 = 10;
/// pkType: ECDSA on P-384.
pub const SECP384R1: u64 = 11;

/// pkEnc: SubjectPublicKeyInfo in DER (section 3.3.4).
pub const X509: u64 = 1;
/// pkEnc: certificates in DER, the key's own first.
pub const X5CHAIN: u64 = 2;
/// pkEnc: COSE_Key.
pub const COSEKEY: u64 = 3;

/// Cipher suite: AES-CBC with 128 bits and HMAC-SHA256 (section 4.4).
pub const COSEAES128CBC: i64 = -17_760_703;
/// Cipher suite: AES-CTR with 128 bits and HMAC-SHA256.
pub const COSEAES128CTR: i64 = -17_760_704;
/// Cipher suite: AES-CBC with 256 bits and HMAC-SHA384.
pub const COSEAES256CBC: i64 = -17_760_705;
/// Cipher suite: AES-CTR with 256 bits and HMAC-SHA384.
pub const COSEAES256CTR: i64 = -17_760_706;

/// Variables of rendezvous instructions (section 3.7.2).
pub mod rendezvous {
    /// RVDevOnly: for the device alone.
    pub const DEVICE_ONLY: u64 = 0;
    /// RVOwnerOnly: for the owner alone.
    pub const OWNER_ONLY: u64 = 1;
    /// RVIPAddress.
    pub const IP_ADDRESS: u64 = 2;
    /// RVDevPort.
    pub const DEVICE_PORT: u64 = 3;
    /// RVOwnerPort.
    pub const OWNER_PORT: u64 = 4;
    /// RVDns.
    pub const DNS: u64 = 5;
    /// RVSvCertHash: hash of the server's certificate.
    pub const SERVER_CERTIFICATE: u64 = 6;
    /// RVClCertHash: hash of the certificate of the server's authority.
    pub const AUTHORITY_CERTIFICATE: u64 = 7;
    /// RVUserInput.
    pub const USER_INPUT: u64 = 8;
    /// RVWifiSsid.
    pub const WIFI_SSID: u64 = 9;
    /// RVWifiPw.
    pub const WIFI_PASSWORD: u64 = 10;
    /// RVMedium.
    pub const MEDIUM: u64 = 11;
    /// RVProtocol.
    pub const PROTOCOL: u64 = 12;
    /// RVDelaysec.
    pub const DELAY: u64 = 13;
    /// RVBypass.
    pub const BYPASS: u64 = 14;
    /// RVExtRV.
    pub const EXTERNAL: u64 = 15;
}

/// Claim of a device's token: the other side's nonce (section 3.3.6).
pub const EAT_NONCE: i64 = 10;
/// Claim of a device's token: the UEID, which is the GUID behind the type of random ones.
pub const EAT_UEID: i64 = 256;
/// Where some implementations write the UEID. What is signed is the same.
pub const EAT_UEID_OF_OTHERS: i64 = 11;
/// Claim of a device's token: what the message adds, such as a part of the key exchange.
pub const EAT_FDO: i64 = -257;
/// Unprotected header parameter of a device's token: the device's own nonce (EUPHNonce).
pub const EUPH_NONCE: i64 = -259;
/// Unprotected header parameter of the owner's proof: the owner's nonce (CUPHNonce).
pub const CUPH_NONCE: i64 = 256;
/// Unprotected header parameter of the owner's proof: the owner's key (CUPHOwnerPubKey).
pub const CUPH_OWNER_KEY: i64 = 257;
