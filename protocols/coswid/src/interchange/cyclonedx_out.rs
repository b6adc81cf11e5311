//! CycloneDX 1.6 in JSON, written.

use alloc::{format, string::ToString as _, vec::Vec};

use json::{Value, json};

use super::{
    Dropped, Exported,
    model::{self, LinkedComponent},
    names, notes,
};
use crate::{Entity, Rel, Role, Tag};

/// Name of the software within the document.
const SUBJECT: &str = "software";

pub(super) fn export(tag: &Tag, created: i64) -> Exported {
    let mut dropped = Dropped::default();
    let mut components = Vec::new();
    for (index, (path, file)) in model::flat_files(tag, &mut dropped).into_iter().enumerate() {
        let mut component = json!({
            "type": "file",
            "bom-ref": format!("file-{index}"),
            "name": path,
            "properties": [{ "name": notes::NAME, "value": notes::note(|w| file.encode(w)) }],
        });
        set(&mut component, "version", file.file_version.map(Value::from));
        let hash = file.hash.as_ref().and_then(|hash| {
            Some(json!([{ "alg": names::hash_name(hash)?, "content": names::hex(hash.value()) }]))
        });
        set(&mut component, "hashes", hash);
        components.push(component);
    }
    let (mut references, mut requires) = (Vec::new(), Vec::new());
    for (index, link) in tag.links().iter().enumerate() {
        if !matches!(link.rel, Rel::Component | Rel::Requires) {
            references.push(json!({
                "type": if link.rel == Rel::SeeAlso { "documentation" } else { "other" },
                "url": link.href.as_str(),
                "comment": notes::comment(|w| link.encode(w)),
            }));
            continue;
        }
        let linked = LinkedComponent::of(link);
        let reference = format!("link-{index}");
        let mut component = json!({
            "type": "library",
            "bom-ref": reference,
            "name": linked.name.unwrap_or(link.href.as_str()),
            "properties": [{ "name": notes::NAME, "value": notes::note(|w| link.encode(w)) }],
        });
        set(&mut component, "version", linked.version.map(Value::from));
        set(&mut component, "purl", linked.purl.map(Value::from));
        let hash = linked.digest.and_then(model::linked_hash).and_then(|hash| {
            Some(json!([{ "alg": names::hash_name(&hash)?, "content": names::hex(hash.value()) }]))
        });
        set(&mut component, "hashes", hash);
        if link.rel == Rel::Requires {
            requires.push(reference);
        }
        components.push(component);
    }
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", model::document_uuid(tag)),
        "version": 1,
        "metadata": metadata(tag, created, references),
        "components": components,
        "dependencies": [{ "ref": SUBJECT, "dependsOn": requires }],
    });
    Exported { document: pretty(&document), dropped: dropped.into_losses() }
}

fn metadata(tag: &Tag, created: i64, references: Vec<Value>) -> Value {
    let version = tag.version().map(|version| version.text);
    let mut swid = json!({
        "tagId": tag.tag_id().to_string(),
        "name": tag.software_name(),
        "tagVersion": tag.tag_version(),
        "patch": tag.kind() == crate::TagKind::Patch,
    });
    set(&mut swid, "version", version.map(Value::from));
    let mut subject = json!({
        "type": "firmware",
        "bom-ref": SUBJECT,
        "name": tag.software_name(),
        "swid": swid,
        "properties": [{ "name": notes::NAME, "value": names::hex(&notes::of_tag(&tag.fields)) }],
    });
    set(&mut subject, "version", version.map(Value::from));
    set(&mut subject, "supplier", organisation(tag, &Role::SoftwareCreator));
    set(&mut subject, "externalReferences", (!references.is_empty()).then_some(Value::Array(references)));
    let mut metadata = json!({ "timestamp": names::timestamp(created), "component": subject });
    set(&mut metadata, "manufacturer", organisation(tag, &Role::TagCreator));
    metadata
}

fn organisation(tag: &Tag, role: &Role) -> Option<Value> {
    let entity: &Entity = tag.entities().iter().find(|entity| entity.has_role(role))?;
    let mut value = json!({ "name": entity.name });
    set(&mut value, "url", entity.reg_id.as_ref().map(|uri| json!([uri.as_str()])));
    Some(value)
}

/// Sets a member of an object, if there is a value.
pub(super) fn set(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Value::Object(members), Some(value)) = (object, value) {
        members.insert(name.into(), value);
    }
}

pub(super) fn pretty(document: &Value) -> Vec<u8> {
    let mut text = json::to_vec_pretty(document).expect("names are texts");
    text.push(b'\n');
    text
}
