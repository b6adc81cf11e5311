//! The Open Source Vulnerability format, version 1, in JSON.

use alloc::{string::String, vec::Vec};

use super::{
    Advisory, AdvisoryFormat, Bound, Comparison, Doubt, Flaw, MAX_ALIASES, MAX_BOUNDS, MAX_PACKAGES, Package,
    Purl, Range, Scheme, Status, Versions, kept, kept_items, kept_member, kept_required, line,
};
use crate::interchange::{InterchangeError, Place};

pub(super) fn decode(root: &Place<'_>) -> Result<Advisory, InterchangeError> {
    if let Some(version) = root.member("schema_version") {
        let text = version.text()?;
        if !text.starts_with("1.") {
            return Err(version.unfit("a schema_version 1.x"));
        }
    }
    let id = kept_required(root, "id", "an id")?;
    let mut advisory = Advisory::new(AdvisoryFormat::Osv, &id);
    advisory.summary = match root.optional_text("summary")? {
        Some(summary) => Some(line(summary)),
        None => root.optional_text("details")?.map(line),
    };
    advisory.withdrawn = kept_member(root, "withdrawn")?;
    let mut names = kept_items(root, "aliases", MAX_ALIASES)?;
    names.insert(0, id);
    let flaw = Flaw::of(names).ok_or_else(|| root.unfit("an id"))?;
    let flaw = advisory.add_flaw(flaw)?;
    for affected in root.items("affected")? {
        let package = package(&affected)?;
        let package = advisory.add_package(package)?;
        let product = advisory.add_product(package, Vec::new())?;
        advisory.add_statement(flaw, Status::Affected, product)?;
    }
    Ok(advisory)
}

fn package(affected: &Place<'_>) -> Result<Package, InterchangeError> {
    let mut package = Package::default();
    // Ranges of commits name a repository instead of a package.
    let named = affected.member("package");
    let mut scheme = Scheme::Unstated;
    if let Some(named) = &named {
        let ecosystem = kept_required(named, "ecosystem", "an ecosystem")?;
        let name = kept_required(named, "name", "a name")?;
        let (ecosystem, edition) = match ecosystem.split_once(':') {
            // Other ecosystems have the address of a registry there.
            Some((name @ ("Debian" | "Ubuntu" | "Alpine"), edition)) => (name, Some(edition)),
            Some((name, _)) => (name, None),
            None => (ecosystem.as_str(), None),
        };
        let written = named
            .member("purl")
            .map(|purl| Purl::read(purl.text()?).ok_or_else(|| purl.unfit("a package URL")));
        // Where the ecosystem is known its own name counts; qualifiers of the URL tell of the source package.
        let purl = Purl::of_ecosystem(ecosystem, &name).or(written.transpose()?);
        scheme = purl.as_ref().and_then(Purl::scheme).unwrap_or(Scheme::Unstated);
        package = Package {
            name: Some(name),
            edition: edition.map(String::from),
            purl: purl.map(|purl| Purl { version: None, ..purl }),
            ..Package::default()
        };
    }
    let mut versions =
        Versions { listed: kept_items(affected, "versions", MAX_PACKAGES)?, scheme, ..Versions::default() };
    for range in affected.items("ranges")? {
        match range.required_text("type", "a type")? {
            "SEMVER" => versions.ranges.push(events(&range, Scheme::Semver)?),
            "ECOSYSTEM" => versions.ranges.push(events(&range, scheme)?),
            "GIT" => versions.unread = Some(Doubt::Commits),
            _ => versions.unread = Some(Doubt::UnreadRange),
        }
    }
    package.versions = versions;
    Ok(package)
}

fn events(range: &Place<'_>, scheme: Scheme) -> Result<Range, InterchangeError> {
    let mut read =
        Range { scheme, from_start: false, bounds: Vec::new(), except: Vec::new(), limits: Vec::new() };
    let mut begins = false;
    let events = range.items("events")?;
    if events.len() > MAX_BOUNDS {
        return Err(InterchangeError::TooLarge { what: "events in a range", limit: MAX_BOUNDS });
    }
    for event in &events {
        let bound = |comparison, member: &Place<'_>| {
            Ok::<_, InterchangeError>(Bound { comparison, version: kept(member)? })
        };
        let kinds = ["introduced", "fixed", "last_affected", "limit"];
        let mut said = kinds.into_iter().filter_map(|kind| Some((kind, event.member(kind)?)));
        let (Some((kind, member)), None) = (said.next(), said.next()) else {
            return Err(event.unfit("one of introduced, fixed, last_affected and limit"));
        };
        match kind {
            "introduced" if member.text()? == "0" => (begins, read.from_start) = (true, true),
            "introduced" => {
                begins = true;
                read.bounds.push(bound(Comparison::AtLeast, &member)?);
            }
            "fixed" => read.bounds.push(bound(Comparison::Less, &member)?),
            "last_affected" => read.bounds.push(bound(Comparison::AtMost, &member)?),
            _ => read.limits.push(kept(&member)?),
        }
    }
    if !begins {
        return Err(range.unfit("an event that is introduced"));
    }
    Ok(read)
}
