//! From what a recipe says to the commands of a manifest.

pub(crate) mod encryption;
pub(crate) mod values;

use crypto::{Digest, HashAlgorithm};
use suit::{
    ComponentId, ComponentMetadata, Condition, Directive, ManifestBuilder, Parameter, ReportingPolicy,
    Section, SequenceBuilder, Uuid, VendorId, VersionMatch, WaitInfo,
};

use crate::failure::Failure;

use encryption::Encrypted;

/// A release, with everything that was read for it.
#[derive(Debug)]
pub(crate) struct Plan<'r> {
    pub(crate) sequence_number: u64,
    pub(crate) vendor: Uuid,
    pub(crate) class: Uuid,
    pub(crate) parts: Vec<Part<'r>>,
    pub(crate) dependencies: Vec<Needed>,
    pub(crate) gate: Gate,
    /// Whether staged content is checked before anything is installed.
    pub(crate) candidate_verification: bool,
    pub(crate) uninstall: bool,
    /// Whether a distributor encrypts the images, and so says itself where they come from.
    pub(crate) encrypt_later: bool,
    pub(crate) policies: Policies,
}

/// A component and what comes into it.
#[derive(Debug)]
pub(crate) struct Part<'r> {
    pub(crate) component: ComponentId,
    /// One image, or several of which the device chooses.
    pub(crate) images: Vec<Choice>,
    /// Component that takes what is fetched first.
    pub(crate) stage: Option<ComponentId>,
    pub(crate) write: bool,
    pub(crate) invoke: bool,
    pub(crate) invoke_arguments: Option<&'r [u8]>,
    pub(crate) fetch_arguments: Option<&'r [u8]>,
    pub(crate) metadata: Option<ComponentMetadata<'r>>,
    pub(crate) encrypted: Option<Encrypted>,
}

/// An image, and for whom it is.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) slot: Option<u64>,
    pub(crate) device: Option<Uuid>,
    pub(crate) installed: Option<VersionMatch>,
    pub(crate) content: Vec<u8>,
    pub(crate) uri: String,
}

/// A manifest that is needed.
#[derive(Debug)]
pub(crate) struct Needed {
    pub(crate) component: ComponentId,
    pub(crate) prefix: Option<ComponentId>,
    pub(crate) digest: Digest,
    pub(crate) uri: String,
    /// The sections it has, each of which its dependent must have and process (TD, section 5.1).
    pub(crate) sections: Vec<Section>,
}

/// What must hold before anything is fetched.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) use_before: Option<u64>,
    pub(crate) battery: Option<u64>,
    pub(crate) priority: Option<i64>,
    pub(crate) installed: Vec<VersionMatch>,
    pub(crate) wait: Option<WaitInfo<'static>>,
}

/// What devices are asked to report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policies {
    pub(crate) conditions: ReportingPolicy,
    pub(crate) directives: ReportingPolicy,
}

/// When it is told that a variant was chosen: when it was, and never why others were not.
const CHOSEN: ReportingPolicy = ReportingPolicy(0b0101);

impl Plan<'_> {
    /// The manifest; SBOM, network needs, text and severing are added to it.
    pub(crate) fn manifest(&self) -> Result<ManifestBuilder, Failure> {
        self.check()?;
        let mut manifest = ManifestBuilder::new(self.sequence_number);
        for part in &self.parts {
            manifest.component(part.component.clone());
        }
        for stage in self.stages() {
            manifest.component(stage.clone());
        }
        for (index, needed) in self.needed() {
            manifest.component(needed.component.clone()).dependency(index, needed.prefix.clone());
        }
        manifest.shared(self.shared());
        let mut gate = Some(self.gate());
        let sections = [
            (Section::DependencyResolution, self.dependency_resolution()),
            (Section::PayloadFetch, self.payload_fetch()),
            (Section::CandidateVerification, self.candidate_verification()),
            (Section::Install, self.install()),
            (Section::Validate, self.validate()),
            (Section::Load, SequenceBuilder::new()),
            (Section::Invoke, self.invoke()),
            (Section::Uninstall, self.uninstall()),
        ];
        for (section, own) in sections {
            let sequence = self.process(section).then(&own);
            if sequence.is_empty() {
                continue;
            }
            // Once, before the first that changes something.
            let before = gate.take().filter(|gate| !gate.is_empty());
            let sequence = before.map_or_else(|| sequence.clone(), |gate| gate.then(&sequence));
            manifest.section(section, sequence);
        }
        Ok(manifest)
    }

    /// What cannot be said in a manifest, or would not do what it says.
    fn check(&self) -> Result<(), Failure> {
        if self.parts.is_empty() && self.dependencies.is_empty() {
            return Err(Failure::new("the recipe has neither components nor dependencies"));
        }
        for part in &self.parts {
            let name = &part.component;
            let wrong = |what: &str| Err(Failure::new(format!("component `{name}`: {what}")));
            let chosen = part.images.len() > 1;
            let says = |one: &Choice| one.slot.is_some() || one.device.is_some() || one.installed.is_some();
            if chosen && !part.images.iter().all(says) {
                return wrong("each variant says when it is the one: slot, device or installed");
            }
            if chosen && (part.stage.is_some() || part.write || part.encrypted.is_some()) {
                return wrong(
                    "variants are fetched into their component, and neither staged, written nor encrypted",
                );
            }
            if part.stage.is_some() && part.write {
                return wrong("what is written from the manifest is not staged");
            }
            if part.stage.as_ref() == Some(name) {
                return wrong("a component cannot be its own stage");
            }
            if (part.encrypted.is_some() || self.encrypt_later) && part.stage.is_none() && !part.write {
                return wrong("what is encrypted is decrypted on the way out of a `stage`, or by `write`");
            }
            if self.encrypt_later && part.write {
                return wrong("a distributor cannot encrypt what is written from the manifest");
            }
        }
        Ok(())
    }

    /// Selects a component, where there is a choice.
    fn at(&self, index: u32) -> SequenceBuilder {
        let count = self.parts.len() + self.stages().len() + self.dependencies.len();
        let sequence = SequenceBuilder::new();
        if count > 1 { sequence.component(index) } else { sequence }
    }

    fn parts(&self) -> impl Iterator<Item = (u32, &Part<'_>)> {
        (0..).zip(&self.parts)
    }

    /// The stages, each once; their indices follow those of the components.
    fn stages(&self) -> Vec<&ComponentId> {
        let mut stages: Vec<&ComponentId> = Vec::new();
        for stage in self.parts.iter().filter_map(|part| part.stage.as_ref()) {
            if !stages.contains(&stage) {
                stages.push(stage);
            }
        }
        stages
    }

    fn stage_index(&self, part: &Part<'_>) -> Option<u32> {
        let stage = part.stage.as_ref()?;
        let position = self.stages().iter().position(|other| *other == stage)?;
        u32::try_from(self.parts.len() + position).ok()
    }

    fn needed(&self) -> impl Iterator<Item = (u32, &Needed)> {
        let first = u32::try_from(self.parts.len() + self.stages().len()).unwrap_or(u32::MAX);
        (first..).zip(&self.dependencies)
    }

    fn met(&self, sequence: SequenceBuilder, condition: Condition) -> SequenceBuilder {
        sequence.condition(condition, self.policies.conditions)
    }

    fn done(&self, sequence: SequenceBuilder, directive: Directive) -> SequenceBuilder {
        sequence.directive(directive, self.policies.directives)
    }

    fn shared(&self) -> SequenceBuilder {
        let mut shared = SequenceBuilder::new();
        for (index, part) in self.parts() {
            let ids = [Parameter::VendorId(VendorId::Uuid(self.vendor)), Parameter::ClassId(self.class)];
            shared = shared.then(&self.at(index));
            shared = match part.images.as_slice() {
                [only] => shared.override_parameters(&[&ids[..], &only.identity()].concat()),
                several => shared
                    .override_parameters(&ids)
                    .try_each(&each(several, |one| one.identity().to_vec()), false),
            };
            shared = self.met(shared, Condition::VendorIdentifier);
            shared = self.met(shared, Condition::ClassIdentifier);
        }
        for (index, needed) in self.needed() {
            shared =
                shared.then(&self.at(index)).override_parameters(&[Parameter::ImageDigest(needed.digest)]);
            // Without components of its own nothing else would say whom it is for.
            if self.parts.is_empty() {
                let ids = [Parameter::VendorId(VendorId::Uuid(self.vendor)), Parameter::ClassId(self.class)];
                shared = self.met(shared.override_parameters(&ids), Condition::VendorIdentifier);
                shared = self.met(shared, Condition::ClassIdentifier);
            }
        }
        shared
    }

    /// The conditions of the release as a whole, asked of its first component.
    fn gate(&self) -> SequenceBuilder {
        let Gate { use_before, battery, priority, installed, wait } = &self.gate;
        let mut parameters = Vec::new();
        parameters.extend(use_before.map(Parameter::UseBefore));
        parameters.extend(battery.map(Parameter::MinimumBattery));
        parameters.extend(priority.map(Parameter::UpdatePriority));
        parameters.extend(wait.clone().map(|wait| Parameter::WaitInfo(Box::new(wait))));
        let mut gate = SequenceBuilder::new();
        if parameters.is_empty() && installed.is_empty() {
            return gate;
        }
        gate = gate.then(&self.at(0));
        if !parameters.is_empty() {
            gate = gate.override_parameters(&parameters);
        }
        // Waiting comes first: what is asked after it is true when the work begins.
        if wait.is_some() {
            gate = self.done(gate, Directive::Wait);
        }
        for wanted in installed {
            gate = gate.override_parameters(&[Parameter::VersionMatch(Box::new(wanted.clone()))]);
            gate = self.met(gate, Condition::Version);
        }
        for (condition, asked) in [
            (Condition::UseBefore, use_before.is_some()),
            (Condition::MinimumBattery, battery.is_some()),
            (Condition::UpdateAuthorized, priority.is_some()),
        ] {
            if asked {
                gate = self.met(gate, condition);
            }
        }
        gate
    }

    /// What every dependency has to do in a section.
    fn process(&self, section: Section) -> SequenceBuilder {
        let mut sequence = SequenceBuilder::new();
        if matches!(section, Section::DependencyResolution | Section::Uninstall) {
            return sequence;
        }
        for (index, _) in self.needed().filter(|(_, needed)| needed.sections.contains(&section)) {
            sequence = self.processed(sequence, index);
        }
        sequence
    }

    fn processed(&self, sequence: SequenceBuilder, index: u32) -> SequenceBuilder {
        let sequence = self.met(sequence.then(&self.at(index)), Condition::DependencyIntegrity);
        self.done(sequence, Directive::ProcessDependency)
    }

    fn dependency_resolution(&self) -> SequenceBuilder {
        let mut sequence = SequenceBuilder::new();
        for (index, needed) in self.needed() {
            sequence = sequence.then(&self.at(index)).override_parameters(&[Parameter::Uri(&needed.uri)]);
            sequence = self.done(sequence, Directive::Fetch);
            sequence = self.met(sequence, Condition::DependencyIntegrity);
            sequence = self.done(sequence, Directive::ProcessDependency);
        }
        sequence
    }

    fn payload_fetch(&self) -> SequenceBuilder {
        let mut sequence = SequenceBuilder::new();
        for (_, part) in self.parts() {
            let (Some(stage), [image]) = (self.stage_index(part), part.images.as_slice()) else { continue };
            sequence = sequence.then(&self.at(stage));
            let uri = [&[Parameter::Uri(&image.uri)][..], &part.fetch_parameters()].concat();
            if self.encrypt_later {
                // What a distributor says before this runs stays: its place, and digest and size of what is there.
                sequence = self.done(sequence.set_parameters(&uri), Directive::Fetch);
                continue;
            }
            let staged = part.staged(image);
            sequence = sequence.override_parameters(&[&staged[..], &uri].concat());
            sequence = self.done(sequence, Directive::Fetch);
            sequence = self.met(sequence, Condition::ImageMatch);
        }
        sequence
    }

    fn candidate_verification(&self) -> SequenceBuilder {
        let mut sequence = SequenceBuilder::new();
        if !self.candidate_verification || self.encrypt_later {
            return sequence;
        }
        for (_, part) in self.parts() {
            let (Some(stage), [image]) = (self.stage_index(part), part.images.as_slice()) else { continue };
            // It may run long after the fetch, on its own: what it relies on it sets.
            sequence = sequence.then(&self.at(stage)).override_parameters(&part.staged(image));
            sequence = self.met(sequence, Condition::ImageMatch);
        }
        sequence
    }

    fn install(&self) -> SequenceBuilder {
        let mut install = SequenceBuilder::new();
        for (index, part) in self.parts() {
            install = install.then(&self.at(index));
            let mut parameters = Vec::new();
            parameters.extend(part.metadata.clone().map(|one| Parameter::ComponentMetadata(Box::new(one))));
            parameters.extend(part.encrypted.as_ref().map(|one| Parameter::EncryptionInfo(&one.info)));
            let directive = match (self.stage_index(part), part.images.as_slice()) {
                (Some(stage), _) => {
                    parameters.push(Parameter::SourceComponent(stage));
                    Directive::Copy
                }
                (None, [image]) if part.write => {
                    let plain = image.content.as_slice();
                    let content = part.encrypted.as_ref().map_or(plain, |one| one.ciphertext.as_slice());
                    parameters.push(Parameter::Content(content));
                    Directive::Write
                }
                (None, [image]) => {
                    parameters.push(Parameter::Uri(&image.uri));
                    parameters.extend(part.fetch_parameters());
                    Directive::Fetch
                }
                (None, several) => {
                    parameters.extend(part.fetch_parameters());
                    if !parameters.is_empty() {
                        install = install.override_parameters(&parameters);
                        parameters.clear();
                    }
                    install = install.try_each(&each(several, |one| vec![Parameter::Uri(&one.uri)]), false);
                    Directive::Fetch
                }
            };
            if !parameters.is_empty() {
                install = install.override_parameters(&parameters);
            }
            install = self.done(install, directive);
            install = self.met(install, Condition::ImageMatch);
        }
        install
    }

    fn validate(&self) -> SequenceBuilder {
        self.parts().fold(SequenceBuilder::new(), |sequence, (index, _)| {
            self.met(sequence.then(&self.at(index)), Condition::ImageMatch)
        })
    }

    fn invoke(&self) -> SequenceBuilder {
        let mut sequence = SequenceBuilder::new();
        for (index, part) in self.parts().filter(|(_, part)| part.invoke) {
            sequence = sequence.then(&self.at(index));
            if let Some(arguments) = part.invoke_arguments {
                sequence = sequence.override_parameters(&[Parameter::InvokeArgs(arguments)]);
            }
            sequence = self.done(sequence, Directive::Invoke);
        }
        sequence
    }

    /// Gives up what the release holds, dependencies last: theirs are removed when nobody else needs them.
    fn uninstall(&self) -> SequenceBuilder {
        let mut sequence = SequenceBuilder::new();
        if !self.uninstall {
            return sequence;
        }
        let stages = self.parts.len() + self.stages().len();
        for index in
            (0..u32::try_from(stages).unwrap_or(u32::MAX)).chain(self.needed().map(|(index, _)| index))
        {
            sequence = sequence.then(&self.at(index));
            if self.needed().any(|(other, _)| other == index) {
                sequence = self.met(sequence, Condition::DependencyIntegrity);
            }
            sequence = self.done(sequence, Directive::Unlink);
        }
        sequence
    }
}

impl Part<'_> {
    fn fetch_parameters(&self) -> Vec<Parameter<'_>> {
        self.fetch_arguments.map(Parameter::FetchArguments).into_iter().collect()
    }

    /// Digest and size of what is fetched first: of the ciphertext, where it is one.
    fn staged<'c>(&'c self, image: &'c Choice) -> [Parameter<'c>; 2] {
        match &self.encrypted {
            Some(encrypted) => identity(&encrypted.ciphertext),
            None => image.identity(),
        }
    }
}

impl Choice {
    fn identity(&self) -> [Parameter<'static>; 2] {
        identity(&self.content)
    }
}

fn identity(content: &[u8]) -> [Parameter<'static>; 2] {
    let digest = Digest::of(HashAlgorithm::Sha256, content);
    [Parameter::ImageDigest(digest), Parameter::ImageSize(content.len() as u64)]
}

/// One alternative for each image: it goes on only on the devices that the image is for.
fn each<'c>(
    images: &'c [Choice],
    parameters: impl Fn(&'c Choice) -> Vec<Parameter<'c>>,
) -> Vec<SequenceBuilder> {
    let alternative = |image: &'c Choice| {
        let mut asked = Vec::new();
        asked.extend(image.slot.map(Parameter::ComponentSlot));
        asked.extend(image.device.map(Parameter::DeviceId));
        asked.extend(image.installed.clone().map(|wanted| Parameter::VersionMatch(Box::new(wanted))));
        let mut sequence = SequenceBuilder::new().override_parameters(&asked);
        for (condition, is_asked) in [
            (Condition::ComponentSlot, image.slot.is_some()),
            (Condition::DeviceIdentifier, image.device.is_some()),
            (Condition::Version, image.installed.is_some()),
        ] {
            if is_asked {
                sequence = sequence.condition(condition, CHOSEN);
            }
        }
        sequence.override_parameters(&parameters(image))
    };
    images.iter().map(alternative).collect()
}
