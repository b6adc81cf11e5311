//! CycloneDX in JSON: `metadata.component` is the software, components of type `file` are its files, and all others are
//! links.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::{
    Dropped, Format, ImportOptions, Imported, InterchangeError, Place,
    model::{self, Component},
    notes,
};
use crate::{Entity, Link, Rel, Role, TagId, Uri, tag::Fields};

const VERSIONS: [&str; 3] = ["1.4", "1.5", "1.6"];

pub(super) fn import(
    document: &[u8],
    root: &Place<'_>,
    options: &ImportOptions<'_>,
) -> Result<Imported, InterchangeError> {
    let mut dropped = Dropped::default();
    let known = [
        "$schema",
        "bomFormat",
        "specVersion",
        "serialNumber",
        "version",
        "metadata",
        "components",
        "dependencies",
    ];
    root.object(&known, &mut dropped)?;
    if root.optional_text("bomFormat")? != Some("CycloneDX") {
        return Err(root.unfit("bomFormat CycloneDX"));
    }
    let version = root.required_text("specVersion", "a specVersion")?;
    if !VERSIONS.contains(&version) {
        return Err(root.unfit("specVersion 1.4, 1.5 or 1.6"));
    }
    let metadata = root.member("metadata").ok_or_else(|| root.unfit("metadata"))?;
    metadata.object(
        &["timestamp", "component", "manufacture", "manufacturer", "supplier", "authors", "tools"],
        &mut dropped,
    )?;
    let subject = metadata.member("component").ok_or_else(|| metadata.unfit("a component"))?;
    let mut fields = software(root, &metadata, &subject, options, &mut dropped)?;
    let links = parts(root, &subject, &mut fields, &mut dropped)?;
    requirements(root, &subject, links, &mut fields, &mut dropped)?;
    references(&subject, &mut fields, &mut dropped)?;
    model::finish(Format::CycloneDx, document, fields, options, dropped)
}

fn software(
    root: &Place<'_>,
    metadata: &Place<'_>,
    subject: &Place<'_>,
    options: &ImportOptions<'_>,
    dropped: &mut Dropped,
) -> Result<Fields, InterchangeError> {
    let known = [
        "type",
        "bom-ref",
        "name",
        "version",
        "purl",
        "swid",
        "supplier",
        "manufacturer",
        "publisher",
        "properties",
        "hashes",
        "externalReferences",
        "components",
    ];
    subject.object(&known, dropped)?;
    let name = subject.required_text("name", "the name of the software")?;
    let version = subject.optional_text("version")?;
    if let Some((place, digits)) = notes::of_properties(subject, dropped)? {
        let mut fields = notes::read_tag(&place, digits)?;
        fields.software_name = name.into();
        fields.software_version = version.map(String::from);
        return Ok(fields);
    }
    let swid = subject.member("swid");
    let tag_id = match (&swid, root.optional_text("serialNumber")?, subject.optional_text("purl")?) {
        (Some(swid), ..) => swid.required_text("tagId", "a tagId")?,
        (None, Some(serial), _) => serial,
        (None, None, Some(purl)) => purl,
        (None, None, None) if options.tag_id.is_some() => "",
        (None, None, None) => return Err(root.unfit("a serialNumber; name a tag id")),
    };
    let mut fields = model::fields(TagId::Text(tag_id.into()), name);
    fields.software_version = version.map(String::from);
    if let Some(swid) = &swid {
        swid.object(&["tagId", "name", "version", "tagVersion", "patch"], dropped)?;
        fields.tag_version =
            swid.member("tagVersion").map(|version| version.integer()).transpose()?.unwrap_or(0);
        fields.patch = swid.member("patch").map(|patch| patch.boolean()).transpose()?.unwrap_or(false);
    } else if let Some(purl) = subject.optional_text("purl")?.filter(|purl| *purl != tag_id) {
        fields.links.push(Link::new(Rel::SeeAlso, purl));
    }
    makers(metadata, subject, &mut fields, dropped)?;
    let hash = model::best_hash(&subject.items("hashes")?, "alg", "content", dropped)?;
    if hash.is_some()
        && let Some(resources) = fields.resources_mut()
    {
        resources.files.push(model::file(name, version, hash, None));
    }
    Ok(fields)
}

/// Who made the software, and who the document.
fn makers(
    metadata: &Place<'_>,
    subject: &Place<'_>,
    fields: &mut Fields,
    dropped: &mut Dropped,
) -> Result<(), InterchangeError> {
    let organisation = |place: &Place<'_>, role: Role, dropped: &mut Dropped| {
        place.object(&["name", "url", "bom-ref"], dropped)?;
        let Some(name) = place.optional_text("name")? else { return Ok(None) };
        let urls = place.items("url")?;
        let mut entity = Entity::new(name, [role]);
        entity.reg_id = urls.first().map(|url| url.text()).transpose()?.map(Uri::new);
        urls.iter().skip(1).for_each(|url| dropped.add(&url.path));
        Ok::<_, InterchangeError>(Some(entity))
    };
    for member in ["supplier", "manufacturer"] {
        if let Some(place) = subject.member(member) {
            fields.entities.extend(organisation(&place, Role::SoftwareCreator, dropped)?);
        }
    }
    if let Some(name) = subject.optional_text("publisher")? {
        fields.entities.push(Entity::new(name, [Role::Distributor]));
    }
    for member in ["manufacturer", "manufacture", "supplier"] {
        if let Some(place) = metadata.member(member) {
            fields.entities.extend(organisation(&place, Role::TagCreator, dropped)?);
        }
    }
    for author in metadata.items("authors")? {
        author.object(&["name", "bom-ref"], dropped)?;
        match author.optional_text("name")? {
            Some(name) => fields.entities.push(Entity::new(name, [Role::TagCreator])),
            None => dropped.add(&author.path),
        }
    }
    Ok(())
}

/// Files and links of all components, at any depth. Gives the links by the names that dependencies know them by.
fn parts(
    root: &Place<'_>,
    subject: &Place<'_>,
    fields: &mut Fields,
    dropped: &mut Dropped,
) -> Result<BTreeMap<String, Link>, InterchangeError> {
    let known = ["type", "bom-ref", "name", "version", "purl", "swid", "hashes", "properties", "components"];
    let mut left: Vec<Place<'_>> = root.items("components")?;
    left.extend(subject.items("components")?);
    left.reverse();
    let mut links = BTreeMap::new();
    while let Some(place) = left.pop() {
        place.object(&known, dropped)?;
        let nested = place.items("components")?;
        if !nested.is_empty() {
            // They stay as parts of the software; whose parts they are is lost.
            dropped.add(&format!("{}/components", place.path));
        }
        left.extend(nested.into_iter().rev());
        let name = place.required_text("name", "a name")?;
        let version = place.optional_text("version")?;
        let hash = model::best_hash(&place.items("hashes")?, "alg", "content", dropped)?;
        let note = notes::of_properties(&place, dropped)?;
        let reference = place.optional_text("bom-ref")?;
        if place.optional_text("type")? == Some("file") {
            let note = note.map(|(at, digits)| notes::read_file(&at, digits)).transpose()?;
            let resources =
                fields.resources_mut().ok_or_else(|| place.unfit("no files, as the tag lists none"))?;
            resources.files.push(model::file(name, version, hash, note));
            continue;
        }
        let swid = place.member("swid").map(|swid| swid.required_text("tagId", "a tagId")).transpose()?;
        let href = match (swid, reference) {
            (Some(id), _) => format!("swid:{id}"),
            (None, Some(reference)) => format!("#{reference}"),
            (None, None) => format!("#{}", place.path),
        };
        let component = Component { name, version, purl: place.optional_text("purl")?, hash, href };
        let note = note.map(|(at, digits)| notes::read_link(&at, digits)).transpose()?;
        let link = component.link(Rel::Component, note);
        if let Some(reference) = reference {
            links.insert(String::from(reference), link.clone());
        }
        fields.links.push(link);
    }
    Ok(links)
}

/// What the software depends on itself; what its components depend on is told as dropped.
fn requirements(
    root: &Place<'_>,
    subject: &Place<'_>,
    links: BTreeMap<String, Link>,
    fields: &mut Fields,
    dropped: &mut Dropped,
) -> Result<(), InterchangeError> {
    let own = subject.optional_text("bom-ref")?;
    for dependency in root.items("dependencies")? {
        dependency.object(&["ref", "dependsOn"], dropped)?;
        let is_own = own.is_some() && own == dependency.optional_text("ref")?;
        for on in dependency.items("dependsOn")? {
            match links.get(on.text()?).filter(|_| is_own) {
                Some(link) if link.rel == Rel::Requires => {}
                Some(link) => fields.links.push(Link { rel: Rel::Requires, ..link.clone() }),
                None => dropped.add(&on.path),
            }
        }
    }
    Ok(())
}

/// Links of other relations, which an earlier export wrote as references.
fn references(
    subject: &Place<'_>,
    fields: &mut Fields,
    dropped: &mut Dropped,
) -> Result<(), InterchangeError> {
    for reference in subject.items("externalReferences")? {
        match reference.optional_text("comment")?.and_then(notes::in_comment) {
            Some(digits) => fields.links.push(notes::read_link(&reference, digits)?),
            None => dropped.add(&reference.path),
        }
    }
    Ok(())
}
