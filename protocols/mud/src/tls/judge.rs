//! Whether a ClientHello keeps to the profiles of an entry (RFC 9761): whatever the client offers has to be in the lists
//! of one profile. A list that is empty restricts nothing; reserved numbers (GREASE) are nobody's choice and not compared.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::client_hello::{ClientHello, EncryptedClientHello, Transport};
use super::labels::{self, is_grease, is_grease_mode, is_grease_protocol};
use crate::extensions::{TlsProfile, TlsVersion};

/// The outcome of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsVerdict<'p> {
    /// The entry has no profiles.
    Unrestricted,
    /// The client keeps to this profile.
    Follows(&'p TlsProfile),
    /// The client keeps to none.
    Violates {
        /// The profile that comes closest.
        closest: &'p TlsProfile,
        /// What the client offers beyond it, at least one.
        violations: Vec<Violation>,
    },
}

/// Something that a client offers and its profile does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// TLS where the profile is for DTLS, or the reverse.
    Transport(Transport),
    /// A version of the protocol, by its number on the wire.
    Version(u16),
    /// A cipher suite.
    CipherSuite(u16),
    /// An extension.
    ExtensionType(u16),
    /// A group, in `supported_groups` or `key_share`.
    SupportedGroup(u16),
    /// A signature algorithm.
    SignatureAlgorithm(u16),
    /// A signature algorithm for certificates.
    SignatureAlgorithmCert(u16),
    /// A way to use pre-shared keys.
    PskKeyExchangeMode(u8),
    /// An application protocol, as bytes.
    ApplicationProtocol(Vec<u8>),
    /// A way to compress certificates.
    CertificateCompression(u16),
    /// A certificate authority: its name in DER.
    CertificateAuthority(Vec<u8>),
    /// The mark of an inner ClientHello in the open, which no honest client sends (RFC 9849, section 5).
    InnerInTheOpen,
}

/// What the server name of a ClientHello says about the name that an entry permits. An address is shared by many names,
/// so this narrows what a name permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameCheck {
    /// It is the same name.
    Same,
    /// It is another one.
    Other,
    /// The client gives none.
    Absent,
    /// The name is that of a front, and the real one is encrypted.
    Hidden,
}

/// Compares a ClientHello with profiles, of which it has to keep to one. `same_name` says whether a distinguished name in
/// text, from the profile, is that in DER, from the message.
pub fn judge<'p>(
    hello: &ClientHello,
    profiles: &'p [TlsProfile],
    same_name: impl Fn(&str, &[u8]) -> bool,
) -> TlsVerdict<'p> {
    let compared = profiles.iter().map(|profile| (profile, violations(hello, profile, &same_name)));
    match compared.min_by_key(|(_, violations)| violations.len()) {
        None => TlsVerdict::Unrestricted,
        Some((profile, violations)) if violations.is_empty() => TlsVerdict::Follows(profile),
        Some((closest, violations)) => TlsVerdict::Violates { closest, violations },
    }
}

impl ClientHello {
    /// Compares the server name with one in lower case and without trailing dot.
    pub fn names(&self, name: &str) -> NameCheck {
        match (&self.server_name, self.encrypted) {
            (_, EncryptedClientHello::Outer) => NameCheck::Hidden,
            (None, _) => NameCheck::Absent,
            (Some(found), _) if found == name => NameCheck::Same,
            (Some(_), _) => NameCheck::Other,
        }
    }
}

fn violations(
    hello: &ClientHello,
    profile: &TlsProfile,
    same_name: impl Fn(&str, &[u8]) -> bool,
) -> Vec<Violation> {
    let mut found = Vec::new();
    versions(hello, profile, &mut found);
    if hello.encrypted == EncryptedClientHello::Inner {
        found.push(Violation::InnerInTheOpen);
    }
    let mut numbers = |offered: &[u16], allowed: &[u16], violation: fn(u16) -> Violation| {
        let beyond = offered.iter().filter(|n| !is_grease(**n) && !allowed.contains(n));
        if !allowed.is_empty() {
            found.extend(beyond.map(|number| violation(*number)));
        }
    };
    numbers(&hello.cipher_suites, &profile.cipher_suites, Violation::CipherSuite);
    numbers(&hello.extensions, &profile.extension_types, Violation::ExtensionType);
    numbers(&hello.supported_groups, &profile.supported_groups, Violation::SupportedGroup);
    // Clients give keys for groups that they support; one that does not is caught here.
    let extra: Vec<u16> =
        hello.key_shares.iter().copied().filter(|group| !hello.supported_groups.contains(group)).collect();
    numbers(&extra, &profile.supported_groups, Violation::SupportedGroup);
    numbers(&hello.signature_algorithms, &profile.signature_algorithms, Violation::SignatureAlgorithm);
    numbers(
        &hello.signature_algorithms_cert,
        &profile.signature_algorithms_cert,
        Violation::SignatureAlgorithmCert,
    );
    numbers(
        &hello.certificate_compression,
        &profile.cert_compression_algorithms,
        Violation::CertificateCompression,
    );
    let modes = &profile.psk_key_exchange_modes;
    if !modes.is_empty() {
        let beyond =
            hello.psk_key_exchange_modes.iter().filter(|m| !is_grease_mode(**m) && !modes.contains(m));
        found.extend(beyond.map(|mode| Violation::PskKeyExchangeMode(*mode)));
    }
    let protocols = &profile.application_protocols;
    if !protocols.is_empty() {
        let known = |name: &[u8]| protocols.iter().any(|protocol| protocol.as_bytes() == name);
        let beyond = hello.application_protocols.iter().filter(|n| !is_grease_protocol(n) && !known(n));
        found.extend(beyond.map(|name| Violation::ApplicationProtocol(name.clone())));
    }
    let authorities = &profile.certificate_authorities;
    if !authorities.is_empty() {
        let known = |der: &[u8]| authorities.iter().any(|authority| same_name(authority, der));
        let beyond = hello.certificate_authorities.iter().filter(|der| !known(der));
        found.extend(beyond.map(|der| Violation::CertificateAuthority(der.clone())));
    }
    found
}

fn versions(hello: &ClientHello, profile: &TlsProfile, found: &mut Vec<Violation>) {
    if profile.tls_versions.is_empty() && profile.dtls_versions.is_empty() {
        return;
    }
    let allowed = match hello.transport {
        Transport::Tls => &profile.tls_versions,
        Transport::Dtls => &profile.dtls_versions,
    };
    if allowed.is_empty() {
        return found.push(Violation::Transport(hello.transport));
    }
    let beyond = hello
        .versions()
        .into_iter()
        .filter(|number| version(hello.transport, *number).is_none_or(|version| !allowed.contains(&version)));
    found.extend(beyond.map(Violation::Version));
}

/// The version of a number on the wire; none for those that are older than what profiles know.
fn version(transport: Transport, number: u16) -> Option<TlsVersion> {
    match (transport, number) {
        (Transport::Tls, labels::TLS_1_2) | (Transport::Dtls, labels::DTLS_1_2) => Some(TlsVersion::V1_2),
        (Transport::Tls, labels::TLS_1_3) => Some(TlsVersion::V1_3),
        // RFC 9761 gives the number of TLS 1.3 for DTLS 1.3, which has its own (RFC 9147, section 5.3).
        (Transport::Dtls, labels::DTLS_1_3 | labels::TLS_1_3) => Some(TlsVersion::V1_3),
        _ => None,
    }
}

impl Violation {
    /// Stable name of the kind of violation: the leaf of the profile it is about.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transport(_) => "tls-transport",
            Self::Version(_) => "tls-version",
            Self::CipherSuite(_) => "tls-cipher-suite",
            Self::ExtensionType(_) => "tls-extension-type",
            Self::SupportedGroup(_) => "tls-supported-group",
            Self::SignatureAlgorithm(_) => "tls-signature-algorithm",
            Self::SignatureAlgorithmCert(_) => "tls-signature-algorithm-cert",
            Self::PskKeyExchangeMode(_) => "tls-psk-key-exchange-mode",
            Self::ApplicationProtocol(_) => "tls-application-protocol",
            Self::CertificateCompression(_) => "tls-cert-compression-algorithm",
            Self::CertificateAuthority(_) => "tls-certificate-authority",
            Self::InnerInTheOpen => "tls-inner-client-hello",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(Transport::Tls) => f.write_str("TLS instead of DTLS"),
            Self::Transport(Transport::Dtls) => f.write_str("DTLS instead of TLS"),
            Self::Version(number) => write!(f, "version {number:#06x}"),
            Self::CipherSuite(number) => write!(f, "cipher suite {number:#06x}"),
            Self::ExtensionType(number) => write!(f, "extension {number}"),
            Self::SupportedGroup(number) => write!(f, "group {number}"),
            Self::SignatureAlgorithm(number) => write!(f, "signature algorithm {number:#06x}"),
            Self::SignatureAlgorithmCert(number) => {
                write!(f, "signature algorithm {number:#06x} for certificates")
            }
            Self::PskKeyExchangeMode(mode) => write!(f, "mode {mode} of pre-shared keys"),
            Self::ApplicationProtocol(name) => {
                write!(f, "application protocol {:?}", String::from_utf8_lossy(name))
            }
            Self::CertificateCompression(number) => write!(f, "certificate compression {number}"),
            Self::CertificateAuthority(_) => f.write_str("a certificate authority"),
            Self::InnerInTheOpen => f.write_str("an inner ClientHello in the open"),
        }
    }
}
