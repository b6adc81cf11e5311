//! Holds advisories against components.

use alloc::{
    borrow::ToOwned as _,
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::fmt;

use crypto::Digest;

use super::{Advisory, Component, ComponentKind, Package, Product, Status, purl::Same};

/// Whether a component has a flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has.
    Affected,
    /// It has not.
    NotAffected,
    /// Nobody can tell.
    CannotTell(Doubt),
}

/// Why nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// The tag does not tell the component's version.
    VersionUnstated,
    /// The component's version and those of the advisory have no certain order.
    NoOrder,
    /// The affected versions are ranges of commits.
    Commits,
    /// The affected versions are given in a form that is not read.
    UnreadRange,
    /// The advisory does not say which versions it means.
    NoVersions,
    /// Only the name is the same: whether it is the same package is not said.
    NameOnly,
    /// It is the package; for which edition, architecture or part of it the advisory is meant is not said of it.
    Edition,
    /// Whoever made the advisory does not know yet.
    UnderInvestigation,
}

/// A component that an advisory says something about, other than that it has no flaw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Index of the advisory.
    pub advisory: usize,
    /// Index of the flaw in it.
    pub flaw: usize,
    /// Index of the component.
    pub component: usize,
    /// That it is affected, or that nobody can tell.
    pub verdict: Verdict,
}

impl Doubt {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VersionUnstated => "version-unstated",
            Self::NoOrder => "no-order",
            Self::Commits => "commits",
            Self::UnreadRange => "unread-range",
            Self::NoVersions => "no-versions",
            Self::NameOnly => "name-only",
            Self::Edition => "edition",
            Self::UnderInvestigation => "under-investigation",
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What advisories that are in force say about the components of one tag. What is withdrawn says nothing.
///
/// A statement that a component does not have a flaw, or that it is mended, takes back every other about the same flaw and
/// component, in whichever advisory that stands. One about the software as a whole takes back those about its parts too;
/// one about a part leaves standing what is said of the software as a whole.
pub fn judge(advisories: &[&Advisory], components: &[Component]) -> Vec<Finding> {
    let index = Index::of(components);
    let mut cleared: BTreeSet<(&str, usize)> = BTreeSet::new();
    let mut found: BTreeMap<(usize, usize, usize), Verdict> = BTreeMap::new();
    for (at, advisory) in advisories.iter().enumerate() {
        if advisory.withdrawn.is_some() {
            continue;
        }
        let packages: Vec<Vec<(usize, Verdict)>> =
            advisory.packages.iter().map(|package| index.matches(package)).collect();
        let products: Vec<Vec<(usize, Verdict)>> =
            advisory.products.iter().map(|product| held(product, &packages)).collect();
        for statement in &advisory.statements {
            let Some(flaw) = advisory.flaws.get(statement.flaw) else { continue };
            for &(component, verdict) in products.get(statement.product).into_iter().flatten() {
                match (statement.status, verdict) {
                    (Status::NotAffected | Status::Fixed, Verdict::Affected) => {
                        cleared.extend(flaw.names().map(|name| (name, component)));
                    }
                    (Status::Affected, verdict) => note(&mut found, (at, statement.flaw, component), verdict),
                    (Status::UnderInvestigation, Verdict::Affected) => {
                        let verdict = Verdict::CannotTell(Doubt::UnderInvestigation);
                        note(&mut found, (at, statement.flaw, component), verdict);
                    }
                    _ => {}
                }
            }
        }
    }
    let whole = |component: &usize| {
        components.get(*component).is_some_and(|component| component.kind == ComponentKind::Software)
    };
    let software: Vec<usize> = (0..components.len()).filter(whole).collect();
    let is_cleared = |advisory: usize, flaw: usize, component: usize| {
        let names = advisories.get(advisory).and_then(|advisory| advisory.flaws.get(flaw));
        names.into_iter().flat_map(|flaw| flaw.names()).any(|name| {
            let mut places = core::iter::once(&component).chain(&software);
            places.any(|place| cleared.contains(&(name, *place)))
        })
    };
    found
        .into_iter()
        .filter(|((advisory, flaw, component), verdict)| {
            *verdict != Verdict::NotAffected && !is_cleared(*advisory, *flaw, *component)
        })
        .map(|((advisory, flaw, component), verdict)| Finding { advisory, flaw, component, verdict })
        .collect()
}

/// Of two statements the one that is certain counts, and the one that says more.
fn note(
    found: &mut BTreeMap<(usize, usize, usize), Verdict>,
    place: (usize, usize, usize),
    verdict: Verdict,
) {
    let present = found.entry(place).or_insert(Verdict::NotAffected);
    if severity(verdict) > severity(*present) {
        *present = verdict;
    }
}

const fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::NotAffected => 0,
        Verdict::CannotTell(_) => 1,
        Verdict::Affected => 2,
    }
}

/// The components that are a product. `Affected` stands for "is one of the versions meant".
fn held(product: &Product, packages: &[Vec<(usize, Verdict)>]) -> Vec<(usize, Verdict)> {
    let Some(own) = packages.get(product.package) else { return Vec::new() };
    let mut limit = Verdict::Affected;
    for whole in &product.within {
        let matched = packages.get(*whole).into_iter().flatten().map(|(_, verdict)| *verdict);
        let best = matched.max_by_key(|verdict| severity(*verdict)).unwrap_or(Verdict::NotAffected);
        if severity(best) < severity(limit) {
            limit = best;
        }
    }
    own.iter()
        .map(|&(component, verdict)| {
            (component, if severity(limit) < severity(verdict) { limit } else { verdict })
        })
        .collect()
}

/// Components by what they can be found by.
struct Index<'c> {
    components: &'c [Component],
    names: BTreeMap<String, Vec<usize>>,
    digests: BTreeMap<Vec<u8>, Vec<usize>>,
    tag_ids: BTreeMap<&'c str, usize>,
}

impl<'c> Index<'c> {
    fn of(components: &'c [Component]) -> Self {
        let mut index =
            Self { components, names: BTreeMap::new(), digests: BTreeMap::new(), tag_ids: BTreeMap::new() };
        for (at, component) in components.iter().enumerate() {
            // A file is known by its digest: its name says nothing of what is in it.
            if component.kind != ComponentKind::File {
                index.names.entry(component.name.to_ascii_lowercase()).or_default().push(at);
                let purl = component.purl.as_ref().map(|purl| purl.name.to_ascii_lowercase());
                if let Some(name) = purl.filter(|name| *name != component.name.to_ascii_lowercase()) {
                    index.names.entry(name).or_default().push(at);
                }
                if let Some(version) = &component.version {
                    let full = format!("{} {version}", component.name.to_ascii_lowercase());
                    index.names.entry(full).or_default().push(at);
                }
            }
            for digest in &component.digests {
                index.digests.entry(key(digest)).or_default().push(at);
            }
            if let Some(id) = &component.tag_id {
                index.tag_ids.insert(id, at);
            }
        }
        index
    }

    /// The components that are a package, and whether they are of a version that is meant.
    fn matches(&self, package: &Package) -> Vec<(usize, Verdict)> {
        let mut matched: BTreeMap<usize, Verdict> = BTreeMap::new();
        for digest in package.hashes.iter().filter_map(|hash| hash.digest()) {
            for component in self.digests.get(&key(&digest)).into_iter().flatten() {
                matched.insert(*component, Verdict::Affected);
            }
        }
        let named = [package.name.as_deref(), package.purl.as_ref().map(|purl| purl.name.as_str())];
        let named = named.into_iter().flatten().filter_map(|name| self.names.get(&name.to_ascii_lowercase()));
        let by_id = package.tag_id.as_deref().and_then(|id| self.tag_ids.get(id));
        let candidates: BTreeSet<usize> = named.flatten().chain(by_id).copied().collect();
        for at in candidates {
            let Some(component) = self.components.get(at) else { continue };
            let verdict = match identity(package, component) {
                Ok(false) => continue,
                Ok(true) => versions(package, component),
                // Whatever it is: a version that is not meant is not affected.
                Err(doubt) => match versions(package, component) {
                    Verdict::NotAffected => Verdict::NotAffected,
                    _ => Verdict::CannotTell(doubt),
                },
            };
            matched.entry(at).or_insert(verdict);
        }
        matched.into_iter().collect()
    }
}

fn key(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_owned()
}

fn versions(package: &Package, component: &Component) -> Verdict {
    match package.versions.contain(component.version.as_deref(), component.scheme) {
        Ok(true) => Verdict::Affected,
        Ok(false) => Verdict::NotAffected,
        Err(doubt) => Verdict::CannotTell(doubt),
    }
}

/// Whether a component is a package, versions apart.
fn identity(package: &Package, component: &Component) -> Result<bool, Doubt> {
    if package.tag_id.is_some() && package.tag_id == component.tag_id {
        return Ok(true);
    }
    if let (Some(purl), Some(own)) = (&package.purl, &component.purl) {
        let same = match purl.same(own) {
            Same::Yes => Ok(true),
            Same::No => Ok(false),
            Same::Name => Err(Doubt::NameOnly),
            Same::Edition => Err(Doubt::Edition),
        };
        return match (&package.edition, same) {
            (Some(edition), Ok(true)) => own.is_of_edition(edition).ok_or(Doubt::Edition),
            (_, same) => same,
        };
    }
    let made_here = component.kind == ComponentKind::Software
        && package.vendor.as_ref().is_some_and(|vendor| component.makers.contains(vendor));
    let same_name = package.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(&component.name));
    if made_here && same_name && !package.name_has_version {
        return Ok(true);
    }
    Err(Doubt::NameOnly)
}
