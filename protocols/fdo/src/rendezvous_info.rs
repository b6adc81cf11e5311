use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use cbor::{Order, Reader, Reason, Writer};
use crypto::{Digest, Zeroizing};

use crate::{
    Error,
    address::{read_ip, write_ip},
    hash::{read_hash, write_hash},
    labels::rendezvous as labels,
};

/// How many directives there may be.
pub const MAX_DIRECTIVES: usize = 32;

/// How many instructions a directive may have.
pub const MAX_INSTRUCTIONS: usize = 32;

/// Length in bytes of the longest value of an instruction.
pub const MAX_VALUE_LEN: usize = 1024;

/// Where a device finds its owner (section 3.7): directives, to be tried one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RendezvousInfo {
    /// The directives, at least one.
    pub directives: Vec<Directive>,
}

/// One way to the owner: instructions, whose order means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The instructions, at least one.
    pub instructions: Vec<Instruction>,
}

/// One instruction (section 3.7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// The directive is for the device alone.
    DeviceOnly,
    /// The directive is for the owner alone.
    OwnerOnly,
    /// Address of the server. There may be several.
    IpAddress(IpAddr),
    /// Port for the device.
    DevicePort(u16),
    /// Port for the owner.
    OwnerPort(u16),
    /// Name of the server.
    Dns(String),
    /// Hash of the server's certificate in TLS.
    ServerCertificate(Digest),
    /// Hash of the certificate of the server's authority in TLS.
    AuthorityCertificate(Digest),
    /// Whether the user is to be asked.
    UserInput(bool),
    /// Name of a wireless network.
    WifiSsid(String),
    /// Password of a wireless network.
    WifiPassword(WifiPassword),
    /// Interfaces: 0 to 9 and 10 to 19 name one of wire and of radio, 20 and 21 all of them.
    Medium(u8),
    /// How to talk to the server.
    Protocol(Protocol),
    /// How long to wait after this directive, in seconds.
    Delay(u32),
    /// The addresses are the owner's own: there is no rendezvous.
    Bypass,
    /// Another mechanism: an encoded array, its name first.
    External(Vec<u8>),
    /// A variable that is not known, which is passed over.
    Unknown {
        /// Its number.
        variable: u64,
        /// Its value as received.
        value: Option<Vec<u8>>,
    },
}

/// A password, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WifiPassword(Zeroizing<String>);

/// Transport of the rendezvous (RVProtocolValue).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// REST, over TLS or not.
    Rest,
    /// HTTP.
    Http,
    /// HTTPS.
    Https,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// CoAP over TCP.
    CoapTcp,
    /// CoAP over UDP.
    CoapUdp,
    /// A number that is not known: the directive is of no use.
    Other(u8),
}

impl RendezvousInfo {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = one_to(reader, MAX_DIRECTIVES, "rendezvous information has no directive")?;
        let directives = (0..count).map(|_| Directive::read(reader)).collect::<Result<_, _>>()?;
        Ok(Self { directives })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.array(self.directives.len());
        for Directive { instructions } in &self.directives {
            writer.array(instructions.len());
            instructions.iter().for_each(|instruction| instruction.write(writer));
        }
    }
}

impl Directive {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let count = one_to(reader, MAX_INSTRUCTIONS, "rendezvous directive has no instruction")?;
        let mut instructions: Vec<Instruction> = Vec::with_capacity(count);
        for _ in 0..count {
            let at = reader.position();
            let instruction = Instruction::read(reader)?;
            let twice = |other: &Instruction| other.variable() == instruction.variable();
            if !instruction.may_repeat() && instructions.iter().any(twice) {
                return Err(cbor::Error::rule(at, "rendezvous instruction occurs twice").into());
            }
            instructions.push(instruction);
        }
        Ok(Self { instructions })
    }
}

impl Instruction {
    /// Its number.
    pub fn variable(&self) -> u64 {
        match self {
            Self::DeviceOnly => labels::DEVICE_ONLY,
            Self::OwnerOnly => labels::OWNER_ONLY,
            Self::IpAddress(_) => labels::IP_ADDRESS,
            Self::DevicePort(_) => labels::DEVICE_PORT,
            Self::OwnerPort(_) => labels::OWNER_PORT,
            Self::Dns(_) => labels::DNS,
            Self::ServerCertificate(_) => labels::SERVER_CERTIFICATE,
            Self::AuthorityCertificate(_) => labels::AUTHORITY_CERTIFICATE,
            Self::UserInput(_) => labels::USER_INPUT,
            Self::WifiSsid(_) => labels::WIFI_SSID,
            Self::WifiPassword(_) => labels::WIFI_PASSWORD,
            Self::Medium(_) => labels::MEDIUM,
            Self::Protocol(_) => labels::PROTOCOL,
            Self::Delay(_) => labels::DELAY,
            Self::Bypass => labels::BYPASS,
            Self::External(_) => labels::EXTERNAL,
            Self::Unknown { variable, .. } => *variable,
        }
    }

    fn may_repeat(&self) -> bool {
        matches!(self, Self::IpAddress(_) | Self::Unknown { .. })
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let at = reader.position();
        let has_value = match reader.array()? {
            1 => false,
            2 => true,
            _ => return Err(cbor::Error::rule(at, "rendezvous instruction is no variable and value").into()),
        };
        let variable = reader.uint()?;
        let value_at = reader.position();
        let value = if has_value { Some(reader.wrapped()?) } else { None };
        if value.as_ref().is_some_and(|value| value.rest().len() > MAX_VALUE_LEN) {
            return Err(cbor::Error::new(value_at, Reason::TooLong { limit: MAX_VALUE_LEN }).into());
        }
        let flag = |on: Self| match read_flag(value.clone())? {
            true => Ok(on),
            false => Err(cbor::Error::rule(value_at, "flag of a rendezvous instruction is off").into()),
        };
        match variable {
            labels::DEVICE_ONLY => return flag(Self::DeviceOnly),
            labels::OWNER_ONLY => return flag(Self::OwnerOnly),
            labels::BYPASS => return flag(Self::Bypass),
            labels::USER_INPUT => return read_flag(value).map(Self::UserInput),
            unknown if unknown > labels::EXTERNAL => {
                let value = value.map(|value| value.rest().to_vec());
                return Ok(Self::Unknown { variable, value });
            }
            _ => {}
        }
        let value = value.ok_or(cbor::Error::rule(value_at, "rendezvous instruction has no value"))?;
        // What is wrapped need not be in deterministic order.
        let mut value = Reader::with_order(value.rest(), Order::Unique).at_offset(value.position());
        let instruction = Self::read_value(variable, &mut value)?;
        value.end()?;
        Ok(instruction)
    }

    fn read_value(variable: u64, value: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(match variable {
            labels::IP_ADDRESS => Self::IpAddress(read_ip(value)?),
            labels::DEVICE_PORT => Self::DevicePort(value.uint_as()?),
            labels::OWNER_PORT => Self::OwnerPort(value.uint_as()?),
            labels::DNS => Self::Dns(value.text()?.to_string()),
            labels::SERVER_CERTIFICATE => Self::ServerCertificate(read_hash(value)?),
            labels::AUTHORITY_CERTIFICATE => Self::AuthorityCertificate(read_hash(value)?),
            labels::WIFI_SSID => Self::WifiSsid(value.text()?.to_string()),
            labels::WIFI_PASSWORD => Self::WifiPassword(WifiPassword::new(value.text()?)),
            labels::MEDIUM => Self::Medium(value.uint_as()?),
            labels::PROTOCOL => Self::Protocol(Protocol::from_number(value.uint_as()?)),
            labels::DELAY => Self::Delay(value.uint_as()?),
            _ => {
                // What follows the name is the mechanism's: well-formed, and no more.
                let raw = value.raw()?;
                let mut named = Reader::with_order(raw, Order::Unique);
                named.array()?;
                named.text()?;
                Self::External(raw.to_vec())
            }
        })
    }

    fn write(&self, writer: &mut Writer) {
        let value = match self {
            Self::DeviceOnly | Self::OwnerOnly | Self::Bypass => None,
            Self::External(array) => Some(array.clone()),
            Self::Unknown { value, .. } => value.clone(),
            _ => Some(Writer::encode(|w| self.write_value(w))),
        };
        writer.array(if value.is_some() { 2 } else { 1 }).uint(self.variable());
        if let Some(value) = value {
            writer.bytes(&value);
        }
    }

    fn write_value(&self, w: &mut Writer) {
        match self {
            Self::IpAddress(address) => write_ip(w, *address),
            Self::DevicePort(port) | Self::OwnerPort(port) => _ = w.uint(u64::from(*port)),
            Self::Dns(text) | Self::WifiSsid(text) => _ = w.text(text),
            Self::ServerCertificate(hash) | Self::AuthorityCertificate(hash) => write_hash(w, hash),
            Self::UserInput(ask) => _ = w.bool(*ask),
            Self::WifiPassword(password) => _ = w.text(password.as_str()),
            Self::Medium(number) => _ = w.uint(u64::from(*number)),
            Self::Protocol(protocol) => _ = w.uint(u64::from(protocol.number())),
            Self::Delay(seconds) => _ = w.uint(u64::from(*seconds)),
            // What has no value, or is encoded already.
            Self::DeviceOnly | Self::OwnerOnly | Self::Bypass | Self::External(_) | Self::Unknown { .. } => {}
        }
    }
}

impl WifiPassword {
    /// A password.
    pub fn new(password: &str) -> Self {
        Self(Zeroizing::new(password.to_string()))
    }

    /// The password in clear.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WifiPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WifiPassword(…)")
    }
}

impl Protocol {
    const KNOWN: [Self; 7] =
        [Self::Rest, Self::Http, Self::Https, Self::Tcp, Self::Tls, Self::CoapTcp, Self::CoapUdp];

    fn from_number(number: u8) -> Self {
        Self::KNOWN.get(usize::from(number)).copied().unwrap_or(Self::Other(number))
    }

    fn number(self) -> u8 {
        match self {
            Self::Rest => 0,
            Self::Http => 1,
            Self::Https => 2,
            Self::Tcp => 3,
            Self::Tls => 4,
            Self::CoapTcp => 5,
            Self::CoapUdp => 6,
            Self::Other(number) => number,
        }
    }
}

/// A flag is set by being there. Its value is left out, empty, null or true by whom one asks.
fn read_flag(value: Option<Reader<'_>>) -> Result<bool, Error> {
    let Some(mut value) = value else { return Ok(true) };
    if value.is_empty() {
        return Ok(true);
    }
    let set = value.is_null()? || value.bool()?;
    value.end()?;
    Ok(set)
}

/// The head of an array with at least one item and at most so many.
fn one_to(reader: &mut Reader<'_>, limit: usize, empty: &'static str) -> Result<usize, Error> {
    let at = reader.position();
    match reader.array()? {
        0 => Err(cbor::Error::rule(at, empty).into()),
        count if count > limit => Err(cbor::Error::new(at, Reason::TooLong { limit }).into()),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hex: &str) -> Result<RendezvousInfo, Error> {
        let bytes = testkit::hex(hex);
        let mut reader = Reader::with_order(&bytes, Order::Unique);
        let info = RendezvousInfo::read(&mut reader)?;
        reader.end()?;
        Ok(info)
    }

    fn one(instruction: Instruction) -> RendezvousInfo {
        RendezvousInfo { directives: [Directive { instructions: [instruction].into() }].into() }
    }

    fn rule(at: usize, rule: &'static str) -> Result<RendezvousInfo, Error> {
        Err(cbor::Error::rule(at, rule).into())
    }

    #[test]
    fn each_instruction_is_read_and_written() {
        let hash = Digest::of(crypto::HashAlgorithm::Sha256, b"certificate");
        let hash_hex: String = hash.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let rows = [
            (Instruction::DeviceOnly, "8100".to_string()),
            (Instruction::OwnerOnly, "8101".into()),
            (Instruction::IpAddress([127, 0, 0, 1].into()), "8202 45 447f000001".into()),
            (Instruction::IpAddress([7u8; 16].into()), "8202 51 50 07070707070707070707070707070707".into()),
            (Instruction::DevicePort(80), "8203 42 1850".into()),
            (Instruction::OwnerPort(u16::MAX), "8204 43 19ffff".into()),
            (Instruction::Dns("rv".into()), "8205 43 627276".into()),
            (Instruction::ServerCertificate(hash), format!("8206 5824 822f5820{hash_hex}")),
            (Instruction::AuthorityCertificate(hash), format!("8207 5824 822f5820{hash_hex}")),
            (Instruction::UserInput(true), "8208 41 f5".into()),
            (Instruction::UserInput(false), "8208 41 f4".into()),
            (Instruction::WifiSsid("net".into()), "8209 44 636e6574".into()),
            (Instruction::WifiPassword(WifiPassword::new("pw")), "820a 43 627077".into()),
            (Instruction::Medium(21), "820b 41 15".into()),
            (Instruction::Protocol(Protocol::CoapUdp), "820c 41 06".into()),
            (Instruction::Protocol(Protocol::Other(7)), "820c 41 07".into()),
            (Instruction::Delay(3600), "820d 43 190e10".into()),
            (Instruction::Bypass, "810e".into()),
            (Instruction::External(testkit::hex("82616101")), "820f 44 82616101".into()),
            (Instruction::Unknown { variable: 16, value: None }, "8110".into()),
            (Instruction::Unknown { variable: 99, value: Some(vec![0xff]) }, "821863 41 ff".into()),
        ];
        for (instruction, hex) in rows {
            let bytes = testkit::hex(&format!("8181{hex}"));
            let info = one(instruction);
            assert_eq!(read(&format!("8181{hex}")).as_ref(), Ok(&info), "{hex}");
            assert_eq!(Writer::encode(|w| info.write(w)), bytes, "{hex}");
        }
    }

    #[test]
    fn flags_are_read_in_every_form_that_is_written() {
        for (number, on) in
            [(0, Instruction::DeviceOnly), (1, Instruction::OwnerOnly), (14, Instruction::Bypass)]
        {
            let on = one(on);
            assert_eq!(read(&format!("818181{number:02x}")).as_ref(), Ok(&on));
            for value in ["40", "41f5", "41f6"] {
                assert_eq!(read(&format!("818182{number:02x}{value}")).as_ref(), Ok(&on));
            }
            let off = rule(4, "flag of a rendezvous instruction is off");
            assert_eq!(read(&format!("818182{number:02x}41f4")), off);
        }
        assert_eq!(read("81818108"), Ok(one(Instruction::UserInput(true))));
    }

    #[test]
    fn what_breaks_a_rule_is_refused_where_it_stands() {
        let rows = [
            ("80", rule(0, "rendezvous information has no directive")),
            ("8180", rule(1, "rendezvous directive has no instruction")),
            ("818180", rule(2, "rendezvous instruction is no variable and value")),
            ("818183030000", rule(2, "rendezvous instruction is no variable and value")),
            ("81818103", rule(4, "rendezvous instruction has no value")),
            ("818182024443000000", rule(5, "IP address has neither 4 nor 16 bytes")),
            ("81828203410182034102", rule(6, "rendezvous instruction occurs twice")),
            ("8181820342 0101", Err(cbor::Error::new(6, Reason::TrailingBytes).into())),
            ("8181820345 1a00010000", Err(cbor::Error::new(5, Reason::OutOfRange).into())),
            ("8181820442 1801", Err(cbor::Error::new(5, Reason::NotShortest).into())),
        ];
        for (hex, expected) in rows {
            assert_eq!(read(hex), expected, "{hex}");
        }
        // Several addresses, and what nobody knows.
        assert!(read("8184 820245447f000001 820245447f000002 8110 8110").is_ok());
    }

    #[test]
    fn limits_hold_at_them_and_one_past_them() {
        let directives = |count: usize| format!("98{count:02x}{}", "81810e".repeat(count));
        assert!(read(&directives(MAX_DIRECTIVES)).is_ok());
        let limit = |at, limit| Err(cbor::Error::new(at, Reason::TooLong { limit }).into());
        assert_eq!(read(&directives(MAX_DIRECTIVES + 1)), limit(0, MAX_DIRECTIVES));
        let instructions = |count: usize| format!("8198{count:02x}{}", "8110".repeat(count));
        assert!(read(&instructions(MAX_INSTRUCTIONS)).is_ok());
        assert_eq!(read(&instructions(MAX_INSTRUCTIONS + 1)), limit(1, MAX_INSTRUCTIONS));
        let value = |len: usize| format!("81818210 59{len:04x}{}", "00".repeat(len));
        assert!(read(&value(MAX_VALUE_LEN)).is_ok());
        assert_eq!(read(&value(MAX_VALUE_LEN + 1)), limit(4, MAX_VALUE_LEN));
    }

    #[test]
    fn passwords_are_not_shown() {
        let info = one(Instruction::WifiPassword(WifiPassword::new("hunter2")));
        assert!(!format!("{info:?}").contains("hunter2"));
    }
}
