use std::path::PathBuf;

use clap::{Args, Subcommand};
use cose::Purpose;
use coswid::{Entity, File, Link, Received, Rel, Role, TagBuilder, TagId, Uri, VersionScheme};
use crypto::{Digest, HashAlgorithm};

use crate::{
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
    let bytes = match &command.key {
        Some(path) => {
            let (key, kid) = KeyFile::read_secret(path)?;
            coswid::sign(&tag, &key, &kid)
        }
        None => tag.as_bytes().to_vec(),
    };
    files::write(&command.output, &bytes, Mode::Public, printer)?;
    Ok(Answer::Yes)
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
