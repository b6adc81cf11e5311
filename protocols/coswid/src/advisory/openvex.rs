//! OpenVEX in JSON, versions 0.0.1 and 0.2.0.

use alloc::{string::String, vec::Vec};

use super::{
    Advisory, AdvisoryFormat, Flaw, MAX_ALIASES, Package, Purl, Status, Versions, kept, kept_items,
    kept_member, kept_required,
};
use crate::{
    Hash,
    interchange::{InterchangeError, Json, Place, hash_of},
};

const CONTEXT: &str = "https://openvex.dev/ns";

pub(super) fn decode(root: &Place<'_>) -> Result<Advisory, InterchangeError> {
    if !root.optional_text("@context")?.is_some_and(|context| context.starts_with(CONTEXT)) {
        return Err(root.unfit("an @context of OpenVEX"));
    }
    let id = kept_required(root, "@id", "an @id")?;
    let mut advisory = Advisory::new(AdvisoryFormat::OpenVex, &id);
    for statement in root.items("statements")? {
        let flaw = flaw(&statement)?;
        let flaw = advisory.add_flaw(flaw)?;
        let status = match statement.required_text("status", "a status")? {
            "affected" => Status::Affected,
            "not_affected" => Status::NotAffected,
            "fixed" => Status::Fixed,
            "under_investigation" => Status::UnderInvestigation,
            _ => return Err(statement.unfit("a status of OpenVEX")),
        };
        for product in statement.items("products")? {
            let whole = package(&product)?;
            let whole = advisory.add_package(whole)?;
            let parts = product.items("subcomponents")?;
            for part in &parts {
                let part = package(part)?;
                let part = advisory.add_package(part)?;
                let product = advisory.add_product(part, Vec::from([whole]))?;
                advisory.add_statement(flaw, status, product)?;
            }
            if parts.is_empty() {
                let product = advisory.add_product(whole, Vec::new())?;
                advisory.add_statement(flaw, status, product)?;
            }
        }
    }
    Ok(advisory)
}

fn flaw(statement: &Place<'_>) -> Result<Flaw, InterchangeError> {
    let named = statement.member("vulnerability").ok_or_else(|| statement.unfit("a vulnerability"))?;
    // Its name alone in the first version.
    let names = if matches!(named.value, Json::Text(_)) {
        Vec::from([kept(&named)?])
    } else {
        let mut names = kept_items(&named, "aliases", MAX_ALIASES)?;
        names.insert(0, kept_required(&named, "name", "a name")?);
        names
    };
    Flaw::of(names).ok_or_else(|| named.unfit("a name"))
}

fn package(product: &Place<'_>) -> Result<Package, InterchangeError> {
    if matches!(product.value, Json::Text(_)) {
        return Ok(identified(&kept(product)?, None));
    }
    let id = kept_member(product, "@id")?;
    let identifiers = product.member("identifiers");
    let purl = identifiers.as_ref().map(|place| kept_member(place, "purl")).transpose()?.flatten();
    let id = match (id, &purl) {
        (Some(id), _) => id,
        (None, Some(purl)) => purl.clone(),
        (None, None) => return Err(product.unfit("an @id or a package URL")),
    };
    let mut package = identified(&id, purl.as_deref());
    if let Some(identifiers) = &identifiers {
        package.cpe = kept_member(identifiers, "cpe23")?;
    }
    if let Some(hashes) = product.member("hashes")
        && let Json::Object(members) = hashes.value
    {
        for (name, _) in members {
            let digits = hashes.required_text(name, "a text")?;
            package.hashes.extend(hash_of(name, digits).filter(|hash: &Hash| hash.digest().is_some()));
        }
    }
    Ok(package)
}

/// A product of an identifier: a package URL, or the identifier of a tag, which is one release and so one version.
fn identified(id: &str, purl: Option<&str>) -> Package {
    let purl = purl.or(Some(id)).and_then(Purl::read);
    let version = purl.as_ref().and_then(|purl| purl.version.clone());
    Package {
        tag_id: purl.is_none().then(|| String::from(id)),
        versions: version.map_or_else(Versions::all, Versions::one),
        purl,
        ..Package::default()
    }
}
