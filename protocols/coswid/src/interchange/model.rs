//! What all formats have in common: components as links, files by their paths, and the tag that comes of it.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use cbor::{Order, Reader, Writer};
use crypto::{Digest, HashAlgorithm};

use super::{Dropped, Format, ImportOptions, Imported, InterchangeError, Place, names};
use crate::{
    Attribute, AttributeKey, Collection, Entity, File, GlobalAttributes, Hash, Link, Payload, Rel,
    ResourceCollection, Role, Tag, TagId, tag::Fields,
};

/// Attribute of a link to a component: its name.
pub const LINK_NAME: &str = "component-name";
/// Attribute of a link to a component: its version.
pub const LINK_VERSION: &str = "component-version";
/// Attribute of a link to a component: its package URL, where the link itself is another URI.
pub const LINK_PURL: &str = "component-purl";
/// Attribute of a link: the digest of what it links to, as the name of its algorithm, a colon and hexadecimal digits.
pub const LINK_DIGEST: &str = "digest";

/// A component that a tag links to, with what the link says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedComponent<'t> {
    /// The link: of relation `component`, `requires` or another.
    pub link: &'t Link,
    /// Its name.
    pub name: Option<&'t str>,
    /// Its version.
    pub version: Option<&'t str>,
    /// Its package URL.
    pub purl: Option<&'t str>,
    /// Its digest, as written.
    pub digest: Option<&'t str>,
}

impl Tag {
    /// The links to parts of the software and to what it requires, with what they say of these.
    pub fn linked_components(&self) -> impl Iterator<Item = LinkedComponent<'_>> {
        self.links()
            .iter()
            .filter(|link| matches!(link.rel, Rel::Component | Rel::Requires))
            .map(LinkedComponent::of)
    }
}

impl<'t> LinkedComponent<'t> {
    pub(crate) fn of(link: &'t Link) -> Self {
        let text = |name| attribute(&link.global, name);
        let is_purl = link.href.as_str().starts_with("pkg:");
        Self {
            link,
            name: text(LINK_NAME),
            version: text(LINK_VERSION),
            purl: if is_purl { Some(link.href.as_str()) } else { text(LINK_PURL) },
            digest: text(LINK_DIGEST),
        }
    }
}

fn attribute<'t>(global: &'t GlobalAttributes, name: &str) -> Option<&'t str> {
    let is_it = |entry: &&Attribute| matches!(&entry.key, AttributeKey::Text(key) if key == name);
    let entry = global.attributes.iter().find(is_it)?;
    Reader::with_order(&entry.value, Order::Unique).text().ok()
}

/// Sets an attribute, or removes it. Their order does not matter: what is imported is read again at its end.
fn set_attribute(global: &mut GlobalAttributes, name: &str, value: Option<&str>) {
    global.attributes.retain(|entry| !matches!(&entry.key, AttributeKey::Text(key) if key == name));
    if let Some(value) = value {
        let value = Writer::encode(|w| {
            w.text(value);
        });
        global.attributes.push(Attribute { key: AttributeKey::Text(name.into()), value });
    }
}

/// What a document says of a component.
#[derive(Clone, Debug, Default)]
pub(crate) struct Component<'j> {
    pub(crate) name: &'j str,
    pub(crate) version: Option<&'j str>,
    pub(crate) purl: Option<&'j str>,
    pub(crate) hash: Option<Hash>,
    /// What to link to where there is no package URL.
    pub(crate) href: String,
}

impl Component<'_> {
    /// A link to it; `note` is what an earlier export wrote of the link.
    pub(crate) fn link(&self, rel: Rel, note: Option<Link>) -> Link {
        let href = self.purl.unwrap_or(&self.href);
        let mut link = note.unwrap_or_else(|| Link::new(rel, href));
        let linked = link.href.as_str() == href;
        set_attribute(&mut link.global, LINK_NAME, (self.name != link.href.as_str()).then_some(self.name));
        set_attribute(&mut link.global, LINK_VERSION, self.version);
        set_attribute(&mut link.global, LINK_PURL, self.purl.filter(|_| !linked));
        let hash = self.hash.as_ref().and_then(|hash| Some((names::hash_name(hash)?, hash)));
        if let Some((name, hash)) = hash {
            let text = format!("{}:{}", name.to_ascii_lowercase(), names::hex(hash.value()));
            set_attribute(&mut link.global, LINK_DIGEST, Some(&text));
        }
        link
    }
}

/// The hash that a link says its component has, where it has the form this crate writes.
pub(crate) fn linked_hash(digest: &str) -> Option<Hash> {
    let (name, digits) = digest.split_once(':')?;
    hash_of(name, digits)
}

/// The digest that a link says its component has, if it can be compared.
pub(crate) fn linked_digest(digest: &str) -> Option<Digest> {
    linked_hash(digest)?.digest()
}

/// A hash by the name of its function and its digits; `None` for a function that no tag knows.
pub(crate) fn hash_of(name: &str, digits: &str) -> Option<Hash> {
    names::hash(names::hash_algorithm(name)?.1, digits)
}

/// The best of the hashes that a document has of one thing; all others are told as dropped.
pub(crate) fn best_hash(
    hashes: &[Place<'_>],
    algorithm: &str,
    value: &str,
    dropped: &mut Dropped,
) -> Result<Option<Hash>, InterchangeError> {
    let mut best: Option<(usize, Hash, &Place<'_>)> = None;
    for place in hashes {
        let digits = place.required_text(value, "the value of a hash")?;
        let name = place.required_text(algorithm, "the algorithm of a hash")?;
        let Some((rank, number)) = names::hash_algorithm(name) else {
            dropped.add(&format!("{}/{name}", place.path));
            continue;
        };
        let hash = names::hash(number, digits)
            .ok_or_else(|| place.unfit("as many hexadecimal digits as the algorithm has"))?;
        match &best {
            Some((other, ..)) if *other <= rank => dropped.add(&format!("{}/{name}", place.path)),
            _ => {
                if let Some((.., other)) = best.replace((rank, hash, place)) {
                    dropped.add(&other.path);
                }
            }
        }
    }
    Ok(best.map(|(_, hash, _)| hash))
}

/// A file from its path and hash; `note` is what an earlier export wrote of the file.
pub(crate) fn file(path: &str, version: Option<&str>, hash: Option<Hash>, note: Option<File>) -> File {
    let mut file = note.unwrap_or_default();
    let noted = match &file.location {
        Some(location) => join(location, &file.fs_name),
        None => file.fs_name.clone(),
    };
    if noted != path {
        let (location, name) = match path.rsplit_once('/') {
            Some((location, name)) if !name.is_empty() => (Some(location), name),
            _ => (None, path),
        };
        let location = location.map(|location| if location.is_empty() { "/" } else { location });
        file.location = location.map(String::from);
        file.fs_name = name.into();
    }
    file.file_version = version.map(String::from);
    // A truncated hash has no name elsewhere, and so stands in the note alone.
    file.hash = hash.or(file.hash.filter(|hash| names::hash_name(hash).is_none()));
    file
}

fn join(location: &str, name: &str) -> String {
    format!("{}/{name}", location.trim_end_matches('/'))
}

/// The files of a tag at any depth as a flat list, with their paths; what directories say besides is told as dropped.
pub(crate) fn flat_files(tag: &Tag, dropped: &mut Dropped) -> Vec<(String, File)> {
    let resources = match tag.collection() {
        Some(Collection::Payload(payload)) => Some(&payload.resources),
        Some(Collection::Evidence(evidence)) => Some(&evidence.resources),
        None => None,
    };
    note_directories(resources, dropped);
    let own = resources.map_or(0, |resources| resources.files.len());
    let flat = tag.measured_files().into_iter().enumerate().map(|(index, measured)| {
        let mut file = measured.file.clone();
        // Files of directories come after those that stand alone, and need the path of their directory.
        let path = if index < own {
            match (&file.root, &file.location) {
                (None, Some(location)) => join(location, &file.fs_name),
                (None, None) => file.fs_name.clone(),
                _ => measured.path(),
            }
        } else {
            file.root = None;
            file.location = measured.location.clone();
            measured.location.as_ref().map_or(file.fs_name.clone(), |location| join(location, &file.fs_name))
        };
        (path, file)
    });
    flat.collect()
}

fn note_directories(resources: Option<&ResourceCollection>, dropped: &mut Dropped) {
    let mut left: Vec<_> = resources.into_iter().flat_map(|resources| &resources.directories).collect();
    while let Some(directory) = left.pop() {
        if directory.key.is_some() {
            dropped.add("directory/key");
        }
        if directory.global != GlobalAttributes::default() {
            dropped.add("directory/attributes");
        }
        if directory.path_elements == ResourceCollection::default() {
            dropped.add("directory/empty");
        }
        left.extend(&directory.path_elements.directories);
    }
}

/// A fresh tag of a name, to be filled from a document.
pub(crate) fn fields(tag_id: TagId, name: &str) -> Fields {
    Fields::new(tag_id, name.into(), Collection::Payload(Payload::default()))
}

/// The tag of what was read, held to the rules and limits of every tag.
pub(crate) fn finish(
    format: Format,
    document: &[u8],
    mut fields: Fields,
    options: &ImportOptions<'_>,
    dropped: Dropped,
) -> Result<Imported, InterchangeError> {
    if let Some(id) = &options.tag_id {
        fields.tag_id = id.clone();
    }
    if fields.version_scheme.is_none() && fields.software_version.is_some() {
        fields.version_scheme = options.version_scheme.clone();
    }
    if !fields.entities.iter().any(|entity| entity.has_role(&Role::TagCreator)) {
        let name = options.tag_creator.ok_or_else(|| InterchangeError::Unfit {
            place: "/".to_string(),
            expected: "somebody who made the document; name a tag creator",
        })?;
        fields.entities.push(Entity::new(name, [Role::TagCreator]));
    }
    if !dropped.is_empty() {
        fields.links.push(see_also(format, document, options.location));
    }
    let tag = Tag::decode(&fields.encode()).map_err(InterchangeError::Tag)?;
    Ok(Imported { format, tag, dropped: dropped.into_losses() })
}

/// The link to the document itself, by its digest.
fn see_also(format: Format, document: &[u8], location: Option<&str>) -> Link {
    let digest = Digest::of(HashAlgorithm::Sha256, document);
    let href = location.map_or_else(|| named_information(&digest), String::from);
    let mut link = Link::new(Rel::SeeAlso, href);
    link.media_type = Some(format.media_type().into());
    let text = format!("sha-256:{}", names::hex(digest.as_bytes()));
    set_attribute(&mut link.global, LINK_DIGEST, Some(&text));
    link
}

/// The URI of a SHA-256 digest (RFC 6920, section 3).
pub(crate) fn named_information(digest: &Digest) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut uri = String::from("ni:///sha-256;");
    for chunk in digest.as_bytes().chunks(3) {
        let bits =
            (0..3).fold(0usize, |bits, index| bits << 8 | usize::from(*chunk.get(index).unwrap_or(&0)));
        for index in 0..=chunk.len() {
            let letter = ALPHABET.get(bits >> (18 - 6 * index) & 63).copied().unwrap_or(b'A');
            uri.push(char::from(letter));
        }
    }
    uri
}

/// A UUID for a document of a tag: version 8 (RFC 9562), from the digest of the tag.
pub(crate) fn document_uuid(tag: &Tag) -> String {
    let digest = Digest::of(HashAlgorithm::Sha256, &tag.encode());
    let mut uuid = [0; 16];
    for (place, byte) in uuid.iter_mut().zip(digest.as_bytes()) {
        *place = *byte;
    }
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    TagId::Uuid(uuid).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_a_digest_as_rfc_6920_does() {
        let digest = Digest::of(HashAlgorithm::Sha256, b"Hello World!");
        assert_eq!(named_information(&digest), "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk");
    }
}
