use alloc::string::String;
use alloc::vec::Vec;

use crypto::Digest;

use super::{BuildError, ManifestBuilder, SequenceBuilder};
use crate::{ComponentId, Condition, Directive, Parameter, ReportingPolicy, Section, Uuid, VendorId};

/// The usual release: images for the components of one class of device, checked before and after (MAN, section 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRecipe {
    /// Sequence number; above that of every release before.
    pub sequence_number: u64,
    /// The vendor.
    pub vendor: Uuid,
    /// The class.
    pub class: Uuid,
    /// The images, one a component.
    pub images: Vec<ImageRecipe>,
}

/// One image of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRecipe {
    /// Where it goes.
    pub component: ComponentId,
    /// The image, or one image for each slot of an A/B device.
    pub variants: Vec<Variant>,
    /// Whether to start it at boot.
    pub invoke: bool,
}

/// An image as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The slot it is for, where there are several variants.
    pub slot: Option<u64>,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where to fetch it; without it the release only checks and starts what is there.
    pub uri: Option<String>,
}

/// The policy examples use for the slot condition: tell when it was met.
const ON_SUCCESS: ReportingPolicy = ReportingPolicy(0b0101);

impl ReleaseRecipe {
    /// The manifest of the recipe; text, CoSWID, MUD binding and severing are added to it.
    pub fn manifest(&self) -> Result<ManifestBuilder, BuildError> {
        if self.images.is_empty() {
            return Err(BuildError::NoImage);
        }
        let mut manifest = ManifestBuilder::new(self.sequence_number);
        let (mut shared, mut validate) = (SequenceBuilder::new(), SequenceBuilder::new());
        let (mut install, mut invoke) = (SequenceBuilder::new(), SequenceBuilder::new());
        for (index, image) in (0..).zip(&self.images) {
            manifest.component(image.component.clone());
            let select = |sequence: SequenceBuilder| {
                if self.images.len() > 1 { sequence.component(index) } else { sequence }
            };
            shared = self.identify(select(shared), image)?;
            validate = select(validate).condition(Condition::ImageMatch, ReportingPolicy::ALWAYS);
            if image.variants.iter().any(|variant| variant.uri.is_some()) {
                install = fetch(select(install), image)
                    .directive(Directive::Fetch, ReportingPolicy::ON_FAILURE)
                    .condition(Condition::ImageMatch, ReportingPolicy::ALWAYS);
            }
            if image.invoke {
                invoke = select(invoke).directive(Directive::Invoke, ReportingPolicy::ON_FAILURE);
            }
        }
        manifest.shared(shared);
        for (section, sequence) in
            [(Section::Validate, validate), (Section::Install, install), (Section::Invoke, invoke)]
        {
            if !sequence.is_empty() {
                manifest.section(section, sequence);
            }
        }
        Ok(manifest)
    }

    /// Says which image it is, and checks that the device is one it is for.
    fn identify(&self, shared: SequenceBuilder, image: &ImageRecipe) -> Result<SequenceBuilder, BuildError> {
        let ids = [Parameter::VendorId(VendorId::Uuid(self.vendor)), Parameter::ClassId(self.class)];
        let shared = match image.variants.as_slice() {
            [] => return Err(BuildError::NoImage),
            [only] => shared.override_parameters(&[&ids[..], &only.parameters()].concat()),
            variants => {
                let alternative = |variant: &Variant| {
                    Ok(in_slot(variant.slot.ok_or(BuildError::NoSlot)?)
                        .override_parameters(&variant.parameters()))
                };
                let alternatives =
                    variants.iter().map(alternative).collect::<Result<Vec<_>, BuildError>>()?;
                shared.override_parameters(&ids).try_each(&alternatives, false)
            }
        };
        Ok(shared
            .condition(Condition::VendorIdentifier, ReportingPolicy::ALWAYS)
            .condition(Condition::ClassIdentifier, ReportingPolicy::ALWAYS))
    }
}

impl Variant {
    fn parameters(&self) -> [Parameter<'_>; 2] {
        [Parameter::ImageDigest(self.digest), Parameter::ImageSize(self.size)]
    }
}

/// Says where the image comes from.
fn fetch(install: SequenceBuilder, image: &ImageRecipe) -> SequenceBuilder {
    let uri = |variant: &Variant| variant.uri.clone().unwrap_or_default();
    match image.variants.as_slice() {
        [only] => install.override_parameters(&[Parameter::Uri(&uri(only))]),
        variants => {
            let alternative = |variant: &Variant| {
                in_slot(variant.slot.unwrap_or_default())
                    .override_parameters(&[Parameter::Uri(&uri(variant))])
            };
            let alternatives: Vec<_> = variants.iter().map(alternative).collect();
            install.try_each(&alternatives, false)
        }
    }
}

/// Goes on only for a component in this slot.
fn in_slot(slot: u64) -> SequenceBuilder {
    SequenceBuilder::new()
        .override_parameters(&[Parameter::ComponentSlot(slot)])
        .condition(Condition::ComponentSlot, ON_SUCCESS)
}
