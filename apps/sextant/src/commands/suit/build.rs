use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use crypto::{HashAlgorithm, PublicKey};
use suit::{ComponentId, LanguageText, Text, labels};
use trust::{DraftImage, DraftMud, ReleaseDraft};
use x509::cms;

use crate::{
    clock,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    printer::Printer,
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
    /// Name algorithms by their fully specified numbers, as the profiles of suit-mti ask
    #[arg(long)]
    fully_specified: bool,
    /// Where to write the envelope
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(command: &Build, printer: &Printer) -> Result<Answer, Failure> {
    let recipe = Recipe::read(&command.recipe)?;
    let draft = draft(&command.recipe, &recipe, printer)?;
    let mut manifest = draft.manifest().map_err(|error| unbuilt(&error))?;
    for member in &recipe.release.sever {
        manifest
            .sever(show::suit::severable(member).map_err(|error| Failure::new(format!("sever: {error}")))?);
    }
    let text = recipe.text.as_ref().map(|text| words(text, &draft));
    if let Some(words) = text {
        manifest.text(&Text::new(vec![words]));
    }
    let mut envelope = manifest.build(HashAlgorithm::Sha256).map_err(|error| unbuilt(&error))?;
    for image in draft.images.iter().filter(|image| image.uri.is_none()) {
        envelope.payload(&format!("#{}", image.component), &image.content);
    }
    if let Some(mud) = &draft.mud {
        envelope.payload(trust::MUD_FILE, &mud.file).payload(trust::MUD_SIGNATURE, &mud.signature);
    }
    let mut bytes = envelope.to_bytes();
    for path in &command.keys {
        bytes = Signer::open(path)?
            .approve(&bytes, command.fully_specified, printer)?
            .map_err(|refusal| Failure::new("the release cannot be signed").because(&refusal))?;
    }
    files::write(&command.output, &bytes, Mode::Public, printer)?;
    printer.note(format!("release {} {}", recipe.release.version, envelope.manifest_digest()));
    Ok(Answer::Yes)
}

fn unbuilt(error: &dyn std::error::Error) -> Failure {
    Failure::new("the recipe makes no release").because(error)
}

fn draft(recipe_file: &Path, recipe: &Recipe, printer: &Printer) -> Result<ReleaseDraft, Failure> {
    let release = &recipe.release;
    let version_scheme =
        show::coswid::scheme(&release.scheme).map_err(|error| Failure::new(format!("scheme: {error}")))?;
    let mut images = Vec::new();
    for component in &recipe.components {
        images.push(image(recipe_file, component, printer)?);
    }
    let mud = match &recipe.mud {
        Some(mud) => Some(network_needs(recipe_file, mud, printer)?),
        None => {
            printer.warning(
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
        mud,
    })
}

fn image(
    recipe_file: &Path,
    component: &recipe::Component,
    printer: &Printer,
) -> Result<DraftImage, Failure> {
    let id: ComponentId = component
        .id
        .parse()
        .map_err(|error| Failure::new(format!("component `{}`", component.id)).because(&error))?;
    let path = files::beside(recipe_file, &component.image);
    let size = fs::metadata(&path).map(|metadata| metadata.len()).unwrap_or_default();
    let progress = printer.progress(&path.display().to_string(), size);
    let content = Input::read(&path)?.bytes;
    progress.at(content.len() as u64);
    Ok(DraftImage {
        component: id,
        content,
        version: component.version.clone(),
        uri: component.uri.clone(),
        invoke: component.invoke,
    })
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
    for image in &draft.images {
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
