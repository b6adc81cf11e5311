use std::path::PathBuf;

use clap::Args;
use crypto::{ContentAlgorithm, Digest, HashAlgorithm};
use suit::{
    ComponentId, Condition, Directive, Envelope, ManifestBuilder, Operation, Parameter, ReportingPolicy,
    Section, Sequence, SequenceBuilder,
};

use crate::{
    compose::{
        encryption::{self, Encrypted, Encryptor},
        values,
    },
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    printer::Printer,
    signer::Signer,
};

/// Encrypt the images of a release for devices or groups, as a distributor: the author's manifest stays as it is.
///
/// The result is a manifest of the distributor's that depends on the author's, and says nothing but where the encrypted
/// images are and who can decrypt them. The author prepared for it with `encrypt-later` (docs/recipes.md).
#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    /// The envelope of the author
    file: PathBuf,
    /// Key of a device or group that decrypts; repeatable
    #[arg(long = "recipient", required = true, value_name = "KEY")]
    recipients: Vec<PathBuf>,
    /// Cipher: A128GCM, ChaCha20/Poly1305, A128CTR, …
    #[arg(long, value_parser = encryption::cipher, default_value = "A128GCM")]
    alg: ContentAlgorithm,
    /// The image of a component, such as `app=app.bin`; the one in the envelope without it; repeatable
    #[arg(long = "image", value_name = "COMPONENT=FILE", value_parser = super::pair)]
    images: Vec<(String, String)>,
    /// Where devices fetch the ciphertext of a component, such as `app=https://…`; in the envelope without it; repeatable
    #[arg(long = "uri", value_name = "COMPONENT=URI", value_parser = super::pair)]
    uris: Vec<(String, String)>,
    /// Where to write the ciphertext of a component that is fetched, such as `app=app.enc`; repeatable
    #[arg(long = "ciphertext", value_name = "COMPONENT=FILE", value_parser = super::pair)]
    ciphertexts: Vec<(String, String)>,
    /// Component that takes the envelope of the author; `COMPONENT/manifest` of the first image without it
    #[arg(long)]
    author_component: Option<String>,
    /// Sequence number of the distributor's manifest; the author's without it
    #[arg(long)]
    sequence: Option<u64>,
    /// Private key of the distributor; repeatable; without one the envelope is not signed
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<PathBuf>,
    /// Where to write the envelope
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Name of the author's envelope in the distributor's.
const AUTHOR: &str = "#author";

/// An image that the author's manifest copies out of a stage.
struct Staged {
    component: ComponentId,
    stage: ComponentId,
    encrypted: Encrypted,
    uri: String,
}

pub(crate) fn run(command: &Encrypt, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let envelope = super::decode(&input)?;
    let manifest = envelope.manifest_unverified().map_err(|error| super::refused_to_read(&input, &error))?;
    if !envelope.manifest_digest_claimed().eq(&envelope.manifest_digest_computed(HashAlgorithm::Sha256)) {
        return Err(Failure::new(format!("{}: its digest is not that of its manifest", input.name)));
    }
    let encryptor = Encryptor::open(command.alg, &command.recipients, printer)?;
    let mut staged = Vec::new();
    for (component, stage) in copies(&manifest) {
        staged.push(encrypt(command, &envelope, &encryptor, component, stage)?);
    }
    if staged.is_empty() {
        return Err(Failure::new(format!("{} has no image that can be encrypted", input.name))
            .help("its author prepares it with `encrypt-later` and `stage`: see docs/recipes.md"));
    }
    let author = match (&command.author_component, staged.first()) {
        (Some(component), _) => values::component(component)?,
        (None, first) => {
            let beside = first.map(|one| one.component.to_string()).unwrap_or_default();
            values::component(&format!("{beside}/manifest"))?
        }
    };
    // The images in the clear stay behind; what gateways need goes along.
    let inner = super::sign::without_images(&input.bytes)
        .map_err(|error| input.failure("not an envelope any more", &error))?;
    let sections: Vec<Section> = manifest.sections().map(|(section, _)| section).collect();
    let sequence = command.sequence.unwrap_or(manifest.sequence_number());
    let built = dependent(
        sequence,
        &author,
        envelope.manifest_digest_claimed(),
        &staged,
        &targets(&manifest),
        &sections,
    );
    let mut built = built
        .build(HashAlgorithm::Sha256)
        .map_err(|error| Failure::new("the images make no manifest").because(&error))?;
    built.payload(AUTHOR, &inner);
    for one in &staged {
        if one.uri.starts_with('#') {
            built.payload(&one.uri, &one.encrypted.ciphertext);
        }
    }
    let mut bytes = built.to_bytes();
    for path in &command.keys {
        bytes = Signer::open(path)?
            .approve(&bytes, false, printer)?
            .map_err(|refusal| Failure::new("the release cannot be signed").because(&refusal))?;
    }
    for one in &staged {
        let name = one.component.to_string();
        if let Some(path) = of(&command.ciphertexts, &name) {
            files::write(&PathBuf::from(path), &one.encrypted.ciphertext, Mode::Public, printer)?;
        }
    }
    files::write(&command.output, &bytes, Mode::Public, printer)?;
    Ok(Answer::Yes)
}

/// Components and the stages they are copied from, as the install section of the author's manifest says.
fn copies(manifest: &suit::Manifest<'_>) -> Vec<(ComponentId, ComponentId)> {
    let Some(install) = manifest.section(Section::Install) else { return Vec::new() };
    let mut found = Vec::new();
    let common = manifest.common();
    let (mut at, mut source) = (0, None);
    for command in install.value().map(Sequence::commands).unwrap_or_default() {
        match &command.operation {
            Operation::SetComponentIndex(suit::ComponentIndex::One(index)) => (at, source) = (*index, None),
            Operation::Directive(Directive::Copy, _) => {
                let pair = source.and_then(|source| Some((common.component(at)?, common.component(source)?)));
                found.extend(pair.map(|(component, stage)| (component.clone(), stage.clone())));
            }
            operation => {
                let set = operation.parameters().find_map(|parameter| match parameter {
                    Parameter::SourceComponent(index) => Some(*index),
                    _ => None,
                });
                source = set.or(source);
            }
        }
    }
    found
}

fn encrypt(
    command: &Encrypt,
    envelope: &Envelope<'_>,
    encryptor: &Encryptor,
    component: ComponentId,
    stage: ComponentId,
) -> Result<Staged, Failure> {
    let name = component.to_string();
    let image = match (of(&command.images, &name), envelope.integrated(&format!("#{name}"))) {
        (Some(path), _) => Input::read(&PathBuf::from(path))?.bytes,
        (None, Some(payload)) => payload.to_vec(),
        (None, None) => {
            return Err(Failure::new(format!("the image of component {name} is not in the envelope"))
                .help(format!("give it: --image {name}=FILE")));
        }
    };
    let uri = match of(&command.uris, &name) {
        Some(uri) if of(&command.ciphertexts, &name).is_some() => uri.to_owned(),
        Some(_) => {
            return Err(Failure::new(format!("the ciphertext of component {name} goes nowhere"))
                .help(format!("say where to write what is served: --ciphertext {name}=FILE")));
        }
        None => format!("#{name}"),
    };
    Ok(Staged { component, stage, encrypted: encryptor.encrypt(&image)?, uri })
}

/// The distributor's manifest: what is where, and who decrypts it. All else is the author's.
fn dependent(
    sequence_number: u64,
    author: &ComponentId,
    digest: Digest,
    staged: &[Staged],
    targets: &[Parameter<'_>],
    sections: &[Section],
) -> ManifestBuilder {
    const ALWAYS: ReportingPolicy = ReportingPolicy::ALWAYS;
    const ON_FAILURE: ReportingPolicy = ReportingPolicy::ON_FAILURE;
    let mut manifest = ManifestBuilder::new(sequence_number);
    manifest.component(author.clone()).dependency(0, None);
    for one in staged {
        manifest.component(one.component.clone()).component(one.stage.clone());
    }
    let at = |index: usize| SequenceBuilder::new().component(u32::try_from(index).unwrap_or(u32::MAX));
    let process = || {
        at(0)
            .condition(Condition::DependencyIntegrity, ALWAYS)
            .directive(Directive::ProcessDependency, ON_FAILURE)
    };
    // All of it is said of the author's manifest: what is set for an image would be seen by the author's checks.
    let mut shared = at(0).override_parameters(&[Parameter::ImageDigest(digest)]);
    if !targets.is_empty() {
        shared = shared.override_parameters(targets);
    }
    for target in targets {
        let condition = match target {
            Parameter::VendorId(_) => Condition::VendorIdentifier,
            _ => Condition::ClassIdentifier,
        };
        shared = shared.condition(condition, ALWAYS);
    }
    manifest.shared(shared);
    let fetch = at(0)
        .override_parameters(&[Parameter::Uri(AUTHOR)])
        .directive(Directive::Fetch, ON_FAILURE)
        .condition(Condition::DependencyIntegrity, ALWAYS)
        .directive(Directive::ProcessDependency, ON_FAILURE);
    manifest.section(Section::DependencyResolution, fetch);
    for section in sections {
        let mut own = SequenceBuilder::new();
        for (number, one) in staged.iter().enumerate() {
            let ciphertext = Digest::of(HashAlgorithm::Sha256, &one.encrypted.ciphertext);
            own = match section {
                Section::PayloadFetch => own.then(&at(2 + 2 * number)).override_parameters(&[
                    Parameter::ImageDigest(ciphertext),
                    Parameter::ImageSize(one.encrypted.ciphertext.len() as u64),
                    Parameter::Uri(&one.uri),
                ]),
                Section::Install => {
                    let checked = own
                        .then(&at(2 + 2 * number))
                        .override_parameters(&[Parameter::ImageDigest(ciphertext)])
                        // Before anything is spent on decrypting it.
                        .condition(Condition::ImageMatch, ALWAYS);
                    checked
                        .then(&at(1 + 2 * number))
                        .override_parameters(&[Parameter::EncryptionInfo(&one.encrypted.info)])
                }
                _ => own,
            };
        }
        if *section != Section::DependencyResolution && *section != Section::Uninstall {
            manifest.section(*section, own.then(&process()));
        }
    }
    manifest
}

/// Vendor and class that the author names.
fn targets<'m>(manifest: &suit::Manifest<'m>) -> Vec<Parameter<'m>> {
    let shared = manifest.common().shared().map(Sequence::commands).unwrap_or_default();
    let lists = shared.iter().filter_map(|command| match &command.operation {
        Operation::OverrideParameters(list) => Some(list),
        _ => None,
    });
    let mut targets: Vec<Parameter<'m>> = Vec::new();
    for parameter in lists.flatten() {
        let is_target = matches!(parameter, Parameter::VendorId(_) | Parameter::ClassId(_));
        if is_target && targets.iter().all(|other| other.label() != parameter.label()) {
            targets.push(parameter.clone());
        }
    }
    targets
}

fn of<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(component, _)| component == name).map(|(_, value)| value.as_str())
}
