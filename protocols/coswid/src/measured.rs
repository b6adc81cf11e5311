use alloc::{format, string::String, vec::Vec};

use crypto::Digest;

use crate::{Collection, File, ResourceCollection, Tag};

/// One file of a payload or evidence tag, with the path its directories give it.
///
/// Paths are names to compare and show. Nothing in this crate opens them, and they may hold anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredFile<'t> {
    /// Path without the name, put together from the directories around the file; `None` when none is told.
    pub location: Option<String>,
    /// fs-name (24).
    pub name: &'t str,
    /// size (20) in bytes.
    pub size: Option<u64>,
    /// The hash as a digest. `None` when there is no hash, or one that is truncated, unknown or unsupported: such a
    /// file matches nothing.
    pub digest: Option<Digest>,
    /// key (22): whether the software cannot do without it.
    pub key: bool,
    /// file-version (21).
    pub version: Option<&'t str>,
    /// The entry itself, for its other attributes.
    pub file: &'t File,
}

impl MeasuredFile<'_> {
    /// Location and name.
    pub fn path(&self) -> String {
        join(self.location.clone(), self.name).unwrap_or_default()
    }
}

impl Tag {
    /// Every file of the payload or evidence, at any depth, in the order of the tag.
    ///
    /// Whether they may serve as reference values is for the caller to decide from [`Tag::kind`] and
    /// [`Tag::collection`]: corpus tags describe installation media, evidence tags only what a device says.
    pub fn measured_files(&self) -> Vec<MeasuredFile<'_>> {
        let mut files = Vec::new();
        match self.collection() {
            Some(Collection::Payload(payload)) => collect(&payload.resources, None, &mut files),
            Some(Collection::Evidence(evidence)) => collect(&evidence.resources, None, &mut files),
            None => {}
        }
        files
    }
}

fn collect<'t>(resources: &'t ResourceCollection, base: Option<&str>, files: &mut Vec<MeasuredFile<'t>>) {
    files.extend(resources.files.iter().map(|file| MeasuredFile {
        location: place(base, file.root.as_deref(), file.location.as_deref()),
        name: &file.fs_name,
        size: file.size,
        digest: file.hash.as_ref().and_then(|hash| hash.digest()),
        key: file.key.unwrap_or(false),
        version: file.file_version.as_deref(),
        file,
    }));
    for directory in &resources.directories {
        let parent = place(base, directory.root.as_deref(), directory.location.as_deref());
        let path = join(parent, &directory.fs_name);
        collect(&directory.path_elements, path.as_deref(), files);
    }
}

/// A location is absolute, or relative to its root, or else to the directory around it (RFC 9393, section 2.9.2).
fn place(base: Option<&str>, root: Option<&str>, location: Option<&str>) -> Option<String> {
    let base = root.or(base).map(String::from);
    match location {
        Some(location) if location.starts_with('/') && root.is_none() => Some(location.into()),
        Some(location) => join(base, location),
        None => base,
    }
}

fn join(base: Option<String>, name: &str) -> Option<String> {
    Some(match base {
        Some(base) if base.is_empty() => name.into(),
        Some(base) => format!("{}/{}", base.trim_end_matches('/'), name.trim_start_matches('/')),
        None => name.into(),
    })
}
