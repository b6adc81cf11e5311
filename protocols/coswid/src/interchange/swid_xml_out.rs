//! SWID in XML (ISO/IEC 19770-2:2015), written.

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use super::{Dropped, Exported, names};
use crate::{
    Collection, Entity, File, Generator, GlobalAttributes, Link, ResourceCollection, SoftwareMeta, Tag,
    TagId, TagKind,
};

/// Hash functions that have a namespace, and the prefixes that the document gives these.
const PREFIXES: [(i64, &str); 4] = [(1, "SHA256"), (7, "SHA384"), (8, "SHA512"), (10, "SHA3-256")];

pub(super) fn export(tag: &Tag) -> Exported {
    let mut xml =
        Xml { text: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"), ..Xml::default() };
    if matches!(tag.tag_id(), TagId::Uuid(_)) {
        xml.dropped.add("tag-id/bytes");
    }
    let scheme = tag.version().and_then(|version| version.scheme).map(names::scheme_name);
    let kind = |kind| (tag.kind() == kind).then(|| "true".to_string());
    xml.open(
        "SoftwareIdentity",
        &[
            ("xmlns", Some("http://standards.iso.org/iso/19770/-2/2015/schema.xsd".into())),
            ("xmlns:SHA256", Some("http://www.w3.org/2001/04/xmlenc#sha256".into())),
            ("xmlns:SHA384", Some("http://www.w3.org/2001/04/xmldsig-more#sha384".into())),
            ("xmlns:SHA512", Some("http://www.w3.org/2001/04/xmlenc#sha512".into())),
            ("xmlns:SHA3-256", Some("http://www.w3.org/2007/05/xmldsig-more#sha3-256".into())),
            ("name", Some(tag.software_name().into())),
            ("tagId", Some(tag.tag_id().to_string())),
            ("tagVersion", Some(tag.tag_version().to_string())),
            ("version", tag.version().map(|version| version.text.into())),
            ("versionScheme", scheme),
            ("corpus", kind(TagKind::Corpus)),
            ("patch", kind(TagKind::Patch)),
            ("supplemental", kind(TagKind::Supplemental)),
            ("media", tag.media().map(String::from)),
            ("xml:lang", tag.global().lang.clone()),
        ],
    );
    xml.others("tag", tag.global());
    tag.entities().iter().for_each(|one| xml.entity(one));
    tag.links().iter().for_each(|one| xml.link(one));
    tag.fields.software_meta.iter().for_each(|one| xml.meta(one));
    match tag.collection() {
        Some(Collection::Payload(payload)) => {
            xml.others("payload", &payload.global);
            xml.open("Payload", &[("xml:lang", payload.global.lang.clone())]);
            xml.resources(&payload.resources);
            xml.close();
        }
        Some(Collection::Evidence(evidence)) => {
            xml.others("evidence", &evidence.global);
            if evidence.date.is_some() {
                xml.dropped.add("evidence/date");
            }
            if evidence.location.is_some() {
                xml.dropped.add("evidence/location");
            }
            let attributes =
                [("deviceId", evidence.device_id.clone()), ("xml:lang", evidence.global.lang.clone())];
            xml.open("Evidence", &attributes);
            xml.resources(&evidence.resources);
            xml.close();
        }
        None => {}
    }
    xml.close();
    Exported { document: xml.text.into_bytes(), dropped: xml.dropped.into_losses() }
}

/// A document that is being written.
#[derive(Default)]
struct Xml {
    text: String,
    open: Vec<&'static str>,
    dropped: Dropped,
}

impl Xml {
    fn start(&mut self, name: &str, attributes: &[(&str, Option<String>)]) {
        self.text.push_str(&format!("{:1$}<{name}", "", 2 * self.open.len()));
        for (name, value) in attributes {
            if let Some(value) = value {
                self.text.push_str(&format!(" {name}=\"{}\"", self::escaped(value, &mut self.dropped)));
            }
        }
    }

    fn open(&mut self, name: &'static str, attributes: &[(&str, Option<String>)]) {
        self.start(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
    }

    fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.text.push_str(&format!("{:1$}</{name}>\n", "", 2 * self.open.len()));
        }
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, Option<String>)]) {
        self.start(name, attributes);
        self.text.push_str("/>\n");
    }

    /// Entries that no specification names have no attribute.
    fn others(&mut self, of: &str, global: &GlobalAttributes) {
        global.attributes.iter().for_each(|_| self.dropped.add(&format!("{of}/attributes")));
    }

    fn entity(&mut self, entity: &Entity) {
        self.others("entity", &entity.global);
        if entity.thumbprint.is_some() {
            self.dropped.add("entity/thumbprint");
        }
        let roles: Vec<String> = entity.roles.iter().map(names::role_name).collect();
        self.empty(
            "Entity",
            &[
                ("name", Some(entity.name.clone())),
                ("regid", entity.reg_id.as_ref().map(|uri| uri.as_str().into())),
                ("role", Some(roles.join(" "))),
                ("xml:lang", entity.global.lang.clone()),
            ],
        );
    }

    fn link(&mut self, link: &Link) {
        self.others("link", &link.global);
        self.empty(
            "Link",
            &[
                ("rel", Some(names::rel_name(&link.rel))),
                ("href", Some(link.href.as_str().into())),
                ("artifact", link.artifact.clone()),
                ("media", link.media.clone()),
                ("ownership", link.ownership.as_ref().map(names::ownership_name)),
                ("type", link.media_type.clone()),
                ("use", link.usage.as_ref().map(names::usage_name)),
                ("xml:lang", link.global.lang.clone()),
            ],
        );
    }

    fn meta(&mut self, meta: &SoftwareMeta) {
        self.others("software-meta", &meta.global);
        let generator = match &meta.generator {
            Some(Generator::Name(name)) => Some(name.clone()),
            Some(Generator::Uuid(_)) => {
                self.dropped.add("software-meta/generator");
                None
            }
            None => None,
        };
        let required = meta.entitlement_data_required.map(|required| required.to_string());
        self.empty(
            "Meta",
            &[
                ("activationStatus", meta.activation_status.clone()),
                ("channelType", meta.channel_type.clone()),
                ("colloquialVersion", meta.colloquial_version.clone()),
                ("description", meta.description.clone()),
                ("edition", meta.edition.clone()),
                ("entitlementDataRequired", required),
                ("entitlementKey", meta.entitlement_key.clone()),
                ("generator", generator),
                ("persistentId", meta.persistent_id.clone()),
                ("product", meta.product.clone()),
                ("productFamily", meta.product_family.clone()),
                ("revision", meta.revision.clone()),
                ("summary", meta.summary.clone()),
                ("unspscCode", meta.unspsc_code.clone()),
                ("unspscVersion", meta.unspsc_version.clone()),
                ("xml:lang", meta.global.lang.clone()),
            ],
        );
    }

    /// Recursion is bounded, as tags nest no deeper than CBOR may.
    fn resources(&mut self, resources: &ResourceCollection) {
        for directory in &resources.directories {
            self.others("directory", &directory.global);
            self.open(
                "Directory",
                &[
                    ("name", Some(directory.fs_name.clone())),
                    ("location", directory.location.clone()),
                    ("root", directory.root.clone()),
                    ("key", directory.key.map(|key| key.to_string())),
                    ("xml:lang", directory.global.lang.clone()),
                ],
            );
            self.resources(&directory.path_elements);
            self.close();
        }
        resources.files.iter().for_each(|one| self.file(one));
        for process in &resources.processes {
            self.others("process", &process.global);
            let pid = process.pid.map(|pid| pid.to_string());
            self.empty("Process", &[("name", Some(process.name.clone())), ("pid", pid)]);
        }
        for resource in &resources.resources {
            self.others("resource", &resource.global);
            self.empty("Resource", &[("type", Some(resource.kind.clone()))]);
        }
    }

    fn file(&mut self, file: &File) {
        self.others("file", &file.global);
        let mut attributes = Vec::from([
            ("name", Some(file.fs_name.clone())),
            ("location", file.location.clone()),
            ("root", file.root.clone()),
            ("size", file.size.map(|size| size.to_string())),
            ("version", file.file_version.clone()),
            ("key", file.key.map(|key| key.to_string())),
            ("xml:lang", file.global.lang.clone()),
        ]);
        let name;
        if let Some(hash) = &file.hash {
            match PREFIXES.iter().find(|(number, _)| *number == hash.algorithm()) {
                Some((_, prefix)) => {
                    name = format!("{prefix}:hash");
                    attributes.push((&name, Some(names::hex(hash.value()))));
                }
                None => self.dropped.add("file/hash"),
            }
        }
        self.empty("File", &attributes);
    }
}

/// A text as the value of an attribute. XML has no form for most control characters: those are left out.
fn escaped(text: &str, dropped: &mut Dropped) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(c))),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => dropped.add("text/control-character"),
            c => escaped.push(c),
        }
    }
    escaped
}
