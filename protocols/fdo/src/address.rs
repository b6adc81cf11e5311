use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::net::IpAddr;

use cbor::{Reader, Reason, Writer};

use crate::{Host, Target};

/// How many addresses an owner may name.
pub const MAX_ADDRESSES: usize = 16;

/// Length in bytes of the longest name of a host (RFC 1035, section 2.3.4).
pub const MAX_HOST_LEN: usize = 253;

/// Where an owner is (RVTO2AddrEntry, section 3.3.5): an address, a name or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerAddress {
    /// Its address.
    pub ip: Option<IpAddr>,
    /// Its name.
    pub dns: Option<String>,
    /// Its port.
    pub port: u16,
    /// How to talk to it.
    pub transport: Transport,
}

/// Transport to an owner (RVProtocol of an address). Its numbers are others than those of rendezvous instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// HTTP.
    Http,
    /// CoAP.
    Coap,
    /// HTTPS.
    Https,
    /// CoAP over DTLS.
    Coaps,
    /// A number that is not known: the address is of no use.
    Other(u8),
}

impl OwnerAddress {
    /// An owner that is reached by a URL.
    pub fn of(target: Target) -> Self {
        let (ip, dns) = match target.host {
            Host::Ip(ip) => (Some(ip), None),
            Host::Name(name) => (None, Some(name)),
        };
        let transport = if target.tls { Transport::Https } else { Transport::Http };
        Self { ip, dns, port: target.port, transport }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, cbor::Error> {
        let at = reader.position();
        reader.array_of(4)?;
        let ip = if reader.is_null()? { None } else { Some(read_ip(reader)?) };
        let dns_at = reader.position();
        let dns = if reader.is_null()? { None } else { Some(reader.text()?.to_string()) };
        if dns.as_ref().is_some_and(|name| name.len() > MAX_HOST_LEN) {
            return Err(cbor::Error::new(dns_at, Reason::TooLong { limit: MAX_HOST_LEN }));
        }
        if ip.is_none() && dns.is_none() {
            return Err(cbor::Error::rule(at, "owner has neither address nor name"));
        }
        let port = reader.uint_as()?;
        let transport = Transport::from_number(reader.uint_as()?);
        Ok(Self { ip, dns, port, transport })
    }

    fn write(&self, writer: &mut Writer) {
        writer.array(4);
        match self.ip {
            Some(ip) => write_ip(writer, ip),
            None => _ = writer.null(),
        }
        match &self.dns {
            Some(name) => writer.text(name),
            None => writer.null(),
        };
        writer.uint(self.port.into()).uint(self.transport.number().into());
    }

    /// Reads a list, which has one address at least.
    pub(crate) fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, cbor::Error> {
        let at = reader.position();
        match reader.array()? {
            0 => Err(cbor::Error::rule(at, "owner has no address")),
            count if count > MAX_ADDRESSES => {
                Err(cbor::Error::new(at, Reason::TooLong { limit: MAX_ADDRESSES }))
            }
            count => (0..count).map(|_| Self::read(reader)).collect(),
        }
    }

    pub(crate) fn write_list(list: &[Self], writer: &mut Writer) {
        writer.array(list.len());
        list.iter().for_each(|address| address.write(writer));
    }
}

impl Transport {
    const KNOWN: [Self; 6] = [Self::Tcp, Self::Tls, Self::Http, Self::Coap, Self::Https, Self::Coaps];

    fn from_number(number: u8) -> Self {
        Self::KNOWN.into_iter().find(|known| known.number() == number).unwrap_or(Self::Other(number))
    }

    fn number(self) -> u8 {
        match self {
            Self::Tcp => 1,
            Self::Tls => 2,
            Self::Http => 3,
            Self::Coap => 4,
            Self::Https => 5,
            Self::Coaps => 6,
            Self::Other(number) => number,
        }
    }
}

/// Reads an address of 4 or 16 bytes.
pub(crate) fn read_ip(reader: &mut Reader<'_>) -> Result<IpAddr, cbor::Error> {
    let at = reader.position();
    let bytes = reader.bytes()?;
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Ok(octets.into());
    }
    match <[u8; 16]>::try_from(bytes) {
        Ok(octets) => Ok(octets.into()),
        Err(_) => Err(cbor::Error::rule(at, "IP address has neither 4 nor 16 bytes")),
    }
}

pub(crate) fn write_ip(writer: &mut Writer, ip: IpAddr) {
    match ip {
        IpAddr::V4(address) => writer.bytes(&address.octets()),
        IpAddr::V6(address) => writer.bytes(&address.octets()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hex: &str) -> Result<Vec<OwnerAddress>, cbor::Error> {
        OwnerAddress::read_list(&mut Reader::new(&testkit::hex(hex)))
    }

    #[test]
    fn addresses_are_read_and_written() {
        let rows = [
            ("8184 447f000001 f6 1969c9 03", Some([127, 0, 0, 1].into()), None, 27081, Transport::Http),
            ("8184 f6 6161 00 05", None, Some("a"), 0, Transport::Https),
            (
                "8184 50 00000000000000000000000000000001 6162 19ffff 07",
                Some(IpAddr::from([0u16, 0, 0, 0, 0, 0, 0, 1])),
                Some("b"),
                65535,
                Transport::Other(7),
            ),
        ];
        for (hex, ip, dns, port, transport) in rows {
            let address = OwnerAddress { ip, dns: dns.map(ToString::to_string), port, transport };
            assert_eq!(read(hex).as_deref(), Ok([address.clone()].as_slice()), "{hex}");
            assert_eq!(Writer::encode(|w| OwnerAddress::write_list(&[address], w)), testkit::hex(hex));
        }
    }

    #[test]
    fn a_url_is_an_address_that_leads_back_to_it() {
        for url in ["https://owner.example:8443", "http://192.0.2.1:80", "https://[2001:db8::1]:443"] {
            let target = Target::from_url(url).unwrap();
            let address = OwnerAddress::of(target.clone());
            assert_eq!(address.targets(), Ok(vec![target]), "{url}");
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused_where_it_stands() {
        assert_eq!(read("80"), Err(cbor::Error::rule(0, "owner has no address")));
        assert_eq!(read("8184f6f60103"), Err(cbor::Error::rule(1, "owner has neither address nor name")));
        let short = cbor::Error::rule(2, "IP address has neither 4 nor 16 bytes");
        assert_eq!(read("818443000000f60103"), Err(short));
        let large = cbor::Error::new(8, Reason::OutOfRange);
        assert_eq!(read("8184447f000001f61a0001000003"), Err(large));
        let many = format!("91{}", "84f661610103".repeat(MAX_ADDRESSES + 1));
        assert_eq!(read(&many), Err(cbor::Error::new(0, Reason::TooLong { limit: MAX_ADDRESSES })));
        assert_eq!(
            read(&format!("90{}", "84f661610103".repeat(MAX_ADDRESSES))).unwrap().len(),
            MAX_ADDRESSES
        );
        let name = |len: usize| format!("8184f678{len:02x}{}0103", "61".repeat(len));
        assert!(read(&name(MAX_HOST_LEN)).is_ok());
        let long = cbor::Error::new(3, Reason::TooLong { limit: MAX_HOST_LEN });
        assert_eq!(read(&name(MAX_HOST_LEN + 1)), Err(long));
    }
}
