//! Security advisories: OSV, CSAF 2.0 and OpenVEX in JSON, read into one model and held against the components of a tag.
//!
//! The answer about a component is that it is affected, that it is not, or that nobody can tell, with why. Nothing is
//! guessed: a component that only has the name of a vulnerable package, a version that cannot be ordered and a range of
//! commits are all reasons not to know. Statements that something is *not* affected (VEX) outrank statements that it is.
//! Documents are authenticated by nothing; whoever adds one answers for it.

mod component;
mod csaf;
mod judge;
mod openvex;
mod order;
mod osv;
mod purl;
mod query;
mod range;

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use crate::{
    Hash,
    interchange::{InterchangeError, Json, Place},
};

pub use component::{Component, ComponentKind};
pub use judge::{Doubt, Finding, Verdict, judge};
pub use order::Scheme;
pub use purl::Purl;
pub use query::{Answer, Comparison, MAX_QUERY_LEN, Query, QueryError};
pub use range::{Bound, MAX_BOUNDS, Range, Versions};

/// How many bytes an advisory may have.
pub const MAX_ADVISORY_LEN: usize = 8 << 20;
/// How many packages one advisory may name.
pub const MAX_PACKAGES: usize = 20_000;
/// How many statements one advisory may make.
pub const MAX_STATEMENTS: usize = 50_000;
/// How many flaws one advisory may be about.
pub const MAX_FLAWS: usize = 1_000;
/// How many names one flaw may have besides its own.
pub const MAX_ALIASES: usize = 100;
/// How many bytes one text of an advisory may have that is kept.
pub const MAX_ADVISORY_TEXT: usize = 4096;
/// How many products one may lie within another.
pub const MAX_WITHIN: usize = 4;

/// A format of advisories that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvisoryFormat {
    /// Open Source Vulnerability format, version 1.
    Osv,
    /// Common Security Advisory Framework 2.0: a security advisory.
    CsafAdvisory,
    /// Common Security Advisory Framework 2.0: a statement on exploitability (VEX).
    CsafVex,
    /// OpenVEX.
    OpenVex,
}

/// One advisory, authenticated by nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// The format it came in.
    pub format: AdvisoryFormat,
    /// Its name.
    pub id: String,
    /// What it is about in a line.
    pub summary: Option<String>,
    /// When it was withdrawn by who made it, as written there.
    pub withdrawn: Option<String>,
    /// The flaws it is about.
    pub flaws: Vec<Flaw>,
    /// The packages it names.
    pub packages: Vec<Package>,
    /// What its statements are about.
    pub products: Vec<Product>,
    /// What it says.
    pub statements: Vec<Statement>,
}

/// A flaw, and what it is called elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Its name: a CVE number wherever it has one.
    pub id: String,
    /// Other names of it.
    pub aliases: Vec<String>,
}

/// What a statement is about: a package, by itself or as part of other ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Index of the package.
    pub package: usize,
    /// Indices of the packages of which it must be a part.
    pub within: Vec<usize>,
}

/// A package of some versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Its name in prose, or in its ecosystem.
    pub name: Option<String>,
    /// Whether the name in prose holds the version too.
    pub name_has_version: bool,
    /// Who makes it.
    pub vendor: Option<String>,
    /// Identifier of its tag.
    pub tag_id: Option<String>,
    /// Its package URL; the version in it is one of the versions below.
    pub purl: Option<Purl>,
    /// The edition of the distribution it belongs to, such as 12 of Debian 12.
    pub edition: Option<String>,
    /// Its name in the Common Platform Enumeration, which is shown and never compared.
    pub cpe: Option<String>,
    /// Hashes of its files: a file with one of them is the package, whatever its version.
    pub hashes: Vec<Hash>,
    /// Which versions are meant.
    pub versions: Versions,
}

/// What is said of a product and a flaw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Index of the flaw.
    pub flaw: usize,
    /// What is said.
    pub status: Status,
    /// Index of the product.
    pub product: usize,
}

/// Whether a product has a flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It has.
    Affected,
    /// It has not.
    NotAffected,
    /// It had, and this product is mended.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

impl AdvisoryFormat {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Osv => "osv",
            Self::CsafAdvisory => "csaf-security-advisory",
            Self::CsafVex => "csaf-vex",
            Self::OpenVex => "openvex",
        }
    }
}

impl Advisory {
    /// Reads an advisory of any format that is known.
    pub fn decode(bytes: &[u8]) -> Result<Self, InterchangeError> {
        if bytes.len() > MAX_ADVISORY_LEN {
            return Err(InterchangeError::TooLarge { what: "bytes", limit: MAX_ADVISORY_LEN });
        }
        let value = Json::parse(bytes)?;
        let root = Place::root(&value);
        if root.member("document").is_some() {
            return csaf::decode(&root);
        }
        if root.member("statements").is_some() {
            return openvex::decode(&root);
        }
        if root.member("affected").is_some() || root.member("modified").is_some() {
            return osv::decode(&root);
        }
        Err(InterchangeError::UnknownAdvisory)
    }

    /// Names of the flaws it is about, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.flaws.iter().flat_map(Flaw::names)
    }

    fn new(format: AdvisoryFormat, id: &str) -> Self {
        Self {
            format,
            id: id.to_string(),
            summary: None,
            withdrawn: None,
            flaws: Vec::new(),
            packages: Vec::new(),
            products: Vec::new(),
            statements: Vec::new(),
        }
    }

    fn add_flaw(&mut self, flaw: Flaw) -> Result<usize, InterchangeError> {
        push(&mut self.flaws, flaw, "flaws", MAX_FLAWS)
    }

    fn add_package(&mut self, package: Package) -> Result<usize, InterchangeError> {
        push(&mut self.packages, package, "packages", MAX_PACKAGES)
    }

    /// Adds a product; it lies within as many others as were counted by whoever calls.
    fn add_product(&mut self, package: usize, within: Vec<usize>) -> Result<usize, InterchangeError> {
        push(&mut self.products, Product { package, within }, "products", MAX_PACKAGES)
    }

    fn add_statement(&mut self, flaw: usize, status: Status, product: usize) -> Result<(), InterchangeError> {
        let statement = Statement { flaw, status, product };
        push(&mut self.statements, statement, "statements", MAX_STATEMENTS).map(|_| ())
    }
}

impl Flaw {
    /// Every name it has, its own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        core::iter::once(self.id.as_str()).chain(self.aliases.iter().map(String::as_str))
    }

    /// A flaw of these names: a CVE number goes first.
    fn of(names: Vec<String>) -> Option<Self> {
        let mut names: Vec<String> = names;
        let first = names.iter().position(|name| name.starts_with("CVE-")).unwrap_or(0);
        if first >= names.len() {
            return None;
        }
        let id = names.remove(first);
        names.retain(|name| *name != id);
        names.sort();
        names.dedup();
        Some(Self { id, aliases: names })
    }
}

fn push<T>(list: &mut Vec<T>, item: T, what: &'static str, limit: usize) -> Result<usize, InterchangeError> {
    if list.len() >= limit {
        return Err(InterchangeError::TooLarge { what, limit });
    }
    list.push(item);
    Ok(list.len() - 1)
}

/// A text that is kept: not empty, and no longer than what is kept.
fn kept(place: &Place<'_>) -> Result<String, InterchangeError> {
    let text = place.text()?;
    if text.is_empty() || text.len() > MAX_ADVISORY_TEXT {
        return Err(place.unfit("a text of 1 to 4096 bytes"));
    }
    Ok(text.to_string())
}

/// A member that is a text, if it is there.
fn kept_member(place: &Place<'_>, name: &str) -> Result<Option<String>, InterchangeError> {
    place.member(name).map(|member| kept(&member)).transpose()
}

/// A member that is a text and must be there.
fn kept_required(place: &Place<'_>, name: &str, expected: &'static str) -> Result<String, InterchangeError> {
    kept_member(place, name)?.ok_or_else(|| place.unfit(expected))
}

/// The texts of an array that is a member.
fn kept_items(place: &Place<'_>, name: &str, limit: usize) -> Result<Vec<String>, InterchangeError> {
    let items = place.items(name)?;
    if items.len() > limit {
        return Err(InterchangeError::TooLarge { what: "texts in a list", limit });
    }
    items.iter().map(kept).collect()
}

/// The start of a longer text, for people.
fn line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}
