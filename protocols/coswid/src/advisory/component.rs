use alloc::{borrow::ToOwned, string::String, vec::Vec};

use crypto::Digest;

use super::{Purl, Scheme};
use crate::{Rel, Role, Tag, TagId, interchange::linked_digest};

/// A piece of software that a tag tells of: what advisories and queries are held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Where the tag tells of it.
    pub kind: ComponentKind,
    /// Its name. Files have their path.
    pub name: String,
    /// Its version, if the tag tells.
    pub version: Option<String>,
    /// How its versions are ordered: as the tag says, or as all packages of its kind.
    pub scheme: Option<Scheme>,
    /// Its package URL.
    pub purl: Option<Purl>,
    /// Digests of its bytes.
    pub digests: Vec<Digest>,
    /// Who makes it: the software creators of the tag, or its tag creators where it names none.
    pub makers: Vec<String>,
    /// Identifier of its tag, where that is a text.
    pub tag_id: Option<String>,
}

/// Where a tag tells of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComponentKind {
    /// The tag is its own.
    Software,
    /// A link of relation `component` or `requires` leads to it.
    Linked,
    /// It is a file of the payload or evidence.
    File,
}

impl Tag {
    /// The software itself, the components that it links to, and its files. Links that give neither a name nor a package
    /// URL name nothing, and are left out.
    pub fn components(&self) -> Vec<Component> {
        let mut components = Vec::from([self.software()]);
        for linked in self.linked_components() {
            let purl = linked.purl.and_then(Purl::read);
            let name = linked.name.map(ToOwned::to_owned).or_else(|| Some(purl.as_ref()?.name.clone()));
            let Some(name) = name else { continue };
            let version = linked.version.map(ToOwned::to_owned);
            let component = Component {
                kind: ComponentKind::Linked,
                name,
                version: version.or_else(|| purl.as_ref()?.version.clone()),
                scheme: purl.as_ref().and_then(Purl::scheme),
                purl,
                digests: linked.digest.and_then(linked_digest).into_iter().collect(),
                makers: Vec::new(),
                tag_id: None,
            };
            // What is both a part and required is linked twice.
            if !components.contains(&component) {
                components.push(component);
            }
        }
        components.extend(self.measured_files().into_iter().map(|file| Component {
            kind: ComponentKind::File,
            name: file.path(),
            version: file.version.map(ToOwned::to_owned),
            scheme: None,
            purl: None,
            digests: file.digest.into_iter().collect(),
            makers: Vec::new(),
            tag_id: None,
        }));
        components
    }

    fn software(&self) -> Component {
        let tag_id = match self.tag_id() {
            TagId::Text(text) => Some(text.clone()),
            TagId::Uuid(_) => None,
        };
        let mut linked = self.linked(Rel::SeeAlso).filter_map(Purl::read);
        // One of several packages that are only to be looked at need not be this one.
        let only = linked.next().filter(|_| linked.next().is_none());
        let purl = tag_id.as_deref().and_then(Purl::read).or(only);
        let version = self.version();
        let declared = version.and_then(|version| version.scheme).map(Scheme::from);
        let made_by = |role: &Role| -> Vec<String> {
            let entities = self.entities().iter().filter(|entity| entity.has_role(role));
            entities.map(|entity| entity.name.clone()).collect()
        };
        let creators = made_by(&Role::SoftwareCreator);
        Component {
            kind: ComponentKind::Software,
            name: self.software_name().to_owned(),
            version: version.map(|version| version.text.to_owned()),
            scheme: declared.or_else(|| purl.as_ref().and_then(Purl::scheme)),
            purl,
            digests: Vec::new(),
            makers: if creators.is_empty() { made_by(&Role::TagCreator) } else { creators },
            tag_id,
        }
    }
}
