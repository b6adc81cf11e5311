//! RADIUS packets (RFC 2865, section 3) with the authenticators of dynamic authorization (RFC 5176, section 2.3).

use std::fmt;
use std::net::IpAddr;

use crypto::{MD5_LEN, constant_time_eq, hmac_md5, md5};

use crate::Mac;

/// What a packet is (RFC 2865, section 3; RFC 5176, section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Ends sessions.
    DisconnectRequest,
    /// They are ended.
    DisconnectAck,
    /// They are not.
    DisconnectNak,
    /// Changes what sessions may do.
    CoaRequest,
    /// They may do that now.
    CoaAck,
    /// They may do what they might before.
    CoaNak,
}

impl Code {
    const NUMBERS: [(Self, u8); 6] = [
        (Self::DisconnectRequest, 40),
        (Self::DisconnectAck, 41),
        (Self::DisconnectNak, 42),
        (Self::CoaRequest, 43),
        (Self::CoaAck, 44),
        (Self::CoaNak, 45),
    ];

    /// Its number.
    pub fn number(self) -> u8 {
        Self::NUMBERS.iter().find(|(code, _)| *code == self).map_or(0, |(_, number)| *number)
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::NUMBERS.iter().find(|(_, known)| *known == number).map(|(code, _)| *code)
    }
}

/// Attribute types (RFC 2865, RFC 2869, RFC 3162, RFC 4849, RFC 5176).
pub mod attributes {
    /// The user's name, text.
    pub const USER_NAME: u8 = 1;
    /// IPv4 address of the access server.
    pub const NAS_IP_ADDRESS: u8 = 4;
    /// IPv4 address of the device.
    pub const FRAMED_IP_ADDRESS: u8 = 8;
    /// The name of a filter that the access server has, text.
    pub const FILTER_ID: u8 = 11;
    /// The device's MAC address, text.
    pub const CALLING_STATION_ID: u8 = 31;
    /// The name of the access server, text.
    pub const NAS_IDENTIFIER: u8 = 32;
    /// The session, text.
    pub const ACCT_SESSION_ID: u8 = 44;
    /// Seconds since 1970, four octets.
    pub const EVENT_TIMESTAMP: u8 = 55;
    /// HMAC-MD5 of the packet.
    pub const MESSAGE_AUTHENTICATOR: u8 = 80;
    /// Filter rules, text.
    pub const NAS_FILTER_RULE: u8 = 92;
    /// IPv6 address of the access server.
    pub const NAS_IPV6_ADDRESS: u8 = 95;
    /// Why a request was refused, four octets.
    pub const ERROR_CAUSE: u8 = 101;
}

/// What both ends of RADIUS know and nobody else should.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Fewest octets: RFC 2865, section 3, asks for at least 16.
    pub const MIN_LEN: usize = 16;

    /// Takes 16 octets or more.
    pub fn new(secret: &[u8]) -> Result<Self, RadiusError> {
        if secret.len() < Self::MIN_LEN {
            return Err(RadiusError::ShortSecret { found: secret.len() });
        }
        Ok(Self(secret.to_vec()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One attribute (RFC 2865, section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    number: u8,
    value: Vec<u8>,
}

impl Attribute {
    /// Most octets of a value.
    pub const MAX_LEN: usize = 253;

    /// An attribute of a type, with 1 to 253 octets.
    pub fn new(number: u8, value: &[u8]) -> Result<Self, RadiusError> {
        match value.len() {
            1..=Self::MAX_LEN => Ok(Self { number, value: value.to_vec() }),
            found => Err(RadiusError::AttributeLength { number, found }),
        }
    }

    /// The device's address as access servers write it: `02-00-5E-00-00-01` (RFC 3580, section 3.21).
    pub fn calling_station(mac: Mac) -> Self {
        let text = mac.0.map(|octet| format!("{octet:02X}")).join("-");
        Self { number: attributes::CALLING_STATION_ID, value: text.into_bytes() }
    }

    /// The access server's address.
    pub fn access_server(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => {
                Self { number: attributes::NAS_IP_ADDRESS, value: address.octets().to_vec() }
            }
            IpAddr::V6(address) => {
                Self { number: attributes::NAS_IPV6_ADDRESS, value: address.octets().to_vec() }
            }
        }
    }

    /// When a request was made, so that nobody can repeat it for long (RFC 5176, section 6.3).
    pub fn event_timestamp(seconds: u32) -> Self {
        Self { number: attributes::EVENT_TIMESTAMP, value: seconds.to_be_bytes().to_vec() }
    }

    /// The type.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// A packet: what it is and says, without what authenticates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it is.
    pub code: Code,
    /// Which request, of those under way at one time.
    pub identifier: u8,
    /// What it says.
    pub attributes: Vec<Attribute>,
}

impl Packet {
    /// Most octets (RFC 2865, section 3).
    pub const MAX_LEN: usize = 4096;

    /// Encodes a request for dynamic authorization, with its Message-Authenticator (RFC 5176, sections 2.3 and 3.4).
    pub fn encode_request(&self, secret: &Secret) -> Result<Vec<u8>, RadiusError> {
        let mut packet = vec![self.code.number(), self.identifier, 0, 0];
        packet.extend([0; MD5_LEN]);
        // In front, where whoever receives it finds it before all else.
        let at = packet.len() + HEAD;
        put(&mut packet, attributes::MESSAGE_AUTHENTICATOR, &[0; MD5_LEN]);
        for attribute in &self.attributes {
            put(&mut packet, attribute.number, &attribute.value);
        }
        let length = u16::try_from(packet.len()).ok().filter(|length| usize::from(*length) <= Self::MAX_LEN);
        let length = length.ok_or(RadiusError::TooLong { found: packet.len(), limit: Self::MAX_LEN })?;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        let message = hmac_md5(&secret.0, &packet);
        packet[at..at + MD5_LEN].copy_from_slice(&message);
        let authenticator = md5(&[&packet, &secret.0]);
        packet[AUTHENTICATOR].copy_from_slice(&authenticator);
        Ok(packet)
    }

    /// Decodes the answer to a request and verifies that whoever knows the secret gave it to that very request. A
    /// Message-Authenticator must be right where there is one.
    pub fn decode_answer(answer: &[u8], request: &[u8], secret: &Secret) -> Result<Self, RadiusError> {
        let (packet, message) = Self::read(answer)?;
        let requested = request.get(AUTHENTICATOR).ok_or(RadiusError::Malformed)?;
        if Some(&packet.identifier) != request.get(1) {
            return Err(RadiusError::NotThisRequest);
        }
        let answer = answer.get(..length(answer)?).ok_or(RadiusError::Malformed)?;
        let (head, rest) = answer.split_at_checked(AUTHENTICATOR.start).ok_or(RadiusError::Malformed)?;
        let (found, said) = rest.split_at_checked(MD5_LEN).ok_or(RadiusError::Malformed)?;
        if !constant_time_eq(&md5(&[head, requested, said, &secret.0]), found) {
            return Err(RadiusError::NotAuthentic);
        }
        if let Some(at) = message {
            let mut authenticated = [head, requested, said].concat();
            let found = authenticated.get_mut(at..at + MD5_LEN).ok_or(RadiusError::Malformed)?;
            let received: Vec<u8> = found.to_vec();
            found.fill(0);
            if !constant_time_eq(&hmac_md5(&secret.0, &authenticated), &received) {
                return Err(RadiusError::NotAuthentic);
            }
        }
        Ok(packet)
    }

    /// What a packet says, unverified, and where its Message-Authenticator is.
    fn read(packet: &[u8]) -> Result<(Self, Option<usize>), RadiusError> {
        let length = length(packet)?;
        let [code, identifier, ..] = *packet else { return Err(RadiusError::Malformed) };
        let code = Code::from_number(code).ok_or(RadiusError::UnknownCode(code))?;
        let mut attributes = Vec::new();
        let mut message = None;
        let mut at = AUTHENTICATOR.end;
        while at < length {
            let rest = packet.get(at..length).ok_or(RadiusError::Malformed)?;
            let [number, size, ..] = *rest else { return Err(RadiusError::Malformed) };
            let value = rest.get(HEAD..size.into()).ok_or(RadiusError::Malformed)?;
            if number == attributes::MESSAGE_AUTHENTICATOR {
                if value.len() != MD5_LEN || message.replace(at + HEAD).is_some() {
                    return Err(RadiusError::Malformed);
                }
            } else if !value.is_empty() {
                // An empty value is none (RFC 2865, section 5).
                attributes.push(Attribute { number, value: value.to_vec() });
            }
            at += usize::from(size);
        }
        Ok((Self { code, identifier, attributes }, message))
    }

    /// The first attribute of a type that has four octets, as a number.
    pub fn integer(&self, number: u8) -> Option<u32> {
        let attribute = self.attributes.iter().find(|attribute| attribute.number == number)?;
        attribute.value.as_slice().try_into().ok().map(u32::from_be_bytes)
    }
}

/// The length that a packet says. Octets after it are padding; fewer are a packet cut short (RFC 2865, section 3).
fn length(packet: &[u8]) -> Result<usize, RadiusError> {
    let [_, _, high, low, ..] = *packet else { return Err(RadiusError::Malformed) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if (AUTHENTICATOR.end..=Packet::MAX_LEN).contains(&length) && length <= packet.len() {
        Ok(length)
    } else {
        Err(RadiusError::Malformed)
    }
}

fn put(packet: &mut Vec<u8>, number: u8, value: &[u8]) {
    // Values are at most 253 octets long.
    packet.extend([number, (HEAD + value.len()) as u8]);
    packet.extend(value);
}

/// Type and length of an attribute.
const HEAD: usize = 2;

const AUTHENTICATOR: std::ops::Range<usize> = 4..20;

/// Why RADIUS did not do.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RadiusError {
    /// A secret that is guessed too soon.
    #[error("expected a secret of {min} octets or more, found {found}", min = Secret::MIN_LEN)]
    ShortSecret {
        /// Its length.
        found: usize,
    },
    /// An attribute that is empty or too long.
    #[error("attribute {number} has {found} octets, expected 1 to {max}", max = Attribute::MAX_LEN)]
    AttributeLength {
        /// Its type.
        number: u8,
        /// How many octets.
        found: usize,
    },
    /// More rules than one packet has room for.
    #[error("{found} octets, at most {limit} have room")]
    TooLong {
        /// How many octets.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Not a packet.
    #[error("malformed packet")]
    Malformed,
    /// A packet that does not answer what was asked.
    #[error("packet of code {0} answers no request")]
    UnknownCode(u8),
    /// The answer to another request.
    #[error("an answer to another request")]
    NotThisRequest,
    /// An answer by somebody who does not know the secret.
    #[error("an answer that is not authentic")]
    NotAuthentic,
    /// Nobody who knows the secret answered.
    #[error("no answer that is authentic in time")]
    NoAnswer,
    /// The platform failed.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the platform said.
        #[source]
        source: std::io::Error,
    },
}
