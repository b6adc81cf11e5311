use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::fmt;

use super::Scheme;

/// A package URL (purl), its parts normalised as its type asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purl {
    /// Type: of which kind of packages it is.
    pub kind: String,
    /// Namespace, its parts with slashes between.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Version, if one is named.
    pub version: Option<String>,
    /// Qualifiers by name.
    pub qualifiers: BTreeMap<String, String>,
    /// What within the package.
    pub subpath: String,
}

/// Whether two packages are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    Yes,
    No,
    /// The name is the same; where the package comes from is not said by one of them.
    Name,
    /// The package is the same; whether the edition is too is not said by one of them.
    Edition,
}

impl Purl {
    /// Reads a package URL; `None` for what is none.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
        let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, path) = rest.split_once('/')?;
        let path = path.trim_matches('/');
        let name_at = path.rfind('/').map_or(0, |at| at + 1);
        let (namespace, last) = path.split_at(name_at);
        let (name, version) = match last.rsplit_once('@') {
            Some((name, version)) if !name.is_empty() => (name, Some(version)),
            _ => (last, None),
        };
        let mut read = BTreeMap::new();
        for pair in qualifiers.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=')?;
            if !value.is_empty() && read.insert(key.to_ascii_lowercase(), percent_decode(value)?).is_some() {
                return None;
            }
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
        if kind.is_empty() || !kind.bytes().all(fits) || name.is_empty() {
            return None;
        }
        let version = match version {
            Some(version) => Some(percent_decode(version)?).filter(|version| !version.is_empty()),
            None => None,
        };
        let namespace: Option<Vec<String>> =
            namespace.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect();
        let purl = Self {
            kind: kind.to_ascii_lowercase(),
            namespace: namespace?.join("/"),
            name: percent_decode(name)?,
            version,
            qualifiers: read,
            subpath: percent_decode(subpath.trim_matches('/'))?,
        };
        Some(purl.normalised())
    }

    /// The package that an ecosystem of OSV knows by a name; `None` where the ecosystem is not known here.
    pub fn of_ecosystem(ecosystem: &str, name: &str) -> Option<Self> {
        let (kind, namespace) = match ecosystem {
            "crates.io" => ("cargo", ""),
            "npm" => ("npm", ""),
            "PyPI" => ("pypi", ""),
            "Go" => ("golang", ""),
            "Maven" => ("maven", ""),
            "NuGet" => ("nuget", ""),
            "Packagist" => ("composer", ""),
            "RubyGems" => ("gem", ""),
            "Hex" => ("hex", ""),
            "Pub" => ("pub", ""),
            "ConanCenter" => ("conan", ""),
            "Debian" => ("deb", "debian"),
            "Ubuntu" => ("deb", "ubuntu"),
            "Alpine" => ("apk", "alpine"),
            _ => return None,
        };
        let split = if kind == "maven" { name.split_once(':') } else { name.rsplit_once('/') };
        let (namespace, name) = split.unwrap_or((namespace, name));
        let purl = Self {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
            version: None,
            qualifiers: BTreeMap::new(),
            subpath: String::new(),
        };
        Some(purl.normalised()).filter(|purl| !purl.name.is_empty())
    }

    /// How versions of packages of its type are ordered, where one rule holds for all of them.
    pub fn scheme(&self) -> Option<Scheme> {
        match self.kind.as_str() {
            "cargo" | "npm" | "golang" | "hex" | "pub" | "swift" => Some(Scheme::Semver),
            "deb" => Some(Scheme::Debian),
            _ => None,
        }
    }

    /// Whether a package named in an advisory is one that a component names, versions apart.
    pub(super) fn same(&self, component: &Self) -> Same {
        if self.name != component.name {
            return Same::No;
        }
        if (&self.kind, &self.namespace) != (&component.kind, &component.namespace) {
            // What is called generic may have been made from anything of that name.
            let vague = self.kind == "generic" || component.kind == "generic";
            return if vague { Same::Name } else { Same::No };
        }
        let mut edition = self.subpath != component.subpath;
        for (key, value) in &self.qualifiers {
            match component.qualifiers.get(key) {
                Some(other) if other == value => {}
                Some(_) => return Same::No,
                None => edition = true,
            }
        }
        if edition { Same::Edition } else { Same::Yes }
    }

    /// Whether it belongs to an edition of its distribution; `None` where it does not say.
    pub(super) fn is_of_edition(&self, edition: &str) -> Option<bool> {
        let distro = self.qualifiers.get("distro")?;
        let own = distro.rsplit_once('-').map_or(distro.as_str(), |(_, number)| number);
        let (own, wanted) = (own.trim_start_matches('v'), edition.trim_start_matches('v'));
        let number = |text: &str| text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        if own == wanted {
            return Some(true);
        }
        // A point release belongs to its edition. Names of editions are not compared with numbers.
        (number(own) && number(wanted)).then(|| own.split_once('.').is_some_and(|(own, _)| own == wanted))
    }

    fn normalised(mut self) -> Self {
        let lower = matches!(
            self.kind.as_str(),
            "deb" | "apk" | "npm" | "pypi" | "github" | "bitbucket" | "composer" | "hex" | "pub"
        );
        if lower {
            self.namespace.make_ascii_lowercase();
            self.name.make_ascii_lowercase();
        }
        if self.kind == "pypi" {
            self.name = self.name.replace(['_', '.'], "-");
        }
        if self.kind == "golang" {
            // Versions of this type are written with a letter in front, and without it in advisories.
            self.version = self.version.map(|version| version.trim_start_matches('v').into());
        }
        self
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        let slash = if namespace.is_empty() { "" } else { "/" };
        f.write_str(&format!("pkg:{kind}/{namespace}{slash}{name}"))
    }
}

/// Undoes percent-encoding; `None` where it is broken or gives no UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(left.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high << 4 | low).ok()?);
    }
    String::from_utf8(bytes).ok()
}
