//! SWID in XML (ISO/IEC 19770-2:2015), which CoSWID mirrors one to one.
//!
//! Document types, and with them entities of one's own, are refused. An XML signature is not verified and told as dropped.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use roxmltree::{Document, Node, ParsingOptions};

use super::{Dropped, Format, ImportOptions, Imported, InterchangeError, MAX_DOCUMENT_VALUES, model, names};
use crate::{
    Collection, Directory, Entity, Evidence, File, Generator, Hash, Link, Payload, Process, Resource,
    ResourceCollection, SoftwareMeta, TagId, Uri, tag::Fields,
};

/// Namespace of SWID.
const NAMESPACE: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
/// How deep directories may nest: the tag that comes of it must stay within the depth of CBOR.
const MAX_DIRECTORIES: usize = 6;
/// Namespaces that stand for hash functions: files have an attribute `hash` in one of them.
const HASHES: [(&str, i64); 4] = [
    ("http://www.w3.org/2001/04/xmlenc#sha256", 1),
    ("http://www.w3.org/2001/04/xmldsig-more#sha384", 7),
    ("http://www.w3.org/2001/04/xmlenc#sha512", 8),
    ("http://www.w3.org/2007/05/xmldsig-more#sha3-256", 10),
];

fn parse(text: &str) -> Result<Document<'_>, InterchangeError> {
    let nodes_limit = u32::try_from(MAX_DOCUMENT_VALUES).unwrap_or(u32::MAX);
    let options = ParsingOptions { allow_dtd: false, nodes_limit, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| {
        let at = error.pos();
        InterchangeError::Malformed {
            line: at.row as usize,
            column: at.col as usize,
            fault: error.to_string(),
        }
    })
}

/// Whether it is a document with a software identity for its root.
pub(super) fn is_swid(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes)
        .ok()
        .and_then(|text| parse(text).ok())
        .is_some_and(|document| document.root_element().has_tag_name((NAMESPACE, "SoftwareIdentity")))
}

pub(super) fn import(bytes: &[u8], options: &ImportOptions<'_>) -> Result<Imported, InterchangeError> {
    let text = core::str::from_utf8(bytes).map_err(|error| InterchangeError::Malformed {
        line: bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1,
        column: 1,
        fault: "not UTF-8".into(),
    })?;
    let document = parse(text)?;
    let root = Element { node: document.root_element(), path: "/SoftwareIdentity".into() };
    if !root.node.has_tag_name((NAMESPACE, "SoftwareIdentity")) {
        return Err(InterchangeError::UnknownFormat);
    }
    let mut dropped = Dropped::default();
    let fields = identity(&root, &mut dropped)?;
    model::finish(Format::SwidXml, bytes, fields, options, dropped)
}

/// An element and the path to it.
#[derive(Clone)]
struct Element<'a, 'd> {
    node: Node<'a, 'd>,
    path: String,
}

impl<'a, 'd> Element<'a, 'd> {
    fn unfit(&self, expected: &'static str) -> InterchangeError {
        let at = self.node.document().text_pos_at(self.node.range().start);
        InterchangeError::Unfit { place: format!("line {}, {}", at.row, self.path), expected }
    }

    /// An attribute of SWID, which has no namespace; extensions put some into one of their own.
    fn attribute(&self, name: &str) -> Option<&'a str> {
        self.node.attribute(name)
    }

    fn required(&self, name: &str, expected: &'static str) -> Result<&'a str, InterchangeError> {
        self.attribute(name).ok_or_else(|| self.unfit(expected))
    }

    fn boolean(&self, name: &str) -> Result<Option<bool>, InterchangeError> {
        let value = self.attribute(name).map(|text| match text.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.unfit("true or false")),
        });
        value.transpose()
    }

    fn number<T: core::str::FromStr>(&self, name: &str) -> Result<Option<T>, InterchangeError> {
        let parse = |text: &str| text.trim().parse().map_err(|_| self.unfit("a number"));
        self.attribute(name).map(parse).transpose()
    }

    /// Tells attributes other than these as dropped. `xml:lang` and `xsi:type` are none of them.
    fn only(&self, known: &[&str], dropped: &mut Dropped) {
        for attribute in self.node.attributes() {
            let name = attribute.name();
            let is_known = attribute.namespace().is_none() && known.contains(&name);
            let is_hash = name == "hash" && attribute.namespace().is_some();
            let is_general = match attribute.namespace() {
                Some("http://www.w3.org/XML/1998/namespace") => name == "lang",
                Some("http://www.w3.org/2001/XMLSchema-instance") => true,
                _ => false,
            };
            if !(is_known || is_hash || is_general) {
                dropped.add(&format!("{}@{name}", self.path));
            }
        }
    }

    /// The elements in it; those of other namespaces are told as dropped. A tool in the field leaves the namespace of
    /// files out.
    fn children(&self, dropped: &mut Dropped) -> Vec<Self> {
        let mut found = Vec::new();
        for (index, node) in self.node.children().filter(Node::is_element).enumerate() {
            let name = node.tag_name().name();
            if matches!(node.tag_name().namespace(), Some(NAMESPACE) | None) {
                found.push(Self { node, path: format!("{}/{index}/{name}", self.path) });
            } else {
                dropped.add(&format!("{}/{name}", self.path));
            }
        }
        found
    }

    fn name(&self) -> &'a str {
        self.node.tag_name().name()
    }

    fn lang(&self) -> Option<String> {
        self.node.attribute(("http://www.w3.org/XML/1998/namespace", "lang")).map(String::from)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.attribute(name).map(String::from)
    }
}

fn identity(root: &Element<'_, '_>, dropped: &mut Dropped) -> Result<Fields, InterchangeError> {
    root.only(
        &[
            "name",
            "tagId",
            "tagVersion",
            "version",
            "versionScheme",
            "corpus",
            "patch",
            "supplemental",
            "media",
        ],
        dropped,
    );
    let tag_id = TagId::Text(root.required("tagId", "a tagId")?.into());
    let mut fields = model::fields(tag_id, root.required("name", "a name")?);
    fields.collection = None;
    fields.tag_version = root.number("tagVersion")?.unwrap_or(0);
    fields.software_version = root.text("version");
    // The standard has a name for a scheme that nobody knows.
    fields.version_scheme =
        root.attribute("versionScheme").filter(|name| *name != "unknown").map(names::scheme);
    fields.corpus = root.boolean("corpus")?.unwrap_or(false);
    fields.patch = root.boolean("patch")?.unwrap_or(false);
    fields.supplemental = root.boolean("supplemental")?.unwrap_or(false);
    fields.media = root.text("media");
    fields.global.lang = root.lang();
    for child in root.children(dropped) {
        match child.name() {
            "Entity" => fields.entities.push(entity(&child, dropped)?),
            "Link" => fields.links.push(link(&child, dropped)?),
            "Meta" => fields.software_meta.push(meta(&child, dropped)?),
            "Payload" | "Evidence" if fields.collection.is_some() => {
                return Err(child.unfit("one payload or evidence"));
            }
            "Payload" => {
                child.only(&[], dropped);
                let mut payload = Payload { resources: resources(&child, 0, dropped)?, ..Payload::default() };
                payload.global.lang = child.lang();
                fields.collection = Some(Collection::Payload(payload));
            }
            "Evidence" => {
                child.only(&["deviceId"], dropped);
                if child.attribute("date").is_some() {
                    dropped.add(&format!("{}@date", child.path));
                }
                let mut evidence = Evidence {
                    resources: resources(&child, 0, dropped)?,
                    device_id: child.text("deviceId"),
                    ..Evidence::default()
                };
                evidence.global.lang = child.lang();
                fields.collection = Some(Collection::Evidence(evidence));
            }
            _ => dropped.add(&child.path),
        }
    }
    Ok(fields)
}

fn entity(place: &Element<'_, '_>, dropped: &mut Dropped) -> Result<Entity, InterchangeError> {
    place.only(&["name", "regid", "role", "thumbprint"], dropped);
    place.children(dropped).iter().for_each(|child| dropped.add(&child.path));
    let roles: Vec<_> = place.required("role", "a role")?.split_whitespace().map(names::role).collect();
    let mut entity = Entity::new(place.required("name", "a name")?, roles);
    entity.reg_id = place.attribute("regid").map(Uri::new);
    // It does not say by which hash function.
    if place.attribute("thumbprint").is_some() {
        dropped.add(&format!("{}@thumbprint", place.path));
    }
    entity.global.lang = place.lang();
    Ok(entity)
}

fn link(place: &Element<'_, '_>, dropped: &mut Dropped) -> Result<Link, InterchangeError> {
    place.only(&["href", "rel", "artifact", "media", "ownership", "type", "use"], dropped);
    let rel = names::rel(place.required("rel", "a relation")?);
    let mut link = Link::new(rel, place.required("href", "a reference")?);
    link.artifact = place.text("artifact");
    link.media = place.text("media");
    link.ownership = place.attribute("ownership").map(names::ownership);
    link.media_type = place.text("type");
    link.usage = place.attribute("use").map(names::usage);
    link.global.lang = place.lang();
    Ok(link)
}

fn meta(place: &Element<'_, '_>, dropped: &mut Dropped) -> Result<SoftwareMeta, InterchangeError> {
    // Some write these into the namespace of an extension.
    const EXTENSION: &str = "http://csrc.nist.gov/ns/swid/2015-extensions/1.0";
    const TEXTS: [&str; 13] = [
        "activationStatus",
        "channelType",
        "colloquialVersion",
        "description",
        "edition",
        "entitlementKey",
        "persistentId",
        "product",
        "productFamily",
        "revision",
        "summary",
        "unspscCode",
        "unspscVersion",
    ];
    let mut meta = SoftwareMeta {
        entitlement_data_required: place.boolean("entitlementDataRequired")?,
        generator: place.text("generator").map(Generator::Name),
        ..SoftwareMeta::default()
    };
    meta.global.lang = place.lang();
    let places = [
        &mut meta.activation_status,
        &mut meta.channel_type,
        &mut meta.colloquial_version,
        &mut meta.description,
        &mut meta.edition,
        &mut meta.entitlement_key,
        &mut meta.persistent_id,
        &mut meta.product,
        &mut meta.product_family,
        &mut meta.revision,
        &mut meta.summary,
        &mut meta.unspsc_code,
        &mut meta.unspsc_version,
    ];
    for (name, field) in TEXTS.into_iter().zip(places) {
        *field = place.text(name).or_else(|| place.node.attribute((EXTENSION, name)).map(String::from));
    }
    for attribute in place.node.attributes() {
        let name = attribute.name();
        let is_known = match attribute.namespace() {
            None => TEXTS.contains(&name) || ["entitlementDataRequired", "generator"].contains(&name),
            Some(EXTENSION) => TEXTS.contains(&name),
            Some(namespace) => namespace == "http://www.w3.org/XML/1998/namespace" && name == "lang",
        };
        if !is_known {
            dropped.add(&format!("{}@{name}", place.path));
        }
    }
    Ok(meta)
}

/// What is within a payload, evidence or directory. Recursion is bounded by [`MAX_DIRECTORIES`].
fn resources(
    place: &Element<'_, '_>,
    depth: usize,
    dropped: &mut Dropped,
) -> Result<ResourceCollection, InterchangeError> {
    if depth > MAX_DIRECTORIES {
        return Err(InterchangeError::TooLarge {
            what: "directories within each other",
            limit: MAX_DIRECTORIES,
        });
    }
    let mut found = ResourceCollection::default();
    for child in place.children(dropped) {
        match child.name() {
            "Directory" => {
                child.only(&["key", "location", "name", "root"], dropped);
                let mut directory = Directory {
                    key: child.boolean("key")?,
                    location: child.text("location").filter(|location| !location.is_empty()),
                    fs_name: child.required("name", "a name")?.into(),
                    root: child.text("root"),
                    path_elements: resources(&child, depth + 1, dropped)?,
                    ..Directory::default()
                };
                directory.global.lang = child.lang();
                found.directories.push(directory);
            }
            "File" => found.files.push(file(&child, dropped)?),
            "Process" if depth == 0 => {
                child.only(&["name", "pid"], dropped);
                let name = child.required("name", "a name")?.into();
                found.processes.push(Process { name, pid: child.number("pid")?, global: Default::default() });
            }
            "Resource" if depth == 0 => {
                child.only(&["type"], dropped);
                let kind = child.required("type", "a type")?.into();
                found.resources.push(Resource { kind, global: Default::default() });
            }
            _ => dropped.add(&child.path),
        }
    }
    Ok(found)
}

fn file(place: &Element<'_, '_>, dropped: &mut Dropped) -> Result<File, InterchangeError> {
    place.only(&["key", "location", "name", "root", "size", "version"], dropped);
    let mut file = File {
        hash: hash(place, dropped)?,
        size: place.number("size")?,
        file_version: place.text("version"),
        key: place.boolean("key")?,
        location: place.text("location").filter(|location| !location.is_empty()),
        root: place.text("root"),
        ..File::new(place.required("name", "a name")?)
    };
    file.global.lang = place.lang();
    Ok(file)
}

/// The best of the hashes of a file; all others are told as dropped.
fn hash(place: &Element<'_, '_>, dropped: &mut Dropped) -> Result<Option<Hash>, InterchangeError> {
    let mut best: Option<(usize, Hash)> = None;
    for attribute in place.node.attributes().filter(|attribute| attribute.name() == "hash") {
        let Some(namespace) = attribute.namespace() else { continue };
        let found = HASHES.iter().enumerate().find(|(_, (known, _))| *known == namespace);
        let Some((rank, (_, algorithm))) = found else {
            dropped.add(&format!("{}@{namespace}:hash", place.path));
            continue;
        };
        let hash = names::hash(*algorithm, attribute.value())
            .ok_or_else(|| place.unfit("a hash of as many hexadecimal digits as its algorithm has"))?;
        if let Some((other, _)) = &best {
            dropped.add(&format!("{}@hash", place.path));
            if *other <= rank {
                continue;
            }
        }
        best = Some((rank, hash));
    }
    Ok(best.map(|(_, hash)| hash))
}
