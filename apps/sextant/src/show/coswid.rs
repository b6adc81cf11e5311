use coswid::interchange::{self, Format, ImportOptions};
use coswid::{Collection, Entity, Link, MeasuredFile, Received, Role, Tag, TagId, TagKind, VersionScheme};

use crate::node::{Map, Node, hex};

/// A tag in any of its forms; a signature on it is shown and not verified.
pub(crate) fn received(received: &Received<'_>) -> Map {
    match received {
        Received::Unsigned(tag) => Map::new().with("kind", "CoSWID").then(self::tag(tag)),
        Received::Signed(signed) => {
            Map::new().with("kind", "signed CoSWID").then(self::tag(signed.unverified()))
        }
    }
}

/// A document of another format: the tag that would be imported from it, or why there would be none.
pub(crate) fn document(format: Format, bytes: &[u8]) -> Map {
    let kind = match format {
        Format::Spdx => "SPDX",
        Format::CycloneDx => "CycloneDX",
        Format::SwidXml => "SWID (XML)",
    };
    let options = ImportOptions { tag_creator: Some("whoever imports it"), ..ImportOptions::default() };
    let map = Map::new().with("kind", kind);
    match interchange::import(bytes, &options) {
        Ok(imported) => map.with("as_coswid", tag(&imported.tag)),
        Err(error) => map.with("no_coswid_because", Node::shown(error)),
    }
}

/// The content of a tag.
pub(crate) fn tag(tag: &Tag) -> Map {
    let collection = match tag.collection() {
        Some(Collection::Payload(_)) => Some("payload"),
        Some(Collection::Evidence(_)) => Some("evidence"),
        None => None,
    };
    let files: Vec<Map> = tag.measured_files().iter().map(file).collect();
    let version = tag.version().map(|version| match version.scheme {
        Some(scheme) => format!("{} ({})", version.text, scheme_name(scheme)),
        None => version.text.to_owned(),
    });
    Map::new()
        .with("tag_id", tag_id(tag.tag_id()))
        .with("tag_version", tag.tag_version())
        .with("tag_kind", kind(tag.kind()))
        .with("software_name", tag.software_name())
        .maybe("software_version", version)
        .maybe("media", tag.media())
        .unless_empty("entities", tag.entities().iter().map(entity).collect::<Vec<_>>())
        .unless_empty("links", tag.links().iter().map(link).collect::<Vec<_>>())
        .maybe("collection", collection)
        .maybe("measured_on", tag.evidence().and_then(|evidence| evidence.date).map(crate::clock::date))
        .maybe("device_id", tag.evidence().and_then(|evidence| evidence.device_id.as_deref()))
        .unless_empty("files", files)
}

/// A tag id as text.
pub(crate) fn tag_id(id: &TagId) -> String {
    match id {
        TagId::Text(text) => text.clone(),
        TagId::Uuid(uuid) => suit::Uuid::from(*uuid).to_string(),
    }
}

fn file(file: &MeasuredFile<'_>) -> Map {
    let unusable = file.file.hash.as_ref().filter(|_| file.digest.is_none());
    Map::new()
        .with("path", file.path())
        .maybe("size", file.size)
        .maybe("digest", file.digest.map(Node::shown))
        .maybe(
            "unusable_hash",
            unusable.map(|hash| format!("algorithm {}: {}", hash.algorithm(), hex(hash.value()))),
        )
        .maybe("version", file.version)
        .with("required", file.key)
}

fn entity(entity: &Entity) -> Map {
    Map::new()
        .with("name", entity.name.as_str())
        .maybe("reg_id", entity.reg_id.as_ref().map(coswid::Uri::as_str))
        .with("roles", Node::list(entity.roles.iter().map(role)))
}

fn link(link: &Link) -> Map {
    let rel = match &link.rel {
        coswid::Rel::Other(number) => number.to_string(),
        coswid::Rel::Named(name) => name.clone(),
        known => format!("{known:?}").to_lowercase(),
    };
    Map::new().with("rel", rel).with("href", link.href.as_str())
}

fn role(role: &Role) -> String {
    match role {
        Role::TagCreator => "tag-creator".to_owned(),
        Role::SoftwareCreator => "software-creator".to_owned(),
        Role::Aggregator => "aggregator".to_owned(),
        Role::Distributor => "distributor".to_owned(),
        Role::Licensor => "licensor".to_owned(),
        Role::Maintainer => "maintainer".to_owned(),
        Role::Other(number) => number.to_string(),
        Role::Named(name) => name.clone(),
    }
}

const fn kind(kind: TagKind) -> &'static str {
    match kind {
        TagKind::Primary => "primary",
        TagKind::Supplemental => "supplemental",
        TagKind::Corpus => "corpus",
        TagKind::Patch => "patch",
    }
}

fn scheme_name(scheme: &VersionScheme) -> String {
    match scheme {
        VersionScheme::MultipartNumeric => "multipartnumeric".to_owned(),
        VersionScheme::MultipartNumericSuffix => "multipartnumeric+suffix".to_owned(),
        VersionScheme::Alphanumeric => "alphanumeric".to_owned(),
        VersionScheme::Decimal => "decimal".to_owned(),
        VersionScheme::Semver => "semver".to_owned(),
        VersionScheme::Other(number) => number.to_string(),
        VersionScheme::Named(name) => name.clone(),
    }
}

/// Reads the name of a version scheme (RFC 9393, section 4.1).
pub(crate) fn scheme(name: &str) -> Result<VersionScheme, String> {
    let known = [
        VersionScheme::MultipartNumeric,
        VersionScheme::MultipartNumericSuffix,
        VersionScheme::Alphanumeric,
        VersionScheme::Decimal,
        VersionScheme::Semver,
    ];
    known.into_iter().find(|scheme| scheme_name(scheme) == name).ok_or_else(|| {
        "expected multipartnumeric, multipartnumeric+suffix, alphanumeric, decimal or semver".to_owned()
    })
}
