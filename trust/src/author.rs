use alloc::{string::String, vec::Vec};
use core::fmt;

use coswid::{Entity, File, Hash, Link, Rel, Role, TagBuilder, TagId, VersionScheme};
use crypto::{Digest, HashAlgorithm, PublicKey};
use suit::{
    ComponentId, EnvelopeBuilder, ImageRecipe, LanguageText, ManifestBuilder, MudBinding, ReleaseRecipe,
    Text, Uuid, Variant,
    labels::{component_text, text},
};

use crate::{MUD_FILE, MUD_SIGNATURE};

/// What an author says of a release; [`ReleaseDraft::build`] makes the envelope to sign.
#[derive(Clone, Debug)]
pub struct ReleaseDraft {
    /// Domain name of the vendor, from which the vendor id follows.
    pub vendor_domain: String,
    /// Name of the class of device, from which the class id follows.
    pub class_name: String,
    /// Name of the software.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Scheme of the version.
    pub version_scheme: VersionScheme,
    /// Above that of every release before.
    pub sequence_number: u64,
    /// Id of the SBOM; made of name and version when there is none.
    pub tag_id: Option<String>,
    /// Tag id of the SBOM of the release before.
    pub supersedes: Option<String>,
    /// The images, one a component.
    pub images: Vec<DraftImage>,
    /// What its software is made of besides: links of the SBOM to components.
    pub links: Vec<Link>,
    /// The network needs.
    pub mud: Option<DraftMud>,
}

/// One image of a release.
#[derive(Clone, Debug)]
pub struct DraftImage {
    /// Where it goes.
    pub component: ComponentId,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Its own version, if it has one.
    pub version: Option<String>,
    /// Where devices fetch it; without it the image rides in the envelope.
    pub uri: Option<String>,
    /// Whether it is started at boot.
    pub invoke: bool,
}

/// An image that comes with a manifest which a release depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Name of its component.
    pub component: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes, if the manifest tells.
    pub size: Option<u64>,
}

/// The network needs of a release.
#[derive(Clone, Debug)]
pub struct DraftMud {
    /// URL of the MUD file.
    pub url: String,
    /// The MUD file.
    pub file: Vec<u8>,
    /// Its detached signature (CMS).
    pub signature: Vec<u8>,
    /// The key that made it, which the manifest pins.
    pub signer: PublicKey,
}

/// Why no release can be made of a draft.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftError {
    /// The manifest would break a rule.
    Manifest(suit::BuildError),
    /// The SBOM would break a rule.
    Tag(coswid::Error),
}

impl ReleaseDraft {
    /// The vendor id: UUIDv5 of the domain name (suit-manifest, section 8.4.8.2).
    pub fn vendor(&self) -> Uuid {
        Uuid::vendor(&self.vendor_domain)
    }

    /// The class id: UUIDv5 of the class name under the vendor id.
    pub fn class(&self) -> Uuid {
        Uuid::class(&self.vendor(), self.class_name.as_bytes())
    }

    /// The manifest: its SBOM lists what it installs, and it pins the MUD signer.
    pub fn manifest(&self) -> Result<ManifestBuilder, DraftError> {
        let images = self.images.iter().map(|image| ImageRecipe {
            component: image.component.clone(),
            variants: [Variant {
                slot: None,
                digest: Digest::of(HashAlgorithm::Sha256, &image.content),
                size: image.content.len() as u64,
                uri: Some(image.uri.clone().unwrap_or_else(|| integrated_uri(&image.component))),
            }]
            .into(),
            invoke: image.invoke,
        });
        let recipe = ReleaseRecipe {
            sequence_number: self.sequence_number,
            vendor: self.vendor(),
            class: self.class(),
            images: images.collect(),
        };
        let mut manifest = recipe.manifest().map_err(DraftError::Manifest)?;
        manifest.coswid(self.tag()?.as_bytes());
        let mut words = LanguageText::new("en").with(text::MANIFEST_DESCRIPTION, &self.name);
        for image in &self.images {
            let elements = [
                (component_text::VENDOR_DOMAIN, self.vendor_domain.as_str()),
                (component_text::MODEL_NAME, self.class_name.as_str()),
                (component_text::COMPONENT_VERSION, image.version.as_deref().unwrap_or(&self.version)),
            ];
            words = words.with_component(image.component.clone(), &elements);
        }
        manifest.text(&Text::new([words].into()));
        if let Some(mud) = &self.mud {
            let signer = cose::thumbprint(&mud.signer, HashAlgorithm::Sha256);
            manifest.mud(&MudBinding { url: &mud.url, signer });
        }
        Ok(manifest)
    }

    /// The manifest with its payloads, to be signed by whoever holds the keys.
    pub fn build(&self) -> Result<EnvelopeBuilder, DraftError> {
        let mut envelope = self.manifest()?.build(HashAlgorithm::Sha256).map_err(DraftError::Manifest)?;
        for image in self.images.iter().filter(|image| image.uri.is_none()) {
            envelope.payload(&integrated_uri(&image.component), &image.content);
        }
        if let Some(mud) = &self.mud {
            envelope.payload(MUD_FILE, &mud.file).payload(MUD_SIGNATURE, &mud.signature);
        }
        Ok(envelope)
    }

    /// The SBOM: it lists what the release installs.
    pub fn tag(&self) -> Result<coswid::Tag, DraftError> {
        self.tag_with(&[])
    }

    /// The same with what the manifests install that the release depends on: devices measure that too.
    pub fn tag_with(&self, others: &[Brought]) -> Result<coswid::Tag, DraftError> {
        let id = self
            .tag_id
            .clone()
            .unwrap_or_else(|| alloc::format!("{}/{}/{}", self.vendor_domain, self.name, self.version));
        let mut tag = TagBuilder::payload(TagId::Text(id), self.name.as_str())
            .version(self.version.as_str(), self.version_scheme.clone())
            .entity(Entity::new(self.vendor_domain.as_str(), [Role::TagCreator, Role::SoftwareCreator]));
        if let Some(before) = &self.supersedes {
            tag = tag.link(Link::new(Rel::Supersedes, before.as_str()));
        }
        for link in &self.links {
            tag = tag.link(link.clone());
        }
        for image in &self.images {
            let digest = Digest::of(HashAlgorithm::Sha256, &image.content);
            tag = tag.file(File {
                size: Some(image.content.len() as u64),
                hash: Some(Hash::from(digest)),
                file_version: image.version.clone(),
                key: Some(true),
                ..File::new(alloc::format!("{}", image.component))
            });
        }
        for Brought { component, digest, size } in others {
            tag = tag.file(File {
                size: *size,
                hash: Some(Hash::from(*digest)),
                key: Some(true),
                ..File::new(component.as_str())
            });
        }
        tag.build().map_err(DraftError::Tag)
    }
}

/// Name of the integrated payload of a component.
fn integrated_uri(component: &ComponentId) -> String {
    alloc::format!("#{component}")
}

impl fmt::Display for DraftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(_) => f.write_str("the manifest cannot be made"),
            Self::Tag(_) => f.write_str("the SBOM cannot be made"),
        }
    }
}

impl core::error::Error for DraftError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Manifest(source) => Some(source),
            Self::Tag(source) => Some(source),
        }
    }
}
