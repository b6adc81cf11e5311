//! SPDX 2.3 in JSON, written.
//!
//! SPDX asks for a SHA-1 checksum of every file, which a tag does not have; it is left out, as is the verification code
//! that is made of them.

use alloc::{format, string::ToString as _, vec::Vec};

use cbor::Writer;
use json::{Value, json};

use super::{
    Dropped, Exported,
    cyclonedx_out::{pretty, set},
    model::{self, LinkedComponent},
    names, notes,
};
use crate::{Hash, Rel, Role, Tag};

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const SUBJECT: &str = "SPDXRef-Package-software";

pub(super) fn export(tag: &Tag, created: i64) -> Exported {
    let mut dropped = Dropped::default();
    let created = names::timestamp(created);
    let annotations = |write: &dyn Fn(&mut Writer)| {
        json!([{
            "annotationDate": created,
            "annotationType": "OTHER",
            "annotator": "Tool: sextant",
            "comment": notes::comment(|w| write(w)),
        }])
    };
    let relation = |from: &str, kind: &str, to: &str| json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to });
    let mut relations = Vec::from([relation(DOCUMENT, "DESCRIBES", SUBJECT)]);
    let mut files = Vec::new();
    for (index, (path, file)) in model::flat_files(tag, &mut dropped).into_iter().enumerate() {
        let id = format!("SPDXRef-File-{index}");
        let checksums = checksums(file.hash.as_ref());
        relations.push(relation(SUBJECT, "CONTAINS", &id));
        files.push(json!({
            "SPDXID": id,
            "fileName": path,
            "checksums": checksums.unwrap_or_else(|| json!([])),
            "annotations": annotations(&|w| file.encode(w)),
        }));
    }
    let (mut packages, mut references) = (Vec::new(), Vec::new());
    for (index, link) in tag.links().iter().enumerate() {
        if !matches!(link.rel, Rel::Component | Rel::Requires) {
            references.push(json!({
                "referenceCategory": "OTHER",
                "referenceType": names::rel_name(&link.rel),
                // A locator has no spaces.
                "referenceLocator": link.href.as_str().replace(char::is_whitespace, "%20"),
                "comment": notes::comment(|w| link.encode(w)),
            }));
            continue;
        }
        let linked = LinkedComponent::of(link);
        let id = format!("SPDXRef-Package-{index}");
        relations.push(relation(
            SUBJECT,
            if link.rel == Rel::Requires { "DEPENDS_ON" } else { "CONTAINS" },
            &id,
        ));
        let mut package = json!({
            "SPDXID": id,
            "name": linked.name.unwrap_or(link.href.as_str()),
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "annotations": annotations(&|w| link.encode(w)),
        });
        set(&mut package, "versionInfo", linked.version.map(Value::from));
        set(&mut package, "checksums", checksums(linked.digest.and_then(model::linked_hash).as_ref()));
        let purl = linked.purl.map(|purl| {
            json!([{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl }])
        });
        set(&mut package, "externalRefs", purl);
        packages.push(package);
    }
    packages.insert(
        0,
        subject(
            tag,
            !files.is_empty(),
            references,
            annotations(&|w| {
                w.raw(&notes::of_tag(&tag.fields));
            }),
        ),
    );
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": tag.software_name(),
        "documentNamespace": format!("urn:uuid:{}", model::document_uuid(tag)),
        "creationInfo": { "created": created, "creators": creators(tag) },
        "packages": packages,
        "files": files,
        "relationships": relations,
    });
    Exported { document: pretty(&document), dropped: dropped.into_losses() }
}

fn subject(tag: &Tag, has_files: bool, mut references: Vec<Value>, annotations: Value) -> Value {
    references.push(json!({
        "referenceCategory": "SECURITY",
        "referenceType": "swid",
        "referenceLocator": format!("swid:{}", tag.tag_id().to_string().replace(char::is_whitespace, "%20")),
    }));
    let mut package = json!({
        "SPDXID": SUBJECT,
        "name": tag.software_name(),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": has_files,
        "primaryPackagePurpose": "FIRMWARE",
        "externalRefs": references,
        "annotations": annotations,
    });
    set(&mut package, "versionInfo", tag.version().map(|version| Value::from(version.text)));
    let supplier = tag.entities().iter().find(|entity| entity.has_role(&Role::SoftwareCreator));
    set(
        &mut package,
        "supplier",
        supplier.map(|entity| Value::from(format!("Organization: {}", entity.name))),
    );
    package
}

fn creators(tag: &Tag) -> Vec<Value> {
    let makers = tag.entities().iter().filter(|entity| entity.has_role(&Role::TagCreator));
    let mut creators: Vec<Value> =
        makers.map(|entity| Value::from(format!("Organization: {}", entity.name))).collect();
    creators.push(Value::from("Tool: sextant"));
    creators
}

fn checksums(hash: Option<&Hash>) -> Option<Value> {
    let hash = hash?;
    // SPDX has no dash in the names of SHA-2, and one in those of SHA-3.
    let name = names::hash_name(hash)?;
    let name = if name.starts_with("SHA3") { name.into() } else { name.replace('-', "") };
    Some(json!([{ "algorithm": name, "checksumValue": names::hex(hash.value()) }]))
}
