//! SPDX 2.3 in JSON: the package that the document describes is the software, its files are the files, and all other
//! packages are links.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::{
    Dropped, Format, ImportOptions, Imported, InterchangeError, Place,
    model::{self, Component},
    notes,
};
use crate::{Entity, Link, Rel, Role, TagId, tag::Fields};

/// Name of the document among its own elements.
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
/// What SPDX says where nothing is known.
const UNKNOWN: [&str; 2] = ["NOASSERTION", "NONE"];

pub(super) fn import(
    document: &[u8],
    root: &Place<'_>,
    options: &ImportOptions<'_>,
) -> Result<Imported, InterchangeError> {
    let mut dropped = Dropped::default();
    let known = [
        "spdxVersion",
        "dataLicense",
        "SPDXID",
        "name",
        "documentNamespace",
        "creationInfo",
        "packages",
        "files",
        "relationships",
        "documentDescribes",
    ];
    root.object(&known, &mut dropped)?;
    let version = root.required_text("spdxVersion", "a spdxVersion")?;
    if !["SPDX-2.2", "SPDX-2.3"].contains(&version) {
        return Err(root.unfit("spdxVersion SPDX-2.2 or SPDX-2.3"));
    }
    let relations = Relations::read(root, &mut dropped)?;
    let packages = root.items("packages")?;
    let subject = relations.subject(root, &packages)?;
    let subject_id = subject.required_text("SPDXID", "an SPDXID")?;
    let mut fields = software(root, &subject, subject_id, &mut dropped)?;
    files(root, subject_id, &relations, &mut fields, &mut dropped)?;
    for package in &packages {
        if package.optional_text("SPDXID")? != Some(subject_id) {
            component(package, subject_id, &relations, &mut fields, &mut dropped)?;
        }
    }
    model::finish(Format::Spdx, document, fields, options, dropped)
}

/// What the document says of how its elements relate, by the names of SPDX without direction.
struct Relations<'j> {
    described: Vec<&'j str>,
    /// Which element is in which.
    within: BTreeMap<&'j str, &'j str>,
    /// What elements depend on.
    needs: Vec<(&'j str, &'j str)>,
}

impl<'j> Relations<'j> {
    fn read(root: &Place<'j>, dropped: &mut Dropped) -> Result<Self, InterchangeError> {
        let mut relations = Self { described: Vec::new(), within: BTreeMap::new(), needs: Vec::new() };
        for described in root.items("documentDescribes")? {
            relations.described.push(described.text()?);
        }
        for relation in root.items("relationships")? {
            let from = relation.required_text("spdxElementId", "a spdxElementId")?;
            let to = relation.required_text("relatedSpdxElement", "a relatedSpdxElement")?;
            match relation.required_text("relationshipType", "a relationshipType")? {
                "DESCRIBES" if from == DOCUMENT => relations.described.push(to),
                "DESCRIBED_BY" if to == DOCUMENT => relations.described.push(from),
                "CONTAINS" => drop(relations.within.insert(to, from)),
                "CONTAINED_BY" => drop(relations.within.insert(from, to)),
                "DEPENDS_ON" => relations.needs.push((from, to)),
                "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" => relations.needs.push((to, from)),
                _ => dropped.add(&relation.path),
            }
        }
        relations.described.sort_unstable();
        relations.described.dedup();
        Ok(relations)
    }

    /// The one package that the document is about.
    fn subject(&self, root: &Place<'j>, packages: &[Place<'j>]) -> Result<Place<'j>, InterchangeError> {
        let mut found = Vec::new();
        for package in packages {
            let id = package.required_text("SPDXID", "an SPDXID")?;
            if self.described.contains(&id) {
                found.push(package);
            }
        }
        match (found.as_slice(), packages) {
            ([one], _) => Ok((*one).clone()),
            ([], [one]) if self.described.is_empty() => Ok(one.clone()),
            _ => Err(root.unfit("a document that describes exactly one package")),
        }
    }
}

fn software(
    root: &Place<'_>,
    subject: &Place<'_>,
    id: &str,
    dropped: &mut Dropped,
) -> Result<Fields, InterchangeError> {
    let known = [
        "SPDXID",
        "name",
        "versionInfo",
        "supplier",
        "originator",
        "packageFileName",
        "checksums",
        "downloadLocation",
        "filesAnalyzed",
        "hasFiles",
        "externalRefs",
        "annotations",
        "primaryPackagePurpose",
    ];
    subject.object(&known, dropped)?;
    let name = subject.required_text("name", "the name of the software")?;
    let version = subject.optional_text("versionInfo")?;
    let references = References::read(subject, dropped)?;
    if let Some((place, digits)) = notes::of_annotations(subject, dropped)? {
        let mut fields = notes::read_tag(&place, digits)?;
        fields.software_name = name.into();
        fields.software_version = version.map(String::from);
        fields.links = references.links;
        return Ok(fields);
    }
    let tag_id = match references.swid {
        Some(id) => String::from(id),
        None => {
            let namespace = root.required_text("documentNamespace", "a documentNamespace")?;
            format!("{namespace}#{id}")
        }
    };
    let mut fields = model::fields(TagId::Text(tag_id), name);
    fields.software_version = version.map(String::from);
    fields.links = references.links;
    fields.links.extend(references.purl.map(|purl| Link::new(Rel::SeeAlso, purl)));
    for (member, role) in [("supplier", Role::SoftwareCreator), ("originator", Role::SoftwareCreator)] {
        if let Some(name) = subject.optional_text(member)?.and_then(person) {
            fields.entities.push(Entity::new(name, [role]));
        }
    }
    if let Some(creation) = root.member("creationInfo") {
        creation.object(&["created", "creators", "licenseListVersion"], dropped)?;
        for creator in creation.items("creators")? {
            // Tools made it for somebody.
            if let Some(name) = person(creator.text()?) {
                fields.entities.push(Entity::new(name, [Role::TagCreator]));
            }
        }
    }
    let hash = model::best_hash(&subject.items("checksums")?, "algorithm", "checksumValue", dropped)?;
    if hash.is_some()
        && let Some(resources) = fields.resources_mut()
    {
        let path = subject.optional_text("packageFileName")?.unwrap_or(name);
        resources.files.push(model::file(path, version, hash, None));
    }
    place_of_download(subject, dropped)?;
    Ok(fields)
}

/// Where a package is downloaded from has no place in a tag.
fn place_of_download(package: &Place<'_>, dropped: &mut Dropped) -> Result<(), InterchangeError> {
    if package.optional_text("downloadLocation")?.is_some_and(|place| !UNKNOWN.contains(&place)) {
        dropped.add(&format!("{}/downloadLocation", package.path));
    }
    Ok(())
}

/// The name of an organisation or a person, without their address.
fn person(text: &str) -> Option<&str> {
    let name = text.strip_prefix("Organization:").or_else(|| text.strip_prefix("Person:"))?;
    let name = name.split_once('(').map_or(name, |(name, _)| name).trim();
    (!name.is_empty()).then_some(name)
}

fn files(
    root: &Place<'_>,
    subject: &str,
    relations: &Relations<'_>,
    fields: &mut Fields,
    dropped: &mut Dropped,
) -> Result<(), InterchangeError> {
    for place in root.items("files")? {
        let id = place.required_text("SPDXID", "an SPDXID")?;
        if relations.within.get(id).is_some_and(|package| *package != subject) {
            dropped.add(&place.path);
            continue;
        }
        place.object(&["SPDXID", "fileName", "checksums", "annotations"], dropped)?;
        let path = place.required_text("fileName", "a fileName")?;
        let hash = model::best_hash(&place.items("checksums")?, "algorithm", "checksumValue", dropped)?;
        let note = notes::of_annotations(&place, dropped)?;
        let note = note.map(|(at, digits)| notes::read_file(&at, digits)).transpose()?;
        let version = note.as_ref().and_then(|note| note.file_version.clone());
        let resources =
            fields.resources_mut().ok_or_else(|| place.unfit("no files, as the tag lists none"))?;
        resources.files.push(model::file(path, version.as_deref(), hash, note));
    }
    Ok(())
}

fn component(
    package: &Place<'_>,
    subject: &str,
    relations: &Relations<'_>,
    fields: &mut Fields,
    dropped: &mut Dropped,
) -> Result<(), InterchangeError> {
    let known = [
        "SPDXID",
        "name",
        "versionInfo",
        "checksums",
        "downloadLocation",
        "filesAnalyzed",
        "externalRefs",
        "annotations",
    ];
    package.object(&known, dropped)?;
    place_of_download(package, dropped)?;
    let id = package.required_text("SPDXID", "an SPDXID")?;
    let references = References::read(package, dropped)?;
    let note = notes::of_annotations(package, dropped)?;
    let note = note.map(|(at, digits)| notes::read_link(&at, digits)).transpose()?;
    let component = Component {
        name: package.required_text("name", "a name")?,
        version: package.optional_text("versionInfo")?,
        purl: references.purl,
        hash: model::best_hash(&package.items("checksums")?, "algorithm", "checksumValue", dropped)?,
        href: references.swid.map_or_else(|| format!("#{id}"), |id| format!("swid:{id}")),
    };
    let needed = relations.needs.contains(&(subject, id));
    let within = relations.within.get(id);
    if within.is_some_and(|outer| *outer != subject)
        || relations.needs.iter().any(|(_, to)| *to == id) && !needed
    {
        // It stays as a part of the software; whose part or need it is is lost.
        dropped.add(&format!("{}/relationships", package.path));
    }
    let link = component.link(Rel::Component, note.clone());
    if needed && note.is_none() {
        fields.links.push(Link { rel: Rel::Requires, ..link.clone() });
    }
    fields.links.push(link);
    Ok(())
}

/// What the external references of a package say.
struct References<'j> {
    purl: Option<&'j str>,
    swid: Option<&'j str>,
    /// Links that an earlier export wrote.
    links: Vec<Link>,
}

impl<'j> References<'j> {
    fn read(package: &Place<'j>, dropped: &mut Dropped) -> Result<Self, InterchangeError> {
        let mut references = Self { purl: None, swid: None, links: Vec::new() };
        for place in package.items("externalRefs")? {
            let locator = place.required_text("referenceLocator", "a referenceLocator")?;
            let kind = place.required_text("referenceType", "a referenceType")?;
            if let Some(digits) = place.optional_text("comment")?.and_then(notes::in_comment) {
                references.links.push(notes::read_link(&place, digits)?);
                continue;
            }
            match kind {
                "purl" if references.purl.is_none() => references.purl = Some(locator),
                "swid" if references.swid.is_none() => {
                    references.swid = Some(locator.strip_prefix("swid:").unwrap_or(locator));
                }
                _ => dropped.add(&format!("{}/{kind}", place.path)),
            }
        }
        Ok(references)
    }
}
