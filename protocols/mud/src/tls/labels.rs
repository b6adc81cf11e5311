//! Numbers of the TLS registries (RFC 8446, RFC 9147, RFC 8701), as far as a ClientHello needs them.

/// Record content type `handshake`.
pub(super) const HANDSHAKE: u8 = 22;
/// Handshake message type `client_hello`.
pub(super) const CLIENT_HELLO: u8 = 1;
/// Most bytes of a record in plain text (RFC 8446, section 5.1).
pub(super) const MAX_RECORD: usize = 1 << 14;

pub(super) const TLS_1_2: u16 = 0x0303;
pub(super) const TLS_1_3: u16 = 0x0304;
pub(super) const DTLS_1_2: u16 = 0xfefd;
pub(super) const DTLS_1_3: u16 = 0xfefc;
/// First byte of the version of a TLS record, whatever the version.
pub(super) const TLS_MAJOR: u8 = 3;
/// First byte of the version of a DTLS record, whatever the version.
pub(super) const DTLS_MAJOR: u8 = 0xfe;

/// Extension types.
pub(super) mod extensions {
    pub(in super::super) const SERVER_NAME: u16 = 0;
    pub(in super::super) const SUPPORTED_GROUPS: u16 = 10;
    pub(in super::super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(in super::super) const APPLICATION_LAYER_PROTOCOL_NEGOTIATION: u16 = 16;
    pub(in super::super) const COMPRESS_CERTIFICATE: u16 = 27;
    pub(in super::super) const SUPPORTED_VERSIONS: u16 = 43;
    pub(in super::super) const PSK_KEY_EXCHANGE_MODES: u16 = 45;
    pub(in super::super) const CERTIFICATE_AUTHORITIES: u16 = 47;
    pub(in super::super) const SIGNATURE_ALGORITHMS_CERT: u16 = 50;
    pub(in super::super) const KEY_SHARE: u16 = 51;
    /// RFC 9849.
    pub(in super::super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
}

/// `host_name`, the only kind of server name there is (RFC 6066, section 3).
pub(super) const HOST_NAME: u8 = 0;
/// `outer` and `inner` of the encrypted ClientHello (RFC 9849, section 5).
pub(super) const ECH_OUTER: u8 = 0;
pub(super) const ECH_INNER: u8 = 1;

/// True for the numbers that clients send so that servers learn to ignore what they do not know (RFC 8701, section 2).
pub(super) fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// The same among modes of key exchange, which have one byte (RFC 8701, section 2): every 31st number from 11 on.
pub(super) fn is_grease_mode(mode: u8) -> bool {
    mode % 31 == 11
}

/// The same among application protocols: names of two such bytes.
pub(super) fn is_grease_protocol(name: &[u8]) -> bool {
    matches!(name, [high, low] if is_grease(u16::from_be_bytes([*high, *low])))
}
