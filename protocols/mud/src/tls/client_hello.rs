//! The ClientHello of TLS and DTLS (RFC 8446, section 4.1.2; RFC 5246, section 7.4.1.2; RFC 9147, section 5.3).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::labels::{self, extensions};
use super::reader::Reader;
use crate::url::domain_name;

const RANDOM_BYTES: usize = 32;
/// Extensions of one message; clients send some twenty.
const MAX_EXTENSIONS: usize = 128;

/// What a client offers. Lists are in the order of the message and hold reserved numbers too (GREASE, RFC 8701).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// Which protocol it starts.
    pub transport: Transport,
    /// `legacy_version`.
    pub legacy_version: u16,
    /// `cipher_suites`
    pub cipher_suites: Vec<u16>,
    /// Types of all extensions, each once.
    pub extensions: Vec<u16>,
    /// `supported_versions`; absent before TLS 1.3.
    pub supported_versions: Option<Vec<u16>>,
    /// `host_name` of `server_name` in lower case: with an encrypted ClientHello the name of the front.
    pub server_name: Option<String>,
    /// `supported_groups`
    pub supported_groups: Vec<u16>,
    /// Groups of `key_share`.
    pub key_shares: Vec<u16>,
    /// `signature_algorithms`
    pub signature_algorithms: Vec<u16>,
    /// `signature_algorithms_cert`
    pub signature_algorithms_cert: Vec<u16>,
    /// `application_layer_protocol_negotiation`: names as bytes (RFC 7301).
    pub application_protocols: Vec<Vec<u8>>,
    /// `psk_key_exchange_modes`
    pub psk_key_exchange_modes: Vec<u8>,
    /// `compress_certificate` (RFC 8879).
    pub certificate_compression: Vec<u16>,
    /// `certificate_authorities`: distinguished names in DER.
    pub certificate_authorities: Vec<Vec<u8>>,
    /// Whether the message hides another one (RFC 9849).
    pub encrypted: EncryptedClientHello,
}

/// What a ClientHello starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS, over a stream.
    Tls,
    /// DTLS, in datagrams.
    Dtls,
}

/// Whether a ClientHello is only the outside of another one (RFC 9849). A client without a key of the server may send the
/// extension for show, and nobody on the way can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptedClientHello {
    /// There is no such extension.
    Absent,
    /// The outer message: name and protocols may be those of the front, the real ones are hidden.
    Outer,
    /// The mark of an inner message, which has no place in the open.
    Inner,
}

/// Why bytes are no ClientHello. Offsets count from its first byte behind the handshake header.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloFault {
    /// It ends inside of a field.
    Truncated {
        /// Where it ends.
        at: usize,
    },
    /// Something follows the last field of a vector or of the message.
    Trailing {
        /// Where that begins.
        at: usize,
    },
    /// A list that has to have entries has none, or half of one.
    List {
        /// Where the list begins.
        at: usize,
    },
    /// An extension stands there twice (RFC 8446, section 4.2).
    DuplicateExtension {
        /// Where the second begins.
        at: usize,
    },
    /// More extensions than anybody sends.
    TooManyExtensions,
    /// The server name is no host name (RFC 6066, section 3).
    ServerName {
        /// Where the extension begins.
        at: usize,
    },
    /// The encrypted ClientHello is of an unknown kind.
    Encrypted {
        /// Where the extension begins.
        at: usize,
    },
}

impl ClientHello {
    /// Reads the body of the handshake message.
    ///
    /// # Errors
    /// When it is not exactly one ClientHello. A message that two readers could understand differently is refused.
    pub fn decode(transport: Transport, body: &[u8]) -> Result<Self, HelloFault> {
        let mut reader = Reader::new(body);
        let legacy_version = reader.u16()?;
        reader.take(RANDOM_BYTES)?;
        reader.vector(1)?;
        if transport == Transport::Dtls {
            // The cookie.
            reader.vector(1)?;
        }
        let cipher_suites = numbers(reader.vector(2)?)?;
        let compression = reader.vector(1)?;
        if compression.is_empty() {
            return Err(HelloFault::List { at: compression.at() });
        }
        let mut hello = Self {
            transport,
            legacy_version,
            cipher_suites,
            extensions: Vec::new(),
            supported_versions: None,
            server_name: None,
            supported_groups: Vec::new(),
            key_shares: Vec::new(),
            signature_algorithms: Vec::new(),
            signature_algorithms_cert: Vec::new(),
            application_protocols: Vec::new(),
            psk_key_exchange_modes: Vec::new(),
            certificate_compression: Vec::new(),
            certificate_authorities: Vec::new(),
            encrypted: EncryptedClientHello::Absent,
        };
        // TLS 1.2 knows messages that end here (RFC 5246, section 7.4.1.2).
        if !reader.is_empty() {
            let mut list = reader.vector(2)?;
            while !list.is_empty() {
                hello.extension(&mut list)?;
            }
        }
        reader.end()?;
        Ok(hello)
    }

    /// The versions the client is ready for: those of `supported_versions`, else the one of `legacy_version`. Reserved
    /// numbers are left out.
    pub fn versions(&self) -> Vec<u16> {
        match &self.supported_versions {
            Some(versions) => versions.iter().copied().filter(|v| !labels::is_grease(*v)).collect(),
            None => alloc::vec![self.legacy_version],
        }
    }

    fn extension(&mut self, list: &mut Reader<'_>) -> Result<(), HelloFault> {
        let at = list.at();
        let kind = list.u16()?;
        let mut content = list.vector(2)?;
        if self.extensions.contains(&kind) {
            return Err(HelloFault::DuplicateExtension { at });
        }
        if self.extensions.len() == MAX_EXTENSIONS {
            return Err(HelloFault::TooManyExtensions);
        }
        self.extensions.push(kind);
        let content = &mut content;
        match kind {
            extensions::SERVER_NAME => self.server_name = Some(server_name(content, at)?),
            extensions::SUPPORTED_VERSIONS => self.supported_versions = Some(numbers(content.vector(1)?)?),
            extensions::SUPPORTED_GROUPS => self.supported_groups = numbers(content.vector(2)?)?,
            extensions::SIGNATURE_ALGORITHMS => self.signature_algorithms = numbers(content.vector(2)?)?,
            extensions::SIGNATURE_ALGORITHMS_CERT => {
                self.signature_algorithms_cert = numbers(content.vector(2)?)?;
            }
            extensions::COMPRESS_CERTIFICATE => self.certificate_compression = numbers(content.vector(1)?)?,
            extensions::PSK_KEY_EXCHANGE_MODES => {
                let modes = content.vector(1)?;
                if modes.is_empty() {
                    return Err(HelloFault::List { at: modes.at() });
                }
                self.psk_key_exchange_modes = modes.rest().to_vec();
            }
            extensions::APPLICATION_LAYER_PROTOCOL_NEGOTIATION => {
                self.application_protocols = names(content.vector(2)?, 1)?;
            }
            extensions::CERTIFICATE_AUTHORITIES => {
                self.certificate_authorities = names(content.vector(2)?, 2)?;
            }
            extensions::KEY_SHARE => {
                // May be empty: the client asks which group to use (RFC 8446, section 4.2.8).
                let mut shares = content.vector(2)?;
                while !shares.is_empty() {
                    self.key_shares.push(shares.u16()?);
                    shares.vector(2)?;
                }
            }
            extensions::ENCRYPTED_CLIENT_HELLO => {
                self.encrypted = match content.u8()? {
                    labels::ECH_OUTER => EncryptedClientHello::Outer,
                    labels::ECH_INNER => EncryptedClientHello::Inner,
                    _ => return Err(HelloFault::Encrypted { at }),
                };
                return Ok(());
            }
            // Its content says nothing that a profile asks for.
            _ => return Ok(()),
        }
        content.end()
    }
}

/// The one host name (RFC 6066, section 3). An empty extension is what servers send, and never a client.
fn server_name(content: &mut Reader<'_>, at: usize) -> Result<String, HelloFault> {
    let fault = HelloFault::ServerName { at };
    let mut list = content.vector(2)?;
    if list.u8()? != labels::HOST_NAME {
        return Err(fault);
    }
    let name = list.vector(2)?.rest();
    list.end()?;
    core::str::from_utf8(name).ok().and_then(domain_name).ok_or(fault)
}

/// A list of numbers of two bytes, at least one.
fn numbers(list: Reader<'_>) -> Result<Vec<u16>, HelloFault> {
    let at = list.at();
    let (pairs, rest) = list.rest().as_chunks();
    match (pairs, rest) {
        ([], _) | (_, [_, ..]) => Err(HelloFault::List { at }),
        (pairs, []) => Ok(pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect()),
    }
}

/// A list of byte strings, at least one, none of them empty.
fn names(mut list: Reader<'_>, width: usize) -> Result<Vec<Vec<u8>>, HelloFault> {
    let at = list.at();
    let mut names = Vec::new();
    while !list.is_empty() {
        let name = list.vector(width)?.rest();
        if name.is_empty() {
            return Err(HelloFault::List { at });
        }
        names.push(name.to_vec());
    }
    if names.is_empty() { Err(HelloFault::List { at }) } else { Ok(names) }
}

impl fmt::Display for HelloFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { at } => write!(f, "ends inside of a field at byte {at}"),
            Self::Trailing { at } => write!(f, "something follows at byte {at}"),
            Self::List { at } => write!(f, "empty or uneven list at byte {at}"),
            Self::DuplicateExtension { at } => write!(f, "an extension is repeated at byte {at}"),
            Self::TooManyExtensions => f.write_str("too many extensions"),
            Self::ServerName { at } => write!(f, "the server name at byte {at} is no host name"),
            Self::Encrypted { at } => {
                write!(f, "the encrypted ClientHello at byte {at} is of an unknown kind")
            }
        }
    }
}

impl core::error::Error for HelloFault {}
