use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use der::Tag;
use der::asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};

use crate::reader::{Element, Reader};
use crate::{Error, Misuse, oids, writer};

/// How many attributes a name may have.
const MAX_ATTRIBUTES: usize = 32;

/// How many characters an attribute may have when a name is made (RFC 5280, appendix A.1, `ub-common-name`).
const MAX_VALUE_CHARS: usize = 64;

/// A distinguished name (RFC 5280, section 4.1.2.4), kept as received.
///
/// Equality is that of RFC 5280, section 7.1: the same attributes in the same order, whatever the string type, the
/// case and insignificant space. Compatibility forms of Unicode are not unified: such names differ, which refuses.
#[derive(Clone)]
pub struct Name {
    der: Vec<u8>,
    rdns: Vec<Vec<Attribute>>,
    /// What equality compares: one text for all encodings of the same name.
    canonical: Vec<u8>,
}

/// The attribute types that names are made of here (RFC 5280, section 4.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// CN
    CommonName,
    /// serialNumber, of a device
    SerialNumber,
    /// C
    Country,
    /// L
    Locality,
    /// ST
    State,
    /// O
    Organization,
    /// OU
    OrganizationalUnit,
    /// DC
    DomainComponent,
    /// emailAddress
    EmailAddress,
}

#[derive(Clone, Debug)]
struct Attribute {
    oid: ObjectIdentifier,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    /// The DER of a value whose type has no comparison of its own here (TeletexString, BMPString, structures).
    Raw(Vec<u8>),
}

impl Name {
    /// A name of these attributes, each a relative distinguished name of its own.
    pub fn new(attributes: &[(AttributeType, &str)]) -> Result<Self, Error> {
        let mut rdns = Vec::new();
        for (kind, text) in attributes {
            let attribute = writer::sequence([&writer::oid(kind.oid()), &kind.encode(text)?]);
            rdns.extend_from_slice(&writer::element(Tag::Set, &attribute));
        }
        Self::decode(&writer::element(Tag::Sequence, &rdns))
    }

    /// Reads a Name.
    pub fn decode(der: &[u8]) -> Result<Self, Error> {
        Self::from_element(&Reader::whole(der, crate::MAX_CERTIFICATE_LEN)?)
    }

    pub(crate) fn from_element(element: &Element<'_>) -> Result<Self, Error> {
        if element.tag != Tag::Sequence {
            return Err(Error::der(element.at));
        }
        let mut reader = element.reader();
        let mut rdns = Vec::new();
        let mut count = 0;
        while !reader.is_empty() {
            let at = reader.at();
            let mut set = reader.set()?;
            let mut rdn = Vec::new();
            while !set.is_empty() {
                count += 1;
                if count > MAX_ATTRIBUTES {
                    return Err(Error::too_long(set.at(), MAX_ATTRIBUTES));
                }
                let mut pair = set.sequence()?;
                rdn.push(Attribute { oid: pair.decode()?, value: Value::decode(&pair.element()?)? });
                pair.finish()?;
            }
            if rdn.is_empty() {
                return Err(Error::rule(at, "relative distinguished name is empty"));
            }
            rdns.push(rdn);
        }
        let canonical = canonical(&rdns);
        Ok(Self { der: element.raw.to_vec(), rdns, canonical })
    }

    /// The name as received.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it has no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The first common name.
    pub fn common_name(&self) -> Option<&str> {
        self.rdns.iter().flatten().find_map(|attribute| match &attribute.value {
            Value::Text(text) if attribute.oid == oids::COMMON_NAME => Some(text.as_str()),
            _ => None,
        })
    }

    /// The serial number of the device, where there is exactly one.
    pub fn serial_number(&self) -> Option<&str> {
        let mut found = self.rdns.iter().flatten().filter(|attribute| attribute.oid == oids::SERIAL_NUMBER);
        match (found.next().map(|attribute| &attribute.value), found.next()) {
            (Some(Value::Text(text)), None) => Some(text),
            _ => None,
        }
    }
}

impl AttributeType {
    const ALL: [Self; 9] = [
        Self::CommonName,
        Self::SerialNumber,
        Self::Country,
        Self::Locality,
        Self::State,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::DomainComponent,
        Self::EmailAddress,
    ];

    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::CommonName => oids::COMMON_NAME,
            Self::SerialNumber => oids::SERIAL_NUMBER,
            Self::Country => oids::COUNTRY,
            Self::Locality => oids::LOCALITY,
            Self::State => oids::STATE,
            Self::Organization => oids::ORGANIZATION,
            Self::OrganizationalUnit => oids::ORGANIZATIONAL_UNIT,
            Self::DomainComponent => oids::DOMAIN_COMPONENT,
            Self::EmailAddress => oids::EMAIL_ADDRESS,
        }
    }

    /// The short name in texts (RFC 4514, section 3; RFC 4519).
    const fn label(self) -> &'static str {
        match self {
            Self::CommonName => "CN",
            Self::SerialNumber => "serialNumber",
            Self::Country => "C",
            Self::Locality => "L",
            Self::State => "ST",
            Self::Organization => "O",
            Self::OrganizationalUnit => "OU",
            Self::DomainComponent => "DC",
            Self::EmailAddress => "emailAddress",
        }
    }

    /// The value in the string type that RFC 5280, appendix A.1, gives the attribute.
    fn encode(self, text: &str) -> Result<Vec<u8>, Error> {
        let misuse = Error::Misuse(Misuse::NameValue);
        let chars = text.chars().count();
        let fits = match self {
            Self::Country => chars == 2,
            _ => (1..=MAX_VALUE_CHARS).contains(&chars),
        };
        if !fits || text.chars().any(char::is_control) {
            return Err(misuse);
        }
        match self {
            Self::Country | Self::SerialNumber => {
                PrintableStringRef::new(text).map(|text| writer::value(&text))
            }
            Self::DomainComponent | Self::EmailAddress => {
                Ia5StringRef::new(text).map(|text| writer::value(&text))
            }
            _ => Utf8StringRef::new(text).map(|text| writer::value(&text)),
        }
        .map_err(|_| misuse)
    }
}

impl Value {
    fn decode(element: &Element<'_>) -> Result<Self, Error> {
        let text = match element.tag {
            Tag::PrintableString => element.decode::<PrintableStringRef<'_>>()?.as_str(),
            Tag::Utf8String => element.decode::<Utf8StringRef<'_>>()?.as_str(),
            Tag::Ia5String => element.decode::<Ia5StringRef<'_>>()?.as_str(),
            _ => return Ok(Self::Raw(element.raw.to_vec())),
        };
        Ok(Self::Text(text.to_owned()))
    }
}

/// Length-prefixed, so that no two names share it; the attributes of one RDN are a set, and sorted.
fn canonical(rdns: &[Vec<Attribute>]) -> Vec<u8> {
    fn push(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend_from_slice(&bytes.len().to_be_bytes());
        out.extend_from_slice(bytes);
    }
    let mut out = Vec::new();
    for rdn in rdns {
        let mut attributes: Vec<Vec<u8>> = rdn
            .iter()
            .map(|attribute| {
                let mut bytes = Vec::new();
                push(&mut bytes, attribute.oid.as_bytes());
                match &attribute.value {
                    Value::Text(text) => push(&mut bytes, folded(text).as_bytes()),
                    Value::Raw(raw) => {
                        // The DER of a value never is a folded text: the length in front sets them apart.
                        push(&mut bytes, &[]);
                        push(&mut bytes, raw);
                    }
                }
                bytes
            })
            .collect();
        attributes.sort();
        push(&mut out, &attributes.len().to_be_bytes());
        for attribute in attributes {
            push(&mut out, &attribute);
        }
    }
    out
}

/// The text in lower case, without space around it and with one space for each run within (RFC 4518, section 2).
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical.hash(state);
    }
}

/// In the order of the encoding, escaped as in RFC 4514: `O=Maker, CN=Maker MUD signer`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rdn) in self.rdns.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            for (j, attribute) in rdn.iter().enumerate() {
                if j > 0 {
                    f.write_char('+')?;
                }
                match AttributeType::ALL.into_iter().find(|kind| kind.oid() == attribute.oid) {
                    Some(kind) => f.write_str(kind.label())?,
                    None => write!(f, "{}", attribute.oid)?,
                }
                f.write_char('=')?;
                match &attribute.value {
                    Value::Text(text) => write_escaped(f, text)?,
                    Value::Raw(raw) => {
                        f.write_char('#')?;
                        raw.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// Reads what `Display` writes, for names of single attributes of known types.
impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut attributes = Vec::new();
        for part in split_unescaped(text) {
            let (label, value) = part.split_once('=').ok_or(Error::Misuse(Misuse::NameSyntax))?;
            let kind = AttributeType::ALL
                .into_iter()
                .find(|kind| kind.label().eq_ignore_ascii_case(label.trim()))
                .ok_or(Error::Misuse(Misuse::NameSyntax))?;
            attributes.push((kind, unescaped(value)?));
        }
        let attributes: Vec<_> = attributes.iter().map(|(kind, value)| (*kind, value.as_str())).collect();
        Self::new(&attributes)
    }
}

/// Escapes what RFC 4514, section 2.4, demands, and whatever could rearrange the line it is printed on.
fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (i, c) in text.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => write!(f, "\\{c}")?,
            '#' if i == 0 => f.write_str("\\#")?,
            ' ' if i == 0 || i == last => f.write_str("\\ ")?,
            c if c.is_control() || is_format(c) => {
                let mut utf8 = [0; 4];
                c.encode_utf8(&mut utf8).bytes().try_for_each(|byte| write!(f, "\\{byte:02x}"))?;
            }
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// Invisible characters, among them those that change the direction of writing.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn split_unescaped(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c| {
        let cut = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        cut
    })
}

/// Undoes `write_escaped`; space around the value that is not escaped does not count.
fn unescaped(text: &str) -> Result<String, Error> {
    let misuse = Error::Misuse(Misuse::NameSyntax);
    let mut bytes = Vec::with_capacity(text.len());
    let mut significant = 0;
    let mut rest = text.trim_start_matches(' ').bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => {
                let first = rest.next().ok_or(misuse)?;
                match char::from(first).to_digit(16) {
                    Some(high) => {
                        let low = rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(misuse)?;
                        bytes.push((high << 4 | low) as u8);
                    }
                    None => bytes.push(first),
                }
                significant = bytes.len();
            }
            b'+' | b'"' | b'<' | b'>' | b';' => return Err(misuse),
            b' ' => bytes.push(b' '),
            byte => {
                bytes.push(byte);
                significant = bytes.len();
            }
        }
    }
    bytes.truncate(significant);
    String::from_utf8(bytes).map_err(|_| misuse)
}
