//! Media types of conceptual messages, and the CoAP Content-Formats that stand for them (RFC 9782; RFC 7252, section
//! 12.3): the one place where they are named.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::fmt;

use crate::{Error, JsonError, Profile, oid};

/// How many bytes a media type may have.
pub const MAX_MEDIA_TYPE_LEN: usize = 1024;

/// How many parameters a media type may have.
const MAX_PARAMETERS: usize = 16;

/// The parameter that names the profile of a token (RFC 9782, section 4).
const EAT_PROFILE: &str = "eat_profile";

/// Registered Content-Formats that attestation uses, with their media types.
pub const CONTENT_FORMATS: [(u16, &str); 20] = [
    (17, "application/cose; cose-type=\"cose-mac0\""),
    (18, "application/cose; cose-type=\"cose-sign1\""),
    (50, "application/json"),
    (60, "application/cbor"),
    (61, "application/cwt"),
    (98, "application/cose; cose-type=\"cose-sign\""),
    (101, "application/cose-key"),
    (102, "application/cose-key-set"),
    (258, "application/swid+cbor"),
    (263, "application/eat+cwt"),
    (264, "application/eat+jwt"),
    (265, "application/eat-bun+cbor"),
    (266, "application/eat-bun+json"),
    (267, "application/eat-ucs+cbor"),
    (268, "application/eat-ucs+json"),
    (601, "application/uccs+cbor"),
    (10003, "application/eat+cwt; eat_profile=\"tag:psacertified.org,2023:psa#tfm\""),
    (10004, "application/eat+cwt; eat_profile=\"tag:psacertified.org,2019:psa#legacy\""),
    (10570, "application/toc+cbor"),
    (10571, "application/ce+cbor"),
];

/// A media type (RFC 9110, section 8.3.1), parsed: type, subtype and names of parameters in lower case, so that two
/// are equal however they are spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    /// In the order of their names.
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Parses a media type with its parameters. One that occurs twice is refused.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_MEDIA_TYPE_LEN {
            return Err(JsonError::at(MAX_MEDIA_TYPE_LEN, "media type is too long").into());
        }
        let mut parser = Parser { text, at: 0 };
        let mut essence = parser.token()?.to_ascii_lowercase();
        parser.expect('/')?;
        essence.push('/');
        essence.push_str(&parser.token()?.to_ascii_lowercase());
        let mut parameters: Vec<(String, String)> = Vec::new();
        loop {
            parser.space();
            if parser.rest().is_empty() {
                break;
            }
            parser.expect(';')?;
            parser.space();
            // A semicolon with nothing behind it is allowed.
            if parser.rest().is_empty() || parser.rest().starts_with(';') {
                continue;
            }
            let at = parser.at;
            let name = parser.token()?.to_ascii_lowercase();
            parser.expect('=')?;
            let value =
                if parser.rest().starts_with('"') { parser.quoted()? } else { parser.token()?.to_owned() };
            if parameters.iter().any(|(other, _)| *other == name) || parameters.len() == MAX_PARAMETERS {
                return Err(JsonError::at(at, "parameter occurs twice, or is one too many").into());
            }
            parameters.push((name, value));
        }
        parameters.sort();
        Ok(Self { essence, parameters })
    }

    /// The media type of a Content-Format, for those of [`CONTENT_FORMATS`].
    pub fn of_content_format(format: u16) -> Option<Self> {
        let (_, text) = CONTENT_FORMATS.into_iter().find(|(number, _)| *number == format)?;
        Self::parse(text).ok()
    }

    /// The Content-Format of this media type, with its parameters, for those of [`CONTENT_FORMATS`].
    pub fn content_format(&self) -> Option<u16> {
        let same = |(_, text): &(u16, &str)| Self::parse(text).as_ref() == Ok(self);
        CONTENT_FORMATS.iter().find(|row| same(row)).map(|(number, _)| *number)
    }

    /// Type and subtype in lower case: `application/eat+cwt`.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// The value of a parameter, by its name in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The profile its parameter names, as the claim would.
    pub fn eat_profile(&self) -> Option<Profile> {
        self.parameter(EAT_PROFILE).map(|value| match oid::from_dotted(value) {
            Some(oid) => Profile::Oid(oid),
            None => Profile::Uri(value.to_owned()),
        })
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.essence)?;
        for (name, value) in &self.parameters {
            if !value.is_empty() && value.bytes().all(is_token) {
                write!(f, "; {name}={value}")?;
            } else {
                write!(f, "; {name}=\"")?;
                for c in value.chars() {
                    if matches!(c, '"' | '\\') {
                        f.write_str("\\")?;
                    }
                    write!(f, "{c}")?;
                }
                f.write_str("\"")?;
            }
        }
        Ok(())
    }
}

/// Whether bodies of this format are known to be bytes and not JSON.
pub(crate) fn is_binary(format: u16) -> bool {
    CONTENT_FORMATS.iter().any(|(number, text)| {
        *number == format && !text.ends_with("json") && !text.starts_with("application/eat+jwt")
    })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self) -> Result<&'t str, JsonError> {
        let len = self.rest().bytes().take_while(|byte| is_token(*byte)).count();
        let token = self.rest().get(..len).filter(|token| !token.is_empty());
        let token = token.ok_or(JsonError::at(self.at, "expected a token of a media type"))?;
        self.at += len;
        Ok(token)
    }

    fn quoted(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        let mut value = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((index, c)) = characters.next() {
            match c {
                '"' => {
                    self.at = start + index + 1;
                    return Ok(value);
                }
                '\\' => value.extend(characters.next().map(|(_, c)| c)),
                c if c.is_control() && c != '\t' => break,
                c => value.push(c),
            }
        }
        Err(JsonError::at(start, "quoted text does not end"))
    }

    fn expect(&mut self, c: char) -> Result<(), JsonError> {
        if !self.rest().starts_with(c) {
            return Err(JsonError::at(self.at, "media type has another character than expected"));
        }
        self.at += c.len_utf8();
        Ok(())
    }

    fn space(&mut self) {
        self.at += self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    }
}

/// Characters of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
