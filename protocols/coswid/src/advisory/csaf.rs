//! The Common Security Advisory Framework 2.0 in JSON: security advisories and VEX.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use super::{
    Advisory, AdvisoryFormat, Doubt, Flaw, MAX_ALIASES, MAX_PACKAGES, MAX_WITHIN, Package, Purl, Range,
    Status, Versions, kept, kept_member, kept_required, line,
};
use crate::interchange::{InterchangeError, Place, hash_of};

/// How many files with hashes one product may have.
const MAX_HASHES: usize = 1_000;

pub(super) fn decode(root: &Place<'_>) -> Result<Advisory, InterchangeError> {
    let document = root.member("document").ok_or_else(|| root.unfit("a document"))?;
    if document.optional_text("csaf_version")? != Some("2.0") {
        return Err(document.unfit("csaf_version 2.0"));
    }
    let format = match document.required_text("category", "a category")? {
        "csaf_security_advisory" => AdvisoryFormat::CsafAdvisory,
        "csaf_vex" => AdvisoryFormat::CsafVex,
        _ => return Err(document.unfit("category csaf_security_advisory or csaf_vex")),
    };
    let tracking = document.member("tracking").ok_or_else(|| document.unfit("tracking"))?;
    if !matches!(tracking.required_text("status", "a status")?, "interim" | "final") {
        // A draft is for nobody but those who write it.
        return Err(tracking.unfit("status interim or final"));
    }
    let id = kept_required(&tracking, "id", "an id")?;
    let mut advisory = Advisory::new(format, &id);
    advisory.summary = document.optional_text("title")?.map(line);
    let mut tree = Tree::default();
    if let Some(place) = root.member("product_tree") {
        tree.read(&place, &mut advisory)?;
    }
    for vulnerability in root.items("vulnerabilities")? {
        let flaw = flaw(&vulnerability, &id)?;
        let flaw = advisory.add_flaw(flaw)?;
        if let Some(status) = vulnerability.member("product_status") {
            statements(&status, flaw, &tree, &mut advisory)?;
        }
    }
    Ok(advisory)
}

/// What a vulnerability is called; by the advisory, where it has no name of its own.
fn flaw(vulnerability: &Place<'_>, advisory: &str) -> Result<Flaw, InterchangeError> {
    let mut names: Vec<String> = kept_member(vulnerability, "cve")?.into_iter().collect();
    let ids = vulnerability.items("ids")?;
    if ids.len() > MAX_ALIASES {
        return Err(InterchangeError::TooLarge { what: "texts in a list", limit: MAX_ALIASES });
    }
    for id in &ids {
        names.push(kept_required(id, "text", "a text")?);
    }
    if names.is_empty() {
        names.push(advisory.into());
    }
    Flaw::of(names).ok_or_else(|| vulnerability.unfit("a name"))
}

fn statements(
    status: &Place<'_>,
    flaw: usize,
    tree: &Tree,
    advisory: &mut Advisory,
) -> Result<(), InterchangeError> {
    let groups = [
        ("known_affected", Status::Affected),
        ("first_affected", Status::Affected),
        ("last_affected", Status::Affected),
        ("known_not_affected", Status::NotAffected),
        ("fixed", Status::Fixed),
        ("first_fixed", Status::Fixed),
        ("under_investigation", Status::UnderInvestigation),
    ];
    let mut said: BTreeMap<usize, Status> = BTreeMap::new();
    for (member, means) in groups {
        for id in status.items(member)? {
            let product =
                *tree.products.get(id.text()?).ok_or_else(|| id.unfit("a product of the product tree"))?;
            match said.insert(product, means) {
                None => advisory.add_statement(flaw, means, product)?,
                Some(before) if before == means => {}
                Some(_) => return Err(id.unfit("a product of which nothing else is said")),
            }
        }
    }
    Ok(())
}

/// Products by their ids.
#[derive(Default)]
struct Tree {
    products: BTreeMap<String, usize>,
}

/// What the branches above a product say of it.
#[derive(Clone, Default)]
struct Branch {
    vendor: Option<String>,
    name: Option<String>,
    versions: Option<Versions>,
}

impl Tree {
    fn read(&mut self, tree: &Place<'_>, advisory: &mut Advisory) -> Result<(), InterchangeError> {
        let mut left: Vec<(Place<'_>, Branch)> =
            tree.items("branches")?.into_iter().map(|place| (place, Branch::default())).collect();
        let mut seen = 0usize;
        while let Some((place, branch)) = left.pop() {
            seen += 1;
            if seen > MAX_PACKAGES {
                return Err(InterchangeError::TooLarge { what: "branches", limit: MAX_PACKAGES });
            }
            let branch = branch.below(&place)?;
            if let Some(product) = place.member("product") {
                self.add_package(&product, Some(&branch), advisory)?;
            }
            left.extend(place.items("branches")?.into_iter().map(|place| (place, branch.clone())));
        }
        for product in tree.items("full_product_names")? {
            self.add_package(&product, None, advisory)?;
        }
        for relationship in tree.items("relationships")? {
            self.relate(&relationship, advisory)?;
        }
        Ok(())
    }

    fn add_package(
        &mut self,
        product: &Place<'_>,
        branch: Option<&Branch>,
        advisory: &mut Advisory,
    ) -> Result<(), InterchangeError> {
        let package = package(product, branch)?;
        let package = advisory.add_package(package)?;
        let product_index = advisory.add_product(package, Vec::new())?;
        self.name(product, product_index)
    }

    fn name(&mut self, product: &Place<'_>, index: usize) -> Result<(), InterchangeError> {
        let id = kept_required(product, "product_id", "a product_id")?;
        match self.products.insert(id, index) {
            None => Ok(()),
            Some(_) => Err(product.unfit("a product_id that is used once")),
        }
    }

    /// A product that is part of another one, whatever way.
    fn relate(&mut self, place: &Place<'_>, advisory: &mut Advisory) -> Result<(), InterchangeError> {
        let find = |member: &str| {
            let id = place.required_text(member, "two products")?;
            let index = self.products.get(id).and_then(|index| advisory.products.get(*index));
            index.cloned().ok_or_else(|| place.unfit("two products that were named before"))
        };
        let (part, whole) = (find("product_reference")?, find("relates_to_product_reference")?);
        let mut within = part.within;
        within.push(whole.package);
        within.extend(whole.within);
        if within.len() > MAX_WITHIN {
            return Err(InterchangeError::TooLarge { what: "products around a product", limit: MAX_WITHIN });
        }
        let named = place.member("full_product_name").ok_or_else(|| place.unfit("a full_product_name"))?;
        let product = advisory.add_product(part.package, within)?;
        self.name(&named, product)
    }
}

impl Branch {
    fn below(mut self, place: &Place<'_>) -> Result<Self, InterchangeError> {
        let name = place.member("name").ok_or_else(|| place.unfit("a name"))?;
        match place.required_text("category", "a category")? {
            "vendor" => self.vendor = Some(kept(&name)?),
            "product_name" => self.name = Some(kept(&name)?),
            "product_version" => self.versions = Some(Versions::one(kept(&name)?)),
            "product_version_range" => {
                let text = kept(&name)?;
                // Prose is allowed too.
                self.versions = Some(match text.starts_with("vers:") {
                    true => Range::read(&text).map_err(|expected| name.unfit(expected))?,
                    false => Versions::unread(Doubt::UnreadRange),
                });
            }
            // Families, architectures, languages and the like narrow down nothing that a tag tells.
            _ => {}
        }
        Ok(self)
    }
}

fn package(product: &Place<'_>, branch: Option<&Branch>) -> Result<Package, InterchangeError> {
    let full_name = kept_required(product, "name", "a name")?;
    let mut package = match branch {
        Some(Branch { vendor, name: Some(name), versions }) => Package {
            name: Some(name.clone()),
            vendor: vendor.clone(),
            versions: versions.clone().unwrap_or_else(Versions::all),
            ..Package::default()
        },
        // A name in full has the version in it.
        _ => Package {
            name: Some(full_name.clone()),
            name_has_version: true,
            versions: Versions::all(),
            ..Package::default()
        },
    };
    let Some(helper) = product.member("product_identification_helper") else { return Ok(package) };
    package.cpe = kept_member(&helper, "cpe")?;
    if let Some(place) = helper.member("purl") {
        let purl = Purl::read(place.text()?).ok_or_else(|| place.unfit("a package URL"))?;
        if branch.is_none_or(|branch| branch.versions.is_none())
            && let Some(version) = &purl.version
        {
            package.versions = Versions::one(version.clone());
        }
        package.purl = Some(purl);
    }
    for file in helper.items("hashes")? {
        for hash in file.items("file_hashes")? {
            let name = hash.required_text("algorithm", "an algorithm")?;
            let digits = hash.required_text("value", "a value")?;
            // Hash functions that tags do not have are of no use here.
            package.hashes.extend(hash_of(name, digits).filter(|hash| hash.digest().is_some()));
            if package.hashes.len() > MAX_HASHES {
                return Err(InterchangeError::TooLarge { what: "hashes of a product", limit: MAX_HASHES });
            }
        }
    }
    Ok(package)
}
