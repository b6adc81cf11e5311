use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use coswid::{
    Link, Rel, Tag, TagId,
    interchange::{self, ImportOptions},
};
use crypto::{HashAlgorithm, PublicKey};
use suit::{
    ComponentId, EnvelopeBuilder, LanguageText, ManifestBuilder, MudBinding, ReportingPolicy, Text, Uuid,
    labels,
};
use trust::{Brought, DraftImage, DraftMud, ReleaseDraft};
use x509::cms;

use crate::{
    clock,
    commands::authority,
    compose::{
        Choice, Gate, Needed, Part, Plan, Policies,
        encryption::{self, Encryptor},
        values,
    },
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    printer::Printer,
    profile::{self, Profile},
    recipe::{self, Recipe},
    show,
    signer::Signer,
};

/// Build a release from a recipe.
#[derive(Debug, Args)]
pub(crate) struct Build {
    /// The recipe (docs/recipes.md); paths in it are relative to its folder
    recipe: PathBuf,
    /// Private key of the author: a file, or a PKCS #11 URI; repeatable; without one the envelope is not signed
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<PathBuf>,
    /// Hold the release to a profile of suit-mti, such as suit-sha256-esp256-ecdh-a128gcm
    #[arg(long, value_parser = profile::read)]
    profile: Option<Profile>,
    /// Name algorithms by their fully specified numbers, as the profiles of suit-mti ask
    #[arg(long)]
    fully_specified: bool,
    /// Where to write the envelope
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(command: &Build, printer: &Printer) -> Result<Answer, Failure> {
    let recipe = Recipe::read(&command.recipe)?;
    let desk = Desk { file: &command.recipe, recipe: &recipe, printer };
    let profile = command.profile;
    let draft = desk.draft()?;
    let tag = draft.tag_with(&desk.brought()?).map_err(|error| unbuilt(&error))?;
    let words = recipe.text.as_ref().map_or_else(|| plain_text(&draft), Clone::clone);
    let text = Text::new(vec![self::words(&words, &draft)]).to_bytes();
    let mud = draft.mud.clone();
    let (vendor, class, version) = (draft.vendor(), draft.class(), draft.version.clone());
    let plan = desk.plan(draft, vendor, class, profile)?;
    let mut manifest = plan.manifest()?;
    manifest.coswid(tag.as_bytes()).encoded_text(&text);
    desk.members(&mut manifest, mud.as_ref())?;
    let mut envelope = manifest.build(HashAlgorithm::Sha256).map_err(|error| unbuilt(&error))?;
    for (part, component) in plan.parts.iter().zip(&recipe.components) {
        desk.payloads(part, component, &mut envelope)?;
    }
    for (dependency, needed) in recipe.dependencies.iter().zip(&plan.dependencies) {
        if dependency.uri.is_none() {
            envelope.payload(&needed.uri, &desk.read(&dependency.envelope)?.bytes);
        }
    }
    if let Some(mud) = &mud {
        envelope.payload(trust::MUD_FILE, &mud.file).payload(trust::MUD_SIGNATURE, &mud.signature);
    }
    let mut bytes = envelope.to_bytes();
    let fully_specified = command.fully_specified || profile.is_some();
    for path in &command.keys {
        let mut signer = Signer::open(path)?;
        if let Some(profile) = profile {
            signer.check_profile(profile)?;
        }
        bytes = signer
            .approve(&bytes, fully_specified, printer)?
            .map_err(|refusal| Failure::new("the release cannot be signed").because(&refusal))?;
    }
    files::write(&command.output, &bytes, Mode::Public, printer)?;
    printer.note(format!("release {version} {}", envelope.manifest_digest()));
    Ok(Answer::Yes)
}

fn unbuilt(error: &dyn std::error::Error) -> Failure {
    Failure::new("the recipe makes no release").because(error)
}

/// A recipe and what lies beside it.
struct Desk<'r> {
    file: &'r Path,
    recipe: &'r Recipe,
    printer: &'r Printer,
}

impl<'r> Desk<'r> {
    fn read(&self, path: &Path) -> Result<Input, Failure> {
        let path = files::beside(self.file, path);
        let size = fs::metadata(&path).map(|metadata| metadata.len()).unwrap_or_default();
        let progress = self.printer.progress(&path.display().to_string(), size);
        let input = Input::read(&path)?;
        progress.at(input.bytes.len() as u64);
        Ok(input)
    }

    /// What the SBOM is made of: each image once.
    fn draft(&self) -> Result<ReleaseDraft, Failure> {
        let release = &self.recipe.release;
        let version_scheme = show::coswid::scheme(&release.scheme)
            .map_err(|error| Failure::new(format!("scheme: {error}")))?;
        let mut images = Vec::new();
        for component in &self.recipe.components {
            let id = values::component(&component.id)?;
            for (number, path) in images_of(component)?.into_iter().enumerate() {
                let uri = match component.variants.get(number) {
                    Some(variant) => variant.uri.clone(),
                    None => component.uri.clone(),
                };
                images.push(DraftImage {
                    component: id.clone(),
                    content: self.read(path)?.bytes,
                    version: component.version.clone(),
                    uri,
                    invoke: component.invoke,
                });
            }
        }
        let mud = match &self.recipe.mud {
            Some(mud) => Some(network_needs(self.file, mud, self.printer)?),
            None => {
                self.printer.warning(
                    "the recipe declares no network needs: gateways will let the device do no more than update",
                );
                None
            }
        };
        Ok(ReleaseDraft {
            vendor_domain: release.vendor.clone(),
            class_name: release.class.clone(),
            name: release.name.clone().unwrap_or_else(|| release.class.clone()),
            version: release.version.clone(),
            version_scheme,
            sequence_number: release.sequence,
            tag_id: release.tag_id.clone(),
            supersedes: release.supersedes.clone(),
            images,
            links: self.components()?,
            mud,
        })
    }

    /// What the software is made of, as its SBOM says: links to components, and nothing else of it.
    fn components(&self) -> Result<Vec<Link>, Failure> {
        let release = &self.recipe.release;
        let Some(path) = &release.sbom else { return Ok(Vec::new()) };
        let input = self.read(path)?;
        let options = ImportOptions {
            // Neither is taken over, and a document need not have them.
            tag_id: Some(TagId::Text(release.version.clone())),
            tag_creator: Some(&release.vendor),
            ..ImportOptions::default()
        };
        let tag = match Tag::decode(&input.bytes) {
            Ok(tag) => tag,
            Err(_) => {
                interchange::import(&input.bytes, &options)
                    .map_err(|error| input.failure("this is no SBOM", &error))?
                    .tag
            }
        };
        let links = tag.links().iter().filter(|link| matches!(link.rel, Rel::Component | Rel::Requires));
        Ok(links.cloned().collect())
    }

    fn plan(
        &self,
        draft: ReleaseDraft,
        vendor: Uuid,
        class: Uuid,
        profile: Option<Profile>,
    ) -> Result<Plan<'r>, Failure> {
        let recipe = self.recipe;
        let encryptor = self.encryptor(profile)?;
        let mut images = draft.images.into_iter();
        let mut parts = Vec::new();
        for component in &recipe.components {
            let count = images_of(component)?.len();
            let own: Vec<DraftImage> = images.by_ref().take(count).collect();
            parts.push(part(component, own, encryptor.as_ref())?);
        }
        let dependencies = recipe.dependencies.iter().map(|one| self.needed(one));
        Ok(Plan {
            sequence_number: recipe.release.sequence,
            vendor,
            class,
            parts,
            dependencies: dependencies.collect::<Result<_, _>>()?,
            gate: gate(recipe)?,
            candidate_verification: recipe.release.candidate_verification,
            uninstall: recipe.release.uninstall,
            encrypt_later: recipe.release.encrypt_later,
            policies: policies(recipe.reporting.as_ref())?,
        })
    }

    fn encryptor(&self, profile: Option<Profile>) -> Result<Option<Encryptor>, Failure> {
        let Some(encryption) = &self.recipe.encryption else { return Ok(None) };
        if self.recipe.release.encrypt_later {
            return Err(Failure::new("images are encrypted now or later, and not twice")
                .help("leave out [encryption] or encrypt-later"));
        }
        let algorithm = encryption::cipher(&encryption.algorithm)
            .map_err(|error| Failure::new(format!("encryption: {error}")))?;
        let recipients: Vec<PathBuf> =
            encryption.recipients.iter().map(|path| files::beside(self.file, path)).collect();
        let encryptor = Encryptor::open(algorithm, &recipients, self.printer)?;
        if let Some(profile) = profile {
            encryptor.check_profile(profile)?;
        }
        Ok(Some(encryptor))
    }

    /// What the manifests install that the release depends on: their images, and what their SBOMs list beyond.
    fn brought(&self) -> Result<Vec<Brought>, Failure> {
        let mut all: Vec<Brought> = Vec::new();
        for dependency in &self.recipe.dependencies {
            let input = self.read(&dependency.envelope)?;
            let manifest = super::decode(&input)?
                .manifest_unverified()
                .map_err(|error| super::refused_to_read(&input, &error))?;
            let prefix = dependency.prefix.as_deref().map(|prefix| format!("{prefix}/")).unwrap_or_default();
            let images = manifest.images().into_iter();
            let images = images.map(|image| (image.component.to_string(), image.digest, image.size));
            let coswid = manifest.coswid();
            let tag = coswid.as_ref().and_then(|tag| coswid::Tag::decode(tag.value()?).ok());
            let files = tag.iter().flat_map(coswid::Tag::measured_files).filter(|file| file.key);
            let files = files.filter_map(|file| Some((file.path(), file.digest?, file.size)));
            for (name, digest, size) in images.chain(files) {
                let component = format!("{prefix}{name}");
                if !all.iter().any(|known| known.component == component) {
                    all.push(Brought { component, digest, size });
                }
            }
        }
        let own = self.recipe.components.iter().map(|component| &component.id);
        let own: Vec<&String> = own.collect();
        all.retain(|brought| !own.contains(&&brought.component));
        Ok(all)
    }

    fn needed(&self, dependency: &recipe::Dependency) -> Result<Needed, Failure> {
        let input = self.read(&dependency.envelope)?;
        let envelope = super::decode(&input)?;
        let manifest =
            envelope.manifest_unverified().map_err(|error| super::refused_to_read(&input, &error))?;
        if !envelope.manifest_digest_claimed().eq(&envelope.manifest_digest_computed(HashAlgorithm::Sha256)) {
            return Err(Failure::new(format!("{}: its digest is not that of its manifest", input.name)));
        }
        if envelope.signatures().is_empty() {
            self.printer.warning(format!("{} is not signed: no device would take it", input.name));
        }
        let component = values::component(&dependency.id)?;
        let uri = dependency.uri.clone().unwrap_or_else(|| format!("#{component}"));
        Ok(Needed {
            component,
            prefix: dependency.prefix.as_deref().map(values::component).transpose()?,
            digest: envelope.manifest_digest_claimed(),
            uri,
            sections: manifest.sections().map(|(section, _)| section).collect(),
        })
    }

    /// The members of the manifest that are no commands.
    fn members(&self, manifest: &mut ManifestBuilder, mud: Option<&DraftMud>) -> Result<(), Failure> {
        let release = &self.recipe.release;
        if let Some(mud) = mud {
            let signer = cose::thumbprint(&mud.signer, HashAlgorithm::Sha256);
            manifest.mud(&MudBinding { url: &mud.url, signer });
        }
        if let Some(uri) = &release.reference_uri {
            manifest.reference_uri(uri);
        }
        if let Some(component) = &release.manifest_component {
            manifest.component_id(values::component(component)?);
        }
        if let Some(version) = &release.set_version {
            manifest.set_version(values::version(version)?);
        }
        for member in &release.sever {
            let member = show::suit::severable(member);
            manifest.sever(member.map_err(|error| Failure::new(format!("sever: {error}")))?);
        }
        Ok(())
    }

    /// What rides in the envelope, and the ciphertext that is to be served elsewhere.
    fn payloads(
        &self,
        part: &Part<'_>,
        component: &recipe::Component,
        envelope: &mut EnvelopeBuilder,
    ) -> Result<(), Failure> {
        if part.write {
            return Ok(());
        }
        for image in &part.images {
            let content = part.encrypted.as_ref().map_or(&image.content, |one| &one.ciphertext);
            if image.uri.starts_with('#') {
                envelope.payload(&image.uri, content);
            } else if part.encrypted.is_some() {
                let path = component.ciphertext.as_ref().ok_or_else(|| {
                    Failure::new(format!("component `{}`: its ciphertext goes nowhere", part.component))
                        .help("give `ciphertext`, the file to serve under its uri")
                })?;
                files::write(&files::beside(self.file, path), content, Mode::Public, self.printer)?;
            }
        }
        Ok(())
    }
}

/// The files of a component's images.
fn images_of(component: &recipe::Component) -> Result<Vec<&Path>, Failure> {
    match (&component.image, component.variants.as_slice()) {
        (Some(image), []) => Ok(vec![image]),
        (None, [_, ..]) if component.uri.is_some() => {
            Err(Failure::new(format!("component `{}`: each variant has its own uri", component.id)))
        }
        (None, variants @ [_, ..]) => Ok(variants.iter().map(|variant| variant.image.as_path()).collect()),
        _ => Err(Failure::new(format!("component `{}` has no image", component.id))
            .help("give either `image`, or a [[component.variant]] for each")),
    }
}

fn part<'r>(
    component: &'r recipe::Component,
    images: Vec<DraftImage>,
    encryptor: Option<&Encryptor>,
) -> Result<Part<'r>, Failure> {
    let id = values::component(&component.id)?;
    let mut choices = Vec::new();
    for (number, image) in images.into_iter().enumerate() {
        let variant = component.variants.get(number);
        let device = variant.and_then(|variant| variant.device.as_deref());
        let device = device
            .map(|text| {
                authority::parse_uuid(text).ok_or_else(|| Failure::new(format!("device `{text}` is no UUID")))
            })
            .transpose()?;
        let installed = variant.and_then(|variant| variant.installed.as_deref());
        let name = if variant.is_some() { format!("#{id}.{number}") } else { format!("#{id}") };
        choices.push(Choice {
            slot: variant.and_then(|variant| variant.slot),
            device,
            installed: installed.map(values::version_match).transpose()?,
            content: image.content,
            uri: image.uri.unwrap_or(name),
        });
    }
    let encrypted = match (encryptor, choices.as_slice()) {
        (Some(encryptor), [only]) => Some(encryptor.encrypt(&only.content)?),
        (Some(_), _) => return Err(Failure::new(format!("component `{id}`: variants are not encrypted"))),
        (None, _) => None,
    };
    Ok(Part {
        component: id,
        images: choices,
        stage: component.stage.as_deref().map(values::component).transpose()?,
        write: component.write,
        invoke: component.invoke,
        invoke_arguments: component.invoke_arguments.as_deref().map(str::as_bytes),
        fetch_arguments: component.fetch_arguments.as_deref().map(str::as_bytes),
        metadata: component.metadata.as_ref().map(values::metadata).transpose()?,
        encrypted,
    })
}

fn gate(recipe: &Recipe) -> Result<Gate, Failure> {
    let wait = recipe.wait.as_ref().map(values::wait).transpose()?;
    let Some(conditions) = &recipe.conditions else { return Ok(Gate { wait, ..Gate::default() }) };
    Ok(Gate {
        use_before: conditions.use_before.as_deref().map(values::time).transpose()?,
        battery: conditions.battery,
        priority: conditions.priority,
        installed: conditions
            .installed
            .iter()
            .map(|text| values::version_match(text))
            .collect::<Result<_, _>>()?,
        wait,
    })
}

fn policies(reporting: Option<&recipe::Reporting>) -> Result<Policies, Failure> {
    let read =
        |words: Option<&Vec<String>>, default| words.map_or(Ok(default), |words| values::reporting(words));
    Ok(Policies {
        conditions: read(reporting.and_then(|one| one.conditions.as_ref()), ReportingPolicy::ALWAYS)?,
        directives: read(reporting.and_then(|one| one.directives.as_ref()), ReportingPolicy::ON_FAILURE)?,
    })
}

/// The words for a release about which its author said none.
fn plain_text(draft: &ReleaseDraft) -> recipe::Text {
    recipe::Text {
        language: "en".to_owned(),
        description: Some(draft.name.clone()),
        update: None,
        vendor: None,
        model: None,
    }
}

fn words<'d>(text: &'d recipe::Text, draft: &'d ReleaseDraft) -> LanguageText<'d> {
    use labels::{component_text as about, text as of};
    let mut language = LanguageText::new(&text.language);
    for (label, words) in
        [(of::MANIFEST_DESCRIPTION, &text.description), (of::UPDATE_DESCRIPTION, &text.update)]
    {
        if let Some(words) = words {
            language = language.with(label, words);
        }
    }
    let mut described: Vec<&ComponentId> = Vec::new();
    for image in &draft.images {
        if described.contains(&&image.component) {
            continue;
        }
        described.push(&image.component);
        let mut elements = vec![
            (about::VENDOR_DOMAIN, draft.vendor_domain.as_str()),
            (about::COMPONENT_VERSION, image.version.as_deref().unwrap_or(&draft.version)),
            (about::MODEL_NAME, text.model.as_deref().unwrap_or(&draft.class_name)),
        ];
        elements.extend(text.vendor.as_deref().map(|vendor| (about::VENDOR_NAME, vendor)));
        language = language.with_component(image.component.clone(), &elements);
    }
    language
}

fn network_needs(recipe_file: &Path, mud: &recipe::Mud, printer: &Printer) -> Result<DraftMud, Failure> {
    let read = |path: &Path| Input::read(&files::beside(recipe_file, path));
    let file = read(&mud.file)?;
    let context = mud::Context { fetched_url: mud.url.as_deref(), ..mud::Context::default() };
    let parsed = mud::parse(&file.bytes, &context)
        .map_err(|error| file.failure("not a MUD file that gateways would apply", &error))?;
    let compiled = mud::compile(&parsed.file);
    for finding in parsed.findings.iter().chain(&compiled.findings) {
        if finding.severity >= mud::Severity::Warning {
            let severity = show::mud::severity(finding.severity);
            printer.warning(format!(
                "{}{}: {} [{}, {severity}]",
                file.name, finding.path, finding.message, finding.code
            ));
        }
    }
    let url = mud.url.clone().unwrap_or_else(|| parsed.file.mud_url.as_str().to_owned());
    let (signature, signer) = match (&mud.signature, &mud.key, &mud.certificate) {
        (Some(path), None, None) => {
            let signature = read(path)?;
            let signer = signer_of(&file.bytes, &signature)?;
            (signature.bytes, signer)
        }
        (None, Some(key), Some(certificate)) => {
            let (key, _) = KeyFile::read_secret(&files::beside(recipe_file, key))?;
            let certificate = keys::read_certificate(&files::beside(recipe_file, certificate))?;
            let chain: Vec<PathBuf> = mud.chain.iter().map(|path| files::beside(recipe_file, path)).collect();
            let chain = keys::read_all_certificates(&chain)?;
            let signature = cms::sign_detached(&file.bytes, &key, &certificate, &chain, clock::now())
                .map_err(|error| Failure::new("cannot sign the MUD file").because(&error))?;
            (signature, key.public_key().clone())
        }
        _ => {
            return Err(Failure::new("the recipe does not say who signs the MUD file")
                .help("give `signature`, or `key` and `certificate`, below [mud]"));
        }
    };
    Ok(DraftMud { url, file: file.bytes, signature, signer })
}

/// The key that made a signature, found among the certificates it carries.
fn signer_of(file: &[u8], signature: &Input) -> Result<PublicKey, Failure> {
    let message = cms::Detached::decode(&signature.bytes)
        .map_err(|error| signature.failure("not a detached CMS signature", &error))?;
    let own = message.certificates();
    let policy = cms::SignerPolicy { anchors: own, extra: &[], subject: None, now: clock::now() };
    let signer = message.verify(file, &policy).map_err(|error| {
        Failure::new(format!("{} is no good signature of the MUD file", signature.name)).because(&error)
    })?;
    Ok(signer.public_key().clone())
}
