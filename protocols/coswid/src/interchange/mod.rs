//! Tags from and to the formats in which software is described elsewhere: SPDX 2.3 and CycloneDX in JSON, SWID in XML.
//!
//! None of these says the same as a tag. What a format has no member for travels in the notes it leaves to its users
//! (annotations, properties, comments), so that what was exported here comes back as it was. What a document says and a
//! tag has no room for is listed, and the tag then links to the document with its digest. Nothing is fetched, no link is
//! followed and no entity of XML outside of the document is read.

mod cyclonedx;
mod cyclonedx_out;
mod error;
mod json;
mod model;
mod names;
mod notes;
mod spdx;
mod spdx_out;
mod swid_xml;
mod swid_xml_out;

use alloc::{
    collections::BTreeMap,
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{Tag, TagId, VersionScheme};

pub use error::InterchangeError;
pub(crate) use json::{Json, Place};
pub use json::{MAX_DOCUMENT_DEPTH, MAX_DOCUMENT_LEN, MAX_DOCUMENT_VALUES};
pub use model::{LINK_DIGEST, LINK_NAME, LINK_PURL, LINK_VERSION, LinkedComponent};
pub(crate) use model::{hash_of, linked_digest};

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// SPDX 2.2 and 2.3, JSON.
    Spdx,
    /// CycloneDX 1.4 to 1.6, JSON.
    CycloneDx,
    /// Software identification tags (ISO/IEC 19770-2:2015), XML.
    SwidXml,
}

/// What the caller knows better than the document.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions<'a> {
    /// Identifier of the tag; made from the document without it.
    pub tag_id: Option<TagId>,
    /// Scheme of the version, where the document does not say one.
    pub version_scheme: Option<VersionScheme>,
    /// Who makes the tag, where the document names nobody.
    pub tag_creator: Option<&'a str>,
    /// Where the document can be had; its digest names it without one.
    pub location: Option<&'a str>,
}

/// A tag made from a document, authenticated by nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The format of the document.
    pub format: Format,
    /// The tag.
    pub tag: Tag,
    /// What the document says and the tag does not.
    pub dropped: Vec<Loss>,
}

/// A tag in another format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The document.
    pub document: Vec<u8>,
    /// What the tag says and the document does not.
    pub dropped: Vec<Loss>,
}

/// Things of one kind that were left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Their place, with `*` for every number in it.
    pub what: String,
    /// The place of the first.
    pub first: String,
    /// How many there are.
    pub count: usize,
}

/// Collects losses by kind.
#[derive(Debug, Default)]
pub(crate) struct Dropped(BTreeMap<String, (String, usize)>);

impl Format {
    /// The media type of its documents.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Spdx => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::SwidXml => "application/swid+xml",
        }
    }

    /// What a document is, from its content alone.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
        match first {
            Some(b'<') => swid_xml::is_swid(bytes).then_some(Self::SwidXml),
            Some(b'{') => {
                let value = Json::parse(bytes).ok()?;
                let root = Place::root(&value);
                if root.member("spdxVersion").is_some() {
                    return Some(Self::Spdx);
                }
                matches!(root.optional_text("bomFormat"), Ok(Some("CycloneDX"))).then_some(Self::CycloneDx)
            }
            _ => None,
        }
    }
}

/// Makes a tag from a document of any format that is read.
pub fn import(bytes: &[u8], options: &ImportOptions<'_>) -> Result<Imported, InterchangeError> {
    if bytes.len() > MAX_DOCUMENT_LEN {
        return Err(InterchangeError::TooLarge { what: "bytes", limit: MAX_DOCUMENT_LEN });
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<') {
        return swid_xml::import(text, options);
    }
    let value = Json::parse(text)?;
    let root = Place::root(&value);
    if root.member("spdxVersion").is_some() {
        return spdx::import(text, &root, options);
    }
    if root.member("bomFormat").is_some() {
        return cyclonedx::import(text, &root, options);
    }
    Err(InterchangeError::UnknownFormat)
}

/// Writes a tag as SPDX 2.3 in JSON, created at a time in seconds since 1970. The same tag and time give the same bytes.
pub fn export_spdx(tag: &Tag, created: i64) -> Exported {
    spdx_out::export(tag, created)
}

/// Writes a tag as CycloneDX 1.6 in JSON, created at a time in seconds since 1970. The same tag and time give the same
/// bytes.
pub fn export_cyclonedx(tag: &Tag, created: i64) -> Exported {
    cyclonedx_out::export(tag, created)
}

/// Writes a tag as SWID in XML. The same tag gives the same bytes.
pub fn export_swid_xml(tag: &Tag) -> Exported {
    swid_xml_out::export(tag)
}

impl Dropped {
    /// Something at a place is left out.
    pub(crate) fn add(&mut self, place: &str) {
        let is_index = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        let kind: Vec<&str> = place.split('/').map(|step| if is_index(step) { "*" } else { step }).collect();
        self.0.entry(kind.join("/")).or_insert_with(|| (place.to_string(), 0)).1 += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_losses(self) -> Vec<Loss> {
        self.0.into_iter().map(|(what, (first, count))| Loss { what, first, count }).collect()
    }
}
