use alloc::string::String;

use crate::{
    Entity, Error, Evidence, File, Link, Payload, SoftwareMeta, Tag, TagId, VersionScheme,
    tag::{Collection, Fields},
};

/// Puts a tag together. [`TagBuilder::build`] refuses what breaks a rule of RFC 9393.
#[derive(Clone, Debug)]
pub struct TagBuilder {
    fields: Fields,
}

impl TagBuilder {
    /// A primary payload tag: what an author expects of a release.
    pub fn payload(tag_id: TagId, software_name: impl Into<String>) -> Self {
        Self::new(tag_id, software_name.into(), Collection::Payload(Payload::default()))
    }

    /// An evidence tag: what a device found on itself.
    pub fn evidence(tag_id: TagId, software_name: impl Into<String>) -> Self {
        Self::new(tag_id, software_name.into(), Collection::Evidence(Evidence::default()))
    }

    fn new(tag_id: TagId, software_name: String, collection: Collection) -> Self {
        Self { fields: Fields::new(tag_id, software_name, collection) }
    }

    /// tag-version (12); zero unless told otherwise.
    pub fn tag_version(mut self, version: i64) -> Self {
        self.fields.tag_version = version;
        self
    }

    /// software-version (13) and version-scheme (14).
    pub fn version(mut self, version: impl Into<String>, scheme: VersionScheme) -> Self {
        self.fields.software_version = Some(version.into());
        self.fields.version_scheme = Some(scheme);
        self
    }

    /// Makes it a patch tag; a link of relation `patches` is needed then.
    pub fn patch(mut self) -> Self {
        self.fields.patch = true;
        self
    }

    /// Makes it a corpus tag.
    pub fn corpus(mut self) -> Self {
        self.fields.corpus = true;
        self
    }

    /// Makes it a supplemental tag.
    pub fn supplemental(mut self) -> Self {
        self.fields.supplemental = true;
        self
    }

    /// Adds an entity; one must be the tag creator.
    pub fn entity(mut self, entity: Entity) -> Self {
        self.fields.entities.push(entity);
        self
    }

    /// Adds a link.
    pub fn link(mut self, link: Link) -> Self {
        self.fields.links.push(link);
        self
    }

    /// Adds a software-meta entry.
    pub fn meta(mut self, meta: SoftwareMeta) -> Self {
        self.fields.software_meta.push(meta);
        self
    }

    /// Adds a file to the payload or the evidence.
    pub fn file(mut self, file: File) -> Self {
        match &mut self.fields.collection {
            Some(Collection::Payload(payload)) => payload.resources.files.push(file),
            Some(Collection::Evidence(evidence)) => evidence.resources.files.push(file),
            None => {}
        }
        self
    }

    /// date (35) and device-id (36) of an evidence tag; a payload tag has neither and stays as it is.
    pub fn measured_on(mut self, date: Option<i64>, device_id: Option<String>) -> Self {
        if let Some(Collection::Evidence(evidence)) = &mut self.fields.collection {
            evidence.date = date;
            evidence.device_id = device_id;
        }
        self
    }

    /// Replaces the whole payload or evidence, for more than a flat list of files.
    pub fn collection(mut self, collection: Collection) -> Self {
        self.fields.collection = Some(collection);
        self
    }

    /// The tag, in its deterministic encoding.
    pub fn build(self) -> Result<Tag, Error> {
        Tag::from_fields(self.fields).map_err(Error::Incomplete)
    }
}
