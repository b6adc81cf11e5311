use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use cose::Purpose;
use coswid::{
    Entity, File, Link, Received, Rel, Role, Tag, TagBuilder, TagId, Uri, VersionScheme,
    interchange::{self, ImportOptions, Loss},
};
use crypto::{Digest, HashAlgorithm};

use crate::{
    clock,
    commands::key,
    failure::{Answer, Failure},
    files::{self, Input, Mode},
    keys::{self, KeyFile},
    printer::{Printer, Verdict},
    show,
};

/// Make and check software identity tags.
#[derive(Debug, Subcommand)]
pub(crate) enum Coswid {
    /// Make a tag that lists files with their digests
    Build(Build),
    /// Make a tag from SPDX, CycloneDX or SWID XML
    Import(Import),
    /// Write a tag as SPDX, CycloneDX or SWID XML
    Export(Export),
    /// Show a tag in any of its forms
    Inspect(Inspect),
    /// Say whether a signed tag is by one of these keys
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Build {
    /// Name of the software
    #[arg(long)]
    name: String,
    /// Version of the software
    #[arg(long)]
    version: String,
    /// Scheme of the version
    #[arg(long, value_parser = show::coswid::scheme, default_value = "semver")]
    scheme: VersionScheme,
    /// Id of the tag; made from entity, name and version without it
    #[arg(long)]
    tag_id: Option<String>,
    /// Who makes software and tag
    #[arg(long)]
    entity: String,
    /// Registration id of the entity, a URI
    #[arg(long, value_name = "URI")]
    reg_id: Option<String>,
    /// Id of a tag that this one replaces; repeatable
    #[arg(long, value_name = "TAG-ID")]
    supersedes: Vec<String>,
    /// A file, and the name it is measured by; repeatable
    #[arg(long = "file", value_name = "NAME=PATH", value_parser = named_file, required = true)]
    files: Vec<(String, PathBuf)>,
    /// Hash function of the digests
    #[arg(long, value_parser = key::hash, default_value = "sha-256")]
    hash: HashAlgorithm,
    /// Private key to sign the tag with
    #[arg(long)]
    key: Option<PathBuf>,
    /// Where to write the tag
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The document: SPDX 2.2 or 2.3 and CycloneDX 1.4 to 1.6 in JSON, SWID in XML
    file: PathBuf,
    /// Id of the tag; made from the document without it
    #[arg(long)]
    tag_id: Option<String>,
    /// Scheme of the version, where the document says none
    #[arg(long, value_parser = show::coswid::scheme)]
    scheme: Option<VersionScheme>,
    /// Who makes the tag, where the document names nobody
    #[arg(long, value_name = "NAME")]
    entity: Option<String>,
    /// Where the document can be had
    #[arg(long, value_name = "URI")]
    location: Option<String>,
    /// Private key to sign the tag with
    #[arg(long)]
    key: Option<PathBuf>,
    /// Where to write the tag
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The tag, signed or not: a signature on it is not verified
    file: PathBuf,
    /// Format to write
    #[arg(long, value_enum)]
    to: Document,
    /// When the document is said to be made; now without it
    #[arg(long, value_name = "TIME", value_parser = clock::parse_time)]
    at: Option<i64>,
    /// Where to write the document
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// A format to write.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Document {
    /// SPDX 2.3, JSON
    Spdx,
    /// CycloneDX 1.6, JSON
    Cyclonedx,
    /// SWID (ISO/IEC 19770-2), XML
    Swid,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The tag
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The signed tag
    file: PathBuf,
    /// Public key that may have signed, in any form; repeatable
    #[arg(long = "key", value_name = "PUB", required = true)]
    keys: Vec<PathBuf>,
}

pub(crate) fn run(command: Coswid, printer: &Printer) -> Result<Answer, Failure> {
    match command {
        Coswid::Build(command) => build(command, printer),
        Coswid::Import(command) => import(command, printer),
        Coswid::Export(command) => export(&command, printer),
        Coswid::Inspect(Inspect { file }) => {
            let input = Input::read(&file)?;
            printer.show(&show::coswid::received(&received(&input)?).into());
            Ok(Answer::Yes)
        }
        Coswid::Verify(command) => verify(&command, printer),
    }
}

fn build(command: Build, printer: &Printer) -> Result<Answer, Failure> {
    let tag_id = match command.tag_id {
        Some(id) => id,
        None => format!("{}/{}/{}", command.entity, command.name, command.version),
    };
    let entity = Entity {
        reg_id: command.reg_id.map(Uri::new),
        ..Entity::new(command.entity, [Role::TagCreator, Role::SoftwareCreator])
    };
    let mut builder = TagBuilder::payload(TagId::Text(tag_id), command.name)
        .version(&command.version, command.scheme)
        .entity(entity);
    for id in command.supersedes {
        builder = builder.link(Link::new(Rel::Supersedes, format!("swid:{id}")));
    }
    for (name, path) in &command.files {
        let input = Input::read(path)?;
        builder = builder.file(File {
            hash: Some(Digest::of(command.hash, &input.bytes).into()),
            size: Some(input.bytes.len() as u64),
            file_version: Some(command.version.clone()),
            key: Some(true),
            ..File::new(name)
        });
    }
    let tag = builder.build().map_err(|error| Failure::new("this makes no tag").because(&error))?;
    write(&tag, command.key.as_deref(), &command.output, printer)
}

/// Writes a tag, signed where there is a key.
fn write(tag: &Tag, key: Option<&Path>, output: &Path, printer: &Printer) -> Result<Answer, Failure> {
    let bytes = match key {
        Some(path) => {
            let (key, kid) = KeyFile::read_secret(path)?;
            coswid::sign(tag, &key, &kid)
        }
        None => tag.as_bytes().to_vec(),
    };
    files::write(output, &bytes, Mode::Public, printer)?;
    Ok(Answer::Yes)
}

fn import(command: Import, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let options = ImportOptions {
        tag_id: command.tag_id.map(TagId::Text),
        version_scheme: command.scheme,
        tag_creator: command.entity.as_deref(),
        location: command.location.as_deref(),
    };
    let imported = interchange::import(&input.bytes, &options)
        .map_err(|error| input.failure("this makes no software identity tag", &error))?;
    warn(&imported.dropped, "the tag has no room for", printer);
    write(&imported.tag, command.key.as_deref(), &command.output, printer)
}

fn export(command: &Export, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let received = received(&input)?;
    let tag = match &received {
        Received::Unsigned(tag) => tag,
        Received::Signed(signed) => signed.unverified(),
    };
    let at = command.at.unwrap_or_else(clock::now);
    let exported = match command.to {
        Document::Spdx => interchange::export_spdx(tag, at),
        Document::Cyclonedx => interchange::export_cyclonedx(tag, at),
        Document::Swid => interchange::export_swid_xml(tag),
    };
    warn(&exported.dropped, "the document has no room for", printer);
    files::write(&command.output, &exported.document, Mode::Public, printer)?;
    Ok(Answer::Yes)
}

/// Says what was left out, a line a kind.
fn warn(losses: &[Loss], what: &str, printer: &Printer) {
    for Loss { what: kind, first, count } in losses {
        printer.warning(format_args!("{what} {kind} ({count}, first {first})"));
    }
}

fn verify(command: &Verify, printer: &Printer) -> Result<Answer, Failure> {
    let input = Input::read(&command.file)?;
    let anchors = keys::anchors(&KeyFile::read_public(&command.keys)?, Purpose::Swid);
    let signed = match received(&input)? {
        Received::Signed(signed) => signed,
        Received::Unsigned(_) => {
            return Ok(printer.answer(Verdict::no("unsigned-tag", "the tag is not signed")));
        }
    };
    let verdict = match signed.verify(&anchors) {
        Ok(verified) => {
            let names: Vec<&str> = verified.signers().iter().map(|signer| signer.name.as_str()).collect();
            Verdict::yes(format!("signed by {}", names.join(", "))).with(show::coswid::tag(verified.tag()))
        }
        Err(error) => Verdict::no("bad-tag-signature", chain(&error)),
    };
    Ok(printer.answer(verdict))
}

fn received(input: &Input) -> Result<Received<'_>, Failure> {
    Received::decode(&input.bytes).map_err(|error| input.failure("not a software identity tag", &error))
}

/// An error with all its sources, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}

fn named_file(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=PATH")?;
    Ok((name.to_owned(), path.into()))
}
