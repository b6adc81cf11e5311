use alloc::string::{String, ToString as _};
use core::{cmp::Ordering, fmt};

use super::{Component, Doubt, Purl, Scheme, purl::Same};

/// How many bytes a query may have.
pub const MAX_QUERY_LEN: usize = 1024;

/// How a version is to stand to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Greater,
}

/// A question about components: a name or package URL, and versions of it. `openssl < 3.0.14`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    subject: Subject,
    condition: Option<(Comparison, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// A name, its letters in any case.
    Name(String),
    /// A package.
    Package(Purl),
}

/// Whether a component is what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Its SBOM does not tell.
    CannotTell(Doubt),
}

/// Why a query cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// Byte offset.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
}

impl Comparison {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::AtLeast => ">=",
            Self::Greater => ">",
        }
    }

    /// The comparison that a text begins with, and what follows it.
    pub(super) fn split_prefix(text: &str) -> Option<(Self, &str)> {
        [Self::AtMost, Self::AtLeast, Self::Less, Self::Greater, Self::Equal]
            .into_iter()
            .find_map(|comparison| Some((comparison, text.strip_prefix(comparison.as_str())?)))
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::AtLeast => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

impl Query {
    /// Reads a query: a name or package URL, and after it, if versions matter, a comparison and a version.
    pub fn read(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_QUERY_LEN {
            return Err(QueryError { at: MAX_QUERY_LEN, expected: "the end of the query" });
        }
        let is_purl = text.trim_start().starts_with("pkg:");
        // Qualifiers of a package URL have an equals sign in them.
        let operators: &[char] = if is_purl { &['<', '>'] } else { &['<', '>', '='] };
        let spaced = is_purl.then(|| text.find(" =")).flatten().map(|at| at + 1);
        let at = text.find(operators).into_iter().chain(spaced).min().unwrap_or(text.len());
        let (name, rest) = text.split_at(at);
        let name = name.trim();
        if name.is_empty() {
            return Err(QueryError { at: 0, expected: "the name of a component" });
        }
        let subject = if is_purl {
            let purl = Purl::read(name).ok_or(QueryError { at: 0, expected: "a package URL" })?;
            if purl.version.is_some() {
                return Err(QueryError { at: 0, expected: "a package URL without a version" });
            }
            Subject::Package(purl)
        } else {
            Subject::Name(name.to_string())
        };
        let Some((comparison, version)) = Comparison::split_prefix(rest) else {
            return Ok(Self { subject, condition: None });
        };
        let version_at = text.len() - version.trim_start().len();
        let version = version.trim();
        if version.is_empty() {
            return Err(QueryError { at: text.len(), expected: "a version" });
        }
        if let Some(bad) = version.find(|c: char| c.is_whitespace() || "<>=|".contains(c)) {
            return Err(QueryError { at: version_at + bad, expected: "one version and then the end" });
        }
        Ok(Self { subject, condition: Some((comparison, version.to_string())) })
    }

    /// Whether a component is what is asked for; `None` for one of another name.
    pub fn ask(&self, component: &Component) -> Option<Answer> {
        let doubt = match &self.subject {
            Subject::Name(name) => {
                let same = component.name.eq_ignore_ascii_case(name);
                return same.then(|| self.versions(component));
            }
            Subject::Package(purl) => match component.purl.as_ref().map(|own| purl.same(own)) {
                Some(Same::Yes) => return Some(self.versions(component)),
                Some(Same::Edition) => Doubt::Edition,
                Some(Same::Name) => Doubt::NameOnly,
                Some(Same::No) => return None,
                None if component.name.eq_ignore_ascii_case(&purl.name) => Doubt::NameOnly,
                None => return None,
            },
        };
        match self.versions(component) {
            Answer::No => Some(Answer::No),
            _ => Some(Answer::CannotTell(doubt)),
        }
    }

    fn versions(&self, component: &Component) -> Answer {
        let Some((comparison, wanted)) = &self.condition else { return Answer::Yes };
        let Some(version) = &component.version else { return Answer::CannotTell(Doubt::VersionUnstated) };
        let scheme = component.scheme.unwrap_or(Scheme::Unstated);
        match scheme.compare(version, wanted) {
            Some(order) if comparison.holds(order) => Answer::Yes,
            Some(_) => Answer::No,
            None => Answer::CannotTell(Doubt::NoOrder),
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected {}", self.at, self.expected)
    }
}

impl core::error::Error for QueryError {}
