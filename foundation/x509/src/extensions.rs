//! The contents of the extensions this crate knows (RFC 5280, section 4.2; RFC 8520, section 11).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::BitOr;

use der::Tag;
use der::asn1::{
    BitStringRef, Ia5StringRef, ObjectIdentifier, OctetStringRef, PrintableStringRef, Utf8StringRef,
};

use crate::reader::{Element, primitive};
use crate::{Error, Name, writer};

/// How many alternative names or extended key usages a certificate may list.
pub(crate) const MAX_LISTED: usize = 64;

/// KeyUsage (RFC 5280, section 4.2.1.3): a set of purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u16);

/// BasicConstraints (RFC 5280, section 4.2.1.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether the key may sign certificates.
    pub ca: bool,
    /// How many authorities may follow in a chain, not counting the end of it.
    pub path_len: Option<u8>,
}

/// A GeneralName of the kinds that matter here (RFC 5280, section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AltName {
    /// dNSName
    Dns(String),
    /// uniformResourceIdentifier
    Uri(String),
    /// iPAddress
    Ip(IpAddr),
}

impl KeyUsage {
    /// Signatures other than on certificates and revocation lists.
    pub const DIGITAL_SIGNATURE: Self = Self(1 << 0);
    /// Signatures that commit their maker.
    pub const NON_REPUDIATION: Self = Self(1 << 1);
    /// Encryption of keys.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// Key agreement.
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// Signatures on certificates.
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// Signatures on revocation lists.
    pub const CRL_SIGN: Self = Self(1 << 6);

    /// Whether every purpose of the other set is in this one.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn decode(value: &Element<'_>) -> Result<Self, Error> {
        let bits = only(value)?.decode::<BitStringRef<'_>>()?;
        if bits.bit_len() > 9 {
            return Err(Error::rule(value.at, "key usage has unknown bits"));
        }
        let set = bits.bits().enumerate().filter(|(_, bit)| *bit).fold(0, |set, (i, _)| set | 1 << i);
        if set == 0 {
            return Err(Error::rule(value.at, "key usage is empty"));
        }
        Ok(Self(set))
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        // Bit 0 comes first in a BIT STRING, and trailing zeros of a list of named bits are left away.
        let bits = (self.0.reverse_bits()).to_be_bytes();
        let used = 16 - self.0.leading_zeros() as usize;
        let bytes = &bits[..used.div_ceil(8)];
        let unused = (bytes.len() * 8 - used) as u8;
        writer::value(&BitStringRef::new(unused, bytes).expect("fewer than eight bits are unused"))
    }
}

impl BitOr for KeyUsage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BasicConstraints {
    pub(crate) fn decode(value: &Element<'_>) -> Result<Self, Error> {
        let mut reader = only(value)?.reader_of(Tag::Sequence)?;
        let ca = match reader.optional(Tag::Boolean)? {
            // DER leaves the default away, and some authorities write it nevertheless.
            Some(element) => element.decode::<bool>()?,
            None => false,
        };
        let path_len = match reader.optional(Tag::Integer)? {
            Some(element) if !ca => {
                return Err(Error::rule(element.at, "path length without authority"));
            }
            Some(element) => Some(element.decode::<u8>()?),
            None => None,
        };
        reader.finish()?;
        Ok(Self { ca, path_len })
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        let ca = if self.ca { writer::value(&true) } else { Vec::new() };
        let path_len = self.path_len.map_or_else(Vec::new, |path_len| writer::value(&path_len));
        writer::sequence([&ca, &path_len])
    }
}

impl AltName {
    pub(crate) fn decode_all(value: &Element<'_>) -> Result<Vec<Self>, Error> {
        let mut names = Vec::new();
        for element in listed(value)? {
            // The other kinds name things of other worlds, and are passed over.
            let name = match element.tag {
                tag if tag == primitive(2) => Self::Dns(ascii(&element)?),
                tag if tag == primitive(6) => Self::Uri(ascii(&element)?),
                tag if tag == primitive(7) => Self::Ip(ip_address(&element)?),
                _ => continue,
            };
            names.push(name);
        }
        Ok(names)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Dns(name) => writer::element(primitive(2), name.as_bytes()),
            Self::Uri(uri) => writer::element(primitive(6), uri.as_bytes()),
            Self::Ip(IpAddr::V4(address)) => writer::element(primitive(7), &address.octets()),
            Self::Ip(IpAddr::V6(address)) => writer::element(primitive(7), &address.octets()),
        }
    }
}

/// ExtKeyUsageSyntax (RFC 5280, section 4.2.1.12).
pub(crate) fn decode_extended_key_usage(value: &Element<'_>) -> Result<Vec<ObjectIdentifier>, Error> {
    listed(value)?.iter().map(Element::decode).collect()
}

/// SubjectKeyIdentifier (RFC 5280, section 4.2.1.2).
pub(crate) fn decode_subject_key_id(value: &Element<'_>) -> Result<Vec<u8>, Error> {
    Ok(only(value)?.decode::<&OctetStringRef>()?.as_bytes().to_vec())
}

/// The keyIdentifier of an AuthorityKeyIdentifier, if it has one (RFC 5280, section 4.2.1.1).
pub(crate) fn decode_authority_key_id(value: &Element<'_>) -> Result<Option<Vec<u8>>, Error> {
    let mut reader = only(value)?.reader_of(Tag::Sequence)?;
    let id = reader.optional(primitive(0))?.map(|element| element.content.to_vec());
    // authorityCertIssuer and authorityCertSerialNumber only repeat what the signature proves.
    while !reader.is_empty() {
        reader.element()?;
    }
    Ok(id)
}

/// MUDURLSyntax (RFC 8520, section 11): IA5String; some makers write other strings of ASCII.
pub(crate) fn decode_mud_url(value: &Element<'_>) -> Result<String, Error> {
    let element = only(value)?;
    let text = match element.tag {
        Tag::Ia5String => element.decode::<Ia5StringRef<'_>>()?.as_str(),
        Tag::Utf8String => element.decode::<Utf8StringRef<'_>>()?.as_str(),
        _ => element.decode::<PrintableStringRef<'_>>()?.as_str(),
    };
    if !is_url_text(text) {
        return Err(Error::rule(element.at, "url is not of printable ascii characters"));
    }
    Ok(text.to_owned())
}

/// MUDsignerSyntax (RFC 8520, section 11): the subject of the certificate that signs the MUD file.
pub(crate) fn decode_mud_signer(value: &Element<'_>) -> Result<Name, Error> {
    Name::from_element(&only(value)?)
}

/// Whether a text can be a URI at all (RFC 3986, section 2): what it means is for its user to decide.
pub(crate) fn is_url_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The one element inside an extension's OCTET STRING.
fn only<'b>(value: &Element<'b>) -> Result<Element<'b>, Error> {
    let mut reader = value.reader();
    let element = reader.element()?;
    reader.finish()?;
    Ok(element)
}

/// The elements of the one SEQUENCE inside, of which there must be some.
fn listed<'b>(value: &Element<'b>) -> Result<Vec<Element<'b>>, Error> {
    let mut reader = only(value)?.reader_of(Tag::Sequence)?;
    let mut elements = Vec::new();
    while !reader.is_empty() {
        if elements.len() == MAX_LISTED {
            return Err(Error::too_long(reader.at(), MAX_LISTED));
        }
        elements.push(reader.element()?);
    }
    if elements.is_empty() {
        return Err(Error::rule(value.at, "list in an extension is empty"));
    }
    Ok(elements)
}

fn ascii(element: &Element<'_>) -> Result<String, Error> {
    match core::str::from_utf8(element.content) {
        Ok(text) if is_url_text(text) => Ok(text.to_owned()),
        _ => Err(Error::rule(element.at, "alternative name is not of printable ascii characters")),
    }
}

fn ip_address(element: &Element<'_>) -> Result<IpAddr, Error> {
    let v4 = || <[u8; 4]>::try_from(element.content).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(element.content).map(IpAddr::from);
    v4().or_else(|_| v6()).map_err(|_| Error::rule(element.at, "address is not of 4 or 16 bytes"))
}
